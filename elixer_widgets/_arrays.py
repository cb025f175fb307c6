"""Arrays as people hold them (masked, with units, pandas, big-endian) as plain read-only float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from elixer_widgets._errors import DataError


def unit_in(values: Any) -> Any:
    """The unit that an array carries (Quantity, Column), else None."""
    unit = getattr(values, "unit", None)
    return None if callable(unit) else unit


def plain(values: Any, name: str) -> np.ndarray:
    """A float64 copy of `values`, masked samples as NaN, its unit left aside.

    Raises
    ------
    DataError
        If the values are not real numbers.
    """
    fault = f"{name}: {values!r:.60} is not an array of numbers; give real numbers only"
    mask = getattr(values, "mask", None)  # of numpy, of astropy's columns and of its masked quantities
    mask = None if callable(mask) else mask  # pandas has a method of that name
    bare = getattr(values, "unmasked", values)
    bare = getattr(bare, "value", bare) if unit_in(values) is not None else bare
    try:
        if hasattr(bare, "to_numpy"):  # pandas: its own marks for missing values
            return np.array(bare.to_numpy(dtype=float, na_value=np.nan), dtype=float)
        data = np.ma.getdata(bare)
        kind = np.asarray(data).dtype
        if kind.kind not in "fiuO" or kind.names:
            raise DataError(fault)
        array = np.array(data, dtype=float)
    except DataError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(fault) from error
    if mask is not None and np.shape(mask) in ((), array.shape):
        array[np.broadcast_to(np.asarray(mask, bool), array.shape)] = np.nan
    return array


def frozen(array: np.ndarray) -> np.ndarray:
    """The array, read-only, so that what travels cannot be changed on the way."""
    array.setflags(write=False)
    return array
