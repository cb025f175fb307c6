"""The blind search for lines: a matched filter at several widths, then fits, strongest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from elixer_widgets._arguments import instance, instances, number
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.blends import BLENDED, CORE, CORE_SIGMA, core, is_misfit, split
from elixer_widgets.spectra.fitting import (
    AT_LIMIT,
    FLUX_UNIT,
    SIGMA_MAX,
    VERY_BROAD,
    WIDEST_WINDOW,
    LineFit,
    fit_line,
    fit_many,
    minimum_sigma,
    widened,
    without_low_flux,
)
from elixer_widgets.spectra.gaussians import Samples, fit_gaussians, gather
from elixer_widgets.spectra.matched_filter import (
    FILTER_WIDTHS,
    MatchedFilter,
    corrected_significance,
    half_window,
    noise_scale,
    number_of_trials,
)
from elixer_widgets.spectra.wavelengths import sky_mask

MIN_SNR = 4.6
"""Signal to noise of the filter from which a line is fitted."""

MIN_SIGNIFICANCE = 2.0
"""σ after correction for the number of trials from which a line is kept."""

SKY_SNR = 1.6
"""A line in a strong sky line must be this much stronger: residuals there exceed the formal error."""

STRONG = 15.0
"""Signal to noise of lines around which the noise is not measured."""

FIRM_SNR = 9.0
"""Signal to noise, in units of the noise as it is, of lines that are no noise for certain."""

NOISY = 1.3
"""Noise over error from which it is said."""

MAX_LINES = 40
MAX_PASSES = 6
REFIT_ROUNDS = 3
SETTLED = 0.2
"""A fit that changes by less than this share of its error no longer disturbs its neighbours."""

STRAYED = "centre at the edge of the search"
NARROW = 8.0
"""Å; a fit that has run away is tried once more with σ below this, where the filter says that the line is narrow."""

REACH = 8.0
"""Å that the centre may move from the peak of the filter; broad lines may move by half their σ."""

SLOPE_HALF_WINDOW = 40.0
"""Å; in a window wider than this the continuum may have a slope."""

WING = 2.5
"""σ from the centre of a line to where it no longer disturbs another's fit."""


def _estimated_errors(spectrum: Spectrum) -> Spectrum:
    """A spectrum without errors gets one error for all samples, from the scatter of neighbours."""
    if spectrum.has_error:
        return spectrum
    flux = np.asarray(spectrum.flux)[spectrum.good]
    second = flux[2:] - 2.0 * flux[1:-1] + flux[:-2]
    scatter = float(stats.median_abs_deviation(second, scale="normal")) / np.sqrt(6.0) if flux.size > 5 else 0.0
    error = np.full(spectrum.wavelength.size, max(scatter, 1e-12 + 1e-6 * float(np.max(np.abs(flux), initial=0.0))))
    return Spectrum(spectrum.wavelength, spectrum.flux, error, spectrum.lsf_sigma, spectrum.aperture_correction)


@dataclass(frozen=True)
class _Candidate:
    """A peak of the filter: signed S/N, centre and width (Å)."""

    snr: float
    center: float
    width: float

    @property
    def half_window(self) -> float:
        """Å."""
        return half_window(self.width)


def _candidates(snr: np.ndarray, wavelength: np.ndarray, threshold: float) -> list[_Candidate]:
    """The peaks of the filter `snr` (widths, n), strongest first.

    A peak beside a stronger one is left out if that lies in its window: what shows there is the stronger line's doing;
    it is looked at again when that is taken off.
    """
    widest = np.argmax(np.abs(snr), axis=0)
    best = snr[widest, np.arange(snr.shape[1])]
    strength = np.abs(best)
    peak = strength > np.where(sky_mask(wavelength), threshold * SKY_SNR, threshold)
    peak[1:] &= strength[1:] >= strength[:-1]
    peak[:-1] &= strength[:-1] > strength[1:]
    taken: list[_Candidate] = []
    places = np.flatnonzero(peak)
    for i in places[np.argsort(-strength[places])]:
        here = _Candidate(float(best[i]), float(wavelength[i]), FILTER_WIDTHS[widest[i]])
        if all(abs(here.center - other.center) > here.half_window + 3.0 * other.width for other in taken):
            taken.append(here)
    return taken


