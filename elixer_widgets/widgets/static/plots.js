// bqplot draws with care for what this page never asks of it: curves that move, dots, names beside curves, axes that are
// drawn three times. Here its plots are drawn at once and once. Python puts this file before page.js.
const here = (view) => Boolean(view.el?.closest(".ew-page") ?? view.d3el?.node()?.closest(".ew-page"));

// Changes bqplot's parts before they draw: its curves and axes, found through the models of a plot, as it has none to
// import; and d3's selections through the first of those that draws.
async function hasten(manager, figures) {
  const [figure] = figures;
  if (!figure) return;
  const some = [figure.get("marks").find((each) => each.get("_view_name") === "Lines"), figure.get("axes")[0]];
  const load = (each) =>
    each && manager.loadClass(each.get("_view_name"), each.get("_view_module"), each.get("_view_module_version"));
  const [curves, axes] = await Promise.all(some.map(load));
  if (!curves || !axes || curves.prototype.ewHurried) return; // another page in the same notebook did it
  curves.prototype.ewHurried = true;
  drawPlainly(curves.prototype);
  drawAxesOnce(axes.prototype);
  for (const views of [curves.prototype, axes.prototype]) {
    const { render } = views;
    views.render = function () {
      settleTransitions(this);
      return render.call(this);
    };
  }
}
// From now on what this view draws is drawn at once.
function settleTransitions(view) {
  const one = view.d3el ?? view.svg;
  if (one) changeAtOnce(Object.getPrototypeOf(one));
}
// Plots change through d3's transitions, even those that take no time: each waits for a frame or two, and reads every
// number of the old and the new curve to find what lies between.
function changeAtOnce(selections) {
  if (selections.ewHurried || !selections.transition || !selections.node) return;
  selections.ewHurried = true;
  const { transition } = selections;
  selections.transition = function (...given) {
    if (!this.node()?.closest(".ew-page")) return transition.apply(this, given);
    this.duration = () => this; // the selection itself knows all else that bqplot asks of a transition
    return this;
  };
}
// A linear scale as a + b x.
function straight(scale) {
  const a = scale.scale(0) + scale.offset;
  return [a, scale.scale(1) + scale.offset - a];
}
// The path through the points that can be drawn, to a hundredth of a pixel.
function path(values, x, y) {
  const [a, b] = straight(x);
  const [c, d] = straight(y);
  let drawn = "";
  let pen = "M";
  for (const point of values) {
    const up = point.y === null ? NaN : c + d * point.y;
    if (Number.isFinite(up)) {
      drawn += `${pen}${Math.round(100 * (a + b * point.x)) / 100},${Math.round(100 * up) / 100}`;
      pen = "L";
    } else {
      pen = "M";
    }
  }
  return drawn;
}
// Curves without dots, names and areas beside them are nothing but their path.
function drawPlainly(curves) {
  const { update_line_xy } = curves;
  if (!update_line_xy) return;
  curves.update_line_xy = function (animated) {
    const { x, y } = this.scales;
    const get = (name) => this.model.get(name);
    const plain = !get("marker") && get("interpolation") === "linear" && ["none", "inside"].includes(get("fill"));
    const linear = [x, y].every((each) => each.model.type === "linear");
    if (!plain || !linear || get("labels_visibility") === "label" || !here(this)) return update_line_xy.call(this, animated);
    const closure = this.path_closure();
    this.d3el
      .selectAll(".curve")
      .select(".line")
      .each(function (curve) {
        const drawn = path(curve.values, x, y);
        const whole = drawn && drawn + closure;
        this.setAttribute("d", whole);
        // what it was drawn of, for drawn.js
        this.ewDrawn = { values: curve.values, x: straight(x), y: straight(y), path: whole };
      });
    this.xPixels = this.yPixels = this.pixelCoords = []; // for bqplot's selectors, of which this page has none
    return undefined;
  };
}
// When a scale changes its axis is drawn for its ticks, for their words and for their length.
function drawAxesOnce(axes) {
  const { set_tick_values, tickformat_changed, update_grid_lines } = axes;
  if (!set_tick_values || !tickformat_changed || !update_grid_lines) return;
  axes.set_tick_values = function (animated) {
    const line = this.g_axisline;
    if (animated !== true || !line || !here(this)) return set_tick_values.call(this, animated);
    this.ewOnce = true; // two more calls are to come
    this.g_axisline = undefined;
    set_tick_values.call(this, animated);
    this.g_axisline = line;
    return undefined;
  };
  axes.tickformat_changed = function () {
    if (!this.ewOnce) return tickformat_changed.call(this);
    const line = this.g_axisline;
    this.g_axisline = undefined;
    tickformat_changed.call(this);
    this.g_axisline = line;
    return undefined;
  };
  axes.update_grid_lines = function (animated) {
    this.ewOnce = false;
    return update_grid_lines.call(this, animated);
  };
}
