"""Is the line in every exposure? What the fibers of each say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elixer_widgets.spectra.extraction import FiberFlux


@dataclass(frozen=True)
class ExposureSignal:
    """The main line in one exposure: its S/N, the S/N to expect if all exposures saw the same source, its fibers."""

    exposure: int
    snr: float
    expected: float
    fibers: int


def exposure_signals(fluxes: Sequence[FiberFlux]) -> tuple[ExposureSignal, ...]:
    """The main line in each exposure.

    Parameters
    ----------
    fluxes : sequence of FiberFlux
        The line in every fiber in use.

    Returns
    -------
    tuple of ExposureSignal
        By number of the exposure; exposures without a measured fiber are left out.

    Notes
    -----
    A source of flux F puts w F into a fiber of weight w, so that fibers with fluxes f ± e give F = Σ(w f/e²) / Σ(w²/e²)
    with error Σ(w²/e²)^(-1/2) (weighted least squares; Horne 1986, PASP 98, 609, for pixels). `expected` is the F of
    all fibers over the error of the exposure alone.
    """
    used = [each for each in fluxes if each.weight > 0 and each.flux_err > 0 and np.isfinite(each.flux)]
    if not used:
        return ()
    weight = np.array([each.weight for each in used])
    variance = np.array([each.flux_err for each in used]) ** 2
    top, bottom = weight * np.array([each.flux for each in used]) / variance, weight**2 / variance
    exposure = np.array([each.exposure for each in used])
    source = float(np.sum(top) / np.sum(bottom))
    found = []
    for number in np.unique(exposure):
        own = exposure == number
        depth = float(np.sqrt(np.sum(bottom[own])))
        found.append(ExposureSignal(int(number), float(np.sum(top[own])) / depth, source * depth, int(np.sum(own))))
    return tuple(found)
