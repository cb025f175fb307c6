"""The published multi-line score: ELiXer's line score, its chance of noise, and the rule of acceptance.

These are the quantities behind the catalogue's `multiline_*` columns. They favour bright lines whatever the noise is,
and are no probabilities; `Solution.log_likelihood` is the measure to reason with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

MIN_SCORE = 3.0
MIN_COMPANION_SCORE = 2.4
MIN_SOLUTION_SCORE = 25.0
MIN_FRACTION = 0.5
MIN_LEAD = 1.5
MIN_SCALE = 0.93
"""The published rule: score, fraction of the total, ratio to the runner-up, and scaled score."""

BONUS = 5.0
"""Half of (n² - n) times this is added for n companions in emission."""

_NOISE_SCORES = np.arange(2.5, 17.0, 1.0)
_NOISE_CHANCE = np.array(
    [0.3778, 0.2696, 0.1664, 0.0905, 0.0469, 0.0228, 0.0107, 0.0073, 0.0033, 0.0023, 0.001, 0.0005, 0.0005, 0.0002,
     0.0002]
)  # fmt: skip


def line_quality(snr: float, chi2: float) -> float:
    """Between 0 and 1: how much a line is trusted. χ² counts at middling signal to noise only."""
    if snr <= 4.0:
        return max(0.0, (snr - 1.0) / 5.0)
    return min(1.0, 2.5 / chi2) if snr <= 8.0 and chi2 > 0.0 else 1.0


def line_score(
    snr: ArrayLike, sigma: ArrayLike, flux: ArrayLike, peak_to_noise: ArrayLike, offset: ArrayLike = 0.0
) -> np.ndarray:
    """Score of a line from its signal to noise, σ (Å), flux (erg/s/cm²), height over noise, and offset (Å).

    min(SNR, 20) · min(peak/noise/5, 3) · flux/1e-16 · min(σ/2, 1) / (1 + |offset|/2), at most 100; offsets within
    8 Å do not count. 0 for SNR <= 3, σ <= 1 Å, or FWHM >= 130 Å.
    """
    off = np.abs(np.asarray(offset, dtype=float))
    off = np.where(off <= 8.0, 0.0, off)
    with np.errstate(invalid="ignore", over="ignore"):
        score = (
            np.minimum(snr, 20.0)
            * np.minimum(np.asarray(peak_to_noise) / 5.0, 3.0)
            * (np.abs(flux) / 1e-16)
            * np.minimum(np.asarray(sigma) / 2.0, 1.0)
            / (1.0 + off / 2.0)
        )
        valid = (np.asarray(snr) > 3.0) & (np.asarray(sigma) > 1.0) & (np.asarray(sigma) * 2.355 < 130.0)
    return np.where(valid & np.isfinite(score), np.clip(score, 0.0, 100.0), 0.0)


def chance_of_noise(score: np.ndarray) -> np.ndarray:
    """Probability that noise alone makes a line of this score, from ELiXer's table (steps of 1 from 2.5)."""
    score = np.asarray(score, dtype=float)
    nearest = np.clip(np.round(score - 2.5), 0, _NOISE_SCORES.size - 1).astype(int)
    return np.where(score < 2.0, 0.98, _NOISE_CHANCE[nearest])


def scaled_score(score: float, fraction: float, companion_scores: np.ndarray) -> float:
    """0.4 P(real) + 0.5 min(1, score/50) + 0.1 fraction, P(real) from the companions (0 without any)."""
    real = 0.0
    if companion_scores.size:
        real = min(1.0 - float(np.prod(chance_of_noise(companion_scores))), 0.999)
    return 0.4 * real + 0.5 * min(1.0, score / 50.0) + 0.1 * fraction


def accepted(score: float, fraction: float, runner_up: float, scale: float) -> bool:
    """The published rule: more than half of the total, above the minimum, well ahead of the second, and scaled high."""
    return (
        score >= MIN_SOLUTION_SCORE and fraction > MIN_FRACTION and score > MIN_LEAD * runner_up and scale >= MIN_SCALE
    )


def bonus(n_companions: int) -> float:
    """What n companions in emission add to the sum of their scores."""
    return 0.5 * (n_companions**2 - n_companions) * BONUS
