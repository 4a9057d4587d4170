"""Kirchhoff's equations of a cubic lattice of random bonds, and the currents that check them.

Conductances that span ten decades are a trap: a solver that stops at a small residual may be far
from the solution, as the residual is that of the strongest bonds. What must hold is that the same
current flows through every plane across the field, so that is computed and given with each result.

Strength that matters is bounded: a bond `STRONGEST` times the median is a short circuit. To cut
it there lowers the conductance (Rayleigh), by about 1/`STRONGEST`, and keeps float64 exact enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from delocal.physics.disorder import Integers
from delocal.physics.model import Cancelled, CancelToken, never
from delocal.physics.powers import Array

Boundary = Literal["torus", "electrodes"]
Solver = Callable[[Any, Array, CancelToken], Array]

BALANCE = 1e-6
"""Relative difference of currents, at and above which a network does not count as solved."""
STRONGEST = 1e8
"""Largest conductance over the median one."""
TOLERANCE = 1e-12
"""Relative error, in the norm of the dissipated power, at which conjugate gradients stop."""
MAX_STEPS = 1000


@dataclass(frozen=True)
class Lattice:
    """A cubic lattice of L**d grains, with a voltage of 1 along its first axis.

    It is periodic across the field. Along it, a ``torus`` is periodic too, driven by a uniform
    field; with ``electrodes`` the grains of the first plane share one potential, and the field
    drives the current from them around the torus into them again: out of one electrode, into the
    other. The torus has no surface and so less of a finite-size effect.

    Parameters
    ----------
    d, L
        Dimension, and bonds along each edge, 2 or more.
    start, end
        Grain at either end of each bond.
    plane
        For a bond along the field the number of the plane that it crosses, otherwise -1.
    node
        Node of each grain. Node 0 is grounded.
    """

    d: int
    L: int
    start: Integers
    end: Integers
    plane: Integers
    node: Integers


def lattice(d: int, L: int, boundary: Boundary = "torus") -> Lattice:
    """Return the bonds of a lattice; see `Lattice`.

    Examples
    --------
    >>> square = lattice(2, 3)
    >>> square.start.size, np.bincount(square.plane[square.plane >= 0]).tolist()
    (18, [3, 3, 3])
    """
    grain = np.arange(L**d).reshape((L,) * d)
    section = L ** (d - 1)
    start, end, plane = [], [], []
    for axis in range(d):
        short = axis > 0 and boundary == "electrodes"  # bonds within the electrode carry nothing
        here = grain[1:] if short else grain
        after = np.roll(grain, -1, axis)[1:] if short else np.roll(grain, -1, axis)
        start.append(here.ravel())
        end.append(after.ravel())
        plane.append(here.ravel() // section if axis == 0 else np.full(here.size, -1))
    grounded = section if boundary == "electrodes" else 1
    node = np.maximum(np.arange(L**d) - grounded + 1, 0)
    return Lattice(d, L, np.concatenate(start), np.concatenate(end), np.concatenate(plane), node)


@dataclass(frozen=True)
class Flow:
    """The current through a network.

    Parameters
    ----------
    conductance
        Effective conductance of a bond: that of the lattice if all bonds were equal to it.
    balance
        Largest difference between the currents through two planes, over the current. It bounds
        abs(I_in + I_out) / abs(I).
    """

    conductance: float
    balance: float

    @property
    def solved(self) -> bool:
        """Whether the currents balance; NaN does not."""
        return self.balance < BALANCE


def flow(
    bonds: Lattice,
    g: Array,
    solver: Solver | None = None,
    cancelled: CancelToken = never,
) -> Flow:
    """Return the current that flows through a lattice of bonds with the conductances `g`.

    Parameters
    ----------
    g
        Positive, shape (bonds,); if one is not, the result is NaN and not solved.
    solver
        Of the linear equations; None takes `multigrid` in three dimensions from L = 12 on,
        and `direct` otherwise.

    Examples
    --------
    Bonds in series have the harmonic mean, all bonds alike are as good as one:

    >>> chain = flow(lattice(1, 4), np.array([1.0, 2.0, 3.0, 6.0]))
    >>> round(chain.conductance, 12), chain.solved
    (2.0, True)
    >>> round(flow(lattice(3, 4, "electrodes"), np.full(160, 7.0)).conductance, 12)
    7.0
    """
    if solver is None:
        solver = multigrid if bonds.d == 3 and bonds.L >= 12 else direct
    if not (g > 0).all():
        return Flow(np.nan, np.nan)
    g = np.minimum(g, STRONGEST * np.median(g))
    along = bonds.plane >= 0
    field = along / bonds.L
    a, b = bonds.node[bonds.start], bonds.node[bonds.end]
    nodes = int(bonds.node[-1]) + 1
    matrix = laplacian(a, b, g, nodes)[1:, 1:]
    source = inflow(a, b, g * field, nodes)[1:]
    potential = np.append(0.0, solver(matrix, source, cancelled))
    current = g * (field + potential[a] - potential[b])
    through = np.bincount(bonds.plane[along], current[along], bonds.L)
    mean = float(through.mean())
    with np.errstate(divide="ignore", invalid="ignore"):
        balance = float((through.max() - through.min()) / np.abs(mean))
    return Flow(mean * float(bonds.L) ** (2 - bonds.d), balance)


def laplacian(a: Integers, b: Integers, g: Array, nodes: int) -> Any:
    """Return the matrix that turns the potentials of all nodes into what flows out of each.

    Parameters
    ----------
    a, b, g
        Node at either end of each bond, and its conductance.
    """
    rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
    entries = np.concatenate([g, g, -g, -g])
    return coo_array((entries, (rows, columns)), shape=(nodes, nodes)).tocsr()


def inflow(a: Integers, b: Integers, current: Array, nodes: int) -> Array:
    """Return what currents from a to b bring into each node."""
    return np.subtract(np.bincount(b, current, nodes), np.bincount(a, current, nodes))


def direct(matrix: Any, source: Array, cancelled: CancelToken = never) -> Array:
    """Return the potentials by elimination: the best choice up to d = 2.

    In three dimensions fill-in grows as L**4, time as L**6. It is not interrupted.
    """
    factors = splu(
        matrix.tocsc(),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,  # a Laplacian needs no pivots
        options={"SymmetricMode": True},
    )
    return np.asarray(factors.solve(source))


def multigrid(matrix: Any, source: Array, cancelled: CancelToken = never) -> Array:
    """Return the potentials by conjugate gradients, preconditioned by algebraic multigrid.

    Classical multigrid (Ruge and Stueben 1987) builds its grids from the strong bonds. The
    smoother is that of Gauss and Seidel and the coarsest grid is eliminated, so that nothing is
    random and the same network gives the same bits.
    """
    import pyamg  # type: ignore[import-untyped]  # needed here alone

    hierarchy = pyamg.ruge_stuben_solver(
        matrix, strength=("classical", {"theta": 0.1}), max_coarse=100, coarse_solver="splu"
    )
    return conjugate_gradients(matrix, source, hierarchy.aspreconditioner().matvec, cancelled)


def conjugate_gradients(
    matrix: Any,
    source: Array,
    precondition: Callable[[Array], Array],
    cancelled: CancelToken = never,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Array:
    """Return x with ``matrix x = source``, for a positive definite matrix.

    Or a semidefinite one, if the source is none that it cannot reach.

    It stops where ``r.z <= tolerance**2 x.source`` for the residual r and z = precondition(r):
    both sides are powers, that of the error, if the preconditioner is good, and that dissipated.
    After `max_steps` it returns what it has: the currents tell.

    Raises
    ------
    Cancelled
        If ``cancelled()`` was true.
    """
    x, r = np.zeros_like(source), source.copy()
    z = precondition(r)
    direction, rz = z, _dot(r, z)
    for _ in range(max_steps):
        if rz <= tolerance**2 * _dot(x, source):
            break
        if cancelled():
            raise Cancelled("the solution of Kirchhoff's equations was cancelled")
        image = matrix @ direction
        step = rz / _dot(direction, image)
        x += step * direction
        r -= step * image
        z = precondition(r)
        before, rz = rz, _dot(r, z)
        direction = z + rz / before * direction
    return x


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return a.b, summed in an order that does not depend on the number of threads."""
    return float((a * b).sum())
