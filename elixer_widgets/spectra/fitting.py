"""Gaussian line fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elixer_widgets.detection import NAN, Spectrum

FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))


@dataclass(frozen=True)
class LineFit:
    """A Gaussian on a local constant continuum.

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
        Signal to noise of the line, positive for emission and absorption.
    chi2 : float
        Reduced χ² over the window.
    n_samples : int
        Unmasked samples fitted.
    significance : float
        σ after correction for the number of places tried; NaN for a line that was asked for.
    flags : tuple of str
        What is doubtful, in words ("width at the instrument limit", "beside a masked sample", ...).
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
        x = (np.asarray(wavelength, float) - self.center) / self.sigma
        return self.continuum + self.amplitude * np.exp(-0.5 * x**2)


def fit_line(spectrum: Spectrum, wavelength: float) -> LineFit:
    """Fit the line near `wavelength` (Å, air)."""
    raise NotImplementedError
