"""The release on disk: the real layout, known truth, and an honest way of being made."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from elixer_widgets.classification.posterior import IDENTITIES
from elixer_widgets.detection import DataError
from elixer_widgets.releases.layout import FLIPPED_FLATS
from elixer_widgets.simulation import simulate_release, sky
from elixer_widgets.simulation.placement import PER_AMPLIFIER, disk_space, plans_for

ARCSEC = 3600.0


@pytest.fixture(scope="module")
def truth(simulated: Path) -> Table:
    return Table.read(simulated / "truth.ecsv")


@pytest.fixture(scope="module")
def detections(simulated: Path) -> np.ndarray:
    with h5py.File(simulated / "hdr5/detect/detect_hdr5.h5") as file:
        return file["Detections"][:]


@pytest.fixture(scope="module")
def detection_fibers(simulated: Path) -> np.ndarray:
    with h5py.File(simulated / "hdr5/detect/detect_hdr5.h5") as file:
        return file["Fibers"][:]


@pytest.fixture(scope="module")
def spectra(simulated: Path) -> np.ndarray:
    with h5py.File(simulated / "hdr5/detect/detect_hdr5.h5") as file:
        return file["Spectra"][:]


def _shot(simulated: Path, shotid: int) -> Path:
    return simulated / f"hdr5/reduction/data/{str(shotid)[:8]}v{str(shotid)[8:]}.h5"


# --------------------------------------------------------------------------------------------------- the layout

_TABLES = {
    "detect/detect_hdr5.h5:/Detections": "detect_file:Detections",
    "detect/detect_hdr5.h5:/Spectra": "detect_file:Spectra",
    "detect/detect_hdr5.h5:/Fibers": "detect_file:Fibers",
    "survey/detect_index_hdr5.h5:/DetectIndex": "detect_index_file:Detections",
    "survey/fiber_index_hdr5.h5:/FiberIndex": "fiber_index_file:VIRUSFiberIndex",
    "survey/survey_hdr5.h5:/Survey": "shot_file:VIRUSShot",
    "SHOT:/Data/Fibers": "shot_file:VIRUSFiber",
    "SHOT:/Data/Images": "shot_file:VIRUSImage",
    "SHOT:/Data/FiberIndex": "shot_file:VIRUSFiberIndex",
    "SHOT:/Shot": "shot_file:VIRUSShot",
    "SHOT:/Astrometry/QA": "shot_file/Astrometry:QualityAssessment",
    "SHOT:/Astrometry/NominalVals": "shot_file/Astrometry:NominalVals",
    "SHOT:/Astrometry/StarCatalog": "shot_file/Astrometry:StarCatalog",
    "SHOT:/Astrometry/Dithall/exp01": "shot_file/Astrometry:Dithall",
}


@pytest.mark.parametrize("place", _TABLES)
def test_columns_are_those_of_the_schema(simulated: Path, shared: Path, truth: Table, place: str) -> None:
    schema = json.loads((shared / "spec/data_model_schema.json").read_text())[_TABLES[place]]
    file_name, table = place.split(":")
    path = _shot(simulated, truth["shotid"][0]) if file_name == "SHOT" else simulated / "hdr5" / file_name
    with h5py.File(path) as file:
        dtype = file[table].dtype
        assert file[table].chunks is not None and file[table].compression is None
    assert dtype.itemsize == schema["rowsize"]
    found = [(name, dtype[name].base.str, list(dtype[name].shape)) for name in dtype.names]
    assert found == [(column["name"], column["dtype"], column["shape"]) for column in schema["columns"]]


def test_pytables_opens_the_files_and_uses_the_indexes(simulated: Path, truth: Table) -> None:
    tables = pytest.importorskip("tables")
    wanted = int(truth["detectid"][5])
    with tables.open_file(simulated / "hdr5/detect/detect_hdr5.h5") as file:
        for table in (file.root.Detections, file.root.Fibers, file.root.Spectra):
            assert table.will_query_use_indexing(f"detectid == {wanted}") == {"detectid"}
            assert table.cols.detectid.index.is_csi
            rows = table.read_where(f"detectid == {wanted}")
            assert rows.size >= 1 and (rows["detectid"] == wanted).all()
    with tables.open_file(_shot(simulated, truth["shotid"][0])) as file:
        name = file.root.Data.Images.cols.multiframe[0].decode()
        assert file.root.Data.Images.will_query_use_indexing(f"multiframe == b'{name}'") == {"multiframe"}
        assert file.root.Data.FiberIndex.read_where(f"multiframe == b'{name}'").size == 336


def test_one_image_is_one_chunk(simulated: Path, truth: Table) -> None:
    for shotid in set(truth["shotid"]):
        with h5py.File(_shot(simulated, shotid)) as file:
            assert file["Data/Images"].chunks == (1,)
            assert file["Data/Images"].shape[0] % 3 == 0
            assert file["Data/Fibers"].shape[0] == 112 * file["Data/Images"].shape[0]


def test_rows_of_detections_and_spectra_align(detections: np.ndarray, spectra: np.ndarray) -> None:
    np.testing.assert_array_equal(detections["detectid"], spectra["detectid"])


def test_fibers_of_a_detection_are_contiguous_and_their_names_agree(
    detections: np.ndarray, detection_fibers: np.ndarray
) -> None:
    ids = detection_fibers["detectid"]
    assert (np.diff(np.flatnonzero(np.diff(ids))) > 3).all()
    assert list(dict.fromkeys(ids.tolist())) == detections["detectid"].tolist()
    for row in detection_fibers[::7]:
        name = row["fiber_id"].decode()
        assert len(name) == 38
        assert name[14:34] == row["multiframe"].decode() and int(name[35:38]) == row["fibnum"]
        assert int(name[12]) == row["expnum"] and name[:8] == str(row["date"])
        assert row["multiframe"].decode()[18:] == row["amp"].decode()


def test_detection_fibers_are_fibers_of_the_shot(
    simulated: Path, detections: np.ndarray, detection_fibers: np.ndarray
) -> None:
    shotid = int(detections["shotid"][0])
    mine = detection_fibers[
        np.isin(detection_fibers["detectid"], detections["detectid"][detections["shotid"] == shotid])
    ]
    with h5py.File(_shot(simulated, shotid)) as file:
        names = file["Data/FiberIndex"]["fiber_id"]
        stored = file["Data/Fibers"].fields(["fiber_id", "ra"])[:]
    assert np.isin(mine["fiber_id"], names).all()
    np.testing.assert_array_equal(names, stored["fiber_id"])


def test_pixel_flats_are_stored_turned_for_two_amplifiers(
    simulated: Path, truth: Table, detections: np.ndarray
) -> None:
    """The trap's column is dark in the flat only after the turn that readers make."""
    trap = int(np.flatnonzero(truth["kind"] == "chargetrap")[0])
    row = detections[trap]
    amp, specid = row["amp"].decode(), row["specid"].decode()
    flat = fits.getdata(simulated / f"lib_calib/lib_pflat/pixelflat_cam{specid}_{amp}.fits")
    if amp in FLIPPED_FLATS:
        flat = flat[::-1, ::-1]
    y, x = int(row["y_raw"]), int(row["x_raw"])
    window = flat[max(y - 5, 0) : y + 6, max(x - 3, 0) : x + 4]
    assert np.median(window, axis=0).min() < 0.75


