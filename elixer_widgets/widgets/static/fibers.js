// The fiber strip: shows the text that Python made; tells which fiber is under the pointer, the wavelength there,
// and the data-key of what was clicked. Lights up the fiber and marks the wavelength that the other panels point at.
function render({ model, el }) {
  el.classList.add("ew-markup", "ew-fiber-view");
  let sent = 0;
  let later = 0;
  let under = "";
  const light = (fiber) => {
    for (const each of el.querySelectorAll("[data-fiber]")) {
      each.classList.toggle("ew-lit", fiber !== "" && each.dataset.fiber === fiber);
    }
  };
  const mark = (wavelength) => {
    for (const line of el.querySelectorAll(".ew-strip-cursor")) {
      const { low, high } = line.parentElement.dataset;
      const share = (wavelength - low) / (high - low);
      const inside = wavelength !== null && share >= 0 && share <= 1;
      line.style.display = inside ? "block" : "none";
      if (inside) line.style.left = `${100 * share}%`;
    }
  };
  let drawn = null;
  el.ewDrawn = () => drawn === model.get("markup");
  const draw = () => {
    const focused = el.contains(document.activeElement) && document.activeElement.dataset.key;
    el.innerHTML = drawn = model.get("markup");
    for (const cell of el.querySelectorAll("[data-low]")) {
      const line = document.createElement("i");
      line.className = "ew-strip-cursor";
      cell.append(line);
    }
    if (focused) el.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    light(under || model.get("hover"));
    mark(model.get("cursor"));
  };
  const tell = (content) => {
    clearTimeout(later);
    later = setTimeout(() => {
      sent = performance.now();
      model.send(content);
    }, Math.max(0, 33 - (performance.now() - sent)));
  };
  const moved = (event) => {
    const owner = event.target.closest("[data-fiber]");
    const fiber = owner && el.contains(owner) ? owner.dataset.fiber : "";
    if (fiber !== under) {
      under = fiber;
      light(fiber);
      model.send({ hover: fiber });
    }
    const cell = event.target.closest("[data-low]");
    if (!cell) return;
    const box = cell.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const wavelength = Number(cell.dataset.low) + share * (cell.dataset.high - cell.dataset.low);
    mark(wavelength);
    tell({ cursor: wavelength });
  };
  const left = () => {
    if (under) model.send({ hover: "" });
    under = "";
    light("");
    mark(null);
    tell({ cursor: null });
  };
  const pick = (event) => {
    const target = event.target.closest("[data-key]");
    if (target && el.contains(target)) model.send({ picked: target.dataset.key });
  };
  const pressed = (event) => {
    const target = event.target.closest("[data-key]");
    if (!target || target.tagName === "BUTTON" || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    pick(event);
  };
  const focused = (event) => {
    const owner = event.target.closest("[data-fiber]");
    if (owner) model.send({ hover: owner.dataset.fiber });
  };
  const hovered = () => light(under || model.get("hover"));
  const cursor = () => mark(model.get("cursor"));
  model.on("change:markup", draw);
  model.on("change:hover", hovered);
  model.on("change:cursor", cursor);
  el.addEventListener("pointermove", moved);
  el.addEventListener("pointerleave", left);
  el.addEventListener("click", pick);
  el.addEventListener("keydown", pressed);
  el.addEventListener("focusin", focused);
  draw();
  return () => {
    clearTimeout(later);
    model.off("change:markup", draw);
    model.off("change:hover", hovered);
    model.off("change:cursor", cursor);
  };
}
export default { initialize: ({ model }) => hear(model), render };
