"""Samples of line ratios against the physics that fixes them."""

import numpy as np
import pytest

from elixer_widgets.classification import templates


def test_oiii_doublet_is_three_to_one() -> None:
    ratio, _ = templates.ratios("OIII", ("OIII4959",), False)
    known = np.isfinite(ratio[:, 0])
    assert ratio[known, 0] == pytest.approx(1.0 / 2.98)


def test_balmer_lines_decrease_and_are_not_negative() -> None:
    ratio, _ = templates.ratios("OII", ("Hb", "Hg", "Hd", "Hepsilon"), False)
    known = ratio[np.all(np.isfinite(ratio), axis=1)]
    assert np.all(np.diff(known, axis=1) <= 1e-12) and known.min() >= 0.0


def test_weights_sum_to_one_and_follow_the_width() -> None:
    for anchor in ("Lya", "OII", "MgII", "Hb"):
        for broad in (False, True):
            _, log_weight = templates.ratios(anchor, ("CIV",), broad)
            assert np.exp(log_weight).sum() == pytest.approx(1.0)
    narrow, weight = templates.ratios("Lya", ("CIV",), False)
    wide, wide_weight = templates.ratios("Lya", ("CIV",), True)
    assert np.sum(np.exp(weight) * narrow[:, 0]) < 0.1 < np.sum(np.exp(wide_weight) * wide[:, 0])


def test_median_quasar_is_the_composite() -> None:
    """C IV over Lyα 0.253 and C III] over Lyα 0.159: Vanden Berk et al. 2001, table 2."""
    broad = next(kind for kind in templates.kinds() if kind.name == "broad-line AGN")
    assert np.median(broad.fluxes["CIV"] / broad.fluxes["Lya"]) == pytest.approx(0.253, rel=0.25)
    assert np.median(broad.fluxes["CIII"] / broad.fluxes["Lya"]) == pytest.approx(0.159, rel=0.25)


def test_same_numbers_every_time() -> None:
    first, _ = templates.ratios("OII", ("Hb",), False)
    templates.ratios.cache_clear()
    templates.kinds.cache_clear()
    again, _ = templates.ratios("OII", ("Hb",), False)
    assert np.array_equal(first, again, equal_nan=True)


def test_share_follows_strength_and_width() -> None:
    """Lyα and [O II] before the weaker lines; among broad lines those of quasars gain, the more the broader."""
    for weak, strong in (("CIII", "Lya"), ("Hg", "Hb"), ("NeIII", "OII"), ("OIII4959", "OIII")):
        assert templates.log_share(weak, 0) < templates.log_share(strong, 0)
    assert templates.log_share("MgII", 0) < templates.log_share("MgII", 1) < templates.log_share("Lya", 1)
    assert templates.log_share("OII", 2) < templates.log_share("OII", 1) < templates.log_share("OII", 0)
