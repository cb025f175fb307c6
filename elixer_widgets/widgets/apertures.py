"""What lies over an image: fibers, apertures where they were measured, sources, catalogue objects. Numbers only.

All places are arcsec right (west) and down (south) of the detection, as `tiles.Sky` gives them; angles are degrees
clockwise from the right, as SVG turns them.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot, isfinite
from typing import Any

from elixer_widgets.analysis import Measurements, match_id
from elixer_widgets.detection import CatalogObject, Cutout, Fiber
from elixer_widgets.imaging.flux_maps import APERTURE, FluxMap
from elixer_widgets.imaging.growth import Growth
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.widgets import words
from elixer_widgets.widgets.palette import fiber_color
from elixer_widgets.widgets.tiles import Sky

NEAREST_FIBERS = 20
RADII = (0.4, 5.0)
"""arcsec; the radii a person may set."""

REACH = 15.0
"""arcsec; how far from the detection a person may move an aperture."""


def _turned(position_angle: float) -> float:
    """A direction east of north as SVG turns it; an ellipse does not tell it from the opposite one."""
    return 90.0 - (position_angle if isfinite(position_angle) else 0.0)


def _rounded(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in shape.items()}


def fibers(placed: Iterable[Fiber], excluded: Iterable[str], sky: Sky) -> list[dict[str, Any]]:
    """The fibers of most weight, the heaviest last so that it is drawn on top."""
    off = set(excluded)
    shapes = []
    for rank, fiber in list(enumerate(placed))[:NEAREST_FIBERS][::-1]:
        if not (isfinite(fiber.ra) and isfinite(fiber.dec)):
            continue
        x, y = sky(fiber.ra, fiber.dec)
        tip = f"fiber {rank + 1}, weight {words.number(fiber.weight)}, exposure {fiber.expnum}"
        shape = {"id": fiber.fiber_id, "x": x, "y": y, "r": Fiber.DIAMETER / 2, "color": fiber_color(rank)}
        shapes.append(
            _rounded({**shape, "heavy": rank < 4, "off": fiber.fiber_id in off, "tip": tip, "number": rank + 1})
        )
    return shapes


def aperture(growth: Growth | None, sky: Sky) -> dict[str, Any] | None:
    """The aperture that was measured, with its sky annulus; None where there is none."""
    if growth is None or not (isfinite(growth.radius) and isfinite(growth.ra) and isfinite(growth.dec)):
        return None
    x, y = sky(growth.ra, growth.dec)
    minor = growth.minor if isfinite(growth.minor) else growth.radius
    shape = {"x": x, "y": y, "r": growth.radius, "minor": minor, "turn": _turned(growth.position_angle)}
    annulus = [round(edge, 3) for edge in growth.annulus if isfinite(edge)]
    return _rounded({**shape, "annulus": annulus, "person": growth.by_person})


def sources(found: Iterable[SourceEllipse], cutout: Cutout, sky: Sky) -> list[dict[str, Any]]:
    """The ellipses of the sources on one image."""
    shapes = []
    for source in found:
        if (source.survey, source.band) != (cutout.survey, cutout.band) or not isfinite(source.major):
            continue
        x, y = sky(source.ra, source.dec)
        tip = f"source on this image, {words.with_error(source.mag, source.mag_err)} mag in its ellipse"
        shape = {"x": x, "y": y, "r": source.major, "minor": source.minor, "turn": _turned(source.position_angle)}
        shapes.append(_rounded({**shape, "selected": source.selected, "tip": tip}))
    return shapes


def objects(measured: Measurements, shown: Measurements, sky: Sky) -> list[dict[str, Any]]:
    """Catalogue objects: the matches with their keys, then all others around.

    `measured` names the matches (their keys may hold the rank that was measured), `shown` says which is taken for the
    source.
    """
    taken = {id(match.object) for match in shown.matches if match.selected}
    shapes = []
    places: set[tuple[float, float]] = set()
    for match in measured.matches:
        x, y = sky(match.object.ra, match.object.dec)
        places.add((match.object.ra, match.object.dec))
        tip = f"{_name(match.object)}, {match.separation:.2f}″ away"
        shape = {"x": x, "y": y, "key": match_id(match), "rank": match.rank, "taken": id(match.object) in taken}
        shapes.append(_rounded({**shape, "tip": tip}))
    for each in measured.detection.imaging.objects:
        x, y = sky(each.ra, each.dec)
        if (each.ra, each.dec) not in places and hypot(x, y) < 60.0:
            shapes.append(_rounded({"x": x, "y": y, "key": "", "rank": 0, "taken": False, "tip": _name(each)}))
    return shapes


def _name(found: CatalogObject) -> str:
    parts = [f"{found.catalog} {found.identifier}".strip()]
    if found.magnitudes:
        parts.append(str(found.magnitudes[0]))
    if isfinite(found.spec_z):
        parts.append(f"spec-z {found.spec_z:.4f}")
    return ", ".join(parts)


def flux_aperture(made: FluxMap) -> dict[str, Any] | None:
    """The circle in which the flux of a map is summed: about the detection, however the light lies."""
    if made.reason:
        return None
    return {"x": 0.0, "y": 0.0, "r": APERTURE, "minor": APERTURE, "turn": 0.0, "annulus": [], "person": False}
