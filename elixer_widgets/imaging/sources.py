"""Source ellipses on a cutout. Opens no file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from elixer_widgets._arguments import instance, number, place
from elixer_widgets.detection import NAN, Cutout
from elixer_widgets.imaging.apertures import MAG_PER_RELATIVE_ERROR, MAX_RADIUS, start_radius
from elixer_widgets.imaging.noise import Background, clipped_sky, thinned
from elixer_widgets.imaging.overlap import box_around, shares

# Detection, deblending and Kron settings of SExtractor (Bertin & Arnouts 1996, A&AS 117, 393), as published for ELiXer.
THRESHOLD = 1.5
MINIMUM_PIXELS = 5
DEBLEND_LEVELS = 32
DEBLEND_CONTRAST = 0.005
KRON_FACTOR = 2.5
KRON_SEARCH = 6.0  # radius, in units of the ellipse of second moments, within which the Kron radius is reckoned
SMALLEST_RADIUS = 1.75  # pixels: half the published smallest Kron diameter of 3.5
# Share of the light within 2.5 Kron radii. Images with known sources, analysed with the settings above, give 0.962 for
# points under Moffat seeing, 0.974 for discs and 0.993 for Gaussians; the often quoted 0.94 makes all too bright.
KRON_LIGHT = 0.967

EDGE_REACH = 1.5  # arcsec: how far the edge of a source may be from the position that it is taken for (user guide)

# The cut is never below this many σ of the smoothed image. Smoothing calms independent pixels to 0.375, so that 1.5σ is
# 4σ of what is left; noise that resampling made smooth it does not: 1.5σ gave sixty false sources in 30" x 30".
SMOOTH_SIGMA = 3.2

# The same for an image smoothed by its seeing (the best filter for points: Turin 1960, IRE Trans. IT-6, 311).
MATCHED_SIGMA = 4.2

# A Kron aperture follows the noise of its own source. On images with known sources between 6 and 100σ the counts
# scatter this many times more than the noise of the pixels in the aperture.
KRON_SCATTER = 1.4

# Bits of SourceEllipse.flags
BLENDED = 1
AT_EDGE = 2
MISSING_PIXELS = 4


@dataclass(frozen=True)
class SourceEllipse:
    """A source found on one cutout.

    Attributes
    ----------
    ra, dec : float
        Barycentre, degrees.
    major, minor : float
        Semi-axes of the drawn (Kron) ellipse, arcsec.
    position_angle : float
        Degrees east of north.
    mag, mag_err : float
    separation : float
        Barycentre to the position, arcsec.
    edge_distance : float
        Nearest point of the ellipse to the position, arcsec; negative inside.
    selected : bool
        Whether this is the source that the detection is taken to belong to.
    """

    ra: float
    dec: float
    major: float
    minor: float
    position_angle: float
    mag: float
    mag_err: float
    band: str = ""
    survey: str = ""
    separation: float = NAN
    edge_distance: float = NAN
    counts: float = NAN
    counts_err: float = NAN
    flags: int = 0
    selected: bool = False


def find_sources(
    cutout: Cutout, threshold: float = THRESHOLD, position: tuple[float, float] | None = None
) -> list[SourceEllipse]:
    """All sources on the cutout, nearest to its position first.

    Pixels of the lightly smoothed, sky-subtracted image above `threshold` times the sky's scatter (more where the noise
    is correlated) form segments of at least five connected pixels, split where they hold several peaks. Each source has
    an ellipse of second moments and a magnitude within 2.5 Kron radii, corrected for the light that lies beyond. The
    source that the position is taken to belong to, by `select_source`, is marked `selected`.

    Parameters
    ----------
    cutout : Cutout
    threshold : float
        In units of the scatter of one pixel.
    position : tuple of float, optional
        (ra, dec) in degrees that separations refer to; the cutout's own if not given.

    Returns
    -------
    list of SourceEllipse
        Empty if there is nothing, or nothing to look at.
    """
    instance(cutout, Cutout, "find_sources: cutout")
    number(threshold, "find_sources: threshold", "a multiple of the sky's scatter such as 1.5", above=0.0)
    if position is not None:
        position = place(position, "find_sources: position")
    if not cutout.usable:
        return []
    ra, dec = cutout.position if position is None else position
    background = Background(cutout)
    good = background.good
    level, scatter, count = background.overall
    if not (count > 0 and scatter > 0):
        return []
    data = np.where(good, background.data - level, 0.0)
    smooth = _smooth(data)
    _, smooth_scatter, _ = clipped_sky(thinned(smooth[good]))
    cut = max(threshold * scatter, SMOOTH_SIGMA * smooth_scatter)
    segments = _segments(good & (smooth > cut))
    if cutout.psf_fwhm > 0:
        # What the seeing spreads widely is fainter per pixel: seen in an image smoothed by the seeing itself
        matched = ndimage.gaussian_filter(data, cutout.psf_fwhm / 2.3548 / cutout.pixel_scale, mode="nearest")
        _, matched_scatter, _ = clipped_sky(thinned(matched[good]))
        faint = _segments(good & (matched > MATCHED_SIGMA * matched_scatter))
        known = np.unique(faint[segments > 0])
        segments = np.where((faint > 0) & ~np.isin(faint, known), faint + segments.max(), segments)
    if not segments.any():
        return []
    labels, blended = _deblend(smooth, segments, cut)
    x, y = cutout.pixel(ra, dec) if np.isfinite(ra) and np.isfinite(dec) else (NAN, NAN)
    level_err = scatter / np.sqrt(count)
    factor = background.noise_factor(min(start_radius(cutout), MAX_RADIUS))
    sources = [
        _measure(cutout, data, good, labels, label, box, factor * scatter, factor * level_err, (x, y), label in blended)
        for label, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    ]
    kept = [source for source in sources if source is not None]
    return select_source(sorted(kept, key=lambda s: s.separation if np.isfinite(s.separation) else np.inf))


def select_source(sources: Iterable[SourceEllipse], reach: float = EDGE_REACH) -> list[SourceEllipse]:
    """The same sources, the one that the position is taken to belong to marked `selected`.

    Of the ellipses that contain the position, the one with the nearest barycentre; if none does, the one with the
    nearest edge, if that is within `reach` arcsec.
    """
    listed = [replace(source, selected=False) for source in sources]
    containing = [i for i, source in enumerate(listed) if source.edge_distance <= 0]
    near = [i for i, source in enumerate(listed) if 0 < source.edge_distance <= reach]
    best = None
    if containing:
        best = min(containing, key=lambda i: listed[i].separation)
    elif near:
        best = min(near, key=lambda i: listed[i].edge_distance)
    if best is not None:
        listed[best] = replace(listed[best], selected=True)
    return listed


def ellipse_distance(x: float, y: float, a: float, b: float, theta: float = 0.0) -> float:
    """Distance from a point to the nearest point of an ellipse about the origin, negative inside.

    Parameters
    ----------
    x, y : float
        The point.
    a, b : float
        Semi-axes, same unit.
    theta : float
        Radians from the x axis to the axis `a`, counter-clockwise.
    """
    u = abs(x * np.cos(theta) + y * np.sin(theta))
    v = abs(-x * np.sin(theta) + y * np.cos(theta))
    t = np.linspace(0.0, np.pi / 2, 65)
    for _ in range(3):  # each pass narrows the parameter of the nearest point 32-fold
        squared = (a * np.cos(t) - u) ** 2 + (b * np.sin(t) - v) ** 2
        best = int(np.argmin(squared))
        t = np.linspace(t[max(best - 1, 0)], t[min(best + 1, len(t) - 1)], 65)
    distance = float(np.sqrt(squared[best]))
    return -distance if (u / a) ** 2 + (v / b) ** 2 <= 1.0 else distance


def _smooth(data: np.ndarray) -> np.ndarray:
    """Convolution with the 3 x 3 pyramid, the default detection filter of SExtractor."""
    kernel = np.array([0.25, 0.5, 0.25])
    return ndimage.convolve1d(ndimage.convolve1d(data, kernel, axis=0, mode="nearest"), kernel, axis=1, mode="nearest")


def _segments(above: np.ndarray) -> np.ndarray:
    """Labels 1 to n of the connected pixels (corners count) that make up a segment large enough."""
    labels, count = ndimage.label(above, structure=np.ones((3, 3), dtype=int))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = np.flatnonzero(sizes >= MINIMUM_PIXELS)
    renumber = np.zeros(count + 1, dtype=np.int32)
    renumber[kept] = np.arange(1, kept.size + 1)
    return renumber[labels]


def _deblend(smooth: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[np.ndarray, set[int]]:
    """Split segments with several peaks: thresholds in a ladder, then a watershed from the branches that count.

    photutils has the same method but wants scikit-image for its watershed; scipy's serves.
    """
    out = labels.astype(np.int32).copy()
    blended: set[int] = set()
    following = int(labels.max()) + 1
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        inside = labels[box] == label
        if np.count_nonzero(inside) < 2 * MINIMUM_PIXELS:
            continue
        piece = np.where(inside, smooth[box], 0.0)
        markers, count = _branches(piece, threshold)
        if count < 2:
            continue
        # Watershed over the piece turned upside down; what lies outside is a marker of its own.
        depth = np.where(inside, 65000 * (1.0 - piece / piece.max()), 65535).astype(np.uint16)
        seeds = np.where(inside, markers, -1).astype(np.int32)
        split = ndimage.watershed_ift(depth, seeds, structure=np.ones((3, 3)))
        for part in range(1, count + 1):
            name = label if part == 1 else following
            following += part > 1
            out[box][inside & (split == part)] = name
            blended.add(name)
    return out, blended


def _branches(piece: np.ndarray, threshold: float) -> tuple[np.ndarray, int]:
    """Markers of the peaks of one segment that hold at least the contrast's share of its light each."""
    peak = float(piece.max())
    total = float(piece.sum())
    markers = (piece > threshold).astype(np.int32)
    count = 1
    peaks = (piece == ndimage.maximum_filter(piece, 3)) & (piece > threshold)
    if peak <= 1.05 * threshold or np.count_nonzero(peaks) < 2:
        return markers, count
    levels = threshold * (peak / threshold) ** (np.arange(1, DEBLEND_LEVELS) / DEBLEND_LEVELS)
    structure = np.ones((3, 3), dtype=int)
    for cut in levels:
        parts, number = ndimage.label(piece > cut, structure)
        if number < 2:
            continue
        index = np.arange(1, number + 1)
        above = ndimage.sum_labels(piece - cut, parts, index)
        pixels = ndimage.sum_labels(np.ones_like(piece), parts, index)
        counting = index[(above > DEBLEND_CONTRAST * total) & (pixels >= 2)]
        parents = ndimage.maximum(markers, parts, index)
        for parent in np.unique(parents[np.isin(index, counting)]):
            children = [child for child in counting if parents[child - 1] == parent]
            if parent == 0 or len(children) < 2:
                continue
            markers[markers == parent] = 0
            for number_of, child in enumerate(children):
                name = int(parent) if number_of == 0 else count + 1
                count += number_of > 0
                markers[parts == child] = name
    return markers, count


