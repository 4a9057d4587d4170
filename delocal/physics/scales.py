"""Sizes, energies, densities and numbers of resonances, Gutman et al. (2016), Secs. II, III, VIII.

The paper estimates; here every "~" became "=" with prefactor 1. Each function takes the model
with numbers (`spin_model`) or with exponents (`power_laws`) and returns the same kind. Sizes
R, R1, R2, R3, L passed in are quantities of that kind as well. hbar = k_B = 1.

Domains: pseudo-spins form an optimal network in regions IIb and IIc (D > 0, beta >= d), and
pseudo2-spins in IIc and III (alpha > 2d, beta < 2d). Outside, the formulas still return a
number, without meaning; `phase_diagram` says where that is.
"""

from __future__ import annotations

import numpy as np

from delocal.physics.parameters import SpinModel
from delocal.physics.powers import LogArray, Quantity


def resonant_spins(p: SpinModel[Quantity], R: Quantity) -> Quantity:
    """Return N1(R), the number of spins between R and 2R in resonance with one spin, Eq. (4).

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=3, alpha=3, beta=3, T=1e-3)
    >>> float(resonant_spins(p, LogArray.of(50.0)).value.round(12))  # alpha = d: at every scale
    0.02
    """
    return p.t * p.rho / p.W * R ** (p.d - p.alpha)


def total_resonant_spins(p: SpinModel[Quantity]) -> Quantity:
    """Return Ntotal, the resonant partners of a spin at all distances, Eq. (5) as printed.

    Strong disorder means Ntotal << 1. For alpha > d.
    """
    return p.t * p.rho ** (p.alpha / p.d) / p.W


def integrated_resonant_spins(p: SpinModel[LogArray]) -> LogArray:
    """Return Ntotal with the prefactor of the integral in Eq. (5).

    ::

        Ntotal = int_{rho**(-1/d)}^inf dR/R N1(R) = t rho**(alpha/d) / W / (alpha - d)

    The printed result drops 1/(alpha - d). Infinite for alpha <= d.
    """
    return total_resonant_spins(p) / LogArray.of(np.maximum(p.alpha - p.d, 0.0))


def pseudospin_density(p: SpinModel[Quantity], R1: Quantity) -> Quantity:
    """Return rho_ps(R1), the density of thermally active pseudo-spins of size R1, Eq. (8)."""
    return p.rho * resonant_spins(p, R1) * p.T / p.W


def interaction_radius(p: SpinModel[Quantity], R1: Quantity) -> Quantity:
    """Return R2*(R1), the distance at which pseudo-spins interact as strongly as they split.

    There V/R2**beta = t/R1**alpha, and N2 peaks. Eq. (7); inverse of `pseudospin_size`.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3.5, beta=2.5, T=1e-3, V=0.3)
    >>> R1 = LogArray.of(7.0)
    >>> float(pseudospin_size(p, interaction_radius(p, R1)).value.round(12))
    7.0
    """
    return (p.V * R1**p.alpha / p.t) ** (1 / p.beta)


def pseudospin_size(p: SpinModel[Quantity], R2: Quantity) -> Quantity:
    """Return R1*(R2), the size of the pseudo-spins whose R2* is R2; inverse of Eq. (7)."""
    return (p.t * R2**p.beta / p.V) ** (1 / p.alpha)


def resonant_pseudospins(p: SpinModel[LogArray], R1: LogArray, R2: LogArray) -> LogArray:
    """Return N2(R1, R2), the pseudo-spins between R2 and 2 R2 in resonance with one, Eq. (9).

    ::

        N2 = rho_ps(R1) R2**d min{1, (V / R2**beta) / (t / R1**alpha)}
    """
    resonant = (p.V / R2**p.beta) / (p.t / R1**p.alpha)
    return pseudospin_density(p, R1) * R2**p.d * resonant.at_most_one()


