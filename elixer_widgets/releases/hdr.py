"""A HETDEX data release: the directory tree with detection files, shot files and survey tables."""

from __future__ import annotations

import re
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elixer_widgets._arguments import path as given_path
from elixer_widgets.detection import (
    DataError,
    Detection,
    FiberField,
    FiberImages,
    Imaging,
    Shot,
    Spectrum,
)
from elixer_widgets.releases.base import Release, ReleaseIndex
from elixer_widgets.releases.corrections import WavelengthCorrection, release_number
from elixer_widgets.releases.detections import DetectionFile, DetectionRecord
from elixer_widgets.releases.layout import ReleaseTree, datevobs
from elixer_widgets.releases.positions import within
from elixer_widgets.releases.reading import Table, open_h5
from elixer_widgets.releases.shots import ShotFile, read_shot
from elixer_widgets.releases.surroundings import fibers_around

if TYPE_CHECKING:
    from elixer_widgets.imaging.surveys import Library

IMAGE_SIZE = 30.0  # arcsec; side of the image cutouts
FIBER_REACH = 9.0  # arcsec; reaches past the ring (5 to 7 arcsec) where the flux map's background is measured
INDEX_COLUMNS = ("detectid", "ra", "dec", "wave", "sn")
_DETECTION_FILE = re.compile(r"detect_(?:broad_)?((?:hdr|pdr)[\d.]+|[a-z0-9]+)\.h5|cont(?:inuum)?_(\w+)\.h5")


def find_tree(path: Path) -> tuple[ReleaseTree, tuple[Path, ...]] | None:
    """The release at `path`, and its detection files; None if there is none.

    `path` may be the release directory, the directory that holds several releases (the newest is taken), or one
    detection file.
    """
    if path.is_file():
        home = path.parent.parent if path.parent.name == "detect" else path.parent
        return ReleaseTree(home, _file_release(path, home.name)), (path,)
    files = _detection_files(path / "detect")
    if files:
        return ReleaseTree(path, _release_name(path, files)), files
    inner = [child for child in path.iterdir() if child.is_dir() and _detection_files(child / "detect")]
    if not inner:
        return None

    def age(child: Path) -> tuple[float, str]:
        number = release_number(child.name)
        return (number if np.isfinite(number) else -1.0, child.name)

    newest = max(inner, key=age)
    files = _detection_files(newest / "detect")
    return ReleaseTree(newest, _release_name(newest, files)), files


def _detection_files(directory: Path) -> tuple[Path, ...]:
    """Detection files of lines first, then of broad lines and of continuum sources."""
    if not directory.is_dir():
        return ()
    found = [path for path in sorted(directory.glob("*.h5")) if _DETECTION_FILE.fullmatch(path.name)]
    return tuple(sorted(found, key=lambda path: (not path.name.startswith("detect_"), "broad" in path.name, path.name)))


def _file_release(path: Path, fallback: str) -> str:
    match = re.search(r"((?:hdr|pdr)\d+(?:\.\d+)?)", path.stem)
    return match[1] if match else fallback


def _release_name(directory: Path, files: tuple[Path, ...]) -> str:
    if np.isfinite(release_number(directory.name)):
        return directory.name
    surveys = sorted((directory / "survey").glob("survey_*.h5"))
    if len(surveys) == 1:
        return surveys[0].stem.removeprefix("survey_")
    return max((_file_release(path, directory.name) for path in files), key=lambda name: (release_number(name), name))


