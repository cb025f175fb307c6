"""Which lines of a journal count: those whose fields are what this package writes. The others are named and left out.

A line with a right checksum can still hold anything: another program, a later version, or somebody who plays tricks may
have written it. One such line must not spoil what the others said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite, isnan
from pathlib import Path
from typing import Any

from elixer_widgets.campaigns.answers import FORMAT, KINDS, LONGEST_TEXT
from elixer_widgets.campaigns.choices import COUNTERPARTS, QUALITIES, VERDICTS, VIS_CLASSES
from elixer_widgets.campaigns.journal import Line, folder_name
from elixer_widgets.detection import DataError

TIME = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
                  r"(?:\.\d{1,6})?(?:\+00:00)?")  # fmt: skip
"""UTC as `Campaign` writes it; what lies beyond this century is no time at which anybody answered."""

_CODES = {
    "verdict": VERDICTS, "quality": QUALITIES, "counterpart_code": COUNTERPARTS, "imported_class": VIS_CLASSES,
}  # fmt: skip
_TEXTS = (
    "label", "identity", "counterpart", "comment", "inspector", "user", "session", "package", "data", "undoes",
    "source",
)  # fmt: skip
_COUNTS = ("number", "definition")
LARGEST = 2**31

# ------------------------------------------------------------------------------------- what nearly all lines look like

_STRING = rb'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"'
_NUMBER = rb"-?(?:0|[1-9]\d{0,15})(?:\.\d{1,20})?(?:e[+-]?\d{1,2})?"
_FLAT = rb"\{(?:%s:(?:%s|%s|true|false)(?:,%s:(?:%s|%s|true|false))*)?\}" % (
    _STRING, _STRING, _NUMBER, _STRING, _STRING, _NUMBER,
)  # fmt: skip


def _code(table: Mapping[int, Any]) -> bytes:
    return b"(?:%s)" % b"|".join(str(code).encode() for code in table)


_FIELDS = (
    (b"quality", _code(QUALITIES)), (b"label", _STRING), (b"identity", _STRING), (b"redshift", _NUMBER),
    (b"redshift_err", _NUMBER), (b"counterpart", _STRING), (b"counterpart_code", _code(COUNTERPARTS)),
    (b"aperture", rb"\[%s,(?:null|%s),(?:null|%s)\]" % (_NUMBER, _NUMBER, _NUMBER)), (b"comment", _STRING),
    (b"extra", _FLAT), (b"imported_class", _code(VIS_CLASSES)), (b"seconds", rb"\d{1,9}(?:\.\d{1,9})?"),
    (b"user", _STRING), (b"session", _STRING), (b"number", rb"\d{1,9}"), (b"definition", rb"\d{1,4}"),
    (b"package", _STRING), (b"data", _STRING), (b"automatic", _FLAT), (b"undoes", _STRING),
    (b"regarding", rb"\[(?:%s(?:,%s)*)?\]" % (_STRING, _STRING)), (b"source", _STRING),
)  # fmt: skip
_USUAL = re.compile(
    rb'\{"v":1,"kind":"(?:%s)","detectid":\d{1,20},"occasion":[01],"verdict":(?:null|%s),"time":"%s","inspector":%s%s'
    rb',"crc":"[0-9a-f]{8}"\}'
    % (
        "|".join(KINDS).encode(),
        _code(VERDICTS),
        TIME.pattern.encode(),
        _STRING,
        b"".join(rb'(?:,"%s":%s)?' % field for field in _FIELDS),
    )
)
"""A line as `Campaign` writes it, told many times faster than by reading it as JSON."""


def fault_of(line: Line, path: Path | None = None) -> str:
    """Why a line of a journal cannot count, in words; empty where it can.

    Parameters
    ----------
    line : Line
        Whose checksum is right.
    path : Path, optional
        Its file: nobody answers in another's folder.
    """
    if len(line.raw) > 8 * LONGEST_TEXT:
        return f"a line of {len(line.raw)} bytes"
    if not _USUAL.fullmatch(line.raw):
        try:
            record = json.loads(line.raw, object_pairs_hook=_once, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return str(error)
        version = record.get("v")
        if type(version) is not int or version > FORMAT:
            return f"version {str(version)[:20]} of the lines; a later version of elixer_widgets may read it"
        if not isinstance(record.get("time"), str) or not TIME.fullmatch(record["time"]):
            return f"time {str(record.get('time'))[:40]!r}"
        why = fault(record)
        if why:
            return why
    return _stranger(line, path)


def _stranger(line: Line, path: Path | None) -> str:
    try:
        folder = folder_name(line.inspector)
    except DataError:
        return f"inspector {line.inspector[:40]!r}, which is not a name"
    # file systems of some computers do not tell capitals
    if path is not None and folder.lower() != path.parent.name.lower():
        return f"an answer of {line.inspector!r} in the folder of another"
    return ""


def _no_number(text: str) -> float:
    raise ValueError(f"{text} for a number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field occurs twice")
    return found


def fault(record: Mapping[str, Any]) -> str:
    """What in the fields of an answer cannot be, in words; empty for nothing.

    Parameters
    ----------
    record : mapping
        Of a line of a journal, or of a row of a table; None and NaN for missing numbers.
    """
    if record.get("kind", KINDS[0]) not in KINDS:
        return f"kind {str(record['kind'])[:40]!r}"
    detectid = record.get("detectid")
    if type(detectid) is not int or not 0 <= detectid < 10**20:
        return f"detectid {str(detectid)[:40]!r}"
    if type(record.get("occasion", 0)) is not int or record.get("occasion", 0) not in (0, 1):
        return f"occasion {str(record['occasion'])[:40]!r}"
    for name, table in _CODES.items():
        value = record.get(name)
        if value is not None and (type(value) is not int or value not in table):
            return f"{name} {str(value)[:40]!r}"
    for name in _TEXTS:
        value = record.get(name, "")
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            return f"{name} {str(value)[:40]!r}"
    return _fault_of_numbers(record) or _fault_of_groups(record)


def _fault_of_numbers(record: Mapping[str, Any]) -> str:
    for name in _COUNTS:
        value = record.get(name, 0)
        if type(value) is not int or not 0 <= value < LARGEST:
            return f"{name} {str(value)[:40]!r}"
    for name in ("redshift", "redshift_err", "seconds"):
        value = record.get(name, 0.0)
        if not _is_number(value) or (name == "seconds" and value < 0.0):
            return f"{name} {str(value)[:40]!r}"
    return ""


def _is_number(value: Any, missing: bool = True) -> bool:
    if type(value) not in (int, float):
        return False
    return isfinite(value) if type(value) is int or not isnan(value) else missing


def _fault_of_groups(record: Mapping[str, Any]) -> str:
    aperture = record.get("aperture")
    if aperture is not None and not (
        isinstance(aperture, list | tuple)
        and len(aperture) == 3
        and _is_number(aperture[0], missing=False)
        and aperture[0] > 0.0
        and all(each is None or _is_number(each) for each in aperture[1:])
    ):
        return f"aperture {str(aperture)[:40]!r}"
    for name in ("extra", "automatic"):
        value = record.get(name, {})
        if not isinstance(value, dict) or not all(_is_plain(each) for each in value.values()):
            return f"{name} {str(value)[:40]!r}"
    regarding = record.get("regarding", [])
    if not isinstance(regarding, list | tuple) or not all(isinstance(each, str) for each in regarding):
        return f"regarding {str(regarding)[:40]!r}"
    return ""


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | bool) or _is_number(value)
