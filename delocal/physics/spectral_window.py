"""Some levels in the middle of the spectrum of a large sparse matrix, by a polynomial filter.

A polynomial of H that has its maximum at an energy turns the levels next to it into the largest
ones of P(H), and those Lanczos finds: Sierant, Lewenstein, Zakrzewski, Phys. Rev. Lett. 125,
156601 (2020). H is only ever multiplied with vectors, so that memory is that of its elements and
of some vectors, where shift and invert needs a factorization, which fills the whole matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.chebyshev import chebval
from numpy.random import Generator
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import LinearOperator, eigsh

from delocal.physics.levels import one_thread
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array

MARGIN = 1.02
"""Half width of the interval over that of the spectrum, which is known to 1e-3."""
STEEPEST = 0.3
"""Smallest value of a filter at a level that is asked for; lower, it is lost in the side lobes."""


def levels_near(
    H: csr_array,
    energy: float,
    number: int,
    rng: Generator,
    cancelled: CancelToken = never,
) -> Array:
    """Return the `number` levels of H nearest to an energy, increasing.

    Nearest by the value of the filter, which is symmetric but for a shift of a level or two at its
    end; no level between two of them is missing.

    Parameters
    ----------
    H
        Real and symmetric, with a bell-shaped density of levels.
    energy
        Well inside of the spectrum.
    rng
        For the vector to start with.

    Raises Cancelled where ``cancelled()`` is true.
    """
    with one_thread():
        return _levels_near(H, energy, number, rng, cancelled)


def _levels_near(
    H: csr_array, energy: float, number: int, rng: Generator, cancelled: CancelToken
) -> Array:
    n = H.shape[0]
    start = rng.standard_normal(n)
    ends = eigsh(H, 2, which="BE", tol=1e-3, v0=start, return_eigenvectors=False)
    middle, half = ends.mean(), MARGIN * np.ptp(ends) / 2
    scaled = ((H - middle * eye_array(n)) / half).tocsr()
    x = (energy - middle) / half
    degree = max(int(np.pi / (2 * number) * _density(scaled, x)), 2)
    while True:
        weights = peaked(x, degree)
        filtered = LinearOperator(
            (n, n), matvec=lambda v, w=weights: _apply(scaled, w, v, cancelled), dtype=np.float64
        )
        heights, states = eigsh(filtered, number, which="LA", tol=1e-8, v0=start)
        if heights.min() > STEEPEST:
            return np.sort(np.einsum("ij,ij->j", states, H @ states))
        degree = max(degree // 2, 2)


def peaked(x: float, degree: int) -> Array:
    """Return Chebyshev coefficients of a polynomial on (-1, 1) that is 1 at its maximum, near x.

    Of the delta function, with Lanczos' sigma factors against its oscillations.

    Examples
    --------
    >>> bell = peaked(0.2, 50)
    >>> [round(float(chebval(at, bell)), 2) for at in (0.2, 0.21, 0.19, 0.6)]
    [1.0, 0.98, 0.98, 0.0]
    """
    n = np.arange(degree + 1)
    weights = np.where(n == 0, 1.0, 2.0) * np.cos(n * np.arccos(x)) * np.sinc(n / (degree + 1))
    return np.asarray(weights / chebval(x, weights))


def _density(scaled: csr_array, x: float) -> float:
    """Return the number of levels per energy at x if they are normally distributed."""
    n, mean = scaled.shape[0], scaled.trace() / scaled.shape[0]
    variance = scaled.power(2).sum() / n - mean**2
    return float(n * np.exp(-((x - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance))


def _apply(scaled: csr_array, weights: Array, vector: Array, cancelled: CancelToken) -> Array:
    """Return P(H) v, the sum of weights[k] T_k(H) v."""
    if cancelled():
        raise Cancelled
    before, now = vector, scaled @ vector
    total = weights[0] * before + weights[1] * now
    for weight in weights[2:]:
        before, now = now, 2 * (scaled @ now) - before
        total += weight * now
    return np.asarray(total)
