"""Tables and column indexes that PyTables reads as its own, written and read with h5py.

The layout of a completely sorted index (CSI) follows the files that PyTables writes: keys in ascending order cut into
slices, the rest of the keys in a "last row", each with the numbers of the table rows, and the bounds of the chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import h5py
import numpy as np

from elixer_widgets.releases.layout import TableLayout

FORMAT_VERSION = "2.1"  # of the PyTables file format
TABLE_VERSION = "2.7"
INDEX_CHUNK = 1024  # keys in a chunk of an index
INDEX_SLICE = 262144  # keys in a slice; a multiple of the chunk
WHOLE_TABLE = 2**28  # bytes; a table below this may be read whole to get at one column
MOST_PACKED = 200  # times; tables of numbers do not shrink further
CHUNK_BYTES = 2**17  # aimed at for a chunk of a table whose chunking is not given
_FILTERS = 65793  # PyTables' packed form of "zlib, level 1, with shuffle"


# What a damaged index may raise.
INDEX_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, IndexError, AttributeError, MemoryError)


def prepare_file(file: h5py.File, title: str = "") -> None:
    """Mark an open, writable file as one of PyTables' own (root attributes)."""
    _mark(file["/"], "GROUP", title, "1.0")
    file.attrs["PYTABLES_FORMAT_VERSION"] = np.bytes_(FORMAT_VERSION)


def require_group(file: h5py.File, path: str, title: str = "") -> h5py.Group:
    """The group at `path`, made with its parents if need be, each marked as a PyTables group."""
    if "PYTABLES_FORMAT_VERSION" not in file.attrs:
        prepare_file(file)
    group = file["/"]
    for part in [piece for piece in path.split("/") if piece]:
        if part not in group:
            _mark(group.create_group(part), "GROUP", "", "1.0")
        group = group[part]
    if title:
        group.attrs["TITLE"] = np.bytes_(title)
    return group


