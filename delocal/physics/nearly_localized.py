"""The linewidth Gamma of a nearly localized metal, Gopalakrishnan and Nandkishore (2014), Sec. V.

Each dot decays into a bath that is made of dots like itself, so that Gamma solves Gamma = Gamma
F(Gamma), Eq. (19). Gamma = 0 always does; the metal is where F(Gamma) = 1 has a root besides.

How many roots there are is a theorem wherever possible, and a scan elsewhere:

* Where no n_fast is negative and none saturates, F decreases: one root if F(0) > 1, else none.
* (E2) and (E3) have n_fast < 0 at small m if d is odd. In u = Gamma**2, F - 1 is a sum of Cauchy
  kernels a/(1 + u b); it has no more positive roots than the a have changes of sign in order of b
  (total positivity), which is one if each negative term has a smaller b than each positive.
* With saturation, the term with n = s N ln**d(gamma/Gamma) grows with Gamma only where
  ln(gamma/Gamma) < d/2 and n > 1: Gamma is then comparable to gamma, against Eq. (27). There F is
  scanned, and the largest root taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from delocal.physics.coupled_dots import Cells, CoupledDots
from delocal.physics.decay_terms import Variant, fast, ln_or_lowest, order_and_weight, variant_of
from delocal.physics.model import Status
from delocal.physics.powers import Array, LogArray
from delocal.physics.solve import Solution, count_roots, find_root

CELLS_TIMES_TERMS = 200_000
"""Size of the tables that are worked on at a time; they stay in the cache of a core."""
SCANNED = 64
"""Points at which F is looked at where it may have several roots."""
DEEPEST = -350.0
"""ln of Gamma over its upper bound, below which no root is sought: float64 ends there."""


@dataclass(frozen=True)
class Linewidth:
    """What became of a solve, cell by cell.

    Parameters
    ----------
    Gamma
        The largest nontrivial root, 0 where there is none; NaN where it was not found.
    gain
        F(0), the factor by which Eq. (19) multiplies an infinitesimal Gamma.
    roots
        Number of nontrivial roots.
    residual
        ln F(Gamma); 0 where Gamma = 0, which solves Eq. (19) exactly.
    status
        `Status.DONE`, also where localized; `Status.NOT_CONVERGED`.
    """

    Gamma: LogArray
    gain: Array
    roots: NDArray[np.int64]
    residual: Array
    status: NDArray[np.int8]

    @property
    def metal(self) -> NDArray[np.bool_]:
        """Where there is a nontrivial root."""
        return np.asarray(self.roots > 0)


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


def decay_sum(dots: CoupledDots, Gamma: ArrayLike, variant: str = "E3") -> Array:
    """Return F(Gamma), the sum in Eq. (19): Gamma solves the theory where it is 1.

    ::

        F = gamma**2 sum_m c(m) K**(2 m eps) n_fast / (1 + (Gamma n_fast K**m)**2)

    Slow and obvious, the judge of `linewidth`: no K**(4N) may exceed 1e308.

    Parameters
    ----------
    dots
        The dots, with integer N.
    Gamma
        Linewidth over delta_m, at least 0; broadcasts against `dots`.
    variant
        One of `decay_terms.VARIANTS`.

    Returns
    -------
    Array
        F, of the shape to which all broadcast.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (19), (20), (E1) to (E3). Eq. (18) prints the
    detuning as K**-(m+n); it is K**-(n+p).

    Examples
    --------
    >>> dots = CoupledDots.of(eps=0.3, gamma=0.1)
    >>> root = linewidth(dots).Gamma.value
    >>> float(decay_sum(dots, root).round(12))
    1.0
    """
    form = variant_of(variant)
    shape = np.broadcast_shapes(dots.shape, np.shape(Gamma))
    cells = dots.cells(shape)
    widths = np.broadcast_to(np.asarray(Gamma, dtype=np.float64), shape).ravel()
    return np.asarray(_plain_sum(widths, cells, form, form.terms(cells.N))).reshape(shape)


def linewidth(dots: CoupledDots, variant: str = "E3") -> Linewidth:
    """Return Gamma, the typical width of a local spectral line; the conductivity follows it.

    The nontrivial root of F(Gamma) = 1, for each cell by itself: bit for bit the same however
    cells are laid out.

    Parameters
    ----------
    dots
        The dots, with integer N.
    variant
        One of `decay_terms.VARIANTS`.

    Returns
    -------
    Linewidth
        In units of delta_m, of the shape of `dots`. Where F(0) <= 1: Gamma = 0, localized.
        `NOT_CONVERGED` if Gamma lies 150 decades below its upper bound, which takes K**N > 1e150.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (19), (20); Fig. 8 is ``variant="E3"``.

    Examples
    --------
    >>> found = linewidth(CoupledDots.of(eps=[-0.3, 0.3], gamma=0.1))
    >>> found.Gamma.value.round(9).tolist()
    [0.0, 0.003919768]
    """
    form, cells = variant_of(variant), dots.cells()
    found = [_solve(form, cells.some(some)) for some in _portions(form.terms(cells.N))]

    def joined(arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([*arrays]).reshape(dots.shape)

    return Linewidth(
        LogArray(joined(f.Gamma.ln for f in found)),
        joined(f.gain for f in found),
        joined(f.roots for f in found),
        joined(f.residual for f in found),
        joined(f.status for f in found),
    )


def _portions(terms: NDArray[np.int64]) -> Iterator[slice]:
    """Yield runs of cells whose tables are small; one run if there is no cell."""
    step = max(1, CELLS_TIMES_TERMS // int(terms.max(initial=1)))
    yield from (slice(start, start + step) for start in range(0, max(terms.size, 1), step))


def _solve(form: Variant, cells: Cells) -> Linewidth:
    """Solve for a run of cells."""
    number = form.terms(cells.N)
    p, q, r, n = (np.empty((number.size, number.max(initial=1))) for _ in range(4))
    terms = Terms(p, q, r, n, number)
    bounds = Bounds(*(np.empty(number.size) for _ in range(5)))
    _tabulate(cells, form, terms, bounds)

    def ln_F(x: Array, cell: NDArray[np.int64]) -> Array:
        x, cell = np.asarray(x), np.asarray(cell)
        flat = _ln_sum(x.ravel(), cell.ravel(), terms, bounds.high, cells, form)
        return np.asarray(flat).reshape(x.shape)

    roots = (bounds.gain > 1).astype(np.int64)
    low, high = bounds.low.copy(), bounds.high.copy()
    scanned = np.flatnonzero(bounds.scan_from < bounds.scan_to)
    if scanned.size:
        roots[scanned], low[scanned], high[scanned] = _scan(ln_F, bounds, scanned)
    one = np.flatnonzero(roots > 0)
    return _linewidth(bounds.gain, roots, one, find_root(ln_F, low[one], high[one], one))


def _scan(ln_F: Any, bounds: Bounds, cells: NDArray[np.int64]) -> tuple[Any, Array, Array]:
    """Return the number of roots and the ends of a step that holds the largest."""

    def place(step: Array, cell: NDArray[np.int64]) -> Array:
        start, end = bounds.scan_from[cell], bounds.scan_to[cell]
        inside = start + (step - 1) * ((end - start) / SCANNED)
        inside = np.where(step > SCANNED, end, inside)
        return np.where(
            step < 1, bounds.low[cell], np.where(step > SCANNED + 1, bounds.high[cell], inside)
        )

    number, low, high = count_roots(
        lambda step, cell: ln_F(place(step, cell), cell), np.arange(SCANNED + 3.0), cells
    )
    return number, place(low, cells), place(high, cells)


def _linewidth(gain: Array, roots: Any, metal: Any, solution: Solution) -> Linewidth:
    """Put the roots where they belong."""
    ln, residual = np.full(gain.shape, -np.inf), np.zeros(gain.shape)
    status = np.full(gain.shape, Status.DONE, np.int8)
    ln[metal], residual[metal] = solution.value, solution.residual
    status[metal] = np.where(solution.done, Status.DONE, Status.NOT_CONVERGED)
    return Linewidth(LogArray(ln), gain, roots, residual, status)


@njit(nogil=True, cache=True)
def _plain_sum(Gamma: Array, cells: Cells, form: Variant, number: NDArray[np.int64]) -> Any:
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
def _ln_sum(x: Any, cell: Any, terms: Terms, high: Array, cells: Cells, form: Variant) -> Any:
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
def _tabulate(cells: Cells, form: Variant, terms: Terms, bounds: Bounds) -> None:
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
