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

from elixer_widgets._arguments import path as given_path
from elixer_widgets._catalog_details import bounds, details, on
from elixer_widgets._files import named_path
from elixer_widgets.detection import CatalogObject, Cutout, DataError
from elixer_widgets.imaging.apertures import grow_aperture, measure_aperture
from elixer_widgets.imaging.counterparts import BAND_ORDER, separation
from elixer_widgets.imaging.fixed_aperture import NO_MAGNITUDE
from elixer_widgets.imaging.sources import find_sources
from elixer_widgets.imaging.surveys import Library, Survey, open_library

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

_WIDE = 30.0  # arcsec a side, of the cutout that apertures and their sky are measured on


def _folder(path: str | os.PathLike[str] | None, hdr_version: str) -> Path:
    """The folder to open: the one given, the one in the environment, or the first HETDEX root that has the release."""
    if path is not None:
        return given_path(path, "CatalogLibrary: path")
    if named := os.environ.get(FOLDER_VARIABLE):
        return named_path(named, FOLDER_VARIABLE)
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
    if not (np.isfinite(ra) and abs(dec) <= 90):
        raise DataError(f"position: ({ra}, {dec}) is not a position in degrees; give a SkyCoord or (ra, dec)")
    return ra, dec


def _angle(size: object, name: str) -> tuple[float, bool]:
    """An angle's arcsec and True, or a bare number and False."""
    try:
        if isinstance(size, u.Quantity):
            return float(size.to_value(u.arcsec)), True
        return float(size), False  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:  # astropy's errors of units are such
        raise DataError(f"{name}: {size!r:.60} is no angle; give a number or a quantity, as 1.5 * u.arcsec") from error


def _radius(size: float | u.Quantity | None, name: str) -> float | None:
    """A radius in arcsec: a quantity or a number of arcsec; None where none is given."""
    if size is None:
        return None
    value, _ = _angle(size, name)
    if not (np.isfinite(value) and value > 0):
        raise DataError(f"{name}: {size!r} is no radius; give a positive number of arcsec")
    return value


def _filters(names: object) -> list[str] | None:
    """Names of filters as a list; None if none are named."""
    wanted = [names] if isinstance(names, str) else names
    if wanted is None:
        return None
    if not (isinstance(wanted, Sequence) and all(isinstance(name, str) for name in wanted)):
        raise DataError(f"filter: {names!r:.60} names no filters; give 'g', or ['g', 'r'] in order of preference")
    return list(wanted)


def _arcsec(size: float | u.Quantity, name: str) -> float:
    """A size in arcsec: a quantity, or by the published rule a number of arcsec if above 0.5, else of degrees."""
    value, has_unit = _angle(size, name)
    if not has_unit and not value > 0.5:
        value *= 3600.0
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
    surveys : path, optional
        A TOML file of the user's own surveys (docs/surveys.md).

    Raises
    ------
    DataError
        If there is no such folder.
    """

    def __init__(
        self,
        hdr_version: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        surveys: str | os.PathLike[str] | None = None,
    ) -> None:
        self.hdr_version = hdr_version or DEFAULT_RELEASE
        self.library: Library = open_library(_folder(path, self.hdr_version), surveys=surveys)

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

    def get_catch_all(self) -> list[Survey]:
        """The surveys on the web, which stand in where no image on disk covers a position."""
        return [survey for survey in self.library.surveys if survey.web is not None]

    def get_sdss(self) -> Survey:
        """SDSS, from the web."""
        return self._chosen(["SDSS"])[0]

    def get_panstarrs(self) -> Survey:
        """Pan-STARRS, from the web."""
        return self._chosen(["Pan-STARRS"])[0]

    def get_decals_web(self) -> Survey:
        """The DESI Legacy Imaging Surveys, on disk or from the web."""
        return self._chosen(["DECaLS"])[0]

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
        nudge: float | u.Quantity | None = None,
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
        nudge : float or Quantity, optional
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

        Raises
        ------
        DataError
            If a position, a size, an aperture, a filter or a survey is not one; it says what to give.
        """
        ra, dec = _position(position)
        size = 2.0 * _arcsec(_DEFAULT_RADIUS if radius is None else radius, "radius")
        if side is not None:
            size = _arcsec(side, "side")
        if isinstance(aperture, str):
            raise DataError(f"aperture: {aperture!r} is no radius; give arcsec, or dynamic=True for one that grows")
        start = _radius(aperture, "aperture")
        reach = None if nudge is None or nudge == 0 else _radius(nudge, "nudge")
        wanted = _filters(filter)
        found: list[dict[str, Any]] = []
        for survey in self._chosen(catalogs):
            for small, wide in self._pairs(survey, ra, dec, size, wanted, allow_web or self.library.web):
                if allow_bad_image or not small.note:
                    found.append(_entry(small, wide, (ra, dec), start, dynamic, reach))
        if wanted is not None:
            found.sort(key=lambda entry: wanted.index(entry["filter"]))
        return found[:1] if first else found

    def _pairs(
        self, survey: Survey, ra: float, dec: float, size: float, bands: Sequence[str] | None, web: bool
    ) -> list[tuple[Cutout, Cutout]]:
        """Each cutout as asked for, with one wide enough to measure the sky around a source."""
        small = self.library.cutouts(survey, ra, dec, size, [], bands=bands, web=web)
        if size >= _WIDE or not small:
            return [(cutout, cutout) for cutout in small]
        wide = {c.band: c for c in self.library.cutouts(survey, ra, dec, _WIDE, [], bands=bands, web=web)}
        return [(cutout, wide.get(cutout.band, cutout)) for cutout in small]

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
            # A wide galaxy is listed with an image wherever its centre lies; here the radius is meant as it is said.
            if target.catalog in chosen and separation(ra, dec, target.ra, target.dec) <= reach:
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
    entry["details"] = details(wide, growth, [s for s in sources if on(small, s)])
    return entry


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
            bounds(flux, error, 2.5 * float(np.log10(_AB_MICROJANSKY))) if np.isfinite(error) else (mag, mag)
        )
        return flux, error, mag, bright, faint, band
    nothing = float("nan")
    return nothing, nothing, nothing, nothing, nothing, ""
