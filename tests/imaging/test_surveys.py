"""The survey library on a small imaging folder in the survey's own layouts."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from scipy.integrate import trapezoid

from elixer_widgets.catalogs import CatalogLibrary
from elixer_widgets.detection import DataError
from elixer_widgets.imaging import find_matches, grow_aperture, open_library
from tests.imaging.sky import DEC, RA, imaging_folder, source_positions, write_image


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imaging_folder(tmp_path_factory.mktemp("release"))


def test_every_band_is_found_deepest_first(root: Path) -> None:
    imaging = open_library(root).imaging(RA, DEC)
    assert [(c.survey, c.band) for c in imaging.cutouts] == [
        ("CFHTLS", "u"),
        ("CFHTLS", "g"),
        ("DECaLS", "g"),
        ("HSC-DEX", "r"),
        ("CFHTLS", "r"),
        ("DECaLS", "r"),
        ("CFHTLS", "i"),
        ("CFHTLS", "z"),
        ("DECaLS", "z"),
    ]
    assert imaging.notes == ()


def test_magnitudes_agree_with_truth_in_every_survey(root: Path) -> None:
    ra, dec, mag, _ = source_positions()[0]
    for cutout in open_library(root).imaging(ra, dec).cutouts:
        growth = grow_aperture(cutout, ra, dec)
        assert growth.aperture_mag == pytest.approx(mag, abs=max(3 * growth.aperture_mag_err, 0.02)), cutout.survey


def test_objects_carry_magnitudes_shapes_and_redshifts(root: Path) -> None:
    imaging = open_library(root).imaging(RA, DEC, radius=10.0)
    first = {o.catalog: o for o in imaging.objects[:3]}
    assert set(first) == {"HSC-DEX", "CFHTLS", "DECaLS"}
    for target in first.values():
        assert target.spec_z == 0.40
        assert target.photo_z == pytest.approx(0.43)  # the published best value, not the median of the PDF
        assert target.photo_z_pdf is not None
        grid, pdf = target.photo_z_pdf
        assert grid[np.argmax(pdf)] == pytest.approx(0.40, abs=0.006)
        assert trapezoid(pdf, grid) == pytest.approx(1.0, abs=1e-3)
    assert [m.band for m in first["CFHTLS"].magnitudes] == ["r", "g", "i", "u", "z"]
    assert np.isnan(first["DECaLS"].major)  # a point source has no shape


def test_tractor_limits_shapes_and_unobserved_bands(root: Path) -> None:
    imaging = open_library(root).imaging(RA, DEC, radius=10.0)
    second = next(o for o in imaging.objects if o.catalog == "DECaLS" and o.identifier == "1")
    bands = {m.band: m for m in second.magnitudes}
    assert bands["g"].value == pytest.approx(23.5)
    assert bands["r"].is_limit and bands["r"].value == pytest.approx(22.5 - 2.5 * np.log10(2 / 40))
    assert "z" not in bands  # inverse variance 0: not observed
    # |e| = 1/3: axis ratio 1/2; e1 < 0 is elongation east-west.
    assert (second.major, second.minor, second.position_angle) == pytest.approx((1.0, 0.5, 90.0))


def test_only_objects_within_the_radius(root: Path) -> None:
    library = open_library(root)
    assert {o.identifier for o in library.imaging(RA, DEC, radius=10.0).objects} == {"0", "1"}
    assert {o.identifier for o in library.imaging(RA, DEC, radius=30.0).objects} == {"0", "1", "2"}


def test_matches_from_the_library(root: Path) -> None:
    ra, dec, *_ = source_positions()[0]
    matches = find_matches(open_library(root).imaging(ra, dec), ra, dec)
    assert matches and all(m.separation < 0.01 for m in matches)


def test_a_wide_galaxy_is_found_wherever_its_centre_lies(tmp_path: Path) -> None:
    root = imaging_folder(tmp_path)
    catalog = next(root.rglob("R_P3,4.cat"))
    # 25" to the north, 15" by 4": one points at the position, the other past it.
    rows = [f"{name} {RA:.7f} {DEC + 25 / 3600:.7f} 15.0 0.02 15.0 4.0 {angle}" for name, angle in ((8, 0), (9, 90))]
    catalog.write_text(catalog.read_text() + "\n".join(rows) + "\n")
    library = open_library(root)
    far = [o for o in library.imaging(RA, DEC, radius=10.0).objects if o.identifier in ("8", "9")]
    assert len(far) == 1 and far[0].position_angle % 180 == pytest.approx(0.0)
    match = next(m for m in find_matches(library.imaging(RA, DEC), RA, DEC) if m.object.major == 15.0)
    assert match.separation == pytest.approx(25.0, abs=1e-3)
    # The catalogs interface keeps to the radius it was asked for.
    (listed,) = CatalogLibrary(path=root).get_catalog_objects((RA, DEC), 10.0, ["HSC-DEX"])
    assert listed["dataframe"]["distance"].max() <= 10.0


def test_outside_all_surveys(root: Path) -> None:
    imaging = open_library(root).imaging(RA + 1.0, DEC)
    assert imaging.cutouts == () and imaging.objects == ()
    assert imaging.notes == ("no image on disk covers this position",)


def test_opposite_side_of_the_sky_is_not_covered(root: Path) -> None:
    # The tangent projection maps antipodes onto the same pixels.
    assert open_library(root).imaging(RA - 180.0, -DEC).cutouts == ()


def test_broken_files_are_notes(tmp_path: Path) -> None:
    root = imaging_folder(tmp_path)
    image = root / "imaging" / "cfhtls" / "CFHTLS_W_g_W3-1-2_MEDIAN.fits"
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 3])
    (root / "imaging" / "cfhtls" / "CFHTLS_W_i_W3-1-2_MEDIAN.fits").write_text("not a FITS file")
    (root / "imaging" / "decals" / "tractor-2145p522.fits").write_text("nor this")
    (root / "imaging" / "photz" / "pdf_cfhtls.h5").write_text("nor this")
    imaging = open_library(root).imaging(RA, DEC)
    assert {c.band for c in imaging.cutouts if c.survey == "CFHTLS"} == {"u", "r", "z"}
    assert "DECaLS" not in {o.catalog for o in imaging.objects}
    text = " ".join(imaging.notes)
    assert all(name in text for name in ("CFHTLS_W_g", "CFHTLS_W_i", "tractor-2145p522", "pdf_cfhtls"))


def test_a_library_travels_to_a_worker(root: Path) -> None:
    library = open_library(root)
    library.imaging(RA, DEC)
    again = pickle.loads(pickle.dumps(library))
    assert len(again.imaging(RA, DEC).cutouts) == 9


def test_bands_read_together_are_those_read_alone(root: Path) -> None:
    library = open_library(root)
    together = library.imaging(RA, DEC, size=9.0).cutouts
    assert len(together) == 9
    for cutout in together:
        (survey,) = [survey for survey in library.surveys if survey.name == cutout.survey]
        (alone,) = [one for one in library.cutouts(survey, RA, DEC, 9.0, []) if one.band == cutout.band]
        np.testing.assert_array_equal(alone.data, cutout.data)
        assert alone.sky(3.0, 4.0) == cutout.sky(3.0, 4.0)


def test_threads_may_share_a_library(root: Path) -> None:
    library = open_library(root)
    places = [(RA + dx / 3600, DEC + dy / 3600) for dx in (-4, 0, 4) for dy in (-4, 0, 4)]
    alone = [open_library(root).imaging(*place, size=6.0) for place in places]
    with ThreadPoolExecutor(max_workers=6) as pool:
        shared = list(pool.map(lambda place: library.imaging(*place, size=6.0), places))
    for one, other in zip(alone, shared, strict=True):
        assert one.notes == other.notes and len(one.objects) == len(other.objects)
        for a, b in zip(one.cutouts, other.cutouts, strict=True):
            np.testing.assert_array_equal(a.data, b.data)


def test_another_image_stands_in_for_one_that_is_blank_or_broken(tmp_path: Path) -> None:
    root = imaging_folder(tmp_path)
    folder = root / "imaging" / "cfhtls"
    good = folder / "CFHTLS_W_r_W3-1-2_MEDIAN.fits"
    other = folder / "CFHTLS_W_r_W3-1-3_MEDIAN.fits"
    write_image(other, np.zeros((500, 500)), 0.186)  # wider, so it comes first
    broken = write_image(folder / "CFHTLS_W_r_W3-1-4_MEDIAN.fits", np.ones((600, 600)), 0.186)
    broken.write_bytes(broken.read_bytes()[:30_000])
    imaging = open_library(root).imaging(RA, DEC)
    (cutout,) = [c for c in imaging.cutouts if (c.survey, c.band) == ("CFHTLS", "r")]
    assert cutout.path == str(good)
    text = " ".join(imaging.notes)
    assert f"blank: no data here in {other.name}" in text and f"{broken.name}: rows" in text


def test_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_library(tmp_path / "nowhere")
    assert open_library(tmp_path).imaging(RA, DEC).cutouts == ()
    with pytest.raises(DataError, match="not a position"):
        open_library(tmp_path).imaging(float("nan"), DEC)


def test_imaging_shared_beside_releases(tmp_path: Path) -> None:
    imaging_folder(tmp_path)
    (tmp_path / "hdr5" / "survey").mkdir(parents=True)
    for path in (tmp_path, tmp_path / "imaging", tmp_path / "hdr5"):
        assert open_library(path).root.resolve() == (tmp_path / "imaging").resolve()


def test_simulated_release_is_measured_as_it_was_made(simulated: Path) -> None:
    library = open_library(simulated)
    seen = 0
    for row in Table.read(simulated / "truth.ecsv"):
        ra, dec = float(row["ra"]), float(row["dec"])
        imaging = library.imaging(ra, dec)
        if row["survey"] == "none":
            assert imaging.cutouts == () and imaging.notes
            continue
        assert imaging.cutouts and imaging.notes == ()
        for cutout in imaging.cutouts:
            truth = float(row[f"mag_{cutout.band}"]) if cutout.band in "gr" else np.nan
            growth = grow_aperture(cutout, ra, dec)
            if not np.isfinite(truth) or "another source" in growth.note:
                continue
            if truth > growth.limit + 1.0:
                assert growth.counts < 5 * growth.counts_err
            elif truth < growth.limit - 1.0:
                # Neighbours on a crowded field may add light: the lower side is wider.
                assert -0.5 - 3 * growth.mag_err < growth.total_mag - truth < 0.25 + 3 * growth.mag_err
                seen += 1
    assert seen >= 5
