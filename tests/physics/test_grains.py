"""One grain of the self-consistent Born approximation, level by level."""

import itertools

import numpy as np
import pytest

import delocal
from delocal.physics.disorder import stream
from delocal.physics.grains import TOLERANCE, Grain, draw_grain, solve_widths
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.resonances import Cancelled


def right_hand_side(grain, signs, M, lam, eta, Gamma, exchange=True):
    """Slow and obvious: Eq. (18) on shell, over all levels, with every sign written out."""
    xi, n = grain.levels, grain.occupied.astype(int)
    new = np.full(xi.size, eta)
    levels = range(xi.size)
    for a, b in itertools.permutations(levels, 2):
        for c, d in itertools.combinations(levels, 2):
            if {a, b} & {c, d}:
                continue
            direct = abs(xi[a] - xi[c]) < M / 2 and abs(xi[b] - xi[d]) < M / 2
            crossed = abs(xi[a] - xi[d]) < M / 2 and abs(xi[b] - xi[c]) < M / 2
            first = direct * signs[a, c] * signs[b, d]
            second = crossed * signs[a, d] * signs[b, c]
            w = (first - second) ** 2 if exchange else float(direct != crossed)
            F = n[b] * (1 - n[c]) * (1 - n[d]) + (1 - n[b]) * n[c] * n[d]
            G = Gamma[b] + Gamma[c] + Gamma[d]
            x = xi[a] + xi[b] - xi[c] - xi[d]
            new[a] += lam**2 * w * F * G / (x**2 + G**2)
    return new


def signs_of(number, rng):
    """Draw what `draw_grain` draws after levels and occupations."""
    signs = np.triu(rng.random((number, number)) < 0.5)
    return np.where(signs | signs.T, -1, 1)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_solution_solves_the_equation(exchange):
    T, M, number, lam, eta = 6.0, 4.0, 14, 0.2, 1e-6
    grain = draw_grain(T, M, number, stream("grain", 1), exchange)
    same = stream("grain", 1)
    np.testing.assert_array_equal(np.sort(same.uniform(-7, 7, number)), grain.levels)
    same.random(number)
    signs = signs_of(number, same)
    found = solve_widths(grain, lam, eta, 0.5)
    assert found.converged
    again = right_hand_side(grain, signs, M, lam, eta, found.Gamma, exchange)
    np.testing.assert_allclose(again, found.Gamma, rtol=2 * TOLERANCE)
    assert grain.weight.max() == (4 if exchange else 1)


