"""Many Gaussians on constant continua, fitted at once: the arithmetic below the line fits, on plain arrays.

Shapes: `b` fits, `w` samples in a window. The parameters are area, centre, σ, continuum and, in wide windows, the slope
of the continuum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from elixer_widgets.detection import Spectrum

PARAMETERS = 5
_DIAGONAL = np.arange(PARAMETERS)
ROOT_2PI = float(np.sqrt(2.0 * np.pi))
MAX_STEPS = 40
TOLERANCE = 1e-5
"""A fit has converged when a step lowers χ² by less than this fraction."""

LEAST_DAMPING = 1e-8
"""Keeps the normal equations solvable where the samples do not determine all parameters."""

NOISE_BIAS = 0.95
"""Least squares moves centre and width to where noise adds to the line: the maximised SNR² exceeds the true one by the
number of parameters of the line, 3, so that the flux comes out too large by about 1/SNR² of itself (the mean of
√(SNR² + 3) less what the scatter of SNR takes off). The flux is corrected for it: 4 % at S/N 5, 0.4 % at S/N 15."""

WIDTH_BIAS = 1.7
"""A width is a scale: its errors are symmetric in ln σ, and a fit that came out narrow claims too small an error. The
width lies between the mode and the mean of its distribution, above the best fit by this over SNR² of itself, so that
neither the mean nor the median of (fitted - true) / error is off by a tenth."""

CURVATURE = np.array([2.0, 11.0, 8.0])
"""The covariance matrix is the first order in noise over signal; the scatter of simulated fits exceeds it by the factor
√(1 + CURVATURE / SNR²) in flux, centre and width. Measured, as the two above, at S/N 4 to 50 and σ 2 to 30 Å on other
simulated lines than those of docs/line_fits.md."""

CURVED_SNR = 6.0
LEAST_SNR = 4.0
"""Below these, the factor of the errors and the corrections of flux and width stay as they are there."""


@dataclass
class Samples:
    """Spectra on one grid: `wavelength` (n,), `flux` and `ivar` (s, n), zero weight where masked."""

    wavelength: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    weighted: np.ndarray
    step: np.ndarray

    @classmethod
    def of(cls, spectra: Sequence[Spectrum]) -> Samples:
        """Stack spectra; those without errors weigh all good samples alike."""
        good = np.array([each.good for each in spectra])
        flux = np.where(good, np.array([each.flux for each in spectra]), 0.0)
        weighted = np.array([each.has_error for each in spectra])
        error = np.where(good & weighted[:, None], np.array([each.error for each in spectra]), 1.0)
        wavelength = np.asarray(spectra[0].wavelength)
        step = np.empty(wavelength.size)
        step[1:-1] = 0.5 * (wavelength[2:] - wavelength[:-2])
        step[0], step[-1] = wavelength[1] - wavelength[0], wavelength[-1] - wavelength[-2]
        return cls(wavelength, flux, np.where(good, 1.0 / (error * error), 0.0), weighted, step)

    @cached_property
    def uniform(self) -> bool:
        """Whether the samples are equally spaced."""
        return bool(np.ptp(np.diff(self.wavelength)) <= 1e-6 * self.step[0])

    @cached_property
    def good(self) -> np.ndarray:
        """Boolean, shape (s, n)."""
        return self.ivar > 0


@dataclass
class Windows:
    """Windows cut out of Samples, all of shape (b, w), with zero weight outside; `weighted` is (b,).

    `tilt` is what the slope of the continuum multiplies: -1 to 1 over the window, 0 where the continuum is constant.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    ivar: np.ndarray
    step: np.ndarray
    weighted: np.ndarray
    tilt: np.ndarray | None = None

    def only(self, rows: np.ndarray) -> Windows:
        """Some of the windows."""
        return Windows(
            self.wavelength[rows],
            self.flux[rows],
            self.ivar[rows],
            self.step[rows],
            self.weighted[rows],
            None if self.tilt is None else self.tilt[rows],
        )

    @cached_property
    def root(self) -> np.ndarray:
        """1/error, 0 where masked."""
        return np.sqrt(self.ivar)


