"""The self-consistent Born approximation in one grain, level by level.

Basko, Aleiner and Altshuler, review (2006), Eqs. (18), (19), with the matrix elements of the
slides (2005). A level alpha decays into gamma, delta and a hole beta if both of one pairing are
close, abs(xi_alpha - xi_gamma) < M delta/2 and abs(xi_beta - xi_delta) < M delta/2; then
abs(V)**2 = lam**2 delta**2. If both pairings are, their amplitudes have random signs and are
subtracted, so that it is 0 or 4 times as much. On shell, epsilon = xi_alpha, and with widths that
do not depend on energy, the three Lorentzians fold to one:

    Gamma_a = eta + lam**2 delta**2 sum_bcd w F G / (x**2 + G**2)
    x = xi_a + xi_b - xi_c - xi_d,   G = Gamma_b + Gamma_c + Gamma_d
    F = n_b (1 - n_c) (1 - n_d) + (1 - n_b) n_c n_d,   n = 0 or 1

Every unordered pair (c, d) counts once. Here delta = 1.

On shell a level returns to itself (a decays into c, and c into a), so that two levels in resonance
keep each other alive at any eta. Typical widths tell metal from insulator nevertheless; the growth
of the linearised equation does not, see `decay_tree` for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.disorder import Integers
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array

TOLERANCE = 1e-8
"""Largest change of ln Gamma by a further iteration, for convergence."""
PATIENCE = 200
"""Iterations between two looks at `cancelled`, some 10 ms."""


@dataclass(frozen=True)
class Grain:
    """Levels of one grain and the triples into which each of them decays.

    Parameters
    ----------
    levels
        Energies in delta, increasing, shape (N,).
    occupied
        Occupation number of each level.
    first
        Triples ``first[a]`` to ``first[a + 1] - 1`` are those of level a, shape (N + 1,).
    daughters
        The three levels of each triple, shape (triples, 3).
    mismatch
        x of each triple.
    weight
        abs(V)**2 / (lam delta)**2 of each triple: 1 or 4.
    """

    levels: Array
    occupied: NDArray[np.bool_]
    first: Integers
    daughters: Integers
    mismatch: Array
    weight: Array


def draw_grain(T: float, M: float, number: int, rng: Generator, exchange: bool = True) -> Grain:
    """Return a grain of independent levels of density 1 around the Fermi energy.

    Parameters
    ----------
    T, M
        Temperature in delta, and levels within reach of the interaction.
    number
        Of levels; 10 T of them hold all that is thermal.
    exchange
        Whether amplitudes of two pairings add with random signs. The slides print Y without the
        signs: they then cancel wherever both pairings are within reach.
    """
    levels = np.sort(rng.uniform(-number / 2, number / 2, number))
    occupied = rng.random(number) < 1 / (1 + np.exp(levels / T))
    signs = np.triu(rng.random((number, number)) < 0.5)
    signs |= signs.T
    reach = np.searchsorted(levels, levels - M / 2), np.searchsorted(levels, levels + M / 2)
    arguments = (levels, occupied, signs, *reach, M / 2, exchange)
    first = np.append(0, np.cumsum(_triples(*arguments, np.empty((0, 3), np.int64), np.empty(0))))
    daughters, weight = np.empty((first[-1], 3), np.int64), np.empty(first[-1])
    _triples(*arguments, daughters, weight)
    parent = np.repeat(np.arange(number), np.diff(first))
    b, c, d = daughters.T
    mismatch = levels[parent] + levels[b] - levels[c] - levels[d]
    return Grain(levels, occupied, first, daughters, mismatch, weight)


@njit(nogil=True, cache=True)
def _triples(
    levels: Array,
    occupied: NDArray[np.bool_],
    signs: NDArray[np.bool_],
    low: Integers,
    high: Integers,
    reach: float,
    exchange: bool,
    daughters: Integers,
    weight: Array,
) -> Integers:
    """Return the number of triples of each level, and write them where there is room."""
    number = np.zeros(levels.size, np.int64)
    triple = 0
    for a in range(levels.size):
        for c in range(low[a], high[a]):
            for b in range(levels.size):
                if c == a or b == a or b == c or occupied[b] == occupied[c]:
                    continue
                for d in range(low[b], high[b]):
                    if d == a or d == b or d == c or occupied[d] != occupied[c]:
                        continue
                    w = 1.0
                    if abs(levels[d] - levels[a]) < reach and abs(levels[c] - levels[b]) < reach:
                        # Both pairings: this pair comes twice, and counts once.
                        even = signs[a, c] ^ signs[b, d] ^ signs[a, d] ^ signs[b, c]
                        if d < c or not exchange or not even:
                            continue
                        w = 4.0
                    if triple < weight.size:
                        daughters[triple] = b, c, d
                        weight[triple] = w
                    number[a] += 1
                    triple += 1
    return number


@dataclass(frozen=True)
class Widths:
    """A solution of the self-consistent equations.

    Parameters
    ----------
    Gamma
        Half width of each level, in delta.
    residual
        Largest change of ln Gamma by a further iteration.
    iterations
        How often the right-hand side was evaluated.
    """

    Gamma: Array
    residual: float
    iterations: int

    @property
    def converged(self) -> bool:
        """Whether the residual is at most `TOLERANCE`."""
        return self.residual <= TOLERANCE


def solve_widths(
    grain: Grain,
    lam: float,
    eta: float,
    start: float,
    max_iterations: int = 20_000,
    cancelled: CancelToken = never,
) -> Widths:
    """Return the widths of all levels, by iteration from a metal of equal widths.

    Every other `PATIENCE` iterations go half the way in ln Gamma, which ends oscillations.

    Parameters
    ----------
    lam, eta
        Interaction in delta, and width due to a bath, positive.
    start
        Width to start from, that of the golden rule.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    Gamma = np.full(grain.levels.size, max(start, eta))
    new = np.empty_like(Gamma)
    residual, iterations, damped = np.inf, 0, False
    while residual > TOLERANCE and iterations < max_iterations:
        if cancelled():
            raise Cancelled("the iteration of widths was cancelled")
        done, residual = _iterate(
            grain.first, grain.daughters, grain.mismatch, grain.weight, lam, eta, damped, Gamma, new
        )
        iterations, damped = iterations + done, not damped
    return Widths(Gamma, residual, iterations)


@njit(nogil=True, cache=True)
def _iterate(
    first: Integers,
    daughters: Integers,
    mismatch: Array,
    weight: Array,
    lam: float,
    eta: float,
    damped: bool,
    Gamma: Array,
    new: Array,
) -> tuple[int, float]:
    """Iterate up to `PATIENCE` times, in place; return how often, and the residual."""
    for iteration in range(PATIENCE):
        _decay(first, daughters, mismatch, weight, lam, eta, Gamma, new)
        residual = np.abs(np.log(new / Gamma)).max()
        if residual <= TOLERANCE:
            return iteration + 1, residual
        Gamma[:] = np.sqrt(Gamma * new) if damped else new
    return PATIENCE, residual


@njit(nogil=True, cache=True)
def _decay(
    first: Integers,
    daughters: Integers,
    mismatch: Array,
    weight: Array,
    lam: float,
    eta: float,
    Gamma: Array,
    new: Array,
) -> None:
    """Write the right-hand side of Eq. (18) on shell."""
    for a in range(Gamma.size):
        total = 0.0
        for triple in range(first[a], first[a + 1]):
            b, c, d = daughters[triple]
            G = Gamma[b] + Gamma[c] + Gamma[d]
            x = mismatch[triple]
            total += weight[triple] * G / (x * x + G * G)
        new[a] = eta + lam * lam * total
