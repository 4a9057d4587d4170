"""The Bethe lattice: closed forms of the Cauchy law, real space, many neighbours, finite pools."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import lambertw

import delocal
from benchmarks.bethe import rows
from delocal.physics.bethe import (
    FINE,
    critical_disorder,
    critical_disorders,
    eigenvalue,
    stationary_transform,
)
from delocal.physics.bethe_limits import (
    asymptotic_disorder,
    best_estimate,
    logarithmic_moments,
    upper_limit,
)
from delocal.physics.disorder import stream
from delocal.physics.model import Cancelled, Status
from delocal.physics.pools import cutoff_amplitude, growth, infinite_pool, pool_threshold
from delocal.physics.quadrature import graded_panels, product_rule
from delocal.physics.site_disorder import BOX, CAUCHY, GAUSSIAN, LAWS
from delocal.physics.thresholds import Estimate

FOUND = json.loads((Path(__file__).parent / "reference" / "bethe_hopping.json").read_text())


def cauchy_pole(K, W, E):
    """The G whose law is Cauchy, as that of a site of energy i W: K G**2 - (E + i W) G + 1 = 0."""
    z = E + 1j * W
    root = np.sqrt(z * z - 4 * K)
    pair = (z + root) / (2 * K), (z - root) / (2 * K)
    return pair[int(abs(pair[1]) < abs(pair[0]))]


def operator_in_real_space(K, W, E, s, h, span=16.0):
    """L_s of the Cauchy law, a(G) constant on cells of ln abs(G): r is a Cauchy density too."""
    pole = cauchy_pole(K, W, E)
    center, width = E - (K - 1) * pole.real, W + (K - 1) * abs(pole.imag)
    ends = np.exp(np.arange(-span, span + h / 2, h))
    G = np.sqrt(ends[1:] * ends[:-1])
    G, low, high = (np.concatenate([-x[::-1], x]) for x in (G, ends[:-1], ends[1:]))
    low, high = np.minimum(low, high), np.maximum(low, high)
    X = 1 / G[:, None] - center
    inside = np.arctan((X + high) / width) - np.arctan((X + low) / width)
    return K * np.abs(G)[:, None] ** (2 * s - 2) * inside / np.pi, G


def largest(matrix):
    vector = np.ones(len(matrix))
    for _ in range(60):
        vector = matrix @ vector
        norm = np.abs(vector).max()
        vector /= norm
    return norm


def test_the_published_threshold():
    row = FOUND["Wc_Bethe_K2"]
    found = critical_disorder(row["K"])
    assert found.W_c == pytest.approx(row["W_c"], abs=row["error"])
    assert found.W_c == pytest.approx(row["published"], abs=row["published_error"])
    assert found.error < 1e-6


def test_the_threshold_of_the_model_is_where_the_eigenvalue_is_one():
    ds = delocal.evaluate("bethe", K=2)
    assert ds.status.item() == Status.DONE
    assert abs(ds.W_c.item() - 18.17) < 0.02
    assert 0 < ds.W_c_error.item() < 1e-6
    assert eigenvalue(2, ds.W_c.item()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
@pytest.mark.parametrize(("K", "E"), [(2, 0.0), (2, 2.0), (7, 0.0)])
def test_a_finer_resolution_changes_what_the_error_says(law, K, E):
    found = critical_disorder(K, E, law)
    assert eigenvalue(K, found.W_c, E=E, law=law) == pytest.approx(1, abs=1e-11)
    finer = eigenvalue(K, found.W_c, E=E, law=law, resolution=FINE)
    assert abs(finer - 1) < found.error / found.W_c < 1e-7


@pytest.mark.parametrize("E", [0.0, 1.3])
def test_cauchy_energies_make_the_real_part_cauchy(E):
    for K, W in ((2, 4.0), (5, 0.7)):
        k, g = stationary_transform(K, W, E=E, law=CAUCHY)
        pole = cauchy_pole(K, W, E)
        np.testing.assert_allclose(g, np.exp(1j * k * pole.real - k * abs(pole.imag)), atol=3e-12)


@pytest.mark.parametrize("E", [0.0, 1.3])
@pytest.mark.parametrize("s", [0.25, 0.4, 0.5])
def test_the_eigenvalue_agrees_with_real_space(E, s):
    coarse, fine = (largest(operator_in_real_space(2, 4.0, E, s, h)[0]) for h in (0.1, 0.05))
    limit = fine + (fine - coarse) / 3  # the error is of order h**2
    assert eigenvalue(2, 4.0, E=E, exponent=s, law=CAUCHY) == pytest.approx(limit, rel=3e-6)


@pytest.mark.parametrize("E", [0.0, 1.3])
def test_probability_is_conserved_at_exponent_zero(E):
    """lambda(0) = 1, and the law of G itself is what L_0 reproduces."""
    matrix, G = operator_in_real_space(3, 4.0, E, 0.0, 0.05)
    pole = cauchy_pole(3, 4.0, E)
    q = abs(pole.imag) / np.pi / abs(G - pole) ** 2
    inner = (np.abs(G) > 1e-3) & (np.abs(G) < 1e3)
    np.testing.assert_allclose((matrix @ q)[inner], 3 * q[inner], rtol=1e-3)


@pytest.mark.parametrize("law", [BOX, CAUCHY], ids=lambda law: law.name)
def test_the_eigenvalue_is_symmetric_and_one_at_both_ends(law):
    """A polynomial in (s - 1/2)**2 through ln lambda(s) leads to lambda(0) = 1."""
    s = np.array([0.2, 0.25, 0.3, 0.36, 0.42, 0.5])
    ln = np.log([eigenvalue(2, 12.0, exponent=x, law=law) / 2 for x in s])
    assert eigenvalue(2, 12.0, exponent=0.8, law=law) == pytest.approx(2 * np.exp(ln[0]), rel=1e-9)
    m = (s - 0.5) ** 2
    ends = [np.polyval(np.polyfit(m[i:], ln[i:], 5 - i), 0.25) for i in (0, 1)]
    error = abs(ends[1] - ends[0])
    assert error < 0.02
    assert abs(ends[0]) < error


def test_the_slope_at_exponent_zero_is_the_mean_logarithm():
    """d ln lambda / d s = 2 mean(ln abs(G)) at s = 0, exactly 2 ln abs(pole) for the Cauchy law."""
    s = np.array([0.2, 0.26, 0.33, 0.41])
    for E in (0.0, 1.0):
        ln = [np.log(eigenvalue(2, 4.0, E=E, exponent=x, law=CAUCHY) / 2) for x in s]
        both = np.concatenate([[0], s, 1 - s, [1]]), np.concatenate([[0], ln, ln, [0]])
        polynomial = np.polynomial.Polynomial.fit(*both, 8)
        slope = float(polynomial.deriv()(0.0))
        assert slope == pytest.approx(2 * np.log(abs(cauchy_pole(2, 4.0, E))), rel=1e-3)


def test_real_parts_of_a_pool_have_the_stationary_law():
    rng, N, generations = stream("real parts", 0), 20_000, 30
    G = np.ones(N)
    means = []
    at = np.array([0.5, 2.0, 5.0, 12.0])
    for t in range(generations + 20):
        G = -1 / (BOX.sample(rng, N) * 10 + G[rng.integers(0, N, (2, N))].sum(axis=0))
        if t >= 20:
            means.append(np.cos(at[:, None] * G).mean(axis=1))
    k, g = stationary_transform(2, 10.0)
    exact = np.interp(at, k, g.real)
    rough = np.abs(np.interp(at, k[::2], g.real[::2]) - exact)  # of the interpolation
    error = np.std(means, axis=0, ddof=1) / np.sqrt(generations)
    assert (abs(np.mean(means, axis=0) - exact) < 5 * error + rough).all()
    assert (5 * error + rough < 0.02).all()


@pytest.mark.parametrize(
    ("law", "p", "Y", "C"),
    [
        (BOX, 1, 0.5, np.pi**2 / 12),
        (GAUSSIAN, 1 / np.sqrt(2 * np.pi), np.sqrt(2) * np.exp(-np.euler_gamma / 2), np.pi**2 / 8),
        (CAUCHY, 1 / np.pi, 1, np.pi**2 / 6),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_moments_of_a_law_have_closed_forms(law, p, Y, C):
    assert logarithmic_moments(law) == pytest.approx((p, Y, C), rel=1e-11)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_inverse_moments_agree_with_samples(law):
    x = law.sample(stream("inverse", 0), 400_000)
    values = np.abs(x) ** -0.4
    error = values.std() / np.sqrt(x.size)
    assert abs(values.mean() - law.inverse_moment(0.2)) < 4 * error < 0.02


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_characteristic_functions_agree_with_samples(law):
    x = law.sample(stream("characteristic", 0), 400_000)
    for k in (0.3, 1.0, 3.0):
        assert abs(np.cos(k * x).mean() - law.characteristic(np.array(k))) < 4 / np.sqrt(x.size)


def test_anderson_estimates_are_closed_forms():
    """W = c ln(W/2) with c = 2 e K or 4 K, solved by Lambert's function."""
    K = np.array([2, 3, 10, 1000])
    for c, W in ((2 * np.e * K, upper_limit(K)), (4 * K, best_estimate(K))):
        np.testing.assert_allclose(W, -c * lambertw(-2 / c, -1).real, rtol=1e-9)
    assert upper_limit(2) == pytest.approx(29.12, abs=0.01)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.name)
