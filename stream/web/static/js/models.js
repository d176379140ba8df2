// Models: who serves, who learns beside it, where each version came from, and the way to another one.

import { promote, rollBack } from "./actions.js";
import { action, term } from "./access.js";
import { when } from "./ages.js";
import { byId, h, meter, s, scrolls, table, whenChanged } from "./dom.js";
import { bytes, count, moment, number, plural, words } from "./format.js";
import { champion, clockNow, state, view } from "./state.js";
import { metricName } from "./words.js";

const DRAWN = 16; // versions in the lineage

/** Scores with which a version was made, each with its interval as a small picture where it has one. */
function scoresOf(model, scale) {
  const { scores = {}, intervals = {} } = model;
  const names = [...new Set([...Object.keys(scores), ...Object.keys(intervals)])];
  if (!names.length) return "–";
  return names.map((name) => {
    const [low, high] = intervals[name] ?? [null, null];
    const value = scores[name] ?? null;
    return h("span.score", {}, h("span", {}, metricName(name)), value !== null && h("b", {}, number(value, 4)),
      low !== null && [whisker(value, low, high, scale[name]), h("small", {}, `${number(low, 3)} to ${number(high, 3)}`)]);
  });
}

/** By name, from where to where the intervals of all versions reach. */
function scalesOf(models) {
  const scale = {};
  for (const { intervals = {} } of models) {
    for (const [name, [low, high]] of Object.entries(intervals)) {
      const [least, most] = scale[name] ?? [low, high];
      scale[name] = [Math.min(least, low), Math.max(most, high)];
    }
  }
  return scale;
}

function whisker(value, low, high, [least, most]) {
  const at = (x) => 4 + ((x - least) / (most - least || 1)) * 92;
  return s("svg.whisker", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("line", { x1: at(low), x2: at(high), y1: 7, y2: 7, "vector-effect": "non-scaling-stroke" }),
    value !== null && s("line.at", { x1: at(value), x2: at(value), y1: 2, y2: 12, "vector-effect": "non-scaling-stroke" }));
}

function rows(models, now) {
  const scale = scalesOf(models);
  const served = champion()?.version;
  const columns = [
    { head: "Version" }, { head: "Standing" }, { head: "Scores when it was made" }, { head: "Recipe" }, { head: term("lineage", "From"), plain: "From" },
    { head: "Why, and by whom" }, { head: "Made" }, { head: "Size", number: true }, { head: "", plain: "Change", class: "acts" },
  ];
  return scrolls("Versions of the model", table("Versions of the model, newest first", columns, models.map((model) => {
    const serves = model.version === served;
    return [
      h("b", {}, `v${model.version}`), h(`span.chip.${serves ? "serves" : "status"}`, {}, serves ? "champion" : words(model.status)),
      scoresOf(model, scale),
      model.recipe, model.parents?.length ? model.parents.map((parent) => `v${parent}`).join(", ") : "–",
      [words(model.reason), h("small", {}, ` ${model.who ?? ""}`)], when(model.created, now), bytes(model.size_bytes),
      serves ? "" : action("Promote …", "operator", () => promote(model), { key: `promote-${model.version}`, describe: `Promote version ${model.version}` }),
    ];
  })));
}

/** Versions from the oldest to the newest on a line; an arc from each to those that came of it. */
function lineage(models) {
  const shown = [...models].sort((a, b) => a.version - b.version).slice(-DRAWN);
  if (shown.length < 2) return null;
  const [gap, base] = [56, 46];
  const x = new Map(shown.map((model, i) => [model.version, 24 + gap * i]));
  const served = champion()?.version;
  const arcs = shown.flatMap((model) => (model.parents ?? []).filter((parent) => x.has(parent)).map((parent) => {
    const [from, to] = [x.get(parent), x.get(model.version)];
    const lift = Math.min(36, 14 + Math.abs(to - from) / 8);
    return s("path", { d: `M${from} ${base - 8} C${from} ${base - lift} ${to} ${base - lift} ${to} ${base - 10}`, "marker-end": "url(#arrow)" });
  }));
  const nodes = shown.map((model) => s("g", { class: model.version === served ? "serves" : null },
    s("circle", { cx: x.get(model.version), cy: base, r: 7 }), s("text", { x: x.get(model.version), y: base + 21, "text-anchor": "middle" }, `v${model.version}`)));
  const said = shown.map((model) => (model.parents?.length ? `version ${model.version} came from ${model.parents.join(" and ")}` : `version ${model.version} from nowhere here`)).join("; ");
  const width = 48 + gap * (shown.length - 1);
  return h("div.lineage-frame", { tabindex: "0", role: "region", "aria-label": "Lineage" },
    s("svg.lineage", { viewBox: `0 0 ${width} 74`, width, height: 74, role: "img", "aria-label": `Lineage: ${said}.` },
      s("defs", {}, s("marker", { id: "arrow", viewBox: "0 0 6 6", refX: "5", refY: "3", markerWidth: "6", markerHeight: "6", orient: "auto" }, s("path.head", { d: "M0 0 L6 3 L0 6 z" }))), arcs, nodes));
}