def peak_resonant_pseudospins(p: SpinModel[Quantity], R1: Quantity) -> Quantity:
    """Return N2(R1, R2*(R1)), the largest N2; it grows with R1 where D > 0. Eqs. (10), (11)."""
    base = p.t * p.rho**2 * p.T / p.W**2 * (p.V / p.t) ** (p.d / p.beta)
    return base * R1 ** (p.D / p.beta)


def pseudo2spin_density(p: SpinModel[LogArray], R1: LogArray, R2: LogArray) -> LogArray:
    """Return rho_p2s(R1, R2), the density of resonant pairs of pseudo-spins, Eq. (12)."""
    return pseudospin_density(p, R1) * resonant_pseudospins(p, R1, R2)


def resonant_pseudo2spins(
    p: SpinModel[LogArray], R1: LogArray, R2: LogArray, R3: LogArray
) -> LogArray:
    """Return N3(R1, R2, R3), the pseudo2-spins at R3 >= R2 in resonance with one, Eq. (13)."""
    return pseudo2spin_density(p, R1, R2) * R3**p.d * (R2 / R3) ** p.beta


def peak_resonant_pseudo2spins(p: SpinModel[Quantity], R2: Quantity) -> Quantity:
    """Return N3(R1_th, R2, R2), the largest N3 for beta > d and alpha > 2d, Eq. (14)."""
    base = p.t * p.V * p.rho**4 * p.T**2 / p.W**4
    return base * thermal_pseudospin_size(p) ** (2 * p.d - p.alpha) * R2 ** (2 * p.d - p.beta)


def thermal_pseudospin_size(p: SpinModel[Quantity]) -> Quantity:
    """Return R1_th, the size of the pseudo-spins that split by T: t/R1_th**alpha = T, Eq. (15)."""
    return (p.t / p.T) ** (1 / p.alpha)


def thermal_pseudo2spin_size(p: SpinModel[Quantity]) -> Quantity:
    """Return R2_th = R2*(R1_th), where V/R2_th**beta = T; below Eq. (59).

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=5, beta=3, T=1e-3, V=0.3)
    >>> same = interaction_radius(p, thermal_pseudospin_size(p)) / thermal_pseudo2spin_size(p)
    >>> float(abs(same.ln).round(12))
    0.0
    """
    return (p.V / p.T) ** (1 / p.beta)


def optimal_pseudospin_size(p: SpinModel[Quantity]) -> Quantity:
    """Return R1(T), the size of a pseudo-spin at which its network just connects.

    Smaller pseudo-spins are disconnected and localized, larger ones conduct::

        R1(T) = [(T t rho**2 / W**2) (V / t)**(d / beta)] ** (-beta / D)
        D = (alpha + beta) d - alpha beta

    Parameters
    ----------
    p
        The model, in region IIb or IIc: ``D > 0`` and ``beta >= d``.

    Returns
    -------
    Quantity
        A length.

    References
    ----------
    Gutman et al. (2016), Eq. (21); from Eq. (10) by setting N2 = 1.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=3, alpha=4, beta=3.5, T=1e-4)
    >>> float(peak_resonant_pseudospins(p, optimal_pseudospin_size(p)).value.round(12))
    1.0
    """
    base = p.t * p.rho**2 / p.W**2 * (p.V / p.t) ** (p.d / p.beta) * p.T
    return base ** (-p.beta / p.D)


def optimal_energy(p: SpinModel[Quantity]) -> Quantity:
    """Return E* = t / R1(T)**alpha, the energy of the excitations of that network, Eq. (24)."""
    return p.t / optimal_pseudospin_size(p) ** p.alpha


def delocalization_length(p: SpinModel[Quantity]) -> Quantity:
    """Return Lc = R2*(R1(T)), the spacing of the optimal pseudo-spins, below Eq. (67)."""
    return interaction_radius(p, optimal_pseudospin_size(p))


def spins_per_pseudospin(p: SpinModel[Quantity]) -> Quantity:
    """Return Ns = rho Lc**d T / W, the thermal spins in a volume of size Lc, Eq. (69).

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> per_spin = resonant_spins(p, optimal_pseudospin_size(p))
    >>> float((spins_per_pseudospin(p) * per_spin).value.round(9))
    1.0
    """
    return p.rho * delocalization_length(p) ** p.d * p.T / p.W


