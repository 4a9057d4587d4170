"""The terms of Eq. (19) of Gopalakrishnan and Nandkishore (2014), and what its variants keep.

A level decays by moving n levels of its dot and p of its surroundings. Only m = n + p matters::

    F(Gamma) = gamma**2 sum_m c(m) K**(2 m eps) n_fast / (1 + (Gamma n_fast K**m)**2)

with n_fast(t) at t = K**m. The variants differ in c(m), in n_fast, and in sum or integral.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from delocal.physics.coupled_dots import Cells
from delocal.physics.fast_spins import at_least_one, bare

PAIRS, LINE, INTEGRAL = 0, 1, 2
POINTS = 16
NODES, WEIGHTS = (np.asarray(x) for x in np.polynomial.legendre.leggauss(POINTS))


class Variant(NamedTuple):
    """What is kept of Eqs. (19) and (20).

    Parameters
    ----------
    weight
        c(m): `PAIRS` are the n, p <= N with n + p = m; `LINE` is m - 1 up to 2N; `INTEGRAL` is
        the integral of m - 1 from 2 to 2N by Gauss and Legendre with 16 points per unit of m,
        good to 1e-13 for K <= 10.
    limited
        Whether n_fast is at least 1.
    saturates
        Whether n_fast stops to grow at t = 1/Gamma.
    """

    weight: int
    limited: bool = False
    saturates: bool = False

    def terms(self, N: NDArray[Any]) -> NDArray[np.int64]:
        """Return the number of terms for dots of N levels."""
        sites = np.asarray(N, dtype=np.int64)
        return (2 * sites - 2) * POINTS if self.weight == INTEGRAL else 2 * sites - 1


VARIANTS = {
    "E3": Variant(LINE),
    "E2": Variant(PAIRS),
    "E1": Variant(PAIRS, limited=True),
    "full": Variant(PAIRS, limited=True, saturates=True),
    "integral": Variant(INTEGRAL),
}
"""Eqs. (E3), (E2), (E1); Eqs. (19) with (20); (E3) with an integral for the sum (Fig. 8)."""


def variant_of(name: str) -> Variant:
    """Return a variant by its name; ValueError that lists the names if there is none."""
    if name not in VARIANTS:
        raise ValueError(f"no variant {name!r}; known: {', '.join(VARIANTS)}")
    return VARIANTS[name]


@njit(nogil=True, cache=True)
def order_and_weight(j: int, N: float, weight: int) -> Any:
    """Return m and c(m) of term j = 0, 1, ..."""
    if weight == INTEGRAL:
        m = 2.5 + j // POINTS + 0.5 * NODES[j % POINTS]
        return m, 0.5 * WEIGHTS[j % POINTS] * (m - 1.0)
    m = j + 2.0
    if weight == PAIRS and m > N + 1:
        return m, 2 * N + 1 - m
    return m, m - 1.0


@njit(nogil=True, cache=True)
def fast(ln_t: float, i: int, cells: Cells, variant: Variant) -> Any:
    """Return n_fast at a time t, of dots number i, before it saturates."""
    ln = cells.ln_gamma[i] + ln_t
    if variant.limited:
        return at_least_one(ln, cells.sN[i], cells.d[i])
    return bare(ln, cells.sN[i], cells.d[i])


@njit(nogil=True, cache=True)
def ln_or_lowest(value: float) -> Any:
    """Return ln(value), or less than any other logarithm of a float where value <= 0."""
    return math.log(value) if value > 0.0 else -1e3
