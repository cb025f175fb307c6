"""From an image's header to where it lies on the sky: what the header says is checked before it is believed."""

from __future__ import annotations

import re
import warnings

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS, WCSSUB_LATITUDE, WCSSUB_LONGITUDE
from astropy.wcs.utils import proj_plane_pixel_scales

from elixer_widgets._errors import DataError

# Keywords that must be numbers where they stand: a text there would be passed over, and a default taken for it.
_NUMBERS = re.compile(r"(CRVAL|CRPIX|CDELT|CROTA)\d|(CD|PC|PV)\d_\d+|LONPOLE|LATPOLE")
_SIP = re.compile(r"[AB]P?_(ORDER|DMAX|\d+_\d+)")
_SCALES = re.compile(r"CDELT\d|(CD|PC)\d_\d")

# SIP: Shupe et al. 2005, ASP Conf. 347, 491: orders up to 9.
_SIP_ORDER = 9
_MOST_AXES = 9

# FK5 of J2000 is ICRS to within 0.03"; half a year of precession is 25".
_EQUINOX = 2000.0


def celestial_wcs(header: fits.Header) -> tuple[WCS, bool, str]:
    """The celestial WCS of an image.

    SIP coefficients count where both CTYPE end in -SIP, as the convention wants it. Elsewhere they are a leftover of
    the exposures that a mosaic was made of, whose distortion has been taken out: they are ignored, and that is said.

    Returns
    -------
    wcs : WCS
        Two-dimensional, RA first.
    swapped : bool
        Whether Dec is the image's first axis, so that `wcs` is of the transposed image.
    note : str
        What was not taken as it stands; empty if nothing.

    Raises
    ------
    DataError
        If there is none, or it cannot be right; the message says why, but not where.
    """
    header, note = _checked(header)
    header = _as_tpv(header)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            wcs = WCS(header)
            if not wcs.has_celestial:
                raise DataError(f"CTYPE {_ctypes(header)} are not RA and Dec")
            swapped = wcs.wcs.lng > wcs.wcs.lat
            if swapped:
                wcs = wcs.sub([WCSSUB_LONGITUDE, WCSSUB_LATITUDE])
            elif wcs.naxis != 2:  # else it is the celestial part, and a copy takes a millisecond
                wcs = wcs.celestial
            require_sky(wcs)
            scale, area = pixel_scale(wcs), abs(float(np.linalg.det(wcs.pixel_scale_matrix))) * 3600.0**2
    except DataError:
        raise
    except Exception as error:  # whatever the WCS library makes of a header
        raise DataError(f"its WCS is not usable ({_short(error)})") from error
    if not (np.isfinite(scale) and 1e-5 < scale < 3600.0):
        raise DataError(f"its pixels are {scale:g} arcsec wide, which cannot be")
    if not area > 1e-4 * scale**2:
        raise DataError("the two axes of its WCS (CD, PC) point the same way")
    return wcs, swapped, note


def pixel_scale(wcs: WCS) -> float:
    """arcsec per pixel of a celestial WCS (geometric mean of the two axes)."""
    return float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs))) * 3600.0)


def require_sky(wcs: WCS) -> None:
    """Make sure that a WCS gives RA and Dec as this program means them.

    Raises
    ------
    DataError
        If it is of another system or equinox, or its reference is not a position.
    """
    if not wcs.has_celestial or wcs.wcs.lngtyp.strip() != "RA":
        kind = wcs.wcs.lngtyp.strip() if wcs.has_celestial else "no positions"
        raise DataError(f"its WCS gives {kind}, not RA and Dec; reproject it to ICRS")
    system, equinox = wcs.wcs.radesys.strip().upper(), float(wcs.wcs.equinox)
    if not system:  # FITS standard 4.0, table 24
        system = "ICRS" if np.isnan(equinox) else "FK4" if equinox < 1984.0 else "FK5"
    if system != "ICRS" and not (system == "FK5" and not abs(equinox - _EQUINOX) > 1e-3):
        when = f" of {equinox:g}" if np.isfinite(equinox) else ""
        raise DataError(f"its RA and Dec are {system}{when}; reproject it to ICRS or J2000")
    reference = np.asarray(wcs.wcs.crval)[[wcs.wcs.lng, wcs.wcs.lat]]
    if not np.isfinite(reference).all() or abs(reference[1]) > 90.0:
        raise DataError(f"its CRVAL ({reference[0]:g}, {reference[1]:g}) is not a position in degrees")


