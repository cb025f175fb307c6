"""What a person sets is followed by every number that depends on it, on the simulated release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import elixer_widgets as ew
from elixer_widgets.analysis import Interpretation, Measurements, interpret, match_id, measure
from elixer_widgets.classification.plae import plae_poii
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.imaging.counterparts import separation
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of
from tests.spectra.synthetic import spectrum


@pytest.fixture(scope="module")
def measured(simulated: Path) -> dict[int, Measurements]:
    """Every detection of the simulated release, measured automatically."""
    release = ew.open_release(simulated)
    return {int(number): measure(release.detection(number)) for number in release.detectids()}


def some(
    measured: dict[int, Measurements], wanted: Callable[[Measurements, Interpretation], bool]
) -> tuple[Measurements, Interpretation]:
    """The first detection that is as wanted; the release is large enough to have one."""
    for m in measured.values():
        meaning = interpret(m)
        if wanted(m, meaning):
            return m, meaning
    raise AssertionError("the simulated release has no such detection")


def source(meaning: Interpretation, name: str) -> tuple[float, str]:
    """Weight and note of a continuum estimate."""
    return next((each.weight, each.note) for each in meaning.continuum_sources if each.name == name)


def used(meaning: Interpretation) -> set[str]:
    return {each.name for each in meaning.continuum_sources if each.weight > 0}


# ----------------------------------------------------------------------------------------- identity, redshift


def test_identity_changes_what_depends_on_it_and_nothing_else(measured: dict[int, Measurements]) -> None:
    for m in measured.values():
        if float(redshift_of(m.line.center, IDENTITY_LINES["OII"])) < -0.001:
            with pytest.raises(DataError, match="cannot be OII"):
                interpret(m, identity="OII")
            continue
        free, person = interpret(m), interpret(m, identity="OII")
        assert free.asserted == () and person.asserted == ("identity",)
        assert person.data_posterior == free.posterior
        assert person.continuum == free.continuum and person.plae_poii == free.plae_poii
        assert person.identity == "OII" and person.chosen_by == "person"
        z = float(redshift_of(m.line.center, IDENTITY_LINES["OII"]))
        assert person.redshift == pytest.approx(z, abs=1e-12)
        assert person.quality == person.posterior["OII"]
        if z > 0:
            assert person.posterior["OII"] > free.posterior["OII"]
            assert person.equivalent_width == pytest.approx(person.ew_oii, nan_ok=True)
        assert "agn" not in person.labels
        flags = {each.name for each in person.flags}
        assert "uncertain class" not in flags


def test_redshift_is_said_to_be_a_persons(measured: dict[int, Measurements]) -> None:
    m, free = some(measured, lambda _, meaning: meaning.identity == "Lya")
    person = interpret(m, redshift=free.redshift)
    assert person.asserted == ("redshift",)
    assert person.identity == "Lya" and person.data_posterior == free.posterior
    both = interpret(m, identity="Lya", redshift=free.redshift, without=["wide"])
    assert both.asserted == ("identity", "redshift", "without wide continuum")


# ----------------------------------------------------------------------------------------------------- fibers


def test_a_fiber_switched_off(measured: dict[int, Measurements]) -> None:
    """Without the heaviest fiber the line is measured anew, with larger errors, and everything rests on that."""
    m, free = some(measured, lambda m, meaning: m.line.snr > 8 and 0.01 < meaning.plae_poii.value < 1000)
    heaviest = m.detection.fibers[0].fiber_id
    less = measure(m.detection, excluded_fibers=[heaviest])
    meaning = interpret(less)
    assert meaning.asserted == ("fibers",)
    assert less.spectrum is not None and not np.array_equal(less.spectrum.flux, m.detection.spectrum.flux)
    assert less.line != m.line
    assert 0 < less.line.snr < m.line.snr
    assert less.line.flux_err > m.line.flux_err
    assert heaviest not in {each.fiber_id for each in less.fiber_fluxes}
    assert less.g_magnitude != m.g_magnitude
    assert meaning.posterior != free.posterior
    # the ratio is that of the new line on the new continuum, not the old one
    combined = meaning.continuum
    again = plae_poii(
        less.line.center, less.line.flux, less.line.flux_err, combined.value * 1e-17, combined.error * 1e-17
    )
    assert meaning.plae_poii.value == pytest.approx(again.value, rel=0.02)
    assert meaning.plae_poii.value != free.plae_poii.value
    lya = float(redshift_of(less.line.center, IDENTITY_LINES["Lya"]))
    assert meaning.ew_lya == pytest.approx(less.line.flux * 1e17 / meaning.continuum.value / (1 + lya), rel=1e-6)


# -------------------------------------------------------------------------------------- continuum left out


def test_dropping_the_wide_continuum_brings_in_the_narrow_one(measured: dict[int, Measurements]) -> None:
    # A limit that the wide continuum contradicts would come back as well
    m, free = some(
        measured,
        lambda m, meaning: (
            used(meaning) == {"wide"}
            and m.continuum_narrow.value > 0
            and not any("another image" in each.note for each in meaning.continuum_sources)
        ),
    )
    person = interpret(m, without=["wide"])
    assert person.asserted == ("without wide continuum",)
    assert source(free, "narrow")[0] == 0.0
    assert used(person) == {"narrow"}
    assert source(person, "wide") == (0.0, "left out by a person")
    assert person.continuum.value == pytest.approx(m.continuum_narrow.value, rel=0.05)
    assert person.posterior != free.posterior
    assert person.ew_lya == pytest.approx(free.ew_lya * free.continuum.value / person.continuum.value, rel=1e-6)


def test_dropping_an_ellipse_brings_in_the_circle(measured: dict[int, Measurements]) -> None:
    def wanted(_: Measurements, meaning: Interpretation) -> bool:
        return sum(name.startswith("source") for name in used(meaning)) == 1

    m, free = some(measured, wanted)
    ellipse = next(name for name in used(free) if name.startswith("source"))
    circle = ellipse.replace("source", "aperture")
    assert circle not in used(free)
    person = interpret(m, without=[ellipse])
    assert ellipse not in used(person) and circle in used(person)
    neither = interpret(m, without=[ellipse, circle])
    assert used(neither).isdisjoint({ellipse, circle})
    assert neither.continuum.value != free.continuum.value
    # both are still listed, with their own ratio
    assert {ellipse, circle} <= {each.name for each in neither.continuum_sources}
    assert {ellipse, circle} <= {each.source for each in neither.plae_sources}


def test_everything_left_out(measured: dict[int, Measurements]) -> None:
    """Without any continuum there is no ratio and no width, and the other evidence still speaks."""
    m, free = some(measured, lambda _, meaning: len(meaning.continuum_sources) > 3)
    bare = interpret(m, without=[each.name for each in free.continuum_sources])
    assert used(bare) == set()
    assert np.isnan(bare.continuum.value) and np.isnan(bare.plae_poii.value) and np.isnan(bare.ew_lya)
    assert sum(bare.posterior.values()) == pytest.approx(1.0)
    assert next(each.log_odds for each in bare.evidence if each.name == "equivalent width") == pytest.approx(0.0)


def test_an_unknown_estimate(measured: dict[int, Measurements]) -> None:
    m, _ = some(measured, lambda m, _: m.matches != ())
    with pytest.raises(DataError, match="'narrow', 'wide'"):
        interpret(m, without=["aperture JWST g"])


# ----------------------------------------------------------------------------------------------- counterpart


def with_choice(measured: dict[int, Measurements]) -> tuple[Measurements, Interpretation]:
    """A detection whose second catalogue object has a source of its own on the images."""

    def wanted(m: Measurements, _: Interpretation) -> bool:
        return len(m.matches) > 1 and any(
            separation(each.ra, each.dec, m.matches[1].object.ra, m.matches[1].object.dec) < 0.5 for each in m.sources
        )

    return some(measured, wanted)


def test_another_counterpart(measured: dict[int, Measurements]) -> None:
    m, free = with_choice(measured)
    second = m.matches[1]
    person = interpret(m, counterpart=match_id(second))
    assert person.asserted == ("counterpart",)
    chosen = [each for each in person.measurements.matches if each.selected]
    assert [match_id(each) for each in chosen] == [match_id(second)]
    assert person.measurements.matches[0].rank == 1 and person.measurements.matches[0].object is second.object
    assert len(person.measurements.matches) == len(m.matches)
    for each in person.measurements.sources:
        if each.selected:
            assert separation(each.ra, each.dec, second.object.ra, second.object.dec) <= max(1.0, each.major)
    assert any(each.selected for each in person.measurements.sources)
    assert person.continuum.value != free.continuum.value
    assert person.posterior != free.posterior
    assert m.matches[0].selected  # what was measured stays


def test_no_counterpart(measured: dict[int, Measurements]) -> None:
    """Neither the catalogue's magnitude nor its redshift counts, and circles stand for the images."""

    def wanted(m: Measurements, meaning: Interpretation) -> bool:
        return any(name.startswith("catalog") for name in used(meaning)) and any(
            each.selected and np.isfinite(each.object.photo_z) for each in m.matches
        )

    m, free = some(measured, wanted)
    none = interpret(m, counterpart="none")
    assert none.asserted == ("counterpart",)
    assert "catalogue redshift" in {each.name for each in free.evidence}
    assert "catalogue redshift" not in {each.name for each in none.evidence}
    assert not any(name.startswith(("catalog", "source")) for name in used(none))
    assert not any(each.selected for each in none.measurements.matches)
    assert none.posterior != free.posterior


