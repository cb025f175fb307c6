"""Spectra in FITS: tables with columns, images called after what they hold, and what headers say of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.reading import open_fits
from elixer_widgets.releases.spectrum import FoundSpectrum
from elixer_widgets.releases.spectrum_columns import choose
from elixer_widgets.releases.spectrum_tables import (
    MOST_SAMPLES,
    About,
    How,
    Raw,
    columns_in,
    refuse_lists,
    spectrum_of,
)

FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fz")
MOST_SPECTRA = 1000
"""Of one file; larger sets are releases of their own."""

# The blue arm of DESI ends at 5800 Å, beyond the HETDEX range (DESI Collaboration 2022, AJ 164, 207).
_DESI = ("B_WAVELENGTH", "B_FLUX", "B_IVAR")
_SDSS_UNIT = "1e-17 erg/s/cm2/Angstrom"  # of `flux` in SDSS spec files, by their data model


def from_fits(path: Path, how: How) -> Iterator[FoundSpectrum]:
    """The spectra in the tables or in the named images of a FITS file; none if it has neither.

    Raises
    ------
    DataError
        If the file is damaged, is a picture of the sky or a cube, or its columns cannot be told apart.
    """
    words = header_words(path)
    with open_fits(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if set(_DESI[:2]) <= set(names):
            yield from _from_desi(path, hdus, how, words)
            return
        tables = [hdu for hdu in hdus if _is_table(hdu)]
        images = [hdu for hdu in hdus if _is_array(hdu)]
        fault: DataError | None = None
        for hdu in tables:
            try:
                yield from _from_table(path, hdu, how, words)
                return
            except DataError as error:
                fault = fault or error
        if len(images) > 1:
            made = _from_images(path, images, how, words)
            if made is not None:
                yield made
                return
        if fault is not None:
            raise fault


def _is_table(hdu: Any) -> bool:
    return isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and not isinstance(hdu, fits.CompImageHDU)


def _is_array(hdu: Any) -> bool:
    return bool(getattr(hdu, "is_image", False)) and len(getattr(hdu, "shape", ())) == 1


def _from_table(path: Path, hdu: Any, how: How, words: Mapping[str, Any]) -> Iterator[FoundSpectrum]:
    """One spectrum of a table with a sample a row, or several of a table with arrays in its rows."""
    table = Table.read(hdu, unit_parse_strict="silent")
    vectors = [name for name in table.colnames if table[name].ndim == 2 and table[name].shape[1] > 1]
    rows = len(table)
    if not vectors:
        refuse_lists(str(path), table.colnames, rows)
        if rows > MOST_SAMPLES:
            raise DataError(f"{path}: holds {rows} rows; a spectrum has at most {MOST_SAMPLES}, give one spectrum")
        yield spectrum_of(str(path), path.stem, columns_in(table), how, _about_table(path, hdu, words))
        return
    held = columns_in(table[vectors])
    choose(str(path), list(held), how.columns)
    if rows > MOST_SPECTRA:
        raise DataError(f"{path}: holds {rows} spectra; give at most {MOST_SPECTRA} in one file")
    for row in range(rows):
        one = {name: Raw(raw.values[row], raw.unit) for name, raw in held.items()}
        label = f"{path.stem} {row + 1}" if rows > 1 else path.stem
        yield spectrum_of(str(path), label, one, how, _about_table(path, hdu, words))


def _about_table(path: Path, hdu: Any, words: Mapping[str, Any]) -> About:
    sdss = str(words.get("TELESCOP", "")).upper().startswith("SDSS")
    names = {str(name).lower() for name in getattr(hdu.columns, "names", ())}
    unit = _SDSS_UNIT if sdss and {"loglam", "ivar"} <= names and not words.get("BUNIT") else None
    about = about_of(path, words)
    return about if unit is None else _with_unit(about, unit)


def _with_unit(about: About, unit: str) -> About:
    from dataclasses import replace

    return replace(about, unit=unit, notes=(*about.notes, "flux unit by the data model of SDSS"))


def _from_images(path: Path, images: list[Any], how: How, words: Mapping[str, Any]) -> FoundSpectrum | None:
    """A spectrum whose parts are images of one axis called WAVELENGTH, FLUX, ERROR, ...; None if they are not.

    Without an image of wavelengths the flux's own axis says them.
    """
    held = {hdu.name or "FLUX": Raw(np.asarray(hdu.data), hdu.header.get("BUNIT")) for hdu in images}
    axis = next((_axis(hdu) for hdu in images if "CTYPE1" in hdu.header or "CRVAL1" in hdu.header), None)
    if axis is not None and "WAVELENGTH" not in held:
        held = {"PRIMARY FLUX" if name == "PRIMARY" else name: raw for name, raw in held.items()}
        held = {name.replace("PRIMARY FLUX", "FLUX"): raw for name, raw in held.items()}
        held["WAVELENGTH"] = axis
    try:
        choose(str(path), list(held), how.columns)
    except DataError as error:
        if "may be any of" in str(error):
            raise
        return None
    return spectrum_of(str(path), path.stem, held, how, about_of(path, words))


def _axis(hdu: Any) -> Raw:
    """The wavelengths of an image of one axis, by its WCS (Å or what CUNIT1 says)."""
    header = fits.Header({key: hdu.header[key] for key in _AXIS if key in hdu.header})
    wcs = WCS(header, naxis=1)
    values = np.asarray(wcs.wcs_pix2world(np.arange(hdu.shape[0]), 0)[0], float)
    unit = str(wcs.wcs.cunit[0])  # wcslib turns Angstrom into m
    if "DC-FLAG" in hdu.header and hdu.header["DC-FLAG"] == 1:
        return Raw(10.0**values, "Angstrom")
    return Raw(values, unit or None)


_AXIS = ("CTYPE1", "CUNIT1", "CRVAL1", "CRPIX1", "CDELT1", "CD1_1", "PC1_1")


def _from_desi(path: Path, hdus: Any, how: How, words: Mapping[str, Any]) -> Iterator[FoundSpectrum]:
    """The blue arm of a DESI file: wavelengths in vacuum, by its data model."""
    wave, flux = np.asarray(hdus[_DESI[0]].data), np.atleast_2d(hdus[_DESI[1]].data)
    ivar = np.atleast_2d(hdus[_DESI[2]].data) if _DESI[2] in hdus else None
    bad = np.atleast_2d(hdus["B_MASK"].data) if "B_MASK" in hdus else None
    if len(flux) > MOST_SPECTRA or (ivar is not None and ivar.shape != flux.shape):
        raise DataError(f"{path}: {len(flux)} spectra, inverse variances of another shape; give at most {MOST_SPECTRA}")
    unit = hdus[_DESI[1]].header.get("BUNIT")
    places = hdus["FIBERMAP"].data if "FIBERMAP" in hdus else None
    for row in range(len(flux)):
        held = {"B_WAVELENGTH": Raw(wave, hdus[_DESI[0]].header.get("BUNIT")), "B_FLUX": Raw(flux[row], unit)}
        if ivar is not None:
            weight = ivar[row] if bad is None or bad.shape != ivar.shape else np.where(bad[row] != 0, 0.0, ivar[row])
            held["B_IVAR"] = Raw(weight)
        about = About(
            medium="vacuum",
            ra=_place(places, "TARGET_RA", row),
            dec=_place(places, "TARGET_DEC", row),
            instruments=("desi",),
            notes=("the blue arm of a DESI file, whose wavelengths are in vacuum",),
        )
        label = f"{path.stem} {row + 1}" if len(flux) > 1 else path.stem
        yield spectrum_of(str(path), label, held, How(unit=how.unit, medium=how.medium), about)


def _place(table: Any, name: str, row: int) -> float:
    if table is None or name not in (table.dtype.names or ()) or row >= len(table):
        return NAN
    return float(table[name][row])


# ------------------------------------------------------------------------------------------------- headers


def header_words(path: Path) -> dict[str, Any]:
    """The header words of all HDUs, the first to have a word winning.

    Raises
    ------
    DataError
        If the file is damaged, or is a picture of the sky or a cube.
    """
    words: dict[str, Any] = {}
    with open_fits(path) as hdus:
        for hdu in hdus:
            axes = [str(hdu.header.get(f"CTYPE{number}", "")) for number in (1, 2, 3)]
            if any(axis.startswith(("RA--", "DEC-", "GLON", "GLAT")) for axis in axes):
                shape = " x ".join(str(size) for size in getattr(hdu, "shape", ()))
                raise DataError(f"{path}: holds an image of the sky ({shape}) and no spectrum; give a spectrum")
            for word in hdu.header:
                words.setdefault(word, hdu.header[word])
    return words


def about_of(path: Path, header: Mapping[str, Any], note: str = "") -> About:
    """What a header says of the spectrum beside its columns."""
    return About(
        unit=header.get("BUNIT") if isinstance(header.get("BUNIT"), str) else None,
        medium=medium_of(header),
        bin_width=_number(header, "SPECBW"),
        # Where a header has both, RA and DEC are where the telescope pointed, not where the object is.
        ra=_number(header, "PLUG_RA", "RA_TARG", "RA_OBJ", "OBJRA", "RA"),
        dec=_number(header, "PLUG_DEC", "DEC_TARG", "DEC_OBJ", "OBJDEC", "DEC"),
        instruments=(str(header.get("INSTRUME", "")), str(header.get("TELESCOP", "")), path.stem),
        notes=(note,) if note else (),
    )


def medium_of(header: Mapping[str, Any]) -> str:
    """ "air" or "vacuum" as the header has it, empty if it does not say.

    `WAVE` and `AWAV` are the vacuum and air axes of the FITS standard (Greisen et al. 2006, A&A 446, 747).
    """
    stated = str(header.get("AIRORVAC", "")).lower()
    if stated.startswith(("air", "vac")):
        return "air" if stated.startswith("air") else "vacuum"
    vacuum = header.get("VACUUM")
    if vacuum is not None and str(vacuum).strip().upper() in ("TRUE", "T", "1", "FALSE", "F", "0"):
        return "vacuum" if str(vacuum).strip().upper() in ("TRUE", "T", "1") else "air"
    if str(header.get("TELESCOP", "")).upper().startswith("SDSS"):
        return "vacuum"
    axis = str(header.get("CTYPE1", "")).upper()
    return "air" if axis.startswith("AWAV") else "vacuum" if axis.startswith("WAVE-") or axis == "WAVE" else ""


def _number(header: Mapping[str, Any], *names: str) -> float:
    for name in names:
        value = header.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return NAN
