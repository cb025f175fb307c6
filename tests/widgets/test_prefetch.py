"""Preparing neighbours: what is there when the page turns, how much is kept, and what happens when it fails."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from pathlib import Path

import pytest
from ipywidgets.widgets.widget import _instances

from elixer_widgets.detection import DataError
from elixer_widgets.widgets import prefetch
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.prefetch import Memory, Prefetch
from elixer_widgets.widgets.state import REMEMBERED, ExplorerState
from tests import factories
from tests.widgets.fakes import FakeRelease


@pytest.fixture
def preparing(faked, monkeypatch):
    """A state on the made-up release that prepares its neighbours, without a pause."""
    monkeypatch.setattr(prefetch, "PAUSE", 0.0)
    monkeypatch.setattr(state_module, "NEIGHBOURS", (1, -1))
    made = ExplorerState(FakeRelease())
    made.start()
    yield made
    made._prefetch.end()


def test_the_next_page_is_measured_before_it_is_asked_for(preparing, counts):
    assert preparing._prefetch.wait()
    assert FakeRelease.ids[1] in preparing._measured
    before = counts["measure"]
    preparing.next()
    assert preparing.detection.detectid == FakeRelease.ids[1]
    assert preparing._prefetch.wait()
    assert counts["measure"] == before + 1  # the one after it, and not the shown one again


def test_what_is_prepared_is_what_would_be_measured(preparing):
    assert preparing._prefetch.wait()
    alone = ExplorerState(FakeRelease(), [FakeRelease.ids[1]])
    alone.start()
    preparing.next()
    assert preparing.measurements.line == alone.measurements.line
    assert preparing.interpretation.redshift == alone.interpretation.redshift


def test_a_neighbour_that_cannot_be_read_is_told_only_when_it_is_shown(preparing):
    preparing.position = 3
    assert preparing._prefetch.wait()
    assert preparing.message == ""
    preparing.next()
    assert "damaged" in preparing.message


def test_the_page_waits_for_what_is_being_prepared_rather_than_measure_it_again(preparing, counts, monkeypatch):
    preparing._prefetch.wait()
    began, go = threading.Event(), threading.Event()
    known = state_module.measure

    def slow(detection, **options):
        began.set()
        assert go.wait(10)
        return known(detection, **options)

    monkeypatch.setattr(state_module, "measure", slow)
    preparing._prefetch.ask([FakeRelease.ids[2]])
    assert began.wait(10)
    threading.Timer(0.2, go.set).start()
    before = counts["measure"]
    preparing.position = 2
    assert preparing.measurements.detection.detectid == FakeRelease.ids[2]
    preparing._prefetch.end()
    assert counts["measure"] - before <= 2  # itself once, and perhaps its neighbour


def test_leafing_fast_prepares_only_where_it_ends(monkeypatch):
    monkeypatch.setattr(prefetch, "PAUSE", 0.05)
    read = []
    made = Prefetch(lambda detectid: read.append(detectid) or factories.make_detection(detectid), id, lambda *_: None)
    for detectid in range(1, 20):
        made.ask([detectid])
        time.sleep(0.002)
    assert made.wait()
    made.end()
    assert read[-1] == 19 and len(read) < 10


def test_a_failure_does_not_end_the_preparing(monkeypatch):
    monkeypatch.setattr(prefetch, "PAUSE", 0.0)
    kept = {}

    def read(detectid):
        if detectid == 1:
            raise DataError("damaged")
        return factories.make_detection(detectid)

    made = Prefetch(read, lambda detection: detection, kept.__setitem__)
    made.ask([1, 2])
    assert made.wait()
    made.end()
    assert list(kept) == [2]


def test_the_memory_forgets_what_was_not_asked_for_the_longest():
    memory = Memory(3)
    for number in (1, 2, 3):
        memory.keep(number, str(number))
    assert memory.get(1) == "1"
    memory.keep(4, "4")
    assert [number in memory for number in (1, 2, 3, 4)] == [True, False, True, True]
    assert len(memory) == 3 and memory.get(2) is None


def test_what_is_prepared_counts_in_the_bounded_memory(preparing):
    assert preparing._measured.size == REMEMBERED


def test_the_thread_ends_with_the_state(faked, monkeypatch):
    monkeypatch.setattr(prefetch, "PAUSE", 0.0)
    monkeypatch.setattr(state_module, "NEIGHBOURS", (1,))
    made = ExplorerState(FakeRelease())
    made.start()
    made._prefetch.wait()
    thread, gone = made._prefetch._thread, weakref.ref(made)
    assert thread.is_alive()
    del made
    gc.collect()
    assert gone() is None
    thread.join(5)
    assert not thread.is_alive()


def memory() -> float:
    """Megabytes that this process holds."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc: Linux only")
def test_150_page_turns_leave_no_widget_and_no_memory_behind(faked, monkeypatch):
    monkeypatch.setattr(prefetch, "PAUSE", 0.0)
    monkeypatch.setattr(state_module, "NEIGHBOURS", (1, -1))

    class Long(FakeRelease):
        ids = tuple(range(2101630000, 2101630040))

    explorer = Explorer(Long())

    def turn(times: int) -> None:
        for number in range(times):
            explorer.state.position = number % (len(Long.ids) - 1)
            if number % 3 == 0:
                explorer.state.choose(identity="OII")

    turn(60)  # what is made once and kept is made by now
    widgets, before = len(_instances), memory()
    turn(150)
    explorer.state._prefetch.end()
    after = len(_instances)
    assert after == widgets
    assert len(explorer.state._measured) <= REMEMBERED
    assert memory() - before < 50
