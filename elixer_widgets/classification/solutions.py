"""What each identity of the main line predicts, and what the spectrum shows there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets.classification import consistency, scores, templates
from elixer_widgets.classification.consistency import Member
from elixer_widgets.detection import NAN, Spectrum
from elixer_widgets.spectra.continuum import ContinuumEstimate, wide_continuum
from elixer_widgets.spectra.fitting import LineFit, forced_flux, without_lines
from elixer_widgets.spectra.lines import (
    GALAXY_RATIOS,
    IDENTITY_LINES,
    LINES,
    Line,
    Ratio,
    expected_ratio,
    redshift_of,
)
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA, sky_mask, vacuum_to_air

SPEED_OF_LIGHT = 299792.458
"""km/s."""

BROAD_FWHM = 1200.0
"""km/s; ELiXer's lower limit of a broad line."""

FOUND_SNR = 3.5
"""Forced signal to noise from which a companion counts as found."""

PUBLISHED_SNR = 3.0
"""Least signal to noise of a companion in the published score, from formal errors."""

LIMIT_SIGMA = 3.0
MIN_REDSHIFT = -0.001
MIN_SEPARATION = 5.0
"""Å; a companion closer to the main line cannot be told from it."""

SURPRISE = 3e-3
"""Chance that something unrelated (a blend, a residual of the sky) makes or hides a line at a given place: it bounds
what one companion can say for or against an identity to about 6 in natural logarithm."""

RATIO_ERROR = 0.15
"""Relative error of a forced flux against that of the main line, from width, offset and calibration."""

_VACUUM = np.array([each.vacuum for each in LINES.values()])
_OTHER_ANCHORS = ("OIII4959",)


@dataclass(frozen=True)
class Companion:
    """Another line that an identity predicts, measured at its place.

    Attributes
    ----------
    line : str
        Name in the line list, for example "OIII".
    label : str
        For people, for example "[O III] 5007".
    wavelength : float
        Where it is expected, Å observed in air.
    in_range : bool
        Whether the spectrum covers it.
    flux, flux_err : float
        Forced measurement, erg/s/cm².
    limit : float
        3σ upper limit, erg/s/cm².
    snr : float
    status : str
        "found", "missing" (expected strongly enough to have been seen), "not seen" (says nothing), "out of range".
    """

    line: str
    label: str
    wavelength: float
    in_range: bool
    flux: float = NAN
    flux_err: float = NAN
    limit: float = NAN
    snr: float = NAN
    status: str = "out of range"


