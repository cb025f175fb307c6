"""Answers as tables: CSV, ECSV, HDF5 (also within an ELiXer catalogue), and read back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from math import isnan
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import Table

from elixer_widgets._arguments import path as given
from elixer_widgets._files import disk_fault, replacing, require_ours
from elixer_widgets.campaigns.answers import Answer, clean
from elixer_widgets.campaigns.choices import VERDICTS
from elixer_widgets.campaigns.consistency import contradiction, exported
from elixer_widgets.campaigns.lines import fault
from elixer_widgets.campaigns.together import Consensus
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
    "contradiction": "s", "as_said": "s",
}  # fmt: skip
"""Columns of every table and their kinds: integer (-999 for none), float (NaN for none), text. `extra`, `automatic` and
`regarding` are JSON. Where an answer contradicts itself `contradiction` says why, `vis_class`, `identity` and
`redshift` hold what is safe, and `as_said` what was said, as JSON."""

_SAFE = ("identity", "redshift", "redshift_err")

NEEDED = ("detectid", "verdict", "comment", "inspector")
"""Columns without which a table is not one of answers."""

LONGEST_FIELD = 16_000_000
LARGEST_TABLE = 400_000_000
"""Letters of a value in a CSV file, and bytes of an HDF5 table, beyond which a file is not one of answers."""

NONE = -999
"""Integers that are missing; not -1, which is a class."""


def row(answer: Answer) -> dict[str, Any]:
    """An answer as a row of `COLUMNS`."""
    aperture = answer.aperture or (NAN, NAN, NAN)
    found: dict[str, Any] = {name: getattr(answer, name) for name in COLUMNS if hasattr(answer, name)}
    safe = exported(answer)
    found["vis_class"] = safe.vis_class
    found["verdict_name"] = VERDICTS[answer.verdict].name if answer.verdict in VERDICTS else ""
    said = {name: found[name] for name in _SAFE if not _same(found[name], getattr(safe, name))}
    found |= {name: getattr(safe, name) for name in said}
    found["contradiction"] = contradiction(answer)
    found["as_said"] = json.dumps({name: None if _missing(value) else value for name, value in said.items()} or "")
    found["as_said"] = "" if not said else found["as_said"]
    found |= dict(zip(("aperture_radius", "aperture_ra", "aperture_dec"), aperture, strict=True))
    for name in ("extra", "automatic", "regarding"):
        found[name] = json.dumps(found[name]) if found[name] else ""
    values = ((name, found[name]) for name in COLUMNS)
    return {name: _kept(value, COLUMNS[name]) for name, value in values}


def _kept(value: Any, kind: str) -> Any:
    if kind == "i" and value is None:
        return NONE
    # old journals may hold what no file of text can
    return clean(value) if kind == "s" else value


def _missing(value: Any) -> bool:
    return isinstance(value, float) and isnan(value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (_missing(one) and _missing(other))


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
    said = json.loads(values["as_said"]) if values.get("as_said") else {}
    found |= {name: NAN if said[name] is None else said[name] for name in _SAFE if name in said}
    why = fault(found)
    if why:
        raise ValueError(why)
    return Answer(**found)


def consensus_answers(found: Iterable[Consensus]) -> list[Answer]:
    """The group's answers as `write_answers` takes them; detections that are open or unanswered are left out."""
    return [each.answer for each in found if each.answer is not None]


# ------------------------------------------------------------------------------------------------------- writing


