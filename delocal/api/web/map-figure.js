/** The map of cells by status as a figure for Plotly. */

import { number } from "./dom.js";
import { colour } from "./plot.js";
import { STATUSES } from "./progress.js";

const CODES = [
  "not_computed",
  "done",
  "outside_domain",
  "not_converged",
  "failed",
  "cancelled",
  "excluded",
];
const WORDS = CODES.map((code) => Object.fromEntries(STATUSES)[code]);
const TICKS = 9;
const GAP_BELOW = 80; // cells along an axis, from which on no line fits between two
const MOST_TOLD = 20_000; // cells that say what they are when pointed at
const CLEAR = "rgba(0,0,0,0)";

/** Return the figure.

    `rows` are codes of status; `x` and `y` are axes with a `title`, `y` may be absent; `chosen` is
    the place of a cell along both, or null. */
export function mapFigure(rows, x, y, chosen) {
  return {
    data: [cells(rows, x, y), mark(chosen)],
    layout: {
      margin: { l: 64, r: 12, t: 12, b: 52 },
      plot_bgcolor: CLEAR,
      xaxis: scale(x),
      yaxis: y ? scale(y) : { visible: false, fixedrange: true },
    },
  };
}

function cells(rows, x, y) {
  const gap = Math.max(rows.length, rows[0].length) < GAP_BELOW ? 1 : 0;
  const few = rows.length * rows[0].length <= MOST_TOLD;
  const shades = CODES.map((code) => colour(`status-${code}`));
  const step = (i) => i / CODES.length;
  return {
    type: "heatmap",
    z: rows,
    zmin: -0.5,
    zmax: CODES.length - 0.5,
    showscale: false,
    xgap: gap,
    ygap: gap,
    colorscale: shades.flatMap((shade, i) => [
      [step(i), shade],
      [step(i + 1), shade],
    ]),
    ...(few
      ? { text: told(rows, x, y), hovertemplate: "%{text}<extra></extra>" }
      : { hoverinfo: "none" }),
  };
}

/** Return what each cell says of itself. */
function told(rows, x, y) {
  const along = (axis, i) => (axis ? `${axis.name} = ${number(axis.values[i])}<br>` : "");
  return rows.map((row, j) => row.map((code, i) => `${along(x, i)}${along(y, j)}${WORDS[code]}`));
}

function mark(chosen) {
  return {
    type: "scatter",
    x: chosen ? [chosen[0]] : [],
    y: chosen ? [chosen[1]] : [],
    mode: "markers",
    hoverinfo: "skip",
    showlegend: false,
    marker: { symbol: "square-open", size: 12, color: colour("ink"), line: { width: 2 } },
  };
}

function scale({ values, title }) {
  const step = Math.max(1, Math.ceil((values.length - 1) / TICKS));
  const tickvals = values.map((_, i) => i).filter((i) => i % step === 0);
  return {
    title: { text: title },
    tickvals,
    ticktext: tickvals.map((i) => number(values[i])),
    range: [-0.5, values.length - 0.5],
    showgrid: false,
    zeroline: false,
    automargin: true,
  };
}

/** Return the map in words. */
export function mapSummary(rows, x, y) {
  const counts = new Map();
  for (const code of rows.flat()) counts.set(code, (counts.get(code) ?? 0) + 1);
  const parts = [...counts].map(([code, n]) => `${n} ${WORDS[code]}`);
  const axes = y ? `${x.name} and ${y.name}` : x.name;
  return `Map of the cells by status over ${axes}: ${parts.join(", ")}`;
}
