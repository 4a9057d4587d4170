"""The phase diagram of the power-law spin model, Gutman et al. (2016), Sec. II and Fig. 3.

Functions of arrays (d, alpha, beta) that broadcast. A border counts as met within a relative
1e-12, so that a value of `numpy.linspace` that is meant to lie on it does.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Flags = NDArray[np.bool_]
ON_BORDER = 1e-12


class Region(IntEnum):
    """Regions and borders of Fig. 3; the theory of conduction holds from IIb to III."""

    OUT_OF_DOMAIN = 0
    """alpha < beta, against Eq. (2)"""
    I = 1  # noqa: E741
    """alpha < d: spins resonate by themselves; the paper gives no kappa"""
    CRITICAL_ALPHA_D = 2
    """alpha = d: critical without interaction; alpha = beta = d > 2 belongs to IIb"""
    IIa = 3
    """beta < d < alpha: pseudo-spins of every size delocalize; the paper gives no kappa"""
    CRITICAL_BETA_D = 4
    """beta = d <= 2: not covered; beta = d > 2 belongs to IIb or IIc"""
    IIb = 5
    """d < beta <= alpha < 2d: large pseudo-spins form a network"""
    BORDER_IIb_IIc = 6
    """alpha = 2d: both networks are one"""
    IIc = 7
    """alpha > 2d and D > 0: networks of pseudo-spins and of pseudo2-spins coexist"""
    BORDER_IIc_III = 8
    """D = 0: exponents of pseudo-spins diverge, pseudo2-spins conduct"""
    III = 9
    """D < 0 and beta < 2d: only pseudo2-spins form a network"""
    CRITICAL_BETA_2D = 10
    """beta = 2d: critical, excluded by the paper"""
    MBL = 11
    """beta > 2d: many-body localized, kappa = 0"""


IN_DOMAIN = frozenset(
    {
        Region.IIb,
        Region.BORDER_IIb_IIc,
        Region.IIc,
        Region.BORDER_IIc_III,
        Region.III,
        Region.MBL,
    }
)
WITH_OPTIMAL_PSEUDOSPINS = frozenset({Region.IIb, Region.BORDER_IIb_IIc, Region.IIc})
WITH_PSEUDOSPIN_NETWORK = WITH_OPTIMAL_PSEUDOSPINS | {Region.IIa, Region.CRITICAL_BETA_D}
WITH_PSEUDO2SPIN_NETWORK = frozenset({Region.IIc, Region.BORDER_IIc_III, Region.III})
CONDUCTING = WITH_OPTIMAL_PSEUDOSPINS | WITH_PSEUDO2SPIN_NETWORK


def region(d: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> NDArray[np.int8]:
    """Return the `Region` of each point; every point has exactly one.

    Parameters
    ----------
    d, alpha, beta
        Dimension and the two ranges, positive; arrays broadcast.

    Returns
    -------
    Array of int8, shape = broadcast of the arguments
        Values of `Region`.

    References
    ----------
    Gutman et al. (2016), Eqs. (2), (11), (16) and Fig. 3.

    Examples
    --------
    >>> [Region(code).name for code in region(2, [3, 5, 6, 5], [3, 3, 3.5, 4.5])]
    ['IIb', 'IIc', 'III', 'MBL']
    """
    d, alpha, beta = (np.asarray(value, dtype=np.float64) for value in (d, alpha, beta))
    at_alpha_d, at_beta_d = _equal(alpha, d), _equal(beta, d)
    with np.errstate(over="ignore", invalid="ignore"):
        product = alpha * beta
        D = (alpha + beta) * d - product
    first_that_holds = {
        Region.OUT_OF_DOMAIN: (alpha < beta) & ~_equal(alpha, beta),
        Region.CRITICAL_ALPHA_D: at_alpha_d & ~(at_beta_d & (d > 2)),
        Region.I: (alpha < d) & ~at_alpha_d,
        Region.CRITICAL_BETA_D: at_beta_d & (d <= 2),
        Region.IIa: (beta < d) & ~at_beta_d,
        Region.CRITICAL_BETA_2D: _equal(beta, 2 * d),
        Region.MBL: beta > 2 * d,
        Region.BORDER_IIb_IIc: _equal(alpha, 2 * d),
        Region.IIb: alpha < 2 * d,
        Region.BORDER_IIc_III: np.abs(D) <= ON_BORDER * product,
        Region.IIc: D > 0,
        Region.III: D < 0,
    }
    codes = [np.int8(code) for code in first_that_holds]
    conditions = np.broadcast_arrays(*first_that_holds.values())
    return np.asarray(np.select(conditions, codes, np.int8(Region.OUT_OF_DOMAIN)), dtype=np.int8)


def belongs(regions: NDArray[Any], kinds: Iterable[Region]) -> Flags:
    """Whether each of the `regions` is one of the `kinds`."""
    table = np.zeros(len(Region), dtype=np.bool_)
    table[list(kinds)] = True
    return np.asarray(table[regions])


def superdiffusive(d: ArrayLike, beta: ArrayLike) -> Flags:
    """Whether beta <= 1 + d/2: tails of the interaction make kappa infinite, Eq. (48).

    At equality the divergence is logarithmic. The formulas for kappa are then formal.
    """
    beta, border = np.asarray(beta), 1 + np.asarray(d) / 2
    return np.asarray((beta < border) | _equal(beta, border))


def dynamical_exponent(d: ArrayLike, beta: ArrayLike) -> NDArray[np.float64]:
    """Return z of r ~ time**(1/z): 2 beta - d where `superdiffusive`, else 2. Below Eq. (48).

    Examples
    --------
    >>> dynamical_exponent(1, [1.25, 1.5, 1.8]).tolist()
    [1.5, 2.0, 2.0]
    """
    return np.where(superdiffusive(d, beta), 2 * np.asarray(beta) - np.asarray(d), 2.0)


def infrared_convergent(d: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Flags:
    """Whether large pseudo-spins carry a finite kappa: d < alpha (11 beta - 4)/(3 alpha + 5 beta).

    Gutman et al. (2016), Eq. (45), which for alpha > 5d/11 is Eq. (46). Finite kappa by
    Eq. (48) implies it.
    """
    d, alpha, beta = (np.asarray(value, dtype=np.float64) for value in (d, alpha, beta))
    with np.errstate(over="ignore"):
        return np.asarray(d * (3 * alpha + 5 * beta) < alpha * (11 * beta - 4))


def infrared_convergent_pseudo2(d: ArrayLike, beta: ArrayLike) -> Flags:
    """Whether large pseudo2-spins carry a finite kappa: 11 beta > 8 d + 4.

    Gutman et al. (2016), Eq. (63), corrected: its second form is printed with 8 d + 2, but
    its first form gives 3 beta + d - 2 - (5/2)(2 d - beta) = -(8 d + 4 - 11 beta)/2. For
    d = 1 and beta < 12/11 the sum therefore diverges, inside the superdiffusive strip.
    """
    return np.asarray(11 * np.asarray(beta) > 8 * np.asarray(d) + 4)


def _equal(value: ArrayLike, border: ArrayLike) -> Flags:
    """Whether `value` lies on the positive `border` within a relative 1e-12."""
    return np.asarray(np.abs(np.subtract(value, border)) <= ON_BORDER * np.asarray(border))
