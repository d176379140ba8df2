// Alerts as a timeline: one line each, with where it lies in the time that is shown, and all its evidence when opened.

import { acknowledge, unacknowledge } from "./actions.js";
import { action, term } from "./access.js";
import { age, when } from "./ages.js";
import { byId, fill, h, keyed, mark, say, scrolls, table } from "./dom.js";
import { count, moment, number, plural, span, times, whole, words } from "./format.js";
import { clockNow, emit, on, openAlerts, state, streamNow, view } from "./state.js";
import { detailOf, detectorName, kindName, stateName, subjectOf, valuesOf, whereOf } from "./words.js";

const FILTERS = [
  ["all", "All", () => true],
  ["open", "Open", (alert) => alert.state !== "closed"],
  ["unknown", "Not acknowledged", (alert) => alert.state !== "closed" && !alert.acknowledged],
  ["closed", "Closed", (alert) => alert.state === "closed"],
];
const FIRST = 30;

let filter = "all";
let most = FIRST;
const opened = new Set();

/** From when to when the timeline goes: what the charts show, or what there are alerts of. */
function bounds(alerts) {
  const { series } = state;
  const end = streamNow() ?? Math.max(...alerts.map((alert) => alert.ts));
  const oldest = Math.min(...alerts.map((alert) => alert.change_point?.ts ?? alert.ts));
  const start = series?.time.length > 1 ? series.time[0] : oldest;
  return [Math.min(start, end - 1), end];
}

/** A stretch on the timeline: from the change to the alert thin, from there until it was over thick. */
function placed(track, alert, [start, end]) {
  const at = (time) => Math.max(0, Math.min(100, ((time - start) / (end - start)) * 100));
  const began = alert.change_point?.ts ?? alert.ts;
  const over = alert.closed?.ts ?? (alert.state === "closed" ? alert.ts : end);
  const [before, during, told] = track.children;
  for (const [element, from, to] of [[before, began, alert.ts], [during, alert.ts, over], [told, alert.ts, alert.ts]]) {
    mark(element, "style", `left:${at(from).toFixed(2)}%;width:${Math.max(0, at(to) - at(from)).toFixed(2)}%`);
  }
  mark(track, "data-outside", over < start ? "yes" : null);
}

function track(alert) {
  return h(`div.track.${alert.severity}`, { "aria-hidden": "true" }, h("i.before"), h(`i.${alert.state === "closed" ? "over" : "going"}`), h("i.told"));
}

function entry({ alert, expanded }) {
  const now = streamNow();
  const detail = `alert-${alert.id}`;
  const head = h("button.alert-head", {
    type: "button", "aria-expanded": String(expanded), "aria-controls": detail, "data-key": alert.id,
    onclick: () => toggle(alert.id),
  },
  h(`span.dot.${alert.severity}`, { "aria-hidden": "true" }),
  h("span.text", {}, h("b", {}, kindName(alert.kind)), h("span.unseen", {}, `, ${alert.severity}. `), h("span.headline", {}, alert.headline)),
  h("span.states", {}, h(`span.chip.state-${alert.state}`, {}, stateName(alert)), alert.acknowledged && h("span.chip", {}, "acknowledged")),
  track(alert),
  h("span.when", {}, when(alert.ts, now), h("small", {}, age(alert.ts), state.overview?.partitions.length > 1 ? `, partition ${alert.partition}` : "")));
  return h("li.alert", { "data-alert": alert.id }, h("h3", {}, head), h("div.alert-body", { id: detail, hidden: !expanded }, expanded && evidence(alert, now)));
}

function toggle(id) {
  if (!opened.delete(id)) opened.add(id);
  emit("alerts-shown");
}

function fact(name, ...said) {
  return said.some((one) => one !== null && one !== undefined && one !== false && one !== "") ? h("div", {}, h("dt", {}, name), h("dd", {}, said)) : null;
}

function evidence(alert, now) {
  const [before, after] = alert.before === null || alert.after === null ? [] : valuesOf(alert);
  const over = alert.statistic !== null && alert.threshold ? ` (${times(alert.statistic / alert.threshold)})` : "";
  const window = (one) => one && `${count(one.n)} values${one.first_ts ? `, ${moment(one.first_ts, now)} to ${moment(one.last_ts, now)}` : ""}`;
  return [
    h("dl.facts", {},
      fact("What", subjectOf(alert), alert.detail && !alert.headline?.includes(alert.detail) ? `: ${words(detailOf(alert.detail))}` : ""),
      before !== undefined && fact("Before and after", `${before} → ${after}`, alert.direction ? `, ${alert.direction}` : ""),
      fact(term("change_point", "Most probably since"), alert.change_point && (alert.change_point.ts === null ? `offset ${whole(alert.change_point.offset)}` : `${moment(alert.change_point.ts, now)} (${span(alert.ts - alert.change_point.ts)} before it was told)`)),
      fact(term("statistic", "Statistic"), alert.statistic !== null && `${number(alert.statistic)}, threshold ${number(alert.threshold)}${over}`),
      fact(term("p_value", "p-value"), alert.p_value !== null && number(alert.p_value)),
      fact(term("by_chance", "By chance alone"), alert.expected_events_per_false_alarm !== null && `once in ${count(alert.expected_events_per_false_alarm)} events`),
      fact("Size of the effect", alert.effect !== null && number(alert.effect)),
      fact("Detector", alert.detector && detectorName(alert.detector)),
      fact("Reference", window(alert.reference)), fact("When it was told", window(alert.current)), fact("Told again", later(alert, now)),
      fact("Served then", `version ${alert.model_version}, partition ${alert.partition} at offset ${whole(alert.offset)}`),
      fact("What Driftline did", alert.action_text),
      alert.closed && fact("Closed", `${moment(alert.closed.ts, now)}, ${alert.closed.how === "recovered" ? "as it was before" : "the new level is what is usual now"}`),
      alert.acknowledged && fact("Acknowledged", `${alert.acknowledged.who}, ${moment(alert.acknowledged.when, clockNow())}`, alert.acknowledged.note ? `: ${alert.acknowledged.note}` : "")),
    h("div.evidence", {}, profiles(alert), contributors(alert)),
    h("div.buttons", {},
      alert.acknowledged ? action("Take back acknowledgement", "operator", () => unacknowledge(alert), { key: `ack-${alert.id}` })
        : alert.state !== "closed" && action("Acknowledge …", "operator", () => acknowledge(alert), { key: `ack-${alert.id}` }),
      alert.feature && state.drift?.rows.some((row) => row.feature === alert.feature) && h("button.quiet", { type: "button", onclick: () => emit("open-feature", alert.feature) }, `Look at ${alert.feature}`)),
  ];
}

