"""What the line is taken to be, by the data or by a person."""

from __future__ import annotations

import numpy as np
import pytest

from elixer_widgets.classification.choice import choose
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
def test_a_person_may_say_anything(identity: str) -> None:
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
