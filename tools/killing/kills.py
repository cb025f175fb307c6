"""`run`, `merge`, `database` and `export`, killed at random moments and started again."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from elixer_widgets.bulk import Output, finished
from elixer_widgets.bulk.output import stored
from elixer_widgets.reports.database import read_report, stored_reports
from killing.bench import Bench, answered, pictures
from killing.harness import Count, broken, ended, kill_at, names, same, started, tables


def compare_run(bench: Bench, output: Output, count: Count) -> None:
    """An output with the undisturbed one: tables, files, nothing left over."""
    count.ends += 1
    difference = same(tables(bench.calm.catalog), tables(output.catalog))
    count.check(not difference, f"run: the result differs: {difference}")
    count.check(names(output.folder) == names(bench.calm.folder),
                f"run: files differ: {sorted(names(output.folder) ^ names(bench.calm.folder))}")  # fmt: skip
    for path in bench.calm.folder.glob("*.p*"):
        count.check(not broken(output.folder), f"run: {path.name} is not whole")
    no_temporaries(bench, count)


def no_temporaries(bench: Bench, count: Count) -> None:
    """The folder of temporary files holds nothing of ours.

    A process that was killed cannot take away the socket (`pymp-*/listener-*`) by which Python starts workers.
    """
    left = sorted(name for name in names(bench.work / "tmp") if not name.startswith("pymp-"))
    count.check(not left, f"left in the folder of temporary files: {left[:5]}")
    for name in left:
        place = bench.work / "tmp" / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)


def kill_run(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`run --recover`, drawings remembered, killed again and again until it ends."""
    return _kill_run(bench, kills, chance, until, "1", bench.seconds, bench.drawings_remembered)


