"""Data over REST: every format holds the same numbers, pages add up, answers say how long."""

import io
import json
import threading

import numpy as np
import pandas as pd
import pyarrow
import pytest
import xarray as xr
from fastapi import FastAPI
from fastapi.testclient import TestClient

from delocal.api.plain import plain_json
from delocal.api.routes import data as routes
from delocal.physics.models import load_models
from delocal.service import formats, results
from delocal.service.request import SweepRequest
from delocal.service.results import to_plain
from delocal.workers.block import run_block
from tests.api.test_rest import submit, wait
from tests.waiting import PATIENCE

REQUEST = {
    "models": ["scaling"],
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [1, 6, 6]},
        "beta": {"like": "alpha"},
        "T": {"geomspace": [1e-6, 1e-2, 7]},
    },
    "fixed": {"W": 1},
}
QUERY = "variables=kappa_sd,log10_kappa_sd,region,status&d=2&T=1e-5:"
ROWS = 6 * 5


@pytest.fixture
def url(rest):
    """Where the data of a sweep that is done are."""
    return f"/v1/sweeps/{wait(rest, submit(rest, REQUEST))['id']}/data"


@pytest.fixture
def expected(service, url):
    ds = service.sweeps.store(url.split("/")[3]).open_model("scaling")
    return ds[["kappa_sd", "log10_kappa_sd", "region", "status"]].sel(d=2).isel(T=slice(2, None))


def ask(rest, url, status=200, **headers):
    response = rest.get(url, headers=headers)
    assert response.status_code == status, response.text
    return response


def held(service, content=REQUEST, block_cells=20):
    """Enter a sweep that somebody else computes, and return its store and its id."""
    request = SweepRequest.parse(content)
    plan = request.plan(block_cells=block_cells)
    store = service.dispatcher.store(plan.sweep_id)
    store.create(plan)
    lease = {"owner": "somebody", "lease_seconds": 1000}
    service.ledger.add(plan, name="", tags=[], request={"models": ["scaling"]}, **lease)
    return store, plan.sweep_id


# formats


def test_json_says_which_values_are_not_finite(rest, url, expected):
    found = ask(rest, f"{url}?{QUERY}").json()
    kappa = found["data"]["log10_kappa_sd"]
    values = np.array(kappa["values"], float)
    truth = expected.log10_kappa_sd.transpose(*kappa["dims"]).values
    finite = np.isfinite(truth)
    assert 0 < finite.sum() < finite.size
    np.testing.assert_array_equal(values[finite], truth[finite])
    np.testing.assert_array_equal(np.array(kappa["mask"]) == 1, np.isnan(truth))
    assert found["data"]["region"]["mask"] is None


def test_every_kind_of_value_that_json_lacks_has_its_own_code():
    ds = xr.Dataset({"y": ("x", [1.0, np.nan, np.inf, -np.inf]), "z": np.nan})
    plain = json.loads(plain_json(to_plain(ds)).body)
    assert plain["data"]["y"]["values"] == [1.0, None, None, None]
    assert plain["data"]["y"]["mask"] == [0, 1, 2, 3]
    assert (plain["data"]["z"]["values"], plain["data"]["z"]["mask"]) == (None, 1)


def test_a_csv_holds_the_same_bits(rest, url, expected):
    found = pd.read_csv(io.StringIO(ask(rest, f"{url}?{QUERY}&format=csv").text))
    assert_rows(found, expected)


def test_an_arrow_stream_holds_the_same_bits(rest, url, expected):
    response = ask(rest, f"{url}?{QUERY}", Accept="application/vnd.apache.arrow.stream")
    table = pyarrow.ipc.open_stream(response.content).read_all()
    assert json.loads(table.schema.field("T").metadata[b"attributes"])["units"] == "energy"
    assert_rows(table.to_pandas(), expected)


def assert_rows(found, expected):
    assert len(found) == ROWS
    long = expected.to_dataframe().reset_index()
    keys = ["alpha", "T"]
    found, long = (frame.sort_values(keys).reset_index(drop=True) for frame in (found, long))
    for name in ("alpha", "beta", "T", "kappa_sd", "log10_kappa_sd", "region", "status"):
        np.testing.assert_array_equal(found[name], long[name], err_msg=name)


def test_a_netcdf_file_is_the_dataset(rest, url, expected):
    response = ask(rest, f"{url}?{QUERY}&format=netcdf")
    assert response.headers["Content-Type"] == "application/x-netcdf"
    assert response.headers["Content-Disposition"].endswith('.nc"')
    with xr.open_dataset(io.BytesIO(response.content), engine="h5netcdf") as found:
        found = found.load()
    assert found.region.attrs["flag_meanings"] == expected.region.attrs["flag_meanings"]
    xr.testing.assert_equal(found.transpose(*expected.dims), expected.load())