def _moments(values: np.ndarray, xs: np.ndarray, ys: np.ndarray) -> tuple[float, float, float, float, float]:
    """Barycentre, root second moments along the axes (pixels) and angle (radians from x) of positive weights."""
    weight = values / values.sum()
    xc, yc = float(np.sum(weight * xs)), float(np.sum(weight * ys))
    # 1/12 is the second moment of a pixel: it keeps a source in one row from having no width.
    xx = float(np.sum(weight * (xs - xc) ** 2)) + 1.0 / 12.0
    yy = float(np.sum(weight * (ys - yc) ** 2)) + 1.0 / 12.0
    xy = float(np.sum(weight * (xs - xc) * (ys - yc)))
    root = np.hypot((xx - yy) / 2.0, xy)
    a = float(np.sqrt((xx + yy) / 2.0 + root))
    b = float(np.sqrt(max((xx + yy) / 2.0 - root, 1.0 / 12.0)))
    return xc, yc, a, b, 0.5 * float(np.arctan2(2.0 * xy, xx - yy))


def _measure(
    cutout: Cutout,
    data: np.ndarray,
    good: np.ndarray,
    labels: np.ndarray,
    label: int,
    box: tuple[slice, slice],
    scatter: float,
    level_err: float,
    position: tuple[float, float],
    blended: bool,
) -> SourceEllipse | None:
    """One segment as an ellipse with a Kron magnitude."""
    ys, xs = np.nonzero(labels[box] == label)
    ys, xs = ys + box[0].start, xs + box[1].start
    values = np.clip(data[ys, xs], 0.0, None)
    if xs.size == 0 or values.sum() <= 0:
        return None
    xc, yc, a, b, theta = _moments(values, xs, ys)
    others = (labels > 0) & (labels != label)
    usable = good & ~others
    factor, corrected = _kron_factor(data, usable, xc, yc, a, b, theta)
    semi_a, semi_b = (a * factor, b * factor) if corrected else (SMALLEST_RADIUS, SMALLEST_RADIUS)
    where = box_around(xc, yc, semi_a, data.shape, semi_b / semi_a, theta)
    weights = shares(xc, yc, [semi_a], where, semi_b / semi_a, theta)[0]
    used = weights * usable[where]
    area = float(used.sum())
    light = KRON_LIGHT if corrected else 1.0
    counts = float(np.sum(used * data[where])) / light
    if cutout.error is None:
        variance = area * scatter**2
    else:
        variance = float(np.nansum(used**2 * np.where(good, cutout.error, 0.0)[where] ** 2))
    error = float(np.sqrt(variance + (area * level_err) ** 2)) * (KRON_SCATTER if corrected else 1.0) / light
    flags = BLENDED * blended
    if weights.sum() < 0.99 * np.pi * semi_a * semi_b:
        flags |= AT_EDGE
    if np.sum(weights * ~good[where]) > 0.01 * weights.sum():
        flags |= MISSING_PIXELS
    scale = cutout.pixel_scale
    ra, dec = cutout.sky(xc, yc)
    dx, dy = position[0] - xc, position[1] - yc
    known = bool(np.isfinite(dx) and np.isfinite(dy))
    return SourceEllipse(
        ra=ra,
        dec=dec,
        major=semi_a * scale,
        minor=semi_b * scale,
        position_angle=position_angle(cutout, xc, yc, theta),
        mag=cutout.zero_point - 2.5 * float(np.log10(counts)) if counts > 0 else NAN,
        mag_err=MAG_PER_RELATIVE_ERROR * error / counts if counts > 0 else NAN,
        band=cutout.band,
        survey=cutout.survey,
        separation=float(np.hypot(dx, dy)) * scale if known else NAN,
        edge_distance=ellipse_distance(dx, dy, semi_a, semi_b, theta) * scale if known else NAN,
        counts=counts,
        counts_err=error,
        flags=flags,
    )


