"""The published confidence in a multi-line solution."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from elixer_widgets.classification.confidence import confidence, scale
from elixer_widgets.classification.solutions import Companion, Solution


def test_confidence_of_the_original(shared: Path) -> None:
    """The original's best solution of each of some three hundred inputs."""
    with gzip.open(shared / "reference" / "original" / "plya_votes_public.jsonl.gz", "rt") as lines:
        pairs = [json.loads(line)["multiline_solution_score"][1:] for line in lines]
    pairs = [(scaled, sure) for scaled, sure in pairs if scaled > 0]
    assert len(pairs) > 300
    for scaled, sure in pairs:
        assert confidence(scaled) == pytest.approx(sure, abs=1e-6)


def test_scaled_score_of_the_fact_sheet() -> None:
    """Section 8, example 6: one companion of score 10.2 alone gives 0.601."""
    companion = Companion("Hb", "Hβ", 5000.0, True, score=10.2)
    unseen = Companion("OIII", "[O III]", 5200.0, True)
    alone = Solution("OII", "OII", 3728.0, 0.2, 10.2, 1.0, False, (companion, unseen))
    assert scale(alone) == pytest.approx(0.601, abs=1e-3)
    assert scale(Solution("OII", "OII", 3728.0, 0.2, 0.0, 0.0, False)) == 0.0
    assert (confidence(0.0), confidence(1.0)) == (0.0, 0.98)
