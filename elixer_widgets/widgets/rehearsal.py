"""Pages that may be turned to, sent to the browser while the one before is looked at: a turn has only to name them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as W
from ipywidgets.widgets.widget import _remove_buffers
from traitlets import HasTraits

from elixer_widgets.analysis import Interpretation
from elixer_widgets.widgets.bundle import Bundle, Gathered, Send, gather, pack
from elixer_widgets.widgets.choices import Choices
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

log = logging.getLogger(__name__)

PAUSE = 0.35
"""Seconds without a change after which pages are rehearsed: the browser is to have the processor until it has drawn."""

BREATH = 0.05
"""Seconds between two rehearsals, for a key that was pressed meanwhile."""

STEPS = (1, -1)
"""Pages rehearsed, counted from the shown one."""

ONE_PAGE: dict[str, Any] = {
    "choices": Choices(), "message": "", "busy": False, "can_undo": False, "can_redo": False, "hover_fiber": "",
    "selected_match": "", "zoom": (), "feature": None, "cursor": float("nan"),
}  # fmt: skip
"""Traits of the state that belong to one detection, as they are when its page is turned to."""

LOOKS = ("detectids", "band", "width", "smoothing", "stretch", "field", "blink")
"""Traits of the state that stay when the page is turned."""

SHOWN = frozenset((*ONE_PAGE, "position", "detection", "measurements", "interpretation"))

Values = list[dict[str, Any]]
"""The traits of each widget that the browser knows."""


@dataclass(frozen=True)
class Page:
    """A page that the browser has been sent.

    Attributes
    ----------
    number : int
        What browser and kernel call it.
    interpretation : Interpretation
        What it shows.
    looks : tuple
        The values of `LOOKS` it was drawn with.
    base : list of dict
        What all widgets showed then: `states` is what the page changes of that.
    states : Gathered
    """

    number: int
    interpretation: Interpretation
    looks: tuple[Any, ...]
    base: Values
    states: Gathered


def _alike(one: Mapping[str, Any], other: Mapping[str, Any], but: frozenset[str]) -> bool:
    """Whether a widget's traits are what they were; arrays and dicts are if nobody set them anew."""
    return all(
        value is other[name] or name in but or (isinstance(value, str | int | float | tuple) and value == other[name])
        for name, value in one.items()
    )


def _hold(states: Gathered, part: W.Widget, names: Iterable[str] | None = None) -> None:
    """Add what a widget holds, behind its gate."""
    state, paths, buffers = _remove_buffers(part.get_state(names))
    gather(states, part.comm.rank, part.comm.comm_id, {"state": state, "buffer_paths": paths}, buffers)


@contextmanager
def as_it_was(objects: Iterable[HasTraits]) -> Iterator[None]:
    """Whatever happens within to these objects did not happen in the end: nobody who observes them is told."""
    before = [(each, dict(each.__dict__), dict(each._trait_values)) for each in objects]
    try:
        yield
    finally:
        for each, attributes, values in before:
            for name in each.__dict__.keys() - attributes.keys():
                del each.__dict__[name]
            each.__dict__.update(attributes)
            each._trait_values = values


