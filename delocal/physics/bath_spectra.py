"""Narrow baths with tails, Gopalakrishnan and Nandkishore (2014), App. A.

In a band of sharp edges a transition either fits or does not. With tails a smaller rearrangement,
which fits less well but has a larger matrix element, may win: Gamma_n has a best order n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.narrow_baths import NarrowBath, Number
from delocal.physics.powers import Array, LogArray


def gaussian_bath_rate(
    volume: ArrayLike, bath: NarrowBath, Xi: Number, s: Number, *, as_in_section_2: bool = False
) -> LogArray:
    """Return Gamma_n of `volume` = n**d spins in a bath with the spectrum exp(-E**2/W**2)/W.

    ::

        Gamma_n = gamma**2/W exp(-2 n**d/Xi - (Delta/W)**2 exp(-2 s n**d))

    `as_in_section_2` takes 2 s n**d/Xi for 2 n**d/Xi: the appendix leaves s out of the matrix
    element of Eq. (7).

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A1).
    """
    entropy = np.asarray(s * np.asarray(volume, dtype=np.float64))
    with np.errstate(over="ignore"):
        missing = np.exp(2 * (bath.mismatch - entropy))
    element = entropy if as_in_section_2 else np.asarray(volume, dtype=np.float64)
    return bath.rate * LogArray(np.asarray(-2 * element / Xi - missing))


def gaussian_bath_volume(
    bath: NarrowBath,
    Xi: Number,
    s: Number,
    *,
    as_in_section_2: bool = False,
    as_printed: bool = False,
) -> Array:
    """Return the volume n**d that relaxes fastest in a Gaussian bath.

    ::

        n**d = ln((Delta/W)**2 Xi s) / (2 s)
        n**d = ln((Delta/W)**2 Xi) / (2 s)         as_in_section_2
        n**d = ln((Delta/W)**2 Xi s/2) / (2 s)     as printed

    The first is the stationary point of `gaussian_bath_rate`, the printed one is none. It is
    negative where the band is not narrow enough for a rearrangement: Delta**2 Xi s < W**2.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A2).

    Examples
    --------
    >>> bath = NarrowBath.of(gamma=1e-3, W=0.01)
    >>> n = gaussian_bath_volume(bath, Xi=0.6, s=0.5) + np.array([-0.1, 0.0, 0.1])
    >>> int(gaussian_bath_rate(n, bath, Xi=0.6, s=0.5).ln.argmax())
    1
    """
    ln = np.log(Xi) + (0.0 if as_in_section_2 else np.log(s)) - (np.log(2.0) if as_printed else 0)
    return np.asarray((2 * bath.mismatch + ln) / (2 * np.asarray(s)))


def lorentzian_bath_rate(n: Number, bath: NarrowBath, Xi: Number, K: Number) -> LogArray:
    """Return Gamma_n of a transition of order n in a bath with the spectrum W/(E**2 + W**2).

    ::

        Gamma_n = gamma**2/W exp(-2 n/Xi) / (1 + (Delta/W)**2 K**(-2 n))

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (A3).
    """
    n = np.asarray(n, dtype=np.float64)
    missing = np.logaddexp(0.0, 2 * (bath.mismatch - n * np.log(K)))
    return bath.rate * LogArray(np.asarray(-2 * n / Xi - missing))


def lorentzian_bath_order(bath: NarrowBath, Xi: Number, K: Number) -> Array:
    """Return the order n that relaxes fastest in a Lorentzian bath.

    ::

        n = [ln(Delta/W) + ln(Xi ln K - 1)/2] / ln K

    NaN for Xi ln K <= 1: there the lowest order wins, in the tail of the Lorentzian.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (A4), (A5).

    Examples
    --------
    >>> bath = NarrowBath.of(gamma=1e-6, W=1e-4)
    >>> n = lorentzian_bath_order(bath, Xi=2.0, K=3.0) + np.array([-0.1, 0.0, 0.1])
    >>> int(lorentzian_bath_rate(n, bath, Xi=2.0, K=3.0).ln.argmax())
    1
    """
    x = np.asarray(Xi, dtype=np.float64) * np.log(K) - 1
    ln_x = np.log(np.where(x > 0, x, np.nan))
    return np.asarray((bath.mismatch + ln_x / 2) / np.log(K))


def cut_bath_order(Delta: ArrayLike, cutoff: ArrayLike, K: Number) -> Array:
    """Return n_0 = ln(Delta/cutoff)/ln K, the lowest order in a Lorentzian with a cutoff.

    For Xi ln K < 1 relaxation takes place at this order, which does not depend on W; App. A.
    """
    return np.asarray((LogArray.of(Delta) / LogArray.of(cutoff)).ln / np.log(K))
