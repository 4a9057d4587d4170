"""Localization on the Bethe lattice: Abou-Chacra, Anderson and Thouless (1973), to all digits.

A site with K children has G = 1/(E - e - sum_j G_j), with hopping 1. Localized states have real G
of a stationary law q(G), and an infinitesimal imaginary part u of G obeys u = G**2 sum_j u_j. If
its law has the tail a(G) u**(-1-s), the sum is one of its terms, and a step takes a(G) into::

    (L_s a)(G) = K abs(G)**(2 s - 2) int dy r(1/G + y) a(y)

with r the law of E - e - G_2 - ... - G_K. The largest eigenvalue K lambda(s) is K at s = 0, where
L_s conserves probability, and lambda(s) = lambda(1 - s). So s = 1/2 is its minimum, and states
become extended where K lambda(1/2) = 1.

The densities have edges, and tails 1/G**2. Their Fourier transforms on k > 0 are smooth, and there
the inversion X -> 1/X is a Hankel transform: with g(k) = mean of exp(i k G) and D(k) =
exp(-i E k) mean(exp(i k e)),

    g(k) = 1 - int_0^inf dk' sqrt(k/k') J_1(2 sqrt(k k')) D(k') g(k')**K

and L_s likewise with the Bessel functions of order 1 - 2 s. Both are discretised by `product_rule`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs
from scipy.special import j1, jv, k0, kv, y0, yv

from delocal.physics.bethe_limits import asymptotic_disorder, upper_limit
from delocal.physics.model import Status
from delocal.physics.powers import Array
from delocal.physics.quadrature import graded_panels, product_rule
from delocal.physics.site_disorder import BOX, SiteDisorder
from delocal.physics.solve import find_root

Complex = NDArray[np.complex128]
STEPS = 2000  # at most, of an iteration; about ten are needed near the transition
POWERS = 300  # at most, before eigenvalues that are close are told apart otherwise
TIGHT = 1e-14
MOST_HALVINGS = 4
LEAST_LN_W = -3.0  # below it no matrix is small enough
STRIDE = 0.3  # in ln W, between two looks at whether states are localized
GOOD, FAIR = 1e-5, 1e-3  # relative errors of a table: good enough, and too large to be given
REACHES = (1.0, 2.0, 4.0, 8.0)  # over that of a table: further out until it is good enough


@dataclass(frozen=True)
class Resolution:
    """How finely k is resolved: nodes on a panel, panels, and how far out a box is followed."""

    order: int = 12
    stride: float = 2.0
    reach: float = 1.0


NORMAL, FINE = Resolution(), Resolution(order=14, stride=1.5, reach=1.5)


@dataclass(frozen=True)
class CriticalDisorder:
    """The critical disorder, the change of it with a finer resolution, and what became of it."""

    W_c: float
    error: float
    status: Status


NOT_FOUND = CriticalDisorder(np.nan, np.nan, Status.NOT_CONVERGED)


def eigenvalue(
    K: int,
    W: float,
    *,
    E: float = 0.0,
    exponent: float = 0.5,
    law: SiteDisorder = BOX,
    resolution: Resolution = NORMAL,
) -> float:
    """Return K lambda(s), by which the tail u**(-1-s) of the imaginary parts grows in a step.

    States of energy E are localized where it is below 1 at s = 1/2; see the module.

    Parameters
    ----------
    K
        Number of children, one less than of neighbours; 2 or more.
    W
        Disorder over hopping, in the units of `law`.
    E
        Energy over hopping; the clean band is ``abs(E) < 2 sqrt(K)``.
    exponent
        s, in (0, 1). Towards its ends ever smaller k count, and the matrices grow.

    Returns
    -------
    float
        NaN if an iteration does not settle, or at a weak disorder (below 0.9 for the box) that
        would take very large matrices.

    References
    ----------
    Abou-Chacra, Anderson, Thouless, J. Phys. C 6, 1734 (1973).

    Examples
    --------
    >>> growth = [eigenvalue(2, 18.0, exponent=s) for s in (0.3, 0.5, 0.7)]
    >>> round(growth[0] / growth[2], 9), growth[0] > growth[1] > 1
    (1.0, True)
    """
    mu = 1 - 2 * exponent
    if _halvings(law, W) > MOST_HALVINGS:
        return np.nan
    x, weights = _rule(law, resolution, _depth(mu), _halvings(law, W))
    k, D = x / W, weights / W * np.exp(-1j * E * x / W)
    g = _stationary(k, D, K)
    difference, total = _inversion_kernels(k, mu)
    D = D * g ** (K - 1)
    a = np.ones_like(D)
    before = 0.0
    for _ in range(POWERS):
        a = _product(total, D * a) + _product(difference, np.conj(D * a))
        norm = float(np.sqrt((a.real**2 + a.imag**2).sum()))
        if abs(norm - before) <= TIGHT * norm:
            return K * norm
        if not norm > 0:
            return np.nan
        a, before = a / norm, norm
    return K * _largest(total, difference, D, a)


def stationary_transform(
    K: int,
    W: float,
    *,
    E: float = 0.0,
    law: SiteDisorder = BOX,
    resolution: Resolution = NORMAL,
) -> tuple[Array, Complex]:
    """Return k and g(k) = mean of exp(i k G), for real G of the stationary law, at k > 0.

    Arguments as in `eigenvalue`; ever more k are needed the weaker the disorder.

    Examples
    --------
    >>> from delocal.physics.site_disorder import CAUCHY
    >>> k, g = stationary_transform(2, 4.0, law=CAUCHY)  # G of a Cauchy law is of one again
    >>> width = 1 / (2 + np.sqrt(6))  # width = 1 / (W + K width)
    >>> bool(abs(g - np.exp(-k * width)).max() < 1e-12)
    True
    """
    x, weights = _rule(law, resolution, _depth(0.0), _halvings(law, W))
    k = x / W
    return k, _stationary(k, weights / W * np.exp(-1j * E * k), K)


@lru_cache(maxsize=4096)
def critical_disorder(K: int, E: float = 0.0, law: SiteDisorder = BOX) -> CriticalDisorder:
    """Return W_c, where K lambda(1/2) = 1: states of energy E are localized above it.

    Parameters
    ----------
    K, E, law
        As in `eigenvalue`, ``abs(E) < K + 1``. There states are extended at weak disorder, also
        beyond the clean band (Aizenman and Warzel 2011), as K lambda(1/2) = K abs(G) > 1 says at
        W = 0. Further out they may extend between two values of W, and none is given.

    Examples
    --------
    >>> found = critical_disorder(2)
    >>> round(found.W_c, 5), found.error < 1e-5
    (18.16807, True)
    """
    if not abs(E) < K + 1:
        return CriticalDisorder(np.nan, np.nan, Status.OUTSIDE_DOMAIN)

    def above(ln_W: Array, resolution: Resolution = NORMAL) -> Array:
        found = [
            np.log(eigenvalue(K, float(np.exp(w)), E=E, law=law, resolution=resolution))
            for w in np.ravel(ln_W)
        ]
        return np.reshape(found, np.shape(ln_W))

    low, high = _bracket(above, K, law)

    def found(resolution: Resolution, finer: Resolution) -> CriticalDisorder:
        root = find_root(partial(above, resolution=resolution), low, high, tolerance=1e-13)
        if not root.done:
            return NOT_FOUND
        W_c, step = float(np.exp(root.value)), 1e-3
        slope = (above(root.value + step) - above(root.value - step)) / (2 * step)
        error = W_c * abs(float(above(root.value, finer) / slope))
        return CriticalDisorder(W_c, error, Status.DONE)

    if law.largest is None:
        return found(NORMAL, FINE)
    return _good_enough(found)


def _good_enough(found: Callable[[Resolution, Resolution], CriticalDisorder]) -> CriticalDisorder:
    """Follow the edges of a table further out, until its threshold no longer changes by that."""
    best = NOT_FOUND
    for reach in REACHES:
        here = found(replace(NORMAL, reach=reach), replace(FINE, reach=2 * reach))
        if not here.error < np.inf:  # too large a matrix
            break
        best = here
        if best.error < GOOD * best.W_c:
            break
    return best if best.error < FAIR * best.W_c else NOT_FOUND


def _bracket(above: Callable[[Array], Array], K: int, law: SiteDisorder) -> tuple[float, float]:
    """Return values of ln W with W_c between them, the largest there is.

    It is near the closed form for many neighbours. Where that may not hold, it is looked for
    downwards from the upper limit of a box with the largest density of the law, which is above it.
    """
    if law.largest is None:
        guess = float(np.log(asymptotic_disorder(K, law)))
        return guess - 0.7, guess + 0.5
    high = float(np.log(law.largest * upper_limit(K)))
    while high > LEAST_LN_W and above(np.array(high - STRIDE)) < 0:
        high -= STRIDE
    return high - STRIDE, high


def critical_disorders(
    K: ArrayLike, E: ArrayLike = 0.0, law: SiteDisorder = BOX
) -> tuple[Array, Array, NDArray[np.int8]]:
    """Return W_c, its error and its status on arrays of K and E, each pair computed once."""
    pairs = np.stack([part.ravel() for part in np.broadcast_arrays(K, E)], axis=-1)
    unique, place = np.unique(pairs.astype(np.float64), axis=0, return_inverse=True)
    found = [critical_disorder(int(k), float(e), law) for k, e in unique]
    shape = np.broadcast_shapes(np.shape(K), np.shape(E))

    values = np.array([(f.W_c, f.error) for f in found]).reshape(-1, 2)[np.ravel(place)]
    status = np.array([f.status for f in found], dtype=np.int8)[np.ravel(place)]
    return values[:, 0].reshape(shape), values[:, 1].reshape(shape), status.reshape(shape)


def _largest(total: Array, difference: Array, D: Complex, a: Complex) -> float:
    """Return the largest eigenvalue where another is close, as for laws with a gap; else NaN.

    The map is linear over real numbers only, so real and imaginary parts are two vectors.
    """
    size = D.size

    def apply(parts: Array) -> Array:
        moved = D * (parts[:size] + 1j * parts[size:])
        after = _product(total, moved) + _product(difference, np.conj(moved))
        return np.concatenate([after.real, after.imag])

    operator = LinearOperator((2 * size, 2 * size), matvec=apply, dtype=np.float64)
    try:
        found = eigs(
            operator, k=2, v0=np.concatenate([a.real, a.imag]), tol=1e-12, return_eigenvectors=False
        )
    except ArpackNoConvergence:
        return np.nan
    return float(np.abs(found).max())


def _depth(mu: float) -> int:
    """Return how many panels below 1 leave out 1e-9 of the integral of k**-abs(mu)."""
    return int(np.ceil(15 / (1 - abs(mu))))


def _halvings(law: SiteDisorder, W: float) -> int:
    """Return how often panels are halved so that J(2 sqrt(x x') / W) turns about once on each."""
    return max(0, int(np.ceil(np.log2(np.sqrt(law.reach) / W))))


@lru_cache(maxsize=64)
def _rule(
    law: SiteDisorder, resolution: Resolution, depth: int, halvings: int
) -> tuple[Array, Array]:
    """Return nodes and weights for the characteristic function of e / W."""
    reach = law.reach * (resolution.reach if law.tapered else 1.0)
    ends = graded_panels(reach, depth, resolution.stride / 2**halvings)
    return product_rule(lambda x: law.transform(x, reach), ends, resolution.order)


def _stationary(k: Array, D: Complex, K: int) -> Complex:
    """Return g(k) by iteration; NaN if it does not settle. No mean of a phase exceeds 1."""
    root = np.sqrt(k)
    kernel = root[:, None] / root * j1(2 * root[:, None] * root)
    g = np.exp(-k).astype(np.complex128)
    for _ in range(STEPS):
        after = 1 - _product(kernel, D * g**K)
        after /= np.maximum(np.abs(after), 1.0)
        change, g = np.abs(after - g).max(), after
        if change <= TIGHT:
            return g
    return np.full_like(g, np.nan)


def _inversion_kernels(k: Array, mu: float) -> tuple[Array, Array]:
    """Return the integrals of X**(mu - 1) cos(k/X -+ k' X) / pi over X > 0.

    Gradshteyn and Ryzhik, 3.871.4 and 3.871.2.
    """
    root = np.sqrt(k)
    z = 2 * root[:, None] * root
    if mu == 0:
        return 2 / np.pi * k0(z), -y0(z)
    scale = (root[:, None] / root) ** mu
    cos, sin = np.cos(np.pi * mu / 2), np.sin(np.pi * mu / 2)
    difference = 2 / np.pi * scale * kv(mu, z) * cos
    return difference, -scale * (jv(mu, z) * sin + yv(mu, z) * cos)


@njit(nogil=True, cache=True)
def _product(matrix: Array, vector: Complex) -> Complex:
    """Return ``matrix @ vector`` in one order of summation, whatever the processor."""
    rows, columns = matrix.shape
    result = np.empty(rows, np.complex128)
    for i in range(rows):
        total = 0j
        for j in range(columns):
            total += matrix[i, j] * vector[j]
        result[i] = total
    return result
