"""The model that an identity asks for, on lines of known make."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.analysis import interpret, measure
from elixer_widgets.detection import Detection, Spectrum
from elixer_widgets.spectra.doublets import DoubletFit
from elixer_widgets.spectra.finding import find_lines
from elixer_widgets.spectra.fitting import LineFit, fit_line
from elixer_widgets.spectra.lines import LINES, observed_air
from elixer_widgets.spectra.models import alone, identity_curve, identity_model
from elixer_widgets.spectra.profiles import BroadNarrowFit

GRID = np.arange(3470.0, 5541.0, 2.0)
ERROR = 0.1


def spectrum(*lines: tuple[float, float, float], seed: int = 2) -> Spectrum:
    """Gaussians of (centre, σ, flux in 1e-17) on a flat continuum."""
    flux = np.full(GRID.size, 0.3) + np.random.default_rng(seed).normal(0.0, ERROR, GRID.size)
    for center, sigma, strength in lines:
        flux += strength / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((GRID - center) / sigma) ** 2)
    return Spectrum(GRID, flux, np.full(GRID.size, ERROR), lsf_sigma=2.3)


def model_of(data: Spectrum, wavelength: float, identity: str) -> DoubletFit | BroadNarrowFit | None:
    return identity_model(data, fit_line(data, wavelength), find_lines(data), identity)


def test_oii_is_a_doublet() -> None:
    z = 0.25
    places = [float(observed_air(LINES["OII"], z)) * each / LINES["OII"].vacuum for each in (3727.092, 3729.875)]
    found = model_of(spectrum((places[0], 2.5, 20.0), (places[1], 2.5, 27.0)), places[1], "OII")
    assert isinstance(found, DoubletFit)
    assert found.redshift == pytest.approx(z, abs=2e-4)
    assert found.flux * 1e17 == pytest.approx(47.0, abs=4 * found.flux_err * 1e17)


def test_a_broad_line_under_a_narrow_one() -> None:
    found = model_of(spectrum((4500.0, 3.0, 30.0), (4500.0, 25.0, 120.0)), 4500.0, "Lya")
    assert isinstance(found, BroadNarrowFit)
    assert found.broad_sigma == pytest.approx(25.0, abs=4 * found.broad_sigma_err)
    assert found.flux * 1e17 == pytest.approx(150.0, rel=0.1)


def test_one_gaussian_serves() -> None:
    plain = spectrum((4500.0, 3.0, 30.0))
    assert model_of(plain, 4500.0, "Lya") is None
    assert model_of(plain, 4500.0, "artifact") is None
    missing = LineFit(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    assert identity_model(plain, missing, [], "OII") is None


def test_neighbours_are_taken_off() -> None:
    data = spectrum((4500.0, 3.0, 30.0), (4520.0, 3.0, 30.0))
    lines = find_lines(data)
    rest = alone(data, fit_line(data, 4500.0), lines)
    there = (GRID > 4514) & (GRID < 4526)
    assert np.mean(rest.flux[there]) == pytest.approx(0.3, abs=0.2)
    assert np.max(rest.flux[(GRID > 4497) & (GRID < 4503)]) > 2.0


def test_on_demand_from_results() -> None:
    meaning = interpret(measure(Detection.from_spectrum(spectrum((4500.0, 3.0, 30.0)), 4500.0)), identity="Lya")
    m = meaning.measurements
    assert meaning.model is None
    assert abs(np.median(m.sampled.center) - m.line.center) < m.line.center_err
    value, error = m.asymmetry
    assert abs(value) < 4 * error


@pytest.mark.parametrize(
    ("identity", "lines"),
    [
        ("OII", ((4659.4, 2.5, 20.0), (4662.9, 2.5, 27.0), (4690.0, 3.0, 25.0))),
        ("Lya", ((4500.0, 3.0, 30.0), (4500.0, 25.0, 120.0), (4590.0, 3.0, 25.0))),
    ],
)
def test_the_curve_lies_on_the_data_with_the_neighbour_in_it(identity: str, lines: tuple) -> None:
    data = spectrum(*lines)
    found = find_lines(data)
    main = fit_line(data, lines[1][0])
    model = identity_model(data, main, found, identity)
    assert model is not None
    near = np.abs(GRID - main.center) < 90.0
    rest = (data.flux - identity_curve(model, main, found, GRID))[near] / ERROR
    assert np.mean(rest**2) == pytest.approx(1.0, abs=0.45)  # three errors of a mean of 90 squares
    assert np.mean((data.flux - model.model(GRID))[near] ** 2) / ERROR**2 > 2.0  # the neighbour is missed without
