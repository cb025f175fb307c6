"""What a detected line may be, and how it is called."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of

IDENTITIES: tuple[str, ...] = (
    "Lya", "OII", "OIII", "Hb", "Hg", "CIV", "CIII", "HeII", "MgII", "other", "star", "artifact", "noise",
)  # fmt: skip

LABELS: dict[str, str] = {
    "Lya": "Lyα", "OII": "[O II]", "OIII": "[O III]", "Hb": "Hβ", "Hg": "Hγ", "CIV": "C IV", "CIII": "C III]",
    "HeII": "He II", "MgII": "Mg II", "other": "other line", "star": "star",
    "artifact": "artifact", "noise": "noise",
}  # fmt: skip

LIGHT_SPEED = 299792.458
"""km/s."""

Shifts = Mapping[str, float]
"""Redshift of the line for every emission-line identity; negative where the identity is impossible."""


def redshifts(wavelength: float) -> dict[str, float]:
    """Redshift of a line at `wavelength` (Å, air) for every emission-line identity, negative ones
    included."""
    lines = list(IDENTITY_LINES.values())
    shifts = [float(redshift_of(wavelength, line)) for line in lines] if np.isfinite(wavelength) else [np.nan] * 9
    return dict(zip(IDENTITY_LINES, shifts, strict=True))