# ---------------------------------------------------------------------------------------------------- the truth


def test_numbers_of_each_kind_are_as_documented(truth: Table) -> None:
    assert Counter(truth["kind"].tolist()) == Counter({k: c for k, c in sky.mixture(24).items() if c})
    assert set(truth["identity"]) <= set(IDENTITIES)
    assert set(truth["survey"]) == {"hsc", "cfhtls", "decals", "none"}


def test_detections_lie_near_the_truth(truth: Table, detections: np.ndarray) -> None:
    cosine = np.cos(np.radians(truth["dec"]))
    offset = np.hypot((detections["ra"] - truth["ra"]) * cosine, detections["dec"] - truth["dec"]) * ARCSEC
    assert 0.05 < np.median(offset) < 0.6
    assert offset.max() < 2.0
    line = truth["flux"] > 0
    narrow = line & (truth["sigma"] < 6.0)
    assert np.abs(detections["wave"] - truth["wave"])[narrow].max() < 6.0
    assert np.median(np.abs(detections["wave"] - truth["wave"])[narrow]) < 1.5


def test_line_flux_in_the_spectrum_is_the_true_one_on_average(truth: Table, spectra: np.ndarray) -> None:
    """Sum over the line less the continuum beside it, against the caught share of the true flux."""
    pulls = []
    for row, spectrum in zip(truth, spectra, strict=True):
        if row["kind"] not in ("LAE", "OII", "OIII"):
            continue
        wave, flux, error = (spectrum[name].astype(float) for name in ("wave1d", "spec1d", "spec1d_err"))
        away = np.abs(wave - row["wave"])
        line = away < 3.2 * row["sigma"]
        beside = (away < 45.0) & (away > 5 * row["sigma"]) & (error > 0)
        base = np.polyfit(wave[beside] - row["wave"], flux[beside], 1, w=1 / error[beside])
        total = (flux[line] - np.polyval(base, wave[line] - row["wave"])).sum()
        variance = (error[line] ** 2).sum() * (1 + line.sum() / beside.sum())
        pulls.append((total - row["flux"] * 1e17 * row["captured"]) / np.sqrt(variance))
    count = len(pulls)
    assert count >= 14
    # The position is where the light, noise and all, is brightest: that makes fluxes a little too high.
    assert np.mean(pulls) == pytest.approx(0.3, abs=0.3 + 4 / np.sqrt(count))
    assert 0.5 < np.std(pulls) < 1.7


