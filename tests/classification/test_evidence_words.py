"""What is said beside a number follows from that number: for, against or nothing, and how hard."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elixer_widgets import open_release
from elixer_widgets.analysis import Interpretation, Measurements, interpret, measure
from elixer_widgets.classification.evidence import FULL_BAR, Evidence, Factor, Odds, attribute, direction
from elixer_widgets.classification.evidence_words import companions
from elixer_widgets.classification.identities import IDENTITIES, LABELS
from elixer_widgets.classification.priors import KINDS
from elixer_widgets.detection import DataError
from elixer_widgets.reports.evidence import BAR_WIDTH, NAMES_WIDTH, draw_evidence, strongest
from elixer_widgets.reports.layout import Box
from elixer_widgets.spectra.lines import IDENTITY_LINES
from elixer_widgets.widgets import evidence as panel

CLAIMS = re.compile(r"\b(for|against|says nothing)\b")
NOTHING_SAID = re.compile(r"tells? nothing|says? nothing|speaks? (for|against)|likel(y|ier)|unlikely")


def class_of(words: str) -> tuple[int, int]:
    """Sign and size that a phrase claims: 0 nothing, 1 slightly, 2 plainly, 3 strongly."""
    head = words.split(":")[0]
    if head == "says nothing":
        return 0, 0
    size = 3 if head.startswith("strongly ") else 1 if head.startswith("slightly ") else 2
    first = head.removeprefix("strongly ").removeprefix("slightly ").split()[0]
    return {"for": 1, "against": -1}[first], size


def class_of_number(shown: float) -> tuple[int, int]:
    """The same of a number as it is shown, by the rule that the guide to the page states."""
    size = 0 if shown == 0 else 1 if abs(shown) < 1 else 2 if abs(shown) < 3 else 3
    return int(np.sign(shown)), size


def check(piece: Evidence) -> None:
    assert class_of(piece.words) == class_of_number(round(piece.log_odds, 1)), piece
    facts = piece.words.partition(":")[2]
    assert not NOTHING_SAID.search(facts), piece  # no second opinion after the colon


@pytest.fixture(scope="module")
def read(measured: list[Measurements]) -> list[Interpretation]:
    return [reading for m in measured for reading in readings(m)]


@pytest.fixture(scope="module")
def measured(simulated: Path) -> list[Measurements]:
    release = open_release(simulated)
    return [measure(release.detection(each)) for each in release.detectids()]


def readings(m: Measurements) -> list[Interpretation]:
    """The automatic answer, and that of a person for every identity that is possible."""
    out = [interpret(m)]
    for identity in IDENTITIES:
        try:
            out.append(interpret(m, identity))
        except DataError as error:
            assert identity in str(error)
    return out


def test_words_follow_from_their_number_in_python(read: list[Interpretation]) -> None:
    seen = 0
    for reading in read:
        for piece in reading.evidence:
            check(piece)
            seen += 1
        for piece in strongest(reading.evidence, 4):
            check(piece)
    assert seen > 1000


def test_words_follow_from_their_number_on_the_page(read: list[Interpretation]) -> None:
    """As it is read: number and words of every row, a mark on every bar that is cut, and the sentence at the foot."""
    row = re.compile(r'ew-bar-number">([^<]*)</span><span class="ew-bar-words">([^<]*)<')
    cut_bars = 0
    for reading in read:
        page = panel.draw(reading)
        rows = row.findall(page)
        for number, words in rows:
            assert class_of(html.unescape(words)) == class_of_number(float(number.replace("−", "-")))
        beyond = sum(abs(each.log_odds) > FULL_BAR for each in reading.evidence)
        assert page.count("ew-bar-cut") == beyond
        assert (f"cut at ±{FULL_BAR:g}" in page) == (beyond > 0)
        cut_bars += beyond
        shown = {html.unescape(words) for _, words in rows}
        if "Nothing is said by" in page:
            assert all(round(each.log_odds, 1) == 0.0 for each in reading.evidence if each.words not in shown)
    assert cut_bars > 0


class Written:
    """A canvas that keeps what is written on it."""

    def __init__(self) -> None:
        self.said: list[tuple[float, float, str]] = []

    def text(self, x: float, y: float, text: str, *_: object, **__: object) -> None:
        self.said.append((x, y, text))

    def rectangle(self, *_: object, **__: object) -> None:
        pass

    lines = rectangle


def test_words_follow_from_their_number_in_the_report(read: list[Interpretation]) -> None:
    """Every number of the drawn evidence has its words on the same line, or the next where they stand below."""
    box = Box(800, 100, 1700, 520)
    for reading in read:
        canvas = Written()
        draw_evidence(canvas, reading, box)  # type: ignore[arg-type]
        numbers = [(y, text) for _, y, text in canvas.said if re.fullmatch(r"[+−]?\d+\.\d", text)]
        rows = {y for y, _ in numbers}
        claims = [(y, text) for x, y, text in canvas.said if y in rows and x > box.left + NAMES_WIDTH + BAR_WIDTH]
        claims = [(y, text) for y, text in claims if re.match(r"(strongly|slightly|for|against|says) ", text)]
        assert len(numbers) == len(claims) > 0
        for (_, number), (_, words) in zip(sorted(numbers), sorted(claims), strict=True):
            assert class_of(words) == class_of_number(float(number.replace("−", "-")))
        written = [text for *_, text in canvas.said]
        shown = [float(number.replace("−", "-")) for _, number in numbers]
        marks = written.count("»") + written.count("«")
        assert marks >= sum(abs(each) > FULL_BAR + 0.05 for each in shown)
        assert ("cut at" in written[0]) or marks == 0


@given(st.floats(-40.0, 40.0), st.sampled_from(list(LABELS.values())), st.sampled_from(["", "[O II]"]))
def test_direction_is_a_function_of_the_number(amount: float, label: str, other: str) -> None:
    words = direction(amount, label, other)
    assert class_of(words) == class_of_number(round(amount, 1))
    assert (label in words) == (round(amount, 1) != 0)


@given(
    values=st.lists(st.lists(st.floats(-30.0, 30.0), min_size=len(KINDS), max_size=len(KINDS)), min_size=2, max_size=5),
    held=st.floats(0.0, 1.0),
)
def test_words_follow_from_their_number_whatever_the_likelihoods(values: list[list[float]], held: float) -> None:
    """Any factors at all, and any part of the sum held back by doubt."""
    identities = tuple(kind.identity for kind in KINDS)
    chosen = np.array([each == "Lya" for each in identities])
    odds = Odds(chosen, ~chosen, "Lyα", "", identities, LABELS)
    factors = [Factor(f"piece {n}", np.array(each), "seen") for n, each in enumerate(values)]
    total = np.sum(values, axis=0)
    whole = float(np.logaddexp.reduce(total[chosen]) - np.logaddexp.reduce(total[~chosen]))
    pieces = attribute(factors, odds, held * whole)
    for piece in pieces:
        check(piece)
    assert sum(piece.log_odds for piece in pieces) == pytest.approx(held * whole, abs=1e-6)


def test_the_rival_named_gains_or_loses_by_the_piece() -> None:
    """A factor that raises [O II] alone is for [O II]; one that lowers it alone is for Lyα, against [O II]."""
    identities = tuple(kind.identity for kind in KINDS)
    chosen = np.array([each == "Lya" for each in identities])
    oii = np.array([each == "OII" for each in identities])
    odds = Odds(chosen, ~chosen, "Lyα", "", identities, LABELS)
    even = Factor("how common", np.zeros(len(KINDS)), "")
    for height, expected in ((4.0, "against Lyα, for [O II]: seen"), (-4.0, "for Lyα, against [O II]: seen")):
        total = np.where(oii, height, 0.0)
        whole = float(np.logaddexp.reduce(total[chosen]) - np.logaddexp.reduce(total[~chosen]))
        piece = attribute([even, Factor("x", total, "seen")], odds, whole)
        assert piece[1].words.removeprefix("slightly ").removeprefix("strongly ") == expected


def test_companions_are_told_of_every_identity(measured: list[Measurements]) -> None:
    for m in measured:
        told = companions(m.solutions)
        assert set(told) - {"other"} == {each.identity for each in m.solutions if each.identity in IDENTITY_LINES}
        for solution in m.solutions:
            for each in solution.companions:
                if each.status == "found" and solution.identity in IDENTITY_LINES:
                    first = [c.label for c in solution.companions if c.status == "found"][:3]
                    assert (each.label in told[solution.identity]) or each.label not in first


def test_a_piece_made_by_hand_is_cut_and_says_so(measured: list[Measurements]) -> None:
    reading = interpret(measured[0])
    for amount, marked in ((5.9, False), (6.1, True), (-6.1, True), (-5.9, False)):
        one = replace(reading, evidence=(Evidence("x", amount, direction(amount)),))
        assert ("ew-bar-cut" in panel.draw(one)) is marked
