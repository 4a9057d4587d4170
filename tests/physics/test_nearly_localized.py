"""The nearly localized metal: theorems on its roots, limits, exponents, and numbers made apart."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq

import delocal
from benchmarks.nearly_localized import one_by_one
from delocal.physics import dot_temperature, dot_windows, nearly_localized
from delocal.physics.coupled_dots import CoupledDots, eps_of_x
from delocal.physics.critical_law import fit_critical_law, local_exponent
from delocal.physics.decay_terms import VARIANTS
from delocal.physics.dot_transition import critical_eps, critical_gamma
from delocal.physics.model import Status
from delocal.physics.models.nearly_localized import model
from delocal.physics.nearly_localized import decay_sum, linewidth
from delocal.physics.powers import LogArray
from delocal.physics.saddle_point import (
    leading_log_linewidth,
    leading_order,
    saddle_point_linewidth,
    saddle_point_order,
    single_dot_linewidth,
)

ROWS = json.loads((Path(__file__).parent / "reference" / "gn.json").read_text())["entries"]
FIG8 = [0.01, 0.1, 0.3, 0.45, 0.6, 0.8, 0.85]
"""eps of Fig. 8; its other parameters are the defaults of `CoupledDots`."""


def of_row(row):
    given = {k: v for k, v in row["params"].items() if k in ("eps", "gamma", "K", "N", "s", "d")}
    if "x" in row["params"]:
        given["eps"] = eps_of_x(row["params"]["x"])
    return CoupledDots.of(**{"eps": 0.0, "gamma": 1.0, **given})


def rows(prefix):
    found = [row for row in ROWS if row["id"].startswith(prefix)]
    assert found
    return pytest.mark.parametrize("row", found, ids=lambda row: row["id"])


def random_dots(number, seed=1, largest_gamma=1.0):
    """Return dots near and far from their transition, with more than a few terms or not."""
    rng = np.random.default_rng(seed)
    return CoupledDots.of(
        eps=rng.uniform(-0.3, 0.95, number),
        gamma=10 ** rng.uniform(-4, np.log10(largest_gamma), number),
        K=rng.uniform(1.5, 12, number),
        N=rng.integers(2, 16, number),
        s=rng.uniform(0.05, 1.0, number),
        d=rng.integers(1, 4, number),
    )


def one(dots, i):
    fields = (dots.eps, dots.gamma, dots.K, dots.N, dots.s, dots.d)
    return CoupledDots.of(*(field[i] for field in fields))


@rows("E")
def test_linewidth_agrees_with_the_reference(row):
    variant = {"E3": "E3", "E3int": "integral", "E1": "E1"}[row["id"].split("_")[0]]
    Gamma = linewidth(of_row(row), variant).Gamma.value
    assert float(Gamma) == pytest.approx(row["value"], rel=row["rtol"])


@rows("fig67")
def test_linewidth_of_figures_6_and_7_agrees_with_the_reference(row):
    assert float(linewidth(of_row(row)).Gamma.value) == pytest.approx(row["value"], rel=row["rtol"])


@rows("C4C2")
def test_saddle_point_as_printed_agrees_with_the_reference(row):
    Gamma = saddle_point_linewidth(of_row(row), as_printed=True).value
    assert float(Gamma) == pytest.approx(row["value"], rel=row["rtol"])


@rows("epsc")
def test_critical_eps_agrees_with_the_reference(row):
    found = critical_eps(of_row(row), row["id"].split("_")[1])
    assert float(found) == pytest.approx(row["value"], rel=row["rtol"])


@rows("gammac")
def test_critical_gamma_agrees_with_the_reference(row):
    found = critical_gamma(of_row(row)).value
    assert float(found) == pytest.approx(row["value"], rel=row["rtol"])


def test_windows_agree_with_the_reference():
    first, seventh = (row for row in ROWS if row["id"].startswith("win"))
    coupling = dot_windows.saddle_point_coupling(of_row(first))
    assert float(coupling) == pytest.approx(first["value"], rel=first["rtol"])
    border = seventh["value"] * (1 + seventh["rtol"] * np.array([-1, 1]))
    holds = dot_windows.saddle_point_holds(replace(of_row(seventh), eps=border))
    np.testing.assert_array_equal(holds, [False, True])


@rows("Gamma_28")
def test_temperature_law_agrees_with_the_reference(row):
    Gamma = dot_temperature.saddle_point_linewidth(**row["params"], as_printed=True).value
    assert float(Gamma) == pytest.approx(row["value"], rel=row["rtol"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_root_solves_the_equation(variant):
    dots = random_dots(1000)
    found = linewidth(dots, variant)
    assert (found.status == Status.DONE).all()
    assert found.metal.sum() > 500
    np.testing.assert_array_less(abs(found.residual), 1e-13)
    with np.errstate(over="ignore"):
        F = decay_sum(dots, found.Gamma.value, variant)
    # The sum is evaluated in another way; near the transition F - 1 is a difference of large sums.
    np.testing.assert_allclose(F[found.metal], 1, rtol=1e-11)
    np.testing.assert_array_equal(found.Gamma.value[~found.metal], 0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_roots_are_as_many_as_a_dense_scan_finds(variant):
    number = 200 if variant == "integral" else 1000
    dots = random_dots(number, seed=2)
    found = linewidth(dots, variant)
    ln = np.linspace(-45, 4, 1500)
    counted = np.empty(number, int)
    for i in range(number):
        above = decay_sum(one(dots, i), np.exp(ln), variant) > 1
        counted[i] = np.count_nonzero(above[1:] != above[:-1])
    deep = found.metal & (found.Gamma.ln < ln[0])
    assert deep.sum() < number / 50
    np.testing.assert_array_equal(found.roots[~deep], counted[~deep])


def test_roots_are_those_of_another_solver():
    dots = random_dots(200, seed=3)
    found = linewidth(dots)
    for i in np.flatnonzero(found.metal):
        cell = one(dots, i)
        root = brentq(lambda ln, of=cell: float(decay_sum(of, np.exp(ln))) - 1, -80, 8, xtol=1e-14)
        assert float(found.Gamma.ln[i]) == pytest.approx(root, abs=1e-9)


def test_the_peer_of_the_benchmark_finds_the_same():
    eps, gamma = np.linspace(0.05, 0.8, 20), np.linspace(0.05, 0.2, 20)
    ln = linewidth(CoupledDots.of(eps, gamma)).Gamma.ln
    np.testing.assert_allclose(ln, one_by_one(eps, gamma), rtol=0, atol=1e-12)


def test_several_roots_lie_close_to_gamma_and_the_largest_is_taken():
    """With saturation F may grow with Gamma, but only where ln(gamma/Gamma) < d/2."""
    dots = random_dots(5000, seed=4, largest_gamma=0.99)
    found = linewidth(dots, "full")
    several = np.flatnonzero(found.roots > 1)
    assert several.size > 5
    assert set(found.roots[several].tolist()) <= {2, 3}
    for i in several:
        cell = one(dots, i)
        start, end = cell.ln_gamma - cell.d / 2, cell.ln_gamma - cell.sN ** (-1 / cell.d)
        F = decay_sum(cell, np.exp(np.linspace(start, end, 400)), "full")
        assert (np.diff(F) > 0).any()
        below = decay_sum(cell, np.exp(np.linspace(start - 20, start, 400)), "full")
        assert (np.diff(below) <= 0).all()
        larger = decay_sum(cell, np.exp(found.Gamma.ln[i] + np.linspace(1e-6, 5, 400)), "full")
        assert (larger < 1).all()
    assert (dots.ln_gamma - found.Gamma.ln < dots.d / 2)[several].all()
    assert not dot_windows.in_linewidth_window(dots, LogArray(found.Gamma.ln + 1.5))[several].any()


def test_the_saturated_number_of_neighbours_joins_continuously():
    """Several roots do not come of a jump of Eq. (20): F has none where t = 1/Gamma."""
    dots = CoupledDots.of(eps=0.5, gamma=0.5, N=12, s=1.0)
    crossing = -np.log(3.0) * np.arange(3, 20)
    below, above = (decay_sum(dots, np.exp(crossing + by), "full") for by in (-1e-9, 1e-9))
    np.testing.assert_allclose(below, above, rtol=1e-7)


@pytest.mark.parametrize("variant", ["E1", "E3", "full"])
def test_linewidth_grows_with_eps(variant):
    eps = np.linspace(-0.15, 0.95, 300)  # gamma K**2 = 1.8: no n_fast is negative
    ln = linewidth(CoupledDots.of(eps, 0.2), variant).Gamma.ln
    metal = ln > -np.inf
    assert (np.diff(metal.astype(int)) >= 0).all()
    assert (np.diff(ln[metal]) > 0).all()


def test_linewidth_grows_with_the_coupling():
    ln = linewidth(CoupledDots.of(0.3, np.geomspace(1e-3, 0.3, 200)), "E1").Gamma.ln
    assert (np.diff(ln[np.isfinite(ln)]) > 0).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_metal_ends_at_the_critical_eps_and_gamma(variant):
    dots = random_dots(400, seed=5)
    dots = replace(dots, d=np.minimum(dots.d, 1 if variant in ("E2", "E3", "integral") else 3))
    eps_c, gamma_c = critical_eps(dots, variant), critical_gamma(dots, variant)
    inside = np.isfinite(eps_c) & (eps_c < 0.99)
    assert inside.sum() > 200
    for side in (-1, 1):
        at_eps = linewidth(replace(dots, eps=np.where(inside, eps_c, 0) + side * 1e-9), variant)
        np.testing.assert_array_equal(at_eps.metal[inside], side > 0)
        at_gamma = replace(dots, gamma=np.exp(gamma_c.ln + side * 1e-9))
        np.testing.assert_array_equal(linewidth(at_gamma, variant).metal, side > 0)


def test_the_boundary_without_a_cutoff():
    """At s N = 5 fixed, more and more terms: eps_c < 0, and |eps_c| ~ gamma**(2/3)."""
    for K, gamma, eps_c in [(3, 1e-2, -0.0431), (10, 1e-3, -0.00606)]:
        dots = CoupledDots.of(0, gamma, K=K, N=1000, s=0.005)
        assert float(critical_eps(dots)) == pytest.approx(eps_c, rel=5e-3)
    gamma = np.array([1e-5, 1e-6])
    found = -critical_eps(CoupledDots.of(0, gamma, K=3, N=40_000, s=5 / 40_000))
    # The sum as an integral of m (s N m ln K) exp(-2 m |eps| ln K), up to |eps ln gamma|.
    law = (gamma**2 * 5 / (4 * np.log(3) ** 2)) ** (1 / 3)
    assert (abs(found / law - 1) < 2 * law * abs(np.log(gamma))).all()


@pytest.mark.parametrize(
    ("gamma", "K", "E3", "E1"),
    [(0.1, 3, -0.1758, -0.1692), (1e-2, 3, -0.00066, 0.0323), (1e-3, 10, 0.0476, 0.0686)],
)
def test_a_finite_number_of_levels_shifts_the_boundary(gamma, K, E3, E1):
    dots = CoupledDots.of(0, gamma, K=K)
    assert float(critical_eps(dots, "E3")) == pytest.approx(E3, abs=6e-5)
    assert float(critical_eps(dots, "E1")) == pytest.approx(E1, abs=6e-5)
    assert critical_eps(dots, "full") == critical_eps(dots, "E1")


def test_the_phase_boundary_is_not_linear():
    """Fig. 5: gamma_c over 1/Xi - ln K is not constant; the paper calls it so."""
    x = np.array([-0.4, -0.3, -0.2, -0.1])
    dots = CoupledDots.of(eps_of_x(x), 1.0)
    ratio = critical_gamma(dots).value / (1 / dots.Xi - dots.lnK)
    assert ratio.max() / ratio.min() > 2
    assert ratio.min() == pytest.approx(0.48, abs=0.02)
    assert ratio.max() == pytest.approx(1.2, abs=0.05)


def test_the_logarithmic_branch_has_the_opposite_sign():
    """Fig. 5: ln gamma_c falls with ln K - 1/Xi, and this branch is made by the finite N."""
    dots = CoupledDots.of(eps_of_x([0.1, 0.5, 1.0, 2.0, 3.0]), 1.0)
    distance = dots.lnK - 1 / dots.Xi
    slopes = np.diff(critical_gamma(dots).ln) / np.diff(distance)
    assert (slopes < -10).all()
    more = critical_gamma(replace(dots, N=np.array(20.0), s=np.array(0.25))).ln  # s N = 5
    assert (more < critical_gamma(dots).ln - [2, 5, 10, 15, 15]).all()


def test_linewidth_vanishes_as_a_square_root():
    """F is smooth in Gamma**2, so Gamma**2 = F0' (eps - eps_c) / sum A B, prefactor included."""
    dots = CoupledDots.of(0.0, 1e-3, K=10)
    eps_c = critical_eps(dots)
    m = np.arange(2, 21)
    n = 5 * np.log(1e-3 * 10.0**m)
    A, B = (m - 1) * 1e-6 * 10.0 ** (2 * m * eps_c) * n, (n * 10.0**m) ** 2
    growth = (2 * m * np.log(10) * A).sum() / (A * B).sum()
    by = np.array([1e-10, 1e-8, 1e-6])
    Gamma = linewidth(replace(dots, eps=eps_c + by)).Gamma.value
    corrections = Gamma**2 / by / growth - 1  # linear in the distance, below that rounding
    assert (abs(corrections) < [1e-4, 1e-4, 1e-2]).all()


