"""Gaussian line fits: weighted least squares with the error as σ, one line or thousands at once.

The optimiser is a batched Levenberg-Marquardt with the analytic Jacobian: all fits of a call take their steps together
in arrays of shape (fits, samples), so that a fit costs microseconds in a batch and well under a millisecond alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from elixer_widgets._arguments import instance, instances, number
from elixer_widgets.detection import NAN, DataError, Spectrum
from elixer_widgets.spectra.gaussians import GaussianFits, Samples, gather, linear_amplitudes
from elixer_widgets.spectra.starts import (  # noqa: F401 (the windows are part of what a fit is)
    MIN_HALF_WINDOW,
    SIGMA_MAX,
    SIGMA_WIDEST,
    WINDOW_SIGMAS,
    Search,
    best_fits,
    half_window,
)
from elixer_widgets.spectra.wavelengths import sky_mask

FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))

FLUX_UNIT = 1e-17
"""erg/s/cm² of one unit of (flux density of a Spectrum) x Å."""

BLOCK = 128
"""Fits taken together: more do not fit into the processor's cache, and are slower."""

NARROWEST = 0.7
"""Lower limit of σ in units of the line spread function: below lies only noise (and cosmic rays)."""

MIN_SAMPLES = 7
"""A fit of four parameters asks for a few samples more than that."""

AT_LIMIT = "width at the upper limit"
VERY_BROAD = "broader than 55 Å: perhaps the shape of the continuum"
NO_FLUX = "broader than can be measured here: no flux is given"

NEAR_SIDE, FAR_SIDE = 1.5, 3.0
"""σ of a line broader than `SIGMA_MAX` that the spectrum must cover on its one and its other side: with less, line and
continuum cannot be told apart."""

LEAST_CERTAIN = 0.33
"""Relative error of the flux beyond which so broad a line is rather the shape of the continuum."""

WIDEST_WINDOW = 1e6
"""Å; a larger window or width is a mistake."""

CORE = 12.0
MIN_CORE_SAMPLES = 2
"""So many good samples must lie within CORE Å of the wavelength asked for, or the line itself was not seen."""


@dataclass(frozen=True)
class LineFit:
    """A Gaussian on a local continuum, constant except under broad lines.

    Attributes
    ----------
    center, center_err : float
        Å in air.
    sigma, sigma_err : float
        Gaussian σ in Å as observed (the line spread function included).
    flux, flux_err : float
        erg/s/cm²; negative for absorption.
    continuum, continuum_err : float
        Local continuum, 1e-17 erg/s/cm²/Å.
    snr : float
        Signal to noise of the line, positive for emission and absorption: that of the matched filter,
        √Σ(line/error)², the largest that any weighting of the samples can reach.
    chi2 : float
        Reduced χ² over the window.
    n_samples : int
        Unmasked samples fitted.
    significance : float
        σ after correction for the number of places tried; NaN for a line that was asked for.
    flags : tuple of str
        What is doubtful, in words ("width at the instrument limit", "beside a masked sample", ...).
    slope : float
        Slope of the continuum, 1e-17 erg/s/cm²/Å per Å; 0 but for broad lines. `continuum` is that at the centre.
    """

    center: float
    sigma: float
    flux: float
    continuum: float
    snr: float
    chi2: float
    center_err: float = NAN
    sigma_err: float = NAN
    flux_err: float = NAN
    continuum_err: float = NAN
    n_samples: int = 0
    significance: float = NAN
    flags: tuple[str, ...] = ()
    slope: float = 0.0

    @property
    def fwhm(self) -> float:
        """Å."""
        return self.sigma * FWHM_PER_SIGMA

    @property
    def is_absorption(self) -> bool:
        """Whether the line lies below the continuum."""
        return self.flux < 0

    @property
    def amplitude(self) -> float:
        """Height of the peak over the continuum, 1e-17 erg/s/cm²/Å."""
        return self.flux * 1e17 / (self.sigma * float(np.sqrt(2.0 * np.pi)))

    def model(self, wavelength: np.ndarray) -> np.ndarray:
        """The fitted curve, line and continuum, in 1e-17 erg/s/cm²/Å at `wavelength` (Å)."""
        offset = np.asarray(wavelength, float) - self.center
        return self.continuum + self.slope * offset + self.profile(wavelength)

    def profile(self, wavelength: np.ndarray) -> np.ndarray:
        """The line without its continuum, in 1e-17 erg/s/cm²/Å at `wavelength` (Å)."""
        x = (np.asarray(wavelength, float) - self.center) / self.sigma
        return self.amplitude * np.exp(-0.5 * x**2)


