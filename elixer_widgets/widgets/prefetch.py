"""Measuring the neighbours of the shown detection ahead of time, so that turning the page shows them at once."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from elixer_widgets.analysis import Measurements
from elixer_widgets.detection import DataError, Detection

log = logging.getLogger(__name__)

T = TypeVar("T")

PAUSE = 0.3
"""Seconds without a page turn before a neighbour is prepared: who leafs fast does not look at what lies between, and
the browser is to have the processor until it has drawn."""


def load(detection: Detection) -> None:
    """Read what panels ask a detection for, so that no page waits for a file; what cannot be read is told there."""
    for name in ("fiber_images", "fiber_spectra", "imaging"):
        try:
            getattr(detection, name)
        except DataError as error:
            log.debug("%s of %s: %s", name, detection.detectid, error)


class Memory(Generic[T]):
    """What is known of the detections looked at or prepared last, no more than `size` of them, for several threads."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, detectid: int) -> bool:
        return detectid in self._kept

    def get(self, detectid: int) -> T | None:
        """What is kept of this detection; it is then the last to be forgotten."""
        with self._lock:
            if detectid in self._kept:
                self._kept.move_to_end(detectid)
            return self._kept.get(detectid)

    def keep(self, detectid: int, found: T) -> None:
        """Keep these, and forget what was not asked for the longest."""
        with self._lock:
            self._kept[detectid] = found
            self._kept.move_to_end(detectid)
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)


class Prefetch:
    """One thread that measures what was asked for last.

    Parameters
    ----------
    read : callable
        Gives the detection of a number; called in the thread only.
    measure : callable
        Gives the measurements of a detection.
    keep : callable
        Takes (detectid, Measurements) when they are whole; called in the thread.

    Notes
    -----
    A failure is not told here: the page meets it again, with the person there, when it turns to that detection.
    """

    def __init__(
        self,
        read: Callable[[int], Detection],
        measure: Callable[[Detection], Measurements],
        keep: Callable[[int, Measurements], None],
    ) -> None:
        self._read, self._measure, self._keep = read, measure, keep
        self._wanted: list[int] = []
        self._changed = threading.Condition()
        self._working: int | None = None
        self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self, detectids: Iterable[int]) -> None:
        """Prepare these, in this order, and no longer what was asked for before."""
        with self._changed:
            self._wanted = list(detectids)
            if self._thread is None and self._wanted and not self._ended:
                # a daemon: it writes nothing, so that a kernel may end at any time
                self._thread = threading.Thread(target=self._run, name="elixer-prefetch", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def await_one(self, detectid: int, seconds: float = 10.0) -> None:
        """If this one is being prepared at the moment, wait until it is: sooner than to begin anew."""
        with self._changed:
            self._changed.wait_for(lambda: self._working != detectid, seconds)

    def end(self, seconds: float = 2.0) -> None:
        """Prepare nothing more; wait so long for the thread, which may hold a file."""
        with self._changed:
            self._ended = True
            self._wanted = []
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def wait(self, seconds: float = 30.0) -> bool:
        """Until all that was asked for is there; False if it took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wanted and self._working is None, seconds)

    def _next(self) -> int | None:
        """What to prepare now; None at the end."""
        with self._changed:
            self._working = None
            self._changed.notify_all()
            while not self._ended:
                self._changed.wait_for(lambda: bool(self._wanted) or self._ended)
                if not self._changed.wait(PAUSE) and self._wanted:  # nothing new was asked for meanwhile
                    self._working = self._wanted.pop(0)
                    return self._working
            return None

    def _run(self) -> None:
        while (detectid := self._next()) is not None:
            try:
                detection = self._read(detectid)
                load(detection)
                self._keep(detectid, self._measure(detection))
            except DataError as error:
                log.info("detection %s was not prepared: %s", detectid, error)
            except Exception:
                if threading.main_thread().is_alive():  # else the interpreter ends, and nothing can be begun
                    log.exception("detection %s was not prepared", detectid)
