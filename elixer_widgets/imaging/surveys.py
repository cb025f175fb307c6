"""The imaging surveys: what each is, where its files lie, and what they hold around a position.

A survey is one entry in `SURVEYS`. `open_library(path)` looks for all of them under a folder; a survey that is not on
disk contributes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from elixer_widgets._sections import ImagePlane, find_plane, read_section
from elixer_widgets.detection import NAN, CatalogObject, Cutout, DataError, Imaging
from elixer_widgets.imaging.counterparts import BAND_ORDER
from elixer_widgets.imaging.tables import (
    MATCH_RADIUS,
    CatalogTable,
    RedshiftTable,
    merge_bands,
    read_band_catalog,
    read_photo_z,
    read_photo_z_pdf,
    read_spec_z,
    read_tractor,
    unit_vectors,
)

# Bands in order of wavelength: the order in which cutouts are given.
WAVELENGTH_ORDER = ("u", "F435W", "g", "V", "F606W", "r", "R", "i", "F775W", "F814W", "z", "y", "F125W", "F160W")

# What tells a release folder from a folder of images.
_RELEASE_FOLDERS = ("survey", "detect", "reduction")

ZeroPointRule = Callable[[Mapping[str, float | str]], float]
CatalogReader = Callable[[Path, "Tile", "Survey"], CatalogTable | None]


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of one survey: its plane, its band, and the parts of its file name (`key`)."""

    plane: ImagePlane
    band: str
    key: Mapping[str, str]


@dataclass(frozen=True)
class Survey:
    """What is known of one survey.

    Attributes
    ----------
    name : str
    bands : tuple of str
    scale : float
        arcsec per pixel, for information: measurements take it from the WCS.
    depth : mapping
        Band to nominal 5σ point-source depth, AB.
    psf_fwhm : float
        Typical seeing, arcsec.
    start_radius : float
        First radius of the growing aperture, arcsec.
    images : str
        Pattern (glob) of the image files under the imaging folder.
    name_pattern : str
        Regular expression that a file's name must match whole; its groups become `Tile.key`, `band` among them.
    zero_point : callable
        From an image's keywords to the AB magnitude of one count.
    band_names : mapping
        Band as in file names to band, where they differ.
    catalog : callable, optional
        Reads the catalogue that belongs to a tile.
    photo_z : str
        Pattern (glob) of photometric redshift tables.
    """

    name: str
    bands: tuple[str, ...]
    scale: float
    depth: Mapping[str, float] = field(hash=False)
    psf_fwhm: float
    start_radius: float
    images: str
    name_pattern: str
    zero_point: ZeroPointRule
    band_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    catalog: CatalogReader | None = None
    photo_z: str = ""


def _number(keywords: Mapping[str, float | str], *names: str) -> float:
    """The first of these header keywords that is a number, else NaN."""
    for name in names:
        value = keywords.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return NAN


def _seeing(keywords: Mapping[str, float | str], typical: float) -> float:
    """FWHM in arcsec: the image's own where its header has a credible one, else what is typical of the survey."""
    own = _number(keywords, "SEEING")
    return own if 0.5 * typical < own < 2.0 * typical else typical


def hsc_zero_point(keywords: Mapping[str, float | str]) -> float:
    """FLUXMAG0 is the count of a source of magnitude 0; 27.0 where the header lacks it."""
    flux = _number(keywords, "FLUXMAG0")
    return 2.5 * float(np.log10(flux)) if flux > 0 else 27.0


def cfhtls_zero_point(keywords: Mapping[str, float | str]) -> float:
    """MZP_AB or PHOTZP of the header; 30.0 for all stacks of the final release."""
    value = _number(keywords, "MZP_AB", "PHOTZP")
    return value if np.isfinite(value) else 30.0


def nanomaggy_zero_point(keywords: Mapping[str, float | str]) -> float:
    """Legacy Surveys coadds hold nanomaggies: one is magnitude 22.5."""
    return 22.5


def _hsc_catalog(root: Path, tile: Tile, survey: Survey) -> CatalogTable | None:
    path = root / "hsc" / "cat_tract_patch" / tile.key["tract"] / f"R_P{tile.key['patch']}.cat"
    return read_band_catalog(path, survey.name, "r") if path.exists() else None


def _cfhtls_catalog(root: Path, tile: Tile, survey: Survey) -> CatalogTable | None:
    # r first: positions and shapes come from the first band that has the object.
    paths = [(b, root / "cfhtls" / f"CFHTLS_W_{b}_{tile.key['field']}_MEDIAN.cat") for b in "rgiuz"]
    tables = [read_band_catalog(path, survey.name, band) for band, path in paths if path.exists()]
    return merge_bands(tables) if tables else None


