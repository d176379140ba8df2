// How far what stands here can be relied on: what could not be had of late, since when, and whether anybody is at work.

import { connection } from "./live.js";
import { clock } from "./format.js";
import { state } from "./state.js";

const QUIET = 20; // seconds without a point after which the newest numbers are no longer those of now

const NAMES = {
  me: "who you are", overview: "the newest numbers", series: "charts", drift: "features", alerts: "alerts", models: "models", labels: "labels",
  quality: "data quality", workers: "workers", audit: "the audit trail",
};

/** What cannot be had, by name, why, and from when what is shown of it is (milliseconds; null: nothing is). */
export function stale() {
  const found = [...state.problems].filter(([, problem]) => problem.status !== 401);
  if (!found.length) return null;
  const heard = found.map(([topic]) => state.heard.get(topic) ?? null);
  return { names: found.map(([topic]) => NAMES[topic]), why: found[0][1].message, since: heard.includes(null) ? null : Math.min(...heard) };
}

/** Since when no point has come that one should have (milliseconds); null while they come. */
export function quietSince() {
  const { pointAt } = state;
  return connection.live && pointAt !== null && Date.now() - pointAt > QUIET * 1000 ? pointAt : null;
}

/** Whether no worker is at work, as far as is known. */
export const idle = () => state.overview?.health?.parts?.workers?.state === "down";

/** Why a drift may be there that is not shown, as a sentence; null while all can be read and somebody looks. */
export function blind() {
  if (state.locked) return "You are not signed in.";
  if (connection.since !== null) return `The page is disconnected since ${clock(connection.since / 1000)}.`;
  for (const topic of ["alerts", "overview", "drift"]) {
    const problem = state.problems.get(topic);
    if (problem) return problem.message;
  }
  if (state.alertsTrouble) return `Alerts cannot be read: ${state.alertsTrouble}`;
  if (idle()) return "No worker is at work, so nothing is watched.";
  const quiet = quietSince();
  return quiet === null ? null : `Workers have told nothing since ${clock(quiet / 1000)}.`;
}

/** Whether the newest rates are old. */
export const old = () => idle() || quietSince() !== null || connection.since !== null || state.locked !== null;
