"""When each detection flag is raised: one condition a flag, in the order of their bits.

Limits that are published for the ELiXer catalogue are used (user guide; Davis et al. 2023, ApJ 946, 86); the others
are ours, chosen for the meaning of the flag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from elixer_widgets.classification.flags import FLAGS, Flag
from elixer_widgets.classification.scores import line_quality
from elixer_widgets.detection import NAN, Detection, Magnitude, Shot, Spectrum
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate, flux_density
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import IDENTITY_LINES

SHALLOW = 24.5
"""AB; imaging without an image this deep cannot help with faint emitters."""
MAX_SEEING = 3.0
MAX_DITHER_NORM = 3.0
MIN_RESPONSE = 0.08
VERY_LOW_RESPONSE = 0.05
"""arcsec, ratio, throughput: quality cuts on a shot."""
COUNTERPART_REACH = 0.5
BLEND_REACH = 1.5
"""arcsec, to the nearest source's edge and between the centres of a blend."""
DISAGREEMENT = 0.8
RED_DISAGREEMENT = 1.5
SPECTRAL_DISAGREEMENT = 1.0
"""mag, between two images or g and g; between g and r; between two g magnitudes of one spectrum."""
FOLLOW_UP_QUALITY = 0.6
"""Quality of the line below which someone should look; below 1 it is questionable."""
SPECTRUM_DEPTH = 24.8
"""AB; what the continuum of a HETDEX spectrum reaches."""
REDSHIFT_REACH = 0.05
"""Two redshifts further apart are not of one object."""

# Ours
SURE = 2.0
"""σ by which magnitudes differ at least to disagree."""
SEEN_MARGIN = 1.0
ABSENT_MARGIN = 1.5
"""mag above an image's depth from which a source is seen for certain; within which an aperture shows it."""
LARGE = 2.5
LARGE_REACH = 3.0
LARGE_BRIGHTER = 1.0
"""arcsec of semi-axis, arcsec to the edge, mag."""
ZERO_WINDOW = 25.0
ZERO_SHARE = 0.2
USABLE_SHARE = 0.1
NEBULA_VELOCITY = 600.0
"""km/s; galaxies whose planetary nebulae can be seen one by one are no faster."""
_LIGHT_SPEED = 299792.458


@dataclass(frozen=True, eq=False)
class Known:
    """What the conditions look at; see `raise_flags`."""

    detection: Detection
    spectrum: Spectrum
    line: LineFit
    wide: ContinuumEstimate | None
    g: Magnitude
    growths: Sequence[Growth]
    sources: Sequence[SourceEllipse]
    matches: Sequence[Match]
    fibers: Sequence[FiberFlux]
    notes: Sequence[str]
    posterior: Mapping[str, float]
    identity: str
    redshift: float
    by_person: bool

    @property
    def shot(self) -> Shot:
        return self.detection.shot or Shot(0)

    @property
    def depth(self) -> float:
        """Of the deepest image; NaN without any."""
        return max((each.depth for each in self.growths if np.isfinite(each.depth)), default=NAN)

    @property
    def selected(self) -> Match | None:
        return next((each for each in self.matches if each.selected), None)

    @property
    def quality(self) -> float:
        return line_quality(self.line.snr, self.line.chi2) if np.isfinite(self.line.snr) else 0.0


def _apart(first: float, second: float, errors: Sequence[float], limit: float) -> bool:
    """Whether two magnitudes differ by more than `limit` and `SURE` σ."""
    sigma = float(np.sqrt(sum(each**2 for each in errors if np.isfinite(each))))
    return abs(first - second) > max(limit, SURE * sigma)


def _measured(growths: Sequence[Growth], band: str = "") -> list[Growth]:
    """Apertures that show something, of one band if one is given."""
    return [
        each
        for each in growths
        if np.isfinite(each.mag) and not each.is_limit and band.lower() in ("", each.band.lower())
    ]


def _images_disagree(known: Known) -> bool:
    return any(
        one.band == other.band and _apart(one.mag, other.mag, (one.mag_err, other.mag_err), DISAGREEMENT)
        for one, other in combinations(_measured(known.growths), 2)
    )


