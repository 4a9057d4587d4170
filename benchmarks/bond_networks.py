"""Multigrid against elimination on lattices of random bonds, and what one grain costs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from benchmarks.report import Row
from delocal.physics.bond_networks import levy_bonds
from delocal.physics.decay_tree import golden_width
from delocal.physics.disorder import stream
from delocal.physics.grains import draw_grain, solve_widths
from delocal.physics.kirchhoff import Solver, direct, flow, lattice, multigrid

COMMAND = "python -m benchmarks"


def rows(L: int = 24, L2: int = 128, grains: int = 50, repeats: int = 3) -> list[Row]:
    """Return seconds for one lattice of Levy bonds in either solver, and for one grain.

    Both solvers get the same lattices in the same run; the best of `repeats`. The peer is
    SuperLU as scipy ships it.
    """
    found = []
    for d, edge, bar in ((3, L, 5.0), (2, L2, None)):
        name = f"bonds, d={d}, L={edge}"
        one, other = (_solve(d, edge, solver, repeats) for solver in (direct, multigrid))
        found += [
            Row(f"{name}: s, elimination", one, None, "lower", COMMAND),
            Row(f"{name}: s, multigrid", other, None, "lower", COMMAND),
            Row(f"{name}: elimination over multigrid", one / other, bar, "higher", COMMAND),
        ]
    for lam in (0.1, 1e-3):
        name = f"one grain, 80 levels, lam={lam:g}: ms"
        found.append(Row(name, 1e3 * _grain(lam, grains), 15.0, "lower", COMMAND))
    return found


def _solve(d: int, L: int, solver: Solver, repeats: int) -> float:
    bonds = lattice(d, L)

    def once(replica: int) -> None:
        g = levy_bonds(bonds.start.size, stream("benchmark", replica))
        if not flow(bonds, g, solver).solved:
            raise RuntimeError("the currents of a lattice do not balance")

    return _best(once, repeats)


def _grain(lam: float, grains: int) -> float:
    """Return the mean over grains: their numbers of iterations differ."""

    def once(replica: int) -> None:
        for grain in range(grains):
            drawn = draw_grain(8.0, 4.0, 80, stream("benchmark", grain))
            solve_widths(drawn, lam, 1e-10, float(golden_width(lam, 4.0, 8.0)))

    once(0)  # compiled
    return _best(once, 2) / grains


def _best(once: Callable[[int], None], repeats: int) -> float:
    times = []
    for replica in range(repeats):
        began = time.perf_counter()
        once(replica)
        times.append(time.perf_counter() - began)
    return float(np.min(times))
