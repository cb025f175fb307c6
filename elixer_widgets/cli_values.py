"""The values of the command line: positions, numbers, lists of detections, the release."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from elixer_widgets._errors import DataError

RELEASE_VARIABLE = "ELIXER_WIDGETS_RELEASE"


def say(text: str) -> None:
    """Print a result."""
    print(text)  # noqa: T201 - the command line's own voice


def warn(text: str) -> None:
    """Print what is no result: progress, remarks and errors."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line's own voice


def _position(text: str, *, is_ra: bool) -> float:
    """Degrees of a right ascension or declination in decimal degrees, `10h00m06.10s`, `2d05m15.36s` or with colons.

    With colons and no unit, right ascension is in hours and declination in degrees.
    """
    from astropy.coordinates import Angle

    name = "--ra" if is_ra else "--dec"
    given = text.strip()
    try:
        value = float(given)
    except ValueError:
        unit = "hourangle" if is_ra else "deg"
        if ":" in given and given[-1:] in "hd":
            given, unit = given[:-1], "hourangle" if given[-1] == "h" else "deg"
        try:
            value = float((Angle(given, unit=unit) if ":" in given else Angle(given)).deg)
        except (ValueError, TypeError) as error:
            form = "150.0254, 10h00m06.10s or 10:00:06.10" if is_ra else "2.0876, 2d05m15.36s or -2:05:15.36"
            raise argparse.ArgumentTypeError(f"{name} {text!r} is no angle; write it as {form}") from error
    low, high = (0.0, 360.0) if is_ra else (-90.0, 90.0)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{name} {text!r} is {value:g} degrees, outside {low:g} to {high:g}")
    return value


def right_ascension(text: str) -> float:
    return _position(text, is_ra=True)


def declination(text: str) -> float:
    return _position(text, is_ra=False)


def radius(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of arcseconds") from error
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f'{text}" is not between 0 and 3600 arcseconds')
    return value


def radius_or_off(text: str) -> float:
    """A radius in arcsec; 0 for `-1`, by which ELiXer means none."""
    return 0.0 if text.strip() in ("-1", "-1.0", "0") else radius(text)


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def whole(text: str) -> int:
    """A whole number, not negative."""
    value = _integer(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def count(text: str) -> int:
    """A whole number from 1 up."""
    value = _integer(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def with_signs(arguments: Sequence[str]) -> list[str]:
    """Join `--dec -2d05m` to `--dec=-2d05m`: argparse would take the value for an option."""
    joined: list[str] = []
    for each in arguments:
        if joined and joined[-1] in ("--dec", "--ra") and re.match(r"-[\d.]", each):
            joined[-1] += f"={each}"
        else:
            joined.append(each)
    return joined


def read_detections(given: str) -> list[int]:
    """Detection numbers of a file (one a line, `#` begins a comment) or of a list with commas, each once.

    Raises
    ------
    DataError
        If it is neither, or holds something that is no number.
    """
    path = Path(given).expanduser()
    if path.is_file():
        where = f"{path}"
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        words = [word for line in lines for word in line.split("#")[0].replace(",", " ").split()[:1]]
        if any("," in line.split("#")[0] for line in lines):
            words = [word for line in lines for word in line.split("#")[0].replace(",", " ").split()]
    elif re.fullmatch(r"[\d\s,]+", given):
        where, words = "--dets", given.replace(",", " ").split()
    else:
        raise DataError(f"--dets {given}: is no file and no list of numbers with commas; check the name")
    try:
        numbers = [int(word) for word in words]
    except ValueError as error:
        bad = next(word for word in words if not word.isdigit())
        raise DataError(f"{where}: {bad!r} is not a detection number; write one number a line") from error
    return list(dict.fromkeys(numbers))


def release_path(given: str | None) -> Path:
    """The release named by `--release` or `--hdr`, else by the environment."""
    named = given or os.environ.get(RELEASE_VARIABLE, "").strip()
    if not named:
        raise DataError(f"no release was given: add --release PATH, or set {RELEASE_VARIABLE} to its path")
    path = Path(named).expanduser()
    if re.fullmatch(r"\d+(\.\d+)?", named) and not path.exists():
        raise DataError(f"--hdr {named}: give the path of that release on this computer, for example --hdr /data/hdr5")
    return path
