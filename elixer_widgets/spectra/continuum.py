"""Continuum estimates from the spectrum: beside the line, and through the g band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.integrate import trapezoid

from elixer_widgets.detection import NAN, Magnitude, Spectrum
from elixer_widgets.spectra.correlation import noise_correlation
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

NARROW_LINE = 10.0
"""Å; σ below which an emission line is taken to stand on the continuum, not to be a part of it."""

G_EFFECTIVE = 4726.1
"""Å; effective wavelength of the g band in ELiXer."""

G_FILTER = "sdss2010-g"
"""speclite's name of the SDSS g band at 1.2 airmass (Doi et al. 2010, AJ 139, 1628)."""

TYPICAL_SLOPE = -1.5
"""f_λ ∝ λ^β of what is behind a line: between Lyα emitters (about -1.8) and [O II] galaxies (about -1)."""

SLOPE_ERROR = 0.7
"""Standard deviation of β over what may be behind a line; our estimate."""

SHAPE_ERROR = 0.2
"""By how much the slope of the whole band may miss that towards the line: no continuum is a power law; our estimate."""


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


@lru_cache(maxsize=1)
def _g_curve() -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths (Å) and response of the g band."""
    # speclite brings astropy's tables and YAML reader with it; nothing but the g band needs them
    from speclite.filters import load_filter

    curve = load_filter(G_FILTER)
    return np.asarray(curve.wavelength, float), np.asarray(curve.response, float)


def g_response(wavelength: np.ndarray) -> np.ndarray:
    """Response of the SDSS g band (per photon) at `wavelength` (Å), 0 outside the band."""
    return np.interp(wavelength, *_g_curve(), left=0.0, right=0.0)


@lru_cache(maxsize=1)
def g_width() -> float:
    """∫ R/λ dλ of the g band, R being the response per photon."""
    wavelength, response = _g_curve()
    return float(trapezoid(response / wavelength, wavelength))


@dataclass(frozen=True, eq=False)
class _Band:
    """The g band on one wavelength grid: what each sample adds to ∫ R/λ dλ, and ln λ/λ_eff."""

    share: np.ndarray
    color: np.ndarray


@lru_cache(maxsize=16)
def _band_on(grid: bytes) -> _Band:
    wavelength = np.frombuffer(grid)
    share = g_response(wavelength) * np.gradient(wavelength) / wavelength
    return _Band(share, np.log(wavelength / G_EFFECTIVE))


@lru_cache(maxsize=1)
def _whole_band() -> _Band:
    """The same on the filter's own samples."""
    return _band_on(_g_curve()[0].tobytes())


def narrow_continuum(spectrum: Spectrum, fit: LineFit, *, correlated: bool = False) -> ContinuumEstimate:
    """The constant continuum that was fitted together with the line.

    Parameters
    ----------
    spectrum : Spectrum
        The spectrum fitted.
    fit : LineFit
    correlated : bool
        Whether the fit's errors allow for correlated noise already (`with_correlated_noise`).

    Returns
    -------
    ContinuumEstimate
        Named "narrow"; a limit at 2σ if the continuum is below 2σ. The error includes the noise's correlation.
    """
    if not np.isfinite(fit.continuum):
        return ContinuumEstimate("narrow", NAN, note="the line could not be fitted")
    error = fit.continuum_err
    if spectrum.has_error and not correlated:
        # The fit takes its samples as independent
        error *= correlation_factor(spectrum, np.asarray(spectrum.good))
    return _estimate("narrow", fit.continuum, error, fit.center, "")