def _g_disagrees(known: Known) -> bool:
    if not np.isfinite(known.g.value):
        return False
    for band, limit in (("g", DISAGREEMENT), ("r", RED_DISAGREEMENT)):
        seen = _measured(known.growths, band)
        if not seen:
            continue
        image = float(np.median([each.mag for each in seen]))
        error = min((each.mag_err for each in seen if np.isfinite(each.mag_err)), default=NAN)
        if known.g.is_limit and image > known.g.value:
            return False  # fainter than the spectrum could show
        return _apart(image, known.g.value, (error, known.g.error), limit)
    return False


def _is_blended(known: Known) -> bool:
    images: dict[tuple[str, str], int] = {}
    for each in known.sources:
        if each.separation < BLEND_REACH:
            images[each.survey, each.band] = images.get((each.survey, each.band), 0) + 1
    return max(images.values(), default=0) > 1 or sum(m.separation < BLEND_REACH for m in known.matches) > 1


def _is_absent(known: Known) -> bool:
    bright = not known.g.is_limit and known.g.value < known.depth - SEEN_MARGIN
    shown = any(abs(each.mag - known.g.value) < ABSENT_MARGIN for each in _measured(known.growths))
    return bright and not (shown or known.matches or any(each.selected for each in known.sources))


def _is_distant(known: Known) -> bool:
    edges = [each.edge_distance for each in known.sources if np.isfinite(each.edge_distance)]
    edges += [each.separation for each in known.matches]
    return bool(edges) and min(edges) > COUNTERPART_REACH


def _catalog_disagrees(known: Known) -> bool:
    if known.selected is None:
        return False
    for each in _measured(known.growths):
        listed = known.selected.object.magnitude(each.band)
        if listed is not None and not listed.is_limit:
            errors = (listed.error, each.mag_err)
            if _apart(listed.value, each.total_mag, errors, DISAGREEMENT):
                return True
    return False


def _external_redshift(known: Known) -> bool:
    if known.selected is None or known.identity not in (*IDENTITY_LINES, "other"):
        return False
    return abs(known.selected.object.spec_z - known.redshift) > REDSHIFT_REACH


def _spectral_g(known: Known) -> bool:
    wide, g = known.wide, known.g
    if wide is None or wide.is_limit or g.is_limit:
        return False
    return _apart(wide.magnitude, g.value, (wide.magnitude_err, g.error), SPECTRAL_DISAGREEMENT)


def _large_neighbour(known: Known) -> bool:
    return any(
        not each.selected
        and each.major > LARGE
        and each.edge_distance < LARGE_REACH
        and each.mag < known.g.value - LARGE_BRIGHTER
        for each in known.sources
    )


def _duplicate_fibers(known: Known) -> bool:
    carried = sorted((each.flux, each.flux_err) for each in known.fibers if np.isfinite(each.flux) and each.flux != 0)
    return any(one == other for one, other in pairwise(carried))


