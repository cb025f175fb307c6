"""A campaign as an inspector meets it: answering, taking back, going on, others."""

from __future__ import annotations

import getpass
import json
from math import isnan
from pathlib import Path

import pytest

from elixer_widgets import interpret, measure
from elixer_widgets.campaigns import Campaign, Column, Definition, automatic_answer, define, merge_journals
from elixer_widgets.campaigns import campaign as campaign_module
from elixer_widgets.campaigns.definition import load, versions
from elixer_widgets.campaigns.queue import GAP, SPREAD, Task, repeated, tasks
from elixer_widgets.detection import DataError
from tests import factories

IDS = tuple(range(2101630949, 2101630949 + 40))


def plain(folder: Path, inspector: str = "ann", ids: tuple[int, ...] = IDS) -> Campaign:
    """A campaign without blind repeats."""
    if versions(folder):
        return Campaign(folder, None, inspector)
    return Campaign(folder, None, inspector, definition=Definition(ids, repeats=0.0))


def test_what_is_not_given_stays(tmp_path: Path) -> None:
    campaign = plain(tmp_path)
    campaign.answer(IDS[0], counterpart="SDSS 7")
    assert not campaign.is_answered(IDS[0])
    campaign.answer(IDS[0], comment="c" * 10_000)
    campaign.answer(IDS[0], redshift=0.417, redshift_err=0.001)
    campaign.answer(IDS[0], verdict=1, quality=3, identity="OII", label="LzG", aperture=(1.5, 214.8, 52.8), seconds=7.5)
    found = Campaign(tmp_path, None, "ann").current(IDS[0])
    assert (found.counterpart, len(found.comment), found.redshift) == ("SDSS 7", 10_000, 0.417)
    assert (found.verdict, found.quality, found.identity, found.label) == (1, 3, "OII", "LzG")
    assert found.aperture == (1.5, 214.8, 52.8)
    assert found.seconds == 7.5
    assert (found.inspector, found.user, found.definition) == ("ann", getpass.getuser(), 1)
    assert len(campaign.history(IDS[0])) == 4


def test_saying_the_same_again_writes_nothing(tmp_path: Path) -> None:
    campaign = plain(tmp_path)
    first = campaign.answer(IDS[0], verdict=10, redshift=None)
    assert campaign.answer(IDS[0], verdict=10, redshift=None) == first
    assert len(campaign.history(IDS[0])) == 1


def test_undo_is_a_line_and_can_be_undone(tmp_path: Path) -> None:
    campaign = plain(tmp_path)
    campaign.answer(IDS[0], verdict=10)
    campaign.answer(IDS[0], verdict=1)
    assert campaign.undo().verdict == 10
    assert campaign.undo() is None
    assert not campaign.is_answered(IDS[0])
    with pytest.raises(DataError, match="nothing"):
        campaign.undo()
    lines = campaign.history(IDS[0])
    assert [line.kind for line in lines] == ["answer", "answer", "undo", "undo"]
    campaign.take_back(lines[-1])
    assert campaign.current(IDS[0]).verdict == 10
    fresh = Campaign(tmp_path, None, "ann")
    assert fresh.current(IDS[0]).verdict == 10
    assert len(fresh.history(IDS[0])) == 5


def test_resume_at_the_first_gap_in_the_lists_own_order(tmp_path: Path) -> None:
    ids = (50, 10, 40, 20, 30)
    campaign = plain(tmp_path, ids=ids)
    for detectid in (50, 40, 30):
        campaign.answer(detectid, verdict=10)
    fresh = Campaign(tmp_path, None, "ann")
    assert [task.detectid for task in fresh.tasks] == list(ids)
    assert fresh.first_unanswered() == 1
    assert fresh.first_unanswered(start=2) == 3
    assert fresh.first_unanswered(start=4) == 1
    for detectid in (10, 20):
        fresh.answer(detectid, verdict=10)
    assert fresh.first_unanswered() is None
    assert fresh.progress().done == fresh.progress().total == 5


