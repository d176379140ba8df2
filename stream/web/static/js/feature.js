// One feature in a drawer: what its values are like now and in the reference, the evidence, segments, its alerts.

import { get } from "./api.js";
import { term } from "./access.js";
import { age } from "./ages.js";
import { Chart, Legend, colour, line } from "./charts.js";
import { byId, fill, h, say, scrolls, table, whenChanged } from "./dom.js";
import { count, fixed, moment, number, percent, times } from "./format.js";
import { meterOf } from "./heat.js";
import { emit, on, state } from "./state.js";
import { blind } from "./standing.js";
import { detectorName, kindName, stateName, whereOf } from "./words.js";

const EVERY = 10_000; // milliseconds between two looks while it is open
const SHOWN = 12; // categories in the chart
const LEAST = 0.0005; // share of what is not told apart from which on it is shown
const REST = "all other values"; // what is beyond the categories that are told, one called "other" not among it
const CONCERN = ["warmup", "stable", "warning", "drift"]; // states of a detector, as the API ranks them

const drawer = byId("feature");
let name = null;
let timer = null;
let parts = null;
let known = null; // what was heard of it last

/** Open the drawer of a feature; the address names it, so that a reload comes back here. */
function open(feature) {
  name = feature;
  history.replaceState(null, "", `#feature=${encodeURIComponent(feature)}`);
  if (!parts) build();
  say(parts.title, name);
  if (known?.name !== name) for (const part of [parts.now, parts.watched, parts.alerts]) whenChanged(part, "", () => "");
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  refresh();
  clearInterval(timer);
  timer = setInterval(refresh, EVERY);
}

/** The drawer, empty; made once. */
function build() {
  parts = { title: h("h2", { id: "feature-title" }), now: h("div"), compared: h("div"), history: h("div"), watched: h("div"), alerts: h("div") };
  const head = h("div.head", {}, h("div", {}, h("p.kicker", {}, "Feature"), parts.title),
    h("button.quiet", { type: "button", "data-key": "close", onclick: () => drawer.close() }, "Close"));
  fill(drawer, head, parts.now,
    h("section", { "aria-labelledby": "compared-title" }, h("h3", { id: "compared-title" }, "Values: reference and now"), parts.compared),
    h("section", { "aria-labelledby": "over-title" }, h("h3", { id: "over-title" }, "Evidence over time"), parts.history),
    h("section", { "aria-labelledby": "watched-title" }, h("h3", { id: "watched-title" }, "Who watches it, and what they say"), parts.watched),
    h("section", { "aria-labelledby": "own-alerts-title" }, h("h3", { id: "own-alerts-title" }, "Its alerts"), parts.alerts));
  parts.legend = new Legend();
  parts.chart = new Chart(parts.compared, { title: "Values of the feature", heading: false, legend: parts.legend.element, height: 280 });
  parts.over = new Chart(parts.history, { title: "Evidence on the feature", heading: false, height: 150 });
}

async function refresh() {
  const asked = name;
  try {
    const partition = state.partition === "all" ? null : state.partition;
    const found = await get(`/v1/features/${encodeURIComponent(asked)}`, { partition });
    known = found;
    if (asked === name && drawer.open) draw(found);
  } catch (error) {
    if (asked === name) whenChanged(parts.now, error.message, () => h("p.refused", {}, error.status === 404 ? "Nothing is known of this feature. The configuration may have another name for it now." : error.message));
  }
}

function draw(feature) {
  const [strongest = null] = feature.watched_by.filter((one) => one.ratio !== null).sort((a, b) => concern(b) - concern(a) || b.ratio - a.ratio);
  const lasting = feature.alerts.map((id) => state.alerts.get(id)).filter((alert) => alert && alert.state !== "closed");
  const open = lasting.find((alert) => alert.feature === feature.name) ?? lasting[0];
  whenChanged(parts.now, [strongest, feature.watched_by.length, open?.headline, blind()], () => standing(feature, strongest, open));
  parts.legend.draw([{ name: "reference", colour: "baseline", dash: "dot" }, { name: "now", colour: "champion" }]);
  parts.chart.draw(() => comparison(feature), true);
  parts.over.draw(() => evidence(feature.name), true);
  whenChanged(parts.watched, feature.watched_by, () => watched(feature));
  whenChanged(parts.alerts, feature.alerts, () => alertsOf(feature));
}

