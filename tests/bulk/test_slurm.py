"""SLURM jobs, on a real SLURM: nothing lost and nothing twice, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from elixer_widgets.bulk import run
from elixer_widgets.bulk.workers import SlurmWorkers, Workers
from elixer_widgets.releases import open_release
from tests.bulk.fakes import Acting, ManyFakes, small_output
from tests.bulk.slurm_here import running, why_not

pytestmark = pytest.mark.cluster
PROJECT = Path(__file__).resolve().parents[2]
SELIXER = [sys.executable, "-c", "import sys; from elixer_widgets.cli import selixer; sys.exit(selixer())"]


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """The environment of a SLURM of one node and two cores."""
    reason = why_not()
    if reason:
        pytest.skip(f"no SLURM here: {reason}")
    # not below pytest's folder, which others may not enter: munge would not trust it
    with tempfile.TemporaryDirectory(prefix="slurm_") as folder, running(Path(folder)) as environment:
        yield environment | {"PYTHONPATH": str(PROJECT)}


def _until(true: Callable[[], object], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.05)


def _parents() -> dict[int, int]:
    """Every process -> its parent."""
    found: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # ended meanwhile
            continue
    return found


def _holds_open(process: int, path: Path) -> bool:
    try:
        return any(os.path.realpath(each) == str(path) for each in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def _worker_of(folder: Path) -> int:
    """The worker of the driver that holds the folder of a share: the last in the line of its children."""
    parents = _parents()
    driver = next((each for each in parents if _holds_open(each, folder / "elixer.log")), 0)
    below = {driver} - {0}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    leaves = [each for each in below if each not in set(parents.values())]
    named = [each for each in leaves if b"resource_tracker" not in Path(f"/proc/{each}/cmdline").read_bytes()]
    return max(named, default=0)


def test_submit_kill_cancel_recover_merge(slurm: dict[str, str], simulated: Path, tmp_path: Path) -> None:
    """The life of a run as a user of `selixer` sees it."""
    chosen = [int(each) for each in open_release(simulated).detectids()[:8]]
    (tmp_path / "detlist").write_text("".join(f"{each}\n" for each in chosen))
    words = [
        "--recover",
        "--dets",
        "detlist",
        "--name",
        "example",
        "--tasks",
        "2",
        "--hdr",
        str(simulated),
        "--nophoto",
    ]
    folder = tmp_path / "example"
    shares = [folder / f"dispatch_{number:04d}" / "example" for number in range(2)]

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=tmp_path, env=slurm, capture_output=True, text=True, timeout=300)

    def queued() -> str:
        return call("squeue", "--noheader", "--array", "--format", "%i %T").stdout

    def rows() -> list[int]:
        with h5py.File(folder / "elixer_merged_cat.h5") as file:
            return [int(each) for each in file["Detections"]["detectid"]]

    submitted = call(*SELIXER, *words)
    assert submitted.returncode == 0, submitted.stderr
    assert "8 detections in 2 dispatch folders of 1 worker, 2 jobs" in submitted.stdout
    assert (folder / "dispatch_0001" / "dispatch_0001").read_text().split() == [str(each) for each in chosen[4:]]
    array, last = (folder / "elixer.jobs").read_text().split()

    # while it runs: the same command is refused, a worker is killed, the other share is cancelled
    refused = call(*SELIXER, *words)
    assert refused.returncode == 2, refused.stderr
    # on a busy computer SLURM leaves a job that it is starting out of its list for a moment
    assert any(f"still in the queue; wait, or end them: scancel {each}" in refused.stderr for each in (array, last))
    _until(lambda: list(shares[0].glob("5*.pdf")))
    victim = _worker_of(shares[0])
    assert victim
    os.kill(victim, signal.SIGKILL)
    _until(lambda: list(shares[1].glob("5*.pdf")))
    assert call("scancel", "--signal=KILL", f"{array}_1").returncode == 0
    _until(lambda: not queued())
    log = next(folder.glob("ELIXER.o*_0")).read_text()
    assert "a worker died" in log and "4 done, 0 skipped" in log
    merge_log = next(folder.glob("ELIXER_merge.o*")).read_text()
    assert "not processed: its job was cancelled" in merge_log
    first = rows()
    assert set(chosen[:4]) <= set(first) < set(chosen) and len(first) == len(set(first))
    missing = [int(line.split()[0]) for line in (folder / "elixer_failed.dets").read_text().splitlines()]
    assert sorted([*first, *missing]) == chosen

    # the same command goes on: one share only, and what it had is kept
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("dispatch_*/example/5*.pdf")}
    has_row = [path for path in kept if int(path.stem) in first]
    again = call(*SELIXER, *words)
    assert again.returncode == 0 and "in 1 dispatch folder of" in again.stdout, again.stderr
    _until(lambda: not queued())
    assert sorted(rows()) == chosen
    assert sorted(int(path.stem) for path in folder.glob("dispatch_*/example/*.pdf")) == chosen
    assert all(path.stat().st_mtime_ns == kept[path] for path in has_row)
    assert not list(folder.glob("dispatch_*/example/catalog_parts")) and not (folder / "elixer_failed.dets").exists()
    over = call(*SELIXER, *words)
    assert over.returncode == 0 and "all 8 detections are finished" in over.stdout
    assert sorted(rows()) == chosen


def test_workers_that_slurm_starts(slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler in this process; a job that is cancelled is replaced, its detections are done by others."""
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    release = ManyFakes(40)
    acting = Acting(tmp_path, 0.15)
    options = {
        "interface": "lo",
        "scheduler_options": {"host": "127.0.0.1"},
        "log_directory": str(tmp_path),
        "local_directory": str(tmp_path),
    }
    output = small_output(tmp_path / "run")
    cancelled: list[str] = []

    def watch(outcome: object) -> None:
        if not cancelled:
            listed = subprocess.run(
                ["squeue", "--noheader", "--states=R", "--format=%i"], capture_output=True, text=True, check=True
            )
            cancelled.append(listed.stdout.split()[0])
            subprocess.run(["scancel", "--signal=KILL", "--full", cancelled[0]], check=True)

    workers = Workers(slurm=SlurmWorkers(jobs=2, walltime="00:10:00", options=options))
    summary = run(release, release.ids, output, make=acting, workers=workers, watch=watch)
    assert cancelled
    assert sorted(summary.done) == release.ids and not summary.failed
    with h5py.File(output.catalog) as file:
        assert sorted(int(each) for each in file["Detections"]["detectid"]) == release.ids
    listed = subprocess.run(["squeue", "--noheader", "--states=R,PD"], capture_output=True, text=True, check=True)
    assert not listed.stdout.strip()
