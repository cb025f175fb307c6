"""Merging catalogues: rows copied by column name into one new file, memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import TableLayout, catalog_layout
from elixer_widgets.releases.pytables import create_table, prepare_file, require_group
from elixer_widgets.reports.catalog import (
    OWN_GROUP,
    OWN_TABLES,
    TABLES,
    TITLE,
    index_table,
    indexed_columns,
    new_file,
    version_rows,
)
from elixer_widgets.reports.merge_input import Catalog, Reader, Table

PIECE_BYTES = 8 * 2**20
"""Rows of a table are gathered, and read from large files, in pieces of about this size."""

OPTIONAL = {
    "ClassificationExtraFeatures": "ClassificationExtraFeatures Table",
    "NeighborSpectra": "NeighborSpectra Table",
    "DeblendedSpectra": "DeblendedSpectra Table",
}

_Select = Callable[[np.ndarray, int], np.ndarray]
"""(rows, number of the first in its table) -> which of them to keep."""


@dataclass
class _Output:
    """A table being written, the rows that are on their way to it, and the keys needed for its indexes."""

    table: h5py.Dataset
    layout: TableLayout
    keys: dict[str, list[np.ndarray]]
    buffer: np.ndarray
    used: int = 0
    stored: h5py.h5t.TypeID = field(init=False)

    def __post_init__(self) -> None:
        self.stored = self.table.id.get_type()

    def take(self, source: Table, select: _Select | None) -> None:
        """Append the rows of an input, or those that `select` keeps."""
        start = 0
        while start < source.count:
            if self.used == self.buffer.size:
                self.flush()
            count = min(source.count - start, self.buffer.size - self.used)
            rows = source.read(start, count, self.buffer[self.used : self.used + count])
            kept = count
            if select is not None:
                mask = select(rows, start)
                kept = int(np.count_nonzero(mask))
                if kept < count:
                    rows[:kept] = rows[mask]
            self.used += kept
            start += count

    def flush(self) -> None:
        """Write what has been gathered: each write costs the same however small."""
        if not self.used:
            return
        rows = self.buffer[: self.used]
        for column, found in self.keys.items():
            found.append(rows[column].copy())
        start = self.table.shape[0]
        self.table.resize((start + rows.size,))
        space = self.table.id.get_space()
        space.select_hyperslab((start,), (rows.size,))
        # the stored type serves as memory type, so that HDF5 converts nothing, not even bit fields
        self.table.id.write(h5py.h5s.create_simple(rows.shape), space, rows, mtype=self.stored)
        self.used = 0

    def finish(self) -> dict[str, np.ndarray]:
        """Write the rest and say how many rows there are; the key columns, whole."""
        self.flush()
        self.table.attrs["NROWS"] = np.int64(self.table.shape[0])
        empty = {column: np.zeros(0, self.layout.dtype[column]) for column in self.keys}
        return {column: np.concatenate([empty[column], *found]) for column, found in self.keys.items()}


def _plan() -> dict[str, tuple[TableLayout, str, int | None]]:
    """Path -> layout, title, rows a chunk, of every table that may be merged."""
    plan: dict[str, tuple[TableLayout, str, int | None]] = {
        name: (catalog_layout(name), title, chunk) for name, (title, chunk) in TABLES.items() if name != "Version"
    }
    plan |= {name: (catalog_layout(name), title, None) for name, title in OPTIONAL.items()}
    plan |= {f"{OWN_GROUP}/{name}": (layout, title, None) for name, (layout, title) in OWN_TABLES.items()}
    return plan


def _step(layout: TableLayout) -> int:
    """Rows of a table that make a piece."""
    return max(1, PIECE_BYTES // layout.dtype.itemsize)


@dataclass(frozen=True)
class _Choice:
    """What to take of one input.

    Attributes
    ----------
    everyone : array of int64
        The detectids of its `Detections`.
    rows : array of int64
        Which of them to take, ascending.
    """

    everyone: np.ndarray
    rows: np.ndarray

    @property
    def ids(self) -> np.ndarray:
        """The detectids taken."""
        return self.everyone[self.rows]

    def repeated(self) -> dict[int, tuple[int, int]]:
        """Of the detections taken that are there more than once: which of the rows is taken, and how many there are."""
        values, counts = np.unique(self.everyone, return_counts=True)
        several = dict(zip(values[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True))
        if not several:
            return {}
        return {
            detectid: (int(np.sum(self.everyone[:row] == detectid)), several[detectid])
            for row, detectid in zip(self.rows.tolist(), self.ids.tolist(), strict=True)
            if detectid in several
        }


def _winners(paths: list[Path], reader: Reader) -> list[_Choice]:
    """For each file which rows of `Detections` to keep: one a detectid, the latest elixer_datetime.

    Of equal times the row that comes last wins.
    """
    layout = catalog_layout("Detections")
    times = layout.dtype["elixer_datetime"]
    ids, stamps = [np.zeros(0, "i8")], [np.zeros(0, times)]
    sizes = np.zeros(len(paths), "i8")
    for number, path in enumerate(paths):
        with reader.open(path) as catalog:
            table = catalog.table("Detections", layout)
            if table is None:  # cannot be: it was checked when opened
                continue
            sizes[number] = table.count
            for start in range(0, table.count, _step(layout)):
                data = table.read(start, min(_step(layout), table.count - start))
                ids.append(data["detectid"].copy())
                stamps.append(data["elixer_datetime"].copy())
    everyone, when = np.concatenate(ids), np.concatenate(stamps)
    order = np.lexsort((np.arange(everyone.size), when, everyone))
    found = everyone[order]
    last = np.ones(found.size, bool)
    last[:-1] = found[1:] != found[:-1]
    keep = np.zeros(everyone.size, bool)
    keep[order[last]] = True
    ends = np.cumsum(sizes)
    return [
        _Choice(everyone[end - size : end].copy(), np.flatnonzero(keep[end - size : end]))
        for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)
    ]


def _kept_of_repeated(source: Table, wanted: dict[int, tuple[int, int]]) -> np.ndarray:
    """Which rows of a detail table to keep, where its file has some detections twice.

    Parameters
    ----------
    source : Table
    wanted : dict
        detectid -> (which of its rows in `Detections` is kept, how many there are).

    Returns
    -------
    array of bool, one a row
        Of each repeated detection the rows that belong to the kept one: tables keep the order of `Detections`, so the
        k-th row, or the k-th unbroken run of rows, is of the k-th. Where their number does not tell, only equal rows
        are dropped.
    """
    ids = source.column("detectid", _step(source.layout))
    keep = np.ones(ids.size, bool)
    for detectid, (which, count) in wanted.items():
        rows = np.flatnonzero(ids == detectid)
        runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
        keep[rows] = False
        if rows.size == count:
            keep[rows[which]] = True
        elif len(runs) == count:
            keep[runs[which]] = True
        else:
            seen: set[bytes] = set()
            for row in rows.tolist():
                data = source.read(row, 1).tobytes()
                keep[row] = data not in seen
                seen.add(data)
    return keep


def merge_catalogs(paths: Iterable[str | PathLike[str]], path: str | PathLike[str], unique: bool = False) -> Path:
    """Merge catalogues into one.

    Parameters
    ----------
    paths : iterable of str or path
        ELiXer catalogues, format 0.1 to 0.8.1. Their rows follow in this order.
    path : str or path
        Where the result goes; it must be none of the inputs. It appears complete or not at all.
    unique : bool
        Keep each detectid once, with the latest `elixer_datetime` (of equal times the one that comes last), and
        the rows of the other tables from the same file. Without it everything is kept.

    Returns
    -------
    Path
        The file written, in format 0.8.1: columns that an input lacks have their fill.

    Raises
    ------
    DataError
        If there is no input, an input cannot be read or has an unknown version, the output is one of the inputs, or
        it cannot be written.

    Notes
    -----
    Rows are read once, in pieces (with `unique`, the rows of `Detections` twice). Held are one piece a table (8 MB) and
    the keys: 8 bytes a row, 8 more for positions, and with `unique` 60 bytes a detection.
    """
    inputs = [Path(each) for each in paths]
    target = Path(path)
    if not inputs:
        raise DataError(f"{target}: no catalogue to merge was given; name at least one")
    for each in inputs:
        if not each.is_file():
            raise DataError(f"{each}: there is no such catalogue; check the name")
        if target.exists() and each.samefile(target):
            raise DataError(f"{target}: is one of the catalogues to be merged; write to another file")
    plan, reader = _plan(), Reader()
    choices = _winners(inputs, reader) if unique else None
    with new_file(target) as file:
        prepare_file(file, TITLE)
        title, chunk = TABLES["Version"]
        layout = catalog_layout("Version")
        create_table(file, "Version", layout.dtype, version_rows(), title, layout.fills, chunk)
        outputs = {name: _start(file, name, *plan[name]) for name in plan if name in TABLES}
        for number, each in enumerate(inputs):
            choice = None if choices is None else choices[number]
            if choice is not None and not choice.rows.size:
                continue
            with reader.open(each) as catalog:
                _copy_catalog(catalog, file, plan, outputs, choice)
        for name, output in outputs.items():
            index_table(file, name, output.finish())
    return target


def _start(file: h5py.File, name: str, layout: TableLayout, title: str, chunk: int | None) -> _Output:
    """An empty table to append to."""
    parent, _, leaf = name.rpartition("/")
    group = require_group(file, parent) if parent else file
    table = create_table(group, leaf, layout.dtype, None, title, layout.fills, chunk, booleans=layout.booleans)
    keys: dict[str, list[np.ndarray]] = {column: [] for column in indexed_columns(name)}
    return _Output(table, layout, keys, np.empty(_step(layout), layout.dtype))


def _copy_catalog(
    catalog: Catalog,
    file: h5py.File,
    plan: dict[str, tuple[TableLayout, str, int | None]],
    outputs: dict[str, _Output],
    choice: _Choice | None,
) -> None:
    """Append all tables of one input; of the detections chosen, if given, and of the other tables what is theirs."""
    ids = wanted = None
    if choice is not None:
        ids, wanted = choice.ids, choice.repeated()
    for name, (layout, title, chunk) in plan.items():
        table = catalog.table(name, layout)
        if table is None or not table.count:
            continue
        if name not in outputs:
            outputs[name] = _start(file, name, layout, title, chunk)
        select: _Select | None = None
        if choice is not None and name == "Detections":
            taken = np.zeros(table.count, bool)
            taken[choice.rows] = True
            select = partial(_masked, mask=taken)
        elif choice is not None:
            select = partial(_masked, mask=_kept_of_repeated(table, wanted) if wanted else None, ids=ids)
        outputs[name].take(table, select)


def _masked(data: np.ndarray, start: int, mask: np.ndarray | None = None, ids: np.ndarray | None = None) -> np.ndarray:
    """Which rows of a piece a mask over the table and a list of detections let through."""
    keep = np.ones(data.size, bool) if mask is None else mask[start : start + data.size]
    if ids is None:
        return keep
    # catalogues of one detection are many, and np.isin is slow for them
    return keep & (data["detectid"] == ids[0] if ids.size == 1 else np.isin(data["detectid"], ids))
