"""One line of a journal: what somebody said about one detection, when, and with what before their eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import inf as INFINITE
from math import isfinite, isnan
from typing import Any

import numpy as np

from elixer_widgets.campaigns.choices import COUNTERPARTS, QUALITIES, VERDICTS, VIS_CLASSES
from elixer_widgets.detection import NAN, DataError

FORMAT = 1
"""Of the lines; a reader that meets a higher number says so."""

ANSWER, UNDO, LOOKED, ADJUDICATION = "answer", "undo", "looked", "adjudication"
KINDS = (ANSWER, UNDO, LOOKED, ADJUDICATION)

CONTENT = (
    "verdict", "quality", "label", "identity", "redshift", "redshift_err", "counterpart", "counterpart_code",
    "aperture", "comment", "extra", "imported_class",
)  # fmt: skip
"""The fields that an inspector fills in."""


@dataclass(frozen=True)
class Answer:
    """What an inspector said about a detection: one line of a journal, with all fields as they stood then.

    Attributes
    ----------
    detectid : int
    kind : str
        "answer"; "undo" takes the line `undoes` back; "looked" says that from here on the inspector knew what the
        others had said; "adjudication" settles a disagreement.
    occasion : int
        0, or 1 for a blind repeat of the same detection.
    verdict : int or None
        One of `choices.VERDICTS`. A detection is answered when it has one.
    quality : int or None
        0 to 4, `choices.QUALITIES`.
    label, identity : str
        Kind of object (`choices.LABELS`); what the line is (`classification.posterior.IDENTITIES`). Empty for none.
    redshift, redshift_err : float
        NaN for none.
    counterpart : str
        The catalogue object taken for the source, as `analysis.match_id` names it; "none" if nothing is there.
    counterpart_code : int or None
        One of `choices.COUNTERPARTS`.
    aperture : tuple of float or None
        (radius in arcsec, ra, dec in degrees) of an aperture that the inspector set.
    comment : str
        Of any length.
    extra : mapping
        The campaign's own columns.
    imported_class : int or None
        The single class of the HETDEX widget that it was read from; none once a verdict, quality, label, identity or
        redshift is changed here.
    seconds : float
        Spent on the detection since its line before in this session, pauses cut; they add up.
    time : str
        UTC, ISO 8601 with microseconds; lines of one session ascend strictly.
    inspector : str
    user : str
        The login name of whose program wrote it; empty where there is none.
    session : str
        The page or program that wrote it; `number` counts its lines.
    definition : int
        The version of the campaign's definition that was in force.
    package, data : str
        Versions of this package and of the release.
    automatic : mapping
        What the analysis said at that moment: identity, redshift, p_lya, quality, flags.
    undoes : str
        The `id` of the line taken back.
    regarding : tuple of str
        The `id`s of the answers that an adjudication settles.
    source : str
        Empty for the page; else the file that the answer was read from.
    """

    detectid: int
    kind: str = ANSWER
    occasion: int = 0
    verdict: int | None = None
    quality: int | None = None
    label: str = ""
    identity: str = ""
    redshift: float = NAN
    redshift_err: float = NAN
    counterpart: str = ""
    counterpart_code: int | None = None
    aperture: tuple[float, float, float] | None = None
    comment: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    imported_class: int | None = None
    seconds: float = 0.0
    time: str = ""
    inspector: str = ""
    user: str = ""
    session: str = ""
    number: int = 0
    definition: int = 0
    package: str = ""
    data: str = ""
    automatic: Mapping[str, Any] = field(default_factory=dict)
    undoes: str = ""
    regarding: tuple[str, ...] = ()
    source: str = ""

    @property
    def id(self) -> str:
        """The name of this line, unique among all journals of all campaigns."""
        return f"{self.session}:{self.number}"

    @property
    def is_answered(self) -> bool:
        """Whether it has a verdict."""
        return self.verdict is not None

    @property
    def content(self) -> dict[str, Any]:
        """The fields that an inspector fills in."""
        return {name: getattr(self, name) for name in CONTENT}

    def same_content(self, other: Answer) -> bool:
        """Whether both say the same; a missing number equals a missing number."""
        return all(_same(getattr(self, name), getattr(other, name)) for name in CONTENT)


_DEFAULTS = {each.name: getattr(Answer(0), each.name) for each in fields(Answer)}
_CLASSING = ("verdict", "quality", "label", "identity", "redshift")
_CODES: dict[str, Mapping[int, Any]] = {
    "verdict": VERDICTS, "quality": QUALITIES, "counterpart_code": COUNTERPARTS, "imported_class": VIS_CLASSES,
}  # fmt: skip
LONGEST_TEXT = 1_000_000
"""Letters of one text; a remark of more is a file that went the wrong way."""

_HEAD = ("kind", "detectid", "occasion", "verdict", "time", "inspector")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and isnan(one) and isnan(other):
        return True
    return bool(one == other)


def changed(answer: Answer, **changes: Any) -> Answer:
    """A copy with some fields of `CONTENT` changed, checked.

    Raises
    ------
    DataError
        If a field is no field of an answer, or its value cannot be.
    """
    unknown = set(changes) - set(CONTENT)
    if unknown:
        raise DataError(f"an answer has no field {sorted(unknown)[0]!r}; its fields are {', '.join(CONTENT)}")
    for name, table in _CODES.items():
        if changes.get(name) is not None:
            changes[name] = _code(name, changes[name], table)
    for name in ("redshift", "redshift_err"):
        if name in changes:
            changes[name] = number_or_none(name, changes[name])
    for name in ("label", "identity", "counterpart", "comment"):
        if name in changes:
            changes[name] = _text(name, changes[name])
    if "extra" in changes:
        changes["extra"] = plain_mapping("extra", changes["extra"])
    if changes.get("aperture") is not None:
        changes["aperture"] = _aperture(changes["aperture"])
    made = replace(answer, **changes)
    forgets = "imported_class" not in changes and says_otherwise(made, answer)
    return replace(made, imported_class=None) if forgets else made


def says_otherwise(answer: Answer, before: Answer) -> bool:
    """Whether a change touches what the classes follow from, rather than a remark or a counterpart."""
    return any(not _same(getattr(answer, name), getattr(before, name)) for name in _CLASSING)


def whole(value: Any, what: str) -> int:
    """A whole number, however it came: of numpy, or as 1.0.

    Raises
    ------
    DataError
        If it is none.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float | np.floating) and isfinite(value) and value == int(value):
        return int(value)
    raise DataError(f"{what} {value!r} is not a whole number; give one such as 1")