def test_continuum_is_the_true_one(truth: Table, spectra: np.ndarray) -> None:
    """Per 2 Å sample, so twice the flux density; stars and other points, whose light is all caught."""
    checked = 0
    for row, spectrum in zip(truth, spectra, strict=True):
        if row["kind"].startswith("AGN") or row["kind"] == "whitedwarf":
            window = (spectrum["wave1d"] > 5000) & (spectrum["wave1d"] < 5400) & (spectrum["spec1d_err"] > 0)
            level = np.median(spectrum["spec1d"][window])
            f_nu = 10 ** (-0.4 * (row["mag_g"] + 48.6))
            guess = 2 * f_nu * 2.998e18 / 4740.0**2 * 1e17
            assert 0.3 < level / guess < 2.0
            checked += 1
    assert checked >= 3


def test_line_stands_in_the_picture_of_the_best_fiber(simulated: Path, truth: Table, detections: np.ndarray) -> None:
    """The brightest lines peak where the detection says: at (y_raw, x_raw) of the image of its exposure."""
    strength = np.where((truth["flux"] > 0) & (truth["sigma"] < 6), truth["sn"], 0)
    for index in np.argsort(-strength)[:4]:
        row = detections[index]
        with h5py.File(_shot(simulated, int(row["shotid"]))) as file:
            images = file["Data/Images"].fields(["multiframe", "expnum"])[:]
            place = np.flatnonzero((images["multiframe"] == row["multiframe"]) & (images["expnum"] == row["expnum"]))
            image = file["Data/Images"][int(place[0])]["clean_image"]
        y, x = int(row["y_raw"]), int(row["x_raw"])
        window = image[max(y - 10, 0) : y + 11, max(x - 24, 0) : x + 25].astype(float)
        collapsed = np.convolve(window[7:14].sum(axis=0), np.ones(3), "same")
        assert abs(int(np.argmax(collapsed)) - min(x, 24)) <= 3


