"""What reopens a view."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from elixer_widgets._arguments import path as given_path
from elixer_widgets._errors import DataError
from elixer_widgets._files import in_words, made_here, replacing, require_ours
from elixer_widgets._version import __version__
from elixer_widgets.analysis import Interpretation
from elixer_widgets.reports.canvas import FORMATS
from elixer_widgets.reports.choices import chosen
from elixer_widgets.reports.wording import finite

__all__ = ["known_format", "metadata", "state", "taking_the_place_of"]


def state(interpretation: Interpretation) -> dict[str, object]:
    """What is needed to reopen this view (`reports.choices.reopen`): the detection, and under `choices` what a person
    set; the rest tells a reader what the page says."""
    measurements = interpretation.measurements
    detection, aperture = measurements.detection, measurements.aperture
    return {
        "detectid": int(detection.detectid),
        "name": detection.label,
        "release": detection.release,
        "identity": interpretation.identity,
        "z": round(float(interpretation.redshift), 6) if finite(interpretation.redshift) else None,
        "chosen_by": interpretation.chosen_by,
        "aperture": aperture.radius if aperture is not None else None,
        "excluded_fibers": list(measurements.excluded_fibers),
        "choices": chosen(interpretation),
        "version": __version__,
    }


def metadata(interpretation: Interpretation) -> dict[str, str]:
    """Document properties of a page or picture; `Keywords` holds `state` as JSON."""
    detection = interpretation.measurements.detection
    return {
        "Title": f"ELiXer report {detection.label}",
        "Subject": f"HETDEX detection {detection.label} at {detection.wavelength:.2f} Å",
        "Author": f"ELiXer Widgets {__version__}",
        "Creator": f"elixer_widgets {__version__}",
        "Keywords": json.dumps(state(interpretation)),  # ASCII: a PDF stores other letters as two bytes each
    }


def known_format(path: str | PathLike[str], what: str) -> Path:
    """The path, if it ends as a picture or page that can be written.

    Raises
    ------
    DataError
        If the suffix names no format known here.
    """
    target = given_path(path, what)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(
            f"{target}: cannot write a {what} as {suffix or 'a file without suffix'!r}; use .pdf, .png or .jpg"
        )
    return target


@contextmanager
def taking_the_place_of(target: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary file that gets the name of a report when the block ends well.

    Raises
    ------
    DataError
        If a file of that name was not written by this package and `overwrite` is not given, or nothing can be written
        there.
    """
    require_ours(target, made_here, "a report of ELiXer Widgets", overwrite)
    try:
        with replacing(target) as temporary:
            yield temporary
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({in_words(error)}); what was there is unchanged") from error
