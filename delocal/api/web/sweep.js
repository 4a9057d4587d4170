/** One sweep: its progress, its cells, what failed, what to do with it, and how to get its data. */

import {
  address,
  download,
  follow,
  get,
  isActive,
  key,
  pause,
  post,
  query,
  send,
  serverNow,
} from "./api.js";
import { CellMap } from "./cell-map.js";
import { announce, copyButton, count, duration, field, h, moment, select } from "./dom.js";
import { extendForm } from "./extend.js";
import { Figures } from "./sweep-figures.js";
import { badge, Eta, progressBar, progressText, STATUSES } from "./progress.js";

const REFRESH_MS = 1000;
const FORMATS = [
  ["netcdf", "NetCDF", "nc"],
  ["csv", "CSV", "csv"],
  ["arrow", "Arrow", "arrow"],
  ["json", "JSON", "json"],
];

export async function show(main, { id, signal }) {
  main.append(
    h("div", { class: "title" }, h("h1", {}, `Sweep ${id}`)),
    h("p", { class: "loading", role: "status" }, "Loading the sweep…"),
  );
  const sweep = await get(`v1/sweeps/${id}`, { signal });
  main.querySelector(".loading").remove();
  await new View(main, sweep, signal).watch();
}

class View {
  #eta = new Eta();
  #map = null;
  #failed = -1;

  constructor(main, sweep, signal) {
    Object.assign(this, { id: sweep.id, signal });
    this.state = h("span", {});
    this.facts = h("dl", { class: "facts" });
    this.bar = progressBar();
    this.text = h("p", { class: "progress-text" });
    this.legend = h("ul", { class: "legend", "aria-label": "Cells by status" });
    this.actions = h("div", { class: "actions" });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.map = h("div", {});
    this.failures = h("section", { "aria-labelledby": "failures-title", hidden: true });
    this.figures = new Figures(this.id, signal);
    const { request, name } = sweep;
    const heading = main.querySelector("h1");
    heading.textContent = name || `Sweep ${sweep.id}`;
    document.title = `${heading.textContent} · delocal`;
    heading.after(this.state);
    main.append(
      this.facts,
      section(
        "progress",
        "Progress",
        this.bar.element,
        this.text,
        this.legend,
        this.actions,
        this.wrong,
      ),
      this.failures,
      section("cells", "Cells", this.map),
      this.figures.element,
      section("data", "Data", ...dataParts(sweep)),
      h(
        "details",
        {},
        h("summary", {}, "The request"),
        copyButton(() => JSON.stringify(request, null, 1)),
        h("pre", { tabindex: 0 }, JSON.stringify(request, null, 1)),
      ),
    );
    this.#pickModel(request.models, sweep);
    this.#show(sweep);
  }

  /** Show what happens until nothing more will. */
  async watch() {
    await this.#updateCells();
    for (;;) {
      if (this.sweep.state !== "deleted") await this.figures.update();
      if (isActive(this.sweep.state)) {
        await this.#followToTheEnd();
        continue;
      }
      await new Promise((resolve) => {
        this.again = resolve;
      });
    }
  }

