"""Columns of tables, whatever the file: FITS, VOTable, ECSV, CSV, or text.

Column names are compared in lower case, with "." as "_" and without the prefixes that join programs put before them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.table.meta import get_header_from_yaml

from elixer_widgets._fits_files import open_fits_file
from elixer_widgets._packed import require_file
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.imaging.text_tables import read_text

Columns = Mapping[str, np.ndarray]

IDENTIFIERS = ("id", "number", "objid", "object_id", "objectid")
RA = ("ra", "alpha_j2000", "x_world", "alphawin_j2000", "coord_ra", "raj2000", "plug_ra")
DEC = ("dec", "delta_j2000", "y_world", "deltawin_j2000", "coord_dec", "dej2000", "plug_dec")

# CDS catalogues (VizieR) write a position in seven columns, with the sign of Dec in one of its own.
_RA_PARTS, _DEC_PARTS = ("rah", "ram", "ras"), ("ded", "dem", "des")
_SIGN = "de-"
_PARTS = {*_RA_PARTS, _SIGN, *_DEC_PARTS}

_FITS = re.compile(r"\.fits?(\.fz|\.gz|\.bz2)?$")
_LARGEST_XML = 25_000_000  # bytes of a VOTable, of which a million rows would take minutes
_LARGEST_HEADER = 1_000_000  # bytes of the header of an ECSV


class Read(dict[str, np.ndarray]):
    """Columns by name; `units` are those that the table states, `notes` what was not taken as it stands."""

    def __init__(self) -> None:
        super().__init__()
        self.units: dict[str, str] = {}
        self.notes: list[str] = []
        self.path: Path | str = ""

    def say(self, note: str) -> None:
        """Note something about the file, once."""
        note = f"{self.path}: {note}" if self.path else note
        if note not in self.notes:
            self.notes.append(note)


def plain_name(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"^(src|ref)_(?=\w)", "", name.strip().lower().replace(".", "_"))


def read_columns(path: Path, wanted: Iterable[str], radians: Iterable[str] = ()) -> Read:
    """The columns of a table that have one of the wanted names; only these are read.

    Parameters
    ----------
    path : Path
        A FITS table (also compressed), VOTable, ECSV, CSV, or text with a `#` header.
    wanted : iterable of str
    radians : iterable of str
        Columns that hold radians where the table does not say what they hold.

    Returns
    -------
    Read
        Name, as it is compared, to the column's values; angles in degrees.

    Raises
    ------
    DataError
        If the file cannot be read as a table.
    """
    wanted, radians = set(wanted) - {""}, set(radians)
    asked = wanted
    if not wanted.isdisjoint(RA):
        wanted = wanted | _PARTS
    require_file(path)
    if _FITS.search(path.name.lower()):
        found = _fits_columns(path, wanted)
    else:
        with path.open("rb") as file:
            start = file.read(512).lstrip(b"\xef\xbb\xbf \r\n")
        if start.startswith(b"# %ECSV") or b"<VOTABLE" in start or start.startswith(b"<?xml"):
            found = _ecsv(path, wanted) if start.startswith(b"#") else _votable(path, wanted)
        else:
            found = _text_columns(path, wanted)
    found.path = path
    for name, values in list(found.items()):
        factor = _degrees(found, name, radians)
        if factor != 1.0 and values.dtype.kind in "iuf":
            found[name] = values * factor
    _join_parts(found, asked)
    return found


def _join_parts(found: Read, asked: set[str]) -> None:
    """Put a position in seven columns together, where there is no other, in degrees."""
    have = set(found) >= _PARTS
    if have and first(found, RA) == first(found, DEC) == "":
        hours, minutes, seconds = (numbers(found, (name,)) for name in _RA_PARTS)
        degrees, arcmin, arcsec = (numbers(found, (name,)) for name in _DEC_PARTS)
        south = np.char.startswith(np.char.replace(text(found, _SIGN), "−", "-"), "-")
        ra, dec = next(name for name in RA if name in asked), next(name for name in DEC if name in asked)
        found[ra] = 15.0 * (hours + minutes / 60.0 + seconds / 3600.0)
        found[dec] = np.where(south, -1.0, 1.0) * (np.abs(degrees) + arcmin / 60.0 + arcsec / 3600.0)
    for name in _PARTS - asked:
        found.pop(name, None)


def _text_columns(path: Path, wanted: set[str], is_csv: bool = False) -> Read:
    table = read_text(
        path,
        is_csv or path.suffix.lower() == ".csv",
        lambda name: plain_name(name) in wanted,
        lambda name: plain_name(name) in IDENTIFIERS,
    )
    found = Read()
    for column in table.columns:
        found.setdefault(plain_name(str(column)), table[column].to_numpy())
    return found


def _ecsv(path: Path, wanted: set[str]) -> Read:
    """An ECSV: units from its header, rows as of any table of text; empty ones are missing."""
    lines: list[str] = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        while (line := file.readline(_LARGEST_HEADER)).startswith("#") and sum(map(len, lines)) < _LARGEST_HEADER:
            lines.append(line[2:].rstrip("\n"))
    try:
        header = get_header_from_yaml(lines[1:])
        described = {str(column["name"]): column for column in header["datatype"]}
    except Exception as error:  # YAML fails in any of its parts
        raise DataError(f"{path}: cannot be read as ECSV ({_short(error)}); fetch it again") from error
    found = _text_columns(path, wanted, is_csv=True)
    for label, column in described.items():
        name = plain_name(label)
        if name in found and column.get("unit"):
            found.units.setdefault(name, str(column["unit"]))
    missing = [label for label in described if plain_name(label) in wanted and plain_name(label) not in found]
    if missing:
        raise DataError(f"{path}: its header describes {missing[0]!r:.40}, which its table lacks; fetch it again")
    return found


def _votable(path: Path, wanted: set[str]) -> Read:
    """A VOTable: the library knows its masks and units."""
    if path.stat().st_size > _LARGEST_XML:
        raise DataError(f"{path}: has over {_LARGEST_XML / 1e6:.0f} MB; make a FITS table of it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = Table.read(path, format="votable")
    except Exception as error:  # a damaged file makes the table library fail in any of its parts
        raise DataError(f"{path}: cannot be read as a VOTable ({_short(error)}); fetch it again") from error
    found = Read()
    for label in table.colnames:
        name, column = plain_name(label), table[label]
        if name not in wanted or name in found:
            continue
        values, mask = np.asarray(getattr(column, "unmasked", column)), getattr(column, "mask", None)
        if mask is not None and np.any(mask) and values.dtype.kind in "iuf":
            values = _without(values, np.asarray(mask), name)
        found[name] = values
        if getattr(column, "unit", None):
            found.units[name] = str(column.unit)
    return found


def _without(values: np.ndarray, missing: np.ndarray, name: str) -> np.ndarray:
    """Numbers without those that are missing; identifiers as text, for a float does not hold all their digits."""
    if name in IDENTIFIERS:
        return np.where(missing, "", values.astype(str))
    return np.where(missing, np.nan, values.astype(float))


def _short(error: Exception) -> str:
    lines = str(error).split("\n")
    return f"{lines[0]:.80}" if lines[0].strip() else type(error).__name__


def _fits_columns(path: Path, wanted: set[str]) -> Read:
    try:
        # Mapped: a table may be larger than the memory, and a few of its columns are wanted.
        with open_fits_file(path) as hdus:
            for hdu in hdus:
                if not isinstance(hdu, fits.BinTableHDU | fits.TableHDU) or isinstance(hdu, fits.CompImageHDU):
                    continue
                found = _of_hdu(hdu, wanted)
                if found:
                    return found
    except Exception as error:  # a damaged file makes the FITS library fail in any of its parts
        raise DataError(f"{path}: cannot be read as a FITS table ({_short(error)}); fetch it again") from error
    raise DataError(f"{path}: no table in it has a column {', '.join(sorted(wanted)[:6])} ...; fetch it again")


def _of_hdu(hdu: fits.BinTableHDU, wanted: set[str]) -> Read:
    found = Read()
    for column in hdu.columns:
        name = plain_name(column.name)
        if name not in wanted or name in found:
            continue
        values = np.array(hdu.data[column.name])
        if column.null not in (None, "") and values.dtype.kind in "iu":
            values = _without(values, values == int(column.null), name)
        found[name] = values
        if column.unit:
            found.units[name] = str(column.unit)
    return found


_ANGLES = {"degree": "deg", "degrees": "deg", "radian": "rad", "radians": "rad", "hours": "hourangle", "h": "hourangle"}
_ANGLES |= {"hr": "hourangle", "hour": "hourangle", "arcseconds": "arcsec", "arcminutes": "arcmin"}


def _degrees(found: Read, name: str, radians: set[str]) -> float:
    """What turns a column of angles into degrees; 1 for all others. Semi-axes keep their own unit."""
    stated = found.units.get(name, "").strip()
    if not stated:
        return float(np.degrees(1.0)) if name in radians else 1.0
    position = name in RA or name in DEC
    unit = _ANGLES.get(stated.lower(), stated.lower())
    if unit == "rad" or (position and unit in ("hourangle", "arcsec", "arcmin")):
        return float(u.Unit(unit).to(u.deg))
    if position and unit not in ("deg", "°"):
        found.say(f"the unit {stated!r:.20} of {name} is not understood; degrees are taken")
    return 1.0


def flux_zero_point(columns: Columns, name: str, zero_point: float, label: str = "") -> float:
    """AB magnitude of flux 1 of a column: by the unit that its table states, else the one given.

    A stated unit that says otherwise is noted.
    """
    stated = getattr(columns, "units", {}).get(name, "")
    if not stated:
        return zero_point
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            flux = (1.0 * u.Unit(stated)).to_value(u.Jy, u.zero_point_flux(3631.0 * u.Jy))
    except (u.UnitsError, ValueError, TypeError):
        return zero_point
    own = float(2.5 * np.log10(3631.0 / flux))
    if abs(own - zero_point) < 0.02:
        return zero_point
    if isinstance(columns, Read):
        columns.say(f"column {name} is in {stated} by its own unit, and so it is read")
    return own


def first(columns: Columns, names: Iterable[str]) -> str:
    """The first of these names among the columns, or ""."""
    return next((name for name in names if name in columns), "")


def numbers(columns: Columns, names: Iterable[str], path: Path | None = None, size: int = 0) -> np.ndarray:
    """A column by the first of its names as float64, shape (n,); NaN if it is not there and no `path` demands it."""
    names = tuple(names)
    name = first(columns, names)
    if not name:
        if path is not None:
            have = ", ".join(sorted(columns)[:12]) or "none of those wanted"
            raise DataError(f"{path}: no column {names[0]!r} (there is: {have}); fetch it again")
        return np.full(size, np.nan)
    values = columns[name]
    if values.ndim > 1:
        values = _one_each(columns, name, values)
    if values.dtype.kind in "OUS":
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8", "replace")
        # A column of lists has no number, and neither has a word.
        plain = [value if np.isscalar(value) else None for value in values.tolist()]
        return pd.to_numeric(pd.Series(plain, dtype=object), errors="coerce").to_numpy(dtype=float)
    return np.asarray(values.real, dtype=float)


def _one_each(columns: Columns, name: str, values: np.ndarray) -> np.ndarray:
    """The first of several values a row."""
    flat = values.reshape(len(values), -1)
    if flat.shape[1] == 0:
        return np.full(len(values), np.nan)
    if flat.shape[1] > 1 and isinstance(columns, Read):
        columns.say(f"column {name} holds {flat.shape[1]} values a row; the first is taken")
    return flat[:, 0]


def positions(
    columns: Columns, ra: Iterable[str], dec: Iterable[str], path: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RA and Dec in degrees, and which rows have both, each of shape (n,).

    Positions may be decimal or sexagesimal, RA then in hours. Rows without one are noted in `columns.notes`.

    Raises
    ------
    DataError
        If there is no such column.
    """
    alpha, delta = _angle(columns, tuple(ra), path, 15.0), _angle(columns, tuple(dec), path, 1.0)
    # -99 and the like stand for "none"; 99 is a right ascension.
    good = np.isfinite(alpha) & np.isfinite(delta) & (np.abs(delta) <= 90) & (alpha >= -180) & (alpha <= 360)
    good &= ~np.isin(alpha, (-99.0, -99.9))
    lost = int((~good).sum())
    if lost and isinstance(columns, Read):
        row = int(np.flatnonzero(~good)[0])
        what = ", ".join(f"{columns[first(columns, names)][row]!s:.30}" for names in (tuple(ra), tuple(dec)))
        columns.say(f"{lost} of {good.size} rows have no usable position and are left out (the first: {what})")
    return alpha % 360.0, delta, good


