"""What another sweep has is copied byte for byte, if it is whole; wherever the two lie."""

import math
from dataclasses import replace

import pytest

from delocal.workers.grid import Dimension, Grid
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan
from delocal.workers.recall import Memory
from delocal.workers.storage import within
from delocal.workers.store import SweepStore, receipt_name

ENERGY = "data.zarr/dear/energy/c.1.1"  # of block 3
NEW = [(1.0, n) for n in (1.0, 2.0, 3.0, 4.0)]


@pytest.fixture
def dear(toy, install):
    """The toy as a model that is worth remembering, and the cells that it was asked for."""
    asked = []

    def evaluate(parameters, options):
        asked.append((float(parameters["x"]), float(parameters["n"])))
        return toy.evaluate(parameters, options)

    model = replace(toy, name="dear", evaluate=evaluate, seconds_per_cell=0.1)
    install(model)
    return model, asked


@pytest.fixture
def plans(dear, grid, plan_of):
    """A sweep, and one with another place x = 1 that knows of it."""
    model, _ = dear
    x, n = grid.dimensions
    more = Dimension("x", {"x": (*x.values["x"][:2], 1.0, *x.values["x"][2:])})
    small = plan_of(model, grid)
    large = plan_of(model, Grid((more, n), grid.fixed), 4)
    return small, Plan("large", large.parts, large.provenance, ("sweep",))


@pytest.fixture
def source(plans, place):
    return run_plan(plans[0], within(place, "sweep"))


def data(store):
    return {n: store.storage.read(n) for n in store.storage.names() if n.startswith("data.zarr")}


def run_large(plans, place, tmp_path, asked):
    """Run the larger sweep; return the cells that were computed for it, once its bytes agree."""
    asked.clear()
    store = run_plan(plans[1], within(place, "large"))
    computed = list(asked)
    alone = run_plan(replace(plans[1], sources=()), tmp_path / "alone")
    assert data(store) == data(alone)
    return computed


def test_what_is_there_is_copied_with_its_bytes(dear, plans, source, place, tmp_path):
    computed = run_large(plans, place, tmp_path, dear[1])
    assert sorted(computed) == NEW


def flip(storage, name):
    good = storage.read(name)
    storage.write(name, good[:40] + bytes([good[40] ^ 4]) + good[41:])


@pytest.mark.parametrize(
    "damage",
    [
        lambda storage: storage.remove(ENERGY),
        lambda storage: flip(storage, ENERGY),
        lambda storage: storage.write(ENERGY, storage.read("data.zarr/dear/energy/c.1.0")),
        lambda storage: storage.remove(receipt_name("dear", 3)),
    ],
    ids=["missing chunk", "flipped bit", "another chunk", "not signed"],
)
def test_cells_of_a_block_that_is_not_whole_are_computed(
    dear, plans, source, place, tmp_path, damage
):
    """Else a chunk that is lost would be copied as NaN that are done."""
    damage(source.storage)
    computed = run_large(plans, place, tmp_path, dear[1])
    assert set(computed) == {*NEW, *((x, n) for x in (4.9, 5.5) for n in (3.0, 4.0))}


def test_a_variable_of_fewer_dimensions_is_answered_for_by_the_block_that_wrote_it(
    dear, plans, source, place, tmp_path
):
    """`slopes` along n are of blocks 0 and 1, whatever x is."""
    source.storage.remove("data.zarr/dear/slopes/c.1.0")
    computed = run_large(plans, place, tmp_path, dear[1])
    assert {n for x, n in computed if x != 1.0} == {3.0, 4.0}


def test_a_source_that_is_gone_is_computed_again(dear, plans, source, place, tmp_path):
    source.storage.clear("plan.json")
    assert len(run_large(plans, place, tmp_path, dear[1])) == 6 * 4


def test_a_source_that_is_removed_while_it_is_read_gives_nothing_wrong(dear, plans, source, place):
    """Its plan was read before, and some of its chunks are still there."""
    part = plans[1].parts[0]
    memory = Memory.of([SweepStore(source.location)], part)
    source.storage.remove("plan.json")
    source.storage.remove(ENERGY)
    point = {"x": 4.9, "n": 4.0, "size": 3.0, "scale": 3.0}
    assert memory.find(point) is None
    other = {**point, "x": 0.1}
    assert memory.find(other)["energy"] == pytest.approx(3.0 * 4.5 * math.exp(-0.1))
