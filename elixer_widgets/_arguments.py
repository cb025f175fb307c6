"""Arguments of public functions: taken as what they are meant for, or refused with name, value and remedy."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path

T = TypeVar("T")


def number(value: Any, name: str, remedy: str, *, above: float = -np.inf, most: float = np.inf) -> float:
    """A finite number above `above` and not beyond `most`."""
    try:
        taken = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{name}: {value!r:.60} is not a number; give {remedy}") from error
    if not (np.isfinite(taken) and above < taken <= most) or isinstance(value, bool):
        raise DataError(f"{name}: {value!r:.60} is not possible; give {remedy}")
    return taken


def whole(value: Any, name: str, remedy: str, *, least: int = 0) -> int:
    """A whole number, not below `least`; 3.0 is one."""
    try:
        taken = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError as error:
        raise DataError(f"{name}: {value!r:.60} is not a whole number; give {remedy}") from error
    if taken < least or isinstance(value, bool):
        raise DataError(f"{name}: {value!r:.60} is not possible; give {remedy}")
    return taken


def instance(value: Any, kind: type[T], name: str) -> T:
    """A value that is of a kind."""
    if not isinstance(value, kind):
        raise DataError(f"{name}: {value!r:.60} is not a {kind.__name__}; give one")
    return value


def instances(values: Any, kind: type[T], name: str) -> tuple[T, ...]:
    """Values that are all of a kind."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DataError(f"{name}: {values!r:.60} is not a list; give a list of {kind.__name__}")
    return tuple(instance(each, kind, name) for each in values)


def path(value: Any, name: str) -> Path:
    """A path that was given as text or as a path, `~` resolved; see `named_path`."""
    if not isinstance(value, str | PathLike) or not fspath(value) or isinstance(fspath(value), bytes):
        raise DataError(f"{name}: {value!r:.60} is not a path; give a file or folder as text or as a Path")
    if "\0" in fspath(value):
        raise DataError(f"{name}: {value!r:.60} is not a path; no file name holds a zero byte")
    return named_path(value, f"{name}:")


def place(value: Any, name: str) -> tuple[float, float]:
    """Right ascension and declination in degrees."""
    try:
        ra, dec = value
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: {value!r:.60} is not (ra, dec); give two numbers in degrees") from error
    return number(ra, f"{name}: ra", "degrees"), number(dec, f"{name}: dec", "degrees", above=-90.0 - 1e-9, most=90.0)
