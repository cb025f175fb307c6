"""ELiXer's own P(Lyα): a weighted mean of votes. A baseline to compare with; no answer of this package rests on it.

The rules are those of ELiXer 1.22.5, with what is odd in them: one continuum feeds up to six votes, a rest width
divides by 2 + z, and strong evidence for [O II] in P(LAE)/P(OII) is folded about a midpoint above 1. The posterior of
`classification.posterior` has to do better than this on the same detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from elixer_widgets.classification import scores
from elixer_widgets.classification.confidence import scale
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.classification.voting_rules import (
    LYA,
    OII,
    RULES,
    Case,
    FoundLine,
    VoteInputs,
    VotingSolution,
    ramp,
)
from elixer_widgets.detection import NAN, Magnitude, Spectrum
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.continuum import CGS, ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit

__all__ = ["FILLER", "FoundLine", "Vote", "VoteInputs", "Votes", "VotingSolution", "inputs_of", "vote"]


@dataclass(frozen=True)
class Vote:
    """One vote: `rule` says `value` (1 for Lyα, 0 against) with `weight`."""

    rule: str
    value: float
    weight: float


@dataclass(frozen=True)
class Votes:
    """The mean of the votes, within 0.001 to 0.999, and the votes."""

    p_lya: float
    votes: tuple[Vote, ...]


FILLER = "too little weight"
"""Name of the vote of 0.5 that fills up the weights to 1."""


def vote(inputs: VoteInputs, threshold: float = 0.5) -> Votes:
    """P(Lyα) by ELiXer's voting rules: Σ value · weight / Σ weight.

    A baseline for comparison: this package's own answers do not rest on it.

    Parameters
    ----------
    inputs : VoteInputs
    threshold : float
        P(Lyα) from which Lyα is taken; it shifts the midpoint of the P(LAE)/P(OII) vote.

    Returns
    -------
    Votes
        Where the weights add up to less than 1, a vote of 0.5 takes the rest. The published exit that sets P to 0
        for bright, undecided sources is not made.
    """
    case = Case(inputs, threshold)
    cast = [Vote(name, *each) for name, rule in RULES.items() for each in rule(case)]
    total = sum(each.weight for each in cast)
    if total < 1.0:
        cast.append(Vote(FILLER, 0.5, 1.0 - total))
    mean = sum(each.value * each.weight for each in cast) / sum(each.weight for each in cast)
    return Votes(float(np.clip(mean, 0.001, 0.999)), tuple(cast))


# -------------------------------------------------------------------------------- the inputs from our own numbers


class _Measured(Protocol):
    """What is needed of `analysis.Measurements`."""

    @property
    def detection(self) -> Any: ...
    @property
    def spectrum(self) -> Spectrum | None: ...
    @property
    def line(self) -> LineFit: ...
    @property
    def lines(self) -> tuple[LineFit, ...]: ...
    @property
    def continuum_wide(self) -> ContinuumEstimate: ...
    @property
    def g_magnitude(self) -> Magnitude: ...
    @property
    def sources(self) -> tuple[Any, ...]: ...
    @property
    def cutouts(self) -> tuple[Any, ...]: ...
    @property
    def matches(self) -> tuple[Match, ...]: ...
    @property
    def solutions(self) -> tuple[Solution, ...]: ...


class _Interpreted(Protocol):
    """What is needed of `analysis.Interpretation`."""

    @property
    def measurements(self) -> Any: ...
    @property
    def continuum(self) -> ContinuumEstimate: ...
    @property
    def plae_poii(self) -> PlaeRatio: ...


def _cgs(estimate: ContinuumEstimate) -> tuple[float, float]:
    """Value and error in erg/s/cm²/Å; a limit stands for a measurement within a fifth, as in the rules."""
    value = estimate.value * CGS
    if estimate.is_limit:
        return value, 0.2 * value
    return value, estimate.error * CGS if np.isfinite(estimate.error) else 0.2 * value


def _score(fit: LineFit, spectrum: Spectrum) -> float:
    """Published score of a line."""
    noise = float(np.interp(fit.center, spectrum.wavelength, np.nan_to_num(spectrum.error)))
    return float(scores.line_score(fit.snr, fit.sigma, fit.flux, abs(fit.amplitude) / noise if noise > 0 else 5.0))


def _left_over(rated: Sequence[tuple[LineFit, float]], places: Sequence[tuple[float, float]]) -> float:
    """Summed score of the best five lines that lie at none of the places (Å, σ)."""
    left = [
        score
        for fit, score in rated
        if score > scores.MIN_SCORE
        and not fit.is_absorption
        and 3550.0 <= fit.center <= 5500.0
        and all(abs(fit.center - center) > max(4.0, 3.0 * sigma) for center, sigma in places)
    ]
    return float(sum(sorted(left)[-5:]))


def _solutions(m: _Measured, rated: Sequence[tuple[LineFit, float]]) -> list[VotingSolution]:
    out = []
    for each in m.solutions:
        scored = [line for line in each.companions if np.isfinite(line.score)]
        if not (each.score > 0 and scored):
            continue
        places = [(m.line.center, m.line.sigma), *((line.wavelength, line.sigma) for line in scored)]
        left = _left_over(rated, places)
        out.append(VotingSolution(each.line, each.score, each.fraction, scale(each), len(scored), left))
    return out


def _source_size(m: _Measured) -> tuple[float, float, float]:
    """Major axis over the seeing, full major and minor axis in arcsec: means over the images' selected sources."""
    seeing = {(each.survey, each.band): each.psf_fwhm for each in m.cutouts}
    chosen = [each for each in m.sources if each.selected]
    if not chosen:
        return NAN, NAN, NAN
    relative = [2.0 * each.major / seeing.get((each.survey, each.band), NAN) for each in chosen]
    known = [each for each in relative if np.isfinite(each)]
    return (
        float(np.mean(known)) if known else NAN,
        2.0 * float(np.mean([each.major for each in chosen])),
        2.0 * float(np.mean([each.minor for each in chosen])),
    )


