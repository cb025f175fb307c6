"""measure and interpret, end to end: on made-up detections, on the simulated release, on real spectra."""

from __future__ import annotations

import pickle
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.table import Table

import elixer_widgets as ew
from elixer_widgets.analysis import Aperture, Interpretation, Measurements, interpret, measure
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import CatalogObject, DataError, Detection, Imaging, Magnitude, Spectrum
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, observed_air, redshift_of
from elixer_widgets.spectra.wavelengths import vacuum_to_air
from tests.factories import DEC, LINE, RA, FakeSource, make_cutout, make_detection, make_spectrum


@pytest.fixture(scope="module")
def measurements() -> Measurements:
    return measure(make_detection())


@pytest.fixture(scope="module")
def oii() -> Measurements:
    """An [O II] galaxy at z = 0.1 with the Balmer lines of case B (Osterbrock & Ferland 2006, table 4.4) and [O III] in
    the spectrum, and no noise to speak of."""
    grid = np.arange(3470.0, 5541.0, 2.0)
    flux = np.full(grid.size, 0.3)
    for name, strength in (
        ("OII", 20.0), ("NeIII", 2.0), ("Hd", 2.07), ("Hg", 3.75), ("Hb", 8.0), ("OIII4959", 9.0), ("OIII", 27.0),
    ):  # fmt: skip
        center = float(observed_air(LINES[name], 0.1))
        flux = flux + strength / (2.8 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - center) / 2.8) ** 2)
    error = np.full(grid.size, 0.12)
    noisy = Spectrum(grid, flux + np.random.default_rng(4).normal(0.0, error), error, lsf_sigma=2.34)
    return measure(Detection.from_spectrum(noisy, float(observed_air(LINES["OII"], 0.1))))


# ----------------------------------------------------------------------------------------------- measuring


def test_the_line(measurements: Measurements) -> None:
    """The factory's line: 1.5e-16 erg/s/cm² at 4500 Å."""
    assert measurements.line.center == pytest.approx(LINE, abs=1.5)
    assert abs(measurements.line.flux - 1.5e-16) < 4 * measurements.line.flux_err


def test_a_given_aperture_is_measured_on_every_image(measurements: Measurements) -> None:
    mine = measure(make_detection(), aperture=Aperture(1.7, RA, DEC + 0.5 / 3600))
    assert len(mine.growths) == len(measurements.growths) == 2
    assert all(each.by_person and each.radius == 1.7 for each in mine.growths)
    assert measure(make_detection(), aperture=1.7).aperture == Aperture(1.7)
    with pytest.raises(DataError, match="positive"):
        measure(make_detection(), aperture=-1.0)


def test_switching_a_fiber_off() -> None:
    detection = make_detection()
    name = detection.fibers[0].fiber_id
    less = measure(detection, excluded_fibers=[name])
    assert less.excluded_fibers == (name,)
    assert less.spectrum is not None
    assert any("switched off" in note for note in less.notes)
    assert name not in {each.fiber_id for each in less.fiber_fluxes}
    with pytest.raises(DataError, match="no fiber"):
        measure(detection, excluded_fibers=["nobody"])


def test_switching_all_fibers_off_keeps_the_spectrum() -> None:
    detection = make_detection()
    none = measure(detection, excluded_fibers=[each.fiber_id for each in detection.fibers])
    assert none.spectrum is not None
    np.testing.assert_array_equal(none.spectrum.flux, detection.spectrum.flux)
    assert any("not switched off" in note for note in none.notes)


class BrokenSource(FakeSource):
    """A source of which everything that is read on demand is damaged."""

    def imaging(self, detection: Detection) -> Imaging:
        raise DataError("mosaic.fits: truncated; fetch it again")

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        raise DataError("shot.h5: truncated; fetch it again")


def test_what_fails_is_noted_and_the_rest_goes_on() -> None:
    result = measure(replace(make_detection(), source=BrokenSource()))
    assert np.isfinite(result.line.flux)
    assert sum("truncated" in note for note in result.notes) == 2
    assert result.growths == ()


def test_no_line_at_all() -> None:
    grid = np.arange(3470.0, 5541.0, 2.0)
    result = measure(Detection.from_spectrum(Spectrum(grid, np.full(grid.size, 0.1), np.full(grid.size, 0.1))))
    assert np.isnan(result.line.flux)
    meaning = interpret(result)
    assert meaning.identity == "noise"
    assert sum(meaning.posterior.values()) == pytest.approx(1.0)


