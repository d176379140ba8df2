// When something was, and how long ago that is, told anew as the stream goes on, without touching anything around it.

import { h, say } from "./dom.js";
import { ago, iso, moment } from "./format.js";
import { on, streamNow } from "./state.js";

/** `Fri 12 Jun, 09:30`, which machines can read, too. */
export const when = (seconds, now) => h("time", { datetime: iso(seconds) }, moment(seconds, now));

/** `3 h ago`, in stream time, with words before it. */
export function age(time, before = "") {
  return h("span", { "data-ago": time, "data-before": before }, told(time, before, streamNow()));
}

function again() {
  const now = streamNow();
  for (const one of document.querySelectorAll("[data-ago]")) say(one, told(Number(one.dataset.ago), one.dataset.before, now));
}

function told(time, before, now) {
  const gone = ago(time, now);
  return gone === "just now" && before === "about " ? gone : before + gone;
}

on("series", again);
on("overview", again);
