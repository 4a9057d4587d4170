"""Axes -> cells -> blocks: the algebra of a sweep, never listing its points."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[slice, ...]

COMPARISONS = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True)
class Dimension:
    """One dimension of a sweep and the parameters that vary along it.

    Several parameters along one dimension are zipped: ``beta`` tied to ``alpha``, or the
    explicit cases of a dimension called ``case``.
    """

    name: str
    values: Mapping[str, tuple[float, ...]]

    @property
    def size(self) -> int:
        """Number of points along the dimension."""
        return len(next(iter(self.values.values())))


@dataclass(frozen=True)
class Exclusion:
    """Cells left out: those that meet every condition ``parameter comparison operand``.

    The operand is a number, a tuple of numbers (comparison ``in``), or another parameter.
    """

    conditions: tuple[tuple[str, str, Any], ...]

    @property
    def parameters(self) -> set[str]:
        """Every parameter that the conditions name."""
        named = {name for name, _, _ in self.conditions}
        return named | {operand for *_, operand in self.conditions if isinstance(operand, str)}

    def mask(self, mesh: Mapping[str, Array]) -> NDArray[np.bool_]:
        """Whether each point of the `mesh` is left out; broadcasts like the mesh."""
        out: NDArray[np.bool_] = np.asarray(True)
        for name, comparison, operand in self.conditions:
            other = mesh[operand] if isinstance(operand, str) else operand
            if comparison == "in":
                out = out & np.isin(mesh[name], np.asarray(other))
            else:
                out = out & COMPARISONS[comparison](mesh[name], other)
        return out


@dataclass(frozen=True)
class Grid:
    """A product of dimensions with some parameters fixed: the cells of one model.

    Examples
    --------
    >>> grid = Grid((Dimension("T", {"T": (0.1, 0.2, 0.3)}),
    ...              Dimension("alpha", {"alpha": (3.0, 4.0), "beta": (3.0, 4.0)})), {"d": 2.0})
    >>> grid.shape, grid.size, grid.point((2, 1))
    ((3, 2), 6, {'d': 2.0, 'T': 0.3, 'alpha': 4.0, 'beta': 4.0})
    """

    dimensions: tuple[Dimension, ...]
    fixed: Mapping[str, float] = field(default_factory=dict)
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions, in order."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points along each dimension."""
        return tuple(dimension.size for dimension in self.dimensions)

    @property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def parameters(self) -> set[str]:
        """Every parameter that is swept or fixed."""
        return set(self.fixed).union(*(dimension.values for dimension in self.dimensions))

    def values(self, parameter: str) -> float | tuple[float, ...]:
        """Return the values of a parameter along its dimension, or the one that it is fixed at."""
        for dimension in self.dimensions:
            if parameter in dimension.values:
                return dimension.values[parameter]
        return self.fixed[parameter]

    def restricted_to(self, parameters: set[str]) -> Grid:
        """Return the grid of a model that takes only these `parameters`.

        An exclusion that needs another one does not concern the model.
        """
        known = parameters & self.parameters
        dimensions = [
            Dimension(d.name, {n: v for n, v in d.values.items() if n in parameters})
            for d in self.dimensions
        ]
        return Grid(
            tuple(d for d in dimensions if d.values),
            {name: value for name, value in self.fixed.items() if name in parameters},
            tuple(e for e in self.exclusions if e.parameters <= known),
        )

    def mesh(self, box: Box) -> dict[str, Array]:
        """Return the parameters of the cells in `box` as arrays that broadcast to its shape."""
        mesh = {name: np.asarray(value, dtype=np.float64) for name, value in self.fixed.items()}
        for axis, (dimension, part) in enumerate(zip(self.dimensions, box, strict=True)):
            shape = [1] * len(self.dimensions)
            shape[axis] = -1
            for name, values in dimension.values.items():
                mesh[name] = np.asarray(values[part], dtype=np.float64).reshape(shape)
        return mesh

    def point(self, index: tuple[int, ...]) -> dict[str, float]:
        """Return the parameters of one cell."""
        point = dict(self.fixed)
        for dimension, i in zip(self.dimensions, index, strict=True):
            point.update({name: values[i] for name, values in dimension.values.items()})
        return point

    def excluded(self, box: Box) -> NDArray[np.bool_]:
        """Whether each cell of `box` is left out of the sweep."""
        mesh = self.mesh(box)
        shape = tuple(part.stop - part.start for part in box)
        mask = np.zeros(shape, dtype=bool)
        for exclusion in self.exclusions:
            mask |= exclusion.mask(mesh)
        return mask

    def to_json(self) -> dict[str, Any]:
        """Return plain content from which `from_json` makes an equal grid."""
        return {
            "dimensions": [
                [d.name, {n: list(v) for n, v in d.values.items()}] for d in self.dimensions
            ],
            "fixed": dict(self.fixed),
            "exclusions": [[list(c) for c in e.conditions] for e in self.exclusions],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Grid:
        """Return the grid that `to_json` wrote."""
        return cls(
            tuple(
                Dimension(name, {n: tuple(v) for n, v in values.items()})
                for name, values in content["dimensions"]
            ),
            content["fixed"],
            tuple(
                Exclusion(tuple((n, c, tuple(o) if isinstance(o, list) else o) for n, c, o in e))
                for e in content["exclusions"]
            ),
        )


@dataclass(frozen=True)
class Blocks:
    """The tiling of a grid by equal boxes, the last ones cut off at the border.

    Examples
    --------
    >>> blocks = Blocks(shape=(3, 4), block_shape=(2, 4))
    >>> len(blocks), blocks.box(1)
    (2, (slice(2, 3, None), slice(0, 4, None)))
    """

    shape: tuple[int, ...]
    block_shape: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of blocks along each dimension."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.block_shape, strict=True))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def position(self, index: int) -> tuple[int, ...]:
        """Return the place of block `index` along each dimension."""
        return tuple(int(i) for i in np.unravel_index(index, self.counts)) if self.shape else ()

    def containing(self, cell: tuple[int, ...]) -> int:
        """Return the index of the block that a cell of the grid is in.

        Examples
        --------
        >>> Blocks(shape=(3, 4), block_shape=(2, 2)).containing((2, 1))
        2
        """
        return self.at(tuple(i // b for i, b in zip(cell, self.block_shape, strict=True)))

    def at(self, position: tuple[int, ...]) -> int:
        """Return the index of the block at a place; the inverse of `position`."""
        return int(np.ravel_multi_index(position, self.counts)) if self.shape else 0

    def box(self, index: int) -> Box:
        """Return the cells of block `index`."""
        return tuple(
            slice(i * b, min((i + 1) * b, n))
            for i, b, n in zip(self.position(index), self.block_shape, self.shape, strict=True)
        )

    def size(self, index: int) -> int:
        """Return the number of cells of block `index`."""
        return math.prod(side.stop - side.start for side in self.box(index))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


def block_shape(shape: tuple[int, ...], cells: int) -> tuple[int, ...]:
    """Return a box of at most `cells` cells that tiles `shape`, its longest sides halved first.

    Splitting every dimension keeps point, slice and plane reads small alike.

    Examples
    --------
    >>> block_shape((20, 20, 100, 4), 20_000)
    (10, 20, 13, 4)
    """
    sides = list(shape)
    while math.prod(sides) > max(cells, 1):
        longest = max(range(len(sides)), key=lambda axis: sides[axis])
        sides[longest] = -(-sides[longest] // 2)
    return tuple(sides)
