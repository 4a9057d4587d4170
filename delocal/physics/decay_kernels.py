"""The inner loops behind `nearly_localized`: the sum over terms, and bounds of its root.

The sum is of terms A/(1 + Gamma**2 B), each of which may span hundreds of decades. Single terms
enclose the root; the upper bound then sets the scale in which nothing overflows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from delocal.physics.coupled_dots import Cells
from delocal.physics.decay_terms import Variant, fast, ln_or_lowest, order_and_weight
from delocal.physics.powers import Array

DEEPEST = -350.0
"""ln of Gamma over its upper bound, below which no root is sought: float64 ends there."""


class Terms(NamedTuple):
    """The terms ``p/(q + r v)`` of F by cell, v = Gamma**2 exp(-2 high), and their n_fast.

    Neither p, q nor r overflows, and the larger of q and r is 1, for any K and N. A term whose
    n_fast saturates at a part of n is ``p part/(q + r part**2 v)``.
    """

    p: Array
    q: Array
    r: Array
    n: Array
    number: NDArray[np.int64]


class Bounds(NamedTuple):
    """By cell: F(0); ln Gamma between which a root lies; where F may fail to decrease."""

    gain: Array
    low: Array
    high: Array
    scan_from: Array
    scan_to: Array


@njit(nogil=True, cache=True)
def plain_sum(Gamma: Array, cells: Cells, form: Variant, number: NDArray[np.int64]) -> Any:
    """Return F(Gamma) to the letter."""
    F = np.zeros(Gamma.size)
    for i in range(Gamma.size):
        for j in range(number[i]):
            m, c = order_and_weight(j, cells.N[i], form.weight)
            ln_t = m * cells.lnK[i]
            if form.saturates and Gamma[i] > 0.0:
                n = fast(min(ln_t, -math.log(Gamma[i])), i, cells, form)
            else:
                n = fast(ln_t, i, cells, form)
            width = Gamma[i] * n * math.exp(ln_t)
            rate = c * n * math.exp(2.0 * (cells.ln_gamma[i] + cells.eps[i] * ln_t))
            F[i] += rate / (1.0 + width * width)
    return F


@njit(nogil=True, cache=True, error_model="numpy")
def ln_sum(x: Any, cell: Any, terms: Terms, high: Array, cells: Cells, form: Variant) -> Any:
    """Return ln F at ln Gamma = x, for some of the cells."""
    ln_F = np.empty(x.size)
    for k in range(x.size):
        i = cell[k]
        v = math.exp(2.0 * (x[k] - high[i]))
        F = 0.0
        if form.saturates:
            most = fast(-x[k], i, cells, form)
            for j in range(terms.number[i]):
                part = min(1.0, most / terms.n[i, j])
                F += terms.p[i, j] * part / (terms.q[i, j] + terms.r[i, j] * part * part * v)
        else:
            for j in range(terms.number[i]):
                F += terms.p[i, j] / (terms.q[i, j] + terms.r[i, j] * v)
        ln_F[k] = ln_or_lowest(F)
    return ln_F


@njit(nogil=True, cache=True, error_model="numpy")
def tabulate(cells: Cells, form: Variant, terms: Terms, bounds: Bounds) -> None:
    """Fill the tables; p, q and r hold logarithms for a while: of the rate, of K**m, of n."""
    for i in range(cells.eps.size):
        number = terms.number[i]
        p, q, r, n = terms.p[i, :number], terms.q[i, :number], terms.r[i, :number], terms.n[i]
        for j in range(number):
            m, c = order_and_weight(j, cells.N[i], form.weight)
            q[j] = m * cells.lnK[i]
            p[j] = math.log(c) + 2.0 * (cells.ln_gamma[i] + cells.eps[i] * q[j])
            n[j] = fast(q[j], i, cells, form)
            r[j] = math.log(abs(n[j])) if n[j] != 0.0 else -math.inf
        _bound(i, p, q, r, n, form.saturates, bounds)
        if form.saturates:
            _scan_where_saturation_may_win(i, cells, bounds)
        for j in range(number):
            twice = 2.0 * (q[j] + r[j] + bounds.high[i])
            p[j] = math.copysign(math.exp(p[j] + r[j] - max(twice, 0.0)), n[j])
            smaller = math.exp(-abs(twice))
            q[j], r[j] = (smaller, 1.0) if twice > 0.0 else (1.0, smaller)


@njit(nogil=True, cache=True)
def _bound(
    i: int, ln_rate: Any, ln_t: Any, ln_n: Any, n: Any, saturates: bool, bounds: Bounds
) -> None:
    """Enclose the root of cell i by single terms, each 1 where Gamma**2 = A/B.

    A term is at most A min(1, 1/(Gamma**2 B)), and at least half of that. A = rate n and
    B = (n K**m)**2; where n saturates, it lies between 1 and its value here.
    """
    number = ln_rate.size
    share = math.log(max(number, 1))
    gain, negative, ln_AB = 0.0, 0.0, -math.inf
    low_b, high_b = math.inf, -math.inf  # ln B / 2 of positive, of negative terms
    for j in range(number):
        A, b = math.exp(ln_rate[j] + ln_n[j]), ln_t[j] + ln_n[j]
        if n[j] > 0.0:
            gain += A
            low_b = min(low_b, b)
            ln_AB = max(ln_AB, ln_rate[j] + ln_n[j] + 2.0 * b)
        else:
            negative += A
            high_b = max(high_b, b)
    gain -= negative
    high, low, least = -math.inf, -math.inf, math.log(2.0 * (1.0 + negative))
    for j in range(number):
        if n[j] > 0.0:
            ln_A = ln_rate[j] + ln_n[j]
            if ln_A > -share:
                root = 0.5 * (ln_rate[j] - (0.0 if saturates else ln_n[j]) + share) - ln_t[j]
                high = max(high, root)
            if (ln_rate[j] if saturates else ln_A) > least:
                low = max(low, 0.5 * (ln_rate[j] - ln_n[j] - least) - ln_t[j])
    if 1.0 < gain < math.inf:
        near = 0.5 * (math.log(0.5 * (gain - 1.0)) - ln_AB - share)
        low = max(low, min(near, -ln_t[-1]) if saturates else near)
    high = high + 1e-9 * (1.0 + abs(high)) if high > -math.inf else 0.0  # rounding
    low = max(low - 1e-9 * (1.0 + abs(low)), high + DEEPEST)
    bounds.gain[i], bounds.low[i], bounds.high[i] = gain, low, high
    bounds.scan_from[i], bounds.scan_to[i] = high, high
    if high_b > low_b:  # more than one change of sign
        bounds.low[i] = max(min(low, -5.0 - max(high_b, ln_t[-1])), high + DEEPEST)
        bounds.scan_from[i] = bounds.low[i]


@njit(nogil=True, cache=True)
def _scan_where_saturation_may_win(i: int, cells: Cells, bounds: Bounds) -> None:
    """Scan where ln(gamma/Gamma) < d/2 and s N ln**d(gamma/Gamma) > 1, within the bounds."""
    ln_gamma, d = cells.ln_gamma[i], cells.d[i]
    start, end = ln_gamma - 0.5 * d, ln_gamma - cells.sN[i] ** (-1.0 / d)
    if bounds.gain[i] <= 1.0:  # F < 1 at all smaller Gamma
        bounds.low[i] = min(max(start - 1.0, bounds.high[i] + DEEPEST), bounds.high[i])
    bounds.scan_from[i] = max(start, bounds.low[i])
    bounds.scan_to[i] = min(end, bounds.high[i])
