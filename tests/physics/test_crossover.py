"""sigma(T) and kappa(T) between resonant and overlapping levels: limits, integrals, samples."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import i0e, i1e

from benchmarks import scba as benchmark
from delocal.physics import crossover_limits as limits
from delocal.physics.crossover import (
    STEP,
    bond_exponent,
    conductivity_ratio,
    excess,
    lorenz_ratio,
)
from delocal.physics.disorder import stream

BOTH = ["sigma", "kappa"]
WEIGHTS = {
    "sigma": lambda x: np.cosh(x) ** -2.0,
    "kappa": lambda x: 12 / np.pi**2 * x**2 * np.cosh(x) ** -2.0,
}


def exponent(quantity, y):
    """Return F(y) by adaptive quadrature, split where the integrand changes its form."""
    h = WEIGHTS[quantity]
    edge = np.log(4 * y) / 2 if y > 1 else 0.0
    ends = sorted({0.0, min(0.5, y**-0.5), 1.0, 3.0, max(4.0, edge - 2), edge + 9, edge + 40})

    def integrand(x):
        b = y * h(x)
        return y * h(x) * (i0e(b) + i1e(b))

    return sum(
        quad(integrand, a, b, epsabs=0, epsrel=1e-13, limit=400)[0] for a, b in pairwise(ends)
    )


def laplace_of_bond(quantity, u, K=0.0):
    """Return int ds exp(-K s) <exp(-s g)> by adaptive quadrature over z**2 = u s."""
    small = np.sqrt(u) * np.array([0, 1e-3, 0.05, 0.5, 1])
    ends = np.sort(np.concatenate([small, u * np.array([0.2, 0.5, 1, 2, 4, 8, 16, 32])]))

    def integrand(z):
        return 2 * z / u * np.exp(-(exponent(quantity, z * z) + K * z * z) / u)

    return sum(quad(integrand, a, b, epsabs=1e-14, epsrel=1e-12)[0] for a, b in pairwise(ends))


@pytest.mark.parametrize("quantity", BOTH)
@pytest.mark.parametrize("u", [3.0, 1000.0])
def test_the_chain_agrees_with_nested_adaptive_quadrature(quantity, u):
    ratio = conductivity_ratio(quantity, u)
    assert float(ratio) == pytest.approx(1 / laplace_of_bond(quantity, u), rel=1e-12)


@pytest.mark.parametrize("quantity", BOTH)
def test_nodes_half_a_step_aside_give_the_same_excess(quantity):
    """The trapezoidal rule has converged, from u = 1e-13 to 1e13."""
    y = np.exp(STEP * (np.arange(-190, 303) + 0.5))
    F, rest = bond_exponent(quantity, y)
    for u in 10.0 ** np.arange(-13, 14):
        terms = y * np.exp(-F / u) * -np.expm1(-rest / u)
        assert float(excess(quantity, u)) == pytest.approx(STEP * terms.sum() / u**2, rel=2e-13)


@pytest.mark.parametrize("quantity", BOTH)
@pytest.mark.parametrize(("d", "u"), [(2, 1.0), (3, 20.0)])
def test_the_effective_medium_agrees_with_its_equation(quantity, d, u):
    """d G int ds exp(-(d-1) G s) <exp(-s g)> = 1, the average of the effective medium."""
    G = float(conductivity_ratio(quantity, u, d))
    assert d * G * laplace_of_bond(quantity, d * u, (d - 1) * G) == pytest.approx(1, rel=1e-11)


@pytest.mark.parametrize("quantity", BOTH)
def test_the_exponent_agrees_with_adaptive_quadrature(quantity):
    y = np.array([1e-8, 1e-2, 0.7, 30.0, 1e6, 1e13])
    F, rest = bond_exponent(quantity, y)
    np.testing.assert_allclose(F, [exponent(quantity, each) for each in y], rtol=1e-12)
    np.testing.assert_allclose(F[:5] + rest[:5], y[:5], rtol=1e-12)
    assert rest[0] / y[0] ** 2 == pytest.approx(limits.HOT[quantity] / 2, rel=1e-7)


@pytest.mark.parametrize("u", [0.3, 3.0])
def test_the_law_of_a_bond_is_that_of_lorentzians_at_random(u):
    """Pairs of levels drawn in (xi, distance); what lies beyond the window is its mean."""
    rng, samples, window, edge = stream("bonds", int(10 * u)), 3000, 300.0, 15.0
    density = 1 / (4 * np.pi * u)
    drawn = rng.poisson(density * 2 * edge * 2 * window, samples)
    owner = np.repeat(np.arange(samples), drawn)
    x, away = (rng.uniform(-w, w, owner.size) for w in (edge, window))
    beyond = 2 / np.pi * np.arctan(1 / window)
    for quantity in BOTH:
        terms = 2 * u * WEIGHTS[quantity](x) / (1 + away**2)
        g = np.bincount(owner, terms, samples) + beyond
        for s in (0.3, 2.0):
            exact = np.exp(-bond_exponent(quantity, u * s)[0] / u)
            values = np.exp(-s * g)
            assert values.mean() == pytest.approx(exact, abs=4 * values.std() / np.sqrt(samples))
        resistance = 1 / float(conductivity_ratio(quantity, u))
        assert (1 / g).mean() == pytest.approx(resistance, abs=4 * (1 / g).std() / np.sqrt(samples))


@pytest.mark.parametrize("quantity", BOTH)
def test_coefficients_are_moments_of_the_weight(quantity):
    h = WEIGHTS[quantity]
    square, root = (2 * quad(lambda x, p=p: h(x) ** p, 0, 300)[0] for p in (2, 0.5))
    assert limits.HOT[quantity] == pytest.approx(square / 2, rel=1e-9)
    assert limits.COLD[quantity] == pytest.approx(root**2 / (4 * np.pi), rel=1e-9)


def test_a_thermopower_would_add_to_both_coefficients():
    mixed, _ = quad(lambda x: 12 / np.pi**2 * x**2 * np.cosh(x) ** -4.0, 0, 60)
    assert pytest.approx(mixed, rel=1e-9) == limits.COUPLING
    added = [limits.hot_coefficient(q, coupled=True) - limits.hot_coefficient(q) for q in BOTH]
    assert added == pytest.approx([mixed, mixed])


@pytest.mark.parametrize("quantity", BOTH)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_coefficients_come_out_of_the_crossover(quantity, d):
    """By Richardson's extrapolation; at large u the correction is u**-1 up to logarithms."""
    u = np.array([2e-4, 1e-4])
    slope = (1 - conductivity_ratio(quantity, u, d)) / u
    assert 2 * slope[1] - slope[0] == pytest.approx(limits.hot_coefficient(quantity), rel=1e-6)
    u = np.array([1e6, 2e6])
    power = conductivity_ratio(quantity, u, d) * u
    cold = float(limits.cold_coefficient(quantity, d))
    assert 2 * power[1] - power[0] == pytest.approx(cold, rel=1e-6)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("quantity", BOTH)
