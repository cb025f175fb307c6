"""What each piece of evidence adds to the odds, so that the pieces add up to the whole.

The pieces multiply likelihoods, but odds against "all else" are not a product: what a piece adds depends on what was
taken before it. Each gets its average over all orders (Shapley 1953, Contributions to the Theory of Games 2, 307),
the prior always first; that adds up exactly, and no piece is small because it came last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import factorial

import numpy as np

FULL_BAR = 6.0
"""Natural log odds (400 to 1) of a bar that fills its side; longer ones are cut and say so, their number is not."""

SLIGHT, STRONG = 1.0, 3.0
"""Natural log odds from which a piece speaks plainly, and strongly."""


@dataclass(frozen=True)
class Evidence:
    """What one piece of evidence adds to the log odds of Lyα against all else, or of one identity against another.

    `log_odds` is natural logarithm, positive for the former; the pieces add up to the log odds of the probabilities.
    `words` begin with `direction` of that very number, and then say what was seen.
    """

    name: str
    log_odds: float
    words: str


@dataclass(frozen=True, eq=False)
class Factor:
    """One piece of evidence: ln of its likelihood for each kind (shape of `KINDS`), and what was seen.

    `words` name facts and no direction: which way they pull is known once the pieces are weighed together. `of` holds
    other facts in their place where an identity's own decide.
    """

    name: str
    log_likelihood: np.ndarray
    words: str
    of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Odds:
    """Two sides of odds: which kinds make up either, their labels, and the identity and label of every kind."""

    chosen: np.ndarray
    against: np.ndarray
    label: str
    other: str
    identities: Sequence[str]
    labels: Mapping[str, str]


def direction(log_odds: float, label: str = "Lyα", other: str = "") -> str:
    """Which way a number pulls and how hard, as it is shown with one decimal.

    Parameters
    ----------
    log_odds : float
        Natural logarithm, positive for `label`.
    label : str
        What the odds are of.
    other : str
        What they are against; empty for all else.
    """
    shown = round(log_odds, 1)
    if not shown:
        return "says nothing"
    how = "strongly " if abs(shown) >= STRONG else "" if abs(shown) >= SLIGHT else "slightly "
    if shown > 0:
        return f"{how}for {label}" + (f", against {other}" if other else "")
    return f"{how}against {label}" + (f", for {other}" if other else "")


def said(log_odds: float, facts: str, label: str = "Lyα", other: str = "") -> str:
    """What a piece says, from its number, and what was seen."""
    told = direction(log_odds, label, other)
    return f"{told}: {facts}" if facts else told


def log_sum(values: np.ndarray) -> np.ndarray:
    """ln Σ exp over the last axis. scipy's own is exact in more cases and ten times slower on short
    arrays."""
    top = np.max(values, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(values - top), axis=-1)) + top[..., 0]


@lru_cache(maxsize=16)
def _subsets(n: int) -> tuple[np.ndarray, np.ndarray]:
    """All subsets of n pieces as rows of 0 and 1, and what the log odds of each weigh in each piece's average."""
    member = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    size = member.sum(axis=1, keepdims=True)
    weight = np.array([factorial(k) * factorial(n - 1 - k) / factorial(n) for k in range(n)] + [0.0])
    # With the piece it counts for, by the size of what was there before; without it against
    shares = np.where(member == 1, weight[size - 1], -weight[size])
    return member.astype(float), shares


def _own(factor: Factor, weight: np.ndarray, members: np.ndarray) -> float:
    """ln of a factor's likelihood for several kinds together, which weigh as all factors have it."""
    at = weight[members]
    return float(log_sum(at + factor.log_likelihood[members]) - log_sum(at))


def _rival(amount: float, factor: Factor, weight: np.ndarray, odds: Odds) -> str:
    """The identity against which, or for which, a factor says most, as its amount has it; empty if there is none."""
    if not round(amount, 1):
        return ""
    own, chosen = factor.log_likelihood, _own(factor, weight, odds.chosen)
    pulls = odds.against & ((own > chosen + 0.05) if amount < 0 else (own < chosen - 0.05))
    if not pulls.any():
        return ""
    # what weighs most: with this factor where it is argued for, without it where it is argued away
    strength = np.where(pulls, weight if amount < 0 else weight - own, -np.inf)
    return odds.identities[int(np.argmax(strength))]


def _facts(factor: Factor, amount: float, rival: str, weight: np.ndarray, odds: Odds) -> str:
    """What was seen, of the rival or of the chosen identity: whichever moves the odds that way, and the more."""
    chosen = odds.identities[int(np.argmax(odds.chosen))]
    if not factor.of:
        return factor.words
    sign, pull = (1.0 if amount > 0 else -1.0), {chosen: 0.0, rival: 0.0}
    pull[chosen] = sign * _own(factor, weight, odds.chosen)
    if rival:
        pull[rival] = -sign * _own(factor, weight, np.array([each == rival for each in odds.identities]))
    for name in sorted(pull, key=lambda name: -pull[name]):
        if name in factor.of:
            return factor.of[name]
    return factor.words


def attribute(factors: Sequence[Factor], odds_of: Odds, total: float) -> tuple[Evidence, ...]:
    """The contribution of each factor to the log odds.

    Parameters
    ----------
    factors : sequence of Factor
        The prior first.
    odds_of : Odds
        Which kinds make up either side of the odds.
    total : float
        The log odds that the contributions shall add up to: those of the model, or less where doubt about the model
        bounds them. What is held back is taken from the pieces that pull that way, in proportion.

    Returns
    -------
    tuple of Evidence
        In the order of `factors`.
    """
    first, rest = factors[0], factors[1:]
    member, shares = _subsets(len(rest))
    weights = first.log_likelihood + member @ np.array([each.log_likelihood for each in rest]).reshape(
        len(rest), first.log_likelihood.size
    )
    odds = log_sum(weights[:, odds_of.chosen]) - log_sum(weights[:, odds_of.against])
    parts = np.concatenate([odds[:1], odds @ shares])
    excess = total - float(odds[-1])
    pulling = np.maximum(parts, 0.0) if excess < 0 else np.minimum(parts, 0.0)
    if excess != 0 and pulling.sum() != 0:
        parts = parts + excess * pulling / pulling.sum()
    return tuple(_told(each, float(part), weights[-1], odds_of) for each, part in zip(factors, parts, strict=True))


def _told(factor: Factor, amount: float, weight: np.ndarray, odds: Odds) -> Evidence:
    """A piece with its number and the words that follow from it."""
    rival = _rival(amount, factor, weight, odds)
    facts = _facts(factor, amount, rival, weight, odds)
    other = odds.other or (odds.labels.get(rival, rival) if rival else "")
    return Evidence(factor.name, amount, said(amount, facts, odds.label, other))
