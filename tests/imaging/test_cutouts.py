"""Cutout.from_fits: sections of FITS images, and what it says of files that will not do."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from elixer_widgets._sections import find_plane, read_section
from elixer_widgets.detection import Cutout, DataError
from tests.imaging.sky import DEC, RA, wcs, write_image


def ramp(n: int = 200) -> np.ndarray:
    """An image whose pixel value tells its place: 1000 y + x + 1."""
    return (1000.0 * np.arange(n)[:, None] + np.arange(n)[None, :] + 1.0).astype(np.float32)


@pytest.mark.parametrize("kind", ["plain", "extension", "compressed", "gzip"])
def test_pixels_and_sky_agree_with_the_whole_image(tmp_path: Path, kind: str) -> None:
    data = ramp()
    name = "image.fits.gz" if kind == "gzip" else "image.fits"
    if kind == "compressed":  # lossless, so that pixels can be compared
        header = wcs(RA, DEC, data.shape, 0.25).to_header()
        path = tmp_path / name
        fits.HDUList(
            [fits.PrimaryHDU(), fits.CompImageHDU(data, header, compression_type="GZIP_2", quantize_level=0)]
        ).writeto(path)
    else:
        path = write_image(tmp_path / name, data, 0.25, extension=kind == "extension")
    whole = wcs(RA, DEC, data.shape, 0.25)
    ra, dec = (float(v) for v in whole.pixel_to_world_values(70.3, 120.8))
    cutout = Cutout.from_fits(path, "g", 25.0, (ra, dec), 9.0, survey="x", depth=26.0, psf_fwhm=0.8, start_radius=0.9)
    assert cutout.data.shape == (36, 36) and cutout.data.dtype == np.float32
    assert cutout.pixel_scale == pytest.approx(0.25)
    x, y = cutout.pixel(ra, dec)
    # The pixel under the position holds the value of the same pixel of the whole image.
    assert cutout.data[round(y), round(x)] == data[121, 70]
    assert cutout.sky(x, y) == pytest.approx((ra, dec), abs=1e-9)
    assert (cutout.note, cutout.band, cutout.zero_point, cutout.depth) == ("", "g", 25.0, 26.0)
    again = pickle.loads(pickle.dumps(cutout))
    np.testing.assert_array_equal(again.data, cutout.data)
    assert again.pixel(ra, dec) == pytest.approx((x, y), abs=1e-6)


def test_scaled_integers_are_restored(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(ramp(61), wcs(RA, DEC, (61, 61), 0.25).to_header())
    hdu.scale("int32", bscale=0.5, bzero=100.0)
    hdu.writeto(tmp_path / "i.fits")
    cutout = Cutout.from_fits(tmp_path / "i.fits", "r", 27.0, (RA, DEC), 5.0)
    x, y = cutout.pixel(RA, DEC)
    assert x == pytest.approx(y) and cutout.data[round(y), round(x)] == ramp(61)[30, 30]


def test_outside_is_missing_and_said(tmp_path: Path) -> None:
    data = ramp()
    path = write_image(tmp_path / "image.fits", data, 0.25)
    whole = wcs(RA, DEC, data.shape, 0.25)
    position = tuple(float(v) for v in whole.pixel_to_world_values(3.2, 197.8))
    cutout = Cutout.from_fits(path, "g", 25.0, position, 9.0)  # type: ignore[arg-type]
    assert cutout.data.shape == (36, 36)
    assert "partly outside" in cutout.note
    finite = np.isfinite(cutout.data)
    x, y = cutout.pixel(*position)
    assert x % 1 == pytest.approx(0.2, abs=1e-6) and abs(x - 17.5) <= 0.5 and abs(y - 17.5) <= 0.5
    # As many columns and rows as the image has around the position, all with the right values.
    assert cutout.data[finite].max() == data[199, 3 + (35 - round(x))]
    assert finite.sum() == finite.any(axis=0).sum() * finite.any(axis=1).sum()
    assert finite.any(axis=0).sum() == 3 + 36 - round(x)


def test_wrong_files_are_named_with_a_remedy(tmp_path: Path) -> None:
    path = write_image(tmp_path / "image.fits", ramp(), 0.25)
    cut = path.read_bytes()
    (tmp_path / "short.fits").write_bytes(cut[: len(cut) // 2])
    (tmp_path / "header.fits").write_bytes(cut[:500])
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("hello")
    (tmp_path / "folder.fits").mkdir()
    fits.PrimaryHDU(ramp(20)).writeto(tmp_path / "plain.fits")
    above = tuple(float(v) for v in wcs(RA, DEC, (200, 200), 0.25).pixel_to_world_values(100.0, 180.0))
    for name, position in (
        ("short.fits", above),
        ("header.fits", above),
        ("empty.fits", above),
        ("text.fits", above),
        ("folder.fits", above),
        ("plain.fits", above),
        ("nothere.fits", above),
        ("image.fits", (RA + 1.0, DEC)),
        ("image.fits", (RA - 180.0, -DEC)),
        ("image.fits", (float("nan"), DEC)),
        ("image.fits", (RA, 95.0)),
    ):
        with pytest.raises(DataError, match=name):
            Cutout.from_fits(tmp_path / name, "r", 27.0, position, 9.0)  # type: ignore[arg-type]
    for size in (0.0, -3.0, float("nan"), 1e9):
        with pytest.raises(DataError, match=r"image\.fits"):
            Cutout.from_fits(path, "r", 27.0, (RA, DEC), size)


def test_broken_tile_of_a_compressed_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path = write_image(tmp_path / "c.fits", rng.normal(size=(200, 200)), 0.25, compressed=True)
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[: len(raw) - 20000])
    with pytest.raises(DataError, match=r"c\.fits"):
        Cutout.from_fits(path, "r", 27.0, (RA, DEC), 40.0)


def test_first_image_with_a_sky_is_taken_unless_told(tmp_path: Path) -> None:
    data = ramp(50)
    header = wcs(RA, DEC, data.shape, 0.25).to_header()
    path = tmp_path / "many.fits"
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(data, name="NOSKY"),
            fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])]),
            fits.ImageHDU(data, header, name="SCI"),
            fits.ImageHDU(data + 5, header, name="VAR"),
            fits.ImageHDU(data[None, :, :], header, name="PLANE"),
        ]
    ).writeto(path)
    first = Cutout.from_fits(path, "r", 27.0, (RA, DEC), 3.0)
    named = Cutout.from_fits(path, "r", 27.0, (RA, DEC), 3.0, hdu="VAR")
    np.testing.assert_array_equal(named.data, first.data + 5)
    np.testing.assert_array_equal(Cutout.from_fits(path, "r", 27.0, (RA, DEC), 3.0, hdu=5).data, first.data)
    for wrong in ("NOSKY", 2, 9, "ABSENT"):
        with pytest.raises(DataError, match="HDU"):
            Cutout.from_fits(path, "r", 27.0, (RA, DEC), 3.0, hdu=wrong)


def test_padding_is_missing_but_zeros_of_a_model_are_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(100, 100))
    noise[:, 60:] = 0.0
    cutout = Cutout.from_fits(write_image(tmp_path / "p.fits", noise, 0.25), "r", 27.0, (RA, DEC), 9.0)
    assert np.isnan(cutout.data).any() and "no data" in cutout.note
    assert not np.any(cutout.data == 0)
    model = np.zeros((100, 100))
    model[45:55, 45:55] = np.arange(1, 101).reshape(10, 10) / 100.0
    cutout = Cutout.from_fits(write_image(tmp_path / "m.fits", model, 0.25), "r", 27.0, (RA, DEC), 9.0)
    assert np.isfinite(cutout.data).all()
    blank = Cutout.from_fits(write_image(tmp_path / "b.fits", np.zeros((99, 99)), 0.25), "r", 27.0, (RA, DEC), 9.0)
    assert not blank.usable and "blank" in blank.note


def test_distortion_is_kept(tmp_path: Path) -> None:
    header = wcs(RA, DEC, (300, 300), 0.25).to_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 2, "A_2_0": 1e-4, "B_ORDER": 2, "B_0_2": 2e-4})
    fits.PrimaryHDU(ramp(300), header).writeto(tmp_path / "sip.fits")
    whole = WCS(header)
    for x, y in ((150.0, 150.0), (20.0, 280.0), (3.0, 297.0)):
        position = tuple(float(v) for v in whole.pixel_to_world_values(x, y))
        cutout = Cutout.from_fits(tmp_path / "sip.fits", "r", 27.0, position, 9.0)  # type: ignore[arg-type]
        column, row = cutout.pixel(*position)
        assert cutout.data[round(row), round(column)] == ramp(300)[round(y), round(x)]


def test_only_the_section_is_read(tmp_path: Path) -> None:
    # A sparse file of 1 GB, of which the cutout needs 40 rows in the middle.
    n = 16384
    header = fits.PrimaryHDU(np.zeros((2, 2), np.float32), wcs(RA, DEC, (n, n), 0.25).to_header()).header
    header["NAXIS1"], header["NAXIS2"] = n, n
    path = tmp_path / "large.fits"
    with path.open("wb") as file:
        file.write(header.tostring().encode())
        start = file.tell()
        row = np.full(40, 7.0, dtype=">f4")
        for y in range(n // 2 - 20, n // 2 + 20):
            file.seek(start + 4 * (y * n + n // 2 - 20))
            file.write((row + y).astype(">f4").tobytes())
        file.truncate(start + (4 * n * n + 2879) // 2880 * 2880)
    tracemalloc.start()
    cutout = Cutout.from_fits(path, "r", 27.0, (RA, DEC), 9.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
    assert cutout.data.shape == (36, 36)
    assert np.isfinite(cutout.data).all() and cutout.data.min() > 8000


def test_galactic_images_are_not_taken_for_equatorial_ones(tmp_path: Path) -> None:
    header = wcs(RA, DEC, (50, 50), 0.25).to_header()
    header["CTYPE1"], header["CTYPE2"] = "GLON-TAN", "GLAT-TAN"
    fits.PrimaryHDU(ramp(50), header).writeto(tmp_path / "galactic.fits")
    with pytest.raises(DataError, match="RA and Dec"):
        Cutout.from_fits(tmp_path / "galactic.fits", "r", 27.0, (RA, DEC), 3.0)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_pixel_types(tmp_path: Path, dtype: str) -> None:
    data = np.arange(49 * 49).reshape(49, 49).astype(dtype)
    fits.PrimaryHDU(data, wcs(RA, DEC, (49, 49), 0.25).to_header()).writeto(tmp_path / "t.fits")
    cutout = Cutout.from_fits(tmp_path / "t.fits", "r", 27.0, (RA, DEC), 1.75)
    np.testing.assert_array_equal(cutout.data, data[21:28, 21:28].astype(np.float32))


# Memory of a process of its own before and after a cutout, in kB.
_MEASURE = """
import resource, sys
from elixer_widgets.detection import Cutout
import numpy as np
from tests.imaging.sky import DEC, RA, write_image
from pathlib import Path
small = write_image(Path(sys.argv[2]), np.random.default_rng(1).normal(size=(200, 200)), 0.25)
Cutout.from_fits(small, "r", 27.0, (RA, DEC), 9.0)  # what is loaded once
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
cutout = Cutout.from_fits(sys.argv[1], "r", 27.0, (RA, DEC), 30.0)
assert np.isfinite(cutout.data).all() and cutout.data.shape == (120, 120), cutout.note
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [">f4", ">i2"])
def test_a_cutout_from_4_gb_needs_little_memory(tmp_path: Path, dtype: str) -> None:
    itemsize = np.dtype(dtype).itemsize
    n = int(np.sqrt(4e9 / itemsize)) // 2 * 2
    small = fits.PrimaryHDU(np.zeros((2, 2), dtype), wcs(RA, DEC, (n, n), 0.25).to_header())
    header = small.header
    header["NAXIS1"], header["NAXIS2"] = n, n
    if dtype == ">i2":  # scaled integers go another way than pixels that are read as they lie
        header["BSCALE"], header["BZERO"] = 0.5, 100.0
    path = tmp_path / "mosaic.fits"
    with path.open("wb") as file:
        file.write(header.tostring().encode())
        start = file.tell()
        rows = np.arange(1, 121).astype(dtype)
        for y in range(n // 2 - 60, n // 2 + 60):
            file.seek(start + itemsize * (y * n + n // 2 - 60))
            file.write(rows.tobytes())
        file.truncate(start + (itemsize * n * n + 2879) // 2880 * 2880)
    assert path.stat().st_size > 3.9e9
    answer = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path), str(tmp_path / "small.fits")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert int(answer.stdout) < 100_000


@pytest.mark.parametrize("packer", ["gzip", "bz2", "lzma"])
def test_a_packed_file_is_never_held_whole(tmp_path: Path, packer: str) -> None:
    n = 4000
    data = np.zeros((n, n), np.float32)  # 64 MB, of which the cutout is in the middle
    data[n // 2 - 30 : n // 2 + 30, n // 2 - 30 : n // 2 + 30] = ramp(60)
    plain = write_image(tmp_path / "plain.fits", data, 0.25)
    path = tmp_path / f"packed.fits.{packer}"
    with importlib.import_module(packer).open(path, "wb", **({} if packer == "lzma" else {"compresslevel": 1})) as file:
        file.write(plain.read_bytes())
    expected = Cutout.from_fits(plain, "r", 27.0, (RA, DEC), 9.0)
    find_plane(path)  # astropy unpacks a packed file for its header, at most once
    plane = find_plane(path)
    tracemalloc.start()
    found, _, note = read_section(plane, (RA, DEC), 9.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, expected.data)
    assert note == "" and peak < 20e6
