// The bar at the top: how the service does, whether this page hears it, and what is shown.

import { action, askForToken, guard } from "./access.js";
import { token } from "./api.js";
import { pause, resume } from "./actions.js";
import { connection } from "./live.js";
import { byId, h, mark, say, whenChanged } from "./dom.js";
import { clock, list, moment, sentence, words } from "./format.js";
import { idle, quietSince, stale } from "./standing.js";
import { clockNow, emit, on, state, streamNow } from "./state.js";

const RANGES = [["everything", null], ["1 week", 604_800], ["1 day", 86_400], ["6 hours", 21_600], ["1 hour", 3_600], ["10 minutes", 600]];
const MAY = {
  viewer: "As viewer you see everything and change nothing.",
  operator: "As operator you may acknowledge alerts, promote and roll back models, pause and resume.",
  admin: "As admin you may do everything, bring in models from elsewhere too.",
};
const THEMES = ["system", "light", "dark"];

function drawOverview() {
  const { overview } = state;
  if (!overview) return;
  say(byId("app"), overview.model && overview.model !== overview.app ? `${overview.app} / ${overview.model}` : overview.app);
  const health = overview.health ?? { state: "ok", parts: {} };
  const chip = byId("health");
  const known = !state.problems.has("overview") && connection.since === null && !state.locked;
  say(chip, !known ? "health not known" : health.state === "ok" ? "healthy" : words(health.state));
  mark(chip, "class", known ? `chip health-${health.state}` : "chip");
  const reasons = known ? reasonsOf(health) : `It was ${words(health.state)} when it was heard of last.`;
  mark(chip, "data-why", reasons || null);
  mark(chip, "tabindex", reasons ? "0" : null);
  document.title = `${overview.open_alerts ? `(${overview.open_alerts}) ` : ""}${overview.model ?? overview.app} – Driftline`;
  const partitions = overview.partitions ?? [];
  whenChanged(byId("partition"), partitions, () => ["all", ...partitions.map(String)].map((one) => h("option", { value: one, selected: one === state.partition }, one)));
  say(byId("pause"), overview.paused ? "Resume …" : "Pause …");
  drawTime();
}

const drawTime = () => say(byId("stream-time"), streamNow() === null ? "no records yet" : `stream at ${moment(streamNow(), clockNow())}`);

const reasonsOf = ({ parts }) => Object.entries(parts ?? {}).filter(([, part]) => part.state !== "ok").map(([name, part]) => `${name}: ${part.reason || part.state}`).join("; ");

/** What workers say is wrong, as a sentence; null where all is well, or where they cannot be heard of. */
function illness() {
  const { health } = state.overview ?? {};
  if (!health || health.state === "ok") return null;
  if (!idle()) return `${sentence(words(health.state))}: ${reasonsOf(health)}`;
  const seen = Math.max(...(state.workers?.workers ?? []).map((worker) => worker.seen));
  return `No worker is at work${Number.isFinite(seen) ? `; the last one was heard of ${moment(seen, clockNow())}` : ""}. Nothing is predicted or watched; records wait on their topics.`;
}

function drawBanners() {
  const paused = state.overview?.paused;
  const away = connection.since !== null;
  const failed = away ? null : stale();
  const { locked } = state;
  const ill = away || locked || state.problems.has("overview") ? null : illness();
  const bad = state.overview?.health?.state === "down";
  whenChanged(byId("banners"), [locked, paused, connection.since, connection.why, failed, ill, bad, state.alertsTrouble, state.me?.role], () => [
    locked && h("p.banner.warning", { id: "locked" }, `Not signed in since ${clock(locked.since / 1000)}: ${locked.why} What you see is from before. `, h("button.quiet", { type: "button", onclick: () => askForToken(locked.why) }, "Sign in …")),
    away && h("p.banner.bad", { role: "alert", id: "away" }, `Disconnected since ${clock(connection.since / 1000)}. `, connection.why ?? "The service does not answer.", " What you see is from before; the page goes on by itself when it is back."),
    paused && h("p.banner.warning", { id: "paused" }, h("b", {}, `Paused by ${paused.who}`), ` since ${moment(paused.when, clockNow())}: ${paused.reason || "no reason given"}. No predictions come. `, action("Resume …", "operator", resume)),
    failed && h("p.banner.bad", { id: "stale" }, `${failed.why} ${sentence(list(failed.names))} ${failed.since === null ? "cannot be shown" : `are as of ${clock(failed.since / 1000)}`}; the page goes on by itself.`),
    ill && h(bad ? "p.banner.bad" : "p.banner.warning", { id: "ill" }, ill),
    state.alertsTrouble && h("p.banner.warning", { id: "deaf" }, `There may be newer alerts than these: ${state.alertsTrouble}`),
  ]);
}

function drawConnection() {
  const chip = byId("connection");
  const away = connection.since !== null;
  const quiet = quietSince();
  say(chip, quiet !== null ? `nothing new since ${clock(quiet / 1000)}` : state.locked ? "not signed in" : connection.live ? "live" : away ? `disconnected since ${clock(connection.since / 1000)}` : "connecting …");
  mark(chip, "class", quiet !== null ? "chip reading-warning" : connection.live ? "chip live" : away ? "chip reading-drift" : "chip");
  document.body.classList.toggle("away", away);
  drawBanners();
}

function drawMe() {
  const { me } = state;
  say(byId("sign-in"), token() && me ? me.name : "Sign in");
  mark(byId("role"), "hidden", !me);
  say(byId("role"), me?.role ?? "");
  mark(byId("role"), "data-why", me ? MAY[me.role] : null);
}

function setTheme(theme) {
  if (theme === "system") {
    localStorage.removeItem("driftline.theme");
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem("driftline.theme", theme);
    document.documentElement.dataset.theme = theme;
  }
  say(byId("theme"), `Theme: ${theme}`);
  emit("theme");
}

export function start() {
  const range = byId("range");
  const kept = sessionStorage.getItem("driftline.range");
  state.range = RANGES.find(([name]) => name === kept)?.[1] ?? null;
  range.append(...RANGES.map(([name, seconds]) => h("option", { value: name, selected: seconds === state.range }, name)));
  range.addEventListener("change", () => {
    state.range = RANGES.find(([name]) => name === range.value)[1];
    sessionStorage.setItem("driftline.range", range.value);
    emit("range");
  });
  byId("partition").addEventListener("change", (event) => emit("pick-partition", event.target.value));
  on("pick-partition", (partition) => {
    state.partition = partition;
    byId("partition").value = partition;
    emit("partition", partition);
  });
  guard(byId("pause"), "operator");
  byId("pause").addEventListener("click", () => (state.overview?.paused ? resume() : pause()));
  byId("sign-in").addEventListener("click", () => askForToken());
  setTheme(document.documentElement.dataset.theme ?? "system");
  byId("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "system";
    setTheme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => emit("theme"));
  on("series", drawTime);
  for (const topic of ["connection", "standing"]) { // the latter comes after each answer
    on(topic, drawConnection);
    on(topic, drawOverview);
  }
  on("me", drawMe);
  on("me", drawBanners);
}
