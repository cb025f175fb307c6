"""Flags are raised by what they are about, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

from elixer_widgets.classification.conditions import raise_flags
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import Magnitude, Shot
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.fitting import LineFit
from tests.factories import make_bare_detection, make_detection

LINE = LineFit(4500.0, 2.8, 1e-16, 0.05, 8.0, 1.0, flux_err=1e-17)
NARROW = ContinuumEstimate("narrow", 0.1, 0.02)
FAINT = Magnitude("g", 25.0, is_limit=True)
SURE = {**dict.fromkeys(IDENTITIES, 0.01), "Lya": 0.88}
DEEP = Growth("g", 0.0, 0.0, 1.0, 25.1, 0.1, 27.0, depth=26.5)


def names(line: LineFit = LINE, growths: tuple[Growth, ...] = (DEEP,), g: Magnitude = FAINT, chances=SURE, shot=None):
    detection = replace(make_bare_detection(), shot=shot)
    return {each.name for each in raise_flags(detection, line, NARROW, g, growths, (), (), chances)}


def test_nothing_wrong() -> None:
    assert names() == set()


def test_imaging() -> None:
    assert names(growths=()) == {"no imaging"}
    assert names(growths=(replace(DEEP, depth=23.0),)) == {"shallow imaging"}
    assert "imaging magnitudes disagree" in names(growths=(DEEP, replace(DEEP, mag=23.9)))
    assert "g disagrees with imaging" in names(g=Magnitude("g", 23.0, 0.1))
    assert "counterpart absent" in names(g=Magnitude("g", 21.0, 0.1))


def test_line_and_class() -> None:
    assert names(line=replace(LINE, snr=4.0)) == {"questionable detection"}
    assert names(line=replace(LINE, chi2=6.0)) == {"doubtful line"}
    assert names(chances={**SURE, "Lya": 0.45, "OII": 0.44}) == {"uncertain class"}


def test_shot() -> None:
    good = Shot(20190101001, fwhm=1.8, response_4540=0.14, dither_norm=1.1)
    assert names(shot=good) == set()
    assert names(shot=replace(good, response_4540=0.04)) == {"poor throughput"}
    assert names(shot=replace(good, fwhm=3.4, dither_norm=4.0)) == {"bad dither normalisation", "poor shot"}


def test_whole_detection_has_flags_in_order_of_bits() -> None:
    flags = raise_flags(make_detection(), replace(LINE, snr=3.0), NARROW, FAINT, (), (), (), SURE)
    assert [each.bit for each in flags] == sorted(each.bit for each in flags)
