/** The plot library, loaded when it is first needed, and the colours of the page for it. */

import { address, Offline } from "./api.js";

const NARROW_PX = 480;
const SMALL = 11; // letters on a phone
const DARK = matchMedia("(prefers-color-scheme: dark)");
const BUTTONS = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
const SETTINGS = { displaylogo: false, modeBarButtons: BUTTONS };
let loading = null;

/** Return Plotly. */
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address("web/plotly.min.js");
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Offline());
    };
    document.head.append(script);
  });
  return loading;
}

export const theme = () => (DARK.matches ? "dark" : "light");

/** Call `redraw` when the colours of the page change, until `signal`. */
export function onTheme(redraw, signal) {
  DARK.addEventListener("change", redraw, { signal });
}

const plain = (text) => text.replaceAll("<br>", " ").replace(/<[^>]*>/g, "");

/** Return a colour of the style sheet. */
export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Draw a figure into an element; its title goes into `caption`, which wraps, if there is one.
    `onclick` gets the point that was clicked. */
export async function draw(element, { data, layout }, { signal, onclick, caption } = {}) {
  const Plotly = await plotly();
  if (signal?.aborted) return;
  const font = {
    ...layout.font,
    ...(element.clientWidth < NARROW_PX && { size: SMALL }),
    family: getComputedStyle(document.body).fontFamily,
    color: colour("ink"),
  };
  const { title, margin } = layout;
  if (caption)
    caption.textContent = plain([title?.text, title?.subtitle?.text].filter(Boolean).join(". "));
  const fitting = {
    ...layout,
    font,
    autosize: true,
    width: undefined,
    height: undefined,
    paper_bgcolor: "rgba(0,0,0,0)",
  };
  if (caption) Object.assign(fitting, { title: undefined, margin: { ...margin, t: 16 } });
  const first = !element.classList.contains("js-plotly-plot");
  await Plotly.react(element, data, fitting, SETTINGS);
  element.clicked = onclick;
  if (!first) return;
  element.on("plotly_click", ({ points: [point] }) => element.clicked?.(point));
  const observer = new ResizeObserver(() => element.offsetParent && Plotly.Plots.resize(element));
  observer.observe(element);
  signal?.addEventListener(
    "abort",
    () => {
      observer.disconnect();
      Plotly.purge(element);
    },
    { once: true },
  );
}
