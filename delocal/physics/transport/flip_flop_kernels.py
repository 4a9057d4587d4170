"""The inner loops of spectral diffusion: attempted flip-flops of pairs of spins, and alias tables.

Every function releases the GIL and keeps no state but the arrays it is given, so that the caller
may stop between two calls.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray

from delocal.physics.powers import Array

Ints = NDArray[np.int32]
Signs = NDArray[np.int8]


class Pairs(NamedTuple):
    """The pairs of spins that may flip-flop, and the interactions of all spins.

    Parameters
    ----------
    first, second, displacement
        The spins of a pair, and from the first to the second along the field.
    window
        Largest change of energy with which the pair is in resonance.
    shift
        Its own interaction V_ij / r**beta.
    threshold, alias
        Walker's table of the rates, see `alias_table`.
    start, neighbour, coupling
        Spin k interacts with ``neighbour[start[k]:start[k + 1]]`` by ``coupling``.
    """

    first: Ints
    second: Ints
    displacement: Array
    window: Array
    shift: Array
    threshold: Array
    alias: Ints
    start: Ints
    neighbour: Ints
    coupling: Array


class Drive(NamedTuple):
    """What biases a flip-flop, and the bath that takes its change of energy.

    Parameters
    ----------
    X
        Force: a hop that carries a charge q by a length x is accepted 1 + X q x / 2 times as often.
    inverse_T
        Of the bath; 0 at infinite temperature.
    charge, charge_per_energy
        A hop carries ``charge + charge_per_energy (E_i + E_j) / 2``.
    """

    X: float
    inverse_T: float = 0.0
    charge: float = 1.0
    charge_per_energy: float = 0.0


@njit(nogil=True, cache=True)
def alias_table(weights: Array) -> tuple[Array, Ints]:
    """Return the table that draws k with probability weights[k]/sum in constant time.

    With u uniform in [0, n), k is int(u) if the rest of u is below ``threshold[int(u)]``, and
    ``alias[int(u)]`` otherwise. Walker (1977), built as by Vose (1991).
    """
    n = weights.size
    alias = np.arange(n).astype(np.int32)
    if n == 0:
        return weights, alias
    threshold = weights * (n / weights.sum())
    order = np.empty(n, np.int32)
    small, large = 0, n  # the two stacks grow towards each other
    for k in range(n):
        if threshold[k] < 1.0:
            order[small] = k
            small += 1
        else:
            large -= 1
            order[large] = k
    while small > 0 and large < n:
        small -= 1
        poor, rich = order[small], order[large]
        alias[poor] = rich
        threshold[rich] -= 1.0 - threshold[poor]
        if threshold[rich] < 1.0:
            large += 1
            order[small] = rich
            small += 1
    for k in range(small):
        threshold[order[k]] = 1.0
    for k in range(large, n):
        threshold[order[k]] = 1.0
    return threshold, alias


@njit(nogil=True, cache=True)
def attempt(
    pairs: Pairs, spin: Signs, field: Array, drive: Drive, attempts: int, rng: Generator
) -> tuple[float, int]:
    """Attempt flip-flops; return how far they carried charge along the field, and their number.

    `spin` is +1 or -1, for Sz = spin/2; `field` is the energy of Sz in that of all others. Both
    are changed. A pair of opposite spins whose flip-flop changes the energy by less than its
    window is accepted with the probability ``(1 + X q x / 2) / (1 + exp(change / T))``.
    """
    carried, hops = 0.0, 0
    number = pairs.first.size
    for _ in range(attempts):
        u = rng.random() * number
        pair = int(u)
        if u - pair >= pairs.threshold[pair]:
            pair = pairs.alias[pair]
        i, j = pairs.first[pair], pairs.second[pair]
        if spin[i] == spin[j]:
            continue
        change = spin[i] * (field[j] - field[i]) - pairs.shift[pair]
        if abs(change) >= pairs.window[pair]:
            continue
        charge = drive.charge + drive.charge_per_energy * (field[i] + field[j]) / 2
        moved = spin[i] * pairs.displacement[pair] * charge
        if rng.random() * (1 + math.exp(change * drive.inverse_T)) < 1 + drive.X * moved / 2:
            _flip(pairs, spin, field, i)
            _flip(pairs, spin, field, j)
            carried += moved
            hops += 1
    return carried, hops


@njit(nogil=True, cache=True)
def relax(
    pairs: Pairs, spin: Signs, field: Array, inverse_T: float, attempts: int, rng: Generator
) -> None:
    """Attempt to flip single spins, with the probabilities of a heat bath (Glauber 1963)."""
    for _ in range(attempts):
        k = int(rng.random() * spin.size)
        up = rng.random() * (1 + math.exp(field[k] * inverse_T)) < 1
        if up != (spin[k] > 0):
            _flip(pairs, spin, field, k)


@njit(inline="always")
def _flip(pairs: Pairs, spin: Signs, field: Array, k: int) -> None:
    """Turn spin k around, and shift the energies of those that it interacts with."""
    spin[k] = -spin[k]
    for n in range(pairs.start[k], pairs.start[k + 1]):
        field[pairs.neighbour[n]] += spin[k] * pairs.coupling[n]