def near_figure_7(low, high, points=60):
    """Return Xi and Gamma of Fig. 7 for Gamma in a window, at even steps of Xi."""
    dots = CoupledDots.of(np.linspace(0.05, 0.9, 20_001), 1e-3, K=10)
    ln = linewidth(dots).Gamma.ln
    Xi = dots.Xi[(np.log(low) < ln) & (ln < np.log(high))]
    Xi = np.linspace(Xi[0], Xi[-1], points)
    return Xi, linewidth(CoupledDots.of(1 - 1 / (Xi * np.log(10)), 1e-3, K=10)).Gamma


def test_one_third_is_an_effective_exponent():
    Xi, Gamma = near_figure_7(1e-9, 1e-5)  # from N K**-N
    fit = fit_critical_law(Xi, Gamma)
    assert fit.exponent == pytest.approx(1 / 3, abs=0.05)
    assert fit.rms < 0.01
    third, quarter, half = (fit_critical_law(Xi, Gamma, p).rms for p in (1 / 3, 1 / 4, 1 / 2))
    assert third < 0.01
    assert quarter > 2 * third
    assert half > 2 * third
    Xi_c = float(CoupledDots.of(critical_eps(CoupledDots.of(0, 1e-3, K=10)), 1e-3, K=10).Xi)
    assert Xi_c == pytest.approx(0.456, abs=5e-4)
    assert fit.Xi_c > Xi_c + 0.02  # the window sees another transition than there is


