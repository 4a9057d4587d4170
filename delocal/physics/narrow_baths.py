"""Relaxation of a localized system by a bath of narrow band, Gopalakrishnan and Nandkishore (2014).

Section II B. The bath can supply an energy W << Delta only, where Delta is the energy of one flip.
So the system must find a transition that costs less than W: one spin that hops far (a), many spins
rearranged together (b), or many quanta of the bath (c). Rates are golden-rule estimates with
prefactor 1, for gamma << W << Delta << T; hbar = k_B = 1. gamma couples system and bath, xi and Xi
are the localization lengths in real space and in Fock space, s is the entropy per spin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import wrightomega

from delocal.physics.powers import Array, LogArray


def _log(values: ArrayLike) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.asarray(values, dtype=np.float64)))


def long_hop_rate(
    gamma: ArrayLike, W: ArrayLike, Delta: ArrayLike, xi: ArrayLike, d: ArrayLike
) -> LogArray:
    """Return Gamma_a of a single spin that hops R = (Delta/W)**(1/d) to find a level within W.

    ::

        Gamma_a = gamma**2/W exp(-2 (Delta/W)**(1/d) / xi)

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (6).

    Examples
    --------
    >>> rate = long_hop_rate(gamma=0.01, W=0.1, Delta=1.0, xi=2.0, d=1)
    >>> float((rate.ln - np.log(1e-3)).round(12))  # R = 10
    -10.0
    """
    with np.errstate(over="ignore"):
        R = np.exp((_log(Delta) - _log(W)) / d)
    return LogArray(np.asarray(2 * _log(gamma) - _log(W) - 2 * R / xi))


def rearranged_volume(W: ArrayLike, Delta: ArrayLike, s: ArrayLike) -> Array:
    """Return n**d = ln(Delta/W)/s, the spins whose rearrangements are spaced by W, Sec. II B 2."""
    return np.asarray((_log(Delta) - _log(W)) / s)


def rearrangement_rate(
    gamma: ArrayLike,
    W: ArrayLike,
    Delta: ArrayLike,
    xi: ArrayLike,
    Xi: ArrayLike,
    s: ArrayLike,
    d: ArrayLike,
) -> LogArray:
    """Return Gamma_b of a rearrangement of all spins in the volume of `rearranged_volume`.

    ::

        Gamma_b = gamma**2/W exp(-2 n/xi) (W/Delta)**(2/Xi),   n = (ln(Delta/W)/s)**(1/d)

    The square of the matrix element gamma exp(-n/xi - s n**d/Xi) that stands above Eq. (7).

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Sec. II B 2; Eq. (7) lacks the square and, for d > 1,
    the factor of real space: see `leading_rearrangement_rate`.

    Examples
    --------
    >>> whole = rearrangement_rate(0.01, 0.1, 1.0, np.inf, 0.4, 0.5, 2)
    >>> leading = leading_rearrangement_rate(0.01, 0.1, 1.0, np.inf, 0.4, 0.5, 2)
    >>> float(abs(whole.ln - leading.ln).round(12))
    0.0
    """
    volume = rearranged_volume(W, Delta, s)
    n = np.maximum(volume, 0.0) ** (1 / np.asarray(d, dtype=np.float64))
    ln_element = _log(gamma) - n / xi - s * volume / Xi
    return LogArray(np.asarray(2 * ln_element - _log(W)))


def leading_rearrangement_rate(
    gamma: ArrayLike,
    W: ArrayLike,
    Delta: ArrayLike,
    xi: ArrayLike,
    Xi: ArrayLike,
    s: ArrayLike,
    d: ArrayLike,
    *,
    as_printed: bool = False,
) -> LogArray:
    """Return Gamma_b for W -> 0, a power of W.

    ::

        gamma**2/W (W/Delta)**(2/Xi)                d > 1
        gamma**2/W (W/Delta)**(2/Xi + 2/(s xi))     d = 1
        gamma**2/W (W/Delta)**(1/Xi)                d > 1, printed
        gamma**2/W (W/Delta)**(1/Xi + 1/xi)         d = 1, printed

    The printed exponents are those of the matrix element, not of its square, which Eqs. (6), (16)
    and (A1) have; and for d = 1 they hold for s = 1 only.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (7) and the sentence below it.

    Examples
    --------
    >>> given = dict(gamma=0.01, W=0.1, Delta=1.0, xi=2.0, Xi=0.4, s=0.5, d=1)
    >>> whole, leading = rearrangement_rate(**given), leading_rearrangement_rate(**given)
    >>> float(abs(whole.ln - leading.ln).round(12))  # in d = 1 nothing is left out
    0.0
    """
    entropy = 1.0 if as_printed else np.asarray(s, dtype=np.float64)
    line = 1 / (entropy * np.asarray(xi, dtype=np.float64))
    power = 1 / np.asarray(Xi, dtype=np.float64) + np.where(np.asarray(d) == 1, line, 0.0)
    ln_ratio = _log(W) - _log(Delta)
    return LogArray(
        np.asarray(2 * _log(gamma) - _log(W) + (1 if as_printed else 2) * power * ln_ratio)
    )


def many_quanta_rate(
    gamma: ArrayLike, W: ArrayLike, Delta: ArrayLike, s: ArrayLike, *, second_form: bool = False
) -> LogArray:
    """Return Gamma_c, where each spin of the volume takes one quantum of the bath.

    ::

        Gamma_c = gamma**(2 v) / (W Delta**(2 v - 2)),   v = n**d = ln(Delta/W)/s
                = gamma**2/W (W/Delta)**(2 ln(Delta/gamma)/s)      second form as printed

    The second form is the first one times (gamma/Delta)**2.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (8).

    Examples
    --------
    >>> forms = [many_quanta_rate(0.01, 0.1, 1.0, 0.5, second_form=f).ln for f in (False, True)]
    >>> float((forms[1] - forms[0] - 2 * np.log(0.01)).round(12))
    0.0
    """
    v = rearranged_volume(W, Delta, s)
    first = 2 * v * (_log(gamma) - _log(Delta)) + 2 * _log(Delta) - _log(W)
    return LogArray(np.asarray(first + (2 * (_log(gamma) - _log(Delta)) if second_form else 0.0)))


def many_quanta_volume(W: ArrayLike, Delta: ArrayLike, s: ArrayLike) -> Array:
    """Return v = W0(s Delta/W)/s, the exact volume of Gamma_c: Delta exp(-s v) = v W.

    `many_quanta_rate` uses ln(Delta/W)/s, the approximation of the paper for v >> 1.

    Examples
    --------
    >>> v = many_quanta_volume(1e-3, 1.0, 0.5)
    >>> float((np.exp(-0.5 * v) / (v * 1e-3)).round(12))
    1.0
    """
    return np.asarray(wrightomega(_log(s) + _log(Delta) - _log(W)) / s)


def dot_rate(
    gamma: ArrayLike, W: ArrayLike, delta_m: ArrayLike, Xi: ArrayLike, K: ArrayLike
) -> LogArray:
    """Return Gamma(W) of a quantum dot in a narrow bath.

    ::

        Gamma = gamma**2/W (W/delta_m)**(2/(Xi ln K))

    It vanishes with W only for Xi ln K < 2, although the paper calls the relaxation time divergent.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (16).

    Examples
    --------
    >>> marginal = [dot_rate(0.01, W, 1.0, 2 / np.log(3), 3).value for W in (1e-3, 1e-9)]
    >>> bool(np.isclose(*marginal))
    True
    """
    power = 2 / (np.asarray(Xi, dtype=np.float64) * np.log(K))
    ln_W = _log(W)
    return LogArray(np.asarray(2 * _log(gamma) - ln_W + power * (ln_W - _log(delta_m))))


def dot_order(W: ArrayLike, delta_m: ArrayLike, K: ArrayLike) -> Array:
    """Return n_c = ln(delta_m/W)/ln K, the order of the transition of `dot_rate`, Sec. IV B."""
    return np.asarray((_log(delta_m) - _log(W)) / np.log(K))


def gaussian_bath_rate(
    volume: ArrayLike,
    gamma: ArrayLike,
    W: ArrayLike,
    Delta: ArrayLike,
    Xi: ArrayLike,
    s: ArrayLike,
) -> LogArray:
    """Return Gamma_n of `volume` = n**d spins in a bath with the spectrum exp(-E**2/W**2)/W.

    ::

        Gamma_n = gamma**2/W exp(-2 n**d/Xi - (Delta/W)**2 exp(-2 s n**d))

    Section II has exp(-s n**d/Xi) for the matrix element where this equation has exp(-n**d/Xi): put
    Xi/s for Xi to have the former.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A1).
    """
    volume = np.asarray(volume, dtype=np.float64)
    with np.errstate(over="ignore"):
        missing = np.exp(2 * (_log(Delta) - _log(W) - s * volume))
    return LogArray(np.asarray(2 * _log(gamma) - _log(W) - 2 * volume / Xi - missing))


def gaussian_bath_volume(
    W: ArrayLike, Delta: ArrayLike, Xi: ArrayLike, s: ArrayLike, *, as_printed: bool = False
) -> Array:
    """Return the volume n**d that relaxes fastest in a Gaussian bath.

    ::

        n**d = ln((Delta/W)**2 Xi s) / (2 s)

    The stationary point of `gaussian_bath_rate`. As printed it has Xi s/2 for Xi s, which is none.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A2).

    Examples
    --------
    >>> best = gaussian_bath_volume(0.01, 1.0, 0.6, 0.5)
    >>> rates = [gaussian_bath_rate(best * f, 1e-3, 0.01, 1.0, 0.6, 0.5).ln for f in (0.99, 1, 1.01)]
    >>> bool(rates[1] == max(rates))
    True
    """
    product = _log(Xi) + _log(s) - (np.log(2.0) if as_printed else 0.0)
    return np.asarray((2 * (_log(Delta) - _log(W)) + product) / (2 * np.asarray(s)))


def lorentzian_bath_rate(
    n: ArrayLike,
    gamma: ArrayLike,
    W: ArrayLike,
    Delta: ArrayLike,
    Xi: ArrayLike,
    K: ArrayLike,
) -> LogArray:
    """Return Gamma_n of a transition of order n in a bath with a Lorentzian spectrum.

    ::

        Gamma_n = gamma**2/W exp(-2 n/Xi) / (1 + (Delta/W)**2 K**(-2 n))

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A3).
    """
    n = np.asarray(n, dtype=np.float64)
    missing = np.logaddexp(0.0, 2 * (_log(Delta) - _log(W) - n * np.log(K)))
    return LogArray(np.asarray(2 * _log(gamma) - _log(W) - 2 * n / Xi - missing))


def lorentzian_bath_order(W: ArrayLike, Delta: ArrayLike, Xi: ArrayLike, K: ArrayLike) -> Array:
    """Return the order n that relaxes fastest in a Lorentzian bath.

    ::

        n = [ln(Delta/W) + ln(Xi ln K - 1)/2] / ln K

    NaN for Xi ln K <= 1: there the lowest order wins, in the tail of the Lorentzian.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (A4), (A5).

    Examples
    --------
    >>> best = lorentzian_bath_order(1e-4, 1.0, 2.0, 3.0)
    >>> rates = [lorentzian_bath_rate(best + by, 1e-6, 1e-4, 1.0, 2.0, 3.0).ln for by in (-0.1, 0, 0.1)]
    >>> bool(rates[1] == max(rates))
    True
    """
    x = np.asarray(Xi, dtype=np.float64) * np.log(K) - 1
    with np.errstate(divide="ignore"):
        ln_x = np.log(np.where(x > 0, x, np.nan))
    return np.asarray((_log(Delta) - _log(W) + ln_x / 2) / np.log(K))


def cut_bath_order(Delta: ArrayLike, cutoff: ArrayLike, K: ArrayLike) -> Array:
    """Return n_0 = ln(Delta/cutoff)/ln K, the lowest order in a Lorentzian that is cut off.

    For Xi ln K < 1 relaxation takes place at this order, which does not depend on W; App. A.
    """
    return np.asarray((_log(Delta) - _log(cutoff)) / np.log(K))
