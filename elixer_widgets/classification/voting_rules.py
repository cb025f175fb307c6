"""The rules of ELiXer's voting on P(Lyα), one function each; see `classification.votes`.

They are those of ELiXer 1.22.5, with what is odd in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elixer_widgets.classification import scores
from elixer_widgets.detection import NAN, Spectrum

LYA, OII = 1215.67, 3727.8
"""Å, in whatever medium: the rules divide the observed wavelength by these."""

FWHM_PER_SIGMA = 2.355
LIGHT_SPEED = 3e5
"""km/s. Both rounded as in the rules."""

_C = 2.99792458e18
_JANSKY_ZERO = 3631e-23
"""Å/s, and the zero of AB magnitudes in erg/s/cm²/Hz."""

MAG_WAVELENGTH = 4726.1
VOTE_WAVELENGTH = 4640.0
"""Å: the g magnitude for size and asymmetry, and the one that votes, are taken at different wavelengths."""

BROAD = 1200.0
"""km/s."""


@dataclass(frozen=True)
class FoundLine:
    """A line of the blind scan: its score, observed equivalent width (Å) and FWHM (Å)."""

    score: float
    equivalent_width: float
    fwhm: float


@dataclass(frozen=True)
class VotingSolution:
    """A multi-line solution as the rules see it.

    `line` names the anchor ("Lya", "CIV", ...); `score`, `fraction`, `scale` are the published quantities;
    `companions` is how many further lines it has, `unmatched` the summed score of those that it leaves over.
    """

    line: str
    score: float
    fraction: float
    scale: float
    companions: int = 0
    unmatched: float = 0.0


@dataclass(frozen=True, eq=False)
class VoteInputs:
    """What the voting rules look at.

    Attributes
    ----------
    wavelength, sigma, sigma_err : float
        Å, observed.
    flux, flux_err : float
        erg/s/cm²; negative in absorption.
    snr, chi2 : float
    continuum, continuum_err : float
        Combined continuum, erg/s/cm²/Å.
    wide, wide_err : float
        Continuum of the whole spectrum, same unit.
    g : float
        AB magnitude of the whole spectrum.
    ratio, ratio_low, ratio_high : float
        P(LAE)/P(OII), within 0.001 to 1000.
    size, diameter, minor : float
        Major axis of the source in units of the seeing; full axes in arcsec. NaN without a source.
    found : tuple of FoundLine
        The blind scan.
    solutions : tuple of VotingSolution
    unmatched : float
        Summed score of the lines that are not the main one, for want of a Lyα solution.
    photo_z : tuple of (float, float)
        Photometric redshifts with their weights.
    spectrum : Spectrum or None
        Around the line, for its asymmetry.
    """

    wavelength: float
    flux: float
    flux_err: float
    snr: float
    chi2: float
    sigma: float
    sigma_err: float
    continuum: float
    continuum_err: float
    wide: float
    wide_err: float
    g: float
    ratio: float
    ratio_low: float
    ratio_high: float
    size: float = NAN
    diameter: float = NAN
    minor: float = NAN
    found: tuple[FoundLine, ...] = ()
    solutions: tuple[VotingSolution, ...] = ()
    unmatched: float = 0.0
    photo_z: tuple[tuple[float, float], ...] = ()
    spectrum: Spectrum | None = None


Cast = tuple[float, float]
"""Value and weight of a vote."""


def ramp(x: float, low: tuple[float, float], high: tuple[float, float]) -> float:
    """Linear from the point `low` to the point `high`, constant beyond."""
    return float(np.interp(x, (low[0], high[0]), (low[1], high[1])))


def _magnitude(continuum: float, wavelength: float) -> float:
    """AB magnitude of a continuum in erg/s/cm²/Å; NaN if it is not positive."""
    return float(-2.5 * np.log10(continuum * wavelength**2 / _C / _JANSKY_ZERO)) if continuum > 0 else NAN


@dataclass(frozen=True, eq=False)
class Case:
    """The inputs with what several rules derive from them."""

    given: VoteInputs
    threshold: float

    @property
    def fwhm(self) -> float:
        return FWHM_PER_SIGMA * self.given.sigma

    @property
    def fwhm_err(self) -> float:
        return FWHM_PER_SIGMA * self.given.sigma_err

    def velocity(self, width: float) -> float:
        """km/s."""
        return width / self.given.wavelength * LIGHT_SPEED

    @property
    def oii_redshift(self) -> float:
        return self.given.wavelength / OII - 1.0

    @property
    def quality(self) -> float:
        return scores.line_quality(self.given.snr, self.given.chi2)

    def _width(self, continuum: float, error: float, factor: float) -> tuple[float, float]:
        width = self.given.flux / continuum / factor
        return width, abs(width) * float(np.hypot(self.given.flux_err / self.given.flux, error / continuum))

    @property
    def width(self) -> tuple[float, float]:
        """Rest equivalent width if Lyα, and error, Å, from the combined continuum."""
        return self._width(self.given.continuum, self.given.continuum_err, self.given.wavelength / LYA)

    @property
    def wide_width(self) -> tuple[float, float]:
        """The same from the whole spectrum, divided by 2 + z, as in the rules."""
        return self._width(self.given.wide, self.given.wide_err, 1.0 + self.given.wavelength / LYA)

    @property
    def g(self) -> tuple[float, float]:
        """Magnitude of the combined continuum and half its range."""
        value, error = self.given.continuum, self.given.continuum_err
        bright, faint = _magnitude(value + error, MAG_WAVELENGTH), _magnitude(value - error, MAG_WAVELENGTH)
        return _magnitude(value, MAG_WAVELENGTH), 0.5 * (faint - bright)

    @property
    def kpc(self) -> float:
        """Size if it is an [O II] galaxy; NaN if it cannot be one or is not larger than 1.1 times the seeing."""
        if not (self.given.size > 1.1 and self.oii_redshift > 0.0):
            return NAN
        return self.given.diameter * _kpc_per_arcsec(self.oii_redshift)


def _kpc_per_arcsec(z: float) -> float:
    """Proper kpc an arcsec in a flat universe with H0 = 70 km/s/Mpc and Ωm = 0.3."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    at = 0.5 * z * (nodes + 1.0)
    comoving = 0.5 * z * float(np.sum(weights / np.sqrt(0.3 * (1.0 + at) ** 3 + 0.7))) * 299792.458 / 70.0
    return comoving * 1e3 / (1.0 + z) * np.pi / 180.0 / 3600.0


