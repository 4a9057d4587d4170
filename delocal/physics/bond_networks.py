"""The laws of the bonds between grains: explicit levels, pairs of levels, and Levy's law.

Basko, Aleiner and Altshuler (2005): above T_in a level has the inelastic half width
Gamma = pi lam**2 M T, and a bond conducts by pairs of levels of its two grains. Kubo's formula
with two Lorentzians gives, for Gamma << T,

    g = sum_lm 2 I**2 delta**2 (h_l + h_m)/2  2 Gamma / ((xi_l - xi_m)**2 + 4 Gamma**2)

with h = -f'(xi) for charge and ``3/pi**2 (xi/T)**2`` times it for heat. Over the mean 2 pi I**2,
the only parameters left are T/delta and u = delta T_el / T**2 = delta**2 / (16 pi d Gamma T).

Three laws, each the limit of the one before:

* `level_bonds`: the levels of every grain are drawn, and its bonds share them;
* `pair_bonds`: T >> delta at fixed u, where pairs are independent;
* `levy_bonds`: u >> 1, where the best pair decides: g = 2 gamma / Z**2, Z normal.

Here delta = 1. The bonds of a d-dimensional lattice have the parameter d u, as T_el has 1/d.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.special import erfcx

from delocal.physics.disorder import Integers
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.solve import find_root

CATALAN = 0.915965594177219015
HIGHEST = 20.0
"""Energy of the highest level kept, over T: what is left out is below exp(-20)."""
CUT = 30.0
"""Distance of the pairs drawn over 2 Gamma, at the least; beyond there is their mean."""
PAIRS = 100.0
"""Pairs drawn for a bond, at the least."""
SEGMENT = 20_000_000
"""Pairs of levels between two looks at `cancelled`, some 20 ms."""


def width(u: ArrayLike, d: ArrayLike, T: ArrayLike) -> Array:
    """Return Gamma = delta**2 / (16 pi d u T), the inelastic half width of a level, in delta."""
    return np.asarray(1 / (16 * np.pi * np.asarray(d) * np.asarray(u) * np.asarray(T)))


def levy_scale(u: ArrayLike, d: ArrayLike, heat: bool = False) -> Array:
    """Return gamma, the scale of the law of a bond at u >> 1, over its mean.

    P(g) = exp(-gamma/g) sqrt(gamma/(pi g**3)), the law of Eq. (27) of the review. As the mean of
    1/g is 1/(2 gamma), a chain conducts 2 gamma: the slides' pi/4 and 48 G**2 / pi**3 over u.

    Examples
    --------
    >>> chain = 2 * levy_scale(1.0, 1), 2 * levy_scale(1.0, 1, heat=True)
    >>> float(chain[0] / (np.pi / 4)), float((chain[1] / 1.29882291130).round(10))
    (1.0, 1.0)
    """
    amplitude = 24 * CATALAN**2 / np.pi**3 if heat else np.pi / 8
    return np.asarray(amplitude / (np.asarray(d) * np.asarray(u)))


def levy_bonds(number: int, rng: Generator) -> Array:
    """Return conductances in units of gamma, g = 2/Z**2, shape (number,)."""
    return np.asarray(2 / rng.standard_normal(number) ** 2)


def levy_effective_medium(d: ArrayLike) -> Array:
    """Return G_eff/gamma of the effective medium of bonds with Levy's law: 2, 5.340, 8.515.

    A bond replaced by g in a medium of bonds G must leave the mean current unchanged::

        <1 / (g + (d - 1) G)> = 1/(d G),   <exp(-s g)> = exp(-2 sqrt(gamma s))

    It is exact for d = 1 and for weak disorder, and an approximation here for d > 1.

    Examples
    --------
    >>> levy_effective_medium([1, 2, 3]).round(3).tolist()
    [2.0, 5.34, 8.515]
    """
    d = np.asarray(d, dtype=np.float64)

    def lacking(ln_a: Array, d: Array) -> Array:
        a = np.exp(ln_a)  # (d - 1) G / gamma
        return np.asarray(1 - np.sqrt(np.pi / a) * erfcx(1 / np.sqrt(a)) - (d - 1) / d)

    a = np.exp(find_root(lacking, -10.0, 10.0, np.maximum(d, 2)).value)
    return np.where(d == 1, 2.0, a / np.maximum(d - 1, 1))


def pair_bonds(number: int, u: float, rng: Generator, cancelled: CancelToken = never) -> Array:
    """Return conductances for charge and for heat over their means, shape (2, number).

    Pairs at the energy ``2 T y`` and the distance ``2 Gamma t`` are a Poisson process of density
    1/(4 pi u) in the plane, and add ``2 u h(y) / (1 + t**2)`` each, with h = sech(y)**2 for charge
    and 12/pi**2 y**2 sech(y)**2 for heat. They are drawn for abs(t) < c (1 + abs(y)) exp(-abs(y)),
    an envelope of sqrt(h); the others enter by their mean.

    Parameters
    ----------
    u
        ``d delta T_el / T**2``, positive. Cost grows as 1/u for u < 0.2.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    cut = max(CUT, PAIRS * np.pi * u / 2)
    mean = 2 * cut / (np.pi * u)
    bonds = np.tile(_distant(cut)[:, np.newaxis], number)
    together = max(int(1e6 / mean), 1)
    for first in range(0, number, together):
        if cancelled():
            raise Cancelled("the draw of bonds was cancelled")
        drawn = rng.poisson(mean, min(together, number - first))
        bond = first + np.repeat(np.arange(drawn.size), drawn)
        y = rng.standard_exponential(bond.size)
        y += rng.standard_exponential(bond.size) * (rng.random(bond.size) < 0.5)
        t = cut * (1 + y) * np.exp(-y) * rng.random(bond.size)
        charge = 2 * u / (np.cosh(y) ** 2 * (1 + t**2))
        bonds[0] += np.bincount(bond, charge, number)
        bonds[1] += np.bincount(bond, 12 / np.pi**2 * y**2 * charge, number)
    return bonds


