"""Pieces of bqplot that the spectrum panels share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bqplot as bq
import numpy as np

from elixer_widgets.spectra.wavelengths import SKY_LINES
from elixer_widgets.widgets.palette import FAINT, HYPOTHESIS, LINE, MUTED, PAPER
from elixer_widgets.widgets.spectrum_data import HEADROOM, LABEL_ROWS, MOST_LABELS, Label

LEFT, RIGHT = 42, 16
"""px beside a plot."""

NOTHING = np.array([0.0])
"""Coordinates of a curve that is not drawn: of one point there is no line."""


def axes(x: bq.Scale, y: bq.Scale) -> list[bq.Axis]:
    """The two axes of a plot of flux over wavelength."""
    options: dict[str, Any] = {
        "grid_lines": "none", "tick_style": {"font-size": "10px", "fill": MUTED}, "color": LINE,
    }  # fmt: skip
    return [
        bq.Axis(scale=x, tick_format="~g", **options),
        bq.Axis(scale=y, orientation="vertical", tick_format="~g", **options),
    ]


def curve(x: bq.Scale, y: bq.Scale, color: str, width: float = 1.0, **options: object) -> bq.Lines:
    """An empty curve."""
    return bq.Lines(x=NOTHING, y=NOTHING, scales={"x": x, "y": y}, colors=[color], stroke_width=width, **options)


def band(x: bq.Scale, y: bq.Scale, color: str, opacity: float) -> bq.Lines:
    """An empty area."""
    return bq.Lines(
        x=NOTHING, y=NOTHING, scales={"x": x, "y": y}, colors=[color], stroke_width=0, fill="inside",
        fill_colors=[color], fill_opacities=[opacity], close_path=True,
    )  # fmt: skip


def box(low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The outline of a band from `low` to `high` over the whole height of a plot."""
    return np.array([low, low, high, high]), np.array([0.0, 1.0, 1.0, 0.0])


def sky_bands(x: bq.Scale, unit: bq.Scale) -> list[bq.Lines]:
    """Where lines of the night sky leave much noise."""
    bands = [band(x, unit, FAINT, 0.55) for _ in SKY_LINES]
    for mark, (center, half) in zip(bands, SKY_LINES, strict=True):
        mark.x, mark.y = box(center - half, center + half)
    return bands


def put(mark: bq.Lines, x: np.ndarray, y: np.ndarray) -> None:
    """Give a curve its points in one message; none if it has them, for the browser would draw it again.

    The last is always a number, one of no line if need be: bqplot puts a curve's name there before it hides it.
    """
    if not (np.isfinite(x[-1]) and np.isfinite(y[-1])):
        x, y = np.append(x, 0.0), np.append(y, 0.0)
    if np.array_equal(mark.x, x, equal_nan=True) and np.array_equal(mark.y, y, equal_nan=True):
        return
    with mark.hold_sync():
        mark.x, mark.y = x, y


def figure(marks: list[bq.Mark], drawn: list[bq.Axis], bottom: int, interaction: Any = None) -> bq.Figure:
    """A plot on the page's paper, without animation."""
    return bq.Figure(
        marks=marks,
        axes=drawn,
        interaction=interaction,
        fig_margin={"top": 4, "bottom": bottom, "left": LEFT, "right": RIGHT},
        animation_duration=0,
        display_toolbar=False,
        background_style={"fill": PAPER},
    )


class LineMarks:
    """The marks and names of lines in one plot.

    Parameters
    ----------
    x, unit : bqplot.Scale
        Wavelengths, and heights from 0 to 1.
    most : int
        Names that find room.
    """

    def __init__(self, x: bq.Scale, unit: bq.Scale, most: int = MOST_LABELS) -> None:
        self._most = most
        self.places = curve(x, unit, HYPOTHESIS, line_style="dashed", opacities=[0.75])
        # always the same number of them: the browser draws between two changes, and counts that differ confuse it
        self.texts = bq.Label(
            x=np.zeros(most), y=np.zeros(most), text=[""] * most, align="middle",
            scales={"x": x, "y": unit}, colors=[HYPOTHESIS], default_size=11, font_weight="bold", y_offset=8,
        )  # fmt: skip

    def draw(self, labels: Sequence[Label], low: float) -> None:
        """Show these labels; those not in use wait, empty, at `low` (Å)."""
        labels = labels[: self._most]
        unused = self._most - len(labels)
        if labels:
            x = [(label.wavelength, label.wavelength, label.place, np.nan) for label in labels]
            y = [(0.0, HEADROOM, LABEL_ROWS[label.row] - 0.105, np.nan) for label in labels]
            put(self.places, np.ravel(x), np.ravel(y))
        else:
            put(self.places, NOTHING, NOTHING)
        place, height = [label.place for label in labels], [LABEL_ROWS[label.row] for label in labels]
        text = [label.text for label in labels] + [""] * unused
        there = np.array_equal(self.texts.x[: len(labels)], place) and np.array_equal(
            self.texts.y[: len(labels)], height
        )
        if there and list(self.texts.text) == text:
            return  # the browser would draw them all again
        with self.texts.hold_sync():
            self.texts.x = np.array(place + [low] * unused)
            self.texts.y = np.array(height + [0.0] * unused)
            self.texts.text = text
