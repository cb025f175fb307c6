"""Outlines on the sphere against the images' own WCS, everywhere on the sky; the kept index."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from elixer_widgets._sections import ImagePlane
from elixer_widgets.imaging import SURVEYS, footprints, open_library
from elixer_widgets.imaging.files import matches, walk
from elixer_widgets.imaging.footprints import Tile, inside, outline
from elixer_widgets.imaging.tables import unit_vectors
from tests.imaging.sky import wcs

(KPNO,) = [survey for survey in SURVEYS if survey.name == "KPNO"]


def tile(projection: WCS, shape: tuple[int, int], scale: float) -> tuple[Tile, ImagePlane]:
    plane = ImagePlane("x.fits", 0, shape, projection, scale)
    return Tile("x.fits", "g", outline=unit_vectors(*outline(plane).T)), plane


def write(path: Path, ra: float, dec: float, n: int = 12, scale: float = 60.0) -> Path:
    """A coarse image (1' pixels) with a zero point, about a position."""
    header = wcs(ra, dec, (n, n), scale).to_header()
    header["MAGZERO"] = 25.0
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(1).normal(size=(n, n)).astype(np.float32)
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)
    return path


@settings(deadline=None, max_examples=150)
@given(
    ra=st.floats(0, 360, exclude_max=True),
    dec=st.one_of(st.floats(-90, 90), st.sampled_from([90.0, -90.0, 89.999, 51.0, 0.0])),
    turn=st.floats(0, 360),
    x=st.floats(-0.3, 1.3),
    y=st.floats(-0.3, 1.3),
)
def test_a_position_is_inside_where_the_wcs_says_so(ra: float, dec: float, turn: float, x: float, y: float) -> None:
    shape, scale = (900, 1400), 6.0  # 1.5 by 2.3 degrees
    projection = wcs(ra, dec, shape, scale, turn)
    one, plane = tile(projection, shape, scale)
    px, py = x * shape[1] - 0.5, y * shape[0] - 0.5
    point = tuple(float(v) for v in projection.pixel_to_world_values(px, py))
    margin = min(px + 0.5, shape[1] - 0.5 - px, py + 0.5, shape[0] - 0.5 - py)
    if abs(margin + 1.0) < 0.01:
        return  # on the outline itself, which is one pixel wider than the image
    vector = unit_vectors(*point)
    assert inside(one.outline, one.center, vector) == (margin > -1.0)
    if margin > 1e-6:
        assert plane.margin(*point) >= 0 and np.linalg.norm(one.center - vector) <= 2 * np.sin(one.reach / 2)


def test_opposite_and_far_positions_are_outside() -> None:
    one, _ = tile(wcs(30.0, 40.0, (500, 500), 5.0), (500, 500), 5.0)
    for ra, dec in ((210.0, -40.0), (30.0, -50.0), (120.0, 0.0), (30.0, 41.0)):
        assert not inside(one.outline, one.center, unit_vectors(ra, dec))


def test_distorted_images_keep_their_edges() -> None:
    header = wcs(150.0, 60.0, (2000, 2000), 0.5).to_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 2, "A_0_2": 2e-5, "A_1_1": 1e-5, "B_ORDER": 2, "B_2_0": 2e-5})  # 20 pixels at the edge
    projection = WCS(header)
    one, _ = tile(projection, (2000, 2000), 0.5)
    along = np.linspace(0.0, 1999.0, 777)
    for x, y in (*((0.0, v) for v in along), *((1999.0, v) for v in along), *((v, 0.0) for v in along)):
        assert inside(one.outline, one.center, unit_vectors(*projection.pixel_to_world_values(x, y)))


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 10.0), (359.999, 52.0), (0.001, -60.0), (77.0, 90.0), (12.0, -89.97)])
def test_seam_and_poles_through_the_library(tmp_path: Path, ra: float, dec: float) -> None:
    path = write(tmp_path / "KMImaging" / "km0000_1000.fits", ra, dec)
    projection = WCS(fits.getheader(path))
    library = open_library(tmp_path)
    for x, y in ((1.0, 1.0), (10.0, 1.0), (5.5, 5.5), (1.0, 10.0)):
        here = tuple(float(v) for v in projection.pixel_to_world_values(x, y))
        (cutout,) = library.imaging(*here, size=120.0).cutouts
        assert cutout.pixel(*here) == pytest.approx((0.5, 0.5), abs=0.51)
    for x, y in ((-1.5, 5.0), (5.0, 13.5)):
        there = tuple(float(v) for v in projection.pixel_to_world_values(x, y))
        assert library.imaging(*there).cutouts == ()


def test_no_cosine_is_forgotten(tmp_path: Path) -> None:
    # At declination 80 an image of 12' is 1.15 degrees of right ascension wide.
    write(tmp_path / "km0000_8000.fits", 100.0, 80.0)
    library = open_library(tmp_path)
    assert library.covering(100.55, 80.0) == (KPNO,)
    assert library.covering(100.60, 80.0) == ()


def many(folder: Path, n: int = footprints.KEPT_FROM) -> Path:
    for i in range(n):
        write(folder / "KMImaging" / f"km{i:04d}_5200.fits", 10.0 + i, 52.0)
    return folder