const concern = (one) => CONCERN.indexOf(one.state);

/** A detector that has raised an alert may look for what is usual anew: then the alert says how things stand. */
function standing(feature, strongest, open) {
  const verdict = (kind, dot, text) => h(`p.verdict.${kind}`, {}, h(`span.dot.${dot}`, { "aria-hidden": "true" }), text);
  const over = strongest?.state === "drift";
  if (open && !over) return verdict("over", "warning", `${open.feature === feature.name ? "Drifted" : "Takes part in a drift"}: ${open.headline}`);
  if (!feature.watched_by.length) return h("p.soft", {}, "No detector watches it.");
  if (!strongest) return h("p.soft", {}, "Its detectors are still learning what is usual.");
  const where = strongest.segment ? ` where ${whereOf(strongest.segment)}` : "";
  const by = detectorName(strongest.detector);
  if (over) return verdict("over", "warning", `Drifted${where}: the evidence is ${times(strongest.ratio)} the threshold (${by}).`);
  const at = `${percent(strongest.ratio)} of its threshold (${by})`;
  if (strongest.state !== "warning" && strongest.ratio >= 1) return verdict("over", "warning", `No drift: the evidence${where} is ${times(strongest.ratio)} the threshold (${by}), but the change is too small to count (min_effect).`);
  if (strongest.state === "warning") return verdict("over", "warning", `Warning${where}: no drift yet, but the evidence is at ${at}.`);
  const hidden = blind();
  if (hidden !== null) return verdict("over", "warning", `${hidden} Before that: no drift, the strongest evidence${where} at ${at}.`);
  return verdict("fine", "ok", `No drift: the strongest evidence${where} is at ${at}.`);
}

function comparison({ reference, current, source }) {
  const one = current ?? reference;
  if (!one) return { empty: "What its values are like will stand here when enough of them have come, and beside them what they were like in the reference." };
  const made = one.kind === "number" ? numbers(reference, current) : categories(reference, current);
  const from = reference ? ` Reference: ${source || "what is usual"}, ${count(reference.n)} values.` : " There is no reference yet.";
  const missing = reference && current && (reference.missing || current.missing) ? ` Missing: ${percent(current.missing ?? 0)}, in the reference ${percent(reference.missing ?? 0)}.` : "";
  return { ...made, summary: made.summary + missing + from };
}

const levelsOf = (one) => Object.entries(one.quantiles).map(([level, value]) => [Number(level), value]).sort((a, b) => a[0] - b[0]);

