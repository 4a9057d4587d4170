"""Where the nearly localized metal ends, Gopalakrishnan and Nandkishore (2014), Sec. V A, Fig. 5.

The linewidth is born where an infinitesimal one is multiplied by one, F(0) = 1 in Eq. (19): the
boundary is a root of a sum, in eps at given coupling or in the coupling at given eps. The number
of levels N cuts the sum off, so that the boundary of one dot, eps = 0, is not that of the array.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from delocal.physics.coupled_dots import Cells, CoupledDots
from delocal.physics.decay_terms import Variant, fast, order_and_weight, variant_of
from delocal.physics.powers import Array, LogArray
from delocal.physics.solve import find_root


def critical_eps(dots: CoupledDots, variant: str = "E3") -> Array:
    """Return eps_c, the eps beyond which the array is a metal; ``dots.eps`` plays no part.

    ::

        1 = gamma**2 sum_m c(m) K**(2 m eps_c) n_fast(K**m)

    In q = K**(2 eps) a polynomial minus 1. Where n_fast < 0 at small m, (E2) and (E3) for odd d,
    its coefficients still change sign once, so that there is one root by Descartes' rule.

    Parameters
    ----------
    dots
        The dots, with integer N.
    variant
        One of `decay_terms.VARIANTS`; `full` and `E1` have the same boundary.

    Returns
    -------
    Array
        eps_c; above 1 or infinite where no eps below 1 gives a metal.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (19) for Gamma -> 0.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from delocal.physics.nearly_localized import linewidth
    >>> dots = CoupledDots.of(eps=0.0, gamma=0.01)
    >>> eps_c = critical_eps(dots)
    >>> [bool(linewidth(replace(dots, eps=eps_c + by)).metal) for by in (-1e-9, 1e-9)]
    [False, True]
    """
    form, any_eps = variant_of(variant), replace(dots, eps=np.zeros(()))
    cells = any_eps.cells()
    low, high = _eps_bounds(cells, form, form.terms(cells.N))
    root = _boundary(lambda eps, of: of._replace(eps=eps), low, high, cells, form)
    return root.reshape(any_eps.shape)


def critical_gamma(dots: CoupledDots, variant: str = "E1") -> LogArray:
    """Return gamma_c, the coupling beyond which the array is a metal; ``dots.gamma`` plays no part.

    The root in gamma of the condition of `critical_eps`. It is unique for `E1`, `full` and odd d;
    for even d (E2) and (E3) count small n_fast wrongly as large, and may have more than one.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (19) for Gamma -> 0; Fig. 5.

    Examples
    --------
    >>> from dataclasses import replace
    >>> dots = CoupledDots.of(eps=0.2, gamma=1.0)
    >>> critical = replace(dots, gamma=critical_gamma(dots).value)
    >>> float(critical_eps(critical, "E1").round(12))
    0.2
    """
    form, any_gamma = variant_of(variant), replace(dots, gamma=np.ones(()))
    cells = any_gamma.cells()
    low, high = _gamma_bounds(cells, form, form.terms(cells.N))
    root = _boundary(lambda ln, of: of._replace(ln_gamma=ln), low, high, cells, form)
    return LogArray(root.reshape(any_gamma.shape))


def _boundary(
    at: Callable[[Array, Cells], Cells], low: Array, high: Array, cells: Cells, form: Variant
) -> Array:
    """Return where F(0) = 1 between bounds that enclose it; infinite where there are none.

    `at(x, cells)` are the cells with the unknown set to x.
    """

    def function(x: Array, place: NDArray[np.int64]) -> Array:
        x = np.asarray(x)
        given = at(x.ravel(), cells.some(np.asarray(place).ravel()))
        return np.asarray(_ln_gain(given, form, form.terms(given.N))).reshape(x.shape)

    found, places = np.full(low.size, np.inf), np.flatnonzero(np.isfinite(high))
    found[places] = find_root(function, low[places], high[places], places).value
    return found


@njit(nogil=True, cache=True)
def _ln_gain(cells: Cells, form: Variant, number: NDArray[np.int64]) -> Any:
    """Return ln F(0), or less than any other where F(0) <= 0, by the size of its largest term."""
    result = np.empty(cells.eps.size)
    for i in range(cells.eps.size):
        largest, total = -math.inf, 0.0
        for j in range(number[i]):
            _, n, ln_A = _term(j, i, cells.eps[i], cells, form)
            largest = max(largest, ln_A)
        for j in range(number[i]):
            _, n, ln_A = _term(j, i, cells.eps[i], cells, form)
            total += math.copysign(math.exp(ln_A - largest), n)
        result[i] = largest + math.log(total) if total > 0.0 else -1e3 - abs(largest)
    return result


@njit(nogil=True, cache=True)
def _term(j: int, i: int, eps: float, cells: Cells, form: Variant) -> Any:
    """Return m, n_fast and ln |c gamma**2 K**(2 m eps) n_fast| of a term."""
    m, c = order_and_weight(j, cells.N[i], form.weight)
    ln_t = m * cells.lnK[i]
    n = fast(ln_t, i, cells, form)
    ln_n = math.log(abs(n)) if n != 0.0 else -math.inf
    return m, n, math.log(c) + ln_n + 2.0 * (cells.ln_gamma[i] + eps * ln_t)


@njit(nogil=True, cache=True)
def _eps_bounds(cells: Cells, form: Variant, number: NDArray[np.int64]) -> Any:
    """Enclose eps_c: below, each positive term is < 1/number; above, the last exceeds all others.

    Infinite where the last term is not positive, and then none is.
    """
    low, high = np.full(number.size, math.inf), np.full(number.size, math.inf)
    for i in range(number.size):
        if number[i] == 0:
            continue
        share, k = math.log(number[i]), 2.0 * cells.lnK[i]
        m_last, n_last, ln_last = _term(number[i] - 1, i, 0.0, cells, form)
        if n_last <= 0.0:
            continue
        high[i] = (share + math.log(2.0) - ln_last) / (m_last * k)
        for j in range(number[i]):
            m, n, ln_A = _term(j, i, 0.0, cells, form)
            if n > 0.0:
                low[i] = min(low[i], -(share + ln_A) / (m * k))
            elif n < 0.0:
                above = (share + math.log(2.0) + ln_A - ln_last) / ((m_last - m) * k)
                high[i] = max(high[i], above)
        low[i] -= 1e-9 * (1.0 + abs(low[i]))
        high[i] += 1e-9 * (1.0 + abs(high[i]))
    return low, high


@njit(nogil=True, cache=True)
def _gamma_bounds(cells: Cells, form: Variant, number: NDArray[np.int64]) -> Any:
    """Enclose ln gamma_c: above, all n_fast >= 1 and a term exceeds 1; below, none can.

    Below, d ln y <= d y/2 with y = |ln gamma| + 2 N ln K bounds the growth of n_fast.
    """
    low, high = np.full(number.size, math.inf), np.full(number.size, math.inf)
    for i in range(number.size):
        if number[i] == 0:
            continue
        largest, lnK, d = -math.inf, cells.lnK[i], cells.d[i]
        for j in range(number[i]):
            m, c = order_and_weight(j, cells.N[i], form.weight)
            largest = max(largest, math.log(c) + 2.0 * m * cells.eps[i] * lnK)
        high[i] = -0.5 * largest
        if not form.limited:
            high[i] = max(high[i], cells.sN[i] ** (-1.0 / d) - 2.0 * lnK)
        high[i] += 1e-9 * (1.0 + abs(high[i]))
        all_terms = largest + math.log(number[i]) + math.log(1.0 + cells.sN[i])
        most = all_terms + d * cells.N[i] * lnK + 1.0
        low[i] = min(-abs(high[i]), -abs(most) / (2.0 - 0.5 * d)) - 1.0
    return low, high
