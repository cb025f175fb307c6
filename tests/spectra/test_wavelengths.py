"""Air and vacuum against published pairs of wavelengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.spectra.wavelengths import (
    GRID_SIZE,
    GRID_STEP,
    air_to_vacuum,
    hetdex_grid,
    sky_mask,
    vacuum_to_air,
)


@pytest.mark.parametrize(
    ("vacuum", "air"),
    # SDSS, "Vacuum and air wavelengths of common lines"; NIST ASD for the mercury and helium lines
    [
        (4862.683, 4861.325),
        (4960.295, 4958.911),
        (5008.240, 5006.843),
        (4341.684, 4340.464),
        (5462.268, 5460.750),
    ],
)
def test_published_pairs(vacuum: float, air: float) -> None:
    assert vacuum_to_air(vacuum) == pytest.approx(air, abs=0.01)
    assert air_to_vacuum(air) == pytest.approx(vacuum, abs=0.01)


@given(st.floats(2000.0, 30000.0))
def test_round_trip(wavelength: float) -> None:
    assert air_to_vacuum(vacuum_to_air(wavelength)) == pytest.approx(wavelength, abs=1e-8)


def test_below_2000_is_vacuum() -> None:
    assert vacuum_to_air(1215.67) == 1215.67
    assert air_to_vacuum(1215.67) == 1215.67


def test_arrays_and_nan() -> None:
    out = air_to_vacuum(np.array([1000.0, np.nan, 5000.0]))
    assert out[0] == 1000.0 and np.isnan(out[1]) and out[2] > 5001.0


def test_grid() -> None:
    grid = hetdex_grid()
    assert grid.size == GRID_SIZE and np.allclose(np.diff(grid), GRID_STEP)


def test_sky_mask() -> None:
    assert sky_mask(np.array([3534.0, 3545.0, 3555.0, 3556.0, 5462.0, 5470.0])).tolist() == [
        False, True, True, False, True, False,
    ]  # fmt: skip
