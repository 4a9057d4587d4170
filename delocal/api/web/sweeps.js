/** The list of sweeps: filter, state, progress, who and when. */

import { get, isActive, pause, query, serverNow } from "./api.js";
import { announce, field, h, moment, select } from "./dom.js";
import { badge, Eta, progressBar, progressText } from "./progress.js";

const STATES = ["queued", "running", "done", "failed", "cancelled"];
const PAGE = 50;
const SOON_MS = 1500;
const LATER_MS = 10_000;

export async function show(main, { query: asked, signal }) {
  const filter = {
    text: asked.get("text") ?? "",
    state: asked.get("state") ?? "",
    model: asked.get("model") ?? "",
  };
  const list = h("ul", { class: "sweeps", "aria-label": "Sweeps" });
  const under = h("div", {}, loading());
  main.append(
    h(
      "div",
      { class: "title" },
      h("h1", {}, "Sweeps"),
      h("a", { class: "button primary", href: "#/new" }, "New sweep"),
    ),
    filters(filter),
    list,
    under,
  );
  const rows = new Map();
  for (let limit = PAGE; ;) {
    const found = await newest(filter, limit, signal);
    refresh(list, rows, found.sweeps);
    let wake;
    const asked = new Promise((resolve) => {
      wake = resolve;
    });
    under.replaceChildren(
      ...below(found, filter, rows.size, () => {
        limit += PAGE;
        wake();
      }),
    );
    const wait = found.sweeps.some(({ state }) => isActive(state)) ? SOON_MS : LATER_MS;
    await Promise.race([pause(wait, signal), asked]);
    while (document.hidden) await pause(SOON_MS, signal);
  }
}

/** Return the newest `limit` sweeps that pass the filter, and whether there are more. */
function newest({ state, ...filter }, limit, signal) {
  const trash = state === "deleted";
  const asked = { ...filter, state: trash ? "" : state, deleted: trash || "" };
  return get(`v1/sweeps${query({ ...asked, limit })}`, { signal });
}

function filters(filter) {
  const go = (change) => {
    location.hash = `#/sweeps${query({ ...filter, ...change })}`;
  };
  const text = h("input", {
    type: "search",
    value: filter.text,
    placeholder: "words of a name, tag or model",
    onchange: (event) => go({ text: event.target.value.trim() }),
  });
  const options = [
    ["", "all"],
    ...STATES.map((state) => [state, state]),
    ["deleted", "in the trash"],
  ];
  return h(
    "form",
    {
      class: "filters",
      role: "search",
      "aria-label": "Filter sweeps",
      onsubmit: (event) => {
        event.preventDefault();
        go({ text: text.value.trim() });
      },
    },
    field("Search", text),
    field(
      "State",
      select(options, filter.state, (state) => go({ state })),
    ),
  );
}

function loading() {
  return h("p", { class: "loading", role: "status" }, "Loading the sweeps…");
}

function refresh(list, rows, sweeps) {
  const ids = new Set(sweeps.map(({ id }) => id));
  for (const [id, row] of rows) {
    if (!ids.has(id)) {
      row.element.remove();
      rows.delete(id);
    }
  }
  sweeps.forEach((sweep, i) => {
    if (!rows.has(sweep.id)) rows.set(sweep.id, makeRow(sweep));
    const row = rows.get(sweep.id);
    row.update(sweep);
    if (list.children[i] !== row.element) list.insertBefore(row.element, list.children[i] ?? null);
  });
}

function makeRow({ id, name, tags, request, created, submitted_by: by }) {
  const bar = progressBar();
  const eta = new Eta();
  const state = h("span", {});
  const text = h("span", { class: "progress-text" });
  const when = h("span", {});
  let before = null;
  const element = h(
    "li",
    {},
    h(
      "div",
      { class: "what" },
      h("a", { href: `#/sweeps/${id}` }, name || id),
      h(
        "p",
        { class: "hint" },
        request.models.join(", "),
        tags.map((tag) => [" ", h("span", { class: "tag" }, tag)]),
      ),
    ),
    h("div", { class: "state" }, state),
    h("div", { class: "how-far" }, bar.element, text),
    h(
      "div",
      { class: "who hint" },
      when,
      h("span", {}, by ? ["by key ", h("code", {}, by)] : "without a key"),
    ),
  );
  const update = (sweep) => {
    bar.update(sweep);
    text.textContent = sweep.paused
      ? `paused: ${sweep.paused}`
      : progressText(sweep, eta.update(sweep));
    when.replaceChildren(moment(created, serverNow()));
    if (sweep.state === before) return;
    state.replaceChildren(badge(sweep.state));
    if (before) announce(`${name || id} is ${sweep.state}`);
    before = sweep.state;
  };
  return { element, update };
}

function below({ next }, filter, shown, more) {
  if (shown === 0 && (filter.text || filter.state || filter.model)) {
    return [
      h(
        "p",
        { class: "empty" },
        "No sweep is like that. ",
        h("a", { href: "#/sweeps" }, "Show all"),
      ),
    ];
  }
  if (shown === 0) {
    return [
      h(
        "div",
        { class: "empty" },
        h("p", {}, "No sweeps yet. A sweep computes models over a grid of parameters."),
        h("a", { class: "button primary", href: "#/new" }, "Make the first one"),
      ),
    ];
  }
  return next ? [h("button", { type: "button", onclick: more }, "Show older ones")] : [];
}