def test_one_third_belongs_to_its_window():
    assert fit_critical_law(*near_figure_7(1e-9, 1e-4)).exponent < 0.25
    assert fit_critical_law(*near_figure_7(1e-15, 1e-6)).exponent > 0.36


def test_one_third_is_not_asymptotic():
    eps_c = critical_eps(CoupledDots.of(0, 1e-3, K=10))
    dots = CoupledDots.of(eps_c + np.geomspace(1e-10, 1e-3, 8), 1e-3, K=10)
    Xi_c = CoupledDots.of(eps_c, 1e-3, K=10).Xi
    exponents = local_exponent(dots.Xi, linewidth(dots).Gamma, float(Xi_c))
    assert exponents[0] < 0.02
    assert (np.diff(exponents) > 0).all()  # towards zero at the transition


def test_closed_forms_stand_where_they_are_said_to():
    """Within its window (C5) is low by up to a third, below it useless; (C4) is twice too large."""
    dots = CoupledDots.of(FIG8, 0.1)
    E3 = linewidth(dots).Gamma.value
    C5 = leading_log_linewidth(dots).value / E3
    np.testing.assert_allclose(C5[1:], [8.8e-5, 0.346, 0.736, 0.869, 0.699, 0.613], rtol=6e-3)
    assert C5[0] < 1e-60
    holds = dot_windows.saddle_point_holds(dots)
    assert (C5[~holds] < 0.75).all()
    single = single_dot_linewidth(dots).value / E3
    assert single[2] == pytest.approx(0.12, abs=5e-3)  # (21) lacks the prefactors of (C5)
    printed = saddle_point_linewidth(dots, as_printed=True).value / E3
    np.testing.assert_allclose(printed, [0.94, 1.69, 2.06, 2.02, 2.16, 2.26, 2.20], rtol=4e-3)
    mended = saddle_point_linewidth(dots).value / E3
    np.testing.assert_allclose(mended[1:-1], [0.51, 0.98, 1.07, 1.19, 1.25], atol=6e-3)


