"""A model that does not come with delocal runs on Dask workers, or its failure says why not."""

import queue
import sys

import numpy as np
import pytest

from delocal.physics import models
from delocal.workers.block import Task
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.grid import Dimension, Grid
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore
from tests.physics.test_own_models import SOURCE
from tests.waiting import PATIENCE

GRID = Grid((Dimension("x", {"x": (1.0, 2.0, 3.0)}),), {})


@pytest.fixture(scope="module")
def executor():
    cluster = DaskExecutor(ClusterSpec(workers=1))
    yield cluster
    cluster.close()


@pytest.fixture
def law(tmp_path, monkeypatch):
    """Register a model in a file that workers can import, after they were started."""
    folder = tmp_path / "lab"
    folder.mkdir()
    (folder / "lab_laws.py").write_text(SOURCE.format(name="lab-law"))
    monkeypatch.syspath_prepend(folder)
    models.adopt(["lab_laws"])
    yield models.load_models()["lab-law"]
    models.forget("lab-law")
    del sys.modules["lab_laws"]


def outcome(executor, store, model):
    found = queue.Queue()
    task = Task(str(store.root), store.plan.digest, model, (0,))
    executor.submit(task, lambda *outcome: found.put(outcome[1]))
    return found.get(timeout=PATIENCE)


def created(place, plan):
    store = SweepStore(place)
    store.create(plan)
    return store


def test_workers_import_the_module_that_registers(law, plan_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lab"), prepend=":")
    plan = plan_of(law, GRID, 10, {})
    executor = DaskExecutor(ClusterSpec(workers=1))
    try:
        assert executor.slots == 1  # and it was not refused
        [receipt] = outcome(executor, created(tmp_path / "there", plan), law.name)
    finally:
        executor.close()
    assert receipt.checksum == run_plan(plan, tmp_path / "here").receipt(law.name, 0).checksum
    there = SweepStore(tmp_path / "there").open_model(law.name)
    np.testing.assert_array_equal(there.status, [1, 1, 1])


def test_a_worker_that_cannot_import_it_says_so(executor, law, plan_of, tmp_path):
    assert executor.slots == 1  # accepted before the model was there
    found = outcome(executor, created(tmp_path / "there", plan_of(law, GRID, 10, {})), law.name)
    assert isinstance(found, ValueError)
    assert "'lab_laws' cannot be imported here" in str(found)


def test_a_model_of_a_notebook_fails_with_advice_and_disturbs_nobody(executor, plan_of, tmp_path):
    exec(SOURCE.format(name="of-a-notebook"), {"__name__": "__main__"})
    try:
        plan = plan_of(models.load_models()["of-a-notebook"], GRID, 10, {})
        found = outcome(executor, created(tmp_path / "there", plan), "of-a-notebook")
        assert isinstance(found, ValueError)
        assert "registered in a file or package that workers can import" in str(found)
        scaling = models.load_models()["scaling"]
        axes = (Dimension("T", {"T": (1e-3, 1e-2)}),)
        other = plan_of(scaling, Grid(axes, {"d": 2, "alpha": 3, "beta": 3, "W": 1}), 10, {})
        [receipt] = outcome(executor, created(tmp_path / "other", other), "scaling")
        assert receipt.counts == {"done": 2}
    finally:
        models.forget("of-a-notebook")
