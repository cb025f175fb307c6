"""What the pages of measurements share: simulated lines, the original's spectra, timing, writing a page.

Used by `measure_fits.py`, `measure_search.py` and `measure_solutions.py` beside it; not a program.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra.wavelengths import hetdex_grid

GRID = hetdex_grid()


def line_shape(center: float, sigma: float) -> np.ndarray:
    """A Gaussian of area 1 on the HETDEX grid; `center` and `sigma` in Å."""
    return np.exp(-0.5 * ((GRID - center) / sigma) ** 2) / (sigma * np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Original:
    """The synthetic spectra with truth on which ELiXer 1.22.5 was run, and what it answered.

    Attributes
    ----------
    spectra : dict
        Number of the object -> Spectrum.
    truth : dict
        Number of the object -> its true lines, each a dict with name, wave (Å in air), sigma (Å), flux and snr.
    fits : DataFrame
        Its bare fits, one row a true line or empty place.
    summary : DataFrame
        Its answers, one row an object.
    """

    spectra: dict[int, Spectrum]
    truth: dict[int, list[dict[str, Any]]]
    fits: pd.DataFrame
    summary: pd.DataFrame


def original(reference: Path) -> Original:
    """Read the original's part of the reference folder."""
    folder = reference / "original"
    stored = np.load(folder / "lines_spectra_public.npz")
    # the stored fluxes are per 2 Å sample
    spectra = {
        int(key): Spectrum(stored["wave"], flux / 2.0, stored["err"] / 2.0, 2.336)
        for key, flux in zip(stored["obj"], stored["flux"], strict=True)
    }
    truth = json.loads((folder / "lines_truth_public.json").read_text())
    return Original(
        spectra,
        {each["obj"]: each["lines"] for each in truth},
        pd.read_csv(folder / "lines_fits_public.csv"),
        pd.read_csv(folder / "lines_summary_public.csv"),
    )


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Processor time of a call: the least of several, for what else the computer does only adds."""
    call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def middle_milliseconds(calls: Sequence[Callable[[], object]]) -> float:
    """Median over calls that differ in what they are given, each the least of five."""
    return float(np.median([milliseconds(call, 5) for call in calls]))


def arguments(description: str | None, page: str, number: int) -> argparse.Namespace:
    """`--reference`, `--number` (of simulated things) and `--output` (docs/`page` unless told)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--reference", type=Path, help="folder with original/ and real/")
    parser.add_argument("--number", type=int, default=number, help="how many to simulate of each kind")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "docs" / page)
    return parser.parse_args()


def write_page(output: Path, lines: Iterable[str]) -> None:
    """Write the page, one entry a line."""
    output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {output}")
