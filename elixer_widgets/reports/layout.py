"""Where everything lies on the page.

The page is 18 x 12.25 inches. Places are given in pixels of its 150 dpi picture (2700 x 1838, origin at the upper
left), and are those of the ELiXer report, so that old and new can be laid side by side.
"""

from __future__ import annotations

from typing import NamedTuple

WIDTH, HEIGHT, DPI = 2700, 1838, 150
MARGIN_LEFT, MARGIN_RIGHT = 135, 2565


class Box(NamedTuple):
    """A rectangle: left, top, right, bottom in page pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return 0.5 * (self.left + self.right), 0.5 * (self.top + self.bottom)

    def inset(self, margin: float) -> Box:
        """The box less `margin` on every side."""
        return Box(self.left + margin, self.top + margin, self.right - margin, self.bottom - margin)


HEADER_Y, FLAGS_Y = 22, 52
TEXT_BLOCK = Box(135, 76, 845, 500)
FIBERS = Box(901, 92, 1446, 488)
FIBER_LEFT_X, FIBER_RIGHT_X = 894, 1453
WITH_SKY = Box(1602, 123, 1736, 453)
CLEAN = Box(1797, 123, 1931, 453)
LINE_FIT = Box(2021, 117, 2507, 406)
SPECTRUM = Box(195, 673, 2507, 835)
LABELS_TOP = 530
LEGEND_Y = 890
IMAGING_TITLE_Y = 955
CUTOUT_SIZE, CUTOUT_TOP = 287, 1028
CUTOUT_LEFTS = (133, 492, 850, 1207, 1565, 1922, 2280)
COUNTERPARTS = Box(135, 1475, 1790, 1745)
COUNTERPART_COLUMNS = (554, 972, 1391)
PHOTO_Z = Box(1850, 1480, 2507, 1690)
NOTES = Box(135, 1775, 2565, 1830)


def cutout_box(slot: int) -> Box:
    """The square of one of the seven places in the imaging row."""
    left = CUTOUT_LEFTS[slot]
    return Box(left, CUTOUT_TOP, left + CUTOUT_SIZE, CUTOUT_TOP + CUTOUT_SIZE)
