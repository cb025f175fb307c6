"""Solutions against spectra whose identity is known."""

import numpy as np
import pytest

from elixer_widgets.classification import scores
from elixer_widgets.classification.solutions import companions, is_broad, solve
from elixer_widgets.spectra import find_lines, fit_line, line, observed_air
from tests.spectra.synthetic import LSF, spectrum


def _spectrum(redshift: float, fluxes: dict[str, float], sigma: float = 2.6, seed: int = 1, noise: float = 0.2):
    return spectrum(
        [(float(observed_air(line(n), redshift)), sigma, f) for n, f in fluxes.items()], seed=seed, noise=noise
    )


def test_low_redshift_galaxy_is_solved() -> None:
    noisy = _spectrum(0.08, {"OII": 20.0, "Hb": 6.0, "OIII4959": 8.0, "OIII": 24.0})
    main = fit_line(noisy, float(observed_air(line("OII"), 0.08)))
    best = solve(noisy, main, find_lines(noisy))[0]
    assert best.identity == "OII" and best.redshift == pytest.approx(0.08, abs=5e-4)
    assert best.accepted and best.fraction > 0.5 and best.score > 25.0
    found = {each.line for each in best.companions if each.status == "found"}
    assert {"Hb", "OIII4959", "OIII"} <= found


def test_log_likelihood_prefers_the_truth() -> None:
    noisy = _spectrum(0.08, {"OII": 20.0, "Hb": 6.0, "OIII4959": 8.0, "OIII": 24.0})
    main = fit_line(noisy, float(observed_air(line("OIII"), 0.08)))
    assert max(solve(noisy, main), key=lambda each: each.log_likelihood).identity == "OIII"


def test_quasar_is_solved() -> None:
    noisy = _spectrum(2.3, {"Lya": 300.0, "NV": 50.0, "SiIV": 25.0, "CIV": 90.0}, sigma=20.0)
    main = fit_line(noisy, float(observed_air(line("CIV"), 2.3)))
    assert is_broad(main, LSF)
    best = max(solve(noisy, main), key=lambda each: each.log_likelihood)
    assert best.identity == "CIV" and best.redshift == pytest.approx(2.3, abs=0.005)


def test_lone_line_gives_no_published_score() -> None:
    noisy = spectrum([(4500.0, 2.6, 20.0)], noise=0.2)
    solutions = solve(noisy, fit_line(noisy, 4500.0), find_lines(noisy))
    assert not any(each.accepted for each in solutions)
    by_identity = {each.identity: each for each in solutions if each.identity != "other"}
    assert by_identity["Lya"].log_likelihood > by_identity["OIII" if "OIII" in by_identity else "CIV"].log_likelihood
    missing = {each.line for each in by_identity["CIV"].companions if each.status == "missing"}
    assert "Lya" in missing


def test_impossible_redshifts_are_left_out() -> None:
    noisy = spectrum([(3600.0, 2.6, 20.0)])
    names = {each.identity for each in solve(noisy, fit_line(noisy, 3600.0))}
    assert "OII" not in names and "OIII" not in names and "Lya" in names


def test_unmeasured_line_has_no_solution() -> None:
    noisy = spectrum([])
    blank = fit_line(noisy, 4500.0)
    assert solve(noisy, blank.__class__(float("nan"), *[float("nan")] * 5)) == ()


def test_companions_out_of_range_are_named() -> None:
    noisy = spectrum([(5200.0, 2.6, 20.0)], noise=0.2)
    found = companions(noisy, fit_line(noisy, 5200.0), "OII")
    beyond = [each for each in found if each.line == "OIII"]
    assert beyond and not beyond[0].in_range and beyond[0].status == "out of range" and np.isnan(beyond[0].flux)
    inside = [each for each in found if each.in_range]
    assert all(np.isfinite(each.limit) for each in inside)
    assert [each.wavelength for each in found] == sorted(each.wavelength for each in found)


def test_calcium_in_absorption() -> None:
    z = 0.2
    noisy = _spectrum(z, {"OII": 20.0, "CaK": -15.0, "CaH": -15.0}, sigma=4.0)
    main = fit_line(noisy, float(observed_air(line("OII"), z)))
    found = {each.line: each for each in companions(noisy, main, "OII")}
    assert found["CaK"].status == "found" and found["CaK"].flux < 0


def test_identities_without_lines_have_no_companions() -> None:
    noisy = spectrum([(4500.0, 2.6, 20.0)])
    assert companions(noisy, fit_line(noisy, 4500.0), "noise") == ()


def test_published_line_score() -> None:
    """Worked examples of the fact sheet: S/N 6.13, unit height-to-noise factor, flux 1e-16, σ 2.5 Å."""
    assert scores.line_score(6.13, 2.5, 1e-16, 5.0) == pytest.approx(6.13)
    assert scores.line_score(2.9, 2.5, 1e-16, 5.0) == 0.0
    assert scores.line_score(100.0, 2.5, 1e-13, 99.0) == 100.0
    assert scores.chance_of_noise(np.array([6.13, 1.0, 50.0])) == pytest.approx([0.0469, 0.98, 0.0002])


def test_published_scale_and_bonus() -> None:
    # three companions of scores 20, 15.2 and 60, and rivals of 30 in all
    parts = np.array([20.0, 15.2, 60.0])
    total = parts.sum() + scores.bonus(3) + 9.0
    assert scores.bonus(3) == 15.0
    scale = scores.scaled_score(total, total / (total + 30.0), parts)
    assert scale == pytest.approx(0.9795, abs=5e-4)
    assert scores.accepted(total, total / (total + 30.0), 30.0, scale)
    one = scores.scaled_score(10.2, 1.0, np.array([10.2]))
    assert one == pytest.approx(0.601, abs=1e-3) and not scores.accepted(10.2, 1.0, 0.0, one)
