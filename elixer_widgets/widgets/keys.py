"""The one table of actions and keys: the page's shortcuts, the help and docs/keys.md are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape

NAMES = {
    "ArrowRight": "→",
    "ArrowLeft": "←",
    "ArrowUp": "↑",
    "ArrowDown": "↓",
    "Escape": "Esc",
    " ": "Space",
}
"""What people call keys that browsers name otherwise."""

_INTRODUCTION = """# Keys of the page

This list is made from the table that the page itself uses: `python tools/key_table.py > docs/keys.md`.
On the page, `?` shows it. Keys work wherever the page has the focus, except in boxes that one types in; there, Enter
or Esc leads back to the page. On a keyboard without Latin letters the place of a key counts; Caps Lock changes nothing.
None of them reaches the notebook. All can be done by mouse as well, and every control
is reached by Tab."""


@dataclass(frozen=True)
class Action:
    """Something a person can do with one key.

    Attributes
    ----------
    name : str
        In a few words; unique.
    keys : tuple of str
        As browsers name them (`KeyboardEvent.key`: "n", "N" with shift, "ArrowRight"), with "Ctrl+" before where it
        is held (the command key of a Mac counts as well), and ">" between those struck one after the other ("d>n").
    help : str
        What it does, in a sentence.
    do : callable
    group : str
        The heading under which it is listed.
    anytime : bool
        Whether it means the same whatever the page shows, as turning it does; all else is taken only from a person
        before whom the page was painted.
    """

    name: str
    keys: tuple[str, ...]
    help: str
    do: Callable[[], object]
    group: str = ""
    anytime: bool = False

    def __call__(self) -> object:
        return self.do()


class Actions(Mapping[str, Action]):
    """All actions of one page by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}
        self._names: dict[str, str] = {}

    def __getitem__(self, name: str) -> Action:
        return self._actions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._actions)

    def __len__(self) -> int:
        return len(self._actions)

    def add(self, action: Action) -> None:
        """Take an action in.

        Raises
        ------
        ValueError
            If its name or one of its keys is taken.
        """
        if action.name in self._actions:
            raise ValueError(f"there is an action {action.name!r} already; give another name")
        for key in action.keys:
            if key in self._names:
                raise ValueError(f"key {key!r} of {action.name!r} is that of {self._names[key]!r}; give another key")
        self._actions[action.name] = action
        self._names.update(dict.fromkeys(action.keys, action.name))

    @property
    def shortcuts(self) -> dict[str, str]:
        """Key to the name of its action."""
        return dict(self._names)

    @property
    def anytime(self) -> list[str]:
        """The names of those that mean the same whatever the page shows."""
        return [action.name for action in self._actions.values() if action.anytime]

    @property
    def groups(self) -> dict[str, list[Action]]:
        """The actions that have a key, under their headings."""
        found: dict[str, list[Action]] = {}
        for action in self._actions.values():
            if action.keys:
                found.setdefault(action.group or "More", []).append(action)
        return found


def shown(key: str) -> str:
    """A key as people read it: "N" is "Shift+N", "ArrowRight" is "→", "d>n" is "d n"."""
    if ">" in key[1:]:
        return " ".join(map(shown, key.split(">")))
    *held, last = key.split("+") if len(key) > 1 and not key.endswith("+") else [key]
    if len(last) == 1 and last.isupper():
        held.append("Shift")
    elif len(last) == 1 and held:
        last = last.upper()
    return "+".join([*held, NAMES.get(last, last)])


def help_markup(actions: Actions) -> str:
    """The table as HTML, for the help on the page."""
    columns = []
    for group, listed in actions.groups.items():
        rows = "".join(
            f"<tr><td>{' '.join(f'<kbd>{escape(shown(key))}</kbd>' for key in action.keys)}</td>"
            f'<td title="{escape(action.help)}">{escape(action.help)}</td></tr>'
            for action in listed
        )
        columns.append(f"<section><h4>{escape(group)}</h4><table>{rows}</table></section>")
    return "".join(columns)


def markdown(actions: Actions) -> str:
    """The table as the text of docs/keys.md."""

    def row(action: Action) -> str:
        keys = " ".join(f"`{shown(key)}`" for key in action.keys).replace("|", "\\|")
        return f"| {keys} | {action.help} |"

    lines = [_INTRODUCTION]
    for group, listed in actions.groups.items():
        lines += ["", f"## {group}", "", "| key | what it does |", "| --- | --- |", *map(row, listed)]
    return "\n".join(lines) + "\n"
