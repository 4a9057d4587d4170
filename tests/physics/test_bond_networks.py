"""The laws of bonds against their Laplace transforms, and lattices of them by the engine."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import erfc, i0e, i1e

import delocal
from delocal.physics.bond_networks import (
    HIGHEST,
    level_bonds,
    levy_bonds,
    levy_effective_medium,
    levy_scale,
    pair_bonds,
    width,
)
from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.models import load_models, scba_bonds
from delocal.physics.resonances import Cancelled

NUMBERS = json.loads((Path(__file__).parent / "reference" / "scba_bonds.json").read_text())
SIGMA = dict(zip(NUMBERS["u"], NUMBERS["sigma"], strict=True))
KAPPA = dict(zip(NUMBERS["u"], NUMBERS["kappa"], strict=True))
WEIGHTS = {
    "charge": lambda x: np.cosh(x) ** -2,
    "heat": lambda x: 12 / np.pi**2 * x**2 * np.cosh(x) ** -2,
}


def exponent(s, u, h):
    """Phi(s), where <exp(-s g)> = exp(-Phi(s)), by quadrature over the energy x = xi / 2T."""

    def inside(x):
        b = u * s * h(x)
        return h(x) * (i0e(b) + i1e(b))

    return s * quad(inside, 0, 40, epsabs=1e-13, epsrel=1e-10, points=[1, 3, 8], limit=200)[0]


def within(found, error, expected, sigmas=4.0):
    assert abs(found - expected) < sigmas * error


def harmonic_mean(g):
    """Return 1/<1/g> and its standard error."""
    mean, error = (1 / g).mean(), (1 / g).std() / np.sqrt(g.size)
    return 1 / mean, error / mean**2


@pytest.mark.parametrize("u", [0.1, 1.0, 30.0])
def test_the_sum_over_pairs_has_its_laplace_transform(u):
    bonds = pair_bonds(40_000, u, stream(f"laplace {u}", 0))
    for g, h in zip(bonds, WEIGHTS.values(), strict=True):
        for s in (0.3, 1.0, 3.0, 10.0):
            seen = np.exp(-s * g)
            expected = np.exp(-exponent(s, u, h))
            within(seen.mean(), seen.std() / 200, expected, 4.5)


@pytest.mark.parametrize("u", NUMBERS["u"])
def test_bonds_in_series_conduct_as_the_crossover_says(u):
    charge, heat = pair_bonds(60_000, u, stream(f"series {u}", 0))
    within(*harmonic_mean(charge), SIGMA[u])
    within(*harmonic_mean(heat), KAPPA[u])


def test_the_best_pair_decides_at_low_temperature():
    """At u >> 1 the law of Eq. (27), whose distribution function is erfc(sqrt(gamma/g))."""
    u = 1e6
    for g, heat in zip(pair_bonds(5000, u, stream("levy", 0)), (False, True), strict=True):
        gamma = float(levy_scale(u, 1, heat))
        assert stats.kstest(g, lambda x, gamma=gamma: erfc(np.sqrt(gamma / x))).pvalue > 1e-3


def test_levy_bonds_have_their_law():
    g = levy_bonds(100_000, stream("levy", 1))
    assert stats.kstest(g, lambda x: erfc(np.sqrt(1 / x))).pvalue > 1e-3
    within(*harmonic_mean(g), 2.0)


def test_the_effective_medium_solves_its_equation():
    for d in (1, 2, 3):
        G = float(levy_effective_medium(d))
        if d > 1:
            assert G == pytest.approx(NUMBERS["levy_effective_medium"][str(d)], abs=5e-4)
        integral, _ = quad(lambda x, d=d, G=G: 2 * x * np.exp(-(d - 1) * G * x**2 - 2 * x), 0, 40)
        assert integral == pytest.approx(1 / (d * G), rel=1e-10)


def test_levels_have_the_mean_and_the_variance_of_independent_levels():
    """Pairs give (2/3) u to the variance, and the levels of a grain delta/(3 T) by themselves."""
    T, u, grains = 5.0, 0.3, 8000
    start = np.arange(grains)
    Gamma = float(width(u, 1, T))
    g, heat = level_bonds(2 * grains, start, start + grains, T, Gamma, stream("levels", 0))
    within(g.mean(), g.std() / np.sqrt(grains), 1.0)
    within(heat.mean(), heat.std() / np.sqrt(grains), 1.0)
    squares = (g - 1) ** 2
    # Both numbers are for Gamma << T; the next order is Gamma/T.
    expected = 2 / 3 * u + 1 / (3 * T)
    error = squares.std() / np.sqrt(grains)
    assert abs(squares.mean() - expected) < 4 * error + Gamma / T * expected
    assert 4 * error < 0.3 * expected


def test_levels_far_from_the_fermi_energy_do_not_matter():
    assert 2 * np.exp(-HIGHEST) < 1e-8


def test_bonds_share_the_levels_of_their_grain():
    rng = stream("shared", 0)
    pairs = 6000
    one = np.arange(pairs)
    start, end = np.concatenate([one, one]), np.concatenate([one + pairs, one + 2 * pairs])
    g = level_bonds(3 * pairs, start, end, 2.0, 0.1, rng)[0].reshape(2, pairs)
    product = (g[0] - 1) * (g[1] - 1)
    # One grain in common: half of delta/(3 T).
    within(product.mean(), product.std() / np.sqrt(pairs), 1 / 12, 5)
    assert product.mean() > 5 * product.std() / np.sqrt(pairs)


def test_draws_can_be_cancelled():
    with pytest.raises(Cancelled):
        pair_bonds(10, 1.0, stream("x", 0), lambda: True)
    with pytest.raises(Cancelled):
        level_bonds(2, np.array([0]), np.array([1]), 2.0, 0.1, stream("x", 0), lambda: True)


def run(axes, replicas, **options):
    """Return the dataset of a sweep; everything not in `axes` has its default."""
    request = {
        "models": ["scba-bonds"],
        "axes": axes,
        "options": {"scba-bonds": options},
        "sampling": {"replicas": replicas},
    }
    ds = delocal.run(request)["scba-bonds"].to_dataset()
    assert (ds.status == Status.DONE).all()
    assert (ds.n_replicas == replicas).all()
    assert (ds.current_balance < 1e-6).all()
    return ds


def test_chains_in_a_sweep_follow_the_crossover():
    ds = run({"u": [0.1, 1.0, 10.0], "L": [1000]}, 20).squeeze()
    for u in (0.1, 1.0, 10.0):
        at = ds.sel(u=u)
        within(float(at.resistivity), float(at.resistivity_stderr), 1 / SIGMA[u])
        bias = 4.0 / 1000  # variance of 1/g over its mean squared and L
        error = 4 * float(at.lorenz_stderr) + bias
        assert abs(float(at.lorenz) - KAPPA[u] / SIGMA[u]) < error


@pytest.mark.parametrize("T", [5.0, 10.0])
def test_chains_of_explicit_levels_lack_what_a_single_grain_takes(T):
    ds = run({"u": [0.0995], "L": [400], "T": [T]}, 8, law="levels").squeeze()
    crossover = 0.93299  # at u = 0.0995
    pairs, grain = 2 / 3 * 0.0995, 1 / (3 * T)  # variances
    next_order = 6 * pairs * grain + 3 * grain**2  # <1/g> = 1 + v + 3 v**2 + ...
    error = 4 * float(ds.resistivity_stderr)
    assert abs(float(ds.resistivity) - 1 / crossover - grain) < error + next_order
    assert float(ds.resistivity) > 1 / crossover


@pytest.mark.slow
@pytest.mark.parametrize("T", [10.0, 20.0])
def test_long_chains_of_explicit_levels(T):
    ds = run({"u": [0.0995], "L": [3000], "T": [T]}, 16, law="levels").squeeze()
    expected = 0.93299 - 1 / (3 * T)
    assert abs(float(ds.sigma) - expected) < 4 * float(ds.sigma_stderr) + (1 / (3 * T)) ** 2


def test_lattices_of_pairs_are_close_to_the_effective_medium():
    for d, u, L in ((2, 1.0, 24), (3, 0.1, 8)):
        ds = run({"d": [d], "u": [u], "L": [L]}, 12).squeeze()
        medium = NUMBERS["effective_medium"][f"d{d} u{u:g}"]
        error = float(ds.sigma_stderr)
        assert abs(float(ds.sigma) / medium - 1) < 0.015 + 4 * error / medium
        assert 4 * error < 0.1 * medium


@pytest.mark.parametrize(("d", "L"), [(2, 32), (3, 10)])
def test_lattices_at_low_temperature_exceed_the_effective_medium(d, L):
    torus = run({"d": [d], "u": [1000.0], "L": [L]}, 100, law="levy").squeeze()
    G, error = float(torus.G_over_gamma), float(torus.G_over_gamma_stderr)
    infinite, size_effect = {2: (5.391, 0.02), 3: (8.955, 0.03)}[d]
    assert abs(G - infinite) < 4 * error + size_effect
    assert 4 * error < 0.06 * infinite
    assert float(torus.kappa / torus.sigma) == pytest.approx(1.6537127, rel=1e-6)


def test_electrodes_short_the_grains_at_the_surface():
    plates = run({"d": [3], "u": [1e3], "L": [6]}, 200, law="levy", boundary="electrodes")
    torus = run({"d": [3], "u": [1e3], "L": [6]}, 200, law="levy")
    error = np.hypot(plates.G_over_gamma_stderr, torus.G_over_gamma_stderr)
    assert ((plates.G_over_gamma - torus.G_over_gamma) > 4 * error).all()


def test_both_solvers_of_the_model_agree():
    point = {"d": 3, "u": 5.0, "T": 10.0, "L": 8}
    options = {"law": "pairs", "boundary": "torus"}
    direct, multigrid = (
        scba_bonds.replicate(point, {**options, "solver": s}, stream("x", 0), lambda: False)
        for s in ("direct", "multigrid")
    )
    for name in scba_bonds.NUMBERS:
        assert direct[name] == pytest.approx(multigrid[name], rel=1e-8)


def test_a_lattice_that_misses_the_balance_is_not_converged(monkeypatch):
    monkeypatch.setitem(scba_bonds.SOLVERS, "direct", lambda A, b, cancelled: np.zeros_like(b))
    point = {"d": 2, "u": 10.0, "T": 10.0, "L": 8}
    options = {"law": "levy", "boundary": "torus", "solver": "direct"}
    found = scba_bonds.replicate(point, options, stream("x", 0), lambda: False)
    assert found["status"] == Status.NOT_CONVERGED
    assert found["current_balance"] > 1e-6
    assert np.isnan([found[name] for name in scba_bonds.NUMBERS]).all()


def test_what_cannot_be_drawn_is_outside_the_domain():
    model = load_models()["scba-bonds"]
    options = {"law": "levels", "boundary": "torus", "solver": "auto"}
    for point in ({"d": 1, "u": 1e-3, "T": 1.0, "L": 8}, {"d": 3, "u": 1.0, "T": 9.0, "L": 999}):
        found = model.replicate(point, options, stream("x", 0), lambda: False)
        assert found["status"] == Status.OUTSIDE_DOMAIN
        assert np.isnan(found["sigma"])


@pytest.mark.parametrize("u", [1e-3, 1e100])
@pytest.mark.parametrize("law", ["pairs", "levels", "levy"])
def test_the_borders_of_u_have_a_number(u, law):
    ds = run({"u": [u], "L": [2], "T": [20.0]}, 2, law=law).squeeze()
    if law != "levy":
        assert 0 < ds.sigma < 2
    assert np.isfinite(ds.lorenz)


@pytest.mark.slow
def test_two_dimensions_at_300():
    ds = run({"d": [2], "u": [1e3], "L": [300]}, 20, law="levy", boundary="electrodes").squeeze()
    published, error = NUMBERS["kirchhoff"]["2 electrodes 300"]
    total = np.hypot(float(ds.G_over_gamma_stderr), error)
    within(float(ds.G_over_gamma), total, published)
    within(float(ds.G_over_gamma), float(ds.G_over_gamma_stderr), 5.391 + 5.0 / 300)


@pytest.mark.slow
@pytest.mark.parametrize(("L", "replicas"), [(28, 24), (40, 8)])
def test_three_dimensions(L, replicas):
    ds = run({"d": [3], "u": [1e3], "L": [L]}, replicas, law="levy").squeeze()
    within(float(ds.G_over_gamma), float(ds.G_over_gamma_stderr), 8.955)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "L", "replicas"), [(2, 32, 1000), (3, 10, 200)])
def test_both_boundaries_have_one_limit(d, L, replicas):
    """The surface effect of electrodes is of order 1/L, so that 2 G(2 L) - G(L) is free of it."""
    axes = {"d": [d], "u": [1e3]}
    plates = run({**axes, "L": [L, 2 * L]}, replicas, law="levy", boundary="electrodes").squeeze()
    torus = run({**axes, "L": [2 * L]}, replicas, law="levy").squeeze()
    small, large = plates.G_over_gamma.values
    e_small, e_large = plates.G_over_gamma_stderr.values
    error = np.sqrt(e_small**2 + 4 * e_large**2 + float(torus.G_over_gamma_stderr) ** 2)
    within(2 * large - small, error, float(torus.G_over_gamma))
    assert small - large > 4 * np.hypot(e_small, e_large)
