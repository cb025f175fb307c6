"""Catalogue objects around a position, with what is known of their redshifts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from elixer_widgets.detection import CatalogObject, DataError
from elixer_widgets.imaging.catalog_formats import CatalogFormat, TractorFormat
from elixer_widgets.imaging.counterparts import BAND_ORDER, COVERING, covers, separation
from elixer_widgets.imaging.files import matches
from elixer_widgets.imaging.footprints import Tile
from elixer_widgets.imaging.redshift_formats import read_photo_z_pdf, read_spec_z
from elixer_widgets.imaging.registry import Survey
from elixer_widgets.imaging.tables import (
    MATCH_RADIUS,
    CatalogTable,
    RedshiftTable,
    merge_bands,
    quantiles,
    unit_vectors,
)

Density = tuple[np.ndarray, np.ndarray]
"""(magnitude, objects brighter per square arcsec) of a catalogue, both arrays."""

_SPEC_Z = ("specz/*.csv", "specz/*.fits*")
_PDFS = ("photz/pdf_*.h5",)

_Reader = Callable[[Path], RedshiftTable]


class ObjectSearch:
    """The catalogues of a library, each read at its first use and kept.

    Parameters
    ----------
    surveys : sequence of Survey
    files : callable
        From a survey (or None, for what belongs to no survey) to its folder and all file names under it.
    """

    def __init__(
        self, surveys: Sequence[Survey], files: Callable[[Survey | None], tuple[Path | None, tuple[str, ...]]]
    ) -> None:
        self._surveys = tuple(surveys)
        self._files = files
        self._tables: dict[Path, CatalogTable | str] = {}
        self._merged: dict[tuple[Path, ...], CatalogTable] = {}
        self._redshifts: tuple[list[tuple[str, RedshiftTable]], list[str]] | None = None

    def near(
        self, survey: Survey, tiles: Iterable[Tile], ra: float, dec: float, radius: float, notes: list[str]
    ) -> tuple[list[CatalogObject], Density | None]:
        """One survey's objects within `radius` arcsec of a position, and its counts on the sky.

        A galaxy whose ellipse covers the position is one of them wherever its centre lies.

        `tiles` are the images there, the best first; what went wrong is added to `notes`.
        """
        objects: dict[tuple[str, str], CatalogObject] = {}
        density = None
        done: set[tuple[Path, ...]] = set()
        for tile in tiles:
            folder = Path(tile.path).parent
            readers: dict[Path, CatalogFormat | TractorFormat] = {}
            for one in survey.catalogs:
                path = one.find(folder, tile.key)
                if path is not None:
                    readers.setdefault(path, one)
            paths = tuple(readers)
            if not paths or paths in done:
                continue
            done.add(paths)
            table = self._table(survey.name, readers, notes)
            if table is None:
                continue
            rows = table.around(ra, dec, radius, COVERING)
            if not len(rows) and _fits_in_hours(table, ra, dec, radius):
                which = ", ".join(path.name for path in paths)
                notes.append(
                    f"{survey.name}: {which}: right ascensions that would fit in hours; state their unit in it"
                )
            for row in rows:
                target = table.object(int(row))
                if separation(ra, dec, target.ra, target.dec) > radius and not covers(target, ra, dec):
                    continue
                target = self._with_pdf(survey, target, notes)
                objects.setdefault((f"{target.ra:.6f}", f"{target.dec:.6f}"), target)
            density = density or table.surface_density(BAND_ORDER)
        return list(objects.values()), density

    def _table(
        self, name: str, readers: Mapping[Path, CatalogFormat | TractorFormat], notes: list[str]
    ) -> CatalogTable | None:
        """Some files as one catalogue; None if none can be read."""
        paths = tuple(readers)
        good: list[CatalogTable] = []
        for path, reader in readers.items():
            if path not in self._tables:
                try:
                    self._tables[path] = reader.read(path, name)
                except DataError as error:
                    self._tables[path] = str(error)
            table = self._tables[path]
            if isinstance(table, str):
                notes.append(f"{name}: {table}")
            else:
                good.append(table)
                notes.extend(f"{name}: {note}" for note in table.notes)
        if not good:
            return None
        if paths not in self._merged:
            self._merged[paths] = merge_bands(good)
        return self._merged[paths]

    def _with_pdf(self, survey: Survey, target: CatalogObject, notes: list[str]) -> CatalogObject:
        """The same object with its density of redshift, where the survey keeps these by identifier."""
        if survey.pdfs is None or not target.identifier:
            return target
        folder, names = self._files(survey)
        if folder is None:
            return target
        try:
            found = survey.pdfs.read(
                (folder / name for name in survey.pdfs.find(names, target.identifier)), target.identifier
            )
        except DataError as error:
            notes.append(f"{survey.name}: {error}")
            return target
        if found is None:
            return target
        target = replace(target, photo_z_pdf=found)
        if np.isfinite(target.photo_z):
            return target
        z, low, high = (float(value[0]) for value in quantiles(found[0], found[1][None, :]))
        return replace(target, photo_z=z, photo_z_low=low, photo_z_high=high)

    def _redshift_tables(self) -> tuple[list[tuple[str, RedshiftTable]], list[str]]:
        """All redshift tables with their kind ("spec", "pdf", "photo"), and what was wrong with the others."""
        if self._redshifts is None:
            wanted: list[tuple[str, Survey | None, tuple[str, ...], _Reader]] = [
                ("spec", None, _SPEC_Z, read_spec_z),
                ("pdf", None, _PDFS, read_photo_z_pdf),
            ]
            wanted += [("photo", survey, one.files, one.read) for survey in self._surveys for one in survey.photo_z]
            tables, faults, seen = [], [], set()
            for kind, survey, patterns, reader in wanted:
                folder, names = self._files(survey)
                if folder is None:
                    continue
                for path in (folder / name for name in names if matches(name, patterns)):
                    if path in seen:
                        continue
                    seen.add(path)
                    try:
                        table = reader(path)
                    except DataError as error:
                        faults.append(str(error))
                        continue
                    tables.append((kind, table))
                    faults.extend(table.notes)
            self._redshifts = tables, faults
        return self._redshifts

    def with_redshifts(
        self, objects: list[CatalogObject], ra: float, dec: float, radius: float, notes: list[str]
    ) -> list[CatalogObject]:
        """The same objects with the redshifts that lie within 1" of them and nearer to no other of their catalogue."""
        tables, faults = self._redshift_tables()
        notes.extend(faults)
        found = list(objects)
        names = sorted({target.catalog for target in found})
        for kind, table in tables:
            for row in table.within(ra, dec, radius + MATCH_RADIUS):
                for name in names:
                    index = _nearest(found, name, float(table.ra[row]), float(table.dec[row]))
                    if index < 0:
                        continue
                    try:
                        found[index] = _with_redshift(found[index], kind, table, int(row))
                    except DataError as error:
                        notes.append(str(error))
        return found


