"""What each piece of evidence adds to the odds, so that the pieces add up to the whole.

The pieces multiply likelihoods, but odds against "all else" are not a product: what a piece adds depends on what was
taken before it. Each gets its average over all orders (Shapley 1953, Contributions to the Theory of Games 2, 307),
the prior always first; that adds up exactly, and no piece is small because it came last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np


@dataclass(frozen=True)
class Evidence:
    """What one piece of evidence adds to the log odds of Lyα against all else, or of one identity against another.

    `log_odds` is natural logarithm, positive for the former; the pieces add up to the log odds of the probabilities.
    `words` says it for a person.
    """

    name: str
    log_odds: float
    words: str


@dataclass(frozen=True, eq=False)
class Factor:
    """One piece of evidence: ln of its likelihood for each kind (shape of `KINDS`), and what it says."""

    name: str
    log_likelihood: np.ndarray
    words: str


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


def attribute(factors: Sequence[Factor], chosen: np.ndarray, against: np.ndarray, total: float) -> tuple[Evidence, ...]:
    """The contribution of each factor to the log odds.

    Parameters
    ----------
    factors : sequence of Factor
        The prior first.
    chosen, against : array of bool, shape of the factors' likelihoods
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
    odds = log_sum(weights[:, chosen]) - log_sum(weights[:, against])
    parts = np.concatenate([odds[:1], odds @ shares])
    excess = total - float(odds[-1])
    pulling = np.maximum(parts, 0.0) if excess < 0 else np.minimum(parts, 0.0)
    if excess != 0 and pulling.sum() != 0:
        parts = parts + excess * pulling / pulling.sum()
    return tuple(Evidence(each.name, float(part), each.words) for each, part in zip(factors, parts, strict=True))