def test_pages_of_a_table_add_up_and_link_to_each_other(rest, url):
    whole = ask(rest, f"{url}?{QUERY}&format=table").json()
    assert (whole["cells"], whole["next"]) == (ROWS, None)
    address, rows = f"{url}?{QUERY}&format=table&limit=7", []
    while address:
        response = ask(rest, address)
        page = response.json()
        rows += zip(*page["columns"].values(), strict=True)
        assert response.links.get("next", {}).get("url") == page["next"]
        address = page["next"]
    assert rows == list(zip(*whole["columns"].values(), strict=True))
    assert len(rows) == ROWS


def test_pages_of_csv_link_too(rest, url):
    first = ask(rest, f"{url}?{QUERY}&limit=29", Accept="text/csv")
    last = ask(rest, first.links["next"]["url"], Accept="text/csv")
    assert (first.text.count("\n"), last.text.count("\n")) == (30, 2)
    assert "next" not in last.links


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("format=xls", 422, "no format 'xls'"),
        ("limit=5", 422, "json has no rows"),
        ("format=netcdf&after=5", 422, "netcdf has no rows"),
        ("format=csv&limit=0", 422, "limit"),
        ("format=csv&after=-1", 422, "after"),
    ],
)
def test_a_mistake_in_the_format_is_named(rest, url, query, status, message):
    response = ask(rest, f"{url}?{query}", status)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert message in response.json()["detail"]


