"""Measured detections of the simulated survey, kept on disk so that they can be interpreted again and again.

What takes long is to measure; what is judged is the interpretation. A set is a directory of chunks, each a compressed
pickle of (Measurements, Truth) without pictures. Pickles are read only by the code that wrote them: make a set anew
when the measurements change.
"""

from __future__ import annotations

import pickle
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from elixer_widgets.analysis import Measurements, measure
from elixer_widgets.detection import Cutout, Imaging, Spectrum
from elixer_widgets.simulation.survey import InMemory, Truth, simulate_survey

CHUNK = 250

Kept = tuple[Measurements, Truth]


def _single(spectrum: Spectrum) -> Spectrum:
    """The same in single precision on disk: pickles of float32 are half as long."""
    return replace(
        spectrum,
        flux=np.asarray(spectrum.flux, np.float32),
        error=np.asarray(spectrum.error, np.float32),
    )


def without_pictures(measurements: Measurements) -> Measurements:
    """The measurements without pixels and fiber spectra, which no interpretation needs."""
    detection = measurements.detection
    imaging = detection.imaging
    bare: list[Cutout] = [replace(each, data=np.zeros((1, 1), np.float32)) for each in imaging.cutouts]
    surroundings = Imaging((), imaging.objects, imaging.notes, imaging.surface_density)
    kept = replace(
        detection, spectrum=_single(detection.spectrum), source=InMemory(surroundings, (None,) * len(detection.fibers))
    )
    return replace(measurements, detection=kept, cutouts=tuple(bare[: len(measurements.cutouts)]))


def make(folder: Path, seed: int, n: int, parts: tuple[int, int] = (0, 1), budget: float = np.inf) -> None:
    """Simulate, measure and keep `n` detections in `folder`, leaving out chunks that are there.

    Parameters
    ----------
    folder : Path
    seed : int
        Every chunk has its own stream of it, so that chunks can be made in any order.
    n : int
    parts : tuple of int
        (i, k): make every k-th chunk from the i-th on, for several processes.
    budget : float
        Seconds after which no new chunk is begun.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    for chunk in range(parts[0], -(-n // CHUNK), parts[1]):
        path = folder / f"seed{seed}_{chunk:04d}.pkl.z"
        if path.exists():
            continue
        if time.monotonic() - start > budget:
            print("out of time; run again to go on", flush=True)
            return
        count = min(CHUNK, n - chunk * CHUNK)
        rows = [(without_pictures(measure(each)), truth) for each, truth in simulate_survey(count, (seed, chunk))]
        partial = path.with_suffix(".part")
        partial.write_bytes(zlib.compress(pickle.dumps(rows, protocol=5), 1))
        partial.rename(path)
        print(f"{path.name}: {count} detections, {time.monotonic() - start:.0f} s", flush=True)


def chunks(folders: Iterable[Path]) -> list[Path]:
    """The chunks of sets, in order.

    Raises
    ------
    FileNotFoundError
        If a folder holds none.
    """
    found: list[Path] = []
    for folder in folders:
        own = sorted(folder.glob("seed*.pkl.z"))
        if not own:
            raise FileNotFoundError(f"{folder} holds no measured detections; make them first")
        found += own
    return found


def read(paths: Sequence[Path]) -> Iterator[Kept]:
    """(Measurements, Truth) of the chunks, one by one."""
    for path in paths:
        yield from pickle.loads(zlib.decompress(path.read_bytes()))
