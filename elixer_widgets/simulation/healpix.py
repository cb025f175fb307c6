"""HEALPix numbers in the RING scheme, as the HETDEX indexes carry them."""

from __future__ import annotations

import numpy as np

NSIDE = 2**15


def ring_pixel(ra: np.ndarray, dec: np.ndarray, nside: int = NSIDE) -> np.ndarray:
    """Pixel numbers (int64) of positions in degrees.

    Górski et al. 2005, ApJ 622, 759, section 5.
    """
    z = np.sin(np.radians(np.asarray(dec, float)))
    phi = np.radians(np.asarray(ra, float)) % (2.0 * np.pi)
    quarter = phi / (0.5 * np.pi)  # 0 to 4
    # The belt around the equator.
    rising = np.floor(nside * (0.5 + quarter - 0.75 * z)).astype(np.int64)
    falling = np.floor(nside * (0.5 + quarter + 0.75 * z)).astype(np.int64)
    ring = nside + 1 + rising - falling
    shift = 1 - (ring & 1)
    place = ((rising + falling - nside + shift + 1) // 2) % (4 * nside)
    belt = 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + place
    # The caps.
    height = np.abs(z)
    part = quarter - np.floor(quarter)
    width = nside * np.sqrt(3.0 * (1.0 - height))
    up = np.floor(part * width).astype(np.int64)
    down = np.floor((1.0 - part) * width).astype(np.int64)
    cap_ring = up + down + 1
    spot = np.floor(quarter * cap_ring).astype(np.int64) % (4 * cap_ring)
    north = 2 * cap_ring * (cap_ring - 1) + spot
    south = 12 * nside**2 - 2 * cap_ring * (cap_ring + 1) + spot
    return np.where(height <= 2.0 / 3.0, belt, np.where(z > 0, north, south))
