"""Doublets: two components at a known distance, with one redshift and one width.

At HETDEX's resolution [O II] 3727,3729, C III], C IV and Mg II show as one line, a little broader than the instrument
makes it. The model says what the intrinsic width and the ratio of the components are, and how much better than a
single Gaussian it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import NAN, DataError, Spectrum
from elixer_widgets.spectra.fitting import (
    FLUX_UNIT,
    MIN_HALF_WINDOW,
    SIGMA_MAX,
    WINDOW_SIGMAS,
    LineFit,
    fit_line,
    minimum_sigma,
)
from elixer_widgets.spectra.gaussians import ROOT_2PI, levenberg
from elixer_widgets.spectra.lines import LINES, Line
from elixer_widgets.spectra.wavelengths import air_to_vacuum, vacuum_to_air


@dataclass(frozen=True)
class DoubletFit:
    """Two Gaussians of one redshift and width on a constant continuum.

    Attributes
    ----------
    line : str
        Name in the line list.
    redshift, redshift_err : float
        Of both components, from vacuum wavelengths.
    sigma, sigma_err : float
        Gaussian σ of one component in Å as observed.
    flux, flux_err : float
        Of both components together, erg/s/cm².
    share, share_err : float
        Share of the redder component in the flux; `share_err` is NaN if it was held at the value of the line list.
    continuum, continuum_err : float
        1e-17 erg/s/cm²/Å.
    chi2 : float
        Reduced.
    gain : float
        χ² of the single Gaussian less that of the doublet over the same samples: positive favours the doublet.
    flags : tuple of str
    """

    line: str
    redshift: float
    sigma: float
    flux: float
    continuum: float
    redshift_err: float = NAN
    sigma_err: float = NAN
    flux_err: float = NAN
    share: float = NAN
    share_err: float = NAN
    continuum_err: float = NAN
    chi2: float = NAN
    gain: float = NAN
    flags: tuple[str, ...] = ()

    def model(self, wavelength: np.ndarray) -> np.ndarray:
        """The fitted curve, both components and continuum, in 1e-17 erg/s/cm²/Å at `wavelength` (Å in air)."""
        x = np.asarray(air_to_vacuum(np.asarray(wavelength, float)))
        (blue, _), (red, _) = LINES[self.line].components
        height = self.flux / FLUX_UNIT / (self.sigma * ROOT_2PI)
        out = np.full(x.shape, self.continuum)
        for wave, weight in ((blue, 1.0 - self.share), (red, self.share)):
            t = (x - wave * (1.0 + self.redshift)) / self.sigma
            out += height * weight * np.exp(-0.5 * t * t)
        return out


def fit_doublet(
    spectrum: Spectrum, line: Line, redshift: float, *, free_ratio: bool = False, single: LineFit | None = None
) -> DoubletFit:
    """Fit `line`, a doublet of the line list, near `redshift`.

    Parameters
    ----------
    spectrum : Spectrum
        With or without errors.
    line : Line
        With two components.
    redshift : float
        Where to start; the centre may move by 8 Å.
    free_ratio : bool
        Let the ratio of the components vary (from 0 to 1 of the flux in either); else it is that of the line list.
    single : LineFit, optional
        The single Gaussian to compare with, if it is at hand.

    Returns
    -------
    DoubletFit
        NaN with a flag where there is too little to fit.

    Raises
    ------
    DataError
        If `line` has not two components, or lies outside the spectrum.
    """
    if len(line.components) != 2:
        raise DataError(f"fit_doublet: {line.label} has {len(line.components)} components; give a line with two")
    alone = fit_line(spectrum, float(vacuum_to_air(line.vacuum * (1.0 + redshift)))) if single is None else single
    if not np.isfinite(alone.flux):
        return DoubletFit(line.name, NAN, NAN, NAN, NAN, flags=("too few samples to fit",))
    (blue, blue_strength), (red, red_strength) = line.components
    usual = red_strength / (blue_strength + red_strength)
    half = max(MIN_HALF_WINDOW, WINDOW_SIGMAS * alone.sigma)
    keep = spectrum.good & (np.abs(spectrum.wavelength - alone.center) <= half)
    x = np.asarray(air_to_vacuum(spectrum.wavelength[keep]))
    y = np.asarray(spectrum.flux)[keep]
    root = 1.0 / np.asarray(spectrum.error)[keep] if spectrum.has_error else np.ones(x.size)
    center = float(air_to_vacuum(alone.center))
    start_z = center / line.vacuum - 1.0
    lowest = minimum_sigma(spectrum)
    spread = line.spread * (1.0 + start_z)
    width = float(np.sqrt(max(alone.sigma**2 - spread**2, (1.1 * lowest) ** 2)))
    slack = 8.0 / line.vacuum
    first, last = air_to_vacuum(spectrum.wavelength[[0, -1]]) / line.vacuum - 1.0  # the middle lies where something is
    low = np.array([-np.inf, max(start_z - slack, first), lowest, -np.inf, 0.0 if free_ratio else usual])
    high = np.array([np.inf, min(start_z + slack, last), SIGMA_MAX, np.inf, 1.0 if free_ratio else usual])

    def normal(p: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        area, z, sigma, continuum, share = p
        rows = np.zeros((6, x.size))
        model = np.full(x.size, continuum)
        for wave, weight, sign in ((blue, 1.0 - share, -1.0), (red, share, 1.0)):
            t = (x - wave * (1.0 + z)) / sigma
            g = np.exp(-0.5 * t * t) / (sigma * ROOT_2PI)
            model = model + area * weight * g
            rows[0] += weight * g
            rows[1] += area * weight * g * t / sigma * wave
            rows[2] += area * weight * g * (t * t - 1.0) / sigma
            rows[4] += sign * area * g
        rows[3] = 1.0
        if not free_ratio:
            rows[4] = 0.0
        rows[5] = y - model
        rows *= root
        product = rows @ rows.T
        return float(product[5, 5]), product[:5, :5], product[:5, 5]

    chi2, p, hessian = levenberg(
        normal, np.array([alone.flux / FLUX_UNIT, start_z, width, alone.continuum, usual]), low, high
    )
    free = np.array([0, 1, 2, 3, 4] if free_ratio else [0, 1, 2, 3])
    diagonal = np.sqrt(np.maximum(np.diag(hessian)[free], 1e-300))
    scaled = hessian[np.ix_(free, free)] / np.outer(diagonal, diagonal)
    reduced = chi2 / max(x.size - free.size, 1)
    error = np.full(5, np.nan)
    if np.linalg.cond(scaled) < 1e12:
        error[free] = np.sqrt(np.diag(np.linalg.inv(scaled)) * (1.0 if spectrum.has_error else reduced)) / diagonal
    residual = (y - alone.model(np.asarray(spectrum.wavelength)[keep])) * root
    flags = ("width at the instrument limit",) if p[2] <= lowest * 1.000001 else ()
    return DoubletFit(
        line.name, float(p[1]), float(p[2]), float(p[0]) * FLUX_UNIT, float(p[3]),
        redshift_err=float(error[1]), sigma_err=float(error[2]), flux_err=float(error[0]) * FLUX_UNIT,
        share=float(p[4]), share_err=float(error[4]), continuum_err=float(error[3]), chi2=float(reduced),
        gain=float(residual @ residual - chi2), flags=flags,
    )  # fmt: skip
