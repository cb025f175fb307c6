"""The continuum under the line from everything that saw it, and one estimate made of all of them.

Detections enter as normal measurements, non-detections as censored ones: a limit says only that the
continuum is not brighter. Inputs carry the weights that ELiXer gives them (user guide, "Line
Classifications"); the error of the result follows from the inputs' own errors and their disagreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import biweight_location, biweight_scale
from scipy.special import log_ndtr

from elixer_widgets.detection import NAN, Magnitude
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import (
    LIMIT_SIGMA,
    SLOPE_ERROR,
    TYPICAL_SLOPE,
    ContinuumEstimate,
    ab_magnitude,
    flux_density,
    g_response,
    g_width,
)

HETDEX_DEPTH = 24.8
"""AB magnitude below which the continuum of a HETDEX spectrum is not trusted, where a shot has no own
value."""

G_WAVELENGTH = 4726.1
"""Å; where `HETDEX_DEPTH` is turned into a flux density."""

PIVOT: dict[str, float] = {"g": 4750.0, "r": 6250.0, "f606w": 5920.0}
"""Å; wavelengths that the bands' magnitudes refer to. g comes first; the other two stand in for it."""

RED_SLOPE = TYPICAL_SLOPE
"""f_λ ∝ λ^β between a red band and the line. What is not known of it makes an error that grows with the distance of the
line from the band."""

SKY_RESIDUAL = 0.5
"""Error of a spectrum's continuum in units of its depth; our estimate."""

APERTURE_FLOOR = 0.05
"""Smallest relative error of aperture photometry (zero points, colour terms); our estimate."""
CATALOG_FLOOR = 0.2
"""Smallest relative error of a catalogue magnitude, whose aperture is not known."""

LISTED_MATCHES = 8
"""Catalogue objects whose continuum is listed, and with it the equivalent widths and P(LAE)/P(OII) of each: more than
any table shows."""

CATALOG_REACH = 0.5
"""arcsec; a catalogue object this near counts even where nothing else was detected."""

OUTLIER_SIGMA = 3.0
"""Estimates that differ by more than this many σ are not of the same thing."""

GRID = np.linspace(np.log(1e-5), np.log(1e5), 1001)
"""ln of the continuum in 1e-17 erg/s/cm²/Å, on which likelihoods are kept."""


@dataclass(frozen=True, eq=False)
class CombinedContinuum:
    """The combined continuum, what it is made of, and its whole likelihood.

    Attributes
    ----------
    estimate : ContinuumEstimate
        Named "combined"; a limit if nothing is detected, NaN if there is no input.
    sources : tuple of ContinuumEstimate
        Every input with its `weight` (0: not used) and, in `note`, the reason where it is not used.
    log_likelihood : array, shape of GRID
        ln of the likelihood of all inputs for each continuum of `GRID`, 0 at its maximum.
    """

    estimate: ContinuumEstimate
    sources: tuple[ContinuumEstimate, ...]
    log_likelihood: np.ndarray


# ------------------------------------------------------------------------------------------------- the inputs


def from_magnitude(
    name: str,
    magnitude: float,
    error: float,
    wavelength: float,
    band: str,
    *,
    limit_sigma: float = NAN,
    floor: float = 0.0,
) -> ContinuumEstimate:
    """A broad-band magnitude as a continuum at the line.

    Parameters
    ----------
    name : str
    magnitude, error : float
        AB. With `limit_sigma` it is a limit at that many σ.
    wavelength : float
        Å of the line. g magnitudes are taken as flat in f_ν, as published; see `RED_SLOPE` for red bands.
    band : str
    limit_sigma : float
    floor : float
        Smallest relative error.
    """
    value = flux_density(magnitude, wavelength)
    pivot = PIVOT.get(band.lower(), PIVOT["g"])
    if band.lower() != "g":
        value *= (wavelength / pivot) ** (RED_SLOPE + 2.0)
    floor = float(np.hypot(floor, slope_error(wavelength, pivot)))
    slope = "" if band.lower() == "g" else f"from {band} with f_λ ∝ λ^{RED_SLOPE:g}"
    if np.isfinite(limit_sigma):
        note = "; ".join(filter(None, ("below the limit", slope)))
        return ContinuumEstimate(
            name, value, value / limit_sigma, True, limit_sigma, magnitude=magnitude, band=band, note=note
        )
    # Half the difference between the two ends of the magnitude's error bar, as the original does
    relative = float(np.sinh(0.4 * np.log(10.0) * error)) if np.isfinite(error) else 0.5
    return ContinuumEstimate(
        name,
        value,
        value * float(np.hypot(relative, floor)),
        magnitude=magnitude,
        magnitude_err=error,
        band=band,
        note="; ".join(filter(None, ("" if np.isfinite(error) else "no error given", slope))),
    )


