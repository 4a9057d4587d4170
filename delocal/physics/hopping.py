"""Mott's hopping conductivities: what any theory without a bath of phonons is compared with.

Electrons localized over zeta with nu states per volume and energy have the level spacing
``delta = 1 / (nu zeta**d)`` in a localization volume. Prefactors sigma0, sigma1 and the power
alpha depend on the bath.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.powers import LogArray


def dc_conductivity(
    d: ArrayLike,
    T: ArrayLike,
    delta: ArrayLike = 1.0,
    alpha: ArrayLike = 0.0,
    sigma0: ArrayLike = 1.0,
    beta: ArrayLike = 1.0,
) -> LogArray:
    """Return sigma(T) of variable-range hopping, at every T > 0; it is meant for T < delta.

    ``sigma = sigma0 (T/delta)**alpha exp(-(beta delta / T)**(1/(d + 1)))``. The paper sets beta
    to 1; percolation gives 13.9 in two dimensions and 17 in three, in ``exp(-2 r/a)`` with
    a = zeta, see `mott_percolation`.

    References
    ----------
    Basko, Aleiner, Altshuler (2006b), Eq. (6), after Mott (1968).

    Examples
    --------
    >>> hot, cold = dc_conductivity(2, [1.0, 1 / 27], alpha=0.5).ln
    >>> float(round(hot, 12)), float(round(cold + 0.5 * np.log(27), 12))
    (-1.0, -3.0)
    """
    over = LogArray.of(T) / LogArray.of(delta)
    power = over ** np.asarray(alpha, dtype=np.float64)
    return LogArray((LogArray.of(sigma0) * power).ln - _exponent(d, T, delta, beta).value)


def ac_conductivity(
    d: ArrayLike, omega: ArrayLike, delta: ArrayLike = 1.0, sigma1: ArrayLike = 1.0
) -> LogArray:
    """Return the dissipative sigma(omega) at T = 0, for abs(omega) < delta; NaN elsewhere.

    ``sigma = sigma1 (omega/delta)**2 ln(delta / abs(omega))**(d + 1)``: pairs of levels a
    distance zeta ln(delta/omega) apart absorb. It vanishes at omega = 0 and omega = delta.

    References
    ----------
    Basko, Aleiner, Altshuler (2006b), Eq. (7), after Mott (1968).

    Examples
    --------
    >>> float(ac_conductivity(1, np.exp(-2)).value.round(9)), float(round(4 * np.exp(-4), 9))
    (0.073262556, 0.073262556)
    """
    over = LogArray.of(np.abs(omega)) / LogArray.of(delta)
    d = np.asarray(d, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = LogArray(np.where(over.ln < 0, np.log(-over.ln), np.nan))
        ln = (LogArray.of(sigma1) * over**2 * logarithm ** (d + 1)).ln
    zero = np.isneginf(over.ln)  # the square wins over the logarithm
    return LogArray(np.asarray(np.where(zero, -np.inf, ln)))


def hop_energy(
    d: ArrayLike, T: ArrayLike, delta: ArrayLike = 1.0, beta: ArrayLike = 1.0
) -> LogArray:
    """Return the energy of a typical hop, T times the exponent: ``T (beta delta/T)**(1/(d+1))``.

    Examples
    --------
    >>> energy, length = hop_energy(3, 1e-4), hop_length(3, 1e-4)
    >>> float((energy * length**3).value.round(12))  # a hop finds one level: delta zeta**d
    1.0
    """
    return LogArray.of(T) * _exponent(d, T, delta, beta)


def hop_length(
    d: ArrayLike, T: ArrayLike, delta: ArrayLike = 1.0, beta: ArrayLike = 1.0
) -> LogArray:
    """Return the length of a typical hop in units of zeta: ``(beta delta/T)**(1/(d+1))``."""
    return _exponent(d, T, delta, beta)


def _exponent(d: ArrayLike, T: ArrayLike, delta: ArrayLike, beta: ArrayLike) -> LogArray:
    ratio = LogArray.of(beta) * LogArray.of(delta) / LogArray.of(T)
    return ratio ** (1 / (1 + np.asarray(d, dtype=np.float64)))