def _tractor_catalog(root: Path, tile: Tile, survey: Survey) -> CatalogTable | None:
    path = root / "decals" / f"tractor-{tile.key['brick']}.fits"
    return read_tractor(path, survey.name) if path.exists() else None


_ENDING = r"\.fits(\.fz|\.gz)?"

# Scales, depths, seeing and first radii are those that ELiXer adopts; r and z of DECaLS: Dey et al. 2019, AJ 157, 168.
SURVEYS: tuple[Survey, ...] = (
    Survey(
        name="HSC-DEX",
        bands=("r",),
        scale=0.168,
        depth={"r": 26.2},
        psf_fwhm=1.0,
        start_radius=1.0,
        images="hsc/image_tract_patch/*/calexp-HSC-*.fits*",
        name_pattern=r"calexp-HSC-(?P<band>[A-Z])-(?P<tract>[^-]+)-(?P<patch>.+?)" + _ENDING,
        zero_point=hsc_zero_point,
        band_names={"G": "g", "R": "r", "I": "i", "Z": "z", "Y": "y"},
        catalog=_hsc_catalog,
    ),
    Survey(
        name="CFHTLS",
        bands=("u", "g", "r", "i", "z"),
        scale=0.186,
        depth={"u": 25.2, "g": 25.5, "r": 25.0, "i": 24.8, "z": 23.9},
        psf_fwhm=0.6,
        start_radius=0.8,
        images="cfhtls/CFHTLS_W_*_MEDIAN.fits*",
        name_pattern=r"CFHTLS_W_(?P<band>[ugriz])_(?P<field>.+)_MEDIAN" + _ENDING,
        zero_point=cfhtls_zero_point,
        catalog=_cfhtls_catalog,
        photo_z="cfhtls/photozCFHTLS-*.out",
    ),
    Survey(
        name="DECaLS",
        bands=("g", "r", "z"),
        scale=0.262,
        depth={"g": 24.0, "r": 23.4, "z": 22.5},
        psf_fwhm=1.67,
        start_radius=1.335,
        images="decals/legacysurvey-*-image-*.fits*",
        name_pattern=r"legacysurvey-(?P<brick>[^-]+)-image-(?P<band>[grz])" + _ENDING,
        zero_point=nanomaggy_zero_point,
        catalog=_tractor_catalog,
    ),
)


class _Tiles:
    """All tiles of one survey, found once: headers only."""

    def __init__(self, root: Path, survey: Survey) -> None:
        self.tiles: list[Tile] = []
        self.broken: list[str] = []
        pattern = re.compile(survey.name_pattern)
        for path in sorted(root.glob(survey.images)):
            named = pattern.fullmatch(path.name)
            if named is None:
                continue
            key = {name: value for name, value in named.groupdict().items() if value is not None}
            try:
                plane = find_plane(path)
            except DataError as error:
                self.broken.append(str(error))
                continue
            band = survey.band_names.get(key["band"], key["band"])
            self.tiles.append(Tile(plane, band, key))
        # A cap around each tile rules out most of them before any WCS is asked.
        self.centers = np.array([_center(tile.plane) for tile in self.tiles]).reshape(-1, 3)
        diagonal = [float(np.hypot(*tile.plane.shape)) * tile.plane.pixel_scale for tile in self.tiles]
        self.reach = np.radians(np.array(diagonal) / 2.0 / 3600.0) * 1.05

    def covering(self, ra: float, dec: float) -> list[tuple[float, Tile]]:
        """(distance to the nearest edge in arcsec, tile) of the tiles that cover a position."""
        if not self.tiles:
            return []
        cosine = np.clip(self.centers @ unit_vectors(ra, dec), -1.0, 1.0)
        near = np.flatnonzero(np.arccos(cosine) <= self.reach + 1e-6)
        found = [(self.tiles[i].plane.margin(ra, dec), self.tiles[i]) for i in near]
        return [(margin, tile) for margin, tile in found if margin >= 0]


def _center(plane: ImagePlane) -> np.ndarray:
    ny, nx = plane.shape
    ra, dec = plane.wcs.pixel_to_world_values((nx - 1) / 2.0, (ny - 1) / 2.0)
    return unit_vectors(ra, dec)


