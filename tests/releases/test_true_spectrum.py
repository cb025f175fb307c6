"""One true spectrum, written in every format, unit, medium and naming: read to the same line flux, or refused by name.

The truth: a Gaussian line of 12e-17 erg/s/cm² at 4500 Å in air, σ 2.5 Å, on a continuum of 0.2e-17 erg/s/cm²/Å.
"""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from elixer_widgets import interpret, measure
from elixer_widgets.detection import DataError, Detection, Spectrum
from elixer_widgets.releases import open_release

AIR = np.arange(3600.0, 5400.0, 2.0)
LINE, SIGMA, FLUX, CONTINUUM, NOISE = 4500.0, 2.5, 12.0, 0.2, 0.4
DENSITY = CONTINUUM + FLUX / SIGMA / np.sqrt(2 * np.pi) * np.exp(-0.5 * ((AIR - LINE) / SIGMA) ** 2)
ERROR = np.full(AIR.size, NOISE)
C = 2.99792458e18  # Å/s


def _vacuum(air: np.ndarray) -> np.ndarray:
    """Ciddor 1996, Applied Optics 35, 1566, as the VALD page gives the inverse: another formula than the reader's."""
    s2 = (1e4 / air) ** 2
    return air * (
        1 + 8.336624212083e-5 + 2.408926869968e-2 / (130.1065924522 - s2) + 1.599740894897e-4 / (38.92568793293 - s2)
    )


# The words for the unit, and what the true flux density is in it.
UNITS = {
    "erg/s/cm2/A": 1e-17,
    "1e-17 erg/s/cm2/A": 1.0,
    "10^-17 ergs s^-1 cm^-2 Angstrom^-1": 1.0,
    "1E-17 erg/cm^2/s/Ang": 1.0,
    "10**(-20)*erg/s/cm**2/Angstrom": 1e3,
    "W/m2/um": 1e-16,
    "1e-17 erg/s/cm2": 2.0,  # per sample of 2 Å
    # f_ν = f_λ λ²/c: times the square of the wavelength that the file has.
    "Jy": 1e-17 / C * 1e23,
    "uJy": 1e-17 / C * 1e29,
    "nanomaggies": 1e-17 / C / (3.6307805e-20 * 1e-9),
}
NAMES = {
    "air": (("wavelength", "flux", "flux_err"), ("WAVE_AIR", "FLUX", "ERR"), ("lambda", "f_lambda", "sigma")),
    "vacuum": (("wave_vac", "flux", "flux_err"), ("LAMBDA_VAC", "FLUX_DENSITY", "FLUX_DENSITY_ERROR")),
}
DECOYS = {"sky": 7.0, "model": 3.0, "wavelength_err": 0.01, "wdisp": 1.1, "and_mask": 0.0, "sky_err": 9.0}


def _table(medium: str, names: tuple[str, str, str], unit: str) -> dict[str, np.ndarray]:
    """The columns as a file has them, with other columns before and between."""
    wave = AIR if medium == "air" else _vacuum(AIR)
    factor = UNITS.get(unit, 1.0) * (wave**2 if unit in ("Jy", "uJy", "nanomaggies") else 1.0)
    decoys = {name: np.full(AIR.size, value) for name, value in DECOYS.items()}
    own = {names[2]: ERROR * factor, names[1]: DENSITY * factor}
    return {**decoys, names[0]: wave, "continuum": np.ones(AIR.size), **own}


