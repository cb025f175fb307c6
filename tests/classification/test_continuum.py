"""The combined continuum against worked examples and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.classification.continuum import combine, continuum_sources, from_magnitude, line_in_g
from elixer_widgets.detection import CatalogObject, Magnitude
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate, g_response

NAN = float("nan")


def seen(value: float, error: float, weight: float = 1.0, band: str = "g") -> ContinuumEstimate:
    return ContinuumEstimate("image", value, error, magnitude=24.0, magnitude_err=0.1, band=band, weight=weight)


def limit(value: float, weight: float = 1.0, band: str = "g") -> ContinuumEstimate:
    return ContinuumEstimate("image", value, value / 2, True, 2.0, magnitude=26.0, band=band, weight=weight)


def test_weighted_mean_of_two() -> None:
    """The fact sheet's example 14: (1.0 ± 0.2, weight 1) and (2.0 ± 0.5, weight 0.8) give 1.113."""
    result = combine([seen(0.10, 0.02), seen(0.20, 0.05, 0.8)], 4500.0).estimate
    assert result.value == pytest.approx(0.1113, rel=0.005)
    # They disagree by 1.86σ, so the error exceeds the 0.0186 of inverse variances by that factor, and not
    # the original's 0.0464
    assert 0.0186 < result.error < 0.04


def test_agreeing_inputs_have_the_error_of_inverse_variances() -> None:
    result = combine([seen(0.100, 0.01), seen(0.101, 0.01)], 4500.0).estimate
    assert result.value == pytest.approx(0.1005, rel=0.005)
    assert result.error == pytest.approx(0.01 / np.sqrt(2), rel=0.03)


def test_the_worst_input_does_not_set_the_error() -> None:
    result = combine([seen(0.1, 0.01), seen(0.1, 0.2)], 4500.0).estimate
    assert result.error < 0.011


def test_limits_alone_stay_a_limit() -> None:
    result = combine([limit(0.05), limit(0.03)], 4500.0).estimate
    assert result.is_limit
    assert result.value == 0.03


def test_a_limit_far_above_a_detection_says_nothing() -> None:
    alone = combine([seen(0.1, 0.02)], 4500.0).estimate
    both = combine([seen(0.1, 0.02), limit(0.5)], 4500.0).estimate
    assert both.value == pytest.approx(alone.value, rel=0.01)
    assert both.error == pytest.approx(alone.error, rel=0.02)


def test_a_limit_near_a_detection_pulls_it_down() -> None:
    alone = combine([seen(0.1, 0.03)], 4500.0).estimate
    both = combine([seen(0.1, 0.03), limit(0.11, band="r")], 4500.0).estimate
    assert both.value < alone.value
    assert not both.is_limit


def test_no_input() -> None:
    result = combine([], 4500.0)
    assert np.isnan(result.estimate.value)
    assert np.all(result.log_likelihood == 0.0)


def test_contradicting_limit_is_named() -> None:
    result = combine([seen(0.2, 0.01), limit(0.05)], 4500.0)
    assert result.sources[1].weight == 0.0
    assert "shows the source" in result.sources[1].note


def test_a_somewhat_deeper_limit_is_censored_data() -> None:
    """A faint object that one image of the band just shows and another just does not."""
    alone = combine([seen(0.1, 0.03)], 4500.0).estimate
    both = combine([seen(0.1, 0.03), limit(0.07)], 4500.0)
    assert both.sources[1].weight == 1.0
    assert 0.05 < both.estimate.value < alone.value


