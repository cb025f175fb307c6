"""The images: where things lie on them, what an aperture under the pointer changes, and what a person reads."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from elixer_widgets._remeasured import with_aperture
from elixer_widgets.analysis import Aperture, interpret, measure
from elixer_widgets.detection import Cutout, DataError
from elixer_widgets.reports.stretch import STRETCHES
from elixer_widgets.widgets import apertures, fluxmap, imaging, tiles
from elixer_widgets.widgets.growth import growth_curve
from elixer_widgets.widgets.state import ExplorerState
from tests import factories
from tests.widgets import fakes


def turned_wcs(turn: float, n: int = 121, scale: float = 0.2, flip: bool = False) -> WCS:
    """A tangent projection about (200, 50), turned by so many degrees, mirrored if asked for."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [200.0, 50.0], [(n + 1) / 2] * 2
    angle = np.radians(turn)
    sense = 1.0 if flip else -1.0
    cd = [[sense * np.cos(angle), np.sin(angle)], [-sense * np.sin(angle), np.cos(angle)]]
    wcs.wcs.cd = scale / 3600 * np.array(cd)
    return wcs


def offset(east: float, north: float) -> tuple[float, float]:
    """(ra, dec) so many arcsec from (200, 50), by another package's spherical trigonometry."""
    middle = SkyCoord(200.0, 50.0, unit="deg")
    angle, distance = np.degrees(np.arctan2(east, north)), np.hypot(east, north)
    at = middle.directional_offset_by(angle * 1.0 * _deg(), distance / 3600 * _deg())
    return float(at.ra.deg), float(at.dec.deg)


def _deg():
    from astropy import units

    return units.deg


# ------------------------------------------------------------------------------------------------- the pictures


@pytest.mark.parametrize("field", [9.0, 15.0])
@pytest.mark.parametrize(("turn", "flip"), [(0.0, False), (37.0, False), (180.0, False), (20.0, True)])
def test_pictures_are_north_up_east_left_however_the_image_lies(turn, flip, field):
    wcs = turned_wcs(turn, flip=flip)
    data = np.zeros((121, 121), np.float32)
    x, y = wcs.world_to_pixel_values(*offset(2.0, 3.0))
    data[round(float(y)), round(float(x))] = 1.0
    picture = tiles.north_up(Cutout(data, wcs, "g", 25.0), 200.0, 50.0, field)
    row, column = np.argwhere(picture > 0.5).mean(axis=0)
    size = picture.shape[0]
    east = -((column + 0.5) / size - 0.5) * field
    north = ((row + 0.5) / size - 0.5) * field
    assert (east, north) == (pytest.approx(2.0, abs=0.25), pytest.approx(3.0, abs=0.25))


def test_what_lies_outside_the_image_is_empty():
    picture = tiles.north_up(factories.make_cutout(), factories.RA, factories.DEC + 14.0 / 3600)
    assert np.isnan(picture[-1]).all() and np.isfinite(picture[0]).all()


@pytest.mark.parametrize(("ra", "dec"), [(200.0, 60.0), (0.0001, -30.0), (120.0, 89.99)])
def test_overlays_lie_where_a_tangent_projection_has_them(ra, dec):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [ra, dec], [0.0, 0.0]
    wcs.wcs.cdelt = [-1 / 3600, 1 / 3600]
    sky = tiles.Sky(ra, dec)
    for right, down in ((0.0, 0.0), (-5.0, 7.0), (29.0, -29.0)):
        there = [float(each) for each in wcs.wcs_pix2world(right, -down, 0 + 1)]
        assert sky(*there) == (pytest.approx(right, abs=1e-3), pytest.approx(down, abs=1e-3))
        assert SkyCoord(*sky.position(right, down), unit="deg").separation(
            SkyCoord(*there, unit="deg")
        ).arcsec == pytest.approx(0.0, abs=1e-3)


