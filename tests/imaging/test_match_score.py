"""The published match score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.imaging.match_score import match_score


def test_the_integral_of_the_published_cubic() -> None:
    """Magnitude 24 at 2 arcsec, integrated by sums over 1.3 to 2.7 arcsec."""
    x = np.linspace(1.3, 2.7, 100_001)
    cubic = 4.2551e-7 * x**3 - 2.4047e-5 * x**2 + 5.1965e-3 * x + 7.1333e-4
    assert match_score(2.0, 24.2) == pytest.approx(1.0 - float(np.mean(cubic)) * 1.4, abs=1e-8)


@pytest.mark.parametrize(
    ("distance", "mag", "expected"),
    [(1.0, None, 1.0), (1.0, np.nan, 0.5), (30.0, 22.0, 0.0), (4.0, 20.0, 1.0), (4.0, 29.0, 0.0)],
)
def test_the_published_exceptions(distance: float, mag: float | None, expected: float) -> None:
    assert match_score(distance, mag) == expected


@given(near=st.floats(0.0, 10.0), more=st.floats(0.0, 10.0), mag=st.floats(15.0, 28.4))
def test_farther_is_never_better(near: float, more: float, mag: float) -> None:
    assert 0.0 <= match_score(near + more, mag) <= match_score(near, mag) + 1e-12 <= 1.0 + 1e-12


def test_no_distance_has_no_score() -> None:
    assert np.isnan(match_score(np.nan, 22.0))
