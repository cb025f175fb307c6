"""Thirty small pictures at once: mark what deserves a look, and reject the rest with one answer each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import isfinite

import numpy as np

from elixer_widgets.campaigns.campaign import IDLE
from elixer_widgets.campaigns.choices import VERDICTS, group
from elixer_widgets.campaigns.consistency import Contradiction
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.widgets import pictures
from elixer_widgets.widgets.answers_desk import GROUP, VERDICT_KEYS, Desk
from elixer_widgets.widgets.fibers_markup import limits_of, smooth, weighted_sum
from elixer_widgets.widgets.markup import Markup, escape, whole
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

SHOWN = 30
REACH = 50.0
"""Å to either side of the line."""

WIDE, HIGH = 200.0, 60.0
"""Of the drawing of a spectrum, in its own units."""

REJECTIONS = (10, 11, 15, 13)
"""Verdicts offered by button; all others that say that nothing is there by key."""

SOURCE = "gallery"
"""Kept with answers given here, since they rest on a small picture."""


@dataclass
class Thumbnail:
    """A small picture of one entry of the queue: `markup`, whether it is `marked` for a look, whether it can be."""

    task: Task
    markup: str
    marked: bool = False
    readable: bool = True


def spectrum_markup(detection: Detection) -> str:
    """The spectrum about the line as a step line, with the level of zero."""
    wavelength, flux, error = detection.spectrum.wavelength, detection.spectrum.flux, detection.spectrum.error
    near = (np.abs(wavelength - detection.wavelength) <= REACH) & np.isfinite(flux) & (error > 0.0)
    if near.sum() < 3:
        return '<svg class="ew-thumb-line"></svg>'
    x = (wavelength[near] - detection.wavelength + REACH) / (2.0 * REACH) * WIDE
    low, high = min(float(flux[near].min()), 0.0), max(float(flux[near].max()), 1e-9)
    y = HIGH - (flux[near] - low) / (high - low) * HIGH
    path = "M" + "L".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, y, strict=True))
    zero = HIGH + low / (high - low) * HIGH
    return (
        f'<svg class="ew-thumb-line" viewBox="0 -2 {WIDE:.0f} {HIGH + 4:.0f}" preserveAspectRatio="none">'
        f'<line x1="0" x2="{WIDE:.0f}" y1="{zero:.1f}" y2="{zero:.1f}"/><path d="{path}"/></svg>'
    )


def picture_markup(detection: Detection) -> str:
    """The smoothed sum of the fibers about the line; nothing where there are no pictures."""
    try:
        cutouts = detection.fiber_images.cutouts
    except DataError:
        return ""
    if not cutouts:
        return ""
    soft = smooth(weighted_sum(cutouts))
    uri = pictures.data_uri(pictures.gray(soft, limits_of(soft, "")))
    return f'<img class="ew-picture" alt="sum of the fibers" src="{uri}">'


class Gallery(Panel):
    """The next unanswered detections as small pictures, over the page; made when it is opened."""

    def __init__(self, state: ExplorerState, desk: Desk) -> None:
        self.desk = desk
        self.sheet = Markup()
        self.sheet.on_pick(self._picked)
        self.thumbnails: list[Thumbnail] = []
        self._written: list[Task] = []
        self._since = time.monotonic()
        super().__init__(state, "gallery", (self.sheet,))
        state.register(
            "gallery", key="G", help="Show the next thirty as small pictures, or end it", do=self.toggle, group=GROUP,
            anytime=True,
        )  # fmt: skip

    @property
    def is_open(self) -> bool:
        """Whether it lies over the page."""
        return bool(self.thumbnails)

    def toggle(self) -> None:
        """Open it at the detection shown, or close it."""
        if self.is_open:
            self.close_sheet()
        else:
            self._fill(self.state.position)

    def close_sheet(self) -> None:
        """Back to the page, at the first detection without an answer."""
        self.thumbnails = []
        self.state.page += 1
        self.desk.batch = None
        self.sheet.markup = ""
        self.remove_class("ew-open")
        if self.desk.is_answered:
            self.desk.next_unanswered()
        self.desk.changed += 1

    def mark(self, place: int) -> None:
        """Keep one for a look, or not."""
        if 0 <= place < len(self.thumbnails) and self.thumbnails[place].readable:
            self.thumbnails[place].marked = not self.thumbnails[place].marked
            self._draw()

    def reject(self, verdict: int) -> None:
        """Answer all that are not marked, each with a line of its own, and show the next."""
        if group(verdict) not in ("noise", "artifact"):
            self.state.message = f"{VERDICTS[verdict].name}: only what is nothing can be answered here; mark the others"
            return
        rest, answered = self._unmarked()
        seconds = min(time.monotonic() - self._since, IDLE) / max(len(rest), 1)
        done: list[Task] = []
        odd: list[str] = []
        try:
            for task in rest:
                try:
                    self.desk.campaign.answer(*task, verdict=verdict, quality=0, seconds=seconds, source=SOURCE)
                    done.append(task)
                except Contradiction as error:  # somebody set an identity or a redshift before: it deserves a look
                    odd.append(str(error))
        except DataError as error:
            self.state.message = str(error)
        if odd:
            self.state.message = f"{len(odd)} left for a look: {odd[0]}"
        self._written = done
        last = self.desk.tasks.index(self.thumbnails[-1].task)
        kept = f"; {len(answered)} answered meanwhile on another page stay as they are" if answered else ""
        self._fill(last + 1 if len(done) + len(odd) == len(rest) else last)
        end = "" if self.is_open else "; everything in this queue is answered"
        self.desk.tell(f"saved {len(done)} as {VERDICTS[verdict].name}{kept}{end}")

    def _unmarked(self) -> tuple[list[Task], list[Task]]:
        """What is not marked: first what has no answer, then what got one on another page since it is shown here."""
        self.desk.look()
        tasks = [each.task for each in self.thumbnails if not each.marked]
        answered = [task for task in tasks if self.desk.campaign.is_answered(*task)]
        return [task for task in tasks if task not in answered], answered

    def take_back(self) -> None:
        """Take back what was answered last here, all of it."""
        for task in self._written:
            self.desk.take_back_one(task)
        first, self._written = self._written[:1], []
        if first:
            self._fill(self.desk.tasks.index(first[0]))

    def _fill(self, start: int) -> None:
        self.desk.look()
        tasks = self.desk.tasks
        left: dict[int, Task] = {}
        for task in (*tasks[start:], *tasks[:start]):
            # a blind repeat beside its first showing would not be blind
            if task.detectid not in left and not self.desk.campaign.is_answered(*task):
                left[task.detectid] = task
            if len(left) == SHOWN:
                break
        if not left:
            self.close_sheet()
            self.desk.tell("everything in this queue is answered")
            return
        self.thumbnails = [self._thumbnail(task) for task in left.values()]
        self.state.page += 1
        self.desk.batch = self.reject
        self._since = time.monotonic()
        self.add_class("ew-open")
        self._draw()

    def _thumbnail(self, task: Task) -> Thumbnail:
        try:
            detection = self.state.release.detection(task.detectid)
            listed = detection.pipeline.sn if detection.pipeline is not None else float("nan")
            signal = f" · S/N {listed:.1f}" if isfinite(listed) else ""
            words = f"<small>{task.detectid} · {detection.wavelength:.0f} Å{signal}</small>"
            return Thumbnail(task, picture_markup(detection) + spectrum_markup(detection) + words)
        except DataError as error:
            return Thumbnail(task, f"<small>{task.detectid}</small><p>{escape(str(error))}</p>", True, False)

    def _draw(self) -> None:
        cells = "".join(
            f'<button class="ew-thumb" data-key="mark:{place}" aria-pressed="{str(each.marked).lower()}">'
            f"{each.markup}</button>"
            for place, each in enumerate(self.thumbnails)
        )
        rest = sum(not each.marked for each in self.thumbnails)
        buttons = "".join(
            f'<button class="ew-answer" data-key="reject:{code}"><kbd>d {VERDICT_KEYS[code]}</kbd>'
            f"{rest} × {VERDICTS[code].name}</button>"
            for code in REJECTIONS
        )
        back = (
            f'<button class="ew-answer" data-key="back:">take back the last {len(self._written)}</button>'
            if self._written
            else ""
        )
        self.sheet.markup = (
            '<div class="ew-sheet" role="dialog" aria-label="Gallery"><header><h3>Gallery'
            "<small>click what deserves a look; the rest gets one answer each</small></h3>"
            f'{buttons}{back}<button class="ew-answer" data-key="close:"><kbd>Shift+G</kbd>close</button></header>'
            f'<div class="ew-thumbs">{cells}</div></div>'
        )

    def _picked(self, key: str) -> None:
        what, _, rest = key.partition(":")
        if what != "close" and self.state.refuses():
            return
        if what == "mark" and (number := whole(rest, 3)) is not None:
            self.mark(number)
        elif what == "reject" and rest in map(str, VERDICTS):
            self.reject(int(rest))
        elif what == "back":
            self.take_back()
        elif what == "close":
            self.close_sheet()