def test_one_image_a_band_the_deepest_first_in_order_of_color():
    cutouts = tuple(
        replace(factories.make_cutout(), band=band, depth=depth)
        for band, depth in (("z", 23.0), ("r", 24.0), ("r", 27.0), ("g", 25.0), ("u", 26.0), ("i", 24.0))
    )
    assert [(cutouts[n].band, cutouts[n].depth) for n in tiles.choose_cutouts(cutouts)] == [
        ("u", 26.0), ("g", 25.0), ("r", 27.0), ("i", 24.0), ("z", 23.0),
    ]  # fmt: skip


def test_every_stretch_is_dark_for_much_light_and_they_differ():
    cutout = factories.make_cutout()
    data = tiles.north_up(cutout, factories.RA, factories.DEC)
    painted = {name: tiles.painted(data, cutout, name) for name in STRETCHES}
    for name, picture in painted.items():
        middle, edge = picture[20:25, 20:25].mean(), picture[:5].mean()
        assert middle < 0.5 * edge, name
    assert len({picture.tobytes() for picture in painted.values()}) == len(STRETCHES)


def test_a_stretch_does_not_change_with_the_field():
    cutout = factories.make_cutout()
    shades = [
        tiles.painted(tiles.north_up(cutout, factories.RA, factories.DEC, field), cutout, "sigma").min()
        for field in (9.0, 15.0)
    ]
    near = tiles.painted(np.full((2, 2), 0.1), cutout, "sigma")
    far = tiles.painted(np.full((9, 9), 0.1), cutout, "sigma")
    assert near[0, 0] == far[0, 0] and shades[0] == shades[1]


@pytest.fixture
def big_file(tmp_path):
    """An image of two arcminutes in a file, and a cutout of it as a release gives it."""
    wcs = turned_wcs(25.0, 601)
    data = np.random.default_rng(2).normal(0.0, 1.0, (601, 601)).astype(np.float32)
    path = tmp_path / "image.fits"
    fits.writeto(path, data, wcs.to_header())
    return Cutout.from_fits(path, "r", 27.0, (200.0, 50.0), 30.0, survey="TEST")


def test_more_of_the_sky_is_read_from_the_file_when_asked_for(big_file):
    assert not tiles.reaches(big_file, 60.0)
    narrow = tiles.north_up(big_file, 200.0, 50.0, 60.0)
    found, why = tiles.wider(big_file, 60.0)
    wide = tiles.north_up(found, 200.0, 50.0, 60.0)
    assert why == "" and np.isnan(narrow).any() and np.isfinite(wide).all()
    both = np.isfinite(narrow)
    np.testing.assert_array_equal(wide[both], narrow[both])


def test_a_file_that_holds_another_image_is_not_taken_for_it(big_file):
    other = replace(big_file, data=big_file.data + 1.0)
    found, why = tiles.wider(other, 60.0)
    assert found is other and "several images" in why
    gone = replace(big_file, path=str(big_file.path) + ".gone")
    assert tiles.wider(gone, 60.0)[0] is gone


# ------------------------------------------------------------------------------------------- what lies over them


def test_an_ellipse_points_where_it_was_measured():
    """The ends of the major axis, as SVG turns it, lie in the direction east of north."""
    source = factories.make_measurements().sources[0]
    sky = tiles.Sky(factories.RA, factories.DEC)
    [shape] = apertures.sources([replace(source, position_angle=30.0)], factories.make_cutout(), sky)
    turn = np.radians(shape["turn"])
    right, down = np.cos(turn), np.sin(turn)
    east, north = -right * np.sign(-down), -down * np.sign(-down)  # the end that lies north
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(30.0)


def test_aperture_and_annulus_are_drawn_where_they_were_measured(explorer):
    detection = explorer.state.detection
    growth = replace(explorer.state.measurements.growths[0], ra=detection.ra + 1e-4, minor=0.6, position_angle=90.0)
    shape = apertures.aperture(growth, tiles.Sky(detection.ra, detection.dec))
    assert shape["x"] == pytest.approx(-1e-4 * 3600 * np.cos(np.radians(detection.dec)), abs=2e-3)
    assert (shape["y"], shape["r"], shape["minor"]) == (pytest.approx(0.0, abs=2e-3), 1.2, 0.6)
    assert shape["turn"] == 0.0 and shape["annulus"] == [2.4, 3.6]


