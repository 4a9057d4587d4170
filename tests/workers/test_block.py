"""One block: a cell that fails is a result, and its neighbours do not notice."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.workers.block import (
    FAILURES_KEPT,
    Task,
    evaluate_block,
    run_block,
    run_task,
    store_failed_block,
)
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore


class Trouble(ArithmeticError):
    """What a model raises."""


@pytest.fixture
def failing(toy, install):
    """Return a function: the toy model, which raises wherever x is one of `at`."""

    def make(*at):
        def evaluate(parameters, options):
            if np.isin(parameters["x"], at).any():
                raise Trouble(f"no solution at x = {at}")
            return toy.evaluate(parameters, options)

        model = replace(toy, evaluate=evaluate)
        install(model)
        return model

    return make


def test_a_failed_cell_leaves_its_neighbours_alone(plan, failing, plan_of, grid, tmp_path):
    good = run_plan(plan, tmp_path / "good").open_model("toy").load()
    store = run_plan(plan_of(failing(2.0), grid), tmp_path / "bad")
    bad = store.open_model("toy").load()
    assert (bad.status.sel(x=2.0) == Status.FAILED).all()
    assert bad.energy.sel(x=2.0).isnull().all()
    others = [0.1, 1 / 3, 4.9, 5.5]
    for name in good.data_vars:
        here, there = (
            ds[name].sel(x=others) if "x" in ds[name].dims else ds[name] for ds in (good, bad)
        )
        assert here.values.tobytes() == there.values.tobytes(), name


def test_a_failure_comes_with_what_is_needed_to_repeat_it(failing, plan_of, grid, tmp_path):
    store = run_plan(plan_of(failing(2.0), grid), tmp_path / "sweep")
    receipt = store.receipt("toy", 1)  # x[0:3], n[2:4]
    assert receipt.counts == {"done": 4, "failed": 2}
    first, second = receipt.failures
    assert (first["cell"], second["cell"]) == ([2, 0], [2, 1])
    assert second["parameters"] == {"scale": 3.0, "x": 2.0, "n": 4.0, "size": 3.0}
    assert first["error"].endswith("Trouble: no solution at x = (2.0,)")
    assert first["traceback"].startswith("Traceback")
    assert "in evaluate" in first["traceback"]
    assert not store.receipt("toy", 2).failures


def test_not_every_traceback_is_kept_but_every_failure_is_counted(failing, plan_of, tmp_path):
    many = FAILURES_KEPT + 7
    values = tuple(np.linspace(0, 1, many).tolist())
    grid = Grid((Dimension("x", {"x": values}),), {"n": 1.0})
    part = plan_of(failing(*values), grid, many).part("toy")
    evaluated = evaluate_block(part, 0)
    assert evaluated.counts == {"failed": many}
    assert len(evaluated.failures) == FAILURES_KEPT


def test_failed_cells_are_the_same_however_the_sweep_is_cut(
    failing, plan_of, grid, tmp_path, contents
):
    model = failing(0.1, 1 / 3)
    stores = [run_plan(plan_of(model, grid, cells), tmp_path / f"{cells}") for cells in (2, 6, 20)]
    few, some, one = (contents(store, "toy") for store in stores)
    for name in ("status", "energy", "filling"):
        assert few[name] == some[name] == one[name]


def test_a_lone_cell_may_fail(failing, plan_of, tmp_path):
    store = run_plan(plan_of(failing(1.0), Grid((), {"x": 1.0, "n": 1.0})), tmp_path / "sweep")
    assert int(store.open_model("toy").status) == Status.FAILED
    assert store.receipt("toy", 0).failures[0]["cell"] == []


def test_excluded_cells_are_marked_and_blank(toy, install, plan_of, grid, tmp_path):
    install(toy)
    exclusion = Exclusion((("x", "lt", 2.0), ("n", "in", (2.0, 3.0))))
    plan = plan_of(toy, replace(grid, exclusions=(exclusion,)))
    ds = run_plan(plan, tmp_path / "sweep").open_model("toy").load()
    out = ((ds.x < 2.0) & ds.n.isin([2, 3])).transpose("x", "n")
    assert int(out.sum()) == 4
    np.testing.assert_array_equal(ds.status == Status.EXCLUDED, out)
    assert ds.energy.where(out, drop=True).isnull().all()
    assert ds.energy.where(~out & (ds.x < 5)).count() == 4 * 4 - 4
    assert ds.slopes.notnull().all()  # depends on n and scale, which no exclusion takes away


def test_excluded_cells_are_not_evaluated_to_their_failure(failing, plan_of, tmp_path):
    """One leaves cells out because they are trouble."""
    axes = (Dimension("x", {"x": (1.0, 2.0, 3.0)}),)
    grid = Grid(axes, {"n": 1.0}, (Exclusion((("x", "eq", 2.0),)),))
    store = run_plan(plan_of(failing(2.0), grid), tmp_path / "sweep")
    assert store.open_model("toy").status.values.tolist() == [1, 6, 1]
    assert store.receipt("toy", 0).counts == {"done": 2, "excluded": 1}
    assert not store.receipt("toy", 0).failures


def test_a_block_given_up_is_stored_as_failed(plan, tmp_path):
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)
    receipt = store_failed_block(store, "toy", 1, RuntimeError("it died three times"))
    assert receipt.counts == {"failed": 6}
    assert store.receipt("toy", 1).failures[0]["error"] == "RuntimeError: it died three times"
    status = store.open_model("toy").status
    assert (status[0:3, 2:4] == Status.FAILED).all()
    assert int((status == Status.FAILED).sum()) == 6


def test_a_block_given_up_keeps_its_exclusions(toy, install, plan_of, tmp_path):
    install(toy)
    grid = Grid((Dimension("x", {"x": (1.0, 2.0)}),), {"n": 1.0}, (Exclusion((("x", "eq", 2.0),)),))
    store = SweepStore(tmp_path / "sweep")
    store.create(plan_of(toy, grid))
    assert store_failed_block(store, "toy", 0, RuntimeError("no")).counts == {
        "failed": 1,
        "excluded": 1,
    }


def test_a_model_that_stops_the_process_is_not_a_failed_cell(toy, install, plan_of, grid):
    def evaluate(parameters, options):
        raise KeyboardInterrupt

    model = replace(toy, evaluate=evaluate)
    install(model)
    with pytest.raises(KeyboardInterrupt):
        evaluate_block(plan_of(model, grid).part("toy"), 0)


def test_a_model_whose_arrays_do_not_fit_is_an_error(toy, install, plan_of, grid):
    """It is a mistake of the model, not of its cells."""

    def evaluate(parameters, options):
        return {**toy.evaluate(parameters, options), "spacing": parameters["x"]}

    model = replace(toy, evaluate=evaluate)
    install(model)
    with pytest.raises(ValueError, match="broadcast"):
        evaluate_block(plan_of(model, grid).part("toy"), 0)


def test_one_cell_alone_has_the_bits_that_it_has_in_a_block(plan_of, install, tmp_path, contents):
    """Where one cell of a block fails, the others are evaluated alone."""
    scaling = load_models()["scaling"]
    poison = 2e-3

    def evaluate(parameters, options):
        if np.any(parameters["T"] == poison):
            raise Trouble
        return scaling.evaluate(parameters, options)

    axes = (
        Dimension("T", {"T": (*np.geomspace(1e-7, 1e-3, 23).tolist(), poison)}),
        Dimension("alpha", {"alpha": (2.2, 2.9, 3.3, 4.7)}),
    )
    grid = Grid(axes, {"d": 3.0, "beta": 3.1, "W": 1.3, "L": 77.0})
    good = run_plan(plan_of(scaling, grid, 1000, {}), tmp_path / "good").open_model("scaling")
    model = replace(scaling, evaluate=evaluate)
    install(model)
    bad = run_plan(plan_of(model, grid, 1000, {}), tmp_path / "bad").open_model("scaling")
    assert int((bad.status == Status.FAILED).sum()) == 4
    for name in good.data_vars:
        here, there = (
            ds[name].isel(T=slice(-1)) if "T" in ds[name].dims else ds[name] for ds in (good, bad)
        )
        assert here.values.tobytes() == there.values.tobytes(), name


def test_a_task_for_another_plan_is_refused(plan, plan_of, toy, grid, tmp_path):
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)
    other = plan_of(toy, grid, 2)
    with pytest.raises(ValueError, match="not the one that the task was made for"):
        run_task(Task(str(store.root), other.digest, "toy", (0,)))


def test_a_task_without_a_store_is_an_error(plan, tmp_path):
    with pytest.raises(FileNotFoundError):
        run_task(Task(str(tmp_path / "gone"), plan.digest, "toy", (0,)))


def test_a_store_made_anew_is_not_written_by_what_was_known_of_the_old_one(
    plan, plan_of, toy, grid, tmp_path, contents
):
    """A worker remembers stores by their path; here the folder now holds other blocks."""
    root = tmp_path / "sweep"
    run_plan(plan, root)
    run_task(Task(str(root), plan.digest, "toy", (0,)))
    shutil.rmtree(root)
    other = plan_of(toy, grid, 2)
    SweepStore(root).create(other)
    with pytest.raises(ValueError, match="not the one that the task was made for"):
        run_task(Task(str(root), plan.digest, "toy", (1,)))
    blocks = tuple(other.part("toy").blocks)
    run_task(Task(str(root), other.digest, "toy", blocks))
    whole = run_plan(plan, tmp_path / "whole")
    assert contents(SweepStore(root), "toy") == contents(whole, "toy")


def test_a_store_deleted_and_made_again_is_computed_again(plan, tmp_path):
    root = tmp_path / "sweep"
    task = Task(str(root), plan.digest, "toy", (0, 1, 2, 3))
    for _ in range(2):
        SweepStore(root).create(plan)
        run_task(task)
        assert (SweepStore(root).open_model("toy").status != Status.NOT_COMPUTED).all()
        shutil.rmtree(root)


def test_the_data_are_stored_before_the_receipt(plan, tmp_path, monkeypatch):
    store = SweepStore(tmp_path / "sweep")
    store.create(plan)

    def full(self, receipt):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(SweepStore, "sign", full)
        with pytest.raises(OSError, match="No space"):
            run_block(store, "toy", 0)
    assert store.receipt("toy", 0) is None
    assert (store.open_model("toy").status[:3, :2] == Status.DONE).all()
