"""Power laws: exact ones are found exactly, noisy ones within errors that mean what they say."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.stats import norm, t

from delocal.physics.power_law_fits import (
    Curves,
    fit_power_laws,
    fit_towards,
    local_slopes,
)

T = np.geomspace(1e-6, 1e-2, 30)
LN_T = np.log(T)
N1 = 0.1 * (T / T[-1]) ** 0.3
MANY = 4000


def curves(ln_y, error=None, terms=()):
    """Return curves with the same relative error everywhere."""
    ln_y = np.atleast_2d(ln_y)
    sigma = None if error is None else np.full_like(ln_y, error)
    wide = [np.broadcast_to(term, ln_y.shape) for term in terms]
    return Curves(LN_T, ln_y, sigma, np.stack(wide, -1) if wide else np.empty((*ln_y.shape, 0)))


def noisy(ln_y, error, seed):
    return ln_y + error * np.random.default_rng(seed).standard_normal((MANY, T.size))


def covers(pulls, chance):
    """Whether errors cover the truth as often as they say, within four standard deviations."""
    for level in (0.68, 0.95):
        inside = np.mean(np.abs(pulls) < chance(level))
        if abs(inside - level) > 4 * np.sqrt(level * (1 - level) / MANY):
            return False
    return True


def gaussian(level):
    return norm.ppf((1 + level) / 2)


def student(level):
    return t.ppf((1 + level) / 2, T.size - 2)


@pytest.mark.parametrize("exponent", [-20 / 3, 0.0, 4 / 3, 507 / 5])
def test_an_exact_law_is_found_to_rounding(exponent):
    found = fit_power_laws(curves(exponent * LN_T + 5))
    assert found.exponent == pytest.approx(exponent, abs=1e-12)
    assert found.ln_a == pytest.approx(5, abs=1e-10)
    assert found.dof == 28


def test_the_error_from_the_scatter_covers_the_truth_as_often_as_it_says():
    found = fit_power_laws(curves(noisy(1.5 * LN_T, 0.1, seed=5)))
    pulls = (found.exponent - 1.5) / found.exponent_stderr
    assert covers(pulls, student)
    assert not covers(pulls / 0.9, student)  # the test would see errors 10 % too small
    assert covers(found.ln_a / found.ln_a_stderr, student)


def test_the_error_from_error_bars_covers_the_truth_as_often_as_it_says():
    found = fit_power_laws(curves(noisy(1.5 * LN_T - 2, 0.1, seed=6), 0.1))
    assert covers((found.exponent - 1.5) / found.exponent_stderr, gaussian)
    assert covers((found.ln_a + 2) / found.ln_a_stderr, gaussian)
    assert found.chi2.mean() == pytest.approx(28, abs=4 * np.sqrt(2 * 28 / MANY))
    assert np.mean(found.p_value < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / MANY))


def test_corrections_are_found_with_errors_that_cover_the_truth():
    ln_y = -0.7 * LN_T + np.log1p(-0.5 * N1)
    found = fit_power_laws(curves(noisy(ln_y, 1e-3, seed=7), 1e-3, [N1]))
    assert covers((found.exponent + 0.7) / found.exponent_stderr, gaussian)
    assert covers((found.coefficients[:, 0] + 0.5) / found.coefficients_stderr[:, 0], gaussian)


def test_two_strong_corrections_are_found_to_rounding():
    ln_y = 2 * LN_T + np.log1p(30 * T**0.5 - 40 * T)
    found = fit_power_laws(curves(ln_y, terms=[T**0.5, T]))
    assert found.exponent == pytest.approx(2, abs=1e-9)
    assert found.coefficients[0] == pytest.approx([30, -40], rel=1e-6)


def test_it_agrees_with_the_fit_of_scipy():
    rng = np.random.default_rng(3)
    sigma = rng.uniform(1e-3, 1e-1, T.size)
    ln_y = -0.7 * LN_T + np.log1p(2 * N1) + sigma * rng.standard_normal(T.size)
    found = fit_power_laws(Curves(LN_T, ln_y[None], sigma[None], N1[None, :, None]))

    def law(ln_x, ln_a, exponent, c):
        return ln_a + exponent * ln_x + np.log1p(c * N1)

    best, covariance = curve_fit(law, LN_T, ln_y, [0, -1, 0], sigma, absolute_sigma=True)
    errors = np.sqrt(np.diag(covariance))
    ours = [found.ln_a[0], found.exponent[0], found.coefficients[0, 0]]
    assert (abs(ours - best) < 1e-3 * errors).all()
    stderrs = [found.ln_a_stderr[0], found.exponent_stderr[0], found.coefficients_stderr[0, 0]]
    assert stderrs == pytest.approx(list(errors), rel=1e-4)


def test_curves_with_gaps_are_fitted_beside_whole_ones_and_short_ones_are_nan():
    ln_y = np.tile(3 * LN_T, (3, 1))
    ln_y[1, ::2] = np.nan
    ln_y[2, 2:] = np.nan
    found = fit_power_laws(curves(ln_y))
    assert found.points.tolist() == [30, 15, 2]
    assert found.exponent[:2] == pytest.approx(3)
    assert np.isnan(found.exponent[2])
    assert (found.first.tolist(), found.last.tolist()) == ([0, 1, -1], [29, 29, -1])


def test_a_point_without_an_error_does_not_count_among_those_that_have_one():
    given = curves(3 * LN_T, 0.1)
    given.sigma[0, :5] = [0, np.nan, np.inf, -1, 0.2]
    assert fit_power_laws(given).points == 26


def test_a_correction_that_cannot_be_told_from_the_prefactor_is_nan():
    found = fit_power_laws(curves(3 * LN_T, terms=[np.full_like(T, 0.1)]))
    assert np.isnan(found.exponent).all()


CROSSOVER = 3 * LN_T + np.log1p((T / 1e-4) ** 2)
"""3 below T = 1e-4, 5 above."""


@pytest.mark.parametrize(("end", "exponent"), [("low", 3), ("high", 5)])
def test_the_law_at_either_end_is_found_and_the_error_knows_of_the_window(end, exponent):
    found = fit_towards(curves(noisy(CROSSOVER, 0.1, seed=8), 0.1), end)
    pulls = (found.exponent - exponent) / found.exponent_stderr
    assert abs(np.median(pulls)) < 0.7
    assert np.mean(abs(pulls) < 1) > 0.6
    assert np.mean(abs(pulls) < 2) > 0.9
    edge = T[found.last] if end == "low" else T[found.first]
    assert 3e-5 < np.median(edge) < 3e-4
    whole = fit_power_laws(curves(CROSSOVER, 0.1))
    assert abs(whole.exponent - exponent) > 10 * np.median(found.exponent_stderr)


def test_where_the_law_holds_everywhere_the_window_costs_little():
    given = curves(noisy(1.5 * LN_T, 0.1, seed=9), 0.1)
    found, whole = fit_towards(given, "low"), fit_power_laws(given)
    pulls = abs(found.exponent - 1.5) / found.exponent_stderr
    assert np.mean(pulls < 1) > 0.68
    assert np.mean(pulls < 2) > 0.95
    assert np.median(found.exponent_stderr / whole.exponent_stderr) < 1.4
    assert found.points.mean() > 27


def test_what_fades_slowly_needs_its_correction():
    ln_y = 3 * LN_T + np.log1p((T / 1e-3) ** 0.5)
    noise = noisy(ln_y, 0.01, seed=11)[:500]
    bare = fit_towards(curves(noise, 0.01), "low")
    assert np.median((bare.exponent - 3) / bare.exponent_stderr) > 3
    mended = fit_towards(curves(noise, 0.01, [T**0.5]), "low")
    pulls = (mended.exponent - 3) / mended.exponent_stderr
    assert abs(np.median(pulls)) < 0.2
    assert np.mean(abs(pulls) < 1) > 0.68


def test_without_errors_the_window_is_the_longest_within_a_percent():
    given = curves(3 * LN_T + np.log1p(T / 1e-3))
    found = fit_towards(given, "low")
    assert found.deviation <= np.log(1.01)
    assert found.exponent == pytest.approx(3, abs=0.01)
    assert 10 < found.points[0] < 25
    beyond = given.part(slice(None), slice(0, found.last[0] + 2))
    assert fit_power_laws(beyond).deviation > np.log(1.01)


def test_where_the_law_holds_nowhere_there_is_none():
    zigzag = 3 * LN_T + np.where(np.arange(T.size) % 2, 1.0, -1.0)
    found = fit_towards(curves(zigzag), "low")
    assert np.isnan(found.exponent).all()
    assert (found.points[0], found.first[0], found.last[0]) == (0, -1, -1)


def test_windows_of_one_curve_do_not_depend_on_the_others():
    given = curves(noisy(CROSSOVER, 0.1, seed=12)[:3], 0.1)
    given.ln_y[1, :27] = np.nan  # too few points
    together = fit_towards(given, "low")
    for row in (0, 2):
        alone = fit_towards(given.part([row], slice(None)), "low")
        assert together.exponent[row] == pytest.approx(alone.exponent[0], rel=1e-12)
        assert together.last[row] == alone.last[0]
    assert np.isnan(together.exponent[1])
    assert np.isnan(together.exponent_stderr[1])


def test_local_slopes_follow_a_crossover_within_their_errors():
    slopes, none = local_slopes(curves(CROSSOVER))
    middle = np.sqrt(T[1:] * T[:-1])
    assert slopes[0] == pytest.approx(3 + 2 / (1 + (1e-4 / middle) ** 2), abs=0.02)
    assert np.isnan(none).all()
    found, errors = local_slopes(curves(noisy(CROSSOVER, 0.1, seed=10), 0.1))
    pulls = (found - slopes) / errors
    assert covers(pulls[:, 7], gaussian)
    assert np.corrcoef(pulls[:, 7], pulls[:, 8])[0, 1] == pytest.approx(-0.5, abs=0.06)
