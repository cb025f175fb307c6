// Whether the kernel that this page lives in still answers. If it does not, the page says so and takes nothing more: what
// is pressed then would be lost without a word. A kernel that computes is busy, not gone.
const EVERY = 4000; // ms between two questions
const PATIENCE = 6000; // ms without an answer after which it is asked why

const HAPPENED = {
  died: "The kernel of this page died.",
  restarted: "The kernel of this page was restarted, and this page is no longer in it.",
  ended: "The kernel of this page was ended: after a long pause, by hand, or with its server.",
  away: "The server does not answer: it was ended, or the network is down. This page tries again every few seconds.",
  busy: "The kernel is busy. What you press is done as soon as it is free.",
};
const RESTARTS = { autorestarting: "died", restarting: "restarted", dead: "died", terminating: "ended" };

function render({ model, el }) {
  const alone = Boolean(document.body.dataset.voila);
  const manager = model.widget_manager;
  const first = manager?.kernel || null;
  const box = document.createElement("div");
  box.className = "ew-connection";
  box.hidden = true;
  box.setAttribute("role", "alert");
  el.append(box);
  let root = null;
  let ended = false;
  let state = "ok";
  let sent = 0; // when the question was sent that is not answered yet
  let number = 0;
  let asking = false;
  const severed = () => state !== "ok" && state !== "busy";

  const remedy = () => {
    if (state === "busy") return "";
    const kept = model.get("kept");
    const safe = kept ? `Answers up to the last one stored are safe: ${kept}. ` : "Nothing that was saved is lost. ";
    const again = state === "away" ? "If the server was ended, start it again; then " : "";
    const press = alone ? "press Reload to go on at this detection." : "run the cell that made this page again, after those above it.";
    return `${safe}${again || ""}${again ? press : press[0].toUpperCase() + press.slice(1)} Until then no key and no button is taken.`;
  };
  const show = () => {
    root?.classList.toggle("ew-severed", severed());
    if (root) {
      root.dataset.connection = state;
      for (const each of root.children) each.toggleAttribute("inert", severed() && !each.contains(el));
    }
    box.hidden = state === "ok";
    box.classList.toggle("ew-connection-busy", state === "busy");
    if (state === "ok") return;
    const said = document.createElement("p");
    said.append(Object.assign(document.createElement("b"), { textContent: HAPPENED[state] }), ` ${remedy()}`);
    box.replaceChildren(said);
    if (alone && severed()) {
      const button = Object.assign(document.createElement("button"), { textContent: "Reload", type: "button" });
      button.addEventListener("click", () => location.reload());
      box.append(button);
    }
  };
  const become = (next) => {
    if (ended || state === next) return;
    if (next === "away" && severed()) return; // what happened first stays said: a server drops a kernel that died
    state = next;
    show();
  };

  // ------------------------------------------------------------------------------------------- asking the kernel
  const answered = (content) => {
    if (content?.beat !== number) return;
    sent = 0;
    become("ok"); // also after a false alarm: what answers is there
  };
  const beat = () => {
    if (ended) return;
    if (sent) {
      if (Date.now() - sent > PATIENCE || severed()) why();
      return;
    }
    sent = Date.now();
    number += 1;
    try {
      Promise.resolve(model.send({ beat: number })).catch(() => null);
    } catch {
      why(); // some front ends refuse to send to a kernel that is gone
    }
  };
  const ask = () => {
    sent = 0;
    beat();
  };
  // what the server says of the kernel: "gone", "there", "unreachable", or "" where it does not tell
  const server = async () => {
    const settings = first?.serverSettings;
    if (!settings) return "";
    try {
      const headers = settings.token ? { Authorization: `token ${settings.token}` } : {};
      const reply = await fetch(`${settings.baseUrl}api/kernels/${first.id}?${Date.now()}`, { headers, cache: "no-store" });
      if (reply.status === 404) return "gone";
      return reply.ok ? "there" : "";
    } catch {
      return "unreachable";
    }
  };
  // whether the kernel has this page: it answers in turn, so only after what it computes
  const known = async () => {
    const reply = await first.requestCommInfo({ target_name: "jupyter.widget" });
    return Boolean(reply.content.comms?.[model.get("me")]);
  };
  const why = async () => {
    if (asking || ended) return;
    asking = true;
    try {
      const kernel = manager?.kernel;
      if (first && (first.isDisposed || !kernel || kernel.id !== first.id)) return become("ended");
      const told = await server();
      if (first?.isDisposed) return become("ended"); // meanwhile, as when the page is left
      if (told === "gone") return become("ended");
      if (told === "unreachable") return become("away");
      if (first && first.connectionStatus !== "connected") {
        if (first.connectionStatus === "disconnected") first.reconnect?.().catch(() => null);
        return become("away");
      }
      if (!first || !sent) return null;
      if (!severed()) become("busy");
      inquire();
    } finally {
      asking = false;
    }
    return null;
  };
  let inquiring = false;
  const inquire = async () => {
    if (inquiring) return;
    inquiring = true;
    try {
      if (await known()) ask();
      else become("restarted");
    } catch {
      // the connection broke: the next question finds out
    } finally {
      inquiring = false;
    }
  };

  // ------------------------------------------------------------------------------------- what the front end notices
  const status = (_kernel, now) => RESTARTS[now] && become(RESTARTS[now]);
  const connection = (_kernel, now) => {
    if (severed() && state !== "away") return;
    if (now === "connected") ask();
    else why();
  };
  const back = () => document.visibilityState === "visible" && ask();
  const guard = (event) => {
    if (!severed() || box.contains(event.target) || !(alone || root?.contains(event.target))) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || /^F\d+$/.test(event.key || "")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    box.classList.remove("ew-refuses");
    void box.offsetWidth; // so that it begins anew
    box.classList.add("ew-refuses");
  };
  const find = () => {
    root = el.closest(".ew-page, .ew-landing");
    if (!root) return ended ? null : requestAnimationFrame(find);
    return show();
  };
  const timer = setInterval(beat, EVERY);
  first?.statusChanged?.connect(status);
  first?.connectionStatusChanged?.connect(connection);
  document.addEventListener("visibilitychange", back);
  document.addEventListener("keydown", guard, true);
  document.addEventListener("click", guard, true);
  model.on("msg:custom", answered);
  model.on("change:kept", show);
  find();
  beat();
  return () => {
    ended = true;
    clearInterval(timer);
    first?.statusChanged?.disconnect(status);
    first?.connectionStatusChanged?.disconnect(connection);
    document.removeEventListener("visibilitychange", back);
    document.removeEventListener("keydown", guard, true);
    document.removeEventListener("click", guard, true);
    model.off("msg:custom", answered);
    model.off("change:kept", show);
  };
}
export default { initialize: ({ model }) => hear(model), render };
