// Scores of champion, challengers and baselines on the time of the stream, and what happened on the same axis.

import { age } from "./ages.js";
import { Chart, Legend, colour, line } from "./charts.js";
import { byId, h, keyed, mark, whenChanged } from "./dom.js";
import { fixed, moment, number, words } from "./format.js";
import { emit, state, streamNow, view } from "./state.js";
import { TERMS, better, markName, metricName } from "./words.js";

const LISTED = 60;
const GONE = 3; // challengers that are there no more and still shown, the newest of them
const MARKS = {
  drift: { symbol: "triangle-down", colour: "critical" },
  warning: { symbol: "triangle-down-open", colour: "warning" },
  swap: { symbol: "diamond", colour: "swap" },
  rollback: { symbol: "diamond-open", colour: "swap" },
  starvation: { symbol: "square-open", colour: "warning" },
  quality: { symbol: "square-open", colour: "warning" },
  fit: { symbol: "square-open", colour: "warning" },
  recovered: { symbol: "circle-open", colour: "ok" },
  settled: { symbol: "circle-open", colour: "ok" },
};
const keyOf = (mark) => `${mark.kind}/${mark.time}/${mark.alert}`;
const looks = (kind) => MARKS[kind] ?? { symbol: "circle-open", colour: "soft" };

/** Metrics that are scored, the main one first. */
function metrics() {
  const found = new Set(Object.values(state.series?.scores ?? {}).flatMap((one) => Object.keys(one)));
  const main = state.overview?.metric;
  return [...found].sort((a, b) => (b === main) - (a === main));
}

let metric = null;
let pointed = null; // key of the mark that is pointed at in the list

/** How a source's line is drawn: the champion's is the one that one sees first. */
function lookOf(source, i) {
  if (source === "champion") return { colour: "champion", dash: "solid", width: 2.4 };
  if (source.startsWith("challenger")) return { colour: `challenger-${i % 3}`, dash: "dash", width: 1.6 };
  return { colour: `baseline-${i % 2}`, dash: "dot", width: 1.6 };
}

function sources() {
  const rank = (source) => (source === "champion" ? 0 : source.startsWith("challenger") ? 1 : 2);
  const counts = { 1: 0, 2: 0 };
  const found = Object.entries(state.series?.scores ?? {})
    .filter(([, found]) => found[metric]?.some((value) => value !== null))
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b, "en", { numeric: true }))
    .map(([source, found]) => ({ source, values: found[metric], look: lookOf(source, counts[rank(source)]++) }));
  const gone = found.filter(({ source, values }) => rank(source) === 1 && values.at(-1) === null);
  return found.filter((one) => !gone.slice(0, -GONE).includes(one));
}

const marks = () => (state.series?.marks ?? []).filter((mark) => mark.time >= (state.series.time[0] ?? 0));

/** Bands behind the lines: each drift of the errors from where the change most probably began until it was over. */
function stretches({ time }) {
  return [...state.alerts.values()].filter((alert) => alert.kind === "concept_drift" && (alert.closed || alert.state !== "closed")).map((alert) => {
    const [from, to] = [alert.change_point?.ts ?? alert.ts, alert.closed?.ts ?? time.at(-1)];
    return {
      type: "rect", xref: "x", yref: "paper", x0: Math.max(from, time[0]) * 1000, x1: to * 1000, y0: 0, y1: 1, layer: "below",
      line: { width: 0 }, fillcolor: colour("critical"), opacity: 0.07, end: to,
    };
  }).filter(({ end }) => end > time[0]).map(({ end, ...shape }) => shape);
}

/** Times from which another version serves, with that version. */
function versions({ time, version }) {
  const found = [];
  let before = null;
  (version ?? []).forEach((one, i) => {
    if (one !== null && one !== before) found.push([time[i], one]);
    before = one ?? before;
  });
  return found;
}

