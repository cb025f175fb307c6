"""The imaging surveys on disk and on the web: what they hold around a position.

`open_library(path)` looks for every survey of the registry (and of the user's own TOML file) under a folder; a survey
that is not on disk contributes nothing.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from elixer_widgets._arguments import path as given_path
from elixer_widgets._sections import read_section
from elixer_widgets.detection import NAN, CatalogObject, Cutout, DataError, Imaging
from elixer_widgets.imaging.custom import find_file, read_surveys
from elixer_widgets.imaging.files import walk
from elixer_widgets.imaging.footprints import Footprints, Tile
from elixer_widgets.imaging.objects import Density, ObjectSearch
from elixer_widgets.imaging.registry import SURVEYS, WAVELENGTH_ORDER, Survey
from elixer_widgets.imaging.tables import unit_vectors
from elixer_widgets.imaging.web import WebClient, web_allowed
from elixer_widgets.imaging.zero_points import number

# What tells a release folder from a folder of images.
_RELEASE_FOLDERS = ("survey", "detect", "reduction")

_WORKERS = 8  # bands read, or fetched, at a time

_Job = TypeVar("_Job")
_Answer = tuple[Cutout | None, list[str]]


class Library:
    """All surveys found under one folder. Made by `open_library`; may be pickled to a worker.

    Footprints and catalogues are read at the first use and kept on the instance; a pickle carries only the paths.
    Threads may share one.

    Parameters
    ----------
    root : Path, optional
        The imaging folder; None for images from the web alone.
    surveys : iterable of Survey
    web : bool, optional
        Whether bands that no image on disk covers are asked from the web; by default what the environment variable
        ELIXER_WIDGETS_WEB says, and no if it says nothing.
    client : WebClient, optional
    """

    def __init__(
        self,
        root: Path | None,
        surveys: Iterable[Survey] = SURVEYS,
        *,
        web: bool | None = None,
        client: WebClient | None = None,
    ) -> None:
        self.root = root
        self.surveys = tuple(surveys)
        self.web = web_allowed() if web is None else web
        self.client = client or WebClient()
        self._files: dict[Path, tuple[str, ...]] = {}
        self._footprints: dict[str, Footprints] = {}
        self._objects = ObjectSearch(self.surveys, self._listing)
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Callable[..., Library], tuple[Path | None, tuple[Survey, ...], bool]]:
        return _library, (self.root, self.surveys, self.web)

    def _folder(self, survey: Survey) -> Path | None:
        return Path(survey.folder) if survey.folder else self.root

    def _names(self, folder: Path | None) -> tuple[str, ...]:
        """All files under a folder, listed once."""
        if folder is None:
            return ()
        if folder not in self._files:
            self._files[folder] = walk(folder)
        return self._files[folder]

    def _listing(self, survey: Survey | None) -> tuple[Path | None, tuple[str, ...]]:
        folder = self.root if survey is None else self._folder(survey)
        return folder, self._names(folder)

    def footprints(self, survey: Survey) -> Footprints:
        """Where the survey's images on disk lie."""
        with self._lock:
            if survey.name not in self._footprints:
                folder = self._folder(survey)
                self._footprints[survey.name] = Footprints(folder or Path(), survey, self._names(folder))
            return self._footprints[survey.name]

    def _covering(self, survey: Survey, ra: float, dec: float) -> list[tuple[float, Tile]]:
        # One at a time: the projections of the WCS library are not for several threads at once.
        with self._lock:
            return self.footprints(survey).covering(ra, dec)

    def bands(self, survey: Survey, ra: float, dec: float) -> tuple[str, ...]:
        """The survey's bands on disk at a position, in the survey's order."""
        here = {tile.band for _, tile in self._covering(survey, ra, dec)}
        return tuple(band for band in survey.bands if band in here)

    def covering(self, ra: float, dec: float) -> tuple[Survey, ...]:
        """Surveys with an image on disk that covers a position."""
        return tuple(survey for survey in self.surveys if self._covering(survey, ra, dec))

    def imaging(
        self, ra: float, dec: float, size: float = 30.0, radius: float = 10.0, *, web: bool | None = None
    ) -> Imaging:
        """What all surveys have around a position.

        Parameters
        ----------
        ra, dec : float
            Degrees.
        size : float
            Side of the cutouts, arcsec.
        radius : float
            Reach of the catalogue search, arcsec; a galaxy whose ellipse covers the position is found beyond it.
        web : bool, optional
            Whether bands that are not on disk are asked from the web; as the library was opened if not given.

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
        notes: list[str] = []
        cutouts = self._local(self.surveys, ra, dec, size, notes)
        for survey in self.surveys:  # after they were looked for: a file may have gone since the last time
            notes.extend(f"{survey.name}: {text}" for text in self.footprints(survey).broken)
        if self.web if web is None else web:
            cutouts.extend(self._missing(cutouts, ra, dec, size, notes))
        if not cutouts:
            covered = bool(self.covering(ra, dec))  # by images that are blank or broken here, as the notes say
            notes.append(f"no image on disk {'has usable data at' if covered else 'covers'} this position")
        cutouts.sort(key=_by_band_and_depth)
        objects, density = self.objects(ra, dec, radius, notes)
        return Imaging(tuple(cutouts), tuple(objects), tuple(dict.fromkeys(notes)), density)

    def cutouts(
        self,
        survey: Survey,
        ra: float,
        dec: float,
        size: float,
        notes: list[str],
        *,
        bands: Sequence[str] | None = None,
        web: bool = False,
    ) -> list[Cutout]:
        """One cutout a band of one survey, of the `bands` wanted or all; what went wrong is added to `notes`.

        With `web`, a survey that has a service there is asked for the bands that are not on disk.
        """
        found = self._local((survey,), ra, dec, size, notes, bands)
        if web and survey.web is not None:
            have = {cutout.band for cutout in found}
            missing = [b for b in survey.bands if b not in have and (bands is None or b in bands)]
            found.extend(self._from_web(survey, missing, ra, dec, size, notes))
        return found

    def _local(
        self,
        surveys: Sequence[Survey],
        ra: float,
        dec: float,
        size: float,
        notes: list[str],
        wanted: Sequence[str] | None = None,
    ) -> list[Cutout]:
        jobs: list[tuple[Survey, str, list[Tile]]] = []
        for survey in surveys:
            bands: dict[str, list[tuple[float, Tile]]] = {}
            for margin, tile in self._covering(survey, ra, dec):
                bands.setdefault(tile.band, []).append((margin, tile))
            # The image whose edge is farthest goes first; the others stand in for it.
            jobs.extend(
                (survey, band, [tile for _, tile in sorted(tiles, key=lambda pair: -pair[0])])
                for band, tiles in bands.items()
                if wanted is None or band in wanted
            )

        def read(job: tuple[Survey, str, list[Tile]]) -> _Answer:
            survey, _, tiles = job
            faults: list[str] = []
            for tile in tiles:
                cutout = _cutout(survey, tile, ra, dec, size, faults)
                if cutout is not None:
                    return cutout, faults
            return None, faults

        return _together(read, jobs, notes)

    def _missing(self, have: Sequence[Cutout], ra: float, dec: float, size: float, notes: list[str]) -> list[Cutout]:
        """Cutouts from the web in bands that there is none of yet: the first survey that has one."""
        bands = {cutout.band for cutout in have}
        services = [survey for survey in self.surveys if survey.web is not None and not bands.issuperset(survey.bands)]
        addresses = [address for survey in services if survey.web is not None for address in survey.web.addresses]
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            list(pool.map(self.client.reachable, addresses))  # all at once, so that no network is noticed at once
        found: list[Cutout] = []
        for survey in services:
            wanted = [band for band in survey.bands if band not in bands]
            new = self._from_web(survey, wanted, ra, dec, size, notes)
            bands.update(cutout.band for cutout in new)
            found.extend(new)
        return found

    def _from_web(
        self, survey: Survey, bands: Sequence[str], ra: float, dec: float, size: float, notes: list[str]
    ) -> list[Cutout]:
        service = survey.web
        if service is None:
            return []

        def fetch(band: str) -> _Answer:
            faults: list[str] = []
            try:
                for path in service.fetch(self.client, band, ra, dec, size):
                    cutout = _cutout(survey, Tile(str(path), band), ra, dec, size, faults)
                    if cutout is not None:
                        return cutout, faults
            except DataError as error:
                faults.append(f"{survey.name}: {error}")
            return None, faults

        return _together(fetch, bands, notes)

    def catalog(
        self, survey: Survey, ra: float, dec: float, radius: float, notes: list[str]
    ) -> tuple[list[CatalogObject], Density | None]:
        """One survey's catalogue objects near a position and its counts on the sky."""
        tiles = sorted(self._covering(survey, ra, dec), key=lambda pair: -pair[0])
        with self._lock:
            return self._objects.near(survey, [tile for _, tile in tiles], ra, dec, radius, notes)

    def objects(
        self, ra: float, dec: float, radius: float, notes: list[str]
    ) -> tuple[list[CatalogObject], dict[str, Density]]:
        """All surveys' catalogue objects near a position, nearest first, and the counts of each by its name."""
        found: list[CatalogObject] = []
        density: dict[str, Density] = {}
        for survey in self.surveys:
            own, counts = self.catalog(survey, ra, dec, radius, notes)
            found.extend(own)
            if counts is not None:
                density[survey.name] = counts
        if found:
            with self._lock:
                found = self._objects.with_redshifts(found, ra, dec, radius, notes)
        here = unit_vectors(ra, dec)
        found.sort(key=lambda o: float(np.sum((unit_vectors(o.ra, o.dec) - here) ** 2)))
        return found, density


