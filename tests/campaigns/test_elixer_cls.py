"""The file of the HETDEX widget: written as it is, read with all its traps."""

from __future__ import annotations

from math import isnan, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elixer_widgets.campaigns import Answer, Campaign
from elixer_widgets.campaigns.choices import CANNOT_TELL, VIS_CLASSES, from_vis_class, vis_class
from elixer_widgets.campaigns.elixer_cls import COLUMNS, import_answers, plain, read, write
from elixer_widgets.detection import DataError

IDS = (2101630949, 2100000007, 2100000001, 90071992547409931234)
"""Not in their order, and one longer than a double holds."""


def test_every_column_as_the_widget_has_it(tmp_path: Path) -> None:
    answers = [
        Answer(
            IDS[0], verdict=1, quality=3, identity="Lya", redshift=2.7312, counterpart_code=2, comment="double peak"
        ),
        Answer(IDS[2], verdict=15, comment="sharp"),
    ]
    written = write(IDS, answers, tmp_path / "elixer_cls.dat")
    assert written.altered == ()
    assert written.path.read_text().splitlines() == [
        "detectid vis_class flag z counterpart comments",
        '2101630949 5 1 2.7312 2 "double peak"',
        "2100000007 0 0 -1.0 -1 ?",
        "2100000001 -1 1 -1.0 -1 sharp",
        "90071992547409931234 0 0 -1.0 -1 ?",
    ]


def test_astropy_reads_it_with_the_widgets_types(tmp_path: Path) -> None:
    from astropy.table import Table

    answers = [Answer(5, verdict=10, quality=0, comment='a "quoted", odd # one'), Answer(7, comment="?")]
    write((7, 5, 6), answers, tmp_path / "elixer_cls.dat")
    table = Table.read(tmp_path / "elixer_cls.dat", format="ascii")
    assert tuple(table.colnames) == COLUMNS
    assert [table[name].dtype.kind for name in COLUMNS] == ["i", "i", "i", "f", "i", "U"]
    assert list(table["detectid"]) == [7, 5, 6]
    assert list(table["comments"]) == ["?", 'a "quoted", odd # one', "?"]


def test_comments_that_the_format_cannot_hold_are_named(tmp_path: Path) -> None:
    answers = [
        Answer(1, comment="x" * 81),
        Answer(2, comment="two\nlines"),
        Answer(3, comment="Lyα"),
        Answer(4, comment="fine"),
    ]
    written = write((1, 2, 3, 4), answers, tmp_path / "elixer_cls.dat")
    assert written.altered == (1, 2, 3)
    assert [row.comment for row in read(written.path).rows] == ["x" * 80, "two lines", "Ly?", "fine"]


def test_duplicates_shift_no_label(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text(
        "detectid vis_class flag z counterpart comments\n"
        "11 5 1 2.5 1 first\n11 5 1 2.5 1 first\n12 1 1 -1.0 -1 ?\n"
        "13 0 0 -1.0 -1 ?\n12 -1 1 -1.0 0 CCD\n11 0 0 -1.0 -1 ?\n"
    )
    found = read(path)
    assert {row.detectid: (row.vis_class, row.comment) for row in found.rows} == {
        11: (5, "first"), 12: (-1, "CCD"), 13: (0, ""),
    }  # fmt: skip
    assert [row.detectid for row in found.rows] == [11, 12, 13]
    assert len(found.notes) == 3
    assert "line 6: 12 occurs again and says something else" in found.notes[1]


@pytest.mark.parametrize(
    ("line", "comment"),
    [
        ("7 1 1 -1.0 -1 noise, I think", "noise, I think"),
        ('7 1 1 -1.0 -1 "noise, I think"', "noise, I think"),
        ("7 1 1 -1.0 -1 b'noise'", "noise"),
        ('7 1 1 -1.0 -1 "say ""what"""', 'say "what"'),
        ("7 1 1 -1.0 -1 ?", ""),
        ("7 1 1 -1.0 -1 # not a header", "# not a header"),
        ("7 1 1 -1.0 -1", ""),
        ("7   1 1\t-1.0 -1   spaced", "spaced"),
        ('7 1 1 -1.0 -1 "unclosed quote', '"unclosed quote'),
    ],
)
def test_comments_however_they_were_saved(tmp_path: Path, line: str, comment: str) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text(line + "\n")
    (row,) = read(path).rows
    assert (row.detectid, row.vis_class, row.flag, row.counterpart, row.comment) == (7, 1, 1, None, comment)
    assert isnan(row.z)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("detectid vis_class flag comments\n7 4 1 older file\n", (7, 4, 1, "older file")),
        ("# detectid vis_class flag z counterpart comments\n7 4 1 2.1 0 later\n", (7, 4, 1, "later")),
        ("\ufeffdetectid vis_class flag z counterpart comments\r\n7 4 1 2.1 0 dos\r\n", (7, 4, 1, "dos")),
        ("detectid,vis_class,flag,z,counterpart,comments\n7,4,1,2.1,0,with commas\n", (7, 4, 1, "with commas")),
        ("detectid vis_type flag comment\n7 LAE 1 words\n", (7, 5, 1, "words")),
        ('detectid vis_type flag comment\n7 "Nearby Galaxy" 1 words\n', (7, 11, 1, "words")),
        ("# a remark\n\n7.0 4 1 2.1 0 float id\n", (7, 4, 1, "float id")),
    ],
)
def test_older_variants(tmp_path: Path, text: str, expected: tuple) -> None:
    path = tmp_path / "old.dat"
    path.write_bytes(text.encode())
    (row,) = read(path).rows
    assert (row.detectid, row.vis_class, row.flag, row.comment) == expected


