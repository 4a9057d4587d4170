"""Thresholds of hot electrons as the paper prints them, to leading logarithm, for comparison.

Gornyi, Mirlin, Mueller, Polyakov (2017), Eqs. (14), (15), (28) and (30), and the critical
temperature that Fig. 2 marks. `hot_cold_threshold` has the exact solutions. Prefactors are one.
"""

from __future__ import annotations

import math

import numpy as np

from delocal.physics.continuum_disorder import transport_time
from delocal.physics.hot_cold import HotCold, chi, coupling_constant
from delocal.physics.powers import Array, LogArray


def leading_threshold(p: HotCold) -> LogArray:
    """Return eps_th as printed: leading logarithms, prefactors one.

    ::

        lorentz      eps_0 ln(chi)**2                                              Eq. (14)
        exponential  eps_0 chi                                                     Eq. (15)
        2d           eF + ln[(Delta_c/T)**3/alpha] / (2 pi tau)                    Eq. (28)
        2d-field     sqrt(eF**2 + ln[(Delta_c/T)**3/alpha] / (2 pi**2 tau**2))     with Eq. (30)

    In a field the paper says that (28) holds with the square root of its logarithm, see
    `printed_threshold_in_field`: that drops eF against the square root and a factor sqrt(2).
    NaN where the paper prints none: white noise in 1D, smooth disorder in 2D.
    """
    medium, ratio = p.medium, chi(p)
    if medium.D == 1:
        if medium.disorder == "exponential":
            return medium.eps_0 * ratio
        squared = 2 * LogArray.where_positive(ratio.ln).ln
        return LogArray(medium.eps_0.ln + (squared if medium.disorder == "lorentz" else np.nan))
    if medium.disorder != "white":
        return LogArray(np.full(ratio.ln.shape, np.nan))
    logarithm, tau = _printed_logarithm(p), transport_time(medium, p.eF)
    if medium.geometry == "2d":
        return LogArray.of(p.eF.value + logarithm / (2 * math.pi * tau.value))
    return LogArray.of(np.sqrt(p.eF.value**2 + logarithm / (2 * (math.pi * tau.value) ** 2)))


def printed_threshold_in_field(p: HotCold) -> LogArray:
    """Return Eq. (28) with the square root of its logarithm, as the text below Eq. (30) has it.

    It is not what Eqs. (26) and (30) give; kept for comparison with `leading_threshold`.
    """
    tau = transport_time(p.medium, p.eF).value
    return LogArray.of(p.eF.value + np.sqrt(_printed_logarithm(p)) / (2 * math.pi * tau))


def critical_temperature_of_constant_length(p: HotCold) -> LogArray:
    """Return T_c = Delta_c/(alpha ln(1/alpha)), where localization would end were xi constant.

    The scale of the transition in Fig. 2 after its refs. [3, 4]; the number of order one in
    front is not known. alpha is taken at the Fermi level; NaN for alpha >= 1.
    """
    alpha = coupling_constant(p, p.eF)
    return p.Delta_c / (alpha * LogArray.where_positive(-alpha.ln))


def _printed_logarithm(p: HotCold) -> Array:
    """Return ln[(Delta_c/T)**3/alpha] of Eq. (28)."""
    return np.asarray(-3 * p.cold.ln - coupling_constant(p, p.eF).ln)
