// A box for a remark that saves itself. What is written belongs to the detection shown when it was begun.
const PAUSE = 500; // ms without a letter after which it is saved

function render({ model, el }) {
  const box = document.createElement("textarea");
  box.rows = 1;
  box.placeholder = "remark (Shift+C)";
  box.setAttribute("aria-label", "remark");
  el.append(box);
  let begun = null; // the task that the unsaved text is about
  let timer = 0;
  const save = () => {
    clearTimeout(timer);
    if (begun === null) return;
    model.send({ remark: box.value, task: begun });
    begun = null;
  };
  const show = () => {
    if (begun !== null && begun === model.get("task")) return; // what is being written stays
    save();
    if (box.value !== model.get("text")) box.value = model.get("text");
  };
  box.addEventListener("input", () => {
    if (begun === null) begun = model.get("task");
    clearTimeout(timer);
    timer = setTimeout(save, PAUSE);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      save();
      // at once, so that the next key is not a letter of the remark
      box.closest(".ew-page")?.focus({ preventScroll: true });
    }
  });
  box.addEventListener("blur", save);
  model.on("change:task", show);
  model.on("change:text", show);
  show();
  return () => {
    save();
    model.off("change:task", show);
    model.off("change:text", show);
  };
}
export default { initialize: ({ model }) => hear(model), render };
