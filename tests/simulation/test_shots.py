"""One observation: noise that matches its errors, light where it belongs, faults that show."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.simulation import optics, shots, spectra
from elixer_widgets.simulation.shots import Artifact, ShotPlan

PLAN = ShotPlan(20230214012, "none", "", "test", 200.0, 51.0, 12.0, 1.75, ("LL",), "412", "053", "043")
WAVE, FLUX = 4700.0, 300.0


@pytest.fixture(scope="module")
def place() -> tuple[float, float]:
    x, y = optics.amplifier_fibers("LL")
    return float(x[50] + 0.4), float(y[50] - 0.3)


@pytest.fixture(scope="module")
def observation(place: tuple[float, float]) -> shots.Observation:
    """A bright line at one place, a cosmic ray and a charge trap at others; the rest is empty."""
    source = spectra.Source("LAE", "Lya", 2.9, (spectra.Emission(WAVE, 1.0, FLUX),))
    faults = [Artifact("cosmic", "LL", 10, 2, 5000.0, 12.0), Artifact("chargetrap", "LL", 90, 1, 4200.0, 8.0)]
    return shots.observe(PLAN, [(source, *place)], faults, np.random.default_rng(3))


def _clean(observation: shots.Observation) -> np.ndarray:
    """Fibers that neither fault touches."""
    index = observation.fibers.fibidx
    return (np.abs(index - 10) > 3) & (np.abs(index - 90) > 6)


def test_calibrated_noise_matches_its_errors(observation: shots.Observation) -> None:
    """χ² per sample about the noiseless model is 1 within its statistical scatter."""
    fibers = observation.fibers
    keep = _clean(observation)[:, None] & (fibers.error > 0)
    pull = ((fibers.flux - fibers.model) / np.where(fibers.error > 0, fibers.error, 1.0))[keep]
    # A few per cent of the samples share a column with a neighbour, which hardly widens the scatter.
    assert np.mean(pull**2) == pytest.approx(1.0, abs=6 * np.sqrt(2 / pull.size))
    assert np.mean(pull) == pytest.approx(0.0, abs=6 / np.sqrt(pull.size))
    assert np.mean(np.abs(pull) > 3) == pytest.approx(0.0027, abs=0.0006)


def test_neighbouring_samples_are_independent(observation: shots.Observation) -> None:
    fibers = observation.fibers
    keep = _clean(observation)
    pull = (fibers.flux - fibers.model)[keep] / np.where(fibers.error[keep] > 0, fibers.error[keep], np.inf)
    assert abs(np.mean(pull[:, 1:] * pull[:, :-1])) < 0.02


def test_image_noise_matches_the_error_image(observation: shots.Observation) -> None:
    """Where no object is, the sky-subtracted image is noise of the stated σ."""
    for row in observation.image_rows:
        error, clean = row["error"], row["clean_image"]
        region = np.s_[300:420, 100:300]  # fibers 32 to 44, away from line and faults
        good = error[region] > 0
        pull = clean[region][good] / error[region][good]
        assert np.mean(pull**2) == pytest.approx(1.0, abs=6 * np.sqrt(2 / pull.size))


def test_masked_pixels_are_cosmic_rays_of_the_raw_image(observation: shots.Observation) -> None:
    row = observation.image_rows[0]
    masked = row["error"] < 0
    assert 50 < masked.sum() < 3000
    assert (row["error"][masked] == -1.0).all()
    raw = row["image"] - row["clean_image"]
    assert np.median(raw[masked]) > 100.0 > np.median(raw[~masked])


def test_sky_lines_are_in_the_raw_image_only(observation: shots.Observation) -> None:
    device, row = observation.detectors["LL"], observation.image_rows[1]
    fiber = 60
    column = int(np.interp(5460.7, device.wavelength[fiber], np.arange(1032)))
    trace = round(float(device.trace[fiber, column]))
    spot = np.s_[trace - 2 : trace + 3, column - 1 : column + 2]
    beside = np.s_[trace - 2 : trace + 3, column - 16 : column - 13]
    assert row["image"][spot].mean() > 3 * row["image"][beside].mean()
    assert abs(row["clean_image"][spot].mean()) < 4 * row["error"][spot].mean() / np.sqrt(15)


def test_line_stands_on_the_pixel_that_trace_and_wavelength_name(
    observation: shots.Observation, place: tuple[float, float]
) -> None:
    fibers = observation.fibers
    top = int(np.argmin(np.hypot(fibers.x - place[0], fibers.y - place[1])))
    rows = observation.fiber_rows[top]
    image = observation.image_rows[int(rows["expnum"]) - 1]["clean_image"]
    x0 = np.interp(WAVE, rows["wavelength"], np.arange(1032))
    y0 = np.interp(x0, np.arange(1032), rows["trace"])
    window = image[round(y0) - 4 : round(y0) + 5, round(x0) - 5 : round(x0) + 6]
    y, x = np.mgrid[round(y0) - 4 : round(y0) + 5, round(x0) - 5 : round(x0) + 6]
    assert (window * x).sum() / window.sum() == pytest.approx(x0, abs=0.25)
    assert (window * y).sum() / window.sum() == pytest.approx(y0, abs=0.4)


def test_fibers_together_catch_their_share_of_the_line(
    observation: shots.Observation, place: tuple[float, float]
) -> None:
    fibers = observation.fibers
    distance = np.hypot(fibers.x - place[0], fibers.y - place[1])
    near = distance < 3.0
    window = np.abs(shots.GRID - WAVE) < 12.0
    total = fibers.flux[np.ix_(near, window)].sum()
    noise = np.sqrt((fibers.error[np.ix_(near, window)] ** 2).sum())
    expected = FLUX * optics.fiber_fraction(distance[near], PLAN.fwhm).sum()
    assert total == pytest.approx(expected, abs=5 * noise)
    assert noise < 0.1 * expected


def test_cosmic_ray_is_in_one_exposure_and_spoils_the_fiber_profile(observation: shots.Observation) -> None:
    fibers = observation.fibers
    column = int(np.interp(5000.0, observation.detectors["LL"].wavelength[10], np.arange(1032)))
    worst = {
        exposure: float(
            fibers.chi2[(fibers.fibidx == 10) & (fibers.expnum == exposure)][0, column - 3 : column + 4].max()
        )
        for exposure in (1, 2, 3)
    }
    assert worst[2] > 5.0 > max(worst[1], worst[3])


def test_charge_trap_is_a_column_in_all_exposures_and_in_the_flat(observation: shots.Observation) -> None:
    device = observation.detectors["LL"]
    column = round(float(np.interp(4200.0, device.wavelength[90], np.arange(1032))))
    row = round(float(device.trace[90, column]))
    rows = np.s_[row - 15 : row + 20]
    for image in observation.image_rows:
        hot = image["clean_image"][rows, column].mean()
        aside = image["clean_image"][rows, column - 8 : column - 3].mean()
        assert hot > aside + 2.0
    flat = observation.flats["LL"]
    assert np.median(flat[rows, column]) < 0.7 < 0.95 < np.median(flat[rows, column + 5])


def test_masked_samples_have_zero_error_and_flux(observation: shots.Observation) -> None:
    fibers = observation.fibers
    masked = fibers.error == 0
    assert 0 < masked.sum() < 0.01 * masked.size
    assert (fibers.flux[masked] == 0).all()
    assert (observation.fiber_rows["calfibe"][masked] == 0).all()
