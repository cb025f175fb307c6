"""The image database of reports."""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from elixer_widgets.detection import DataError
from elixer_widgets.reports import read_report, store_reports, write_report
from elixer_widgets.reports.database import PICTURES_AT_ONCE, database_file, store_report, stored_reports
from tests.factories import make_detection, make_interpretation

ID = 2101630949


def picture(seed: int = 0, size: int = 2000) -> bytes:
    """A small whole PNG file, other for every seed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((seed * 31 + n) % 251 for _ in range(40)) for n in range(size // 40))
    header = struct.pack(">IIBBBBB", 40, size // 40, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 0))
        + chunk(b"tEXt", b"seed\0%d" % seed)
        + chunk(b"IEND", b"")
    )


def in_process(action: Callable[[], object]) -> int:
    """Begin an action in a process of its own; its number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        finally:
            os._exit(code)
    return child


def test_a_run_is_stored_and_read_back(tmp_path: Path) -> None:
    run = tmp_path / "run1"
    run.mkdir()
    write_report(make_interpretation(make_detection(ID)), run / f"{ID}.png")
    for name, seed in ((f"{ID}_nei.png", 1), (f"{ID}_mini.png", 2), (f"{ID + 100_000}.png", 3), ("run1_77.png", 4)):
        (run / name).write_bytes(picture(seed))
    done = store_reports(run)
    assert (done.stored, done.unchanged, dict(done.skipped)) == (5, 0, {})
    database = run / "image_db"
    assert sorted(each.name for each in database.iterdir()) == [
        "elixer_reports_0.db",
        "elixer_reports_21016.db",
        "elixer_reports_21016_mini.db",
        "elixer_reports_21016_nei.db",
        "elixer_reports_21017.db",
    ]
    assert read_report(database, ID) == (run / f"{ID}.png").read_bytes()
    assert read_report(database, ID, "nei") == picture(1)
    assert read_report(database, ID, "mini") == picture(2)
    assert read_report(database, 77) == picture(4)
    assert stored_reports(database).tolist() == [77, ID, ID + 100_000]
    assert stored_reports(database, "nei").tolist() == [ID]


def test_the_layout_is_the_surveys(tmp_path: Path) -> None:
    """What a notebook does that knows only the fact sheet: the file by the number, the image by the key."""
    store_report(tmp_path, ID, picture())
    with sqlite3.connect(tmp_path / f"elixer_reports_{ID // 100000}.db") as database:
        (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchone()
        assert " ".join(sql.split()) == "CREATE TABLE report (detectid BIGINT PRIMARY KEY, image BLOB NOT NULL)"
        (image,) = database.execute(f"SELECT image FROM report WHERE detectid = {ID}").fetchone()
        assert image == picture()
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert database_file(tmp_path, 8149987602345123456).name == "elixer_reports_81499876023451.db"


def test_a_database_made_elsewhere_is_read_and_added_to(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "elixer_reports_21016.db") as database:
        database.execute("CREATE TABLE report(detectid BIGINT PRIMARY KEY, image BLOB NOT NULL)")
        database.execute("INSERT INTO report VALUES (?, ?)", (ID, picture(1)))
    database.close()
    store_report(tmp_path, ID + 1, picture(2))
    assert (read_report(tmp_path, ID), read_report(tmp_path, ID + 1)) == (picture(1), picture(2))


def test_storing_again_changes_nothing_and_a_newer_picture_replaces(tmp_path: Path) -> None:
    for number in range(PICTURES_AT_ONCE + 6):
        (tmp_path / f"{ID + number}.png").write_bytes(picture(number))
    assert store_reports(tmp_path).stored == PICTURES_AT_ONCE + 6
    before = database_file(tmp_path / "image_db", ID).read_bytes()
    again = store_reports(tmp_path)
    assert (again.stored, again.unchanged) == (0, PICTURES_AT_ONCE + 6)
    assert database_file(tmp_path / "image_db", ID).read_bytes() == before
    (tmp_path / f"{ID}.png").write_bytes(picture(200))
    assert store_reports(tmp_path).stored == 1
    assert read_report(tmp_path / "image_db", ID) == picture(200)


def test_dispatch_folders_and_another_place(tmp_path: Path) -> None:
    inner = tmp_path / "run" / "dispatch_0003" / "run"
    inner.mkdir(parents=True)
    (inner / f"{ID}.png").write_bytes(picture(5))
    done = store_reports(tmp_path / "run", into=tmp_path / "all" / "image_db", kinds=["report"])
    assert done.stored == 1
    assert read_report(tmp_path / "all" / "image_db", ID) == picture(5)


def test_what_is_no_report_is_left_out_and_said(tmp_path: Path) -> None:
    (tmp_path / f"{ID}.png").write_bytes(picture()[:-30])
    (tmp_path / f"{ID + 1}.png").write_bytes(b"nothing")
    (tmp_path / f"{ID + 2}.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "figure_12.png").write_bytes(picture())
    done = store_reports(tmp_path)
    assert done.stored == 0
    assert {path.name: reason.split(";")[0] for path, reason in done.skipped.items()} == {
        f"{ID}.png": "is cut short",
        f"{ID + 1}.png": "is not a PNG file",
        f"{ID + 2}.pdf": "no PNG of it",
    }
    assert not (tmp_path / "image_db" / f"elixer_reports_{ID // 100000}.db").exists()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_store_at_once(tmp_path: Path) -> None:
    folders = [tmp_path / f"part{n}" for n in range(4)]
    for n, folder in enumerate(folders):  # each shares half of its detections with the next
        folder.mkdir()
        for number in range(20 * n, 20 * n + 40):
            (folder / f"{ID + number}.png").write_bytes(picture(number))
    children = [in_process(lambda each=each: store_reports(each, into=tmp_path / "db")) for each in folders]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert stored_reports(tmp_path / "db").tolist() == [ID + number for number in range(100)]
    assert all(read_report(tmp_path / "db", ID + number) == picture(number) for number in range(100))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_process_killed_while_it_writes_leaves_whole_pictures(tmp_path: Path) -> None:
    store_report(tmp_path, ID, picture(1))
    path = database_file(tmp_path, ID)

    def half() -> None:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA cache_size = 10")  # so small that pages reach the file before the end
        database.execute("BEGIN IMMEDIATE")
        for number in range(400):
            database.execute("REPLACE INTO report VALUES (?, ?)", (ID + number, picture(number, 20_000)))
        os.kill(os.getpid(), signal.SIGKILL)

    assert os.waitpid(in_process(half), 0)[1] == signal.SIGKILL
    assert Path(f"{path}-journal").is_file()  # it was in the middle of it
    assert stored_reports(tmp_path).tolist() == [ID]
    assert read_report(tmp_path, ID) == picture(1)
    store_report(tmp_path, ID + 5, picture(5))
    assert stored_reports(tmp_path).tolist() == [ID, ID + 5]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such image database"):
        read_report(tmp_path, ID)
    store_report(tmp_path, ID, picture())
    with pytest.raises(DataError, match="holds no picture"):
        read_report(tmp_path, ID + 1)
    with pytest.raises(DataError, match="no kind of picture"):
        read_report(tmp_path, ID, "maxi")
    with pytest.raises(DataError, match="is not a PNG"):
        store_report(tmp_path, ID, b"GIF89a")
    with pytest.raises(DataError, match="no such folder"):
        store_reports(tmp_path / "gone")
    database_file(tmp_path, ID).write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="cannot be used"):
        read_report(tmp_path, ID)
