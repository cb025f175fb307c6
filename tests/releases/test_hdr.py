"""A release tree: units, lookups, and what happens where something is missing."""

from __future__ import annotations

import dataclasses
import pickle
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets.detection import DataError, Imaging
from elixer_widgets.imaging.registry import SURVEYS, Survey
from elixer_widgets.imaging.web import LegacyService
from elixer_widgets.releases import HdrRelease, detections, layout, open_release, pytables
from tests.releases import trees
from tests.releases.trees import APCOR, FIBERS_OF_FIRST, IDS, LINE, SHOTID, Tree, write_tree


def test_the_way_to_a_release(small: Tree) -> None:
    for path in (small.root, small.tree.path, small.tree.detect_file):
        release = open_release(path)
        assert isinstance(release, HdrRelease)
        assert release.name == "hdr5" and len(release) == 4
        assert release.detection(IDS[0]).shot.field == "cosmos"


def test_the_newest_of_several_releases(tmp_path: Path) -> None:
    for name in ("hdr2.1", "hdr10", "hdr3"):
        write_tree(tmp_path / "all", name, shots=False) if not (tmp_path / "all" / name).exists() else None
    assert open_release(tmp_path / "all").name == "hdr10"
    assert open_release(tmp_path / "all" / "hdr2.1").name == "hdr2.1"


def test_fluxes_are_halved_once(small: Tree) -> None:
    detection = open_release(small.root).detection(IDS[0])
    assert np.allclose(detection.spectrum.flux, small.flux[0] / 2, rtol=1e-6)
    assert np.allclose(detection.spectrum.error, small.error[0] / 2, rtol=1e-6)
    assert np.array_equal(detection.spectrum.wavelength, trees.GRID)
    assert np.allclose(detection.spectrum.aperture_correction, APCOR)
    assert not detection.spectrum.good[100] and detection.spectrum.good[101]
    assert detection.pipeline.continuum == pytest.approx(0.25)
    assert detection.pipeline.continuum_err == pytest.approx(0.05)
    # The line flux is integrated: a unit, but no sample width, in it.
    assert detection.pipeline.flux == pytest.approx(20e-17)
    assert detection.pipeline.flux_err == pytest.approx(2e-17)
    # VIRUS: 5.5 Å full width at half maximum.
    assert detection.spectrum.lsf_sigma == pytest.approx(5.5 / np.sqrt(8 * np.log(2)))


def test_line_shot_and_fibers(small: Tree) -> None:
    detection = open_release(small.root).detection(IDS[0])
    assert (detection.wavelength, detection.pipeline.sigma, detection.pipeline.sn) == (LINE, 2.5, 6.0)
    assert (detection.ra, detection.dec) == pytest.approx(trees.POSITIONS[0])
    shot = detection.shot
    assert (shot.shotid, shot.name, shot.fwhm) == (SHOTID, "20190105v012", 1.75)
    assert shot.dither_norm == pytest.approx(1.5) and shot.exposure_times == (360.0, 361.0, 362.0)
    assert np.isnan(shot.depth_g)
    assert [fiber.weight for fiber in detection.fibers] == pytest.approx([0.6, 0.3, 0.1])
    assert [(fiber.expnum, fiber.fibnum) for fiber in detection.fibers] == [(2, 31), (1, 30), (1, 1)]
    first = detection.fibers[0]
    assert (first.specid, first.ifuslot, first.ifuid, first.amp) == ("038", "047", "061", "LU")
    assert first.fiber_id == trees.fiber_id(2, 31) and first.timestamp == "20190105T010203.4"
    assert first.on_ifu_edge and first.ccd_number == 112 - 31 + 1
    assert first.chi2 == 1.25 and np.isnan(detection.fibers[1].chi2)


def test_a_continuum_source_has_no_line(small: Tree) -> None:
    detection = open_release(small.root).detection(IDS[3])
    assert np.isnan(detection.wavelength) and np.isnan(detection.pipeline.flux)
    assert detection.fibers == () and "Fibers" in detection.not_available["fibers"]
    assert "no fiber" in detection.fiber_images.reason


def test_index(small: Tree) -> None:
    index = open_release(small.root).index()
    assert index.detectid.dtype == np.int64 and tuple(index.detectid) == IDS
    assert index.wavelength[0] == LINE and np.isnan(index.wavelength[3])
    assert index.sn.tolist() == [6.0, 7.0, 8.0, 0.0]


