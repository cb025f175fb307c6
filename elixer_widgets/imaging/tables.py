"""Reading photometric catalogues, redshifts and photo-z PDFs. One small reader a format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from astropy.io import fits
from astropy.table import Table
from scipy.spatial import cKDTree

from elixer_widgets.detection import NAN, CatalogObject, DataError, Magnitude

# Magnitudes outside are the codes that catalogues use for "not measured" (99, -999, 0 ...).
FAINTEST, BRIGHTEST = 40.0, 5.0

MATCH_RADIUS = 1.0  # arcsec within which rows of two tables are one object
LIMIT_SIGMA = 2.0
NANOMAGGY_ZERO_POINT = 22.5

_ALIASES = {
    "id": ("id", "number", "objid"),
    "ra": ("ra", "alpha_j2000", "x_world", "alphawin_j2000"),
    "dec": ("dec", "delta_j2000", "y_world", "deltawin_j2000"),
    "mag": ("mag", "mag_auto", "mag_best", "mag_iso"),
    "magerr": ("magerr", "magerr_auto", "magerr_best", "magerr_iso"),
    "major": ("major", "a"),
    "minor": ("minor", "b"),
    "theta": ("theta", "pa"),
}


def unit_vectors(ra: float | np.ndarray, dec: float | np.ndarray) -> np.ndarray:
    """Positions in degrees as points of the unit sphere, shape (..., 3)."""
    a, d = np.radians(np.asarray(ra, dtype=float)), np.radians(np.asarray(dec, dtype=float))
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def chord(arcsec: float) -> float:
    """Straight distance between two points of the unit sphere that lie `arcsec` apart."""
    return float(2.0 * np.sin(np.radians(arcsec / 3600.0) / 2.0))


@dataclass(frozen=True, eq=False)
class SkyTable:
    """Positions with a search tree; what is known of each is in the subclasses."""

    ra: np.ndarray
    dec: np.ndarray

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree over unit vectors."""
        return cKDTree(unit_vectors(self.ra, self.dec))

    def within(self, ra: float, dec: float, radius: float) -> np.ndarray:
        """Rows within `radius` arcsec of a position, ascending."""
        if self.ra.size == 0:
            return np.zeros(0, dtype=np.int64)
        return np.sort(np.asarray(self.tree.query_ball_point(unit_vectors(ra, dec), chord(radius)), dtype=int))

    def nearest(self, ra: float, dec: float, radius: float) -> int:
        """The nearest row within `radius` arcsec, or -1."""
        if self.ra.size == 0:
            return -1
        distance, row = self.tree.query(unit_vectors(ra, dec), distance_upper_bound=chord(radius))
        return int(row) if np.isfinite(distance) else -1


