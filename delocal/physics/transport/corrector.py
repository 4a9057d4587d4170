"""Linear response of a random resistor network on the torus, as a corrector problem.

Excitations hop at random rates. A uniform force on what they carry drives currents; the potentials
that keep these balanced at every node, the correctors, minimize the power dissipated, and the
minimum is the transport coefficient::

    L_pq = sum_bonds g (q_p dx + phi_p,a - phi_p,b) (q_q dx + phi_q,a - phi_q,b)

What is carried (`charges`) may be 1, the number, or the energy, or both at once: then L is the
matrix of thermoelectricity.

Three checks go with every solution. `flux_error` compares the power (`energy`) with the current
(`flux`), which are equal at the minimum. Conjugate gradients make them equal at every step, done
or not, so that they test the assembly, not the solver. `imbalance` tests the solver: the current
through every plane across the force must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from delocal.physics import kirchhoff
from delocal.physics.disorder import Integers
from delocal.physics.kirchhoff import conjugate_gradients, inflow, laplacian
from delocal.physics.model import CancelToken, never
from delocal.physics.powers import Array

AGREEMENT = 1e-5
"""`flux_error` and `imbalance` at and above which a network does not count as solved."""
TOLERANCE = 1e-10
"""Of conjugate gradients, see `conjugate_gradients`: L is then exact to 1e-10 or better."""
MAX_STEPS = 20_000
FEW = 1000

Solver = Callable[[Any, Array, CancelToken], Array]


@dataclass(frozen=True)
class Hops:
    """Bonds of a network on the torus.

    Parameters
    ----------
    start, end
        Node at either end of each bond.
    step
        Displacement along the force from start to end, by the way that the bond takes.
    rate
        Its conductance, positive.
    """

    start: Integers
    end: Integers
    step: Array
    rate: Array

    def __len__(self) -> int:
        return int(self.start.size)


@dataclass(frozen=True)
class Response:
    """The transport coefficients of one network, times its volume.

    Parameters
    ----------
    energy
        L_pq as the power dissipated, shape (charges, charges), symmetric.
    flux
        The same as the current of q_p in answer to a force on q_q.
    imbalance
        Largest difference between the currents through two planes across the force, over the
        mean traffic through a plane, of the worst of the charges.
    """

    energy: Array
    flux: Array
    imbalance: float

    @property
    def flux_error(self) -> float:
        """Largest abs(flux / energy - 1) on the diagonal."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.abs(np.diag(self.flux) / np.diag(self.energy) - 1).max())

    @property
    def solved(self) -> bool:
        """Whether both checks hold; NaN does not."""
        return self.flux_error < AGREEMENT and self.imbalance < AGREEMENT


def respond(
    hops: Hops,
    along: Array,
    box: float,
    charges: Array,
    solver: Solver | None = None,
    cancelled: CancelToken = never,
) -> Response:
    """Return the linear response of a network to a uniform force.

    Parameters
    ----------
    along
        Coordinate of each node along the force, in [0, box), shape (nodes,).
    charges
        What an excitation at each node carries, shape (charges, nodes); a hop carries the mean
        of its ends.
    solver
        `by_elimination` or `by_gradients`; None takes the first for at most `FEW` nodes.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.

    Examples
    --------
    A ring of bonds in series has the harmonic mean of their rates, D = L / nodes:

    >>> around = np.arange(4)
    >>> ring = Hops(around, (around + 1) % 4, np.ones(4), np.array([1.0, 2.0, 3.0, 6.0]))
    >>> found = respond(ring, around + 0.5, 4.0, np.ones((1, 4)))
    >>> found.energy.round(12) / 4, found.solved
    (array([[2.]]), True)
    """
    nodes = charges.shape[1]
    if solver is None:
        solver = by_elimination if nodes <= FEW else by_gradients
    matrix = laplacian(hops.start, hops.end, hops.rate, nodes)
    driven = (charges[:, hops.start] + charges[:, hops.end]) / 2 * hops.step
    tension = np.empty_like(driven)
    for q, drive in enumerate(driven):
        source = inflow(hops.start, hops.end, hops.rate * drive, nodes)
        potential = solver(matrix, source, cancelled)
        tension[q] = drive + potential[hops.start] - potential[hops.end]
    current = hops.rate * tension
    order = np.argsort(along, kind="stable")
    worst = np.max([_imbalance(hops, flow, order, box) for flow in current])
    return Response(tension @ current.T, driven @ current.T, float(worst))


def by_gradients(matrix: Any, source: Array, cancelled: CancelToken = never) -> Array:
    """Return the potentials by conjugate gradients, preconditioned by the diagonal (Jacobi).

    With bonds much longer than the spacing of nodes this needs some hundred steps, each as cheap
    as it can be; multigrid takes fewer, for the same time or more.
    """
    diagonal = matrix.diagonal()
    diagonal[diagonal == 0] = 1  # nodes without a bond
    return conjugate_gradients(
        matrix, source, lambda r: r / diagonal, cancelled, TOLERANCE, MAX_STEPS
    )


def by_elimination(matrix: Any, source: Array, cancelled: CancelToken = never) -> Array:
    """Return the potentials by elimination, one node of every connected part being grounded.

    Best for narrow networks, d = 1, and for few nodes; it is not interrupted.
    """
    _, part = connected_components(matrix, directed=False)
    free = np.ones(part.size, dtype=bool)
    free[np.unique(part, return_index=True)[1]] = False
    potential = np.zeros_like(source)
    if free.any():
        potential[free] = kirchhoff.direct(matrix[free][:, free], source[free], cancelled)
    return potential


def _imbalance(hops: Hops, current: Array, order: Integers, box: float) -> float:
    """Return how far the current through planes varies: by the outflow of the nodes between."""
    outflow = -inflow(hops.start, hops.end, current, order.size)
    through = np.cumsum(outflow[order])
    traffic = np.abs(current * hops.step).sum() / box
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((through.max() - through.min()) / traffic)
