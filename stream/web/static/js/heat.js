// The heat map: one row per detector and feature, one column per time, the colour the statistic over its threshold.
//
// Drawn by our own hand, not by Plotly: each row is a button with its name and a canvas of one pixel per column. So a
// hundred rows are reached by keyboard and read out as text, and a new column costs a hundred small strips.

import { colour } from "./charts.js";
import { byId, fill, h, keyed, mark, meter, say, scrolls, table } from "./dom.js";
import { moment, number, times } from "./format.js";
import { keyOf } from "./series.js";
import { emit, on, state, streamNow, view } from "./state.js";
import { detectorName } from "./words.js";

const HOT = 2.5; // from so many thresholds on colours stay the same, and meters are full
const rows = new Map(); // by key: {button, name, value, canvas}
let order = [];
let scale = null;

const nameOf = (row) => row.feature || "errors";
const most = (row) => row.ratio.reduce((found, ratio) => (ratio !== null && (found === null || ratio > found) ? ratio : found), null);
const newest = (row) => row.newest ?? null;

/** A bar for a statistic over its threshold. */
export const meterOf = (ratio) => meter((ratio ?? 0) / HOT, ratio >= 1);

/** Colours by ratio, read from the style sheet once per theme: cold below 1, hot from there on. */
function colours() {
  if (scale) return scale;
  const rgb = (name) => colour(name).match(/\d+/g).map(Number);
  const [cold, cool, warm, hot] = ["heat-cold", "heat-cool", "heat-warm", "heat-hot"].map(rgb);
  const between = (a, b, t) => a.map((value, i) => Math.round(value + (b[i] - value) * t));
  scale = (ratio) => (ratio < 1 ? between(cold, cool, Math.max(0, ratio)) : between(warm, hot, Math.min(1, (ratio - 1) / (HOT - 1))));
  return scale;
}

function paint(canvas, ratios) {
  const n = ratios.length;
  if (canvas.width !== n) canvas.width = n;
  const context = canvas.getContext("2d");
  const image = context.createImageData(n, 1);
  const of = colours();
  ratios.forEach((ratio, i) => {
    if (ratio === null || ratio === undefined) return; // see-through: nothing is known
    const [r, g, b] = of(ratio);
    image.data.set([r, g, b, 255], 4 * i);
  });
  context.putImageData(image, 0, 0);
}

function shown() {
  const asked = byId("find").value.trim().toLowerCase();
  const found = state.drift.rows.filter((row) => !asked || `${nameOf(row)} ${row.detector}`.toLowerCase().includes(asked));
  const by = {
    now: (a, b) => (newest(b) ?? -1) - (newest(a) ?? -1),
    most: (a, b) => (most(b) ?? -1) - (most(a) ?? -1),
    name: (a, b) => nameOf(a).localeCompare(nameOf(b), "en", { numeric: true }),
  }[byId("order").value];
  return found.sort((a, b) => by(a, b) || keyOf(a).localeCompare(keyOf(b)));
}

/** Rows stay where they are while somebody is at them; otherwise the order follows the evidence. */
function ordered(list) {
  const busy = list.matches(":hover") || list.contains(document.activeElement);
  const found = shown();
  if (!busy || order.length !== found.length || !order.every((key) => found.some((row) => keyOf(row) === key))) order = found.map(keyOf);
  const place = new Map(order.map((key, i) => [key, i]));
  return found.sort((a, b) => place.get(keyOf(a)) - place.get(keyOf(b)));
}

function make(row) {
  const known = {
    name: h("span.row-name", {}, nameOf(row), h("small", {}, ` ${detectorName(row.detector)}`)),
    canvas: h("canvas", { height: "1", width: "1", "aria-hidden": "true" }),
    value: h("span.row-value"),
  };
  known.button = h("button.row", { type: "button", tabindex: "-1", "data-feature": row.feature, "data-row": keyOf(row), onclick: () => open(row) }, known.name, known.canvas, known.value);
  rows.set(keyOf(row), known);
  return h("li", {}, known.button);
}

function open(row) {
  if (row.detector === "rejected") byId("quality").scrollIntoView();
  else if (!row.feature) byId("scores").scrollIntoView();
  else emit("open-feature", row.feature);
}

function label(row) {
  const ratio = newest(row);
  const state = row.state ? `, ${row.state}${row.state === "stable" && ratio >= 1 ? ", as the change is too small to count" : ""}` : "";
  return `${nameOf(row)}, ${detectorName(row.detector)}: ${ratio === null ? "nothing known yet" : `${times(ratio).replace("×", "times")} its threshold`}${state}`;
}

