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
from typing import TYPE_CHECKING

from elixer_widgets.bulk.output import Output
from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.releases import Release

PART_SECONDS = 20.0
"""Catalogue rows are written at the end of a piece of work, or after so much time: what is not written when a run is
killed must be done again."""

log = logging.getLogger("elixer_widgets")


def measured(release: Release, detectid: int) -> Interpretation:
    """Measure and interpret one detection."""
    from elixer_widgets.analysis import interpret, measure

    return interpret(measure(release.detection(detectid)))


@dataclass(frozen=True)
class Job:
    """What is done with each detection; it is sent to workers as it is.

    `make` measures and interprets; like `Extra.write` it is a function of a module, or a `functools.partial` of one.
    """

    release: Release
    output: Output
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
    """How it went with a piece of work; `memory` and `peak` of the process in MB, `cpu` its processor time in s."""

    outcomes: list[Outcome] = field(default_factory=list)
    cpu: float = 0.0
    memory: float = 0.0
    peak: float = 0.0


def verdict(interpretation: Interpretation) -> str:
    """One line on a finished detection."""
    z = f" z {interpretation.redshift:.4f}" if interpretation.redshift == interpretation.redshift else ""
    return f"{interpretation.line_label or interpretation.identity}{z}, P(Lyα) {interpretation.p_lya:.2f}"


def one(job: Job, detectid: int) -> Interpretation:
    """Measure and interpret one detection and write its files."""
    from elixer_widgets.reports import write_report

    interpretation = job.make(job.release, detectid)
    for path in job.output.reports(detectid):
        write_report(interpretation, path)
    for extra in job.output.extras:
        extra.write(job.release, interpretation, job.output.folder / f"{job.output.stem(detectid)}{extra.suffix}")
    return interpretation


def write_rows(output: Output, batch: Sequence[Interpretation]) -> dict[int, str]:
    """Put the catalogue rows of some detections on disk, in a file of their own.

    Returns
    -------
    dict
        detectid -> reason, of those whose rows cannot be written.

    Raises
    ------
    DataError
        If the run that this belongs to has ended.
    """
    from elixer_widgets.reports import write_catalog

    failed: dict[int, str] = {}
    groups = [list(batch)] if batch else []
    while groups:
        group = groups.pop(0)
        # Names in order of time, so that of a detection measured twice the later rows come last
        path = output.parts / f"part_{time.time_ns():020d}_{os.uname().nodename}_{os.getpid()}.h5"
        try:
            write_catalog(group, path)
        except Exception as error:
            if len(group) > 1:  # find the one at fault
                groups = [[each] for each in group] + groups
                continue
            detectid = group[0].measurements.detection.detectid
            log.exception("%d: no catalogue rows", detectid)
            failed[detectid] = f"no catalogue rows: {type(error).__name__}: {error}"
    return failed


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
    batch: list[Interpretation] = []
    written, cpu = time.perf_counter(), time.process_time()

    def put() -> None:
        bad = write_rows(job.output, batch)
        batch.clear()
        for place, outcome in enumerate(report.outcomes):
            if outcome.detectid in bad:
                report.outcomes[place] = Outcome(outcome.detectid, "", outcome.seconds, bad[outcome.detectid])

    try:
        for detectid in detectids:
            begun = time.perf_counter()
            reason = trace = said = ""
            try:
                batch.append(one(job, detectid))
                said = verdict(batch[-1])
            except DataError as error:
                reason = str(error)
            except Exception as error:
                reason, trace = f"{type(error).__name__}: {error}", traceback.format_exc()
                log.debug("%d", detectid, exc_info=True)  # the one who started the run logs it as an error
            outcome = Outcome(detectid, said, time.perf_counter() - begun, reason, trace)
            report.outcomes.append(outcome)
            each_done(outcome)
            if time.perf_counter() - written > PART_SECONDS:
                put()
                written = time.perf_counter()
    finally:
        put()
    gc.collect()  # cutouts and figures refer to one another, and would stay until much has gathered
    report.memory, report.peak = _memory()
    report.cpu = time.process_time() - cpu
    return report
