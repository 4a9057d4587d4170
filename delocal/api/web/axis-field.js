/** One parameter of a sweep: swept, fixed, or left at its default; written as the request has it. */

import { h, select } from "./dom.js";

const RANGES = ["linspace", "geomspace", "logspace"];
const RANGE_PARTS = ["from", "to", "points"];
const MODES = [
  ["fixed", "one value"],
  ["list", "list of values"],
  ["linspace", "range, even steps"],
  ["geomspace", "range, even on a log axis"],
  ["logspace", "range of decimal exponents"],
  ["like", "same as another axis"],
  ["text", "as JSON"],
];

/** Return a number if the text is one; else the text, for the service to say what is wrong. */
export function parsed(text) {
  const trimmed = text.trim();
  return trimmed !== "" && Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
}

const written = (value) => (typeof value === "number" ? String(value) : (value ?? ""));

/** Return the row of a parameter, which reads and writes `request`. */
export function parameterRow(parameter, request, changed) {
  const { name, long_name: meaning, units, allowed } = parameter;
  const inputs = h("div", { class: "inputs" });
  const use = (mode) => {
    inputs.replaceChildren(...editor(mode, parameter, request, changed));
  };
  const mode = modeOf(name, request);
  const modes = select(
    [["", absent(parameter)], ...MODES],
    mode,
    (chosen) => {
      put(name, chosen, started(chosen, parameter, request), request);
      use(chosen);
      changed(name);
    },
    { "aria-label": `${name}: how it is given` },
  );
  use(mode);
  return h(
    "div",
    { class: "parameter", role: "group", "aria-labelledby": `name-${name}`, "data-field": name },
    h(
      "div",
      { class: "name", id: `name-${name}` },
      h("b", {}, name),
      " ",
      h("span", {}, meaning),
      h("span", { class: "hint" }, units === "1" ? allowed : `${allowed}; ${units}`),
    ),
    modes,
    inputs,
    h("p", { class: "wrong", id: `wrong-${name}` }),
  );
}

function absent({ required, default: standard }) {
  if (required) return "choose…";
  return standard === null ? "not given" : `default, ${standard}`;
}

function modeOf(name, { axes, fixed }) {
  if (name in fixed) return "fixed";
  if (!(name in axes)) return "";
  if (Array.isArray(axes[name])) return "list";
  const forms = Object.keys(axes[name] ?? {});
  return forms.length === 1 && [...RANGES, "list", "like"].includes(forms[0]) ? forms[0] : "text";
}

/** Return what a mode begins with: what the parameter had before, as far as it fits. */
function started(mode, { name, minimum, default: standard }, { axes, fixed }) {
  const before = axes[name];
  const values = Array.isArray(before)
    ? before
    : (Object.values(before ?? {})[0] ?? [fixed[name] ?? standard ?? ""]);
  const [low = ""] = values;
  if (mode === "fixed") return low;
  if (mode === "list") return [low];
  if (mode === "like") return "";
  if (mode === "text") return before ?? { list: [low] };
  const high = Array.isArray(values) && values.length > 1 ? values[1] : "";
  return [low === "" ? (minimum ?? "") : low, high, 11];
}

/** Write a value of a parameter into the request. */
function put(name, mode, value, { axes, fixed }) {
  delete axes[name];
  delete fixed[name];
  if (mode === "fixed") fixed[name] = value;
  else if (mode === "list" || mode === "text") axes[name] = value;
  else if (mode) axes[name] = { [mode]: value };
  if (mode === "fixed" && value === "") delete fixed[name];
}

function editor(mode, { name }, request, changed) {
  const enter = (value) => {
    put(name, mode, value, request);
    changed(name);
  };
  const described = { "aria-describedby": `wrong-${name}` };
  const text = (label, value, oninput) =>
    h("input", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": `${name}: ${label}`,
      ...described,
      value: written(value),
      oninput: (event) => oninput(event.target.value),
    });
  if (mode === "fixed")
    return [text("value", request.fixed[name], (typed) => enter(parsed(typed)))];
  const axis = request.axes[name];
  if (mode === "list") {
    const values = Array.isArray(axis) ? axis : axis.list;
    return [
      text("values", values.map(written).join(", "), (typed) =>
        enter(
          typed
            .split(",")
            .filter((part) => part.trim() !== "")
            .map(parsed),
        ),
      ),
    ];
  }
  if (mode === "like") {
    const others = Object.keys(request.axes).filter(
      (other) => other !== name && modeOf(other, request) !== "like",
    );
    return [
      select([["", "choose…"], ...others.map((other) => [other, other])], axis.like, enter, {
        "aria-label": `${name}: same as`,
        ...described,
      }),
    ];
  }
  if (mode === "text") return [text("JSON", JSON.stringify(axis), (typed) => enter(json(typed)))];
  return RANGES.includes(mode)
    ? RANGE_PARTS.map((part, i) => {
        const input = text(part, axis[mode][i], (typed) =>
          enter(request.axes[name][mode].map((old, j) => (j === i ? parsed(typed) : old))),
        );
        return h("label", {}, h("span", { class: "hint", "aria-hidden": "true" }, part), input);
      })
    : [];
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
