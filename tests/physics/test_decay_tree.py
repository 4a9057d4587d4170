"""The tree of decays: metal against the golden rule, insulator, and growth."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

import delocal
from delocal.physics.decay_tree import (
    golden_width,
    grow_tree,
    growth_rate,
    log_eigenvalue,
    mean_field_width,
    relative_variance,
    transition_temperature,
    window_share,
)
from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.resonances import Cancelled


def run(axes, replicas, **options):
    request = {
        "models": ["scba-tree"],
        "axes": axes,
        "options": {"scba-tree": options},
        "sampling": {"replicas": replicas},
    }
    return delocal.run(request)["scba-tree"].to_dataset().squeeze()


def test_the_eigenvalue_is_its_integral():
    lam, M, T = 1e-3, 5.0, 7.0
    for s in (0.1, 0.3, 0.45):
        # 3 daughters, x = +-, density T (M - x); x = y**p takes the singularity out
        p = 1 / (1 - 2 * s)

        def inside(y, s=s, p=p):
            return 6 * T * (M - y**p) * lam ** (2 * s) * p

        integral, _ = quad(inside, 0, M ** (1 / p))
        assert np.exp(log_eigenvalue(s, lam, M, T)) == pytest.approx(integral, rel=1e-10)


@pytest.mark.parametrize("T", [0.5, 6.68, 100.0])
def test_growth_is_the_smallest_eigenvalue_over_its_exponent(T):
    def rate(s):
        return float(log_eigenvalue(s, 2e-4, 5.0, T)) / s

    found = minimize_scalar(rate, bounds=(1e-3, 0.4999), method="bounded", options={"xatol": 1e-9})
    assert float(growth_rate(2e-4, 5.0, T)) == pytest.approx(found.fun, abs=1e-8)


def test_the_transition_is_where_growth_is_zero():
    lam = np.geomspace(1e-90, 0.1, 7)
    T_c = transition_temperature(lam, 4.0)
    assert (abs(growth_rate(lam, 4.0, T_c)) < 1e-6).all()
    assert float(transition_temperature(2e-4, 5)) == pytest.approx(6.68, abs=5e-3)
    # The upper limit of Anderson, to leading order in the logarithm.
    log = np.log(4.0 / lam)
    upper = 1 / (6 * np.e * lam * 4 * log)
    assert (abs(T_c / upper - 1) * log < 2.1).all()


def test_a_tree_without_triples_does_not_grow():
    assert np.isnan(growth_rate(1e-2, 2.0, 0.01))


def test_the_window_is_its_integral():
    M = 4.0
    for G in (1e-3, 0.3, 5.0):
        integral, _ = quad(lambda x, G=G: (M - x) * G / (x**2 + G**2), 0, M, points=[min(G, M)])
        assert float(window_share(G, M)) == pytest.approx(2 * integral / (np.pi * M), rel=1e-9)


def test_equal_widths_are_self_consistent():
    lam = np.geomspace(1e-50, 0.9, 9)
    m = mean_field_width(lam, 4.0, 8.0)
    golden = golden_width(lam, 4.0, 8.0)
    np.testing.assert_allclose(m, golden * window_share(3 * m, 4.0), rtol=1e-12)
    assert (np.diff(m / golden) < 1e-12).all()


def test_deep_in_the_metal_widths_are_those_of_the_golden_rule():
    """Mean and variance, at T_in/T = 0.32 and 0.16; a pool counts as one sample per replica."""
    lam, M = 8e-3, 5.0
    ds = run({"lam": [lam], "M": [M], "T": [10.0, 20.0]}, 12, pool=300, generations=20)
    assert (ds.status == Status.DONE).all()
    assert (ds.metal == 1).all()
    golden, v0 = golden_width(lam, M, ds.T.values), relative_variance(lam, M, ds.T.values)
    share = mean_field_width(lam, M, ds.T.values) / golden
    np.testing.assert_allclose(v0, [0.1055, 0.0264], atol=5e-5)
    # The share of the window falls with G; over its fluctuations that is second order in v0.
    off = abs(ds.mean_ratio.values - share)
    assert (off < 4 * ds.mean_ratio_stderr.values + (1 - share) * v0).all()
    assert (abs(ds.mean_ratio.values - 1) < 0.06).all()
    # <1/G> exceeds 1/<G> by the variance of G, v/3; the mean is smaller by the share.
    v = v0 * (1 + v0 / 3) / share**3
    error = 4 * ds.variance_ratio_stderr.values + v0**2 * v
    assert (abs(ds.variance_ratio.values - v) < error).all()
    assert (error < 0.15 * v).all()


def test_the_mean_is_that_of_the_golden_rule_well_above_the_transition():
    """Close to it the mean is held by rare large widths, of which a pool has few."""
    lam, M = 2e-3, 5.0
    T_c = float(transition_temperature(lam, M))
    ds = run({"lam": [lam], "M": [M], "T": [8 * T_c, 16 * T_c]}, 8, pool=1000, generations=20)
    share = mean_field_width(lam, M, ds.T.values) / golden_width(lam, M, ds.T.values)
    assert (ds.metal == 1).all()
    assert (abs(ds.mean_ratio - share) < 4 * ds.mean_ratio_stderr).all()
    assert (4 * ds.mean_ratio_stderr < 0.12).all()


def test_below_the_transition_there_is_no_metal():
    lam, M, eta = 2e-3, 5.0, 1e-15
    T_c = float(transition_temperature(lam, M))
    ds = run({"lam": [lam], "M": [M], "T": [T_c / 2]}, 4, generations=80)
    assert (ds.status == Status.DONE).all()
    assert ds.metal == 0
    assert 1 < 10**ds.log10_Gamma_typ / eta < 3
    colder = run({"lam": [lam], "M": [M], "T": [T_c / 2], "eta": [1e-20]}, 4, generations=80)
    assert float(ds.log10_Gamma_typ - colder.log10_Gamma_typ) == pytest.approx(5, abs=0.1)


def test_a_finite_pool_grows_too_slowly_and_a_larger_one_less_so():
    lam, M = 2e-3, 5.0
    T_c = float(transition_temperature(lam, M))
    growth = {}
    for pool in (300, 3000):
        ds = run({"lam": [lam], "M": [M], "T": [T_c]}, 12, pool=pool, generations=40)
        assert abs(float(ds.growth_infinite)) < 1e-9
        growth[pool] = float(ds.growth), float(ds.growth_stderr)
    both = np.hypot(growth[300][1], growth[3000][1])
    assert growth[3000][0] - growth[300][0] > 4 * both
    assert growth[3000][0] + 4 * growth[3000][1] < 0  # where theory has 0


def test_the_growth_of_a_generation_does_not_know_the_unit_of_width():
    first = grow_tree(1e-2, 3.0, 2.0, 1e-9, 100, 8, stream("unit", 0))
    second = grow_tree(1e-2, 3.0, 2.0, 1e-9, 100, 8, stream("unit", 0))
    assert first == second
    assert np.isfinite(first.growth)


def test_growth_can_be_cancelled():
    with pytest.raises(Cancelled):
        grow_tree(1e-2, 3.0, 2.0, 1e-9, 10, 4, stream("x", 0), lambda: True)


def test_what_cannot_be_grown_is_outside_the_domain():
    model = load_models()["scba-tree"]
    options = {option.name: option.choices[0] for option in model.options}
    for T in (1e-3, 1e5):
        point = {"lam": 1e-2, "M": 4.0, "T": T, "eta": 1e-15}
        found = model.replicate(point, options, stream("x", 0), lambda: False)
        assert found["status"] == Status.OUTSIDE_DOMAIN
        assert np.isnan(found["Gamma_mean"])


def test_extreme_parameters_have_exact_companions_without_a_warning():
    model = load_models()["scba-tree"]
    mesh = np.meshgrid([1.1e-100, 0.99], [1.0, 1e5], [1e-6, 1e5])
    found = model.evaluate(dict(zip(("lam", "M", "T"), mesh, strict=True)), {})
    for name in ("Gamma_golden", "Gamma_mean_field", "variance_ratio_metal", "T_c"):
        assert ((found[name] > 0) & np.isfinite(found[name])).all()
    tree = 3 * mesh[2] * mesh[1] ** 2 > 1
    np.testing.assert_array_equal(np.isfinite(found["growth_infinite"]), tree)


@pytest.mark.slow
def test_the_variance_at_weak_interaction():
    """At lam = 2e-4 and T = 400 delta, where T_in/T is as above and the window is wide."""
    ds = run({"lam": [2e-4], "M": [5.0], "T": [400.0]}, 8, pool=1000, generations=20)
    v0 = float(relative_variance(2e-4, 5.0, 400.0))
    share = float(ds.Gamma_mean_field / ds.Gamma_golden)
    expected = v0 * (1 + v0 / 3) / share**3
    assert abs(float(ds.variance_ratio) - expected) < 4 * float(ds.variance_ratio_stderr) + v0**3
    assert abs(float(ds.mean_ratio) - share) < 4 * float(ds.mean_ratio_stderr) + 0.1 * (1 - share)
