"""A refined sweep by every way in: REST, the Python client, the command line."""

import json

import numpy as np
import pytest
import xarray as xr
import yaml
from typer.testing import CliRunner

import delocal
from delocal.api import cli
from delocal.api.serving import serving
from delocal.service.settings import ClusterSettings, Settings

REQUEST = {
    "models": ["nearly-localized"],
    "axes": {"gamma": {"geomspace": [1e-6, 1, 4]}, "eps": [-1, 0.1, 0.3]},
    "refine": {"variable": "phase", "along": "gamma", "target": "metal", "tolerance": 1e-4},
}


def test_rest_takes_it_counts_it_and_gives_the_threshold(rest):
    estimate = rest.post("/v1/sweeps?dry_run=true", json=REQUEST).json()
    assert estimate["cells"] == 3
    assert estimate["core_seconds"] == pytest.approx(3 * (4 + 16 + 1) * 3e-5)
    sweep = rest.post("/v1/sweeps", json=REQUEST).json()
    assert sweep["request"]["refine"] == REQUEST["refine"]
    status = rest.get(f"/v1/sweeps/{sweep['id']}").json()
    assert status["cells"] == {"total": 3, "done": 2, "outside_domain": 1}
    data = rest.get(
        f"/v1/sweeps/{sweep['id']}/data?variables=gamma_refined,outcome&eps=0.1"
    ).json()["data"]
    exact = delocal.evaluate("nearly-localized", eps=0.1, gamma=1.0).gamma_c.item()
    assert data["gamma_refined"]["values"] == pytest.approx(exact, rel=0.5e-4)
    assert data["outcome"]["values"] == 1
    assert data["outcome"]["attrs"]["flag_meanings"].split()[1] == "found"


def test_rest_says_what_is_wrong_with_it(rest):
    wrong = {**REQUEST, "refine": {"variable": "phase", "along": "gamma", "tolerance": -1, "t": 2}}
    response = rest.post("/v1/sweeps", json=wrong)
    assert response.status_code == 422
    fields = {error["field"] for error in response.json()["errors"]}
    assert fields == {"refine.tolerance", "refine.t"}


def test_rest_describes_it(rest):
    schemas = rest.get("/openapi.json").json()["components"]["schemas"]
    fields = schemas["RefineRequest"]["properties"]
    assert set(fields) == {"variable", "along", "target", "tolerance", "scale", "max_points"}
    assert all(field["description"] for field in fields.values())


def test_client_and_command_line_give_what_python_gives(tmp_path):
    local = delocal.run(REQUEST)["nearly-localized"].to_dataset()
    assert np.isfinite(local.gamma_refined).sum() == 2
    file = tmp_path / "request.yaml"
    file.write_text(yaml.safe_dump(REQUEST))
    folder = tmp_path / "out"
    told = CliRunner().invoke(cli.app, ["run", str(file), "-o", str(folder), "--json"])
    assert json.loads(told.stdout)["cells"] == {"total": 3, "done": 2, "outside_domain": 1}
    stored = xr.open_zarr(folder / "data.zarr" / "nearly-localized", chunks=None)
    xr.testing.assert_identical(stored.load().drop_attrs(), local.drop_attrs())
    settings = Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, _), delocal.connect(url) as client:
        remote = client.run(REQUEST)["nearly-localized"].to_dataset().load()
    xr.testing.assert_identical(remote.drop_attrs(), local.drop_attrs())
