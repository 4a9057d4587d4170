"""One root for each cell of a sweep: bracketed, vectorized, and with a status instead of an error.

Every self-consistent theory here ends in one equation for one positive unknown that may be
1e-60 or 1e60. It is solved for the logarithm of the unknown, all cells together, by
Chandrupatla's bracketing method (scipy). That a cell has no root is a result.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import elementwise

from delocal.physics.model import Status
from delocal.physics.powers import Array


@dataclass(frozen=True)
class Solution:
    """What became of a solve, cell by cell; all arrays have the shape of the cells.

    Parameters
    ----------
    value
        The root; NaN where there is none.
    status
        `Status.DONE`, `OUTSIDE_DOMAIN` where the bracket holds no change of sign, or
        `NOT_CONVERGED` where the function is not finite or the steps did not suffice.
    residual
        The function at `value`.
    steps
        How often the function was called for the cell.
    """

    value: Array
    status: NDArray[np.int8]
    residual: Array
    steps: NDArray[np.int64]

    @property
    def done(self) -> NDArray[np.bool_]:
        """Where there is a root."""
        return np.asarray(self.status == Status.DONE)


def find_root(
    function: Callable[..., Array],
    low: ArrayLike,
    high: ArrayLike,
    *arguments: ArrayLike,
    tolerance: float = 4e-16,
    max_steps: int = 200,
) -> Solution:
    """Return x in [low, high] with ``function(x, *arguments) = 0``, elementwise.

    Parameters
    ----------
    function
        Elementwise, of x and the `arguments`, all of one shape. It may be called with any subset
        of the cells. Solve for the logarithm where the unknown spans decades.
    low, high, arguments
        Arrays that broadcast against each other.
    tolerance
        Width of the final bracket over abs(x); the default is what float64 holds.

    Examples
    --------
    >>> solution = find_root(lambda x, y: x + np.log(x) - y, 1e-9, 1e9, [1.0, -50.0])
    >>> solution.value.tolist()  # Lambert's W(e), W(exp(-50)) is below the bracket
    [1.0, nan]
    >>> [Status(code).label for code in solution.status]
    ['done', 'outside_domain']
    """
    with np.errstate(all="ignore"):
        found = elementwise.find_root(
            function,
            (np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)),
            args=tuple(np.asarray(argument) for argument in arguments),
            tolerances={"xatol": 0.0, "xrtol": tolerance, "fatol": 0.0, "frtol": 0.0},
            maxiter=max_steps,
        )
    code = np.asarray(found.status)
    status = np.select(
        [code == 0, code == -1], [Status.DONE, Status.OUTSIDE_DOMAIN], Status.NOT_CONVERGED
    )
    return Solution(
        np.where(code == 0, found.x, np.nan),
        status.astype(np.int8),
        np.where(code == 0, found.f_x, np.nan),
        np.asarray(found.nfev, dtype=np.int64),
    )


def count_roots(
    function: Callable[..., Array], grid: ArrayLike, *arguments: ArrayLike
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return how often `function` changes its sign along `grid`, and the last bracket.

    Parameters
    ----------
    grid
        Increasing x, one-dimensional, the same for all cells.

    Returns
    -------
    number, low, high
        Arrays of the shape of the `arguments`; low and high enclose the largest root, NaN where
        there is none. Two roots between neighbours of the grid are not seen.
    """
    given = np.broadcast_arrays(*(np.asarray(argument) for argument in arguments))
    grid = np.asarray(grid, dtype=np.float64)
    number = np.zeros(given[0].shape, np.int64)
    low, high = np.full(given[0].shape, np.nan), np.full(given[0].shape, np.nan)
    with np.errstate(all="ignore"):
        before = np.sign(function(np.full(given[0].shape, grid[0]), *given))
        for left, right in itertools.pairwise(grid):
            after = np.sign(function(np.full(given[0].shape, right), *given))
            change = before * after < 0
            number += change
            low, high = np.where(change, left, low), np.where(change, right, high)
            before = np.where(after == 0, before, after)
    return number, low, high
