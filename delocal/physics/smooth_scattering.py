"""How smooth disorder scatters in two dimensions: the mean of 1 - cos(phi) over the angles phi.

A potential whose correlator has the transform w2 g(q d) scatters at the momentum transfers
q = 2 k sin(phi/2), and relaxes momentum at the rate m w2 F(s) with s = 2 k d::

    F(s) = (1/2 pi) int_0^{2 pi} dphi (1 - cos phi) g(s sin(phi/2)),    F(0) = 1

Rate and slope are known in closed form or by a sum that is exact to float64.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import elliprd, elliprf

from delocal.physics.powers import Array, LogArray

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
ANGLES, MEASURE = (NODES + 1) * math.pi / 4, WEIGHTS * math.pi / 4
FAR = 60.0  # from here the asymptotic series is exact to 1e-17, up to here the quadrature is
SERIES = 12
VERY_FAR = 1e8


def lorentz_average(s: LogArray) -> tuple[LogArray, Array]:
    """Return F and d ln F / d ln s for g(x) = exp(-x).

    ::

        F = (4/pi) int_0^{pi/2} dtheta sin(theta)**2 exp(-s sin(theta))  ->  8/(pi s**3)

    Examples
    --------
    >>> F, slope = lorentz_average(LogArray.of([1e-9, 1e9]))
    >>> F.value * [1, 1e27 * math.pi / 8]
    array([1., 1.])
    >>> slope.round(6).tolist()
    [-0.0, -3.0]
    """
    near, near_slope = _lorentz_quadrature(np.minimum(s.value, FAR))
    far, far_slope = _lorentz_series(s)
    here = s.value < FAR
    return LogArray(np.where(here, near, far)), np.where(here, near_slope, far_slope)


def exponential_average(s: LogArray) -> tuple[LogArray, Array]:
    """Return F and d ln F / d ln s for g(x) = (1 + x**2)**(-3/2).

    ::

        F = (4/pi) J,   J = int_0^{pi/2} dtheta sin(theta)**2 (1 + (s sin(theta))**2)**(-3/2)
          = R_D(0, 1, 1 + s**2) / 3  ->  (ln(4 s) - 1) / s**3

    R_D is Carlson's elliptic integral. The slope follows from J = 2 dK/dm at m = -s**2 and from
    the differential equation of the complete elliptic integral K.

    Examples
    --------
    >>> F, slope = exponential_average(LogArray.of([1e-9, 1e20]))
    >>> F.value.round(12).tolist()[0], slope.round(2).tolist()
    (1.0, [0.0, -2.98])
    """
    z = 1 + np.minimum(s.value, VERY_FAR) ** 2
    J = elliprd(0.0, 1.0, z) / 3
    slope = (elliprf(0.0, 1.0, z) / J - 2 * (2 * z - 1)) / z
    logarithm = math.log(4.0) + np.maximum(s.ln, math.log(VERY_FAR))
    here = s.value < VERY_FAR
    ln_J = np.where(here, np.log(J), np.log(logarithm - 1) - 3 * s.ln)
    return (
        LogArray(math.log(4 / math.pi) + ln_J),
        np.where(here, slope, 1 / (logarithm - 1) - 3),
    )


def _lorentz_quadrature(s: Array) -> tuple[Array, Array]:
    """Return ln F and its slope by Gauss-Legendre: the integrand is entire."""
    F, slope = np.zeros_like(s), np.zeros_like(s)
    for angle, measure in zip(ANGLES.tolist(), MEASURE.tolist(), strict=True):
        sine = math.sin(angle)
        term = measure * sine**2 * np.exp(-s * sine)
        F, slope = F + term, slope - s * sine * term
    return np.log(F * (4 / math.pi)), slope / F


def _lorentz_series(s: LogArray) -> tuple[Array, Array]:
    """Return ln F and its slope from sum_k binom(2k, k) 4**-k (2k + 2)! / s**(2k + 3)."""
    inverse = np.minimum(np.exp(-2 * s.ln), FAR**-2)
    term = np.ones_like(inverse)
    total, slope = term, -3 * term
    for k in range(1, SERIES):
        term = term * ((2 * k - 1) / (2 * k) * (2 * k + 1) * (2 * k + 2)) * inverse
        total, slope = total + term, slope - (2 * k + 3) * term
    return math.log(8 / math.pi) - 3 * s.ln + np.log(total), slope / total
