"""What a person chose is in the properties of a report, and leads back to the same view."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from elixer_widgets.analysis import Aperture, Interpretation, interpret, match_id, measure
from elixer_widgets.detection import DataError, Detection
from elixer_widgets.releases import Release, ReleaseIndex
from elixer_widgets.reports import write_report
from elixer_widgets.reports.choices import choices_of, chosen, read_state, reopen
from elixer_widgets.widgets.state import Choices
from tests.factories import DEC, RA, make_detection


class OneDetection(Release):
    """A release of one detection with fibers, images and two catalogue objects."""

    path = Path("one")
    name = "one"

    def index(self) -> ReleaseIndex:
        raise NotImplementedError

    def detection(self, detectid: int) -> Detection:
        return make_detection(detectid)

    def search(self, ra: float, dec: float, radius: float) -> list[int]:  # type: ignore[override]
        return []


def _view(**given: object) -> Interpretation:
    measured = {name: given.pop(name) for name in ("aperture", "excluded_fibers") if name in given}
    return interpret(measure(make_detection(), **measured), **given)  # type: ignore[arg-type]


def _everything() -> dict[str, object]:
    automatic = _view()
    return {
        "identity": "OII",
        "aperture": Aperture(1.4, RA + 1e-5, DEC),
        "excluded_fibers": (make_detection().fibers[1].fiber_id,),
        "counterpart": match_id(automatic.measurements.matches[1]),
        "without": (automatic.continuum_sources[0].name,),
    }


@pytest.mark.parametrize("suffix", ["pdf", "png", "jpg"])
def test_every_choice_comes_back_from_the_file(tmp_path: Path, suffix: str) -> None:
    """A person's whole set of choices, read from the written file by a plain parser, rebuilds the page's Choices."""
    given = _everything()
    before = _view(**given)
    path = write_report(before, tmp_path / f"report.{suffix}")
    state = read_state(path)
    assert state["detectid"] == before.measurements.detection.detectid
    assert state["version"]
    assert Choices(**choices_of(state)) == Choices(**given)  # type: ignore[arg-type]
    again = reopen(OneDetection(), state)
    assert again.asserted == before.asserted
    assert (again.identity, again.redshift, again.p_lya) == (before.identity, before.redshift, before.p_lya)
    assert asdict(again.continuum) == pytest.approx(asdict(before.continuum), nan_ok=True)


@pytest.mark.parametrize(
    "given",
    [{}, {"redshift": 0.2073456789012}, {"counterpart": "none"}, {"aperture": Aperture(2.0)}, {"identity": "artifact"}],
    ids=lambda given: ",".join(given) or "automatic",
)
def test_only_what_was_set_is_kept(given: dict[str, object]) -> None:
    found = choices_of({"choices": chosen(_view(**given))})
    assert set(found) == set(given)
    for name, value in given.items():
        if isinstance(value, Aperture):
            assert found[name].radius == value.radius and math.isnan(found[name].ra)
        else:
            assert found[name] == value
    assert set(found) <= {each.name for each in fields(Choices)}


def test_names_with_brackets_and_backslashes_survive_the_pdf(tmp_path: Path) -> None:
    from dataclasses import replace

    view = _view()
    name = r"a (name) with \ and é 1)"
    detection = replace(view.measurements.detection, name=name)
    view = replace(view, measurements=replace(view.measurements, detection=detection))
    assert read_state(write_report(view, tmp_path / "a.pdf"))["name"] == name


def test_files_without_a_view_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4\n/Title (x)\n")
    (tmp_path / "a.txt").write_text("no picture")
    for name in ("a.png", "a.pdf", "a.txt", "gone.pdf"):
        with pytest.raises(DataError, match=name):
            read_state(tmp_path / name)


def test_a_counterpart_without_an_identifier_is_found_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from tests import factories

    named = factories.make_matches
    monkeypatch.setattr(
        factories, "make_matches", lambda: tuple(replace(m, object=replace(m.object, identifier="")) for m in named())
    )
    automatic = _view()
    second = next(each for each in automatic.measurements.matches if not each.selected)
    before = _view(counterpart=match_id(second))
    again = reopen(OneDetection(), {"detectid": 2101630949, "choices": chosen(before)})
    places = [
        (view.measurements.matches[0].object.ra, view.measurements.matches[0].selected) for view in (before, again)
    ]
    assert places == [(second.object.ra, True)] * 2
    assert set(choices_of({"choices": chosen(before)})) == {"counterpart"}
