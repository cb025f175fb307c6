"""HEALPix ring numbers against published properties and another implementation's values."""

from __future__ import annotations

import numpy as np

from elixer_widgets.simulation.healpix import ring_pixel


def test_values_of_another_implementation() -> None:
    """From astropy-healpix 1.1, Nside 2^15."""
    ra = np.array([187.41, 21.35, 269.3, 10.0])
    dec = np.array([52.10, 0.42, 66.25, -75.0])
    assert ring_pixel(ra, dec).tolist() == [1358874858, 6395207261, 545638966, 12665347040]


def test_every_pixel_covers_the_same_area() -> None:
    rng = np.random.default_rng(1)
    ra = rng.uniform(0, 360, 480_000)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, ra.size)))
    counts = np.bincount(ring_pixel(ra, dec, nside=4), minlength=192)
    assert counts.size == 192
    chi2 = ((counts - 2500.0) ** 2 / 2500.0).sum()
    assert chi2 < 191 + 5 * np.sqrt(2 * 191)


def test_rings_run_from_north_to_south() -> None:
    assert ring_pixel(np.array([45.0]), np.array([89.0]), nside=1)[0] == 0
    assert ring_pixel(np.array([45.0]), np.array([-89.0]), nside=1)[0] == 8
