"""Whether `run`, `merge` and `database` lose, break or leave anything: killed, two at once, disks full, and more.

    python tools/kill_runs.py                    200 kills a command, and the faults; a table on standard output
    python tools/kill_runs.py --kills 20 --only merge

A command is killed (TERM, INT or KILL; its whole group or the process alone) at a random moment, looked at, and started
again until it ends by itself; then everything is compared with a run that nobody disturbed. Needs Linux; small and
read-only disks are tmpfs mounts, which take the rights of root and are left out, saying so, without them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

import elixer_widgets.reports.mini  # what a command would load is loaded once, so that kills fall into its work
from elixer_widgets import analysis, cli, open_release, reports, simulate_release
from elixer_widgets.bulk import Output, finished
from elixer_widgets.bulk.output import stored
from elixer_widgets.reports.database import read_report, stored_reports

LOADED = (analysis, reports, elixer_widgets.reports.mini)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
PATIENCE = 60.0  # s for a process to go once it was killed


@dataclass
class Count:
    """What was tried with a command, and what went wrong."""

    kills: Counter = field(default_factory=Counter)
    ends: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.wrong.append(what)
            print(f"  WRONG: {what}", file=sys.stderr, flush=True)


def started(arguments: list[str], log: Path, before: Callable[[], None] = lambda: None) -> int:
    """A command in a process and a group of its own; its number."""
    child = os.fork()
    if child:
        with suppress(OSError):
            os.setpgid(child, child)
        return child
    code = 99
    try:
        os.setpgid(0, 0)
        for each in SIGNALS[:2]:
            signal.signal(each, signal.default_int_handler if each == signal.SIGINT else signal.SIG_DFL)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        before()
        code = cli.main(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(child: int, patience: float) -> int | None:
    """The exit code of a command (less than zero: a signal), or None if it is still at work."""
    deadline = time.monotonic() + patience
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.005)


def group_gone(group: int) -> bool:
    """Whether no process of a group is left, after some patience."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def kill_at(child: int, moment: float, chance: random.Random, count: Count) -> int | None:
    """Kill a command after so many seconds; its exit code if it was faster, else None."""
    code = ended(child, moment)
    if code is not None:
        return code
    number, whole = chance.choice(SIGNALS), chance.random() < 0.5
    (os.killpg if whole else os.kill)(child, number)
    code = ended(child, PATIENCE)
    count.check(code is not None, f"{number.name}: the command is still there after {PATIENCE:.0f} s")
    count.check(group_gone(child), f"{number.name}: processes of the command are still there")
    count.kills[f"{number.name[3:]} {'group' if whole else 'process'}"] += 1
    return None


def tables(path: Path) -> dict[str, np.ndarray]:
    """Every table of a catalogue in order of the detections, without the time at which it was made."""
    contents: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:

        def visit(name: str, node: object) -> None:
            if isinstance(node, h5py.Dataset) and node.dtype.names and not name.startswith("_i_"):
                rows = node[:]
                kept = [column for column in rows.dtype.names if column != "elixer_datetime"]
                if "detectid" in kept:
                    rows = rows[np.argsort(rows["detectid"], kind="stable")]
                contents[name] = rows[kept]

        file.visititems(visit)
    return contents


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> str:
    """What differs between the tables of two catalogues; empty if nothing does."""
    if set(one) != set(two):
        return f"tables {sorted(set(one) ^ set(two))}"
    for name, rows in one.items():
        other = two[name]
        if rows.shape != other.shape or rows.dtype != other.dtype:
            return f"{name}: {rows.shape} and {other.shape} rows"
        for column in rows.dtype.names or ():
            a, b = rows[column], other[column]
            if not (
                np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if a.dtype.kind == "f" else np.array_equal(a, b)
            ):
                return f"{name}.{column}"
    return ""


def broken(folder: Path) -> list[str]:
    """Reports and catalogues of a folder that are not whole."""
    found = [path.name for path in folder.glob("*.pdf") if not _framed(path, b"%PDF-", b"%%EOF")]
    found += [path.name for path in folder.glob("*.png") if not _framed(path, b"\x89PNG", b"IEND\xaeB`\x82")]
    for path in folder.glob("*.h5"):
        try:
            tables(path)
        except (OSError, KeyError, RuntimeError):
            found.append(path.name)
    return found


def _framed(path: Path, start: bytes, end: bytes) -> bool:
    content = path.read_bytes()
    return content.startswith(start) and end in content[-64:]


