"""Distances on the sky."""

from __future__ import annotations

import numpy as np

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
