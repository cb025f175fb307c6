"""The row in which a person answers: verdict, quality, kind, remark, own columns; the last ten; what others said."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets as W
from traitlets import Unicode

from elixer_widgets.campaigns import Column
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.detection import DataError
from elixer_widgets.widgets import answers_markup as markup
from elixer_widgets.widgets.answers_desk import GROUP, Desk
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.markup import Markup, escape, whole
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

LOOK_EVERY = 30.0
"""s; what others said since may be shown so much later."""


class Remark(Hearing):
    """A box for a remark of any length that saves itself: half a second after the last letter, and when it is left.

    What was written is sent with the detection that was shown when it was begun, so that no page turn can bring it to
    another.
    """

    _esm = hearing_script("answers.js")
    text = Unicode("", help="what is saved").tag(sync=True)
    task = Unicode("", help="detectid:occasion of what is shown").tag(sync=True)


def task_of(text: str) -> Task | None:
    """The task in "detectid:occasion", or None if it is none."""
    parts = text.split(":")
    # at most 19 digits, as a number of 64 bits has
    detectid = whole(parts[0], 19)
    return Task(detectid, int(parts[1])) if detectid is not None and parts[1:] in (["0"], ["1"]) else None


class AnswersPanel(Panel):
    """Answers about what is shown, each saved when it is given."""

    def __init__(self, state: ExplorerState, desk: Desk) -> None:
        self.desk = desk
        self._writing = False
        self.choices = Markup().add_class("ew-choices")
        self.remark = Remark().add_class("ew-remark")
        self.last = Markup().add_class("ew-last")
        self.menus = Markup().add_class("ew-menus")
        self.menus.markup = markup.menus(desk.campaign.definition.guidelines)
        self.columns = {column.name: self._column(column) for column in desk.campaign.definition.columns}
        for each in (self.choices, self.last, self.menus):
            each.on_pick(self._picked)
        self.remark.on_msg(self._remarked)
        state.register("remark", key="C", help="Write a remark", do=lambda: None, group=GROUP)
        below = W.HBox([self.remark, *self.columns.values(), self.last]).add_class("ew-answers-below")
        super().__init__(state, "answers", (self.choices, below, self.menus))
        self.watch(self._draw, "position", "detectids", "not_taken")
        desk.observe(lambda _change: self._draw(), "changed")

    def _draw(self) -> None:
        desk, campaign = self.desk, self.desk.campaign
        current, task = desk.current, desk.task
        words = "" if current is None else current.comment
        # in place of the answers, since none is taken before this one
        self.choices.markup = (
            markup.question(desk.question)
            if desk.question is not None
            else (
                f'<div class="ew-choose">{markup.choices(current, desk.settling)}{markup.kept(current, desk.said)}'
                f'<span class="ew-others">{self._others(task)}</span></div>'
            )
        )
        self.last.markup = (
            f'<div class="ew-strip-last">{markup.last_ten(campaign.recent(), task)}'
            f"{markup.progress(campaign.progress(desk.tasks))}</div>"
        )
        with self.remark.hold_sync():
            self.remark.task = f"{task.detectid}:{task.occasion}"
            self.remark.text = words
        self._writing = True
        try:
            for column in campaign.definition.columns:
                self._fill(column, None if current is None else current.extra.get(column.name))
        finally:
            self._writing = False

    def _others(self, task: Task) -> str:
        """What others said, never before one's own answer."""
        desk = self.desk
        try:
            if desk.settling:
                said = [each for each in desk.campaign.answers_about(task.detectid) if each.occasion == 0]
            elif not desk.campaign.kept_back(task.detectid) and task.occasion == 0:
                said = desk.campaign.others(task.detectid, at_most_every=LOOK_EVERY)
            else:
                return ""
        except DataError as error:  # that it was seen could not be noted, so it is not shown
            return f"<span>{escape(str(error))}</span>"
        return markup.others(said)

    def _picked(self, key: str) -> None:
        what, _, rest = key.partition(":")
        if key in self.state.actions:
            self.state.act(key)
        elif what == "go" and (task := task_of(rest)) is not None:
            self.desk.go(task)
        elif what == "back" and (task := task_of(rest)) is not None:
            self.desk.take_back_one(task)
        elif what == "example" and whole(rest, 19) is not None:
            self.state.jump(rest)

    def _remarked(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("remark"), str):
            return
        task = task_of(str(content.get("task", "")))
        if task is not None:
            self.desk.comment(content["remark"], task)

    # ---------------------------------------------------------------------------------------------- own columns

    def _column(self, column: Column) -> W.Widget:
        made: W.Widget
        if column.kind == "yes/no":
            made = W.Checkbox(description=column.name, indent=False)
        elif column.kind == "choice":
            made = W.Dropdown(description=column.name, options=[("", ""), *((each, each) for each in column.options)])
        else:
            made = W.Text(description=column.name, continuous_update=False, placeholder=column.help)
        made.tooltip = column.help
        made.observe(partial(self._filled, column), "value")
        return made.add_class("ew-column")

    def _fill(self, column: Column, value: Any) -> None:
        box = self.columns[column.name]
        if column.kind == "yes/no":
            box.value = bool(value)
        else:
            box.value = "" if value is None else f"{value:g}" if column.kind == "number" else str(value)

    def _filled(self, column: Column, change: Any) -> None:
        if not self._writing:
            self.desk.column(column.name, change["new"])
