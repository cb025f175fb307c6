"""The catalogs interface of the ELiXer user guide, over the same surveys that `measure` uses.

from elixer_widgets import catalogs
library = catalogs.CatalogLibrary(path="/data/hdr2.1")
cutouts = library.get_cutouts(position, side=9 * u.arcsec, aperture=1.5)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D

from elixer_widgets.detection import CatalogObject, Cutout, DataError
from elixer_widgets.imaging.apertures import Growth, grow_aperture, measure_aperture
from elixer_widgets.imaging.counterparts import BAND_ORDER, separation
from elixer_widgets.imaging.sources import SourceEllipse, find_sources
from elixer_widgets.imaging.surveys import Library, Survey, open_library

NO_MAGNITUDE = 99.9  # what the published interface says where nothing was measured
DEFAULT_RELEASE = "hdr5"
FOLDER_VARIABLE = "ELIXER_WIDGETS_IMAGING"

# Where HETDEX keeps its releases, in the order in which its own tools look.
_ROOTS = (
    "/scratch/projects/hetdex",
    "/corral-repl/utexas/Hobby-Eberly-Telesco",
    "/home/jovyan/Hobby-Eberly-Telesco",
    "/home/idies/workspace/HETDEX",
    "/mnt/hetdex_release",
)

# AB magnitude 0 in µJy (Oke & Gunn 1983, ApJ 266, 713).
_AB_MICROJANSKY = 3631e6

_DEFAULT_RADIUS = 3.0 * u.arcsec


def _folder(path: str | os.PathLike[str] | None, hdr_version: str) -> Path:
    """The folder to open: the one given, the one in the environment, or the first HETDEX root that has the release."""
    if path is not None:
        return Path(path)
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    for root in (*_ROOTS, "."):
        folder = Path(root) / hdr_version
        if (folder / "imaging").is_dir() or (folder.is_dir() and (folder.parent / "imaging").is_dir()):
            return folder
    raise DataError(
        f"no imaging of release {hdr_version!r} found; give CatalogLibrary(path=...) or set {FOLDER_VARIABLE}"
    )


def _position(position: SkyCoord | tuple[float, float]) -> tuple[float, float]:
    """Degrees of a SkyCoord or of (ra, dec)."""
    if isinstance(position, SkyCoord):
        if not position.isscalar:
            raise DataError(f"position: {position.size} positions given; give one SkyCoord at a time")
        return float(position.icrs.ra.deg), float(position.icrs.dec.deg)
    try:
        ra, dec = (float(value) for value in position)
    except (TypeError, ValueError) as error:
        raise DataError(f"position: {position!r:.60} is no position; give a SkyCoord or (ra, dec)") from error
    return ra, dec


def _arcsec(size: float | u.Quantity, name: str) -> float:
    """A size in arcsec: a quantity, or by the published rule a number of arcsec if above 0.5, else of degrees."""
    if isinstance(size, u.Quantity):
        value = float(size.to_value(u.arcsec))
    else:
        value = float(size) if size > 0.5 else float(size) * 3600.0
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"{name}: {size!r} is no size; give a positive angle, for example 9 * u.arcsec")
    return value


class CatalogLibrary:
    """Imaging and photometric catalogues around a position.

    Parameters
    ----------
    hdr_version : str, optional
        Release to look for, "hdr5" by default.
    path : path, optional
        Folder of the release or of its imaging; without it the environment variable ELIXER_WIDGETS_IMAGING and then
        the HETDEX roots are tried.

    Raises
    ------
    DataError
        If there is no such folder.
    """

    def __init__(self, hdr_version: str | None = None, *, path: str | os.PathLike[str] | None = None) -> None:
        self.hdr_version = hdr_version or DEFAULT_RELEASE
        self.library: Library = open_library(_folder(path, self.hdr_version))

    def get_hdr_version(self) -> str:
        """The release that was asked for."""
        return self.hdr_version

    def build_catalog_list(self) -> None:
        """Look at all images on disk now instead of at the first use."""
        for survey in self.library.surveys:
            self.library.footprints(survey)

    def get_full_catalog_list(self) -> list[Survey]:
        """Every survey known, on disk or not."""
        return list(self.library.surveys)

    def find_catalogs(self, position: SkyCoord | tuple[float, float], verify: bool = False) -> list[Survey]:
        """Surveys that cover a position; with `verify` only those with a usable image there."""
        covering = list(self.library.covering(*_position(position)))
        return [s for s in covering if self.verify_cutouts(position, s)] if verify else covering

    def verify_cutouts(self, position: SkyCoord | tuple[float, float], catalog: Survey | str) -> bool:
        """Whether a survey has a usable image at a position."""
        ra, dec = _position(position)
        (survey,) = self._chosen([catalog])
        return bool(self.library.cutouts(survey, ra, dec, 9.0, []))

    def get_filters(
        self,
        position: SkyCoord | tuple[float, float] | None = None,
        catalogs: Sequence[Survey | str] | None = None,
    ) -> dict[str, list[str]]:
        """Survey name to its filters: all that the survey has, or those on disk at a position."""
        if position is None:
            return {survey.name: list(survey.bands) for survey in self._chosen(catalogs)}
        ra, dec = _position(position)
        found = {}
        for survey in self._chosen(catalogs):
            here = self.library.bands(survey, ra, dec)
            if here:
                found[survey.name] = list(here)
        return found

    def get_cutouts(
        self,
        position: SkyCoord | tuple[float, float],
        radius: float | u.Quantity | None = None,
        side: float | u.Quantity | None = None,
        catalogs: Sequence[Survey | str] | None = None,
        aperture: float | u.Quantity | None = None,
        dynamic: bool = False,
        nudge: float | None = None,
        filter: str | Sequence[str] | None = None,
        first: bool = False,
        allow_web: bool = False,
        allow_bad_image: bool = True,
    ) -> list[dict[str, Any]]:
        """Image cutouts around a position, measured if an aperture is asked for.

        Parameters
        ----------
        position : SkyCoord or (ra, dec)
        radius, side : float or Quantity, optional
            Half the side of the cutout, or the side (which wins). Numbers above 0.5 are arcsec, others degrees, as
            published; quantities say what they mean. A radius of 3" by default.
        catalogs : sequence, optional
            Surveys or their names; all by default.
        aperture : float or Quantity, optional
            Radius of a circular aperture, arcsec. None measures only if `dynamic`.
        dynamic : bool
            Grow the aperture, beginning at `aperture` or the survey's own first radius.
        nudge : float, optional
            arcsec; centre the aperture on the brightest source whose barycentre lies within this distance.
        filter : str or sequence of str, optional
            Filters wanted, in order of preference.
        first : bool
            Only the first cutout that answers, of the preferred filter.
        allow_web : bool
            Ask the web for the bands that a survey has there and not on disk. Without it nothing is asked, unless
            the library was opened with images from the web.
        allow_bad_image : bool
            Keep cutouts with parts missing.

        Returns
        -------
        list of dict
            Keys cutout (astropy Cutout2D), image (the same as our Cutout), hdu, path, filter, instrument, mag (99.9 if
            not measured; the 2σ limit is in details["mag_limit_2sigma"]), aperture (arcsec), ap_center (zero-based
            pixels), mag_limit (survey depth), details (None without an aperture).
        """
        ra, dec = _position(position)
        size = 2.0 * _arcsec(_DEFAULT_RADIUS if radius is None else radius, "radius")
        if side is not None:
            size = _arcsec(side, "side")
        start = None if aperture is None else float(u.Quantity(aperture, u.arcsec).value)
        wanted = [filter] if isinstance(filter, str) else None if filter is None else list(filter)
        found: list[dict[str, Any]] = []
        for survey in self._chosen(catalogs):
            for small, wide in self._pairs(survey, ra, dec, size, allow_web or self.library.web):
                if (wanted is not None and small.band not in wanted) or (small.note and not allow_bad_image):
                    continue
                found.append(_entry(small, wide, (ra, dec), start, dynamic, nudge))
        if wanted is not None:
            found.sort(key=lambda entry: wanted.index(entry["filter"]))
        return found[:1] if first else found

    def _pairs(self, survey: Survey, ra: float, dec: float, size: float, web: bool) -> list[tuple[Cutout, Cutout]]:
        """Each cutout as asked for, with one wide enough to measure the sky around a source."""
        small = self.library.cutouts(survey, ra, dec, size, [], web=web)
        wide = small if size >= 30.0 else self.library.cutouts(survey, ra, dec, 30.0, [], web=web)
        bands = {cutout.band: cutout for cutout in wide}
        return [(cutout, bands.get(cutout.band, cutout)) for cutout in small]

    def get_catalog_objects(
        self,
        position: SkyCoord | tuple[float, float],
        radius: float | u.Quantity,
        catalogs: Sequence[Survey | str] | None = None,
    ) -> list[dict[str, Any]]:
        """Catalogue objects around a position, one entry a survey that has any.

        Parameters
        ----------
        position : SkyCoord or (ra, dec)
        radius : float or Quantity
            Numbers above 0.5 are arcsec, others degrees.
        catalogs : sequence, optional

        Returns
        -------
        list of dict
            Keys count, name, dataframe (RA, DEC in degrees, distance in arcsec, nearest first; magnitudes, redshifts
            and shapes beside them), get_filter_flux (from a row of it to flux, error in µJy, mag, bright, faint,
            filter).
        """
        ra, dec = _position(position)
        reach = _arcsec(radius, "radius")
        chosen = {survey.name for survey in self._chosen(catalogs)}
        by_name: dict[str, list[CatalogObject]] = {}
        for target in self.library.imaging(ra, dec, size=1.0, radius=reach).objects:
            if target.catalog in chosen:
                by_name.setdefault(target.catalog, []).append(target)
        return [
            {
                "count": len(objects),
                "name": name,
                "dataframe": _dataframe(objects, ra, dec),
                "get_filter_flux": get_filter_flux,
            }
            for name, objects in by_name.items()
        ]

    def _chosen(self, catalogs: Sequence[Survey | str] | None) -> list[Survey]:
        """Surveys by name or as they are; all if none are named."""
        if catalogs is None:
            return list(self.library.surveys)
        known = {survey.name: survey for survey in self.library.surveys}
        chosen = []
        for one in [catalogs] if isinstance(catalogs, str | Survey) else catalogs:
            name = one if isinstance(one, str) else one.name
            if name not in known:
                raise DataError(f"catalogs: no survey {name!r}; choose from {', '.join(known)}")
            chosen.append(known[name])
        return chosen


def _entry(
    small: Cutout,
    wide: Cutout,
    position: tuple[float, float],
    aperture: float | None,
    dynamic: bool,
    nudge: float | None,
) -> dict[str, Any]:
    """One cutout as the published dictionary."""
    ny, nx = small.data.shape
    entry: dict[str, Any] = {
        "cutout": Cutout2D(small.data, ((nx - 1) / 2, (ny - 1) / 2), (ny, nx), wcs=small.wcs),
        "image": small,
        "hdu": fits.PrimaryHDU(small.data, header=small.wcs.to_header(relax=True)),
        "path": small.path,
        "filter": small.band,
        "instrument": small.survey,
        "mag": NO_MAGNITUDE,
        "aperture": None,
        "ap_center": None,
        "mag_limit": small.depth,
        "details": None,
    }
    if aperture is None and not dynamic:
        return entry
    sources = find_sources(wide)
    ra, dec = position
    near = [s for s in sources if nudge and s.separation <= nudge and np.isfinite(s.mag)]
    if near:
        brightest = min(near, key=lambda s: s.mag)
        ra, dec = brightest.ra, brightest.dec
    if dynamic:
        growth = grow_aperture(wide, ra, dec, start=aperture)
    else:
        growth = measure_aperture(wide, ra, dec, float(aperture or 0.0))
    # The published interface gives the light in the circle; that of the whole source stands beside it.
    entry["mag"] = growth.aperture_mag if np.isfinite(growth.aperture_mag) else NO_MAGNITUDE
    entry["aperture"] = growth.radius
    entry["ap_center"] = small.pixel(ra, dec)
    entry["details"] = _details(wide, growth, sources)
    return entry


def _details(cutout: Cutout, growth: Growth, sources: list[SourceEllipse]) -> dict[str, Any]:
    """The measurement with the published names; magnitudes 99.9 where there is none."""
    mag = growth.aperture_mag if np.isfinite(growth.aperture_mag) else NO_MAGNITUDE
    bright, faint = _bounds(growth.counts, growth.counts_err, cutout.zero_point)
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
            {
                "idx": i,
                "ra": growth.ra,
                "dec": growth.dec,
                "radius": step.radius,
                "area_pix": step.area,
                "aperture_counts": step.counts,
                "sky_average": growth.sky,
                "sky_counts": growth.sky * step.area,
                "sky_err": growth.sky_err,
                "mag": step.mag if np.isfinite(step.mag) else NO_MAGNITUDE,
                "mag_err": step.mag_err,
                "selected": i in chosen,
            }
            for i, step in enumerate(growth.steps)
        ],
        "sep_objects": [
            {
                "idx": i,
                "x": cutout.pixel(s.ra, s.dec)[0],
                "y": cutout.pixel(s.ra, s.dec)[1],
                "ra": s.ra,
                "dec": s.dec,
                # Diameters, as published.
                "a": 2.0 * s.major,
                "b": 2.0 * s.minor,
                "theta": s.position_angle,
                "dist_baryctr": s.separation,
                "dist_curve": s.edge_distance,
                "flux_cts": s.counts,
                "flux_cts_err": s.counts_err,
                "flags": s.flags,
                "mag": s.mag if np.isfinite(s.mag) else NO_MAGNITUDE,
                "mag_err": s.mag_err,
                "selected": s.selected,
            }
            for i, s in enumerate(sources)
        ],
    }


def _bounds(counts: float, error: float, zero_point: float) -> tuple[float, float]:
    """Magnitudes of counts plus and minus their error; 99.9 where the counts are not positive."""
    values = [counts + error, counts - error]
    bright, faint = (zero_point - 2.5 * np.log10(v) if v > 0 else NO_MAGNITUDE for v in values)
    return float(bright), float(faint)


def _dataframe(objects: Sequence[CatalogObject], ra: float, dec: float) -> pd.DataFrame:
    """One row an object, nearest first."""
    rows: list[dict[str, Any]] = []
    for target in objects:
        row: dict[str, Any] = {
            "ID": target.identifier,
            "RA": target.ra,
            "DEC": target.dec,
            "distance": separation(ra, dec, target.ra, target.dec),
            "spec_z": target.spec_z,
            "photo_z": target.photo_z,
            "photo_z_low": target.photo_z_low,
            "photo_z_high": target.photo_z_high,
            "major": target.major,
            "minor": target.minor,
            "position_angle": target.position_angle,
        }
        for magnitude in target.magnitudes:
            row[f"mag_{magnitude.band}"] = magnitude.value
            row[f"mag_err_{magnitude.band}"] = magnitude.error
            row[f"limit_{magnitude.band}"] = magnitude.is_limit
        rows.append(row)
    return pd.DataFrame(rows).sort_values("distance", ignore_index=True)


def get_filter_flux(row: pd.DataFrame | pd.Series) -> tuple[float, float, float, float, float, str]:
    """Flux and its error (µJy), magnitude, bright and faint magnitude, and filter of one row, g before r.

    The filter is empty and the numbers NaN if the object has no measured magnitude.
    """
    one = row.iloc[0] if isinstance(row, pd.DataFrame) else row
    for band in BAND_ORDER:
        mag = float(one.get(f"mag_{band}", np.nan))
        if not np.isfinite(mag) or bool(one.get(f"limit_{band}", False)):
            continue
        flux = _AB_MICROJANSKY * 10.0 ** (-0.4 * mag)
        error = float(one.get(f"mag_err_{band}", np.nan)) * flux * np.log(10.0) / 2.5
        bright, faint = (
            _bounds(flux, error, 2.5 * float(np.log10(_AB_MICROJANSKY))) if np.isfinite(error) else (mag, mag)
        )
        return flux, error, mag, bright, faint, band
    nothing = float("nan")
    return nothing, nothing, nothing, nothing, nothing, ""
