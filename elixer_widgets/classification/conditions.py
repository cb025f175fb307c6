"""When each detection flag is raised.

The conditions are those of the ELiXer catalogue, thin: what cannot yet be known here is not raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from elixer_widgets.classification.flags import Flag, flag
from elixer_widgets.detection import Detection, Magnitude
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit

SHALLOW = 24.5
"""AB; imaging without an image this deep cannot help with faint emitters."""
MAX_SEEING = 3.0
MAX_DITHER_NORM = 3.0
MIN_RESPONSE = 0.08
VERY_LOW_RESPONSE = 0.05
"""arcsec, ratio, throughput: quality cuts on a shot."""
COUNTERPART_REACH = 0.5
"""arcsec from the nearest source's edge."""
MIN_SNR = 4.8
"""Below it a HETDEX line is not in the catalogue either."""


def _shot_flags(detection: Detection) -> list[str]:
    shot = detection.shot
    if shot is None:
        return []
    names = []
    cuts = (shot.response_4540 < MIN_RESPONSE, shot.fwhm > MAX_SEEING, shot.dither_norm > MAX_DITHER_NORM)
    if shot.response_4540 < VERY_LOW_RESPONSE:
        names.append("poor throughput")
    if shot.dither_norm > MAX_DITHER_NORM:
        names.append("bad dither normalisation")
    if sum(map(bool, cuts)) >= 2:
        names.append("poor shot")
    return names


def _imaging_flags(
    growths: Sequence[Growth], sources: Sequence[SourceEllipse], matches: Sequence[Match], g_magnitude: Magnitude
) -> list[str]:
    if not growths:
        return ["no imaging"]
    names = []
    depths = [each.depth for each in growths if np.isfinite(each.depth)]
    if depths and max(depths) < SHALLOW:
        names.append("shallow imaging")
    for band in {each.band for each in growths}:
        measured = [g.mag for g in growths if g.band == band and not g.is_limit and np.isfinite(g.mag)]
        if len(measured) > 1 and max(measured) - min(measured) > 0.8:
            names.append("imaging magnitudes disagree")
            break
    g_image = [each for each in growths if each.band.lower() == "g" and np.isfinite(each.mag) and not each.is_limit]
    if g_image and np.isfinite(g_magnitude.value):
        image = float(np.median([each.mag for each in g_image]))
        fainter = g_magnitude.is_limit and image < g_magnitude.value - 0.8
        if fainter or (not g_magnitude.is_limit and abs(image - g_magnitude.value) > 0.8):
            names.append("g disagrees with imaging")
    edges = [each.edge_distance for each in sources if np.isfinite(each.edge_distance)]
    if edges and min(edges) > COUNTERPART_REACH:
        names.append("counterpart distant")
    bright = not g_magnitude.is_limit and g_magnitude.value < 23.0
    if bright and not edges and not matches:
        names.append("counterpart absent")
    if sum(each.separation < 1.5 for each in matches) > 1:
        names.append("blended")
    return names


def raise_flags(
    detection: Detection,
    line: LineFit,
    narrow: ContinuumEstimate,
    g_magnitude: Magnitude,
    growths: Sequence[Growth],
    sources: Sequence[SourceEllipse],
    matches: Sequence[Match],
    posterior: Mapping[str, float],
) -> tuple[Flag, ...]:
    """The flags of a detection, in the order of their bits.

    Parameters
    ----------
    detection : Detection
    line : LineFit
    narrow : ContinuumEstimate
    g_magnitude : Magnitude
    growths, sources, matches
        From the images and catalogues.
    posterior : mapping
        Identity to probability.
    """
    names = _shot_flags(detection) + _imaging_flags(growths, sources, matches, g_magnitude)
    if max(posterior.values()) < 0.5:
        names.append("uncertain class")
    unreal = posterior.get("noise", 0.0) + posterior.get("artifact", 0.0)
    if unreal > 0.5 or not line.snr >= MIN_SNR:
        names.append("questionable detection")
    if not np.isfinite(line.flux) or line.chi2 > 3.0 + 0.1 * line.snr:
        names.append("doubtful line")
    if np.isfinite(narrow.value) and not narrow.is_limit and narrow.value < 0:
        names.append("negative spectrum")
    flux = np.asarray(detection.spectrum.flux)[detection.spectrum.good]
    if flux.size and np.mean(flux == 0.0) > 0.2:
        names.append("many zero pixels")
    return tuple(sorted({flag(name) for name in names}, key=lambda each: each.bit))