/** That a drift went further, each time that was told. */
function later(alert, now) {
  return alert.later?.length ? alert.later.map((one) => `${moment(one.ts, now)}${one.after === null ? "" : `: ${number(one.after)}`}`).join("; ") : null;
}

function profiles({ reference, current }) {
  if (!reference?.profile || !current?.profile) return null;
  const named = (name) => detailOf(name).replace(/^p(\d\d)$/, (_, percent) => `${Number(percent)} % are below`);
  return scrolls("Profiles", table("Values in the reference and when it was told", [{ head: "" , plain: "Value" }, { head: "Reference", number: true }, { head: "When it was told", number: true }], Object.keys(reference.profile).map((name) => [named(name), number(reference.profile[name]), number(current.profile[name])])));
}

function contributors(alert) {
  if (!alert.contributors.length) return null;
  const rows = alert.contributors.map((one) => {
    const [before, after] = one.before === null || one.after === null ? ["–", "–"] : valuesOf(one, alert);
    const subject = one.feature ?? "errors";
    return [[one.feature ? h("button.link", { type: "button", onclick: () => emit("open-feature", one.feature) }, subject) : subject, one.segment ? ` where ${whereOf(one.segment)}` : "", one.detail ? ` (${detailOf(one.detail)})` : ""], detectorName(one.detector), times(one.over), one.direction ?? "–", before, after];
  });
  return scrolls("What takes part", table("What takes part, the one that alarmed first, then by evidence", [{ head: "What takes part" }, { head: "Detector" }, { head: "Over threshold", number: true }, { head: "Direction" }, { head: "Before", number: true }, { head: "After", number: true }], rows));
}

function draw(list, parts) {
  const all = [...state.alerts.values()];
  const chosen = all.filter(FILTERS.find(([key]) => key === filter)[2]);
  const now = streamNow();
  say(byId("alerts-count"), state.alertsKnown ? `${plural(openAlerts().length, "is", "are")} open, ${count(all.length)} kept` : "");
  for (const [key, button] of parts.filters) mark(button, "aria-pressed", String(key === filter));
  say(parts.empty, chosen.length ? "" : state.problems.get("alerts")?.message
    ?? (all.length ? "None of this kind." : "No alerts so far. When a detector finds a change, it stands here with its evidence until it is over, and afterwards as long as it is kept."));
  const [start, end] = chosen.length ? bounds(chosen) : [0, 0];
  parts.axis.hidden = !chosen.length;
  [...parts.axis.children].forEach((tick, i) => say(tick, moment(start + (i / 2) * (end - start), now)));
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  keyed(list, chosen.slice(0, most).map((alert) => ({ alert, expanded: opened.has(alert.id), role: opened.has(alert.id) ? state.me?.role : null })), ({ alert }) => alert.id, entry);
  if (focused && !list.contains(document.activeElement)) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  for (const [i, line] of [...list.children].entries()) placed(line.querySelector(".track"), chosen[i], [start, end]);
  parts.more.hidden = chosen.length <= most;
  say(parts.more, `Show ${count(chosen.length - most)} more`);
}

export function start() {
  const list = h("ol.alerts");
  const filters = FILTERS.map(([key, name]) => [key, h("button", { type: "button", onclick: () => {
    filter = key;
    emit("alerts-shown");
  } }, name)]);
  fill(byId("alert-filter"), filters.map(([, button]) => button));
  const parts = {
    filters,
    axis: h("div.alert-axis", { "aria-hidden": "true" }, h("span"), h("span"), h("span")),
    empty: h("p.soft"),
    more: h("button.quiet", { type: "button", hidden: true, onclick: () => {
      most += FIRST;
      emit("alerts-shown");
    } }),
  };
  byId("alert-list").append(parts.axis, list, parts.empty, parts.more);
  view("alerts", ["alerts", "alerts-shown", "series", "me", "drift"], () => draw(list, parts));
  on("open-alert", (id) => {
    opened.add(id);
    if (filter !== "all") filter = "all";
    draw(list, parts);
    const head = list.querySelector(`[data-key="${CSS.escape(id)}"]`);
    head?.scrollIntoView({ block: "center" });
    head?.focus({ preventScroll: true });
  });
}
