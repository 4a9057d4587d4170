"""A dataset as a long table: one row for each cell, read by boxes, never all at once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Box = dict[str, slice]


@dataclass(frozen=True)
class Column:
    """A column: its variable, and its place along the dimensions that are not those of cells.

    Such a dimension becomes columns: ``kappa_exponent_T``, ``kappa_exponent_W``.
    """

    name: str
    variable: xr.Variable
    place: Mapping[str, int]

    def read(self, dims: Sequence[str], box: Box) -> NDArray[Any]:
        """Return the values in a box of the cells, in the order of the cells."""
        own = {dim: box[dim] for dim in dims if dim in self.variable.dims}
        values = self.variable.isel({**own, **self.place}).values
        spread = values.reshape([_length(box[dim]) if dim in own else 1 for dim in dims])
        return np.broadcast_to(spread, [_length(box[dim]) for dim in dims]).ravel()


@dataclass(frozen=True)
class Table:
    """The rows of a dataset, the last of the dimensions `dims` of its cells running fastest."""

    ds: xr.Dataset
    dims: tuple[str, ...]

    @classmethod
    def of(cls, ds: xr.Dataset) -> Table:
        """Return the table of a whole dataset, whose cells are those of its status."""
        return cls(ds, tuple(map(str, ds["status"].dims)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each dimension."""
        return tuple(self.ds.sizes[dim] for dim in self.dims)

    def __len__(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def columns(self) -> list[Column]:
        """Every column: axes, other coordinates, variables."""
        return list(self._columns())

    def _columns(self) -> Iterator[Column]:
        labelled = {name for name, c in self.ds.coords.items() if not set(c.dims) <= set(self.dims)}
        for name in dict.fromkeys((*self.dims, *self.ds.coords, *self.ds.data_vars)):
            if name in labelled or name not in self.ds.variables:
                continue  # the labels of further dimensions; a dimension without values
            variable = self.ds.variables[name]
            further = [str(dim) for dim in variable.dims if dim not in self.dims]
            for place in np.ndindex(*(self.ds.sizes[dim] for dim in further)):
                labels = [
                    str(self.ds[dim].values[i]) for dim, i in zip(further, place, strict=True)
                ]
                at = dict(zip(further, place, strict=True))
                yield Column("_".join([str(name), *labels]), variable, at)

    def read(self, box: Box) -> dict[str, NDArray[Any]]:
        """Return the columns of the cells in a box."""
        return {column.name: column.read(self.dims, box) for column in self.columns}

    def boxes(self, start: int, stop: int, most: int) -> Iterator[Box]:
        """Yield boxes that hold the rows from `start` to before `stop`, each at most `most`."""
        for sides in runs(self.shape, start, stop, most):
            yield dict(zip(self.dims, sides, strict=True))

    def schema(self) -> Any:
        """Return the schema of Arrow; attributes of variables and dataset are JSON in it."""
        import pyarrow  # a library that only tables need

        fields = []
        for column in self.columns:
            described = {"attributes": json.dumps(plain_attributes(column.variable.attrs))}
            dtype: Any = column.variable.dtype
            text = dtype.kind in "OTU"
            kind = pyarrow.string() if text else pyarrow.from_numpy_dtype(dtype)
            fields.append(pyarrow.field(column.name, kind, metadata=described))
        attributes = json.dumps(plain_attributes(self.ds.attrs))
        return pyarrow.schema(fields, metadata={"attributes": attributes})


def runs(shape: tuple[int, ...], start: int, stop: int, most: int) -> Iterator[tuple[slice, ...]]:
    """Yield boxes of an array that hold its elements from `start` to before `stop`, in order.

    Each has at most `most` of them, and in it the last axis runs fastest, as in the array.

    Examples
    --------
    >>> list(runs((4, 10), 5, 30, 100))
    [(slice(0, 1, None), slice(5, 10, None)), (slice(1, 3, None), slice(0, 10, None))]
    """
    while start < stop:
        axis, size = len(shape), 1  # a box of whole axes from `axis` on, so many elements
        while axis and start % (whole := size * shape[axis - 1]) == 0:
            if whole > min(most, stop - start):
                break
            axis, size = axis - 1, whole
        if not axis:
            yield tuple(slice(0, n) for n in shape)
            return
        place = [int(i) for i in np.unravel_index(start, shape)]
        here, end = place[axis - 1], shape[axis - 1]
        number = min(end - here, (stop - start) // size, max(most // size, 1))
        yield (
            *(slice(i, i + 1) for i in place[: axis - 1]),
            slice(here, here + number),
            *(slice(0, n) for n in shape[axis:]),
        )
        start += number * size


def plain_attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes without arrays and numbers of numpy."""
    return {
        str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


def _length(side: slice) -> int:
    length: int = side.stop - side.start
    return length
