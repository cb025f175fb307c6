// What the front page needs beside its fields: its style, its address, and links that open in place.
function render({ model, el }) {
  el.style.display = "none";
  const alone = Boolean(document.body.dataset.voila);
  if (alone) document.documentElement.classList.add("ew-alone");
  const address = () => {
    if (!alone || !model.get("shown")) return;
    document.title = "ELiXer Widgets";
    history.replaceState(null, "", model.get("query"));
  };
  // an ordinary click stays in this page; a click that asks for a new tab is left to the browser
  const click = (event) => {
    const link = event.target.closest(".ew-landing-results a[data-key]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) event.preventDefault();
  };
  document.addEventListener("click", click, true);
  model.on("change:query", address);
  model.on("change:shown", address);
  address();
  return () => {
    document.removeEventListener("click", click, true);
    model.off("change:query", address);
    model.off("change:shown", address);
  };
}
export default { initialize: ({ model }) => hear(model), render };
