"""Conversions between numbers that were measured elsewhere: units, redshifts, rest widths. No measurement is made."""

from __future__ import annotations

import math

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.wavelengths import air_to_vacuum

CGS = 1e-17
"""erg/s/cm²/Å in one unit of flux density."""

REST_VACUUM = {"Lya": 1215.67, "OII": 3728.8}
"""Å in vacuum: Lyα, and the [O II] doublet 3727.09, 3729.88 blended (NIST; equal strengths)."""


def redshift_as(identity: str, wavelength: float) -> float:
    """Redshift if the line at `wavelength` (Å, air) is Lyα or [O II]; NaN without a wavelength."""
    if not math.isfinite(wavelength):
        return math.nan
    return float(air_to_vacuum(wavelength)) / REST_VACUUM[identity] - 1.0


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
        Å. NaN where the continuum is not positive: the width has no value then.
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
    for each in interpretation.plae_sources:
        if each.source == source:
            return each
    return None