function challengers(found) {
  if (!found.length) return h("p.soft", {}, "No challenger learns at the moment. One starts when errors drift, or where the configuration names a pool.");
  const { metric, scores } = state.overview;
  return scrolls("Challengers", table("Challengers that learn beside the champion", [{ head: term("challenger", "Challenger"), plain: "Challenger" }, { head: "Recipe" }, { head: "Stage" }, { head: "Partition", number: true }, { head: "Labels", number: true }, { head: "Its loss", number: true }, { head: "Champion's", number: true }, { head: term("evidence", "Proof"), plain: "Proof", number: true }],
    found.map((one) => [`challenger ${one.number}${one.version ? ` (v${one.version})` : ""}`, one.recipe, [words(one.stage).toLowerCase(), one.origin ? h("small", {}, ` ${words(one.origin)}`) : ""], one.partition ?? "–", count(one.labels), number(one.loss ?? scores?.[`challenger ${one.number}`]?.[metric], 4), number(one.champion_loss, 4), proof(one)])));
}

/** Where workers are not all at the champion yet. */
function serves(serving, overview) {
  if (overview?.mixed_versions) return h("span.chip.reading-warning", {}, "partitions serve different versions");
  const other = overview?.champion && overview.champion.version !== serving.version;
  return other ? h("span.chip.reading-warning", {}, `workers still serve version ${overview.champion.version}`) : "";
}

/** What bets on a challenger have made of 1, of what they have to make. */
function proof({ evidence, needed }) {
  if (evidence === null || evidence === undefined) return "–";
  if (!needed) return number(evidence, 2);
  const part = Math.max(0, Math.min(1, Math.log(Math.max(1, evidence)) / Math.log(needed)));
  return [meter(part), `${number(evidence, 2)} of ${count(needed)}`];
}

export function start() {
  const [served, beside, versions, tree] = [h("p.served"), h("div"), h("div"), h("div")];
  byId("model-list").append(served, beside, tree, versions);
  view("models", ["models", "overview", "me"], () => {
    const { models, overview } = state;
    const now = clockNow();
    const serving = champion();
    whenChanged(byId("models-count"), [models?.length, overview?.policy], () => (models ? `${plural(models.length, "version")} kept; on drift: ${words(overview?.policy)}` : ""));
    whenChanged(byId("models-actions"), [models?.length > 1, state.me?.role], () => (models?.length > 1 ? action("Roll back …", "operator", rollBack, { key: "rollback" }) : ""));
    whenChanged(served, [serving, overview?.champion?.version, overview?.mixed_versions], () => (serving ? [term("champion", "Champion"), ": ", h("b", {}, `version ${serving.version}`), `, ${serving.recipe}`, serving.reason && ` (${words(serving.reason)})`, serving.created && `, made ${moment(serving.created, now)} `,
      serving.digest && [term("digest", "file"), " ", h("code", {}, String(serving.digest).slice(0, 12)), " "], serves(serving, overview)] : "No version serves yet. The first one is registered when the service starts."));
    whenChanged(beside, [overview?.challengers, state.overview?.scores], () => (overview ? challengers(overview.challengers ?? []) : ""));
    whenChanged(tree, [models?.map(({ version, parents }) => [version, parents]), serving?.version], () => (models ? lineage(models) : ""));
    whenChanged(versions, [models, serving?.version, state.me?.role], () => (models?.length ? rows(models, now) : h("p.soft", {}, state.problems.get("models")?.message ?? (models ? "No versions yet. Each model that has served stands here, with what it came from." : "Asking the registry …"))));
  });
}
