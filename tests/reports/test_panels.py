"""The pure parts of the panels: limits, labels, orientation, which images, what under them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from elixer_widgets.analysis import interpret, measure
from elixer_widgets.detection import Cutout, Detection, Spectrum
from elixer_widgets.reports import canvas, counterparts, fibers, imaging, layout, line_fit, sky
from elixer_widgets.reports import spectrum as spectrum_panel
from elixer_widgets.reports.evidence import evidence_box, posterior_words
from elixer_widgets.reports.layout import Box
from elixer_widgets.spectra.fitting import LineFit
from tests.factories import DEC, LINE, RA, make_cutout, make_detection, make_interpretation, make_spectrum


def test_labels_keep_their_distance_and_their_order() -> None:
    wanted = [100.0, 101.0, 102.0, 300.0, 900.0, 899.0]
    places = spectrum_panel.spread(wanted, 20.0, 0.0, 1000.0)
    assert np.diff(np.sort(places)).min() >= 20.0 - 1e-9
    assert np.argsort(places).tolist() == np.argsort(wanted).tolist()
    assert places[3] == 300.0  # nothing near: stays where it belongs
    assert places[1] == pytest.approx(101.0)  # three in a cluster move about their middle


def test_labels_stay_inside_even_when_they_are_too_many() -> None:
    places = spectrum_panel.spread([999.0] * 60, 20.0, 0.0, 1000.0)
    assert places.min() >= -1e-9 and places.max() <= 1000.0 + 1e-9
    assert spectrum_panel.spread([], 20.0, 0.0, 1.0).size == 0


def test_spectrum_range_is_set_by_the_line() -> None:
    wave = np.arange(3470.0, 5541.0, 2.0)
    flux = np.zeros(wave.size)
    flux[5] = 500.0  # a spike elsewhere
    flux[wave == LINE] = 10.0
    flux[8] = -80.0
    low, high = spectrum_panel.flux_range(Spectrum(wave, flux, np.ones(wave.size)), LINE)
    assert 20.0 < high < 23.0
    assert -4.0 < low < -2.0


def test_absorber_shows_everything() -> None:
    wave = np.arange(3470.0, 5541.0, 2.0)
    flux = 100.0 - 60.0 * np.exp(-0.5 * ((wave - LINE) / 8) ** 2)
    low, high = spectrum_panel.flux_range(Spectrum(wave, flux, np.ones(wave.size)), LINE)
    assert low < 40.0 and high > 100.0


def test_line_panel_holds_zero_points_and_curve() -> None:
    fit = LineFit(LINE, 3.0, 1.5e-16, 5.0, 12.0, 1.0)
    low, high = line_fit.flux_limits(make_spectrum(), fit, LINE)
    assert low < 0 < high
    assert high > 5.0 + fit.amplitude


def test_the_identity_s_own_model_is_named_with_what_it_gains() -> None:
    wave = np.arange(3470.0, 5541.0, 2.0)
    flux = np.random.default_rng(4).normal(0.2, 0.1, wave.size)
    for place, height in ((2795.53, 1.5), (2802.71, 1.0)):  # Mg II at z 0.7, in air
        flux += height * np.exp(-0.5 * ((wave - place * 1.7 + 1.3) / 4.0) ** 2)
    data = Spectrum(wave, flux, np.full(wave.size, 0.1), lsf_sigma=2.3)
    measured = measure(Detection.from_spectrum(data, 4757.0))
    note = line_fit.model_note(interpret(measured, identity="MgII"))
    assert note.startswith("dashed: Mg II doublet, χ² −")
    assert line_fit.model_note(interpret(measured, identity="Hg")) == ""


def test_hypotheses_put_the_adopted_one_first() -> None:
    found = spectrum_panel.hypotheses(make_interpretation(identity="OII"))
    assert [(each.identity, each.chosen) for each in found] == [("OII", True), ("Lya", False)]
    star = replace(make_interpretation(), identity="star", redshift=math.nan)
    assert not any(each.chosen for each in spectrum_panel.hypotheses(star))


def test_only_companions_inside_the_spectrum_are_labelled() -> None:
    interpretation = make_interpretation()
    found = spectrum_panel.hypotheses(interpretation)
    texts = [text for _, text, _ in spectrum_panel.shown_labels(found, make_spectrum(), LINE)]
    assert texts == ["N V 1241", "[Ne III] 3869"]


def test_ticks_are_round_and_inside() -> None:
    ticks = canvas.nice_ticks(3470.0, 5540.0, 20)
    assert ticks.tolist() == np.arange(3500.0, 5501.0, 100.0).tolist()
    assert canvas.nice_ticks(1.0, 1.0).size == 0
    assert canvas.number(-0.5) == "−0.5" and canvas.number(-0.0) == "0"


def test_long_words_are_broken_too() -> None:
    assert all(len(line) <= 10 for line in canvas.wrap("a" * 35 + " b", 10))


# --------------------------------------------------------------------------------------------------- imaging


def _turned(angle: float, mirrored: bool = False) -> Cutout:
    """A cutout whose north is `angle` degrees clockwise from up; `mirrored` puts east to the right."""
    cutout = make_cutout()
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DEC]
    wcs.wcs.crpix = [76.0, 76.0]
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    step = 0.2 / 3600
    sign = 1.0 if mirrored else -1.0
    wcs.wcs.cd = step * np.array([[sign * c, s], [-sign * s, c]])
    return replace(cutout, wcs=wcs)


@pytest.mark.parametrize(("angle", "mirrored"), [(0, False), (30, False), (200, False), (0, True), (75, True)])
def test_overlays_lie_where_the_pixels_are(angle: float, mirrored: bool) -> None:
    """A position marked through the view falls on the page where its pixel is drawn."""
    cutout = _turned(angle, mirrored)
    box = Box(100, 100, 400, 400)
    view = sky.native_view(box, cutout, RA, DEC)
    ra, dec = RA + 2.0 / 3600 / math.cos(math.radians(DEC)), DEC + 1.0 / 3600
    x, y = cutout.pixel(ra, dec)
    x0, y0 = cutout.pixel(RA, DEC)
    per_pixel = box.width / sky.FIELD * cutout.pixel_scale
    expected = (250 + (x - x0) * per_pixel, 250 - (y - y0) * per_pixel)
    assert view.sky(ra, dec) == pytest.approx(expected, abs=0.3)


def test_plain_view_has_north_up_and_east_left() -> None:
    view = sky.plain_view(Box(0, 0, 90, 90), RA, DEC)
    assert view.place(0, 1) == (45, 35)
    assert view.place(1, 0) == (35, 45)


def test_ellipse_turns_from_north_to_east() -> None:
    view = sky.plain_view(Box(0, 0, 90, 90), RA, DEC)
    outline = view.ellipse(RA, DEC, 2.0, 0.5, 90.0)
    assert np.ptp(outline[:, 0]) == pytest.approx(40.0)  # position angle 90: long axis east-west
    assert np.ptp(outline[:, 1]) == pytest.approx(10.0, rel=0.01)


def test_right_ascension_wraps() -> None:
    view = sky.plain_view(Box(0, 0, 90, 90), 359.9999, 0.0)
    assert view.sky(0.0001, 0.0)[0] == pytest.approx(45 - 0.72 * 10)


def test_crop_is_centred_and_padded() -> None:
    cutout = make_cutout()
    inner = sky.cropped(cutout, RA, DEC)
    assert inner.shape == (45, 45)
    assert inner[22, 22] == cutout.data[75, 75]
    aside = sky.cropped(cutout, RA, DEC + 14.0 / 3600)
    assert np.isnan(aside[-1]).all() and np.isfinite(aside[0]).all()


def test_deepest_of_each_band_is_shown_blue_to_red() -> None:
    bands = [("z", 23.0), ("g", 25.0), ("r", 26.0), ("g", 26.5), ("F606W", 28.0), ("u", 24.0)]
    cutouts = tuple(replace(make_cutout(), band=band, depth=depth) for band, depth in bands)
    assert imaging.chosen_cutouts(cutouts, 5) == [5, 3, 4, 0]
    blank = replace(make_cutout(), data=np.zeros((9, 9), np.float32))
    assert imaging.chosen_cutouts((blank,), 5) == []


def test_captions_write_limits_as_limits() -> None:
    interpretation = make_interpretation()
    growth = interpretation.measurements.growths[0]
    assert imaging.caption(growth, interpretation)[0] == 'm 24.60±0.08  r 1.2"'
    faint = replace(growth, is_limit=True, by_person=True)
    assert imaging.caption(faint, interpretation)[0] == '> 26.3 (2σ)  r 1.2" (person)'
    z = 4500.0 * 1.000279 / 1215.67 - 1  # the air's refraction put right by hand
    wide = 1.5e-16 / (0.09 * 1e-17) / (1 + z)  # line flux over continuum: not the 2 + z of the original's caption
    said = imaging.caption(growth, interpretation)[1]
    assert said.startswith("EWr: ") and float(said[5:].split("±")[0]) == pytest.approx(wide, rel=0.001)
    assert imaging.caption(growth, interpretation)[2] == "PLAE: 30 (9 to 90)"


def test_stack_is_on_the_scale_of_the_noise() -> None:
    image = sky.stack((make_cutout("g"), make_cutout("r")), RA, DEC)
    assert image is not None
    middle = sky.STACK_SAMPLES // 2
    # the made source peaks at 0.6 over noise 0.03: 20 σ in one image, 28 in two (the noise is taken with the source in)
    assert 15 < image[middle, middle] < 30
    assert sky.stack((), RA, DEC) is None


# --------------------------------------------------------------------------------------------------- fibers


def test_sum_leaves_out_cosmic_rays_and_fibers_switched_off() -> None:
    cutouts = make_detection().fiber_images.cutouts
    total = fibers.weighted_sum(cutouts)
    by_hand = sum(c.fiber.weight * np.where(c.cosmic, 0, c.image) for c in cutouts)
    assert np.allclose(total, by_hand)
    without = fibers.weighted_sum(cutouts, (cutouts[0].fiber.fiber_id,))
    assert np.allclose(total - without, cutouts[0].fiber.weight * np.where(cutouts[0].cosmic, 0, cutouts[0].image))


def test_tiles_hold_each_cutout_in_its_place() -> None:
    cutouts = make_detection().fiber_images.cutouts
    picture = fibers.tiled(cutouts)
    assert picture.shape == (5 * 21 + fibers.GAP_Y, 3 * 49 + 2 * fibers.GAP_X, 3)
    # second row from the top is the best fiber; its cosmic ray at row 4, column 10 is green
    top = picture.shape[0] - 21 - fibers.GAP_Y
    assert tuple(picture[top - 21 + 4, 10]) == (51, 255, 59)


def test_fiber_texts_follow_the_report() -> None:
    cutout = make_detection().fiber_images.cutouts[0]
    assert fibers.left_text(cutout) == ["0.35", "1.10", "175"]  # LL, fiber 50: 112 - 50 + 113
    assert fibers.right_text(cutout) == ['0.40"', "(513, 301)", "20190201v012_1", "041_LL_050"]


# --------------------------------------------------------------------------------------------- counterparts


def test_counterpart_column() -> None:
    interpretation = make_interpretation()
    entries = dict(
        zip(counterparts.ROWS, counterparts.column(interpretation.measurements.matches[0], interpretation), strict=True)
    )
    assert entries["Catalogue"] == "TEST a (adopted)"
    assert entries["Separation"] == '0.22"'
    assert entries["Spec z"] == "2.7000 (circle)"
    assert entries["Photo z"] == "2.7 (2.55 to 2.85)"
    assert entries["mag"] == "g 24.60 ± 0.10"


def test_evidence_goes_where_there_is_room() -> None:
    assert evidence_box(4, 3) is not None
    below = evidence_box(7, 1)
    assert below is not None and below.left >= layout.COUNTERPART_COLUMNS[1] and below.right < layout.PHOTO_Z.left
    assert evidence_box(7, 3) is None


def test_posterior_in_words() -> None:
    assert posterior_words(make_interpretation(), 12) == "Lyα 88.0 %"
    assert posterior_words(make_interpretation(), 30).startswith("Lyα 88.0 %,  [O II] 1.0 %")
