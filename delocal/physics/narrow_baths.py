"""Relaxation of a localized system by a bath of narrow band, Gopalakrishnan and Nandkishore (2014).

Sections II B and IV B. The bath can supply an energy W << Delta only, where Delta is the energy of
one flip. So the system must find a transition that costs less than W: one spin that hops far (a),
many spins rearranged together (b), or many quanta of the bath (c). Rates are golden-rule
estimates, every "~" became "=" with prefactor 1, for gamma << W << Delta << T; hbar = k_B = 1.
`bath_spectra` treats baths whose band has tails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import wrightomega

from delocal.physics.powers import Array, LogArray

Number = Array | float


@dataclass(frozen=True)
class NarrowBath:
    """A bath of bandwidth W, coupled by gamma to a system whose flips cost Delta.

    Parameters
    ----------
    gamma, W, Delta
        Positive energies, held by their logarithms. Delta is delta_m for a quantum dot.
    """

    gamma: LogArray
    W: LogArray
    Delta: LogArray

    @classmethod
    def of(cls, gamma: ArrayLike, W: ArrayLike, Delta: ArrayLike = 1.0) -> NarrowBath:
        """Return the bath with these energies; arrays broadcast."""
        return cls(LogArray.of(gamma), LogArray.of(W), LogArray.of(Delta))

    @property
    def rate(self) -> LogArray:
        """gamma**2/W, the rate of a transition that the bath can supply."""
        return self.gamma**2 / self.W

    @property
    def mismatch(self) -> Array:
        """ln(Delta/W), by how much a single flip fails to fit the band."""
        return (self.Delta / self.W).ln


def long_hop_rate(bath: NarrowBath, xi: Number, d: Number) -> LogArray:
    """Return Gamma_a of a single spin that hops R = (Delta/W)**(1/d) to find a level within W.

    ::

        Gamma_a = gamma**2/W exp(-2 (Delta/W)**(1/d) / xi)

    Parameters
    ----------
    bath
        The bath, with W < Delta.
    xi
        Localization length in real space, in lattice spacings.
    d
        Dimension.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (6).

    Examples
    --------
    >>> bath = NarrowBath.of(gamma=0.01, W=0.1)
    >>> float((long_hop_rate(bath, xi=2.0, d=1) / bath.rate).ln.round(12))  # R = 10
    -10.0
    """
    with np.errstate(over="ignore"):
        R = np.exp(bath.mismatch / d)
    return bath.rate * LogArray(np.asarray(-2 * R / xi))


def rearranged_volume(bath: NarrowBath, s: Number) -> Array:
    """Return n**d = ln(Delta/W)/s, the spins whose levels are spaced by W; Sec. II B 2.

    s is the entropy per spin.
    """
    return np.asarray(bath.mismatch / s)


def rearrangement_rate(bath: NarrowBath, xi: Number, Xi: Number, s: Number, d: Number) -> LogArray:
    """Return Gamma_b of a rearrangement of all spins in the volume of `rearranged_volume`.

    ::

        Gamma_b = gamma**2/W exp(-2 n/xi) (W/Delta)**(2/Xi),   n = (ln(Delta/W)/s)**(1/d)

    The square of the matrix element gamma exp(-n/xi - s n**d/Xi) that stands above Eq. (7).

    Parameters
    ----------
    bath
        The bath, with W < Delta.
    xi, Xi
        Localization lengths in real space and in Fock space.
    s
        Entropy per spin.
    d
        Dimension.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Sec. II B 2; Eq. (7) itself lacks the square and, for
    d > 1, the factor of real space: see `leading_rearrangement_rate`.

    Examples
    --------
    >>> bath = NarrowBath.of(gamma=0.01, W=0.1)
    >>> ratio = rearrangement_rate(bath, np.inf, Xi=0.5, s=1.0, d=2) / bath.rate
    >>> float(ratio.value.round(12))  # 0.1**4
    0.0001
    """
    n = np.maximum(rearranged_volume(bath, s), 0.0) ** (1 / np.asarray(d, dtype=np.float64))
    return bath.rate * LogArray(np.asarray(-2 * n / xi - 2 * bath.mismatch / Xi))


def leading_rearrangement_rate(
    bath: NarrowBath,
    xi: Number,
    Xi: Number,
    s: Number,
    d: Number,
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
    >>> bath, line = NarrowBath.of(gamma=0.01, W=0.1), dict(xi=2.0, Xi=0.4, s=0.5, d=1)
    >>> left_out = rearrangement_rate(bath, **line) / leading_rearrangement_rate(bath, **line)
    >>> float(left_out.value.round(12))  # nothing in d = 1
    1.0
    """
    entropy = 1.0 if as_printed else np.asarray(s, dtype=np.float64)
    line = 1 / (entropy * np.asarray(xi, dtype=np.float64))
    power = 1 / np.asarray(Xi, dtype=np.float64) + np.where(np.asarray(d) == 1, line, 0.0)
    return bath.rate * (bath.W / bath.Delta) ** ((1 if as_printed else 2) * power)


def many_quanta_rate(bath: NarrowBath, s: Number, *, second_form: bool = False) -> LogArray:
    """Return Gamma_c, where each spin of the volume takes one quantum of the bath.

    ::

        Gamma_c = gamma**(2 v) / (W Delta**(2 v - 2)),   v = n**d = ln(Delta/W)/s
                = gamma**2/W (W/Delta)**(2 ln(Delta/gamma)/s)      second form as printed

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (8). The forms do not agree:

    Examples
    --------
    >>> bath = NarrowBath.of(gamma=0.01, W=0.1)
    >>> ratio = many_quanta_rate(bath, 0.5, second_form=True) / many_quanta_rate(bath, 0.5)
    >>> float(ratio.value.round(12))  # (gamma/Delta)**2
    0.0001
    """
    quantum = bath.gamma / bath.Delta
    whole = quantum ** (2 * rearranged_volume(bath, s)) * bath.Delta**2 / bath.W
    return whole * quantum**2 if second_form else whole


def many_quanta_volume(bath: NarrowBath, s: Number) -> Array:
    """Return v = W0(s Delta/W)/s, the exact volume of Gamma_c: Delta exp(-s v) = v W.

    `many_quanta_rate` takes ln(Delta/W)/s for it, as the paper does, which is larger.

    Examples
    --------
    >>> v = many_quanta_volume(NarrowBath.of(gamma=1e-4, W=1e-3), s=0.5)
    >>> float((np.exp(-0.5 * v) / (v * 1e-3)).round(12))
    1.0
    """
    return np.asarray(wrightomega(np.log(s) + bath.mismatch) / s)


def dot_rate(bath: NarrowBath, Xi: Number, K: Number) -> LogArray:
    """Return Gamma(W) of a quantum dot, a Cayley tree of branching number K, in a narrow bath.

    ::

        Gamma = gamma**2/W (W/delta_m)**(2/(Xi ln K))

    It vanishes with W only for Xi ln K < 2, although the paper calls the relaxation time divergent.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eq. (16).

    Examples
    --------
    >>> baths = NarrowBath.of(gamma=0.01, W=[1e-3, 1e-9])
    >>> dot_rate(baths, Xi=2 / np.log(3), K=3).value.round(12).tolist()
    [0.0001, 0.0001]
    """
    return bath.rate * (bath.W / bath.Delta) ** (2 / (np.asarray(Xi) * np.log(K)))


def dot_order(bath: NarrowBath, K: Number) -> Array:
    """Return n_c = ln(delta_m/W)/ln K, the order of the transition of `dot_rate`, Sec. IV B."""
    return np.asarray(bath.mismatch / np.log(K))
