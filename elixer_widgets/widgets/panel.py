"""What all panels share: a place on the page, and failing alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as W

from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.state import ExplorerState

log = logging.getLogger(__name__)

LEFT = "ew-left"
"""Class of a panel in which something may stand of another detection or choice: static/page.css covers it."""


@dataclass(frozen=True)
class Watched:
    """What draws a part of a panel: as it is, guarded against its failures, and the traits of the state it follows."""

    draw: Callable[[], None]
    safely: Callable[[], None]
    names: frozenset[str]


class Panel(W.VBox):
    """A part of the page that draws the state.

    Parameters
    ----------
    state : ExplorerState
    area : str
        The panel's place in the page's grid (see static/page.css).
    children : sequence of Widget
        Made once; drawing only changes their traits, so that no page turn leaves widgets behind. What tells of a fault
        is made with the first one: most pages never need it, and would wait for it.

    Attributes
    ----------
    watched : list of Watched
        What draws the panel.
    """

    def __init__(self, state: ExplorerState, area: str, children: Sequence[W.Widget]) -> None:
        self.state = state
        self.watched: list[Watched] = []
        self._faults: dict[Callable[[], None], str] = {}
        self._left: set[Callable[[], None]] = set()
        self._told: Markup | None = None
        self._parts = tuple(children)
        super().__init__(self._parts)
        self.add_class("ew-panel")
        self.add_class(f"ew-{area}")

    def watch(self, draw: Callable[[], None], *names: str, clear: Callable[[], None] | None = None) -> None:
        """Call `draw` now, and whenever one of these traits of the state changes; a failure stays in this panel.

        After a failure `clear` is called, so that nothing of another detection stays to be taken for this one's; where
        there is none, or it fails too, the panel is covered but for what tells of the fault.
        """

        def safely() -> None:
            try:
                draw()
            except Exception as error:
                log.exception("%s could not be drawn", type(self).__name__)
                if clear is None or not self._attempt(clear):
                    self._left.add(draw)
                self._faults[draw] = (
                    f"This panel could not be drawn ({type(error).__name__}: {error}). The others are not affected. "
                    "Another identity or detection may draw it again; please report the number of this one."
                )
            else:
                self._faults.pop(draw, None)
                self._left.discard(draw)
            self._show_fault(" ".join(self._faults.values()))

        def changed(_change: Any) -> None:
            # a page turn changes several traits, of which a panel may observe two
            if not self.state.defer(safely):
                safely()

        if names:  # no name would be any name
            self.state.observe(changed, list(names))
            self.watched.append(Watched(draw, safely, frozenset(names)))
        safely()

    def _attempt(self, clear: Callable[[], None]) -> bool:
        """Whether the panel was cleared."""
        try:
            clear()
        except Exception:  # what broke the drawing may break this too, and the others must go on
            log.exception("%s could not be cleared", type(self).__name__)
            return False
        return True

    @property
    def _fault(self) -> Markup:
        if self._told is None:
            self._told = Markup()
            self._told.layout.display = "none"
            self.children = (*self._parts, self._told)
        return self._told

    def _show_fault(self, text: str) -> None:
        if not text and self._told is None:
            return
        covered = LEFT in self._dom_classes
        if bool(self._left) != covered:
            (self.remove_class if covered else self.add_class)(LEFT)
        display = None if text else "none"
        if self._fault.layout.display != display:
            self._fault.layout.display = display
        markup = f'<div class="ew-fault" role="alert">{escape(text)}</div>' if text else ""
        if self._fault.markup != markup:
            self._fault.markup = markup