def _many(
    sigmas: list[float], weights: list[float], bands: str, low: float, high: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pulls of the combined continuum of objects seen several times, and whether its limits hold."""
    rng = np.random.default_rng(seed)
    pulls, held = [], []
    for _ in range(600):
        truth = rng.uniform(low, high)
        inputs = []
        for sigma, weight, band in zip(sigmas, weights, bands, strict=True):
            value = truth + sigma * rng.standard_normal()
            below = value < 2.0 * sigma
            inputs.append(limit(2.0 * sigma, weight, band) if below else seen(value, sigma, weight, band))
        result = combine(inputs, 4500.0).estimate
        if result.is_limit:
            held.append(truth < result.value)
        else:
            pulls.append((result.value - truth) / result.error)
    return np.array(pulls), np.array(held)


@pytest.mark.parametrize(
    ("sigmas", "weights"),
    [([0.01] * 3, [1.0] * 3), ([0.01] * 5, [1.0] * 5), ([0.02, 0.01, 0.01], [4.0, 1.0, 0.8])],
)
def test_coverage_of_independent_measurements(sigmas: list[float], weights: list[float]) -> None:
    pulls, _ = _many(sigmas, weights, "grggr"[: len(sigmas)], 0.1, 0.3, 5)
    assert abs(np.mean(pulls)) < 0.15
    # Errors are enlarged where inputs disagree and never reduced where they agree: a little above 68 %
    assert 0.65 < np.mean(np.abs(pulls) < 1.0) < 0.80


def test_coverage_with_limits() -> None:
    """Half of the objects are too faint for some of the images."""
    pulls, held = _many([0.015, 0.02, 0.02, 0.03], [1.0, 0.8, 1.0, 0.8], "grgr", 0.0, 0.08, 6)
    assert pulls.size > 200 and held.size > 100
    # What is seen at all is so more often by a lucky draw; the rest of the bias is that
    assert np.mean(pulls) < 0.3
    assert 0.64 < np.mean(np.abs(pulls) < 1.0) < 0.80
    assert np.mean(held) > 0.9


def test_red_magnitude_at_the_line() -> None:
    """f_λ ∝ λ^-1.5 from where the r magnitude is f_λ, 6250 Å, to the line at 4500 Å."""
    at_pivot = 3631e-23 * 10 ** (-0.4 * 24.0) * 2.99792458e18 / 6250.0**2 * 1e17
    estimate = from_magnitude("r", 24.0, 0.0, 4500.0, "r")
    assert estimate.value == pytest.approx(at_pivot * (4500.0 / 6250.0) ** -1.5, rel=1e-3)
    assert estimate.error / estimate.value == pytest.approx(0.7 * np.log(6250.0 / 4500.0), rel=1e-3)
    assert "λ^-1.5" in estimate.note
    assert from_magnitude("g", 24.0, 0.1, 4500.0, "g").note == ""


def test_far_from_the_band_the_slope_is_missed() -> None:
    near, far = (from_magnitude("g", 24.0, 0.02, each, "g") for each in (4700.0, 3550.0))
    assert near.error / near.value < 0.03
    assert far.error / far.value > 0.15


def growth(band: str, mag: float, err: float, lim: float, by_person: bool = False) -> Growth:
    return Growth(band, 0.0, 0.0, 1.0, mag, err, lim, is_limit=not np.isfinite(err), survey="HSC", by_person=by_person)


def ellipse(band: str, mag: float) -> SourceEllipse:
    return SourceEllipse(0.0, 0.0, 1.0, 0.8, 0.0, mag, 0.05, band=band, survey="HSC", selected=True)


NARROW = ContinuumEstimate("narrow", 0.1, 0.05)
WIDE = ContinuumEstimate("wide", 0.1, 0.01, band="g")


def test_every_input_is_listed_with_its_weight() -> None:
    target = CatalogObject(0.0, 0.0, "HSC", magnitudes=(Magnitude("g", 24.2, 0.05),))
    matches = [Match(target, 1, 0.3, selected=True), Match(target, 2, 1.3)]
    listed = continuum_sources(
        4500.0, NARROW, WIDE, [growth("g", 24.1, 0.1, 26.0), growth("z", 23.0, 0.1, 25.0)], [], matches
    )
    weights = {each.name: each.weight for each in listed}
    assert weights["narrow"] == 0.0
    assert weights["wide"] > 0.0
    assert weights["aperture HSC g"] == 1.0
    assert [each.weight for each in listed if each.name == "catalog HSC g"] == [1.0, 0.0]
    assert not any(each.band == "z" for each in listed)


def test_narrow_counts_only_without_wide() -> None:
    missing = ContinuumEstimate("wide", NAN)
    assert continuum_sources(4500.0, NARROW, missing)[0].weight == 0.2


def test_wide_weight_by_depth() -> None:
    """Example 13: (C−σ)/L of 1.365 gives weight 2.83; the floor of a fifth of L lowers it here."""
    bright = ContinuumEstimate("wide", 1.0, 0.02, band="g")
    faint = ContinuumEstimate("wide", 0.05, 0.005, band="g")
    weight = [continuum_sources(4726.1, NARROW, each, depth=24.8)[1].weight for each in (bright, faint)]
    assert weight == [4.0, 0.1]


def test_a_persons_aperture_replaces_the_ellipse() -> None:
    for by_person, used in ((False, "source HSC g"), (True, "aperture HSC g")):
        listed = continuum_sources(
            4500.0, NARROW, WIDE, [growth("g", 24.1, 0.1, 26.0, by_person)], [ellipse("g", 24.0)]
        )
        images = {each.name: each.weight for each in listed if "HSC" in each.name}
        assert images[used] == 1.0
        assert sum(images.values()) == 1.0


def test_shallow_limits_carry_no_weight() -> None:
    shallow, deep = (
        continuum_sources(4500.0, NARROW, WIDE, [growth("g", NAN, NAN, depth)])[-1] for depth in (23.5, 26.5)
    )
    assert shallow.weight == 0.0
    assert deep.weight == 1.0
    assert deep.is_limit


def test_given_magnitudes_enter() -> None:
    listed = continuum_sources(4500.0, NARROW, WIDE, given=[Magnitude("r", 25.0, is_limit=True)])
    assert listed[-1].name == "given r"
    assert listed[-1].is_limit


def test_the_lines_own_light() -> None:
    """A flat continuum with a line, seen through the g band, gives the continuum back once the line is taken off."""
    grid = np.arange(3600.0, 5800.0, 1.0)
    line, flat = 8e-17, 0.04 * (4500.0 / grid) ** 2
    spectrum = flat + line * 1e17 / (3.0 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - 4500.0) / 3.0) ** 2)
    through = g_response(grid)
    f_nu = np.sum(spectrum * 1e-17 * grid * through) / (2.99792458e18 * np.sum(through / grid))
    magnitude = -2.5 * np.log10(f_nu) - 48.6
    listed = continuum_sources(4500.0, NARROW, WIDE, [growth("g", magnitude, 0.05, 27.0)], line_flux=line)
    assert from_magnitude("g", magnitude, 0.05, 4500.0, "g").value > 0.045
    assert listed[-1].value == pytest.approx(0.04, rel=0.01)
    assert "own light" in listed[-1].note


def test_nothing_but_the_line_is_a_limit() -> None:
    magnitude = -2.5 * np.log10(line_in_g(1e-16, 4500.0) * 1e-17 * 4500.0**2 / 2.99792458e18) - 48.6
    listed = continuum_sources(4500.0, NARROW, WIDE, [growth("g", magnitude, 0.2, 27.0)], line_flux=1e-16)
    assert listed[-1].is_limit
    assert listed[-1].value < 0.01


def test_absorption_adds_no_light() -> None:
    assert line_in_g(-1e-16, 4500.0) == 0.0
