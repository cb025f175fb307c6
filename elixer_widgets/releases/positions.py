"""Searching lists of positions."""

from __future__ import annotations

import numpy as np

from elixer_widgets._sky import ARCSEC, separation
from elixer_widgets.detection import DataError


def within(ra: float, dec: float, radius: float, ras: np.ndarray, decs: np.ndarray) -> np.ndarray:
    """Where in `ras`, `decs` (degrees) lie the positions within `radius` arcsec, nearest first.

    Positions that are not finite are never found.

    Raises
    ------
    DataError
        If the position or the radius is not possible.
    """
    if not np.isfinite(ra) or not np.isfinite(dec) or abs(dec) > 90:
        raise DataError(f"search: ({ra}, {dec}) is no position; give RA and Dec in degrees, Dec within ±90")
    if not np.isfinite(radius) or radius < 0:
        raise DataError(f"search: {radius} is no radius; give a number of arcsec, not negative")
    # Two declinations differ by no more than the distance: most of a large list needs no trigonometry.
    near = np.flatnonzero(np.abs(np.asarray(decs, float) - dec) <= radius / ARCSEC * (1 + 1e-9) + 1e-9)
    distance = separation(ra, dec, np.asarray(ras)[near], np.asarray(decs)[near])
    order = np.argsort(distance, kind="stable")
    return near[order[distance[order] <= radius]]
