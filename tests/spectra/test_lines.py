"""The line list against published wavelengths."""

from pathlib import Path

import numpy as np
import pytest

from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.spectra.lines import (
    AGN_RATIOS,
    GALAXY_RATIOS,
    IDENTITY_LINES,
    LINES,
    expected_ratio,
    line,
    lines_in_range,
    observed_air,
    redshift_of,
)

GUIDE = (1216, 3727, 4960, 5007, 2326, 1909, 1549, 4863, 4342, 4102, 3970, 3889, 3835, 1241, 1260, 1640, 3869, 3967,
         3347, 3427, 4980, 5153, 3935)  # fmt: skip


@pytest.mark.parametrize("wavelength", GUIDE)
def test_every_line_of_the_guide_is_there(wavelength: int) -> None:
    """Table 1 of the user guide; it mixes air, vacuum and single components, so 2 Å are allowed."""
    components = [w for each in LINES.values() for w, _ in each.components]
    near = [*components, *(each.vacuum for each in LINES.values()), *(each.air for each in LINES.values())]
    assert min(abs(np.array(near) - wavelength)) < 2.0


def test_27_lines_and_unique_names() -> None:
    assert len(LINES) == 27
    assert all(name == each.name for name, each in LINES.items())


def test_published_wavelengths_agree_with_the_list() -> None:
    """The catalogue's rest wavelengths differ from ours only where its identification of a doublet does."""
    for each in LINES.values():
        assert each.published == pytest.approx(each.air, abs=2.0), each.name


@pytest.mark.parametrize(
    ("name", "air"),  # Osterbrock & Ferland 2006, and NIST
    [("OIII", 5006.84), ("OIII4959", 4958.91), ("Hb", 4861.33), ("Hg", 4340.47), ("NeIII", 3868.76), ("NeV", 3425.87)],
)
def test_air_wavelengths(name: str, air: float) -> None:
    assert line(name).air == pytest.approx(air, abs=0.02)


def test_identifications_are_true() -> None:
    assert line("SiII").label.startswith("Si II ")
    assert line("NeV").label == "[Ne V] 3426"


def test_identities_have_anchors() -> None:
    lines = [name for name in IDENTITIES if name not in ("other", "star", "artifact", "noise")]
    assert list(IDENTITY_LINES) == lines
    assert all(each.anchor for each in IDENTITY_LINES.values())


def test_shifts_are_made_in_vacuum() -> None:
    # 4500 Å in air is 4501.26 Å in vacuum, so z(Lyα) is 2.7027, not 2.7017
    assert redshift_of(4500.0, line("Lya")) == pytest.approx(2.70271, abs=2e-5)
    assert redshift_of(observed_air(line("OII"), 0.2), line("OII")) == pytest.approx(0.2, abs=1e-9)


def test_doublets() -> None:
    assert line("OII").is_doublet and line("OII").spread == pytest.approx(1.38, abs=0.02)
    assert not line("Lya").is_doublet and line("Lya").spread == 0.0


def test_unknown_name() -> None:
    with pytest.raises(KeyError, match="Lya"):
        line("Halpha")


def test_lines_in_range() -> None:
    names = [each.name for each in lines_in_range(0.08, 3470.0, 5540.0)]
    assert {"OII", "Hb", "OIII", "OIII4959"} <= set(names) and "Lya" not in names


def test_ratios() -> None:
    ratio = expected_ratio("OIII", "OIII4959")
    assert ratio is not None and ratio.typical == pytest.approx(3.0, rel=0.05)
    assert expected_ratio("Lya", "Hb") is None
    lya, civ = expected_ratio("Lya", "CIV"), expected_ratio("CIV", "Lya")
    assert lya is not None and civ is not None
    assert lya.typical * civ.typical == pytest.approx(1.0)
    assert all(r.low <= r.typical <= r.high for r in (ratio, lya, civ))


# ------------------------------------------------------------------------------- against the published table of lines

FACTS = "| Line | λ rest |"
BROADER = {"HeII", "OVI"}
"""Broad here, as they are in quasars; not in the published list."""


def _fact_rows(shared: Path) -> list[list[str]]:
    """The 27 rows of the fact sheet's table: name, wavelength, colour, Sol, rank, Brd, ..."""
    text = (shared / "spec" / "classification.md").read_text(encoding="utf-8")
    body = text[text.index(FACTS) :].splitlines()[2:]
    rows = []
    for row in body:
        if not row.startswith("|"):
            break
        rows.append([cell.strip() for cell in row.strip("|").split("|")])
    return rows


def test_published_table(shared: Path) -> None:
    """Every row once: wavelength, rank, what may be the only line, what may be broad, what is absorption."""
    rows = _fact_rows(shared)
    assert len(rows) == 27
    by_wavelength = {each.published: each for each in LINES.values()}
    assert sorted(float(row[1]) for row in rows) == sorted(by_wavelength)
    for row in rows:
        ours = by_wavelength[float(row[1])]
        assert ours.rank == int(row[4]), ours.name
        assert ours.anchor == (row[3] == "Y"), ours.name
        assert ours.absorption == (row[5] == "absorption"), ours.name
        assert ours.broad == (row[5] == "Y") or ours.name in BROADER, ours.name


