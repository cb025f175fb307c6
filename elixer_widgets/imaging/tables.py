"""Catalogues and redshift tables as arrays, searched by position. `catalog_formats` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from elixer_widgets._images import BRIGHTEST, FAINTEST
from elixer_widgets._sky import separation
from elixer_widgets.detection import NAN, CatalogObject, Magnitude

NO_FLUX = (-99.0, -999.0, -9999.0)  # the same for fluxes, which may well be negative

MATCH_RADIUS = 1.0  # arcsec within which rows of two tables are one object
LIMIT_SIGMA = 2.0


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
    `redshifts`, if not empty, has shape (n, 4): spectroscopic, photometric, and the latter's low and high end. `notes`
    says what was left out, or taken otherwise than it stands.
    """

    name: str = ""
    identifiers: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=str))
    mags: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)
    major: np.ndarray = field(default_factory=lambda: np.zeros(0))
    minor: np.ndarray = field(default_factory=lambda: np.zeros(0))
    position_angle: np.ndarray = field(default_factory=lambda: np.zeros(0))
    redshifts: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    notes: tuple[str, ...] = ()

    @cached_property
    def _by_size(self) -> tuple[np.ndarray, np.ndarray]:
        """Semi-major axes in ascending order (arcsec), and the rows that have them; rows without a shape left out."""
        shaped = np.flatnonzero(np.isfinite(self.major))
        order = shaped[np.argsort(self.major[shaped])]
        return self.major[order], order

    def around(self, ra: float, dec: float, radius: float, covering: float) -> np.ndarray:
        """Rows within `radius` arcsec of a position or within `covering` times their semi-major axis, ascending."""
        sizes, rows = self._by_size
        large = rows[int(np.searchsorted(sizes, radius / covering, side="right")) :]
        reach = separation(ra, dec, self.ra[large], self.dec[large]) <= covering * self.major[large]
        return np.union1d(self.within(ra, dec, radius), large[reach]).astype(int)

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
        spec_z, photo_z, low, high = self.redshifts[row] if len(self.redshifts) else np.full(4, np.nan)
        return CatalogObject(
            ra=float(self.ra[row]),
            dec=float(self.dec[row]),
            catalog=self.name,
            identifier=str(self.identifiers[row]),
            magnitudes=magnitudes,
            major=float(self.major[row]),
            minor=float(self.minor[row]),
            position_angle=float(self.position_angle[row]),
            spec_z=float(spec_z),
            photo_z=float(photo_z),
            photo_z_low=float(low),
            photo_z_high=float(high),
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


Magnitudes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Magnitude, error and whether it is a limit, each of shape (n,)."""


def plain_magnitudes(mag: np.ndarray, err: np.ndarray) -> Magnitudes:
    """Magnitudes with the codes for "not measured" made NaN."""
    known = (mag > BRIGHTEST) & (mag < FAINTEST)
    return np.where(known, mag, np.nan), np.where(known & (err >= 0), err, np.nan), np.zeros(mag.shape, bool)


def magnitudes_of_fluxes(flux: np.ndarray, sigma: np.ndarray, zero_point: float) -> Magnitudes:
    """AB magnitudes of fluxes; a flux below 2σ becomes a limit."""
    flux = np.where(np.isfinite(flux) & ~np.isin(flux, NO_FLUX), flux, np.nan)
    sigma = np.where(sigma > 0, sigma, np.nan)
    limit = flux < LIMIT_SIGMA * sigma
    level = np.where(limit, LIMIT_SIGMA * sigma, flux)
    usable = level > 0
    safe = np.where(usable, level, 1.0)
    mag = np.where(usable, zero_point - 2.5 * np.log10(safe), np.nan)
    err = np.where(usable & ~limit, 2.5 / np.log(10.0) * sigma / safe, np.nan)
    return mag, err, limit & usable


def _redshifts(table: CatalogTable) -> np.ndarray:
    """Shape (n, 4), NaN where the table has none."""
    return table.redshifts if len(table.redshifts) else np.full((table.ra.size, 4), np.nan)


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
            redshifts=np.concatenate([_redshifts(merged), _redshifts(table)[new]]),
        )
    return merged


class SupportsRows(Protocol):
    """An array of shape (n, m), or what gives its rows one by one."""

    def __getitem__(self, index: int, /) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class RedshiftTable(SkyTable):
    """Redshifts by position: arrays of shape (n,); `low`, `high` NaN for spectroscopic ones.

    `grid` (m,) and `pdf` (n, m) hold photo-z probability densities where there are any; `spec` (n,) tells the
    spectroscopic ones; `notes` says what was left out, or taken otherwise than it stands.
    """

    z: np.ndarray = field(default_factory=lambda: np.zeros(0))
    low: np.ndarray = field(default_factory=lambda: np.zeros(0))
    high: np.ndarray = field(default_factory=lambda: np.zeros(0))
    grid: np.ndarray | None = None
    pdf: SupportsRows | None = None
    spec: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    notes: tuple[str, ...] = ()

    def is_spectroscopic(self, row: int) -> bool:
        """Whether a row's redshift is a spectroscopic one."""
        return bool(self.spec.size and self.spec[row])


def densities(grid: np.ndarray, pdf: np.ndarray) -> np.ndarray:
    """Rows of `pdf`, shape (n, m), scaled so that each integrates to 1 over `grid` (m,); an empty row stays 0."""
    area = (pdf * np.gradient(grid)).sum(axis=1, keepdims=True)
    return np.divide(pdf, area, out=np.zeros_like(pdf), where=area > 0)


def quantiles(grid: np.ndarray, pdf: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, 16 % and 84 % point of each row of densities, shape (n,); NaN for an empty row."""
    steps = np.gradient(grid)
    cumulative = np.cumsum(pdf * steps, axis=1) - 0.5 * pdf * steps
    median, low, high = (
        np.array([np.interp(level, row, grid) if row[-1] > 0 else np.nan for row in cumulative])
        for level in (0.5, 0.16, 0.84)
    )
    return median, low, high
