"""The saddle point of the nearly localized metal, Gopalakrishnan and Nandkishore (2014), App. C, D.

In the sum of Eq. (19) the terms grow up to m = N_c, where Gamma n_fast K**m = 1, and fall beyond.
Kept alone, the N_c terms at N_c give an equation for Gamma, and to leading logarithms a power of
the coupling. Energies are in units of delta_m; eps > 0 throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import wrightomega

from delocal.physics.coupled_dots import CoupledDots
from delocal.physics.powers import Array, LogArray
from delocal.physics.solve import find_root


def saddle_point_order(dots: CoupledDots, Gamma: ArrayLike) -> Array:
    """Return N_c, the number of rearranged levels that dominates the decay, Eq. (C2) = (D4).

    ::

        N_c ln K = -ln gamma + d W0[(gamma / (Gamma s N))**(1/d) / d]

    The exact solution of Gamma K**N_c s N ln**d(gamma K**N_c) = 1, Eq. (D3).

    Examples
    --------
    >>> dots = CoupledDots.of(eps=0.5, gamma=0.1)
    >>> t = dots.K ** saddle_point_order(dots, 1e-4)
    >>> float((1e-4 * t * dots.sN * np.log(dots.gamma * t)).round(12))
    1.0
    """
    with np.errstate(divide="ignore"):
        ln = (dots.ln_gamma - np.log(Gamma) - np.log(dots.sN)) / dots.d - np.log(dots.d)
    return np.asarray((dots.d * wrightomega(ln) - dots.ln_gamma) / dots.lnK)


def leading_order(dots: CoupledDots, Gamma: ArrayLike) -> Array:
    """Return N_c for small Gamma, ``-ln(Gamma s N d**d) / ln K``, Eq. (C3).

    It drops ln ln: n_fast at N_c then is ``n_c = s N d**d``, which holds to leading log only.
    """
    return np.asarray(-np.log(np.asarray(Gamma) * dots.n_c) / dots.lnK)


def saddle_point_linewidth(dots: CoupledDots, *, as_printed: bool = False) -> LogArray:
    """Return Gamma from the terms at the saddle point alone.

    ::

        Gamma = (1/2) gamma**2 N_c K**N_c exp(-2 N_c / Xi)

    with N_c of Eq. (C2). At N_c the denominator of Eq. (19) is 1 + 1 = 2; the printed equation
    leaves it out, and is about twice the sum.

    Parameters
    ----------
    dots
        The dots; N enters by s N only, for N_c may exceed 2N here.
    as_printed
        Leave out the factor 1/2.

    Returns
    -------
    LogArray
        Gamma over delta_m; NaN for eps <= 0.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (C4), solved with Eq. (C2). The unknown is
    y = ln(gamma K**N_c), of which both sides are elementary and one decreases.

    Examples
    --------
    >>> dots = CoupledDots.of(eps=0.45, gamma=0.1)
    >>> Gamma = saddle_point_linewidth(dots)
    >>> N_c = saddle_point_order(dots, Gamma.value)
    >>> right = 0.5 * dots.gamma**2 * N_c * dots.K**N_c * np.exp(-2 * N_c / dots.Xi)
    >>> float((right / Gamma.value).round(12))
    1.0
    """
    ln_half = 0.0 if as_printed else -np.log(2.0)
    given = (dots.eps, dots.ln_gamma, dots.lnK, dots.sN, dots.d)

    def mismatch(ln: Array, eps: Array, ln_gamma: Array, lnK: Array, sN: Array, d: Array) -> Array:
        y = np.exp(ln) + np.maximum(ln_gamma, 0.0)  # N_c > 0
        N_c = (y - ln_gamma) / lnK
        left = ln_gamma - y - np.log(sN) - d * np.log(y)
        right = ln_half + 2 * ln_gamma + np.log(N_c) + (2 * eps - 1) * (y - ln_gamma)
        return np.asarray(right - left)

    eps = np.where(dots.eps > 0, dots.eps, np.nan)
    root = find_root(mismatch, -700.0, 700.0, eps, *given[1:])
    y = np.exp(root.value) + np.maximum(dots.ln_gamma, 0.0)
    with np.errstate(divide="ignore"):
        return LogArray(np.asarray(dots.ln_gamma - y - np.log(dots.sN) - dots.d * np.log(y)))


def leading_log_linewidth(dots: CoupledDots) -> LogArray:
    """Return Gamma of the saddle point to leading logarithms; in closed form.

    ::

        Gamma = (gamma n_c**(1/2))**(1/eps) / n_c,   n_c = s N d**d

    NaN for eps <= 0. Good within tens of per cent where `dot_windows.saddle_point_holds`, and
    useless below, where the terms around N_c matter as well.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (C5).

    Examples
    --------
    >>> float(leading_log_linewidth(CoupledDots.of(eps=0.5, gamma=0.1)).value.round(12))
    0.01
    """
    eps = np.where(dots.eps > 0, dots.eps, np.nan)
    ln_n = np.log(dots.n_c)
    with np.errstate(over="ignore"):
        return LogArray(np.asarray((dots.ln_gamma + ln_n / 2) / eps - ln_n))


def single_dot_linewidth(dots: CoupledDots) -> LogArray:
    """Return ``gamma**(1/eps)``, the law of a single dot, Eq. (21); NaN for eps <= 0.

    Equation (C5) without the factors of n_c.

    Examples
    --------
    >>> float(single_dot_linewidth(CoupledDots.of(eps=0.5, gamma=0.1)).value.round(12))
    0.01
    """
    with np.errstate(over="ignore"):
        return LogArray(np.asarray(dots.ln_gamma / np.where(dots.eps > 0, dots.eps, np.nan)))
