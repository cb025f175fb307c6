"""Where the light comes from, made from the fibers: a map of the line and one of all light."""

from __future__ import annotations

from math import isfinite
from typing import Any

from elixer_widgets.analysis import Measurements
from elixer_widgets.imaging.flux_maps import APERTURE, PIXEL, SIDE, FluxMap
from elixer_widgets.reports.stretch import colored, map_limits
from elixer_widgets.widgets import apertures, pictures, tiles, words
from elixer_widgets.widgets.markup import escape
from elixer_widgets.widgets.tiles import Sky

MAPS = {"line map": "line flux", "white map": "white light"}


def caption(name: str, made: FluxMap) -> str:
    """Under a map: what it is and how sure its flux is, or why there is none."""
    first = f"<b>{name}</b>"
    if made.reason:
        return f"{first}<br>{escape(made.reason)}"
    if not isfinite(made.snr):
        return f"{first}<br>flux not known"
    return f"{first} {made.n_fibers} fibers<br>S/N {words.number(made.snr, 1)} in {APERTURE:g}″"


def flux_scene(measurements: Measurements) -> tuple[dict[str, str], dict[str, Any]]:
    """The maps as pictures and what lies over them, as `imaging.ImageTiles` takes both."""
    detection = measurements.detection
    made = {"line map": measurements.line_map, "white map": measurements.white_map}
    sky = Sky(detection.ra, detection.dec)
    painted, parts, field = {}, [], SIDE
    for key, each in made.items():
        if not each.reason:
            field = each.data.shape[0] * PIXEL
            painted[key] = pictures.data_uri(colored(each.data, map_limits(each.data, each.background_err)))
        parts.append(
            {
                "key": key,
                "caption": caption(MAPS[key], each),
                "note": each.reason,
                "psf": 0.0,
                "aperture": apertures.flux_aperture(each),
                "sources": [],
                "movable": False,
            }
        )
    placed = isfinite(detection.ra) and isfinite(detection.dec)
    scene = {
        "field": field,
        "bar": tiles.scale_bar(field),
        "fibers": apertures.fibers(detection.fibers, measurements.excluded_fibers, sky) if placed else [],
        "objects": apertures.objects(measurements, measurements, sky) if placed else [],
        "tiles": parts,
        "limits": {"least": 0.0, "most": 0.0, "reach": 0.0},
    }
    return painted, scene
