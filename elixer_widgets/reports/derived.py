"""Conversions between numbers that were measured elsewhere: units, redshifts, rest widths. No measurement is made."""

from __future__ import annotations

import math
from collections import Counter

from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.classification.plae import PUBLISHED_RANGE, PlaeRatio
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.detection import DataError, Detection, FiberImages, Spectrum
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of

PLAE_RANGE = PUBLISHED_RANGE
"""Where P(LAE)/P(OII) is clipped when shown or stored."""

CONTINUUM_BANDS = ("g", "r", "F606W")
"""The bands that stand for the continuum under the line, best first (user guide)."""

APERTURE_SAMPLE = 515
"""Sample of the HETDEX grid, 4500 Å, at which ELiXer quotes the aperture correction."""


def redshift_as(identity: str, wavelength: float) -> float:
    """Redshift if the line at `wavelength` (Å, air) is that of `identity`; NaN without a wavelength."""
    if not math.isfinite(wavelength):
        return math.nan
    return float(redshift_of(wavelength, IDENTITY_LINES[identity]))


def sourced(
    interpretation: Interpretation, *names: str, occurrence: int = 0
) -> tuple[ContinuumEstimate | None, PlaeRatio | None]:
    """One of the continua that were combined, and the P(LAE)/P(OII) that rests on it.

    Parameters
    ----------
    interpretation : Interpretation
    *names : str
        What it may be called.
    occurrence : int
        Where several continua have one of these names: which of them, 0 the first.

    Returns
    -------
    (estimate, ratio)
        None for what there is not.
    """
    rated: Counter[str] = Counter()
    found = 0
    for each in interpretation.continuum_sources:
        ratio = None
        if each.value > 0:  # only such a continuum has a ratio, and ratios keep the order of the continua
            same = [ratio for ratio in interpretation.plae_sources if ratio.source == each.name]
            ratio = same[rated[each.name]] if rated[each.name] < len(same) else None
            rated[each.name] += 1
        if each.name in names:
            if found == occurrence:
                return each, ratio
            found += 1
    if occurrence == 0 and not found:
        return None, next((ratio for ratio in interpretation.plae_sources if ratio.source in names), None)
    return None, None


def from_aperture(
    interpretation: Interpretation, survey: str, band: str
) -> tuple[ContinuumEstimate | None, PlaeRatio | None]:
    """`sourced` for the circular aperture on one image."""
    return sourced(interpretation, f"aperture {survey} {band}", f"aperture {band}")


def _match_name(match: Match) -> str:
    """The name of the continuum that a catalogue object's magnitude stands for; empty if it has none."""
    magnitude = match.object.magnitude(*CONTINUUM_BANDS)
    return "" if magnitude is None else f"catalog {match.object.catalog} {magnitude.band}"


def from_match(interpretation: Interpretation, match: Match) -> tuple[ContinuumEstimate | None, PlaeRatio | None]:
    """`sourced` for a catalogue object; continua of objects of one catalogue and band stand in the objects' order."""
    name = _match_name(match)
    listed = [each for each in interpretation.measurements.matches if _match_name(each) == name]
    place = next((number for number, each in enumerate(listed) if each is match), -1)
    return sourced(interpretation, name, occurrence=place) if name and place >= 0 else (None, None)


def measured_spectrum(measurements: Measurements) -> Spectrum:
    """The spectrum that was measured: the detection's, or what is left of it where fibers were switched off."""
    return measurements.detection.spectrum if measurements.spectrum is None else measurements.spectrum


def fiber_images(detection: Detection) -> FiberImages:
    """The detection's CCD pictures; none, with the reason, where they cannot be read."""
    try:
        return detection.fiber_images
    except DataError as error:
        return FiberImages(reason=str(error))


def best_solution(interpretation: Interpretation) -> Solution | None:
    """The best multi-line solution: one with a companion found."""
    return next(
        (each for each in interpretation.solutions if any(line.status == "found" for line in each.companions)), None
    )


def clipped_plae(ratio: PlaeRatio | None) -> tuple[float, float, float]:
    """Value, low and high within the published range; NaN stays NaN, and None gives three of them."""
    return (math.nan, math.nan, math.nan) if ratio is None else ratio.clipped


def aperture_correction(detection: Detection) -> float:
    """The spectrum's aperture correction at 4500 Å, NaN if it has none."""
    correction = detection.spectrum.aperture_correction
    if correction is None or correction.size <= APERTURE_SAMPLE:
        return math.nan
    return float(correction[APERTURE_SAMPLE])


def color(interpretation: Interpretation, blue: str, red: str) -> tuple[float, float, float]:
    """Colour of the source from two bands of one survey: magnitude in `blue` less that in `red`, AB.

    Parameters
    ----------
    interpretation : Interpretation
    blue, red : str
        Bands.

    Returns
    -------
    (value, bluest, reddest)
        With the ends of its 1σ interval; NaN unless both bands of a survey show the source, either as the selected
        ellipse or in a circular aperture on both images. Of several surveys, the smallest error.
    """
    measurements = interpretation.measurements
    ellipses = {(s.survey, s.band): (s.mag, s.mag_err) for s in measurements.sources if s.selected}
    circles = {(g.survey, g.band): (g.mag, g.mag_err) for g in measurements.growths if not g.is_limit}
    best = (math.nan, math.nan, math.nan)
    smallest = math.inf
    for survey in dict.fromkeys(growth.survey for growth in measurements.growths):
        for found in (ellipses, circles):
            if (survey, blue) not in found or (survey, red) not in found:
                continue
            (first, first_err), (second, second_err) = found[survey, blue], found[survey, red]
            error = math.hypot(first_err, second_err)
            if math.isfinite(first - second) and error < smallest:
                smallest = error
                best = (first - second, first - second - error, first - second + error)
            break
    return best


def chi2_error(n_samples: int) -> float:
    """Standard deviation of a reduced χ² by chance, √(2/ν) for ν = n - 4 degrees of freedom; NaN for none."""
    return math.sqrt(2.0 / (n_samples - 4)) if n_samples > 4 else math.nan
