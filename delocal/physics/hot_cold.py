"""Hot electrons delocalized by cold ones in a continuum: the parameter eta_hc of their coupling.

Gornyi, Mirlin, Mueller, Polyakov (2017), Secs. II to IV. Cold electrons (c) lie within T of the
Fermi level and are localized on xi_c; hot ones (h) have an energy eps far above it and are
localized on xi_h >> xi_c. A hot state decays into another one and a resonant pair of cold
states. Its matrix element V_hc falls with xi_h more slowly than the spacing Delta_3hc of the
final states, so that eta_hc = V_hc/Delta_3hc grows without bound with eps.

The paper estimates. Two readings of its "~" are kept apart by the name of `prefactors`:

* ``bare``: Eqs. (13) and (26) are equalities;
* ``assembled``: every factor of Eqs. (6), (7), (9), (11) and (22) to (24) is multiplied out,
  which makes eta_hc larger by 4 pi**2/3 in one dimension and by 4 in two.

The domain is T << Delta_c. hbar = k_B = 1; densities of states are per spin, as in the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.continuum_disorder import (
    PI,
    TWO,
    Continuum,
    density_of_states,
    growth_of_length,
    level_spacing,
    localization_length,
)
from delocal.physics.powers import Array, LogArray

Prefactors = Literal["bare", "assembled"]

ASSEMBLED = {1: 4 * math.pi**2 / 3, 2: 4.0}
"""eta_hc from its parts over Eq. (13), or over Eq. (26), by dimension."""


@dataclass(frozen=True)
class HotCold:
    """Weakly interacting electrons in a continuum at a low temperature.

    Parameters
    ----------
    medium
        Where they move.
    eF, T
        Fermi energy and temperature.
    u
        abs(int V(r) dr), the strength of a short-range interaction: energy length**D.
    xi_growth
        False freezes xi at its value at the Fermi level: the model that the paper refutes.
    """

    medium: Continuum
    eF: LogArray
    u: LogArray
    T: LogArray
    xi_growth: bool = True

    @classmethod
    def of(
        cls,
        medium: Continuum,
        *,
        T: ArrayLike,
        eF: ArrayLike = 2.0,
        u: ArrayLike = 0.3,
        xi_growth: bool = True,
    ) -> HotCold:
        """Return the mixture with positive numbers for its parameters; arrays broadcast."""
        return cls(medium, LogArray.of(eF), LogArray.of(u), LogArray.of(T), xi_growth)

    @cached_property
    def xi_c(self) -> LogArray:
        """Localization length at the Fermi level."""
        return localization_length(self.medium, self.eF)

    @cached_property
    def Delta_c(self) -> LogArray:
        """1/(rho_c xi_c**D), with the same correlator as xi_h."""
        return level_spacing(self.medium, self.eF)

    @cached_property
    def cold(self) -> LogArray:
        """T/Delta_c, the small parameter."""
        return self.T / self.Delta_c

    @cached_property
    def mott(self) -> LogArray:
        """ln(Delta_c/T), the logarithm of Eq. (7); NaN at T > Delta_c."""
        return LogArray.where_positive(-self.cold.ln)


def mott_length(p: HotCold) -> LogArray:
    """Return l_M = 2 xi_c ln(Delta_c/T), the distance between resonant cold states, Eq. (7)."""
    return TWO * p.xi_c * p.mott


def spectral_function(p: HotCold, x: ArrayLike, omega: ArrayLike) -> Array:
    """Return S_omega(x) of cold states near its minima at abs(x) = l_M(omega), Eq. (5).

    ::

        S = -(rho_c**2/2) sqrt(xi_c/(pi l_M)) exp[-(abs(x) - l_M)**2/(4 xi_c l_M)]
        l_M = 2 xi_c ln(Delta_c/abs(omega))

    One dimension, abs(omega) << Delta_c and abs(x) >> xi_c.
    """
    rho, xi = density_of_states(p.medium, p.eF).value, p.xi_c.value
    l_M = 2 * xi * np.log(p.Delta_c.value / np.abs(omega))
    gauss = np.exp(-((np.abs(x) - l_M) ** 2) / (4 * xi * l_M))
    return np.asarray(-(rho**2) / 2 * np.sqrt(xi / (math.pi * l_M)) * gauss)


def thermal_density(p: HotCold) -> LogArray:
    """Return n_T, the number of thermal excitations of cold electrons per volume.

    ::

        1D:  n_T = (2 pi**2/3) (T/Delta_c)**2 / xi_c              Eq. (6), from (3) and (5)
        2D:  n_T = (l_M/xi_c**3) (T/Delta_c)**2                   Eq. (22)
    """
    if p.medium.D == 1:
        return LogArray.of(2 * math.pi**2 / 3) * p.cold**2 / p.xi_c
    return mott_length(p) / p.xi_c**3 * p.cold**2


def hot_length(p: HotCold, eps: LogArray) -> LogArray:
    """Return xi_h, the localization length at eps, or xi_c where it does not grow."""
    if p.xi_growth:
        return localization_length(p.medium, eps)
    return LogArray(p.xi_c.ln + 0 * eps.ln)


def growth_of_hot_length(p: HotCold, eps: LogArray) -> Array:
    """Return d ln xi_h / d ln eps."""
    return growth_of_length(p.medium, eps) if p.xi_growth else 0 * eps.ln


def hot_spacing(p: HotCold, eps: LogArray) -> LogArray:
    """Return Delta_h = 1/(rho_h xi_h**D)."""
    return (density_of_states(p.medium, eps) * hot_length(p, eps) ** p.medium.D) ** -1


def coordination_number(p: HotCold, eps: LogArray) -> LogArray:
    """Return N_eff = n_T xi_h**D, the cold pairs that one hot state can resonate with, Eq. (8)."""
    return thermal_density(p) * hot_length(p, eps) ** p.medium.D


def three_particle_spacing(p: HotCold, eps: LogArray) -> LogArray:
    """Return Delta_3hc = Delta_h/N_eff, between the final states of a decay, Eqs. (9), (23)."""
    return hot_spacing(p, eps) / coordination_number(p, eps)


def coupling_constant(p: HotCold, eps: LogArray) -> LogArray:
    """Return alpha, dimensionless: rho_h u in 1D, Eq. (12), and m u/(2 pi) in 2D, Eq. (25)."""
    return density_of_states(p.medium, eps) * p.u


def hartree_amplitude(p: HotCold, eps: LogArray) -> LogArray:
    """Return the typical matrix element between hot and cold states, all factors kept.

    ::

        1D:  alpha T l_M / xi_h              Eq. (11)
        2D:  alpha T xi_c l_M / xi_h**2      Eq. (24)

    The exchange term of Eq. (10) is not here: above 1/(m a**2) it is small for any range a of
    the interaction. Needs l_M << xi_h and l_M << v_h/T.
    """
    alpha, xi_h = coupling_constant(p, eps), hot_length(p, eps)
    across = mott_length(p) / xi_h
    return alpha * p.T * (across if p.medium.D == 1 else across * p.xi_c / xi_h)


def resonance_parameter(p: HotCold, eps: LogArray, prefactors: Prefactors = "bare") -> LogArray:
    """Return eta_hc = V_hc/Delta_3hc: hot states at eps are delocalized where it exceeds one.

    ::

        eta_hc = c alpha (Delta_c/Delta_h) (T/Delta_c)**3 ln(Delta_c/T)**D

    with c = 1 (``bare``) or 4 pi**2/3 in 1D and 4 in 2D (``assembled``). For T << Delta_c.

    References
    ----------
    Gornyi et al. (2017), Eqs. (1), (13) and (26).

    Examples
    --------
    >>> p = HotCold.of(Continuum.of("exponential"), T=0.01)
    >>> eps = LogArray.of(50.0)
    >>> of_its_parts = hartree_amplitude(p, eps) / three_particle_spacing(p, eps)
    >>> ratio = of_its_parts / resonance_parameter(p, eps, "assembled")
    >>> float(ratio.value.round(12))
    1.0
    """
    thermal = p.cold**3 * p.mott**p.medium.D
    alpha, spacings = coupling_constant(p, eps), p.Delta_c / hot_spacing(p, eps)
    return prefactor(p, prefactors) * alpha * spacings * thermal


def growth_of_resonance(p: HotCold, eps: LogArray) -> Array:
    """Return d ln eta_hc / d ln eps, exactly; 0 for white noise in one dimension.

    In 1D alpha/Delta_h ~ rho_h**2 xi_h ~ xi_h/eps, in 2D ~ xi_h**2.
    """
    growth = growth_of_hot_length(p, eps)
    return growth - 1 if p.medium.D == 1 else 2 * growth


def chi(p: HotCold) -> LogArray:
    """Return chi(T), by which eta_hc falls short of one without smoothness of the disorder.

    ::

        1D:  chi = w/(u Delta_c) (Delta_c/T)**3 / ln(Delta_c/T)                   Eq. (16)
        2D:  chi = 1/alpha (Delta_c/T)**3 / ln(Delta_c/T)**2                      in Eq. (26)

    In 1D bare eta_hc = (w/W(2k)) / (pi**2 chi), in 2D (Delta_c/Delta_h) / chi.
    """
    thermal = p.cold**-3 * p.mott**-p.medium.D
    if p.medium.D == 1:
        return p.medium.w / (p.u * p.Delta_c) * thermal
    return thermal / coupling_constant(p, p.eF)


def threshold_ratio(p: HotCold, prefactors: Prefactors = "bare") -> LogArray:
    """Return X: eta_hc = 1 where w/W(2k) = X (1D), or Delta_c/Delta_h = X (2D).

    X = pi**2 chi/c in 1D and chi/c in 2D, with c the prefactor of `resonance_parameter`;
    assembled in 1D, X = 3 chi/4.
    """
    X = chi(p) / prefactor(p, prefactors)
    return PI**2 * X if p.medium.D == 1 else X


def prefactor(p: HotCold, prefactors: Prefactors) -> LogArray:
    """Return the number in front of Eqs. (13) and (26)."""
    return LogArray.of(1.0 if prefactors == "bare" else ASSEMBLED[p.medium.D])