def line_in_g(flux: float, wavelength: float) -> float:
    """What a line adds to the continuum that a g magnitude stands for.

    Parameters
    ----------
    flux : float
        erg/s/cm²; nothing is added for absorption.
    wavelength : float
        Å.

    Returns
    -------
    float
        1e-17 erg/s/cm²/Å at the line: F R(λ) / (λ ∫ R/λ dλ), some F/1300 Å in mid band.
    """
    if not flux > 0:
        return 0.0
    response = float(g_response(np.array([wavelength]))[0])
    return flux * 1e17 * response / (wavelength * g_width())


def _without_line(estimate: ContinuumEstimate, flux: float, wavelength: float) -> ContinuumEstimate:
    """A g-band estimate less the line's own light; a limit where nothing is left."""
    if estimate.band.lower() != "g" or estimate.is_limit:
        return estimate
    own = line_in_g(flux, wavelength)
    if not own > 0.02 * estimate.value:
        return estimate
    value, error = estimate.value - own, estimate.error if estimate.error > 0 else estimate.value
    if value < 2.0 * error:
        limit = max(value, 0.0) + 2.0 * error
        return replace(
            estimate,
            value=limit,
            error=limit / 2.0,
            is_limit=True,
            limit_sigma=2.0,
            magnitude=ab_magnitude(limit, wavelength),
            magnitude_err=NAN,
            note="nothing beyond the line's own light",
        )
    return replace(
        estimate,
        value=value,
        magnitude=ab_magnitude(value, wavelength),
        magnitude_err=float(2.5 / np.log(10.0) * error / value),
        note="the line's own light taken off",
    )


def slope_error(wavelength: float, pivot: float) -> float:
    """Relative error of a continuum at `wavelength` that was measured at `pivot` (both Å), for want of its slope."""
    return float(SLOPE_ERROR * abs(np.log(wavelength / pivot)))


def _is_usable_band(band: str) -> bool:
    return band.lower() in PIVOT


def _label(kind: str, survey: str, band: str) -> str:
    return " ".join(part for part in (kind, survey, band) if part)


def _from_growth(growth: Growth, wavelength: float) -> ContinuumEstimate | None:
    """The whole light of a point source, since the line flux, weighted by the fibers' shares, is a whole one too."""
    name = _label("aperture", growth.survey, growth.band)
    if growth.is_limit or not np.isfinite(growth.mag):
        if not np.isfinite(growth.total_limit):
            return None
        return from_magnitude(name, growth.total_limit, NAN, wavelength, growth.band, limit_sigma=2.0)
    return from_magnitude(name, growth.total_mag, growth.mag_err, wavelength, growth.band, floor=APERTURE_FLOOR)


def _from_source(source: SourceEllipse, wavelength: float) -> ContinuumEstimate | None:
    if not (source.selected and np.isfinite(source.mag)):
        return None
    name = _label("source", source.survey, source.band)
    return from_magnitude(name, source.mag, source.mag_err, wavelength, source.band, floor=APERTURE_FLOOR)


def _from_match(match: Match, wavelength: float) -> ContinuumEstimate | None:
    magnitude = match.object.magnitude("g", "r", "F606W")
    if magnitude is None:
        return None
    name = _label("catalog", match.object.catalog, magnitude.band)
    sigma = (magnitude.limit_sigma if np.isfinite(magnitude.limit_sigma) else 2.0) if magnitude.is_limit else NAN
    return from_magnitude(
        name, magnitude.value, magnitude.error, wavelength, magnitude.band, limit_sigma=sigma, floor=CATALOG_FLOOR
    )


