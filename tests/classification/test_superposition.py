"""A source on the images may be a stranger: what follows for the line, and that it follows as often as it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

from elixer_widgets.analysis import interpret, measure
from elixer_widgets.classification.calibration import ASSUMED
from elixer_widgets.classification.continuum import combine
from elixer_widgets.classification.factors_object import population
from elixer_widgets.classification.identities import redshifts
from elixer_widgets.classification.posterior import Clues, posterior
from elixer_widgets.classification.sizes import Extent
from elixer_widgets.classification.superposition import (
    APERTURE_AREA,
    CERTAIN,
    COLOUR,
    FOUND_AREA,
    SPECTRUM_AREA,
    Place,
    find_place,
    own_density,
    position_error,
    strangers,
)
from elixer_widgets.classification.universe import equivalent_width_scale
from elixer_widgets.detection import CatalogObject, Cutout
from elixer_widgets.imaging.counterparts import Match, number_counts
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.simulation.spectra import Source, power_law
from elixer_widgets.simulation.survey import simulate_survey
from elixer_widgets.simulation.survey_images import picture
from elixer_widgets.spectra.continuum import ContinuumEstimate, flux_density
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of
from tests.imaging.sky import wcs

NAN = float("nan")
WAVE = 4500.0
LINE = LineFit(WAVE, 2.9, 1e-16, 0.05, 8.0, 1.0, 0.4, 0.4, 1.25e-17, 0.02, 40)
NEAR, OFF = Place(0.2, 0.3, FOUND_AREA, True), Place(2.5, 0.3, FOUND_AREA, True)


def seen(value: float, error: float = 0.03) -> Clues:
    """A line on a continuum of `value` (1e-17 erg/s/cm²/Å): 10/value Å observed."""
    estimate = ContinuumEstimate("source r", value, error * value, band="r", weight=1.0)
    return Clues(LINE, combine([estimate], WAVE))


def odds(clues: Clues) -> float:
    """ln odds of Lyα against [O II], with the plain estimates."""
    chances = posterior(clues, ASSUMED).probabilities
    return float(np.log(chances["Lya"] / chances["OII"]))


def test_strangers_add_up_to_the_counts() -> None:
    """Galaxies brighter than R = 24 per arcsec²: the integral over ln C is the number that counterparts reckon with."""
    bright, faint = (np.log(flux_density(each + COLOUR, WAVE)) for each in (10.0, 24.0))
    grid = np.linspace(faint, bright, 4000)
    assert trapezoid(strangers(grid, WAVE), grid) == pytest.approx(number_counts(24.0), rel=1e-3)


def test_an_own_source_is_somewhere() -> None:
    distance = np.linspace(0.0, 12.0, 20001)
    density = [2.0 * np.pi * each * own_density(each, 0.3) for each in distance]
    assert trapezoid(density, distance) == pytest.approx(1.0, rel=1e-4)


def test_where_no_stranger_is_possible_nothing_changes() -> None:
    z = float(redshift_of(WAVE, IDENTITY_LINES["OII"]))
    match = Match(CatalogObject(0.0, 0.0, "c", photo_z=z), 1, 0.2, chance=0.01, selected=True)
    clues = replace(seen(0.3), sizes=(Extent(1.6, 0.1, 0.8),), matches=(match,))
    certain = posterior(replace(clues, place=CERTAIN))
    assert posterior(clues).probabilities == certain.probabilities
    # The fewer there can be, the less there is to reckon with
    away = [abs(odds(replace(seen(0.3), place=Place(NAN, 0.3, area))) - odds(seen(0.3))) for area in (3.0, 0.1, 1e-6)]
    assert away[0] > away[1] > away[2]
    assert away[2] < 1e-4


def test_a_galaxy_beside_the_line_does_not_hide_an_emitter() -> None:
    """Magnitude 22, 3 Å if Lyα: on the line it is an [O II] galaxy, beside it the line may be anything."""
    alone, near, off = (odds(replace(seen(1.0), place=each)) for each in (CERTAIN, NEAR, OFF))
    assert near == pytest.approx(alone, abs=0.3)
    assert off > alone + 2.0


def test_size_and_redshift_of_a_stranger_say_nothing() -> None:
    z = float(redshift_of(WAVE, IDENTITY_LINES["OII"]))
    match = Match(CatalogObject(0.0, 0.0, "c", photo_z=z), 1, 0.2, chance=0.01, selected=True)

    def gain(place: Place) -> float:
        clues = replace(seen(0.1), place=place)
        disc = replace(clues, sizes=(Extent(2.4, 0.08, 0.8),), matches=(match,))
        return odds(clues) - odds(disc)

    gains = [gain(replace(NEAR, separation=each)) for each in (0.2, 2.5, 3.5)]
    assert gains[0] > 3.0
    # That all three agree speaks for an own source that strayed, the less the further it would have to
    assert gains[0] > 2.0 * gains[1] > 4.0 * gains[2]


@pytest.mark.parametrize("place", [CERTAIN, NEAR, OFF, Place(NAN, 0.3, SPECTRUM_AREA)])
def test_evidence_adds_up(place: Place) -> None:
    match = Match(CatalogObject(0.0, 0.0, "c", photo_z=0.2), 1, 0.2, chance=0.01, selected=True)
    clues = replace(seen(0.1), place=place, sizes=(Extent(1.9, 0.1, 0.8),), matches=(match,))
    result = posterior(clues)
    p_lya = result.probabilities["Lya"]
    assert sum(each.log_odds for each in result.evidence) == pytest.approx(np.log(p_lya / (1.0 - p_lya)), abs=1e-6)
    pair = sum(each.log_odds for each in result.evidence_for("Lya", "OII"))
    assert pair == pytest.approx(np.log(p_lya / result.probabilities["OII"]), abs=1e-6)
    assert {"equivalent width", "size", "catalogue redshift"} <= {each.name for each in result.evidence}


def test_strangers_are_as_many_as_thought() -> None:
    """Emitters with their own light, strangers thrown over the sky around them, the nearest that an image to 26 shows
    taken for the source: of those that the model holds for strangers with some probability, so many are."""
    rng = np.random.default_rng(4)
    limit, error, reach = np.log(flux_density(26.0, WAVE)), 0.3, np.sqrt(FOUND_AREA / np.pi)
    shifts = redshifts(WAVE)
    scale = float(equivalent_width_scale("LAE", shifts["Lya"])) * (1.0 + shifts["Lya"])
    grid = np.linspace(limit, np.log(flux_density(17.0, WAVE)), 400)
    steps = np.cumsum(strangers(grid, WAVE))
    expected = FOUND_AREA * trapezoid(strangers(grid, WAVE), grid)
    thought, true = [], []
    while len(true) < 1200:
        light = [np.log(10.0 / (rng.exponential(scale)))]
        place = [float(np.hypot(*rng.normal(0.0, error, 2)))]
        for _ in range(rng.poisson(expected)):
            light.append(float(np.interp(rng.uniform() * steps[-1], steps, grid)))
            place.append(reach * float(np.sqrt(rng.uniform())))
        shown = [i for i, each in enumerate(light) if each > limit]
        # The uninteresting majority, where nothing is near but the source itself, is left out
        if not shown or (len(light) == 1 and rng.uniform() < 0.8):
            continue
        first = min(shown, key=lambda i: place[i])
        # What was left out is counted back
        weight = 5.0 if len(light) == 1 else 1.0
        there = combine([ContinuumEstimate("r", np.exp(light[first]), 0.02 * np.exp(light[first]), weight=1.0)], WAVE)
        _, own, stranger = population(
            LINE, there, shifts, replace(ASSUMED, flux_error=0.0), Place(place[first], error, FOUND_AREA)
        )
        thought.append((1.0 / (1.0 + np.exp(own[0] - stranger[0])), weight))
        true.append(first > 0)
    chance, weight = np.array(thought).T
    is_stranger = np.array(true)
    assert is_stranger.sum() > 100
    for low, high in ((0.0, 0.1), (0.1, 0.9), (0.9, 1.0)):
        inside = (chance >= low) & (chance <= high)
        mean = np.average(chance[inside], weights=weight[inside])
        share = np.average(is_stranger[inside], weights=weight[inside])
        count = weight[inside].sum() ** 2 / (weight[inside] ** 2).sum()
        assert share == pytest.approx(mean, abs=3.0 * np.sqrt(mean * (1.0 - mean) / count) + 0.03)


def test_place_of_the_source() -> None:
    def source(separation: float, mag_err: float, **more: bool) -> SourceEllipse:
        return SourceEllipse(150.0, 2.0, 1.4, 1.4, 0.0, 24.0, mag_err, "r", "s", separation, selected=True, **more)

    image = Cutout(np.zeros((2, 2)), wcs(150.0, 2.0, (2, 2), 0.2), "r", 27.0, survey="s", psf_fwhm=0.8)
    counterpart = Match(CatalogObject(150.0, 2.0001, "c"), 1, 0.4, selected=True)
    other = Match(CatalogObject(150.001, 2.0, "c"), 1, 3.6, selected=True)
    blank, empty = find_place((), (), (), 0.3), find_place((), (image,), (), 0.3)
    assert (blank.area, empty.area) == (SPECTRUM_AREA, APERTURE_AREA)
    assert np.isnan(blank.separation) and np.isnan(empty.separation)
    best = find_place((source(0.9, 0.2), source(0.3, 0.1)), (image,), (counterpart,), 0.3)
    assert (best.separation, best.area, best.is_counterpart) == (0.3, FOUND_AREA, True)
    # 1.75 FWHM is a point, whose place is known as well as the line's
    assert best.error == pytest.approx(0.3)
    assert not find_place((source(0.3, 0.1),), (image,), (other,), 0.3).is_counterpart


def test_positions_of_strong_lines_are_better_known() -> None:
    weak, strong, unknown = position_error(5.0, 1.5), position_error(50.0, 1.5), position_error(NAN)
    assert strong < weak < unknown


def test_a_simulated_emitter_beside_a_bright_galaxy() -> None:
    """From pixels on: an emitter that images do not show, and a galaxy of r = 22 at 0.2 or 2.2" from its line."""
    detection, truth = next(simulate_survey(1, (77, 1), shares={"LAE": 1.0}))
    assert truth.ew_rest > 50.0 and truth.sn > 7.0
    odds_at = {}
    for distance in (0.2, 2.2):
        continuum = power_law(flux_density(22.0, 6200.0), 6200.0, -0.6)
        galaxy = Source("field", "", 0.4, (), (), continuum, 0.5, 0.8, 30.0)
        galaxy.measure_magnitudes()
        galaxy.ra, galaxy.dec = detection.ra, detection.dec + distance / 3600.0
        images = picture("deep r", [galaxy], detection.ra, detection.dec, np.random.default_rng(8))
        found = interpret(measure(replace(detection, source=replace(detection.source, surroundings=images))))
        assert found.continuum.magnitude < truth.mag_r - 1.0
        odds_at[distance] = float(np.log(found.posterior["Lya"] / found.posterior["OII"]))
        words = next(each.words for each in found.evidence if each.name == "equivalent width")
        assert ("another object" in words) == (distance > 1.0)
    assert odds_at[0.2] < 0.0 < odds_at[2.2]
