"""The Python client against a service in this process, over real HTTP."""

import threading

import pytest
import xarray as xr

import delocal
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service.errors import NotFound, NotReady, RequestError
from delocal.service.settings import ClusterSettings, Settings

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 41]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    settings = Settings(data=tmp_path_factory.mktemp("data"), cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, service):
        yield url, service


@pytest.fixture
def client(served):
    client = delocal.connect(served[0])
    yield client
    client.close()


def test_the_whole_way_gives_what_a_local_run_gives(client):
    tree = client.submit(REQUEST).wait().open()
    local = delocal.run(REQUEST)
    xr.testing.assert_identical(
        tree["scaling"].to_dataset().load().drop_attrs(), local["scaling"].to_dataset().drop_attrs()
    )


def test_run_is_submit_wait_and_open(client):
    assert client.run(REQUEST)["scaling"].sizes["T"] == 41


def test_plain_open_zarr_reads_the_url(client, served):
    sweep = client.submit(REQUEST).wait()
    remote = xr.open_zarr(f"{sweep.zarr_url}/scaling")
    local = served[1].sweeps.store(sweep.id).open_model("scaling")
    xr.testing.assert_identical(remote.load(), local.load())


def test_mistakes_raise_the_errors_of_a_local_run(client):
    with pytest.raises(RequestError, match="no model 'scalin'") as raised:
        client.submit({"models": ["scalin"]})
    assert raised.value.problems[0].field == "models.0"
    with pytest.raises(NotFound, match="no sweep"):
        client.sweep("0123456789abcdef")


def test_nobody_there_says_what_to_start():
    with pytest.raises(ConnectionError, match="start one with `delocal serve`"):
        delocal.connect("http://127.0.0.1:9")


def test_waiting_reports_progress_and_gives_up_in_time(client, served, monkeypatch):
    seen = []
    sweep = client.submit(REQUEST).wait(progress=seen.append)
    assert seen[-1]["state"] == "done"
    monkeypatch.setattr(sweep, "status", lambda: {"state": "running"})
    with pytest.raises(NotReady, match="still running"):
        sweep.wait(timeout=0.05)


def test_listing_and_estimates(client):
    sweep = client.submit(REQUEST)
    assert sweep.id in [found["id"] for found in client.sweeps()]
    assert client.estimate(REQUEST)["exists"] is True
    assert "scaling" in [model["name"] for model in client.models()]
    assert sweep.failures() == []


def test_one_client_serves_many_threads(client):
    ids, threads = [], []
    for i in range(8):
        content = {**REQUEST, "fixed": {**REQUEST["fixed"], "t": 0.1 + i}}
        thread = threading.Thread(target=lambda c=content: ids.append(client.submit(c).wait().id))
        threads.append(thread)
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 8


def test_an_answer_that_is_not_ours_is_a_connection_error(served):
    client = Client(served[0])
    with pytest.raises(NotFound, match="Not Found"):
        client.get("/nothing")
    client.close()
