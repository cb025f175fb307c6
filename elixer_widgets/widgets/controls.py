"""Reassign the line: an identity, a redshift, or back to automatic."""

from __future__ import annotations

from math import isfinite
from typing import Any

import ipywidgets as W

from elixer_widgets.classification.posterior import IDENTITIES, LABELS
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

AUTOMATIC = ""


class Controls(Panel):
    """A dropdown of identities, a box for z, and the way back."""

    def __init__(self, state: ExplorerState) -> None:
        self._writing = False
        options = [("automatic", AUTOMATIC), *((LABELS[name], name) for name in IDENTITIES)]
        self.identity = W.Dropdown(description="line", options=options).add_class("ew-identity")
        self.redshift = W.Text(description="z", continuous_update=False).add_class("ew-redshift")
        self.automatic = W.Button(description="reset", tooltip="Everything automatic again").add_class("ew-reset")
        self.identity.observe(self._set_identity, "value")
        self.redshift.observe(self._set_redshift, "value")
        self.automatic.on_click(lambda _button: state.reset())
        row = W.HBox([self.identity, self.redshift, self.automatic]).add_class("ew-row")
        super().__init__(state, "controls", (row,))
        self.watch(self._draw, "interpretation", "choices", "not_taken")

    def _draw(self) -> None:
        interpretation, choices = self.state.interpretation, self.state.choices
        if choices.identity is not None:
            identity = choices.identity
        elif choices.redshift is not None and interpretation is not None:
            identity = interpretation.identity
        else:
            identity = AUTOMATIC
        z = float("nan") if interpretation is None else interpretation.redshift
        self._writing = True
        try:
            self.identity.value = identity
            self.redshift.value = f"{z:.4f}" if isfinite(z) else ""
            self.automatic.disabled = choices == type(choices)()
        finally:
            self._writing = False

    def _set_identity(self, change: Any) -> None:
        if not self._writing:
            self.state.choose(identity=change["new"] or None)

    def _set_redshift(self, change: Any) -> None:
        if self._writing or not change["new"].strip():
            return
        try:
            redshift = float(change["new"].replace(",", ".").replace("−", "-"))
        except ValueError:
            self.state.message = f"{change['new']!r} is not a redshift; give a number such as 2.7"
            return
        self.state.choose(redshift=redshift)
