"""The user guide's catalogs interface on a small imaging folder."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from elixer_widgets.catalogs import CatalogLibrary
from elixer_widgets.detection import DataError
from tests.imaging.sky import DEC, RA, gaussian, imaging_folder, source_positions, wcs

DOCUMENTED = {
    "cutout",
    "hdu",
    "path",
    "filter",
    "instrument",
    "mag",
    "aperture",
    "ap_center",
    "mag_limit",
    "details",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CatalogLibrary:
    return CatalogLibrary("hdr2.1", path=imaging_folder(tmp_path_factory.mktemp("release")))


POSITION = SkyCoord(RA, DEC, unit="deg")


def test_catalogs_and_filters(library: CatalogLibrary) -> None:
    assert library.get_hdr_version() == "hdr2.1"
    assert {c.name for c in library.find_catalogs(POSITION, verify=True)} == {"HSC-DEX", "CFHTLS", "DECaLS"}
    assert len(set(library.find_catalogs(POSITION)) & set(library.get_full_catalog_list())) == 3
    assert library.find_catalogs(SkyCoord(10, 10, unit="deg")) == []
    assert library.get_filters(POSITION)["CFHTLS"] == ["u", "g", "r", "i", "z"]
    assert library.get_filters(POSITION, catalogs=["DECaLS"]) == {"DECaLS": ["g", "r", "z"]}
    assert library.get_filters(SkyCoord(10, 10, unit="deg")) == {}


def test_cutouts_with_the_documented_keys(library: CatalogLibrary) -> None:
    cutouts = library.get_cutouts(POSITION, side=9 * u.arcsec)
    assert len(cutouts) == 9
    for entry in cutouts:
        assert set(entry) >= DOCUMENTED
        assert entry["mag"] == 99.9 and entry["details"] is None
        scale = entry["image"].pixel_scale
        assert entry["cutout"].data.shape == (int(np.ceil(9 / scale)),) * 2
        center = entry["cutout"].wcs.pixel_to_world(*((n - 1) / 2 for n in entry["cutout"].shape[::-1]))
        assert center.separation(POSITION).arcsec < scale


def test_sizes_by_the_published_rule(library: CatalogLibrary) -> None:
    def width(**size: float) -> float:
        entry = library.get_cutouts(POSITION, catalogs=["HSC-DEX"], **size)[0]
        return entry["cutout"].data.shape[0] * 0.168

    assert width(radius=6.0) == pytest.approx(12.0, abs=0.2)  # above 0.5: arcsec
    assert width(side=0.005) == pytest.approx(18.0, abs=0.2)  # else degrees
    assert width(side=1.0) == pytest.approx(1.0, abs=0.2)


def test_apertures_measure_the_source(library: CatalogLibrary) -> None:
    ra, dec, mag, _ = source_positions()[0]
    (entry,) = library.get_cutouts(SkyCoord(ra, dec, unit="deg"), side=9.0, catalogs=["HSC-DEX"], aperture=1.5)
    assert entry["aperture"] == 1.5
    assert entry["mag"] == pytest.approx(mag, abs=0.03)
    details = entry["details"]
    assert details["mag_bright"] < entry["mag"] < details["mag_faint"]
    assert sum(step["selected"] for step in details["elixer_apertures"]) == 1
    assert details["sep_objects"][details["sep_obj_idx"]]["dist_baryctr"] < 0.1
    (grown,) = library.get_cutouts((ra, dec), catalogs=["HSC-DEX"], dynamic=True, first=True)
    assert grown["mag"] == pytest.approx(mag, abs=0.03)


# spec/data_model.md, section 5
DETAILS = {
    *("catalog_name", "filter_name", "ra", "dec", "radius", "mag", "mag_err", "mag_bright", "mag_faint", "mag_limit"),
    *("raw_mag", "raw_mag_err", "raw_mag_bright", "raw_mag_faint", "fail_mag_limit", "exptime", "pixel_scale"),
    *("area_pix", "sky_area_pix", "aperture_counts", "sky_counts", "sky_average", "aperture_eqw_rest_lya"),
    *("aperture_eqw_rest_lya_err", "aperture_plae", "elixer_aper_idx", "sep_obj_idx"),
    *("elixer_apertures", "sep_objects"),
}
APERTURE = {
    *("idx", "ra", "dec", "radius", "area_pix", "aperture_counts", "sky_area_pix", "sky_counts", "sky_average"),
    *("sky_err", "mag", "mag_err", "mag_bright", "mag_faint", "selected"),
}
SOURCE = {
    *("idx", "x", "y", "ra", "dec", "a", "b", "theta", "background", "background_rms", "dist_baryctr", "dist_curve"),
    *("flux_cts", "flux_cts_err", "flags", "mag", "mag_err", "mag_bright", "mag_faint", "selected"),
    *("fixed_aper_radius", "fixed_aper_flux_cts", "fixed_aper_flux_err", "fixed_aper_mag", "fixed_aper_mag_err"),
    *("fixed_aper_flux_cts_err", "fixed_aper_flags"),
}


def test_details_have_the_documented_keys(library: CatalogLibrary) -> None:
    ra, dec, *_ = source_positions()[0]
    (entry,) = library.get_cutouts((ra, dec), side=20.0, catalogs=["HSC-DEX"], aperture=1.0, dynamic=True)
    details = entry["details"]
    assert set(details) >= DETAILS
    assert all(set(step) >= APERTURE for step in details["elixer_apertures"])
    assert len(details["elixer_apertures"]) > 1 and len(details["sep_objects"]) >= 2
    for source in details["sep_objects"]:
        assert set(source) >= SOURCE
        # A Gaussian of 0.9": 1 - 2^-(1/0.45)² of its light lies within 1".
        true = min(
            (m for r, d, m, _ in source_positions() if abs(d - source["dec"]) < 1e-4 and abs(r - source["ra"]) < 2e-4),
            default=None,
        )
        if true is not None:
            expected = true - 2.5 * np.log10(1.0 - 2.0 ** (-((1.0 / 0.45) ** 2)))
            assert source["fixed_aper_mag"] == pytest.approx(expected, abs=0.03)
            assert source["background_rms"] == pytest.approx(0.02, rel=0.1)  # as it was made


def test_theta_is_an_angle_of_the_image(tmp_path: Path) -> None:
    # A source drawn along a direction of the pixels, on an image turned by 25 degrees against north.
    data = gaussian((120, 120), 59.5, 59.5, 9.0, 5e4, ratio=0.4, theta=0.7)
    data += np.random.default_rng(1).normal(0.0, 1.0, data.shape)
    header = wcs(RA, DEC, data.shape, 0.2, turn=25.0).to_header()
    header["MAGZERO"] = 27.0
    fits.PrimaryHDU(data.astype(np.float32), header).writeto(tmp_path / "km1418_5218.fits")
    (entry,) = CatalogLibrary(path=tmp_path).get_cutouts((RA, DEC), side=20.0, aperture=1.0)
    (source,) = [s for s in entry["details"]["sep_objects"] if s["selected"]]
    assert source["theta"] == pytest.approx(0.7, abs=0.05)
    assert (source["x"], source["y"]) == pytest.approx((59.5, 59.5), abs=20.1)


def test_bad_images_can_be_refused(library: CatalogLibrary) -> None:
    # HSC-DEX is 420 pixels of 0.168": at 33" east of its middle, 2.3" from its edge.
    edge = SkyCoord(RA + 33.0 / 3600 / np.cos(np.radians(DEC)), DEC, unit="deg")
    (kept,) = library.get_cutouts(edge, side=9.0, catalogs=["HSC-DEX"])
    assert "partly outside" in kept["image"].note
    assert library.get_cutouts(edge, side=9.0, catalogs=["HSC-DEX"], allow_bad_image=False) == []


def test_catalogues_of_the_web(library: CatalogLibrary) -> None:
    assert [c.name for c in library.get_catch_all()] == ["DECaLS", "Pan-STARRS", "SDSS"]
    assert [library.get_sdss().name, library.get_panstarrs().name] == ["SDSS", "Pan-STARRS"]
    assert library.get_decals_web().name == "DECaLS"
    library.build_catalog_list()


def test_nudge_moves_the_aperture_to_the_source(library: CatalogLibrary) -> None:
    ra, dec, mag, _ = source_positions()[0]
    moved = SkyCoord(ra, dec + 0.8 / 3600, unit="deg")
    (off,) = library.get_cutouts(moved, catalogs=["HSC-DEX"], aperture=1.2)
    (on,) = library.get_cutouts(moved, catalogs=["HSC-DEX"], aperture=1.2, nudge=1.0)
    assert on["mag"] == pytest.approx(mag, abs=0.05)
    assert off["mag"] > on["mag"] + 0.1


def test_preferred_filter_first(library: CatalogLibrary) -> None:
    (entry,) = library.get_cutouts(POSITION, filter=["z", "g"], first=True)
    assert entry["filter"] == "z"


def test_catalog_objects(library: CatalogLibrary) -> None:
    found = {entry["name"]: entry for entry in library.get_catalog_objects(POSITION, radius=10 * u.arcsec)}
    assert set(found) == {"HSC-DEX", "CFHTLS", "DECaLS"}
    entry = found["CFHTLS"]
    assert entry["count"] == 2 == len(entry["dataframe"])
    frame = entry["dataframe"]
    east, north, mag, _ = 0.3, 0.2, 22.0, None
    assert frame["distance"].iloc[0] == pytest.approx(np.hypot(east, north), abs=0.01)
    assert list(frame["distance"]) == sorted(frame["distance"])
    flux, error, value, bright, faint, band = entry["get_filter_flux"](frame.iloc[[0]])
    assert band == "g" and value == mag
    assert flux == pytest.approx(3631e6 * 10 ** (-0.4 * mag))
    assert error == pytest.approx(flux * 0.05 / 1.0857, rel=1e-3)
    assert bright < value < faint


def test_wrong_use_is_explained(library: CatalogLibrary, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="choose from"):
        library.get_filters(catalogs=["DECAM"])
    with pytest.raises(DataError, match="position"):
        library.get_cutouts("here")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="radius"):
        library.get_cutouts(POSITION, radius=-1.0)
    with pytest.raises(DataError, match="no such folder"):
        CatalogLibrary(path=tmp_path / "nowhere")
    with pytest.raises(DataError, match="CatalogLibrary"):
        CatalogLibrary("hdr99")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"aperture": "auto"}, "dynamic=True"),
        ({"aperture": 3 * u.s}, "number or a quantity"),
        ({"aperture": [1.0, 2.0]}, "number or a quantity"),
        ({"aperture": -1.0}, "positive number of arcsec"),
        ({"side": "wide"}, "number or a quantity"),
        ({"radius": float("nan")}, "positive angle"),
        ({"nudge": "auto"}, "number or a quantity"),
        ({"nudge": -1.0}, "positive number of arcsec"),
        ({"filter": 3}, "order of preference"),
        ({"filter": ["g", 3]}, "order of preference"),
        ({"position": (float("nan"), 2.0)}, "position in degrees"),
        ({"position": (10.0, 91.0)}, "position in degrees"),
    ],
)
def test_wrong_arguments_are_said_with_what_to_give(library: CatalogLibrary, given: dict, said: str) -> None:
    # Also where no survey has an image, so that a mistake is not found out only in some places.
    for position in (POSITION, SkyCoord(10, 10, unit="deg")):
        with pytest.raises(DataError, match=said):
            library.get_cutouts(**{"position": position, **given})


def test_a_nudge_of_nothing_is_none(library: CatalogLibrary) -> None:
    moved = library.get_cutouts(POSITION, aperture=1.0, nudge=0.0, catalogs=["HSC-DEX"])
    kept = library.get_cutouts(POSITION, aperture=1.0, catalogs=["HSC-DEX"])
    assert moved[0]["ap_center"] == kept[0]["ap_center"]
    (at_source,) = library.get_cutouts(POSITION, aperture=1.0, nudge=1 * u.arcsec, catalogs=["HSC-DEX"])
    ra, dec, *_ = source_positions()[0]
    assert at_source["ap_center"] == pytest.approx(at_source["image"].pixel(ra, dec), abs=0.2)