def test_thresholds_grow_with_neighbours_below_the_upper_limit(law):
    K = np.array([2, 3, 5, 10, 30])
    W_c, _, status = critical_disorders(K, 0.0, law)
    assert (status == Status.DONE).all()
    assert (np.diff(W_c / K) > 0).all()
    assert (W_c < upper_limit(K, law)).all()
    best = best_estimate(K, law)
    assert (W_c[np.isfinite(best)] > best[np.isfinite(best)]).all()


def test_many_neighbours_of_a_box():
    """What is left is tunnelling of real parts past the edges: a share 4 K / W**2 of all."""
    for K in (30, 100, 300):
        W_c = critical_disorder(K).W_c
        excess = float(asymptotic_disorder(K)) / W_c - 1
        slope = 1 / (1 - 1 / np.log(W_c / 2))  # of W with respect to 1/lambda
        assert excess == pytest.approx(4 * K / W_c**2 * slope, rel=0.2)


def test_many_neighbours_of_a_cauchy_law():
    """There r is a Cauchy law of width W + (K - 1) abs(G): the formula gives that width."""
    for K, rel in ((3, 2e-4), (10, 2e-6), (100, 3e-9)):
        W_c = critical_disorder(K, law=CAUCHY).W_c
        width = W_c + (K - 1) * abs(cauchy_pole(K, W_c, 0.0))
        assert float(asymptotic_disorder(K, CAUCHY)) == pytest.approx(width, rel=rel)


