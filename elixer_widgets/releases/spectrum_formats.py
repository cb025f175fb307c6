"""Reading single spectra in the formats that people have them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import h5py
import numpy as np
from astropy.io import fits
from astropy.io.registry import IORegistryError
from astropy.nddata import StdDevUncertainty
from astropy.table import Table as AstropyTable

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.layout import text
from elixer_widgets.releases.reading import open_h5
from elixer_widgets.releases.spectrum import FoundSpectrum, found_spectrum, parse_magnitudes

FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
TEXT_SUFFIXES = (".txt", ".dat", ".csv", ".tsv", ".asc", ".ascii", ".spec")
TABLE_SUFFIXES = (".ecsv",)
HDF5_SUFFIXES = (".h5", ".hdf5")
FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fz", ".gz")

_WAVELENGTH = ("wavelength", "wave", "lambda", "lam", "spectral_axis", "wl", "angstrom")
_FLUX = ("flux", "flam", "f_lambda", "fluxdensity", "spec", "intensity", "counts")
_ERROR = ("error", "err", "sigma", "std", "uncertainty", "flux_error", "flux_err", "noise", "e_flux", "unc")
_INVERSE_VARIANCE = ("ivar", "inverse_variance")
_VARIANCE = ("var", "variance")

# What readers of foreign files may raise on a file that is not what it seems.
READ_FAULTS = (
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    UnicodeError,
    NotImplementedError,
    IORegistryError,
)


def read_file(path: Path) -> Iterator[FoundSpectrum]:
    """The spectra of one file, in its own order.

    Raises
    ------
    DataError
        If the file holds no spectrum in the HETDEX range that can be read.
    """
    suffix = path.suffix.lower()
    if suffix in HDF5_SUFFIXES:
        for name in hdf5_names(path):
            yield read_hdf5(path, name)
    elif suffix in TABLE_SUFFIXES:
        yield _from_ecsv(path)
    elif suffix in TEXT_SUFFIXES:
        yield _from_text(path)
    elif suffix in FITS_SUFFIXES or suffix in (".asdf", ".xml", ".vot"):
        yield from _from_specutils(path)
    else:
        raise DataError(f"{path}: not a known kind of spectrum; give FITS, HDF5, ECSV, CSV or plain text")


# ------------------------------------------------------------------------------------------------- HDF5


def hdf5_names(path: Path) -> list[str]:
    """The groups of an HDF5 file that hold a spectrum (`wave` and `flux`)."""
    with open_h5(path) as file:
        return [
            name
            for name, group in file.items()
            if isinstance(group, h5py.Group) and "wave" in group and "flux" in group
        ]


def read_hdf5(path: Path, name: str) -> FoundSpectrum:
    """The spectrum of one group: datasets `wave` (Å), `flux`, `err` (0: masked), and attributes about it.

    Raises
    ------
    DataError
        If there is no such group, its arrays do not fit, or it lies outside the HETDEX range.
    """
    with open_h5(path) as file:
        if name not in file:
            raise DataError(f"{path}: has no spectrum {name!r}; check the name")
        group = file[name]
        wave, flux = np.asarray(group["wave"][...], float), np.asarray(group["flux"][...], float)
        error = np.asarray(group["err"][...], float) if "err" in group else None
        about = {key: text(value) if isinstance(value, bytes) else value for key, value in group.attrs.items()}
    calibration = str(about.get("calib", ""))
    uncalibrated = calibration if "count" in calibration.lower() else ""
    notes: list[str] = []
    if uncalibrated:
        notes.append(f"fluxes are not calibrated ({calibration})")
    elif not calibration:
        notes.append("the file gives no flux unit: taken as 1e-17 erg/s/cm²/Å")
    elif not calibration.replace(" ", "").startswith("1e-17erg/s/cm2/A"):
        notes.append(f"flux unit as the file has it: {calibration}")
    medium = str(about.get("wave_medium", "")).lower()
    wavelength = _attribute(about, "wavelength", "line_wavelength", "wave_obs")
    return found_spectrum(
        f"{path}: {name}",
        name,
        wave,
        flux,
        error,
        medium,
        notes,
        wavelength=wavelength,
        ra=_attribute(about, "ra", "RA"),
        dec=_attribute(about, "dec", "DEC"),
        magnitudes=parse_magnitudes(str(about.get("mags", ""))),
        source_z=_attribute(about, "truth_z", "z", "redshift"),
        uncalibrated=uncalibrated,
        lsf_sigma=_attribute(about, "lsf_sigma"),
        resolution=_attribute(about, "resolution", "R"),
        instrument=str(about.get("instrument", "")) or name,
    )


def _attribute(about: Mapping[str, Any], *names: str) -> float:
    for name in names:
        try:
            return float(about[name])
        except (KeyError, TypeError, ValueError):
            continue
    return NAN


# ------------------------------------------------------------------------------------------------- text


def _from_text(path: Path) -> FoundSpectrum:
    """Two or three columns of numbers, split by commas or blanks, with or without a line of names."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: not a text file ({error}); give columns of wavelength, flux and error") from error
    names: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare.startswith(("#", "%", "!", ";")):
            continue
        parts = [part.strip() for part in (bare.split(",") if "," in bare else bare.split())]
        values = [_value(part) for part in parts]
        if None in values:
            if not rows and not names:
                names = [part.lower() for part in parts]
                continue
            raise DataError(f"{path}: line {number} is not numbers ({bare[:40]!r}); give two or three columns")
        rows.append([value for value in values if value is not None])
    if not rows or len({len(row) for row in rows}) != 1:
        raise DataError(f"{path}: no table of numbers with equal lines; give wavelength, flux and error")
    columns = np.array(rows).T
    if len(columns) < 2 or (len(columns) > 3 and not names) or (names and len(names) != len(columns)):
        raise DataError(
            f"{path}: has {len(columns)} columns; give wavelength (Å), flux and error, or name them in the first line"
        )
    table = dict(zip(names or ("wavelength", "flux", "error"), columns, strict=False))
    return _from_columns(path, table, ["the file gives no units: taken as Å and 1e-17 erg/s/cm²/Å"])


