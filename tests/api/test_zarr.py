"""The Zarr store over HTTP, from a folder and a bucket: what readers of Zarr rely on."""

from dataclasses import replace

import fsspec
import numpy as np
import pytest
import requests
import xarray as xr
import zarr

from delocal.api.serving import serving
from delocal.service.keys import AccessSettings
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Settings
from delocal.workers.block import run_block
from delocal.workers.storage import Folder

REQUEST = {
    "models": ["scaling", "hopping"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 40]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}
CHUNK = "scaling/kappa_sd/c.0.0"


class Served:
    """A service that wants a key, and a caller who has one."""

    def __init__(self, url, service):
        self.service = service
        self.url = url
        self.headers = {"Authorization": f"Bearer {service.keys.create('reader')[1]}"}
        self.http = fsspec.filesystem("http", headers=self.headers)

    def zarr(self, sweep):
        return f"{self.url}/v1/sweeps/{sweep}/zarr"

    def ask(self, path, status=200, method="GET", **headers):
        response = requests.request(method, path, headers={**self.headers, **headers}, timeout=60)
        assert response.status_code == status, response.text
        return response

    def enter(self, content=REQUEST, by="somebody else"):
        """Enter a sweep in blocks of ten cells that nobody computes; return its id and store."""
        plan = SweepRequest.parse(content).plan(block_cells=10)
        store = self.service.dispatcher.store(plan.sweep_id)
        store.create(plan)
        self.service.ledger.add(plan, name="", tags=[], request={}, owner=by, lease_seconds=1000)
        return plan.sweep_id, self.service.dispatcher.store(plan.sweep_id)

    def finish(self, store):
        """Compute all of a sweep that was entered."""
        for part in store.plan.parts:
            receipts = [run_block(store, part.name, block) for block in part.blocks]
            self.service.ledger.record(store.plan, "somebody else", part.name, receipts)


@pytest.fixture
def served(tmp_path, place):
    settings = Settings(
        data=tmp_path / "data",
        sweeps=place,
        cluster=ClusterSettings(kind="none"),
        access=AccessSettings(keys="always"),
    )
    with serving(settings) as (url, service):
        yield Served(url, service)


def test_xarray_opens_models_and_the_whole_with_a_key(served):
    sweep, store = served.enter()
    served.finish(store)
    options = {"chunks": None, "storage_options": {"headers": served.headers}}
    one = xr.open_zarr(f"{served.zarr(sweep)}/scaling", **options)
    xr.testing.assert_identical(one.load(), store.open_model("scaling").load())
    tree = xr.open_datatree(served.zarr(sweep), engine="zarr", **options)
    assert set(tree.children) == {"scaling", "hopping"}
    xr.testing.assert_identical(tree.load(), store.open().load())
    point = xr.open_zarr(f"{served.zarr(sweep)}/scaling", **options).kappa_sd.isel(T=3, d=1)
    assert float(point) == float(store.open_model("scaling").kappa_sd.isel(T=3, d=1))
    with pytest.raises(Exception, match=r"401|Unauthorized"):
        xr.open_zarr(f"{served.zarr(sweep)}/scaling", chunks=None)


def test_what_is_not_computed_is_missing_and_what_is_damaged_an_error(served):
    sweep, store = served.enter()
    url = f"{served.zarr(sweep)}/scaling"
    options = {"chunks": None, "storage_options": {"headers": served.headers}}
    remote = xr.open_zarr(url, **options)

    def there(name):  # compute() reads again, values would keep what it read
        return int((remote[name].compute().notnull() & (remote.status.compute() != 0)).sum())

    response = served.ask(f"{served.zarr(sweep)}/{CHUNK}", 404)
    assert response.headers["Cache-Control"] == "no-store"
    assert there("kappa_sd") == there("status") == 0
    run_block(store, "scaling", 0)
    assert there("status") == store.plan.part("scaling").blocks.size(0)
    assert 0 < there("kappa_sd") <= there("status")
    served.ask(f"{served.zarr(sweep)}/scaling/kappa_sd/c.0.9", 404)
    store.storage.remove(f"data.zarr/{CHUNK}")
    response = served.ask(f"{served.zarr(sweep)}/{CHUNK}", 500)
    assert "doctor --repair" in response.json()["detail"]
    with pytest.raises(Exception, match="500"):
        remote.kappa_sd.compute()


@pytest.mark.parametrize("name", ["scaling/T/c.0", "scaling/beta/c", "scaling/wrt/c.0"])
def test_a_coordinate_that_is_lost_is_damage(served, name):
    sweep, store = served.enter()
    served.ask(f"{served.zarr(sweep)}/{name}")
    store.storage.remove(f"data.zarr/{name}")
    served.ask(f"{served.zarr(sweep)}/{name}", 500)


