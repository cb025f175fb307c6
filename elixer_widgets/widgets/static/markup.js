// Shows the text that Python made and tells Python the data-key of what was clicked.
function render({ model, el }) {
  el.classList.add("ew-markup");
  let drawn = null;
  el.ewDrawn = () => drawn === model.get("markup");
  const draw = () => {
    const focused = el.contains(document.activeElement) && document.activeElement.dataset.key;
    el.innerHTML = drawn = model.get("markup");
    // the text is redrawn whole, so a person moving by Tab would otherwise be thrown off the page
    if (focused) el.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  };
  const click = (event) => {
    const target = event.target.closest("[data-key]");
    if (target && el.contains(target)) model.send({ picked: target.dataset.key });
  };
  model.on("change:markup", draw);
  el.addEventListener("click", click);
  draw();
  return () => {
    model.off("change:markup", draw);
    el.removeEventListener("click", click);
  };
}
export default { initialize: ({ model }) => hear(model), render };
