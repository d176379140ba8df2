// Data quality: what could not be read, why, and samples in which all texts are masked.

import { term } from "./access.js";
import { byId, h, whenChanged } from "./dom.js";
import { ago, count, moment, percent, whole, words } from "./format.js";
import { old } from "./standing.js";
import { clockNow, state, view } from "./state.js";

function shares(rejected) {
  return h("ul.plain", {}, Object.entries(rejected ?? {}).filter(([, { share }]) => share !== null).map(([topic, { share, state: condition }]) =>
    h("li", {}, `${percent(share)} of ${words(topic)} are rejected of late `, h("span", { class: condition === "stable" && old() ? "chip" : `chip reading-${condition}` }, condition))));
}

/** How many there are, and since when that is counted. */
const counted = ({ total, since }) => (since === null ? count(total) : `${count(total)} since ${moment(since, clockNow())}`);

function reasons(letters) {
  const { by_reason } = letters;
  const found = Object.entries(by_reason ?? {}).sort((a, b) => b[1] - a[1]);
  const most = found[0]?.[1] ?? 1;
  if (!found.length) return null;
  return h("table.bars", {}, h("caption.unseen", {}, `Dead letters by reason, ${counted(letters)}`), h("thead.unseen", {}, h("tr", {}, h("th", { scope: "col" }, "Reason"), h("th", { scope: "col" }, "Records"))),
    h("tbody", {}, found.map(([reason, n]) => h("tr", {}, h("th", { scope: "row" }, words(reason)), h("td", {}, h("span.bar", { "aria-hidden": "true" }, h("i", { style: `width:${(100 * n) / most}%` })), count(n))))));
}

function samples(found, now) {
  if (!found?.length) return null;
  return [h("h3", {}, "Newest samples"), h("p.soft.small", {}, "Texts are masked: only names of fields and shapes of values are shown."),
    h("ul.plain.samples", {}, found.map((sample) => h("li", {}, h("details", {},
      h("summary", {}, h("b", {}, words(sample.reason)), ` ${sample.message} `, h("span.soft", {}, ago(sample.ts, now))),
      h("p.soft.small", {}, `${sample.topic}, partition ${sample.partition} at offset ${whole(sample.offset)}, ${moment(sample.ts, now)}`),
      h("pre", { tabindex: "0", "aria-label": "The record, masked" }, typeof sample.value === "string" ? sample.value : JSON.stringify(sample.value, null, 1))))))];
}

export function start() {
  const body = byId("quality-body");
  view("quality", ["quality", "standing"], () => {
    const { quality } = state;
    const letters = quality?.dead_letters;
    whenChanged(byId("quality-said"), [letters?.total, letters?.since], () => (letters ? [term("dead_letters", "Dead letters"), `: ${counted(letters)}`] : ""));
    whenChanged(body, [quality, state.problems.get("quality")?.message, old()], () => {
      if (!quality) return h("p.soft", {}, state.problems.get("quality")?.message ?? "Asking for the dead letters …");
      const trouble = letters.trouble && h("p.notice.warning", {}, `There may be newer dead letters than these: ${letters.trouble}`);
      const calm = letters.trouble ? null : h("p.soft", {}, "No record has become a dead letter. One that cannot be read stands here with the reason.");
      if (!letters.total) return [trouble, shares(quality.rejected), calm];
      return [trouble, shares(quality.rejected), reasons(letters), samples(letters.samples, clockNow())];
    });
  });
}
