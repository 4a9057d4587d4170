"""Monte Carlo cells: their replicas, the summary, and that nothing but the cell decides."""

import random
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from delocal.physics.model import STATUS, Model, Parameter, Status, Variable
from delocal.workers.block import run_block
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan, plan_parts
from delocal.workers.sampling import Sampling
from delocal.workers.store import SweepStore


def replicate(point, options, rng, cancelled):
    x = rng.normal(point["mean"], point["sigma"])
    return {"x": x, "squares": np.array([x**2, 1.0])}


NOISE = Model(
    name="noise",
    version="1",
    kind="monte-carlo",
    title="Normal numbers",
    reference="none",
    parameters=(Parameter("mean", "mean", "1"), Parameter("sigma", "width", "1", minimum=0)),
    variables=(
        STATUS,
        Variable("exact", "exact mean"),
        Variable("x", "number", estimated=True),
        Variable("squares", "its square, and one", dims=("power",), estimated=True),
    ),
    evaluate=lambda mesh, options: {"exact": mesh["mean"] + 0 * mesh["sigma"]},
    replicate=replicate,
    target="x",
    coordinates={"power": ("two", "zero")},
    seconds_per_cell=1e-2,
)
GRID = Grid(
    (
        Dimension("mean", {"mean": (0.5, 1.0, 4.0, 50.0)}),
        Dimension("sigma", {"sigma": (0.0, 0.1, 1.0)}),
    )
)
REPRODUCIBLE = ("status", "exact", "x", "x_stderr", "squares", "squares_stderr", "n_replicas")


@pytest.fixture
def noise(install):
    install(NOISE)
    return NOISE


def plan_of(model, grid=GRID, cells=None, *, replicas=8, most=8, target=None, seed=1):
    sampling = Sampling(replicas, most, target, seed)
    return Plan("noise", plan_parts(model, grid, {}, sampling, cells), {})


def contents(ds):
    return {name: ds[name].values.tobytes() for name in (*REPRODUCIBLE, "target_reached")}


def run(plan, path):
    return run_plan(plan, path).open_model("noise").load()


def test_the_summary_is_the_mean_of_the_stored_replicas_and_its_error(noise, tmp_path):
    store = run_plan(plan_of(noise), tmp_path / "s")
    ds, raw = store.open_model("noise").load(), store.open_model("noise_replicas").load()
    assert raw.x.dims == ("mean", "sigma", "replica")
    assert ds.squares.dims == ("mean", "sigma", "power")
    np.testing.assert_allclose(ds.x, raw.x.mean("replica"))
    np.testing.assert_allclose(ds.x_stderr, raw.x.std("replica", ddof=1) / np.sqrt(8))
    np.testing.assert_allclose(ds.squares.sel(power="two"), (raw.x**2).mean("replica"))
    assert (ds.squares_stderr.sel(power="zero") == 0).all()
    assert (ds.exact == ds["mean"]).all()
    assert (ds.n_replicas == 8).all()
    assert (ds.status == Status.DONE).all()
    assert (ds.core_seconds > 0).all()
    spent = ds.core_seconds * (100 * ds.x_stderr / ds.x) ** 2
    np.testing.assert_allclose(ds.seconds_per_percent, spent)
    assert "replicas" in raw.attrs["title"]


@pytest.mark.parametrize("target", [None, 0.02])
def test_the_bytes_do_not_depend_on_how_cells_are_cut(noise, tmp_path, target):
    most = 8 if target is None else 64
    whole = contents(run(plan_of(noise, cells=100, most=most, target=target), tmp_path / "a"))
    for cells in (1, 2, 5):
        plan = plan_of(noise, cells=cells, most=most, target=target)
        assert contents(run(plan, tmp_path / f"{cells}")) == whole


def test_the_bytes_do_not_depend_on_the_order(noise, tmp_path):
    plan = plan_of(noise, cells=2)
    reference = contents(run(plan, tmp_path / "a"))
    store = SweepStore(tmp_path / "b")
    store.create(plan)
    replicas, summary = plan.parts
    jobs = list(replicas.blocks)
    random.Random(3).shuffle(jobs)
    for block in jobs:
        run_block(store, replicas.name, block)
    for block in reversed(list(summary.blocks)):
        run_block(store, summary.name, block)
    assert contents(store.open_model("noise").load()) == reference


def test_a_cell_alone_is_what_it_is_in_a_sweep(noise, tmp_path):
    whole = run(plan_of(noise, most=64, target=0.02), tmp_path / "a")
    one = Grid((), {"mean": 4.0, "sigma": 1.0})
    alone = run(plan_of(noise, one, most=64, target=0.02), tmp_path / "b")
    for name in REPRODUCIBLE:
        here = whole[name].sel(mean=4.0, sigma=1.0).values
        assert here.tobytes() == alone[name].values.tobytes(), name


def test_the_seed_and_the_options_of_a_sweep_change_the_numbers(noise, tmp_path):
    first = run(plan_of(noise), tmp_path / "a")
    second = run(plan_of(noise, seed=2), tmp_path / "b")
    moved = (first.x != second.x).sel(sigma=[0.1, 1.0])
    assert moved.all()


def test_more_replicas_keep_the_first_ones(noise, tmp_path):
    few = run_plan(plan_of(noise), tmp_path / "a").open_model("noise_replicas").x
    many = run_plan(plan_of(noise, replicas=16, most=16), tmp_path / "b")
    more = many.open_model("noise_replicas").x
    assert more.isel(replica=slice(8)).values.tobytes() == few.values.tobytes()


