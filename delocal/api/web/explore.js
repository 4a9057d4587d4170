/** Explore the scaling theory: a point of the phase diagram, and all that the theory says there. */

import { get, pause, post, query } from "./api.js";
import { parsed } from "./axis-field.js";
import { valueText } from "./cell-map.js";
import { announce, field, h, number, select } from "./dom.js";
import { colour, draw, onTheme, theme } from "./plot.js";

const MODEL = "scaling";
const START = { d: 2, alpha: 3, beta: 2.5, T: 1e-3, W: 1 };
const DIMENSIONS = [
  ["1", "1"],
  ["2", "2"],
  ["3", "3"],
];
const SETTLE_MS = 250;
const STEP = 0.05; // of alpha and beta, with the keys of arrows
const ARROWS = {
  ArrowLeft: ["alpha", -1],
  ArrowRight: ["alpha", 1],
  ArrowDown: ["beta", -1],
  ArrowUp: ["beta", 1],
};
const FIRST = ["region", "dominant_channel", "dominant_channel_asymptotic"];
const CHANNELS = {
  opt: "optimal pseudo-spins",
  ps: "pseudo-spins",
  s: "spins",
  sd: "spectral diffusion",
  opt2: "optimal pseudo2-spins",
  ps2: "pseudo2-spins",
  sd2: "spectral diffusion of pseudo2-spins",
};

