"""Tables of text: white space, CSV, SExtractor. Every row must fit the header, or the table is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from elixer_widgets.detection import DataError

_MOST_COLUMNS = 20_000
_HEADER_LINES = 30_000
_SPACE = " "


@dataclass(frozen=True)
class _Layout:
    """How the rows of a table are written, and which of its lines are none."""

    names: list[str]
    separator: str
    encoding: str
    skipped: list[int]
    trailing: bool  # whether rows end in a comment


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return "utf-32"
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _fields(line: str, separator: str) -> list[str]:
    """The fields of one row."""
    if separator == _SPACE:
        if '"' not in line:
            return line.split()
        return next(csv.reader([" ".join(line.split())], delimiter=_SPACE, skipinitialspace=True))
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator, skipinitialspace=True))


def _count(line: str, separator: str) -> int:
    """How many fields a row without quotes has."""
    return len(line.split()) if separator == _SPACE else line.count(separator) + 1


def _separator(line: str, is_csv: bool) -> str:
    """What stands between the fields of a row."""
    counts = {mark: line.count(mark) for mark in (";", "\t", ",")}
    if counts[";"]:
        return ";"  # commas are then those of decimals
    if is_csv and (counts["\t"] or counts[","]):
        return "\t" if counts["\t"] > counts[","] else ","
    if counts[","] and len(line.split()) <= counts[","] + 1:
        return ","
    return _SPACE


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbered(header: list[str]) -> list[str] | None:
    """The names of a header that has one line a column (`#  1 NUMBER  Running object number`), gaps filled."""
    found = [match for match in (re.match(r"(\d{1,6})\s+(\S+)", line) for line in header) if match]
    numbers = [int(match[1]) for match in found]
    if not numbers or numbers[0] != 1 or numbers != sorted(set(numbers)) or numbers[-1] > _MOST_COLUMNS:
        return None
    if len(found) < 2 and len(header) > 1:
        return None
    names = [""] * numbers[-1]
    for number, match in zip(numbers, found, strict=True):
        names[number - 1] = match[2]
    return [name or f"column{place}" for place, name in enumerate(names, 1)]


def _names(path: Path, header: list[str], row: list[str], separator: str) -> list[str]:
    """One name a field of a row, from the comments that begin the table.

    SExtractor gives a vector's first number only: what is between it and the next belongs to it, and so does what
    comes after the last.
    """
    names = _numbered(header)
    if names is not None and len(names) <= len(row):
        return names + [f"column{place}" for place in range(len(names) + 1, len(row) + 1)]
    if names is None and header:
        for line in reversed(header):
            names = _fields(line, separator)
            if len(names) != len(row) and separator == _SPACE:
                names = line.replace(",", " ").split()
            if len(names) == len(row):
                return names
            split = _sexagesimal(names, len(row))
            if split:
                return split
        names = header[-1].replace(",", " ").split()
    if not names:
        raise DataError(f"{path}: no line beginning with # names the columns; add one")
    raise DataError(
        f"{path}: its header names {len(names)} columns and its first row has {len(row)} fields; make them fit"
    )


def _sexagesimal(names: list[str], width: int) -> list[str]:
    """Names where RA and Dec are each written as three fields under one name; empty if that does not fit."""
    places = [place for place, name in enumerate(names) if re.fullmatch(r"(ra|dec|[\w]*(ra|de)j2000)", name.lower())]
    if width != len(names) + 4 or len(places) != 2:
        return []
    out: list[str] = []
    for place, name in enumerate(names):
        out.extend([f"{name}//{part}" for part in range(3)] if place in places else [name])
    return out


def _layout(path: Path, is_csv: bool) -> _Layout:
    """Look at every line once: the names, and whether all rows have that many fields."""
    encoding = _encoding(path)
    header: list[str] = []
    skipped: list[int] = []
    names: list[str] = []
    separator, trailing, rows, overhang = _SPACE, False, 0, False
    for number, line in _lines(path, encoding):
        text = line.strip()
        if not text or text.startswith("#"):
            skipped.append(number)
            if text and not names and len(header) < _HEADER_LINES:
                header.append(text.lstrip("#").strip())
            continue
        if not names:
            separator = _separator(text, is_csv)
        if separator == _SPACE and "#" in text:
            trailing, text = True, text.split("#")[0].rstrip()
        if names and '"' not in text and _count(text, separator) == len(names) + overhang:
            rows += 1
            if not overhang or text.endswith(separator):
                continue  # as nearly all rows of a large table
            rows -= 1
        fields = _fields(text, separator)
        if not names:
            if (is_csv or not header) and not any(_is_number(word) for word in fields if word.strip()):
                names = fields
                skipped.append(number)
                continue
            if is_csv and not header:
                raise DataError(f"{path}: its first line does not name the columns; add one that does")
            names = _names(path, [line for line in header if line], fields, separator)
        rows += 1
        if len(fields) == len(names) + 1 and separator != _SPACE and not fields[-1].strip() and (rows == 1 or overhang):
            overhang = True  # each row ends with a separator
        elif len(fields) != len(names) + overhang:
            split = _sexagesimal(names, len(fields)) if rows == 1 and separator == _SPACE else []
            if not split:
                raise DataError(
                    f"{path}: line {number + 1} has {len(fields)} fields and the header names {len(names)} columns; "
                    "make each row fit the header"
                )
            names = split
    if not names:
        raise DataError(f"{path}: no line names the columns; begin one with # that does")
    return _Layout(names + ["//"] * overhang, separator, encoding, skipped, trailing)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    with path.open(encoding=encoding, errors="replace") as file:
        yield from enumerate(file)


def read_text(path: Path, is_csv: bool, wanted: Callable[[str], bool], as_text: Callable[[str], bool]) -> pd.DataFrame:
    """The wanted columns of a table of text.

    Parameters
    ----------
    path : Path
    is_csv : bool
        Whether the first line names the columns, rather than comments.
    wanted, as_text : callable
        From a column's name to whether it is read, and whether it is kept as it is written.

    Raises
    ------
    DataError
        If it cannot be read, or a row does not fit the header.
    """
    try:
        layout = _layout(path, is_csv)
        taken = [place for place, name in enumerate(layout.names) if wanted(name.split("//")[0])]
        table = pd.read_csv(
            path,
            sep=r"\s+" if layout.separator == _SPACE else layout.separator,
            header=None,
            names=list(range(len(layout.names))),
            usecols=taken,
            dtype={p: str for p in taken if as_text(layout.names[p]) or "//" in layout.names[p]},
            skiprows=layout.skipped,
            comment="#" if layout.trailing else None,
            encoding=layout.encoding,
            encoding_errors="replace",
            skipinitialspace=True,
            decimal="," if layout.separator == ";" else ".",
            low_memory=False,
            index_col=False,
        )
    except DataError:
        raise
    except pd.errors.EmptyDataError:
        return pd.DataFrame({layout.names[place].lower(): [] for place in taken})
    except (OSError, UnicodeError, ValueError, csv.Error, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as a table ({error!s:.80}); fetch it again") from error
    return _named(table, layout.names)


def _named(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """With names instead of places, the first of each name; positions in three fields are put together."""
    columns: dict[str, pd.Series] = {}
    for place in map(int, table.columns):
        name, _, part = names[place].lower().partition("//")
        if part in ("1", "2"):
            columns[name] = columns[name] + " " + table[place]
        elif name:
            columns.setdefault(name, table[place])
    return pd.DataFrame(columns)
