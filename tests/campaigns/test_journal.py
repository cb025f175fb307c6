"""Journals: whole lines only, torn ones kept aside, faults of the disk told and survived."""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from elixer_widgets.campaigns import Campaign, NotSaved
from elixer_widgets.campaigns.answers import Answer, to_record
from elixer_widgets.campaigns.journal import Damage, Reader, Writer, decode, encode, folder_name
from elixer_widgets.detection import DataError

IDS = tuple(range(2101630949, 2101630949 + 300))


def line_of(detectid: int, comment: str = "") -> bytes:
    return encode(to_record(Answer(detectid, verdict=1, comment=comment, time="2026-11-23T00:00:00", inspector="ann")))


def in_child(action) -> tuple[bytes, int]:
    """What `action(write)` wrote in a forked process, and how that process ended."""
    mine, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(mine)
            action(lambda content: os.write(theirs, content))
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with os.fdopen(mine, "rb") as pipe:
        said = pipe.read()
    return said, os.waitpid(child, 0)[1]


def test_every_cut_of_a_last_line_is_seen_and_counts_for_nothing(tmp_path: Path) -> None:
    first, last = line_of(1), line_of(2, "a longer one, é")
    for cut in range(len(last)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(first + last[:cut])
        damages: list[Damage] = []
        reader = Reader(path)
        assert [line.detectid for line in reader.more(damages)] == [1]
        assert damages == []
        assert (reader.torn is None) == (cut == 0)
        if cut:
            assert reader.torn.content == last[:cut]
        with open(path, "ab") as file:  # what was only late is whole now
            file.write(last[cut:])
        assert [line.detectid for line in reader.more(damages)] == [2]


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    raw = line_of(2101630949, "doubtful")[:-1]
    for place in range(len(raw)):
        assert decode(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]) is None


def test_a_line_behind_a_torn_one_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line_of(1) + line_of(2)[:40] + line_of(3) + b"\0\0\0\n" + line_of(4))
    damages: list[Damage] = []
    assert [line.detectid for line in Reader(path).more(damages)] == [1, 3, 4]
    assert [each.content for each in damages] == [line_of(2)[:40], b"\0\0\0"]
    assert str(path) in str(damages[0])


def test_lines_in_other_json_are_read_as_well(tmp_path: Path) -> None:
    """Keys in another order, and the fields of a later version."""
    record = {"inspector": "bob", "time": "t", "kind": "answer", "new": [1], "verdict": 3, "detectid": 7, "v": 1}
    line = decode(encode(record)[:-1])
    assert (line.detectid, line.inspector, line.verdict, line.occasion) == (7, "bob", 3, 0)


def test_names_become_folders_that_stay_in_their_place() -> None:
    assert folder_name("ann") == "ann"
    assert folder_name("../../etc/passwd") == "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd"
    assert folder_name("..") == "%2E%2E"
    assert folder_name("Jörg A") == "J%C3%B6rg%20A"
    for nobody in ("", "   ", "a\nb", "x" * 200, "a\0"):
        with pytest.raises(DataError, match=r"inspector"):
            folder_name(nobody)


def test_two_writers_of_one_session_name_do_not_meet(tmp_path: Path) -> None:
    one, other = Writer(tmp_path, "s"), Writer(tmp_path, "s")
    for number in range(20):
        one.append(line_of(number))
        other.append(line_of(100 + number))
    assert one.path != other.path
    found = sorted(line.detectid for path in tmp_path.iterdir() for line in Reader(path).more([]))
    assert found == [*range(20), *range(100, 120)]