def test_every_detection_with_and_without_indexes(small: Tree, bare: Tree) -> None:
    for release in (open_release(small.root), open_release(bare.root)):
        for number, detectid in enumerate(IDS):
            assert np.allclose(release.detection(detectid).spectrum.flux, small.flux[number] / 2, rtol=1e-6)


def test_an_index_that_points_to_the_wrong_row_is_not_believed(bare: Tree) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        pytables.write_index(file, "/Detections", "detectid")
        stored = file["/_i_Detections/detectid/indicesLR"]
        stored[0:2] = stored[0:2][::-1]
    release = open_release(bare.root)
    for number, detectid in enumerate(IDS):
        assert np.allclose(release.detection(detectid).spectrum.flux, bare.flux[number] / 2, rtol=1e-6)


def test_spectra_in_another_order_are_looked_up(bare: Tree) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        rows = file["Spectra"][:]
        del file["Spectra"]
        pytables.write_layout(file, "/Spectra", layout.DETECTION_SPECTRA, rows[[2, 0, 3, 1]])
    release = open_release(bare.root)
    for number, detectid in enumerate(IDS):
        assert np.allclose(release.detection(detectid).spectrum.flux, bare.flux[number] / 2, rtol=1e-6)


def test_a_missing_spectrum_is_an_error(bare: Tree) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        rows = file["Spectra"][:]
        del file["Spectra"]
        pytables.write_layout(file, "/Spectra", layout.DETECTION_SPECTRA, rows[1:])
    with pytest.raises(DataError, match=f"detection {IDS[0]} has no row in Spectra"):
        open_release(bare.root).detection(IDS[0])


def test_detect_index_is_used_only_if_it_is_of_these_files(small: Tree, bare: Tree) -> None:
    rows = layout.DETECT_INDEX.rows(5)
    rows["detectid"], rows["sn"], rows["survey"] = (*IDS, 17), 55.0, [b"hdr5"] * 4 + [b"hdr3"]
    with h5py.File(bare.tree.detect_index_file, "w") as file:
        pytables.write_layout(file, "/DetectIndex", layout.DETECT_INDEX, rows)
    index = open_release(bare.root).index()
    assert tuple(index.detectid) == IDS and index.sn.tolist() == [55.0] * 4
    with h5py.File(bare.tree.detect_index_file, "w") as file:
        pytables.write_layout(file, "/DetectIndex", layout.DETECT_INDEX, rows[:3])
    assert open_release(bare.root).index().sn.tolist() == [6.0, 7.0, 8.0, 0.0]


def test_unknown_numbers_name_their_neighbours(small: Tree) -> None:
    release = open_release(small.root)
    for unknown in (5000000008, -1, 10**30):
        with pytest.raises(DataError, match=f"detection {unknown} is not among the 4") as caught:
            release.detection(unknown)
        assert str(small.tree.path) in str(caught.value)
    with pytest.raises(DataError, match="nearest are 5000000003, 5000000007, 5000000012"):
        release.detection(5000000008)
    with pytest.raises(DataError, match="no detection number"):
        release.detection("first")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- searching


def test_search_across_the_meridian_and_at_the_pole(small: Tree) -> None:
    release = open_release(small.root)
    # 0.2 mdeg apart in RA across 0, 0.1 mdeg in Dec: 0.805 arcsec.
    assert release.search(0.0001, -0.00005, 0.9).tolist() == [IDS[1], IDS[2]]
    assert release.search(0.0001, -0.00005, 0.7).tolist() == [IDS[1]]
    assert release.search(360.0001, -0.00005, 0.9).tolist() == [IDS[1], IDS[2]]
    # On the other side of the pole, 1 mdeg away.
    assert release.search(30.0, 89.9995, 3.7).tolist() == [IDS[3]]
    assert release.search(30.0, 89.9995, 3.4).tolist() == []
    # Half a degree of RA at Dec 2 is not half a degree on the sky, but a box would do here; this is a true distance.
    assert release.search(150.0 + 10 / 3600 / np.cos(np.radians(2.0)), 2.0, 10.01).tolist() == [IDS[0]]
    assert release.search(150.0 + 10 / 3600 / np.cos(np.radians(2.0)), 2.0, 9.98).tolist() == []


