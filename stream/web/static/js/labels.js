// Labels: how many come, how late, and what waits for them.

import { term } from "./access.js";
import { spark } from "./pulse.js";
import { byId, fill, h, say, scrolls, table, whenChanged } from "./dom.js";
import { count, percent, plural, span } from "./format.js";
import { old } from "./standing.js";
import { state, view } from "./state.js";

function facts(labels) {
  const { delay } = labels;
  return h("dl.tiles.small", {},
    one(term("join_rate", "Come"), percent(labels.join_rate), "of predictions get their label"),
    one("Half come within", span(delay?.p50), `90 % within ${span(delay?.p90)}, 99 % within ${span(delay?.p99)}`),
    one(term("pending", "Wait for a label"), count(labels.pending), `${count(labels.joined)} joined so far`),
    one(term("held", "Came too early"), count(labels.held), "wait for their event"),
    one(term("expired", "Never came"), count(labels.expired), "given up"));
}

function one(name, value, said) {
  return h("div.tile", {}, h("dt", {}, name), h("dd", {}, h("p.figure", {}, h("b.value", {}, value)), h("p.said", {}, said)));
}

function warnings(labels) {
  return [
    !labels.joined && h("p.notice.info", {}, `No label has found its event yet. ${labels.pending ? `${plural(labels.pending, "prediction waits", "predictions wait")} for theirs. ` : ""}Scores, challengers and detectors of errors begin with the first.`),
    labels.starved && h("p.notice.warning", {}, "Labels come much less often than usual. Promotions are held until they come again."),
    labels.vanished?.length > 0 && h("p.notice.warning", {}, `Labels come, but none of ${labels.vanished.map((name) => `“${name}”`).join(", ")}. The alert says more.`),
  ];
}

function missing({ vanished, joined }) {
  if (!joined) return "none has come yet";
  return vanished?.length ? `${plural(vanished.length, "class", "classes")} missing` : "they come as usual";
}

function perPartition(labels) {
  const rows = labels.per_partition ?? [];
  if (rows.length < 2) return null;
  return scrolls("Labels by partition", table("Labels by partition", [{ head: "Partition" }, { head: "Come", number: true }, { head: "Half within", number: true }, { head: "Wait", number: true }, { head: "Given up", number: true }, { head: "State" }],
    rows.map((row) => [String(row.partition), percent(row.join_rate), span(row.delay?.p50), count(row.pending), count(row.expired), row.starved ? "starved" : "ok"])));
}

/** A curve over the time that the charts show, with a name. */
function curve(name, column, text) {
  const [small, now] = [spark(), h("b")];
  const element = h("p.curve", {}, h("span", {}, name), small.element, now);
  return { element, draw: () => {
    small.draw(state.series?.[column]);
    say(now, text(state.series?.[column]?.at(-1)));
  } };
}

export function start() {
  const [notices, told, parts] = [h("div"), h("div"), h("div")];
  const curves = [curve("labels that come", "join_rate", percent), curve("half come within", "label_delay_p50", span), curve("predictions that wait", "pending", count)];
  const details = h("details", { hidden: true }, h("summary", {}, "By partition"), parts);
  fill(byId("labels-body"), notices, told, h("div.curves", {}, curves.map(({ element }) => element)), details);
  view("labels", ["labels", "series", "standing"], () => {
    const { labels } = state;
    whenChanged(notices, [labels?.starved, labels?.vanished, !labels?.joined && labels?.pending], () => (labels ? warnings(labels) : ""));
    whenChanged(told, labels && [labels.join_rate, labels.delay, labels.pending, labels.held, labels.expired, labels.joined], () => (labels ? facts(labels) : h("p.soft", {}, state.problems.get("labels")?.message ?? "How many labels come, and how late, will stand here.")));
    for (const { draw } of curves) draw();
    details.hidden = (labels?.per_partition?.length ?? 0) < 2;
    whenChanged(parts, labels?.per_partition, () => (labels ? perPartition(labels) : ""));
    say(byId("labels-said"), old() ? "as they came at last" : labels ? (labels.starved ? "labels stay away" : missing(labels)) : "");
  });
}
