/** The public REST of the service, as the page uses it: keys, errors, events. */

const KEY = "delocal-key";
const WAIT_MS = [500, 1000, 2000, 4000, 8000];

/** What the service answered instead (RFC 9457). */
export class Problem extends Error {
  constructor(status, { title = "Error", detail = "", errors = [] } = {}) {
    super(detail || title);
    Object.assign(this, { status, title, errors });
  }
}

/** Nobody answered. */
export class Offline extends Error {
  constructor() {
    super("The service does not answer. Is it running, and is there a network?");
    this.title = "Offline";
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

/** Set by the page: asks for a key, and returns whether there is another one to try. */
export const hooks = { askForKey: async () => false, online: () => {}, offline: () => {} };

let clockAhead = 0;
let declined = 0; // how often somebody went on without a key

/** Return what time it is at the service. */
export const serverNow = () => Date.now() + clockAhead;

/** Return an absolute address of the service. */
export const address = (path) => new URL(path, document.baseURI).href;

export const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });

/** Return the response of `path`; Problem, or Offline, if it is none that is good. */
export async function send(path, { json, headers = {}, ...options } = {}) {
  const used = key.get();
  const before = declined;
  const sent = { ...headers };
  if (used) sent.Authorization = `Bearer ${used}`;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      ...options,
      headers: sent,
      body: json === undefined ? undefined : JSON.stringify(json),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    hooks.offline();
    throw new Offline();
  }
  hooks.online();
  noteClock(response);
  if (response.ok) return response;
  if (response.status === 429 && response.headers.has("Retry-After")) {
    await pause(1000 * Number(response.headers.get("Retry-After")), options.signal);
    return send(path, { json, headers, ...options });
  }
  const problem = new Problem(
    response.status,
    await response.json().catch(() => ({ title: response.statusText })),
  );
  if (response.status === 401 && (key.get() !== used || (await anotherKey(before, problem)))) {
    return send(path, { json, headers, ...options });
  }
  throw problem;
}

/** Whether there is another key to try; who declined one beside this request is not asked again. */
async function anotherKey(before, problem) {
  if (declined > before) return false;
  const given = await hooks.askForKey(problem.message);
  if (!given) declined += 1;
  return given;
}

export const get = async (path, options) => (await send(path, options)).json();
export const post = async (path, json, options) =>
  (await send(path, { ...options, method: "POST", json })).json();

/** Return a query string of what is not empty. */
export function query(values) {
  const found = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return found.length ? `?${new URLSearchParams(found)}` : "";
}

/** Follow the events of a sweep until it has ended, however often the connection breaks. */
export async function follow(sweepId, { signal, onEvent }) {
  let last = 0;
  for (let failures = 0; ; failures += 1) {
    try {
      const headers = { Accept: "text/event-stream", "Last-Event-ID": String(last) };
      const response = await send(`v1/sweeps/${sweepId}/events`, { headers, signal });
      for await (const event of parse(response.body)) {
        failures = 0;
        last = event.id;
        onEvent(event);
      }
      if (await hasEnded(sweepId, signal)) return;
    } catch (error) {
      if (signal.aborted || error instanceof Problem) throw error;
    }
    await pause(WAIT_MS[Math.min(failures, WAIT_MS.length - 1)], signal);
  }
}

async function hasEnded(sweepId, signal) {
  const { state } = await get(`v1/sweeps/${sweepId}`, { signal });
  return !isActive(state);
}

export const isActive = (state) => state === "queued" || state === "running";

async function* parse(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block
        .split(/\r?\n/)
        .map((line) => [line.split(":", 1)[0], line.slice(line.indexOf(":") + 1).trim()]);
      const { id, event, data } = Object.fromEntries(lines);
      if (event) yield { id: Number(id), kind: event, data: JSON.parse(data || "{}") };
    }
  }
}

function noteClock(response) {
  const date = Date.parse(response.headers.get("Date"));
  if (date && Math.abs(date - serverNow()) > 2000) clockAhead = date - Date.now();
}

/** Save what `path` answers as a file: a plain link could not show the key. */
export async function download(path, name, options) {
  const blob = await (await send(path, options)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
