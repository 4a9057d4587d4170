"""What hot electrons carry: their density above eps_th(T), sigma(T) and its activation energy.

Gornyi, Mirlin, Mueller, Polyakov (2017), Eqs. (17) to (19) and (29). Both the charge and the
energy current are limited by the number of delocalized electrons, so that sigma(T) vanishes
like exp[-(eps_th - eF)/T] with an eps_th that itself grows as T falls: faster than any
Arrhenius law. Prefactors of sigma are not given by the theory.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

from delocal.physics.continuum_disorder import (
    density_of_states,
    transport_time,
    velocity,
    wavevector,
)
from delocal.physics.hot_cold import (
    HotCold,
    coordination_number,
    coupling_constant,
    growth_of_hot_length,
    growth_of_resonance,
    hot_length,
    hot_spacing,
    mott_length,
)
from delocal.physics.hot_cold_threshold import Criterion, MobilityEdge
from delocal.physics.powers import LogArray


def suppression(p: HotCold, found: MobilityEdge) -> LogArray:
    """Return (eps_th - eF)/T, which is -ln sigma, Eqs. (18) and (29).

    sigma is normalized to its prefactor, which the theory does not give.
    """
    return found.above / p.T


def hot_density(p: HotCold, found: MobilityEdge) -> LogArray:
    """Return n_h, the number of delocalized electrons per volume and spin, Eq. (17).

    ::

        n_h = T rho(eps_th) exp[-(eps_th - eF)/T],    rho = 1/(pi sqrt(2 eps/m)) in 1D

    for eps_th - eF >> T. The number has the density of states at eps_th, see
    `hot_density_integral`; in two dimensions rho is constant, m/(2 pi).
    """
    rho = density_of_states(p.medium, found.eps)
    return LogArray((p.T * rho).ln - suppression(p, found).value)


def hot_density_integral(p: HotCold, found: MobilityEdge) -> LogArray:
    """Return the integral of rho(eps) exp[-(eps - eF)/T] over eps > eps_th, which Eq. (17) cuts.

    In 1D it is Eq. (17) times sqrt(pi x) exp(x) erfc(sqrt(x)) = 1 - 1/(2x) + ... with
    x = eps_th/T; in 2D it is Eq. (17).
    """
    if p.medium.D == 2:
        return hot_density(p, found)
    x = found.eps / p.T
    root = x.sqrt().value
    exact = np.where(root < 1e7, math.sqrt(math.pi) * root * erfcx(np.minimum(root, 1e7)), 1.0)
    return hot_density(p, found) * LogArray.of(exact)


def activation_energy(
    p: HotCold, found: MobilityEdge, criterion: Criterion = "resonance"
) -> LogArray:
    """Return E_act = -d ln sigma / d(1/T), the slope of an Arrhenius plot, exactly.

    ::

        E_act = eps_th - eF - T d eps_th/dT
        -d ln eps_th/d ln T = (3 - D/ln(Delta_c/T)) / (d ln eta_hc/d ln eps)         resonance

    and, for the Bethe criterion, with d ln(ln N_eff) added above and below. It grows as T falls:
    transport is superactivated. With exponential disorder in 1D eps_th ~ T**-3, and
    E_act/(eps_th - eF) -> 4.

    Follows from Eqs. (13), (18), (26).
    """
    eps, D = found.eps, p.medium.D
    inverse = 1 / p.mott.value
    fall, growth = 3 - D * inverse, growth_of_resonance(p, eps)
    if criterion == "bethe":
        ln_N = coordination_number(p, eps).ln
        weight = np.where(ln_N > 1, 1 / ln_N, 0)
        fall = fall + weight * (2 - (D - 1) * inverse)
        growth = growth + weight * D * growth_of_hot_length(p, eps)
    rise = LogArray.where_positive(fall / growth)
    return found.above * (eps * rise / found.above).plus_one()


def level_width(p: HotCold, eps: LogArray, eta: LogArray) -> LogArray:
    """Return 1/(tau_hc Delta_h), the width of hot levels over their spacing.

    1/tau_hc = V_hc**2/Delta_3hc and V_hc = eta_hc Delta_3hc make it eta_hc**2/N_eff. It is small
    where N_eff is large: hot levels stay resolved, and transport is hopping, not diffusion of
    waves. Eq. (19).
    """
    return eta**2 / coordination_number(p, eps)


def assumptions_hold(p: HotCold, found: MobilityEdge) -> NDArray[np.bool_]:
    """Whether every ">>" that the derivation needs is at least a ">", at the threshold.

    Hot and cold: eps_th - eF > T, Delta_h < T, N_eff > 1. Dipoles: l_M < xi_h, l_M < v_h/T. Weak
    interaction: alpha < 1. Weak disorder: k_F xi_c > 1, or k_F v_F tau > 1 in two dimensions.
    """
    eps, medium = found.eps, p.medium
    l_M, k_F = mott_length(p).ln, wavevector(medium, p.eF)
    path = p.xi_c if medium.D == 1 else velocity(medium, p.eF) * transport_time(medium, p.eF)
    return np.asarray(
        (found.above.ln > p.T.ln)
        & (hot_spacing(p, eps).ln < p.T.ln)
        & (coordination_number(p, eps).ln > 0)
        & (l_M < hot_length(p, eps).ln)
        & (l_M < (velocity(medium, eps) / p.T).ln)
        & (coupling_constant(p, eps).ln < 0)
        & ((k_F * path).ln > 0)
    )
