"""Reading single spectra in the formats that people have them in."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.nddata import StdDevUncertainty

from elixer_widgets._packed import is_packed
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.layout import text
from elixer_widgets.releases.reading import damage_said, open_fits, open_h5, sound
from elixer_widgets.releases.spectrum import FoundSpectrum, parse_magnitudes
from elixer_widgets.releases.spectrum_columns import choose
from elixer_widgets.releases.spectrum_fits import FITS_SUFFIXES, about_of, from_fits, header_words
from elixer_widgets.releases.spectrum_tables import About, How, Raw, brief, from_ecsv, from_text, spectrum_of

TEXT_SUFFIXES = (".txt", ".dat", ".csv", ".tsv", ".asc", ".ascii", ".spec")
TABLE_SUFFIXES = (".ecsv",)
HDF5_SUFFIXES = (".h5", ".hdf5")


def read_file(path: Path, how: How) -> Iterator[FoundSpectrum]:
    """The spectra of one file that is not HDF5 (see `read_groups`), in its own order.

    Raises
    ------
    DataError
        If the file holds no spectrum in the HETDEX range that can be read.
    """
    suffix = path.suffix.lower()
    if suffix in (".gz", ".bz2", ".xz"):  # FITS is unpacked on the way
        inner = Path(path.stem).suffix.lower()
        suffix = inner if inner in FITS_SUFFIXES else suffix
    if suffix in TABLE_SUFFIXES:
        yield from_ecsv(path, how)
    elif suffix in TEXT_SUFFIXES:
        yield from_text(path, how)
    elif suffix in FITS_SUFFIXES:
        made = list(from_fits(path, how))
        yield from made or _through_specutils(path, how, header_words(path))
    elif suffix in (".asdf", ".xml", ".vot"):
        yield from _through_specutils(path, how, {})
    else:
        raise DataError(f"{path}: not a known kind of spectrum; give FITS, HDF5, ECSV, CSV or plain text")


# ------------------------------------------------------------------------------------------------- HDF5


def read_groups(path: Path, how: How) -> Iterator[tuple[str, FoundSpectrum | DataError]]:
    """The spectra of an HDF5 file by the names of their groups, or what is wrong with them.

    Raises
    ------
    DataError
        If no group has columns of wavelength and flux, or the file is damaged.
    """
    with open_h5(path) as file:
        odd: list[tuple[str, DataError]] = []
        others: list[tuple[str, DataError]] = []  # nothing that could be a spectrum
        read = 0
        for name in file:
            try:
                with damage_said(Path(f"{path}: {name}"), "HDF5"):
                    made = _from_group(path, name, file[name], how)
            except _NoSpectrum as error:
                others.append((name, error))
            except DataError as error:
                odd.append((name, error))
            else:
                read += 1
                yield name, made
        if not read and not odd:
            raise DataError(f"{path}: no group with wave and flux in it; give one group a spectrum")
        yield from [*odd, *others]


class _NoSpectrum(DataError):
    """What lies in an HDF5 file beside its spectra."""


def read_group(path: Path, name: str, how: How) -> FoundSpectrum:
    """The spectrum of one group: datasets `wave` (Å), `flux`, `err` (0: masked), and attributes about it.

    Raises
    ------
    DataError
        If there is no such group, its arrays do not fit, or it lies outside the HETDEX range.
    """
    with open_h5(path) as file:
        if name not in file:
            raise DataError(f"{path}: has no spectrum {name!r}; check the name")
        return _from_group(path, name, file[name], how)


def _from_group(path: Path, name: str, group: Any, how: How) -> FoundSpectrum:
    where = f"{path}: {name}"
    if not isinstance(group, h5py.Group):
        raise _NoSpectrum(f"{where}: is not a group; give one group a spectrum, with wave and flux in it")
    held, notes = _datasets(path, group)
    if len(held) < 2:
        raise _NoSpectrum(
            f"{where}: holds no wavelengths and fluxes; give one group a spectrum, with wave and flux in it"
        )
    chosen = choose(where, list(held), how.columns)
    about = {key: text(value) if isinstance(value, bytes) else value for key, value in group.attrs.items()}
    table = {
        column: Raw(np.asarray(sound(data, path)[...]), _words(data.attrs, "unit", "units"))
        for column, data in held.items()
        if column in (chosen.wave, chosen.flux, chosen.error, chosen.mask)
    }
    more = {
        "wavelength": _attribute(about, "wavelength", "line_wavelength", "wave_obs"),
        "magnitudes": parse_magnitudes(str(about.get("mags", ""))),
        "source_z": _attribute(about, "truth_z", "z", "redshift"),
        "lsf_sigma": _attribute(about, "lsf_sigma"),
        "resolution": _attribute(about, "resolution", "R"),
    }
    return spectrum_of(
        where,
        name,
        table,
        how,
        About(
            unit=_words(about, "calib", "flux_unit", "unit", "units", "bunit", "BUNIT"),
            medium=_stated_medium(about),
            bin_width=_attribute(about, "SPECBW", "specbw", "bin_width"),
            ra=_attribute(about, "ra", "RA"),
            dec=_attribute(about, "dec", "DEC"),
            instruments=(str(about.get("instrument", "")), name),
            notes=tuple(notes),
            more=more,
        ),
    )


def _datasets(path: Path, group: h5py.Group) -> tuple[dict[str, h5py.Dataset], list[str]]:
    """The datasets of a group by their names, and notes on those that are links."""
    held: dict[str, h5py.Dataset] = {}
    notes: list[str] = []
    for key in group:
        link = group.get(key, getlink=True)
        if isinstance(link, h5py.SoftLink):
            notes.append(f"{key!r} is a link to {link.path}")
        with damage_said(Path(f"{path}: {text(group.name).strip('/')}"), "HDF5"):
            item = group[key]
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "fiu":
            held[key] = item
    return held, notes


def _stated_medium(about: Mapping[str, Any]) -> str:
    said = (_words(about, "wave_medium", "medium", "AIRORVAC", "airorvac") or "").lower()
    return "vacuum" if said.startswith("vac") else "air" if said.startswith("air") else ""


def _words(about: Mapping[str, Any], *names: str) -> str | None:
    """The first of some attributes that is a text; None if none is."""
    for name in names:
        value = about.get(name)
        if isinstance(value, bytes):
            value = text(value)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _attribute(about: Mapping[str, Any], *names: str) -> float:
    for name in names:
        try:
            return float(about[name])
        except (KeyError, TypeError, ValueError):
            continue
    return NAN


# -------------------------------------------------------------------------------------------- specutils


def _through_specutils(path: Path, how: How, header: Mapping[str, Any]) -> Iterator[FoundSpectrum]:
    """Images of one axis, and whatever else specutils reads that holds no table of columns."""
    try:
        with warnings.catch_warnings(), damage_said(path, "spectrum"):
            warnings.simplefilter("ignore")
            spectra = _loaded(path) if not is_packed(str(path)) else _unpacked(path)
            parts = [part for spectrum in spectra for part in _flat(spectrum)]
            tables = [_columns(part) for part in parts]
    except DataError as fault:
        raise DataError(
            f"{path}: not a spectrum that specutils knows ({_reason(fault)}); give wavelength, flux and error as ECSV"
        ) from fault
    if not parts:
        raise DataError(f"{path}: holds no spectrum; give another file")
    for number, (table, spread) in enumerate(tables, 1):
        label = f"{path.stem} {number}" if len(parts) > 1 else path.stem
        about = about_of(path, header, spread)
        yield spectrum_of(str(path), label, table, How(unit=how.unit, medium=how.medium), about)


def _reason(fault: BaseException) -> str:
    """What a library said first."""
    while fault.__cause__ is not None:
        fault = fault.__cause__
    return brief(fault)


def _loaded(path: Path) -> list[Any]:
    import specutils

    # The class was renamed in specutils 2.
    reader = getattr(specutils, "Spectrum", None) or specutils.Spectrum1D
    try:
        with damage_said(path, "spectrum"):
            return [reader.read(str(path))]
    except DataError as first:
        try:
            with damage_said(path, "spectrum"):
                return list(specutils.SpectrumList.read(str(path)))
        except DataError:
            raise first from None


def _unpacked(path: Path) -> list[Any]:
    """The library would unpack all of a file, whatever comes out: it gets what is FITS in it."""
    with tempfile.TemporaryDirectory() as place, open_fits(path) as hdus:
        bare = Path(place) / Path(path.stem).with_suffix(".fits")
        hdus.writeto(bare, output_verify="ignore")
        return _loaded(bare)


def _flat(spectrum: Any) -> Iterator[Any]:
    if spectrum.flux.ndim == 1:
        yield spectrum
        return
    for part in spectrum:
        yield from _flat(part)


def _columns(spectrum: Any) -> tuple[dict[str, Raw], str]:
    """The parts of a specutils spectrum as columns."""
    axis = spectrum.spectral_axis
    flux = np.ma.MaskedArray(spectrum.flux.value, False if spectrum.mask is None else np.asarray(spectrum.mask, bool))
    table = {"wavelength": Raw(np.asarray(axis.value), axis.unit), "flux": Raw(flux, spectrum.flux.unit)}
    if spectrum.uncertainty is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            table["error"] = Raw(np.asarray(spectrum.uncertainty.represent_as(StdDevUncertainty).array))
    return table, ""
