"""What the line is taken to be, by the data or by a person."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.classification.choice import Choice, best_redshifts, choose
from elixer_widgets.classification.posterior import IDENTITIES, redshifts
from elixer_widgets.detection import DataError
from elixer_widgets.spectra.fitting import LineFit
from elixer_widgets.spectra.lines import LINES, observed_air, redshift_of

LINE = LineFit(4500.0, 2.8, 1e-16, 0.05, 8.0, 1.0)
SHIFTS = redshifts(4500.0)
CHANCES = {**dict.fromkeys(IDENTITIES, 0.02), "Lya": 0.76}


def test_most_probable() -> None:
    choice = choose(LINE, SHIFTS, CHANCES, (), None, None)
    assert (choice.identity, choice.by) == ("Lya", "automatic")
    # 4500 Å in air is 4501.332 Å in vacuum; Lyα at 1215.670
    assert choice.redshift == pytest.approx(4501.26 / 1215.670 - 1, abs=1e-4)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_person_may_say_anything_that_is_possible(identity: str) -> None:
    if identity in SHIFTS and SHIFTS[identity] < 0:
        with pytest.raises(DataError, match=f"cannot be {identity}.*bluer than at rest; give another identity"):
            choose(LINE, SHIFTS, CHANCES, (), identity, None)
        return
    choice = choose(LINE, SHIFTS, CHANCES, (), identity, None)
    assert (choice.identity, choice.by) == (identity, "person")
    if identity in ("other", "star", "artifact", "noise"):
        assert np.isnan(choice.redshift)


def test_redshift_names_the_line() -> None:
    choice = choose(LINE, SHIFTS, CHANCES, (), None, 0.207)
    assert (choice.identity, choice.redshift, choice.by) == ("OII", 0.207, "person")


def test_redshift_of_a_line_beyond_the_identities() -> None:
    z = float(redshift_of(4500.0, LINES["NeIII"]))
    choice = choose(LINE, SHIFTS, CHANCES, (), None, z)
    assert choice.identity == "other"
    assert choice.line is LINES["NeIII"]


def test_redshift_of_no_line() -> None:
    choice = choose(LINE, SHIFTS, CHANCES, (), None, 1.0)
    assert (choice.identity, choice.line, choice.redshift) == ("other", None, 1.0)


def test_a_line_at_rest() -> None:
    place = float(observed_air(LINES["OIII"], 0.0))
    rest = LineFit(place - 0.3, 2.8, 1e-16, 0.05, 8.0, 1.0)
    choice = choose(rest, redshifts(rest.center), CHANCES, (), "OIII", None)
    assert choice.redshift == 0.0


def test_errors_say_what_to_do() -> None:
    with pytest.raises(DataError, match="Lya, OII, OIII"):
        choose(LINE, SHIFTS, CHANCES, (), "Lyman", None)
    with pytest.raises(DataError, match="redshift"):
        choose(LINE, SHIFTS, CHANCES, (), None, float("nan"))
    with pytest.raises(DataError, match="alone"):
        choose(LINE, SHIFTS, CHANCES, (), "Lya", 0.207)


def test_redshifts_at_three_thresholds() -> None:
    """P(Lyα) = 0.35 beside [O II] 0.5 is Lyα only at the lowest threshold."""
    chances = {**dict.fromkeys(IDENTITIES, 0.15 / 11), "Lya": 0.35, "OII": 0.5}
    best = best_redshifts(chances, SHIFTS)
    assert [each.threshold for each in best] == [0.5, 0.4, 0.3]
    assert [each.identity for each in best] == ["OII", "OII", "Lya"]
    assert [each.quality for each in best] == [0.5, 0.5, 0.35]
    assert best[0].redshift == pytest.approx(0.2071, abs=1e-3)
    assert best[2].redshift == pytest.approx(2.7027, abs=1e-3)


def test_no_redshift_of_noise() -> None:
    best = best_redshifts({**dict.fromkeys(IDENTITIES, 0.02), "noise": 0.76}, SHIFTS)
    assert all(np.isnan(each.redshift) and each.quality == 0.0 for each in best)


def test_a_persons_redshift_at_every_threshold() -> None:
    said = Choice("CIV", LINES["CIV"], 1.9, "person")
    best = best_redshifts(CHANCES, SHIFTS, choice=said)
    assert {(each.identity, each.redshift, each.quality) for each in best} == {("CIV", 1.9, CHANCES["CIV"])}
