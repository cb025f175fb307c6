"""Reading a small section out of a large FITS image: what `Cutout.from_fits` and the survey library share."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, NoConvergence, Sip

from elixer_widgets._errors import DataError
from elixer_widgets._fits_files import MOST_HDUS, open_fits_file, require_tiles
from elixer_widgets._headers import celestial_wcs, pixel_scale
from elixer_widgets._packed import is_packed, require_file, unpacked

# Pixels of a compressed tile, which is unpacked whole, and of an image that can only be read whole; some 16 bytes each.
_LARGEST_WHOLE = 50_000_000

# A cutout has no more pixels a side: 30" of the finest camera are 2,000.
_LARGEST_SIDE = 6_000

# What is kept of a header: exposure and the zero points of the surveys. Some headers have ten thousand cards.
KEYWORDS = (
    *("EXPTIME", "FILTER", "BUNIT", "SEEING"),
    *("FLUXMAG0", "MZP_AB", "PHOTZP", "MAGZERO", "MAGZPT"),
    *("PHOTFLAM", "PHOTPLAM", "PHOTZPT", "PHOTMJSR", "PIXAR_SR"),
    *("BOFFSET", "BSOFTEN"),
)

# A block of exact zeros this large (fraction of the cutout) in a floating-point image is padding, not sky.
_PADDING_FRACTION = 0.01


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """Where one image lies in one file: known from headers alone.

    `shape` is (ny, nx); `degenerate` the number of leading axes of length 1; `swapped` whether the file has Dec along
    the rows, so that pixels are transposed when they are read; `keywords` the header's values of `KEYWORDS`; `raw` the
    type of the pixels and the byte where they begin, for an image that is neither compressed nor scaled; `note` what of
    the header was not taken as it stands.
    """

    path: str
    hdu: int
    shape: tuple[int, int]
    wcs: WCS
    pixel_scale: float
    floating: bool = True
    degenerate: int = 0
    swapped: bool = False
    note: str = ""
    keywords: dict[str, float | str] = field(default_factory=dict)
    raw: tuple[str, int] | None = None

    def pixel(self, ra: float, dec: float) -> tuple[float, float]:
        """Zero-based (x, y) of a position; NaN where the projection does not reach."""
        try:
            x, y = self.wcs.world_to_pixel_values(ra, dec)
        except NoConvergence:  # far outside, a distortion has no inverse
            return np.nan, np.nan
        return float(x), float(y)

    def margin(self, ra: float, dec: float) -> float:
        """Distance in arcsec from a position to the nearest edge of the image, negative outside."""
        if np.cos(np.radians(self._separation(ra, dec))) < 0:  # a TAN projection also maps the far hemisphere
            return -np.inf
        x, y = self.pixel(ra, dec)
        if not (np.isfinite(x) and np.isfinite(y)):
            return -np.inf
        ny, nx = self.shape
        return float(min(x + 0.5, nx - 0.5 - x, y + 0.5, ny - 0.5 - y)) * self.pixel_scale

    def _separation(self, ra: float, dec: float) -> float:
        """Degrees from the WCS reference position."""
        ra0, dec0 = np.radians(self.wcs.wcs.crval)
        a, d = np.radians(ra), np.radians(dec)
        cosine = np.sin(d) * np.sin(dec0) + np.cos(d) * np.cos(dec0) * np.cos(a - ra0)
        return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _plane(
    path: str,
    index: int,
    hdu: fits.ImageHDU | fits.PrimaryHDU | fits.CompImageHDU,
    primary: fits.Header,
) -> ImagePlane | str:
    """The plane of one HDU, or why it holds no two-dimensional image with a celestial WCS; "" if it is no image.

    Keywords of the primary header stand in for those that the image's own header lacks.
    """
    if not getattr(hdu, "is_image", False) or not hdu.shape:
        return ""
    shape = tuple(hdu.shape)
    if len(shape) < 2 or any(length != 1 for length in shape[:-2]) or min(shape[-2:]) < 1:
        return f"its shape is {shape}, not that of one image"
    header = hdu.header
    try:
        wcs, swapped, note = celestial_wcs(header)
    except DataError as error:
        return str(error)
    ny, nx = (int(length) for length in (shape[:-3:-1] if swapped else shape[-2:]))
    return ImagePlane(
        path=path,
        hdu=index,
        shape=(ny, nx),
        wcs=wcs,
        pixel_scale=pixel_scale(wcs),
        floating=int(header.get("BITPIX", -32)) < 0 or "ZBITPIX" in header,
        degenerate=len(shape) - 2,
        swapped=swapped,
        note=note,
        keywords=_keywords(header, primary),
        raw=_raw(path, hdu),
    )


def _keywords(header: fits.Header, primary: fits.Header) -> dict[str, float | str]:
    found: dict[str, float | str] = {}
    for name in KEYWORDS:
        value = header.get(name, primary.get(name))
        if isinstance(value, str):
            found[name] = value
        elif isinstance(value, int | float) and abs(value) < 1e300:  # there are integers that no float can hold
            found[name] = float(value)
    return found


# FITS standard 4.0, table 8: BITPIX to pixel type, big-endian.
_PIXELS = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}


def _raw(path: str, hdu: fits.ImageHDU | fits.PrimaryHDU | fits.CompImageHDU) -> tuple[str, int] | None:
    """Pixel type and first byte of an image whose bytes are its pixels, else None.

    In a file that is compressed as a whole, the first byte is counted after unpacking.
    """
    header = hdu.header
    if isinstance(hdu, fits.CompImageHDU) or header.get("BITPIX") not in _PIXELS:
        return None
    if header.get("BSCALE", 1.0) != 1.0 or header.get("BZERO", 0.0) != 0.0 or "BLANK" in header:
        return None
    place = hdu.fileinfo()
    return (_PIXELS[header["BITPIX"]], int(place["datLoc"])) if place else None


def find_plane(path: str | os.PathLike[str], hdu: int | str | None = None) -> ImagePlane:
    """The image to read in a file, from its headers alone.

    Parameters
    ----------
    path : path
    hdu : int or str, optional
        Number or name of the HDU; the first two-dimensional image with a celestial WCS if not given.

    Raises
    ------
    DataError
        If the file cannot be read or has no such image.
    """
    name = require_file(path)
    try:
        return _find(name, hdu)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes the FITS library fail in any of its parts
        what = f"HDU {hdu!r}" if hdu is not None and isinstance(error, KeyError | IndexError) else "this"
        raise DataError(
            f"{name}: {what} cannot be read as a FITS image ({error!s:.80}); give an intact FITS image"
        ) from error


def _find(name: str, hdu: int | str | None) -> ImagePlane:
    reasons: list[str] = []
    with open_fits_file(name) as hdus:
        if hdu is not None:
            index = hdus.index_of(hdu)
            plane = _plane(name, index, hdus[index], hdus[0].header)
            if isinstance(plane, str):
                raise DataError(
                    f"{name}: HDU {hdu!r} holds no two-dimensional image with a celestial WCS"
                    f"{': ' if plane else ''}{plane}; name another HDU, or leave it out to take the first that does"
                )
            return plane
        for index, one in enumerate(hdus):
            if index >= MOST_HDUS:
                reasons.append(f"its first {MOST_HDUS} HDUs hold none")
                break
            plane = _plane(name, index, one, hdus[0].header)
            if isinstance(plane, ImagePlane):
                return plane
            if plane:
                reasons.append(f"HDU {index}: {plane}")
    more = f", and {len(reasons) - 2} more" if len(reasons) > 2 else ""
    why = f" ({'; '.join(reasons[:2])}{more})" if reasons else ""
    raise DataError(
        f"{name}: no two-dimensional image with a celestial WCS in it{why}; give an image with RA and Dec in its header"
    )


def read_section(plane: ImagePlane, position: tuple[float, float], size: float) -> tuple[np.ndarray, WCS, str]:
    """Read a square around a position, in native pixels.

    Parameters
    ----------
    plane : ImagePlane
    position : tuple of float
        (ra, dec) in degrees.
    size : float
        Side in arcsec.

    Returns
    -------
    data : array, shape (n, n)
        float32, NaN where there is no data.
    wcs : WCS
        Of `data`.
    note : str
        What is wrong with it; empty if nothing.

    Raises
    ------
    DataError
        If the position or size is not usable, lies outside the image, or the section cannot be read.
    """
    ra, dec = (float(value) for value in position)
    if not (np.isfinite(ra) and np.isfinite(dec) and abs(dec) <= 90):
        raise DataError(f"{plane.path}: ({ra}, {dec}) is not a position in degrees; give (ra, dec)")
    if not (np.isfinite(size) and size > 0):
        raise DataError(f"{plane.path}: a cutout of {size} arcsec cannot be made; give a positive size in arcsec")
    ny, nx = plane.shape
    if plane.margin(ra, dec) < 0:
        raise DataError(
            f"{plane.path}: the position ({ra:.6f}, {dec:.6f}) lies outside this image; choose an image that covers it"
        )
    x, y = plane.pixel(ra, dec)
    side = max(int(np.ceil(size / plane.pixel_scale - 1e-6)), 1)
    # An image far smaller than the request must not allocate the request.
    if side > _LARGEST_SIDE:
        raise DataError(f"{plane.path}: {size:g} arcsec are {side} pixels a side; ask for a smaller cutout")
    x0, y0 = (round(value - (side - 1) / 2) for value in (x, y))
    ya, yb, xa, xb = max(y0, 0), min(y0 + side, ny), max(x0, 0), min(x0 + side, nx)
    try:
        inside = _pixels(plane, slice(ya, yb), slice(xa, xb))
    except Exception as error:  # a damaged tile makes the FITS library fail in any of its parts
        raise DataError(
            f"{plane.path}: rows {ya} to {yb} cannot be read ({error!s:.80}); "
            "the file is cut short or broken, fetch it again"
        ) from error
    if inside.shape != (yb - ya, xb - xa):
        raise DataError(f"{plane.path}: the file ends before row {yb}; it is cut short, fetch it again")
    notes = [plane.note] if plane.note else []
    inside[~np.isfinite(inside)] = np.nan
    inside = _linear(inside, plane)
    if plane.floating:
        padding = _padding(inside)
        if padding.any():
            inside[padding] = np.nan
    if inside.shape == (side, side):
        data = inside
    else:
        data = np.full((side, side), np.nan, dtype=np.float32)
        data[ya - y0 : yb - y0, xa - x0 : xb - x0] = inside
        notes.append("partly outside the image")
    missing = float(np.mean(np.isnan(inside)))
    if missing == 1.0:
        notes.append("blank: no data here")
    elif np.nanmin(inside) == np.nanmax(inside):
        notes.append("blank: all pixels are equal")
    elif missing > 0:
        notes.append(f"{100 * missing:.2g} % of the pixels hold no data")
    wcs = plane.wcs.deepcopy()
    wcs.wcs.crpix = np.subtract(wcs.wcs.crpix, (x0, y0))
    if wcs.sip is not None:  # the distortion is reckoned from its own reference pixel
        sip = wcs.sip
        wcs.sip = Sip(sip.a, sip.b, sip.ap, sip.bp, np.subtract(sip.crpix, (x0, y0)))
    wcs.pixel_shape = (side, side)
    return data, wcs, "; ".join(notes)


def _pixels(plane: ImagePlane, rows: slice, columns: slice) -> np.ndarray:
    """A rectangle of the image as float32. Only its own bytes are read where the file allows that."""
    if plane.swapped:
        return np.ascontiguousarray(_stored(plane, plane.shape[0], columns, rows).T)
    return _stored(plane, plane.shape[1], rows, columns)


def _stored(plane: ImagePlane, length: int, rows: slice, columns: slice) -> np.ndarray:
    """A rectangle of the image as it lies in the file, whose rows are of `length` pixels."""
    width = columns.stop - columns.start
    if plane.raw is not None:
        packed = unpacked(require_file(plane.path))
        pixel, start = np.dtype(plane.raw[0]), plane.raw[1]
        out = np.empty((rows.stop - rows.start, width), dtype=np.float32)
        # A packed file is read from its beginning, but never held whole.
        with packed or open(plane.path, "rb", buffering=0) as file, np.errstate(over="ignore"):
            for index, row in enumerate(range(rows.start, rows.stop)):
                file.seek(start + pixel.itemsize * (row * length + columns.start))
                line = file.read(pixel.itemsize * width)
                if len(line) < pixel.itemsize * width:
                    raise OSError(f"the file ends in row {row}")
                out[index] = np.frombuffer(line, dtype=pixel)
        return out
    # Not mapped: sections read their own bytes anyway, and scaled integers cannot be mapped.
    with np.errstate(over="ignore"), open_fits_file(plane.path, memmap=False) as hdus:
        image = hdus[plane.hdu]
        tile = getattr(image, "tile_shape", None)
        if tile and float(np.prod(tile, dtype=float)) > _LARGEST_WHOLE:
            raise OSError(f"its tiles have {np.prod(tile, dtype=float):.3g} pixels; compress it in smaller tiles")
        if tile:
            require_tiles(plane.path, plane.hdu, rows, columns)
        # Sections of a packed file would unpack it from its beginning again and again.
        whole = not tile and is_packed(plane.path) and plane.shape[0] * plane.shape[1] <= _LARGEST_WHOLE
        source = image.data if whole else image.section
        return np.array(source[(0,) * plane.degenerate + (rows, columns)], dtype=np.float32)


def _linear(data: np.ndarray, plane: ImagePlane) -> np.ndarray:
    """Counts of an image that is stored as asinh magnitudes, as Pan-STARRS stacks are; others as they are.

    Waters et al. 2020, ApJS 251, 4, section 3 (the equation from memory): counts = BOFFSET + 2 BSOFTEN sinh(v / a) with
    a = 2.5 lg e.
    """
    softening, offset = plane.keywords.get("BSOFTEN"), plane.keywords.get("BOFFSET")
    if not isinstance(softening, int | float) or not isinstance(offset, int | float):
        return data
    return (offset + 2.0 * softening * np.sinh(data.astype(float) / (2.5 * np.log10(np.e)))).astype(np.float32)


def _padding(data: np.ndarray) -> np.ndarray:
    """Pixels that are zero because nothing was observed there.

    Sky noise in floating point is almost never exactly zero, so many exact zeros are padding. An image without any
    sky noise (a model, or photon counts) has zeros of its own: there the rest is positive and reaches down to zero.
    """
    zero = data == 0
    if np.mean(zero) < _PADDING_FRACTION:
        return np.zeros(data.shape, dtype=bool)
    rest = data[~zero & np.isfinite(data)]
    if rest.size == 0:
        return zero
    noisy = bool(rest.min() < 0) or bool(rest.min() > 0.1 * np.median(rest))
    return zero if noisy else np.zeros(data.shape, dtype=bool)
