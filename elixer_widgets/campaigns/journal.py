"""Journals on disk: lines that are only ever appended, each durable before it is acknowledged.

A journal of an inspector is a folder with one file a session (an open page, a program). Only the session that made a
file writes to it, so no lock is needed, on network file systems either, and two pages of one person cannot meet. A line
is one `write` to a file opened for appending, followed by `fsync`. It ends in a checksum and a line feed: what a crash
left half written is seen as such, stays where it is and counts for nothing. After any fault a session goes on in a new
file, so that no line ever follows a torn one.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import secrets
import socket
import stat
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from elixer_widgets.detection import DataError

log = logging.getLogger(__name__)

SUFFIX = ".jsonl"
COPIES = "copies"
"""The folder of the copies, beside that of the journals in a campaign's folder."""
_FOLDER_REFUSES = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EISDIR})
"""How file systems say that folders cannot be synchronised there."""

_NAME = re.compile(rb"[A-Za-z0-9_-]")
_LONGEST_NAME = 60


class NotSaved(DataError):
    """A line could not be made durable, and does not count."""


class Line(NamedTuple):
    """What a replay needs of a line; `raw` is the whole of it.

    `verdict` is None where there is none; `occasion`, `kind`, `time` and `inspector` are those of `answers.Answer`.
    """

    kind: str
    detectid: int
    occasion: int
    verdict: int | None
    time: str
    inspector: str
    raw: bytes

    @property
    def record(self) -> dict[str, Any]:
        """All fields."""
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass(frozen=True)
class Damage:
    """Bytes in a journal that do not count: where, the bytes themselves, and `why` where the line is whole. A torn
    last line of a live session is whole a moment later."""

    path: Path
    offset: int
    content: bytes
    why: str = ""

    def __str__(self) -> str:
        what = f"hold {self.why}" if self.why else "are no whole line"
        return f"{self.path}: {len(self.content)} bytes at {self.offset} {what}; they count for nothing"


# -------------------------------------------------------------------------------------------------------- a line


def encode(record: dict[str, Any]) -> bytes:
    """A record as one line of ASCII JSON whose last field is the CRC-32 of all before."""
    body = json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii")
    return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body[:-1]))


_BLOCK = 1 << 24
"""Bytes of a journal that are read at once."""

_LONGEST_NUMBER = 20
"""Digits of a detectid."""

_TAIL = len(b',"crc":"00000000"}')
_HEAD = re.compile(
    rb'\{"v":1,"kind":"([a-z]+)","detectid":(-?\d+),"occasion":(\d+),"verdict":(-?\d+|null),'
    rb'"time":"([^"\\]*)","inspector":("(?:[^"\\]|\\.)*")'
)
"""How every line begins that `encode` made of `answers.to_record`. Lines that begin otherwise are read as JSON."""


def decode(raw: bytes) -> Line | None:
    """A line without its line feed, or None if it is not whole."""
    return _decode(raw, {})


