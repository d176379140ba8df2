// Throughput, lag and latency over time.

import { Chart, Legend, colour, line } from "./charts.js";
import { byId } from "./dom.js";
import { count, milliseconds, moment, rate } from "./format.js";
import { state, view } from "./state.js";

const CHARTS = [
  {
    id: "throughput", title: "Throughput", unit: "records per second", format: ",.3~s", text: rate,
    lines: [{ name: "events", column: "events_per_second", colour: "champion" }, { name: "labels", column: "labels_per_second", colour: "challenger-0", dash: "dash" }],
  },
  {
    id: "lag", title: "Lag", unit: "records that wait", format: ",.0f", text: count,
    lines: [{ name: "events", column: "lag_events", colour: "champion" }, { name: "labels", column: "lag_labels", colour: "challenger-0", dash: "dash" }],
  },
  {
    id: "latency", title: "Latency", unit: "milliseconds for an event", format: ",.3~g", text: milliseconds,
    lines: [{ name: "99 % within", column: "latency_p99_ms", colour: "champion" }, { name: "50 % within", column: "latency_p50_ms", colour: "challenger-0", dash: "dash" }],
  },
];

function spec({ title, format, text, lines }, legend) {
  const { series } = state;
  const known = lines.filter(({ column }) => series?.[column]?.some((value) => value !== null));
  if (!known.length) return { empty: `${title} stands here as soon as a worker has told of its records.` };
  return {
    traces: known.filter(({ name }) => legend.shows(name)).map((one) =>
      line(one.name, series.time, series[one.column], { colour: colour(one.colour), dash: one.dash, format })),
    layout: {
      margin: { l: 44, r: 8, t: 4, b: 38 }, xaxis: { range: [series.time[0] * 1000, series.time.at(-1) * 1000] },
      yaxis: { tickformat: ".2~s", nticks: 4 }, uirevision: `${state.range}/${state.partition}`,
    },
    summary: `${known.map(({ name, column }) => `${name}: ${text(series[column].at(-1))} now, ${text(Math.max(...series[column]))} at most`).join("; ")}.`,
    table: () => ({
      columns: [{ head: "Time (UTC)" }, ...known.map(({ name }) => ({ head: name, number: true }))],
      rows: series.time.map((time, i) => [moment(time), ...known.map(({ column }) => text(series[column][i]))]).reverse(),
    }),
  };
}

export function start() {
  for (const one of CHARTS) {
    const legend = new Legend();
    const chart = new Chart(byId(one.id), { title: one.title, unit: one.unit, legend: legend.element, height: 150 });
    view(one.id, ["series", "legend"], () => {
      legend.draw(one.lines.map(({ name, column, ...look }) => ({ name, ...look, value: one.text(state.series?.[column]?.at(-1)) })));
      chart.draw(() => spec(one, legend));
    });
  }
}
