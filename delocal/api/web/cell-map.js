/** The cells of a sweep by status over two of its axes, filling in as they finish; and one cell. */

import { get, query } from "./api.js";
import { h, number, select } from "./dom.js";
import { mapFigure, mapSummary } from "./map-figure.js";
import { draw, onTheme } from "./plot.js";
import { isCompanion, named, table, valueText } from "./tables.js";

const PLANE = ["alpha", "beta"];
const MOST_CHOICES = 500;
const NARROW_PX = 480;

/** The map of one model of a sweep. */
export class CellMap {
  #axes = null; // of each dimension: name, size, values, whether they select, meaning
  #at = {}; // place along each dimension that is chosen
  #rows = null; // codes of status over x, for each place along y

  constructor(sweepId, model, signal) {
    Object.assign(this, { path: `v1/sweeps/${sweepId}`, model, signal });
    const label = "Map of the cells by status";
    this.plot = h("div", { class: "plot map", role: "img", "aria-label": label });
    this.choices = h("div", { class: "choices" });
    this.cell = h("div", { class: "cell", "aria-live": "polite" });
    const beside = h("div", { class: "beside" }, this.plot, this.cell);
    this.element = h("div", {}, this.choices, beside);
    onTheme(() => this.#rows && this.#draw(), signal);
  }

  /** Read the status of the cells again, and show it. */
  async update() {
    if (!this.#axes) await this.#readAxes();
    this.plot.hidden = !this.x;
    if (!this.x) return this.#readCell(); // the whole sweep is one cell
    const { data } = await this.#ask("status", this.#cut([this.x, this.y]));
    this.#rows = this.#inRows(data.status);
    return this.#draw();
  }

  /** Learn the axes from the metadata of the store, and their values one axis at a time. */
  async #readAxes() {
    const path = `${this.path}/zarr/${this.model}/zarr.json`;
    const { consolidated_metadata: store } = await get(path, { signal: this.signal });
    const { dimension_names: dims, shape } = store.metadata.status;
    this.#at = Object.fromEntries(dims.map((name) => [name, 0]));
    const selecting = dims.filter((name) => name in store.metadata);
    const read = async (name, i) => {
      const others = selecting.filter((other) => other !== name).map((other) => [other, 0]);
      const { coords } = await this.#ask("status", Object.fromEntries(others));
      return axisOf(name, shape[i], coords[name]);
    };
    this.#axes = await Promise.all(dims.map(read));
    [this.x, this.y] = this.#plane();
    this.#drawChoices();
  }

  /** Return the two axes to begin with: those of the phase diagram, or the longest. */
  #plane() {
    const long = this.#axes.filter(({ size }) => size > 1);
    const names = long.map(({ name }) => name);
    if (PLANE.every((name) => names.includes(name))) return PLANE;
    const bySize = [...(long.length ? long : this.#axes)].sort((a, b) => b.size - a.size);
    return bySize.map(({ name }) => name);
  }

  #ask(variables, at) {
    const asked = query({ model: this.model, variables, nearest: true, ...at });
    return get(`${this.path}/data${asked}`, { signal: this.signal });
  }

  /** Return the values that are chosen along all axes but those `left`. */
  #cut(left = []) {
    const cut = this.#axes.filter(({ name, selects }) => selects && !left.includes(name));
    return Object.fromEntries(cut.map(({ name, values }) => [name, values[this.#at[name]]]));
  }

  /** Return values over x for each place along y. */
  #inRows({ dims, values }) {
    let left = [...dims];
    for (const name of dims.filter((dim) => dim !== this.x && dim !== this.y)) {
      values = take(values, left.indexOf(name), this.#at[name]);
      left = left.filter((dim) => dim !== name);
    }
    if (left.length < 2) return [values];
    return left[0] === this.y ? values : transposed(values);
  }

  #axis(wanted) {
    const axis = this.#axes.find(({ name }) => name === wanted);
    const short = this.plot.clientWidth < NARROW_PX;
    return axis && { ...axis, title: short ? axis.name : `${axis.name}, ${axis.meaning}` };
  }

  async #draw() {
    const rows = this.#rows;
    const [x, y] = [this.#axis(this.x), this.#axis(this.y)];
    const place = [this.#at[this.x], this.#at[this.y] ?? 0];
    const chosen = this.cell.hasChildNodes() ? place : null;
    const onclick = (point) => {
      this.#at[this.x] = Math.round(point.x);
      if (y) this.#at[this.y] = Math.round(point.y);
      this.#drawChoices();
      this.#readCell();
    };
    this.plot.classList.toggle("strip", !y);
    await draw(this.plot, mapFigure(rows, x, y, chosen), { signal: this.signal, onclick });
    this.plot.setAttribute("aria-label", mapSummary(rows, x, y));
  }

  #drawChoices() {
    const focused = document.activeElement?.name;
    const turning = this.#axes.length > 2;
    const show = { type: "button", class: "quiet", onclick: () => this.#readCell() };
    const parts = [
      turning && h("label", {}, "Across", this.#turn("x", "y")),
      turning && h("label", {}, "Up", this.#turn("y", "x")),
      ...this.#axes.map((axis) => h("label", {}, axis.name, this.#place(axis))),
      h("button", show, "Show this cell"),
    ];
    this.choices.replaceChildren(...parts.filter(Boolean));
    const again = focused && this.choices.querySelector(`[name="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  }

  /** Return the choice of the axis that lies along x, or y. */
  #turn(which, other) {
    const names = this.#axes.map(({ name }) => [name, name]);
    const change = (name) => {
      if (this[other] === name) this[other] = this[which];
      this[which] = name;
      this.#drawChoices();
      this.update();
    };
    return select(names, this[which], change, { name: `map-${which}` });
  }

  /** Return the choice of a place along an axis. */
  #place({ name, values }) {
    const attributes = { name: `map-at-${name}` };
    const go = (i) => {
      this.#at[name] = i;
      if (name !== this.x && name !== this.y) this.update();
      this.#readCell();
    };
    if (values.length <= MOST_CHOICES) {
      const options = values.map((value, i) => [String(i), number(value)]);
      return select(options, String(this.#at[name]), (i) => go(Number(i)), attributes);
    }
    const onchange = ({ target }) => go(nearest(values, Number(target.value)));
    return h("input", { type: "text", value: values[this.#at[name]], onchange, ...attributes });
  }

  /** Show all variables of the cell that is chosen. */
  async #readCell() {
    const { coords, data } = await this.#ask(undefined, this.#cut());
    const at = this.#at;
    const single = ({ dims, values }) => dims.reduce((left, dim) => left[at[dim]], values);
    const here = (arrays) =>
      Object.entries(arrays).filter(([, { dims }]) => dims.every((dim) => dim in at));
    const values = Object.fromEntries(here(data).map(([name, array]) => [name, single(array)]));
    const caption = here(coords).map(([name, array]) => `${name} = ${number(single(array))}`);
    const rows = here(data)
      .filter(([name]) => !isCompanion(name))
      .map(([name, { attrs }]) => [
        named(name, attrs.long_name),
        valueText(name, attrs, values),
        attrs.units === "1" ? "" : attrs.units,
      ]);
    const head = ["Variable", "Value", "Unit"];
    const shown = table("Values of the cell", head, rows, { caption: caption.join(", ") });
    this.cell.replaceChildren(shown);
    if (this.x) await this.#draw();
  }
}

/** Return an axis with its values; cases have none but their number. */
function axisOf(name, size, coordinate) {
  if (coordinate) {
    const { values, attrs } = coordinate;
    return { name, size, values, selects: true, meaning: attrs.long_name };
  }
  const values = Array.from({ length: size }, (_, i) => i);
  return { name, size, values, selects: false, meaning: "number of the case" };
}

/** Return nested lists with one place taken along a dimension. */
function take(values, dimension, place) {
  if (dimension === 0) return values[place];
  return values.map((inner) => take(inner, dimension - 1, place));
}

const transposed = (rows) => rows[0].map((_, i) => rows.map((row) => row[i]));

function nearest(values, wanted) {
  const distances = values.map((value) => Math.abs(value - wanted));
  return distances.indexOf(Math.min(...distances));
}