export async function show(main, { query: asked, signal }) {
  const loading = h("p", { class: "loading", role: "status" }, "Loading the theory…");
  main.append(
    h("h1", {}, "Explore"),
    h(
      "p",
      { class: "hint" },
      "Click the diagram, or give alpha and beta: what the scaling theory says there is read beside it.",
    ),
    loading,
  );
  const { parameters } = await get(`v1/models/${MODEL}`, { signal });
  loading.remove();
  const given = Object.fromEntries(
    [...asked]
      .filter(([name]) => parameters.some((p) => p.name === name))
      .map(([name, text]) => [name, parsed(text)]),
  );
  await new Explorer(main, parameters, { ...START, ...given }, signal).begin();
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
    main.append(
      h(
        "div",
        { class: "columns narrow" },
        Object.entries(this.fields).map(([name, input]) =>
          field(name, input, { hint: parameters.find((p) => p.name === name).long_name }),
        ),
      ),
      this.wrong,
      h(
        "div",
        { class: "beside explore" },
        h("figure", {}, this.plot, h("figcaption", {}, this.caption)),
        this.reading,
      ),
    );
    onTheme(() => this.#diagram(), signal);
  }

  async begin() {
    this.#read();
    await this.#diagram();
  }

  #input({ name, default: standard }) {
    if (name === "d")
      return select(DIMENSIONS, String(this.at.d), (d) => this.#set({ d: Number(d) }));
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
    if ("d" in change) this.#diagram();
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

  async #diagram() {
    try {
      this.figure = await get(
        `v1/figures/phase-diagram${query({ d: this.at.d, theme: theme() })}`,
        { signal: this.signal },
      );
      await this.#draw();
    } catch (error) {
      if (!this.signal.aborted)
        this.plot.replaceChildren(h("p", { class: "empty" }, error.message));
    }
  }

  async #draw() {
    const { data, layout } = this.figure;
    const point = {
      type: "scatter",
      mode: "markers",
      x: [this.at.alpha],
      y: [this.at.beta],
      hoverinfo: "skip",
      showlegend: false,
      marker: { size: 15, symbol: "cross-thin", line: { width: 3, color: colour("ink") } },
    };
    await draw(
      this.plot,
      { data: [...data, point], layout: { ...layout, uirevision: this.at.d } },
      {
        signal: this.signal,
        caption: this.caption,
        onclick: ({ x, y }) =>
          this.#set({ alpha: Number(x.toFixed(3)), beta: Number(y.toFixed(3)) }),
      },
    );
  }

  /** Ask what the theory says at the point. */
  async #read() {
    const mine = (this.#latest += 1);
    try {
      await pause(SETTLE_MS, this.signal);
      if (mine !== this.#latest) return;
      const found = await post(
        `v1/models/${MODEL}/evaluate`,
        { parameters: this.at },
        { signal: this.signal },
      );
      if (mine !== this.#latest) return;
      this.wrong.textContent = "";
      this.#mark([]);
      this.#show(found);
    } catch (error) {
      if (this.signal.aborted || mine !== this.#latest) return;
      this.wrong.textContent = error.message;
      this.#mark(error.errors ?? []);
    }
  }

  #mark(errors) {
    const names = new Set(errors.map((error) => error.field.split(".")[1]));
    for (const [name, input] of Object.entries(this.fields)) {
      if (names.has(name)) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }

  #show({ coords, data }) {
    const values = Object.fromEntries(Object.entries(data).map(([name, v]) => [name, v.values]));
    const text = (name) => valueText(name, data[name].attrs, values);
    const exponent = (name, wrt) =>
      data[`${name}_exponent`]?.values[coords.wrt.values.indexOf(wrt)];
    const scalars = Object.keys(data).filter(
      (name) => data[name].dims.length === 0 && name !== "status" && !name.startsWith("log10_"),
    );
    const flags = scalars.filter((name) => data[name].attrs.flag_values && !FIRST.includes(name));
    const numbers = scalars.filter(
      (name) => !data[name].attrs.flag_values && !name.startsWith("kappa"),
    );
    const channels = Object.keys(CHANNELS).filter((c) => `kappa_${c}` in data);
    const best = text("dominant_channel");
    this.reading.replaceChildren(
      h(
        "p",
        { class: "regime" },
        "Region ",
        h("b", {}, text("region")),
        best === "none" ? ": nothing conducts" : [", ", h("b", {}, CHANNELS[best]), " dominates"],
      ),
      table(
        "Thermal conductivity by channel",
        ["Channel", "kappa", "power of T", "power of W"],
        channels.map((c) => [
          [h("code", {}, c), h("span", { class: "hint" }, CHANNELS[c])],
          text(`kappa_${c}`),
          ...["T", "W"].map((wrt) => number(exponent(`kappa_${c}`, wrt))),
        ]),
        channels.indexOf(best),
      ),
      ...kinds(numbers, data).map(([title, names]) =>
        table(
          title,
          ["Quantity", "Value", "power of T", "power of W"],
          names.map((name) => [
            [h("code", {}, name), h("span", { class: "hint" }, data[name].attrs.long_name)],
            text(name),
            ...["T", "W"].map((wrt) => number(exponent(name, wrt))),
          ]),
        ),
      ),
      table(
        "What holds here",
        ["Statement", ""],
        flags.map((name) => [
          [h("code", {}, name), h("span", { class: "hint" }, data[name].attrs.long_name)],
          text(name),
        ]),
      ),
    );
    announce(
      `Region ${text("region")}, ${best === "none" ? "nothing conducts" : `${CHANNELS[best]} dominates`}`,
    );
  }
}

/** Return the numbers by what they are, lengths first. */
function kinds(names, data) {
  const of = (units) => names.filter((name) => data[name].attrs.units === units);
  const rest = names.filter((name) => !["length", "energy"].includes(data[name].attrs.units));
  return [
    ["Lengths", of("length")],
    ["Energies and temperatures", of("energy")],
    ["Numbers and rates", rest],
  ].filter(([, found]) => found.length);
}

function table(title, head, rows, marked = -1) {
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": title },
    h(
      "table",
      {},
      h("caption", {}, h("b", {}, title)),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((text) => h("th", { scope: "col" }, text)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([first, ...others], i) =>
          h(
            "tr",
            { class: i === marked ? "marked" : null },
            h("th", { scope: "row" }, first),
            others.map((text) => h("td", { class: "number" }, text)),
          ),
        ),
      ),
    ),
  );
}
