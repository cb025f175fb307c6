"""What a caller may give as an image, as plain numbers: masks become NaN, units are converted or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u

from elixer_widgets._errors import DataError

# Units that are counts already, whatever the camera calls them.
_COUNTS = (u.dimensionless_unscaled, u.ct, u.adu, u.electron, u.photon, u.DN)


def image_of(values: Any, what: str, zero_point: float) -> np.ndarray:
    """A two-dimensional array of native floats; masked and infinite pixels are NaN.

    Parameters
    ----------
    values : array_like, masked array, Quantity or NDData
        Leading axes of length 1 are dropped.
    what : str
        For messages, as "Cutout.data".
    zero_point : float
        AB magnitude of one count: what turns a flux density into counts.

    Raises
    ------
    DataError
        If it is no image of numbers, or its unit is neither counts nor a flux density.
    """
    array = _floats(values, what)
    shape = array.shape
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"{what} has shape {shape}; give one image, rows by columns, with at least one pixel")
    factor = _counts(getattr(values, "unit", None), what, zero_point)
    mask = np.asarray(getattr(values, "mask", None) if getattr(values, "mask", None) is not None else False)
    if mask.dtype != bool or (mask.ndim and mask.shape != shape):
        raise DataError(f"{what} has a mask of {mask.dtype} with shape {mask.shape} for {shape} pixels; give one each")
    bad = np.broadcast_to(mask, shape).reshape(array.shape) | np.isinf(array)
    if factor != 1.0:
        array = array * factor
    return np.where(bad, np.nan, array).astype(array.dtype) if bad.any() else array


def _floats(values: Any, what: str) -> np.ndarray:
    """The bare numbers, as float32 where that holds them, else as float64."""
    bare = getattr(values, "unmasked", values)
    if isinstance(bare, np.ma.MaskedArray):
        bare = np.ma.getdata(bare)
    elif not isinstance(bare, np.ndarray) and isinstance(getattr(bare, "data", None), np.ndarray):
        bare = bare.data  # NDData
    bare = getattr(bare, "value", bare)
    try:
        array = np.asarray(bare)
        if array.dtype.kind in "OUS":
            array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}: {values!r:.60} is not an image of numbers; give numbers only") from error
    if array.dtype.kind not in "fiub":
        raise DataError(f"{what}: {array.dtype} are not counts; give real numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize in (4, 8):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    exact = array.dtype.itemsize <= 2  # all other types may hold numbers that float32 rounds
    return array.astype(np.float32 if exact else np.float64)


def _counts(unit: Any, what: str, zero_point: float) -> float:
    """What to multiply by to have counts."""
    if unit is None:
        return 1.0
    try:
        unit = u.Unit(unit)
        if unit in _COUNTS or unit in [one / u.s for one in _COUNTS]:
            return 1.0
        flux = (1.0 * unit).to(u.Jy, u.zero_point_flux(3631.0 * u.Jy))
    except (u.UnitsError, ValueError, TypeError) as error:
        raise DataError(
            f"{what} is in {str(unit)!r}; give counts as `zero_point` counts them, or a flux density such as µJy"
        ) from error
    if not np.isfinite(zero_point):
        raise DataError(f"{what} is in {str(unit)!r} and zero_point is not known; give the AB magnitude of one count")
    return float(flux.value / (3631.0 * 10.0 ** (-0.4 * zero_point)))


def number_of(value: Any, what: str) -> float:
    """A number, also from a Quantity in magnitudes (AB).

    Raises
    ------
    DataError
        If it is none, or infinite.
    """
    unit = getattr(value, "unit", None)
    if unit is not None and str(unit) not in ("mag", "mag(AB)", "AB", ""):
        raise DataError(f"{what}: {value} is not in AB magnitudes; give a plain number")
    try:
        number = float(getattr(value, "value", value))
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{what}: {value!r:.40} is not a number; give an AB magnitude such as 25.0") from error
    if np.isinf(number):
        raise DataError(f"{what}: {number} is not an AB magnitude; give a finite number")
    return number
