"""The list of detections: turn the page, jump to a number, pick from the list."""

from __future__ import annotations

from typing import Any

import ipywidgets as W
import numpy as np

from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

PAGE = 100
"""Entries offered at once; a list of 25,000 would take the browser seconds to build."""


class DetectionList(Panel):
    """Previous, the list, next, and a box for a number."""

    def __init__(self, state: ExplorerState) -> None:
        self._writing = False
        self._offered: tuple[int, tuple[int, ...]] = (-1, ())
        index = state.release.index()
        self._index = index
        self._sorted = np.argsort(index.detectid, kind="stable")
        self.previous = W.Button(description="◀", tooltip="Previous detection").add_class("ew-prev")
        self.next = W.Button(description="▶", tooltip="Next detection").add_class("ew-next")
        self.count = W.Label().add_class("ew-count")
        self.choice = W.Dropdown(options=[]).add_class("ew-list")
        self.jump = W.Text(placeholder="jump to id", continuous_update=False).add_class("ew-jump")
        self.previous.on_click(lambda _button: state.previous())
        self.next.on_click(lambda _button: state.next())
        self.choice.observe(self._pick, "value")
        self.jump.observe(self._jump, "value")
        row = W.HBox([self.previous, self.count, self.next, self.choice, self.jump]).add_class("ew-row")
        super().__init__(state, "detections", (row,))
        self.watch(self._draw, "position", "detectids")

    def _entry(self, place: int) -> str:
        detectid = self.state.detectids[place]
        wavelength, sn, label = self._facts(detectid)
        parts = [f"{place + 1} · {label or detectid}"]
        if np.isfinite(wavelength):
            parts.append(f"{wavelength:.0f} Å")
        if np.isfinite(sn):
            parts.append(f"S/N {sn:.1f}")
        return " · ".join(parts)

    def _facts(self, detectid: int) -> tuple[float, float, str]:
        """Wavelength, S/N and label in the release's index; a survey's is too long to be unpacked for one page."""
        index = self._index
        place = int(np.searchsorted(index.detectid, detectid, sorter=self._sorted))
        row = int(self._sorted[place]) if place < self._sorted.size else -1
        if row < 0 or index.detectid[row] != detectid:
            return float("nan"), float("nan"), ""
        return float(index.wavelength[row]), float(index.sn[row]), index.label[row] if row < len(index.label) else ""

    def _draw(self) -> None:
        position, total = self.state.position, len(self.state.detectids)
        self.count.value = f"{position + 1} of {total}"
        self.previous.disabled = position <= 0
        self.next.disabled = position >= total - 1
        first = max(position, 0) // PAGE * PAGE
        self._writing = True
        try:
            # another list may be as long as the last one
            if first != self._offered[0] or self.state.detectids is not self._offered[1]:
                self._offered = (first, self.state.detectids)
                self.choice.options = [(self._entry(i), i) for i in range(first, min(first + PAGE, total))]
            self.choice.value = max(position, 0)
            self.jump.value = ""
        finally:
            self._writing = False

    def _pick(self, change: Any) -> None:
        if not self._writing and change["new"] is not None:
            self.state.position = change["new"]

    def _jump(self, change: Any) -> None:
        if not self._writing and change["new"].strip():
            self.state.jump(change["new"])
