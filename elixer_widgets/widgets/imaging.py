"""The images: north up, east left, with the fibers, the aperture that was measured, and the catalogue's objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import ipywidgets as W
import numpy as np
from traitlets import Bool, Dict, Unicode

from elixer_widgets._remeasured import with_aperture
from elixer_widgets.analysis import Aperture, Interpretation, Measurements, interpret
from elixer_widgets.detection import Cutout, DataError
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.reports.derived import from_aperture
from elixer_widgets.reports.stretch import CHOICES
from elixer_widgets.widgets import apertures, pictures, tiles, words
from elixer_widgets.widgets.ahead import Look
from elixer_widgets.widgets.fluxmap import flux_scene
from elixer_widgets.widgets.growth import growth_curve
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.markup import WATCHED, Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.sky import SkyView
from elixer_widgets.widgets.state import ExplorerState
from elixer_widgets.widgets.tiles import Sky

VIEWS = {"images": "images", "flux": "line flux", "sky": "sky"}
"""What the panel shows, by name, with the words on its tabs."""

FEW = 2
"""Images beside which there is room for the maps of the flux."""

LEGEND = "north up, east left; circles are fibers, orange the aperture and its sky annulus, squares catalogue objects"


class ImageTiles(Hearing):
    """Images side by side or blinking, with shapes over them and an aperture that the pointer moves.

    Places are arcsec right and down of the middle; see `apertures`. While an aperture is dragged it sends
    `{"drag": {key, x, y, r, final}}`, one at a time: the next follows when `{"dragged": ...}` came back.
    """

    _esm = hearing_script("imaging.js")
    pictures = Dict(help="image to PNG as text").tag(sync=True)
    scene = Dict(help="what lies over the images").tag(sync=True)
    beside = Unicode("", help="HTML beside the images").tag(sync=True)
    selected = Unicode("", help="the image whose numbers are written out").tag(sync=True)
    blink = Bool(False).tag(sync=True)
    hover_fiber = Unicode("").tag(sync=True)
    selected_match = Unicode("").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**{**WATCHED, **traits})


@dataclass(frozen=True)
class Pictured:
    """The images of a detection as the page shows them.

    `pictures` are PNG as text, `notes` say why an image ends before the field does, both by the image's name; `sky` is
    the plane whose middle is theirs.
    """

    pictures: dict[str, str]
    notes: dict[str, str]
    sky: Sky


def pictured(measurements: Measurements, look: Look) -> Pictured:
    """The images to show, turned north up, read farther around from their files where the field asks for that."""
    detection, cutouts = measurements.detection, measurements.cutouts
    numbers = tiles.choose_cutouts(cutouts)
    if not numbers:
        return Pictured({}, {}, Sky(detection.ra, detection.dec))
    placed = isfinite(detection.ra) and isfinite(detection.dec)
    center = (detection.ra, detection.dec) if placed else cutouts[tiles.favourite(cutouts, numbers)].position
    painted, notes = {}, {}
    for number in numbers:
        key = tiles.image_key(cutouts[number])
        cutout, notes[key] = tiles.wider(cutouts[number], look.field)
        data = tiles.north_up(cutout, *center, look.field)
        painted[key] = pictures.data_uri(tiles.painted(data, cutouts[number], look.stretch))
    return Pictured(painted, notes, Sky(*center))


def has_room(measurements: Measurements) -> bool:
    """Whether there are so few images that the maps of the flux, where there are any, fit beside them."""
    maps = (measurements.line_map, measurements.white_map)
    return len(tiles.choose_cutouts(measurements.cutouts)) <= FEW and not all(each.reason for each in maps)


def caption(cutout: Cutout, growth: Growth | None) -> str:
    """Under an image: band, survey, and the magnitude in the aperture or its limit."""
    first = f"<b>{escape(cutout.band)}</b> {escape(cutout.survey)}"
    if not cutout.usable:
        return f"{first}<br>no data here"
    if growth is None:
        return f"{first}<br>not measured"
    radius = f" in {growth.radius:.1f}″" if isfinite(growth.radius) else ""
    return f"{first}<br>{escape(words.aperture_magnitude(growth))}{radius}"


def readout(growth: Growth | None, interpretation: Interpretation | None) -> str:
    """What the aperture on the selected image says, in one line."""
    if growth is None:
        return ""
    radius = f"radius {growth.radius:.2f}″" if isfinite(growth.radius) else "no aperture"
    parts = [f"<b>{escape(growth.band)}</b> {radius}", f"<b>{escape(words.aperture_magnitude(growth))}</b>"]
    if isfinite(growth.limit) and not growth.is_limit:
        parts.append(f"2σ limit {growth.limit:.2f}")
    if interpretation is not None:
        own = from_aperture(interpretation, growth.survey, growth.band)[1]
        if own is not None:
            parts.append(f"from it P(LAE)/P(OII) {escape(words.ratio(own, interval=False))}")
        limit = interpretation.continuum.is_limit
        lya = words.equivalent_width(interpretation.ew_lya, interpretation.ew_lya_err, limit)
        oii = words.equivalent_width(interpretation.ew_oii, interpretation.ew_oii_err, limit)
        parts += [
            f"all: EW {escape(lya)} as Lyα, {escape(oii)} as [O II]",
            f"P(LAE)/P(OII) <b>{escape(words.ratio(interpretation.plae_poii, interval=False))}</b>",
            f"P(Lyα) <b>{escape(words.percent(interpretation.p_lya))}</b>",
        ]
    return '<div class="ew-readout">' + "".join(f"<span>{part}</span>" for part in parts) + "</div>"


class ImagingPanel(Panel):
    """Images about the detection, and the aperture a person may change."""

    def __init__(self, state: ExplorerState) -> None:
        self._writing = False
        self._shown: list[int] = []
        self._fluxed: Measurements | None = None
        self.view = "images"
        self.title = Markup()
        self.tabs = Markup()
        self.tabs.on_pick(self.show)
        self._make_tools()
        self.readout = Markup().add_class("ew-readout-row")
        self.tiles = ImageTiles().add_class("ew-fill")
        self.fluxes = ImageTiles().add_class("ew-fill").add_class("ew-flux")
        self.empty = Markup().add_class("ew-fill")
        self.sky = SkyView(state).add_class("ew-fill")
        tools = W.HBox([self.radius, self.east, self.north, self.automatic, self.field, self.stretch, self.blink])
        self.tools = tools.add_class("ew-image-tools")
        head = W.HBox([self.title, self.tools, self.tabs]).add_class("ew-head")
        super().__init__(state, "imaging", (head, self.readout, self.tiles, self.fluxes, self.sky, self.empty))
        self._listen()
        state.ahead.offer("images", pictured)
        state.ahead.offer("fluxes", lambda measured, _look: flux_scene(measured) if has_room(measured) else None)
        self.watch(self._draw, "measurements", "interpretation", "stretch", "field", "band", clear=self._clear)
        self.watch(self._follow, "hover_fiber", "selected_match", "blink")
        self._offer()

    def _make_tools(self) -> None:
        least, most = apertures.RADII
        self.radius = W.FloatSlider(
            description="aperture ″", min=least, max=most, step=0.1, value=1.0, readout_format=".1f",
            continuous_update=False,
        ).add_class("ew-slider")  # fmt: skip
        box = {"continuous_update": False, "value": "0"}
        self.east = W.Text(description="E ″", tooltip="centre of the aperture, arcsec east", **box).add_class(
            "ew-number"
        )
        self.north = W.Text(description="N ″", tooltip="centre of the aperture, arcsec north", **box)
        self.north.add_class("ew-number")
        self.automatic = W.Button(description="automatic", tooltip="Back to the automatic aperture")
        self.automatic.add_class("ew-small")
        self.field = W.Dropdown(
            description="field", options=[(f"{each:.0f}″", each) for each in tiles.FIELDS]
        ).add_class("ew-choice")
        self.stretch = W.Dropdown(
            description="stretch", options=[(text, name) for name, text in CHOICES.items()]
        ).add_class("ew-choice")
        self.blink = W.ToggleButton(description="blink", tooltip="Show the bands one after the other in one place")
        self.blink.add_class("ew-small")

    def _listen(self) -> None:
        state = self.state
        self.radius.observe(self._typed, "value")
        self.east.observe(self._typed, "value")
        self.north.observe(self._typed, "value")
        self.automatic.on_click(lambda _button: state.choose(aperture=None))
        for name in ("field", "stretch", "blink"):
            getattr(self, name).observe(self._set, "value")
        for view in (self.tiles, self.fluxes):
            view.observe(lambda change: state.set_trait("hover_fiber", change["new"]), "hover_fiber")
            view.observe(lambda change: state.set_trait("selected_match", change["new"]), "selected_match")
            view.on_msg(self._receive)
        self.tiles.observe(self._select, "selected")

    def _offer(self) -> None:
        """The keys of this panel."""
        group = "images"
        offer = partial(self.state.register, anytime=True)
        offer("wider images", key="w", help="Show more of the sky in the images.", do=lambda: self.zoom(1), group=group)
        offer("closer images", key="q", help="Show less of the sky, larger.", do=lambda: self.zoom(-1), group=group)
        offer("next image", key="v", help="Select the next image.", do=self.next_image, group=group)
        offer("blink images", key="k", help="Blink the images in one place, or end it.", do=self._blink, group=group)
        offer("next stretch", key="t", help="Scale the images to grey another way.", do=self.next_stretch, group=group)
        offer(
            "images, line flux, sky", key="y", help="Turn to the next tab of the images.", do=self.next_view,
            group=group,
        )  # fmt: skip
        offer(
            "automatic aperture", key="u", help="Go back to the automatic aperture.", group=group,
            anytime=False, do=lambda: self.state.choose(aperture=None),
        )  # fmt: skip

    # -------------------------------------------------------------------------------------- what a person does

    def show(self, view: str) -> None:
        """Turn to the images, the maps of the line's flux, or the sky."""
        if view in VIEWS:
            self.view = view
            self._draw()

    def next_view(self) -> None:
        """Turn to the next tab."""
        names = list(VIEWS)
        self.show(names[(names.index(self.view) + 1) % len(names)])

    def zoom(self, step: int) -> None:
        """Show more (1) or less (-1) of the sky."""
        nearest = min(range(len(tiles.FIELDS)), key=lambda n: abs(tiles.FIELDS[n] - self.state.field))
        self.state.field = tiles.FIELDS[min(max(nearest + step, 0), len(tiles.FIELDS) - 1)]

    def next_stretch(self) -> None:
        """Another way to scale counts to grey."""
        names = list(CHOICES)
        now = names.index(self.state.stretch) if self.state.stretch in names else 0
        self.state.stretch = names[(now + 1) % len(names)]

    def next_image(self) -> None:
        """Select the next image."""
        keys = list(self.tiles.pictures)
        if keys:
            self.state.band = keys[(keys.index(self.tiles.selected) + 1) % len(keys)]

    def _blink(self) -> None:
        self.state.blink = not self.state.blink

    def _select(self, change: dict) -> None:
        if not self._writing:
            self.state.band = change["new"]

    def _set(self, change: dict) -> None:
        if not self._writing:
            name = next(each for each in ("field", "stretch", "blink") if getattr(self, each) is change["owner"])
            self.state.set_trait(name, change["new"])

    def _typed(self, _change: dict) -> None:
        if self._writing:
            return
        try:
            east, north = (float(box.value.replace(",", ".").replace("−", "-")) for box in (self.east, self.north))
        except ValueError:
            self.state.message = "the centre of the aperture is not a number; give arcsec such as 0.4"
            return
        reach = apertures.REACH
        x, y = float(np.clip(-east, -reach, reach)), float(np.clip(-north, -reach, reach))
        self.state.choose(aperture=self._aperture(x, y, float(self.radius.value)))

    def _aperture(self, x: float, y: float, radius: float) -> Aperture:
        """The aperture about a place in the picture; one about the detection itself needs no centre."""
        radius = round(float(np.clip(radius, *apertures.RADII)), 2)
        detection = self.state.detection
        if detection is None or (abs(x) < 0.005 and abs(y) < 0.005):
            return Aperture(radius)
        return Aperture(radius, *Sky(detection.ra, detection.dec).position(x, y))

    def _receive(self, widget: ImageTiles, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if "zoom" in content:
            self.zoom(1 if content["zoom"] > 0 else -1)
        dragged = content.get("drag")
        if isinstance(dragged, dict):
            final = bool(dragged.get("final"))
            told: dict[str, str] = {}
            try:
                told = self._drag(str(dragged["key"]), self._aperture(dragged["x"], dragged["y"], dragged["r"]), final)
            finally:
                # the browser waits for this word before it sends the next step
                widget.send({"dragged": "final" if final else "step", **told})
        if "let go" in content:  # without a choice: what stands here is of an aperture that is no more
            self._draw()

    def _drag(self, key: str, aperture: Aperture, final: bool) -> dict[str, str]:
        """One step of an aperture on the move: until it is let go, only the image under the pointer is measured, and
        only the numbers beside it are written anew.

        Returns
        -------
        dict
            For the browser: the image, and the words under it.
        """
        state, measurements = self.state, self.state.measurements
        if measurements is None or state.refuses():
            return {}
        if final:
            state.choose(aperture=aperture)
            return {}
        touched = next((n for n in self._shown if tiles.image_key(measurements.cutouts[n]) == key), None)
        if touched is None:
            return {}
        choices = state.choices
        try:
            tried = with_aperture(measurements, aperture, (touched,))
            found = interpret(
                tried, identity=choices.identity, redshift=choices.redshift, counterpart=choices.counterpart,
                without=choices.without,
            )  # fmt: skip
        except DataError as error:
            state.message = str(error)
            return {}
        growth = found.measurements.growths[touched]
        if key == self.tiles.selected:
            with state.drawing():
                self.readout.markup = readout(growth, found)
                self.tiles.beside = growth_curve(growth)
        return {"key": key, "caption": caption(measurements.cutouts[touched], growth)}

    # --------------------------------------------------------------------------------------- what it looks like

    def _follow(self) -> None:
        state = self.state
        for view in (self.tiles, self.fluxes):
            view.hover_fiber, view.selected_match = state.hover_fiber, state.selected_match
        self._writing = True
        try:
            self.tiles.blink = self.blink.value = state.blink
        finally:
            self._writing = False

    def _clear(self) -> None:
        for view in (self.tiles, self.fluxes):
            view.scene = {}
        self._fluxed = None
        self.readout.markup = ""

    def _measured(self) -> Measurements | None:
        """What is measured, with an aperture that is being dragged and a counterpart that was chosen."""
        found, measured = self.state.interpretation, self.state.measurements
        if found is not None and measured is not None and found.measurements.detection is measured.detection:
            return found.measurements
        return measured

    def _draw(self) -> None:
        measured, shown = self.state.measurements, self._measured()
        there = measured is not None and bool(measured.cutouts)
        beside = self.view == "images" and measured is not None and has_room(measured)
        self._place(there or self.view != "images", beside)
        self._tabs()
        if measured is None or shown is None or not there:
            self._empty(measured)
        else:
            self._images(measured, shown)
        if (beside or self.view == "flux") and measured is not None:
            self._fluxes(measured)
        self.sky.visible = self.view == "sky"

    def _place(self, there: bool, beside: bool) -> None:
        """Which of the views is on the page, and whether the maps of the flux stand beside the images."""
        wanted = {
            self.tiles: there and self.view == "images",
            self.fluxes: self.view == "flux" or beside,
            self.sky: self.view == "sky",
            self.empty: not there,
            self.readout: self.view == "images",
            self.tools: self.view == "images",
        }
        for widget, visible in wanted.items():
            display = None if visible else "none"
            if widget.layout.display != display:
                widget.layout.display = display
        if beside != ("ew-few" in self._dom_classes):
            (self.add_class if beside else self.remove_class)("ew-few")

    def _tabs(self) -> None:
        self.tabs.markup = '<div class="ew-tabs" role="tablist">' + "".join(
            f'<button class="ew-tab" role="tab" data-key="{name}" aria-selected="{str(name == self.view).lower()}">'
            f"{text}</button>"
            for name, text in VIEWS.items()
        ) + "</div>"  # fmt: skip

    def _images(self, measured: Measurements, shown: Measurements) -> None:
        detection, cutouts, growths = shown.detection, shown.cutouts, shown.growths
        self._shown = numbers = tiles.choose_cutouts(cutouts)
        keys = {number: tiles.image_key(cutouts[number]) for number in numbers}
        selected = next((n for n in numbers if keys[n] == self.state.band), tiles.favourite(cutouts, numbers))
        # a new aperture does not change the pictures
        painted: Pictured = self.state.ahead.get("images", measured)
        sky = painted.sky
        parts, notes = [], []
        for number in numbers:
            growth = growths[number] if number < len(growths) else None
            cutout, note = cutouts[number], painted.notes.get(keys[number], "")
            notes.append(note)
            psf = cutout.psf_fwhm if isfinite(cutout.psf_fwhm) else 0.0
            parts.append(
                {
                    "key": keys[number],
                    "caption": caption(cutout, growth),
                    "note": "; ".join(e for e in (cutout.note or (growth.note if growth else ""), note) if e),
                    "psf": psf,
                    "aperture": apertures.aperture(growth, sky),
                    "sources": apertures.sources(shown.sources, cutout, sky),
                    "movable": growth is not None,
                }
            )
        least, most = apertures.RADII
        scene = {
            "of": str(detection.detectid),
            "field": self.state.field,
            "bar": tiles.scale_bar(self.state.field),
            "fibers": apertures.fibers(detection.fibers, shown.excluded_fibers, sky),
            "objects": apertures.objects(measured, shown, sky),
            "tiles": parts,
            "limits": {"least": least, "most": most, "reach": min(apertures.REACH, self.state.field / 2)},
        }
        chosen = growths[selected] if selected < len(growths) else None
        with self.tiles.hold_sync():
            self.tiles.pictures = painted.pictures
            if self.tiles.scene != scene:
                self.tiles.scene = scene
            self.tiles.beside = growth_curve(chosen)
            self._writing = True
            try:
                self.tiles.selected = keys[selected]
            finally:
                self._writing = False
        more = f" · {len(cutouts) - len(numbers)} more not shown" if len(cutouts) > len(numbers) else ""
        said = " · files end here" if any(notes) else ""
        self.title.markup = f'<h3 title="{LEGEND}{more}{said}">Imaging<small>{more}{said}</small></h3>'
        self.readout.markup = readout(chosen, self.state.interpretation)
        self._show_tools(chosen, shown, sky)

    def _fluxes(self, measured: Measurements) -> None:
        if self._fluxed is measured:
            return
        # what is drawn ahead knows of no fiber that was switched off
        ahead = None if measured.excluded_fibers else self.state.ahead.get("fluxes", measured)
        painted, scene = ahead or flux_scene(measured)
        self._fluxed = measured
        with self.fluxes.hold_sync():
            self.fluxes.pictures = painted
            self.fluxes.scene = scene

    def _show_tools(self, growth: Growth | None, shown: Measurements, sky: Sky) -> None:
        for each in (self.radius, self.east, self.north):
            each.disabled = growth is None
        self.automatic.disabled = shown.aperture is None
        self._writing = True
        try:
            if growth is not None and isfinite(growth.radius):
                self.radius.value = float(np.clip(round(growth.radius, 2), *apertures.RADII))
                x, y = sky(growth.ra, growth.dec)
                self.east.value, self.north.value = (words.number(-each + 0.0) for each in (x, y))
            self.field.value = min(tiles.FIELDS, key=lambda each: abs(each - self.state.field))
            self.stretch.value = self.state.stretch if self.state.stretch in CHOICES else ""
        finally:
            self._writing = False

    def _empty(self, measurements: Measurements | None) -> None:
        notes: tuple[str, ...] = ()
        if measurements is not None:
            notes = measurements.detection.imaging.notes or ("no image covers this position",)
        text = "; ".join(notes) or "not measured"
        self.title.markup = "<h3>Imaging</h3>"
        self.empty.markup = f'<div class="ew-none">{escape(text)}</div>'
        self.readout.markup = ""
        self.tiles.pictures, self.tiles.scene = {}, {}
        for each in (self.radius, self.east, self.north, self.automatic):
            each.disabled = True
