"""Aperture photometry on a cutout. Opens no file."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from elixer_widgets._arguments import instance, number
from elixer_widgets.detection import NAN, Cutout, DataError
from elixer_widgets.imaging.growth import ApertureStep, Growth, Sky
from elixer_widgets.imaging.noise import Background, clipped_sky
from elixer_widgets.imaging.overlap import box_around, shares
from elixer_widgets.imaging.profiles import MOFFAT_BETA, TotalLight, total_light

MAG_PER_RELATIVE_ERROR = 2.5 / np.log(10.0)

# First radius where neither the caller nor the survey names one: the published default of the shallow surveys.
DEFAULT_START = 1.0
STEP = 0.1
MAX_RADIUS = 3.0

# The ring whose scatter decides whether growing goes on, arcsec.
GROWTH_RING = (6.0, 12.0)

# Growing goes on while a ring of this width (arcsec) beyond the circle adds more than its noise. One step of 0.1"
# is too thin to see the outskirts of a faint disc: judged by it, discs of 24th magnitude came out 0.2 mag too faint.
LOOK_AHEAD = 0.3

# The sky is measured between 2 and 3 radii, but never nearer than 3" nor in a ring narrower than 2": within 3" lie the
# wings of the source itself, and a thinner ring has too few pixels for its error to be small beside the aperture's.
SKY_RADII = (2.0, 3.0)
SKY_INNER_MINIMUM = 3.0
SKY_WIDTH_MINIMUM = 2.0
SKY_PIXELS_MINIMUM = 30

# arcsec and steps: more is a mistake.
WIDEST, MOST_STEPS = 3600.0, 10_000
_ARCSEC = "a positive number of arcsec"
_RING = "a sky ring; give inner and outer radius in arcsec"

# Variance of the median of Gaussian data relative to that of the mean, for large samples.
MEDIAN_VARIANCE = np.pi / 2.0


def point_fraction(radius: float, fwhm: float) -> float:
    """Share of a point source's light within `radius`, for a Moffat profile of this FWHM (same unit)."""
    alpha = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
    return float(1.0 - (1.0 + (radius / alpha) ** 2) ** (1.0 - MOFFAT_BETA))


class _Frame:
    """One cutout seen from one position, prepared once for many radii."""

    def __init__(self, cutout: Cutout, ra: float, dec: float, ratio: float = 1.0, angle: float = 0.0) -> None:
        self.cutout = cutout
        self.ratio = ratio
        self.angle = angle
        self.scale = cutout.pixel_scale
        self.x, self.y = cutout.pixel(ra, dec)
        self.background = Background(cutout)
        self.good, self.data, self.variance = self.background.good, self.background.data, self.background.variance

    @property
    def inside(self) -> bool:
        """Whether the position lies on the cutout."""
        ny, nx = self.data.shape
        return -0.5 <= self.x <= nx - 0.5 and -0.5 <= self.y <= ny - 0.5

    @cached_property
    def distance(self) -> np.ndarray:
        """arcsec of each pixel's centre from the position."""
        ny, nx = self.data.shape
        return np.hypot(np.arange(nx)[None, :] - self.x, np.arange(ny)[:, None] - self.y) * self.scale

    def sums(self, radii: np.ndarray) -> np.ndarray:
        """Counts, area with data (pixels) and summed variance in circles (or ellipses) of `radii` arcsec, (r, 3)."""
        reach = float(np.max(radii)) / self.scale
        box = box_around(self.x, self.y, reach, self.data.shape, self.ratio, self.angle)
        good = self.good[box].ravel()
        if good.size == 0:
            return np.array([(0.0, 0.0, NAN)] * len(radii))
        weights = shares(self.x, self.y, radii / self.scale, box, self.ratio, self.angle).reshape(len(radii), -1) * good
        variance = np.full(len(radii), NAN) if self.variance is None else weights**2 @ self.variance[box].ravel()
        return np.stack([weights @ self.data[box].ravel(), weights.sum(axis=1), variance], axis=1)

    def whole_light(self, sky: Sky, factor: float) -> TotalLight:
        """The whole light of the source at the position, above a sky."""
        variance = np.full(self.data.shape, sky.scatter**2) if self.variance is None else self.variance
        return total_light(
            self.data - sky.level,
            variance,
            self.good,
            (self.x, self.y),
            self.scale,
            self.cutout.psf_fwhm,
            factor,
            sky.level_err,
        )

    def sky(self, inner: float, outer: float, nearest: float) -> Sky:
        """Sky between two radii; from all beyond `nearest` where the cutout does not reach far enough."""
        note = ""
        ring = self.good & (self.distance >= inner) & (self.distance < outer)
        if np.count_nonzero(ring) < SKY_PIXELS_MINIMUM:
            inner, outer = nearest, float(self.distance.max()) + self.scale
            ring = self.good & (self.distance >= inner)
            note = f"the cutout is too small for the usual sky ring: sky from all pixels beyond {inner:.1f} arcsec"
        if np.count_nonzero(ring) < SKY_PIXELS_MINIMUM:
            return Sky(NAN, NAN, NAN, 0, inner, outer, "too few pixels around it to measure the sky")
        level, scatter, count = clipped_sky(self.data[ring])
        error = scatter * np.sqrt(MEDIAN_VARIANCE / count)
        return Sky(level, float(error), scatter, count, inner, outer, note)


