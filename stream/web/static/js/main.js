// Asks for what there is, listens for what comes, and tells the parts of the page.

import { askForToken } from "./access.js";
import * as alerts from "./alerts.js";
import { get } from "./api.js";
import * as audit from "./audit.js";
import { byId, say } from "./dom.js";
import * as feature from "./feature.js";
import * as flow from "./flow.js";
import * as heat from "./heat.js";
import * as labels from "./labels.js";
import { connection, follow, leave } from "./live.js";
import * as models from "./models.js";
import * as now from "./now.js";
import * as pulse from "./pulse.js";
import * as quality from "./quality.js";
import * as scores from "./scores.js";
import { blind, idle, quietSince } from "./standing.js";
import { append, appendDrift, covered, grown } from "./series.js";
import { clockNow, emit, inSight, on, state } from "./state.js";
import * as top from "./top.js";
import { kindName } from "./words.js";
import * as workers from "./workers.js";

const POINTS = 300;
const COLUMNS = 120;
const LONGEST = 8 * 86_400; // seconds that are kept, and a little more
const ALERTS = 200;
const RETRY = 5; // seconds after which is asked again for what could not be had
const SOON = 700; // milliseconds in which several reasons to ask for one thing become one question

/** How each thing is had: from where, what becomes of the answer, and how often anew (seconds), in sight only. */
const SOURCES = {
  me: { path: "/v1/me", take: (found) => found },
  overview: { path: "/v1/overview", take: (found) => found, every: 5, always: true },
  series: { columns: POINTS, path: "/v1/series", take: (found) => grown(found, POINTS, state.range), every: 120, always: true },
  drift: { columns: COLUMNS, path: "/v1/drift", take: (found) => grown(found, COLUMNS, state.range), every: 60, always: true },
  alerts: { path: "/v1/alerts", ask: () => ({ limit: ALERTS }), take: takeAlerts, every: 20, always: true },
  models: { path: "/v1/models", take: (found) => [...found.models].sort((a, b) => b.version - a.version), every: 30 },
  labels: { path: "/v1/labels", take: (found) => found, every: 10 },
  quality: { path: "/v1/quality", take: (found) => found, every: 15 },
  workers: { path: "/v1/workers", take: (found) => found, every: 5 },
  audit: { path: "/v1/audit", ask: () => ({ limit: 100 }), take: (found) => found.entries, every: 60 },
};

/**
 * Columns since as far back as is asked for. A service that has not run for so long has few of them, as they are cut
 * for the whole time: then once more, for the time that it has run.
 */
async function columns(path, most) {
  const end = clockNow() ?? Date.now() / 1000;
  const all = { partition: state.partition, points: most };
  let since = state.range === null ? 0 : end - state.range;
  let found = await get(path, { ...all, since });
  for (let turn = 0; turn < 3 && found.at.length && found.at.length < most / 3; turn += 1) {
    const width = (end - Math.max(since, end - LONGEST)) / most;
    const start = Math.min(found.at[0], end) - 1.1 * width;
    if (covered({ at: [start, end] }) > 0.7 * (end - Math.max(since, end - LONGEST))) break;
    since = start;
    found = await get(path, { ...all, since });
  }
  return found;
}

function takeAlerts(found) {
  state.alertsKnown = true;
  state.alertsTrouble = found.trouble;
  return new Map([...found.alerts].sort((a, b) => b.ts - a.ts).map((alert) => [alert.id, alert]));
}

const underway = new Map();
const askedAt = new Map();

/** Ask for one thing anew. Two requests for one thing do not run at a time; the second waits. */
async function load(topic) {
  if (state.locked) return;
  if (underway.has(topic)) {
    underway.set(topic, "again");
    return;
  }
  underway.set(topic, "once");
  askedAt.set(topic, Date.now());
  const { path, ask, take, columns: most } = SOURCES[topic];
  const showing = `${state.partition}/${state.range}`;
  try {
    const found = take(await (most ? columns(path, most) : get(path, ask?.())));
    if (showing === `${state.partition}/${state.range}`) state[topic] = found;
    state.problems.delete(topic);
    state.heard.set(topic, Date.now());
  } catch (problem) {
    state.problems.set(topic, problem);
    if (problem.status === 401) locked(problem);
    else if (problem.status === undefined) throw problem;
  } finally {
    const again = underway.get(topic) === "again";
    underway.delete(topic);
    emit(topic);
    emit("standing");
    if (again) load(topic);
  }
}

const planned = new Set();

/** Ask for these in a moment. */
function soon(...topics) {
  for (const topic of topics) {
    if (planned.has(topic)) continue;
    planned.add(topic);
    setTimeout(() => {
      planned.delete(topic);
      load(topic);
    }, SOON);
  }
}

/** Nothing more is asked until somebody signs in: what there is stays, and says that it is old. */
function locked(problem) {
  state.me = null;
  state.locked ??= { since: Date.now(), why: problem.detail };
  leave();
  emit("me");
  emit("standing");
  askForToken(problem.detail);
}

const everything = (topics = Object.keys(SOURCES)) => Promise.all(topics.map((topic) => load(topic)));

/** Who looks comes first, then what time it is, which the questions for columns go by. */
async function begin() {
  state.locked = null;
  const { me, overview, ...others } = SOURCES;
  await load("me");
  if (state.problems.get("me")?.status === 401) return;
  await load("overview");
  follow(state.partition);
  await everything(Object.keys(others));
}

let stood = null;

function tick() {
  if (document.hidden) return;
  const stands = JSON.stringify([blind(), quietSince()]);
  if (stands !== stood) emit("standing");
  stood = stands;
  if (!connection.live || state.locked) return;
  for (const [topic, { every, always }] of Object.entries(SOURCES)) {
    const troubled = state.problems.has(topic) || (topic === "alerts" && state.alertsTrouble !== null);
    const due = every && Date.now() - (askedAt.get(topic) ?? 0) > (troubled ? Math.min(every, RETRY) : every) * 1000;
    const wanted = always || inSight(topic) || (topic === "workers" && idle()); // who was there last
    if (due && wanted) load(topic);
  }
}

function listen() {
  on("live:point", (point) => {
    state.pointAt = Date.now();
    if (state.series && append(state.series, point)) emit("series");
    if (state.drift && appendDrift(state.drift, point)) emit("drift");
  });
  on("live:alert", (alert) => {
    const known = state.alerts.has(alert.id);
    const others = [...state.alerts.values()].filter((one) => one.id !== alert.id);
    state.alerts = new Map([alert, ...others].sort((a, b) => b.ts - a.ts).slice(0, ALERTS).map((one) => [one.id, one]));
    emit("alerts");
    soon("overview", "series", "drift"); // for its mark, and for how its detectors stand
    if (!known) say(byId("said"), `New alert. ${kindName(alert.kind)}: ${alert.headline}`);
  });
  on("live:champion", () => soon("overview", "models", "series"));
  on("live:control", () => soon("overview"));
  on("live:audit", () => soon("audit"));
  on("changed", (what) => soon(what, "overview", "audit"));
  on("range", () => {
    load("series");
    load("drift");
  });
  on("partition", (partition) => {
    follow(partition);
    load("series");
    load("drift");
  });
  on("signed-in", begin);
  on("reconnected", everything);
  on("locked", locked);
}

top.start();
for (const part of [now, pulse, scores, flow, heat, alerts, models, labels, quality, workers, audit]) part.start();
listen();
setInterval(tick, 1000);
begin().then(feature.start);
