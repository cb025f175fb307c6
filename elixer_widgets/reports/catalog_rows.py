"""What of an Interpretation goes into which column of the ELiXer catalogue. Pure; opens no file.

Units and fills are those of the ELiXer catalogue 0.8.1: cgs fluxes, magnitudes AB, -999.999 for a missing float.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np

from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.choice import THRESHOLDS
from elixer_widgets.classification.confidence import confidence, scale
from elixer_widgets.classification.flags import encode
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.posterior import LABELS
from elixer_widgets.classify import published_score
from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.fixed_aperture import NO_MAGNITUDE, fixed_aperture
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.releases.layout import WAVELENGTH_STEP, catalog_layout, wavelength_grid
from elixer_widgets.reports.derived import (
    aperture_correction,
    best_solution,
    central_fiber_magnitude,
    chi2_error,
    clipped_plae,
    color,
    from_aperture,
    from_match,
    labels,
    measured_spectrum,
    redshift_as,
    sourced,
    statistical_error,
)
from elixer_widgets.spectra.continuum import CGS, ContinuumEstimate, rest_width
from elixer_widgets.spectra.fitting import FWHM_PER_SIGMA, without_low_flux

LIGHT_KMS = 299792.458  # exact

FIXED_WITHIN = 5.0
"""arcsec; sources so near are measured in circles of 1" too."""

NO_MULTIFRAME = "x" * 20
NOT_REAL = ("artifact", "noise")
Row = dict[str, Any]


def _cgs(estimate: ContinuumEstimate) -> tuple[float, float]:
    """Value and error in erg/s/cm²/Å; for a limit, the limit and its 1σ."""
    error = estimate.error
    if estimate.is_limit and estimate.limit_sigma > 0:
        error = estimate.value / estimate.limit_sigma
    return estimate.value * CGS, error * CGS


def best_redshifts(interpretation: Interpretation) -> list[tuple[float, float, float]]:
    """(z, quality, threshold) for each threshold; z is -1 and the quality 0 where no galaxy's line is adopted."""
    found = [
        (each.redshift if math.isfinite(each.redshift) else -1.0, each.quality, each.threshold)
        for each in interpretation.best
    ]
    return found or [(-1.0, 0.0, threshold) for threshold in THRESHOLDS]


def detection_row(interpretation: Interpretation, made: datetime) -> Row:
    """The row of `Detections`; columns that are not here keep their fill."""
    measurements = interpretation.measurements
    detection, line = measurements.detection, measurements.line
    narrow, wide = measurements.continuum_narrow, measurements.continuum_wide
    lya = redshift_as("Lya", line.center)
    row: Row = {
        "detectid": detection.detectid,
        "elixer_version": __version__,
        "elixer_datetime": f"{made:%Y-%m-%d %H:%M:%S}",
        "ra": detection.ra,
        "dec": detection.dec,
        "wavelength_obs": line.center,
        "wavelength_obs_err": line.center_err,
        "flux_line": line.flux,
        "flux_line_err": line.flux_err,
        "fwhm_line_aa": line.fwhm,
        "fwhm_line_aa_err": line.sigma_err * FWHM_PER_SIGMA,
        "fwhm_line_kms": line.fwhm / line.center * LIGHT_KMS,
        "fwhm_line_kms_err": line.sigma_err * FWHM_PER_SIGMA / line.center * LIGHT_KMS,
        "sn": line.snr,
        "sn_err": line.snr * line.flux_err / abs(line.flux) if line.flux else math.nan,
        "chi2": line.chi2,
        "chi2_err": chi2_error(line.n_samples),
        "spectral_slope": measurements.spectral_slope * CGS,
        "apcor_4500": aperture_correction(detection),
        "plya_classification": interpretation.p_lya,
        "combined_eqw_rest_lya": interpretation.ew_lya,
        "combined_eqw_rest_lya_err": interpretation.ew_lya_err,
        "combined_continuum_nondetect": _limits(interpretation),
        "combined_continuum_err_stat": statistical_error(interpretation.continuum_sources) * CGS,
        "classification_labels": ",".join(labels(interpretation)),
        "spurious_reason": interpretation.identity if interpretation.identity in NOT_REAL else "",
        "central_single_fiber_mag": central_fiber_magnitude(detection),
        "mag_g_wide": measurements.g_magnitude.value,
    }
    if measurements.g_magnitude.is_limit:
        row["mag_g_wide_limit"] = measurements.g_magnitude.value
    else:
        row["mag_g_wide_err"] = measurements.g_magnitude.error
    for suffix, (z, quality, threshold) in zip(("", "_2", "_3"), best_redshifts(interpretation), strict=True):
        row |= {f"z_best{suffix}": z, f"z_best_pz{suffix}": quality, f"z_best_plya_thresh{suffix}": threshold}
    # the highest bit is the sign of the signed column
    row["flags"] = np.array([encode(interpretation.flags)], "u4").view("i4")[0]
    row["review"] = int(any(each.name in ("follow up", "questionable detection") for each in interpretation.flags))
    if math.isfinite(measurements.spectral_slope_err):
        row["spectral_slope_err"] = measurements.spectral_slope_err * CGS
    # the wide continuum leaves the lines out: it is both
    row["continuum_masked"], row["continuum_masked_err"] = _cgs(wide)
    for name, blue, red in (("color_ug", "u", "g"), ("color_ur", "u", "r"), ("color_gr", "g", "r")):
        row[name] = color(interpretation, blue, red)
    for name, estimate in (("line", narrow), ("wide", wide)):
        row[f"continuum_{name}"], row[f"continuum_{name}_err"] = _cgs(estimate)
        width, error, _ = rest_width(line.flux, line.flux_err, estimate, lya)
        row[f"eqw_rest_lya_{name}"], row[f"eqw_rest_lya_{name}_err"] = width, error
        row |= _plae_columns(sourced(interpretation, "narrow" if name == "line" else "wide")[1], f"plae_{name}")
    row["combined_continuum"], row["combined_continuum_err"] = _cgs(interpretation.continuum)
    row["combined_plae"], row["combined_plae_lo"], row["combined_plae_hi"] = clipped_plae(interpretation.plae_poii)
    return row | _observed(interpretation) | _solution(interpretation)


