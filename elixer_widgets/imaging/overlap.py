"""Which share of each pixel lies within a circle or an ellipse. Opens no file.

The geometry is that of photutils; asked directly, for its aperture objects take longer than the sums made with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from photutils.geometry import circular_overlap_grid, elliptical_overlap_grid

Box = tuple[slice, slice]


def box_around(
    x: float, y: float, radius: float, shape: tuple[int, int], ratio: float = 1.0, angle: float = 0.0
) -> Box:
    """The pixels of an image that a circle or ellipse touches: slices of rows and columns.

    Parameters as those of `shares`, all in pixels. A slice is empty where the figure lies off the image.
    """
    ny, nx = shape
    half_width = radius * float(np.hypot(np.cos(angle), ratio * np.sin(angle)))
    half_height = radius * float(np.hypot(np.sin(angle), ratio * np.cos(angle)))
    low, left = max(int(np.floor(y - half_height + 0.5)), 0), max(int(np.floor(x - half_width + 0.5)), 0)
    high, right = min(int(np.ceil(y + half_height + 0.5)), ny), min(int(np.ceil(x + half_width + 0.5)), nx)
    return slice(low, max(high, low)), slice(left, max(right, left))


def shares(
    x: float, y: float, radii: Sequence[float] | np.ndarray, box: Box, ratio: float = 1.0, angle: float = 0.0
) -> np.ndarray:
    """Exact overlap of the pixels of a box with figures about one centre.

    Parameters
    ----------
    x, y : float
        Centre, zero-based pixels.
    radii : sequence of float, length r
        Radii or semi-major axes, pixels.
    box : tuple of slice
        Rows and columns, not empty.
    ratio : float
        Minor over major axis; 1 is a circle.
    angle : float
        Radians from the x axis to the major axis.

    Returns
    -------
    array, shape (r, rows, columns)
        0 to 1.
    """
    rows, columns = box
    ny, nx = rows.stop - rows.start, columns.stop - columns.start
    grid = (columns.start - 0.5 - x, columns.stop - 0.5 - x, rows.start - 0.5 - y, rows.stop - 0.5 - y, nx, ny)
    out = np.zeros((len(radii), ny, nx))
    for index, radius in enumerate(radii):
        if ratio < 1.0:
            out[index] = elliptical_overlap_grid(*grid, radius, radius * ratio, angle, 1, 1)
        elif radius > 0:
            out[index] = circular_overlap_grid(*grid, radius, 1, 1)
    return out
