"""A limit brighter than the image's depth says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.imaging.apertures import grow_aperture
from tests.factories import DEC, RA, make_cutout

SCALE, DEPTH, ZERO = 0.2, 26.0, 27.0
MIDDLE = 75


def sky(
    noise: float, stars: list[tuple[float, float, float]], spikes: list[tuple[int, int, float]] = (), seed: int = 1
):
    """A cutout of Gaussian noise with stars (arcsec west, arcsec north, magnitude) and single pixels (x, y, counts)."""
    base = make_cutout("g")
    rng = np.random.default_rng(seed)
    n = base.data.shape[0]
    y, x = np.mgrid[:n, :n] - (n - 1) / 2
    data = rng.normal(0.0, noise, (n, n))
    width = 0.8 / 2.3548 / SCALE
    for west, north, mag in stars:
        r2 = (x - west / SCALE) ** 2 + (y - north / SCALE) ** 2
        data += 10 ** (-0.4 * (mag - ZERO)) * np.exp(-0.5 * r2 / width**2) / (2 * np.pi * width**2)
    for column, row, counts in spikes:
        data[MIDDLE + row, MIDDLE + column] += counts
    return replace(base, data=data.astype(np.float32), depth=DEPTH)


# noise of a pixel that makes 26.0 the 5σ depth of a 0.9" aperture
NOISE = 10 ** (-0.4 * (DEPTH - ZERO)) / 5.0 / (np.sqrt(np.pi) * 0.9 / SCALE)


@pytest.mark.parametrize("mag", [22.0, 20.0, 18.0])
@pytest.mark.parametrize("away", [1.5, 2.0, 2.5])
@pytest.mark.parametrize("spike", [0.0, 30.0, 300.0])
def test_a_bright_neighbour_is_named(mag: float, away: float, spike: float) -> None:
    """A sharp artifact, or nothing, at the place of the line, beside a bright source."""
    cutout = sky(NOISE, [(away, 0.0, mag)], [(0, 0, spike * NOISE), (1, 0, spike * NOISE)])
    growth = grow_aperture(cutout, RA, DEC)
    if growth.is_limit and growth.limit < DEPTH:
        assert f"limit {growth.limit:.1f} is brighter than the image's depth {DEPTH:.1f}: " in growth.note
        assert "neighbour" in growth.note


@pytest.mark.parametrize("factor", [5.0, 20.0])
def test_a_noisier_place_is_named(factor: float) -> None:
    growth = grow_aperture(sky(factor * NOISE, []), RA, DEC)
    if growth.is_limit and growth.limit < DEPTH:
        assert "times that of the survey" in growth.note


def test_an_empty_place_needs_no_reason() -> None:
    growths = [grow_aperture(sky(NOISE, [], seed=seed), RA, DEC) for seed in range(8)]
    limits = [each for each in growths if each.is_limit and each.limit > DEPTH]
    assert len(limits) >= 5
    assert not any("brighter than" in each.note for each in limits)


def test_the_case_is_reached() -> None:
    """Of the neighbours above, some do make a limit brighter than the depth."""
    shallow = 0
    for mag in (22.0, 20.0, 18.0):
        for away in (1.5, 2.0, 2.5):
            growth = grow_aperture(sky(NOISE, [(away, 0.0, mag)], [(0, 0, 30.0 * NOISE)]), RA, DEC)
            shallow += growth.is_limit and growth.limit < DEPTH
    assert shallow >= 2