/** Shares of values below x as lines, and above them the middle 90 % and 50 % as bars. */
function numbers(reference, current) {
  const shown = [["reference", reference, "baseline", "dot"], ["now", current, "champion", "solid"]].filter(([label, one]) => one && parts.legend.shows(label));
  const traces = [];
  shown.forEach(([label, one, of, dash]) => {
    const levels = levelsOf(one);
    const at = (wanted) => levels.reduce((best, [level, value]) => (Math.abs(level - wanted) < Math.abs(best[0] - wanted) ? [level, value] : best), [9, null])[1];
    traces.push({ type: "scatter", mode: "lines", name: label, x: levels.map(([, value]) => value), y: levels.map(([level]) => level), line: { color: colour(of), dash, width: 2.2, shape: "linear" }, hovertemplate: `${label}: %{y:.0%} are below %{x:,.4~g}<extra></extra>` });
    const bar = (from, to, width) => traces.push({ type: "scatter", mode: "lines", x: [at(from), at(to)], y: [label, label], yaxis: "y2", line: { color: colour(of), width }, opacity: width > 6 ? 0.75 : 1, hoverinfo: "skip", showlegend: false });
    bar(0.05, 0.95, 2);
    bar(0.25, 0.75, 12);
    traces.push({ type: "scatter", mode: "markers", x: [at(0.5)], y: [label], yaxis: "y2", marker: { symbol: "line-ns", size: 16, line: { width: 3, color: colour("text") } }, hovertemplate: `${label}: half are below %{x:,.4~g}<extra></extra>` });
  });
  const middle = (one) => (one ? levelsOf(one).find(([level]) => Math.abs(level - 0.5) < 0.001)?.[1] : null);
  const [was, is] = [middle(reference), middle(current)];
  const summary = is !== null && is !== undefined ? `Half of the values are below ${number(is)} now${was === null || was === undefined ? "" : `; in the reference half were below ${number(was)}`}. Lines: the share of values below. Bars: where the middle half of the values is, thin lines the middle 90 %.` : "No values of late.";
  const levels = levelsOf(current ?? reference);
  const value = (one, level) => (one ? number(levelsOf(one).find(([other]) => other === level)?.[1]) : "–");
  return {
    traces,
    layout: {
      hovermode: "closest", margin: { l: 66, r: 12, t: 4, b: 30 }, xaxis: { type: "-", tickformat: ",.4~g", showgrid: true, gridcolor: colour("grid"), hoverformat: ",.4~g" },
      yaxis: { domain: [0, 0.74], tickformat: ".0%", range: [0, 1], title: { text: "share below", font: { size: 11 } } },
      yaxis2: { domain: [0.8, 1], type: "category", categoryorder: "array", categoryarray: ["now", "reference"].filter((label) => shown.some(([one]) => one === label)), showgrid: false, fixedrange: true, tickfont: { color: colour("soft") } },
    },
    summary,
    table: () => ({ columns: [{ head: "Share of values below" }, { head: "Reference", number: true }, { head: "Now", number: true }], rows: levels.map(([level]) => [percent(level), value(reference, level), value(current, level)]) }),
  };
}

function categories(reference, current) {
  const share = (one, value) => one?.shares[value] ?? 0;
  const all = [...new Set([...Object.keys(reference?.shares ?? {}), ...Object.keys(current?.shares ?? {})])];
  all.sort((a, b) => share(reference, b) + share(current, b) - share(reference, a) - share(current, a));
  const most = [...all].sort((a, b) => Math.abs(share(current, b) - share(reference, b)) - Math.abs(share(current, a) - share(reference, a)))[0];
  const shown = all.slice(0, SHOWN);
  const rest = (one, named) => (one ? Math.max(0, 1 - named.reduce((sum, value) => sum + share(one, value), 0)) : 0);
  const beyond = (named) => [reference, current].some((one) => rest(one, named) >= LEAST);
  const values = [...(beyond(shown) ? [REST] : []), ...[...shown].reverse()];
  const shareOf = (one, value) => (value === REST ? rest(one, shown) : share(one, value));
  const bars = [["now", current, "champion"], ["reference", reference, "baseline"]].filter(([label, one]) => one && parts.legend.shows(label));
  return {
    height: 70 + 34 * values.length,
    traces: bars.map(([label, one, of]) => ({ type: "bar", orientation: "h", name: label, y: values, x: values.map((value) => shareOf(one, value)), marker: { color: colour(of) }, hovertemplate: "%{x:.2%}" })),
    layout: {
      barmode: "group", bargap: 0.25, hovermode: "y unified", margin: { l: 110, r: 12, t: 4, b: 30 },
      xaxis: { type: "linear", tickformat: ".0%", showgrid: true, gridcolor: colour("grid"), rangemode: "tozero" }, yaxis: { type: "category", showgrid: false, nticks: 40 },
    },
    summary: reference && current ? `${most} changed most: ${percent(share(current, most))} now, ${percent(share(reference, most))} in the reference.` : "How often each value comes.",
    table: () => ({ columns: [{ head: "Value" }, { head: "Reference", number: true }, { head: "Now", number: true }], rows: [...all.map((value) => [value, share(reference, value), share(current, value)]), ...(beyond(all) ? [[REST, rest(reference, all), rest(current, all)]] : [])].map(([value, ...shares]) => [value, ...shares.map(percent)]) }),
  };
}

