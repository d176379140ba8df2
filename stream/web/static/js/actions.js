// What a person can change from here, each with what will happen in plain words.

import { post } from "./api.js";
import { confirm } from "./dialogs.js";
import { champion, emit, state } from "./state.js";

/** The version that a roll back goes to; null where there is none. */
export function rollbackTarget() {
  const target = state.models?.find((model) => model.status === "rollback target");
  return target?.version ?? null;
}

/** What to know before a version serves that was stored before its first label; false for others. */
function untaught(model) {
  return model?.reason === "first" && !model.labels && `Version ${model.version} serves as it was stored, before its first label: it knows nothing yet.`;
}

/** What a version that tasks still have comes back with; false for others. */
function learnedOn(model) {
  return model?.held_by.length > 0 && `Version ${model.version} comes back with what it has learned since in ${model.held_by.join(", ")}.`;
}

export function rollBack() {
  const served = champion();
  const target = rollbackTarget();
  const model = state.models?.find((one) => one.version === target);
  confirm({
    title: target === null ? "Roll back to the version before?" : `Roll back to version ${target}?`,
    what: [
      served && `Version ${served.version} stops serving${target === null ? "" : `; version ${target} serves from the next predictions on`}.`,
      learnedOn(model) || untaught(model),
      "Predictions that are out already stay as they are. Each names the version that made it.",
      "This is not taken back by itself. You can promote any version again.",
    ],
    button: "Roll back",
    tone: "danger",
    run: async (reason) => {
      const done = await post("/v1/models/rollback", { to: target, reason });
      emit("changed", "models");
      return `Version ${done.version} serves now.`;
    },
  });
}

export function promote(model) {
  const served = champion();
  confirm({
    title: `Promote version ${model.version}?`,
    what: [
      served && `Version ${served.version} stops serving; version ${model.version} (${model.recipe}) serves from the next predictions on.`,
      untaught(model),
      "The present champion goes on in its shadow. If it proves better while that lasts, it is brought back by itself.",
      "You can roll back at any time.",
    ],
    button: "Promote",
    run: async (reason) => {
      const done = await post(`/v1/models/${model.version}/promote`, { reason });
      emit("changed", "models");
      return `Version ${done.version} serves now.`;
    },
  });
}

export function acknowledge(alert) {
  confirm({
    title: "Acknowledge this alert?",
    what: [
      alert.headline,
      "Everybody sees that you know of it. It stays open until the drift is over, and moves behind alerts that nobody knows of.",
    ],
    label: "Note",
    hint: "What you know of it, or what you are doing. It is shown with the alert.",
    button: "Acknowledge",
    optional: true,
    run: async (note) => {
      await post(`/v1/alerts/${encodeURIComponent(alert.id)}/acknowledge`, { note });
      emit("changed", "alerts");
      return "Acknowledged.";
    },
  });
}

export async function unacknowledge(alert) {
  await post(`/v1/alerts/${encodeURIComponent(alert.id)}/unacknowledge`, {});
  emit("changed", "alerts");
}

export function pause() {
  confirm({
    title: "Pause the service?",
    what: [
      "All workers stop taking records once they have seen this, within seconds. No predictions come until somebody resumes.",
      "Nothing is lost: records wait on their topics, and are worked off afterwards.",
    ],
    button: "Pause",
    tone: "danger",
    run: async (reason) => {
      await post("/v1/pause", { reason });
      emit("changed", "overview");
      return "Paused.";
    },
  });
}

export function resume() {
  confirm({
    title: "Resume?",
    what: ["Workers go on where they stopped, and work off what has waited."],
    button: "Resume",
    run: async (reason) => {
      await post("/v1/resume", { reason });
      emit("changed", "overview");
      return "Going on.";
    },
  });
}