def test_the_extremes_of_u_are_the_limits(quantity, d):
    u = np.array([0.0, 1e-300, 1e-12, 1e12, 1e300])
    hot, cold = limits.hot_coefficient(quantity), float(limits.cold_coefficient(quantity, d))
    x = excess(quantity, u, d)
    np.testing.assert_allclose(x, [hot] * 3 + [1 / cold] * 2, rtol=1e-11)
    np.testing.assert_allclose(excess(quantity, u, d, "pade"), x, rtol=1e-11)


def test_numbers_of_the_crossover():
    u = [0.1, 0.3, 1, 3, 10, 100]
    sigma = [0.93267957, 0.80129314, 0.49362046, 0.22204114, 0.074713960, 0.0078148102]
    kappa = [0.96287159, 0.88769787, 0.65596700, 0.34154520, 0.121640072, 0.0129130364]
    np.testing.assert_allclose(conductivity_ratio("sigma", u), sigma, rtol=2e-8)
    np.testing.assert_allclose(conductivity_ratio("kappa", u), kappa, rtol=2e-8)
    lorenz = [1.03237, 1.10783, 1.32889, 1.53821, 1.62808, 1.65238]
    np.testing.assert_allclose(lorenz_ratio(u), lorenz, atol=6e-6)
    assert (1 - conductivity_ratio("sigma", 1e-4)) / 1e-4 == pytest.approx(0.66667555, abs=6e-9)
    assert conductivity_ratio("sigma", 1e8) * 1e8 == pytest.approx(0.7853981595, abs=3e-9)
    assert conductivity_ratio("kappa", 1e8) * 1e8 == pytest.approx(1.29882290, abs=6e-9)


@pytest.mark.parametrize("method", ["quadrature", "pade"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_lorenz_number_grows_from_wiedemann_franz_to_its_limit(method, d):
    u = np.geomspace(1e-7, 1e9, 400)
    ratio = lorenz_ratio(u, d, method)
    assert (np.diff(ratio) > 0).all()
    assert (ratio[0] - 1) / u[0] == pytest.approx(0.298375, rel=1e-5)
    assert ratio[-1] == pytest.approx(192 * limits.CATALAN**2 / np.pi**4, rel=1e-6)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("quantity", BOTH)
def test_ratios_fall_monotonically_and_a_lattice_conducts_better_than_a_chain(quantity, d):
    u = np.geomspace(1e-7, 1e9, 400)
    ratio = conductivity_ratio(quantity, u, d)
    assert (np.diff(ratio) < 0).all()
    assert ((0 < ratio) & (ratio < 1)).all()
    assert (ratio >= conductivity_ratio(quantity, u) * (1 - 1e-12)).all()


@pytest.mark.parametrize(
    ("quantity", "d", "error"),
    [
        ("sigma", 1, 1.1e-4),
        ("sigma", 2, 4.5e-5),
        ("sigma", 3, 5.5e-5),
        ("kappa", 1, 6.2e-4),
        ("kappa", 2, 9.6e-5),
        ("kappa", 3, 1.3e-4),
    ],
)
def test_the_pade_form_is_as_good_as_it_says(quantity, d, error):
    u = np.geomspace(1e-8, 1e10, 3001)
    off = conductivity_ratio(quantity, u, d, "pade") / conductivity_ratio(quantity, u, d) - 1
    assert 0.9 * error < np.abs(off).max() < error


def test_pade_says_where_it_does_not_hold():
    assert np.isnan(limits.pade_excess("sigma", 1.0, [4])).all()


def test_broad_bonds_have_the_constant_of_the_effective_medium():
    """From the law of broad bonds itself: d G int ds exp(-(d-1) G s - 2 sqrt(s)) = 1."""
    for d, constant in ((2, 5.340), (3, 8.515)):

        def balance(G, d=d):
            tail, _ = quad(lambda z: 2 * z * np.exp(-(d - 1) * G * z * z - 2 * z), 0, 20)
            return d * G * tail - 1

        found = brentq(balance, 1, 20)
        assert float(limits.effective_medium_constant(d)) == pytest.approx(found, rel=1e-9)
        assert found == pytest.approx(constant, abs=5e-4)
    assert limits.effective_medium_constant(1) == 2


def test_the_benchmark_runs():
    found = benchmark.rows(cells=2000, peers=1)
    assert all(row.value > 0 for row in found)