/** Its rows of the heat map as lines, with the threshold. */
function evidence(feature) {
  const rows = state.drift?.rows.filter((row) => row.feature === feature) ?? [];
  if (!rows.length) return { empty: "Its evidence over time will stand here when a detector has told of it." };
  const { time } = state.drift;
  const styles = ["solid", "dash", "dot"];
  const most = Math.max(1.2, ...rows.flatMap((row) => row.ratio.filter((ratio) => ratio !== null)));
  return {
    traces: rows.map((row, i) => line(detectorName(row.detector), time, row.ratio, { colour: colour(i ? `challenger-${i % 3}` : "champion"), dash: styles[i % 3], format: ".2f" })),
    layout: {
      margin: { l: 44, r: 8, t: 4, b: 38 }, xaxis: { range: [time[0] * 1000, time.at(-1) * 1000] }, yaxis: { range: [0, most * 1.08], nticks: 4 },
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: colour("critical"), width: 1.5, dash: "dash" } }],
      annotations: [{ xref: "paper", x: 0, y: 1, yanchor: "bottom", xanchor: "left", showarrow: false, text: "threshold", font: { size: 11, color: colour("critical") } }],
    },
    summary: `Statistic over threshold. ${rows.map((row) => `${detectorName(row.detector)}: ${row.ratio.at(-1) === null ? "not known" : `${times(row.ratio.at(-1))} the threshold`} now, ${times(Math.max(...row.ratio.filter((one) => one !== null)))} at most`).join("; ")}.`,
    table: () => ({ columns: [{ head: "Time (UTC)" }, ...rows.map((row) => ({ head: detectorName(row.detector), number: true }))], rows: time.map((at, i) => [moment(at), ...rows.map((row) => fixed(row.ratio[i], 3))]).reverse() }),
  };
}

function watched(feature) {
  if (!feature.watched_by.length) return h("p.soft", {}, "No detector. `detectors` in the configuration says who watches what.");
  const rows = [...feature.watched_by].sort((a, b) => (b.ratio ?? -1) - (a.ratio ?? -1)).map((one) => [
    one.segment === null ? "all of the stream" : whereOf(one.segment), detectorName(one.detector), h(`span.chip.reading-${one.state}`, {}, one.state),
    number(one.statistic), number(one.threshold), [meterOf(one.ratio), times(one.ratio)],
  ]);
  return scrolls("Detectors of this feature", table("Detectors of this feature", [{ head: "Part of the stream" }, { head: "Detector" }, { head: "State" }, { head: term("statistic", "Statistic"), plain: "Statistic", number: true }, { head: term("threshold", "Threshold"), plain: "Threshold", number: true }, { head: "Over threshold", number: true }], rows));
}

function alertsOf(feature) {
  if (!feature.alerts.length) return h("p.soft", {}, "None that is kept.");
  return h("ul.plain", {}, feature.alerts.map((id) => {
    const alert = state.alerts.get(id);
    const open = () => {
      drawer.close();
      emit("open-alert", id);
    };
    return h("li", {}, h("button.line", { type: "button", onclick: open }, alert ? [h(`span.dot.${alert.severity}`, { "aria-hidden": "true" }), h("span.text", {}, alert.headline || kindName(alert.kind)), h("span.soft", {}, age(alert.ts, `${stateName(alert)}, `))] : `alert ${id}`));
  }));
}

export function start() {
  drawer.addEventListener("close", () => {
    clearInterval(timer);
    name = null;
    if (location.hash.startsWith("#feature=")) history.replaceState(null, "", location.pathname + location.search);
  });
  on("open-feature", open);
  on("legend", () => drawer.open && known && draw(known));
  on("partition", () => drawer.open && refresh());
  on("standing", () => drawer.open && known?.name === name && draw(known));
  const asked = () => {
    if (location.hash.startsWith("#feature=")) open(decodeURIComponent(location.hash.slice(9)));
  };
  addEventListener("hashchange", asked);
  asked();
}
