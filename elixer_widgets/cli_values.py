"""The values of the command line: positions, numbers, lists of detections, the release."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from elixer_widgets._errors import DataError
from elixer_widgets._files import named_path, shown
from elixer_widgets.cli_lists import read_detections
from elixer_widgets.cli_positions import declination, right_ascension

__all__ = ["declination", "read_detections", "right_ascension"]  # with what is defined here: how values are read

RELEASE_VARIABLE = "ELIXER_WIDGETS_RELEASE"


def say(text: str) -> None:
    """Print a result."""
    print(text)  # noqa: T201 - the command line's own voice


def warn(text: str) -> None:
    """Print what is no result: progress, remarks and errors."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line's own voice


def radius(text: str) -> float:
    value = _number(text, "a number of arcseconds")
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f'{text}" is not between 0 and 3600 arcseconds')
    return value


def radius_or_off(text: str) -> float:
    """A radius in arcsec; 0 for `-1`, by which ELiXer means none."""
    return 0.0 if text.strip() in ("-1", "-1.0", "0") else radius(text)


def _number(text: str, what: str) -> float:
    """A finite number in ASCII digits."""
    if not re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", text.strip(), re.ASCII):
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is not {what}")
    return float(text)


def positive(text: str) -> float:
    """A number above 0."""
    value = _number(text, "a number")
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def a_redshift(text: str) -> float:
    """A redshift of something that is not in front of us: from -0.01, as stars have it, to 15."""
    value = _number(text, "a redshift")
    if not -0.01 <= value <= 15:
        raise argparse.ArgumentTypeError(f"{text} is not a redshift between -0.01 and 15")
    return value


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,19}", text.strip(), re.ASCII):
        raise argparse.ArgumentTypeError(f"{shown(text)!r} is not a whole number")
    return int(text)


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


def port(text: str) -> int:
    """The number of a port, 0 for any."""
    value = whole(text)
    if value > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; they go up to 65535")
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


def release_path(given: str | None) -> Path:
    """The release named by `--release` or `--hdr`, else by the environment."""
    named = given or os.environ.get(RELEASE_VARIABLE, "").strip()
    if not named:
        raise DataError(f"no release was given: add --release PATH, or set {RELEASE_VARIABLE} to its path")
    path = named_path(named, "--release" if given else RELEASE_VARIABLE)
    if re.fullmatch(r"\d+(\.\d+)?", named) and not path.exists():
        raise DataError(f"--hdr {named}: give the path of that release on this computer, for example --hdr /data/hdr5")
    return path
