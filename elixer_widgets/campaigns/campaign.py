"""A campaign of one inspector: ask for the next detection, answer it, take it back; every line durable at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from os import PathLike
from statistics import median
from typing import Any

from elixer_widgets._arguments import path as given_path
from elixer_widgets._login import login
from elixer_widgets._version import __version__
from elixer_widgets.campaigns import answers as lines
from elixer_widgets.campaigns import queue
from elixer_widgets.campaigns.answers import (
    Answer,
    changed,
    clean,
    from_record,
    number_or_none,
    plain_mapping,
    says_otherwise,
    to_record,
    whole,
)
from elixer_widgets.campaigns.consistency import refuse
from elixer_widgets.campaigns.definition import Definition, define, load, unique, versions
from elixer_widgets.campaigns.journal import COPIES, NotSaved, Writer, decode, encode, folder_name, session_name
from elixer_widgets.campaigns.replay import Book, Key, Replay, blind_answer, last_answer, standing
from elixer_widgets.detection import DataError

JOURNALS = "answers"
"""The folder of the journals in a campaign's folder."""

IDLE = 120.0
"""s; a longer pause between two things that a person did counts as this."""


@dataclass(frozen=True)
class Progress:
    """How far an inspector is: `done` of `total` entries, the median `seconds` an object of late, `hours` left."""

    done: int
    total: int
    seconds: float
    hours: float


def _seconds(value: float) -> float:
    seconds = number_or_none("seconds", value)
    return round(max(seconds, 0.0), 3) if isfinite(seconds) else 0.0


