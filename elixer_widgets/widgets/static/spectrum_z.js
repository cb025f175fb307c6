// A slider for the redshift: all labels follow while it moves, the answer is given when it is let go.
function render({ model, el }) {
  el.classList.add("ew-z-slider");
  const box = document.createElement("label");
  box.textContent = "z";
  const slider = document.createElement("input");
  slider.type = "range";
  slider.setAttribute("aria-label", "redshift");
  const readout = document.createElement("output");
  box.append(slider, readout);
  el.append(box);
  let waiting = false;
  let latest = null;
  let held = false;
  const write = (value) => (readout.textContent = Number.isFinite(value) ? value.toFixed(4) : "–");
  const draw = () => {
    slider.min = model.get("low");
    slider.max = model.get("high");
    slider.step = model.get("step");
    if (held) return;
    const value = model.get("value");
    slider.disabled = model.get("disabled");
    slider.value = value ?? 0;
    write(value ?? NaN);
  };
  const send = () => {
    if (waiting || latest === null) return;
    waiting = true;
    model.send({ trial: latest });
    latest = null;
  };
  const drawn = () => {
    waiting = false;
    send();
  };
  const moving = () => {
    held = true;
    latest = slider.valueAsNumber;
    write(latest);
    send();
  };
  const set = () => {
    held = false;
    latest = null;
    waiting = false;
    model.send({ set: slider.valueAsNumber });
  };
  slider.addEventListener("input", moving);
  slider.addEventListener("change", set);
  for (const name of ["value", "low", "high", "step", "disabled"]) model.on(`change:${name}`, draw);
  model.on("change:drawn", drawn);
  draw();
  return () => {
    for (const name of ["value", "low", "high", "step", "disabled"]) model.off(`change:${name}`, draw);
    model.off("change:drawn", drawn);
  };
}
export default { initialize: ({ model }) => hear(model), render };