def _from_given(magnitude: Magnitude, wavelength: float) -> ContinuumEstimate | None:
    if not np.isfinite(magnitude.value):
        return None
    sigma = (magnitude.limit_sigma if np.isfinite(magnitude.limit_sigma) else 2.0) if magnitude.is_limit else NAN
    name = _label("given", "", magnitude.band)
    return from_magnitude(
        name, magnitude.value, magnitude.error, wavelength, magnitude.band, limit_sigma=sigma, floor=APERTURE_FLOOR
    )


# ------------------------------------------------------------------------------------------------ the weights


def _weigh_wide(wide: ContinuumEstimate, wavelength: float, depth: float) -> ContinuumEstimate:
    """Weight of the whole-spectrum continuum by how far it stands above the depth of the spectrum."""
    limit = flux_density(depth, G_WAVELENGTH) * (G_WAVELENGTH / wavelength) ** 2 if np.isfinite(depth) else 0.0
    if wide.is_limit:
        return replace(wide, weight=0.1)
    # The depth is about the scatter of empty fibers: residuals of the sky that the error array does not hold
    statistical = wide.error if np.isfinite(wide.error) else 0.0
    error = float(np.hypot(statistical, SKY_RESIDUAL * limit))
    if limit == 0.0:
        return replace(wide, weight=1.0)
    # The published weight, with its own error of a fifth of the depth
    excess = (wide.value - float(np.hypot(statistical, 0.2 * limit))) / limit
    weight = float(np.interp(excess, (0.8, 1.0, 1.6), (0.1, 1.0, 4.0)))
    return replace(wide, error=error, weight=0.1 if wide.value < limit else weight)


def _weigh_narrow(narrow: ContinuumEstimate, has_wide: bool) -> ContinuumEstimate:
    if has_wide:
        return replace(narrow, weight=0.0, note=narrow.note or "the wide continuum holds more light")
    return replace(narrow, weight=0.1 if narrow.is_limit else 0.2)


def _weigh_image(estimate: ContinuumEstimate) -> ContinuumEstimate:
    if estimate.is_limit:
        bright, faint = 10.0 ** (-0.4 * 24.0), 10.0 ** (-0.4 * 26.0)
        weight = float(np.interp(-(10.0 ** (-0.4 * estimate.magnitude)), (-bright, -faint), (0.0, 1.0)))
        return replace(estimate, weight=weight, note=estimate.note if weight > 0 else "too shallow to say anything")
    weight = 1.0 if np.isfinite(estimate.magnitude_err) else 0.5
    return replace(estimate, weight=weight * (1.0 if estimate.band.lower() == "g" else 0.8))


def _unused(estimate: ContinuumEstimate, why: str) -> ContinuumEstimate:
    return replace(estimate, weight=0.0, note=why)


