"""The fibers on the detector: look at each, light it up everywhere, switch it off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from math import isfinite
from typing import Any

from traitlets import Float, Unicode

from elixer_widgets.analysis import Measurements
from elixer_widgets.detection import DataError, Detection, FiberImages
from elixer_widgets.spectra.exposures import ExposureSignal, exposure_signals
from elixer_widgets.widgets.ahead import Look
from elixer_widgets.widgets.fibers_markup import draw, smooth, weighted_sum
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.markup import WATCHED, Markup, whole
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

__all__ = ["FiberStrip", "FiberView", "draw", "smooth", "toggle_exposure", "toggle_fiber", "weighted_sum"]


class FiberView(Hearing):
    """HTML of the strip; see static/fibers.js. `fibers` messages: {hover}, {cursor}, {picked}."""

    _esm = hearing_script("fibers.js")
    markup = Unicode("").tag(sync=True)
    hover = Unicode("", help="fiber_id to light up").tag(sync=True)
    cursor = Float(None, allow_none=True, help="Å to mark").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**{**WATCHED, **traits})


def _switch(state: ExplorerState, fiber_ids: Iterable[str]) -> None:
    """Switch these fibers off if any of them is in use, else on; one fiber always stays."""
    detection = state.detection
    if detection is None:
        return
    chosen, off = set(fiber_ids), set(state.choices.excluded_fibers)
    off = off - chosen if chosen <= off else off | chosen
    excluded = tuple(fiber.fiber_id for fiber in detection.fibers if fiber.fiber_id in off)
    if len(excluded) == len(detection.fibers):
        state.message = "One fiber at least must stay in use; switch another one on first."
        return
    state.choose(excluded_fibers=excluded)


def toggle_fiber(state: ExplorerState, fiber_id: str) -> None:
    """Switch a fiber of the shown detection off, or on again."""
    known = () if state.detection is None else state.detection.fibers
    if any(fiber.fiber_id == fiber_id for fiber in known):
        _switch(state, (fiber_id,))


def toggle_exposure(state: ExplorerState, exposure: int) -> None:
    """Switch all fibers of an exposure off, or on again if they are."""
    known = () if state.detection is None else state.detection.fibers
    own = [fiber.fiber_id for fiber in known if fiber.expnum == exposure]
    if own:
        _switch(state, own)


def strip_of(detection: Detection, signals: Sequence[ExposureSignal], excluded: Sequence[str], stretch: str) -> str:
    """The strip of a detection as HTML, with the reason where its pictures cannot be read."""
    try:
        images = detection.fiber_images
    except DataError as error:
        images = FiberImages(reason=str(error))
    return draw(images, detection.fibers, signals, excluded, stretch)


def automatic_strip(measurements: Measurements, look: Look) -> str:
    """The strip with all fibers in use."""
    return strip_of(measurements.detection, exposure_signals(measurements.fiber_fluxes), (), look.stretch)


class FiberStrip(Panel):
    """Where on the detector the line fell, fiber by fiber, exposure by exposure."""

    def __init__(self, state: ExplorerState) -> None:
        title = Markup(
            markup="<h3>Fibers <small>counts | pixel flat | smoothed · weight · distance · χ² · click switches off"
            "</small></h3>"
        )
        self.strip = FiberView().add_class("ew-fill")
        self.strip.on_msg(self._receive)
        super().__init__(state, "fibers", (title, self.strip))
        state.ahead.offer("fibers", automatic_strip)
        self.watch(self._draw, "detection", "measurements", "stretch", clear=self._clear)
        self.watch(self._light, "hover_fiber")
        self.watch(self._mark, "cursor")
        state.register(
            "switch fiber",
            key="x",
            help="Switch the fiber under the pointer off or on",
            do=self._switch_hovered,
            group="Fibers",
        )
        for number in (1, 2, 3):
            state.register(
                f"switch exposure {number}",
                key=str(number + 6),
                help=f"Switch all fibers of exposure {number} off or on",
                do=partial(toggle_exposure, state, number),
                group="Fibers",
            )

    def _draw(self) -> None:
        detection: Detection | None = self.state.detection
        excluded, measured = self.state.choices.excluded_fibers, self.state.measurements
        if detection is None:
            self.strip.markup = ""
        elif measured is None or measured.detection is not detection:
            self.strip.markup = strip_of(detection, (), excluded, self.state.stretch)
        elif excluded:
            signals = exposure_signals(measured.fiber_fluxes)
            self.strip.markup = strip_of(detection, signals, excluded, self.state.stretch)
        else:
            self.strip.markup = self.state.ahead.get("fibers", measured)

    def _clear(self) -> None:
        self.strip.markup = ""

    def _light(self) -> None:
        self.strip.hover = self.state.hover_fiber

    def _mark(self) -> None:
        cursor = self.state.cursor
        self.strip.cursor = cursor if isfinite(cursor) else None

    def _switch_hovered(self) -> None:
        if self.state.hover_fiber:
            toggle_fiber(self.state, self.state.hover_fiber)
        else:
            self.state.message = "Point at a fiber first; then this key switches it off or on."

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        picked = content.get("picked")
        if isinstance(content.get("hover"), str):
            self.state.hover_fiber = content["hover"]
        elif "cursor" in content:
            value = content["cursor"]
            good = isinstance(value, int | float) and isfinite(value)
            self.state.cursor = float(value) if good else float("nan")
        elif isinstance(picked, str) and picked.startswith("fiber:"):
            toggle_fiber(self.state, picked.removeprefix("fiber:"))
        elif isinstance(picked, str) and picked.startswith("exposure:"):
            number = whole(picked.removeprefix("exposure:"))
            if number is not None:
                toggle_exposure(self.state, number)
