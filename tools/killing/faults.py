"""Disks that are full or read-only, workers that die, clocks that jump, releases that go, two at once."""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import elixer_widgets
from elixer_widgets import open_release
from elixer_widgets.bulk import Output, finished
from elixer_widgets.campaigns import Campaign
from elixer_widgets.detection import DataError
from elixer_widgets.reports import merge_catalogs
from elixer_widgets.widgets import Explorer
from elixer_widgets.widgets.exports import catalog_bytes, report_bytes
from killing.bench import Bench, answered, pictures
from killing.harness import PATIENCE, Count, ended, names, same, small_disk, started, tables
from killing.kills import compare_run

NO_MOUNT = "not tried: needs the right to mount"


def command(words: list[str], before: Callable[[], None] = lambda: None) -> tuple[int | None, str]:
    """Exit code and words of a command."""
    with tempfile.NamedTemporaryFile(dir="/tmp") as log:
        os.chmod(log.name, 0o666)
        code = ended(started(words, Path(log.name), before), 1800.0)
        return code, Path(log.name).read_text()


def refused(count: Count, what: str, told: tuple[int | None, str], *said: str) -> None:
    """Exit code 2, a sentence with these words, no traceback."""
    code, text = told
    fine = code == 2 and all(each in text for each in said) and "Traceback" not in text
    count.check(fine, f"{what}: {code}, {text[-400:]}")


def said(action: Callable[[], object]) -> str:
    """What a DataError says."""
    try:
        action()
    except DataError as error:
        return str(error)
    return "nothing was said"


def writers(bench: Bench, folder: Path) -> dict[str, list[str]]:
    """The command lines that write one thing each into a folder."""
    return {
        "merge": ["merge", str(bench.calm.catalog), "--output", str(folder / "m.h5")],
        "database": ["database", str(pictures(bench)), "--into", str(folder / "db")],
        **{f"export .{ending}": ["export", str(answered(bench)), str(folder / f"answers.{ending}")]
           for ending in ("csv", "ecsv", "h5", "dat")},
    }  # fmt: skip


def two_at_once(bench: Bench) -> Count:
    """The second run, merge and export is refused; the second `database` waits."""
    count = Count()
    output = Output(bench.work / "two" / "o", ("png",))
    first = started(bench.words(output.folder, "--workers", "1"), bench.work / "two.log")
    while not (output.parts / "elixer.lock").exists():
        time.sleep(0.01)
    refused(count, "two runs", command(bench.words(output.folder, "--recover")), "another run is writing here (process")
    count.check(ended(first, 1800.0) == 0, "two runs: the first does not end well")
    compare_run(bench, output, count)
    folder = bench.work / "two_writers"
    folder.mkdir()
    for name, words in writers(bench, folder).items():
        assert command(words)[0] == 0
        again = [*words, "--force"] if name == "merge" else words
        before = names(folder)
        first = started(again, bench.work / "two.log")
        if name != "database":
            while not _stopped_with_lock(first, folder):  # too late: it had just ended
                assert ended(first, 600.0) == 0
                first = started(again, bench.work / "two.log")
            refused(count, f"two of {name}", command(again), "another run is writing here", "wait for it")
            os.kill(first, signal.SIGCONT)
        else:
            count.check(command(again)[0] == 0, "two of database: the second does not end well")
        count.check(ended(first, 600.0) == 0, f"two of {name}: the first does not end well")
        count.check(names(folder) == before, f"two of {name}: {sorted(names(folder) ^ before)}")
        count.ends += 1
    return count


def _stopped_with_lock(child: int, folder: Path) -> bool:
    """Stop a command while it holds its lock; whether that was in time."""
    while ended_not(child):
        with suppress(OSError):
            if any(path.stat().st_size for path in folder.glob(".elixer-lock*")):
                os.kill(child, signal.SIGSTOP)
                time.sleep(0.1)
                if list(folder.glob(".elixer-*[0-9a-f]/*")):
                    return True
                os.kill(child, signal.SIGCONT)
    return False


