// What terms mean, for those who meet them here first, and how kinds, states and roles are called.

import { state } from "./state.js";
import { fixed, number, percent, sentence, words } from "./format.js";

export const TERMS = {
  champion: "The model that serves: its answers are the predictions that are published.",
  challenger: "A model that learns beside the champion, unseen. It takes over only when it has proven better on the same labelled events.",
  drift: "The world has changed: what features are like, or how they go with the answer, is not what it was.",
  threshold: "Where a detector raises an alarm. It is set so that chance alone raises false alarms as rarely as the alarm budget says.",
  statistic: "The detector's evidence of a change, in its own unit. At the threshold it becomes an alarm.",
  lag: "Records that are on the topic and have not been worked off yet.",
  latency: "From a record being in the worker's hands to the engine's answer. Half of the events take less than the 50 % line, all but 1 in 100 less than the 99 % line.",
  pending: "Predictions whose label has not come yet.",
  held: "Labels that came before their event, and wait for it.",
  expired: "Predictions whose label did not come in time. They are given up.",
  join_rate: "Share of predictions that get their label.",
  dead_letters: "Records that could not be read as the configuration says. They are kept on a topic of their own, with the reason.",
  snapshot: "A task's whole state, saved from time to time. A restarted worker goes on from it.",
  p_value: "How probable evidence this strong would be if nothing had changed.",
  by_chance: "How many events pass on average before this detector raises such an alarm although nothing changed.",
  change_point: "When the change most probably began. It is before the alert: it takes some events to be sure.",
  log_loss: "How far the stated probabilities were from what came true. Smaller is better; 0 is perfect.",
  roc_auc: "How well true cases are ranked above others. 0.5 is chance, 1 is perfect.",
  pr_auc: "How well true cases are ranked above others where they are rare: precision over recall. Chance has the share of true cases, 1 is perfect.",
  mean_loss: "Mean loss of all labels so far, where the other measures are of the newest. Smaller is better.",
  accuracy: "Share of answers that were right.",
  brier: "Mean square of the distance between the stated probability and what came true. Smaller is better.",
  f1: "Balance of how many of the alarms were right and how many of the cases were found. 1 is perfect.",
  stream_time: "The time that records say they are from. Where an old stream is replayed it is not the clock on the wall.",
  digest: "Fingerprint of the model's file (SHA-256).",
  lineage: "Which version a model came from.",
  evidence: "What a bet on this model being better than the champion has made of 1. When it has made enough, that is proof, and it takes over.",
};

const METRICS = { log_loss: "log loss", roc_auc: "ROC AUC", pr_auc: "PR AUC", mean_loss: "mean loss of the whole run", expected_cost: "cost of a decision", f1: "F1", brier: "Brier score", mae: "mean absolute error", rmse: "root mean square error" };
const SMALLER = /loss|brier|mae|rmse|error|mse|cost/;

export const metricName = (metric) => METRICS[metric] ?? words(metric);

/** Whether more of a metric is better; the service says so of its main one. */
export function better(metric) {
  const { overview } = state;
  const higher = metric === overview?.metric ? overview.higher_is_better : !SMALLER.test(metric);
  return higher ? "higher is better" : "lower is better";
}

const KINDS = {
  concept_drift: "The model got worse",
  data_drift: "A feature changed",
  prediction_drift: "Predictions changed",
  data_quality: "Records are rejected",
  label_starvation: "Labels stay away",
  performance: "The model does not fit",
  model_swap: "A new model serves",
  rollback: "A model was rolled back",
};

export const kindName = (kind) => KINDS[kind] ?? sentence(words(kind));

const DETECTORS = {
  ks: "KS test", chi_squared: "chi-squared", psi: "PSI", adwin: "ADWIN", ddm: "DDM", rddm: "RDDM", eddm: "EDDM",
  hddm_a: "HDDM_A", hddm_w: "HDDM_W", kswin: "KSWIN", stepd: "STEPD", cusum: "CUSUM", page_hinkley: "Page-Hinkley",
  e_detector: "e-detector", jensen_shannon: "Jensen-Shannon", wasserstein: "Wasserstein",
};

export const detectorName = (detector) => DETECTORS[detector] ?? words(detector);

const MARKS = { drift: "drift", warning: "warning", swap: "swap", rollback: "roll back", starvation: "labels stay away", quality: "records rejected", fit: "does not fit" };

export const markName = (kind) => MARKS[kind] ?? words(kind);

/** The state of an alert as a word: how it was closed, if it was. */
export function stateName(alert) {
  return alert.state === "closed" ? alert.closed?.how ?? "happened" : words(alert.state);
}

/** What an alert is about: `amount where country=US`, `the errors`. */
export function subjectOf(alert) {
  const nameless = { data_drift: "the features", prediction_drift: "the predictions" }[alert.kind] ?? (isRate(alert) ? "the error rate" : "the errors");
  const subject = alert.feature ?? nameless;
  return alert.segment ? `${subject} where ${whereOf(alert.segment)}` : subject;
}

/** A segment in words: `country=US` as it is, `country=(other)` as `country is another value`. */
export function whereOf(segment) {
  return segment.replace(/=\((other|missing)\)$/, (_, mark) => (mark === "other" ? " is another value" : " is missing"));
}

/** What a detector says of a feature, such as a category; those that are not told apart are all others. */
export const detailOf = (detail) => (detail === "(other)" ? "all other values" : detail);

/** Whether the errors of an alert are a share of the answers, not a distance. */
const isRate = (alert) => alert.kind === "concept_drift" && state.overview !== null && state.overview.problem !== "regression";

const SHARES = new Set(["label_starvation", "data_quality"]);

/** `before` and `after` as texts in their unit. */
export function valuesOf(one, alert = one) {
  const isShare = SHARES.has(alert.kind) || (isRate(alert) && !one.feature) || (one.detail && one.feature && one.direction !== "wider" && one.direction !== "narrower");
  const within = [one.before, one.after].every((value) => value === null || (value >= 0 && value <= 1));
  const told = isShare && within ? percent : (value) => number(value, 4);
  const [before, after] = [told(one.before), told(one.after)];
  return before === after ? [fixed(one.before, 6), fixed(one.after, 6)] : [before, after];
}

/** How far a value moved, as a share of where it was: `+62 %`; null where that says nothing. */
export function moved(before, after) {
  if (!before || after === null || after === undefined || before < 0) return null;
  const share = after / before - 1;
  if (!Number.isFinite(share) || Math.abs(share) < 0.001) return null;
  if (share > 9) return `${number(after / before, 2)} times as much`;
  return `${share > 0 ? "+" : "\u2212"}${percent(Math.abs(share))}`;
}
