"""Conversions between numbers that were measured elsewhere: units, redshifts, rest widths. No measurement is made."""

from __future__ import annotations

import math

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.detection import Detection
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of

CGS = 1e-17
"""erg/s/cm²/Å in one unit of flux density."""

PLAE_RANGE = (0.001, 1000.0)
"""Where P(LAE)/P(OII) is clipped when shown or stored, as in ELiXer."""

APERTURE_SAMPLE = 515
"""Sample of the HETDEX grid, 4500 Å, at which ELiXer quotes the aperture correction."""


def redshift_as(identity: str, wavelength: float) -> float:
    """Redshift if the line at `wavelength` (Å, air) is that of `identity`; NaN without a wavelength."""
    if not math.isfinite(wavelength):
        return math.nan
    return float(redshift_of(wavelength, IDENTITY_LINES[identity]))


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
    if not continuum.value > 0 or not math.isfinite(flux) or not redshift > -1:
        return math.nan, math.nan, False
    width = flux / (continuum.value * CGS) / (1.0 + redshift)
    relative = [flux_err / flux if flux else math.nan]
    if not continuum.is_limit:
        relative.append(continuum.error / continuum.value)
    error = abs(width) * math.sqrt(sum(r * r for r in relative))
    return width, error, continuum.is_limit


def plae_for(interpretation: Interpretation, source: str) -> PlaeRatio | None:
    """The P(LAE)/P(OII) that rests on the continuum called `source`, or None."""
    return next((each for each in interpretation.plae_sources if each.source == source), None)


def continuum_for(interpretation: Interpretation, source: str) -> ContinuumEstimate | None:
    """The continuum called `source` among those combined, or None."""
    return next((each for each in interpretation.continuum_sources if each.name == source), None)


def clipped_plae(ratio: PlaeRatio | None) -> tuple[float, float, float]:
    """Value, low and high clipped to `PLAE_RANGE`; NaN stays NaN, and None gives three of them."""
    if ratio is None:
        return math.nan, math.nan, math.nan
    low, high = PLAE_RANGE

    def clip(value: float) -> float:
        return value if math.isnan(value) else min(max(value, low), high)

    return clip(ratio.value), clip(ratio.low), clip(ratio.high)


def aperture_correction(detection: Detection) -> float:
    """The spectrum's aperture correction at 4500 Å, NaN if it has none."""
    correction = detection.spectrum.aperture_correction
    if correction is None or correction.size <= APERTURE_SAMPLE:
        return math.nan
    return float(correction[APERTURE_SAMPLE])
