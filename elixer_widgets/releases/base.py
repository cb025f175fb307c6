"""What every release can do, whatever lies on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elixer_widgets.detection import Detection


@dataclass(frozen=True, eq=False)
class ReleaseIndex:
    """A line a detection, all arrays of one length and order: for lists and searches.

    `detectid` int64; `ra`, `dec` degrees; `wavelength` Å in air; `sn`; `label` what a person calls it.
    """

    detectid: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    wavelength: np.ndarray
    sn: np.ndarray
    label: tuple[str, ...] = ()


class Release(ABC):
    """A collection of detections on disk."""

    path: Path
    name: str

    @abstractmethod
    def index(self) -> ReleaseIndex:
        """One line a detection, read once."""

    @abstractmethod
    def detection(self, detectid: int) -> Detection:
        """The detection with this number; what is large is read only when asked for.

        Raises
        ------
        DataError
            If there is no such detection, naming the release and numbers that exist.
        """

    def detectids(self) -> np.ndarray:
        """All detection numbers, int64, in the release's own order."""
        return self.index().detectid

    @abstractmethod
    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        """Detection numbers within `radius` arcsec of a position in degrees, nearest first."""

    def __len__(self) -> int:
        return int(self.detectids().size)
