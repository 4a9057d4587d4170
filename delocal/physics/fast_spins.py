"""How many fluctuating neighbours widen a line: n_fast(t), Gopalakrishnan and Nandkishore (2014).

A neighbour that flips within a time t shifts a level by its interaction, J exp(-distance); it
counts once the shift has had time to be felt. Eqs. (11) and (20) print three limits, which do not
meet. Here they are one continuous function; see `fast_spins`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from delocal.physics.powers import Array


def fast_spins(
    t: ArrayLike, Gamma: ArrayLike, J: ArrayLike, A: ArrayLike, d: ArrayLike = 1
) -> Array:
    """Return n_fast(t), the number of neighbours whose flips are felt within a time t.

    ::

        n_fast = max(1, A ln**d(J min(t, 1/Gamma))),   1 where J t < 1

    Parameters
    ----------
    t, Gamma
        Time, and the rate at which each neighbour flips: in units that J sets.
    J
        Interaction of nearest neighbours: J in Eq. (11), gamma in Eq. (20).
    A
        ``s(T) xi**d`` in Eq. (11), ``s(T) N`` in Eq. (20); positive.
    d
        Dimension.

    Returns
    -------
    Array
        At least 1, continuous and growing in t.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (11), (20). As printed the limits are 1 for
    J t << 1 and 0 at J t = 1; the bound N_0 of App. E implies the maximum.

    Examples
    --------
    >>> float(fast_spins(0.5, Gamma=1e-3, J=1.0, A=4.0))  # too early for any neighbour
    1.0
    >>> late = fast_spins([1e3, 1e9], Gamma=1e-3, J=1.0, A=4.0)  # saturated beyond 1/Gamma
    >>> bool(late[0] == late[1] == 4 * np.log(1e3))
    True
    """
    t, Gamma, J, A, d = (np.asarray(v, dtype=np.float64) for v in (t, Gamma, J, A, d))
    with np.errstate(divide="ignore", over="ignore"):
        ln = np.log(J) + np.minimum(np.log(t), -np.log(Gamma))
        return np.asarray(np.maximum(1.0, A * np.maximum(ln, 0.0) ** d))


@njit(nogil=True, cache=True)
def bare(ln_Jt: float, A: float, d: float) -> Any:
    """Return A ln**d(J t), which is below 1 or negative where J t is small: Eqs. (E2), (E3)."""
    n = A * ln_Jt
    for _ in range(int(d) - 1):  # much faster than a power
        n *= ln_Jt
    return n


@njit(nogil=True, cache=True)
def at_least_one(ln_Jt: float, A: float, d: float) -> Any:
    """Return max(1, A ln**d(J t)), and 1 where J t < 1."""
    return max(1.0, bare(max(ln_Jt, 0.0), A, d))
