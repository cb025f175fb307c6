"""Lines that are no single Gaussian: a narrow line on a broad one, and lines with one wing longer than the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import NAN, Spectrum
from elixer_widgets.spectra.fitting import FLUX_UNIT, MIN_SAMPLES, LineFit, fit_line, minimum_sigma
from elixer_widgets.spectra.gaussians import ROOT_2PI, levenberg
from elixer_widgets.spectra.starts import MAX_SHIFT, SIGMA_MAX, half_window

WANTED = 10.0
"""ΔBIC from which a second component is wanted ("very strong": Kass & Raftery 1995, J. Am. Stat. Assoc. 90, 773)."""

WIDER = 1.6
"""The broad component is at least so many times as wide as the narrow one; closer widths are one line."""

STARTS = ((1.0, 3.5), (0.45, 1.4), (0.7, 6.0))
"""Widths of the narrow and the broad component tried first, in units of the σ of the single Gaussian."""


@dataclass(frozen=True)
class BroadNarrowFit:
    """A narrow Gaussian on a broad one, on a continuum with a slope.

    Attributes
    ----------
    center, center_err : float
        Of the narrow component, Å in air.
    narrow_sigma, narrow_sigma_err, broad_sigma, broad_sigma_err : float
        Å.
    narrow_flux, narrow_flux_err, broad_flux, broad_flux_err : float
        erg/s/cm².
    shift, shift_err : float
        Centre of the broad component less that of the narrow one, Å; 0 with a NaN error if they were held together.
    continuum, continuum_err : float
        At the centre, 1e-17 erg/s/cm²/Å.
    chi2 : float
        Reduced.
    gain : float
        χ² of the best single Gaussian over the same samples less that of the two.
    bic : float
        `gain` less ln(samples) for every further parameter (Schwarz 1978, Ann. Stat. 6, 461): positive favours two.
    flags : tuple of str
    slope : float
        Of the continuum, 1e-17 erg/s/cm²/Å per Å.
    """

    center: float
    narrow_sigma: float
    broad_sigma: float
    narrow_flux: float
    broad_flux: float
    continuum: float
    shift: float = 0.0
    center_err: float = NAN
    narrow_sigma_err: float = NAN
    broad_sigma_err: float = NAN
    narrow_flux_err: float = NAN
    broad_flux_err: float = NAN
    shift_err: float = NAN
    continuum_err: float = NAN
    chi2: float = NAN
    gain: float = NAN
    bic: float = NAN
    flags: tuple[str, ...] = ()
    slope: float = 0.0

    def model(self, wavelength: np.ndarray) -> np.ndarray:
        """The fitted curve, both components and continuum, in 1e-17 erg/s/cm²/Å at `wavelength` (Å in air)."""
        offset = np.asarray(wavelength, float) - self.center
        out = self.continuum + self.slope * offset
        for flux, shift, sigma in (
            (self.narrow_flux, 0.0, self.narrow_sigma),
            (self.broad_flux, self.shift, self.broad_sigma),
        ):
            t = (offset - shift) / sigma
            out = out + flux / FLUX_UNIT / (sigma * ROOT_2PI) * np.exp(-0.5 * t * t)
        return out

    @property
    def flux(self) -> float:
        """Of both together, erg/s/cm²."""
        return self.narrow_flux + self.broad_flux

    @property
    def is_wanted(self) -> bool:
        """Whether the data ask for the second component; one without flux is none."""
        return bool(self.bic > WANTED and self.narrow_flux != 0.0 and self.broad_flux != 0.0)


@dataclass(frozen=True)
class _Samples:
    """What is fitted: offsets from the line (Å), flux, 1/error, and half the window (Å)."""

    x: np.ndarray
    flux: np.ndarray
    root: np.ndarray
    half: float

    @classmethod
    def of(cls, spectrum: Spectrum, center: float, half: float, scatter: float) -> _Samples:
        keep = spectrum.good & (np.abs(spectrum.wavelength - center) <= half)
        n = int(keep.sum())
        root = 1.0 / np.asarray(spectrum.error)[keep] if spectrum.has_error else np.full(n, scatter**-0.5)
        return cls(np.asarray(spectrum.wavelength)[keep] - center, np.asarray(spectrum.flux)[keep], root, half)

    def normal(self, p: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """χ², Hessian and gradient of two Gaussians: area, centre, σ, continuum, tilt; area, shift, σ of the other."""
        area, center, sigma, level, tilt, area2, shift, sigma2 = p
        rows = np.empty((9, self.x.size))
        both = np.zeros(self.x.size)
        for a, c, s, i in ((area, center, sigma, 0), (area2, center + shift, sigma2, 5)):
            t = (self.x - c) / s
            g = np.exp(-0.5 * t * t) / (s * ROOT_2PI)
            rows[i], rows[i + 1], rows[i + 2] = g, a * g * t / s, a * g * (t * t - 1.0) / s
            both += a * g
        rows[1] += rows[6]  # the broad one moves with the narrow one
        rows[3], rows[4] = 1.0, self.x / self.half
        rows[8] = self.flux - both - level - tilt * rows[4]
        rows *= self.root
        product = rows @ rows.T
        return float(product[8, 8]), product[:8, :8], product[:8, 8]


def fit_broad_narrow(spectrum: Spectrum, line: LineFit | float, *, free_center: bool = False) -> BroadNarrowFit:
    """Fit a narrow Gaussian on a broad one, and say whether the broad one is wanted.

    Parameters
    ----------
    spectrum : Spectrum
        With neighbours taken off.
    line : LineFit or float
        A single Gaussian's fit, or the wavelength (Å in air).
    free_center : bool
        Whether the broad component may lie elsewhere than the narrow one, by up to half its σ.

    Returns
    -------
    BroadNarrowFit
        NaN with a flag where there is too little to fit. Both components have the sign of the single fit. Errors from
        the covariance matrix.

    Raises
    ------
    DataError
        If a wavelength is given that lies outside the spectrum.
    """
    alone = line if isinstance(line, LineFit) else fit_line(spectrum, line)
    nothing = BroadNarrowFit(alone.center, NAN, NAN, NAN, NAN, NAN, flags=("too few samples to fit",))
    if not np.isfinite(alone.flux_err):
        return nothing
    half = float(half_window(np.asarray(min(3.0 * alone.sigma, SIGMA_MAX)), None))
    part = _Samples.of(spectrum, alone.center, half, alone.chi2)
    if part.x.size < MIN_SAMPLES + 5:
        return nothing
    lowest, area = minimum_sigma(spectrum), alone.flux / FLUX_UNIT
    limits = (-np.inf, 0.0) if alone.is_absorption else (0.0, np.inf)
    reach = max(MAX_SHIFT, 0.5 * alone.sigma)
    left, right = np.clip([-reach, reach], *(spectrum.wavelength[[0, -1]] - alone.center))
    low = np.array([limits[0], left, lowest, -np.inf, -np.inf, 0.0, 0.0, lowest])
    high = np.array([limits[1], right, SIGMA_MAX, np.inf, np.inf, 0.0, 0.0, SIGMA_MAX])
    single, _, _ = levenberg(part.normal, np.array([area, 0, alone.sigma, alone.continuum, 0, 0, 0, 20.0]), low, high)
    low[5], high[5] = limits
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for narrow, broad in STARTS:
        sigma = max(narrow * alone.sigma, 1.05 * lowest)
        sigma2 = min(max(broad * alone.sigma, 1.2 * WIDER * sigma), 0.9 * SIGMA_MAX)
        # apart, so that the two do not change places
        middle = float(np.sqrt(sigma * sigma2))
        high[2], low[7] = middle, middle
        if free_center:
            low[6], high[6] = -0.5 * sigma2, 0.5 * sigma2
        start = np.array([0.6 * area, 0.0, sigma, alone.continuum, 0.0, 0.6 * area, 0.0, sigma2])
        found = levenberg(part.normal, start, low, high)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    chi2, p, hessian = best
    free = np.array([0, 1, 2, 3, 4, 5, 6, 7] if free_center else [0, 1, 2, 3, 4, 5, 7])
    error = _errors(hessian, free)
    gain = single - chi2
    flags = []
    if p[2] <= lowest * 1.000001:
        flags.append("width at the instrument limit")
    if p[7] < WIDER * p[2]:
        flags.append("the two widths are alike")
    return BroadNarrowFit(
        alone.center + float(p[1]), float(p[2]), float(p[7]), float(p[0]) * FLUX_UNIT, float(p[5]) * FLUX_UNIT,
        float(p[3] + p[4] * p[1] / half), float(p[6]),
        center_err=float(error[1]), narrow_sigma_err=float(error[2]), broad_sigma_err=float(error[7]),
        narrow_flux_err=float(error[0]) * FLUX_UNIT, broad_flux_err=float(error[5]) * FLUX_UNIT,
        shift_err=float(error[6]), continuum_err=float(error[3]), chi2=chi2 / max(part.x.size - free.size, 1),
        gain=gain, bic=gain - (free.size - 5) * float(np.log(part.x.size)), flags=tuple(flags),
        slope=float(p[4]) / half,
    )  # fmt: skip


def _errors(hessian: np.ndarray, free: np.ndarray) -> np.ndarray:
    """√diagonal of the inverse of the free part, NaN elsewhere or where it cannot be inverted."""
    out = np.full(hessian.shape[0], np.nan)
    inner = hessian[np.ix_(free, free)]
    scale = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    scaled = inner / np.outer(scale, scale)
    if np.all(np.isfinite(scaled)) and np.linalg.cond(scaled) < 1e12:
        out[free] = np.sqrt(np.diag(np.linalg.inv(scaled))) / scale
    return out


def line_asymmetry(spectrum: Spectrum, line: LineFit) -> tuple[float, float]:
    """Whether one wing of a line is longer than the other, as Lyα's red one.

    Parameters
    ----------
    spectrum : Spectrum
        With neighbours taken off.
    line : LineFit
        The Gaussian fit of the line.

    Returns
    -------
    value, error : float
        The Gauss-Hermite coefficient h₃ (van der Marel & Franx 1993, ApJ 407, 525): positive if the red wing is the
        longer, 0 for a Gaussian; the skewness is about 4√3 h₃. NaN where the line was not fitted or is not covered.

    Notes
    -----
    Linear least squares of what H₃ times the Gaussian adds, with all parameters of the Gaussian and the continuum free
    to move along, so that the error holds what they take up.
    """
    missing = (NAN, NAN)
    if not (np.isfinite(line.flux) and np.isfinite(line.sigma) and line.flux != 0):
        return missing
    part = _Samples.of(spectrum, line.center, float(half_window(np.asarray(line.sigma), None)), line.chi2)
    if part.x.size < MIN_SAMPLES:
        return missing
    t = part.x / line.sigma
    g = line.amplitude * np.exp(-0.5 * t * t)
    rows = [g, t * g, (t * t - 1.0) * g, np.ones(t.size), g * (2.0 * t**3 - 3.0 * t) / np.sqrt(3.0)]
    if line.slope != 0.0:
        rows.append(t)
    design = np.stack(rows) * part.root
    hessian = design @ design.T
    error = _errors(hessian, np.arange(len(rows)))
    if not np.isfinite(error[4]):
        return missing
    solution = np.linalg.solve(hessian, design @ (part.flux * part.root))
    if solution[0] <= 0.0:
        return missing
    return float(solution[4] / solution[0]), float(error[4] / solution[0])