def test_every_triple_is_allowed():
    M = 4.0
    grain = draw_grain(8.0, M, 80, stream("allowed", 0))
    parent = np.repeat(np.arange(80), np.diff(grain.first))
    b, c, d = grain.daughters.T
    xi, n = grain.levels, grain.occupied
    assert (n[b] != n[c]).all()
    assert (n[c] == n[d]).all()
    direct = (abs(xi[parent] - xi[c]) < M / 2) & (abs(xi[b] - xi[d]) < M / 2)
    assert direct.all()
    pairs = np.stack([parent, b, np.minimum(c, d), np.maximum(c, d)], axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    distinct = np.sort(np.stack([parent, b, c, d], axis=1), axis=1)
    assert (np.diff(distinct, axis=1) > 0).all()


def test_there_are_as_many_triples_as_phase_space():
    """T M**2 of each level; less within M/2 of the edge, with the heat of the transfer's square.

    A level pairs with w = 1 on average, also where both pairings are within reach (0 or 4, and
    counted once for two).
    """
    T, M, number = 8.0, 4.0, 80
    weights = []
    for replica in range(500):
        grain = draw_grain(T, M, number, stream("count", replica))
        here = np.bincount(np.repeat(np.arange(number), np.diff(grain.first)), grain.weight, number)
        inner = abs(grain.levels) < (number - 2 * M) / 2
        weights.append(here[inner].mean())
    error = np.std(weights, ddof=1) / np.sqrt(500)
    # sum over b, d: w/(exp(w/T) - 1) + w/2 = T (1 + (w/T)**2 / 12), its mean over the window;
    # 79 levels remain for b, and so on: (1 - 1/80)(1 - 2/80)(1 - 3/80).
    transfer = 1 + (M / 2 / T) ** 2 / 36
    remaining = np.prod(1 - np.arange(1, 4) / number)
    assert abs(np.mean(weights) - T * M**2 * transfer * remaining) < 4 * error
    assert 4 * error < 0.06 * T * M**2


def test_two_levels_in_resonance_keep_each_other_alive():
    """With only a -> (b, c, d) and back, Gamma = lam**2 G / (x**2 + G**2): a closed form."""
    lam, x, eta = 0.01, 0.004, 1e-14
    first = np.array([0, 1, 2, 3, 4])
    others = np.array([[j for j in range(4) if j != i] for i in range(4)])
    grain = Grain(np.zeros(4), np.zeros(4, bool), first, others, np.full(4, x), np.ones(4))
    found = solve_widths(grain, lam, eta, 0.1)
    G = np.sqrt(3 * lam**2 - x**2)  # G = 3 Gamma solves G/3 = lam**2 G / (x**2 + G**2)
    np.testing.assert_allclose(found.Gamma, G / 3, rtol=1e-6)
    off = Grain(grain.levels, grain.occupied, first, others, np.full(4, 0.1), np.ones(4))
    alone = solve_widths(off, lam, eta, 0.1)
    np.testing.assert_allclose(alone.Gamma, eta / (1 - 3 * (lam / 0.1) ** 2), rtol=1e-6)


def run(lam, replicas, **options):
    request = {
        "models": ["scba-grains"],
        "axes": {"lam": lam},
        "options": {"scba-grains": options},
        "sampling": {"replicas": replicas},
    }
    return delocal.run(request)["scba-grains"].to_dataset()


def test_typical_widths_fall_by_eight_decades():
    """T = 8 delta, M = 4, eta = 1e-10: from a metal at lam = 0.1 to an insulator at 1e-3."""
    ds = run([0.1, 0.03, 0.01, 1e-3], 60)
    assert (ds.status == Status.DONE).all()
    assert (ds.n_replicas == 60).all()
    assert (ds.residual <= TOLERANCE).all()
    typical, error = ds.log10_Gamma_typ, ds.log10_Gamma_typ_stderr
    for weak, strong in itertools.pairwise([1e-3, 0.01, 0.03, 0.1]):
        both = np.hypot(error.sel(lam=weak), error.sel(lam=strong))
        assert typical.sel(lam=strong) - typical.sel(lam=weak) > 4 * both
    assert abs(float(typical.sel(lam=0.1)) - np.log10(0.28)) < 4 * float(error.sel(lam=0.1)) + 0.03
    # Eight decades for two of lam; insulating widths are heavy-tailed.
    assert abs(float(typical.sel(lam=1e-3)) - np.log10(4e-9)) < 4 * float(error.sel(lam=1e-3))
    assert 8500 < float(ds.triples.mean()) < 9500


def test_the_mean_is_below_that_of_equal_widths_and_near_it_in_the_metal():
    ds = run([0.1, 0.05, 0.03], 100)
    share = ds.Gamma_mean_field / ds.Gamma_golden
    assert (ds.mean_ratio < share + 2 * ds.mean_ratio_stderr).all()
    assert (ds.mean_ratio > 0.85 * share - 2 * ds.mean_ratio_stderr).all()


def test_too_few_iterations_are_not_converged():
    model = load_models()["scba-grains"]
    options = {"exchange": "random-signs", "max_iterations": 1}
    point = {"lam": 2e-3, "M": 4.0, "T": 8.0, "eta": 1e-10}
    statuses = []
    for replica in range(60):
        found = model.replicate(point, options, stream("few", replica), lambda: False)
        statuses.append(found.get("status", Status.DONE))
        if statuses[-1] == Status.NOT_CONVERGED:
            assert np.isnan(found["Gamma_mean"])
            assert found["residual"] > TOLERANCE
    assert Status.NOT_CONVERGED in statuses


def test_printed_exchange_leaves_out_what_both_pairings_reach():
    """The volume of c and d within M/2 of both a and b is 2 M**3/3, of which F leaves T."""
    T, M, number = 8.0, 4.0, 80
    lacking = []
    for replica in range(300):
        signed, printed = (
            draw_grain(T, M, number, stream("exchange", replica), exchange).weight.sum()
            for exchange in (True, False)
        )
        lacking.append(signed - printed)
    error = np.std(lacking, ddof=1) / np.sqrt(300)
    remaining = np.prod(1 - np.arange(1, 4) / number)
    expected = T * 2 * M**3 / 3 * remaining
    next_order = (M / T) ** 2 / 12 * expected  # F is that of one energy
    assert abs(np.mean(lacking) - expected) < 4 * error + next_order
    assert 4 * error < 0.3 * expected


def test_small_and_large_grains_are_outside_the_domain():
    model = load_models()["scba-grains"]
    options = {option.name: option.choices[0] for option in model.options}
    for T in (0.1, 1e6):
        point = {"lam": 0.1, "M": 4.0, "T": T, "eta": 1e-10}
        found = model.replicate(point, options, stream("x", 0), lambda: False)
        assert found["status"] == Status.OUTSIDE_DOMAIN


def test_iteration_can_be_cancelled():
    grain = draw_grain(2.0, 3.0, 20, stream("x", 0))
    with pytest.raises(Cancelled):
        solve_widths(grain, 0.1, 1e-9, 1.0, cancelled=lambda: True)