@dataclass(frozen=True)
class Solution:
    """One identity tried for the main line.

    `score` and `fraction` are the published quantities (sum of line scores, share of the total); `accepted` is the
    published rule (more than half of the total and above the minimum). `log_likelihood` is ours: the natural logarithm
    of the likelihood of what is seen at the places of the companions, given this identity and the width of the main
    line, over that of nothing being there. Differences between identities are what counts.
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


# ------------------------------------------------------------------------------------------ where, and how strong


@dataclass(frozen=True)
class _Place:
    """A companion of one hypothesis: the line, where it is expected, with what width, and whether it is covered."""

    line: Line
    wavelength: float
    sigma: float
    in_range: bool
    formal_err: float = NAN


def velocity_width(fit: LineFit, lsf_sigma: float) -> float:
    """FWHM in km/s of a line, the line spread function taken off; 0 if it is not resolved."""
    variance = fit.sigma**2 - lsf_sigma**2
    return float(2.3548 * np.sqrt(max(variance, 0.0)) / fit.center * SPEED_OF_LIGHT)


def is_broad(fit: LineFit, lsf_sigma: float) -> bool:
    """Whether the line is broader than galaxies make lines, by more than its error."""
    if not np.isfinite(fit.sigma):
        return False
    error = fit.sigma_err if np.isfinite(fit.sigma_err) else 0.0
    return velocity_width(replace(fit, sigma=max(fit.sigma - error, 0.0)), lsf_sigma) > BROAD_FWHM


def _lsf(spectrum: Spectrum) -> float:
    return spectrum.lsf_sigma if np.isfinite(spectrum.lsf_sigma) else HETDEX_LSF_SIGMA


def _places(spectrum: Spectrum, fit: LineFit, anchor: Line, redshift: float) -> list[_Place]:
    """The companions of `anchor` at `redshift`, by wavelength."""
    lsf = _lsf(spectrum)
    intrinsic = np.sqrt(max(fit.sigma**2 - lsf**2, 0.0)) / fit.center if np.isfinite(fit.sigma) else 0.0
    narrow = min(intrinsic, BROAD_FWHM / 2.3548 / SPEED_OF_LIGHT)
    galaxy = anchor.name in GALAXY_RATIOS
    out = []
    observed = vacuum_to_air(_VACUUM * (1.0 + redshift))
    for each, place in zip(LINES.values(), observed, strict=True):
        if each is anchor:
            continue
        if each.absorption:
            if not (galaxy or anchor.absorption):
                continue
        elif expected_ratio(each.name, anchor.name) is None and not anchor.absorption:
            continue
        wavelength = float(place)
        width = intrinsic if each.broad and anchor.broad else narrow
        sigma = float(np.hypot(lsf, width * wavelength))
        covered = spectrum.wavelength[0] <= wavelength <= spectrum.wavelength[-1]
        if covered and abs(wavelength - fit.center) < MIN_SEPARATION:
            continue
        out.append(_Place(each, wavelength, sigma, bool(covered)))
    return sorted(out, key=lambda place: place.wavelength)


def _required(ratio: Ratio | None, anchor: Line, line: Line, broad: bool) -> float:
    """Smallest flux ratio that `line` should have; 0 if it may be absent."""
    if ratio is None or line.absorption:
        return 0.0
    if anchor.name in GALAXY_RATIOS and line.name in GALAXY_RATIOS:
        return float(np.sqrt(ratio.low * ratio.typical)) if line.rank <= 3 else 0.0
    # a narrow Lyα stands alone; every other line of an active nucleus comes with Lyα, and broad ones with the rest
    if line.name == "Lya" or (broad and line.rank <= 3):
        return float(np.sqrt(ratio.low * ratio.typical))
    return 0.0


def _companion(place: _Place, flux: float, err: float, fit: LineFit, anchor: Line, broad: bool) -> Companion:
    """Put a forced flux into words."""
    base = Companion(place.line.name, place.line.label, place.wavelength, place.in_range)
    if not place.in_range:
        return base
    if not np.isfinite(flux):
        return replace(base, status="not seen")
    snr = flux / err if err > 0 else NAN
    expected = _required(expected_ratio(place.line.name, anchor.name), anchor, place.line, broad) * abs(fit.flux)
    sign = -1.0 if place.line.absorption else 1.0
    if sign * snr >= FOUND_SNR:
        status = "found"
    elif expected > LIMIT_SIGMA * err and flux < expected - 2.0 * err:
        status = "missing"
    else:
        status = "not seen"
    limit = max(sign * flux, 0.0) + LIMIT_SIGMA * err
    return replace(base, flux=flux, flux_err=err, limit=limit, snr=snr, status=status)


def companions(
    spectrum: Spectrum, line_fit: LineFit, identity: str, redshift: float | None = None
) -> tuple[Companion, ...]:
    """Measure the companions that `identity` predicts.

    Parameters
    ----------
    spectrum : Spectrum
    line_fit : LineFit
        The main line; its width sets those of the companions.
    identity : str
        Name of an identity or of a line in the list. One without companions ("star", "noise", ...) gives none.
    redshift : float, optional
        By default that of the main line if it is `identity`.

    Returns
    -------
    tuple of Companion
        By wavelength; forced fluxes with errors, or 3σ limits, also in absorption (Ca II H and K).
    """
    anchor = LINES.get(identity)
    if anchor is None or not np.isfinite(line_fit.center):
        return ()
    z = float(redshift_of(line_fit.center, anchor)) if redshift is None else redshift
    return _measured(spectrum, line_fit, [(anchor, z)])[0][1]


def _measured(
    spectrum: Spectrum, fit: LineFit, hypotheses: Sequence[tuple[Line, float]], *, published: bool = False
) -> list[tuple[list[_Place], tuple[Companion, ...]]]:
    """The companions of all hypotheses, from one vectorised forced fit.

    With `published`, the places get the formal errors too, which the published score rests on.
    """
    broad = is_broad(fit, _lsf(spectrum))
    places = [_places(spectrum, fit, anchor, z) for anchor, z in hypotheses]
    covered = [place for group in places for place in group if place.in_range]
    fluxes: dict[int, tuple[float, float]] = {}
    formal: dict[int, float] = {}
    if covered:
        where = [place.wavelength for place in covered], [place.sigma for place in covered]
        rest = without_lines(spectrum, (fit,))
        values, errors = forced_flux(rest, *where, inflate=True)
        fluxes = {id(p): (float(v), float(e)) for p, v, e in zip(covered, values, errors, strict=True)}
        if published:
            _, errors = forced_flux(rest, *where)
            formal = {id(p): float(e) for p, e in zip(covered, errors, strict=True)}
    out = []
    for (anchor, _), group in zip(hypotheses, places, strict=True):
        measured = tuple(_companion(p, *fluxes.get(id(p), (NAN, NAN)), fit, anchor, broad) for p in group)
        out.append(([replace(p, formal_err=formal.get(id(p), NAN)) for p in group], measured))
    return out


# ---------------------------------------------------------------------------------------------------- likelihood


def _log_likelihood(fit: LineFit, anchor: Line, measured: Sequence[Companion], broad: bool) -> float:
    """ln P(companions | identity, width) - ln P(companions | nothing there), averaged over what the object may be.

    For a draw that predicts the flux m, a measured flux f ± e has the density
    (1 - 2 ε) N(f; m, e² + (δm)²) + ε N(f; 0, e²) + ε U(f): as predicted, hidden, or the work of something unrelated.
    Without a prediction it is (1 - ε) N(f; 0, e²) + ε U(f). U is a broad density with the scale of the main line.
    """
    usable = [
        each
        for each in measured
        if each.in_range and np.isfinite(each.snr) and not LINES[each.line].absorption and not sky_mask(each.wavelength)
    ]
    main = abs(fit.flux)
    if not usable or not main > 0:
        return 0.0
    ratio, log_weight = templates.ratios(anchor.name, tuple(each.line for each in usable), broad)
    if not log_weight.size:
        return 0.0
    flux = np.array([each.flux for each in usable]) / main
    err = np.array([each.flux_err for each in usable]) / main
    main_err = fit.flux_err / main if np.isfinite(fit.flux_err) else 0.0
    expected = np.nan_to_num(ratio)
    variance = err**2 + expected**2 * (RATIO_ERROR**2 + min(main_err, 1.0) ** 2)
    as_predicted = np.exp(-0.5 * (flux - expected) ** 2 / variance) / np.sqrt(2.0 * np.pi * variance)
    nothing = np.exp(-0.5 * (flux / err) ** 2) / (np.sqrt(2.0 * np.pi) * err)
    scale = np.maximum(1.0, 3.0 * err)
    unrelated = 0.5 / (scale * (1.0 + np.abs(flux) / scale) ** 2)
    without = (1.0 - SURPRISE) * nothing + SURPRISE * unrelated
    density = (1.0 - 2.0 * SURPRISE) * as_predicted + SURPRISE * nothing + SURPRISE * unrelated
    gain = np.where(np.isfinite(ratio), np.log(density / without), 0.0).sum(axis=1) + log_weight
    largest = gain.max()
    return float(largest + np.log(np.sum(np.exp(gain - largest))))


# --------------------------------------------------------------------------------------------------------- scores


def _published_score(
    spectrum: Spectrum,
    fit: LineFit,
    anchor: Line,
    redshift: float,
    measured: Sequence[Companion],
    places: Sequence[_Place],
    lines: Sequence[LineFit],
    wide: ContinuumEstimate,
) -> tuple[float, np.ndarray]:
    """The published score of one solution, and the scores of its companions."""
    error = np.nan_to_num(np.asarray(spectrum.error))
    found = [
        (each, place)
        for each, place in zip(measured, places, strict=True)
        if 0.0 < PUBLISHED_SNR * place.formal_err < each.flux and not place.line.absorption
    ]
    snr = np.array([each.flux / place.formal_err for each, place in found])
    sigma = np.array([place.sigma for _, place in found])
    flux = np.array([each.flux for each, _ in found])
    noise = np.interp([each.wavelength for each, _ in found], spectrum.wavelength, error)
    peak = flux * 1e17 / (sigma * np.sqrt(2.0 * np.pi))
    each_score = scores.line_score(snr, sigma, flux, np.where(noise > 0, peak / np.maximum(noise, 1e-30), 5.0))
    each_score = each_score * np.array([0.25 if each.line == "NV" else 1.0 for each, _ in found])
    keep = each_score >= scores.MIN_COMPANION_SCORE
    found = [entry for entry, kept in zip(found, keep, strict=True) if kept]
    each_score = each_score[keep]
    total = float(each_score.sum())
    total -= _unmatched_penalty(fit, [place for _, place in found], lines, spectrum, error, total)
    if total <= 0 or not found:
        return max(total, 0.0), each_score
    # +3 for each companion on a peak of its own
    on_peak = sum(any(abs(each.center - place.wavelength) <= 2.0 for each in lines) for _, place in found)
    total += scores.bonus(len(found)) + 3.0 * on_peak
    members = {
        each.line: Member(
            each.flux,
            place.formal_err,
            2.355 * place.sigma,
            0.0,
            each.flux / place.formal_err,
            float(value),
            place.line.rank,
        )
        for (each, place), value in zip(found, each_score, strict=True)
    }
    main_noise = float(np.interp(fit.center, spectrum.wavelength, error))
    main_score = scores.line_score(fit.snr, fit.sigma, fit.flux, fit.amplitude / main_noise if main_noise > 0 else 5.0)
    fwhm_err = 2.355 * fit.sigma_err if np.isfinite(fit.sigma_err) else 0.0
    members[anchor.name] = Member(
        fit.flux, fit.flux_err, fit.fwhm, fwhm_err, fit.snr, float(main_score), rank=anchor.rank
    )

    def expected_at(name: str) -> float:
        return float(vacuum_to_air(LINES[name].vacuum * (1.0 + redshift)))

    result = total * consistency.galaxy(members, expected_at)
    emitter = 1.0
    is_lae = consistency.LAE_REDSHIFTS[0] < redshift < consistency.LAE_REDSHIFTS[1]
    if is_lae:
        width = abs(fit.flux) * 1e17 / wide.value / (1.0 + redshift) if wide.value > 0 else 0.0
        relative = np.hypot(fit.flux_err / fit.flux, wide.error / wide.value) if width > 0 and fit.flux else 0.0
        emitter = consistency.lae(members, anchor.name, width, 0.0 if wide.is_limit else float(width * relative))
        result *= emitter
    if not is_lae or emitter > 1.0:
        result *= consistency.agn(members, expected_at)
    return result, each_score


def _unmatched_penalty(
    fit: LineFit,
    used: Sequence[_Place],
    lines: Sequence[LineFit],
    spectrum: Spectrum,
    error: np.ndarray,
    total: float,
) -> float:
    """What lines that the solution leaves unexplained take off, by the published rule."""
    places = [(fit.center, fit.sigma)] + [(place.wavelength, place.sigma) for place in used]
    unmatched = [
        each
        for each in lines
        if not each.is_absorption
        and 3550.0 <= each.center <= 5500.0
        and all(abs(each.center - center) > max(4.0, 3.0 * sigma) for center, sigma in places)
    ]
    if not unmatched:
        return 0.0
    noise = np.maximum(np.interp([each.center for each in unmatched], spectrum.wavelength, error), 1e-3)
    values = scores.line_score(
        np.array([each.snr for each in unmatched]),
        np.array([each.sigma for each in unmatched]),
        np.array([each.flux for each in unmatched]),
        np.array([each.amplitude for each in unmatched]) / noise,
    )
    penalty = float(np.sort(values[values > scores.MIN_SCORE])[-5:].sum())
    forgiven = len(used) >= 2 and len(used) + 1 > len(unmatched) and total > penalty
    return penalty if penalty > 25.0 and not forgiven else 0.0


def solve(spectrum: Spectrum, line_fit: LineFit, lines: Sequence[LineFit] = ()) -> tuple[Solution, ...]:
    """Try every identity for the main line.

    Parameters
    ----------
    spectrum : Spectrum
    line_fit : LineFit
        The main line.
    lines : sequence of LineFit
        Every line found in the spectrum; those that an identity leaves unexplained lower its published score.

    Returns
    -------
    tuple of Solution
        Every identity whose redshift is possible, best published score first; among equal scores the larger
        likelihood first. Empty if the main line was not measured.
    """
    if not np.isfinite(line_fit.center):
        return ()
    anchors = [*IDENTITY_LINES.values(), *(LINES[name] for name in _OTHER_ANCHORS)]
    if line_fit.is_absorption:
        anchors = [each for each in LINES.values() if each.absorption]
    hypotheses = [(anchor, float(redshift_of(line_fit.center, anchor))) for anchor in anchors]
    hypotheses = [(anchor, max(z, 0.0) if z > MIN_REDSHIFT else z) for anchor, z in hypotheses if z > MIN_REDSHIFT]
    if not hypotheses:
        return ()
    broad = is_broad(line_fit, _lsf(spectrum))
    wide = wide_continuum(spectrum, line_fit.center, lines)
    rated = []
    for (anchor, z), (places, measured) in zip(
        hypotheses, _measured(spectrum, line_fit, hypotheses, published=True), strict=True
    ):
        score, parts = _published_score(spectrum, line_fit, anchor, z, measured, places, lines, wide)
        likelihood = _log_likelihood(line_fit, anchor, measured, broad)
        rated.append((max(score, 0.0), parts, likelihood, anchor, z, measured))
    total = sum(score for score, *_ in rated)
    rated.sort(key=lambda entry: (-entry[0], -entry[2]))
    out = []
    for i, (score, parts, likelihood, anchor, z, measured) in enumerate(rated):
        fraction = score / total if total > 0 else 0.0
        runner_up = rated[1][0] if i == 0 and len(rated) > 1 else rated[0][0] if i else 0.0
        scale = scores.scaled_score(score, fraction, parts)
        out.append(
            Solution(
                identity=anchor.name if anchor.name in IDENTITY_LINES else "other",
                line=anchor.name,
                rest_wavelength=anchor.vacuum,
                redshift=z,
                score=score,
                fraction=fraction,
                accepted=bool(scores.accepted(score, fraction, runner_up, scale)),
                companions=measured,
                log_likelihood=likelihood,
            )
        )
    return tuple(out)
