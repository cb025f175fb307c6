"""Runs as SLURM job arrays: lists, scripts, submission. No process stays behind on the login node."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from elixer_widgets._files import made_folder, require_ours, write_text
from elixer_widgets.bulk.output import Output, finished
from elixer_widgets.bulk.sites import MOST_DISPATCHES, Plan, Queue, Site, split
from elixer_widgets.bulk.workers import ONE_THREAD
from elixer_widgets.detection import DataError

RUN_FILE, SCRIPT, MERGE_SCRIPT, JOBS_FILE = "elixer.run", "elixer.slurm", "elixer_merge.slurm", "elixer.jobs"
FOLDER = "dispatch_{:04d}"
_WRITTEN = {
    RUN_FILE: re.compile(r"elixer_widgets\.cli"),
    SCRIPT: re.compile(r"^#SBATCH --job-name=ELiXer$", re.MULTILINE),
    MERGE_SCRIPT: re.compile(r"^#SBATCH --job-name=ELiXer$", re.MULTILINE),
    JOBS_FILE: re.compile(r"\A(?:\d+\n)+\Z"),
}
"""What is in each of these files if a run wrote it: others are not replaced."""

SHARED_MEMORY = 2000  # MB a core asked for where nodes are shared: a worker, its driver, and room


@dataclass(frozen=True)
class Wishes:
    """What a person asks of SLURM, empty for what is usual.

    `time`: hh:mm:ss; `dependency`: as sbatch takes it; `submit`: False writes the scripts only.
    """

    time: str = ""
    email: str = ""
    account: str = ""
    dependency: str = ""
    submit: bool = True


@dataclass(frozen=True)
class Dispatch:
    """One share of a list: `<name>/dispatch_XXXX/`, its list in a file of that name, its results below in `<name>`."""

    folder: Path
    detectids: tuple[int, ...]

    @property
    def list_file(self) -> Path:
        """The numbers, one a line."""
        return self.folder / self.folder.name

    def output(self, whole: Output) -> Output:
        """Where the results of this share go."""
        return replace(whole, folder=self.folder / whole.folder.name)


def dispatches(folder: Path) -> list[Dispatch]:
    """The shares of a run that lie in its folder."""
    found: list[Dispatch] = []
    for each in sorted(folder.glob("dispatch_[0-9][0-9][0-9][0-9]")):
        path = each / each.name
        if path.is_file():
            try:
                listed = tuple(int(word) for word in path.read_text().split())
            except ValueError as error:
                raise DataError(f"{path}: is not a list of detections; move it away") from error
            found.append(Dispatch(each, listed))
    return found


def outputs(whole: Output) -> list[Output]:
    """Every folder with results of a run: its own, and one a share."""
    return [whole, *(each.output(whole) for each in dispatches(whole.folder))]


def add_dispatches(folder: Path, detectids: Sequence[int], parts: int, base: int = 0) -> list[Dispatch]:
    """Write the lists of new shares, numbered on from those that are there.

    Raises
    ------
    DataError
        If there would be more than four digits can count.
    """
    first = max([base, *(1 + int(each.folder.name[-4:]) for each in dispatches(folder))])
    if first + parts > MOST_DISPATCHES:
        raise DataError(f"{folder}: more than {MOST_DISPATCHES} dispatch folders; give another --name")
    made: list[Dispatch] = []
    for number, share in enumerate(split(detectids, parts), start=first):
        each = Dispatch(folder / FOLDER.format(number), tuple(share))
        made_folder(each.folder)
        write_text(each.list_file, "".join(f"{detectid}\n" for detectid in share))
        made.append(each)
    return made


def to_do(whole: Output, known: Sequence[Dispatch], detectids: Sequence[int]) -> tuple[list[Dispatch], list[int]]:
    """The shares with something unfinished, and the detections that no share has.

    Returns
    -------
    list of Dispatch
    list of int
        Of `detectids` those that are in no list, in their order.
    """
    wanted = set(detectids)
    unfinished: list[Dispatch] = []
    for each in known:
        asked = [detectid for detectid in each.detectids if detectid in wanted]
        output = each.output(whole)
        if asked and not (output.folder.is_dir() and len(finished(output, asked)) == len(asked)):
            unfinished.append(each)
        wanted.difference_update(each.detectids)
    return unfinished, [each for each in detectids if each in wanted]


# ------------------------------------------------------------------------------------------------- scripts


def command(name: str) -> list[str]:
    """How a job calls `elixer` or `elixer-widgets` of this very installation."""
    function = {"elixer": "elixer", "elixer-widgets": "main"}[name]
    return [sys.executable, "-c", f"import sys; from elixer_widgets.cli import {function}; sys.exit({function}())"]


def line(each: Dispatch, whole: Output, arguments: Sequence[str], workers: int, recover: bool) -> str:
    """The command line of one share: as it was given, but for the list, the folder and the workers."""
    words = [*command("elixer"), *arguments, "--dispatch", str(each.list_file), "-f", "--workers", str(workers)]
    words += ["--name", str(each.output(whole).folder), *(["--recover"] if recover else [])]
    return shlex.join(words)


def _header(site: Site, queue: Queue, wishes: Wishes, minutes: int, log: Path) -> list[str]:
    asked = {
        "job-name": "ELiXer",
        "partition": queue.name,
        "time": wishes.time or f"{minutes // 60:02d}:{minutes % 60:02d}:00",
        "account": wishes.account or site.account,
        "output": str(log),
        "open-mode": "append",
        "mail-user": wishes.email,
        "mail-type": "BEGIN,END,FAIL" if wishes.email else "",
    }
    lines = ["#!/bin/bash", *(f"#SBATCH --{name}={value}" for name, value in asked.items() if value)]
    return lines


def _prologue(site: Site) -> list[str]:
    return ["", *(f"export {name}={value}" for name, value in ONE_THREAD.items()), *site.prologue, ""]


def script(whole: Output, site: Site, queue: Queue, plan: Plan, wishes: Wishes) -> str:
    """The job array: element i works through lines of `elixer.run`, each a share."""
    lines = _header(site, queue, wishes, plan.minutes, whole.folder / "ELIXER.o%A_%a")
    lines.append(f"#SBATCH --array=0-{plan.jobs - 1}")
    if site.whole_nodes:
        lines += [f"#SBATCH --nodes={plan.lines}", f"#SBATCH --ntasks={plan.lines}", "#SBATCH --ntasks-per-node=1"]
    else:
        lines += [f"#SBATCH --ntasks={plan.lines}", f"#SBATCH --cpus-per-task={plan.workers}"]
        lines.append(f"#SBATCH --mem-per-cpu={SHARED_MEMORY}M")
    if wishes.dependency:
        lines.append(f"#SBATCH --dependency={wishes.dependency}")
    number = f"SLURM_ARRAY_TASK_ID * {plan.lines} + ${{SLURM_PROCID:-0}} + 1"
    step = f'eval "$(sed -n "$(({number}))p" {shlex.quote(str(whole.folder / RUN_FILE))})"'
    if plan.lines > 1:  # several nodes a job: the same step on each, one failing does not end the others
        step = f"srun --kill-on-bad-exit=0 --wait=0 bash -c {shlex.quote(step)}"
    return "\n".join([*lines, *_prologue(site), step, ""])


def merge_script(whole: Output, site: Site, queue: Queue, wishes: Wishes, detections: int) -> str:
    """One more job, after the array: merge the catalogues and tell what is done."""
    minutes = max(10, detections // 2000)
    lines = _header(site, queue, replace(wishes, time=""), minutes, whole.folder / "ELIXER_merge.o%j")
    lines += ["#SBATCH --ntasks=1", *(["#SBATCH --nodes=1"] if site.whole_nodes else [])]
    words = [*command("elixer"), "--finish", "--name", str(whole.folder)]
    return "\n".join([*lines, *_prologue(site), shlex.join(words), ""])


def write(folder: Path, name: str, content: str) -> Path:
    """A file of a run, whole or not at all.

    Raises
    ------
    DataError
        If a file of that name was not written by a run, or it cannot be written.
    """
    path = folder / name
    require_ours(path, lambda there: bool(_WRITTEN[name].search(there.read_text(errors="replace"))), "of such a run")
    return write_text(path, content)


# ---------------------------------------------------------------------------------------------- submission


def has_slurm() -> bool:
    """Whether jobs can be submitted from here."""
    return shutil.which("sbatch") is not None


def submit(path: Path, *options: str) -> str:
    """Submit a script; returns the number of the job.

    Raises
    ------
    DataError
        If SLURM does not take it, with its reason.
    """
    try:
        done = subprocess.run(
            ["sbatch", "--parsable", *options, str(path)], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"sbatch {path}: {error}") from error
    if done.returncode:
        raise DataError(
            f"SLURM did not take the job: {' '.join(done.stderr.split())}. Everything is written: "
            f"correct it and give `sbatch {path}`, or process the list on this computer with elixer"
        )
    # centres print remarks before the number
    numbers = re.findall(r"^(\d+)(?:;.*)?$", done.stdout, re.MULTILINE)
    if not numbers:
        raise DataError(f"sbatch {path} told no job number: {done.stdout.strip()}")
    return numbers[-1]


def still_queued(folder: Path) -> list[str]:
    """The jobs of a run that SLURM still has, waiting or running."""
    path = folder / JOBS_FILE
    if not path.is_file() or shutil.which("squeue") is None:
        return []
    queued: list[str] = []
    for number in path.read_text().split():
        try:
            asked = ["squeue", "--noheader", "--jobs", number, "--format", "%i %T"]
            told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        if told.returncode == 0 and told.stdout.strip():  # a number that SLURM has forgotten is an error
            queued.append(number)
    return queued
