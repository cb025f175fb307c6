"""The last line of the page: what went wrong and what to do, else what is missing here."""

from __future__ import annotations

from elixer_widgets.widgets.markup import Markup, escape
from elixer_widgets.widgets.panel import Panel
from elixer_widgets.widgets.state import ExplorerState

IN_PANELS = ("fibers", "imaging")
"""What is missing is said by the panel that would have shown it."""


class Status(Panel):
    """One line of words; errors stand out, notes do not."""

    def __init__(self, state: ExplorerState) -> None:
        self.line = Markup()
        super().__init__(state, "status", (self.line,))
        self.watch(self._draw, "message", "detection", "measurements")

    def _draw(self) -> None:
        state = self.state
        if state.message:
            markup = f'<div class="ew-message" role="alert">{escape(state.message)}</div>'
        else:
            notes: list[str] = []
            if state.detection is not None:
                notes += state.detection.notes
                missing = state.detection.not_available.items()
                notes += [f"no {what}: {why}" for what, why in missing if what not in IN_PANELS]
                said = [*notes, *(why for _, why in missing)]
                if state.measurements is not None:
                    notes += [note for note in state.measurements.notes if not any(note in each for each in said)]
            text = escape(" · ".join(notes))
            markup = f'<div class="ew-note" title="{text}">{text}</div>'
        if markup != self.line.markup:
            self.line.markup = markup