def test_sources_of_another_image_are_not_drawn():
    made = factories.make_measurements()
    sky = tiles.Sky(factories.RA, factories.DEC)
    assert len(apertures.sources(made.sources, made.cutouts[0], sky)) == 1


def test_fibers_that_are_off_are_told_and_the_heaviest_lies_on_top():
    fibers = factories.make_fibers()
    shapes = apertures.fibers(fibers, [fibers[1].fiber_id], tiles.Sky(factories.RA, factories.DEC))
    assert [shape["id"] for shape in shapes] == [fiber.fiber_id for fiber in fibers[::-1]]
    assert [shape["number"] for shape in shapes if shape["off"]] == [2]


# ------------------------------------------------------------------------------------------------------ the panel


def scene(explorer):
    return explorer.images.tiles.scene


def drag(explorer, final=False, **shape):
    """What the browser sends while an aperture is dragged; gives what it is answered."""
    answers = []
    widget = explorer.images.tiles
    widget.send = answers.append
    content = {"key": "g TEST", "x": 0.0, "y": 0.0, "r": 1.0, "final": final, **shape}
    widget._handle_custom_msg({"drag": content}, [])
    del widget.send
    return answers


def test_the_radius_slider_measures_again_and_automatic_goes_back(explorer):
    panel = explorer.images
    assert panel.radius.value == pytest.approx(1.2)
    panel.radius.value = 2.4
    assert explorer.state.choices.aperture == Aperture(2.4)
    assert "in 2.4″" in scene(explorer)["tiles"][0]["caption"]
    assert scene(explorer)["tiles"][0]["aperture"]["r"] == 2.4
    assert not panel.automatic.disabled
    panel.automatic.click()
    assert explorer.state.choices.aperture is None
    assert panel.radius.value == pytest.approx(1.2)


def test_a_typed_centre_moves_the_aperture(explorer):
    explorer.images.east.value = "0.5"
    chosen = explorer.state.choices.aperture
    away = SkyCoord(chosen.ra, chosen.dec, unit="deg")
    here = SkyCoord(factories.RA, factories.DEC, unit="deg")
    east, north = (each.arcsec for each in here.spherical_offsets_to(away))
    assert (east, north) == (pytest.approx(0.5, abs=1e-6), pytest.approx(0.0, abs=1e-6))
    explorer.images.north.value = "nowhere"
    assert "not a number" in explorer.state.message


@pytest.fixture(scope="module")
def measured():
    return measure(factories.make_detection())


@pytest.fixture
def real(measured, monkeypatch):
    """A page on real measurements of the made-up detection."""
    from elixer_widgets.widgets import state as state_module
    from elixer_widgets.widgets.explorer import Explorer

    monkeypatch.setattr(state_module, "measure", lambda detection, **_options: replace(measured, detection=detection))
    return Explorer(fakes.FakeRelease())


def test_a_step_of_a_drag_measures_only_the_image_under_the_pointer(real, monkeypatch):
    counted = []
    from elixer_widgets import _remeasured

    one = _remeasured.measure_aperture
    monkeypatch.setattr(_remeasured, "measure_aperture", lambda *a, **k: counted.append(a[0].band) or one(*a, **k))
    before, shown = real.state.measurements, real.state.interpretation
    (answer,) = drag(real, r=2.0)
    assert counted == ["g"]
    assert answer["dragged"] == "step" and answer["key"] == "g TEST" and "in 2.0″" in answer["caption"]
    assert "radius 2.00″" in real.images.readout.markup
    # what measuring with it in that image alone would mean
    tried = interpret(with_aperture(before, Aperture(2.0), (0,)))
    assert real.images.readout.markup == imaging.readout(tried.measurements.growths[0], tried)
    assert tried.measurements.growths[0].aperture_mag != before.growths[0].aperture_mag
    # all else stays until it is let go
    assert real.state.measurements is before and real.state.interpretation is shown
    assert real.state.choices.aperture is None and not real.state.can_undo


