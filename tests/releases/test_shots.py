"""CCD windows and spectra of single fibers, against pictures in which each pixel says where it is."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from elixer_widgets.detection import DataError, FiberImages
from elixer_widgets.releases import layout, open_release, reading, shots
from tests.releases import trees
from tests.releases.trees import CHI2_PEAK, COSMIC_PIXEL, IDS, Tree, write_tree


@pytest.fixture(scope="module")
def images(small: Tree) -> FiberImages:
    return open_release(small.root).detection(IDS[0]).fiber_images


def _expected(kind: int, exposure: int, x: int, y: int, half: int = 10) -> np.ndarray:
    """The window of the tree's picture, zero off the detector."""
    whole = np.zeros((1032 + 200, 1032 + 200), np.float32)
    whole[100:-100, 100:-100] = trees.image(exposure, kind)
    return whole[100 + y - half : 100 + y + half + 1, 100 + x - 24 : 100 + x + 25]


def test_windows_lie_on_the_line(images: FiberImages) -> None:
    assert images.reason == ""
    assert [(cutout.fiber.expnum, cutout.fiber.fibnum) for cutout in images.cutouts] == [(2, 31), (1, 30), (1, 1)]
    for cutout in images.cutouts:
        x, y = trees.center(cutout.fiber.fibnum)
        assert (cutout.x, cutout.y) == (x, y)
        assert cutout.image.shape == (21, 49)
        expected = _expected(2, cutout.fiber.expnum, x, y)
        if cutout.fiber.fibnum == 31:
            expected[10, 24 + 3] = 0.0  # was NaN
        assert np.array_equal(cutout.image, expected)
        assert cutout.wavelength == pytest.approx(trees.solution(cutout.fiber.fibnum)[x - 24 : x + 25], abs=1e-3)


def test_cosmic_rays_are_where_the_error_is_minus_one(images: FiberImages) -> None:
    first = images.cutouts[0]
    assert np.argwhere(first.cosmic).tolist() == [[10 + COSMIC_PIXEL[1], 24 + COSMIC_PIXEL[0]]]
    assert not images.cutouts[1].cosmic.any()


def test_worst_chi2_within_two_pixels(images: FiberImages) -> None:
    assert images.cutouts[0].fiber.chi2 == CHI2_PEAK
    assert images.cutouts[1].fiber.chi2 == 1.0


def test_edges_are_zero(images: FiberImages) -> None:
    """Fiber 1 lies 13 lines above the edge: the region of 121 lines reaches over it, the cutout does not."""
    low = images.cutouts[2]
    assert low.y < 60 and np.all(low.image > 0)


def test_region_shows_both_images(images: FiberImages) -> None:
    region = images.ccd
    assert region is not None and region.with_sky.shape == region.clean.shape == (121, 49)
    x, y = trees.center(31)
    assert np.array_equal(region.with_sky, _expected(1, 2, x, y, 60))
    assert (region.fiber.fibnum, region.x, region.y) == (31, x, y)


@pytest.mark.parametrize("wavelength", [3440.0, 3466.0, 5543.0, 5700.0])
def test_lines_at_the_ends_of_the_detector(small: Tree, wavelength: float) -> None:
    from dataclasses import replace

    detection = replace(open_release(small.root).detection(IDS[0]), wavelength=wavelength)
    for cutout in detection.fiber_images.cutouts:
        expected = _expected(2, cutout.fiber.expnum, cutout.x, cutout.y)
        assert np.array_equal(cutout.image == 0, expected == 0) and (cutout.image == 0).any()
        assert np.all(np.diff(cutout.wavelength) > 0)


def test_flats_of_turned_amplifiers(images: FiberImages) -> None:
    """LU is stored turned by 180 degrees: the pixel (x, y) of the image is (1031 - x, 1031 - y) of the flat."""
    first = images.cutouts[0]
    flat = trees.image(0, 0) / 2.1e6
    assert first.pixel_flat is not None
    for line, column in ((0, 0), (10, 24), (20, 48), (3, 40)):
        y, x = first.y - 10 + line, first.x - 24 + column
        assert first.pixel_flat[line, column] == flat[1031 - y, 1031 - x]