def test_duplicates_are_named_and_harmless(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, (5, 3, 5, 9, 3, 5), "ann")
    assert campaign.duplicates == {5: 3, 3: 2}
    assert campaign.definition.detectids == (5, 3, 9)
    assert Campaign(tmp_path, (5, 3, 5, 9, 3, 5), "bob").definition == campaign.definition


def test_another_list_needs_another_version(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, (1, 2), "ann")
    campaign.answer(1, verdict=10)
    with pytest.raises(DataError, match="another list"):
        Campaign(tmp_path, (2, 1), "ann")
    define(tmp_path, Definition((1, 2, 3), note="one more"), "ann")
    grown = Campaign(tmp_path, None, "ann")
    assert grown.definition.version == 2
    assert grown.is_answered(1)
    assert grown.answer(3, verdict=10).definition == 2
    assert [answer.definition for answer in grown.answers()] == [1, 2]


def test_a_definition_changed_by_hand_is_refused(tmp_path: Path) -> None:
    Campaign(tmp_path, (1, 2), "ann")
    path = versions(tmp_path)[1]
    path.write_text(path.read_text().replace("[1, 2]", "[1, 2, 3]"))
    with pytest.raises(DataError, match="by hand"):
        Campaign(tmp_path, None, "ann")
    path.write_text("nonsense")
    with pytest.raises(DataError, match="no definition"):
        load(path)


def test_nobody_answers_anonymously(tmp_path: Path) -> None:
    plain(tmp_path)
    for nobody in ("", "  "):
        with pytest.raises(DataError, match="inspector"):
            Campaign(tmp_path, None, nobody)
    with pytest.raises(DataError, match="anonymous"):
        Campaign(tmp_path).answer(IDS[0], verdict=1)
    with pytest.raises(DataError, match="who makes"):
        Campaign(tmp_path / "new", (1,))


