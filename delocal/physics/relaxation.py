"""Relaxation rates of spins, pseudo-spins and pseudo2-spins, Gutman et al. (2016).

Secs. IV, VII, IX, Appendix B and Supplement S-A. Prefactors are 1, "~" became "=", hbar = 1:
a rate is an energy. Each function takes numbers or exponents, as in `scales`.
"""

from __future__ import annotations

import numpy as np

from delocal.physics.parameters import SpinModel
from delocal.physics.powers import LogArray, Quantity
from delocal.physics.scales import (
    optimal_energy,
    optimal_pseudo2spin_energy,
    optimal_pseudo2spin_size,
    optimal_pseudospin_size,
    thermal_pseudo2spin_size,
    thermal_pseudospin_size,
)


def pseudospin_rate(p: SpinModel[Quantity], R1: Quantity) -> Quantity:
    """Return 1/tau(R1) of a pseudo-spin of size R1 < R1(T), assisted by the optimal network.

    ::

        1/tau(R1) = E* (R1 / R1(T)) ** (2 beta)

    Regions IIb and IIc. Eqs. (31), (32). The bath is counted in a volume of size
    R2*(R1(T)); the text below Eq. (31) says R1(T), with which (32) would not follow.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> rate = pseudospin_rate(p, optimal_pseudospin_size(p))
    >>> float((rate / optimal_energy(p)).value.round(12))
    1.0
    """
    return optimal_energy(p) * (R1 / optimal_pseudospin_size(p)) ** (2 * p.beta)


def thermal_pseudospin_rate(p: SpinModel[Quantity]) -> Quantity:
    """Return 1/tau(R1_th), the rate of thermal pseudo-spins, Eq. (32)."""
    return pseudospin_rate(p, thermal_pseudospin_size(p))


def pseudo2spin_rate(p: SpinModel[Quantity], R1: Quantity, R2: Quantity) -> Quantity:
    """Return 1/tau(R1, R2) of a pseudo2-spin, assisted by the optimal pseudo2-network, Eq. (58).

    ::

        1/tau = E2* (R2/R2(T)) ** (2 beta) (R1_th/R1) ** (2 beta (alpha - 2d) / d)

    Regions IIc and III.
    """
    b, d = p.beta, p.d
    size = (R2 / optimal_pseudo2spin_size(p)) ** (2 * b)
    return (
        optimal_pseudo2spin_energy(p)
        * size
        * (thermal_pseudospin_size(p) / R1) ** (2 * b * (p.alpha - 2 * d) / d)
    )


def thermal_pseudo2spin_rate(p: SpinModel[Quantity]) -> Quantity:
    """Return 1/tau(R1_th, R2_th) = E2* (E2*/T)**2, the rate of thermal pseudo2-spins, Eq. (58)."""
    size = thermal_pseudo2spin_size(p) / optimal_pseudo2spin_size(p)
    return optimal_pseudo2spin_energy(p) * size ** (2 * p.beta)


def spin_rate(p: SpinModel[Quantity]) -> Quantity:
    """Return 1/tau_s of a thermal spin assisted by the optimal network, Eq. (S-A.5).

    ::

        1/tau_s = t (t rho / W)**(2 alpha/d) R1(T) ** (-alpha (2 alpha - d) / d)

    Regions IIb and IIc, spectral diffusion left out.
    """
    a, d = p.alpha, p.d
    base = p.t * (p.t * p.rho / p.W) ** (2 * a / d)
    return base * optimal_pseudospin_size(p) ** (-a * (2 * a - d) / d)


def spectral_diffusion_rate(p: SpinModel[Quantity]) -> Quantity:
    """Return 1/tau_sd = E*/Ns of a thermal spin by spectral diffusion, Eq. (74).

    ::

        1/tau_sd = t (t rho / W) R1(T) ** (d - 2 alpha)

    Regions IIb and IIc.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> from delocal.physics.scales import resonant_spins
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> a, d = p.alpha, p.d
    >>> ratio = resonant_spins(p, optimal_pseudospin_size(p)) ** ((2 * a - d) / d)
    >>> float((spin_rate(p) / spectral_diffusion_rate(p) / ratio).value.round(9))
    1.0
    """
    return p.t * (p.t * p.rho / p.W) * optimal_pseudospin_size(p) ** (p.d - 2 * p.alpha)


def chain_matrix_element(p: SpinModel[Quantity], E: Quantity) -> Quantity:
    """Return A(E), the amplitude of the decay of a pseudo-spin of energy E into two halves.

    ::

        A(E) = V**2/E (t rho**2 T / W**2)**(2 beta/d) (t/E) ** (2 beta (d - alpha) / (alpha d))

    Eq. (B2), corrected: as printed it holds for alpha = beta only. It is V**2/E over the
    distance rho_ps**(-1/d) of pseudo-spins of size (t/E)**(1/alpha), twice.
    """
    a, b, d = p.alpha, p.beta, p.d
    density = p.t * p.rho**2 * p.T / p.W**2
    spacing = (p.t / E) ** (2 * b * (d - a) / (a * d))
    return p.V**2 / E * density ** (2 * b / d) * spacing


def chain_rate(p: SpinModel[LogArray], E: LogArray) -> LogArray:
    """Return 1/tau(E) of a pseudo-spin of energy E >= E* that halves its energy step by step.

    ::

        1/tau(E) = [A(E)/E]**2 / tau(E/2),    1/tau(E*) = E*,    A(E)/E = (E*/E)**(2D/(alpha d))
        1/tau(E) = E* exp[-(2D/(alpha d)) ln(E/E*) (log2(E/E*) + 1)]

    It falls faster than any power of E, so that this decay is irrelevant beside Eq. (32).
    Regions IIb and IIc.

    References
    ----------
    Gutman et al. (2016), Eqs. (B1) to (B3), with the level spacing Delta(E/2) = E. Corrected:
    the "ln2" of (B3) is the square of the logarithm, and the number of steps "ln2(E/E*)" is
    its logarithm to base 2; read otherwise (B3) would be a power law.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> E, half = optimal_energy(p) * LogArray.of(12.0), optimal_energy(p) * LogArray.of(6.0)
    >>> step = (chain_matrix_element(p, E) / E) ** 2 * chain_rate(p, half)
    >>> float((chain_rate(p, E) / step).value.round(9))
    1.0
    """
    ratio = (E / optimal_energy(p)).ln
    power = -2 * p.D / (p.alpha * p.d)
    return optimal_energy(p) * LogArray(power * ratio * (ratio / np.log(2.0) + 1))
