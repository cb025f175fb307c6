"""The published consistency factors: how well the lines of a solution go together, as a factor 0.2 to 3 on its score.

Part of the published score only. The ranges and weights are ELiXer's; see `templates` for what our own likelihood uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

LOW, HIGH = 0.2, 3.0
"""Limits of the factor."""

RANGE = (3600.0, 5500.0)
"""Å; a line is missed only inside this range."""

WIDEST = 8.49 * 2.355
"""Å FWHM beyond which a line is no galaxy's."""

LAE_REDSHIFTS = (1.88, 3.53)


@dataclass(frozen=True)
class Member:
    """A line of a solution: `flux` and `error` in erg/s/cm², `fwhm` and `fwhm_err` in Å, `score` its line score."""

    flux: float
    error: float
    fwhm: float
    fwhm_err: float = 0.0
    snr: float = 0.0
    score: float = 0.0
    rank: int = 1


_GALAXY_NEEDS: dict[str, dict[str, float]] = {
    "Heta": {"OII": 1, "Hzeta": 1, "Hepsilon": 1, "Hd": 2, "Hg": 3, "Hb": 5},
    "Hzeta": {"OII": 1, "Hepsilon": 1, "Hd": 2, "Hg": 3, "Hb": 5},
    "Hepsilon": {"OII": 1, "Hd": 1, "Hg": 2, "Hb": 5},
    "Hd": {"OII": 1, "Hg": 1, "Hb": 5},
    "Hg": {"OII": 1, "Hb": 5},
    "Hb": {"OII": 1},
    "OIII4959": {"OII": 1, "OIII": 2},
    "OIII": {"OII": 1},
    "OII": {},
}
_GALAXY_RANGES: dict[str, tuple[float, float]] = {
    "OII": (1.0, 1.0), "Heta": (0.01, 0.06), "Hzeta": (0.05, 0.20), "Hepsilon": (0.05, 1.2), "Hd": (0.1, 0.5),
    "Hg": (0.15, 1.5), "Hb": (0.4, 3.3), "OIII4959": (0.1, 6.5), "OIII": (0.3, 20.0),
}  # fmt: skip
_AGN_WEIGHTS: dict[str, float] = {
    "Lya": 3, "CIV": 1, "CIII": 1, "CII": 0.5, "MgII": 1, "NV": 1, "SiII": 0.5, "SiIV": 0.5, "HeII": 1, "OVI": 1,
    "OII": 2,
}  # fmt: skip
_AGN_NEEDS: dict[str, tuple[str, ...]] = {
    "OII": ("MgII",), "MgII": ("Lya", "OII"), "CIII": ("Lya", "CIV"), "CII": ("Lya", "CIV"),
    "SiII": ("Lya", "CIV", "CIII", "NV"), "SiIV": ("Lya", "CIV", "CIII", "SiII"),
    "CIV": ("Lya",), "NV": ("Lya",), "HeII": ("Lya",), "OVI": ("Lya",), "Lya": (),
}  # fmt: skip
_AGN_RANGES: dict[str, tuple[float, float]] = {
    "Lya": (1.0, 1.0), "CIV": (0.07, 0.70), "CIII": (0.02, 0.30), "CII": (0.01, 0.10), "MgII": (0.05, 0.40),
    "NV": (0.05, 0.40), "SiIV": (0.03, 0.20), "HeII": (0.01, 0.20), "OVI": (0.03, 0.40),
}  # fmt: skip
_DIRECT: dict[tuple[str, str], tuple[float, float]] = {
    ("OIII", "OIII4959"): (3.0, 3.0),
    ("Hb", "OII"): (0.1, 0.8),
    ("NV", "CIV"): (0.1, 3.0),
    ("HeII", "CIV"): (0.15, 0.70),
    ("HeII", "Lya"): (0.01, 0.5),
    ("OII", "MgII"): (0.05, 0.5),
}


def factor(consistency: float) -> float:
    """The factor on the score: 1 + C for C >= 0, -1/(C - 1) for -4 <= C < 0, 0.2 below, all within 0.2 to 3."""
    if consistency >= 0:
        return min(1.0 + consistency, HIGH)
    return max(-1.0 / (consistency - 1.0), LOW) if consistency >= -4.0 else LOW


