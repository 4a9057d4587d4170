"""Blocks of searches: the same bytes however they are cut, and nothing lost that can be kept."""

import random
from dataclasses import replace

import numpy as np
import pytest

from delocal.physics.model import STATUS, Cancelled, Model, Parameter, Status, Variable
from delocal.workers.block import Task, run_block, run_task
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan, plan_parts
from delocal.workers.refinement import CHANGE, Outcome, Refinement
from delocal.workers.sampling import Sampling
from delocal.workers.store import SweepStore

PARAMETERS = (
    Parameter("x", "place", "length", minimum=0),
    Parameter("z", "depth", "energy", default=1.0),
    Parameter("twin", "twin of x", "length", default=1.0),
)
CALLS = []


def well(mesh, options):
    """y crosses z at x = sqrt(z); beyond x = 5 there is nothing; z = 13 raises."""
    x, z, twin = np.broadcast_arrays(mesh["x"], mesh["z"], mesh["twin"])
    CALLS.append(x.size)
    if (z == 13).any():
        raise ValueError("unlucky")
    inside = x <= 5
    return {
        "status": np.where(inside, Status.DONE, Status.OUTSIDE_DOMAIN),
        "y": np.where(inside, x * twin, 0.0),
        "above": np.where(inside, x * twin >= z, 0),
        "depth": mesh["z"] + 0.0,
    }


EXACT = Model(
    name="well",
    version="1",
    kind="closed-form",
    title="A well",
    reference="none",
    parameters=PARAMETERS,
    variables=(
        STATUS,
        Variable("y", "height", "energy"),
        Variable("above", "beyond the edge", dtype="int8", flags={"no": 0, "yes": 1}),
        Variable("depth", "depth", depends=("z",)),
    ),
    evaluate=well,
)


def throw(point, options, rng, cancelled):
    if cancelled():
        return {"y": np.nan, "ones": np.nan}
    if point["z"] == 13 and point["x"] > 1:
        raise ValueError("unlucky")
    if point["z"] == 14 and rng.random() < 0.2:
        raise ValueError("sometimes unlucky")
    return {"y": rng.normal(point["x"], 0.1), "ones": 1.0}


NOISY = replace(
    EXACT,
    name="dice",
    kind="monte-carlo",
    variables=(
        STATUS,
        Variable("y", "height", "energy", estimated=True),
        Variable("ones", "one", estimated=True),
        Variable("ratio", "y over one", derived=True),
        Variable("exact", "x itself"),
    ),
    evaluate=lambda mesh, options: {"exact": mesh["x"] + 0 * mesh["z"]},
    replicate=throw,
    derive=lambda point, known: {"ratio": known["y"] / known["ones"]},
    target="y",
    seconds_per_cell=1e-3,
)
ABOVE = Refinement("above", "x", (0.0, 3.0), "yes", 1e-6, "linear", 100, ("twin",))
DEPTHS = (0.25, 1.0, 2.0, 3.0, 4.0, 100.0, -1.0)
SAMPLING = Sampling(8, 8, None, 1)


@pytest.fixture(autouse=True)
def models(install):
    install(EXACT, NOISY)
    CALLS.clear()


def grid_of(points, depths=DEPTHS, exclusions=()):
    """x, zipped with its twin, and z; x is searched."""
    x = Dimension("x", {"x": points, "twin": points})
    return Grid((x, Dimension("z", {"z": depths})), {}, exclusions)


def plan_of(model, refinement, cells=None, *, depths=DEPTHS, sampling=SAMPLING, exclusions=()):
    grid = grid_of(refinement.points, depths, exclusions)
    return Plan("sweep", plan_parts(model, grid, {}, sampling, cells, refinement), {})


def run(plan, path):
    return run_plan(plan, path).open_model(plan.parts[0].name).load()


def contents(ds):
    return {str(name): variable.values.tobytes() for name, variable in ds.variables.items()}


