"""Broad on narrow, and skewed lines, against lines made so."""

import numpy as np
import pytest

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import fit_line
from elixer_widgets.spectra.profiles import fit_broad_narrow, line_asymmetry
from tests.spectra.synthetic import LSF, flux_for, spectrum


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("narrow", "broad"), [(2.6, 12.0), (4.0, 25.0)])
def test_noiseless_components_come_back(narrow: float, broad: float, sign: float) -> None:
    quiet = spectrum([(4500.3, narrow, sign * 40.0), (4500.3, broad, sign * 120.0)], noise=0.01, seed=None)
    fit = fit_broad_narrow(quiet, 4500.0)
    assert fit.center == pytest.approx(4500.3, abs=0.01)
    assert (fit.narrow_sigma, fit.broad_sigma) == pytest.approx((narrow, broad), rel=0.01)
    assert (fit.narrow_flux, fit.broad_flux) == pytest.approx((sign * 40e-17, sign * 120e-17), rel=0.02)
    assert fit.is_wanted and fit.flux == pytest.approx(sign * 160e-17, rel=0.01)
    near = np.abs(quiet.wavelength - 4500.3) < 60.0
    np.testing.assert_allclose(fit.model(quiet.wavelength)[near], quiet.flux[near], atol=0.02 * np.ptp(quiet.flux))


def test_a_shifted_broad_line_is_found_where_it_is() -> None:
    quiet = spectrum([(4500.0, 3.0, 40.0), (4504.0, 15.0, 120.0)], noise=0.05, seed=None)
    fit = fit_broad_narrow(quiet, 4500.0, free_center=True)
    assert fit.shift == pytest.approx(4.0, abs=0.2)
    held = fit_broad_narrow(quiet, 4500.0)
    assert held.shift == 0.0 and np.isnan(held.shift_err) and held.gain < fit.gain


def test_errors_of_the_components_cover_the_truth() -> None:
    pulls = []
    for seed in range(150):
        fit = fit_broad_narrow(spectrum([(4500.3, 3.0, 40.0), (4500.3, 15.0, 120.0)], seed=seed), 4500.0)
        assert fit.is_wanted
        pulls.append(
            [
                (fit.narrow_flux - 40e-17) / fit.narrow_flux_err,
                (fit.broad_flux - 120e-17) / fit.broad_flux_err,
                (fit.broad_sigma - 15.0) / fit.broad_sigma_err,
                (fit.center - 4500.3) / fit.center_err,
            ]
        )
    # four errors of a mean, and of a standard deviation, of 150
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.33)
    assert np.all(np.abs(np.std(pulls, axis=0) - 1.0) < 0.24)


def test_single_gaussians_want_no_second() -> None:
    rng = np.random.default_rng(31)
    wanted = 0
    for seed in range(150):
        sigma, snr = rng.uniform(2.4, 15.0), rng.uniform(6.0, 60.0)
        wanted += fit_broad_narrow(spectrum([(4500.3, sigma, flux_for(snr, sigma))], seed=seed), 4500.0).is_wanted
    assert wanted <= 1


def test_two_lines_apart_are_no_narrow_line_on_a_broad_one() -> None:
    apart = spectrum([(4751.1, 3.0, 90.0), (4763.3, 3.0, 90.0)], noise=0.1)
    fit = fit_broad_narrow(apart, 4751.1)
    assert not fit.is_wanted


def test_nothing_to_fit_is_said() -> None:
    grid = spectrum([]).wavelength
    blank = Spectrum(grid, np.full(grid.size, np.nan), None, LSF)
    fit = fit_broad_narrow(blank, 4500.0)
    assert np.isnan(fit.flux) and not fit.is_wanted and fit.flags == ("too few samples to fit",)
    assert np.all(np.isnan(line_asymmetry(blank, fit_line(blank, 4500.0))))


@pytest.mark.parametrize("h3", [-0.08, 0.0, 0.05])
def test_gauss_hermite_line_gives_its_coefficient(h3: float) -> None:
    wave = spectrum([]).wavelength
    t = (wave - 4500.4) / 3.5
    flux = 0.1 + 20.0 * np.exp(-0.5 * t * t) * (1.0 + h3 * (2.0 * t**3 - 3.0 * t) / np.sqrt(3.0))
    skewed = Spectrum(wave, flux, np.full(wave.size, 0.01), LSF)
    value, error = line_asymmetry(skewed, fit_line(skewed, 4500.0))
    assert value == pytest.approx(h3, abs=0.004)
    assert 0.0 < error < 0.004


def test_error_of_the_asymmetry_is_its_scatter() -> None:
    pulls = []
    for seed in range(300):
        noisy = spectrum([(4500.3, 3.0, flux_for(20.0, 3.0))], seed=seed)
        value, error = line_asymmetry(noisy, fit_line(noisy, 4500.0))
        pulls.append(value / error)
    assert abs(np.mean(pulls)) < 0.23
    assert np.std(pulls) == pytest.approx(1.0, abs=0.17)
