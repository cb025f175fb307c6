"""How far a run is: a bar on a terminal, now and then a line in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

WIDTH = 30
FIRST_LINE, LONGEST_WAIT = 10.0, 300.0  # seconds between the lines in a file: longer and longer


def duration(seconds: float) -> str:
    """A time for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass
class Progress:
    """Shows how many of `total` detections are done, how fast, and how long it will take.

    `each`: also a line a detection where it is no terminal (for short lists).
    """

    total: int
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    each: bool = False
    done: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self.bar = self.stream.isatty()
        self._begun = self._drawn = self.clock()
        self._wait = FIRST_LINE

    def state(self) -> str:
        """`120/2000 done, 3.1/s, 10 min left, 2 failed`."""
        elapsed = self.clock() - self._begun
        words = [f"{self.done}/{self.total}"]
        if self.done and elapsed > 0:
            rate = self.done / elapsed
            words.append(f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.0f}/min")
            left = "left" if self.done < self.total else "taken"
            seconds = (self.total - self.done) / rate if self.done < self.total else elapsed
            words.append(f"{duration(seconds)} {left}")
        if self.failed:
            words.append(f"{self.failed} failed")
        return ", ".join(words)

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        clear = "\r\033[K" if self.bar else ""
        self.stream.write(f"{clear}{line}\n")
        self.draw()

    def add(self, line: str = "", failed: bool = False) -> None:
        """One more detection; `line` is shown if it failed, or if `each` is wanted."""
        self.done += 1
        self.failed += failed
        if line and (failed or (self.each and not self.bar)):
            self.say(line)
        self.draw()

    def draw(self) -> None:
        """Show the state: at most ten times a second on a terminal, else when it is time for a line."""
        now = self.clock()
        if self.bar:
            if now - self._drawn >= 0.1 or self.done in (0, self.total):
                filled = WIDTH * self.done // max(1, self.total)
                self.stream.write(f"\r\033[K[{'#' * filled}{'.' * (WIDTH - filled)}] {self.state()}")
                self._drawn = now
        elif now - self._drawn >= self._wait and not self.each:
            self.stream.write(f"{self.state()}\n")
            self._drawn, self._wait = now, min(2 * self._wait, LONGEST_WAIT)
        self.stream.flush()

    def close(self) -> None:
        """The last state, and the end of the line."""
        self.stream.write(f"\r\033[K{self.state()}\n" if self.bar else f"{self.state()}\n")
        self.stream.flush()