@pytest.mark.parametrize(
    "fields",
    [{"verdict": 7}, {"quality": 5}, {"verdict": True}, {"counterpart_code": 8}, {"redshift": float("inf")},
     {"aperture": (0.0, 1.0, 2.0)}, {"comment": 7}, {"nonsense": 1}, {"time": "then"}, {"extra": {"no such": 1}}],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_not_written(tmp_path: Path, fields: dict) -> None:
    campaign = plain(tmp_path)
    with pytest.raises(DataError):
        campaign.answer(IDS[0], **fields)
    assert campaign.history(IDS[0]) == []
    with pytest.raises(DataError, match="not of this campaign"):
        campaign.answer(77, verdict=1)


def test_own_columns(tmp_path: Path) -> None:
    columns = (
        Column("broad", "yes/no"),
        Column("size", "number"),
        Column("sort", "choice", ("a", "b")),
        Column("said"),
    )
    campaign = Campaign(tmp_path, None, "ann", definition=Definition(IDS, columns=columns))
    campaign.answer(IDS[0], extra={"broad": True, "size": "2.5"})
    campaign.answer(IDS[0], extra={"sort": "b", "size": None})
    assert campaign.current(IDS[0]).extra == {"broad": True, "sort": "b"}
    with pytest.raises(DataError, match="one of a, b"):
        campaign.answer(IDS[0], extra={"sort": "c"})
    with pytest.raises(DataError, match="numbers"):
        campaign.answer(IDS[0], extra={"size": "big"})


def test_two_tabs_of_one_person(tmp_path: Path) -> None:
    """Both write; each sees the other's after a refresh; the later answer holds, and none is lost."""
    one, other = plain(tmp_path), plain(tmp_path)
    one.answer(IDS[0], verdict=10)
    other.answer(IDS[1], verdict=10)
    other.answer(IDS[0], verdict=1)
    one.replay.refresh()
    other.replay.refresh()
    assert one.current(IDS[0]) == other.current(IDS[0])
    assert one.current(IDS[0]).verdict == 1
    assert one.is_answered(IDS[1])
    assert [line.verdict for line in one.history(IDS[0])] == [10, 1]


def test_a_clock_that_goes_back_changes_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = plain(tmp_path)
    campaign.answer(IDS[0], verdict=10)

    class Early(campaign_module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(campaign_module, "datetime", Early)
    campaign.answer(IDS[0], verdict=1)
    later = Campaign(tmp_path, None, "ann")
    later.answer(IDS[0], verdict=3)
    assert Campaign(tmp_path, None, "ann").current(IDS[0]).verdict == 3


def test_others_only_after_ones_own_answer(tmp_path: Path) -> None:
    ann, bob = plain(tmp_path), plain(tmp_path, "bob")
    ann.answer(IDS[0], verdict=1, identity="Lya")
    with pytest.raises(DataError, match="answer first"):
        bob.others(IDS[0])
    bob.answer(IDS[0], comment="not yet a verdict")
    with pytest.raises(DataError, match="answer first"):
        bob.others(IDS[0])
    bob.answer(IDS[0], verdict=10)
    assert [(each.inspector, each.verdict) for each in bob.others(IDS[0])] == [("ann", 1)]
    bob.answer(IDS[0], verdict=1)
    # what was said before looking is what agreement is judged by
    blind = {each.inspector: each.verdict for each in Campaign(tmp_path).answers(blind=True)}
    holds = {each.inspector: each.verdict for each in Campaign(tmp_path).answers()}
    assert blind == {"ann": 1, "bob": 10}
    assert holds == {"ann": 1, "bob": 1}
    assert [line.kind for line in bob.history(IDS[0])] == ["answer", "answer", "looked", "answer"]


def test_nobody_takes_back_what_another_said(tmp_path: Path) -> None:
    said = plain(tmp_path).answer(IDS[0], verdict=1)
    with pytest.raises(DataError, match="answer of ann"):
        plain(tmp_path, "bob").take_back(said)


def test_last_ten(tmp_path: Path) -> None:
    campaign = plain(tmp_path)
    for detectid in IDS[:15]:
        campaign.answer(detectid, verdict=10)
    campaign.answer(IDS[2], verdict=1)
    expected = [IDS[2], *reversed(IDS[6:15])]
    assert [each.detectid for each in campaign.recent()] == expected
    assert [each.detectid for each in Campaign(tmp_path, None, "ann").recent()] == expected


def test_time_adds_up_over_corrections(tmp_path: Path) -> None:
    campaign = plain(tmp_path)
    campaign.answer(IDS[0], verdict=10, seconds=4.0)
    campaign.answer(IDS[0], verdict=1, seconds=2.5)
    assert campaign.seconds_on(IDS[0]) == 6.5
    assert campaign.progress().seconds == 6.5


def test_the_automatic_answer_is_the_datas_whatever_a_person_says() -> None:
    measurements = measure(factories.make_bare_detection())
    free, asserted = interpret(measurements), interpret(measurements, identity="OII")
    one, other = automatic_answer(free), automatic_answer(asserted)
    assert asserted.identity == "OII"
    assert one["identity"] == other["identity"] == free.identity
    assert one["p_lya"] == pytest.approx(other["p_lya"])
    assert one["p_lya"] == pytest.approx(free.p_lya, abs=1e-6)
    json.dumps([one, other], allow_nan=False)


# ---------------------------------------------------------------------------------- repeats and known objects


def test_blind_repeats_are_two_per_cent_and_always_the_same() -> None:
    ids = tuple(range(100_000, 125_000))
    definition = Definition(ids)
    queue = tasks(definition, "ann")
    again = [task for task in queue if task.occasion]
    assert len(again) == pytest.approx(500, abs=2)
    assert queue == tasks(definition, "ann")
    assert repeated(definition, "ann") != repeated(definition, "bob")
    first = {task.detectid: place for place, task in enumerate(queue) if not task.occasion}
    gaps = [place - first[task.detectid] for place, task in enumerate(queue) if task.occasion]
    assert min(gaps) >= GAP
    assert max(gaps) <= GAP + SPREAD + 5  # other repeats may lie between
    assert [task.detectid for task in queue if not task.occasion] == list(ids)
    # they come evenly, so that a single night has its share
    assert sum(task.occasion for task in queue[:5000]) == pytest.approx(100, abs=3)


def test_a_repeat_asks_anew_and_keeps_the_others_back(tmp_path: Path) -> None:
    ids = tuple(range(200))
    ann, bob = Campaign(tmp_path, ids, "ann"), Campaign(tmp_path, None, "bob")
    twice = next(task.detectid for task in bob.tasks if task.occasion)
    ann.answer(twice, verdict=1)
    bob.answer(twice, verdict=10)
    assert not bob.is_answered(twice, 1)
    assert bob.kept_back(twice)
    with pytest.raises(DataError, match="kept back"):
        bob.others(twice)
    bob.answer(twice, 1, verdict=1)
    assert bob.current(twice).verdict == 10
    assert len(bob.others(twice)) == 1


def test_what_is_never_repeated_is_not_kept_back(tmp_path: Path) -> None:
    """In a short list there is no place for a repeat far enough behind its first showing."""
    campaign = Campaign(tmp_path, range(15), "ann")
    assert all(task.occasion == 0 for task in campaign.tasks)
    for detectid in range(15):
        campaign.answer(detectid, verdict=10)
        assert campaign.others(detectid) == []


def test_known_objects_are_strewn_in_at_the_same_places() -> None:
    definition = Definition(tuple(range(100)), known={900: {"verdict": 1}, 901: {"verdict": 10}, 5: {}}, repeats=0.0)
    ann, bob = tasks(definition, "ann"), tasks(definition, "bob")
    assert ann == bob
    assert len(ann) == 102
    assert {Task(900), Task(901)} <= set(ann)
    assert [task.detectid for task in ann if task.detectid < 100] == list(range(100))


# --------------------------------------------------------------------------------------------------- merging


def test_journals_of_two_computers(tmp_path: Path) -> None:
    here, there = (
        plain(tmp_path / "here"),
        Campaign(tmp_path / "there", None, "bob", definition=Definition(IDS, repeats=0.0)),
    )
    here.answer(IDS[0], verdict=1)
    there.answer(IDS[0], verdict=10)
    done = merge_journals([tmp_path / "here", tmp_path / "there"], tmp_path / "all")
    assert len(done.new) == 2
    again = merge_journals([tmp_path / "here", tmp_path / "there"], tmp_path / "all")
    assert (again.new, again.grown, len(again.known)) == ((), (), 2)
    there.answer(IDS[1], verdict=10)
    assert len(merge_journals([tmp_path / "there"], tmp_path / "all").grown) == 1
    everything = Campaign(tmp_path / "all")
    assert sorted((each.inspector, each.detectid) for each in everything.answers()) == [
        ("ann", IDS[0]), ("bob", IDS[0]), ("bob", IDS[1]),
    ]  # fmt: skip
    assert isnan(everything.answers()[0].redshift)


def test_merging_refuses_what_does_not_belong_together(tmp_path: Path) -> None:
    one = plain(tmp_path / "one")
    one.answer(IDS[0], verdict=1)
    Campaign(tmp_path / "two", (1, 2, 3), "bob")
    with pytest.raises(DataError, match="different definitions"):
        merge_journals([tmp_path / "one", tmp_path / "two"], tmp_path / "all")
    with pytest.raises(DataError, match="no campaign"):
        merge_journals([tmp_path], tmp_path / "all")
    merge_journals([tmp_path / "one"], tmp_path / "copy")
    (journal,) = (tmp_path / "copy" / "answers" / "ann").iterdir()
    journal.write_bytes(b"something else\n")
    done = merge_journals([tmp_path / "one"], tmp_path / "copy")
    assert len(done.refused) == 1
    assert journal.read_bytes() == b"something else\n"
