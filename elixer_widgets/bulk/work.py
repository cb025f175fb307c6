"""What is done with a piece of work, in this process or in a worker."""

from __future__ import annotations

import gc
import logging
import os
import resource
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._files import Held, Lost, disk_trouble, in_words
from elixer_widgets.bulk.output import Output
from elixer_widgets.bulk.rows import Tables, gather, write_row
from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.releases import Release

PART_SECONDS = 20.0
"""Catalogue rows are gathered in one file at the end of a piece of work, or after so much time."""

log = logging.getLogger("elixer_widgets")


def measured(release: Release, detectid: int) -> Interpretation:
    """Measure and interpret one detection."""
    from elixer_widgets.analysis import interpret, measure

    return interpret(measure(release.detection(detectid)))


@dataclass(frozen=True)
class Job:
    """What is done with each detection; it is sent to workers as it is.

    `held` is the lock of the folder, `series` orders the rows of this run after those of earlier ones. `make` measures
    and interprets; like `Extra.write` it is a function of a module, or a `functools.partial` of one.
    """

    release: Release
    output: Output
    held: Held
    series: int
    make: Callable[[Release, int], Interpretation] = measured


@dataclass(frozen=True)
class Outcome:
    """How it went with one detection: what to say about it, and why it failed, if it did (`trace`: of a surprise)."""

    detectid: int
    said: str
    seconds: float
    reason: str = ""
    trace: str = ""


@dataclass
class Report:
    """How it went with a piece of work; `memory` and `peak` of the process in MB, `cpu` its processor time in s.

    `halt`: why nothing more can be written (a full disk); the rest of the piece was then not begun.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    halt: str = ""
    cpu: float = 0.0
    memory: float = 0.0
    peak: float = 0.0


def verdict(interpretation: Interpretation) -> str:
    """One line on a finished detection."""
    z = f" z {interpretation.redshift:.4f}" if interpretation.redshift == interpretation.redshift else ""
    return f"{interpretation.line_label or interpretation.identity}{z}, P(Lyα) {interpretation.p_lya:.2f}"


@dataclass(frozen=True)
class _Finished:
    """A detection whose files are in place: what is said of it, its rows and the file that holds them."""

    said: str
    tables: Tables
    path: Path


def one(job: Job, detectid: int) -> _Finished:
    """Measure and interpret one detection and write its files.

    First all of them to a folder of temporary files, then the catalogue rows, then the files get their names: a report
    that has its name has its rows on disk.
    """
    from elixer_widgets.reports import write_report
    from elixer_widgets.reports.catalog import catalog_tables

    output = job.output
    interpretation = job.make(job.release, detectid)
    tables = _tables(catalog_tables, interpretation)
    place = job.held.workplace()
    for path in output.reports(detectid):
        write_report(interpretation, place / path.name)
    for extra in output.extras:
        extra.write(job.release, interpretation, place / f"{output.stem(detectid)}{extra.suffix}")
    row = write_row(output.parts, job.series, tables, job.held.workplace())
    for path in output.files(detectid):
        (place / path.name).replace(path)
    return _Finished(verdict(interpretation), tables, row)


def _tables(make: Callable[..., Tables], interpretation: Interpretation) -> Tables:
    """The catalogue rows of one detection; what goes wrong is said to have gone wrong there."""
    try:
        return make([interpretation])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        log.exception("%d: no catalogue rows", interpretation.measurements.detection.detectid)
        raise DataError(f"no catalogue rows: {type(error).__name__}: {error}") from error


def _halts(error: Exception, output: Output) -> str:
    """Why a run cannot go on after an error: nothing more can be written; empty if it can."""
    if isinstance(error, Lost):
        return str(error)
    trouble = disk_trouble(error)
    if trouble:
        return f"{output.folder}: cannot be written ({trouble})"
    if not isinstance(error, OSError) or not isinstance(error.filename, str | bytes):
        return ""
    place = Path(os.fsdecode(error.filename))
    return f"{place}: cannot be written ({in_words(error)})" if output.folder in place.parents else ""


def _reason(error: Exception) -> tuple[str, str]:
    """Why a detection failed, in words, and the trace of a surprise."""
    if isinstance(error, DataError):
        return str(error), ""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: cannot be read or written ({in_words(error)})", traceback.format_exc()
    return f"{type(error).__name__}: {error}", traceback.format_exc()


def _memory() -> tuple[float, float]:
    """What this process holds now and held at most, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 2**20, peak
    except OSError:  # not Linux
        return peak, peak


def go_through(
    job: Job, detectids: Sequence[int], each_done: Callable[[Outcome], None] = lambda outcome: None
) -> Report:
    """Do some detections, one after another; one that fails does not stop the others.

    Parameters
    ----------
    job : Job
    detectids : sequence of int
    each_done : callable
        Is told of each detection at once.

    Returns
    -------
    Report
        All rows are on disk when it is returned, also when the user interrupts.
    """
    report = Report()
    held: list[_Finished] = []
    begun_part, cpu = time.perf_counter(), time.process_time()

    def put() -> None:
        """Gather the rows of what is done; if that cannot be, they stay in files of their own."""
        if not held:
            return
        try:
            paths, rows = [each.path for each in held], [each.tables for each in held]
            gather(job.output.parts, job.series, paths, job.held.workplace(), rows)
        except (DataError, OSError):
            log.debug("rows stay in single files", exc_info=True)
        held.clear()

    try:
        for detectid in detectids:
            begun = time.perf_counter()
            reason = trace = said = ""
            try:
                held.append(one(job, detectid))
                said = held[-1].said
            except Exception as error:
                report.halt = _halts(error, job.output)
                if report.halt:
                    break
                reason, trace = _reason(error)
                log.debug("%d", detectid, exc_info=True)  # the one who started the run logs it as an error
            outcome = Outcome(detectid, said, time.perf_counter() - begun, reason, trace)
            report.outcomes.append(outcome)
            each_done(outcome)
            if time.perf_counter() - begun_part > PART_SECONDS:
                put()
                begun_part = time.perf_counter()
    finally:
        put()
    gc.collect()  # cutouts and figures refer to one another, and would stay until much has gathered
    report.memory, report.peak = _memory()
    report.cpu = time.process_time() - cpu
    return report