def _ctypes(header: fits.Header) -> str:
    return " and ".join(repr(header.get(f"CTYPE{axis}", "")) for axis in (1, 2))


def _short(error: Exception) -> str:
    """The last line that says something, for the WCS library writes many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[-1]:.100}" if lines else type(error).__name__


def _checked(header: fits.Header) -> tuple[fits.Header, str]:
    """The header to make the WCS of, and what was left out of it."""
    given = [header.get(f"CTYPE{axis}") for axis in (1, 2)]
    types = [kind.strip() if isinstance(kind, str) else "" for kind in given]  # a card without a value has none
    if not all(types):
        raise DataError(f"it has no place on the sky (CTYPE {_ctypes(header)})")
    axes = header.get("WCSAXES", 2)
    if isinstance(axes, bool) or not isinstance(axes, int) or not 0 <= axes <= _MOST_AXES:
        raise DataError(f"WCSAXES = {axes!r:.20} is not a number of axes")
    wanted = [key for key in header if key and _NUMBERS.fullmatch(key)]
    for key in wanted:
        value = header[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise DataError(f"{key} = {value!r:.30} is not a number")
    for key in ("CRVAL1", "CRVAL2"):
        if key not in header:
            raise DataError(f"it has no {key}, so its place on the sky is not known")
    scales = {key for key in wanted if _SCALES.fullmatch(key)}
    only_one = not any(key.startswith("CD") and "_" in key for key in scales) and ("CDELT1" in scales) != (
        "CDELT2" in scales
    )
    if not scales or only_one:
        raise DataError("it lacks CDELT, CD or PC, so the size of its pixels is not known")
    equinox = header.get("EQUINOX", header.get("EPOCH"))
    if isinstance(equinox, str) and "RADESYS" not in header and re.sub(r"[JB ]|\.0*$", "", equinox.upper()) != "2000":
        raise DataError(f"its EQUINOX {equinox!r:.30} is not 2000; reproject it to ICRS or J2000")
    if any(key in header for key in ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2")):
        raise DataError("its distortion is in tables (CPDIS, D2IMDIS), which are not read; resample it")
    return _without_leftovers(header, types)


def _as_tpv(header: fits.Header) -> fits.Header:
    """SCAMP writes a polynomial of PVi_m under CTYPE TAN, which by itself has none: what is meant is TPV.

    Where the first axis is RA, TAN knows PV1_0 to PV1_4 (the place of the pole) and no PV2 (FITS standard 4.0, section
    8.3), so any other says that it is SCAMP's.
    """
    types = [str(header["CTYPE1"]).strip().upper(), str(header["CTYPE2"]).strip().upper()]
    if not all(kind.endswith("-TAN") for kind in types):
        return header
    latitude = 1 + int(types[1].startswith("DEC"))
    found = [re.fullmatch(r"PV(\d)_(\d+)", key) for key in header if key]
    if not any(match and (int(match[1]) == latitude or int(match[2]) > 4) for match in found):
        return header
    header = header.copy()
    for axis, kind in enumerate(types, 1):
        header[f"CTYPE{axis}"] = kind.replace("-TAN", "-TPV")
    return header


def _finite(value: float) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def _without_leftovers(header: fits.Header, types: list[str]) -> tuple[fits.Header, str]:
    coefficients = [key for key in header if key and _SIP.fullmatch(key)]
    if not coefficients:
        return header, ""
    if not all(kind.upper().endswith("-SIP") for kind in types):
        header = header.copy()
        for key in coefficients:
            header.remove(key, ignore_missing=True, remove_all=True)
        return header, f"SIP coefficients in the header are ignored, because its CTYPE {types[0]!r} has no -SIP"
    for key in coefficients:
        value = header[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise DataError(f"{key} = {value!r:.30} is not a number")
        if key.endswith("_ORDER") and not 0 <= value <= _SIP_ORDER:
            raise DataError(f"{key} = {value!r:.30} is not an order from 0 to {_SIP_ORDER}")
    return header, ""
