"""Answers as tables: CSV, ECSV, HDF5 (also within an ELiXer catalogue), and read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from math import isnan
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import Table

from elixer_widgets._files import replacing
from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.choices import VERDICTS
from elixer_widgets.campaigns.together import Consensus, class_of
from elixer_widgets.detection import NAN, DataError
from elixer_widgets.releases.layout import TableLayout
from elixer_widgets.releases.pytables import create_table, prepare_file, require_group

GROUP = "ElixerWidgets"
"""The group of an ELiXer catalogue for what its published tables have no column for."""

TABLE = "Answers"

COLUMNS: dict[str, str] = {
    "detectid": "i", "occasion": "i", "inspector": "s", "user": "s", "vis_class": "i", "verdict": "i",
    "verdict_name": "s", "quality": "i", "label": "s", "identity": "s", "redshift": "f", "redshift_err": "f",
    "counterpart": "s", "counterpart_code": "i", "aperture_radius": "f", "aperture_ra": "f", "aperture_dec": "f",
    "comment": "s", "extra": "s", "imported_class": "i", "seconds": "f", "time": "s", "session": "s", "number": "i",
    "definition": "i", "package": "s", "data": "s", "automatic": "s", "regarding": "s", "source": "s", "kind": "s",
}  # fmt: skip
"""Columns of every table and their kinds: integer (-999 for none), float (NaN for none), text. `extra`, `automatic` and
`regarding` are JSON."""

NONE = -999
"""Integers that are missing; not -1, which is a class."""


def row(answer: Answer) -> dict[str, Any]:
    """An answer as a row of `COLUMNS`."""
    aperture = answer.aperture or (NAN, NAN, NAN)
    found: dict[str, Any] = {name: getattr(answer, name) for name in COLUMNS if hasattr(answer, name)}
    found["vis_class"] = class_of(answer)
    found["verdict_name"] = "" if answer.verdict is None else VERDICTS[answer.verdict].name
    found |= dict(zip(("aperture_radius", "aperture_ra", "aperture_dec"), aperture, strict=True))
    for name in ("extra", "automatic", "regarding"):
        found[name] = json.dumps(found[name]) if found[name] else ""
    return {name: NONE if COLUMNS[name] == "i" and found[name] is None else found[name] for name in COLUMNS}


def from_row(values: dict[str, Any]) -> Answer:
    """The answer of a row; columns made for people are not read."""
    known = {each.name for each in fields(Answer)}
    found = {name: values[name] for name in COLUMNS if name in values and name in known}
    for name in ("verdict", "quality", "counterpart_code", "imported_class"):
        if found.get(name) == NONE:
            found[name] = None
    aperture = tuple(float(values.get(f"aperture_{name}", NAN)) for name in ("radius", "ra", "dec"))
    found["aperture"] = None if isnan(aperture[0]) else aperture
    for name, empty in (("extra", {}), ("automatic", {}), ("regarding", [])):
        found[name] = json.loads(found[name]) if found.get(name) else empty
    found["regarding"] = tuple(found["regarding"])
    return Answer(**found)


def consensus_answers(found: Iterable[Consensus]) -> list[Answer]:
    """The group's answers as `write_answers` takes them; detections that are open or unanswered are left out."""
    return [each.answer for each in found if each.answer is not None]


# ------------------------------------------------------------------------------------------------------- writing


def write_answers(answers: Sequence[Answer], path: str | PathLike[str]) -> Path:
    """Write answers as a table, one row each.

    Parameters
    ----------
    answers : sequence of Answer
        From `Campaign.answers`, or `consensus_answers`.
    path : path
        .csv, .ecsv, or .h5 / .hdf5; an existing file is replaced, whole or not at all.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the ending is none of these, or the folder does not exist.
    """
    target = Path(path)
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise DataError(f"{target}: the ending is none of {', '.join(_WRITERS)}")
    with replacing(target) as temporary:
        write(answers, temporary)
    return target


