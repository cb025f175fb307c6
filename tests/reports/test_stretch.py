"""From counts to pictures."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.reports import stretch


def test_high_counts_are_dark() -> None:
    picture = stretch.grey(np.array([[0.0, 5.0, 10.0]]), (0.0, 10.0))
    assert picture[0, :, 0].tolist() == [255, 128, 0]
    assert picture.dtype == np.uint8


def test_missing_pixels_are_not_grey() -> None:
    picture = stretch.grey(np.array([[np.nan, 1.0]]), (0.0, 1.0))
    assert len(set(picture[0, 0].tolist())) > 1


def test_zscale_of_noise_spans_it_and_ignores_a_source() -> None:
    image = np.random.default_rng(1).normal(10.0, 2.0, (60, 60))
    image[28:32, 28:32] = 500.0
    low, high = stretch.zscale(image, stretch.CUTOUT_CONTRAST)
    assert low < 10.0 < high
    assert 4.0 < high - low < 40.0


@pytest.mark.parametrize("values", [np.full((5, 5), np.nan), np.zeros((5, 5)), np.ones((60, 60))])
def test_zscale_of_nothing_still_has_a_range(values: np.ndarray) -> None:
    low, high = stretch.zscale(values, 1.0)
    assert np.isfinite([low, high]).all() and high > low


def test_widened_keeps_the_middle() -> None:
    assert stretch.widened((190.0, 210.0), 0.5) == (180.0, 220.0)


def test_cosmic_rays_and_bad_flats_have_their_colours() -> None:
    cosmic = np.zeros((3, 3), bool)
    cosmic[1, 1] = True
    assert tuple(stretch.cutout_picture(np.zeros((3, 3)), cosmic, (0, 1))[1, 1]) == stretch.COSMIC_RGB
    flat = np.ones((3, 3))
    flat[0, 2] = 0.6
    picture = stretch.flat_picture(flat)
    assert tuple(picture[0, 2]) == stretch.BAD_FLAT_RGB
    assert picture[1, 1].tolist() == [128, 128, 128]  # a flat of 1 is the middle of 0.8 to 1.2


def test_smoothing_sets_masked_pixels_to_zero_first() -> None:
    image = np.zeros((21, 49))
    image[10, 24] = 1e6
    cosmic = image > 0
    assert stretch.smooth(image, cosmic).max() == 0.0
    # the kernel is normalised: 1 / (2π · 2 · 1) of the counts remain in the peak
    assert stretch.smooth(image).max() == pytest.approx(1e6 / (4 * np.pi), rel=0.01)


def test_flux_map_colours_keep_their_order_in_grey() -> None:
    picture = stretch.colored(np.linspace(-1.0, 4.0, 40)[None, :], (-1.0, 4.0))
    grey_level = picture[0] @ np.array([0.299, 0.587, 0.114])
    assert np.all(np.diff(grey_level) > 0)
    assert tuple(stretch.colored(np.array([[np.nan]]), (0.0, 1.0))[0, 0]) == (226, 230, 238)


def test_flux_map_limits() -> None:
    values = np.array([[-3.0, 0.0, 9.0]])
    assert stretch.map_limits(values, 1.0) == (-1.0, 4.0)
    assert stretch.map_limits(np.array([[0.5, 9.0]]), 1.0) == (0.5, 4.0)
    low, high = stretch.map_limits(np.full((2, 2), np.nan), np.nan)
    assert low < high
