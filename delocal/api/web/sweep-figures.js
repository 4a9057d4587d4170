/** The figures that the service draws of a sweep, and what can be chosen in them. */

import { get, query } from "./api.js";
import { field, h, number, select } from "./dom.js";
import { draw, onTheme, theme } from "./plot.js";

const ALL = ["", "as the figure has it"];

/** The figures of one sweep, in their section. */
export class Figures {
  #gallery = null;

  constructor(sweepId, signal) {
    Object.assign(this, { sweepId, signal });
    this.element = h("section", { "aria-labelledby": "figures-title", hidden: true });
  }

  /** Show the figures; draw the one that is shown again, if there is one. */
  async update() {
    try {
      this.#gallery ??= await this.#open();
      await this.#gallery?.draw();
    } catch (error) {
      if (this.signal.aborted) return;
      const wrong = h("p", { class: "wrong", role: "alert" }, error.message);
      this.element.replaceChildren(h("h2", { id: "figures-title" }, "Figures"), wrong);
      this.element.hidden = false;
    }
  }

  async #open() {
    const { sweepId, signal } = this;
    const { figures, axes } = await get(`v1/sweeps/${sweepId}/figures`, { signal });
    if (!figures.length) return null;
    this.element.hidden = false;
    return new Gallery(this.element, figures, axes, signal);
  }
}

class Gallery {
  constructor(place, offered, axes, signal) {
    Object.assign(this, { axes, signal });
    this.plot = h("div", { class: "plot", role: "img" });
    this.caption = h("p", { class: "hint" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.choices = h("div", { class: "choices" });
    const names = offered.map(({ name, title }) => [name, title]);
    const use = (name) => {
      this.figure = offered.find((figure) => figure.name === name);
      this.chosen = { sel: {} };
      this.#drawChoices();
    };
    place.replaceChildren(
      h("h2", { id: "figures-title" }, "Figures"),
      field(
        "Figure",
        select(names, offered[0].name, (name) => {
          use(name);
          this.draw();
        }),
      ),
      this.choices,
      this.wrong,
      h("figure", {}, h("figcaption", {}, this.caption), this.plot),
    );
    use(offered[0].name);
    onTheme(() => this.draw(), signal);
  }

  get #model() {
    return this.chosen.model || Object.keys(this.figure.offers)[0];
  }

  #drawChoices() {
    const { figure, chosen } = this;
    const offer = figure.offers[this.#model];
    const takes = (name) => figure.takes.includes(name);
    const pick = (label, name, options) =>
      options.length > 1 &&
      h(
        "label",
        {},
        label,
        select(
          [ALL, ...options.map((o) => [o, o])],
          chosen[name] ?? "",
          (value) => {
            chosen[name] = value;
            this.#drawChoices();
            this.draw();
          },
          { name: `figure-${name}` },
        ),
      );
    const focused = document.activeElement?.name;
    this.choices.replaceChildren(
      ...[
        takes("model") && pick("Model", "model", Object.keys(figure.offers)),
        takes("variable") && pick("Variable", "variable", offer.variables),
        takes("x") && pick("Across", "x", offer.axes),
        takes("y") && pick("Up", "y", offer.axes),
        ...(takes("sel") ? this.axes[this.#model].map((axis) => this.#cut(axis)) : []),
      ].filter(Boolean),
    );
    if (focused?.startsWith("figure-"))
      this.choices.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Return the choice of a value along an axis, or of all. */
  #cut({ name, values, size }) {
    if (size < 2 || name === this.chosen.x || name === this.chosen.y) return null;
    const { sel } = this.chosen;
    const go = (value) => {
      sel[name] = value;
      this.draw();
    };
    return h(
      "label",
      {},
      name,
      values
        ? select(
            [["", "all"], ...values.map((value) => [String(value), number(value)])],
            sel[name] ?? "",
            go,
          )
        : h("input", {
            type: "text",
            placeholder: "all",
            value: sel[name] ?? "",
            onchange: ({ target }) => go(target.value.trim()),
          }),
    );
  }

  /** Ask for the figure as chosen, and draw it. */
  async draw() {
    const { sel, ...named } = this.chosen;
    const cuts = Object.entries(sel)
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `sel=${encodeURIComponent(`${name}=${value}`)}`);
    const asked = query({ ...named, theme: theme(), nearest: true });
    this.plot.setAttribute("aria-busy", "true");
    try {
      const found = await get(
        `${this.figure.link.replace(/^.*?v1\//, "v1/")}${[asked, ...cuts].join("&")}`,
        { signal: this.signal },
      );
      this.wrong.textContent = "";
      this.caption.textContent = "";
      await draw(this.plot, found, { signal: this.signal, caption: this.caption });
      this.plot.setAttribute("aria-label", `${this.figure.title}. ${this.caption.textContent}`);
    } catch (error) {
      if (this.signal.aborted) return;
      this.wrong.textContent = error.message;
    } finally {
      this.plot.removeAttribute("aria-busy");
    }
  }
}
