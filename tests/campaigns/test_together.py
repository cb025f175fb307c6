"""What a group said: agreement, disagreements and how they are settled, consistency, known objects, time."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np
import pytest

from elixer_widgets import write_catalog
from elixer_widgets.campaigns import Answer, Campaign, Column, Definition
from elixer_widgets.campaigns.exports import consensus_answers
from elixer_widgets.campaigns.facts import facts_of_answers, facts_of_catalog, facts_of_index
from elixer_widgets.campaigns.queue import Facts, doubt, filtered, ordered
from elixer_widgets.campaigns.together import (
    against_known,
    agreement,
    confusion,
    consensus,
    consistency,
    differ,
    disagreements,
    report,
    times,
)
from elixer_widgets.detection import DataError
from tests import factories
from tests.widgets.fakes import FakeRelease

IDS = tuple(range(10, 20))
NAMES = ("ann", "bob", "eve")


@pytest.fixture
def group(tmp_path: Path) -> dict[str, Campaign]:
    """Three inspectors, no repeats; eve settles disagreements."""
    definition = Definition(
        IDS,
        name="test",
        repeats=0.0,
        adjudicators=("eve",),
        known={19: {"verdict": 10}, 18: {"identity": "OII", "redshift": 0.3}},
    )
    return {name: Campaign(tmp_path, None, name, definition=definition) for name in NAMES}


def refreshed(group: dict[str, Campaign]) -> Campaign:
    return Campaign(group["ann"].path, None, "eve")


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"verdict": 1}, {"verdict": 10}, "real or noise"),
        ({"verdict": 1}, {"verdict": 3}, "real or continuum"),
        ({"verdict": 10}, {"verdict": 15}, ""),
        ({"verdict": 15}, {"verdict": 17}, ""),
        ({"verdict": 1}, {"verdict": None}, ""),
        ({"verdict": 1}, {"verdict": 90}, ""),
        # Marz's rule: z differs and either is confident; or one is confident and the other is not
        ({"verdict": 1, "quality": 3, "redshift": 0.2}, {"verdict": 1, "quality": 2, "redshift": 2.4}, "redshift"),
        ({"verdict": 1, "quality": 2, "redshift": 0.2}, {"verdict": 1, "quality": 2, "redshift": 2.4}, ""),
        ({"verdict": 1, "quality": 4, "redshift": 2.4}, {"verdict": 1, "quality": 3, "redshift": 2.4004}, ""),
        ({"verdict": 1, "quality": 4, "redshift": 2.4}, {"verdict": 1, "quality": 1, "redshift": 2.4}, "confidence"),
        ({"verdict": 1, "quality": 3, "identity": "OII"}, {"verdict": 1, "quality": 3, "identity": "Lya"}, "identity"),
        ({"verdict": 1, "quality": 3, "identity": "OII"}, {"verdict": 1, "quality": 3, "identity": "OII"}, ""),
        ({"verdict": 3}, {"verdict": 3, "quality": 4}, ""),
    ],
)
def test_what_counts_as_a_disagreement(one: dict, other: dict, why: str) -> None:
    assert differ(Answer(1, **one), Answer(1, **other)) == why
    assert bool(differ(Answer(1, **other), Answer(1, **one))) == bool(why)


def test_disagreements_are_settled_by_a_line(group: dict[str, Campaign]) -> None:
    said = group["ann"].answer(15, verdict=1, quality=3, identity="OII", redshift=0.2, comment="doublet")
    group["bob"].answer(15, verdict=10)
    group["ann"].answer(12, verdict=10)
    group["bob"].answer(12, verdict=15)
    eve = refreshed(group)
    (found,) = disagreements(eve)
    assert (found.detectid, found.why) == (15, "real or noise")
    assert {each.inspector: each.comment for each in found.answers} == {"ann": "doublet", "bob": ""}
    with pytest.raises(DataError, match="eve do"):
        group["ann"].adjudicate(15, verdict=1)
    with pytest.raises(DataError, match="nobody answered"):
        eve.adjudicate(11, verdict=1)
    verdict = eve.adjudicate(15, verdict=1, quality=3, identity="OII", redshift=0.2, comment="the doublet is real")
    assert said.id in verdict.regarding
    assert len(verdict.regarding) == 2
    assert disagreements(eve) == []
    assert disagreements(eve, settled=True)[0].settled == verdict
    # nothing of what the others said is gone, and eve herself said nothing about it
    assert eve.current(15, inspector="bob").verdict == 10
    assert eve.current(15) is None
    eve.take_back(verdict)
    assert len(disagreements(eve)) == 1


def test_who_settles_has_seen_what_the_others_said(group: dict[str, Campaign]) -> None:
    group["ann"].answer(15, verdict=1)
    group["bob"].answer(15, verdict=10)
    eve = refreshed(group)
    assert len(eve.answers_about(15)) == 2
    eve.answer(15, verdict=1)
    assert {each.inspector for each in eve.answers(blind=True)} == {"ann", "bob"}
    assert {each.inspector for each in eve.answers()} == {"ann", "bob", "eve"}


def test_consensus_says_how_it_came(group: dict[str, Campaign]) -> None:
    def say(detectid: int, **verdicts: int) -> None:
        for name, verdict in verdicts.items():
            group[name].answer(detectid, verdict=verdict, quality=2)

    say(10, ann=1, bob=1, eve=10)
    say(11, ann=1, bob=10)
    say(12, ann=10, bob=15)
    say(13, eve=3)
    say(14, ann=1, bob=10)
    eve = refreshed(group)
    eve.adjudicate(14, verdict=10)
    found = {each.detectid: each for each in consensus(eve)}
    assert {key: each.how for key, each in found.items() if key < 16} == {
        10: "majority", 11: "open", 12: "all agree", 13: "one answer", 14: "settled", 15: "none",
    }  # fmt: skip
    assert found[10].answer.verdict == 1
    assert found[10].inspectors == NAMES
    assert found[11].answer is None
    assert [each.detectid for each in consensus_answers(found.values())] == [10, 12, 13, 14]


def test_confusion_counts_the_automatic_against_the_person(group: dict[str, Campaign]) -> None:
    ann = group["ann"]
    ann.answer(10, verdict=1, identity="OII", automatic={"identity": "Lya"})
    ann.answer(11, verdict=1, identity="OII", automatic={"identity": "OII"})
    ann.answer(12, verdict=15, automatic={"identity": "Lya"})
    ann.answer(13, verdict=3, label="star", automatic={"identity": "noise"})
    ann.answer(14, verdict=1, automatic={})
    assert confusion(ann.answers()) == {
        ("Lya", "OII"): 1,
        ("OII", "OII"): 1,
        ("Lya", "artifact"): 1,
        ("noise", "star"): 1,
    }


def test_known_objects_and_time(group: dict[str, Campaign]) -> None:
    ann = group["ann"]
    ann.answer(19, verdict=13, seconds=4.0)
    ann.answer(18, verdict=1, identity="OII", redshift=0.3001, seconds=20.0)
    ann.answer(17, verdict=1, seconds=6.0)
    score = against_known(ann.answers(), ann.definition.known)["ann"]
    assert score.objects == 2
    assert score.right == {"group": 0, "identity": 1, "redshift": 1}
    assert score.asked == {"group": 1, "identity": 1, "redshift": 1}
    assert times(ann) == {"ann": [4.0, 20.0, 6.0]}


def test_consistency_is_judged_by_blind_repeats(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, range(2000), "ann")
    repeats = [task.detectid for task in campaign.tasks if task.occasion]
    for place, detectid in enumerate(repeats):
        first = 1 if place % 2 else 10
        campaign.answer(detectid, verdict=first)
        campaign.answer(detectid, 1, verdict=first if place % 10 else 11 - first)
    kappa = consistency(campaign.answers())["ann"]
    assert kappa.subjects == len(repeats) == pytest.approx(40, abs=1)
    assert kappa.observed == pytest.approx(1.0 - 4 / len(repeats))


def test_agreement_of_simulated_inspectors(tmp_path: Path) -> None:
    """Two who see the truth with probability 0.8 each and else toss a coin agree beyond chance by 0.64."""
    ids = tuple(range(1500))
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 2, len(ids))
    answers = []
    for name in NAMES[:2]:
        said = np.where(generator.random(len(ids)) < 0.8, truth, generator.integers(0, 2, len(ids)))
        answers += [
            Answer(each, inspector=name, verdict=1 if real else 10) for each, real in zip(ids, said, strict=True)
        ]
    everybody, pairs = agreement(answers)
    assert everybody.low < 0.64 < everybody.high
    assert pairs["ann", "bob"].value == pytest.approx(everybody.value, abs=0.001)


def test_report_names_everybody(group: dict[str, Campaign]) -> None:
    for name in NAMES:
        for detectid in IDS:
            group[name].answer(detectid, verdict=1 if detectid % 2 else 10, seconds=5.0)
    text = report(refreshed(group))
    assert "10 detections, 3 inspectors, 0 open disagreements" in text
    assert "Fleiss' kappa: 1.00 (1.00 to 1.00)" in text
    assert all(f"| {name} | 10 | 5.0 |" in text for name in NAMES)


# ------------------------------------------------------------------------------------------- sorting, filtering


FACTS = Facts(np.array([30, 10, 20]), {"sn": np.array([5.0, 9.0, nan]), "flags": np.array([1.0, 6.0, 0.0])})


def test_sorting_keeps_the_order_of_what_is_equal_or_unknown() -> None:
    assert FACTS.of("sn", (10, 40, 30)).tolist()[::2] == [9.0, 5.0]
    assert np.isnan(FACTS.of("sn", (40,)))[0]
    assert ordered((20, 40, 30, 10), FACTS, "sn") == [10, 30, 20, 40]
    assert ordered((20, 40, 30, 10), FACTS, "sn", descending=False, unknown_last=False) == [20, 40, 30, 10]
    with pytest.raises(DataError, match="no column 'z'"):
        ordered((10,), FACTS, "z")
    assert ordered((3, 1), Facts(np.array([], int), {"sn": np.array([])}), "sn") == [3, 1]


def test_filtering() -> None:
    assert filtered((20, 30, 10), FACTS, "sn", low=6.0) == [10]
    assert filtered((20, 30, 10), FACTS, "flags", flag=2) == [10]
    assert filtered((20, 30, 10), FACTS, "flags", flag=5) == [30, 10]
    joined = FACTS.joined(Facts(np.array([10, 20]), {"p": np.array([0.5, 0.1])}))
    assert ordered((30, 20, 10), joined, "p") == [10, 20, 30]


def test_doubt_is_0_for_certainty_and_1_for_ignorance() -> None:
    assert doubt(np.array([[1.0, 0.0, 0.0, 0.0], [0.25] * 4, [0.5, 0.5, 0.0, 0.0]])).tolist() == pytest.approx(
        [0, 1, 0.5]
    )
    assert np.isnan(doubt(np.array([[nan, 1.0]])))[0]


def test_facts_of_a_catalogue_and_of_a_release(tmp_path: Path) -> None:
    interpretation = factories.make_interpretation()
    path = write_catalog([interpretation], tmp_path / "cat.h5")
    facts = facts_of_catalog(path)
    detectid = interpretation.measurements.detection.detectid
    assert facts.of("p_lya", [detectid])[0] == pytest.approx(interpretation.p_lya, abs=1e-6)
    shares = np.array([p for p in interpretation.posterior.values() if p > 0])
    expected = float(-(shares * np.log(shares)).sum() / np.log(13))
    assert facts.of("doubt", [detectid])[0] == pytest.approx(expected)
    assert facts.of("flags", [detectid])[0] == sum(flag.bit for flag in interpretation.flags)
    with pytest.raises(DataError, match="no HDF5 catalogue"):
        facts_of_catalog(tmp_path / "none.h5")
    index = FakeRelease().index()
    assert facts_of_index(index).of("sn", FakeRelease.ids).tolist() == index.sn.tolist()


def test_facts_of_what_was_said(tmp_path: Path) -> None:
    columns = (Column("size", "number"), Column("broad", "yes/no"))
    definition = Definition(IDS, columns=columns, repeats=0.0)
    ann, bob = (Campaign(tmp_path, None, name, definition=definition) for name in NAMES[:2])
    ann.answer(12, verdict=1, quality=3, extra={"size": 2.5, "broad": True}, automatic={"doubt": 0.4, "flags": 6})
    bob.answer(12, verdict=10, quality=0)
    ann.answer(11, verdict=10)
    facts = facts_of_answers(Campaign(tmp_path))
    assert facts.of("disagreement", (11, 12)).tolist() == [0.0, 1.0]
    assert [facts.of(name, (12,))[0] for name in ("answers", "quality", "size", "broad", "doubt", "flags")] == [
        2.0, 0.0, 2.5, 1.0, 0.4, 6.0,
    ]  # fmt: skip
    assert ordered(IDS, facts, "disagreement")[:2] == [12, 11]
