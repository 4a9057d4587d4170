/** One parameter of a sweep: swept, fixed, or left at its default; written as the request has it. */

import { h, select } from "./dom.js";
import { wrong } from "./mistakes.js";

const RANGES = ["linspace", "geomspace", "logspace"];
const RANGE_PARTS = ["from", "to", "points"];
const POINTS = 11; // of a range, to begin with
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

/** Return the values in a text with commas. */
export const parsedList = (text) =>
  text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(parsed);

/** Return a value as it is written into a field. */
function written(value) {
  if (typeof value !== "number") return value ?? "";
  const far = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6);
  return far ? value.toExponential().replace("e+", "e") : String(value);
}

/** Return the row of a parameter, which reads and writes `request`. */
export function parameterRow(parameter, request, changed) {
  const { name } = parameter;
  const id = `parameter-${name}`;
  const inputs = h("div", { class: "inputs" });
  const put = (mode, value) => {
    write(name, mode, value, request);
    changed(id);
  };
  const edit = (mode) => {
    const editor = EDITORS[mode];
    inputs.replaceChildren(...(editor ? editor(name, request, (value) => put(mode, value)) : []));
  };
  const choose = (mode) => {
    put(mode, started(mode, parameter, request));
    edit(mode);
  };
  const mode = modeOf(name, request);
  edit(mode);
  return h(
    "div",
    { class: "parameter", role: "group", "aria-labelledby": `name-${name}` },
    nameOf(parameter),
    select([["", absent(parameter)], ...MODES], mode, choose, {
      "aria-label": `${name}: how it is given`,
      "aria-describedby": `wrong-${id}`,
    }),
    inputs,
    wrong(id),
  );
}

function nameOf({ name, long_name: meaning, units, allowed }) {
  const hint = units === "1" ? allowed : `${allowed}; ${units}`;
  return h(
    "div",
    { class: "name", id: `name-${name}` },
    h("b", {}, name),
    " ",
    h("span", {}, meaning),
    h("span", { class: "hint" }, hint),
  );
}

function absent({ required, default: standard }) {
  if (required) return "choose…";
  return standard === null ? "not given" : `default, ${standard}`;
}

function modeOf(name, { axes, fixed }) {
  if (name in fixed) return "fixed";
  if (!(name in axes)) return "";
  const axis = axes[name];
  if (Array.isArray(axis)) return "list";
  const forms = Object.keys(axis);
  return forms.length === 1 && [...RANGES, "like"].includes(forms[0]) ? forms[0] : "text";
}

/** Return what a mode begins with: what the parameter had before, as far as it fits. */
function started(mode, { name, minimum, default: standard }, { axes, fixed }) {
  const before = axes[name];
  const values = [before, ...Object.values(before ?? {})].find(Array.isArray);
  const [low, high = ""] = values ?? [fixed[name] ?? standard ?? ""];
  if (mode === "fixed") return low;
  if (mode === "list") return low === "" ? [] : [low];
  if (mode === "like") return "";
  if (mode === "text") return before ?? { list: [low] };
  return [low === "" ? (minimum ?? "") : low, high, POINTS];
}

/** Write a value of a parameter into the request; nothing, if it has no mode. */
function write(name, mode, value, { axes, fixed }) {
  delete axes[name];
  delete fixed[name];
  if (mode === "list" || mode === "text") axes[name] = value;
  else if (mode === "fixed" && value !== "") fixed[name] = value;
  else if (mode && mode !== "fixed") axes[name] = { [mode]: value };
}

/** What a mode is edited with; each gets the name, the request and where to put a value. */
const EDITORS = {
  fixed: (name, { fixed }, put) => [
    text(name, "value", fixed[name], (typed) => put(parsed(typed))),
  ],
  list: (name, { axes }, put) => [
    text(name, "values", axes[name].map(written).join(", "), (typed) => put(parsedList(typed))),
  ],
  like: (name, request, put) => [otherAxis(name, request, put)],
  text: (name, { axes }, put) => [
    text(name, "JSON", JSON.stringify(axes[name]), (typed) => put(json(typed))),
  ],
  ...Object.fromEntries(RANGES.map((mode) => [mode, (...given) => range(mode, ...given)])),
};

function text(name, label, value, oninput) {
  return h("input", {
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": `${name}: ${label}`,
    "aria-describedby": `wrong-parameter-${name}`,
    value: written(value),
    oninput: ({ target }) => oninput(target.value),
  });
}

function range(mode, name, { axes }, put) {
  const values = [...axes[name][mode]];
  return RANGE_PARTS.map((part, i) => {
    const input = text(name, part, values[i], (typed) => {
      values[i] = parsed(typed);
      put([...values]);
    });
    return h("label", {}, h("span", { class: "hint", "aria-hidden": "true" }, part), input);
  });
}

function otherAxis(name, request, put) {
  const others = Object.keys(request.axes).filter(
    (other) => other !== name && modeOf(other, request) !== "like",
  );
  const options = [["", "choose…"], ...others.map((other) => [other, other])];
  return select(options, request.axes[name].like, put, { "aria-label": `${name}: same as` });
}

/** Return what a text says as JSON; else the text, for the service to say what is wrong. */
function json(typed) {
  try {
    return JSON.parse(typed);
  } catch {
    return typed;
  }
}