def _angle(columns: Columns, names: tuple[str, ...], path: Path, hour: float) -> np.ndarray:
    """A column of angles in degrees; what is written in three parts counts `hour` degrees each unit."""
    plain = numbers(columns, names, path)
    values = columns[first(columns, names)]
    if values.dtype.kind not in "OUS":
        return plain
    words, plain = text(columns, first(columns, names)), plain.copy()
    for row in np.flatnonzero(~np.isfinite(plain)):
        plain[row] = sexagesimal(str(words[row]), hour)
    return plain


_SEXAGESIMAL = re.compile(
    r"([+-]?)\s*(\d{1,3})\s*(?:([hHdD°:])|\s)\s*(\d{1,2}(?:\.\d*)?)\s*(?:[mM'′:]|\s|$)\s*(?:(\d{1,2}(?:\.\d*)?)\s*[sS\"″]?)?"
)


def sexagesimal(word: str, hour: float) -> float:
    """Degrees of an angle in three parts ("10:00:06.1", "10h00m06.1s", "+02 05 15"), NaN if it is not one.

    `hour` is the number of degrees in the first part; degrees by name ("150d00m06s") are degrees.
    """
    match = _SEXAGESIMAL.fullmatch(word.strip().replace("−", "-"))
    if match is None:
        return NAN
    sign, whole, mark, minutes, seconds = match[1], float(match[2]), match[3] or "", float(match[4]), match[5] or "0"
    if minutes >= 60.0 or float(seconds) >= 60.0:
        return NAN
    value = whole + minutes / 60.0 + float(seconds) / 3600.0
    scale = 1.0 if mark in ("d", "D", "°") else 15.0 if mark in ("h", "H") else hour
    return (-value if sign == "-" else value) * scale


def text(columns: Columns, name: str) -> np.ndarray:
    """A column as text without blanks around it."""
    values = columns[name]
    if values.ndim > 1:
        values = values.reshape(len(values), -1)[:, :1].ravel()
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    return np.char.strip(np.array([_written(value) for value in values.tolist()], dtype=str))


def _written(value: object) -> str:
    """A value as it is written; a whole number that a table keeps as a float has no decimals."""
    if isinstance(value, float):
        if np.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else str(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def identifiers(columns: Columns, names: Iterable[str], size: int) -> np.ndarray:
    """Identifiers as text, shape (n,): a column's, or the rows' numbers."""
    name = first(columns, names)
    if not name:
        return np.arange(1, size + 1).astype(str)
    values = columns[name]
    if values.dtype.kind == "f" and isinstance(columns, Read):
        exact = 2.0**24 if values.dtype.itemsize == 4 else 2.0**53
        if np.any(np.abs(values[np.isfinite(values)]) > exact):
            columns.say(f"column {name} is of numbers too short for its identifiers: their last digits are lost")
    return text(columns, name)