def _limits(interpretation: Interpretation) -> int:
    """How many of the continua are limits; -1 if there is no combined continuum."""
    if not math.isfinite(interpretation.continuum.value):
        return -1
    return sum(1 for each in interpretation.continuum_sources if each.is_limit)


def _plae_columns(ratio: PlaeRatio | None, name: str) -> Row:
    """Columns `name`, `name`_max and `name`_min."""
    value, low, high = clipped_plae(ratio)
    return {name: value, f"{name}_max": high, f"{name}_min": low}


def _observed(interpretation: Interpretation) -> Row:
    """Columns on the observation and the best fiber."""
    detection = interpretation.measurements.detection
    row: Row = {"multiframe": NO_MULTIFRAME}
    if detection.shot is not None:
        shot = detection.shot
        row |= {
            "shotid": shot.shotid, "obsid": shot.obsid, "fieldname": shot.field, "seeing_fwhm": shot.fwhm,
            "response": shot.response_4540,
        }  # fmt: skip
    if detection.fibers:
        best = detection.fibers[0]
        row |= {
            "amp": best.amp, "specid": best.specid, "ifuslot": best.ifuslot, "ifuid": best.ifuid,
            "multiframe": best.multiframe or NO_MULTIFRAME,
        }  # fmt: skip
    return row


def _solution(interpretation: Interpretation) -> Row:
    """Columns of the best multi-line solution."""
    best = best_solution(interpretation)
    if best is None:
        return {}
    return {
        "multiline_flag": int(best.accepted),
        "multiline_z": best.redshift,
        "multiline_rest_w": best.rest_wavelength,
        "multiline_raw_score": best.score,
        "multiline_frac_score": best.fraction,
        "multiline_prob": confidence(scale(best)),
        "multiline_name": LABELS.get(best.identity, best.identity)
        .replace("α", "a")
        .replace("β", "b")
        .replace("γ", "g"),
    }


def spectrum_row(interpretation: Interpretation) -> Row:
    """The row of `CalibratedSpectra`: per 2 Å sample, on the HETDEX grid.

    A spectrum on another grid is interpolated onto it (linearly, flux density); what it does not cover stays 0, and so
    do masked samples.
    """
    detection = interpretation.measurements.detection
    spectrum, grid = measured_spectrum(interpretation.measurements), wavelength_grid()
    wave, good = np.asarray(spectrum.wavelength), np.asarray(spectrum.good)
    flux = np.where(good, spectrum.flux, np.nan)
    error = np.where(good, np.asarray(spectrum.error), np.nan)
    if wave.shape != grid.shape or not np.allclose(wave, grid, atol=0.01):
        flux = np.interp(grid, wave, flux, left=np.nan, right=np.nan)
        error = np.interp(grid, wave, error, left=np.nan, right=np.nan)
    row: Row = {
        "detectid": detection.detectid,
        "wavelength": grid,
        "flux": np.nan_to_num(flux * WAVELENGTH_STEP),
        "flux_err": np.nan_to_num(error * WAVELENGTH_STEP),
    }
    if interpretation.measurements.excluded_fibers:
        # Extracted anew from the fibers that a person left on, under the local sky
        left = [each for each in detection.fibers if each.fiber_id not in interpretation.measurements.excluded_fibers]
        row |= {"num_fibers": len(left), "sky_background": 0}
    return row


