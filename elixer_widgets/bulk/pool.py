"""Sharing the work among Dask workers: processes of this computer, SLURM jobs, or those of a running scheduler."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, WorkerPlugin, get_worker, wait
from distributed.utils import get_mp_context

from elixer_widgets._files import semaphore_prefix
from elixer_widgets.bulk.output import Summary, finished, stored
from elixer_widgets.bulk.work import Job, Outcome, Report, go_through
from elixer_widgets.bulk.workers import ONE_THREAD, SlurmWorkers, Workers
from elixer_widgets.detection import DataError

MEGABYTE = 2**20
TIRED = 0.75  # of the memory allowed: a worker that holds more between two pieces of work is replaced by a fresh one
SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,  # who is to blame for a death is decided here
    "distributed.scheduler.work-stealing": False,  # a worker never has more than what it works on,
    "distributed.scheduler.worker-saturation": 1.0,  # or it would take others' work with it when it dies
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.98,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.multiprocessing-method": "forkserver",
}

NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
"""The usual port is taken as soon as two runs share a computer; here it is any free one, for this computer only."""

PRELOAD = ["distributed", "elixer_widgets.analysis", "elixer_widgets.reports"]
"""What every worker needs. A process that has loaded it stands by, and each worker is a copy of that: a start takes a
tenth of the time, also that of one that replaces a dead one, and a disk that many nodes share is read once a node."""


@contextmanager
def _stand_by() -> Iterator[None]:
    """Start the process that workers are copied from, with one thread for linear algebra."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        get_mp_context().set_forkserver_preload(PRELOAD)
        forkserver.ensure_running()
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Desk(WorkerPlugin):
    """What a worker keeps from one piece of work to the next: the open release and what it has read of it.

    Dask sets it up in every worker, also in one that replaces a dead one.
    """

    def __init__(self, name: str, job: Job) -> None:
        self.name = name
        self.job = job


def do(name: str, detectids: Sequence[int]) -> Report:
    """In a worker: one piece of work."""
    desk = get_worker().plugins[name]
    assert isinstance(desk, Desk)
    return go_through(desk.job, detectids)