def _range(a: str, b: str, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Allowed flux ratio a/b, or None if nothing is known."""
    if (a, b) in _DIRECT:
        return _DIRECT[a, b]
    if (b, a) in _DIRECT:
        low, high = _DIRECT[b, a]
        return 1.0 / high, 1.0 / low
    if a not in ranges or b not in ranges:
        return None
    low, high = sorted((ranges[a][0] / ranges[b][0], ranges[a][1] / ranges[b][1]))
    return low, high


def _verdict(a: Member, b: Member, allowed: tuple[float, float]) -> int:
    """+1 if flux ratio and widths agree, -1 if the ratio is off by half or more, else 0."""
    if not (a.flux > 0 and b.flux > 0):
        return 0
    ratio = a.flux / b.flux
    error = ratio * float(np.hypot(a.error / a.flux, b.error / b.flux))
    low, high = allowed
    width_gap = abs(a.fwhm - b.fwhm) - a.fwhm_err - b.fwhm_err
    if ratio + error >= low and ratio - error <= high:
        return 1 if width_gap < 0.5 * 0.5 * (a.fwhm + b.fwhm) else 0
    missed = (low - ratio) / low if ratio < low else (ratio - high) / high
    return -1 if 0.5 <= missed <= 250.0 else 0


def galaxy(members: Mapping[str, Member], expected_at: Callable[[str], float]) -> float:
    """Factor for low-redshift galaxies; 1 if no line of a galaxy is among `members`.

    `expected_at` gives the observed wavelength (Å) of a line at the solution's redshift.
    """
    present = [name for name in members if name in _GALAXY_NEEDS]
    if not present:
        return 1.0
    missing: dict[str, float] = {}
    for name in present:
        for needed, weight in _GALAXY_NEEDS[name].items():
            if needed not in members and RANGE[0] <= expected_at(needed) <= RANGE[1]:
                missing[needed] = max(missing.get(needed, 0.0), weight)
    consistency = -max(float(len(missing)), sum(missing.values()))
    strong = members.get("OIII")
    if strong is not None and strong.flux > 1e-16 and strong.snr > 8 and "OIII4959" not in members:
        consistency -= 2.0
    for a, b in combinations(present, 2):
        allowed = _range(a, b, _GALAXY_RANGES)
        if allowed is not None:
            wide = max(members[a].fwhm, members[b].fwhm) > WIDEST
            consistency += -1 if wide else _verdict(members[a], members[b], allowed)
    return factor(consistency)


def agn(members: Mapping[str, Member], expected_at: Callable[[str], float]) -> float:
    """Factor for active nuclei; 1 if no line of theirs is among `members`."""
    present = [name for name in members if name in _AGN_WEIGHTS]
    if not present:
        return 1.0
    missing = {
        needed
        for name in present
        for needed in _AGN_NEEDS[name]
        if needed not in members and RANGE[0] <= expected_at(needed) <= RANGE[1]
    }
    consistency = -sum(_AGN_WEIGHTS[name] for name in missing)
    for a, b in combinations(present, 2):
        allowed = None if "SiII" in (a, b) else _range(a, b, _AGN_RANGES)
        if allowed is not None:
            verdict = _verdict(members[a], members[b], allowed)
            consistency += min(1.0, 2.0 / max(members[a].rank, members[b].rank)) if verdict > 0 else verdict
    consistency += 0.5 * sum(members[name].fwhm > 18.0 and members[name].score > 50.0 for name in present)
    return factor(consistency)


def lae(
    members: Mapping[str, Member],
    anchor: str,
    rest_width: float,
    rest_width_err: float,
    *,
    expected_at: Callable[[str], float] | None = None,
    bright: bool = False,
) -> float:
    """Factor for Lyα emitters at 1.88 < z < 3.53.

    Parameters
    ----------
    members : mapping
        Lines by name, the anchor included.
    anchor : str
        Name of the main line's identity.
    rest_width, rest_width_err : float
        Rest equivalent width (Å) of the main line in the wide continuum.
    expected_at : callable, optional
        Observed wavelength (Å) of a line at the solution's redshift; without it no line is missed out of range.
    bright : bool
        Whether the continuum is brighter than magnitude 23.7.
    """
    if anchor != "Lya":
        return factor(_lya_beside(members, anchor, expected_at))
    main = members["Lya"]
    if rest_width > 20.0 or (rest_width + rest_width_err > 20.0 and rest_width - rest_width_err > 15.0):
        sure = rest_width - rest_width_err
        consistency = (1.0 if sure > 40.0 else 0.5 if sure > 25.0 else 0.25) * main.snr / 8.0
    elif rest_width > 15.0 or rest_width + rest_width_err > 20.0 or main.fwhm > 16.0:
        consistency = 0.0
    else:
        consistency = -1.0
    if main.snr < 5.5:
        consistency = min(consistency, 0.0)
    if bright and main.fwhm < 16.0 and consistency < 0.5:
        consistency = min(consistency, -1.0)
    return factor(consistency)


def _lya_beside(members: Mapping[str, Member], anchor: str, expected_at: Callable[[str], float] | None) -> float:
    """Consistency of Lyα as a companion of another main line."""
    place = RANGE[0] if expected_at is None else expected_at("Lya")
    if "Lya" not in members:
        return -2.0 if RANGE[0] <= place <= RANGE[1] else 0.0
    lya, main = members["Lya"], members[anchor]
    consistency = 0.0
    if lya.snr < 3.5 if place <= 3650.0 else (lya.snr < 6.0 and lya.snr < 0.9 * main.snr):
        consistency -= 1.0
    allowed = _range(anchor, "Lya", _AGN_RANGES)
    if allowed is not None and _verdict(main, lya, allowed) < 0:
        consistency -= 1.0
    return consistency
