"""sigma(T) and kappa(T) of the non-ergodic metal, from resonant to overlapping levels.

Basko, Aleiner and Altshuler (2005) give four numbers: the first correction at high and the power
law at low temperature, for sigma and for kappa. Here is the function that has all four.

Levels of neighbouring grains are independent. A bond conducts by pairs of levels whose distance
is less than the inelastic width Gamma: it is a sum of Lorentzians at random places,

    g = sum_lm 2 I**2 delta**2 (2 Gamma) / ((xi_l - xi_m)**2 + 4 Gamma**2) (-f'(xi))

for sigma, and with the weight ``3/pi**2 (xi/T)**2`` for kappa. With s in units of the inverse
mean of g, and ``u = delta T_el / T**2``, its law is ``<exp(-s g)> = exp(-F(u s) / u)`` where

    F(y) = y/2 int dx h(x) E(2 y h(x)),   E(b) = exp(-b/2) [I0(b/2) + I1(b/2)]

and h = sech(x)**2 for sigma, (12/pi**2) x**2 sech(x)**2 for kappa; x = xi / 2T. Conductance is
the harmonic mean of g in a chain, and that of the effective medium in d > 1.

F is a function of one variable, so it is tabulated once. What is left for a cell is one integral
over y; in ln y it is analytic in a strip, where the trapezoidal rule converges exponentially.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import i0e, i1e

from delocal.physics.crossover_limits import Quantity, pade_excess
from delocal.physics.powers import Array
from delocal.physics.solve import find_root

Method = Literal["quadrature", "pade"]

STEP = 0.25
"""Of the nodes in ln y; the error is exp(-pi**2 / STEP), measured below 1e-13."""
FIRST, LAST = -192, 304
"""Nodes for all u within `RANGE`."""
RANGE = (1e-14, 1e14)
"""Of d u; beyond, x has reached its limit to 13 digits."""
STEP_X = 0.125
"""Of the nodes in w, where x = ln(1 + exp(w)) resolves both x -> 0 and x ~ ln(y) / 2."""
SERIES = 18
"""Terms of 1 - E(b) for b < 1."""


def bond_exponent(quantity: Quantity, y: ArrayLike) -> tuple[Array, Array]:
    """Return F(y) and y - F(y), where ``<exp(-s g)> = exp(-F(u s) / u)`` for a bond g.

    Two numbers, as for small y they nearly agree: ``y - F = HOT y**2 / 2``. For large y,
    ``F = sqrt(y) int dx sqrt(h) / sqrt(2 pi)``: the law of a sum without a mean.

    Parameters
    ----------
    quantity
        ``sigma`` or ``kappa``.
    y
        u s, up to 1e33.

    Examples
    --------
    >>> F, rest = bond_exponent("sigma", [1e-6, 1e20])
    >>> float((rest[0] / 1e-12).round(6)), float((F[1] / 1e10 * np.sqrt(2 / np.pi)).round(6))
    (0.333333, 1.0)
    """
    w = np.arange(-320, 641) * STEP_X
    x = np.logaddexp(0.0, w)
    sech2 = (2 * np.exp(-x) / (1 + np.exp(-2 * x))) ** 2
    h = sech2 if quantity == "sigma" else 12 / np.pi**2 * x**2 * sech2
    weight = STEP_X * h / (1 + np.exp(-w))
    y = np.asarray(y, dtype=np.float64)
    F, rest = np.empty(y.shape), np.empty(y.shape)
    for place in np.ndindex(y.shape):
        E, one_minus_E = _lorentzian_average(2 * y[place] * h)
        F[place], rest[place] = y[place] * np.array([weight * E, weight * one_minus_E]).sum(axis=1)
    return F, rest


def _lorentzian_average(b: Array) -> tuple[Array, Array]:
    """Return E(b) and 1 - E(b): E is 1F1(1/2; 2; -b)."""
    small, term = np.minimum(b, 1.0), np.zeros(b.shape)
    for k in range(SERIES, 0, -1):
        term = -small * (k - 0.5) / (k * (k + 1)) * (1 + term)
    E = i0e(b / 2) + i1e(b / 2)
    return E, np.where(b < 1, -term, 1 - E)


class _Table(NamedTuple):
    """y at equal steps of its logarithm, F(y) and y - F(y)."""

    y: Array
    F: Array
    rest: Array


@cache
def _table(quantity: Quantity) -> _Table:
    y = np.exp(STEP * np.arange(FIRST, LAST + 1))
    return _Table(y, *bond_exponent(quantity, y))


@njit(nogil=True, cache=True)
def _integrate(b: Array, K: Array, y: Array, F: Array, rest: Array) -> Any:
    """Return int ds exp(-K s) [exp(-F(b s)/b) - exp(-s)] / b, cell by cell; all terms positive."""
    found = np.empty(b.size)
    for cell in range(b.size):
        ln_b = math.log(b[cell])
        # To the left nothing is left: terms fall as y**3 below b, as y between b and b**2.
        start = max(int(max(ln_b - 13, 2 * ln_b - 32) / STEP) - FIRST, 0)
        total = 0.0
        for j in range(start, y.size):
            load = (F[j] + K[cell] * y[j]) / b[cell]
            if load > 46:
                break
            total -= y[j] * math.exp(-load) * math.expm1(-rest[j] / b[cell])
        found[cell] = STEP * total / b[cell] ** 2
    return found


def _chain_excess(quantity: Quantity, b: Array, K: ArrayLike = 0.0) -> Array:
    b, K = np.broadcast_arrays(b, np.asarray(K, dtype=np.float64))
    return np.asarray(_integrate(b.ravel(), K.ravel(), *_table(quantity)).reshape(b.shape))


def excess(
    quantity: Quantity, u: ArrayLike, d: ArrayLike = 1, method: Method = "quadrature"
) -> Array:
    """Return x(u), the excess resistance over u: sigma_inf / sigma = 1 + u x.

    For bonds in series (d = 1) and in the effective medium (d > 1)::

        x = int ds [exp(-F(u s) / u) - exp(-s)] / u
        G int ds exp(-(d - 1) G s - F(d u s) / (d u)) = 1/d,   G = 1 / (1 + u x)

    The bonds of a d-dimensional lattice have the parameter d u, since T_el has a factor 1/d. x
    goes smoothly from `hot_coefficient` at u = 0 to 1 / `cold_coefficient` at infinity.

    Parameters
    ----------
    quantity
        ``sigma`` or ``kappa``.
    u
        ``delta T_el / T**2``, not negative.
    d
        Dimension: a whole number from 1 for the quadrature; 1, 2 or 3 for the Pade form.
    method
        ``quadrature``, to a relative error of 1e-13 (1e-12 for d > 1), or ``pade``.

    Returns
    -------
    Array, shape = broadcast of u and d
        NaN where a root was not found.

    References
    ----------
    Not in the papers: it follows from their Eqs. (18), (19) with ``Gamma = pi lam**2 M T``, and
    has the coefficients of the slides as its limits.

    Examples
    --------
    >>> excess("sigma", [0.0, 1e30]).round(12).tolist()  # 2/3 and 4/pi
    [0.666666666667, 1.273239544735]
    """
    if method == "pade":
        return pade_excess(quantity, u, d)
    u, d = np.broadcast_arrays(np.asarray(u, dtype=np.float64), np.asarray(d, dtype=np.float64))
    b = np.clip(d * np.minimum(u, RANGE[1]), *RANGE)
    x = _chain_excess(quantity, b)
    lattice = d > 1
    if lattice.any():
        x = np.array(x)
        x[lattice] = _medium_excess(quantity, b[lattice], d[lattice], x[lattice])
    return x


def _medium_excess(quantity: Quantity, b: Array, d: Array, in_series: Array) -> Array:
    """Return x of the effective medium between the excess in series and that in parallel."""

    def balance(x: Array, b: Array, d: Array) -> Array:
        K = (d - 1) / (1 + b / d * x)
        return x - d**2 * _chain_excess(quantity, b, K) * (1 + K)

    return find_root(balance, in_series / 4, in_series * d, b, d).value


def conductivity_ratio(
    quantity: Quantity, u: ArrayLike, d: ArrayLike = 1, method: Method = "quadrature"
) -> Array:
    """Return sigma / sigma_inf or kappa / kappa_inf at ``u = delta T_el / T**2``.

    ``1 / (1 + u x(u))`` with x from `excess`: 1 - (2/3) u at high, (pi/4) / u at low temperature.

    Examples
    --------
    >>> conductivity_ratio("sigma", [0.1, 1.0, 10.0]).round(8).tolist()
    [0.93267957, 0.49362046, 0.07471396]
    """
    return ratio_of_excess(u, excess(quantity, u, d, method))


def ratio_of_excess(u: ArrayLike, x: Array) -> Array:
    """Return 1 / (1 + u x), 0 where u is too large for float64."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.multiply(u, x)))


def lorenz_ratio(u: ArrayLike, d: ArrayLike = 1, method: Method = "quadrature") -> Array:
    """Return L / L0, the Lorenz number kappa / (sigma T) over pi**2 / (3 e**2).

    It grows monotonically from 1 + 0.298375 u at small u to 192 G**2/pi**4 = 1.653713: heat
    prefers levels on both sides of the Fermi energy, of which more pairs resonate.

    References
    ----------
    Basko, Aleiner, Altshuler (2005), slide "Lorentz number", for both limits.

    Examples
    --------
    >>> lorenz_ratio([0.0, 1.0, 1e300]).round(6).tolist()
    [1.0, 1.328889, 1.653713]
    """
    sigma, kappa = excess("sigma", u, d, method), excess("kappa", u, d, method)
    return lorenz_of_excesses(u, sigma, kappa)


def lorenz_of_excesses(u: ArrayLike, sigma: Array, kappa: Array) -> Array:
    """Return (1 + u x_sigma) / (1 + u x_kappa) for any u."""
    u = np.minimum(u, 1e300)
    one, weight = 1 / (1 + u), u / (1 + u)
    return np.asarray((one + weight * sigma) / (one + weight * kappa))
