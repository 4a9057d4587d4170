/** How far a sweep is: its bar by status, its state, and when it will have ended. */

import { isActive, serverNow } from "./api.js";
import { count, duration, h } from "./dom.js";

/** Statuses of cells in the order of the bar, with what people call them. */
export const STATUSES = [
  ["done", "done"],
  ["outside_domain", "outside the domain"],
  ["not_converged", "not converged"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
  ["excluded", "excluded"],
  ["not_computed", "not computed yet"],
];
const WINDOW_MS = 30_000;

/** Return the number of cells that nothing is left to do for. */
export function settled(cells) {
  return STATUSES.reduce(
    (sum, [name]) => sum + (name === "not_computed" ? 0 : (cells[name] ?? 0)),
    0,
  );
}

export function badge(state) {
  return h("span", { class: `badge ${state}` }, state);
}

/** Return a bar of the cells by status, and a function that updates it. */
export function progressBar() {
  const parts = STATUSES.map(([name]) => [name, h("span", { class: `status-${name}` })]);
  const element = h(
    "div",
    {
      class: "progress",
      role: "progressbar",
      "aria-label": "Cells settled",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    parts.map(([, part]) => part),
  );
  const update = ({ cells }) => {
    const share = fraction(cells);
    element.setAttribute("aria-valuenow", Math.floor(100 * share));
    for (const [name, part] of parts)
      part.style.width = `${(100 * (cells[name] ?? 0)) / Math.max(cells.total, 1)}%`;
  };
  return { element, update };
}

export const fraction = (cells) => (cells.total ? Math.min(1, settled(cells) / cells.total) : 1);

/** Return what is to be read beside the bar; most of the work may be done before any cell is. */
export function progressText({ state, cells, blocks }, eta) {
  const all = `${count(cells.total)} ${cells.total === 1 ? "cell" : "cells"}`;
  if (!isActive(state)) return fraction(cells) === 1 ? all : `${count(settled(cells))} of ${all}`;
  if (!blocks.done) return `${all}, not begun`;
  const work = Math.floor((100 * blocks.done) / blocks.total);
  const left = eta === null ? "" : `, about ${duration(eta)} left`;
  return `${count(settled(cells))} of ${all}, ${work}% of the work${left}`;
}

/** Guesses when a sweep will have ended, from its pace over the last half minute. */
export class Eta {
  #seen = [];

  /** Return the seconds that are left, or null if nobody can tell yet. */
  update({ state, blocks, created }) {
    const now = serverNow();
    if (!isActive(state) || blocks.done === 0) return null;
    this.#seen = [...this.#seen.filter(([time]) => now - time < WINDOW_MS), [now, blocks.done]];
    const [since, before] = this.#seen.length > 1 ? this.#seen[0] : [Date.parse(created), 0];
    const pace = (blocks.done - before) / (now - since);
    return pace > 0 ? (blocks.total - blocks.done) / pace / 1000 : null;
  }
}