def optimal_pseudo2spin_size(p: SpinModel[Quantity]) -> Quantity:
    """Return R2(T), the size of a pseudo2-spin at which their network just connects.

    ::

        R2(T) = [W**4 / (V rho**4) t**(-2d/alpha) T**(-(3 alpha - 2d)/alpha)] ** (1/(2d - beta))

    Parameters
    ----------
    p
        The model, in region IIc or III: ``alpha > 2d`` and ``d <= beta < 2d``.

    Returns
    -------
    Quantity
        A length.

    References
    ----------
    Gutman et al. (2016), Eq. (50); from Eq. (14) by setting N3 = 1.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=6, beta=3.5, T=1e-4)
    >>> float(peak_resonant_pseudo2spins(p, optimal_pseudo2spin_size(p)).value.round(12))
    1.0
    """
    a, d = p.alpha, p.d
    base = p.W**4 / (p.V * p.rho**4) * p.t ** (-2 * d / a) * p.T ** ((2 * d - 3 * a) / a)
    return base ** (1 / (2 * d - p.beta))


def optimal_pseudo2spin_energy(p: SpinModel[Quantity]) -> Quantity:
    """Return E2* = V / R2(T)**beta, the energy of that network's excitations, above Eq. (51)."""
    return p.V / optimal_pseudo2spin_size(p) ** p.beta


def threshold_temperature(p: SpinModel[Quantity], L: Quantity) -> Quantity:
    """Return Tc(L), where Lc = L: below it a sample of size L is localized, Eq. (65).

    ::

        Tc = W**2 / (t rho**2) (t/V)**(d/beta) [(V/t)**(1/beta) / L] ** (D/alpha)

    For pseudo-spins, in regions IIb and IIc. Nothing keeps Tc below W in a small sample.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> float((threshold_temperature(p, delocalization_length(p)) / p.T).value.round(9))
    1.0
    """
    size = (p.V / p.t) ** (1 / p.beta) / L
    return p.W**2 / (p.t * p.rho**2) * (p.t / p.V) ** (p.d / p.beta) * size ** (p.D / p.alpha)


def threshold_energy(p: SpinModel[Quantity], L: Quantity) -> Quantity:
    """Return Ec(L) = rho L**d Tc**2 / W ~ L**gamma, gamma = 2 beta (alpha - d)/alpha - d.

    Eqs. (66), (67); the printed Eq. (66) leaves out rho, which the number of spins needs.
    """
    return p.rho * L**p.d * threshold_temperature(p, L) ** 2 / p.W


def threshold_temperature_pseudo2(p: SpinModel[Quantity], L: Quantity) -> Quantity:
    """Return Tc(L) for pseudo2-spins, where R2(T) = L: regions IIc and III, Eq. (71).

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=6, beta=3.5, T=1e-3)
    >>> R2 = optimal_pseudo2spin_size(p)
    >>> float((threshold_temperature_pseudo2(p, R2) / p.T).value.round(9))
    1.0
    """
    a, d = p.alpha, p.d
    base = p.W**4 / (p.V * p.rho**4) * p.t ** (-2 * d / a) / L ** (2 * d - p.beta)
    return base ** (a / (3 * a - 2 * d))


def threshold_energy_pseudo2(p: SpinModel[Quantity], L: Quantity) -> Quantity:
    """Return Ec(L) = rho L**d Tc**2 / W ~ L**gamma2 for pseudo2-spins, Eqs. (72), (73).

    Corrected: gamma2 = (2 alpha beta - alpha d - 2 d**2)/(3 alpha - 2 d). Eq. (73) prints
    alpha beta + alpha d - 2 d**2, which belongs to L**d Tc and not to the L**d Tc**2 of (72).
    """
    return p.rho * L**p.d * threshold_temperature_pseudo2(p, L) ** 2 / p.W
