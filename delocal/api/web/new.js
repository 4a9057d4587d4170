/** A new sweep: a form made from the schema of the models, checked and priced by the service. */

import { get, pause, post } from "./api.js";
import { parameterRow } from "./axis-field.js";
import { bytes, count, duration, h } from "./dom.js";
import { excludeRows } from "./exclude.js";
import { exampleField, modelPart, namePart, optionPart, part, samplingPart } from "./form-parts.js";
import { Mistakes, wrong } from "./mistakes.js";

const SETTLE_MS = 350;
const BLANK = { models: ["scaling"] };

export async function show(main, { query, signal }) {
  const loading = h("p", { class: "loading", role: "status" }, "Loading the models…");
  main.append(h("h1", {}, "New sweep"), loading);
  const from = query.get("from");
  const [models, examples, copied] = await Promise.all([
    get("v1/models", { signal }),
    get("v1/examples", { signal }),
    from && get(`v1/sweeps/${from}`, { signal }),
  ]);
  loading.remove();
  const known = Object.fromEntries(models.map((model) => [model.name, model]));
  new Form(main, known, examples, signal).load(copied ? copied.request : BLANK);
}

/** The form of one request. */
class Form {
  #touched = new Set();
  #all = false; // whether every mistake is shown, or only where something was entered
  #latest = 0;

  constructor(main, models, examples, signal) {
    Object.assign(this, { models, signal });
    this.parts = h("div", {});
    this.mistakes = new Mistakes(this.parts, (id) => this.#all || this.#touched.has(id));
    this.cost = h("div", { class: "cost", role: "status", "aria-label": "What it would cost" });
    this.summary = h("div", { class: "failure", role: "alert", tabindex: -1, hidden: true });
    this.submit = h("button", { class: "primary" }, "Submit the sweep");
    const fields = h(
      "div",
      {},
      exampleField(examples, (request) => this.load(request)),
    );
    fields.append(this.summary, this.parts, this.#asText());
    const onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
    const price = h("aside", { "aria-label": "Cost" }, h("h2", {}, "Cost"), this.cost, this.submit);
    main.append(h("form", { class: "new", novalidate: true, onsubmit }, fields, price));
  }

  #asText() {
    const attributes = { id: "request-text", rows: 14, spellcheck: "false" };
    this.text = h("textarea", { ...attributes, onchange: () => this.#read() });
    this.textWrong = h("p", { class: "wrong", role: "alert" });
    const label = "What is sent, as JSON; the form follows what you write here.";
    return h(
      "details",
      {},
      h("summary", {}, "The request as text"),
      h("label", { for: "request-text", class: "hint" }, label),
      this.text,
      this.textWrong,
    );
  }

  /** Show a request. */
  load(request) {
    this.request = { fixed: {}, ...structuredClone(request), axes: plain(request.axes ?? {}) };
    this.#touched.clear();
    this.#all = false;
    this.summary.hidden = true;
    this.#draw();
    const { axes, fixed, cases } = this.request;
    if (Object.keys({ ...axes, ...fixed }).length || cases) this.#changed();
    else this.#tell("Give the parameters: what the sweep would cost appears here.");
  }

  #draw() {
    const { request } = this;
    const chosen = request.models.map((name) => this.models[name]).filter(Boolean);
    const changed = (id) => this.#changed(id);
    const parameters = byName(chosen.flatMap((model) => model.parameters));
    const redraw = (added) => {
      this.#draw();
      this.#changed("models");
      if (added) this.parts.querySelectorAll(".model select")[added].focus();
    };
    const parts = [
      modelPart(request, this.models, redraw),
      part(
        "Parameters",
        {},
        besides(request),
        parameters.map((parameter) => parameterRow(parameter, request, changed)),
      ),
      optionPart(request, chosen, changed),
      samplingPart(request, chosen, changed),
      part(
        "Cells to leave out",
        {},
        excludeRows(
          request,
          parameters.map((p) => p.name),
          changed,
        ),
      ),
      namePart(request, changed),
    ];
    this.parts.replaceChildren(...parts.filter(Boolean));
  }

  /** Take up what was written as text. */
  #read() {
    try {
      const request = JSON.parse(this.text.value);
      if (!Array.isArray(request?.models)) throw new Error("give an object with a list `models`");
      this.load(request);
    } catch (error) {
      this.textWrong.textContent = error.message;
    }
  }

  /** Ask what the request would cost now, once nothing has changed for a moment. */
  async #changed(id) {
    if (id) this.#touched.add(id);
    this.text.value = JSON.stringify(this.request, null, 1);
    this.textWrong.textContent = "";
    const mine = (this.#latest += 1);
    const isOld = () => this.signal.aborted || mine !== this.#latest;
    this.cost.setAttribute("aria-busy", "true");
    try {
      await pause(SETTLE_MS, this.signal);
      if (isOld()) return;
      const found = await post("v1/sweeps?dry_run=true", this.request, { signal: this.signal });
      if (!isOld()) this.#price(found);
    } catch (error) {
      if (!isOld()) this.#cannotPrice(error);
    } finally {
      if (!isOld()) this.cost.removeAttribute("aria-busy");
    }
  }

  #price(found) {
    this.mistakes.mark([]);
    const entries = [
      ["Cells", count(found.cells)],
      ["Time on one core", duration(found.core_seconds)],
      ["Data", bytes(found.bytes)],
      ["Blocks", count(found.blocks)],
      ...(found.known ? [["Known already", count(found.known)]] : []),
    ];
    const rows = entries.map(([term, value]) =>
      h("div", {}, h("dt", {}, term), h("dd", {}, value)),
    );
    this.cost.replaceChildren(h("dl", {}, rows), found.exists ? known(found.id) : "");
  }