def minimum_sigma(spectrum: Spectrum) -> float:
    """The narrowest σ (Å) that a fit may take: from the line spread function, else from the sampling."""
    if np.isfinite(spectrum.lsf_sigma) and spectrum.lsf_sigma > 0:
        return max(NARROWEST * spectrum.lsf_sigma, 0.4 * spectrum.step)
    return 0.7 * spectrum.step


def fit_line(
    spectrum: Spectrum,
    wavelength: float,
    *,
    window: float | None = None,
    sigma_max: float = SIGMA_MAX,
    absorption: bool | None = None,
    subtract: Sequence[LineFit] = (),
) -> LineFit:
    """Fit the line near `wavelength` with a Gaussian on a constant continuum.

    Parameters
    ----------
    spectrum : Spectrum
        Masked samples are left out. Without errors all samples weigh alike, and the errors of the fit follow from the
        scatter of its residuals.
    wavelength : float
        Å in air. The centre may move by 8 Å, or by half the line's σ if that is more.
    window : float, optional
        Half width in Å of the part fitted; by default it follows the width of the line.
    sigma_max : float, optional
        Largest σ in Å. By default a line that reaches 55 Å is fitted again as broad as it is; where the spectrum does
        not allow that, its flux is NaN, and `flags` says so.
    absorption : bool, optional
        Only absorption (True) or only emission (False); by default whichever is stronger.
    subtract : sequence of LineFit
        Other lines, taken off (without their continuum) before the fit.

    Returns
    -------
    LineFit
        Errors from the covariance matrix, enlarged at low S/N and by the chance that the line is another, broader or
        narrower, than the best fit. Where too little is left to fit, `center` is `wavelength`, all else NaN, and
        `flags` says why.

    Raises
    ------
    DataError
        If the wavelength is not a number or lies outside the spectrum.
    """
    return fit_lines(
        spectrum, [wavelength], window=window, sigma_max=sigma_max, absorption=absorption, subtract=subtract
    )[0]


def fit_lines(
    spectrum: Spectrum,
    wavelengths: ArrayLike,
    *,
    window: float | None = None,
    sigma_max: float = SIGMA_MAX,
    absorption: bool | None = None,
    subtract: Sequence[LineFit] = (),
) -> list[LineFit]:
    """Fit many lines of one spectrum, each on its own, in one vectorised call.

    Parameters
    ----------
    spectrum : Spectrum
    wavelengths : array_like, shape (m,)
        Å in air.
    window, sigma_max, absorption, subtract
        As for `fit_line`.

    Returns
    -------
    list of LineFit, length m

    Raises
    ------
    DataError
        If a wavelength is not a number or lies outside the spectrum.
    """
    centers = _checked(spectrum, wavelengths, window, sigma_max, absorption)
    if instances(subtract, LineFit, "fit_line: subtract"):
        spectrum = without_lines(spectrum, subtract)
    fits = fit_many([spectrum], centers, np.zeros(centers.size, int), window, sigma_max, absorption)
    if window is not None or sigma_max != SIGMA_MAX:  # a person's own limits
        return fits
    return [
        widened(spectrum, float(center), fit, absorption) or without_low_flux(fit)
        for center, fit in zip(centers, fits, strict=True)
    ]


