"""Where the nearly localized metal ends, Gopalakrishnan and Nandkishore (2014), Sec. V A, Fig. 5.

The linewidth is born where an infinitesimal one is multiplied by one, F(0) = 1 in Eq. (19): the
boundary is a root of a sum, in eps at given coupling or in the coupling at given eps. The number
of levels N cuts the sum off, so that the boundary of one dot, eps = 0, is not that of the array.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from delocal.physics.coupled_dots import CoupledDots
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
    return _boundary(dots, variant_of(variant), _eps_bounds, _ln_gain)


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
    return LogArray(_boundary(dots, variant_of(variant), _gamma_bounds, _ln_gain))


def _boundary(dots: CoupledDots, form: Variant, bounds: Any, ln_gain: Any) -> Array:
    """Return eps_c or ln gamma_c, between bounds that enclose it; infinite where they do not."""
    by_eps = bounds is _eps_bounds
    fixed = dots.ln_gamma if by_eps else dots.eps
    shape = np.broadcast_shapes(*(f.shape for f in (fixed, dots.K, dots.N, dots.s, dots.d)))
    given = [np.broadcast_to(f, shape).ravel() for f in (fixed, dots.lnK, dots.N, dots.sN, dots.d)]
    number, switches = form.terms(given[2]), (form.weight, form.limited)
    low, high = bounds(*given, number, *switches)

    def function(x: Array, cell: NDArray[np.int64]) -> Array:
        x, cell = np.asarray(x), np.asarray(cell)
        at = [column[cell.ravel()] for column in given]
        eps, ln_gamma = (x.ravel(), at[0]) if by_eps else (at[0], x.ravel())
        gain = ln_gain(eps, ln_gamma, *at[1:], number[cell.ravel()], *switches)
        return np.asarray(gain).reshape(x.shape)

    found, cells = np.full(low.size, np.inf), np.flatnonzero(np.isfinite(high))
    found[cells] = find_root(function, low[cells], high[cells], cells).value
    return found.reshape(shape)


@njit(nogil=True, cache=True)
def _ln_gain(
    eps: Any,
    ln_gamma: Any,
    lnK: Any,
    N: Any,
    sN: Any,
    d: Any,
    number: Any,
    weight: int,
    limited: bool,
) -> Any:
    """Return ln F(0), or less than any other where F(0) <= 0, by the size of its largest term."""
    result = np.empty(eps.size)
    for i in range(eps.size):
        largest = -math.inf
        for j in range(number[i]):
            n, ln_A = _term(j, eps[i], ln_gamma[i], lnK[i], N[i], sN[i], d[i], weight, limited)
            if n != 0.0:
                largest = max(largest, ln_A)
        total = 0.0
        for j in range(number[i]):
            n, ln_A = _term(j, eps[i], ln_gamma[i], lnK[i], N[i], sN[i], d[i], weight, limited)
            if n != 0.0:
                total += math.copysign(math.exp(ln_A - largest), n)
        result[i] = largest + math.log(total) if total > 0.0 else -1e3 - abs(largest)
    return result


@njit(nogil=True, cache=True)
def _term(
    j: int,
    eps: float,
    ln_gamma: float,
    lnK: float,
    N: float,
    sN: float,
    d: float,
    weight: int,
    limited: bool,
) -> Any:
    """Return n_fast and ln |c gamma**2 K**(2 m eps) n_fast| of a term."""
    m, c = order_and_weight(j, N, weight)
    n = fast(ln_gamma + m * lnK, sN, d, limited)
    ln_n = math.log(abs(n)) if n != 0.0 else -math.inf
    return n, math.log(c) + ln_n + 2.0 * (ln_gamma + m * eps * lnK)


@njit(nogil=True, cache=True)
def _eps_bounds(
    ln_gamma: Any, lnK: Any, N: Any, sN: Any, d: Any, number: Any, weight: int, limited: bool
) -> Any:
    """Enclose eps_c: below, each positive term is < 1/number; above, the last exceeds all others.

    Infinite where the last term is not positive, and then none is.
    """
    low, high = np.full(N.size, math.inf), np.full(N.size, math.inf)
    for i in range(N.size):
        if number[i] == 0:
            continue
        share = math.log(number[i])
        n_last, ln_last = _term(
            number[i] - 1, 0.0, ln_gamma[i], lnK[i], N[i], sN[i], d[i], weight, limited
        )
        m_last, _ = order_and_weight(number[i] - 1, N[i], weight)
        if n_last <= 0.0:
            continue
        high[i] = (share + math.log(2.0) - ln_last) / (2 * m_last * lnK[i])
        for j in range(number[i]):
            m, _ = order_and_weight(j, N[i], weight)
            n, ln_A = _term(j, 0.0, ln_gamma[i], lnK[i], N[i], sN[i], d[i], weight, limited)
            if n > 0.0:
                low[i] = min(low[i], -(share + ln_A) / (2 * m * lnK[i]))
            elif n < 0.0:
                above = (share + math.log(2.0) + ln_A - ln_last) / (2 * (m_last - m) * lnK[i])
                high[i] = max(high[i], above)
        low[i] -= 1e-9 * (1.0 + abs(low[i]))
        high[i] += 1e-9 * (1.0 + abs(high[i]))
    return low, high


@njit(nogil=True, cache=True)
def _gamma_bounds(
    eps: Any, lnK: Any, N: Any, sN: Any, d: Any, number: Any, weight: int, limited: bool
) -> Any:
    """Enclose ln gamma_c: above, all n_fast >= 1 and their sum exceeds 1; below, none can.

    Below, d ln y <= d y/2 with y = |ln gamma| + 2 N ln K bounds the growth of n_fast.
    """
    low, high = np.full(N.size, math.inf), np.full(N.size, math.inf)
    for i in range(N.size):
        if number[i] == 0:
            continue
        largest = -math.inf
        for j in range(number[i]):
            m, c = order_and_weight(j, N[i], weight)
            largest = max(largest, math.log(c) + 2.0 * m * eps[i] * lnK[i])
        total = largest + math.log(number[i])
        high[i] = -0.5 * largest
        if not limited:
            high[i] = max(high[i], sN[i] ** (-1.0 / d[i]) - 2.0 * lnK[i])
        high[i] += 1e-9 * (1.0 + abs(high[i]))
        most = total + math.log(1.0 + sN[i]) + d[i] * N[i] * lnK[i] + 1.0
        low[i] = min(-abs(high[i]), -abs(most) / (2.0 - 0.5 * d[i])) - 1.0
    return low, high
