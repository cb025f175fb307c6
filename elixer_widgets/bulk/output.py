"""What a run leaves on disk, and how a later one knows what is finished."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._files import Held, holding, made_folder, made_here, write_text
from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.releases import Release

DONE, FAILED, INTERRUPTED = 0, 1, 130
"""Exit codes: all well; some detection failed; ended by the user."""

FULL_ID = 1_000_000_000  # reports of smaller numbers carry the run's name too, as in ELiXer
FAILURES = "elixer_failed.dets"
LOG = "elixer.log"
LOCK = "elixer.lock"

_PART = re.compile(r"(?:part|row)_(\d{20})_\S+\.(?:h5|npz)")
"""What the names of catalogue rows of a run that has not ended look like; the number orders runs, see `next_series`."""

_FAILURE = re.compile(r"\d+  # .*")
_REPORTS = (".pdf", ".png", ".jpg")


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
        """What a run that has not ended keeps: catalogue rows, temporary files and its lock."""
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

    def pieces(self, suffix: str) -> list[Path]:
        """The catalogue rows of runs that have not ended, oldest first: `.h5`, or `.npz` for single detections."""
        return sorted(path for path in self.parts.glob(f"*{suffix}") if _PART.fullmatch(path.name))

    def catalogs(self) -> list[Path]:
        """The finished catalogue and the parts of an interrupted run, oldest first."""
        kept = [self.catalog] if self.catalog.is_file() else []
        return kept + self.pieces(".h5")


def stored(output: Output, parts_only: bool = False, series: int = 0) -> set[int]:
    """The detections that have a row in the catalogue, or in a part of it that was not merged into it yet.

    Parameters
    ----------
    output : Output
    parts_only : bool
        Leave the catalogue out.
    series : int
        Of parts, only those of this series and later ones.

    Raises
    ------
    DataError
        If a catalogue cannot be read.
    """
    import h5py

    from elixer_widgets.bulk.rows import read_row

    detectids: set[int] = set()
    for path in output.catalogs():
        if path == output.catalog:
            if parts_only:
                continue
        elif _series(path) < series:
            continue
        try:
            with h5py.File(path, "r") as file:
                file["Version"]
                detectids.update(file["Detections"]["detectid"][:].tolist())
        except (OSError, KeyError) as error:
            raise DataError(f"{path}: is no readable ELiXer catalogue ({error}); move it away") from error
    for path in output.pieces(".npz"):
        tables = read_row(path) if _series(path) >= series else None
        if tables is not None:
            detectids.update(tables["Detections"]["detectid"].tolist())
    return detectids


def _series(path: Path) -> int:
    match = _PART.fullmatch(path.name)
    return int(match[1]) if match else 0


def next_series(output: Output) -> int:
    """A number above those of all parts there are, whatever the clock says.

    So of a detection done twice the rows of the later run count.
    """
    there = [_series(path) for path in (*output.pieces(".h5"), *output.pieces(".npz"))]
    return max([time.time_ns(), *(1 + each for each in there)])


def finished(output: Output, detectids: Sequence[int], have: set[int] | None = None) -> list[int]:
    """Those of `detectids` that have every file asked for and a row in the catalogue, or in `have`."""
    have = stored(output) if have is None else have
    names = {path.name for path in output.folder.iterdir()} if have else set()  # one look, not one a file
    return [each for each in detectids if each in have and all(path.name in names for path in output.files(each))]


def check_names(output: Output, detectids: Sequence[int], have: set[int]) -> None:
    """Refuse to begin where a file that is not ours would be overwritten.

    Parameters
    ----------
    output : Output
    detectids : sequence of int
        What will be done.
    have : set of int
        Those that have a row here: their reports are ours.

    Raises
    ------
    DataError
        Naming the file.
    """
    for path in (output.catalog, output.folder / LOG, output.folder / FAILURES):
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is a folder, where the run writes a file; move it away or give another folder")
    failures = output.folder / FAILURES
    if failures.is_file() and not _is_failures(failures):
        raise DataError(f"{failures}: is there already and was not written by a run; move it away")
    names = {path.name for path in output.folder.iterdir()}
    for detectid in detectids:
        for path in output.files(detectid):
            if path.name in names and not (path.is_file() and (detectid in have or _is_report(path))):
                raise DataError(
                    f"{path}: is there already and is not a report of ELiXer Widgets; "
                    "move it away or give another folder"
                )


def _is_report(path: Path) -> bool:
    """Whether a picture or page is ours; files of other kinds have nothing to tell it by."""
    if path.suffix not in _REPORTS:
        return True
    try:
        return not path.stat().st_size or made_here(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); move it away or give another folder") from error


def _is_failures(path: Path) -> bool:
    """Whether a list is one that `write_failures` made."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return all(_FAILURE.fullmatch(line) for line in lines)


@contextmanager
def only_run(output: Output) -> Iterator[Held]:
    """Hold the folder of a run, made if need be; temporary files of a run that was killed are swept away.

    Raises
    ------
    Busy
        If another run holds it: two would write the same files.
    DataError
        If nothing can be written there.
    """
    if output.folder.exists() and not output.folder.is_dir():
        raise DataError(f"{output.folder}: is a file; give a folder")
    made_folder(output.folder)
    try:
        with holding(output.parts / LOCK, output.folder) as held:
            yield held
    finally:
        with suppress(OSError):  # rows that could not be merged, or something of a person's, is in it
            output.parts.rmdir()


def finish_catalog(output: Output, held: Held) -> None:
    """Merge the parts into the run's catalogue; of a repeated detection the newest rows stay.

    `held`: the folder, from `only_run`. Killed at any moment, the parts or the catalogue have every row, and what is in
    both is merged away next time.

    Raises
    ------
    DataError
        If it cannot be written; the parts are kept.
    """
    from elixer_widgets.bulk.rows import gather
    from elixer_widgets.reports import merge_catalogs

    rows: dict[int, list[Path]] = {}
    for path in output.pieces(".npz"):
        rows.setdefault(_series(path), []).append(path)
    for series, paths in rows.items():
        gather(output.parts, series, paths, held.workplace())
    parts = output.pieces(".h5")
    if not parts:
        return
    fresh = held.workplace() / "merged.h5"
    merge_catalogs(output.catalogs(), fresh, unique=True, in_sequence=True)
    fresh.replace(output.catalog)
    for path in parts:
        path.unlink(missing_ok=True)


def write_failures(output: Output, failed: dict[int, str], held: Held) -> None:
    """List what failed and why, in a form that `--dets` reads; no list if nothing did.

    `held`: the folder, from `only_run`.

    Raises
    ------
    DataError
        If it cannot be written, or a file of that name is not such a list.
    """
    path = output.folder / FAILURES
    if path.is_file() and not _is_failures(path):
        raise DataError(f"{path}: was not written by a run; move it away")
    if not failed:
        path.unlink(missing_ok=True)
        return
    listed = "".join(f"{detectid}  # {' '.join(reason.split())}\n" for detectid, reason in failed.items())
    write_text(path, listed, held.workplace())


def unfinished(outputs: Iterable[Output], detectids: Sequence[int]) -> list[int]:
    """Those of `detectids` that none of several folders has finished."""
    have: set[int] = set()
    for each in outputs:
        if each.folder.is_dir():
            have.update(finished(each, detectids))
    return [each for each in detectids if each not in have]