def _write(path: Path, kind: str, columns: dict[str, np.ndarray], names: tuple[str, str, str], unit: str) -> Path:
    if kind == "h5":
        with h5py.File(path / "s.h5", "w") as file:
            group = file.create_group("one")
            for name, values in columns.items():
                group[name] = values
            group.attrs["calib"] = unit
        return path / "s.h5"
    if kind == "txt":
        rows = "\n".join(" ".join(repr(float(value)) for value in row) for row in zip(*columns.values(), strict=True))
        (path / "s.txt").write_text(f"# flux in {unit}\n{' '.join(columns)}\n{rows}\n")
        return path / "s.txt"
    if kind == "fits":
        made = [fits.Column(name, "D", array=values) for name, values in columns.items()]
        hdu = fits.BinTableHDU.from_columns(made)
        place = list(columns).index(names[1]) + 1
        hdu.header[f"TUNIT{place}"] = unit
        hdu.writeto(path / "s.fits")
        return path / "s.fits"
    table = Table(columns)
    head = "# %ECSV 1.0\n# ---\n# datatype:\n"
    for name in columns:
        said = f", unit: '{unit}'" if name in names[1:] else ""
        head += f"# - {{name: {name}{said}, datatype: float64}}\n"
    rows = "\n".join(" ".join(repr(float(value)) for value in row) for row in table)
    (path / "s.ecsv").write_text(f"{head}# schema: astropy-2.0\n{' '.join(columns)}\n{rows}\n")
    return path / "s.ecsv"


def _is_true(detection: Detection) -> None:
    spectrum = detection.spectrum
    np.testing.assert_allclose(spectrum.wavelength, AIR, atol=0.003)
    np.testing.assert_allclose(spectrum.flux, DENSITY, rtol=2e-5)
    np.testing.assert_allclose(spectrum.error, NOISE, rtol=2e-5)
    assert "flux_calibration" not in detection.not_available
    above = (spectrum.flux - CONTINUUM) * 2.0
    assert above.sum() == pytest.approx(FLUX, rel=1e-3)


@pytest.mark.parametrize("kind", ["h5", "txt", "fits", "ecsv"])
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
def test_every_format_unit_medium_and_naming(tmp_path: Path, kind: str, unit: str) -> None:
    for medium, namings in NAMES.items():
        for number, names in enumerate(namings):
            folder = tmp_path / f"{medium}{number}"
            folder.mkdir()
            path = _write(folder, kind, _table(medium, names, unit), names, unit)
            detection = open_release(path).detection(1)
            _is_true(detection)
            said = " ".join(detection.notes)
            assert repr(names[0]) in said and repr(names[1]) in said and repr(names[2]) in said and "unit" in said


@pytest.mark.parametrize("unit", ["furlong", "Jy/beam", "erg/s", "mag", "!!"])
@pytest.mark.parametrize("kind", ["h5", "fits", "ecsv"])
@pytest.mark.filterwarnings("ignore::astropy.units.UnitsWarning")
def test_a_unit_that_is_none_of_flux_is_named(tmp_path: Path, kind: str, unit: str) -> None:
    names = ("wavelength", "flux", "flux_err")
    path = _write(tmp_path, kind, _table("air", names, unit), names, unit)
    with pytest.raises(DataError, match="flux unit") as caught:
        open_release(path)
    assert str(path) in str(caught.value) and "unit" in str(caught.value)


def test_no_unit_is_said_and_never_called_calibrated(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "s.txt", np.transpose((AIR, DENSITY, ERROR)))
    np.savetxt(tmp_path / "cgs.txt", np.transpose((AIR, DENSITY * 1e-17, ERROR * 1e-17)))
    bare, cgs = (open_release(tmp_path / name).detection(1) for name in ("s.txt", "cgs.txt"))
    assert "no flux unit is stated" in bare.not_available["flux_calibration"]
    assert any("these look like erg/s/cm²/Å" in note for note in cgs.notes)
    for detection in (bare, cgs):
        found = interpret(measure(detection))
        assert not found.calibrated and "not calibrated" in found.provenance
    told = open_release(tmp_path / "cgs.txt", unit="erg/s/cm2/A", medium="air").detection(1)
    _is_true(told)


