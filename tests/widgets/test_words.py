"""Numbers for people: limits as limits, no zero that is none."""

from __future__ import annotations

import pytest

from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.widgets import words

NAN, INFINITE = float("nan"), float("inf")


def growth(**changes):
    return Growth(
        **{"band": "g", "ra": 0.0, "dec": 0.0, "radius": 1.0, "mag": 24.0, "mag_err": 0.1, "limit": 26.0} | changes
    )


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 %"), (0.001, "<1 %"), (0.5, "50 %"), (0.999, ">99 %"), (1.0, "100 %"), (NAN, "–")]
)
def test_percent(value, text):
    assert words.percent(value) == text


def test_a_limit_is_written_as_a_limit():
    assert words.aperture_magnitude(growth(is_limit=True)) == "> 26.00 (2σ)"
    assert words.aperture_magnitude(growth(mag=NAN)) == "> 26.00 (2σ)"
    assert words.aperture_magnitude(growth(mag=NAN, limit=NAN)) == "not measured"
    assert words.aperture_magnitude(growth()) == "24.00 ± 0.10"
    assert words.continuum(ContinuumEstimate("wide", 0.09, is_limit=True, limit_sigma=2.0)) == "< 0.09 (2σ)"
    assert words.equivalent_width(51.2, 12.0, is_limit=True) == "> 51 Å"
    assert words.equivalent_width(51.2, 12.0, is_limit=False) == "51 ± 12 Å"


@pytest.mark.parametrize(
    ("plae", "text"),
    [
        (PlaeRatio(42.0, 12.0, 120.0), "42 (12 to 120)"),
        (PlaeRatio(1e5, 2e4, 1e6), "≥ 1000"),
        (PlaeRatio(1e-7, 1e-8, 1e-6), "≤ 0.001"),
        (PlaeRatio(500.0, 100.0, 1e6), "500 (100 to 1000)"),
        (PlaeRatio(INFINITE, 5e5, INFINITE), "≥ 1000"),
        (PlaeRatio(700.0, 90.0, INFINITE), "700 (90 to 1000)"),
        (PlaeRatio(NAN), "–"),
    ],
)
def test_the_ratio_is_clipped_and_says_so(plae, text):
    assert words.ratio(plae) == text


def test_flux_has_its_power_of_ten():
    assert words.flux(1.5e-16, 1.2e-17) == "1.50 ± 0.12 × 10⁻¹⁶"
    assert words.flux(-2e-17) == "−2.00 × 10⁻¹⁷"
    assert words.flux(NAN) == "–"
