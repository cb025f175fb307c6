"""Answers that are given elsewhere while a page is open or waits for its visitor: the page must know of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from elixer_widgets import open_release
from elixer_widgets.campaigns import Campaign, Definition, define
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.widgets import dashboard, visitor
from elixer_widgets.widgets.explorer import Explorer
from tests.widgets import fakes

IDS = fakes.FakeRelease.ids[:4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    define(tmp_path / "night", Definition(IDS, repeats=0.0), "ann")
    return tmp_path / "night"


def opened(folder: Path) -> Explorer:
    """A page of ann's in a kernel of its own."""
    return Explorer(fakes.FakeRelease(), campaign=Campaign(folder, None, "ann"))


def shown(page: Explorer) -> int:
    return page.state.detection.detectid


@pytest.fixture
def release_with_campaign(simulated, tmp_path, monkeypatch):
    """The environment of a dashboard on the simulated release, with a campaign on six of its detections."""
    ids = tuple(int(each) for each in open_release(simulated).detectids()[:6])
    define(tmp_path / "night", Definition(ids, repeats=0.0), "ann")
    monkeypatch.setenv(dashboard.RELEASE_VARIABLE, str(simulated))
    monkeypatch.setenv(dashboard.CAMPAIGN_VARIABLE, str(tmp_path / "night"))
    monkeypatch.setenv(dashboard.INSPECTOR_VARIABLE, "ann")
    monkeypatch.setattr(visitor, "limit_memory", lambda _gigabytes: None)
    return tmp_path / "night", ids


@pytest.mark.parametrize(
    ("query", "place", "answered"), [("", 3, 3), ("detectid={5}", 5, 3)], ids=["bare address", "reload of a detection"]
)
def test_a_kernel_started_ahead_shows_what_was_answered_before_its_visitor_came(
    release_with_campaign, monkeypatch, query, place, answered
):
    folder, ids = release_with_campaign
    monkeypatch.setenv("VOILA_PREHEAT", "True")

    def came() -> None:
        elsewhere = Campaign(folder, None, "ann")
        for detectid in ids[:answered]:
            elsewhere.answer(detectid, verdict=10, quality=0)
        monkeypatch.setenv("QUERY_STRING", query.format(*ids))

    monkeypatch.setattr(visitor, "await_visitor", came)
    page = dashboard.page()
    assert shown(page) == ids[place]
    assert page.campaign.progress().done == answered
    answers = next(each for each in page.children if type(each).__name__ == "AnswersPanel")
    assert f"<b>{answered}</b>" in answers.last.markup


def test_a_kernel_started_ahead_takes_a_newer_definition(release_with_campaign, monkeypatch):
    folder, ids = release_with_campaign
    monkeypatch.setenv("VOILA_PREHEAT", "True")
    monkeypatch.setattr(visitor, "await_visitor", lambda: define(folder, Definition(ids[2:5], repeats=0.0), "ann"))
    assert dashboard.page().state.detectids == ids[2:5]


def test_a_kernel_started_ahead_of_its_campaign_looks_again(release_with_campaign, monkeypatch):
    folder, ids = release_with_campaign
    away = folder.with_name("away")
    folder.rename(away)
    monkeypatch.setenv("VOILA_PREHEAT", "True")
    monkeypatch.setattr(visitor, "await_visitor", lambda: away.rename(folder))
    assert dashboard.page().state.detectids == ids


def test_a_second_page_passes_over_what_the_first_answered(faked, folder):
    first, second = opened(folder), opened(folder)
    for detectid in IDS[:2]:
        first.desk.verdict(10)
        assert first.campaign.current(detectid).verdict == 10
    assert shown(second) == IDS[0]
    second.desk.next_unanswered()
    assert shown(second) == IDS[2]
    assert second.campaign.progress().done == 2


def test_a_page_turn_shows_the_answer_of_the_other_page(faked, folder):
    first, second = opened(folder), opened(folder)
    first.desk.go(Task(IDS[1]))
    first.desk.verdict(10)
    second.state.next()
    assert shown(second) == IDS[1]
    assert second.desk.current.verdict == 10


def test_an_answer_rests_on_what_the_other_page_said_before(faked, folder):
    first, second = opened(folder), opened(folder)
    first.desk.comment("a doublet?", Task(IDS[0]))
    second.desk.verdict(10)
    said = Campaign(folder).answers()
    assert [(each.comment, each.verdict) for each in said] == [("a doublet?", 10)]


def test_the_gallery_leaves_alone_what_another_page_answered_meanwhile(faked, folder):
    first, second = opened(folder), opened(folder)
    gallery = next(each for each in second.children if type(each).__name__ == "Gallery")
    gallery.toggle()
    first.desk.verdict(1, 3)
    gallery.reject(10)
    said = {each.detectid: each.verdict for each in Campaign(folder).answers()}
    assert said == {IDS[0]: 1, **dict.fromkeys(IDS[1:], 10)}
    assert "1 answered meanwhile" in second.desk.said


def test_undo_takes_back_what_was_said_last_on_whichever_page(faked, folder):
    first, second = opened(folder), opened(folder)
    first.desk.verdict(10)
    second.desk.take_back()
    assert shown(second) == IDS[0]
    assert Campaign(folder, None, "ann").progress().done == 0


def test_a_reload_at_a_blind_repeat_goes_on_with_the_repeat(faked, folder):
    tasks = (Task(IDS[0]), Task(IDS[1]), Task(IDS[0], 1), Task(IDS[2]))
    reloaded = opened(folder)
    reloaded.campaign.tasks = tasks
    for task in tasks[:2]:
        reloaded.campaign.answer(*task, verdict=10, quality=0)
    reloaded.desk.take_queue(tasks)
    dashboard._follow(reloaded, f"detectid={IDS[0]}")
    assert reloaded.desk.task == Task(IDS[0], 1)


def test_a_journal_that_cannot_be_read_is_said_and_the_page_goes_on(faked, folder, monkeypatch):
    page = opened(folder)

    def broken(_folder: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(page.campaign.replay, "refresh_one", broken)
    page.state.next()
    assert shown(page) == IDS[1]
    assert "Input/output error" in page.state.message
    page.desk.verdict(10)
    assert page.desk.said == "NOT SAVED"
