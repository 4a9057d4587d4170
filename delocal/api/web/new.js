/** A new sweep: a form made from the schema of the models, checked and priced by the service. */

import { get, pause, post } from "./api.js";
import { parameterRow, parsed } from "./axis-field.js";
import { bytes, count, duration, field, h, select } from "./dom.js";
import { excludeRows } from "./exclude.js";

const SETTLE_MS = 350;
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

export async function show(main, { query, signal }) {
  const heading = h("h1", {}, "New sweep");
  const loading = h("p", { class: "loading", role: "status" }, "Loading the models…");
  main.append(heading, loading);
  const from = query.get("from");
  const [models, examples, copied] = await Promise.all([
    get("v1/models", { signal }),
    get("v1/examples", { signal }),
    from && get(`v1/sweeps/${from}`, { signal }),
  ]);
  loading.remove();
  const start = copied ? copied.request : { models: ["scaling"], fixed: {}, axes: {} };
  new Form(
    main,
    Object.fromEntries(models.map((model) => [model.name, model])),
    examples,
    signal,
  ).load(start);
}

/** The form of one request. */
class Form {
  #touched = new Set();
  #all = false; // whether every mistake is shown, or only where something was entered
  #latest = 0;

  constructor(main, models, examples, signal) {
    Object.assign(this, { models, signal });
    this.parts = h("div", { class: "form" });
    this.cost = h("div", { class: "cost", role: "status", "aria-label": "What it would cost" });
    this.summary = h("div", { class: "failure", role: "alert", tabindex: -1, hidden: true });
    this.text = h("textarea", {
      id: "request-text",
      rows: 14,
      spellcheck: "false",
      onchange: () => this.#read(),
    });
    this.textWrong = h("p", { class: "wrong", id: "wrong-text" });
    this.submit = h("button", { class: "primary" }, "Submit the sweep");
    main.append(
      h(
        "form",
        {
          class: "new",
          novalidate: true,
          onsubmit: (event) => {
            event.preventDefault();
            this.#submit();
          },
        },
        h(
          "div",
          {},
          exampleField(examples, (request) => this.load(request)),
          this.summary,
          this.parts,
          h(
            "details",
            {},
            h("summary", {}, "The request as text"),
            h(
              "label",
              { for: "request-text", class: "hint" },
              "What is sent, as JSON; the form follows what you write here.",
            ),
            this.text,
            this.textWrong,
          ),
        ),
        h("aside", { "aria-label": "Cost" }, h("h2", {}, "Cost"), this.cost, this.submit),
      ),
    );
  }

  /** Show a request. */
  load(request) {
    this.request = { axes: {}, fixed: {}, ...structuredClone(request) };
    this.#touched.clear();
    this.#all = false;
    this.summary.hidden = true;
    this.#draw();
    const { axes, fixed, cases } = this.request;
    if (Object.keys({ ...axes, ...fixed }).length || cases) this.#changed();
    else
      this.cost.replaceChildren(
        h("p", { class: "hint" }, "Give the parameters: what the sweep would cost appears here."),
      );
  }