@dataclass
class GaussianFits:
    """Fitted Gaussians, every field of shape (b,); fluxes in (flux density) x Å."""

    flux: np.ndarray
    center: np.ndarray
    sigma: np.ndarray
    continuum: np.ndarray
    flux_err: np.ndarray
    center_err: np.ndarray
    sigma_err: np.ndarray
    continuum_err: np.ndarray
    snr: np.ndarray
    chi2: np.ndarray
    n_samples: np.ndarray
    at_low: np.ndarray
    at_high: np.ndarray
    at_center: np.ndarray
    converged: np.ndarray
    slope: np.ndarray

    def replaced(self, rows: np.ndarray, other: GaussianFits) -> GaussianFits:
        """A copy in which `rows` are those of `other`."""
        out = {}
        for each in fields(self):
            array = getattr(self, each.name).copy()
            array[rows] = getattr(other, each.name)
            out[each.name] = array
        return GaussianFits(**out)


def gather(samples: Samples, which: np.ndarray, centers: np.ndarray, half: np.ndarray) -> Windows:
    """Cut windows of `half` Å on either side of `centers` (both (b,)) out of the spectra `which`."""
    grid = samples.wavelength
    first = np.searchsorted(grid, centers - half, side="left")
    last = np.searchsorted(grid, centers + half, side="right")
    width = max(1, int(np.max(last - first)))
    index = first[:, None] + np.arange(width)
    inside = index < last[:, None]
    index = np.minimum(index, grid.size - 1)
    rows = which[:, None]
    return Windows(
        grid[index],
        samples.flux[rows, index],
        np.where(inside, samples.ivar[rows, index], 0.0),
        samples.step[index],
        samples.weighted[which],
    )


