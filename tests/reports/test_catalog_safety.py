"""Catalogues under bad luck: killed processes, full disks, damaged and stale inputs."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets import _files
from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import catalog_layout
from elixer_widgets.reports import catalog, merge, merge_catalogs, write_catalog
from tests.factories import make_detection, make_interpretation

tables = pytest.importorskip("tables")
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small catalogues."""
    folder = tmp_path_factory.mktemp("originals")
    return [
        write_catalog([make_interpretation(make_detection(n)) for n in (first, first + 1)], folder / f"in{first}.h5")
        for first in (10, 20)
    ]


@pytest.fixture
def inputs(originals: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of them."""
    return [Path(shutil.copy(each, tmp_path)) for each in originals]


def in_process(action: Callable[[], None]) -> int:
    """How a process of its own that does this ends: its exit code, or less than zero for a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except DataError as error:
            code = 7 if "cannot be written" in str(error) else 8
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill(*_: object, **__: object) -> None:
    """The end, without any tidying up."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("module", "name"),
    [(merge, "_tables"), (merge, "index_table"), (_files.os, "fsync"), (_files.Path, "replace")],
)
def test_a_killed_merge_leaves_the_old_file(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str
) -> None:
    target = merge_catalogs(inputs[:1], tmp_path / "merged.h5")
    before = target.read_bytes()
    monkeypatch.setattr(module, name, kill)
    assert in_process(lambda: merge_catalogs(inputs, target) and None) == -signal.SIGKILL
    monkeypatch.undo()
    assert target.read_bytes() == before
    merge_catalogs(inputs, target)  # and what was left behind is not in the way
    with tables.open_file(str(target)) as file:
        assert file.root.Detections.col("detectid").tolist() == [10, 11, 20, 21]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in10.h5", "in20.h5", "merged.h5"]


def test_a_second_merge_into_one_file_is_refused(inputs: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "merged.h5"
    with _files.holding(_files.lock_beside(target), target), pytest.raises(DataError, match="another run is writing"):
        merge_catalogs(inputs, target)
    merge_catalogs(inputs, target)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in10.h5", "in20.h5", "merged.h5"]


def test_a_lock_of_another_computer_counts_as_long_as_it_changes(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk whose locks do not reach the other computer, the file has to tell."""
    target = tmp_path / "merged.h5"
    lock = _files.lock_beside(target)
    there = _files._Owner("a" * 32, "another", 1, 1, "2026-12-01 01:02:03")
    left = tmp_path / f".elixer-{'a' * 32}"
    left.mkdir()

    def say(beat: int) -> None:
        lock.write_text(json.dumps({"elixer_widgets_lock": {**vars(there), "beat": beat}}))

    say(1)
    monkeypatch.setattr(_files.time, "sleep", lambda seconds: say(2))  # it works while we look
    with pytest.raises(DataError, match=r"is writing here .process 1 on another, since 2026-12-01 01:02:03"):
        merge_catalogs(inputs, target)
    assert left.is_dir()
    monkeypatch.undo()
    monkeypatch.setattr(_files, "WATCH", 0.1)
    merge_catalogs(inputs, target)  # it does not change any more
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in10.h5", "in20.h5", "merged.h5"]


def test_a_file_of_another_kind_is_not_replaced(inputs: list[Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.h5"
    with h5py.File(mine, "w") as file:
        file["data"] = [1, 2, 3]
    text = tmp_path / "notes.txt"
    text.write_text("notes")
    for target in (mine, text):
        before = target.read_bytes()
        with pytest.raises(DataError, match="is there already and is not an ELiXer catalogue"):
            write_catalog([make_interpretation()], target)
        with pytest.raises(DataError, match="is there already and is not an ELiXer catalogue"):
            merge_catalogs(inputs, target)
        assert target.read_bytes() == before


def test_a_merge_killed_after_the_exchange_leaves_the_new_file(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = merge_catalogs(inputs[:1], tmp_path / "merged.h5")
    exchange = _files.Path.replace
    monkeypatch.setattr(_files.Path, "replace", lambda path, to: exchange(path, to) and kill())
    assert in_process(lambda: merge_catalogs(inputs, target) and None) == -signal.SIGKILL
    monkeypatch.undo()
    with tables.open_file(str(target)) as file:
        assert file.root.Detections.read_where("detectid == 21").size == 1


@pytest.mark.parametrize("limit", [0, 70_000, 600_000, 1_200_000])
def test_a_full_disk_leaves_the_old_file(inputs: list[Path], tmp_path: Path, limit: int) -> None:
    """The system refuses to write beyond a limit, wherever in the file that happens."""
    target = merge_catalogs(inputs[:1], tmp_path / "merged.h5")
    before = target.read_bytes()

    def full(write: Callable[[], object]) -> Callable[[], None]:
        def action() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            write()

        return action

    assert in_process(full(lambda: merge_catalogs(inputs, target))) == 7
    assert in_process(full(lambda: write_catalog([make_interpretation()], target))) == 7
    assert target.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in10.h5", "in20.h5", "merged.h5"]


def test_no_space_is_said_in_words(inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(catalog, "prepare_file", full)
    with pytest.raises(DataError, match=r"c\.h5: cannot be written .*No space left .*before is unchanged"):
        write_catalog([make_interpretation()], tmp_path / "c.h5")


def test_a_stale_index_of_an_input_is_not_taken_over(inputs: list[Path], tmp_path: Path) -> None:
    """Rows appended with h5py are not in the index of the file, which still says that it is clean."""
    with h5py.File(inputs[0], "r+") as file:
        table = file["Detections"]
        rows = table[:1]
        rows["detectid"] = 99
        table.resize((3,))
        space = table.id.get_space()
        space.select_hyperslab((2,), (1,))
        table.id.write(h5py.h5s.create_simple((1,)), space, rows, mtype=table.id.get_type())
    for unique in (False, True):
        with tables.open_file(str(merge_catalogs(inputs, tmp_path / "m.h5", unique=unique))) as file:
            found = file.root.Detections
            assert found.will_query_use_indexing("detectid == 99") == {"detectid"}
            assert found.read_where("detectid == 99").size == 1


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # in PyTables
def test_pytables_appends_to_a_merged_file_and_indexes_it_again(inputs: list[Path], tmp_path: Path) -> None:
    merged = merge_catalogs(inputs, tmp_path / "m.h5", unique=True)
    with tables.open_file(str(merged), "a") as file:
        for name in ("Detections", "SpectraLines"):
            table = file.get_node(f"/{name}")
            rows = table[:2].copy()
            rows["detectid"] = [98, 99]
            table.append(rows)
            table.flush()
        bright = file.root.Detections.get_where_list("(flux_line > 1e-16) & (detectid >= 11) & (sn > 5)")
        assert bright.size == 5
        file.root.Detections.reindex_dirty()
        file.root.Detections.cols.ra.reindex()
        file.root.Detections.cols.sn.create_csindex()
    with tables.open_file(str(merged)) as file:
        table = file.root.Detections
        assert table.will_query_use_indexing("(detectid == 99) & (sn > 0)") == {"detectid", "sn"}
        assert table.read_where("(detectid == 99) & (sn > 0)").size == 1
        assert table.read_sorted("detectid")["detectid"].tolist() == [10, 11, 20, 21, 98, 99]
        assert file.root.SpectraLines.read_where("(detectid == 98) & (sol_num == 0)").size == 1
    again = merge_catalogs([merged], tmp_path / "again.h5", unique=True)
    with h5py.File(again) as file:
        assert file["Detections"]["detectid"].tolist() == [10, 11, 20, 21, 98, 99]


@pytest.mark.parametrize("cut", [0.05, 0.5, 0.95])
def test_a_file_cut_short_is_named(inputs: list[Path], tmp_path: Path, cut: float) -> None:
    data = inputs[1].read_bytes()
    inputs[1].write_bytes(data[: int(cut * len(data))])
    with pytest.raises(DataError, match=r"in20\.h5: .*leave it out"):
        merge_catalogs(inputs, tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()


def test_a_table_of_another_kind_is_refused(inputs: list[Path], tmp_path: Path) -> None:
    with h5py.File(inputs[0], "r+") as file:
        del file["Aperture"]
        file.create_dataset("Aperture", data=np.zeros(5))
    with pytest.raises(DataError, match=r"in10\.h5: Aperture is no table"):
        merge_catalogs(inputs, tmp_path / "m.h5")


OLD = ["0.1.0", "0.2.5", "0.3.1", "0.4", "0.5.2", "0.6.2", "0.7.1", "0.8.0", "0.8.1"]


def old_catalog(path: Path, version: str, rows: np.ndarray) -> Path:
    """A catalogue as PyTables writes it, with only the columns given."""
    with tables.open_file(str(path), "w") as file:
        file.create_table("/", "Detections", obj=rows).cols.detectid.create_csindex()
        kind = np.dtype([("version", "S16"), ("version_pytables", "S16")])
        file.create_table("/", "Version", obj=np.array([(version.encode(), b"3.4.4")], kind))
    return path


@pytest.mark.parametrize("version", OLD)
def test_every_old_version_is_read(version: str, inputs: list[Path], tmp_path: Path) -> None:
    kind = np.dtype([("detectid", "<i8"), ("detectname", "S40"), ("best_z", "<f4"), ("flux_line", "<f4")])
    old = old_catalog(tmp_path / "old.h5", version, np.array([(5, b"x", 2.5, 3e-17), (6, b"y", 0.3, 4e-17)], kind))
    for unique in (False, True):
        with h5py.File(merge_catalogs([old, *inputs], tmp_path / "m.h5", unique=unique)) as file:
            rows = file["Detections"][:]
            assert rows.dtype == catalog_layout("Detections").dtype
            assert rows["detectid"].tolist() == [5, 6, 10, 11, 20, 21]
            assert rows["z_best"][:2].tolist() == pytest.approx([2.5, 0.3])
            assert rows["flux_line"][1] == pytest.approx(4e-17)
            assert rows["z_best_pz"][0] == 0.0 and rows["sn"][0] == pytest.approx(-999.999)
            assert file["Version"][0]["version"] == b"0.8.1"


@pytest.mark.parametrize("version", ["0.9.0", "1.0.0", "0.80.1", "0", "", "new"])
def test_unknown_versions_are_refused_by_name(version: str, inputs: list[Path], tmp_path: Path) -> None:
    strange = old_catalog(tmp_path / "strange.h5", version, np.zeros(1, [("detectid", "<i8")]))
    with pytest.raises(DataError, match=rf"strange\.h5: catalogue version '{version}' is not known"):
        merge_catalogs([*inputs, strange], tmp_path / "m.h5")


def test_the_wide_continuum_of_old_formats_has_one_source_a_row(tmp_path: Path) -> None:
    names = ("continuum_sdss_g", "continuum_sdss_g_err", "plae_sdss_g", "mag_full_spec", "continuum_full_spec",
             "plae_full_spec", "plae_full_spec_max")  # fmt: skip
    kind = np.dtype([("detectid", "<i8"), *((name, "<f4") for name in names)])
    none = -999.999
    rows = np.array([(1, 2e-18, 3e-19, 5.0, 24.0, 9e-18, 7.0, 8.0), (2, none, none, none, 24.0, 9e-18, 7.0, 8.0)], kind)
    old = old_catalog(tmp_path / "old.h5", "0.2.5", rows)
    with h5py.File(merge_catalogs([old], tmp_path / "m.h5")) as file:
        found = file["Detections"][:]
    assert found["continuum_wide"].tolist() == pytest.approx([2e-18, 9e-18])
    assert found["plae_wide"].tolist() == pytest.approx([5.0, 7.0])
    assert found["plae_wide_max"].tolist() == pytest.approx([none, 8.0])
    assert found["mag_g_wide"].tolist() == pytest.approx([none, 24.0])
    assert found["continuum_wide_err"].tolist() == pytest.approx([3e-19, none])
