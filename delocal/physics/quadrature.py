"""Integrals of a smooth function times an oscillating one, and of logarithms at the origin.

Fourier transforms of a law with sharp edges oscillate and decay slowly, while what they multiply
is smooth. So the smooth factor alone is interpolated by polynomials, panel by panel, and the
oscillating one is integrated against each polynomial: the number of nodes follows the smooth
factor, however fast the other oscillates.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.polynomial.legendre import leggauss, legvander

from delocal.physics.powers import Array

RATIO = 4.0  # of neighbouring panels below 1; a logarithm is smooth on each


def graded_panels(reach: float, depth: int, stride: float) -> Array:
    """Return the ends of panels on [0, reach]: shrinking towards 0, and even in sqrt(x) above 1.

    Parameters
    ----------
    reach
        Where the last panel ends, larger than 1.
    depth
        Number of panels between ``4**-depth`` and 1.
    stride
        Length in sqrt(x) of the panels above 1, at most.
    """
    below = RATIO ** -np.arange(depth, -1, -1.0)
    number = int(np.ceil((np.sqrt(reach) - 1) / stride))
    above = np.linspace(1.0, np.sqrt(reach), number + 1)[1:-1] ** 2
    return np.concatenate([[0.0], below, above, [reach]])


def product_rule(factor: Callable[[Array], Array], ends: Array, order: int) -> tuple[Array, Array]:
    """Return nodes x_j and weights w_j with ``sum_j w_j f(x_j) = int factor(x) f(x) dx``.

    Exact, up to rounding, for every `factor` that oscillates no faster than cos(x), where f is
    a polynomial of degree below `order` on each panel.

    Parameters
    ----------
    factor
        Elementwise function; it is evaluated as densely as it may oscillate.
    ends
        Ends of the panels, increasing.
    order
        Nodes in a panel, those of Gauss and Legendre.

    Returns
    -------
    nodes, weights
        Arrays of shape (panels * order,); weights may be negative.

    Examples
    --------
    >>> x, w = product_rule(np.cos, np.linspace(0, 40 * np.pi, 3), order=6)
    >>> x.size, float(round((w * x**2).sum() / np.pi, 6))  # 20 periods on 12 nodes
    (12, 80.0)
    """
    nodes, gauss = leggauss(order)
    to_legendre = (np.arange(order)[:, None] + 0.5) * (
        legvander(nodes, order - 1) * gauss[:, None]
    ).T
    x, weights = [], []
    for a, b in pairwise(ends):
        fine, fine_weights = leggauss(order + int(np.ceil(0.75 * (b - a))))
        values = factor((a + b) / 2 + (b - a) / 2 * fine) * fine_weights * (b - a) / 2
        moments = legvander(fine, order - 1).T @ values
        x.append((a + b) / 2 + (b - a) / 2 * nodes)
        weights.append(to_legendre.T @ moments)
    return np.concatenate(x), np.concatenate(weights)
