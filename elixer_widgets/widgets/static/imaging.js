// Images with what lies over them, in arcsec about the detection. The aperture follows the pointer here at once; Python
// is told no faster than it answers.
const SVG = "http://www.w3.org/2000/svg";
const BLINK = 650; // ms an image is shown while blinking
const EDGE = 7; // pixels from the aperture's edge within which the pointer takes hold of it

const escape = (text) =>
  String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const tip = (text) => (text ? `<title>${escape(text)}</title>` : "");

function fibers(found) {
  return found
    .map(
      (f) =>
        `<circle class="ew-fiber${f.heavy ? " ew-heavy" : ""}${f.off ? " ew-off" : ""}" data-fiber="${escape(f.id)}" ` +
        `cx="${f.x}" cy="${f.y}" r="${f.r}" style="stroke:${escape(f.color)}">${tip(f.tip)}</circle>`,
    )
    .join("");
}

function objects(found, field) {
  const half = Math.max(0.28, 0.013 * field);
  return found
    .map((o) => {
      const known = o.key ? ` data-match="${escape(o.key)}"` : "";
      const kind = `ew-object${o.key ? "" : " ew-other"}${o.taken ? " ew-taken" : ""}`;
      const number = o.key ? `<text x="${o.x + 1.3 * half}" y="${o.y - half}" font-size="${2.1 * half}">${o.rank}</text>` : "";
      return (
        `<g class="${kind}"${known}><rect x="${o.x - half}" y="${o.y - half}" width="${2 * half}" height="${2 * half}">` +
        `${tip(o.tip)}</rect>${number}</g>`
      );
    })
    .join("");
}

function ellipse(shape, kind, more = "") {
  return (
    `<ellipse class="${kind}" cx="${shape.x}" cy="${shape.y}" rx="${shape.r}" ry="${shape.minor}" ` +
    `transform="rotate(${shape.turn} ${shape.x} ${shape.y})" ${more}>${tip(shape.tip)}</ellipse>`
  );
}

function aperture(shape, movable) {
  if (!shape) return "";
  const rings = shape.annulus
    .map((edge) => `<circle class="ew-annulus" cx="${shape.x}" cy="${shape.y}" r="${edge}"></circle>`)
    .join("");
  const title = `aperture, radius ${shape.r.toFixed(2)}″${movable ? "; drag its middle or its edge" : ""}`;
  const ring = ellipse({ ...shape, tip: title }, "ew-aperture");
  return rings + ring + (movable ? ellipse({ ...shape, tip: title }, "ew-grip", 'data-grip="size"') : "");
}

function frame(field, bar, psf) {
  const half = field / 2;
  const edge = half - 0.04 * field;
  const size = 0.068 * field;
  const text = `font-size="${size}" stroke-width="${0.2 * size}"`;
  let disc = "";
  if (psf) {
    const place = half - 0.03 * field - psf / 2;
    disc = `<circle class="ew-psf" cx="${place}" cy="${place}" r="${psf / 2}">${tip(`PSF, FWHM ${psf.toFixed(2)}″`)}</circle>`;
  }
  return (
    `<g class="ew-frame"><line x1="${-edge}" y1="${edge}" x2="${-edge + bar}" y2="${edge}"></line>` +
    `<text ${text} x="${-edge}" y="${edge - 0.03 * field}">${bar}″</text>` +
    `<text ${text} x="0" y="${-half + 0.08 * field}" text-anchor="middle">N</text>` +
    `<text ${text} x="${-half + 0.015 * field}" y="${0.025 * field}">E</text>${disc}</g>`
  );
}

function overlay(scene, tile, shape) {
  const movable = tile.movable && shape;
  const move = movable ? ellipse(shape, "ew-grip ew-move", 'data-grip="move"') : "";
  return (
    move +
    tile.sources.map((s) => ellipse(s, `ew-source${s.selected ? " ew-taken" : ""}`)).join("") +
    fibers(scene.fibers) +
    objects(scene.objects, scene.field) +
    `<g class="ew-shape">${aperture(shape, movable)}</g>` +
    frame(scene.field, scene.bar, tile.psf)
  );
}