def _checked(
    spectrum: Spectrum, wavelengths: ArrayLike, window: float | None, sigma_max: float, absorption: bool | None
) -> np.ndarray:
    """The wavelengths as an array, if all that a person gave can be used."""
    instance(spectrum, Spectrum, "fit_line: spectrum")
    try:
        centers = np.atleast_1d(np.asarray(wavelengths, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(f"fit_line: wavelength {wavelengths!r:.60} is not a number; give Å in air") from error
    if centers.ndim != 1:
        raise DataError(f"fit_line: wavelengths of shape {centers.shape} are not a list; give Å in air")
    if window is not None:
        number(window, "fit_line: window", "half the width in Å, such as 40", above=0.0, most=WIDEST_WINDOW)
    number(sigma_max, "fit_line: sigma_max", "the largest σ in Å, such as 20", above=0.0, most=WIDEST_WINDOW)
    if absorption is not None and not isinstance(absorption, bool | np.bool_):
        raise DataError(f"fit_line: absorption {absorption!r:.60} is not possible; give True, False or None")
    return centers


def widened(spectrum: Spectrum, wavelength: float, fit: LineFit, absorption: bool | None) -> LineFit | None:
    """A line that reached `SIGMA_MAX` fitted as broad as it is; None for any other, or where the spectrum is too short.

    A Gaussian held at the limit leaves the wings to the continuum, and its flux is too low by what they hold.
    """
    if AT_LIMIT not in fit.flags:
        return None
    wide = fit_many([spectrum], np.array([wavelength]), np.zeros(1, int), None, SIGMA_WIDEST, absorption)[0]
    sides = sorted((wide.center - spectrum.wavelength[0], spectrum.wavelength[-1] - wide.center))
    seen = sides[0] >= NEAR_SIDE * wide.sigma and sides[1] >= FAR_SIDE * wide.sigma
    good = np.isfinite(wide.flux) and wide.flux_err < LEAST_CERTAIN * abs(wide.flux)
    if not (seen and good) or AT_LIMIT in wide.flags or wide.sigma > 0.98 * SIGMA_WIDEST:
        return None
    return replace(wide, flags=(*wide.flags, VERY_BROAD)) if wide.sigma > SIGMA_MAX else wide


def without_low_flux(fit: LineFit) -> LineFit:
    """The fit as it is handed out: without a flux where its width stopped at the limit, for that flux is too low."""
    if AT_LIMIT not in fit.flags:
        return fit
    return replace(fit, flux=NAN, flux_err=NAN, flags=(*fit.flags, NO_FLUX))


def fit_many(
    spectra: Sequence[Spectrum],
    wavelengths: np.ndarray,
    which: np.ndarray,
    window: float | None = None,
    sigma_max: float = SIGMA_MAX,
    absorption: bool | None = None,
) -> list[LineFit]:
    """Fit lines of many spectra on one grid: line i lies at `wavelengths[i]` of `spectra[which[i]]`.

    Raises
    ------
    DataError
        If the spectra differ in their wavelengths, or a wavelength is outside them.
    """
    if wavelengths.size == 0:
        return []
    first = spectra[0]
    for wavelength in wavelengths:
        if not first.wavelength[0] <= wavelength <= first.wavelength[-1]:
            raise DataError(
                f"fit_line: wavelength {wavelength:g} Å lies outside the spectrum ({first.wavelength[0]:g} to "
                f"{first.wavelength[-1]:g} Å); give the line's observed wavelength in air"
            )
    if any(each.wavelength.size != first.wavelength.size for each in spectra[1:]) or any(
        not np.array_equal(each.wavelength, first.wavelength) for each in spectra[1:]
    ):
        raise DataError("fit_many: the spectra do not share one wavelength grid; fit them one by one")
    samples = Samples.of(spectra)
    lower = np.array([minimum_sigma(each) for each in spectra])[which]
    out: list[LineFit] = []
    for start in range(0, wavelengths.size, BLOCK):
        part = slice(start, start + BLOCK)
        search = Search(samples, which[part], wavelengths[part], lower[part], window, sigma_max, absorption)
        out += _line_fits(spectra, samples, which[part], wavelengths[part], best_fits(search))
    return out


def without_lines(spectrum: Spectrum, lines: Sequence[LineFit]) -> Spectrum:
    """The spectrum with `lines` taken off, their continua left."""
    flux = np.array(spectrum.flux)
    for each in lines:
        if np.isfinite(each.flux):
            flux -= each.profile(spectrum.wavelength)
    return Spectrum(spectrum.wavelength, flux, spectrum.error, spectrum.lsf_sigma, spectrum.aperture_correction)


def blended_model(line: LineFit, lines: Sequence[LineFit], wavelength: np.ndarray) -> np.ndarray:
    """A fitted line on its continuum together with the others of the spectrum, which were taken off before the fit.

    Parameters
    ----------
    line : LineFit
    lines : sequence of LineFit
        What was found in the spectrum; the one at `line`'s own place counts as `line`.
    wavelength : array
        Å in air.

    Returns
    -------
    array
        1e-17 erg/s/cm²/Å, to be laid over the data.
    """
    model = line.model(wavelength)
    for each in lines:
        if np.isfinite(each.flux) and abs(each.center - line.center) > max(2.0, 0.5 * min(each.sigma, line.sigma)):
            model = model + each.profile(wavelength)
    return model


def _line_fits(
    spectra: Sequence[Spectrum],
    samples: Samples,
    which: np.ndarray,
    wavelengths: np.ndarray,
    fits: GaussianFits,
) -> list[LineFit]:
    """Turn arrays of fits into LineFit objects, with what is doubtful in words."""
    grid = samples.wavelength
    in_sky = sky_mask(fits.center)
    core = gather(samples, which, wavelengths, np.full(wavelengths.size, CORE))
    core_seen = np.sum(core.ivar > 0, axis=1) >= MIN_CORE_SAMPLES
    out = []
    for i, row in enumerate(which):
        spectrum = spectra[row]
        if fits.n_samples[i] < MIN_SAMPLES or not core_seen[i] or not np.isfinite(fits.flux[i]):
            out.append(
                LineFit(
                    float(wavelengths[i]), NAN, NAN, NAN, NAN, NAN,
                    n_samples=int(fits.n_samples[i]), flags=("too few samples to fit",),
                )
            )  # fmt: skip
            continue
        center, sigma = float(fits.center[i]), float(fits.sigma[i])
        flags = []
        if fits.at_low[i]:
            flags.append("width at the instrument limit")
        if fits.at_high[i]:
            flags.append(AT_LIMIT)
        if fits.at_center[i]:
            flags.append("centre at the edge of the search")
        if not fits.converged[i]:
            flags.append("fit not converged")
        if not spectrum.has_error:
            flags.append("no errors given: errors from the scatter")
        low, high = np.searchsorted(grid, (center - 3.0 * sigma, center + 3.0 * sigma))
        if not np.all(samples.good[row, low:high]):
            flags.append("beside a masked sample")
        if center - 2.0 * sigma < grid[0] or center + 2.0 * sigma > grid[-1]:
            flags.append("at the edge of the spectrum")
        if in_sky[i]:
            flags.append("in a strong sky line")
        out.append(
            LineFit(
                center=center,
                sigma=sigma,
                flux=float(fits.flux[i]) * FLUX_UNIT,
                continuum=float(fits.continuum[i]),
                snr=float(fits.snr[i]),
                chi2=float(fits.chi2[i]),
                center_err=float(fits.center_err[i]),
                sigma_err=float(fits.sigma_err[i]),
                flux_err=float(fits.flux_err[i]) * FLUX_UNIT,
                continuum_err=float(fits.continuum_err[i]),
                n_samples=int(fits.n_samples[i]),
                flags=tuple(flags),
                slope=float(fits.slope[i]),
            )
        )
    return out


def forced_flux(
    spectrum: Spectrum, centers: ArrayLike, sigma: ArrayLike, *, subtract: Sequence[LineFit] = (), inflate: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Line fluxes at given places with a given width: only the height and the local continuum are free.

    Parameters
    ----------
    spectrum : Spectrum
    centers : array_like, shape (m,)
        Å in air; may lie outside the spectrum.
    sigma : array_like, shape (m,) or scalar
        Gaussian σ in Å.
    subtract : sequence of LineFit
        Lines (without their continuum) taken off first, so that their wings do not count.

    inflate : bool
        Enlarge the errors where the window is not described by one line on a flat continuum (χ² too large by 3σ).

    Returns
    -------
    flux, flux_err : array, shape (m,)
        erg/s/cm², negative in absorption; NaN where less than half of the line is covered by good samples.
    """
    places = np.atleast_1d(np.asarray(centers, dtype=float))
    widths = np.broadcast_to(np.asarray(sigma, dtype=float), places.shape)
    samples = Samples.of([without_lines(spectrum, subtract) if subtract else spectrum])
    part = gather(samples, np.zeros(places.size, int), places, half_window(widths, None))
    area, area_err = linear_amplitudes(part, places[:, None], widths[:, None, None], inflate=inflate)
    area, area_err = area[:, 0], area_err[:, 0]
    # what share of the line the good samples see
    t = (part.wavelength - places[:, None]) / widths[:, None]
    seen = np.sum(np.exp(-0.5 * t**2) * (part.ivar > 0) * part.step, axis=1) / (widths * np.sqrt(2.0 * np.pi))
    usable = (seen > 0.5) & np.isfinite(area_err)
    return np.where(usable, area, np.nan) * FLUX_UNIT, np.where(usable, area_err, np.nan) * FLUX_UNIT
