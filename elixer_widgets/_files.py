"""What may touch a person's disk: whole files, temporaries that are ours beyond doubt, and one writer at a time.

Every temporary begins with `.elixer-` and 32 random hexadecimal digits. Those of a process that was killed are swept
away only if the lock that it left behind lists them.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path

from elixer_widgets._errors import DataError

OWN = ".elixer-"
"""What the names of our temporaries begin with."""

BEAT, WATCH = 4.0, 13.0  # s: how often a holder shows that it lives, and how long another computer watches for it
SHOWN = 120  # characters of a value in a message

_SIGNED = (b"elixer_widgets", b"ELiXer Widgets")
"""One of these is in the properties of every page and picture that this package writes."""

_TOKEN = re.compile(r"[0-9a-f]{32}")
_STAGING = re.compile(re.escape(OWN) + r"[0-9a-f]{32}")
_TOLD = re.compile(r"\berrno = (\d+)")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


class Busy(DataError):
    """Somebody else is writing there."""


# ---------------------------------------------------------------------------------------------- values as paths


def shown(text: str) -> str:
    """A value for a message: cut where it is long, and without line breaks and NUL bytes."""
    clean = text.replace("\0", "\\0").replace("\n", "\\n").replace("\r", "\\r")
    return clean if len(clean) <= SHOWN else f"{clean[: SHOWN - 20]}... ({len(clean)} characters)"


def named_file(given: str | PathLike[str]) -> Path | None:
    """The file (or pipe) that a value names, `~` resolved; None for everything else, however odd: nothing is raised."""
    try:
        path = Path(given).expanduser()
        path.stat()
        return None if path.is_dir() else path
    except (OSError, ValueError, RuntimeError):
        return None


def named_path(given: str | PathLike[str], option: str = "") -> Path:
    """The path that a value names, `~` resolved; there need not be anything.

    Raises
    ------
    DataError
        If no path can be meant, or it cannot be looked at: an unknown `~user`, a NUL byte, a name that is too long,
        a folder that may not be entered.
    """
    text = os.fspath(given)
    words = f"{option} {shown(text)}".strip()
    if not text:
        raise DataError(f"{option or 'a path'}: is empty; name a file or folder")
    try:
        path = Path(text).expanduser()
        path.stat()
    except RuntimeError as error:
        raise DataError(f"{words}: there is no such user; write the path in full") from error
    except ValueError as error:
        raise DataError(f"{words}: not a path; check the name") from error
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        raise DataError(f"{words}: cannot be looked at ({in_words(error)}); check the name") from error
    return path


def in_words(error: OSError) -> str:
    """What the system says, without numbers."""
    return os.strerror(error.errno) if error.errno else str(error)


def disk_fault(error: BaseException | None) -> OSError | None:
    """The fault of a disk behind an error; libraries hide it, some in the text of another error."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno:
            return error
        if told := _TOLD.search(str(error)):
            return OSError(int(told[1]), os.strerror(int(told[1])))
        error = error.__cause__ or error.__context__
    return None


def disk_trouble(error: BaseException | None) -> str:
    """Why nothing can be written any more (full, over quota, read-only), if that is behind an error; else empty."""
    fault = disk_fault(error)
    return os.strerror(fault.errno) if fault is not None and fault.errno in _FULL else ""


# -------------------------------------------------------------------------------------------------- whole files


def require_ours(path: Path, ours: Callable[[Path], bool], what: str, overwrite: bool = False) -> None:
    """Refuse to take the place of a file that was not written by this package, unless that is asked for.

    Parameters
    ----------
    path : Path
        What will be written.
    ours : callable
        Gets the path of a file that is there and holds something; whether it may go.
    what : str
        What `ours` looks for, with its article, for the message.
    overwrite : bool
        Whether somebody asked for it.

    Raises
    ------
    DataError
        Naming the file.
    """
    try:
        if overwrite or not path.is_file() or not path.stat().st_size or ours(path):
            return
    except OSError as error:
        why = f"cannot be read ({in_words(error)})"
    else:
        why = f"is not {what}"
    raise DataError(
        f"{path}: is there already and {why}; move it away or choose another name (overwrite=True in Python, --force "
        "on a command line, replaces it)"
    )


def made_here(path: Path) -> bool:
    """Whether the properties of a page or picture say that this package wrote it."""
    content = path.read_bytes()
    return any(mark in content for mark in _SIGNED)


