"""Temperatures, widths and conductivities of weakly interacting electrons in grains.

Basko, Aleiner and Altshuler: slides, cond-mat/0506617 v1 (2005), and review (2006). All
one-electron states are localized; grains of the size zeta hold levels with the spacing delta,
coupled by lam within and by I between neighbouring grains, for M levels on either side. With
hbar = k_B = e = 1.

The two papers, and what follows from the model, differ in several numbers. Each has a function of
its own: no suffix is what follows from the model, ``_slides`` and ``_review`` is what they print.
The review estimates; its "~" became "=" with prefactor 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from delocal.physics.powers import Array

Number = Array | float


@dataclass(frozen=True)
class Grains:
    """The model of the slides: grains on a d-dimensional lattice.

    Parameters
    ----------
    lam
        Interaction in units of delta, ``0 < lam << 1``.
    M
        Levels within the reach of the interaction, ``1 << M < 1 / sqrt(lam)``.
    I
        Tunnelling between neighbouring grains in units of delta, ``I << 1``.
    d
        Dimension.
    zeta
        Localization length, the size of a grain.
    delta
        Level spacing of a grain, ``1 / (nu zeta**d)``; the unit of energy.

    All are numbers, or arrays of float64 that broadcast.
    """

    lam: Number
    M: Number
    I: Number = 0.1  # noqa: E741
    d: Number = 1
    zeta: Number = 1.0
    delta: Number = 1.0


def mean_inelastic_width(p: Grains, T: Number) -> Array:
    """Return <Gamma> = pi lam**2 M T, the mean half width of a level by electron-hole pairs.

    At T >> M delta, independent of the energy of the level. The same in metal and insulator.
    Review, Eq. (20); the prefactor from Eqs. (18), (19).
    """
    return np.asarray(np.pi * p.lam**2 * p.M * T)


def inelastic_width_spread(p: Grains) -> Array:
    """Return the standard deviation of Gamma in the metal, lam delta / sqrt(6).

    There are ``M T / delta**2`` triples of daughters per energy, at random, and each adds a
    Lorentzian three times as wide as a level: the variance over the mean squared is
    ``delta**2 / (M T) / (2 pi 3 Gamma)``. Review, Eq. (20); the prefactor from Eqs. (18), (19).

    Examples
    --------
    >>> p = Grains(lam=2e-4, M=5)  # a tree of 400 delta was measured to have 0.1105
    >>> float(((inelastic_width_spread(p) / mean_inelastic_width(p, 400)) ** 2).round(4))
    0.1055
    """
    return np.asarray(p.lam * p.delta / np.sqrt(6))


def inelastic_temperature(p: Grains) -> Array:
    """Return T_in = delta / (sqrt(6) pi M lam), above which widths are narrowly distributed.

    Where the variance of Gamma is its mean squared, the criterion of the slides.

    Examples
    --------
    >>> p = Grains(lam=0.02, M=4)
    >>> T_in = inelastic_temperature(p)
    >>> float((mean_inelastic_width(p, T_in) / inelastic_width_spread(p)).round(12))
    1.0
    """
    return np.asarray(p.delta / (np.sqrt(6) * np.pi * p.M * p.lam))


def inelastic_temperature_slides(p: Grains) -> Array:
    """Return delta / (6 pi M lam), as printed: the criterion has sqrt(6) for its 6."""
    return np.asarray(p.delta / (6 * np.pi * p.M * p.lam))


def inelastic_temperature_review(p: Grains) -> Array:
    """Return delta / lam. Review, Eq. (21)."""
    return np.asarray(p.delta / p.lam)


def mean_elastic_width(p: Grains) -> Array:
    """Return <Gamma_el> = 2 pi d I**2 delta, the mean half width by tunnelling.

    From the slides' equation of Gamma_el, whose spectral function must be the normalised one of
    the review's Eq. (19).
    """
    return np.asarray(2 * np.pi * p.d * p.I**2 * p.delta)


def elastic_temperature(p: Grains) -> Array:
    """Return T_el = delta / (16 pi**2 M d lam**2), the scale of sigma(T) and kappa(T).

    The slides' number, and the one for which their coefficients 2/3 and pi/4 hold; the criterion
    beside it there gives another, see `elastic_temperature_criterion`.
    """
    return np.asarray(p.delta / (16 * np.pi**2 * p.M * p.d * p.lam**2))


def elastic_temperature_criterion(p: Grains) -> Array:
    """Return delta / (4 pi**2 M d lam**2), where the variance of Gamma_el is its mean squared.

    The slides' criterion as it stands. For independent levels the variance over the mean squared
    is ``delta / (4 pi d <Gamma>)``.

    Examples
    --------
    >>> p = Grains(lam=0.02, M=4, d=2)
    >>> Gamma = mean_inelastic_width(p, elastic_temperature_criterion(p))
    >>> float((1.0 / (4 * np.pi * 2 * Gamma)).round(12))
    1.0
    """
    return np.asarray(p.delta / (4 * np.pi**2 * p.M * p.d * p.lam**2))


def elastic_temperature_review(p: Grains) -> Array:
    """Return delta / lam**2, above which levels overlap. Review, Eq. (22)."""
    return np.asarray(p.delta / p.lam**2)


def saturation_temperature(p: Grains) -> Array:
    """Return sqrt(delta T_el) = delta / (4 pi lam sqrt(M d)), where sigma(T) saturates.

    Of the order of delta / lam, as T_in is: the range of T**2 between them is
    ``sqrt(6 M / d) / 4`` wide. The review has the saturation at
    `elastic_temperature_review`, higher by 1/lam.

    Examples
    --------
    >>> p = Grains(lam=1e-4, M=50)
    >>> float((saturation_temperature(p) / inelastic_temperature(p)).round(6))
    4.330127
    """
    return np.asarray(p.delta / (4 * np.pi * p.lam * np.sqrt(p.M * p.d)))


def crossover_parameter(p: Grains, T: Number) -> Array:
    """Return u = delta T_el / T**2, on which alone sigma / sigma_inf depends; see `crossover`."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.square(saturation_temperature(p) / T))


def conductivity_limit(p: Grains) -> Array:
    """Return sigma_inf = 2 pi I**2 zeta**(2 - d), the conductivity at T >> sqrt(delta T_el)."""
    return np.asarray(2 * np.pi * p.I**2 * p.zeta ** (2 - p.d))


def thermal_conductivity_limit(p: Grains, T: Number) -> Array:
    """Return kappa_inf = (2 pi**3/3) T I**2 zeta**(2 - d), by the Wiedemann-Franz law.

    The slides print another factor e**2, which a thermal conductivity does not have.
    """
    return np.asarray(np.pi**2 / 3 * T * conductivity_limit(p))


def conductivity_ratio_review(p: Grains, T: Number, alpha: Number = 1.0) -> Array:
    """Return sigma / sigma_inf as the review's Fig. 5 has it, min(1, (T / T_el)**alpha).

    A power law up to T_el ~ delta / lam**2, Eq. (22), and constant beyond. The review leaves
    alpha open; the slides' ``sigma ~ lam**2 T**alpha`` meets this T_el for alpha = 1 only, and
    for alpha = 2, which they derive, it saturates at delta / lam.

    Examples
    --------
    >>> p = Grains(lam=0.01, M=4)
    >>> conductivity_ratio_review(p, np.array([1e2, 1e4, 1e6])).round(9).tolist()
    [0.01, 1.0, 1.0]
    """
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.minimum(1.0, np.power(T / elastic_temperature_review(p), alpha)))
