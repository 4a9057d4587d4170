"""Spins on a ring with hopping and interaction of long range: their Hamiltonian and its levels.

Gutman et al. (2016), Eq. (1), in d = 1: spins 1/2 at the sites of a ring, distances along the
shorter way around it, random fields, couplings of random sign, total Sz = 0::

    H = sum_i e_i Sz_i + sum_{i<j} [J_ij (S+_i S-_j + h.c.) + U_ij Sz_i Sz_j]
    J_ij = +-t / r**alpha,  U_ij = +-V / r**beta
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.sparse import csr_array

from delocal.physics.disorder import Integers
from delocal.physics.levels import middle_levels, spacing_ratios
from delocal.physics.model import CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.spectral_window import levels_near

LARGEST_DENSE = 14
"""Spins up to which all levels are computed; 16 have 12 870, for which a matrix takes 1.3 GB."""
LEVELS_AT_ONCE = 60
"""Levels computed of a larger ring."""


@dataclass(frozen=True)
class Ring:
    """One realization of the disorder.

    Parameters
    ----------
    e
        Fields of the N spins, shape (N,).
    J, U
        Hopping and interaction of each pair, symmetric, shape (N, N); the diagonal is not used.
    """

    e: Array
    J: Array
    U: Array

    def __len__(self) -> int:
        return int(self.e.size)


def draw_ring(
    N: int, alpha: float, beta: float, W: float, t: float, V: float, rng: Generator
) -> Ring:
    """Return N spins at distance 1, fields uniform in (-W/2, W/2), signs at random.

    Raises
    ------
    ValueError
        N is odd or below 4: there is no Sz = 0, or no level of it.
    """
    if N < 4 or N % 2:
        raise ValueError(f"N = {N} spins; Sz = 0 takes an even number, 4 or more")
    e = rng.uniform(-W / 2, W / 2, N)
    r = _distances(N)
    return Ring(e, t * _signs(N, rng) / r**alpha, V * _signs(N, rng) / r**beta)


def hamiltonian(ring: Ring) -> Array:
    """Return H at Sz = 0 as a full matrix, its states ordered as in `states`."""
    columns, values, diagonal = _elements(ring)
    H = np.zeros((diagonal.size, diagonal.size))
    np.put_along_axis(H, columns.astype(np.int64), values, axis=1)
    np.fill_diagonal(H, diagonal)
    return H


def sparse_hamiltonian(ring: Ring) -> csr_array:
    """Return H at Sz = 0 as a sparse matrix: (N/2)**2 + 1 elements in each row."""
    columns, values, diagonal = _elements(ring)
    n, per_row = columns.shape
    here = np.arange(n, dtype=np.int32)[:, None]
    H = csr_array(
        (
            np.hstack([diagonal[:, None], values]).ravel(),
            np.hstack([here, columns]).ravel(),
            np.arange(n + 1, dtype=np.int32) * (per_row + 1),
        ),
        shape=(n, n),
    )
    H.sort_indices()
    return H


def states(N: int) -> Integers:
    """Return the states at Sz = 0, increasing, as numbers whose bit i is 1 if spin i is up.

    Examples
    --------
    >>> [f"{state:04b}" for state in states(4)]
    ['0011', '0101', '0110', '1001', '1010', '1100']
    """
    return _basis(N)[0]


def mean_ratio(ring: Ring, rng: Generator, cancelled: CancelToken = never) -> float:
    """Return the mean ratio of successive spacings in the middle third of the spectrum.

    Up to `LARGEST_DENSE` spins all levels there count. Of larger rings `LEVELS_AT_ONCE` do, around
    an energy that is drawn from the middle third: the mean over realizations is the same.

    Raises Cancelled where ``cancelled()`` is true, for a larger ring in the midst of it.
    """
    if len(ring) <= LARGEST_DENSE:
        levels = middle_levels(hamiltonian(ring))
    else:
        H = sparse_hamiltonian(ring)
        energy = energy_at(H, rng.uniform(1 / 3, 2 / 3))
        levels = levels_near(H, energy, LEVELS_AT_ONCE, rng, cancelled)
    return float(spacing_ratios(levels).mean())


def energy_at(H: csr_array, share: float) -> float:
    """Return the energy below which about this `share` of the levels lies.

    The diagonal has the form of the density of levels and lacks the width that hopping adds,
    which follows from the second moment. At N = 12 it is right to 0.05 of the levels for W = 2 t
    and to 0.02 for W = 20 t; with more spins it is better.
    """
    diagonal = H.diagonal()
    variance = diagonal.var()
    off_diagonal = (H.power(2).sum() - (diagonal**2).sum()) / diagonal.size
    stretched = np.sqrt(1 + off_diagonal / variance)
    middle = diagonal.mean()
    return float(middle + stretched * (np.quantile(diagonal, share) - middle))


def _distances(N: int) -> Array:
    """Return distances between sites of a ring, with 1 in place of 0."""
    sites = np.arange(N)
    apart = np.abs(sites[:, None] - sites)
    return np.asarray(np.maximum(np.minimum(apart, N - apart), 1), dtype=np.float64)


def _signs(N: int, rng: Generator) -> Array:
    lower = np.tril(rng.choice([-1.0, 1.0], (N, N)), -1)
    return np.asarray(lower + lower.T)


@lru_cache(maxsize=8)
def _basis(N: int) -> tuple[Integers, NDArray[np.int32]]:
    """Return the states, and the place of each among them; -1 for states of another Sz."""
    every = np.arange(2**N)
    found = every[np.bitwise_count(every) == N // 2]
    place = np.full(2**N, -1, np.int32)
    place[found] = np.arange(found.size)
    for array in (found, place):
        array.flags.writeable = False
    return found, place


def _elements(ring: Ring) -> tuple[NDArray[np.int32], Array, Array]:
    return _matrix_elements(*_basis(len(ring)), ring.e, ring.J, ring.U)


@numba.njit(nogil=True, cache=True)
def _matrix_elements(
    states: Integers, place: NDArray[np.int32], e: Array, J: Array, U: Array
) -> tuple[NDArray[np.int32], Array, Array]:
    """Return columns and values of the flip-flops of each state, and the diagonal."""
    N = e.size
    columns = np.empty((states.size, (N // 2) ** 2), np.int32)
    values = np.empty(columns.shape)
    diagonal = np.zeros(states.size)
    for a in range(states.size):
        k = 0
        for i in range(N):
            up = (states[a] >> i) & 1
            diagonal[a] += e[i] * (up - 0.5)
            for j in range(i):
                if (states[a] >> j) & 1 == up:
                    diagonal[a] += 0.25 * U[i, j]
                else:
                    diagonal[a] -= 0.25 * U[i, j]
                    columns[a, k] = place[states[a] ^ ((1 << i) | (1 << j))]
                    values[a, k] = J[i, j]
                    k += 1
    return columns, values, diagonal
