/** One sweep: its progress, its cells, what failed, and what can be done with it. */

import { follow, get, isActive, pause, post, send, serverNow } from "./api.js";
import { CellMap } from "./cell-map.js";
import { announce, copyButton, count, duration, field, h, moment, select } from "./dom.js";
import { extendForm } from "./extend.js";
import { failureParts } from "./failures.js";
import { badge, Eta, progressBar, progressText, STATUSES } from "./progress.js";
import { dataParts } from "./sweep-data.js";
import { Figures } from "./sweep-figures.js";

const REFRESH_MS = 1000;

export async function show(main, { id, signal }) {
  const loading = h("p", { class: "loading", role: "status" }, "Loading the sweep…");
  main.append(h("div", { class: "title" }, h("h1", {}, `Sweep ${id}`)), loading);
  const sweep = await get(`v1/sweeps/${id}`, { signal });
  loading.remove();
  await new View(main, sweep, signal).watch();
}

class View {
  #eta = new Eta();
  #failed = 0;
  #again = () => {};

  constructor(main, sweep, signal) {
    Object.assign(this, { id: sweep.id, signal });
    this.progress = new Progress();
    this.facts = h("dl", { class: "facts" });
    this.actions = h("div", { class: "actions" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.failures = section("failures", "Failures");
    this.failures.hidden = true;
    this.cells = section("cells", "Cells");
    this.inTrash = h("p", { class: "empty" }, "The sweep is in the trash: its data are hidden.");
    this.figures = new Figures(this.id, signal);
    this.data = section("data", "Data", dataParts(sweep));
    name(main.querySelector("h1"), sweep, this.progress.state);
    const { element } = this.progress;
    const progress = section("progress", "Progress", element, this.actions, this.wrong);
    main.append(this.facts, progress, this.inTrash, this.failures, this.cells);
    main.append(this.figures.element, this.data, requestPart(sweep.request));
    this.#chooseModel(sweep.request.models);
    this.#show(sweep);
  }

  /** Show what happens, until the page is left. */
  async watch() {
    await this.#updateCells();
    for (;;) {
      if (this.sweep.state !== "deleted") this.figures.update();
      if (isActive(this.sweep.state)) await this.#followToTheEnd();
      else await new Promise((resolve) => (this.#again = resolve));
    }
  }

  async #followToTheEnd() {
    let news = false;
    let ended = false;
    const onEvent = () => (news = true);
    const followed = follow(this.id, { signal: this.signal, onEvent }).then(() => (ended = true));
    while (!ended) {
      await Promise.race([followed, pause(REFRESH_MS, this.signal)]);
      if (news || ended) await this.#refresh();
      news = false;
    }
    announce(`The sweep is ${this.sweep.state}.`);
  }

  async #refresh() {
    this.#show(await get(`v1/sweeps/${this.id}`, { signal: this.signal }));
    await this.#updateCells();
  }

  async #updateCells() {
    const hidden = this.sweep.state === "deleted";
    this.inTrash.hidden = !hidden;
    for (const part of [this.cells, this.figures.element, this.data]) part.inert = hidden;
    if (!hidden) await Promise.all([this.map.update(), this.#readFailures()]);
  }

  async #readFailures() {
    const { failed = 0 } = this.sweep.cells;
    if (failed === this.#failed) return;
    this.#failed = failed;
    const found = await get(`v1/sweeps/${this.id}/failures`, { signal: this.signal });
    this.failures.hidden = found.length === 0;
    this.failures.replaceChildren(this.failures.firstChild, ...failureParts(found, failed));
  }

  #show(sweep) {
    this.sweep = sweep;
    this.progress.update(sweep, this.#eta.update(sweep));
    this.facts.replaceChildren(
      ...facts(sweep).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    );
    this.#showActions(sweep);
  }

  #showActions({ state, cells, request }) {
    const [active, deleted] = [isActive(state), state === "deleted"];
    const unfinished = cells.failed || cells.cancelled || cells.not_computed;
    const possible = {
      cancel: active,
      retry: !active && !deleted && unfinished,
      restore: deleted,
      extend: !deleted,
      delete: !active && !deleted,
    };
    const now = JSON.stringify([possible, cells.failed > 0]);
    if (now === this.actions.dataset.now) return; // what has the focus stays
    this.actions.dataset.now = now;
    const act = (verb, text, look) => possible[verb] && this.#button(verb, text, look);
    const parts = [
      act("cancel", "Cancel", "danger"),
      act("retry", cells.failed ? "Retry what failed" : "Compute the rest", "primary"),
      act("restore", "Restore", "primary"),
      possible.extend && extendForm(this.id, request, this.signal),
      h("a", { class: "button", href: `#/new?from=${this.id}` }, "Use for a new sweep"),
      act("delete", "Put into the trash"),
    ];
    this.actions.replaceChildren(...parts.filter(Boolean));
  }

  #button(verb, text, look) {
    const path = `v1/sweeps/${this.id}`;
    const ask =
      verb === "delete"
        ? async () => (await send(path, { method: "DELETE" })).json()
        : () => post(`${path}:${verb}`);
    return h("button", { type: "button", class: look, onclick: () => this.#act(ask) }, text);
  }

  async #act(ask) {
    this.wrong.textContent = "";
    try {
      this.#show(await ask());
      announce(`The sweep is ${this.sweep.state}.`);
      this.actions.querySelector("button, a")?.focus();
      await this.#updateCells();
      this.#again();
    } catch (error) {
      if (!this.signal.aborted) this.wrong.textContent = error.message;
    }
  }

  #chooseModel(models) {
    const use = (model) => {
      const before = this.map?.element;
      this.map = new CellMap(this.id, model, this.signal);
      if (before) before.replaceWith(this.map.element);
      else this.cells.append(this.map.element);
    };
    if (models.length > 1) {
      const options = models.map((model) => [model, model]);
      const change = (model) => {
        use(model);
        this.map.update();
      };
      this.cells.append(field("Model", select(options, models[0], change)));
    }
    use(models[0]);
  }
}

/** The bar with what it says, in words and as a legend. */
class Progress {
  #bar = progressBar();

