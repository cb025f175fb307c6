"""Columns of tables, whatever the file: FITS, CSV, or text.

Column names are compared in lower case, with "." as "_" and without the prefixes that join programs put before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from astropy.io import fits

from elixer_widgets.detection import DataError

Columns = Mapping[str, np.ndarray]

IDENTIFIERS = ("id", "number", "objid", "object_id", "objectid")
RA = ("ra", "alpha_j2000", "x_world", "alphawin_j2000", "coord_ra", "raj2000", "plug_ra")
DEC = ("dec", "delta_j2000", "y_world", "deltawin_j2000", "coord_dec", "dej2000", "plug_dec")


def read_ascii(path: Path) -> pd.DataFrame:
    """A table of white-space separated numbers whose `#` header names the columns; names in lower case.

    Either one header line with all names, or one line a column (`#  1 NUMBER  Running object number`).
    """
    header = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.lstrip().startswith("#"):
                    break
                header.append(line.strip().lstrip("#").strip())
        numbered = [match for match in (re.match(r"(\d+)\s+(\S+)", line) for line in header) if match]
        if len(numbered) > 1 or (numbered and len(header) == 1):
            names = [""] * max(int(match[1]) for match in numbered)
            for match in numbered:
                names[int(match[1]) - 1] = match[2]
            names = [name or f"column{i + 1}" for i, name in enumerate(names)]
        else:
            names = header[-1].replace(",", " ").split() if header else []
        if not names:
            raise DataError(f"{path}: no line beginning with # names the columns; add one")
        table = pd.read_csv(path, sep=r"\s+", comment="#", header=None, names=[n.lower() for n in names])
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    return table


def plain_name(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"^(src|ref)_(?=\w)", "", name.strip().lower().replace(".", "_"))


def read_columns(path: Path, wanted: Iterable[str], radians: Iterable[str] = ()) -> dict[str, np.ndarray]:
    """The columns of a table that have one of the wanted names; only these are read.

    Parameters
    ----------
    path : Path
        A FITS table (also compressed), CSV, or text with a `#` header.
    wanted : iterable of str
    radians : iterable of str
        Columns that hold radians where the table does not say what they hold.

    Returns
    -------
    dict
        Name, as it is compared, to the column's values; angles in degrees.

    Raises
    ------
    DataError
        If the file cannot be read as a table.
    """
    wanted, radians = set(wanted), set(radians)
    if re.search(r"\.fits?(\.fz|\.gz|\.bz2)?$", path.name.lower()):
        return _fits_columns(path, wanted, radians)
    if path.suffix.lower() == ".csv":
        try:
            table = pd.read_csv(path, comment="#")
        except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    else:
        table = read_ascii(path)
    found = {plain_name(str(c)): table[c].to_numpy() for c in table.columns if plain_name(str(c)) in wanted}
    return {name: np.degrees(values) if name in radians else values for name, values in found.items()}


def _fits_columns(path: Path, wanted: set[str], radians: set[str]) -> dict[str, np.ndarray]:
    try:
        # Mapped: a table may be larger than the memory, and a few of its columns are wanted.
        with fits.open(path, memmap=True, lazy_load_hdus=True) as hdus:
            for hdu in hdus:
                if not isinstance(hdu, fits.BinTableHDU | fits.TableHDU) or isinstance(hdu, fits.CompImageHDU):
                    continue
                found: dict[str, np.ndarray] = {}
                for column in hdu.columns:
                    name = plain_name(column.name)
                    if name in wanted and name not in found:
                        unit = str(column.unit or "").strip().lower()
                        turn = unit in ("rad", "radian") or (not unit and name in radians)
                        found[name] = np.degrees(hdu.data[column.name]) if turn else np.array(hdu.data[column.name])
                if found:
                    return found
    except (OSError, IndexError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: cannot be read as a FITS table ({error!s:.80}); fetch it again") from error
    raise DataError(f"{path}: no table in it has a column {', '.join(sorted(wanted - {''})[:6])} ...; fetch it again")


def first(columns: Columns, names: Iterable[str]) -> str:
    """The first of these names among the columns, or ""."""
    return next((name for name in names if name in columns), "")


def numbers(columns: Columns, names: Iterable[str], path: Path | None = None, size: int = 0) -> np.ndarray:
    """A column by the first of its names as float64, shape (n,); NaN if it is not there and no `path` demands it."""
    name = first(columns, names)
    if name:
        values = columns[name]
        if values.dtype.kind in "OUS":
            return pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=float)
        return np.asarray(values, dtype=float)
    if path is not None:
        have = ", ".join(sorted(columns)[:12]) or "none of those wanted"
        raise DataError(f"{path}: no column {next(iter(names))!r} (there is: {have}); fetch it again")
    return np.full(size, np.nan)


def text(columns: Columns, name: str) -> np.ndarray:
    """A column as text without blanks around it."""
    values = columns[name]
    return np.char.strip(values.astype(str) if values.dtype.kind != "S" else np.char.decode(values, "utf-8", "replace"))


def identifiers(columns: Columns, names: Iterable[str], size: int) -> np.ndarray:
    name = first(columns, names)
    return text(columns, name) if name else np.arange(1, size + 1).astype(str)