@pytest.mark.parametrize(("ra", "dec", "radius"), [(0, 91, 1), (np.nan, 0, 1), (0, 0, -1), (0, 0, np.inf)])
def test_impossible_searches(small: Tree, ra: float, dec: float, radius: float) -> None:
    with pytest.raises(DataError, match="search"):
        open_release(small.root).search(ra, dec, radius)


# -------------------------------------------------------------------------------------- other releases


def test_hdr2_columns(bare: Tree) -> None:
    """HDR2.1: detectname, and neither apcor, the alternative noises nor spec1d_ffsky."""
    gone = {"apcor", "flux_noise_1sigma", "sn_3fib", "sn_3fib_cen", "sn_cen", "mc_file", "mc_file_idx"}
    with h5py.File(bare.tree.detect_file, "a") as file:
        for name, drop, add in (("Detections", gone, [("detectname", "S40")]), ("Spectra", {"spec1d_ffsky"}, [])):
            rows = file[name][:]
            kept = [(column, rows.dtype[column]) for column in rows.dtype.names if column not in drop]
            new = np.zeros(rows.size, np.dtype([*kept, *add]))
            for column, _ in kept:
                new[column] = rows[column]
            del file[name]
            pytables.create_table(file, name, new.dtype, new)
    detection = open_release(bare.root).detection(IDS[0])
    assert detection.pipeline.sn == 6.0 and np.allclose(detection.spectrum.aperture_correction, APCOR)


