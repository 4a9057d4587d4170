/** Elements, and how numbers, times and sizes are written. */

const PROPERTIES = new Set(["value", "checked", "selected"]);

/** Return an element; `on...` attributes are listeners, false and null are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** Say something to those who listen to a screen reader. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}

/** Return a number as people write it: four digits, powers of ten far from one. */
export function number(x) {
  if (x == null || Number.isNaN(x)) return "–";
  if (typeof x !== "number") return String(x);
  if (Number.isInteger(x) && Math.abs(x) < 1e6) return minus(x.toLocaleString("en"));
  const [mantissa, exponent] = x.toExponential(3).split("e");
  if (exponent > -4 && exponent < 6) return minus(String(Number(x.toPrecision(4))));
  const short = minus(String(Number(mantissa)));
  const power = `10${[...String(Number(exponent))].map((digit) => SUPERSCRIPT[digit]).join("")}`;
  return short === "1" ? power : `${short}·${power}`;
}

const minus = (text) => text.replace("-", "−");

const SUPERSCRIPT = Object.fromEntries([..."-0123456789"].map((c, i) => [c, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[i]]));

export const count = (n) => n.toLocaleString("en");

/** Return seconds as a duration in its two largest units. */
export function duration(seconds) {
  if (seconds < 0.001) return "under 1 ms";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const units = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let rest = Math.round(seconds);
  const parts = [];
  for (const [name, size] of units) {
    if (rest >= size && parts.length < 2) parts.push(`${Math.floor(rest / size)} ${name}`);
    else if (parts.length) break;
    rest %= size;
  }
  return parts.join(" ");
}

export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(Math.floor(Math.log10(Math.max(n, 1)) / 3), units.length - 1);
  return `${Number((n / 1000 ** power).toPrecision(3))} ${units[power]}`;
}

/** Return a <time> that says how long ago, and the moment itself when pointed at. */
export function moment(iso, now) {
  const then = new Date(iso);
  const ago = (now - then) / 1000;
  const text =
    ago < 60
      ? "just now"
      : ago < 7 * 86400
        ? `${duration(ago).split(" ").slice(0, 2).join(" ")} ago`
        : then.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
  return h("time", { datetime: iso, title: then.toLocaleString("en") }, text);
}

let fields = 0;

/** Return a label with its field, and a hint below it. */
export function field(label, input, { hint } = {}) {
  if (!input.id) input.id = `field-${(fields += 1)}`;
  const hintId = `${input.id}-hint`;
  if (hint) {
    const others = input.getAttribute("aria-describedby") ?? "";
    input.setAttribute("aria-describedby", `${hintId} ${others}`.trim());
  }
  const below = hint && h("p", { class: "hint", id: hintId }, hint);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input, below);
}

/** Return a select; `options` are [value, text], or [group, [[value, text], ...]]. */
export function select(options, value, onchange, attributes = {}) {
  const option = ([key, text]) =>
    Array.isArray(text)
      ? h("optgroup", { label: key }, text.map(option))
      : h("option", { value: key }, text);
  return h(
    "select",
    { ...attributes, onchange: (event) => onchange(event.target.value), value },
    options.map(option),
  );
}

/** Return a button that copies `text()`. */
export function copyButton(text) {
  return h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: async (event) => {
        await navigator.clipboard.writeText(text());
        announce("Copied");
        event.target.textContent = "Copied";
        setTimeout(() => {
          event.target.textContent = "Copy";
        }, 1500);
      },
    },
    "Copy",
  );
}
