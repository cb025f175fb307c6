"""The blind search for lines: a matched filter at several widths, then fits, strongest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage, stats

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.blends import BLENDED, CORE, CORE_SIGMA, core, is_misfit, split
from elixer_widgets.spectra.fitting import (
    MIN_HALF_WINDOW,
    SIGMA_MAX,
    WINDOW_SIGMAS,
    LineFit,
    fit_line,
    fit_many,
)
from elixer_widgets.spectra.gaussians import ROOT_2PI, Samples, gather, linear_amplitudes
from elixer_widgets.spectra.wavelengths import sky_mask

FILTER_WIDTHS = (2.4, 4.0, 7.0, 12.0, 20.0, 35.0)
"""Å; a factor of 1.7 apart, so that no line loses more than 4 % of its signal to noise."""

MIN_SNR = 4.6
"""Signal to noise of the filter from which a line is fitted."""

MIN_SIGNIFICANCE = 2.0
"""σ after correction for the number of trials from which a line is kept."""

SKY_SNR = 1.6
"""A line in a strong sky line must be this much stronger: residuals there exceed the formal error."""

MAX_LINES = 40
MAX_PASSES = 6
REFIT_ROUNDS = 4


def matched_filter(spectrum: Spectrum, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Area of a Gaussian of σ `width` (Å) at every sample, with a free local continuum.

    Returns
    -------
    area, area_err : array, shape (n,)
        Flux density x Å; NaN where masked samples leave it undetermined.
    """
    area, area_err = _filter(Samples.of([spectrum]), width)
    return area[0], area_err[0]


