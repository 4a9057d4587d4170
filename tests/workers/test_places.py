"""A sweep is the same wherever it lies: a folder or a bucket, and whatever befalls it there."""

import dataclasses
import pickle

import pytest
import xarray as xr

from delocal.service.run import open_sweep
from delocal.workers.block import Task, run_task, store_failed_block
from delocal.workers.grid import Dimension, Grid
from delocal.workers.local import run_plan
from delocal.workers.lost import LostChunk
from delocal.workers.plan import Plan
from delocal.workers.storage import within
from delocal.workers.store import SweepStore, receipt_name

ENERGY = "data.zarr/toy/energy/c.0.0"


@pytest.fixture
def store(plan, place):
    return run_plan(plan, within(place, "sweep"))


def bytes_of(store):
    return {
        name: store.storage.read(name)
        for name in store.storage.names()
        if name.startswith("data.zarr")
    }


def test_it_has_the_bytes_of_a_local_sweep(store, plan, tmp_path):
    reference = run_plan(plan, tmp_path / "reference")
    assert len(bytes_of(store)) > 20
    assert bytes_of(store) == bytes_of(reference)
    xr.testing.assert_identical(store.open_model("toy").load(), reference.open_model("toy").load())
    xr.testing.assert_identical(
        open_sweep(store.location)["toy"].to_dataset().load(), reference.open_model("toy").load()
    )


def test_a_chunk_of_nothing_but_fill_values_is_written(toy, install, plan_of, place):
    """Else it could not be told from one that is missing; beyond x = 5 energies are NaN."""
    install(toy)
    grid = Grid((Dimension("x", {"x": (6.0, 7.0, 8.0)}),), {"n": 2.0})
    store = run_plan(plan_of(toy, grid, 2), within(place, "sweep"))
    ds = store.open_model("toy").load()
    assert ds.energy.isnull().all()
    assert ds.parity == 0
    found = set(store.storage.names())
    for chunk in ("energy/c.0", "energy/c.1", "status/c.0", "status/c.1", "parity/c"):
        assert f"data.zarr/toy/{chunk}" in found
    store.storage.remove("data.zarr/toy/parity/c")
    assert store.receipt("toy", 0) is None


def test_a_sweep_begun_goes_on_with_what_is_missing(store, plan, place):
    before = bytes_of(store)
    versions = {b: store.storage.version(receipt_name("toy", b)) for b in range(4)}
    store.storage.remove(receipt_name("toy", 2))
    store.storage.remove(ENERGY)  # of block 0
    again = run_plan(plan, within(place, "sweep"))
    assert bytes_of(again) == before
    after = {b: store.storage.version(receipt_name("toy", b)) for b in range(4)}
    assert all(after.values())
    assert {b for b in range(4) if after[b] == versions[b]} >= {1, 3}


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda good: good[:40] + bytes([good[40] ^ 4]) + good[41:], "a bit has flipped"),
        (lambda good: good[:-9], "cut off: "),
        (lambda good: b"", "cut off: 0 bytes are left"),
    ],
)
def test_damage_is_named_by_file_and_variable(store, broken, what):
    store.storage.write(ENERGY, broken(store.storage.read(ENERGY)))
    [damage] = store.damage("toy", 0, store.signed("toy", 0))
    assert (damage.name, damage.variable) == (ENERGY, "energy")
    assert what in damage.what
    assert store.receipt("toy", 0) is None
    assert store.receipt("toy", 1) is not None


def test_a_missing_chunk_and_a_foreign_one_are_told_apart(store):
    store.storage.write(ENERGY, store.storage.read("data.zarr/toy/energy/c.0.1"))
    [foreign] = store.damage("toy", 0, store.signed("toy", 0))
    assert foreign.name == receipt_name("toy", 0)
    assert "checksum differs" in foreign.what
    store.storage.remove(ENERGY)
    [missing] = store.damage("toy", 0, store.signed("toy", 0))
    assert (missing.name, missing.what) == (ENERGY, "is missing")