# ------------------------------------------------------------------------------------------------- the rules


def _angular_size(case: Case) -> list[Cast]:
    given, kpc = case.given, case.kpc
    wavelength, diameter, quality = given.wavelength, given.diameter, case.quality
    broad = case.velocity(case.fwhm - case.fwhm_err) > BROAD
    if given.size > 1.1 and diameter > 9.0 and given.g < 21.0 and case.oii_redshift < 0.15:
        return [(0.0, 0.5 if case.width[0] < 5.0 else 0.25)]
    if not np.isfinite(kpc):
        return []
    if kpc < 3.0:
        return [(1.0, 0.25 * quality)]
    small = 2.8 if wavelength <= 4000.0 else ramp(wavelength, (4000.0, 2.8), (5000.0, 1.0))
    if diameter < (10.0 if wavelength < 3726.8 else small):
        return [(1.0, 0.1 * quality)] if kpc < 4.5 else []
    if diameter < 2.5:
        return [(1.0, 0.25)] if broad else []
    elongation = diameter / given.minor
    if elongation >= 2.0:
        g, error = case.g
        faintness = max(g - error - 23.0, 0.0) - max(23.0 - g - error, 0.0)
        return [(0.0, float(np.clip(diameter / 9.0 + 0.05 * elongation - 0.1 * faintness, 0.0, 2.0)))]
    if broad:
        return [(1.0, 0.25 * quality)]
    if case.velocity(case.fwhm + case.fwhm_err) < 800.0:
        return [(0.0, quality * ramp(diameter, (2.0, 0.0), (4.0, 0.25)))]
    return []


def _bright_continuum(case: Case) -> list[Cast]:
    given = case.given
    if not given.g < 21.5:
        return []
    if len(given.found) > 5:
        best = max(given.found, key=lambda line: line.score)
        width = best.equivalent_width / (given.wavelength / LYA)
        return [(0.0, 1.0)] if best.score < 5.0 or (width < 10.0 and best.fwhm < 10.0) else []
    width, error = case.wide_width
    return [(0.0, 0.2)] if width < 5.0 or width + error < 10.0 else []


