"""Journals and files that another program or an accident made: told, never a traceback, nothing spoiled."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from math import isnan
from pathlib import Path

import numpy as np
import pytest

from elixer_widgets.campaigns import Campaign, Definition, merge_journals, restore
from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.elixer_cls import import_answers, write
from elixer_widgets.campaigns.exports import read_answers, write_answers
from elixer_widgets.campaigns.facts import facts_of_answers
from elixer_widgets.campaigns.together import agreement, consensus, disagreements, report
from elixer_widgets.detection import DataError
from elixer_widgets.widgets.dashboard import CAMPAIGN_VARIABLE, INSPECTOR_VARIABLE, campaign_of

IDS = (7, 8, 9)
GOOD = {
    "v": 1, "kind": "answer", "detectid": 7, "occasion": 0, "verdict": 10, "time": "2026-11-23T00:00:00.000000+00:00",
    "inspector": "eve", "quality": 0, "session": "s", "number": 1,
}  # fmt: skip


def sealed(text: str) -> bytes:
    """A line with a right checksum, whatever it holds."""
    body = text.encode("utf-8", "surrogatepass")
    return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body[:-1]))


def line(**changes: object) -> bytes:
    return sealed(json.dumps(GOOD | changes, separators=(",", ":")))


def campaign_with(folder: Path, content: bytes, inspector: str = "eve") -> Campaign:
    """Two who agree, and a journal of a third."""
    definition = Definition(IDS, repeats=0.0)
    for name in ("ann", "bob"):
        campaign = Campaign(folder, None, name, definition=definition)
        campaign.answer(7, verdict=10, quality=0)
        campaign.answer(8, verdict=1, quality=2)
        campaign.close()
    path = folder / "answers" / inspector / "s-01.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Campaign(folder, None, "ann")


def use_everything(campaign: Campaign, folder: Path) -> None:
    """All that a report, a page and an export ask for."""
    report(campaign)
    for aspect in ("group", "verdict", "class", "identity", "quality"):
        assert agreement(campaign.answers(), aspect)[0].subjects >= 1
    disagreements(campaign)
    consensus(campaign)
    facts_of_answers(campaign)
    campaign.others(7)
    for inspector in ("ann", "bob", "eve"):
        for each in IDS:
            campaign.history(each, inspector=inspector)
            campaign.seconds_on(each, inspector=inspector)
    for ending in (".csv", ".ecsv", ".h5"):
        read_answers(write_answers(campaign.answers(), folder / f"all{ending}"))
    fresh = Campaign(campaign.path, None, "eve")
    assert fresh.answer(9, verdict=3).verdict == 3


HOSTILE = {
    "verdict of another kind": line(verdict="10"),
    "verdict as a list": line(verdict=[1]),
    "verdict that does not exist": line(verdict=55),
    "truth value for a number": line(verdict=True),
    "verdict 1.0": line(verdict=1.0),
    "detectid as text": line(detectid="7"),
    "detectid as a float": line(detectid=7.0),
    "negative detectid": line(detectid=-7),
    "huge detectid": sealed(
        json.dumps(GOOD, separators=(",", ":")).replace('"detectid":7', '"detectid":' + "7" * 5000)
    ),
    "detectid beyond any float": line(detectid=10**400),
    "occasion 7": line(occasion=7),
    "occasion as text": line(occasion="0"),
    "unknown kind": line(kind="shout"),
    "kind as a number": line(kind=3),
    "quality as text": line(quality="good"),
    "quality 9": line(quality=9),
    "NaN": sealed(json.dumps(GOOD | {"redshift": float("nan")}).replace(": ", ":").replace(", ", ",")),
    "infinite": sealed(json.dumps(GOOD | {"redshift": float("inf")}, separators=(",", ":"))),
    "redshift as text": line(redshift="2.7"),
    "nested label": line(label={"a": [1]}),
    "identity as a list": line(identity=["Lya"]),
    "comment as a number": line(comment=5),
    "comment of 10 MB": line(comment="x" * 10_000_000),
    "seconds as text": line(seconds="many"),
    "seconds endless": line(seconds=-1e300),
    "extra as a list": line(extra=[1]),
    "extra nested": line(extra={"a": {"b": {}}}),
    "automatic as text": line(automatic="Lya"),
    "automatic nested": line(automatic={"flags": [1], "p_lya": {}}),
    "aperture of two": line(aperture=[1.5, 2.0]),
    "aperture as text": line(aperture="big"),
    "regarding numbers": line(regarding=[1, 2]),
    "undo of nothing": line(kind="undo"),
    "undo of a list": line(kind="undo", undoes=[1]),
    "later version": line(v=99),
    "version as text": line(v="1"),
    "time as a number": line(time=5),
    "time at the end of the world": line(time="9999-12-31T23:59:59.999999+00:00"),
    "no time": line(time=""),
    "a field twice": sealed(json.dumps(GOOD, separators=(",", ":"))[:-1] + ',"detectid":8}'),
    "another's name": line(inspector="ann"),
    "name as a path": line(inspector="../../ann"),
    "name read from right to left": line(inspector="e\u202eve"),
    "name with control characters": line(inspector="eve\x07"),
    "no name": line(inspector=""),
    "name as a number": line(inspector=5),
    "a list": sealed("[1,2,3]"),
    "deep": sealed('{"v":1,"a":' + "[" * 20_000 + "]" * 20_000 + "}"),
    "empty object": sealed("{ }"),
    "half a letter": line(comment="\ud800"),
    "NUL": line(comment="a\0b"),
    "NUL bytes": b"\0" * 4096 + b"\n",
    "UTF-16": line().decode().encode("utf-16"),
    "no line at all": b"\xff\xfe\xfd garbage \n\n\n",
    "number as text": line(number="1"),
    "session as a list": line(session=["s"]),
    "imported class 77": line(imported_class=77),
    "counterpart 5": line(counterpart_code=5),
}
HARMLESS = {"undo of nothing", "half a letter", "NUL"}
"""What is odd and can be taken as it is."""


@pytest.mark.parametrize("what", HOSTILE)
def test_one_hostile_line_spoils_nothing_and_is_named(tmp_path: Path, what: str) -> None:
    campaign = campaign_with(tmp_path / "c", HOSTILE[what])
    assert agreement(campaign.answers())[0].value == 1.0
    use_everything(campaign, tmp_path)
    assert bool(campaign.problems) == (what not in HARMLESS)
    assert all(len(each) < 1000 for each in campaign.problems)
    assert (tmp_path / "c" / "answers" / "eve" / "s-01.jsonl").read_bytes() == HOSTILE[what]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + line(), line()[:-1] + b"\r\n"], ids=["mark", "carriage return"])
def test_what_editors_put_in_is_read(tmp_path: Path, content: bytes) -> None:
    campaign = campaign_with(tmp_path, content)
    assert campaign.current(7, inspector="eve").verdict == 10


@pytest.mark.parametrize("what", ["folder", "pipe", "link in a circle", "link to nowhere", "circle of folders"])
def test_journals_that_are_no_files_are_passed_over_and_named(tmp_path: Path, what: str) -> None:
    campaign_with(tmp_path / "c", line())
    path = tmp_path / "c" / "answers" / "eve" / "t-01.jsonl"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "circle of folders":
        (tmp_path / "c" / "answers" / "loop").symlink_to(tmp_path / "c" / "answers" / "loop")
    else:
        path.symlink_to(path if what == "link in a circle" else tmp_path / "nowhere")
    campaign = Campaign(tmp_path / "c", None, "ann")
    use_everything(campaign, tmp_path)
    if what != "circle of folders":
        assert any("t-01.jsonl" in each for each in campaign.problems)


# ------------------------------------------------------------------------------------------------ emptied journals


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes().split(b"\n")[0] + b"\n")


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [emptied, shortened, removed])
def test_a_journal_that_lost_answers_is_told_and_comes_back(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    campaign = Campaign(tmp_path, None, "ann", definition=Definition(IDS, repeats=0.0))
    for each in IDS:
        campaign.answer(each, verdict=10)
    campaign.close()
    (path,) = (tmp_path / "answers" / "ann").iterdir()
    harm(path)
    left = path.read_bytes() if path.exists() else None
    fresh = Campaign(tmp_path, None, "ann")
    assert any(path.name in each and "restore" in each for each in fresh.problems)
    merged = merge_journals([tmp_path], tmp_path.parent / f"{tmp_path.name}-merged")
    assert any(path.name in each for each in merged.refused)
    (made,) = restore(tmp_path)
    assert made != path
    assert (path.read_bytes() if path.exists() else None) == left
    again = Campaign(tmp_path, None, "ann")
    assert all(again.is_answered(each) for each in IDS)
    assert [len(again.history(each)) for each in IDS] == [1, 1, 1]
    assert again.problems == []
    assert restore(tmp_path) == ()


@pytest.mark.parametrize("harm", [emptied, shortened, removed])
def test_a_journal_that_is_emptied_under_an_open_page_loses_nothing(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    campaign = Campaign(tmp_path, None, "ann", definition=Definition(IDS, repeats=0.0))
    watching = Campaign(tmp_path, None, "bob")
    campaign.answer(7, verdict=10)
    campaign.answer(8, verdict=10)
    watching.replay.refresh()
    (path,) = (tmp_path / "answers" / "ann").iterdir()
    harm(path)
    left = path.read_bytes() if path.exists() else None
    campaign.answer(9, verdict=3)
    # what is said now goes to a file of its own, and everybody reads it
    assert (path.read_bytes() if path.exists() else None) == left
    watching.replay.refresh()
    assert watching.current(9, inspector="ann").verdict == 3
    assert watching.current(8, inspector="ann").verdict == 10
    assert any(path.name in each for each in watching.problems)
    assert any(path.name in each for each in Campaign(tmp_path, None, "ann").problems)


def test_a_copy_that_cannot_be_written_does_not_keep_answers_from_counting(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, IDS, "ann")
    (tmp_path / "copies").write_text("in the way")
    campaign.answer(7, verdict=10)
    assert Campaign(tmp_path, None, "ann").is_answered(7)


# ------------------------------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"verdict": np.int64(1)}, 1), ({"verdict": 1.0}, 1), ({"verdict": np.float64(10.0)}, 10),
        ({"verdict": np.array(3)[()]}, 3), ({"verdict": np.uint8(15), "quality": np.int32(0)}, 15),
        ({"verdict": 1, "redshift": np.float32(2.5), "quality": 3.0, "identity": np.str_("Lya")}, 1),
        ({"verdict": 1, "counterpart_code": np.int16(2), "aperture": np.array([1.5, 2.0, 3.0])}, 1),
    ],
)  # fmt: skip
def test_numbers_of_numpy_are_saved_and_come_back_from_every_export(tmp_path: Path, given: dict, kept: int) -> None:
    campaign = Campaign(tmp_path / "c", IDS, "ann")
    said = campaign.answer(np.int64(7), seconds=np.float64(2.0), automatic={"flags": np.int64(3)}, **given)
    assert said.verdict == kept
    assert type(said.verdict) is int
    assert (said.quality is None) or type(said.quality) is int
    fresh = Campaign(tmp_path / "c", None, "ann").current(7)
    assert repr(fresh) == repr(said)
    for ending in (".csv", ".ecsv", ".h5"):
        assert repr(read_answers(write_answers([said], tmp_path / f"a{ending}"))) == repr([said])
    other = Campaign(tmp_path / "other", IDS, "bob")
    dat = write(IDS, [said], tmp_path / "elixer_cls.dat").path
    import_answers(other, dat)
    assert write(IDS, other.answers(), tmp_path / "again.dat").path.read_bytes() == dat.read_bytes()


@pytest.mark.parametrize(
    "given",
    [{"verdict": 1.5}, {"verdict": "1"}, {"verdict": np.bool_(True)}, {"quality": float("nan")}, {"redshift": "far"},
     {"redshift": True}, {"aperture": "big"}, {"aperture": (1.0, float("inf"), 2.0)}, {"comment": b"bytes"},
     {"comment": "x" * 2_000_000}, {"verdict": float("inf")}, {"redshift": 10**400}],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, given: dict) -> None:
    campaign = Campaign(tmp_path, IDS, "ann")
    with pytest.raises(DataError):
        campaign.answer(7, **given)
    with pytest.raises(DataError):
        campaign.answer(7.5, verdict=1)
    with pytest.raises(DataError):
        campaign.answer(True, verdict=1)
    assert campaign.answers() == []


def test_a_file_with_a_name_that_is_not_utf8_is_imported_and_exported(tmp_path: Path) -> None:
    name = os.fsdecode(b"cls_\xe9.dat")
    try:
        (tmp_path / name).write_text("7 5 1 2.5 1 old\n")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    campaign = Campaign(tmp_path / "c", IDS, "ann")
    assert import_answers(campaign, tmp_path / name).written == 1
    assert campaign.current(7).source == r"cls_\udce9.dat"
    for ending in (".csv", ".ecsv", ".h5"):
        assert len(read_answers(write_answers(campaign.answers(), tmp_path / f"a{ending}"))) == 1
    # as an earlier version left it in a journal
    assert len(read_answers(write_answers([Answer(7, source=name)], tmp_path / "old.csv"))) == 1


def test_a_table_that_a_spreadsheet_saved_again(tmp_path: Path) -> None:
    said = [
        Answer(2101630949, verdict=1, quality=3, identity="Lya", redshift=2.7, comment='a, "b"; c', inspector="ann")
    ]
    path = write_answers(said, tmp_path / "a.csv")
    text = path.read_text()
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").replace("nan", "").encode())
    (found,) = read_answers(path)
    assert repr(found) == repr(said[0])
    path.write_text(text.replace("2101630949", "2.1E+09"))
    with pytest.raises(DataError, match=r"row 1.*2.1E\+09.*spreadsheets"):
        read_answers(path)
    path.write_text(text.replace(",1,emission line", ",77,emission line"))
    with pytest.raises(DataError, match=r"row 1.*verdict '77'"):
        read_answers(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column"):
        read_answers(path)


@pytest.mark.parametrize("problem", [KeyError("uid not found"), OSError("no name"), ImportError("pwd")])
def test_who_has_no_name_answers_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def nobody() -> str:
        raise problem

    Campaign(tmp_path, IDS, "ann").close()
    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setenv(CAMPAIGN_VARIABLE, str(tmp_path))
    monkeypatch.delenv(INSPECTOR_VARIABLE, raising=False)
    campaign = campaign_of("release")
    assert campaign.inspector == str(os.getuid())
    assert campaign.answer(7, verdict=10).user == str(os.getuid())


def test_a_clock_that_jumps_loses_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elixer_widgets.campaigns import campaign as module

    years = iter((2026, 2031, 2024, 2026))

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz: object = None) -> module.datetime:
            return module.datetime(next(years), 5, 1, tzinfo=module.UTC)

    campaign = Campaign(tmp_path, IDS, "ann")
    monkeypatch.setattr(module, "datetime", Clock)
    for verdict in (10, 1, 15, 3):
        campaign.answer(7, verdict=verdict)
    monkeypatch.undo()
    fresh = Campaign(tmp_path, None, "ann")
    assert fresh.current(7).verdict == 3
    times = [each.time for each in fresh.history(7)]
    assert times == sorted(set(times))
    fresh.answer(7, verdict=90)
    assert Campaign(tmp_path, None, "ann").current(7).verdict == 90
    assert isnan(fresh.current(7).redshift)
