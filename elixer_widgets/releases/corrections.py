"""Corrections that the HETDEX collaboration applies to its files when they are read.

They are no part of the files. Each is applied only where the release carries what it needs, and is named in the notes
of the detection.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import FIBERS_PER_AMP, WAVELENGTH_COUNT, wavelength_grid

MOST_BYTES = 2**20  # of the text of a wavelength correction
EDGE_FIBERS = 12  # fibers at the outer end of an amplifier whose noise HDR3 understates
EDGE_NOISE = 1.07  # and by how much


def release_number(name: str) -> float:
    """2.1 for "hdr2.1", 5.0 for "hdr5"; the public release counts as the internal one it was made from, HDR5.

    NaN if the name says nothing.
    """
    if name.startswith("pdr"):
        return 5.0
    match = re.fullmatch(r"hdr(\d+(?:\.\d+)?)", name)
    return float(match[1]) if match else float("nan")


@dataclass(frozen=True, eq=False)
class WavelengthCorrection:
    """The factor by which calibrated fluxes are divided, on a grid of wavelengths (Å, air)."""

    path: Path
    wavelength: np.ndarray
    factor: np.ndarray

    @classmethod
    def find(cls, directory: Path, name: str) -> WavelengthCorrection | None:
        """The correction that a release carries (`wdcor.txt`); None if it carries none or needs none.

        Raises
        ------
        DataError
            If the file is not 1036 lines of numbers.
        """
        if not release_number(name) >= 3:
            return None
        places = (
            directory / "wdcor.txt",
            directory / "detect" / "wdcor.txt",
            directory / "known_issues" / name / "wdcor.txt",
            directory.parent / "known_issues" / name / "wdcor.txt",
            directory.parent / "known_issues" / "hdr3" / "wdcor.txt",  # later releases share that of HDR3
        )
        for path in places:
            if path.is_file():
                return cls.read(path)
        return None

    @classmethod
    def read(cls, path: Path) -> WavelengthCorrection:
        """Read a text file of one column (the factor) or of two (wavelength, factor)."""
        try:
            if path.stat().st_size > MOST_BYTES:
                raise DataError(f"{path}: is longer than {WAVELENGTH_COUNT} lines can be; fetch the file again")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of an empty file, which is refused below
                values = np.loadtxt(path, dtype=float, ndmin=2)
        except DataError:
            raise
        except (ValueError, OSError) as error:
            raise DataError(f"{path}: not a column of numbers ({error}); fetch the file again") from error
        if (
            values.shape[0] != WAVELENGTH_COUNT
            or values.shape[1] not in (1, 2)
            or not np.all(np.isfinite(values))
            or not np.all((values[:, -1] > 0.01) & (values[:, -1] < 100))
        ):
            raise DataError(
                f"{path}: holds {values.shape[0]} lines of {values.shape[1]} numbers and not "
                f"{WAVELENGTH_COUNT} positive factors between 0.01 and 100; fetch the file again"
            )
        if values.shape[1] == 2 and np.any(np.diff(values[:, 0]) <= 0):
            raise DataError(f"{path}: its wavelengths do not ascend; fetch the file again")
        grid = wavelength_grid() if values.shape[1] == 1 else values[:, 0]
        return cls(path, grid, values[:, -1])

    def at(self, wavelength: np.ndarray | float) -> np.ndarray:
        """The factor at some wavelengths (Å, air)."""
        return np.interp(wavelength, self.wavelength, self.factor)


def edge_noise(name: str, amp: str, fibnum: int) -> float:
    """The factor on the errors of a detection whose brightest fiber is this one: 1.07 at an edge in HDR3, else 1."""
    if release_number(name) != 3:
        return 1.0
    outer = fibnum <= EDGE_FIBERS if amp in ("RU", "LL") else fibnum > FIBERS_PER_AMP - EDGE_FIBERS
    return EDGE_NOISE if amp in ("RU", "LL", "LU", "RL") and outer else 1.0