def test_a_certain_counterpart_speaks_louder(measured: dict[int, Measurements]) -> None:
    """What a person takes for the source is no chance match, so its redshift weighs at least as much."""
    m, free = some(measured, lambda m, _: any(each.selected and np.isfinite(each.object.spec_z) for each in m.matches))
    selected = m.matches[0]
    person = interpret(m, counterpart=match_id(selected))
    assert person.measurements.matches[0].separation == selected.separation  # the table still says where it is

    def weight(meaning: Interpretation) -> float:
        return abs(next(each.log_odds for each in meaning.evidence if each.name == "catalogue redshift"))

    assert weight(person) >= weight(free)


def test_an_unknown_counterpart(measured: dict[int, Measurements]) -> None:
    m, _ = some(measured, lambda m, _: m.matches != ())
    with pytest.raises(DataError, match="'none'") as raised:
        interpret(m, counterpart="HSC 77")
    assert match_id(m.matches[0]) in str(raised.value)


def test_counterparts_without_identifiers_have_names(measured: dict[int, Measurements]) -> None:
    m, _ = some(measured, lambda m, _: len(m.matches) > 1)
    nameless = tuple(replace(each, object=replace(each.object, identifier="")) for each in m.matches)
    names = [match_id(each) for each in nameless]
    assert len(set(names)) == len(names)
    assert interpret(replace(m, matches=nameless), counterpart=names[1]).measurements.matches[0].object.identifier == ""


