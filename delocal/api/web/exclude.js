/** Conditions for cells that are left out: a parameter, a comparison, a number or a parameter. */

import { parsed } from "./axis-field.js";
import { h, select } from "./dom.js";
import { wrong } from "./mistakes.js";

const COMPARISONS = [
  ["lt", "<"],
  ["le", "≤"],
  ["gt", ">"],
  ["ge", "≥"],
  ["eq", "="],
  ["ne", "≠"],
];

/** Return the rows of `request.exclude`, which read and write it. */
export function excludeRows(request, names, changed) {
  const rows = h("div", {});
  const draw = () => {
    rows.replaceChildren(...(request.exclude ?? []).map((entry, i) => row(entry, i)), add);
  };
  const put = (i, entry) => {
    request.exclude = (request.exclude ?? []).with(i, entry);
    changed(`exclude-${i}`);
  };
  const remove = (i) => {
    request.exclude = request.exclude.filter((_, j) => j !== i);
    if (!request.exclude.length) delete request.exclude;
    draw();
    add.focus();
    changed();
  };
  const add = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: () => {
        request.exclude = [...(request.exclude ?? []), { [names[0]]: { lt: "" } }];
        draw();
        rows.querySelectorAll(".exclude select")[2 * request.exclude.length - 2]?.focus();
        changed();
      },
    },
    "Add a condition",
  );
  const row = (entry, i) =>
    h(
      "div",
      { class: "exclude" },
      editor(entry, i, names, put),
      h("button", { type: "button", class: "quiet", onclick: () => remove(i) }, "Remove"),
      wrong(`exclude-${i}`),
    );
  draw();
  return rows;
}

function editor(entry, i, names, put) {
  const simple = simpleForm(entry);
  if (!simple) return h("code", {}, JSON.stringify(entry));
  let [name, comparison, operand] = simple;
  const write = () => put(i, { [name]: { [comparison]: operand } });
  const described = { "aria-describedby": `wrong-exclude-${i}` };
  return [
    select(
      names.map((n) => [n, n]),
      name,
      (value) => {
        name = value;
        write();
      },
      { "aria-label": "Parameter", ...described },
    ),
    select(
      COMPARISONS,
      comparison,
      (value) => {
        comparison = value;
        write();
      },
      { "aria-label": "Comparison" },
    ),
    h("input", {
      type: "text",
      value: String(operand),
      "aria-label": "Number or parameter",
      ...described,
      oninput: ({ target }) => {
        operand = parsed(target.value);
        write();
      },
    }),
  ];
}

function simpleForm(entry) {
  const conditions = Object.entries(entry);
  if (conditions.length !== 1) return null;
  const [name, condition] = conditions[0];
  if (typeof condition === "number") return [name, "eq", condition];
  const comparisons = Object.entries(condition);
  return Array.isArray(condition) || comparisons.length !== 1 ? null : [name, ...comparisons[0]];
}
