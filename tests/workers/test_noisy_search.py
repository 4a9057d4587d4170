"""The search of a Monte Carlo estimate: its error bars cover, and noise ends it in time."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from delocal.workers.noisy_search import NoisySearch
from delocal.workers.refinement import Outcome, Refinement

REPLICAS = 32
TRIALS = 400
LINEAR = Refinement("y", "x", (0.0, 1.0, 2.0), 0.77, 1e-9, "linear", 100)
LOG = Refinement("y", "x", (1e-2, 1e2), 0.4, 1e-9, "log", 100)


def normal(mean, rng):
    return rng.normal(mean, 0.2, REPLICAS)


def chance(mean, rng):
    return (rng.random(8 * REPLICAS) < mean).astype(float)


def search(curve, refinement, seed=0, draw=normal, integer=False):
    rng = np.random.default_rng(seed)

    def estimate(x):
        replicas = draw(curve(x), rng)
        return replicas.mean(), replicas.std(ddof=1) / np.sqrt(len(replicas))

    return NoisySearch(estimate, refinement, integer).run()


@pytest.mark.parametrize(
    ("curve", "refinement", "draw", "root"),
    [
        (lambda x: x, LINEAR, normal, 0.77),
        (lambda x: -x, replace(LINEAR, target=-0.77), normal, 0.77),
        (np.log, LOG, normal, np.exp(0.4)),
        (np.exp, replace(LINEAR, points=(-3.0, 5.0), target=np.exp(0.3)), normal, 0.3),
        (lambda x: 1 / (1 + x**-8), replace(LOG, target=0.5), chance, 1.0),
        (lambda x: 1 / (1 + x**-8), replace(LOG, target=0.2), chance, 0.25**0.125),
    ],
    ids=["line", "falling", "log", "exponential", "half of all", "fifth of all"],
)
def test_error_bars_cover_the_known_crossing(curve, refinement, draw, root):
    found = [search(curve, refinement, seed, draw) for seed in range(TRIALS)]
    assert {f["outcome"] for f in found} == {Outcome.WITHIN_ERROR}
    pulls = np.array([(f["refined"] - root) / f["refined_stderr"] for f in found])
    for width in (1, 2):
        expected = stats.norm.cdf(width) - stats.norm.cdf(-width)
        low, high = stats.binom.ppf([1e-4, 1 - 1e-4], TRIALS, expected) / TRIALS
        slack = 0.02  # curvature over the error bar, and errors that are estimates themselves
        assert low - slack <= np.mean(abs(pulls) < width) <= high + slack
    assert abs(np.median(pulls)) < 4 * 1.2533 / np.sqrt(TRIALS)  # standard error of a median


def test_it_ends_when_noise_hides_the_target():
    found = [search(np.log, LOG, seed) for seed in range(100)]
    assert np.mean([f["n_evaluations"] for f in found]) < 15  # of 30 for the tolerance
    stderr = 0.2 / np.sqrt(REPLICAS) * np.exp(0.4)  # over the slope 1
    assert np.median([f["refined_stderr"] for f in found]) == pytest.approx(stderr, rel=0.1)
    held = [f["lower"] <= np.exp(0.4) <= f["upper"] for f in found]
    assert np.mean(held) > 0.9


def test_a_bracket_narrower_than_the_noise_ends_it_as_well():
    wide = replace(LINEAR, tolerance=0.5)
    found = [search(lambda x: x, wide, seed) for seed in range(100)]
    assert {f["outcome"] for f in found} == {Outcome.FOUND}
    assert all(f["upper"] - f["lower"] <= 0.5 for f in found)
    pulls = np.array([(f["refined"] - 0.77) / f["refined_stderr"] for f in found])
    assert 0.85 < np.mean(abs(pulls) < 2) <= 1


def test_without_noise_it_is_a_bisection():
    found = search(lambda x: x**3, replace(LINEAR, target=0.2), draw=lambda m, rng: np.full(2, m))
    assert found["outcome"] == Outcome.FOUND
    assert found["upper"] - found["lower"] <= 1e-9
    assert found["refined"] == pytest.approx(0.2 ** (1 / 3), abs=1e-9)
    assert found["refined_stderr"] == 0


def test_a_jump_is_bracketed():
    found = search(lambda x: np.where(x < 1 / 3, 0.0, 5.0), replace(LINEAR, target=2.5))
    assert found["outcome"] == Outcome.FOUND
    assert found["lower"] < 1 / 3 <= found["upper"]
    assert found["lower"] <= found["refined"] <= found["upper"]


def test_a_whole_parameter_is_asked_at_whole_numbers():
    asked = []

    def curve(x):
        asked.append(x)
        return x / 100

    whole = Refinement("y", "n", (1.0, 1000.0), 2.345, 1e-9, "linear", 100)
    found = search(curve, whole, integer=True)
    assert all(float(x).is_integer() for x in asked)
    assert abs(found["refined"] - 234.5) < 4 * found["refined_stderr"]


def test_a_point_is_estimated_once():
    asked = []

    def curve(x):
        asked.append(x)
        return x

    found = search(curve, LINEAR)
    assert len(set(asked)) == len(asked) == found["n_evaluations"]


def test_no_crossing_and_noise_that_hides_all():
    none = search(lambda x: x + 5, LINEAR)
    assert none["outcome"] == Outcome.NO_CROSSING
    assert np.isnan(none["refined"])
    assert (none["lower"], none["upper"]) == (0, 2)
    hidden = search(lambda x: 0.77 + 1e-3 * x, LINEAR)
    assert hidden["outcome"] == Outcome.UNRESOLVED
    assert hidden["n_evaluations"] == 3


def test_what_has_no_value_is_undefined():
    hole = search(lambda x: np.nan if 0.2 < x < 1.8 else x, LINEAR)
    assert hole["outcome"] == Outcome.UNDEFINED
    middle = search(lambda x: np.nan if 0.6 < x < 0.9 else x, LINEAR)
    assert middle["outcome"] == Outcome.UNDEFINED
    assert np.isnan(middle["refined"])


def test_one_point_without_a_value_is_stepped_around():
    around = replace(LINEAR, target=0.43)
    found = search(lambda x: np.nan if x == 0.5 else x, around)
    assert found["outcome"] == Outcome.WITHIN_ERROR
    assert found["refined"] == pytest.approx(0.43, abs=5 * found["refined_stderr"])


def test_a_whole_parameter_without_a_value_between_neighbours_is_undefined():
    whole = Refinement("y", "n", (1.0, 3.0), 2.0, 1e-9, "linear", 100)
    found = search(lambda x: np.nan if x == 2 else 10 * x - 18, whole, integer=True)
    assert found["outcome"] == Outcome.UNDEFINED


def test_the_number_of_points_is_limited():
    few = replace(LOG, max_points=5)
    for seed in range(20):
        found = search(np.log, few, seed)
        assert found["n_evaluations"] <= 5
        assert found["outcome"] in (Outcome.MAX_POINTS, Outcome.WITHIN_ERROR)
        assert np.isfinite(found["refined"])
