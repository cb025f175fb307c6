"""A user's own surveys out of TOML: what they give, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from elixer_widgets.detection import DataError
from elixer_widgets.imaging import open_library, use_surveys, use_web
from elixer_widgets.imaging.custom import FILE_VARIABLE, read_surveys
from elixer_widgets.imaging.web import WEB_VARIABLE
from tests.imaging.layouts import MAG, counts
from tests.imaging.sky import DEC, RA, gaussian, wcs, write_image

SHORT = """
[[survey]]
name = "MINE"
bands = ["g", "r"]
images = "mine/*_sci.fits"
zero_point = 27.0
"""

LONG = """
[[survey]]
name = "DEEP"
bands = ["g", "r"]
folder = "elsewhere"
images = ["*.fits.fz", "*.fits"]
name_pattern = '(?P<field>F\\d)-HSC-(?P<band>[GR])'
band_names = { G = "g", R = "r" }
hdu = "SCI"
zero_point = { keyword = "magzero", default = 25.0, per_second = true }
depth = { g = 27.5 }
scale = 0.2
psf_fwhm = 0.7
start_radius = 0.75

[survey.catalog]
files = "{field}.cat"
id = "NUMBER"
ra = "RA_DEG"
dec = "DEC_DEG"
magnitudes = { r = "MAG_R" }
fluxes = { g = "FLUX_G" }
errors = { g = "DFLUX_G", r = "DMAG_R" }
flux_zero_point = 23.9
keep = { FLAGS = 0 }
major = "A_ARCSEC"
minor = "B_ARCSEC"
angle = "PA"

