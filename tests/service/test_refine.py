"""Requests that refine: thresholds of the models against their closed forms, and bad requests."""

from dataclasses import replace

import numpy as np
import pytest

import delocal
from delocal.physics.coupled_dots import CoupledDots
from delocal.physics.dot_transition import critical_eps, critical_gamma
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.service.errors import RequestError
from delocal.service.request import SweepRequest
from delocal.service.states import SweepState
from delocal.workers.local import run_plan
from delocal.workers.refinement import Outcome
from tests.waiting import PATIENCE

DOTS = {
    "models": ["nearly-localized"],
    "axes": {"gamma": {"geomspace": [1e-8, 1, 9]}, "eps": [-0.2, 0.1, 0.6], "N": [2, 6, 10]},
    "refine": {"variable": "phase", "along": "gamma", "target": "metal", "tolerance": 1e-6},
}
POOL = {
    "models": ["bethe-pool"],
    "axes": {"W": [12, 20], "N": [100, 200]},
    "fixed": {"K": 2},
    "options": {"bethe-pool": {"generations": 300}},
    "refine": {"variable": "growth", "along": "W", "target": 0, "tolerance": 1e-4},
    "sampling": {"replicas": 16},
}


def dataset(request):
    [name] = request["models"]
    return delocal.run(request)[name].to_dataset()


def changed(request, **refine):
    return {**request, "refine": {**request["refine"], **refine}}


def test_gamma_c_of_the_nearly_localized_metal_is_its_own_root():
    ds = dataset(DOTS)
    eps, N = np.meshgrid(ds.eps, ds.N, indexing="ij")
    exact = critical_gamma(CoupledDots.of(eps=eps, gamma=1.0, N=N), "E3").value
    within = exact < 1
    assert (ds.status == np.where(within, Status.DONE, Status.OUTSIDE_DOMAIN)).all()
    assert within.sum() >= 7
    np.testing.assert_allclose(ds.gamma_refined.values[within], exact[within], rtol=0.51e-6)
    assert (ds.phase_at_lower.values[within] == 0).all()
    assert (ds.phase_at_upper.values[within] == 1).all()
    assert np.isnan(ds.gamma_refined.values[~within]).all()


def test_eps_c_along_a_linear_axis():
    request = {
        **DOTS,
        "axes": {"eps": {"linspace": [-1, 0.9, 5]}, "gamma": [1e-3, 0.1]},
        "refine": {"variable": "phase", "along": "eps", "tolerance": 1e-8},
    }
    ds = dataset(request)
    exact = critical_eps(CoupledDots.of(eps=0.0, gamma=ds.gamma.values))
    np.testing.assert_allclose(ds.eps_refined, exact, atol=0.51e-8)


def test_T_c_of_the_metal_insulator_transition_is_its_closed_form():
    request = {
        "models": ["scba-temperature"],
        "axes": {"T": {"geomspace": [1e-3, 1e3, 4]}, "lam": [0.01, 0.05, 0.2]},
        "refine": {"variable": "growth", "along": "T", "target": 1, "tolerance": 1e-9},
    }
    ds = dataset(request)
    there = delocal.evaluate("scba-temperature", T=1.0, lam=ds.lam.values)
    np.testing.assert_allclose(ds.T_refined, there.T_c_slides, rtol=0.51e-9)
    phase = dataset(changed(request, variable="phase", target="insulator"))
    np.testing.assert_allclose(phase.T_refined, there.T_c_slides, rtol=0.51e-9)
    assert ds.n_evaluations.median() < phase.n_evaluations.median() / 2  # smooth


def test_W_c_of_a_pool_on_the_bethe_lattice_is_that_of_another_method():
    ds = dataset(POOL)
    other = dataset(
        {
            **{key: POOL[key] for key in ("models", "options")},
            "axes": {"N": [100, 200]},
            "fixed": {"K": 2},
            "sampling": {"replicas": 32},
            "seed": 1,
        }
    )
    assert (ds.outcome == Outcome.WITHIN_ERROR).all()
    error = np.hypot(ds.W_refined_stderr, other.W_c_stderr)
    assert (error < 0.02 * other.W_c).all()
    assert (abs(ds.W_refined - other.W_c) < 3.5 * error).all()
    assert (ds.W_refined < other.W_c_infinite).all()


