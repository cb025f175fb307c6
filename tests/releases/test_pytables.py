"""What we write must be PyTables' own: it opens, it queries through our index, and the answers are right."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets.releases import layout, pytables

tables = pytest.importorskip("tables")

MIXED = np.dtype([("key", "<i8"), ("flag", "u1"), ("name", "S3"), ("vector", "<f4", (3,))])


def _rows(keys: np.ndarray, kind: str = "<i8") -> np.ndarray:
    rows = np.zeros(keys.size, np.dtype([("key", kind), *MIXED.descr[1:]]))
    rows["key"] = keys
    rows["flag"] = np.arange(keys.size) % 2
    rows["vector"] = np.arange(keys.size)[:, None] + np.array([0.0, 0.25, 0.5])
    return rows


def _write(path: Path, rows: np.ndarray, slice_size: int = pytables.INDEX_SLICE) -> None:
    with h5py.File(path, "w") as file:
        pytables.create_table(pytables.require_group(file, "Data"), "T", rows.dtype, rows, booleans=("flag",))
        pytables.write_index(file, "/Data/T", "key", slice_size=slice_size)


def test_table_opens_with_its_own_types(tmp_path: Path) -> None:
    rows = _rows(np.array([5, 1, 4]))
    _write(tmp_path / "t.h5", rows)
    with tables.open_file(tmp_path / "t.h5") as file:
        table = file.root.Data.T
        assert isinstance(table, tables.Table)
        assert table.description.flag.type == "bool"
        assert table.col("flag").tolist() == [False, True, False]
        assert table.description.vector.shape == (3,)
        assert np.array_equal(table.col("vector"), rows["vector"])


def test_fill_values_and_titles_reach_pytables(tmp_path: Path) -> None:
    kind = np.dtype([("z", "<f4"), ("n", "<i4"), ("t", "S4")])
    with h5py.File(tmp_path / "t.h5", "w") as file:
        pytables.create_table(file, "T", kind, None, title="A title", fills={"z": -1.5, "n": 7})
    with tables.open_file(tmp_path / "t.h5", "a") as file:
        table = file.root.T
        assert table.title == "A title"
        assert table.coldescrs["z"].dflt == -1.5 and table.coldescrs["n"].dflt == 7
        row = table.row
        row["t"] = b"new"
        row.append()
        table.flush()
        assert table.nrows == 1 and table[0]["z"] == np.float32(-1.5) and table[0]["t"] == b"new"


@pytest.mark.parametrize("count", [1, 1024, 2047, 2048, 2049, 4096, 7000])
@pytest.mark.parametrize("kind", ["<i8", "<f4", "S20"])
def test_index_answers_as_a_scan_does(tmp_path: Path, count: int, kind: str) -> None:
    """Below, at and above one slice (2048 keys here), with repeated keys."""
    random = np.random.default_rng(count)
    keys = random.integers(0, max(1, count // 2), count)
    named = np.array([b"key%06d" % key for key in keys]) if kind == "S20" else keys
    rows = _rows(named, kind)
    _write(tmp_path / "t.h5", rows, slice_size=2048)
    with tables.open_file(tmp_path / "t.h5") as file:
        table = file.root.Data.T
        assert table.cols.key.is_indexed and table.cols.key.index.is_csi
        for number in {0, count // 2, count - 1, int(np.argmin(keys)), int(np.argmax(keys))}:
            wanted = rows["key"][number]
            value = bytes(wanted) if kind == "S20" else wanted.item()
            assert table.will_query_use_indexing("key == value", {"value": value})
            got = table.get_where_list("key == value", {"value": value}, sort=True)
            assert got.tolist() == np.flatnonzero(rows["key"] == wanted).tolist()
            read = table.read_where("key == value", {"value": value})
            assert np.array_equal(np.sort(read["vector"][:, 0]), got)
        if kind != "S20":
            low, high = (0.3 * count, 0.4 * count) if kind == "<f4" else (int(0.3 * count), int(0.4 * count))
            got = table.get_where_list("(key >= low) & (key < high)", {"low": low, "high": high}, sort=True)
            assert got.tolist() == np.flatnonzero((keys >= low) & (keys < high)).tolist()


def test_full_size_slice(tmp_path: Path) -> None:
    keys = np.random.default_rng(3).permutation(pytables.INDEX_SLICE + 5000)
    _write(tmp_path / "t.h5", _rows(keys))
    with tables.open_file(tmp_path / "t.h5") as file:
        table = file.root.Data.T
        for key in (0, 17, keys.size // 2, pytables.INDEX_SLICE, keys.size - 1):
            assert table.get_where_list("key == k", {"k": key}).tolist() == np.flatnonzero(keys == key).tolist()


@pytest.mark.parametrize("count", [0, 3, 5000])
def test_our_reader_reads_our_index(tmp_path: Path, count: int) -> None:
    keys = np.random.default_rng(count).integers(0, 10**12, count)
    _write(tmp_path / "t.h5", _rows(keys), slice_size=2048)
    with h5py.File(tmp_path / "t.h5") as file:
        found = pytables.read_index(file, "/Data/T", "key")
    assert found is not None
    assert np.array_equal(found[0], np.sort(keys)) and np.array_equal(keys[found[1]], found[0])


@pytest.mark.parametrize("count", [4, 3000])
def test_our_reader_reads_an_index_that_pytables_made(tmp_path: Path, count: int) -> None:
    keys = np.random.default_rng(count).permutation(count)
    with tables.open_file(tmp_path / "t.h5", "w") as file:
        table = file.create_table("/", "T", _rows(keys))
        table.cols.key.create_csindex()
    with h5py.File(tmp_path / "t.h5") as file:
        found = pytables.read_index(file, "/T", "key")
    assert found is not None
    assert np.array_equal(keys[found[1]], np.arange(count))


def test_a_stale_index_is_not_trusted(tmp_path: Path) -> None:
    _write(tmp_path / "t.h5", _rows(np.arange(10)))
    with h5py.File(tmp_path / "t.h5", "a") as file:
        table = file["/Data/T"]
        table.resize((11,))
        assert pytables.read_index(file, "/Data/T", "key") is None
        table.resize((10,))
        assert pytables.read_index(file, "/Data/T", "key") is not None
        file["/Data/_i_T/key"].attrs["DIRTY"] = 1
        assert pytables.read_index(file, "/Data/T", "key") is None
        pytables.remove_index(file, "/Data/T")
        assert "/Data/_i_T" not in file


def test_pytables_appends_to_our_table_and_keeps_the_index(tmp_path: Path) -> None:
    _write(tmp_path / "t.h5", _rows(np.arange(3000)[::-1]), slice_size=2048)
    with tables.open_file(tmp_path / "t.h5", "a") as file:
        file.root.Data.T.append(_rows(np.array([10_001, 10_000])))
        file.root.Data.T.flush()
    with tables.open_file(tmp_path / "t.h5") as file:
        assert file.root.Data.T.get_where_list("key == 10000").tolist() == [3001]
        assert file.root.Data.T.get_where_list("key == 7").tolist() == [2992]


def test_rows_without_a_column_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file, pytest.raises(ValueError, match="lack the columns name"):
        pytables.create_table(file, "T", MIXED, np.zeros(2, [("key", "i8"), ("flag", "u1"), ("vector", "f4", (3,))]))


def test_every_known_layout_opens(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        for key, known in layout.LAYOUTS.items():
            pytables.write_layout(file, f"/{key}", known, known.rows(1), title=key)
    with tables.open_file(tmp_path / "t.h5") as file:
        for key, known in layout.LAYOUTS.items():
            table = file.get_node(f"/{key}")
            assert table.colnames == list(known.dtype.names), key
            assert table.rowsize == known.dtype.itemsize
            for column in known.booleans:
                assert table.coltypes[column] == "bool"


@pytest.mark.parametrize("part", ["sorted", "indices", "sortedLR", "indicesLR", "ranges", "bounds"])
@pytest.mark.parametrize("whole", [True, False], ids=["many numbers", "one huge chunk"])
def test_an_index_that_would_fill_the_memory_is_not_trusted(tmp_path: Path, part: str, whole: bool) -> None:
    """Half a gigabyte of zeros packs into a few hundred kilobytes; of a chunk all is unpacked for one number."""
    path = tmp_path / "t.h5"
    _write(path, _rows(np.arange(5000)), slice_size=2048)
    with h5py.File(path, "r+") as file:
        group = file["/Data/_i_T/key"]
        attrs, values = dict(group[part].attrs), group[part][...]
        del group[part]
        long = 2**26 if whole else values.shape[0]
        shape = (long, *values.shape[1:])
        most = 2**26 // max(int(np.prod(values.shape[1:], dtype=int)), 1)
        chunks = (2**16 if whole else most, *values.shape[1:])
        made = group.create_dataset(
            part,
            shape,
            values.dtype,
            chunks=chunks,
            maxshape=(None, *shape[1:]),
            compression="gzip",
            compression_opts=9,
        )
        made.attrs.update(attrs)
    with h5py.File(path) as file:
        assert pytables.unpacked_size(file["/Data/_i_T/key"][part]) > pytables.WHOLE_TABLE
        assert pytables.read_index(file, "/Data/T", "key") is None
        assert pytables.find_rows(file, "/Data/T", "key", 7) is None