class Library:
    """All surveys found under one folder. Made by `open_library`; may be pickled to a worker.

    Footprints and catalogues are read at the first use and kept on the instance; a pickle carries only the path.
    """

    def __init__(self, root: Path, surveys: Iterable[Survey] = SURVEYS) -> None:
        self.root = root
        self.surveys = tuple(surveys)
        self._tiles: dict[str, _Tiles] = {}
        self._tables: dict[tuple[str, str], CatalogTable | str | None] = {}
        self._redshifts: dict[str, tuple[list[RedshiftTable], list[str]]] = {}

    def __reduce__(self) -> tuple[type[Library], tuple[Path, tuple[Survey, ...]]]:
        return type(self), (self.root, self.surveys)

    def tiles(self, survey: Survey) -> _Tiles:
        """The survey's images on disk."""
        if survey.name not in self._tiles:
            self._tiles[survey.name] = _Tiles(self.root, survey)
        return self._tiles[survey.name]

    def covering(self, ra: float, dec: float) -> tuple[Survey, ...]:
        """Surveys with an image on disk that covers a position."""
        return tuple(survey for survey in self.surveys if self.tiles(survey).covering(ra, dec))

    def imaging(self, ra: float, dec: float, size: float = 30.0, radius: float = 10.0) -> Imaging:
        """What all surveys have around a position.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        size : float
            Side of the cutouts, arcsec.
        radius : float
            Reach of the catalogue search, arcsec.

        Returns
        -------
        Imaging
            Cutouts by wavelength, the deepest first within a band; catalogue objects, nearest first; notes on what
            is missing or broken.

        Raises
        ------
        DataError
            If the position is not one.
        """
        if not (np.isfinite(ra) and np.isfinite(dec) and abs(dec) <= 90):
            raise DataError(f"imaging: ({ra}, {dec}) is not a position in degrees; give (ra, dec)")
        ra = float(ra) % 360.0
        cutouts: list[Cutout] = []
        objects: list[CatalogObject] = []
        notes: list[str] = []
        density: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for survey in self.surveys:
            tiles = self.tiles(survey)
            notes.extend(f"{survey.name}: {text}" for text in tiles.broken)
            cutouts.extend(self.cutouts(survey, ra, dec, size, notes))
            found, counts = self.catalog(survey, ra, dec, radius, notes)
            objects.extend(found)
            if counts is not None:
                density[survey.name] = counts
        if not cutouts:
            notes.append("no image on disk covers this position")
        cutouts.sort(key=_by_band_and_depth)
        objects = self._with_redshifts(objects, ra, dec, radius, notes)
        here = unit_vectors(ra, dec)
        objects.sort(key=lambda o: float(np.sum((unit_vectors(o.ra, o.dec) - here) ** 2)))
        return Imaging(tuple(cutouts), tuple(objects), tuple(dict.fromkeys(notes)), density)

    def cutouts(self, survey: Survey, ra: float, dec: float, size: float, notes: list[str]) -> list[Cutout]:
        """One cutout a band of one survey; what went wrong is added to `notes`."""
        bands: dict[str, list[tuple[float, Tile]]] = {}
        for margin, tile in self.tiles(survey).covering(ra, dec):
            bands.setdefault(tile.band, []).append((margin, tile))
        found = []
        for band, tiles in bands.items():
            for _, tile in sorted(tiles, key=lambda pair: -pair[0]):
                try:
                    cutout = self._cutout(survey, tile, ra, dec, size)
                except DataError as error:
                    notes.append(f"{survey.name} {band}: {error}")
                    continue
                if not cutout.usable:
                    notes.append(f"{survey.name} {band}: {cutout.note or 'blank'} in {Path(tile.plane.path).name}")
                    continue
                found.append(cutout)
                break
        return found

    def _cutout(self, survey: Survey, tile: Tile, ra: float, dec: float, size: float) -> Cutout:
        data, wcs, note = read_section(tile.plane, (ra, dec), size)
        keywords = tile.plane.keywords
        return Cutout(
            data=data,
            wcs=wcs,
            band=tile.band,
            zero_point=survey.zero_point(keywords),
            survey=survey.name,
            position=(ra, dec),
            depth=survey.depth.get(tile.band, NAN),
            psf_fwhm=_seeing(keywords, survey.psf_fwhm),
            start_radius=survey.start_radius,
            exposure_time=_number(keywords, "EXPTIME"),
            path=tile.plane.path,
            note=note,
        )

    def catalog(
        self, survey: Survey, ra: float, dec: float, radius: float, notes: list[str]
    ) -> tuple[list[CatalogObject], tuple[np.ndarray, np.ndarray] | None]:
        """One survey's catalogue objects near a position and its counts on the sky."""
        objects: dict[tuple[str, str], CatalogObject] = {}
        density = None
        for _, tile in sorted(self.tiles(survey).covering(ra, dec), key=lambda pair: -pair[0]):
            table = self._table(survey, tile)
            if isinstance(table, str):
                notes.append(f"{survey.name}: {table}")
            if not isinstance(table, CatalogTable):
                continue
            for row in table.within(ra, dec, radius):
                target = table.object(int(row))
                objects.setdefault((f"{target.ra:.6f}", f"{target.dec:.6f}"), target)
            density = density or table.surface_density(BAND_ORDER)
        return list(objects.values()), density

    def _table(self, survey: Survey, tile: Tile) -> CatalogTable | str | None:
        """The catalogue of a tile; None if there is none, a sentence if it cannot be read."""
        if survey.catalog is None:
            return None
        which = (survey.name, "/".join(value for name, value in sorted(tile.key.items()) if name != "band"))
        if which not in self._tables:
            try:
                self._tables[which] = survey.catalog(self.root, tile, survey)
            except DataError as error:
                self._tables[which] = str(error)
        return self._tables[which]

    def _redshift_tables(self, kind: str) -> tuple[list[RedshiftTable], list[str]]:
        """All tables of one kind ("spec", "photo", "pdf"), and what was wrong with the others."""
        if kind not in self._redshifts:
            patterns: dict[str, tuple[list[str], Callable[[Path], RedshiftTable]]] = {
                "spec": (["specz/*.csv"], read_spec_z),
                "photo": ([survey.photo_z for survey in self.surveys if survey.photo_z], read_photo_z),
                "pdf": (["photz/pdf_*.h5"], read_photo_z_pdf),
            }
            globs, reader = patterns[kind]
            tables, faults = [], []
            for path in (path for pattern in globs for path in sorted(self.root.glob(pattern))):
                try:
                    tables.append(reader(path))
                except DataError as error:
                    faults.append(str(error))
            self._redshifts[kind] = tables, faults
        return self._redshifts[kind]

    def _with_redshifts(
        self, objects: list[CatalogObject], ra: float, dec: float, radius: float, notes: list[str]
    ) -> list[CatalogObject]:
        """The same objects with the redshifts that lie within 1" of them and nearer to no other of their catalogue."""
        for kind in ("spec", "pdf", "photo"):
            tables, faults = self._redshift_tables(kind)
            notes.extend(faults)
            for table in tables:
                for row in table.within(ra, dec, radius + MATCH_RADIUS):
                    for name in sorted({target.catalog for target in objects}):
                        index = _nearest(objects, name, float(table.ra[row]), float(table.dec[row]))
                        if index >= 0:
                            objects[index] = _with_redshift(objects[index], kind, table, int(row))
        return objects


