"""Sky and noise of images whose noise is known."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.imaging.noise import clipped_sky, empty_noise_factor, thinned
from tests.imaging.sky import gaussian


def test_noise_factor_of_noise_with_known_correlation() -> None:
    rng = np.random.default_rng(3)
    white = rng.normal(size=(180, 180))
    good = np.ones(white.shape, dtype=bool)
    assert empty_noise_factor(white, good, 5.0) == pytest.approx(1.0, abs=0.08)
    # The mean of 2 x 2 independent pixels on every pixel: sums over large areas have √4 times the noise of a pixel.
    boxed = sum(np.roll(np.roll(white, i, 0), j, 1) for i in (0, 1) for j in (0, 1)) / 2.0
    assert empty_noise_factor(np.asarray(boxed), good, 8.0) == pytest.approx(2.0, rel=0.12)
    # Sources are not noise.
    crowded = white + sum(gaussian((180, 180), x, y, 4.0, 3000.0) for x, y in rng.uniform(0, 180, (12, 2)))
    assert empty_noise_factor(crowded, good, 5.0) == pytest.approx(1.0, abs=0.15)


def test_clipped_sky_of_sky_with_sources() -> None:
    rng = np.random.default_rng(10)
    sky = rng.normal(5.0, 2.0, 20000)
    sky[:400] += rng.exponential(100.0, 400)
    level, scatter, count = clipped_sky(sky)
    assert level == pytest.approx(5.0, abs=0.08)
    assert scatter == pytest.approx(2.0, rel=0.03)
    assert 19000 < count < 19900
    assert np.isnan(clipped_sky(np.zeros(0))[0])
    assert clipped_sky(np.full(100, 3.0))[:2] == (3.0, 0.0)


def test_thinning_keeps_small_arrays_and_shortens_large_ones() -> None:
    assert thinned(np.arange(50)).size == 50
    large = np.random.default_rng(1).normal(size=100_000)
    assert 9_000 < thinned(large).size <= 11_000
    assert np.std(thinned(large)) == pytest.approx(1.0, abs=0.03)