@dataclass(frozen=True)
class Bench:
    """What all trials share: a release, its detections, an undisturbed run of them and how long that took."""

    work: Path
    release: Path
    ids: list[int]
    calm: Output
    seconds: float

    def words(self, name: Path, *more: str) -> list[str]:
        """A command line of `run`."""
        dets = ",".join(map(str, self.ids))
        return ["run", "--release", str(self.release), "--dets", dets, "--name", str(name), "--png", *more]


def prepared(work: Path, n: int) -> Bench:
    """The bench in a folder."""
    release = simulate_release(work / "release", n=n, seed=3)
    ids = [int(each) for each in open_release(release).detectids()]
    bench = Bench(work, release, ids, Output(work / "calm" / "o", ("png",)), 0.0)
    begun = time.monotonic()
    code = ended(started(bench.words(bench.calm.folder, "--workers", "1"), work / "calm.log"), 3600.0)
    assert code == 0, (work / "calm.log").read_text()
    return Bench(work, release, ids, bench.calm, time.monotonic() - begun)


def names(folder: Path) -> set[str]:
    """Everything in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def compare_run(bench: Bench, output: Output, count: Count) -> None:
    """An output with the undisturbed one: tables, files, nothing left over."""
    count.ends += 1
    difference = same(tables(bench.calm.catalog), tables(output.catalog))
    count.check(not difference, f"run: the result differs: {difference}")
    count.check(names(output.folder) == names(bench.calm.folder),
                f"run: files differ: {sorted(names(output.folder) ^ names(bench.calm.folder))}")  # fmt: skip


def kill_run(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`run --recover`, killed again and again until it ends; a fifth of them with two workers."""
    count, life = Count(), 0
    shared = set(os.listdir("/dev/shm"))
    while (sum(count.kills.values()) < kills or life) and time.monotonic() < until:
        output = Output(bench.work / "killed" / "o", ("png",))
        workers = "2" if count.ends % 5 == 4 else "1"
        words = bench.words(output.folder, "--recover", "--workers", workers)
        before = {path: path.stat().st_mtime_ns for each in _done(output, bench.ids) for path in output.files(each)}
        longest = (1.2 if workers == "1" else 2.5) * bench.seconds
        child = started(words, bench.work / "run.log")
        moment = chance.random() * longest if sum(count.kills.values()) < kills else 3600.0
        code = kill_at(child, moment, chance, count)
        life += 1
        count.check(all(path.stat().st_mtime_ns == mtime for path, mtime in before.items()), "run: done again")
        if output.folder.is_dir():
            count.check(not broken(output.folder), f"run: not whole: {broken(output.folder)}")
            rows = stored(output)
            reported = {int(path.stem) for path in output.folder.glob("*.pdf")}
            count.check(reported <= rows, f"run: reports without a row: {reported - rows}")
        if code is not None:
            count.check(code in (0, 130), f"run: ended with {code}: {(bench.work / 'run.log').read_text()[-500:]}")
        if code == 0:
            compare_run(bench, output, count)
            shutil.rmtree(output.folder)
            life = 0
    count.check(set(os.listdir("/dev/shm")) <= shared, "run: shared memory is left behind")
    return count


def _done(output: Output, ids: list[int]) -> list[int]:
    return finished(output, ids) if output.folder.is_dir() else []