@contextmanager
def replacing(path: Path, within: Path | None = None) -> Iterator[Path]:
    """A temporary file that takes the place of `path` when the block ends well.

    After a crash at any moment `path` is the old file or the new one, whole, and the next writer of that name sweeps
    away what was left behind.

    Parameters
    ----------
    path : Path
    within : Path, optional
        The folder of the temporary file, on the same disk, which somebody else will sweep (`Held.workplace`). Without
        it the name is held meanwhile: a second writer is refused.

    Raises
    ------
    DataError
        If the folder does not exist, `path` is a folder, or somebody else writes it.
    """
    if not path.parent.is_dir():
        raise DataError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; move it away or choose another name")
    if within is None and not _STAGING.fullmatch(path.parent.parent.name):  # what lies in such a folder is swept as is
        with holding(lock_beside(path), path) as held, replacing(path, held.workplace()) as temporary:
            yield temporary
        return
    suffix = path.suffix if len(path.suffix) <= 10 else ""
    temporary = (within or path.parent) / f"{OWN}{secrets.token_hex(16)}{suffix}"
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, content: str, within: Path | None = None) -> Path:
    """A text file, whole or not at all (`within`: as in `replacing`).

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        with replacing(path, within) as temporary:
            temporary.write_text(content, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({in_words(error)}); what was there is unchanged") from error
    return path


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def made_folder(folder: Path) -> Path:
    """A folder, made if need be.

    Raises
    ------
    DataError
        If there is a file in its place, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"{folder}: there is a file in its place; give another folder") from error
    except OSError as error:
        raise DataError(f"{folder}: cannot be made ({in_words(error)}); give another folder") from error
    return folder


def check_writable(folder: Path) -> None:
    """Find out before a long work whether a folder, there or to be made, can be written; nothing is left behind.

    Raises
    ------
    DataError
        If not.
    """
    place = folder
    while not os.path.exists(place) and place != place.parent:  # that of pathlib raises for names that are too long
        place = place.parent
    if not place.is_dir():
        raise DataError(f"{folder}: {place} is a file; give another folder")
    trial = place / f"{OWN}{secrets.token_hex(16)}"
    try:
        trial.mkdir()
        trial.rmdir()
        for part in folder.relative_to(place).parts:  # not made now: the command may still be refused
            if len(os.fsencode(part)) > os.pathconf(place, "PC_NAME_MAX"):
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    except OSError as error:
        raise DataError(f"{folder}: nothing can be written there ({in_words(error)}); give another folder") from error


# ------------------------------------------------------------------------------------------- one writer at a time


@dataclass(frozen=True)
class _Owner:
    """What a lock says: who holds it, since when, and whose temporaries are still to be swept away.

    `ticks`: when the process began, in ticks since the computer did, so that a number used again is not mistaken.
    """

    token: str
    host: str
    pid: int
    ticks: int
    since: str
    beat: int = 0
    left: tuple[str, ...] = ()

    def words(self) -> str:
        """For a message."""
        return f"process {self.pid} on {self.host}, since {self.since}"


@dataclass(frozen=True)
class Held:
    """A lock that this process, or the one that this process works for, holds; it may be sent to workers."""

    lock: Path
    token: str

    @property
    def staging(self) -> Path:
        """The folder of all temporaries of the holder and its workers."""
        return self.lock.parent / f"{OWN}{self.token}"

    def workplace(self) -> Path:
        """The folder of this process in it, made if need be.

        Raises
        ------
        DataError
            If the lock is lost: the run that this process works for has ended, or its folder is gone.
        """
        owner = _read(self.lock)
        if owner is None or owner.token != self.token:
            raise Lost(f"{self.lock.parent.parent}: the run that this belongs to has ended, or its folder is gone")
        place = self.staging / f"{socket.gethostname()}-{os.getpid()}"
        place.mkdir(parents=True, exist_ok=True)
        return place


class Lost(DataError):
    """The lock is not ours any more."""


def lock_beside(target: Path) -> Path:
    """Where the lock of a single file lies."""
    return target.parent / f"{OWN}lock-{hashlib.sha256(target.name.encode(errors='surrogateescape')).hexdigest()[:16]}"