def test_replicas_go_on_until_the_error_is_small_enough(noise, tmp_path):
    ds = run(plan_of(noise, most=64, target=0.02), tmp_path / "s")
    reached = ds.x_stderr <= 0.02 * abs(ds.x)
    assert (reached == (ds.target_reached == 1)).all()
    assert (ds.status == np.where(reached, Status.DONE, Status.NOT_CONVERGED)).all()
    assert ds.n_replicas.sel(mean=50.0).values.tolist() == [8, 8, 8]
    assert ds.n_replicas.sel(mean=0.5, sigma=1.0) == 64  # would need (1 / 0.01)^2
    assert set(np.unique(ds.n_replicas)) <= {8, 16, 32, 64}
    assert reached.any()
    assert not reached.all()


def test_the_budget_need_not_be_a_power_of_two(noise, tmp_path):
    ds = run(plan_of(noise, most=20, target=1e-6), tmp_path / "s")
    assert ds.n_replicas.sel(mean=1.0, sigma=1.0) == 20
    assert ds.status.sel(mean=1.0, sigma=1.0) == Status.NOT_CONVERGED


def test_a_replica_that_raises_is_left_out_and_told(install, tmp_path):
    def sometimes(point, options, rng, cancelled):
        x = rng.random()
        if x < 0.3 or point["mean"] == 50.0:
            raise ArithmeticError(f"no luck with {x:.3f}")
        return {"x": x, "squares": np.zeros(2)}

    model = replace(NOISE, replicate=sometimes)
    install(model)
    plan = plan_of(model)
    store = run_plan(plan, tmp_path / "s")
    ds, raw = store.open_model("noise").load(), store.open_model("noise_replicas").load()
    assert (ds.status.sel(mean=50.0) == Status.FAILED).all()
    assert ds.x.sel(mean=50.0).isnull().all()
    rest = ds.sel(mean=[0.5, 1.0, 4.0])
    assert (rest.status == Status.DONE).all()
    assert (
        rest.n_replicas == (raw.status == Status.DONE).sum("replica").sel(mean=rest["mean"])
    ).all()
    assert 8 * 9 > int(rest.n_replicas.sum()) > 8 * 9 * 0.5
    failures = [
        failure
        for block in plan.parts[0].blocks
        for failure in store.receipt("noise_replicas", block).failures
    ]
    assert len(failures) == int((raw.status == Status.FAILED).sum())
    assert "no luck" in failures[0]["error"]
    assert "replica" in failures[0]["parameters"]


def test_a_cell_outside_the_domain_is_a_result(install, tmp_path):
    def bounded(point, options, rng, cancelled):
        if point["sigma"] > 0.5:
            return {"x": np.nan, "squares": np.nan, "status": Status.OUTSIDE_DOMAIN}
        return replicate(point, options, rng, cancelled)

    model = replace(NOISE, replicate=bounded)
    install(model)
    ds = run(plan_of(model, most=64, target=0.001), tmp_path / "s")
    assert (ds.status.sel(sigma=1.0) == Status.OUTSIDE_DOMAIN).all()
    assert (ds.n_replicas.sel(sigma=1.0) == 0).all()
    assert (ds.target_reached.sel(sigma=1.0) == 0).all()


def test_excluded_cells_are_not_sampled(install, tmp_path):
    asked = []

    def watched(point, options, rng, cancelled):
        asked.append((point["mean"], point["sigma"]))
        return replicate(point, options, rng, cancelled)

    model = replace(NOISE, replicate=watched)
    install(model)
    left_out = replace(GRID, exclusions=(Exclusion((("mean", "lt", 1.0),)),))
    ds = run(plan_of(model, left_out), tmp_path / "s")
    assert (ds.status.sel(mean=0.5) == Status.EXCLUDED).all()
    assert (ds.status.sel(mean=1.0) == Status.DONE).all()
    assert 0.5 not in {mean for mean, _ in asked}
    assert len(asked) == 9 * 8


def test_one_dear_cell_is_cut_into_many_blocks(noise):
    dear = replace(NOISE, seconds_per_cell=0.5)
    replicas, summary = plan_parts(dear, Grid((), {"mean": 1.0}), {}, Sampling(16, 64, 0.1, 0))
    assert replicas.block_shape == (2,)  # a second of work
    assert (len(replicas.blocks), replicas.batches, replicas.first_batches) == (32, 32, 8)
    assert len(summary.blocks) == 1


@pytest.mark.slow
def test_error_bars_cover_the_truth_as_often_as_they_say(noise, tmp_path):
    one, two = check_coverage(tmp_path, cells=20_000, replicas=64)
    assert 0.66 < one < 0.70
    assert 0.93 < two < 0.97


def test_error_bars_cover_the_truth(noise, tmp_path):
    check_coverage(tmp_path, cells=2_000, replicas=32)


def check_coverage(path, cells, replicas):
    """Return the coverage of 1 and 1.96 standard errors, which Student's law predicts."""
    widths = tuple(np.linspace(1, 2, cells).tolist())
    grid = Grid((Dimension("sigma", {"sigma": widths}),), {"mean": 3.0})
    ds = run(plan_of(NOISE, grid, cells, replicas=replicas, most=replicas), path / "s")
    pull = abs(ds.x - 3.0) / ds.x_stderr
    covered = [float((pull < width).mean()) for width in (1.0, 1.96)]
    for width, share in zip((1.0, 1.96), covered, strict=True):
        expected = 1 - 2 * stats.t.sf(width, replicas - 1)
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / cells)
    return covered
