"""The Monte Carlo models against what is known exactly, through the engine that users run."""

import numpy as np
import pytest
from scipy import stats

import delocal
from delocal.physics.disorder import stream
from delocal.physics.model import Cancelled, Status
from delocal.physics.models import load_models
from delocal.service.request import SweepRequest
from delocal.workers import plan as planning
from delocal.workers.block import run_block
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore
from tests.physics.cheap import CHEAP, request_of

RESONANCES = {
    "models": ["resonances"],
    "axes": {"d": [1, 2, 3]},
    "fixed": {"alpha": 3, "T": 10, "W": 20, "t": 1},
    "options": {"resonances": {"spins": 10_000}},
    "sampling": {"replicas": 32},
}
NETWORK = {
    "models": ["network"],
    "axes": {"T": [1.0, 1e-3]},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 20, "t": 1, "V": 1},
    "options": {"network": {"box": 16}},
    "sampling": {"replicas": 64},
}


def run(request, model):
    return delocal.run(request)[model].to_dataset()


@pytest.mark.parametrize("hopping", ["fixed", "uniform", "gaussian"])
def test_resonances_are_as_many_as_the_closed_form_says(hopping):
    options = {"resonances": {"spins": 10_000, "hopping": hopping}}
    ds = run({**RESONANCES, "options": options}, "resonances")
    seen = (ds.N1 * 32 * 10_000 / 2 > 25) & ds.N1.notnull()  # enough pairs for a normal law
    pulls = ((ds.N1 - ds.N1_exact) / ds.N1_stderr).where(seen)
    for d in (1, 2, 3):
        here = pulls.sel(d=d).values[seen.sel(d=d).values]
        assert here.size >= 2
        # each pull follows Student's law with 31 degrees of freedom
        p = stats.kstest(here, stats.t(31).cdf).pvalue if here.size > 4 else 1.0
        assert p > 1e-3
        assert abs(here).max() < stats.t(31).isf(1e-4 / here.size)


def test_densities_of_pseudospins_agree_too():
    ds = run(RESONANCES, "resonances").isel(R=slice(3))
    pulls = (ds.rho_ps - ds.rho_ps_exact) / ds.rho_ps_stderr
    assert abs(pulls).max() < stats.t(31).isf(1e-4)


def test_more_active_spins_than_spins_is_outside_the_domain():
    ds = run({**RESONANCES, "fixed": {**RESONANCES["fixed"], "T": 11}}, "resonances")
    assert (ds.status == Status.OUTSIDE_DOMAIN).all()
    assert ds.N1.isnull().all()
    assert ds.N1_exact.isnull().all()


def test_a_network_at_its_optimal_size_has_one_partner():
    ds = run(NETWORK, "network")
    assert (ds.status == Status.DONE).all()
    np.testing.assert_allclose(ds.N2_exact.sel(R2=1.0), 1, rtol=1e-6)
    pulls = (ds.N2 - ds.N2_exact) / ds.N2_stderr
    assert abs(pulls).max() < stats.t(63).isf(1e-5)
    assert (abs(ds.R1 - ds.R1_exact) < 4 * ds.R1_stderr).all()


def test_the_optimal_size_grows_with_its_exponent():
    ds = run(NETWORK, "network")
    slope = np.diff(np.log(ds.R1.values))[0] / np.log(1e-3)
    error = float(np.sqrt(((ds.R1_stderr / ds.R1) ** 2).sum())) / np.log(1e3)
    assert abs(slope + 1) < 4 * error < 0.1  # R1 ~ 1/T at (2, 3, 3), Eq. (21)


@pytest.mark.parametrize("interaction", ["cut", "as-printed", "four-spin"])
def test_every_definition_of_the_network_runs(interaction):
    options = {"network": {"box": 16, "interaction": interaction, "sampler": "siblings"}}
    ds = run({**NETWORK, "options": options, "sampling": {"replicas": 4}}, "network")
    assert (ds.status == Status.DONE).all()
    assert (ds.degree > 0).all()
    assert ((ds.largest > 0) & (ds.largest <= 1)).all()


def test_regions_without_an_optimal_size_are_outside_the_domain():
    fixed = {**NETWORK["fixed"], "alpha": 6, "beta": 3.5}  # region III
    ds = run({**NETWORK, "fixed": fixed, "sampling": {"replicas": 2}}, "network")
    assert (ds.status == Status.OUTSIDE_DOMAIN).all()
    assert ds.R1_exact.isnull().all()


