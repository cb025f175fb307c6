"""Spectra of one's own: every format, air and vacuum, units, clipping, and files that cannot be read."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from elixer_widgets.detection import DataError
from elixer_widgets.releases import SpectraRelease, open_release
from elixer_widgets.releases.spectrum import line_spread, parse_magnitudes

WAVE = np.arange(3800.0, 5200.0, 1.5)
FLUX = 1.0 + np.exp(-0.5 * ((WAVE - 4500.0) / 4.0) ** 2)
ERROR = np.full(WAVE.size, 0.1)


def _group(file: h5py.File, name: str, wave: np.ndarray = WAVE, **attributes: object) -> None:
    group = file.create_group(name)
    group["wave"], group["flux"], group["err"] = wave, FLUX, ERROR
    group.attrs.update({"calib": "1e-17 erg/s/cm2/A", "wave_medium": "air", **attributes})


# ------------------------------------------------------------------------------------------------- HDF5


def test_one_group_a_spectrum(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        _group(file, "b", ra=10.0, dec=20.0, truth_z=2.5, mags="psfmag_ug=21.5,20.5", wavelength=4500.0)
        _group(file, "a")
        file["b/err"][3] = 0.0
    release = open_release(tmp_path / "s.h5")
    assert isinstance(release, SpectraRelease) and release.name == "s"
    assert release.index().label == ("a", "b") and release.detectids().tolist() == [1, 2]
    one, two = release.detection(1), release.detection(2)
    assert (one.label, two.label, two.detectid, two.release) == ("a", "b", 2, "s")
    assert np.array_equal(two.spectrum.wavelength, WAVE) and np.array_equal(two.spectrum.flux, FLUX)
    assert not two.spectrum.good[3] and two.spectrum.good[4]
    assert (two.ra, two.dec, two.source_z, two.wavelength) == (10.0, 20.0, 2.5, 4500.0)
    assert [str(magnitude) for magnitude in two.magnitudes] == ["u 21.50", "g 20.50"]
    assert np.isnan(one.ra) and np.isnan(one.wavelength) and np.isnan(one.source_z) and one.magnitudes == ()
    assert {"fibers", "shot", "imaging", "position"} <= set(one.not_available)
    assert one.fiber_images.cutouts == () and one.fiber_images.reason
    assert release.search(10.0, 20.0 + 0.9 / 3600, 1.0).tolist() == [2]
    assert len(pickle.loads(pickle.dumps(release)).detection(2).spectrum.flux) == WAVE.size


def test_hdf5_by_any_other_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "spectra.dat", "w") as file:
        _group(file, "a")
    assert open_release(tmp_path / "spectra.dat").index().label == ("a",)
    assert open_release(tmp_path).index().label == ("a",)


def test_vacuum_becomes_air(tmp_path: Path) -> None:
    """[O III] 5008.240 in vacuum is 5006.843 in air, Hδ 4102.892 is 4101.734 (NIST, SDSS line lists)."""
    wave = np.sort(np.concatenate((WAVE[2:], [4102.892, 5008.240])))
    with h5py.File(tmp_path / "s.h5", "w") as file:
        _group(file, "a", wave, wave_medium="vacuum", wavelength=5008.240)
    detection = open_release(tmp_path / "s.h5").detection(1)
    for vacuum, air in ((4102.892, 4101.734), (5008.240, 5006.843)):
        assert detection.spectrum.wavelength[np.flatnonzero(wave == vacuum)[0]] == pytest.approx(air, abs=0.003)
    assert detection.wavelength == pytest.approx(5006.843, abs=0.003)
    assert any("vacuum" in note for note in detection.notes)


def test_only_the_hetdex_range_on_the_native_grid(tmp_path: Path) -> None:
    wave = np.linspace(3000.0, 9000.0, WAVE.size)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        _group(file, "a", wave, wavelength=6563.0)
    detection = open_release(tmp_path / "s.h5").detection(1)
    kept = detection.spectrum.wavelength
    assert set(kept) <= set(wave) and 3440 < kept[0] < 3470 and 5540 < kept[-1] < 5570
    assert any("clipped" in note for note in detection.notes)
    assert np.isnan(detection.wavelength) and any("6563" in note for note in detection.notes)


def test_counts_are_said_to_be_counts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        _group(file, "a", calib="COUNTS (not flux calibrated)")
    detection = open_release(tmp_path / "s.h5").detection(1)
    assert "COUNTS" in detection.not_available["flux_calibration"]


def test_no_errors(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        _group(file, "a")
        file["a/err"][:] = 0.0
    detection = open_release(tmp_path / "s.h5").detection(1)
    assert not detection.spectrum.has_error and detection.spectrum.good.all() and "error" in detection.not_available


def test_line_spread() -> None:
    """R = λ / FWHM, and FWHM = 2.3548 σ."""
    assert line_spread(("", "boss-3655-55240-0104"), np.nan, 4500.0) == pytest.approx(4500 / 2000 / 2.354820045)
    assert line_spread(("vandels-UDS",), np.nan, 5100.0) * 2.354820045 == pytest.approx(5100 / 580)
    assert line_spread(("virus-1",), np.nan, 4500.0) == pytest.approx(5.5 / 2.354820045)
    assert line_spread(("boss",), 1000.0, 4000.0) == pytest.approx(4.0 / 2.354820045)
    assert np.isnan(line_spread(("mine", ""), np.nan, 4000.0))


def test_magnitudes() -> None:
    found = {magnitude.band: magnitude.value for magnitude in parse_magnitudes("flux_g=3.237nmgy flux_r=0.000nmgy")}
    assert found == {"g": pytest.approx(22.5 - 2.5 * np.log10(3.237))}
    twice = parse_magnitudes("psfmag_ugriz=21,22,23,24,25 modelmag_ugriz=11,12,13,14,15")
    assert [magnitude.value for magnitude in twice] == [21, 22, 23, 24, 25]
    for odd in ("", "fibre_mag=18.59", "psfmag_ug=21", "=", "psfmag_ug=a,b", "flux_g=nmgy"):
        assert parse_magnitudes(odd) == ()


# -------------------------------------------------------------------------------------- tables and text


@pytest.mark.parametrize("head", ["", "# my spectrum\n", "wavelength flux error\n", "Wave, Flam, Sigma\n"])
@pytest.mark.parametrize("columns", [2, 3])
def test_plain_text(tmp_path: Path, head: str, columns: int) -> None:
    comma = "," in head
    data = np.transpose((WAVE, FLUX, ERROR)[:columns])
    names = head.split("," if comma else None)[:columns]
    first = head if head.startswith("#") or not head else (", " if comma else " ").join(names).strip() + "\n"
    lines = [("," if comma else " ").join(repr(float(value)) for value in row) for row in data]
    (tmp_path / "s.txt").write_text(first + "\n".join(lines) + "\n")
    spectrum = open_release(tmp_path / "s.txt").detection(1).spectrum
    assert np.array_equal(spectrum.wavelength, WAVE) and np.array_equal(spectrum.flux, FLUX)
    assert spectrum.has_error == (columns == 3)
    if columns == 3:
        assert np.array_equal(spectrum.error, ERROR)


def test_named_columns_in_any_order_and_inverse_variance(tmp_path: Path) -> None:
    ivar = 1 / ERROR**2
    ivar[4] = 0.0
    rows = "\n".join(f"{number},{flux},{weight},{wave}" for number, (flux, weight, wave) in
                     enumerate(zip(FLUX, ivar, WAVE, strict=True)))  # fmt: skip
    (tmp_path / "s.csv").write_text(f"pixel,flux,ivar,wavelength\n{rows}\n")
    spectrum = open_release(tmp_path / "s.csv").detection(1).spectrum
    assert np.allclose(spectrum.wavelength, WAVE) and np.allclose(spectrum.flux, FLUX)
    assert np.allclose(np.delete(spectrum.error, 4), 0.1) and not spectrum.good[4]


def test_descending_wavelengths_are_turned(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "s.dat", np.transpose((WAVE, FLUX, ERROR))[::-1])
    spectrum = open_release(tmp_path / "s.dat").detection(1).spectrum
    assert np.allclose(spectrum.wavelength, WAVE) and np.allclose(spectrum.flux, FLUX)


def test_ecsv_units(tmp_path: Path) -> None:
    """1 µJy at 4500 Å is 1e-29 c / λ² = 1.4805e-18 erg/s/cm²/Å."""
    table = Table(
        {"wavelength": WAVE / 10 * u.nm, "flux": np.ones(WAVE.size) * u.uJy, "error": 0.1 * np.ones(WAVE.size) * u.uJy}
    )
    table.write(tmp_path / "s.ecsv", format="ascii.ecsv")
    spectrum = open_release(tmp_path / "s.ecsv").detection(1).spectrum
    place = int(np.argmin(np.abs(WAVE - 4500.5)))
    expected = 1e-29 * 2.99792458e18 / WAVE[place] ** 2 / 1e-17
    assert spectrum.wavelength[place] == pytest.approx(WAVE[place])
    assert spectrum.flux[place] == pytest.approx(expected, rel=1e-6)
    assert spectrum.error[place] == pytest.approx(0.1 * expected, rel=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("error", 1), ("variance", 2), ("ivar", -2)])
def test_ecsv_errors_of_every_kind_in_their_own_units(tmp_path: Path, kind: str, power: int) -> None:
    """The error comes before the wavelength and in mJy, the flux in µJy: both end in the same unit."""
    spread = (1e-4 * u.mJy) ** power
    table = Table({kind: np.full(WAVE.size, spread.value), "flux": np.ones(WAVE.size) * u.uJy, "wave": WAVE * u.AA})
    table[kind].unit = spread.unit
    table.write(tmp_path / "s.ecsv", format="ascii.ecsv")
    spectrum = open_release(tmp_path / "s.ecsv").detection(1).spectrum
    assert np.allclose(spectrum.error / spectrum.flux, 0.1)


def test_fluxes_named_per_two_angstrom_are_halved(tmp_path: Path) -> None:
    rows = "\n".join(f"{wave},{flux},0.2" for wave, flux in zip(WAVE, FLUX, strict=True))
    (tmp_path / "s.csv").write_text(f"wave_air_A,flux_e17_per_2A,err_e17_per_2A\n{rows}\n")
    spectrum = open_release(tmp_path / "s.csv").detection(1).spectrum
    assert np.allclose(spectrum.flux, FLUX / 2) and np.allclose(spectrum.error, 0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "no table of numbers"),
        ("hello world\nthis is\nno spectrum", "is not numbers"),
        ("4000 1\n4001 1 2\n", "equal lines"),
        ("4000 1 2 3\n" * 20, "4 columns"),
        ("1\n2\n3\n", "1 columns"),
        ("0.40 1\n0.41 1\n0.42 1\n", "give wavelengths in Å"),
        ("a,b\n1,2\n", "no columns of wavelength and flux among a, b"),
        ("wave,z_lae,z_oii,distance\n4000,1,2,3\n", "no columns of wavelength and flux among wave, z_lae"),
        ("flux,ivar,z\n4000,1,2\n", "no columns of wavelength and flux"),
    ],
)
def test_text_that_is_no_spectrum(tmp_path: Path, words: str, message: str) -> None:
    (tmp_path / "s.txt").write_text(words)
    with pytest.raises(DataError, match=message) as caught:
        open_release(tmp_path / "s.txt")
    assert "s.txt" in str(caught.value) and "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------- FITS


def _fits_spectrum(path: Path, **words: object) -> None:
    header = fits.Header({"CTYPE1": "AWAV", "CUNIT1": "Angstrom", "CRVAL1": 3800.0, "CRPIX1": 1.0, "CDELT1": 1.5})
    header["BUNIT"] = "erg / (s cm2 Angstrom)"
    header.update(words)
    fits.PrimaryHDU(FLUX * 3e-17, header).writeto(path)


def test_fits_through_specutils(tmp_path: Path) -> None:
    _fits_spectrum(tmp_path / "air.fits", INSTRUME="MUSE", RA=150.5, DEC=2.25)
    _fits_spectrum(tmp_path / "vacuum.fits", CTYPE1="WAVE")
    _fits_spectrum(tmp_path / "counts.fits", BUNIT="adu")
    release = open_release(tmp_path)
    assert release.problems == () and release.index().label == ("air", "counts", "vacuum")
    air, counts, vacuum = (release.detection(number) for number in (1, 2, 3))
    assert np.allclose(air.spectrum.flux, 3 * FLUX) and np.allclose(air.spectrum.wavelength, WAVE)
    assert (air.ra, air.dec) == (150.5, 2.25)
    assert air.spectrum.lsf_sigma == pytest.approx(np.median(WAVE) / 1800 / 2.354820045)
    assert "flux_calibration" in counts.not_available and np.allclose(counts.spectrum.flux, 3e-17 * FLUX)
    # Hβ's neighbourhood: air and vacuum differ by 1.36 Å at 4861 Å.
    place = int(np.argmin(np.abs(WAVE - 4861.0)))
    assert WAVE[place] - vacuum.spectrum.wavelength[place] == pytest.approx(1.357, abs=0.01)


@pytest.mark.parametrize("kind", ["std", "var", "ivar"])
def test_uncertainty_types(tmp_path: Path, kind: str) -> None:
    specutils = pytest.importorskip("specutils")
    from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

    made = {
        "std": StdDevUncertainty(ERROR),
        "var": VarianceUncertainty(ERROR**2),
        "ivar": InverseVariance(1 / ERROR**2),
    }[kind]
    unit = u.Unit("1e-17 erg / (s cm2 Angstrom)")
    maker = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D
    maker(flux=FLUX * unit, spectral_axis=WAVE * u.AA, uncertainty=made).write(
        tmp_path / "s.fits", format="tabular-fits"
    )
    spectrum = open_release(tmp_path / "s.fits").detection(1).spectrum
    assert np.allclose(spectrum.flux, FLUX) and np.allclose(spectrum.error, 0.1)


@pytest.mark.parametrize("version", ["v5_10_0", "26"])
def test_an_sdss_spectrum(tmp_path: Path, version: str) -> None:
    """Logarithmic vacuum wavelengths, inverse variances, and the plate's centre beside the object's place.

    specutils knows the version 5 of these files; older ones are told by their columns.
    """
    vacuum = 10 ** np.arange(3.56, 3.96, 1e-4)
    ivar = np.full(vacuum.size, 4.0, np.float32)
    ivar[100] = 0.0
    columns = [
        fits.Column("flux", "E", array=np.arange(vacuum.size), unit="1E-17 erg/cm^2/s/Ang"),
        fits.Column("loglam", "E", array=np.log10(vacuum)),
        fits.Column("ivar", "E", array=ivar),
        fits.Column("and_mask", "J", array=np.zeros(vacuum.size)),
    ]
    words = {
        "TELESCOP": "SDSS 2.5-M",
        "VERS2D": version,
        "FIBERID": 7,
        "RA": 1.0,
        "DEC": 2.0,
        "PLUG_RA": 10.5,
        "PLUG_DEC": 20.5,
    }
    primary = fits.PrimaryHDU(header=fits.Header(words))
    fits.HDUList([primary, fits.BinTableHDU.from_columns(columns)]).writeto(tmp_path / "spec-0266-51602-0013.fits")
    detection = open_release(tmp_path / "spec-0266-51602-0013.fits").detection(1)
    assert (detection.ra, detection.dec) == (10.5, 20.5)
    spectrum = detection.spectrum
    number = round(float(spectrum.flux[0]))  # which sample of the file is the first here
    assert number > 0 or vacuum[0] > 3450
    assert vacuum[number] - spectrum.wavelength[0] == pytest.approx(1.03, abs=0.05)
    assert np.allclose(spectrum.flux, number + np.arange(spectrum.flux.size))
    assert np.nanmedian(spectrum.error) == pytest.approx(0.5)
    assert spectrum.good.sum() == spectrum.flux.size - 1 and not spectrum.good[100 - number]
    assert spectrum.lsf_sigma == pytest.approx(np.median(spectrum.wavelength) / 2000 / 2.354820045)


def test_pictures_of_the_sky_are_no_spectra(tmp_path: Path) -> None:
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "WAVE"})
    fits.writeto(tmp_path / "cube.fits", np.zeros((10, 70, 70), np.float32), header)
    with pytest.raises(DataError, match=r"cube\.fits: holds an image of the sky \(10 x 70 x 70\)"):
        open_release(tmp_path / "cube.fits")


# -------------------------------------------------------------------------------------------- a folder


@pytest.mark.filterwarnings("ignore:Error validating header")
def test_a_folder_names_what_it_passes_over(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "good.txt", np.transpose((WAVE, FLUX)))
    (tmp_path / "notes.md").write_text("about these")
    (tmp_path / "bad.csv").write_text("a,b\nx,y\n")
    (tmp_path / "cut.fits").write_bytes(b"SIMPLE  =                    T")
    (tmp_path / ".hidden").write_text("")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        _group(file, "fine")
        _group(file, "short", WAVE)
        del file["short/flux"]
        file["short/flux"] = FLUX[:-1]
    release = open_release(tmp_path)
    assert release.index().label == ("good", "fine")
    assert len(release.problems) == 4
    for name in ("notes.md", "bad.csv", "cut.fits", "two.h5: short"):
        assert any(name in problem for problem in release.problems), name


def test_a_folder_with_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n")
    (tmp_path / "b.md").write_text("")
    with pytest.raises(DataError, match=r"a\.csv.*and 1 more"):
        open_release(tmp_path)


def test_unknown_numbers(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "good.txt", np.transpose((WAVE, FLUX)))
    release = open_release(tmp_path)
    for unknown in (0, 2, -5, 10**30):
        with pytest.raises(DataError, match=r"from 1 to 1, the nearest is 1 \(good\)"):
            release.detection(unknown)


# ------------------------------------------------------------------------------------------- real data


def test_real_spectra(shared: Path) -> None:
    """All 137: in the order of the index beside them, with its classes' redshifts and positions."""
    folder = shared / "reference" / "real"
    with (folder / "spectra_index_dev.csv").open() as file:
        listed = {row["name"]: row for row in csv.DictReader(file)}
    release = open_release(folder / "spectra_dev.h5")
    assert len(release) == 137 and release.problems == ()
    assert set(release.index().label) == set(listed)
    for number in release.detectids():
        detection = release.detection(number)
        row = listed[detection.name]
        wave = detection.spectrum.wavelength
        assert detection.source_z == pytest.approx(float(row["truth_z"]), abs=1e-6)
        assert detection.ra == pytest.approx(float(row["ra"] or "nan"), nan_ok=True)
        assert wave[0] >= 3450 and wave[-1] <= 5560
        shift = float(row["wave_min"]) - wave[0]
        if float(row["wave_min"]) > 3470:
            # Air wavelengths are 1.0 to 1.5 Å below those in vacuum here; the list is rounded to 0.1 Å.
            assert (0.95 < shift < 1.5) if row["wave_medium"] == "vacuum" else abs(shift) < 0.06, detection.name
        unsaid = row["calib"].startswith("COUNTS") or "not stated" in row["calib"]
        assert ("flux_calibration" in detection.not_available) == unsaid
        expected = 137 if detection.name.startswith(("gtc", "wht")) else 0
        assert np.isnan(detection.spectrum.lsf_sigma) == bool(expected)
