"""The sky view without a browser: what it is made of, what it sends, and what it says where it cannot be."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
from pathlib import Path

import ipyaladin
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from elixer_widgets.widgets import aladin, sky
from tests import factories

WIDGET = (Path(ipyaladin.__file__).parent / "static" / "widget.js").read_text(encoding="utf-8")


def fetch_tool():
    """tools/fetch_aladin.py as a module."""
    path = Path(__file__).parents[2] / "tools" / "fetch_aladin.py"
    spec = importlib.util.spec_from_file_location("fetch_aladin", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recorder:
    """Stands for the Aladin widget: keeps what it would send to the browser."""

    def __init__(self):
        self.sent, self.handlers, self.listener_callback = [], [], {}
        self.target = self.fov = None

    def on_msg(self, handler):
        self.handlers.append(handler)

    def send(self, content, buffers=None):
        self.sent.append((content, buffers))

    def drawn(self):
        for handler in self.handlers:
            handler(self, {"event_type": "drawn"}, [])

    def names(self, event):
        return [content for content, _ in self.sent if content["event_name"] == event]


@pytest.fixture
def view(explorer, monkeypatch):
    """The sky view of a page, its Aladin a recorder, shown and drawn."""
    recorder = Recorder()
    monkeypatch.setattr(sky, "make_aladin", lambda: recorder)
    monkeypatch.setattr(sky.SkyView, "children", [], raising=False)
    explorer.images.show("sky")
    recorder.drawn()
    return explorer, recorder


def test_the_module_loads_nothing_from_elsewhere():
    made = aladin.offline_module(WIDGET, "export default 'the library';")
    assert "esm.sh" not in made
    assert json.dumps("export default 'the library';") in made
    assert made.count("export {") == 1 and "survey:__survey(" in made


def test_an_unknown_widget_is_refused_politely(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="not as expected"):
        aladin.offline_module("export default {}", "")
    monkeypatch.setattr(aladin, "offline_module", lambda *_: (_ for _ in ()).throw(ValueError("new")))
    library = tmp_path / "aladin.js"
    library.write_text("")
    assert "install ipyaladin" in aladin.make_aladin(library)


def test_without_the_library_it_says_what_to_do(explorer, monkeypatch, tmp_path):
    assert "make aladin" in aladin.make_aladin(tmp_path / "aladin.js")
    monkeypatch.setattr(sky, "make_aladin", lambda: aladin.NOT_FETCHED)
    explorer.images.show("sky")
    assert "make aladin" in explorer.images.sky.words.markup
    explorer.state.next()
    assert explorer.images._fault.markup == ""


def test_two_widgets_do_not_share_queue_or_listeners(tmp_path):
    library = tmp_path / "aladin.js"
    library.write_text("export default {}")
    first, second = aladin.make_aladin(library), aladin.make_aladin(library)
    assert first._call_store is not second._call_store
    assert first.listener_callback is not second.listener_callback
    assert first.survey == "blank" and first._init_options["log"] is False


def test_fibers_apertures_catalogue_and_image_are_sent(view):
    explorer, recorder = view
    overlays = {each["graphic_options"]["name"]: each["regions_infos"] for each in recorder.names("add_overlay")}
    fibers = factories.make_fibers()
    assert len(overlays["fibers"]) == len(fibers)
    assert overlays["fibers"][0]["infos"]["radius"] * 3600 == pytest.approx(0.75)
    growth = explorer.state.measurements.growths[0]
    radii = [each["infos"]["radius"] * 3600 for each in overlays["apertures"] if each["region_type"] == "circle"]
    assert radii == pytest.approx([growth.radius, *growth.annulus])
    assert [each["region_type"] for each in overlays["apertures"]].count("ellipse") == 1
    [image] = [buffers[0] for content, buffers in recorder.sent if content["event_name"] == "add_fits"]
    [table] = [buffers[0] for content, buffers in recorder.sent if content["event_name"] == "add_table"]
    assert b"TEST a" in table
    with fits.open(io.BytesIO(image)) as hdus:
        x, y = WCS(hdus[0].header).world_to_pixel_values(factories.RA, factories.DEC)
        peak = np.unravel_index(np.argmax(hdus[0].data), hdus[0].data.shape)
    assert peak == (pytest.approx(float(y), abs=2), pytest.approx(float(x), abs=2))


def test_a_new_detection_takes_the_old_overlays_away(view):
    explorer, recorder = view
    recorder.sent.clear()
    explorer.state.position = 2
    removed = [each["overlay_names"][0] for each in recorder.names("remove_overlay")]
    assert {"fibers", "catalogue", "apertures"} <= set(removed)
    assert len(recorder.names("add_fits")) == 1


def test_a_new_aperture_sends_no_image_again(view):
    explorer, recorder = view
    recorder.sent.clear()
    explorer.state.choose(aperture=sky_aperture(2.0))
    assert recorder.names("add_fits") == []
    [shown] = [e for e in recorder.names("add_overlay") if e["graphic_options"]["name"] == "apertures"]
    assert shown["regions_infos"][0]["infos"]["radius"] * 3600 == pytest.approx(2.0)


def sky_aperture(radius):
    from elixer_widgets.analysis import Aperture

    return Aperture(radius)


def test_the_fiber_under_the_pointer_is_pointed_out(view):
    explorer, recorder = view
    recorder.sent.clear()
    fiber = explorer.state.detection.fibers[1]
    explorer.state.hover_fiber = fiber.fiber_id
    [shown] = recorder.names("add_overlay")
    assert shown["regions_infos"][0]["infos"]["ra"] == fiber.ra
    explorer.state.hover_fiber = ""
    assert recorder.names("remove_overlay")[-1]["overlay_names"] == [sky.POINTED]


def test_a_click_on_the_catalogue_selects_the_match(view):
    explorer, recorder = view
    recorder.listener_callback["object_clicked"]({"data": {"key": "TEST b"}})
    assert explorer.state.selected_match == "TEST b"


def test_a_view_that_is_opened_again_gets_everything_again(view):
    _, recorder = view
    recorder.sent.clear()
    recorder.drawn()
    assert len(recorder.names("add_fits")) == 1 and len(recorder.names("add_overlay")) == 2


def test_nothing_is_sent_while_the_sky_is_not_on_the_page(view):
    explorer, recorder = view
    explorer.images.show("images")
    recorder.sent.clear()
    explorer.state.position = 2
    assert recorder.sent == []


# ------------------------------------------------------------------------------------------------ the fetch tool


def test_what_has_another_checksum_is_not_kept(tmp_path, monkeypatch):
    tool = fetch_tool()
    import tarfile

    packed = tmp_path / "aladin.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        for name in tool.FILES:
            content = b"something else"
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(tool, "_pack", lambda _folder: packed)
    with pytest.raises(tool.NotFetchedError, match="not the file that was expected"):
        tool.fetch(tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_without_npm_or_network_it_says_so_and_is_no_failure(tmp_path, monkeypatch, capsys):
    tool = fetch_tool()
    monkeypatch.setattr(tool, "present", lambda target=None: False)
    monkeypatch.setattr(tool.shutil, "which", lambda _name: None)
    assert tool.main() == 0
    assert "install Node.js" in capsys.readouterr().err
    monkeypatch.setattr(tool.shutil, "which", lambda _name: "/usr/bin/npm")
    refused = subprocess.CompletedProcess([], 1, "", "npm error network ENOTFOUND")
    monkeypatch.setattr(tool.subprocess, "run", lambda *_a, **_k: refused)
    assert tool.main() == 0
    assert "ENOTFOUND" in capsys.readouterr().err
