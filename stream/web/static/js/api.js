// Requests to the API. A token, if one was given, is kept for this tab only and goes with each of them.

const TOKEN = "driftline.token";
const PATIENCE = 20_000; // milliseconds

/** What the API answered instead of what was asked for: `status` (0: no answer at all), `detail` and `cure` in words. */
export class Problem extends Error {
  constructor(status, title, detail, cure) {
    super(detail || title);
    Object.assign(this, { status, title, detail: detail || title, cure: cure ?? null });
  }
}

export const token = () => sessionStorage.getItem(TOKEN);

/** Keep a token, or forget it (null). */
export function setToken(value) {
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
}

export function headers(more = {}) {
  return token() ? { ...more, Authorization: `Bearer ${token()}` } : more;
}

/** The JSON at a path; parameters that are null are left out. Throws a Problem. */
export function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return ask(query ? `${path}?${query}` : path, { headers: headers({ Accept: "application/json" }) });
}

/** Ask for a change; the answer's JSON. Throws a Problem. */
export function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: headers({ Accept: "application/json", "Content-Type": "application/json" }),
    body: JSON.stringify(body),
  });
}

async function ask(path, options) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE), cache: "no-store" });
    if (!response.ok) throw await problemOf(response);
    return await response.json(); // which may take its time, or break off, too
  } catch (error) {
    if (error instanceof Problem) throw error;
    const late = error.name === "TimeoutError";
    throw new Problem(0, "No answer", late ? "The service did not answer in time." : "The service cannot be reached.");
  }
}

/** What a refused response says. */
export async function problemOf(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // Something between us and the service answered in its own words.
  }
  const detail = typeof said.detail === "string" ? said.detail : null;
  return new Problem(response.status, said.title || response.statusText || `Status ${response.status}`, detail, said.cure);
}
