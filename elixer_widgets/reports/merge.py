"""Merging catalogues: one pass over the inputs, rows copied by column name, memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    version_rows,
)
from elixer_widgets.reports.state import replacing

CHUNK_BYTES = 32 * 2**20
"""Rows are read and written in pieces of about this size."""

KNOWN_VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
"""Major and minor numbers of the catalogue formats whose columns can be mapped."""

OLD_NAMES: dict[str, tuple[str, ...]] = {
    "z_best": ("best_z",),
    "z_best_pz": ("best_pz",),
    "plya_classification": ("plae_classification",),
    "plae_wide": ("plae_sdss_g", "plae_full_spec"),
    "plae_wide_max": ("plae_sdss_g_max", "plae_full_spec_max"),
    "plae_wide_min": ("plae_sdss_g_min", "plae_full_spec_min"),
    "continuum_wide": ("continuum_sdss_g", "continuum_full_spec"),
    "continuum_wide_err": ("continuum_sdss_g_err", "continuum_full_spec_err"),
    "eqw_rest_lya_wide": ("eqw_rest_lya_sdss_g", "eqw_rest_lya_full_spec"),
    "eqw_rest_lya_wide_err": ("eqw_rest_lya_sdss_g_err", "eqw_rest_lya_full_spec_err"),
    "mag_g_wide": ("mag_sdss_g", "mag_full_spec"),
    "mag_g_wide_err": ("mag_sdss_g_err", "mag_full_spec_err"),
}
"""Names that a column had in earlier formats."""

OPTIONAL = {
    "ClassificationExtraFeatures": "ClassificationExtraFeatures Table",
    "NeighborSpectra": "NeighborSpectra Table",
    "DeblendedSpectra": "DeblendedSpectra Table",
}


@dataclass
class _Output:
    """A table being written, and the keys needed for its indexes."""

    table: h5py.Dataset
    layout: TableLayout
    stored: h5py.h5t.TypeID
    keys: dict[str, list[np.ndarray]]
    pending: list[np.ndarray] = field(default_factory=list)
    pending_bytes: int = 0

    def add(self, data: np.ndarray) -> None:
        """Take rows; write when enough have come together, since each write costs the same however small."""
        if not data.size:
            return
        for column, found in self.keys.items():
            found.append(data[column].copy())
        self.pending.append(data)
        self.pending_bytes += data.nbytes
        if self.pending_bytes >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append what has been taken to the table."""
        if not self.pending:
            return
        data = np.ascontiguousarray(np.concatenate(self.pending))
        self.pending, self.pending_bytes = [], 0
        start = self.table.shape[0]
        self.table.resize((start + data.size,))
        space = self.table.id.get_space()
        space.select_hyperslab((start,), (data.size,))
        # the stored type serves as memory type, so that HDF5 converts nothing, not even bit fields
        self.table.id.write(h5py.h5s.create_simple(data.shape), space, data, mtype=self.stored)
        self.table.attrs["NROWS"] = np.int64(start + data.size)


def _plan() -> dict[str, tuple[TableLayout, str, int | None]]:
    """Path -> layout, title, rows a chunk, of every table that may be merged."""
    plan: dict[str, tuple[TableLayout, str, int | None]] = {
        name: (catalog_layout(name), title, chunk) for name, (title, chunk) in TABLES.items() if name != "Version"
    }
    plan |= {name: (catalog_layout(name), title, None) for name, title in OPTIONAL.items()}
    plan |= {f"{OWN_GROUP}/{name}": (layout, title, None) for name, (layout, title) in OWN_TABLES.items()}
    return plan


def _check(file: h5py.File, path: Path) -> None:
    """Refuse what is no catalogue of a known version."""
    if "Detections" not in file:
        raise DataError(f"{path}: no table Detections, so this is not an ELiXer catalogue; leave it out")
    if "Version" not in file or not file["Version"].shape[0]:
        raise DataError(f"{path}: no Version row, so its columns cannot be trusted; leave it out or write it anew")
    version = file["Version"][0]["version"].decode("ascii", "replace")
    if ".".join(version.split(".")[:2]) not in KNOWN_VERSIONS:
        raise DataError(f"{path}: catalogue version {version!r} is not known here (0.1 to 0.8.1 are); leave it out")


