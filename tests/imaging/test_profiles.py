"""The whole light of sources whose light is known."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.apertures import grow_aperture, measure_aperture
from elixer_widgets.imaging.profiles import MOFFAT_BETA, TotalLight, light_within, total_light
from tests.imaging.sky import DEC, RA, cutout

SCALE, NOISE = 0.2, 0.036
SIZE = 91


def disc(x: float, y: float, mag: float, half_light: float, fwhm: float, ratio: float = 1.0) -> np.ndarray:
    """An exponential disc (0: a point) under Moffat seeing, each pixel the mean of 5 x 5 places."""
    fine = (np.arange(SIZE * 5) + 0.5) / 5 - 0.5
    yy, xx = np.meshgrid(fine, fine, indexing="ij")
    core = fwhm / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
    squared = ((xx - x) ** 2 + (yy - y) ** 2) * SCALE**2
    image = (1 + squared / core**2) ** -MOFFAT_BETA
    if half_light:
        h = half_light / 1.67835
        u, v = (xx - x) * SCALE * np.sqrt(ratio), (yy - y) * SCALE / np.sqrt(ratio)
        middle = (fine.size - 1) / 2
        shift = (np.arange(fine.size) - middle) * SCALE / 5
        kernel = (1 + (shift[:, None] ** 2 + shift[None, :] ** 2) / core**2) ** -MOFFAT_BETA
        flat = np.exp(-np.hypot(u, v) / h)
        spectrum = np.fft.rfft2(flat) * np.fft.rfft2(np.fft.ifftshift(kernel))
        image = np.fft.irfft2(spectrum, s=flat.shape)
    image = image.reshape(SIZE, 5, SIZE, 5).sum(axis=(1, 3))
    return 10 ** (0.4 * (27.0 - mag)) * image / image.sum()


def seen(data: np.ndarray, fwhm: float, seed: int = 0) -> Cutout:
    noise = np.random.default_rng(seed).normal(0, NOISE, data.shape)
    return cutout(data + noise, SCALE, psf_fwhm=fwhm)


@pytest.mark.parametrize("fwhm", [0.6, 1.3])
def test_curve_of_growth_of_a_point(fwhm: float) -> None:
    """The light of a Moffat profile within R is 1 - (1 + R²/α²)^(1-β)."""
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
    radii = np.linspace(0.0, 6.0, 61)
    expected = 1 - (1 + (radii / alpha) ** 2) ** (1 - MOFFAT_BETA)
    assert light_within(radii, fwhm, np.zeros(1), 0.01)[0] == pytest.approx(expected, abs=2e-3)


def test_half_of_a_disc_lies_within_its_half_light_radius() -> None:
    assert light_within(np.array([0.8]), 0.05, np.array([0.8]), 0.01)[0, 0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("fwhm", [0.6, 0.9, 1.3])
@pytest.mark.parametrize("half_light", [0.0, 0.3, 0.7])
def test_bias_and_errors_above_ten_sigma(fwhm: float, half_light: float) -> None:
    """24th magnitude is S/N 15 to 45: 40 images, so the mean is known to a sixth of an error."""
    rng = np.random.default_rng(4)
    deviation, error = [], []
    for seed in range(40):
        data = disc(45 + rng.uniform(-0.5, 0.5), 45 + rng.uniform(-0.5, 0.5), 24.0, half_light, fwhm, 0.7)
        growth = grow_aperture(seen(data, fwhm, seed), RA, DEC)
        deviation.append(growth.mag - 24.0)
        error.append(growth.mag_err)
    assert abs(np.mean(deviation)) < 0.02 + 2.0 * np.std(deviation) / np.sqrt(40)
    assert 0.7 < np.sqrt(np.mean((np.array(deviation) / error) ** 2)) < 1.35


def test_a_bright_neighbour_is_left_out() -> None:
    data = disc(45, 45, 24.0, 0.0, 0.8) + disc(45 + 2.2 / SCALE, 45, 21.5, 0.0, 0.8)
    growth = grow_aperture(seen(data, 0.8), RA, DEC)
    assert growth.mag == pytest.approx(24.0, abs=0.25)
    assert growth.aperture_mag < 23.5
    assert growth.foreign > 0.02


@pytest.mark.parametrize(("distance", "mag"), [(3.0, 17.0), (4.0, 17.0), (6.0, 15.0)])
def test_light_that_is_all_a_neighbour_s_is_a_limit(distance: float, mag: float) -> None:
    data = disc(45 + distance / SCALE, 45, mag, 0.8, 0.8)  # its outskirts fill the circle
    growth = grow_aperture(seen(data, 0.8), RA, DEC)
    assert growth.aperture_mag_err < 0.1  # light is there
    assert growth.is_limit
    # no deeper than the light of the neighbour lets one see; empty sky has 26.9
    assert growth.aperture_mag < growth.limit < growth.aperture_mag + 5.0 < 26.9
    assert growth.limit - growth.limit3 == pytest.approx(2.5 * np.log10(1.5))


def test_a_source_beside_the_position_is_whole() -> None:
    data = disc(45 + 0.8 / SCALE, 45, 22.0, 0.0, 0.8)
    growth = grow_aperture(seen(data, 0.8), RA, DEC)
    assert growth.mag == pytest.approx(22.0, abs=0.05)


def test_sizes() -> None:
    sizes = [grow_aperture(seen(disc(45, 45, 22.5, size, 0.8), 0.8), RA, DEC) for size in (0.0, 0.35, 0.85)]
    assert sizes[0].size < 0.12
    assert sizes[1].size == pytest.approx(0.35, abs=0.08)
    assert sizes[2].size == pytest.approx(0.85, abs=0.12)
    assert np.isnan(grow_aperture(cutout(disc(45, 45, 22.5, 0.3, 0.8)), RA, DEC).size)  # seeing not known


def test_unknown_seeing_costs_little() -> None:
    data = disc(45, 45, 23.0, 0.3, 1.0)
    assert grow_aperture(cutout(data + seen(data * 0, 1.0).data), RA, DEC).mag == pytest.approx(23.0, abs=0.05)


def test_empty_sky_scatters_about_nothing() -> None:
    pulls = []
    for seed in range(60):
        noise = np.random.default_rng(seed).normal(0, NOISE, (SIZE, SIZE))
        found = total_light(noise, np.full(noise.shape, NOISE**2), np.ones(noise.shape, bool), (45, 45), SCALE, 0.8)
        pulls.append(found.counts / found.counts_err)
    assert abs(np.mean(pulls)) < 0.4
    assert 0.6 < np.std(pulls) < 1.4


def test_a_persons_aperture_is_what_is_in_it() -> None:
    image = seen(disc(45, 45, 22.0, 0.7, 0.8), 0.8)
    growth = measure_aperture(image, RA, DEC, 0.6)
    assert growth.mag == growth.aperture_mag == pytest.approx(27.0 - 2.5 * np.log10(growth.counts))
    assert np.isnan(growth.size)


def test_too_little_to_compare() -> None:
    good = np.zeros((20, 20), bool)
    assert repr(total_light(np.ones((20, 20)), np.ones((20, 20)), good, (10, 10), SCALE, 0.8)) == repr(TotalLight())
    outside = total_light(np.ones((20, 20)), np.ones((20, 20)), ~good, (500, 500), SCALE, 0.8)
    assert np.isnan(outside.counts)
    coarse = total_light(np.ones((20, 20)), np.ones((20, 20)), ~good, (10, 10), 3.0, 0.8)
    assert np.isnan(coarse.counts)


def test_a_nominal_seeing_far_from_the_true_one() -> None:
    growth = grow_aperture(seen(disc(45, 45, 22.0, 0.0, 0.9), 1.67), RA, DEC)
    assert growth.mag == pytest.approx(22.0, abs=0.05)
    growth = grow_aperture(seen(disc(45, 45, 22.0, 0.0, 1.3), 0.8), RA, DEC)
    assert growth.mag == pytest.approx(22.0, abs=0.05)
