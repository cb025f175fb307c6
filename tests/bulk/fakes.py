"""A release and a way to make interpretations that take no time, for workers in other processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from elixer_widgets.analysis import Interpretation
from elixer_widgets.bulk import Extra, Output
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases import Release, ReleaseIndex
from tests.factories import make_bare_detection, make_interpretation

FIRST = 3_000_000_001


class ManyFakes(Release):
    """`count` bare detections with consecutive numbers."""

    path = Path("fake")
    name = "fake"

    def __init__(self, count: int) -> None:
        self.ids = [FIRST + number for number in range(count)]

    def index(self) -> ReleaseIndex:
        nothing = np.zeros(len(self.ids))
        return ReleaseIndex(np.array(self.ids), nothing, nothing, nothing, nothing)

    def detection(self, detectid: int) -> Detection:
        return replace(make_bare_detection(), detectid=detectid, name="")

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        return np.zeros(0, int)


@dataclass(frozen=True)
class Acting:
    """Makes interpretations after `seconds`, and notes each one that it begins in `notes`.

    A detection in `deadly` kills its worker every time, one in `once` the first time only, one in `bad` is an error,
    one in `greedy` takes more and more memory.
    """

    notes: Path
    seconds: float = 0.0
    deadly: tuple[int, ...] = ()
    once: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    greedy: tuple[int, ...] = ()

    def __call__(self, release: Release, detectid: int) -> Interpretation:
        with (self.notes / f"begun_{detectid}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        if detectid in self.deadly or (detectid in self.once and len(self.begun(detectid)) == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if detectid in self.bad:
            raise DataError("a bad detection")
        held = []
        while detectid in self.greedy:
            held.append(np.ones(2_000_000))
            time.sleep(0.01)
        return make_interpretation(release.detection(detectid))

    def begun(self, detectid: int) -> list[int]:
        """The processes that began with a detection."""
        path = self.notes / f"begun_{detectid}"
        return [int(word) for word in path.read_text().split()] if path.exists() else []


def write_note(release: Release, interpretation: Interpretation, path: Path) -> None:
    """Instead of a report, which takes a second."""
    path.write_text(f"{interpretation.measurements.detection.detectid}")


def small_output(folder: Path) -> Output:
    """A folder without PDFs."""
    return Output(folder, pdf=False, extras=(Extra("_note.txt", write_note),))
