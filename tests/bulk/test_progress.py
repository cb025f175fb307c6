"""What is shown of a run, and how its list is cut into pieces."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.bulk import chunks as chunks_module
from elixer_widgets.bulk.chunks import chunks, places
from elixer_widgets.bulk.progress import Progress, duration
from elixer_widgets.releases import open_release
from tests.bulk.fakes import ManyFakes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bar_on_a_terminal() -> None:
    clock, stream = Clock(), Terminal()
    progress = Progress(200, stream, clock)
    for number in range(100):
        clock.now += 0.5
        progress.add(f"{number}  bad" if number == 7 else "", failed=number == 7)
    last = stream.getvalue().rpartition("\r")[2]
    assert last == f"\033[K[{'#' * 15}{'.' * 15}] 100/200, 2.0/s, 50 s left, 1 failed"
    assert "\n" in stream.getvalue() and "7  bad" in stream.getvalue()
    progress.close()
    assert stream.getvalue().endswith("\n")


def test_now_and_then_a_line_in_a_file() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(100_010, stream, clock)
    for _ in range(36_000):  # ten hours
        clock.now += 1.0
        progress.add("a detection")
    lines = stream.getvalue().splitlines()
    assert 50 < len(lines) < 200
    assert lines[0] == "10/100010, 1.0/s, 27 h 47 min left" and "a detection" not in stream.getvalue()


def test_a_line_each_for_short_lists() -> None:
    stream = io.StringIO()
    progress = Progress(2, stream, Clock(), each=True)
    progress.add("first")
    progress.add("second")
    assert stream.getvalue() == "first\nsecond\n"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (12000, "3 h 20 min")]
)
def test_times_for_people(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(count=st.integers(0, 300), size=st.integers(1, 20))
def test_pieces_hold_each_detection_once(count: int, size: int) -> None:
    release = ManyFakes(count)
    pieces = chunks(release, release.ids, size)
    assert sorted(each for piece in pieces for each in piece) == release.ids
    assert all(0 < len(piece) <= size for piece in pieces)


def test_pieces_follow_shots_and_amplifiers(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the list is ordered, a shot's detections come together, and an amplifier's among them."""
    monkeypatch.setattr(chunks_module, "FEW", 0)
    release = open_release(simulated)
    ids = [int(each) for each in release.detectids()]
    np.random.default_rng(1).shuffle(ids)
    known = places(release, ids)
    assert set(known) == set(ids)
    for each in ids[:3]:  # what the release says of a detection itself
        detection = release.detection(each)
        assert detection.shot is not None
        assert known[each] == (detection.shot.shotid, detection.fibers[0].multiframe.encode())
    ordered = [known[each] for piece in chunks(release, ids, 4) for each in piece]
    seen = [place for number, place in enumerate(ordered) if number == 0 or ordered[number - 1] != place]
    assert len(seen) == len(set(ordered))
