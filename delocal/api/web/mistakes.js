/** Mistakes that the service found in a request, each beside its field. */

import { h } from "./dom.js";

/** Return the place for what is wrong with a field; its parent is the row of the field. */
export const wrong = (id) => h("p", { class: "wrong", id: `wrong-${id}` });

/** Return the id of the field that `axes.T.linspace.0` and the like are about. */
function fieldOf(path) {
  const [place, name, third] = path.split(".");
  if (place === "axes" || place === "fixed") return name && `parameter-${name}`;
  if (place === "options") return `option-${name}-${third}`;
  if (place === "exclude") return `exclude-${name}`;
  return place === "sampling" ? name : place;
}

/** The mistakes in one form. */
export class Mistakes {
  /** `place` holds the fields; `isShown` says of a field whether its mistakes may be told yet. */
  constructor(place, isShown) {
    Object.assign(this, { place, isShown });
  }

  /** Put each mistake beside its field; those that have no field are returned. */
  mark(errors) {
    for (const place of this.place.querySelectorAll(".wrong")) clear(place);
    return errors.filter((error) => !this.#put(error));
  }

  #put({ field, message }) {
    const id = fieldOf(field);
    const place = this.#placeOf(field);
    if (!place) return false;
    if (this.isShown(id)) show(place, message);
    return true;
  }

  #placeOf(path) {
    const found = (id) => this.place.querySelector(`#${CSS.escape(`wrong-${id}`)}`);
    return found(fieldOf(path)) ?? found(`parameter-${path}`);
  }

  /** Return a list of the mistakes, which lead to their fields. */
  list(errors) {
    return h(
      "ul",
      {},
      errors.map(({ field, message }) => h("li", {}, this.#link(field), message)),
    );
  }

  #link(field) {
    const place = this.#placeOf(field);
    if (!place) return field && `${field}: `;
    const go = () => [...inputs(place)].at(-1).focus();
    return [h("button", { type: "button", class: "link", onclick: go }, field), ": "];
  }
}

const inputs = (place) => place.parentElement.querySelectorAll("input, select");

function show(place, message) {
  place.append(h("span", {}, message));
  place.parentElement.classList.add("has-wrong");
  for (const input of inputs(place)) input.setAttribute("aria-invalid", "true");
}

function clear(place) {
  place.replaceChildren();
  place.parentElement.classList.remove("has-wrong");
  for (const input of inputs(place)) input.removeAttribute("aria-invalid");
}