def test_a_wavelength_in_a_masked_gap() -> None:
    spectrum = make_spectrum()
    error = np.array(spectrum.error)
    error[np.abs(spectrum.wavelength - 4500.0) < 60.0] = np.nan
    meaning = interpret(measure(Detection.from_spectrum(Spectrum(spectrum.wavelength, spectrum.flux, error), 4500.0)))
    assert isinstance(meaning, Interpretation)


def test_cutouts_of_ones_own() -> None:
    detection = Detection.from_spectrum(make_spectrum(), LINE, cutouts=[make_cutout("g")], magnitudes={"r": ">25.5"})
    meaning = interpret(measure(detection))
    names = {each.name for each in meaning.continuum_sources}
    assert "given r" in names
    assert any(name.startswith(("aperture", "source")) for name in names)


def test_galaxies_of_known_redshift_around_are_remembered() -> None:
    """Those within 30 arcsec with a spectroscopic redshift, nearest first; the rest is left out."""
    offsets = {"far": 40.0, "group": 20.0, "near": 5.0}
    objects = tuple(CatalogObject(RA, DEC + off / 3600.0, "TEST", name, spec_z=0.3) for name, off in offsets.items())
    plain = CatalogObject(RA, DEC + 8.0 / 3600.0, "TEST", "no redshift", (Magnitude("g", 22.0, 0.1),))

    class Crowded(FakeSource):
        def imaging(self, detection: Detection) -> Imaging:
            return Imaging(objects=(*objects, plain))

    result = measure(replace(make_detection(), source=Crowded()))
    assert [each.object.identifier for each in result.neighbours] == ["near", "group"]
    assert result.matches == () and not any(each.selected for each in result.neighbours)


# -------------------------------------------------------------------------------------------- interpreting


def test_oii_by_its_companions(oii: Measurements) -> None:
    meaning = interpret(oii)
    assert meaning.identity == "OII"
    assert meaning.redshift == pytest.approx(0.1, abs=0.0005)
    assert meaning.line_label == "[O II] 3727"
    assert {each.line for each in meaning.companions if each.status == "found"} >= {"Hb", "OIII"}
    assert meaning.chosen_by == "automatic"
    assert meaning.p_lya < 0.01


def test_reassigning_changes_what_follows_from_it(oii: Measurements) -> None:
    automatic, person = interpret(oii), interpret(oii, identity="Lya")
    assert person.identity == "Lya"
    assert person.chosen_by == "person"
    assert person.redshift == pytest.approx((1 + automatic.redshift) * LINES["OII"].vacuum / 1215.67 - 1, abs=1e-6)
    ratio = (1 + automatic.redshift) / (1 + person.redshift)
    assert person.equivalent_width / automatic.equivalent_width == pytest.approx(ratio)
    assert person.equivalent_width == pytest.approx(person.ew_lya)
    assert automatic.equivalent_width == pytest.approx(automatic.ew_oii)
    assert {each.line for each in person.companions}.isdisjoint({"Hb", "OIII"})
    assert person.luminosity > 1000 * automatic.luminosity
    # What a person says is no new data, but it is evidence
    assert person.data_posterior == automatic.posterior == automatic.data_posterior
    assert person.p_lya > automatic.p_lya
    assert any(each.name == "a person's answer" and each.log_odds > 0 for each in person.evidence)
    assert person.plae_poii == automatic.plae_poii


def test_a_given_redshift(oii: Measurements) -> None:
    assert interpret(oii, redshift=0.1).identity == "OII"
    elsewhere = interpret(oii, redshift=1.0)
    assert (elsewhere.identity, elsewhere.redshift) == ("other", 1.0)
    with pytest.raises(DataError, match="Lya, OII"):
        interpret(oii, identity="lya")


