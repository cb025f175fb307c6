"""What an inspector may answer: one registry from which keys, guidance, tables and exports are made.

Reasons, labels, classes and counterparts are those of the HETDEX classification widget, with their numbers; quality is
on the scale of the DESI visual inspections (Lan et al. 2023, ApJ 943, 68), in the words of this field.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Choice:
    """One possible answer: its number on disk, its name, and the guideline in a sentence."""

    code: int
    name: str
    guideline: str


def _table(*rows: tuple[int, str, str]) -> dict[int, Choice]:
    return {code: Choice(code, name, guideline) for code, name, guideline in rows}


CANNOT_TELL = 90
"""The one reason that the HETDEX widget does not have."""

VERDICTS = _table(
    (1, "emission line", "A line of an astronomical source: in more than one exposure, with the shape of the "
     "instrument's resolution or wider, and where its source is."),
    (2, "absorption line", "A real dip in a real continuum."),
    (3, "continuum source", "Light of a star or galaxy; what was taken for a line is a wiggle of its continuum."),
    (4, "no line", "Neither a line nor a feature of a continuum, and none of the reasons below."),
    (10, "noise", "A false positive: a fluctuation with no shape, in one exposure or one fiber only."),
    (11, "artifact", "Of the instrument, and none of the kinds below."),
    (12, "interference", "A regular pattern over many columns or fibers."),
    (13, "sky line", "At a line of the night sky, in many fibers at once."),
    (14, "bad sky subtraction", "A step or slope that neighbouring fibers share."),
    (15, "cosmic ray", "In one exposure only, sharper than the resolution, often at an angle across fibers."),
    (16, "charge trap", "A dark column followed by a bright one, or a deficit along one column."),
    (17, "stuck pixel", "A single pixel, the same in every exposure."),
    (18, "hot pixel or column", "A bright pixel or column, the same in every exposure."),
    (19, "diffraction", "A spike or ring of a bright star."),
    (CANNOT_TELL, "cannot tell", "The data are missing or damaged; somebody else, or other data, must decide."),
)  # fmt: skip

QUALITIES = _table(
    (4, "secure", "Two or more secure features, so that no other identity is possible."),
    (3, "probable", "One secure feature, and something that supports it: a resolved doublet, a fitting counterpart."),
    (2, "one strong feature", "One strong feature whose identity is uncertain. A lone Lyα line is honestly this, at "
     "most 3 with support; without a second feature it is never 4."),
    (1, "signal", "There is a signal, but no identity can be given."),
    (0, "nothing", "Nothing is there."),
)  # fmt: skip

LABELS = ("AGN", "gal", "LAB", "LzG", "meteor", "PNe", "sat", "star", "WD")
"""Kinds of object, as the HETDEX widget names them."""

COUNTERPARTS = _table(
    (0, "not visible", "No image shows the source of the line."),
    (1, "aperture", "The source is what the aperture measures."),
    (2, "blue", "The first catalogue object, drawn blue in the report."),
    (3, "red", "The second catalogue object, drawn red in the report."),
    (4, "green", "The third catalogue object, drawn green in the report."),
    (99, "other", "Another catalogue object."),
)

VIS_CLASSES = _table(
    (-1, "artifact", ""), (1, "noise", ""), (2, "likely noise", ""), (3, "maybe distant", ""),
    (4, "likely distant", ""), (5, "distant galaxy", ""), (11, "nearby galaxy", ""), (12, "star or meteor", ""),
)  # fmt: skip
"""The single class that the HETDEX widget stores; 0 is unset."""

_STARS = frozenset({"star", "WD", "meteor", "sat"})
_NEARBY = frozenset({"LzG", "PNe"})
_DISTANT_LINES = frozenset({"Lya", "CIV", "CIII", "HeII"})
_NEARBY_LINES = frozenset({"OII", "OIII", "Hb", "Hg", "MgII"})
DISTANT = 1.0
"""Redshift above which a galaxy counts as distant: between that of [O II] at 5540 Å (0.49), of Mg II there (0.98) and
of Lyα at 3470 Å (1.85)."""


def vis_class(verdict: int | None, quality: int | None, label: str = "", identity: str = "", z: float = 0.0) -> int:
    """The single class of the HETDEX widget that says what the three answers say.

    Parameters
    ----------
    verdict : int or None
        One of `VERDICTS`; None where there is none yet.
    quality : int or None
        One of `QUALITIES`.
    label, identity : str
        One of `LABELS`, one of `classification.posterior.IDENTITIES`; empty for none.
    z : float
        Redshift; NaN for none.

    Returns
    -------
    int
        One of `VIS_CLASSES`, 0 where there is no verdict.

    Notes
    -----
    A line without identity and redshift counts as distant as its quality is high, which is all the single class says.
    """
    if verdict is None or verdict == CANNOT_TELL:
        return 0
    if 11 <= verdict <= 19:
        return -1
    if verdict in (4, 10):
        return 2 if quality else 1
    if label in _STARS or identity == "star":
        return 12
    if label in _NEARBY or (identity in _NEARBY_LINES and not (isfinite(z) and z > DISTANT)):
        return 11
    known = identity in _DISTANT_LINES or (isfinite(z) and z > DISTANT)
    if verdict == 3 and not known and label not in ("AGN", "LAB"):
        return 11
    if not known and isfinite(z) and z > 0.0:
        return 11
    return {4: 5, 3: 5, 2: 4, 1: 3, 0: 2}.get(1 if quality is None else quality, 3)


_OF_CLASS: dict[int, tuple[int, int | None, str]] = {
    -1: (11, None, ""),
    1: (10, 0, ""),
    2: (10, 1, ""),
    3: (1, 1, ""),
    4: (1, 2, ""),
    5: (1, 3, ""),
    11: (3, None, "LzG"),
    12: (3, None, "star"),
}


def from_vis_class(code: int) -> tuple[int | None, int | None, str]:
    """Verdict, quality and label that say what a class of the HETDEX widget says; (None, None, "") for unset.

    The inverse of `vis_class` as far as there is one: no identity is put into anybody's mouth.
    """
    return _OF_CLASS.get(code, (None, None, ""))


def group(verdict: int | None) -> str:
    """What a verdict says about the detection, coarsely: "real", "continuum", "noise", "artifact", or "" for none."""
    if verdict is None or verdict == CANNOT_TELL:
        return ""
    if verdict in (1, 2):
        return "real"
    if verdict == 3:
        return "continuum"
    return "artifact" if 11 <= verdict <= 19 else "noise"
