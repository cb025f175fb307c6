"""Kappas against worked examples and against simulated raters whose agreement is known."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.campaigns.agreement import cohen_kappa, fleiss_kappa, pair_table, pairwise, vote_counts
from elixer_widgets.detection import DataError

FOURTEEN_RATERS = np.array([
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
])  # fmt: skip
"""Fourteen psychiatrists, ten patients, five diagnoses: the example that texts on Fleiss' kappa work through."""

TWO_PSYCHIATRISTS = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
"""Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, table 18.1, from memory."""


def test_fleiss_worked_example() -> None:
    found = fleiss_kappa(FOURTEEN_RATERS)
    assert found.value == pytest.approx(0.210, abs=0.0005)
    assert found.observed == pytest.approx(0.378, abs=0.0005)
    assert found.expected == pytest.approx(0.213, abs=0.0005)
    assert (found.subjects, found.raters) == (10, 14)
    assert found.low < 0.210 < found.high


def test_cohen_textbook_examples() -> None:
    """Two readers of fifty proposals: 0.70 agreed, 0.50 by chance, kappa 0.40."""
    found = cohen_kappa(np.array([[20, 5], [10, 15]]))
    assert (found.observed, found.expected, found.value) == pytest.approx((0.70, 0.50, 0.40))
    assert cohen_kappa(TWO_PSYCHIATRISTS).value == pytest.approx(0.676, abs=0.0005)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_cohen_error_is_the_scatter_of_simulated_tables(weights: str | None) -> None:
    truth = np.array([[0.30, 0.05, 0.02], [0.06, 0.25, 0.04], [0.01, 0.07, 0.20]])
    whole = cohen_kappa(truth * 1e6, weights)
    generator = np.random.default_rng(20261123)
    drawn = [cohen_kappa(generator.multinomial(400, truth.ravel()).reshape(3, 3), weights) for _ in range(1500)]
    values = np.array([each.value for each in drawn])
    assert np.mean(values) == pytest.approx(whole.value, abs=0.005)
    assert np.mean([each.error for each in drawn]) == pytest.approx(values.std(), rel=0.06)
    inside = np.mean([each.low <= whole.value <= each.high for each in drawn])
    assert 0.93 < inside < 0.97


def test_fleiss_error_is_the_scatter_of_simulated_raters() -> None:
    """Five raters who see the truth with probability 0.7 and else guess; three of them rate only some subjects."""
    generator = np.random.default_rng(42)
    prior = np.array([0.5, 0.3, 0.2])
    values, errors = [], []
    for _ in range(600):
        truth = generator.choice(3, 150, p=prior)
        counts = np.zeros((150, 3), int)
        for rater in range(5):
            said = np.where(generator.random(150) < 0.7, truth, generator.choice(3, 150, p=prior))
            took_part = (generator.random(150) < 0.6) | (rater < 2)
            np.add.at(counts, (np.flatnonzero(took_part), said[took_part]), 1)
        found = fleiss_kappa(counts)
        values.append(found.value)
        errors.append(found.error)
    # two raters agree beyond chance where both saw the truth: 0.7 squared
    assert np.mean(values) == pytest.approx(0.49, abs=0.01)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_perfect_and_opposite() -> None:
    assert cohen_kappa(np.diag([5, 5, 5])).value == 1.0
    assert cohen_kappa(np.array([[0, 5], [5, 0]])).value == -1.0
    assert fleiss_kappa(np.array([[3, 0], [0, 3]])).value == 1.0
    assert np.isnan(cohen_kappa(np.array([[5, 0], [0, 0]])).value)
    assert np.isnan(fleiss_kappa(np.array([[3, 0], [2, 0]])).value)
    assert np.isnan(fleiss_kappa(np.array([[1, 0], [0, 1]])).value)


def test_unequal_weights_and_shapes() -> None:
    table = np.array([[11, 3, 1], [2, 9, 4], [0, 3, 12]])
    assert cohen_kappa(table, np.eye(3)) == cohen_kappa(table)
    assert cohen_kappa(table, "quadratic").value > cohen_kappa(table, "linear").value > cohen_kappa(table).value
    with pytest.raises(DataError, match="square"):
        cohen_kappa(np.zeros((2, 3)))
    with pytest.raises(DataError, match="linear"):
        cohen_kappa(table, "cubic")


def test_tables_of_votes() -> None:
    votes = {"ann": {1: "real", 2: "noise", 3: "real"}, "bob": {2: "noise", 3: "noise", 4: "real"}}
    table, categories = pair_table(votes["ann"], votes["bob"])
    assert categories == ["noise", "real"]
    assert table.tolist() == [[1, 0], [1, 0]]
    counts, detections, categories = vote_counts(votes)
    assert dict(zip(detections, counts.tolist(), strict=True)) == {1: [0, 1], 2: [2, 0], 3: [1, 1], 4: [0, 1]}
    assert pairwise(votes)["ann", "bob"].subjects == 2