@dataclass(frozen=True, eq=False)
class CatalogTable(SkyTable):
    """A photometric catalogue: arrays of shape (n,).

    `mags` maps a band to (magnitude, error, is_limit); `major`, `minor` arcsec, `position_angle` degrees E of N.
    """

    name: str = ""
    identifiers: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=str))
    mags: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    major: np.ndarray = field(default_factory=lambda: np.zeros(0))
    minor: np.ndarray = field(default_factory=lambda: np.zeros(0))
    position_angle: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def object(self, row: int) -> CatalogObject:
        """One row."""
        magnitudes = tuple(
            Magnitude(
                band,
                float(mag[row]),
                float(err[row]),
                is_limit=bool(limit[row]),
                limit_sigma=LIMIT_SIGMA if limit[row] else NAN,
                source=self.name,
            )
            for band, (mag, err, limit) in self.mags.items()
            if np.isfinite(mag[row])
        )
        return CatalogObject(
            ra=float(self.ra[row]),
            dec=float(self.dec[row]),
            catalog=self.name,
            identifier=str(self.identifiers[row]),
            magnitudes=magnitudes,
            major=float(self.major[row]),
            minor=float(self.minor[row]),
            position_angle=float(self.position_angle[row]),
        )

    def surface_density(self, bands: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
        """(magnitude, objects brighter per square arcsec), by the first of `bands` that each object has.

        The area is that of the box around all objects, grown for the half spacing lost at its edges.
        """
        standing = np.full(self.ra.size, np.nan)
        for band in bands:
            if band in self.mags:
                mag, _, limit = self.mags[band]
                standing = np.where(np.isnan(standing) & ~limit, mag, standing)
        counted = np.sort(standing[np.isfinite(standing)])
        if counted.size < 10:  # fewer say nothing about the density on the sky
            return None
        middle = float(np.median(self.ra))
        east = ((self.ra - middle + 180.0) % 360.0 - 180.0) * np.cos(np.radians(np.median(self.dec))) * 3600.0
        area = float(np.ptp(east) * np.ptp(self.dec) * 3600.0) * (1.0 + 2.0 / np.sqrt(self.ra.size))
        if area <= 0:
            return None
        return counted, np.arange(1, counted.size + 1) / area


def _magnitudes(mag: np.ndarray, err: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitudes with the codes for "not measured" made NaN."""
    mag = np.asarray(mag, dtype=float)
    known = (mag > BRIGHTEST) & (mag < FAINTEST)
    err = np.asarray(err, dtype=float)
    return np.where(known, mag, np.nan), np.where(known & (err >= 0), err, np.nan), np.zeros(mag.shape, bool)


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
        numbered = [re.match(r"(\d+)\s+(\S+)", line) for line in header]
        if header and all(numbered):
            names = [match.group(2) for match in numbered if match]
        else:
            names = header[-1].replace(",", " ").split() if header else []
        if not names:
            raise DataError(f"{path}: no line beginning with # names the columns; add one")
        table = pd.read_csv(path, sep=r"\s+", comment="#", header=None, names=[n.lower() for n in names])
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    return table


def _column(table: pd.DataFrame, name: str, path: Path, required: bool = True) -> np.ndarray:
    """A column by any of its names, as numbers; NaN where it is missing and not required."""
    for alias in _ALIASES.get(name, (name,)):
        if alias in table.columns:
            return pd.to_numeric(table[alias], errors="coerce").to_numpy(dtype=float)
    if required:
        raise DataError(f"{path}: no column {name!r} among {', '.join(map(str, table.columns))}; fetch it again")
    return np.full(len(table), np.nan)


def read_band_catalog(path: Path, name: str, band: str) -> CatalogTable:
    """One catalogue of one band: id, ra, dec, mag, magerr and semi-axes with position angle."""
    table = read_ascii(path)
    ra, dec = _column(table, "ra", path), _column(table, "dec", path)
    good = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
    identifiers = np.arange(1, len(table) + 1).astype(str)
    for alias in _ALIASES["id"]:
        if alias in table.columns:
            identifiers = table[alias].astype(str).to_numpy(dtype=str)
            break
    mag, err, limit = _magnitudes(_column(table, "mag", path), _column(table, "magerr", path, required=False))
    return CatalogTable(
        ra=ra[good],
        dec=dec[good],
        name=name,
        identifiers=identifiers[good],
        mags={band: (mag[good], err[good], limit[good])},
        major=_column(table, "major", path, required=False)[good],
        minor=_column(table, "minor", path, required=False)[good],
        position_angle=_column(table, "theta", path, required=False)[good],
    )


def merge_bands(tables: list[CatalogTable]) -> CatalogTable:
    """One catalogue out of several bands' own: rows within 1" of each other are one object.

    Positions and shapes come from the first table that has the object.
    """
    merged = tables[0]
    for table in tables[1:]:
        if merged.ra.size == 0 or table.ra.size == 0:
            merged = table if merged.ra.size == 0 else merged
            continue
        distance, row = merged.tree.query(unit_vectors(table.ra, table.dec), distance_upper_bound=chord(MATCH_RADIUS))
        back = table.tree.query(unit_vectors(merged.ra, merged.dec))[1]
        own = np.arange(table.ra.size)
        same = np.isfinite(distance) & (back[np.minimum(row, merged.ra.size - 1)] == own)
        new = ~same
        total = merged.ra.size + int(new.sum())
        target = np.where(same, row, 0)
        target[new] = np.arange(merged.ra.size, total)
        mags = {}
        for band in (*merged.mags, *(b for b in table.mags if b not in merged.mags)):
            columns = [np.full(total, np.nan), np.full(total, np.nan), np.zeros(total, dtype=bool)]
            for out, position in zip(columns, range(3), strict=True):
                if band in merged.mags:
                    out[: merged.ra.size] = merged.mags[band][position]
                if band in table.mags:
                    out[target] = table.mags[band][position]
            mags[band] = (columns[0], columns[1], columns[2])
        merged = CatalogTable(
            ra=np.concatenate([merged.ra, table.ra[new]]),
            dec=np.concatenate([merged.dec, table.dec[new]]),
            name=merged.name,
            identifiers=np.concatenate([merged.identifiers, table.identifiers[new]]),
            mags=mags,
            major=np.concatenate([merged.major, table.major[new]]),
            minor=np.concatenate([merged.minor, table.minor[new]]),
            position_angle=np.concatenate([merged.position_angle, table.position_angle[new]]),
        )
    return merged


def tractor_shape(r: np.ndarray, e1: np.ndarray, e2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Semi-axes (arcsec) and position angle (degrees E of N) from a Tractor half-light radius and ellipticities.

    Legacy Surveys DR9 catalogue description: |e| = √(e1² + e2²), b/a = (1-|e|)/(1+|e|), φ = ½ arctan(e2/e1).
    """
    e = np.minimum(np.hypot(e1, e2), 0.999)
    point = ~(r > 0)
    ratio = (1.0 - e) / (1.0 + e)
    angle = np.degrees(0.5 * np.arctan2(e2, e1)) % 180.0
    return np.where(point, np.nan, r), np.where(point, np.nan, r * ratio), np.where(point, np.nan, angle)


def read_tractor(path: Path, name: str) -> CatalogTable:
    """A Tractor catalogue of the Legacy Surveys (nanomaggies); a flux below 2σ becomes a limit."""
    try:
        with fits.open(path, memmap=False) as hdus:
            table = Table(hdus[1].data)
    except (OSError, IndexError, ValueError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as a Tractor catalogue ({error!s:.80}); fetch it again") from error
    table.rename_columns(table.colnames, [column.lower() for column in table.colnames])
    missing = [column for column in ("ra", "dec") if column not in table.colnames]
    if missing:
        raise DataError(f"{path}: no column {missing[0]!r}, so this is no Tractor catalogue; fetch it again")

    def numbers(column: str) -> np.ndarray:
        if column not in table.colnames:
            return np.full(len(table), np.nan)
        return np.asarray(np.ma.filled(np.ma.asarray(table[column]).astype(float), np.nan), dtype=float)

    mags = {}
    for band in "ugrizy":
        if f"flux_{band}" not in table.colnames:
            continue
        flux, ivar = numbers(f"flux_{band}"), numbers(f"flux_ivar_{band}")
        sigma = np.where(ivar > 0, 1.0 / np.sqrt(np.where(ivar > 0, ivar, 1.0)), np.nan)
        limit = np.isfinite(sigma) & (flux < LIMIT_SIGMA * sigma)
        level = np.where(limit, LIMIT_SIGMA * sigma, flux)
        # No inverse variance means that the band was not observed here, whatever the flux column says.
        usable = np.isfinite(sigma) & (level > 0) if "flux_ivar_" + band in table.colnames else level > 0
        safe = np.where(usable, level, 1.0)
        mag = np.where(usable, NANOMAGGY_ZERO_POINT - 2.5 * np.log10(safe), np.nan)
        err = np.where(usable & ~limit, 2.5 / np.log(10.0) * sigma / safe, np.nan)
        mags[band] = (mag, err, limit & usable)
    major, minor, angle = tractor_shape(numbers("shape_r"), numbers("shape_e1"), numbers("shape_e2"))
    identifier = table["objid"] if "objid" in table.colnames else np.arange(len(table))
    return CatalogTable(
        ra=numbers("ra"),
        dec=numbers("dec"),
        name=name,
        identifiers=np.asarray(identifier).astype(str),
        mags=mags,
        major=major,
        minor=minor,
        position_angle=angle,
    )


@dataclass(frozen=True, eq=False)
class RedshiftTable(SkyTable):
    """Redshifts by position: arrays of shape (n,); `low`, `high` NaN for spectroscopic ones.

    `grid` (m,) and `pdf` (n, m) hold photo-z probability densities where there are any.
    """

    z: np.ndarray = field(default_factory=lambda: np.zeros(0))
    low: np.ndarray = field(default_factory=lambda: np.zeros(0))
    high: np.ndarray = field(default_factory=lambda: np.zeros(0))
    grid: np.ndarray | None = None
    pdf: np.ndarray | None = None


def read_spec_z(path: Path) -> RedshiftTable:
    """Spectroscopic redshifts: a CSV file with ra, dec, z (and source)."""
    try:
        table = pd.read_csv(path, comment="#")
    except (OSError, UnicodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    table.columns = [str(column).strip().lower() for column in table.columns]
    ra, dec, z = (_column(table, name, path) for name in ("ra", "dec", "z"))
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(z)
    nothing = np.full(int(good.sum()), np.nan)
    return RedshiftTable(ra=ra[good], dec=dec[good], z=z[good], low=nothing, high=nothing)


def read_photo_z(path: Path) -> RedshiftTable:
    """Photometric redshifts: ASCII columns RA DEC z_best z_low z_high under a `#` header."""
    table = read_ascii(path)
    ra, dec, z = (_column(table, name, path) for name in ("ra", "dec", "z_best"))
    low, high = (_column(table, name, path, required=False) for name in ("z_low", "z_high"))
    good = np.isfinite(ra) & np.isfinite(dec) & np.isfinite(z) & (z >= 0)
    return RedshiftTable(ra=ra[good], dec=dec[good], z=z[good], low=low[good], high=high[good])


def read_photo_z_pdf(path: Path) -> RedshiftTable:
    """Photo-z PDFs: HDF5 datasets ra, dec (n,), z (m,), pdf (n, m). The median and 68 % interval are reckoned here."""
    try:
        with h5py.File(path, "r") as file:
            ra, dec, grid, pdf = (np.asarray(file[name], dtype=float) for name in ("ra", "dec", "z", "pdf"))
    except (OSError, KeyError, TypeError) as error:
        raise DataError(f"{path}: cannot be read as photo-z PDFs ({error!s:.80}); fetch it again") from error
    if pdf.shape != (ra.size, grid.size) or dec.shape != ra.shape or grid.size < 2:
        raise DataError(f"{path}: pdf has shape {pdf.shape} for {ra.size} objects and {grid.size} z; fetch it again")
    steps = np.gradient(grid)
    area = (pdf * steps).sum(axis=1, keepdims=True)
    pdf = np.divide(pdf, area, out=np.zeros_like(pdf), where=area > 0)
    cumulative = np.cumsum(pdf * steps, axis=1) - 0.5 * pdf * steps
    z, low, high = (
        np.array([np.interp(level, row, grid) if row[-1] > 0 else np.nan for row in cumulative])
        for level in (0.5, 0.16, 0.84)
    )
    return RedshiftTable(ra=ra, dec=dec, z=z, low=low, high=high, grid=grid, pdf=pdf)
