// Columns over time that grow at their end and stay bounded. How far columns are apart is told by the clock (`at`), as
// the history is kept by it: a live point opens a new column, or, while the newest one is younger than columns are
// apart, takes its place.

const LEAST = 0.5; // seconds between two columns

/** Columns as the API gave them, ready to grow up to `most`. `span`: seconds that they may cover; null: any. */
export function grown(answer, most, span) {
  const series = { ...answer, most, span };
  gather(series);
  for (const row of series.rows ?? []) row.newest = row.threshold ? row.statistic / row.threshold : null;
  series.step = Math.max(LEAST, covered(series) / Math.max(1, series.at.length - 1));
  series.opened = series.at.at(-1) ?? -Infinity;
  return series;
}

/** Make one column of those in which the stream stood still, and leave out those of which the time is not known. */
function gather(series) {
  const ratios = ratiosOf(series);
  const { time, at } = series;
  const groups = [];
  time.forEach((t, i) => {
    if (t === null || at[i] === null) return;
    if (groups.length && t <= time[groups.at(-1).at(-1)]) groups.at(-1).push(i);
    else groups.push([i]);
  });
  if (groups.length === time.length) return;
  for (const column of columnsOf(series)) {
    const one = (group) => (ratios.has(column) ? group.map((i) => column[i]).reduce(strongest) : column[group.at(-1)]);
    const kept = groups.map(one);
    if (column === time) kept.splice(0, kept.length, ...groups.map((group) => time[group[0]]));
    column.splice(0, column.length, ...kept);
  }
}

const ratiosOf = (series) => new Set((series.rows ?? []).map((row) => row.ratio));

/** Seconds by the clock from the first column to the last. */
export const covered = ({ at }) => (at.length > 1 ? at.at(-1) - at[0] : 0);

/** All columns of a series, or of the rows of a heat map. */
function columnsOf(series) {
  const found = Object.entries(series).filter(([name, values]) => name !== "marks" && name !== "rows" && Array.isArray(values));
  const scores = Object.values(series.scores ?? {}).flatMap((metrics) => Object.values(metrics));
  return [...found.map(([, values]) => values), ...scores, ...(series.rows ?? []).map((row) => row.ratio)];
}

/** Whether a live point is newer than what is there; then `put(column, value)` puts its values in. */
function take(series, point, fill) {
  if (point.time === null || point.at === null || !(point.time >= (series.time.at(-1) ?? -Infinity))) return false;
  const stands = point.time === series.time.at(-1);
  const replaces = stands || (series.at.length > 0 && point.at - series.opened < series.step);
  const put = (column, value) => {
    if (replaces) column[column.length - 1] = value;
    else column.push(value);
  };
  put(series.time, point.time);
  put(series.at, point.at);
  fill(put, replaces);
  if (replaces) return true;
  const steps = Math.floor((point.at - series.opened) / series.step);
  series.opened = steps === 1 ? series.opened + series.step : point.at;
  drop(series);
  thin(series);
  return true;
}

/** Put a live point in; whether it was new. */
export function append(series, { values, ...point }) {
  const before = series.time.length;
  return take(series, point, (put) => {
    newSources(series, values.scores, before);
    for (const [name, column] of Object.entries(series)) {
      if (Array.isArray(column) && !["marks", "time", "at"].includes(name)) put(column, values[name] ?? null);
    }
    for (const [source, metrics] of Object.entries(series.scores ?? {})) {
      for (const [metric, column] of Object.entries(metrics)) put(column, values.scores?.[source]?.[metric] ?? null);
    }
  });
}

/** A challenger that the series does not know yet has no values before. */
function newSources(series, scores, columns) {
  series.scores ??= {};
  for (const [source, metrics] of Object.entries(scores ?? {})) {
    series.scores[source] ??= {};
    for (const metric of Object.keys(metrics)) series.scores[source][metric] ??= new Array(columns).fill(null);
  }
}

/** Put the ratios of a live point into the rows of the heat map. Within a column the strongest evidence is to be seen. */
export function appendDrift(drift, point) {
  if (!point.drift) return false;
  const before = drift.time.length;
  return take(drift, point, (put, replaces) => {
    for (const key of Object.keys(point.drift)) {
      if (!drift.rows.some((row) => keyOf(row) === key)) drift.rows.push(newRow(key, before));
    }
    for (const row of drift.rows) {
      const ratio = point.drift[keyOf(row)] ?? null;
      put(row.ratio, replaces ? strongest(ratio, row.ratio.at(-1)) : ratio);
      row.newest = ratio;
    }
  });
}

export const keyOf = (row) => `${row.detector}/${row.feature ?? ""}`;

function newRow(key, columns) {
  const [detector, ...feature] = key.split("/");
  return { detector, feature: feature.join("/"), state: "", statistic: null, threshold: null, ratio: new Array(columns).fill(null) };
}

/** The larger of two ratios of which either may be unknown. */
const strongest = (a, b) => (a === null || a === undefined ? b ?? null : b === null || b === undefined ? a : Math.max(a, b));

/** Take away what is older than the span that is shown. */
function drop(series) {
  if (series.span === null) return;
  const first = series.at.at(-1) - series.span;
  let n = 0;
  while (n < series.at.length - 2 && series.at[n] < first) n += 1;
  if (n) for (const column of columnsOf(series)) column.splice(0, n);
}

/** Where columns only get more, two become one from twice as many on as were asked for, and steps twice as wide. */
function thin(series) {
  if (series.at.length < 2 * series.most) return;
  const ratios = ratiosOf(series);
  for (const column of columnsOf(series)) {
    const n = column.length;
    const kept = [];
    for (let i = n - 1; i >= 0; i -= 2) kept.push(ratios.has(column) && i > 0 ? strongest(column[i], column[i - 1]) : column[i]);
    column.splice(0, n, ...kept.reverse());
  }
  series.step *= 2;
}
