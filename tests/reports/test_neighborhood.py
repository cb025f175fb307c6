"""Which detections a neighbourhood map shows, and that it can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elixer_widgets.detection import NAN, DataError, Detection
from elixer_widgets.releases import Release, ReleaseIndex
from elixer_widgets.releases.positions import within
from elixer_widgets.reports.neighborhood import draw_neighborhood, sky_width, write_neighborhood
from elixer_widgets.reports.neighbors import MOST, find_neighbors
from tests.factories import DEC, RA, make_bare_detection, make_detection, make_interpretation
from tests.reports.checks import check_texts, type_sizes

TARGET = 2101630949
BROKEN = 3000000007


class Surroundings(Release):
    """The target, 20 detections by a line and 3 by continuum to the north of it, 0.4 arcsec apart; one is broken."""

    path = Path("around")
    name = "around"

    def __init__(self) -> None:
        self.steps = {TARGET: 0.0} | {3000000001 + n: 0.4 * (n + 1) for n in range(23)}

    def index(self) -> ReleaseIndex:
        raise NotImplementedError

    def detection(self, detectid: int) -> Detection:
        if detectid == BROKEN:
            raise DataError("around.h5: is cut short; copy it again")
        detection = replace(make_detection(detectid), dec=DEC + self.steps[detectid] / 3600)
        return replace(detection, wavelength=NAN) if 3000000004 <= detectid <= 3000000006 else detection

    def search(self, ra: float, dec: float, radius: float) -> np.ndarray:
        ids = np.array(list(self.steps))
        decs = DEC + np.array(list(self.steps.values())) / 3600
        return ids[within(ra, dec, radius, np.full(ids.size, RA), decs)]


def test_nearest_first_and_at_most_fifteen_of_a_kind() -> None:
    around = find_neighbors(Surroundings(), make_detection(), 10.0)
    shown = [each.detection.detectid for each in around.neighbors]
    assert TARGET not in shown and BROKEN not in shown
    distances = [each.distance for each in around.neighbors]
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(0.4, abs=1e-4)
    assert sum(each.has_line for each in around.neighbors) == MOST
    assert sum(not each.has_line for each in around.neighbors) == 3
    assert around.left_out == 23 - 1 - MOST - 3
    assert around.notes == (f"{BROKEN}: around.h5: is cut short; copy it again",)


def test_the_radius_counts_and_one_arcsec_more() -> None:
    around = find_neighbors(Surroundings(), make_detection(), 0.5)
    assert [each.distance for each in around.neighbors] == pytest.approx([0.4, 0.8, 1.2], abs=1e-4)
    with pytest.raises(DataError, match="give a positive one"):
        find_neighbors(Surroundings(), make_detection(), 0.0)


def test_rows_names_and_properties(tmp_path: Path) -> None:
    release, view = Surroundings(), make_interpretation()
    with Image.open(write_neighborhood(release, view, tmp_path / "a_nei.png", 1.5)) as picture:
        listed = picture.info["Neighbors"].split(",")
        assert listed == ["3000000001", "3000000002", "3000000003", "3000000004", "3000000005", "3000000006"]
        assert picture.size[0] == 1800
        assert picture.size[1] == pytest.approx((8 * 3 + 110 / 150) * 100, abs=1)  # 3 inches a row
    assert min(type_sizes(write_neighborhood(release, view, tmp_path / "a_nei.pdf", 1.0).read_bytes())) >= 7.0


@pytest.mark.parametrize("kind", ["neighbours", "alone", "no position"])
def test_nothing_overlaps_or_is_clipped(kind: str) -> None:
    view = make_interpretation(make_bare_detection() if kind == "no position" else None)
    around = find_neighbors(Surroundings(), view.measurements.detection, 1.5 if kind == "neighbours" else 0.01)
    if kind == "alone":
        around = replace(around, neighbors=())
    page = draw_neighborhood(view, around)
    check_texts(page, least=20)
    said = " ".join(text.get_text() for text in page.axes.texts)
    expected = {
        "neighbours": "3000000001",
        "alone": "no other detection lies within",
        "no position": "no position came",
    }
    assert expected[kind] in said


def test_the_sky_is_three_radii_wide_where_images_reach() -> None:
    assert sky_width(10.0) == 30.0
    assert sky_width(5.0) == 15.0
    assert sky_width(12.0) == 30.0  # the images at hand hold the radius still
    assert sky_width(30.0) == pytest.approx(72.0)