function render({ model, el }) {
  el.classList.add("ew-markup", "ew-image-host");
  const row = document.createElement("div");
  row.className = "ew-tiles";
  el.append(row);
  const tiles = new Map();
  let now = 0; // of the images that blink
  let drag = null; // {key, grip, shape, moved, final}
  let waiting = false;
  let pending = null;
  let ended = -1000;

  const side = document.createElement("div");
  side.className = "ew-beside";

  const make = (key) => {
    const box = document.createElement("div");
    box.className = "ew-tile";
    box.tabIndex = 0;
    box.setAttribute("role", "button");
    box.dataset.key = key;
    const svg = document.createElementNS(SVG, "svg");
    const image = document.createElementNS(SVG, "image");
    const over = document.createElementNS(SVG, "g");
    svg.append(image, over);
    const text = document.createElement("span");
    text.className = "ew-tile-text";
    box.append(svg, text);
    return { box, svg, image, over, text };
  };

  const shapeOf = (tile) => (drag && drag.key === tile.key ? drag.shape : tile.aperture);

  const layout = () => {
    const scene = model.get("scene");
    const keys = (scene.tiles || []).map((tile) => tile.key);
    if (keys.join("\n") !== [...tiles.keys()].join("\n")) {
      tiles.clear();
      for (const key of keys) tiles.set(key, make(key));
      row.replaceChildren(...[...tiles.values()].map((each) => each.box), side);
    }
    row.style.setProperty("--tiles", Math.max(keys.length, 1));
  };

  let drawn = null; // the scene
  // models take a new object that says the same without a word
  const same = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);
  el.ewDrawn = () => {
    if (!same(drawn, model.get("scene")) || !same(painted, model.get("pictures"))) return false;
    drawn = model.get("scene");
    painted = model.get("pictures");
    return said === model.get("beside");
  };
  let painted = null;
  let said = null;
  const draw = () => {
    const scene = model.get("scene");
    if (drag && drag.of !== scene.of) drag = pending = null; // the page was turned under the hand
    if (drawn?.of !== scene.of) waiting = false; // what was asked of the page before may not have been taken
    drawn = scene;
    layout();
    const half = scene.field / 2;
    const common = JSON.stringify([scene.field, scene.fibers, scene.objects]);
    for (const tile of scene.tiles || []) {
      const made = tiles.get(tile.key);
      made.svg.setAttribute("viewBox", `${-half} ${-half} ${scene.field} ${scene.field}`);
      for (const [name, value] of [["x", -half], ["y", -half], ["width", scene.field], ["height", scene.field]]) {
        made.image.setAttribute(name, value);
      }
      // an aperture that moves on one image leaves the others as they are
      const shape = shapeOf(tile);
      const drawn = JSON.stringify([common, tile, shape]);
      if (made.drawn !== drawn) {
        made.over.innerHTML = overlay(scene, tile, shape);
        made.drawn = drawn;
      }
      if (made.words !== tile.caption) made.text.innerHTML = made.words = tile.caption;
      made.box.title = tile.note;
    }
    paint();
    choose();
    light();
    pick();
  };

  const paint = () => {
    const pictures = model.get("pictures");
    for (const [key, made] of tiles) {
      const picture = pictures[key] || "";
      if (made.picture === picture) continue;
      // a new element: one that is told of another picture shows the old one until that is decoded
      const image = made.image.cloneNode(false);
      image.setAttribute("href", (made.picture = picture));
      made.image.replaceWith(image);
      made.image = image;
    }
    painted = pictures;
  };

  const choose = () => {
    for (const [key, made] of tiles) made.box.setAttribute("aria-pressed", key === model.get("selected"));
  };
  const light = () => {
    const lit = model.get("hover_fiber");
    for (const each of el.querySelectorAll("[data-fiber]")) each.classList.toggle("ew-lit", each.dataset.fiber === lit);
  };
  const pick = () => {
    const picked = model.get("selected_match");
    for (const each of el.querySelectorAll("[data-match]")) each.classList.toggle("ew-picked", each.dataset.match === picked);
  };
  const beside = () => {
    side.innerHTML = said = model.get("beside");
  };

  // ---- blinking
  let timer = 0;
  const turn = () => {
    const boxes = [...tiles.values()].map((made) => made.box);
    boxes.forEach((box, number) => box.classList.toggle("ew-now", number === now % Math.max(boxes.length, 1)));
  };
  const blink = () => {
    clearInterval(timer);
    const on = model.get("blink");
    row.classList.toggle("ew-blinking", on);
    if (!on) return;
    now = Math.max([...tiles.keys()].indexOf(model.get("selected")), 0);
    turn();
    timer = setInterval(() => {
      if (drag) return; // an image must not vanish under the hand
      now += 1;
      turn();
    }, BLINK);
  };

  // ---- the aperture under the pointer
  const place = (event, svg) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [at.x, at.y];
  };
  const tell = () => {
    if (waiting || !pending) return;
    waiting = true;
    model.send({ drag: pending });
    pending = null;
  };
  const answered = (message) => {
    if (!message || !("dragged" in message)) return;
    waiting = false;
    const told = drag && tiles.get(message.key);
    if (told) told.text.innerHTML = told.words = message.caption;
    if (message.dragged === "final" && drag?.final) {
      drag = null;
      draw();
    }
    tell();
  };
  // by place, not by what lies on top there: a catalogue object often sits in the middle of the aperture
  const gripAt = (shape, x, y, pixel) => {
    const away = Math.hypot(x - shape.x, y - shape.y);
    if (Math.abs(away - shape.r) < EDGE * pixel) return "size";
    return away < shape.r ? "move" : "";
  };
  const start = (event) => {
    const box = event.target.closest(".ew-tile");
    if (!box || event.button || drag?.final) return;
    const scene = model.get("scene");
    const tile = scene.tiles.find((each) => each.key === box.dataset.key);
    if (!tile?.movable || !tile.aperture) return;
    const svg = tiles.get(tile.key).svg;
    const [x, y] = place(event, svg);
    const grip = gripAt(tile.aperture, x, y, scene.field / svg.clientWidth);
    if (!grip) return;
    drag = { key: tile.key, of: scene.of, grip, shape: { ...tile.aperture }, moved: false, svg };
    drag.from = [event.clientX, event.clientY];
    drag.offset = [tile.aperture.x - x, tile.aperture.y - y];
  };
  const round = (value) => Math.round(value * 100) / 100;
  const move = (event) => {
    if (!drag || drag.final) return;
    if (!drag.moved) {
      // a click moves nothing; and only what moves takes the pointer, so that a click still finds what lies there
      if (Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < 2) return;
      drag.svg.setPointerCapture(event.pointerId);
      set("selected", drag.key); // the numbers beside are those of the image under the hand
    }
    const [x, y] = place(event, drag.svg);
    const { least, most, reach } = model.get("scene").limits;
    if (drag.grip === "size") {
      const r = round(Math.min(Math.max(Math.hypot(x - drag.shape.x, y - drag.shape.y), least), most));
      drag.shape = { ...drag.shape, r, minor: r };
    } else {
      const clip = (value) => round(Math.min(Math.max(value, -reach), reach));
      drag.shape = { ...drag.shape, x: clip(x + drag.offset[0]), y: clip(y + drag.offset[1]), minor: drag.shape.r };
    }
    drag.moved = true;
    const made = tiles.get(drag.key);
    made.drawn = "";
    made.over.querySelector(".ew-shape").innerHTML = aperture(drag.shape, true);
    pending = { key: drag.key, x: drag.shape.x, y: drag.shape.y, r: drag.shape.r, final: false };
    tell();
  };
  const end = (event) => {
    if (!drag || drag.final) return;
    if (!drag.moved || event.type === "pointercancel") {
      if (drag.moved) model.send({ "let go": true });
      drag = pending = null;
      if (event.type === "pointercancel") draw();
      return;
    }
    drag.final = true;
    ended = event.timeStamp;
    pending = { key: drag.key, x: drag.shape.x, y: drag.shape.y, r: drag.shape.r, final: true };
    tell();
  };

  // ---- hovering, picking, zooming
  const set = (name, value) => {
    if (model.get(name) === value) return;
    model.set(name, value);
    model.save_changes();
  };
  const over = (event) => {
    if (!drag) set("hover_fiber", event.target.closest?.("[data-fiber]")?.dataset.fiber || "");
  };
  const out = () => set("hover_fiber", "");
  const act = (event) => {
    if (event.timeStamp - ended < 50) return; // the click that ends a drag
    const match = event.target.closest("[data-match]");
    const box = event.target.closest(".ew-tile");
    if (match) set("selected_match", match.dataset.match === model.get("selected_match") ? "" : match.dataset.match);
    else if (box) set("selected", box.dataset.key);
  };
  const key = (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.closest(".ew-tile")) {
      event.preventDefault();
      act(event);
    }
  };
  let wheeled = 0;
  const wheel = (event) => {
    if (!event.target.closest(".ew-tile") || event.ctrlKey) return;
    event.preventDefault();
    if (event.timeStamp - wheeled < 180) return; // one step a notch, also with a touch pad
    wheeled = event.timeStamp;
    model.send({ zoom: event.deltaY > 0 ? 1 : -1 });
  };

  row.addEventListener("pointerdown", start);
  row.addEventListener("pointermove", move);
  row.addEventListener("pointerup", end);
  row.addEventListener("pointercancel", end);
  row.addEventListener("pointerover", over);
  row.addEventListener("pointerleave", out);
  row.addEventListener("click", act);
  row.addEventListener("keydown", key);
  row.addEventListener("wheel", wheel, { passive: false });
  const listeners = {
    "change:scene": () => {
      draw();
      if (model.get("blink")) turn();
    },
    "change:pictures": paint,
    "change:selected": choose,
    "change:hover_fiber": light,
    "change:selected_match": pick,
    "change:beside": beside,
    "change:blink": blink,
    "msg:custom": answered,
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  draw();
  beside();
  blink();
  return () => {
    clearInterval(timer);
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}
export default { initialize: ({ model }) => hear(model), render };
