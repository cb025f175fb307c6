"""Reading a catalogue back: ours or an ELiXer's of any known format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from elixer_widgets._arguments import instances, whole
from elixer_widgets._arguments import path as given
from elixer_widgets.classification.posterior import IDENTITIES, Evidence
from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import TableLayout, catalog_layout, text
from elixer_widgets.releases.pytables import find_rows
from elixer_widgets.releases.reading import open_h5
from elixer_widgets.reports.catalog import OWN_GROUP, OWN_TABLES, TABLES
from elixer_widgets.reports.merge_input import Catalog, Reader, Table, names_in

FEW = 1000
"""So many detections are looked up by the index; for more the tables are read whole."""

KEPT_FILLS = frozenset({"mag_g_wide_limit"})
"""Columns whose default is a number that means something: a usual limit."""


@dataclass(frozen=True, eq=False)
class StoredDetection:
    """What a catalogue holds on one detection.

    Attributes
    ----------
    detectid : int
    row : numpy.void
        Of `Detections`, NaN where a number is missing.
    tables : mapping
        The rows of every table that are this detection's.
    identity : str
        The identity adopted, empty in a catalogue of another program.
    posterior : mapping
        Identity to probability; empty in a catalogue of another program.
    evidence : tuple of Evidence
    choices : tuple of str
        What a person decided, in words.
    state : mapping
        What reopens the view in which that was decided; empty if nothing was.
    """

    detectid: int
    row: np.void
    tables: Mapping[str, np.ndarray]
    identity: str = ""
    posterior: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    choices: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StoredCatalog:
    """The tables of a catalogue, in the columns of format 0.8.1.

    Attributes
    ----------
    path : Path
    version : str
        The format that the file says it has.
    tables : mapping
        "Detections", "SpectraLines", ..., "ElixerWidgets/Identity" to their rows. Units are those of the format (cgs;
        `CalibratedSpectra` in 1e-17 erg/s/cm² per 2 Å sample); a missing float is NaN.
    notes : tuple of str
        The tables and columns that the file lacks; their rows are none, their values missing.
    """

    path: Path
    version: str
    tables: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tables[name]

    def __len__(self) -> int:
        return int(self.tables["Detections"].size)

    @property
    def detectids(self) -> np.ndarray:
        """The detectids in the order of the file, int64."""
        return self.tables["Detections"]["detectid"]

    def detection(self, detectid: int) -> StoredDetection:
        """Everything that was read on one detection.

        Raises
        ------
        DataError
            If the catalogue does not hold it, or holds it more than once, so that rows could be mixed up.
        """
        mine = {name: rows[rows["detectid"] == detectid] for name, rows in self.tables.items()}
        rows = mine["Detections"]
        if rows.size != 1:
            reason = "is not in it" if not rows.size else "is in it more than once; merge it with unique=True first"
            raise DataError(f"{self.path}: detectid {detectid} {reason}")
        own = {name: mine.get(f"{OWN_GROUP}/{name}", np.zeros(0)) for name in OWN_TABLES}
        if not own["Identity"].size:
            return StoredDetection(int(detectid), rows[0], mine)
        row, said = own["Identity"][0], own["Choices"]
        return StoredDetection(
            int(detectid),
            rows[0],
            mine,
            text(row["identity"]),
            {name: float(row[f"p_{name}"]) for name in IDENTITIES},
            tuple(
                Evidence(text(each["name"]), float(each["log_odds"]), text(each["words"])) for each in own["Evidence"]
            ),
            tuple(text(each["words"]) for each in said),
            json.loads(text(said[0]["state"])) if said.size else {},
        )


def read_catalog(
    path: str | PathLike[str], detectids: Iterable[int] | None = None, tables: Iterable[str] | None = None
) -> StoredCatalog:
    """Read a catalogue.

    Parameters
    ----------
    path : str or path
        Format 0.1 to 0.8.1.
    detectids : iterable of int, optional
        Read only these; those that the file lacks are left out. A few are found by the file's index.
    tables : iterable of str, optional
        Read only these beside `Detections`, for example ("CalibratedSpectra", "ElixerWidgets/Identity").

    Returns
    -------
    StoredCatalog

    Raises
    ------
    DataError
        If the file cannot be read, is no catalogue, has an unknown version, or `tables` names a table that there is
        not in the format.
    """
    place = given(path, "read_catalog: path")
    if tables is not None:
        tables = instances(tables, str, "read_catalog: tables")
    if detectids is not None and not isinstance(detectids, Iterable):
        raise DataError(f"read_catalog: detectids {detectids!r:.60} is not a list; give a list of numbers")
    layouts: dict[str, TableLayout] = {name: catalog_layout(name) for name in TABLES if name != "Version"}
    layouts |= {f"{OWN_GROUP}/{name}": layout for name, (layout, _) in OWN_TABLES.items()}
    if tables is not None:
        asked = {"Detections", *tables}
        if asked - set(layouts):
            raise DataError(f"{place}: no table is called {min(asked - set(layouts))}; there are {', '.join(layouts)}")
        layouts = {name: layout for name, layout in layouts.items() if name in asked}
    ids = None
    if detectids is not None:
        ids = np.unique(
            np.array([whole(each, "read_catalog: detectids", "detection numbers") for each in detectids], "i8")
        )
    with open_h5(place) as file:
        catalog = Catalog(place, file.id, Reader(), names_in(file.id))
        catalog.check()
        version = text(file["Version"][0]["version"])
        held = {name: catalog.table(name, layout) for name, layout in layouts.items()}
        found = {name: _rows(held[name], name, layout, file, ids) for name, layout in layouts.items()}
        notes = [note for name, layout in layouts.items() for note in _lacking(held[name], name, layout)]
    return StoredCatalog(place, version, found, tuple(notes))


def _lacking(table: Table | None, name: str, layout: TableLayout) -> list[str]:
    """What a file does not have of a table of today's format, in words."""
    if table is None:
        return [f"it has no table {name}"]
    missing = sorted(set(layout.dtype.names or ()) - set(table.dtype.names or ()))
    return [f"{name} has no column {', '.join(missing)}"] if missing else []


def _rows(table: Table | None, name: str, layout: TableLayout, file: h5py.File, ids: np.ndarray | None) -> np.ndarray:
    """The rows of one table, or those of some detections; none where the file lacks the table."""
    if table is None:
        return layout.rows(0)
    if ids is None:
        return _marked(table.read(0, table.count), layout)
    numbers: list[np.ndarray] = []
    for each in ids[:FEW].tolist() if ids.size <= FEW else ():
        rows = find_rows(file, f"/{name}", "detectid", each)
        if rows is None:  # no index, or none to trust
            break
        numbers.append(rows)
    if ids.size <= FEW and len(numbers) == ids.size:
        wanted = np.sort(np.concatenate([np.zeros(0, "i8"), *numbers]))
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > 1) + 1) if wanted.size else []
        pieces = [table.read(int(run[0]), run.size) for run in runs]
    else:
        step = max(1, 2**24 // layout.dtype.itemsize)
        pieces = [rows[np.isin(rows["detectid"], ids)] for rows in table.pieces(step)]
    return _marked(np.concatenate([layout.rows(0), *pieces]), layout)


def _marked(rows: np.ndarray, layout: TableLayout) -> np.ndarray:
    """The rows with NaN in place of the fills that mark a missing float."""
    for name, fill in layout.fills.items():
        if name not in KEPT_FILLS and layout.dtype[name].base.kind == "f":
            column = rows[name]
            column[np.abs(column - fill) < 1e-3 * max(1.0, abs(fill) * 1e-2)] = np.nan
    return rows
