"""Flags are raised by what they are about, and by nothing else."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elixer_widgets.classification.conditions import CONDITIONS, raise_flags
from elixer_widgets.classification.flags import FLAGS
from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.classification.scores import line_quality
from elixer_widgets.detection import CatalogObject, Magnitude, Shot, Spectrum
from elixer_widgets.imaging.apertures import Growth
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.imaging.sources import SourceEllipse
from elixer_widgets.spectra.continuum import ContinuumEstimate
from elixer_widgets.spectra.extraction import FiberFlux
from elixer_widgets.spectra.fitting import LineFit
from tests.factories import GRID, make_bare_detection, make_detection

LINE = LineFit(4500.0, 2.8, 1e-16, 0.05, 8.0, 1.0, flux_err=1e-17)
NARROW = ContinuumEstimate("narrow", 0.1, 0.02)
FAINT = Magnitude("g", 25.0, is_limit=True)
SEEN = Magnitude("g", 23.0, 0.1)
SURE = {**dict.fromkeys(IDENTITIES, 0.01), "Lya": 0.88}
TORN = {**SURE, "Lya": 0.45, "OII": 0.44}
DEEP = Growth("g", 0.0, 0.0, 1.0, 25.1, 0.1, 27.0, depth=26.5)
RED = replace(DEEP, band="r")
SOURCE = SourceEllipse(0, 0, 0.8, 0.8, 0, 25.1, 0.1, "g", "HSC", separation=0.2, edge_distance=-0.4, selected=True)
OBJECT = CatalogObject(0.0, 0.0, "HSC", "1", (Magnitude("g", 25.1, 0.1),))
MATCH = Match(OBJECT, 1, 0.2, 0.01, "g", selected=True)
SHOT = Shot(20190101001, fwhm=1.8, response_4540=0.14, dither_norm=1.1)
WIDE = ContinuumEstimate("wide", 0.3, 0.03, magnitude=23.1, magnitude_err=0.1)
FIBERS = tuple(FiberFlux(str(n), 1, 0.2, n * 1e-17, 1e-17) for n in range(1, 5))


def spectrum(level: float = 0.05, masked: tuple[float, float] = (0.0, 0.0), zero: tuple[float, float] = (0.0, 0.0)):
    """Flat, with a stretch that is masked and another that is zero."""
    grid = np.array(GRID)
    error, flux = np.full(grid.size, 0.2), np.full(grid.size, level)
    error[(grid >= masked[0]) & (grid <= masked[1])] = np.nan
    flux[(grid >= zero[0]) & (grid <= zero[1])] = 0.0
    return Spectrum(grid, flux, error)


BASE: dict[str, Any] = {
    "line": LINE,
    "g_magnitude": FAINT,
    "growths": (DEEP,),
    "sources": (SOURCE,),
    "matches": (MATCH,),
    "posterior": SURE,
    "spectrum": spectrum(),
    "identity": "Lya",
    "redshift": 2.7,
}


def names(shot: Shot | None = None, **changes: Any) -> set[str]:
    given = {**BASE, **changes}
    detection = replace(make_bare_detection(), shot=shot)
    return {each.name for each in raise_flags(detection, narrow=NARROW, **given)}


def test_nothing_wrong() -> None:
    assert names() == set()
    assert names(shot=SHOT, wide=WIDE, fibers=FIBERS) == set()


def off(match: Match, **changes: Any) -> Match:
    return replace(match, object=replace(match.object, **changes))


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # the flag, what raises it, and what comes near without raising it
    ("follow up", {"line": replace(LINE, snr=3.9)}, {"line": replace(LINE, snr=4.0)}),
    ("follow up", {"line": replace(LINE, chi2=4.3)}, {"line": replace(LINE, chi2=4.1)}),
    (
        "imaging magnitudes disagree",
        {"growths": (DEEP, replace(DEEP, mag=24.2))},
        {"growths": (DEEP, replace(DEEP, mag=24.4), replace(RED, mag=23.0))},
    ),
    (
        "imaging magnitudes disagree",
        {"growths": (DEEP, replace(DEEP, mag=24.2))},
        {"growths": (DEEP, replace(DEEP, mag=24.2, mag_err=0.5))},
    ),
    ("g disagrees with imaging", {"g_magnitude": SEEN}, {"g_magnitude": replace(SEEN, value=24.4)}),
    (
        "g disagrees with imaging",
        {"g_magnitude": FAINT, "growths": (replace(DEEP, mag=24.0),)},
        {"g_magnitude": FAINT, "growths": (replace(DEEP, mag=27.0),)},
    ),
    (
        "g disagrees with imaging",
        {"g_magnitude": SEEN, "growths": (replace(RED, mag=24.6),)},
        {"g_magnitude": SEEN, "growths": (replace(RED, mag=24.4),)},
    ),
    ("uncertain class", {"posterior": TORN}, {"posterior": TORN, "by_person": True}),
    (
        "blended",
        {"matches": (MATCH, replace(MATCH, selected=False, separation=1.4))},
        {"matches": (MATCH, replace(MATCH, selected=False, separation=1.6))},
    ),
    (
        "blended",
        {"sources": (SOURCE, replace(SOURCE, selected=False, separation=1.4))},
        {"sources": (SOURCE, replace(SOURCE, selected=False, survey="DECaLS", separation=1.4))},
    ),
    (
        "counterpart absent",
        {"g_magnitude": SEEN, "sources": (), "matches": ()},
        {"g_magnitude": SEEN, "sources": (), "matches": (), "growths": (replace(DEEP, mag=23.5),)},
    ),
    (
        "counterpart absent",
        {"g_magnitude": SEEN, "sources": (), "matches": ()},
        {"g_magnitude": SEEN, "sources": (), "matches": (), "growths": (replace(DEEP, depth=23.9),)},
    ),
    (
        "counterpart distant",
        {"sources": (replace(SOURCE, edge_distance=0.6),), "matches": ()},
        {"sources": (replace(SOURCE, edge_distance=0.6),)},
    ),
    (
        "counterpart magnitude mismatch",
        {"matches": (off(MATCH, magnitudes=(Magnitude("g", 24.2, 0.1),)),)},
        {"matches": (replace(off(MATCH, magnitudes=(Magnitude("g", 24.2, 0.1),)), selected=False),)},
    ),
    ("no imaging", {"growths": ()}, {"growths": (RED,)}),
    ("shallow imaging", {"growths": (replace(DEEP, depth=24.4),)}, {"growths": (replace(DEEP, depth=24.4), RED)}),
    (
        "external redshift doubtful",
        {"matches": (off(MATCH, spec_z=2.6),)},
        {"matches": (off(MATCH, spec_z=2.66),)},
    ),
    (
        "external redshift doubtful",
        {"matches": (off(MATCH, spec_z=2.6),)},
        {"matches": (off(MATCH, spec_z=2.6),), "identity": "noise", "redshift": np.nan},
    ),
    (
        "spectral g values disagree",
        {"g_magnitude": replace(SEEN, value=24.4), "wide": WIDE},
        {"g_magnitude": replace(SEEN, value=24.4), "wide": replace(WIDE, is_limit=True)},
    ),
    (
        "large neighbour",
        {"sources": (SOURCE, replace(SOURCE, selected=False, major=3.0, mag=23.5, separation=4.0, edge_distance=1.0))},
        {"sources": (SOURCE, replace(SOURCE, selected=False, major=3.0, mag=24.5, separation=4.0, edge_distance=1.0))},
    ),
    ("duplicate fibers", {"fibers": (*FIBERS, replace(FIBERS[0], fiber_id="9"))}, {"fibers": FIBERS}),
    ("negative spectrum", {"spectrum": spectrum(-0.1)}, {"spectrum": spectrum(-0.03)}),
    ("poor throughput", {"shot": replace(SHOT, response_4540=0.04)}, {"shot": replace(SHOT, response_4540=0.06)}),
    ("bad dither normalisation", {"shot": replace(SHOT, dither_norm=3.1)}, {"shot": replace(SHOT, dither_norm=2.9)}),
    (
        "poor shot",
        {"shot": replace(SHOT, fwhm=3.1, response_4540=0.07)},
        {"shot": replace(SHOT, fwhm=3.1, response_4540=0.09)},
    ),
    ("questionable detection", {"line": replace(LINE, snr=4.0)}, {"line": replace(LINE, snr=4.1)}),
    ("questionable detection", {"line": replace(LINE, chi2=2.6)}, {"line": replace(LINE, chi2=2.6, snr=8.1)}),
    (
        "questionable detection",
        {"posterior": {**SURE, "Lya": 0.3, "noise": 0.3, "artifact": 0.3}},
        {"posterior": {**SURE, "Lya": 0.5, "noise": 0.2, "artifact": 0.2}},
    ),
    ("many zero pixels", {"spectrum": spectrum(zero=(4480, 4490))}, {"spectrum": spectrum(zero=(4530, 4600))}),
    ("many zero pixels", {"spectrum": spectrum(masked=(4510, 4520))}, {"spectrum": spectrum(masked=(4518, 4520))}),
    ("planetary nebula?", {"identity": "OIII", "redshift": 0.0015}, {"identity": "OIII", "redshift": 0.003}),
    ("bad pixels", {"spectrum": spectrum(masked=(4504, 4505))}, {"spectrum": spectrum(masked=(4506, 4507))}),
    ("doubtful line", {"line": replace(LINE, snr=20.0, chi2=5.1)}, {"line": replace(LINE, snr=20.0, chi2=4.9)}),
    ("no zero point", {"notes": ("HSC g: its header has no zero point",)}, {"notes": ("HSC g: truncated",)}),
    ("corrupt data", {"spectrum": spectrum(masked=(3480, 5600))}, {"spectrum": spectrum(masked=(3700, 5600))}),
]


@pytest.mark.parametrize(("name", "raising", "quiet"), CASES)
def test_what_raises_a_flag_and_what_does_not(name: str, raising: dict[str, Any], quiet: dict[str, Any]) -> None:
    assert name in names(**raising)
    assert name not in names(**quiet)


def test_every_condition_is_tried_and_every_flag_accounted_for() -> None:
    """A flag either has a condition, with a case here, or the registry says that it is never raised."""
    assert {name for name, *_ in CASES} == set(CONDITIONS)
    assert {each.name for each in FLAGS if each.is_raised} == set(CONDITIONS)


def test_no_line_at_all() -> None:
    none = LineFit(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan)
    assert names(line=none, identity="noise", redshift=np.nan) == {
        "follow up", "questionable detection", "doubtful line",
    }  # fmt: skip


def test_flags_stand_in_the_order_of_their_bits() -> None:
    flags = raise_flags(make_detection(), replace(LINE, snr=3.0), NARROW, FAINT, (), (), (), TORN)
    assert len(flags) > 3
    assert [each.bit for each in flags] == sorted(each.bit for each in flags)


def test_line_quality_is_that_of_the_original(shared: Path) -> None:
    """The original sets 0x400000 where its line quality is below 1, and 0x1 below 0.6: a thousand cases."""
    with gzip.open(shared / "reference" / "original" / "plya_votes_public.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    found = {0x1: 0, 0x400000: 0}
    for row in rows:
        quality = line_quality(row["inputs"]["snr"], row["inputs"]["chi2"])
        assert quality == pytest.approx(row["line_vote_weight_mul"])
        assert bool(row["flags_after_vote"] & 0x400000) == (quality < 1.0)
        if not row["flags_after_vote"] & 0x8:  # an uncertain class asks for a look too
            assert bool(row["flags_after_vote"] & 0x1) == (quality < 0.6)
        for bit in found:
            found[bit] += bool(row["flags_after_vote"] & bit)
    assert min(found.values()) > 50
