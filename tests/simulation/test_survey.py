"""The survey in memory: its mix, its noise, its selection, and that it can be measured."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest

import elixer_widgets as ew
from elixer_widgets.simulation import survey, survey_population
from elixer_widgets.simulation.shots import GRID
from elixer_widgets.simulation.survey_fibers import lay_out, light, observe, template


@pytest.fixture(scope="module")
def sample() -> list:
    return list(survey.simulate_survey(300, 11))


def test_one_seed_gives_one_survey_and_another_gives_another(sample: list) -> None:
    again = list(survey.simulate_survey(300, 11))
    assert [truth for _, truth in again[:40]] == [truth for _, truth in sample[:40]]
    assert np.array_equal(again[7][0].spectrum.flux, sample[7][0].spectrum.flux)
    other = next(iter(survey.simulate_survey(300, 12)))
    assert not np.array_equal(other[0].spectrum.flux, sample[0][0].spectrum.flux)


def test_every_kind_has_its_share(sample: list) -> None:
    mix = survey.mixture()
    assert sum(mix.values()) == pytest.approx(1.0)
    counts = Counter("star" if t.kind == "whitedwarf" else t.kind for _, t in sample)
    for kind, share in mix.items():
        spread = np.sqrt(300 * share * (1 - share))
        assert abs(counts[kind] - 300 * share) < 4.5 * spread, kind


def test_what_was_asked_for_is_what_comes() -> None:
    found = [truth for _, truth in survey.simulate_survey(6, 3, shares={"AGN": 1.0}, imaging=False)]
    assert {truth.kind for truth in found} == {"AGN"}
    assert {truth.survey for truth in found} == {"none"}
    with pytest.raises(ValueError, match="quasar"):
        next(survey.simulate_survey(1, 1, shares={"quasar": 1.0}))
    with pytest.raises(ValueError, match="-1"):
        next(survey.simulate_survey(-1, 1))


def test_counts_are_within_a_factor_of_two_of_the_public_catalogue() -> None:
    # Mentuch Cooper et al. 2023, ApJ 943, 177, abstract: 51,863 Lyα emitters and 123,891 [O II] galaxies in 25 square
    # degrees, above S/N 5.5. Ours are those of other luminosity functions under a simplified noise.
    rng = np.random.default_rng(5)
    emitters = survey_population.detected("LAE", 100_000, rng)
    galaxies = survey_population.detected("galaxy", 300_000, rng)
    lya = np.sum(emitters.sn > 5.5) / emitters.area
    oii = np.sum((galaxies.sn > 5.5) & (galaxies.name == "OII")) / galaxies.area
    assert 0.4 < lya / (51_863 / 25) < 2.5
    assert 0.4 < oii / (123_891 / 25) < 2.5


def test_selection_makes_faint_fluxes_too_high_and_lets_none_through_below() -> None:
    lines = survey_population.draw("LAE", 20_000, np.random.default_rng(6))
    assert lines.sn.min() >= survey_population.MINIMUM_SN
    near = lines.deviate[lines.sn < 5.2]
    # Without selection the mean deviate is 0 ± 0.015
    assert near.mean() > 0.15
    # Far above the limit by their true flux, nothing is selected
    expected = lines.sn * lines.error_factor - lines.deviate
    assert abs(lines.deviate[expected > 9.0].mean()) < 4.0 / np.sqrt(np.sum(expected > 9.0))


def test_lyman_alpha_equivalent_widths_are_those_drawn(sample: list) -> None:
    # An exponential of scale 20.3 (1 + z), 66 Å at the median z of 2.3, with scatter: its median is 0.69 of that
    width = np.array([t.ew_rest for _, t in survey.simulate_survey(150, 4, shares={"LAE": 1.0}, imaging=False)])
    assert 35.0 < np.median(width) < 65.0
    oii = np.array([t.ew_rest for _, t in sample if t.identity == "OII"])
    assert 7.0 < np.median(oii) < 20.0


def test_noise_has_the_reported_errors() -> None:
    rng = np.random.default_rng(8)
    pulls = []
    for _ in range(40):
        layout = lay_out(1.7, rng)
        dark = np.zeros((layout.weights.size, GRID.size))
        seen = observe(layout, dark, (4500.0, 3.0), None, 1.0, 1.0, rng)
        # The sky's residual is smooth: differences of neighbouring samples are free of it
        pulls.append(np.diff(seen.flux) / np.hypot(seen.error[1:], seen.error[:-1]))
    assert np.std(pulls) == pytest.approx(1.0, abs=0.02)


def test_noise_that_was_selected_has_the_asked_for_significance() -> None:
    rng = np.random.default_rng(9)
    found = []
    for _ in range(60):
        layout = lay_out(1.7, rng)
        dark = np.zeros((layout.weights.size, GRID.size))
        seen = observe(layout, dark, (4700.0, 2.5), 6.0, 1.0, 1.0, rng)
        matched = template(4700.0, 2.5) / seen.error
        found.append(float((seen.flux / seen.error) @ matched / np.sqrt((matched**2).sum())))
    # Only the sky's residual moves it: 0.03 a sample against an error of 0.19, over some 4 independent samples
    assert np.mean(found) == pytest.approx(6.0, abs=0.25)
    assert np.std(found) < 0.6


def test_a_point_source_keeps_its_flux_through_the_fibers() -> None:
    rng = np.random.default_rng(10)
    ratios = []
    for _ in range(50):
        layout = lay_out(1.7, rng)
        line = 200.0 * template(4500.0, 2.6)
        sky = light(layout, 0.0, 0.0, 1.7)[:, None] * line
        seen = observe(layout, sky, (4500.0, 2.6), None, 1.0, 1.0, rng)
        window = np.abs(GRID - 4500.0) < 14.0
        ratios.append(float(seen.flux[window].sum() * 2.0) / 200.0)
        assert layout.weights.sum() < 1.0
    # The calibration differs by 4 % from one to the next
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.03)


def test_fibers_add_up_to_the_spectrum(sample: list) -> None:
    detection = sample[0][0]
    weight = np.array([fiber.weight for fiber in detection.fibers])
    assert weight.sum() == pytest.approx(1.0)
    assert 7 <= weight.size <= 15
    summed = sum(w * each.flux for w, each in zip(weight, detection.fiber_spectra, strict=True))
    shape = detection.spectrum.flux
    assert np.corrcoef(summed, shape)[0, 1] > 0.999


def test_cosmic_rays_are_in_one_fiber_and_emitters_in_many() -> None:
    def crowding(kind: str, wanted: tuple[str, ...]) -> float:
        share = []
        for detection, truth in survey.simulate_survey(60, 21, shares={kind: 1.0}, imaging=False):
            if truth.line not in wanted or truth.sn < 8.0:
                continue
            near = np.abs(GRID - truth.wave) < 2.0 * truth.sigma
            flux = np.array([each.flux[near].sum() for each in detection.fiber_spectra if each is not None])
            share.append(flux.max() / np.abs(flux).sum())
        return float(np.median(share))

    assert crowding("artifact", ("cosmic",)) > crowding("LAE", ("Lya",)) + 0.1


def test_images_show_the_object_where_it_is() -> None:
    offsets = []
    for detection, truth in survey.simulate_survey(150, 31, shares={"galaxy": 1.0}):
        if truth.survey != "deep r" or not truth.mag_r < 22.5:
            continue
        cutout = detection.imaging.cutouts[0]
        growth = ew.imaging.grow_aperture(cutout, detection.ra, detection.dec)
        offsets.append(growth.mag - truth.mag_r)
        assert cutout.data.shape[0] * cutout.pixel_scale == pytest.approx(9.0, abs=0.3)
    assert len(offsets) >= 5
    assert abs(np.median(offsets)) < 0.3


def test_every_detection_can_be_sent_to_a_worker_measured_and_interpreted(sample: list) -> None:
    seen = set()
    for detection, truth in sample:
        if truth.kind in seen:
            continue
        seen.add(truth.kind)
        measured = ew.measure(pickle.loads(pickle.dumps(detection)))
        assert measured.line.center == pytest.approx(truth.wave, abs=8.0 * max(truth.sigma, 2.4))
        assert sum(ew.interpret(measured).posterior.values()) == pytest.approx(1.0)
    assert {"LAE", "galaxy", "noise", "artifact"} <= seen
