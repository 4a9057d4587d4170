"""The search along one parameter: brackets that hold the root, few steps, every way to end."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

from delocal.workers.refinement import CHANGE, Outcome, Refinement
from delocal.workers.search import SPARE, Search, search_exact

LINEAR = Refinement("y", "x", (0.0, 1.0, 2.0), 0.0, 1e-9, "linear", 100)
LOG = Refinement("y", "x", (1e-6, 1e-3, 1.0), 0.0, 1e-9, "log", 100)
ROOTS = np.random.default_rng(1).uniform(0.02, 1.98, 200)
ROUNDING = 1e-15  # the curves are no more exact
CURVES = {
    "line": lambda x, root: x - root,
    "falling": lambda x, root: root - x,
    "exponential": lambda x, root: np.exp(5 * x) - np.exp(5 * root),
    "flat": lambda x, root: (x - root) ** 9,
    "square root": lambda x, root: np.sign(x - root) * np.sqrt(abs(x - root)),
    "jump": lambda x, root: np.where(x < root, -1.0, 1e9),
    "infinite": lambda x, root: np.where(x < root, -1.0, np.inf),
    "steep": lambda x, root: np.tanh(1e6 * (x - root)),
}
SMOOTH = ("line", "falling", "exponential")


def search(curve, roots, refinement=LINEAR, integer=False, flags=None):
    def function(x, which):
        return np.asarray(curve(x, roots[which]), dtype=float)

    return search_exact(function, Search(refinement, integer, flags), len(roots))


@pytest.mark.parametrize("name", CURVES)
def test_the_bracket_is_narrow_and_holds_the_root(name):
    found = search(CURVES[name], ROOTS)
    assert (found["outcome"] == Outcome.FOUND).all()
    assert (found["lower"] <= ROOTS + ROUNDING).all()
    assert (ROOTS - ROUNDING <= found["upper"]).all()
    assert (found["upper"] - found["lower"] <= 1e-9).all()
    assert (abs(found["refined"] - ROOTS) <= 0.5e-9 + ROUNDING).all()
    assert (np.sign(found["at_lower"]) * np.sign(found["at_upper"]) <= 0).all()
    assert (found["n_crossings"] == 1).all()


@pytest.mark.parametrize("name", CURVES)
def test_it_takes_hardly_more_steps_than_bisection_at_worst_and_few_where_smooth(name):
    bisection = LINEAR.steps(integer=False)
    assert bisection == 30  # 2**30 > 1e9
    steps = search(CURVES[name], ROOTS)["n_evaluations"] - len(LINEAR.points)
    assert steps.max() <= bisection + SPARE
    if name in SMOOTH:
        assert steps.mean() < 0.5 * bisection


def test_a_log_scale_has_a_relative_tolerance():
    roots = np.geomspace(2e-6, 0.9, 50)
    found = search(lambda x, root: x**2 - root**2, roots, LOG)
    assert (found["upper"] / found["lower"] - 1 <= 1e-9).all()
    np.testing.assert_allclose(found["refined"], roots, rtol=0.51e-9)


def test_the_root_is_that_of_another_method():
    def kepler(x, e):
        return x - e * np.sin(x) - 1.0

    e = np.linspace(0.05, 0.95, 19)
    found = search(kepler, e)
    other = [brentq(kepler, 0.5, 2.0, args=(value,), xtol=1e-14) for value in e]
    np.testing.assert_allclose(found["refined"], other, atol=0.51e-9)


@pytest.mark.parametrize("name", CURVES)
def test_a_cell_alone_has_the_same_bits(name):
    together = search(CURVES[name], ROOTS[:20])
    for i, root in enumerate(ROOTS[:20]):
        alone = search(CURVES[name], np.array([root]))
        for key, values in together.items():
            assert values[i].tobytes() == alone[key][0].tobytes(), key


@pytest.mark.parametrize("root", [0.0, 1.0, 2.0])
def test_a_root_on_a_given_point_is_found(root):
    found = search(CURVES["line"], np.array([root]))
    assert found["outcome"] == Outcome.FOUND
    assert found["lower"] <= root <= found["upper"]


def test_the_smallest_tolerance_ends_where_floats_do():
    tight = replace(LINEAR, tolerance=1e-300, max_points=2000)
    found = search(CURVES["line"], np.array([1 / 3]), tight)
    assert found["outcome"] == Outcome.FOUND
    assert found["upper"] == np.nextafter(found["lower"], 2.0)
    assert found["lower"] <= 1 / 3 <= found["upper"]


def test_what_begins_beyond_a_threshold_is_found_as_a_departure_from_zero():
    found = search(lambda x, root: np.maximum(x - root, 0.0), ROOTS)
    np.testing.assert_allclose(found["refined"], ROOTS, atol=0.51e-9)
    assert (found["at_lower"] == 0).all()


def test_a_flag_is_bisected_to_where_it_changes():
    flags = {"cold": 0, "warm": 1, "hot": 2}
    roots = np.array([0.3, 0.7])

    def phases(x, root):
        return (x >= root).astype(int) + (x >= 2 * root)

    named = search(phases, roots, replace(LINEAR, target="hot"), flags=flags)
    np.testing.assert_allclose(named["refined"], 2 * roots, atol=1e-9)
    changes = search(phases, roots, replace(LINEAR, target=CHANGE), flags=flags)
    np.testing.assert_allclose(changes["refined"], roots, atol=1e-9)
    assert changes["n_crossings"].tolist() == [1, 2]  # 0.7 and 1.4 lie on both sides of 1
    assert changes["at_lower"].tolist() == [0, 0]


def test_a_whole_parameter_ends_between_neighbours():
    whole = Refinement("y", "n", (1.0, 1000.0), 500.5, 1e-9, "linear", 100)
    asked = []

    def function(x, which):
        asked.extend(x)
        return x**1.0

    found = search_exact(function, Search(whole, True, None), 1)
    assert (found["lower"], found["upper"], found["refined"]) == (500, 501, 500.5)
    assert all(float(x).is_integer() for x in asked)
    assert found["n_evaluations"] <= 2 + whole.steps(integer=True) == 12


def test_the_first_crossing_is_taken_and_all_are_counted():
    grid = replace(LINEAR, points=tuple(np.linspace(0.01, 2.0, 41)))
    found = search(lambda x, root: np.sin(np.pi * x / root), np.array([0.31]), grid)
    assert found["n_crossings"] == 6
    assert found["refined"] == pytest.approx(0.31, abs=1e-9)


def test_no_crossing_tells_the_range_and_what_was_there():
    found = search(CURVES["line"], np.array([3.0, -1.0]))
    assert (found["outcome"] == Outcome.NO_CROSSING).all()
    assert np.isnan(found["refined"]).all()
    assert (found["lower"].tolist(), found["upper"].tolist()) == ([0, 0], [2, 2])
    assert (found["at_lower"].tolist(), found["at_upper"].tolist()) == ([-3, 1], [-1, 3])


def test_what_has_no_value_is_undefined():
    hole = search(lambda x, root: np.where(x == 1, np.nan, x - root), np.array([1.0]))
    assert hole["outcome"] == Outcome.UNDEFINED  # it is not known what happens in the hole
    inside = search(lambda x, root: np.where(abs(x - root) < 1e-3, np.nan, x - root), ROOTS)
    assert (inside["outcome"] == Outcome.UNDEFINED).all()
    assert np.isnan(inside["refined"]).all()
    assert (inside["upper"] - inside["lower"] < 1).any()  # the bracket so far is kept


def test_one_point_without_a_value_is_stepped_around():
    grid = replace(LINEAR, points=(0.0, 2.0), target=CHANGE)
    found = search(lambda x, root: np.where(x == root, np.nan, x > root), np.array([1.0]), grid)
    assert found["outcome"] == Outcome.FOUND
    assert found["refined"] == pytest.approx(1.0, abs=1e-9)


def test_the_number_of_points_is_limited():
    few = replace(LINEAR, max_points=7)
    found = search(CURVES["jump"], ROOTS, few)
    assert (found["outcome"] == Outcome.MAX_POINTS).all()
    assert (found["n_evaluations"] == 7).all()
    assert (found["upper"] - found["lower"] < 0.5).all()
    assert ((found["lower"] <= ROOTS) & (found["upper"] >= ROOTS)).all()


def test_cells_that_are_done_are_not_evaluated_again():
    calls = []

    def function(x, which):
        calls.append(len(which))
        return np.where(which == 0, x - 3.0, x - ROOTS[which])  # the first has no crossing

    found = search_exact(function, Search(LINEAR, False, None), 5)
    assert calls[:3] == [5, 5, 5]
    assert max(calls[3:]) == 4
    assert sum(calls) == found["n_evaluations"].sum()
