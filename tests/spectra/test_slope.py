"""The slope of the continuum against spectra of known slope."""

from __future__ import annotations

import numpy as np

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.slope import spectral_slope

GRID = np.arange(3470.0, 5541.0, 2.0)


def test_slope_and_error_over_many_spectra() -> None:
    """Without bias, and with errors that fit the scatter."""
    rng = np.random.default_rng(20)
    error = 0.1 + 0.2 * np.exp(-(GRID - 3470.0) / 350.0)
    truth = 2e-4
    found = np.array(
        [
            spectral_slope(Spectrum(GRID, 1.0 + truth * (GRID - 4500.0) + rng.normal(0.0, error), error))
            for _ in range(200)
        ]
    )
    pull = (found[:, 0] - truth) / found[:, 1]
    assert abs(pull.mean()) < 0.25
    assert 0.85 < pull.std() < 1.15


def test_lines_are_left_out() -> None:
    line = LineFit(5300.0, 20.0, 5e-15, 1.0, 50.0, 1.0)
    flux = 1.0 + line.profile(GRID)
    spectrum = Spectrum(GRID, flux, np.full(GRID.size, 0.05))
    assert abs(spectral_slope(spectrum)[0]) > 1e-4
    assert abs(spectral_slope(spectrum, [line])[0]) < 1e-5


def test_nothing_to_go_by() -> None:
    assert np.isnan(spectral_slope(Spectrum(GRID, np.ones(GRID.size)))).all()
    assert np.isnan(spectral_slope(Spectrum(GRID[:40], np.ones(40), np.ones(40)))).all()