def test_an_error_asked_for_is_reached():
    request = {**NETWORK, "sampling": {"replicas": 8, "target_rel_error": 0.02}}
    ds = run(request, "network")
    assert (ds.R1_stderr <= 0.02 * ds.R1).all()
    assert (ds.target_reached == 1).all()
    assert (ds.n_replicas > 8).any()


def test_every_monte_carlo_model_has_a_cheap_point():
    assert set(CHEAP) == {m.name for m in load_models().values() if m.replicate is not None}


@pytest.mark.parametrize("name", CHEAP)
def test_one_cell_alone_is_a_sweep(name):
    """Without axes: everything is a scalar, and that is where shapes go wrong."""
    model = load_models()[name]
    request = request_of(name, replicas=3)
    fixed = request["fixed"]
    needed = {p.name for p in model.parameters if p.default is None and not p.optional}
    assert needed <= set(fixed)
    tree = delocal.run(request)
    ds = tree[name].to_dataset()
    assert ds.status.shape == ()
    assert ds.status in (Status.DONE, Status.NOT_CONVERGED)
    assert ds.n_replicas <= 3
    for variable in model.variables_for({*fixed, *(p.name for p in model.parameters if p.default)}):
        if variable.estimated or variable.derived:
            assert f"{variable.name}_stderr" in ds
    assert tree[f"{name}_replicas"].to_dataset().sizes["replica"] == 3


def contents(store, name):
    """Return the bytes of all that is the same in every run."""
    return {
        (group, variable): array.values.tobytes()
        for group in (name, f"{name}_replicas")
        for variable, array in store.open_model(group).load().data_vars.items()
        if variable not in ("core_seconds", "seconds_per_percent")
    }


@pytest.mark.parametrize("name", CHEAP)
def test_neither_the_cut_into_blocks_nor_their_order_changes_a_byte(name, tmp_path, monkeypatch):
    request = SweepRequest.parse(request_of(name, replicas=3))
    monkeypatch.setattr(planning, "BLOCK_SECONDS", 1e6)
    whole = run_plan(request.plan(), tmp_path / "whole")
    monkeypatch.setattr(planning, "BLOCK_SECONDS", 0.0)
    plan, store = request.plan(), SweepStore(tmp_path / "single")
    store.create(plan)
    replicas, summary = plan.parts
    assert len(replicas.blocks) == 3 * len(whole.plan.parts[0].blocks) == 3
    for block in reversed(list(replicas.blocks)):
        run_block(store, replicas.name, block)
    run_block(store, summary.name, 0)
    assert contents(store, name) == contents(whole, name)


@pytest.mark.parametrize(
    "name",
    [
        "spectral-diffusion",
        "golden-rule-network",
        "golden-rule-strip",
        "level-statistics",
        "optimal-network",
    ],
)
def test_a_replica_that_is_dear_asks_again_and_again_whether_it_is_wanted(name):
    model, (fixed, options) = load_models()[name], CHEAP[name]
    point = {p.name: p.default for p in model.parameters if p.default is not None} | fixed
    chosen = {option.name: option.choices[0] for option in model.options} | options
    asked = []

    def cancelled():
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        model.replicate(point, chosen, stream("unwanted", 0), cancelled)


COVERED = {
    "spectral-diffusion": ("F", "W"),
    "golden-rule-network": ("C_s", "T"),
    "golden-rule-strip": ("C_energy", "T"),
    "level-statistics": ("r", "W"),
    "optimal-network": ("r", "N2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COVERED)
def test_error_bars_of_energy_transport_cover_the_mean_as_often_as_they_say(name):
    """Cells so close that they have the same mean, each with random numbers of its own."""
    variable, along = COVERED[name]
    cells, replicas = 400, 16
    request = request_of(name, replicas)
    value = request["fixed"].pop(along)
    request["axes"] = {along: (value * (1 + 1e-9 * np.arange(cells))).tolist()}
    ds = delocal.run(request, block_cells=cells)[name].to_dataset()
    assert (ds.n_replicas == replicas).all()
    pull = abs(ds[variable] - ds[variable].mean()) / ds[f"{variable}_stderr"]
    width = np.array([1.0, 1.96])  # 68 and 95 % of the law of Gauss
    covered = (pull.values < width[:, np.newaxis]).mean(axis=1)
    expected = 1 - 2 * stats.t.sf(width, replicas - 1)
    error = np.sqrt(expected * (1 - expected) / cells)
    assert (abs(covered - expected) < 4 * error).all()
