"""From a header to the AB magnitude of one count.

Each rule answers NaN where the header does not tell; whoever asks says so in words. Rules are plain objects, so that a
survey can be sent to a worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from elixer_widgets.detection import NAN

Keywords = Mapping[str, float | str]

# AB magnitudes of units of flux density: 3631 Jy is magnitude 0 (Oke & Gunn 1983, ApJ 266, 713).
_JANSKY = 2.5 * float(np.log10(3631.0))
_UNITS = {
    "jy": _JANSKY,
    "jansky": _JANSKY,
    "ujy": _JANSKY + 15.0,
    "µjy": _JANSKY + 15.0,
    "microjansky": _JANSKY + 15.0,
    "njy": _JANSKY + 22.5,
    "nanojansky": _JANSKY + 22.5,
    "nanomaggy": 22.5,
    "nanomaggies": 22.5,
    "nmgy": 22.5,
}
_MEGAJANSKY = _JANSKY - 15.0

# Pivot wavelengths in Å (STScI instrument handbooks), for headers without PHOTPLAM.
PIVOT = {
    **{"F435W": 4329.0, "F606W": 5922.0, "F775W": 7693.0, "F814W": 8046.0},
    **{"F105W": 10551.0, "F125W": 12486.0, "F140W": 13923.0, "F160W": 15370.0},
}


def number(keywords: Keywords, *names: str) -> float:
    """The first of these header keywords that is a number, else NaN."""
    for name in names:
        value = keywords.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
            return float(value)
    return NAN


def _log_exposure(keywords: Keywords) -> float:
    exposure = number(keywords, "EXPTIME")
    return 2.5 * float(np.log10(exposure)) if exposure > 0 else NAN


@dataclass(frozen=True)
class FixedZeroPoint:
    """The same for all images, or by band; `whole_exposure` where it is that of one count per second."""

    value: float = NAN
    bands: Mapping[str, float] = field(default_factory=dict, hash=False)
    whole_exposure: bool = False

    def __call__(self, keywords: Keywords, band: str) -> float:
        """AB magnitude of one count."""
        value = self.bands.get(band, self.value)
        return value + _log_exposure(keywords) if self.whole_exposure else value


@dataclass(frozen=True)
class HeaderZeroPoint:
    """The first of some keywords that the header has, else a default."""

    keywords: tuple[str, ...]
    default: float = NAN
    whole_exposure: bool = False

    def __call__(self, keywords: Keywords, band: str) -> float:
        """AB magnitude of one count."""
        value = number(keywords, *self.keywords)
        value = value if np.isfinite(value) else self.default
        return value + _log_exposure(keywords) if self.whole_exposure else value


def fluxmag0(keywords: Keywords, band: str = "") -> float:
    """FLUXMAG0 is the count of a source of magnitude 0 (HSC pipeline); 27.0 where the header lacks it."""
    flux = number(keywords, "FLUXMAG0")
    return 2.5 * float(np.log10(flux)) if flux > 0 else 27.0


def unit_of_header(keywords: Keywords, band: str = "") -> float:
    """From the unit of the pixels (BUNIT), or the calibration of HST (PHOTFLAM) or JWST (PHOTMJSR).

    A unit of flux density says all; PHOTMJSR is only for pixels that still are counts per second. HST magnitudes are
    AB, not ST: -2.5 lg PHOTFLAM - 21.10 - 5 lg PHOTPLAM + 18.6921 (ACS Data Handbook, section 5).
    """
    unit = str(keywords.get("BUNIT", "")).lower().replace(" ", "")
    parts = re.fullmatch(r"(?:((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,2})?)\*?)?([a-zµ]+(?:/sr)?)", unit)
    factor, name = (float(parts[1] or 1.0), parts[2]) if parts else (1.0, "")
    if not factor > 0:
        return NAN
    area = number(keywords, "PIXAR_SR")
    if name in _UNITS:
        return _UNITS[name] - 2.5 * float(np.log10(factor))
    if name == "mjy/sr":
        return _MEGAJANSKY - 2.5 * float(np.log10(factor * area)) if area > 0 else NAN
    flam, pivot = number(keywords, "PHOTFLAM"), number(keywords, "PHOTPLAM")
    if flam > 0:
        pivot = pivot if pivot > 0 else PIVOT.get(band, NAN)
        value = -2.5 * float(np.log10(flam)) - 21.10 - 5.0 * float(np.log10(pivot)) + 18.6921
        whole = unit.rstrip("s") in ("electron", "count") or unit == "e-"
        return value + _log_exposure(keywords) if whole else value
    surface = number(keywords, "PHOTMJSR")
    if surface > 0 and area > 0:
        return _MEGAJANSKY - 2.5 * float(np.log10(surface * area))
    return NAN
