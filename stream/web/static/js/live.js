// The live stream. EventSource cannot send a token, so this reads the stream with fetch(), and reconnects by itself.

import { Problem, headers, problemOf } from "./api.js";
import { emit, state } from "./state.js";

const FIRST_WAIT = 500; // milliseconds, doubled with each attempt
const LONGEST_WAIT = 15_000;
const SILENCE = 40_000; // a stream that says nothing, not even a comment, for so long is dead

let attempt = null;

/** What the page knows of its connection. `since`: when it was lost, in milliseconds; null while it is there. */
export const connection = { live: false, since: null, why: null };

/** Read the stream of a partition from now on, in place of any other. */
export function follow(partition) {
  attempt?.abort();
  attempt = new AbortController();
  run(partition, attempt);
}

/** Read no stream any more. */
export function leave() {
  attempt?.abort();
  Object.assign(connection, { live: false, since: null, why: null });
}

async function run(partition, mine) {
  let wait = FIRST_WAIT;
  while (!mine.signal.aborted) {
    try {
      await read(partition, mine, () => {
        wait = FIRST_WAIT;
      });
      lost(null);
    } catch (error) {
      if (mine.signal.aborted) return;
      lost(error instanceof Problem ? error : null);
      if (error.status === 401) {
        emit("locked", error);
        return;
      }
    }
    // Many pages that lost one service should not come back at one instant.
    await sleep(wait * (0.75 + Math.random() / 2), mine.signal);
    wait = Math.min(2 * wait, LONGEST_WAIT);
  }
}

async function read(partition, mine, welcomed) {
  const reading = new AbortController();
  const give_up = () => reading.abort();
  mine.signal.addEventListener("abort", give_up, { once: true });
  let silence = setTimeout(give_up, SILENCE);
  try {
    const query = partition === "all" ? "" : `?partition=${encodeURIComponent(partition)}`;
    const response = await fetch(`/v1/live${query}`, {
      headers: headers({ Accept: "text/event-stream" }), signal: reading.signal, cache: "no-store",
    });
    if (!response.ok) throw await problemOf(response);
    found();
    welcomed();
    const parse = parser((event, data) => emit(`live:${event}`, data));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(give_up, SILENCE);
      parse(value);
    }
  } finally {
    clearTimeout(silence);
    mine.signal.removeEventListener("abort", give_up);
  }
}

/** A function that takes the text of an event stream piece by piece and tells each event with its data, from JSON. */
function parser(tell) {
  let rest = "";
  let event = "message";
  let data = [];
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines.map((one) => one.replace(/\r$/, ""))) {
      if (line === "") {
        if (data.length) tell(event, JSON.parse(data.join("\n")));
        event = "message";
        data = [];
      } else if (line.startsWith("event:")) event = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
    }
  };
}

function found() {
  const again = connection.since !== null;
  Object.assign(connection, { live: true, since: null, why: null });
  state.pointAt = Date.now();
  emit("connection");
  if (again) emit("reconnected");
}

function lost(why) {
  connection.live = false;
  connection.since ??= Date.now();
  connection.why = why?.status ? why.detail : null;
  emit("connection");
}

let wake = () => {};

function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", wake, { once: true });
  });
}

addEventListener("online", () => wake());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) wake();
});
