"""Which detections lie around one, for the neighbourhood map: looked up in the release, nothing is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elixer_widgets._sky import separation
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases import Release

SPARE = 1.0
"""arcsec searched beyond the radius, as ELiXer does: a neighbour's own position is not sharper than that."""

MOST = 15
"""Neighbours of each kind, with a line and without, that are shown."""


@dataclass(frozen=True, eq=False)
class Neighbor:
    """A detection beside another; `distance` in arcsec."""

    detection: Detection
    distance: float

    @property
    def has_line(self) -> bool:
        """Whether it was detected by a line, not by its continuum."""
        return bool(np.isfinite(self.detection.wavelength))


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """The detections around one: those shown, nearest first, how many more there are, and what could not be read."""

    radius: float
    neighbors: tuple[Neighbor, ...] = ()
    left_out: int = 0
    notes: tuple[str, ...] = ()


def find_neighbors(release: Release, detection: Detection, radius: float) -> Neighborhood:
    """The detections of a release within `radius` + 1 arcsec of one, that one left out.

    Parameters
    ----------
    release : Release
    detection : Detection
    radius : float
        arcsec.

    Returns
    -------
    Neighborhood
        At most 15 with a line and 15 without. One that cannot be read is named in the notes.

    Raises
    ------
    DataError
        If the radius is not positive.
    """
    if not (np.isfinite(radius) and radius > 0):
        raise DataError(f"neighbourhood: a radius of {radius} arcsec is none; give a positive one")
    if not (np.isfinite(detection.ra) and np.isfinite(detection.dec)):
        return Neighborhood(radius, notes=("no position came with this spectrum, so it has no neighbourhood",))
    kept: dict[bool, list[Neighbor]] = {True: [], False: []}
    left_out = 0
    notes = []
    for each in release.search(detection.ra, detection.dec, radius + SPARE):
        if int(each) == detection.detectid:
            continue
        if all(len(group) >= MOST for group in kept.values()):
            left_out += 1
            continue
        try:
            found = release.detection(int(each))
        except DataError as error:
            notes.append(f"{int(each)}: {error}")
            continue
        away = float(separation(detection.ra, detection.dec, np.array([found.ra]), np.array([found.dec]))[0])
        neighbor = Neighbor(found, away)
        if len(kept[neighbor.has_line]) < MOST:
            kept[neighbor.has_line].append(neighbor)
        else:
            left_out += 1
    shown = tuple(sorted(kept[True] + kept[False], key=lambda one: one.distance))
    return Neighborhood(radius, shown, left_out, tuple(notes))
