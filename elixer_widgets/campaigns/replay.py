"""The state of a campaign: a replay of its journals, and nothing else."""

from __future__ import annotations

import errno
import gc
import os
import time
from bisect import insort
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from pathlib import Path

from elixer_widgets.campaigns.answers import ANSWER, LOOKED, UNDO
from elixer_widgets.campaigns.copies import Loss, losses
from elixer_widgets.campaigns.journal import Damage, Line, Reader, entries
from elixer_widgets.campaigns.lines import fault_of

Key = tuple[int, int]
"""detectid and occasion."""

_BY_TIME = attrgetter("time")


def standing(lines: list[Line]) -> list[Line]:
    """The lines about one detection that nobody took back, without those that take back.

    An undo of an undo puts back what that took.
    """
    if not any(line.kind == UNDO for line in lines):
        return lines
    names = [f"{record.get('session', '')}:{record.get('number', 0)}" for record in (line.record for line in lines)]
    gone: set[str] = set()
    targets: dict[str, str] = {}
    for line, name in zip(lines, names, strict=True):
        if line.kind == UNDO:
            target = targets[name] = line.record.get("undoes", "")
            (gone.discard(targets[target]) if target in targets else gone.add(target))
    return [line for line, name in zip(lines, names, strict=True) if line.kind != UNDO and name not in gone]


def last_answer(lines: list[Line]) -> Line | None:
    """The answer that holds: the last one not taken back."""
    if lines[-1].kind == ANSWER and all(line.kind == ANSWER for line in lines):
        return lines[-1]
    return next((line for line in reversed(standing(lines)) if line.kind == ANSWER), None)


def blind_answer(lines: list[Line]) -> Line | None:
    """The last answer given before its inspector saw those of others; None where all came after."""
    left = standing(lines)
    seen = next((place for place, line in enumerate(left) if line.kind == LOOKED), len(left))
    return next((line for line in reversed(left[:seen]) if line.kind == ANSWER), None)


