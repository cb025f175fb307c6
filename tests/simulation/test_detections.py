"""The pipeline-like detection step on lines of known flux."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.simulation import detections, optics, shots, sky, spectra
from elixer_widgets.simulation.shots import ShotPlan

PLAN = ShotPlan(20230214012, "none", "", "test", 200.0, 51.0, 12.0, 1.75, ("LL",), "412", "053", "043")
WAVES = np.linspace(3700.0, 5300.0, 9)


@pytest.fixture(scope="module")
def crowd() -> tuple[shots.Observation, list[tuple[float, float]], np.ndarray]:
    """Ten places with nine point-like lines each, all at a signal-to-noise of about 9."""
    rng = np.random.default_rng(8)
    x, y = optics.amplifier_fibers("LL")
    places = []
    # Every place lies 1.2 arcsec or more inside the rim of the amplifier and 5 arcsec from the others.
    inner = (np.abs(y - y.mean()) < 3.5) & (np.abs(x) < 22)
    for index in np.flatnonzero(inner):
        place = (float(x[index] + rng.normal(0, 0.5)), float(y[index] + rng.normal(0, 0.5)))
        if all(np.hypot(place[0] - a, place[1] - b) > 5.0 for a, b in places):
            places.append(place)
    fluxes = 9.0 * sky.line_flux_error(WAVES, optics.LSF_SIGMA)
    sources = [
        (
            spectra.Source(
                "LAE",
                "Lya",
                2.0,
                tuple(spectra.Emission(float(w), 0.3, float(f)) for w, f in zip(WAVES, fluxes, strict=True)),
            ),
            *place,
        )
        for place in places
    ]
    return shots.observe(PLAN, sources, [], rng), places, fluxes


def test_flux_and_its_error_are_right_at_the_true_position(crowd: tuple) -> None:
    """Pulls of fitted flux and wavelength have mean 0 and scatter 1."""
    observation, places, fluxes = crowd
    flux_pull, wave_pull = [], []
    for x, y in places:
        found = detections.extract(observation.fibers, x, y, PLAN.fwhm)
        for wave, flux in zip(WAVES, fluxes, strict=True):
            line = detections.fit(found, float(wave), optics.LSF_SIGMA)
            flux_pull.append((line.flux - flux) / line.flux_err)
            wave_pull.append((line.wave - wave) / line.wave_err)
    count = len(flux_pull)
    assert count >= 50
    for pull in (np.array(flux_pull), np.array(wave_pull)):
        assert np.mean(pull) == pytest.approx(0.0, abs=4 / np.sqrt(count))
        assert np.std(pull) == pytest.approx(1.0, abs=4 / np.sqrt(2 * count))


def test_noise_of_a_detection_is_the_usual_one(crowd: tuple) -> None:
    """Off the sky lines the error spectrum follows the curve that the survey is known for, within a fifth."""
    observation, places, _ = crowd
    ratios = [
        np.median(
            (detections.extract(observation.fibers, x, y, PLAN.fwhm).error / optics.detection_noise(shots.GRID))[
                100:900
            ]
        )
        for x, y in places
    ]
    assert 0.8 < np.median(ratios) < 1.25


def test_positions_are_found_to_a_fraction_of_the_seeing(crowd: tuple) -> None:
    observation, places, _ = crowd
    offsets = []
    for x, y in places:
        for wave in WAVES[::2]:
            px, py = detections.find_position(observation.fibers, x, y, float(wave), optics.LSF_SIGMA, PLAN.fwhm)
            offsets.append(np.hypot(px - x, py - y))
    # σ of a centroid is about FWHM/2.35/SN an axis, with gaps between fibers somewhat more.
    assert 0.05 < np.median(offsets) < 0.4
    assert np.max(offsets) <= 1.21


def test_noise_peaks_are_significant_and_apart_from_light(crowd: tuple) -> None:
    observation, places, _ = crowd
    peaks = detections.noise_peaks(observation, 3, np.array(places))
    assert len(peaks) == 3
    for x, y, wave in peaks:
        assert min(np.hypot(x - a, y - b) for a, b in places) > 4.0
        found = detections.detect(observation, x, y, wave, optics.LSF_SIGMA)
        assert found.sn > 3.0


def test_rows_name_the_fiber_with_the_highest_weight(crowd: tuple) -> None:
    observation, places, _ = crowd
    found = detections.detect(observation, *places[0], float(WAVES[4]), optics.LSF_SIGMA)
    row, fibers, spectrum = detections.table_rows(observation, found, 5000000001)
    assert row["fiber_id"][0] == fibers["fiber_id"][0]
    assert (np.diff(fibers["weight"]) <= 1e-7).all()
    assert fibers["weight"].sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(
        spectrum["spec1d_nc"][0], spectrum["spec1d"][0] * spectrum["apcor"][0], rtol=1e-4, atol=1e-5
    )
    assert fibers["distance"].max() < detections.APERTURE