def _magnitude(counts: float, zero_point: float) -> float:
    return float(zero_point - 2.5 * np.log10(counts)) if counts > 0 else NAN


def _step(frame: _Frame, radius: float, sums: np.ndarray, sky: Sky, factor: float) -> ApertureStep:
    """One circle, sky-subtracted, with pixel noise and sky error in its error; `sums` as `_Frame.sums` has them."""
    total, area, variance = (float(value) for value in sums)
    counts = total - area * sky.level
    pixel_variance = area * sky.scatter**2 if np.isnan(variance) else variance
    error = factor * float(np.sqrt(pixel_variance + (area * sky.level_err) ** 2))
    mag = _magnitude(counts, frame.cutout.zero_point)
    mag_err = MAG_PER_RELATIVE_ERROR * error / counts if counts > 0 else NAN
    return ApertureStep(radius, counts, error, area, mag, float(mag_err))


def sky_annulus(radius: float) -> tuple[float, float]:
    """Inner and outer radius (arcsec) of the sky ring for a `radius` in arcsec: 2 to 3 radii, within limits."""
    inner = max(SKY_RADII[0] * radius, SKY_INNER_MINIMUM)
    return inner, max(SKY_RADII[1] * radius, inner + SKY_WIDTH_MINIMUM)


def _nearest_sky(radius: float) -> float:
    """Where the sky may begin at the nearest, when the cutout is small."""
    return max(1.25 * radius, radius + 0.5)


def _brightening(steps: tuple[ApertureStep, ...], radius: float, noise: float) -> float:
    """Radius (arcsec) within the aperture beyond which the light per pixel rises by more than 3σ, else NaN.

    A single source fades outward from its centre; one that does not, lies off the centre or is not alone.
    """
    inner = [step for step in steps if step.radius <= radius + 1e-9]
    edges = [0.0, inner[0].radius]
    for step in inner[1:]:
        if step.radius - edges[-1] > LOOK_AHEAD - 1e-6:
            edges.append(step.radius)
    at = {step.radius: step for step in inner}
    counts = np.array([0.0] + [at[edge].counts for edge in edges[1:]])
    area = np.diff(np.array([0.0] + [at[edge].area for edge in edges[1:]]))
    if area.size < 2 or not np.all(area > 0):
        return NAN
    light, error = np.diff(counts) / area, noise / np.sqrt(area)
    rises = np.diff(light) > 3.0 * np.hypot(error[1:], error[:-1])
    return float(edges[1 + int(np.argmax(rises))]) if np.any(rises) else NAN


