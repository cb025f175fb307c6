"""One case: a valid file, changed, and opened in another process with limits on time, memory and files.

A reader registers with `register`: how a valid file is written, how everything that a page would show is read from it,
and which changes make sense for it. A change is either of the *layout* (a column gone, a link, a file cut short: the
reader must give the same values, refuse in words, or say a note) or of the *data* (bits flipped among the numbers, NaN
written: other numbers are then what the file says, and only tracebacks, time, memory and foreign files count).
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from elixer_widgets import DataError

SECONDS = 30.0  # of the processor, which another program's load does not use up
WAITED = 180.0  # s by the clock, after which a case hangs
MEMORY = 2**30  # bytes resident, the program itself included
BATCH = 50  # cases in one process
PROGRAM = 300 * 2**20  # bytes that the program takes with its libraries, before a case; a test's process may hold more
ADDRESSES = 6 * 2**30  # bytes of address space: a bomb must not take the computer with it
FAULTS = ("traceback", "slow", "memory", "outside", "silent", "unnamed")
"""The outcomes that must not be; "unnamed" is a refusal that does not name the file."""

OUTCOMES = ("same", "refused", "said", "data", *FAULTS)


class NotApplicable(Exception):
    """Raised by a change that does not fit this file; another is drawn."""


@dataclass(frozen=True)
class Reading:
    """What a reader took: `values` by name (arrays, numbers, texts), and what it `said` (notes, reasons, problems)."""

    values: Mapping[str, Any]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """The file to be changed, the folder that is read, and a folder beside it that nobody may read.

    `outside` holds a copy of the valid file, for links to it.
    """

    path: Path
    folder: Path
    outside: Path


@dataclass(frozen=True)
class Change:
    """One way to damage a file: `make` changes it in place and says in a few words what it did."""

    name: str
    make: Callable[[Case, random.Random], str]
    of_data: bool = False


@dataclass(frozen=True)
class Reader:
    """How one kind of file is written and read.

    `write` fills an empty folder and gives the file to be changed; `read` gets that file's path.
    """

    name: str
    write: Callable[[Path], Path]
    read: Callable[[Path], Reading]
    changes: tuple[Change, ...]


READERS: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    """Add a reader to those that are tried."""
    READERS[reader.name] = reader


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    reader: str
    number: int
    change: str
    kind: str
    words: str = ""
    seconds: float = 0.0
    peak: int = 0


@dataclass
class Template:
    """The valid file of a reader and what is read from it."""

    reader: Reader
    folder: Path
    path: Path
    reading: Reading


def template(reader: Reader, root: Path) -> Template:
    """Write the valid file and read it once: it must open."""
    folder = root / "valid" / reader.name
    folder.mkdir(parents=True)
    path = reader.write(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Template(reader, folder, path, reader.read(path))


# ------------------------------------------------------------------------------------------------ one case


def _copied(made: Template, folder: Path) -> Case:
    """The valid file once more, what lies beside it linked; and a copy in a folder that is not to be read."""
    outside = folder.with_name(folder.name + " outside")
    outside.mkdir(parents=True, exist_ok=True)
    if not (outside / made.path.name).exists():
        os.link(made.path, outside / made.path.name)
    for item in sorted(made.folder.rglob("*")):
        target = folder / item.relative_to(made.folder)
        if item.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif item == made.path:
            shutil.copy(item, target)
        else:
            os.link(item, target)
    return Case(folder / made.path.relative_to(made.folder), folder, outside)


def damaged(made: Template, folder: Path, seed: int) -> tuple[Case, Change, str]:
    """A copy of the valid file, changed as `seed` says."""
    rng = random.Random(f"{made.reader.name}-{seed}")
    while True:
        change = rng.choice(made.reader.changes)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        case = _copied(made, folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return case, change, f"{change.name}: {change.make(case, rng)}"
        except NotApplicable:
            continue


@contextmanager
def _watched(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Calls back with the files of `folder` that were opened meanwhile, by Python or by a library (Linux)."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(handle, os.fsencode(folder), 0x20)  # IN_OPEN

    def opened() -> list[str]:
        try:
            seen = os.read(handle, 65536)
        except BlockingIOError:
            return []
        names, place = [], 0
        while place < len(seen):
            length = int.from_bytes(seen[place + 12 : place + 16], sys.byteorder)
            names.append(seen[place + 16 : place + 16 + length].rstrip(b"\0").decode())
            place += 16 + length
        return [name for name in names if name]

    try:
        yield opened
    finally:
        os.close(handle)


_OUR_OWN = (
    *(sys.prefix, sys.base_prefix, str(Path(__file__).resolve().parents[2])),
    *("/usr", "/lib", "/etc", "/proc", "/dev", "/sys"),
    *(str(Path.home() / name) for name in (".astropy", ".cache", ".config")),
)
_REAL = tuple(os.path.realpath(place) for place in _OUR_OWN)


@dataclass
class _Guard:
    """Notes every file that Python opens outside `folder` and the program's own places."""

    folder: str = ""
    foreign: list[str] = field(default_factory=list)

    def watch(self, folder: Path) -> None:
        """From now on this is where files may be opened."""
        self.folder, self.foreign = os.path.realpath(folder), []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """As `sys.addaudithook` calls it."""
        if event == "open" and self.folder and isinstance(arguments[0], str | bytes):
            place = os.path.realpath(os.fsdecode(arguments[0]))
            if not place.startswith((self.folder, *_OUR_OWN, *_REAL)):
                self.foreign.append(place)