@contextmanager
def holding(lock: Path, what: Path) -> Iterator[Held]:
    """Be the only one who writes `what`; temporaries of a holder that was killed are swept away.

    The kernel keeps the lock, also between computers where the disk can do that, and lets go of it when a process dies.
    Where it cannot, or the last holder was on another computer, the file itself tells: its holder changes it every few
    seconds.

    Parameters
    ----------
    lock : Path
        The lock file; its folder is made. It goes when the block ends.
    what : Path
        What is written, for messages.

    Raises
    ------
    Busy
        If somebody else writes there.
    DataError
        If nothing can be written there.
    """
    handle = -1
    try:
        handle, before = _taken(lock, what)
        token = secrets.token_hex(16)
        left = (*(() if before is None else (before.token, *before.left)),)
        mine = _Owner(token, socket.gethostname(), os.getpid(), _ticks(os.getpid()), _now(), left=left)
        _write(handle, mine)
        for each in left:
            if _TOKEN.fullmatch(each):
                _sweep(lock.parent / f"{OWN}{each}")
        mine = replace(mine, left=())
        _write(handle, mine)
    except OSError as error:
        if handle >= 0:
            with suppress(OSError):
                lock.unlink()
        _let_go(handle)
        raise DataError(f"{what}: cannot be written ({in_words(error)}); give another place") from error
    except BaseException:
        _let_go(handle)
        raise
    held = Held(lock, token)
    ended = threading.Event()
    beating = threading.Thread(target=_beats, args=(handle, mine, ended), daemon=True)
    beating.start()
    try:
        yield held
    finally:
        ended.set()
        beating.join()
        _sweep(held.staging)
        with suppress(OSError):
            lock.unlink()
        _let_go(handle)


def semaphore_prefix(staging: Path) -> str:
    """What the names of semaphores of the holder of a staging folder begin with: known to who sweeps after it."""
    return f"/elixer-{staging.name.removeprefix(OWN)}"


def _sweep(staging: Path) -> None:
    """Take away what a holder put down; semaphores of killed processes stay in memory otherwise (Linux)."""
    shutil.rmtree(staging, ignore_errors=True)
    for semaphore in Path("/dev/shm").glob(f"sem.{semaphore_prefix(staging)[1:]}-*"):
        with suppress(OSError):
            semaphore.unlink()


def _let_go(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def _taken(lock: Path, what: Path) -> tuple[int, _Owner | None]:
    """The lock file, open and locked, and who held it before and died."""
    for _ in range(100):
        made_folder(lock.parent)
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:  # another run has just ended, and took the folder with it
            continue
        try:
            kernel = _locked(handle, lock, what)
            if not _is_same(handle, lock):  # it has just ended, and took its lock with it
                _let_go(handle)
                continue
            content = os.pread(handle, 65536, 0)
            before = _owner(content)
            if before is None and content.strip(b"\0 \n"):
                raise DataError(f"{lock}: is not a lock of ELiXer Widgets; move it away")
            if before is not None and _lives(before, lock, kernel):
                raise Busy(f"{what}: another run is writing here ({before.words()}); wait for it, or end it")
            return handle, before
        except BaseException:
            with suppress(OSError):
                _let_go(handle)
            raise
    raise Busy(f"{what}: another run is writing here; wait for it, or end it")


def _locked(handle: int, lock: Path, what: Path) -> bool:
    """Whether the kernel gave the lock; False where the disk knows no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = _read(lock)
        who = f" ({owner.words()})" if owner is not None else ""
        raise Busy(f"{what}: another run is writing here{who}; wait for it, or end it") from error
    except OSError:
        return False
    return True


def _is_same(handle: int, lock: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except FileNotFoundError:
        return False


def _lives(owner: _Owner, lock: Path, kernel: bool) -> bool:
    """Whether a holder is still there."""
    if owner.host == socket.gethostname():
        return not kernel and owner.pid != os.getpid() and owner.ticks == _ticks(owner.pid) != 0
    ends = time.monotonic() + WATCH  # its clock may not agree with ours: only a change counts
    while time.monotonic() < ends:
        time.sleep(0.5)
        now = _read(lock)
        if now is not None and (now.token, now.beat) != (owner.token, owner.beat):
            return True
    return False


def _beats(handle: int, mine: _Owner, ended: threading.Event) -> None:
    """Show that the holder lives, until the block ends."""
    while not ended.wait(BEAT):
        mine = replace(mine, beat=mine.beat + 1)
        with suppress(OSError):
            _write(handle, mine)


def _write(handle: int, owner: _Owner) -> None:
    """Write what a lock says; spaces at the end hide what it said before."""
    content = json.dumps({"elixer_widgets_lock": asdict(owner)}).encode()
    os.pwrite(handle, content.ljust(os.fstat(handle).st_size, b" "), 0)
    os.fsync(handle)


def _read(lock: Path) -> _Owner | None:
    try:
        return _owner(lock.read_bytes())
    except OSError:
        return None


def _owner(content: bytes) -> _Owner | None:
    """What a lock says; None if that is nothing."""
    try:
        said = json.loads(content)["elixer_widgets_lock"]
        return _Owner(**{**said, "left": tuple(map(str, said["left"]))})
    except (ValueError, KeyError, TypeError):
        return None


def _now() -> str:
    return datetime.now().isoformat(sep=" ", timespec="seconds")


def _ticks(pid: int) -> int:
    """When a process began; 0 if there is none of that number, or the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