def test_every_kind_of_fault_shows_its_mark(truth: Table, detections: np.ndarray) -> None:
    for row, detection in zip(truth, detections, strict=True):
        if row["kind"] in ("cosmic", "chargetrap"):
            assert detection["chi2fib"] > 2.5
        if row["kind"] == "noise":
            assert detection["chi2fib"] < 4.0
        if row["kind"] in sky.INSTRUMENTAL:
            assert row["flux"] == 0 and not np.isfinite(row["z"])


def test_imaging_covers_its_fields_with_a_margin(simulated: Path, truth: Table) -> None:
    from astropy.wcs import WCS

    for survey, pattern, hdu in (
        ("hsc", "hsc/image_tract_patch/*/calexp-*.fits", 1),
        ("cfhtls", "cfhtls/CFHTLS_W_*.fits", 0),
        ("decals", "decals/legacysurvey-*.fits", 0),
    ):
        header = fits.getheader(next(iter((simulated / "imaging").glob(pattern))), hdu)
        wcs = WCS(header)
        margin = 20.0 / {"hsc": 0.168, "cfhtls": 0.186, "decals": 0.262}[survey]
        mine = truth[truth["survey"] == survey]
        x, y = wcs.world_to_pixel_values(mine["ra"], mine["dec"])
        assert x.min() > margin and x.max() < header["NAXIS1"] - margin
        assert y.min() > margin and y.max() < header["NAXIS2"] - margin


def test_some_objects_have_spectroscopic_redshifts_and_they_are_right(simulated: Path, truth: Table) -> None:
    table = Table.read(simulated / "imaging/specz/specz.csv", format="ascii.csv")
    assert table.colnames == ["ra", "dec", "z", "source"]
    matched = 0
    for row in truth[truth["z"] > 0]:
        distance = (
            np.hypot((table["ra"] - row["ra"]) * np.cos(np.radians(row["dec"])), table["dec"] - row["dec"]) * ARCSEC
        )
        if distance.min() < 0.1:
            assert abs(table["z"][int(np.argmin(distance))] - row["z"]) < 0.005
            matched += 1
    assert 0 <= matched < 0.6 * len(truth)
    assert len(table) > 20


# --------------------------------------------------------------------------------------------------- the making


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_release(tmp_path_factory.mktemp("four") / "release", n=4, seed=2)


def test_few_detections_still_touch_two_fields_one_with_imaging(four: Path) -> None:
    truth = Table.read(four / "truth.ecsv")
    assert len(truth) == 4
    assert len(list((four / "hdr5/reduction/data").glob("*.h5"))) >= 2
    assert len(list((four / "imaging").rglob("*.fits"))) >= 1


def test_same_seed_same_sky_other_seed_other_sky(four: Path, truth: Table, tmp_path: Path) -> None:
    again = simulate_release(tmp_path / "again", n=4, seed=2)
    assert (four / "truth.ecsv").read_text() == (again / "truth.ecsv").read_text()
    for path in sorted(four.rglob("*.h5")):
        with h5py.File(path) as one, h5py.File(again / path.relative_to(four)) as two:
            names: list[str] = []
            one.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)  # noqa: B023
            for name in names:
                assert one[name][()].tobytes() == two[name][()].tobytes(), (path.name, name)
    for path in sorted(four.rglob("*.fits")):
        for a, b in zip(fits.open(path), fits.open(again / path.relative_to(four)), strict=True):
            assert (a.data is None and b.data is None) or np.array_equal(a.data, b.data)
    mine = Table.read(four / "truth.ecsv")
    assert not np.any(np.isin(mine["wave"], truth["wave"])) and not np.any(np.isin(mine["ra"], truth["ra"]))