def test_leading_order_is_the_best_estimate():
    K = 10.0 ** np.arange(2, 7)
    gap = asymptotic_disorder(K) / best_estimate(K) - 1
    L = np.log(asymptotic_disorder(K) / 2)
    np.testing.assert_allclose(gap * L**2, np.pi**2 / 48, rtol=0.25)
    assert (np.diff(abs(gap * L**2 / (np.pi**2 / 48) - 1)) < 0).all()


def test_the_mobility_edge_moves_inwards_with_disorder():
    E = np.array([0.0, 1.0, 2.0, 2.8, 2.99])
    W_c, _, _ = critical_disorders(2, E)
    assert (np.diff(W_c) < 0).all()
    outside = critical_disorders(2, [3.0, 5.0, 1e300])
    assert (outside[2] == Status.OUTSIDE_DOMAIN).all()
    assert np.isnan(outside[0]).all()


@pytest.mark.parametrize(("E", "extended"), [(2.9, True), (3.2, False)])
def test_weak_disorder_delocalizes_up_to_K_plus_1(E, extended):
    """At W = 0 and beyond the band edge, K lambda(1/2) = K G with G = (E - sqrt(E**2 - 4 K))/2K."""
    clean = (E - np.sqrt(E**2 - 8)) / 2
    assert (clean > 1) == extended
    assert (eigenvalue(2, 1.0, E=E) > 1) == extended


def test_arrays_have_the_shape_of_their_parameters():
    W_c, error, status = critical_disorders(np.array([[2], [3]]), np.array([0.0, 1.0, 9.0]))
    assert W_c.shape == error.shape == status.shape == (2, 3)
    assert W_c[1, 0] == critical_disorder(3).W_c
    assert status.tolist() == [[1, 1, 2], [1, 1, 2]]


@pytest.mark.parametrize("K", [10**4, 10**6])
def test_a_million_neighbours(K):
    found = critical_disorder(K)
    assert found.W_c == pytest.approx(float(asymptotic_disorder(K)), rel=1e-6)
    assert found.error < 1e-8 * found.W_c


