"""The law of the linewidths Gamma: a heavy tail order by order, a Gaussian deep in the metal.

Basko, Aleiner and Altshuler (2006), Eqs. (20) and (27). In order n of the linearised equation
Gamma has the density ``exp(-g / Gamma) sqrt(g / (pi Gamma**3))`` with the typical width
``g = gamma_n``: Levy's stable law with the exponent 1/2, without a mean.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, erfc, erfcinv, log_ndtr

from delocal.physics.powers import Array, LogArray

MODE = 2 / 3
"""Of the most probable width over gamma_n."""
MEDIAN = float(1 / erfcinv(0.5) ** 2)
"""Of the median width over gamma_n, 4.396."""


def typical_width(n: ArrayLike, growth: ArrayLike, eta: ArrayLike, C1: ArrayLike = 1.0) -> LogArray:
    """Return gamma_n = C1 eta growth**(2 n), the scale of Gamma in order n, by its logarithm.

    Parameters
    ----------
    n
        Iterations of the linearised equation.
    growth
        Lambda of Eq. (27), which is T / T_c for the review's T_c; see `scba_transition`.
    eta
        Width due to a bath, which the widths grow from.
    C1
        Number of order 1, not given in the papers.

    Examples
    --------
    >>> float(typical_width(n=3, growth=0.7, eta=1.0).value.round(6))
    0.117649
    """
    n = np.asarray(n, dtype=np.float64)
    return LogArray.of(C1) * LogArray.of(eta) * LogArray.of(growth) ** (2 * n)


def log_density(Gamma: ArrayLike, gamma: LogArray) -> Array:
    """Return ln P(Gamma), Eq. (27), for Gamma > 0 and a typical width gamma."""
    ln_Gamma = LogArray.of(Gamma).ln
    with np.errstate(over="ignore"):
        near = np.exp(gamma.ln - ln_Gamma)
    return np.asarray((gamma.ln - np.log(np.pi) - 3 * ln_Gamma) / 2 - near)


def density(Gamma: ArrayLike, gamma: ArrayLike) -> Array:
    """Return P(Gamma) = exp(-g / Gamma) sqrt(g / (pi Gamma**3)) with g = gamma. Eq. (27).

    Largest at 2 g / 3; for large Gamma it is ``sqrt(g / pi) Gamma**(-3/2)``, which has the
    square root of eta where the slides print eta.

    Examples
    --------
    >>> Gamma = np.array([0.3, 0.5, 30.0])
    >>> bool(np.allclose(density(Gamma, 0.6), density(Gamma / 0.6, 1.0) / 0.6))  # it scales
    True
    """
    return LogArray(log_density(Gamma, LogArray.of(gamma))).value


def cumulative(Gamma: ArrayLike, gamma: ArrayLike) -> Array:
    """Return the probability of a smaller width, erfc(sqrt(g / Gamma)) with g = gamma."""
    return np.asarray(erfc(_root(Gamma, LogArray.of(gamma))))


def survival(Gamma: ArrayLike, gamma: ArrayLike) -> Array:
    """Return the probability of a larger width, erf(sqrt(g / Gamma)) with g = gamma."""
    return np.asarray(erf(_root(Gamma, LogArray.of(gamma))))


def log_cumulative(Gamma: ArrayLike, gamma: LogArray) -> Array:
    """Return the logarithm of `cumulative`, also where that underflows."""
    return np.asarray(np.log(2) + log_ndtr(-np.sqrt(2) * _root(Gamma, gamma)))


def log_survival(Gamma: ArrayLike, gamma: LogArray) -> Array:
    """Return the logarithm of `survival`, also where that underflows."""
    root = _root(Gamma, gamma)
    with np.errstate(divide="ignore"):
        linear = (gamma.ln - LogArray.of(Gamma).ln) / 2 + np.log(2 / np.sqrt(np.pi))
        return np.asarray(np.where(root < 1e-8, linear, np.log(erf(root))))


def _root(Gamma: ArrayLike, gamma: LogArray) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp((gamma.ln - LogArray.of(Gamma).ln) / 2))


def quantile(q: ArrayLike, gamma: ArrayLike) -> Array:
    """Return the width that a share q of the widths is smaller than, g / erfcinv(q)**2.

    Examples
    --------
    >>> float(cumulative(quantile(0.2, 3.0), 3.0).round(12)), round(float(quantile(0.5, 1.0)), 5)
    (0.2, 4.39622)
    """
    with np.errstate(divide="ignore"):
        return np.asarray(gamma / np.square(erfcinv(q)))


def laplace_transform(s: ArrayLike, gamma: ArrayLike) -> Array:
    """Return <exp(-s Gamma)> = exp(-2 sqrt(g s)) with g = gamma.

    The sum of k independent widths thus has the same law with ``k**2 gamma``: one level of many
    decides.
    """
    return np.asarray(np.exp(-2 * np.sqrt(gamma) * np.sqrt(s)))


def metallic_density(Gamma: ArrayLike, mean: ArrayLike, spread: ArrayLike) -> Array:
    """Return the Gaussian P(Gamma) of the metal at T >> T_in, Eq. (20).

    Parameters
    ----------
    Gamma, mean, spread
        Width, its mean and its standard deviation: `scba.mean_inelastic_width` and
        `scba.inelastic_width_spread`.

    Examples
    --------
    >>> float((metallic_density(1.0, 1.0, 0.1) * 0.1 * np.sqrt(2 * np.pi)).round(12))
    1.0
    """
    with np.errstate(over="ignore", under="ignore"):
        away = np.divide(np.subtract(Gamma, mean), spread)
        return np.asarray(np.divide(np.exp(-(away**2) / 2), spread) / np.sqrt(2 * np.pi))
