"""Decay of an electron into three, each into three more: the tree of the self-consistent theory.

Basko, Aleiner and Altshuler, review (2006), Eqs. (18), (19), with daughters that are independent
of each other and of their ancestors, as in Abou-Chacra, Anderson and Thouless (1973). An electron
decays into two electrons and a hole; off shell by x, a triple adds

    Gamma = eta + lam**2 delta**2 sum_i G_i / (x_i**2 + G_i**2),   G_i = sum of its three widths

The x_i are a Poisson process of density ``T (M delta - abs(x)) / delta**3``: both transfers of
energy, of electron and of partner, lie in a window of M levels, and T/delta partners are thermal.
So <Gamma> = pi lam**2 M T as long as G << M delta. Here delta = 1.

Widths are drawn from a pool (population dynamics). Two things follow from its finite size N:

* averages of a metal are right for any N up to O(1/N), since the mean of a generation does not
  depend on that of the one before;
* growth of the linearised equation is too low. It lives on rare large widths, of which a pool has
  none beyond its largest. The shift falls as 1/ln(N)**2 only, asymptotically (Brunet and Derrida
  1997), and exceeds 1 at N = 1e4: compare with `growth_rate`, never with a finite pool's zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import ArrayLike

from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.solve import find_root

SEGMENT = 500_000
"""Triples between two looks at `cancelled`, some 20 ms."""


def golden_width(lam: ArrayLike, M: ArrayLike, T: ArrayLike) -> Array:
    """Return pi lam**2 M T, the mean half width of a level by the golden rule. Review, (20)."""
    return np.asarray(np.pi * np.asarray(lam) ** 2 * np.asarray(M) * np.asarray(T))


def window_share(G: ArrayLike, M: ArrayLike) -> Array:
    """Return the share of a Lorentzian of half width G that the window of M levels holds.

    The mean width is pi lam**2 M T times it, ``int dx (M - abs(x)) G/(x**2 + G**2) / (pi M)``.

    Examples
    --------
    >>> window_share([1e-9, 4.0], 4.0).round(4).tolist()
    [1.0, 0.2794]
    """
    ratio = np.asarray(G, dtype=np.float64) / np.asarray(M, dtype=np.float64)
    small = np.minimum(ratio, 1.0)  # ratio**-2 would overflow
    large = np.log1p(np.maximum(ratio, 1.0) ** -2.0)
    logarithm = np.where(ratio < 1, np.log1p(small**2) - 2 * np.log(small), large)
    return np.asarray(1 - (2 * np.arctan(ratio) + ratio * logarithm) / np.pi)


def mean_field_width(lam: ArrayLike, M: ArrayLike, T: ArrayLike) -> Array:
    """Return the width that all levels would share, ``m = pi lam**2 M T window_share(3 m, M)``.

    That of the golden rule at small lam; smaller where it is not small compared with M delta.
    """

    def excess(ln_share: Array, golden: Array, M: Array) -> Array:
        share = np.exp(ln_share)
        return np.asarray(window_share(3 * golden * share, M) / share - 1)

    golden = golden_width(lam, M, T)
    share = np.exp(find_root(excess, -40.0, 1e-12, golden, M).value)
    return np.asarray(golden * share)


def relative_variance(lam: ArrayLike, M: ArrayLike, T: ArrayLike) -> Array:
    """Return (T_in/T)**2, the variance of Gamma over its mean squared, deep in the metal.

    The variance of a Poisson sum is that of its terms: ``lam**4 M T int dx L(x)**2`` with a
    Lorentzian L of half width 3 <Gamma> is ``lam**2 delta**2 / 6``. So it is one at
    T_in = delta / (sqrt(6) pi M lam), where the slides print 6 for sqrt(6).

    Examples
    --------
    >>> lam, M = 2e-4, 5
    >>> float(relative_variance(lam, M, 1 / (np.sqrt(6) * np.pi * M * lam)).round(12))
    1.0
    """
    T_in = 1 / (np.sqrt(6) * np.pi * np.asarray(M) * np.asarray(lam))
    return np.asarray((T_in / np.asarray(T)) ** 2)


def log_eigenvalue(s: ArrayLike, lam: ArrayLike, M: ArrayLike, T: ArrayLike) -> Array:
    """Return ln of the eigenvalue of the linearised tree for widths with the tail of exponent s.

    Of <Gamma**s> from one generation to the next, as far as one term dominates::

        3 int dx rho(x) (lam/abs(x))**(2 s) = 6 T M**2 (lam/M)**(2 s) / ((1 - 2 s) (2 - 2 s))

    for 0 <= s < 1/2. The tail of one half is that of Eq. (27).

    Examples
    --------
    >>> float(np.exp(log_eigenvalue(0.0, 1e-3, 4, 10)))  # three daughters of T M**2 triples
    480.0...
    """
    s, lam, M, T = (np.asarray(value, dtype=np.float64) for value in (s, lam, M, T))
    resonant = -np.log1p(-2 * s) - np.log(2 - 2 * s)
    return np.asarray(np.log(6 * T * M**2) + 2 * s * np.log(lam / M) + resonant)


def _best_exponent(lam: Array, M: Array, T: Array) -> Array:
    """Return the s in (0, 1/2) with the smallest ln(eigenvalue)/s; NaN where the tree dies."""

    def slope(ln_y: Array, lam: Array, M: Array, T: Array) -> Array:
        y = np.exp(ln_y)  # 1 - 2 s
        derivative = 2 * (np.log(lam / M) + 1 / y + 1 / (1 + y))
        return np.asarray((1 - y) / 2 * derivative - log_eigenvalue((1 - y) / 2, lam, M, T))

    return np.asarray((1 - np.exp(find_root(slope, -20.0, -1e-9, lam, M, T).value)) / 2)


def growth_rate(lam: ArrayLike, M: ArrayLike, T: ArrayLike) -> Array:
    """Return the growth of ln(typical width) per generation, of an infinite pool.

    The front of a branching process moves at the smallest ln(eigenvalue)/s, 0 < s < 1/2. Where
    it is 0 the insulator becomes unstable; `transition_temperature`.

    Returns
    -------
    Array
        NaN where a level has less than one triple, 3 T M**2 < 1, or s is not within (0, 1/2).
    """
    lam, M, T = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (lam, M, T)))
    s = _best_exponent(lam, M, T)
    return np.asarray(log_eigenvalue(s, lam, M, T) / s)


def transition_temperature(lam: ArrayLike, M: ArrayLike) -> Array:
    """Return T_c of the tree, where the smallest eigenvalue is 1; in delta.

    The eigenvalue is proportional to T, and smallest at ``1/y + 1/(1 + y) = ln(M/lam)``,
    y = 1 - 2 s. To leading order 6 e lam M (T_c/delta) ln(M/lam) = 1: the upper limit that leaves
    real parts out, e for the 2 of the slides' 12 = 6 x 2.

    Examples
    --------
    >>> T_c = transition_temperature(2e-4, 5)
    >>> float(T_c.round(2)), float(abs(growth_rate(2e-4, 5, T_c)) < 1e-9)
    (6.68, 1.0)
    """
    lam, M = np.asarray(lam, dtype=np.float64), np.asarray(M, dtype=np.float64)
    log = np.log(M / lam)
    # 1/y + 1/(1 + y) = log has one positive root.
    y = (2 - log + np.hypot(log, 2)) / (2 * log)
    return np.asarray(np.exp(-log_eigenvalue((1 - y) / 2, lam, M, 1.0)))


@dataclass(frozen=True)
class Tree:
    """What became of a pool of widths.

    Parameters
    ----------
    mean, relative_variance, typical
        Of the widths in the second half of the generations; typical is exp(<ln Gamma>).
    drift
        Change of <ln Gamma> from the third to the last quarter.
    growth
        Of ln(typical width) per generation in the linearised equation, in the second half, among
        levels that have triples.
    """

    mean: float
    relative_variance: float
    typical: float
    drift: float
    growth: float


def grow_tree(
    lam: float,
    M: float,
    T: float,
    eta: float,
    pool: int,
    generations: int,
    rng: Generator,
    cancelled: CancelToken = never,
) -> Tree:
    """Return the widths of a pool after a number of generations, from the golden rule's on.

    Parameters
    ----------
    lam, M, T
        Interaction, levels within its reach, temperature; energies in delta.
    eta
        Width due to a bath, positive: an insulator keeps a width proportional to it.
    pool
        Number of widths; see above for what it does.
    generations
        A multiple of 4.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    mean = T * M**2
    widths = np.full(pool, float(golden_width(lam, M, T)))
    linear = np.ones(pool)
    moments = np.empty((generations, 4))
    together = max(int(SEGMENT / mean), 1)
    for generation in range(generations):
        new = np.empty((2, pool))
        for first in range(0, pool, together):
            if cancelled():
                raise Cancelled("the growth of the tree was cancelled")
            last = min(first + together, pool)
            _decay(widths, linear, lam, M, mean, eta, rng, new, first, last)
        widths, linear = new
        step = float(np.log(linear[linear > 0]).mean())  # without triples there is no width
        linear = linear / math.exp(step)
        logarithm = float(np.log(widths).mean())
        moments[generation] = widths.mean(), (widths**2).mean(), logarithm, step
    late = moments[generations // 2 :]
    first_moment, second, logarithm, growth = late.mean(axis=0)
    quarter = late.shape[0] // 2
    drift = late[quarter:, 2].mean() - late[:quarter, 2].mean()
    return Tree(
        float(first_moment),
        float(second / first_moment**2 - 1),
        math.exp(logarithm),
        float(drift),
        float(growth),
    )


@njit(nogil=True, cache=True)
def _decay(
    widths: Array,
    linear: Array,
    lam: float,
    M: float,
    mean: float,
    eta: float,
    rng: Generator,
    new: Array,
    first: int,
    last: int,
) -> None:
    """Write the widths of the parents first to last - 1, and those of the linearised equation."""
    pool = widths.size
    for parent in range(first, last):
        total, line = 0.0, 0.0
        for _ in range(rng.poisson(mean)):
            p = 1.0 - rng.random()
            x = M * p / (1.0 + math.sqrt(1.0 - p))  # of the density 2 (M - x) / M**2
            x2 = x * x
            a = int(pool * rng.random())
            b = int(pool * rng.random())
            c = int(pool * rng.random())
            G = widths[a] + widths[b] + widths[c]
            total += G / (x2 + G * G)
            line += (linear[a] + linear[b] + linear[c]) / x2
        new[0, parent] = eta + lam * lam * total
        new[1, parent] = lam * lam * line
