"""The HDF5 and FITS files of the simulated release, in the layout of the real one."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np
from astropy.io import fits

from elixer_widgets.releases import layout
from elixer_widgets.releases.pytables import require_group, write_index, write_layout
from elixer_widgets.simulation import optics
from elixer_widgets.simulation.healpix import ring_pixel
from elixer_widgets.simulation.shots import GRID, Observation, ShotPlan


def shot_row(plan: ShotPlan) -> np.ndarray:
    """The one row of /Shot."""
    row = layout.SHOT.rows(1)
    row["shotid"], row["date"], row["obsid"], row["datevobs"] = (
        plan.shotid,
        plan.date,
        plan.obsid,
        layout.datevobs(plan.shotid),
    )
    row["field"], row["objid"] = plan.field, f"{plan.field}_sim"
    row["ra"], row["dec"], row["pa"] = plan.ra, plan.dec, plan.pa
    row["trajcra"], row["trajcdec"], row["trajcpa"] = plan.ra / 15.0, plan.dec, plan.pa
    row["n_ifu"] = 1
    row["fwhm_virus"], row["fwhm_virus_err"] = plan.fwhm, 0.05
    row["response_4540"] = plan.response
    row["relflux_virus"] = plan.relative_flux
    row["exptime"] = plan.exposure_times
    row["darktime"] = [time + 7.0 for time in plan.exposure_times]
    row["expnum"] = (1, 2, 3)
    row["nstars_fit"], row["nstars_fit_fwhm"] = (25, 24, 26), 22
    row["xditherpos"] = [dither[0] for dither in optics.DITHERS]
    row["yditherpos"] = [dither[1] for dither in optics.DITHERS]
    row["xrms"], row["yrms"] = (0.18, 0.2, 0.19), (0.2, 0.17, 0.21)
    row["ambtemp"], row["dewpoint"], row["humidity"], row["pressure"] = 11.0, 2.0, 45.0, 800.0
    row["structaz"], row["obsind"], row["time"] = 60.0, 1, plan.timestamp(1)[9:16]
    row["mjd"] = 59000.0 + np.arange(3) * 0.005
    return row


def write_shot(tree: layout.ReleaseTree, observation: Observation) -> None:
    """The shot file and the pixel flats of its amplifiers."""
    plan = observation.plan
    path = tree.shot_file(plan.shotid)
    path.parent.mkdir(parents=True, exist_ok=True)
    index = layout.SHOT_FIBER_INDEX.rows(observation.fiber_rows.size)
    for name in index.dtype.names or ():
        index[name] = observation.fiber_rows[name]
    chunks = layout.CHUNK_ROWS
    with h5py.File(path, "w") as file:
        write_layout(
            file, "/Data/Fibers", layout.SHOT_FIBERS, observation.fiber_rows, "Fiber Info", chunks["shot/Data/Fibers"]
        )
        write_layout(
            file, "/Data/Images", layout.SHOT_IMAGES, observation.image_rows, "Image Info", chunks["shot/Data/Images"]
        )
        write_layout(file, "/Data/FiberIndex", layout.SHOT_FIBER_INDEX, index, "Fiber Coordinates")
        write_layout(file, "/Shot", layout.SHOT, shot_row(plan), "Shot Info")
        for table, column in (
            ("/Data/Fibers", "ra"),
            ("/Data/Fibers", "multiframe"),
            ("/Data/FiberIndex", "ra"),
            ("/Data/FiberIndex", "multiframe"),
            ("/Data/Images", "multiframe"),
        ):
            write_index(file, table, column)
        _write_astrometry(file, observation)
        _write_throughput(file, plan)
    tree.flats.mkdir(parents=True, exist_ok=True)
    for amp, flat in observation.flats.items():
        # The flats of two amplifiers are kept turned by 180 degrees against the images.
        stored = flat[::-1, ::-1] if amp in layout.FLIPPED_FLATS else flat
        fits.PrimaryHDU(np.ascontiguousarray(stored)).writeto(tree.flat_file(plan.specid, amp), overwrite=True)


def _write_astrometry(file: h5py.File, observation: Observation) -> None:
    plan, fibers = observation.plan, observation.fibers
    quality = layout.ASTROMETRY_QA.rows(3)
    quality["expnum"], quality["nstars"] = (1, 2, 3), (25, 24, 26)
    quality["xrms"], quality["yrms"] = (0.18, 0.2, 0.19), (0.2, 0.17, 0.21)
    write_layout(file, "/Astrometry/QA", layout.ASTROMETRY_QA, quality)
    nominal = layout.ASTROMETRY_NOMINAL.rows(3)
    nominal["expnum"], nominal["ra"], nominal["dec"] = (1, 2, 3), plan.ra, plan.dec
    nominal["parangle"], nominal["relflux_virus"] = plan.pa, plan.relative_flux
    nominal["x_dither_pos"] = [dither[0] for dither in optics.DITHERS]
    nominal["y_dither_pos"] = [dither[1] for dither in optics.DITHERS]
    write_layout(file, "/Astrometry/NominalVals", layout.ASTROMETRY_NOMINAL, nominal)
    write_layout(file, "/Astrometry/StarCatalog", layout.ASTROMETRY_STARS, layout.ASTROMETRY_STARS.rows(0))
    for number in (1, 2, 3):
        part = fibers.expnum == number
        rows = layout.ASTROMETRY_DITHALL.rows(int(part.sum()))
        rows["ra"], rows["dec"] = fibers.ra[part], fibers.dec[part]
        rows["exposure"], rows["ifuslot"] = f"exp0{number}", plan.ifuslot
        rows["xfplane"], rows["yfplane"] = observation.fiber_rows["fpx"][part], observation.fiber_rows["fpy"][part]
        rows["timestamp"] = plan.timestamp(number)
        rows["multifits"] = [
            f"{name.decode()}_{fiber:03d}.ixy"
            for name, fiber in zip(
                observation.fiber_rows["multiframe"][part], observation.fiber_rows["fibnum"][part], strict=True
            )
        ]
        write_layout(file, f"/Astrometry/Dithall/exp0{number}", layout.ASTROMETRY_DITHALL, rows)


def _write_throughput(file: h5py.File, plan: ShotPlan) -> None:
    names = ("wavelength", "throughput", "tp_low", "tp_high", "rat_poly", "tp_gband")
    dtype = np.dtype([(name, "<f4") for name in names])
    rows = np.zeros(GRID.size, dtype)
    curve = optics.sensitivity(GRID)
    rows["wavelength"] = GRID
    rows["throughput"] = plan.response * curve / np.interp(4540.0, GRID, curve)
    rows["tp_low"], rows["tp_high"] = 0.95 * rows["throughput"], 1.05 * rows["throughput"]
    rows["rat_poly"], rows["tp_gband"] = 1.0, plan.response
    table = layout.TableLayout("throughput", dtype)
    require_group(file, "/Calibration/Throughput")
    write_layout(file, "/Calibration/Throughput/throughput", table, rows)


def fiber_index_rows(observation: Observation) -> np.ndarray:
    """The rows of the index of all fibers that one shot adds."""
    plan, stored = observation.plan, observation.fiber_rows
    rows = layout.FIBER_INDEX.rows(stored.size)
    for name in rows.dtype.names or ():
        if name in (stored.dtype.names or ()):
            rows[name] = stored[name]
    rows["shotid"], rows["date"], rows["datevobs"] = plan.shotid, plan.date, layout.datevobs(plan.shotid)
    rows["healpix"] = ring_pixel(observation.fibers.ra, observation.fibers.dec)
    return rows


def write_survey(tree: layout.ReleaseTree, plans: Sequence[ShotPlan], index: np.ndarray) -> None:
    """The survey file and the index of all fibers (see `fiber_index_rows`)."""
    tree.survey_file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(tree.survey_file, "w") as file:
        write_layout(file, "/Survey", layout.SURVEY, np.concatenate([shot_row(plan) for plan in plans]))
    with h5py.File(tree.fiber_index_file, "w") as file:
        write_layout(file, "/FiberIndex", layout.FIBER_INDEX, index)
        for column in ("healpix", "ra", "shotid"):
            write_index(file, "/FiberIndex", column)


def write_detections(tree: layout.ReleaseTree, detections: np.ndarray, fibers: np.ndarray, spectra: np.ndarray) -> None:
    """The detection file and its index file."""
    tree.detect_file.parent.mkdir(parents=True, exist_ok=True)
    chunks = layout.CHUNK_ROWS
    with h5py.File(tree.detect_file, "w") as file:
        write_layout(file, "/Detections", layout.DETECTIONS, detections, chunk_rows=chunks["detect/Detections"])
        write_layout(file, "/Fibers", layout.DETECTION_FIBERS, fibers, chunk_rows=chunks["detect/Fibers"])
        write_layout(file, "/Spectra", layout.DETECTION_SPECTRA, spectra, chunk_rows=chunks["detect/Spectra"])
        for table, column in (
            ("/Detections", "detectid"),
            ("/Detections", "shotid"),
            ("/Fibers", "detectid"),
            ("/Spectra", "detectid"),
        ):
            write_index(file, table, column)
    rows = layout.DETECT_INDEX.rows(detections.size)
    for name in ("detectid", "shotid", "ra", "dec", "wave", "sn", "fiber_id"):
        rows[name] = detections[name]
    rows["det_type"], rows["survey"] = "line", tree.name
    rows["healpix"] = ring_pixel(detections["ra"], detections["dec"])
    with h5py.File(tree.detect_index_file, "w") as file:
        write_layout(file, "/DetectIndex", layout.DETECT_INDEX, rows)
        for column in ("detectid", "healpix", "ra", "shotid"):
            write_index(file, "/DetectIndex", column)
