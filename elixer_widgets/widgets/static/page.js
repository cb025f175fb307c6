// The page itself: its style, its keys, and the address that leads back to what is shown.
// which key does what comes from Python, with the names of all actions
const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown", " ", "Enter"];
const NOT_TYPED = ["checkbox", "radio", "button", "submit", "range"];
const REMEMBERED = "elixer-widgets-theme";

// whether the element wants all keys for itself
function typing(target) {
  if (target.isContentEditable || target.tagName === "TEXTAREA" || target.tagName === "SELECT") return true;
  return target.tagName === "INPUT" && !NOT_TYPED.includes(target.type);
}

// whether it wants only those that move or press something
function moving(target, key) {
  if (!MOVES.includes(key)) return false;
  if (target.tagName === "INPUT" || target.closest("[role=slider], .noUi-handle, [role=tablist]")) return true;
  return (key === " " || key === "Enter") && Boolean(target.closest("button, a, [data-key], [role=button]"));
}

// a browser may keep nothing of a page in private
function kept(value) {
  try {
    if (value !== undefined) localStorage.setItem(REMEMBERED, value);
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}

// what a screen reader says of a control that carries only a sign, or whose words stand beside it
const CONTROLS = "button, input, select, textarea, [role=slider]";
function name(control) {
  if (control.hasAttribute("aria-label") || control.hasAttribute("aria-labelledby")) return;
  if ([...(control.labels || [])].some((label) => label.textContent.trim())) return;
  const box = control.closest(".jupyter-widgets");
  const beside = box?.querySelector("label, .widget-label")?.textContent.trim();
  const words = control.title || control.getAttribute("placeholder") || beside || control.parentElement?.title || box?.title;
  const sign = control.tagName === "BUTTON" && /[A-Za-z]/.test(control.textContent);
  if (words && !sign) control.setAttribute("aria-label", words);
}

// What the page says of itself. Where it is being left, or its kernel is gone, there is nobody to hear it: connection.js
// sees that, and tells.
function tell(model, content) {
  try {
    Promise.resolve(model.send(content)).catch(() => null);
  } catch {
    // as above
  }
}

function render({ model, el }) {
  el.classList.add("ew-root-mark");
  let root = null;
  let ended = false;
  let watch = null;
  // the page is the box around this widget, and is there only after both are drawn
  const find = () => {
    root = el.closest(".ew-page");
    if (!root) return ended ? null : requestAnimationFrame(find);
    root.tabIndex = 0;
    root.dataset.lmSuppressShortcuts = "true";
    root.addEventListener("keydown", key);
    root.addEventListener("keydown", leave, true); // boxes keep their keys from rising
    root.addEventListener("change", chosen);
    root.addEventListener("click", click);
    root.addEventListener("focusin", focused);
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", "ELiXer Widgets: one detection; press ? for the keys");
    busy();
    theme();
    preference.addEventListener("change", theme);
    for (const wait of [0, 1000, 4000]) {
      setTimeout(() => root.querySelectorAll(CONTROLS).forEach(name), wait);
    }
    const before = kept();
    if (before && before !== model.get("theme")) {
      model.set("theme", before);
      model.save_changes();
    }
    watch = watchOver(model, root, (page) => tell(model, { painted: page }));
    inform();
    watchers.add(watch);
    // from now on it can keep pages that may be turned to; what it missed till now is sent. In a notebook that may be
    // whatever widgets were told while they were made.
    tell(model, { here: true, revision: alone ? (model.get("stamp").revision ?? null) : null });
    root.addEventListener("ew-ask", ask);
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
  // what concerns only how the page stands in the browser
  const own = {
    keys: () => {
      const open = root.classList.toggle("ew-helping");
      const close = root.querySelector(".ew-help button");
      if (open) close?.focus();
      else root.focus({ preventScroll: true });
    },
    "full screen": () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else root.requestFullscreen?.().catch(() => root.classList.toggle("ew-whole"));
    },
    theme: () => {
      const order = ["auto", "dark", "light"];
      const next = order[(order.indexOf(model.get("theme")) + 1) % order.length];
      model.set("theme", next);
      model.save_changes();
      kept(next);
    },
    remark: () => root.querySelector(".ew-remark textarea")?.focus(),
    "jump to number": () => root.querySelector(".ew-jump input")?.focus(),
  };
  // keys struck one after the other: while the page waits for the next, data-struck says what came before, and what may
  // follow is shown; a key that cannot follow ends it and does nothing else
  let struck = "";
  let begunAt = 0; // the page that was painted then
  const strike = (pressed) => {
    const table = model.get("shortcuts");
    const whole = struck && pressed !== "Escape" ? `${struck}>${pressed}` : pressed;
    const begins = pressed !== "Escape" && Object.keys(table).some((each) => each.startsWith(`${whole}>`));
    wait(begins ? whole : "");
    return begins ? null : table[whole];
  };
  const wait = (keys) => {
    struck = keys;
    root.dataset.struck = keys;
  };
  const meant = keyboard();
  const bound = (pressed) => {
    const whole = struck ? `${struck}>${pressed}` : pressed;
    return Object.keys(model.get("shortcuts")).some((each) => each === whole || each.startsWith(`${whole}>`));
  };
  const act = (action) => (own[action] ? own[action]() : model.send({ pressed: action, page: watch.seen }));
  // what is said where nobody overlooks it, until the next key does something
  const say = (words) => {
    let box = root.querySelector(":scope > .ew-notice");
    if (!box && words) {
      box = document.createElement("div");
      box.className = "ew-notice";
      box.setAttribute("role", "status");
      root.append(box);
    }
    if (box) box.textContent = words;
  };
  // tells when all that was sent to Python before was done and is drawn: data-settled holds the question's number
  const ask = (event) => tell(model, { asked: event.detail });
  const key = (event) => {
    // nothing typed here may reach the notebook, where a stray letter would insert a cell
    event.stopPropagation();
    if (event.defaultPrevented || typing(event.target)) return;
    const pressed = meant(event, bound);
    if (pressed === null) return;
    if (root.classList.contains("ew-helping")) {
      // over the page stands the list of keys: they act again when it is closed
      if (event.key === "Tab") event.preventDefault();
      if (event.key !== "Escape" && model.get("shortcuts")[pressed] !== "keys") return;
      event.preventDefault();
      own.keys();
      return;
    }
    if (moving(event.target, event.key)) return;
    const sign = event.getModifierState?.("AltGraph"); // which Windows gives as Ctrl and Alt
    const held = (event.ctrlKey || event.metaKey) && !sign ? "Ctrl+" : "";
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    const waited = struck;
    if (!waited) begunAt = watch.seen;
    const action = strike(held + pressed);
    if (waited || struck || action) event.preventDefault();
    if (!action || (waited && event.key === "Escape")) return;
    // keys mean what the page shows, from the first of them to the last
    if (!model.get("anytime").includes(action) && (!begunAt || begunAt !== watch.seen)) {
      root.dataset.dropped = Number(root.dataset.dropped ?? 0) + 1;
      say(`${action}: not taken: the page was not drawn yet`);
      return;
    }
    say("");
    act(action);
  };
  const click = (event) => {
    const begun = event.target.closest?.("[data-strike]")?.dataset.strike;
    if (begun) wait(struck === begun ? "" : begun);
    else if (struck && !event.target.closest?.(".ew-menu a")) wait("");
    const wanted = event.target.closest?.(".ew-tools [data-key], .ew-help [data-key]")?.dataset.key;
    if (own[wanted]) own[wanted]();
    else if (event.target.closest?.(".ew-help") && !event.target.closest(".ew-help-box")) own.keys();
  };
  const focused = (event) => event.target.matches(CONTROLS) && name(event.target);
  const leave = (event) => {
    // the box sees the key first; then the page's own keys work again
    if (event.isComposing) return; // Enter and Esc are those of the input method
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
  let moved = 0;
  const address = () => {
    document.title = model.get("title");
    // browsers refuse a page that changes its address many times a second, as a drag would
    clearTimeout(moved);
    moved = setTimeout(() => {
      const { query } = model.get("stamp");
      if (query && query !== location.search) history.replaceState(null, "", query);
    }, 300);
  };
  // what the page's address is, or would be if it were a page of its own
  const inform = () => {
    if (root) [root.dataset.query, root.dataset.width] = [model.get("stamp").query ?? "", model.get("width")];
  };
  // only in a page of its own: a notebook's title and address are not ours to change
  const alone = Boolean(document.body.dataset.voila);
  if (alone) {
    document.documentElement.classList.add("ew-alone");
    model.on("change:title change:stamp", address);
    address();
  }
  model.on("change:stamp change:width", inform);
  model.on("change:busy", busy);
  model.on("change:theme", theme);
  find();
  return () => {
    ended = true;
    watch?.end();
    watchers.delete(watch);
    root?.removeEventListener("ew-ask", ask);
    sizes.disconnect();
    themes.disconnect();
    preference.removeEventListener("change", theme);
    model.off("change:theme", theme);
    root?.removeEventListener("keydown", key);
    root?.removeEventListener("keydown", leave, true);
    root?.removeEventListener("change", chosen);
    root?.removeEventListener("click", click);
    root?.removeEventListener("focusin", focused);
    model.off("change:busy", busy);
    model.off("change:stamp change:width", inform);
  };
}
// The views of this page; each page of a notebook has a module of its own.
const watchers = new Set();

// What many widgets changed, in one message: each model gets its part, and all are drawn within one frame.
async function spread({ model }) {
  const manager = model.widget_manager;
  const heard = hear(model);
  const view = (buffer) => {
    if (buffer instanceof DataView) return buffer;
    return buffer instanceof ArrayBuffer ? new DataView(buffer) : new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  };
  const put = (state, path, buffer) => {
    const last = path[path.length - 1];
    path.slice(0, -1).reduce((inner, name) => inner[name], state)[last] = view(buffer);
  };
  const known = async (id) => {
    try {
      return await manager.get_model(id);
    } catch {
      return null; // this browser does not have it
    }
  };
  // the models that a message speaks of, each with its part
  const find = async (states, buffers) => {
    let used = 0;
    for (const [, state, paths] of states) for (const path of paths) put(state, path, buffers[used++]);
    const models = await Promise.all(states.map(([id]) => known(id)));
    return states.map(([, state], n) => [models[n], state]).filter(([each]) => each);
  };
  const read = (there) =>
    Promise.all(there.map(async ([each, state]) => [each, await each.constructor._deserialize_state(state, manager)]));
  const write = (found) => {
    // marks whose points come with the same message need not be drawn for the new scales with their old points
    const marks = found.filter(([each, state]) => each.mark_data && (state.x || state.y)).map(([each]) => each);
    for (const each of marks) each.dirty = true;
    for (const [each, state] of found) {
      try {
        each.set_state(state);
      } catch (error) {
        console.error(error); // the others must go on
      }
    }
    for (const each of marks.filter((mark) => mark.dirty)) {
      each.dirty = false; // its points were those that it had
      each.trigger("data_updated");
    }
  };
  // Everything that Python changes comes this way, so that the messages' order is that of the changes; none waits for
  // views that are being made, which read what their models hold when they draw. What stands on the page is looked at
  // within the same task: nothing is painted between.
  const apply = async (message, page, stamp) => {
    const found = await read(await message);
    write([...(page ?? []), ...found]);
    // whole, and not as it is lent
    (await manager.get_model(model.get("me"))).set_state({ stamp });
    for (const each of watchers) each.look();
  };
  // pages that may be turned to, with their pictures decoded: a turn has only to name one
  const pages = new Map();
  const keep = async (number, kept, states, buffers) => {
    for (const each of pages.keys()) if (!kept.includes(each)) pages.delete(each);
    const found = await read(await find(states, buffers));
    const pictures = pictured(found.map(([, state]) => state));
    pages.set(number, { found, pictures });
    await Promise.all(pictures.map((each) => each.decode().catch(() => null)));
    tell(model, { have: number });
  };
  // In a notebook a model is made before Python says which plots there are, and which number it has itself.
  const prepare = () =>
    Promise.all(model.get("plots").map((id) => known(id)))
      .then((all) => hasten(manager, all.filter(Boolean)))
      .catch((error) => console.error(error));
  if (model.get("plots").length) prepare();
  else model.on("change:plots", prepare);
  let last = Promise.resolve();
  let expected = null;
  model.on("msg:custom", (content, buffers) => {
    if (content?.page) keep(content.rehearsed, content.keep, content.page, buffers).catch((error) => console.error(error));
    if (content && "answered" in content) {
      last = last.then(() => watchers.forEach((each) => each.settled(content.answered)));
    }
    if (!content?.states) return;
    const { show, stamp } = content;
    expected ??= (model.get("stamp").revision ?? 0) + 1;
    const page = pages.get(show);
    pages.delete(show);
    // one that never came, or a page that was never kept: all is asked for, and nothing shown before it is there
    const missing = !content.all && (stamp.revision > expected || (show && !page));
    expected = stamp.revision + 1;
    if (missing) tell(model, { missing: show ?? 0 });
    const message = find(content.states, buffers);
    last = last
      .then(() => apply(message, page?.found, { ...stamp, whole: stamp.whole && !missing }))
      .catch((error) => console.error(error));
  });
  await heard;
}
// The pictures in what widgets are to show, as the browser will ask for them.
function pictured(states) {
  const found = new Set();
  const look = (value) => {
    if (typeof value === "string") for (const [uri] of value.matchAll(/data:image\/png;base64,[\w+/=]+/g)) found.add(uri);
    else if (value?.constructor === Object) Object.values(value).forEach(look);
  };
  states.forEach(look);
  return [...found].map((uri) => Object.assign(new Image(), { src: uri }));
}
export default { initialize: spread, render };
