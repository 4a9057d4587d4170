"""How a sweep lies on disk: as any reader sees it, and what becomes of it in accidents."""

import contextlib
import json
import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from delocal.physics.model import Status
from delocal.workers import storage
from delocal.workers.block import run_block
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan, plan_part
from delocal.workers.store import Receipt, SweepStore


@pytest.fixture
def store(plan, tmp_path):
    return run_plan(plan, tmp_path / "sweep")


@pytest.fixture
def empty(plan, tmp_path):
    created = SweepStore(tmp_path / "sweep")
    created.create(plan)
    return created


def test_plain_xarray_opens_it(store):
    one = xr.open_zarr(store.zarr_path / "toy")
    tree = xr.open_datatree(store.zarr_path, engine="zarr")
    xr.testing.assert_identical(one.load(), tree["toy"].to_dataset().load())
    xr.testing.assert_identical(one, store.open_model("toy").load())
    xr.testing.assert_identical(one, store.open()["toy"].to_dataset().load())
    assert list(tree.children) == ["toy"]


def test_it_opens_with_and_without_consolidated_metadata(store):
    path = store.zarr_path / "toy"
    consolidated = xr.open_zarr(path, consolidated=True).load()
    xr.testing.assert_identical(consolidated, xr.open_zarr(path, consolidated=False).load())


def test_coordinates_lie_where_the_request_put_them(store):
    ds = store.open_model("toy")
    assert ds.sizes == {"x": 5, "n": 4, "wrt": 2}
    assert {name: c.dims for name, c in ds.coords.items()} == {
        "x": ("x",),
        "n": ("n",),
        "size": ("n",),
        "scale": (),
        "wrt": ("wrt",),
    }
    assert ds["size"].values.tolist() == [0.5, 0.25, 1e-300, 3.0]
    assert (ds.n.dtype, ds.x.dtype, ds.x.values[1]) == ("int64", "float64", 1 / 3)
    np.testing.assert_array_equal(ds.slopes.sel(wrt="scale"), [1.5, 2.5, 3.5, 4.5])
    assert float(ds.energy.sel(x=0.1, n=3)) == 3.0 * 3.5 * np.exp(-0.1)


def test_every_variable_has_its_attributes(store, toy):
    ds = store.open_model("toy")
    assert set(ds.data_vars) == {variable.name for variable in toy.variables}
    for variable in toy.variables:
        stored = ds[variable.name]
        assert stored.attrs == json.loads(json.dumps(variable.attributes))
        assert stored.dtype == variable.dtype
    for name in ("x", "n", "size", "scale"):
        parameter = toy.parameter(name)
        assert ds[name].attrs == {"long_name": parameter.long_name, "units": parameter.units}
    meanings = ds.status.attrs["flag_meanings"].split()
    assert dict(zip(meanings, ds.status.attrs["flag_values"], strict=True)) == {
        status.label: int(status) for status in Status
    }
    assert ds.attrs["model"] == "toy"
    assert json.loads(ds.attrs["options"]) == {"zero_point": "yes"}
    assert ds.attrs["source"] == store.open().attrs["source"] == "a test"


def test_a_created_store_says_that_nothing_is_computed(empty):
    ds = empty.open_model("toy")
    assert (ds.status == Status.NOT_COMPUTED).all()
    assert ds.energy.isnull().all()
    assert empty.receipt("toy", 0) is None


def test_several_models_lie_side_by_side(toy, install, tmp_path):
    other = replace(toy, name="other", title="Another")
    install(toy, other)
    grid = Grid((Dimension("x", {"x": (1.0, 2.0, 3.0)}),), {"n": 1.0})
    parts = tuple(plan_part(model, grid, {"zero_point": "no"}, 2) for model in (toy, other))
    store = run_plan(Plan("two", parts, {}), tmp_path / "sweep")
    tree = xr.open_datatree(store.zarr_path, engine="zarr")
    assert set(tree.children) == {"toy", "other"}
    assert tree["other"].attrs["title"] == "Another"
    np.testing.assert_array_equal(tree["other"].energy, tree["toy"].energy)


@pytest.mark.parametrize(
    ("grid", "sizes"),
    [
        (Grid((), {"x": 1.0, "n": 2.0}), {}),
        (Grid((Dimension("x", {"x": (1.0,)}),), {"n": 2.0}), {"x": 1}),
        (Grid((Dimension("case", {"x": (1.0, 2.0), "n": (2.0, 3.0)}),)), {"case": 2}),
    ],
)
def test_small_sweeps(grid, sizes, toy, install, plan_of, tmp_path):
    """No axis at all, one point, explicit cases."""
    install(toy)
    ds = run_plan(plan_of(toy, grid), tmp_path / "sweep").open_model("toy").load()
    assert ds.sizes == {**sizes, "wrt": 2}
    assert set(ds.coords) == {"x", "n", "scale", "wrt"}
    assert (ds.status == Status.DONE).all()
    np.testing.assert_array_equal(ds.energy, ds.scale * (ds.n + 0.5) * np.exp(-ds.x))


