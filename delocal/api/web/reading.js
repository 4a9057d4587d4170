/** What the scaling theory says at one point: the regime, kappa by channel, lengths, energies. */

import { h, number } from "./dom.js";
import { isCompanion, named, table, valueText } from "./tables.js";

const SHOWN_ABOVE = ["status", "region", "dominant_channel"];
const POWERS = ["T", "W"];
const HEAD = ["Value", ...POWERS.map((name) => `power of ${name}`)];
const KAPPA = "thermal conductivity ";

/** One point, as the evaluation of the model answered. */
export class Reading {
  constructor({ coords, data }) {
    Object.assign(this, { data, wrt: coords.wrt.values });
    this.values = Object.fromEntries(Object.entries(data).map(([name, v]) => [name, v.values]));
    this.region = this.#text("region");
    this.best = this.#text("dominant_channel");
  }

  /** Return the regime as a sentence. */
  get sentence() {
    if (this.best === "none") return ["Region ", this.region, "; nothing conducts"];
    const parts = ["; the largest conductivity is that ", this.#channel(this.best)];
    return ["Region ", this.region, ...parts];
  }

  /** Return all that is to be read. */
  parts() {
    const [start, region, text, channel] = this.sentence;
    return [
      h("p", { class: "regime" }, start, h("b", {}, region), text, channel && h("b", {}, channel)),
      this.#channels(),
      ...this.#numbers(),
      this.#statements(),
    ];
  }

  #channels() {
    const { flag_meanings: meanings } = this.data.dominant_channel.attrs;
    const names = meanings.split(" ").filter((name) => name !== "none");
    const rows = names.map((name) => this.#row(`kappa_${name}`, this.#channel(name)));
    const marked = names.indexOf(this.best);
    return table("Thermal conductivity by channel", ["Channel", ...HEAD], rows, { marked });
  }

  #channel(name) {
    return this.data[`kappa_${name}`].attrs.long_name.replace(KAPPA, "");
  }

  /** Return the numbers by what they are. */
  #numbers() {
    const names = this.#scalars().filter((name) => !this.#isFlag(name));
    const kinds = Object.groupBy(
      names.filter((name) => !name.startsWith("kappa")),
      (name) => this.data[name].attrs.units,
    );
    const { length, energy, ...others } = kinds;
    return [
      ["Lengths", length],
      ["Energies and rates", energy],
      ["Other numbers", Object.values(others).flat()],
    ]
      .filter(([, found]) => found?.length)
      .map(([title, found]) => {
        return table(
          title,
          ["Quantity", ...HEAD],
          found.map((name) => this.#row(name)),
        );
      });
  }

  #statements() {
    const names = this.#scalars().filter((name) => this.#isFlag(name));
    const rows = names.map((name) => [this.#name(name), this.#text(name)]);
    return table("What holds here", ["Statement", ""], rows);
  }

  #scalars() {
    return Object.keys(this.data).filter((name) => {
      const hidden = SHOWN_ABOVE.includes(name) || isCompanion(name);
      return !hidden && this.data[name].dims.length === 0;
    });
  }

  #isFlag(name) {
    return "flag_values" in this.data[name].attrs;
  }

  #text(name) {
    return valueText(name, this.data[name].attrs, this.values);
  }

  #row(name, meaning) {
    const exponents = this.data[`${name}_exponent`]?.values;
    const power = (parameter) => number(exponents?.[this.wrt.indexOf(parameter)]);
    return [this.#name(name, meaning), this.#text(name), ...POWERS.map(power)];
  }

  #name(name, meaning = this.data[name].attrs.long_name) {
    const { units } = this.data[name].attrs;
    return named(name, units && units !== "1" ? `${meaning} (${units})` : meaning);
  }
}
