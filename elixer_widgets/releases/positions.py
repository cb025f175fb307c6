"""Searching lists of positions."""

from __future__ import annotations

import numpy as np

from elixer_widgets.detection import DataError

ARCSEC = 3600.0  # in a degree


def separation(ra: float, dec: float, ras: np.ndarray, decs: np.ndarray) -> np.ndarray:
    """Angular distance in arcsec from one position to many, all in degrees; shape of `ras`.

    The haversine formula (Sinnott 1984, Sky & Telescope 68, 158): exact at small distances, across RA 0 and at the
    poles.
    """
    ras, decs = np.radians(np.asarray(ras, float)), np.radians(np.asarray(decs, float))
    ra0, dec0 = np.radians(ra), np.radians(dec)
    half = np.sin((decs - dec0) / 2) ** 2 + np.cos(dec0) * np.cos(decs) * np.sin((ras - ra0) / 2) ** 2
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))) * ARCSEC


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