class HdrRelease(Release):
    """A HETDEX data release on disk, internal, public or simulated.

    Nothing is held open: every call opens the files it needs, read-only. What was read once and is small (the list of
    detections, the table of observations) is kept, and left behind when the release is sent to a worker.

    Parameters
    ----------
    path : path
        The release directory (`.../hdr5`), the directory that holds it, or one detection file.

    Raises
    ------
    DataError
        If there is no release there, or its detection file is damaged or lacks a table or column.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        given = given_path(path, "HdrRelease: path").absolute()  # a worker may run elsewhere
        found = find_tree(given)
        if found is None:
            raise DataError(
                f"{given}: no detection file below it (detect/detect_<release>.h5); give the directory of a release"
            )
        self.tree, paths = found
        self.path = given
        self.name = self.tree.name
        names = [_file_release(item, self.name) for item in paths]
        self.files = tuple(
            DetectionFile(item, name, WavelengthCorrection.find(self.tree.path, name))
            for item, name in zip(paths, names, strict=True)
        )
        checked = [item.check() for item in self.files]
        self._count = sum(count for count, _ in checked)
        self._indexed = tuple(indexed for _, indexed in checked)
        self._forget()

    def _forget(self) -> None:
        self._index: ReleaseIndex | None = None
        self._ids: dict[Path, tuple[np.ndarray, np.ndarray]] = {}
        self._shots: dict[int, Shot] = {}
        self._survey: dict[int, np.void] | None = None
        self._library: Library | None = None

    def __getstate__(self) -> dict[str, Any]:
        kept = ("path", "tree", "name", "files", "_count", "_indexed")
        return {name: value for name, value in self.__dict__.items() if name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"<HdrRelease {self.name} at {self.tree.path}: {self._count} detections>"

    # ------------------------------------------------------------------------------------------ lists

    def index(self) -> ReleaseIndex:
        """One line a detection, read once: from the detect index where there is one, else from Detections.

        `label` is empty: detections of a release are called by their numbers.
        """
        if self._index is None:
            columns = self._from_detect_index() or self._from_detections()
            self._index = ReleaseIndex(
                detectid=columns["detectid"].astype(np.int64),
                ra=columns["ra"].astype(float),
                dec=columns["dec"].astype(float),
                wavelength=np.where(columns["wave"] > 0, columns["wave"], np.nan).astype(float),
                sn=columns["sn"].astype(float),
            )
        return self._index

    def _from_detect_index(self) -> dict[str, np.ndarray] | None:
        """The columns from the detect index; None unless it lists just the detections of the files at hand."""
        folders = [self.tree.path / name for name in ("survey", "detect")]
        for path in [path for folder in folders for path in sorted(folder.glob("detect_index_*.h5"))]:
            with open_h5(path) as file:
                table = Table.of(file, path, "/DetectIndex", INDEX_COLUMNS)
                columns = table.columns((*INDEX_COLUMNS, "survey"))
            keep = np.ones(columns["detectid"].size, bool)
            if keep.size != self._count and "survey" in columns:  # an index may list several releases
                keep = np.isin(columns["survey"], [item.name.encode() for item in self.files])
            if np.count_nonzero(keep) == self._count:
                return {name: columns[name][keep] for name in INDEX_COLUMNS}
        return None

    def _from_detections(self) -> dict[str, np.ndarray]:
        parts = [item.columns(INDEX_COLUMNS) for item in self.files]
        return {name: np.concatenate([part[name] for part in parts]) for name in INDEX_COLUMNS}

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        """Detection numbers within `radius` arcsec of a position in degrees, nearest first."""
        index = self.index()
        return index.detectid[within(ra, dec, radius, index.ra, index.dec)]

    # -------------------------------------------------------------------------------------- detections

    def detection(self, detectid: int) -> Detection:
        """The detection with this number, with its spectrum and fibers; images are read when asked for.

        Raises
        ------
        DataError
            If there is no such detection or the file is damaged.
        """
        item, record = self._find(detectid)
        shot, shot_reason = self._shot(record.shotid)
        missing: dict[str, str] = {}
        if shot is None:
            shot = Shot(record.shotid, date=record.date, obsid=record.obsid)
            missing["shot"] = shot_reason
        if not record.fibers:
            missing["fibers"] = record.no_fibers
        if not record.spectrum.has_error:
            missing["error"] = "the spectrum of this detection has no errors"
        if not self.tree.imaging.is_dir():
            missing["imaging"] = self._no_imaging()
        return Detection(
            detectid=int(detectid),
            spectrum=record.spectrum,
            wavelength=record.line.wavelength,
            ra=record.ra,
            dec=record.dec,
            release=item.name,
            pipeline=record.line,
            shot=shot,
            fibers=record.fibers,
            source=self,
            not_available=missing,
            notes=record.notes,
        )

    def _find(self, detectid: int) -> tuple[DetectionFile, DetectionRecord]:
        try:
            wanted = int(detectid)
        except (TypeError, ValueError) as error:
            raise DataError(f"{detectid!r} is no detection number; give a whole number") from error
        if abs(wanted) < 2**63:
            for item, indexed in zip(self.files, self._indexed, strict=True):
                row = None
                if not indexed:  # the whole column was read once
                    ids, rows = self._sorted(item)
                    place = int(np.searchsorted(ids, wanted))
                    if place == ids.size or ids[place] != wanted:
                        continue
                    row = int(rows[place])
                record = item.record(wanted, row)
                if record is not None:
                    return item, record
        raise DataError(self._unknown(wanted))

    def _sorted(self, item: DetectionFile) -> tuple[np.ndarray, np.ndarray]:
        if item.path not in self._ids:
            self._ids[item.path] = item.sorted_ids()
        return self._ids[item.path]

    def _unknown(self, wanted: int) -> str:
        ids = np.unique(np.concatenate([self._sorted(item)[0] for item in self.files]))
        if ids.size == 0:
            return f"{self.tree.path}: release {self.name} holds no detections; give another release"
        # Python's own integers: the difference of two 64-bit numbers may not fit into 64 bits.
        place = int(np.searchsorted(ids, max(min(wanted, 2**63 - 1), -(2**63))))
        around = [int(value) for value in ids[max(0, place - 3) : place + 3]]
        nearest = sorted(sorted(around, key=lambda value: abs(value - wanted))[:3])
        return (
            f"{self.tree.path}: detection {wanted} is not among the {ids.size} of release {self.name} "
            f"({ids[0]} to {ids[-1]}); the nearest are {', '.join(map(str, nearest))}"
        )

    def _shot(self, shotid: int) -> tuple[Shot | None, str]:
        """The record of an observation from the survey file, else from the shot file; or why there is none."""
        if shotid in self._shots:
            return self._shots[shotid], ""
        if self._survey is None:
            self._survey = self._read_survey()
        if shotid in self._survey:
            shot = read_shot(self._survey[shotid])
        else:
            try:
                path = self.tree.shot_file(shotid)
            except DataError as error:
                return None, str(error)
            if not path.is_file():
                return None, f"no record of shot {datevobs(shotid)}: neither in the survey file nor at {path}"
            found = ShotFile(path, self.tree.flats).shot()
            if found is None:
                return None, f"{path} has no record of the observation"
            shot = found
        self._shots[shotid] = shot
        return shot, ""

    def _read_survey(self) -> dict[int, np.void]:
        path = self.tree.survey_file
        if not path.is_file():
            return {}
        with open_h5(path) as file:
            rows = Table.of(file, path, "/Survey", ("shotid",)).data[:]
        return {int(row["shotid"]): row for row in rows}

    # --------------------------------------------------------------------------- read only when asked for

    def fiber_images(self, detection: Detection) -> FiberImages:
        """The CCD cutouts of a detection's fibers; `reason` says what is missing."""
        if not detection.fibers:
            return FiberImages(reason=detection.not_available.get("fibers", "this detection has no fibers"))
        if not np.isfinite(detection.wavelength):
            return FiberImages(reason="this detection has no line, so there is no place on the CCD to show")
        shot, reason = self._shot_file(detection)
        return FiberImages(reason=reason) if shot is None else shot.images(detection.fibers, detection.wavelength)

    def fiber_spectra(self, detection: Detection) -> tuple[Spectrum | None, ...]:
        """The calibrated spectrum of each fiber; None where the release has none."""
        shot, _ = self._shot_file(detection)
        if shot is None:
            return tuple(None for _ in detection.fibers)
        return shot.spectra(detection.fibers, detection.release, self._correction(detection))

    def fiber_field(self, detection: Detection) -> FiberField:
        """Every fiber of the shot within `FIBER_REACH` of a detection; `reason` says what is missing."""
        if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
            return FiberField(reason="this detection has no position, so there are no fibers around it")
        shot, reason = self._shot_file(detection)
        if shot is None:
            return FiberField(reason=reason)
        return fibers_around(shot.path, detection.ra, detection.dec, FIBER_REACH, self._correction(detection))

    def _correction(self, detection: Detection) -> WavelengthCorrection | None:
        return next((item.correction for item in self.files if item.name == detection.release), None)

    def _shot_file(self, detection: Detection) -> tuple[ShotFile | None, str]:
        if detection.shot is None:
            return None, "this detection names no shot"
        try:
            path = self.tree.shot_file(detection.shot.shotid)
        except DataError as error:
            return None, str(error)
        if not path.is_file():
            return None, f"no shot file {path.name} in {path.parent}: the CCD images are not part of this copy"
        return ShotFile(path, self.tree.flats), ""

    def imaging(self, detection: Detection) -> Imaging:
        """Image cutouts, 30 arcsec wide, and catalogue objects around a detection."""
        if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
            return Imaging(notes=("this detection has no position, so there is nothing to cut out",))
        local = self.tree.imaging.is_dir()
        if self._library is None:
            from elixer_widgets.imaging.surveys import open_library

            # Without the folder there may still be the web, and a user's own surveys that lie elsewhere. What lies
            # beside the release is not searched then: it may be a whole archive.
            own = self.tree.path / "surveys.toml"
            self._library = (
                open_library(self.tree.imaging.parent)
                if local
                else open_library(None, surveys=own if own.is_file() else None)
            )
        found = self._library.imaging(detection.ra, detection.dec, size=IMAGE_SIZE)
        return found if local else replace(found, notes=(self._no_imaging(), *found.notes))

    def _no_imaging(self) -> str:
        return f"no imaging directory beside the release ({self.tree.imaging})"