def test_a_lost_chunk_is_an_error_to_who_reads_and_one_that_never_was_is_not(store):
    store.storage.remove(ENERGY)
    for ds in (store.open_model("toy"), open_sweep(store.location)["toy"], copied(store)):
        with pytest.raises(LostChunk, match=r"toy/energy/c\.0\.0 .* `delocal doctor --repair`"):
            ds.energy.compute()
        assert ds.energy.isel(x=-1).compute().isnull().all()  # of other chunks: x is beyond 5
        assert ds.energy.isel(x=-2).compute().notnull().all()
        assert ds.status.compute().all()
    whole = {"x": slice(None), "n": slice(None)}
    with pytest.raises(LostChunk):
        SweepStore(store.location).read(store.plan.parts[0], whole)
    store.forget("toy", 0)
    ds = store.open_model("toy").compute()
    assert ds.energy.isnull()[0, 0]
    recorded = SweepStore(store.location, lambda model, block: (model, block) == ("toy", 0))
    with pytest.raises(LostChunk):
        recorded.open_model("toy").energy.compute()
    assert copied(recorded).energy.compute().isnull()[0, 0]  # no ledger travels


def copied(store):
    """Return a dataset as it comes to another process."""
    return pickle.loads(pickle.dumps(store.open_model("toy")))


def test_what_was_stored_of_a_model_that_is_gone_can_be_read(store, install):
    store.storage.remove(ENERGY)
    install()
    ds = store.open_model("toy").compute()
    assert ds.energy.isnull()[0, 0]
    assert ds.status.all()


def test_a_chunk_of_another_shape_is_named(store):
    store.storage.write(ENERGY, store.storage.read("data.zarr/toy/slopes/c.0.0"))
    [damage] = store.damage("toy", 0, store.signed("toy", 0))
    assert "values instead of" in damage.what


def test_a_task_finds_the_store_by_its_location(plan, place):
    store = SweepStore(within(place, "sweep"))
    store.create(plan)
    receipts = run_task(Task(store.location, plan.digest, "toy", (1, 2)))
    assert [receipt.block for receipt in receipts] == [1, 2]
    assert store.receipt("toy", 2) == receipts[1]
    with pytest.raises(ValueError, match="not the one"):
        run_task(Task(store.location, "0" * 64, "toy", (0,)))


def test_a_store_created_anew_in_its_place_is_another_one(plan, place):
    """A worker that kept the first one open must not write its chunks into the second."""
    first = SweepStore(within(place, "sweep"))
    first.create(plan)
    run_task(Task(first.location, plan.digest, "toy", (0,)))
    first.storage.clear("plan.json")
    part = dataclasses.replace(plan.parts[0], block_shape=(5, 1))
    other = Plan(plan.sweep_id, (part,), plan.provenance)
    second = SweepStore(within(place, "sweep"))
    second.create(other)
    with pytest.raises(ValueError, match="not the one"):
        run_task(Task(first.location, plan.digest, "toy", (0,)))
    [receipt] = run_task(Task(first.location, other.digest, "toy", (3,)))
    assert second.receipt("toy", 3) == receipt


def test_a_block_that_nobody_could_evaluate_is_stored_as_failed(plan, place):
    store = SweepStore(within(place, "sweep"))
    store.create(plan)
    receipt = store_failed_block(store, "toy", 3, RuntimeError("poison"))
    assert store.receipt("toy", 3).counts == receipt.counts
    assert "poison" in store.receipt("toy", 3).failures[0]["error"]


def test_only_a_folder_has_a_path(store, place):
    if place.startswith("s3://"):
        with pytest.raises(ValueError, match="no folder of this machine"):
            _ = store.zarr_path
        assert store.location == f"{place}/sweep"
    else:
        assert str(store.zarr_path) == f"{place}/sweep/data.zarr"


def test_no_sweep_is_an_error_with_its_place(place):
    with pytest.raises(FileNotFoundError, match="holds no sweep"):
        _ = SweepStore(within(place, "nowhere")).plan
    with pytest.raises(FileNotFoundError, match="holds no sweep"):
        open_sweep(within(place, "nowhere"))
