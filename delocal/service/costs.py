"""What a Monte Carlo sweep will cost, from what its cells cost in earlier sweeps.

The time of a replica, and how many replicas an error takes, differ by orders of magnitude between
the cells of a grid, so that no mean over a model tells of either. Both stand in the summary of
every earlier sweep. A cell that no sweep has is taken to be as its nearest neighbour that one has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from delocal.workers.plan import Part, model_named
from delocal.workers.recall import alike
from delocal.workers.sampling import REPLICA, Sampling
from delocal.workers.store import SweepStore

Array = NDArray[np.float64]
SOURCES = 8  # earlier sweeps that are read: each is a few arrays
CELLS = 20_000  # of a grid, of which every cell is looked up


@dataclass(frozen=True)
class Known:
    """What earlier sweeps tell of the cells of a Monte Carlo model.

    Parameters
    ----------
    points
        Parameters of the cells in the order of their names, shape (n, parameters).
    seconds
        Time of one core for one replica, shape (n,).
    variance
        Squared relative error of one replica, shape (n,); NaN where a cell has no error.
    """

    points: Array
    seconds: Array
    variance: Array


@dataclass(frozen=True)
class Expected:
    """What the replicas of a part are expected to take: their number, and core-seconds."""

    replicas: int
    seconds: float


def expect(stores: Iterable[SweepStore], summary: Part) -> Expected | None:
    """Return what a summary's replicas will take; None where no earlier sweep tells.

    Parameters
    ----------
    stores
        Earlier sweeps, those to be trusted most first.
    summary
        Part of a plan with the role ``summary``.
    """
    if summary.grid.size > CELLS or summary.sampling is None:
        return None
    known = _learn(stores, summary)
    if known is None:
        return None
    nearest = _nearest(known.points, _points(summary))
    wanted = replicas_wanted(known.variance[nearest], summary.sampling)
    seconds = known.seconds[nearest].reshape(summary.grid.shape)
    left_out = summary.grid.excluded(tuple(slice(0, n) for n in summary.grid.shape))
    wanted = np.where(left_out, 0, wanted.reshape(summary.grid.shape))
    number, total = 0, 0.0
    for block in summary.blocks:  # its cells get as many replicas as the one that wants most
        box = summary.blocks.box(block)
        most = int(wanted[box].max())
        number += most * int((~left_out[box]).sum())
        total += most * float(seconds[box][~left_out[box]].sum())
    return Expected(number, total)


def replicas_wanted(variance: Array, sampling: Sampling) -> NDArray[np.int64]:
    """Return how many replicas cells get, of which one has the relative `variance`.

    They are doubled until the error is below the target, as the summary does; a cell without an
    error has nothing to improve.

    Examples
    --------
    >>> sampling = Sampling(replicas=8, max_replicas=100, target_rel_error=0.01, seed=0)
    >>> replicas_wanted(np.array([1e-4, 2e-3, 5e-3, 1.0, np.nan]), sampling).tolist()
    [8, 32, 64, 100, 8]
    """
    first, target = sampling.replicas, sampling.target_rel_error
    if target is None:
        return np.full(variance.shape, first)
    needed = np.nan_to_num(variance / target**2, nan=first) / first
    doubled = first * 2.0 ** np.ceil(np.log2(np.maximum(needed, 1)))
    return np.minimum(doubled, sampling.max_replicas).astype(np.int64)


def _learn(stores: Iterable[SweepStore], wanted: Part) -> Known | None:
    found = [known for known in _each(stores, wanted) if known is not None]
    if not sum(known.seconds.size for known in found):
        return None
    columns = ([getattr(known, name) for known in found] for name in Known.__dataclass_fields__)
    return Known(*(np.concatenate(column) for column in columns))


def _each(stores: Iterable[SweepStore], wanted: Part) -> Iterator[Known | None]:
    left = SOURCES
    for store in stores:
        if left and not store.deleted() and (part := alike(store, wanted, _kind)) is not None:
            left -= 1
            yield _read(store, part)


def _kind(part: Part) -> tuple[object, ...]:
    """Return what two parts share whose cells cost the same, whatever their seed and grid."""
    return part.model, part.version, part.role, dict(part.options)


def _read(store: SweepStore, part: Part) -> Known | None:
    """Return what the summary of a sweep tells of those of its cells that are there.

    None if it was made before one of these variables was.
    """
    target = model_named(part).target
    names = ("n_replicas", "core_seconds", "seconds_per_percent", target, f"{target}_stderr")
    ds = store.open_model(part.name)
    if not {*names} <= {*ds.data_vars}:
        return None
    number, spent, per_percent, mean, error = (ds[n].values.ravel().astype(float) for n in names)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = number * (error / mean) ** 2
        seconds = per_percent / (1e4 * variance)
    assert part.sampling is not None
    seconds = np.where(np.isfinite(seconds), seconds, spent / part.sampling.replicas)
    there = np.isfinite(seconds)
    return Known(_points(part)[there], seconds[there], variance[there])


def _points(part: Part) -> Array:
    """Return the parameters of all cells, shape (cells, parameters), by the names' order."""
    grid = part.grid
    mesh = grid.mesh(tuple(slice(0, n) for n in grid.shape))
    names = sorted(grid.parameters - {REPLICA})
    columns = [np.broadcast_to(mesh[name], grid.shape).ravel() for name in names]
    return np.stack(columns, axis=-1)


def _nearest(known: Array, wanted: Array) -> NDArray[np.int64]:
    """Return the row of `known` nearest to each of `wanted`: by logarithms where all are positive.

    Examples
    --------
    >>> _nearest(np.array([[1.0, 1.0], [1.0, 100.0]]), np.array([[1.0, 8.0], [1.0, 12.0]])).tolist()
    [0, 1]
    """
    both = np.concatenate([known, wanted])
    positive = (both > 0).all(axis=0)
    scaled = np.where(positive, np.log(np.where(positive, both, 1.0)), both)
    return np.asarray(cKDTree(scaled[: len(known)]).query(scaled[len(known) :])[1])
