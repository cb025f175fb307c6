"""What the page itself offers by key, the buttons for it, and the list of all keys.

`python tools/key_table.py > docs/keys.md` writes the list as a page of the documentation.
"""

from __future__ import annotations

from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.widgets import keys
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

IDENTITY_KEYS = {"l": "Lya", "o": "OII", "3": "OIII", "b": "Hb", "4": "CIV", "c": "CIII", "m": "MgII"}
"""Keys that adopt an identity."""

PAGES, IDENTITY, PAGE = "Pages", "Identity", "The page"

IN_BROWSER = ("keys", "full screen", "theme", "jump to number")
"""Actions that static/page.js does itself: they concern how the page stands in the browser, and full screen is
granted only to what answers a key or click at once."""

# drawn, because few fonts have a sign for it
_CORNERS = (
    '<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true"><path d="M1 4V1h3M8 1h3v3M11 8v3H8M4 11H1V8" '
    'fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
)


def register(state: ExplorerState) -> None:
    """Offer what belongs to the page as a whole and to no panel."""

    def offer(name: str, key: str, help: str, group: str, do: object = None) -> None:
        anytime = group == PAGES or name in IN_BROWSER
        state.register(name, key=key, help=help, do=do if callable(do) else lambda: None, group=group, anytime=anytime)

    offer("next", "n ArrowRight", "Turn to the next detection.", PAGES, state.next)
    offer("previous", "p ArrowLeft", "Turn to the previous detection.", PAGES, state.previous)
    offer("jump to number", "g", "Type the number of a detection to go to.", PAGES)
    for key, identity in IDENTITY_KEYS.items():
        offer(
            identity, key, f"The line is {LABELS[identity]}.", IDENTITY,
            lambda identity=identity: state.choose(identity=identity),
        )  # fmt: skip
    offer(
        "automatic", "a", "Leave the identity to the analysis.", IDENTITY,
        lambda: state.choose(identity=None, redshift=None),
    )  # fmt: skip
    offer("undo", "z Ctrl+z", "Take back the last choice about this detection.", PAGE, state.undo)
    offer("redo", "Z Ctrl+Z Ctrl+y", "Choose again what was taken back.", PAGE, state.redo)
    offer("reset", "r", "Drop every choice about this detection.", PAGE, state.reset)
    offer("keys", "?", "Show or hide this list.", PAGE)
    offer("full screen", "F", "Fill the screen with the page, or end it.", PAGE)
    offer("theme", "T", "Dark, light, or as the computer has it.", PAGE)


def _button(action: keys.Action, sign: str, disabled: bool = False, words: str = "") -> str:
    tip = f"{action.help} ({', '.join(map(keys.shown, action.keys))})"
    off = " disabled" if disabled else ""
    return (
        f'<button class="ew-button ew-tool" data-key="{escape(action.name)}" title="{escape(tip)}" '
        f'aria-label="{escape(action.name)}" aria-keyshortcuts="{escape(action.keys[0])}"{off}>{sign}{words}</button>'
    )


class Tools(Panel):
    """Buttons for undo, redo, the list of keys, the theme and full screen."""

    def __init__(self, state: ExplorerState) -> None:
        self.buttons = Markup()
        self.buttons.on_pick(self._picked)
        super().__init__(state, "tools", (self.buttons,))
        self.watch(self._draw, "can_undo", "can_redo")

    def _picked(self, name: str) -> None:
        if name not in IN_BROWSER:
            self.state.act(name)

    def _draw(self) -> None:
        state, actions = self.state, self.state.actions
        self.buttons.markup = '<div class="ew-tools" role="toolbar" aria-label="page">' + "".join(
            (
                _button(actions["undo"], "↶", not state.can_undo),
                _button(actions["redo"], "↷", not state.can_redo),
                _button(actions["keys"], "?", words=" keys"),
                _button(actions["theme"], "◐"),
                _button(actions["full screen"], _CORNERS),
            )
        ) + "</div>"  # fmt: skip


class Help(Panel):
    """The list of keys over the page; static/page.js shows and hides it."""

    def __init__(self, state: ExplorerState) -> None:
        self.list = Markup()
        super().__init__(state, "help", (self.list,))
        self.watch(self.fill)

    def fill(self) -> None:
        """List the actions that are registered by now."""
        self.list.markup = (
            '<div class="ew-help-box" role="dialog" aria-modal="true" aria-label="Keys">'
            '<header><h3>Keys</h3><button class="ew-button" data-key="keys" aria-label="close the list of keys">'
            f'close <kbd>Esc</kbd></button></header><div class="ew-help-list">{keys.help_markup(self.state.actions)}'
            "</div></div>"
        )