  constructor() {
    this.state = h("span", {});
    this.text = h("p", { class: "progress-text" });
    this.legend = h("ul", { class: "legend", "aria-label": "Cells by status" });
    this.element = h("div", {}, this.#bar.element, this.text, this.legend);
  }

  update(sweep, eta) {
    const { state, paused, cells } = sweep;
    this.state.replaceChildren(badge(state));
    this.#bar.update(sweep);
    this.text.textContent = paused ? `Paused: ${paused}` : progressText(sweep, eta);
    const chip = (status) => h("span", { class: `chip status-${status}`, "aria-hidden": "true" });
    const entries = STATUSES.filter(([status]) => cells[status]).map(([status, words]) =>
      h("li", {}, chip(status), `${count(cells[status])} ${words}`),
    );
    this.legend.replaceChildren(...entries);
  }
}

const section = (id, title, ...children) =>
  h(
    "section",
    { "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    children,
  );

/** Name the view after the sweep. */
function name(heading, sweep, state) {
  heading.textContent = sweep.name || `Sweep ${sweep.id}`;
  document.title = `${heading.textContent} · delocal`;
  heading.after(state);
}

function facts({ id, request, created, submitted_by: by, core_seconds: seconds, tags }) {
  const found = [
    ["Models", request.models.join(", ")],
    ["Submitted", moment(created, serverNow())],
    ["By", by ? h("code", {}, by) : "no key"],
    ["Computed for", seconds ? `${duration(seconds)} on one core` : "–"],
    ["Id", h("code", {}, id)],
  ];
  const labels = tags.map((tag) => h("span", { class: "tag" }, tag));
  return labels.length ? [...found, ["Tags", labels]] : found;
}

function requestPart(request) {
  const text = JSON.stringify(request, null, 1);
  const code = h("pre", { tabindex: 0 }, text);
  return h(
    "details",
    {},
    h("summary", {}, "The request"),
    copyButton(() => text),
    code,
  );
}
