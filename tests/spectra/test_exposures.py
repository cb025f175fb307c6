"""The line in each exposure, against made-up fibers of known signal."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.spectra.exposures import exposure_signals
from elixer_widgets.spectra.extraction import FiberFlux


def fibers(source, seed=5, error=1.0):
    """Nine fibers in three exposures; `source` maps the exposure to the flux it saw."""
    rng = np.random.default_rng(seed)
    weights = (0.2, 0.1, 0.05)
    return [
        FiberFlux(f"{exposure}{weight}", exposure, weight, source[exposure] * weight + rng.normal(0, error), error)
        for exposure in (1, 2, 3)
        for weight in weights
    ]


def test_one_fiber_an_exposure_has_its_own_signal_to_noise():
    one = [FiberFlux("a", 1, 0.5, 6.0, 2.0), FiberFlux("b", 3, 0.5, 1.0, 0.5)]
    found = exposure_signals(one)
    assert [(each.exposure, each.fibers) for each in found] == [(1, 1), (3, 1)]
    assert [each.snr for each in found] == pytest.approx([3.0, 2.0])


def test_a_steady_source_is_seen_as_expected_and_a_cosmic_ray_in_one_exposure_only():
    def pulls(source):
        found = [exposure_signals(fibers(source, seed)) for seed in range(300)]
        return np.array([[each.snr - each.expected for each in signals] for signals in found])

    steady = pulls({1: 40.0, 2: 40.0, 3: 40.0})
    # the difference of one third from the mean of three equal ones has a variance of 2/3
    assert steady.mean(axis=0) == pytest.approx(0.0, abs=4 * np.sqrt(2 / 3 / 300))
    assert steady.std(axis=0) == pytest.approx(np.sqrt(2 / 3), rel=0.15)
    struck = pulls({1: 0.0, 2: 120.0, 3: 0.0}).mean(axis=0)
    depth = np.hypot.reduce([0.2, 0.1, 0.05])
    assert struck == pytest.approx(np.array([-40.0, 80.0, -40.0]) * depth, abs=0.3)


def test_fibers_without_weight_or_error_do_not_count():
    odd = [
        FiberFlux("a", 1, 0.0, 5.0, 1.0),
        FiberFlux("b", 1, float("nan"), 5.0, 1.0),
        FiberFlux("c", 1, 0.3, float("nan"), 1.0),
        FiberFlux("d", 2, 0.3, 5.0, 0.0),
    ]
    assert exposure_signals(odd) == ()
