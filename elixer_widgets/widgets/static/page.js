// The page itself: its style, its keys, and the address that leads back to what is shown.
const KEYS = { n: "next", ArrowRight: "next", p: "previous", ArrowLeft: "previous" };

// whether the element wants the key for itself
function typing(target) {
  if (target.isContentEditable || target.closest("[role=slider]")) return true;
  return ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

function render({ model, el }) {
  el.classList.add("ew-root-mark");
  let root = null;
  let ended = false;
  // the page is the box around this widget, and is there only after both are drawn
  const find = () => {
    root = el.closest(".ew-page");
    if (!root) return ended ? null : requestAnimationFrame(find);
    root.tabIndex = 0;
    root.dataset.lmSuppressShortcuts = "true";
    root.addEventListener("keydown", key);
    root.addEventListener("keydown", leave, true); // boxes keep their keys from rising
    root.addEventListener("change", chosen);
    busy();
    theme();
    preference.addEventListener("change", theme);
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    sizes.observe(root);
    // classes rather than :has(), which would be looked at again with every change of the page
    if (alone) {
      for (let box = root.parentElement; box && box !== document.body; box = box.parentElement) {
        box.classList.add("ew-around");
      }
      root.focus({ preventScroll: true });
    }
    return null;
  };
  const key = (event) => {
    // nothing typed here may reach the notebook, where a stray letter would insert a cell
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const action = KEYS[event.key] || model.get("shortcuts")[event.key];
    if (!action) return;
    event.preventDefault();
    model.send({ pressed: action });
  };
  const leave = (event) => {
    // the box sees the key first; then the page's own keys work again
    if (typing(event.target) && (event.key === "Escape" || event.key === "Enter")) {
      setTimeout(() => root.focus({ preventScroll: true }));
    }
  };
  const busy = () => root?.classList.toggle("ew-busy", model.get("busy"));
  // a choice made here; else what JupyterLab shows; else what the computer prefers
  const preference = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const wanted = model.get("theme");
    const inLab = alone ? undefined : document.body.dataset.jpThemeLight;
    const automatic = inLab === undefined ? preference.matches : inLab === "false";
    const dark = wanted === "dark" || (wanted !== "light" && automatic);
    root?.classList.toggle("ew-dark", dark);
    if (alone) document.documentElement.classList.toggle("ew-alone-dark", dark);
  };
  const themes = new MutationObserver(theme);
  const chosen = (event) => {
    if (event.target.tagName === "SELECT") root.focus({ preventScroll: true });
  };
  let waiting = 0;
  const sizes = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const width = Math.round(root.clientWidth / 20) * 20;
      if (!width || width === model.get("width")) return;
      model.set("width", width);
      model.save_changes();
    }, 200);
  });
  const address = () => {
    const query = model.get("query");
    document.title = model.get("title");
    if (query && document.body.dataset.voila) history.replaceState(null, "", query);
  };
  // only in a page of its own: a notebook's title and address are not ours to change
  const alone = Boolean(document.body.dataset.voila);
  if (alone) {
    document.documentElement.classList.add("ew-alone");
    model.on("change:query", address);
    address();
  }
  model.on("change:busy", busy);
  model.on("change:theme", theme);
  find();
  return () => {
    ended = true;
    sizes.disconnect();
    themes.disconnect();
    preference.removeEventListener("change", theme);
    model.off("change:theme", theme);
    root?.removeEventListener("keydown", key);
    root?.removeEventListener("keydown", leave, true);
    root?.removeEventListener("change", chosen);
    model.off("change:busy", busy);
  };
}
export default { render };
