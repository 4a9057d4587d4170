"""The Monte Carlo models against what is known exactly, through the engine that users run."""

import numpy as np
import pytest
from scipy import stats

import delocal
from delocal.physics.model import Status
from delocal.physics.models import load_models

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


SPINS = {"d": 2, "alpha": 3, "beta": 3, "T": 1, "W": 20, "t": 1, "V": 1}
CHEAP = {
    "resonances": ({"d": 2, "alpha": 3, "T": 1, "W": 20, "t": 1}, {"spins": 10_000}),
    "network": (SPINS, {"box": 16}),
    "pseudo2-network": (SPINS | {"d": 1, "alpha": 3, "beta": 1.7, "W": 2}, {"box": 16}),
    "percolation": ({"d": 2, "alpha": 3, "beta": 3, "density": 0.15, "box": 16}, {}),
    "spectral-diffusion": ({"d": 3, "alpha": 3, "beta": 3, "W": 1, "duration": 6}, {}),
    "scba-grains": ({"T": 4, "lam": 0.1}, {}),
    "scba-tree": ({"T": 40, "lam": 2e-3, "M": 5}, {"pool": 1000, "generations": 20}),
    "scba-bonds": ({"u": 1, "d": 2, "L": 8}, {}),
    "bethe-pool": ({"K": 2, "N": 200}, {}),
    "mott-percolation": ({"d": 2, "box": 8}, {}),
    "level-statistics": ({"N": 8, "alpha": 1.5, "beta": 1.5, "W": 6}, {"realizations": 4}),
    "optimal-network": ({"d": 2, "N2": 3, "L": 8}, {"realizations": 4}),
}


def test_every_monte_carlo_model_has_a_cheap_point():
    assert set(CHEAP) == {m.name for m in load_models().values() if m.replicate is not None}


@pytest.mark.parametrize("name", CHEAP)
def test_one_cell_alone_is_a_sweep(name):
    """Without axes: everything is a scalar, and that is where shapes go wrong."""
    fixed, options = CHEAP[name]
    model = load_models()[name]
    needed = {p.name for p in model.parameters if p.default is None and not p.optional}
    assert needed <= set(fixed)
    request = {"models": [name], "fixed": fixed, "sampling": {"replicas": 3}}
    tree = delocal.run({**request, "options": {name: options} if options else {}})
    ds = tree[name].to_dataset()
    assert ds.status.shape == ()
    assert ds.status in (Status.DONE, Status.NOT_CONVERGED)
    assert ds.n_replicas <= 3
    for variable in model.variables_for({*fixed, *(p.name for p in model.parameters if p.default)}):
        if variable.estimated or variable.derived:
            assert f"{variable.name}_stderr" in ds
    assert tree[f"{name}_replicas"].to_dataset().sizes["replica"] == 3
