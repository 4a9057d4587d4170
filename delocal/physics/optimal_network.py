"""The network of pseudo-spins as a random banded matrix, Gutman et al. (2016), Eqs. (17) to (20).

Pseudo-spins of one size lie at random, N2 of them in a volume R2***d; two of them are coupled if
they are closer than R2*, whatever their energies. Without the interaction that is left after the
transformation to fermions that is one matrix, Fig. 4: energies on the diagonal, hopping beside it,
both of order E*. Lengths are in units of R2*, energies in units of E* = t / R1**alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from delocal.physics.disorder import Integers, close_pairs
from delocal.physics.percolation import clusters
from delocal.physics.powers import Array

SMALLEST_BOX = 3.0
"""In units of R2*: two points have one nearest image within reach only in a box larger than 2."""
Couplings = Callable[[Generator, int], Array]
COUPLINGS: Mapping[str, Couplings] = {
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "signs": lambda rng, n: np.asarray(rng.choice([-1.0, 1.0], n)),
    "gaussian": lambda rng, n: rng.standard_normal(n),
}
"""Laws of u_ij / E*, Eq. (19): the magnitude is that of the equation, the law a convention."""


@dataclass(frozen=True)
class Network:
    """The largest cluster of a network.

    Parameters
    ----------
    x, z
        Fields E^x and E^z of each pseudo-spin, Eq. (18), shape (n,).
    a, b
        Coupled pairs, a < b.
    u
        Their coupling.
    share
        Of all pseudo-spins that are in the cluster.
    """

    x: Array
    z: Array
    a: Integers
    b: Integers
    u: Array
    share: float

    def __len__(self) -> int:
        return int(self.x.size)

    @property
    def energies(self) -> Array:
        """The splittings eps = sqrt(Ex**2 + Ez**2)."""
        return np.hypot(self.x, self.z)


def draw_network(
    d: int, N2: float, L: float, rng: Generator, couplings: str = "uniform"
) -> Network:
    """Return the largest cluster of pseudo-spins in a periodic box.

    Parameters
    ----------
    d
        Dimension 1, 2 or 3.
    N2
        Pseudo-spins in a volume R2***d, on average; their number is Poisson.
    L
        Edge of the box in units of R2*.
    couplings
        A law of `COUPLINGS`. Fields are uniform in (-1, 1).

    Raises
    ------
    ValueError
        The box is too small for nearest images.
    """
    if L < SMALLEST_BOX:
        raise ValueError(f"a box of {L:g} R2* is too small; take {SMALLEST_BOX:g} or more")
    number = int(rng.poisson(N2 * L**d))
    positions = rng.random((number, d)) * L
    a, b = close_pairs(positions, L, 1.0)
    label = clusters(positions, a, b, L).label
    inside = label == np.bincount(label, minlength=1).argmax()
    place = np.cumsum(inside) - 1
    kept = inside[a]
    n = int(inside.sum())
    x, z = rng.uniform(-1, 1, (2, n))
    u = COUPLINGS[couplings](rng, int(kept.sum()))
    return Network(x, z, place[a[kept]], place[b[kept]], u, n / max(number, 1))


def banded_matrix(network: Network, *, transverse: bool = False) -> Array:
    """Return the matrix of Fig. 4: eps_i on the diagonal, hopping u_ij beside it.

    Parameters
    ----------
    transverse
        Whether the hopping is u_ij n^x_i n^x_j, with n the directions of Eq. (20): what flips both
        pseudo-spins once each of them is turned to its own axis. The paper's matrix has u_ij.
    """
    hopping = network.u
    if transverse:
        n = network.x / network.energies
        hopping = hopping * n[network.a] * n[network.b]
    matrix = np.diag(network.energies)
    matrix[network.a, network.b] = matrix[network.b, network.a] = hopping
    return matrix