def test_a_drag_that_is_given_up_leaves_the_numbers_as_they_were(real):
    before = real.images.readout.markup
    drag(real, r=2.0)
    assert real.images.readout.markup != before
    real.images.tiles._handle_custom_msg({"let go": True}, [])
    assert real.images.readout.markup == before


def test_a_drag_ends_as_one_choice_that_undo_takes_back(faked, explorer):
    drag(explorer, r=1.5)
    assert drag(explorer, final=True, x=-0.6, r=2.0) == [{"dragged": "final"}]
    assert explorer.state.choices.aperture.radius == 2.0
    explorer.state.undo()
    assert explorer.state.choices.aperture is None
    assert scene(explorer)["tiles"][0]["aperture"]["r"] == pytest.approx(1.2)


def test_what_a_dragged_aperture_means_is_what_measuring_with_it_gives(measured):
    aperture = Aperture(2.0, factories.RA + 5e-5, factories.DEC)
    whole = measure(factories.make_detection(), aperture=aperture)
    again = with_aperture(measured, aperture)
    assert again.aperture == whole.aperture
    for one, other in zip(again.growths, whole.growths, strict=True):
        assert (one.mag, one.mag_err, one.limit) == (other.mag, other.mag_err, other.limit)
    first, second = interpret(again), interpret(whole)
    assert first.p_lya == second.p_lya and first.plae_poii.value == second.plae_poii.value


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_a_radius_that_is_none_is_refused(measured, radius):
    with pytest.raises(DataError, match="radius"):
        with_aperture(measured, Aperture(radius))


def test_a_drag_of_an_image_that_is_gone_is_answered_all_the_same(explorer):
    before = explorer.state.interpretation
    assert drag(explorer, key="z GONE") == [{"dragged": "step"}]
    assert explorer.state.interpretation is before


def test_a_limit_in_an_image_is_written_as_one(explorer):
    found = explorer.state.interpretation
    made = found.measurements
    growths = tuple(replace(growth, is_limit=True) for growth in made.growths)
    explorer.state.interpretation = replace(found, measurements=replace(made, growths=growths))
    assert "&gt; 26.30 (2σ)" in scene(explorer)["tiles"][0]["caption"]


def test_selecting_an_image_selects_its_band(explorer):
    explorer.images.tiles.selected = "r TEST"
    assert explorer.state.band == "r TEST"
    explorer.state.act("next image")
    assert explorer.state.band == "g TEST" and explorer.images.tiles.selected == "g TEST"


def test_without_imaging_the_reason_is_told(explorer):
    explorer.state.next()
    assert "no imaging came with this spectrum" in explorer.images.empty.markup
    assert explorer.images.empty.layout.display is None and explorer.images.tiles.layout.display == "none"
    assert explorer.images.radius.disabled
    explorer.state.next()
    assert explorer.images.empty.layout.display == "none" and explorer.images.tiles.layout.display is None


def test_field_stretch_and_blinking_go_both_ways(explorer):
    panel, state = explorer.images, explorer.state
    before = dict(panel.tiles.pictures)
    panel.field.value = 30.0
    assert state.field == 30.0 and scene(explorer)["field"] == 30.0 and panel.tiles.pictures != before
    state.act("closer images")
    assert state.field == 15.0 and panel.field.value == 15.0
    panel.tiles._handle_custom_msg({"zoom": 1}, [])
    assert state.field == 30.0
    state.act("next stretch")
    assert state.stretch == "zscale" and panel.stretch.value == "zscale"
    state.act("blink images")
    assert panel.blink.value and panel.tiles.blink
    panel.blink.value = False
    assert not state.blink and not panel.tiles.blink


