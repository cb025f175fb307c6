"""What a caller may give as an image: masks, units, types and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.nddata import CCDData
from astropy.wcs import WCS

from elixer_widgets.detection import Cutout, DataError
from elixer_widgets.imaging.apertures import measure_aperture
from elixer_widgets.imaging.noise import clipped_sky
from tests.imaging.sky import DEC, RA, gaussian, wcs


def made(data: Any, zero_point: Any = 27.0, **more: Any) -> Cutout:
    return Cutout(data, wcs(RA, DEC, (20, 30), 0.25), "g", zero_point, position=(RA, DEC), **more)


IMAGE = np.arange(600.0).reshape(20, 30)


def test_masked_pixels_hold_no_data() -> None:
    mask = IMAGE == 45.0
    for data in (np.ma.masked_array(IMAGE, mask), CCDData(IMAGE, mask=mask, unit="adu")):
        cutout = made(data)
        assert type(cutout.data) is np.ndarray
        np.testing.assert_array_equal(cutout.data, np.where(mask, np.nan, IMAGE))
    nothing = made(np.ma.masked_all((20, 30)))
    assert not nothing.usable and np.isnan(nothing.data).all()


@pytest.mark.parametrize("kind", [">f4", "<f8", ">i2", "u1", "i8", "f2", "?", "O"])
def test_every_type_of_pixel_keeps_its_numbers(kind: str) -> None:
    data = (np.arange(600).reshape(20, 30) % 2).astype(kind)
    cutout = made(data)
    assert cutout.data.dtype.isnative and cutout.data.dtype.kind == "f"
    np.testing.assert_array_equal(cutout.data, data.astype(float))
    assert made(np.full((20, 30), 16_777_217, dtype=kind if kind == "i8" else "i4")).data[0, 0] == 16_777_217


@pytest.mark.parametrize("shape", [(1, 20, 30), (1, 1, 20, 30)])
def test_one_plane_of_a_cube_is_an_image(shape: tuple[int, ...]) -> None:
    cutout = made(np.ma.masked_greater(IMAGE, 598.0).reshape(shape))
    assert cutout.data.shape == (20, 30) and np.isnan(cutout.data[-1, -1]) and cutout.data[3, 4] == IMAGE[3, 4]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((2, 20, 30)), r"\(2, 20, 30\)"),
        (np.zeros(5), r"\(5,\)"),
        (np.zeros((0, 30)), r"\(0, 30\)"),
        (3.0, r"\(\)"),
        ("an image", "not an image of numbers"),
        (IMAGE + 1j, "complex"),
        ([[1.0, 2.0], [3.0]], "not an image of numbers"),
        (IMAGE * u.km, "'km'"),
        (IMAGE * u.MJy / u.sr, "MJy / sr"),
    ],
)
def test_what_is_not_an_image_is_refused(data: Any, words: str) -> None:
    with pytest.raises(DataError, match=rf"Cutout\.data.*{words}"):
        made(data)


def test_a_flux_density_becomes_counts() -> None:
    # 3631 Jy is AB 0: a pixel of 3.631 µJy has AB 22.5, which is 1 count of zero point 22.5 and 100 of 27.5.
    for value in (3.631 * u.uJy, 3631.0 * u.nJy, 1.0 * u.nmgy):
        assert made(np.ones((20, 30)) * value, 27.5).data[0, 0] == pytest.approx(100.0, rel=1e-6)
    assert made(IMAGE * u.adu).data[0, 5] == 5.0 and made(IMAGE * u.electron / u.s).data[0, 5] == 5.0
    error = made(IMAGE, 27.5, error=np.ones((20, 30)) * 3.631 * u.uJy).error
    assert error is not None and error[0, 0] == pytest.approx(100.0, rel=1e-6)
    with pytest.raises(DataError, match="zero_point is not known"):
        made(IMAGE * u.uJy, float("nan"))


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, np.inf])
def test_an_error_of_nothing_is_not_known(error: float) -> None:
    rng = np.random.default_rng(8)
    data = gaussian((20, 30), 14.5, 9.5, 5.0, 3000.0) + rng.normal(0.0, 2.0, (20, 30))
    plain, given = made(data), made(data, error=np.full((20, 30), error))
    assert given.error is None
    one, other = (measure_aperture(cutout, RA, DEC, 1.0) for cutout in (plain, given))
    assert (other.counts, other.counts_err) == (one.counts, one.counts_err)
    partly = np.full((20, 30), 2.0)
    partly[:, :10] = error
    used = made(data, error=partly).error
    assert used is not None and np.isnan(used[:, :10]).all() and (used[:, 10:] == 2.0).all()


def test_infinite_pixels_hold_no_data() -> None:
    data = IMAGE.copy()
    data[2, 2], data[3, 3] = np.inf, -np.inf
    cutout = made(data)
    assert np.isnan(cutout.data[2, 2]) and np.isnan(cutout.data[3, 3]) and np.isinf(data[2, 2])
    assert np.isfinite(clipped_sky(cutout.data[np.isfinite(cutout.data)])).all()


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(DataError, match=r"error has shape \(30, 20\), data \(20, 30\)"):
        made(IMAGE, error=np.ones((30, 20)))
    for point in ("bright", np.inf, 25.0 * u.Jy, None):
        with pytest.raises(DataError, match="zero_point"):
            made(IMAGE, point)
    assert made(IMAGE, 25.0 * u.ABmag).zero_point == 25.0
    with pytest.raises(DataError, match="is not a WCS"):
        Cutout(IMAGE, None, "g", 25.0)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="RA and Dec"):
        Cutout(IMAGE, WCS(naxis=2), "g", 25.0)
