"""A file or a folder of spectra, opened as a release: one detection a spectrum, and nothing but the spectrum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from elixer_widgets._arguments import path as given_path
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases.base import Release, ReleaseIndex
from elixer_widgets.releases.positions import within
from elixer_widgets.releases.reading import is_hdf5
from elixer_widgets.releases.spectrum import FoundSpectrum
from elixer_widgets.releases.spectrum_formats import (
    HDF5_SUFFIXES,
    read_file,
    read_group,
    read_groups,
)
from elixer_widgets.releases.spectrum_tables import How


@dataclass(frozen=True)
class _Entry:
    """Where a spectrum lies: the file, and its group or its place in it."""

    path: Path
    group: str = ""
    place: int = 0


class SpectraRelease(Release):
    """Spectra in a file or a folder; detections are numbered from 1 in the order of the files.

    Parameters
    ----------
    path : path
        HDF5 with one group a spectrum (`wave`, `flux`, `err`, attributes), FITS and whatever else specutils reads,
        ECSV, CSV or plain text with two or three columns; or a folder of such files.
    columns, unit, medium
        See `open_release`.

    Attributes
    ----------
    problems : tuple of str
        The files and spectra that could not be read, and why.

    Raises
    ------
    DataError
        If there is nothing that can be read.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        columns: Mapping[str, str] | None = None,
        unit: str = "",
        medium: str = "",
    ) -> None:
        self.how = How(dict(columns or {}), unit, medium)
        self.path = given_path(path, "SpectraRelease: path").absolute()  # a worker may run elsewhere
        self.name = self.path.stem if self.path.is_file() else self.path.name
        self._entries: list[_Entry] = []
        self._found: dict[int, FoundSpectrum] = {}
        problems: list[str] = []
        for file in self._files():
            try:
                for entry, found in _spectra(file, problems, self.how):
                    self._entries.append(entry)
                    self._found[len(self._entries)] = found
            except DataError as error:
                problems.append(str(error))
        self.problems = tuple(problems)
        if not self._entries:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise DataError(
                f"{problems[0]}{more}"
                if problems
                else f"{self.path}: holds no spectrum; give a file or folder of spectra"
            )
        self._listed = ReleaseIndex(
            detectid=np.arange(1, len(self._entries) + 1, dtype=np.int64),
            ra=np.array([found.ra for found in self._found.values()]),
            dec=np.array([found.dec for found in self._found.values()]),
            wavelength=np.array([found.wavelength for found in self._found.values()]),
            sn=np.full(len(self._entries), np.nan),
            label=tuple(found.label for found in self._found.values()),
        )

    def __getstate__(self) -> dict[str, Any]:
        # A worker reads again the few spectra that it is asked for.
        return {**self.__dict__, "_found": {}}

    def __repr__(self) -> str:
        return f"<SpectraRelease {self.name}: {len(self)} spectra>"

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        return sorted(item for item in self.path.iterdir() if item.is_file() and not item.name.startswith((".", "_")))

    def index(self) -> ReleaseIndex:
        """One line a spectrum, `label` being its name."""
        return self._listed

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        """Numbers of the spectra whose files give a position within `radius` arcsec, nearest first."""
        return self._listed.detectid[within(ra, dec, radius, self._listed.ra, self._listed.dec)]

    def detection(self, detectid: int) -> Detection:
        """The spectrum with this number, 1 to N, as a detection.

        Raises
        ------
        DataError
            If there is no such number or its file has changed since.
        """
        try:
            number = int(detectid)
        except (TypeError, ValueError) as error:
            raise DataError(f"{detectid!r} is no number of a spectrum; give a whole number") from error
        if not 1 <= number <= len(self._entries):
            nearest = 1 if number < 1 else len(self._entries)
            raise DataError(
                f"{self.path}: there is no spectrum {number}; they run from 1 to {len(self._entries)}, "
                f"the nearest is {nearest} ({self._listed.label[nearest - 1]})"
            )
        if number not in self._found:
            self._found[number] = _read(self._entries[number - 1], self.how)
        found = self._found[number]
        made = Detection.from_spectrum(
            found.spectrum, found.wavelength, found.ra, found.dec, detectid=number, name=found.label
        )
        missing = dict(made.not_available)
        if not (np.isfinite(found.ra) and np.isfinite(found.dec)):
            missing["position"] = "no position came with this spectrum"
        return replace(
            made,
            release=self.name,
            magnitudes=found.magnitudes,
            not_available=missing,
            source_z=found.source_z,
        )


def _spectra(file: Path, problems: list[str], how: How) -> Iterator[tuple[_Entry, FoundSpectrum]]:
    """The spectra of one file; a group of an HDF5 file that cannot be read is told and passed over."""
    if file.suffix.lower() not in HDF5_SUFFIXES and not is_hdf5(file):
        for place, found in enumerate(read_file(file, how)):
            yield _Entry(file, place=place), found
        return
    for name, result in read_groups(file, how):
        if isinstance(result, DataError):
            problems.append(str(result))
        else:
            yield _Entry(file, group=name), result


def _read(entry: _Entry, how: How) -> FoundSpectrum:
    if entry.group:
        return read_group(entry.path, entry.group, how)
    for place, found in enumerate(read_file(entry.path, how)):
        if place == entry.place:
            return found
    raise DataError(f"{entry.path}: has fewer spectra than when it was opened; open it again")