  get #chosen() {
    return this.request.models.map((name) => this.models[name]).filter(Boolean);
  }

  #draw() {
    const { request } = this;
    const changed = (name) => this.#changed(name);
    const parameters = new Map(
      this.#chosen
        .flatMap((model) => model.parameters)
        .reverse()
        .map((p) => [p.name, p]),
    );
    const inOrder = [
      ...new Set(this.#chosen.flatMap((model) => model.parameters.map((p) => p.name))),
    ].map((name) => parameters.get(name));
    const rows = inOrder.map((parameter) => parameterRow(parameter, request, changed));
    this.parts.replaceChildren(
      h(
        "fieldset",
        { "data-field": "models" },
        h("legend", {}, "Model"),
        this.#modelRows(),
        wrong("models"),
      ),
      h("fieldset", {}, h("legend", {}, "Parameters"), this.#cases(), rows),
      this.#options(),
      this.#sampling(),
      h(
        "fieldset",
        {},
        h("legend", {}, "Cells to leave out"),
        excludeRows(request, [...parameters.keys()], changed),
      ),
      this.#naming(),
    );
  }

  #modelRows() {
    const { request } = this;
    const groups = KINDS.map(([kind, words]) => [
      words,
      Object.values(this.models)
        .filter((m) => m.kind === kind)
        .map((m) => [m.name, `${m.name}: ${m.title}`]),
    ]);
    const redraw = () => {
      this.#draw();
      this.#changed("models");
    };
    const rows = request.models.map((name, i) =>
      h(
        "div",
        { class: "model" },
        select(
          groups,
          name,
          (chosen) => {
            request.models[i] = chosen;
            this.#prune();
            redraw();
          },
          { "aria-label": i ? `Model ${i + 1}` : "Model", "aria-describedby": "wrong-models" },
        ),
        i > 0 &&
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              onclick: () => {
                request.models.splice(i, 1);
                this.#prune();
                redraw();
              },
            },
            "Remove",
          ),
        h("p", { class: "hint" }, this.models[name]?.reference),
      ),
    );
    const add = h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          request.models.push(
            Object.keys(this.models).find((name) => !request.models.includes(name)),
          );
          redraw();
          this.parts.querySelectorAll(".model select")[request.models.length - 1].focus();
        },
      },
      "Add a model to compare",
    );
    return [...rows, request.models.length < Object.keys(this.models).length && add];
  }

  /** Take what no chosen model knows out of the request. */
  #prune() {
    const { request } = this;
    const known = new Set(this.#chosen.flatMap((model) => model.parameters.map((p) => p.name)));
    for (const place of [request.axes, request.fixed]) {
      for (const name of Object.keys(place)) if (!known.has(name)) delete place[name];
    }
    for (const name of Object.keys(request.options ?? {}))
      if (!request.models.includes(name)) delete request.options[name];
    if (!this.#sampled) {
      delete request.sampling;
      delete request.seed;
    }
  }

  get #sampled() {
    return this.#chosen.some((model) => model.kind === "monte-carlo");
  }

  #cases() {
    const { cases, refine } = this.request;
    const parts = [
      cases?.length && `${cases.length} explicit cases`,
      refine && `a search along ${refine.along}`,
    ].filter(Boolean);
    return (
      parts.length > 0 &&
      h(
        "p",
        { class: "note", "data-field": "cases" },
        `The request also has ${parts.join(" and ")}, which you can change in its text below.`,
        wrong("cases"),
      )
    );
  }

  #options() {
    const { request } = this;
    const found = this.#chosen.flatMap((model) =>
      model.options.map((option) => [model.name, option]),
    );
    if (!found.length) return "";
    const put = (model, name, value) => {
      request.options ??= {};
      request.options[model] = { ...request.options[model], [name]: value };
      if (value === undefined) delete request.options[model][name];
      this.#changed(`${model}.${name}`);
    };
    return h(
      "fieldset",
      {},
      h("legend", {}, "Options"),
      found.map(([model, { name, choices, description }]) => {
        const given = request.options?.[model]?.[name];
        const own = given !== undefined && !choices.includes(given);
        const options = [
          ...choices.map((choice, i) => [String(i), i ? String(choice) : `${choice} (default)`]),
          ...(own ? [["own", "as in the text"]] : []),
        ];
        const value = own ? "own" : String(Math.max(choices.indexOf(given), 0));
        const id = `${model}.${name}`;
        return h(
          "div",
          { "data-field": id },
          field(
            found.some(([other]) => other !== model) ? `${model}: ${name}` : name,
            select(options, value, (i) => put(model, name, i === "0" ? undefined : choices[i]), {
              "aria-describedby": `wrong-${id}`,
            }),
            { hint: description },
          ),
          wrong(id),
        );
      }),
    );
  }

  #sampling() {
    if (!this.#sampled) return "";
    const { request } = this;
    const row = ([name, label, hint], get, put) =>
      h(
        "div",
        { "data-field": name },
        field(
          label,
          h("input", {
            type: "text",
            inputmode: "decimal",
            value: get() ?? "",
            oninput: (event) => {
              put(parsed(event.target.value));
              this.#changed(name);
            },
          }),
          { hint },
        ),
        wrong(name),
      );
    return h(
      "fieldset",
      { class: "columns" },
      h("legend", {}, "Sampling"),
      SAMPLING.map((entry) =>
        row(
          entry,
          () => request.sampling?.[entry[0]],
          (value) => {
            request.sampling = { ...request.sampling, [entry[0]]: value };
            if (value === "") delete request.sampling[entry[0]];
            if (!Object.keys(request.sampling).length) delete request.sampling;
          },
        ),
      ),
      row(
        ["seed", "Seed", "the same seed gives the same numbers"],
        () => request.seed,
        (value) => {
          request.seed = value;
          if (value === "") delete request.seed;
        },
      ),
    );
  }

  #naming() {
    const { request } = this;
    const put = (name, value, empty) => {
      if (empty) delete request[name];
      else request[name] = value;
      this.#changed(name);
    };
    return h(
      "fieldset",
      { class: "columns" },
      h("legend", {}, "Name"),
      h(
        "div",
        { "data-field": "name" },
        field(
          "Name",
          h("input", {
            type: "text",
            value: request.name ?? "",
            oninput: ({ target }) => put("name", target.value, !target.value),
          }),
        ),
        wrong("name"),
      ),
      h(
        "div",
        { "data-field": "tags" },
        field(
          "Tags",
          h("input", {
            type: "text",
            value: (request.tags ?? []).join(", "),
            oninput: ({ target }) => {
              const tags = target.value
                .split(",")
                .map((tag) => tag.trim())
                .filter(Boolean);
              put("tags", tags, !tags.length);
            },
          }),
          { hint: "separated by commas" },
        ),
        wrong("tags"),
      ),
      field(
        "Priority",
        select(
          PRIORITIES.map((p) => [p, p]),
          request.priority ?? "normal",
          (value) => put("priority", value, value === "normal"),
        ),
      ),
    );
  }

  /** Take up what was written as text. */
  #read() {
    try {
      const request = JSON.parse(this.text.value);
      if (!Array.isArray(request?.models))
        throw new Error("a request is an object with `models`, a list of names");
      this.textWrong.textContent = "";
      this.load(request);
    } catch (error) {
      this.textWrong.textContent = error.message;
    }
  }

  async #changed(name) {
    if (name) this.#touched.add(name);
    this.text.value = JSON.stringify(this.request, null, 1);
    this.textWrong.textContent = "";
    const mine = (this.#latest += 1);
    this.cost.setAttribute("aria-busy", "true");
    try {
      await pause(SETTLE_MS, this.signal);
      if (mine !== this.#latest) return;
      const found = await post("v1/sweeps?dry_run=true", this.request, { signal: this.signal });
      if (mine === this.#latest) this.#price(found, []);
    } catch (error) {
      if (this.signal.aborted || mine !== this.#latest) return;
      if (error.status === 422) this.#price(null, error.errors);
      else this.cost.replaceChildren(h("p", { class: "wrong" }, error.message));
    } finally {
      if (mine === this.#latest) this.cost.removeAttribute("aria-busy");
    }
  }

  #price(found, errors) {
    this.#mark(errors);
    if (!found) {
      const things = errors.length === 1 ? "One thing is" : `${errors.length} things are`;
      this.cost.replaceChildren(
        h("p", { class: "hint" }, `${things} missing or wrong: the cost is not known yet.`),
      );
      return;
    }
    const entries = [
      ["Cells", count(found.cells)],
      ["Time on one core", duration(found.core_seconds)],
      ["Data", bytes(found.bytes)],
      ["Blocks", count(found.blocks)],
      ["Known already", found.known ? count(found.known) : null],
    ];
    this.cost.replaceChildren(
      h(
        "dl",
        {},
        entries
          .filter(([, value]) => value !== null)
          .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
      ),
      found.exists
        ? h(
            "p",
            { class: "note" },
            "It was computed before: ",
            h("a", { href: `#/sweeps/${found.id}` }, "look at it"),
            ". Submitting finds it again.",
          )
        : "",
    );
  }

  /** Put each mistake beside its field; what has no field there is returned. */
  #mark(errors) {
    for (const place of this.parts.querySelectorAll(".wrong")) {
      place.textContent = "";
      place.parentElement.classList.remove("has-wrong");
      for (const input of place.parentElement.querySelectorAll("[aria-invalid]"))
        input.removeAttribute("aria-invalid");
    }
    return errors.filter(({ field: path, message }) => {
      const name = this.#fieldOf(path);
      const place = name !== null && this.parts.querySelector(`#${CSS.escape(`wrong-${name}`)}`);
      if (!place) return true;
      if (!this.#all && !this.#touched.has(name)) return false;
      place.append(h("span", {}, message));
      place.parentElement.classList.add("has-wrong");
      for (const input of place.parentElement.querySelectorAll("input, select"))
        input.setAttribute("aria-invalid", "true");
      return false;
    });
  }

  /** Return the field in this form that `axes.T.linspace.0` and the like are about, or null. */
  #fieldOf(path) {
    const [place, name, third] = path.split(".");
    if (place === "axes" || place === "fixed" || place === "sampling") return name ?? null;
    if (place === "options") return `${name}.${third}`;
    if (place === "exclude") return `exclude-${name}`;
    return place || null;
  }

  async #submit() {
    this.#all = true;
    this.submit.disabled = true;
    try {
      const { id } = await post("v1/sweeps", this.request, { signal: this.signal });
      location.hash = `#/sweeps/${id}`;
    } catch (error) {
      if (this.signal.aborted) return;
      this.#refused(error);
    } finally {
      this.submit.disabled = false;
    }
  }

  #refused(error) {
    const errors = error.errors ?? [];
    const rest = this.#mark(errors);
    const links = errors
      .filter((e) => !rest.includes(e))
      .map(({ field: path, message }) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "link", onclick: () => this.#focus(this.#fieldOf(path)) },
            path,
          ),
          `: ${message}`,
        ),
      );
    this.summary.replaceChildren(
      h("h2", {}, error.title),
      links.length || rest.length
        ? h(
            "ul",
            {},
            links,
            rest.map((e) => h("li", {}, e.field ? `${e.field}: ` : "", e.message)),
          )
        : h("p", {}, error.message),
    );
    this.summary.hidden = false;
    this.summary.focus();
  }

  #focus(name) {
    const place = this.parts.querySelector(`#${CSS.escape(`wrong-${name}`)}`).parentElement;
    [...place.querySelectorAll("input, select")].at(-1).focus();
  }
}

const wrong = (name) => h("p", { class: "wrong", id: `wrong-${name}` });

/** Return the select of the papers' cases. */
function exampleField(examples, load) {
  const requests = [];
  const groups = examples.map(({ title, source, requests: own }) => [
    `${source}: ${title}`,
    Object.entries(own).map(([label, request]) => {
      requests.push(request);
      return [
        String(requests.length - 1),
        Object.keys(own).length > 1 ? `${title} (${label})` : title,
      ];
    }),
  ]);
  return field(
    "Load an example",
    select([["", "a case of the papers…"], ...groups], "", (i) => i && load(requests[i])),
    { hint: "It fills the form; nothing runs before you submit." },
  );
}
