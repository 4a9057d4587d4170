"""The Python client against a service in this process, over real HTTP."""

import io
import pickle
import threading

import httpx2
import pytest
import xarray as xr
import yaml
from rich.console import Console
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

import delocal
from delocal.api.client import Client
from delocal.api.progress import sweep_bar
from delocal.api.remote_store import RemoteStore
from delocal.api.serving import serving
from delocal.service.errors import NotFound, NotReady, RequestError
from delocal.service.request import SweepRequest
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


def test_a_request_is_content_a_file_or_parsed(client, tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text(yaml.safe_dump(REQUEST))
    ids = {client.submit(r).id for r in (REQUEST, file, str(file), SweepRequest.parse(REQUEST))}
    assert len(ids) == 1
    assert client.estimate(file)["cells"] == 82
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        client.submit("nowhere.yaml")


def test_a_bar_is_drawn_where_somebody_sees_it(client, monkeypatch):
    sweep = client.submit(REQUEST)
    drawn = io.StringIO()
    for wanted, terminal, seen in [(None, False, False), (None, True, True), (False, True, False)]:
        console = Console(file=drawn, force_terminal=terminal, width=80)
        with sweep_bar(wanted, console) as update:
            sweep.wait(progress=update)
        assert ("82/82" in drawn.getvalue()) == seen
        drawn.truncate(0)


def test_events_come_in_order_and_go_on_where_they_were(client):
    sweep = client.submit({**REQUEST, "seed": 1}).wait()
    events = list(sweep.events())
    assert [events[0].kind, events[-1].kind] == ["queued", "done"]
    assert [e.id for e in events] == sorted({e.id for e in events})
    assert list(sweep.events(after=events[0].id)) == events[1:]
    assert list(sweep.events(after=events[-1].id)) == []


def test_a_stream_that_breaks_is_taken_up_again(client, monkeypatch):
    sweep = client.submit({**REQUEST, "seed": 2}).wait()
    whole, stream, asked = list(sweep.events()), client.stream_events, []

    def broken(path, after):
        asked.append(after)
        yield next(stream(path, after))
        raise httpx2.ReadError("the line is cut")

    monkeypatch.setattr(
        client, "stream_events", lambda *a: broken(*a) if len(asked) < 2 else stream(*a)
    )
    assert list(sweep.events()) == whole
    assert asked == [0, whole[0].id]


def test_cells_that_are_not_there_yet_are_masked(client, served, monkeypatch):
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 20)
    sweep = client.submit({**REQUEST, "seed": 3}).wait()
    whole = sweep.open()["scaling"].to_dataset().load()
    data = served[1].sweeps.store(sweep.id).zarr_path / "scaling"
    chunks = sorted(path.name for path in (data / "status").glob("c.*"))
    assert len(chunks) > 2
    for variable in ("status", "kappa_sd"):
        (data / variable / chunks[0]).unlink()
    ds = sweep.partial()["scaling"].to_dataset()
    assert 0 < int(ds.computed.sum()) < ds.computed.size
    assert ds.computed.dtype == bool
    xr.testing.assert_identical(ds.kappa_sd, whole.kappa_sd.where(ds.computed))


def test_a_store_travels_to_other_processes(client):
    sweep = client.submit(REQUEST).wait()
    again = pickle.loads(pickle.dumps(RemoteStore(sweep._file)))
    with again._read.__self__._client:
        there = xr.open_zarr(again, group="scaling", chunks=None).load()
    here = xr.open_zarr(f"{sweep.zarr_url}/scaling", chunks=None).load()
    xr.testing.assert_identical(there, here)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, b"abcdef"),
        (RangeByteRequest(1, 3), b"bc"),
        (OffsetByteRequest(4), b"ef"),
        (SuffixByteRequest(2), b"ef"),
    ],
)
def test_a_part_of_a_chunk_is_a_part(asked, found):
    store = RemoteStore({"chunk": b"abcdef"}.get)
    prototype = default_buffer_prototype()
    assert sync(store.get("chunk", prototype, asked)).to_bytes() == found
    assert sync(store.get("none", prototype, asked)) is None
    with pytest.raises(PermissionError, match="read only"):
        sync(store.set("chunk", None))
