"""Continuum estimates against spectra of known magnitude."""

import numpy as np
import pytest

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import fit_line, g_magnitude, narrow_continuum, wide_continuum
from elixer_widgets.spectra.continuum import _g_curve, ab_magnitude, flux_density, g_response
from elixer_widgets.spectra.wavelengths import hetdex_grid
from tests.spectra.synthetic import spectrum

GRID = hetdex_grid()


def _flat(magnitude: float, noise: float, seed: int | None = None) -> Spectrum:
    flux = np.array([flux_density(magnitude, each) for each in GRID])
    if seed is not None:
        flux = flux + np.random.default_rng(seed).normal(0, noise, GRID.size)
    return Spectrum(GRID, flux, np.full(GRID.size, noise))


def test_ab_zero_point() -> None:
    # 3631 Jy, 1 Jy = 1e-23 erg/s/cm²/Hz, is magnitude 0
    f_lambda = 3631e-23 * 2.99792458e18 / 5000.0**2
    assert ab_magnitude(f_lambda * 1e17, 5000.0) == pytest.approx(0.0, abs=0.001)
    assert ab_magnitude(flux_density(22.3, 4700.0), 4700.0) == pytest.approx(22.3)


@pytest.mark.parametrize("magnitude", [18.0, 22.0])
def test_flat_spectrum_has_its_magnitude(magnitude: float) -> None:
    measured = g_magnitude(_flat(magnitude, 0.02))
    assert measured.value == pytest.approx(magnitude, abs=0.002) and not measured.is_limit
    wide = wide_continuum(_flat(magnitude, 0.02), 4000.0)
    assert wide.value == pytest.approx(flux_density(magnitude, 4000.0), rel=0.002)


def test_error_is_the_scatter() -> None:
    values = [g_magnitude(_flat(23.0, 0.3, seed)) for seed in range(200)]
    assert np.std([each.value for each in values]) == pytest.approx(np.mean([each.error for each in values]), rel=0.15)


def test_nothing_is_a_limit() -> None:
    dark = Spectrum(GRID, np.zeros(GRID.size), np.full(GRID.size, 0.3))
    measured = g_magnitude(dark)
    assert measured.is_limit and measured.limit_sigma == 2.0
    assert g_magnitude(dark, depth=24.0).value == pytest.approx(24.0)
    wide = wide_continuum(dark)
    assert wide.is_limit and wide.value == pytest.approx(2.0 * wide.error)


def test_lines_are_left_out_of_the_continuum() -> None:
    bright = spectrum([(4700.0, 10.0, 500.0)], noise=0.01, continuum=0.2)
    line = fit_line(bright, 4700.0)
    assert wide_continuum(bright, lines=(line,)).value == pytest.approx(0.2, rel=0.15)
    assert wide_continuum(bright).value > 0.35


def test_uncovered_band_is_not_measured() -> None:
    red = Spectrum(np.arange(5400.0, 7000.0, 2.0), np.ones(800), np.ones(800))
    assert np.isnan(g_magnitude(red).value) and np.isnan(wide_continuum(red).value)


def test_narrow_continuum() -> None:
    noisy = spectrum([(4500.0, 3.0, 40.0)], continuum=1.0)
    narrow = narrow_continuum(noisy, fit_line(noisy, 4500.0))
    assert narrow.value == pytest.approx(1.0, abs=4 * narrow.error) and not narrow.is_limit
    dark = spectrum([(4500.0, 3.0, 40.0)], continuum=0.0, seed=None)
    limit = narrow_continuum(dark, fit_line(dark, 4500.0))
    assert limit.is_limit and limit.value == pytest.approx(2.0 * limit.error)


def _true_g(slope: float) -> float:
    """speclite's own magnitude of f_λ = 1e-17 (λ / 4700 Å)^slope over the whole band."""
    units = pytest.importorskip("astropy.units")
    filters = pytest.importorskip("speclite.filters")
    wide = np.arange(3000.0, 6500.0, 1.0)
    flux = 1e-17 * (wide / 4700.0) ** slope * units.erg / (units.s * units.cm**2 * units.AA)
    table = filters.load_filters("sdss2010-g").get_ab_magnitudes(flux, wide * units.AA)
    return float(table["sdss2010-g"][0])


SLOPES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("missing", [(0.0, 0.0), (3470.0, 4000.0), (4300.0, 4700.0), (5200.0, 5540.0)])
def test_g_agrees_with_speclite(slope: float, missing: tuple[float, float]) -> None:
    """With the whole band, and with a part of it masked: the rest is filled in with the spectrum's own slope."""
    error = np.where((missing[0] < GRID) & (missing[1] > GRID), 0.0, 0.001)
    measured = g_magnitude(Spectrum(GRID, (GRID / 4700.0) ** slope, error))
    assert measured.value == pytest.approx(_true_g(slope), abs=0.005)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("wavelength", [3600.0, 5400.0])
def test_color_term_takes_the_band_to_the_line(slope: float, wavelength: float) -> None:
    wide = wide_continuum(Spectrum(GRID, (GRID / 4700.0) ** slope, np.full(GRID.size, 0.001)), wavelength)
    assert wide.value == pytest.approx((wavelength / 4700.0) ** slope, rel=0.01)


def test_unknown_slope_is_in_the_error() -> None:
    """Faint continua of slopes spread as supposed: at either end of the spectrum, 68 % within the error."""
    rng = np.random.default_rng(21)
    pulls = []
    for i in range(300):
        place = (3600.0, 5450.0)[i % 2]
        slope = rng.normal(-1.5, 0.7)
        flux = 0.3 * (GRID / 4726.0) ** slope
        wide = wide_continuum(Spectrum(GRID, flux + rng.normal(0, 0.6, GRID.size), np.full(GRID.size, 0.6)), place)
        pulls.append((wide.value - 0.3 * (place / 4726.0) ** slope) / wide.error)
    assert not np.any(np.isnan(pulls))
    assert abs(np.mean(pulls)) < 0.2
    # The error allows for shapes that are no power laws, so that these scatter by somewhat less than it
    assert 0.75 < np.std(pulls) < 1.1


def test_filter_is_read_once() -> None:
    g_response(GRID)
    before = _g_curve.cache_info().misses
    g_response(GRID)
    g_magnitude(_flat(22.0, 0.02))
    assert _g_curve.cache_info().misses == before == 1


def test_correlated_noise_widens_the_error() -> None:
    """Noise smoothed over three samples: the error of g is its real scatter."""
    rng = np.random.default_rng(12)
    level = np.array([flux_density(22.5, each) for each in GRID])
    values, errors = [], []
    for _ in range(200):
        white = rng.normal(0, 0.3, GRID.size + 2)
        noise = (white[:-2] + white[1:-1] + white[2:]) / np.sqrt(3.0)
        measured = g_magnitude(Spectrum(GRID, level + noise, np.full(GRID.size, 0.3)))
        values.append(measured.value)
        errors.append(measured.error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_narrow_error_covers_correlated_noise() -> None:
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(120):
        white = rng.normal(0, 0.3, GRID.size + 2)
        noise = (white[:-2] + white[1:-1] + white[2:]) / np.sqrt(3.0)
        line = 30.0 / (2.6 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((GRID - 4500.0) / 2.6) ** 2)
        noisy = Spectrum(GRID, 1.0 + line + noise, np.full(GRID.size, 0.3))
        narrow = narrow_continuum(noisy, fit_line(noisy, 4500.0))
        pulls.append((narrow.value - 1.0) / narrow.error)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.2)
    assert abs(np.mean(pulls)) < 0.3
