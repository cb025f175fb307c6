"""The HDF5 catalogue: PyTables opens it, its columns are the published ones, its units are cgs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from elixer_widgets.analysis import Aperture, Interpretation
from elixer_widgets.classification.choice import BestRedshift
from elixer_widgets.classification.flags import decode, flag
from elixer_widgets.classification.plae import PlaeRatio
from elixer_widgets.detection import DataError, Detection, Spectrum
from elixer_widgets.reports import write_catalog
from elixer_widgets.reports.catalog import TABLES
from elixer_widgets.reports.catalog_rows import (
    detection_row,
    filled,
    image_angle,
    line_rows,
    object_rows,
    spectrum_row,
)
from elixer_widgets.spectra.continuum import ContinuumEstimate
from tests.factories import make_bare_detection, make_cutout, make_detection, make_interpretation

tables = pytest.importorskip("tables")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    found = [make_interpretation(make_detection(2101630949 + n)) for n in (2, 0, 1)]
    return write_catalog([*found, make_interpretation(make_bare_detection(), identity="OII")], tmp_path / "cat.h5")


def test_columns_types_order_and_fills_are_the_published_ones(written: Path, shared: Path) -> None:
    schema = json.loads((shared / "spec" / "data_model_schema.json").read_text())
    with tables.open_file(str(written)) as file:
        for name in TABLES:
            table = file.get_node(f"/{name}")
            columns = schema[f"elixer_catalog:{name}"]["columns"]
            assert table.colnames == [each["name"] for each in columns]
            assert table.dtype.itemsize == schema[f"elixer_catalog:{name}"]["rowsize"]
            for each in columns:
                column = table.coldescrs[each["name"]]
                expected = each["pytables"]
                assert column.type == expected, (name, each["name"])
                assert list(column.shape) == each["shape"]
                fill = each["fill"]
                default = np.ravel(column.dflt)[0]
                if expected == "string":
                    assert default == fill.encode()
                else:
                    assert default == pytest.approx(float(np.ravel(fill)[0]), nan_ok=True), (name, each["name"])


def test_titles_and_root_are_those_of_a_real_empty_catalogue(written: Path, shared: Path) -> None:
    real = shared / "reference" / "original" / "elixer_empty_all_tables.h5"
    with tables.open_file(str(written)) as ours, tables.open_file(str(real)) as theirs:
        assert ours.title == theirs.title
        for name in TABLES:
            one, two = ours.get_node(f"/{name}"), theirs.get_node(f"/{name}")
            assert (one.title, one.dtype, one.chunkshape) == (two.title, two.dtype, two.chunkshape)
            assert set(one.colindexes) == set(two.colindexes)
        assert ours.root.Version[0]["version"] == theirs.root.Version[0]["version"]


def test_listing_of_the_original_matches(written: Path, shared: Path) -> None:
    text = (shared / "reference" / "original" / "elixer_catalog_schema.txt").read_text()
    first = text.split("===== ")[1]
    with h5py.File(written) as file:
        for block in first.split("\nTABLE /")[1:]:
            name = block.split()[0]
            columns = re.findall(r"^ +\d+ (\w+) ", block.split("--- every object")[0], re.M)
            assert list(file[name].dtype.names) == columns


def test_queries_use_the_index(written: Path) -> None:
    with tables.open_file(str(written)) as file:
        table = file.root.Detections
        assert table.col("detectid").tolist() == [2101630951, 2101630949, 2101630950, 7]  # in the order given
        for column in ("detectid", "ra", "dec"):
            assert table.colindexes[column].is_csi
        assert table.will_query_use_indexing("detectid == 7") == {"detectid"}
        assert table.read_where("detectid == 2101630950")["detectid"].tolist() == [2101630950]
        assert len(file.root.ElixerApertures.read_where("detectid == 2101630950")) == 10


def test_pytables_can_append_and_index_again(written: Path) -> None:
    with tables.open_file(str(written), "a") as file:
        table = file.root.Detections
        row = table[:1].copy()
        row["detectid"] = 99
        table.append(row)
        table.flush()
        table.cols.detectid.reindex()
        assert table.nrows == 5
        assert table.read_where("detectid == 99")["detectid"].tolist() == [99]


def test_units(written: Path) -> None:
    with tables.open_file(str(written)) as file:
        row = file.root.Detections.read_where("detectid == 2101630949")[0]
        spectrum = file.root.CalibratedSpectra.read_where("detectid == 2101630949")[0]
    # 0.05e-17, below 0.09e-17 at 2σ, 0.08e-17: all in erg/s/cm²/Å
    assert row["continuum_line"] == pytest.approx(5e-19)
    assert row["continuum_wide"] == pytest.approx(9e-19)
    assert row["continuum_wide_err"] == pytest.approx(4.5e-19)
    assert row["combined_continuum"] == pytest.approx(8e-19)
    assert row["flux_line"] == pytest.approx(1.5e-16)
    assert row["fwhm_line_aa"] == pytest.approx(3.0 * 2.354820045)
    assert row["fwhm_line_kms"] == pytest.approx(3.0 * 2.354820045 / 4500 * 299792.458)
    # 1.5e-16 / 5e-19 = 300 Å observed; Lyα at 4500 Å in air is z = 2.7027
    assert row["eqw_rest_lya_line"] == pytest.approx(300 / 3.7027, rel=1e-4)
    made = make_detection().spectrum
    assert spectrum["wavelength"][0] == 3470.0 and spectrum["wavelength"][-1] == 5540.0
    assert np.allclose(spectrum["flux"], 2.0 * made.flux, rtol=1e-6)
    assert np.allclose(spectrum["flux_err"], 2.0 * np.asarray(made.error), rtol=1e-6)


def test_missing_numbers_have_their_fill(written: Path) -> None:
    with tables.open_file(str(written)) as file:
        bare = file.root.Detections.read_where("detectid == 7")[0]
        assert len(file.root.Aperture.read_where("detectid == 7")) == 0
    assert bare["ra"] == pytest.approx(-999.999)
    assert bare["multiframe"] == b"x" * 20
    assert bare["response"] == pytest.approx(-999.999)
    assert bare["ccd_adjacent_mag"] == pytest.approx(99.9)
    assert np.isnan(bare["color_gr"]).all()


def _row(interpretation: Interpretation) -> np.void:
    from datetime import datetime

    return filled("Detections", [detection_row(interpretation, datetime(2026, 1, 2, 3, 4, 5))])[0]


def test_columns_that_rest_on_other_numbers() -> None:
    base = make_interpretation()
    slope = replace(base.measurements, spectral_slope=2e-4, spectral_slope_err=5e-5)
    row = _row(replace(base, measurements=slope))
    assert row["chi2_err"] == pytest.approx(math.sqrt(2 / 36))  # 40 samples, 4 parameters
    assert row["sn_err"] == pytest.approx(12.0 * 1.2e-17 / 1.5e-16)
    assert row["spectral_slope"] == pytest.approx(2e-21)
    assert row["spectral_slope_err"] == pytest.approx(5e-22)
    assert row["continuum_masked"] == row["continuum_wide"]
    bare = _row(make_interpretation(make_bare_detection()))
    assert bare["spectral_slope"] == pytest.approx(-999.999)
    assert bare["spectral_slope_err"] == 0.0


def test_colors_are_measured_in_one_circle_on_two_images_of_one_survey() -> None:
    base = make_interpretation().measurements
    g = make_cutout("g")
    r = replace(g, band="r", data=g.data * np.float32(10**0.2))  # the same light, 0.5 mag brighter

    def colors(**changes: object) -> np.void:
        measurements = replace(base, **{"cutouts": (g, r), **changes})
        return _row(replace(make_interpretation(), measurements=measurements))

    row = colors()
    assert row["color_gr"][0] == pytest.approx(0.5, abs=1e-4)
    bluest, reddest = row["color_gr"][1:] - row["color_gr"][0]
    assert bluest == pytest.approx(-reddest, abs=1e-4) and 0 < reddest < 0.2
    assert np.isnan(row["color_ug"]).all() and np.isnan(row["color_ur"]).all()
    assert colors(sources=())["color_gr"][0] == pytest.approx(0.5, abs=1e-4)  # about the aperture's place then
    assert np.isnan(colors(cutouts=(g, replace(r, survey="OTHER")))["color_gr"]).all()
    empty = replace(r, data=np.random.default_rng(8).normal(0, 0.03, r.data.shape).astype(np.float32))
    assert np.isnan(colors(cutouts=(g, empty))["color_gr"]).all()


def test_sources_are_measured_in_a_fixed_circle_too() -> None:
    base = make_interpretation()
    rows = filled("ExtractedObjects", object_rows(base))
    source, cutout = base.measurements.sources[0], base.measurements.cutouts[0]
    inside = np.hypot(*(np.indices(cutout.data.shape) - 75)) * 0.2 < 1.0  # the factory's source is at the centre
    assert rows["fixed_aper_radius"].tolist() == [1.0] * len(rows)
    assert rows["fixed_aper_flux_cts"][0] == pytest.approx(cutout.data[inside].sum(), rel=0.1)
    area = math.pi * source.major * source.minor / 0.2**2
    assert rows["background_cts"][0] == pytest.approx(base.measurements.growths[0].sky * area)
    far = replace(source, selected=False, separation=8.0)
    row = filled(
        "ExtractedObjects", object_rows(replace(base, measurements=replace(base.measurements, sources=(far,))))
    )
    assert row["fixed_aper_flux_cts"] == pytest.approx(-999.999)


def test_statistical_error_of_the_combined_continuum() -> None:
    base = make_interpretation()
    one = ContinuumEstimate("narrow", 1.0, 0.2, weight=1.0)
    two = ContinuumEstimate("wide", 2.0, 0.5, weight=0.8)
    limit = ContinuumEstimate("aperture g", 3.0, is_limit=True, limit_sigma=2.0, weight=1.0)
    row = _row(replace(base, continuum_sources=(one, two, limit)))
    # weights 25 and 3.2: the variance is (25 + 0.8² · 4) / 28.2²
    assert row["combined_continuum_err_stat"] == pytest.approx(math.sqrt(25 + 2.56) / 28.2 * 1e-17, rel=1e-5)
    assert row["combined_continuum_nondetect"] == 1
    nothing = replace(base, continuum=ContinuumEstimate("combined", math.nan), continuum_sources=())
    assert _row(nothing)["combined_continuum_nondetect"] == -1
    assert _row(nothing)["combined_continuum_err_stat"] == pytest.approx(-999.999)


def test_labels_of_an_accepted_solution() -> None:
    base = make_interpretation(identity="OII")
    line = base.measurements.line
    oxygen = replace(base.companions[0], line="OIII", status="found", flux=6.0 * line.flux)
    solution = replace(base.solutions[0], identity="OII", line="OII", accepted=True, companions=(oxygen,))
    assert _row(replace(base, solutions=(solution,)))["classification_labels"] == b"lzg,o32"
    weak = replace(solution, companions=(replace(oxygen, flux=2.0 * line.flux),))
    assert _row(replace(base, solutions=(weak,), labels=("agn",)))["classification_labels"] == b"agn,lzg"
    assert _row(replace(base, solutions=(replace(solution, accepted=False),)))["classification_labels"] == b""
    assert _row(replace(base, solutions=(solution,), identity="star"))["classification_labels"] == b""


def test_fibers_switched_off_are_told() -> None:
    base = make_interpretation()
    off = base.measurements.detection.fibers[1].fiber_id
    row = spectrum_row(replace(base, measurements=replace(base.measurements, excluded_fibers=(off,))))
    assert (row["num_fibers"], row["sky_background"]) == (4, 0)
    assert "num_fibers" not in spectrum_row(base)


def test_multi_line_solution() -> None:
    base = make_interpretation(identity="OII")
    companion = replace(base.companions[1], status="found", flux=-3e-17, flux_err=6e-18, snr=5.0, score=10.2)
    weak = replace(base.companions[2], score=math.nan)
    solution = replace(base.solutions[0], score=10.2, fraction=1.0, companions=(companion, weak))
    changed = replace(base, solutions=(solution,))
    assert _row(changed)["multiline_prob"] == pytest.approx(0.15, abs=0.02)  # scaled score 0.601
    row = line_rows(changed)[-1]
    assert (row["score"], row["type"], row["sol_num"]) == (10.2, -1, 1)


def test_flags_fit_the_signed_column() -> None:
    bits = _row(replace(make_interpretation(), flags=(flag("corrupt data"), flag("blended"))))["flags"]
    assert bits < 0
    assert {each.name for each in decode(int(bits))} == {"corrupt data", "blended"}


def test_ratio_is_clipped() -> None:
    row = _row(replace(make_interpretation(), plae_poii=PlaeRatio(math.inf, 1e-7, math.inf)))
    assert (row["combined_plae"], row["combined_plae_hi"]) == (1000.0, 1000.0)
    assert row["combined_plae_lo"] == pytest.approx(0.001)


def test_no_redshift_is_minus_one() -> None:
    none = tuple(BestRedshift(each, "artifact", math.nan, 0.0) for each in (0.5, 0.4, 0.3))
    row = _row(replace(make_interpretation(), identity="artifact", redshift=math.nan, quality=math.nan, best=none))
    assert (row["z_best"], row["z_best_pz"]) == (-1.0, 0.0)
    assert row["spurious_reason"] == b"artifact"


def test_redshifts_of_the_thresholds() -> None:
    best = (BestRedshift(0.5, "OII", 0.2071, 0.58), BestRedshift(0.4, "Lya", 2.7027, 0.42))
    row = _row(replace(make_interpretation(), best=(*best, BestRedshift(0.3, "noise", math.nan, 0.0))))
    assert (row["z_best"], row["z_best_pz"]) == pytest.approx((0.2071, 0.58))
    assert (row["z_best_2"], row["z_best_pz_2"]) == pytest.approx((2.7027, 0.42))
    assert (row["z_best_3"], row["z_best_pz_3"]) == (-1.0, 0.0)


def test_a_limit_is_stored_without_an_error(tmp_path: Path) -> None:
    base = make_interpretation()
    growths = (replace(base.measurements.growths[0], is_limit=True), *base.measurements.growths[1:])
    path = write_catalog([replace(base, measurements=replace(base.measurements, growths=growths))], tmp_path / "c.h5")
    with h5py.File(path) as file:
        rows = file["Aperture"][:]
    assert rows["mag"].tolist() == pytest.approx([26.3, 24.7])
    assert rows["mag_err"].tolist() == pytest.approx([-999.999, 0.07])


def test_only_the_adopted_step_is_selected(written: Path) -> None:
    with tables.open_file(str(written)) as file:
        steps = file.root.ElixerApertures.read_where("detectid == 2101630949")
    assert steps["radius"][steps["selected"]].tolist() == pytest.approx([1.2, 1.2])


def test_ellipse_angle_is_anticlockwise_from_the_image_x_axis() -> None:
    source = make_interpretation().measurements.sources[0]
    # north up, east left: position angle 30° (north to east) is 120° from +x
    assert image_angle(source, make_cutout()) == pytest.approx(math.radians(120.0), abs=1e-3)
    assert image_angle(source, None) == pytest.approx(math.radians(120.0))


def test_spectrum_on_another_grid_is_put_on_the_hetdex_grid(tmp_path: Path) -> None:
    wave = np.arange(3600.0, 5000.0, 1.5)
    detection = Detection.from_spectrum(Spectrum(wave, 0.001 * wave, np.full(wave.size, 0.2)), 4500.0, detectid=3)
    path = write_catalog([make_interpretation(detection)], tmp_path / "c.h5")
    with h5py.File(path) as file:
        row = file["CalibratedSpectra"][0]
    inside = (row["wavelength"] >= 3600) & (row["wavelength"] <= 4998)
    assert np.allclose(row["flux"][inside], 0.002 * row["wavelength"][inside], rtol=1e-5)
    assert not row["flux"][~inside].any() and not row["flux_err"][~inside].any()


def test_posterior_evidence_and_choices_are_kept(tmp_path: Path) -> None:
    base = make_interpretation(identity="OII")
    touched = replace(base, measurements=replace(base.measurements, aperture=Aperture(1.5)))
    path = write_catalog([touched], tmp_path / "c.h5")
    with tables.open_file(str(path)) as file:
        group = file.root.ElixerWidgets
        row = group.Identity[0]
        assert (row["identity"], row["chosen_by"], bool(row["calibrated"])) == (b"OII", b"person", False)
        total = sum(
            row[name] for name in group.Identity.colnames if re.fullmatch(r"p_[A-Za-z]+", name) and name != "p_lya"
        )
        assert total == pytest.approx(1.0)
        assert group.Evidence.col("log_odds").tolist() == pytest.approx([-0.4, 3.1, -0.7])
        assert "Lyα" in group.Evidence[0]["words"].decode()
        words = [each.decode() for each in group.Choices.col("words")]
        assert [each.removesuffix(" set by a person") for each in words] == [
            "identity [O II] at z = 0.2071",
            'aperture radius 1.50"',
        ]
        assert json.loads(group.Choices[0]["state"])["aperture"] == 1.5


def test_two_of_one_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2101630949 occurs twice"):
        write_catalog([make_interpretation(), make_interpretation()], tmp_path / "c.h5")
    assert list(tmp_path.iterdir()) == []


def test_no_detections_give_empty_tables(tmp_path: Path) -> None:
    with tables.open_file(str(write_catalog([], tmp_path / "c.h5"))) as file:
        assert file.root.Detections.nrows == 0
        assert file.root.Detections.read_where("detectid == 1").size == 0


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        write_catalog([], tmp_path / "nowhere" / "c.h5")


def test_a_crash_leaves_the_old_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from elixer_widgets.reports import catalog

    path = write_catalog([make_interpretation()], tmp_path / "c.h5")
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(catalog, "index_table", fail)
    with pytest.raises(MemoryError):
        write_catalog([make_interpretation(identity="OII")], path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["c.h5"]


def test_an_unknown_column_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        filled("Detections", [{"nonsense": 1}])


def test_a_number_that_no_column_holds_is_missing() -> None:
    row = filled("Aperture", [{"eqw_rest_lya": 1e30, "eqw_rest_lya_err": 1e48}])[0]
    assert row["eqw_rest_lya"] == np.float32(1e30)
    assert row["eqw_rest_lya_err"] == np.float32(-999.999)
