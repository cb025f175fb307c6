"""The page as a file: every kind of input gives one, nothing overlaps, its properties reopen the view."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from elixer_widgets.analysis import Interpretation
from elixer_widgets.classification.flags import FLAGS
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.detection import CatalogObject, DataError, Detection, Imaging, Magnitude, Spectrum
from elixer_widgets.imaging.counterparts import Match
from elixer_widgets.reports import write_report
from elixer_widgets.reports.page import draw_page
from elixer_widgets.spectra.fitting import LineFit
from tests.factories import DEC, RA, FakeSource, make_bare_detection, make_cutout, make_detection, make_interpretation
from tests.reports.checks import check_texts, streams, type_sizes

MADE = datetime(2026, 1, 2, 3, 4, 5)


class _NoImages(FakeSource):
    def imaging(self, detection: Detection) -> Imaging:
        return Imaging(notes=("no image covers this position",))


def _crowded() -> Interpretation:
    """Everything at its longest: seven bands, five matches, all flags, all choices, long words."""
    base = make_interpretation(identity="OII")
    measurements = base.measurements
    bands = ("u", "g", "r", "i", "z", "y")
    cutouts = tuple(replace(make_cutout(), band=band, survey="HSC-SSP wide deep") for band in bands)
    growths = tuple(
        replace(
            measurements.growths[0],
            band=band,
            survey="HSC-SSP wide deep",
            is_limit=True,
            by_person=True,
            note="brighter again beyond 1.3 arcsec: another source begins there, and the words go on",
        )
        for band in bands
    )
    matches = tuple(
        Match(
            CatalogObject(
                RA + 1e-4 * n, DEC, "A long catalogue name", f"identifier{n}",
                (Magnitude("F606W", 26.123, is_limit=True, limit_sigma=2.0),), spec_z=2.7, photo_z=2.7,
                photo_z_low=2.55, photo_z_high=2.85,
            ),
            n + 1, 0.3 * n, 0.1, "F606W", n == 0,
        )
        for n in range(5)
    )  # fmt: skip
    words = (
        "the words about this piece of evidence go on and on, as long as they may be, and then a little longer still"
    )
    return replace(
        base,
        measurements=replace(
            measurements, cutouts=cutouts, growths=growths, matches=matches, notes=("a remark that is long; " * 30,),
            excluded_fibers=(measurements.detection.fibers[0].fiber_id,),
            line=replace(measurements.line, flags=("width at the instrument limit", "beside a mask", "x" * 90)),
        ),
        flags=FLAGS,
        plae_sources=tuple(PlaeRatio(0.006234, 0.002534, 0.01524, f"aperture {band}") for band in bands),
        evidence=tuple(replace(base.evidence[0], words=words) for _ in range(8)),
    )  # fmt: skip


def _no_errors() -> Interpretation:
    spectrum = make_detection().spectrum
    return make_interpretation(Detection.from_spectrum(Spectrum(spectrum.wavelength, spectrum.flux), 4500.0))


def _no_line() -> Interpretation:
    base = make_interpretation(make_bare_detection())
    nothing = LineFit(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, flags=("no line was found",))
    detection = replace(base.measurements.detection, wavelength=math.nan)
    return replace(
        base, identity="noise", redshift=math.nan, line_label="noise", companions=(), rivals=(), evidence=(),
        measurements=replace(base.measurements, line=nothing, lines=(), detection=detection),
    )  # fmt: skip


def _no_images() -> Interpretation:
    base = make_interpretation(replace(make_detection(), source=_NoImages()))
    return replace(base, measurements=replace(base.measurements, notes=base.measurements.detection.imaging.notes))


def _one_fiber() -> Interpretation:
    detection = make_detection()
    return make_interpretation(replace(detection, fibers=detection.fibers[:1]))


def _optical() -> Interpretation:
    """A spectrum that reaches far beyond HETDEX's, in fewer samples."""
    wave = np.linspace(3800.0, 9200.0, 700)
    return make_interpretation(Detection.from_spectrum(Spectrum(wave, np.ones(700), np.full(700, 0.1)), 4500.0))


