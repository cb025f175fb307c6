"""Many detections: in this process one after another, or by workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from elixer_widgets._version import __version__
from elixer_widgets.bulk.chunks import CHUNK, chunks
from elixer_widgets.bulk.output import (
    DONE,
    FAILED,
    INTERRUPTED,
    LOG,
    Extra,
    Output,
    Summary,
    finish_catalog,
    finished,
    only_run,
    stored,
    write_failures,
)
from elixer_widgets.bulk.work import Job, Outcome, go_through, log, measured
from elixer_widgets.detection import DataError

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.bulk.workers import Workers
    from elixer_widgets.releases import Release

__all__ = ["DONE", "FAILED", "INTERRUPTED", "Extra", "Output", "Summary", "finished", "run"]


@contextmanager
def _logging(output: Output) -> Iterator[logging.Logger]:
    """Keep the log of a run in its folder; what is only for that file goes to the logger that is given."""
    handler = logging.FileHandler(output.folder / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    record = log.getChild("record")
    record.propagate = False  # a line a detection is not for whoever listens to this package
    record.setLevel(log.level or logging.INFO)
    for each in (log, record):
        each.addHandler(handler)
    try:
        yield record
    finally:
        for each in (log, record):
            each.removeHandler(handler)
        handler.close()


def run(
    release: Release,
    detectids: Sequence[int],
    output: Output,
    recover: bool = False,
    tell: Callable[[str], None] = lambda line: None,
    *,
    make: Callable[[Release, int], Interpretation] = measured,
    workers: Workers | None = None,
    begin: Callable[[int], None] = lambda count: None,
    watch: Callable[[Outcome], None] = lambda outcome: None,
    remark: Callable[[str], None] = lambda line: None,
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
    make : callable
        Gets the release and a number, returns the interpretation; a function of a module, if there are workers.
    workers : Workers, optional
        Processes that share the work; without them it is done here.
    begin : callable
        Gets the number of detections that will be done, before the first one.
    watch : callable
        Gets the outcome of each detection.
    remark : callable
        Gets a line when something happens to workers.

    Returns
    -------
    Summary

    Raises
    ------
    DataError
        If there is a catalogue in the folder that cannot be read, another run writes there, or no worker comes.
    """
    with only_run(output), _logging(output) as record:
        have = stored(output)  # a catalogue that cannot be read is reported before the work, not after
        skip = set(finished(output, detectids)) if recover and have else set()
        summary = Summary(skipped=[each for each in detectids if each in skip])
        todo = [each for each in detectids if each not in skip]
        finish_catalog(output)  # of a run before that was killed: the parts from here on are this run's
        job = Job(release, output, make)
        output.parts.mkdir(exist_ok=True)
        count = 0

        def each_done(outcome: Outcome) -> None:
            nonlocal count
            count += 1
            said = outcome.said
            if outcome.reason:
                said = f"failed: {outcome.reason}" + (f" (see {LOG})" if outcome.trace else "")
                log.error("%d failed: %s%s", outcome.detectid, outcome.reason, outcome.trace and f"\n{outcome.trace}")
            else:
                record.info("%d %s, %.1f s", outcome.detectid, said, outcome.seconds)
            tell(f"[{count:>{len(str(len(todo)))}}/{len(todo)}] {outcome.detectid}  {said}  {outcome.seconds:.1f} s")
            watch(outcome)

        record.info("ELiXer Widgets %s: %d to do, %d done before", __version__, len(todo), len(summary.skipped))
        begin(len(todo))
        try:
            if workers is None:
                _here(job, chunks(release, todo), summary, each_done)
            elif todo:
                size = max(1, min(CHUNK, len(todo) // (4 * workers.count)))  # that all end at about the same time
                _share()(job, chunks(release, todo, size), summary, each_done, remark, workers)
        except KeyboardInterrupt:
            summary.interrupted = True
        finally:
            finish_catalog(output)
            write_failures(output, summary.failed)
            ended = "interrupted" if summary.interrupted else "ended"
            record.info("%s: %d done, %d failed", ended, len(summary.done), len(summary.failed))
    return summary


def _share() -> Callable[..., None]:
    """What hands work to workers; loaded only when there are some."""
    try:
        from elixer_widgets.bulk.pool import share
    except ImportError as error:
        raise DataError(
            f"several workers need Dask ({error}): pip install 'elixer-widgets[cluster]', or run with --workers 1"
        ) from error
    return share


def _here(job: Job, pieces: list[list[int]], summary: Summary, each_done: Callable[[Outcome], None]) -> None:
    """Do the work in this process."""
    for piece in pieces:
        known: list[Outcome] = []

        def note(outcome: Outcome, known: list[Outcome] = known) -> None:
            known.append(outcome)
            each_done(outcome)

        try:
            report = go_through(job, piece, note)
            known[:] = report.outcomes
            summary.peak = max(summary.peak, report.peak)
            summary.cpu += report.cpu
        finally:  # also what was done of a piece that the user interrupted
            count(summary, known)


def count(summary: Summary, outcomes: Sequence[Outcome]) -> None:
    """Enter outcomes into a summary."""
    for outcome in outcomes:
        if outcome.reason:
            summary.failed[outcome.detectid] = outcome.reason
        else:
            summary.done.append(outcome.detectid)
