"""Continuum estimates from the spectrum: beside the line, and through the g band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.integrate import trapezoid
from scipy.ndimage import median_filter

from elixer_widgets.detection import NAN, Magnitude, Spectrum
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.wavelengths import sky_mask

SPEED_OF_LIGHT = 2.99792458e18
"""Å/s."""

AB_ZERO = 48.60
"""AB magnitude = -2.5 log10(f_ν / (erg/s/cm²/Hz)) - 48.60 (Oke & Gunn 1983, ApJ 266, 713)."""

CGS = 1e-17
"""erg/s/cm²/Å in one unit of flux density."""

LIMIT_SIGMA = 2.0
"""A continuum below this many σ is given as a limit at this many σ."""

SMOOTHING = 51
"""Samples of the running median that stands for the continuum when the noise is examined."""

MAX_LAG = 5
"""Samples over which noise may be correlated: the fiber extraction and the line spread function reach so far."""

NARROW_LINE = 10.0
"""Å; σ below which an emission line is taken to stand on the continuum, not to be a part of it."""

G_EFFECTIVE = 4726.1
"""Å; effective wavelength of the g band in ELiXer."""

# Response of the SDSS g band at 1.2 airmass (Doi et al. 2010, AJ 139, 1628, table 4), every 40 Å from 3620 Å.
_G_START, _G_STEP = 3620.0, 40.0
_G_RESPONSE = (
    0.0001, 0.0016, 0.0021, 0.0019, 0.0029, 0.0072, 0.0224, 0.0478, 0.0809, 0.1186, 0.1653, 0.1944, 0.2212, 0.2446,
    0.2615, 0.2728, 0.2840, 0.2954, 0.3058, 0.3147, 0.3236, 0.3326, 0.3401, 0.3463, 0.3525, 0.3585, 0.3636, 0.3685,
    0.3728, 0.3772, 0.3807, 0.3843, 0.3879, 0.3909, 0.3940, 0.3968, 0.3995, 0.4018, 0.4012, 0.3979, 0.3921, 0.3676,
    0.2920, 0.1719, 0.0769, 0.0341, 0.0162, 0.0082, 0.0044, 0.0021, 0.0002,
)  # fmt: skip


@dataclass(frozen=True)
class ContinuumEstimate:
    """One estimate of the continuum under the line.

    Attributes
    ----------
    name : str
        "narrow", "wide", "aperture g", "source r", "catalog HSC r", "combined", ...
    value, error : float
        1e-17 erg/s/cm²/Å at the line's wavelength. For a limit `value` is the limit at `limit_sigma` σ.
    is_limit : bool
        True if nothing was detected: the continuum is below `value`.
    magnitude, magnitude_err : float
        The AB magnitude it stands for (a limit if `is_limit`).
    band : str
        Filter, empty for the spectrum's own narrow estimate.
    weight : float
        Its weight in the combined continuum (0: not used, NaN: not combined).
    note : str
    """

    name: str
    value: float
    error: float = NAN
    is_limit: bool = False
    limit_sigma: float = NAN
    magnitude: float = NAN
    magnitude_err: float = NAN
    band: str = ""
    weight: float = NAN
    note: str = ""


def ab_magnitude(flux_density: float, wavelength: float) -> float:
    """AB magnitude of a flux density (1e-17 erg/s/cm²/Å) at a wavelength (Å); NaN if it is not positive."""
    if not flux_density > 0:
        return NAN
    f_nu = flux_density * 1e-17 * wavelength**2 / SPEED_OF_LIGHT
    return float(-2.5 * np.log10(f_nu) - AB_ZERO)


def flux_density(magnitude: float, wavelength: float) -> float:
    """Flux density (1e-17 erg/s/cm²/Å) at a wavelength (Å) of an AB magnitude."""
    return float(10.0 ** (-0.4 * (magnitude + AB_ZERO)) * SPEED_OF_LIGHT / wavelength**2 * 1e17)


def rest_width(
    flux: float, flux_err: float, continuum: ContinuumEstimate, redshift: float
) -> tuple[float, float, bool]:
    """Rest-frame equivalent width, flux / continuum / (1 + z).

    Parameters
    ----------
    flux, flux_err : float
        erg/s/cm².
    continuum : ContinuumEstimate
    redshift : float

    Returns
    -------
    (width, error, is_lower_limit) : (float, float, bool)
        Å. NaN where the continuum is not positive: the width has no value then. A lower limit has only the line's
        part of the error.
    """
    if not continuum.value > 0 or not np.isfinite(flux) or not redshift > -1:
        return NAN, NAN, False
    width = flux / (continuum.value * CGS) / (1.0 + redshift)
    relative = [flux_err / flux if flux else NAN]
    if not continuum.is_limit:
        relative.append(continuum.error / continuum.value)
    error = float(abs(width) * np.sqrt(sum(r * r for r in relative)))
    return width, error, continuum.is_limit


def g_response(wavelength: np.ndarray) -> np.ndarray:
    """Relative response of the SDSS g band (per photon) at `wavelength` (Å), 0 outside the band."""
    knots = _G_START + _G_STEP * np.arange(len(_G_RESPONSE))
    return np.interp(wavelength, knots, _G_RESPONSE, left=0.0, right=0.0)


def narrow_continuum(spectrum: Spectrum, fit: LineFit) -> ContinuumEstimate:
    """The constant continuum that was fitted together with the line.

    Parameters
    ----------
    spectrum : Spectrum
        The spectrum fitted.
    fit : LineFit

    Returns
    -------
    ContinuumEstimate
        Named "narrow"; a limit at 2σ if the continuum is below 2σ.
    """
    if not np.isfinite(fit.continuum):
        return ContinuumEstimate("narrow", NAN, note="the line could not be fitted")
    return _estimate("narrow", fit.continuum, fit.continuum_err, fit.center, "")


def wide_continuum(
    spectrum: Spectrum, wavelength: float = NAN, lines: Sequence[LineFit] = (), depth: float = NAN
) -> ContinuumEstimate:
    """The continuum from the whole spectrum through the g band, lines left out.

    Parameters
    ----------
    spectrum : Spectrum
    wavelength : float
        Å; where the continuum is wanted (a spectrum flat in f_ν is assumed). By default the band's effective one.
    lines : sequence of LineFit
        Left out by 3σ on either side.
    depth : float
        Magnitude beyond which sky subtraction is not trusted; a fainter continuum becomes a limit at `depth`.

    Returns
    -------
    ContinuumEstimate
        Named "wide", band "g"; NaN if less than half of the band is covered.
    """
    place = wavelength if np.isfinite(wavelength) else G_EFFECTIVE
    usable = spectrum.good & ~sky_mask(spectrum.wavelength)
    f_nu, error = _band_average(spectrum, usable & _off_lines(spectrum, lines))
    if not np.isfinite(f_nu):
        # the broad bumps and troughs of a bright continuum are its own: without them little of the band is left
        narrow = [each for each in lines if not each.is_absorption and each.sigma < NARROW_LINE]
        f_nu, error = _band_average(spectrum, usable & _off_lines(spectrum, narrow))
    if not np.isfinite(f_nu):
        return ContinuumEstimate("wide", NAN, band="g", note="less than half of the g band is covered")
    # the average is in the units of a flux density at the effective wavelength; flat f_ν takes it to the line
    scale = (G_EFFECTIVE / place) ** 2
    return _estimate("wide", f_nu * scale, error * scale, place, "g", depth)


def _off_lines(spectrum: Spectrum, lines: Sequence[LineFit]) -> np.ndarray:
    """Boolean, shape (n,): samples farther than 3σ from every line."""
    off = np.ones(spectrum.wavelength.size, dtype=bool)
    for each in lines:
        if np.isfinite(each.sigma):
            off &= np.abs(spectrum.wavelength - each.center) > 3.0 * each.sigma
    return off


def g_magnitude(spectrum: Spectrum, depth: float = NAN) -> Magnitude:
    """Synthetic SDSS g magnitude of the spectrum, lines included.

    Parameters
    ----------
    spectrum : Spectrum
    depth : float
        Magnitude beyond which sky subtraction is not trusted: what is fainter is a limit at `depth`.

    Returns
    -------
    Magnitude
        A limit at 2σ if the flux through the band is below 2σ; NaN if less than half of the band is covered.
    """
    flux, error = _band_average(spectrum, np.asarray(spectrum.good))
    estimate = _estimate("spectrum", flux, error, G_EFFECTIVE, "g", depth)
    return Magnitude(
        "g",
        estimate.magnitude,
        estimate.magnitude_err,
        is_limit=estimate.is_limit,
        limit_sigma=estimate.limit_sigma,
        source="spectrum",
    )


def correlation_factor(spectrum: Spectrum, keep: np.ndarray) -> float:
    """By how much the error of an average exceeds that for independent samples, 1 or more.

    √(1 + 2 Σ ρ_k) over the lags k to MAX_LAG, with the autocorrelation ρ of the spectrum over its error after a
    running median is taken off (Bartlett 1946). A sum that noise alone could make counts as 0.

    Parameters
    ----------
    spectrum : Spectrum
        With errors.
    keep : array of bool, shape (n,)
        Samples to use.
    """
    values = np.asarray(spectrum.flux)[keep] / np.asarray(spectrum.error)[keep]
    if values.size < 4 * SMOOTHING:
        return 1.0
    values = values - median_filter(values, SMOOTHING, mode="nearest")
    spread = 1.4826 * float(np.median(np.abs(values)))
    if not spread > 0:
        return 1.0
    values = np.clip(values / spread, -4.0, 4.0)  # a line or a cosmic ray is no noise
    values = values - values.mean()
    variance = float(np.mean(values**2))
    lags = [float(np.mean(values[k:] * values[:-k])) / variance for k in range(1, MAX_LAG + 1)]
    excess = 2.0 * sum(lags)
    by_chance = 2.0 * np.sqrt(MAX_LAG / values.size)
    return float(np.sqrt(1.0 + excess)) if excess > 2.0 * by_chance else 1.0


def _band_average(spectrum: Spectrum, keep: np.ndarray) -> tuple[float, float]:
    """f_ν averaged over the g band, as flux density at its effective wavelength (1e-17 erg/s/cm²/Å), and its error.

    The AB magnitude is that of ∫ f_λ λ R dλ / (c ∫ R/λ dλ) for the response R per photon.
    """
    wavelength = np.asarray(spectrum.wavelength)
    weight = g_response(wavelength) * np.gradient(wavelength)
    fine = np.linspace(_G_START, _G_START + _G_STEP * (len(_G_RESPONSE) - 1), 1000)
    whole = float(trapezoid(g_response(fine) / fine, fine))
    seen = float(np.sum(weight[keep] / wavelength[keep]))
    if seen < 0.5 * whole:
        return NAN, NAN
    # over the part that is seen: the spectrum is taken to be flat in f_ν across small gaps
    kernel = weight[keep] * wavelength[keep] / seen / G_EFFECTIVE**2
    flux = float(np.sum(kernel * spectrum.flux[keep]))
    if spectrum.has_error:
        error = float(np.sqrt(np.sum((kernel * np.asarray(spectrum.error)[keep]) ** 2)))
        error *= correlation_factor(spectrum, keep)
    else:
        scatter = np.diff(np.asarray(spectrum.flux)[keep]) / np.sqrt(2.0)
        if not scatter.size:
            return NAN, NAN
        error = float(1.4826 * np.median(np.abs(scatter)) * np.sqrt(np.sum(kernel**2)))
    return flux, error


def _estimate(
    name: str, value: float, error: float, wavelength: float, band: str, depth: float = NAN
) -> ContinuumEstimate:
    """A measurement, or a limit where it is one."""
    if not np.isfinite(value):
        return ContinuumEstimate(name, NAN, band=band, note="not covered")
    floor = flux_density(depth, wavelength) if np.isfinite(depth) else 0.0
    if not value > max(LIMIT_SIGMA * error, floor):
        limit = max(LIMIT_SIGMA * error, floor)
        return ContinuumEstimate(
            name, limit, error, True, LIMIT_SIGMA, ab_magnitude(limit, wavelength), NAN, band,
            note="below the limit",
        )  # fmt: skip
    magnitude_err = 2.5 / np.log(10.0) * error / value
    return ContinuumEstimate(
        name, value, error, magnitude=ab_magnitude(value, wavelength), magnitude_err=float(magnitude_err), band=band
    )
