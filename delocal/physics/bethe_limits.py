"""Closed forms beside the exact threshold of the Bethe lattice: bounds, and many neighbours.

Where the real self-energies are left out, the transfer operator is of rank one, and Anderson's
two estimates follow. At large K the law of e alone remains in it, but not of rank one: the
correction is local at both ends of the range of ln abs(G), and can be summed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import lambertw

from delocal.physics.powers import Array
from delocal.physics.quadrature import graded_panels, product_rule
from delocal.physics.site_disorder import BOX, SiteDisorder
from delocal.physics.solve import find_root


def upper_limit(K: ArrayLike, law: SiteDisorder = BOX) -> Array:
    """Return Anderson's upper limit of W_c: that of real self-energies left out.

    Localized where the moment ``K mean(abs(e)**(-2 s)) < 1`` for some s in (0, 1/2). For the box
    this is ``2 e K ln(W/2) = W``, with e = 2.718... It limits nothing where the density at e = 0 is
    zero: real self-energies fill a gap.

    References
    ----------
    Anderson, Phys. Rev. 109, 1492 (1958); Abou-Chacra, Anderson, Thouless (1973).

    Examples
    --------
    >>> W = float(upper_limit(2))
    >>> round(float(2 * np.e * 2 * np.log(W / 2) / W), 9)
    1.0
    """
    K = np.asarray(K, dtype=np.float64)
    unique, place = np.unique(K, return_inverse=True)
    limits = np.array([_upper_limit(float(k), law) for k in unique])
    return np.asarray(limits[place].reshape(K.shape))


@lru_cache(maxsize=4096)
def _upper_limit(K: float, law: SiteDisorder) -> float:
    """Return the least of (K mean(abs(x)**(-2 s)))**(1 / 2 s)."""

    def ln_W(s: float) -> float:
        return float(np.log(K * law.inverse_moment(s)) / (2 * s))

    best = minimize_scalar(
        ln_W, bounds=(1e-3, 0.5 - 1e-9), method="bounded", options={"xatol": 1e-9}
    )
    return float(np.exp(best.fun))


def best_estimate(K: ArrayLike, law: SiteDisorder = BOX) -> Array:
    """Return Anderson's best estimate of W_c, ``4 K p ln(Y W) = W``; for the box p = 1, Y = 1/2.

    To leading order at large K; 2 stands in place of the e of the upper limit. NaN where the
    equation has no root (the Cauchy law at K = 2), and where the law has no density at 0.

    Examples
    --------
    >>> W = float(best_estimate(2))
    >>> round(W, 3), round(float(4 * 2 * np.log(W / 2) / W), 9)
    (17.226, 1.0)
    """
    if not law.dense:
        return np.full(np.shape(K), np.nan)
    peak, Y, _ = logarithmic_moments(law)
    c = 4 * np.asarray(K, dtype=np.float64) * peak * Y
    with np.errstate(invalid="ignore"):
        v = np.where(c >= np.e, -c * lambertw(-1 / c, -1).real, np.nan)
    return np.asarray(v / Y)


def asymptotic_disorder(K: ArrayLike, law: SiteDisorder = BOX) -> Array:
    """Return W_c at large K, with all powers of 1/ln W: relative corrections are of order K/W**2.

    With ``L = ln(Y W)``::

        W = 2 K p (L + sqrt(L**2 + C))

    where p = W p(e = 0), and -gamma - ln Y and C are mean and variance of ln k, with the
    characteristic function as (signed) weight: C = pi**2/12, pi**2/8, pi**2/6 for box, Gaussian
    and Cauchy law. Derived here: between X = 1/G and y > 0, on the scale of their logarithms, the
    operator of `bethe` at s = 1/2 has the kernel p(X + y) + p(X - y). It is ``|r><l| + V`` with
    ``<l|r> = 4 p L / W``. V is local at X ~ y ~ W, ``<l|V|r> = (2 p / W)**2 C``, and from there
    one step leads to 1/y ~ W, where V is small: V**2 = 0 up to 1/W**2. So the eigenvalue 1/K
    solves ``1 = <l|r> K + <l|V|r> K**2``. NaN for laws that are not symmetric, for which V was not
    computed, or have no density at 0.

    Examples
    --------
    >>> W = float(asymptotic_disorder(100))
    >>> L = float(np.log(W / 2))
    >>> round(2 * 100 * (L + (L**2 + np.pi**2 / 12) ** 0.5) / W, 9)
    1.0
    """
    if not (law.symmetric and law.dense):
        return np.full(np.shape(K), np.nan)
    peak, Y, C = logarithmic_moments(law)
    K = np.asarray(K, dtype=np.float64)

    def excess(ln_W: Array, K: Array) -> Array:
        L = ln_W + np.log(Y)
        return np.asarray(np.log(2 * K * peak * (L + np.sqrt(L**2 + C))) - ln_W)

    root = find_root(excess, 0.0, np.log(K) + np.log(np.log(K) + 2) + 4, K)
    return np.asarray(np.exp(root.value))


@lru_cache(maxsize=64)
def logarithmic_moments(law: SiteDisorder = BOX) -> tuple[float, float, float]:
    """Return (p, Y, C) of `asymptotic_disorder`: density at 0, cutoff and variance of ln k.

    ``p int_delta^inf dX / X p(X)/p(0) = p ln(Y / delta)`` for small delta, in units of W.

    Examples
    --------
    >>> p, Y, C = logarithmic_moments(BOX)
    >>> round(p, 9), round(Y, 9), round(C / np.pi**2 * 12, 9)
    (1.0, 0.5, 1.0)
    """
    reach = law.reach * 2 if law.tapered else law.reach
    k, weights = product_rule(
        lambda x: law.transform(x, reach), graded_panels(reach, 20, 1.0), order=16
    )
    weights = weights.real  # of the law made symmetric
    total = float(weights.sum())
    mean = float((weights * np.log(k)).sum()) / total
    variance = float((weights * (np.log(k) - mean) ** 2).sum()) / total
    return total / np.pi, float(np.exp(-np.euler_gamma - mean)), variance