@contextmanager
def connect(workers: Workers, remark: Callable[[str], None], staging: Path) -> Iterator[Client]:
    """A connection to the workers, which are started if need be; what they put down goes to `staging`.

    Raises
    ------
    DataError
        If no scheduler answers, or dask-jobqueue is needed and not there.
    """
    if workers.scheduler:
        try:
            client = Client(workers.scheduler, timeout=min(20.0, workers.patience))
        except (OSError, TimeoutError, ValueError) as error:
            raise DataError(f"no Dask scheduler answers at {workers.scheduler}: {error}") from error
        with client:
            yield client
        return
    with dask.config.set({**SETTINGS, "temporary-directory": str(staging)}):
        if workers.slurm is not None:
            with _slurm(workers, workers.slurm, remark) as cluster, Client(cluster) as client:
                yield client
            return
        with (
            _stand_by(),
            _named_semaphores(semaphore_prefix(staging)),
            LocalCluster(
                n_workers=workers.count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                scheduler_kwargs=NO_DASHBOARD,
                worker_dashboard_address=None,
                memory_limit=int(workers.memory * MEGABYTE),
                local_directory=str(staging / "workers"),
                silence_logs=50,
                env=ONE_THREAD,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


@contextmanager
def _named_semaphores(prefix: str) -> Iterator[None]:
    """Semaphores of this process and its children called so, that the next run finds those of a killed one.

    The names are in the settings that each process of `multiprocessing` hands to its children, which have no public
    way in.
    """
    settings: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
    before = settings.get("semprefix", "/mp")
    settings["semprefix"] = prefix
    try:
        yield
    finally:
        settings["semprefix"] = before


@contextmanager
def _slurm(workers: Workers, slurm: SlurmWorkers, remark: Callable[[str], None]) -> Iterator[Any]:
    """A scheduler in this process whose workers are SLURM jobs."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise DataError("workers under SLURM need dask-jobqueue: pip install 'elixer-widgets[cluster]'") from error
    given: dict[str, Any] = {
        "cores": slurm.processes,
        "processes": slurm.processes,
        "memory": f"{int(workers.memory * slurm.processes)}MiB",
        "walltime": slurm.walltime,
        "queue": slurm.queue or None,
        "account": slurm.account or None,
        "job_script_prologue": [f"export {name}={value}" for name, value in ONE_THREAD.items()] + list(slurm.prologue),
        "worker_extra_args": ["--no-dashboard"],
    }
    given |= slurm.options
    given["scheduler_options"] = NO_DASHBOARD | given.get("scheduler_options", {})
    with SLURMCluster(**given) as cluster:
        # Not `scale`, which starts them once: jobs that end before the work does are replaced
        cluster.adapt(minimum_jobs=slurm.jobs, maximum_jobs=slurm.jobs, interval="2s")
        remark(f"asked SLURM for workers: jobs {slurm.jobs}, in each {slurm.processes}")
        yield cluster


def share(
    job: Job,
    pieces: list[list[int]],
    summary: Summary,
    each_done: Callable[[Outcome], None],
    remark: Callable[[str], None],
    workers: Workers,
) -> None:
    """Have workers do the work; all that is known of it is in `summary`, also if this ends with an error.

    Each worker has one piece at a time. When it dies, what is not finished of its piece is tried one by one, so that
    one that kills its worker is found out; after `workers.tries` deaths it counts as failed.

    Raises
    ------
    DataError
        If there is no scheduler, or for `workers.patience` seconds no worker.
    """
    with connect(workers, remark, job.held.staging) as client:
        name = f"elixer-{time.time_ns()}"
        client.register_plugin(Desk(name, job), name=name)
        try:
            _Sharing(client, name, job, pieces, summary, each_done, remark, workers).run()
        finally:
            if workers.scheduler:  # others' workers: leave nothing behind
                client.unregister_worker_plugin(name)


class _Sharing:
    """One run: what is still to be done, who does what, and what was learned of workers that died."""

    def __init__(
        self,
        client: Client,
        name: str,
        job: Job,
        pieces: list[list[int]],
        summary: Summary,
        each_done: Callable[[Outcome], None],
        remark: Callable[[str], None],
        workers: Workers,
    ) -> None:
        self.client, self.name, self.job, self.workers = client, name, job, workers
        self.summary, self.each_done, self.remark = summary, each_done, remark
        self.waiting = deque(pieces)
        self.working: dict[Future, list[int]] = {}
        self.deaths: Counter[int] = Counter()
        self.numbers = itertools.count()

    def run(self) -> None:
        """Hand out work and take in what is done, until all is."""
        lonely = time.monotonic()
        try:
            while self.waiting or self.working:
                present = len(self.client.nthreads())
                if present:
                    lonely = time.monotonic()
                elif time.monotonic() - lonely > self.workers.patience:
                    raise DataError(
                        f"for {self.workers.patience:.0f} s there was no worker (none started, or all were ended)"
                    )
                while self.waiting and len(self.working) < present:
                    self.hand_out(self.waiting.popleft())
                if not self.working:
                    time.sleep(0.2)
                    continue
                try:
                    ready = wait(list(self.working), timeout=2, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    continue
                for future in ready:
                    self.take_in(future)
        finally:
            if self.working:
                self.client.cancel(list(self.working))

    def hand_out(self, piece: list[int]) -> None:
        """Give one piece of work to whichever worker is free."""
        key = f"{self.name}-{next(self.numbers)}"
        self.working[self.client.submit(do, self.name, piece, key=key, pure=False)] = piece

    def take_in(self, future: Future) -> None:
        """Enter what a worker has done, or think about why it has not."""
        piece = self.working.pop(future)
        if future.status == "finished":
            report: Report = future.result()
            self.summary.peak = max(self.summary.peak, report.peak)
            self.summary.cpu += report.cpu
            for outcome in report.outcomes:
                self.enter(outcome)
            if report.halt:
                raise DataError(report.halt)
            if report.memory > TIRED * self.workers.memory and not self.workers.scheduler:
                self.refresh(future)
            return
        if future.status == "cancelled" or self.client.status != "running":
            raise DataError("the Dask scheduler went away")
        self.summary.restarts += 1
        error = future.exception()
        have = set(finished(self.job.output, piece, stored(self.job.output, parts_only=True, series=self.job.series)))
        suspects = [each for each in piece if each not in have]
        for each in piece:
            if each in have:
                self.enter(Outcome(each, "done before its worker died", 0.0))
        self.remark(f"a worker died ({type(error).__name__}); tried again: {', '.join(map(str, suspects))}")
        for each in suspects:
            self.deaths[each] += 1
            if self.deaths[each] < self.workers.tries:
                self.waiting.append([each])
                continue
            reason = f"its worker died {self.deaths[each]} times (killed, or more than {self.workers.memory:.0f} MB)"
            self.enter(Outcome(each, "", 0.0, reason))

    def enter(self, outcome: Outcome) -> None:
        """Count one outcome."""
        if outcome.reason:
            self.summary.failed[outcome.detectid] = outcome.reason
        else:
            self.summary.done.append(outcome.detectid)
        self.each_done(outcome)

    def refresh(self, future: Future) -> None:
        """Replace the worker that did a piece of work by a fresh one; it holds a good deal of memory."""
        address = next(iter(self.client.who_has([future]).get(future.key, ())), None)
        if address is not None:
            future.release()
            self.client.restart_workers([address], timeout=60, raise_for_error=False)
