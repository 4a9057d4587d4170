/** The data of a sweep: as files, and where they lie. */

import { address, download, key, query } from "./api.js";
import { copyButton, field, h, select } from "./dom.js";

const FORMATS = [
  ["netcdf", "NetCDF", "nc"],
  ["csv", "CSV", "csv"],
  ["arrow", "Arrow", "arrow"],
  ["json", "JSON", "json"],
];

/** Return the choice of a model, of a format, and the lines that open the data. */
export function dataParts({ id, request }) {
  let [model] = request.models;
  const python = h("pre", { tabindex: 0 });
  const curl = h("pre", { tabindex: 0 });
  const use = (chosen) => {
    model = chosen;
    python.textContent = pythonLines(id, model);
    curl.textContent = curlLine(id, model);
  };
  use(model);
  const options = request.models.map((name) => [name, name]);
  return [
    options.length > 1 && field("Model of the data", select(options, model, use)),
    downloads(id, () => model),
    snippet("Python", python),
    snippet("curl", curl),
  ];
}

function downloads(id, model) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  const save = async (format, suffix) => {
    wrong.textContent = "";
    const path = `v1/sweeps/${id}/data${query({ model: model(), format })}`;
    try {
      await download(path, `${id}-${model()}.${suffix}`);
    } catch (error) {
      wrong.textContent = error.message;
    }
  };
  const buttons = FORMATS.map(([format, text, suffix]) =>
    h("button", { type: "button", onclick: () => save(format, suffix) }, text),
  );
  return [h("div", { class: "actions", role: "group", "aria-label": "Download" }, buttons), wrong];
}

function snippet(title, code) {
  const copy = copyButton(() => code.textContent);
  return h("div", { class: "snippet" }, h("h3", {}, title), copy, code);
}

function pythonLines(id, model) {
  const url = address(`v1/sweeps/${id}/zarr/${model}`);
  if (!key.get()) return `import xarray as xr\nds = xr.open_zarr("${url}")\nprint(ds)`;
  return [
    "import os, xarray as xr",
    `headers = {"Authorization": f"Bearer {os.environ['DELOCAL_KEY']}"}`,
    `ds = xr.open_zarr("${url}", storage_options={"headers": headers})`,
  ].join("\n");
}

function curlLine(id, model) {
  const shown = key.get() ? ' -H "Authorization: Bearer $DELOCAL_KEY"' : "";
  return `curl${shown} "${address(`v1/sweeps/${id}/data`)}?model=${model}&variables=status"`;
}
