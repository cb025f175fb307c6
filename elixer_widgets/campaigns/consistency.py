"""The one table of answers that fit together: what a verdict allows, what is asked where it does not, what is exported.

The page, `Campaign.answer`, the gallery, queues, agreement, imports and exports all look here. Two things are apart:

* a *conflict*, such as an emission line whose identity is "artifact": never stored as an answer. One in an old journal
  or in a file from elsewhere is kept as it was said, marked, and exported as what can safely be said;
* a *gap*, such as a line of quality 3 or 4 without an identity: the page asks; a program may store it; the export
  claims no more than the answer supports.

An answer's identity is the person's where one was set; otherwise the one that the page showed at the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, NamedTuple

from elixer_widgets.campaigns.answers import Answer
from elixer_widgets.campaigns.choices import (
    CANNOT_TELL,
    DISTANT,
    LABELS,
    VERDICTS,
    from_vis_class,
    group,
    vis_class,
)
from elixer_widgets.classification.identities import IDENTITIES
from elixer_widgets.classification.identities import LABELS as LINE_NAMES
from elixer_widgets.detection import NAN, DataError

NOT_LINES = frozenset({"star", "artifact", "noise"})
LINES = frozenset(IDENTITIES) - NOT_LINES
"""Identities that are emission lines; "other" is a line whose name is not in the list."""

REDSHIFTS = (-0.02, 20.0)
"""Redshifts that a galaxy can have; a star's lies within `STAR_REDSHIFT` of zero."""
STAR_REDSHIFT = 0.02

NO_IDENTITY: dict[str, Any] = {"identity": "", "redshift": NAN, "redshift_err": NAN}
UNIDENTIFIED = 2
"""The highest quality of a line without an identity, by the definition of the qualities."""


@dataclass(frozen=True)
class Rule:
    """What may stand beside a verdict.

    Attributes
    ----------
    qualities : frozenset
    identities : frozenset of str
    labels : frozenset of str
    redshift : bool
        Whether a redshift may be given.
    """

    qualities: frozenset[int | None]
    identities: frozenset[str]
    labels: frozenset[str]
    redshift: bool


def _rule(qualities: str, identities: frozenset[str], labels: Sequence[str], redshift: bool) -> Rule:
    return Rule(frozenset({None, *map(int, qualities)}), identities | {""}, frozenset({"", *labels}), redshift)


_REAL = _rule("1234", LINES, LABELS, True)
_ABSORPTION = _rule("1234", LINES | {"star"}, LABELS, True)
_CONTINUUM = _rule("1234", LINES | {"star"}, LABELS, True)
_NO_LINE = _rule("012", frozenset({"artifact", "noise"}), ("meteor", "sat"), False)
_NOISE = _rule("012", frozenset({"noise"}), (), False)
_ARTIFACT = _rule("012", frozenset({"artifact"}), ("meteor", "sat"), False)
_CANNOT_TELL = _rule("012", frozenset(), LABELS, False)

RULES: dict[int, Rule] = {
    1: _REAL, 2: _ABSORPTION, 3: _CONTINUUM, 4: _NO_LINE, 10: _NOISE, CANNOT_TELL: _CANNOT_TELL,
    **{code: _ARTIFACT for code in VERDICTS if group(code) == "artifact"},
}  # fmt: skip
"""By verdict. Without a verdict nothing is answered yet, and nothing can contradict."""

_FAR_LINES = frozenset({"Lya", "CIV", "CIII", "HeII"})
_GALAXY_LINES = LINES - {"other"}

LABEL_EXCLUDES: dict[str, frozenset[str]] = {
    "star": _GALAXY_LINES, "WD": _GALAXY_LINES, "meteor": LINES - {"other"} | {"star"},
    "sat": LINES - {"other"} | {"star"}, "LzG": _FAR_LINES | {"star"}, "PNe": _FAR_LINES | {"MgII", "star"},
    "LAB": LINES - {"Lya"} | {"star"}, "AGN": frozenset({"star"}), "gal": frozenset({"star"}),
}  # fmt: skip
"""Identities that each kind of object rules out."""

