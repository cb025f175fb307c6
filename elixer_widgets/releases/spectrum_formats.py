"""Reading single spectra in the formats that people have them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import h5py
import numpy as np
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.table import Table as AstropyTable

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.layout import text
from elixer_widgets.releases.reading import open_h5
from elixer_widgets.releases.spectrum import FoundSpectrum, found_spectrum, parse_magnitudes
from elixer_widgets.releases.spectrum_tables import (
    READ_FAULTS,
    brief,
    columns_of,
    flux_factor,
    from_ecsv,
    from_text,
)

TEXT_SUFFIXES = (".txt", ".dat", ".csv", ".tsv", ".asc", ".ascii", ".spec")
TABLE_SUFFIXES = (".ecsv",)
HDF5_SUFFIXES = (".h5", ".hdf5")
FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fz")


def read_file(path: Path) -> Iterator[FoundSpectrum]:
    """The spectra of one file that is not HDF5 (see `read_groups`), in its own order.

    Raises
    ------
    DataError
        If the file holds no spectrum in the HETDEX range that can be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".gz":  # astropy unpacks FITS on the way
        suffix = Path(path.stem).suffix.lower()
        suffix = suffix if suffix in FITS_SUFFIXES else ".gz"
    if suffix in TABLE_SUFFIXES:
        yield from_ecsv(path)
    elif suffix in TEXT_SUFFIXES:
        yield from_text(path)
    elif suffix in FITS_SUFFIXES or suffix in (".asdf", ".xml", ".vot"):
        yield from _from_fits(path)
    else:
        raise DataError(f"{path}: not a known kind of spectrum; give FITS, HDF5, ECSV, CSV or plain text")


# ------------------------------------------------------------------------------------------------- HDF5


def read_groups(path: Path) -> Iterator[tuple[str, FoundSpectrum | DataError]]:
    """The spectra of an HDF5 file by the names of their groups, or what is wrong with them.

    Raises
    ------
    DataError
        If no group has `wave` and `flux`, or the file is damaged.
    """
    with open_h5(path) as file:
        names = [
            name for name, group in file.items() if isinstance(group, h5py.Group) and {"wave", "flux"} <= set(group)
        ]
        if not names:
            raise DataError(f"{path}: no group with wave and flux in it; give one group a spectrum")
        for name in names:
            try:
                yield name, _from_group(path, name, file[name])
            except DataError as error:
                yield name, error


def read_group(path: Path, name: str) -> FoundSpectrum:
    """The spectrum of one group: datasets `wave` (Å), `flux`, `err` (0: masked), and attributes about it.

    Raises
    ------
    DataError
        If there is no such group, its arrays do not fit, or it lies outside the HETDEX range.
    """
    with open_h5(path) as file:
        if name not in file:
            raise DataError(f"{path}: has no spectrum {name!r}; check the name")
        return _from_group(path, name, file[name])


def _from_group(path: Path, name: str, group: h5py.Group) -> FoundSpectrum:
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
        instruments=(str(about.get("instrument", "")), name),
    )


def _attribute(about: Mapping[str, Any], *names: str) -> float:
    for name in names:
        try:
            return float(about[name])
        except (KeyError, TypeError, ValueError):
            continue
    return NAN


# -------------------------------------------------------------------------------------------- specutils


def _from_fits(path: Path) -> Iterator[FoundSpectrum]:
    """Whatever specutils can read, else the first table with columns of wavelength and flux."""
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
            found = _from_table(path, header)
            if found is None:
                raise DataError(
                    f"{path}: not a spectrum that specutils knows ({brief(first)}); "
                    "give wavelength, flux and error as ECSV"
                ) from first
            yield found
            return
    if not spectra:
        raise DataError(f"{path}: holds no spectrum; give another file")
    parts = [part for spectrum in spectra for part in _flat(spectrum)]
    for number, part in enumerate(parts, 1):
        yield _from_specutils(path, f"{path.stem} {number}" if len(parts) > 1 else path.stem, part, header)


def _from_table(path: Path, header: Mapping[str, Any]) -> FoundSpectrum | None:
    """The spectrum in the first FITS table that has columns of wavelength and flux; None if there is none."""
    if path.suffix.lower() not in (*FITS_SUFFIXES, ".gz"):
        return None
    with fits.open(path) as hdus:
        for hdu in hdus:
            if not isinstance(hdu, fits.BinTableHDU) or isinstance(hdu, fits.CompImageHDU):
                continue
            table = AstropyTable.read(hdu, unit_parse_strict="silent")
            if not {name.lower() for name in table.colnames} & {"flux", "flam", "f_lambda"}:
                continue
            try:
                wave, flux, error, notes, uncalibrated = columns_of(path, table)
            except DataError:
                continue
            return _found_in_fits(path, path.stem, wave, flux, error, notes, uncalibrated, header)
    return None


def _flat(spectrum: Any) -> Iterator[Any]:
    if spectrum.flux.ndim == 1:
        yield spectrum
        return
    for part in spectrum:
        yield from _flat(part)


def _from_specutils(path: Path, label: str, spectrum: Any, header: Mapping[str, Any]) -> FoundSpectrum:
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
    factor = flux_factor(spectrum.flux.unit, wave)
    uncalibrated = ""
    if factor is None:
        unit = str(spectrum.flux.unit) or "none"
        uncalibrated = f"the flux unit {unit} is not a flux density"
        notes.append(f"fluxes kept as they are: {uncalibrated}")
    else:
        flux, error = flux * factor, None if error is None else error * factor
    if spectrum.mask is not None and np.any(spectrum.mask):
        flux = np.where(spectrum.mask, np.nan, flux)
    return _found_in_fits(path, label, wave, flux, error, notes, uncalibrated, header)


def _found_in_fits(
    path: Path,
    label: str,
    wave: np.ndarray,
    flux: np.ndarray,
    error: np.ndarray | None,
    notes: list[str],
    uncalibrated: str,
    header: Mapping[str, Any],
) -> FoundSpectrum:
    medium = _medium(header)
    if not medium:
        notes = [*notes, "the file does not say whether wavelengths are in air: taken as air"]
    return found_spectrum(
        str(path),
        label,
        wave,
        flux,
        error,
        medium or "air",
        notes,
        # Where a header has both, RA and DEC are where the telescope pointed, not where the object is.
        ra=_degrees(header, "PLUG_RA", "RA_TARG", "RA_OBJ", "OBJRA", "RA"),
        dec=_degrees(header, "PLUG_DEC", "DEC_TARG", "DEC_OBJ", "OBJDEC", "DEC"),
        uncalibrated=uncalibrated,
        instruments=(str(header.get("INSTRUME", "")), str(header.get("TELESCOP", "")), path.stem),
    )


def _fits_header(path: Path) -> dict[str, Any]:
    """The header words of all HDUs, the first to have a word winning; empty if it is no FITS file.

    Raises
    ------
    DataError
        If the file is a picture of the sky or a cube.
    """
    if path.suffix.lower() not in (*FITS_SUFFIXES, ".gz"):
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
        raise DataError(f"{path}: not a whole FITS file ({brief(error)}); copy it again") from error
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