def _kron_factor(
    data: np.ndarray, usable: np.ndarray, xc: float, yc: float, a: float, b: float, theta: float
) -> tuple[float, bool]:
    """2.5 Kron radii in units of the moment ellipse, and whether that is more than the smallest circle."""
    reach = int(np.ceil(KRON_SEARCH * a)) + 1
    y0, y1 = max(round(yc) - reach, 0), min(round(yc) + reach + 1, data.shape[0])
    x0, x1 = max(round(xc) - reach, 0), min(round(xc) + reach + 1, data.shape[1])
    dy, dx = np.arange(y0, y1)[:, None] - yc, np.arange(x0, x1)[None, :] - xc
    u = (dx * np.cos(theta) + dy * np.sin(theta)) / a
    v = (-dx * np.sin(theta) + dy * np.cos(theta)) / b
    radius = np.hypot(u, v)
    inside = usable[y0:y1, x0:x1] & (radius <= KRON_SEARCH)
    light = data[y0:y1, x0:x1][inside]
    total = float(light.sum())
    weighted = float(np.sum(radius[inside] * light))
    kron = weighted / total if total > 0 and weighted > 0 else 0.0
    factor = KRON_FACTOR * min(kron, KRON_SEARCH)
    return factor, factor * np.sqrt(a * b) >= SMALLEST_RADIUS


def position_angle(cutout: Cutout, x: float, y: float, theta: float) -> float:
    """Degrees east of north, 0 to 180, of a direction `theta` (radians from the x axis) at a pixel position."""
    ra0, dec0 = cutout.sky(x, y)
    ra1, dec1 = cutout.sky(x + np.cos(theta), y + np.sin(theta))
    east = ((ra1 - ra0 + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec0))
    return float(np.degrees(np.arctan2(east, dec1 - dec0)) % 180.0)
