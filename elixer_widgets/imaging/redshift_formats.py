"""Redshift tables and densities of photometric redshifts, each format described by its columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from elixer_widgets._fits_files import open_fits_file
from elixer_widgets._packed import require_file
from elixer_widgets.detection import DataError
from elixer_widgets.imaging.columns import (
    DEC,
    IDENTIFIERS,
    RA,
    Read,
    first,
    numbers,
    plain_name,
    positions,
    read_columns,
    text,
)
from elixer_widgets.imaging.files import matches
from elixer_widgets.imaging.tables import RedshiftTable, densities, quantiles


@dataclass(frozen=True, eq=False)
class PdfRows:
    """A column of densities over `grid` (m,) in a FITS table, read row by row: all of it may be gigabytes.

    `rows` are the numbers of the table's rows that are asked for by their place in it.
    """

    path: Path
    column: str
    rows: np.ndarray
    grid: np.ndarray

    def __getitem__(self, index: int) -> np.ndarray:
        """Density of one row, shape (m,)."""
        try:
            with open_fits_file(self.path) as hdus:
                table = next(hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and _has(hdu, self.column))
                name = next(name for name in table.columns.names if plain_name(name) == self.column)
                density = np.array(table.data[name][self.rows[index]], dtype=float)
        except Exception as error:  # a damaged file makes the FITS library fail in any of its parts
            raise DataError(
                f"{self.path}: no densities in column {self.column!r} ({error!s:.60}); fetch it again"
            ) from error
        if density.shape != self.grid.shape:
            raise DataError(f"{self.path}: {density.size} densities for {self.grid.size} redshifts; fetch it again")
        return densities(self.grid, density[None, :])[0]


@dataclass(frozen=True)
class RedshiftFormat:
    """A table of photometric redshifts by position, one for a whole survey.

    `files` are patterns, as `Survey.images`. `pdf` names a column that holds an array of densities a row, over `grid`
    (first, last, step). `spec_type` is a column and the value with which the best redshift is a spectroscopic one.
    """

    files: tuple[str, ...]
    z: tuple[str, ...] = ("z_best", "photoz", "zphot", "zpdf", "mfda4_z_weight", "photo_z", "z")
    low: tuple[str, ...] = ("z_low", "zpdf_l68", "zphot_l68", "mfda4_z683_low", "photo_z_low")
    high: tuple[str, ...] = ("z_high", "zpdf_h68", "zpdf_u68", "zphot_h68", "mfda4_z683_high", "photo_z_high")
    pdf: str = ""
    grid: tuple[float, float, float] = (0.0, 4.0, 0.01)
    spec_type: tuple[str, str] = ("", "")

    def read(self, path: Path) -> RedshiftTable:
        """The whole table; rows without a position or redshift are left out.

        Raises
        ------
        DataError
            If the file cannot be read or lacks positions or redshifts.
        """
        wanted = (*RA, *DEC, *self.z, *self.low, *self.high, self.spec_type[0])
        columns = read_columns(path, wanted)
        ra, dec, good = positions(columns, RA, DEC, path)
        z = numbers(columns, self.z, path)
        low, high = (numbers(columns, names, size=ra.size) for names in (self.low, self.high))
        have = [names for names in (self.low, self.high) if first(columns, names)]
        if len(have) == 1:
            columns.say(f"only one end of the interval of its redshifts ({first(columns, have[0])})")
        if self.spec_type[0] and self.spec_type[0] not in columns:
            columns.say(f"no column {self.spec_type[0]}: no redshift is taken for a spectroscopic one")
        good &= np.isfinite(z) & (z >= 0)
        spec = np.zeros(ra.size, dtype=bool)
        if self.spec_type[0] in columns:
            spec = np.char.lower(text(columns, self.spec_type[0])) == self.spec_type[1]
        grid = pdf = None
        if self.pdf:
            low_end, high_end, step = self.grid
            grid = np.linspace(low_end, high_end, round((high_end - low_end) / step) + 1)
            pdf = PdfRows(path, self.pdf, np.flatnonzero(good), grid)
        return RedshiftTable(
            ra=ra[good],
            dec=dec[good],
            z=z[good],
            low=low[good],
            high=high[good],
            grid=grid,
            pdf=pdf,
            spec=spec[good],
            notes=tuple(columns.notes),
        )


@dataclass(frozen=True)
class ObjectPdfs:
    """One text file an object with columns z and density; `{number:05d}` in `files` is the object's identifier."""

    files: str
    column: str

    def find(self, names: Iterable[str], identifier: str) -> list[str]:
        """Of the names of files, those that belong to an object."""
        digits = re.search(r"(\d+)$", identifier)
        if digits is None:
            return []
        pattern = self.files.format(number=int(digits[1]))
        return [name for name in names if matches(name, (pattern,))]

    def read(self, paths: Iterable[Path], identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(z, density), both shape (m,), or None if no file has it."""
        for path in paths:
            columns = read_columns(path, ("z", self.column))
            z, p = numbers(columns, ("z",), path), numbers(columns, (self.column,), path)
            good = np.isfinite(z) & np.isfinite(p)
            if good.sum() > 1:
                if not _ascending(z[good]) or np.any(p[good] < 0):
                    raise DataError(f"{path}: its redshifts do not ascend, or a density is negative; fetch it again")
                return z[good], densities(z[good], p[good][None, :])[0]
        return None


@dataclass(frozen=True)
class PdfTables:
    """FITS tables of densities by identifier, each with its redshifts in an extension BINS; several are averaged.

    The mean is taken over 0 to 6 in steps of 0.01, as ELiXer does with the codes of HSC-SSP.
    """

    files: tuple[str, ...]

    def find(self, names: Iterable[str], identifier: str) -> list[str]:
        """Of the names of files, those of densities: one or more a code."""
        return [name for name in names if matches(name, self.files)]

    def read(self, paths: Iterable[Path], identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
        """(z, density), both shape (601,), or None if no table has the object."""
        grid = np.linspace(0.0, 6.0, 601)
        found = []
        for path in paths:
            one = _pdf_row(path, identifier)
            if one is not None:
                found.append(np.interp(grid, *one, left=0.0, right=0.0))
        return (grid, densities(grid, np.mean(found, axis=0)[None, :])[0]) if found else None


def _pdf_row(path: Path, identifier: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(z, density) of one object out of a table with a column of arrays."""
    try:
        with open_fits_file(path) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
            bins = next(hdu for hdu in tables if "bins" in hdu.name.lower() or _has(hdu, "bins"))
            data = next(hdu for hdu in tables if _has(hdu, "pdf") or _has(hdu, "p(z)"))
            names = {plain_name(name): name for name in data.columns.names}
            ids = text(data.data, names[first(names, IDENTIFIERS)])  # type: ignore[arg-type]
            rows = np.flatnonzero(np.char.strip(ids) == identifier)
            if rows.size == 0:
                return None
            z = np.ravel(np.asarray(bins.data[bins.columns.names[0]], dtype=float))
            p = np.ravel(np.asarray(data.data[names[first(names, ("pdf", "p(z)"))]][rows[0]], dtype=float))  # type: ignore[arg-type]
    except DataError:
        raise
    except Exception as error:  # a damaged file makes the FITS library fail in any of its parts
        raise DataError(f"{path}: cannot be read as photo-z densities ({error!s:.80}); fetch it again") from error
    if z.size != p.size or z.size < 2:
        raise DataError(f"{path}: {p.size} densities for {z.size} redshifts; fetch it again")
    if not _ascending(z):
        raise DataError(f"{path}: its redshifts do not ascend; fetch it again")
    return z, np.where(np.isfinite(p) & (p > 0), p, 0.0)


def _has(hdu: fits.BinTableHDU, name: str) -> bool:
    return name in (plain_name(column) for column in hdu.columns.names)


def read_spec_z(path: Path) -> RedshiftTable:
    """Spectroscopic redshifts: a CSV or FITS table with ra, dec, z.

    Raises
    ------
    DataError
        If the file cannot be read or lacks one of these columns.
    """
    columns = read_columns(path, (*RA, *DEC, "z"))
    ra, dec, good = positions(columns, RA, DEC, path)
    z = numbers(columns, ("z",), path)
    good &= np.isfinite(z)
    nothing = np.full(int(good.sum()), np.nan)
    spec = np.ones(nothing.size, dtype=bool)
    return RedshiftTable(
        ra=ra[good], dec=dec[good], z=z[good], low=nothing, high=nothing, spec=spec, notes=tuple(columns.notes)
    )


_LARGEST_PDF = 40_000_000  # numbers in a file of densities, which is held whole


def _ascending(grid: np.ndarray) -> bool:
    return bool(np.isfinite(grid).all() and np.all(np.diff(grid) > 0))


def _dataset(file: h5py.File, name: str) -> np.ndarray:
    """A dataset of the file itself, as float64."""
    if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
        raise OSError(f"{name} lies in another file, which is not read")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "fiu":
        raise OSError(f"{name} does not hold numbers")
    if data.external or data.is_virtual:
        raise OSError(f"{name} lies in another file, which is not read")
    if data.size > _LARGEST_PDF:
        raise OSError(f"{name} holds {data.size} numbers, too many")
    return np.asarray(data, dtype=float)


def read_photo_z_pdf(path: Path) -> RedshiftTable:
    """Photo-z PDFs: HDF5 datasets ra, dec (n,), z (m,), pdf (n, m). The median and 68 % interval are reckoned here.

    Raises
    ------
    DataError
        If the file cannot be read or its parts do not fit.
    """
    try:
        with h5py.File(require_file(path), "r") as file:
            ra, dec, grid, pdf = (_dataset(file, name) for name in ("ra", "dec", "z", "pdf"))
    except DataError:
        raise
    except Exception as error:  # a damaged file makes the HDF5 library fail in any of its parts
        raise DataError(f"{path}: cannot be read as photo-z PDFs ({error!s:.80}); fetch it again") from error
    if ra.ndim != 1 or pdf.shape != (ra.size, grid.size) or dec.shape != ra.shape or grid.ndim != 1 or grid.size < 2:
        raise DataError(f"{path}: pdf has shape {pdf.shape} for {ra.size} objects and {grid.size} z; fetch it again")
    if not _ascending(grid):
        raise DataError(f"{path}: its redshifts do not ascend; fetch it again")
    columns = Read()
    columns.path = path
    columns.update({"ra": ra, "dec": dec})
    ra, dec, good = positions(columns, ("ra",), ("dec",), path)
    pdf = densities(grid, np.where(np.isfinite(pdf), pdf, 0.0)[good])
    z, low, high = quantiles(grid, pdf)
    notes = tuple(columns.notes)
    return RedshiftTable(ra=ra[good], dec=dec[good], z=z, low=low, high=high, grid=grid, pdf=pdf, notes=notes)
