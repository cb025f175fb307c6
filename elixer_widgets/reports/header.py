"""The top of the page: the verdict, flags in words, what a person chose; time and version."""

from __future__ import annotations

from datetime import datetime

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas, mono_width
from elixer_widgets.reports.colors import BLUE, GREY, WARNING
from elixer_widgets.reports.wording import choices, flags, header, shorten

SECOND_SIZE = 9.0  # points, of the row of flags and choices
LEAST_FLAGS = 60  # characters of flags that a long list of choices leaves
SPARE = 0.96  # pictures round the advance of each letter to whole pixels


def fitting_size(text: str, room: float, largest: float, smallest: float) -> float:
    """The type size in points, between the two, at which one line of monospaced `text` fits `room` pixels."""
    return max(smallest, min(largest, largest * SPARE * room / max(mono_width(text, largest), 1.0)))


def draw_header(canvas: Canvas, interpretation: Interpretation, made: datetime) -> None:
    """Draw the header."""
    stamp = f"{made:%Y-%m-%d %H:%M:%S}  Version {__version__}"
    canvas.text(layout.MARGIN_RIGHT, layout.HEADER_Y, stamp, 10, align="right", family="mono")
    room = layout.MARGIN_RIGHT - layout.MARGIN_LEFT - mono_width(stamp, 10) - 40
    verdict = header(interpretation)
    size = fitting_size(verdict, room, 12, 9)
    canvas.text(layout.MARGIN_LEFT, layout.HEADER_Y, verdict, size, family="mono", bold=False)

    words, decided = second_row(interpretation)
    canvas.text(
        layout.MARGIN_LEFT, layout.FLAGS_Y, words, SECOND_SIZE, family="mono",
        color=WARNING if interpretation.flags else GREY,
    )  # fmt: skip
    by_person = bool(choices(interpretation))
    canvas.text(
        layout.MARGIN_RIGHT, layout.FLAGS_Y, decided, SECOND_SIZE, align="right", family="mono",
        color=BLUE if by_person else GREY, bold=by_person,
    )  # fmt: skip


def second_row(interpretation: Interpretation) -> tuple[str, str]:
    """Flags and a person's choices, cut to one row; the choices have the first claim to its length."""
    full = int((layout.MARGIN_RIGHT - layout.MARGIN_LEFT) / mono_width("x", SECOND_SIZE)) - 4
    said, words = choices(interpretation), flags(interpretation)
    decided = "Set by a person: " + "; ".join(said) if said else "All choices automatic"
    decided = shorten(decided, full - min(len(words), LEAST_FLAGS))
    return shorten(words, full - len(decided)), decided


def flags_are_cut(interpretation: Interpretation) -> bool:
    """Whether the header has no room for all flags, so that another place must name them."""
    return second_row(interpretation)[0] != flags(interpretation)