def test_variants_differ_as_little_as_they_should():
    dots = CoupledDots.of(FIG8, 0.1)
    E3, E2, E1, full, integral = (
        linewidth(dots, v).Gamma.value for v in ("E3", "E2", "E1", "full", "integral")
    )
    ratio = E2 / E3
    assert (ratio <= 1).all()
    assert ratio.min() > 1 - 8e-3
    E1_over = [1.032, 1.055, 1.077, 1.124, 1.265, 1.299]
    np.testing.assert_allclose((E1 / E3)[1:], E1_over, atol=6e-4)
    np.testing.assert_allclose(
        (full / E3)[[1, 2, 3, 4, 6]], [1.032, 1.063, 1.112, 1.31, 4.36], rtol=2e-3
    )
    np.testing.assert_allclose((integral / E3)[[4, 6]], [1.10, 1.22], atol=6e-3)
    assert ((integral / E3)[:4] < 1.02).all()


def test_the_order_of_the_saddle_point():
    dots = CoupledDots.of(0.5, 0.1)
    Gamma = np.array([1e-3, 1e-6, 1e-300])
    exact, leading = saddle_point_order(dots, Gamma), leading_order(dots, Gamma)
    n = dots.sN * np.log(dots.gamma * dots.K ** exact[:2])
    np.testing.assert_allclose(Gamma[:2] * dots.K ** exact[:2] * n, 1, rtol=1e-12)
    np.testing.assert_allclose(exact / leading, [0.85, 0.83, 0.99], atol=6e-3)