NEAR_LABELS = frozenset({"star", "WD", "meteor", "sat", "LzG", "PNe"})
"""Kinds of object that are never at a redshift above `choices.DISTANT`."""


class Conflict(NamedTuple):
    """One thing that does not fit: the `field` that is in the way, and why, in words."""

    field: str
    why: str


def _fits_redshift(answer: Answer, rule: Rule) -> str:
    z = answer.redshift
    if not isfinite(z):
        return ""
    if not rule.redshift or answer.identity in ("artifact", "noise"):
        return f"redshift {z:g}"
    if not REDSHIFTS[0] <= z <= REDSHIFTS[1]:
        return f"redshift {z:g}, which no source has"
    if answer.identity == "star" and abs(z) > STAR_REDSHIFT:
        return f"a star at redshift {z:g}"
    if answer.label in NEAR_LABELS and z > DISTANT:
        return f"{answer.label} at redshift {z:g}"
    return ""


def conflicts(answer: Answer) -> tuple[Conflict, ...]:
    """What in an answer contradicts its verdict, or each other; empty where all fits or nothing is answered."""
    if answer.verdict is None:
        return ()
    name = VERDICTS[answer.verdict].name if answer.verdict in VERDICTS else f"verdict {answer.verdict}"
    rule = RULES.get(answer.verdict)
    if rule is None:
        return (Conflict("verdict", f"{name} does not exist"),)
    listed = []
    if answer.quality not in rule.qualities:
        listed.append(Conflict("quality", f"{name}, but quality {answer.quality}"))
    if answer.identity not in rule.identities:
        listed.append(Conflict("identity", f"{name}, but its identity is {line_name(answer.identity)}"))
    excluded = answer.identity in LABEL_EXCLUDES.get(answer.label, ())
    if answer.label not in rule.labels:
        listed.append(Conflict("label", f"{name}, but its kind is {answer.label}"))
    elif excluded:
        listed.append(Conflict("label", f"kind {answer.label}, but its identity is {line_name(answer.identity)}"))
    redshift = _fits_redshift(answer, rule)
    if redshift:
        listed.append(Conflict("redshift", f"{name}, but {redshift}"))
    return tuple(listed)


def gap(answer: Answer) -> str:
    """What a line lacks for its quality, in words: 3 and 4 need an identity and a redshift. Empty for nothing."""
    if answer.verdict not in (1, 2) or (answer.quality or 0) <= UNIDENTIFIED:
        return ""
    if not answer.identity and not isfinite(answer.redshift) and not answer.label:
        return f"quality {answer.quality}, but no identity"
    if answer.identity in LINES and answer.identity != "other" and not isfinite(answer.redshift):
        return f"quality {answer.quality}, but no redshift"
    return ""


def line_name(identity: str) -> str:
    """An identity for people."""
    return LINE_NAMES.get(identity, identity)


def contradiction(answer: Answer) -> str:
    """All conflicts of an answer in one line of words; empty for none."""
    return "; ".join(each.why for each in conflicts(answer))


class Contradiction(DataError):
    """An answer that contradicts itself; it is not stored."""


def refuse(answer: Answer) -> None:
    """Raise `Contradiction` for an answer that contradicts itself."""
    why = contradiction(answer)
    if why:
        raise Contradiction(f"{answer.detectid}: {why}; nothing is stored until verdict and identity agree")


# ----------------------------------------------------------------------------------------------- what is exported


class Exported(NamedTuple):
    """What tables say of an answer.

    Attributes
    ----------
    vis_class : int
        One of `choices.VIS_CLASSES`, or 0.
    flag : int
        1 for reviewed.
    identity : str
    redshift, redshift_err : float
        NaN for none.
    counterpart : int
        One of `choices.COUNTERPARTS`, or -1.
    """

    vis_class: int
    flag: int
    identity: str
    redshift: float
    redshift_err: float
    counterpart: int