def kill_merge(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`merge --unique --force` onto an older catalogue."""
    count = Count()
    folder = bench.work / "merge"
    folder.mkdir()
    inputs = [Path(shutil.copy(bench.calm.catalog, folder / f"in{number}.h5")) for number in range(3)]
    target = folder / "merged.h5"
    words = ["merge", *map(str, inputs), "--unique", "--force", "--output", str(target)]
    begun = time.monotonic()
    assert ended(started(words, bench.work / "merge.log"), 600.0) == 0
    seconds = time.monotonic() - begun
    calm, expected = tables(target), names(folder)
    for number in range(kills):
        if time.monotonic() > until:
            break
        kill_at(started(words, bench.work / "merge.log"), chance.random() * 1.1 * seconds, chance, count)
        count.check(not same(calm, tables(target)), "merge: the result is neither the old nor the new one")
        if number % 5 == 4:
            count.check(ended(started(words, bench.work / "merge.log"), 600.0) == 0, "merge: does not end well")
            count.check(not same(calm, tables(target)), "merge: the result differs")
            count.check(names(folder) == expected, f"merge: left behind: {sorted(names(folder) ^ expected)}")
            count.ends += 1
    return count


def kill_database(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`database`, from nothing each time it has ended."""
    count = Count()
    folder = bench.work / "database"
    words = ["database", str(bench.calm.folder), "--into", str(folder)]
    begun = time.monotonic()
    assert ended(started(words, bench.work / "database.log"), 600.0) == 0
    seconds = time.monotonic() - begun
    expected = names(folder)
    for number in range(kills):
        if time.monotonic() > until:
            break
        if number % 5 == 0:
            shutil.rmtree(folder)
        kill_at(started(words, bench.work / "database.log"), chance.random() * 1.1 * seconds, chance, count)
        _check_database(bench, folder, count)
        if number % 5 == 4:
            count.check(ended(started(words, bench.work / "database.log"), 600.0) == 0, "database: does not end well")
            stored_ids = stored_reports(folder).tolist()
            count.check(stored_ids == sorted(bench.ids), f"database: holds {stored_ids}")
            _check_database(bench, folder, count)
            count.check(names(folder) == expected, f"database: left behind: {sorted(names(folder) ^ expected)}")
            count.ends += 1
    return count


def _check_database(bench: Bench, folder: Path, count: Count) -> None:
    """Every picture in it is whole, and SQLite finds no fault."""
    if not folder.is_dir():
        return
    for detectid in stored_reports(folder).tolist():
        whole = read_report(folder, detectid) == (bench.calm.folder / f"{detectid}.png").read_bytes()
        count.check(whole, f"database: the picture of {detectid} differs")
    for path in folder.glob("*.db"):
        with sqlite3.connect(path) as database:
            count.check(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"database: {path.name}")


# --------------------------------------------------------------------------------------------------------- faults


@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A file system of its own, or None where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="elixer-fault-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=False)
        folder.rmdir()


def command(words: list[str], before: Callable[[], None] = lambda: None) -> tuple[int | None, str]:
    """Exit code and words of a command."""
    with tempfile.NamedTemporaryFile() as log:
        os.chmod(log.name, 0o666)
        code = ended(started(words, Path(log.name), before), 1800.0)
        return code, Path(log.name).read_text()


def refused(count: Count, what: str, told: tuple[int | None, str], said: str) -> None:
    """Exit code 2, a sentence, no traceback."""
    code, text = told
    fine = code == 2 and said in text and "Traceback" not in text
    count.check(fine, f"{what}: {code}, {text[-400:]}")


def two_at_once(bench: Bench, count: Count) -> None:
    """The second run, and the second merge, is refused."""
    output = Output(bench.work / "two" / "o", ("png",))
    first = started(bench.words(output.folder, "--workers", "1"), bench.work / "two.log")
    while not (output.parts / "elixer.lock").exists():
        time.sleep(0.01)
    refused(count, "two runs", command(bench.words(output.folder, "--recover")), "another run is writing here (process")
    count.check(ended(first, 1800.0) == 0, "two runs: the first does not end well")
    compare_run(bench, output, count)


def full_disk(bench: Bench, count: Count) -> None:
    """A disk that is full half-way, then larger."""
    with small_disk("2500k") as disk:
        if disk is None:
            count.kills["not tried: needs the right to mount"] += 1
            return
        output = Output(disk / "o", ("png",))
        refused(count, "full disk", command(bench.words(output.folder, "--workers", "1")), "No space left on device")
        done = _done(output, bench.ids)
        count.check(0 < len(done) < len(bench.ids), f"full disk: {len(done)} done")
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        code, text = command(bench.words(output.folder, "--workers", "1", "--recover"))
        count.check(code == 0 and f"{len(done)} skipped" in text, f"full disk, then larger: {code}, {text[-300:]}")
        compare_run(bench, output, count)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(count, "read-only disk", command(bench.words(disk / "p")), "Read-only file system")
        refused(
            count, "read-only merge", command(["merge", str(output.catalog), "-o", str(disk / "m.h5")]), "Read-only"
        )
        into = ["database", str(output.folder)]
        refused(count, "read-only database", command(into), "Read-only")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def no_right(bench: Bench, count: Count) -> None:
    """A person who may not write there."""
    if os.getuid():
        count.kills["not tried: needs root to become somebody else"] += 1
        return
    folder = Path(tempfile.mkdtemp(prefix="elixer-fault-"))
    folder.chmod(0o755)
    told = command(bench.words(folder / "o"), lambda: os.setuid(65534))
    refused(count, "no right to write", told, "Permission denied")
    refused(count, "/proc/abc", command(bench.words(Path("/proc/abc"))), "nothing can be written there")
    count.check(not list(folder.iterdir()), "no right to write: something was made")
    folder.rmdir()


def dead_worker(bench: Bench, count: Count) -> None:
    """kill -9 for the workers of a run, once it has begun."""
    output = Output(bench.work / "dead" / "o", ("png",))
    child = started(bench.words(output.folder, "--workers", "2"), bench.work / "dead.log")
    while not list(output.folder.glob("*.pdf")):
        time.sleep(0.02)
    workers = {int(path.name.rpartition("-")[2]) for path in output.parts.glob(".elixer-*/*-*") if path.is_dir()}
    for each in workers - {child}:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    count.check(ended(child, 1800.0) == 0, f"dead worker: {(bench.work / 'dead.log').read_text()[-400:]}")
    count.check(workers, "dead worker: none was killed")
    compare_run(bench, output, count)


def jumping_clock(bench: Bench, count: Count) -> None:
    """A clock that is put forth and back by years, all the time, and a kill."""
    chance = random.Random(1)

    def jump() -> None:
        time.time_ns = lambda: chance.choice((1, 10**18, 4 * 10**18)) + chance.randrange(10**9)  # type: ignore
        time.time = lambda: time.time_ns() / 1e9  # type: ignore

    output = Output(bench.work / "clock" / "o", ("png",))
    child = started(bench.words(output.folder, "--workers", "1"), bench.work / "clock.log", jump)
    while len(list(output.folder.glob("*.pdf"))) < 2:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    ended(child, PATIENCE)
    code, text = command(bench.words(output.folder, "--workers", "1", "--recover"), jump)
    count.check(code == 0, f"jumping clock: {code}, {text[-300:]}")
    compare_run(bench, output, count)


def release_gone(bench: Bench, count: Count) -> None:
    """The release is taken away while it is read, and put back."""
    moved = bench.work / "moved"
    shutil.copytree(bench.release, moved)
    output = Output(bench.work / "gone" / "o", ("png",))
    words = bench.words(output.folder, "--workers", "1", "--release", str(moved))
    child = started(words, bench.work / "gone.log")
    while not list(output.folder.glob("*.pdf")):
        time.sleep(0.02)
    shutil.rmtree(moved)
    code, text = ended(child, 1800.0), (bench.work / "gone.log").read_text()
    count.check(code in (0, 1, 2) and "Traceback" not in text, f"release gone: {code}, {text[-400:]}")
    shutil.copytree(bench.release, moved)
    code, text = command([*words, "--recover"])
    count.check(code == 0, f"release back: {code}, {text[-300:]}")


FAULTS = {
    "two at once": two_at_once,
    "disk full, then larger, then read-only (tmpfs)": full_disk,
    "no right to write": no_right,
    "workers killed": dead_worker,
    "a clock that jumps": jumping_clock,
    "release deleted while it is read": release_gone,
}
KILLED = {"run": kill_run, "merge": kill_merge, "database": kill_database}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="of each command (200)")
    parser.add_argument("--n", type=int, default=6, help="detections of the simulated release (6)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop each command's kills after so long")
    parser.add_argument("--only", choices=(*KILLED, "faults"), action="append", help="leave the others out")
    parser.add_argument("--work", type=Path, help="a folder of its own, which must not exist yet")
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="elixer-kill-")) / "work"
    work.mkdir()
    wrong = 0
    try:
        bench = prepared(work, arguments.n)
        print("| what | tried | ended by itself and compared | wrong |\n| --- | --- | --- | --- |", flush=True)
        wanted = arguments.only or [*KILLED, "faults"]
        trials: list[tuple[str, Count]] = []
        for name, trial in KILLED.items():
            if name in wanted:
                until = time.monotonic() + 60 * arguments.minutes
                trials.append((name, trial(bench, arguments.kills, random.Random(arguments.seed), until)))
                wrong += tell(*trials[-1])
        for name, fault in FAULTS.items() if "faults" in wanted else ():
            count = Count()
            fault(bench, count)
            wrong += tell(name, count)
    finally:
        shutil.rmtree(work)  # made above
    return 1 if wrong else 0


def tell(name: str, count: Count) -> int:
    """A line of the table; how much was wrong."""
    kills = ", ".join(f"{number} {what}" for what, number in sorted(count.kills.items()))
    total = f"{sum(count.kills.values())} kills ({kills})" if count.kills else "1"
    print(f"| {name} | {total} | {count.ends} | {len(count.wrong)} |", flush=True)
    return len(count.wrong)


if __name__ == "__main__":
    sys.exit(main())