def _growth(
    frame: _Frame,
    ra: float,
    dec: float,
    radius: float,
    radii: np.ndarray,
    sums: np.ndarray,
    first: float,
    annulus: tuple[float, float] | None,
    by_person: bool,
    position_angle: float = 0.0,
) -> Growth:
    """The adopted radius measured, with the whole curve under the same sky."""
    cutout = frame.cutout
    notes = [cutout.note] if cutout.note else []
    inner, outer = annulus if annulus is not None else sky_annulus(radius)
    sky = frame.sky(inner, outer, _nearest_sky(radius))
    if sky.note:
        notes.append(sky.note)
    factor = frame.background.noise_factor(first)
    steps = tuple(_step(frame, float(r), one, sky, factor) for r, one in zip(radii, sums, strict=True))
    chosen = min(steps, key=lambda step: abs(step.radius - radius))
    full = np.pi * frame.ratio * (radius / frame.scale) ** 2
    brightening = _brightening(steps, radius, factor * sky.scatter)
    if np.isfinite(brightening):
        notes.append(f"brighter again beyond {brightening:.1f} arcsec: another source in the aperture")
    missing = 1.0 - chosen.area / full
    if missing > 0.005:
        notes.append(f"{100 * missing:.0f} % of the aperture has no data")
    measured = chosen.area > 0 and np.isfinite(chosen.counts_err)
    mag, mag_err = (chosen.mag, chosen.mag_err) if measured else (NAN, NAN)
    whole = TotalLight()
    if measured and not by_person:
        whole = frame.whole_light(sky, factor)
        if np.isfinite(whole.counts) and chosen.counts > 0:
            mag = _magnitude(whole.counts, cutout.zero_point)
            mag_err = float(MAG_PER_RELATIVE_ERROR) * whole.counts_err / whole.counts if whole.counts > 0 else NAN
    # Light in the circle that is a neighbour's: nothing of its own is seen, and the error is that of telling them apart
    seen = bool(measured and chosen.counts >= 2.0 * chosen.counts_err)
    foreign = seen and bool(whole.foreign > 0 and whole.counts < 2.0 * whole.counts_err)
    sigma = max(chosen.counts_err, whole.counts_err) if foreign else chosen.counts_err
    if foreign:
        notes.append("the light in the aperture is a neighbour's: its own is a limit")
    limits = [_magnitude(n * sigma, cutout.zero_point) if measured else NAN for n in (2.0, 3.0)]
    local_depth = _magnitude(5.0 * factor * sky.scatter * np.sqrt(np.pi) * first / frame.scale, cutout.zero_point)
    if measured and (foreign or not seen):
        notes += _why_shallow(limits[0], cutout.depth, local_depth, radius / first, chosen, whole)
    return Growth(
        band=cutout.band,
        ra=ra,
        dec=dec,
        radius=radius,
        mag=mag,
        mag_err=mag_err,
        limit=limits[0],
        steps=steps,
        survey=cutout.survey,
        counts=chosen.counts if measured else NAN,
        counts_err=chosen.counts_err,
        limit3=limits[1],
        is_limit=measured and (foreign or not seen),
        sky=sky.level,
        sky_err=sky.level_err,
        sky_area=float(sky.pixels),
        area=chosen.area,
        annulus=(sky.inner, sky.outer),
        depth=cutout.depth,
        pixel_scale=frame.scale,
        by_person=by_person,
        note="; ".join(notes),
        noise_factor=factor,
        local_depth=local_depth,
        aperture_correction=(
            2.5 * float(np.log10(point_fraction(radius, cutout.psf_fwhm))) if cutout.psf_fwhm > 0 else NAN
        ),
        aperture_mag=chosen.mag if measured else NAN,
        aperture_mag_err=chosen.mag_err if measured else NAN,
        minor=radius * frame.ratio,
        position_angle=position_angle,
        size=whole.size,
        size_err=whole.size_err,
        foreign=whole.foreign,
    )


def _why_shallow(
    limit: float, depth: float, local_depth: float, growth: float, chosen: ApertureStep, whole: TotalLight
) -> list[str]:
    """Why a 2σ limit is brighter than the image's 5σ depth, in a sentence; nothing where it is not."""
    reference = depth if np.isfinite(depth) else local_depth
    if not limit < reference:
        return []
    causes = []
    if whole.counts_err > 1.5 * chosen.counts_err:
        causes.append("a bright neighbour's light cannot be told from its own")
    if local_depth < reference - 0.3:
        causes.append(f"the noise around it is {10 ** (0.4 * (reference - local_depth)):.1f} times that of the survey")
    if growth > 1.5:
        causes.append(f"the aperture grew to {growth:.1f} times its first radius")
    why = "; ".join(causes) or "the sky level around it is uncertain"
    return [f"limit {limit:.1f} is brighter than the image's depth {reference:.1f}: {why}"]


