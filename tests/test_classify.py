"""The user guide's classify calls."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets import classify
from elixer_widgets.detection import DataError


def test_ratio_and_probabilities() -> None:
    """Example 8 of the fact sheet: 7.636, within the difference of the regenerated distributions."""
    ratio, p_lae, p_oii = classify.plae_poii(4500.0, 1e-16, 1e-17, 60.0, 8.0)
    assert ratio == pytest.approx(7.636, rel=0.05)
    assert p_lae + p_oii == pytest.approx(1.0)
    assert p_lae / p_oii == pytest.approx(ratio)


def test_sign_of_the_width_is_ignored() -> None:
    assert classify.plae_poii(4500.0, 1e-16, 1e-17, -60.0, 8.0) == classify.plae_poii(4500.0, 1e-16, 1e-17, 60.0, 8.0)


def test_clipped_where_oii_is_impossible() -> None:
    assert classify.plae_poii(3600.0, 1e-16, 1e-17, 60.0, 8.0) == (1000.0, 1.0, 0.0)


def test_zeros_where_nothing_can_be_computed() -> None:
    assert classify.plae_poii(4500.0, 1e-16, 1e-17, 0.0, 8.0) == (0.0, 0.0, 0.0)
    assert classify.plae_poii(4500.0, -1e-16, 1e-17, 60.0, 8.0) == (0.0, 0.0, 0.0)
    assert classify.plae_poii(4500.0, float("nan"), 0.0, 60.0, 8.0, estimate_error=True)[:3] == (0.0, 0.0, 0.0)


def test_errors() -> None:
    ratio, _, _, draws = classify.plae_poii(4500.0, 1e-16, 1e-17, 60.0, 8.0, estimate_error=True)
    centre, low, high, half = draws["ratio"]
    assert low < centre < high
    assert half == pytest.approx((high - low) / 2)
    assert centre == pytest.approx(ratio, rel=0.1)
    np.testing.assert_allclose(np.array(draws["plgd"]) + np.array(draws["pogd"]), 1.0)
    wider = classify.plae_poii(4500.0, 1e-16, 1e-17, 60.0, 20.0, estimate_error=True)[3]["ratio"]
    assert wider[2] - wider[1] > high - low


def test_further_lines() -> None:
    """Example 9: Hβ takes 125 to 5.5e-4."""
    hbeta = 4000.0 / 3727.8 * 4861.32
    ratio, *_ = classify.plae_poii(4000.0, 1e-16, 0.0, 40.0, 0.0, [hbeta], [5e-17], [1e-17])
    assert ratio == pytest.approx(0.001)  # clipped
    with pytest.raises(DataError, match="same number"):
        classify.plae_poii(4000.0, 1e-16, 0.0, 40.0, 0.0, [hbeta], [5e-17], [])


def test_solution_finder() -> None:
    """[O II] at 4100 Å with Hβ and both [O III] lines: z = 0.0998 and its three companions."""
    grid = np.arange(3470.0, 5541.0, 2.0)
    flux = np.random.default_rng(1).normal(0.05, 0.1, grid.size)
    for center, area in ((4100.0, 20.0), (5346.7, 8.0), (5454.0, 8.0), (5506.7, 24.0)):
        flux += area / (2.6 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - center) / 2.6) ** 2)
    answer = classify.solution_finder(grid, 2.0 * flux, np.full(grid.size, 0.2), 4100.0)
    assert set(answer) == {"primary_wave", "eqw_obs", "plae_poii", "emission_lines", "solutions"}
    best = answer["solutions"][0]
    assert best["z"] == pytest.approx(0.0998, abs=0.0005)
    assert {each["name"] for each in best["lines"]} == {"Hβ 4861", "[O III] 4959", "[O III] 5007"}
    assert best["frac_score"] > 0.5
    width, width_err = answer["eqw_obs"]
    assert width == pytest.approx(20.0 / 0.05, rel=0.5)
    assert width_err > 0
    assert set(answer["emission_lines"][0]) == {
        "wave", "continuum", "fwhm", "int_flux", "snr", "line_score", "aborption",
    }  # fmt: skip


LINE_KEYS = {"wave", "continuum", "fwhm", "int_flux", "snr", "line_score", "aborption"}
SOLUTION_KEYS = {"wave_rest", "name", "z", "score", "frac_score", "lines", "rejected_lines"}
MEMBER_KEYS = {"wave_obs", "wave_rest", "name", "z", "line_score", "snr", "int_flux", "fwhm", "aborption"}


def test_solution_finder_returns_every_published_key() -> None:
    """An [O II] galaxy whose 5007 was taken out: every level of the answer has the keys of the fact sheet."""
    grid = np.arange(3470.0, 5541.0, 2.0)
    flux = np.random.default_rng(4).normal(0.05, 0.1, grid.size)
    for center, area, sigma in ((4100.0, 30.0, 2.6), (5346.7, 12.0, 3.4), (5454.0, 20.0, 2.6)):
        flux += area / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - center) / sigma) ** 2)
    answer = classify.solution_finder(grid, 2.0 * flux, np.full(grid.size, 0.2), 4100.0)
    assert len(answer["eqw_obs"]) == 2 and len(answer["plae_poii"]) == 2 and len(answer["plae_poii"][1]) == 2
    assert all(set(each) == LINE_KEYS for each in answer["emission_lines"])
    assert all(set(each) == SOLUTION_KEYS for each in answer["solutions"])
    members = [m for s in answer["solutions"] for m in (*s["lines"], *s["rejected_lines"])]
    assert members and all(set(each) == MEMBER_KEYS for each in members)
    assert all(isinstance(each["aborption"], bool) for each in (*answer["emission_lines"], *members))
    assert sum(each["frac_score"] for each in answer["solutions"]) == pytest.approx(1.0)
    oii = next(each for each in answer["solutions"] if each["wave_rest"] == pytest.approx(3728.69, abs=0.05))
    kept = {each["name"]: each for each in oii["lines"]}
    rejected = {each["name"] for each in oii["rejected_lines"]}
    assert "Hβ 4861" in kept and "[O III] 5007" in rejected
    beta = kept["Hβ 4861"]
    assert beta["int_flux"] == pytest.approx(12e-17, rel=0.25) and beta["line_score"] > 2.4
    assert beta["z"] == oii["z"] and beta["wave_obs"] == pytest.approx(5346.7, abs=1.0)


def test_solution_finder_without_errors() -> None:
    grid = np.arange(3470.0, 5541.0, 2.0)
    flux = np.random.default_rng(5).normal(0.05, 0.1, grid.size)
    flux += 30.0 / (2.6 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - 4700.0) / 2.6) ** 2)
    answer = classify.solution_finder(grid, 2.0 * flux, None, 4700.0)
    assert answer["primary_wave"] == pytest.approx(4700.0, abs=1.0)
    assert np.isfinite(answer["emission_lines"][0]["line_score"])


def test_solution_finder_finds_the_line_itself() -> None:
    grid = np.arange(3470.0, 5541.0, 2.0)
    flux = np.random.default_rng(1).normal(0.02, 0.1, grid.size)
    flux += 20.0 / (2.6 * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((grid - 4700.0) / 2.6) ** 2)
    assert classify.solution_finder(grid, 2.0 * flux, np.full(grid.size, 0.2))["primary_wave"] == pytest.approx(
        4700.0, abs=1
    )
