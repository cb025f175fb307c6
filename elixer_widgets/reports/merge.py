"""Merging catalogues: rows copied by column name into one new file, memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from os import PathLike
from pathlib import Path

import h5py
import numpy as np

from elixer_widgets._arguments import path as given
from elixer_widgets._arguments import whole
from elixer_widgets._files import holding, lock_beside, named_path
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
from elixer_widgets.reports.merge_helpers import Helper, in_order, spare_cores
from elixer_widgets.reports.merge_helpers import helpers as begun
from elixer_widgets.reports.merge_input import Catalog, Reader, Table

PIECE_BYTES = 8 * 2**20
"""Rows of a table are gathered, and read from large files, in pieces of about this size."""

OPTIONAL = {
    "ClassificationExtraFeatures": "ClassificationExtraFeatures Table",
    "NeighborSpectra": "NeighborSpectra Table",
    "DeblendedSpectra": "DeblendedSpectra Table",
}

SMALL_BYTES = 4 * 2**20
"""Catalogues smaller than this are read whole, many at a time."""

BATCH = 100
"""So many small catalogues make a task of a helper."""

HELP_FROM, MOST_HELPERS = 2000, 3
"""With so many small catalogues helpers are worth their start, a few seconds; disks do not serve many."""

_Plan = dict[str, tuple[TableLayout, str, int | None]]
"""Path of a table -> layout, title, rows a chunk."""

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

    def put(self, rows: np.ndarray) -> None:
        """Append rows of today's layout."""
        start = 0
        while start < rows.size:
            if self.used == self.buffer.size:
                self.flush()
            count = min(rows.size - start, self.buffer.size - self.used)
            self.buffer[self.used : self.used + count] = rows[start : start + count]
            self.used += count
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
        """Write the rest and say how many rows there are; the key columns, whole, which are let go here."""
        self.flush()
        self.buffer = self.buffer[:0].copy()
        self.table.attrs["NROWS"] = np.int64(self.table.shape[0])
        keys = {
            column: np.concatenate([np.zeros(0, self.layout.dtype[column]), *found])
            for column, found in self.keys.items()
        }
        self.keys = {}
        return keys


