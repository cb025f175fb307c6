"""What a run leaves on disk, and how a later one knows what is finished."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.releases import Release

DONE, FAILED, INTERRUPTED = 0, 1, 130
"""Exit codes: all well; some detection failed; ended by the user."""

FULL_ID = 1_000_000_000  # reports of smaller numbers carry the run's name too, as in ELiXer
FAILURES = "elixer_failed.dets"
LOG = "elixer.log"


@dataclass
class Summary:
    """How a run went: detections done now, done before, and failed with the reason."""

    done: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False
    peak: float = 0.0
    """The largest memory of a worker, in MB; 0 if it is not known."""
    cpu: float = 0.0
    """Processor time of all workers, in s."""
    restarts: int = 0
    """How often a worker died."""

    @property
    def code(self) -> int:
        """The exit code."""
        return INTERRUPTED if self.interrupted else FAILED if self.failed else DONE


@dataclass(frozen=True)
class Extra:
    """One more file a detection, beside the report: `<detectid><suffix>`.

    `write` gets the release, the interpretation and the path. It is sent to workers, so it is a function of a module
    (or a `functools.partial` of one).
    """

    suffix: str
    write: Callable[[Release, Interpretation, Path], object]


@dataclass(frozen=True)
class Output:
    """The folder of a run and the names of what it holds.

    `images`: further formats of the report (`png`, `jpg`). `extras`: further files a detection. `pdf`: whether there
    is a PDF.
    """

    folder: Path
    images: tuple[str, ...] = ()
    extras: tuple[Extra, ...] = ()
    pdf: bool = True

    @property
    def catalog(self) -> Path:
        """`<name>/<name>_cat.h5`."""
        return self.folder / f"{self.folder.name}_cat.h5"

    @property
    def parts(self) -> Path:
        """Catalogue rows of a run that has not ended."""
        return self.folder / "catalog_parts"

    def stem(self, detectid: int) -> str:
        """What the names of the files of a detection begin with."""
        return str(detectid) if detectid >= FULL_ID else f"{self.folder.name}_{detectid}"

    def reports(self, detectid: int) -> list[Path]:
        """The report of one detection, in each format asked for."""
        kinds = (*(("pdf",) if self.pdf else ()), *self.images)
        return [self.folder / f"{self.stem(detectid)}.{suffix}" for suffix in kinds]

    def files(self, detectid: int) -> list[Path]:
        """Every file of one detection."""
        return self.reports(detectid) + [self.folder / f"{self.stem(detectid)}{each.suffix}" for each in self.extras]

    def catalogs(self) -> list[Path]:
        """The finished catalogue and the parts of an interrupted run, oldest first."""
        kept = [self.catalog] if self.catalog.is_file() else []
        return kept + sorted(self.parts.glob("part_*.h5"))


def stored(output: Output, parts_only: bool = False) -> set[int]:
    """The detections that have a row in the catalogue, or in a part of it that was not merged into it yet.

    Raises
    ------
    DataError
        If a catalogue cannot be read.
    """
    import h5py

    found: set[int] = set()
    for path in output.catalogs():
        if parts_only and path == output.catalog:
            continue
        try:
            with h5py.File(path, "r") as file:
                found.update(file["Detections"]["detectid"][:].tolist())
        except (OSError, KeyError) as error:
            raise DataError(f"{path}: is no readable ELiXer catalogue ({error}); move it away") from error
    return found


def finished(output: Output, detectids: Sequence[int]) -> list[int]:
    """Those of `detectids` that have every file asked for and a row in the catalogue."""
    have = stored(output)
    names = {path.name for path in output.folder.iterdir()} if have else set()  # one look, not one a file
    return [each for each in detectids if each in have and all(path.name in names for path in output.files(each))]


@contextmanager
def only_run(output: Output) -> Iterator[None]:
    """Hold the folder of a run, made if need be; what a killed run or worker left half-written is swept away.

    Raises
    ------
    DataError
        If another run holds it: two would write the same files.
    """
    if output.folder.exists() and not output.folder.is_dir():
        raise DataError(f"{output.folder}: is a file; give a folder")
    output.folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(output.folder, os.O_RDONLY)  # the folder itself is locked: a killed run leaves no lock behind
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{output.folder}: another run is writing here; wait for it, or end it") from error
        except OSError:
            pass  # a file system without locks: the user is trusted not to start two
        _sweep(output)
        try:
            yield
        finally:
            _sweep(output)  # of workers that were killed and replaced on the way
    finally:
        os.close(handle)


def _sweep(output: Output) -> None:
    """Delete half-written files, which begin with a dot until they are whole."""
    for left in output.folder.glob(".*_*"):
        left.unlink(missing_ok=True)


def finish_catalog(output: Output) -> None:
    """Merge the parts into the run's catalogue; of a repeated detection the newest rows stay.

    Killed at any moment, the parts or the catalogue have every row, and what is in both is merged away next time.
    """
    from elixer_widgets.reports import merge_catalogs

    parts = sorted(output.parts.glob("part_*.h5"))
    if parts and output.catalog.is_file():
        fresh = output.parts / "merged.h5"
        merge_catalogs(output.catalogs(), fresh, unique=True)
        fresh.replace(output.catalog)
    elif parts:
        merge_catalogs(parts, output.catalog, unique=True)
    shutil.rmtree(output.parts, ignore_errors=True)


def write_failures(output: Output, failed: dict[int, str]) -> None:
    """List what failed and why, in a form that `--dets` reads; no list if nothing did."""
    path = output.folder / FAILURES
    if not failed:
        path.unlink(missing_ok=True)
        return
    lines = (f"{detectid}  # {' '.join(reason.split())}\n" for detectid, reason in failed.items())
    path.write_text("".join(lines), encoding="utf-8")


def unfinished(outputs: Iterable[Output], detectids: Sequence[int]) -> list[int]:
    """Those of `detectids` that none of several folders has finished."""
    have: set[int] = set()
    for each in outputs:
        if each.folder.is_dir():
            have.update(finished(each, detectids))
    return [each for each in detectids if each not in have]