def _filter(samples: Samples, width: float) -> tuple[np.ndarray, np.ndarray]:
    """`matched_filter` for all spectra of `samples`: two arrays of shape (s, n)."""
    grid, half = samples.wavelength, max(MIN_HALF_WINDOW, WINDOW_SIGMAS * width)
    steps = np.diff(grid)
    if np.ptp(steps) > 0.02 * steps[0]:
        rows = samples.flux.shape[0]
        # a broad filter changes slowly: every half σ is enough
        sparse = np.unique(
            np.append(np.arange(0, grid.size, max(1, int(0.4 * width / np.median(steps)))), grid.size - 1)
        )
        which, centers = np.repeat(np.arange(rows), sparse.size), np.tile(grid[sparse], rows)
        part = gather(samples, which, centers, np.full(centers.size, half))
        out = linear_amplitudes(part, centers[:, None], width)
        area, area_err = (
            np.array([np.interp(grid, grid[sparse], row) for row in each.reshape(rows, -1)]) for each in out
        )
        return area, area_err
    reach = max(2, round(half / steps[0]))
    offsets = np.arange(-reach, reach + 1) * steps[0]
    g = np.exp(-0.5 * (offsets / width) ** 2) / (width * ROOT_2PI)

    def summed(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return ndimage.correlate1d(values, kernel, axis=1, mode="constant")

    w, wy = samples.ivar, samples.ivar * samples.flux
    box = np.ones_like(g)
    gg, g1, gy = summed(w, g**2), summed(w, g), summed(wy, g)
    s1, sy = summed(w, box), summed(wy, box)
    with np.errstate(invalid="ignore", divide="ignore"):
        determinant = gg * s1 - g1**2
        determinant = np.where(determinant > 1e-9 * gg * s1, determinant, np.nan)
        return (gy * s1 - g1 * sy) / determinant, np.sqrt(s1 / determinant)


def number_of_trials(spectrum: Spectrum) -> float:
    """How many independent places and widths the search tries: its span over 2.5 σ, summed over the widths."""
    span = float(np.sum(spectrum.good) * spectrum.step)
    return float(sum(span / (2.5 * width) for width in FILTER_WIDTHS))


def corrected_significance(snr: float | np.ndarray, trials: float) -> np.ndarray:
    """σ of a Gaussian with the chance that the best of `trials` noise peaks, of either sign, reaches `snr`."""
    log_single = np.log(2.0) + stats.norm.logsf(snr)
    chance = -np.expm1(trials * np.log1p(-np.exp(np.minimum(log_single, np.log(0.999999)))))
    # beyond 37σ the chance underflows; there the correction is the change of the log probability
    direct = stats.norm.isf(np.maximum(chance, 1e-300))
    far = np.sqrt(np.maximum(np.asarray(snr) ** 2 - 2.0 * np.log(2.0 * trials), 0.0))
    return np.where(chance > 1e-290, direct, far)


def _estimated_errors(spectrum: Spectrum) -> Spectrum:
    """A spectrum without errors gets one error for all samples, from the scatter of neighbours."""
    if spectrum.has_error:
        return spectrum
    flux = np.asarray(spectrum.flux)[spectrum.good]
    second = flux[2:] - 2.0 * flux[1:-1] + flux[:-2]
    scatter = float(stats.median_abs_deviation(second, scale="normal")) / np.sqrt(6.0) if flux.size > 5 else 0.0
    error = np.full(spectrum.wavelength.size, max(scatter, 1e-12 + 1e-6 * float(np.max(np.abs(flux), initial=0.0))))
    return Spectrum(spectrum.wavelength, spectrum.flux, error, spectrum.lsf_sigma, spectrum.aperture_correction)


def _candidates(samples: Samples, threshold: float) -> list[tuple[float, float]]:
    """(signed S/N, centre) of filter peaks, strongest first, no stronger one within their own window.

    What a window shows beside a strong line is that line's doing; it is looked at again when the line is taken off.
    """
    snr = np.zeros((len(FILTER_WIDTHS), samples.wavelength.size))
    for i, width in enumerate(FILTER_WIDTHS):
        area, area_err = _filter(samples, width)
        with np.errstate(invalid="ignore", divide="ignore"):
            snr[i] = np.nan_to_num(area[0] / area_err[0])
    widest = np.argmax(np.abs(snr), axis=0)
    best = snr[widest, np.arange(snr.shape[1])]
    strength = np.abs(best)
    peak = strength > np.where(sky_mask(samples.wavelength), threshold * SKY_SNR, threshold)
    peak[1:] &= strength[1:] >= strength[:-1]
    peak[:-1] &= strength[:-1] > strength[1:]
    taken: list[tuple[float, float, float]] = []
    places = np.flatnonzero(peak)
    for i in places[np.argsort(-strength[places])]:
        center, width = float(samples.wavelength[i]), FILTER_WIDTHS[widest[i]]
        own = max(MIN_HALF_WINDOW, WINDOW_SIGMAS * width)
        if all(abs(center - other) > own + reach for _, other, reach in taken):
            taken.append((float(best[i]), center, 3.0 * width))
    return [(signal, center) for signal, center, _ in taken]


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
        By wavelength. `significance` is corrected for the number of places and widths tried.

    Notes
    -----
    The strongest peaks of the filter are fitted and taken off, and the rest is searched again, so that a line in the
    wing of another is seen; at the end each line is fitted once more with all others taken off.
    """
    spectrum = _estimated_errors(spectrum)
    if np.sum(spectrum.good) < 20:
        return []
    wavelength, flux = spectrum.wavelength, np.asarray(spectrum.flux)
    found: list[LineFit] = []
    residual = flux
    for _ in range(MAX_PASSES):
        rest = _with_flux(spectrum, residual)
        candidates = _candidates(Samples.of([rest]), min_snr)
        if not candidates:
            break
        new: list[LineFit] = []
        for absorption in (False, True):
            centers = np.array([center for signal, center in candidates if (signal < 0) == absorption])
            fits = fit_many([rest], centers, np.zeros(centers.size, int), None, sigma_max, absorption)
            new += [each for each in fits if _is_real(each, min_snr)]
        new = _distinct(
            [part for each in new if not _is_leftover(each, found) for part in _resolved(rest, each, sigma_max)]
        )
        if not new:
            break
        found += new
        residual = residual - _curves(new, wavelength).sum(axis=0)
        if len(found) >= MAX_LINES:
            break
    if not found:
        return []
    if len(found) > 1:
        found = _refitted(spectrum, found, sigma_max)
    trials = number_of_trials(spectrum)
    kept: list[LineFit] = []
    for each in sorted(found, key=lambda line: -line.snr):
        significance = float(corrected_significance(each.snr, trials))
        threshold = min_snr * (SKY_SNR if sky_mask(each.center) else 1.0)
        apart = all(abs(each.center - o.center) > max(4.0, 2.0 * min(each.sigma, o.sigma)) for o in kept)
        if each.snr >= threshold and significance >= MIN_SIGNIFICANCE and apart and len(kept) < MAX_LINES:
            kept.append(replace(each, significance=significance))
    return sorted(kept, key=lambda line: line.center)


def _is_real(fit: LineFit, min_snr: float) -> bool:
    # a fit at the edge of its search has run away to a neighbour; without that, the line comes in a later pass
    strayed = "centre at the edge of the search" in fit.flags
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


def _refitted(spectrum: Spectrum, lines: list[LineFit], sigma_max: float) -> list[LineFit]:
    """Every line fitted again with the others taken off; blends and peaks stay as they are.

    Lines that share a window are fitted in turns until the turns have settled.
    """
    flux = np.asarray(spectrum.flux)
    now = list(lines)
    pending = [i for i, each in enumerate(now) if not _is_special(each)]
    for _ in range(REFIT_ROUNDS):
        curves = _curves(now, spectrum.wavelength)
        total = curves.sum(axis=0)
        for absorption in (False, True):
            rows = [i for i in pending if now[i].is_absorption == absorption]
            if rows:
                spectra = [_with_flux(spectrum, flux - total + curves[i]) for i in rows]
                centers = np.array([now[i].center for i in rows])
                inside = np.clip(centers, spectrum.wavelength[0], spectrum.wavelength[-1])
                fits = fit_many(spectra, inside, np.arange(len(rows)), None, sigma_max, absorption)
                for i, fit in zip(rows, fits, strict=True):
                    if np.isfinite(fit.flux):
                        now[i] = fit
        pending = [i for i in pending if _shares_window(now[i], now)]
        if not pending:
            break
    return now


def _shares_window(line: LineFit, lines: list[LineFit]) -> bool:
    """Whether the core of another line lies in the window in which this one is fitted."""
    half = max(MIN_HALF_WINDOW, WINDOW_SIGMAS * line.sigma)
    return any(other is not line and abs(other.center - line.center) < half + other.sigma for other in lines)


def strongest_line(spectrum: Spectrum, lines: Sequence[LineFit] | None = None) -> LineFit | None:
    """The emission line of largest signal to noise; None if no line is found.

    One in a strong sky line, or as broad as lines are looked for (which may be the shape of the continuum), is taken
    only if there is no other; absorption only where there is no emission at all. `lines` is what `find_lines` found,
    if that is known already.
    """
    if lines is None:
        lines = find_lines(spectrum)
    for emission in (True, False):
        choice = [each for each in lines if each.is_absorption != emission]
        doubtful = {"in a strong sky line", "width at the upper limit"}
        clean = [each for each in choice if not doubtful & set(each.flags)]
        if clean or choice:
            return max(clean or choice, key=lambda line: line.snr)
    return None


def main_line(spectrum: Spectrum, wavelength: float, lines: Sequence[LineFit]) -> LineFit:
    """Fit the line near `wavelength` with the other lines of the spectrum taken off.

    Parameters
    ----------
    spectrum : Spectrum
    wavelength : float
        Å in air.
    lines : sequence of LineFit
        What `find_lines` found; the one at `wavelength` is not taken off. If that was fitted jointly with a neighbour,
        or around its peak, it is the answer.

    Returns
    -------
    LineFit
        As from `fit_line`. A neighbour in the window, such as N V beside Lyα, no longer raises the continuum.

    Raises
    ------
    DataError
        If the wavelength lies outside the spectrum.
    """
    near = [each for each in lines if abs(each.center - wavelength) <= max(8.0, 1.5 * each.sigma)]
    # the strongest that is close in units of its own width
    own = max(
        near,
        key=lambda each: each.snr * np.exp(-0.5 * ((each.center - wavelength) / max(4.0, each.sigma)) ** 2),
        default=None,
    )
    if own is not None and _is_special(own):
        return replace(own, significance=float("nan"))
    others = [each for each in lines if each is not own and np.isfinite(each.flux)]
    return fit_line(spectrum, wavelength, subtract=others, absorption=None if own is None else own.is_absorption)
