"""The Python client against a service in this process, over real HTTP."""

import io
import itertools
import pickle
import threading

import httpx2
import nbclient
import nbformat
import numpy as np
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
from delocal.api.response_cache import ResponseCache
from delocal.api.serving import serving
from delocal.service.errors import NotFound, NotReady, RequestError, SelectionError
from delocal.service.figures import Plots
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Settings
from delocal.workers.block import run_block
from delocal.workers.store import SweepStore
from tests.waiting import PATIENCE

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 41]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}
numbers = itertools.count(2)


def another(V):
    """Return a request for a sweep of its own."""
    return {**REQUEST, "fixed": {**REQUEST["fixed"], "V": V}}


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


def test_a_bar_moves_in_a_notebook(client):
    sweep = client.submit(REQUEST)
    cell = f"""
import delocal
with delocal.connect({client.url!r}) as client:
    client.sweep({sweep.id!r}).wait()
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbclient.NotebookClient(
        notebook, kernel_name="python3", timeout=PATIENCE, startup_timeout=PATIENCE
    ).execute()
    shown = [output.get("data", {}) for output in notebook.cells[0].outputs]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in shown)
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    drawn = [model["state"].get("outputs", []) for model in state.values()]
    assert "82/82" in str(drawn)


def test_events_come_in_order_and_go_on_where_they_were(client):
    sweep = client.submit(another(next(numbers))).wait()
    events = list(sweep.events())
    assert [events[0].kind, events[-1].kind] == ["queued", "done"]
    assert [e.id for e in events] == sorted({e.id for e in events})
    assert list(sweep.events(after=events[0].id)) == events[1:]
    assert list(sweep.events(after=events[-1].id)) == []


def test_a_stream_that_breaks_is_taken_up_again(client, monkeypatch):
    sweep = client.submit(another(next(numbers))).wait()
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


@pytest.fixture
def at_work(client, served):
    """A sweep that another service has leased, and of which some blocks are there."""
    service, parsed = served[1], SweepRequest.parse(another(next(numbers)))
    plan = parsed.plan(block_cells=12)
    request = parsed.model_dump(mode="json", exclude_defaults=True)
    service.ledger.add(plan, name="", tags=(), request=request, owner="other", lease_seconds=999)
    store = SweepStore(f"{service.settings.place}/{plan.sweep_id}")
    store.create(plan)
    for block in (1, 2):
        run_block(store, "scaling", block)
    yield client.sweep(plan.sweep_id)
    service.sweeps.cancel(plan.sweep_id)


def test_cells_that_are_not_there_yet_are_masked(client, at_work):
    whole = delocal.run(at_work.status()["request"])["scaling"].to_dataset()
    ds = at_work.partial()["scaling"].to_dataset()
    assert int(ds.computed.sum()) == 24
    assert ds.computed.dtype == bool
    xr.testing.assert_identical(ds.kappa_sd.load(), whole.kappa_sd.where(ds.computed))
    assert len(list(at_work.cells(statuses=["done"]))) == 24
    assert next(at_work.cells(statuses=["not_computed"]))["status"] == "not_computed"


@pytest.mark.parametrize("done", [True, False])
def test_what_is_done_does_not_travel_again(served, at_work, tmp_path, done):
    with delocal.connect(served[0], cache=ResponseCache(tmp_path)) as client:
        sweep = client.submit(REQUEST).wait() if done else client.sweep(at_work.id)
        answers = []
        client._connection._http.event_hooks = {"response": [answers.append]}
        first, again = (sweep.open()["scaling"].to_dataset().load() for _ in range(2))
    xr.testing.assert_identical(first, again)
    known = sum(answer.status_code == 304 for answer in answers)
    assert (known > 50, client.cache.size() > 10_000) == (done, done)
    assert done or (known, client.cache.size()) == (0, 0)


def test_a_fit_is_that_of_the_dataset(client):
    sweep = client.submit(REQUEST).wait()
    local = delocal.run(REQUEST)["scaling"].to_dataset().delocal.fit("kappa_sd", "T")
    remote = sweep.fit("kappa_sd", "T")
    xr.testing.assert_allclose(remote.exponent.drop_attrs(), local.exponent.drop_attrs())
    assert remote.attrs["law"] == "kappa_sd = a T^exponent"
    assert np.isnan(remote.sigmas).all()
    part = sweep.fit("kappa_sd", "T", window=(None, 1e-4), d=2, T=slice(1e-6, 1e-3))
    assert part.exponent.item() == pytest.approx(3)
    assert part.window_high.item() == pytest.approx(1e-4)
    with pytest.raises(SelectionError, match="did you mean 'kappa_sd'"):
        sweep.fit("kapa_sd", "T")


def test_a_figure_is_that_of_the_dataset(client):
    sweep = client.submit(REQUEST).wait()
    assert "kappa" in [figure["name"] for figure in sweep.figures()]
    remote = sweep.figure("kappa", variable=["kappa_sd", "kappa_ps"], theme="dark", d=2)
    tree = xr.DataTree.from_dict({"scaling": sweep.open()["scaling"].to_dataset()})
    local = Plots(tree).kappa(["kappa_sd", "kappa_ps"], theme="dark", d=2)
    assert remote.to_plotly_json()["layout"]["title"] == local.to_plotly_json()["layout"]["title"]
    for drawn, expected in zip(remote.data, local.data, strict=True):
        assert isinstance(drawn.y, np.ndarray)
        np.testing.assert_array_equal(drawn.y, expected.y)
    with pytest.raises(NotFound, match="kapa"):
        sweep.figure("kapa")


def test_a_theory_is_evaluated_by_the_service(client):
    asked = {"d": 2, "alpha": [3, 4], "beta": {"like": "alpha"}, "T": 1e-4, "W": 1}
    remote = client.evaluate("scaling", variables=["kappa_sd"], **asked)
    local = delocal.evaluate("scaling", d=2, alpha=3, beta=3, T=1e-4, W=1)
    assert remote.kappa_sd.sel(alpha=3).item() == local.kappa_sd.item()
    assert remote.status.values.tolist() == [1, 2]
    assert np.isnan(remote.kappa_sd.sel(alpha=4))
    with pytest.raises(RequestError, match="alhpa"):
        client.evaluate("scaling", alhpa=3)


def test_sweeps_are_found_by_what_they_have(client):
    client.submit({**another(next(numbers)), "name": "needle", "tags": ["hay"]}).wait()
    [found] = client.sweeps(text="needle", tag="hay", model=["scaling"], T="1e-5:1e-3")
    assert found["name"] == "needle"
    assert client.sweeps(text="needle", state="failed") == []


def test_pages_of_sweeps_are_followed(client, monkeypatch):
    monkeypatch.setattr("delocal.api.client.PAGE", 1)
    for _ in range(3):
        client.submit({**another(next(numbers)), "tags": ["paged"]})
    assert len(client.sweeps(tag="paged")) == 3
    assert len(client.sweeps(tag="paged", limit=2)) == 2


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