def _value(part: str) -> float | None:
    """The number written, NaN where a missing one is meant, None where it is no number."""
    if part.lower() in ("", "nan", "na", "n/a", "null", "--", "none"):
        return NAN
    try:
        return float(part)
    except ValueError:
        return None


def _from_ecsv(path: Path) -> FoundSpectrum:
    try:
        table = AstropyTable.read(path, format="ascii.ecsv")
    except READ_FAULTS as error:
        raise DataError(f"{path}: not an ECSV table ({_brief(error)}); write it with astropy") from error
    columns: dict[str, np.ndarray] = {}
    notes: list[str] = []
    uncalibrated = ""
    wave_name, flux_name = _pick(table.colnames, _WAVELENGTH, 0), _pick(table.colnames, _FLUX, 1)
    for name in table.colnames:
        if table[name].dtype.kind not in "fiu" or table[name].ndim != 1:
            continue
        values: np.ndarray = np.ma.filled(np.ma.asarray(table[name].data, float), np.nan)
        unit = table[name].unit
        if unit is not None and name == wave_name:
            values = u.Quantity(values, unit).to_value(u.AA, u.spectral())
        elif unit is not None and name != wave_name:
            factor = _flux_factor(unit, np.asarray(columns.get(wave_name or "", values)))
            if factor is not None:
                values = values * factor
            elif name == flux_name:
                uncalibrated = f"the flux unit {unit} is not a flux density"
                notes.append(f"fluxes kept as they are: {uncalibrated}")
        elif name == flux_name:
            notes.append("the file gives no flux unit: taken as 1e-17 erg/s/cm²/Å")
        columns[name.lower()] = values
    return _from_columns(path, columns, notes, uncalibrated)