def full_disk(bench: Bench) -> Count:
    """A run on a disk that is full half-way, then larger, then read-only."""
    count = Count()
    each = sum(path.stat().st_size for path in bench.calm.folder.glob(f"{bench.ids[0]}.p*"))
    with small_disk(f"{int(2.2 * each / 1024) + 60}k") as disk:
        if disk is None:
            return Count(left_out=NO_MOUNT)
        output = Output(disk / "o", ("png",))
        refused(count, "full disk", command(bench.words(output.folder, "--workers", "1")), "No space left on device")
        done = finished(output, bench.ids)
        count.check(len(done) < len(bench.ids), f"full disk: {len(done)} done")
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        code, text = command(bench.words(output.folder, "--workers", "1", "--recover"))
        count.check(code == 0 and f"{len(done)} skipped" in text, f"full disk, then larger: {code}, {text[-300:]}")
        compare_run(bench, output, count)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(count, "read-only disk", command(bench.words(disk / "p")), "Read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    return count


def full_for_writers(bench: Bench) -> Count:
    """Each command onto a full disk and a read-only one; what was there stays as it was, and then it works."""
    count = Count()
    for name in writers(bench, bench.work):
        with small_disk("200m") as disk:
            if disk is None:
                return Count(left_out=NO_MOUNT)
            words = writers(bench, disk)[name] + (["--force"] if name == "merge" else [])
            refused(count, f"{name}, read-only", _while(disk, "ro", "rw", words), str(disk), "ead-only")
            code, text = command(words)
            count.check(code == 0, f"{name}, writable again: {code}, {text[-300:]}")
            target = next(path for path in disk.rglob("*") if path.is_file())
            content, there = target.read_bytes(), names(disk)
            if name == "database":
                target.unlink()
            _fill(disk)
            told = command(words)
            (disk / "filling").unlink()
            refused(count, f"{name}, full", told, str(disk), "full" if name == "database" else "No space left")
            if name != "database":
                count.check(target.read_bytes() == content, f"{name}, full: the old file is changed")
            code, text = command(words)
            count.check(code == 0, f"{name}, then with room: {code}, {text[-300:]}")
            count.check(names(disk) == there, f"{name}, full: left {sorted(names(disk) ^ there)}")
            count.ends += 1
    return count


def _while(disk: Path, mode: str, then: str, words: list[str]) -> tuple[int | None, str]:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True)
    try:
        return command(words)
    finally:
        subprocess.run(["mount", "-o", f"remount,{then}", str(disk)], check=True)


def _fill(disk: Path) -> None:
    """Leave room for a few pages of memory."""
    room = shutil.disk_usage(disk).free - 24_000
    with (disk / "filling").open("wb") as file:
        file.write(b"\0" * room)


def page_saving(bench: Bench) -> Count:
    """PDF and catalogue from the page while the folder of temporary files is full, read-only or gone."""
    count = Count()
    known = bench.known[bench.ids[0]]
    before = os.environ["TMPDIR"], tempfile.tempdir
    with small_disk("300k") as disk:
        if disk is None:
            return Count(left_out=NO_MOUNT)
        try:
            os.environ["TMPDIR"] = tempfile.tempdir = str(disk)
            for name, make in (("PDF", report_bytes), ("HDF5", catalog_bytes)):
                subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
                text = said(lambda make=make: make(known))
                count.check("Read-only" in text and "TMPDIR" in text, f"{name}, read-only: {text}")
                subprocess.run(["mount", "-o", "remount,rw,size=300k", str(disk)], check=True)
                _fill(disk)
                text = said(lambda make=make: make(known))
                count.check("No space left" in text, f"{name}, full: {text}")
                (disk / "filling").unlink()
                subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
                count.check(len(make(known)) > 10_000, f"{name}: not made, with room")
                count.check(not names(disk), f"{name}: left behind {names(disk)}")
                count.ends += 1
        finally:
            os.environ["TMPDIR"], tempfile.tempdir = before
    return count


