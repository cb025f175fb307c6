"""ipyaladin made to work with no internet: with a copy of Aladin Lite that is installed, and a sky of its own.

As it comes, ipyaladin loads Aladin Lite from another computer whenever a page is opened, and Aladin Lite asks surveys
for a background. Here neither happens: the library is that of `tools/fetch_aladin.py`, and the background is empty.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import ipyaladin
from ipyaladin.utils.call_store import CallStore
from traitlets import Any as Trait

from elixer_widgets.widgets.hearing import Hearing, hearing_script

LIBRARY = Path(__file__).parent / "static" / "aladin" / "aladin.js"

TENDED = Path(__file__).parent / "static" / "sky.js"
"""What sees to it that what is sent is drawn; it becomes a part of the module."""

NOT_FETCHED = (
    "The sky view needs Aladin Lite, which was not there when this was installed. Run `make aladin` once, with npm and "
    "a network, or install again. Until then the images show up to 60″ around."
)
NOT_KNOWN = (
    "The sky view does not know this version of ipyaladin; install ipyaladin 0.8.1. Until then the images show up to "
    "60″ around."
)
NO_WEBGL = (
    "This browser cannot draw the sky: it has no WebGL 2. Turn on hardware acceleration, or take another browser. The "
    "images show up to 60″ around."
)

BROKEN = (
    "The sky view could not be started. Reload the page; if it stays so, run `make aladin` again, or install again. "
    "The images show up to 60″ around."
)

BLANK = "blank"

# What Aladin Lite needs to know of a survey; this one has no tile, and asks no other computer for any.
_PROPERTIES = "\n".join(
    (
        "creator_did = ivo://local/blank",
        "obs_title = blank",
        "hips_version = 1.4",
        "hips_tile_format = png",
        "hips_tile_width = 64",
        "hips_order = 0",
        "hips_frame = equatorial",
        "dataproduct_type = image",
    )
)

_BEFORE = """
let __fault = "", __made = null;
const __able = () => {
  try { return Boolean(document.createElement("canvas").getContext("webgl2")); } catch { return false; }
};
const __load = async () => {
  const url = URL.createObjectURL(new Blob([%s], {type: "text/javascript"}));
  try {
    return (await import(url)).default;
  } catch (error) {
    __fault = String(error);
    return {};
  } finally {
    URL.revokeObjectURL(url);
  }
};
const %s = __able() ? await __load() : {};
const __survey = (l, s) => s === "blank"
  ? l.HiPS({properties: new Blob([%s])}, {name: "blank", imgFormat: "png"}) : s;
"""

_AFTER = """
const __view = {
  async initialize(context) {
    await hear(context.model);
    if (!__able() || __fault) return;
    try { await %(inner)s.initialize(context); } catch (error) { __fault = String(error); }
  },
  render(context) {
    const {model, el} = context;
    let end = null;
    if (__able() && !__fault) {
      try { end = %(inner)s.render(context); } catch (error) { __fault = String(error); }
      if (end) {
        const stop = __tend(__made, model);
        return () => { stop(); end(); };
      }
    }
    const box = document.createElement("div");
    box.className = "ew-none";
    box.setAttribute("role", "alert");
    box.textContent = __able() ? %(broken)s + ` (${__fault})` : %(words)s;
    el.replaceChildren(box);
    model.send({event_type: "not drawn"});
    return () => box.remove();
  },
};
export { __view as default };
"""


def offline_module(widget: str, library: str) -> str:
    """ipyaladin's JavaScript with Aladin Lite in it, an empty survey named "blank", and a word where WebGL is missing.

    Parameters
    ----------
    widget : str
        ipyaladin's static/widget.js.
    library : str
        Aladin Lite's dist/aladin.js.

    Raises
    ------
    ValueError
        If the widget is not written as in the versions known here.
    """
    loaded = re.search(r'import\s+(\w+)\s*from\s*"https://[^"]*aladin-lite[^"]*";?\s*var (\w+)=\1;', widget)
    made = re.search(r"new (\w+)\.aladin\((\w+),(\w+)\)", widget)
    given = re.search(r"export\s*\{\s*([\w$]+) as default\s*\};?\s*$", widget)
    survey = re.search(r"this\.aladin\.setImageSurvey\((\w+)\)", widget)
    if loaded is None or made is None or given is None or survey is None:
        raise ValueError("ipyaladin's widget.js is not as expected")
    added = "add_fits:this.messageHandler.handleAddFits,"
    if added not in widget:
        raise ValueError("ipyaladin's widget.js is not as expected")
    name = loaded[2]
    before = _BEFORE % (json.dumps(library), loaded[1], json.dumps(_PROPERTIES))
    body = widget.replace(loaded[0], f"var {name}={loaded[1]};")
    body = body.replace(
        made[0], f"__made=new {name}.aladin({made[2]},{{...{made[3]},survey:__survey({name},{made[3]}.survey)}})"
    )
    # sent again and looked after by static/sky.js, which knows whether they came through
    body = body.replace(
        added, "add_fits:(e,i)=>__tended.get(this.aladin)?.image(e,i),aim:e=>__tended.get(this.aladin)?.aim(e),"
    )
    body = body.replace(survey[0], f"this.aladin.setImageSurvey(__survey({name},{survey[1]}))")
    body = body.replace(given[0], "")
    after = _AFTER % {"inner": given[1], "words": json.dumps(NO_WEBGL), "broken": json.dumps(BROKEN)}
    return before + hearing_script(TENDED.name) + body + after


def make_aladin(library: Path = LIBRARY) -> ipyaladin.Aladin | str:
    """An Aladin widget that asks no other computer for anything, or why there is none."""
    if not library.is_file():
        return NOT_FETCHED
    source = resources.files(ipyaladin).joinpath("static", "widget.js").read_text(encoding="utf-8")
    try:
        module = offline_module(source, library.read_text(encoding="utf-8"))
    except ValueError:
        return NOT_KNOWN

    class OfflineAladin(Hearing, ipyaladin.Aladin):
        """ipyaladin, each widget with its own queue and listeners: upstream all widgets share them."""

        _esm = module
        # a view without a base layer yet says {} here, which upstream's trait refuses, and all that came with it
        _base_layer_last_view = Trait("").tag(sync=True)

        def __init__(self, **options: Any) -> None:
            self._call_store = CallStore()
            self.listener_callback: dict[str, Any] = {}
            super().__init__(**options)

    return OfflineAladin(
        survey=BLANK,
        log=False,
        fov=0.02,
        height=-1,
        projection="TAN",
        show_simbad_pointer_control=False,
        show_settings_control=False,
        show_context_menu=False,
        show_layers_control=False,
        show_share_control=False,
        show_coo_grid_control=True,
        show_projection_control=False,
        show_frame=False,
        show_status_bar=False,
    )