def _library(root: Path | None, surveys: tuple[Survey, ...], web: bool) -> Library:
    """A library out of a pickle."""
    return Library(root, surveys, web=web)


def _together(work: Callable[[_Job], _Answer], jobs: Sequence[_Job], notes: list[str]) -> list[Cutout]:
    """The cutouts that some jobs make, in the jobs' order, several jobs at a time; their faults go to `notes`."""
    if len(jobs) < 2:
        answers = [work(job) for job in jobs]
    else:
        # Whoever silences warnings in a thread may leave them silent, so they are restored here, after all threads.
        with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=min(_WORKERS, len(jobs))) as pool:
            answers = list(pool.map(work, jobs))
    for _, faults in answers:
        notes.extend(faults)
    return [cutout for cutout, _ in answers if cutout is not None]


def _cutout(survey: Survey, tile: Tile, ra: float, dec: float, size: float, faults: list[str]) -> Cutout | None:
    """A usable cutout out of one image, or None; why there is none is added to `faults`."""
    label = f"{survey.name} {tile.band}"
    try:
        plane = tile.plane
        data, wcs, note = read_section(plane, (ra, dec), size)
    except DataError as error:
        faults.append(f"{label}: {error}")
        return None
    # The area of a pixel, for surface brightnesses, where the header lacks it.
    if plane.note:
        faults.append(f"{label}: {plane.path}: {plane.note}")
    keywords = {"PIXAR_SR": float(np.radians(plane.pixel_scale / 3600.0) ** 2), **plane.keywords}
    zero_point = survey.zero_point(keywords, tile.band)
    if not np.isfinite(zero_point):
        faults.append(f"{label}: {plane.path}: its header has no zero point, so it cannot be measured; add its keyword")
        return None
    own = number(keywords, "SEEING")
    cutout = Cutout(
        data=data,
        wcs=wcs,
        band=tile.band,
        zero_point=zero_point,
        survey=survey.name,
        position=(ra, dec),
        depth=survey.depth.get(tile.band, NAN),
        # The image's own seeing where its header has a credible one.
        psf_fwhm=own if 0.5 * survey.psf_fwhm < own < 2.0 * survey.psf_fwhm else survey.psf_fwhm,
        start_radius=survey.start_radius,
        exposure_time=number(keywords, "EXPTIME"),
        path=plane.path,
        note=note,
    )
    if not cutout.usable:
        faults.append(f"{label}: {note or 'blank'} in {Path(plane.path).name}")
        return None
    return cutout