def write_answers(answers: Sequence[Answer], path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write answers as a table, one row each.

    Parameters
    ----------
    answers : sequence of Answer
        From `Campaign.answers`, or `consensus_answers`.
    path : path
        .csv, .ecsv, or .h5 / .hdf5; an earlier table of answers is replaced, whole or not at all.
    overwrite : bool
        Replace a file of that name whatever it is.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        If the ending is none of these, the folder does not exist, or a file of that name is no table of answers.
    """
    target = given(path, "write_answers: path")
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise DataError(f"{target}: the ending is none of {', '.join(_WRITERS)}")
    require_ours(target, _is_table, "a table of answers", overwrite)
    with exporting(target) as temporary:
        write(answers, temporary)
    return target


def _is_table(path: Path) -> bool:
    """Whether a file has the columns of a table of answers."""
    try:
        if path.suffix.lower() in (".h5", ".hdf5"):
            with h5py.File(path, "r", locking=False) as file:
                names = set(file[TABLE].dtype.names or ()) if set(file) == {TABLE} else set()
                return set(NEEDED) <= names <= set(COLUMNS)
        with path.open("rb") as file:
            head = file.read(100_000)
    except (OSError, KeyError, AttributeError):
        return False
    lines = [line for line in head.decode("ascii", "replace").splitlines() if not line.startswith("#")]
    return bool(lines) and set(NEEDED) <= set(re.split("[ ,]", lines[0])) <= set(COLUMNS)


@contextmanager
def exporting(target: Path) -> Iterator[Path]:
    """A temporary file that takes the place of `target` when the block ends well.

    Raises
    ------
    DataError
        If the folder does not exist or cannot be written, the disk is full, or another program writes that file.
    """
    try:
        with replacing(target) as temporary:
            yield temporary
    except (OSError, RuntimeError) as error:
        cause = disk_fault(error) or error
        if not isinstance(cause, OSError):
            raise
        why = cause.strerror or str(cause)
        raise DataError(f"{target}: not written: {why}; make room, or choose another folder") from error


def add_to_catalog(answers: Sequence[Answer], catalog: str | PathLike[str]) -> Path:
    """Put answers into an ELiXer catalogue, as the table `ElixerWidgets/Answers`, in place of those that it has.

    The catalogue is copied, changed and put back, so that a crash leaves the old one or the new one.

    Raises
    ------
    DataError
        If there is no HDF5 file.
    """
    target = given(catalog, "add_to_catalog: catalog")
    if not target.is_file() or not h5py.is_hdf5(target):
        raise DataError(f"{target}: there is no HDF5 catalogue")
    with exporting(target) as temporary:
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
    table = Table()
    for name, kind in COLUMNS.items():
        # a text of several lines is kept as JSON writes it, which this format can hold
        values = [json.dumps(each[name]) if name == "comment" else each[name] for each in rows]
        if kind == "s":
            table[name] = np.array(values, np.str_) if values else np.array([], "U1")
        else:
            table[name] = _numbers(name, rows)
    table.meta["comment"] = "texts in quotation marks are JSON strings"
    table.write(path, format="ascii.ecsv", overwrite=True)


def _write_hdf5(answers: Sequence[Answer], path: Path) -> None:
    # in memory: HDF5 never lets go of a file, and of its room, that a full disk did not let it finish
    with h5py.File(path, "w", driver="core", backing_store=False) as file:
        prepare_file(file, "Answers of a classification campaign")
        _table(file, answers)
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(image)


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
    if len(rows) * dtype.itemsize > LARGEST_TABLE:
        raise DataError("the longest texts make this HDF5 table too large, since it gives all rows the same width; "
                        "write .csv or .ecsv")  # fmt: skip
    data = np.zeros(len(rows), dtype)
    for name in COLUMNS:
        data[name] = encoded[name] if name in encoded else _numbers(name, rows)
    layout = TableLayout(TABLE, dtype)
    create_table(group, TABLE, layout.dtype, data, "What inspectors said")


def _numbers(name: str, rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """A column of numbers of 64 bits."""
    values = [each[name] for each in rows]
    try:
        return np.array(values, np.int64 if COLUMNS[name] == "i" else np.float64)
    except OverflowError as error:
        raise DataError(f"{name} {max(values, key=abs)} is longer than 64 bits; write .csv") from error


_WRITERS: dict[str, Callable[[Sequence[Answer], Path], None]] = {
    ".csv": _write_csv,
    ".ecsv": _write_ecsv,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
}


# ------------------------------------------------------------------------------------------------------- reading


def read_answers(path: str | PathLike[str]) -> list[Answer]:
    """The answers in a file that `write_answers` or `add_to_catalog` wrote, also after a spreadsheet saved it again.

    Raises
    ------
    DataError
        If it is no such file, or a row holds what cannot be, by its number.
    """
    source = given(path, "read_answers: path")
    ending = source.suffix.lower()
    if not source.is_file() or ending not in _WRITERS:
        raise DataError(f"{source}: no file of answers; it ends in one of {', '.join(_WRITERS)}")
    try:
        rows = {".csv": _csv_rows, ".ecsv": _ecsv_rows}.get(ending, _hdf5_rows)(source)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes of the libraries that read it
        raise DataError(f"{source}: no table of answers ({type(error).__name__}: {str(error)[:200]})") from error
    return [_answer(each, f"{source}, row {number}") for number, each in enumerate(rows, 1)]


def _answer(values: dict[str, Any], where: str) -> Answer:
    try:
        return from_row(_typed(values))
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
        raise DataError(f"{where}: {str(error)[:200]}; correct it, or export the answers again") from error


def _csv_rows(source: Path) -> list[dict[str, Any]]:
    content = source.read_bytes()
    # a mark of the byte order, and other separators, are what spreadsheets put in
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    header = text.split("\n", 1)[0]
    between = max(",;\t", key=header.count)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    _check_columns(reader.fieldnames or (), source)
    rows = list(reader)
    for number, each in enumerate(rows, 1):
        if None in each or None in each.values():
            raise DataError(f"{source}, row {number}: not as many values as the {len(reader.fieldnames or ())} columns")
    return rows


def _ecsv_rows(source: Path) -> list[dict[str, Any]]:
    table = Table.read(source, format="ascii.ecsv", fill_values=None)
    _check_columns(table.colnames, source)
    columns = {name: table[name].tolist() for name in table.colnames if name in COLUMNS}
    columns["comment"] = [json.loads(str(each)) for each in columns["comment"]]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _hdf5_rows(source: Path) -> list[dict[str, Any]]:
    with h5py.File(source, "r") as file:
        place = TABLE if TABLE in file else f"{GROUP}/{TABLE}"
        if place not in file:
            raise DataError(f"{source}: there is no table {TABLE}")
        table = file[place]
        names = getattr(getattr(table, "dtype", None), "names", None) or ()
        _check_columns(names, source)
        size = table.size * table.dtype.itemsize
        if size > LARGEST_TABLE:
            raise DataError(f"{source}: {TABLE} unpacks to {size / 1e9:.1f} GB; no campaign is that large")
        data = table[:]
    return [{name: each[name] for name in names} for each in data]


def _check_columns(names: Sequence[str], source: Path) -> None:
    missing = [name for name in NEEDED if name not in names]
    if missing or len(set(names)) < len(names):
        what = f"there is no column {missing[0]!r}" if missing else "a column occurs twice"
        raise DataError(f"{source}: {what}; give a table that `write_answers` wrote")


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    as_type: dict[str, Callable[[Any], Any]] = {"i": _integer, "f": _number, "s": _text}
    return {name: as_type[kind](values[name]) for name, kind in COLUMNS.items() if name in values}


def _integer(value: Any) -> int:
    """A whole number of a table; spreadsheets write 1.0, and numbers of ten digits as 2.1E+09."""
    text = str(value).strip()
    if re.fullmatch(r"[+-]?[0-9]{1,20}(\.0*)?", text):
        return int(text.split(".")[0])
    if not text:
        return NONE
    raise ValueError(f"{text[:40]!r} is not a whole number (spreadsheets round long ones: format them as text)")


def _number(value: Any) -> float:
    found = float(value) if str(value).strip() else NAN
    if abs(found) == float("inf"):
        raise ValueError(f"{value!r} is not a finite number")
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


__all__ = ["COLUMNS", "add_to_catalog", "consensus_answers", "read_answers", "row", "write_answers"]
