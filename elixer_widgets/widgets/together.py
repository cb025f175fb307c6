"""One change at a time, drawn once: what the state of a page is beside what it says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from traitlets import HasTraits

Draw = Callable[[], None]


class Together(HasTraits):
    """Traits that panels draw, each panel once however many traits changed.

    Attributes
    ----------
    drawing : callable
        Gives a context in which panels may gather what they send to the browser, so that it draws once.
    reveal : callable
        Called with all draws that wait, before the first: it may show at once what the browser has already.
    lock : RLock
        Held while a trait changes and all follows: JupyterLab lets cells and messages of widgets run side by side.
    """

    lock = threading.RLock()

    def __init__(self, **traits: Any) -> None:
        self._held: dict[Draw, None] | None = None
        self.drawing: Callable[[], AbstractContextManager[object]] = nullcontext
        self.reveal: Callable[[dict[Draw, None]], object] = lambda _held: None
        super().__init__(**traits)

    def __setattr__(self, name: str, value: Any) -> None:
        with self.lock:
            super().__setattr__(name, value)

    def set_trait(self, name: str, value: Any) -> None:
        """As of all traits, alone."""
        with self.lock:
            super().set_trait(name, value)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within, panels note that they must draw; at the end each draws once, and the browser shows all at once."""
        if self._held is not None:
            yield
            return
        self._held = {}
        try:
            with self.drawing():
                try:
                    yield
                finally:
                    self.reveal(self._held)
                    while self._held:
                        draw = next(iter(self._held))
                        del self._held[draw]
                        draw()
        finally:
            self._held = None

    def defer(self, draw: Draw) -> bool:
        """Whether `draw` will be called at the end of `together`; if not, it is to be called now."""
        if self._held is None:
            return False
        self._held[draw] = None
        return True
