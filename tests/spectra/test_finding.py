"""The blind search against spectra whose lines are known."""

import numpy as np
import pytest
from scipy import stats

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, strongest_line
from elixer_widgets.spectra.matched_filter import corrected_significance, matched_filter
from tests.spectra.synthetic import LSF, flux_for, spectrum


def test_finds_emission_absorption_and_blends() -> None:
    truth = [(4200.0, 2.6, 30.0), (4222.0, 3.0, 15.0), (4700.0, 25.0, 200.0), (5100.0, 4.0, -30.0)]
    found = find_lines(spectrum(truth, noise=0.2))
    assert len(found) == len(truth)
    for fit, (center, sigma, flux) in zip(found, truth, strict=True):
        assert abs(fit.center - center) < 5.0 * fit.center_err
        assert abs(fit.flux * 1e17 - flux) < 5.0 * fit.flux_err * 1e17
        assert abs(fit.sigma - sigma) < 5.0 * fit.sigma_err


def test_noise_gives_few_lines() -> None:
    """At most one false line in ten spectra, the purity one asks of a search over a thousand places."""
    rng = np.random.default_rng(2)
    grid = spectrum([]).wavelength
    count = sum(
        len(find_lines(Spectrum(grid, rng.normal(0, 0.3, grid.size), np.full(grid.size, 0.3), LSF))) for _ in range(100)
    )
    assert count <= 10


def test_complete_at_snr_8() -> None:
    found = 0
    for seed in range(60):
        lines = find_lines(spectrum([(4300.0 + 7 * seed, 2.6, flux_for(8.0, 2.6))], seed=seed))
        found += any(abs(each.center - 4300.0 - 7 * seed) < 5.0 for each in lines)
    assert found >= 57


def test_last_line_of_the_spectrum_is_found() -> None:
    """A scan that never closes its last run loses a line near the red end."""
    found = find_lines(spectrum([(5528.0, 2.6, flux_for(15.0, 2.6))]))
    assert any(abs(each.center - 5528.0) < 4.0 for each in found)


def test_uneven_grid() -> None:
    even = spectrum([(4500.0, 3.0, 40.0)])
    grid = np.geomspace(3600.0, 5500.0, 1800)
    flux = np.interp(grid, even.wavelength, even.flux)
    error = np.interp(grid, even.wavelength, even.error)
    found = find_lines(Spectrum(grid, flux, error))
    assert any(abs(each.center - 4500.0) < 1.5 for each in found)


def test_empty_and_masked_spectra() -> None:
    grid = spectrum([]).wavelength
    assert find_lines(Spectrum(grid, np.full(grid.size, np.nan))) == []
    assert find_lines(Spectrum(grid, np.zeros(grid.size), np.full(grid.size, 0.3))) == []
    assert strongest_line(Spectrum(grid, np.zeros(grid.size))) is None


def test_strongest_line_is_emission_outside_the_sky() -> None:
    fit = strongest_line(spectrum([(3545.0, 2.6, 200.0), (4400.0, 2.6, 40.0), (5000.0, 2.6, -80.0)]))
    assert fit is not None and abs(fit.center - 4400.0) < 2.0


def test_significance_is_the_chance_of_the_best_of_many() -> None:
    """Against the exact distribution of the largest of N independent Gaussians, of either sign."""
    rng = np.random.default_rng(3)
    largest = np.abs(rng.standard_normal((20000, 200))).max(axis=1)
    for snr in (3.0, 3.5, 4.0):
        measured = np.mean(largest > snr)
        assert stats.norm.sf(corrected_significance(snr, 200)) == pytest.approx(measured, rel=0.1)
    assert corrected_significance(100.0, 200) < 100.0


def test_filter_at_the_line_is_its_flux() -> None:
    quiet = spectrum([(4500.0, 4.0, 30.0)], noise=0.3, seed=None)
    area, area_err = matched_filter(quiet, 4.0)
    i = int(np.argmin(abs(quiet.wavelength - 4500.0)))
    assert area[i] == pytest.approx(30.0, rel=0.01)
    assert area_err[i] > 30.0 / (30.0 / flux_for(1.0, 4.0)) * 0.99
