"""The observed things that come from images and catalogues. Public through `elixer_widgets.detection`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from astropy.wcs import WCS, NoConvergence
from astropy.wcs.utils import proj_plane_pixel_scales

from elixer_widgets._errors import NAN, DataError
from elixer_widgets._headers import require_sky
from elixer_widgets._pixels import image_of, number_of
from elixer_widgets._sections import find_plane, read_section


def magnitude_decimals(error: float) -> int:
    """How many decimals a magnitude is written with: two, or three where the error would read 0.00."""
    return 3 if error < 0.005 else 2


@dataclass(frozen=True)
class Magnitude:
    """An AB magnitude; with `is_limit` the source is fainter than `value` (`limit_sigma` says at how many σ)."""

    band: str
    value: float
    error: float = NAN
    is_limit: bool = False
    limit_sigma: float = NAN
    source: str = ""

    def __str__(self) -> str:
        if not np.isfinite(self.value):
            return f"{self.band} not measured"
        if self.is_limit:
            sigma = f" ({self.limit_sigma:g}σ)" if np.isfinite(self.limit_sigma) else ""
            return f"{self.band} > {self.value:.2f}{sigma}"
        digits = magnitude_decimals(self.error)
        error = f" ± {self.error:.{digits}f}" if np.isfinite(self.error) else ""
        return f"{self.band} {self.value:.{digits}f}{error}"


# Magnitudes outside are the codes that catalogues use for "not measured" (99, -99, -999, 0, 1e20 ...).
FAINTEST, BRIGHTEST = 40.0, 5.0


def is_magnitude(value: float) -> bool:
    """Whether a number can be the magnitude of something on the sky, and not a mark for a missing one."""
    return bool(BRIGHTEST < value < FAINTEST)


def _bare(value: Any) -> float:
    """A number as a float; NaN where it is masked."""
    if np.ma.is_masked(value):
        return NAN
    return float(getattr(value, "value", value))


def parse_magnitude(band: str, value: float | tuple[float, float] | str) -> Magnitude:
    """A Magnitude from what a caller may write: 24.1, (24.1, 0.2) or ">26.1".

    What catalogues write for a missing magnitude (99, -99, 0, 1e20, NaN, masked) becomes NaN, and an error that is not
    above 0 or itself such a mark as well.
    """
    try:
        if isinstance(value, str):
            limit = value.strip().startswith(">")
            number, error = float(value.strip().lstrip("> ")), NAN
        elif isinstance(value, tuple | list):
            limit, number, error = False, _bare(value[0]), _bare(value[1])
        else:
            limit, number, error = False, _bare(value), NAN
        number = number if is_magnitude(number) else NAN
        error = error if 0 < error < BRIGHTEST and np.isfinite(number) else NAN
        return Magnitude(band, number, error, is_limit=limit, source="given")
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"magnitudes: {band}={value!r} is not a magnitude; give 24.1, (24.1, 0.2) or '>26.1'"
        ) from error


@dataclass(frozen=True, eq=False)
class Cutout:
    """A piece of one image, in its native pixels.

    Parameters
    ----------
    data : array, shape (ny, nx)
        Counts, float32; NaN where the image has no data. Masked and infinite pixels become NaN; a Quantity in a flux
        density (Jy, nanomaggies) is converted to counts of `zero_point`.
    wcs : astropy.wcs.WCS
        Celestial WCS of `data`, in RA and Dec of ICRS or J2000.
    band : str
        Filter, for example "g".
    zero_point : float
        AB magnitude of one count.
    survey : str
    position : tuple of float
        (ra, dec) in degrees that was asked for.
    depth : float
        Nominal 5σ point-source depth (AB), NaN if not known.
    psf_fwhm : float
        arcsec, NaN if not known.
    start_radius : float
        First radius of the growing aperture, arcsec; NaN lets the measurement choose.
    error : array, shape (ny, nx), optional
        Standard deviation of a pixel in counts. Zero, negative, infinite or masked means that it is not known (NaN, and
        the pixel is not used); where no pixel has an error there is none (None), and the noise is that of the sky.
    note : str
        What is wrong with it, in words ("partly outside the image", "blank"); empty if nothing.

    Raises
    ------
    DataError
        If `data` is no image of numbers, `error` has another shape, a unit cannot be converted, or `wcs` does not give
        RA and Dec.
    """

    data: np.ndarray
    wcs: WCS
    band: str
    zero_point: float
    survey: str = ""
    position: tuple[float, float] = (NAN, NAN)
    depth: float = NAN
    psf_fwhm: float = NAN
    start_radius: float = NAN
    error: np.ndarray | None = None
    exposure_time: float = NAN
    path: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        zero_point = number_of(self.zero_point, "Cutout.zero_point")
        data = image_of(self.data, "Cutout.data", zero_point)
        object.__setattr__(self, "zero_point", zero_point)
        object.__setattr__(self, "data", data)
        if self.error is not None:
            error = image_of(self.error, "Cutout.error", zero_point)
            if error.shape != data.shape:
                raise DataError(f"Cutout.error has shape {error.shape}, data {data.shape}; give one error a pixel")
            known = error > 0
            error = error if known.all() else np.where(known, error, np.nan).astype(error.dtype)
            object.__setattr__(self, "error", error if known.any() else None)
        if not isinstance(self.wcs, WCS):
            raise DataError(f"Cutout.wcs: {self.wcs!r:.40} is not a WCS; give astropy.wcs.WCS of the image")
        try:
            require_sky(self.wcs)
        except DataError as fault:
            raise DataError(f"Cutout.wcs: {fault}") from fault

    @cached_property
    def pixel_scale(self) -> float:
        """arcsec per pixel (geometric mean of the two axes)."""
        return float(np.sqrt(np.prod(proj_plane_pixel_scales(self._celestial))) * 3600.0)

    @property
    def _celestial(self) -> WCS:
        """The celestial part of the WCS; the WCS itself where that is all there is, for a copy takes long."""
        return self.wcs if self.wcs.naxis == 2 else self.wcs.celestial

    @property
    def usable(self) -> bool:
        """Whether any pixel carries data."""
        finite = self.data[np.isfinite(self.data)]
        return bool(finite.size > 0 and np.ptp(finite) > 0)

    @cached_property
    def kept(self) -> dict[str, Any]:
        """A few numbers about the whole cutout that measurements found out and need again."""
        return {}

    def pixel(self, ra: float, dec: float) -> tuple[float, float]:
        """Zero-based (x, y) of a position in degrees; NaN where the projection does not reach."""
        try:
            x, y = self._celestial.world_to_pixel_values(ra, dec)
        except NoConvergence:  # far outside, a distortion has no inverse
            return NAN, NAN
        return float(x), float(y)

    def sky(self, x: float, y: float) -> tuple[float, float]:
        """(ra, dec) in degrees of a zero-based pixel position."""
        ra, dec = self._celestial.pixel_to_world_values(x, y)
        return float(ra) % 360.0, float(dec)

    @classmethod
    def from_fits(
        cls,
        path: str | PathLike[str],
        band: str,
        zero_point: float,
        position: tuple[float, float],
        size: float = 9.0,
        *,
        hdu: int | str | None = None,
        survey: str = "",
        depth: float = NAN,
        psf_fwhm: float = NAN,
        start_radius: float = NAN,
    ) -> Cutout:
        """Read a square of `size` arcsec around `position` (ra, dec in degrees) out of a FITS image.

        Only the section asked for is read (memory-mapped or tile by tile). What lies outside the image is NaN, and
        `note` says so.

        Raises
        ------
        DataError
            If the file cannot be read, has no image with a celestial WCS, or does not cover the position.
        """
        plane = find_plane(path, hdu)
        data, wcs, note = read_section(plane, position, size)
        exposure = plane.keywords.get("EXPTIME", NAN)
        return cls(
            data=data,
            wcs=wcs,
            band=band,
            zero_point=float(zero_point),
            survey=survey,
            position=(float(position[0]), float(position[1])),
            depth=depth,
            psf_fwhm=psf_fwhm,
            start_radius=start_radius,
            exposure_time=float(exposure) if isinstance(exposure, int | float) else NAN,
            path=plane.path,
            note=note,
        )


@dataclass(frozen=True, eq=False)
class CatalogObject:
    """One row of a photometric catalogue, its magnitudes taken at face value.

    `major`, `minor` are semi-axes in arcsec and `position_angle` degrees east of north (NaN: point-like or unknown);
    `photo_z_pdf` is (z, probability density), two arrays of one length.
    """

    ra: float
    dec: float
    catalog: str
    identifier: str = ""
    magnitudes: tuple[Magnitude, ...] = ()
    spec_z: float = NAN
    photo_z: float = NAN
    photo_z_low: float = NAN
    photo_z_high: float = NAN
    photo_z_pdf: tuple[np.ndarray, np.ndarray] | None = None
    major: float = NAN
    minor: float = NAN
    position_angle: float = NAN

    def magnitude(self, *bands: str) -> Magnitude | None:
        """The first of `bands` that this object has, or None."""
        for band in bands:
            for magnitude in self.magnitudes:
                if magnitude.band == band and np.isfinite(magnitude.value):
                    return magnitude
        return None


@dataclass(frozen=True, eq=False)
class Imaging:
    """The images and catalogue rows around a position; `notes` says what is missing and why.

    `surface_density` maps a catalogue's name to its (magnitude, objects brighter per square arcsec), both arrays, from
    which the probability of a chance match is reckoned.
    """

    cutouts: tuple[Cutout, ...] = ()
    objects: tuple[CatalogObject, ...] = ()
    notes: tuple[str, ...] = ()
    surface_density: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