def test_the_dataset_has_the_threshold_its_bracket_and_how_it_ended(tmp_path):
    ds = run(plan_of(EXACT, ABOVE), tmp_path / "s")
    assert dict(ds.sizes) == {"z": 7}
    assert "x" not in ds.coords
    assert "twin" not in ds.coords
    inside = ds.sel(z=[0.25, 1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(inside.x_refined, np.sqrt(inside.z), atol=0.5e-6)
    assert (inside.x_upper - inside.x_lower <= 1e-6).all()
    assert inside.above_at_lower.values.tolist() == [0] * 5
    assert inside.above_at_upper.values.tolist() == [1] * 5
    assert (inside.status == Status.DONE).all()
    assert (inside.outcome == Outcome.FOUND).all()
    outside = ds.sel(z=[100.0, -1.0])
    assert (outside.status == Status.OUTSIDE_DOMAIN).all()
    assert (outside.outcome == Outcome.NO_CROSSING).all()
    assert np.isnan(outside.x_refined).all()
    assert outside.above_at_lower.values.tolist() == [0, 1]  # nowhere, and everywhere
    assert ds.x_refined.attrs["units"] == "length"
    assert "above becomes or ceases to be yes along x" in ds.attrs["title"]


@pytest.mark.parametrize("target", [0.5, "yes", CHANGE])
def test_every_target_finds_the_same_edge(tmp_path, target):
    variable = "y" if target == 0.5 else "above"
    number = replace(ABOVE, variable=variable, target=target)
    ds = run(plan_of(EXACT, number, depths=(0.5, 0.7)), tmp_path / "s")
    assert ds.x_refined.sel(z=0.5) == pytest.approx(np.sqrt(0.5), abs=1e-6)


def test_the_status_can_be_searched(tmp_path):
    status = replace(ABOVE, variable="status", target="outside_domain", points=(1.0, 9.0))
    ds = run(plan_of(EXACT, status), tmp_path / "s")
    np.testing.assert_allclose(ds.x_refined, 5, atol=1e-6)


def test_what_is_outside_the_domain_has_no_value(tmp_path):
    beyond = replace(ABOVE, points=(0.0, 3.0, 9.0))
    ds = run(plan_of(EXACT, beyond), tmp_path / "s")
    assert ds.outcome.sel(z=100) == Outcome.UNDEFINED
    assert ds.status.sel(z=100) == Status.NOT_CONVERGED
    assert ds.outcome.sel(z=2) == Outcome.FOUND


@pytest.mark.parametrize("model", [EXACT, NOISY], ids=lambda model: model.name)
def test_the_bytes_do_not_depend_on_how_cells_are_cut_nor_on_the_order(tmp_path, model):
    refinement = ABOVE if model is EXACT else replace(ABOVE, variable="ratio", target=1.234)
    reference = contents(run(plan_of(model, refinement, 100), tmp_path / "whole"))
    for cells in (1, 2, 5):
        plan = plan_of(model, refinement, cells)
        store = SweepStore(tmp_path / f"{cells}")
        store.create(plan)
        blocks = list(plan.parts[0].blocks)
        random.Random(cells).shuffle(blocks)
        for block in blocks:
            run_block(store, model.name, block)
        assert contents(store.open_model(model.name).load()) == reference


def test_a_cell_that_raises_fails_alone(tmp_path):
    plan = plan_of(EXACT, ABOVE, depths=(1.0, 13.0, 4.0))
    ds = run(plan, tmp_path / "s")
    assert ds.status.values.tolist() == [Status.DONE, Status.FAILED, Status.DONE]
    assert ds.outcome.values.tolist() == [1, 0, 1]
    assert np.isnan(ds.x_refined.values[1])
    [failure] = SweepStore(tmp_path / "s").receipt("well", 0).failures
    assert (failure["cell"], failure["parameters"]) == ([1], {"z": 13.0})
    assert "unlucky" in failure["traceback"]


def test_cells_that_the_request_leaves_out_are_not_searched(tmp_path):
    leave = (Exclusion((("z", "gt", 1.5),)),)
    ds = run(plan_of(EXACT, ABOVE, exclusions=leave), tmp_path / "s")
    assert (ds.status == np.where(ds.z > 1.5, Status.EXCLUDED, ds.status)).all()
    assert np.isnan(ds.x_refined.sel(z=[2, 3, 4])).all()
    assert (ds.n_evaluations.sel(z=[2, 3, 4]) == 0).all()
    assert max(CALLS) == 3


def test_a_sweep_without_other_axes_is_one_search(tmp_path):
    plan = plan_of(EXACT, ABOVE)
    one = Grid((Dimension("x", {"x": (0.0, 3.0), "twin": (0.0, 3.0)}),), {"z": 2.0})
    plan = Plan("one", plan_parts(EXACT, one, {}, SAMPLING, None, ABOVE), {})
    ds = run(plan, tmp_path / "s")
    assert ds.x_refined.item() == pytest.approx(np.sqrt(2), abs=1e-6)
    assert plan.cells == 1


def test_a_search_ends_when_nobody_wants_it(tmp_path):
    store = SweepStore(tmp_path / "s")
    store.create(plan_of(EXACT, ABOVE))
    looks = iter([False] * 5)
    with pytest.raises(Cancelled):
        run_block(store, "well", 0, lambda: next(looks, True))
    assert len(CALLS) == 5
    assert store.receipt("well", 0) is None
    assert run_task(Task(str(store.root), store.plan.digest, "well", (0,)), lambda: True) == []


def test_a_replica_that_is_told_to_stop_is_no_result(tmp_path):
    store = SweepStore(tmp_path / "s")
    store.create(plan_of(NOISY, replace(ABOVE, variable="y", target=1.0)))
    for looks in range(40):
        left = iter([False] * looks)
        with pytest.raises(Cancelled):
            run_block(store, "dice", 0, lambda left=left: next(left, True))


def test_a_plan_and_its_refinement_come_back_from_json():
    plan = plan_of(NOISY, replace(ABOVE, variable="y", target=1.0))
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.digest == plan.digest


def test_dear_searches_are_cut_into_small_blocks():
    [cheap] = plan_of(EXACT, ABOVE).parts
    [dear] = plan_of(replace(EXACT, seconds_per_cell=0.01), ABOVE).parts
    assert len(cheap.blocks) == 1
    assert dear.evaluations == 2 + 22 + 1  # 3 / 1e-6 is halved 22 times
    assert [dear.blocks.size(b) for b in dear.blocks] == [4, 3]
    [noisy] = plan_of(NOISY, replace(ABOVE, variable="y", target=1.0)).parts
    assert noisy.evaluations == 8 * (2 + 22 + 1 + 3)


class Died(BaseException):
    """Stands for a worker process that ends: nothing catches it."""


def test_a_cell_that_kills_its_worker_is_isolated(tmp_path, install):
    def deadly(mesh, options):
        if np.isin(mesh["z"], 13).any():
            raise Died
        return well(mesh, options)

    install(replace(EXACT, evaluate=deadly))
    store = SweepStore(tmp_path / "s")
    store.create(plan_of(EXACT, ABOVE, depths=(1.0, 13.0, 4.0)))
    task = Task(str(store.root), store.plan.digest, "well", (0,), careful=True)
    journal = store.root / "journals" / "well" / "0000000.json"
    with pytest.raises(Died):
        run_task(task)
    journal.write_text('{"poisoned": [], "at": [1]}')  # as a process that dies leaves it
    receipt = run_block(store, "well", 0, careful=True)
    assert receipt.counts == {"done": 2, "failed": 1}
    assert [f["cell"] for f in receipt.failures] == [[1]]
    np.testing.assert_allclose(store.open_model("well").x_refined[[0, 2]], [1, 2], atol=1e-6)


def test_a_monte_carlo_search_has_an_error_bar(tmp_path):
    noisy = replace(ABOVE, variable="y", target=1.234)
    ds = run(plan_of(NOISY, noisy, depths=tuple(map(float, range(60)))), tmp_path / "s")
    ds = ds.sel(z=[z for z in range(60) if z not in (13, 14)])
    assert (ds.outcome == Outcome.WITHIN_ERROR).all()
    assert (ds.status == Status.DONE).all()
    pulls = (ds.x_refined - 1.234) / ds.x_refined_stderr
    assert np.mean(abs(pulls) < 2) > 0.8  # 8 replicas: Student's law gives 0.91
    assert float(abs(pulls).max()) > 1
    typical = 0.1 / np.sqrt(8)
    assert float(ds.x_refined_stderr.median()) == pytest.approx(typical, rel=0.3)


def test_the_points_of_a_search_are_the_cells_of_an_ordinary_sweep(tmp_path):
    noisy = replace(ABOVE, variable="ratio", target=1.234)
    found = run(plan_of(NOISY, noisy), tmp_path / "s")
    ends = tuple(sorted({*found.x_lower.values, *found.x_upper.values}))
    grid = grid_of(ends)
    plan = Plan("grid", plan_parts(NOISY, grid, {}, SAMPLING), {})
    ds = run_plan(plan, tmp_path / "t").open_model("dice").load()
    for z in DEPTHS:
        for end in ("lower", "upper"):
            there = ds.sel(z=z, x=found[f"x_{end}"].sel(z=z))
            assert found[f"ratio_at_{end}"].sel(z=z).item() == there.ratio.item()
            assert found[f"ratio_at_{end}_stderr"].sel(z=z).item() == there.ratio_stderr.item()


def test_replicas_double_until_the_error_asked_for(tmp_path):
    noisy = replace(ABOVE, variable="y", target=1.234)
    sampling = Sampling(8, 64, 0.01, 1)
    ds = run(plan_of(NOISY, noisy, sampling=sampling), tmp_path / "s")
    assert (ds.y_at_lower_stderr.where(ds.x_lower > 0) <= 0.01 * ds.y_at_lower * 1.0001).any()
    coarse = run(plan_of(NOISY, noisy), tmp_path / "t")
    assert float(ds.x_refined_stderr.mean()) < 0.6 * float(coarse.x_refined_stderr.mean())


def test_an_exact_variable_of_a_monte_carlo_model_needs_no_replica(tmp_path):
    plan = plan_of(NOISY, replace(ABOVE, variable="exact", target=1.234))
    assert plan.parts[0].sampling is None
    ds = run(plan, tmp_path / "s")
    np.testing.assert_allclose(ds.x_refined, 1.234, atol=1e-6)
    assert "x_refined_stderr" not in ds


def test_failing_replicas_are_kept_with_their_cell(tmp_path):
    noisy = replace(ABOVE, variable="y", target=1.234)
    ds = run(plan_of(NOISY, noisy, depths=(1.0, 13.0, 14.0)), tmp_path / "s")
    assert ds.status.values.tolist() == [Status.DONE, Status.FAILED, Status.DONE]
    store = SweepStore(tmp_path / "s")
    failures = [f for b in store.plan.parts[0].blocks for f in store.receipt("dice", b).failures]
    where = {f["parameters"]["z"]: f["cell"] for f in failures}
    assert where.keys() == {13.0, 14.0}
    assert all("replica" in f["parameters"] and "x" in f["parameters"] for f in failures)
