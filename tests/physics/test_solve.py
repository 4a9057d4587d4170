"""Roots for many cells at a time: against closed forms, and what happens where there is none."""

import numpy as np
import pytest
from scipy.special import lambertw

from delocal.physics.model import Status
from delocal.physics.solve import count_roots, find_root


def test_roots_are_those_of_the_closed_form():
    y = np.linspace(-20, 600, 1001)
    solution = find_root(lambda ln, y: np.exp(ln) + ln - y, -50, 50, y)  # x + ln x = y, x = e^ln
    assert solution.done.all()
    x = np.exp(solution.value)
    small = y < 500  # exp(y) is finite
    np.testing.assert_allclose(x[small], lambertw(np.exp(y[small])).real, rtol=1e-13)
    np.testing.assert_allclose(x + np.log(x), y, rtol=1e-13, atol=1e-13)
    assert (abs(solution.residual) < 1e-12 * (1 + abs(y))).all()


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (0,)])
def test_shapes_are_those_of_the_cells(shape):
    solution = find_root(lambda x, y: x - y, -1.0, 2.0, np.full(shape, 0.25))
    for array in (solution.value, solution.status, solution.residual, solution.steps):
        assert array.shape == shape
    np.testing.assert_array_equal(solution.value, np.full(shape, 0.25))


def test_cells_without_a_root_say_so_and_do_not_harm_the_others():
    def function(x, y):
        return np.where(y == 2, np.nan, x**3 - y)

    solution = find_root(function, 0.5, 10, [1.0, 1e9, 2.0, 27.0])
    expected = [Status.DONE, Status.OUTSIDE_DOMAIN, Status.NOT_CONVERGED, Status.DONE]
    np.testing.assert_array_equal(solution.status, expected)
    np.testing.assert_allclose(solution.value, [1, np.nan, np.nan, 3], rtol=1e-15)


def test_too_few_steps_are_not_convergence():
    solution = find_root(lambda x: np.exp(x) - 2, 0.0, 1.0, max_steps=2)
    assert solution.status == Status.NOT_CONVERGED
    assert np.isnan(solution.value)


def test_a_cell_does_not_depend_on_its_neighbours():
    y = np.linspace(-3, 3, 7)

    def function(x, y):
        return np.tanh(x) * 5 - y

    together = find_root(function, -9, 9, y).value
    alone = [find_root(function, -9, 9, one).value for one in y]
    np.testing.assert_array_equal(together, alone)


def test_all_roots_are_counted_and_the_largest_enclosed():
    turns = np.array([1.0, 2.0, 5.0])
    grid = np.linspace(0.1, 3.0, 59)
    number, low, high = count_roots(lambda x, k: np.sin(k * x), grid, turns)
    np.testing.assert_array_equal(number, [0, 1, 4])
    assert np.isnan(low[0])
    roots = find_root(lambda x, k: np.sin(k * x), low[1:], high[1:], turns[1:])
    np.testing.assert_allclose(roots.value, [np.pi / 2, 4 * np.pi / 5], rtol=1e-14)
