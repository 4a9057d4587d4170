"""The near-linear finder of resonant pairs, Gutman et al. (2016), Sec. II A.

Two spins are resonant when |e_i - e_j| < t_ij / r**alpha. Their number is of order N, and so is
the work: distances are split into a few levels, in each of which the energies of a pair can
differ by little, and spins are sorted once per level into cells of space and bins of energy.
`docs/explanation/finding-resonances.md` says how and why; the inner loops are in
`resonance_kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from delocal.physics import resonance_kernels as kernels
from delocal.physics.model import Cancelled
from delocal.physics.resonance_kernels import Floats, Ints
from delocal.physics.resonance_plan import (
    Coupling,
    Level,
    Quanta,
    Shell,
    check_plan,
    law_of,
    make_plan,
    plan_levels,
)
from delocal.physics.resonance_search import GROUP, Work, search_systems

__all__ = [
    "Cancelled",
    "Level",
    "couplings",
    "plan_levels",
    "resonant_pairs",
    "resonant_pairs_batched",
]

MAX_SPINS = 2**30


def resonant_pairs(
    positions: ArrayLike,
    energies: ArrayLike,
    *,
    box: float,
    alpha: float,
    t: float = 1.0,
    rmin: float = 1.0,
    rmax: float | None = None,
    coupling: Coupling = "fixed",
    key: int = 0,
    threads: int = 1,
    cancelled: Callable[[], bool] | None = None,
    plan: Sequence[Level] | None = None,
) -> tuple[Ints, Ints]:
    """Return all resonant pairs (i, j) of spins in a periodic box.

    ::

        |e_i - e_j| < |t_ij| / r**alpha,   rmin <= r < rmax,   i < j

    Parameters
    ----------
    positions
        Shape (N, d), d = 1, 2 or 3; folded into the box.
    energies
        Shape (N,).
    box
        Side of the box; r is the distance to the nearest image.
    alpha
        Range of the coupling, any number > 0. The work is near-linear in N for alpha >= d.
    t
        Scale of the coupling, same unit as the energies times length**alpha.
    rmin, rmax
        Shell of distances. ``rmax`` is at most ``box / 2``, and that by default.
    coupling
        ``fixed``: |t_ij| = t; ``uniform``: uniform in (0, t); ``gaussian``: t |N(0, 1)|.
    key
        Which random |t_ij|; see `couplings`.
    threads
        Number of threads; the result does not depend on it.
    cancelled
        Asked about every 50 ms of work or more often, from any of the threads.
    plan
        Levels to use, to force a way of searching. They must tile [rmin, rmax).

    Returns
    -------
    i, j
        Arrays of int32 in lexicographic order.

    Raises
    ------
    ValueError
        If an argument has no meaning.
    Cancelled
        If ``cancelled()`` was true.

    References
    ----------
    Gutman et al. (2016), Sec. II A, above Eq. (4).

    Examples
    --------
    >>> i, j = resonant_pairs([[0.5], [2.0], [9.0]], [0.0, 0.1, 0.2], box=10, alpha=1.5)
    >>> [*zip(i.tolist(), j.tolist())]  # 0 and 2 are 1.5 apart, through the wall
    [(0, 1), (0, 2), (1, 2)]
    """
    x, e = _floats(positions, "positions", 2), _floats(energies, "energies", 1)
    _, i, j = _resonant_pairs(
        x[np.newaxis],
        e[np.newaxis],
        keys=np.array([_hash_key(key)]),
        shell=_shell(box, alpha, t, rmin, rmax, coupling),
        plan=plan,
        work=Work(threads, cancelled),
    )
    return i, j


def resonant_pairs_batched(
    positions: ArrayLike,
    energies: ArrayLike,
    *,
    box: float,
    alpha: float,
    t: float = 1.0,
    rmin: float = 1.0,
    rmax: float | None = None,
    coupling: Coupling = "fixed",
    keys: Sequence[int] | int = 0,
    threads: int = 1,
    cancelled: Callable[[], bool] | None = None,
    plan: Sequence[Level] | None = None,
) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return the resonant pairs of each of S systems of N spins, as `resonant_pairs` would.

    Parameters
    ----------
    positions, energies
        Shapes (S, N, d) and (S, N).
    keys
        The key of each system, or one for all.

    Returns
    -------
    offsets, i, j
        The pairs of system s are ``i[offsets[s]:offsets[s + 1]]`` with the same of j; both
        count within the system. ``offsets`` has S + 1 entries.

    Examples
    --------
    >>> offsets, i, j = resonant_pairs_batched(
    ...     [[[0.5], [2.0]], [[0.5], [3.0]]], [[0.0, 0.1], [0.0, 9.0]], box=10, alpha=1.5
    ... )
    >>> offsets.tolist(), i.tolist(), j.tolist()
    ([0, 1, 1], [0], [1])
    """
    x, e = _floats(positions, "positions", 3), _floats(energies, "energies", 2)
    each = [keys] * len(x) if isinstance(keys, (int, np.integer)) else list(keys)
    if len(each) != len(x):
        raise ValueError(f"{len(each)} keys for {len(x)} systems; give one for each, or one")
    return _resonant_pairs(
        x,
        e,
        keys=np.array([_hash_key(key) for key in each], dtype=np.uint64),
        shell=_shell(box, alpha, t, rmin, rmax, coupling),
        plan=plan,
        work=Work(threads, cancelled),
    )