[survey.photo_z]
files = "zphot.csv"
z = "ZP"
low = "ZP_LO"
high = "ZP_HI"
"""


def image(path: Path, total: float, **keywords: float) -> Path:
    data = gaussian((120, 120), 59.5, 59.5, 5.0, total)
    data += np.random.default_rng(1).normal(0, total * 1e-7, data.shape)
    return write_image(path, data, 0.2, **keywords)


def test_five_lines_are_enough(tmp_path: Path) -> None:
    for band in "gr":
        image(tmp_path / "imaging" / "mine" / f"field_{band}_sci.fits", counts(27.0))
    (tmp_path / "imaging" / "surveys.toml").write_text(SHORT)
    imaging = open_library(tmp_path).imaging(RA, DEC, size=16.0)
    assert [(c.survey, c.band) for c in imaging.cutouts] == [("MINE", "g"), ("MINE", "r")]
    for cutout in imaging.cutouts:
        assert cutout.zero_point - 2.5 * np.log10(cutout.data.sum()) == pytest.approx(MAG, abs=0.001)
        assert (cutout.psf_fwhm, cutout.start_radius) == (1.0, 1.0) and np.isnan(cutout.depth)


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    mine = tmp_path / "config" / "own.toml"
    mine.parent.mkdir()
    mine.write_text(LONG)
    folder = tmp_path / "config" / "elsewhere"
    folder.mkdir()
    for band, total in (("G", counts(26.0)), ("R", counts(25.0))):
        header = wcs(RA, DEC, (120, 120), 0.2).to_header()
        header["EXPTIME"] = 100.0
        if band == "G":
            header["MAGZERO"] = 26.0
        data = gaussian((120, 120), 59.5, 59.5, 5.0, total * 100.0)
        data += np.random.default_rng(1).normal(0, total * 1e-5, data.shape)
        wrong = fits.ImageHDU(np.full((120, 120), 7.0, np.float32), header, name="WEIGHT")
        right = fits.ImageHDU(data.astype(np.float32), header, name="SCI")
        fits.HDUList([fits.PrimaryHDU(), wrong, right]).writeto(folder / f"F1-HSC-{band}.fits")
    flux = 3631e6 * 10 ** (-0.4 * 22.1)
    (folder / "F1.cat").write_text(
        "# NUMBER RA_DEG DEC_DEG MAG_R DMAG_R FLUX_G DFLUX_G FLAGS A_ARCSEC B_ARCSEC PA\n"
        f"9 {RA} {DEC} 22.1 0.03 {flux} {0.1 * flux} 0 1.5 0.5 30\n"
        f"8 {RA} {DEC + 0.0005} 22.1 0.03 {flux} {0.1 * flux} 4 1.5 0.5 30\n"
        f"7 {RA} {DEC - 0.0005} 99.0 99.0 {-0.5 * flux} {0.1 * flux} 0 1.5 0.5 30\n"
    )
    (folder / "zphot.csv").write_text(f"RA,DEC,ZP,ZP_LO,ZP_HI\n{RA},{DEC},0.5,0.4,0.7\n")
    imaging = open_library(None, surveys=mine).imaging(RA, DEC, size=16.0)
    assert [(c.survey, c.band) for c in imaging.cutouts] == [("DEEP", "g"), ("DEEP", "r")]
    assert [c.zero_point for c in imaging.cutouts] == [31.0, 30.0]
    for cutout in imaging.cutouts:
        assert cutout.zero_point - 2.5 * np.log10(cutout.data.sum()) == pytest.approx(MAG, abs=0.001)
        assert (cutout.psf_fwhm, cutout.start_radius) == (0.7, 0.75)
    assert imaging.cutouts[0].depth == 27.5
    first, second = imaging.objects
    assert (first.identifier, second.identifier) == ("9", "7")  # the flagged row is left out
    # 23.9 is the zero point of a µJy to four decimals: 23.8999.
    assert {m.band: m.value for m in first.magnitudes} == {"g": pytest.approx(22.1, abs=1e-4), "r": 22.1}
    assert {m.band: m.error for m in first.magnitudes} == {"g": pytest.approx(0.10857, 1e-3), "r": 0.03}
    assert (first.major, first.minor, first.position_angle) == (1.5, 0.5, 30.0)
    assert (first.photo_z, first.photo_z_low, first.photo_z_high) == (0.5, 0.4, 0.7)
    (limit,) = second.magnitudes  # a negative flux is a 2σ limit, magnitude 99 is none
    assert limit.is_limit and limit.value == pytest.approx(22.1 - 2.5 * np.log10(0.2), abs=1e-4)


def test_where_the_file_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = tmp_path / "hdr5"
    (release / "survey").mkdir(parents=True)
    (tmp_path / "imaging").mkdir()

    def named(name: str) -> str:
        return SHORT.replace("MINE", name)

    def found(**more: str) -> str:
        return open_library(release, **more).surveys[0].name  # type: ignore[arg-type]

    assert found() == "CANDELS-EGS"
    (tmp_path / "imaging" / "surveys.toml").write_text(named("IMAGING"))
    assert found() == "IMAGING"
    (release / "surveys.toml").write_text(named("RELEASE"))
    assert found() == "RELEASE"
    (tmp_path / "environment.toml").write_text(named("ENVIRONMENT"))
    monkeypatch.setenv("ELIXER_WIDGETS_SURVEYS", str(tmp_path / "environment.toml"))
    assert found() == "ENVIRONMENT"
    (tmp_path / "given.toml").write_text(named("GIVEN"))
    assert found(surveys=str(tmp_path / "given.toml")) == "GIVEN"
    with pytest.raises(DataError, match=r"nowhere\.toml: there is no such file"):
        found(surveys=str(tmp_path / "nowhere.toml"))


def test_a_known_name_replaces_the_entry(tmp_path: Path) -> None:
    (tmp_path / "surveys.toml").write_text(SHORT.replace("MINE", "KPNO"))
    surveys = open_library(tmp_path).surveys
    (one,) = [survey for survey in surveys if survey.name == "KPNO"]
    assert one.images == ("mine/*_sci.fits",)


def test_bands_are_found_in_names(tmp_path: Path) -> None:
    (tmp_path / "surveys.toml").write_text(
        '[[survey]]\nname = "SPACE"\nbands = ["F606W", "F160W"]\nimages = "*_drz.fits"\nzero_point = "unit"\n'
        '[[survey]]\nname = "ONE"\nbands = ["V"]\nimages = "plain*.fits"\nzero_point = { V = 25.5 }\n'
    )
    image(tmp_path / "hlsp_F606W_v2_drz.fits", 50.0, BUNIT="nJy")
    image(tmp_path / "plain.fits", 50.0)
    library = open_library(tmp_path)
    assert [(c.survey, c.band) for c in library.imaging(RA, DEC).cutouts] == [("ONE", "V"), ("SPACE", "F606W")]


def test_tractor_catalogues_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "surveys.toml").write_text(SHORT + '[survey.catalog]\nformat = "tractor"\nfiles = "tractor-*.fits"\n')
    image(tmp_path / "mine" / "field_g_sci.fits", counts(27.0))
    Table({"ra": [RA], "dec": [DEC], "flux_g": [1.0], "flux_ivar_g": [400.0]}).write(tmp_path / "mine/tractor-x.fits")
    (target,) = open_library(tmp_path).imaging(RA, DEC).objects
    assert target.magnitudes[0].value == pytest.approx(22.5)


WRONG = {
    "not TOML": ("[[survey]\n", ("is not TOML",)),
    "no survey": ("", ("no survey in it", "[[survey]]")),
    "a table": ('[survey]\nname = "X"', ("[[survey]]",)),
    "other table": (SHORT + "[elsewhere]\na = 1\n", ("'elsewhere'", "[[survey]]")),
    "no name": (SHORT.replace('name = "MINE"', ""), ("survey 1:", "name is missing", "give the survey a name")),
    "no bands": (SHORT.replace('bands = ["g", "r"]', "bands = []"), ("(MINE)", "bands = []", "list of filters")),
    "no images": (SHORT.replace('images = "mine/*_sci.fits"', "images = 3"), ("images = 3", "patterns")),
    "no zero point": (SHORT.replace("zero_point = 27.0", ""), ("zero_point is missing", "AB magnitude of one count")),
    "odd zero point": (SHORT.replace("27.0", '"vega"'), ("zero_point = 'vega'", "nanomaggy")),
    "zero point of no band": (SHORT.replace("27.0", "{ x = 1.0 }"), ("zero_point", "numbers by band")),
    "odd keyword": (SHORT.replace("27.0", "{ keyword = 3 }"), ("zero_point", "keyword")),
    "odd per_second": (SHORT.replace("27.0", '{ g = 1.0, r = 2.0, per_second = "yes" }'), ("per_second is true",)),
    "misspelt key": (SHORT + "pfs_fwhm = 0.8\n", ("pfs_fwhm = 0.8", "there is no such key", "psf_fwhm")),
    "depth text": (SHORT + 'depth = { g = "deep" }\n', ("depth = {'g': 'deep'}", "limiting magnitudes")),
    "depth of no band": (SHORT + "depth = { y = 25.0 }\n", ("'y' is none of the bands g, r",)),
    "negative seeing": (SHORT + "psf_fwhm = -1\n", ("psf_fwhm = -1", "arcsec")),
    "bad expression": (SHORT + "name_pattern = '(?P<band>['\n", ("name_pattern", "not a regular expression")),
    "no band in it": (SHORT + "name_pattern = '.*'\n", ("mark the band", "(?P<band>g|r)")),
    "odd hdu": (SHORT + "hdu = 1.5\n", ("hdu = 1.5", "number or the name")),
    "odd catalogue": (SHORT + "catalog = 3\n", ("catalog = 3", "[survey.catalog]")),
    "catalogue without files": (SHORT + "[survey.catalog]\nid = 'X'\n", ("catalog.files is missing", "relative")),
    "catalogue without bands": (SHORT + "[survey.catalog]\nfiles = 'x'\n", ("catalog.magnitudes is missing",)),
    "flux without unit": (
        SHORT + "[survey.catalog]\nfiles = 'x'\nfluxes = { g = 'F' }\n",
        ("catalog.flux_zero_point is missing", "23.9 for µJy"),
    ),
    "odd format": (SHORT + "[survey.catalog]\nfiles = 'x'\nformat = 'votable'\n", ("catalog.format = 'votable'",)),
    "odd unit": (
        SHORT + "[survey.catalog]\nfiles = 'x'\nmagnitudes = { g = 'G' }\nunit = 'hours'\n",
        ("catalog.unit = 'hours'", '"deg" or "rad"'),
    ),
    "odd photo_z": (SHORT + "[survey.photo_z]\nfiles = 'x'\nbest = 'z'\n", ("photo_z.best = 'z'", "no such key")),
    "twice": (SHORT + SHORT, ("two surveys have the name 'MINE'",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_named_with_file_key_value_and_remedy(tmp_path: Path, case: str) -> None:
    content, expected = WRONG[case]
    path = tmp_path / "own.toml"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_surveys(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert all(text in message for text in expected), message


@pytest.mark.parametrize(
    ("catalogue", "expected"),
    [("# ID X Y\n1 2 3\n", "no column 'ra'"), ("1 2 3\n", "begin"), ("# RA DEC G\n1 2 3\n", "no magnitude")],
)
def test_catalogues_that_do_not_fit_are_said(tmp_path: Path, catalogue: str, expected: str) -> None:
    (tmp_path / "surveys.toml").write_text(
        SHORT + "[survey.catalog]\nfiles = 'field.cat'\nmagnitudes = { g = 'MAG_G' }\n"
    )
    image(tmp_path / "mine" / "field_g_sci.fits", counts(27.0))
    (tmp_path / "mine" / "field.cat").write_text(catalogue)
    imaging = open_library(tmp_path).imaging(RA, DEC)
    assert imaging.objects == () and len(imaging.cutouts) == 1
    assert any("field.cat" in note and expected in note for note in imaging.notes), imaging.notes


def test_a_file_for_the_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE_VARIABLE, "")
    monkeypatch.setenv(WEB_VARIABLE, "")
    (tmp_path / "images").mkdir()
    file = tmp_path / "run.toml"
    file.write_text(SHORT)
    use_surveys(file)
    use_web()
    library = open_library(tmp_path / "images")
    assert library.surveys[0].name == "MINE" and library.web
    use_web(False)
    assert not open_library(None).web
    file.write_text(SHORT.replace("27.0", '"bright"'))
    with pytest.raises(DataError, match="zero_point"):
        use_surveys(file)
