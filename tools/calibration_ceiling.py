"""The best that equivalent widths allow between Lyα and [O II]: judged with what is known to no rule."""

from __future__ import annotations

import numpy as np
from calibration_answers import Answers

from elixer_widgets.simulation import survey_population as population
from elixer_widgets.spectra.lines import LINES, redshift_of

_STEPS = np.linspace(-4.0, 4.0, 81)


def _density(kind: str, z: np.ndarray, log_flux: np.ndarray) -> np.ndarray:
    """Objects per Å of observed wavelength and unit ln flux, up to a factor common to both kinds."""
    z_grid, flux_grid, number, (dz, df) = population.cells(kind)
    i = np.clip(np.round((z - z_grid[0]) / dz).astype(int), 0, z_grid.size - 1)
    j = np.clip(np.round((log_flux - flux_grid[0]) / df).astype(int), 0, flux_grid.size - 1)
    rest = LINES["Lya" if kind == "LAE" else "OII"].vacuum
    inside = (z >= z_grid[0] - dz) & (z <= z_grid[-1] + dz)
    return np.where(inside, number[i, j] / (dz * df) / rest, 0.0)


def log_odds(answers: Answers) -> np.ndarray:
    """ln odds of Lyα against [O II] from the true wavelength, flux and continuum, with the true distributions.

    Companions, sizes, profiles and catalogues do not enter: it is what equivalent widths alone can tell, were they
    known without error.
    """
    flux = np.log(answers.flux_true * 1e17)
    z_lya, z_oii = (np.asarray(redshift_of(answers.wave_true, LINES[name])) for name in ("Lya", "OII"))
    observed = answers.ew_true * (1.0 + answers.z)
    # Lyα: exponential with log-normal scatter, integrated over the scatter
    scale = population.lya_width_scale(z_lya)[:, None] * 10 ** (population.LYA_WIDTH_SCATTER * _STEPS)[None, :]
    weight = np.exp(-0.5 * _STEPS**2)
    width = observed / (1.0 + z_lya)
    ratio = width[:, None] / scale
    lya = (ratio * np.exp(-np.minimum(ratio, 600.0)) * weight).sum(axis=1) / weight.sum()
    width = observed / (1.0 + np.maximum(z_oii, 0.0))
    median = population.oii_width_median(z_oii)
    spread = population.OII_WIDTH_SCATTER * np.log(10.0)
    oii = np.exp(-0.5 * (np.log(width / median) / spread) ** 2) / (spread * np.sqrt(2.0 * np.pi))
    top = _density("LAE", z_lya, flux) * lya
    bottom = _density("galaxy", z_oii, flux) * oii
    return np.log(np.maximum(top, 1e-300)) - np.log(np.maximum(bottom, 1e-300))