class Campaign:
    """The answers of one inspector, and the way to those of all.

    Parameters
    ----------
    path : path
        The campaign's folder; made if there is none.
    detectids : iterable of int, optional
        Its list, in the order in which it is shown. Needed for a new campaign; an old one has its own.
    inspector : str, optional
        Who answers. Without one nothing can be answered, only read.
    data : str
        Name and version of the release, kept with every answer.
    definition : Definition, optional
        Own columns, guidelines, known objects and so on for a new campaign, instead of `detectids`.

    Attributes
    ----------
    path : Path
    inspector : str
    definition : Definition
    duplicates : dict of int to int
        How often those of the given `detectids` occur that occur more than once; each is shown once, at its first
        place.
    replay : Replay
        Everybody's lines.

    Raises
    ------
    DataError
        If there is no such campaign and no list for a new one, or another list than the campaign's is given.

    Notes
    -----
    `answer` returns when its line is on disk. Nothing is ever changed or deleted there: a correction and an undo are
    lines as well, and the state is the replay of all.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        detectids: Iterable[int] | None = None,
        inspector: str | None = None,
        *,
        data: str = "",
        definition: Definition | None = None,
    ) -> None:
        self.path = given_path(path, "Campaign: path")
        self.inspector = (inspector or "").strip()
        self._folder = self.path / JOURNALS / folder_name(self.inspector) if inspector is not None else None
        listed, self.duplicates = unique(detectids) if detectids is not None else ((), {})
        self.definition = self._definition(listed, definition)
        self.data = data
        self.replay = Replay(self.path / JOURNALS)
        self._time = ""
        self._mind_time()
        self._counted: tuple[Sequence[queue.Task], int, int] | None = None
        self._begin_session()
        self._listed = frozenset(self.definition.detectids) | frozenset(self.definition.known)
        self.tasks: tuple[queue.Task, ...] = queue.tasks(self.definition, self.inspector)
        self._repeated = frozenset(task.detectid for task in self.tasks if task.occasion)

    def _begin_session(self) -> None:
        self._session, self._number, self._process = session_name(), 0, os.getpid()
        self._user = clean(login())
        copies = self.path / COPIES / self._folder.name if self._folder is not None else None
        self._writer = Writer(self._folder, self._session, copies) if self._folder is not None else None

    def _definition(self, listed: tuple[int, ...], given: Definition | None) -> Definition:
        known = versions(self.path)
        if known:
            found = load(known[max(known)])
            if listed and listed != found.detectids:
                raise DataError(
                    f"{self.path}: this campaign has another list ({len(found.detectids)} detections); give none to go "
                    "on with it, or make a new version with `define`"
                )
            if (
                given is not None
                and replace(given, version=found.version, made_by=found.made_by, time=found.time) != found
            ):
                raise DataError(f"{self.path}: this campaign is defined otherwise; make a new version with `define`")
            return found
        if given is None and not listed:
            raise DataError(f"{self.path}: there is no campaign; give the detectids of a new one")
        return define(self.path, given or Definition(listed), self.inspector)

    def _newest(self) -> list[Any]:
        book = self.replay.books.get(self.inspector)
        return [] if book is None else [book.lines[key][-1] for key in book.recent(1)]

    def _mind_time(self) -> None:
        self._time = max((self._time, *(line.time for line in self._newest())))

    def refresh(self) -> int:
        """Read what this inspector said since from another page, program or computer; the number of new lines.

        Everything that writes does this first, so that no line rests on what no longer holds.

        Raises
        ------
        DataError
            If the journal cannot be read.
        """
        if self._folder is None:
            return 0
        try:
            news = self.replay.refresh_one(self._folder.name)
        except OSError as error:
            raise DataError(
                f"{self._folder}: the answers there cannot be read now ({error.strerror}); see that the folder is "
                "there, then try again"
            ) from error
        if news:
            self._mind_time()
        return news

    @property
    def outdated(self) -> bool:
        """Whether the campaign has a newer definition than the one that this object was made with."""
        known = versions(self.path)
        return bool(known) and max(known) > self.definition.version

    # ---------------------------------------------------------------------------------------------------- answering

    def answer(
        self,
        detectid: int,
        occasion: int = 0,
        *,
        seconds: float = 0.0,
        automatic: Mapping[str, Any] | None = None,
        source: str = "",
        as_read: bool = False,
        **fields: Any,
    ) -> Answer:
        """Say something about a detection; what is not given stays as it was.

        Parameters
        ----------
        detectid : int
        occasion : int
            1 for a blind repeat.
        seconds : float
            Spent since this session's line about it before.
        automatic : mapping, optional
            What the analysis says at this moment, from `automatic_answer`.
        source : str
            The file that it was read from, if it was.
        as_read : bool
            Keep an answer of a file from elsewhere even if it contradicts itself; exports then say what is safe.
        **fields
            Those of `answers.CONTENT`: `verdict=10`, `quality=0`, `comment="..."`.

        Returns
        -------
        Answer
            As it now stands on disk. Saying the same again writes nothing.

        Raises
        ------
        NotSaved
            If it could not be made durable: it does not count.
        DataError
            If there is no inspector, the detection is not of this campaign, a value cannot be, or the answer would
            contradict itself (`consistency.Contradiction`).
        """
        detectid, occasion = whole(detectid, "detectid"), whole(occasion, "occasion")
        self.refresh()
        before = self.current(detectid, occasion)
        if "extra" in fields:
            fields["extra"] = self._columns(before, fields["extra"])
        base = Answer(detectid, occasion=occasion) if before is None else before
        made = changed(base, **fields)
        if before is not None and made.same_content(before):
            return before
        if not as_read and says_otherwise(made, base):
            refuse(made)
        return self._write(
            replace(
                made, kind=lines.ANSWER, seconds=_seconds(seconds), undoes="", regarding=(),
                automatic=plain_mapping("automatic", automatic or {}), source=clean(str(source)),
            )
        )  # fmt: skip

    def undo(self, detectid: int | None = None, occasion: int = 0) -> Answer | None:
        """Take back the last thing said about a detection (by default: said at all), by a line that says so.

        Returns
        -------
        Answer or None
            What holds now; None if nothing was said before.

        Raises
        ------
        DataError
            If there is nothing to take back.
        """
        self.refresh()
        if detectid is None:
            recent = self._book_keys(1)
            if not recent:
                raise DataError("there is nothing to take back")
            detectid, occasion = recent[0]
        last = self.current(detectid, occasion)
        if last is None:
            raise DataError(f"nothing was said about {detectid}: there is nothing to take back")
        self.take_back(last)
        return self.current(detectid, occasion)

    def take_back(self, line: Answer) -> Answer:
        """Take one line of one's own back: an answer, an adjudication, or an undo."""
        if line.inspector != self.inspector:
            raise DataError(f"this is an answer of {line.inspector}; nobody else can take it back")
        return self._write(Answer(line.detectid, kind=lines.UNDO, occasion=line.occasion, undoes=line.id))

    def adjudicate(self, detectid: int, **fields: Any) -> Answer:
        """Settle a disagreement: a line with the final answer, naming all answers that it rests on.

        Raises
        ------
        DataError
            If this inspector may not, or nobody answered.
        """
        allowed = self.definition.adjudicators
        if allowed and self.inspector not in allowed:
            raise DataError(f"{self.inspector} does not settle disagreements here; {', '.join(allowed)} do")
        self.replay.refresh()
        rests_on = tuple(
            from_record(found.record).id
            for _, _, said in self.replay.about(int(detectid))
            if (found := last_answer(said)) is not None
        )
        if not rests_on:
            raise DataError(f"nobody answered {detectid}: there is nothing to settle")
        made = changed(Answer(whole(detectid, "detectid")), **fields)
        refuse(made)
        return self._write(replace(made, kind=lines.ADJUDICATION, regarding=rests_on))

    def _columns(self, before: Answer | None, given: Mapping[str, Any]) -> dict[str, Any]:
        columns = {column.name: column for column in self.definition.columns}
        merged = dict(before.extra) if before is not None else {}
        for name, value in given.items():
            if name not in columns:
                raise DataError(f"this campaign has no column {name!r}; it has {', '.join(columns) or 'none'}")
            checked = columns[name].checked(value)
            merged.pop(name, None)
            if checked is not None:
                merged[name] = checked
        return merged

    def _write(self, line: Answer) -> Answer:
        if self._writer is None:
            raise DataError("nobody answers here: give `inspector`, since no answer is anonymous")
        if line.detectid not in self._listed:
            raise DataError(f"{line.detectid} is not of this campaign ({len(self._listed)} detections)")
        if self._process != os.getpid():
            # a forked child is a session of its own, with its own files
            self._begin_session()
        now = datetime.now(UTC)
        if self._time and now.isoformat(timespec="microseconds") <= self._time:
            # clocks of several computers differ; what is said later must replay later
            now = datetime.fromisoformat(self._time).replace(tzinfo=UTC) + timedelta(microseconds=1)
        stamp = now.isoformat(timespec="microseconds")
        made = replace(
            line, inspector=self.inspector, user=self._user, session=self._session, number=self._number + 1, time=stamp,
            definition=self.definition.version, package=__version__, data=self.data,
        )  # fmt: skip
        raw = encode(to_record(made))
        self._writer.append(raw)
        self._number, self._time = made.number, stamp
        known, path = decode(raw[:-1]), self._writer.path
        assert known is not None and path is not None
        self.replay.own(path, known, len(raw))
        return made

    def close(self) -> None:
        """End this session's file."""
        if self._writer is not None:
            self._writer.close()

    # ------------------------------------------------------------------------------------------------------ reading

    def current(self, detectid: int, occasion: int = 0, inspector: str | None = None) -> Answer | None:
        """What an inspector (by default: this one) says about a detection; None for nothing."""
        said = self._lines(detectid, occasion, inspector)
        found = last_answer(said) if said else None
        return from_record(found.record) if found is not None else None

    def history(self, detectid: int, occasion: int = 0, inspector: str | None = None) -> list[Answer]:
        """Every line about a detection, those taken back as well."""
        return [from_record(line.record) for line in self._lines(detectid, occasion, inspector)]

    def is_answered(self, detectid: int, occasion: int = 0) -> bool:
        """Whether this inspector gave a verdict."""
        book = self.replay.books.get(self.inspector)
        return book is not None and (int(detectid), occasion) in book.answered

    def first_unanswered(self, tasks: Sequence[queue.Task] | None = None, start: int = 0) -> int | None:
        """The place of the first entry without a verdict at or after `start`, then before it; None if all have one."""
        listed = self.tasks if tasks is None else tasks
        book = self.replay.books.get(self.inspector)
        answered: set[Key] = set() if book is None else book.answered
        for place in (*range(start, len(listed)), *range(min(start, len(listed)))):
            if listed[place] not in answered:
                return place
        return None

    def recent(self, count: int = 10) -> list[Answer]:
        """What this inspector said last, the last first, each detection once."""
        found = (self.current(detectid, occasion) for detectid, occasion in self._book_keys(count))
        return [each for each in found if each is not None]

    def progress(self, tasks: Sequence[queue.Task] | None = None) -> Progress:
        """How far this inspector is in a queue."""
        listed = self.tasks if tasks is None else tasks
        book = self.replay.books.get(self.inspector)
        done = 0 if book is None else self._count(book, listed)
        spent = [self.seconds_on(*key) for key in self._book_keys(50)]
        typical = median([each for each in spent if each > 0.0] or [float("nan")])
        return Progress(done, len(listed), typical, (len(listed) - done) * typical / 3600.0)

    def _count(self, book: Book, tasks: Sequence[queue.Task]) -> int:
        """How many of a queue are answered; counted again only after a change, since every page turn asks."""
        known = self._counted
        if known is None or known[0] is not tasks or known[1] != book.changes:
            known = self._counted = (tasks, book.changes, len(book.answered.intersection(tasks)))
        return known[2]

    def seconds_on(self, detectid: int, occasion: int = 0, inspector: str | None = None) -> float:
        """All seconds that an inspector spent on a detection, those that led to answers taken back as well."""
        return sum(line.record.get("seconds", 0.0) for line in self._lines(detectid, occasion, inspector))

    def answers(self, *, blind: bool = False) -> list[Answer]:
        """What everybody says, inspector by inspector, in the order of the list.

        Parameters
        ----------
        blind : bool
            Instead of what holds, what was said before the others' answers were seen.
        """
        place = {detectid: at for at, detectid in enumerate(self.definition.detectids)}
        found = []
        for inspector in sorted(self.replay.books):
            book = self.replay.books[inspector]
            for key in sorted(book.lines, key=lambda key: (place.get(key[0], len(place)), key)):
                line = blind_answer(book.lines[key]) if blind else last_answer(book.lines[key])
                if line is not None:
                    found.append(from_record(line.record))
        return found

    def answers_about(self, detectid: int) -> list[Answer]:
        """What everybody says about a detection, for those who settle disagreements; a line says that it was seen."""
        self._look(detectid)
        found = (last_answer(said) for _, _, said in self.replay.about(int(detectid)))
        return [from_record(line.record) for line in found if line is not None]

    def settled(self, detectid: int) -> Answer | None:
        """The last adjudication of a detection that nobody took back."""
        found = [
            line
            for _, occasion, said in self.replay.about(int(detectid))
            if occasion == 0
            for line in standing(said)
            if line.kind == lines.ADJUDICATION
        ]
        return from_record(max(found, key=lambda line: line.time).record) if found else None

    def kept_back(self, detectid: int) -> str:
        """Why this inspector may not see yet what others said about a detection; empty if it may be seen."""
        if not self.is_answered(detectid):
            return "answer first"
        if int(detectid) in self._repeated and not self.is_answered(detectid, 1):
            return "kept back for now"
        return ""

    def others(self, detectid: int, at_most_every: float = 0.0) -> list[Answer]:
        """What the others say about a detection, once this inspector has answered; a line says that it was seen.

        Parameters
        ----------
        detectid : int
        at_most_every : float
            s; what came since is read only if that was not done within this time.

        Raises
        ------
        DataError
            If it may not be seen yet; `kept_back` says why.
        """
        why = self.kept_back(detectid)
        if why:
            raise DataError(f"what others said about {detectid} is not shown: {why}")
        self.replay.refresh(at_most_every)
        found = [
            from_record(line.record)
            for inspector, occasion, said in self.replay.about(int(detectid))
            if inspector != self.inspector and occasion == 0 and (line := last_answer(said)) is not None
        ]
        if found:
            self._look(detectid)
        return found

    def _look(self, detectid: int) -> None:
        """Note that this inspector knows from here on what the others said."""
        if not any(line.kind == lines.LOOKED for line in self._lines(detectid, 0, None)):
            self._write(Answer(int(detectid), kind=lines.LOOKED))

    @property
    def lost(self) -> list[str]:
        """Journals that hold less than they held, in words, and how the rest comes back."""
        return self.replay.lost

    @property
    def problems(self) -> list[str]:
        """What is wrong in the journals, in words: lines that are gone; damaged, torn and strange ones, each of which
        counts for nothing; files that cannot be read."""
        return [*self.lost, *(str(each) for each in (*self.replay.damages, *self.replay.torn))]

    def _lines(self, detectid: int, occasion: int, inspector: str | None) -> list[Any]:
        book = self.replay.books.get(self.inspector if inspector is None else inspector)
        return [] if book is None else book.lines.get((int(detectid), occasion), [])

    def _book_keys(self, count: int) -> list[Key]:
        book = self.replay.books.get(self.inspector)
        return [] if book is None else book.recent(count)


__all__ = ["IDLE", "JOURNALS", "Campaign", "NotSaved", "Progress"]
