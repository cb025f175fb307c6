"""Solutions against spectra whose identity is known."""

from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.classification import scores
from elixer_widgets.classification.likelihood import forest_gain
from elixer_widgets.classification.solutions import companions, is_broad, most_likely, solve
from elixer_widgets.detection import Spectrum
from elixer_widgets.spectra import LINES, find_lines, fit_line, line, observed_air
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


# ------------------------------------------------------------------------------------ companions of every identity


def test_every_line_in_range_is_measured_for_every_identity() -> None:
    noisy = spectrum([(4700.0, 2.6, 20.0)], noise=0.2)
    main = fit_line(noisy, 4700.0)
    for solution in solve(noisy, main):
        measured = {each.line for each in solution.companions if each.in_range}
        places = {n: float(observed_air(each, solution.redshift)) for n, each in LINES.items() if n != solution.line}
        inside = {n for n, x in places.items() if 3470.0 <= x <= 5540.0 and abs(x - main.center) >= 5.0}
        assert measured == inside, solution.line
        for each in solution.companions:
            assert not each.in_range or (np.isfinite(each.flux) and np.isfinite(each.limit))


def test_every_line_of_the_list_is_tried() -> None:
    noisy = spectrum([(5400.0, 2.6, 20.0)], noise=0.2)
    tried = {each.line for each in solve(noisy, fit_line(noisy, 5400.0))}
    assert tried == {name for name, each in LINES.items() if not each.absorption}
    hollow = spectrum([(5400.0, 2.6, -20.0)], noise=0.2, continuum=5.0)
    dip = fit_line(hollow, 5400.0, absorption=True)
    assert {each.line for each in solve(hollow, dip)} == {"CaK", "CaH"}


def test_consistent_says_whether_the_flux_fits() -> None:
    right = _spectrum(0.08, {"OIII": 30.0, "OIII4959": 10.0, "Hb": 6.0})
    wrong = _spectrum(0.08, {"OIII": 30.0, "OIII4959": 30.0, "Hb": 6.0})
    for noisy, expected in ((right, True), (wrong, False)):
        main = fit_line(noisy, float(observed_air(line("OIII"), 0.08)))
        mate = next(each for each in companions(noisy, main, "OIII") if each.line == "OIII4959")
        assert mate.consistent is expected and mate.status == "found"
    lonely = spectrum([(4700.0, 2.6, 20.0)], noise=0.2)
    beside = {each.line: each for each in companions(lonely, fit_line(lonely, 4700.0), "CIV")}
    assert beside["Lya"].consistent is False and beside["Lya"].status == "missing"
    assert beside["NaI4981"].consistent is None if "NaI4981" in beside else True


def test_oiii_pair_is_lifted() -> None:
    """[O III] 5007 with 4959 at a third and no more: the published rule gives it a score of 25 at least."""
    noisy = _spectrum(0.06, {"OIII": 15.0, "OIII4959": 5.0}, noise=0.15)
    main = fit_line(noisy, float(observed_air(line("OIII"), 0.06)))
    best = solve(noisy, main, find_lines(noisy))[0]
    assert best.line == "OIII" and best.score >= 25.0


# ------------------------------------------------------------------------- what the continuum says of a redshift


def _bright(z: float, *, forest: bool, seed: int) -> Spectrum:
    """A broad line at Lyα of `z` on a continuum of S/N 10 a sample, with or without a forest shortward of it.

    The forest: random absorbers 160 km/s wide, one every 15 Å, which leave three quarters of the flux as at z = 2.7.
    """
    rng = np.random.default_rng(seed)
    plain = spectrum([(float(observed_air(line("Lya"), z)), 18.0, 300.0)], noise=0.3, continuum=3.0, seed=None)
    wave, flux = np.asarray(plain.wavelength), np.array(plain.flux)
    if forest:
        edge = float(observed_air(line("Lya"), z)) - 10.0
        for center in rng.uniform(3400.0, edge, int((edge - 3400.0) / 15.0)):
            depth = 1.0 - np.exp(-rng.uniform(0.2, 2.5))
            flux *= 1.0 - depth * np.exp(-0.5 * ((wave - center) / 2.5) ** 2)
    return Spectrum(wave, flux + rng.normal(0.0, 0.3, wave.size), np.full(wave.size, 0.3), LSF)


def test_forest_speaks_for_lya_and_its_absence_against() -> None:
    for seed in range(12, 16):
        gains, leads = [], []
        for forest in (True, False):
            noisy = _bright(2.8, forest=forest, seed=seed)
            main = fit_line(noisy, float(observed_air(line("Lya"), 2.8)))
            found = find_lines(noisy)
            by_line = {each.line: each.log_likelihood for each in solve(noisy, main, found)}
            leads.append(by_line["Lya"] - by_line["MgII"])
            gains.append(float(forest_gain(noisy, found, np.array([2.8]))[0]))
        assert gains[0] > 1.5 and gains[1] < -2.0
        assert leads[0] > leads[1] + 3.0


def test_faint_continuum_says_nothing_of_the_forest() -> None:
    noisy = spectrum([(4700.0, 2.6, 20.0)], noise=0.3, continuum=0.0)
    assert np.array_equal(forest_gain(noisy, (), np.array([2.5, 2.8, 3.1])), np.zeros(3))


def test_stellar_absorption_speaks_for_a_galaxy() -> None:
    z = 0.25
    lines = [(float(observed_air(line("OII"), z)), 2.8, 30.0)]
    lines += [(float(observed_air(line(name), z)), 5.0, -20.0) for name in ("CaK", "CaH")]
    with_lines, without = (spectrum(each, noise=0.3, continuum=3.0) for each in (lines, lines[:1]))
    place = lines[0][0]
    values = [
        next(s for s in solve(each, fit_line(each, place)) if s.line == "OII").log_likelihood
        for each in (with_lines, without)
    ]
    assert values[0] > values[1] + 2.0


def test_bump_of_a_bright_continuum_is_no_companion() -> None:
    """A bump of 4 % where C III] has C II]: formally significant, yet worth little."""
    z = 1.3
    place = float(observed_air(line("CIII"), z))
    bump = (float(observed_air(line("CII"), z)), 20.0, 0.04 * 20.0 * 20.0 * 2.5)
    noisy = spectrum([(place, 20.0, 700.0), bump], noise=0.3, continuum=20.0)
    solutions = {each.line: each for each in solve(noisy, fit_line(noisy, place))}
    companion = next(each for each in solutions["CIII"].companions if each.line == "CII")
    assert companion.snr > 4.0
    assert solutions["CIII"].log_likelihood < 2.0


def test_lone_line_is_lya_or_oii() -> None:
    """Without any companion the share decides, and rare anchors do not win by the luck of the noise."""
    chosen = set()
    for seed in range(8):
        noisy = spectrum([(5300.0, 2.6, 20.0)], noise=0.2, seed=seed)
        best = most_likely(solve(noisy, fit_line(noisy, 5300.0)))
        assert best is not None
        chosen.add(best.line)
    assert chosen <= {"Lya", "OII"}
    assert most_likely(()) is None


def test_a_doublet_whose_one_line_has_no_flux_is_no_triple() -> None:
    # A fit may end at a flux of exactly 0: then there is no ratio, and the search for solutions goes on
    noisy = _spectrum(0.02, {"OIII4959": 1.5, "OIII": 4.0})
    main = fit_line(noisy, float(observed_air(line("OIII4959"), 0.02)))
    assert solve(noisy, replace(main, flux=0.0), ())
