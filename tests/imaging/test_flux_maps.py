"""Maps from fibers against sources whose place and flux are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from elixer_widgets.imaging.flux_maps import APERTURE, KERNEL_FWHM, PIXEL, FluxMap, fiber_map
from elixer_widgets.simulation.optics import MOFFAT_BETA, fiber_fraction, fiber_pattern

RA, DEC = 150.3, 68.0
DITHERS = ((0.0, 0.0), (1.27, -0.73), (1.27, 0.73))
SEEING = 1.7


def _fibers() -> tuple[np.ndarray, np.ndarray]:
    """Offsets (arcsec east, north) of an IFU's fibers in three dithers."""
    x, y = fiber_pattern()
    east = np.concatenate([x + dx for dx, _ in DITHERS])
    north = np.concatenate([y + dy for _, dy in DITHERS])
    keep = np.hypot(east, north) < 9.0
    return east[keep], north[keep]


def _map(east0: float, north0: float, total: float, noise: float, seed: int = 0, sky: float = 0.0) -> FluxMap:
    east, north = _fibers()
    flux = total * fiber_fraction(np.hypot(east - east0, north - north0), SEEING) + sky
    flux = flux + np.random.default_rng(seed).normal(0.0, noise, flux.size)
    ra = RA + east / 3600.0 / np.cos(np.radians(DEC))
    return fiber_map(ra, DEC + north / 3600.0, flux, np.full(flux.size, noise), (RA, DEC))


def _expected_share() -> float:
    """Share of a point source in the aperture after seeing, fiber and kernel, by convolution on a fine grid."""
    step = 0.1
    axis = np.arange(-15.0, 15.0 + step / 2, step)
    x, y = np.meshgrid(axis, axis)
    core = SEEING / (2.0 * np.sqrt(2.0 ** (1.0 / MOFFAT_BETA) - 1.0))
    image = (MOFFAT_BETA - 1.0) / (np.pi * core**2) * (1.0 + (x**2 + y**2) / core**2) ** -MOFFAT_BETA
    fiber = (np.hypot(x, y) <= 0.75).astype(float)
    sigma = KERNEL_FWHM / 2.3548
    kernel = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    for part in (fiber / fiber.sum(), kernel / kernel.sum()):
        image = fftconvolve(image, part, mode="same")
    return float(image[np.hypot(x, y) <= APERTURE].sum() * step**2)


def test_flux_in_the_aperture() -> None:
    found = np.array([_map(0.0, 0.0, 100.0, 0.2, seed).flux for seed in range(20)])
    assert found.mean() == pytest.approx(100.0 * _expected_share(), rel=0.06)


def test_a_sky_left_in_is_taken_off() -> None:
    plain, raised = (_map(0.0, 0.0, 100.0, 0.2, 1, sky).flux for sky in (0.0, 5.0))
    assert raised == pytest.approx(plain, rel=1e-6)


def test_error_is_the_scatter() -> None:
    """On empty sky the flux scatters about 0 by its error: 300 fields, so 68 ± 3 % and a scatter good to 4 %."""
    maps = [_map(0.0, 0.0, 0.0, 1.0, seed) for seed in range(300)]
    pull = np.array([each.snr for each in maps])
    assert abs(pull.mean()) < 0.2
    assert 0.85 < pull.std() < 1.15


@pytest.mark.parametrize(("east", "north"), [(0.0, 0.0), (0.8, -0.4), (-0.5, 0.9)])
def test_the_peak_lies_on_the_source(east: float, north: float) -> None:
    found = _map(east, north, 200.0, 0.2)
    assert found.wcs is not None
    y, x = np.unravel_index(np.nanargmax(found.data), found.data.shape)
    ra, dec = found.wcs.pixel_to_world_values(x, y)
    assert (ra - RA) * 3600 * np.cos(np.radians(DEC)) == pytest.approx(east, abs=0.6)
    assert (dec - DEC) * 3600 == pytest.approx(north, abs=0.6)


def test_north_is_up_and_east_left() -> None:
    found = _map(2.0, 0.0, 200.0, 0.2)
    count = found.data.shape[0]
    east_half, west_half = found.data[:, : count // 2], found.data[:, count // 2 + 1 :]
    assert np.nansum(east_half) > np.nansum(west_half)
    assert found.data.shape == (count, count) and count * PIXEL == pytest.approx(9.0, abs=PIXEL)


def test_masked_fibers_and_holes() -> None:
    east, north = _fibers()
    ra = RA + east / 3600.0 / np.cos(np.radians(DEC))
    flux = np.ones(east.size)
    flux[(east > 2.0)] = np.nan
    found = fiber_map(ra, DEC + north / 3600.0, flux, np.ones(east.size), (RA, DEC))
    assert np.isnan(found.data[:, 0]).all()
    assert np.isfinite(found.data[:, found.data.shape[1] // 2]).all()


def test_no_fiber_is_said() -> None:
    none = fiber_map(*(np.zeros(0),) * 4, (RA, DEC))
    assert none.reason and np.isnan(none.snr) and none.data.size == 0
    far = fiber_map(np.array([RA]), np.array([DEC + 0.001]), np.ones(1), np.ones(1), (RA, DEC))
    assert "no fiber lies within" in far.reason
