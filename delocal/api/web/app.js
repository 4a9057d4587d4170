/** The frame of the page: which view the address asks for, keys, and whether the service answers. */

import { hooks, key, pause, send } from "./api.js";
import { announce, h } from "./dom.js";
import * as explore from "./explore.js";
import * as newSweep from "./new.js";
import * as sweep from "./sweep.js";
import * as sweeps from "./sweeps.js";

const VIEWS = [
  [/^\/sweeps$/, sweeps],
  [/^\/sweeps\/([0-9a-f]{16})$/, sweep],
  [/^\/new$/, newSweep],
  [/^\/explore$/, explore],
];
const main = document.getElementById("main");
const $ = (id) => document.getElementById(id);
let leaving = new AbortController();
let first = true;

/** Show the view of the address; the focus goes to its heading, so that it is read out. */
function navigate() {
  const [path, search = ""] = location.hash.slice(1).split("?");
  const found = VIEWS.map(([pattern, view]) => [pattern.exec(path), view]).find(([match]) => match);
  if (!found) {
    if (path && path.startsWith("/")) return show(notFound, {});
    location.replace("#/sweeps");
    return undefined;
  }
  return show(found[1].show, { id: found[0][1], query: new URLSearchParams(search) });
}

async function show(view, route) {
  leaving.abort(new DOMException("another view", "AbortError"));
  leaving = new AbortController();
  const { signal } = leaving;
  main.replaceChildren();
  markCurrent();
  const shown = view(main, { ...route, signal });
  const heading = main.querySelector("h1");
  document.title = `${heading.textContent} · delocal`;
  heading.tabIndex = -1;
  if (!first) heading.focus();
  first = false;
  scrollTo(0, 0);
  try {
    await shown;
  } catch (error) {
    if (!signal.aborted) showFailure(error);
  }
}

function showFailure(error) {
  for (const busy of main.querySelectorAll(".loading")) busy.remove();
  main.append(
    h(
      "section",
      { class: "failure", role: "alert" },
      h("h2", {}, error.title ?? "Something went wrong"),
      h("p", {}, error.message),
      h("button", { type: "button", onclick: navigate }, "Try again"),
    ),
  );
  if (error.title === undefined) throw error;
}

function notFound(container) {
  container.append(
    h("h1", {}, "No such view"),
    h(
      "p",
      { class: "empty" },
      "There is nothing at this address. ",
      h("a", { href: "#/sweeps" }, "All sweeps"),
    ),
  );
}

function markCurrent() {
  for (const link of document.querySelectorAll(".bar nav a")) {
    const here = location.hash.startsWith(link.getAttribute("href"));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

let asking = null;

/** Ask for a key, once for all requests that wait for it. */
hooks.askForKey = (why) => {
  asking ??= new Promise((resolve) => {
    const dialog = $("key-dialog");
    $("key-why").textContent = why;
    $("key-text").value = "";
    dialog.returnValue = "forget";
    dialog.showModal();
    dialog.addEventListener(
      "close",
      () => {
        const text = $("key-text").value.trim();
        $("key-text").value = "";
        key.set(dialog.returnValue === "use" ? text : null);
        showKeyButton();
        asking = null;
        resolve(dialog.returnValue === "use" && text !== "");
      },
      { once: true },
    );
  });
  return asking;
};

function showKeyButton() {
  $("key-button").hidden = !key.get();
}

$("key-button").addEventListener("click", async () => {
  await hooks.askForKey("Another key, or none.");
  navigate();
});

let offline = false;

hooks.offline = async () => {
  if (offline) return;
  offline = true;
  $("offline").hidden = false;
  $("offline").textContent = "The service does not answer. What you see may be old; trying again…";
  while (offline) {
    await pause(2000);
    if (offline) await send("healthz").catch(() => {});
  }
};

hooks.online = () => {
  if (!offline) return;
  offline = false;
  $("offline").hidden = true;
  announce("The service answers again.");
  if (main.querySelector(".failure")) navigate();
};

// A jump to #main would lose the address of the view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#/")) navigate();
});
showKeyButton();
navigate();
