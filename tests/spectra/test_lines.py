"""The line list against published wavelengths."""

import numpy as np
import pytest

from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.spectra.lines import (
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
    """Table 1 of the user guide; it mixes air, vacuum and single components, so 4 Å are allowed."""
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
