"""A release made by hand, for tests of the page that need no file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from elixer_widgets.analysis import Measurements
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases.base import Release, ReleaseIndex
from tests import factories


class FakeRelease(Release):
    """Detections 2101630949 and up; the second has no fibers and no imaging, the last cannot be read."""

    name = "made by hand"
    path = Path("nowhere")
    ids = tuple(range(2101630949, 2101630954))

    def index(self) -> ReleaseIndex:
        n = len(self.ids)
        return ReleaseIndex(
            np.array(self.ids, np.int64), np.full(n, 214.8), np.full(n, 52.8), np.full(n, 4500.0), np.full(n, 12.0)
        )

    def detection(self, detectid: int) -> Detection:
        if detectid == self.ids[-1]:
            raise DataError(f"detection {detectid} is damaged; take another")
        if detectid == self.ids[1]:
            return replace(factories.make_bare_detection(), detectid=detectid)
        return factories.make_detection(detectid)

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        return np.array(self.ids[:1], np.int64)


def measure(detection: Detection, *, aperture=None, excluded_fibers=()) -> Measurements:
    """Made-up measurements that follow the aperture that was asked for."""
    made = factories.make_measurements(detection)
    if aperture is None:
        return made
    growths = tuple(replace(g, radius=aperture.radius, mag=g.mag - aperture.radius / 10) for g in made.growths)
    return replace(made, growths=growths, aperture=aperture)


def interpret(measurements: Measurements, identity=None, redshift=None, *, counterpart=None, without=()):
    """Lyα unless [O II] is asked for, by name or by a redshift below 1; a counterpart "unheard of" is refused."""
    if counterpart == "unheard of":
        raise DataError(f"there is no counterpart {counterpart!r}")
    by_z = None if redshift is None else ("OII" if redshift < 1 else "Lya")
    made = factories.make_interpretation(measurements.detection, identity or by_z or "Lya")
    person = identity is not None or redshift is not None
    return replace(made, measurements=measurements, chosen_by="person" if person else "automatic")
