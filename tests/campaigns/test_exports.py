"""Tables of answers: everything that goes in comes out again."""

from __future__ import annotations

from math import nan
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elixer_widgets import write_catalog
from elixer_widgets.campaigns import Answer
from elixer_widgets.campaigns.answers import from_record, to_record
from elixer_widgets.campaigns.choices import COUNTERPARTS, LABELS, QUALITIES, VERDICTS
from elixer_widgets.campaigns.exports import add_to_catalog, read_answers, row, write_answers
from elixer_widgets.campaigns.journal import decode, encode
from elixer_widgets.detection import DataError
from tests import factories

# what nobody can type and no file of text can hold: halves of pairs, and NUL
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60)
NAME = st.text('abcÄé .-,"7', max_size=12).map(str.strip)
NUMBER = st.one_of(st.just(nan), st.floats(allow_nan=False, allow_infinity=False))
FINITE = st.floats(0.0, 1e6)
ANSWERS = st.builds(
    Answer,
    detectid=st.integers(0, 2**63 - 1),
    occasion=st.sampled_from([0, 1]),
    verdict=st.sampled_from([None, *VERDICTS]),
    quality=st.sampled_from([None, *QUALITIES]),
    label=st.sampled_from(["", *LABELS]),
    identity=st.sampled_from(["", "Lya", "OII"]),
    redshift=NUMBER,
    redshift_err=NUMBER,
    counterpart=NAME,
    counterpart_code=st.sampled_from([None, *COUNTERPARTS]),
    aperture=st.one_of(st.none(), st.tuples(st.floats(0.1, 9.0), FINITE, st.just(nan))),
    comment=st.one_of(
        TEXT, st.just('two\nlines, "quoted"\r\nthree'), st.just("x" * 5000), st.just("nan"), st.just("?")
    ),
    extra=st.dictionaries(TEXT, st.one_of(TEXT, FINITE, st.booleans()), max_size=3),
    imported_class=st.sampled_from([None, -1, 5]),
    seconds=FINITE,
    time=st.just("2026-11-23T21:55:01.000001+00:00"),
    inspector=NAME,
    user=NAME,
    session=st.just("s"),
    number=st.integers(0, 10**6),
    definition=st.integers(0, 99),
    package=NAME,
    data=NAME,
    automatic=st.dictionaries(TEXT, FINITE, max_size=3),
    regarding=st.lists(TEXT, max_size=3).map(tuple),
    source=NAME,
)


def same(one: Answer, other: Answer) -> bool:
    """Equal, a missing number being equal to a missing number."""
    return repr(one) == repr(other)


@settings(deadline=None, max_examples=60)
@given(answer=ANSWERS)
def test_a_line_holds_everything(answer: Answer) -> None:
    raw = encode(to_record(answer))
    assert raw.count(b"\n") == 1
    line = decode(raw[:-1])
    assert line is not None
    assert same(from_record(line.record), answer)
    assert (line.detectid, line.occasion, line.verdict) == (answer.detectid, answer.occasion, answer.verdict)
    assert (line.kind, line.time, line.inspector) == (answer.kind, answer.time, answer.inspector)


@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".h5"])
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, ending: str) -> None:
    folder = tmp_path_factory.mktemp("tables")

    @settings(deadline=None, max_examples=20)
    @given(answers=st.lists(ANSWERS, max_size=4))
    def check(answers: list[Answer]) -> None:
        path = write_answers(answers, folder / f"answers{ending}")
        found = read_answers(path)
        assert len(found) == len(answers)
        for one, other in zip(found, answers, strict=True):
            assert same(one, other)

    check()


def test_into_a_catalogue_and_again(tmp_path: Path) -> None:
    """The published tables stay as they were, byte for byte; a second time replaces the answers of the first."""
    path = write_catalog([factories.make_interpretation()], tmp_path / "cat.h5")
    with h5py.File(path) as file:
        before = {name: file[name][:].tobytes() for name in ("Detections", "SpectraLines", "Aperture")}
        own = set(file["ElixerWidgets"])
    first = [Answer(1, verdict=10, comment="old")]
    second = [Answer(1, verdict=1, comment="a longer comment than before: é" * 30), Answer(2)]
    add_to_catalog(first, path)
    add_to_catalog(second, path)
    assert [same(one, other) for one, other in zip(read_answers(path), second, strict=True)] == [True, True]
    with h5py.File(path) as file:
        assert {name: file[name][:].tobytes() for name in before} == before
        assert set(file["ElixerWidgets"]) == own | {"Answers"}
    assert [each.name for each in tmp_path.iterdir()] == ["cat.h5"]


def test_pytables_opens_the_table(tmp_path: Path) -> None:
    tables = pytest.importorskip("tables", reason="PyTables is not installed")
    path = write_answers([Answer(7, verdict=1, comment="seen"), Answer(8)], tmp_path / "answers.h5")
    with tables.open_file(str(path)) as file:
        found = file.root.Answers.read_where("verdict == 1")
    assert found["detectid"].tolist() == [7]
    assert found["comment"].tolist() == [b"seen"]


def test_rows_say_it_for_people() -> None:
    found = row(Answer(7, verdict=15, quality=0))
    assert (found["vis_class"], found["verdict_name"]) == (-1, "cosmic ray")
    assert row(Answer(7))["verdict"] == -999
    assert np.isnan(row(Answer(7))["redshift"])


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ending"):
        write_answers([], tmp_path / "answers.txt")
    with pytest.raises(DataError, match="no file of answers"):
        read_answers(tmp_path / "nowhere.csv")
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(DataError, match="no HDF5 catalogue"):
        add_to_catalog([], tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(DataError, match="no table"):
        read_answers(tmp_path / "other.h5")
