"""A run over many detections: what it writes, what it skips, what it survives."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets import analysis, reports
from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.bulk import Output, finished, run
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases import Release, ReleaseIndex, open_release
from tests.factories import make_bare_detection, make_interpretation


class FakeRelease(Release):
    """Five bare detections; the fourth cannot be read, the fifth breaks the measurement."""

    path = Path("fake")
    name = "fake"
    ids = (3000000001, 3000000002, 3000000003, 3000000004, 3000000005)

    def index(self) -> ReleaseIndex:
        nothing = np.zeros(len(self.ids))
        return ReleaseIndex(np.array(self.ids), nothing, nothing, nothing, nothing)

    def detection(self, detectid: int) -> Detection:
        if detectid not in self.ids:
            raise DataError(f"{self.name}: has no detection {detectid}")
        if detectid == self.ids[3]:
            raise DataError("fake.h5: is cut short; copy it again")
        return replace(make_bare_detection(), detectid=detectid, name="")

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        return np.array(self.ids[:2]) if abs(ra - 150.0) < 1 and dec < 0 else np.zeros(0, int)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRelease:
    """A release whose detections are measured and reported in no time."""

    def measure(detection: Detection) -> Measurements:
        if detection.detectid == FakeRelease.ids[4]:
            raise ZeroDivisionError("a fault in the measurement")
        return make_interpretation(detection).measurements

    def interpret(measurements: Measurements) -> Interpretation:
        return replace(make_interpretation(measurements.detection), measurements=measurements)

    monkeypatch.setattr(analysis, "measure", measure)
    monkeypatch.setattr(analysis, "interpret", interpret)
    monkeypatch.setattr(reports, "write_report", lambda _, path: path.write_text("a report"))
    return FakeRelease()


def _rows(output: Output) -> list[int]:
    with h5py.File(output.catalog) as file:
        return [int(each) for each in file["Detections"]["detectid"]]


def test_one_bad_detection_does_not_stop_the_run(fake: FakeRelease, tmp_path: Path) -> None:
    output = Output(tmp_path / "run", ("jpg",))
    lines: list[str] = []
    summary = run(fake, [*fake.ids, 42], output, tell=lines.append)
    good = list(fake.ids[:3])
    assert summary.done == good and summary.code == 1
    assert summary.failed[fake.ids[3]] == "fake.h5: is cut short; copy it again"
    assert summary.failed[fake.ids[4]] == "ZeroDivisionError: a fault in the measurement"
    assert "has no detection 42" in summary.failed[42]
    assert sorted(path.name for path in output.folder.glob("*.*")) == sorted(
        [
            *(f"{each}.{kind}" for each in good for kind in ("pdf", "jpg")),
            "elixer.log",
            "elixer_failed.dets",
            "run_cat.h5",
        ]
    )
    assert _rows(output) == good
    assert len(lines) == 6
    log = (output.folder / "elixer.log").read_text()
    assert "Traceback" in log and "a fault in the measurement" in log
    assert "INFO ELiXer Widgets" in log and "6 to do, 0 done before" in log and "INFO ended: 3 done, 3 failed" in log
    for each in good:
        assert f"INFO {each} " in log


def test_the_level_asked_for_decides_what_the_log_holds(fake: FakeRelease, tmp_path: Path) -> None:
    package = logging.getLogger("elixer_widgets")
    package.setLevel("ERROR")
    try:
        output = Output(tmp_path / "run")
        run(fake, fake.ids[:1], output)
    finally:
        package.setLevel(logging.NOTSET)
    assert (output.folder / "elixer.log").read_text() == ""


def test_recover_does_only_what_is_missing(fake: FakeRelease, tmp_path: Path) -> None:
    output = Output(tmp_path / "run")
    run(fake, fake.ids[:2], output)
    before = (output.folder / f"{fake.ids[0]}.pdf").stat().st_mtime_ns
    (output.folder / f"{fake.ids[1]}.pdf").unlink()
    summary = run(fake, fake.ids[:3], output, recover=True)
    assert summary.skipped == [fake.ids[0]]
    assert summary.done == list(fake.ids[1:3])
    assert (output.folder / f"{fake.ids[0]}.pdf").stat().st_mtime_ns == before
    assert sorted(_rows(output)) == list(fake.ids[:3])
    assert summary.code == 0


def test_an_interrupted_run_keeps_what_it_has(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = analysis.measure

    def interrupted(detection: Detection) -> Measurements:
        if detection.detectid == fake.ids[1]:
            raise KeyboardInterrupt
        return real(detection)

    monkeypatch.setattr(analysis, "measure", interrupted)
    output = Output(tmp_path / "run")
    summary = run(fake, fake.ids[:3], output)
    assert summary.interrupted and summary.code == 130
    assert _rows(output) == [fake.ids[0]]
    monkeypatch.setattr(analysis, "measure", real)
    assert run(fake, fake.ids[:3], output, recover=True).skipped == [fake.ids[0]]
    assert sorted(_rows(output)) == list(fake.ids[:3])


def test_parts_of_a_killed_run_are_taken_over(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 there are parts and no catalogue; nothing is lost and nothing is twice."""
    from elixer_widgets.bulk import local, work

    output = Output(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(work, "PART_SECONDS", 0.0)
        patch.setattr(local, "finish_catalog", lambda output: None)
        run(fake, fake.ids[:2], output)
    assert not output.catalog.exists() and len(list(output.parts.iterdir())) == 2
    summary = run(fake, fake.ids[:3], output, recover=True)
    assert summary.skipped == list(fake.ids[:2])
    assert sorted(_rows(output)) == list(fake.ids[:3])
    assert not output.parts.exists()


def test_what_a_killed_worker_left_half_written_is_swept_away(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(tmp_path / "run")
    real = analysis.interpret

    def leaving(measurements: Measurements) -> Interpretation:
        (output.folder / f".{measurements.detection.detectid}.pdf_abc.pdf").write_bytes(b"%PDF half")
        return real(measurements)

    monkeypatch.setattr(analysis, "interpret", leaving)
    assert run(fake, fake.ids[:2], output).code == 0
    assert sorted(path.name for path in output.folder.glob("*.pdf")) == [f"{each}.pdf" for each in fake.ids[:2]]
    assert list(output.folder.glob(".*")) == []


def test_a_row_that_cannot_be_written_fails_alone(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = analysis.interpret

    def broken(measurements: Measurements) -> Interpretation:
        found = real(measurements)
        return replace(found, labels=(None,)) if measurements.detection.detectid == fake.ids[1] else found  # type: ignore[arg-type]

    monkeypatch.setattr(analysis, "interpret", broken)
    output = Output(tmp_path / "run")
    summary = run(fake, fake.ids[:3], output)
    assert summary.done == [fake.ids[0], fake.ids[2]]
    assert "no catalogue rows" in summary.failed[fake.ids[1]]
    assert _rows(output) == [fake.ids[0], fake.ids[2]]


def test_finished_needs_files_and_rows(fake: FakeRelease, tmp_path: Path) -> None:
    output = Output(tmp_path / "run")
    run(fake, fake.ids[:1], output)
    assert finished(output, list(fake.ids)) == [fake.ids[0]]
    assert finished(Output(output.folder, ("png",)), list(fake.ids)) == []
    output.catalog.unlink()
    assert finished(output, list(fake.ids)) == []


def test_a_damaged_catalogue_is_told_before_the_work(fake: FakeRelease, tmp_path: Path) -> None:
    output = Output(tmp_path / "run")
    output.folder.mkdir()
    output.catalog.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"run_cat\.h5: is no readable ELiXer catalogue"):
        run(fake, fake.ids[:1], output)
    assert output.catalog.read_bytes() == b"broken"


def test_small_numbers_carry_the_name_of_the_run(tmp_path: Path) -> None:
    output = Output(tmp_path / "run", ("png",))
    assert [path.name for path in output.reports(7)] == ["run_7.pdf", "run_7.png"]
    assert [path.name for path in output.reports(2101630949)] == ["2101630949.pdf", "2101630949.png"]


def test_the_whole_way_from_files(simulated: Path, tmp_path: Path) -> None:
    """Two detections of a simulated release, nothing replaced."""
    release = open_release(simulated)
    chosen = [int(each) for each in release.detectids()[:2]]
    output = Output(tmp_path / "run", ("png",))
    summary = run(release, chosen, output)
    assert summary.failed == {} and summary.done == chosen
    for each in chosen:
        assert (output.folder / f"{each}.pdf").read_bytes().startswith(b"%PDF-")
        assert (output.folder / f"{each}.png").read_bytes().startswith(b"\x89PNG")
    assert _rows(output) == chosen
