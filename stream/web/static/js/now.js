// The top of the page: the newest alert that nobody has dealt with. What changed, since when, how sure, what was done,
// and the way back.

import { acknowledge, rollBack, rollbackTarget, unacknowledge } from "./actions.js";
import { action, term } from "./access.js";
import { age, when } from "./ages.js";
import { byId, h, whenChanged } from "./dom.js";
import { count, list, number, plural, sentence, times } from "./format.js";
import { meterOf } from "./heat.js";
import { champion, emit, openAlerts, state, streamNow, view } from "./state.js";
import { blind } from "./standing.js";
import { detectorName, kindName, moved, stateName, subjectOf, valuesOf } from "./words.js";

const DRIFTS = ["concept_drift", "data_drift", "prediction_drift"];
const PATIENCE = 60; // seconds after an alert in which workers may not have told of its drift yet

let chosen = null; // id of the alert that was picked from the others

/** Show an alert at the top of the page. */
function choose(id) {
  chosen = id;
  emit("chosen");
}

function draw() {
  const open = openAlerts();
  const alert = open.find((one) => one.id === chosen) ?? open[0] ?? null;
  const now = streamNow();
  const value = [alert, open, now === null, rollbackTarget(), champion()?.version, latestChange(), state.alertsKnown, problem(), blind(), restless(), learning(), open.map(known), alert && forgotten(alert)];
  whenChanged(byId("now"), value, () => (alert ? standing(alert, open, now) : calm()));
}

const problem = () => state.problems.get("alerts")?.message;

/** Whether a feature can be looked at that an alert is about. */
const known = (alert) => alert.feature !== null && Boolean(state.drift?.rows.some((row) => row.feature === alert.feature));

/** Whether no worker knows of a drift any more, which then is never called over. */
function forgotten({ kind, at }) {
  const { overview } = state;
  return DRIFTS.includes(kind) && blind() === null && overview !== null && overview.now - at > PATIENCE && !overview.open_drifts[kind];
}

/** What detectors say that is not (yet) an alert: `amount (KS test)`, by how grave it is. */
function restless() {
  const rows = (state.drift?.rows ?? []).filter((row) => row.state === "warning" || row.state === "drift");
  return rows.map((row) => `${row.feature || "errors"} (${detectorName(row.detector)}${row.state === "drift" ? ", drift" : ""})`);
}

/** Whether there is no detector yet that knows what is usual. */
const learning = () => !(state.drift?.rows ?? []).some((row) => row.state !== "warmup");

const latestChange = () => [...state.alerts.values()].find((one) => one.kind === "model_swap" || one.kind === "rollback");

function calm() {
  if (problem()) return h("div.card.now.calm", {}, h("h2", { id: "headline" }, "The alerts cannot be had."), h("p", {}, problem()));
  if (!state.alertsKnown) return h("div.card.now.calm", {}, h("h2", { id: "headline" }, "Looking for alerts …"));
  const last = [...state.alerts.values()].find((one) => one.closed);
  const change = latestChange();
  const [tone, kicker, more] = calmness();
  const told = blind() === null ? "no drift is open." : "whether a drift is open is not known.";
  return h(`div.card.now.${tone}`, {},
    h("div.what", {},
      h("p.kicker", {}, h(`span.dot.${tone === "calm" ? "ok" : tone}`, { "aria-hidden": "true" }), kicker),
      h("h2", { id: "headline" }, champion() ? `Version ${champion().version} serves; ${told}` : sentence(told)),
      more && h("p", {}, more),
      last ? h("p.soft", {}, "The last alert was closed ", age(last.closed.ts), `: ${last.headline}`)
        : h("p.soft", {}, "When a detector finds a change, it stands here: what changed, since when, how sure it is, and what was done."),
      change && h("p.soft", {}, "Last change of the model, ", age(change.ts), `: ${change.headline}`)),
    change && h("div.acts", {}, undo(change)));
}

/** How calm it is without an open alert: the tone, what stands above, and a sentence on it. Green only when all is. */
function calmness() {
  const [hidden, warns] = [blind(), restless()];
  if (hidden !== null) return ["warning", "No open alerts are known of", hidden];
  if (warns.length) return ["warning", "No open alerts, but detectors are not calm", `${plural(warns.length, "detector warns", "detectors warn")}: ${list(warns.slice(0, 4))}${warns.length > 4 ? " and others" : ""}.`];
  if (learning()) return ["info", "No open alerts", "Detectors still learn what is usual, or none is configured: until they have, nothing would be found."];
  return ["calm", "No open alerts", null];
}

