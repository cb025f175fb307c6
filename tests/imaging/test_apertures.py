"""Aperture photometry against light that was put there."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from elixer_widgets.detection import DataError
from elixer_widgets.imaging.apertures import (
    grow_aperture,
    measure_aperture,
    point_fraction,
    sky_annulus,
)
from tests.imaging.sky import DEC, RA, cutout, gaussian

SHAPE = (151, 151)
SCALE = 0.2
MIDDLE = 75.0


def gaussian_fraction(radius: float, fwhm: float) -> float:
    """Light of a round Gaussian within a radius."""
    return 1.0 - float(np.exp(-4 * np.log(2) * (radius / fwhm) ** 2))


def offset(east: float, north: float) -> tuple[float, float]:
    return RA + east / 3600 / np.cos(np.radians(DEC)), DEC + north / 3600


@settings(max_examples=15, deadline=None)
@given(
    radius=st.floats(0.6, 3.0),
    east=st.floats(-4, 4),
    north=st.floats(-4, 4),
    pedestal=st.floats(-50, 50),
    mag=st.floats(17, 24),
)
def test_counts_in_a_circle_of_a_noiseless_source(
    radius: float, east: float, north: float, pedestal: float, mag: float
) -> None:
    fwhm, counts = 0.9, 10 ** (0.4 * (27.0 - mag))
    data = gaussian(SHAPE, MIDDLE - east / SCALE, MIDDLE + north / SCALE, fwhm / SCALE, counts) + pedestal
    growth = measure_aperture(cutout(data), *offset(east, north), radius)
    # A pixel cut by the circle counts by its area, as if its light were even: the image is smoothed by a pixel.
    seen = float(np.sqrt(fwhm**2 + 8 * np.log(2) * SCALE**2 / 12))
    expected = counts * gaussian_fraction(radius, seen)
    assert growth.counts == pytest.approx(expected, rel=0.006, abs=2e-3 + 1e-4 * abs(pedestal))
    assert growth.sky == pytest.approx(pedestal, abs=1e-3 + 1e-5 * abs(pedestal))
    if counts > 10:
        assert growth.mag == pytest.approx(27.0 - 2.5 * np.log10(growth.counts))


def _measured(noise_sigma: float, mag: float, correlated: float, n: int, seed: int) -> np.ndarray:
    """(counts - truth) / error of `n` fixed apertures, truth being the light within the circle."""
    rng = np.random.default_rng(seed)
    fwhm, radius = 0.9, 1.0
    counts = 10 ** (0.4 * (27.0 - mag))
    source = gaussian(SHAPE, MIDDLE, MIDDLE, fwhm / SCALE, counts)
    deviations = []
    for _ in range(n):
        noise = rng.normal(size=SHAPE)
        if correlated:
            noise = ndimage.gaussian_filter(noise, correlated, mode="wrap")
            noise /= noise.std()
        growth = measure_aperture(cutout(source + noise_sigma * noise, psf_fwhm=fwhm), RA, DEC, radius)
        deviations.append((growth.counts - counts * gaussian_fraction(radius, fwhm)) / growth.counts_err)
    return np.array(deviations)


@pytest.mark.parametrize(("mag", "correlated"), [(23.0, 0.0), (26.5, 0.0), (24.0, 0.7), (26.0, 1.0)])
def test_errors_cover_what_they_say(mag: float, correlated: float) -> None:
    deviations = _measured(0.036, mag, correlated, 80, seed=11)
    # The standard deviation of 80 unit Gaussian numbers is 1 ± 0.08; correlated noise may be 15 % misjudged.
    tolerance = 0.25 if not correlated else 0.35
    assert np.std(deviations) == pytest.approx(1.0, abs=tolerance)
    assert abs(np.mean(deviations)) < 0.3


def test_sky_ring_is_about_the_target() -> None:
    # A step in the background: only a ring about the target itself sees the right side of it.
    data = np.zeros(SHAPE) + 1.0
    data[:, 120:] = 100.0
    source = cutout(data + gaussian(SHAPE, 30, 75, 4.0, 500.0))
    ra, dec = source.sky(30, 75)
    growth = measure_aperture(source, ra, dec, 1.5)
    assert growth.sky == pytest.approx(1.0, abs=1e-3)
    assert growth.annulus == sky_annulus(1.5) == (3.0, 5.0)
    assert sky_annulus(3.0) == (6.0, 9.0)


def test_limits_where_there_is_nothing() -> None:
    rng = np.random.default_rng(5)
    sigma = 0.036
    limits = []
    for _ in range(60):
        growth = grow_aperture(cutout(rng.normal(0, sigma, SHAPE), psf_fwhm=0.9), RA, DEC)
        limits.append(growth.is_limit)
        # 2σ of the pixels in the circle; the sky adds a few per cent.
        area = np.pi * (growth.radius / SCALE) ** 2
        floor = 27.0 - 2.5 * np.log10(2 * sigma * np.sqrt(area))
        assert floor - 0.35 < growth.limit < floor + 0.1
        assert growth.limit - growth.limit3 == pytest.approx(2.5 * np.log10(1.5))
        if growth.counts <= 0:
            assert np.isnan(growth.mag)
    # 2.3 % of empty apertures lie above 2σ; growing on a chance peak adds a few.
    assert np.mean(limits) > 0.85


def test_growing_gathers_a_bright_source_and_records_every_step() -> None:
    rng = np.random.default_rng(6)
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 1.2 / SCALE, 10 ** (0.4 * 6.0)) + rng.normal(0, 0.03, SHAPE)
    growth = grow_aperture(cutout(data, start_radius=0.8), RA, DEC)
    assert growth.mag == pytest.approx(21.0, abs=0.02)
    assert growth.radius > 1.2
    radii = [step.radius for step in growth.steps]
    assert radii[0] == 0.8 and radii[-1] == pytest.approx(3.0)
    np.testing.assert_allclose(np.diff(radii), 0.1)
    adopted = [step for step in growth.steps if step.radius == pytest.approx(growth.radius)]
    assert len(adopted) == 1 and adopted[0].mag == growth.aperture_mag and adopted[0].counts == growth.counts
    assert not growth.by_person and growth.local_depth == pytest.approx(
        27.0 - 2.5 * np.log10(5 * 0.03 * np.sqrt(np.pi * 16)), abs=0.15
    )


def test_growing_stops_before_a_gap_and_a_neighbour() -> None:
    rng = np.random.default_rng(7)
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 4.0, 30.0) + gaussian(SHAPE, MIDDLE + 20, MIDDLE, 4.0, 3000.0)
    growth = grow_aperture(cutout(data + rng.normal(0, 0.05, SHAPE), start_radius=0.8), RA, DEC)
    assert growth.radius < 2.5
    assert "another source" not in growth.note
    # A person's larger circle takes the neighbour in, and is told so.
    assert "another source" in measure_aperture(cutout(data), RA, DEC, 4.5).note


def test_point_correction() -> None:
    assert point_fraction(50.0, 0.8) == pytest.approx(1.0, abs=1e-4)
    fwhm = 0.8
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / 3.5) - 1)
    r = np.linspace(0, 0.9, 4001)
    profile = 2.5 / (np.pi * alpha**2) * (1 + (r / alpha) ** 2) ** -3.5
    assert point_fraction(0.9, fwhm) == pytest.approx(float(np.sum(2 * np.pi * r * profile) * r[1]), abs=1e-3)
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 4.0, 1000.0)
    grown = measure_aperture(cutout(data, psf_fwhm=0.8), RA, DEC, 0.9)
    assert grown.total_mag == pytest.approx(grown.mag + 2.5 * np.log10(point_fraction(0.9, 0.8)))
    assert grown.total_limit - grown.limit == pytest.approx(grown.total_mag - grown.mag, nan_ok=True)
    assert measure_aperture(cutout(data), RA, DEC, 0.9).total_mag == measure_aperture(cutout(data), RA, DEC, 0.9).mag


def test_missing_pixels_are_left_out_and_said() -> None:
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 6.0, 1000.0) + 5.0
    data[:, 76:] = np.nan
    growth = measure_aperture(cutout(data), RA, DEC, 1.5)
    # The last column with data ends half a pixel beyond the centre: Φ(0.5 / σ) = 0.578 of the light is there.
    assert growth.counts == pytest.approx(578.0 * gaussian_fraction(1.5, 1.2), rel=0.01)
    assert growth.area < 0.56 * np.pi * (1.5 / SCALE) ** 2
    assert "no data" in growth.note


def test_an_error_image_sets_the_errors() -> None:
    rng = np.random.default_rng(8)
    image = cutout(rng.normal(0, 0.5, SHAPE))
    heavy = dataclasses.replace(image, error=np.full(SHAPE, 2.0, dtype=np.float32))
    light = measure_aperture(image, RA, DEC, 1.5).counts_err
    area = np.pi * (1.5 / SCALE) ** 2
    assert measure_aperture(heavy, RA, DEC, 1.5).counts_err == pytest.approx(2.0 * np.sqrt(area), rel=0.05)
    assert light == pytest.approx(0.5 * np.sqrt(area), rel=0.15)


def test_small_and_empty_cutouts_and_positions_outside() -> None:
    rng = np.random.default_rng(9)
    small = grow_aperture(cutout(gaussian((46, 46), 22.5, 22.5, 4.0, 300.0) + rng.normal(0, 0.03, (46, 46))), RA, DEC)
    assert small.mag == pytest.approx(27 - 2.5 * np.log10(300.0), abs=0.05)
    for data in (np.full((40, 40), np.nan), np.zeros((40, 40))):
        nothing = grow_aperture(cutout(data), RA, DEC)
        assert np.isnan(nothing.mag) and np.isnan(nothing.limit) and "no usable" in nothing.note
    away = measure_aperture(cutout(rng.normal(size=(40, 40))), RA, DEC + 0.1, 1.0)
    assert np.isnan(away.mag) and "outside" in away.note
    tiny = measure_aperture(cutout(rng.normal(size=(5, 5))), RA, DEC, 1.0)
    assert np.isnan(tiny.mag) and "too few pixels" in tiny.note


def test_a_persons_aperture() -> None:
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 4.0, 300.0) + 2.0
    growth = measure_aperture(cutout(data), RA, DEC, 1.23, annulus=(4.0, 7.0))
    assert growth.by_person and growth.radius == 1.23 and growth.annulus == (4.0, 7.0)
    assert any(step.radius == 1.23 for step in growth.steps)
    assert repr(pickle.loads(pickle.dumps(growth))) == repr(growth)


@pytest.mark.parametrize(
    ("ra", "radius", "annulus"),
    [(np.nan, 1.0, None), (RA, 0.0, None), (RA, np.nan, None), (RA, -1.0, None), (RA, 1.0, (3.0, 2.0))],
)
def test_unusable_requests(ra: float, radius: float, annulus: tuple[float, float] | None) -> None:
    with pytest.raises(DataError, match="aperture"):
        measure_aperture(cutout(np.ones((20, 20))), ra, DEC, radius, annulus)
    with pytest.raises(DataError, match="aperture"):
        grow_aperture(cutout(np.ones((20, 20))), RA, DEC, start=-1.0)


@pytest.mark.parametrize("turn", [0.0, 27.0])
@pytest.mark.parametrize("angle", [0.0, 40.0, 120.0])
def test_an_ellipse_along_the_source_holds_more_than_one_across(turn: float, angle: float) -> None:
    data = gaussian(SHAPE, MIDDLE, MIDDLE, 12.0, 1000.0, ratio=0.4, theta=np.radians(35.0))
    field = cutout(data, turn=turn)
    cd = field.wcs.wcs.cd
    east, north = cd @ [np.cos(np.radians(35.0)), np.sin(np.radians(35.0))]
    along = float(np.degrees(np.arctan2(east, north)))
    best = measure_aperture(field, RA, DEC, 2.0, minor=0.8, position_angle=along)
    # Within k σ of a Gaussian along both axes: 1 - exp(-k²/2); the semi-axes are as the source's
    sigma = 12.0 * SCALE / 2.3548
    assert best.counts == pytest.approx(1000.0 * (1 - np.exp(-0.5 * (2.0 / sigma) ** 2)), rel=0.02)
    assert best.area == pytest.approx(np.pi * 2.0 * 0.8 / SCALE**2, rel=0.01)
    if angle:
        turned = measure_aperture(field, RA, DEC, 2.0, minor=0.8, position_angle=along + angle)
        assert turned.counts < 0.97 * best.counts


def test_an_ellipse_that_is_none() -> None:
    for minor in (0.0, -1.0, 3.0, np.nan):
        with pytest.raises(DataError, match="no ellipse"):
            measure_aperture(cutout(np.ones((20, 20))), RA, DEC, 2.0, minor=minor)
