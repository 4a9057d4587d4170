/** Explore the scaling theory: a point of the phase diagram, and all that the theory says there. */

import { get, pause, post, query } from "./api.js";
import { parsed } from "./axis-field.js";
import { announce, field, h, select } from "./dom.js";
import { colour, draw, onTheme, theme } from "./plot.js";
import { Reading } from "./reading.js";

const MODEL = "scaling";
const START = { d: 2, alpha: 3, beta: 2.5, T: 1e-3, W: 1 };
const DIMENSIONS = ["1", "2", "3"];
const SETTLE_MS = 250;
const STEP = 0.05; // of alpha and beta, with the arrow keys
const ARROWS = {
  ArrowLeft: ["alpha", -1],
  ArrowRight: ["alpha", 1],
  ArrowDown: ["beta", -1],
  ArrowUp: ["beta", 1],
};
const INTRODUCTION =
  "Click the diagram, move in it with the arrow keys, or give alpha and beta: what the scaling " +
  "theory says there stands beside it.";

export async function show(main, { query: asked, signal }) {
  const loading = h("p", { class: "loading", role: "status" }, "Loading the theory…");
  main.append(h("h1", {}, "Explore"), h("p", { class: "hint" }, INTRODUCTION), loading);
  const { parameters } = await get(`v1/models/${MODEL}`, { signal });
  loading.remove();
  const names = parameters.map(({ name }) => name);
  const given = [...asked].filter(([name]) => names.includes(name));
  const at = given.map(([name, text]) => [name, parsed(text)]);
  await new Explorer(main, parameters, { ...START, ...Object.fromEntries(at) }, signal).begin();
}

class Explorer {
  #latest = 0;

  constructor(main, parameters, at, signal) {
    Object.assign(this, { at, signal });
    this.plot = h("div", {
      class: "plot",
      role: "application",
      tabindex: 0,
      "aria-label": "Phase diagram; the arrow keys move the point",
      onkeydown: (event) => this.#key(event),
    });
    this.caption = h("p", { class: "hint" });
    this.reading = h("div", { class: "reading", "aria-label": "Reading", role: "region" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.fields = Object.fromEntries(parameters.map((p) => [p.name, this.#input(p)]));
    const fields = parameters.map(({ name, long_name: hint }) =>
      field(name, this.fields[name], { hint }),
    );
    const figure = h("figure", {}, this.plot, h("figcaption", {}, this.caption));
    main.append(h("div", { class: "columns narrow" }, fields), this.wrong);
    main.append(h("div", { class: "beside explore" }, figure, this.reading));
    onTheme(() => this.#readDiagram(), signal);
  }

  async begin() {
    this.#read();
    await this.#readDiagram();
  }

  #input({ name, default: standard }) {
    if (name === "d") {
      const options = DIMENSIONS.map((d) => [d, d]);
      return select(options, String(this.at.d), (d) => this.#set({ d: Number(d) }));
    }
    return h("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      value: this.at[name] ?? "",
      placeholder: standard ?? "none",
      oninput: ({ target }) => this.#set({ [name]: parsed(target.value) }, target),
    });
  }

  /** Go to a point; `typed` is the field it was typed into, which is left alone. */
  #set(change, typed) {
    Object.assign(this.at, change);
    for (const [name, value] of Object.entries(change)) {
      if (value === "") delete this.at[name];
      if (this.fields[name] !== typed) this.fields[name].value = String(value);
    }
    history.replaceState(null, "", `#/explore${query(this.at)}`);
    if ("d" in change) this.#readDiagram();
    else if (this.figure) this.#draw();
    this.#read();
  }

  #key(event) {
    const [name, sign] = ARROWS[event.key] ?? [];
    if (!name) return;
    event.preventDefault();
    const value = Number(this.at[name]) + sign * STEP;
    if (value > 0) this.#set({ [name]: Number(value.toFixed(4)) });
  }

  async #readDiagram() {
    const path = `v1/figures/phase-diagram${query({ d: this.at.d, theme: theme() })}`;
    try {
      this.figure = await get(path, { signal: this.signal });
      await this.#draw();
    } catch (error) {
      if (!this.signal.aborted) this.caption.textContent = error.message;
    }
  }

  #draw() {
    const { data, layout } = this.figure;
    const marker = { size: 15, symbol: "cross-thin", line: { width: 3, color: colour("ink") } };
    const [x, y] = [[this.at.alpha], [this.at.beta]];
    const silent = { hoverinfo: "skip", showlegend: false };
    const point = { type: "scatter", mode: "markers", x, y, marker, ...silent };
    const figure = { data: [...data, point], layout: { ...layout, uirevision: this.at.d } };
    const rounded = (value) => Number(value.toFixed(3));
    const onclick = (at) => this.#set({ alpha: rounded(at.x), beta: rounded(at.y) });
    return draw(this.plot, figure, { signal: this.signal, caption: this.caption, onclick });
  }

  /** Ask what the theory says at the point, once it has not moved for a moment. */
  async #read() {
    const mine = (this.#latest += 1);
    const isOld = () => this.signal.aborted || mine !== this.#latest;
    const path = `v1/models/${MODEL}/evaluate`;
    try {
      await pause(SETTLE_MS, this.signal);
      if (isOld()) return;
      const found = await post(path, { parameters: this.at }, { signal: this.signal });
      if (!isOld()) this.#show(new Reading(found));
    } catch (error) {
      if (!isOld()) this.#refuse(error);
    }
  }

  #show(reading) {
    this.wrong.textContent = "";
    this.#mark([]);
    this.reading.replaceChildren(...reading.parts());
    announce(reading.sentence.join(""));
  }

  #refuse({ message, errors = [] }) {
    this.wrong.textContent = message;
    this.#mark(errors.map((error) => error.field.split(".")[1]));
  }

  #mark(names) {
    for (const [name, input] of Object.entries(this.fields)) {
      if (names.includes(name)) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }
}