def _multi_line(case: Case) -> list[Cast]:
    out = []
    for each in case.given.solutions:
        strong = (
            (each.score > 400.0 and each.companions >= 2)
            or (each.score > 200.0 and each.companions >= 3)
            or (each.score > 100.0 and each.fraction > 0.75)
        )
        weight = each.scale
        if each.score < scores.MIN_SOLUTION_SCORE:
            relative = each.score / scores.MIN_SOLUTION_SCORE
            weight /= 1.0 + float(np.exp(-25.0 * (relative - 0.75)))
            if each.line in ("CIV", "CIII", "MgII") and case.fwhm > 12.0:
                weight = max(2.0 * weight, relative)
        if strong:
            weight *= min(each.score / 50.0, 10.0)
        out.append((float(each.line == "Lya"), weight))
    return out


def _unmatched_lines(case: Case) -> list[Cast]:
    lya = next((each for each in case.given.solutions if each.line == "Lya"), None)
    left = case.given.unmatched if lya is None else lya.unmatched
    return [(0.0, min(1.0, left / 50.0))] if left > 25.0 else []


def _ratio(case: Case) -> list[Cast]:
    given = case.given
    if not np.isfinite(given.ratio):
        return []
    middle = ramp(given.wavelength, (4000.0, 1.4), (5000.0, 10.0))
    value = float(given.ratio > max(middle * case.threshold / 0.5, 1.4))
    folded = max(given.ratio, 1.0 / given.ratio)
    low, high = (each / (1.0 + each) for each in (given.ratio_low, given.ratio_high))
    weight = (1.0 - float(np.exp(-((folded - middle) ** 2) / 50.0))) * (1.0 - 0.5 * (high - low)) * case.quality
    if given.wavelength >= 3725.0:
        weight *= min(1.0, 0.5 + 10.0 * max(case.oii_redshift, 0.0))
    spread = 0.5 * (given.ratio_low + given.ratio_high)  # meant as a deviation, but half a sum
    if value == 1.0 and given.ratio < spread:
        weight *= (given.ratio / spread) ** 2
    return [(value, weight)]


def asymmetry(spectrum: Spectrum, wavelength: float, fwhm: float) -> tuple[float, float]:
    """Flux redward of a line over that blueward, and its error.

    Parameters
    ----------
    spectrum : Spectrum
        Evenly sampled.
    wavelength, fwhm : float
        Å. Each side has max(3, FWHM / 4.71) samples and its part of the one in the middle.

    Returns
    -------
    (ratio, error)
        NaN where the samples do not reach. The error has the sign of the ratio, as in the rules: a negative ratio may
        so pass for a large one.
    """
    reach = max(3, round(fwhm / 4.71))
    place = (wavelength - spectrum.wavelength[0]) / spectrum.step
    middle = round(place)
    if not (reach <= middle - 1 and middle + reach + 1 < spectrum.flux.size):
        return NAN, NAN
    blue, red = slice(middle - reach - 1, middle), slice(middle + 1, middle + reach + 2)
    share = middle + 0.5 - place
    variance = np.asarray(spectrum.error) ** 2
    sides = [
        (
            part * float(spectrum.flux[middle]) + float(np.sum(spectrum.flux[side])),
            part**2 * float(variance[middle]) + float(np.sum(variance[side])),
        )
        for part, side in ((share, red), (1.0 - share, blue))
    ]
    (r, r_var), (b, b_var) = sides
    ratio = r / b if b else NAN
    return ratio, ratio * float(np.sqrt(r_var / r**2 + b_var / b**2)) if r and b else NAN


def _asymmetry(case: Case) -> list[Cast]:
    given = case.given
    g = case.g[0]
    if given.spectrum is None or given.flux < 0 or not (g > 24.0 and given.snr > 6.0 and case.fwhm > 8.0):
        return []
    ratio, error = asymmetry(given.spectrum, given.wavelength, case.fwhm)
    trust = ramp(g, (24.0, 0.25), (25.0, 1.0)) * case.quality
    if ratio - error > 1.0:
        return [(1.0, (0.66 if ratio > 1.2 else 0.5) * trust)]
    if ratio > 1.2:
        return [(1.0, 0.5 * trust * min(1.0, 0.2 * ratio / error))]
    return []


