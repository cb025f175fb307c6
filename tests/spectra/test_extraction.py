"""Spectra of a part of the fibers keep the flux of a point source."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.detection import Fiber, FiberField, Spectrum
from elixer_widgets.spectra.extraction import continuum_in_field, fiber_fluxes, line_in_field, without_fibers
from elixer_widgets.spectra.fitting import LineFit, fit_line
from tests.factories import DEC, LINE, RA, make_fiber_field

GRID = np.arange(4300.0, 4701.0, 2.0)
WEIGHTS = (0.35, 0.25, 0.2, 0.12, 0.08)
FLUX = 2e-16
NOISE = 0.02


def line(flux: float) -> np.ndarray:
    return flux * 1e17 / (2.8 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((GRID - 4500.0) / 2.8) ** 2)


@pytest.fixture
def observed() -> tuple[Spectrum, tuple[Fiber, ...], tuple[Spectrum, ...]]:
    """A point source whose fibers hold the fractions WEIGHTS of its light, and its extracted spectrum."""
    rng = np.random.default_rng(8)
    fibers = tuple(Fiber(f"f{i}", 0.0, 0.0, weight, expnum=1 + i % 3) for i, weight in enumerate(WEIGHTS))
    error = np.full(GRID.size, NOISE)
    spectra = tuple(Spectrum(GRID, line(FLUX * weight) + rng.normal(0.0, error), error) for weight in WEIGHTS)
    square = sum(weight**2 for weight in WEIGHTS)
    total = sum(weight * np.asarray(each.flux) for weight, each in zip(WEIGHTS, spectra, strict=True)) / square
    return Spectrum(GRID, total, error / np.sqrt(square), lsf_sigma=2.3), fibers, spectra


def test_flux_survives_the_loss_of_a_fiber(observed) -> None:
    whole, fibers, spectra = observed
    for gone in ({"f0"}, {"f4"}, {"f1", "f2"}):
        part = without_fibers(whole, fibers, spectra, gone)
        assert part is not None
        fit = fit_line(part, 4500.0)
        assert abs(fit.flux - FLUX) < 4 * fit.flux_err
        kept = sum(weight**2 for fiber, weight in zip(fibers, WEIGHTS, strict=True) if fiber.fiber_id not in gone)
        np.testing.assert_allclose(part.error, NOISE / np.sqrt(kept), rtol=1e-6)


def test_all_fibers_give_the_spectrum_back(observed) -> None:
    whole, fibers, spectra = observed
    same = without_fibers(whole, fibers, spectra, ())
    np.testing.assert_allclose(same.flux, whole.flux, rtol=1e-6, atol=1e-9)


def test_nothing_left(observed) -> None:
    whole, fibers, spectra = observed
    assert without_fibers(whole, fibers, spectra, {fiber.fiber_id for fiber in fibers}) is None
    assert without_fibers(whole, fibers, (None,) * len(fibers), ()) is None


def test_a_fiber_with_a_gap_leaves_the_others(observed) -> None:
    whole, fibers, spectra = observed
    flux = np.array(spectra[0].flux)
    flux[90:110] = np.nan
    part = without_fibers(whole, fibers, (Spectrum(GRID, flux, spectra[0].error), *spectra[1:]), {"f4"})
    assert np.all(np.isfinite(part.flux))
    assert part.error[100] > part.error[50]


def test_the_line_in_each_fiber(observed) -> None:
    whole, fibers, spectra = observed
    fluxes = fiber_fluxes(fibers, (None, *spectra[1:]), fit_line(whole, 4500.0))
    assert [each.fiber_id for each in fluxes] == ["f1", "f2", "f3", "f4"]
    for each in fluxes:
        assert abs(each.flux - FLUX * each.weight) < 4 * each.flux_err


def test_the_line_in_every_fiber_around() -> None:
    field = make_fiber_field()
    line = LineFit(center=LINE, sigma=2.6, flux=1e-16, continuum=0.0, snr=20.0, chi2=1.0)
    flux, error = line_in_field(field, line)
    east = (field.ra - RA) * np.cos(np.radians(DEC)) * 3600.0
    received = 8.0 * np.exp(-0.5 * (east**2 + ((field.dec - DEC) * 3600.0) ** 2) / 0.68**2)
    pull = (flux * 1e17 - received) / (error * 1e17)
    assert abs(pull.mean()) < 0.3
    assert 0.8 < pull.std() < 1.2
    white, white_err = continuum_in_field(field)
    expected = received * 2.0 / (1036 * 2.0)  # the line's flux spread over the whole range
    assert np.std((white - expected) / white_err) == pytest.approx(1.0, abs=0.2)


def test_a_field_without_fibers_or_line() -> None:
    line = LineFit(center=LINE, sigma=2.6, flux=1e-16, continuum=0.0, snr=20.0, chi2=1.0)
    assert line_in_field(FiberField(), line)[0].size == 0
    assert continuum_in_field(FiberField())[0].size == 0
    missing = LineFit(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    assert np.isnan(line_in_field(make_fiber_field(), missing)[0]).all()
