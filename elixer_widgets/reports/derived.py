"""Numbers of the catalogue and the page that rest on others: units, redshifts, rest widths, colours, labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from elixer_widgets.analysis import Interpretation, Measurements
from elixer_widgets.classification.plae import PUBLISHED_RANGE, PlaeRatio
from elixer_widgets.classification.solutions import Solution
from elixer_widgets.detection import DataError, Detection, FiberImages, Spectrum
from elixer_widgets.imaging.apertures import measure_aperture
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.fixed_aperture import FIXED_RADIUS
from elixer_widgets.spectra.continuum import ContinuumEstimate, g_magnitude
from elixer_widgets.spectra.lines import IDENTITY_LINES, redshift_of

PLAE_RANGE = PUBLISHED_RANGE
"""Where P(LAE)/P(OII) is clipped when shown or stored."""

CONTINUUM_BANDS = ("g", "r", "F606W")
"""The bands that stand for the continuum under the line, best first (user guide)."""

APERTURE_SAMPLE = 515
"""Sample of the HETDEX grid, 4500 Å, at which ELiXer quotes the aperture correction."""

LOW_REDSHIFT = ("OII", "OIII", "Hb", "Hg")
"""Identities of the main line that put the galaxy at low redshift."""


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
        With the ends of its 1σ interval; NaN unless both images of a survey show light at 2σ. Of several surveys, the
        smallest error.

    Notes
    -----
    Both images are measured in circles of 1" about the same place: the barycentre of the selected source in the band
    that shows it best, else the place of the aperture. The images' seeing is not made equal.
    """
    measurements = interpretation.measurements
    images = {(cutout.survey, cutout.band): cutout for cutout in measurements.cutouts}
    best = (math.nan, math.nan, math.nan)
    smallest = math.inf
    for growth in measurements.growths:
        survey = growth.survey
        if growth.band != red or (survey, blue) not in images or (survey, red) not in images:
            continue
        chosen = [s for s in measurements.sources if s.selected and s.survey == survey and s.band in (blue, red)]
        source = min(chosen, key=lambda each: each.mag_err if math.isfinite(each.mag_err) else math.inf, default=None)
        ra, dec = (growth.ra, growth.dec) if source is None else (source.ra, source.dec)
        first, second = (measure_aperture(images[survey, band], ra, dec, FIXED_RADIUS) for band in (blue, red))
        if any(not each.counts > 2.0 * each.counts_err for each in (first, second)):
            continue
        value = first.aperture_mag - second.aperture_mag
        error = math.hypot(first.aperture_mag_err, second.aperture_mag_err)
        if math.isfinite(value) and error < smallest:
            smallest, best = error, (value, value - error, value + error)
    return best


def central_fiber_magnitude(detection: Detection) -> float:
    """Synthetic g magnitude of the fiber with the largest weight alone; NaN if it is fainter than 2σ or not there."""
    try:
        spectra = detection.fiber_spectra
    except DataError:
        return math.nan
    if not spectra or spectra[0] is None:
        return math.nan
    found = g_magnitude(spectra[0])
    return math.nan if found.is_limit else found.value


def statistical_error(sources: Sequence[ContinuumEstimate]) -> float:
    """Error of the weighted mean of the continua that were combined, from their own errors alone.

    √(Σ w²/V) / Σ(w/V) over the detections, V being the variances: without what is added where they disagree. 1e-17
    erg/s/cm²/Å; NaN without a detection.
    """
    used = [each for each in sources if each.weight > 0 and not each.is_limit and each.error > 0]
    if not used:
        return math.nan
    return math.sqrt(sum(e.weight**2 / e.error**2 for e in used)) / sum(e.weight / e.error**2 for e in used)


def labels(interpretation: Interpretation) -> tuple[str, ...]:
    """What kind of object it is, in the published words: "agn", and by an accepted multi-line solution "lzg", "o32".

    "lzg": a galaxy at low redshift whose lines say so. "o32": [O III] 5007 is more than five times [O II].
    """
    found = list(interpretation.labels)
    best = best_solution(interpretation)
    at_low_redshift = {interpretation.identity, best.identity if best else ""} <= set(LOW_REDSHIFT)
    if best is None or not best.accepted or not at_low_redshift:
        return tuple(found)
    found.append("lzg")
    flux = {line.line: line.flux for line in best.companions if line.status == "found"}
    flux[best.line] = interpretation.measurements.line.flux
    if flux.get("OII", 0.0) > 0 and flux.get("OIII", 0.0) > 5.0 * flux["OII"]:
        found.append("o32")
    return tuple(found)


def chi2_error(n_samples: int) -> float:
    """Standard deviation of a reduced χ² by chance, √(2/ν) for ν = n - 4 degrees of freedom; NaN for none."""
    return math.sqrt(2.0 / (n_samples - 4)) if n_samples > 4 else math.nan
