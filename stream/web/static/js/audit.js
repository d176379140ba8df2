// The audit trail: each change by hand, who asked for it, from where, what was before and after.

import { when } from "./ages.js";
import { byId, h, scrolls, table, whenChanged } from "./dom.js";
import { moment, words } from "./format.js";
import { clockNow, state, view } from "./state.js";

const SHOWN = 100;

const short = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? Object.entries(value).map(part).join(", ") : String(value));

const part = ([name, value]) => {
  if (value === null) return `${words(name)}: no`;
  return `${words(name)} ${name === "when" && typeof value === "number" ? moment(value) : short(value)}`;
};

const change = ({ before, after }) => [short(before), short(after)].filter(Boolean).join(" → ");

export function start() {
  const body = byId("audit-body");
  view("audit", ["audit"], () => {
    const { audit } = state;
    whenChanged(body, audit?.slice(0, SHOWN) ?? state.problems.get("audit")?.message, () => {
      if (!audit) return h("p.soft", {}, state.problems.get("audit")?.message ?? "Asking for the audit trail …");
      if (!audit.length) return h("p.soft", {}, "Nobody has changed anything by hand. Promotions, roll backs, acknowledgements and pauses stand here, with who asked for them.");
      const now = clockNow();
      return scrolls("Audit trail", table("Changes by hand, newest first", [{ head: "When" }, { head: "Who" }, { head: "What" }, { head: "On" }, { head: "Change" }, { head: "Reason" }, { head: "Outcome" }],
        audit.slice(0, SHOWN).map((entry) => [when(entry.ts, now), [h("b", {}, entry.who), h("small", {}, entry.via === "command line" ? " by the command line" : ` ${entry.role}, ${entry.ip ?? "?"}`)], words(entry.action).replace(".", ": "), entry.target ?? "", change(entry), entry.reason ?? "", h("span", { class: /done|ok/.test(entry.outcome) ? "chip" : "chip reading-warning" }, words(entry.outcome), entry.detail ? h("small", {}, ` ${entry.detail}`) : "")])));
    });
  });
}
