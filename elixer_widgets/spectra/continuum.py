"""Continuum estimates from the spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN


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
