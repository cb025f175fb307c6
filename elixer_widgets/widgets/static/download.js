// A button that asks Python for a file and hands the bytes to the browser as a download.
function render({ model, el }) {
  el.classList.add("ew-download");
  const button = document.createElement("button");
  button.className = "ew-button";
  el.append(button);
  const draw = () => {
    button.textContent = model.get("busy") ? "writing …" : model.get("label");
    button.title = model.get("hint");
    button.disabled = model.get("busy") || model.get("disabled");
  };
  const ask = () => model.send({ wanted: true });
  const receive = (message, buffers) => {
    if (!message || message.kind !== "file" || !buffers || !buffers.length) return;
    const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = message.name;
    document.body.append(link);
    link.click();
    link.remove();
    // the browser reads the blob after the click returns
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  };
  button.addEventListener("click", ask);
  model.on("change", draw);
  model.on("msg:custom", receive);
  draw();
  return () => {
    button.removeEventListener("click", ask);
    model.off("change", draw);
    model.off("msg:custom", receive);
  };
}
export default { initialize: ({ model }) => hear(model), render };
