"""Where a fit starts, and how far it looks: places and widths tried, their windows, and the choice between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from elixer_widgets.spectra.gaussians import ROOT_2PI, GaussianFits, Samples, fit_gaussians, gather

MAX_SHIFT = 8.0
"""Å that the centre may move from the wavelength asked for; broad lines may move by half their σ."""

SIGMA_MAX = 55.0
"""Å; the broadest lines looked for (ELiXer's widest window class for active nuclei)."""

SIGMA_WIDEST = 160.0
"""Å; to this a line that reaches `SIGMA_MAX` is fitted again: 25,000 km/s FWHM at 4500 Å, more than nuclei show."""

NARROW_WIDTHS = (2.2, 3.5, 5.5)
BROAD_WIDTHS = (9.0, 15.0, 25.0, 40.0)
"""Å; widths at which a fit is tried before the best is refined. The narrow ones share one window."""

MIN_HALF_WINDOW = 36.0
"""Å on either side of a narrow line: some 20 samples of continuum at HETDEX's 2 Å step."""

WINDOW_SIGMAS = 5.5
"""Half width of the window of a broad line in units of its σ: beyond, less than 1e-5 of the flux is left."""

SLOPE_SIGMA = 9.0
"""Å; under broader lines the continuum may have a slope."""

WIDTH_CELL = 0.48
"""The range in ln σ that a trial stands for."""

RIVAL_SHARE = 0.3
"""How much of the chance of rivals enters the errors: a standard deviation would weigh the tails by all of it, but what
is quoted is the half width of the interval that holds 68 %, which they widen less. Set on simulated lines other than
those of docs/line_fits.md."""

SAME_WIDTH = 1.8
SAME_PLACE = 2.0
"""Trials within this factor in width and this many σ in place belong to one solution; others are its rivals."""


def half_window(sigma: np.ndarray, window: float | None) -> np.ndarray:
    """Half the width (Å) of the part of the spectrum that a line of σ `sigma` (Å) is fitted to."""
    if window is not None:
        return np.full(np.shape(sigma), float(window))
    return np.maximum(MIN_HALF_WINDOW, WINDOW_SIGMAS * sigma)


@dataclass(frozen=True)
class Search:
    """What a call of the fit allows: one entry a line in `which`, `wavelengths` and `lower` (smallest σ, Å)."""

    samples: Samples
    which: np.ndarray
    wavelengths: np.ndarray
    lower: np.ndarray
    window: float | None
    sigma_max: float
    absorption: bool | None

    def signed(self, score: np.ndarray) -> np.ndarray:
        """Signal to noise of the sign that is asked for, -inf where it is not determined."""
        score = np.abs(score) if self.absorption is None else -score if self.absorption else score
        return np.where(np.isfinite(score), score, -np.inf)


@dataclass(frozen=True)
class _Trials:
    """Places and widths tried around every line: all of shape (k,), but the half windows (levels,).

    `offset` (Å from the sample next to the line), `width` (σ, Å), `level` (which window is a trial's own), `cell` (Å of
    the centre's range that a trial stands for).
    """

    offset: np.ndarray
    width: np.ndarray
    level: np.ndarray
    cell: np.ndarray
    half: np.ndarray

    @classmethod
    def of(cls, sigma_max: float, window: float | None) -> _Trials:
        """Half a σ apart, over the range in which the centre may lie, for every width up to `sigma_max`."""
        groups = [NARROW_WIDTHS, *((width,) for width in BROAD_WIDTHS)]
        groups = [kept for each in groups if (kept := tuple(width for width in each if width <= sigma_max))]
        groups = groups or [(min(NARROW_WIDTHS[0], sigma_max),)]
        rows, half = [], []
        for level, group in enumerate(groups):
            reach = max(MAX_SHIFT, 0.5 * group[-1])
            half.append(reach + float(half_window(np.array(group[-1]), window)))
            for width in group:
                steps = np.linspace(-reach, reach, 2 * max(2, math.ceil(reach / (0.5 * width))) + 1)
                rows += [(step, width, level, steps[1] - steps[0]) for step in steps]
        offset, widths, levels, cell = np.array(rows).T
        return cls(
            offset,
            widths,
            levels.astype(int),
            cell,
            np.array(half) if window is None else np.full(len(half), max(half)),
        )


_trials = lru_cache(maxsize=16)(_Trials.of)


@lru_cache(maxsize=16)
def _shapes(step: float, reach: int, sigma_max: float, window: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Trials and windows on an even grid of `reach` samples on either side: (samples, k) and (samples, levels)."""
    return _drawn(np.arange(-reach, reach + 1) * step, _trials(sigma_max, window))


def _drawn(x: np.ndarray, trials: _Trials) -> tuple[np.ndarray, np.ndarray]:
    """Trials and windows at `x` (..., samples), Å from the sample next to the line."""
    g = np.exp(-0.5 * ((x[..., None] - trials.offset) / trials.width) ** 2)
    return g, (np.abs(x)[..., None] <= trials.half).astype(float)


@dataclass(frozen=True)
class _Scan:
    """The best trial of every line and its rivals; n lines, k trials.

    `best` (n,) numbers the best trial, `center` and `sigma` (n,) are its place and width, `score` (n,) its signal to
    noise. `odds` (n, k) is the logarithm of the probability of a trial over the density of the best one in centre (Å)
    and ln σ, -inf for those that belong to the same solution; `area` (n, k) and `place` (n, k) are theirs.
    """

    center: np.ndarray
    sigma: np.ndarray
    score: np.ndarray
    odds: np.ndarray
    place: np.ndarray
    width: np.ndarray
    area: np.ndarray


def _scan(search: Search) -> _Scan:
    """Compare all trials by their evidence.

    Noise has more places for a narrow peak than for a broad one. With centre and ln σ equally likely everywhere, a
    trial has the probability exp(SNR²/2) times the range that it stands for. Two trials are compared over the window of
    the broader one, so that what the narrower one leaves unexplained there counts against it.
    """
    trials = _trials(search.sigma_max, search.window)
    samples, grid = search.samples, search.samples.wavelength
    n, rows = search.wavelengths.size, np.arange(search.wavelengths.size)
    here = np.clip(np.searchsorted(grid, search.wavelengths - 0.5 * samples.step[0]), 0, grid.size - 1)
    if samples.uniform:
        reach = math.ceil(trials.half.max() / samples.step[0])
    else:
        ends = np.searchsorted(grid, [grid[here] - trials.half.max(), grid[here] + trials.half.max()])
        reach = int(np.max(np.abs(ends - here)))
    span = np.arange(-reach, reach + 1)
    index = here[:, None] + span
    inside = (index >= 0) & (index < grid.size)
    index = np.clip(index, 0, grid.size - 1)
    flux = samples.flux[search.which[:, None], index]
    weight = np.where(inside, samples.ivar[search.which[:, None], index], 0.0)
    if samples.uniform:  # the trials look the same around every sample
        g, boxes = _shapes(float(samples.step[0]), reach, search.sigma_max, search.window)
    else:
        g, boxes = _drawn(grid[index] - grid[here][:, None], trials)
    weight = weight * boxes[..., -1]
    columns = np.stack([weight, weight * flux], axis=1)
    shape, level = columns @ g, columns @ boxes
    gg = (weight[:, None, :] @ (g * g))[:, 0, :, None]
    g1, gy = shape[:, 0, :, None], shape[:, 1, :, None]
    s1, sy = level[:, 0, None, :], level[:, 1, None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        free = gg - g1 * g1 / s1
        free = np.where(free > 1e-9 * gg, free, np.nan)
        overlap = gy - g1 * sy / s1
        score = overlap / np.sqrt(free)
        area = overlap / free
        if not np.all(samples.weighted):
            total = (columns[:, 1:] * flux[:, None, :] @ boxes)[:, :1, :] - sy * sy / s1
            dof = np.maximum((weight > 0)[:, None, :] @ boxes - 2.0, 1.0)
            scatter = np.maximum(total - score * score, 0.0) / dof
            score = np.where(samples.weighted[search.which][:, None, None], score, score / np.sqrt(scatter))
    score = search.signed(score)
    evidence = 0.5 * np.abs(score) * score + np.log(trials.cell)[:, None]
    best = np.zeros(n, int)
    for i in range(trials.half.size):
        own = np.flatnonzero(trials.level == i)
        challenger = own[evidence[:, own, i].argmax(axis=1)]
        best = (
            challenger
            if i == 0
            else np.where(evidence[rows, challenger, i] > evidence[rows, best, i], challenger, best)
        )
    pair = np.maximum(trials.level, trials.level[best][:, None])
    column = np.arange(trials.level.size)
    with np.errstate(invalid="ignore"):  # where no trial is determined
        odds = evidence[rows[:, None], column, pair] - evidence[rows[:, None], best[:, None], pair]
    odds = odds + np.log(trials.cell[best] * WIDTH_CELL)[:, None]
    ratio = trials.width / trials.width[best][:, None]
    shift = np.abs(trials.offset - trials.offset[best][:, None])
    same = (np.maximum(ratio, 1.0 / ratio) < SAME_WIDTH) & (
        shift < SAME_PLACE * np.maximum(trials.width, trials.width[best][:, None])
    )
    return _Scan(
        grid[here] + trials.offset[best],
        trials.width[best],
        score[rows, best, trials.level[best]],
        np.where(same | np.isnan(odds), -np.inf, odds),
        grid[here][:, None] + trials.offset,
        trials.width,
        area[rows[:, None], column, pair] * trials.width * ROOT_2PI,
    )


def best_fits(search: Search) -> GaussianFits:
    """Start every fit from the width and place of largest evidence, then refine with a window to match."""
    scan = _scan(search)
    fits = _refined(search, scan.center, np.maximum(scan.sigma, search.lower * 1.05))
    return _with_rivals(fits, scan)


def _with_rivals(fits: GaussianFits, scan: _Scan) -> GaussianFits:
    """Errors enlarged by the chance that the line is another one than the best fit, such as the broad one around it."""
    if np.max(scan.odds) < -20.0:
        return fits
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # the probability of the fit itself, by Laplace's approximation, over the density of the trial it started from
        own = 0.5 * (fits.snr**2 - scan.score**2) + np.log(2.0 * np.pi * fits.center_err * fits.sigma_err / fits.sigma)
        chance = np.exp(np.minimum(scan.odds - own[:, None], 30.0))
        chance = chance / (1.0 + np.sum(chance, axis=1, keepdims=True))
        chance = RIVAL_SHARE * np.where(np.isfinite(chance), chance, 0.0)

        def enlarged(error: np.ndarray, value: np.ndarray, other: np.ndarray) -> np.ndarray:
            far = np.where(chance > 0, chance * (other - value[:, None]) ** 2, 0.0)
            return np.sqrt(error**2 + np.sum(far, axis=1))

        return replace(
            fits,
            center_err=enlarged(fits.center_err, fits.center, scan.place),
            sigma_err=enlarged(fits.sigma_err, fits.sigma, np.broadcast_to(scan.width, scan.place.shape)),
            flux_err=enlarged(fits.flux_err, fits.flux, scan.area),
        )


def _refined(search: Search, center: np.ndarray, sigma: np.ndarray) -> GaussianFits:
    """Fits from given starts (n,), in windows that follow the width."""
    fits: GaussianFits | None = None
    pending = np.arange(center.size)
    for _ in range(3):  # a line that turns out broader than its window is fitted again in a wider one
        half = half_window(sigma[pending], search.window)
        reach = np.maximum(MAX_SHIFT, 0.5 * sigma[pending])
        # the middle of a line that is seen lies where the spectrum is
        low, high = (
            np.clip(search.wavelengths[pending] + side * reach, *search.samples.wavelength[[0, -1]])
            for side in (-1.0, 1.0)
        )
        part = gather(search.samples, search.which[pending], center[pending], half)
        found = fit_gaussians(
            part,
            center[pending],
            sigma[pending],
            center_low=low,
            center_high=high,
            sigma_low=search.lower[pending],
            sigma_high=np.minimum(search.sigma_max, half / 2.0),
            absorption=search.absorption,
            sloped=sigma[pending] > SLOPE_SIGMA,
        )
        fits = found if fits is None else fits.replaced(pending, found)
        if search.window is not None:
            break
        changed = np.abs(half_window(found.sigma, None) / half - 1.0) > 0.3
        if not np.any(changed):
            break
        pending = pending[changed]
        sigma[pending] = fits.sigma[pending]
        center[pending] = fits.center[pending]
    assert fits is not None
    return fits