def test_a_model_may_be_without_the_parameter_that_leads_a_dimension(
    toy, install, plan_of, tmp_path
):
    """`n` is tied to a parameter of another model: it is a coordinate along its dimension."""
    install(toy)
    leader = Dimension("alpha", {"alpha": (7.0, 8.0), "n": (1.0, 2.0)})
    ds = run_plan(plan_of(toy, Grid((leader,), {"x": 1.0})), tmp_path / "s").open_model("toy")
    assert ds.energy.dims == ds.n.dims == ("alpha",)
    assert "alpha" not in ds.coords
    assert "n" in ds.coords


def test_a_block_of_nothing_but_nan_is_on_disk(toy, install, plan_of, tmp_path, chunks):
    """Else it could not be told from one that is missing."""
    install(toy)
    plan = plan_of(toy, Grid((Dimension("x", {"x": (6.0, 7.0, 8.0, 9.0)}),), {"n": 1.0}), 2)
    store = run_plan(plan, tmp_path / "sweep")
    assert store.open_model("toy").energy.isnull().all()
    assert len(chunks(store, "energy")) == len(chunks(store, "status")) == 2
    assert store.receipt("toy", 1).counts == {"outside_domain": 2}


def test_an_excluded_block_is_on_disk(toy, install, plan_of, tmp_path, chunks):
    install(toy)
    axes = (Dimension("x", {"x": (1.0, 2.0, 3.0, 4.0)}),)
    grid = Grid(axes, {"n": 1.0}, (Exclusion((("x", "gt", 2.0),)),))
    store = run_plan(plan_of(toy, grid, 2), tmp_path / "sweep")
    ds = store.open_model("toy")
    assert ds.status.values.tolist() == [1, 1, 6, 6]
    assert ds.energy.isnull().values.tolist() == [False, False, True, True]
    assert len(chunks(store, "energy")) == 2
    assert store.receipt("toy", 1).counts == {"excluded": 2}


@pytest.mark.parametrize("variable", ["energy", "status", "slopes"])
def test_no_bit_of_a_chunk_can_flip_unnoticed(store, chunks, variable):
    chunk = chunks(store, variable)[0]
    good = chunk.read_bytes()
    for place in range(len(good)):
        chunk.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        assert store.receipt("toy", 0) is None, place
    chunk.write_bytes(good)
    assert store.receipt("toy", 0) is not None


def test_a_flipped_bit_is_an_error_to_a_plain_reader_too(store, chunks):
    chunk = chunks(store, "energy")[0]
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        xr.open_zarr(store.zarr_path / "toy").energy.load()


def test_a_torn_or_missing_chunk_invalidates_its_receipt(store, chunks):
    chunk = chunks(store, "energy")[0]
    good = chunk.read_bytes()
    for length in range(len(good)):
        chunk.write_bytes(good[:length])
        assert store.receipt("toy", 0) is None, length
    chunk.unlink()
    assert store.receipt("toy", 0) is None


def test_a_chunk_of_another_block_invalidates_the_receipt(store, chunks):
    first, second = chunks(store, "energy")[:2]
    first.write_bytes(second.read_bytes())
    assert store.receipt("toy", 0) is None
    assert store.receipt("toy", 1) is not None


def test_blocks_write_chunks_of_their_own_and_no_metadata(empty):
    """Two writers of one chunk, or of one document, would lose data without a word."""

    def versions():
        names = empty.storage.names("data.zarr")
        return {name: empty.storage.version(name) for name in names}

    begin, written = versions(), []
    for block in empty.plan.part("toy").blocks:
        before = versions()
        run_block(empty, "toy", block)
        written += [name for name, version in versions().items() if version != before.get(name)]
    assert len(written) == len(set(written)) > 8
    assert set(written).isdisjoint(begin)


def test_only_the_owner_of_a_chunk_answers_for_it(store, chunks):
    """`slopes` is written by the first blocks along x, and is theirs."""
    chunks(store, "slopes")[0].unlink()
    valid = [store.receipt("toy", block) is not None for block in range(4)]
    assert valid == [False, True, True, True]


@pytest.mark.parametrize("content", ["", "{", '{"model": "toy"}', "null", "[]", '{"a": 1}', "\x00"])
def test_a_torn_receipt_is_none(store, content):
    """A power cut may leave an empty file where a receipt was renamed to its place."""
    receipt = next((store.root / "receipts").rglob("*0.json"))
    receipt.write_text(content)
    assert store.receipt("toy", 0) is None