def _distant(cut: float) -> Array:
    """Return the mean of what the pairs beyond the cut add, for charge and for heat."""
    y = (np.arange(4000) + 0.5) / 100
    beyond = np.arctan2(1.0, cut * (1 + y) * np.exp(-y)) / np.cosh(y) ** 2
    return np.array([beyond.sum(), (12 / np.pi**2 * y**2 * beyond).sum()]) / (50 * np.pi)


def level_bonds(
    grains: int,
    start: Integers,
    end: Integers,
    T: float,
    Gamma: float,
    rng: Generator,
    cancelled: CancelToken = never,
) -> Array:
    """Return conductances for charge and for heat over their means, shape (2, bonds).

    Each grain has independent levels of density 1 (delta = 1) up to abs(xi) = 20 T. All pairs
    count. The bonds of a grain share its levels, which alone takes (1/3) delta/T from the
    conductance of a chain; the rest goes with u.

    Parameters
    ----------
    start, end
        The grains of each bond.
    T, Gamma
        Temperature and half width, in delta.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    number = rng.poisson(2 * HIGHEST * T, grains)
    first = np.append(0, np.cumsum(number))
    levels = rng.uniform(-HIGHEST * T, HIGHEST * T, first[-1])
    charge = 1 / (4 * T * np.cosh(levels / (2 * T)) ** 2)
    heat = 3 / np.pi**2 * (levels / T) ** 2 * charge
    bonds = np.empty((2, start.size))
    together = max(int(SEGMENT / (2 * HIGHEST * T) ** 2), 1)
    for some in range(0, start.size, together):
        if cancelled():
            raise Cancelled("the sum over levels was cancelled")
        part = slice(some, some + together)
        _sum_levels(first, levels, charge, heat, start[part], end[part], 2 * Gamma, bonds[:, part])
    return bonds


@njit(nogil=True, cache=True)
def _sum_levels(
    first: Integers,
    levels: Array,
    charge: Array,
    heat: Array,
    start: Integers,
    end: Integers,
    width: float,
    bonds: Array,
) -> None:
    """Write the sums over pairs; sums over m are elementwise, so that they are vectorized."""
    for bond in range(start.size):
        these = slice(first[end[bond]], first[end[bond] + 1])
        xi = levels[these]
        alone, with_charge, with_heat = np.zeros((3, xi.size))
        for one in range(first[start[bond]], first[start[bond] + 1]):
            for m in range(xi.size):
                distance = levels[one] - xi[m]
                lorentzian = width / (distance * distance + width * width)
                alone[m] += lorentzian
                with_charge[m] += charge[one] * lorentzian
                with_heat[m] += heat[one] * lorentzian
        charges = heats = 0.0
        for m in range(xi.size):
            charges += charge[these][m] * alone[m] + with_charge[m]
            heats += heat[these][m] * alone[m] + with_heat[m]
        bonds[0, bond] = charges / (2 * np.pi)
        bonds[1, bond] = heats / (2 * np.pi)