  #cannotPrice({ status, errors, message }) {
    if (status !== 422) {
      this.#tell(message, "wrong");
      return;
    }
    const rest = this.mistakes.mark(errors);
    const things = errors.length === 1 ? "One thing is" : `${errors.length} things are`;
    this.#tell(`${things} missing or wrong: the cost is not known yet.`);
    this.cost.append(...rest.map((error) => h("p", { class: "wrong" }, error.message)));
  }

  #tell(text, look = "hint") {
    this.cost.replaceChildren(h("p", { class: look }, text));
  }

  async #submit() {
    this.#all = true;
    this.submit.disabled = true;
    try {
      const { id } = await post("v1/sweeps", this.request, { signal: this.signal });
      location.hash = `#/sweeps/${id}`;
    } catch (error) {
      if (!this.signal.aborted) this.#refused(error);
    } finally {
      this.submit.disabled = false;
    }
  }

  #refused({ title, message, errors = [] }) {
    this.mistakes.mark(errors);
    const what = errors.length ? this.mistakes.list(errors) : h("p", {}, message);
    this.summary.replaceChildren(h("h2", {}, title), what);
    this.summary.hidden = false;
    this.summary.focus();
  }
}

/** Return axes with lists as such, as people write them. */
function plain(axes) {
  const isList = (axis) => axis.list && Object.keys(axis).length === 1;
  const entries = Object.entries(axes).map(([name, axis]) => [
    name,
    isList(axis) ? axis.list : axis,
  ]);
  return structuredClone(Object.fromEntries(entries));
}

/** Return parameters without those of the same name; the first model's count. */
function byName(parameters) {
  const names = [...new Set(parameters.map(({ name }) => name))];
  return names.map((name) => parameters.find((parameter) => parameter.name === name));
}

/** Return what the request has and the form has not. */
function besides({ cases, refine }) {
  const parts = [
    cases?.length && `${cases.length} explicit cases`,
    refine && `a search along ${refine.along}`,
  ].filter(Boolean);
  const text = `The request also has ${parts.join(" and ")}, which its text below can change.`;
  return parts.length > 0 && h("div", {}, h("p", { class: "note" }, text), wrong("cases"));
}

function known(id) {
  const link = h("a", { href: `#/sweeps/${id}` }, "look at it");
  return h("p", { class: "note" }, "It is there already: ", link, ". Submitting finds it again.");
}