@pytest.mark.parametrize(("eps", "n"), [(0.1, 12.2), (0.45, 4.3), (0.85, 1.4)])
def test_n_fast_at_the_saddle_point_is_not_n_c(eps, n):
    dots = CoupledDots.of(eps, 0.1)
    order = saddle_point_order(dots, linewidth(dots).Gamma.value)
    assert float(dots.sN * np.log(0.1 * 3**order)) == pytest.approx(n, abs=0.06)
    assert float(dots.n_c) == 5


def test_the_window_of_figure_6_is_empty_for_the_weaker_coupling():
    dots = CoupledDots.of(np.linspace(-0.5, 0.95, 200), 1e-4)
    assert not dot_windows.in_linewidth_window(dots, linewidth(dots).Gamma).any()
    assert float(critical_eps(dots)) == pytest.approx(0.242, abs=5e-4)


def test_lines_of_figure_8_do_not_average_themselves():
    dots = CoupledDots.of(np.linspace(0.3, 0.6, 40), 0.1)
    value = dot_windows.self_averaging(dots, linewidth(dots).Gamma)
    assert value.min() == pytest.approx(0.41, abs=0.01)
    assert value.max() == pytest.approx(4 / np.e**2, abs=1e-3)
    assert dot_windows.self_averaging(dots, LogArray(np.full(40, -np.inf))).tolist() == [0.0] * 40


