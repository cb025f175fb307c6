// What is drawn, held against what the models say: a panel that does not show what the page's header stands for is
// covered. Nothing here waits for a time that may be too short: it looks at what is there whenever something changed,
// and again before the next frame is painted where it was not right. Python puts this file before page.js.
const NEAR = 0.02; // px; rounding

// A linear scale model as a + b x within a plot: apart from bqplot's own, which a view may have built too early.
function plain(scale, [from, to]) {
  const b = (to - from) / (scale.get("max") - scale.get("min"));
  return [from - b * scale.get("min"), b];
}
const close = (one, other) => Math.abs(one - other) <= NEAR;
const placed = (element) => (element.getAttribute("transform") ?? "").match(/-?[\d.]+(?:e-?\d+)?/g)?.map(Number) ?? [];

// Why a curve is not as its model has it; nothing if it is.
function wrongCurve(figure, view) {
  const { model } = view;
  const curves = view.el.querySelectorAll(".curve");
  if (curves.length !== model.mark_data.length) return "curves";
  const x = plain(model.getScales().x, figure.padded_range("x", model.getScales().x));
  const y = plain(model.getScales().y, figure.padded_range("y", model.getScales().y));
  for (const [n, curve] of [...curves].entries()) {
    const line = curve.querySelector(".line");
    const { values } = model.mark_data[n];
    const drawn = line?.ewDrawn;
    if (curve.__data__ !== model.mark_data[n] || drawn?.values !== values) return "points";
    // at both ends of the plot, where a difference shows
    const [width, height] = [figure.plotareaWidth, figure.plotareaHeight];
    const at = ([a, b], pixel) => (pixel - a) / b;
    const same = (one, other, far) => [0, far].every((px) => close(other[0] + other[1] * at(one, px), px));
    if (!same(x, drawn.x, width) || !same(y, drawn.y, height)) return "scale";
    if (line.getAttribute("d") !== drawn.path) return "path";
  }
  return "";
}
function wrongNames(figure, view) {
  const { model } = view;
  const found = [...view.el.querySelectorAll(".object_grp")];
  if (found.length !== model.mark_data.length) return "names";
  const x = plain(model.getScales().x, figure.padded_range("x", model.getScales().x));
  const y = plain(model.getScales().y, figure.padded_range("y", model.getScales().y));
  const byData = new Map(found.map((each) => [each.__data__, each]));
  for (const data of model.mark_data) {
    const group = byData.get(data);
    if (!group || group.textContent !== data.text) return "names";
    const [left, top] = placed(group);
    const right = x[0] + x[1] * data.x + model.get("x_offset");
    if (!close(left, right) || !close(top, y[0] + y[1] * data.y + model.get("y_offset"))) return "places of names";
  }
  return "";
}
function wrongAxis(figure, view) {
  if (!view.model.get("visible")) return "";
  const upright = ["left", "right"].includes(view.model.get("side"));
  const scale = view.model.get("scale");
  const along = plain(scale, figure.padded_range(upright ? "y" : "x", scale));
  const ticks = [...view.el.querySelectorAll(".tick")];
  const values = new Set(ticks.map((each) => each.__data__));
  if (values.size !== ticks.length || !ticks.length) return "ticks";
  for (const tick of ticks) {
    // axes draw between pixels
    if (Math.abs(placed(tick)[upright ? 1 : 0] - along[0] - along[1] * tick.__data__) > 0.5 + NEAR) return "places of ticks";
    const said = Number(tick.textContent.replace("−", "-").replace("µ", "e-6").replace("m", "e-3"));
    if (Number.isFinite(said) && Math.abs(said - tick.__data__) > 1e-5 * Math.abs(tick.__data__) + 1e-9) return "numbers at ticks";
  }
  const wanted = view.model.get("tick_values");
  if (wanted?.length && [...wanted].some((each) => !values.has(each))) return "ticks";
  return "";
}

