/** Cells that failed, by the reason. */

import { count, h, number } from "./dom.js";

/** Return what is shown of failures; `total` is the number of cells that failed in all. */
export function failureParts(failures, total) {
  const parts = byReason(failures).map(([reason, cells]) => reasonPart(reason, cells));
  if (total > failures.length) {
    parts.push(h("p", { class: "hint" }, `These are ${failures.length} of ${count(total)}.`));
  }
  return parts;
}

function reasonPart(reason, cells) {
  const many = `${count(cells.length)} ${cells.length === 1 ? "cell" : "cells"}`;
  return h(
    "details",
    { class: "failed" },
    h("summary", {}, h("b", {}, reason), ` ${many}`),
    h("ul", {}, cells.map(where)),
    h("pre", { tabindex: 0 }, cells[0].traceback),
  );
}

function where({ model, parameters }) {
  const values = Object.entries(parameters ?? {}).map(
    ([name, value]) => `${name} = ${number(value)}`,
  );
  return h("li", {}, `${model}: `, h("code", {}, values.join(", ")));
}

function byReason(failures) {
  const groups = new Map();
  for (const failure of failures) {
    groups.set(failure.error, [...(groups.get(failure.error) ?? []), failure]);
  }
  return [...groups];
}