def _fits_in_hours(table: CatalogTable, ra: float, dec: float, radius: float) -> bool:
    """Whether objects lie here if right ascensions that are taken as degrees were hours."""
    return bool(table.ra.size and table.ra.max() <= 24.0 and len(table.within(ra / 15.0, dec, radius)))


def _nearest(objects: list[CatalogObject], catalog: str, ra: float, dec: float) -> int:
    """Index of the nearest object of one catalogue within 1", or -1."""
    own = [i for i, target in enumerate(objects) if target.catalog == catalog]
    vectors = unit_vectors(np.array([objects[i].ra for i in own]), np.array([objects[i].dec for i in own]))
    distance = np.sqrt(np.sum((vectors - unit_vectors(ra, dec)) ** 2, axis=-1))
    best = int(np.argmin(distance))
    return own[best] if np.degrees(distance[best]) * 3600.0 <= MATCH_RADIUS else -1


def _with_redshift(target: CatalogObject, kind: str, table: RedshiftTable, row: int) -> CatalogObject:
    z = float(table.z[row])
    if kind == "spec" or table.is_spectroscopic(row):
        return replace(target, spec_z=z) if np.isnan(target.spec_z) else target
    if table.grid is not None and table.pdf is not None and target.photo_z_pdf is None:
        target = replace(target, photo_z_pdf=(table.grid, table.pdf[row]))
    # A published best value goes before the median of a PDF: it is what the catalogue says.
    if kind == "photo" or np.isnan(target.photo_z):
        low, high = float(table.low[row]), float(table.high[row])
        target = replace(target, photo_z=z, photo_z_low=low, photo_z_high=high)
    return target