def linear_amplitudes(
    part: Windows, centers: np.ndarray, sigma: np.ndarray | float, *, inflate: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Areas of Gaussians of fixed centre and width, the continuum free, by linear least squares.

    Parameters
    ----------
    part : Windows
    centers : array, shape (b, k)
        k trial centres a window.
    sigma : float or array that broadcasts to (b, k, 1)

    Returns
    -------
    area, area_err : array, shape (b, k)
        NaN where the samples do not determine them. Without errors, `area_err` follows from the residuals; with
        `inflate` also where χ² exceeds its expectation by 3σ, as it does where the window holds more than one line.
    """
    t = (part.wavelength[:, None, :] - centers[:, :, None]) / sigma
    g = np.exp(-0.5 * t**2) / (np.asarray(sigma) * ROOT_2PI)
    w = part.ivar
    gg = np.einsum("bkw,bkw,bw->bk", g, g, w)
    g1 = np.einsum("bkw,bw->bk", g, w)
    gy = np.einsum("bkw,bw->bk", g, w * part.flux)
    s1 = np.sum(w, axis=1)[:, None]
    sy = np.sum(w * part.flux, axis=1)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        determinant = gg * s1 - g1**2
        determinant = np.where(determinant > 1e-9 * gg * s1, determinant, np.nan)
        area = (gy * s1 - g1 * sy) / determinant
        variance = s1 / determinant
        if inflate or not np.all(part.weighted):
            syy = np.sum(w * part.flux**2, axis=1)[:, None]
            continuum = (sy - area * g1) / s1
            chi2 = syy - area * gy - continuum * sy
            dof = np.maximum(np.sum(w > 0, axis=1)[:, None] - 2, 1)
            scatter = np.maximum(chi2, 0.0) / dof
            excess = np.where(scatter > 1.0 + 3.0 * np.sqrt(2.0 / dof), scatter, 1.0) if inflate else 1.0
            variance = variance * np.where(part.weighted[:, None], excess, scatter)
        return area, np.sqrt(variance)


def _normal(p: np.ndarray, part: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """χ² (b,), JᵀWJ (b, 5, 5) and JᵀWr (b, 5) of the model at `p` (b, 5)."""
    area, center, sigma, continuum, tilt = p.T[:, :, None]
    t = (part.wavelength - center) / sigma
    g = np.exp(-0.5 * t * t) / (sigma * ROOT_2PI)
    line = area * g
    rise = line / sigma
    jacobian = np.empty((p.shape[0], PARAMETERS + 1, t.shape[1]))
    jacobian[:, 0] = g
    jacobian[:, 1] = rise * t
    jacobian[:, 2] = rise * (t * t - 1.0)
    jacobian[:, 3] = 1.0
    model = line + continuum
    if part.tilt is None:
        jacobian[:, 4] = 0.0
    else:
        jacobian[:, 4] = part.tilt
        model = model + tilt * part.tilt
    jacobian[:, 5] = part.flux - model
    jacobian *= part.root[:, None, :]
    # the residual as one more column gives Hessian, gradient and χ² in one product
    product = jacobian @ jacobian.transpose(0, 2, 1)
    return product[:, 5, 5], product[:, :5, :5], product[:, :5, 5]


def _solve(hessian: np.ndarray, gradient: np.ndarray, damping: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Damped Newton step (b, 5), zero for parameters that are not `free`; scaled so that units do not matter."""
    diagonal = hessian[:, _DIAGONAL, _DIAGONAL]
    scale = np.where(free & (diagonal > 0), np.sqrt(np.maximum(diagonal, 1e-300)), np.inf)
    scaled = hessian / (scale[:, :, None] * scale[:, None, :])
    scaled[:, _DIAGONAL, _DIAGONAL] = 1.0 + damping[:, None]
    return np.linalg.solve(scaled, (gradient / scale)[:, :, None])[:, :, 0] / scale


def fit_gaussians(
    part: Windows,
    center: np.ndarray,
    sigma: np.ndarray,
    *,
    center_low: np.ndarray,
    center_high: np.ndarray,
    sigma_low: np.ndarray,
    sigma_high: np.ndarray,
    absorption: bool | None = None,
    sloped: np.ndarray | None = None,
) -> GaussianFits:
    """Least-squares fits from the starting values `center` and `sigma` (b,), within bounds (b,).

    `sloped` (b,) says where the continuum may have a slope.

    Levenberg-Marquardt (Marquardt 1963, J. SIAM 11, 431) with the analytic Jacobian; a parameter that a step would
    carry over its bound stops there and is left out of the next step while the gradient points outwards.
    """
    b = center.size
    n_samples = np.sum(part.ivar > 0, axis=1)
    sigma_high = np.maximum(sigma_high, sigma_low * 1.001)
    area_low = np.full(b, 0.0 if absorption is False else -np.inf)
    area_high = np.full(b, 0.0 if absorption is True else np.inf)
    unbound = np.full(b, np.inf)
    low = np.stack([area_low, center_low, sigma_low, -unbound, -unbound], axis=1)
    high = np.stack([area_high, center_high, sigma_high, unbound, unbound], axis=1)
    middle = center
    reach = np.max(np.abs(part.wavelength - middle[:, None]) * (part.ivar > 0), axis=1)
    reach = np.where(reach > 0, reach, 1.0)
    if sloped is not None and sloped.any():
        tilt = (part.wavelength - middle[:, None]) / reach[:, None]
        part = replace(part, tilt=np.where(sloped[:, None], tilt, 0.0))
    sigma = np.clip(sigma, sigma_low, sigma_high)
    center = np.clip(center, center_low, center_high)
    area, _ = linear_amplitudes(part, center[:, None], sigma[:, None, None])
    total = np.sum(part.ivar, axis=1)
    safe = np.where(total > 0, total, 1.0)
    start = np.where(np.isfinite(area[:, 0]), area[:, 0], 0.0)
    t = (part.wavelength - center[:, None]) / sigma[:, None]
    line = np.exp(-0.5 * t * t) / (sigma[:, None] * ROOT_2PI)
    level = np.sum(part.ivar * (part.flux - start[:, None] * line), axis=1) / safe
    p = np.clip(np.stack([start, center, sigma, level, np.zeros(b)], axis=1), low, high)
    chi2, hessian, converged = _descend(p, part, low, high)
    fits = _finished(p, chi2, hessian, part, low, high, n_samples, converged)
    slope = p[:, 4] / reach
    return replace(fits, slope=slope, continuum=fits.continuum + slope * (fits.center - middle))


def _descend(
    p: np.ndarray, part: Windows, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levenberg-Marquardt from `p` (b, 5), changed in place; χ² (b,), Hessian (b, 5, 5) and convergence (b,)."""
    b = p.shape[0]
    final_chi2, final_hessian, final_converged = np.zeros(b), np.zeros((b, PARAMETERS, PARAMETERS)), np.zeros(b, bool)
    rows, now, damping = np.arange(b), p.copy(), np.full(b, 1e-3)
    chi2, hessian, gradient = _normal(now, part)
    done = np.zeros(b, bool)
    for _ in range(MAX_STEPS):
        free = ~(((now <= low) & (gradient < 0)) | ((now >= high) & (gradient > 0)))
        trial = np.minimum(np.maximum(now + _solve(hessian, gradient, damping, free), low), high)
        trial_chi2, trial_hessian, trial_gradient = _normal(trial, part)
        better = (trial_chi2 <= chi2) & ~done
        done |= (better & (chi2 - trial_chi2 <= TOLERANCE * (chi2 + 1e-12))) | (damping > 1e8)
        now = np.where(better[:, None], trial, now)
        hessian = np.where(better[:, None, None], trial_hessian, hessian)
        gradient = np.where(better[:, None], trial_gradient, gradient)
        chi2 = np.where(better, trial_chi2, chi2)
        damping = np.where(better, np.maximum(damping * 0.1, LEAST_DAMPING), damping * 10.0)
        if done.all():
            break
        if rows.size > 16 and done.mean() > 0.3:  # go on with those that still move
            p[rows], final_chi2[rows], final_hessian[rows], final_converged[rows] = now, chi2, hessian, done
            keep = ~done
            rows, now, damping, done = rows[keep], now[keep], damping[keep], done[keep]
            chi2, hessian, gradient = chi2[keep], hessian[keep], gradient[keep]
            low, high, part = low[keep], high[keep], part.only(keep)
    p[rows], final_chi2[rows], final_hessian[rows], final_converged[rows] = now, chi2, hessian, done
    return final_chi2, final_hessian, final_converged


def levenberg(
    normal: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]],
    p: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Levenberg-Marquardt for one model of any number k of parameters.

    `normal` gives χ², Hessian (k, k) and gradient (k,) at a point. Returns χ², parameters and Hessian of the best point
    within the bounds.
    """
    p = np.clip(p, low, high)
    chi2, hessian, gradient = normal(p)
    damping = 1e-2
    for _ in range(2 * MAX_STEPS):
        diagonal = np.diag(hessian)
        free = ~(((p <= low) & (gradient < 0)) | ((p >= high) & (gradient > 0))) & (diagonal > 0)
        if not free.any():
            break
        scale = np.sqrt(diagonal[free])
        scaled = hessian[np.ix_(free, free)] / np.outer(scale, scale)
        scaled[np.diag_indices_from(scaled)] = 1.0 + damping
        trial = p.copy()
        trial[free] += np.linalg.solve(scaled, gradient[free] / scale) / scale
        trial = np.clip(trial, low, high)
        trial_chi2, trial_hessian, trial_gradient = normal(trial)
        if trial_chi2 <= chi2:
            gained = chi2 - trial_chi2
            p, chi2, hessian, gradient = trial, trial_chi2, trial_hessian, trial_gradient
            damping = max(damping * 0.1, LEAST_DAMPING)
            if gained <= TOLERANCE * chi2:
                break
        else:
            damping *= 10.0
            if damping > 1e8:
                break
    return chi2, p, hessian


def _finished(
    p: np.ndarray,
    chi2: np.ndarray,
    hessian: np.ndarray,
    part: Windows,
    low: np.ndarray,
    high: np.ndarray,
    n_samples: np.ndarray,
    converged: np.ndarray,
) -> GaussianFits:
    """Errors, signal to noise and limits reached."""
    constant = hessian[:, 4, 4] <= 0
    hessian = hessian.copy()
    hessian[constant, 4, 4] = 1.0
    dof = np.maximum(n_samples - np.where(constant, 4, 5), 1)
    reduced = chi2 / dof
    diagonal = np.sqrt(np.maximum(np.einsum("bii->bi", hessian), 1e-300))
    scaled = hessian / (diagonal[:, :, None] * diagonal[:, None, :])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        usable = np.linalg.det(scaled) > 1e-12
        scaled[~usable] = np.eye(PARAMETERS)
        variance = np.einsum("bii->bi", np.linalg.inv(scaled)) / diagonal**2
        variance[~usable] = np.nan
        scatter = np.where(part.weighted, 1.0, reduced)
        error = np.sqrt(variance * scatter[:, None])
        area, center, sigma, continuum, slope = p.T
        # hessian[:, 0, 0] is Σ(g/error)², so this is the matched filter's signal to noise
        snr = np.abs(area) * np.sqrt(hessian[:, 0, 0] / np.maximum(scatter, 1e-300))
        effective = np.maximum(snr, LEAST_SNR)
    few = n_samples < 5
    flux = np.where(few, np.nan, area * (1.0 - NOISE_BIAS / effective**2))
    error[:, :3] *= np.sqrt(1.0 + CURVATURE / np.maximum(snr, CURVED_SNR)[:, None] ** 2)
    close = 1e-6
    return GaussianFits(
        flux, center, sigma * (1.0 + WIDTH_BIAS / effective**2), continuum,
        error[:, 0], error[:, 1], error[:, 2], error[:, 3],
        snr, reduced, n_samples,
        sigma <= low[:, 2] * (1 + close), sigma >= high[:, 2] * (1 - close),
        (center <= low[:, 1] + close) | (center >= high[:, 1] - close), converged, slope,
    )  # fmt: skip