def test_a_directory_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("do not lose me")
    with pytest.raises(DataError, match="no simulated release") as error:
        simulate_release(tmp_path, n=4)
    assert str(tmp_path) in str(error.value) and "new directory" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release").write_text("")
    with pytest.raises(DataError, match="is a file"):
        simulate_release(tmp_path / "release", n=4)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (-3, 1), (2.5, 1), (4, -1), (5001, 1)])
def test_impossible_numbers_are_refused(tmp_path: Path, n: float, seed: int) -> None:
    with pytest.raises(DataError, match="simulate_release"):
        simulate_release(tmp_path / "release", n=n, seed=seed)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_a_full_disk_is_said_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=50_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match="50 MB left"):
        simulate_release(tmp_path / "release", n=64)
    assert not any(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        simulate_release(tmp_path / "file" / "release", n=4)


@pytest.mark.parametrize("n", [4, 24])
def test_the_estimate_of_disk_space_is_right(simulated: Path, four: Path, n: int) -> None:
    root = simulated if n == 24 else four
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert disk_space(n) == pytest.approx(size, rel=0.1)
    assert disk_space(64) < 400e6


def test_other_lines_are_listed_where_the_redshift_puts_them(truth: Table) -> None:
    """Rest wavelengths in vacuum; the index of air is 1.00028."""
    rest = {"Hb": 4862.69, "OIII4959": 4960.30, "OIII5007": 5008.24, "CIV": 1549.06, "NeIII": 3869.86}
    seen = 0
    for row in truth:
        for entry in str(row["others"]).replace("none", "").split():
            name, wave, flux = entry.split(":")
            assert float(flux) > 0
            if name in rest:
                assert float(wave) * 1.00028 == pytest.approx(rest[name] * (1 + row["z"]), abs=0.1)
                seen += 1
    assert seen >= 3


def test_an_interrupted_run_leaves_nothing_and_harms_nothing(tmp_path: Path, four: Path) -> None:
    target = tmp_path / "release"
    target.mkdir()
    (target / "truth.ecsv").write_text((four / "truth.ecsv").read_text())

    def stop(fraction: float, what: str) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_release(target, n=4, seed=9, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["release"]
    assert [path.name for path in target.iterdir()] == ["truth.ecsv"]


def test_progress_rises_to_one_and_a_former_simulation_is_replaced(tmp_path: Path, four: Path) -> None:
    target = tmp_path / "release"
    target.mkdir()
    (target / "truth.ecsv").write_text((four / "truth.ecsv").read_text())
    (target / "hdr5" / "old").mkdir(parents=True)
    heard: list[float] = []
    simulate_release(target, n=3, seed=5, progress=lambda fraction, what: heard.append(fraction))
    assert heard == sorted(heard) and heard[-1] == 1.0
    assert not (target / "hdr5" / "old").exists() and (target / "hdr5").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_a_folder_that_holds_more_than_a_simulation_is_left_alone(tmp_path: Path, four: Path) -> None:
    target = tmp_path / "release"
    (target / "thesis").mkdir(parents=True)
    (target / "truth.ecsv").write_text((four / "truth.ecsv").read_text())
    with pytest.raises(DataError, match="holds thesis beside a simulated release"):
        simulate_release(target, n=3, seed=5)
    assert sorted(path.name for path in target.iterdir()) == ["thesis", "truth.ecsv"]


@pytest.mark.parametrize("n", [1, 8, 9, 24, 47, 48, 64, 78, 79, 300, 2000, 5000])
def test_plans_have_room_and_distinct_names(n: int) -> None:
    plans = plans_for(n, np.random.default_rng(0))
    assert sum(len(plan.amps) for plan in plans) * PER_AMPLIFIER >= n
    assert len({plan.shotid for plan in plans}) == len(plans)
    assert len({(plan.survey, plan.tag) for plan in plans if plan.tag}) == sum(bool(plan.tag) for plan in plans)
    for plan in plans:
        assert len(plan.specid) == len(plan.ifuslot) == len(plan.ifuid) == 3
        assert -90 < plan.dec < 90 and 0 <= plan.ra < 360
