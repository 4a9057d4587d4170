"""Channels of transport assisted by a network, and their conductivities with prefactors.

`conductivity` has them with prefactor 1. Here kappa = unit * `thermal_factor` * C: the factor is
the integral over energies, C the universal number of the resistor network. E*, R1(T), R2(T) and
densities of states remain estimates with prefactor 1, Eqs. (8), (21), (24), (50), (54): if the
true E* is lam times that, kappa changes by lam**`energy_power`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.conductivity import kappa_assisted, kappa_assisted_pseudo2, kappa_spins
from delocal.physics.parameters import SpinModel
from delocal.physics.phase_diagram import (
    WITH_OPTIMAL_PSEUDOSPINS,
    WITH_PSEUDO2SPIN_NETWORK,
    Region,
    belongs,
    region,
    superdiffusive,
)
from delocal.physics.powers import Array, LogArray
from delocal.physics.scales import optimal_energy, optimal_pseudo2spin_energy
from delocal.physics.transport.golden_rule import conserving, moments

BOLTZMANN = 1.380649e-23
HBAR = 1.054571817e-34


@dataclass(frozen=True)
class Assisted:
    """Excitations that flip-flop assisted by an optimal network.

    Parameters
    ----------
    what
        In words.
    equation
        Of its kappa in Gutman et al. (2016).
    where
        Regions where the network exists.
    unit
        kappa with prefactor 1.
    energy
        Energy of that network, E* or E2*.
    range
        Which of the ranges is that of its hops.
    splits_with
        The range by which the energy of an excitation falls with its size; r12 grows as E to one
        over it. None for spins, whose density of states is constant.
    """

    what: str
    equation: str
    where: frozenset[Region]
    unit: Callable[[SpinModel[Any]], Any]
    energy: Callable[[SpinModel[Any]], Any]
    range: Literal["alpha", "beta"]
    splits_with: Literal["alpha", "beta"] | None

    def hop_range(self, p: Any) -> Any:
        """Return the range of the hops, of whatever has alpha and beta."""
        return getattr(p, self.range)

    def growth(self, p: Any) -> Any:
        """Return d ln r12 / d ln E."""
        return 0.0 if self.splits_with is None else 1 / getattr(p, self.splits_with)

    def steepness(self, p: Any) -> Any:
        """Return s, where density of states times D goes as E**-s."""
        return (p.d + 2 * self.hop_range(p) - 2) * self.growth(p)


CHANNELS: Mapping[str, Assisted] = {
    "s": Assisted(
        "spins", "(S-A.9)", WITH_OPTIMAL_PSEUDOSPINS, kappa_spins, optimal_energy, "alpha", None
    ),
    "ps": Assisted(
        *("pseudo-spins", "(36)", WITH_OPTIMAL_PSEUDOSPINS, kappa_assisted, optimal_energy),
        *("beta", "alpha"),
    ),
    "ps2": Assisted(
        *("pseudo2-spins", "(60)", WITH_PSEUDO2SPIN_NETWORK, kappa_assisted_pseudo2),
        *(optimal_pseudo2spin_energy, "beta", "beta"),
    ),
}
"""The channels by the index of their kappa.

Pseudo2-spins are those with R1 near R1_th, to which the integral (59) over R1 converges: of these
r12 = R2(T)**2/R2, Eq. (55), which is the law of pseudo-spins with alpha replaced by beta.
"""


def exists(channel: Assisted, p: SpinModel[LogArray]) -> Array:
    """Whether a channel has its network, a finite kappa, and excitations with E* < E < W/2."""
    inside = belongs(region(p.d, p.alpha, p.beta), channel.where)
    finite = ~superdiffusive(p.d, p.beta)
    cold = p.T.ln <= p.W.ln - np.log(2)
    with np.errstate(divide="ignore", invalid="ignore"):  # on a border E* is 0, or no number
        above = channel.energy(p).ln < p.T.ln
    return np.asarray(inside & finite & cold & above)


def thermal_factor(channel: Assisted, p: SpinModel[LogArray]) -> Array:
    """Return kappa over C and over the `unit` of the channel.

    ::

        spins          int dx x**2 n (1 - n) = pi**2 / 3, both signs of x = E/T
        pseudo-spins   I2 - I1**2/I0,   I_k = int_{E*/T}^inf dx x**(k - s) n (1 - n)

    with s the `steepness`. Spins of both signs of energy drag no heat on average; pseudo-spins,
    E > 0, conserve their number. See `moments`, `conserving`.

    Returns
    -------
    Array
        NaN where the channel does not exist.
    """
    if channel.splits_with is None:
        factor: ArrayLike = np.pi**2 / 3
    else:
        lowest = (channel.energy(p) / p.T).ln
        factor = conserving(moments(channel.steepness(p), np.exp(np.minimum(lowest, 0.0))))
    return np.where(exists(channel, p), factor, np.nan)


def drag(channel: Assisted, p: SpinModel[LogArray]) -> Array:
    """Return I1**2/(I0 I2), the share of L22 that conservation of number takes away."""
    lowest = (channel.energy(p) / p.T).ln
    I0, I1, I2 = moments(channel.steepness(p), np.exp(np.minimum(lowest, 0.0)))
    return np.where(exists(channel, p), I1**2 / (I0 * I2), np.nan)


def energy_power(channel: Assisted, p: SpinModel[LogArray]) -> Array:
    """Return by which power of a factor of E* kappa changes: (2 range - 2)/d - 1.

    Exact for spins; for pseudo-spins but for E* as the lower end of energies.
    """
    return np.asarray((2 * channel.hop_range(p) - 2) / p.d - 1)


def si_factor(d: ArrayLike, kelvin: ArrayLike, metre: ArrayLike) -> Array:
    """Return the kappa in W K**-1 m**(2 - d) of kappa = 1 in units of energy and length.

    Parameters
    ----------
    kelvin, metre
        The unit of energy over the Boltzmann constant, and that of length.

    Examples
    --------
    One quantum of thermal conductance, pi/6 T at hbar = k_B = 1, is 0.946 pW/K at 1 K in d = 2:

    >>> round(float(si_factor(2, 1.0, 1.0)) * np.pi / 6 * 1e12, 3)
    0.946
    """
    kelvin, metre = np.asarray(kelvin, dtype=np.float64), np.asarray(metre, dtype=np.float64)
    return BOLTZMANN**2 / HBAR * kelvin * metre ** (2.0 - np.asarray(d))