def _nearest(objects: list[CatalogObject], catalog: str, ra: float, dec: float) -> int:
    """Index of the nearest object of one catalogue within 1", or -1."""
    own = [i for i, target in enumerate(objects) if target.catalog == catalog]
    vectors = unit_vectors(np.array([objects[i].ra for i in own]), np.array([objects[i].dec for i in own]))
    distance = np.sqrt(np.sum((vectors - unit_vectors(ra, dec)) ** 2, axis=-1))
    best = int(np.argmin(distance))
    return own[best] if np.degrees(distance[best]) * 3600.0 <= MATCH_RADIUS else -1


def _with_redshift(target: CatalogObject, kind: str, table: RedshiftTable, row: int) -> CatalogObject:
    z = float(table.z[row])
    if kind == "spec":
        return replace(target, spec_z=z) if np.isnan(target.spec_z) else target
    if kind == "pdf" and table.grid is not None and table.pdf is not None and target.photo_z_pdf is None:
        target = replace(target, photo_z_pdf=(table.grid, table.pdf[row]))
    # A published best value goes before the median of a PDF: it is what the catalogue says.
    if kind == "photo" or np.isnan(target.photo_z):
        low, high = float(table.low[row]), float(table.high[row])
        target = replace(target, photo_z=z, photo_z_low=low, photo_z_high=high)
    return target


def _by_band_and_depth(cutout: Cutout) -> tuple[int, float]:
    order = WAVELENGTH_ORDER.index(cutout.band) if cutout.band in WAVELENGTH_ORDER else len(WAVELENGTH_ORDER)
    return order, -cutout.depth if np.isfinite(cutout.depth) else np.inf


def open_library(path: str | os.PathLike[str]) -> Library:
    """The imaging that belongs to a release: in its folder, or beside it, as HETDEX shares it between releases.

    The imaging folder itself is taken too.

    Parameters
    ----------
    path : path

    Returns
    -------
    Library
        Empty if no survey is there.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder; give the folder of a release or of its imaging")
    if (root / "imaging").is_dir():
        return Library(root / "imaging")
    beside = root.resolve().parent / "imaging"
    if beside.is_dir() and any((root / name).is_dir() for name in _RELEASE_FOLDERS):
        return Library(beside)
    return Library(root)