@pytest.mark.parametrize(
    ("module", "bound", "form"),
    [
        (routes, "MAX_VALUES", "json"),
        (formats, "MAX_VALUES", "table"),
        (formats, "MAX_STREAMED", "csv"),
        (formats, "MAX_STREAMED", "arrow"),
        (formats, "MAX_NETCDF", "netcdf"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_read(
    rest, url, module, bound, form, monkeypatch
):
    ask(rest, f"{url}?variables=status&d=2&T=1e-6&alpha=1")  # coordinates are read once
    monkeypatch.setattr(xr.Dataset, "compute", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(formats.Table, "read", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(module, bound, 10)
    response = ask(rest, f"{url}?{QUERY}&format={form}", 413)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "open the Zarr store" in response.json()["detail"]


def test_no_parameter_of_a_model_has_the_name_of_something_else():
    names = {p.name for model in load_models().values() for p in model.parameters}
    assert not names & routes.RESERVED


# FastAPI's own answers


def test_dictionaries_of_free_form_need_our_answer():
    """FastAPI fails on NaN and on numbers of numpy in a dictionary; if this test fails, it mended
    that."""
    app = FastAPI()
    content = {"nan": {"of": float("nan")}, "count": np.int64(3), "many": [np.float32(0.5)]}

    @app.get("/theirs")
    def theirs():
        return content

    @app.get("/ours")
    def ours():
        return plain_json(content)

    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/theirs").status_code == 500
    assert client.get("/ours").json() == {"nan": {"of": None}, "count": 3, "many": [0.5]}


def test_failures_of_a_cell_may_hold_what_json_lacks(rest, service, monkeypatch):
    failure = {"parameters": {"T": float("nan")}, "cell": np.arange(2), "error": "", "id": 1}
    monkeypatch.setattr(service.ledger, "failures", lambda *_: [failure])
    sweep = submit(rest, REQUEST)["id"]
    found = ask(rest, f"/v1/sweeps/{sweep}/failures").json()
    assert found == [{"parameters": {"T": None}, "cell": [0, 1], "error": "", "id": 1}]


# how long an answer is good for


def test_an_answer_that_is_known_is_not_sent_again(rest, url):
    first = ask(rest, f"{url}?{QUERY}")
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = ask(rest, f"{url}?{QUERY}", 304, **{"If-None-Match": f'"other", {tag}'})
    assert again.content == b""
    assert again.headers["ETag"] == tag
    for other in (f"{url}?{QUERY}&format=csv", f"{url}?{QUERY}&alpha=1"):
        assert ask(rest, other, **{"If-None-Match": tag}).headers["ETag"] != tag


def test_a_known_answer_costs_no_reading(rest, url, monkeypatch):
    tag = ask(rest, f"{url}?{QUERY}").headers["ETag"]
    monkeypatch.setattr(results.OpenDatasets, "get", lambda *_: pytest.fail("opened"))
    ask(rest, f"{url}?{QUERY}", 304, **{"If-None-Match": tag})


def test_data_of_a_sweep_that_runs_are_not_to_be_kept(rest, service):
    _, sweep = held(service)
    response = ask(rest, f"/v1/sweeps/{sweep}/data?{QUERY}")
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers
    assert set(np.ravel(response.json()["data"]["status"]["values"])) == {0}


def test_a_sweep_made_anew_is_another_generation(rest, service):
    sweep = wait(rest, submit(rest, REQUEST))["id"]
    url = f"/v1/sweeps/{sweep}/data?{QUERY}"
    before = ask(rest, url)
    rest.delete(f"/v1/sweeps/{sweep}")
    rest.post(f"/v1/sweeps/{sweep}:purge")
    store, same = held(service, block_cells=7)  # other chunks, and nothing in them
    assert same == sweep
    assert set(np.ravel(ask(rest, url).json()["data"]["status"]["values"])) == {0}
    for block in store.plan.parts[0].blocks:
        run_block(store, "scaling", block)
    assert ask(rest, url).json() == before.json()


def test_data_are_read_while_they_are_written(rest, service):
    """What is read is missing or right: chunks of one block appear one after the other."""
    store, sweep = held(service, block_cells=6)
    url = f"/v1/sweeps/{sweep}/data?variables=log10_kappa_sd,status"
    blocks, part = list(store.plan.parts[0].blocks), store.plan.parts[0]
    seen, read_so_far, written = [], [], threading.Event()

    def read():
        last = False
        while not last:
            last = written.is_set()
            found = ask(rest, url).json()["data"]
            status = np.array(found["status"]["values"])
            read_so_far.append((status, np.array(found["log10_kappa_sd"]["values"], float)))
            seen.append(int((status != 0).sum()))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for block in blocks:
        run_block(store, part.name, block)
    written.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert max(seen) == part.grid.size
    whole = store.open_model("scaling")[["status", "log10_kappa_sd"]].load()
    for status, values in read_so_far:
        assert ((status == 0) | (status == whole.status.values)).all()
        there = np.isfinite(values)
        assert (values[there] == whole.log10_kappa_sd.values[there]).all()
    assert np.isfinite(whole.log10_kappa_sd).any()


@pytest.mark.parametrize(
    ("content", "model", "column"),
    [
        (
            {
                "models": ["nearly-localized"],
                "axes": {"gamma": {"geomspace": [0.01, 1, 5]}, "eps": [0.1, 0.2]},
                "refine": {
                    "variable": "phase",
                    "along": "gamma",
                    "target": "change",
                    "tolerance": 1e-3,
                },
            },
            "nearly-localized",
            "gamma_refined",
        ),
        (
            {
                "models": ["mott-percolation"],
                "axes": {"d": [2, 3]},
                "fixed": {"box": 6},
                "sampling": {"replicas": 2},
            },
            "mott-percolation_replicas",
            "replica",
        ),
    ],
    ids=["search", "replicas"],
)
def test_searches_and_replicas_have_rows_too(rest, content, model, column):
    sweep = wait(rest, submit(rest, content))["id"]
    found = ask(rest, f"/v1/sweeps/{sweep}/data?model={model}&format=csv").text
    frame = pd.read_csv(io.StringIO(found))
    assert column in frame
    assert (frame["status"] != 0).all()
    assert len(frame) in (2, 4)


def test_a_chunk_with_a_flipped_bit_is_damage_and_not_data(rest, service, url):
    store = service.sweeps.store(url.split("/")[3])
    chunk = next((store.zarr_path / "scaling" / "kappa_sd").glob("c.*"))
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    answer = ask(rest, f"{url}?{QUERY}", 500)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "`delocal doctor --repair` computes it again" in answer.json()["detail"]


@pytest.mark.parametrize("receipt_too", [False, True])
def test_a_chunk_that_is_lost_is_damage_and_not_null(rest, service, url, receipt_too):
    """With its receipt, as where an older copy took the place of a folder: the ledger knows."""
    sweep = url.split("/")[3]
    store = service.sweeps.store(sweep)
    if receipt_too:
        for block in store.plan.parts[0].blocks:
            store.forget("scaling", block)
    for chunk in (store.zarr_path / "scaling" / "kappa_sd").glob("c.*"):
        chunk.unlink()
    queries = [f"{url}?{QUERY}&format={form}" for form in formats.Format]
    queries += [f"/v1/sweeps/{sweep}/figures/curve?variable=kappa_sd&x=T&sel=d=2&sel=alpha=3"]
    queries += [f"/v1/sweeps/{sweep}/fits?variable=kappa_sd&over=T"]
    for query in queries:
        detail = ask(rest, query, 500).json()["detail"]
        assert detail.startswith("scaling/kappa_sd/c."), query
        assert "`delocal doctor --repair` computes it again" in detail
    assert ask(rest, f"{url}?variables=log10_kappa_sd").json()
