"""Where the mean-field theory of the nearly localized metal holds.

Gopalakrishnan and Nandkishore (2014), Sec. V B and App. C. Each function is one assumption; every
"<<" of the paper became "<", so that a point close to a border is called valid too readily.
Energies are in units of delta_m; functions of arrays that broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delocal.physics.coupled_dots import CoupledDots
from delocal.physics.powers import Array, LogArray

Flags = NDArray[np.bool_]


def weakly_coupled(dots: CoupledDots, z: ArrayLike) -> Flags:
    """Whether ``gamma < min(exp(-1/Xi), 1/z)`` for z neighbours, Eq. (23).

    Else spectral lines of different neighbours overlap, or the coupling acts to higher orders.
    """
    return np.asarray(dots.ln_gamma < -np.maximum(1 / dots.Xi, np.log(z)))


def golden_rule_holds(dots: CoupledDots, z: ArrayLike) -> Flags:
    """Whether ``gamma > z**(1/2) N K**-N``, Eq. (24): the matrix element exceeds the spacing."""
    return np.asarray(dots.ln_gamma > 0.5 * np.log(z) + _ln_spacing(dots))


def in_coupling_window(dots: CoupledDots, z: ArrayLike) -> Flags:
    """Whether the coupling is neither too strong nor too weak, Eq. (25)."""
    return weakly_coupled(dots, z) & golden_rule_holds(dots, z)


def self_averaging(dots: CoupledDots, Gamma: LogArray) -> Array:
    """Return ``(Gamma/gamma) ln**(2d)(gamma/Gamma)``, which Eq. (26) wants much below 1.

    Else the lines of the bath wander over all their range while a level decays. For d = 1 it is
    at most 4/e**2 = 0.54 for Gamma < gamma, and no less than 0.41 over most of Fig. 8.

    Examples
    --------
    >>> dots = CoupledDots.of(eps=0.5, gamma=0.1)
    >>> value = self_averaging(dots, LogArray(dots.ln_gamma - 2))
    >>> bool(np.isclose(value, 4 / np.e**2))
    True
    """
    ln = np.minimum(Gamma.ln - dots.ln_gamma, 700.0)
    with np.errstate(invalid="ignore"):
        value = np.exp(ln) * np.abs(ln) ** (2 * dots.d)
    return np.asarray(np.where(np.isneginf(ln), 0.0, value))


def in_linewidth_window(dots: CoupledDots, Gamma: LogArray) -> Flags:
    """Whether ``N K**-N < Gamma < gamma``, Eq. (27).

    Else the line is sharper than the levels of a dot are spaced, or the bath is smooth.
    """
    return np.asarray((_ln_spacing(dots) < Gamma.ln) & (Gamma.ln < dots.ln_gamma))


def saddle_point_coupling(dots: CoupledDots) -> Array:
    """Return ``gamma**2 s N d**d``, which the first of Eqs. (C6) wants below 1."""
    return np.asarray(dots.gamma**2 * dots.n_c)


def saddle_point_lowest_eps(dots: CoupledDots, *, as_printed: bool = False) -> Array:
    """Return the eps at which Eq. (C5) reaches the level spacing N K**-N, the second of Eqs. (C6).

    ::

        eps > ln(1 / (gamma n_c**(1/2))) / (N ln K - ln(N n_c))
        eps > ln(1 / (gamma s N)) / (N ln K)      as printed

    The first follows from (C5) and (27). Infinite where ``K**N <= N n_c``: there is no window.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from delocal.physics.saddle_point import leading_log_linewidth
    >>> dots = CoupledDots.of(eps=0.0, gamma=0.1)
    >>> lowest = replace(dots, eps=saddle_point_lowest_eps(dots))
    >>> spacing = dots.N * dots.K**-dots.N
    >>> float((leading_log_linewidth(lowest).value / spacing).round(12))
    1.0
    """
    if as_printed:
        return np.asarray(-(dots.ln_gamma + np.log(dots.sN)) / (dots.N * dots.lnK))
    spacings = -_ln_spacing(dots) - np.log(dots.n_c)
    with np.errstate(divide="ignore", invalid="ignore"):
        lowest = -(dots.ln_gamma + np.log(dots.n_c) / 2) / spacings
    return np.asarray(np.where(spacings > 0, lowest, np.inf))


def saddle_point_consistent(dots: CoupledDots) -> Flags:
    """Whether Eq. (C5) obeys Eq. (27), up to logarithms: Eqs. (C6), the second one corrected."""
    return (
        (saddle_point_coupling(dots) < 1) & (saddle_point_lowest_eps(dots) < dots.eps)
    ) & np.asarray(dots.eps < 1)


def saddle_point_holds(dots: CoupledDots) -> Flags:
    """Whether ``1/(2 ln K) < eps < 1``: the terms at N_c dominate the sum, Eq. (C7)."""
    return np.asarray((1 / (2 * dots.lnK) < dots.eps) & (dots.eps < 1))


def _ln_spacing(dots: CoupledDots) -> Array:
    """Return ln(N K**-N), the spacing of the many-body levels of a dot over delta_m."""
    return np.asarray(np.log(dots.N) - dots.N * dots.lnK)
