"""Wavelengths in air and in vacuum, and the HETDEX grid.

HETDEX publishes wavelengths in air; redshifts follow from wavelengths in vacuum. All shifts in this package
are computed in vacuum, and only what is shown is in air.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

GRID_START = 3470.0
GRID_STOP = 5540.0
GRID_STEP = 2.0
"""Å, air; the grid of calibrated HETDEX spectra (Gebhardt et al. 2021, ApJ 923, 217)."""

GRID_SIZE = 1036

HETDEX_FWHM = 5.5
"""Å; the spectral resolution of VIRUS is about 5.6 Å (Hill et al. 2021, AJ 162, 298), 5.5 Å in ELiXer."""

HETDEX_LSF_SIGMA = HETDEX_FWHM / 2.354820045
"""Å; Gaussian σ of the line spread function of VIRUS."""

SKY_LINES: tuple[tuple[float, float], ...] = ((3545.0, 10.0), (5462.0, 5.0))
"""Centre and half width (Å, air) of the parts of the HETDEX spectrum where sky residuals are strong."""

AIR_FROM = 2000.0
"""Å; by convention, wavelengths below are given in vacuum and those above in air."""


def hetdex_grid() -> np.ndarray:
    """The 1036 wavelengths (Å, air) of a calibrated HETDEX spectrum."""
    return np.linspace(GRID_START, GRID_STOP, GRID_SIZE)


def _refraction(vacuum: np.ndarray) -> np.ndarray:
    """Refractive index of standard air at `vacuum` (Å): Morton 2000, ApJS 130, 403, eq. 8."""
    s2 = (1e4 / vacuum) ** 2
    return 1.0 + 8.34254e-5 + 2.406147e-2 / (130.0 - s2) + 1.5998e-4 / (38.9 - s2)


def vacuum_to_air(wavelength: ArrayLike) -> np.ndarray:
    """Wavelength in standard air of a wavelength in vacuum.

    Parameters
    ----------
    wavelength : array_like
        Å in vacuum, any shape. Values below 2000 Å are returned as they are, by convention.

    Returns
    -------
    array, same shape
        Å in air.

    Notes
    -----
    Morton (2000, ApJS 130, 403), eq. 8, dry air at 15 °C and 1013.25 hPa with 0.045 % CO2.
    """
    vacuum = np.asarray(wavelength, dtype=float)
    # 1 / NaN is NaN; the clip only keeps the formula away from its poles, which lie below 1650 Å
    return np.where(vacuum < AIR_FROM, vacuum, vacuum / _refraction(np.maximum(vacuum, AIR_FROM)))[()]


def air_to_vacuum(wavelength: ArrayLike) -> np.ndarray:
    """Wavelength in vacuum of a wavelength in standard air: the inverse of `vacuum_to_air`.

    Parameters
    ----------
    wavelength : array_like
        Å in air, any shape. Values whose vacuum wavelength lies below 2000 Å are returned as they are.

    Returns
    -------
    array, same shape
        Å in vacuum, such that `vacuum_to_air` gives `wavelength` back to better than 1e-9 Å.
    """
    air = np.asarray(wavelength, dtype=float)
    usable = np.maximum(air, AIR_FROM / _refraction(np.asarray(AIR_FROM)))
    vacuum = usable * _refraction(usable)
    for _ in range(3):  # the index changes by 1e-8 an Å, so each pass gains seven digits
        vacuum = usable * _refraction(vacuum)
    return np.where(air < usable, air, vacuum)[()]


def sky_mask(wavelength: ArrayLike) -> np.ndarray:
    """Boolean, same shape: whether `wavelength` (Å, air) lies where sky residuals are strong."""
    array = np.asarray(wavelength, dtype=float)
    mask = np.zeros(array.shape, dtype=bool)
    for center, half_width in SKY_LINES:
        mask |= np.abs(array - center) <= half_width
    return mask