def test_the_index_is_kept_and_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_CACHE", str(tmp_path / "cache"))
    root = many(tmp_path / "imaging")
    opened: list[str] = []
    real = footprints.find_plane

    def counting(path: Path, hdu: int | None = None) -> ImagePlane:
        opened.append(Path(path).name)
        return real(path, hdu)

    monkeypatch.setattr(footprints, "find_plane", counting)
    assert len(open_library(root).footprints(KPNO).tiles) == footprints.KEPT_FROM
    assert len(opened) == footprints.KEPT_FROM
    opened.clear()
    library = open_library(root)
    assert library.covering(13.0, 52.0) == (KPNO,)
    assert opened == ["km0003_5200.fits"]  # only the one that covers the position
    opened.clear()
    write(root / "KMImaging" / "km0003_5200.fits", 213.0, 10.0)  # another sky under the same name
    os.utime(root / "KMImaging" / "km0003_5200.fits", ns=(1, 1))
    (root / "KMImaging" / "km0004_5200.fits").unlink()
    again = open_library(root)
    assert len(again.footprints(KPNO).tiles) == footprints.KEPT_FROM - 1
    assert opened == ["km0003_5200.fits"]
    assert again.covering(13.0, 52.0) == () and again.covering(213.0, 10.0) == (KPNO,)
    assert again.covering(14.0, 52.0) == ()


@pytest.mark.parametrize("content", [b"", b"not JSON", b"[]", b'{"KMImaging/km0000_5200.fits": [1]}'])
def test_a_spoilt_index_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_CACHE", str(tmp_path / "cache"))
    root = many(tmp_path / "imaging")
    open_library(root).covering(13.0, 52.0)
    (kept,) = (tmp_path / "cache" / "footprints").iterdir()
    kept.write_bytes(content)
    assert open_library(root).covering(13.0, 52.0) == (KPNO,)


def test_old_indices_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELIXER_WIDGETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(footprints, "INDICES", 2)
    kept = tmp_path / "cache" / "footprints"
    kept.mkdir(parents=True)
    (kept / "notes.json").write_text("somebody's own")
    for age, name in ((300, "a" * 40), (200, "b" * 40), (100, "c" * 40)):
        (kept / f"{name}.json").write_text("{}")
        os.utime(kept / f"{name}.json", (1e9 - age, 1e9 - age))
    open_library(many(tmp_path / "imaging")).covering(13.0, 52.0)
    ours = [path for path in kept.iterdir() if path.name != "notes.json"]
    assert len(ours) == 2 and (kept / f"{'c' * 40}.json").is_file() and (kept / "notes.json").is_file()


def test_without_a_place_for_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ELIXER_WIDGETS_CACHE", str(tmp_path / "file"))
    assert open_library(many(tmp_path / "imaging")).covering(13.0, 52.0) == (KPNO,)


def test_broken_and_vanished_files_are_said(tmp_path: Path) -> None:
    write(tmp_path / "km0001_5200.fits", 11.0, 52.0)
    (tmp_path / "km0002_5200.fits").write_text("not FITS")
    (tmp_path / "km0003_5200.fits").symlink_to(tmp_path / "nowhere.fits")
    library = open_library(tmp_path)
    imaging = library.imaging(11.0, 52.0, size=180.0)
    assert len(imaging.cutouts) == 1
    assert {n.split(":")[1].split("/")[-1] for n in imaging.notes} == {"km0002_5200.fits", "km0003_5200.fits"}
    fresh = open_library(tmp_path)
    fresh.footprints(KPNO)
    (tmp_path / "km0001_5200.fits").unlink()
    assert fresh.covering(11.0, 52.0) == ()
    assert any("km0001_5200.fits" in note for note in fresh.imaging(11.0, 52.0).notes)


def test_a_sky_without_edges_is_asked_of_the_image() -> None:
    projection = WCS(naxis=2)
    projection.wcs.ctype = ["RA---AIT", "DEC--AIT"]
    projection.wcs.crval, projection.wcs.crpix, projection.wcs.cdelt = [0.0, 0.0], [90.5, 45.5], [-2.0, 2.0]
    projection.wcs.set()
    one, _ = tile(projection, (90, 180), 7200.0)
    assert len(one.outline) == 0 and one.reach == np.pi
    assert inside(one.outline, one.center, unit_vectors(123.0, -45.0))


def test_files_and_patterns(tmp_path: Path) -> None:
    for name in ("a/b/one.fits", "two.fits", ".hidden/three.fits", "a/.part.fits", "a/b/c/d/e/f/g/deep.fits"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert walk(tmp_path) == ("a/b/one.fits", "two.fits")
    assert matches("a/b/one.fits", ("*.fits",)) and matches("a/b/one.fits", ("a/*.fits",))
    assert not matches("a/b/one.fits", ("b/*.fits",)) and not matches("hsc_ssp/x.fits", ("hsc/*.fits",))


def test_the_image_farthest_from_its_edge_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "km0001_5200.fits", 11.0, 52.0)
    write(tmp_path / "km0002_5200.fits", 11.1, 52.0)
    for ra, name in ((11.01, "km0001_5200.fits"), (11.09, "km0002_5200.fits")):
        (cutout,) = open_library(tmp_path).imaging(ra, 52.0, size=180.0).cutouts
        assert Path(cutout.path).name == name