def couplings(
    i: ArrayLike, j: ArrayLike, *, t: float = 1.0, coupling: Coupling = "fixed", key: int = 0
) -> Floats:
    """Return |t_ij|, a pure function of the key and the unordered pair (i, j).

    The 64 bits behind it are splitmix64 of (key, i, j). ``uniform`` uses 52 of them.
    ``gaussian`` is t sqrt(-2 ln u) |cos(2 pi v)| (Box and Muller 1958) with u, v of 32 bits:
    its tail ends at 6.76 t, beyond which a normal variable lies with probability 1.3e-11.

    Examples
    --------
    >>> one, other = (couplings(*pair, coupling="uniform", key=7) for pair in ([3, 5], [5, 3]))
    >>> bool(one == other), couplings([0, 1], [1, 2], t=0.5).tolist()
    (True, [0.5, 0.5])
    """
    first, second = np.broadcast_arrays(np.asarray(i, np.int64), np.asarray(j, np.int64))
    out = np.empty(first.shape)
    kernels.draw_couplings(
        law_of(coupling), float(t), _hash_key(key), first.ravel(), second.ravel(), out.reshape(-1)
    )
    return out


def _resonant_pairs(
    positions: Floats,
    energies: Floats,
    *,
    keys: NDArray[np.uint64],
    shell: Shell,
    plan: Sequence[Level] | None,
    work: Work,
) -> tuple[NDArray[np.int64], Ints, Ints]:
    """Return the pairs of systems of shape (S, N, d), in groups that fit into the cache."""
    systems, spins = _sizes(positions, energies)
    check_plan(plan, positions.shape[-1], shell)
    with work:
        lowest, highest = work.extremes(positions, "positions")
        if lowest < 0 or highest > shell.box:
            positions = np.mod(positions, shell.box)
        quanta = Quanta.of(shell.box, *work.extremes(energies, "energies"))
        if spins < 2 or systems == 0 or shell.t == 0:
            return np.zeros(systems + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32)
        levels = make_plan(spins, positions.shape[-1], shell, quanta) if plan is None else plan
        return search_systems(positions, energies, keys, shell, quanta, levels, work)


def _shell(
    box: float, alpha: float, t: float, rmin: float, rmax: float | None, coupling: Coupling
) -> Shell:
    """Return what is sought, or say what is wrong with it."""
    for name, value, largest in (("box", box, 1e100), ("alpha", alpha, 1e3)):
        if not 0 < value <= largest:
            raise ValueError(f"{name} = {value} must be positive and at most {largest:g}")
    for name, value in (("t", t), ("rmin", rmin)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} = {value} must be at least 0 and finite")
    law_of(coupling)
    if box < 1e-100:
        raise ValueError(f"box = {box} must be at least 1e-100; choose another unit of length")
    upper = box / 2 if rmax is None else rmax
    if not rmin < upper <= box / 2:
        raise ValueError(
            f"rmin = {rmin} < rmax = {upper} <= box / 2 = {box / 2} must hold: "
            "beyond half the box a pair has more than one image"
        )
    return Shell(float(box), float(alpha), float(t), float(rmin), float(upper), coupling)


def _floats(values: ArrayLike, name: str, dimensions: int) -> Floats:
    """Return a contiguous, writable array: the one kind that kernels are compiled for."""
    array = np.require(values, dtype=np.float64, requirements=["C", "A", "W"])
    if array.ndim != dimensions:
        raise ValueError(f"{name} has {array.ndim} dimensions, not {dimensions}")
    return array


def _sizes(positions: Floats, energies: Floats) -> tuple[int, int]:
    """Return the number of systems and of spins in each, checked."""
    systems, spins, d = positions.shape
    if d not in (1, 2, 3):
        raise ValueError(f"positions have d = {d} coordinates, not 1, 2 or 3")
    if energies.shape != (systems, spins):
        raise ValueError(
            f"{spins} positions need energies of shape {(spins,)}, not {energies.shape[1:]}, "
            f"in each of {systems} systems"
        )
    if max(spins, min(systems * spins, GROUP)) > MAX_SPINS:
        raise ValueError(f"{spins} spins in one system are more than {MAX_SPINS}")
    return systems, spins


def _hash_key(key: int) -> np.uint64:
    return np.uint64(int(key) % 2**64)