def number_or_none(name: str, value: Any) -> float:
    """A number, NaN for none.

    Raises
    ------
    DataError
        If it is infinite or not a number.
    """
    if value is None:
        return NAN
    try:
        found = NAN if isinstance(value, bool | np.bool_ | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = INFINITE
    if abs(found) == INFINITE or isinstance(value, bool | np.bool_ | bytes):
        raise DataError(f"{name} {value!r} is not a number; give one such as 2.7, or None")
    return found


def _code(name: str, value: Any, table: Mapping[int, Any]) -> int:
    try:
        code = whole(value, name)
    except DataError:
        code = None
    if code is None or code not in table:
        raise DataError(f"{name} {value!r} is none of {', '.join(map(str, table))}")
    return code


def clean(text: str) -> str:
    """A text that every file can hold: halves of letter pairs, as in names of files that are not UTF-8, are written
    out as Python writes them (\\udce9), and a NUL as its picture."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "␀")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(f"{name} {value!r} is not text")
    if len(value) > LONGEST_TEXT:
        raise DataError(f"{name} of {len(value)} letters: at most {LONGEST_TEXT} are kept; put the rest into a file")
    return clean(str(value))


def _aperture(value: Any) -> tuple[float, float, float]:
    try:
        radius, ra, dec = (float(each) for each in value)
    except (TypeError, ValueError, OverflowError):
        radius = ra = dec = NAN
    # NaN for a position that is not known; never an infinite one
    if not (isfinite(radius) and radius > 0) or INFINITE in (abs(ra), abs(dec)):
        raise DataError(f"aperture {value!r} is not (radius in arcsec, ra, dec)")
    return radius, ra, dec


def plain_mapping(name: str, value: Any) -> dict[str, Any]:
    """A mapping of names to texts, numbers and truth values as JSON has them; numbers of numpy become Python's.

    Raises
    ------
    DataError
        If it holds anything else.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DataError(f"{name} {value!r} is not a mapping of names to values")
    found = {}
    for key, each in value.items():
        plain = each.item() if isinstance(each, np.generic) else each
        if not isinstance(plain, str | int | float | bool | None):
            raise DataError(f"{name}: {key!r} is {each!r}; give a text, a number, or True or False")
        found[clean(key)] = clean(plain) if isinstance(plain, str) else plain
    return found


def to_record(answer: Answer) -> dict[str, Any]:
    """An answer as JSON knows it: fields that say nothing left out, those that a replay needs first."""
    record: dict[str, Any] = {"v": FORMAT}
    for name in (*_HEAD, *(each for each in _DEFAULTS if each not in _HEAD)):
        value = getattr(answer, name)
        if name not in _HEAD and _same(value, _DEFAULTS[name]):
            continue
        if isinstance(value, tuple):
            value = [None if isinstance(each, float) and not isfinite(each) else each for each in value]
        elif isinstance(value, Mapping):
            value = {key: each for key, each in value.items() if not (isinstance(each, float) and not isfinite(each))}
        record[name] = value
    return record


def from_record(record: Mapping[str, Any]) -> Answer:
    """The answer in a line; fields that this version does not know are left out."""
    known = {name: record[name] for name in _DEFAULTS if name in record}
    if known.get("aperture") is not None:
        known["aperture"] = tuple(NAN if each is None else float(each) for each in known["aperture"])
    if "regarding" in known:
        known["regarding"] = tuple(known["regarding"])
    return Answer(**known)