def continuum_sources(
    wavelength: float,
    narrow: ContinuumEstimate,
    wide: ContinuumEstimate,
    growths: Iterable[Growth] = (),
    sources: Iterable[SourceEllipse] = (),
    matches: Iterable[Match] = (),
    given: Iterable[Magnitude] = (),
    depth: float = NAN,
    line_flux: float = 0.0,
) -> tuple[ContinuumEstimate, ...]:
    """Every estimate of the continuum under the line, with its weight in the combination.

    Parameters
    ----------
    wavelength : float
        Å of the line.
    narrow, wide : ContinuumEstimate
        From the spectrum.
    growths, sources, matches
        From the images and catalogues: g, r and F606W are used. Of a match, the magnitude at face value;
        the first `LISTED_MATCHES` are listed, the selected one enters.
    given : iterable of Magnitude
        What the caller knows of the object.
    depth : float
        AB depth of the spectrum's continuum; NaN if it has none to speak of.
    line_flux : float
        erg/s/cm²; taken off what g images and catalogues show.

    Returns
    -------
    tuple of ContinuumEstimate
        `weight` 0 for those that are not used, `note` saying why.
    """

    def image(estimate: ContinuumEstimate) -> ContinuumEstimate:
        return _weigh_image(_without_line(estimate, line_flux, wavelength))

    listed: list[ContinuumEstimate] = []
    has_wide = bool(np.isfinite(wide.value))
    if np.isfinite(narrow.value):
        listed.append(_weigh_narrow(narrow, has_wide))
    if has_wide:
        listed.append(_weigh_wide(wide, wavelength, depth))

    chosen: dict[tuple[str, str], ContinuumEstimate] = {}
    for source in sources:
        estimate = _from_source(source, wavelength) if _is_usable_band(source.band) else None
        if estimate is not None:
            chosen[source.survey, source.band] = image(estimate)
    for growth in growths:
        estimate = _from_growth(growth, wavelength) if _is_usable_band(growth.band) else None
        if estimate is None:
            continue
        ellipse = chosen.get((growth.survey, growth.band))
        if growth.by_person and ellipse is not None:
            chosen[growth.survey, growth.band] = _unused(ellipse, "a person's aperture is used instead")
            ellipse = None
        listed.append(image(estimate) if ellipse is None else _unused(estimate, "the source's ellipse is used"))
    listed.extend(chosen.values())

    for magnitude in given:
        estimate = _from_given(magnitude, wavelength) if _is_usable_band(magnitude.band) else None
        if estimate is not None:
            listed.append(image(estimate))

    anything_seen = any(each.weight > 0 and not each.is_limit for each in listed)
    for match in list(matches)[:LISTED_MATCHES]:
        estimate = _from_match(match, wavelength)
        if estimate is None:
            continue
        if not match.selected:
            listed.append(_unused(estimate, "not the selected counterpart"))
        elif not (anything_seen or match.separation < CATALOG_REACH):
            listed.append(_unused(estimate, "nothing else shows a source here"))
        else:
            listed.append(image(estimate))
    return tuple(listed)


# -------------------------------------------------------------------------------------------- the combination


def _contradicts(limit: ContinuumEstimate, detection: ContinuumEstimate) -> bool:
    """Whether a limit lies so far below a detection in its own band that one of them is not of this object."""
    sigma = limit.value / (limit.limit_sigma if np.isfinite(limit.limit_sigma) else LIMIT_SIGMA)
    return bool(
        limit.band.lower() == detection.band.lower()
        and detection.value - limit.value > OUTLIER_SIGMA * float(np.hypot(sigma, detection.error))
    )


def _without_contradictions(inputs: list[ContinuumEstimate]) -> list[ContinuumEstimate]:
    """Limits that a detection in their own band contradicts, and detections far off the rest, are set aside."""
    seen = [each for each in inputs if each.weight > 0 and not each.is_limit and each.band]
    out = [
        _unused(each, "another image of this band shows the source")
        if each.is_limit and each.weight > 0 and any(_contradicts(each, other) for other in seen)
        else each
        for each in inputs
    ]
    detections = [each for each in out if each.weight > 0 and not each.is_limit]
    if len(detections) > 2:
        out = [
            _unused(each, "error too large beside the others")
            if each in detections and each.error > 1.3 * each.value
            else each
            for each in out
        ]
        detections = [each for each in out if each.weight > 0 and not each.is_limit]
    if len(detections) > 2:
        values = np.array([each.value for each in detections])
        middle, scale = float(biweight_location(values)), float(biweight_scale(values))
        # As published, but not what its own error explains: of equals, 13 % lie so far out by chance
        far = [
            each
            for each in detections
            if scale > 0 and abs(each.value - middle) > max(1.5 * scale, OUTLIER_SIGMA * each.error)
        ]
        if len(detections) - len(far) >= 2:
            out = [_unused(each, "far from the other estimates") if each in far else each for each in out]
    return out


