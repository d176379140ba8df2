// Workers and the partitions they have.

import { term } from "./access.js";
import { byId, fill, h, say, scrolls, table, whenChanged } from "./dom.js";
import { bytes, count, moment, plural, rate, span, words } from "./format.js";
import { emit, state, streamNow, view } from "./state.js";

function condition(worker) {
  if (!worker.alive) return h("span.chip.reading-drift", {}, "gone");
  const ill = Object.entries(worker.parts ?? {}).filter(([, part]) => part.state !== "ok");
  return [h(`span.chip.health-${worker.state}`, {}, words(worker.state)), ill.map(([name, part]) => h("small", {}, ` ${name}: ${part.reason || part.state}`))];
}

const short = (partitions) => {
  const runs = [];
  for (const one of [...partitions].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && one === last[1] + 1) last[1] = one;
    else runs.push([one, one]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ") || "none";
};

function processes(workers) {
  return scrolls("Workers", table("Workers", [{ head: "Worker" }, { head: "State" }, { head: "Partitions" }, { head: "Events per second", number: true }, { head: "Memory", number: true }, { head: "Up", number: true }, { head: "Last heard of", number: true }],
    workers.map((worker) => [[h("b", {}, worker.id), h("small", {}, ` ${worker.host}, process ${worker.pid}`)], condition(worker), short(worker.partitions ?? []), rate(worker.events_per_second), bytes(worker.memory_bytes), worker.alive ? span(worker.seen - worker.started) : "–", worker.alive ? "just now" : moment(worker.seen)])));
}

/** One square per partition: how much waits there, who has it. */
function squares(partitions) {
  const most = Math.max(1, ...partitions.map((one) => one.lag ?? 0));
  return h("ul.squares", { "aria-label": "Partitions" }, partitions.map((one) => {
    const level = one.worker === null ? "none" : one.lag > 0 ? String(Math.min(4, 1 + Math.floor((3.99 * one.lag) / most))) : "0";
    const said = `Partition ${one.partition}: ${one.worker ?? "nobody has it"}, ${count(one.lag)} wait`;
    return h("li", {}, h("button.square", { type: "button", "data-level": level, "data-why": said, "aria-label": `${said}. Show this partition only.`, "data-key": `partition-${one.partition}`, onclick: () => emit("pick-partition", String(one.partition)) }, String(one.partition)));
  }));
}

function details(partitions, now) {
  return scrolls("Partitions as a table", table("Partitions", [{ head: "Partition" }, { head: "Worker" }, { head: term("lag", "Lag"), plain: "Lag", number: true }, { head: term("stream_time", "Stream time"), plain: "Stream time" }, { head: "Version", number: true }, { head: term("snapshot", "Snapshot"), plain: "Snapshot", number: true }],
    partitions.map((one) => [String(one.partition), one.worker ?? "nobody", count(one.lag), moment(one.stream_time, now), one.version === null ? "–" : `v${one.version}`, one.snapshot_age === null ? "none yet" : `${span(one.snapshot_age)} ago`])));
}

export function start() {
  const [processTable, grid, rows] = [h("div"), h("div"), h("div")];
  const more = h("details.as-table", { ontoggle: () => emit("workers-table") }, h("summary", {}, "Show as table", h("span.unseen", {}, ": partitions")), rows);
  fill(byId("workers-body"), processTable, h("h3", {}, "Partitions"), h("p.soft.small", {}, "The darker, the more records wait there. A square shows its partition only."), grid, more);
  view("workers", ["workers", "workers-table"], () => {
    const { workers } = state;
    const alive = workers?.workers.filter((worker) => worker.alive).length ?? 0;
    say(byId("workers-said"), workers ? `${plural(alive, "worker")} at work on ${plural(workers.partitions.length, "partition")}` : "");
    whenChanged(processTable, workers?.workers ?? state.problems.get("workers")?.message, () => (workers ? (workers.workers.length ? processes(workers.workers) : h("p.soft", {}, "No worker has told of itself yet. `driftline run` starts one.")) : h("p.soft", {}, state.problems.get("workers")?.message ?? "Asking for the workers …")));
    whenChanged(grid, workers?.partitions.map(({ partition, worker, lag }) => [partition, worker, lag]), () => (workers ? squares(workers.partitions) : ""));
    if (more.open) whenChanged(rows, workers?.partitions, () => (workers ? details(workers.partitions, streamNow()) : ""));
  });
}
