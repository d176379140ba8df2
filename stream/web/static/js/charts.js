// Charts over Plotly: each with a text that says what it shows and a table of its values for those who do not see it.

import { fill, h, mark, say, scrolls, table } from "./dom.js";
import { emit, on } from "./state.js";

const loaded = new Promise((resolve, reject) => {
  if (window.Plotly) resolve(window.Plotly);
  const script = document.getElementById("plotly");
  script.addEventListener("load", () => resolve(window.Plotly));
  script.addEventListener("error", () => reject(new Error("plotly.min.js could not be loaded")));
});

const WIDE = 105; // pixels that a date on the axis takes
const REST = 9; // times as long as drawing took a chart rests before it is drawn for new points again
const LONGEST_REST = 3000; // milliseconds
const CONFIG = { displayModeBar: false, displaylogo: false, scrollZoom: false, doubleClick: "reset" };
const FONT = getComputedStyle(document.documentElement).getPropertyValue("--font").trim();
const touch = matchMedia("(pointer: coarse)");

const probe = document.body.appendChild(h("i", { hidden: true }));
const colours = new Map(); // by name, in the theme that is shown

/** A colour of the style sheet by its name there, as `champion`, in the theme that is shown: `rgb(0, 99, 177)`. */
export function colour(name) {
  if (!colours.has(name)) {
    probe.style.color = `var(--${name})`;
    colours.set(name, getComputedStyle(probe).color);
  }
  return colours.get(name);
}

on("theme", () => colours.clear());

/** A chart in `host`. `title` is its heading (`level` 3), `unit` stands beside it. */
export class Chart {
  #plot = h("div.plot");
  #said = h("p.summary");
  #table = h("div");
  #details;
  #rows = null;
  #last = null;
  #drawing = false;
  #restsUntil = 0;
  #waits = null;
  #again = false;
  #width = 0;
  #listen = null;