def _nothing(cutout: Cutout, ra: float, dec: float, radius: float, by_person: bool, why: str) -> Growth:
    """What is said where nothing can be measured."""
    return Growth(
        band=cutout.band,
        ra=ra,
        dec=dec,
        radius=radius,
        mag=NAN,
        mag_err=NAN,
        limit=NAN,
        survey=cutout.survey,
        depth=cutout.depth,
        pixel_scale=cutout.pixel_scale,
        by_person=by_person,
        note="; ".join(part for part in (cutout.note, why) if part),
    )


def start_radius(cutout: Cutout) -> float:
    """First radius of a growing aperture, arcsec: the survey's own, else half the seeing and 0.5"."""
    if np.isfinite(cutout.start_radius):
        return float(cutout.start_radius)
    return float(cutout.psf_fwhm / 2.0 + 0.5) if np.isfinite(cutout.psf_fwhm) else DEFAULT_START


def _pixel_angle(cutout: Cutout, ra: float, dec: float, position_angle: float) -> float:
    """Radians from the x axis of the pixels to a direction given in degrees east of north."""
    x0, y0 = cutout.pixel(ra, dec)
    step = 0.1 / 3600.0
    turn = np.radians(position_angle)
    x, y = cutout.pixel(ra + step * np.sin(turn) / np.cos(np.radians(dec)), dec + step * np.cos(turn))
    return float(np.arctan2(y - y0, x - x0))


def _check_position(cutout: Cutout, ra: float, dec: float) -> tuple[float, float]:
    instance(cutout, Cutout, "aperture: cutout")
    ra = number(ra, "aperture: ra", "degrees", above=-360.0 - 1e-9, most=720.0)
    return ra, number(dec, "aperture: dec", "degrees from -90 to 90", above=-90.0 - 1e-9, most=90.0)


def _ring(annulus: object) -> tuple[float, float]:
    """Inner and outer radius of a sky ring, if they are such."""
    try:
        inner, outer = (float(each) for each in annulus)  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise DataError(f"aperture: annulus {annulus!r:.60} is not {_RING}") from error
    if not 0 <= inner < outer < np.inf:
        raise DataError(f"aperture: annulus {annulus!r:.60} is not {_RING}")
    return inner, outer


def grow_aperture(
    cutout: Cutout,
    ra: float,
    dec: float,
    start: float | None = None,
    step: float = STEP,
    max_radius: float = MAX_RADIUS,
) -> Growth:
    """Grow a circular aperture at a position until it gathers no more light.

    From the first radius the circle grows by `step` for as long as the counts in the next 0.3", less sky, exceed the
    noise of that ring: √(area) times the scatter of a pixel and the noise factor. A position without positive counts
    keeps the first radius. The adopted circle is then measured as `measure_aperture` does.

    Parameters
    ----------
    cutout : Cutout
    ra, dec : float
        Centre, degrees.
    start : float, optional
        First radius in arcsec; the survey's own (seeing FWHM / 2 + 0.5) if not given.
    step, max_radius : float
        arcsec.

    Returns
    -------
    Growth
        `steps` holds the whole curve, from the first radius to `max_radius`.

    Raises
    ------
    DataError
        If the position or a radius is not a usable number.
    """
    ra, dec = _check_position(cutout, ra, dec)
    start = start_radius(cutout) if start is None else number(start, "aperture: start", _ARCSEC, above=0.0)
    max_radius = number(max_radius, "aperture: max_radius", _ARCSEC, above=0.0, most=WIDEST)
    step = number(step, "aperture: step", _ARCSEC, above=max_radius / MOST_STEPS)
    start = min(float(start), max_radius)
    frame = _Frame(cutout, ra, dec)
    if not frame.inside or not cutout.usable:
        why = "the position lies outside the cutout" if not frame.inside else "no usable pixels"
        return _nothing(cutout, ra, dec, start, False, why)
    radii = start + step * np.arange(int(np.floor((max_radius - start) / step + 1e-6)) + 1)
    sums = frame.sums(radii)
    radius = float(radii[_last_gaining(frame, radii, sums)])
    return _growth(frame, ra, dec, radius, radii, sums, start, None, by_person=False)