def _curves(lines: list[LineFit], wavelength: np.ndarray) -> np.ndarray:
    """The lines without their continua, shape (lines, n)."""
    return np.array([each.profile(wavelength) for each in lines])


def _with_flux(spectrum: Spectrum, flux: np.ndarray) -> Spectrum:
    return Spectrum(spectrum.wavelength, flux, spectrum.error, spectrum.lsf_sigma)


def find_lines(
    spectrum: Spectrum,
    *,
    min_snr: float = MIN_SNR,
    sigma_max: float = SIGMA_MAX,
) -> list[LineFit]:
    """Find every line in a spectrum, in emission and absorption.

    Parameters
    ----------
    spectrum : Spectrum
    min_snr : float
        Signal to noise of the matched filter from which a peak counts.
    sigma_max : float
        Largest σ of a line, Å.

    Returns
    -------
    list of LineFit
        By wavelength. `significance` is corrected for the number of places and widths tried, and for noise that
        exceeds the errors; `snr` and all errors are those that follow from the errors as given.

    Notes
    -----
    A line whose width stopped at the limit has no flux (NaN): what a Gaussian held there has is too low.

    The strongest peaks of the filter are fitted and taken off, and the rest is searched again, so that a line in the
    wing of another is seen; at the end each line is fitted once more with all others taken off.
    """
    instance(spectrum, Spectrum, "find_lines: spectrum")
    number(min_snr, "find_lines: min_snr", "a signal to noise such as 4.6", above=0.0)
    number(sigma_max, "find_lines: sigma_max", "the largest σ in Å, such as 20", above=0.0, most=WIDEST_WINDOW)
    found = search_lines(spectrum, min_snr=min_snr, sigma_max=sigma_max)
    return [without_low_flux(each) for each in found]


def search_lines(spectrum: Spectrum, *, min_snr: float = MIN_SNR, sigma_max: float = SIGMA_MAX) -> list[LineFit]:
    """The lines of `find_lines` as they are taken off the spectrum, those at the limit of width with what they hold."""
    spectrum = _estimated_errors(spectrum)
    if np.sum(spectrum.good) < 20:
        return []
    wavelength, flux = spectrum.wavelength, np.asarray(spectrum.flux)
    matched = MatchedFilter.of(spectrum)
    found: list[LineFit] = []
    refused: list[_Candidate] = []
    residual = flux
    for _ in range(MAX_PASSES):
        candidates = [each for each in _candidates(matched.snr(residual), wavelength, min_snr) if each not in refused]
        if not candidates:
            break
        rest = _with_flux(spectrum, residual)
        fits = _fitted(rest, candidates, sigma_max)
        refused += [each for each, fit in zip(candidates, fits, strict=True) if not _is_real(fit, min_snr)]
        new = [each for each in fits if _is_real(each, min_snr)]
        new = _distinct(
            [part for each in new if not _is_leftover(each, found) for part in _resolved(rest, each, sigma_max)]
        )
        if not new:
            break
        found += new
        # a place that was refused is worth another fit once a line nearby is off
        refused = [
            each
            for each in refused
            if all(abs(each.center - line.center) > each.half_window + WING * line.sigma for line in new)
        ]
        residual = residual - _curves(new, wavelength).sum(axis=0)
        if len(found) >= MAX_LINES:
            break
    if not found:
        return []
    found = _refitted(spectrum, found, sigma_max)
    scales = _noise_scales(spectrum, matched, found)
    trials = number_of_trials(spectrum)
    kept: list[LineFit] = []
    for each, scale in sorted(zip(found, scales, strict=True), key=lambda pair: -pair[0].snr):
        significance = float(corrected_significance(each.snr / scale, trials))
        threshold = scale * min_snr * (SKY_SNR if sky_mask(each.center) else 1.0)
        apart = all(abs(each.center - o.center) > max(4.0, 2.0 * min(each.sigma, o.sigma)) for o in kept)
        if each.snr >= threshold and significance >= MIN_SIGNIFICANCE and apart and len(kept) < MAX_LINES:
            flags = (*each.flags, f"noise here is {scale:.1f} times the errors") if scale >= NOISY else each.flags
            kept.append(replace(each, significance=significance, flags=flags))
    return sorted(kept, key=lambda line: line.center)


