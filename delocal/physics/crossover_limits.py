"""The crossover of sigma(T) and kappa(T) in closed form: its limits, and a Pade form between.

Basko, Aleiner and Altshuler (2005), slides "Non-ergodic metal" and "Lorentz number". With
``u = delta T_el / T**2`` the resistance is ``sigma_inf / sigma = 1 + u x(u)``, where the excess
x is a smooth function between two numbers; the same holds for kappa. `crossover` computes x by
quadrature. In d > 1 the numbers for small u are exact, those for large u are of the effective
medium.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erfcx

from delocal.physics.powers import Array
from delocal.physics.solve import find_root

Quantity = Literal["sigma", "kappa"]

CATALAN = 0.915965594177219015
HOT: dict[Quantity, float] = {"sigma": 2 / 3, "kappa": 14 / 5 - 24 / np.pi**2}
"""Coefficient of u at u << 1: sigma / sigma_inf = 1 - (2/3) u, kappa likewise."""
COLD: dict[Quantity, float] = {"sigma": np.pi / 4, "kappa": 48 * CATALAN**2 / np.pi**3}
"""Coefficient of 1/u at u >> 1 in d = 1: sigma / sigma_inf = (pi/4) / u, kappa likewise."""
COUPLING = 2 / 3 - 4 / np.pi**2
"""What a thermopower of random sign would add to both coefficients `HOT`."""
PADE: dict[tuple[Quantity, int], tuple[float, float, float]] = {
    ("sigma", 1): (3.74085, 4.99111, 7.95107),
    ("sigma", 2): (3.81526, 3.23738, 6.10347),
    ("sigma", 3): (1.07316, 0.0421736, 0.996017),
    ("kappa", 1): (4.27929, 3.11775, 4.76017),
    ("kappa", 2): (0.575011, 0.0284309, 0.346474),
    ("kappa", 3): (0.560748, 0.0451888, 0.329037),
}
"""a, b, c of `pade_excess`, fitted here to the quadrature so that the largest error is least."""
LARGEST = 1e100
"""Beyond, u is as good as infinite for x."""


def effective_medium_constant(d: ArrayLike) -> Array:
    """Return G_eff / gamma, the conductance of a lattice of very broad bonds.

    At low temperature a bond is a sum of rare resonances, whose law has the Laplace transform
    ``exp(-2 sqrt(gamma s))`` and no mean. The effective medium of such bonds on a hypercubic
    lattice of 2d neighbours has::

        sqrt(pi) q erfcx(q) = 1/d,   q = (gamma / ((d - 1) G_eff))**(1/2)

    Bonds in series, d = 1, have 2 exactly. The slides take 2d for all d; a Kirchhoff network of
    300**2 nodes has 5.42(2).

    Parameters
    ----------
    d
        Dimension, at least 1.

    References
    ----------
    Kirkpatrick, Rev. Mod. Phys. 45, 574 (1973) for the effective medium; the equation for q
    follows from ``int ds exp(-A s - B sqrt(s))``.

    Examples
    --------
    >>> effective_medium_constant([1, 2, 3]).round(3).tolist()
    [2.0, 5.34, 8.515]
    """
    d = np.asarray(d, dtype=np.float64)
    wide = np.maximum(d, 1.5)
    found = find_root(_broad_medium, np.log(1e-3 / wide), np.log(10.0), wide)
    return np.where(d > 1, np.exp(-2 * found.value) / (wide - 1), 2.0)


def _broad_medium(ln_q: Array, d: Array) -> Array:
    q = np.exp(ln_q)
    return np.asarray(np.sqrt(np.pi) * q * erfcx(q) - 1 / d)


def hot_coefficient(quantity: Quantity, *, coupled: bool = False) -> float:
    """Return the coefficient of -u at u << 1: 2/3 for sigma, 14/5 - 24/pi**2 for kappa.

    The variance of a bond over its mean squared, per d bonds; exact in every d. The slides let
    charge and heat flow apart. If they are `coupled` by the thermopower of each bond, whose sign
    is random, the variance of the mixed element adds ``2/3 - 4/pi**2`` to both.

    Examples
    --------
    >>> round(hot_coefficient("sigma") - hot_coefficient("kappa"), 6)  # L/L0 - 1 over u
    0.298375
    """
    return HOT[quantity] + (COUPLING if coupled else 0.0)


def cold_coefficient(quantity: Quantity, d: ArrayLike = 1) -> Array:
    """Return the coefficient of 1/u at u >> 1: pi/4 for sigma, 48 G**2/pi**3 for kappa.

    G is Catalan's number. The slides give these for every d. They are exact for bonds in series,
    d = 1; the effective medium multiplies both by `effective_medium_constant` over 2d.

    Examples
    --------
    >>> float((cold_coefficient("kappa") / cold_coefficient("sigma")).round(6))  # 192 G**2/pi**4
    1.653713
    """
    d = np.asarray(d, dtype=np.float64)
    return np.asarray(COLD[quantity] * effective_medium_constant(d) / (2 * d))


def pade_excess(quantity: Quantity, u: ArrayLike, d: ArrayLike = 1) -> Array:
    """Return the excess resistance x(u) by a rational function that has both limits built in.

    ::

        x = (h + (c - b) u + (b / l) u**2) / (1 + a u + b u**2)

    with h, l the coefficients of the two limits; then ``sigma / sigma_inf = 1 / (1 + u x)``.
    Largest relative error of the ratio: sigma 1.1e-4, 4.5e-5, 5.5e-5 in d = 1, 2, 3; kappa
    6.2e-4, 9.5e-5, 1.3e-4.

    Parameters
    ----------
    quantity
        ``sigma`` or ``kappa``.
    u
        ``delta T_el / T**2``, not negative.
    d
        Dimension 1, 2 or 3; NaN for others. For d = 1 bonds are in series, otherwise it is the
        effective medium.

    Examples
    --------
    >>> pade_excess("sigma", [0.0, 1e30]).round(12).tolist()  # 2/3 and 4/pi
    [0.666666666667, 1.273239544735]
    """
    u = np.minimum(np.asarray(u, dtype=np.float64), LARGEST)
    u, d = np.broadcast_arrays(u, np.asarray(d, dtype=np.float64))
    x = np.full(u.shape, np.nan)
    for dimension in (1, 2, 3):
        a, b, c = PADE[quantity, dimension]
        h, cold = HOT[quantity], float(cold_coefficient(quantity, dimension))
        fitted = (h + (c - b) * u + b / cold * u**2) / (1 + a * u + b * u**2)
        x = np.where(d == dimension, fitted, x)
    return x
