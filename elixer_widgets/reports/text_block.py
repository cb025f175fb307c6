"""The text block at the upper left."""

from __future__ import annotations

from elixer_widgets.analysis import Interpretation
from elixer_widgets.reports import layout
from elixer_widgets.reports.canvas import Canvas
from elixer_widgets.reports.header import fitting_size
from elixer_widgets.reports.wording import shorten, text_block

MOST_CHARACTERS = 62


def draw_text_block(canvas: Canvas, interpretation: Interpretation) -> None:
    """Draw the lines of the text block, each as large as it fits, up to 12 points."""
    box = layout.TEXT_BLOCK
    lines = [shorten(line, MOST_CHARACTERS) for line in text_block(interpretation)]
    step = min(28.0, box.height / max(len(lines), 1))
    for number, line in enumerate(lines):
        canvas.text(
            box.left, box.top + (number + 0.5) * step, line, fitting_size(line, box.width, 12, 8), family="mono"
        )
