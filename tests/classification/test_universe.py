"""The published luminosity functions and distances against independent numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad, trapezoid

from elixer_widgets.classification import universe


def test_worked_example_at_4500() -> None:
    """The fact sheet's example 7: λ = 4500 Å, F = 1e-16."""
    z = 4500.0 / 1215.67 - 1.0
    lae = universe.luminosity_function("LAE", z)
    assert 10.0**lae.log_l_star == pytest.approx(2.338e42, rel=2e-4)
    assert lae.phi_star == pytest.approx(2.4012e-3, rel=1e-4)
    assert lae.total_factor == pytest.approx(1.2813, rel=1e-4)
    assert universe.luminosity(1e-16, z, "published") == pytest.approx(2.858e42, rel=2e-4)
    assert universe.volume_element(z) == pytest.approx(1.2792e10, rel=1e-4)
    z = 4500.0 / 3727.8 - 1.0
    oii = universe.luminosity_function("OII", z)
    assert universe.luminosity(1e-16, z, "published") == pytest.approx(6.0625e39, rel=1e-4)
    assert oii.density(6.0625e39) == pytest.approx(0.020598, rel=1e-4)


def test_every_factor_agrees_with_the_reference(shared: Path) -> None:
    table = pd.read_csv(shared / "reference/original/plae_poii_internals.csv")
    for kind, rest in (("lae", 1215.67), ("oii", 3727.8)):
        rows = table[table[f"z_{kind}"] > 0]
        z = rows[f"z_{kind}"].to_numpy()
        name = "LAE" if kind == "lae" else "OII"
        lf = universe.luminosity_function(name, z)
        np.testing.assert_allclose(10.0**lf.log_l_star, rows[f"Lstar_{kind}"], rtol=1e-6)
        np.testing.assert_allclose(lf.phi_star, rows[f"phistar_{kind}"], rtol=1e-6)
        np.testing.assert_allclose(universe.luminosity_distance(z), rows[f"lumdist_{kind}_Mpc"], rtol=1e-5)
        np.testing.assert_allclose(universe.volume_element(z) * 1215.67 / rest, rows[f"dvol_{kind}"], rtol=1e-5)
        for text in ("3e-17", "1e-16", "5e-16"):
            density = lf.density(universe.luminosity(float(text), z, "published"))
            np.testing.assert_allclose(density, rows[f"lf_n_{kind}_{text}"], rtol=1e-4)


def test_number_above_is_the_integral_of_the_density() -> None:
    lf = universe.luminosity_function("LAE", 2.5)
    integral, _ = quad(lambda t: float(lf.density(np.exp(t))), np.log(1e42), np.log(1e45))
    assert lf.number_above(1e42) == pytest.approx(integral, rel=1e-6)


def test_distance_agrees_with_astropy() -> None:
    from astropy.cosmology import Planck18

    z = np.array([0.003, 0.05, 0.4, 2.7, 5.5])
    np.testing.assert_allclose(
        universe.luminosity_distance(z, "Planck18"), Planck18.luminosity_distance(z).value, rtol=1e-6
    )
    assert np.isnan(universe.luminosity_distance(-0.01))


def test_no_oii_blueward_of_its_rest_wavelength() -> None:
    assert universe.number_density("OII", 3700.0, 1e-16) == 0.0
    assert universe.number_density("LAE", 3700.0, 1e-16) > 0.0


def test_counts_follow_from_the_density() -> None:
    """Integrating per Å and ln F over a box equals LF x volume done by hand."""
    low, high = 4400.0, 4410.0
    z_low, z_high = low / 1215.67 - 1.0, high / 1215.67 - 1.0
    by_hand, _ = quad(
        lambda z: float(
            universe.luminosity_function("LAE", z).number_above(universe.luminosity(1e-16, z, "published"))
            * universe.volume_element(z)
        ),
        z_low,
        z_high,
    )
    ln_flux = np.linspace(np.log(1e-16), np.log(5e-15), 4001)

    total = trapezoid(universe.number_density("LAE", 4405.0, np.exp(ln_flux)), ln_flux) * (high - low)
    assert total == pytest.approx(by_hand, rel=1e-3)


def test_unknown_class_is_named() -> None:
    with pytest.raises(ValueError, match="LAE, OII"):
        universe.luminosity_function("quasar", 2.0)