def _plan() -> _Plan:
    """Path -> layout, title, rows a chunk, of every table that may be merged."""
    plan: _Plan = {
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


def _keys(paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Of some catalogues the detectids and times of all rows of `Detections`, and how many rows each has."""
    layout, reader = catalog_layout("Detections"), Reader()
    ids, stamps = [np.zeros(0, "i8")], [np.zeros(0, layout.dtype["elixer_datetime"])]
    sizes: list[int] = []
    for path in paths:
        with reader.open(path) as catalog:
            table = catalog.table("Detections", layout)
            sizes.append(0 if table is None else table.count)
            for data in () if table is None else table.pieces(_step(layout)):
                ids.append(data["detectid"].copy())
                stamps.append(data["elixer_datetime"].copy())
    return np.concatenate(ids), np.concatenate(stamps), sizes


def _winners(paths: list[Path], crew: list[Helper], in_sequence: bool = False) -> list[_Choice]:
    """For each file which rows of `Detections` to keep: one a detectid, the latest elixer_datetime.

    Of equal times, and with `in_sequence` of all, the row that comes last wins.
    """
    tasks = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
    ids, stamps, sizes = zip(*in_order(_keys, tasks, crew), strict=True)
    everyone, when = np.concatenate(ids), np.concatenate(stamps)
    if in_sequence:
        when[:] = when[0] if when.size else when
    order = np.lexsort((np.arange(everyone.size), when, everyone))
    found = everyone[order]
    last = np.ones(found.size, bool)
    last[:-1] = found[1:] != found[:-1]
    keep = np.zeros(everyone.size, bool)
    keep[order[last]] = True
    counts = [count for each in sizes for count in each]
    return [
        _Choice(everyone[end - count : end].copy(), np.flatnonzero(keep[end - count : end]))
        for count, end in zip(counts, np.cumsum(counts, dtype=int).tolist(), strict=True)
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


def merge_catalogs(
    paths: Iterable[str | PathLike[str]],
    path: str | PathLike[str],
    unique: bool = False,
    helpers: int | None = None,
    in_sequence: bool = False,
) -> Path:
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
    helpers : int, optional
        How many processes more open small catalogues; as many as there are idle cores, up to three, if there are
        thousands of them. The result is the same.
    in_sequence : bool
        With `unique`, keep the row that comes last, whatever the clocks said when it was made.

    Returns
    -------
    Path
        The file written, in format 0.8.1: columns that an input lacks have their fill.

    Raises
    ------
    DataError
        If there is no input, an input cannot be read or has an unknown version, the output is one of the inputs or a
        file of another kind, it cannot be written, or somebody else is writing it.

    Notes
    -----
    Rows are read once, in pieces (with `unique`, the rows of `Detections` twice). Held are one piece a table (8 MB) and
    the keys: 8 bytes a row, of the largest table some 40 while its index is made, with `unique` 60 a detection.
    """
    if isinstance(paths, str | PathLike) or not isinstance(paths, Iterable):
        raise DataError(f"merge_catalogs: paths {paths!r:.60} is not a list; give a list of catalogues")
    inputs = [named_path(given(each, "merge_catalogs: paths")) for each in paths]
    target = named_path(given(path, "merge_catalogs: path"))
    if helpers is not None:
        helpers = whole(helpers, "merge_catalogs: helpers", "a number of processes, or None")
    if not inputs:
        raise DataError(f"{target}: no catalogue to merge was given; name at least one")
    for each in inputs:
        if not each.is_file():
            raise DataError(f"{each}: there is no such catalogue; check the name")
        if target.exists() and each.samefile(target):
            raise DataError(f"{target}: is one of the catalogues to be merged; write to another file")
    if helpers is None:
        helpers = max(0, min(MOST_HELPERS, spare_cores())) if len(inputs) >= HELP_FROM else 0
    if not target.parent.is_dir():
        raise DataError(f"{target}: the folder {target.parent} does not exist; make it first")
    with holding(lock_beside(target), target) as held, begun(helpers) as crew:
        choices = _winners(inputs, crew, in_sequence) if unique else None
        jobs = [(each, None if choices is None else choices[number]) for number, each in enumerate(inputs)]
        wanted = [(each, choice) for each, choice in jobs if choice is None or choice.rows.size]
        _write(target, wanted, crew, held.workplace())
    return target


def _write(target: Path, jobs: list[tuple[Path, _Choice | None]], crew: list[Helper], within: Path) -> None:
    """Write what is to be taken of the inputs into one new file."""
    plan = _plan()
    with new_file(target, within) as file:
        prepare_file(file, TITLE)
        title, chunk = TABLES["Version"]
        layout = catalog_layout("Version")
        create_table(file, "Version", layout.dtype, version_rows(), title, layout.fills, chunk)
        outputs = {name: _start(file, name, *plan[name]) for name in plan if name in TABLES}

        def output(name: str) -> _Output:
            if name not in outputs:
                outputs[name] = _start(file, name, *plan[name])
            return outputs[name]

        for small, group in groupby(jobs, lambda job: job[0].stat().st_size < SMALL_BYTES):
            if small:
                few = list(group)
                batches = [few[start : start + BATCH] for start in range(0, len(few), BATCH)]
                for found in in_order(_gathered, batches, crew):
                    for name, rows in found.items():
                        output(name).put(rows)
                continue
            for each, choice in group:
                with Reader().open(each) as catalog:
                    for name, table, select in _tables(catalog, plan, choice):
                        output(name).take(table, select)
        for name, each_output in outputs.items():
            index_table(file, name, each_output.finish())


def _start(file: h5py.File, name: str, layout: TableLayout, title: str, chunk: int | None) -> _Output:
    """An empty table to append to."""
    parent, _, leaf = name.rpartition("/")
    group = require_group(file, parent) if parent else file
    table = create_table(group, leaf, layout.dtype, None, title, layout.fills, chunk, booleans=layout.booleans)
    keys: dict[str, list[np.ndarray]] = {column: [] for column in indexed_columns(name)}
    return _Output(table, layout, keys, np.empty(_step(layout), layout.dtype))


def _tables(catalog: Catalog, plan: _Plan, choice: _Choice | None) -> Iterator[tuple[str, Table, _Select | None]]:
    """The tables of one input with what to take: all, or the detections chosen and what is theirs."""
    ids = wanted = None
    if choice is not None:
        ids, wanted = choice.ids, choice.repeated()
    for name, (layout, _, _) in plan.items():
        table = catalog.table(name, layout)
        if table is None or not table.count:
            continue
        select: _Select | None = None
        if choice is not None and name == "Detections":
            taken = np.zeros(table.count, bool)
            taken[choice.rows] = True
            select = partial(_masked, mask=taken)
        elif choice is not None:
            select = partial(_masked, mask=_kept_of_repeated(table, wanted) if wanted else None, ids=ids)
        yield name, table, select


def _gathered(jobs: Sequence[tuple[Path, _Choice | None]]) -> dict[str, np.ndarray]:
    """All rows to be taken of some small catalogues, a table each."""
    plan, reader = _plan(), Reader()
    found: dict[str, list[np.ndarray]] = {}
    for path, choice in jobs:
        # of what was chosen from, every file has been checked
        with reader.open(path, checked=choice is not None) as catalog:
            for name, table, select in _tables(catalog, plan, choice):
                rows = table.read(0, table.count)
                if select is not None:
                    mask = select(rows, 0)
                    rows = rows if mask.all() else rows[mask]
                found.setdefault(name, []).append(rows)
    return {name: np.concatenate(rows) for name, rows in found.items()}


def _masked(data: np.ndarray, start: int, mask: np.ndarray | None = None, ids: np.ndarray | None = None) -> np.ndarray:
    """Which rows of a piece a mask over the table and a list of detections let through."""
    keep = np.ones(data.size, bool) if mask is None else mask[start : start + data.size]
    if ids is None:
        return keep
    # catalogues of one detection are many, and np.isin is slow for them
    return keep & (data["detectid"] == ids[0] if ids.size == 1 else np.isin(data["detectid"], ids))
