"""The sky around the detection, wide: local images with fibers, apertures and the catalogue, in Aladin."""

from __future__ import annotations

import io
from math import isfinite
from typing import Any

import ipywidgets as W
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from elixer_widgets.analysis import Measurements, match_id
from elixer_widgets.detection import Cutout, Detection, Fiber
from elixer_widgets.widgets import tiles
from elixer_widgets.widgets.aladin import make_aladin
from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.pictures import robust_range
from elixer_widgets.widgets.state import ExplorerState

SIDE = 120.0
"""arcsec; the side of the image shown."""

LARGEST = 800
"""Pixels along a side that are sent to the browser at most."""

VIEW = 60.0
"""arcsec; the field at first."""

ARCSEC = 1.0 / 3600.0

FIBERS, APERTURES, POINTED, CATALOG = "fibers", "apertures", "pointed out", "catalogue"
COLORS = {FIBERS: "#009e73", APERTURES: "#d55e00", POINTED: "#e8e800", CATALOG: "#cc79a7"}
"""On an image of unknown greys, so not the page's own shades; the hues are those of `palette`."""


def circle(ra: float, dec: float, radius: float, color: str, width: int = 1) -> dict[str, Any]:
    """A circle as ipyaladin's messages have it; `radius` in arcsec."""
    infos = {"ra": ra, "dec": dec, "radius": radius * ARCSEC}
    return {"region_type": "circle", "infos": infos, "options": {"color": color, "lineWidth": width}}


def fiber_shapes(detection: Detection, lit: str = "") -> list[dict[str, Any]]:
    """The detection's fibers, or only the one that is pointed out."""
    color, width = (COLORS[POINTED], 3) if lit else (COLORS[FIBERS], 1)
    return [
        circle(fiber.ra, fiber.dec, Fiber.DIAMETER / 2, color, width)
        for fiber in detection.fibers
        if isfinite(fiber.ra) and (not lit or fiber.fiber_id == lit)
    ]


def aperture_shapes(measured: Measurements, number: int) -> list[dict[str, Any]]:
    """The aperture on one image, its sky annulus, and the sources on that image."""
    shapes: list[dict[str, Any]] = []
    if number < len(measured.growths):
        growth = measured.growths[number]
        edges = [(growth.radius, 2), *((edge, 1) for edge in growth.annulus)]
        shapes += [
            circle(growth.ra, growth.dec, edge, COLORS[APERTURES], width) for edge, width in edges if isfinite(edge)
        ]
    cutout = measured.cutouts[number]
    for source in measured.sources:
        if (source.survey, source.band) == (cutout.survey, cutout.band) and isfinite(source.major):
            infos = {
                "ra": source.ra, "dec": source.dec, "a": source.major * ARCSEC, "b": source.minor * ARCSEC,
                "theta": source.position_angle,
            }  # fmt: skip
            options = {"color": COLORS[APERTURES], "lineWidth": 2 if source.selected else 1}
            shapes.append({"region_type": "ellipse", "infos": infos, "options": options})
    return shapes


def catalog_table(measured: Measurements) -> Table:
    """The catalogue objects around, the matches with their keys."""
    keys = {(m.object.ra, m.object.dec): match_id(m) for m in measured.matches}
    found = list(measured.detection.imaging.objects)
    return Table(
        {
            "ra": [each.ra for each in found],
            "dec": [each.dec for each in found],
            "name": [f"{each.catalog} {each.identifier}".strip() for each in found],
            "magnitude": [str(each.magnitudes[0]) if each.magnitudes else "" for each in found],
            "spec_z": [each.spec_z for each in found],
            "photo_z": [each.photo_z for each in found],
            "key": [keys.get((each.ra, each.dec), "") for each in found],
        }
    )


def fits_of(cutout: Cutout) -> bytes:
    """An image as a FITS file in memory, no larger than the browser should be given."""
    side = min(SIDE, LARGEST * cutout.pixel_scale)
    found, _ = tiles.wider(cutout, side / 2.0**0.5)
    header = found.wcs.celestial.to_header(relax=True)  # with its distortion
    buffer = io.BytesIO()
    fits.PrimaryHDU(found.data.astype("float32"), header).writeto(buffer)
    return buffer.getvalue()


TOLD = {
    "loading": "The sky is loading. On a busy computer this may take a minute; if it stays so, reload the page.",
    "image loading": "The image is loading.",
    "image slow": "The image is still loading: this computer is busy. It is sent again if it does not come.",
    "image failed": "The image could not be drawn. Turn to another tab and back to try again; the images show it too.",
    "no image": "No image covers this position: only the fibers and the catalogue are drawn.",
    "shown": "",
    "not drawn": "",
}
"""What the view says of itself, by what the browser reports (static/sky.js)."""


