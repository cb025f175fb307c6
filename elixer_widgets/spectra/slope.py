"""The slope of a spectrum's continuum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elixer_widgets.detection import NAN, Spectrum
from elixer_widgets.spectra.continuum import correlation_factor
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.wavelengths import sky_mask

BLUE, RED = 3600.0, 5400.0
"""Å; between them the calibration of a HETDEX spectrum is trusted."""
MIN_SAMPLES = 50
LINE_REACH = 3.0
"""σ on either side that a line is left out by."""


def spectral_slope(spectrum: Spectrum, lines: Sequence[LineFit] = ()) -> tuple[float, float]:
    """Gradient of the continuum by a straight line through the samples off all lines, weighted by their errors.

    Parameters
    ----------
    spectrum : Spectrum
    lines : sequence of LineFit

    Returns
    -------
    (slope, slope_err)
        1e-17 erg/s/cm²/Å per Å; the error includes the correlation of neighbouring samples. NaN where fewer than
        `MIN_SAMPLES` samples are left, or without errors.
    """
    wavelength = spectrum.wavelength
    keep = spectrum.good & (wavelength >= BLUE) & (wavelength <= RED) & ~sky_mask(wavelength)
    for each in lines:
        if np.isfinite(each.sigma):
            keep = keep & (np.abs(wavelength - each.center) > LINE_REACH * each.sigma)
    if not spectrum.has_error or int(np.count_nonzero(keep)) < MIN_SAMPLES:
        return NAN, NAN
    weight = 1.0 / np.asarray(spectrum.error)[keep] ** 2
    offset = wavelength[keep] - float(np.sum(weight * wavelength[keep]) / np.sum(weight))
    information = float(np.sum(weight * offset**2))
    slope = float(np.sum(weight * offset * spectrum.flux[keep])) / information
    return slope, correlation_factor(spectrum, keep) / float(np.sqrt(information))