def create_table(
    group: h5py.Group,
    name: str,
    dtype: np.dtype,
    rows: np.ndarray | None,
    title: str = "",
    fills: Mapping[str, object] | None = None,
    chunk_rows: int | None = None,
    booleans: Iterable[str] = (),
) -> h5py.Dataset:
    """Write an uncompressed, extendible table that PyTables opens as a Table.

    Parameters
    ----------
    group : h5py.Group
        Open for writing; the file itself for a table at the root.
    name : str
    dtype : numpy.dtype
        Compound, packed; the columns in their order on disk.
    rows : array, shape (n,), or None
        Structured, with the columns of `dtype` by name; None for an empty table.
    title : str
    fills : mapping, optional
        Column to default value, for columns that are not zero by default.
    chunk_rows : int, optional
        Rows a chunk; about 128 kB by default.
    booleans : iterable of str
        `u1` columns that are truth values; they become the 8-bit HDF5 bit field of PyTables.

    Returns
    -------
    h5py.Dataset

    Raises
    ------
    ValueError
        If `rows` lack a column of `dtype`.
    """
    if "PYTABLES_FORMAT_VERSION" not in group.file.attrs:
        prepare_file(group.file)
    names = dtype.names or ()
    data = np.zeros(0, dtype) if rows is None else np.atleast_1d(rows)
    missing = [column for column in names if column not in (data.dtype.names or ())]
    if missing:
        raise ValueError(f"table {name}: the rows lack the columns {', '.join(missing)}")
    if data.dtype != dtype:
        converted = np.zeros(data.shape, dtype)
        for column in names:
            converted[column] = data[column]
        data = converted
    data = np.ascontiguousarray(data)

    stored = _stored_type(dtype, frozenset(booleans))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((chunk_rows or max(1, CHUNK_BYTES // dtype.itemsize),))
    space = h5py.h5s.create_simple(data.shape, (h5py.h5s.UNLIMITED,))
    raw = h5py.h5d.create(group.id, name.encode(), stored, space, plan)
    if data.size:
        # The stored type serves as memory type too: HDF5 converts nothing, not even bit fields.
        raw.write(h5py.h5s.ALL, h5py.h5s.ALL, data, mtype=stored)
    table = h5py.Dataset(raw)

    _mark(table, "TABLE", title, TABLE_VERSION)
    table.attrs["NROWS"] = np.int64(data.size)
    table.attrs["FLAVOR"] = np.bytes_("numpy")
    given = fills or {}
    for number, column in enumerate(names):
        table.attrs[f"FIELD_{number}_NAME"] = np.bytes_(column)
        table.attrs[f"FIELD_{number}_FILL"] = _fill(dtype[column].base, given.get(column, 0))
    return table


def write_layout(
    file: h5py.File,
    path: str,
    layout: TableLayout,
    rows: np.ndarray | None,
    title: str = "",
    chunk_rows: int | None = None,
) -> h5py.Dataset:
    """Write `rows` as the table `path` ("/Data/Fibers") of a known layout, making its groups."""
    parent, _, name = path.strip("/").rpartition("/")
    return create_table(
        require_group(file, parent),
        name,
        layout.dtype,
        rows,
        title,
        fills=layout.fills,
        chunk_rows=chunk_rows,
        booleans=layout.booleans,
    )


def _stored_type(dtype: np.dtype, booleans: frozenset[str]) -> h5py.h5t.TypeID:
    if not booleans:
        return h5py.h5t.py_create(dtype, logical=True)
    compound = h5py.h5t.create(h5py.h5t.COMPOUND, dtype.itemsize)
    fields: Mapping[str, tuple] = dtype.fields or {}
    for column in dtype.names or ():
        kind, offset = fields[column][:2]
        if column in booleans:
            member = h5py.h5t.STD_B8LE
            if kind.shape:
                member = h5py.h5t.array_create(member, kind.shape)
        else:
            member = h5py.h5t.py_create(kind, logical=True)
        compound.insert(column.encode(), offset, member)
    return compound


def _fill(base: np.dtype, value: object) -> object:
    if base.kind == "S":
        return h5py.Empty("S1") if value in (0, "", b"") else np.bytes_(str(value))
    return base.type(value)


def _mark(item: h5py.Group | h5py.Dataset, kind: str, title: str, version: str) -> None:
    item.attrs["CLASS"] = np.bytes_(kind)
    item.attrs["TITLE"] = np.bytes_(title) if title else h5py.Empty("S1")
    item.attrs["VERSION"] = np.bytes_(version)


# ------------------------------------------------------------------------------------------------- the index


def _index_path(table_path: str, column: str) -> str:
    parent, _, name = table_path.strip("/").rpartition("/")
    return f"/{parent}/_i_{name}/{column}".replace("//", "/")


def write_index(
    file: h5py.File,
    table_path: str,
    column: str,
    slice_size: int = INDEX_SLICE,
    values: np.ndarray | None = None,
) -> None:
    """Write a completely sorted index of one column, replacing one that is there.

    Parameters
    ----------
    file : h5py.File
        Open for writing.
    table_path : str
        For example "/Detections" or "/Data/Fibers".
    column : str
        A scalar column.
    slice_size : int
        Keys a slice; a multiple of 1024.
    values : array, shape (n,), optional
        The column, if it is at hand: reading it back out of wide rows means reading the whole table.

    Notes
    -----
    Rows appended later are not in the index, and PyTables would not notice: call `remove_index` before appending, and
    write the index anew afterwards.
    """
    if slice_size % INDEX_CHUNK:
        raise ValueError(f"slice_size {slice_size} is not a multiple of {INDEX_CHUNK}")
    table = file[table_path]
    if values is None:
        values = table.fields(column)[:] if table.shape[0] else np.zeros(0)
    values = np.asarray(values, dtype=table.dtype[column])
    if values.shape != table.shape:
        raise ValueError(f"index of {table_path}.{column}: {values.shape} values for {table.shape} rows")
    order = np.argsort(values, kind="stable").astype("<u8")
    keys = np.ascontiguousarray(values[order])

    remove_index(file, table_path, column)
    path = _index_path(table_path, column)
    holder_path, _, _ = path.rpartition("/")
    if holder_path not in file:
        holder = file.create_group(holder_path)
        _mark(holder, "TINDEX", f"Indexes container for table /{table_path.strip('/')}", "1.0")
    group = file.create_group(path)
    _mark(group, "INDEX", f"Index for {column} column", "2.1")
    slices = keys.size // slice_size
    superblock = slice_size * max(2, slices + 1)
    group.attrs["DIRTY"] = np.int32(0)
    group.attrs["FILTERS"] = np.int64(_FILTERS)
    group.attrs["blocksize"] = np.uint64(superblock)
    group.attrs["superblocksize"] = np.uint64(superblock)
    group.attrs["slicesize"] = np.uint32(slice_size)
    group.attrs["chunksize"] = np.uint32(INDEX_CHUNK)
    group.attrs["optlevel"] = np.int64(9)
    group.attrs["reduction"] = np.int64(1)
    group.attrs["is_csi"] = np.uint8(1)

    full = slices * slice_size
    chunks = slice_size // INDEX_CHUNK
    body = keys[:full].reshape(slices, slice_size)
    low, middle, high = (
        body[:, ::INDEX_CHUNK],
        body[:, INDEX_CHUNK // 2 :: INDEX_CHUNK],
        body[:, INDEX_CHUNK - 1 :: INDEX_CHUNK],
    )
    _extendible(group, "sorted", body, "INDEXARRAY", "Sorted Values", (1, INDEX_CHUNK))
    _extendible(
        group,
        "indices",
        order[:full].reshape(slices, slice_size),
        "INDEXARRAY",
        "Number of chunk in table",
        (1, INDEX_CHUNK),
    )
    _extendible(
        group,
        "ranges",
        body[:, [0, -1]] if slices else np.zeros((0, 2), keys.dtype),
        "CACHEARRAY",
        "Range Values",
        (4096, 2),
    )
    _extendible(group, "bounds", low[:, 1:], "CACHEARRAY", "Boundary Values", (1, chunks - 1))
    _extendible(group, "abounds", low.ravel(), "EARRAY", "Start bounds", (8192,))
    _extendible(group, "zbounds", high.ravel(), "EARRAY", "End bounds", (8192,))
    _extendible(group, "mbounds", middle.ravel(), "EARRAY", "Median bounds", (8192,))
    _extendible(group, "mranges", middle[:, chunks // 2], "EARRAY", "Median ranges", (8192,))

    rest, rest_order = keys[full:], order[full:]
    last_keys = np.zeros(slice_size + chunks + 1, keys.dtype)
    last_keys[: rest.size] = rest
    if rest.size:
        bounds = np.concatenate((rest[::INDEX_CHUNK], rest[-1:]))
        last_keys[rest.size : rest.size + bounds.size] = bounds
    last_order = np.zeros(slice_size, "<u8")
    last_order[: rest.size] = rest_order
    _last_row(group, "sortedLR", last_keys, rest.size, "Last Row sorted values + bounds")
    _last_row(group, "indicesLR", last_order, rest.size, "Last Row indices")


def _extendible(group: h5py.Group, name: str, data: np.ndarray, kind: str, title: str, chunks: tuple[int, ...]) -> None:
    limits = (None, *data.shape[1:])
    item = group.create_dataset(
        name, data=data, maxshape=limits, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True
    )
    _mark(item, kind, title, "1.1")
    item.attrs["EXTDIM"] = np.int32(0)


def _last_row(group: h5py.Group, name: str, data: np.ndarray, count: int, title: str) -> None:
    item = group.create_dataset(
        name, data=data, chunks=(INDEX_CHUNK,), compression="gzip", compression_opts=1, shuffle=True
    )
    _mark(item, "LASTROWARRAY", title, "1.1")
    item.attrs["nelements"] = np.int64(count)


def remove_index(file: h5py.File, table_path: str, column: str | None = None) -> None:
    """Delete the index of one column, or all indexes of the table."""
    path = _index_path(table_path, column or "").rstrip("/")
    if path in file:
        del file[path]


def _usable_index(file: h5py.File, table_path: str, column: str) -> tuple[h5py.Group, int] | None:
    """The index group and the number of keys in its last row; None where the index cannot be trusted."""
    path = _index_path(table_path, column)
    if path not in file or table_path not in file:
        return None
    group, parts = file[path], ("sorted", "indices", "sortedLR", "indicesLR", "ranges", "bounds")
    if not isinstance(group, h5py.Group) or not all(_own_numbers(group, name) for name in parts):
        return None
    if int(group.attrs.get("DIRTY", 1)):
        return None
    # Lighter kinds of index keep chunk numbers instead of row numbers.
    if group["indices"].dtype.itemsize != 8 or int(group.attrs.get("reduction", 0)) != 1:
        return None
    rest = int(group["sortedLR"].attrs.get("nelements", -1))
    if rest < 0 or rest != int(group["indicesLR"].attrs.get("nelements", -1)):
        return None
    # Its other parts fit its keys: a row of each for a row of them.
    slices, width = (*group["sorted"].shape, 1)[:2]
    if (
        group["ranges"].shape != (slices, 2)
        or group["bounds"].shape[0] != slices
        or group["bounds"].size > slices * width
    ):
        return None
    return (group, rest) if group["sorted"].size + rest == file[table_path].shape[0] else None


def _own_numbers(group: h5py.Group, name: str) -> bool:
    """Whether a part of an index is a dataset whose numbers lie in this file, and do not fill the memory."""
    if name not in group or isinstance(group.get(name, getlink=True), h5py.SoftLink):
        return False
    item = group[name]
    if not isinstance(item, h5py.Dataset) or item.shape is None or item.ndim not in (1, 2):
        return False
    outside = item.is_virtual or item.id.get_create_plist().get_external_count()
    return not outside and not fills_memory(item)


def unpacked_size(data: h5py.Dataset) -> int:
    """Bytes that reading any of a dataset may take: all of it, or a chunk where that is larger."""
    return max(data.size or 0, prod(data.chunks or ())) * data.dtype.itemsize


def fills_memory(data: h5py.Dataset) -> bool:
    """Whether a few bytes of a file would be many when read."""
    size = unpacked_size(data)
    return size > WHOLE_TABLE and size > MOST_PACKED * max(data.id.get_storage_size(), 1)


def read_index(file: h5py.File, table_path: str, column: str) -> tuple[np.ndarray, np.ndarray] | None:
    """The keys of an indexed column in ascending order, and the row of each.

    Returns
    -------
    keys, rows : arrays, shape (n,), or None
        None if there is no index, it is marked dirty, its length is not the table's, or it is not sorted.
    """
    try:
        return _read_index(file, table_path, column)
    except INDEX_FAULTS:  # an index is only a short way to the table
        return None


def _read_index(file: h5py.File, table_path: str, column: str) -> tuple[np.ndarray, np.ndarray] | None:
    found = _usable_index(file, table_path, column)
    if found is None:
        return None
    group, rest = found
    keys = np.concatenate((group["sorted"][...].ravel(), group["sortedLR"][:rest]))
    rows = np.concatenate((group["indices"][...].ravel(), group["indicesLR"][:rest])).astype(np.int64)
    if keys.size and (np.any(keys[1:] < keys[:-1]) or rows.min() < 0 or rows.max() >= keys.size):
        return None
    return keys, rows


def find_rows(file: h5py.File, table_path: str, column: str, key: Any) -> np.ndarray | None:
    """The rows where an indexed column equals `key`, reading only the few chunks of the index that can hold it.

    Returns
    -------
    array of int64, ascending, or None
        Empty if no row has the key; None if there is no index to trust.
    """
    try:
        return _find_rows(file, table_path, column, key)
    except INDEX_FAULTS:
        return None


def _find_rows(file: h5py.File, table_path: str, column: str, key: Any) -> np.ndarray | None:
    found = _usable_index(file, table_path, column)
    if found is None:
        return None
    group, rest = found
    size = int(group.attrs.get("chunksize", INDEX_CHUNK))
    if group["sorted"].dtype.kind == "S" and len(key) > group["sorted"].dtype.itemsize:
        return np.zeros(0, np.int64)  # numpy would cut the key short and find another
    wanted = np.asarray([key], dtype=group["sorted"].dtype)[0]
    rows: list[np.ndarray] = []
    ranges = group["ranges"][...]
    for number in np.flatnonzero([low <= wanted <= high for low, high in ranges]):
        starts = np.concatenate((ranges[number, :1], group["bounds"][number]))
        window = _chunks(starts, wanted, size)
        rows.append(_equal(group["sorted"][number, window], group["indices"][number, window], wanted))
    if rest:
        starts = group["sortedLR"][rest : rest + -(-rest // size)]
        window = _chunks(starts, wanted, size)
        window = slice(window.start, min(window.stop, rest))
        rows.append(_equal(group["sortedLR"][window], group["indicesLR"][window], wanted))
    return np.sort(np.concatenate(rows)).astype(np.int64) if rows else np.zeros(0, np.int64)


def _chunks(starts: np.ndarray, key: Any, size: int) -> slice:
    """The keys of the chunks that may hold `key`, given the first key of each chunk."""
    first = max(int(np.searchsorted(starts, key, "left")) - 1, 0)
    last = max(int(np.searchsorted(starts, key, "right")), 1)
    return slice(first * size, last * size)


def _equal(keys: np.ndarray, rows: np.ndarray, key: Any) -> np.ndarray:
    return rows[np.searchsorted(keys, key, "left") : np.searchsorted(keys, key, "right")]