def test_published_single_lines_have_our_wavelengths(shared: Path) -> None:
    """Single lines agree to 0.03 Å; doublets only where their mean is taken alike."""
    published = [float(row[1]) for row in _fact_rows(shared)]
    for each in LINES.values():
        if not each.is_doublet:
            nearest = min(published, key=lambda wave, here=each: abs(wave - here.air))
            assert nearest == pytest.approx(each.air, abs=0.03), each.name


# ------------------------------------------------------------------------------------ against independent wavelengths


@pytest.mark.parametrize(
    ("name", "lower", "upper"),
    [("Lya", 1, 2), ("Hb", 2, 4), ("Hg", 2, 5), ("Hd", 2, 6), ("Hepsilon", 2, 7), ("Hzeta", 2, 8), ("Heta", 2, 9)],
)
def test_hydrogen_follows_the_rydberg_formula(name: str, lower: int, upper: int) -> None:
    """1/λ = R_H (1/n² - 1/m²), R_H = 109677.5834 /cm; the fine structure of n = 2, 0.37 /cm, is 0.09 Å wide at Hβ."""
    wavelength = 1e8 / (109677.5834 * (1.0 / lower**2 - 1.0 / upper**2))
    assert line(name).vacuum == pytest.approx(wavelength, abs=0.06)


def test_ionised_helium_follows_the_rydberg_formula() -> None:
    """Z² times hydrogen's, with the Rydberg constant of helium; fine structure takes 0.1 Å off."""
    assert line("HeII").vacuum == pytest.approx(1e8 / (4 * 109722.277 * (1 / 4 - 1 / 9)), abs=0.12)


@pytest.mark.parametrize(
    ("name", "components"),
    # vacuum wavelengths of the SDSS list of lines and of Morton (2003), from memory
    [
        ("OVI", (1031.93, 1037.62)), ("NV", (1238.82, 1242.80)), ("SiII", (1260.42, 1264.74)),
        ("SiIV", (1393.76, 1402.77)), ("CIV", (1548.20, 1550.77)), ("CIII", (1906.68, 1908.73)),
        ("MgII", (2796.35, 2803.53)), ("OII", (3727.09, 3729.88)), ("NeV", (3426.85,)), ("NeV3346", (3346.79,)),
        ("NeIII", (3869.86,)), ("NeIII3967", (3968.59,)), ("CaK", (3934.78,)), ("CaH", (3969.59,)),
        ("OIII4959", (4960.295,)), ("OIII", (5008.240,)),
    ],
)  # fmt: skip
def test_vacuum_wavelengths(name: str, components: tuple[float, ...]) -> None:
    assert [wave for wave, _ in line(name).components] == pytest.approx(list(components), abs=0.02)


def test_resonance_doublets_and_semiforbidden_ones_are_doublets() -> None:
    doublets = {each.name for each in LINES.values() if each.is_doublet}
    assert {"OVI", "NV", "SiIV", "CIV", "CIII", "MgII", "OII", "CII", "SiII"} <= doublets
    assert not doublets & {"Lya", "HeII", "Hb", "OIII", "OIII4959", "CaH", "CaK"}


def test_sources_are_named() -> None:
    assert all(each.source for each in LINES.values())
    assert line("CIV").source.startswith("Morton") and line("OIII").source.startswith("NIST")


# ----------------------------------------------------------------------------------------------------- ratios of lines


def test_ranges_hold_the_published_ones() -> None:
    """Ranges of the fact sheet relative to [O II] and to Lyα lie within ours, but for its unphysical low ends."""
    highest = {"Hb": 3.3, "Hg": 1.5, "Hd": 0.5, "Hepsilon": 1.2, "OIII4959": 6.5, "OIII": 20.0}
    for name, high in highest.items():
        assert GALAXY_RATIOS[name].high >= high, name
    nuclei = {"CIV": (0.07, 0.7), "CIII": (0.02, 0.3), "CII": (0.01, 0.1), "MgII": (0.05, 0.4), "NV": (0.05, 0.4),
              "SiIV": (0.03, 0.2), "HeII": (0.01, 0.2), "OVI": (0.03, 0.4)}  # fmt: skip
    for name, (low, high) in nuclei.items():
        assert AGN_RATIOS[name].low <= low and AGN_RATIOS[name].high >= high, name


def test_balmer_ratios_are_case_b() -> None:
    """Typical Balmer ratios lie between case B (Osterbrock & Ferland 2006, table 4.4) and that reddened by A_V = 1."""
    for name, case_b in (("Hg", 0.468), ("Hd", 0.259), ("Hepsilon", 0.159), ("Hzeta", 0.105)):
        ratio = expected_ratio(name, "Hb")
        assert ratio is not None and 0.65 * case_b < ratio.typical <= 1.05 * case_b, name