def kill_drawing_run(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`run --recover` by two workers, nothing remembered."""
    begun = time.monotonic()
    output = Output(bench.work / "twice" / "o", ("png",))
    count = Count()
    assert ended(started(bench.words(output.folder, "--workers", "2"), bench.work / "run.log"), 3600.0) == 0
    compare_run(bench, output, count)
    lasts = time.monotonic() - begun
    found = _kill_run(bench, kills, chance, until, "2", lasts, lambda: None)
    found.wrong = [*count.wrong, *found.wrong]
    return found


def _kill_run(
    bench: Bench, kills: int, chance: random.Random, until: float, workers: str, lasts: float, way: Callable[[], None]
) -> Count:
    count, life = Count(), 0
    shared = set(os.listdir("/dev/shm"))
    log = bench.work / "run.log"
    while life or (sum(count.kills.values()) < kills and time.monotonic() < until):
        output = Output(bench.work / f"killed{workers}" / "o", ("png",))
        words = bench.words(output.folder, "--recover", "--workers", workers)
        done = finished(output, bench.ids) if output.folder.is_dir() else []
        before = {path: path.stat().st_mtime_ns for each in done for path in output.files(each)}
        more = sum(count.kills.values()) < kills and time.monotonic() < until
        # what is still to do is shorter after each kill, and the moments with it
        share = (len(bench.ids) - len(done) + 1) / (len(bench.ids) + 1)
        moment = chance.random() * 1.1 * lasts * max(share, 0.3) if more else 3600.0
        code = kill_at(started(words, log, way), moment, chance, count)
        life += 1
        count.check(all(path.stat().st_mtime_ns == mtime for path, mtime in before.items()), "run: done again")
        if output.folder.is_dir():
            count.check(not broken(output.folder), f"run: not whole: {broken(output.folder)}")
            rows = stored(output)
            reported = {int(path.stem) for path in output.folder.glob("*.pdf")}
            count.check(reported <= rows, f"run: reports without a row: {reported - rows}")
        if code is not None:
            count.check(code == 0, f"run: ended with {code}: {log.read_text()[-500:]}")
        if code == 0:
            compare_run(bench, output, count)
            shutil.rmtree(output.folder)
            life = 0
    if workers != "1":  # one process makes none; what comes meanwhile is somebody else's
        count.check(set(os.listdir("/dev/shm")) <= shared, "run: shared memory is left behind")
    return count


def kill_merge(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`merge --unique --force` onto an older catalogue."""
    folder = bench.work / "merge"
    folder.mkdir()
    inputs = [Path(shutil.copy(bench.calm.catalog, folder / f"in{number}.h5")) for number in range(3)]
    target = folder / "merged.h5"
    words = ["merge", *map(str, inputs), "--unique", "--force", "--output", str(target)]
    return _kill_writer("merge", bench, words, target, lambda one, two: not same(tables(one), tables(two)),
                        (kills, chance, until))  # fmt: skip


def kill_export(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`export` of each ending, a quarter of the kills each, onto an older file."""
    count = Count()
    for ending in ("csv", "ecsv", "h5", "dat"):
        folder = bench.work / f"export_{ending}"
        folder.mkdir()
        target = folder / f"answers.{ending}"
        words = ["export", str(answered(bench)), str(target)]
        count.add(_kill_writer("export", bench, words, target, _alike, (-(-kills // 4), chance, until)))
    return count


def _alike(one: Path, two: Path) -> bool:
    return not same(tables(one), tables(two)) if one.suffix == ".h5" else one.read_bytes() == two.read_bytes()


def _kill_writer(
    what: str,
    bench: Bench,
    words: list[str],
    target: Path,
    alike: Callable[[Path, Path], bool],
    trial: tuple[int, random.Random, float],
) -> Count:
    """A command that replaces one file: after a kill it is the old or the new one, after an end the new one, alone."""
    kills, chance, until = trial
    count, log = Count(), bench.work / f"{what}.log"
    begun = time.monotonic()
    assert ended(started(words, log), 600.0) == 0, log.read_text()
    seconds = time.monotonic() - begun
    expected = names(target.parent)
    calm = Path(shutil.copy(target, bench.work / f"calm_{what}{target.suffix}"))
    while sum(count.kills.values()) < kills and time.monotonic() < until:
        for _ in range(5):
            kill_at(started(words, log), chance.random() * 1.05 * seconds, chance, count)
            count.check(target.is_file() and alike(target, calm), f"{what}: neither the old nor the new file")
            if chance.random() < 0.3 and target.is_file():
                target.unlink()  # as on the first time
                kill_at(started(words, log), chance.random() * 1.05 * seconds, chance, count)
                count.check(not target.exists() or alike(target, calm), f"{what}: not whole after a first time")
                ended(started(words, log), 600.0)
        count.check(ended(started(words, log), 600.0) == 0, f"{what}: does not end well: {log.read_text()[-500:]}")
        count.check(alike(target, calm), f"{what}: the result differs")
        count.check(names(target.parent) == expected, f"{what}: left: {sorted(names(target.parent) ^ expected)}")
        no_temporaries(bench, count)
        count.ends += 1
    return count


def kill_database(bench: Bench, kills: int, chance: random.Random, until: float) -> Count:
    """`database`, from nothing each time it has ended."""
    count, log = Count(), bench.work / "database.log"
    folder = bench.work / "database"
    source = pictures(bench)
    words = ["database", str(source), "--into", str(folder)]
    begun = time.monotonic()
    assert ended(started(words, log), 600.0) == 0, log.read_text()
    seconds = time.monotonic() - begun
    expected, calm = names(folder), stored_reports(folder).tolist()
    while sum(count.kills.values()) < kills and time.monotonic() < until:
        shutil.rmtree(folder)
        for _ in range(5):
            kill_at(started(words, log), chance.random() * 1.05 * seconds, chance, count)
            _check_database(source, folder, count)
        count.check(ended(started(words, log), 600.0) == 0, f"database: does not end well: {log.read_text()[-500:]}")
        count.check(stored_reports(folder).tolist() == calm, f"database: holds {stored_reports(folder).size}")
        _check_database(source, folder, count)
        count.check(names(folder) == expected, f"database: left behind: {sorted(names(folder) ^ expected)}")
        no_temporaries(bench, count)
        count.ends += 1
    return count


def _check_database(source: Path, folder: Path, count: Count) -> None:
    """Every picture in it is whole, and SQLite finds no fault."""
    if not folder.is_dir():
        return
    for detectid in stored_reports(folder).tolist():
        whole = read_report(folder, detectid) == (source / f"{detectid}.png").read_bytes()
        count.check(whole, f"database: the picture of {detectid} differs")
    for path in folder.glob("*.db"):
        with sqlite3.connect(path) as database:
            count.check(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"database: {path.name}")


KILLED: dict[str, Callable[[Bench, int, random.Random, float], Count]] = {
    "run": kill_run,
    "run, drawing, two workers": kill_drawing_run,
    "merge": kill_merge,
    "database": kill_database,
    "export": kill_export,
}