class SkyView(W.VBox):
    """The sky view; nothing of it is made before a person asks for it."""

    def __init__(self, state: ExplorerState) -> None:
        self.state = state
        self.words = Markup()
        self.aladin: Any = None
        self.told = ""
        self._visible = False
        self._drawn = False
        self._there: dict[str, object] = {}
        self._image: tuple[Detection | None, str] = (None, "")
        super().__init__([self.words])
        self.words.add_class("ew-sky-words")
        self.add_class("ew-sky")
        state.observe(self._follow, ["interpretation", "band", "measurements"])
        state.observe(self._point, ["hover_fiber"])

    @property
    def visible(self) -> bool:
        """Whether it is on the page; the first time it is, Aladin is made."""
        return self._visible

    @visible.setter
    def visible(self, value: bool) -> None:
        if value == self._visible:
            return
        if value and self.aladin is None:
            self._make()
        self._visible = value
        if value and self.told == "image failed":
            self._image = (None, "")
        self._follow()

    def _make(self) -> None:
        made = make_aladin()
        if isinstance(made, str):
            self.words.markup = f'<div class="ew-none">{escape(made)}</div>'
            return
        self.aladin = made
        made.on_msg(self._receive)
        made.listener_callback["object_clicked"] = self._clicked
        self._aim()
        self._tell("loading")
        self.children = [self.words, made]

    def _tell(self, event: str, why: str = "") -> None:
        """Say over the sky what it is doing, or why it is empty and what helps."""
        self.told = event
        text = TOLD[event] + (f" ({why})" if why and TOLD[event] else "")
        role = "alert" if event == "image failed" else "status"
        markup = f'<div role="{role}">{escape(text)}</div>' if text else ""
        if self.words.markup != markup:
            self.words.markup = markup

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("event_type") in TOLD:
            self._tell(content["event_type"], str(content.get("why", ""))[:200])
        # a page that is opened again has a view without anything on it
        elif content.get("event_type") == "drawn":
            self._drawn = True
            self._there.clear()
            self._image = (None, "")
            self._follow()

    def _clicked(self, content: dict[str, Any]) -> None:
        key = str((content.get("data") or {}).get("key", ""))
        if key:
            self.state.selected_match = key

    def _aim(self) -> None:
        detection = self.state.detection
        if detection is not None and isfinite(detection.ra) and isfinite(detection.dec):
            if self._drawn:
                aim = {"ra": detection.ra, "dec": detection.dec, "fov": VIEW * ARCSEC}
                self.aladin.send({"event_name": "aim", **aim})
                return
            # a change of these is lost in the browser where the view just moved by itself
            self.aladin.target = SkyCoord(detection.ra, detection.dec, unit="deg")
            self.aladin.fov = VIEW * ARCSEC

    def _follow(self, _change: Any = None) -> None:
        found, measured = self.state.interpretation, self.state.measurements
        if not (self._visible and self._drawn) or self.aladin is None or measured is None:
            return
        shown = measured
        if found is not None and found.measurements.detection is measured.detection:
            shown = found.measurements
        number = self._number(shown)
        key = "" if number is None else tiles.image_key(shown.cutouts[number])
        if self._image[0] is not shown.detection or self._image[1] != key:
            if self._image[0] is not shown.detection:
                for name in tuple(self._there):
                    self._remove(name)
                self._overlay(FIBERS, fiber_shapes(shown.detection))
                self._catalog(measured)
            self._aim()
            self._show_image(None if number is None else shown.cutouts[number])
            self._image = (shown.detection, key)
        self._overlay(APERTURES, [] if number is None else aperture_shapes(shown, number))

    def _number(self, shown: Measurements) -> int | None:
        numbers = tiles.choose_cutouts(shown.cutouts)
        if not numbers:
            return None
        named = (n for n in numbers if tiles.image_key(shown.cutouts[n]) == self.state.band)
        return next(named, tiles.favourite(shown.cutouts, numbers))

    def _point(self, _change: Any = None) -> None:
        detection = self.state.detection
        if self._visible and self._drawn and self.aladin is not None and detection is not None:
            lit = self.state.hover_fiber
            self._overlay(POINTED, fiber_shapes(detection, lit) if lit else [])

    def _remove(self, name: str) -> None:
        if self._there.pop(name, None) is not None:
            self.aladin.send({"event_name": "remove_overlay", "overlay_names": [name]})

    def _overlay(self, name: str, shapes: list[dict[str, Any]]) -> None:
        if self._there.get(name, []) == shapes:
            return
        self._remove(name)
        if shapes:
            self._there[name] = shapes
            options = {"name": name, "color": COLORS[name]}
            self.aladin.send({"event_name": "add_overlay", "regions_infos": shapes, "graphic_options": options})

    def _catalog(self, measured: Measurements) -> None:
        self._remove(CATALOG)
        table = catalog_table(measured)
        if len(table):
            self._there[CATALOG] = table
            buffer = io.BytesIO()
            table.write(buffer, format="votable")
            options = {"name": CATALOG, "color": COLORS[CATALOG], "shape": "square", "source_size": 14}
            self.aladin.send({"event_name": "add_table", "options": options}, buffers=[buffer.getvalue()])

    def _show_image(self, cutout: Cutout | None) -> None:
        if cutout is None:
            self._tell("no image")
            self.aladin.send({"event_name": "add_fits", "options": {"name": "image"}}, buffers=[])
            return
        low, high = robust_range(cutout.data, -1.5, 30.0)
        options = {
            "name": "image", "min_cut": low, "max_cut": high, "stretch": "asinh", "colormap": "grayscale",
            "reversed": True,
        }  # fmt: skip
        self._tell("image loading")
        self.aladin.send({"event_name": "add_fits", "options": options}, buffers=[fits_of(cutout)])
