"""The distributions of measured equivalent widths against the published ones and against plain Monte
Carlo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

from elixer_widgets.classification.equivalent_widths import (
    IMAGING_DEPTH,
    LOG_WIDTHS,
    NORMALISED_BETWEEN,
    ab_flux_density,
    line_limit,
    log_density,
    log_density_row,
)
from elixer_widgets.classification.universe import equivalent_width_scale

# Ordinates (per Å, times 1e-3) of the distributions that HETDEX uses, from the fact sheet on the original
# (appendix A)
LAE_WIDTHS = (1, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500)
LAE = {
    1.94: (24.55, 21.87, 19.10, 14.72, 11.40, 6.912, 3.658, 1.979, 0.6931, 0.3070, 0.0969, 0.0248),
    2.30: (17.07, 15.89, 14.62, 12.53, 10.78, 7.583, 4.412, 2.560, 1.001, 0.4805, 0.1681, 0.0477),
    2.75: (12.30, 11.73, 11.12, 10.10, 9.329, 7.572, 5.013, 3.168, 1.376, 0.7009, 0.2596, 0.0762),
    3.50: (8.607, 8.338, 8.025, 7.559, 7.226, 6.642, 5.236, 3.739, 1.877, 1.032, 0.4110, 0.1255),
}
OII_WIDTHS = (1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 60)
OII = {
    0.0395: (166.2, 123.3, 79.94, 50.84, 32.27, 13.23, 5.559, 1.065, 0.2302, 0.01163),
    0.12: (127.9, 104.4, 73.60, 51.95, 36.98, 18.68, 9.525, 2.554, 0.7117, 0.0628),
    0.25: (85.48, 75.05, 59.78, 47.69, 38.05, 24.30, 15.48, 6.379, 2.648, 0.4750),
    0.46: (42.02, 39.35, 35.31, 31.71, 28.41, 22.89, 18.44, 11.98, 7.806, 3.348),
}


@pytest.mark.parametrize("z", LAE)
def test_lya_as_published(z: float) -> None:
    ours = np.exp(log_density("LAE", np.array(LAE_WIDTHS, float), z)) * 1e3
    np.testing.assert_allclose(ours, LAE[z], rtol=0.045)


@pytest.mark.parametrize("z", OII)
def test_oii_as_published(z: float) -> None:
    width = np.array(OII_WIDTHS, float)
    off = np.abs(log_density("OII", width, z) - np.log(np.array(OII[z]) * 1e-3))
    # Beyond four scale lengths hardly any galaxy is left, and flux errors make the tail
    bulk = width < 4.0 * equivalent_width_scale("OII", z)
    assert np.max(off[bulk]) < 0.05
    assert np.max(off) < 0.2


@pytest.mark.parametrize("z", [z for z in OII if z > 0.1])
def test_published_parameters_alone_come_near(z: float) -> None:
    """Without the fitted corrections: the scale lengths of the configuration, times (1 + z)/1.25."""
    width = np.array([1.0, 5.0, 10.0, 20.0])
    off = np.interp(np.log10(width), LOG_WIDTHS, log_density_row("OII", z, corrected=False))
    expected = [np.log(OII[z][OII_WIDTHS.index(int(each))] * 1e-3) for each in width]
    np.testing.assert_allclose(off, expected, atol=0.08)


@pytest.mark.parametrize(("kind", "z"), [("LAE", 1.86), ("LAE", 3.55), ("OII", 0.005), ("OII", 0.486)])
def test_no_zero_rows_at_the_edges(kind: str, z: float) -> None:
    width = np.geomspace(0.1, 2000.0, 200)
    density = log_density(kind, width, z)
    assert np.all(np.isfinite(density))
    # The distribution neither jumps nor vanishes where the table in use at HETDEX ends
    inside = log_density(kind, width, z + (0.03 if z in (1.86, 0.005) else -0.03))
    bulk = width < 30.0
    assert np.max(np.abs(density - inside)[bulk]) < 0.6


@pytest.mark.parametrize(("kind", "z"), [("LAE", 2.2), ("LAE", 3.2), ("OII", 0.2)])
def test_normalised(kind: str, z: float) -> None:
    width = np.geomspace(*NORMALISED_BETWEEN, 4000)
    area = trapezoid(np.exp(log_density(kind, width, z)) * width, np.log(width))
    assert area == pytest.approx(1.0, abs=0.01)


def test_tail_is_made_by_continuum_noise() -> None:
    """A line of 1e-16 on no continuum at all is measured with 1/E normal about 0: the tail falls as E^-2."""
    width = np.array([800.0, 1600.0])
    density = np.exp(log_density("LAE", width, 2.5))
    assert density[0] / density[1] == pytest.approx(4.0, rel=0.15)


def test_ab_flux_density() -> None:
    """AB 24.8 at 4726.1 Å is 5.86e-19 erg/s/cm²/Å."""
    assert ab_flux_density(24.8, 4726.1) == pytest.approx(5.859e-19, rel=1e-3)
    assert IMAGING_DEPTH == 25.0


def test_line_limit_passes_through_the_published_values() -> None:
    """8.588e-17 at z_Lyα 1.878, the minimum of 3.60e-17 at 3.25, 3.976e-17 at 3.523."""
    wavelength = 1215.67 * (1.0 + np.array([1.878, 3.25, 3.523]))
    np.testing.assert_allclose(line_limit(wavelength), [8.588e-17, 3.60e-17, 3.976e-17], rtol=1e-2)
    grid = np.linspace(3450.0, 5560.0, 300)
    assert abs(grid[np.argmin(line_limit(grid))] - 5167.0) < 10.0


def test_worked_example_at_4500() -> None:
    """The fact sheet's example 7: E f is 0.30131 for Lyα at 32.42 Å and 1.0346e-3 for [O II] at 99.41 Å."""
    lya = 32.42 * np.exp(log_density("LAE", 32.42, 4500.0 / 1215.67 - 1.0))
    oii = 99.41 * np.exp(log_density("OII", 99.41, 4500.0 / 3727.8 - 1.0))
    assert np.log(lya / 0.30131) == pytest.approx(0.0, abs=0.02)
    assert np.log(oii / 1.0346e-3) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("kind", "column", "rest"), [("LAE", "lae", 1215.67), ("OII", "oii", 3727.8)])
def test_factor_at_a_hundred_wavelengths(shared: Path, kind: str, column: str, rest: float) -> None:
    """E f(E, z) of the tables in use, between their faulty ends, up to ten scale lengths."""
    table = pd.read_csv(shared / "reference/original/plae_poii_internals.csv")
    table = table[(table.wave > 3875.0) & (table.wave < 5445.0)]
    z = table.wave.to_numpy() / rest - 1.0
    for observed in (2, 10, 30, 60, 120, 300, 590):
        width = observed / (1.0 + z)
        theirs = table[f"ew_n_{column}_obs{observed}"].to_numpy()
        scales = width / equivalent_width_scale(kind, z)
        known = (theirs > 0) & (scales < 10.0)
        off = np.abs(np.log(width) + log_density(kind, width, z) - np.log(np.where(theirs > 0, theirs, 1.0)))
        assert np.all(off[known] < 0.2)
        assert np.all(off[known & (scales < 4.0)] < 0.05)
