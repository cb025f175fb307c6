"""Merging catalogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import catalog_layout
from elixer_widgets.releases.pytables import create_table, prepare_file
from elixer_widgets.reports import merge_catalogs, write_catalog
from tests.factories import make_detection, make_interpretation

tables = pytest.importorskip("tables")


@pytest.fixture
def catalog(tmp_path: Path) -> Callable[..., Path]:
    """Make a catalogue of some detection numbers, with a given time."""

    def make(name: str, ids: list[int], when: str = "2026-01-01 00:00:00") -> Path:
        path = write_catalog([make_interpretation(make_detection(each)) for each in ids], tmp_path / name)
        with h5py.File(path, "r+") as file:
            rows = file["Detections"][:]
            rows["elixer_datetime"] = when.encode()
            rows["z_best"] = float(when[2:4])  # tells where a row came from
            kind = file["Detections"].id.get_type()
            file["Detections"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, rows, mtype=kind)
            lines = file["SpectraLines"][:]
            lines["score"] = float(when[2:4])
            file["SpectraLines"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, lines, mtype=file["SpectraLines"].id.get_type())
        return path

    return make


def test_everything_is_kept_in_order(catalog: Callable[..., Path], tmp_path: Path) -> None:
    merged = merge_catalogs([catalog("b.h5", [5, 3]), catalog("a.h5", [4, 3])], tmp_path / "m.h5")
    with tables.open_file(str(merged)) as file:
        assert file.root.Detections.col("detectid").tolist() == [5, 3, 4, 3]
        assert file.root.CalibratedSpectra.col("detectid").tolist() == [5, 3, 4, 3]
        assert file.root.Detections.cols.detectid.index.is_csi
        assert len(file.root.Detections.read_where("detectid == 3")) == 2
        assert len(file.root.ElixerApertures.read_where("detectid == 3")) == 20
        assert file.root.ElixerWidgets.Identity.nrows == 4
        assert file.root.Version[0]["version"] == b"0.8.1"


@pytest.mark.parametrize("swap", [False, True])
def test_unique_keeps_the_newest_and_its_details(catalog: Callable[..., Path], tmp_path: Path, swap: bool) -> None:
    old = catalog("old.h5", [1, 2, 3], "2024-05-01 00:00:00")
    new = catalog("new.h5", [3, 2, 9], "2025-05-01 00:00:00")
    merged = merge_catalogs([new, old] if swap else [old, new], tmp_path / "m.h5", unique=True)
    with tables.open_file(str(merged)) as file:
        found = {int(row["detectid"]): float(row["z_best"]) for row in file.root.Detections[:]}
        assert found == {1: 24.0, 2: 25.0, 3: 25.0, 9: 25.0}
        assert file.root.Detections.nrows == file.root.CalibratedSpectra.nrows == 4
        scores = {int(row["detectid"]): float(row["score"]) for row in file.root.SpectraLines[:]}
        assert scores == found
        assert file.root.SpectraLines.nrows == 8
        assert file.root.ElixerWidgets.Evidence.nrows == 12


def test_of_equal_times_the_last_wins(catalog: Callable[..., Path], tmp_path: Path) -> None:
    one, two = catalog("one.h5", [1]), catalog("two.h5", [1])
    with h5py.File(two, "r+") as file:
        rows = file["Detections"][:]
        rows["z_best"] = 99.0
        file["Detections"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, rows, mtype=file["Detections"].id.get_type())
    merged = merge_catalogs([one, two], tmp_path / "m.h5", unique=True)
    with h5py.File(merged) as file:
        assert file["Detections"]["z_best"].tolist() == [99.0]


def test_unique_mends_a_file_that_holds_a_detection_twice(catalog: Callable[..., Path], tmp_path: Path) -> None:
    twice = merge_catalogs([catalog("a.h5", [1, 2]), catalog("b.h5", [2, 7])], tmp_path / "twice.h5")
    merged = merge_catalogs([twice], tmp_path / "m.h5", unique=True)
    with h5py.File(merged) as file:
        assert sorted(file["Detections"]["detectid"]) == [1, 2, 7]
        assert sorted(file["CalibratedSpectra"]["detectid"]) == [1, 2, 7]
        assert np.bincount(file["ElixerApertures"]["detectid"])[[1, 2, 7]].tolist() == [10, 10, 10]


def test_details_of_a_repeated_detection_are_those_of_the_newest(catalog: Callable[..., Path], tmp_path: Path) -> None:
    new = catalog("new.h5", [2, 1], "2025-01-01 00:00:00")
    old = catalog("old.h5", [7, 2], "2023-01-01 00:00:00")
    twice = merge_catalogs([old, new, catalog("last.h5", [8], "2022-01-01 00:00:00")], tmp_path / "twice.h5")
    apart = merge_catalogs([new, catalog("b.h5", [9]), old], tmp_path / "apart.h5")
    for path in (twice, apart):
        with h5py.File(merge_catalogs([path], tmp_path / "m.h5", unique=True)) as file:
            of_two = file["SpectraLines"]["detectid"] == 2
            assert set(file["SpectraLines"]["score"][of_two]) >= {25.0}
            if path is apart:  # the rows of the two are not neighbours there, so they can be told apart
                assert file["SpectraLines"]["score"][of_two].tolist() == [25.0, 25.0]
            assert np.sum(file["CalibratedSpectra"]["detectid"] == 2) == 1


def test_merging_twice_changes_nothing(catalog: Callable[..., Path], tmp_path: Path) -> None:
    inputs = [catalog("a.h5", [1, 2]), catalog("b.h5", [2, 7])]
    once = merge_catalogs(inputs, tmp_path / "once.h5", unique=True)
    again = merge_catalogs([once], tmp_path / "again.h5", unique=True)
    with h5py.File(once) as one, h5py.File(again) as two:
        for name in ("Detections", "CalibratedSpectra", "ElixerApertures", "CatalogMatch", "SpectraLines"):
            assert one[name][:].tobytes() == two[name][:].tobytes()


def test_booleans_survive(catalog: Callable[..., Path], tmp_path: Path) -> None:
    merged = merge_catalogs([catalog("a.h5", [1])], tmp_path / "m.h5")
    with tables.open_file(str(merged)) as file:
        assert file.root.CatalogMatch.coltypes["selected"] == "bool"
        assert file.root.CatalogMatch.col("selected").tolist() == [True, False]


def test_an_old_format_is_mapped_by_name(catalog: Callable[..., Path], tmp_path: Path) -> None:
    old = tmp_path / "old.h5"
    columns = np.dtype([("detectid", "<i8"), ("best_z", "<f4"), ("plae_classification", "<f4"), ("plae_sdss_g", "<f4")])
    rows = np.array([(77, 2.5, 0.9, 30.0)], columns)
    with h5py.File(old, "w") as file:
        prepare_file(file, "an older catalogue")
        create_table(file, "Detections", columns, rows)
        version = catalog_layout("Version").rows(1)
        version["version"] = b"0.2.5"
        create_table(file, "Version", version.dtype, version)
    merged = merge_catalogs([old, catalog("new.h5", [78])], tmp_path / "m.h5")
    with h5py.File(merged) as file:
        row = file["Detections"][0]
        assert (row["detectid"], row["z_best"]) == (77, 2.5)
        assert row["plya_classification"] == pytest.approx(0.9)
        assert row["plae_wide"] == pytest.approx(30.0)
        assert row["flux_line"] == pytest.approx(-999.999)  # that column was not there
        assert file["Detections"].shape == (2,)


def test_a_file_that_pytables_wrote_gives_the_same(catalog: Callable[..., Path], tmp_path: Path) -> None:
    """Its strings and truth values are of other HDF5 types than ours."""
    ours, theirs = catalog("ours.h5", [1, 2]), tmp_path / "theirs.h5"
    copied = []
    with tables.open_file(str(ours)) as source, tables.open_file(str(theirs), "w") as target:
        for node in source.walk_nodes("/", "Table"):
            if node._v_pathname.count("/") == 1:
                target.create_table("/", node.name, obj=node[:])
                copied.append(node.name)
        target.root.Detections.cols.detectid.create_csindex()
    for unique in (False, True):
        one = merge_catalogs([ours], tmp_path / "one.h5", unique=unique)
        two = merge_catalogs([theirs], tmp_path / "two.h5", unique=unique)
        with h5py.File(one) as first, h5py.File(two) as second:
            for name in copied:
                assert first[name][:].tobytes() == second[name][:].tobytes(), name


def test_optional_tables_follow(catalog: Callable[..., Path], tmp_path: Path) -> None:
    path = catalog("a.h5", [1])
    layout = catalog_layout("DeblendedSpectra")
    rows = layout.rows(1)
    rows["detectid"] = 1
    with h5py.File(path, "r+") as file:
        create_table(file, "DeblendedSpectra", layout.dtype, rows)
    with h5py.File(merge_catalogs([path, catalog("b.h5", [2])], tmp_path / "m.h5")) as file:
        assert file["DeblendedSpectra"]["detectid"].tolist() == [1]


def test_the_real_empty_catalogue_can_take_part(catalog: Callable[..., Path], tmp_path: Path, shared: Path) -> None:
    empty = shared / "reference" / "original" / "elixer_empty_all_tables.h5"
    with h5py.File(merge_catalogs([empty, catalog("a.h5", [1])], tmp_path / "m.h5", unique=True)) as file:
        assert file["Detections"]["detectid"].tolist() == [1]


def _version(path: Path, text: bytes) -> None:
    with h5py.File(path, "r+") as file:
        rows = file["Version"][:]
        rows["version"] = text
        file["Version"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, rows, mtype=file["Version"].id.get_type())


def test_refusals_name_the_file_and_the_reason(catalog: Callable[..., Path], tmp_path: Path) -> None:
    good, strange = catalog("good.h5", [1]), catalog("strange.h5", [2])
    _version(strange, b"1.3.0")
    with pytest.raises(DataError, match=r"strange\.h5: catalogue version '1\.3\.0' is not known"):
        merge_catalogs([good, strange], tmp_path / "m.h5")
    with pytest.raises(DataError, match="is one of the catalogues"):
        merge_catalogs([good], good)
    with pytest.raises(DataError, match="no catalogue to merge"):
        merge_catalogs([], tmp_path / "m.h5")
    with pytest.raises(DataError, match=r"gone\.h5: there is no such"):
        merge_catalogs([good, tmp_path / "gone.h5"], tmp_path / "m.h5")
    (tmp_path / "junk.h5").write_bytes(b"not HDF5")
    with pytest.raises(DataError, match=r"junk\.h5: cannot be read"):
        merge_catalogs([good, tmp_path / "junk.h5"], tmp_path / "m.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match=r"other\.h5: no table Detections"):
        merge_catalogs([good, tmp_path / "other.h5"], tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_memory_is_bounded_by_pieces(
    catalog: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same result when pieces are far smaller than the tables."""
    from elixer_widgets.reports import merge

    inputs = [catalog("a.h5", [1, 2, 3]), catalog("b.h5", [3, 4])]
    whole = merge_catalogs(inputs, tmp_path / "whole.h5", unique=True)
    monkeypatch.setattr(merge, "PIECE_BYTES", 600)
    pieces = merge_catalogs(inputs, tmp_path / "pieces.h5", unique=True)
    with h5py.File(whole) as one, h5py.File(pieces) as two:
        for name in ("Detections", "CalibratedSpectra", "ElixerApertures"):
            assert one[name][:].tobytes() == two[name][:].tobytes()
