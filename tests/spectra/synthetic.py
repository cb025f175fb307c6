"""Synthetic spectra with known truth, on the HETDEX grid, for the tests of this room."""

from __future__ import annotations

import numpy as np

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.wavelengths import hetdex_grid

LSF = 2.336


def gaussian(wavelength: np.ndarray, center: float, sigma: float, flux: float) -> np.ndarray:
    """A line of `flux` 1e-17 erg/s/cm², in 1e-17 erg/s/cm²/Å."""
    return flux / (sigma * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * ((wavelength - center) / sigma) ** 2)


def spectrum(
    lines: list[tuple[float, float, float]], *, noise: float = 0.3, continuum: float = 0.1, seed: int | None = 1
) -> Spectrum:
    """Lines (centre, σ, flux in 1e-17) on a constant continuum; without noise if `seed` is None."""
    wavelength = hetdex_grid()
    flux = continuum + sum((gaussian(wavelength, *each) for each in lines), np.zeros(wavelength.size))
    if seed is not None:
        flux = flux + np.random.default_rng(seed).normal(0.0, noise, wavelength.size)
    return Spectrum(wavelength, flux, np.full(wavelength.size, noise), LSF)


def flux_for(snr: float, sigma: float, noise: float = 0.3, step: float = 2.0) -> float:
    """Flux (1e-17) of a line whose matched filter reaches `snr`: F = snr · noise · √(2σ√π · step)."""
    return snr * noise * float(np.sqrt(2.0 * sigma * np.sqrt(np.pi) * step))