def _converted(data: np.ndarray, layout: TableLayout) -> np.ndarray:
    """Rows in the layout of today: columns by name or by an earlier name, the rest at their fill."""
    if data.dtype == layout.dtype:
        return data
    out = layout.rows(data.size)
    have = data.dtype.names or ()
    for name in layout.dtype.names or ():
        source = next((each for each in (name, *OLD_NAMES.get(name, ())) if each in have), None)
        if source is not None and data.dtype[source].shape == layout.dtype[name].shape:
            out[name] = data[source]
    return out


def _open(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: cannot be read as HDF5 ({error}); leave it out or write it anew") from error


def _winners(paths: list[Path], detections: _Output) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each file the detectids of its `Detections` and the rows to keep: one a detectid, the latest elixer_datetime.

    Of equal times the row that comes last wins.
    """
    kept = np.dtype([("detectid", "<i8"), ("elixer_datetime", "S21"), ("file", "<i4"), ("row", "<i8")])
    found = [np.zeros(0, kept)]
    for number, path in enumerate(paths):
        with _open(path) as file:
            _check(file, path)
            for start, data in _pieces(h5py.h5d.open(file.id, b"Detections"), detections):
                keys = np.zeros(data.size, kept)
                keys["detectid"], keys["elixer_datetime"] = data["detectid"], data["elixer_datetime"]
                keys["file"], keys["row"] = number, start + np.arange(data.size)
                found.append(keys)
    everyone = np.concatenate(found)
    order = np.lexsort((np.arange(everyone.size), everyone["elixer_datetime"], everyone["detectid"]))
    ids = everyone["detectid"][order]
    last = np.ones(ids.size, bool)
    last[:-1] = ids[1:] != ids[:-1]
    keep = everyone[np.sort(order[last])]
    bounds = np.searchsorted(keep["file"], np.arange(len(paths) + 1))
    starts = np.searchsorted(everyone["file"], np.arange(len(paths) + 1))
    return [
        (
            everyone["detectid"][starts[number] : starts[number + 1]].copy(),
            keep["row"][bounds[number] : bounds[number + 1]].copy(),
        )
        for number in range(len(paths))
    ]


def _kept_of_repeated(source: h5py.Dataset, wanted: dict[int, tuple[int, int]]) -> np.ndarray:
    """Which rows of a detail table to keep, where its file has some detections twice.

    Parameters
    ----------
    source : h5py.Dataset
    wanted : dict
        detectid -> (which of its rows in `Detections` is kept, how many there are).

    Returns
    -------
    array of bool, one a row
        Of each repeated detection the rows that belong to the kept one: tables keep the order of `Detections`, so the
        k-th row, or the k-th unbroken run of rows, is of the k-th. Where their number does not tell, only equal rows
        are dropped.
    """
    ids = source["detectid"][:]
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
            for row in rows:
                data = source[row].tobytes()
                keep[row] = data not in seen
                seen.add(data)
    return keep


def _piece(source: h5py.h5d.DatasetID, output: _Output, start: int, count: int) -> np.ndarray:
    """Some rows of an input table, in the layout of today."""
    space = source.get_space()
    space.select_hyperslab((start,), (count,))
    if source.get_type().equal(output.stored):
        # Of the same type bit for bit, as nearly all are: with thousands of small inputs the detour costs most
        data = np.empty(count, output.layout.dtype)
        source.read(h5py.h5s.create_simple((count,)), space, data, mtype=output.stored)
        return data
    return _converted(h5py.Dataset(source)[start : start + count], output.layout)


def _pieces(source: h5py.h5d.DatasetID, output: _Output) -> Iterator[tuple[int, np.ndarray]]:
    """(number of the first row, rows) of an input table, a bounded number at a time."""
    total = source.shape[0]
    step = max(1, CHUNK_BYTES // output.layout.dtype.itemsize)
    for start in range(0, total, step):
        yield start, _piece(source, output, start, min(step, total - start))


def _copy_table(
    source: h5py.h5d.DatasetID, output: _Output, select: Callable[[np.ndarray, int], np.ndarray] | None
) -> None:
    """Append one table of one input; `select(rows, number of the first)` takes what is wanted of a piece."""
    for start, data in _pieces(source, output):
        output.add(data if select is None else select(data, start))


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
        If there is no input, an input cannot be read or has an unknown version, or the output is one of the inputs.

    Notes
    -----
    Inputs are read once, in pieces; only keys (8 bytes a row, and 29 a detection with `unique`) are held.
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
    plan = _plan()
    with replacing(target) as temporary, h5py.File(temporary, "w") as file:
        prepare_file(file, TITLE)
        title, chunk = TABLES["Version"]
        layout = catalog_layout("Version")
        create_table(file, "Version", layout.dtype, version_rows(), title, layout.fills, chunk)
        outputs = {name: _start(file, name, *plan[name]) for name in plan if name in TABLES}
        chosen = _winners(inputs, outputs["Detections"]) if unique else None
        for number, each in enumerate(inputs):
            with _open(each) as source:
                _check(source, each)
                _copy_file(source, file, plan, outputs, None if chosen is None else chosen[number])
        for name, output in outputs.items():
            output.flush()
            empty = {column: np.zeros(0, output.layout.dtype[column]) for column in output.keys}
            index_table(
                file, name, {column: np.concatenate([empty[column], *keys]) for column, keys in output.keys.items()}
            )
    return target


def _start(file: h5py.File, name: str, layout: TableLayout, title: str, chunk: int | None) -> _Output:
    """An empty table to append to."""
    parent, _, leaf = name.rpartition("/")
    group = require_group(file, parent) if parent else file
    table = create_table(group, leaf, layout.dtype, None, title, layout.fills, chunk, booleans=layout.booleans)
    return _Output(table, layout, table.id.get_type(), {column: [] for column in indexed_columns(name)})


def _copy_file(
    source: h5py.File,
    file: h5py.File,
    plan: dict[str, tuple[TableLayout, str, int | None]],
    outputs: dict[str, _Output],
    chosen: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """Append all tables of one input.

    `chosen`, if given, is the detectids of its `Detections` and the rows to take; of the other tables what belongs to
    them is taken.
    """
    ids = np.zeros(0, "i8")
    wanted: dict[int, tuple[int, int]] = {}
    if chosen is not None:
        everyone, rows = chosen
        if not rows.size:
            return
        ids = everyone[rows]
        values, counts = np.unique(everyone, return_counts=True)
        repeated = dict(zip(values[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True))
        for row, detectid in zip(rows.tolist(), ids.tolist(), strict=True) if repeated else ():
            if detectid in repeated:
                wanted[detectid] = (int(np.sum(everyone[:row] == detectid)), repeated[detectid])
    root = source.id
    own = OWN_GROUP.encode() in root
    for name in plan:
        if (name.startswith(OWN_GROUP) and not own) or name.encode() not in root:
            continue
        table = h5py.h5d.open(root, name.encode())
        if not table.shape[0]:
            continue
        if name not in outputs:
            outputs[name] = _start(file, name, *plan[name])
        select: Callable[[np.ndarray, int], np.ndarray] | None = None
        if chosen is not None and name == "Detections":
            taken = np.zeros(table.shape[0], bool)
            taken[chosen[1]] = True
            select = partial(_masked, mask=taken)
        elif chosen is not None:
            mask = _kept_of_repeated(h5py.Dataset(table), wanted) if wanted else None
            select = partial(_masked, mask=mask, ids=ids)
        _copy_table(table, outputs[name], select)


def _masked(data: np.ndarray, start: int, mask: np.ndarray | None = None, ids: np.ndarray | None = None) -> np.ndarray:
    """The rows of a piece that a mask over the table and a list of detections let through."""
    keep = np.ones(data.size, bool) if mask is None else mask[start : start + data.size]
    if ids is not None:
        keep = keep & np.isin(data["detectid"], ids)
    return data if keep.all() else data[keep]
