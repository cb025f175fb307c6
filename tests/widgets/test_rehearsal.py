"""Pages rehearsed ahead: the same as when they are turned to, without a trace before, and mended where they differ."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ipywidgets.widgets.widget import _remove_buffers

from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.bundle import pack
from elixer_widgets.widgets.explorer import Explorer
from tests.widgets import fakes

FIRST, BARE, THIRD = 0, 1, 2


def as_text(states: list[list[Any]], buffers: list[Any]) -> dict[tuple[str, str], str]:
    """The values in a message as text that can be compared: NaN is as good as NaN, a list as a tuple."""
    left, found = list(buffers), {}
    for model, traits, paths in states:
        binary: dict[str, list[Any]] = {}
        for path in paths:
            binary.setdefault(path[0], []).append((list(path), bytes(left.pop(0))))
        for name, value in traits.items():
            found[model, name] = f"{list(value) if isinstance(value, tuple) else value!r} {binary.get(name, '')}"
    return found


class Wire:
    """A comm that keeps what is sent."""

    kernel = object()

    def __init__(self, comm_id: str, sent: list[tuple[str, dict[str, Any], list[Any]]]) -> None:
        self.comm_id, self._sent = comm_id, sent

    def on_msg(self, handler: Any) -> None:
        self.handler = handler

    def close(self) -> None:
        pass

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        self._sent.append((self.comm_id, data, buffers or []))


class Page:
    """An explorer whose first three detections are known, and all that leaves it."""

    def __init__(self, made: Explorer) -> None:
        self.explorer, self.state, self.rehearsals = made, made.state, made.rehearsals
        for place in (BARE, THIRD, FIRST):
            self.state.position = place
        self.sent: list[tuple[str, dict[str, Any], list[Any]]] = []
        made.frame.comm = Wire("frame", self.sent)
        for part in made.rehearsals._bundle.parts:
            part.comm._comm = Wire(part.comm.comm_id, self.sent)
        self.rehearsals.receive({"here": True, "revision": self.rehearsals._bundle.revision})

    def prepare(self, place: int) -> Any:
        """Rehearse a page and have the browser say that it has it."""
        page = self.rehearsals.rehearse(place)
        self.rehearsals._kept[place] = page
        self.rehearsals.receive({"have": page.number})
        return page

    def told(self) -> list[tuple[dict[str, Any], list[Any]]]:
        """What the frame was sent with its buffers, the messages only."""
        return [
            (data["content"], buffers)
            for comm, data, buffers in self.sent
            if comm == "frame" and data["method"] == "custom"
        ]

    @property
    def was_shown(self) -> bool:
        """Whether the browser was told to show a page that it has."""
        return any("show" in content for content, _ in self.told())

    def values(self) -> dict[tuple[str, str], str]:
        """What all widgets hold, by model and trait."""
        found = {}
        for part in self.rehearsals._bundle.parts:
            state, paths, buffers = _remove_buffers(part.get_state())
            found |= as_text([[part.comm.comm_id, state, paths]], buffers)
        return found


@pytest.fixture
def page(faked: None) -> Page:
    return Page(Explorer(fakes.FakeRelease()))


def test_a_rehearsal_leaves_no_trace(page):
    values, traits = page.values(), dict(page.state._trait_values)
    told: list[Any] = []
    page.state.observe(lambda change: told.append(change["name"]))
    assert page.rehearsals.rehearse(BARE) is not None
    assert page.sent == [] and told == []
    assert page.values() == values
    assert page.state._trait_values == traits
    page.state.choose(identity="OII")  # and all panels still follow
    assert "[O II]" in page.explorer.verdict.line.markup


@pytest.mark.parametrize("place", [BARE, THIRD])
def test_the_page_that_was_rehearsed_is_the_page_that_is_turned_to(page, place):
    rehearsed = page.prepare(place)
    seen = page.values()
    page.state.position = place
    ((shown, buffers),) = [each for each in page.told() if "show" in each[0]]
    assert shown["show"] == rehearsed.number
    # what the browser shows: what was there, over it the rehearsed page, over that what was sent besides
    seen |= as_text(*pack(rehearsed.states)) | as_text(shown["states"], buffers)
    assert seen == page.values()
    # and nothing was left over to be mended
    assert len(page.told()) == 1


def test_choices_of_the_page_before_are_not_rehearsed(page):
    page.state.choose(identity="OII")
    page.prepare(THIRD)
    page.state.position = THIRD
    assert page.was_shown
    assert page.state.choices == state_module.Choices() and not page.state.can_undo
    page.state.position = FIRST
    assert "set by you" not in page.explorer.verdict.line.markup


@pytest.mark.parametrize(
    "change",
    [
        lambda page: page.state.choose(identity="OII"),
        lambda page: page.state.set_trait("stretch", "zscale"),
        lambda page: page.state.set_trait("smoothing", 3.0),
        lambda page: page.explorer.images.next_view(),
        lambda page: page.state.set_trait("zoom", (4400.0, 4500.0)),
    ],
    ids=["identity", "stretch", "smoothing", "tab", "zoom"],
)
def test_a_page_rehearsed_before_something_changed_is_not_shown(page, change):
    page.prepare(THIRD)
    change(page)
    page.state.position = THIRD
    assert not page.was_shown


def test_what_follows_the_pointer_spoils_no_page(page):
    fiber = page.state.detection.fibers[0].fiber_id
    page.prepare(THIRD)
    page.state.hover_fiber = fiber
    page.state.cursor = 4321.0
    rehearsed = page.rehearsals._kept[THIRD]
    page.state.position = THIRD
    assert page.was_shown
    sent = {model: traits for model, traits, _paths in pack(rehearsed.states)[0]}
    assert sent[page.explorer.fibers.strip.comm.comm_id]["hover"] == ""
    assert sent[page.explorer.spectrum.pointer.comm.comm_id]["cursor"] is None


def test_a_page_that_the_browser_does_not_have_yet_is_drawn_as_ever(page):
    page.rehearsals._kept[THIRD] = page.rehearsals.rehearse(THIRD)
    page.state.position = THIRD
    ((content, _buffers),) = page.told()
    assert "show" not in content
    sent = {model: traits for model, traits, _paths in content["states"]}
    assert sent[page.explorer.verdict.line.comm.comm_id]["markup"] == page.explorer.verdict.line.markup


def test_a_browser_without_the_page_gets_all_of_it(page):
    rehearsed = page.prepare(THIRD)
    page.state.position = THIRD
    page.sent.clear()
    page.rehearsals.receive({"missing": rehearsed.number})
    ((content, _buffers),) = page.told()
    assert {model for model, *_ in content["states"]} == {part.comm.comm_id for part in page.rehearsals._bundle.parts}
    assert content["all"]
    verdict = page.explorer.verdict.line
    assert {model: traits for model, traits, _ in content["states"]}[verdict.comm.comm_id]["markup"] == verdict.markup


def test_what_cannot_be_drawn_is_not_rehearsed(page, monkeypatch):
    values = page.values()
    draws = page.rehearsals._draws

    def fails() -> None:
        raise ValueError("as it may be")

    monkeypatch.setattr(page.rehearsals, "_draws", [*draws[:3], fails, *draws[3:]])
    assert page.rehearsals.rehearse(THIRD) is None
    assert page.values() == values and page.sent == []


def test_what_another_thread_chooses_meanwhile_is_not_lost(page, monkeypatch):
    chooser = threading.Thread(target=lambda: page.state.choose(identity="OII"))

    def interrupted() -> None:
        chooser.start()
        chooser.join(0.2)  # time enough, if nothing held it

    monkeypatch.setattr(page.rehearsals, "_draws", [*page.rehearsals._draws, interrupted])
    assert page.rehearsals.rehearse(THIRD) is not None
    chooser.join()
    assert page.state.choices.identity == "OII"
    assert page.state.position == FIRST
    assert "[O II]" in page.explorer.verdict.line.markup


def test_what_the_browser_says_meanwhile_waits(page):
    """A message for a widget is handled under the lock that a rehearsal holds."""
    box = page.explorer.controls.redshift
    handled: list[bool] = []

    def free() -> bool:
        taken = page.state.lock.acquire(timeout=0.05)
        if taken:
            page.state.lock.release()
        return taken

    def look(_message: Any) -> None:
        other = threading.Thread(target=lambda: handled.append(free()))
        other.start()
        other.join()

    box.comm.on_msg(look)
    box.comm._comm.handler({})
    assert handled == [False]


def test_what_is_not_prepared_is_not_rehearsed(page):
    assert page.rehearsals.rehearse(len(page.state.detectids) - 1) is None
    assert page.rehearsals.rehearse(-1) is None
