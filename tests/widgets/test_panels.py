"""Each panel shows what the state holds, and writes back what a person does."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from elixer_widgets.classification.posterior import Evidence
from elixer_widgets.classification.solutions import Companion
from elixer_widgets.detection import DataError, FiberImages, Magnitude
from elixer_widgets.reports import wording
from elixer_widgets.widgets import evidence, fiber_strip, growth, pictures, rivals, words
from elixer_widgets.widgets import state as state_module
from elixer_widgets.widgets.explorer import Explorer
from tests import factories
from tests.widgets.fakes import FakeRelease


def pick(markup, key):
    """What the browser sends when the element with this key is clicked."""
    markup._handle_custom_msg({"picked": key}, [])


def text(markup):
    """Markup without its tags."""
    return re.sub(r"<[^>]+>", " ", markup)


# ---------------------------------------------------------------------------------------------- the whole page


def test_a_page_turn_makes_no_widget(explorer):
    import ipywidgets as W

    before = len(W.Widget.widgets) if hasattr(W.Widget, "widgets") else len(W.widgets.widget._instances)
    for _ in range(3):
        explorer.state.next()
        explorer.state.choose(identity="OII")
    after = len(W.Widget.widgets) if hasattr(W.Widget, "widgets") else len(W.widgets.widget._instances)
    assert after == before


def test_every_panel_is_drawn_without_a_fault(explorer):
    for position in range(4):
        explorer.state.position = position
        for panel in vars(explorer).values():
            if hasattr(panel, "_fault"):
                assert panel._fault.markup == "", type(panel).__name__


def test_a_panel_that_fails_leaves_the_others_working(faked, monkeypatch):
    def broken(*_pieces):
        raise RuntimeError("no such picture")

    monkeypatch.setattr(fiber_strip, "draw", broken)
    explorer = Explorer(FakeRelease())
    assert "no such picture" in explorer.fibers._fault.markup
    assert explorer.fibers.strip.markup == ""
    assert "Lyα 1216" in explorer.verdict.line.markup
    monkeypatch.undo()
    explorer.state.detection = factories.make_detection(5)
    assert explorer.fibers._fault.markup == ""


def test_names_from_files_cannot_become_html(explorer):
    detection = replace(factories.make_detection(), name="<script>alert(1)</script>")
    explorer.state.detection = detection
    explorer.state.measurements = factories.make_measurements(detection)
    explorer.state.interpretation = replace(
        factories.make_interpretation(), measurements=explorer.state.measurements, line_label="<b>x"
    )
    assert "<script>" not in explorer.verdict.line.markup
    assert "<b>x" not in explorer.verdict.line.markup
    assert "&lt;script&gt;" in explorer.verdict.line.markup


def test_the_address_leads_back(explorer):
    assert explorer.frame.stamp["query"] == f"?detectid={FakeRelease.ids[0]}"
    explorer.state.choose(redshift=0.417)
    assert explorer.frame.stamp["query"] == f"?detectid={FakeRelease.ids[0]}&z=0.417"


def test_keys_do_what_they_say(explorer):
    def press(action):
        explorer.frame._handle_custom_msg({"pressed": action}, [])

    press("OII")
    assert explorer.state.interpretation.identity == "OII"
    press("automatic")
    assert explorer.state.interpretation.chosen_by == "automatic"
    press("next")
    assert explorer.state.position == 1
    press("previous")
    assert explorer.state.position == 0
    press("rm -rf")
    assert explorer.state.position == 0


# --------------------------------------------------------------------------------------------------- verdict


def test_the_verdict_follows_the_identity(explorer):
    first = text(explorer.verdict.line.markup)
    assert "Lyα 1216" in first and "2.7027" in first and "51 ± 12 Å" in first and "automatic" in first
    assert "shallow imaging" in first
    explorer.state.choose(identity="OII")
    second = text(explorer.verdict.line.markup)
    assert "[O II] 3728" in second and "0.2071" in second and "155 ± 12 Å" in second and "set by you" in second


def test_an_uncalibrated_probability_says_so(explorer):
    assert "P(Lyα)*" in explorer.verdict.line.markup
    assert "not calibrated" in text(explorer.evidence.bars.markup)


def test_evidence_bars_have_their_signs(explorer):
    bars = explorer.evidence.bars.markup
    assert text(bars).index("equivalent width") < text(bars).index("companion lines")  # strongest first
    assert "+3.1" in bars and "−0.7" in bars
    assert bars.count("ew-against") == 2 and bars.count("ew-for") == 1


def test_what_says_least_is_only_named_where_there_is_no_room():
    few = [Evidence(f"piece {n}", 3.0 - n, "in few words") for n in (0, 1)] + [Evidence("weak", 0.3, "in few words")]
    shown = evidence.draw(replace(factories.make_interpretation(), evidence=tuple(few)))
    assert shown.count("ew-bar-row") == 3 and "said by:" not in shown
    many = few + [Evidence(f"more {n}", -2.0 + 0.1 * n, "in many words, " * 6) for n in range(5)]
    shown = evidence.draw(replace(factories.make_interpretation(), evidence=tuple(many)))
    assert shown.count("ew-bar-row") == 7 and "Little is said by: weak." in text(shown)  # strong ones stay, room or not


# ----------------------------------------------------------------------------------------- rivals and controls


def test_a_card_adopts_its_identity(explorer):
    pick(explorer.rivals.cards, "OII")
    assert explorer.state.choices.identity == "OII"
    assert re.search(r'data-key="OII" aria-pressed="true"', explorer.rivals.cards.markup)
    pick(explorer.rivals.cards, "artifact")
    assert explorer.state.choices.identity == "artifact"


def test_companions_are_told_by_name_or_number():
    made = (
        Companion("NV", "N V 1241", 4592.0, True, 2e-17, 4e-18, 1e-17, 5.0, "found"),
        Companion("CIV", "C IV 1549", 5735.0, True, limit=2e-17, status="missing"),
        Companion("HeII", "He II 1640", 6000.0, False),
    )
    shown = text(rivals.card(replace(factories.make_interpretation().rivals[0], companions=made), False))
    assert "● N V 2.0 ± 0.4" in shown and "○ no C IV &lt; 2.0" in shown and "– 1 outside" in shown
    tips = [rivals.companion_tip(each) for each in made]
    assert "2.00 ± 0.40 × 10⁻¹⁷" in tips[0]
    assert "< 2.00 × 10⁻¹⁷ (3σ)" in tips[1]
    assert "outside the spectrum" in tips[2]
    crowded = (*made, replace(made[1], line="SiIV"), replace(made[1], line="OVI", status="not seen"))
    shown = text(rivals.card(replace(factories.make_interpretation().rivals[0], companions=crowded), False))
    assert "+1 · 1 unseen" in shown and "outside" not in shown  # no room; the tip says it


def test_the_dropdown_and_the_box_reassign_and_follow(explorer):
    controls = explorer.controls
    assert controls.identity.value == "" and controls.redshift.value == "2.7027"
    controls.identity.value = "OII"
    assert explorer.state.interpretation.identity == "OII"
    assert controls.redshift.value == "0.2071"
    controls.redshift.value = "2.7"
    assert explorer.state.choices.redshift == 2.7
    assert controls.identity.value == "Lya"
    controls.automatic.click()
    assert controls.identity.value == "" and explorer.state.choices.automatic_line


def test_a_redshift_that_is_none_is_refused_with_a_sentence(explorer):
    explorer.controls.redshift.value = "two"
    assert "'two' is not a redshift" in explorer.state.message
    assert "'two' is not a redshift" in explorer.status.line.markup.replace("&#x27;", "'")
    assert explorer.state.choices.redshift is None


# -------------------------------------------------------------------------------------------------- detections


def test_the_list_turns_the_page_and_follows(explorer):
    listed = explorer.detections
    assert listed.count.value == "1 of 5"
    assert listed.previous.disabled and not listed.next.disabled
    listed.next.click()
    assert listed.count.value == "2 of 5" and listed.choice.value == 1
    listed.choice.value = 3
    assert explorer.state.position == 3
    listed.jump.value = str(FakeRelease.ids[0])
    assert explorer.state.position == 0 and listed.jump.value == ""


def test_a_long_list_offers_a_part_at_a_time(faked):
    class Long(FakeRelease):
        ids = tuple(range(10_000, 35_000))

    explorer = Explorer(Long(), [i for i in Long.ids if i != Long.ids[-1]])
    assert len(explorer.detections.choice.options) == 100
    explorer.state.jump(20_777)
    labels = [label for label, _ in explorer.detections.choice.options]
    assert any("20777" in label for label in labels) and len(labels) == 100


# ---------------------------------------------------------------------------------------------------- pictures


def test_gray_is_dark_for_light_and_marks_pixels():
    data = np.array([[0.0, 1.0], [np.nan, 0.5]])
    picture = pictures.gray(data, (0.0, 1.0), marked=np.array([[False, False], [False, True]]))
    assert picture[0, 0].tolist() == [255] * 3 and picture[0, 1].tolist() == [0] * 3
    assert picture[1, 0].tolist() == [pictures.EMPTY] * 3
    assert picture[1, 1].tolist() == [0xF0, 0xE4, 0x42]


def test_a_bright_source_does_not_set_the_stretch():
    rng = np.random.default_rng(1)
    data = rng.normal(10.0, 2.0, (50, 50))
    data[20:24, 20:24] = 1e5
    low, high = pictures.robust_range(data)
    assert low == pytest.approx(6.0, abs=0.6) and high == pytest.approx(20.0, abs=1.5)


def test_the_weighted_sum_leaves_masked_pixels_out():
    made = factories.make_detection().fiber_images.cutouts[:2]
    images = [np.full((21, 49), 10.0), np.full((21, 49), 40.0)]
    weights, cosmic = (0.75, 0.25), np.zeros((21, 49), bool)
    cosmic[3, 3] = True
    cutouts = tuple(
        replace(c, image=i, cosmic=cosmic if n == 0 else ~np.ones((21, 49), bool), fiber=replace(c.fiber, weight=w))
        for n, (c, i, w) in enumerate(zip(made, images, weights, strict=True))
    )
    total = fiber_strip.weighted_sum(cutouts)
    assert total[0, 0] == pytest.approx(0.75 * 10 + 0.25 * 40)
    assert total[3, 3] == pytest.approx(40.0)


def test_the_strip_has_the_sum_four_fibers_and_the_ccd():
    markup = fiber_strip.draw(factories.make_detection().fiber_images)
    assert markup.count("ew-strip-row") - markup.count("ew-strip-rows") == 5
    assert markup.count("<img") == 2 + 4 * 3 + 2
    assert "0.35" in markup and "exp 1" in markup and "041 LL 50" in markup


def test_no_fibers_is_said_in_words():
    assert "no fiber data came" in fiber_strip.draw(FiberImages(reason="no fiber data came with this spectrum"))


# ----------------------------------------------------------------------------------------------------- exports


def asked(download):
    """Click, and the messages that the browser would get."""
    sent = []
    download.send = lambda content, buffers=None: sent.append((content, buffers))
    download._handle_custom_msg({"wanted": True}, [])
    return sent


def test_the_report_of_what_is_shown_is_handed_over(explorer, monkeypatch):
    import elixer_widgets.reports as reports

    explorer.state.choose(identity="OII")
    monkeypatch.setattr(
        reports, "write_report", lambda interpretation, path: path.write_text(interpretation.identity), raising=False
    )
    [(content, buffers)] = asked(explorer.exports.pdf)
    assert content == {"kind": "file", "name": f"{FakeRelease.ids[0]}.pdf", "type": "application/pdf"}
    assert bytes(buffers[0]) == b"OII"
    assert not explorer.exports.pdf.busy


def test_an_export_that_fails_is_told_and_the_button_comes_back(explorer, monkeypatch):
    import elixer_widgets.reports as reports

    def refuse(_interpretations, _path):
        raise DataError("the disk is full; make room")

    monkeypatch.setattr(reports, "write_catalog", refuse, raising=False)
    assert asked(explorer.exports.hdf5) == []
    assert "the disk is full; make room" in explorer.state.message
    assert not explorer.exports.hdf5.busy


def test_nothing_can_be_exported_when_nothing_is_shown(explorer):
    explorer.state.position = 4
    assert explorer.exports.pdf.disabled and explorer.exports.hdf5.disabled
    assert asked(explorer.exports.pdf) == []


# ------------------------------------------------------------------------------------------------------ status


def test_what_is_missing_is_said_and_errors_come_first(explorer, monkeypatch):
    explorer.state.position = 1
    missing = explorer.state.detection.not_available
    # the panel that stays empty says why; the last line says the rest
    assert missing["fibers"] in explorer.fibers.strip.markup and missing["fibers"] not in explorer.status.line.markup
    assert "no shot" in explorer.status.line.markup

    def broken(*_args, **_options):
        raise DataError("x.h5: Spectra is missing; copy the file again")

    monkeypatch.setattr(state_module, "measure", broken)
    explorer.state.position = 2
    assert 'role="alert"' in explorer.status.line.markup
    assert "copy the file again" in explorer.status.line.markup


def test_a_fault_stays_on_the_page_though_another_part_of_the_panel_is_drawn(explorer, monkeypatch):
    from elixer_widgets.widgets import spectrum

    def broken(*_args):
        raise RuntimeError("no axis")

    monkeypatch.setattr(spectrum, "flux_range", broken)
    explorer.state.position = 2
    assert "no axis" in explorer.spectrum._fault.markup
    monkeypatch.undo()


def test_a_turn_to_a_known_detection_sends_each_widget_once(explorer, monkeypatch):
    import ipywidgets as W

    explorer.state.position = 2
    explorer.state.position = 0
    sent = []
    monkeypatch.setattr(W.Widget, "_send", lambda self, message, buffers=None: sent.append(self.model_id))
    explorer.state.position = 2
    parts = [model for model in sent if model != explorer.frame.model_id]  # the frame tells what page it is besides
    assert parts and len(parts) == len(set(parts))


# ------------------------------------------------------------------------------------------ what no object can have


@pytest.mark.parametrize("redshift, reason", [(-0.04, "bluer than at rest"), (99.0, "beyond any known galaxy")])
def test_a_rival_with_an_impossible_redshift_is_greyed_and_says_why(redshift, reason):
    base = factories.make_interpretation().rivals[1]
    shown = rivals.card(replace(base, redshift=redshift), adopted=False)
    assert "ew-impossible" in shown and "disabled" in shown
    assert reason in text(shown) and reason in shown.split('title="')[1].split('"')[0]
    assert "disabled" not in rivals.card(base, adopted=False)


def test_identities_that_cannot_be_are_greyed_and_say_why():
    """At 4500 Å [O III], Hβ would be seen bluer than at rest; Lyα and [O II] would not."""
    shown = rivals.draw(factories.make_interpretation())
    tip = re.search(r'ew-impossible" disabled[^>]*title="([^"]*)"', shown).group(1)
    assert "[O III] not possible: z = −0.101 is bluer than at rest" in tip
    assert "[O II]" not in tip and "Lyα" not in tip


@pytest.mark.parametrize("value", [-0.2, 1.3])
def test_what_is_no_probability_is_not_written_as_one(value):
    assert words.percent(value) == "impossible" and wording.chance(value) == "impossible"


def test_an_absorption_line_has_no_negative_width():
    assert words.equivalent_width(-3.24, 0.5, False) == "3.2 ± 0.5 Å in absorption"
    assert wording.width(-3.24, 0.5) == "3.24±0.50 Å (absorption)"
    assert "-" not in words.equivalent_width(-12.0, 1.0, True) and "−" not in words.equivalent_width(-12.0, 1.0, True)


def test_a_magnitude_of_99_is_none():
    assert wording.magnitude(Magnitude("g", 99.0)) == "g not measured"
    assert wording.magnitude(Magnitude("g", -99.0, 0.1)) == "g not measured"
    assert "24.4" in wording.magnitude(Magnitude("g", 24.4, 0.1))


def test_the_curve_of_growth_and_the_caption_say_the_same():
    """A limit is one in both, whatever the curve of a neighbour's light shows."""
    measured = factories.make_interpretation().measurements.growths[0]
    assert "not its own" not in growth.growth_curve(measured)
    for counts, reason in ((9.1, "not its own light"), (0.5, "below 2σ")):
        limit = replace(measured, is_limit=True, counts=counts)
        shown = text(growth.growth_curve(limit))
        assert f"{reason}: &gt; 26.30 (2σ)" in shown
        assert words.aperture_magnitude(limit) == "> 26.30 (2σ)"
