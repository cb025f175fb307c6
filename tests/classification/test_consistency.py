"""The published consistency factors against the rules they state."""

import pytest

from elixer_widgets.classification.consistency import Member, agn, factor, galaxy, lae


def _member(flux: float, fwhm: float = 6.0, **more: float) -> Member:
    return Member(flux * 1e-17, 0.5e-17, fwhm, 0.2, **more)


def _everywhere(name: str) -> float:
    return 4500.0


def _nowhere(name: str) -> float:
    return 9000.0


@pytest.mark.parametrize(
    ("consistency", "expected"), [(0, 1.0), (1, 2.0), (5, 3.0), (-1, 0.5), (-3, 0.25), (-4, 0.2), (-9, 0.2)]
)
def test_factor(consistency: float, expected: float) -> None:
    assert factor(consistency) == pytest.approx(expected)


def test_complete_galaxy_is_favoured_and_incomplete_is_not() -> None:
    lines = {"OII": _member(20), "Hb": _member(8), "OIII4959": _member(8), "OIII": _member(24)}
    assert galaxy(lines, _everywhere) == 3.0
    lonely = {"Hb": _member(20)}
    assert galaxy(lonely, _everywhere) == pytest.approx(factor(-1))  # [O II] is missing
    assert galaxy(lonely, _nowhere) == 1.0  # out of range: nothing is missing
    assert galaxy({"Lya": _member(20)}, _everywhere) == 1.0


def test_wrong_doublet_ratio_counts_against() -> None:
    right = galaxy({"OIII4959": _member(10), "OIII": _member(30)}, _nowhere)
    wrong = galaxy({"OIII4959": _member(30), "OIII": _member(10)}, _nowhere)
    assert right == 2.0 and wrong == 0.5


def test_nucleus_without_lya() -> None:
    lines = {"CIV": _member(30, 40.0), "HeII": _member(10, 40.0)}
    assert agn(lines, _everywhere) < 0.5 < agn(lines, _nowhere)


def test_emitter_by_equivalent_width() -> None:
    members = {"Lya": _member(20, snr=8.0)}
    assert lae(members, "Lya", 60.0, 10.0) == 2.0
    assert lae(members, "Lya", 8.0, 1.0) == 0.5
    assert lae({}, "CIV", 60.0, 10.0) == pytest.approx(factor(-2.0))


def test_lya_beside_another_line() -> None:
    """Missing inside the range: -2; there, but too weak to be believed: -1; outside the range: nothing."""
    main = {"HeII": _member(30, snr=9.0)}
    assert lae(main, "HeII", 0.0, 0.0, expected_at=_everywhere) == pytest.approx(factor(-2.0))
    assert lae(main, "HeII", 0.0, 0.0, expected_at=_nowhere) == 1.0
    weak = main | {"Lya": _member(90, snr=4.0)}
    assert lae(weak, "HeII", 0.0, 0.0, expected_at=_everywhere) == pytest.approx(factor(-1.0))
    strong = main | {"Lya": _member(200, snr=40.0)}
    assert lae(strong, "HeII", 0.0, 0.0, expected_at=_everywhere) == 1.0


def test_narrow_line_of_small_width_on_a_bright_continuum() -> None:
    members = {"Lya": _member(20, snr=8.0)}
    assert lae(members, "Lya", 17.0, 1.0, bright=True) == 0.5 and lae(members, "Lya", 17.0, 1.0) == 1.0
