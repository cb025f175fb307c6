"""Scores of probabilities and of samples, by the truth."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from calibration_answers import EQUIVALENT_WIDTH_CUT, Answers

from elixer_widgets.classification.posterior import IDENTITIES

FLOOR = 1e-6  # a probability of 0 costs no more than that


@dataclass(frozen=True)
class Bin:
    """Probabilities between two limits: how many, their mean, and the share of them that came true with its error."""

    low: float
    high: float
    count: int
    mean: float
    share: float
    error: float


def reliability(p: np.ndarray, true: np.ndarray, edges: np.ndarray) -> list[Bin]:
    """What came true of probabilities `p` in each bin; empty bins are left out.

    Errors are binomial, see `binomial_error`.
    """
    found = []
    for low, high in itertools.pairwise(edges):
        inside = (p >= low) & ((p < high) if high < edges[-1] else (p <= high))
        n = int(inside.sum())
        if n:
            k = int(true[inside].sum())
            found.append(Bin(float(low), float(high), n, float(p[inside].mean()), k / n, binomial_error(k / n, n)))
    return found


def binomial_error(share: float, n: int) -> float:
    """Error of a share of n, as if there were one more of either sort (Laplace), so that it is never 0."""
    smooth = (share * n + 1.0) / (n + 2.0)
    return float(np.sqrt(smooth * (1.0 - smooth) / max(n, 1)))


def calibration_error(p: np.ndarray, true: np.ndarray, bins: int = 10) -> float:
    """Mean |probability - share that came true| over bins of equal width, weighted by counts."""
    rows = reliability(p, true, np.linspace(0.0, 1.0, bins + 1))
    return sum(row.count * abs(row.mean - row.share) for row in rows) / p.size


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean -ln of the probability of what is true; rows by IDENTITIES."""
    index = np.array([IDENTITIES.index(name) for name in truth])
    return float(-np.log(np.maximum(probabilities[np.arange(truth.size), index], FLOOR)).mean())


def brier(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean Σ (probability - 1 if true)² over identities, 0 to 2."""
    hit = np.array(IDENTITIES)[None, :] == truth[:, None]
    return float(((probabilities - hit) ** 2).sum(axis=1).mean())


def binary_log_loss(p: np.ndarray, true: np.ndarray) -> float:
    """Mean -ln of the probability of what is true, of yes and no."""
    right = np.where(true, p, 1.0 - p)
    return float(-np.log(np.maximum(right, FLOOR)).mean())


def binary_brier(p: np.ndarray, true: np.ndarray) -> float:
    """Mean (probability - 1 if true)²."""
    return float(((p - true) ** 2).mean())


@dataclass(frozen=True)
class Sample:
    """A sample of Lyα emitters that a rule picks.

    `size`; `completeness`, the share of true Lyα in it; `by_oii`, `by_false`, `by_other`: shares of the sample that are
    [O II]; noise, artifacts and stars; other lines. Among true Lyα and [O II] only: `accuracy`, the share told right,
    and `mixed`, the share of [O II] in what is taken for Lyα; `lya`, `oii` how many there are.
    """

    size: int
    completeness: float
    by_oii: float
    by_false: float
    by_other: float
    accuracy: float
    mixed: float
    lya: int
    oii: int

    @property
    def mixed_error(self) -> float:
        """Binomial error of `mixed`."""
        return binomial_error(self.mixed, self.size)

    @property
    def accuracy_error(self) -> float:
        """Binomial error of `accuracy`."""
        return binomial_error(self.accuracy, self.lya + self.oii)

    @property
    def completeness_error(self) -> float:
        """Binomial error of `completeness`."""
        return binomial_error(self.completeness, self.lya)


FALSE = ("noise", "artifact", "star")


def sample(truth: np.ndarray, chosen: np.ndarray) -> Sample:
    """Score the sample `chosen` (boolean)."""
    lya, oii = truth == "Lya", truth == "OII"
    false = np.isin(truth, FALSE)
    size = int(chosen.sum())
    of = max(size, 1)
    pair = lya | oii
    return Sample(
        size,
        float(chosen[lya].mean()) if lya.any() else np.nan,
        float((chosen & oii).sum()) / of,
        float((chosen & false).sum()) / of,
        float((chosen & ~lya & ~oii & ~false).sum()) / of,
        float((chosen == lya)[pair].mean()) if pair.any() else np.nan,
        float((chosen & oii).sum()) / max(int((chosen & pair).sum()), 1),
        int(lya.sum()),
        int(oii.sum()),
    )


def rules(answers: Answers) -> dict[str, np.ndarray]:
    """What each rule takes for Lyα."""
    lya, oii = answers.p("Lya"), answers.p("OII")
    return {
        "this package, P(Lyα) > 0.5": lya > 0.5,
        "this package, P(Lyα) > P([O II])": lya > oii,
        "voting rules of ELiXer, P(Lyα) > 0.5": answers.votes > 0.5,
        "P(LAE)/P(OII) > 1": answers.ratio > 1.0,
        "rest equivalent width > 20 Å": answers.width > EQUIVALENT_WIDTH_CUT,
    }


def reweighted(probabilities: np.ndarray, factors: dict[str, float]) -> np.ndarray:
    """The probabilities with the prior of some identities multiplied, as if their numbers had been thought so."""
    scale = np.array([factors.get(name, 1.0) for name in IDENTITIES])
    changed = probabilities * scale
    return changed / changed.sum(axis=1, keepdims=True)
