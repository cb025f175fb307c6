"""Several workers: that each detection is done once, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from elixer_widgets.bulk import Output, Summary, run
from elixer_widgets.bulk.workers import Workers
from elixer_widgets.detection import DataError
from tests.bulk.fakes import FIRST, Acting, ManyFakes, small_output

PROJECT = Path(__file__).resolve().parents[2]


def _rows(output: Output) -> list[int]:
    with h5py.File(output.catalog) as file:
        return sorted(int(each) for each in file["Detections"]["detectid"])


def _check(output: Output, wanted: list[int]) -> None:
    """Nothing lost, nothing twice, nothing left over."""
    assert _rows(output) == wanted
    notes = sorted(path.name for path in output.folder.glob("*_note.txt"))
    assert notes == [f"{each}_note.txt" for each in wanted]
    assert not output.parts.exists() and not list(output.folder.glob(".*"))


def test_two_workers_survive_whatever_a_detection_does(tmp_path: Path) -> None:
    """In one run, since workers take seconds to start: a death, a poisonous detection, a greedy one, a bad one."""
    release = ManyFakes(40)
    deadly, greedy, bad, once = FIRST + 9, FIRST + 17, FIRST + 30, FIRST + 25
    acting = Acting(tmp_path, 0.02, deadly=(deadly,), once=(once,), bad=(bad,), greedy=(greedy,))
    output = small_output(tmp_path / "run")
    remarks: list[str] = []
    summary = run(
        release,
        release.ids,
        output,
        make=acting,
        workers=Workers(2, memory=450.0, tries=2),
        remark=remarks.append,
    )
    good = [each for each in release.ids if each not in (deadly, greedy, bad)]
    assert sorted(summary.done) == good and summary.code == 1
    assert summary.failed[bad] == "a bad detection"
    assert set(summary.failed) == {bad, deadly, greedy}
    for each in (deadly, greedy):
        assert summary.failed[each] == "its worker died 2 times (killed, or more than 450 MB)"
        assert len(acting.begun(each)) == 2
    assert len(acting.begun(once)) == 2
    assert len({pid for each in good for pid in acting.begun(each)}) >= 2
    assert summary.restarts == len(remarks) >= 5
    assert 0 < summary.peak < 450
    _check(output, good)
    listed = (output.folder / "elixer_failed.dets").read_text().splitlines()
    assert [line.split()[0] for line in sorted(listed)] == [str(each) for each in sorted(summary.failed)]
    # done again, with recover, only what failed is tried
    again = run(release, release.ids, output, recover=True, make=Acting(tmp_path / "."))
    assert sorted(again.done) == sorted(summary.failed) and sorted(again.skipped) == good and again.code == 0
    _check(output, release.ids)
    assert not (output.folder / "elixer_failed.dets").exists()


DRIVER = """
    import sys
    from pathlib import Path
    from elixer_widgets.bulk import run
    from elixer_widgets.bulk.workers import Workers
    from tests.bulk.fakes import Acting, ManyFakes, small_output

    if __name__ == "__main__":
        folder = Path(sys.argv[1])
        release = ManyFakes(30)
        summary = run(release, release.ids, small_output(folder / "run"), recover=True,
                      make=Acting(folder, 0.1), workers=Workers(2))
        print(len(summary.done), len(summary.skipped))
        sys.exit(summary.code)
"""


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["the driver", "all at once"])
def test_a_driver_killed_is_recovered(kill: Callable[[int, int], None], tmp_path: Path) -> None:
    """kill -9 of the process that holds everything together: its workers end too, and the next run goes on.

    If all are killed at once, nobody is left to take semaphores out of the memory: the next run does.
    """
    memory = Path("/dev/shm")
    there = set(memory.glob("sem.*"))
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    output = small_output(tmp_path / "run")
    driver = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment, start_new_session=True)
    deadline = time.monotonic() + 240
    while len(list(output.parts.glob("part_*.h5"))) < 2:
        assert time.monotonic() < deadline and driver.poll() is None
        time.sleep(0.05)
    kill(driver.pid, signal.SIGKILL)
    driver.wait()
    workers = {pid for each in ManyFakes(30).ids for pid in Acting(tmp_path).begun(each)}
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "workers outlive their driver"
        time.sleep(0.05)
    assert not output.catalog.exists()
    before = {each for each in ManyFakes(30).ids if Acting(tmp_path).begun(each)}
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    done, skipped = (int(word) for word in ended.stdout.split()[-2:])
    assert done + skipped == 30 and 0 < skipped <= len(before) < 30
    _check(output, ManyFakes(30).ids)
    assert not [path.name for path in set(memory.glob("sem.*")) - there if path.name.startswith("sem.elixer-")]


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    from elixer_widgets.bulk.output import only_run

    output = small_output(tmp_path / "run")
    with only_run(output), pytest.raises(DataError, match="another run is writing here"):
        run(ManyFakes(1), [FIRST], output)
    assert run(ManyFakes(1), [FIRST], output, make=Acting(tmp_path)).done == [FIRST]


def test_a_scheduler_that_is_not_there(tmp_path: Path) -> None:
    workers = Workers(scheduler="tcp://127.0.0.1:1", patience=1.0)
    with pytest.raises(DataError, match="no Dask scheduler answers at tcp:"):
        run(ManyFakes(1), [FIRST], small_output(tmp_path / "run"), workers=workers)


@pytest.mark.slow
def test_workers_of_a_running_scheduler(tmp_path: Path) -> None:
    """By its address; it is left as it was."""
    from distributed import Client, LocalCluster

    release = ManyFakes(6)
    output = small_output(tmp_path / "run")
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, worker_dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        summary: Summary = run(
            release, release.ids, output, make=Acting(tmp_path), workers=Workers(scheduler=cluster.scheduler_address)
        )
        assert len(client.nthreads()) == 1
        assert client.run(lambda dask_worker: [name for name in dask_worker.plugins if "elixer" in name]) == {
            address: [] for address in client.nthreads()
        }
    assert sorted(summary.done) == release.ids
    _check(output, release.ids)