def _decode(raw: bytes, words: dict[bytes, Any]) -> Line | None:
    """As `decode`; what is the same in many lines is kept in `words`."""
    if raw[-_TAIL:] != b',"crc":"%08x"}' % zlib.crc32(raw[:-_TAIL]):
        return None
    head = _HEAD.match(raw)
    if head is not None:
        # many times faster than JSON, and a campaign has a hundred thousand lines
        kind, detectid, occasion, verdict, time, inspector = head.groups()
        if len(detectid) > _LONGEST_NUMBER:
            return None
        try:
            said = words[kind], int(detectid), words[occasion], words[verdict], time.decode(), words[inspector], raw
        except KeyError:
            words[kind] = kind.decode()
            try:
                words.update((each, json.loads(each)) for each in (occasion, verdict, inspector))
            except ValueError:
                return None
            said = words[kind], int(detectid), words[occasion], words[verdict], time.decode(), words[inspector], raw
        return tuple.__new__(Line, said)
    try:
        found = json.loads(raw)
        return Line(
            str(found["kind"]), int(found["detectid"]), int(found.get("occasion", 0)), found.get("verdict"),
            str(found["time"]), str(found["inspector"]), raw,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


# ------------------------------------------------------------------------------------------------------- reading


@dataclass
class Reader:
    """One file of a journal, read as far as it was whole; `more` reads what came since. `check` says why a whole line
    cannot count."""

    path: Path
    offset: int = 0
    check: Callable[[Line, Path], str] | None = None

    def more(self, damages: list[Damage]) -> list[Line]:
        """The whole lines since the last call; what is none, or does not pass `check`, goes to `damages`."""
        lines: list[Line] = []
        words: dict[bytes, Any] = {}
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            rest = b""
            while block := file.read(_BLOCK):
                content = rest + block
                whole = content.rfind(b"\n") + 1
                rest = content[whole:]
                self._lines(content[:whole], words, lines, damages)
        return lines

    def _lines(self, content: bytes, words: dict[bytes, Any], lines: list[Line], damages: list[Damage]) -> None:
        at = self.offset
        for raw in content.split(b"\n")[:-1]:
            # a carriage return is what editors of other computers put in
            line = _decode(raw.removesuffix(b"\r"), words)
            if line is None:
                # a whole line may stand behind a torn one where something else joined files
                start = raw.rfind(b'{"v":')
                line = decode(raw[start:]) if start > 0 else None
                damages.append(Damage(self.path, at, raw if line is None else raw[:start]))
            why = self.check(line, self.path) if line is not None and self.check is not None else ""
            if why:
                damages.append(Damage(self.path, at, raw, why))
            elif line is not None:
                lines.append(line)
            at += len(raw) + 1
        self.offset += len(content)

    @property
    def torn(self) -> Damage | None:
        """What stands behind the last whole line, if anything."""
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            content = file.read()
        return Damage(self.path, self.offset, content) if content else None


def files(folder: Path) -> Iterator[Path]:
    """The files of all journals in a campaign's folder, in the order of their names."""
    for path, why in entries(folder):
        if not why:
            yield path


def entries(folder: Path, inspector: str = "") -> Iterator[tuple[Path, str]]:
    """All that stands where journals do, in the order of the names, and why it cannot be read, if so: a folder, a pipe,
    a link that leads nowhere or in a circle. `inspector` is the `folder_name` of the only one that is wanted."""
    try:
        inspectors = (
            [os.path.join(folder, inspector)]
            if inspector
            else sorted(each.path for each in os.scandir(folder) if _is(each.path, stat.S_ISDIR))
        )
    except FileNotFoundError:
        return
    except OSError as error:
        yield folder, str(error.strerror)
        return
    for own in inspectors:
        try:
            paths = sorted(Path(each.path) for each in os.scandir(own) if each.name.endswith(SUFFIX))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Path(own), str(error.strerror)
            continue
        for path in paths:
            yield path, "" if _is(path, stat.S_ISREG) else "not a file"


def _is(path: str | Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(os.stat(path).st_mode)
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------------- writing


def folder_name(inspector: str) -> str:
    """The folder of an inspector's journal: the name with everything but letters and digits as %XX.

    Raises
    ------
    DataError
        If it is empty, too long or holds signs that nobody can read.
    """
    name = inspector.strip()
    if not name or not name.isprintable():
        raise DataError(f"inspector {inspector!r}: give the name of the person who answers")
    made = "".join(chr(b) if _NAME.match(bytes([b])) else f"%{b:02X}" for b in name.encode())
    if len(made) > _LONGEST_NAME * 3 or len(name) > _LONGEST_NAME:
        raise DataError(
            f"inspector {name[:20]}...: the name is longer than {_LONGEST_NAME} letters; give a shorter one"
        )
    return made


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where its file system can."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in _FOLDER_REFUSES:
            return
        raise
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _FOLDER_REFUSES:
            raise
    finally:
        os.close(handle)


class Writer:
    """Appends the lines of one session to files of its own.

    Parameters
    ----------
    folder : Path
        Of the inspector's journal; made at the first line.
    session : str
        From `session_name`: the files are named after it.
    copies : Path, optional
        A second folder, where every line is written as well after it is durable: if somebody empties the file, its
        lines are there. A copy that cannot be written does not keep the answer from counting.

    Attributes
    ----------
    path : Path or None
        The file being written; None before the first line and after a fault.
    """

    def __init__(self, folder: Path, session: str, copies: Path | None = None) -> None:
        self.copies = copies
        self._copy: IO[bytes] | None = None
        self._size = 0
        self.folder = folder
        self.session = session
        self.path: Path | None = None
        self._handle: int | None = None
        self._part = 0
        self._lock = threading.Lock()

    def append(self, line: bytes) -> None:
        """Write a line and wait until it is on disk. It is tried twice, in two files.

        Raises
        ------
        NotSaved
            If it cannot be; the message says why. Then the line does not count.
        """
        with self._lock:
            if self._handle is not None and self._was_touched(self._handle):
                # somebody emptied or removed the file: go on in a new one
                self._abandon()
            try:
                self._write(line)
            except OSError:
                self._abandon()
                try:
                    self._write(line)
                except OSError as error:
                    self._abandon()
                    raise NotSaved(
                        f"not saved: {error.strerror} ({self.folder}); the answer does not count. "
                        "Make room or another folder, then answer again"
                    ) from error
            self._size += len(line)
            self._write_copy(line)

    def close(self) -> None:
        """End the session's file; the next line would begin another."""
        with self._lock:
            self._abandon()

    def _write(self, line: bytes) -> None:
        if self._handle is None:
            self._begin()
        assert self._handle is not None
        written = os.write(self._handle, line)
        if written != len(line):
            raise OSError(errno.ENOSPC, "no room for the whole line")
        os.fsync(self._handle)

    def _was_touched(self, handle: int) -> bool:
        now = os.fstat(handle)
        return now.st_size != self._size or now.st_nlink == 0

    def _write_copy(self, line: bytes) -> None:
        if self._copy is None:
            return
        try:
            self._copy.write(line)
        except OSError as error:
            log.warning("no copy of the answers in %s: %s", self.copies, error)
            self._close_copy()

    def _begin_copy(self) -> None:
        if self.copies is None or self.path is None:
            return
        try:
            self.copies.mkdir(parents=True, exist_ok=True)
            # unbuffered: a killed session must not take its copy along
            self._copy = open(self.copies / self.path.name, "xb", buffering=0)  # noqa: SIM115
        except OSError as error:
            log.warning("no copy of the answers in %s: %s", self.copies, error)

    def _close_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            try:
                copy.close()
            except OSError as error:
                log.warning("the copy of the answers in %s: %s", self.copies, error)

    def _begin(self) -> None:
        made = not self.folder.is_dir()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._part += 1
        self.path = self.folder / f"{self.session}-{self._part:02d}{SUFFIX}"
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self._size = 0
        sync_folder(self.folder)
        if made:
            sync_folder(self.folder.parent)
        self._begin_copy()

    def _abandon(self) -> None:
        self._close_copy()
        handle, self._handle, self.path = self._handle, None, None
        if handle is not None:
            try:
                os.close(handle)
            except OSError:
                # its lines were synchronised one by one: there is nothing left to lose
                return


def session_name() -> str:
    """When, where and by which process, and a number that makes it unique."""
    host = re.sub(r"[^A-Za-z0-9]+", "", socket.gethostname())[:16] or "host"
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{host}-{os.getpid()}-{secrets.token_hex(4)}"
