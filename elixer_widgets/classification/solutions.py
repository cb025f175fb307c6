"""What each identity of the main line predicts, and what the spectrum shows there."""

from __future__ import annotations

from dataclasses import dataclass

from elixer_widgets.detection import NAN


@dataclass(frozen=True)
class Companion:
    """Another line that an identity predicts, measured at its place.

    Attributes
    ----------
    line : str
        Name in the line list, for example "OIII".
    label : str
        For people, for example "[O III] 5007".
    wavelength : float
        Where it is expected, Å observed in air.
    in_range : bool
        Whether the spectrum covers it.
    flux, flux_err : float
        Forced measurement, erg/s/cm².
    limit : float
        3σ upper limit, erg/s/cm².
    snr : float
    status : str
        "found", "missing" (expected strongly enough to have been seen), "not seen" (says nothing), "out of range".
    """

    line: str
    label: str
    wavelength: float
    in_range: bool
    flux: float = NAN
    flux_err: float = NAN
    limit: float = NAN
    snr: float = NAN
    status: str = "out of range"


@dataclass(frozen=True)
class Solution:
    """One identity tried for the main line.

    `score` and `fraction` are the published quantities (sum of line scores, share of the total); `accepted` is the
    published rule (more than half of the total and above the minimum); `log_likelihood` is ours.
    """

    identity: str
    line: str
    rest_wavelength: float
    redshift: float
    score: float
    fraction: float
    accepted: bool
    companions: tuple[Companion, ...] = ()
    log_likelihood: float = NAN
