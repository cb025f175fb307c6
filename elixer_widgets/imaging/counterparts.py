"""Catalogue objects that may be the detection's source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from elixer_widgets import _sky
from elixer_widgets.detection import NAN, CatalogObject, DataError, Imaging, Magnitude
from elixer_widgets.imaging.match_score import match_score

# Which band stands for an object's brightness: g first, since HETDEX spectra lie in it, then what is nearest to it.
BAND_ORDER = ("g", "F475W", "V", "r", "F606W", "R", "i", "F775W", "F814W", "u", "z", "y")


@dataclass(frozen=True, eq=False)
class Match:
    """A catalogue object near the detection.

    Attributes
    ----------
    object : CatalogObject
    rank : int
        1 for the best; the first three are highlighted.
    separation : float
        True angular distance, arcsec.
    chance : float
        Probability that an unrelated object this bright lies this near, 1 - exp(-π d² n(<m)).
    band : str
        Filter of the magnitude used for the continuum (g before r).
    selected : bool
    match_score : float
        What ELiXer prints under this name; see `match_score.match_score`.
    """

    object: CatalogObject
    rank: int
    separation: float
    chance: float = NAN
    band: str = ""
    selected: bool = False
    match_score: float = NAN


# Semi-axes in catalogues are those of half the light or of second moments; an exponential disc has 85 % of its light
# within twice its half-light ellipse, which is taken to be covered by it.
COVERING = 2.0

# Positions of one object in two catalogues differ by less, arcsec.
SAME_OBJECT = 0.5


def separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float:
    """True angle between two positions in degrees, in arcsec."""
    return float(_sky.separation(ra1, dec1, np.asarray(ra2), np.asarray(dec2)))


def number_counts(mag: float) -> float:
    """Galaxies brighter than `mag` per square arcsec.

    Bloom, Kulkarni & Djorgovski 2002, AJ 123, 1111, eq. 3, from the R-band counts of Hogg et al. 1997. Stands in
    where the catalogue's own counts are not known.
    """
    return float(10.0 ** (0.33 * (mag - 24.0) - 2.44) / (0.33 * np.log(10.0)))


def chance_probability(distance: float, density: float) -> float:
    """Probability that an unrelated object lies within `distance` arcsec: 1 - exp(-π d² n).

    `density` is the number of objects at least as bright per square arcsec (Downes et al. 1986, MNRAS 218, 31).
    """
    return float(-np.expm1(-np.pi * distance**2 * density))


def _density(imaging: Imaging, catalog: str, mag: float) -> float:
    """Objects brighter than `mag` per square arcsec, from the catalogue's own counts where they reach."""
    for name in catalog.split(", "):
        known = imaging.surface_density.get(name)
        if known is None:
            continue
        mags, density = (np.asarray(array, dtype=float) for array in known)
        # Below the first object counted and beyond the last, the catalogue says nothing.
        if mags.size > 1 and mags[0] <= mag <= mags[-1]:
            value = float(np.interp(mag, mags, density))
            if value > 0:
                return value
    return number_counts(mag)


