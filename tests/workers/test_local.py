"""`run_plan`: the same bytes however the sweep is cut, and nothing computed twice."""

import queue
import threading
from dataclasses import replace

import numpy as np
import pytest

from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.workers.block import Task
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import LocalExecutor, run_plan
from delocal.workers.store import SweepStore
from tests.waiting import PATIENCE


@pytest.fixture
def counted(toy, install):
    """The toy model, which notes how many cells each call evaluates."""
    calls = []

    def evaluate(parameters, options):
        calls.append(np.broadcast(*parameters.values()).size)
        return toy.evaluate(parameters, options)

    install(replace(toy, evaluate=evaluate))
    return calls


@pytest.mark.parametrize("cells", [1, 2, 3, 7, 20])
def test_the_blocks_do_not_matter(cells, plan, plan_of, toy, grid, tmp_path, contents):
    whole = run_plan(plan, tmp_path / "whole")
    cut = run_plan(plan_of(toy, grid, cells), tmp_path / "cut")
    assert len(cut.plan.part("toy").blocks) >= 20 // cells
    assert contents(cut, "toy") == contents(whole, "toy")


def test_the_blocks_do_not_matter_to_the_scaling_theory(tmp_path, plan_of, contents):
    model = load_models()["scaling"]
    axes = (
        Dimension("d", {"d": (1.0, 2.0, 3.0)}),
        Dimension("alpha", {"alpha": (2.2, 3.0, 4.1, 5.9), "beta": (2.2, 3.0, 3.1, 5.0)}),
        Dimension("T", {"T": tuple(np.geomspace(1e-9, 1e-2, 7).tolist())}),
        Dimension("L", {"L": (10.0, 1e4)}),
    )
    grid = Grid(axes, {"W": 1.0}, (Exclusion((("T", "lt", 1e-7), ("L", "eq", 10.0))),))
    stores = [
        run_plan(plan_of(model, grid, cells, {}), tmp_path / f"{cells}") for cells in (11, 60, 1000)
    ]
    whole = contents(stores[-1], "scaling")
    assert all(contents(store, "scaling") == whole for store in stores)
    statuses = stores[0].open_model("scaling").status.values
    assert set(np.unique(statuses)) == {Status.DONE, Status.OUTSIDE_DOMAIN, Status.EXCLUDED}


def test_every_cell_is_evaluated_once(counted, plan_of, toy, grid, tmp_path):
    progress = []
    run_plan(plan_of(toy, grid), tmp_path / "sweep", progress.append)
    assert counted == [6, 6, 4, 4]
    assert [receipt.block for receipt in progress] == [0, 1, 2, 3]
    assert sum(sum(receipt.counts.values()) for receipt in progress) == 20
    assert all(receipt.seconds > 0 for receipt in progress)


def test_a_finished_sweep_is_not_computed_again(counted, plan_of, toy, grid, tmp_path):
    first = run_plan(plan_of(toy, grid), tmp_path / "sweep")
    before, times = len(counted), mtimes(first)
    progress = []
    run_plan(plan_of(toy, grid), tmp_path / "sweep", progress.append)
    assert (len(counted), len(progress)) == (before, 4)
    assert mtimes(first) == times


def mtimes(store):
    return {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}


def test_only_what_was_lost_is_computed_again(
    counted, plan_of, toy, grid, tmp_path, contents, chunks
):
    store = run_plan(plan_of(toy, grid), tmp_path / "sweep")
    whole = contents(store, "toy")
    receipts = sorted((store.root / "receipts").rglob("*.json"))
    receipts[1].unlink()  # killed before it was signed
    chunk = chunks(store, "energy")[-1]
    chunk.write_bytes(chunk.read_bytes()[:-5])  # torn
    kept = {path: path.stat().st_mtime_ns for path in (receipts[0], receipts[2])}
    counted.clear()
    run_plan(plan_of(toy, grid), store.root)
    assert counted == [6, 4]
    assert contents(store, "toy") == whole
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert all(store.receipt("toy", block) for block in range(4))


def test_an_interrupted_sweep_goes_on(counted, plan_of, toy, grid, tmp_path, contents):
    class Killed(BaseException):
        pass

    def kill(receipt):
        if receipt.block == 1:
            raise Killed

    with pytest.raises(Killed):
        run_plan(plan_of(toy, grid), tmp_path / "sweep", kill)
    assert counted == [6, 6]
    store = run_plan(plan_of(toy, grid), tmp_path / "sweep")
    assert counted == [6, 6, 4, 4]
    undisturbed = run_plan(plan_of(toy, grid), tmp_path / "undisturbed")
    assert contents(store, "toy") == contents(undisturbed, "toy")


@pytest.mark.parametrize("other", ["cells", "values", "options"])
def test_a_folder_with_another_sweep_is_refused(
    plan, plan_of, toy, grid, tmp_path, other, contents
):
    store = run_plan(plan, tmp_path / "sweep")
    before = contents(store, "toy")
    plans = {
        "cells": plan_of(toy, grid, 2),
        "values": plan_of(toy, replace(grid, fixed={"scale": 4.0})),
        "options": plan_of(toy, grid, options={"zero_point": "no"}),
    }
    with pytest.raises(ValueError, match="holds another sweep; choose an empty folder"):
        run_plan(plans[other], tmp_path / "sweep")
    assert contents(store, "toy") == before


def test_folders_are_made_as_needed(plan, tmp_path):
    assert run_plan(plan, tmp_path / "a" / "b" / "sweep").exists()


def test_the_executor_reports_each_task_once(plan, tmp_path):
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)
    executor, outcomes = LocalExecutor(), queue.Queue()
    good = Task(str(store.root), plan.digest, "toy", (3, 1))
    bad = replace(good, digest="0" * 64)
    for task in (good, bad):
        executor.submit(task, lambda *outcome: outcomes.put(outcome))
    (first, receipts), (second, error) = (outcomes.get(timeout=PATIENCE) for _ in range(2))
    executor.close()
    assert outcomes.empty()
    assert (first, second) == (good, bad)
    assert [receipt.block for receipt in receipts] == [3, 1]
    assert isinstance(error, ValueError)
    assert executor.slots == 1
    assert executor.description == "this process"


def test_a_shortened_task_ends_after_one_more_block(counted, plan, tmp_path):
    store, executor, outcomes = SweepStore(tmp_path / "sweep"), LocalExecutor(), queue.Queue()
    store.create(plan)
    shortened = threading.Event()
    executor._pool.submit(shortened.wait, PATIENCE)
    task = Task(str(store.root), plan.digest, "toy", tuple(plan.part("toy").blocks))
    executor.submit(task, lambda _, outcome: outcomes.put(outcome))
    executor.shorten(task.root)
    shortened.set()
    assert [receipt.block for receipt in outcomes.get(timeout=PATIENCE)] == [0]
    executor.close()
