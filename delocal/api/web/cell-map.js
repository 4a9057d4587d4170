/** The cells of a sweep by status over two of its axes, filling in as they finish; and one cell. */

import { get, query } from "./api.js";
import { h, number, select } from "./dom.js";
import { colour, draw, onTheme } from "./plot.js";
import { STATUSES } from "./progress.js";

const CODES = [
  "not_computed",
  "done",
  "outside_domain",
  "not_converged",
  "failed",
  "cancelled",
  "excluded",
];
const WORDS = Object.fromEntries(STATUSES);
const PLANE = ["alpha", "beta"];
const TICKS = 9;
const MOST_CHOICES = 500;
const NARROW_PX = 480;
const GAP_BELOW = 80; // cells along an axis, from which on no line fits between two

/** The map of one model of a sweep. */
export class CellMap {
  #axes = null; // dimensions: name, values, and the coordinates that lie along it
  #at = {}; // place along each dimension that is chosen
  #shown = null;

  constructor(sweepId, model, signal) {
    Object.assign(this, { sweepId, model, signal });
    this.plot = h("div", {
      class: "plot map",
      role: "img",
      "aria-label": "Map of the cells by status",
    });
    this.choices = h("div", { class: "choices" });
    this.cell = h("div", { class: "cell", "aria-live": "polite" });
    this.element = h("div", {}, this.choices, h("div", { class: "beside" }, this.plot, this.cell));
    onTheme(() => this.#shown && this.#draw(), signal);
  }

  /** Read the status of the cells again, and show it. */
  async update() {
    if (!this.#axes) await this.#readAxes();
    if (!this.x) {
      // the whole sweep is one cell
      this.plot.hidden = true;
      await this.#readCell();
      return;
    }
    this.#shown = await this.#data("status", this.#across());
    await this.#draw();
  }

  /** Learn the axes from the metadata of the store, and their values one axis at a time. */
  async #readAxes() {
    const path = `v1/sweeps/${this.sweepId}/zarr/${this.model}/zarr.json`;
    const { consolidated_metadata: store } = await get(path, { signal: this.signal });
    const { dimension_names: dims, shape } = store.metadata.status;
    this.#at = Object.fromEntries(dims.map((name) => [name, 0]));
    const somewhere = Object.fromEntries(
      dims.filter((name) => name in store.metadata).map((name) => [name, 0]),
    );
    const read = async (name, i) => {
      const { [name]: _, ...others } = somewhere;
      const { coords } = await this.#ask("status", others);
      return axisOf(name, shape[i], coords[name]);
    };
    this.#axes = await Promise.all(dims.map(read));
    [this.x, this.y] = this.#plane();
    this.#drawChoices();
  }

  /** Return the two axes to begin with: those of the phase diagram, or the longest. */
  #plane() {
    const names = this.#axes.filter(({ size }) => size > 1).map(({ name }) => name);
    if (PLANE.every((name) => names.includes(name))) return PLANE;
    const long = this.#axes.filter(({ size }) => size > 1);
    const bySize = [...(long.length ? long : this.#axes)].sort((a, b) => b.size - a.size);
    return bySize.map(({ name }) => name);
  }

  #ask(variables, at) {
    return get(
      `v1/sweeps/${this.sweepId}/data${query({ model: this.model, variables, nearest: true, ...at })}`,
      { signal: this.signal },
    );
  }

  /** Return the labels of the dimensions that are not on the map. */
  #across(except = [this.x, this.y]) {
    const cut = this.#axes.filter(({ name, labelled }) => labelled && !except.includes(name));
    return Object.fromEntries(cut.map(({ name, values }) => [name, values[this.#at[name]]]));
  }

  /** Return a variable over what is left open, as nested lists whose order `dims` says. */
  async #data(variable, at) {
    const { data } = await this.#ask(variable, at);
    let { dims, values } = data[variable];
    for (const name of [...dims].filter((dim) => dim !== this.x && dim !== this.y)) {
      values = take(values, dims.indexOf(name), this.#at[name]);
      dims = dims.filter((dim) => dim !== name);
    }
    return { dims, values };
  }

  #axis(name) {
    return this.#axes.find((axis) => axis.name === name);
  }

  async #draw() {
    const { dims, values } = this.#shown;
    const rows =
      dims.length === 2
        ? dims[0] === this.y
          ? values
          : transposed(values)
        : [dims.length ? values : [values]];
    const [x, y] = [this.#axis(this.x), this.#axis(this.y)];
    const shades = CODES.map((name) => colour(`status-${name}`));
    const gap = Math.max(rows.length, rows[0].length) < GAP_BELOW ? 1 : 0;
    const chosen = this.cell.hasChildNodes()
      ? { x: [this.#at[this.x] ?? 0], y: [this.#at[this.y] ?? 0] }
      : { x: [], y: [] };
    this.plot.classList.toggle("strip", rows.length === 1);
    await draw(
      this.plot,
      {
        data: [
          {
            type: "heatmap",
            z: rows,
            zmin: -0.5,
            zmax: 6.5,
            showscale: false,
            xgap: gap,
            ygap: gap,
            colorscale: shades.flatMap((shade, i) => [
              [i / 7, shade],
              [(i + 1) / 7, shade],
            ]),
            text: rows.map((row, j) =>
              row.map((code, i) =>
                [
                  x && `${x.name} = ${number(x.values[i])}`,
                  y && `${y.name} = ${number(y.values[j])}`,
                  WORDS[CODES[code]],
                ]
                  .filter(Boolean)
                  .join("<br>"),
              ),
            ),
            hovertemplate: "%{text}<extra></extra>",
          },
          {
            type: "scatter",
            ...chosen,
            mode: "markers",
            hoverinfo: "skip",
            showlegend: false,
            marker: { symbol: "square-open", size: 12, color: colour("ink"), line: { width: 2 } },
          },
        ],
        layout: {
          margin: { l: 64, r: 12, t: 12, b: 52 },
          plot_bgcolor: "rgba(0,0,0,0)",
          xaxis: scale(x, this.#title(x)),
          yaxis: y ? scale(y, this.#title(y)) : { visible: false, fixedrange: true },
        },
      },
      {
        signal: this.signal,
        onclick: (point) =>
          this.#choose({
            [this.x]: Math.round(point.x),
            ...(y && { [this.y]: Math.round(point.y) }),
          }),
      },
    );
    this.plot.setAttribute("aria-label", summary(rows, x, y));
  }

  /** Return what an axis is called, as far as there is room. */
  #title({ name, meaning }) {
    return this.plot.clientWidth < NARROW_PX ? name : `${name}, ${meaning}`;
  }

  #choose(places) {
    Object.assign(this.#at, places);
    this.#drawChoices();
    this.#readCell();
  }

  #drawChoices() {
    const names = this.#axes.map(({ name }) => [name, name]);
    const turn = (which, other) => (name) => {
      if (this[other] === name) this[other] = this[which];
      this[which] = name;
      this.#drawChoices();
      this.update();
    };
    const focused = document.activeElement?.name;
    this.choices.replaceChildren(
      ...(names.length > 2
        ? [
            ["x", "y", "Across"],
            ["y", "x", "Up"],
          ].map(([which, other, label]) =>
            h(
              "label",
              {},
              label,
              select(names, this[which], turn(which, other), { name: `map-${which}` }),
            ),
          )
        : []),
      ...this.#axes.map((axis) => h("label", {}, axis.name, this.#place(axis))),
      h(
        "button",
        { type: "button", class: "quiet", name: "map-show", onclick: () => this.#readCell() },
        "Show this cell",
      ),
    );
    if (focused?.startsWith("map-"))
      this.choices.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Return the choice of a place along an axis. */
  #place({ name, values }) {
    const go = (i) => {
      this.#at[name] = i;
      if (name !== this.x && name !== this.y) this.update();
      this.#readCell();
    };
    if (values.length <= MOST_CHOICES) {
      return select(
        values.map((value, i) => [String(i), number(value)]),
        String(this.#at[name]),
        (i) => go(Number(i)),
        { name: `map-at-${name}` },
      );
    }
    return h("input", {
      type: "text",
      name: `map-at-${name}`,
      value: String(values[this.#at[name]]),
      onchange: ({ target }) => go(nearest(values, Number(target.value))),
    });
  }

  async #readCell() {
    const every = this.#across([]);
    const { coords, data } = await this.#ask(undefined, every);
    const at = this.#at;
    const single = ({ dims, values }) => dims.reduce((v, dim) => v[at[dim]], values);
    const open = Object.entries(data).filter(([, v]) => v.dims.every((dim) => dim in at));
    const values = Object.fromEntries(open.map(([name, v]) => [name, single(v)]));
    const where = Object.entries(coords)
      .filter(([, c]) => c.dims.every((dim) => dim in at))
      .map(([name, c]) => `${name} = ${number(single(c))}`);
    this.cell.replaceChildren(
      cellTable(
        where.join(", "),
        open.map(([name, v]) => [name, v.attrs]),
        values,
      ),
    );
    if (this.x) await this.#draw();
  }
}

/** Return an axis with its values; cases have none but their number. */
function axisOf(name, size, coordinate) {
  if (coordinate) {
    const { values, attrs } = coordinate;
    return { name, size, values, labelled: true, meaning: attrs.long_name };
  }
  const values = Array.from({ length: size }, (_, i) => i);
  return { name, size, values, labelled: false, meaning: "number of the case" };
}

/** Return the values of one cell as a table; where a number underflows, its logarithm is used. */
export function cellTable(caption, variables, values) {
  const rows = variables
    .filter(([name]) => !name.startsWith("log10_") && !name.endsWith("_stderr"))
    .map(([name, attrs]) => [name, attrs, valueText(name, attrs, values)]);
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": "Values of the cell" },
    h(
      "table",
      {},
      h("caption", {}, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Variable", "Value", "Unit"].map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([name, attrs, text]) =>
          h(
            "tr",
            {},
            h(
              "th",
              { scope: "row" },
              h("code", {}, name),
              h("span", { class: "hint", title: attrs.equation }, attrs.long_name),
            ),
            h("td", { class: "number" }, text),
            h("td", {}, attrs.units === "1" ? "" : attrs.units),
          ),
        ),
      ),
    ),
  );
}

/** Return a value as text: a flag by its name, a number with its error, or its logarithm. */
export function valueText(name, { flag_values: flags, flag_meanings: meanings }, values) {
  const value = values[name];
  if (flags) return meanings.split(" ")[flags.indexOf(value)]?.replaceAll("_", " ") ?? "–";
  const logarithm = values[`log10_${name}`];
  if (!value && logarithm != null) return `10^(${number(logarithm)})`;
  const error = values[`${name}_stderr`];
  return error == null ? number(value) : `${number(value)} ± ${number(error)}`;
}

function scale({ values }, text) {
  const step = Math.max(1, Math.ceil((values.length - 1) / TICKS));
  const tickvals = values.map((_, i) => i).filter((i) => i % step === 0);
  return {
    title: { text },
    tickvals,
    ticktext: tickvals.map((i) => number(values[i])),
    range: [-0.5, values.length - 0.5],
    showgrid: false,
    zeroline: false,
    automargin: true,
  };
}

function summary(rows, x, y) {
  const counts = new Map();
  for (const code of rows.flat()) counts.set(code, (counts.get(code) ?? 0) + 1);
  const told = [...counts].map(([code, n]) => `${n} ${WORDS[CODES[code]]}`).join(", ");
  return `Map of the cells by status over ${[x?.name, y?.name].filter(Boolean).join(" and ")}: ${told}`;
}

/** Return nested lists with one place taken along a dimension. */
function take(values, dimension, place) {
  return dimension === 0 ? values[place] : values.map((inner) => take(inner, dimension - 1, place));
}

const transposed = (rows) => rows[0].map((_, i) => rows.map((row) => row[i]));

const nearest = (values, wanted) =>
  values.reduce(
    (best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best),
    0,
  );