def _worker(pipe: Connection, made: Template, root: Path, numbers: Sequence[int]) -> None:
    """One case after another: what was changed is told first, so that the parent knows it if the reader never ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    warnings.simplefilter("ignore")
    guard = _Guard()
    sys.addaudithook(guard)
    begun = _resident()
    program = min(begun, PROGRAM)
    for number in numbers:
        folder = root / "cases" / f"{made.reader.name}-{number}"
        case, change, words = damaged(made, folder, number)
        pipe.send(words)
        tempfile.tempdir = str(folder)  # where libraries unpack to
        started, held = _processor(), _resident()
        resource.setrlimit(resource.RLIMIT_CPU, (int(started + SECONDS) + 1, resource.RLIM_INFINITY))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        with _watched(case.outside) as opened:
            guard.watch(folder)
            kind, said = _outcome(made, case, change)
            foreign = sorted({*guard.foreign, *opened()})
        guard.folder = ""
        if foreign:
            kind, said = "outside", ", ".join(foreign)[:200]
        seconds, peak = _processor() - started, _resident("VmHWM") - held + program
        tempfile.tempdir = None
        for place in (folder, case.outside):
            shutil.rmtree(place, ignore_errors=True)
        pipe.send((kind, said, peak, seconds))
        if _resident() - begun > MEMORY // 8:  # what one case leaves is no fault of the next
            break
    os._exit(0)


def _processor() -> float:
    """Seconds of the processor that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident(what: str = "VmRSS") -> int:
    """Bytes of this process in memory (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024


def _outcome(made: Template, case: Case, change: Change) -> tuple[str, str]:
    try:
        reading = made.reader.read(case.path)
    except DataError as error:
        words = str(error)
        named = case.path.name in words or str(case.folder) in words
        return ("refused" if named else "unnamed"), words[:300]
    except MemoryError:
        return "memory", "MemoryError"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is counted
        place = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in place if "elixer_widgets" in frame.filename] or list(place)
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        return "traceback", f"{type(error).__name__} at {where}: {str(error)[:160]}"
    other = differing(made.reading.values, reading.values)
    if not other:
        return "same", ""
    if set(reading.said) - set(made.reading.said):
        return "said", "; ".join(sorted(set(reading.said) - set(made.reading.said)))[:300]
    return ("data" if change.of_data else "silent"), other[:200]


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The names of what differs between two readings, in words; empty if nothing does."""
    names = [name for name in one if name not in other or not _same(one[name], other[name])]
    return ", ".join(names + sorted(set(other) - set(one)))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        one, other = np.asarray(one), np.asarray(other)
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            return False
        if one.dtype.kind in "fc":
            return bool(np.allclose(one, other, rtol=1e-6, atol=0.0, equal_nan=True))
        return bool(np.array_equal(one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-6, atol=0.0, equal_nan=True))
    return bool(one == other)


# ----------------------------------------------------------------------------------------------- many cases


def run(names: Sequence[str], count: int, first: int = 0) -> Iterator[Outcome]:
    """Try `count` cases of each reader; the same numbers give the same cases."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        for name in names:
            made = template(READERS[name], Path(place))
            waiting = list(range(first, first + count))
            while waiting:
                for outcome in _batch(made, Path(place), waiting[:BATCH]):
                    waiting.remove(outcome.number)
                    yield outcome


def _batch(made: Template, root: Path, numbers: Sequence[int]) -> Iterator[Outcome]:
    """Cases in one process, which has all libraries loaded: until one of them ends it."""
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_worker, args=(theirs, made, root, numbers))
    process.start()
    theirs.close()
    try:
        for number in numbers:
            change, began = "its damage was not made", time.monotonic()
            try:
                if pipe.poll(WAITED):
                    change, began = pipe.recv(), time.monotonic()
                if not pipe.poll(WAITED):
                    process.kill()
                    yield Outcome(made.reader.name, number, change, "slow", f"still there after {WAITED:g} s", WAITED)
                    return
                kind, words, peak, seconds = pipe.recv()
            except EOFError:
                process.join()
                code = process.exitcode
                if code == 0 and change == "its damage was not made":  # it grew too large, and ended by itself
                    return
                if change == "its damage was not made":
                    raise RuntimeError(f"{made.reader.name} {number}: the change failed, not the reader") from None
                slow = code == -signal.SIGXCPU
                words = f"over {SECONDS:g} s" if slow else f"the process died (exit code {code})"
                kind, peak, seconds = ("slow" if slow else "traceback"), 0, time.monotonic() - began
                yield Outcome(made.reader.name, number, change, kind, words, seconds)
                return
            if peak > MEMORY:
                kind, words = "memory", f"{peak / 2**20:.0f} MB ({kind}: {words})"
            yield Outcome(made.reader.name, number, change, kind, words, seconds, peak)
    finally:
        process.kill()
        process.join()
        pipe.close()
        shutil.rmtree(root / "cases", ignore_errors=True)


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a reader: how many cases ended how, the longest time and the largest memory."""
    names = dict.fromkeys(each.reader for each in outcomes)
    return "\n".join([HEAD, *(row(name, [each for each in outcomes if each.reader == name]) for name in names)])


HEAD = f"| reader | cases | {' | '.join(OUTCOMES)} | longest, s | most, MB |\n" + "|---" * (len(OUTCOMES) + 4) + "|"
"""How the table begins."""


def row(name: str, outcomes: Sequence[Outcome]) -> str:
    """One reader's line of the table."""
    counts = [sum(each.kind == kind for each in outcomes) for kind in OUTCOMES]
    longest, most = max(each.seconds for each in outcomes), max(each.peak for each in outcomes) / 2**20
    return f"| {name} | {len(outcomes)} | " + " | ".join(map(str, counts)) + f" | {longest:.1f} | {most:.0f} |"