def _noise_scales(spectrum: Spectrum, matched: MatchedFilter, found: list[LineFit]) -> list[float]:
    """For every line, by how much the noise around it exceeds the errors.

    First measured where all lines are taken off. Where errors turn out too small, measured again with only those off
    that stand out of such noise: most of the others are noise, and without them too little of it would be left.
    """
    wavelength = spectrum.wavelength
    curves = _curves(found, wavelength)
    scales = [1.0] * len(found)
    firm = [True] * len(found)
    for _ in range(2):
        snr = matched.snr(np.asarray(spectrum.flux) - curves[firm].sum(axis=0))
        usable = np.array(spectrum.good)
        for each, sure in zip(found, firm, strict=True):
            if sure and each.snr > STRONG:  # what a Gaussian leaves of it is not noise
                usable &= np.abs(wavelength - each.center) > 3.0 * each.sigma
        scales = [noise_scale(snr, wavelength, usable, each.center, each.sigma) for each in found]
        now = [scale == 1.0 or each.snr > FIRM_SNR * scale for each, scale in zip(found, scales, strict=True)]
        if now == firm:
            break
        firm = now
    return scales


def _is_real(fit: LineFit, min_snr: float) -> bool:
    # a fit at the edge of its search has run away to a neighbour; without that, the line comes in a later pass
    strayed = STRAYED in fit.flags
    return bool(np.isfinite(fit.flux) and fit.snr >= min_snr and fit.flux_err < abs(fit.flux) and not strayed)


def _distinct(lines: list[LineFit]) -> list[LineFit]:
    """The lines without those that repeat a stronger one of the same sign."""
    out: list[LineFit] = []
    for each in sorted(lines, key=lambda line: -line.snr):
        if all(
            each.is_absorption != other.is_absorption
            or abs(each.center - other.center) > max(4.0, min(each.sigma, other.sigma))
            for other in out
        ):
            out.append(each)
    return out


def _is_leftover(fit: LineFit, found: list[LineFit]) -> bool:
    """Whether a line is what a Gaussian left of a stronger one that is not quite Gaussian."""
    return any(
        abs(fit.center - other.center) < 3.0 * other.sigma and abs(fit.amplitude) < 0.15 * abs(other.amplitude)
        for other in found
    )


def _resolved(rest: Spectrum, line: LineFit, sigma_max: float) -> list[LineFit]:
    """A line that is no Gaussian as two lines or by its peak, if the data ask for it; else as it is."""
    if not is_misfit(line):
        return [line]
    if line.sigma > 2.0 * CORE_SIGMA:  # no two narrow lines make one so broad
        peak = core(rest, line)
        if peak is not None:
            return [peak]
    pair = split(rest, line, sigma_max)
    if pair is not None and max(each.sigma for each in pair) < CORE_SIGMA:
        return list(pair)
    peak = core(rest, line)
    if peak is not None:
        return [peak]
    return [line] if pair is None else list(pair)


def _is_special(line: LineFit) -> bool:
    """Whether a line was fitted otherwise than as one Gaussian, and must not be fitted so again."""
    return BLENDED in line.flags or CORE in line.flags


def _mirrored(line: LineFit) -> LineFit:
    """The line of the spectrum times -1."""
    return replace(line, flux=-line.flux, continuum=-line.continuum, slope=-line.slope)


def _fitted(rest: Spectrum, candidates: list[_Candidate], sigma_max: float) -> list[LineFit]:
    """A fit for every candidate, each with its own sign.

    One that runs away, as to the middle between two narrow lines, is fitted again as a narrow line.
    """
    flux = np.asarray(rest.flux)
    starts = [(-1.0 if each.snr < 0 else 1.0, each.center, each.width) for each in candidates]
    out = _quick_fits(rest, [flux] * len(starts), starts, sigma_max)
    strayed = [i for i, each in enumerate(out) if STRAYED in each.flags and candidates[i].width < NARROW]
    if strayed:
        again = _quick_fits(rest, [flux] * len(strayed), [starts[i] for i in strayed], NARROW)
        for i, fit in zip(strayed, again, strict=True):
            out[i] = fit
    if sigma_max == SIGMA_MAX:  # what a Gaussian held at the limit leaves of a broader line are no lines beside it
        out = [widened(rest, fit.center, fit, each.snr < 0) or fit for fit, each in zip(out, candidates, strict=True)]
    return out


