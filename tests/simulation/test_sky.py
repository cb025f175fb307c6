"""The drawn population against the distributions that it is drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.simulation import sky
from elixer_widgets.simulation.spectra import moments


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 23, 24, 25, 64, 200, 1000])
def test_mixture_adds_up(n: int) -> None:
    counts = sky.mixture(n)
    assert sum(counts.values()) == n
    assert min(counts.values()) >= 0
    if n >= 24:
        assert min(counts.values()) >= 1


def test_lya_and_oii_come_in_their_natural_proportion() -> None:
    counts = sky.mixture(1000)
    assert counts["LAE"] / counts["OII"] == pytest.approx(sky.natural_ratio(), rel=0.02)
    # Leung et al. 2017 expect somewhat more Lyα emitters than [O II] galaxies in the HETDEX spectroscopic survey.
    assert 1.0 < sky.natural_ratio() < 3.0


def test_every_kind_has_an_identity_that_exists() -> None:
    assert set(sky.IDENTITY.values()) <= set(IDENTITIES)


@pytest.fixture(scope="module")
def drawn() -> dict[str, list]:
    rng = np.random.default_rng(11)
    return {kind: sky.draw(kind, 400, rng) for kind in ("LAE", "OII")}


@pytest.mark.parametrize("kind", ["LAE", "OII"])
def test_lines_lie_above_the_limit_and_in_range(drawn: dict, kind: str) -> None:
    for source in drawn[kind]:
        wave, _, flux = moments(source.main)
        assert 3500.0 < wave < 5500.0
        assert flux / sky.line_flux_error(wave) > 0.9 * sky.MINIMUM_SN


def test_fluxes_fall_like_the_schechter_function(drawn: dict) -> None:
    """Faint lines dominate: the median is less than twice the limit, the brightest exceed it several times."""
    ratio = np.array([moments(s.main)[2] / sky.line_flux_error(moments(s.main)[0]) for s in drawn["LAE"]])
    assert np.median(ratio) < 2.0 * sky.MINIMUM_SN
    assert ratio.max() > 3.0 * sky.MINIMUM_SN


def test_lya_equivalent_widths_are_exponential_with_the_scale_of_their_redshift(drawn: dict) -> None:
    """w0 is linear in z through (2.063, 50) and (3.104, 100) (Leung et al. 2017; Farrow et al. 2021)."""
    scaled = []
    for source in drawn["LAE"]:
        w0 = 50.01 + (source.z - 2.063) * (100.01 - 50.01) / (3.104 - 2.063)
        scaled.append((source.ew_rest - 3.0) / w0)
    assert kstest(scaled, "expon").pvalue > 0.001
    assert np.mean(scaled) == pytest.approx(1.0, abs=0.2)


def test_equivalent_width_is_flux_over_continuum(drawn: dict) -> None:
    for source in drawn["OII"][:50]:
        wave, _, flux = moments(source.main)
        assert flux / source.continuum_at(wave) / (1 + source.z) == pytest.approx(source.ew_rest, rel=0.02)


def test_oxygen_companions_scatter_about_the_published_ratios(drawn: dict) -> None:
    """[O III] 5007 is 2.65 and Ne III 0.23 of [O II] (Leung et al. 2017); 5007/4959 is 2.98."""
    log_ratio = []
    for source in drawn["OII"]:
        neiii, _, _, oiii4959, oiii5007 = source.lines
        assert oiii5007.flux / oiii4959.flux == pytest.approx(2.98)
        log_ratio.append((np.log10(oiii5007.flux / moments(source.main)[2] / 2.6533), neiii.wave))
    values = np.array(log_ratio)[:, 0]
    assert np.mean(values) == pytest.approx(0.0, abs=0.05)
    assert 0.15 < np.std(values) < 0.35


def test_nuclei_show_the_line_that_they_are_named_for() -> None:
    rng = np.random.default_rng(3)
    for kind in ("AGN_Lya", "AGN_CIV", "AGN_CIII", "AGN_MgII"):
        for source in sky.draw(kind, 20, rng):
            wave, sigma, flux = moments(source.main)
            assert 3500 < wave < 5520, kind
            assert sigma / wave * 2.3548 * 299792 > 1200  # broad
            assert flux > 0


def test_field_counts_follow_the_stated_law() -> None:
    rng = np.random.default_rng(5)
    area = 120.0**2
    r = np.concatenate([[s.magnitudes["r"] for s in sky.field_galaxies(area, rng)] for _ in range(4)])
    expected = 4 * area / 3600**2 * 1e5  # 1e5 per square degree to r = 25
    assert (r < 25.0).sum() == pytest.approx(expected, abs=5 * np.sqrt(expected))
