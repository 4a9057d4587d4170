"""Level statistics: ratios of successive spacings, and how many sites a state occupies.

Whether a disordered system is localized shows in its levels without unfolding them: of localized
states they are independent (Poisson), of extended ones they repel each other as those of a random
symmetric matrix (GOE).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from delocal.physics.powers import Array

POISSON = 2 * np.log(2) - 1
"""<r> of independent levels, 0.3863."""
GOE = 0.5307
"""<r> of large random symmetric matrices, to 1e-4: Atas et al., Phys. Rev. Lett. 110, 084101."""
FEWEST = 3
"""Levels that one ratio takes."""


def spacing_ratios(levels: Array) -> Array:
    """Return r = min(s, s') / max(s, s') of successive spacings s, s', a number from 0 to 1.

    It needs no unfolding: the local density of levels drops out.

    Parameters
    ----------
    levels
        Energies in increasing order, shape (n,), at least three.

    Returns
    -------
    Array, shape (n - 2,)
        NaN where three levels coincide: their order has no ratio.

    Raises
    ------
    ValueError
        Fewer than three levels.

    References
    ----------
    V. Oganesyan and D. A. Huse, Phys. Rev. B 75, 155111 (2007).

    Examples
    --------
    >>> spacing_ratios(np.array([0.0, 1.0, 3.0, 5.0])).tolist()
    [0.5, 1.0]
    """
    if levels.size < FEWEST:
        raise ValueError(f"{levels.size} levels have no ratio of spacings; it takes {FEWEST}")
    s = np.diff(levels)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.minimum(s[1:], s[:-1]) / np.maximum(s[1:], s[:-1]))


def middle_third(number: int) -> slice:
    """Return which of `number` levels in increasing order are in the middle third.

    Examples
    --------
    >>> list(range(9))[middle_third(9)]
    [3, 4, 5]
    """
    return slice(number // 3, number - number // 3)


def inverse_participation(states: Array) -> Array:
    """Return sum_i psi_i**4 of each state: 1 on one site, 1/n spread evenly over n.

    Parameters
    ----------
    states
        Real and normalized, one in each column, shape (n, states).

    Examples
    --------
    >>> inverse_participation(np.array([[1.0, 0.6], [0.0, 0.8]])).round(4).tolist()
    [1.0, 0.5392]
    """
    return np.asarray((states**4).sum(axis=0))


def middle_states(matrix: Array) -> tuple[Array, Array]:
    """Return levels and states of the middle third of the spectrum of a symmetric matrix.

    Returns
    -------
    levels, states
        Increasing, shape (m,), and one state in each column, shape (n, m).
    """
    with one_thread():
        levels, states = np.linalg.eigh(matrix)
    middle = middle_third(levels.size)
    return levels[middle], states[:, middle]


def middle_levels(matrix: Array) -> Array:
    """Return the levels of the middle third of the spectrum of a symmetric matrix, increasing."""
    with one_thread():
        levels = np.linalg.eigvalsh(matrix)
    return np.asarray(levels[middle_third(levels.size)])


@contextmanager
def one_thread() -> Iterator[None]:
    """Run LAPACK in one thread: with several, the last digits depend on how many they are.

    Their number is one of the process, so only one caller at a time is in here. Workers are
    processes of one thread, which lose nothing by that.
    """
    with _one_at_a_time, _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


_one_at_a_time = threading.Lock()
