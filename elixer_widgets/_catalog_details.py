"""A measurement with the names of the published catalogs interface. Public through `elixer_widgets.catalogs`."""

from __future__ import annotations

from typing import Any

import numpy as np

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.apertures import ApertureStep, Growth
from elixer_widgets.imaging.fixed_aperture import NO_MAGNITUDE, fixed_aperture
from elixer_widgets.imaging.sources import SourceEllipse


def on(cutout: Cutout, source: SourceEllipse) -> bool:
    """Whether a source lies on a cutout."""
    (x, y), (ny, nx) = cutout.pixel(source.ra, source.dec), cutout.data.shape
    return -0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5


def _scatter(cutout: Cutout) -> float:
    """Standard deviation of the sky's pixels, counts: from the median deviation, so that sources count little."""
    finite = cutout.data[np.isfinite(cutout.data)]
    return float(1.4826 * np.median(np.abs(finite - np.median(finite))))


def _pixel_angle(cutout: Cutout, source: SourceEllipse) -> float:
    """Direction of a source's major axis in radians, anticlockwise from the image's x axis, -π/2 to π/2."""
    angle, step = np.radians(source.position_angle), 1.0 / 3600.0
    x0, y0 = cutout.pixel(source.ra, source.dec)
    east = step * np.sin(angle) / np.cos(np.radians(source.dec))
    x, y = cutout.pixel(source.ra + east, source.dec + step * np.cos(angle))
    return float((np.arctan2(y - y0, x - x0) + np.pi / 2) % np.pi - np.pi / 2)


def details(cutout: Cutout, growth: Growth, sources: list[SourceEllipse]) -> dict[str, Any]:
    """The measurement with the published names; magnitudes 99.9 where there is none."""
    mag = growth.aperture_mag if np.isfinite(growth.aperture_mag) else NO_MAGNITUDE
    bright, faint = bounds(growth.counts, growth.counts_err, cutout.zero_point)
    scatter = _scatter(cutout)
    chosen = [i for i, step in enumerate(growth.steps) if abs(step.radius - growth.radius) < 1e-9]
    selected = [i for i, source in enumerate(sources) if source.selected]
    return {
        "catalog_name": cutout.survey,
        "filter_name": cutout.band,
        "ra": growth.ra,
        "dec": growth.dec,
        "radius": growth.radius,
        "mag": mag,
        "mag_err": growth.aperture_mag_err,
        "mag_bright": bright,
        "mag_faint": faint,
        "mag_limit": cutout.depth,
        "mag_limit_2sigma": growth.limit,
        "fail_mag_limit": growth.is_limit,
        "raw_mag": mag,
        "raw_mag_err": growth.aperture_mag_err,
        "raw_mag_bright": bright,
        "raw_mag_faint": faint,
        "source_mag": growth.mag if np.isfinite(growth.mag) else NO_MAGNITUDE,
        "source_mag_err": growth.mag_err,
        "exptime": cutout.exposure_time,
        "pixel_scale": growth.pixel_scale,
        "area_pix": growth.area,
        "sky_area_pix": growth.sky_area,
        "sky_average": growth.sky,
        "sky_counts": growth.sky * growth.area,
        "aperture_counts": growth.counts,
        # What depends on a line is in an Interpretation, not here.
        "aperture_eqw_rest_lya": None,
        "aperture_eqw_rest_lya_err": None,
        "aperture_plae": None,
        "elixer_aper_idx": chosen[0] if chosen else None,
        "sep_obj_idx": selected[0] if selected else None,
        "elixer_apertures": [
            _aperture(cutout, growth, i, step, selected=i in chosen) for i, step in enumerate(growth.steps)
        ],
        "sep_objects": [_source(cutout, i, s, growth.sky, scatter) for i, s in enumerate(sources)],
    }


def _aperture(cutout: Cutout, growth: Growth, index: int, step: ApertureStep, selected: bool) -> dict[str, Any]:
    """One radius of the curve of growth with the published names."""
    bright, faint = bounds(step.counts, step.counts_err, cutout.zero_point)
    return {
        "idx": index,
        "ra": growth.ra,
        "dec": growth.dec,
        "radius": step.radius,
        "area_pix": step.area,
        "aperture_counts": step.counts,
        "sky_area_pix": growth.sky_area,
        "sky_average": growth.sky,
        "sky_counts": growth.sky * step.area,
        "sky_err": growth.sky_err,
        "mag": step.mag if np.isfinite(step.mag) else NO_MAGNITUDE,
        "mag_err": step.mag_err,
        "mag_bright": bright,
        "mag_faint": faint,
        "selected": selected,
    }


def _source(cutout: Cutout, index: int, source: SourceEllipse, background: float, scatter: float) -> dict[str, Any]:
    """One source with the published names."""
    x, y = cutout.pixel(source.ra, source.dec)
    bright, faint = bounds(source.counts, source.counts_err, cutout.zero_point)
    fixed = fixed_aperture(cutout, source)
    return {
        "idx": index,
        "x": x,
        "y": y,
        "ra": source.ra,
        "dec": source.dec,
        # Diameters, as published.
        "a": 2.0 * source.major,
        "b": 2.0 * source.minor,
        "theta": _pixel_angle(cutout, source),
        "background": background,
        "background_rms": scatter,
        "dist_baryctr": source.separation,
        "dist_curve": source.edge_distance,
        "flux_cts": source.counts,
        "flux_cts_err": source.counts_err,
        "flags": source.flags,
        "mag": source.mag if np.isfinite(source.mag) else NO_MAGNITUDE,
        "mag_err": source.mag_err,
        "mag_bright": bright,
        "mag_faint": faint,
        **fixed,
        # The interface has it under this name, the catalogue's file under the other.
        "fixed_aper_flux_cts_err": fixed["fixed_aper_flux_err"],
        "selected": source.selected,
    }


def bounds(counts: float, error: float, zero_point: float) -> tuple[float, float]:
    """Magnitudes of counts plus and minus their error; 99.9 where the counts are not positive."""
    values = [counts + error, counts - error]
    bright, faint = (zero_point - 2.5 * np.log10(v) if v > 0 else NO_MAGNITUDE for v in values)
    return float(bright), float(faint)