def counterpart_code(answer: Answer) -> int:
    """An answer's counterpart as the HETDEX widget numbers it; -1 for unset."""
    if answer.counterpart_code is not None:
        return answer.counterpart_code
    return {"": -1, "none": 0}.get(answer.counterpart, 99)


def was_imported(answer: Answer) -> bool:
    """Whether the answer is still the one that a file of the HETDEX widget held, so that its class stands."""
    if answer.imported_class is None:
        return False
    verdict, quality, label = from_vis_class(answer.imported_class)
    return (answer.verdict, answer.quality, answer.label) == (verdict, quality, label) and not answer.identity


def exported(answer: Answer) -> Exported:
    """What is safe to say of an answer, whatever it says.

    Notes
    -----
    A verdict that nothing is there exports neither identity nor redshift. What is called real and contradicts itself
    exports no class and counts as not reviewed, so that somebody looks again. Class 5 needs a redshift; without one it
    is class 4. A row read from the HETDEX widget keeps its class.
    """
    counterpart = counterpart_code(answer)
    if answer.verdict is None:
        unclear = answer.identity in ("artifact", "noise") or not isfinite(answer.redshift)
        z, error = (NAN, NAN) if unclear else (answer.redshift, answer.redshift_err)
        return Exported(0, 0, answer.identity, z, error, counterpart)
    rule = RULES.get(answer.verdict)
    found = conflicts(answer)
    if rule is None or (rule.redshift and found):
        return Exported(0, 0, "", NAN, NAN, counterpart)
    identity = answer.identity if answer.identity in rule.identities else ""
    z, error = (answer.redshift, answer.redshift_err) if rule.redshift else (NAN, NAN)
    return Exported(_class(answer, rule), 1, identity, z, error, counterpart)


def _class(answer: Answer, rule: Rule) -> int:
    if was_imported(answer) and answer.imported_class is not None:
        return answer.imported_class
    made = vis_class(
        answer.verdict, answer.quality if answer.quality in rule.qualities else 0, answer.label, answer.identity,
        answer.redshift,
    )  # fmt: skip
    if made in (3, 4, 5) and isfinite(answer.redshift) and answer.redshift <= DISTANT:
        return 11
    return 4 if made == 5 and not isfinite(answer.redshift) else made


def group_of(answer: Answer) -> str:
    """`choices.group` of an answer; empty, as for no opinion, where what is called real contradicts itself."""
    said = group(answer.verdict)
    return "" if unsafe(answer) else said


# ---------------------------------------------------------------------------------------------------- what is asked


class Way(NamedTuple):
    """One way out of a contradiction: what it says, and the fields that change."""

    words: str
    fields: dict[str, Any]


class Question(NamedTuple):
    """What is asked before an answer is stored: one sentence, and the ways to answer it, the likeliest first."""

    words: str
    ways: tuple[Way, ...]


class Line(NamedTuple):
    """An identity that the line may have."""

    identity: str
    redshift: float
    redshift_err: float = NAN


MOST_LINES = 2
"""Identities that are offered, so that the question stays short."""


def question(answer: Answer, lines: Sequence[Line] = ()) -> Question | None:
    """What must be asked before this answer can be stored; None where it can be.

    Parameters
    ----------
    answer : Answer
        As it would be stored.
    lines : sequence of Line
        What the line may be, the most probable first.
    """
    found, lacking = conflicts(answer), gap(answer)
    if not found and not lacking:
        return None
    words = f"{'; '.join(each.why for each in found) or VERDICTS[answer.verdict or 1].name + ', ' + lacking}: "
    fields = {each.field for each in found}
    which = lacking or fields & {"identity", "redshift"}
    asked = "which line is it?" if which and answer.verdict in (1, 2) else "which is meant?"
    ways: list[Way] = []
    for way in _ways(answer, fields, lines):
        made = replace(answer, **way.fields, imported_class=None)
        if not conflicts(made) and not gap(made) and way.words not in [each.words for each in ways]:
            ways.append(way)
    return Question(words + asked, tuple(ways[:4]))


