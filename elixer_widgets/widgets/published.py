"""What the published page's notebook runs: the front page, and the explorer on what is found there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ipywidgets as W
import numpy as np
from traitlets import Bool, Unicode

from elixer_widgets.campaigns import Campaign
from elixer_widgets.detection import DataError
from elixer_widgets.releases.base import Release
from elixer_widgets.releases.search_index import Query, SearchIndex, load_index
from elixer_widgets.widgets.address import detectid_of, follow
from elixer_widgets.widgets.discreet import be_discreet
from elixer_widgets.widgets.explorer import Explorer
from elixer_widgets.widgets.hearing import Hearing, hearing_script
from elixer_widgets.widgets.landing import Landing
from elixer_widgets.widgets.markup import escape, whole
from elixer_widgets.widgets.serving import USER
from elixer_widgets.widgets.visitor import await_visitor, limit_memory, limit_time

INDEX_VARIABLE = "ELIXER_WIDGETS_INDEX"
"""Folder of the search index that all pages share."""

MEMORY_VARIABLE = "ELIXER_WIDGETS_MEMORY"
"""GB that one page may take."""

CPU_VARIABLE = "ELIXER_WIDGETS_CPU"
"""Seconds of a processor that one page may take."""

USER_VARIABLE = "ELIXER_WIDGETS_USER_HEADER"
"""Header in which the server in front of this one names the user; none, and nobody is named."""

CAMPAIGN_VARIABLE = "ELIXER_WIDGETS_PUBLISHED_CAMPAIGN"
"""Folder of the campaign to which named visitors give answers."""

NEAR = 60.0
"""Arcsec: a link to one detection comes with a list of those around it."""

LISTED = 2000
"""Detections that one page leafs through."""

_STATIC = Path(__file__).parent / "static"


class _Manners(Hearing):
    """Style and address of the front page."""

    _esm = hearing_script("landing.js")
    _css = _STATIC / "landing.css"
    query = Unicode("?").tag(sync=True)
    shown = Bool(False).tag(sync=True)


class PublishedPage(W.VBox):
    """Search, then explore; one of the two is in sight.

    Attributes
    ----------
    landing : Landing
    explorer : Explorer or None
        None until the first detection is opened.
    """

    def __init__(self, release: Release, index: SearchIndex) -> None:
        self.release, self.index = release, index
        self.landing = Landing(index, release.name, self.open_one)
        self.explorer: Explorer | None = None
        self.campaign: Campaign | None = None
        self.vetting: Explorer | None = None
        self.manners = _Manners()
        self.landing.observe(lambda _change: self._address(), "children")
        for field in self.landing.fields:
            field.observe(lambda _change: self._address(), "value")
        super().__init__([self.manners, self.landing])

    def prepare(self) -> None:
        """Build the explorer before anybody asks for it, so that the first detection opens at once."""
        if self.explorer is None and len(self.index):
            first = int(self.index.detectid[0])
            self.explorer = self._explorer([first], first)

    def invite(self, campaign: Campaign) -> None:
        """Offer a campaign to the visitor, who is its inspector."""
        self.campaign = campaign
        self._go_on = W.Button(tooltip="Go on with the campaign").add_class("ew-landing-vet")
        self._go_on.on_click(lambda _button: self.vet())
        self._tell_progress()
        self.landing.children = (self.landing.children[0], self._go_on, *self.landing.children[1:])

    def _tell_progress(self) -> None:
        """Write on the campaign's button how much is answered at this moment, on whichever page."""
        if self.campaign is None:
            return
        name = self.campaign.definition.name or self.campaign.path.name
        try:
            self.campaign.refresh()
        except DataError as error:
            self._go_on.description = f"{name}: {error}"
            return
        done = self.campaign.progress()
        self._go_on.description = f"{name}: {done.done} of {done.total} answered"

    def vet(self) -> None:
        """Show the campaign's queue."""
        if self.vetting is None:
            # built only now: whose answers they are is part of it
            self.vetting = self._with_search(Explorer(self.release, campaign=self.campaign))
        self.vetting.desk.look()
        self.manners.shown = False
        self.children = [self.manners, self.vetting]

    def follow(self, query: str) -> None:
        """Show what an address asks for: a detection, or the front page with its form filled."""
        asked = detectid_of(query)
        if asked is None:
            self.landing.follow(query)
            self.search()
            return
        number = whole(asked, 19)
        rows = self.index.find(Query(detectid=number)) if number is not None else self.index.detectid[:0]
        if number is None or not rows.size:
            self.search()
            self.landing.said.markup = (
                f'<p role="alert">There is no detection {escape(asked[:30])} in {escape(self.release.name)}; '
                "search for it by its position.</p>"
            )
            return
        if self.campaign is not None and number in self.campaign.definition.detectids:
            self.vet()
            if self.vetting is not None:
                follow(self.vetting.state, query)
                self.vetting.desk.arrive(asked=True)
            return
        row = int(rows[0])
        ra, dec = float(self.index.ra[row]), float(self.index.dec[row])
        known = np.isfinite([ra, dec]).all()
        near = self.index.find(Query(position=(ra, dec), radius=NEAR)) if known else rows
        self.open_one(number, self.index.detectid[near])
        if self.explorer is not None:
            follow(self.explorer.state, query)

    def open_one(self, detectid: int, found: np.ndarray) -> None:
        """Show one detection; `found` is what next and previous go through."""
        place = int(np.flatnonzero(found == detectid)[0]) if (found == detectid).any() else 0
        # a page leafs through what lies about the one chosen, where the search found too much for one list
        first = max(0, min(place - LISTED // 2, found.size - LISTED))
        listed = [int(each) for each in found[first : first + LISTED]] or [detectid]
        if detectid not in listed:
            listed.insert(0, detectid)
        if self.explorer is None:
            self.explorer = self._explorer(listed, detectid)
        else:
            self.explorer.state.show(listed, detectid)
        self.manners.shown = False
        self.children = [self.manners, self.explorer]

    def search(self) -> None:
        """Show the front page."""
        self._tell_progress()
        self.children = [self.manners, self.landing]
        self._address()
        self.manners.shown = True

    def _explorer(self, listed: list[int], detectid: int) -> Explorer:
        return self._with_search(Explorer(self.release, listed, detectid=detectid))

    def _with_search(self, explorer: Explorer) -> Explorer:
        """The way back to the front page, in the explorer's top row."""
        back = W.Button(description="Search", tooltip="To the search page").add_class("ew-back")
        back.on_click(lambda _button: self.search())
        top = explorer.children[1].children[0]
        top.children = (back, *top.children)
        return explorer

    def _address(self) -> None:
        self.manners.query = self.landing.address()


def user_of(environment: Mapping[str, str]) -> str:
    """Whom the server in front of this one named, or JupyterHub; "" for a stranger."""
    header = environment.get(USER_VARIABLE, "")
    named = environment.get(f"HTTP_{header.upper().replace('-', '_')}", "") if header else ""
    named = named or environment.get("JUPYTERHUB_USER", "")
    return named if USER.fullmatch(named) else ""


@contextmanager
def _told() -> Iterator[list[W.Widget]]:
    """Collects the page; what cannot be opened is a sentence in its place."""
    shown: list[W.Widget] = []
    try:
        yield shown
    except DataError as error:
        shown[:] = [W.HTML(f'<p style="font:16px sans-serif;padding:2em" role="alert">{escape(str(error))}</p>')]


def check() -> None:
    """See that a page could be made, with the memory that it has; run in a kernel before the address is told.

    Raises
    ------
    DataError
        If the release or the index cannot be read.
    """
    from elixer_widgets.releases.stated import open_stated
    from elixer_widgets.widgets.dashboard import release_path

    if os.environ.get(MEMORY_VARIABLE):
        limit_memory(float(os.environ[MEMORY_VARIABLE]))
    open_stated(release_path())
    load_index(os.environ.get(INDEX_VARIABLE, ""))


def page(environment: Mapping[str, str] | None = None) -> W.Widget:
    """The published page, as the server's environment describes it; made for its notebook."""
    from elixer_widgets.releases.stated import open_stated
    from elixer_widgets.widgets.dashboard import release_path

    known: Mapping[str, Any] = os.environ if environment is None else environment
    be_discreet()
    with _told() as shown:
        if known.get(MEMORY_VARIABLE):
            limit_memory(float(known[MEMORY_VARIABLE]))
        if known.get(CPU_VARIABLE):
            limit_time(int(known[CPU_VARIABLE]))
        made = PublishedPage(open_stated(release_path()), load_index(known.get(INDEX_VARIABLE, "")))
        shown.append(made)
        ahead = known.get("VOILA_PREHEAT") == "True"
        if ahead:
            made.prepare()
            await_visitor()
        user = user_of(known)
        if known.get(CAMPAIGN_VARIABLE) and user:
            made.invite(Campaign(known[CAMPAIGN_VARIABLE], None, user, data=made.release.name))
        made.follow(known.get("QUERY_STRING", ""))
    return shown[0]