def test_equal_claims_are_refused_and_can_be_settled(tmp_path: Path) -> None:
    table = Table({"wave": AIR * u.AA, "flux_a": DENSITY, "flux_b": 5 * DENSITY, "error": ERROR})
    table.write(tmp_path / "s.fits")
    with pytest.raises(DataError, match="flux_a, flux_b") as caught:
        open_release(tmp_path / "s.fits")
    assert "columns=" in str(caught.value)
    settled = open_release(tmp_path / "s.fits", columns={"flux": "flux_a"}, unit="1e-17 erg/s/cm2/A")
    _is_true(settled.detection(1))
    with pytest.raises(DataError, match="'flux_c' is not among"):
        open_release(tmp_path / "s.fits", columns={"flux": "flux_c"})


def test_inverse_variance_and_logarithms_are_those_of_sdss(tmp_path: Path) -> None:
    columns = {
        "flux": DENSITY,
        "loglam": np.log10(_vacuum(AIR)),
        "ivar": ERROR**-2,
        "and_mask": np.zeros(AIR.size),
        "sky": np.full(AIR.size, 7.0),
    }
    path = _write(tmp_path, "fits", columns, ("loglam", "flux", "ivar"), "1E-17 erg/cm^2/s/Ang")
    _is_true(open_release(path).detection(1))


def test_desi_is_in_vacuum(tmp_path: Path) -> None:
    wave = fits.ImageHDU(_vacuum(AIR), name="B_WAVELENGTH")
    flux = fits.ImageHDU(np.stack((DENSITY, 2 * DENSITY)), name="B_FLUX")
    flux.header["BUNIT"] = "10**-17 erg/(s cm2 Angstrom)"
    ivar = fits.ImageHDU(np.stack((ERROR**-2, ERROR**-2)), name="B_IVAR")
    fits.HDUList([fits.PrimaryHDU(), wave, flux, ivar]).writeto(tmp_path / "coadd.fits")
    release = open_release(tmp_path / "coadd.fits")
    assert len(release) == 2
    _is_true(release.detection(1))


