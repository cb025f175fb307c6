"""The top of the page: the verdict, flags in words, what a person chose; time and version."""

from __future__ import annotations

from datetime import datetime

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas, mono_width
from elixer_widgets.reports.colors import BLUE, GREY, WARNING
from elixer_widgets.reports.wording import choices, flags, header, shorten

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

    said = choices(interpretation)
    decided = "Human choice: " + "; ".join(said) if said else "All choices automatic"
    size = 9.0
    full = int((layout.MARGIN_RIGHT - layout.MARGIN_LEFT) / mono_width("x", size))
    words = flags(interpretation)
    decided = shorten(decided, max(full // 2, full - len(words) - 4))
    words = shorten(words, full - len(decided) - 4)
    canvas.text(
        layout.MARGIN_LEFT, layout.FLAGS_Y, words, size, family="mono",
        color=WARNING if interpretation.flags else GREY,
    )  # fmt: skip
    canvas.text(
        layout.MARGIN_RIGHT, layout.FLAGS_Y, decided, size, align="right", family="mono",
        color=BLUE if said else GREY, bold=bool(said),
    )  # fmt: skip
