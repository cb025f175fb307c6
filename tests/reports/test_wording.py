"""What the page says, without drawing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from elixer_widgets.analysis import Aperture
from elixer_widgets.classification.flags import flag
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.detection import Magnitude
from elixer_widgets.reports import wording
from elixer_widgets.spectra.continuum import ContinuumEstimate
from tests.factories import make_bare_detection, make_interpretation


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (1.9e-16, 1.7e-17, "1.90(±0.17)e-16"),  # the form printed in the ELiXer report 3005417591
        (2.2e-16, 1.2e-17, "2.20(±0.12)e-16"),
        (-9.0e-18, 1.5e-18, "-9.00(±1.50)e-18"),  # and 2000724259
        (3.2, 0.2, "3.20(±0.20)"),
        (9.999e-17, math.nan, "1.00e-16"),
        (0.0, 0.1, "0.00(±0.10)"),
        (math.nan, 0.1, "not measured"),
    ],
)
def test_value_with_error(value: float, error: float, said: str) -> None:
    assert wording.symmetric(value, error) == said


def test_limits_are_written_as_limits() -> None:
    limit = ContinuumEstimate("wide", 0.09, is_limit=True, limit_sigma=2.0)
    assert wording.continuum(limit) == "< 9.00e-19 (2σ)"
    assert wording.magnitude(Magnitude("r", 26.13, is_limit=True, limit_sigma=2.0)) == "r > 26.1 (2σ)"
    assert wording.width(51.26, 3.0, is_limit=True) == "> 51.3 Å"


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (PlaeRatio(42.0, 12.0, 120.0), "42 (12 to 120)"),
        (PlaeRatio(5e6, 2e5, math.inf), ">1000"),
        (PlaeRatio(1e-9, 0.0, 1e-5), "<0.001"),
        (PlaeRatio(3.0, 0.0, math.inf), "3 (<0.001 to >1000)"),
        (PlaeRatio(math.nan), "N/A"),
        (None, "N/A"),
    ],
)
def test_ratio_is_clipped_and_says_so(ratio: PlaeRatio | None, said: str) -> None:
    assert wording.plae(ratio) == said


def test_header_of_lya_and_of_oii() -> None:
    lya = wording.header(make_interpretation())
    assert "EW(Lyα): 50.7±12.0 Å" in lya
    assert "P(Lyα): 0.880 (not calibrated)" in lya
    assert "z: 2.7027±0.0003 Lyα 1216" in lya
    oii = wording.header(make_interpretation(identity="OII"))
    assert "[O II]: 155.4±12.0 Å" in oii
    assert "[O II] 3728" in oii


def test_header_of_a_star_has_no_redshift() -> None:
    star = replace(make_interpretation(), identity="star", redshift=math.nan, line_label="star", quality=math.nan)
    assert "z: none (star)" in wording.header(star)
    assert "Q(z): N/A" in wording.header(star)


def test_width_is_a_lower_limit_where_the_continuum_is_an_upper_one() -> None:
    interpretation = make_interpretation()
    faint = replace(interpretation, continuum=replace(interpretation.continuum, is_limit=True))
    assert "EW(Lyα): > 50.7 Å" in wording.header(faint)


def test_flags_in_words_with_their_number() -> None:
    interpretation = replace(make_interpretation(), flags=(flag("blended"), flag("corrupt data")))
    assert wording.flags(interpretation) == "Flags 0x80000010: blended; corrupt data"
    assert wording.flags(replace(interpretation, flags=())) == "Flags: none"


def test_human_choices_are_told() -> None:
    interpretation = make_interpretation(identity="OII")
    second = interpretation.measurements.detection.fibers[1].fiber_id
    measurements = replace(interpretation.measurements, aperture=Aperture(1.5), excluded_fibers=(second,))
    said = wording.choices(replace(interpretation, measurements=measurements))
    assert said == [
        "identity [O II] at z = 0.2071",
        'aperture radius 1.50"',
        "1 fiber switched off",
    ]
    assert wording.choices(make_interpretation()) == []


def test_text_block_has_the_lines_of_the_report_in_their_order() -> None:
    lines = wording.text_block(make_interpretation())
    starts = [
        "ID: 2101630949 (2101630949.pdf)", "Obs: 20190201v012_2101630949", "Primary Spec_Slot_IFU_AMP: 041_084_025_LL",
        'F=1.7"  T=0.150  N=1.10', "RA,Dec (214.804291,52.819782)", "λ = 4500.00 Å", "LineFlux = 1.50(±0.12)e-16",
        "Cont(n) = 5.00(±2.00)e-19", "Cont(w) = < 9.00e-19 (2σ)", "gmag(w): g > 24.9 (2σ)", "EWr(Lyα) = ",
        "S/N = 12.0  χ² = 1.1", "P(LAE)/P(OII): 42 (12 to 120)",
    ]  # fmt: skip
    for line, start in zip(lines, starts, strict=False):
        assert line.startswith(start)
    assert any(line.startswith("LyA z = 2.70") and "OII z = 0.207" in line for line in lines)


def test_bad_conditions_are_marked() -> None:
    interpretation = make_interpretation()
    detection = interpretation.measurements.detection
    assert detection.shot is not None
    bad = replace(detection, shot=replace(detection.shot, fwhm=3.4, response_4540=0.05, dither_norm=3.6))
    lines = wording.text_block(
        replace(interpretation, measurements=replace(interpretation.measurements, detection=bad))
    )
    assert 'F=3.4"!  T=0.050!  N=3.60!' in lines[3]


def test_bare_spectrum_says_what_is_missing() -> None:
    lines = wording.text_block(make_interpretation(make_bare_detection()))
    assert "Obs: not available" in lines
    assert "RA,Dec: no position came with it" in lines


def test_shorten_keeps_the_room() -> None:
    assert wording.shorten("abcdef", 6) == "abcdef"
    assert wording.shorten("abcdefg", 6) == "abcde…"


def test_signed_has_no_negative_zero() -> None:
    assert [wording.signed(x) for x in (-0.01, 0.0, 2.34, -3.0)] == ["0.0", "0.0", "+2.3", "−3.0"]


def test_probabilities_say_what_they_were_calibrated_on() -> None:
    plain = make_interpretation()
    assert wording.calibration_words(plain) == "not calibrated"
    fitted = replace(plain, calibrated=True, provenance="on simulated surveys: fitted to 4,000 of them")
    assert wording.calibration_words(fitted) == "calibrated on simulated surveys"
