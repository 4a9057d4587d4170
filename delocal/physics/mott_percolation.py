"""The constant of Mott's law, measured by percolation of the hopping network.

Sites of energy e (from the Fermi level) and density of states g are joined by resistances
``exp(2 r / a + eps / T)`` with ``eps = (abs(e_i) + abs(e_j) + abs(e_i - e_j)) / 2``, Miller and
Abrahams (1960). Links with an exponent below xi_c just percolate, and sigma ~ exp(-xi_c)
(Ambegaokar, Halperin, Langer 1971). In units of the longest link, a xi / 2, and of the largest
energy, T xi, links obey ``r + eps < 1`` and one number is left, the density nu of sites per unit
of volume and energy::

    xi_c = (T0 / T)**(1/(d + 1)),  T0 = beta / (g a**d),  beta = 2**d nu_c

Sites are added one by one to a periodic box until a cluster winds around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from delocal.physics import thresholds
from delocal.physics.disorder import Integers
from delocal.physics.percolation import Growth, growth
from delocal.physics.powers import Array
from delocal.physics.thresholds import Estimate

CORRELATION_EXPONENT = {2: 4 / 3, 3: 0.8762}  # nu of percolation; 3D: Xu et al. (2014)
ENOUGH = {2: (14.0, 60.0), 3: (17.5, 100.0)}  # beta, and its scatter times box**(1/nu) times 7
SMALLEST_BOX = 4.0


def hopping_links(positions: Array, energies: Array, box: float) -> tuple[Integers, Integers]:
    """Return the pairs (i, j), i < j, with ``r + eps < 1`` in a periodic box.

    Parameters
    ----------
    positions, energies
        In units of a xi / 2 and of T xi; shapes (n, d) and (n,).
    box
        Edge, more than 2.

    Examples
    --------
    >>> sites = np.array([[0.1, 0.0], [3.9, 0.0], [0.8, 0.0]])
    >>> i, j = hopping_links(sites, np.array([0.5, 0.2, -0.4]), box=4.0)
    >>> i.tolist(), j.tolist()  # eps of the first two is 0.5, of the first and third 0.9
    ([0], [1])
    """
    near = cKDTree(positions, boxsize=box).query_pairs(1.0, output_type="ndarray")
    i, j = near[:, 0].astype(np.int64), near[:, 1].astype(np.int64)
    apart = positions[i] - positions[j]
    apart -= box * np.rint(apart / box)
    joined = np.sqrt((apart**2).sum(axis=1)) + hopping_energy(energies[i], energies[j]) < 1
    return i[joined], j[joined]


def hopping_energy(e_i: ArrayLike, e_j: ArrayLike) -> Array:
    """Return ``(abs(e_i) + abs(e_j) + abs(e_i - e_j)) / 2``, which a hop must find in the bath.

    It is the larger of abs(e_i), abs(e_j) on the same side of the Fermi level, and their sum on
    different sides.

    Examples
    --------
    >>> hopping_energy([3.0, -3.0], 2.0).tolist()
    [3.0, 5.0]
    """
    a, b = np.asarray(e_i, dtype=np.float64), np.asarray(e_j, dtype=np.float64)
    return np.asarray((np.abs(a) + np.abs(b) + np.abs(a - b)) / 2)


def sample_growth(d: int, box: float, rng: Generator) -> Growth:
    """Return how clusters grow as sites at random are added to one box.

    Parameters
    ----------
    d
        2 or 3.
    box
        Edge in units of the longest link a xi / 2, `SMALLEST_BOX` or more.
    """
    center, scatter = ENOUGH[d]
    most = center + scatter * box ** (-1 / CORRELATION_EXPONENT[d])
    number = int(np.ceil(most * sites_per_beta(d, box)))
    positions, energies = box * rng.random((number, d)), rng.uniform(-1, 1, number)
    return growth(positions, *hopping_links(positions, energies, box), box)


def sites_per_beta(d: int, box: float) -> float:
    """Return the mean number of sites with abs(e) < 1 in the box over beta = 2**d nu."""
    return float(2 * (box / 2) ** d)


def wrapping_probability(
    growths: Sequence[Growth], beta: ArrayLike, d: int, box: float, kind: thresholds.Curve
) -> Array:
    """Return the probability of winding at each beta, one row for each realisation.

    Parameters
    ----------
    kind
        As in `thresholds.curve`: ``"either"``, ``"one"`` or ``"all"`` of the directions.
    """
    density = np.asarray(beta, dtype=np.float64) * 2.0 ** (1 - d)
    return thresholds.curve(growths, density, box, d, kind)


def extrapolate(
    d: int, boxes: ArrayLike, either: Sequence[Estimate], every: Sequence[Estimate]
) -> Estimate:
    """Return beta of the infinite sample from mean thresholds in boxes of several sizes.

    Both definitions are fitted with one beta and shifts ``c * box**(-1/nu)``, nu that of
    percolation. The error is enlarged by sqrt(chi2 per degree of freedom) where that exceeds 1;
    corrections of higher order are not in it.

    Examples
    --------
    >>> boxes = np.array([8.0, 16.0, 32.0])
    >>> low, high = ([Estimate(13.8 + c * L**-0.75, 0.01) for L in boxes] for c in (-2, 5))
    >>> round(extrapolate(2, boxes, low, high).value, 9)
    13.8
    """
    scale = np.asarray(boxes, dtype=np.float64) ** (-1 / CORRELATION_EXPONENT[d])
    rows = [*zip(scale, either, strict=True)], [*zip(scale, every, strict=True)]
    design = np.array([[1.0, s, 0.0] for s, _ in rows[0]] + [[1.0, 0.0, s] for s, _ in rows[1]])
    values = np.array([e.value for _, e in (*rows[0], *rows[1])])
    sigma = np.array([e.stderr for _, e in (*rows[0], *rows[1])])
    weighted = design / sigma[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted)
    fitted = covariance @ (weighted.T @ (values / sigma))
    chi2 = (((design @ fitted - values) / sigma) ** 2).sum() / max(len(values) - 3, 1)
    return Estimate(float(fitted[0]), float(np.sqrt(covariance[0, 0] * max(chi2, 1.0))))
