"""A run over many detections: what it writes, what it skips, what it survives."""

from __future__ import annotations

import logging
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets import analysis, reports
from elixer_widgets._files import Held, replacing
from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.bulk import Output, finished, run
from elixer_widgets.bulk.output import LOCK, only_run, stored
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
        patch.setattr(local, "finish_catalog", lambda output, held: None)
        run(fake, fake.ids[:2], output)
    assert not output.catalog.exists() and len(list(output.parts.iterdir())) == 2
    summary = run(fake, fake.ids[:3], output, recover=True)
    assert summary.skipped == list(fake.ids[:2])
    assert sorted(_rows(output)) == list(fake.ids[:3])
    assert not output.parts.exists()


def test_what_a_killed_worker_left_half_written_is_swept_away(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elixer_widgets.bulk import local

    output = Output(tmp_path / "run")
    real, really_only, locks = analysis.interpret, local.only_run, list[Held]()

    @contextmanager
    def only_run(output: Output) -> Iterator[Held]:
        with really_only(output) as held:
            locks.append(held)
            yield held

    def leaving(measurements: Measurements) -> Interpretation:
        with replacing(output.parts / "row_x.npz", locks[0].workplace()) as temporary:
            os.link(temporary, temporary.with_suffix(".half"))  # what a kill would leave
            temporary.replace(temporary.with_suffix(".rest"))
            temporary.touch()
        (output.parts / "row_x.npz").unlink()
        return real(measurements)

    monkeypatch.setattr(local, "only_run", only_run)
    monkeypatch.setattr(analysis, "interpret", leaving)
    assert run(fake, fake.ids[:2], output).code == 0
    assert sorted(path.name for path in output.folder.glob("*.pdf")) == [f"{each}.pdf" for each in fake.ids[:2]]
    assert list(output.folder.glob(".*")) == [] and not output.parts.exists()


@pytest.mark.parametrize("recover", [False, True])
def test_a_run_deletes_nothing_that_it_did_not_make(fake: FakeRelease, tmp_path: Path, recover: bool) -> None:
    """In a home directory there are many files that begin with a dot; and any name may be somebody's."""
    folder = tmp_path / "run"
    theirs = [
        ".bash_history", ".config_mine/settings", ".3000000001.pdf_abc.pdf", "catalog_parts/mine.h5",
        "catalog_parts/part_mine.h5", "catalog_parts/.elixer-lock-0123456789abcdef", "catalog_parts/notes/a_b.txt",
        f".elixer-{'0' * 32}.pdf", f".elixer-{'0' * 32}/a", f"catalog_parts/.elixer-{'0' * 32}/a", ".elixer.lock_old",
        "3000000009.pdf", "other_cat.h5", "run.new", "elixer_list.dets",
    ]  # fmt: skip
    for name in theirs:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")
    output = Output(folder)
    run(fake, fake.ids[:2], output)
    run(fake, fake.ids[:3], output, recover=recover)
    assert {name: (folder / name).read_text() for name in theirs} == {name: f"mine: {name}" for name in theirs}
    made = {"run_cat.h5", "elixer.log", *(f"{each}.pdf" for each in fake.ids[:3])}
    assert {path.name for path in folder.iterdir()} == made | {name.split("/")[0] for name in theirs}


def test_what_a_killed_run_left_goes_by_its_own_list(fake: FakeRelease, tmp_path: Path) -> None:
    """Its lock names its temporaries; others that look like them stay."""
    output = Output(tmp_path / "run")
    child = os.fork()
    if child == 0:
        with only_run(output) as held:
            (held.workplace() / "half.pdf").write_bytes(b"%PDF half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    left = next(output.parts.glob(".elixer-*"))
    assert (output.parts / LOCK).is_file() and list(left.rglob("half.pdf"))
    other = output.parts / f".elixer-{'f' * 32}"
    other.mkdir()
    run(fake, fake.ids[:1], output, recover=True)
    assert not left.exists() and other.is_dir()
    assert [path.name for path in output.parts.iterdir()] == [other.name]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("3000000001.pdf", b"%PDF-1.4 somebody's", r"3000000001\.pdf: is there already and is not a report"),
        ("3000000002.pdf", None, r"3000000002\.pdf: is there already and is not a report"),
        ("run_cat.h5", None, r"run_cat\.h5: is a folder"),
        ("elixer.log", None, r"elixer\.log: is a folder"),
        ("elixer_failed.dets", b"my list\n1\n", r"elixer_failed\.dets: is there already and was not written by a run"),
        ("catalog_parts", b"a file", r"catalog_parts: there is a file in its place"),
        ("catalog_parts/elixer.lock", b"a file", r"elixer\.lock: is not a lock of ELiXer Widgets"),
    ],
)
def test_a_file_of_somebody_else_is_refused_before_the_work(
    fake: FakeRelease, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        run(fake, fake.ids[:3], Output(tmp_path / "run"))
    assert path.is_dir() if content is None else path.read_bytes() == content
    assert not list((tmp_path / "run").glob("3000000003*"))


def test_the_row_is_on_disk_before_the_report_has_its_name(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment, a detection with a report is one that is never done again."""
    output = Output(tmp_path / "run", ("png",))
    rows: dict[str, set[int]] = {}
    real = Path.replace

    def noting(path: Path, target: Path) -> Path:
        if Path(target).parent == output.folder and Path(target).suffix in (".pdf", ".png"):
            rows[Path(target).name] = stored(output)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", noting)
    run(fake, fake.ids[:3], output)
    assert rows == {
        f"{each}.{kind}": set(fake.ids[: place + 1])
        for place, each in enumerate(fake.ids[:3])
        for kind in ("pdf", "png")
    }


def test_a_run_that_is_always_killed_early_advances(fake: FakeRelease, tmp_path: Path) -> None:
    """By detection, not by piece: a kill in the third keeps two."""
    output = Output(tmp_path / "run")
    child = os.fork()
    if child == 0:

        def make(release: FakeRelease, detectid: int) -> Interpretation:
            if detectid == fake.ids[2]:
                os.kill(os.getpid(), signal.SIGKILL)
            return analysis.interpret(analysis.measure(release.detection(detectid)))

        run(fake, fake.ids[:3], output, make=make)  # type: ignore[arg-type]
    os.waitpid(child, 0)
    assert finished(output, list(fake.ids)) == list(fake.ids[:2])
    summary = run(fake, fake.ids[:3], output, recover=True)
    assert summary.skipped == list(fake.ids[:2]) and summary.done == [fake.ids[2]]
    assert sorted(_rows(output)) == list(fake.ids[:3]) and not output.parts.exists()


def test_rows_of_the_later_run_count_whatever_the_clock_says(
    fake: FakeRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was put back between two runs."""
    from elixer_widgets.reports import catalog

    output = Output(tmp_path / "run")
    clock = type("Clock", (), {"now": staticmethod(lambda: datetime(2035, 1, 1))})
    with monkeypatch.context() as patch:
        patch.setattr(catalog, "datetime", clock)
        run(fake, fake.ids[:1], output)
    real = analysis.interpret
    monkeypatch.setattr(analysis, "interpret", lambda given: replace(real(given), p_lya=0.125))
    run(fake, fake.ids[:1], output)
    with h5py.File(output.catalog) as file:
        assert file["ElixerWidgets/Identity"]["p_lya"].tolist() == [0.125]


def test_a_disk_that_is_full_ends_the_run_in_words(fake: FakeRelease, tmp_path: Path) -> None:
    """The system refuses to write beyond a limit: after two small reports one is too large, and so is the catalogue."""
    output = Output(tmp_path / "run")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:

        def make(release: FakeRelease, detectid: int) -> Interpretation:
            if detectid == fake.ids[2]:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            return analysis.interpret(analysis.measure(release.detection(detectid)))

        try:
            run(fake, fake.ids, output, make=make)  # type: ignore[arg-type]
        except DataError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    said = os.fdopen(read).read()
    assert "run: cannot be written (File too large); 2 done, which are kept" in said and "--recover" in said
    assert finished(output, list(fake.ids)) == list(fake.ids[:2])
    summary = run(fake, fake.ids[:3], output, recover=True)
    assert summary.skipped == list(fake.ids[:2]) and sorted(_rows(output)) == list(fake.ids[:3])
    assert not output.parts.exists()


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