def test_rivals(oii: Measurements) -> None:
    meaning = interpret(oii)
    chances = [each.probability for each in meaning.rivals]
    assert chances == sorted(chances, reverse=True)
    # At 4100 Å every identity but those of Hγ and redder lines is possible
    assert {each.identity for each in meaning.rivals} == {"Lya", "OII", "CIV", "CIII", "HeII", "MgII"}
    assert all(each.redshift > 0 for each in meaning.rivals)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_identity_can_be_asked_for(measurements: Measurements, identity: str) -> None:
    if identity in IDENTITY_LINES and redshift_of(measurements.line.center, IDENTITY_LINES[identity]) < 0:
        with pytest.raises(DataError, match=f"cannot be {identity}.*bluer than at rest"):
            interpret(measurements, identity=identity)
        return
    meaning = interpret(measurements, identity=identity)
    assert meaning.identity == identity
    assert meaning.line_label
    assert sum(meaning.posterior.values()) == pytest.approx(1.0)


def test_evidence_adds_up(measurements: Measurements) -> None:
    meaning = interpret(measurements)
    total = sum(each.log_odds for each in meaning.evidence)
    assert total == pytest.approx(np.log(meaning.p_lya / (1 - meaning.p_lya)), abs=1e-6)


def test_luminosity_follows_planck18(measurements: Measurements) -> None:
    from astropy.cosmology import Planck18

    meaning = interpret(measurements, identity="Lya")
    distance = Planck18.luminosity_distance(meaning.redshift).to_value("cm")
    assert meaning.luminosity == pytest.approx(4 * np.pi * distance**2 * measurements.line.flux, rel=1e-6)


def test_interpret_is_pure_and_quick(measurements: Measurements) -> None:
    first = interpret(measurements)
    start = time.perf_counter()
    for _ in range(5):
        again = interpret(measurements)
    assert (time.perf_counter() - start) / 5 < 0.1  # 4 ms on an idle core
    assert again.posterior == first.posterior
    assert again.plae_poii == first.plae_poii


def test_results_travel(measurements: Measurements) -> None:
    there_and_back = pickle.loads(pickle.dumps(interpret(measurements)))
    assert there_and_back.posterior == interpret(measurements).posterior


# ---------------------------------------------------------------------------------------- the simulated sky


@pytest.fixture(scope="module")
def judged(simulated: Path) -> list[tuple[Table.Row, Interpretation]]:
    """Every detection of the simulated release with its row of the truth table."""
    truth = {int(row["detectid"]): row for row in Table.read(simulated / "truth.ecsv")}
    release = ew.open_release(simulated)
    return [(truth[int(i)], interpret(measure(release.detection(i)))) for i in release.detectids()]


def test_lya_and_oii_of_the_simulated_sky(judged: list[tuple[Table.Row, Interpretation]]) -> None:
    """Lines of S/N above 6: at most one in six is taken for the other class or something else."""
    clear = [
        (row, meaning)
        for row, meaning in judged
        if row["kind"] in ("LAE", "OII") and meaning.measurements.line.snr > 6.0
    ]
    right = sum(row["identity"] == meaning.identity for row, meaning in clear)
    assert len(clear) >= 4
    assert right >= len(clear) * 5 / 6


def test_redshifts_of_the_simulated_sky(judged: list[tuple[Table.Row, Interpretation]]) -> None:
    off = [
        abs(meaning.redshift - row["z"]) / (1 + row["z"])
        for row, meaning in judged
        if row["identity"] == meaning.identity and row["kind"] in ("LAE", "OII", "OIII")
    ]
    assert np.median(off) < 3e-4


# ------------------------------------------------------------------------------------------- real spectra


@pytest.mark.slow
def test_every_real_spectrum_is_measured(shared: Path) -> None:
    """137 public spectra, lone but for their wavelengths: no exception, and the line right in most quasars."""
    right, total = 0, 0
    with h5py.File(shared / "reference/real/spectra_dev.h5") as file:
        for group in file.values():
            wavelength, flux, error = (group[name][:] for name in ("wave", "flux", "err"))
            if group.attrs["wave_medium"] == "vacuum":
                wavelength = vacuum_to_air(wavelength)
            spectrum = Spectrum(wavelength, flux, np.where(error > 0, error, np.nan))
            meaning = interpret(measure(Detection.from_spectrum(spectrum)))
            assert sum(meaning.posterior.values()) == pytest.approx(1.0)
            z = float(group.attrs["truth_z"])
            if group.attrs["truth_class"] in ("QSO", "LAE"):
                total += 1
                right += abs(meaning.redshift - z) / (1 + z) < 0.01
    assert total > 90
    assert right / total > 0.7
