"""The whole page: every panel in its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import bqplot as bq
import ipywidgets as W
from traitlets import Bool, Dict, HasTraits, Int, List, Unicode

from elixer_widgets.releases.base import Release
from elixer_widgets.widgets.address import query_of
from elixer_widgets.widgets.bundle import Bundle, Ear
from elixer_widgets.widgets.connection import Connection, kept_words
from elixer_widgets.widgets.continua import Continua
from elixer_widgets.widgets.controls import Controls
from elixer_widgets.widgets.detections import DetectionList
from elixer_widgets.widgets.evidence import EvidencePanel
from elixer_widgets.widgets.exports import Exports
from elixer_widgets.widgets.fiber_strip import FiberStrip
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.help import Help, Tools
from elixer_widgets.widgets.help import register as register_page
from elixer_widgets.widgets.imaging import ImagingPanel
from elixer_widgets.widgets.matches import Matches
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.rehearsal import Rehearsals
from elixer_widgets.widgets.rivals import Rivals
from elixer_widgets.widgets.spectrum import LineFitPanel, SpectrumPanel
from elixer_widgets.widgets.state import ExplorerState
from elixer_widgets.widgets.status import Status
from elixer_widgets.widgets.verdict import Verdict

_STATIC = Path(__file__).parent / "static"


def _style() -> str:
    """page.css, which sets the colours, followed by the style of every panel that brings its own."""
    others = sorted(path for path in _STATIC.glob("*.css") if path.name != "page.css")
    return "\n".join(path.read_text(encoding="utf-8") for path in (_STATIC / "page.css", *others))


def _script() -> str:
    """page.js, preceded by what draws plots, what reads keys and what watches over all that is drawn."""
    return hearing_script("plots.js", "keyboard.js", "drawn.js", "page.js")


def parts_of(widget: W.Widget) -> Iterator[W.Widget]:
    """A widget and all that it is made of: its layout, children, and the marks, axes and scales of plots."""
    yield widget
    if isinstance(getattr(widget, "layout", None), W.Widget):
        yield widget.layout
    below = [*getattr(widget, "children", ()), *getattr(widget, "marks", ()), *getattr(widget, "axes", ())]
    below += getattr(widget, "scales", {}).values()
    for each in below:
        yield from parts_of(each)


class PageFrame(Hearing):
    """What belongs to the page as a whole: its style, its keys, its theme, its title and its address."""

    _esm = _script()
    _css = _style()
    shortcuts = Dict(help="key to the name of its action").tag(sync=True)
    title = Unicode("ELiXer Widgets").tag(sync=True)
    busy = Bool(False, help="a measurement is under way").tag(sync=True)
    width = Int(1440, help="of the page, measured in the browser").tag(sync=True)
    theme = Unicode("auto", help="light, dark, or auto: as JupyterLab or the computer has it").tag(sync=True)
    anytime: Any = List(help="names of actions that mean the same whatever the page shows").tag(sync=True)
    plots: Any = List(help="model ids of the plots").tag(sync=True)
    stamp = Dict(help="what the page shows: page, of, whole, query, revision; see `Explorer`").tag(sync=True)

    def notify_change(self, change: Any) -> None:
        """As of all widgets; the stamp is sent with what it is about, never alone."""
        if change["name"] == "stamp":
            HasTraits.notify_change(self, change)
        else:
            super().notify_change(change)


class Explorer(W.VBox):
    """An interactive page on the detections of a release.

    Parameters
    ----------
    release : Release
        From `open_release`.
    detectids : iterable of int, optional
        The detections to show, in this order; all of the release if None.
    campaign : Campaign, optional
        From `elixer_widgets.campaigns`, with an inspector: its queue is shown instead of `detectids`, and answers are
        collected.
    detectid : int or str, optional
        The detection to show first.

    Attributes
    ----------
    state : ExplorerState
        What is shown and chosen; change it from code and the page follows, for example
        `explorer.state.choose(identity="OII")`.

    Raises
    ------
    DataError
        If there are no detections to show.
    """

    def __init__(
        self,
        release: Release,
        detectids: Iterable[int] | None = None,
        campaign: Any = None,
        *,
        detectid: int | str | None = None,
    ) -> None:
        self.campaign = campaign
        self.desk: Any = None
        if campaign is None:
            self.state = ExplorerState(release, detectids, prepares=False)
        else:
            from elixer_widgets.widgets.answers_desk import Desk  # most pages collect no answers

            self.state = ExplorerState(release, campaign.definition.detectids, prepares=False)
            self.desk = Desk(self.state, campaign)
        # shown before the panels are made, so that each draws once and not first an empty page
        if detectid is not None:
            self.state.jump(detectid)
        self.state.start()
        # before the panels, which may not take these keys
        register_page(self.state)
        asked = self._answers()
        self.frame = PageFrame()
        self.frame.on_msg(self._key)
        state = self.state
        self.frame.observe(lambda change: state.set_trait("width", change["new"]), "width")
        self.detections = DetectionList(state)
        self.controls = Controls(state)
        self.exports = Exports(state)
        self.verdict = Verdict(state)
        self.fibers = FiberStrip(state)
        self.line_fit = LineFitPanel(state)
        self.evidence = EvidencePanel(state)
        self.continua = Continua(state)
        self.spectrum = SpectrumPanel(state)
        self.rivals = Rivals(state)
        self.images = ImagingPanel(state)
        self.matches = Matches(state)
        self.status = Status(state)
        self.tools = Tools(state)
        self.help = Help(state)  # the last: it lists what the others offer
        self.frame.shortcuts = state.actions.shortcuts
        self.connection = Connection(self._look)
        if self.desk is not None:
            self.desk.observe(lambda _change: self._tell_kept(), "changed")
            self._tell_kept()
        top = W.HBox([self.detections, self.tools, self.controls, self.exports]).add_class("ew-top")
        side = W.VBox([self.evidence, self.continua]).add_class("ew-side")
        parts = (
            top, self.verdict, self.fibers, self.line_fit, side, self.spectrum, self.rivals, self.images,
            self.matches, self.status,
        )  # fmt: skip
        super().__init__([self.frame, W.Box(parts).add_class("ew-grid"), *asked, self.help, self.connection])
        self.add_class("ew-page")
        if asked:
            self.add_class("ew-campaign")
        # all but the frame, whose message carries what the others changed, and what must answer at any time
        apart = (self.frame, self.connection, self.connection.layout)
        parts = tuple(each for each in dict.fromkeys(parts_of(self)) if each not in apart)
        self._painted: dict[str, int] = {}
        bundle = Bundle(parts, self._post, self._heard, self._stamp)
        self.frame.comm = Ear(self.frame.comm, self._heard)
        self.frame.anytime = state.actions.anytime
        self.frame.plots = [each.model_id for each in parts if isinstance(each, bq.Figure)]
        self.frame.stamp = {**self._stamp(), "revision": 0}
        self.frame.send_state("stamp")  # a notebook's browser has the frame already
        state.drawing = bundle.together
        self.rehearsals = Rehearsals(
            state, (each for each in parts if isinstance(each, Panel) and each not in asked), bundle,
            self._passing(), self.frame.send,
        )  # fmt: skip
        state.observe(lambda change: self.frame.set_trait("busy", change["new"]), "busy")
        state.observe(self._entitle, "detection")
        self._entitle()
        state.prepare()

    def _passing(self) -> list[tuple[W.Widget, tuple[str, ...]]]:
        """What follows the pointer on this page."""
        return [
            (self.fibers.strip, ("hover", "cursor")),
            (self.images.tiles, ("hover_fiber",)),
            (self.images.fluxes, ("hover_fiber",)),
            (self.line_fit.fiber, ("x", "y", "colors")),
            *((panel.pointer, ("cursor",)) for panel in (self.spectrum, self.line_fit)),
        ]

    def _answers(self) -> list[W.Widget]:
        """What a campaign adds to the page."""
        if self.desk is None:
            return []
        from elixer_widgets.widgets.answers import AnswersPanel
        from elixer_widgets.widgets.answers_desk import register
        from elixer_widgets.widgets.gallery import Gallery
        from elixer_widgets.widgets.queue import QueuePanel

        register(self.state, self.desk)
        return [each(self.state, self.desk) for each in (AnswersPanel, QueuePanel, Gallery)]

    def _look(self) -> None:
        """Every few seconds while the page is open: what was answered elsewhere shows."""
        if self.desk is not None:
            with self.state.lock:
                self.desk.look()

    def _tell_kept(self) -> None:
        done, recent = self.campaign.progress(), self.campaign.recent(1)
        self.connection.kept = kept_words(done.done, done.total, recent[0].detectid if recent else None)

    # --------------------------------------------------------------------------------- what a browser has painted

    def _stamp(self) -> dict[str, Any]:
        """What the page is about: its number, its detection, its address, and whether all of it is of that detection
        yet."""
        state = self.state
        shown = state.detectids[state.position] if 0 <= state.position < len(state.detectids) else ""
        return {"page": state.page, "of": str(shown), "whole": state.whole, "query": query_of(state)}

    def _post(self, content: dict[str, Any], buffers: list[Any]) -> None:
        """Send what changed, with its stamp; a browser that comes later finds the stamp in the frame."""
        self.frame.stamp = content["stamp"]
        self.frame.send(content, buffers)

    def _heard(self, session: str | None) -> AbstractContextManager[object]:
        """A context to handle a message of a browser in; what tells no session comes from no browser."""
        return self.state.asked_from(None if session is None else self._painted.get(session, 0))

    def _entitle(self, _change: Any = None) -> None:
        if self.state.detection is not None:
            self.frame.title = f"{self.state.detection.label} · ELiXer Widgets"

    def _key(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """What the browser says of the page as a whole: which page it has painted, which key was pressed before it."""
        if not isinstance(content, dict):
            return
        name, page, session = content.get("pressed"), content.get("page"), self.frame.comm.session
        with self.state.lock:
            if isinstance(content.get("painted"), int) and session is not None:
                self._painted[session] = content["painted"]
            if isinstance(name, str) and name in self.state.actions:
                with self.state.asked_from(page) if isinstance(page, int) else nullcontext():
                    self.state.act(name)
            if "here" in content:  # what a browser was told before it could hear
                self.frame.send_state(["title", "busy", "width", "theme", "plots", "stamp"])
            if "asked" in content:  # all that was sent before is done by now
                self.frame.send({"answered": content["asked"]})
            self.rehearsals.receive(content)