def _shares(inputs: Sequence[ContinuumEstimate]) -> list[float]:
    """Exponents of the inputs' likelihoods: their weights, scaled so that the error of the weighted mean is its own.

    The mean with weights w/V of independent measurements has the variance Σ(w²/V) / Σ(w/V)²; exponents
    w Σ(w/V) / Σ(w²/V) give that. A limit never counts more than once.
    """
    detections = [each for each in inputs if not each.is_limit]
    if detections:
        inverse = np.array([1.0 / each.error**2 for each in detections])
        weight = np.array([each.weight for each in detections])
        scale = float((weight @ inverse) / (weight**2 @ inverse))
    else:
        scale = 1.0 / max(each.weight for each in inputs)
    return [min(each.weight * scale, 1.0) if each.is_limit else each.weight * scale for each in inputs]


def _log_likelihood(inputs: Sequence[ContinuumEstimate], inflation: float) -> np.ndarray:
    """Sum of the inputs' weighted log likelihoods on GRID."""
    continuum = np.exp(GRID)
    total = np.zeros_like(GRID)
    for each, share in zip(inputs, _shares(inputs), strict=True):
        if each.is_limit:
            sigma = each.value / (each.limit_sigma if np.isfinite(each.limit_sigma) else LIMIT_SIGMA)
            total += share * log_ndtr((each.value - continuum) / sigma)
        else:
            total += share * -0.5 * ((continuum - each.value) / (each.error * inflation)) ** 2
    return total - total.max()


def combine(sources: Sequence[ContinuumEstimate], wavelength: float) -> CombinedContinuum:
    """One continuum from all estimates.

    Parameters
    ----------
    sources : sequence of ContinuumEstimate
        With weights, as from `continuum_sources`.
    wavelength : float
        Å of the line.

    Returns
    -------
    CombinedContinuum

    Notes
    -----
    The value is the mean of the likelihood over continua ≥ 0, the error its standard deviation. Weights are
    exponents of the inputs' likelihoods, scaled so that the error is that of the weighted mean. A limit enters with
    the probability that an object of this continuum is not detected. Detections that disagree by more than their
    errors have these enlarged until χ² per degree of freedom is 1 (Birge 1932, Phys. Rev. 40, 207).
    """
    inputs = _without_contradictions(
        [
            replace(each, error=each.value if not each.error > 0 else each.error) if each.weight > 0 else each
            for each in sources
        ]
    )
    used = [each for each in inputs if each.weight > 0]
    if not used:
        empty = ContinuumEstimate("combined", NAN, note="no continuum estimate")
        return CombinedContinuum(empty, tuple(inputs), np.zeros_like(GRID))
    detections = [each for each in used if not each.is_limit]
    inflation = 1.0
    if len(detections) > 1:
        value = np.array([each.value for each in detections])
        error = np.array([each.error for each in detections])
        weight = np.array([each.weight for each in detections]) / error**2
        mean = float(np.sum(weight * value) / np.sum(weight))
        chi2 = float(np.sum(((value - mean) / error) ** 2) / (len(detections) - 1))
        inflation = max(1.0, float(np.sqrt(chi2)))
    likelihood = _log_likelihood(used, inflation)
    continuum = np.exp(GRID)
    density = np.exp(likelihood) * continuum  # per step of ln C, with a flat prior in C
    density /= density.sum()
    average = float(np.sum(density * continuum))
    spread = float(np.sqrt(max(np.sum(density * (continuum - average) ** 2), 0.0)))
    if not detections:
        # As published: of non-detections alone, the deepest stands for all
        deepest = min(used, key=lambda each: each.value)
        note = f"the limit of {deepest.name}"
        estimate = replace(deepest, name="combined", band="", weight=NAN, note=note)
    elif average < 2.0 * spread:
        limit = float(np.interp(0.9772, np.cumsum(density), continuum))
        estimate = ContinuumEstimate(
            "combined", limit, limit / 2.0, True, 2.0, magnitude=ab_magnitude(limit, wavelength), note="2σ limit"
        )
    else:
        # No estimate is better than its calibration, and the grid resolves no less than 1 %
        spread = max(spread, 0.01 * average)
        estimate = ContinuumEstimate(
            "combined",
            average,
            spread,
            magnitude=ab_magnitude(average, wavelength),
            magnitude_err=float(2.5 / np.log(10.0) * spread / average),
        )
    return CombinedContinuum(estimate, tuple(inputs), likelihood)
