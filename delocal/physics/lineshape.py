"""The lineshape of a localized level with a slow bath, Gopalakrishnan and Nandkishore (2014).

Section II C. A level decays at the rate Gamma_b, and each of n_fast(t) neighbours that flip at this
rate shifts it. The echo decays as psi(t) = exp(-Gamma_b n_fast(t) t), Eq. (10); the lineshape is
its cosine transform, whose integral over all frequencies is pi. A = s(T) xi**d throughout.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import wrightomega

from delocal.physics.fast_spins import at_least_one, fast_spins
from delocal.physics.oscillatory import NODES, POINTS, cosine_on_panel
from delocal.physics.powers import Array

DECAYED = 50.0
"""The echo is left out where it is below exp(-50)."""
STEP = 2.0
"""How often the echo may decay by e within a panel."""


def echo(t: ArrayLike, Gamma_b: ArrayLike, J: ArrayLike, A: ArrayLike, d: ArrayLike = 1) -> Array:
    """Return psi(t), the decay of a spin echo, Eq. (10).

    ::

        psi = exp(-Gamma_b n_fast(t) t)

    Parameters
    ----------
    t
        Time.
    Gamma_b
        Rate at which a level flips, `narrow_baths.rearrangement_rate`.
    J
        Interaction of nearest neighbours; in the units of Gamma_b.
    A
        ``s(T) xi**d``, the spins within a localization length that are free to flip.
    d
        Dimension.

    Returns
    -------
    Array
        From 1 to 0.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), Eqs. (10), (11), with `fast_spins` for n_fast.

    Examples
    --------
    >>> early, late = echo([1e-3, 1.0], Gamma_b=1.0, J=1e3, A=4.0)
    >>> bool(early == np.exp(-1e-3)), bool(np.isclose(late, 1e3**-4.0))
    (True, True)
    """
    n = fast_spins(t, Gamma_b, J, A, d)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(-np.asarray(Gamma_b) * n * np.asarray(t)))


def lineshape(
    omega: ArrayLike, Gamma_b: ArrayLike, J: ArrayLike, A: ArrayLike, d: ArrayLike = 1
) -> Array:
    """Return S(omega) = Gamma n/(omega**2 + (Gamma n)**2), n = n_fast(1/omega), Eq. (12).

    A Lorentzian whose width is that felt within a period; `cosine_transform` is what it
    approximates, within a factor of 1.6 for omega up to 6 widths in Fig. 2.

    Examples
    --------
    >>> width = central_width(1.0, 1000.0, 4.0)
    >>> float((2 * width * lineshape(width, 1.0, 1000.0, 4.0)).round(12))
    1.0
    """
    omega, Gamma_b = np.asarray(omega, dtype=np.float64), np.asarray(Gamma_b, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        rate = Gamma_b * fast_spins(1 / omega, Gamma_b, J, A, d)
    return lorentzian(omega, rate)


def lorentzian(omega: ArrayLike, width: ArrayLike) -> Array:
    """Return ``width / (omega**2 + width**2)``, by its parts so that no square overflows."""
    omega, width = np.asarray(omega, dtype=np.float64), np.asarray(width, dtype=np.float64)
    large = np.maximum(omega, width)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray((width / large) / large / ((omega / large) ** 2 + (width / large) ** 2))


def central_width(Gamma_b: ArrayLike, J: ArrayLike, A: ArrayLike, d: ArrayLike = 1) -> Array:
    """Return the width of the central peak, which solves Gamma = Gamma_b n_fast(1/Gamma), Eq. (13).

    ::

        Gamma = max(Gamma_b, J exp(-y)),   y = d W0[(J / (A Gamma_b))**(1/d) / d]

    To leading order in Gamma_b it is Gamma_b A ln**d(J/Gamma_b), as broad-band baths have it.

    Examples
    --------
    >>> width = central_width(1.0, 1000.0, 4.0)
    >>> float((width / fast_spins(1 / width, 1.0, 1000.0, 4.0)).round(12))
    1.0
    """
    Gamma_b, J, A, d = (np.asarray(v, dtype=np.float64) for v in (Gamma_b, J, A, d))
    y = d * wrightomega((np.log(J) - np.log(A) - np.log(Gamma_b)) / d - np.log(d))
    return np.asarray(np.maximum(Gamma_b, J * np.exp(-y)))


def cosine_transform(
    omega: ArrayLike, Gamma_b: ArrayLike, J: ArrayLike, A: ArrayLike, d: ArrayLike = 1
) -> Array:
    """Return S(omega), the integral of psi(t) cos(omega t) over t > 0: Fig. 2's dots.

    Exact for the echo of `echo`, which has a kink where A ln**d(J t) = 1 and one where n_fast
    saturates. For omega >= J they decide the result, which changes sign; trust omega < J.

    Parameters
    ----------
    omega
        Frequency, at least 0.
    Gamma_b, J, A, d
        As in `echo`.

    Returns
    -------
    Array
        S; its integral over all real frequencies is pi. NaN where omega or J exceeds Gamma_b by
        300 decades.

    References
    ----------
    Gopalakrishnan and Nandkishore (2014), the transform of Eq. (10).

    Examples
    --------
    >>> far = cosine_transform(3.0, Gamma_b=1.0, J=1.0, A=1.0)  # J = Gamma_b: nobody else counts
    >>> float(far.round(12))  # 1/(1 + 3**2)
    0.1
    """
    given = [np.asarray(v, dtype=np.float64) for v in (omega, Gamma_b, J, A, d)]
    shape = np.broadcast_shapes(*(v.shape for v in given))
    return np.asarray(_transform(*(np.broadcast_to(v, shape).ravel() for v in given))).reshape(
        shape
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _transform(omega: Any, Gamma_b: Any, J: Any, A: Any, d: Any) -> Any:
    S = np.empty(omega.size)
    for i in range(omega.size):
        # In units of Gamma_b the echo has two parameters left.
        ln_J = math.log(J[i]) - math.log(Gamma_b[i])
        S[i] = _one(omega[i] / Gamma_b[i], ln_J, A[i], d[i]) / Gamma_b[i]
    return S


@njit(nogil=True, cache=True, error_model="numpy")
def _one(omega: float, ln_J: float, A: float, d: float) -> Any:
    """Return the transform for Gamma_b = 1: in three parts, that meet at the kinks."""
    kink, saturated = math.exp(A ** (-1.0 / d) - ln_J), 1.0
    if kink >= saturated:  # n_fast = 1 throughout
        return 1.0 / (1.0 + omega * omega)
    if kink == 0.0 or omega == math.inf:
        return math.nan
    total = _decay_from(0.0, omega, 1.0) - _decay_from(kink, omega, 1.0)
    values, start = np.empty(POINTS), kink
    while start < saturated:
        n = at_least_one(ln_J + math.log(start), A, d)
        if n * start > DECAYED:
            return total
        slope = n + d * (n / A) ** (1.0 - 1.0 / d) * A  # d(n t)/dt
        end = min(2.0 * start, start + STEP / slope, saturated)
        if end == start:  # the echo is over at once
            return total
        for k in range(POINTS):
            t = 0.5 * (start + end) + 0.5 * (end - start) * NODES[k]
            values[k] = math.exp(-t * at_least_one(ln_J + math.log(t), A, d))
        total += cosine_on_panel(values, start, end, omega)
        start = end
    return total + _decay_from(saturated, omega, at_least_one(ln_J, A, d))


@njit(nogil=True, cache=True)
def _decay_from(start: float, omega: float, rate: float) -> Any:
    """Return the integral of exp(-rate t) cos(omega t) over t > start."""
    wave = rate * math.cos(omega * start) - omega * math.sin(omega * start)
    return math.exp(-rate * start) * wave / (rate * rate + omega * omega)
