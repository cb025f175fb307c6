"""The posterior: what must hold for any input, and that each piece of evidence pulls the right way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elixer_widgets.classification.calibration import ASSUMED, FITTED, Calibration
from elixer_widgets.classification.continuum import CombinedContinuum, combine
from elixer_widgets.classification.posterior import IDENTITIES, Clues, posterior, with_person
from elixer_widgets.classification.priors import SIZES, galaxy_size
from elixer_widgets.classification.sizes import Extent
from elixer_widgets.classification.solutions import Companion, Solution
from elixer_widgets.classification.universe import luminosity_distance
from elixer_widgets.detection import CatalogObject, DataError
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, observed_air, redshift_of

NAN = float("nan")


def line(wavelength: float = 4500.0, flux: float = 1e-16, snr: float = 8.0, sigma: float = 2.9) -> LineFit:
    return LineFit(wavelength, sigma, flux, 0.05, snr, 1.0, 0.4, 0.15 * sigma, abs(flux) / snr, 0.02, 40)


def continuum(value: float = 0.1, error: float = 0.02) -> CombinedContinuum:
    return combine([ContinuumEstimate("aperture g", value, error, band="g", weight=1.0)], 4500.0)


NOTHING_KNOWN = combine([], 4500.0)


def solution(identity: str, wavelength: float, likelihood: float, *companions: Companion) -> Solution:
    anchor = IDENTITY_LINES[identity]
    z = float(redshift_of(wavelength, anchor))
    return Solution(identity, identity, anchor.vacuum, z, 0.0, 0.0, False, companions, likelihood)


def p(clues: Clues, identity: str = "Lya") -> float:
    """With the plain estimates: what the physics says must not hang on a fit to simulated surveys."""
    return posterior(clues, ASSUMED).probabilities[identity]


@given(
    wavelength=st.floats(3480.0, 5530.0),
    flux=st.floats(-1e-15, 1e-14),
    snr=st.floats(0.5, 300.0),
    sigma=st.floats(1.0, 40.0),
    value=st.floats(1e-3, 100.0),
    precision=st.floats(0.02, 3.0),
    likelihoods=st.lists(st.floats(-60.0, 60.0), min_size=9, max_size=9),
)
@settings(max_examples=80, deadline=None)
def test_probabilities_and_evidence_add_up(
    wavelength: float, flux: float, snr: float, sigma: float, value: float, precision: float, likelihoods: list[float]
) -> None:
    solutions = tuple(solution(name, wavelength, each) for name, each in zip(IDENTITY_LINES, likelihoods, strict=True))
    result = posterior(Clues(line(wavelength, flux, snr, sigma), continuum(value, value * precision), solutions))
    assert set(result.probabilities) == set(IDENTITIES)
    assert all(0.0 < each < 1.0 for each in result.probabilities.values())
    assert sum(result.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    p_lya = result.probabilities["Lya"]
    assert sum(each.log_odds for each in result.evidence) == pytest.approx(np.log(p_lya / (1.0 - p_lya)), abs=1e-6)
    assert all(each.words for each in result.evidence)
    assert result.calibrated
    assert "simulated" in result.provenance


@given(wavelength=st.floats(3480.0, 3700.0))
@settings(max_examples=20, deadline=None)
def test_no_oii_blueward_of_its_rest_wavelength(wavelength: float) -> None:
    result = posterior(Clues(line(wavelength), continuum()))
    assert result.probabilities["OII"] < 1.1 * FITTED.doubt / len(IDENTITIES)


def test_faint_continuum_speaks_for_lya() -> None:
    """The same line at 4500 Å: rest EW 60 Å for Lyα on faint continuum, 3 Å on bright."""
    faint, bright = p(Clues(line(), continuum(0.045, 0.01))), p(Clues(line(), continuum(0.9, 0.02)))
    assert faint > 0.9
    assert bright < 0.1


def test_the_continuum_enters_once() -> None:
    """Writing the same knowledge of the continuum down twice changes nothing beyond its error."""
    once = combine([ContinuumEstimate("a", 0.2, 0.02, weight=1.0)], 4500.0)
    vague = combine(
        [ContinuumEstimate("a", 0.2, 0.02, weight=1.0), ContinuumEstimate("b", 0.2, 2.0, weight=1.0)], 4500.0
    )
    assert p(Clues(line(), once)) == pytest.approx(p(Clues(line(), vague)), abs=0.01)


def test_no_continuum_means_no_evidence_from_it() -> None:
    result = posterior(Clues(line(), NOTHING_KNOWN))
    assert next(each for each in result.evidence if each.name == "equivalent width").log_odds == pytest.approx(0.0)


def test_companions_found() -> None:
    found = Companion("OIII", "[O III] 5007", 5300.0, True, 3e-16, 2e-17, 3.6e-16, 15.0, "found")
    clues = Clues(line(3950.0), continuum(0.05, 0.02), (solution("OII", 3950.0, 20.0, found),))
    assert p(clues, "OII") > 0.99
    words = next(each.words for each in posterior(clues).evidence if each.name == "companion lines")
    assert "[O III] 5007" in words


def test_an_accepted_solution_survives_a_blended_companion() -> None:
    found = Companion("Lya", "Lyα 1216", 3925.0, True, 2e-15, 5e-17, 2e-15, 40.0, "found")
    broad = line(5000.0, 7e-16, 27.0, 34.0)
    argued = solution("CIV", 5000.0, -20.0, found)
    assert p(Clues(broad, NOTHING_KNOWN, (argued,)), "CIV") < 0.01
    assert p(Clues(broad, NOTHING_KNOWN, (replace(argued, accepted=True),)), "CIV") > 0.5


def test_width() -> None:
    narrow, broad = (p(Clues(line(sigma=each), NOTHING_KNOWN), "OII") for each in (2.9, 20.0))
    assert narrow > 10 * broad


def test_weak_lines_are_noise_more_often() -> None:
    chances = [p(Clues(line(snr=each), continuum()), "noise") for each in (4.0, 5.0, 6.0, 8.0)]
    assert np.all(np.diff(chances) <= 0)
    assert chances[0] > 1.5 * chances[2] and chances[3] < 0.05 * chances[2]


def test_absorption_is_not_lya() -> None:
    assert p(Clues(line(flux=-5e-16, snr=20.0), continuum(5.0, 0.1))) < 0.01


def test_absorption_lines_of_a_star() -> None:
    absorbers = tuple(
        replace(line(float(observed_air(LINES[name], 0.0)), -8e-16, 30.0, 12.0)) for name in ("Hb", "Hg", "Hd", "Hzeta")
    )
    clues = Clues(line(3925.0, 1e-15, 40.0, 15.0), continuum(8.0, 0.2))
    assert p(replace(clues, lines=absorbers), "star") > 0.9 > p(clues, "star")


def fibers(shape: np.ndarray, weights: np.ndarray) -> tuple[FiberFlux, ...]:
    rng = np.random.default_rng(2)
    flux = 1e-17 * (shape + rng.normal(0.0, 0.4, shape.size))
    return tuple(
        FiberFlux(str(i), 1 + i % 3, float(w), float(f), 4e-18)
        for i, (w, f) in enumerate(zip(weights, flux, strict=True))
    )


def test_spread_over_fibers() -> None:
    weights = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.03])
    clues = Clues(line(), continuum(0.05, 0.02))
    source = p(replace(clues, fibers=fibers(20.0 * weights, weights)), "artifact")
    cosmic = p(replace(clues, fibers=fibers(np.array([6.0] + 8 * [0.0]), weights)), "artifact")
    trap = p(replace(clues, fibers=fibers(np.array([5.0, 5, 0, 0, 5, 0, 5, 0, 0]), weights)), "artifact")
    assert source < p(clues, "artifact") < cosmic
    assert trap > 0.5
    assert cosmic > 0.5


def test_catalogue_redshift() -> None:
    z = float(redshift_of(4500.0, IDENTITY_LINES["OII"]))
    target = CatalogObject(0.0, 0.0, "specz", spec_z=z)
    clues = Clues(line(), continuum(0.06, 0.02))
    near = replace(clues, matches=(Match(target, 1, 0.2, chance=0.01, selected=True),))
    far = replace(clues, matches=(Match(target, 1, 2.9, chance=0.95, selected=True),))
    assert p(near, "OII") > 0.9 > p(clues, "OII")
    assert abs(p(far, "OII") - p(clues, "OII")) < abs(p(near, "OII") - p(clues, "OII"))


def test_photometric_redshift_speaks_softly() -> None:
    z = float(redshift_of(4500.0, IDENTITY_LINES["OII"]))
    clues = Clues(line(), continuum(0.1, 0.02))

    def with_redshift(**kind: float) -> float:
        match = Match(CatalogObject(0.0, 0.0, "c", **kind), 1, 0.2, chance=0.01, selected=True)
        return p(replace(clues, matches=(match,)), "OII")

    assert p(clues, "OII") < with_redshift(photo_z=z) < with_redshift(spec_z=z)


def test_nothing_found() -> None:
    result = posterior(Clues(LineFit(NAN, NAN, NAN, NAN, NAN, NAN), NOTHING_KNOWN))
    assert result.probabilities["noise"] > 0.9
    assert sum(result.probabilities.values()) == pytest.approx(1.0)


def test_equivalent_width_in_words() -> None:
    """1e-16 on 0.1e-17 per Å is 100 Å observed: 27 Å for Lyα at z = 2.70, 83 Å for [O II] at 0.207."""
    words = {each.name: each.words for each in posterior(Clues(line(), continuum(0.1, 0.001))).evidence}
    assert "rest EW 27 Å if Lyα, 83 Å if [O II]" in words["equivalent width"]


def test_peaks_between_the_lines_of_a_white_dwarf_are_no_companions() -> None:
    absorbers = tuple(
        replace(line(float(observed_air(LINES[name], 0.0)), -2e-15, 40.0, 15.0)) for name in ("Hb", "Hg", "Hd", "Hzeta")
    )
    found = Companion("NV", "N V 1240", 3950.0, True, 1e-15, 4e-17, 1e-15, 25.0, "found")
    clues = Clues(line(3858.0, 1.9e-15, 45.0, 18.0), continuum(9.0, 0.2), (solution("Lya", 3858.0, 18.0, found),))
    assert p(clues) > 0.9
    assert p(replace(clues, lines=absorbers), "star") > 0.5


NUMBER = st.one_of(st.just(NAN), st.floats(-1e3, 1e3))


@given(
    wavelength=st.floats(3480.0, 5530.0),
    numbers=st.lists(NUMBER, min_size=12, max_size=12),
    fluxes=st.lists(st.one_of(st.just(NAN), st.floats(-1e-15, 1e-15)), min_size=4, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_anything_may_be_missing(wavelength: float, numbers: list[float], fluxes: list[float]) -> None:
    a = numbers
    fit = LineFit(wavelength, a[0], fluxes[0], a[1], a[2], a[3], a[4], a[5], abs(fluxes[1]), a[6], 40)
    target = CatalogObject(0.0, 0.0, "c", spec_z=a[7], photo_z=a[8])
    match = Match(target, 1, abs(a[9]), chance=NAN, selected=True)
    near = replace(match, object=replace(target, ra=0.001), selected=False)
    threads = tuple(FiberFlux(str(i), i, abs(a[10]), f, abs(a[11])) for i, f in enumerate(fluxes))
    result = posterior(Clues(fit, NOTHING_KNOWN, (), (match,), NAN, (fit,), threads, (), (near,)))
    assert sum(result.probabilities.values()) == pytest.approx(1.0, abs=1e-9)
    p_lya = result.probabilities["Lya"]
    assert sum(each.log_odds for each in result.evidence) == pytest.approx(np.log(p_lya / (1.0 - p_lya)), abs=1e-6)


@pytest.mark.parametrize("calibration", [ASSUMED, FITTED])
def test_more_equivalent_width_is_more_lya(calibration: Calibration) -> None:
    """From what [O II] shows to what only Lyα shows: 100 to 1000 Å observed, at the same flux."""
    values = [
        posterior(Clues(line(), continuum(each, 0.1 * each)), calibration).probabilities
        for each in (0.5, 0.2, 0.1, 0.05)
    ]
    odds = [each["Lya"] / each["OII"] for each in values]
    assert np.all(np.diff(odds) > 0)


def test_companions_of_oii_speak_against_lya_whatever_the_calibration() -> None:
    clues = Clues(line(3950.0), continuum(0.05, 0.02))
    told = replace(clues, solutions=(solution("OII", 3950.0, 6.0),))
    assert posterior(told).probabilities["OII"] > posterior(clues).probabilities["OII"]


def test_order_of_matches_does_not_matter() -> None:
    objects = [CatalogObject(0.001 * i, 0.0, "c", spec_z=0.1 * i) for i in range(4)]
    matches = tuple(Match(each, i + 1, 1.0 + i, chance=0.1, selected=i == 0) for i, each in enumerate(objects))
    first = posterior(Clues(line(), continuum(), matches=matches, neighbours=matches))
    second = posterior(Clues(line(), continuum(), matches=matches[::-1], neighbours=matches[::-1]))
    assert first.probabilities == pytest.approx(second.probabilities)


def test_size() -> None:
    """At seeing 0.8 arcsec a point is drawn at 1.4 arcsec, a disc of half-light radius 0.8 at 2.4."""
    clues = Clues(line(), continuum(0.3, 0.03))
    point = replace(clues, sizes=(Extent(1.40, 0.08, 0.8),))
    disc = replace(clues, sizes=(Extent(2.36, 0.08, 0.8),))
    odds = [p(each) / p(each, "OII") for each in (point, clues, disc)]
    assert odds[0] > odds[1] > odds[2]


def test_galaxy_beside_at_the_same_redshift() -> None:
    z = float(redshift_of(4500.0, IDENTITY_LINES["OII"]))
    clues = Clues(line(), continuum(0.1, 0.02))

    def beside(redshift: float, distance: float) -> float:
        near = Match(CatalogObject(0.003, 0.0, "c", spec_z=redshift), 2, distance)
        return p(replace(clues, neighbours=(near,)), "OII")

    assert beside(z, 4.0) > beside(z, 25.0) > p(clues, "OII")
    assert beside(z + 0.05, 25.0) == pytest.approx(p(clues, "OII"), abs=0.01)


def test_a_line_in_one_exposure_only() -> None:
    """Nine fibers of equal weight, three an exposure, the line at 8σ in all or in those of one."""

    def spread(shape: np.ndarray) -> tuple[FiberFlux, ...]:
        return tuple(FiberFlux(str(i), 1 + i // 3, 1 / 9, f, 4e-18) for i, f in enumerate(3.2e-17 * shape))

    clues = Clues(line(), continuum(0.05, 0.02))
    once = replace(clues, fibers=spread(np.repeat([1.0, 0.0, 0.0], 3)))
    always = replace(clues, fibers=spread(np.ones(9)))
    assert p(once, "artifact") > 0.5 > p(always, "artifact")
    words = {each.name: each.words for each in posterior(once).evidence}
    assert "one exposure only" in words["fibers"]


def test_evidence_for_a_pair_adds_up() -> None:
    result = posterior(Clues(line(), continuum(0.1, 0.02), (solution("OII", 4500.0, 3.0),)))
    pieces = result.evidence_for("OII", "CIV")
    chances = result.probabilities
    assert sum(each.log_odds for each in pieces) == pytest.approx(np.log(chances["OII"] / chances["CIV"]), abs=1e-6)
    assert {each.name: each.log_odds for each in pieces}["companion lines"] > 0
    with pytest.raises(DataError, match="itself"):
        result.evidence_for("OII", "OII")
    with pytest.raises(DataError, match="Lya, OII"):
        result.evidence_for("Lyman")


def test_a_person_is_one_more_piece() -> None:
    data = posterior(Clues(line(), continuum(0.03, 0.005)))
    told = with_person(data, "OII")
    assert told.probabilities["OII"] > data.probabilities["OII"]
    assert told.data_probabilities == data.probabilities
    assert told.evidence[-1].name == "a person's answer"
    assert told.evidence[-1].log_odds < 0
    p_lya = told.probabilities["Lya"]
    assert sum(each.log_odds for each in told.evidence) == pytest.approx(np.log(p_lya / (1.0 - p_lya)), abs=1e-6)
    with pytest.raises(DataError, match="not known"):
        with_person(data, "Lyman")


def test_noise_is_told_by_the_signal_it_was_listed_with() -> None:
    """Peaks of a Gaussian field: exp(-s²/2) makes those at S/N 6.5 some 1e4 times rarer than those at 4.8."""
    measured = line(snr=5.5)
    chances = [
        posterior(Clues(measured, continuum(), listed_sn=each)).probabilities["noise"] for each in (4.8, 5.5, 6.5)
    ]
    assert chances[0] > 0.3 > chances[1] > 10.0 * chances[2]
    alone = posterior(Clues(measured, continuum())).probabilities["noise"]
    assert chances[2] < alone < chances[0]


def test_galaxies_of_one_brightness_have_much_the_same_apparent_size() -> None:
    """Radii go as the fourth root of luminosity, so distance and luminosity nearly cancel; fixed kpc do not."""
    seen = []
    for z in (0.1, 0.2, 0.4):
        kpc, _ = galaxy_size("OII", z, 3728.8 * (1.0 + z), 0.5)
        seen.append(kpc / (float(luminosity_distance(z, "Planck18")) / (1.0 + z) ** 2 * 1e3 * np.pi / 648000.0))
    assert max(seen) < 2.0 * min(seen)
    faint, bright = (galaxy_size("OII", 0.3, 4847.0, each)[0] for each in (0.1, 1.0))
    assert bright / faint == pytest.approx(10.0**0.25, rel=1e-6)
    # What is not known of the continuum leaves the radius that holds without it
    assert galaxy_size("OII", 0.3, 4847.0, NAN) == SIZES["OII"]