def line_rows(interpretation: Interpretation) -> list[Row]:
    """Rows of `SpectraLines`: every line found (sol_num 0), then the companions found of each solution by rank."""
    measurements = interpretation.measurements
    detectid = measurements.detection.detectid
    spectrum = measured_spectrum(measurements)
    rows: list[Row] = [
        {
            "detectid": detectid, "wavelength": each.center, "type": -1 if each.is_absorption else 1, "sn": each.snr,
            "score": published_score(each, spectrum),
            "chi2": each.chi2, "continuum": each.continuum * CGS, "continuum_err": each.continuum_err * CGS,
            "flux_line": without_low_flux(each).flux,
            "flux_line_err": without_low_flux(each).flux_err,
            "sigma": each.sigma, "sigma_err": each.sigma_err,
            "sol_num": 0, "used": 0,
        }
        for each in measurements.lines
    ]  # fmt: skip
    rows += [
        {
            "detectid": detectid, "wavelength": companion.wavelength, "type": -1 if companion.flux < 0 else 1,
            "sn": companion.snr, "score": companion.score, "flux_line": companion.flux,
            "flux_line_err": companion.flux_err, "sol_num": rank, "used": int(solution.accepted),
        }
        for rank, solution in enumerate(interpretation.solutions, start=1)
        for companion in solution.companions
        if companion.status == "found"
    ]  # fmt: skip
    return rows


def _rest_width_columns(interpretation: Interpretation, estimate: ContinuumEstimate | None) -> Row:
    """Columns eqw_rest_lya(+_err) from a continuum; empty if there is none."""
    if estimate is None:
        return {}
    line = interpretation.measurements.line
    width, error, _ = rest_width(line.flux, line.flux_err, estimate, redshift_as("Lya", line.center))
    return {"eqw_rest_lya": width, "eqw_rest_lya_err": error}


def aperture_rows(interpretation: Interpretation) -> list[Row]:
    """Rows of `Aperture`: the adopted circle of each image. A limit is given as `mag` without an error."""
    return [_aperture_row(interpretation, growth) for growth in interpretation.measurements.growths]


def _aperture_row(interpretation: Interpretation, growth: Growth) -> Row:
    estimate, ratio = from_aperture(interpretation, growth.survey, growth.band)
    return {
        "detectid": interpretation.measurements.detection.detectid,
        "ra": growth.ra,
        "dec": growth.dec,
        "aperture_area_pix": growth.area,
        "aperture_cts": growth.counts,
        "catalog_name": growth.survey,
        "filter_name": growth.band,
        "image_depth_mag": growth.depth,
        "mag": growth.limit if growth.is_limit else growth.aperture_mag,
        "mag_err": math.nan if growth.is_limit else growth.aperture_mag_err,
        "pixel_scale": growth.pixel_scale,
        "radius": growth.radius,
        "sky_area_pix": growth.sky_area,
        "sky_average": growth.sky,
        "sky_cts": growth.sky * growth.area,
        **_plae_columns(ratio, "plae"),
        **_rest_width_columns(interpretation, estimate),
    }


def step_rows(interpretation: Interpretation) -> list[Row]:
    """Rows of `ElixerApertures`: every radius that was tried."""
    detectid = interpretation.measurements.detection.detectid
    return [
        {
            "detectid": detectid, "ra": growth.ra, "dec": growth.dec, "radius": step.radius,
            "background_cts": growth.sky * step.area, "background_err": growth.sky_err * step.area,
            "catalog_name": growth.survey, "filter_name": growth.band, "flux_cts": step.counts,
            "flux_err": step.counts_err, "image_depth_mag": growth.depth, "mag": step.mag, "mag_err": step.mag_err,
            "pixel_scale": growth.pixel_scale, "selected": int(math.isclose(step.radius, growth.radius, abs_tol=1e-6)),
        }
        for growth in interpretation.measurements.growths
        for step in growth.steps
    ]  # fmt: skip


