"""Agreement beyond chance: Cohen's and Fleiss' kappa with intervals, and tables of who said what."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import NormalDist

import numpy as np

from elixer_widgets.detection import NAN, DataError

LEVEL = 0.95
"""Of the intervals."""


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance: 1 is perfect, 0 that of chance, NaN where nothing can be said.

    Attributes
    ----------
    value, error : float
        `error` is the standard error.
    low, high : float
        95 % interval, within -1 to 1.
    observed, expected : float
        Share of agreement, and that by chance.
    subjects, raters : int
    """

    value: float
    error: float
    low: float
    high: float
    observed: float
    expected: float
    subjects: int
    raters: int


def _kappa(value: float, error: float, observed: float, expected: float, subjects: int, raters: int) -> Kappa:
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2.0) * error
    low, high = max(value - reach, -1.0), min(value + reach, 1.0)
    return Kappa(value, error, low, high, observed, expected, subjects, raters)


def cohen_kappa(table: np.ndarray, weights: str | np.ndarray | None = None) -> Kappa:
    """Cohen's kappa of two raters.

    Parameters
    ----------
    table : array, shape (k, k)
        How many subjects the first rater put into the row's category and the second into the column's.
    weights : {None, "linear", "quadratic"} or array, shape (k, k)
        How much a pair of categories agrees, 1 on the diagonal; None counts equal ones only. "linear" and "quadratic"
        are for categories in their order, such as qualities.

    Returns
    -------
    Kappa

    Raises
    ------
    DataError
        If the table is not square.

    Notes
    -----
    Value: Cohen (1960, Educational and Psychological Measurement 20, 37); with weights: Cohen (1968, Psychological
    Bulletin 70, 213). Standard error for large samples: Fleiss, Cohen & Everitt (1969, Psychological Bulletin 72, 323).
    """
    counts = np.asarray(table, float)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise DataError(f"a table of two raters is square, not {counts.shape}")
    n, k = counts.sum(), counts.shape[0]
    if n == 0:
        return Kappa(NAN, NAN, NAN, NAN, NAN, NAN, 0, 2)
    w = _weights(k, weights)
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = float((w * p).sum()), float(rows @ w @ columns)
    if 1.0 - expected < 1e-12:
        return Kappa(NAN, NAN, NAN, NAN, observed, expected, int(n), 2)
    value = (observed - expected) / (1.0 - expected)
    mean_row, mean_column = w @ columns, rows @ w
    spread = w * (1.0 - expected) - (mean_row[:, None] + mean_column[None, :]) * (1.0 - observed)
    variance = (p * spread**2).sum() - (observed * expected - 2.0 * expected + observed) ** 2
    error = sqrt(max(float(variance), 0.0) / n) / (1.0 - expected) ** 2
    return _kappa(value, error, observed, expected, int(n), 2)


def _weights(k: int, weights: str | np.ndarray | None) -> np.ndarray:
    if weights is None:
        return np.eye(k)
    if isinstance(weights, str):
        if weights not in ("linear", "quadratic"):
            raise DataError(f"weights {weights!r} is neither 'linear' nor 'quadratic'")
        apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / max(k - 1, 1)
        return 1.0 - (apart if weights == "linear" else apart**2)
    return np.asarray(weights, float)


def fleiss_kappa(counts: np.ndarray) -> Kappa:
    """Fleiss' kappa of many raters.

    Parameters
    ----------
    counts : array, shape (n, k)
        How many raters put each subject into each category. Subjects with less than two raters say nothing and are left
        out; others may have different numbers of raters.

    Returns
    -------
    Kappa
        `raters` is the largest number of them.

    Notes
    -----
    Value: Fleiss (1971, Psychological Bulletin 76, 378), each subject's agreement being the share of its pairs of
    raters that agree. The standard error is the jackknife's over subjects (Efron & Tibshirani 1993, An Introduction
    to the Bootstrap, chapter 11): the published one holds only if there is no agreement at all.
    """
    table = np.asarray(counts, float)
    table = table[table.sum(axis=1) >= 2] if table.size else table.reshape(0, max(table.shape[-1], 1))
    n = table.shape[0]
    if n == 0:
        return Kappa(NAN, NAN, NAN, NAN, NAN, NAN, 0, 0)
    raters = table.sum(axis=1)
    agreement = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1.0))
    observed = float(agreement.mean())
    share = table.sum(axis=0) / raters.sum()
    expected = float((share**2).sum())
    if 1.0 - expected < 1e-12:
        return Kappa(NAN, NAN, NAN, NAN, observed, expected, n, int(raters.max()))
    value = (observed - expected) / (1.0 - expected)
    error = NAN
    if n > 1:
        without = (table.sum(axis=0) - table) / (raters.sum() - raters)[:, None]
        left_expected = (without**2).sum(axis=1)
        left_observed = (agreement.sum() - agreement) / (n - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = (left_observed - left_expected) / (1.0 - left_expected)
        left = left[np.isfinite(left)]
        error = sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum())) if left.size else NAN
    return _kappa(value, error, observed, expected, n, int(raters.max()))


Votes = Mapping[str, Mapping[int, Hashable]]
"""What each inspector says about each detection."""


def pair_table(
    one: Mapping[int, Hashable], other: Mapping[int, Hashable], categories: Sequence[Hashable] | None = None
) -> tuple[np.ndarray, list[Hashable]]:
    """How often two inspectors gave each pair of answers, over what both answered.

    Returns
    -------
    table : array of int, shape (k, k)
    categories : list
    """
    both = [each for each in one if each in other]
    found = list(categories) if categories is not None else _categories((one, other))
    place = {category: at for at, category in enumerate(found)}
    table = np.zeros((len(found), len(found)), int)
    for each in both:
        table[place[one[each]], place[other[each]]] += 1
    return table, found


def vote_counts(votes: Votes) -> tuple[np.ndarray, list[int], list[Hashable]]:
    """How many inspectors gave each detection each answer: (n, k) counts, detections and categories."""
    detections = list(dict.fromkeys(each for said in votes.values() for each in said))
    categories = _categories(votes.values())
    row = {each: at for at, each in enumerate(detections)}
    column = {each: at for at, each in enumerate(categories)}
    counts = np.zeros((len(detections), len(categories)), int)
    for said in votes.values():
        for each, category in said.items():
            counts[row[each], column[category]] += 1
    return counts, detections, categories


def pairwise(votes: Votes, weights: str | None = None) -> dict[tuple[str, str], Kappa]:
    """Cohen's kappa of every two inspectors."""
    categories = _categories(votes.values())
    return {
        (one, other): cohen_kappa(pair_table(votes[one], votes[other], categories)[0], weights)
        for one, other in combinations(sorted(votes), 2)
    }


def _categories(votes: Iterable[Mapping[int, Hashable]]) -> list[Hashable]:
    found = {category for said in votes for category in said.values()}
    return sorted(found, key=lambda each: (str(type(each)), each))  # type: ignore[arg-type, return-value]