def test_windows_of_the_coupling():
    dots = CoupledDots.of(0.5, [1e-4, 0.02, 0.24, 0.26])
    np.testing.assert_array_equal(dot_windows.weakly_coupled(dots, 4), [True, True, True, False])
    np.testing.assert_array_equal(dot_windows.golden_rule_holds(dots, 4), [False, True, True, True])
    np.testing.assert_array_equal(
        dot_windows.in_coupling_window(dots, 4), [False, True, True, False]
    )
    far = CoupledDots.of(-1.0, 0.2)  # exp(-1/Xi) = K**-2
    assert not dot_windows.weakly_coupled(far, 4)


def test_saddle_point_window_as_printed_and_corrected():
    dots = CoupledDots.of(0.5, 0.1)
    printed = dot_windows.saddle_point_lowest_eps(dots, as_printed=True)
    assert float(printed) == pytest.approx(np.log(2) / (10 * np.log(3)))
    corrected = dot_windows.saddle_point_lowest_eps(dots)
    assert float(corrected) > 3 * float(printed)
    assert dot_windows.saddle_point_consistent(dots)
    assert not dot_windows.saddle_point_consistent(replace(dots, eps=corrected * 0.99))
    assert np.isinf(dot_windows.saddle_point_lowest_eps(CoupledDots.of(0.5, 0.1, K=1.2)))


def test_temperature_is_eps():
    T = np.array([1.001, 1.25, 1.284, 1.6])
    eps = dot_temperature.eps_of_temperature(T, 3.0)
    np.testing.assert_allclose(dot_temperature.temperature_of_eps(eps, 3.0), T)
    T0 = dot_temperature.transition_temperature(1.5, 40.0, 0.2, 3.0)
    Xi = dot_temperature.fock_space_length(T * T0, 1.5, 40.0, 0.2)
    np.testing.assert_allclose(Xi, CoupledDots.of(eps, 0.1).Xi)
    assert (np.diff(Xi) > 0).all()  # it grows, although the paper says it decreases
    border = dot_temperature.lowest_temperature_of_saddle_point()
    holds = dot_windows.saddle_point_holds(
        CoupledDots.of(dot_temperature.eps_of_temperature(border * np.array([0.999, 1.001]), 3), 1)
    )
    np.testing.assert_array_equal(holds, [False, True])
    assert dot_temperature.lowest_temperature_of_saddle_point(as_printed=True) == 1.25


def test_temperature_law_is_the_saddle_point():
    """It is (C5) with s N d**d = T/Delta and delta_m = Delta**3/T**2, without the factor 1/n_c."""
    T, T0, K, gamma, Delta = 1.7, 1.1, 3.0, 0.02, 0.9
    unit = dot_temperature.level_spacing(T, Delta)
    dots = CoupledDots.of(
        dot_temperature.eps_of_temperature(T / T0, K), gamma / unit, K=K, s=T / Delta / 10
    )
    C5 = leading_log_linewidth(dots).value * dots.n_c
    law = dot_temperature.saddle_point_linewidth(T, T0, K, gamma, Delta).value
    assert float(law) == pytest.approx(float(C5), rel=1e-12)
    below = dot_temperature.saddle_point_linewidth(T0, T0, K, gamma, Delta)
    assert np.isnan(below.value)


def test_the_layout_of_cells_is_of_no_consequence(monkeypatch):
    dots = random_dots(300, seed=6)
    together = linewidth(dots, "full")
    monkeypatch.setattr(nearly_localized, "CELLS_TIMES_TERMS", 100)
    in_parts = linewidth(dots, "full")
    np.testing.assert_array_equal(together.Gamma.ln, in_parts.Gamma.ln)
    np.testing.assert_array_equal(together.residual, in_parts.residual)
    alone = [linewidth(one(dots, i), "full").Gamma.ln for i in range(300)]
    np.testing.assert_array_equal(together.Gamma.ln, alone)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_cells_is_no_problem(variant):
    assert linewidth(CoupledDots.of(np.empty((0, 3)), 0.1), variant).Gamma.ln.shape == (0, 3)
    single = linewidth(
        CoupledDots.of(0.5, 2.0, N=1, K=3), variant
    )  # one term, or an empty integral
    assert single.status == Status.DONE


