"""The options that say who does the work, and the work itself: here, by several processes, or by SLURM jobs."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from elixer_widgets._errors import DataError
from elixer_widgets._files import made_folder, named_path
from elixer_widgets.cli_values import positive, say, warn, whole

if TYPE_CHECKING:
    from elixer_widgets.analysis import Interpretation
    from elixer_widgets.bulk import Output, Summary
    from elixer_widgets.bulk.sites import Plan, Queue, Site
    from elixer_widgets.bulk.workers import Workers
    from elixer_widgets.releases import Release

SHOWN = 20  # reasons of failures on the screen; all are in a file
EACH = 8  # detections a worker must have to be worth its start of a few seconds
SHORT = 40  # up to so many detections, each has a line where the output is no terminal


def _time(text: str) -> str:
    if not re.fullmatch(r"(\d+-)?\d{1,3}:[0-5]\d:[0-5]\d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write hh:mm:ss, for example 02:30:00")
    return text


def add_cluster_options(parser: argparse.ArgumentParser, submit: bool = False) -> None:
    """The options of `elixer` and `selixer` about workers and SLURM.

    Parameters
    ----------
    parser : ArgumentParser
    submit : bool
        The command submits to SLURM (`selixer`).
    """
    parser.set_defaults(submit=submit, arguments=[])
    work = parser.add_argument_group("workers")
    work.add_argument(
        "--workers", type=whole, default=0, metavar="N", help="number of worker processes; 0: by cores and list (0)"
    )
    work.add_argument("--scheduler", metavar="ADDRESS", help="have the workers of a running Dask scheduler do it")
    work.add_argument("--memory", type=positive, default=1.0, metavar="GB", help="what one worker may hold (1.0)")
    work.add_argument("--no_recover", action="store_true", help="do everything again, also what is finished")
    slurm = parser.add_argument_group("SLURM (selixer)")
    slurm.add_argument("--tasks", type=whole, default=0, metavar="N", help="number of workers, 0 for automatic (0)")
    slurm.add_argument("--time", type=_time, metavar="HH:MM:SS", help="longest run time (default: by the list)")
    slurm.add_argument("--timex", type=positive, default=1.0, metavar="X", help="multiply the estimated time (1.0)")
    slurm.add_argument("--queue", metavar="NAME", help="queue (default: by the centre)")
    slurm.add_argument("--email", metavar="ADDRESS", help="told at start and end")
    slurm.add_argument("--nodes", type=whole, default=0, metavar="N", help="nodes, at most")
    slurm.add_argument("--ntasks_per_node", type=whole, default=0, metavar="N", help="workers a node")
    slurm.add_argument("--fill_tasks", type=whole, default=10, metavar="N", help="detections a worker, at least (10)")
    slurm.add_argument("--alloc", metavar="NAME", help="project to charge")
    slurm.add_argument("--dependency", metavar="RULE", help="start after other jobs, as sbatch takes it")
    slurm.add_argument("--slurm", type=int, choices=(0, 1), default=1, help="0: write the scripts, submit nothing (1)")
    slurm.add_argument("--sites", metavar="FILE", help="a table of computing centres beside our own (TOML)")
    slurm.add_argument(
        "--resident", action="store_true", help="keep a scheduler on this computer instead of a job array"
    )
    slurm.add_argument("--dispatch_base", type=whole, default=0, metavar="N", help="number of the first folder (0)")
    slurm.add_argument("--dispatch", metavar="FILE", help="the list of one share (for the jobs themselves)")
    slurm.add_argument(
        "--finish", action="store_true", help="bring the shares of --name together (the last job does so itself)"
    )


def run_selected(
    options: argparse.Namespace,
    release: Release,
    detectids: Sequence[int],
    output: Output,
    make: Callable[[Release, int], Interpretation] | None = None,
) -> int:
    """Do what was selected, or have SLURM do it; returns the exit code.

    Parameters
    ----------
    options : Namespace
        With what `add_cluster_options` adds and `recover`; `arguments` is the command line as it was given, for jobs
        to repeat.
    release : Release
    detectids : sequence of int
    output : Output
    make : callable, optional
        What a detection is measured and interpreted by, if not as usual.

    Raises
    ------
    DataError
        If it cannot be done.
    """
    from elixer_widgets.bulk.slurm import has_slurm

    if options.submit and options.tasks != 1 and not options.dispatch:
        if has_slurm():
            if not options.resident:
                return submit_array(options, detectids, output)
        else:
            warn("there is no SLURM on this computer (no sbatch): the detections are processed here")
    return _run_here(options, release, detectids, output, make)


def tell_summary(summary: Summary, where: Path) -> None:
    """The summary, for people."""
    from elixer_widgets.bulk.output import FAILURES

    ended = "ended by the user: " if summary.interrupted else ""
    say(
        f"{ended}{len(summary.done)} done, {len(summary.skipped)} skipped (there already), "
        f"{len(summary.failed)} failed; results in {where}"
    )
    if summary.restarts:
        say(f"{summary.restarts} times a worker died; its detections were tried again")
    for detectid, reason in list(summary.failed.items())[:SHOWN]:
        say(f"  {detectid}: {reason}")
    if len(summary.failed) > SHOWN:
        say(f"  and {len(summary.failed) - SHOWN} more, in {where / FAILURES}")


# ------------------------------------------------------------------------------------------- on this computer


def _workers(options: argparse.Namespace, count: int) -> Workers | None:
    """Who does `count` detections; None: this process."""
    from elixer_widgets.bulk.workers import Workers, cores, room

    memory = 1000.0 * options.memory
    if options.scheduler:
        return Workers(scheduler=options.scheduler, memory=memory)
    if options.dispatch:  # also a single one works beside its driver, which survives it
        return Workers(max(1, options.workers), memory=memory)
    wanted = options.workers or options.tasks
    number = min(wanted or min(cores(), room(memory), count // EACH), count)
    if number > 1 and not wanted and find_spec("distributed") is None:
        # nobody asked for several: what does not need Dask is done without it
        warn("one process does all, because Dask is not installed; for more: pip install 'elixer-widgets[cluster]'")
        return None
    return Workers(number, memory=memory) if number > 1 else None


def _resident(options: argparse.Namespace, count: int) -> Workers:
    """SLURM jobs whose workers serve a scheduler in this process."""
    from elixer_widgets.bulk.workers import SlurmWorkers, Workers

    site, queue, plan = _plan(options, count)
    minutes = plan.minutes
    jobs = SlurmWorkers(
        jobs=plan.dispatches,
        processes=plan.workers,
        queue=queue.name,
        walltime=options.time or f"{minutes // 60:02d}:{minutes % 60:02d}:00",
        account=options.alloc or site.account,
        prologue=site.prologue,
        options=site.resident,
    )
    # a queue may take its time: as long as the user lets this process run
    return Workers(slurm=jobs, memory=1000.0 * options.memory, patience=float("inf"))


def _run_here(
    options: argparse.Namespace,
    release: Release,
    detectids: Sequence[int],
    output: Output,
    make: Callable[[Release, int], Interpretation] | None,
) -> int:
    from elixer_widgets.bulk import run
    from elixer_widgets.bulk.progress import Progress
    from elixer_widgets.bulk.slurm import has_slurm
    from elixer_widgets.bulk.work import Outcome, measured

    recover = options.recover and not options.no_recover
    resident = options.submit and options.resident and has_slurm()
    workers = _resident(options, len(detectids)) if resident else _workers(options, len(detectids))
    progress: Progress | None = None

    def begin(count: int) -> None:
        nonlocal progress
        progress = Progress(count, each=len(detectids) <= SHORT)
        if workers is not None and count:
            who = f"the workers of {workers.scheduler}" if workers.scheduler else _several(workers.count, "worker")
            progress.say(f"{_several(count, 'detection')} by {'SLURM jobs' if resident else who}")

    def remark(line: str) -> None:
        if progress is not None:
            progress.say(line)

    def watch(outcome: Outcome) -> None:
        if progress is not None:
            said = f"failed: {outcome.reason}" if outcome.reason else outcome.said
            progress.add(f"{outcome.detectid}  {said}  {outcome.seconds:.1f} s", failed=bool(outcome.reason))

    summary = run(
        release,
        detectids,
        output,
        recover,
        make=make or measured,
        workers=workers,
        begin=begin,
        watch=watch,
        remark=remark,
    )
    if progress is not None:
        progress.close()
    tell_summary(summary, output.folder)
    return summary.code


# ---------------------------------------------------------------------------------------------------- by SLURM


def _plan(options: argparse.Namespace, count: int) -> tuple[Site, Queue, Plan]:
    """The centre, the queue and how the list is shared out."""
    from elixer_widgets.bulk.sites import own_files, plan, read_sites, this_site

    own = [*own_files(), *([named_path(options.sites, "--sites")] if options.sites else [])]
    site = this_site(read_sites(own))
    queue = site.chosen(options.queue)
    if options.ntasks_per_node:
        queue = replace(queue, workers=options.ntasks_per_node)
    shared = plan(site, queue, count, options.tasks, options.fill_tasks or 10, options.nodes, options.timex)
    return site, queue, shared


def submit_array(options: argparse.Namespace, detectids: Sequence[int], output: Output) -> int:
    """Write the shares and the scripts and submit them: a job array, and a job that brings the results together.

    The same command again goes on with what is unfinished.

    Raises
    ------
    DataError
        If jobs of this run are still in the queue, or SLURM takes none.
    """
    from elixer_widgets.bulk import slurm
    from elixer_widgets.bulk.output import DONE

    folder = output.folder
    made_folder(folder)
    queued = slurm.still_queued(folder)
    if queued:
        numbers = " ".join(queued)
        raise DataError(f"{folder}: jobs of this run are still in the queue; wait, or end them: scancel {numbers}")
    known = slurm.dispatches(folder)
    recover = not options.no_recover
    unfinished, fresh = slurm.to_do(output, known, detectids)
    if not recover:
        unfinished = known
    site, queue, plan = _plan(options, sum(len(each.detectids) for each in unfinished) + len(fresh) or 1)
    if fresh:
        parts = min(len(fresh), max(1, plan.dispatches - len(unfinished)))
        # in order of their numbers, by which a release keeps a shot together
        unfinished += slurm.add_dispatches(folder, sorted(fresh), parts, options.dispatch_base)
    wishes = slurm.Wishes(
        options.time or "", options.email or "", options.alloc or "", options.dependency or "", bool(options.slurm)
    )
    merge = slurm.write(folder, slurm.MERGE_SCRIPT, slurm.merge_script(output, site, queue, wishes, len(detectids)))
    if not unfinished:
        say(f"all {len(detectids)} detections are finished; results in {folder}")
        return _finish(folder)
    lines = -(-len(unfinished) // queue.jobs)
    plan = replace(plan, dispatches=len(unfinished), lines=lines, jobs=-(-len(unfinished) // lines))
    commands = [slurm.line(each, output, options.arguments, plan.workers, recover) for each in unfinished]
    slurm.write(folder, slurm.RUN_FILE, "".join(f"{each}\n" for each in commands))
    array = slurm.write(folder, slurm.SCRIPT, slurm.script(output, site, queue, plan, wishes))
    _tell_plan(options, site, queue, plan, len(detectids))
    if not wishes.submit:
        say(f"nothing was submitted (--slurm 0): sbatch {shlex.quote(str(array))}")
        return DONE
    number = slurm.submit(array)
    slurm.write(folder, slurm.JOBS_FILE, f"{number}\n")
    last = slurm.submit(merge, f"--dependency=afterany:{number}")
    slurm.write(folder, slurm.JOBS_FILE, f"{number}\n{last}\n")
    say(f"job {number} submitted, and job {last} that merges the results into {folder}; squeue shows them")
    say("if it is cut short, the same command goes on where it stopped")
    return DONE


def _several(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _tell_plan(options: argparse.Namespace, site: Site, queue: Queue, plan: Plan, count: int) -> None:
    where = site.name + (f", queue {queue.name}" if queue.name else "")
    time = options.time or f"{plan.minutes // 60:02d}:{plan.minutes % 60:02d}:00"
    said = [_several(count, "detection"), "in", _several(plan.dispatches, "dispatch folder"), "of"]
    say(f"{where}: {' '.join(said)} {_several(plan.workers, 'worker')}, {_several(plan.jobs, 'job')}, at most {time}")
    if plan.cut and not options.time:
        say("that is the longest this queue gives, and less than expected: give the same command again afterwards")


def finish_command(options: argparse.Namespace) -> int:
    """`--finish`: bring the shares of a run together.

    Raises
    ------
    DataError
        If no folder was named, or it has no shares.
    """
    if not options.name:
        raise DataError("no run was named: add --name DIR")
    return _finish(named_path(options.name, "--name").absolute())


def _finish(folder: Path) -> int:
    from elixer_widgets.bulk.collect import collect

    summary = collect(folder)
    tell_summary(summary, folder)
    return summary.code
