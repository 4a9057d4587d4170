"""The cosine transform of a smooth function on an interval, at any frequency.

On a panel the function is a polynomial in Legendre's basis, and each of these has an exact
transform, a spherical Bessel function (Bakhvalov and Vasil'eva 1968). The cost does not grow with
frequency. Where a panel holds few oscillations, Gauss and Legendre do the same directly.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.polynomial.legendre import leggauss, legvander

POINTS = 16
NODES, WEIGHTS = (np.asarray(x) for x in leggauss(POINTS))
TO_LEGENDRE = (np.arange(POINTS) + 0.5) * legvander(NODES, POINTS - 1) * WEIGHTS[:, None]
"""Coefficient l of a function is the sum of its values at the nodes times column l."""
FEW = 8.0
"""Half the phase across a panel, up to which 16 points integrate an oscillation exactly."""


@njit(nogil=True, cache=True)
def cosine_on_panel(values: Any, start: float, end: float, omega: float) -> Any:
    """Return the integral of f(t) cos(omega t) from start to end.

    ``values`` are f at the nodes, ``middle + half NODES``. Good to 1e-14 of max|f| (end - start)
    if f is a polynomial of degree 15 on the panel within float64.
    """
    half, middle = 0.5 * (end - start), 0.5 * (start + end)
    kappa = omega * half
    total = 0.0
    if kappa <= FEW:
        for k in range(POINTS):
            total += WEIGHTS[k] * values[k] * math.cos(omega * (middle + half * NODES[k]))
        return half * total
    phase, before = omega * middle, 0.0
    bessel = math.sin(kappa) / kappa  # j_0, and upwards, which is stable for l < 2 kappa
    after = bessel / kappa - math.cos(kappa) / kappa
    for order in range(POINTS):
        coefficient = 0.0
        for k in range(POINTS):
            coefficient += values[k] * TO_LEGENDRE[k, order]
        total += 2.0 * coefficient * bessel * math.cos(phase + 0.5 * math.pi * order)
        before, bessel = bessel, after
        after = (2 * order + 3) / kappa * bessel - before
    return half * total
