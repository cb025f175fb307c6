"""Whether the light on the images belongs to the line's object, or to an unrelated galaxy that lies there by chance.

One unknown decides over continuum, size and catalogue redshift together: if the source is a stranger, none of them says
anything about the line, except that its own object is fainter. Galaxies per area and how far the source lies from the
line give the chance of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.classification.evidence import log_sum
from elixer_widgets.classification.sizes import HALF_LIGHT, KRON_POINT
from elixer_widgets.detection import NAN, Cutout
from elixer_widgets.imaging.counterparts import Match, separation
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ab_magnitude

ASTROMETRY = 0.2
"""arcsec, an axis: how well fibers and images are laid on each other; our estimate."""
CENTROID = 0.6
"""Error of a line's position, an axis, in units of the seeing over S/N; a Gaussian would have 0.42, fibers sample it
coarsely; our estimate."""
TYPICAL_SEEING = 1.7
"""arcsec, FWHM of HETDEX where a shot does not say (Gebhardt et al. 2021, ApJ 923, 217)."""
STRAYING, STRAYED = 0.05, 3.0
"""Share of positions that are off by this many times more: blends, bad fits; our estimate."""
OFF_CENTRE = 0.3
"""Error of the position in half-light radii: star formation is not centred on the light; our estimate."""

FOUND_AREA = 4.0 * np.pi
"""arcsec² around the position in which a source on an image is taken for that of the line: its edge may be 1.5" off."""
APERTURE_AREA = np.pi
"""arcsec² in which an unrelated galaxy spoils a small aperture."""
SPECTRUM_AREA = 8.0
"""The same for a spectrum: ∫ r(d)^0.83 d²d for a weighted sum of fibers at a seeing of 1.7", where off a point it keeps
the share r = exp(-d²/4σ²), and counts go as flux^-0.83."""

COLOUR = 0.4
"""R-band counts at the line: galaxies are so much fainter there, mag; our estimate."""

SAME_PLACE = 1.0
"""arcsec; a catalogue object this near to the source on the images is that source."""


@dataclass(frozen=True)
class Place:
    """Where the source of the continuum lies.

    Attributes
    ----------
    separation : float
        From the position of the line, arcsec; NaN if no image shows a source.
    error : float
        Of the separation of the line's own source, an axis, arcsec.
    area : float
        arcsec² in which an unrelated galaxy would be taken for the source; 0 if it is the source for certain.
    is_counterpart : bool
        Whether the selected catalogue object is this source.
    """

    separation: float = NAN
    error: float = 0.35
    area: float = 0.0
    is_counterpart: bool = False


CERTAIN = Place()
"""The source is the line's own, as a person may say."""


def position_error(sn: float, seeing: float = NAN) -> float:
    """Error of a line's position on the sky, an axis, arcsec.

    Parameters
    ----------
    sn : float
        Signal to noise of the line.
    seeing : float
        FWHM, arcsec.
    """
    fwhm = seeing if np.isfinite(seeing) and seeing > 0 else TYPICAL_SEEING
    return float(np.hypot(ASTROMETRY, CENTROID * fwhm / max(sn if np.isfinite(sn) else 4.0, 4.0)))


def find_place(
    sources: Sequence[SourceEllipse], cutouts: Sequence[Cutout], matches: Sequence[Match], error: float
) -> Place:
    """The place of the best measured selected source.

    Parameters
    ----------
    sources, cutouts, matches : sequence
        As measured. Without a selected source the area is that of an aperture, without an image that of the spectrum.
    error : float
        Of the line's position, an axis, arcsec.
    """
    seen = [each for each in sources if each.selected and np.isfinite(each.separation)]
    match = next((each for each in matches if each.selected), None)
    if not seen:
        return Place(NAN, error, APERTURE_AREA if cutouts else SPECTRUM_AREA, False)
    best = min(seen, key=lambda each: each.mag_err if np.isfinite(each.mag_err) else np.inf)
    seeing = next((each.psf_fwhm for each in cutouts if (each.survey, each.band) == (best.survey, best.band)), NAN)
    extended = 0.0
    if np.isfinite(seeing) and best.major > 0 and best.minor > 0:
        beyond = best.major * best.minor / KRON_POINT**2 - seeing**2
        extended = float(np.sqrt(max(beyond, 0.0))) / HALF_LIGHT
    is_counterpart = match is not None and (
        separation(best.ra, best.dec, match.object.ra, match.object.dec) < max(SAME_PLACE, 0.5 * best.major)
    )
    return Place(best.separation, float(np.hypot(error, OFF_CENTRE * extended)), FOUND_AREA, is_counterpart)


def log_own_place(place: Place) -> float:
    """ln of how much denser the line's own source lies there than a stranger would in `place.area`; 0 if no source is
    seen or nothing but it is possible."""
    if not (np.isfinite(place.separation) and place.area > 0):
        return 0.0
    return float(np.log(place.area * own_density(place.separation, place.error)))


def own_density(distance: float, error: float) -> float:
    """Probability per arcsec² that a line's own source is seen `distance` arcsec off; `error` is that of an axis."""
    total = 0.0
    for share, sigma in ((1.0 - STRAYING, error), (STRAYING, STRAYED * error)):
        total += share * float(np.exp(-0.5 * min((distance / sigma) ** 2, 200.0))) / (2.0 * np.pi * sigma**2)
    return total


def strangers(log_continuum: np.ndarray, wavelength: float) -> np.ndarray:
    """Unrelated galaxies per arcsec² and unit of ln continuum.

    Parameters
    ----------
    log_continuum : array
        ln of 1e-17 erg/s/cm²/Å.
    wavelength : float
        Å.

    Notes
    -----
    Hogg et al. 1997 (MNRAS 288, 404) in R, in the form of Bloom, Kulkarni & Djorgovski 2002 (AJ 123, 1111, eq. 3),
    as for the chance coincidences of counterparts: dN/dm = 10^(0.33 (R - 24) - 2.44).
    """
    zero = ab_magnitude(1.0, wavelength)
    magnitude = zero - 2.5 / np.log(10.0) * log_continuum - COLOUR
    return 10.0 ** (0.33 * (np.minimum(magnitude, 29.0) - 24.0) - 2.44) * 2.5 / np.log(10.0)


def mixed(own: np.ndarray, stranger: np.ndarray) -> np.ndarray:
    """ln of the sum of two likelihoods given by their ln, element by element."""
    return log_sum(np.stack([own, stranger], axis=-1))