def test_flats_of_upright_amplifiers_and_dated_ones(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    flat = made.tree.flat_file("038", "LU")
    flat.unlink()
    for amp in ("LU", "RU"):
        for date, value in (("20170101", 0.7), ("20181001", 0.8), ("20200101", 0.9)):
            path = flat.with_name(f"pixelflat_cam038_{amp}_{date}.fits")
            fits.writeto(path, np.full((1032, 1032), value, np.float32))
    detection = open_release(made.root).detection(IDS[0])
    assert np.all(detection.fiber_images.cutouts[0].pixel_flat == np.float32(0.8))  # the last before January 2019


def test_missing_flats_are_told(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    made.tree.flat_file("038", "LU").unlink()
    images = open_release(made.root).detection(IDS[0]).fiber_images
    assert len(images.cutouts) == 3 and images.cutouts[0].pixel_flat is None
    assert "no pixel flat of camera 038, amplifier LU" in images.reason


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_a_damaged_flat_is_an_error(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    path = made.tree.flat_file("038", "LU")
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=str(path)):
        open_release(made.root).detection(IDS[0]).fiber_images  # noqa: B018


def test_only_the_lines_needed_are_read(small: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image row is 12.8 MB. Three fibers need three times two windows of 21 lines and one of twice 121."""
    counted: list[int] = []
    pread = os.pread

    def count(handle: int, size: int, offset: int) -> bytes:
        counted.append(size)
        return pread(handle, size, offset)

    monkeypatch.setattr(reading.os, "pread", count)
    read = _io_bytes()
    images = open_release(small.root).detection(IDS[0]).fiber_images
    assert len(images.cutouts) == 3
    assert 0 < sum(counted) < 2_000_000
    if read is not None:  # what the process asked the system for, whoever asked
        assert _io_bytes() - read < 6_000_000


def _io_bytes() -> int | None:
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    return int(dict(line.split(": ") for line in lines)["rchar"])


def test_compressed_images_are_read_all_the_same(tmp_path: Path, images: FiberImages) -> None:
    """A compressed copy has no plain bytes to read: HDF5 must do it, with the same result."""
    made = write_tree(tmp_path / "r")
    path = made.tree.shot_file(trees.SHOTID)
    with h5py.File(path, "a") as file:
        rows = file["Data/Images"][:]
        del file["Data/Images"]
        file["Data"].create_dataset("Images", data=rows, chunks=(1,), compression="gzip", compression_opts=1)
    again = open_release(made.root).detection(IDS[0]).fiber_images
    for one, other in zip(images.cutouts, again.cutouts, strict=True):
        assert np.array_equal(one.image, other.image) and np.array_equal(one.cosmic, other.cosmic)


def test_fiber_spectra_are_halved_and_in_order(small: Tree) -> None:
    detection = open_release(small.root).detection(IDS[0])
    spectra = detection.fiber_spectra
    assert [spectrum.flux[0] for spectrum in spectra] == [31.0, 30.0, 1.0]  # stored as 2 x fibnum
    assert [spectrum.error[0] for spectrum in spectra] == [0.5, 0.25, 0.25]  # stored as expnum / 2
    assert spectra[0].good[5] and not spectra[1].good[5]


@pytest.mark.parametrize(
    ("table", "drop", "words"),
    [
        ("Data/Images", None, "no table /Data/Images"),
        ("Data/Fibers", None, "no table /Data/Fibers"),
        ("Data/Images", "error", "lacks the column error"),
        ("Data/Fibers", "trace", "lacks the column trace"),
    ],
)
def test_what_is_missing_is_said_in_words(tmp_path: Path, table: str, drop: str | None, words: str) -> None:
    made = write_tree(tmp_path / "r")
    path = made.tree.shot_file(trees.SHOTID)
    with h5py.File(path, "a") as file:
        kind = file[table].dtype
        del file[table]
        if drop:
            file[table] = np.zeros(1, np.dtype([(name, kind[name]) for name in kind.names if name != drop]))
    images = open_release(made.root).detection(IDS[0]).fiber_images
    assert images.cutouts == () and words in images.reason and str(path) in images.reason


def test_fibers_without_a_wavelength_solution_or_a_trace(tmp_path: Path, images: FiberImages) -> None:
    made = write_tree(tmp_path / "r")
    with h5py.File(made.tree.shot_file(trees.SHOTID), "a") as file:
        rows = file["Data/Fibers"][:]
        rows["wavelength"][(rows["fibnum"] == 30)] = 0.0
        rows["trace"][(rows["fibnum"] == 1)] = np.nan
        rows["trace"][(rows["fibnum"] == 31), 480:560:2] = np.nan  # holes in a trace are bridged
        file["Data/Fibers"][:] = rows
    again = open_release(made.root).detection(IDS[0]).fiber_images
    assert [cutout.fiber.fibnum for cutout in again.cutouts] == [31]
    assert (again.cutouts[0].x, again.cutouts[0].y) == (images.cutouts[0].x, images.cutouts[0].y)
    assert "no wavelength solution" in again.reason


def test_a_fiber_that_the_shot_does_not_have(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    with h5py.File(made.tree.detect_file, "a") as file:
        rows = file["Fibers"][:]
        rows["expnum"][1] = 3
        file["Fibers"][:] = rows
    detection = open_release(made.root).detection(IDS[0])
    assert len(detection.fiber_images.cutouts) == 2 and "exposure 3, fiber 31" in detection.fiber_images.reason
    assert [spectrum is None for spectrum in detection.fiber_spectra] == [True, False, False]


@pytest.mark.parametrize("index", [True, False])
def test_older_shot_files(tmp_path: Path, images: FiberImages, index: bool) -> None:
    """No FiberIndex, HDR2.1 names in Fibers, no indexes: found all the same."""
    made = write_tree(tmp_path / "r", index=index)
    path = made.tree.shot_file(trees.SHOTID)
    old = {"error1D": "error1Dfib", "calfib_ffsky": "spec_fullsky_sub"}
    with h5py.File(path, "a") as file:
        rows = file["Data/Fibers"][:]
        rows.dtype.names = tuple(old.get(name, name) for name in rows.dtype.names)
        del file["Data/FiberIndex"], file["Data/Fibers"]
        file["Data"].create_dataset("Fibers", data=rows, chunks=(4,), maxshape=(None,))
    again = open_release(made.root).detection(IDS[0]).fiber_images
    assert len(again.cutouts) == 3
    assert np.array_equal(again.cutouts[0].image, images.cutouts[0].image)


def test_a_fiber_index_in_another_order_is_not_believed(tmp_path: Path, images: FiberImages) -> None:
    made = write_tree(tmp_path / "r", index=False)
    with h5py.File(made.tree.shot_file(trees.SHOTID), "a") as file:
        file["Data/FiberIndex"][:] = file["Data/FiberIndex"][:][::-1]
    again = open_release(made.root).detection(IDS[0]).fiber_images
    assert len(again.cutouts) == 3
    for one, other in zip(images.cutouts, again.cutouts, strict=True):
        assert np.array_equal(one.image, other.image)


def test_a_cut_off_shot_file_is_an_error(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    path = made.tree.shot_file(trees.SHOTID)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DataError, match=r"20190105v012\.h5.*copy it again"):
        open_release(made.root).detection(IDS[0]).fiber_images  # noqa: B018


def test_the_image_table_is_stored_so_that_single_rows_can_be_read(small: Tree) -> None:
    with h5py.File(small.tree.shot_file(trees.SHOTID)) as file:
        assert file["Data/Images"].chunks == (1,)
        assert file["Data/Images"].dtype == layout.SHOT_IMAGES.dtype


@pytest.mark.parametrize("name", ["ra", "dec", "pa", "fwhm_virus", "response_4540", "date", "obsid"])
def test_a_number_of_a_shot_that_is_several_is_missing(name: str) -> None:
    """A row of another program's table, in which a column is a vector."""
    columns = {"shotid": 20230115007, "date": 20230115, "obsid": 7, "ra": 150.0, "dec": 2.0, "pa": 30.0}
    columns |= {"fwhm_virus": 1.7, "response_4540": 0.15}
    kind = [(each, "<f4" if each == name else "<f8", (3,) if each == name else ()) for each in columns]
    row = np.zeros(1, np.dtype(kind))
    for each, value in columns.items():
        row[each] = value
    shot = shots.read_shot(row[0])
    assert (shot.date, shot.obsid) == (20230115, 7)
    values = {"ra": shot.ra, "dec": shot.dec, "pa": shot.pa, "fwhm_virus": shot.fwhm}
    values["response_4540"] = shot.response_4540
    assert [each for each, value in values.items() if np.isnan(value)] == [each for each in values if each == name]


def test_a_complex_column_is_none_of_a_release(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["T"] = np.zeros(3, np.dtype([("image", "<c16", (4, 4)), ("x", "<f4")]))
    with reading.open_h5(tmp_path / "t.h5") as file:
        assert list(reading.Table.of(file, tmp_path / "t.h5", "/T").columns(["image", "x"])) == ["x"]
        with pytest.raises(DataError, match="table /T lacks the column image"):
            reading.Table.of(file, tmp_path / "t.h5", "/T", ("x", "image"))