class Rehearsals:
    """Draws the neighbours of the shown page as they will be when they are turned to, and sends that ahead.

    Parameters
    ----------
    state : ExplorerState
    panels : iterable of Panel
        Those that draw nothing but the state, and may do so without being looked at.
    bundle : Bundle
        All widgets of the page.
    passing : sequence of (Widget, trait names)
        What follows the pointer: it may have changed since without spoiling a page.
    send : callable
        Takes a message for the browser, where static/page.js keeps the pages, and its buffers.

    Notes
    -----
    A rehearsal gives the state the values it will have, lets the panels draw, catches what they would send, and takes
    everything back. A page is shown only if all widgets are as they were when it was rehearsed; the panels draw then
    as ever, and what differs from the rehearsal is sent. So the worst that a wrong rehearsal does is to be mended.
    """

    def __init__(
        self,
        state: ExplorerState,
        panels: Iterable[Panel],
        bundle: Bundle,
        passing: Sequence[tuple[W.Widget, tuple[str, ...]]],
        send: Send,
    ) -> None:
        self._state, self._bundle, self._send = state, bundle, send
        watched = [each for panel in panels for each in panel.watched]
        self._draws = [each.draw for each in watched if each.names & SHOWN]
        self._rehearsed = frozenset(each.safely for each in watched)
        self._passing = {id(widget): frozenset(names) for widget, names in passing}
        self._kept: dict[int, Page] = {}
        self._there: set[int] = set()
        self._last = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting = False
        self._since = 0.0
        bundle.changed = self._changed
        state.reveal = self.reveal

    # ----------------------------------------------------------------------------------------------- rehearsing

    def rehearse(self, place: int) -> Page | None:
        """The page of this place in the list; None if it is not prepared or cannot be drawn."""
        state, found = self._state, self._state.known(place)
        if found is None or self._bundle.open:
            return None
        base = [
            {name: values[name] for name in part.keys if name in (values := part._trait_values)}
            for part in self._bundle.parts
        ]
        looks = tuple(getattr(state, name) for name in LOOKS)
        measured = found.measurements
        states: Gathered = {}
        with state.lock, as_it_was((state, *self._bundle.parts)):
            # quietly, so that only the panels follow
            state._trait_values.update(
                ONE_PAGE, position=place, detection=measured.detection, measurements=measured, interpretation=found
            )
            try:
                with self._bundle.caught() as caught:
                    for draw in self._draws:
                        draw()
                states = self._with_passing(caught)
            except Exception:  # whatever it is will come again, and be told, when the page is turned to
                log.debug("the page of %s was not rehearsed", measured.detection.detectid, exc_info=True)
                return None
        self._last += 1
        return Page(self._last, found, looks, base, states)

    def _with_passing(self, caught: Gathered) -> Gathered:
        """What was caught and, changed or not, what follows the pointer."""
        states: Gathered = {}
        for part in self._bundle.parts:
            names = self._passing.get(id(part))
            if names:
                _hold(states, part, names)
        for key, traits in caught.items():
            states.setdefault(key, {}).update(traits)
        return states

    def _holds(self, page: Page) -> bool:
        """Whether the page would still look as it was rehearsed, over what is shown now."""
        state = self._state
        nothing: frozenset[str] = frozenset()
        return all(getattr(state, name) == was for name, was in zip(LOOKS, page.looks, strict=True)) and all(
            _alike(was, part._trait_values, self._passing.get(id(part), nothing))
            for was, part in zip(page.base, self._bundle.parts, strict=True)
        )

    # -------------------------------------------------------------------------------------------------- turning

    def reveal(self, held: dict[Callable[[], None], None]) -> None:
        """Have the browser show the page that was turned to, if it has it; what was not rehearsed is drawn before."""
        state = self._state
        page = self._kept.pop(state.position, None)
        if page is None or page.number not in self._there or page.interpretation is not state.interpretation:
            return
        if state.choices != ONE_PAGE["choices"] or not self._holds(page):
            return
        for draw in [each for each in held if each not in self._rehearsed]:
            del held[draw]
            draw()
        self._bundle.flush(page.states, show=page.number)

    # --------------------------------------------------------------------------------------- kernel and browser

    def receive(self, content: Mapping[str, Any]) -> None:
        """What the browser says: it is there; it has a page; it was to show one that it does not have, or missed a
        message."""
        try:
            # of the thread that answers the browser: that of the cells may be busy with one
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        if "here" in content:  # for the first time, or again
            self._kept.clear()
            self._waiting = False
            if content.get("revision") != self._bundle.revision:
                self._mend()
            self._changed()
        elif isinstance(content.get("have"), int):
            self._there.add(content["have"])
        elif "missing" in content:  # a second browser, which has another page or none
            self._mend()

    def _mend(self) -> None:
        """Send all that is held."""
        states: Gathered = {}
        for part in self._bundle.parts:
            _hold(states, part)
        self._bundle.post(*pack(states), all=True)

    def _changed(self) -> None:
        """Something changed on the page: look at it when it stands still."""
        self._since = time.monotonic()
        if not self._waiting:
            self._come_again(PAUSE)

    def _come_again(self, seconds: float) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, self._look)
        except RuntimeError:  # the browser's thread ended with it
            self._loop = None
        self._waiting = self._loop is not None

    def _look(self) -> None:
        """Rehearse one page, if any is to be rehearsed, and come again for the next."""
        self._waiting = False
        wait = self._since + PAUSE - time.monotonic()
        if wait <= 0:
            with self._state.lock:
                wait = self._advance()
        if wait > 0:
            self._come_again(wait)

    def _advance(self) -> float:
        """Rehearse and send one page; how long to wait before the next, 0 for ever."""
        state = self._state
        places = [state.position + step for step in STEPS]
        self._kept = {place: page for place, page in self._kept.items() if place in places and self._holds(page)}
        for place in places:
            if place not in self._kept and (page := self.rehearse(place)) is not None:
                self._kept[place] = page
                packed, buffers = pack(page.states)
                keep = [each.number for each in self._kept.values()]
                self._there &= set(keep)
                self._send({"rehearsed": page.number, "keep": keep, "page": packed}, buffers)
                return BREATH
        return PAUSE if state.preparing else 0.0
