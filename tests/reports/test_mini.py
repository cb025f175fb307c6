"""The small report: complete, legible, in the size of a telephone's screen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elixer_widgets.detection import DataError
from elixer_widgets.reports.mini import draw_mini, headline, widest, write_mini
from tests.factories import make_cutout, make_interpretation
from tests.reports.checks import check_texts, type_sizes
from tests.reports.test_page import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_overlaps_or_is_clipped(kind: str) -> None:
    check_texts(draw_mini(KINDS[kind]()), least=7)


def test_size_and_properties(tmp_path: Path) -> None:
    with Image.open(write_mini(make_interpretation(), tmp_path / "7_mini.png")) as picture:
        assert picture.size == (1080, 1920)
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert json.loads(picture.info["Keywords"])["detectid"] == 2101630949
        corner = picture.convert("RGB").getpixel((3, 3))
    assert corner == (0x1C, 0x1C, 0x1E)
    with Image.open(write_mini(make_interpretation(), tmp_path / "7_mini.jpg")) as picture:
        assert picture.size == (1080, 1920)
    assert min(type_sizes(write_mini(make_interpretation(), tmp_path / "7_mini.pdf").read_bytes())) >= 7.0
    with pytest.raises(DataError, match="small report"):
        write_mini(make_interpretation(), tmp_path / "7_mini.gif")


def test_the_headline_says_what_it_is_and_who_said_so() -> None:
    said = headline(make_interpretation(identity="OII"))
    assert "z 0.2071" in said[0] and "[O II]" in said[0]
    assert said[-1] == "set by a person: identity [O II] at z = 0.2071"
    assert headline(make_interpretation())[-1] == "all choices automatic"
    assert headline(make_interpretation())[2] == "1 flag: shallow imaging"


def test_the_widest_image_is_the_one_with_most_pixels() -> None:
    whole, deep = make_cutout("g"), replace(make_cutout("r"), depth=27.5)
    half = np.array(deep.data)
    half[:, :70] = np.nan
    assert widest((whole, deep)) is deep
    assert widest((whole, replace(deep, data=half))) is whole
    assert widest((replace(whole, data=np.zeros((9, 9), np.float32)),)) is None