def _is_negative(known: Known) -> bool:
    spectrum = known.spectrum
    if not (spectrum.has_error and spectrum.good.any()):
        return False
    weight = 1.0 / np.asarray(spectrum.error)[spectrum.good] ** 2
    mean = float(np.sum(weight * spectrum.flux[spectrum.good]) / np.sum(weight))
    error = float(1.0 / np.sqrt(np.sum(weight)))
    middle = float(spectrum.wavelength[spectrum.wavelength.size // 2])
    return mean < -max(3.0 * error, flux_density(SPECTRUM_DEPTH, middle))


def _failed_cuts(shot: Shot) -> int:
    cuts = (shot.response_4540 < MIN_RESPONSE, shot.fwhm > MAX_SEEING, shot.dither_norm > MAX_DITHER_NORM)
    return sum(map(bool, cuts))


def _is_questionable(known: Known) -> bool:
    return known.quality < 1.0 or known.posterior.get("noise", 0.0) + known.posterior.get("artifact", 0.0) > 0.5


def _bad_share(known: Known, reach: float, *, zeros: bool) -> float:
    """Share of the samples within `reach` (Å) of the line that are masked, or zero; 0 without a line."""
    near = np.abs(known.spectrum.wavelength - known.line.center) < reach
    bad = ~known.spectrum.good
    if zeros:
        bad = bad | (known.spectrum.flux == 0.0)
    return float(np.mean(bad[near])) if near.any() else 0.0


def _is_nebula(known: Known) -> bool:
    return known.identity == "OIII" and abs(known.redshift) * _LIGHT_SPEED < NEBULA_VELOCITY


CONDITIONS: Mapping[str, Callable[[Known], bool]] = {
    "follow up": lambda known: known.quality < FOLLOW_UP_QUALITY,
    "imaging magnitudes disagree": _images_disagree,
    "g disagrees with imaging": _g_disagrees,
    "uncertain class": lambda known: not known.by_person and max(known.posterior.values()) < 0.5,
    "blended": _is_blended,
    "counterpart absent": _is_absent,
    "counterpart distant": _is_distant,
    "counterpart magnitude mismatch": _catalog_disagrees,
    "no imaging": lambda known: not known.growths,
    "shallow imaging": lambda known: known.depth < SHALLOW,
    "external redshift doubtful": _external_redshift,
    "spectral g values disagree": _spectral_g,
    "large neighbour": _large_neighbour,
    "duplicate fibers": _duplicate_fibers,
    "negative spectrum": _is_negative,
    "poor throughput": lambda known: known.shot.response_4540 < VERY_LOW_RESPONSE,
    "bad dither normalisation": lambda known: known.shot.dither_norm > MAX_DITHER_NORM,
    "poor shot": lambda known: _failed_cuts(known.shot) >= 2,
    "questionable detection": _is_questionable,
    "many zero pixels": lambda known: _bad_share(known, ZERO_WINDOW, zeros=True) > ZERO_SHARE,
    "planetary nebula?": _is_nebula,
    "bad pixels": lambda known: _bad_share(known, 2.0 * known.line.sigma, zeros=False) > 0.0,
    "doubtful line": lambda known: not np.isfinite(known.line.flux) or known.line.chi2 > 3.0 + 0.1 * known.line.snr,
    "no zero point": lambda known: any("no zero point" in note for note in known.notes),
    "corrupt data": lambda known: float(np.mean(known.spectrum.good)) < USABLE_SHARE,
}


def raise_flags(
    detection: Detection,
    line: LineFit,
    narrow: ContinuumEstimate,
    g_magnitude: Magnitude,
    growths: Sequence[Growth],
    sources: Sequence[SourceEllipse],
    matches: Sequence[Match],
    posterior: Mapping[str, float],
    *,
    spectrum: Spectrum | None = None,
    wide: ContinuumEstimate | None = None,
    fibers: Sequence[FiberFlux] = (),
    notes: Sequence[str] = (),
    identity: str = "",
    redshift: float = NAN,
    by_person: bool = False,
) -> tuple[Flag, ...]:
    """The flags of a detection, in the order of their bits.

    Parameters
    ----------
    detection : Detection
    line : LineFit
    narrow : ContinuumEstimate
        Not looked at: below its error it is a limit, and a limit is never negative.
    g_magnitude : Magnitude
        From the spectrum.
    growths, sources, matches
        From the images and catalogues.
    posterior : mapping
        Identity to probability.
    spectrum : Spectrum, optional
        The one measured, if it is not the detection's.
    wide : ContinuumEstimate, optional
        From the whole spectrum, between the lines.
    fibers : sequence of FiberFlux
        The line in each fiber.
    notes : sequence of str
        What could not be measured, and why.
    identity, redshift
        What the line is taken to be.
    by_person : bool
        Whether a person said so.

    Returns
    -------
    tuple of Flag
    """
    known = Known(
        detection,
        detection.spectrum if spectrum is None else spectrum,
        line,
        wide,
        g_magnitude,
        growths,
        sources,
        matches,
        fibers,
        (*notes, *detection.notes),
        posterior,
        identity,
        redshift,
        by_person,
    )
    return tuple(each for each in FLAGS if each.name in CONDITIONS and CONDITIONS[each.name](known))