def _line_width(case: Case) -> list[Cast]:
    given = case.given
    if given.flux < 0 or not given.sigma > 4.5:
        return []
    least = given.sigma - given.sigma_err
    weight = 1.0 if least >= 10.0 else case.quality * ramp(least, (4.5, 0.0), (7.6, 0.5))
    if given.sigma > 20.0 and given.sigma < 2.0 * given.sigma_err and given.snr < 7.5:
        weight = min(weight, 0.1)
    width, error = case.wide_width
    if width < 5.0 or width + error < 10.0:
        weight = 0.0
    elif width < 15.0:
        weight *= width / 15.0
    return [(1.0, weight)]


def _equivalent_width(case: Case) -> list[Cast]:
    width, error = case.width
    if case.given.flux < 0:
        return []
    if width >= 25.0 and width + error >= 30.0:
        return [(1.0, case.quality * ramp(width - error, (19.0, 0.0), (30.0, 0.5)))]
    if width < 20.0 and width - error < 18.0:
        return [(0.0, case.quality * ramp(width + error, (15.0, 0.5), (21.0, 0.0)))]
    return []


def _photo_z(case: Case) -> list[Cast]:
    bounds = ((-0.01, 0.7, 0.0), (0.7, 1.5, 0.5), (1.5, 4.5, 1.0))
    return [(value, weight) for z, weight in case.given.photo_z for low, high, value in bounds if low <= z < high]


def _g_magnitude(case: Case) -> list[Cast]:
    given = case.given
    if given.wavelength <= OII:
        return []
    g = _magnitude(given.continuum, VOTE_WAVELENGTH)
    bright = _magnitude(given.continuum + max(given.continuum_err, 0.25 * given.continuum), VOTE_WAVELENGTH)
    faint = _magnitude(given.continuum - given.continuum_err, VOTE_WAVELENGTH)
    low, high = 0.0011 * given.wavelength + 18.00, 0.00126 * given.wavelength + 18.10
    kpc = case.kpc
    none: Cast | None = None
    cases: tuple[Cast | None, ...]
    if bright > high:
        other = (0.0, 0.1) if kpc > 9.0 else (1.0, 0.1) if kpc >= 4.5 else (1.0, 0.2)
        cases = ((1.0, 1.0), (1.0, 0.4), (0.0, 0.2 if kpc > 9.0 else 0.1), other, (1.0, 0.2))
    elif faint < low:
        cases = ((1.0, 0.25), (1.0, 0.1), (0.0, 0.4), none, (0.0, 0.1))
    elif g > high or (g > low and bright < low and faint < high):
        cases = ((1.0, 0.5), (1.0, 0.3), (0.0, 0.25), none, (1.0, 0.05))
    elif g < low:
        cases = ((1.0, 0.3), (1.0, 0.15), (0.0, 0.3), none, (0.0, 0.05))
    else:
        return []
    width, error = case.width
    if not np.isfinite(width):
        column = 4
    else:
        column = 0 if width - error > 80.0 else 1 if width - error > 30.0 else 2 if width + error < 15.0 else 3
    cast = cases[column]
    return [] if cast is None else [cast]


def _width_and_ratio(case: Case) -> list[Cast]:
    given = case.given
    resolved = given.snr > 10.0 and given.sigma - given.sigma_err > 4.5 and given.ratio >= 0.8
    if not (resolved or given.ratio > ramp(given.wavelength, (4000.0, 1.0), (5000.0, 2.0))):
        return []
    width, error = case.width
    more = min((given.ratio - 1.0) / 10.0, 0.25)
    if width - error > 20.0:
        return [(1.0, min((width - 20.0) / 40.0, 0.25) + more)]
    if width + error < 20.0:
        return [(0.0, min(abs(width - 20.0) / 15.0, 0.25) + more)]
    return []


def _absorption(case: Case) -> list[Cast]:
    return [(0.0, 1.0)] if case.given.flux < 0 else []


RULES: dict[str, Callable[[Case], list[Cast]]] = {
    "angular size": _angular_size,
    "bright continuum": _bright_continuum,
    "multi-line": _multi_line,
    "unmatched lines": _unmatched_lines,
    "P(LAE)/P(OII)": _ratio,
    "asymmetry": _asymmetry,
    "line width": _line_width,
    "equivalent width": _equivalent_width,
    "photo-z": _photo_z,
    "g magnitude": _g_magnitude,
    "width and ratio": _width_and_ratio,
    "absorption": _absorption,
}