function undo(alert) {
  const target = rollbackTarget();
  const swapped = alert.action === "swapped" || alert.kind === "model_swap";
  const name = target === null ? "Roll back" : `Roll back to version ${target}`;
  return action(`${swapped ? "Undo: r" : "R"}${name.slice(1)} …`, "operator", rollBack, { tone: swapped ? "danger" : "quiet", key: "undo" });
}

function standing(alert, open, now) {
  const others = open.filter((one) => one !== alert);
  const acknowledging = alert.acknowledged
    ? action("Take back acknowledgement", "operator", () => unacknowledge(alert), { key: "ack" })
    : action("Acknowledge …", "operator", () => acknowledge(alert), { key: "ack", tone: alert.action === "swapped" ? "quiet" : "main" });
  return [
    h(`div.card.now.${alert.severity}`, { "data-alert": alert.id },
      h("div.what", {},
        h("p.kicker", {},
          h(`span.dot.${alert.severity}`, { "aria-hidden": "true" }),
          h("b", {}, kindName(alert.kind)), h("span", {}, alert.severity),
          h(`span.chip.state-${alert.state}`, {}, stateName(alert)),
          h("span", {}, `partition ${alert.partition}`),
          alert.acknowledged && h("span.chip", {}, `known to ${alert.acknowledged.who}`)),
        h("h2", { id: "headline" }, alert.headline),
        h("dl.answers", {}, changed(alert), since(alert, now), sure(alert), did(alert)),
        forgotten(alert) && h("p.soft", {}, "No worker knows of this drift any more: the service began anew since, as it does with another configuration. It will not be called over; acknowledge it.")),
      h("div.acts", {},
        alert.action === "swapped" ? [undo(alert), acknowledging] : [acknowledging, undo(alert)],
        known(alert)
          && h("button.quiet", { type: "button", "data-key": "look", onclick: () => emit("open-feature", alert.feature) }, `Look at ${alert.feature}`),
        h("button.quiet", { type: "button", "data-key": "evidence", onclick: () => emit("open-alert", alert.id) }, "All evidence"))),
    others.length > 0 && h("div.others", {},
      h("p", {}, `${plural(others.length, "more open alert")}:`),
      h("ul", {}, others.slice(0, 6).map((one) =>
        h("li", {}, h("button.line", { type: "button", "data-key": one.id, onclick: () => choose(one.id) },
          h(`span.dot.${one.severity}`, { "aria-hidden": "true" }), h("span.text", {}, one.headline), h("span.soft", {}, one.acknowledged ? "acknowledged" : age(one.ts))))),
        others.length > 6 && h("li", {}, h("a", { href: "#alerts" }, `all ${count(open.length)}`)))),
  ];
}

function answer(question, main, ...more) {
  return h("div", {}, h("dt", {}, question), h("dd", {}, h("p.big", {}, main), more.filter(Boolean).map((one) => h("p", {}, one))));
}

function changed(alert) {
  if (alert.before === null || alert.after === null) return answer("What changed", subjectOf(alert), alert.detail);
  const [before, after] = valuesOf(alert);
  const difference = moved(alert.before, alert.after);
  const spread = alert.direction === "wider" || alert.direction === "narrower";
  const others = [...new Set(alert.contributors.slice(1).map((one) => one.feature).filter((one) => one && one !== alert.feature))];
  return answer("What changed",
    [h("span.from", {}, before), h("span.arrow", { "aria-label": " to " }, " → "), h("span.to", {}, after)],
    [subjectOf(alert), spread ? `, ${alert.direction} (deviation)` : "", difference ? `, ${difference}` : ""],
    others.length > 0 && `with ${others.slice(0, 3).join(", ")}`);
}

function since(alert, now) {
  const began = alert.change_point?.ts ?? null;
  if (began === null) return answer("Since when", when(alert.ts, now), age(alert.ts));
  return answer(term("change_point", "Since when"), when(began, now), age(began, "about "), age(alert.ts, "told "));
}

function sure(alert) {
  const rare = alert.expected_events_per_false_alarm;
  const over = alert.statistic !== null && alert.threshold ? alert.statistic / alert.threshold : null;
  const evidence = over !== null && [
    meterOf(over), `${times(over)} the threshold`, alert.detector ? ` (${detectorName(alert.detector)})` : "",
  ];
  const main = rare !== null ? `1 in ${count(rare)}` : alert.p_value !== null ? `p = ${number(alert.p_value)}` : over !== null ? `${times(over)} the threshold` : "by its own word";
  return answer(term(rare !== null ? "by_chance" : "p_value", "How sure"), main, rare !== null && "events by chance alone", evidence);
}

function did(alert) {
  const served = champion();
  return answer("What Driftline did", h("span.said", {}, alert.action_text || "Nothing: it only tells."), served && `Version ${served.version} serves.`);
}

export function start() {
  view("now", ["alerts", "chosen", "models", "overview", "series", "drift", "standing"], draw);
}
