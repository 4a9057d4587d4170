"""The metal-insulator transition of the self-consistent Born approximation, and its T_c.

The insulator is unstable where an infinitesimal width grows from one order of the linearised
equation to the next: Basko, Aleiner and Altshuler (2006), Eqs. (24) to (28), and slides (2005),
"Transition temperature". `linewidths` has the law of the widths.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import lambertw

from delocal.physics.powers import Array
from delocal.physics.scba import Grains, Number

EIGENVALUE = 6.0
"""Three daughters, on two sides: the linear recursion at the exponent 1/2, over lam M T ln."""
ESTIMATES = {"best": 2.0, "upper-limit": float(np.e)}
"""Anderson's factors: with the real part of the self-energy, and with the imaginary part alone."""


def transition_coefficient(M: Number, estimate: Literal["best", "upper-limit"] = "best") -> Array:
    """Return C2 of Eq. (27) for the model of the slides: 12 M, or 6 e M as an upper limit.

    The slides print 12, which is 6 by the recursion and 2 by Anderson's best estimate.
    """
    return np.asarray(EIGENVALUE * ESTIMATES[estimate] * M)


def growth(p: Grains, T: Number, C2: Number) -> Array:
    """Return Lambda = C2 (lam T / delta) ln(1 / lam); typical widths grow by its square.

    More than 1 in the metal, less in the insulator. Review, Eq. (27).
    """
    return np.asarray(C2 * p.lam * T / p.delta * -np.log(p.lam))


def growth_slides(p: Grains, T: Number, c: Number = 1.0) -> Array:
    """Return Lambda = (12 lam M T / delta) ln(1 / lam) exp(-c delta abs(ln I) / T).

    The ratio of the two sides of the slides' equation of T_c: a width must also tunnel to the
    next grain, which takes the factor in I.
    """
    with np.errstate(over="ignore", under="ignore"):
        slow = np.exp(c * np.log(p.I) * p.delta / T)
        return np.asarray(growth(p, T, transition_coefficient(p.M)) * slow)


def critical_temperature(p: Grains, C2: Number) -> Array:
    """Return T_c = delta / (C2 lam ln(1 / lam)), where the growth is 1.

    C2 depends on the model: `transition_coefficient` has it for the slides' without the factor
    in I. Review, Eq. (28).

    Examples
    --------
    >>> p = Grains(lam=0.02, M=4)
    >>> float(growth(p, critical_temperature(p, 48.0), 48.0).round(12))
    1.0
    """
    return np.asarray(p.delta / (C2 * p.lam * -np.log(p.lam)))


def critical_temperature_slides(p: Grains, c: Number = 1.0) -> Array:
    """Return T_c of the slides, which takes tunnelling into account.

    ::

        12 lam M T_c / delta ln(1 / lam) = exp(c delta abs(ln I) / T_c)
        T_c = delta / A exp(W0(A B)),   A = 12 lam M ln(1 / lam),   B = c abs(ln I)

    with Lambert's function W0. For I -> 1 it is the review's Eq. (28) with C2 = 12 M.

    Parameters
    ----------
    p
        ``0 < lam < 1`` and ``0 < I <= 1``.
    c
        Number of order 1, not given in the papers.

    Examples
    --------
    >>> p = Grains(lam=0.02, M=4, I=0.1)
    >>> T_c = critical_temperature_slides(p)
    >>> float(T_c.round(6)), float(growth_slides(p, T_c).round(12))
    (1.392095, 1.0)
    """
    A = growth(p, p.delta, transition_coefficient(p.M))
    B = c * -np.log(p.I)
    return np.asarray(p.delta / A * np.exp(lambertw(A * B).real))