  async #followToTheEnd() {
    let dirty = false;
    let ended = false;
    const followed = follow(this.id, {
      signal: this.signal,
      onEvent: () => {
        dirty = true;
      },
    }).then(() => {
      ended = true;
    });
    while (!ended) {
      await Promise.race([followed, pause(REFRESH_MS, this.signal)]);
      if (!dirty && !ended) continue;
      dirty = false;
      await this.#refresh();
    }
    announce(`The sweep is ${this.sweep.state}.`);
  }

  async #refresh() {
    this.#show(await get(`v1/sweeps/${this.id}`, { signal: this.signal }));
    await this.#updateCells();
  }

  async #updateCells() {
    if (this.sweep.state === "deleted") {
      this.map.replaceChildren(
        h("p", { class: "empty" }, "The sweep is in the trash. Restore it to see its data."),
      );
      return;
    }
    await Promise.all([this.#map.update(), this.#readFailures()]);
  }

  #show(sweep) {
    this.sweep = sweep;
    this.state.replaceChildren(badge(sweep.state));
    this.bar.update(sweep);
    this.text.textContent = sweep.paused
      ? `Paused: ${sweep.paused}`
      : progressText(sweep, this.#eta.update(sweep));
    const { cells } = sweep;
    this.legend.replaceChildren(
      ...STATUSES.filter(([name]) => cells[name]).map(([name, words]) =>
        h(
          "li",
          {},
          h("span", { class: `chip status-${name}`, "aria-hidden": "true" }),
          `${count(cells[name])} ${words}`,
        ),
      ),
    );
    const facts = [
      ["Models", sweep.request.models.join(", ")],
      ["Submitted", moment(sweep.created, serverNow())],
      ["By", sweep.submitted_by ? h("code", {}, sweep.submitted_by) : "no key"],
      ["Computed for", sweep.core_seconds ? `${duration(sweep.core_seconds)} on one core` : "–"],
      ["Id", h("code", {}, sweep.id)],
      [
        "Tags",
        sweep.tags.length ? sweep.tags.map((tag) => h("span", { class: "tag" }, tag)) : null,
      ],
    ];
    this.facts.replaceChildren(
      ...facts
        .filter(([, value]) => value !== null)
        .map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
    );
    this.#showActions(sweep);
  }

  #showActions({ state, cells, request }) {
    const shown = `${state} ${cells.failed ?? 0} ${cells.cancelled ?? 0}`;
    if (shown === this.actionsOf) return;
    this.actionsOf = shown;
    const act = (verb, text, className = "") =>
      h(
        "button",
        {
          type: "button",
          class: className,
          onclick: (event) => this.#act(event.target, () => post(`v1/sweeps/${this.id}:${verb}`)),
        },
        text,
      );
    const ended = !isActive(state) && state !== "deleted";
    const unfinished = cells.failed || cells.cancelled || cells.not_computed;
    const again = h("a", { class: "button", href: `#/new?from=${this.id}` }, "Use for a new sweep");
    this.actions.replaceChildren(
      ...[
        isActive(state) && act("cancel", "Cancel", "danger"),
        ended &&
          unfinished &&
          act("retry", cells.failed ? "Retry what failed" : "Compute the rest", "primary"),
        state === "deleted" && act("restore", "Restore", "primary"),
        state !== "deleted" && extendForm(this.id, request, this.signal),
        again,
        ended &&
          h(
            "button",
            {
              type: "button",
              onclick: (event) =>
                this.#act(event.target, async () =>
                  (await send(`v1/sweeps/${this.id}`, { method: "DELETE" })).json(),
                ),
            },
            "Put into the trash",
          ),
      ].filter(Boolean),
    );
  }

  async #act(button, ask) {
    button.disabled = true;
    this.wrong.textContent = "";
    try {
      this.#show(await ask());
      announce(`The sweep is ${this.sweep.state}.`);
      await this.#updateCells();
      this.again?.();
    } catch (error) {
      if (!this.signal.aborted) this.wrong.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  }

  #pickModel(models, sweep) {
    const use = (model) => {
      this.#map = new CellMap(sweep.id, model, this.signal);
      this.map.replaceChildren(
        ...(models.length > 1
          ? [
              field(
                "Model",
                select(
                  models.map((m) => [m, m]),
                  model,
                  (other) => {
                    use(other);
                    this.#map.update();
                  },
                ),
              ),
            ]
          : []),
        this.#map.element,
      );
    };
    use(models[0]);
  }

  async #readFailures() {
    const { failed = 0 } = this.sweep.cells;
    if (failed === this.#failed && this.sweep.state !== "failed") return;
    this.#failed = failed;
    const found = await get(`v1/sweeps/${this.id}/failures`, { signal: this.signal });
    this.failures.hidden = found.length === 0;
    this.failures.replaceChildren(
      h("h2", { id: "failures-title" }, "Failures"),
      ...byReason(found).map(([reason, cells]) =>
        h(
          "details",
          { class: "failed" },
          h(
            "summary",
            {},
            h("b", {}, reason),
            ` ${count(cells.length)} ${cells.length === 1 ? "cell" : "cells"}`,
          ),
          h(
            "ul",
            {},
            cells.map(({ model, parameters }) =>
              h(
                "li",
                {},
                `${model}: `,
                h(
                  "code",
                  {},
                  Object.entries(parameters ?? {})
                    .map(([k, v]) => `${k}=${v}`)
                    .join(", "),
                ),
              ),
            ),
          ),
          h("pre", { tabindex: 0 }, cells[0].traceback),
        ),
      ),
      failed > found.length
        ? h("p", { class: "hint" }, `These are ${found.length} of ${count(failed)}.`)
        : "",
    );
  }
}

const section = (id, title, ...children) =>
  h(
    "section",
    { "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    children,
  );

function byReason(failures) {
  const groups = new Map();
  for (const failure of failures)
    groups.set(failure.error, [...(groups.get(failure.error) ?? []), failure]);
  return [...groups];
}

function dataParts({ id, request }) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  let [model] = request.models;
  const python = h("pre", { tabindex: 0 });
  const curl = h("pre", { tabindex: 0 });
  const use = (chosen) => {
    model = chosen;
    python.textContent = pythonSnippet(id, model);
    curl.textContent = curlSnippet(id, model);
  };
  use(model);
  const save = async (format, suffix) => {
    wrong.textContent = "";
    try {
      await download(`v1/sweeps/${id}/data${query({ model, format })}`, `${id}-${model}.${suffix}`);
    } catch (error) {
      wrong.textContent = error.message;
    }
  };
  return [
    request.models.length > 1 &&
      field(
        "Model",
        select(
          request.models.map((m) => [m, m]),
          model,
          use,
        ),
      ),
    h(
      "div",
      { class: "actions", role: "group", "aria-label": "Download" },
      FORMATS.map(([format, text, suffix]) =>
        h("button", { type: "button", onclick: () => save(format, suffix) }, text),
      ),
    ),
    wrong,
    snippet("Python", python),
    snippet("curl", curl),
  ];
}

function snippet(title, code) {
  return h(
    "div",
    { class: "snippet" },
    h("h3", {}, title),
    copyButton(() => code.textContent),
    code,
  );
}

function pythonSnippet(id, model) {
  const url = address(`v1/sweeps/${id}/zarr/${model}`);
  if (!key.get()) return `import xarray as xr\nds = xr.open_zarr("${url}")\nprint(ds)`;
  return `import os, xarray as xr\nheaders = {"Authorization": f"Bearer {os.environ['DELOCAL_KEY']}"}\nds = xr.open_zarr("${url}", storage_options={"headers": headers})`;
}

function curlSnippet(id, model) {
  const show = key.get() ? ' -H "Authorization: Bearer $DELOCAL_KEY"' : "";
  return `curl${show} "${address(`v1/sweeps/${id}/data`)}?model=${model}&variables=status"`;
}
