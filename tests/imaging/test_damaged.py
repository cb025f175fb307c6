"""Damaged images, catalogues, caches: each is left out with a word, and takes nothing else with it."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from astropy.wcs import WCS

from elixer_widgets._cache import CACHE_VARIABLE
from elixer_widgets._sections import find_plane
from elixer_widgets.detection import Cutout, DataError
from elixer_widgets.imaging.catalog_formats import CatalogFormat, Column
from elixer_widgets.imaging.columns import sexagesimal
from elixer_widgets.imaging.footprints import Footprints
from elixer_widgets.imaging.registry import SURVEYS
from elixer_widgets.imaging.surveys import Library
from tests.imaging.sky import DEC, RA, gaussian, wcs, write_image

SURVEY = next(survey for survey in SURVEYS if survey.name == "DECaLS")
NAME = "legacysurvey-{}-image-{}.fits"
BARE = CatalogFormat(("x",), {"g": Column(("mag_g", "mag_auto"))})
SIMPLE = CatalogFormat(("x",), {"g": Column(("mag_g", "mag_auto"), ("err_g", "magerr_auto"))})


def image(path: Path, compressed: bool = False) -> Path:
    data = gaussian((120, 120), 59.5, 59.5, 5.0, 1000.0) + np.random.default_rng(1).normal(size=(120, 120))
    return write_image(path, data, 0.25, compressed)


def _header(path: Path, **cards: object) -> None:
    with fits.open(path, mode="update") as hdus:
        for key, value in cards.items():
            hdus[0].header[key] = value


def _damaged_tile(path: Path) -> None:
    image(path, compressed=True)
    with fits.open(path, disable_image_compression=True) as hdus:
        start = hdus[1].fileinfo()["datLoc"]
        heap = start + hdus[1].header["NAXIS1"] * hdus[1].header["NAXIS2"]
    content = bytearray(path.read_bytes())
    content[heap + 2000 : heap + 14000] = bytes(12000)  # the rows in the middle, where the cutout is
    path.write_bytes(content)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path) -> None:
    start = f"{'SIMPLE  =                    T':80}".encode()
    with path.open("wb") as file:
        file.write(start + b" " * 50_000_000)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty CTYPE": lambda path: _header(path, CTYPE1=""),
    "no WCS": lambda path: fits.PrimaryHDU(np.zeros((9, 9))).writeto(path, overwrite=True),
    "a table": lambda path: Table({"a": [1]}).write(path, format="fits", overwrite=True),
    "a cube": lambda path: fits.PrimaryHDU(np.zeros((3, 9, 9)), wcs(RA, DEC, (9, 9), 0.25).to_header()).writeto(
        path, overwrite=True
    ),
    "one line": lambda path: fits.PrimaryHDU(np.zeros(9), wcs(RA, DEC, (9, 9), 0.25).to_header()).writeto(
        path, overwrite=True
    ),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:20000]),
    "cut gzip": lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:3000]),
    "not FITS": lambda path: path.write_text("<html>no</html>"),
    "empty": lambda path: path.write_bytes(b""),
    "a pipe": _fifo,
    "an endless header": _endless,
    "tile": _damaged_tile,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_bad_image_is_left_out_and_the_others_stay(tmp_path: Path, damage: str) -> None:
    for band in "gr":
        image(tmp_path / NAME.format("good", band))
    bad = image(tmp_path / NAME.format("bad", "z"))
    DAMAGE[damage](bad)
    library = Library(tmp_path, (SURVEY,))
    for _ in range(2):  # the note is there each time
        imaging = library.imaging(RA, DEC, 10.0)
        assert [cutout.band for cutout in imaging.cutouts] == ["g", "r"]
        assert any(bad.name in note and len(note) < 500 for note in imaging.notes), imaging.notes
    # Where the image would not lie, it does no harm either.
    assert library.imaging(RA + 30.0, DEC, 10.0).cutouts == ()
    with pytest.raises(DataError, match=bad.name):
        Cutout.from_fits(bad, "z", 22.5, (RA, DEC), 10.0)


def test_a_bad_image_is_read_again_when_it_has_changed_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elixer_widgets.imaging import footprints

    bad, good = tmp_path / NAME.format("a", "g"), image(tmp_path / NAME.format("b", "r"))
    bad.write_text("not yet")
    read: list[str] = []
    real = footprints.find_plane
    monkeypatch.setattr(footprints, "find_plane", lambda path, hdu=None: (read.append(str(path)), real(path, hdu))[1])
    library = Library(tmp_path, (SURVEY,))
    for _ in range(3):
        assert [cutout.band for cutout in library.imaging(RA, DEC, 10.0).cutouts] == ["r"]
    assert read.count(str(bad)) == 1
    image(bad)
    assert [cutout.band for cutout in library.imaging(RA, DEC, 10.0).cutouts] == ["g", "r"]
    good.write_text("gone")
    imaging = library.imaging(RA, DEC, 10.0)
    assert [cutout.band for cutout in imaging.cutouts] == ["g"] and any(good.name in note for note in imaging.notes)
    good.unlink()
    assert any(good.name in note for note in library.imaging(RA, DEC, 10.0).notes)


def test_many_bad_images_are_told_shortly(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / NAME.format(f"b{number:02d}", "g")).write_text("no")
    notes = Library(tmp_path, (SURVEY,)).imaging(RA, DEC, 10.0).notes
    assert len(notes) < 10 and any("35 more images cannot be read" in note for note in notes)


@pytest.mark.parametrize(
    "record", ["[1, 2]", "{}", "[[]]", "nonsense", '{"%s": [%d, %d, [1e999, 2]]}', '{"%s": [%d, %d, {}]}']
)
def test_a_damaged_index_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("elixer_widgets.imaging.footprints.KEPT_FROM", 1)
    folder = tmp_path / "images"
    path = image(folder / NAME.format("a", "g"))
    Footprints(folder, SURVEY, [path.name])
    (kept,) = (tmp_path / "cache" / "footprints").glob("*.json")
    status = path.stat()
    kept.write_text(record % (path.name, status.st_mtime_ns, status.st_size) if "%" in record else record)
    assert len(Footprints(folder, SURVEY, [path.name]).covering(RA, DEC)) == 1
    assert len(json.loads(kept.read_text())[path.name][2]) > 8


# --------------------------------------------------------------------------------------------------- catalogues


def read(path: Path, content: str, form: CatalogFormat = BARE) -> tuple[list[float], list[float], list[float], str]:
    path.write_text(content, encoding="utf-8")
    table = form.read(path, "T")
    return table.ra.tolist(), table.dec.tolist(), table.mags["g"][0].tolist(), "; ".join(table.notes)


def test_a_column_that_is_not_there_is_said(tmp_path: Path) -> None:
    said = read(tmp_path / "t.cat", "# ra dec mag_g a_world\n1 2 21 0.001\n", SIMPLE)[3]
    assert "no error of mag_g (no column err_g)" in said
    assert "no semi-minor axis" in said and "no position angle" in said and "semi-major" not in said
    two = CatalogFormat(("x",), {"g": Column(("mag_g",)), "r": Column(("mag_r",))}, photo_z=("z_p",))
    said = read(tmp_path / "t.cat", "# ra dec mag_g\n1 2 21\n", two)[3]
    assert "no r magnitude (no column mag_r)" in said and "no photometric redshift (no column z_p)" in said


def test_units_and_empty_fields_of_an_ecsv(tmp_path: Path) -> None:
    path = tmp_path / "t.ecsv"
    table = MaskedColumn([21.0, 22.0], mask=[False, True])
    Table({"ra": [0.1, 0.2] * u.rad, "dec": [0.01, 0.02] * u.rad, "mag_g": table}).write(path)
    found = BARE.read(path, "T")
    np.testing.assert_allclose(found.ra, np.degrees([0.1, 0.2]))
    np.testing.assert_array_equal(found.mags["g"][0], [21.0, np.nan])


def test_what_follows_a_packed_image_is_not_unpacked(tmp_path: Path) -> None:
    header = WCS(naxis=2)
    header.wcs.ctype, header.wcs.crval, header.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [-1e-4, 1e-4]
    fits.PrimaryHDU(np.ones((20, 20), np.float32), header.to_header()).writeto(tmp_path / "a.fits")
    packed = gzip.compress((tmp_path / "a.fits").read_bytes()) + gzip.compress(bytes(2**24)) * 200
    (tmp_path / "a.fits.gz").write_bytes(packed)
    started = time.process_time()
    assert find_plane(tmp_path / "a.fits.gz").shape == (20, 20)
    assert time.process_time() - started < 3.0


def test_sextractors_last_column_may_be_a_vector(tmp_path: Path) -> None:
    # Three apertures, of which the header numbers the first only.
    head = (
        "#   1 NUMBER\n#   2 ALPHA_J2000 [deg]\n#   3 DELTA_J2000 [deg]\n#   4 MAG_AUTO [mag]\n#   5 MAG_APER [mag]\n"
    )
    rows = "1 150.1 2.1 22.5 23.1 22.9 22.7\n2 150.2 2.2 23.5 24.1 23.9 23.7\n"
    assert read(tmp_path / "t.cat", head + rows) == ([150.1, 150.2], [2.1, 2.2], [22.5, 23.5], "")
    aper = CatalogFormat(("x",), {"g": Column(("mag_aper",))})
    assert read(tmp_path / "t.cat", head + rows, aper)[2] == [23.1, 24.1]
    for wrong in (rows + "3 150.3 2.3 22.0 22.1\n", rows + "3 150.3 2.3 22 22 22 22 22\n"):
        with pytest.raises(DataError, match=r"t\.cat: line 8 has \d fields"):
            read(tmp_path / "t.cat", head + wrong)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.cat", "# ra dec mag_g\n1 2 21 9\n2 3 22 9\n"),
        ("t.cat", "# ra dec mag_g\n1 2\n2 3\n"),
        ("t.cat", "# ra dec mag_g\n1 2 21\n2 3 22 9\n"),
        ("t.csv", "ra,dec,mag_g\n1,2,21,9\n2,3,22,9\n"),
        ("t.csv", "ra,dec,mag_g\n1,2,21\n2,3\n"),
        ("t.csv", "1,2,21\n2,3,22\n"),
        ("t.cat", "1 2 21\n2 3 22\n"),
    ],
)
def test_rows_that_do_not_fit_the_header_are_refused(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(DataError, match=rf"{name}: .*(fields|name)"):
        read(tmp_path / name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "ra;dec;mag_g\n150,0254;2,0875;21,5\n"),
        ("t.csv", "# made by hand\nRA , DEC , MAG_G\n150.0254, 2.0875, 21.5\n\n# end\n"),
        ("t.csv", '"ra","dec","name, long","mag_g"\n"150.0254","2.0875","a, b","21.5"\n'),
        ("t.csv", "ra,dec,mag_g\n150.0254,2.0875,21.5,\n"),
        ("t.csv", "\ufeffra,dec,mag_g\r\n150.0254,2.0875,21.5\r\n"),
        ("t.csv", "ra\tdec\tmag_g\n150.0254\t2.0875\t21.5\n"),
        ("t.cat", '# ra dec name mag_g\n150.0254 2.0875 "NGC 1" 21.5 # good\n'),
        ("t.cat", "ra dec mag_g\n150.0254 2.0875 21.5\n"),
        ("t.cat", "# mag_g,dec,ra\n21.5,2.0875,150.0254\n"),
        ("t.cat", "# ra dec mag_g\n10:00:06.096 +02:05:15.0 21.5\n"),
        ("t.cat", "# ra dec mag_g\n10h00m06.096s 2d05m15.0s 21.5\n"),
        ("t.cat", "# id ra dec mag_g\n7 10 00 06.096 +02 05 15.0 21.5\n"),
        ("t.csv", "ra,dec,mag_g\n10 00 06.096,+02 05 15.0,21.5\n"),
    ],
)
def test_one_object_in_many_hands(tmp_path: Path, name: str, content: str) -> None:
    ra, dec, mag, said = read(tmp_path / name, content)
    assert (ra, dec, mag, said) == (pytest.approx([150.0254]), pytest.approx([2.0875]), [21.5], "")


def test_angles_in_three_parts() -> None:
    assert sexagesimal("-00:30:00", 1.0) == -0.5 and sexagesimal("23:59:60", 15.0) != sexagesimal("23:59:60", 15.0)
    assert sexagesimal("150d30m", 15.0) == 150.5 and sexagesimal("1h", 15.0) != 15.0
    for word in ("", "abc", "10:61:00", "10", "10:00:00:00", "1:2:3 x"):
        assert np.isnan(sexagesimal(word, 1.0))


PARTS = [
    (("10", "00", "06.1"), ("+", "02", "05", "15"), 150.0254166667, 2.0875),
    (("00", "00", "01.0"), ("-", "00", "30", "00"), 0.0041666667, -0.5),
]


@pytest.mark.parametrize("ending", ["fits", "ecsv", "vot", "csv", "cat"])
def test_a_position_in_seven_columns_as_vizier_writes_it(ending: str, tmp_path: Path) -> None:
    """The sign of the declination stands in a column of its own, and -00 degrees have none."""
    path = tmp_path / f"t.{ending}"
    names = ("RAh", "RAm", "RAs", "DE-", "DEd", "DEm", "DEs", "mag_g")
    if ending in ("csv", "cat"):
        mark = "," if ending == "csv" else " "
        lines = [mark.join((*ra, *dec, "21.5")) for ra, dec, _, _ in PARTS]
        path.write_text("\n".join([("" if ending == "csv" else "# ") + mark.join(names), *lines]) + "\n")
    else:
        rows = [
            (int(h), int(m), float(s), sign, int(d), int(am), float(sec), 21.5)
            for (h, m, s), (sign, d, am, sec), _, _ in PARTS
        ]
        forms = {"fits": "fits", "ecsv": "ascii.ecsv", "vot": "votable"}
        Table(rows=rows, names=names).write(path, format=forms[ending])
    found = BARE.read(path, "T")
    assert found.ra.tolist() == pytest.approx([ra for _, _, ra, _ in PARTS])
    assert found.dec.tolist() == pytest.approx([dec for _, _, _, dec in PARTS])
    assert found.mags["g"][0].tolist() == pytest.approx([21.5, 21.5])


def test_hours_without_a_unit_are_noted(tmp_path: Path) -> None:
    """RA of 10.0017 may be degrees; when as hours it lies in the image, that is said."""
    image(tmp_path / NAME.format("one", "g"))
    survey = replace(SURVEY, catalogs=(CatalogFormat(("*.cat",), BARE.bands),))
    table = tmp_path / "objects.cat"
    table.write_text(f"# ra dec mag_g\n{RA / 15.0:.8f} {DEC} 21.0\n{RA / 15.0 + 0.001:.8f} {DEC} 22.0\n")
    imaging = Library(tmp_path, (survey,)).imaging(RA, DEC, 10.0)
    said = "objects.cat: right ascensions that would fit in hours"
    assert imaging.objects == () and any(said in note for note in imaging.notes)
    assert not [note for note in Library(tmp_path, (survey,)).imaging(RA, DEC + 0.003, 10.0).notes if "hours" in note]


def test_no_object_vanishes_without_a_note(tmp_path: Path) -> None:
    rows = "150 2 21\n-99 -99 22\n151 95 23\nnan 1 24\n999 2 21\nabc 2 25\n-99 2 21\n-0.5 3 20\n"
    ra, _, _, said = read(tmp_path / "t.cat", "# ra dec mag_g\n" + rows)
    assert ra == [150.0, 359.5]
    assert "t.cat: 6 of 8 rows have no usable position" in said and "-99" in said


def test_the_units_of_a_table_count(tmp_path: Path) -> None:
    alpha, delta, flux = [150.0254], [2.0875], 10 ** (-0.4 * 22.0) * 3631e9  # nJy of AB 22
    one = CatalogFormat(("x",), {"g": Column(("flux_g",), (), 23.9)})
    for number, (unit, turn) in enumerate((("deg", 1.0), ("rad", np.pi / 180), ("arcsec", 3600.0))):
        table = Table({"ra": np.array(alpha) * turn, "dec": np.array(delta) * turn, "flux_g": [flux]})
        table["ra"].unit = table["dec"].unit = unit
        table["flux_g"].unit = "nJy"
        for ending, form in (("fits", "fits"), ("ecsv", "ascii.ecsv"), ("vot", "votable")):
            path = tmp_path / f"t{number}.{ending}"
            table.write(path, format=form)
            found = one.read(path, "T")
            assert (found.ra.tolist(), found.dec.tolist()) == (pytest.approx(alpha), pytest.approx(delta)), path.name
            assert found.mags["g"][0][0] == pytest.approx(22.0, abs=1e-4) and "flux_g is in nJy" in found.notes[0]
    hours = Table({"ra": [10.0], "dec": [2.0], "flux_g": [1.0]})
    hours["ra"].unit = "hourangle"
    hours.write(tmp_path / "h.ecsv", format="ascii.ecsv")
    assert one.read(tmp_path / "h.ecsv", "T").ra.tolist() == pytest.approx([150.0])


def test_odd_columns_of_fits_tables(tmp_path: Path) -> None:
    columns = [
        fits.Column("id", "K", array=[2**53 + 1, -1], null=-1),
        fits.Column("ra", "D", array=[1.0, 2.0]),
        fits.Column("dec", "D", array=[1.0, 2.0]),
        fits.Column("mag_g", "3E", array=[[21.0, 22.0, 23.0], [24.0, 25.0, 26.0]]),
        fits.Column("err_g", "J", array=[1, -999], null=-999),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    table = SIMPLE.read(tmp_path / "t.fits", "T")
    assert table.identifiers.tolist() == [str(2**53 + 1), ""] and table.mags["g"][0].tolist() == [21.0, 24.0]
    assert table.mags["g"][1][0] == 1.0 and np.isnan(table.mags["g"][1][1])
    assert any("mag_g holds 3 values a row; the first is taken" in note for note in table.notes)
    Table({"id": [7.0, 8.0], "ra": [1.0, 2.0], "dec": [1.0, 2.0], "mag_g": [21.0, 1e20]}).write(tmp_path / "f.fits")
    plain = SIMPLE.read(tmp_path / "f.fits", "T")
    assert plain.identifiers.tolist() == ["7", "8"] and np.isnan(plain.mags["g"][0][1])
    (tmp_path / "i.csv").write_text(f"id,ra,dec,mag_g\n{2**60 + 1},1,2,21\n0007,1,2,21\n")
    assert SIMPLE.read(tmp_path / "i.csv", "T").identifiers.tolist() == [str(2**60 + 1), "0007"]