def test_a_comment_of_80_letters_may_have_been_cut(tmp_path: Path) -> None:
    path = tmp_path / "old.dat"
    path.write_text("7 4 1 2.1 0 " + "y" * 80 + "\n")
    assert "80 letters" in read(path).notes[0]


@pytest.mark.parametrize(
    ("line", "why"),
    [("seven 1 1 -1.0 -1 ?", "whole number"), ("7 8 1 -1.0 -1 ?", "vis_class 8"), ("7 1 1 far -1 ?", "no number"),
     ("7 1 1 -1.0 5 ?", "counterpart 5"), ("2.1e9 1 1 -1.0 -1 ?", "whole number")],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_line(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "old.dat"
    path.write_text("6 1 1 -1.0 -1 ?\n" + line + "\n")
    with pytest.raises(DataError, match=f"line 2.*{why}"):
        read(path)


def test_import_is_by_number_keeps_the_order_and_leaves_gaps(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text(
        "detectid vis_class flag z counterpart comments\n"
        "2100000001 1 1 -1.0 -1 ?\n555 5 1 2.0 1 stranger\n"
        "2101630949 0 0 -1.0 3 ?\n90071992547409931234 0 0 0.35 -1 ?\n"
    )
    campaign = Campaign(tmp_path / "campaign", IDS, "ann")
    done = import_answers(campaign, path)
    assert (done.written, done.known) == (3, 0)
    assert any("555" in note and "left out" in note for note in done.notes)
    assert campaign.is_answered(2100000001)
    # a counterpart alone and a redshift alone are kept, and are no verdict
    assert campaign.current(IDS[0]).counterpart_code == 3
    assert campaign.current(IDS[3]).redshift == 0.35
    assert campaign.first_unanswered() == 0
    assert [task.detectid for task in campaign.tasks if task.occasion == 0] == list(IDS)
    again = import_answers(campaign, path)
    assert (again.written, again.known) == (0, 3)


def test_import_never_replaces_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text("11 5 1 2.5 1 old\n")
    campaign = Campaign(tmp_path / "campaign", (11, 12), "ann")
    campaign.answer(11, verdict=10, quality=0)
    done = import_answers(campaign, path)
    assert (done.written, done.known) == (0, 1)
    assert "answered otherwise here, kept: 11" in done.notes
    assert campaign.current(11).verdict == 10


def test_reviewed_without_a_class_is_cannot_tell(tmp_path: Path) -> None:
    path = tmp_path / "elixer_cls.dat"
    path.write_text("11 0 1 -1.0 -1 hmm\n")
    campaign = Campaign(tmp_path / "campaign", (11, 12), "ann")
    assert "cannot tell" in import_answers(campaign, path).notes[0]
    assert campaign.current(11).verdict == CANNOT_TELL


@pytest.mark.parametrize("code", [0, *VIS_CLASSES])
def test_classes_survive_the_three_answers(code: int) -> None:
    assert vis_class(*from_vis_class(code), z=nan) == code


@pytest.mark.parametrize(
    ("verdict", "quality", "label", "identity", "z", "expected"),
    [
        (1, 4, "", "Lya", 2.7, 5), (1, 2, "", "Lya", 2.7, 4), (1, 1, "", "", nan, 3), (1, 4, "", "OII", 0.2, 11),
        (1, 3, "AGN", "CIV", 1.9, 5), (1, 3, "", "", 0.3, 11), (3, None, "star", "", nan, 12), (3, 3, "", "", nan, 11),
        (15, 0, "", "", nan, -1), (10, 0, "", "", nan, 1), (10, 1, "", "", nan, 2), (4, None, "", "", nan, 1),
        (2, 3, "gal", "", 2.2, 5), (1, 3, "PNe", "OIII", 0.0, 11), (None, 3, "", "Lya", 2.7, 0),
        (90, None, "", "", nan, 0), (1, 4, "meteor", "", nan, 12),
    ],
)  # fmt: skip
def test_class_that_an_answer_amounts_to(verdict, quality, label, identity, z, expected) -> None:
    assert vis_class(verdict, quality, label, identity, z) == expected


ROWS = st.fixed_dictionaries(
    {
        "vis_class": st.sampled_from([0, *VIS_CLASSES]),
        "z": st.one_of(st.just(nan), st.floats(0.0, 20.0)),
        "counterpart_code": st.sampled_from([None, 0, 1, 2, 3, 4, 99]),
        "comment": st.text(max_size=120),
    }
)


@settings(deadline=None, max_examples=30)
@given(rows=st.dictionaries(st.integers(0, 2**63 - 1), ROWS, max_size=8))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: dict[int, dict]) -> None:
    """What is written is read: all values, and comments as the format can hold them."""
    folder = tmp_path_factory.mktemp("round")
    answers = []
    for detectid, row in rows.items():
        verdict, quality, label = from_vis_class(row["vis_class"])
        answers.append(
            Answer(
                detectid, verdict=verdict, quality=quality, label=label, redshift=row["z"], comment=row["comment"],
                counterpart_code=row["counterpart_code"], imported_class=row["vis_class"] or None,
            )
        )  # fmt: skip
    written = write(tuple(rows), answers, folder / "elixer_cls.dat")
    found = read(written.path)
    assert [row.detectid for row in found.rows] == list(rows)
    for row in found.rows:
        asked = rows[row.detectid]
        assert row.vis_class == asked["vis_class"]
        assert row.flag == bool(asked["vis_class"])
        assert row.z == asked["z"] or (isnan(row.z) and isnan(asked["z"]))
        assert row.counterpart == asked["counterpart_code"]
        assert row.comment == plain(asked["comment"])
        assert (row.comment != asked["comment"]) == (row.detectid in written.altered)
