"""Doublet fits against doublets of known redshift, width and ratio."""

import numpy as np
import pytest

from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra import LINES
from elixer_widgets.spectra.doublets import fit_doublet
from elixer_widgets.spectra.wavelengths import vacuum_to_air
from tests.spectra.synthetic import LSF, spectrum


def _doublet(
    name: str, z: float, sigma: float, flux: float, share: float, *, noise: float, seed: int | None
) -> Spectrum:
    (blue, _), (red, _) = LINES[name].components
    places = vacuum_to_air(np.array([blue, red]) * (1.0 + z))
    return spectrum(
        [(float(places[0]), sigma, flux * (1.0 - share)), (float(places[1]), sigma, flux * share)],
        noise=noise,
        seed=seed,
    )


@pytest.mark.parametrize(("name", "z", "sigma"), [("OII", 0.2, 2.4), ("MgII", 0.6, 5.0), ("CIV", 2.1, 3.0)])
def test_noiseless_doublet_comes_back(name: str, z: float, sigma: float) -> None:
    quiet = _doublet(name, z, sigma, 80.0, 0.6, noise=0.05, seed=None)
    fit = fit_doublet(quiet, LINES[name], z + 3e-4, free_ratio=True)
    assert fit.redshift == pytest.approx(z, abs=3e-5)
    assert fit.sigma == pytest.approx(sigma, rel=0.01)
    assert fit.flux == pytest.approx(80e-17, rel=0.01)
    assert fit.share == pytest.approx(0.6, abs=0.01)
    # its curve is what was drawn from, not the sum of two other numbers
    np.testing.assert_allclose(fit.model(quiet.wavelength), quiet.flux, atol=0.02 * np.ptp(quiet.flux))


def test_resolved_doublet_beats_one_gaussian_and_one_line_does_not() -> None:
    double = _doublet("MgII", 0.6, 3.0, 100.0, 0.45, noise=0.3, seed=2)
    assert fit_doublet(double, LINES["MgII"], 0.6).gain > 30.0
    lone = spectrum([(4478.0, 3.0, 100.0)], seed=2)
    assert fit_doublet(lone, LINES["MgII"], 4479.3 / LINES["MgII"].vacuum - 1.0).gain < 0.0


def test_redshift_error_covers_the_truth() -> None:
    pulls = []
    for seed in range(150):
        noisy = _doublet("OII", 0.2, 2.4, 40.0, 0.574, noise=0.3, seed=seed)
        fit = fit_doublet(noisy, LINES["OII"], 0.2)
        pulls.append((fit.redshift - 0.2) / fit.redshift_err)
    assert abs(np.mean(pulls)) < 0.3
    assert np.std(pulls) == pytest.approx(1.0, abs=0.25)


def test_bad_input() -> None:
    with pytest.raises(DataError, match="components"):
        fit_doublet(spectrum([]), LINES["Lya"], 2.5)
    grid = spectrum([]).wavelength
    blank = Spectrum(grid, np.full(grid.size, np.nan), None, LSF)
    assert np.isnan(fit_doublet(blank, LINES["OII"], 0.2).flux)