def image_angle(source: SourceEllipse, cutout: Cutout | None) -> float:
    """Angle of the major axis in radians, anticlockwise from the image's x axis, 0 to π.

    Without the image, north is taken to be up and east to the left.
    """
    turn = math.radians(source.position_angle)
    if cutout is None:
        return (0.5 * math.pi + turn) % math.pi
    x0, y0 = cutout.pixel(source.ra, source.dec)
    small = 1e-3
    xe, ye = cutout.pixel(source.ra + small * math.sin(turn) / math.cos(math.radians(source.dec)),
                          source.dec + small * math.cos(turn))  # fmt: skip
    return math.atan2(ye - y0, xe - x0) % math.pi


def object_rows(interpretation: Interpretation) -> list[Row]:
    """Rows of `ExtractedObjects`: every source on every image; axes are full axes of the measured ellipse."""
    measurements = interpretation.measurements
    images = {(cutout.survey, cutout.band): cutout for cutout in measurements.cutouts}
    skies = {(growth.survey, growth.band): growth for growth in measurements.growths}
    rows: list[Row] = []
    for source in measurements.sources:
        cutout = images.get((source.survey, source.band))
        inside = source.edge_distance <= 0
        row: Row = {
            "detectid": measurements.detection.detectid, "ra": source.ra, "dec": source.dec,
            "catalog_name": source.survey, "filter_name": source.band, "dist_baryctr": source.separation,
            "dist_curve": -1.0 if inside else source.edge_distance, "flags": source.flags, "flux_cts": source.counts,
            "flux_err": source.counts_err, "mag": source.mag, "mag_err": source.mag_err, "major": 2 * source.major,
            "minor": 2 * source.minor, "selected": int(source.selected), "theta": image_angle(source, cutout),
        }  # fmt: skip
        if cutout is not None:
            row |= {"image_depth_mag": cutout.depth, "pixel_scale": cutout.pixel_scale}
            if source.selected or source.separation <= FIXED_WITHIN:
                row |= _fixed(cutout, source)
            sky = skies.get((source.survey, source.band))
            if sky is not None:
                area = math.pi * source.major * source.minor / cutout.pixel_scale**2
                row |= {"background_cts": sky.sky * area, "background_err": sky.sky_err * area}
        rows.append(row)
    return rows


def _fixed(cutout: Cutout, source: SourceEllipse) -> Row:
    """Columns of the light within 1" about the source; none where the image cannot be measured there."""
    found = fixed_aperture(cutout, source)
    if not math.isfinite(found["fixed_aper_flux_cts"]):
        return {}
    if found["fixed_aper_mag"] == NO_MAGNITUDE:
        found = {name: value for name, value in found.items() if not name.startswith("fixed_aper_mag")}
    return found


def match_rows(interpretation: Interpretation) -> list[Row]:
    """Rows of `CatalogMatch`, best first."""
    return [_match_row(interpretation, match) for match in interpretation.measurements.matches]


def _match_row(interpretation: Interpretation, match: Match) -> Row:
    thing = match.object
    row: Row = {
        "detectid": interpretation.measurements.detection.detectid, "ra": thing.ra, "dec": thing.dec,
        "selected": int(match.selected), "catalog_name": thing.catalog, "filter_name": match.band,
        "match_num": match.rank, "photz": thing.photo_z, "specz": thing.spec_z, "prob_match": 1.0 - match.chance,
        "separation": match.separation,
    }  # fmt: skip
    magnitude = thing.magnitude(match.band)
    if magnitude is not None:
        row |= {"mag": magnitude.value, "mag_err": magnitude.error}
    estimate, ratio = from_match(interpretation, match)
    if estimate is not None:
        row["flux"], row["flux_err"] = _cgs(estimate)
        row |= _plae_columns(ratio, "plae") | _rest_width_columns(interpretation, estimate)
    return row


def filled(table: str, rows: list[Row]) -> np.ndarray:
    """The rows of a catalogue table as a structured array; what is missing, NaN or too large gets the column's fill."""
    layout = catalog_layout(table)
    array = layout.rows(len(rows))
    names = layout.dtype.names or ()
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name not in names:
                raise KeyError(f"table {table} has no column {name}")
            kind = layout.dtype[name].base.kind
            if kind == "S":
                array[number][name] = str(value).encode("ascii", "replace")
            elif kind == "f" and np.ndim(value) == 0:
                # a number that the column cannot hold says as little as none
                if abs(float(value)) <= float(np.finfo(layout.dtype[name].base).max):
                    array[number][name] = value
            else:
                array[number][name] = value
    return array
