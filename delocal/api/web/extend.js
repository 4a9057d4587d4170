/** More values on the axes of a sweep, or more replicas. */

import { post } from "./api.js";
import { parsed, parsedList } from "./axis-field.js";
import { field, h, select } from "./dom.js";

/** Return what opens the form, and the form. */
export function extendForm(sweepId, request, signal) {
  const axes = Object.entries(request.axes ?? {})
    .filter(([, axis]) => !axis.like && !axis.along)
    .map(([name]) => name);
  const choices = [
    ...axes.map((name) => [`axes.${name}`, `values of ${name}`]),
    ...["replicas", "target_rel_error", "max_replicas"].map((name) => [
      `sampling.${name}`,
      name.replaceAll("_", " "),
    ]),
  ];
  let what = choices[0][0];
  const values = h("input", {
    type: "text",
    autocomplete: "off",
    required: true,
    "aria-describedby": "wrong-extend",
  });
  const wrong = h("p", { class: "wrong", id: "wrong-extend", role: "alert" });
  const extend = async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    values.removeAttribute("aria-invalid");
    try {
      const { id } = await post(`v1/sweeps/${sweepId}:extend`, changes(what, values.value), {
        signal,
      });
      location.hash = `#/sweeps/${id}`;
    } catch (error) {
      if (signal.aborted) return;
      wrong.textContent = error.message;
      values.setAttribute("aria-invalid", "true");
      values.focus();
    }
  };
  return h(
    "details",
    { class: "extend" },
    h("summary", { class: "button" }, "Extend"),
    h(
      "form",
      { onsubmit: extend },
      field(
        "Add",
        select(choices, what, (chosen) => {
          what = chosen;
        }),
      ),
      field("Values", values, { hint: "separated by commas" }),
      h("button", { class: "primary" }, "Submit the extended sweep"),
      wrong,
    ),
  );
}

function changes(what, text) {
  const [place, name] = what.split(".");
  return { [place]: { [name]: place === "axes" ? parsedList(text) : parsed(text) } };
}
