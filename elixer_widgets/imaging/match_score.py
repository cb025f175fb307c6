"""ELiXer's published match score of a catalogue object, beside our own chance probability."""

from __future__ import annotations

import numpy as np

from elixer_widgets.detection import NAN

HALF_WIDTH = 0.7
FARTHEST = 29.8
"""arcsec: what is integrated over around the distance, and how far the counts reach."""

# Cubics, highest power first, to the share of random positions with an object of this magnitude in a ring 0.2 arcsec
# wide at this distance, from 1000 positions: published constants of ELiXer 1.22.5.
_CUBICS = {
    21: (-1.5585e-7, 6.1419e-6, 2.8076e-4, 2.0385e-4),
    22: (1.8054e-7, -6.2006e-6, 7.7659e-4, 2.7458e-4),
    23: (1.2729e-6, -4.3057e-5, 2.0860e-3, 1.8199e-4),
    24: (4.2551e-7, -2.4047e-5, 5.1965e-3, 7.1333e-4),
    25: (2.7343e-6, -2.0206e-4, 1.5102e-2, -2.0621e-3),
    26: (5.5211e-7, -2.7621e-4, 2.6462e-2, 2.1207e-3),
    27: (6.7375e-6, -8.0081e-4, 4.2092e-2, 3.6596e-3),
    28: (2.0843e-5, -1.7380e-3, 6.0907e-2, 1.7664e-3),
}


def match_score(distance: float, mag: float | None) -> float:
    """The score that ELiXer prints: 1 less the chance of an unrelated object, as it reckons that.

    Parameters
    ----------
    distance : float
        arcsec.
    mag : float or None
        Magnitude of the object; NaN if it could not be measured, None if the catalogue has none.

    Returns
    -------
    float
        0 to 1; NaN without a distance.

    Notes
    -----
    The integral of a cubic per magnitude (rounded, 21 to 28) over the distance ± 0.7 arcsec. Shares of rings 0.2 arcsec
    wide are integrated over arcsec, and the nearer rings are not in it: it is no probability; `Match.chance` is.
    """
    if not np.isfinite(distance):
        return NAN
    if mag is None:
        return 1.0
    if np.isnan(mag):
        return 0.5
    if distance > FARTHEST:
        return 0.0
    if mag < 21 and distance <= 5:
        return 1.0
    if mag > 28 and distance >= 3:
        return 0.0
    primitive = np.polyint(_CUBICS[int(np.clip(round(mag), 21, 28))])
    low, high = max(0.0, distance - HALF_WIDTH), distance + HALF_WIDTH
    chance = min(abs(float(np.polyval(primitive, high) - np.polyval(primitive, low))), 1.0)
    return 1.0 - chance