@pytest.mark.parametrize(
    "name", ["scaling/.zattrs", "nothing/T/c.0", "scaling/nothing/c.0", "scaling/kappa_sd/c.7.7.7"]
)
def test_what_readers_look_for_in_vain_is_404(served, name):
    served.ask(f"{served.zarr(served.enter()[0])}/{name}", 404)


def test_a_file_that_is_known_is_not_sent_again(served):
    sweep, store = served.enter()
    served.finish(store)
    for name in (CHUNK, "zarr.json"):
        url = f"{served.zarr(sweep)}/{name}"
        first = served.ask(url)
        tag = first.headers["ETag"]
        assert tag[0] == tag[-1] == '"'
        assert served.ask(url, method="HEAD").headers["ETag"] == tag
        for known in (tag, f'W/{tag}, "x"', "*"):
            again = served.ask(url, 304, **{"If-None-Match": known})
            assert again.content == b""
            assert again.headers["ETag"] == tag
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        assert served.ask(url, **{"If-None-Match": '"other"'}).content == first.content
        content = first.content
        store.storage.write(f"data.zarr/{name}", content[:-1] + bytes([content[-1] ^ 1]))
        assert served.ask(url, **{"If-None-Match": tag}).headers["ETag"] != tag


def test_a_range_of_a_version_is_that_or_the_whole_file(served):
    sweep, _ = served.enter()
    url = f"{served.zarr(sweep)}/zarr.json"
    first = served.ask(url)
    tag = first.headers["ETag"]
    some = served.ask(url, 206, Range="bytes=-9", **{"If-Range": tag})
    assert some.content == first.content[-9:]
    assert some.headers["ETag"] == tag
    for other in (f"W/{tag}", '"other"', "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert served.ask(url, Range="bytes=-9", **{"If-Range": other}).content == first.content


def test_how_long_a_file_may_be_kept_follows_from_the_state(served):
    sweep, store = served.enter()

    def rule():
        return served.ask(f"{served.zarr(sweep)}/zarr.json").headers["Cache-Control"]

    assert rule() == "no-store"
    served.finish(store)
    assert served.service.sweeps.get(sweep).state == "done"
    assert rule() == "private, max-age=31536000, immutable"
    other, _ = served.enter({**REQUEST, "models": ["scaling"]})
    served.service.sweeps.cancel(other)
    cancelled = served.ask(f"{served.zarr(other)}/zarr.json")
    assert cancelled.headers["Cache-Control"] == "private, no-cache"


def test_a_sweep_with_cells_that_failed_may_be_computed_again(served, install, toy):
    def broken(parameters, options):
        raise ValueError("broken")

    install(replace(toy, evaluate=broken))
    sweep, store = served.enter({"models": ["toy"], "axes": {"x": [1, 2]}, "fixed": {"n": 1}})
    served.finish(store)
    assert served.service.sweeps.get(sweep).state == "done"
    answer = served.ask(f"{served.zarr(sweep)}/zarr.json")
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_sharded_array_is_read_by_ranges(served, tmp_path):
    """Readers of shards ask for the index at the end of a file, then for a piece of it."""
    sweep, store = served.enter()
    values = np.arange(64.0).reshape(8, 8)
    zarr.create_array(tmp_path / "sharded", data=values, shards=(8, 8), chunks=(2, 2))
    for name in Folder(tmp_path / "sharded").names():
        content = (tmp_path / "sharded" / name).read_bytes()
        store.storage.prepare(f"data.zarr/sharded/{name}")
        store.storage.write(f"data.zarr/sharded/{name}", content)
    options = {"headers": served.headers}
    remote = zarr.open_array(
        f"{served.zarr(sweep)}/sharded", mode="r", storage_options=options, zarr_format=3
    )
    np.testing.assert_array_equal(remote[2:4, 4:6], values[2:4, 4:6])
    np.testing.assert_array_equal(remote[...], values)


def test_files_are_found_and_read_through_fsspec(served):
    sweep, store = served.enter()
    url = f"{served.zarr(sweep)}/zarr.json"
    whole = store.storage.read("data.zarr/zarr.json")
    assert served.http.exists(url)
    assert not served.http.exists(f"{served.zarr(sweep)}/{CHUNK}")
    assert served.http.size(url) == len(whole)
    assert served.http.cat_file(url, start=5, end=9) == whole[5:9]
    assert served.http.cat_file(url, start=-4) == whole[-4:]