def _by_band_and_depth(cutout: Cutout) -> tuple[int, float]:
    order = WAVELENGTH_ORDER.index(cutout.band) if cutout.band in WAVELENGTH_ORDER else len(WAVELENGTH_ORDER)
    return order, -cutout.depth if np.isfinite(cutout.depth) else np.inf


def open_library(
    path: str | os.PathLike[str] | None,
    *,
    surveys: str | os.PathLike[str] | None = None,
    web: bool | None = None,
) -> Library:
    """The imaging that belongs to a release: in its folder, or beside it, as HETDEX shares it between releases.

    The imaging folder itself is taken too.

    Parameters
    ----------
    path : path, optional
        None for images from the web alone.
    surveys : path, optional
        A TOML file of the user's own surveys (docs/surveys.md); without it the environment variable
        ELIXER_WIDGETS_SURVEYS and then `surveys.toml` in the folder or in its imaging are tried. A survey with the name
        of a known one replaces it.
    web : bool, optional
        Whether bands that no image on disk covers are asked from the web; no, if neither this nor the environment
        variable ELIXER_WIDGETS_WEB says so.

    Returns
    -------
    Library
        Empty if no survey is there.

    Raises
    ------
    DataError
        If there is no such folder, or the file of surveys is wrong.
    """
    root = imaging = None
    if path is not None:
        root = imaging = given_path(path, "open_library: path")
        if not root.is_dir():
            raise DataError(f"{root}: there is no such folder; give the folder of a release or of its imaging")
        beside = root.resolve().parent / "imaging"
        if (root / "imaging").is_dir():
            imaging = root / "imaging"
        elif beside.is_dir() and any((root / name).is_dir() for name in _RELEASE_FOLDERS):
            imaging = beside
    folders = tuple(folder for folder in (root, imaging) if folder is not None)
    file = find_file(surveys, folders)
    own = read_surveys(file) if file else ()
    names = {survey.name for survey in own}
    return Library(imaging, (*own, *(survey for survey in SURVEYS if survey.name not in names)), web=web)