def add_to_catalog(answers: Sequence[Answer], catalog: str | PathLike[str]) -> Path:
    """Put answers into an ELiXer catalogue, as the table `ElixerWidgets/Answers`, in place of those that it has.

    The catalogue is copied, changed and put back, so that a crash leaves the old one or the new one.

    Raises
    ------
    DataError
        If there is no HDF5 file.
    """
    target = Path(catalog)
    if not target.is_file() or not h5py.is_hdf5(target):
        raise DataError(f"{target}: there is no HDF5 catalogue")
    with replacing(target) as temporary:
        temporary.write_bytes(target.read_bytes())
        with h5py.File(temporary, "r+") as file:
            group = require_group(file, GROUP)
            if TABLE in group:
                del group[TABLE]
            _table(group, answers)
    return target


def _write_csv(answers: Sequence[Answer], path: Path) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row(each) for each in answers)


def _write_ecsv(answers: Sequence[Answer], path: Path) -> None:
    rows = [row(each) for each in answers]
    types = {"i": np.int64, "f": np.float64, "s": np.str_}
    table = Table()
    for name, kind in COLUMNS.items():
        # a text of several lines is kept as JSON writes it, which this format can hold
        values = [json.dumps(each[name]) if name == "comment" else each[name] for each in rows]
        table[name] = np.array(values, types[kind]) if values else np.array([], "U1" if kind == "s" else types[kind])
    table.meta["comment"] = "texts in quotation marks are JSON strings"
    table.write(path, format="ascii.ecsv", overwrite=True)


def _write_hdf5(answers: Sequence[Answer], path: Path) -> None:
    with h5py.File(path, "w") as file:
        prepare_file(file, "Answers of a classification campaign")
        _table(file, answers)


def _table(group: h5py.Group, answers: Sequence[Answer]) -> None:
    """A table whose texts are as wide as the longest, so that none is cut; a NUL is written as its Unicode picture."""
    rows = [row(each) for each in answers]
    encoded = {
        name: [each[name].replace("\0", "␀").encode() for each in rows] for name, kind in COLUMNS.items() if kind == "s"
    }
    types = {"i": "<i8", "f": "<f8"}
    dtype = np.dtype(
        [
            (name, types.get(kind) or f"S{max(map(len, encoded[name]), default=0) or 1}")
            for name, kind in COLUMNS.items()
        ]
    )
    data = np.zeros(len(rows), dtype)
    for name in COLUMNS:
        data[name] = encoded[name] if name in encoded else [each[name] for each in rows]
    layout = TableLayout(TABLE, dtype)
    create_table(group, TABLE, layout.dtype, data, "What inspectors said")


_WRITERS: dict[str, Callable[[Sequence[Answer], Path], None]] = {
    ".csv": _write_csv,
    ".ecsv": _write_ecsv,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
}


# ------------------------------------------------------------------------------------------------------- reading


def read_answers(path: str | PathLike[str]) -> list[Answer]:
    """The answers in a file that `write_answers` or `add_to_catalog` wrote.

    Raises
    ------
    DataError
        If it is no such file.
    """
    source = Path(path)
    ending = source.suffix.lower()
    if not source.is_file() or ending not in _WRITERS:
        raise DataError(f"{source}: no file of answers; it ends in one of {', '.join(_WRITERS)}")
    if ending == ".csv":
        with open(source, newline="", encoding="utf-8") as file:
            return [from_row(_typed(each)) for each in csv.DictReader(io.StringIO(file.read(), newline=""))]
    if ending == ".ecsv":
        table = Table.read(source, format="ascii.ecsv", fill_values=None)
        found = [{name: each[name] for name in table.colnames} for each in table]
        return [from_row(_typed({**each, "comment": json.loads(str(each["comment"]))})) for each in found]
    with h5py.File(source, "r") as file:
        place = TABLE if TABLE in file else f"{GROUP}/{TABLE}"
        if place not in file:
            raise DataError(f"{source}: there is no table {TABLE}")
        data = file[place][:]
    return [from_row(_typed({name: each[name] for name in data.dtype.names})) for each in data]


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    as_type: dict[str, Callable[[Any], Any]] = {"i": int, "f": float, "s": _text}
    return {name: as_type[kind](values[name]) for name, kind in COLUMNS.items() if name in values}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


__all__ = ["COLUMNS", "add_to_catalog", "consensus_answers", "read_answers", "row", "write_answers"]
