"""Processes that are killed, what is compared afterwards, and small disks: for all trials."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import util
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets import cli

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
PATIENCE = 60.0  # s for a process to go once it was killed


@dataclass
class Count:
    """What was tried with a command, and what went wrong."""

    kills: Counter = field(default_factory=Counter)
    ends: int = 0
    wrong: list[str] = field(default_factory=list)
    left_out: str = ""
    """Why nothing was tried."""

    def check(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.wrong.append(what)
            print(f"  WRONG: {what}", file=sys.stderr, flush=True)

    def add(self, other: Count) -> None:
        """Take what was counted elsewhere."""
        self.kills += other.kills
        self.ends += other.ends
        self.wrong += other.wrong


def names(folder: Path) -> set[str]:
    """Everything in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


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
        util._exit_function()  # what Python does at its end
    except BaseException:
        traceback.print_exc()
        raise
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


@contextmanager
def small_disk(size: str) -> Iterator[Path | None]:
    """A file system of its own, or None where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="elixer-fault-disk-", dir="/var/tmp"))
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
