"""Source ellipses against sources that were put there, and against SExtractor on a real image."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from elixer_widgets.detection import Cutout
from elixer_widgets.imaging.sources import (
    AT_EDGE,
    BLENDED,
    KRON_LIGHT,
    SourceEllipse,
    ellipse_distance,
    find_sources,
    select_source,
)
from tests.imaging.sky import DEC, RA, cutout, gaussian, wcs

SHAPE = (151, 151)


def image(*sources: tuple[float, float, float], fwhm: float = 4.5, sigma: float = 0.036, seed: int = 1) -> np.ndarray:
    """Round Gaussians at (x, y) with (magnitude) on white noise."""
    data = np.random.default_rng(seed).normal(0.0, sigma, SHAPE) + 0.5
    for x, y, mag in sources:
        data += gaussian(SHAPE, x, y, fwhm, 10 ** (0.4 * (27.0 - mag)))
    return data


def test_positions_and_magnitudes() -> None:
    truth = [(75.0, 75.0, 22.0), (40.3, 110.7, 23.5), (120.0, 30.2, 24.5)]
    found = find_sources(cutout(image(*truth)))
    assert len(found) == 3
    assert found[0].separation < 0.02 and found[0].selected
    assert sorted(s.separation for s in found) == [s.separation for s in found]
    image_cutout = cutout(image(*truth))
    for x, y, mag in truth:
        ra, dec = image_cutout.sky(x, y)
        near = min(found, key=lambda s: abs(s.ra - ra) + abs(s.dec - dec))
        assert near.mag == pytest.approx(mag, abs=max(0.05, 3 * near.mag_err))
        px, py = image_cutout.pixel(near.ra, near.dec)
        assert (px, py) == pytest.approx((x, y), abs=0.35)


def test_errors_cover_what_they_say() -> None:
    deviations = []
    for seed in range(60):
        source = find_sources(cutout(image((75.0, 75.0, 23.5), seed=seed)))[0]
        deviations.append((source.counts - 10 ** (0.4 * 3.5)) / source.counts_err)
    # 60 unit Gaussian numbers have a standard deviation of 1 ± 0.09.
    assert 0.7 < np.std(deviations) < 1.3


@pytest.mark.parametrize("turn", [0.0, 27.0, 200.0])
@pytest.mark.parametrize("angle", [0.0, 40.0, 130.0])
def test_ellipse_on_the_sky(turn: float, angle: float) -> None:
    data = gaussian(SHAPE, 75, 75, 12.0, 3000.0, ratio=0.5, theta=np.radians(angle))
    data += np.random.default_rng(2).normal(0, 0.01, SHAPE)
    source = find_sources(cutout(data, turn=turn))[0]
    assert source.minor / source.major == pytest.approx(0.5, abs=0.05)
    # The direction on the sky, reckoned from the matrix of the WCS: east grows as cd[0], north as cd[1].
    cd = wcs(RA, DEC, SHAPE, 0.2, turn).wcs.cd
    direction = cd @ [np.cos(np.radians(angle)), np.sin(np.radians(angle))]
    expected = np.degrees(np.arctan2(direction[0], direction[1])) % 180
    assert (source.position_angle - expected + 90) % 180 - 90 == pytest.approx(0.0, abs=2.0)


def test_blends_are_parted() -> None:
    pair = find_sources(cutout(image((70.0, 75.0, 22.0), (78.0, 75.0, 22.5))))
    assert len(pair) == 2 and all(s.flags & BLENDED for s in pair)
    total = sum(s.counts for s in pair)
    assert total == pytest.approx(10 ** (0.4 * 5.0) + 10 ** (0.4 * 4.5), rel=0.15)
    assert len(find_sources(cutout(image((75.0, 75.0, 20.0))))) == 1  # a bright point is not cut into pieces


@pytest.mark.parametrize("correlated", [0.0, 0.6, 1.0])
def test_false_detections_on_pure_noise(correlated: float) -> None:
    counts = []
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        counts.append(len(find_sources(cutout(ndimage.gaussian_filter(noise, correlated) if correlated else noise))))
    # 30" x 30": a few where pixels are tied together, hardly any where they are not.
    assert np.mean(counts) < (3.0 if correlated else 0.5)


def test_nothing_to_look_at() -> None:
    for data in (np.full((30, 30), np.nan), np.zeros((30, 30)), np.ones((1, 1))):
        assert find_sources(cutout(data)) == []


def test_missing_pixels_and_edges() -> None:
    data = image((75.0, 75.0, 21.0), (2.0, 75.0, 21.0))
    data[:, 100:] = np.nan
    found = find_sources(cutout(data))
    assert len(found) == 2 and found[1].flags & AT_EDGE and not found[0].flags & AT_EDGE


@given(a=st.floats(0.2, 5.0), ratio=st.floats(0.1, 1.0), theta=st.floats(-4, 4), x=st.floats(-8, 8), y=st.floats(-8, 8))
def test_distance_to_an_ellipse(a: float, ratio: float, theta: float, x: float, y: float) -> None:
    b = a * ratio
    t = np.linspace(0, 2 * np.pi, 20001)
    u, v = a * np.cos(t), b * np.sin(t)
    ex, ey = u * np.cos(theta) - v * np.sin(theta), u * np.sin(theta) + v * np.cos(theta)
    expected = float(np.min(np.hypot(ex - x, ey - y)))
    assert abs(ellipse_distance(x, y, a, b, theta)) == pytest.approx(expected, abs=2e-3)


def test_distance_of_the_published_fault() -> None:
    # The distance to a 3" x 0.6" ellipse from (2, 2)" is 1.61" by the original's rule; the nearest point is farther.
    assert ellipse_distance(0.0, 2.0, 3.0, 0.6) == pytest.approx(1.4)
    assert ellipse_distance(5.0, 0.0, 3.0, 0.6) == pytest.approx(2.0)
    assert ellipse_distance(0.0, 0.0, 3.0, 0.6) == pytest.approx(-0.6)


def ellipse(separation: float, edge: float) -> SourceEllipse:
    return SourceEllipse(RA, DEC, 1.0, 1.0, 0.0, 22.0, 0.1, separation=separation, edge_distance=edge)


def test_selection_by_the_documented_rules() -> None:
    def chosen(*sources: SourceEllipse) -> list[bool]:
        return [s.selected for s in select_source(sources)]

    # Containing the position: the nearest barycentre, though another edge may be nearer.
    assert chosen(ellipse(2.0, -0.1), ellipse(1.0, -0.5), ellipse(0.9, 0.2)) == [False, True, False]
    # None contains it: the nearest edge.
    assert chosen(ellipse(1.0, 0.9), ellipse(3.0, 0.5)) == [False, True]
    # ... within 1.5".
    assert chosen(ellipse(3.0, 1.6)) == [False]
    assert chosen(ellipse(3.0, 1.4)) == [True]
    # A former choice does not stay.
    assert chosen(dataclasses.replace(ellipse(3.0, 2.0), selected=True)) == [False]


def test_against_sextractor_on_a_real_image(shared: Path) -> None:
    folder = shared / "reference" / "real" / "imaging" / "sep_eso_ntt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = fits.getdata(folder / "image.fits").astype(np.float32)
    table = np.loadtxt(folder / "image.cat")
    x, y, flux, error, flags = table[:, 1] - 1, table[:, 2] - 1, table[:, 15], table[:, 16], table[:, -1]
    field = Cutout(data, wcs(RA, DEC, data.shape, 0.2), "r", 0.0, position=(RA, DEC))
    found = find_sources(field)
    pixels = np.array([field.pixel(s.ra, s.dec) for s in found])
    distance = np.hypot(pixels[:, 0][:, None] - x, pixels[:, 1][:, None] - y)
    assert np.mean(distance.min(axis=0) < 1.5) > 0.95  # nearly all of theirs
    assert np.mean(distance.min(axis=1) < 2.0) > 0.8  # few that are not theirs
    bright = (flags == 0) & (flux > 30 * error) & (distance.min(axis=0) < 1.5)
    nearest = distance.argmin(axis=0)
    # FLUX_AUTO is not corrected for the light beyond the aperture, ours is.
    ratio = np.array([found[i].counts for i in nearest])[bright] * KRON_LIGHT / flux[bright]
    assert bright.sum() > 8
    assert np.median(ratio) == pytest.approx(1.0, abs=0.06)
