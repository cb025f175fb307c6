"""What a person's aperture changes of the measurements, without measuring the rest again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from elixer_widgets._results import Aperture, Measurements
from elixer_widgets.detection import DataError
from elixer_widgets.imaging.apertures import measure_aperture
from elixer_widgets.imaging.growth import Growth


def with_aperture(m: Measurements, aperture: Aperture, images: Collection[int] | None = None) -> Measurements:
    """The measurements with a person's aperture on some images.

    Parameters
    ----------
    m : Measurements
    aperture : Aperture
    images : collection of int, optional
        Places in `m.cutouts` of the images to measure, all if not given. One takes some 10 ms, which is what a person
        who drags an aperture can wait for.

    Returns
    -------
    Measurements
        What `measure` with this aperture gives where all images are measured; other images keep what was measured
        before.

    Raises
    ------
    DataError
        If the radius is not positive.
    """
    if not (np.isfinite(aperture.radius) and aperture.radius > 0):
        raise DataError(f"aperture: a radius of {aperture.radius} cannot be measured; give a positive one in arcsec")

    def measured(number: int, old: Growth) -> Growth:
        if images is not None and number not in images:
            return old
        cutout, detection = m.cutouts[number], m.detection
        place = (aperture.ra, aperture.dec)
        if not np.all(np.isfinite(place)):
            place = (detection.ra, detection.dec) if np.isfinite(detection.ra) else cutout.position
        return measure_aperture(cutout, *place, aperture.radius)

    growths = tuple(measured(number, old) for number, old in enumerate(m.growths))
    return replace(m, growths=growths, aperture=aperture)