KINDS = {
    "full": make_interpretation,
    "oii": lambda: make_interpretation(identity="OII"),
    "bare": lambda: make_interpretation(make_bare_detection()),
    "no images": _no_images,
    "no errors": _no_errors,
    "no line": _no_line,
    "one fiber": _one_fiber,
    "optical": _optical,
    "crowded": _crowded,
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_overlaps_or_leaves_the_page(kind: str) -> None:
    check_texts(draw_page(KINDS[kind](), MADE), least=30)


@pytest.mark.parametrize("kind", ["bare", "no images"])
def test_what_is_missing_is_said(kind: str) -> None:
    said = " ".join(text.get_text() for text in draw_page(KINDS[kind](), MADE).axes.texts)
    assert "not available" in said
    reason = "no fiber data came with this spectrum" if kind == "bare" else "no image covers this position"
    assert reason in said.replace("\n", " ")


def test_choices_of_a_person_are_on_the_page() -> None:
    said = " ".join(text.get_text() for text in draw_page(KINDS["crowded"](), MADE).axes.texts)
    assert "Set by a person: identity [O II] at z = 0.2071; 1 fiber switched off" in said
    assert "SWITCHED OFF" in said
    assert "HSC-SSP" in said


def test_pdf_is_one_vector_page_with_its_state(tmp_path: Path) -> None:
    path = write_report(make_interpretation(identity="OII"), tmp_path / "2101630949.pdf")
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.count(b"/Type /Page ") + data.count(b"/Type /Page\n") == 1
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", data)
    assert box is not None
    assert float(box[1]) / 72 == pytest.approx(18.0) and float(box[2]) / 72 == pytest.approx(12.25, abs=0.01)
    drawn = b"".join(streams(data))
    assert drawn.count(b" l\n") + drawn.count(b" l ") > 500  # the spectrum is lines, not a picture
    found = re.search(rb"/Keywords \((.*?)\)\s*/", data, re.S) or re.search(rb"/Keywords \((.*?)\)", data, re.S)
    assert found is not None and b"2101630949" in found[1] and b"OII" in found[1] and b"0.2071" in found[1]


@pytest.mark.parametrize("kind", ["full", "crowded"])
def test_no_type_in_the_pdf_is_under_seven_points(kind: str, tmp_path: Path) -> None:
    """Read from the file itself, where the letters' sizes stand as they will be printed."""
    sizes = type_sizes(write_report(KINDS[kind](), tmp_path / "a.pdf").read_bytes())
    assert len(sizes) > 100
    assert min(sizes) >= 7.0


def test_png_has_the_size_of_the_elixer_report(tmp_path: Path) -> None:
    path = write_report(make_interpretation(), tmp_path / "a.png")
    with Image.open(path) as picture:
        assert picture.size == (2700, 1838)
        state = json.loads(picture.text["Keywords"])  # type: ignore[attr-defined]
    assert state["detectid"] == 2101630949
    assert (state["identity"], state["z"], state["chosen_by"]) == ("Lya", 2.7027, "automatic")


def test_panels_lie_where_those_of_the_elixer_report_lie(tmp_path: Path) -> None:
    """Frames looked up in the picture; places measured on real reports (2700 x 1838 pixels, ± 5)."""
    with Image.open(write_report(make_interpretation(), tmp_path / "a.png")) as picture:
        dark = np.asarray(picture.convert("L")) < 110

    def frame(left: int, top: int, right: int, bottom: int) -> bool:
        columns = [dark[top + 8 : bottom - 8, x - 5 : x + 6].any(axis=1).mean() for x in (left, right)]
        rows = [dark[y - 5 : y + 6, left + 8 : right - 8].any(axis=0).mean() for y in (top, bottom)]
        return min(*columns, *rows) > 0.97

    assert frame(195, 673, 2507, 835)  # full spectrum
    assert frame(2021, 117, 2507, 406)  # line fit
    assert frame(1602, 123, 1736, 453) and frame(1797, 123, 1931, 453)  # CCD with and without sky
    for left in (133, 850, 1207):  # fiber positions and two bands
        assert frame(left, 1028, left + 287, 1315)
    assert not frame(300, 1028, 587, 1315)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG"])
def test_jpeg(tmp_path: Path, suffix: str) -> None:
    path = write_report(make_interpretation(), tmp_path / f"a{suffix}")
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("JPEG", (2700, 1838))
        assert b"2101630949" in picture.info["comment"]


def test_unknown_suffix_and_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'\.gif'.*use \.pdf, \.png or \.jpg"):
        write_report(make_interpretation(), tmp_path / "a.gif")
    with pytest.raises(DataError, match="does not exist"):
        write_report(make_interpretation(), tmp_path / "nowhere" / "a.pdf")


def test_a_failed_report_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elixer_widgets.reports.canvas import Canvas

    path = tmp_path / "a.pdf"
    old = write_report(make_interpretation(), path).read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Canvas, "save", fail)
    with pytest.raises(DataError, match=r"a\.pdf: cannot be written \(disk full\); what was there is unchanged"):
        write_report(make_interpretation(), path)
    assert path.read_bytes() == old
    assert [each.name for each in tmp_path.iterdir()] == ["a.pdf"]


def test_only_the_canvas_knows_matplotlib_and_only_when_it_draws() -> None:
    """Looked up in the source: other packages may import matplotlib on their own account."""
    import ast

    import elixer_widgets.reports

    folder = Path(elixer_widgets.reports.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = [getattr(node, "module", None) or node.names[0].name for node in imports]
        if path.name != "canvas.py":
            assert not any(name.startswith("matplotlib") for name in names), path.name
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "matplotlib" not in ast.dump(node), path.name
    assert "pyplot" not in (folder / "canvas.py").read_text()