def test_a_catalogue_of_lines_is_no_spectrum(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wave = rng.uniform(3500, 5500, 60)
    Table({"RA": rng.uniform(0, 1, 60), "DEC": rng.uniform(0, 1, 60), "WAVE": wave, "FLUX": wave}).write(
        tmp_path / "a.fits"
    )
    Table({"wave": wave, "flux": wave, "flux_err": wave}).write(tmp_path / "b.fits")
    Table({"detectid": np.arange(60), "wave": np.sort(wave), "flux": wave}).write(
        tmp_path / "c.ecsv", format="ascii.ecsv"
    )
    for name in ("a.fits", "b.fits", "c.ecsv"):
        with pytest.raises(DataError, match=f"{name}.*a catalogue of lines"):
            open_release(tmp_path / name)


def test_one_odd_group_is_told_and_passed_over(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for name in ("a", "b", "c", "d"):
            group = file.create_group(name)
            group["wave"], group["flux"], group["err"] = AIR, DENSITY, ERROR
            group.attrs["calib"] = "1e-17 erg/s/cm2/A"
        del file["b/flux"]
        file["b/flux"] = ["not", "numbers"]
        del file["c/flux"]
        file["c/flux"] = h5py.SoftLink("/c/flux")
        file["remark"] = "a text beside the groups"
    release = open_release(tmp_path / "s.h5")
    assert release.index().label == ("a", "d")
    assert [any(f": {name}" in problem for problem in release.problems) for name in ("b", "c", "remark")] == [True] * 3


def test_a_link_to_another_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["flux"] = DENSITY
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a/wave"] = AIR
        file["a/flux"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/flux")
    with pytest.raises(DataError, match="a link to another file"):
        open_release(tmp_path / "s.h5")


# ------------------------------------------------------------------------------------------------ in memory

CGS = u.erg / u.s / u.cm**2 / u.AA


@pytest.mark.parametrize(
    ("wave", "flux", "error"),
    [
        (AIR * u.AA, DENSITY * 1e-17 * CGS, ERROR * 1e-17 * CGS),
        (AIR / 10 * u.nm, (DENSITY * 1e-17 * CGS).to(u.W / u.m**2 / u.um), ERROR * 1e-17 * CGS),
        ((AIR * u.AA).to(u.Hz, u.spectral()), (DENSITY * 1e-17 * CGS).to(u.Jy, u.spectral_density(AIR * u.AA)), None),
        (AIR, DENSITY * 1e-17 * CGS, ERROR * 1e-17),
        (AIR.astype(">f8"), DENSITY.astype(">f4"), list(ERROR)),
        (pd.Series(AIR), pd.Series(DENSITY), pd.Series(ERROR, dtype="Float64")),
        (np.repeat(AIR, 2)[::2], np.repeat(DENSITY, 2)[::2], ERROR),
    ],
)
def test_arrays_say_what_they_are(wave: object, flux: object, error: object) -> None:
    spectrum = Spectrum(wave, flux, error)
    np.testing.assert_allclose(spectrum.wavelength, AIR, rtol=1e-9)
    np.testing.assert_allclose(spectrum.flux, DENSITY, rtol=1e-6)
    assert not spectrum.uncalibrated
    if error is not None:
        np.testing.assert_allclose(spectrum.error, NOISE, rtol=1e-6)


def test_masked_samples_are_missing() -> None:
    flux = np.ma.MaskedArray(DENSITY.copy(), np.abs(AIR - 4800) < 3)
    flux.data[flux.mask] = 500.0
    spectrum = Spectrum(AIR, flux, np.ma.MaskedArray(ERROR, AIR < 3700))
    assert np.array_equal(np.isnan(spectrum.flux), flux.mask)
    assert not spectrum.good[flux.mask].any() and not spectrum.good[AIR < 3700].any()


@pytest.mark.parametrize(
    ("flux", "said"),
    [
        (DENSITY * u.m, "flux unit"),
        (DENSITY * u.erg / u.s, "flux unit"),
        (DENSITY[:-1], "equal length"),
        (DENSITY + 1j, "real numbers"),
        (["a"] * AIR.size, "real numbers"),
        (np.zeros(AIR.size, [("a", "f8")]), "real numbers"),
    ],
)
def test_what_is_no_flux_is_refused(flux: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Spectrum(AIR, flux)


@pytest.mark.parametrize(
    "mark", [99.0, -99.0, 99.9, 0.0, -1.0, 1e20, np.nan, np.inf, np.ma.masked, (99.0, -99.0), ">99"]
)
def test_marks_for_a_missing_magnitude(mark: object) -> None:
    detection = Detection.from_spectrum(Spectrum(AIR, DENSITY, ERROR), LINE, magnitudes={"g": mark, "r": (24.0, -99.0)})
    assert [(magnitude.band, magnitude.value) for magnitude in detection.magnitudes] == [("r", 24.0)]
    assert np.isnan(detection.magnitudes[0].error)
    assert any("magnitude g" in note and "missing" in note for note in detection.notes)


def test_a_flux_per_sample_needs_the_width_of_the_sample(tmp_path: Path) -> None:
    wave = np.linspace(3600.0, 5400.0, 1401)
    for name, header in (("bare.fits", {}), ("said.fits", {"SPECBW": wave[1] - wave[0]})):
        table = Table({"wavelength": wave * u.AA, "flux": np.ones(1401) * 1e-17 * u.erg / u.s / u.cm**2})
        hdu = fits.BinTableHDU(table)
        hdu.header.update(header)
        hdu.writeto(tmp_path / name)
    with pytest.raises(DataError, match="not per Å"):
        open_release(tmp_path / "bare.fits")
    flux = open_release(tmp_path / "said.fits").detection(1).spectrum.flux
    np.testing.assert_allclose(flux, 1 / (wave[1] - wave[0]), rtol=1e-6)
