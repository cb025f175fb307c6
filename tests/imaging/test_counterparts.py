"""Counterparts: distances, chance, extent, and one match for one object."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import example, given
from hypothesis import strategies as st

from elixer_widgets.detection import CatalogObject, DataError, Imaging, Magnitude
from elixer_widgets.imaging.counterparts import (
    chance_probability,
    elliptical_distance,
    find_matches,
    number_counts,
    separation,
)

RA, DEC = 214.5, 52.3


def target(
    east: float, north: float, mag: float | None = 23.0, catalog: str = "a", band: str = "g", **more: float
) -> CatalogObject:
    magnitudes = () if mag is None else (Magnitude(band, mag, 0.1),)
    ra = RA + east / 3600 / np.cos(np.radians(DEC))
    return CatalogObject(ra, DEC + north / 3600, catalog, magnitudes=magnitudes, **more)  # type: ignore[arg-type]


@example(0.0, -83.02205605903917, 0.0, 90.0, 1.0)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(-90, 90), st.sampled_from([1.0, 1e-3, 1e-6]))
def test_separation_is_that_of_astropy(ra: float, dec: float, ra2: float, dec2: float, near: float) -> None:
    # Rounding may step over a pole, where astropy knows no positions.
    ra2, dec2 = ra + (ra2 - ra) * near, float(np.clip(dec + (dec2 - dec) * near, -90.0, 90.0))
    expected = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).arcsec
    assert separation(ra, dec, ra2, dec2) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_right_ascension_is_shortened_by_declination() -> None:
    # 2.9" east is within 3" at declination 52, where a box without cos δ would end at 1.8".
    (match,) = find_matches(Imaging(objects=(target(2.9, 0.0),)), RA, DEC)
    assert match.separation == pytest.approx(2.9, abs=1e-4)
    assert find_matches(Imaging(objects=(target(3.1, 0.0),)), RA, DEC) == ()


def test_across_zero_hours() -> None:
    objects = (CatalogObject(359.9999, 0.0, "a"), CatalogObject(0.0002, 0.0, "a"))
    matches = find_matches(Imaging(objects=objects), 0.0, 0.0)
    assert [round(m.separation, 2) for m in matches] == [0.36, 0.72]


def test_chance_is_the_share_of_random_positions() -> None:
    # Scatter objects at a known density and count how many random positions have one within d.
    rng = np.random.default_rng(1)
    side, density, d = 400.0, 0.01, 3.0
    objects = rng.uniform(0, side, (int(density * side**2), 2))
    positions = rng.uniform(10, side - 10, (4000, 2))
    hit = [np.any(np.sum((objects - p) ** 2, axis=1) < d**2) for p in positions]
    assert chance_probability(d, density) == pytest.approx(np.mean(hit), abs=0.03)
    assert chance_probability(0.0, density) == 0.0
    assert chance_probability(1e-4, 1e-6) == pytest.approx(np.pi * 1e-14, rel=1e-6)


def test_catalogue_counts_go_before_the_law() -> None:
    mags = np.linspace(20, 26, 50)
    known = Imaging(objects=(target(1.0, 0.0, 23.0),), surface_density={"a": (mags, np.linspace(0, 0.02, 50))})
    (match,) = find_matches(known, RA, DEC)
    assert match.chance == pytest.approx(1 - np.exp(-np.pi * 0.01), rel=1e-6)
    (law,) = find_matches(Imaging(objects=(target(1.0, 0.0, 23.0),)), RA, DEC)
    assert law.chance == pytest.approx(1 - np.exp(-np.pi * number_counts(23.0)), rel=1e-6)
    # Hogg et al. 1997 have about 7e4 galaxies per square degree brighter than R = 24.
    assert number_counts(24.0) * 3600**2 == pytest.approx(7e4, rel=0.2)


def test_order_rank_and_selection() -> None:
    imaging = Imaging(
        objects=(target(2.5, 0, 25.0), target(0.4, 0, 24.0), target(0.2, 0.9, None), target(0.5, 0.5, 26.9))
    )
    matches = find_matches(imaging, RA, DEC)
    assert [m.rank for m in matches] == [1, 2, 3, 4]
    assert [m.selected for m in matches] == [True, False, False, False]
    assert matches[0].separation == pytest.approx(0.4, abs=1e-3)
    assert np.isnan(matches[-1].chance) and matches[-1].band == ""
    chances = [m.chance for m in matches[:-1]]
    assert chances == sorted(chances)


def test_a_galaxy_that_covers_the_position_is_a_match() -> None:
    galaxy = target(0.0, 8.0, 17.0, major=6.0, minor=2.0, position_angle=0.0)
    along = find_matches(Imaging(objects=(galaxy,)), RA, DEC)
    assert len(along) == 1 and along[0].separation == pytest.approx(8.0, abs=1e-3)
    # The equal-area circle of the ellipse through the position: 8/6 of √(6 x 2).
    assert along[0].chance == pytest.approx(chance_probability(8 / 6 * np.sqrt(12.0), number_counts(17.0)), rel=1e-4)
    across = target(0.0, 8.0, 17.0, major=6.0, minor=2.0, position_angle=90.0)
    assert find_matches(Imaging(objects=(across,)), RA, DEC) == ()


def test_elliptical_distance() -> None:
    half = np.sqrt(0.5)
    at = (RA + 5 * half / 3600 / np.cos(np.radians(DEC)), DEC + 5 * half / 3600)
    assert elliptical_distance(RA, DEC, 5.0, 1.0, 45.0, at) == pytest.approx(1.0, abs=1e-4)
    assert elliptical_distance(RA, DEC, 5.0, 1.0, 135.0, at) == pytest.approx(5.0, abs=1e-3)


def test_one_object_of_three_catalogues_is_one_match() -> None:
    imaging = Imaging(
        objects=(
            target(0.3, 0.0, 23.0, "hsc", "r"),
            target(0.35, 0.1, 23.6, "cfhtls", "g", spec_z=0.5),
            target(0.3, 0.1, 23.9, "decals", "g"),
            target(1.5, 0.0, 25.0, "hsc", "r"),
        )
    )
    matches = find_matches(imaging, RA, DEC)
    assert len(matches) == 2
    first = matches[0]
    assert first.object.spec_z == 0.5 and first.band == "g"
    assert {m.band for m in first.object.magnitudes} == {"g", "r"}
    assert first.object.catalog == "hsc, cfhtls, decals"


def test_two_objects_of_one_catalogue_stay_two() -> None:
    imaging = Imaging(objects=(target(0.3, 0.0), target(0.5, 0.0), target(0.32, 0.0, catalog="b")))
    assert len(find_matches(imaging, RA, DEC)) == 2


def test_a_limit_is_no_brightness() -> None:
    fainter = CatalogObject(RA, DEC, "a", magnitudes=(Magnitude("g", 25.0, is_limit=True), Magnitude("z", 22.0, 0.1)))
    (match,) = find_matches(Imaging(objects=(fainter,)), RA, DEC)
    assert match.band == "z"
    only = CatalogObject(RA, DEC, "a", magnitudes=(Magnitude("g", 25.0, is_limit=True),))
    (match,) = find_matches(Imaging(objects=(only,)), RA, DEC)
    assert np.isnan(match.chance)


def test_unusable_requests() -> None:
    for ra, radius in ((float("nan"), 3.0), (RA, float("nan")), (RA, -1.0)):
        with pytest.raises(DataError, match="counterparts"):
            find_matches(Imaging(), ra, DEC, radius)
    assert find_matches(Imaging(), RA, DEC) == ()