@dataclass
class Book:
    """All lines of one inspector by detection and occasion, each list in the order of time."""

    lines: dict[Key, list[Line]] = field(default_factory=dict)
    answered: set[Key] = field(default_factory=set)
    order: dict[Key, None] = field(default_factory=dict)
    changes: int = 0
    _mixed: set[Key] = field(default_factory=set)  # those with other lines than answers
    _unsettled: set[Key] = field(default_factory=set)

    def add(self, line: Line, settle: bool = True) -> None:
        """Take one more line in; with `settle` false, what holds then is found out by `settle_all`."""
        self.changes += 1
        key = (line.detectid, line.occasion)
        known = self.lines.get(key)
        if known is None and line.kind == ANSWER:
            # nearly all
            self.lines[key] = [line]
            self.order[key] = None
            if line.verdict is not None:
                self.answered.add(key)
            return
        if known is None:
            known = self.lines[key] = [line]
        elif known[-1].time <= line.time:
            known.append(line)
        else:
            insort(known, line, key=_BY_TIME)
        if line.kind != ANSWER:
            self._mixed.add(key)
        if line.kind in (ANSWER, UNDO):
            self.order.pop(key, None)
            self.order[key] = None
        self._unsettled.add(key)
        if settle:
            self.settle_all()

    def settle_all(self) -> None:
        """Find out what holds where lines came in: once a detection, however many there were."""
        for key in self._unsettled:
            known = self.lines[key]
            holds = last_answer(known) if key in self._mixed else known[-1]
            if holds is not None and holds.verdict is not None:
                self.answered.add(key)
            else:
                self.answered.discard(key)
            if holds is None:
                self.order.pop(key, None)
        self._unsettled.clear()

    def recent(self, count: int) -> list[Key]:
        """What was touched last, the last first."""
        return list(islice(reversed(self.order), count))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the garbage collector, which would look again and again at a hundred thousand new lines, none of which
    can be garbage: a third of the time of a replay."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class Replay:
    """Everybody's lines, read from the journals in a folder; `refresh` reads what came since.

    Attributes
    ----------
    books : dict of str to Book
        By inspector.
    damages : list of Damage
        What is no line, in the middle of files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books: dict[str, Book] = {}
        self.damages: list[Damage] = []
        self._unreadable: dict[str, str] = {}
        self._shrunk: dict[str, str] = {}
        self._losses: tuple[Loss, ...] = ()
        self._readers: dict[str, Reader] = {}
        self._looked = -float("inf")
        self.refresh()

    def refresh(self, at_most_every: float = 0.0) -> int:
        """Read what was written since; the number of new lines.

        Parameters
        ----------
        at_most_every : float
            s; nothing is looked for if that was done within this time. Looking at hundreds of files takes long on a
            network file system.
        """
        now = time.monotonic()
        if now - self._looked < at_most_every:
            return 0
        self._looked = now
        with _no_collection():
            return self._refresh()

    def refresh_one(self, inspector: str) -> int:
        """As `refresh`, of one inspector's journal only, given its `folder_name`: quick enough for every answer.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        found: list[Line] = []
        for path, why in entries(self.folder, inspector):
            if path.name == inspector:  # not one file of it, but all
                raise OSError(errno.EIO, why, str(path))
            if why:
                self._unreadable[str(path)] = f"{path}: {why}, passed over"
                continue
            found += self._more(path)
        for line in sorted(found, key=_BY_TIME):
            self.add(line)
        return len(found)

    def _refresh(self) -> int:
        found: list[Line] = []
        self._unreadable = {}
        for path, why in entries(self.folder):
            if why:
                self._unreadable[str(path)] = f"{path}: {why}, passed over"
                continue
            try:
                found += self._more(path)
            except OSError as error:
                self._unreadable[str(path)] = f"{path}: cannot be read: {error.strerror}; what it holds is not counted"
        self._losses = tuple(losses(self.folder))
        found.sort(key=_BY_TIME)
        for line in found:
            self.add(line, settle=False)
        for book in self.books.values():
            book.settle_all()
        return len(found)

    def _more(self, path: Path) -> list[Line]:
        """The lines of a file since it was looked at last."""
        name = str(path)
        reader = self._readers.get(name)
        if reader is None:
            reader = self._readers[name] = Reader(path, check=fault_of)
        else:
            size = os.stat(path).st_size
            if size < reader.offset:
                # what was read before still counts here; what is written from now on will be read
                gone = reader.offset - size
                self._shrunk[name] = f"{path}: {gone} bytes were taken out of it while this page was open"
                reader.offset = size
            if size <= reader.offset:
                return []
        return reader.more(self.damages)

    @property
    def lost(self) -> list[str]:
        """Journals that hold less than they held, and what cannot be read, in words."""
        told = {str(loss.path) for loss in self._losses}
        shrunk = [words for name, words in self._shrunk.items() if name not in told]
        return [*map(str, self._losses), *shrunk, *self._unreadable.values()]

    def own(self, path: Path, line: Line, size: int) -> None:
        """Take in a line of `size` bytes that this program just wrote to `path`."""
        reader = self._readers.setdefault(str(path), Reader(path, check=fault_of))
        reader.offset += size
        self.add(line)

    def add(self, line: Line, settle: bool = True) -> None:
        """Take one line in."""
        book = self.books.get(line.inspector)
        if book is None:
            book = self.books[line.inspector] = Book()
        book.add(line, settle)

    @property
    def torn(self) -> list[Damage]:
        """Unfinished last lines, of crashed sessions or of ones that write at this moment."""
        found = []
        for reader in self._readers.values():
            try:
                torn = reader.torn
            except OSError:
                # gone since, which `lost` tells
                continue
            if torn is not None:
                found.append(torn)
        return found

    def about(self, detectid: int) -> Iterator[tuple[str, int, list[Line]]]:
        """Inspector, occasion and lines of everybody who said something about a detection."""
        for inspector, book in self.books.items():
            for occasion in (0, 1):
                lines = book.lines.get((detectid, occasion))
                if lines:
                    yield inspector, occasion, lines