def test_answers_outlive_kill_9(tmp_path: Path) -> None:
    """Processes are killed while they answer. What they acknowledged is there, whatever was being written."""
    Campaign(tmp_path, IDS, "ann").close()
    acknowledged = set()
    for life in range(40):
        mine, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                campaign = Campaign(tmp_path, None, "ann")
                for detectid in IDS:
                    said = campaign.answer(detectid, verdict=10, comment=f"{life} " + "x" * (detectid % 4000))
                    os.write(theirs, f"{said.id} {detectid}\n".encode())
            finally:
                os._exit(0)
        os.close(theirs)
        with os.fdopen(mine, "rb") as pipe:
            said = b"".join(pipe.readline() for _ in range(life % 5))
            time.sleep((life * 37 % 40) / 10_000)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said += pipe.read()
        acknowledged |= {tuple(each.split()) for each in said.decode().splitlines()}
    assert len(acknowledged) >= 40 / 5 * (1 + 2 + 3 + 4)
    campaign = Campaign(tmp_path, None, "ann")
    kept = {(line.id, str(line.detectid)) for each in IDS for line in campaign.history(each)}
    assert acknowledged <= kept
    assert campaign.replay.damages == []


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    """No file may grow beyond 20 kB: a session goes on in the next one. Beyond 0 nothing is saved, and it is said."""
    campaign = Campaign(tmp_path, IDS, "ann")

    def answer(write) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        for detectid in IDS[:100]:
            campaign.answer(detectid, verdict=1, comment="y" * 900)
            write(b"%d\n" % detectid)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 20_000))
        try:
            campaign.answer(IDS[150], verdict=1)
        except NotSaved as error:
            write(f"refused {error}".encode())

    said, status = in_child(answer)
    lines = said.decode().splitlines()
    assert status == 0
    assert lines[-1].startswith("refused not saved: File too large")
    fresh = Campaign(tmp_path, None, "ann")
    assert [each for each in IDS if fresh.is_answered(each)] == [int(each) for each in lines[:-1]] == list(IDS[:100])
    assert fresh.replay.damages == []


@pytest.mark.parametrize("fault", ["short", "no room", "read-only", "stale", "no sync"])
def test_faults_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """While the fault lasts nothing is acknowledged, and nothing of it counts; after it the next answer is kept."""
    campaign = Campaign(tmp_path, IDS, "ann")
    campaign.answer(IDS[0], verdict=1)
    write, sync = os.write, os.fsync

    def fail(code: int):
        def call(*_: object, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        return call

    with monkeypatch.context() as broken:
        if fault == "short":
            broken.setattr(os, "write", lambda handle, content: write(handle, content[: len(content) // 2]))
        elif fault == "no room":
            broken.setattr(os, "write", fail(errno.ENOSPC))
        elif fault == "read-only":
            broken.setattr(os, "write", fail(errno.EROFS))
            broken.setattr(os, "open", fail(errno.EROFS))
        elif fault == "stale":
            broken.setattr(os, "write", fail(errno.ESTALE))
        else:
            broken.setattr(os, "fsync", fail(errno.EIO))
        with pytest.raises(NotSaved, match=r"not saved.*does not count"):
            campaign.answer(IDS[1], verdict=10)
        assert not campaign.is_answered(IDS[1])
    assert os.fsync is sync
    campaign.answer(IDS[2], verdict=3)
    fresh = Campaign(tmp_path, None, "ann")
    assert fresh.is_answered(IDS[0])
    assert fresh.is_answered(IDS[2])
    assert fresh.replay.damages == []
    assert len(fresh.replay.torn) == (2 if fault == "short" else 0)


def test_a_stale_handle_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a file server came back: the first write fails, the second, to a new file, is good."""
    campaign = Campaign(tmp_path, IDS, "ann")
    campaign.answer(IDS[0], verdict=1)
    write, calls = os.write, []

    def once(handle: int, content: bytes) -> int:
        calls.append(handle)
        if len(calls) == 1:
            raise OSError(errno.ESTALE, "Stale file handle")
        return write(handle, content)

    monkeypatch.setattr(os, "write", once)
    campaign.answer(IDS[1], verdict=1)
    assert Campaign(tmp_path, None, "ann").is_answered(IDS[1])
    assert len(list((tmp_path / "answers" / "ann").iterdir())) == 2


def test_a_fork_writes_to_its_own_file(tmp_path: Path) -> None:
    campaign = Campaign(tmp_path, IDS, "ann")
    campaign.answer(IDS[0], verdict=1)
    said, status = in_child(lambda write: write(campaign.answer(IDS[1], verdict=1).id.encode()))
    mine = campaign.answer(IDS[2], verdict=1)
    assert status == 0
    assert said.decode().split(":")[0] != mine.session
    fresh = Campaign(tmp_path, None, "ann")
    assert all(fresh.is_answered(each) for each in IDS[:3])


def test_durable_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is written once, then synchronised, before `answer` returns."""
    campaign = Campaign(tmp_path, IDS, "ann")
    campaign.answer(IDS[0], verdict=1)
    calls = []
    write, sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *given: (calls.append("write"), write(*given))[1])
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("fsync"), sync(handle))[1])
    start = time.perf_counter()
    campaign.answer(IDS[1], verdict=1, comment="z" * 100_000)
    assert calls == ["write", "fsync"]
    assert time.perf_counter() - start < 1.0