def wide_continuum(
    spectrum: Spectrum, wavelength: float = NAN, lines: Sequence[LineFit] = (), depth: float = NAN
) -> ContinuumEstimate:
    """The continuum from the whole spectrum through the g band, lines left out.

    Parameters
    ----------
    spectrum : Spectrum
    wavelength : float
        Å; where the continuum is wanted. By default the band's effective one.
    lines : sequence of LineFit
        Left out by 3σ on either side.
    depth : float
        Magnitude beyond which sky subtraction is not trusted; a fainter continuum becomes a limit at `depth`.

    Returns
    -------
    ContinuumEstimate
        Named "wide", band "g"; NaN if less than half of the band is covered. The colour term, from the band to the
        line and for what is masked, follows the spectrum's own slope as far as it is measured, else the typical one;
        what is not known of it is in the error.
    """
    place = wavelength if np.isfinite(wavelength) else G_EFFECTIVE
    usable = spectrum.good & ~sky_mask(spectrum.wavelength)
    band = _band_average(spectrum, usable & _off_lines(spectrum, lines))
    if not np.isfinite(band.flux):
        # the broad bumps and troughs of a bright continuum are its own: without them little of the band is left
        narrow = [each for each in lines if not each.is_absorption and each.sigma < NARROW_LINE]
        band = _band_average(spectrum, usable & _off_lines(spectrum, narrow))
    if not np.isfinite(band.flux):
        return ContinuumEstimate("wide", NAN, band="g", note="less than half of the g band is covered")
    value, error = band.at(place)
    return _estimate("wide", value, error, place, "g", depth)


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
    band = _band_average(spectrum, np.asarray(spectrum.good))
    estimate = _estimate("spectrum", band.flux, band.error, G_EFFECTIVE, "g", depth)
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

    √(1 + 2 Σ ρ_k) over the lags k, ρ being the autocorrelation of the noise (Bartlett 1946).

    Parameters
    ----------
    spectrum : Spectrum
        With errors.
    keep : array of bool, shape (n,)
        Samples to use.
    """
    seen = Spectrum(spectrum.wavelength, spectrum.flux, np.where(keep, np.asarray(spectrum.error), 0.0))
    return float(np.sqrt(max(1.0, 1.0 + 2.0 * float(np.sum(noise_correlation(seen)[1:])))))


def _typical(band: _Band, keep: np.ndarray | slice, slope: float) -> tuple[float, float]:
    """Mean of (λ/λ_eff)^slope over a part of the band, and the derivative of its logarithm with the slope."""
    share, color = band.share[keep], band.color[keep]
    power = share * np.exp(slope * color)
    total = float(power.sum())
    return total / float(share.sum()), float((power @ color) / total)


@dataclass(frozen=True)
class _Average:
    """f_ν averaged over the g band, as flux density at its effective wavelength (1e-17 erg/s/cm²/Å), and its error.

    `slope` is that of f_ν ∝ λ^slope, with its error.
    """

    flux: float
    error: float
    slope: float = TYPICAL_SLOPE + 2.0
    slope_err: float = SLOPE_ERROR

    def at(self, wavelength: float) -> tuple[float, float]:
        """Flux density at a wavelength (Å) and its error, the colour term's included."""
        mean, middle = _typical(_whole_band(), slice(None), self.slope)
        color = float(np.log(wavelength / G_EFFECTIVE))
        scale = float(np.exp(self.slope * color) / mean * (G_EFFECTIVE / wavelength) ** 2)
        missing = abs(color - middle) * float(np.hypot(self.slope_err, SHAPE_ERROR))
        return self.flux * scale, float(np.hypot(self.error * scale, missing * max(self.flux, 0.0) * scale))


def _slope(color: np.ndarray, f_nu: np.ndarray, error: np.ndarray, correlation: float) -> tuple[float, float]:
    """Slope of f_ν ∝ λ^slope and its error: the likeliest, the typical one being known beforehand.

    Gauss-Newton steps on the slope, the height being the best one at each (Golub & Pereyra 1973, SIAM J. Numer. Anal.
    10, 413).
    """
    typical = TYPICAL_SLOPE + 2.0
    weight = 1.0 / (error * correlation) ** 2
    slope, information = typical, 0.0
    for _ in range(5):
        model = np.exp(slope * color)
        w_model = weight * model
        norm, first, second = w_model @ model, (w_model * color) @ model, (w_model * color**2) @ model
        height = (w_model @ f_nu) / norm
        if not height > 0:
            return typical, SLOPE_ERROR
        gradient = height * ((w_model * color) @ f_nu - height * first)
        information = height**2 * (second - first**2 / norm)
        step = (gradient + (typical - slope) / SLOPE_ERROR**2) / (information + SLOPE_ERROR**-2)
        slope = float(np.clip(slope + step, -6.0, 6.0))
    return slope, float(1.0 / np.sqrt(information + SLOPE_ERROR**-2))


def _band_average(spectrum: Spectrum, keep: np.ndarray) -> _Average:
    """The g band's average over the samples to keep, the rest of the band filled in with the spectrum's own slope.

    The AB magnitude is that of ∫ f_λ λ R dλ / (c ∫ R/λ dλ) for the response R per photon.
    """
    wavelength = np.asarray(spectrum.wavelength, float)
    band = _band_on(np.ascontiguousarray(wavelength).tobytes())
    keep = keep & (band.share > 0)
    seen = float(np.sum(band.share[keep]))
    if seen < 0.5 * g_width():
        return _Average(NAN, NAN)
    color = band.color[keep]
    to_f_nu = np.exp(2.0 * color)
    f_nu = np.asarray(spectrum.flux)[keep] * to_f_nu
    kernel = band.share[keep] / seen
    correlation = 1.0
    if spectrum.has_error:
        sigma = np.asarray(spectrum.error)[keep]
        correlation = correlation_factor(spectrum, keep)
    else:
        scatter = np.diff(np.asarray(spectrum.flux)[keep]) / np.sqrt(2.0)
        if not scatter.size:
            return _Average(NAN, NAN)
        sigma = np.full(color.size, 1.4826 * float(np.median(np.abs(scatter))))
    sigma = sigma * to_f_nu
    slope, slope_err = TYPICAL_SLOPE + 2.0, SLOPE_ERROR
    if np.all(sigma > 0):
        slope, slope_err = _slope(color, f_nu, sigma, correlation)
    (whole, middle), (part, middle_seen) = (
        _typical(_whole_band(), slice(None), slope),
        _typical(band, keep, slope),
    )
    flux = float(kernel @ f_nu) * whole / part
    error = float(np.sqrt(np.sum((kernel * sigma) ** 2))) * correlation * whole / part
    missing = abs(middle - middle_seen) * slope_err * max(flux, 0.0)
    return _Average(flux, float(np.hypot(error, missing)), slope, slope_err)


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
