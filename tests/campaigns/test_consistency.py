"""Every verdict with every quality, identity and kind: what is refused, what is asked, what is exported."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import isfinite, isnan, nan
from pathlib import Path

import pytest

from elixer_widgets.campaigns import Answer, Campaign
from elixer_widgets.campaigns.answers import to_record
from elixer_widgets.campaigns.choices import LABELS, QUALITIES, VERDICTS, VIS_CLASSES
from elixer_widgets.campaigns.consistency import (
    Contradiction,
    Line,
    conflicts,
    contradiction,
    exported,
    group_of,
    question,
    refuse,
)
from elixer_widgets.campaigns.elixer_cls import import_answers, read, write
from elixer_widgets.campaigns.exports import read_answers, row, write_answers
from elixer_widgets.campaigns.journal import encode
from elixer_widgets.campaigns.together import agreement, consensus, report
from elixer_widgets.classification.identities import IDENTITIES

# the rules once more, in other words than those of the table
REAL, CONTINUUM, CANNOT_TELL = (1, 2), 3, 90
ARTIFACTS = tuple(range(11, 20))
NOTHING = (4, 10, *ARTIFACTS)
DISTANT_LINES = ("Lya", "CIV", "CIII", "HeII")
TYPICAL = {
    "Lya": 2.7, "OII": 0.2, "OIII": 0.02, "Hb": 0.03, "Hg": 0.1, "CIV": 1.9, "CIII": 1.4, "HeII": 1.7, "MgII": 0.7,
}  # fmt: skip
OFFERED = (Line("Lya", 2.7, 0.001), Line("OII", 0.2))


def everything() -> Iterator[Answer]:
    for verdict, quality, identity, label, shifted in product(
        (None, *VERDICTS), (None, *QUALITIES), ("", *IDENTITIES), ("", *LABELS), (False, True)
    ):
        z = TYPICAL.get(identity, 0.0) if shifted else nan
        yield Answer(7, verdict=verdict, quality=quality, identity=identity, label=label, redshift=z)


ALL = tuple(everything())


def must_conflict(answer: Answer) -> bool:
    """What nobody can mean, by the guidelines of verdicts, qualities and kinds."""
    if answer.verdict in REAL and (answer.quality == 0 or answer.identity in ("artifact", "noise")):
        return True
    if answer.verdict == 1 and answer.identity == "star":
        return True
    if answer.verdict == CONTINUUM and (answer.quality == 0 or answer.identity in ("artifact", "noise")):
        return True
    if answer.verdict in NOTHING and (
        answer.identity in TYPICAL or answer.identity in ("other", "star") or isfinite(answer.redshift)
        or answer.quality in (3, 4) or answer.label in ("AGN", "gal", "LAB", "LzG", "PNe", "star", "WD")
    ):  # fmt: skip
        return True
    if answer.verdict == CANNOT_TELL and (answer.identity or isfinite(answer.redshift) or answer.quality in (3, 4)):
        return True
    if answer.verdict is not None and answer.label in ("star", "WD", "LzG", "PNe") and answer.identity in DISTANT_LINES:
        return True
    return answer.verdict is not None and answer.label == "LAB" and answer.identity in ("OII", "OIII", "MgII", "star")


def must_fit(answer: Answer) -> bool:
    """What people say every day."""
    bare = not answer.identity and not answer.label and isnan(answer.redshift)
    if answer.verdict is None:
        return True
    if answer.verdict in NOTHING:
        return bare and answer.quality in (None, 0, 1)
    if answer.verdict == CANNOT_TELL:
        return bare and answer.quality in (None, 0)
    if answer.quality == 0:
        return False
    return (not answer.label and answer.identity in TYPICAL) or bare


def test_the_product_is_whole() -> None:
    assert len(ALL) == (1 + 15) * (1 + 5) * (1 + 13) * (1 + 9) * 2


def test_what_nobody_can_mean_is_a_conflict_and_what_people_say_is_none() -> None:
    for answer in ALL:
        if must_conflict(answer):
            assert conflicts(answer), answer
            with pytest.raises(Contradiction, match="nothing is stored"):
                refuse(answer)
        if must_fit(answer):
            assert not conflicts(answer), answer
            refuse(answer)


def test_every_conflict_is_asked_about_and_every_way_ends_it() -> None:
    for answer in ALL:
        asked = question(answer, OFFERED)
        if conflicts(answer):
            assert asked is not None, answer
        if asked is None:
            continue
        assert asked.words.endswith("?")
        assert 1 <= len(asked.ways) <= 4
        for way in asked.ways:
            fields = {**{name: getattr(answer, name) for name in ("verdict", "quality", "identity", "label")},
                      "redshift": answer.redshift, **way.fields}  # fmt: skip
            assert question(Answer(7, **fields), OFFERED) is None, (answer, way)


def test_a_line_of_quality_3_or_4_needs_an_identity_and_a_redshift() -> None:
    for quality, identity in product((3, 4), ("", "Lya")):
        asked = question(Answer(7, verdict=1, quality=quality, identity=identity), OFFERED)
        assert [way.words for way in asked.ways][:2] == ["Lyα z 2.7000", "[O II] z 0.2000"]
        assert asked.ways[2].fields["quality"] == 2
    assert question(Answer(7, verdict=1, quality=2)) is None
    assert question(Answer(7, verdict=1, quality=4, identity="Lya", redshift=2.7)) is None


def test_what_is_exported() -> None:
    for answer in ALL:
        safe = exported(answer)
        assert safe.vis_class in (0, *VIS_CLASSES)
        if answer.verdict in NOTHING or answer.verdict == CANNOT_TELL:
            assert isnan(safe.redshift), answer
            assert safe.identity not in TYPICAL
            assert safe.flag == 1
        if answer.verdict in ARTIFACTS:
            assert safe.vis_class == -1
        if answer.verdict in (4, 10):
            assert safe.vis_class in (1, 2)
        if safe.vis_class == 5:
            assert safe.redshift > 1.0, answer
            assert answer.quality in (3, 4)
            assert not conflicts(answer)
        if safe.vis_class in (3, 4, 5, 11, 12):
            assert answer.verdict in (1, 2, 3)
        if answer.verdict in (*REAL, CONTINUUM) and must_conflict(answer):
            # nothing is claimed, and somebody looks again
            assert (safe.vis_class, safe.flag, safe.identity) == (0, 0, ""), answer
            assert isnan(safe.redshift)
            assert group_of(answer) == ""
        if safe.vis_class == 11 and isfinite(safe.redshift):
            assert safe.redshift <= 1.0, answer
        if answer.verdict is None:
            assert (safe.vis_class, safe.flag) == (0, 0)
        if safe.identity in ("artifact", "noise"):
            assert isnan(safe.redshift)


@pytest.mark.parametrize("z", [-0.18, 99.0, -1.0])
def test_a_redshift_that_no_source_has_is_refused(z: float) -> None:
    with pytest.raises(Contradiction, match="redshift"):
        refuse(Answer(7, verdict=1, quality=3, identity="OIII", redshift=z))


# ----------------------------------------------------------------------------------------- where the table is used


def test_nothing_that_contradicts_itself_is_stored(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, (7, 8), "ann")
    for fields in (
        {"verdict": 1, "quality": 3, "identity": "artifact"},
        {"verdict": 1, "quality": 0},
        {"verdict": 15, "redshift": 2.7},
        {"verdict": 10, "identity": "Lya"},
    ):
        with pytest.raises(Contradiction):
            campaign.answer(7, **fields)
        with pytest.raises(Contradiction):
            Campaign(tmp_path, None, "ann").answer(7, **fields)
    assert campaign.history(7) == []
    campaign.answer(7, verdict=15)
    with pytest.raises(Contradiction):
        campaign.answer(7, redshift=2.7)
    with pytest.raises(Contradiction):
        campaign.adjudicate(7, verdict=1, quality=3, identity="noise")
    assert len(campaign.history(7)) == 1


def old_journal(folder: Path, *answers: Answer) -> Campaign:
    """A campaign with lines as earlier versions wrote them."""
    Campaign(folder, (7, 8, 9), "ann").close()
    for number, answer in enumerate(answers, 1):
        record = to_record(answer) | {
            "inspector": "old", "time": f"2026-11-23T00:00:0{number}.000000+00:00", "session": "s", "number": number,
        }  # fmt: skip
        path = folder / "answers" / "old" / "s-01.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(encode(record))
    return Campaign(folder, None, "old")


def test_an_old_contradiction_is_kept_marked_and_exported_as_what_is_safe(tmp_path: Path) -> None:
    campaign = old_journal(
        tmp_path / "c",
        Answer(7, verdict=1, quality=3, identity="artifact"),
        Answer(8, verdict=15, quality=0, redshift=2.7, identity="Lya"),
        Answer(9, verdict=1, quality=3, identity="Lya", redshift=2.7),
    )
    assert campaign.current(7).identity == "artifact"
    # a remark does not have to wait until it is mended
    assert campaign.answer(7, comment="hm").comment == "hm"
    written = write((7, 8, 9), campaign.answers(), tmp_path / "elixer_cls.dat")
    assert written.contradicting == (7, 8)
    assert [(each.vis_class, each.flag, each.z) for each in read(written.path).rows[2:]] == [(5, 1, 2.7)]
    assert [(each.vis_class, each.flag) for each in read(written.path).rows[:2]] == [(0, 0), (-1, 1)]
    assert all(isnan(each.z) for each in read(written.path).rows[:2])
    for ending in (".csv", ".ecsv", ".h5"):
        found = read_answers(write_answers(campaign.answers(), tmp_path / f"a{ending}"))
        assert [(each.identity, each.redshift) for each in found[1:]] == [("Lya", 2.7), ("Lya", 2.7)]
    marked = row(campaign.current(8))
    assert (marked["identity"], marked["vis_class"]) == ("", -1)
    assert isnan(marked["redshift"])
    assert "Lyα" in marked["contradiction"]
    assert row(campaign.current(9))["contradiction"] == ""
    assert "contradict themselves" in report(campaign)
    assert [each.how for each in consensus(campaign)] == ["open", "one answer", "one answer"]
    # with somebody who says the same, a contradiction is no vote
    Campaign(tmp_path / "c", None, "ann").answer(7, verdict=1, quality=2)
    assert agreement(Campaign(tmp_path / "c").answers())[0].subjects == 0


def test_an_imported_contradiction_is_kept_and_named(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text("7 -1 1 2.5 -1 ?\n8 5 1 2.5 -1 ?\n9 0 1 0.4 -1 ?\n")
    campaign = Campaign(tmp_path / "c", (7, 8, 9), "ann")
    notes = import_answers(campaign, path).notes
    (note,) = [each for each in notes if "contradicting" in each]
    assert "7" in note
    assert "9" in note
    assert campaign.current(7).redshift == 2.5
    assert isnan(row(campaign.current(7))["redshift"])
    assert contradiction(campaign.current(8)) == ""
    assert import_answers(campaign, path).written == 0
