"""What a person answers in a campaign, from the page's state: the one thing that the panels of answers observe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from math import isfinite
from typing import Any

from traitlets import Bool, HasTraits, Int, Unicode

from elixer_widgets.analysis import Interpretation, match_id
from elixer_widgets.campaigns import Answer, Campaign, automatic_answer
from elixer_widgets.campaigns.answers import changed
from elixer_widgets.campaigns.campaign import IDLE
from elixer_widgets.campaigns.choices import CANNOT_TELL, LABELS, QUALITIES, VERDICTS, group
from elixer_widgets.campaigns.consistency import LINES, NO_IDENTITY, REDSHIFTS, Line, Question, question
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.campaigns.together import disagreements
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.widgets.state import Choices, ExplorerState

VERDICT_KEYS = {
    1: "e", 2: "b", 3: "c", 4: "l", 10: "n", 11: "a", 12: "i", 13: "s", 14: "k", 15: "r", 16: "t", 17: "p", 18: "h",
    19: "f", CANNOT_TELL: "x",
}  # fmt: skip
"""What follows `d` for each verdict."""

GRADED = {1: "e", 3: "i"}
"""Verdicts with a key of their own, which the quality follows."""

LABEL_KEYS = dict(zip(LABELS, ("a", "g", "b", "l", "m", "p", "t", "s", "w"), strict=True))
"""What follows `h` for each kind of object."""

GROUP = "Answers"
COLORS = (2, 3, 4)
"""`choices.COUNTERPARTS` of the first three catalogue matches."""


WAY_KEYS = ("1", "2", "5", "6")
"""Keys that answer a question, in the order of its ways; no other action has them."""


def lines_of(interpretation: Interpretation | None) -> list[Line]:
    """What the line on the page may be, the most probable first."""
    if interpretation is None:
        return []
    possible = [each for each in interpretation.rivals if each.identity in LINES and each.redshift >= REDSHIFTS[0]]
    possible.sort(key=lambda each: each.probability, reverse=True)
    return [Line(each.identity, float(each.redshift)) for each in possible]


def _identity_of(interpretation: Interpretation, by_person: bool) -> dict[str, Any]:
    """Identity and redshift as an answer keeps them; a person's redshift has no error."""
    return {
        "identity": interpretation.identity,
        "redshift": float(interpretation.redshift),
        "redshift_err": NAN if by_person else float(interpretation.redshift_err),
    }