def test_receipts_say_what_they_were_signed_with(empty):
    receipt = Receipt("toy", 3, "00000000", {"done": 2}, 0.5, ({"cell": [0], "error": "e"},))
    empty.sign(receipt)
    assert empty.receipt("toy", 3) is None  # there are no such data
    checksum = run_block(empty, "toy", 0).checksum
    signed = replace(receipt, block=0, checksum=checksum)
    empty.sign(signed)
    again = SweepStore(empty.root).receipt("toy", 0)
    assert (again.counts, again.seconds) == ({"done": 2}, 0.5)
    assert [dict(failure) for failure in again.failures] == [{"cell": [0], "error": "e"}]


def test_leftovers_of_killed_writers_disturb_nobody(store, chunks):
    before = store.open_model("toy").load()
    chunk = chunks(store, "energy")[0]
    chunk.with_name(f"{chunk.name}.0123abcd.partial").write_bytes(b"half")
    (chunk.parent / "0123abcd.partial").write_bytes(b"half")
    receipt = next((store.root / "receipts").rglob("*.json"))
    receipt.with_name(f"{receipt.name}.0123abcd.partial").write_text('{"mod')
    shutil.copytree(store.root, store.root.with_name("sweep.0123abcd.partial"))
    xr.testing.assert_identical(xr.open_zarr(store.zarr_path / "toy").load(), before)
    xr.open_datatree(store.zarr_path, engine="zarr").close()
    assert all(store.receipt("toy", block) for block in range(4))


def test_a_store_appears_whole_or_not_at_all(plan, tmp_path, monkeypatch):
    """Creation dies after each of its files in turn; the next attempt succeeds."""
    target, real = SweepStore(tmp_path / "sweep"), storage.write_bytes
    allowed = 0

    def dying(path, content):
        if dying.left == 0:
            raise KeyboardInterrupt
        dying.left -= 1
        real(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", dying)
        while not target.exists():
            dying.left = allowed
            with contextlib.suppress(KeyboardInterrupt):
                target.create(plan)
            assert target.exists() or not target.root.exists()
            allowed += 1
    assert allowed > 10
    assert target.plan == plan


def test_leftovers_of_an_interrupted_creation_are_not_taken_for_the_store(plan, tmp_path):
    leftover = tmp_path / "sweep.deadbeef.partial"
    (leftover / "data.zarr" / "toy").mkdir(parents=True)
    (leftover / "plan.json").write_text("{")
    store = SweepStore(tmp_path / "sweep")
    assert not store.exists()
    store.create(plan)
    assert store.plan == plan


def test_an_empty_folder_becomes_the_store(plan, tmp_path):
    store = SweepStore(tmp_path)
    store.create(plan)
    assert store.exists()


def test_a_folder_with_other_things_in_it_is_left_alone(plan, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "letter.txt").write_text("dear")
    with pytest.raises(OSError, match="sweep"):
        SweepStore(tmp_path / "sweep").create(plan)
    assert [p.name for p in tmp_path.rglob("*")] == ["sweep", "letter.txt"]


def test_creating_again_keeps_the_data(store, plan, contents):
    before = contents(store, "toy")
    SweepStore(store.root).create(plan)
    assert contents(store, "toy") == before


def test_two_creators_at_once_leave_one_valid_store(plan, tmp_path):
    stores = [SweepStore(tmp_path / "sweep") for _ in range(8)]
    barrier, errors = threading.Barrier(len(stores)), []

    def create(store):
        barrier.wait()
        try:
            store.create(plan)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=create, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]
    assert all(store.plan == plan for store in stores)
    assert run_block(stores[0], "toy", 0).checksum == stores[7].receipt("toy", 0).checksum


def test_the_loser_of_a_race_keeps_the_winners_data(plan, tmp_path, monkeypatch):
    """The other one created and even wrote a block between our look and our rename."""
    winner, loser = SweepStore(tmp_path / "sweep"), SweepStore(tmp_path / "sweep")
    winner.create(plan)
    receipt = run_block(winner, "toy", 0)
    looks = iter([False, True])
    with monkeypatch.context() as patch:
        patch.setattr(SweepStore, "exists", lambda self: next(looks))
        loser.create(plan)
    assert loser.receipt("toy", 0).checksum == receipt.checksum
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


def test_two_writers_of_one_block_agree(plan, tmp_path, contents):
    """A block that two workers were given has the bytes of one."""
    alone = run_plan(plan, tmp_path / "alone")
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)
    both, errors = threading.Barrier(2), []

    def work():
        both.wait()
        try:
            for block in range(4):
                run_block(SweepStore(store.root), "toy", block)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert contents(store, "toy") == contents(alone, "toy")
    assert all(store.receipt("toy", block) for block in range(4))


def test_a_dataset_goes_to_netcdf_as_it_is(store, tmp_path):
    ds = store.open_model("toy").load().drop_vars("wrt", errors="ignore")
    texts = [name for name in ds.coords if ds[name].dtype.kind == "T"]
    ds.drop_vars(texts).to_netcdf(tmp_path / "toy.nc", engine="scipy", format="NETCDF3_64BIT")
