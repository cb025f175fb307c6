"""Which detections of a campaign are shown, and in which order."""

from __future__ import annotations

from math import inf
from typing import Any

import ipywidgets as W
import numpy as np

from elixer_widgets.campaigns import queue
from elixer_widgets.campaigns.facts import facts_of_answers, facts_of_catalog, facts_of_index
from elixer_widgets.campaigns.queue import Facts
from elixer_widgets.classification.flags import FLAGS
from elixer_widgets.detection import DataError
from elixer_widgets.widgets.answers_desk import GROUP, Desk
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

CATALOG = "catalog.h5"
"""An ELiXer catalogue of this name in the campaign's folder says what to sort and filter by besides the release."""

NOTHING = ""
WORDS = {
    "sn": "S/N", "wavelength": "wavelength", "ra": "right ascension", "dec": "declination", "doubt": "doubt",
    "p_lya": "P(Lyα)", "flags": "flags", "redshift": "redshift", "disagreement": "disagreement",
    "contradiction": "contradicting itself",
    "answers": "answers so far", "quality": "lowest quality",
}  # fmt: skip


def facts_of(state: ExplorerState, desk: Desk) -> Facts:
    """What queues can be sorted by here; what others said only for those who settle disagreements by name."""
    found = facts_of_index(state.release.index())
    catalog = desk.campaign.path / CATALOG
    if catalog.is_file():
        found = found.joined(facts_of_catalog(catalog))
    if desk.campaign.inspector in desk.campaign.definition.adjudicators:
        desk.campaign.replay.refresh()
        found = found.joined(facts_of_answers(desk.campaign))
    known = {name: values for name, values in found.columns.items() if np.isfinite(np.asarray(values, float)).any()}
    return Facts(found.detectid, known)


def _bound(text: str, missing: float) -> float:
    if not text.strip():
        return missing
    try:
        return float(text.replace(",", ".").replace("−", "-"))
    except ValueError:
        raise DataError(f"{text!r} is not a number") from None


class QueuePanel(Panel):
    """Order and filters of the queue, over the page; what they offer is looked up when it is opened."""

    def __init__(self, state: ExplorerState, desk: Desk) -> None:
        self.desk = desk
        self.order = W.Dropdown(description="order", options=[("the list's own", NOTHING)])
        self.largest = W.Checkbox(value=True, description="largest first", indent=False)
        self.column = W.Dropdown(description="only", options=[("all", NOTHING)])
        self.low = W.Text(placeholder="from").add_class("ew-bound")
        self.high = W.Text(placeholder="to").add_class("ew-bound")
        self.flag = W.Dropdown(
            description="flag", options=[("any or none", 0), *((flag.name, flag.bit) for flag in FLAGS)]
        )
        self.unanswered = W.Checkbox(value=True, description="without an answer only", indent=False)
        self.show = W.Button(description="show this queue")
        self.whole = W.Button(description="the whole list", tooltip="The campaign's list in its own order")
        self.settle = W.Button(description="disagreements", tooltip="Settle what inspectors differ about (Shift+D)")
        self.end = W.Button(description="close", tooltip="Shift+L")
        self.show.on_click(lambda _button: self.apply())
        self.whole.on_click(lambda _button: self._take(desk.campaign.tasks))
        self.settle.on_click(lambda _button: self._settle())
        self.end.on_click(lambda _button: self.toggle())
        rows = [
            W.HBox([self.order, self.largest]),
            W.HBox([self.column, self.low, self.high]),
            W.HBox([self.flag, self.unanswered]),
            W.HBox([self.show, self.whole, self.settle, self.end]),
        ]
        for each in rows:
            each.add_class("ew-row")
        super().__init__(state, "queue", rows)
        self._facts: Facts | None = None
        state.register(
            "queue", key="L", help="Choose which detections are shown, and in which order", do=self.toggle, group=GROUP,
            anytime=True,
        )  # fmt: skip

    def toggle(self) -> None:
        """Open or close it."""
        if self._facts is not None:
            self._facts = None
            self.remove_class("ew-open")
            return
        self._facts = facts_of(self.state, self.desk)
        names = [(WORDS.get(name, name), name) for name in self._facts.columns]
        self.order.options = [("the list's own", NOTHING), *names]
        self.column.options = [("all", NOTHING), *((words, name) for words, name in names if name != "flags")]
        self.flag.disabled = "flags" not in self._facts.columns
        self.add_class("ew-open")

    def apply(self) -> None:
        """Show what is asked for."""
        facts = self._facts or facts_of(self.state, self.desk)
        campaign = self.desk.campaign
        ids: list[int] = list(campaign.definition.detectids)
        try:
            if self.column.value:
                low, high = _bound(self.low.value, -inf), _bound(self.high.value, inf)
                ids = queue.filtered(ids, facts, self.column.value, low=low, high=high)
            if self.flag.value and not self.flag.disabled:
                ids = queue.filtered(ids, facts, "flags", flag=self.flag.value)
            if self.order.value:
                ids = queue.ordered(ids, facts, self.order.value, descending=self.largest.value)
        except DataError as error:
            self.state.message = str(error)
            return
        tasks = queue.tasks(campaign.definition, campaign.inspector, ids)
        if self.unanswered.value:
            tasks = tuple(task for task in tasks if not campaign.is_answered(*task))
        self._take(tasks)

    def _take(self, tasks: Any) -> None:
        try:
            self.desk.settling = False
            self.desk.take_queue(tasks)
        except DataError as error:
            self.state.message = str(error)
            return
        self.desk.tell(f"{len(tasks)} in this queue")
        if self._facts is not None:
            self.toggle()

    def _settle(self) -> None:
        self.desk.settle_disagreements()
        if self._facts is not None:
            self.toggle()