class Desk(HasTraits):
    """Answers of one inspector about what the page shows.

    Parameters
    ----------
    state : ExplorerState
        Its list becomes the inspector's queue.
    campaign : Campaign
        With an inspector.

    Attributes
    ----------
    tasks : tuple of Task
        The queue as it is shown: the campaign's, or a part of it in another order.
    changed : int
        Counts what happened; panels observe it.
    advance : bool
        Whether an answer that is complete turns to the next unanswered detection.
    settling : bool
        Whether what is said settles disagreements, rather than being an answer of one's own.
    said : str
        What was saved last, or why it was not.
    question : Question or None
        What must be answered before anything is saved, since what was said contradicts itself.
    batch : callable or None
        What takes a verdict in place of the detection shown, while the gallery lies over it.
    """

    changed = Int(0)
    advance = Bool(True)
    settling = Bool(False)
    said = Unicode("")

    def __init__(self, state: ExplorerState, campaign: Campaign) -> None:
        super().__init__()
        self.state = state
        self.campaign = campaign
        self.tasks: tuple[Task, ...] = ()
        self._list: tuple[int, ...] = ()
        self.batch: Callable[[int], None] | None = None
        self.question: Question | None = None
        self._asked_of: tuple[Task, dict[str, Any], bool] | None = None
        self._clock = time.monotonic()
        if campaign.lost:
            more = f" (and {len(campaign.lost) - 1} more)" if campaign.lost[1:] else ""
            state.message = campaign.lost[0] + more
        if campaign.duplicates:
            twice = ", ".join(map(str, list(campaign.duplicates)[:3]))
            self.said = (
                f"the list held {len(campaign.duplicates)} detections more than once ({twice}); each is shown once"
            )
        self.take_queue(campaign.tasks)
        state.observe(self._turned, "position")
        state.observe(self._chosen, "decided")

    # ------------------------------------------------------------------------------------------------- the queue

    def look(self) -> int:
        """Read what this inspector answered since in another page or program, and show it; the number of new lines."""
        try:
            news = self.campaign.refresh()
        except DataError as error:
            self.state.message = str(error)
            return 0
        if news:
            self.changed += 1
        return news

    def arrive(self, asked: bool = False) -> None:
        """The visitor of a page that was made ahead is here: the queue is read anew from the journal.

        Parameters
        ----------
        asked : bool
            Whether the address names the detection that is shown; else the first unanswered one is.
        """
        self.look()
        task = self.task
        again = Task(task.detectid, 1)
        if not asked:
            self.take_queue(self.tasks)
        elif self.is_answered and again in self.tasks and not self.campaign.is_answered(*again):
            # an address holds no occasion; the first one is done
            self.go(again)

    def take_queue(self, tasks: Sequence[Task], place: int | None = None) -> None:
        """Show another queue, at a place (by default the first unanswered one)."""
        if not tasks:
            raise DataError("nothing is left in this queue; choose another")
        self.look()
        self.tasks = tuple(tasks)
        self._list = tuple(task.detectid for task in tasks)
        at = place if place is not None else self.campaign.first_unanswered(self.tasks) or 0
        self.state.show(self._list, self._list[at])
        # the state's own, so that whether it still shows this queue is seen without comparing 25,000 numbers
        self._list = self.state.detectids
        # the same detection may stand in the list before, where it was asked for the first time
        self.state.position = at
        self._restart()
        self.changed += 1

    @property
    def task(self) -> Task:
        """What is asked now."""
        state = self.state
        if state.detectids is self._list and 0 <= state.position < len(self.tasks):
            return self.tasks[state.position]
        return Task(int(state.detectids[state.position]))

    @property
    def current(self) -> Answer | None:
        """What this inspector says about what is shown; the adjudication where disagreements are settled."""
        if self.settling:
            return self.campaign.settled(self.task.detectid)
        return self.campaign.current(*self.task)

    @property
    def is_answered(self) -> bool:
        """Whether what is shown has a verdict."""
        return self.campaign.is_answered(*self.task)

    def next_unanswered(self) -> None:
        """Turn to the next detection without an answer, from the beginning again after the last."""
        if self.settling:
            place = self.state.position + 1
            if place < len(self.tasks):
                self.state.position = place
            return
        if self.state.detectids is not self._list:
            self.take_queue(self.tasks)
            return
        self.look()
        found = self.campaign.first_unanswered(self.tasks, self.state.position + 1)
        if found is None:
            self.tell("everything in this queue is answered")
        else:
            self.state.position = found

    def go(self, task: Task) -> None:
        """Show an entry of the queue, or a detection of another."""
        if self.state.detectids is self._list and task in self.tasks:
            self.state.position = self.tasks.index(task)
        elif task.detectid in self.state.detectids:
            self.state.jump(task.detectid)
        elif task in self.campaign.tasks:
            self.take_queue(self.campaign.tasks, self.campaign.tasks.index(task))
        else:
            self.tell(f"{task.detectid} is not of this campaign")

    # ------------------------------------------------------------------------------------------------ answering

    def verdict(self, code: int, quality: int | None = None) -> None:
        """Say what it is, and how sure that is; what is nothing has quality 0, and turns the page."""
        if self.state.refuses():
            return
        if self.batch is not None:
            self.batch(code)
            return
        fields: dict[str, Any] = {"verdict": code}
        if quality is not None:
            fields["quality"] = quality
        elif group(code) in ("noise", "artifact"):
            fields["quality"] = 0
        fields |= self._identity(code)
        current = self.current
        if current is not None and group(current.verdict) != group(code):
            # how sure one was belongs to what one said before
            fields.setdefault("quality", None)
        self._save(fields, complete=quality is not None or group(code) in ("noise", "artifact", ""))

    def quality(self, quality: int) -> None:
        """Say how sure it is."""
        current = self.current
        self._save({"quality": quality}, complete=current is not None and current.is_answered)

    def answer_question(self, place: int) -> None:
        """Take one of the ways out of a contradiction, and save the answer so."""
        if self.question is None or self._asked_of is None or place >= len(self.question.ways):
            self.tell("nothing is asked")
            return
        task, fields, complete = self._asked_of
        way = self.question.ways[place].fields
        self._drop_question()
        if task == self.task:
            made = {**fields, **way}
            done = made.get("quality") is not None or group(made.get("verdict")) in ("noise", "artifact", "")
            self._save(made, complete and done)

    def _drop_question(self) -> None:
        self.question = self._asked_of = None

    def _asks(self, fields: dict[str, Any], complete: bool) -> bool:
        """Whether what would be saved contradicts itself, so that a question is shown instead and nothing is saved."""
        self._drop_question()
        if not {"verdict", "quality", "label", "identity", "redshift"} & set(fields):
            return False
        try:
            made = changed(self.current or Answer(self.task.detectid), **fields)
        except DataError:
            # it will be said when it is saved
            return False
        self.question = question(made, lines_of(self.state.interpretation))
        if self.question is None:
            return False
        self._asked_of = (self.task, fields, complete)
        self.tell("not saved yet")
        return True

    def label(self, label: str) -> None:
        """Say what kind of object it is; once more takes it back."""
        current = self.current
        self._save({"label": "" if current is not None and current.label == label else label})

    def comment(self, text: str, task: Task) -> None:
        """Remark on the detection that was shown while it was written."""
        if self.settling:
            self._settle(task, {"comment": text})
        else:
            self._write(task, {"comment": text})

    def column(self, name: str, value: Any) -> None:
        """Fill one of the campaign's own columns."""
        self._save({"extra": {name: value}})

    def take_back(self) -> None:
        """Take back the last thing said, and show what it was about."""
        self.look()
        recent = self.campaign.recent(1)
        if not recent:
            self.tell("there is nothing to take back")
            return
        task = Task(recent[0].detectid, recent[0].occasion)
        self.take_back_one(task)
        self.go(task)

    def take_back_one(self, task: Task) -> None:
        """Take back the last thing said about a detection."""
        if self.state.refuses():
            return
        self._guarded(partial(self.campaign.undo, *task), f"took back {task.detectid}")

    def _identity(self, code: int) -> dict[str, Any]:
        """Identity and redshift that go with a verdict: a person's; else those said before; else the automatic ones."""
        interpretation, choices, current = self.state.interpretation, self.state.choices, self.current
        if code not in (1, 2):
            return NO_IDENTITY if choices.automatic_line else {}
        before = current is not None and group(current.verdict) == "real" and choices.automatic_line
        if interpretation is None or before:
            return {}
        return _identity_of(interpretation, by_person=not choices.automatic_line)

    def _chosen(self, _change: Any) -> None:
        """Keep what a person set on the page beside the answer: every field saves itself when it is changed."""
        choices = self.state.choices
        if self.settling:
            return
        current = self.current
        if choices == Choices() and current is None:
            return
        aperture = choices.aperture
        fields: dict[str, Any] = {
            "counterpart": choices.counterpart or "",
            "counterpart_code": self._counterpart_code(choices.counterpart),
            "aperture": None if aperture is None else (aperture.radius, aperture.ra, aperture.dec),
        }
        interpretation = self.state.interpretation
        said = current is not None and bool(current.identity or isfinite(current.redshift))
        if interpretation is not None and not choices.automatic_line:
            fields |= _identity_of(interpretation, by_person=True)
        elif interpretation is not None and said:
            # back to what the analysis says; a line that nobody called real has no identity of its own
            real = current is not None and group(current.verdict) == "real"
            fields |= _identity_of(interpretation, by_person=False) if real else NO_IDENTITY
        if self._asks(fields, False):
            # what is not in question is saved at once
            self._write(self.task, {name: fields[name] for name in ("counterpart", "counterpart_code", "aperture")})
            return
        self._write(self.task, fields)

    def _counterpart_code(self, counterpart: str | None) -> int | None:
        if counterpart is None:
            return None
        if counterpart == "none":
            return 0
        measurements = self.state.measurements
        names = [] if measurements is None else [match_id(each) for each in measurements.matches]
        place = names.index(counterpart) if counterpart in names else len(COLORS)
        return COLORS[place] if place < len(COLORS) else 99

    def _save(self, fields: dict[str, Any], complete: bool = False) -> None:
        if self.state.refuses():  # nobody answers what was not painted
            self.changed += 1
        elif self.batch is not None:
            self.tell("close the gallery first")
        elif self._asks(fields, complete):
            return
        elif self.settling:
            self._settle(self.task, fields, complete)
        elif self._write(self.task, fields) and complete and self.advance:
            self.next_unanswered()

    def _settle(self, task: Task, fields: dict[str, Any], complete: bool = False) -> None:
        before = self.campaign.settled(task.detectid)
        content = {} if before is None else before.content
        done = self._guarded(
            lambda: self.campaign.adjudicate(task.detectid, **{**content, **fields}), f"settled {task.detectid}"
        )
        if done and complete and self.advance:
            self.next_unanswered()

    def _write(self, task: Task, fields: dict[str, Any]) -> bool:
        shown = task == self.task
        interpretation = self.state.interpretation if shown else None
        automatic = automatic_answer(interpretation) if interpretation is not None else {}
        seconds = self._seconds() if shown else 0.0
        return self._guarded(
            lambda: self.campaign.answer(*task, seconds=seconds, automatic=automatic, **fields),
            f"saved {task.detectid}",
        )

    def _guarded(self, action: Callable[[], object], done: str) -> bool:
        """Whether an action was carried out; what went wrong is said where nobody overlooks it."""
        try:
            action()
        except DataError as error:
            self.state.message = str(error)
            self.tell("NOT SAVED")
            return False
        self.tell(done)
        return True

    def tell(self, words: str) -> None:
        """Say something beside the answers."""
        self.said = words
        self.changed += 1

    # ----------------------------------------------------------------------------------------------- time, queues

    def _seconds(self) -> float:
        now = time.monotonic()
        spent, self._clock = min(now - self._clock, IDLE), now
        return spent

    def _restart(self) -> None:
        self._clock = time.monotonic()

    def _turned(self, _change: Any) -> None:
        self._drop_question()
        self._restart()
        self.look()

    def settle_disagreements(self) -> None:
        """Go through what the inspectors differ about, or back to one's own queue."""
        if self.settling:
            self.settling = False
            self.take_queue(self.campaign.tasks)
            return
        allowed = self.campaign.definition.adjudicators
        if allowed and self.campaign.inspector not in allowed:
            self.tell(f"disagreements are settled by {', '.join(allowed)}")
            return
        self.campaign.replay.refresh()
        found = disagreements(self.campaign)
        if not found:
            self.tell("nobody disagrees")
            return
        self.settling = True
        self.take_queue([Task(each.detectid) for each in found], 0)


