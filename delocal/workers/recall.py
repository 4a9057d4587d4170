"""Cells that another sweep has already: copied, not computed again.

Results follow from the content of a cell alone, so that a copy has the same bytes as a new
computation would have. It is worth it for what is dear: replicas of Monte Carlo cells, and
models whose cells cost more than reading them. Copied is only what is stored whole and intact:
a sweep that is being computed, purged or damaged meanwhile has nothing to give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Status, Variable
from delocal.workers.dataset import Layout
from delocal.workers.grid import Dimension
from delocal.workers.plan import Part, model_of
from delocal.workers.store import SweepStore

DEAR = 1e-3  # seconds: reading a cell costs about as much
COUNTED = 20_000  # cells of a grid that is cut in another way are counted one by one up to here
BLOCKS_KEPT = 4  # of a source in memory: a block that is wanted lies in a few of its blocks
FINAL = (Status.DONE, Status.OUTSIDE_DOMAIN, Status.NOT_CONVERGED)

Arrays = Mapping[str, NDArray[Any]]


def is_dear(part: Part) -> bool:
    """Whether a part is worth looking for in other sweeps."""
    if part.role == "summary":
        return False
    return part.role == "replicas" or model_of(part).seconds_per_cell * part.evaluations >= DEAR


def alike(store: SweepStore, wanted: Part, kind: Callable[[Part], object]) -> Part | None:
    """Return the part of another sweep that is of the `kind` of one and has its parameters.

    None if there is none, or if the sweep is purged meanwhile, or damaged.
    """
    try:
        parts = store.plan.parts
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    for part in parts:
        if kind(part) == kind(wanted) and part.grid.parameters == wanted.grid.parameters:
            return part
    return None


@dataclass(frozen=True)
class Source:
    """A part of another sweep with the same model, version, options and seed."""

    store: SweepStore
    part: Part

    @classmethod
    def of(cls, store: SweepStore, wanted: Part) -> Source | None:
        """Return the part of a store that may hold cells of `wanted`, or None."""
        part = alike(store, wanted, _kind)
        return None if part is None else cls(store, part)

    @cached_property
    def _places(self) -> list[dict[tuple[float, ...], int]]:
        """By dimension: where each combination of its values is."""
        return [
            {values: i for i, values in enumerate(zip(*d.values.values(), strict=True))}
            for d in self.part.grid.dimensions
        ]

    def locate(self, point: Mapping[str, float]) -> tuple[int, ...] | None:
        """Return the index of the cell with the parameters of `point`, or None."""
        grid = self.part.grid
        if any(point[name] != value for name, value in grid.fixed.items()):
            return None
        index = [
            places.get(tuple(point[name] for name in dimension.values))
            for places, dimension in zip(self._places, grid.dimensions, strict=True)
        ]
        return None if None in index else tuple(i for i in index if i is not None)

    def read(self, index: tuple[int, ...]) -> dict[str, NDArray[Any]] | None:
        """Return the variables of one cell, or None where it has no final result."""
        found: dict[str, NDArray[Any]] = {}
        for variable in model_of(self.part).variables_for(self.part.grid.parameters):
            values = self._value(variable, index)
            if values is None or (variable.name == "status" and values.item() not in FINAL):
                return None
            found[variable.name] = values
        return found

    def _value(self, variable: Variable, index: tuple[int, ...]) -> NDArray[Any] | None:
        """Return a variable of one cell, or None if the block that wrote it is not intact."""
        own = self._layout.grid_dims(variable)
        first = tuple(
            i if name in own else 0 for name, i in zip(self.part.grid.names, index, strict=True)
        )
        owner = self.part.blocks.containing(first)
        arrays = self._block(owner)
        if arrays is None:
            return None
        box = self.part.blocks.box(owner)
        cell = tuple(i - side.start for i, side in zip(first, box, strict=True))
        return np.asarray(arrays[variable.name][self._layout.place(variable, cell)])

    @cached_property
    def _layout(self) -> Layout:
        return Layout.of_grid(self.part.grid, model_of(self.part))

    @cached_property
    def _block(self) -> Callable[[int], Arrays | None]:
        return lru_cache(BLOCKS_KEPT)(lambda block: self.store.intact(self.part.name, block))


@dataclass(frozen=True)
class Memory:
    """What other sweeps know of the cells of a part."""

    sources: tuple[Source, ...]

    @classmethod
    def of(cls, stores: Sequence[SweepStore], wanted: Part) -> Memory:
        """Return the memory of `wanted` in those stores that are there; empty where it is cheap."""
        if not stores or not is_dear(wanted):
            return cls(())
        there = (store for store in stores if store.exists() and not store.deleted())
        found = (Source.of(store, wanted) for store in there)
        return cls(tuple(source for source in found if source is not None))

    def find(self, point: Mapping[str, float]) -> dict[str, NDArray[Any]] | None:
        """Return the variables of the cell at `point`, along their extra dims, or None."""
        for source in self.sources:
            index = source.locate(point)
            if index is not None and (found := source.read(index)) is not None:
                return found
        return None

    def overlap(self, wanted: Part) -> int:
        """Return how many cells of `wanted`, or replicas, the best source has places for."""
        return max((_overlap(source, wanted) for source in self.sources), default=0)


def _kind(part: Part) -> tuple[Any, ...]:
    """Return what two parts share whose cells are the same where their parameters are."""
    seed = part.sampling.seed if part.sampling else None
    searched = (part.refinement, part.sampling) if part.refinement else None
    return (part.model, part.version, part.role, dict(part.options), seed, searched)


def _overlap(source: Source, wanted: Part) -> int:
    """Count the cells that a source has places for; 0 where counting would cost too much."""
    have, want = _all(source.part), _all(wanted)
    if have.keys() == want.keys():
        return math.prod(len(values & have[names]) for names, values in want.items())
    if wanted.grid.size > COUNTED:
        return 0
    points = map(wanted.grid.point, np.ndindex(wanted.grid.shape))
    return sum(source.locate(point) is not None for point in points)


def _all(part: Part) -> dict[tuple[str, ...], set[tuple[float, ...]]]:
    """Return the points along each dimension of a grid; what is fixed is a dimension of one."""
    fixed = (Dimension(name, {name: (value,)}) for name, value in part.grid.fixed.items())
    dimensions = (*part.grid.dimensions, *fixed)
    return {tuple(d.values): set(zip(*d.values.values(), strict=True)) for d in dimensions}
