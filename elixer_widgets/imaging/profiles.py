"""The whole light of a source from how it is spread around a place: what an aperture leaves out, and its size.

An aperture that stops where the noise begins leaves light out, more of it the fainter and the larger the source. Here
the rings around the place are compared with seeing discs and exponential discs of many sizes; the whole light is the
mean over all of them, each weighing as much as the rings allow. Opens no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import ndimage, special

from elixer_widgets.detection import NAN
from elixer_widgets.imaging.overlap import shares

MOFFAT_BETA = 3.5
"""Seeing discs are close to a Moffat profile with an index of 3 to 4 (Moffat 1969, A&A 3, 455)."""

WINGS = ((MOFFAT_BETA, 0.75), (12.0, 0.25))
"""Indices compared, with their prior shares: 12 is a Gaussian but for its last per cent, as smoothed images have."""

SCALE_LENGTH = 1.67835
"""Half-light radius of an exponential disc over its scale length."""

HALF_LIGHT_RADII = (
    *(0.0, 0.1, 0.17, 0.25, 0.35, 0.45, 0.51, 0.57, 0.63),
    *(0.7, 0.77, 0.85, 0.92, 1.0, 1.2, 1.45, 1.75, 2.1),
)
"""arcsec; sizes (√(ab) of the half-light ellipse) of the discs compared, 0 being a point. Nearer to each other among
the larger, whose light beyond the rings matters most."""
AXIS_RATIOS = (0.6, 1.0)
"""Of the discs compared, each as likely. Rings do not see the ratio itself, but an elongated disc has more of its light
far out than a round one."""
POINT_SHARE = 0.4
TYPICAL_SIZE = (0.3, 0.8)
"""Prior share of points; median size (arcsec) of the rest and the spread of its logarithm: faint galaxies have
1 to 3 kpc (Shibuya et al. 2015, ApJS 219, 15), nearer ones more. It matters only where the image says little."""

SEEING_GUESSES = (0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0)
"""arcsec; compared where the seeing is not known."""
SEEING_RATIOS = (
    *((0.5, 0.02), (0.65, 0.04), (0.8, 0.08), (0.9, 0.1), (0.95, 0.1), (0.975, 0.1)),
    *((1.0, 0.2), (1.025, 0.1), (1.05, 0.1), (1.1, 0.1), (1.2, 0.06)),
)
"""Seeing compared over a seeing that is given, with prior shares: that of a survey is a nominal one, and now and then
far off. A seeing worse than that looks like a larger source."""

RINGS = (0.0, 0.45, 0.7, 0.95, 1.2, 1.5, 1.8, 2.2, 2.6, 3.0)
"""arcsec; limits of the rings compared."""

FOREIGN_SIGMA = 3.5
FOREIGN_SHARE = 1.0
FOREIGN_RADIUS = 0.7
"""A pixel beyond this radius (arcsec) that exceeds the fitted profile, and the pixel opposite, by so many times its
noise and by this share belongs to something else: galaxies look the same turned by half."""

FOREIGN_WINGS = 0.7
"""So many seeing widths around such pixels are left out with them, but none that near to the centre."""

NEIGHBOURS = 3
"""So many of them have their wings taken off as well."""

FOREIGN_ERROR = 0.012
"""Share of the light left out that may be the source's, or of the neighbours' that may be left in, however far they
are from it."""
WINGS_ERROR = 1.5
"""The same for neighbours whose wings reach the source, relative to what taking their wings off changes. Both from
simulated pairs of points and discs."""

WINDOW = 0.5
CENTERING_SNR = 7.0
FARTHEST = 1.25
"""arcsec, S/N, arcsec: the profiles are centred on the light itself where it is seen this well within a Gaussian window
of this σ, and its centre is this near."""

PROFILE_ERROR = 0.003
"""Relative error of the whole light that is left when noise is not: no source is exactly one of these profiles. From
simulated points and discs of 21st magnitude."""

_STEP = 0.05
"""Of the spatial frequency, radians per arcsec."""
_HIGHEST = 13.0
"""Highest frequency, in units of the inverse seeing; beyond, the seeing leaves nothing."""


@dataclass(frozen=True)
class TotalLight:
    """The whole light around a place.

    `counts`, `counts_err` include the uncertainty of the profile; `size`, `size_err` are the half-light radius
    (arcsec) without seeing, NaN where the seeing is not known; `chi2` is that of the best profile per degree of
    freedom; `foreign` the share of the pixels that was left out as something else.
    """

    counts: float = NAN
    counts_err: float = NAN
    size: float = NAN
    size_err: float = NAN
    chi2: float = NAN
    foreign: float = 0.0


def _seeing_transform(frequency: np.ndarray, fwhm: float, beta: float) -> np.ndarray:
    """Hankel transform of a Moffat profile of unit light."""
    x = 0.5 * frequency * fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
    order = beta - 1.0
    return np.nan_to_num(2.0 * x**order * special.kv(order, 2.0 * x) / special.gamma(order))


def _disc_transform(frequency: np.ndarray, half_light: np.ndarray, ratio: float) -> np.ndarray:
    """Hankel transform of exponential discs of unit light, the mean over all directions, shape (d, k)."""
    scale2 = (np.asarray(half_light, float)[:, None, None] / SCALE_LENGTH) ** 2
    turn = np.radians([5.625, 16.875, 28.125, 39.375, 50.625, 61.875, 73.125, 84.375])
    along = np.cos(turn) ** 2 / ratio + np.sin(turn) ** 2 * ratio
    return np.mean((1.0 + scale2 * along[:, None] * frequency**2) ** -1.5, axis=1)


def light_within(
    radii: np.ndarray, fwhm: float, half_light: np.ndarray, pixel: float, beta: float = MOFFAT_BETA, ratio: float = 1.0
) -> np.ndarray:
    """Share of the light within radii, for exponential discs seen through the air.

    Parameters
    ----------
    radii : array, shape (r,)
        arcsec.
    fwhm : float
        Of the seeing, arcsec.
    half_light : array, shape (d,)
        Half-light radii of the discs (√(ab)), arcsec; 0 is a point.
    pixel : float
        Side of a pixel, arcsec.
    beta : float
        Index of the Moffat profile.
    ratio : float
        Minor over major axis of the discs.

    Returns
    -------
    array, shape (d, r)

    Notes
    -----
    The share within R is ∫ F(k) R J₁(kR) dk, F being the product of the transforms of a Moffat profile,
    2 (kα/2)^(β-1) K_{β-1}(kα) / Γ(β-1), of an exponential disc of scale h, (1 + k²h²)^(-3/2), and of a pixel, taken as
    a Gaussian of its second moment (Hankel transforms: Trujillo et al. 2001, MNRAS 328, 977, section 2, for the
    Moffat; Freeman 1970, ApJ 160, 811, appendix, for the disc). A circle sees of a disc that is not round the mean of
    F over all directions.
    """
    frequency = _frequencies(fwhm)
    return _within(
        _disc_transform(frequency, half_light, ratio),
        _seeing_transform(frequency, fwhm, beta) * np.exp(-(frequency**2) * pixel**2 / 24.0),
        _circles(frequency, radii),
        radii,
    )


def _frequencies(fwhm: float) -> np.ndarray:
    return _STEP * (np.arange(int(np.ceil(_HIGHEST / fwhm / _STEP))) + 0.5)


def _circles(frequency: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """What a circle makes of each frequency, shape (k, r)."""
    return np.asarray(special.j1(np.outer(frequency, radii)) * radii * _STEP)


def _within(discs: np.ndarray, seeing: np.ndarray, circles: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """The integral of `light_within`, with the first term of the midpoint rule's error (Euler-Maclaurin) taken off:
    the integrand begins as k R² / 2."""
    return np.asarray((discs * seeing) @ circles - _STEP**2 / 48.0 * np.asarray(radii) ** 2)


@lru_cache(maxsize=64)
def _ring_shares(seeings: tuple[float, ...], pixel: float, edges: tuple[float, ...]) -> np.ndarray:
    """Mean surface brightness (per arcsec², light 1) in rings between `edges`, shape (wings, seeings, discs, rings)."""
    limits, sizes = np.array(edges), np.array(HALF_LIGHT_RADII)
    frequency = _frequencies(min(seeings))
    points = np.ones((1, frequency.size))
    discs = np.concatenate([points, *(_disc_transform(frequency, sizes[1:], ratio) for ratio in AXIS_RATIOS)])
    circles = _circles(frequency, limits)
    pixels = np.exp(-(frequency**2) * pixel**2 / 24.0)
    within = []
    for beta, _ in WINGS:
        for fwhm in seeings:
            n = min(_frequencies(fwhm).size, frequency.size)
            seeing = _seeing_transform(frequency[:n], fwhm, beta) * pixels[:n]
            within.append(_within(discs[:, :n], seeing, circles[:n], limits))
    shape = (len(WINGS), len(seeings), len(discs), len(edges))
    return np.diff(np.array(within).reshape(shape), axis=-1) / (np.pi * np.diff(limits**2))


def _seeings(fwhm: float) -> tuple[tuple[float, ...], np.ndarray]:
    """The seeings compared, arcsec, and their prior shares."""
    if np.isfinite(fwhm) and fwhm > 0:
        return tuple(round(fwhm * ratio, 4) for ratio, _ in SEEING_RATIOS), np.array([x for _, x in SEEING_RATIOS])
    return SEEING_GUESSES, np.full(len(SEEING_GUESSES), 1.0 / len(SEEING_GUESSES))


_SIZES = np.concatenate([HALF_LIGHT_RADII[:1], np.tile(HALF_LIGHT_RADII[1:], len(AXIS_RATIOS))])
"""Half-light radius of each disc that is compared: the point, then all sizes of each axis ratio."""


@lru_cache(maxsize=1)
def _prior() -> np.ndarray:
    """Prior share of each disc that is compared."""
    logs = np.log(np.array(HALF_LIGHT_RADII[1:]))
    share = np.gradient(logs) * np.exp(-0.5 * ((logs - np.log(TYPICAL_SIZE[0])) / TYPICAL_SIZE[1]) ** 2)
    discs = np.tile((1.0 - POINT_SHARE) * share / share.sum() / len(AXIS_RATIOS), len(AXIS_RATIOS))
    return np.concatenate([[POINT_SHARE], discs])


def total_light(
    values: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    place: tuple[float, float],
    pixel: float,
    fwhm: float,
    noise_factor: float = 1.0,
    sky_err: float = 0.0,
) -> TotalLight:
    """Compare the rings around a place with profiles of known light.

    Parameters
    ----------
    values, variance : array, shape (ny, nx)
        Counts of pixels, sky subtracted, and the square of their noise.
    good : bool array, shape (ny, nx)
        Pixels with data.
    place : tuple of float
        Zero-based (x, y) of the place.
    pixel : float
        Side of a pixel, arcsec.
    fwhm : float
        Of the seeing, arcsec, as measured on such pixels; NaN compares several.
    noise_factor : float
        How much noisier sums of pixels are than independent ones would be.
    sky_err : float
        Error of the sky level that was subtracted, counts per pixel.

    Returns
    -------
    TotalLight
        NaN where there are too few pixels.
    """
    edges = tuple(edge for edge in RINGS if edge == 0.0 or edge >= 1.2 * pixel)
    place = _center(values, variance, good, place, pixel)
    rings, box = _ring_weights(values.shape, place, tuple(edge / pixel for edge in edges))
    if len(edges) < 4 or rings is None:
        return TotalLight()
    usable = good[box].ravel()
    data, noise2 = values[box].ravel(), variance[box].ravel()
    rows, columns = np.indices(values[box].shape)
    distance = np.hypot(columns + box[1].start - place[0], rows + box[0].start - place[1]).ravel() * pixel
    opposite = _turned(np.where(good, values, 0.0), place, box).ravel()
    seeings, likely = _seeings(fwhm)
    profiles = _ring_shares(seeings, pixel, edges).reshape(-1, len(edges) - 1)
    wings = np.array([share for _, share in WINGS])
    prior = np.log(np.multiply.outer(wings, np.multiply.outer(likely, _prior()))).ravel()
    middles = np.array([0.5 * (low + high) for low, high in pairwise(edges)])
    shape, typical = values[box].shape, fwhm if np.isfinite(fwhm) and fwhm > 0 else float(np.median(SEEING_GUESSES))
    kept, wings_of_others = usable, np.zeros(data.size)
    result: _Comparison | None = None
    for _ in range(4):
        mine = data - wings_of_others
        result = _compare(mine, noise2, rings * kept, profiles, prior, noise_factor, pixel, sky_err)
        if result is None:
            return TotalLight()
        model = np.interp(distance, middles, result.expected)
        excess = data - model
        noise = FOREIGN_SIGMA * np.sqrt(noise2)
        foreign = (distance >= FOREIGN_RADIUS) & (excess > noise) & (excess > FOREIGN_SHARE * np.abs(model))
        foreign &= (data - opposite > noise) & (data - opposite > FOREIGN_SHARE * np.abs(opposite))
        wings_of_others = _points(excess.reshape(shape), foreign.reshape(shape), typical / pixel).ravel()
        if np.any(foreign):
            around = ndimage.binary_dilation(foreign.reshape(shape), _disc(FOREIGN_WINGS * typical / pixel)).ravel()
            foreign = around & (distance >= FOREIGN_WINGS * typical)
        kept = usable & ~foreign
        if not np.any(foreign):
            break
    assert result is not None  # the loop returned otherwise
    area = np.maximum((rings * kept).sum(axis=1), 1e-9)
    taken_off = float(result.response @ ((rings * kept) @ wings_of_others / area))
    left_out = usable & ~kept & (distance < edges[-1])
    neighbours = float(np.sum((data - np.interp(distance, middles, result.expected))[left_out]))
    sizes = np.tile(_SIZES, len(WINGS) * len(seeings))
    known = np.isfinite(fwhm) and fwhm > 0
    size = float(result.weight @ sizes)
    within = usable & (distance < edges[-1])
    return TotalLight(
        counts=result.counts,
        counts_err=float(np.hypot(result.counts_err, np.hypot(FOREIGN_ERROR * neighbours, WINGS_ERROR * taken_off))),
        size=size if known else NAN,
        size_err=float(np.sqrt(max(result.weight @ sizes**2 - size**2, 0.0))) if known else NAN,
        chi2=result.chi2,
        foreign=float(np.mean(left_out[within])) if np.any(within) else 0.0,
    )


def _center(
    values: np.ndarray, variance: np.ndarray, good: np.ndarray, place: tuple[float, float], pixel: float
) -> tuple[float, float]:
    """The centre of the light near a place in a Gaussian window that follows it (Bertin 2010, SExtractor manual, XWIN),
    or the place itself where there is too little of it or it leads away."""
    reach = int(np.ceil(3.0 * WINDOW / pixel)) + 1
    x0, y0 = round(place[0]), round(place[1])
    rows = np.arange(max(y0 - reach, 0), min(y0 + reach + 1, values.shape[0]))
    columns = np.arange(max(x0 - reach, 0), min(x0 + reach + 1, values.shape[1]))
    if rows.size < 3 or columns.size < 3:
        return place
    box = np.ix_(rows, columns)
    data, noise2 = np.where(good[box], values[box], 0.0), np.where(good[box], variance[box], 0.0)
    x, y = place
    for step in range(10):
        dx, dy = columns - x, rows - y
        # The window is a product of one along each axis, so that no picture of it is needed
        across, along = np.exp(-0.5 * (dx * pixel / WINDOW) ** 2), np.exp(-0.5 * (dy * pixel / WINDOW) ** 2)
        by_column = along @ data
        light = float(by_column @ across)
        if step == 0 and not light > CENTERING_SNR * float(np.sqrt(along**2 @ noise2 @ across**2)):
            return place
        if not light > 0:
            return place
        # Twice the mean offset: the window pulls the mean half way back
        move_x = 2.0 * (by_column @ (across * dx)) / light
        move_y = 2.0 * ((along * dy) @ data @ across) / light
        x, y = x + float(move_x), y + float(move_y)
        if np.hypot(x - place[0], y - place[1]) * pixel > 2.0 * FARTHEST:
            return place
        if np.hypot(move_x, move_y) < 0.01:
            break
    return (x, y) if np.hypot(x - place[0], y - place[1]) * pixel <= FARTHEST else place


def _points(light: np.ndarray, foreign: np.ndarray, fwhm: float) -> np.ndarray:
    """The light of the brightest foreign sources as if they were points seen through the air, shape of `light`.

    Each connected piece of `foreign` is one; `fwhm` in pixels. Their wings reach where the source itself is measured.
    """
    out = np.zeros(light.shape)
    labels, count = ndimage.label(foreign, np.ones((3, 3), int))
    if not count:
        return out
    numbers = np.arange(1, count + 1)
    brightest = numbers[np.argsort(ndimage.sum_labels(light, labels, numbers))[::-1][:NEIGHBOURS]]
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    alpha = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
    for number in brightest:
        inside = labels == number
        weight = np.clip(light[inside], 0.0, None) ** 2  # squared: the core says where it is
        y, x = np.average(rows[inside], weights=weight), np.average(columns[inside], weights=weight)
        squared = (columns - x) ** 2 + (rows - y) ** 2
        profile = (1.0 + squared / alpha**2) ** -MOFFAT_BETA
        core = squared <= (0.8 * fwhm) ** 2  # a single pixel of noise is no source: its neighbours have a say
        height = float(np.sum(profile[core] * light[core]) / np.sum(profile[core] ** 2))
        out += max(height, 0.0) * profile
    return out


def _disc(radius: float) -> np.ndarray:
    """A filled circle of so many pixels, at least 3 x 3."""
    reach = max(int(np.ceil(radius)), 1)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.hypot(x, y) <= max(radius, 1.0)


def _turned(values: np.ndarray, place: tuple[float, float], box: tuple[slice, slice]) -> np.ndarray:
    """What lies opposite every pixel of a box, seen from a place: nearest pixel, 0 off the image."""
    rows = np.round(2.0 * place[1] - np.arange(box[0].start, box[0].stop)).astype(int)
    columns = np.round(2.0 * place[0] - np.arange(box[1].start, box[1].stop)).astype(int)
    inside = ((rows >= 0) & (rows < values.shape[0]))[:, None] & ((columns >= 0) & (columns < values.shape[1]))[None, :]
    there = values[np.ix_(np.clip(rows, 0, values.shape[0] - 1), np.clip(columns, 0, values.shape[1] - 1))]
    return np.where(inside, there, 0.0)


def _ring_weights(
    shape: tuple[int, int], place: tuple[float, float], edges: tuple[float, ...]
) -> tuple[np.ndarray | None, tuple[slice, slice]]:
    """Share of each pixel of a box in each ring (r, pixels), and the box; None where the place lies off the image."""
    reach = int(np.ceil(edges[-1])) + 1
    x, y = round(place[0]), round(place[1])
    box = (
        slice(max(y - reach, 0), min(y + reach + 1, shape[0])),
        slice(max(x - reach, 0), min(x + reach + 1, shape[1])),
    )
    if box[0].stop <= box[0].start or box[1].stop <= box[1].start:
        return None, box
    return np.diff(shares(*place, edges, box).reshape(len(edges), -1), axis=0), box


@dataclass(frozen=True, eq=False)
class _Comparison:
    """`weight` of each profile, the mean light and error, the expected counts of a pixel in each ring, and what one
    count more in all pixels of a ring adds to the light."""

    weight: np.ndarray
    counts: float
    counts_err: float
    chi2: float
    expected: np.ndarray
    response: np.ndarray


def _compare(
    data: np.ndarray,
    variance: np.ndarray,
    rings: np.ndarray,
    profiles: np.ndarray,
    prior: np.ndarray,
    noise_factor: float,
    pixel: float,
    sky_err: float,
) -> _Comparison | None:
    """Least squares of every profile (p, r) to the rings' means, and their mean by Bayes' rule with a flat prior on
    the light."""
    area = rings.sum(axis=1)
    seen = area > 0.5
    if np.count_nonzero(seen) < 3:
        return None
    # A pixel that a circle cuts lies in two rings: their means share its noise
    inside = rings[seen] / area[seen, None]
    mean = inside @ data
    covariance = noise_factor**2 * (inside * variance) @ inside.T
    if not np.all(np.diagonal(covariance) > 0):
        return None
    shape = profiles[:, seen] * pixel**2
    weighted = np.linalg.solve(covariance, np.column_stack([mean, shape.T])).T
    norm = np.sum(shape * weighted[1:], axis=1)
    response_each = weighted[1:] / norm[:, None]
    light = response_each @ mean
    chi2 = float(weighted[0] @ mean) - light**2 * norm
    # No source is one of these profiles to better than a few per cent: χ² above expectation flattens the comparison
    excess = max(float(chi2.min()) / max(int(seen.sum()) - 2, 1), 1.0)
    log_weight = prior - 0.5 * (chi2 - chi2.min()) / excess
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    counts = float(weight @ light)
    # An error of the sky moves every ring by as much
    tilt = response_each.sum(axis=1) * sky_err
    squared = float(weight @ (excess / norm + tilt**2 + light**2) - counts**2)
    squared += (PROFILE_ERROR * counts) ** 2
    response = np.zeros(area.size)
    response[seen] = weight @ response_each
    return _Comparison(
        weight,
        counts,
        float(np.sqrt(max(squared, 0.0))),
        excess,
        (weight * light) @ profiles * pixel**2,
        response,
    )