def register(state: ExplorerState, desk: Desk) -> None:
    """Offer all answers by key."""

    def offer(name: str, key: str, help: str, do: Callable[[], object], anytime: bool = False) -> None:
        state.register(name, key=key, help=help, do=do, group=GROUP, anytime=anytime)

    for code, choice in VERDICTS.items():
        more = " d>d" if code == 10 else ""
        offer(
            f"answer {choice.name}",
            f"d>{VERDICT_KEYS[code]}{more}",
            f"It is: {choice.name}",
            partial(desk.verdict, code),
        )
    for code, key in GRADED.items():
        for quality in sorted(QUALITIES):
            name = f"{VERDICTS[code].name}, quality {quality}"
            offer(name, f"{key}>{quality}", f"It is: {name}", partial(desk.verdict, code, quality))
    for quality in sorted(QUALITIES):
        offer(
            f"quality {quality}",
            f"Q>{quality}",
            f"Quality {quality}: {QUALITIES[quality].name}",
            partial(desk.quality, quality),
        )
    for label, key in LABEL_KEYS.items():
        offer(f"label {label}", f"h>{key}", f"Its kind is {label}, or not", partial(desk.label, label))
    for place, key in enumerate(WAY_KEYS):
        words = f"Way {place + 1} out of a contradiction, when one is asked about"
        offer(f"way {place + 1}", key, words, partial(desk.answer_question, place))
    offer("take back answer", "Backspace", "Take back the last answer, and show its detection", desk.take_back)
    offer("next unanswered", "N", "Turn to the next detection without an answer", desk.next_unanswered, anytime=True)
    offer(
        "advance", "A", "Turn the page by itself after a complete answer, or not", partial(_toggle, desk), anytime=True
    )
    offer("settle", "D", "Settle disagreements, or end it", desk.settle_disagreements, anytime=True)


def _toggle(desk: Desk) -> None:
    desk.advance = not desk.advance
    desk.tell("pages turn by themselves" if desk.advance else "pages turn by key only")


def number(value: float, digits: int = 4) -> str:
    """A redshift for people; nothing for none."""
    return f"{value:.{digits}f}" if isfinite(value) else ""


__all__ = ["GRADED", "LABEL_KEYS", "VERDICT_KEYS", "WAY_KEYS", "Desk", "number", "register"]