def _quick_fits(
    spectrum: Spectrum, fluxes: list[np.ndarray], starts: list[tuple[float, float, float]], sigma_max: float
) -> list[LineFit]:
    """Fits from starts (sign, centre, σ), each in a flux of its own; unlike `fit_many` no other widths are tried."""
    one = Samples.of([spectrum])
    signs, centers, sigmas = np.array(starts).T
    # absorption is emission in the spectrum times -1, so that one call fits both
    flux = np.where(one.ivar > 0, np.array(fluxes), 0.0) * signs[:, None]
    n = len(starts)
    samples = Samples(one.wavelength, flux, np.repeat(one.ivar, n, axis=0), np.repeat(one.weighted, n), one.step)
    rows, lower = np.arange(n), np.full(n, minimum_sigma(spectrum))
    for _ in range(2):  # a line that turns out broader or narrower than its window is fitted again
        half = np.array([half_window(sigma) for sigma in sigmas])
        reach = np.maximum(REACH, 0.5 * sigmas)
        found = fit_gaussians(
            gather(samples, rows, centers, half),
            centers,
            sigmas,
            center_low=np.clip(centers - reach, *one.wavelength[[0, -1]]),
            center_high=np.clip(centers + reach, *one.wavelength[[0, -1]]),
            sigma_low=lower,
            sigma_high=np.minimum(sigma_max, half / 2.0),
            absorption=False,
            sloped=half > SLOPE_HALF_WINDOW,
        )
        usable = np.isfinite(found.flux) & ~found.at_center
        changed = usable & (np.abs(np.array([half_window(sigma) for sigma in found.sigma]) / half - 1.0) > 0.3)
        if not changed.any():
            break
        sigmas, centers = np.where(usable, found.sigma, sigmas), np.where(usable, found.center, centers)
    doubts = {STRAYED: found.at_center, AT_LIMIT: found.sigma >= 0.999 * sigma_max}
    return [
        LineFit(
            center=float(found.center[i]), sigma=float(found.sigma[i]), continuum=float(signs[i] * found.continuum[i]),
            flux=float(signs[i] * found.flux[i]) * FLUX_UNIT, snr=float(found.snr[i]), chi2=float(found.chi2[i]),
            center_err=float(found.center_err[i]), sigma_err=float(found.sigma_err[i]),
            flux_err=float(found.flux_err[i]) * FLUX_UNIT, continuum_err=float(found.continuum_err[i]),
            n_samples=int(found.n_samples[i]), flags=tuple(name for name, where in doubts.items() if where[i]),
            slope=float(signs[i] * found.slope[i]),
        )
        for i in range(n)
    ]  # fmt: skip


def _refitted(spectrum: Spectrum, lines: list[LineFit], sigma_max: float) -> list[LineFit]:
    """Every line fitted again with the others taken off; blends and peaks stay as they are.

    Lines that reach into each other's windows are fitted in turns until they have settled; at last all are fitted as
    `fit_line` does it, with every width tried.
    """
    flux = np.asarray(spectrum.flux)
    now = list(lines)
    curves = _curves(now, spectrum.wavelength)
    single = [i for i, each in enumerate(now) if not _is_special(each)]
    moved = list(range(len(now)))
    for _ in range(REFIT_ROUNDS):
        pending = [
            i
            for i in single
            if VERY_BROAD not in now[i].flags and any(j != i and _reaches(now[j], now[i]) for j in moved)
        ]
        if not pending:
            break
        rest = flux - curves.sum(axis=0)
        starts = [(-1.0 if now[i].is_absorption else 1.0, now[i].center, now[i].sigma) for i in pending]
        fits = _quick_fits(spectrum, [rest + curves[i] for i in pending], starts, sigma_max)
        moved = []
        for i, fit in zip(pending, fits, strict=True):
            if np.isfinite(fit.flux) and fit.flux != 0.0:
                if _has_moved(now[i], fit):
                    moved.append(i)
                now[i], curves[i] = fit, fit.profile(spectrum.wavelength)
    if not single:
        return now
    rest = flux - curves.sum(axis=0)
    signs = [-1.0 if now[i].is_absorption else 1.0 for i in single]
    spectra = [_with_flux(spectrum, sign * (rest + curves[i])) for i, sign in zip(single, signs, strict=True)]
    centers = np.clip([now[i].center for i in single], spectrum.wavelength[0], spectrum.wavelength[-1])
    fits = fit_many(spectra, centers, np.arange(len(single)), None, sigma_max, False)
    for i, sign, fit, rest_of in zip(single, signs, fits, spectra, strict=True):
        if np.isfinite(fit.flux) and STRAYED not in fit.flags:
            if sigma_max == SIGMA_MAX:
                fit = widened(rest_of, fit.center, fit, False) or fit
            now[i] = fit if sign > 0 else replace(fit, flux=-fit.flux, continuum=-fit.continuum, slope=-fit.slope)
    return now