def test_zipped_parameters_go_along():
    request = {
        "models": ["scaling"],
        "axes": {"alpha": {"linspace": [2.2, 7, 5]}, "beta": {"like": "alpha"}, "d": [2, 3]},
        "fixed": {"T": 1e-3, "W": 1},
        "refine": {"variable": "region", "along": "alpha", "target": "MBL", "tolerance": 1e-6},
    }
    ds = dataset(request)
    np.testing.assert_allclose(ds.alpha_refined, 2 * ds.d, atol=1e-6)  # beta = 2 d
    middle = (3.4 + 4.6) / 2  # where the theory makes no statement, and the search looks first
    assert delocal.evaluate("scaling", d=2, alpha=middle, beta=middle, T=1e-3, W=1).status == 2
    assert "beta" not in ds.coords


def test_what_is_written_differently_and_means_the_same_is_the_same_sweep():
    plan = SweepRequest.parse(DOTS).plan()
    axes = {**DOTS["axes"], "gamma": {"list": np.geomspace(1e-8, 1, 9)[::-1].tolist()}}
    again = changed({**DOTS, "axes": axes}, scale="log", max_points=100)
    assert SweepRequest.parse(again).plan().sweep_id == plan.sweep_id
    for other in ({"tolerance": 1e-7}, {"target": "localized"}, {"max_points": 99}):
        assert SweepRequest.parse(changed(DOTS, **other)).plan().sweep_id != plan.sweep_id
    assert plan.cells == 9


@pytest.mark.parametrize(
    ("refine", "field", "message"),
    [
        ({"variable": "phaze"}, "variable", "no variable 'phaze' here; did you mean 'phase'"),
        ({"variable": "gamma_c"}, "variable", "does not depend on gamma"),
        ({"along": "gama"}, "along", "not a swept axis.*did you mean 'gamma'"),
        ({"along": "K"}, "along", "'K' is not a swept axis; give it under axes"),
        ({"along": 3}, "along", "valid string"),
        ({"tolerance": 0}, "tolerance", "greater than 0 .given: 0"),
        ({"tolerance": -1e-3}, "tolerance", "greater than 0 .given: -0.001"),
        ({"tolerance": "small"}, "tolerance", "valid number"),
        ({"tolerance": None}, "tolerance", "valid number"),
        ({"target": "metallic"}, "target", "'metallic' is not one of change, localized, metal"),
        ({"target": 0.5}, "target", "0.5 is not one of change, localized, metal"),
        ({"target": True}, "target", "not a number"),
        ({"target": [1]}, "target", ".1. is neither a finite number nor a name"),
        ({"target": float("nan")}, "target", "nan is neither a finite number nor a name"),
        ({"variable": "log10_Gamma", "target": "big"}, "target", "'big' is not a number"),
        ({"variable": "log10_Gamma", "target": "change"}, "target", "'change' is not a number"),
        ({"scale": "cubic"}, "scale", "'linear' or 'log'"),
        ({"max_points": 9}, "max_points", "9 leaves none beyond the 9 of the axis"),
        ({"max_points": 2}, "max_points", "greater than or equal to 3"),
        ({"step": 2}, "step", "no field 'step'; .*max_points"),
    ],
    ids=str,
)
def test_what_cannot_be_refined_is_said(refine, field, message):
    with pytest.raises(RequestError, match=message) as raised:
        SweepRequest.parse(changed(DOTS, **refine)).plan()
    assert [problem.field for problem in raised.value.problems] == [f"refine.{field}"]


