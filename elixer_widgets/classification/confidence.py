"""How sure the published rules are of a multi-line solution: scaled score and confidence."""

from __future__ import annotations

import numpy as np

from elixer_widgets.classification import scores
from elixer_widgets.classification.solutions import Solution

# The published table of confidence by scaled score; between its points linear, at the nearest of 100 steps from 0 to 1
_SCALE = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 1.0)
_CONFIDENCE = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.15, 0.45, 0.60, 0.70, 0.85, 0.90, 0.98)
_STEPS = 99


def scale(solution: Solution) -> float:
    """The published scaled score of a solution, 0 to 1; see `scores.scaled_score`."""
    parts = np.array([each.score for each in solution.companions if np.isfinite(each.score)])
    return scores.scaled_score(solution.score, solution.fraction, parts)


def confidence(scaled: float) -> float:
    """The published confidence in a solution with this scaled score, 0 to 1; a table, no calibrated probability."""
    step = round(float(np.clip(scaled, 0.0, 1.0)) * _STEPS) / _STEPS
    return float(np.interp(step, _SCALE, _CONFIDENCE))
