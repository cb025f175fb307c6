"""The sampled posterior against a Markov chain of the same model, and against known lines."""

import emcee
import numpy as np
import pytest

from elixer_widgets.detection import DataError, Spectrum
from elixer_widgets.spectra import fit_line
from elixer_widgets.spectra.sampling import SampledLine, sample_line
from tests.spectra.synthetic import flux_for, gaussian, spectrum

NAMES = ("center", "sigma", "flux", "continuum")


def _chain(noisy: Spectrum, drawn: SampledLine) -> tuple[np.ndarray, float]:
    """Draws by emcee of (centre, σ, flux, continuum) with the priors of `sample_line`, and how many are independent.

    All four are sampled, ln σ in place of σ.
    """
    fit = drawn.fit
    part = noisy.window(fit.center - 36.0, fit.center + 36.0)
    wave, flux, weight = part.wavelength, part.flux, part.error**-2.0

    def log_posterior(p: np.ndarray) -> float:
        center, log_sigma, area, level = p
        if abs(center - fit.center) > 8.0 or not np.log(1.4) < log_sigma < np.log(18.0) or area < 0.0:
            return -np.inf
        shape = gaussian(wave, center, np.exp(log_sigma), 1.0)
        # the error of the flux with the continuum free: what its prior is flat in
        mean = np.sum(weight * shape) / np.sum(weight)
        information = np.sum(weight * (shape - mean) ** 2)
        return -0.5 * np.sum(weight * (flux - area * shape - level) ** 2) + 0.5 * np.log(information)

    rng = np.random.default_rng(3)
    start = np.array([fit.center, np.log(fit.sigma), fit.flux * 1e17, fit.continuum])
    spread = [fit.center_err, fit.sigma_err / fit.sigma, fit.flux_err * 1e17, fit.continuum_err]
    sampler = emcee.EnsembleSampler(40, 4, log_posterior)
    sampler.random_state = np.random.RandomState(3).get_state()
    sampler.run_mcmc(start + 0.3 * rng.normal(size=(40, 4)) * spread, 2000)
    chain = sampler.get_chain(discard=300, thin=4, flat=True)
    chain[:, 1] = np.exp(chain[:, 1])
    chain[:, 2] *= 1e-17
    return chain, 40 * 1700 / float(np.max(sampler.get_autocorr_time(discard=300, tol=0)))


@pytest.mark.slow
@pytest.mark.parametrize(("snr", "sigma"), [(6.0, 3.0), (15.0, 4.5)])
def test_the_grid_draws_what_a_chain_draws(snr: float, sigma: float) -> None:
    noisy = spectrum([(4500.3, sigma, flux_for(snr, sigma))], seed=21)
    drawn = sample_line(noisy, 4500.0, n=20_000)
    assert drawn.fit.sigma < 6.5, "the window of the chain is that of a narrow line"
    chain, independent = _chain(noisy, drawn)
    # a quantile at 16 % of so many normal draws is off by 1.5 σ/√n; four times that
    off = 4.0 * 1.5 / np.sqrt(independent)
    assert off < 0.25
    for i, name in enumerate(NAMES):
        middle, low, high = drawn.interval(name)
        width = 0.5 * (high - low)
        expected = np.quantile(chain[:, i], [0.5, 0.1587, 0.8413])
        assert np.allclose([middle, low, high], expected, atol=off * width, rtol=0.0), name
    ours = np.corrcoef(np.stack([getattr(drawn, name) for name in NAMES]))
    assert np.allclose(ours, np.corrcoef(chain.T), atol=off)


def test_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(12)
    inside = []
    for _ in range(400):
        center, sigma, snr = rng.uniform(4000.0, 5000.0), rng.uniform(2.6, 9.0), rng.uniform(6.0, 30.0)
        flux = flux_for(snr, sigma)
        clean = spectrum([(center, sigma, flux)], seed=None)
        noisy = Spectrum(clean.wavelength, clean.flux + rng.normal(0, 0.3, clean.flux.size), clean.error, 2.0)
        drawn = sample_line(noisy, center, n=500)
        bounds = [drawn.interval(name)[1:] for name in NAMES]
        inside.append(
            [low < t < high for (low, high), t in zip(bounds, (center, sigma, flux * 1e-17, 0.1), strict=True)]
        )
    # four errors of a share of 400
    assert np.all(np.abs(np.mean(inside, axis=0) - 0.683) < 4.0 * np.sqrt(0.683 * 0.317 / 400))


def test_same_seed_same_draws_and_no_other() -> None:
    noisy = spectrum([(4500.0, 3.0, 40.0)])
    fit = fit_line(noisy, 4500.0)
    first, again, other = (sample_line(noisy, fit, n=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.flux, again.flux) and not np.array_equal(first.flux, other.flux)


def test_absorption_stays_absorption() -> None:
    noisy = spectrum([(4500.0, 3.0, -15.0)], seed=5)
    drawn = sample_line(noisy, fit_line(noisy, 4500.0, absorption=True), n=500)
    assert np.all(drawn.flux < 0)


def test_without_errors_the_scatter_serves() -> None:
    noisy = spectrum([(4500.0, 3.0, 60.0)], seed=6)
    known = sample_line(noisy, 4500.0)
    blind = sample_line(Spectrum(noisy.wavelength, noisy.flux, None, noisy.lsf_sigma), 4500.0)
    assert 0.6 < np.std(blind.flux) / np.std(known.flux) < 1.6


def test_nothing_to_sample_is_said() -> None:
    blank = spectrum([])
    with pytest.raises(DataError, match="at least one draw"):
        sample_line(blank, 4500.0, n=0)
    empty = Spectrum(blank.wavelength, np.full(blank.wavelength.size, np.nan))
    with pytest.raises(DataError, match="no errors"):
        sample_line(empty, 4500.0)
