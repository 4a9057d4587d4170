/** The figures that the service draws of a sweep, and what can be chosen in them. */

import { get, query } from "./api.js";
import { field, h, number, select } from "./dom.js";
import { draw, onTheme, theme } from "./plot.js";

/** The figures of one sweep, in their section. */
export class Figures {
  #gallery = null;

  constructor(sweepId, signal) {
    Object.assign(this, { path: `v1/sweeps/${sweepId}/figures`, signal });
    this.element = h("section", { "aria-labelledby": "figures-title", hidden: true });
  }

  /** Show the figures; draw the one that is shown again, if there is one. */
  async update() {
    try {
      this.#gallery ??= await this.#open();
      await this.#gallery?.draw();
    } catch (error) {
      if (this.signal.aborted) return;
      this.#fill(h("p", { class: "wrong", role: "alert" }, error.message));
    }
  }

  async #open() {
    const { figures, axes } = await get(this.path, { signal: this.signal });
    if (!figures.length) return null;
    const gallery = new Gallery(this.path, figures, axes, this.signal);
    this.#fill(gallery.element);
    return gallery;
  }

  #fill(content) {
    this.element.replaceChildren(h("h2", { id: "figures-title" }, "Figures"), content);
    this.element.hidden = false;
  }
}

/** One figure at a time, with its choices. */
class Gallery {
  #latest = 0;

  constructor(path, figures, axes, signal) {
    Object.assign(this, { path, figures, axes, signal });
    this.plot = h("div", { class: "plot", role: "img" });
    this.caption = h("p", { class: "hint" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.choices = h("div", { class: "choices" });
    const names = figures.map(({ name, title }) => [name, title]);
    const first = figures.find(isTelling) ?? figures[0];
    const choose = (name) => {
      this.#use(name);
      this.draw();
    };
    this.element = h(
      "div",
      {},
      field("Figure", select(names, first.name, choose)),
      this.choices,
      this.wrong,
      h("figure", {}, this.plot, h("figcaption", {}, this.caption)),
    );
    this.#use(first.name);
    onTheme(() => this.draw(), signal);
  }

  #use(name) {
    this.figure = this.figures.find((figure) => figure.name === name);
    this.named = {};
    this.sel = {};
    this.#drawChoices();
  }

  get #offer() {
    const { offers } = this.figure;
    return offers.find(({ model }) => model === this.named.model) ?? offers[0];
  }

  #drawChoices() {
    const { takes, offers } = this.figure;
    const { variables, axes, model } = this.#offer;
    const possible = {
      model: ["Model", offers.map((offer) => offer.model)],
      variable: ["Variable", variables],
      x: ["Across", axes],
      y: ["Up", axes],
    };
    const named = Object.entries(possible)
      .filter(([name, [, values]]) => takes.includes(name) && values.length > 1)
      .map(([name, [label, values]]) => this.#name(name, label, values));
    const open = this.axes[model].filter(({ name, size }) => {
      return size > 1 && axes.includes(name) && ![this.named.x, this.named.y].includes(name);
    });
    const cuts = takes.includes("sel") ? open.map((axis) => this.#cut(axis)) : [];
    const focused = document.activeElement?.name;
    this.choices.replaceChildren(...named, ...cuts);
    const again = focused && this.choices.querySelector(`[name="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  }

  /** Return the choice of a model, a variable or an axis. */
  #name(name, label, values) {
    const change = (value) => {
      this.named[name] = value;
      this.#drawChoices();
      this.draw();
    };
    const options = [["", "as it comes"], ...values.map((value) => [value, value])];
    const attributes = { name: `figure-${name}` };
    return h("label", {}, label, select(options, this.named[name] ?? "", change, attributes));
  }

  /** Return the choice of a value along an axis, or of all of them. */
  #cut({ name, values }) {
    const value = this.sel[name] ?? "";
    const change = (chosen) => {
      this.sel[name] = chosen.trim();
      this.draw();
    };
    const attributes = { name: `figure-at-${name}` };
    const onchange = ({ target }) => change(target.value);
    const input = values
      ? select(optionsOf(values), value, change, attributes)
      : h("input", { type: "text", placeholder: "all", value, onchange, ...attributes });
    return h("label", {}, name, input);
  }

  /** Ask for the figure as chosen, and draw it. */
  async draw() {
    const mine = (this.#latest += 1);
    const isOld = () => this.signal.aborted || mine !== this.#latest;
    this.plot.setAttribute("aria-busy", "true");
    try {
      const found = await this.#ask();
      if (isOld()) return;
      this.wrong.textContent = "";
      await draw(this.plot, found, { signal: this.signal, caption: this.caption });
      this.plot.setAttribute("aria-label", `${this.figure.title}: ${this.caption.textContent}`);
      this.plot.removeAttribute("aria-busy");
    } catch (error) {
      if (isOld()) return;
      if (this.#cutOpenAxes(error)) await this.draw();
      else this.wrong.textContent = error.message;
    }
  }

  #ask() {
    const cuts = Object.entries(this.sel).filter(([, value]) => value !== "");
    const asked = new URLSearchParams(query({ ...this.named, theme: theme(), nearest: true }));
    for (const [name, value] of cuts) asked.append("sel", `${name}=${value}`);
    return get(`${this.path}/${this.figure.name}?${asked}`, { signal: this.signal });
  }

  /** Take the middle of each axis that the figure leaves open; return whether that may help. */
  #cutOpenAxes({ status, errors = [] }) {
    const open = errors.filter(({ field }) => field.startsWith("sel."));
    const axes = open.map(({ field }) => this.#axis(field.slice("sel.".length)));
    if (status !== 422 || !axes.length || !axes.every((axis) => axis?.values)) return false;
    for (const { name, values } of axes) {
      this.sel[name] = String(values[Math.floor((values.length - 1) / 2)]);
    }
    this.#drawChoices();
    return true;
  }

  #axis(wanted) {
    return this.axes[this.#offer.model].find(({ name }) => name === wanted);
  }
}

/** Whether a figure is one to begin with: a phase diagram with one point on it is not. */
const isTelling = ({ name, offers }) =>
  name !== "phase-diagram" || offers.some(({ axes }) => axes.includes("alpha"));

const optionsOf = (values) => [
  ["", "all"],
  ...values.map((value) => [String(value), number(value)]),
];