def test_wavelength_correction_is_applied_where_the_release_carries_it(bare: Tree) -> None:
    plain = open_release(bare.root).detection(IDS[0])
    assert any("no wavelength correction" in note for note in plain.notes)
    factor = np.linspace(0.911, 1.1, 1036)
    np.savetxt(bare.tree.path / "detect" / "wdcor.txt", factor)
    detection = open_release(bare.root).detection(IDS[0])
    assert np.allclose(detection.spectrum.flux, bare.flux[0] / 2 / factor, rtol=1e-5)
    assert np.allclose(detection.spectrum.error, bare.error[0] / 2 / factor, rtol=1e-5)
    at_line = factor[(4500 - 3470) // 2]
    assert detection.pipeline.flux == pytest.approx(20e-17 / at_line)
    assert detection.pipeline.continuum_err == pytest.approx(0.05 / at_line)
    assert detection.pipeline.sn == 6.0
    assert any("wavelength correction" in note for note in detection.notes)
    (bare.tree.path / "detect" / "wdcor.txt").write_text("1.0\n2.0\n")
    with pytest.raises(DataError, match="1036 positive factors"):
        open_release(bare.root)


def test_edge_noise_of_hdr3_only(tmp_path: Path) -> None:
    """Noise x 1.07 where the brightest fiber is 101 to 112 of LU or RL; only in HDR3."""
    found = {}
    for name in ("hdr3", "hdr4"):
        made = write_tree(tmp_path / name, name, shots=False)
        with h5py.File(made.tree.detect_file, "a") as file:
            rows = file["Detections"][:]
            rows["fibnum"] = [101, 100, 12, 112]
            file["Detections"][:] = rows
        release = open_release(made.root)
        found[name] = [release.detection(detectid).pipeline.sn for detectid in IDS[:3]]
    assert found["hdr4"] == [6.0, 7.0, 8.0]
    assert found["hdr3"] == pytest.approx([6.0 / 1.07, 7.0, 8.0])


def test_lines_and_continuum_files_side_by_side(small: Tree, tmp_path: Path) -> None:
    """Public releases keep several detection files in one directory; a number is looked for in all."""
    made = write_tree(tmp_path / "r", "pdr1", shots=False)
    first = made.tree.detect_file.rename(made.tree.detect_file.with_name("detect_hdr3.h5"))
    with h5py.File(first) as old, h5py.File(first.with_name("cont_hdr5.h5"), "w") as new:
        for name in ("Detections", "Fibers", "Spectra"):
            rows = old[name][:]
            rows["detectid"] += 90_000_000
            pytables.create_table(new, name, rows.dtype, rows)
    release = open_release(made.root)
    assert len(release) == 8 and release.index().detectid.size == 8
    assert release.detection(IDS[0]).release == "hdr3"
    assert release.detection(IDS[0] + 90_000_000).release == "hdr5"


# --------------------------------------------------------------------------------------- what is missing


def test_nothing_beside_the_detection_file(bare: Tree) -> None:
    (bare.tree.survey_file).unlink()
    detection = open_release(bare.root).detection(IDS[0])
    assert detection.shot.shotid == SHOTID and "20190105v012" in detection.not_available["shot"]
    assert "no shot file 20190105v012.h5" in detection.fiber_images.reason
    assert detection.fiber_spectra == (None, None, None)
    assert isinstance(detection.imaging, Imaging) and "no imaging directory" in detection.imaging.notes[0]
    assert "no imaging directory" in detection.not_available["imaging"]


def test_the_shot_file_stands_in_for_the_survey_file(tmp_path: Path) -> None:
    made = write_tree(tmp_path / "r")
    made.tree.survey_file.unlink()
    detection = open_release(made.root).detection(IDS[0])
    assert detection.shot.field == "cosmos" and "shot" not in detection.not_available


def test_no_fiber_table(bare: Tree) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        del file["Fibers"]
    detection = open_release(bare.root).detection(IDS[0])
    assert detection.fibers == () and "no table Fibers" in detection.not_available["fibers"]


def test_weights_that_say_nothing(bare: Tree) -> None:
    with h5py.File(bare.tree.detect_file, "a") as file:
        rows = file["Fibers"][:]
        rows["weight"] = np.nan
        file["Fibers"][:] = rows
    detection = open_release(bare.root).detection(IDS[0])
    assert len(detection.fibers) == len(FIBERS_OF_FIRST)
    assert all(np.isnan(fiber.weight) for fiber in detection.fibers)


# -------------------------------------------------------------------------------------- travelling


def test_pickling_leaves_lists_behind(small: Tree) -> None:
    release = open_release(small.root)
    release.index()
    detection = release.detection(IDS[0])
    again = pickle.loads(pickle.dumps(detection))
    assert np.array_equal(again.spectrum.flux, detection.spectrum.flux)
    assert len(again.fiber_images.cutouts) == 3
    assert pickle.loads(pickle.dumps(release)).detectids().tolist() == list(IDS)
    assert len(pickle.dumps(release)) < 5000


def test_no_file_stays_open(small: Tree) -> None:
    release = open_release(small.root)
    release.detection(IDS[0]).fiber_images  # noqa: B018
    opened = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    assert opened == 0


def test_no_truth_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of truths beside the release must not be touched: were it opened, its contents would raise."""
    made = write_tree(tmp_path / "r", shots=False)
    for place in (made.root, made.tree.path, made.tree.detect_file.parent, made.tree.survey_file.parent):
        for name in ("truth.h5", "truth.csv", "truth.ecsv", "truth_hdr5.h5"):
            (place / name).write_text("not to be read")
    opened: list[str] = []
    original = detections.open_h5
    for module in ("detections", "hdr", "shots", "spectrum_formats"):
        monkeypatch.setattr(
            f"elixer_widgets.releases.{module}.open_h5", lambda path: opened.append(str(path)) or original(path)
        )
    release = open_release(made.root)
    release.index()
    for detectid in IDS:
        detection = release.detection(detectid)
        _ = detection.fiber_images, detection.fiber_spectra
    assert opened and not [path for path in opened if "truth" in Path(path).name]


def test_the_web_is_asked_where_there_is_no_imaging_folder(bare: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    # A port of this computer that nothing listens on: refused at once, as without a network
    monkeypatch.setenv("ELIXER_WIDGETS_WEB", "1")
    monkeypatch.setattr("elixer_widgets.imaging.surveys.SURVEYS", (_nowhere(),))
    detection = open_release(bare.root).detection(IDS[0])
    start = time.monotonic()
    imaging = detection.imaging
    assert time.monotonic() - start < 2.0
    assert imaging.cutouts == () and "no imaging directory" in imaging.notes[0]
    assert any("not reachable" in note for note in imaging.notes)


def _nowhere() -> Survey:
    (decals,) = [survey for survey in SURVEYS if survey.name == "DECaLS"]
    return dataclasses.replace(decals, web=LegacyService("http://127.0.0.1:9"))
