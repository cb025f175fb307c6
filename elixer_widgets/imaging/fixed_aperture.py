"""The light of each source in a circle of one radius, with the names of the published catalogs interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.apertures import measure_aperture
from elixer_widgets.imaging.sources import SourceEllipse

NO_MAGNITUDE = 99.9  # what the published interface says where nothing was measured

FIXED_RADIUS = 1.0
"""arcsec, of the circle that each source is measured in besides its ellipse."""


def fixed_aperture(cutout: Cutout, source: SourceEllipse) -> dict[str, Any]:
    """A source's light in a circle of 1" about its barycentre; flags 1 where the measurement has a remark."""
    fixed = measure_aperture(cutout, source.ra, source.dec, FIXED_RADIUS)
    return {
        "fixed_aper_radius": FIXED_RADIUS,
        "fixed_aper_flux_cts": fixed.counts,
        "fixed_aper_flux_err": fixed.counts_err,
        "fixed_aper_mag": fixed.aperture_mag if np.isfinite(fixed.aperture_mag) else NO_MAGNITUDE,
        "fixed_aper_mag_err": fixed.aperture_mag_err,
        "fixed_aper_flags": int(bool(fixed.note)),
    }
