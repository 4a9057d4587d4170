"""Thermal conductivity, channel by channel, Gutman et al. (2016), Secs. III to V, VII, IX, S-A.

Prefactors are 1: every "~" became "=". Each function takes numbers or exponents, as in
`scales`. kappa is an energy times length**(2 - d), with hbar = k_B = 1.

Where beta <= 1 + d/2 the true kappa is infinite and the values are formal.
"""

from __future__ import annotations

import numpy as np

from delocal.physics.parameters import SpinModel
from delocal.physics.powers import Array, LogArray, Quantity
from delocal.physics.scales import (
    delocalization_length,
    interaction_radius,
    optimal_energy,
    optimal_pseudo2spin_energy,
    optimal_pseudo2spin_size,
    optimal_pseudospin_size,
    peak_resonant_pseudo2spins,
    peak_resonant_pseudospins,
    thermal_pseudo2spin_size,
    thermal_pseudospin_size,
)


def kappa_optimal(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa* = (E*)**3 / T**2 Lc**(2-d) of the optimal pseudo-spin network.

    Regions IIb and IIc. Eq. (23); its temperature exponent is Eq. (26).
    """
    return optimal_energy(p) ** 3 / p.T**2 * delocalization_length(p) ** (2 - p.d)


def kappa_of_network(p: SpinModel[Quantity], R1: Quantity) -> Quantity:
    """Return kappa(R1) of a connected network of pseudo-spins of size R1 >= R1(T).

    ::

        kappa(R1) = E**3 / T**2 N2 (R2*)**(2-d),   E = N2**(1/2) t / R1**alpha,   N2 = N2(R1, R2*)

    Eqs. (22), (43); at R1(T) it is kappa*. Regions IIb and IIc.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> ratio = kappa_of_network(p, optimal_pseudospin_size(p)) / kappa_optimal(p)
    >>> float(ratio.value.round(9))
    1.0
    """
    N2 = peak_resonant_pseudospins(p, R1)
    E = N2.sqrt() * p.t / R1**p.alpha
    return E**3 / p.T**2 * N2 * interaction_radius(p, R1) ** (2 - p.d)


def kappa_infrared(p: SpinModel[LogArray]) -> LogArray:
    """Return the sum of kappa(R1) over all networks with R1 > R1(T), Eq. (44).

    ::

        int_{R1(T)}^inf dR1/R1 kappa(R1) = kappa* / (-q)
        q = [alpha (4 + 3d) + 5 d beta - 11 alpha beta] / (2 beta)

    Infinite where q >= 0, which is where Eq. (45) fails.
    """
    a, b, d = p.alpha, p.beta, p.d
    q = (a * (4 + 3 * d) + 5 * d * b - 11 * a * b) / (2 * b)
    return kappa_optimal(p) / LogArray.of(np.maximum(-q, 0.0))


def kappa_assisted(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa_ps of thermal pseudo-spins that flip assisted by the optimal network.

    ::

        kappa_ps = kappa* (R1_th / R1(T)) ** (d - 2 - 3 alpha + 2 beta)

    Regions IIb and IIc. Eq. (36), the lower limit of (34) without its prefactor; its
    temperature exponent is Eq. (38).
    """
    ratio = thermal_pseudospin_size(p) / optimal_pseudospin_size(p)
    return kappa_optimal(p) * ratio ** (p.d - 2 - 3 * p.alpha + 2 * p.beta)


def kappa_assisted_integral(p: SpinModel[LogArray]) -> LogArray:
    """Return the integral (34) over pseudo-spins of all sizes from R1_th to R1(T).

    ::

        kappa_loc = kappa* int_{R1_th}^{R1(T)} dR1/R1 (R1/R1(T))**p = kappa* (x**p - 1)/(-p)
        x = R1_th / R1(T),   p = d - 2 - 3 alpha + 2 beta < 0

    Regions IIb and IIc; NaN where R1_th > R1(T), the integral being empty.
    """
    power = p.d - 2 - 3 * p.alpha + 2 * p.beta
    ratio = thermal_pseudospin_size(p) / optimal_pseudospin_size(p)
    return kappa_optimal(p) * LogArray(_ln_expm1(power * ratio.ln)) / LogArray.of(-power)


def kappa_spins(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa_s of thermal spins that flip assisted by the optimal network.

    ::

        kappa_s = T (t rho / W)**((2 alpha - 2 + d)/d) R1(T) ** (-alpha (2 alpha - d - 2)/d)

    Regions IIb and IIc, spectral diffusion left out. Eq. (S-A.9).
    """
    a, d = p.alpha, p.d
    base = p.T * (p.t * p.rho / p.W) ** ((2 * a - 2 + d) / d)
    return base * optimal_pseudospin_size(p) ** (-a * (2 * a - d - 2) / d)


def kappa_spectral_diffusion(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa_sd = T (t rho / W)**2 R1(T) ** (d - 2 alpha + 2) of spectral diffusion.

    Regions IIb and IIc. Eq. (77). Corrected: its temperature exponent is
    1 + beta (2 alpha - d - 2)/D, while Eq. (78) prints the opposite sign of the second term
    although (77) with (21) and the paper's own (81) to (83) give this one.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=3, beta=2.5, T=1e-3)
    >>> Eq79 = (p.T / optimal_energy(p)) ** 2 * kappa_optimal(p)
    >>> Eq79 *= (optimal_pseudospin_size(p) / delocalization_length(p)) ** 2
    >>> float((kappa_spectral_diffusion(p) / Eq79).value.round(9))
    1.0
    """
    base = p.T * (p.t * p.rho / p.W) ** 2
    return base * optimal_pseudospin_size(p) ** (p.d - 2 * p.alpha + 2)


def kappa_optimal_pseudo2(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa2* = (E2*)**3 / T**2 R2(T)**(2-d) of the optimal pseudo2-spin network.

    Regions IIc and III. Eq. (51); its temperature exponent is Eq. (52).
    """
    R2 = optimal_pseudo2spin_size(p)
    return optimal_pseudo2spin_energy(p) ** 3 / p.T**2 * R2 ** (2 - p.d)


def kappa_assisted_pseudo2(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa_ps2 = kappa2* (R2(T)/R2_th)**(beta - d + 2) of thermal pseudo2-spins.

    Regions IIc and III. Eq. (60); its temperature exponent is Eq. (61).
    """
    ratio = optimal_pseudo2spin_size(p) / thermal_pseudo2spin_size(p)
    return kappa_optimal_pseudo2(p) * ratio ** (p.beta - p.d + 2)


def kappa_assisted_pseudo2_integral(p: SpinModel[LogArray]) -> LogArray:
    """Return the integral (59) over the sizes R1 and R2 of all pseudo2-spins.

    ::

        kappa2* int_{R2_th}^{R2(T)} dR2/R2 int_{R1_th}^{R1*(R2)} dR1/R1 (R1_th/R1)**q (R2(T)/R2)**s
            = kappa2* y**s / q {[1 - y**-s]/s - [1 - y**-(s + c)]/(s + c)}
        y = R2(T)/R2_th,  s = beta - d + 2,  q = (alpha - 2d)(d + 2 beta - 2)/d,  c = q beta/alpha

    Regions IIc and III; NaN where R2_th > R2(T), the integral being empty. Corrected: the
    second line of Eq. (59) prints no dR1/R1, which the first has. The braces cancel as
    alpha -> 2d, where some digits are lost.
    """
    a, b, d = p.alpha, p.beta, p.d
    s, q = b - d + 2, (a - 2 * d) * (d + 2 * b - 2) / d
    total = s + q * b / a
    y = (optimal_pseudo2spin_size(p) / thermal_pseudo2spin_size(p)).ln
    with np.errstate(over="ignore", invalid="ignore"):
        braces = np.expm1(-total * y) / total - np.expm1(-s * y) / s
        factor = LogArray(s * y + np.log(np.where(y < 0, np.nan, braces / q)))
    return kappa_optimal_pseudo2(p) * factor


def kappa_of_pseudo2_network(p: SpinModel[Quantity], R2: Quantity) -> Quantity:
    """Return kappa(R2) of a connected network of pseudo2-spins of size R2 >= R2(T), Eq. (63).

    ::

        kappa(R2) = V**3 / T**2 R2**(2 - d - 3 beta) N3(R1_th, R2, R2)**(5/2)

    It goes as R2**((8d + 4 - 11 beta)/2), corrected: Eq. (63) prints 8d + 2 in its second
    form. Regions IIc and III.
    """
    N3 = peak_resonant_pseudo2spins(p, R2)
    return p.V**3 / p.T**2 * R2 ** (2 - p.d - 3 * p.beta) * N3.sqrt() ** 5


def kappa_infrared_pseudo2(p: SpinModel[LogArray]) -> LogArray:
    """Return the sum of kappa(R2) over all networks with R2 > R2(T), Eq. (62).

    ::

        int_{R2(T)}^inf dR2/R2 kappa(R2) = kappa2* / (-q),   q = (8d + 4 - 11 beta)/2

    Infinite where q >= 0. Corrected: see `kappa_of_pseudo2_network`.
    """
    q = (8 * p.d + 4 - 11 * p.beta) / 2
    return kappa_optimal_pseudo2(p) / LogArray.of(np.maximum(-q, 0.0))


def kappa_spectral_diffusion_pseudo2(p: SpinModel[Quantity]) -> Quantity:
    """Return kappa_sd2 = (T/E2*)**2 kappa2* = V R2(T)**(2 - d - beta), Eqs. (84), (85).

    The paper states it for region III; its use in IIc is this project's extension.

    Examples
    --------
    >>> from delocal.physics.parameters import spin_model
    >>> p = spin_model(d=2, alpha=6, beta=3.5, T=1e-3)
    >>> Eq84 = (p.T / optimal_pseudo2spin_energy(p)) ** 2 * kappa_optimal_pseudo2(p)
    >>> float((kappa_spectral_diffusion_pseudo2(p) / Eq84).value.round(9))
    1.0
    """
    return p.V * optimal_pseudo2spin_size(p) ** (2 - p.d - p.beta)


def _ln_expm1(u: Array) -> Array:
    """Return ln(e**u - 1) without overflow; NaN for u < 0."""
    with np.errstate(all="ignore"):
        return np.asarray(u + np.log(-np.expm1(-u)))
