// The newest numbers in one row, each with what it did of late.

import { term } from "./access.js";
import { byId, h, mark, s, say } from "./dom.js";
import { NOTHING, count, milliseconds, number, percent, rate } from "./format.js";
import { openAlerts, state, view } from "./state.js";
import { blind, old } from "./standing.js";
import { metricName } from "./words.js";

const NEWEST = 80; // columns in a small curve
const ENOUGH = 1000; // scored predictions before a model is called better or worse: it begins with none, and chance is large
const LEAST = 0.1; // what moved less than that, as a share of itself, is not to look dramatic

const last = (name) => (old() ? null : state.series?.[name]?.at(-1) ?? null);

/** The mean score of the champion against the best baseline, in words. */
function standing() {
  const { overview } = state;
  const own = state.series?.scores?.champion?.[overview?.metric]?.at(-1) ?? overview?.scores?.champion?.[overview?.metric] ?? null;
  const rivals = Object.entries(overview?.scores ?? {}).filter(([source]) => source !== "champion" && !source.startsWith("challenger"));
  const values = rivals.map(([source, metrics]) => [source, metrics[overview.metric]]).filter(([, value]) => typeof value === "number");
  if (own === null) return { value: NOTHING, said: "no label has come yet" };
  if (!values.length) return { value: number(own, 3), said: metricName(overview.metric) };
  const sign = overview.higher_is_better ? 1 : -1;
  const [name, best] = values.sort((a, b) => sign * (b[1] - a[1]))[0];
  if (overview.labelled < ENOUGH) return { value: number(own, 3), said: `too few labels to compare it (${count(overview.labelled)})` };
  if (own === best) return { value: number(own, 3), said: `as good as ${name}` };
  const better = sign * (own - best) > 0;
  return { value: number(own, 3), said: `${better ? "better" : "not better"} than ${name} (${number(best, 3)})`, tone: better ? "good" : "bad" };
}

const TILES = [
  { key: "events", name: ["", "Events"], value: () => rate(last("events_per_second")), unit: "per second", column: "events_per_second",
    said: () => `${count(state.overview?.counts?.events?.predicted)} predicted in all` },
  { key: "labels", name: ["", "Labels"], value: () => rate(last("labels_per_second")), unit: "per second", column: "labels_per_second",
    said: () => `${count(state.overview?.counts?.labels?.joined)} joined in all` },
  { key: "lag", name: ["lag", "Lag"], value: () => count(last("lag_events")), unit: "events wait", column: "lag_events",
    said: () => `and ${count(last("lag_labels"))} labels` },
  { key: "latency", name: ["latency", "Latency"], value: () => milliseconds(last("latency_p99_ms")), unit: "for 99 %", column: "latency_p99_ms",
    said: () => `half within ${milliseconds(last("latency_p50_ms"))}` },
  { key: "score", name: ["champion", "Champion"], value: () => standing().value, unit: () => metricName(state.overview?.metric ?? ""),
    curve: () => state.series?.scores?.champion?.[state.overview?.metric], said: () => standing().said, tone: () => standing().tone },
  { key: "joined", name: ["join_rate", "Labels that come"], value: () => percent(last("join_rate")), unit: "of events", column: "join_rate",
    said: () => `${count(last("pending"))} predictions wait` },
  { key: "alerts", name: ["drift", "Open alerts"], value: () => (state.alertsKnown ? count(openAlerts().length) : NOTHING), unit: "",
    said: () => (blind() === null ? `${count(openAlerts().filter((one) => one.acknowledged).length)} acknowledged` : "there may be more"),
    tone: () => (openAlerts().some((one) => !one.acknowledged) ? "bad" : state.alertsKnown && blind() === null ? "good" : null) },
];

function tile(one) {
  const parts = {
    value: h("b.value"), unit: h("span.unit"), said: h("p.said"), curve: one.column || one.curve ? spark() : null,
  };
  const element = h("div.tile", { "data-tile": one.key },
    h("dt", {}, term(...one.name)), h("dd", {}, h("p.figure", {}, parts.value, " ", parts.unit), parts.curve?.element, parts.said));
  return { ...parts, element, one };
}

/** A small curve of the newest values: its element, and what draws it. */
export function spark() {
  const path = s("path", { "vector-effect": "non-scaling-stroke" });
  const element = s("svg.spark", { viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, path);
  return { element, draw: (values) => mark(path, "d", sparkline(values)) };
}

/** A path of the newest values in a box of 100 by 24, from their least to their greatest. */
function sparkline(values) {
  const newest = (values ?? []).slice(-NEWEST);
  const known = newest.filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return "";
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const scale = 20 / (Math.max(high - low, LEAST * Math.abs(high)) || 1);
  let up = true;
  return newest.map((value, i) => {
    if (value === null || value === undefined) {
      up = true;
      return "";
    }
    const at = `${up ? "M" : "L"}${((i / (newest.length - 1)) * 100).toFixed(1)} ${(22 - (value - low) * scale).toFixed(1)}`;
    up = false;
    return at;
  }).join("");
}

export function start() {
  const tiles = TILES.map(tile);
  byId("pulse").append(h("dl.tiles", {}, tiles.map((one) => one.element)));
  view("pulse", ["series", "overview", "alerts", "standing"], () => {
    for (const { one, element, value, unit, said, curve } of tiles) {
      say(value, one.value());
      say(unit, typeof one.unit === "function" ? one.unit() : one.unit);
      say(said, one.said());
      mark(element, "data-tone", one.tone?.() ?? null);
      curve?.draw(one.column ? state.series?.[one.column] : one.curve());
    }
  });
}
