"""The telescope: fibers, light that they catch, the detector's geometry and the calibration."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from elixer_widgets.detection import Fiber
from elixer_widgets.simulation import optics


def test_pattern_has_448_fibers_at_the_pitch_of_virus() -> None:
    x, y = optics.fiber_pattern()
    assert x.shape == y.shape == (448,)
    distance = np.hypot(x[:, None] - x, y[:, None] - y) + 99.0 * np.eye(448)
    assert distance.min() == pytest.approx(optics.FIBER_PITCH)
    assert np.abs(x).max() < 25.5 and np.abs(y).max() < 25.5  # the IFU is 51 arcsec wide


def test_amplifiers_share_the_fibers_in_the_order_of_the_ccd_number() -> None:
    x, y = optics.fiber_pattern()
    seen = []
    for amp in ("LU", "LL", "RL", "RU"):
        ax, ay = optics.amplifier_fibers(amp)
        for index in range(optics.FIBERS):
            number = Fiber("", 0.0, 0.0, amp=amp, fibnum=index + 1).ccd_number
            assert (ax[index], ay[index]) == (x[number - 1], y[number - 1])
            seen.append(number)
    assert sorted(seen) == list(range(1, 449))


def test_three_dithers_leave_no_gap_wider_than_a_fiber() -> None:
    x, y = optics.fiber_pattern()
    fx = np.concatenate([x + dither[0] for dither in optics.DITHERS])
    fy = np.concatenate([y + dither[1] for dither in optics.DITHERS])
    gx, gy = np.meshgrid(np.arange(-15, 15, 0.3), np.arange(-15, 15, 0.3))
    nearest = np.hypot(gx.ravel()[:, None] - fx, gy.ravel()[:, None] - fy).min(axis=1)
    one = np.hypot(gx.ravel()[:, None] - x, gy.ravel()[:, None] - y).min(axis=1)
    assert nearest.max() < 0.95
    assert one.max() > 1.4  # one exposure alone does leave gaps


@pytest.mark.parametrize("fwhm", [1.4, 1.8, 2.4])
def test_fiber_fraction_adds_up_to_all_light(fwhm: float) -> None:
    """Fibers on a fine grid over the plane see each photon (fiber area / cell area) times."""
    step = 0.3
    grid = np.arange(-11.0, 11.0, step)
    gx, gy = np.meshgrid(grid, grid)
    total = optics.fiber_fraction(np.hypot(gx, gy), fwhm).sum() * step**2 / (np.pi * optics.FIBER_RADIUS**2)
    assert total == pytest.approx(1.0, abs=0.012)  # the Moffat profile's wings beyond 11 arcsec hold up to 1 %


def test_fiber_fraction_in_the_centre_is_the_moffat_integral() -> None:
    """F(<R) = 1 - (1 + R²/α²)^(1-β) for a fiber on the star."""
    fwhm = 1.7
    core = fwhm / (2 * np.sqrt(2 ** (1 / optics.MOFFAT_BETA) - 1))
    expected = 1 - (1 + (optics.FIBER_RADIUS / core) ** 2) ** (1 - optics.MOFFAT_BETA)
    assert optics.fiber_fraction(np.array([0.0]), fwhm)[0] == pytest.approx(expected, rel=0.01)


def test_projection_agrees_with_a_tan_wcs() -> None:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [211.3, 52.7]
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    x, y = np.array([0.0, 20.0, -13.0]), np.array([0.0, -7.0, 31.0])
    ra, dec = optics.to_sky(x, y, 211.3, 52.7)
    expected = wcs.pixel_to_world_values(x, y)  # with pa = 0, x runs west: one pixel an arcsec
    np.testing.assert_allclose(ra, expected[0], atol=1e-9)
    np.testing.assert_allclose(dec, expected[1], atol=1e-9)


def test_position_angle_turns_the_y_axis_to_the_east() -> None:
    ra, dec = optics.to_sky(0.0, 30.0, 100.0, 0.0, pa=90.0)
    assert (float(ra) - 100.0) * 3600 == pytest.approx(30.0, abs=1e-3)
    assert float(dec) * 3600 == pytest.approx(0.0, abs=1e-3)


@pytest.fixture(scope="module")
def device() -> optics.Detector:
    return optics.detector(np.random.default_rng(4))


def test_traces_stay_on_the_chip_apart_and_curved(device: optics.Detector) -> None:
    gaps = np.diff(device.trace, axis=0)
    assert device.trace.min() > optics.HALF_WINDOW and device.trace.max() < optics.CCD - 1 - optics.HALF_WINDOW
    assert gaps.min() > 8.9 and gaps.max() < 9.4
    assert np.ptp(device.trace[0]) > 1.0


def test_wavelengths_rise_and_cover_the_grid(device: optics.Detector) -> None:
    assert (np.diff(device.wavelength, axis=1) > 1.9).all()
    assert device.wavelength[:, 0].max() < 3470.0 and device.wavelength[:, -1].min() > 5540.0


def test_spread_light_is_conserved_and_lies_on_the_trace(device: optics.Detector) -> None:
    counts = np.zeros((optics.FIBERS, optics.CCD))
    counts[40] = 100.0
    image = device.spread(counts)
    assert image.sum() == pytest.approx(counts.sum(), rel=1e-4)
    rows = np.arange(optics.CCD)[:, None]
    centre = (image * rows).sum(axis=0) / image.sum(axis=0)
    np.testing.assert_allclose(centre, device.trace[40], atol=0.05)


def test_sensitivity_gives_the_wanted_noise() -> None:
    """Photon noise of the dark sky and read noise over the fiber's profile."""
    wave = np.array([3600.0, 4500.0, 5300.0])
    scale = optics.sensitivity(wave)
    read = 2 * np.sqrt(np.pi) * optics.PROFILE_SIGMA * optics.READ_NOISE**2
    error = np.sqrt(optics.sky_continuum(wave) * scale + read) / scale
    np.testing.assert_allclose(error / optics.MEAN_CAPTURE, optics.detection_noise(wave), rtol=1e-6)
