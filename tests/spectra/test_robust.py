"""No spectrum, however poor, raises or warns for a reason of its data."""

import numpy as np
import pytest

from elixer_widgets.classification.solutions import solve
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import (
    find_lines,
    fit_line,
    forced_flux,
    g_magnitude,
    main_line,
    narrow_continuum,
    strongest_line,
    wide_continuum,
)
from elixer_widgets.spectra.fitting import NO_FLUX
from elixer_widgets.spectra.wavelengths import hetdex_grid


def _poor_spectrum(rng: np.random.Generator) -> Spectrum:
    """Short, uneven, masked, constant or of an absurd scale, by chance."""
    grid = hetdex_grid()
    n = int(rng.choice([3, 8, 25, 60, 200, 600]))
    first = int(rng.integers(0, grid.size - n + 1))
    wavelength = grid[first : first + n]
    if rng.random() < 0.3:
        wavelength = np.sort(rng.uniform(3470.0, 5540.0, n)) + 1e-3 * np.arange(n)
    scale = 10.0 ** int(rng.integers(-12, 6))
    flux = rng.normal(0.0, scale, n)
    if rng.random() < 0.5:
        line = np.exp(-0.5 * ((wavelength - rng.choice(wavelength)) / rng.uniform(1.0, 60.0)) ** 2)
        flux += 30.0 * scale * line * rng.choice([-1.0, 1.0])
    error = np.full(n, scale * rng.choice([0.01, 1.0, 100.0]))
    error[rng.random(n) < rng.choice([0.0, 0.2, 0.9])] = 0.0
    if rng.random() < 0.3:
        flux[rng.random(n) < 0.2] = np.nan
    if rng.random() < 0.2:
        flux[:] = scale * rng.choice([0.0, 1.0])
    return Spectrum(wavelength, flux, None if rng.random() < 0.3 else error, float(rng.choice([np.nan, 2.3])))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(60))
def test_poor_spectra(seed: int) -> None:
    rng = np.random.default_rng([99, seed])
    poor = _poor_spectrum(rng)
    place = float(rng.choice(poor.wavelength))
    lines = find_lines(poor)
    fit = fit_line(poor, place)
    assert fit.n_samples <= poor.good.sum()
    assert all(np.isfinite(each.flux) or NO_FLUX in each.flags for each in lines)
    assert all(each.snr > 4.0 and poor.wavelength[0] <= each.center <= poor.wavelength[-1] for each in lines)
    main_line(poor, place, lines)
    strongest_line(poor)
    for solution in solve(poor, fit, lines):
        assert 0.0 <= solution.fraction <= 1.0 and np.isfinite(solution.log_likelihood)
    g_magnitude(poor)
    wide_continuum(poor, place, lines)
    narrow_continuum(poor, fit)
    forced_flux(poor, [4000.0, 5000.0], 3.0)
