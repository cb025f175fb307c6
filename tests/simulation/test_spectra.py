"""Spectra of simulated objects against textbook numbers."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.simulation import spectra
from elixer_widgets.simulation.optics import LSF_SIGMA


def test_lines_are_at_their_known_wavelengths_in_air() -> None:
    """NIST: [O III] 5006.843, Hβ 4861.333 Å in air."""
    assert spectra.emission("OIII5007", 0.0, 1.0, 10.0).wave == pytest.approx(5006.843, abs=0.02)
    assert spectra.emission("Hb", 0.0, 1.0, 10.0).wave == pytest.approx(4861.333, abs=0.03)


def test_oii_doublet_has_the_given_ratio_and_centroid() -> None:
    blue, red = spectra.oii_doublet(0.0, 10.0, 50.0, 1.4)
    assert blue.wave == pytest.approx(3726.03, abs=0.02) and red.wave == pytest.approx(3728.82, abs=0.02)
    assert red.flux / blue.flux == pytest.approx(1.4) and red.flux + blue.flux == pytest.approx(10.0)
    assert spectra.moments((blue, red))[0] == pytest.approx((3726.03 + 1.4 * 3728.82) / 2.4, abs=0.02)


def test_lya_is_red_skewed_about_its_redshift() -> None:
    z = 2.5
    parts = spectra.lya_profile(z, 20.0, 200.0, 0.4)
    centre, sigma, flux = spectra.moments(parts)
    assert flux == pytest.approx(20.0)
    assert centre * 1.000278 == pytest.approx(1215.67 * (1 + z), abs=0.1)  # index of air at 4250 Å
    assert sigma > LSF_SIGMA
    third = sum(p.flux * ((p.wave - centre) ** 3 + 3 * (p.wave - centre) * p.sigma**2) for p in parts)
    assert third > 0


def test_spectrum_holds_the_flux_and_width_of_its_line() -> None:
    source = spectra.Source("LAE", "Lya", 2.5, (spectra.Emission(4500.0, 3.0, 12.0),))
    flux = source.spectrum()
    assert flux.sum() * 0.5 == pytest.approx(12.0, rel=1e-4)
    centre = (flux * spectra.FINE_GRID).sum() / flux.sum()
    width = np.sqrt((flux * (spectra.FINE_GRID - centre) ** 2).sum() / flux.sum())
    assert centre == pytest.approx(4500.0, abs=0.01)
    assert width == pytest.approx(np.hypot(3.0, LSF_SIGMA), rel=0.01)


def test_flat_f_nu_has_one_magnitude_in_all_bands() -> None:
    """By the definition of AB magnitudes; 22.0 is 5.75e-30 erg/s/cm²/Hz."""
    f_nu = 10 ** (-0.4 * (22.0 + 48.6))
    assert f_nu == pytest.approx(5.754e-30, rel=1e-3)
    continuum = f_nu * 2.99792458e18 / spectra.CONTINUUM_GRID**2 * 1e17
    for value in spectra.magnitudes(continuum).values():
        assert value == pytest.approx(22.0, abs=0.003)


def test_line_brightens_the_band_it_lies_in() -> None:
    """A line of equivalent width W brightens a band of width ΔW by about 2.5 log(1 + W/ΔW)."""
    continuum = np.full(spectra.CONTINUUM_GRID.size, 0.1)
    line = (spectra.Emission(4700.0, 3.0, 0.1 * 500.0),)
    plain, with_line = spectra.magnitudes(continuum), spectra.magnitudes(continuum, line)
    assert plain["g"] - with_line["g"] == pytest.approx(2.5 * np.log10(1 + 500.0 / 1390.0), abs=0.03)
    assert with_line["r"] == pytest.approx(plain["r"], abs=1e-3)


def test_high_redshift_dims_the_blue_bands() -> None:
    through = spectra.intergalactic(3.3)
    grid = spectra.CONTINUUM_GRID
    assert through[grid < 912 * 4.3].max() == pytest.approx(0.05)
    assert 0.4 < through[(grid > 4900) & (grid < 5150)].mean() < 0.75  # τ = 0.0018 (4.1)^3.92 = 0.45
    assert (through[grid > 1216 * 4.3] == 1).all()
