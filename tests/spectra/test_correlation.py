"""Noise of known correlation: it is measured, and the errors of fits hold the truth again."""

import numpy as np
import pytest
from scipy import signal

from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import fit_line
from elixer_widgets.spectra.correlation import noise_correlation, with_correlated_noise
from elixer_widgets.spectra.fitting import fit_many
from tests.spectra.synthetic import flux_for, spectrum

KERNELS = {"white": (1.0,), "pairs": (0.5, 0.5), "five": (0.1, 0.2, 0.4, 0.2, 0.1)}


def _noise(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Unit variance; a moving average, or for "regressive" an AR(1) process of 0.6."""
    if kind == "regressive":
        return signal.lfilter([0.8], [1.0, -0.6], rng.normal(size=n + 100))[100:]
    kernel = np.array(KERNELS[kind])
    return np.convolve(rng.normal(size=n + kernel.size - 1), kernel / np.sqrt(np.sum(kernel**2)), "valid")


def _spectra(kind: str, n: int, seed: int) -> tuple[list[Spectrum], np.ndarray]:
    """Spectra with one line each, and its flux (1e-17), centre and σ, shape (n, 3)."""
    rng = np.random.default_rng(seed)
    out, truth = [], []
    for _ in range(n):
        center, sigma = rng.uniform(4000.0, 5000.0), rng.uniform(2.6, 8.0)
        flux = flux_for(rng.uniform(15.0, 40.0), sigma)
        clean = spectrum([(center, sigma, flux)], seed=None)
        out.append(Spectrum(clean.wavelength, clean.flux + 0.3 * _noise(kind, clean.flux.size, rng), clean.error, 2.0))
        truth.append((flux, center, sigma))
    return out, np.array(truth)


@pytest.mark.parametrize("kind", ["pairs", "five", "regressive"])
def test_known_correlation_is_measured(kind: str) -> None:
    if kind == "regressive":
        expected = 0.6 ** np.arange(1, 3)
    else:
        kernel = np.array(KERNELS[kind])
        lags = np.correlate(kernel, kernel, "full")[kernel.size :] / np.sum(kernel**2)
        expected = lags[:2]
    spectra, _ = _spectra(kind, 40, 3)
    measured = [noise_correlation(each) for each in spectra]
    for lag, value in enumerate(expected, start=1):
        found = [each[lag] if each.size > lag else 0.0 for each in measured]
        # the continuum taken off takes a little along
        assert np.mean(found) == pytest.approx(value, abs=0.05)


def test_white_noise_leaves_fits_as_they_are() -> None:
    spectra, _ = _spectra("white", 200, 4)
    changed = sum(noise_correlation(each).size > 1 for each in spectra)
    assert changed <= 4
    fit = fit_line(spectra[0], 4500.0)
    assert with_correlated_noise(fit, spectra[0], np.ones(1)) is fit


@pytest.mark.parametrize("kind", ["pairs", "five", "regressive"])
def test_errors_hold_the_truth_again(kind: str) -> None:
    n = 600
    spectra, truth = _spectra(kind, n, 5)
    fits = fit_many(spectra, truth[:, 1], np.arange(n))
    inside: list[list[np.ndarray]] = [[], []]
    for each, fit, true in zip(spectra, fits, truth, strict=True):
        corrected = with_correlated_noise(fit, each, noise_correlation(each, [fit]))
        assert corrected.snr < fit.snr and corrected.flux == fit.flux
        for out, one in zip(inside, (fit, corrected), strict=True):
            error = np.array([one.flux_err * 1e17, one.center_err, one.sigma_err])
            out.append(np.abs(np.array([one.flux * 1e17, one.center, one.sigma]) - true) < error)
    before, after = (np.mean(each, axis=0) for each in inside)
    assert np.all(before < 0.6)
    # four errors of a share of 600, three quantities
    assert np.all(np.abs(after - 0.683) < 4.0 * np.sqrt(0.683 * 0.317 / n))


def test_short_or_blank_spectra_count_as_white() -> None:
    grid = spectrum([]).wavelength
    assert noise_correlation(Spectrum(grid, np.full(grid.size, np.nan))).size == 1
    assert noise_correlation(Spectrum(grid[:30], np.zeros(30), np.ones(30))).size == 1
    assert noise_correlation(Spectrum(grid, np.zeros(grid.size), np.ones(grid.size))).size == 1
