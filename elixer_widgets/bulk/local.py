"""Many detections: in this process one after another, or by workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elixer_widgets._files import in_words
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
    check_names,
    finish_catalog,
    finished,
    next_series,
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


class _QuietHandler(logging.FileHandler):
    """A log that a full disk does not make talk to the terminal: what matters is said by the run itself."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing."""


@contextmanager
def _logging(output: Output) -> Iterator[logging.Logger]:
    """Keep the log of a run in its folder; what is only for that file goes to the logger that is given."""
    try:
        handler = _QuietHandler(output.folder / LOG, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{output.folder / LOG}: cannot be written ({in_words(error)}); give another folder") from error
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
        with suppress(OSError):
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
    with only_run(output) as held:
        have = stored(output)  # a catalogue that cannot be read is reported before the work, not after
        skip = set(finished(output, detectids, have)) if recover and have else set()
        summary = Summary(skipped=[each for each in detectids if each in skip])
        todo = [each for each in detectids if each not in skip]
        check_names(output, todo, have)
        job = Job(release, output, held, next_series(output), make)
        with _logging(output) as record:
            record.info("ELiXer Widgets %s: %d to do, %d done before", __version__, len(todo), len(summary.skipped))
            told = _Teller(len(todo), record, tell, watch)
            begin(len(todo))
            _work(job, todo, summary, told, remark, workers)
            ended = "interrupted" if summary.interrupted else "ended"
            record.info("%s: %d done, %d failed", ended, len(summary.done), len(summary.failed))
    return summary


@dataclass
class _Teller:
    """Says and logs how it went with each detection."""

    total: int
    record: logging.Logger
    tell: Callable[[str], None]
    watch: Callable[[Outcome], None]
    count: int = 0

    def __call__(self, outcome: Outcome) -> None:
        self.count += 1
        said = outcome.said
        if outcome.reason:
            said = f"failed: {outcome.reason}" + (f" (see {LOG})" if outcome.trace else "")
            log.error("%d failed: %s%s", outcome.detectid, outcome.reason, outcome.trace and f"\n{outcome.trace}")
        else:
            self.record.info("%d %s, %.1f s", outcome.detectid, said, outcome.seconds)
        self.tell(
            f"[{self.count:>{len(str(self.total))}}/{self.total}] {outcome.detectid}  {said}  {outcome.seconds:.1f} s"
        )
        self.watch(outcome)


def _work(
    job: Job,
    todo: list[int],
    summary: Summary,
    each_done: Callable[[Outcome], None],
    remark: Callable[[str], None],
    workers: Workers | None,
) -> None:
    """Do the work and bring the catalogue up to date, however it ends.

    Raises
    ------
    DataError
        If it cannot go on; what is done is kept, and the message says so.
    """
    trouble: DataError | None = None
    try:
        if workers is None:
            _here(job, chunks(job.release, todo), summary, each_done)
        elif todo:
            size = max(1, min(CHUNK, len(todo) // (4 * workers.count)))  # that all end at about the same time
            _share()(job, chunks(job.release, todo, size), summary, each_done, remark, workers)
    except KeyboardInterrupt:
        summary.interrupted = True
    except DataError as error:
        trouble = error
    finally:
        try:
            _recount(job, todo, summary)
            finish_catalog(job.output, job.held)
            write_failures(job.output, summary.failed, job.held)
        except (DataError, OSError) as error:
            trouble = trouble or DataError(str(error))
    if trouble is not None:
        kept = f"{len(summary.done)} done, which are kept: " if summary.done else ""
        raise DataError(f"{trouble}; {kept}when that is mended, run the same command with --recover") from trouble


def _recount(job: Job, todo: list[int], summary: Summary) -> None:
    """Count what workers have finished of pieces that were broken off."""
    told = {*summary.done, *summary.failed}
    rest = [each for each in todo if each not in told]
    if rest:
        have = stored(job.output, parts_only=True, series=job.series)
        summary.done += finished(job.output, rest, have)


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
            if report.halt:
                raise DataError(report.halt)
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