def test_the_field_stays_within_what_there_is(explorer):
    for _ in range(9):
        explorer.state.act("wider images")
    assert explorer.state.field == 60.0
    for _ in range(9):
        explorer.state.act("closer images")
    assert explorer.state.field == 9.0


def test_a_fiber_lights_up_both_ways(explorer):
    fiber = explorer.state.detection.fibers[2].fiber_id
    explorer.state.hover_fiber = fiber
    assert explorer.images.tiles.hover_fiber == explorer.images.fluxes.hover_fiber == fiber
    explorer.images.tiles.hover_fiber = ""
    assert explorer.state.hover_fiber == ""


def test_pictures_are_not_made_again_for_a_new_aperture(explorer, monkeypatch):
    explorer.state.position = 0
    monkeypatch.setattr(tiles, "north_up", lambda *_: pytest.fail("made again"))
    explorer.images.radius.value = 2.0
    assert explorer.images._fault.markup == ""


def test_panels_without_a_position_do_not_fail(explorer):
    explorer.state.position = 1  # a spectrum alone
    for view in imaging.VIEWS:
        explorer.images.show(view)
        assert explorer.images._fault.markup == "", view


# ---------------------------------------------------------------------------------------- growth and flux maps


def test_a_growth_curve_is_not_flattened_by_steps_lost_in_the_sky():
    growth = factories.make_measurements().growths[0]
    lost = replace(growth.steps[-1], radius=3.0, mag=31.8, mag_err=9.0)
    assert growth_curve(replace(growth, steps=(*growth.steps, lost))) == growth_curve(growth)


def test_the_line_and_all_light_are_shown_as_maps(explorer):
    explorer.images.show("flux")
    view = explorer.images.fluxes
    assert set(view.pictures) == {"line map", "white map"}
    words = [re.sub("<[^>]*>", " ", tile["caption"]) for tile in view.scene["tiles"]]
    expected = explorer.state.measurements.line_map.snr
    assert f"S/N {expected:.1f} in 1.5″" in words[0] and "white light" in words[1]
    assert view.scene["tiles"][0]["aperture"]["r"] == 1.5 and not view.scene["tiles"][0]["movable"]


def test_a_map_that_cannot_be_made_says_why():
    painted, made = fluxmap.flux_scene(factories.make_measurements(factories.make_bare_detection()))
    assert painted == {} and "no fiber data" in made["tiles"][0]["caption"]


def test_maps_are_not_made_before_they_are_looked_at(faked, monkeypatch):
    from elixer_widgets.widgets.explorer import Explorer

    monkeypatch.setattr(imaging, "FEW", 0)
    monkeypatch.setattr(imaging, "flux_scene", lambda _m: pytest.fail("made"))
    explorer = Explorer(fakes.FakeRelease())
    explorer.state.next()
    assert explorer.images._fault.markup == ""


def test_maps_stand_beside_few_images_and_follow_the_fibers(explorer, monkeypatch):
    panel, state = explorer.images, explorer.state
    monkeypatch.setattr(imaging, "FEW", 0)
    panel.show("images")
    assert panel.fluxes.layout.display == "none" and "ew-few" not in panel._dom_classes
    monkeypatch.setattr(imaging, "FEW", len(state.measurements.cutouts))
    panel.show("images")
    assert panel.fluxes.layout.display is None and panel.tiles.layout.display is None
    assert "ew-few" in panel._dom_classes and len(panel.fluxes.scene["tiles"]) == 2
    off = state.detection.fibers[0].fiber_id
    state.choose(excluded_fibers=(off,))
    made = fluxmap.flux_scene(state.measurements)
    assert panel.fluxes.scene == made[1]
    panel.show("sky")
    assert panel.fluxes.layout.display == "none" and "ew-few" not in panel._dom_classes


def test_the_state_alone_makes_the_panel(state: ExplorerState):
    assert imaging.ImagingPanel(state).tiles.scene["fibers"]
