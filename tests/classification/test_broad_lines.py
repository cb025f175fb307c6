"""A broad line without a continuum is an active nucleus; an artifact is narrow, or lies in few fibers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.analysis import interpret, measure
from elixer_widgets.classification.continuum import combine
from elixer_widgets.classification.posterior import Clues, posterior
from elixer_widgets.detection import Detection
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.wavelengths import HETDEX_LSF_SIGMA
from tests.spectra.synthetic import flux_for, spectrum

LIMIT = ContinuumEstimate("aperture g", 0.02, is_limit=True, limit_sigma=2.0, band="g", weight=1.0)
NOTHING = combine([LIMIT], 4500.0)
NUCLEUS = ("Lya", "CIV", "CIII", "HeII", "MgII")
WIDTHS = [1570.0, 3000.0, 5000.0, 7000.0, 9400.0]


def sigma_of(fwhm: float, center: float) -> float:
    """σ in Å as observed of a line of `fwhm` km/s."""
    return float(np.hypot(fwhm / 299792.458 * center / 2.3548, HETDEX_LSF_SIGMA))


@pytest.mark.parametrize("fwhm", WIDTHS)
@pytest.mark.parametrize("snr", [43.0, 70.0, 107.0])
def test_a_broad_line_without_a_continuum_is_an_active_nucleus(fwhm: float, snr: float) -> None:
    sigma = sigma_of(fwhm, 4500.0)
    clean = spectrum([(4500.0, sigma, flux_for(snr, sigma))], continuum=0.0, seed=int(snr))
    meaning = interpret(measure(Detection.from_spectrum(clean, 4500.0)))
    assert meaning.identity in NUCLEUS
    assert sum(meaning.posterior[name] for name in NUCLEUS) > 0.7
    assert meaning.posterior["artifact"] + meaning.posterior["noise"] < 0.1
    assert meaning.labels == ("agn",)


def in_fibers(share: np.ndarray, weight: np.ndarray, flux: float) -> tuple[FiberFlux, ...]:
    error = 0.05 * flux
    return tuple(
        FiberFlux(f"fiber {n}", 1 + n % 3, float(w), float(flux * s), error)
        for n, (s, w) in enumerate(zip(share, weight, strict=True))
    )


def test_a_broad_line_in_few_fibers_may_be_an_artifact() -> None:
    """The same line, spread over the fibers like the image of a source, and in one fiber of small weight only."""
    sigma = sigma_of(3000.0, 4500.0)
    line = LineFit(4500.0, sigma, 3e-16, 0.0, 60.0, 1.0, 0.4, 0.03 * sigma, 5e-18, 0.01, 80)
    weight = np.array([0.35, 0.25, 0.18, 0.12, 0.06, 0.04])
    clues = Clues(line, NOTHING)
    source = posterior(replace(clues, fibers=in_fibers(weight, weight, 3e-16))).probabilities
    fault = posterior(replace(clues, fibers=in_fibers(np.array([0, 0, 0, 0, 1.0, 0]), weight, 3e-16))).probabilities
    assert sum(source[name] for name in NUCLEUS) > 0.7 and source["artifact"] < 0.1
    assert fault["artifact"] > 30.0 * source["artifact"] and fault["artifact"] > 0.2


def test_a_narrow_line_without_a_continuum_may_still_be_an_artifact() -> None:
    """A spike as wide as the instrument alone, as strong: the widths tell, not the strength."""
    line = LineFit(4500.0, 0.8 * HETDEX_LSF_SIGMA, 3e-16, 0.0, 60.0, 1.0, 0.1, 0.05, 5e-18, 0.01, 40)
    narrow = posterior(Clues(line, NOTHING)).probabilities
    broad = posterior(Clues(replace(line, sigma=19.0, sigma_err=0.6), NOTHING)).probabilities
    assert narrow["artifact"] > 5.0 * broad["artifact"]
