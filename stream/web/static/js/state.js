// What the page knows, who is told when that changes, and which parts are drawn anew for it.

import { byId, mark } from "./dom.js";

/** All that was heard from the service. Each is null until it was. */
export const state = {
  me: null,
  overview: null,
  series: null,
  drift: null,
  alerts: new Map(), // by id, newest first
  alertsKnown: false,
  alertsTrouble: null, // why these may not be all
  models: null,
  labels: null,
  quality: null,
  workers: null,
  audit: null,
  locked: null, // since when and why nothing may be asked: {since (milliseconds), why}
  problems: new Map(), // by topic: why it could not be had
  heard: new Map(), // by topic: when it was had last, in milliseconds
  pointAt: null, // when a live point came last, or could have begun to, in milliseconds
  partition: "all",
  range: null, // seconds; null: everything
};

const listeners = new Map();

/** Call `listener` with what is emitted on a topic. */
export function on(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(listener);
}

export function emit(topic, value) {
  for (const listener of listeners.get(topic) ?? []) listener(value);
}

/** Time of the newest event, in seconds since the epoch; null while that is not known. */
export function streamNow() {
  return state.series?.time.at(-1) ?? state.overview?.stream_time ?? null;
}

/** Time by the clock of the service; null while that is not known. */
export function clockNow() {
  return state.series?.at.at(-1) ?? state.overview?.now ?? null;
}

/** The champion as the registry has it, which workers follow within seconds; as workers tell it where that is not known. */
export function champion() {
  return state.models?.find((model) => model.status === "champion") ?? state.overview?.champion ?? null;
}

/** Of all alerts those that are not over, newest first; those that nobody has acknowledged before the others. */
export function openAlerts() {
  const open = [...state.alerts.values()].filter((alert) => alert.state !== "closed");
  return open.sort((a, b) => Boolean(a.acknowledged) - Boolean(b.acknowledged) || b.ts - a.ts);
}

const views = [];
let asked = false;

/** Draw a part of the page now and whenever one of these topics changes: once per frame, and only while it is in sight. */
export function view(id, topics, draw) {
  const one = { draw, stale: true, inSight: false, element: byId(id) };
  views.push(one);
  for (const topic of topics) {
    on(topic, () => {
      one.stale = true;
      ask();
    });
  }
  sight.observe(one.element);
}

const sight = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      for (const one of views) if (one.element === entry.target) one.inSight = entry.isIntersecting;
    }
    ask();
  },
  { rootMargin: "300px" },
);

/** Whether a part is in sight, or nearly. */
export const inSight = (id) => views.some((one) => one.element.id === id && one.inSight);

function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const one of views) {
      if (!one.stale || !one.inSight) continue;
      one.stale = false;
      one.draw();
      mark(one.element, "data-drawn", "yes");
    }
  });
}