def no_right(bench: Bench) -> Count:
    """A person who may not write there."""
    if os.getuid():
        return Count(left_out="not tried: needs root to become somebody else")
    count = Count()
    answered(bench), pictures(bench)
    for each in pkgutil.walk_packages(elixer_widgets.__path__, "elixer_widgets."):
        importlib.import_module(each.name)  # that person may not be able to read the installation
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="elixer-fault-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        told = command(bench.words(folder / "o"), lambda: os.setuid(65534))
        refused(count, "run, no right to write", told, "Permission denied", str(folder))
        for name, words in writers(bench, folder).items():
            told = command(words, lambda: os.setuid(65534))
            refused(count, f"{name}, no right to write", told, "Permission denied", str(folder))
        refused(count, "/proc/abc", command(bench.words(Path("/proc/abc"))), "nothing can be written there")
        count.check(not names(folder), "no right to write: something was made")
    return count


def dead_worker(bench: Bench) -> Count:
    """kill -9 for the workers of a run, once it has begun."""
    count = Count()
    output = Output(bench.work / "dead" / "o", ("png",))
    child = started(bench.words(output.folder, "--workers", "2"), bench.work / "dead.log")
    while not list(output.folder.glob("*.pdf")):
        time.sleep(0.02)
    places = (path.name.rpartition("-")[2] for path in output.parts.glob(".elixer-*/*-*") if path.is_dir())
    workers = {int(each) for each in places if each.isdecimal()}
    for each in workers - {child}:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    count.check(ended(child, 1800.0) == 0, f"dead worker: {(bench.work / 'dead.log').read_text()[-400:]}")
    count.check(workers, "dead worker: none was killed")
    compare_run(bench, output, count)
    return count


def dead_helper(bench: Bench) -> Count:
    """kill -9 for the processes that help a merge: the result is the same, or an error in words."""
    count = Count()
    folder = bench.work / "helped"
    folder.mkdir()
    inputs = [Path(shutil.copy(bench.calm.catalog, folder / f"in{number}.h5")) for number in range(30)]
    calm = merge_catalogs(inputs, folder / "calm.h5", unique=True)
    for number in range(6):
        target = folder / "merged.h5"
        child = os.fork()
        if not child:
            code = 1
            try:
                merge_catalogs(inputs, target, unique=True, helpers=2)
                code = 0
            except DataError as error:
                code = 2 if str(target) in str(error) or "merge" in str(error) else 3
            finally:
                os._exit(code)
        deadline = time.monotonic() + 20
        helpers: list[int] = []
        while not helpers and time.monotonic() < deadline and ended_not(child):
            helpers = [int(word) for word in Path(f"/proc/{child}/task/{child}/children").read_text().split()]
        time.sleep(0.05 * number)
        for each in helpers:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        code = ended(child, 600.0)
        count.check(helpers, "dead helper: none was seen")
        count.check(code in (0, 2), f"dead helper: {code}")
        if code == 0:
            count.check(not same(tables(calm), tables(target)), "dead helper: the result differs")
        again = merge_catalogs(inputs, target, unique=True)
        count.check(not same(tables(calm), tables(again)), "dead helper: the next result differs")
        left = {name for name in names(folder) if name.startswith(".")}
        count.check(not left, f"dead helper: left behind {left}")
        count.ends += 1
    return count


def ended_not(child: int) -> bool:
    """Whether a child is still there, left to be waited for."""
    return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def jump(chance: random.Random) -> None:
    """In a child: a clock that is put forth and back by years at every look."""
    time.time_ns = lambda: chance.choice((1, 10**18, 4 * 10**18)) + chance.randrange(10**9)  # type: ignore
    time.time = lambda: time.time_ns() / 1e9  # type: ignore


def jumping_clock(bench: Bench) -> Count:
    """A clock that jumps all the time, and a kill; then the other commands."""
    count, chance = Count(), random.Random(1)
    output = Output(bench.work / "clock" / "o", ("png",))
    child = started(bench.words(output.folder, "--workers", "1"), bench.work / "clock.log", lambda: jump(chance))
    while len(list(output.folder.glob("*.pdf"))) < 2:
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    ended(child, PATIENCE)
    code, text = command(bench.words(output.folder, "--workers", "1", "--recover"), lambda: jump(chance))
    count.check(code == 0, f"jumping clock: {code}, {text[-300:]}")
    compare_run(bench, output, count)
    folder = bench.work / "clocks"
    folder.mkdir()
    for name, words in writers(bench, folder).items():
        code, text = command(words, lambda: jump(chance))
        count.check(code == 0, f"{name}, jumping clock: {code}, {text[-300:]}")
    campaign = Campaign(folder / "c", range(1, 51), "ann")
    real = time.time, time.time_ns
    try:
        jump(chance)
        for detectid in range(1, 51):
            campaign.answer(detectid, verdict=1)
    finally:
        time.time, time.time_ns = real
    count.check(len(Campaign(folder / "c").answers()) == 50, "jumping clock: answers are lost")
    return count