def _photo_redshifts(matches: Sequence[Match], wavelength: float) -> list[tuple[float, float]]:
    """Photometric redshift of the selected counterpart, and Lyα and [O II] where its PDF has some mass."""
    selected = next((each.object for each in matches if each.selected), None)
    if selected is None or not np.isfinite(selected.photo_z):
        return []
    if selected.photo_z_pdf is None:
        return [(selected.photo_z, 0.1)]
    grid, density = (np.asarray(each, dtype=float) for each in selected.photo_z_pdf)
    whole = float(density.sum())
    out = []
    for z in (selected.photo_z, wavelength / OII - 1.0, wavelength / LYA - 1.0):
        area = float(density[np.abs(grid - z) <= 0.1].sum()) / whole if whole > 0 else 0.0
        if z == selected.photo_z or area >= 0.05:
            out.append((z, ramp(area, (0.05, 0.1), (0.3, 0.5))))
    return out


def inputs_of(interpretation: _Interpreted) -> VoteInputs:
    """The inputs of the rules from an `analysis.Interpretation` of ours, to judge both on the same detections.

    Where the published rules leave room, the simplest reading is taken: the size is that of the Kron ellipse, and a
    photo-z PDF votes at Lyα and [O II] from 5 % of its mass on.

    Parameters
    ----------
    interpretation : Interpretation
        With a measured main line.

    Returns
    -------
    VoteInputs
    """
    m: _Measured = interpretation.measurements
    spectrum = m.detection.spectrum if m.spectrum is None else m.spectrum
    line = m.line
    rated = [(each, _score(each, spectrum)) for each in m.lines if np.isfinite(each.flux) and each.sigma > 0]
    combined, combined_err = _cgs(interpretation.continuum)
    wide, wide_err = _cgs(m.continuum_wide) if m.continuum_wide.value > 0 else (combined, combined_err)
    ratio, low, high = interpretation.plae_poii.clipped
    size, major, minor = _source_size(m)
    return VoteInputs(
        wavelength=line.center,
        flux=line.flux,
        flux_err=line.flux_err,
        snr=line.snr,
        chi2=line.chi2 if line.chi2 > 0 else 1.0,
        sigma=line.sigma,
        sigma_err=line.sigma_err if np.isfinite(line.sigma_err) else 0.0,
        continuum=combined,
        continuum_err=combined_err,
        wide=wide,
        wide_err=wide_err,
        g=m.g_magnitude.value,
        ratio=ratio,
        ratio_low=low if np.isfinite(low) else ratio,
        ratio_high=high if np.isfinite(high) else ratio,
        size=size,
        diameter=major,
        minor=minor,
        found=tuple(
            FoundLine(score, each.flux / CGS / each.continuum if each.continuum > 0 else np.inf, each.fwhm)
            for each, score in rated
        ),
        solutions=tuple(_solutions(m, rated)),
        unmatched=_left_over(rated, [(line.center, line.sigma)]),
        photo_z=tuple(_photo_redshifts(m.matches, line.center)),
        spectrum=spectrum,
    )
