/** The parts of the form of a new sweep, beside its parameters; each reads and writes the request. */

import { parsed } from "./axis-field.js";
import { field, h, select } from "./dom.js";
import { wrong } from "./mistakes.js";

const KINDS = [
  ["closed-form", "closed form"],
  ["self-consistent", "self-consistent"],
  ["monte-carlo", "Monte Carlo"],
];
const SAMPLING = [
  ["replicas", "Replicas of a cell", "16 if left empty"],
  ["target_rel_error", "Relative error wanted", "more replicas until it is reached"],
  ["max_replicas", "Replicas at most", "with a wanted error"],
];
const PRIORITIES = ["low", "normal", "high"];

export const part = (title, attributes, ...children) =>
  h("fieldset", attributes, h("legend", {}, title), children);

/** Return a field whose mistakes stand below it. */
const checked = (id, label, input, hint) => {
  input.setAttribute("aria-describedby", `wrong-${id}`);
  return h("div", {}, field(label, input, { hint }), wrong(id));
};

const typed = (value, oninput, attributes) =>
  h("input", {
    type: "text",
    autocomplete: "off",
    value: value ?? "",
    oninput: ({ target }) => oninput(target.value),
    ...attributes,
  });

/** Set `place[name]`, or take it out if it is empty. */
function put(place, name, value) {
  if (value === "" || value === undefined) delete place[name];
  else place[name] = value;
}

export const isSampled = (models) => models.some(({ kind }) => kind === "monte-carlo");

/** Return the choice of models; `redraw` gets the index of one that was added. */
export function modelPart(request, models, redraw) {
  const groups = KINDS.map(([kind, words]) => [
    words,
    Object.values(models)
      .filter((model) => model.kind === kind)
      .map(({ name, title }) => [name, `${name}: ${title}`]),
  ]);
  const change = (names, added) => {
    request.models = names;
    prune(request, models);
    redraw(added);
  };
  const rows = request.models.map((name, i) =>
    h(
      "div",
      { class: "model" },
      select(groups, name, (chosen) => change(request.models.with(i, chosen)), {
        "aria-label": i ? `Model ${i + 1}` : "Model",
        "aria-describedby": "wrong-models",
      }),
      i > 0 && quiet("Remove", () => change(request.models.toSpliced(i, 1))),
      h("p", { class: "hint" }, models[name]?.reference),
    ),
  );
  const another = Object.keys(models).find((name) => !request.models.includes(name));
  const add = () => change([...request.models, another], request.models.length);
  return part("Model", {}, rows, another && quiet("Add a model to compare", add), wrong("models"));
}

const quiet = (text, onclick) => h("button", { type: "button", class: "quiet", onclick }, text);

/** Take out of the request what no chosen model knows. */
function prune(request, models) {
  const chosen = request.models.map((name) => models[name]);
  const known = new Set(chosen.flatMap(({ parameters }) => parameters.map(({ name }) => name)));
  for (const place of [request.axes, request.fixed]) {
    for (const name of Object.keys(place)) if (!known.has(name)) delete place[name];
  }
  for (const name of Object.keys(request.options ?? {})) {
    if (!request.models.includes(name)) delete request.options[name];
  }
  if (isSampled(chosen)) return;
  delete request.sampling;
  delete request.seed;
}

/** Return the options of the models, or nothing if they have none. */
export function optionPart(request, chosen, changed) {
  const found = chosen.flatMap((model) => model.options.map((option) => [model.name, option]));
  const several = new Set(found.map(([model]) => model)).size > 1;
  const rows = found.map(([model, option]) => {
    const id = `option-${model}-${option.name}`;
    const label = several ? `${model}: ${option.name}` : option.name;
    return checked(
      id,
      label,
      optionSelect(request, model, option, () => changed(id)),
      option.description,
    );
  });
  return rows.length > 0 && part("Options", {}, rows);
}

function optionSelect(request, model, { name, choices }, changed) {
  const given = request.options?.[model]?.[name];
  const own = given !== undefined && !choices.includes(given);
  const options = choices.map((choice, i) => [
    String(i),
    i ? String(choice) : `${choice} (default)`,
  ]);
  if (own) options.push(["own", "as in the text"]);
  const value = own ? "own" : String(Math.max(choices.indexOf(given), 0));
  return select(options, value, (i) => {
    request.options = { ...request.options, [model]: { ...request.options?.[model] } };
    put(request.options[model], name, i === "0" ? undefined : choices[i]);
    changed();
  });
}

/** Return how Monte Carlo cells are sampled, or nothing if no model samples. */
export function samplingPart(request, chosen, changed) {
  if (!isSampled(chosen)) return false;
  const rows = SAMPLING.map(([name, label, hint]) => {
    const input = typed(request.sampling?.[name], (text) => {
      request.sampling = { ...request.sampling };
      put(request.sampling, name, parsed(text));
      if (!Object.keys(request.sampling).length) delete request.sampling;
      changed(name);
    });
    return checked(name, label, input, hint);
  });
  const seed = typed(request.seed, (text) => {
    put(request, "seed", parsed(text));
    changed("seed");
  });
  const hint = "the same seed gives the same numbers";
  return part("Sampling", { class: "columns" }, rows, checked("seed", "Seed", seed, hint));
}

/** Return what people call the sweep, and how urgent it is. */
export function namePart(request, changed) {
  const set = (name, value) => {
    put(request, name, value);
    changed(name);
  };
  const tags = typed(request.tags?.join(", "), (text) => {
    const given = text
      .split(",")
      .map((tag) => tag.trim())
      .filter(Boolean);
    set("tags", given.length ? given : undefined);
  });
  const priorities = select(
    PRIORITIES.map((name) => [name, name]),
    request.priority ?? "normal",
    (name) => set("priority", name === "normal" ? undefined : name),
  );
  return part(
    "Name",
    { class: "columns" },
    checked(
      "name",
      "Name",
      typed(request.name, (text) => set("name", text)),
    ),
    checked("tags", "Tags", tags, "separated by commas"),
    checked("priority", "Priority", priorities),
  );
}

/** Return the select of the papers' cases. */
export function exampleField(examples, load) {
  const requests = [];
  const choice = (text, request) => [String(requests.push(request) - 1), text];
  const groups = examples.map(({ title, source, requests: own }) => {
    const several = Object.keys(own).length > 1;
    const named = (label) => (several ? `${title} (${label})` : title);
    const choices = Object.entries(own).map(([label, request]) => choice(named(label), request));
    return [`${source}: ${title}`, choices];
  });
  return field(
    "Load an example",
    select([["", "a case of the papers…"], ...groups], "", (i) => i && load(requests[i])),
    { hint: "It fills the form; nothing runs before you submit." },
  );
}
