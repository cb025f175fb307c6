"""Every identity of the main line tried on the spectrum: redshift, published score, likelihood, companions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets.classification import likelihood, published, scores, templates
from elixer_widgets.classification.companions import (
    BROAD_FWHM,
    Companion,
    Places,
    companions,
    describe,
    is_broad,
    lsf,
    measure_places,
    velocity_width,
    width_class,
)
from elixer_widgets.detection import NAN, Spectrum
from elixer_widgets.spectra.continuum import ContinuumEstimate, wide_continuum
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, Line, redshift_of

__all__ = [
    "BROAD_FWHM",
    "MIN_REDSHIFT",
    "Companion",
    "Solution",
    "companions",
    "is_broad",
    "most_likely",
    "solve",
    "velocity_width",
]

MAX_REDSHIFT = 20.0
"""No galaxy is known beyond."""

MIN_REDSHIFT = -0.001


@dataclass(frozen=True)
class Solution:
    """One identity tried for the main line.

    `score` and `fraction` are the published quantities (sum of line scores, share of the total); `accepted` is the
    published rule (more than half of the total and above the minimum). `log_likelihood` is ours: the natural logarithm
    of the likelihood of what is seen at the places of the companions, of galaxies' absorption lines and of the Lyα
    forest, given this identity and the width of the main line, over that of nothing being there. Differences between
    identities are what counts. `identity` is "other" where the line is not the anchor of an identity.
    """

    identity: str
    line: str
    rest_wavelength: float
    redshift: float
    score: float
    fraction: float
    accepted: bool
    companions: tuple[Companion, ...] = ()
    log_likelihood: float = NAN
    log_share: float = 0.0


def most_likely(solutions: Sequence[Solution]) -> Solution | None:
    """The best solution by the spectrum's lines alone: of the largest `log_likelihood` + `log_share`; None without any.

    Neither equivalent width, line width, magnitudes nor the number of galaxies enter: for these see the posterior.
    """
    return max(solutions, key=lambda each: each.log_likelihood + each.log_share, default=None)


def _hypotheses(fit: LineFit) -> list[tuple[Line, float]]:
    """The lines that the main line may be, with the redshift if it is."""
    anchors = [each for each in LINES.values() if each.absorption == fit.is_absorption]
    shifted = [(anchor, float(redshift_of(fit.center, anchor))) for anchor in anchors]
    return [(anchor, max(z, 0.0)) for anchor, z in shifted if z > MIN_REDSHIFT]


def solve(
    spectrum: Spectrum, line_fit: LineFit, lines: Sequence[LineFit] = (), *, wide: ContinuumEstimate | None = None
) -> tuple[Solution, ...]:
    """Try every identity for the main line.

    Parameters
    ----------
    spectrum : Spectrum
    line_fit : LineFit
        The main line.
    lines : sequence of LineFit
        Every line found in the spectrum; those that an identity leaves unexplained lower its published score.
    wide : ContinuumEstimate, optional
        The wide continuum under the line, if it is known already.

    Returns
    -------
    tuple of Solution
        Every line of the list whose redshift is possible, best published score first; among equal scores the larger
        likelihood first. Empty if the main line was not measured.
    """
    if not np.isfinite(line_fit.center):
        return ()
    hypotheses = _hypotheses(line_fit)
    if not hypotheses:
        return ()
    width = width_class(line_fit, lsf(spectrum))
    places = measure_places(spectrum, line_fit, hypotheses, formal=True)
    if wide is None:
        wide = wide_continuum(spectrum, line_fit.center, lines)
    back = published.Background.of(spectrum, line_fit, lines, wide)
    likelihoods = _likelihoods(spectrum, line_fit, lines, hypotheses, places, width)
    rated = [(rating, float(likelihoods[i]), i) for i, rating in enumerate(published.rate(back, places, hypotheses))]
    total = sum(each.score for each, *_ in rated)
    rated.sort(key=lambda entry: (-entry[0].score, -entry[1]))
    out = []
    for rank, (rating, log_likelihood, i) in enumerate(rated):
        anchor, z = hypotheses[i]
        fraction = rating.score / total if total > 0 else 0.0
        runner_up = rated[0][0].score if rank else rated[1][0].score if len(rated) > 1 else 0.0
        scale = scores.scaled_score(rating.score, fraction, rating.values)
        measured = describe(places, i, line_fit, anchor, width > 0)
        if rating.parts:
            measured = tuple(replace(m, score=rating.parts[m.line]) if m.line in rating.parts else m for m in measured)
        out.append(
            Solution(
                identity=anchor.name if anchor.name in IDENTITY_LINES else "other",
                line=anchor.name,
                rest_wavelength=anchor.vacuum,
                redshift=z,
                score=rating.score,
                fraction=fraction,
                accepted=bool(scores.accepted(rating.score, fraction, runner_up, scale)),
                companions=measured,
                log_likelihood=log_likelihood,
                log_share=templates.log_share(anchor.name, width),
            )
        )
    return tuple(out)


def _likelihoods(
    spectrum: Spectrum,
    fit: LineFit,
    lines: Sequence[LineFit],
    hypotheses: Sequence[tuple[Line, float]],
    places: Places,
    width: int,
) -> np.ndarray:
    """ln of the likelihood of every hypothesis, shape (hypotheses,)."""
    anchors, redshifts = [anchor for anchor, _ in hypotheses], np.array([z for _, z in hypotheses])
    level = likelihood.continuum_level(spectrum)
    ripple = likelihood.ripple(places, level)
    out = np.array(
        [
            likelihood.companion_gain(
                fit, anchor, places.wavelength[i], places.flux[i], places.err[i], ripple[i], width
            )
            for i, anchor in enumerate(anchors)
        ]
    )  # fmt: skip
    if fit.is_absorption:
        return out
    out += likelihood.absorption_gain(spectrum, anchors, redshifts, level)
    return out + likelihood.forest_gain(spectrum, lines, redshifts)
