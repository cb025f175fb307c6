"""A choice or an answer counts only from a browser that has painted its page; each page has a lock of its own."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.together import NOT_TAKEN
from tests.widgets import fakes


class Wire:
    """A comm to a browser, of which only what it hears is kept."""

    kernel = object()
    comm_id = "frame"

    def on_msg(self, handler: Any) -> None:
        self.handler = handler

    def send(self, **_message: Any) -> None:
        """Into nothing."""

    def say(self, session: str, **content: Any) -> None:
        """What a browser of this session says."""
        data = {"method": "custom", "content": content}
        self.handler({"header": {"session": session}, "content": {"data": data}, "buffers": []})


class Browser:
    """One browser on a page: what it says through the frame, and through any other widget."""

    def __init__(self, page: Explorer, session: str = "one") -> None:
        self.page, self.session = page, session
        self.frame = Wire()
        page.frame.comm._comm = self.frame
        page.frame.comm.on_msg(page.frame._handle_msg)

    def paint(self, page: int | None = None) -> None:
        self.frame.say(self.session, painted=self.page.state.page if page is None else page)

    def press(self, action: str, page: int) -> None:
        self.frame.say(self.session, pressed=action, page=page)

    def set(self, widget: Any, value: Any) -> None:
        """Another option of a box picked by hand."""
        wire = Wire()
        widget.comm._comm = wire
        widget.comm.on_msg(widget._handle_msg)
        data = {
            "method": "update",
            "state": {"index": [each for _words, each in widget.options].index(value)},
            "buffer_paths": [],
        }
        wire.handler({"header": {"session": self.session}, "content": {"data": data}, "buffers": []})


@pytest.fixture
def browser(faked: None) -> Browser:
    return Browser(Explorer(fakes.FakeRelease()))


def test_a_key_on_a_page_that_was_painted_acts(browser):
    browser.paint()
    browser.press("OII", browser.page.state.page)
    assert browser.page.state.choices.identity == "OII"


@pytest.mark.parametrize("action", ["OII", "automatic", "reset", "undo", "redo", "fit", "automatic aperture"])
def test_a_key_struck_on_the_page_before_is_not_taken_and_that_is_said(browser, action):
    state = browser.page.state
    browser.paint()
    before = state.page
    state.next()
    decided = state.decided
    browser.press(action, before)
    assert state.decided == decided and state.choices.identity is None
    assert state.message == NOT_TAKEN and state.not_taken == 1


def test_pages_turn_before_they_are_painted(browser):
    state = browser.page.state
    browser.press("next", 0)
    browser.press("next", 0)
    assert state.position == 2 and state.message != NOT_TAKEN


def test_a_box_changed_on_the_page_before_shows_what_holds(browser):
    state, box = browser.page.state, browser.page.controls.identity
    browser.paint()
    browser.set(box, "OII")
    assert state.choices.identity == "OII"
    state.next()  # and nothing of it is painted yet
    browser.set(box, "Lya")
    assert state.choices.identity is None and box.value == "" and state.message == NOT_TAKEN
    browser.paint()
    browser.set(box, "Lya")
    assert state.choices.identity == "Lya"


def test_what_one_browser_painted_another_has_not(browser):
    browser.paint()
    browser.session = "two"
    browser.set(browser.page.controls.identity, "OII")
    assert browser.page.state.choices.identity is None


def test_from_code_everything_is_taken(browser):
    browser.page.state.next()
    browser.page.state.choose(identity="OII")
    assert browser.page.state.choices.identity == "OII"


def test_the_number_in_the_list_is_that_of_the_header_while_a_detection_is_measured(faked, monkeypatch):
    page = Explorer(fakes.FakeRelease())
    told = []
    measure = page.state._measure_anew

    def slow(detection, choices):
        told.append(
            (page.detections.count.value, str(detection.detectid) in page.verdict.line.markup, page.state.whole)
        )
        return measure(detection, choices)

    monkeypatch.setattr(page.state, "_measure_anew", slow)
    page.state.position = 3
    assert told == [(f"4 of {len(page.state.detectids)}", True, False)]
    assert page.state.whole


def test_a_page_that_is_busy_holds_up_no_other(faked):
    one, other = Explorer(fakes.FakeRelease()), Explorer(fakes.FakeRelease())
    with one.state.lock:
        turning = threading.Thread(target=other.state.next)
        turning.start()
        turning.join(30)
        assert not turning.is_alive()
    assert (one.state.position, other.state.position) == (0, 1)


def test_the_same_detection_asked_twice_is_another_page(browser):
    """With not one widget changed, the browser learns that what it has painted is not yet the page."""
    state, bundle = browser.page.state, browser.page.rehearsals._bundle
    state.show([state.detectids[0]] * 2, state.detectids[0])
    before, sent = state.page, bundle.revision
    state.position = 1
    assert state.page == before + 1 and bundle.revision > sent
    assert browser.page.frame.stamp["page"] == state.page
