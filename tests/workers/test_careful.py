"""A journal names the cell at which a worker died, and its neighbours are not lost."""

import numpy as np
import pytest

from delocal.physics.model import Cancelled, Status
from delocal.workers.block import Task, run_block, run_task
from delocal.workers.careful import Journal, WorkerDied
from delocal.workers.grid import Dimension, Grid
from delocal.workers.storage import Folder
from delocal.workers.store import SweepStore


class Died(BaseException):
    """Stands for a worker process that ends: nothing catches it."""


@pytest.fixture
def deadly(toy, install, plan_of, tmp_path):
    """A sweep of a model that kills whoever evaluates it at x = 2 or 4."""

    def evaluate(mesh, options):
        if np.isin(mesh["x"], [2.0, 4.0]).any():
            raise Died
        return toy.evaluate(mesh, options)

    from dataclasses import replace

    model = replace(toy, evaluate=evaluate)
    install(model)
    grid = Grid((Dimension("x", {"x": (1.0, 2.0, 3.0, 4.0, 5.0)}),), {"n": 1.0, "scale": 2.0}, ())
    plan = plan_of(model, grid, 100, {"zero_point": "yes"})
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)
    return store


def test_each_death_costs_one_cell_and_no_neighbour(deadly):
    for _ in range(2):
        with pytest.raises(Died):
            run_task(Task(str(deadly.root), deadly.plan.digest, "toy", (0,), careful=True))
        die_here(deadly)
    receipt = run_block(deadly, "toy", 0, careful=True)
    assert receipt.counts == {"done": 3, "failed": 2}
    assert [f["cell"] for f in receipt.failures] == [[1], [3]]
    assert [f["parameters"]["x"] for f in receipt.failures] == [2.0, 4.0]
    assert WorkerDied.__name__ in receipt.failures[0]["error"]
    ds = deadly.open_model("toy").load()
    np.testing.assert_array_equal(ds.status == Status.FAILED, [False, True, False, True, False])
    assert np.isfinite(ds.energy.values[[0, 2, 4]]).all()
    assert not list((deadly.root / "journals").rglob("*.json"))


def die_here(store):
    """Put the journal back to where a process that dies leaves it: nobody tidies up."""
    [path] = (store.root / "journals").rglob("*.json")
    journal = Journal.of(store.storage, str(path.relative_to(store.root)))
    next_one = {1: (1,), 2: (3,)}[len(journal._poisoned) + 1]
    journal._write(next_one)


def test_who_stops_because_it_was_told_to_blames_no_cell(tmp_path):
    place, path = Folder(tmp_path), tmp_path / "journals" / "0.json"

    def stop_at_1():
        with Journal.of(place, "journals/0.json") as journal:
            for cell in journal.cells(np.ones(3, bool)):
                if cell == (1,):
                    raise Cancelled

    with pytest.raises(Cancelled):
        stop_at_1()
    with Journal.of(place, "journals/0.json") as again:
        assert list(again.cells(np.ones(3, bool))) == [(0,), (1,), (2,)]
    assert not path.exists()


def test_the_journal_is_written_before_the_cell_is_tried(tmp_path):
    place = Folder(tmp_path)
    cells = Journal.of(place, "journals/0.json").cells(np.array([True, False, True]))
    assert next(cells) == (0,)
    assert Journal.of(place, "journals/0.json")._poisoned == {(0,)}
    assert next(cells) == (2,)
    assert Journal.of(place, "journals/0.json")._poisoned == {(2,)}