def _from_columns(
    path: Path, columns: Mapping[str, np.ndarray], notes: list[str], uncalibrated: str = ""
) -> FoundSpectrum:
    names = list(columns)
    wave, flux = _pick(names, _WAVELENGTH, 0), _pick(names, _FLUX, 1)
    if wave is None or flux is None or wave == flux:
        raise DataError(f"{path}: no columns of wavelength and flux among {', '.join(names) or 'none'}; name them so")
    error: np.ndarray | None = None
    named = _pick(names, _ERROR, 2 if len(names) == 3 else None)
    ivar, variance = _pick(names, _INVERSE_VARIANCE, None), _pick(names, _VARIANCE, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        if ivar is not None:
            error = 1.0 / np.sqrt(columns[ivar])
        elif variance is not None:
            error = np.sqrt(columns[variance])
        elif named is not None and named not in (wave, flux):
            error = columns[named]
    notes = [*notes, "the file does not say whether wavelengths are in air: taken as air"]
    return found_spectrum(
        str(path), path.stem, columns[wave], columns[flux], error, "air", notes,
        uncalibrated=uncalibrated, instrument=path.stem,
    )  # fmt: skip


def _pick(names: list[str], wanted: tuple[str, ...], place: int | None) -> str | None:
    """The first name that is wanted, else the one at `place` if there are just unnamed ones."""
    for name in wanted:
        for given in names:
            if given.lower() == name:
                return given
    for name in wanted:
        for given in names:
            if len(name) > 3 and given.lower().startswith(name):
                return given
    return names[place] if place is not None and place < len(names) else None


# -------------------------------------------------------------------------------------------- specutils


def _from_specutils(path: Path) -> Iterator[FoundSpectrum]:
    """Whatever specutils can read."""
    header = _fits_header(path)
    import specutils

    # The class was renamed in specutils 2.
    reader = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D
    try:
        spectra = [reader.read(str(path))]
    except READ_FAULTS as first:
        try:
            spectra = list(specutils.SpectrumList.read(str(path)))
        except READ_FAULTS:
            raise DataError(
                f"{path}: not a spectrum that specutils knows ({_brief(first)}); "
                "give wavelength, flux and error as ECSV"
            ) from first
    if not spectra:
        raise DataError(f"{path}: holds no spectrum; give another file")
    many = len(spectra) > 1 or any(spectrum.flux.ndim > 1 for spectrum in spectra)
    number = 0
    for spectrum in spectra:
        for part in _flat(spectrum):
            number += 1
            label = f"{path.stem} {number}" if many else path.stem
            yield _from_specutils_one(path, label, part, header)


def _flat(spectrum: Any) -> Iterator[Any]:
    if spectrum.flux.ndim == 1:
        yield spectrum
        return
    for part in spectrum:
        yield from _flat(part)


def _from_specutils_one(path: Path, label: str, spectrum: Any, header: Mapping[str, Any]) -> FoundSpectrum:
    notes: list[str] = []
    try:
        wave = u.Quantity(spectrum.spectral_axis).to_value(u.AA, u.spectral())
    except u.UnitConversionError as fault:
        raise DataError(
            f"{path}: the spectral axis is in {spectrum.spectral_axis.unit}, no wavelength; give it in Å"
        ) from fault
    flux = np.asarray(spectrum.flux.value, float)
    error = None
    if spectrum.uncertainty is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.asarray(spectrum.uncertainty.represent_as(StdDevUncertainty).array, float)
    factor = _flux_factor(spectrum.flux.unit, wave)
    uncalibrated = ""
    if factor is None:
        unit = str(spectrum.flux.unit) or "none"
        uncalibrated = f"the flux unit {unit} is not a flux density"
        notes.append(f"fluxes kept as they are: {uncalibrated}")
    else:
        flux, error = flux * factor, None if error is None else error * factor
    if spectrum.mask is not None and np.any(spectrum.mask):
        flux = np.where(spectrum.mask, np.nan, flux)
    medium = _medium(header)
    if not medium:
        notes.append("the file does not say whether wavelengths are in air: taken as air")
    instrument = str(header.get("INSTRUME", "")) or str(header.get("TELESCOP", "")) or path.stem
    return found_spectrum(
        str(path), label, wave, flux, error, medium or "air", notes,
        ra=_degrees(header, "RA", "PLUG_RA", "RA_TARG", "RA_OBJ"),
        dec=_degrees(header, "DEC", "PLUG_DEC", "DEC_TARG", "DEC_OBJ"),
        uncalibrated=uncalibrated, instrument=instrument,
    )  # fmt: skip


def _fits_header(path: Path) -> dict[str, Any]:
    """The header words of all HDUs, the first to have a word winning; empty if it is no FITS file.

    Raises
    ------
    DataError
        If the file is a picture of the sky or a cube.
    """
    if path.suffix.lower() not in FITS_SUFFIXES:
        return {}
    words: dict[str, Any] = {}
    try:
        with fits.open(path, memmap=True) as hdus:
            for hdu in hdus:
                axes = [str(hdu.header.get(f"CTYPE{number}", "")) for number in (1, 2, 3)]
                if any(axis.startswith(("RA--", "DEC-", "GLON", "GLAT")) for axis in axes):
                    shape = " x ".join(str(size) for size in getattr(hdu, "shape", ()))
                    raise DataError(f"{path}: holds an image of the sky ({shape}) and no spectrum; give a spectrum")
                for word, value in hdu.header.items():
                    words.setdefault(word, value)
    except OSError as error:
        raise DataError(f"{path}: not a whole FITS file ({_brief(error)}); copy it again") from error
    return words


def _medium(header: Mapping[str, Any]) -> str:
    """ "air" or "vacuum" as the header has it, empty if it does not say.

    `WAVE` and `AWAV` are the vacuum and air axes of the FITS standard (Greisen et al. 2006, A&A 446, 747).
    """
    stated = str(header.get("AIRORVAC", "")).lower()
    if stated.startswith(("air", "vac")):
        return "air" if stated.startswith("air") else "vacuum"
    if header.get("VACUUM") in (True, 1, "T") or str(header.get("TELESCOP", "")).upper().startswith("SDSS"):
        return "vacuum"
    axis = str(header.get("CTYPE1", "")).upper()
    return "air" if axis.startswith("AWAV") else "vacuum" if axis.startswith("WAVE-") or axis == "WAVE" else ""


def _degrees(header: Mapping[str, Any], *names: str) -> float:
    for name in names:
        value = header.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return NAN


def _flux_factor(unit: u.UnitBase | None, wave: np.ndarray) -> np.ndarray | None:
    """What a flux in `unit` is multiplied by to be in 1e-17 erg/s/cm²/Å; None if it is no flux density."""
    if unit is None:
        return None
    try:
        return u.Quantity(np.ones(wave.shape), unit).to_value(FLUX_UNIT, u.spectral_density(wave * u.AA))
    except u.UnitConversionError:
        return None


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:80] if lines else type(error).__name__