@pytest.mark.parametrize("variant", VARIANTS)
def test_extreme_parameters_have_a_status(variant):
    eps = [-1e300, -1.0, 0.0, 1e-300, 0.5, 1 - 1e-16]
    mesh = np.meshgrid(
        eps, [1e-300, 1e-3, 1e300], [1 + 1e-15, 3, 1e300], [1, 40], [1e-300, 1, 1e300], [1, 3]
    )
    names = ("eps", "gamma", "K", "N", "s", "d")
    parameters = {name: values.ravel() for name, values in zip(names, mesh, strict=True)}
    found = model.evaluate({**parameters, "z": np.array(4.0)}, {"variant": variant})
    assert np.isin(found["status"], [Status.DONE, Status.NOT_CONVERGED]).all()
    lost = found["status"] == Status.NOT_CONVERGED
    np.testing.assert_array_equal(np.isnan(found["log10_Gamma"]), lost)
    assert lost.mean() < 0.1


def test_a_root_too_deep_for_floats_is_not_converged():
    dots = CoupledDots.of(0.0, 1e-2, K=10, N=1000, s=0.005)
    just = replace(dots, eps=critical_eps(dots) + 1e-9)
    found = linewidth(just)
    assert found.gain > 1
    assert found.status == Status.NOT_CONVERGED
    assert np.isnan(found.Gamma.value)


def test_unknown_variants_are_refused_with_advice():
    with pytest.raises(ValueError, match="E3, E2, E1"):
        linewidth(CoupledDots.of(0.5, 0.1), "E4")


def test_the_model_says_localized_or_metal():
    parameters = {
        p.name: np.array(p.default) for p in model.parameters if p.default is not None
    } | {"eps": np.array([-0.3, 0.5]), "gamma": np.array(0.1)}
    found = model.evaluate(parameters, {"variant": "E3"})
    assert found["status"].tolist() == [Status.DONE, Status.DONE]
    assert found["phase"].tolist() == [0, 1]
    assert found["root"].tolist() == [0, 1]
    assert found["n_roots"].tolist() == [0, 1]
    assert found["Gamma"][0] == 0
    assert found["log10_Gamma"][0] == -np.inf
    assert found["valid"].tolist() == [0, 1]
    assert (found["gain"] > 1).tolist() == [False, True]


def test_the_model_over_temperature_is_the_model_over_eps():
    T = np.array([0.9, 1.1, 1.4, 1.7]) * float(delocal.evaluate(TEMPERATURE, T=1.0).T_0)
    ds = delocal.evaluate(TEMPERATURE, T=T)
    same = delocal.evaluate("nearly-localized", eps=ds.eps.values, gamma=0.01, K=3)
    np.testing.assert_allclose(same.T_over_T0, T / ds.T_0, rtol=1e-12)
    np.testing.assert_allclose(same.Xi, ds.Xi, rtol=1e-12)
    assert ds.saddle_holds.values.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(np.isnan(ds.log10_Gamma_saddle), [True, False, False, False])
    hot = delocal.evaluate(TEMPERATURE, T=11.0, g=10, lam=0.1)  # lam T**2 > g Delta**2
    assert hot.status == Status.OUTSIDE_DOMAIN


def test_several_roots_close_to_gamma_are_not_valid():
    """There (Gamma/gamma) ln**2(gamma/Gamma) is small, and means nothing."""
    near = delocal.evaluate(
        "nearly-localized", variant="full", eps=0.69541, gamma=0.15102, K=3, N=11, s=1.926
    )
    assert near.n_roots == 3
    assert near.Gamma > 0.9 * 0.15102
    assert near.valid == 0


TEMPERATURE = "nearly-localized-temperature"
