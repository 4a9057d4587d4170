"""Laws of the energy of a site, in units of the disorder W: box, Gaussian and Cauchy.

W is the full width of the box, the standard deviation of the Gaussian and the half width at half
maximum of the Cauchy law (Lorentzian), the usual choice for each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import erfc, gamma

from delocal.physics.powers import Array


@dataclass(frozen=True)
class SiteDisorder:
    """A symmetric law of x = e / W.

    Parameters
    ----------
    name
        As in options of models.
    characteristic
        Mean of cos(k x), elementwise; it oscillates no faster than cos(k).
    reach
        k beyond which the characteristic function is left out.
    tapered
        Whether it decays so slowly that it must be cut off smoothly.
    inverse_moment
        Mean of abs(x)**(-2 s) for 0 < s < 1/2.
    sample
        Random x, as many as asked for.

    Examples
    --------
    >>> float(BOX.characteristic(np.array(2 * np.pi)).round(12))
    0.0
    """

    name: str
    characteristic: Callable[[Array], Array]
    reach: float
    tapered: bool
    inverse_moment: Callable[[float], float]
    sample: Callable[[Generator, int], Array]

    def transform(self, k: Array, reach: float) -> Array:
        """Return the characteristic function, cut off before `reach` if it decays slowly."""
        values = np.asarray(self.characteristic(k))
        return values * erfc(12.5 * (k / reach - 0.6)) / 2 if self.tapered else values


def _box(k: Array) -> Array:
    return np.asarray(np.sinc(k / (2 * np.pi)))


def _gaussian(k: Array) -> Array:
    return np.asarray(np.exp(-(k**2) / 2))


def _cauchy(k: Array) -> Array:
    return np.asarray(np.exp(-k))


def _inverse_box(s: float) -> float:
    return float(4**s / (1 - 2 * s))


def _inverse_gaussian(s: float) -> float:
    return float(2**-s * gamma(0.5 - s) / np.sqrt(np.pi))


def _inverse_cauchy(s: float) -> float:
    return float(1 / np.cos(np.pi * s))


def _sample_box(rng: Generator, number: int) -> Array:
    return rng.random(number) - 0.5


def _sample_gaussian(rng: Generator, number: int) -> Array:
    return rng.standard_normal(number)


def _sample_cauchy(rng: Generator, number: int) -> Array:
    return rng.standard_cauchy(number)


BOX = SiteDisorder("box", _box, 200.0, True, _inverse_box, _sample_box)
GAUSSIAN = SiteDisorder("gaussian", _gaussian, 9.0, False, _inverse_gaussian, _sample_gaussian)
CAUCHY = SiteDisorder("cauchy", _cauchy, 40.0, False, _inverse_cauchy, _sample_cauchy)

LAWS = {law.name: law for law in (BOX, GAUSSIAN, CAUCHY)}
