"""A probability for every identity, and the evidence it rests on."""

from __future__ import annotations

from dataclasses import dataclass

IDENTITIES: tuple[str, ...] = (
    "Lya", "OII", "OIII", "Hb", "Hg", "CIV", "CIII", "HeII", "MgII", "other", "star", "artifact", "noise",
)  # fmt: skip

LABELS: dict[str, str] = {
    "Lya": "Lyα", "OII": "[O II]", "OIII": "[O III]", "Hb": "Hβ", "Hg": "Hγ", "CIV": "C IV", "CIII": "C III]",
    "HeII": "He II", "MgII": "Mg II", "other": "other line", "star": "star",
    "artifact": "artifact", "noise": "noise",
}  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What one piece of evidence adds to the log odds of Lyα against all else.

    `log_odds` is natural logarithm, positive for Lyα; the pieces add up to the log odds of `p_lya`.
    `words` says it for a person.
    """

    name: str
    log_odds: float
    words: str