# --------------------------------------------------------------------------------------------------- aperture


def test_a_persons_aperture(measured: dict[int, Measurements]) -> None:
    m, free = some(measured, lambda m, meaning: any(name.startswith("source") for name in used(meaning)))
    person = interpret(measure(m.detection, aperture=0.9))
    assert person.asserted == ("aperture",)
    assert any(name.startswith("aperture") for name in used(person))
    assert not any(name.startswith("source") for name in used(person))
    assert person.continuum.value != free.continuum.value


# ------------------------------------------------------------------------------------- what no object can have


def test_an_identity_bluer_than_at_rest_is_refused() -> None:
    """[O III] at 4100 Å would be at z -0.18: refused in words by `interpret`, and not listed among the rivals."""
    measured = measure(Detection.from_spectrum(spectrum([(4100.0, 2.9, 30.0)]), 4100.0))
    for identity, z in (("OIII", "-0.181"), ("Hb", "-0.157"), ("Hg", "-0.055")):
        with pytest.raises(DataError, match=rf"cannot be {identity}: that would be z = {z}.*another identity"):
            interpret(measured, identity)
    meaning = interpret(measured)
    assert {each.identity for each in meaning.rivals} == {"Lya", "OII", "CIV", "CIII", "HeII", "MgII"}
    assert all(each.redshift >= 0 for each in meaning.rivals)


@pytest.mark.parametrize(
    "redshift", [99.0, -0.18, -1.0, float("nan"), float("inf"), 1e300, "abc", "", [], object(), True]
)
def test_an_impossible_redshift_is_refused(redshift: object) -> None:
    measured = measure(Detection.from_spectrum(spectrum([(4500.0, 2.9, 30.0)], continuum=0.0), 4500.0))
    with pytest.raises(DataError, match=r"redshift .* is not (possible|a number); give"):
        interpret(measured, redshift=redshift)  # type: ignore[arg-type]
    assert interpret(measured, redshift=2.7027).identity == "Lya"
