"""Population dynamics on the Bethe lattice: the recursion of `bethe` on a pool of N samples.

Each sample of a new generation has K parents drawn from the old. The typical imaginary part
grows by `growth` in a generation, and W_c(N) is where it does not. The tail that carries the
growth is cut off where one sample in N lies, so W_c(N) is too low, by an amount that decays as
1/ln**2 N only: a front with a cutoff, Brunet and Derrida (1997). A finite pool must not be
compared with W_c as it is; `infinite_pool` extrapolates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from delocal.physics.bethe import critical_disorder, eigenvalue
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array
from delocal.physics.site_disorder import BOX, SiteDisorder
from delocal.physics.thresholds import Estimate

GAIN = 0.05  # by which ln W follows the growth of one generation
SETTLING = 200  # generations left out: the pool forgets over some (ln N)**2 of them
START = 0.9  # of W_c, where a pool begins to look for its own


def growth(
    K: int,
    W: float,
    size: int,
    generations: int,
    rng: Generator,
    *,
    law: SiteDisorder = BOX,
    cancelled: CancelToken = never,
) -> float:
    """Return the growth of the mean of ln u in a generation, at E = 0.

    Parameters
    ----------
    K, W, law
        As in `bethe.eigenvalue`.
    size
        Samples in the pool.
    generations
        How many enter the mean, after `SETTLING` more.
    cancelled
        Asked before each generation; NaN is returned if it says so.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> growth(2, 8.0, 1000, 50, rng) > 0 > growth(2, 40.0, 1000, 50, rng)
    True
    """
    _, steps = _evolve(K, W, size, generations, rng, law, 0.0, cancelled)
    return float(np.mean(steps))


def pool_threshold(
    K: int,
    size: int,
    generations: int,
    rng: Generator,
    *,
    law: SiteDisorder = BOX,
    cancelled: CancelToken = never,
) -> float:
    """Return W_c(N) of a pool of N = `size`, whose W follows its growth until there is none.

    Parameters as in `growth`. Asymptotically in `generations` this is the W at which `growth`
    is zero; `infinite_pool` leads from there to W_c.
    """
    start = START * critical_disorder(K, law=law).W_c
    ln_W, _ = _evolve(K, start, size, generations, rng, law, GAIN, cancelled)
    return float(np.exp(np.mean(ln_W)))


@lru_cache(maxsize=256)
def cutoff_amplitude(K: int, law: SiteDisorder = BOX) -> float:
    """Return A in ``ln W_c - ln W_c(N) = A / ln**2 N`` for large pools.

    A front of speed v(s) = ln(K lambda(s)) / s, at the s = 1/2 where v is least, is slower by
    ``pi**2 s**2 v'' / (2 ln**2 N)`` when it is cut off at 1/N; W makes up for that. So::

        A = pi**2 / 8 * (ln lambda)'' / abs(d ln lambda / d ln W)   at s = 1/2 and W_c

    References
    ----------
    Brunet and Derrida, Phys. Rev. E 56, 2597 (1997), Eq. (7).

    Examples
    --------
    >>> round(cutoff_amplitude(2), 2)
    13.47
    """
    W, h = critical_disorder(K, law=law).W_c, 0.05
    if np.isnan(W):
        return np.nan

    def ln(exponent: float, ln_ratio: float = 0.0) -> float:
        scaled = W * float(np.exp(ln_ratio))
        return float(np.log(eigenvalue(K, scaled, exponent=exponent, law=law)))

    middle = ln(0.5)
    curvature = (16 * (ln(0.5 - h) - middle) - (ln(0.5 - 2 * h) - middle)) / (6 * h**2)
    slope = (ln(0.5, 0.01) - ln(0.5, -0.01)) / 0.02
    return float(np.pi**2 / 8 * curvature / abs(slope))


def infinite_pool(
    sizes: ArrayLike, thresholds: Sequence[Estimate], K: int = 2, law: SiteDisorder = BOX
) -> Estimate:
    """Return W_c extrapolated from W_c(N) of several pools.

    Two unknowns, W_c and c, are fitted to ``ln W_c(N) = ln W_c - A / L**2`` with the A of
    `cutoff_amplitude`, once with ``L = ln N + c`` and once with ``L = ln N + 3 ln ln N + c``, the
    form of fluctuating fronts (Brunet, Derrida, Mueller, Munier 2006). The mean of both is
    returned; half their difference is added to the statistical error.

    Examples
    --------
    >>> A, W_c = cutoff_amplitude(2), critical_disorder(2).W_c
    >>> exact = [Estimate(W_c * np.exp(-A / (np.log(N) + 2) ** 2), 0.01) for N in (1e3, 1e4, 1e5)]
    >>> found = infinite_pool([1e3, 1e4, 1e5], exact)
    >>> abs(found.value - W_c) < found.stderr
    True
    """
    ln_N = np.log(np.asarray(sizes, dtype=np.float64))
    fits = [_extrapolate(shape, thresholds, cutoff_amplitude(K, law)) for shape in _lengths(ln_N)]
    plain, fluctuating = fits
    model = abs(plain.value - fluctuating.value) / 2
    error = max(plain.stderr, fluctuating.stderr) + model
    return Estimate((plain.value + fluctuating.value) / 2, error)


def _lengths(ln_N: Array) -> tuple[Array, Array]:
    return ln_N, ln_N + 3 * np.log(ln_N)


def _extrapolate(lengths: Array, thresholds: Sequence[Estimate], A: float) -> Estimate:
    """Return W_c of the fit with one form of L, and its statistical error."""
    W = np.array([e.value for e in thresholds])
    sigma = np.array([e.stderr / e.value for e in thresholds])

    def pulls(unknown: Array) -> Array:
        return np.asarray((unknown[0] - A / (lengths + unknown[1]) ** 2 - np.log(W)) / sigma)

    start = [np.log(W.max()) + A / lengths.max() ** 2, 0.0]
    fit = least_squares(pulls, start, bounds=([-np.inf, -0.9 * lengths.min()], np.inf))
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    W_c = float(np.exp(fit.x[0]))
    return Estimate(W_c, W_c * float(np.sqrt(covariance[0, 0])))


def _evolve(
    K: int,
    W: float,
    size: int,
    generations: int,
    rng: Generator,
    law: SiteDisorder,
    gain: float,
    cancelled: CancelToken,
) -> tuple[Array, Array]:
    """Return ln W and the growth of ln u, generation by generation after settling."""
    ln_W = float(np.log(W))
    G, u = law.sample(rng, size) / W, np.ones(size)
    trace = np.empty((SETTLING + generations, 2))
    for t in range(len(trace)):
        if cancelled():
            raise Cancelled("the pool was cancelled")
        energies = np.exp(ln_W) * law.sample(rng, size)
        G, u, mean_ln = _generation(G, u, energies, K, rng)
        u *= np.exp(-mean_ln)
        ln_W += gain * mean_ln
        trace[t] = ln_W, mean_ln
    settled = trace[SETTLING:]
    return settled[:, 0], settled[:, 1]


@njit(nogil=True, cache=True)
def _generation(
    G: Array, u: Array, energies: Array, K: int, rng: Generator
) -> tuple[Array, Array, float]:
    """Return G and u of a new generation with these energies, and the mean of ln u."""
    size = G.size
    new_G, new_u = np.empty(size), np.empty(size)
    total = 0.0
    for i in range(size):
        inverse, imaginary = energies[i], 0.0
        for _ in range(K):
            parent = int(size * rng.random())
            inverse += G[parent]
            imaginary += u[parent]
        new_G[i] = -1.0 / inverse
        new_u[i] = imaginary / (inverse * inverse)
        total += np.log(new_u[i])
    return new_G, new_u, total / size
