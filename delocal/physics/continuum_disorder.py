"""Random potentials in a continuum, and how far electrons of energy eps are localized in them.

Gornyi, Mirlin, Mueller, Polyakov (2017), Secs. III and IV. Electrons have eps = k**2/2m without
an upper bound, and the localization length xi(eps) grows without bound. Lengths, energies and
rates are held by their logarithms (`LogArray`), for xi grows up to exponentially. hbar = k_B = 1.

The paper prints three correlators in one dimension and white noise in two. The other two are
continued to two dimensions here by the same transform W(q) (``lorentz``) or by the same
correlator (``exponential``); there Eqs. (20) and (30) take the transport rate of the smooth
potential, as the paper says below Eq. (20).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from delocal.physics.powers import Array, LogArray
from delocal.physics.smooth_scattering import exponential_average, lorentz_average

Disorder = Literal["lorentz", "exponential", "white"]
Geometry = Literal["1d", "2d", "2d-field"]

TWO, EIGHT, PI = LogArray.of(2.0), LogArray.of(8.0), LogArray.of(math.pi)


@dataclass(frozen=True)
class Continuum:
    """Electrons of mass m in a Gaussian random potential U.

    Parameters
    ----------
    disorder
        Correlator <U(r) U(0)>: ``white``, ``lorentz`` or ``exponential``, see `correlator`.
    geometry
        ``1d``; ``2d`` with time-reversal symmetry; ``2d-field``, where a magnetic field has
        broken it on the scale of the mean free path, without quantum Hall effect.
    m
        Mass, 1/(energy length**2).
    w
        Strength, the integral of the correlator over space: energy**2 length**D.
    d
        Correlation length; white noise has none and does not read it.
    """

    disorder: Disorder
    geometry: Geometry
    m: LogArray
    w: LogArray
    d: LogArray

    @classmethod
    def of(
        cls,
        disorder: Disorder,
        geometry: Geometry = "1d",
        *,
        m: ArrayLike = 1.0,
        w: ArrayLike = 0.5,
        d: ArrayLike = 0.5,
    ) -> Continuum:
        """Return the medium with positive numbers for its parameters; arrays broadcast."""
        return cls(disorder, geometry, LogArray.of(m), LogArray.of(w), LogArray.of(d))

    @property
    def D(self) -> int:
        """Dimension of space."""
        return 1 if self.geometry == "1d" else 2

    @cached_property
    def eps_0(self) -> LogArray:
        """1/(8 m d**2), the energy above which 2 k d > 1 and smoothness matters, below Eq. (15)."""
        return (EIGHT * self.m * self.d**2) ** -1


def correlator(medium: Continuum, r: ArrayLike) -> Array:
    """Return <U(r) U(0)> at a distance r, above Eq. (14); white noise is 0 at r > 0.

    =========== ========================= ==================================
    disorder    one dimension             two dimensions
    =========== ========================= ==================================
    lorentz     w d / [pi (r**2 + d**2)]  w d / [2 pi (r**2 + d**2)**(3/2)]
    exponential w exp(-r/d) / (2 d)       w exp(-r/d) / (2 pi d**2)
    =========== ========================= ==================================
    """
    r, w, d = np.abs(np.asarray(r, dtype=np.float64)), medium.w.value, medium.d.value
    if medium.disorder == "white":
        return np.where(r > 0, 0.0, np.inf)
    if medium.disorder == "exponential":
        norm = 2 * d if medium.D == 1 else 2 * math.pi * d**2
        return np.asarray(w * np.exp(-r / d) / norm)
    plane = math.pi * (r**2 + d**2)
    return np.asarray(w * d / (plane if medium.D == 1 else 2 * plane * np.hypot(r, d)))


def transform(medium: Continuum, q: LogArray) -> LogArray:
    """Return W(q), the Fourier transform of the correlator.

    ::

        white w,    lorentz w exp(-q d),    exponential w (1 + q**2 d**2)**(-(D + 1)/2)

    Examples
    --------
    >>> rough = Continuum.of("exponential", d=0.5)
    >>> float(transform(rough, LogArray.of(2.0)).value / rough.w.value)
    0.5
    """
    smoothness = q * medium.d
    if medium.disorder == "white":
        return LogArray(medium.w.ln + 0 * smoothness.ln)
    if medium.disorder == "lorentz":
        return LogArray(medium.w.ln - smoothness.value)
    return medium.w / (smoothness**2).plus_one() ** ((medium.D + 1) / 2)


def wavevector(medium: Continuum, eps: LogArray) -> LogArray:
    """Return k = sqrt(2 m eps)."""
    return (TWO * medium.m * eps).sqrt()


def velocity(medium: Continuum, eps: LogArray) -> LogArray:
    """Return v = sqrt(2 eps/m)."""
    return (TWO * eps / medium.m).sqrt()


def density_of_states(medium: Continuum, eps: LogArray) -> LogArray:
    """Return rho per spin: 1/(pi v) below Eq. (2), or m/(2 pi) below Eq. (20)."""
    if medium.D == 1:
        return (PI * velocity(medium, eps)) ** -1
    return LogArray(medium.m.ln - PI.ln - TWO.ln + 0 * eps.ln)


def transport_time(medium: Continuum, eps: LogArray) -> LogArray:
    """Return tau(eps), over which an electron of a two-dimensional medium loses its direction.

    1/tau = m w for white noise, Eq. (21). Else 1/tau = m <(1 - cos phi) W(2 k sin(phi/2))>, the
    golden rule averaged over angles, and tau ~ eps**(3/2) where 2 k d >> 1.
    """
    return (medium.m * medium.w * _angular_average(medium, eps)[0]) ** -1


def localization_length(medium: Continuum, eps: LogArray) -> LogArray:
    """Return xi(eps), the backscattering mean free path in 1D, Eq. (20) or (30) in 2D.

    ::

        1d:        xi = v**2 / W(2k);    white noise: 2 eps / (m w), Eq. (2)
        2d:        xi = v tau exp(pi eps tau)
        2d-field:  xi = v tau exp([pi eps tau]**2)

    For weak disorder: k xi >> 1 in 1D, eps tau >> 1 in 2D.

    Examples
    --------
    >>> eps = LogArray.of(10.0)
    >>> for disorder in ("white", "lorentz", "exponential"):
    ...     print(round(float(localization_length(Continuum.of(disorder), eps).value), 6))
    40.0
    3501.740498
    840.0
    """
    v = velocity(medium, eps)
    if medium.D == 1:
        return v**2 / transform(medium, TWO * wavevector(medium, eps))
    tau = transport_time(medium, eps)
    return LogArray((v * tau).ln + _conductance(medium, eps * tau))


def growth_of_length(medium: Continuum, eps: LogArray) -> Array:
    """Return d ln xi / d ln eps, exactly: 1 for white noise in 1D, the slowest growth there is."""
    if medium.D == 1:
        return 1 + _smoothness_slope(medium, TWO * wavevector(medium, eps) * medium.d)
    average, slope = _angular_average(medium, eps)
    growth_of_tau = -slope / 2
    tau = (medium.m * medium.w * average) ** -1
    power = 2 if medium.geometry == "2d-field" else 1
    weight = power * _conductance(medium, eps * tau)
    return np.asarray(0.5 + growth_of_tau + weight * (1 + growth_of_tau))


def level_spacing(medium: Continuum, eps: LogArray) -> LogArray:
    """Return Delta = 1/(rho xi**D), between the levels of one localization volume, Sec. II.

    Examples
    --------
    >>> for disorder in ("white", "lorentz", "exponential"):  # at eps = 2
    ...     print(round(float(level_spacing(Continuum.of(disorder), LogArray.of(2.0)).value), 3))
    0.785
    0.106
    0.157
    """
    xi = localization_length(medium, eps)
    return (density_of_states(medium, eps) * xi**medium.D) ** -1


def _smoothness_slope(medium: Continuum, s: LogArray) -> Array:
    """Return -d ln W(2k) / d ln eps at s = 2 k d, in one dimension."""
    if medium.disorder == "white":
        return 0 * s.ln
    if medium.disorder == "lorentz":
        return s.value / 2
    return (s**2 / (s**2).plus_one()).value


def _conductance(medium: Continuum, eps_tau: LogArray) -> Array:
    """Return ln(xi / v tau), a power of the dimensionless conductance pi eps tau."""
    power = 2 if medium.geometry == "2d-field" else 1
    return ((PI * eps_tau) ** power).value


def _angular_average(medium: Continuum, eps: LogArray) -> tuple[LogArray, Array]:
    """Return <(1 - cos phi) W>/w and its slope with respect to ln(2 k d)."""
    s = TWO * wavevector(medium, eps) * medium.d
    if medium.disorder == "white":
        return LogArray(0 * s.ln), 0 * s.ln
    return lorentz_average(s) if medium.disorder == "lorentz" else exponential_average(s)