def _ways(answer: Answer, fields: set[str], lines: Sequence[Line]) -> list[Way]:
    verdict = answer.verdict or 0
    name = VERDICTS[verdict].name
    said = group(verdict)
    nothing = {**NO_IDENTITY, "label": "", "quality": 0}
    if said not in ("real", "continuum"):
        bare = Way(f"{name}, nothing else", {**nothing, "quality": None if verdict == CANNOT_TELL else 0})
        return [bare, *_as_real(answer, lines)]
    quality = {"quality": 1} if answer.quality == 0 else {}
    low = {"quality": 1 if answer.quality == 0 else min(answer.quality or 0, UNIDENTIFIED) or None}
    found = []
    if said == "real" and (not fields or fields & {"identity", "redshift"}):
        found += [_as_line(answer, line, quality) for line in lines if line.identity in LINES][:MOST_LINES]
        words = "a line of unknown identity" + (f", quality {low['quality']}" if low["quality"] else "")
        found.append(Way(words, {**NO_IDENTITY, **low}))
    if fields == {"quality"}:
        found.append(Way(f"{name}, quality 1", quality))
    if "label" in fields:
        found.append(Way(f"{line_name(answer.identity) or name} without the kind", {"label": "", **quality}))
        found.append(Way(f"{answer.label} without the identity", {**NO_IDENTITY, **low}))
    if answer.identity == "star":
        star = {"label": "star", "redshift": NAN, "redshift_err": NAN, "quality": answer.quality or 1}
        found.append(Way("a star, continuum source", {"verdict": 3, **star}))
    found.append(Way("artifact", {**nothing, "verdict": 11}) if answer.identity == "artifact" else _NOISE_WAY)
    return [*found, Way(f"{name}, nothing else", {**NO_IDENTITY, "label": "", **low})]


_NOISE_WAY = Way("noise", {**NO_IDENTITY, "label": "", "verdict": 10, "quality": 0})


def _as_line(answer: Answer, line: Line, quality: dict[str, Any]) -> Way:
    fits = line.identity not in LABEL_EXCLUDES.get(answer.label, ())
    fits = fits and not (answer.label in NEAR_LABELS and line.redshift > DISTANT)
    fields = {**line._asdict(), **quality, **({} if fits else {"label": ""})}
    z = f" z {line.redshift:.4f}" if isfinite(line.redshift) else ""
    return Way(f"{line_name(line.identity)}{z}", fields)


def _as_real(answer: Answer, lines: Sequence[Line]) -> list[Way]:
    """An emission line after all, where a person set what only a line has."""
    own = Line(answer.identity, answer.redshift, answer.redshift_err)
    graded = {"verdict": 1, "quality": answer.quality if answer.quality not in (0, None) else None}
    if answer.identity in LINES:
        return [Way(f"emission line, {way.words}", {**way.fields, **graded}) for way in [_as_line(answer, own, {})]]
    if isfinite(answer.redshift):
        return [Way(f"emission line, z {answer.redshift:.4f}", {"identity": "", "label": "", **graded})]
    if answer.label:
        return [Way(f"continuum source, {answer.label}", {**NO_IDENTITY, "verdict": 3, "quality": None})]
    return [Way("emission line", {**NO_IDENTITY, "label": "", "verdict": 1, "quality": None})]


def unsafe(answer: Answer) -> bool:
    """Whether an answer calls something real and contradicts itself, so that it says nothing that can be counted on."""
    return bool(group(answer.verdict) in ("real", "continuum") and conflicts(answer))
