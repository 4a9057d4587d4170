"""How the nearly localized metal depends on temperature, Gopalakrishnan and Nandkishore (2014).

Section V C. A dot of level spacing Delta, conductance g and interaction lambda has

    delta_m = Delta**3 / T**2,   Xi = 1 / ln(g delta_m / (lambda Delta)),   s ~ T.

Xi grows with T; the sentence above Eq. (28), that it decreases, contradicts this formula.
hbar = k_B = 1, prefactors are 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.powers import Array, LogArray


def level_spacing(T: ArrayLike, Delta: ArrayLike) -> Array:
    """Return delta_m = Delta**3 / T**2, the spacing of what one interaction reaches, Sec. V C."""
    T, Delta = np.asarray(T, dtype=np.float64), np.asarray(Delta, dtype=np.float64)
    return np.asarray(Delta * (Delta / T) ** 2)


def fock_space_length(T: ArrayLike, Delta: ArrayLike, g: ArrayLike, lambda_: ArrayLike) -> Array:
    """Return Xi(T) = 1/ln(g Delta**2 / (lambda T**2)); infinite or negative if T is too high."""
    g, lambda_ = np.asarray(g, dtype=np.float64), np.asarray(lambda_, dtype=np.float64)
    ratio = g / lambda_ * (np.asarray(Delta) / np.asarray(T)) ** 2
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.log(ratio))


def transition_temperature(
    Delta: ArrayLike, g: ArrayLike, lambda_: ArrayLike, K: ArrayLike
) -> Array:
    """Return T_0 = Delta (g / (lambda K))**(1/2), at which Xi ln K = 1 for a single dot.

    Examples
    --------
    >>> T0 = transition_temperature(Delta=2.0, g=8.0, lambda_=0.5, K=4.0)
    >>> float((fock_space_length(T0, 2.0, 8.0, 0.5) * np.log(4.0)).round(12))
    1.0
    """
    root = np.sqrt(np.asarray(g, dtype=np.float64) / (np.asarray(lambda_) * np.asarray(K)))
    return np.asarray(Delta * root)


def eps_of_temperature(T_over_T0: ArrayLike, K: ArrayLike) -> Array:
    """Return eps = 2 ln(T/T_0) / ln K; exact with Xi(T) of this section.

    Examples
    --------
    >>> T0 = transition_temperature(Delta=1.0, g=30.0, lambda_=0.1, K=3.0)
    >>> Xi = fock_space_length(1.5 * T0, 1.0, 30.0, 0.1)
    >>> float((eps_of_temperature(1.5, 3.0) + 1 / (Xi * np.log(3.0))).round(12))
    1.0
    """
    return np.asarray(2 * np.log(T_over_T0) / np.log(K))


def temperature_of_eps(eps: ArrayLike, K: ArrayLike) -> Array:
    """Return T/T_0 = K**(eps/2), the inverse of `eps_of_temperature`."""
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(K, dtype=np.float64) ** (np.asarray(eps) / 2))


def lowest_temperature_of_saddle_point(*, as_printed: bool = False) -> float:
    """Return T/T_0 above which the saddle point holds, Eqs. (C7), (29).

    exp(1/4) = 1.284, whatever K; the printed 5/4 expands the logarithm of `eps_of_temperature`.
    """
    return 1.25 if as_printed else float(np.exp(0.25))


def saddle_point_linewidth(
    T: ArrayLike,
    T0: ArrayLike,
    K: ArrayLike,
    gamma: ArrayLike,
    Delta: ArrayLike,
    *,
    as_printed: bool = False,
) -> LogArray:
    """Return Gamma(T), and with it the conductivity, at the saddle point; in units of delta_m.

    ::

        Gamma ~ (gamma T**(5/2) / Delta**(7/2))**(1/eps),  1/eps = ln K / (2 ln(T/T_0))
                                                           1/eps = T_0 ln K / (2 (T - T_0)) printed

    Equation (C5) to logarithmic accuracy, with s N d**d = T/Delta. As printed the exponent is
    expanded around T_0, and the base, with Delta**3, is not a pure number unless Delta = 1.

    Parameters
    ----------
    T, T0
        Temperature and `transition_temperature`.
    K, gamma, Delta
        Branching number, coupling, level spacing; all energies in one unit.
    as_printed
        Equation (28) to the letter.

    Returns
    -------
    LogArray
        Gamma; NaN for T <= T0. It makes sense where the base is below 1.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (28).

    Examples
    --------
    >>> near = [saddle_point_linewidth(1.001, 1, 3, 0.1, 1, as_printed=p).ln for p in (True, False)]
    >>> bool(abs(near[0] / near[1] - 1) < 1e-3)  # the same law close to T_0
    True
    """
    T, T0, Delta = (np.asarray(v, dtype=np.float64) for v in (T, T0, Delta))
    with np.errstate(divide="ignore"):
        base = np.log(gamma) + 2.5 * np.log(T) - (3.0 if as_printed else 3.5) * np.log(Delta)
        distance = (T - T0) / T0 if as_printed else np.log(T / T0)
        above = np.where(T > T0, distance, np.nan)
        return LogArray(np.asarray(base * np.log(K) / (2 * above)))