  constructor(host, { title, unit, heading = true, legend = null, height = 220 }) {
    this.title = title;
    this.height = height;
    this.#plot.style.height = `${height}px`;
    this.#details = h("details.as-table", { ontoggle: () => this.#fillTable() }, h("summary", {}, "Show as table", h("span.unseen", {}, `: ${title}`)), this.#table);
    const head = heading && h("div.chart-head", {}, h("h3", {}, title), unit && h("span.unit", {}, unit));
    this.figure = h("figure.chart", {}, head, legend, h("div.plot-frame", { role: "img", "aria-label": title }, this.#plot), h("figcaption", {}, this.#said), this.#details);
    host.append(this.figure);
    new ResizeObserver(() => this.#last && this.figure.clientWidth !== this.#width && this.#draw()).observe(this.figure);
    on("theme", () => this.#last && this.#draw());
    for (const topic of ["legend", "metric", "range", "partition"]) on(topic, () => this.#wake());
  }

  #wake() {
    this.#restsUntil = 0;
  }

  /**
   * Draw what `spec` makes: {traces, layout, summary, table: {columns, rows}} with colours read at that moment.
   * With nothing to draw it returns {empty: why there is nothing, and what will appear}. What a person did is drawn
   * at once (`now`), new points when the chart has rested, so that charts never take more than a tenth of the time.
   */
  draw(spec, now = false) {
    this.#last = spec;
    if (now) this.#wake();
    const rest = this.#restsUntil - performance.now();
    if (rest <= 0) return this.#draw();
    this.#waits ??= setTimeout(() => this.#draw(), rest);
    return null;
  }

  async #draw() {
    this.#again = this.#drawing;
    if (this.#drawing) return;
    this.#drawing = true;
    clearTimeout(this.#waits);
    this.#waits = null;
    let began = performance.now();
    try {
      await loaded;
      began = performance.now();
      this.#width = this.figure.clientWidth;
      const made = this.#last();
      this.#rows = made.table ?? null;
      const what = made.empty ?? made.summary ?? "";
      say(this.#said, what);
      mark(this.#plot.parentElement, "aria-label", `${this.title}. ${what}`);
      this.#plot.parentElement.hidden = this.#details.hidden = Boolean(made.empty);
      this.figure.classList.toggle("empty", Boolean(made.empty));
      if (!made.empty) {
        const layout = merged(base(), made.layout);
        layout.width = this.#plot.parentElement.clientWidth;
        layout.height = made.height ?? this.height;
        if (layout.xaxis.type === "date") layout.xaxis.nticks = Math.max(2, Math.min(8, Math.floor(layout.width / WIDE)));
        this.#plot.style.height = `${layout.height}px`;
        await window.Plotly.react(this.#plot, made.traces, layout, CONFIG);
        this.#listen?.(); // which it cannot before something is drawn
        this.#listen = null;
      }
    } catch (error) {
      say(this.#said, `The chart cannot be drawn: ${error.message}.`);
    } finally {
      this.#drawing = false;
      this.#restsUntil = performance.now() + Math.min(LONGEST_REST, REST * (performance.now() - began));
    }
    if (this.#again) this.#draw();
  }

  /** Call `listener` with the index that a mark of a trace named `name` has in it, when it is clicked. */
  onClick(name, listener) {
    this.#listen = () => this.#plot.on("plotly_click", (event) => {
      const point = event.points.find((one) => one.data.name === name);
      if (point) listener(point.pointIndex);
    });
  }

  /** A table stays as it was when it was opened: whoever reads it keeps the place. */
  #fillTable() {
    if (!this.#details.open || !this.#rows) return;
    const { columns, rows } = this.#rows();
    fill(this.#table, h("p.small.soft", {}, "As it was when you opened this; open it again for newer values."), scrolls(`${this.title} as a table`, table(this.title, columns, rows)));
  }
}

function base() {
  const grid = { gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, fixedrange: touch.matches };
  return {
    margin: { l: 46, r: 10, t: 8, b: 38 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FONT, size: 12, color: colour("soft") },
    showlegend: false,
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line"), font: { color: colour("text"), size: 12 } },
    dragmode: touch.matches ? false : "zoom",
    uirevision: "kept",
    xaxis: { ...grid, type: "date", hoverformat: "%a %-d %b %H:%M:%S", showgrid: false, ticks: "outside", ticklen: 4, tickcolor: colour("line"), tickfont: { color: colour("soft") }, tickangle: 0 },
    yaxis: { ...grid, rangemode: "tozero", nticks: 5, tickfont: { color: colour("soft") }, automargin: false },
  };
}

function merged(under, over = {}) {
  const both = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const plain = value !== null && typeof value === "object" && !Array.isArray(value);
    both[name] = plain ? merged(under[name] ?? {}, value) : value;
  }
  return both;
}

/** A trace of a column over time. */
export function line(name, times, values, { colour: of, dash = "solid", width = 1.6, format = ",.4~g", fillTo = null } = {}) {
  return {
    type: "scatter", mode: "lines", name, x: times.map((t) => t * 1000), y: values, connectgaps: false,
    line: { color: of, dash, width }, hovertemplate: `%{y:${format}}`,
    ...(fillTo && { fill: "tozeroy", fillcolor: fillTo }),
  };
}

/** A legend that the keyboard reaches, too: lines by name, each with its newest value; those switched off are left out. */
export class Legend {
  #hidden = new Set();
  #known = new Map();

  constructor() {
    this.element = h("div.legend", { role: "group", "aria-label": "Lines" });
  }

  shows = (name) => !this.#hidden.has(name);

  /** `items`: {name, colour: name of a custom property, dash, value: text}. */
  draw(items) {
    for (const [name, { button }] of this.#known) {
      if (!items.some((item) => item.name === name)) {
        button.remove();
        this.#known.delete(name);
      }
    }
    for (const item of items) {
      let found = this.#known.get(item.name);
      if (!found) {
        const value = h("b.value");
        const button = h("button.line", { type: "button", "aria-pressed": "true", onclick: () => this.#toggle(item.name, button) },
          h("i", { class: `sample line-${item.dash ?? "solid"}`, style: `--of: var(--${item.colour})`, "aria-hidden": "true" }), h("span", {}, item.name), value);
        found = { button, value };
        this.#known.set(item.name, found);
        this.element.append(button);
      }
      say(found.value, item.value ?? "");
    }
  }

  #toggle(name, button) {
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    button.setAttribute("aria-pressed", String(!this.#hidden.has(name)));
    emit("legend");
  }
}