function draw(list, axis, empty) {
  const known = state.drift?.rows.length ?? 0;
  empty.parentElement.classList.toggle("nothing", !known);
  if (!known) {
    say(empty, state.drift ? "No detector watches a feature yet. Each that does gets a row here: how far its evidence is, over time."
      : state.problems.get("drift")?.message ?? "Asking what the detectors say …");
    return;
  }
  const found = ordered(list);
  say(empty, found.length ? "" : "No feature has that in its name.");
  keyed(list, found.map(keyOf), (key) => key, (key) => make(found.find((row) => keyOf(row) === key)));
  for (const row of found) {
    const { button, canvas, value } = rows.get(keyOf(row));
    paint(canvas, row.ratio);
    const ratio = newest(row);
    say(value, ratio === null ? "–" : ratio.toFixed(2));
    mark(button, "aria-label", label(row));
    mark(button, "data-state", ratio === null ? "unknown" : row.state || "stable");
  }
  if (!list.querySelector('[tabindex="0"]')) mark(list.querySelector("button") ?? list, "tabindex", "0");
  const { time } = state.drift;
  const at = [0, 0.25, 0.5, 0.75, 1].map((part) => time[Math.round(part * (time.length - 1))]);
  [...axis.children].forEach((tick, i) => say(tick, moment(at[i], streamNow())));
}

function move(event, list) {
  const buttons = [...list.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1, PageDown: at + 10, PageUp: at - 10 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const next = buttons[Math.max(0, Math.min(to, buttons.length - 1))];
  for (const button of buttons) mark(button, "tabindex", button === next ? "0" : "-1");
  next.focus();
}

function point(event, tip) {
  const canvas = event.target.closest("button.row")?.querySelector("canvas");
  const box = canvas?.getBoundingClientRect();
  const part = box ? (event.clientX - box.left) / box.width : -1;
  tip.hidden = !(part >= 0 && part < 1);
  if (tip.hidden) return;
  const row = state.drift.rows.find((one) => keyOf(one) === canvas.parentElement.dataset.row);
  const i = Math.floor(part * row.ratio.length);
  say(tip, `${nameOf(row)}, ${moment(state.drift.time[i], streamNow())}: ${row.ratio[i] === null ? "not known" : `${times(row.ratio[i])} the threshold`}`);
  const frame = tip.parentElement.getBoundingClientRect();
  tip.style.top = `${box.top - frame.top - 30}px`;
  tip.style.left = `${Math.max(0, Math.min(event.clientX - frame.left - tip.offsetWidth / 2, frame.width - tip.offsetWidth))}px`;
}

function legend() {
  const steps = [0, 0.25, 0.5, 0.75, 0.999, 1, 1.4, 1.75, 2.1, HOT];
  const cells = steps.map((ratio) => h("i", { "data-ratio": ratio }));
  const paintAll = () => {
    for (const cell of cells) cell.style.background = `rgb(${colours()(Number(cell.dataset.ratio)).join()})`;
  };
  on("theme", () => {
    scale = null;
    paintAll();
  });
  paintAll();
  return h("p.heat-legend", {}, h("span", {}, "far from it, 0"), h("span.steps", { "aria-hidden": "true" }, cells.slice(0, 5)), h("b", {}, "1: threshold"), h("span.steps", { "aria-hidden": "true" }, cells.slice(5)), h("span", {}, "2.5 × the threshold and more"), h("span.gap", {}, h("i.blank", { "aria-hidden": "true" }), " not known"));
}

function tableOf() {
  const all = shown();
  return table("Newest evidence of each detector", [{ head: "Feature" }, { head: "Detector" }, { head: "State" }, { head: "Statistic", number: true }, { head: "Threshold", number: true }, { head: "Now, over threshold", number: true }, { head: "Most in this time", number: true }],
    all.map((row) => [nameOf(row), detectorName(row.detector), row.state, number(row.statistic), number(row.threshold), times(newest(row)), times(most(row))]));
}

export function start() {
  const list = h("ol.rows", { role: "list", onkeydown: (event) => move(event, list) });
  const axis = h("div.heat-axis", { "aria-hidden": "true" }, [0, 1, 2, 3, 4].map(() => h("span")));
  const empty = h("p.soft");
  const tip = h("div.heat-tip", { hidden: true, "aria-hidden": "true" });
  const within = h("div");
  const details = h("details.as-table", { ontoggle: () => details.open && fill(within, scrolls("Features as a table", tableOf())) }, h("summary", {}, "Show as table", h("span.unseen", {}, ": features over time")), within);
  const frame = h("div.heat", {}, empty, legend(), h("div.heat-scroll", {}, list), axis, tip, details);
  frame.addEventListener("pointermove", (event) => point(event, tip));
  frame.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  byId("heat").append(frame);
  const again = () => {
    order = [];
    emit("heat");
  };
  byId("find").addEventListener("input", again);
  byId("order").addEventListener("change", again);
  view("features", ["drift", "heat", "theme"], () => draw(list, axis, empty));
}
