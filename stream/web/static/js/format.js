// Numbers, times and names as people read them. All times are UTC.

export const NOTHING = "–";
const MINUS = "\u2212";

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

/** How many: `960`, `45,120`, `1.2 million`. */
export function count(value) {
  if (!known(value)) return NOTHING;
  for (const [size, name] of [[1e9, "billion"], [1e6, "million"]]) {
    if (Math.abs(value) >= size) return `${trimmed(value / size, 3)} ${name}`;
  }
  return Math.round(value).toLocaleString("en-US").replace("-", MINUS);
}

/** A number of which every digit counts, such as an offset. */
export const whole = (value) => (known(value) ? value.toLocaleString("en-US") : NOTHING);

/** A measure: four significant digits at most, with separators. */
export function number(value, digits = 4) {
  if (!known(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 1e6) return count(value);
  if (size !== 0 && size < 1e-4) return power(value);
  return trimmed(value, digits);
}

/** `2.1 × 10⁻⁹`. */
function power(value) {
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits} × 10${[...exponent].map((one) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[one] ?? "⁻").join("")}`;
}

function trimmed(value, digits) {
  return value.toLocaleString("en-US", { maximumSignificantDigits: digits }).replace("-", MINUS);
}

/** Events or labels a second. */
export function rate(value) {
  if (!known(value)) return NOTHING;
  return value >= 100 ? count(value) : number(value, value >= 1 ? 3 : 2);
}

/** A number with so many decimals, always: columns of numbers line up. */
export function fixed(value, decimals = 4) {
  return known(value) ? value.toFixed(decimals).replace("-", MINUS) : NOTHING;
}

/** `83 %`, `0.12 %`. */
export function percent(share) {
  if (!known(share)) return NOTHING;
  const value = share * 100;
  if (value === 0 || Math.abs(value - 100) < 0.005) return `${value.toFixed(0)} %`;
  return `${Math.abs(value) >= 1 ? value.toFixed(1) : value.toPrecision(2)} %`.replace("-", MINUS);
}

/** `1.8 ×`: a statistic as a multiple of its threshold. */
export function times(ratio) {
  if (!known(ratio)) return NOTHING;
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(ratio >= 1 ? 1 : 2)} ×`;
}

export function milliseconds(value) {
  if (!known(value)) return NOTHING;
  return value >= 10_000 ? `${number(value / 1000, 3)} s` : `${number(value, 3)} ms`;
}

export function bytes(value) {
  if (!known(value)) return NOTHING;
  for (const [size, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= size) return `${number(value / size, 3)} ${name}`;
  }
  return `${value} bytes`;
}

/** A length of time in its two greatest units: `45 s`, `3 h 12 min`, `2 days 4 h`. */
export function span(seconds) {
  if (!known(seconds)) return NOTHING;
  const all = Math.abs(seconds);
  if (all < 1) return `${number(all * 1000, 2)} ms`;
  if (all < 60) return `${Math.round(all)} s`;
  const minutes = Math.round(all / 60);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60)];
  if (days >= 14) return `${days} days`;
  if (days) return join(`${days} ${days === 1 ? "day" : "days"}`, hours && `${hours} h`);
  return join(hours && `${hours} h`, minutes % 60 && `${minutes % 60} min`);
}

const join = (...parts) => parts.filter(Boolean).join(" ");

/** `3 h 12 min ago`, told from a stream time. */
export function ago(time, now) {
  if (!known(time) || !known(now)) return "";
  const gone = now - time;
  return gone < 1 ? "just now" : `${span(gone)} ago`;
}

const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

function split(seconds) {
  return Object.fromEntries(parts.formatToParts(new Date(seconds * 1000)).map((part) => [part.type, part.value]));
}

/** `Fri 12 Jun, 09:30`; with the year where it is not that of `now`. */
export function moment(seconds, now) {
  if (!known(seconds)) return NOTHING;
  const t = split(seconds);
  const year = known(now) && split(now).year === t.year ? "" : ` ${t.year}`;
  return `${t.weekday} ${t.day} ${t.month}${year}, ${t.hour}:${t.minute}`;
}

/** `09:30:05`. */
export function clock(seconds) {
  const t = split(seconds);
  return `${t.hour}:${t.minute}:${t.second}`;
}

/** What a machine-readable date of a `time` element says. */
export const iso = (seconds) => (known(seconds) ? new Date(seconds * 1000).toISOString() : null);

/** `beat_champion` as `beat champion`. */
export const words = (name) => String(name ?? "").replaceAll("_", " ");

/** The first letter large. */
export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "");

/** `charts, alerts and models`. */
export const list = (names) => (names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : String(names[0] ?? ""));

/** `1 alert`, `3 alerts`. */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
