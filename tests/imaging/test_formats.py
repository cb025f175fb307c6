"""Columns of tables, photometric catalogues and redshift tables in all their forms."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from elixer_widgets.detection import DataError
from elixer_widgets.imaging.catalog_formats import CatalogFormat, Column, TractorFormat, tractor_shape
from elixer_widgets.imaging.columns import plain_name, read_columns
from elixer_widgets.imaging.redshift_formats import (
    ObjectPdfs,
    PdfTables,
    RedshiftFormat,
    read_photo_z_pdf,
    read_spec_z,
)

SIMPLE = CatalogFormat(("x",), {"g": Column(("mag_g",), ("err_g",))})


def write(path: Path, form: str, columns: dict[str, list]) -> Path:
    """The same table in one of the forms that catalogues have."""
    rows = list(zip(*columns.values(), strict=True))
    if form == "fits":
        Table(columns).write(path.with_suffix(".fits"))
        return path.with_suffix(".fits")
    if form == "fits.gz":
        plain = write(path, "fits", columns)
        packed = Path(f"{plain}.gz")
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        return packed
    lines = [" ".join(map(str, row)) for row in rows]
    if form == "header":
        lines = ["# " + " ".join(columns), *lines]
    elif form == "sextractor":
        lines = [*(f"# {i} {name} words about it [unit]" for i, name in enumerate(columns, 1)), *lines]
    elif form == "comments first":
        lines = ["# made by hand", "#", "# " + " ".join(columns), *lines]
    else:
        lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
        path = path.with_suffix(".csv")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("form", ["fits", "fits.gz", "header", "sextractor", "comments first", "csv"])
def test_every_form_gives_the_same_numbers(tmp_path: Path, form: str) -> None:
    path = write(
        tmp_path / "table.cat",
        form,
        {"NUMBER": [7, 8, 9], "RA": [10.5, 359.9, 1.0], "DEC": [-5.25, 60.0, 95.0], "MAG_G": [24.25, 99.0, 20.0]},
    )
    table = SIMPLE.read(path, "T")
    assert table.ra.tolist() == [10.5, 359.9] and table.dec.tolist() == [-5.25, 60.0]  # no declination of 95
    assert table.identifiers.tolist() == ["7", "8"]
    mag, err, limit = table.mags["g"]
    assert mag[0] == 24.25 and np.isnan(mag[1]) and np.isnan(err).all() and not limit.any()
    assert np.isnan(table.object(0).spec_z) and table.object(1).magnitudes == ()


def test_sextractor_vectors_leave_gaps_in_the_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.cat").write_text("# 1 RA x\n# 2 DEC x\n# 3 FLUX_APER vector of two\n# 5 MAG_G x\n1 2 11 12 23.5\n")
    assert SIMPLE.read(tmp_path / "t.cat", "T").mags["g"][0].tolist() == [23.5]


def test_names_are_compared_plainly() -> None:
    assert [plain_name(n) for n in (" MAG_G ", "flux.kron.err", "src_coord_ra", "ref_id", "src_")] == [
        "mag_g",
        "flux_kron_err",
        "coord_ra",
        "id",
        "src_",
    ]


@pytest.mark.parametrize("unit", ["rad", None, "deg"])
def test_radians_are_told_from_degrees(tmp_path: Path, unit: str | None) -> None:
    values = np.array([0.5, 1.0])
    column = fits.Column("coord_ra", "D", unit=unit, array=values)
    fits.BinTableHDU.from_columns([column]).writeto(tmp_path / "t.fits")
    expected = values if unit == "deg" else np.degrees(values)
    found = read_columns(tmp_path / "t.fits", ["coord_ra"], radians=["coord_ra"])["coord_ra"]
    np.testing.assert_allclose(found, expected)


def test_fluxes_become_magnitudes_or_limits(tmp_path: Path) -> None:
    fluxes, errors = [10.0, 1.5, -2.0, -99.0, 5.0, 0.0], [1.0, 1.0, 1.0, 1.0, -1.0, np.nan]
    Table({"ra": np.zeros(6), "dec": np.zeros(6), "f": fluxes, "e": errors}).write(tmp_path / "t.fits")
    one = CatalogFormat(("x",), {"g": Column(("f",), ("e",), 23.9)})
    mag, err, limit = one.read(tmp_path / "t.fits", "T").mags["g"]
    two_sigma = 23.9 - 2.5 * np.log10(2.0)
    np.testing.assert_allclose(mag, [21.4, two_sigma, two_sigma, np.nan, 23.9 - 2.5 * np.log10(5.0), np.nan])
    np.testing.assert_allclose(err, [1.0857362 / 10, *[np.nan] * 5], rtol=1e-6)
    assert limit.tolist() == [False, True, True, False, False, False]


def test_the_error_belongs_to_the_value(tmp_path: Path) -> None:
    Table({"ra": [0.0], "dec": [0.0], "b": [20.0], "err_a": [9.0], "err_b": [0.1]}).write(tmp_path / "t.fits")
    one = CatalogFormat(("x",), {"g": Column(("a", "b"), ("err_a", "err_b"))})
    assert one.read(tmp_path / "t.fits", "T").mags["g"][1].tolist() == [0.1]


def test_unusable_tables_are_said(tmp_path: Path) -> None:
    (tmp_path / "text.fits").write_text("no FITS")
    (tmp_path / "empty.cat").write_text("")
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    Table({"ra": [1.0], "dec": [1.0]}).write(tmp_path / "bare.fits")
    for name, expected in (
        ("text.fits", "cannot be read as a FITS table"),
        ("empty.cat", "names the columns"),
        ("image.fits", "no table in it"),
        ("bare.fits", "no magnitude"),
        ("absent.cat", "no such file"),
    ):
        with pytest.raises(DataError, match=expected) as caught:
            SIMPLE.read(tmp_path / name, "T")
        assert name in str(caught.value)
    with pytest.raises(DataError, match=r"text\.fits"):
        TractorFormat(("x",)).read(tmp_path / "text.fits", "T")


def test_tractor_shapes() -> None:
    # |e| = 1/3 is an axis ratio of 1/2; e2 > 0 alone is elongation 45° east of north.
    major, minor, angle = tractor_shape(np.array([2.0, 0.0]), np.array([0.0, 0.1]), np.array([1 / 3, 0.0]))
    assert (major[0], minor[0], angle[0]) == pytest.approx((2.0, 1.0, 45.0))
    assert np.isnan([major[1], minor[1], angle[1]]).all()


def test_older_tractor_tables_have_the_wider_of_two_shapes(tmp_path: Path) -> None:
    columns = {"RA": [0.0, 0.0], "DEC": [0.0, 0.0], "FLUX_G": [1.0, 1.0], "FLUX_IVAR_G": [100.0, 100.0]}
    for kind, radii in (("EXP", [1.0, 0.5]), ("DEV", [0.0, 3.0])):
        columns |= {f"SHAPE{kind}_R": radii, f"SHAPE{kind}_E1": [0.0, 0.0], f"SHAPE{kind}_E2": [0.0, 0.0]}
    Table(columns).write(tmp_path / "t.fits")
    assert TractorFormat(("x",)).read(tmp_path / "t.fits", "T").major.tolist() == [1.0, 3.0]


def test_spectroscopic_tables(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("ra,dec,z,source\n1,2,0.5,DESI\n1,2,,DESI\n")
    Table({"PLUG_RA": [1.0], "PLUG_DEC": [2.0], "Z": [0.5]}).write(tmp_path / "s.fits")
    for name in ("s.csv", "s.fits"):
        table = read_spec_z(tmp_path / name)
        assert table.z.tolist() == [0.5] and table.is_spectroscopic(0)


def test_best_redshifts_know_whether_they_are_spectroscopic(tmp_path: Path) -> None:
    (tmp_path / "z.csv").write_text("RA,DEC,z_best,z_best_type\n1,2,0.5,s\n1,2,0.6,p\n1,2,-99,p\n")
    table = RedshiftFormat(("x",), spec_type=("z_best_type", "s")).read(tmp_path / "z.csv")
    assert [(z, table.is_spectroscopic(i)) for i, z in enumerate(table.z)] == [(0.5, True), (0.6, False)]


def test_densities_are_read_row_by_row(tmp_path: Path) -> None:
    grid = np.linspace(0.0, 4.0, 401)
    peaks = [0.5, 1.5, 2.5]
    pdz = np.exp(-0.5 * ((grid[None, :] - np.array(peaks)[:, None]) / 0.1) ** 2) * 7.0
    table = Table({"RA": [1.0, 2.0, 3.0], "DEC": [0.0] * 3, "PHOTOZ": [0.5, np.nan, 2.5], "PDZ": pdz})
    table.write(tmp_path / "z.fits")
    found = RedshiftFormat(("x",), pdf="pdz").read(tmp_path / "z.fits")
    assert found.pdf is not None and len(found.z) == 2
    for row, peak in enumerate((0.5, 2.5)):  # the row without a redshift is left out of both
        assert grid[np.argmax(found.pdf[row])] == pytest.approx(peak)
        assert np.sum(found.pdf[row]) * 0.01 == pytest.approx(1.0, abs=1e-6)
    wrong = RedshiftFormat(("x",), pdf="pdz", grid=(0.0, 6.0, 0.01)).read(tmp_path / "z.fits")
    assert wrong.pdf is not None
    with pytest.raises(DataError, match="401 densities for 601 redshifts"):
        wrong.pdf[0]
    none = RedshiftFormat(("x",), pdf="other").read(tmp_path / "z.fits")
    assert none.pdf is not None
    with pytest.raises(DataError, match="no densities in column 'other'"):
        none.pdf[0]


def test_densities_by_identifier(tmp_path: Path) -> None:
    files = ObjectPdfs("*egs*ID{number:05d}*.pz*", "mfda4")
    names = ("pdf/egs_ID00021.pzd", "pdf/egs_ID00210.pzd", "pdf/uds_ID00021.pzd")
    assert files.find(names, "EGS-21") == ["pdf/egs_ID00021.pzd"]
    assert files.find(names, "no number") == [] == files.find(names, "3")
    (tmp_path / "one.pzd").write_text("# z mFDa4\n0.0 0.0\n1.0 2.0\n2.0 0.0\n")
    found = files.read([tmp_path / "one.pzd"], "21")
    assert found is not None and found[1].tolist() == [0.0, 1.0, 0.0]
    assert files.read([], "21") is None
    (tmp_path / "bad.fits").write_text("no FITS")
    with pytest.raises(DataError, match=r"bad\.fits"):
        PdfTables(("*",)).read([tmp_path / "bad.fits"], "21")


@pytest.mark.parametrize("fault", ["shape", "missing", "text"])
def test_broken_densities_by_position_are_said(tmp_path: Path, fault: str) -> None:
    import h5py

    path = tmp_path / "pdf_x.h5"
    if fault == "text":
        path.write_text("no HDF5")
    else:
        with h5py.File(path, "w") as file:
            file["ra"], file["dec"], file["z"] = [1.0], [2.0], [0.0, 1.0, 2.0]
            if fault == "shape":
                file["pdf"] = np.ones((1, 2))
    with pytest.raises(DataError, match=r"pdf_x\.h5"):
        read_photo_z_pdf(path)
