"""What the single fibers of a detection say: the line in each of them, and the spectrum of a part of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import DataError, Fiber, FiberField, Spectrum
from elixer_widgets.spectra.fitting import LineFit, forced_flux


@dataclass(frozen=True)
class FiberFlux:
    """The main line in one fiber: forced `flux` and error in erg/s/cm² of that fiber, and the fiber's weight."""

    fiber_id: str
    exposure: int
    weight: float
    flux: float
    flux_err: float


def fiber_fluxes(fibers: Sequence[Fiber], spectra: Sequence[Spectrum | None], line: LineFit) -> tuple[FiberFlux, ...]:
    """The main line in every fiber that has a spectrum and a weight.

    Parameters
    ----------
    fibers : sequence of Fiber
    spectra : sequence of Spectrum or None
        One a fiber.
    line : LineFit
        Its centre and width are taken as they are.

    Returns
    -------
    tuple of FiberFlux
        In the order of `fibers`; empty if the line was not measured.
    """
    if not (np.isfinite(line.center) and np.isfinite(line.sigma) and line.sigma > 0):
        return ()
    out = []
    for fiber, spectrum in zip(fibers, spectra, strict=True):
        if spectrum is None or not fiber.weight > 0:
            continue
        try:
            flux, error = forced_flux(spectrum, [line.center], [line.sigma])
        except DataError:
            continue  # this fiber's spectrum does not reach the line
        if np.isfinite(flux[0]) and error[0] > 0:
            out.append(FiberFlux(fiber.fiber_id, fiber.expnum, fiber.weight, float(flux[0]), float(error[0])))
    return tuple(out)


def line_in_field(field: FiberField, line: LineFit) -> tuple[np.ndarray, np.ndarray]:
    """The main line in every fiber around a detection.

    Parameters
    ----------
    field : FiberField
        n fibers.
    line : LineFit
        Its centre and width are taken as they are.

    Returns
    -------
    flux, flux_err : array, shape (n,)
        erg/s/cm² in each fiber, its own local continuum taken off; NaN where it cannot be measured.
    """
    flux, error = np.full(len(field), np.nan), np.full(len(field), np.nan)
    usable = np.isfinite(line.center) and np.isfinite(line.sigma) and line.sigma > 0
    if not usable or not len(field) or not field.wavelength[0] <= line.center <= field.wavelength[-1]:
        return flux, error
    for number in range(len(field)):
        area, area_err = forced_flux(field.spectrum(number), [line.center], [line.sigma])
        flux[number], error[number] = area[0], area_err[0]
    return flux, error


def continuum_in_field(field: FiberField) -> tuple[np.ndarray, np.ndarray]:
    """The mean flux density of every fiber around a detection, weighted by the errors: its white light.

    Returns
    -------
    flux, flux_err : array, shape (n,)
        1e-17 erg/s/cm²/Å; NaN for a fiber without good samples.
    """
    if not len(field):
        return np.zeros(0), np.zeros(0)
    good = np.isfinite(field.flux) & np.isfinite(field.error) & (field.error > 0)
    # A fiber's samples weigh alike in all fibers, so that colour does not differ from fiber to fiber
    typical = np.nanmedian(np.where(good, field.error, np.nan), axis=0)
    weight = np.where(good & np.isfinite(typical), 1.0 / typical**2, 0.0)
    total = np.sum(weight, axis=1)
    total = np.where(total > 0, total, np.nan)
    flux = np.sum(weight * np.where(good, field.flux, 0.0), axis=1) / total
    error = np.sqrt(np.sum((weight * np.where(good, field.error, 0.0)) ** 2, axis=1)) / total
    return flux, error


def without_fibers(
    whole: Spectrum, fibers: Sequence[Fiber], spectra: Sequence[Spectrum | None], excluded: Collection[str]
) -> Spectrum | None:
    """The spectrum as it would be without some fibers.

    Parameters
    ----------
    whole : Spectrum
        From all fibers.
    fibers : sequence of Fiber
    spectra : sequence of Spectrum or None
        One a fiber.
    excluded : collection of str
        fiber_ids to leave out.

    Returns
    -------
    Spectrum or None
        None if no fiber spectrum with a weight is left.

    Notes
    -----
    Fibers are added as Σ w f / Σ w² with errors √(Σ w² e²) / Σ w² (Horne 1986, PASP 98, 609, for equal
    errors), which keeps the flux of a point source whichever fibers are used, and scaled by one factor
    such that all fibers together have the errors of `whole`. Approximate: the weights are those at the
    line and do not follow differential refraction.
    """
    members = [
        (fiber, spectrum)
        for fiber, spectrum in zip(fibers, spectra, strict=True)
        if spectrum is not None and fiber.weight > 0
    ]
    kept = [(fiber, spectrum) for fiber, spectrum in members if fiber.fiber_id not in excluded]
    if not kept:
        return None
    flux, error = _extract(whole.wavelength, kept)
    _, all_error = _extract(whole.wavelength, members)
    scale = np.nan
    if whole.has_error:
        ratio = np.asarray(whole.error)[whole.good] / all_error[whole.good]
        finite = ratio[np.isfinite(ratio) & (ratio > 0)]
        scale = float(np.median(finite)) if finite.size else np.nan
    if not np.isfinite(scale):
        scale = 1.0
    return Spectrum(whole.wavelength, scale * flux, scale * error, whole.lsf_sigma, whole.aperture_correction)


def _extract(wavelength: np.ndarray, members: Sequence[tuple[Fiber, Spectrum]]) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sum of fibers and its error, shape of `wavelength`; NaN where no fiber has data."""
    top, bottom, variance = (np.zeros(wavelength.size) for _ in range(3))
    for fiber, spectrum in members:
        flux = np.interp(wavelength, spectrum.wavelength, np.where(spectrum.good, spectrum.flux, np.nan))
        error = np.interp(wavelength, spectrum.wavelength, np.asarray(spectrum.error))
        usable = np.isfinite(flux) & (np.isfinite(error) if spectrum.has_error else True)
        top += np.where(usable, fiber.weight * flux, 0.0)
        bottom += np.where(usable, fiber.weight**2, 0.0)
        variance += np.where(usable, (fiber.weight * error) ** 2, 0.0)
    bottom = np.where(bottom > 0, bottom, np.nan)
    return top / bottom, np.sqrt(variance) / bottom