def test_disorder_too_weak_to_resolve_is_not_a_number():
    assert np.isnan(eigenvalue(2, 1e-3))
    assert eigenvalue(2, 2.0) > 1


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.0])
def test_product_rules_are_exact_for_polynomials(speed):
    """int cos(v x) x**2 dx on panels of very different lengths."""
    ends = graded_panels(300.0, 6, 3.0)
    x, w = product_rule(lambda x: np.cos(speed * x), ends, 5)
    v, b = speed, 300.0
    exact = b**3 / 3
    if speed:
        exact = (b**2 / v - 2 / v**3) * np.sin(v * b) + 2 * b / v**2 * np.cos(v * b)
    assert (w * x**2).sum() == pytest.approx(exact, rel=1e-9)
    assert ends[0] == 0
    assert ends[-1] == 300
    assert (np.diff(ends) > 0).all()


def test_a_pool_at_its_threshold_does_not_grow():
    N, replicas = 300, 12
    W = [pool_threshold(2, N, 600, stream("threshold", i)) for i in range(replicas)]
    rates = [growth(2, float(np.mean(W)), N, 600, stream("rate", i)) for i in range(replicas)]
    slope = 2 * 0.56  # d growth / d ln W, from the eigenvalue
    relative = np.std(W, ddof=1) / np.mean(W)
    error = np.hypot(np.std(rates, ddof=1), slope * relative) / np.sqrt(replicas)
    assert abs(np.mean(rates)) < 4 * error < 0.05


def test_pools_approach_the_threshold_from_below_as_a_cut_off_front():
    W = {}
    for N, replicas in ((300, 12), (10_000, 4)):
        runs = [pool_threshold(2, N, 300, stream(f"pool {N}", i)) for i in range(replicas)]
        W[N] = Estimate(float(np.mean(runs)), float(np.std(runs, ddof=1) / np.sqrt(replicas)))
    exact = critical_disorder(2).W_c
    gap = W[10_000].value - W[300].value
    assert gap > 4 * np.hypot(W[10_000].stderr, W[300].stderr)
    found = infinite_pool(list(W), list(W.values()))
    assert abs(found.value - exact) < 3 * found.stderr < 3
    for N, estimate in W.items():  # the leading order overestimates the bias, by less than 2
        bias = np.log(exact / estimate.value)
        leading = cutoff_amplitude(2) / np.log(N) ** 2
        assert 0.4 < bias / leading < 1


def test_pools_obey_when_told_to_stop():
    with pytest.raises(Cancelled):
        growth(2, 16.0, 100, 10, stream("stop", 0), cancelled=lambda: True)


@pytest.mark.parametrize("law", ["box", "gaussian", "cauchy"])
def test_the_pool_model_runs_through_the_engine(law):
    request = {
        "models": ["bethe-pool"],
        "axes": {"N": [100, 1000]},
        "fixed": {"K": 2, "W": 5},
        "options": {"bethe-pool": {"generations": 100, "law": law}},
        "sampling": {"replicas": 4},
    }
    ds = delocal.run(request)["bethe-pool"].to_dataset()
    assert (ds.status == Status.DONE).all()
    assert (ds.W_c < ds.W_c_infinite).all()
    exact = critical_disorder(2, law=LAWS[law]).W_c
    assert ds.W_c_infinite.item() == exact
    assert (np.sign(ds.growth) == np.sign(ds.W_c - 5)).all()


def test_the_benchmark_runs():
    found = {row.name: row for row in rows(size=300, generations=50, replicas=2, repeats=1)}
    assert found["Bethe lattice: s for W_c(K=2), first time"].holds
    assert found["Bethe lattice: numerical error of W_c"].holds
    assert found["Bethe lattice: bias of a pool of 300"].value > 0


@pytest.mark.slow
def test_pools_extrapolate_to_the_threshold():
    sizes, runs = [1000, 10_000, 100_000], [(3000, 24), (1000, 16), (1000, 8)]
    found = []
    for N, (generations, replicas) in zip(sizes, runs, strict=True):
        W = [pool_threshold(2, N, generations, stream(f"long {N}", i)) for i in range(replicas)]
        found.append(Estimate(float(np.mean(W)), float(np.std(W, ddof=1) / np.sqrt(replicas))))
    assert abs(found[0].value - 15.34) < 4 * found[0].stderr + 0.05
    limit = infinite_pool(sizes, found)
    assert abs(limit.value - critical_disorder(2).W_c) < 2 * limit.stderr < 1
