"""Answers on the page, without a browser: what keys and boxes write into the journal."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest

from elixer_widgets.analysis import Aperture
from elixer_widgets.campaigns import Campaign, Column, Definition, Guideline
from elixer_widgets.campaigns.choices import LABELS, VERDICTS
from elixer_widgets.campaigns.queue import Task
from elixer_widgets.widgets import answers as answers_module
from elixer_widgets.widgets import answers_desk
from elixer_widgets.widgets.answers import task_of
from elixer_widgets.widgets.explorer import Explorer
from tests.widgets import fakes

IDS = fakes.FakeRelease.ids[:4]
COLUMNS = (Column("broad", "yes/no"), Column("size", "number"), Column("sort", "choice", ("a", "b")), Column("said"))
OWN = Definition(
    IDS, columns=COLUMNS, repeats=0.0, guidelines={"verdict 15": Guideline("Look at <all> exposures.", (IDS[2],))}
)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path, None, "ann", definition=OWN, data="made by hand")


@pytest.fixture
def vetting(faked: None, campaign: Campaign) -> Explorer:
    return Explorer(fakes.FakeRelease(), campaign=campaign)


def panel(page: Explorer, name: str):
    return next(each for each in page.children if type(each).__name__ == name)


def shown(vetting: Explorer) -> int:
    return vetting.state.detection.detectid


def test_noise_in_two_keys_a_line_with_its_quality_in_two(vetting: Explorer, campaign: Campaign) -> None:
    shortcuts = vetting.frame.shortcuts
    assert {shortcuts["d>n"], shortcuts["d>d"]} == {"answer noise"}
    vetting.state.act(shortcuts["d>n"])
    said = campaign.current(IDS[0])
    assert (said.verdict, said.quality, said.identity) == (10, 0, "")
    assert isnan(said.redshift)
    assert shown(vetting) == IDS[1]
    vetting.state.act(shortcuts["e>3"])
    said = campaign.current(IDS[1])
    interpretation = fakes.interpret(fakes.measure(fakes.FakeRelease().detection(IDS[1])))
    assert (said.verdict, said.quality, said.identity) == (1, 3, interpretation.identity)
    assert said.redshift == interpretation.redshift
    assert said.automatic["identity"] == interpretation.identity
    assert (said.inspector, said.data) == ("ann", "made by hand")
    assert shown(vetting) == IDS[2]


def test_every_verdict_quality_and_kind_is_within_three_keys(vetting: Explorer) -> None:
    keys = {action: key for key, action in vetting.frame.shortcuts.items()}
    for choice in VERDICTS.values():
        assert len(keys[f"answer {choice.name}"].split(">")) == 2
    for quality in range(5):
        assert len(keys[f"quality {quality}"].split(">")) == 2
        assert len(keys[f"emission line, quality {quality}"].split(">")) == 2
    assert all(f"label {label}" in keys for label in LABELS)


def test_no_key_begins_a_sequence_and_does_something_as_well(vetting: Explorer) -> None:
    keys = set(vetting.frame.shortcuts)
    assert not {key.split(">")[0] for key in keys if ">" in key[1:]} & keys


def test_a_verdict_without_quality_stays_until_it_has_one(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("answer emission line")
    assert shown(vetting) == IDS[0]
    assert campaign.current(IDS[0]).verdict == 1
    vetting.state.act("quality 2")
    assert campaign.current(IDS[0]).quality == 2
    assert shown(vetting) == IDS[1]


def test_pages_can_stay(vetting: Explorer) -> None:
    vetting.state.act("advance")
    vetting.state.act("answer noise")
    assert shown(vetting) == IDS[0]


def test_the_persons_identity_goes_into_the_answer(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(identity="OII")
    vetting.state.act("emission line, quality 4")
    assert campaign.current(IDS[0]).identity == "OII"
    vetting.state.previous()
    vetting.state.act("quality 1")
    assert campaign.current(IDS[0]).identity == "OII"


def test_a_counterpart_alone_is_saved(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(counterpart="none")
    said = campaign.current(IDS[0])
    assert (said.counterpart, said.counterpart_code, said.verdict) == ("none", 0, None)
    vetting.state.choose(counterpart=None)
    assert campaign.current(IDS[0]).counterpart == ""
    assert len(campaign.history(IDS[0])) == 2


def test_what_is_refused_or_only_passed_through_is_not_written(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(counterpart="unheard of")
    assert campaign.history(IDS[0]) == []
    for radius in (1.1, 1.2, 1.3):
        vetting.state.choose(passing=True, aperture=Aperture(radius, 214.8, 52.8))
    assert campaign.history(IDS[0]) == []
    vetting.state.choose(aperture=Aperture(1.4, 214.8, 52.8))
    assert [each.aperture for each in campaign.history(IDS[0])] == [(1.4, 214.8, 52.8)]


def test_turning_pages_writes_nothing(vetting: Explorer, campaign: Campaign) -> None:
    for _ in range(3):
        vetting.state.next()
    vetting.state.previous()
    assert campaign.answers() == []


def test_a_redshift_by_hand_is_kept(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(redshift=0.417)
    assert campaign.current(IDS[0]).redshift == pytest.approx(vetting.state.interpretation.redshift)
    vetting.state.undo()
    assert len(campaign.history(IDS[0])) == 2


def test_a_remark_goes_to_the_detection_it_was_begun_at(vetting: Explorer, campaign: Campaign) -> None:
    answers = panel(vetting, "AnswersPanel")
    task = answers.remark.task
    vetting.state.next()
    answers._remarked(None, {"remark": "late words " * 500, "task": task}, [])
    assert campaign.current(IDS[0]).comment == "late words " * 500
    assert campaign.current(IDS[1]) is None
    answers._remarked(None, {"remark": "x", "task": "12:0"}, [])
    assert "not of this campaign" in vetting.state.message
    for nonsense in ({"remark": 5}, {"remark": "x", "task": "1"}, {"remark": "x", "task": "-1:0"}, "x"):
        answers._remarked(None, nonsense, [])
    assert len(campaign.answers()) == 1


def test_own_columns_fill_and_save(vetting: Explorer, campaign: Campaign) -> None:
    answers = panel(vetting, "AnswersPanel")
    answers.columns["broad"].value = True
    answers.columns["size"].value = "2.5"
    answers.columns["sort"].value = "b"
    assert campaign.current(IDS[0]).extra == {"broad": True, "size": 2.5, "sort": "b"}
    vetting.state.next()
    assert (answers.columns["broad"].value, answers.columns["size"].value) == (False, "")
    assert campaign.current(IDS[1]) is None
    answers.columns["size"].value = "wide"
    assert "numbers" in vetting.state.message
    vetting.state.previous()
    assert answers.columns["size"].value == "2.5"


def test_take_back_leads_back(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("answer noise")
    vetting.state.act("answer cosmic ray")
    vetting.state.act("take back answer")
    assert shown(vetting) == IDS[1]
    assert not campaign.is_answered(IDS[1])
    vetting.state.act("take back answer")
    assert shown(vetting) == IDS[0]
    vetting.state.act("take back answer")
    assert "nothing to take back" in panel(vetting, "AnswersPanel").choices.markup


def test_strip_of_the_last_ten(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("answer noise")
    vetting.state.act("emission line, quality 3")
    answers = panel(vetting, "AnswersPanel")
    assert answers.last.markup.index(">line 3<") < answers.last.markup.index(">noise<")
    assert "<b>2</b> of 4" in answers.last.markup
    answers._picked(f"go:{IDS[0]}:0")
    assert shown(vetting) == IDS[0]
    answers._picked(f"back:{IDS[1]}:0")
    assert not campaign.is_answered(IDS[1])


def test_going_on_where_one_stopped(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("answer noise")
    vetting.state.next()
    vetting.state.act("answer noise")
    again = Explorer(fakes.FakeRelease(), campaign=Campaign(campaign.path, None, "ann"))
    assert shown(again) == IDS[1]


def test_others_are_seen_only_after_ones_own_answer(
    vetting: Explorer, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers_module, "LOOK_EVERY", 0.0)
    bob = Campaign(campaign.path, None, "bob")
    bob.answer(IDS[0], verdict=1, comment="<b>sure</b>")
    answers = panel(vetting, "AnswersPanel")
    vetting.state.next()
    vetting.state.previous()
    assert "bob" not in answers.choices.markup
    vetting.state.act("advance")
    vetting.state.act("answer noise")
    assert "bob" in answers.choices.markup
    assert "&lt;b&gt;sure" in answers.choices.markup
    assert [line.kind for line in campaign.history(IDS[0])] == ["answer", "looked"]


def test_settling_disagreements(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("settle")
    assert "nobody disagrees" in panel(vetting, "AnswersPanel").choices.markup
    Campaign(campaign.path, None, "bob").answer(IDS[2], verdict=1, quality=2)
    Campaign(campaign.path, None, "eve").answer(IDS[2], verdict=10, quality=0)
    vetting.state.act("settle")
    assert shown(vetting) == IDS[2]
    assert all(name in panel(vetting, "AnswersPanel").choices.markup for name in ("bob", "eve", "settling"))
    vetting.state.act("answer noise")
    assert campaign.settled(IDS[2]).verdict == 10
    assert campaign.current(IDS[2]) is None
    vetting.state.act("settle")
    assert vetting.state.detectids == IDS


def test_what_is_not_saved_is_said_and_the_page_stays(vetting: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    vetting.state.act("answer noise")
    assert shown(vetting) == IDS[0]
    assert "not saved: No space left on device" in vetting.state.message
    assert "NOT SAVED" in panel(vetting, "AnswersPanel").choices.markup


def test_a_damaged_detection_can_be_answered(faked: None, tmp_path: Path) -> None:
    damaged = fakes.FakeRelease.ids[-1]
    campaign = Campaign(tmp_path, (damaged, IDS[0]), "ann")
    page = Explorer(fakes.FakeRelease(), campaign=campaign)
    page.state.act("answer cannot tell")
    assert campaign.current(damaged).verdict == 90
    assert shown(page) == IDS[0]


def test_time_is_counted_from_the_page_turn_and_pauses_are_cut(
    vetting: Explorer, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(answers_desk.time, "monotonic", lambda: now[0])
    vetting.state.next()
    now[0] += 7.0
    vetting.state.act("answer emission line")
    now[0] += 3.0
    vetting.state.act("quality 2")
    now[0] += 4000.0
    vetting.state.act("answer noise")
    assert campaign.seconds_on(IDS[1]) == 10.0
    assert campaign.seconds_on(IDS[2]) == 120.0


def test_a_repeat_looks_like_any_other(faked: None, tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, None, "ann", definition=Definition(IDS, repeats=0.0))
    page = Explorer(fakes.FakeRelease(), campaign=campaign)
    page.state.act("answer noise")
    page.desk.take_queue((*campaign.tasks, Task(IDS[0], 1)), 4)
    assert shown(page) == IDS[0]
    assert page.desk.current is None
    assert 'aria-pressed="true"' not in panel(page, "AnswersPanel").choices.markup
    page.state.act("emission line, quality 1")
    assert campaign.current(IDS[0], 1).verdict == 1
    assert campaign.current(IDS[0]).verdict == 10


def test_guidelines_and_examples_stand_in_the_menu(vetting: Explorer) -> None:
    answers = panel(vetting, "AnswersPanel")
    assert all(choice.guideline in answers.menus.markup.replace("&#x27;", "'") for choice in VERDICTS.values())
    assert "Look at &lt;all&gt; exposures." in answers.menus.markup
    answers._picked(f"example:{IDS[2]}")
    assert shown(vetting) == IDS[2]


@pytest.mark.parametrize("text", ["", "1", "1:2", "a:0", "1:0:0", "-5:1", "1:0 ", "9" * 5000 + ":0"])
def test_crafted_tasks_are_none(text: str) -> None:
    assert task_of(text) is None


def test_crafted_messages_do_nothing(vetting: Explorer, campaign: Campaign) -> None:
    answers, gallery = panel(vetting, "AnswersPanel"), panel(vetting, "Gallery")
    for key in ("go:77:0", f"go:{IDS[0]}:1", "back:77:0", "example:77", "go:", "reject:10", "nonsense", "9" * 5000):
        answers._picked(key)
    vetting.state.act("gallery")
    for key in ("mark:" + "9" * 5000, "mark:-1", "reject:1000", "reject:x", "nonsense:", ""):
        gallery._picked(key)
    assert campaign.answers() == []
    assert shown(vetting) == IDS[0]


# ------------------------------------------------------------------------------------------- gallery and queue


def test_gallery_rejects_all_but_the_marked(vetting: Explorer, campaign: Campaign) -> None:
    gallery = panel(vetting, "Gallery")
    vetting.state.act("gallery")
    assert [each.task.detectid for each in gallery.thumbnails] == list(IDS)
    gallery._picked("mark:1")
    gallery._picked("mark:99")
    vetting.state.act("emission line, quality 3")
    assert "only what is nothing" in vetting.state.message
    vetting.state.act("quality 3")
    assert campaign.answers() == []
    vetting.state.act("answer noise")
    assert {each.detectid: (each.verdict, each.quality, each.source) for each in campaign.answers()} == {
        each: (10, 0, "gallery") for each in IDS if each != IDS[1]
    }
    assert [each.task.detectid for each in gallery.thumbnails] == [IDS[1]]
    gallery._picked("back:")
    assert campaign.answers() == []
    gallery._picked("reject:15")
    assert len(campaign.answers()) == 4
    assert not gallery.is_open


def test_gallery_leaves_out_what_cannot_be_read_and_repeats(faked: None, tmp_path: Path) -> None:
    damaged = fakes.FakeRelease.ids[-1]
    campaign = Campaign(tmp_path, None, "ann", definition=Definition((*IDS, damaged), repeats=0.0))
    page = Explorer(fakes.FakeRelease(), campaign=campaign)
    page.desk.take_queue((*campaign.tasks, Task(IDS[0], 1)), 0)
    gallery = panel(page, "Gallery")
    page.state.act("gallery")
    assert [each.task for each in gallery.thumbnails] == [Task(each) for each in (*IDS, damaged)]
    gallery.reject(10)
    assert not campaign.is_answered(damaged)
    assert not campaign.is_answered(IDS[0], 1)
    page.state.act("gallery")
    assert not gallery.is_open
    assert page.desk.batch is None


def test_queue_sorts_and_filters(vetting: Explorer, campaign: Campaign) -> None:
    queue = panel(vetting, "QueuePanel")
    vetting.state.act("queue")
    assert {name for _, name in queue.order.options} >= {"sn", "wavelength"}
    assert "disagreement" not in {name for _, name in queue.order.options}
    vetting.state.act("queue")
    vetting.state.act("answer noise")
    queue.apply()
    assert [task.detectid for task in vetting.desk.tasks] == list(IDS[1:])
    queue.unanswered.value = False
    queue.column.value, queue.low.value = "sn", "100"
    queue.apply()
    assert "nothing is left in this queue" in vetting.state.message
    queue.low.value = "much"
    queue.apply()
    assert "'much' is not a number" in vetting.state.message
    queue.whole.click()
    assert vetting.desk.tasks == campaign.tasks


# ----------------------------------------------------------------------------------- answers that contradict themselves


def as_artifact(vetting: Explorer) -> None:
    """Let the page read "artifact" of its own accord."""
    made = fakes.interpret(fakes.measure(vetting.state.detection), "artifact")
    vetting.state.interpretation = replace(made, identity="artifact", redshift=float("nan"), chosen_by="automatic")


def test_a_line_on_a_page_that_reads_artifact_is_asked_about_and_not_stored(
    vetting: Explorer, campaign: Campaign
) -> None:
    as_artifact(vetting)
    vetting.state.act("emission line, quality 3")
    assert campaign.history(IDS[0]) == []
    assert shown(vetting) == IDS[0]
    choices = panel(vetting, "AnswersPanel").choices
    assert "which line is it?" in choices.markup
    best = vetting.desk.question.ways[0].fields
    rivals = vetting.state.interpretation.rivals
    assert best["identity"] == max(rivals, key=lambda each: each.probability).identity
    keys = {action: key for key, action in vetting.frame.shortcuts.items()}
    assert all(f"<kbd>{keys[f'way {place}']}</kbd>" in choices.markup for place in (1, 2))
    vetting.state.act("way 1")
    said = campaign.current(IDS[0])
    assert (said.verdict, said.quality, said.identity) == (1, 3, best["identity"])
    assert said.redshift == best["redshift"]
    assert shown(vetting) == IDS[1]
    assert "which line" not in choices.markup


def test_a_line_that_nobody_can_name_takes_one_key_more(vetting: Explorer, campaign: Campaign) -> None:
    as_artifact(vetting)
    vetting.state.act("emission line, quality 3")
    place = next(at for at, way in enumerate(vetting.desk.question.ways, 1) if "unknown" in way.words)
    vetting.state.act(f"way {place}")
    said = campaign.current(IDS[0])
    assert (said.verdict, said.quality, said.identity) == (1, 2, "")
    assert isnan(said.redshift)


def test_a_question_ends_with_another_answer_or_the_page(vetting: Explorer, campaign: Campaign) -> None:
    as_artifact(vetting)
    vetting.state.act("emission line, quality 3")
    vetting.state.act("answer noise")
    assert campaign.current(IDS[0]).verdict == 10
    vetting.state.act("emission line, quality 0")
    assert vetting.desk.question is not None
    vetting.state.next()
    vetting.state.act("way 1")
    assert campaign.current(IDS[1]) is None
    assert campaign.current(IDS[2]) is None
    vetting.state.act("way 2")
    assert "nothing is asked" in vetting.desk.said


def test_noise_on_a_line_that_a_person_named_is_asked_about(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(identity="OII")
    vetting.state.act("answer noise")
    assert campaign.current(IDS[0]).verdict is None
    vetting.state.act("way 1")
    said = campaign.current(IDS[0])
    assert (said.verdict, said.identity) == (10, "")
    assert isnan(said.redshift)


def test_a_correction_takes_its_own_quality(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.act("advance")
    vetting.state.act("answer noise")
    vetting.state.act("answer emission line")
    assert (campaign.current(IDS[0]).verdict, campaign.current(IDS[0]).quality) == (1, None)
    vetting.state.act("emission line, quality 3")
    vetting.state.act("answer cannot tell")
    assert (campaign.current(IDS[0]).verdict, campaign.current(IDS[0]).quality) == (90, None)


def test_gallery_leaves_what_a_person_named_for_a_look(vetting: Explorer, campaign: Campaign) -> None:
    vetting.state.choose(identity="OII")
    vetting.state.act("gallery")
    vetting.state.act("answer noise")
    assert [each.detectid for each in campaign.answers() if each.is_answered] == list(IDS[1:])
    assert "left for a look" in vetting.state.message
