"""Many detections on this computer, one after another: reports, pictures and one catalogue."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.releases import Release

DONE, FAILED, INTERRUPTED = 0, 1, 130
"""Exit codes: all well; some detection failed; ended by the user."""

PART_SIZE = 20
PART_SECONDS = 20.0
"""While a run goes on, catalogue rows are written after so many detections or so much time, whichever comes first: what
is not written when a run is killed must be done again."""

FULL_ID = 1_000_000_000  # reports of smaller numbers carry the run's name too, as in ELiXer

log = logging.getLogger("elixer_widgets")


@dataclass
class Summary:
    """How a run went."""

    done: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def code(self) -> int:
        """The exit code."""
        return INTERRUPTED if self.interrupted else FAILED if self.failed else DONE


@dataclass(frozen=True)
class Output:
    """The folder of a run and the names of what it holds."""

    folder: Path
    images: tuple[str, ...] = ()

    @property
    def catalog(self) -> Path:
        """`<name>/<name>_cat.h5`."""
        return self.folder / f"{self.folder.name}_cat.h5"

    @property
    def parts(self) -> Path:
        """Catalogue rows of a run that has not ended."""
        return self.folder / "catalog_parts"

    def reports(self, detectid: int) -> list[Path]:
        """The report and the pictures of one detection."""
        stem = str(detectid) if detectid >= FULL_ID else f"{self.folder.name}_{detectid}"
        return [self.folder / f"{stem}.{suffix}" for suffix in ("pdf", *self.images)]

    def catalogs(self) -> list[Path]:
        """The finished catalogue and the parts of an interrupted run, oldest first."""
        kept = [self.catalog] if self.catalog.is_file() else []
        return kept + sorted(self.parts.glob("part_*.h5"))


def _stored(output: Output) -> set[int]:
    """The detections that have a row in the catalogue."""
    import h5py

    found: set[int] = set()
    for path in output.catalogs():
        try:
            with h5py.File(path, "r") as file:
                found.update(int(each) for each in file["Detections"]["detectid"][:])
        except (OSError, KeyError) as error:
            raise DataError(f"{path}: is no readable ELiXer catalogue ({error}); move it away") from error
    return found


def finished(output: Output, detectids: Sequence[int]) -> list[int]:
    """Those of `detectids` that have every file asked for and a row in the catalogue."""
    stored = _stored(output)
    return [each for each in detectids if each in stored and all(path.is_file() for path in output.reports(each))]


def _one(release: Release, detectid: int, output: Output) -> Interpretation:
    """Measure, interpret and report one detection."""
    from elixer_widgets.analysis import interpret, measure
    from elixer_widgets.reports import write_report

    interpretation = interpret(measure(release.detection(detectid)))
    for path in output.reports(detectid):
        write_report(interpretation, path)
    return interpretation


def _write_part(output: Output, batch: list[Interpretation], summary: Summary) -> None:
    """Put the catalogue rows of some detections on disk; one that cannot be written counts as failed."""
    from elixer_widgets.reports import write_catalog

    if not batch:
        return
    output.parts.mkdir(exist_ok=True)
    number = 1 + max((int(path.stem.split("_")[1]) for path in output.parts.glob("part_*.h5")), default=0)
    groups = [list(batch)]
    batch.clear()
    while groups:
        group = groups.pop(0)
        try:
            write_catalog(group, output.parts / f"part_{number:06d}.h5")
            number += 1
        except Exception as error:
            if len(group) > 1:  # find the one at fault
                groups = [[each] for each in group] + groups
                continue
            detectid = group[0].measurements.detection.detectid
            log.exception("%d: no catalogue rows", detectid)
            summary.done.remove(detectid)
            summary.failed[detectid] = f"no catalogue rows: {type(error).__name__}: {error}"


def _finish_catalog(output: Output) -> None:
    """Merge the parts into the run's catalogue; of a repeated detection the newest rows stay."""
    from elixer_widgets.reports import merge_catalogs

    parts = sorted(output.parts.glob("part_*.h5"))
    if not parts:
        return
    if output.catalog.is_file():
        fresh = output.parts / "merged.h5"
        merge_catalogs(output.catalogs(), fresh, unique=True)
        fresh.replace(output.catalog)
    else:
        merge_catalogs(parts, output.catalog, unique=True)
    for path in parts:
        path.unlink()
    output.parts.rmdir()


def run(
    release: Release,
    detectids: Sequence[int],
    output: Output,
    recover: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Write the reports and the catalogue of some detections; one that fails does not stop the others.

    Parameters
    ----------
    release : Release
    detectids : sequence of int
    output : Output
        Its folder is made.
    recover : bool
        Skip detections that have all files and a row in the catalogue.
    tell : callable
        Gets one line a detection.

    Returns
    -------
    Summary

    Raises
    ------
    DataError
        If there is a catalogue in the folder that cannot be read.
    """
    output.folder.mkdir(parents=True, exist_ok=True)
    skip = set(finished(output, detectids)) if recover else set()
    _stored(output)  # a catalogue that cannot be read is reported before the work, not after
    summary = Summary(skipped=[each for each in detectids if each in skip])
    todo = [each for each in detectids if each not in skip]
    batch: list[Interpretation] = []
    written = time.perf_counter()
    handler = logging.FileHandler(output.folder / "elixer.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        for number, detectid in enumerate(todo, start=1):
            begun = time.perf_counter()
            try:
                batch.append(_one(release, detectid, output))
                summary.done.append(detectid)
                said = _verdict(batch[-1])
            except DataError as error:
                summary.failed[detectid] = str(error)
                said = f"failed: {error}"
                log.error("%d failed: %s", detectid, error)
            except Exception as error:
                summary.failed[detectid] = f"{type(error).__name__}: {error}"
                said = f"failed: {type(error).__name__}: {error} (see elixer.log)"
                log.exception("%d failed", detectid)
            seconds = time.perf_counter() - begun
            tell(f"[{number:>{len(str(len(todo)))}}/{len(todo)}] {detectid}  {said}  {seconds:.1f} s")
            if len(batch) >= PART_SIZE or time.perf_counter() - written > PART_SECONDS:
                _write_part(output, batch, summary)
                written = time.perf_counter()
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        _write_part(output, batch, summary)
        _finish_catalog(output)
        log.removeHandler(handler)
        handler.close()
    return summary


def _verdict(interpretation: Interpretation) -> str:
    """One line on a finished detection."""
    z = f" z {interpretation.redshift:.4f}" if interpretation.redshift == interpretation.redshift else ""
    return f"{interpretation.line_label or interpretation.identity}{z}, P(Lyα) {interpretation.p_lya:.2f}"