def scaling(axes, refine=(), **more):
    whole = {"variable": "R1", "along": "T", "target": 10, "tolerance": 1e-3, **dict(refine)}
    fixed = {n: v for n, v in {"d": 2, "alpha": 3, "beta": 3, "W": 1}.items() if n not in axes}
    return {"models": ["scaling"], "axes": axes, "fixed": fixed, "refine": whole, **more}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (scaling({"T": [1e-3]}), "axes.T: one value; a search begins between two or more"),
        (scaling({"T": [0.1, 1e-3]}, {"variable": "R1_exponent"}), "has the dimension wrt"),
        (
            scaling({"T": [0.1, 1e-3], "L": {"list": [1, 2], "along": "T"}}),
            "axes.L: has values of its own along 'T'",
        ),
        (
            scaling({"T": [0.1, 1e-3], "W": {"like": "T"}}, {"along": "W"}),
            "'W' lies along 'T'; refine along 'T'",
        ),
        (scaling({"T": [0.1, 1e-3]}, exclude=[{"T": {"gt": 1}}]), "T is searched and cannot be"),
        (
            {
                **DOTS,
                "axes": {"eps": [-1, 0.5], "gamma": [0.1]},
                "refine": {**DOTS["refine"], "along": "eps", "scale": "log"},
            },
            "log needs positive values, eps has -1; use linear",
        ),
        (
            {**scaling({"T": [0.1, 1e-3]}), "models": ["scaling", "bethe"]},
            "model 'bethe' has no parameter 'T'",
        ),
        (changed(POOL, target="change"), "'change' is not a number"),
        (changed(POOL, variable="status", target="done"), "is that of replicas"),
        ({**scaling({"T": [1e-3, 0.1]}), "sampling": {"replicas": 8}}, "nothing is sampled"),
        ({"models": ["scaling"], "refine": scaling({})["refine"]}, "'T' is not a swept axis"),
        ({**scaling({"T": [1e-3, 0.1]}), "refine": "T"}, "refine: give an object"),
        ({**scaling({"T": [1e-3, 0.1]}), "refine": {}}, "refine.variable: missing"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_rest_of_the_request_is_said(request_, message):
    with pytest.raises(RequestError, match=message):
        SweepRequest.parse(request_).plan()


def finish(service, request):
    record = service.sweeps.submit(SweepRequest.parse(request))
    record = service.sweeps.wait(record.id, timeout=PATIENCE)
    assert record.state == SweepState.DONE
    return record


def contents(store, name):
    return {str(v): a.values.tobytes() for v, a in store.open_model(name).load().data_vars.items()}


@pytest.mark.parametrize("request_", [DOTS, POOL], ids=["exact", "monte carlo"])
def test_a_service_gives_what_a_local_run_gives(service, tmp_path, request_):
    record = finish(service, request_)
    [name] = request_["models"]
    alone = run_plan(SweepRequest.parse(request_).plan(block_cells=1), tmp_path / "alone")
    assert contents(service.sweeps.store(record.id), name) == contents(alone, name)
    assert sum(record.counts.values()) == alone.plan.cells


def test_a_dry_run_counts_searches_and_what_they_cost(service):
    estimate = service.sweeps.estimate(SweepRequest.parse(DOTS))
    assert estimate.cells == 9
    evaluations = 9 + 22 + 1  # a factor of 10 within 1e-6 takes 22 halvings
    assert estimate.core_seconds == pytest.approx(9 * evaluations * 3e-5)
    noisy = service.sweeps.estimate(SweepRequest.parse(POOL))
    assert noisy.core_seconds == pytest.approx(2 * 16 * (2 + 17 + 1 + 3) * 0.5)
    few = service.sweeps.estimate(SweepRequest.parse(changed(POOL, max_points=10)))
    assert few.core_seconds == pytest.approx(2 * 16 * 10 * 0.5)


def test_searches_do_not_change_the_measured_cost_of_a_cell(service):
    finish(service, DOTS)
    assert service.ledger.seconds_per_cell("nearly-localized", "1") is None


def test_an_extended_sweep_copies_the_searches_that_are_there(service, tmp_path, monkeypatch):
    first = finish(service, POOL)
    assert service.sweeps.estimate(SweepRequest.parse(POOL)).exists
    model, searched = load_models()["bethe-pool"], set()

    def noted(point, *more):
        searched.add(point["N"])
        return model.replicate(point, *more)

    monkeypatch.setitem(load_models(), model.name, replace(model, replicate=noted))
    extended = service.sweeps.extend(first.id, {"axes": {"N": [150]}})
    extended = service.sweeps.wait(extended.id, timeout=PATIENCE)
    assert searched == {150}
    whole = {**POOL, "axes": {"W": [12, 20], "N": [100, 150, 200]}}
    alone = run_plan(SweepRequest.parse(whole).plan(), tmp_path / "alone")
    assert extended.id == alone.plan.sweep_id
    store = service.sweeps.store(extended.id)
    assert contents(store, "bethe-pool") == contents(alone, "bethe-pool")


def test_another_search_shares_nothing(service):
    finish(service, POOL)
    more = {**POOL, "axes": {"W": [12, 20], "N": [100, 150, 200]}}
    assert service.sweeps.estimate(SweepRequest.parse(more)).known == 2
    for other in (changed(more, target=0.01), {**more, "sampling": {"replicas": 8}}):
        assert service.sweeps.estimate(SweepRequest.parse(other)).known == 0
    ordinary = {key: more[key] for key in more if key != "refine"}
    assert service.sweeps.estimate(SweepRequest.parse(ordinary)).known == 0
