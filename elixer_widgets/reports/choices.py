"""What a person chose, as it travels in the properties of a report, and the way back to the same view."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from elixer_widgets._arguments import path as given_path
from elixer_widgets._asserted import NO_COUNTERPART
from elixer_widgets.analysis import Aperture, Interpretation, interpret, match_id, measure
from elixer_widgets.detection import DataError
from elixer_widgets.imaging.counterparts import separation
from elixer_widgets.releases import Release

_WITHOUT = re.compile(r"without (.+) continuum")
_PROPERTY = re.compile(rb"/Keywords \(((?:[^\\()]|\\.)*)\)", re.S)
_ESCAPED = re.compile(rb"\\([\\()])")


def chosen(interpretation: Interpretation) -> dict[str, Any]:
    """What a person set, in plain numbers and words; empty if all is automatic.

    Keys, each only where it was set: `identity`, `redshift`, `aperture` (radius in arcsec, or radius, ra, dec),
    `excluded_fibers`, `counterpart` (with `counterpart_at`, ra and dec, if it has no identifier), `without`. With
    `choices_of` they are what `measure` and `interpret` take.
    """
    measurements, asserted = interpretation.measurements, interpretation.asserted
    found: dict[str, Any] = {}
    if "redshift" in asserted:
        found["redshift"] = float(interpretation.redshift)
    if "identity" in asserted or (interpretation.chosen_by == "person" and not found):
        found["identity"] = interpretation.identity
    aperture = measurements.aperture
    if aperture is not None:
        moved = aperture.ra == aperture.ra and aperture.dec == aperture.dec
        found["aperture"] = [aperture.radius, *((aperture.ra, aperture.dec) if moved else ())]
    if measurements.excluded_fibers:
        found["excluded_fibers"] = list(measurements.excluded_fibers)
    if "counterpart" in asserted:
        selected = next((each for each in measurements.matches if each.selected), None)
        found["counterpart"] = NO_COUNTERPART if selected is None else match_id(selected)
        if selected is not None and not selected.object.identifier:
            # named by its rank, which being chosen has changed: its place finds it again
            found["counterpart_at"] = [selected.object.ra, selected.object.dec]
    without = [word[1] for word in map(_WITHOUT.fullmatch, asserted) if word]
    if without:
        found["without"] = without
    return found


def choices_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a person chose, out of what `reports.state.state` wrote: by name, in the types that the analysis takes.

    The names are those of the page's `Choices`; what was automatic is left out.
    """
    given = {name: value for name, value in state.get("choices", {}).items() if name != "counterpart_at"}
    for name in ("excluded_fibers", "without"):
        if name in given:
            given[name] = tuple(given[name])
    if "aperture" in given:
        given["aperture"] = Aperture(*given["aperture"])
    return given


def read_state(path: str | PathLike[str]) -> dict[str, Any]:
    """What the properties of a report (.pdf, .png, .jpg) say that is needed to reopen its view.

    Raises
    ------
    DataError
        If the file cannot be read or holds no such property.
    """
    place = given_path(path, "read_state: path")
    try:
        data = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place}: cannot be read ({error}); check the path") from error
    text = _pdf_keywords(data) if data.startswith(b"%PDF-") else _picture_keywords(place)
    try:
        state = json.loads(text)
    except ValueError as error:
        raise DataError(f"{place}: is no report of this program; its properties do not name a detection") from error
    return dict(state)


def _pdf_keywords(data: bytes) -> str:
    found = _PROPERTY.search(data)
    return "" if found is None else _ESCAPED.sub(rb"\1", found[1]).decode("ascii", "replace")


def _picture_keywords(path: Path) -> str:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            properties = dict(picture.info)
    except OSError as error:
        raise DataError(f"{path}: is no picture that can be read ({error})") from error
    if "Keywords" in properties:
        return str(properties["Keywords"])
    comment = properties.get("comment", b"")
    lines = (comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)).splitlines()
    return next((line.removeprefix("Keywords: ") for line in lines if line.startswith("Keywords: ")), "")


def reopen(release: Release, state: Mapping[str, Any]) -> Interpretation:
    """The detection of a report, measured and interpreted with the same choices.

    Parameters
    ----------
    release : Release
    state : mapping
        As `read_state` gives it.

    Returns
    -------
    Interpretation

    Raises
    ------
    DataError
        If the release has no such detection, or no longer what was chosen.
    """
    given = choices_of(state)
    measured = {name: given.pop(name) for name in ("aperture", "excluded_fibers") if name in given}
    measurements = measure(release.detection(int(state["detectid"])), **measured)
    place = state.get("choices", {}).get("counterpart_at")
    if place and measurements.matches:
        ra, dec = place
        nearest = min(measurements.matches, key=lambda each: separation(ra, dec, each.object.ra, each.object.dec))
        given["counterpart"] = match_id(nearest)
    return interpret(measurements, **given)
