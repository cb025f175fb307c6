"""Whatever a public function is given: an answer, or a refusal in words with the value and what to give instead."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elixer_widgets as ew
from elixer_widgets import classify
from elixer_widgets.analysis import interpret, measure
from elixer_widgets.detection import DataError, Detection, Spectrum
from elixer_widgets.imaging.apertures import grow_aperture, measure_aperture
from elixer_widgets.imaging.sources import find_sources
from elixer_widgets.spectra import find_lines, fit_line, main_line, strongest_line
from tests.factories import DEC, RA, make_cutout, make_interpretation
from tests.spectra.synthetic import spectrum

NOTHING: Any = object()
HOSTILE: dict[str, Any] = {
    "None": None, "text": "abc", "empty text": "", "nan": float("nan"), "inf": float("inf"), "-inf": float("-inf"),
    "-1": -1, "0": 0, "1e300": 1e300, "-1e300": -1e300, "list": [], "list of None": [None], "object": NOTHING,
    "True": True, "dict": {}, "array": np.zeros((2, 2)), "complex": 1j, "bytes": b"x",
}  # fmt: skip

SPECTRUM = spectrum([(4500.0, 2.9, 30.0)])
SHORT = Spectrum(SPECTRUM.wavelength[480:560], SPECTRUM.flux[480:560], SPECTRUM.error[480:560], 2.3)
PLAE = {"line_wave": 4500.0, "line_flux": 1e-16, "line_flux_err": 1e-17, "eqw_obs": 100.0, "eqw_obs_err": 10.0}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Public functions with arguments that they answer to."""
    folder = tmp_path_factory.mktemp("arguments")
    measured = measure(Detection.from_spectrum(SHORT, 4500.0))
    cutout = make_cutout()
    place = {"cutout": cutout, "ra": RA, "dec": DEC}
    return {
        "fit_line": (
            fit_line,
            {
                "spectrum": SHORT,
                "wavelength": 4500.0,
                "window": 40.0,
                "sigma_max": 20.0,
                "absorption": None,
                "subtract": (),
            },
        ),
        "find_lines": (find_lines, {"spectrum": SHORT, "min_snr": 4.6, "sigma_max": 20.0}),
        "main_line": (main_line, {"spectrum": SHORT, "wavelength": 4500.0, "lines": ()}),
        "strongest_line": (strongest_line, {"spectrum": SHORT}),
        "measure": (
            measure,
            {"detection": Detection.from_spectrum(SHORT, 4500.0), "aperture": None, "excluded_fibers": ()},
        ),
        "interpret": (
            interpret,
            {"measurements": measured, "identity": None, "redshift": None, "counterpart": None, "without": ()},
        ),
        "grow_aperture": (grow_aperture, {**place, "start": 1.0, "step": 0.1, "max_radius": 3.0}),
        "measure_aperture": (
            measure_aperture,
            {**place, "radius": 1.0, "annulus": None, "minor": None, "position_angle": 0.0},
        ),
        "find_sources": (find_sources, {"cutout": cutout, "threshold": 1.5, "position": None}),
        "open_release": (ew.open_release, {"path": str(folder / "nothing")}),
        "simulate_release": (ew.simulate_release, {"path": str(folder / "nowhere" / "deep"), "n": 0, "seed": 1}),
        "write_report": (
            ew.write_report,
            {"interpretation": make_interpretation(), "path": str(folder / "absent" / "a.pdf")},
        ),
        "write_catalog": (ew.write_catalog, {"interpretations": [], "path": str(folder / "absent" / "a.h5")}),
        "merge_catalogs": (ew.merge_catalogs, {"paths": [], "path": str(folder / "a.h5"), "helpers": None}),
        "read_catalog": (ew.read_catalog, {"path": str(folder / "a.h5"), "detectids": None, "tables": None}),
        "from_spectrum": (
            Detection.from_spectrum,
            {"spectrum": SHORT, "wavelength": 4500.0, "ra": None, "dec": None, "magnitudes": None},
        ),
        "plae_poii": (classify.plae_poii, {**PLAE, "addl_wave": (), "addl_flux": (), "addl_flux_err": ()}),
        "solution_finder": (
            classify.solution_finder,
            {"waves": SHORT.wavelength, "flux": SHORT.flux, "flux_err": SHORT.error, "line_wave": 4500.0},
        ),
    }


NAMES = (
    "fit_line", "find_lines", "main_line", "strongest_line", "measure", "interpret", "grow_aperture",
    "measure_aperture", "find_sources", "open_release", "simulate_release", "write_report", "write_catalog",
    "merge_catalogs", "read_catalog", "from_spectrum", "plae_poii", "solution_finder",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_hostile_arguments_are_answered_or_refused_in_words(
    name: str, usual: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every argument in turn; from inside comes no TypeError, no IndexError, no LinAlgError and no RuntimeWarning."""
    monkeypatch.chdir(tmp_path)  # "abc" is a good name for a file
    function, good = usual[name]
    refused, wrong = 0, []
    for argument in good:
        for what, value in HOSTILE.items():
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                try:
                    function(**{**good, argument: value})
                except DataError as error:
                    refused += 1
                    if len(str(error)) < 15:
                        wrong.append(f"{argument}={what}: says only {error}")
                except Exception as error:  # noqa: BLE001 (whatever else comes out is what is looked for)
                    wrong.append(f"{argument}={what}: {type(error).__name__}: {error!s:.80}")
    assert not wrong, "\n".join(wrong)
    assert refused >= 3
