"""Where a header says that an image lies: every way in which surveys write it, and headers that cannot be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from elixer_widgets.detection import Cutout, DataError

RA, DEC = 150.0, 2.0
SCALE = 0.2 / 3600.0
SIZE = 301
PLAIN = {
    **{"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": RA, "CRVAL2": DEC, "CRPIX1": 151.0, "CRPIX2": 151.0},
    **{"CUNIT1": "deg", "CUNIT2": "deg"},
}
CD = {**PLAIN, "CD1_1": -SCALE, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": SCALE}


def gnomonic(ra: float, dec: float, ra0: float = RA, dec0: float = DEC) -> tuple[float, float]:
    """Standard coordinates in degrees (Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3)."""
    a, d, d0 = np.radians(ra - ra0), np.radians(dec), np.radians(dec0)
    c = np.sin(d) * np.sin(d0) + np.cos(d) * np.cos(d0) * np.cos(a)
    xi, eta = np.cos(d) * np.sin(a) / c, (np.sin(d) * np.cos(d0) - np.cos(d) * np.sin(d0) * np.cos(a)) / c
    return float(np.degrees(xi)), float(np.degrees(eta))


def near(east: float, north: float, ra0: float = RA, dec0: float = DEC) -> tuple[float, float]:
    """The position some arcsec east and north of the reference, exact enough for pixels of 0.2 arcsec."""
    return (ra0 + east / 3600.0 / np.cos(np.radians(dec0 + north / 3600.0))) % 360.0, dec0 + north / 3600.0


def write(path: Path, header: dict[str, Any], peak: tuple[int, int], kind: str = "plain") -> Path:
    """An image whose pixel `peak` (x, y) is bright."""
    data = np.random.default_rng(2).normal(size=(SIZE, SIZE)).astype(np.float32)
    data[peak[1], peak[0]] = 1000.0
    cards = fits.Header()
    for key, value in header.items():
        cards[key] = value
    hdu: Any = fits.PrimaryHDU(data, cards)
    if kind == "cube":
        hdu = fits.PrimaryHDU(data[None], cards)
    if kind == "compressed":
        hdu = fits.CompImageHDU(data, cards, compression_type="RICE_1", quantize_level=64)
    fits.HDUList([fits.PrimaryHDU(), hdu] if kind == "compressed" else [hdu]).writeto(path)
    return path


def expected(header: dict[str, Any], position: tuple[float, float]) -> tuple[float, float]:
    """Zero-based pixel by the undistorted matrix that the header stands for."""
    xi, eta = gnomonic(*position, header["CRVAL1"], header["CRVAL2"])
    matrix = np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]])
    x, y = np.linalg.solve(matrix, [xi, eta])
    return float(x + header["CRPIX1"] - 1), float(y + header["CRPIX2"] - 1)


def turned(angle: float, x: float = -SCALE, y: float = SCALE) -> dict[str, Any]:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return {**PLAIN, "CD1_1": x * c, "CD1_2": -y * s, "CD2_1": x * s, "CD2_2": y * c}


# What is written, and the CD matrix that it stands for (Greisen & Calabretta 2002, A&A 395, 1061, sections 2.1, 6.1).
CONVENTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CD": (CD, CD),
    "PC with CDELT": ({**PLAIN, "PC1_1": -1.0, "PC2_2": 1.0, "CDELT1": SCALE, "CDELT2": SCALE}, CD),
    "PC alone": ({**PLAIN, "PC1_1": -SCALE, "PC2_2": SCALE}, CD),
    "CDELT alone": ({**PLAIN, "CDELT1": -SCALE, "CDELT2": SCALE}, CD),
    "CDELT and CROTA": ({**PLAIN, "CDELT1": -SCALE, "CDELT2": SCALE, "CROTA2": 30.0}, turned(30.0)),
    "CD with a CDELT of 1": ({**CD, "CDELT1": 1.0, "CDELT2": 1.0}, CD),
    "turned": (turned(-70.0), turned(-70.0)),
    "mirrored": (turned(20.0, SCALE), turned(20.0, SCALE)),
    "oblong pixels": (turned(10.0, -0.5 * SCALE, SCALE), turned(10.0, -0.5 * SCALE, SCALE)),
    "FK5": ({**CD, "RADESYS": "FK5", "EQUINOX": 2000.0}, CD),
    "EQUINOX alone": ({**CD, "EQUINOX": 2000.0}, CD),
    "RADECSYS": ({**CD, "RADECSYS": "FK5", "EQUINOX": 2000.0}, CD),
    "LONPOLE": ({**CD, "LONPOLE": 180.0, "LATPOLE": 0.0}, CD),
    "RA 0": ({**CD, "CRVAL1": 0.0}, {**CD, "CRVAL1": 0.0}),
    "RA 360": ({**CD, "CRVAL1": 359.999}, {**CD, "CRVAL1": 359.999}),
    "negative RA": ({**CD, "CRVAL1": -0.001}, {**CD, "CRVAL1": 359.999}),
    "near the pole": ({**CD, "CRVAL2": 89.99}, {**CD, "CRVAL2": 89.99}),
    "south": ({**CD, "CRVAL2": -75.0}, {**CD, "CRVAL2": -75.0}),
    "arcsec": (
        {**CD, "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": RA * 3600, "CRVAL2": DEC * 3600}
        | {key: 3600 * CD[key] for key in ("CD1_1", "CD2_2")},
        CD,
    ),
    "leftover SIP": (
        {**CD, "A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_0_2": 1e-3, "AP_ORDER": 2, "BP_ORDER": 2},
        CD,
    ),
    "SIP without coefficients": ({**CD, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}, CD),
    "TPV without distortion": ({**CD, "CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", "PV1_1": 1.0, "PV2_1": 1.0}, CD),
    "SCAMP's TAN": ({**CD, "PV1_0": 0.0, "PV1_1": 1.0, "PV2_0": 0.0, "PV2_1": 1.0}, CD),
}


@pytest.mark.parametrize("kind", ["plain", "compressed"])
@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_source_lies_where_the_header_says(tmp_path: Path, name: str, kind: str) -> None:
    header, meant = CONVENTIONS[name]
    position = near(7.0, -4.0, meant["CRVAL1"], meant["CRVAL2"])
    x, y = expected(meant, position)
    peak = round(x), round(y)
    path = write(tmp_path / "image.fits", header, peak, kind)
    cutout = Cutout.from_fits(path, "g", 25.0, position, 8.0)
    column, row = cutout.pixel(*position)
    assert (column - round(column), row - round(row)) == pytest.approx((x - peak[0], y - peak[1]), abs=2e-3)
    assert cutout.data[round(row), round(column)] == pytest.approx(1000.0, abs=0.1)
    assert cutout.sky(column, row) == pytest.approx(position, abs=1e-7)


def test_a_leftover_distortion_is_said_to_be_ignored_and_a_stated_one_counts(tmp_path: Path) -> None:
    header = CONVENTIONS["leftover SIP"][0]
    position = near(12.0, 12.0)
    left = Cutout.from_fits(write(tmp_path / "left.fits", header, (9, 9)), "g", 25.0, position, 4.0)
    assert "SIP coefficients in the header are ignored" in left.note and "RA---TAN" in left.note
    stated = {**header, "CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}
    # Shupe et al. 2005, eq. 1: u + A_2_0 u² = x; u = -60 - 0.001 u².
    x, y = (value - 150.0 for value in expected(CD, position))
    u, v = ((-1 + np.sqrt(1 + 4e-3 * value)) / 2e-3 for value in (x, y))
    cut = Cutout.from_fits(
        write(tmp_path / "stated.fits", stated, (round(u + 150), round(v + 150))), "g", 25.0, position, 4.0
    )
    column, row = cut.pixel(*position)
    assert cut.note == "" and cut.data[round(row), round(column)] == 1000.0
    assert np.hypot(u - x, v - y) > 4.9  # pixels: so far off it would be if the leftover counted


def test_scamps_distortion_counts(tmp_path: Path) -> None:
    # TPV (Calabretta et al.): xi' = PV1_1 xi + PV1_4 xi², in degrees.
    header = {**CD, "PV1_1": 1.0, "PV2_1": 1.0, "PV1_4": 20.0}
    position = near(20.0, 5.0)
    xi, eta = gnomonic(*position)
    before = (-1 + np.sqrt(1 + 80.0 * xi)) / 40.0
    x, y = 150 - before / SCALE, 150 + eta / SCALE
    for ctype in ("TAN", "TPV"):
        kind = {**header, "CTYPE1": f"RA---{ctype}", "CTYPE2": f"DEC--{ctype}"}
        path = write(tmp_path / f"{ctype}.fits", kind, (round(x), round(y)))
        cutout = Cutout.from_fits(path, "g", 25.0, position, 4.0)
        column, row = cutout.pixel(*position)
        assert cutout.data[round(row), round(column)] == 1000.0 and column % 1 == pytest.approx(x % 1, abs=1e-2)


@pytest.mark.parametrize("kind", ["plain", "cube"])
def test_an_image_with_dec_along_its_rows_is_turned_over(tmp_path: Path, kind: str) -> None:
    header = {**CD, "CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": DEC, "CRVAL2": RA, "CRPIX1": 131.0}
    header |= {"CD1_1": SCALE, "CD2_2": -SCALE}
    position = near(5.0, -6.0)
    xi, eta = gnomonic(*position)
    x, y = 130 + eta / SCALE, 150 - xi / SCALE
    cutout = Cutout.from_fits(
        write(tmp_path / "swapped.fits", header, (round(x), round(y)), kind), "g", 25.0, position, 6.0
    )
    column, row = cutout.pixel(*position)
    assert cutout.data[round(row), round(column)] == 1000.0
    assert column % 1 == pytest.approx(y % 1, abs=2e-3) and row % 1 == pytest.approx(x % 1, abs=2e-3)


WITHOUT = object()
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "empty CTYPE": ({"CTYPE1": ""}, "no place on the sky"),
    "CTYPE without a value": ({"CTYPE1": None}, "no place on the sky"),
    "no CTYPE": ({"CTYPE1": WITHOUT, "CTYPE2": WITHOUT}, "no place on the sky"),
    "one axis only": ({"CTYPE1": "LINEAR"}, "RA"),
    "unknown projection": ({"CTYPE1": "RA---XYZ", "CTYPE2": "DEC--XYZ"}, "WCS"),
    "singular": ({"CD1_1": 1e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 1e-5}, "WCS|same way"),
    "all zero": ({"CD1_1": 0.0, "CD2_2": 0.0}, "WCS|wide"),
    "CRVAL as text": ({"CRVAL1": "10:00:00"}, "CRVAL1 = '10:00:00'"),
    "no CRVAL": ({"CRVAL2": WITHOUT}, "no CRVAL2"),
    "declination of 95": ({"CRVAL2": 95.0}, "95|WCS"),
    "no scale": ({"CD1_1": WITHOUT, "CD1_2": WITHOUT, "CD2_1": WITHOUT, "CD2_2": WITHOUT}, "size of its pixels"),
    "one CDELT": (dict.fromkeys(("CD1_1", "CD1_2", "CD2_1", "CD2_2"), WITHOUT) | {"CDELT1": SCALE}, "size of its pix"),
    "FK4": ({"RADESYS": "FK4", "EQUINOX": 1950.0}, "FK4 of 1950"),
    "old equinox": ({"EQUINOX": 1950.0}, "FK4 of 1950"),
    "equinox of date": ({"RADESYS": "FK5", "EQUINOX": 2015.5}, "FK5 of 2015.5"),
    "galactic": ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "not RA and Dec"),
    "a vast SIP order": (
        {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 100000, "B_ORDER": 2},
        "A_ORDER = 100000",
    ),
    "a thousand axes": ({"WCSAXES": 1000}, "WCSAXES = 1000"),
    "distortion in tables": ({"CPDIS1": "LOOKUP", "CPDIS2": "LOOKUP"}, "CPDIS"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_header_that_cannot_be_right_is_refused_by_file_and_value(tmp_path: Path, name: str) -> None:
    change, words = WRONG[name]
    header = {key: value for key, value in {**CD, **change}.items() if value is not WITHOUT}
    path = write(tmp_path / "wrong.fits", header, (150, 150))
    with pytest.raises(DataError, match=rf"wrong\.fits: .*({words})"):
        Cutout.from_fits(path, "g", 25.0, (RA, DEC), 5.0)


def test_blank_pixels_hold_no_data_whatever_the_scaling(tmp_path: Path) -> None:
    for name, scaling in (("plain", {}), ("scaled", {"BSCALE": 0.5, "BZERO": 10.0})):
        data = np.full((SIZE, SIZE), 100, dtype=np.int16)
        data[150, 150], data[150, 152] = -999, 120
        hdu = fits.PrimaryHDU(data, fits.Header(CD.items()))
        for key, value in {**scaling, "BLANK": -999}.items():
            hdu.header[key] = value
        hdu.writeto(tmp_path / f"{name}.fits", output_verify="ignore")
        cutout = Cutout.from_fits(tmp_path / f"{name}.fits", "g", 25.0, (RA, DEC), 5.0)
        x, y = (round(value) for value in cutout.pixel(RA, DEC))
        assert np.isnan(cutout.data[y, x]) and cutout.data[y, x + 2] == (70.0 if scaling else 120.0)
