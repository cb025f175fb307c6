"""The blind search against spectra whose lines are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import find_lines, main_line, strongest_line
from elixer_widgets.spectra.fitting import NO_FLUX
from elixer_widgets.spectra.matched_filter import FILTER_WIDTHS, corrected_significance, matched_filter, noise_scale
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


@pytest.mark.parametrize("factor", [1.3, 2.0])
def test_errors_that_are_too_small_do_not_make_lines_of_noise(factor: float) -> None:
    """Without regard to the scatter of the data, errors too small by 2 make some fifteen lines a spectrum."""
    rng = np.random.default_rng(31)
    grid = spectrum([]).wavelength
    count = sum(
        len(find_lines(Spectrum(grid, rng.normal(0, 0.3 * factor, grid.size), np.full(grid.size, 0.3), LSF)))
        for _ in range(20)
    )
    assert count <= 20 * 2.5 * (factor - 1.0)


def test_noise_is_measured_where_it_is_and_lines_are_not_taken_for_noise() -> None:
    """Errors right in the blue and too small by 2 in the red; twelve real lines."""
    rng = np.random.default_rng(32)
    truth = [(3600.0 + 80.0 * i, 3.0, flux_for(12.0, 3.0)) for i in range(12)]
    clean = spectrum(truth, seed=None)
    noise = np.where(clean.wavelength < 4600.0, 0.3, 0.6)
    lines = find_lines(Spectrum(clean.wavelength, clean.flux + rng.normal(0.0, noise), clean.error, LSF))
    blue = [each for each in lines if each.center < 4200.0]  # farther from the noise than the window reaches
    red = [each for each in lines if each.center > 4700.0]
    assert sum(any(abs(each.center - place) < 5.0 for each in lines) for place, _, _ in truth) == 12
    assert not any("noise here" in flag for each in blue for flag in each.flags)
    assert all(any("noise here" in flag for flag in each.flags) for each in red)


def test_noise_scale_is_the_scatter() -> None:
    rng = np.random.default_rng(33)
    wavelength = np.arange(3470.0, 5540.0, 2.0)
    snr = np.repeat(rng.normal(0.0, 1.6, (1, wavelength.size)), len(FILTER_WIDTHS), axis=0)
    everywhere = np.ones(wavelength.size, bool)
    assert noise_scale(snr, wavelength, everywhere, 4500.0, 3.0) == pytest.approx(1.6, rel=0.15)
    assert noise_scale(0.5 * snr, wavelength, everywhere, 4500.0, 3.0) == 1.0
    assert noise_scale(snr, wavelength, wavelength < 3480.0, 3475.0, 3.0) == 1.0


def test_filter_is_the_same_on_an_uneven_grid() -> None:
    """Signal to noise of a line does not depend on how its samples are spaced; here against the even grid's formula."""
    rng = np.random.default_rng(34)
    grid = np.sort(rng.uniform(3600.0, 5400.0, 1800))
    grid = grid[np.append(True, np.diff(grid) > 1e-3)]
    flux = 40.0 * np.exp(-0.5 * ((grid - 4500.0) / 6.0) ** 2) / (6.0 * np.sqrt(2.0 * np.pi))
    area, area_err = matched_filter(Spectrum(grid, flux, np.full(grid.size, 0.2), LSF), 6.0)
    at = int(np.argmin(abs(grid - 4500.0)))
    near = np.abs(grid - 4500.0) <= 28.0
    g = np.exp(-0.5 * ((grid[near] - 4500.0) / 6.0) ** 2) / (6.0 * np.sqrt(2.0 * np.pi))
    base = np.stack([g, np.ones_like(g)])
    assert area[at] == pytest.approx(40.0, rel=0.03)
    assert area_err[at] == pytest.approx(0.2 * np.sqrt(np.linalg.inv(base @ base.T)[0, 0]), rel=0.1)


@st.composite
def _extreme(draw: st.DrawFn) -> Spectrum:
    """Spectra that no instrument delivers, but some file will."""
    n = draw(st.sampled_from([2, 3, 7, 40, 300]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    spacing = draw(st.sampled_from([2.0, 1e-3, 300.0]))
    wavelength = 3470.0 + spacing * (np.arange(n) if draw(st.booleans()) else np.cumsum(rng.uniform(0.1, 3.0, n)))
    shapes = {
        "empty": np.full(n, np.nan),
        "constant": np.full(n, draw(st.sampled_from([0.0, 1.0, -1e30, 1e-30]))),
        "step": np.where(np.arange(n) < n // 2, 0.0, draw(st.sampled_from([1.0, 1e12]))),
        "spike": np.where(np.arange(n) == n // 2, 1e15, 1.0),
        "range": 10.0 ** rng.uniform(-30.0, 20.0, n),
        "noise": rng.normal(0.0, 1.0, n),
    }
    flux = shapes[draw(st.sampled_from(sorted(shapes)))].copy()
    flux[rng.random(n) < draw(st.sampled_from([0.0, 0.5]))] = np.nan
    errors = {
        "none": None,
        "nan": np.full(n, np.nan),
        "masked": np.zeros(n),
        "one": np.ones(n),
        "tiny": np.full(n, 1e-20),
        "range": 10.0 ** rng.uniform(-15.0, 15.0, n),
        "holes": np.where(rng.random(n) < 0.5, np.nan, 1.0),
        "infinite": np.where(rng.random(n) < 0.5, np.inf, 1.0),
    }
    return Spectrum(
        wavelength, flux, errors[draw(st.sampled_from(sorted(errors)))], draw(st.sampled_from([np.nan, 2.3]))
    )


@pytest.mark.filterwarnings("error")
@settings(max_examples=150, deadline=None)
@given(_extreme())
def test_no_spectrum_raises_or_warns(poor: Spectrum) -> None:
    for each in find_lines(poor):
        assert np.isfinite([each.center, each.sigma, each.snr, each.significance]).all()
        assert np.isfinite(each.flux) or NO_FLUX in each.flags
        assert poor.wavelength[0] <= each.center <= poor.wavelength[-1]


def test_listed_emission_is_not_taken_for_the_bend_beside_it() -> None:
    """A faint line at the foot of a break in a bright continuum: the broad trough beside it is the stronger one."""
    rng = np.random.default_rng(5)
    wavelength = np.arange(3470.0, 5542.0, 2.0)
    level = 50.0 * (1.0 + 0.5 / (1.0 + np.exp(-(wavelength - 4450.0) / 60.0)))
    error = 0.01 * level
    true = 75.0  # 1e-17 erg/s/cm²
    line = true * np.exp(-0.5 * ((wavelength - 4124.0) / 2.9) ** 2) / (2.9 * np.sqrt(2.0 * np.pi))
    trough = -60.0 * np.exp(-0.5 * ((wavelength - 4136.0) / 50.0) ** 2) / 4.0
    flux = level + trough + line + error * rng.standard_normal(wavelength.size)
    spectrum = Spectrum(wavelength, flux, error)
    lines = find_lines(spectrum)
    free, listed = main_line(spectrum, 4124.0, lines), main_line(spectrum, 4124.0, lines, emission=True)
    assert free.is_absorption  # else this tests nothing
    assert abs(listed.center - 4124.0) < 1.0
    assert listed.flux * 1e17 == pytest.approx(true, rel=0.3)
