"""How many resonances there are on average: exact, with every prefactor.

Where the scaling theory estimates, these are the means over the disorder of an `Ensemble`:
positions uniform, energies of the active spins uniform on a width ``w = 2T``. Two of them are
closer in energy than delta with probability ``q(x) = 2 x - x**2``, ``x = min(1, delta / w)``.
Gutman et al. (2016), Eqs. (4), (5), (8), have the same scaling with prefactor 1.

The laws of the splittings, and what a pseudo-spin resonates with, are in `splittings`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import erf, erfc, gamma

from delocal.physics.disorder import Ensemble
from delocal.physics.powers import Array

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
NODES, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2

# q = c1 y - c2 y**2 exactly for y < y0, with the moments <|t_ij|>/t and <t_ij**2>/t**2;
# for Gaussian hopping up to erfc(8 / sqrt(2)) ~ 1e-15.
EXPANSION = {
    "fixed": (2.0, 1.0, 1.0),
    "uniform": (1.0, 1 / 3, 1.0),
    "gaussian": (2 * np.sqrt(2 / np.pi), 1.0, 1 / 8),
}


def sphere(d: int) -> float:
    """Return S_d = 2 pi**(d/2) / Gamma(d/2): 2, 2 pi, 4 pi."""
    return float(2 * np.pi ** (d / 2) / gamma(d / 2))


def resonance_probability(ensemble: Ensemble, r: ArrayLike) -> Array:
    """Return the probability that two active spins at a distance r resonate.

    The mean of ``q(|t_ij| / (w r**alpha))`` over the hopping, saturated where it exceeds w.

    Examples
    --------
    >>> strong = Ensemble(d=2, alpha=3, beta=3, T=0.5, W=1)
    >>> resonance_probability(strong, [0.5, 2.0]).tolist()
    [1.0, 0.234375]
    """
    r = np.asarray(r, dtype=np.float64)
    y = np.asarray(ensemble.t / (2 * ensemble.T) * r**-ensemble.alpha)
    if ensemble.hopping == "fixed":
        x = np.minimum(y, 1.0)
        return np.asarray(2 * x - x**2)
    if ensemble.hopping == "uniform":
        return np.where(y < 1, y - y**2 / 3, 1 - 1 / (3 * np.maximum(y, 1.0)))
    s = 1 / y
    near = 1 - np.sqrt(2 / np.pi) * (s / 3 - s**3 / 60 + s**5 / 840)  # else terms cancel
    bulk = np.exp(-(s**2) / 2)
    linear = 2 * y * np.sqrt(2 / np.pi) * (1 - bulk)
    square = y**2 * erf(s / np.sqrt(2)) - y * np.sqrt(2 / np.pi) * bulk
    far = linear - square + erfc(s / np.sqrt(2))
    return np.asarray(np.where(s < 0.05, near, far))


def resonant_partners(ensemble: Ensemble, R: ArrayLike, to: ArrayLike | None = None) -> Array:
    """Return N1, the active spins between R and `to` (2R) in resonance with an active spin.

    ::

        N1 = (2 rho T / W) S_d int_R^2R dr r**(d-1) q(t / (2 T r**alpha))

    Eq. (4) with its prefactor. The mean over all spins is smaller by 2T/W. In a box of N
    spins it is smaller by (N - 1)/N, and it holds up to half the box.

    Examples
    --------
    >>> weak = Ensemble(d=3, alpha=3, beta=3, T=500, W=1000)
    >>> float(resonant_partners(weak, 4.0).round(6)), float(round(8 * np.pi * np.log(2) / 1000, 6))
    (0.017421, 0.017421)
    """
    R = np.asarray(R, dtype=np.float64)
    R, to = np.broadcast_arrays(R, 2 * R if to is None else np.asarray(to, dtype=np.float64))
    per_volume = ensemble.active_density * sphere(ensemble.d)
    return np.asarray(per_volume * _shell(ensemble, R, to))


def total_partners(ensemble: Ensemble, beyond: float = 0.0) -> float:
    """Return Ntotal, the resonant partners of a spin at all distances larger than `beyond`.

    For ``beyond = 0`` and hence for positions without hard core, rare close pairs dominate::

        Ntotal = rho_a S_d <(|t_ij| / w)**(d/alpha)> [1/d + 2/(alpha-d) - 1/(2 alpha-d)]

    which is not linear in t/W; ``beyond = rho**(-1/d)`` is what Eq. (5) estimates. Needs
    ``alpha > d``.
    """
    d, a = ensemble.d, ensemble.alpha
    if a <= d:
        return np.inf
    if beyond > 0:
        return float(resonant_partners(ensemble, beyond, np.inf))
    p = d / a
    moment = {
        "fixed": 1.0,
        "uniform": 1 / (1 + p),
        "gaussian": 2 ** (p / 2) * gamma((1 + p) / 2) / np.sqrt(np.pi),
    }[ensemble.hopping]
    scale = (ensemble.t / (2 * ensemble.T)) ** p * moment
    factor = 1 / d + 2 / (a - d) - 1 / (2 * a - d)
    return float(ensemble.active_density * sphere(d) * scale * factor)


def pseudospin_density(ensemble: Ensemble, R1: ArrayLike) -> Array:
    """Return rho_ps, the density of pairs of active spins in resonance at R1 <= r < 2 R1.

    Half of N1 per active spin: each pair counts once. Eq. (8) with its prefactor.
    """
    return ensemble.active_density / 2 * resonant_partners(ensemble, R1)


def size_distribution(ensemble: Ensemble, R1: float, R: ArrayLike) -> Array:
    """Return the probability that a pseudo-spin of R1 <= size < 2 R1 is smaller than R."""
    low, up = np.full(np.shape(R), R1), np.clip(R, R1, 2 * R1)
    return resonant_partners(ensemble, low, up) / resonant_partners(ensemble, R1)


def siblings(ensemble: Ensemble, R1: float) -> float:
    """Return the mean number of other pseudo-spins that share a spin with one; 2 N1 for small x.

    ::

        2 <N1(e)**2> / <N1(e)>,   N1(e) the partners of a spin of energy e

    which exceeds 2 N1 as spins in the middle of (-T, T) have more partners than those at its
    ends. The number of pseudo-spins in a box has the variance mean (1 + this), not mean, if that
    of the spins is Poisson. Fixed hopping.

    Examples
    --------
    >>> weak = Ensemble(d=3, alpha=3, beta=3, T=500, W=1000)
    >>> round(siblings(weak, 2.0) / float(resonant_partners(weak, 2.0)), 6)
    2.000014
    """
    d, a, x = ensemble.d, ensemble.alpha, ensemble.t / (2 * ensemble.T)
    # Above e = 0, in units of 2T from the upper end, with kinks where the reach of a pair ends.
    kinks = np.clip([0.0, x * (2 * R1) ** -a, x * R1**-a, 0.5], 0, 0.5)
    spans = np.diff(kinks)[:, None]
    below = (kinks[:-1, None] + spans * NODES)[..., None]
    half = np.clip((x / below) ** (1 / a), R1, 2 * R1)  # up to this size one side saturates
    full = np.clip((x / (1 - below)) ** (1 / a), R1, 2 * R1)
    volume = below * power_integral(d, R1, half) + x * power_integral(d - a, half, 2 * R1)
    volume += (1 - below) * power_integral(d, R1, full) + x * power_integral(d - a, full, 2 * R1)
    partners = ensemble.active_density * sphere(d) * volume[..., 0]
    weights = 2 * spans * WEIGHTS
    return float(2 * (weights * partners**2).sum() / (weights * partners).sum())


def _shell(ensemble: Ensemble, low: Array, high: Array) -> Array:
    """Return int_low^high dr r**(d-1) q(r): quadrature near, powers where q is a polynomial."""
    c1, c2, largest = EXPANSION[ensemble.hopping]
    d, a, x = ensemble.d, ensemble.alpha, ensemble.t / (2 * ensemble.T)
    weak = (x / largest) ** (1 / a)  # beyond, q is quadratic in t / r**alpha
    strong = x ** (1 / a)  # below, q may saturate
    tail = np.clip(weak, low, high)
    kink = np.clip(strong, low, tail)
    powers = c1 * x * power_integral(d - a, tail, high)
    powers = powers - c2 * x**2 * power_integral(d - 2 * a, tail, high)
    return np.asarray(powers + _near(ensemble, low, kink) + _near(ensemble, kink, tail))


def power_integral(p: float, low: ArrayLike, high: ArrayLike) -> Array:
    """Return int_low^high dr r**(p-1)."""
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.log(high / low) if p == 0 else np.asarray((high**p - low**p) / p)


def _near(ensemble: Ensemble, low: Array, high: Array) -> Array:
    """Return the same integral on a range without kinks, by Gauss-Legendre in ln r."""
    span = np.log(high / low)
    panels = max(1, int(np.ceil(np.max(span, initial=0.0) / np.log(2))))
    at = (np.arange(panels)[:, None] + NODES).ravel() / panels
    r = low[..., None] * np.exp(span[..., None] * at)
    weights = np.tile(WEIGHTS, panels) / panels
    terms = r**ensemble.d * resonance_probability(ensemble, r)
    return np.asarray((terms * weights).sum(axis=-1) * span)