def release_gone(bench: Bench) -> Count:
    """The release is taken away while a run and an `Explorer` read it, and put back."""
    count = Count()
    moved = bench.work / "moved"
    shutil.copytree(bench.release, moved)
    output = Output(bench.work / "gone" / "o", ("png",))
    words = bench.words(output.folder, "--workers", "1", "--release", str(moved))
    child = started(words, bench.work / "gone.log")
    explorer = Explorer(open_release(moved))
    while not list(output.folder.glob("*.pdf")):
        time.sleep(0.02)
    away = bench.work / "away"
    moved.rename(away)
    code, text = ended(child, 1800.0), (bench.work / "gone.log").read_text()
    count.check(code in (0, 1, 2) and "Traceback" not in text, f"release gone: {code}, {text[-400:]}")
    shown = explorer.state.detection.detectid
    other = next(each for each in bench.ids if each != shown)
    explorer.state.jump(other)
    message = str(explorer.state.message)
    count.check(explorer.state.detection is None or explorer.state.detection.detectid == other,
                "release gone: another detection is shown")  # fmt: skip
    count.check("Traceback" not in message, f"release gone, page: {message}")
    count.check(explorer.state.detection is not None or message, "release gone, page: nothing is said")
    print(f"  (the page says: {message})", flush=True)
    away.rename(moved)
    for each in bench.ids:
        explorer.state.jump(each)
        count.check(explorer.state.detection is not None and explorer.state.detection.detectid == each,
                    f"release back, page: {explorer.state.message}")  # fmt: skip
    code, text = command([*words, "--recover"])
    count.check(code == 0, f"release back: {code}, {text[-300:]}")
    compare_run(bench, output, count)
    return count


def ended_early(bench: Bench, lives: int = 40, seconds: float = 7.0) -> Count:
    """`run --recover` that is ended after 7 s each time, until it has done all; what is done is never done again."""
    count = Count()
    output = Output(bench.work / "early" / "o", ("png",))
    words = bench.words(output.folder, "--workers", "1", "--recover")
    chance = random.Random(7)
    advanced = 0
    for _ in range(lives):
        before = finished(output, bench.ids) if output.folder.is_dir() else []
        stamps = {path: path.stat().st_mtime_ns for each in before for path in output.files(each)}
        child = started(words, bench.work / "early.log")
        code = ended(child, seconds)
        if code is None:
            os.kill(child, chance.choice((signal.SIGTERM, signal.SIGINT, signal.SIGKILL)))
            ended(child, PATIENCE)
            count.kills["after 7 s"] += 1
        after = finished(output, bench.ids)
        advanced += len(after) > len(before)
        count.check(set(before) <= set(after), "ended early: what was done is not done any more")
        count.check(all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items()), "ended early: done again")
        if code is not None:
            count.check(code == 0, f"ended early: {code}, {(bench.work / 'early.log').read_text()[-300:]}")
            compare_run(bench, output, count)
            shutil.rmtree(output.folder)
    print(f"  ({advanced} of {lives} lives advanced)", flush=True)
    count.check(count.ends, "ended early: it never ends")
    return count


FAULTS: dict[str, Callable[[Bench], Count]] = {
    "two at once": two_at_once,
    "run: disk full, then larger, then read-only": full_disk,
    "merge, database, export: disk full, read-only": full_for_writers,
    "PDF and HDF5 from the page: disk full, read-only": page_saving,
    "no right to write": no_right,
    "workers killed": dead_worker,
    "helpers of a merge killed": dead_helper,
    "a clock that jumps": jumping_clock,
    "release deleted while it is read": release_gone,
    "ended after 7 s, 40 times": ended_early,
}