function spec(legend) {
  const { series } = state;
  const shown = sources();
  if (!series || !shown.length) {
    return { empty: "No scores yet. They come with the labels: each prediction is scored when its label has come, and stands here as a line over time." };
  }
  const visible = shown.filter(({ source }) => legend.shows(words(source)));
  const values = visible.flatMap(({ values: all }) => all).filter((value) => value !== null);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  const range = [low - room, high + 2.4 * room];
  const told = marks();
  const traces = visible.map(({ source, values: all, look }) => line(words(source), series.time, all, { ...look, colour: colour(look.colour), format: ",.4f" }));
  traces.push({
    type: "scatter", mode: "markers", name: "marks", x: told.map((mark) => mark.time * 1000), y: told.map(() => high + 1.7 * room),
    marker: { symbol: told.map((mark) => looks(mark.kind).symbol), color: told.map((mark) => colour(looks(mark.kind).colour)), size: 11, line: { width: 1.6, color: told.map((mark) => colour(looks(mark.kind).colour)) } },
    text: told.map((mark) => `${markName(mark.kind)}: ${escaped(mark.text)}`), hovertemplate: "%{text}<extra></extra>",
  });
  const shapes = told.map((mark) => ({
    type: "line", xref: "x", yref: "paper", x0: mark.time * 1000, x1: mark.time * 1000, y0: 0, y1: 1, layer: "below",
    line: { color: colour(looks(mark.kind).colour), width: keyOf(mark) === pointed ? 3 : 1, dash: mark.kind === "warning" ? "dot" : "solid" },
  }));
  shapes.unshift(...stretches(series));
  const annotations = versions(series).map(([time, version]) => ({
    x: time * 1000, y: 0, xref: "x", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, text: `v${version}`,
    font: { size: 11, color: colour("soft") }, bgcolor: colour("card"), borderpad: 1,
  }));
  return {
    traces,
    layout: {
      yaxis: { range, rangemode: "normal", hoverformat: ",.4f" }, shapes, annotations,
      xaxis: { range: [series.time[0] * 1000, series.time.at(-1) * 1000] }, uirevision: `${metric}/${state.range}/${state.partition}`,
    },
    summary: summary(shown, told),
    table: () => ({
      columns: [{ head: "Time (UTC)" }, ...shown.map(({ source }) => ({ head: words(source), number: true }))],
      rows: series.time.map((time, i) => [moment(time), ...shown.map(({ values: all }) => fixed(all[i]))]).reverse(),
    }),
  };
}

/** Plotly reads a little HTML in texts; a text of the server's is to be a text. */
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function summary(shown, told) {
  const texts = shown.map(({ source, values }) => {
    const known = values.filter((value) => value !== null);
    const now = values.at(-1);
    const bounds = `between ${number(Math.min(...known), 3)} and ${number(Math.max(...known), 3)}`;
    return now === null ? `${words(source)} was ${bounds}` : `${words(source)} is at ${number(now, 3)}, ${bounds}`;
  });
  const newest = told.at(-1);
  const mark = newest ? ` Newest mark: ${markName(newest.kind)}, ${moment(newest.time, streamNow())}.` : " Nothing was marked in this time.";
  return `${metricName(metric)}, ${better(metric)}: ${texts.join("; ")}.${mark}`;
}

function drawMarks(list, chart) {
  const now = streamNow();
  const items = [...marks()].reverse().slice(0, LISTED);
  keyed(list, items, keyOf, (item) => {
    const point = (to) => () => {
      pointed = to;
      chart.draw(chart.spec, true);
    };
    return h("li", {},
      h(`button.line.mark-${looks(item.kind).colour}`, {
        type: "button", onclick: () => item.alert && emit("open-alert", item.alert),
        onfocus: point(keyOf(item)), onblur: point(null), onmouseenter: point(keyOf(item)), onmouseleave: point(null),
      },
      h("i", { class: `glyph ${looks(item.kind).symbol}`, "aria-hidden": "true" }),
      h("span.text", {}, h("b", {}, markName(item.kind)), " ", item.text),
      h("span.soft", {}, moment(item.time, now), " ", h("br"), age(item.time))));
  });
  whenChanged(list.nextElementSibling, items.length === 0, () => (items.length ? "" : "Nothing yet. Drifts, warnings, swaps and roll backs stand here and on the chart, each at the time at which it happened."));
}

export function start() {
  const legend = new Legend();
  const chart = new Chart(byId("scores-chart"), { title: "Scores over time", heading: false, legend: legend.element, height: 300 });
  chart.spec = () => spec(legend);
  const list = h("ol.marks");
  byId("marks").append(list, h("p.soft"));
  const select = byId("metric");
  select.addEventListener("change", () => {
    metric = select.value;
    emit("metric");
  });
  chart.onClick("marks", (i) => marks()[i]?.alert && emit("open-alert", marks()[i].alert));
  view("scores", ["series", "metric", "legend", "overview", "alerts"], () => {
    const known = metrics();
    if (!known.includes(metric)) metric = known[0] ?? null;
    whenChanged(select, known, () => known.map((one) => h("option", { value: one, selected: one === metric }, metricName(one))));
    mark(select, "data-why", TERMS[metric]);
    legend.draw(sources().map(({ source, values, look }) => ({ name: words(source), ...look, value: values.at(-1) === null ? "" : number(values.at(-1), 4) })));
    chart.draw(chart.spec);
    drawMarks(list, chart);
  });
}
