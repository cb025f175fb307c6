"""Processes that help to merge."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets.detection import DataError
from elixer_widgets.reports import merge, merge_catalogs, write_catalog
from elixer_widgets.reports.merge_helpers import Helper, helpers, in_order
from tests.factories import make_detection, make_interpretation

pytestmark = pytest.mark.slow  # starts Python five times


def ready(crew: list[Helper]) -> None:
    """Wait until the helpers have started, so that they do get tasks."""
    for each in crew:
        each.answer()
        each.busy = None


def _slow(number: int) -> tuple[int, int]:
    time.sleep(0.05)
    return number, os.getpid()


def _deadly(task: tuple[int, int]) -> int:
    number, pid = task
    if os.getpid() != pid:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _faulty(number: int) -> int:
    if number >= 2:
        raise DataError(f"number {number}")
    return number


def test_results_come_in_order_faults_in_their_turn_and_deaths_lose_nothing() -> None:
    with helpers(2) as crew:
        ready(crew)
        pids = {each.process.pid for each in crew}
        found = list(in_order(_slow, range(12), crew))
        assert [number for number, _ in found] == list(range(12))
        assert pids < {pid for _, pid in found}  # all of them worked, and this process too
        results = in_order(_faulty, range(6), crew)
        assert [next(results), next(results)] == [0, 1]
        with pytest.raises(DataError, match="number 2"):
            next(results)
    for each in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)
    with helpers(2) as crew:
        ready(crew)
        os.kill(crew[0].process.pid, signal.SIGKILL)
        assert [number for number, _ in in_order(_slow, range(8), crew)] == list(range(8))
        assert list(in_order(_deadly, [(number, os.getpid()) for number in range(8)], crew)) == list(range(8))
        assert crew == []


def test_a_merge_with_helpers_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [
        write_catalog([make_interpretation(make_detection(each % 7))], tmp_path / f"{each}_cat.h5") for each in range(9)
    ]
    monkeypatch.setattr(merge, "BATCH", 2)
    alone = merge_catalogs(inputs, tmp_path / "alone.h5", unique=True)
    begin: Callable[[int], object] = merge.begun

    def begun(count: int) -> object:
        manager = begin(count)
        enter = manager.__enter__

        class Ready:
            def __enter__(self) -> list[Helper]:
                crew = enter()
                ready(crew)
                return crew

            def __exit__(self, *error: object) -> None:
                manager.__exit__(*error)

        return Ready()

    monkeypatch.setattr(merge, "begun", begun)
    helped = merge_catalogs(inputs, tmp_path / "helped.h5", unique=True, helpers=1)
    with h5py.File(alone) as one, h5py.File(helped) as two:
        assert one["Detections"].size == 7
        for name in ("Detections", "CalibratedSpectra", "SpectraLines", "ElixerWidgets/Evidence"):
            assert one[name][:].tobytes() == two[name][:].tobytes()
        assert np.array_equal(one["_i_Detections/detectid/sortedLR"][:], two["_i_Detections/detectid/sortedLR"][:])
