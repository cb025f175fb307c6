"""The baseline votes against the original's, vote by vote."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.classification.votes import (
    FILLER,
    FoundLine,
    VoteInputs,
    VotingSolution,
    inputs_of,
    vote,
)
from elixer_widgets.classification.voting_rules import asymmetry
from elixer_widgets.detection import Spectrum
from tests.factories import make_bare_detection, make_interpretation

VOTERS = {
    "VOTE_ANGULAR_SIZE": "angular size",
    "VOTE_BRIGHT_CONTINUUM": "bright continuum",
    "VOTE_MULTILINE": "multi-line",
    "VOTE_UNMATCHED_LINES": "unmatched lines",
    "VOTE_PLAE_POII": "P(LAE)/P(OII)",
    "VOTE_ASYMMETRIC_LINEFLUX": "asymmetry",
    "VOTE_STRAIGHT_LINE_SIGMA": "line width",
    "VOTE_STRAIGHT_EW": "equivalent width",
    "VOTE_PHOTZ": "photo-z",
    "VOTE_DEX_GMAG": "g magnitude",
    "VOTE_EW_PLAE_POII_CORRECTION": "width and ratio",
    "VOTE_ABSORPTION": "absorption",
    "VOTE_LOW_WEIGHT_CORRECTION": FILLER,
}
ANCHORS = {"Ly$\\alpha$": "Lya"}


def inputs_from(row: dict[str, Any], window: np.ndarray) -> VoteInputs:
    given = row["inputs"]
    combined = given["classification_dict_in"]

    def size(name: str) -> float:
        return np.nan if combined[name] is None else combined[name]

    return VoteInputs(
        wavelength=given["w"],
        flux=given["estflux"],
        flux_err=given["estflux_unc"],
        snr=given["snr"],
        chi2=given["chi2"],
        sigma=given["sigma"],
        sigma_err=given["sigma_unc"],
        continuum=combined["continuum_hat"],
        continuum_err=combined["continuum_hat_err"],
        wide=given["best_gmag_cgs_cont"],
        wide_err=given["best_gmag_cgs_cont_unc"],
        g=given["best_gmag"],
        ratio=combined["plae_hat"],
        ratio_low=combined["plae_hat_lo"],
        ratio_high=combined["plae_hat_hi"],
        size=size("size_in_psf"),
        diameter=size("diam_in_arcsec"),
        minor=size("diam_in_arcsec_narrow"),
        found=tuple(FoundLine(each["line_score"], each["eqw_obs"], each["fwhm"]) for each in given["found_lines"]),
        solutions=tuple(
            VotingSolution(
                ANCHORS.get(each["name"], each["name"]),
                each["score"],
                each["frac_score"],
                each["scale_score"],
                len(each["lines"]),
                each["unmatched_score"],
            )
            for each in given["solutions"]
        ),
        unmatched=given["unmatched_solution"][1],
        photo_z=tuple(zip(given["phot_z_votes"], given["phot_z_vote_weights"], strict=True)),
        spectrum=Spectrum(
            3470.0 + 2.0 * (given["specwin_start_index"] + np.arange(window.size)),
            window,
            np.full(window.size, given["specwin_err"]),
        ),
    )


@pytest.fixture(scope="module")
def original(shared: Path) -> list[tuple[dict[str, Any], VoteInputs]]:
    folder = shared / "reference" / "original"
    with gzip.open(folder / "plya_votes_public.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    windows = np.load(folder / "plya_votes_specwin.npz")["window"]
    return [(row, inputs_from(row, windows[row["row"]])) for row in rows]


def test_every_vote_of_the_original(original: list[tuple[dict[str, Any], VoteInputs]]) -> None:
    """A thousand inputs, some six thousand votes: each with the value and weight of the original, no more, no less."""
    assert len(original) == 1000
    seen: Counter[str] = Counter()
    for row, inputs in original:
        expected = sorted((VOTERS[each["voter"]], each["vote"], each["weight"]) for each in row["votes"])
        found = sorted((each.rule, each.value, each.weight) for each in vote(inputs).votes)
        assert [each[:2] for each in found] == [each[:2] for each in expected], row["row"]
        assert [each[2] for each in found] == pytest.approx([each[2] for each in expected], abs=1e-6), row["row"]
        seen.update(name for name, *_ in found)
    assert set(seen) == set(VOTERS.values())
    assert min(seen.values()) >= 20


def test_probability_of_the_original(original: list[tuple[dict[str, Any], VoteInputs]]) -> None:
    ours = [vote(inputs).p_lya for _, inputs in original]
    assert ours == pytest.approx([row["p_lya"] for row, _ in original], abs=1e-6)


# ------------------------------------------------------------------------------------ the fact sheet's examples

PLAIN = VoteInputs(
    wavelength=4500.0, flux=1e-16, flux_err=1e-17, snr=10.0, chi2=1.0, sigma=2.5, sigma_err=0.2,
    continuum=1.113e-18, continuum_err=0.464e-18, wide=1.113e-18, wide_err=0.464e-18, g=24.5,
    ratio=7.636, ratio_low=7.636, ratio_high=7.636,
)  # fmt: skip


def votes_on(rule: str, inputs: VoteInputs) -> list[tuple[float, float]]:
    return [(each.value, each.weight) for each in vote(inputs).votes if each.rule == rule]


def test_ratio_of_the_fact_sheet() -> None:
    """Section 8, example 12: the weights of the Gaussian alone, and B6b, strong evidence that weighs nothing."""
    at_5000 = replace(PLAIN, wavelength=5000.0)

    def cast(inputs: VoteInputs, ratio: float) -> tuple[float, float]:
        return votes_on("P(LAE)/P(OII)", replace(inputs, ratio=ratio, ratio_low=ratio, ratio_high=ratio))[0]

    assert cast(PLAIN, 7.636) == (1.0, pytest.approx(0.0723, abs=1e-4))
    assert cast(PLAIN, 0.2) == (0.0, pytest.approx(0.0098, abs=1e-4))
    assert cast(at_5000, 2.386) == (0.0, pytest.approx(0.69, abs=5e-3))
    assert cast(at_5000, 0.1) == (0.0, pytest.approx(0.0, abs=1e-12))


def test_threshold_moves_the_midpoint() -> None:
    """The midpoint is scaled by thresh/0.5 for the value, not for the weight."""
    inputs = replace(PLAIN, ratio=5.0, ratio_low=5.0, ratio_high=5.0)
    values = [next(v for v in vote(inputs, t).votes if v.rule == "P(LAE)/P(OII)") for t in (0.5, 0.4)]
    assert [each.value for each in values] == [0.0, 1.0]  # 5.7 at 4500 Å, 4.56 for 0.4
    assert values[0].weight == values[1].weight


def test_equivalent_width_of_the_fact_sheet() -> None:
    """Example 15: 24.26 Å is undecided; 28 ± 4 and 17 ± 2 Å are not."""
    assert votes_on("equivalent width", PLAIN) == []

    def at(width: float, error: float) -> VoteInputs:
        continuum = 1e-16 / (width * 4500.0 / 1215.67)
        return replace(PLAIN, flux_err=1e-22, continuum=continuum, continuum_err=continuum * error / width)

    assert votes_on("equivalent width", at(28.0, 4.0)) == [(1.0, pytest.approx(0.227, abs=1e-3))]
    assert votes_on("equivalent width", at(17.0, 2.0)) == [(0.0, pytest.approx(0.167, abs=1e-3))]


def test_size_of_the_fact_sheet() -> None:
    """Example 20: 2 arcsec is 6.8 kpc at [O II], above the limits: no vote unless the line is broad."""
    sized = replace(PLAIN, size=2.0, diameter=2.0, minor=1.5)
    assert votes_on("angular size", sized) == []
    assert votes_on("angular size", replace(sized, sigma=10.0)) == [(1.0, 0.25)]


@pytest.mark.parametrize("wavelength", [3470.0, 3474.0, 3478.0, 3480.0, 4500.0, 5530.0, 5536.0, 5538.0, 5540.0, 5545.0])
def test_a_symmetric_line_is_symmetric_wherever_it_lies(wavelength: float) -> None:
    """Where the samples reach on both sides the ratio is 1; at either edge, and beyond it, there is none."""
    grid = np.arange(3470.0, 5541.0, 2.0)
    profile = np.exp(-0.5 * ((grid - wavelength) / 4.0) ** 2)
    ratio, error = asymmetry(Spectrum(grid, profile, np.full(grid.size, 0.01)), wavelength, 9.4)
    if grid[0] + 2.0 * 4 <= wavelength <= grid[-1] - 2.0 * 4:
        assert ratio == pytest.approx(1.0, abs=1e-9) and error > 0
    else:
        assert np.isnan(ratio) and np.isnan(error)


# ----------------------------------------------------------------------------------------- from our own numbers


def test_inputs_of_an_interpretation() -> None:
    """Everything that the rules ask for is taken over, in their units."""
    meaning = make_interpretation()
    inputs = inputs_of(meaning)
    assert inputs.wavelength == 4500.0 and inputs.flux == 1.5e-16
    assert inputs.continuum == pytest.approx(8e-19) and inputs.continuum_err == pytest.approx(2e-19)
    assert inputs.wide == pytest.approx(9e-19) and inputs.wide_err == pytest.approx(1.8e-19)  # a limit: a fifth
    assert (inputs.ratio, inputs.ratio_low, inputs.ratio_high) == (42.0, 12.0, 120.0)
    assert inputs.diameter == pytest.approx(2.2) and inputs.minor == pytest.approx(1.8)
    assert inputs.size == pytest.approx(2.2 / 0.8)
    assert inputs.photo_z[0][0] == 2.7 and inputs.photo_z[0][1] == pytest.approx(0.5)  # half of the PDF within ±0.1
    assert [round(each.fwhm, 1) for each in inputs.found] == [7.1, 5.9]
    assert inputs.unmatched == 0.0  # the line at 5000 Å is too faint to count
    main, other = meaning.measurements.lines
    bright = replace(meaning.measurements, lines=(main, replace(other, flux=2e-16, snr=15.0)))
    assert inputs_of(replace(meaning, measurements=bright)).unmatched > 3.0
    result = vote(inputs)
    assert result.p_lya > 0.9  # EW 51 Å, ratio 42, photo-z 2.7
    assert {"equivalent width", "photo-z", "P(LAE)/P(OII)"} <= {each.rule for each in result.votes}


def test_no_source_and_no_ratio() -> None:
    """A spectrum alone votes too; what is not there does not vote."""
    meaning = make_interpretation(make_bare_detection())
    bare = replace(
        meaning,
        plae_poii=PlaeRatio(np.nan),
        measurements=replace(meaning.measurements, sources=(), matches=(), cutouts=()),
    )
    rules = {each.rule for each in vote(inputs_of(bare)).votes}
    assert not rules & {"angular size", "photo-z", "P(LAE)/P(OII)"}
