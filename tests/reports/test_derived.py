"""Conversions: redshifts, rest widths, which ratio rests on which continuum."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.detection import CatalogObject, DataError, Detection, Magnitude
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.reports.derived import (
    best_solution,
    clipped_plae,
    fiber_images,
    from_aperture,
    from_match,
    redshift_as,
)
from elixer_widgets.spectra.continuum import ContinuumEstimate, rest_width
from tests.factories import FakeSource, make_detection, make_interpretation


def test_redshifts_are_reckoned_in_vacuum() -> None:
    # Lyα at z = 2.5: 1215.67 x 3.5 = 4254.845 Å in vacuum is 4253.647 Å in air (Morton 2000)
    assert redshift_as("Lya", 4253.647) == pytest.approx(2.5, abs=1e-5)
    assert math.isnan(redshift_as("OII", math.nan))


def test_rest_width_and_its_error() -> None:
    # 1e-16 over 1e-18 is 100 Å observed, 25 Å at z = 3; 10 % and 20 % add in quadrature
    width, error, limit = rest_width(1e-16, 1e-17, ContinuumEstimate("narrow", 0.1, 0.02), 3.0)
    assert width == pytest.approx(25.0)
    assert error == pytest.approx(25.0 * math.hypot(0.1, 0.2))
    assert limit is False


def test_rest_width_on_a_limit_is_a_lower_limit() -> None:
    width, error, limit = rest_width(1e-16, 1e-17, ContinuumEstimate("wide", 0.1, is_limit=True), 3.0)
    assert (width, limit) == (pytest.approx(25.0), True)
    assert error == pytest.approx(2.5)


@pytest.mark.parametrize("value", [0.0, -0.1, math.nan])
def test_no_width_without_a_positive_continuum(value: float) -> None:
    assert math.isnan(rest_width(1e-16, 1e-17, ContinuumEstimate("narrow", value, 0.02), 3.0)[0])


def test_clipping_keeps_nan_and_takes_infinity() -> None:
    assert clipped_plae(PlaeRatio(math.inf, 0.0, 2e3)) == (1000.0, 0.001, 1000.0)
    assert all(math.isnan(x) for x in clipped_plae(None))


def test_ratios_of_equal_names_are_told_apart_by_their_order() -> None:
    base = make_interpretation()
    matches = tuple(
        Match(CatalogObject(0, 0, "TEST", magnitudes=(Magnitude(band, magnitude),)), rank, 0.1)
        for rank, (band, magnitude) in enumerate((("r", 22.0), ("z", 21.0), ("r", 23.1), ("r", 25.0)), start=1)
    )
    interpretation = replace(
        base,
        measurements=replace(base.measurements, matches=matches),
        # the first is not positive and has no ratio; the third match is one too many to be listed
        continuum_sources=(ContinuumEstimate("catalog TEST r", -1.0), ContinuumEstimate("catalog TEST r", 0.1)),
        plae_sources=(PlaeRatio(1.0, source="catalog TEST r"),),
    )
    assert from_match(interpretation, matches[0]) == (interpretation.continuum_sources[0], None)
    assert from_match(interpretation, matches[1]) == (None, None)  # z stands for no continuum
    assert from_match(interpretation, matches[2]) == (
        interpretation.continuum_sources[1],
        interpretation.plae_sources[0],
    )
    assert from_match(interpretation, matches[3]) == (None, None)
    stranger = Match(CatalogObject(0, 0, "TEST", magnitudes=(Magnitude("r", 24.0),)), 1, 0.1)
    assert from_match(interpretation, stranger) == (None, None)


def test_aperture_ratio_with_and_without_a_survey_in_its_name() -> None:
    interpretation = make_interpretation()
    assert from_aperture(interpretation, "TEST", "g")[1] == PlaeRatio(30.0, 9.0, 90.0, "aperture g")
    assert from_aperture(interpretation, "TEST", "z") == (None, None)


def test_a_solution_needs_a_companion() -> None:
    interpretation = make_interpretation()
    assert best_solution(interpretation) is None  # its only companion is missing
    found = replace(interpretation.solutions[0].companions[0], status="found")
    solution = replace(interpretation.solutions[0], companions=(found,))
    assert best_solution(replace(interpretation, solutions=(*interpretation.solutions, solution))) is solution


def test_unreadable_fiber_images_become_a_reason() -> None:
    class Broken(FakeSource):
        def fiber_images(self, detection: Detection) -> object:  # type: ignore[override]
            raise DataError("20190201v012.h5: is cut short; copy it again")

    images = fiber_images(replace(make_detection(), source=Broken()))
    assert images.cutouts == () and "cut short" in images.reason
