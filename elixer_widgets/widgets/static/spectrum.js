// What a pointer does over a plot of the spectrum: tells the wavelength, marks it, picks features, drags the lines.
// The plot itself, its zoom by wheel and drag included, is bqplot's.
const STILL = 4; // px that a hand may tremble within a click

function render({ model, el }) {
  el.classList.add("ew-pointer");
  let host = null;
  let ended = false;
  let scale = null;
  let down = null;
  let dragging = null;
  let waiting = false; // for Python to have drawn the last step of a drag
  let latest = null;
  let sent = 0;
  let later = 0;
  const line = document.createElement("div");
  line.className = "ew-cursor";
  const readout = document.createElement("span");
  line.append(readout);

  const area = () => {
    const [left, right] = model.get("margins");
    const box = host.querySelector(".bqplot").getBoundingClientRect();
    return { box, left: box.left + left, width: box.width - left - right };
  };
  const range = () => (scale ? [scale.get("min"), scale.get("max")] : [NaN, NaN]);
  const wavelength = (event) => {
    const { left, width } = area();
    const [low, high] = range();
    const share = (event.clientX - left) / width;
    return share >= 0 && share <= 1 ? low + share * (high - low) : null;
  };
  const mark = (value) => {
    const [low, high] = range();
    const inside = value !== null && Number.isFinite(value) && value >= low && value <= high;
    line.style.display = inside ? "block" : "none";
    if (!inside) return;
    const { box, left, width } = area();
    const home = host.getBoundingClientRect();
    line.style.left = `${left - home.left + ((value - low) / (high - low)) * width}px`;
    line.style.top = `${box.top - home.top}px`;
    line.style.height = `${box.height}px`;
    line.classList.toggle("ew-cursor-left", value > low + 0.8 * (high - low));
    readout.textContent = `${value.toFixed(1)} Å`;
  };
  // thirty times a second is as much as the other panels can follow
  const tell = (value) => {
    clearTimeout(later);
    const wait = Math.max(0, 33 - (performance.now() - sent));
    later = setTimeout(() => {
      sent = performance.now();
      model.send({ cursor: value });
    }, wait);
  };
  const drag = () => {
    if (waiting || latest === null) return;
    waiting = true;
    model.send({ dragged: [dragging.from, latest] });
    latest = null;
  };
  const drawn = () => {
    waiting = false;
    drag();
  };
  const moved = (event) => {
    const value = wavelength(event);
    if (dragging) {
      if (value !== null) {
        dragging.to = value;
        latest = value;
        mark(value);
        drag();
      }
      return;
    }
    mark(value);
    host.classList.toggle("ew-over-label", named(event));
    tell(value);
  };
  const beyond = (event) => {
    if (dragging && !host.contains(event.target)) moved(event);
  };
  const left = () => {
    if (dragging) return;
    mark(null);
    tell(null);
  };
  // bqplot's own layer for zoom lies over the names, so they are found by their place
  const named = (event) =>
    [...host.querySelectorAll("text.label")].some((text) => {
      if (!text.textContent) return false;
      const box = text.getBoundingClientRect();
      const across = event.clientX >= box.left && event.clientX <= box.right;
      return across && event.clientY >= box.top && event.clientY <= box.bottom;
    });
  const pressed = (event) => {
    if (event.button !== 0) return;
    const label = named(event);
    const value = wavelength(event);
    down = value === null ? null : { x: event.clientX, y: event.clientY, value };
    if (down && (label || event.shiftKey)) {
      // the lines follow the hand; bqplot must not move the plot at the same time
      event.stopImmediatePropagation();
      event.preventDefault();
      dragging = { from: value, to: value };
      host.classList.add("ew-dragging");
    }
  };
  const released = (event) => {
    if (dragging) {
      const { from, to } = dragging;
      dragging = null;
      latest = null;
      waiting = false;
      host.classList.remove("ew-dragging");
      model.send(Math.abs(to - from) > 0 ? { dropped: [from, to] } : { dragged: null });
    } else if (down && host.contains(event.target)) {
      const far = Math.hypot(event.clientX - down.x, event.clientY - down.y);
      if (far <= STILL) model.send({ clicked: down.value });
    }
    down = null;
  };
  const escaped = (event) => {
    if (!dragging || event.key !== "Escape") return;
    event.stopPropagation();
    dragging = null;
    down = null;
    host.classList.remove("ew-dragging");
    model.send({ dragged: null });
  };
  const doubled = () => model.send({ reset: true });
  const shown = () => mark(model.get("cursor"));

  const find = async () => {
    host = el.closest(".ew-plot-box");
    if (!host || !host.querySelector(".bqplot svg")) return ended ? null : requestAnimationFrame(find);
    scale = await model.widget_manager.get_model(model.get("scale"));
    if (ended) return null;
    host.append(line);
    host.addEventListener("pointermove", moved);
    host.addEventListener("pointerleave", left);
    host.addEventListener("mousedown", pressed, true);
    host.addEventListener("dblclick", doubled);
    window.addEventListener("pointermove", beyond);
    window.addEventListener("mouseup", released, true);
    window.addEventListener("keydown", escaped, true);
    host.dataset.ready = "true";
    return null;
  };
  model.on("change:cursor", shown);
  model.on("change:drawn", drawn);
  find();
  return () => {
    ended = true;
    clearTimeout(later);
    model.off("change:cursor", shown);
    model.off("change:drawn", drawn);
    window.removeEventListener("pointermove", beyond);
    window.removeEventListener("mouseup", released, true);
    window.removeEventListener("keydown", escaped, true);
    line.remove();
  };
}
export default { initialize: ({ model }) => hear(model), render };
