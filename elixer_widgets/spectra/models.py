"""The model of a line that its identity asks for: two components where nature has two, a narrow line on a broad one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra.doublets import DoubletFit, fit_doublet
from elixer_widgets.spectra.fitting import LineFit, without_lines
from elixer_widgets.spectra.lines import IDENTITY_LINES, LINES, Line, redshift_of
from elixer_widgets.spectra.profiles import BroadNarrowFit, fit_broad_narrow

WITH_BROAD = ("Lya", "CIV", "CIII", "MgII", "HeII", "Hb", "Hg")
"""Identities whose line may have a broad and a narrow part, as active nuclei show it."""


BROAD_REACH = 60.0
"""Å; what the search made of a broad line under a narrow one lies this near to the narrow one, and is left in."""


def _others(line: LineFit, lines: Sequence[LineFit], near: float) -> list[LineFit]:
    """Every line but `line`; one whose centre lies within the other's σ, or within `near` (Å), is a part of it."""
    own = line.sigma if np.isfinite(line.sigma) else 0.0
    known = [each for each in lines if np.isfinite(each.flux)]
    return [each for each in known if abs(each.center - line.center) > max(2.0, near, own, each.sigma)]


def alone(spectrum: Spectrum, line: LineFit, lines: Sequence[LineFit], near: float = 0.0) -> Spectrum:
    """The spectrum with every line but `line` taken off, their continua left.

    A line whose centre lies within the other's σ, or within `near` (Å), is a part of it.
    """
    others = _others(line, lines, near)
    return without_lines(spectrum, others) if others else spectrum


def _doublet_reach(line: Line, redshift: float) -> float:
    """Å; what the search found this near to a doublet's line may be the other component, and is left in."""
    waves = [wave for wave, _ in line.components]
    return (max(waves) - min(waves)) * (1.0 + redshift) + 2.0


def identity_model(
    spectrum: Spectrum, line: LineFit, lines: Sequence[LineFit], identity: str
) -> DoubletFit | BroadNarrowFit | None:
    """Fit the main line as its identity asks.

    Parameters
    ----------
    spectrum : Spectrum
    line : LineFit
        The single Gaussian.
    lines : sequence of LineFit
        Every line found, to be taken off first.
    identity : str
        One of `IDENTITY_LINES`; others have no model of their own.

    Returns
    -------
    DoubletFit, BroadNarrowFit or None
        A doublet where the line has two components and is narrow enough to tell ([O II], C III], C IV, Mg II); a narrow
        Gaussian on a broad one where active nuclei have these and the data want both; None where one Gaussian serves.
    """
    known = IDENTITY_LINES.get(identity)
    if known is None or not np.isfinite(line.flux) or line.flux == 0:
        return None
    try:
        doublet = None
        redshift = float(redshift_of(line.center, known))
        if len(known.components) == 2 and line.sigma < 4.0 * known.spread * (1.0 + redshift):
            reach = _doublet_reach(known, redshift)
            doublet = fit_doublet(alone(spectrum, line, lines, reach), known, redshift, single=line)
        if identity in WITH_BROAD:
            both = fit_broad_narrow(alone(spectrum, line, lines, BROAD_REACH), line)
            # the doublet has no more parameters than the single Gaussian that both are compared with
            if both.is_wanted and not (doublet is not None and doublet.gain >= both.bic):
                return both
    except DataError:
        return None
    return doublet


def identity_curve(
    model: DoubletFit | BroadNarrowFit, line: LineFit, lines: Sequence[LineFit], wavelength: np.ndarray
) -> np.ndarray:
    """What `identity_model` found together with the lines that were taken off before, to be laid over the data.

    Parameters
    ----------
    model : DoubletFit or BroadNarrowFit
    line : LineFit
        The single Gaussian.
    lines : sequence of LineFit
        Every line found.
    wavelength : array
        Å in air.

    Returns
    -------
    array
        1e-17 erg/s/cm²/Å.
    """
    curve = model.model(wavelength)
    reach = _doublet_reach(LINES[model.line], model.redshift) if isinstance(model, DoubletFit) else BROAD_REACH
    for each in _others(line, lines, reach):
        curve = curve + each.profile(wavelength)
    return curve
