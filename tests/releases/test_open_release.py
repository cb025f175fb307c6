"""What lies on disk decides the reader; what is wrong is said in one sentence with file and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elixer_widgets.detection import DataError
from elixer_widgets.releases import HdrRelease, layout, open_release, pytables
from elixer_widgets.releases.positions import within
from tests.releases.trees import IDS, Tree


def _one_sentence(error: pytest.ExceptionInfo[DataError], *words: str) -> None:
    message = str(error.value)
    assert "\n" not in message and len(message) < 400
    for word in words:
        assert word in message, message


def test_wrong_path(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        open_release(tmp_path / "no" / "such" / "hdr5")
    _one_sentence(error, str(tmp_path / "no" / "such" / "hdr5"), "check the path", f"only {tmp_path} exists")


def test_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        open_release(tmp_path)
    _one_sentence(error, str(tmp_path), "empty")


def test_directory_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    with pytest.raises(DataError) as error:
        open_release(tmp_path)
    _one_sentence(error, "neither a release")


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_truncated_detection_file(bare: Tree, part: float) -> None:
    path = bare.tree.detect_file
    os.truncate(path, int(path.stat().st_size * part))
    for given_path in (path, bare.root):
        with pytest.raises(DataError) as error:
            open_release(given_path)
        _one_sentence(error, str(path), "truncated", "copy it again")


def test_a_file_that_only_ends_in_h5(tmp_path: Path) -> None:
    (tmp_path / "detect.h5").write_text("<html>404</html>")
    with pytest.raises(DataError) as error:
        open_release(tmp_path / "detect.h5")
    _one_sentence(error, "does not begin like an HDF5 file")


@pytest.mark.parametrize("table", ["Detections", "Spectra"])
def test_missing_table(bare: Tree, table: str) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        del file[table]
    with pytest.raises(DataError) as error:
        open_release(bare.root)
    _one_sentence(error, str(bare.tree.detect_file), f"no table /{table}")


@pytest.mark.parametrize(("table", "column"), [("Detections", "wave"), ("Spectra", "spec1d_err")])
def test_missing_column(bare: Tree, table: str, column: str) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        kind = file[table].dtype
        del file[table]
        file[table] = np.zeros(1, np.dtype([(name, kind[name]) for name in kind.names if name != column]))
    with pytest.raises(DataError) as error:
        open_release(bare.root)
    _one_sentence(error, str(bare.tree.detect_file), f"/{table} lacks the column {column}")


def test_an_elixer_catalogue(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x_cat.h5", "w") as file:
        for table in ("Version", "Detections", "CalibratedSpectra", "SpectraLines"):
            known = layout.catalog_layout(table)
            pytables.write_layout(file, f"/{table}", known, known.rows(1))
    with pytest.raises(DataError) as error:
        open_release(tmp_path / "x_cat.h5")
    _one_sentence(error, "x_cat.h5", "an ELiXer catalogue", "give the directory of a release")


def test_a_flux_limit_cube(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        file["virus_20181203v013/ifuslot_063"] = np.zeros((10, 7, 7), np.float32)
    with pytest.raises(DataError) as error:
        open_release(tmp_path / "cube.h5")
    _one_sentence(error, "cube.h5", "flux limits")


def test_files_of_the_release_that_are_no_detection_files(small: Tree) -> None:
    for path, kind in (
        (small.tree.survey_file, "list of observations"),
        (small.tree.shot_file(20190105012), "file of one shot"),
    ):
        with pytest.raises(DataError) as error:
            open_release(path)
        _one_sentence(error, str(path), kind)


def test_any_other_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(DataError) as error:
        open_release(tmp_path / "other.h5")
    _one_sentence(error, "other.h5", "no group with wave and flux")


def test_home_and_text_paths(small: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(small.root))
    assert isinstance(open_release("~/hdr5"), HdrRelease)
    assert isinstance(open_release(str(small.root)), HdrRelease)


# ---------------------------------------------------------------------------------------- positions


@settings(max_examples=200)
@given(
    st.floats(0, 360),
    st.floats(-90, 90),
    st.floats(0, 360),
    st.floats(0.001, 20),
)
def test_true_distances_everywhere(ra: float, dec: float, angle: float, radius: float) -> None:
    """A point put at a known distance and position angle is found just within that distance."""
    a, d, t, r = np.radians([ra, dec, angle, radius / 3600])
    here = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    north = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    east = np.array([-np.sin(a), np.cos(a), 0.0])
    x, y, z = np.cos(r) * here + np.sin(r) * (np.cos(t) * north + np.sin(t) * east)
    ras = np.array([np.degrees(np.arctan2(y, x)) % 360, np.nan])
    decs = np.array([np.degrees(np.arctan2(z, np.hypot(x, y))), 0.0])
    # Degrees near 360 are good to 6e-14: 2e-10 arcsec, and the square root at tiny angles costs more.
    assert within(ra, dec, radius + 1e-6, ras, decs).tolist() == [0]
    assert within(ra, dec, max(radius - 1e-6, 0.0), ras, decs).tolist() == []


# ------------------------------------------------------------------------------------- damaged bytes


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_are_reported_or_harmless(bare: Tree, seed: int) -> None:
    """Bytes changed at random, many of them in the records of HDF5 itself: a DataError or a reading, no other end."""
    random = np.random.default_rng(seed)
    path = bare.tree.detect_file
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    reported = 0
    for _ in range(25):
        damaged = whole.copy()
        places = np.concatenate((random.integers(0, 6000, 8), random.choice(np.flatnonzero(whole), 8)))
        damaged[places] = random.integers(0, 256, places.size)
        path.write_bytes(damaged.tobytes())
        try:
            release = open_release(bare.root)
            release.index()
            for detectid in IDS:
                release.detection(detectid)
        except DataError as error:
            reported += 1
            assert str(path) in str(error)
    assert reported > 0


# -------------------------------------------------------------------------------------- the simulation


def test_simulated_release(simulated: Path, tmp_path: Path) -> None:
    """The simulation writes the real layout: the same reader opens it, and finds everything without the truth."""
    hidden = 0
    for child in simulated.iterdir():
        if "truth" in child.name:
            (tmp_path / child.name).mkdir()  # whoever opens it as a file fails
            hidden += 1
        else:
            (tmp_path / child.name).symlink_to(child)
    assert hidden > 0
    release = open_release(tmp_path)
    assert isinstance(release, HdrRelease) and len(release) >= 24
    grid = layout.wavelength_grid()
    for detectid in release.detectids()[:6]:
        detection = release.detection(detectid)
        assert np.array_equal(detection.spectrum.wavelength, grid)
        assert detection.fibers and detection.spectrum.has_error and "shot" not in detection.not_available
        assert sum(fiber.weight for fiber in detection.fibers) == pytest.approx(1.0)
        assert detectid in release.search(detection.ra, detection.dec, 0.5)
        images = detection.fiber_images
        assert images.reason == "" and len(images.cutouts) == len(detection.fibers)
        assert images.cutouts[0].pixel_flat is not None and images.ccd is not None
        assert np.abs(images.cutouts[0].wavelength[24] - detection.wavelength) < 1.1  # half a pixel
        assert all(spectrum is not None for spectrum in detection.fiber_spectra)
        assert detection.imaging.cutouts or detection.imaging.notes


def test_pytables_reads_the_simulated_detection_file(simulated: Path) -> None:
    tables = pytest.importorskip("tables")
    release = open_release(simulated)
    assert isinstance(release, HdrRelease)
    with tables.open_file(release.tree.detect_file) as file:
        for detectid in release.detectids()[:3]:
            asked = {"key": int(detectid)}
            assert file.root.Detections.will_query_use_indexing("detectid == key", asked)
            row = file.root.Spectra.read_where("detectid == key", asked)
            spectrum = release.detection(detectid).spectrum
            assert np.allclose(row["spec1d"][0] / 2, spectrum.flux, rtol=1e-6)
