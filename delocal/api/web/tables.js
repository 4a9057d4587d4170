/** Tables of values with their names and meanings. */

import { h, number } from "./dom.js";

/** Return a table that can be scrolled; the `marked` row stands out. */
export function table(title, head, rows, { caption = title, marked = -1 } = {}) {
  const body = rows.map(([first, ...others], i) =>
    h(
      "tr",
      { class: i === marked ? "marked" : null },
      h("th", { scope: "row" }, first),
      others.map((text) => h("td", { class: "number" }, text)),
    ),
  );
  const heads = head.map((text) => h("th", { scope: "col" }, text));
  const parts = [h("thead", {}, h("tr", {}, heads)), h("tbody", {}, body)];
  return h(
    "div",
    { class: "table", tabindex: 0, role: "region", "aria-label": title },
    h("table", {}, h("caption", {}, caption), parts),
  );
}

/** Return the name of a variable with what it means. */
export const named = (name, meaning) => [
  h("code", {}, name),
  h("span", { class: "hint" }, meaning),
];

/** Return a value as text: a flag by its name, a number with its error, or its logarithm. */
export function valueText(name, { flag_values: flags, flag_meanings: meanings }, values) {
  const value = values[name];
  if (flags) return meanings.split(" ")[flags.indexOf(value)]?.replaceAll("_", " ") ?? "–";
  const logarithm = values[`log10_${name}`];
  if (!value && logarithm != null) return `10^(${number(logarithm)})`; // it underflows
  const error = values[`${name}_stderr`];
  return error == null ? number(value) : `${number(value)} ± ${number(error)}`;
}

/** Whether a variable says more about another one, which has it in its text. */
export const isCompanion = (name) => name.startsWith("log10_") || name.endsWith("_stderr");
