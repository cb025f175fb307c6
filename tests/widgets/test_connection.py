"""What the kernel's side does so that a page knows it is there, and what a page says of a file that is gone."""

from __future__ import annotations

import pytest

from elixer_widgets.campaigns import Campaign, Definition
from elixer_widgets.widgets.connection import Connection
from elixer_widgets.widgets.explorer import Explorer
from tests.widgets import fakes

IDS = fakes.FakeRelease.ids[:4]


@pytest.mark.parametrize(
    ("content", "replies"), [({"beat": 7}, [{"beat": 7}]), ({"beat": "7"}, []), ({"beat": True}, []), (7, [])]
)
def test_a_question_is_answered_with_its_number_and_nothing_else_is(monkeypatch, content, replies):
    looked: list[int] = []
    connection = Connection(lambda: looked.append(1))
    sent: list[object] = []
    monkeypatch.setattr(connection, "send", lambda message: sent.append(message))
    connection._handle_custom_msg(content, [])
    assert sent == replies
    assert len(looked) == len(replies)


def test_the_kernel_knows_the_widget_by_the_number_that_the_page_has(explorer):
    assert explorer.connection.me == explorer.connection.model_id


def test_the_page_has_in_words_what_is_on_disk_and_learns_of_other_pages(faked, tmp_path):
    campaign = Campaign(tmp_path, None, "ann", definition=Definition(IDS, repeats=0.0))
    page = Explorer(fakes.FakeRelease(), campaign=campaign)
    assert page.connection.kept == "0 of 4 answered"
    page.desk.verdict(10)
    assert page.connection.kept == f"1 of 4 answered, the last about {IDS[0]}"
    Campaign(tmp_path, None, "ann").answer(IDS[2], verdict=10, quality=0)
    page.connection._handle_custom_msg({"beat": 1}, [])
    assert page.connection.kept == f"2 of 4 answered, the last about {IDS[2]}"


def test_a_file_that_is_gone_is_said_and_the_page_goes_on_when_it_is_back(state, monkeypatch):
    read = state.release.detection

    def gone(_detectid: int):
        raise FileNotFoundError(2, "No such file or directory", "/data/release/spectra.h5")

    monkeypatch.setattr(type(state.release), "detection", lambda _self, detectid: gone(detectid))
    state.next()
    assert "/data/release/spectra.h5" in state.message and "turn to this page again" in state.message
    assert state.interpretation is None
    monkeypatch.setattr(type(state.release), "detection", lambda _self, detectid: read(detectid))
    state.next()
    assert state.message == "" and state.interpretation is not None
    state.previous()
    assert state.message == "" and state.detection.detectid == state.detectids[1]