def _has_moved(before: LineFit, after: LineFit) -> bool:
    """Whether a fit has changed by more than a small part of its errors."""
    pairs = ((after.flux - before.flux, after.flux_err), (after.center - before.center, after.center_err))
    return any(not abs(change) <= SETTLED * error for change, error in pairs)


def _reaches(other: LineFit, line: LineFit) -> bool:
    """Whether a line reaches into the window in which another is fitted."""
    return abs(other.center - line.center) < half_window(line.sigma) + WING * other.sigma


def strongest_line(spectrum: Spectrum, lines: Sequence[LineFit] | None = None) -> LineFit | None:
    """The emission line of largest signal to noise; None if no line is found.

    One in a strong sky line, or as broad as lines are looked for (which may be the shape of the continuum), is taken
    only if there is no other; absorption only where there is no emission at all. `lines` is what `find_lines` found,
    if that is known already.
    """
    instance(spectrum, Spectrum, "strongest_line: spectrum")
    if lines is None:
        lines = search_lines(spectrum)
    for emission in (True, False):
        choice = [each for each in lines if each.is_absorption != emission]
        doubtful = {"in a strong sky line", AT_LIMIT, VERY_BROAD}
        clean = [each for each in choice if not doubtful & set(each.flags)]
        if clean or choice:
            return max(clean or choice, key=lambda line: line.snr)
    return None


def main_line(spectrum: Spectrum, wavelength: float, lines: Sequence[LineFit], *, emission: bool = False) -> LineFit:
    """Fit the line near `wavelength` with the other lines of the spectrum taken off.

    Parameters
    ----------
    spectrum : Spectrum
    wavelength : float
        Å in air.
    lines : sequence of LineFit
        What `find_lines` found; the one at `wavelength` is not taken off. If that was fitted jointly with a neighbour,
        or around its peak, it is the answer.
    emission : bool
        The line is known to be in emission, as every line is that a survey's search for emission lists. The bends of a
        bright continuum are then no broad absorption in its place.

    Returns
    -------
    LineFit
        As from `fit_line`. A neighbour in the window, such as N V beside Lyα, no longer raises the continuum.

    Raises
    ------
    DataError
        If the wavelength lies outside the spectrum.
    """
    instance(spectrum, Spectrum, "main_line: spectrum")
    lines = instances(lines, LineFit, "main_line: lines")
    wavelength = number(wavelength, "main_line: wavelength", "Å in air")
    near = [each for each in lines if abs(each.center - wavelength) <= max(8.0, 1.5 * each.sigma)]
    if emission:
        near = [each for each in near if not each.is_absorption]
    # the strongest that is close in units of its own width
    own = max(
        near,
        key=lambda each: each.snr * np.exp(-0.5 * ((each.center - wavelength) / max(4.0, each.sigma)) ** 2),
        default=None,
    )
    if own is not None and _is_special(own):
        return replace(own, significance=float("nan"))
    others = [each for each in lines if each is not own and np.isfinite(each.flux)]
    if emission and own is None:
        # A trough as wide as may be, fitted without the line in it, would be put back below the line
        others = [each for each in others if not (each.is_absorption and {AT_LIMIT, VERY_BROAD} & set(each.flags))]
    absorption = False if emission else None if own is None else own.is_absorption
    fit = fit_line(spectrum, wavelength, subtract=others, absorption=absorption)
    # Where nothing is seen in emission, the list is wrong, and what is there is told
    return fit if not fit.flux <= 0 or not emission else main_line(spectrum, wavelength, lines)