// One view of one plot: whether it is right, and drawing it anew from the beginning.
function plotOf(figure, changed) {
  const made = { el: figure.el, wrong: "not there yet", redrawn: 0, size: null };
  let marks = null;
  let axes = null;
  let ended = false;
  made.look = () => {
    if (!figure.rendered || !marks || !axes || !made.size) made.wrong = "not there yet";
    else if (made.size.width < 1 || made.size.height < 1) made.wrong = ""; // nobody sees it
    else if (!close(figure.width, made.size.width) || !close(figure.height, made.size.height)) made.wrong = "size";
    else {
      const each = (view) => (view.model.get("_view_name") === "Lines" ? wrongCurve(figure, view) : wrongNames(figure, view));
      made.wrong = marks.map(each).find(Boolean) || axes.map((view) => wrongAxis(figure, view)).find(Boolean) || "";
    }
    return made.wrong;
  };
  made.draw = () => {
    if (!figure.rendered || !marks || !axes) return;
    made.redrawn += 1;
    for (const element of [figure.svg.node(), figure.svg_background.node()].flatMap((svg) => [...svg.querySelectorAll("*")])) {
      // what was begun before may not end after
      for (const begun of Object.values(element.__transition ?? {})) {
        begun.timer?.stop?.();
        begun.state = 6;
      }
      delete element.__transition;
    }
    for (const view of axes) view.g_axisline?.selectAll(".tick").remove();
    const { visible } = figure;
    figure.visible = true; // else bqplot puts it off
    figure.should_relayout = true;
    figure.relayoutImpl();
    figure.visible = visible;
    made.size = figure.el.getBoundingClientRect();
    for (const view of marks) view.draw(false);
    changes.takeRecords(); // this was ours
  };
  const sizes = new ResizeObserver(() => {
    made.size = figure.el.getBoundingClientRect();
    changed(); // after layout and before paint: nothing is seen at the size it had before
  });
  sizes.observe(figure.el);
  const changes = new MutationObserver(changed);
  changes.observe(figure.el, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["d", "transform"] });
  const wait = async () => {
    while (!figure.rendered && !ended) await new Promise(requestAnimationFrame);
    if (ended) return;
    [marks, axes] = await Promise.all([figure.mark_views, figure.axis_views].map((list) => Promise.all(list.views)));
    changed();
  };
  wait().catch((error) => console.error(error));
  made.end = () => {
    ended = true;
    sizes.disconnect();
    changes.disconnect();
  };
  return made;
}

// All panels of one view of the page.
//   model: the page's; root: its element; painted: called with the number of a page when it was painted.
function watchOver(model, root, painted) {
  const plots = new Map();
  let ended = false;
  let asked = false;
  let told = 0;
  const stampOf = () => {
    const { page, of, revision } = model.get("stamp");
    return `${page} ${of} ${revision}`;
  };
  // the plots' views, which come after this one
  const find = async () => {
    const models = await Promise.all(model.get("plots").map((id) => model.widget_manager.get_model(id)));
    while (!ended) {
      for (const view of (await Promise.all(models.flatMap((each) => Object.values(each.views ?? {})))).flat()) {
        if (!root.contains(view.el) || plots.has(view)) continue;
        plots.set(view, plotOf(view, look));
        settleTransitions(view);
      }
      if (plots.size >= models.length) return;
      await new Promise(requestAnimationFrame);
    }
  };
  const panelsOf = () => root.querySelectorAll(".ew-panel");
  // what stands in a panel is what its models hold
  const right = (panel) =>
    [...panel.querySelectorAll(".ew-own")].every((each) => each.ewDrawn?.()) &&
    [...plots.values()].every((plot) => !panel.contains(plot.el) || !plot.wrong) &&
    [...panel.querySelectorAll(".bqplot")].every((each) => [...plots.values()].some((plot) => plot.el === each));
  let again = false;
  const look = () => {
    if (ended || !root.isConnected) return;
    for (const plot of plots.values()) {
      // once before each frame: what drawing anew does not mend stays covered
      if (plot.look() && plot.wrong !== "not there yet" && !plot.tried) {
        plot.tried = true;
        requestAnimationFrame(() => (plot.tried = false));
        const { wrong } = plot;
        plot.draw();
        root.dataset.redrawn = Number(root.dataset.redrawn ?? 0) + 1;
        root.dataset.why = plot.look() ? `${wrong}, still ${plot.wrong}` : wrong;
      }
    }
    const stamp = stampOf();
    let all = true;
    root.dataset.stamp = stamp;
    root.toggleAttribute("data-whole", Boolean(model.get("stamp").whole));
    for (const panel of panelsOf()) {
      if (right(panel)) panel.dataset.stamp = stamp;
      const drawn = panel.dataset.stamp === stamp;
      panel.toggleAttribute("data-shown", drawn);
      all &&= drawn;
    }
    if (!all) next();
    all &&= "whole" in root.dataset;
    if (root.dataset.drawn !== stamp || !all) delete root.dataset.drawn;
    if (all && root.dataset.drawn !== stamp) show();
  };
  // before the next frame it may be right
  const next = () => {
    if (again) return;
    again = true;
    requestAnimationFrame(() => {
      again = false;
      look();
    });
  };
  // two frames: the first paints it
  const show = () => {
    if (asked) return;
    asked = true;
    const stamp = stampOf();
    const pictures = [...root.querySelectorAll(".ew-panel img")].filter((each) => !each.complete);
    Promise.all(pictures.map((each) => each.decode().catch(() => null))).then(() =>
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          asked = false;
          if (stamp !== stampOf()) {
            look();
            return;
          }
          root.dataset.drawn = stamp;
          const { page } = model.get("stamp");
          root.dataset.page = page;
          if (page !== told) painted((told = page));
        }),
      ),
    );
  };
  find().catch((error) => console.error(error));
  look();
  return {
    look,
    end: () => {
      ended = true;
      for (const plot of plots.values()) plot.end();
    },
    settled: (number) => (root.dataset.settled = number),
    get seen() {
      return told === model.get("stamp").page && "whole" in root.dataset ? told : 0;
    },
  };
}
