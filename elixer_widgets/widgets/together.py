"""One change at a time, drawn once, asked for by somebody who saw the page: what a state is beside what it says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from traitlets import HasTraits, Int

Draw = Callable[[], None]

NOT_TAKEN = "not taken: the page was not drawn yet"
"""What a person is told who answered or chose before the page was there to be seen."""


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
        Each page has its own.
    page : int
        Counts the pages put before the person: a detection turned to, a sheet of the gallery.
    not_taken : int
        Counts what was asked for by a browser that had not painted that page; panels that hold boxes observe it, and
        write into them again what holds.
    """

    AT_ONCE: frozenset[str] = frozenset()
    """Traits by which several panels draw, and nothing is measured: the browser is told of a change by one message."""

    page: int = 0
    not_taken = Int(0)

    def setup_instance(*args: Any, **traits: Any) -> None:
        """As of all traits; traitlets sets attributes before `__init__`."""
        self: Any = args[0]
        self.__dict__["lock"] = threading.RLock()
        super(Together, self).setup_instance(*args[1:], **traits)

    def __init__(self, **traits: Any) -> None:
        self._held: dict[Draw, None] | None = None
        self._seen: int | None = None
        self.drawing: Callable[[], AbstractContextManager[object]] = nullcontext
        self.reveal: Callable[[dict[Draw, None]], object] = lambda _held: None
        super().__init__(**traits)

    @property
    def lock(self) -> threading.RLock:
        """Held while a trait changes and all follows."""
        lock: threading.RLock = self.__dict__["lock"]
        return lock

    def __setattr__(self, name: str, value: Any) -> None:
        with self._changing(name):
            super().__setattr__(name, value)

    def set_trait(self, name: str, value: Any) -> None:
        """As of all traits, alone."""
        with self._changing(name):
            super().set_trait(name, value)

    @contextmanager
    def _changing(self, name: str) -> Iterator[None]:
        with self.lock, self.together() if name in self.AT_ONCE else nullcontext():
            yield

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

    # ---------------------------------------------------------------------------------- what the person has seen

    @contextmanager
    def asked_from(self, page: int | None) -> Iterator[None]:
        """Within, a browser asks that had painted this page last; 0 for none, None where nobody looks at a page."""
        with self.lock:
            before, self._seen = self._seen, page
            try:
                yield
            finally:
                self._seen = before

    @property
    def unseen(self) -> bool:
        """Whether a browser asks now that has not painted the page that is shown."""
        return self._seen is not None and self._seen != self.page

    def refuses(self) -> bool:
        """Whether what is asked for now is not taken, since whoever asks has not seen the page; it is then counted."""
        if not self.unseen:
            return False
        self.not_taken += 1
        return True
