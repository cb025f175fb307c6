"""What is printed of the evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets.classification.posterior import Evidence
from elixer_widgets.reports.evidence import strongest

pieces = st.lists(st.floats(-20, 20), max_size=14).map(
    lambda odds: [Evidence(f"piece {number}", value, "said") for number, value in enumerate(odds)]
)


@given(pieces, st.integers(1, 12))
def test_what_is_shown_adds_up_and_fits(evidence, most):
    shown = strongest(evidence, most)
    assert len(shown) <= most
    assert abs(sum(each.log_odds for each in shown) - sum(each.log_odds for each in evidence)) < 1e-9


def test_the_strongest_are_kept_in_their_order():
    evidence = [Evidence("a", 0.1, ""), Evidence("b", -5.0, ""), Evidence("c", 0.2, ""), Evidence("d", 3.0, "")]
    assert [each.name for each in strongest(evidence, 3)] == ["b", "d", "all else"]


def test_few_pieces_stay_as_they_are():
    evidence = [Evidence("a", 0.1, ""), Evidence("b", -5.0, "")]
    assert strongest(evidence, 2) == evidence