def _last_gaining(frame: _Frame, radii: np.ndarray, sums: np.ndarray) -> int:
    """Index of the first radius beyond which a ring adds less than its own noise."""
    sky = frame.sky(*GROWTH_RING, nearest=min(SKY_INNER_MINIMUM, _nearest_sky(float(radii[-1]))))
    if not np.isfinite(sky.scatter):
        return 0
    noise = frame.background.noise_factor(float(radii[0])) * sky.scatter
    counts, area = sums[:, 0] - sums[:, 1] * sky.level, sums[:, 1]
    if not counts[0] > 0:
        return 0
    for index in range(len(radii) - 1):
        ahead = int(np.searchsorted(radii, radii[index] + max(LOOK_AHEAD, radii[1] - radii[0]) - 1e-6))
        ahead = min(ahead, len(radii) - 1)
        if not counts[ahead] - counts[index] > np.sqrt(area[ahead] - area[index]) * noise:
            return index
    return len(radii) - 1


def measure_aperture(
    cutout: Cutout,
    ra: float,
    dec: float,
    radius: float,
    annulus: tuple[float, float] | None = None,
    *,
    minor: float | None = None,
    position_angle: float = 0.0,
    by_person: bool = True,
) -> Growth:
    """Measure one circular or elliptical aperture, with the sky in a ring about the same centre.

    Counts are summed with exact overlap of circle and pixels. The sky is the 3σ-clipped median of the ring; the error
    adds the noise of the pixels in the aperture (from the cutout's error image where there is one, else from the
    scatter in the ring) and the error of the sky level.

    Parameters
    ----------
    cutout : Cutout
    ra, dec : float
        Centre, degrees.
    radius : float
        arcsec.
    annulus : tuple of float, optional
        Inner and outer radius of the sky ring, arcsec; `sky_annulus(radius)` if not given.
    minor : float, optional
        Semi-minor axis in arcsec of an ellipse whose semi-major axis is `radius`.
    position_angle : float
        Of the ellipse's major axis, degrees east of north.
    by_person : bool
        Whether a person chose the radius or the centre.

    Returns
    -------
    Growth
        `steps` holds the curve from the start radius to 3", under the same sky, `radius` among them.

    Raises
    ------
    DataError
        If the position, the radius or the annulus is not usable.
    """
    ra, dec = _check_position(cutout, ra, dec)
    radius = number(radius, "aperture: radius", "a positive radius in arcsec", above=0.0, most=WIDEST)
    annulus = None if annulus is None else _ring(annulus)
    if minor is not None:
        shape = (
            f"{radius} by {minor!r:.40} arcsec is no ellipse; give the larger semi-axis as radius, minor the smaller"
        )
        if isinstance(minor, bool) or not isinstance(minor, float | int | np.number) or not 0 < minor <= radius:
            raise DataError(f"aperture: {shape}")
        minor = float(minor)
    position_angle = number(position_angle, "aperture: position_angle", "degrees east of north", most=1e6)
    angle = _pixel_angle(cutout, ra, dec, position_angle) if minor is not None else 0.0
    frame = _Frame(cutout, ra, dec, 1.0 if minor is None else float(minor / radius), angle)
    if not frame.inside or not cutout.usable:
        why = "the position lies outside the cutout" if not frame.inside else "no usable pixels"
        return _nothing(cutout, ra, dec, float(radius), by_person, why)
    curve = np.arange(0.5, MAX_RADIUS + 1e-6, STEP)
    curve = np.sort(np.append(curve[np.abs(curve - radius) > 1e-6], radius))
    first = min(start_radius(cutout), MAX_RADIUS)
    return _growth(frame, ra, dec, float(radius), curve, frame.sums(curve), first, annulus, by_person, position_angle)