def elliptical_distance(
    ra: float, dec: float, major: float, minor: float, position_angle: float, at: tuple[float, float]
) -> float:
    """How far a position lies from an ellipse's centre, in units of the ellipse: 1 on its edge.

    `major`, `minor` in arcsec, `position_angle` in degrees east of north, `at` the position (ra, dec) in degrees.
    """
    east = ((at[0] - ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians((dec + at[1]) / 2)) * 3600.0
    north = (at[1] - dec) * 3600.0
    angle = np.radians(position_angle)
    along = east * np.sin(angle) + north * np.cos(angle)
    across = east * np.cos(angle) - north * np.sin(angle)
    return float(np.hypot(along / major, across / minor))


def _covering(target: CatalogObject, ra: float, dec: float) -> float:
    """The elliptical distance of the position if the object's ellipse covers it, else infinity."""
    if not (target.major > 0 and target.minor > 0):
        return np.inf
    angle = target.position_angle if np.isfinite(target.position_angle) else 0.0
    minor = target.minor if np.isfinite(target.position_angle) else target.major
    reach = elliptical_distance(target.ra, target.dec, target.major, minor, angle, (ra, dec))
    return reach if reach <= COVERING else np.inf


def covers(target: CatalogObject, ra: float, dec: float) -> bool:
    """Whether an object's ellipse, drawn at `COVERING` times its semi-axes, covers a position in degrees."""
    return _covering(target, ra, dec) <= COVERING


def _standing(target: CatalogObject) -> Magnitude | None:
    """The magnitude that stands for an object: measured before limits, by `BAND_ORDER`, then any."""
    rank = {band: i for i, band in enumerate(BAND_ORDER)}
    known = [m for m in target.magnitudes if np.isfinite(m.value)]
    return min(known, key=lambda m: (m.is_limit, rank.get(m.band, len(rank))), default=None)


def _match(imaging: Imaging, target: CatalogObject, ra: float, dec: float, distance: float, reach: float) -> Match:
    """One object with its chance probability; an extended one is as near as its ellipse makes it."""
    magnitude = _standing(target)
    chance = NAN
    if magnitude is not None and not magnitude.is_limit:
        effective = distance
        if reach <= COVERING:
            # The ellipse through the position, as a circle of the same area, if that is the smaller.
            effective = min(distance, reach * float(np.sqrt(target.major * target.minor)))
        chance = chance_probability(effective, _density(imaging, target.catalog, magnitude.value))
    value = None if not target.magnitudes else NAN if magnitude is None else magnitude.value
    band = magnitude.band if magnitude is not None else ""
    return Match(target, 0, distance, chance, band, match_score=match_score(distance, value))


def _merge(objects: Iterable[CatalogObject]) -> list[CatalogObject]:
    """One object where several catalogues have the same one.

    Two catalogues mean the same object if each is the other's nearest, within `SAME_OBJECT`. The position, shape and
    redshifts come from the first catalogue that has them, magnitudes from all, the surest first.
    """
    merged: list[CatalogObject] = []
    by_catalog: dict[str, list[CatalogObject]] = {}
    for target in objects:
        by_catalog.setdefault(target.catalog, []).append(target)
    for own in by_catalog.values():
        pairs = _mutual(merged, own)
        merged.extend(target for i, target in enumerate(own) if i not in pairs)
        for i, j in pairs.items():
            merged[j] = _joined(merged[j], own[i])
    return merged


def _mutual(first: list[CatalogObject], second: list[CatalogObject]) -> dict[int, int]:
    """Index in `second` to index in `first` of objects that are each other's nearest."""
    if not first or not second:
        return {}
    distance = np.array([[separation(a.ra, a.dec, b.ra, b.dec) for b in first] for a in second])
    nearest, back = distance.argmin(axis=1), distance.argmin(axis=0)
    return {i: int(j) for i, j in enumerate(nearest) if back[j] == i and distance[i, j] <= SAME_OBJECT}


def _certainty(magnitude: Magnitude) -> tuple[bool, float]:
    """Sorts measured magnitudes before limits, small errors before large."""
    return magnitude.is_limit, magnitude.error if np.isfinite(magnitude.error) else np.inf


def _joined(one: CatalogObject, other: CatalogObject) -> CatalogObject:
    """`one` with what only `other` knows."""
    shaped = one if np.isfinite(one.major) else other
    photo = one if np.isfinite(one.photo_z) else other
    return replace(
        one,
        catalog=f"{one.catalog}, {other.catalog}",
        magnitudes=tuple(sorted(one.magnitudes + other.magnitudes, key=_certainty)),
        spec_z=one.spec_z if np.isfinite(one.spec_z) else other.spec_z,
        photo_z=photo.photo_z,
        photo_z_low=photo.photo_z_low,
        photo_z_high=photo.photo_z_high,
        photo_z_pdf=one.photo_z_pdf if one.photo_z_pdf is not None else other.photo_z_pdf,
        major=shaped.major,
        minor=shaped.minor,
        position_angle=shaped.position_angle,
    )


def find_matches(imaging: Imaging, ra: float, dec: float, radius: float = 3.0) -> tuple[Match, ...]:
    """Catalogue objects within `radius` arcsec, best first.

    The best is the one least likely to lie there by chance. An object whose ellipse, drawn at twice its semi-axes,
    covers the position is a match at any distance of its centre. The same object in several catalogues is one match.
    Objects without a usable magnitude come last, by distance.

    Parameters
    ----------
    imaging : Imaging
    ra, dec : float
        Degrees.
    radius : float
        arcsec.

    Returns
    -------
    tuple of Match
        Ranked from 1; the first is `selected`.

    Raises
    ------
    DataError
        If the position or radius is not usable.
    """
    if not (np.isfinite(ra) and np.isfinite(dec)):
        raise DataError(f"counterparts: ({ra}, {dec}) is not a position in degrees; give finite ra and dec")
    if not (np.isfinite(radius) and radius >= 0):
        raise DataError(f"counterparts: a radius of {radius} cannot be searched; give arcsec")
    found = []
    for target in _merge(imaging.objects):
        distance = separation(ra, dec, target.ra, target.dec)
        reach = _covering(target, ra, dec)
        if distance <= radius or reach <= COVERING:
            found.append(_match(imaging, target, ra, dec, distance, reach))
    found.sort(key=lambda m: (m.chance if np.isfinite(m.chance) else np.inf, m.separation))
    return tuple(replace(m, rank=rank, selected=rank == 1) for rank, m in enumerate(found, start=1))
