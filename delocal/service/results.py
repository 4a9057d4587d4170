"""Select from a sweep's dataset: by value, nearest, range or list, reading only what is asked."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.service.errors import NotFound, SelectionError, TooLarge, did_you_mean
from delocal.workers.storage import Folder, Piece
from delocal.workers.store import DATA, SweepStore

MAX_VALUES = 1_000_000  # in one JSON answer; the Zarr route has no such limit
OPEN_DATASETS = 32
SAME = 1e-9  # relative: two spellings of one coordinate value


@dataclass(frozen=True)
class Selection:
    """What to take along one coordinate: one value, a range, or several values."""

    values: tuple[float | str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    drop: bool = False

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Return the selection written as ``3``, ``2.2:6`` (either end may be absent) or ``1,2``.

        Examples
        --------
        >>> Selection.parse("1e-3").drop, Selection.parse("2:").low, Selection.parse("1,2").values
        (True, 2.0, (1.0, 2.0))
        """
        if ":" in text:
            low, _, high = text.partition(":")
            return cls(low=_number(low, -math.inf), high=_number(high, math.inf))
        values = tuple(_value(part) for part in text.split(","))
        return cls(values, drop="," not in text)


def parse_selections(texts: Sequence[str]) -> dict[str, Selection]:
    """Return selections written as ``W=1``, each of another coordinate.

    Raises
    ------
    SelectionError
        A text without a name, or a coordinate that is given twice.

    Examples
    --------
    >>> parse_selections(["W=1", "T=1e-6:1e-4"])["T"].high
    0.0001
    """
    found: dict[str, Selection] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise SelectionError(f"{text!r} is no selection; write a coordinate and values: W=1")
        if name in found:
            raise SelectionError(f"{name} is given twice; write several values as {name}=1,2")
        found[name] = Selection.parse(values)
    return found


class OpenDatasets:
    """Datasets kept open between queries, the least recently used closed first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], xr.Dataset] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, store: SweepStore, model: str | None) -> xr.Dataset:
        """Return the dataset of `model`, which may be left out if the sweep has only one."""
        models = [part.name for part in store.plan.parts]
        if model is None and len(models) > 1:
            raise SelectionError(f"the sweep has several models, say which: {', '.join(models)}")
        name = model or models[0]
        if name not in models:
            raise NotFound(f"the sweep has no model {name!r}; {did_you_mean(name, models)}")
        key = (store.plan.digest, name)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = store.open_model(name)
                if len(self._kept) > OPEN_DATASETS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def select(
    ds: xr.Dataset,
    variables: list[str] | None,
    selections: Mapping[str, Selection],
    *,
    nearest: bool = False,
    max_values: int = MAX_VALUES,
) -> xr.Dataset:
    """Return part of `ds` in memory.

    Parameters
    ----------
    ds
        A dataset opened lazily; only the chunks that hold the answer are read.
    variables
        Names of the variables wanted; None takes all.
    selections
        By coordinate. A coordinate that is not a dimension, such as ``beta`` tied to
        ``alpha``, selects along the dimension that it lies on.
    nearest
        Take the nearest value instead of refusing one that is not there.

    Raises
    ------
    SelectionError
        Unknown variable or coordinate, or a value that is not on its axis.
    TooLarge
        More than `max_values` values.
    """
    if variables is not None:
        for name in variables:
            if name not in ds.data_vars:
                advice = did_you_mean(name, map(str, ds.data_vars))
                raise SelectionError(f"no variable {name!r}; {advice}")
        ds = ds[variables]
    for name, selection in selections.items():
        if name not in ds.coords:
            raise SelectionError(f"no axis {name!r}; {did_you_mean(name, map(str, ds.coords))}")
        found = _indices(name, np.atleast_1d(ds[name].values), selection, nearest)
        if ds[name].ndim:  # a coordinate with one value need only have that one
            ds = ds.isel({str(ds[name].dims[0]): found})
    number = sum(variable.size for variable in ds.data_vars.values())
    if number > max_values:
        sizes = " x ".join(f"{size} ({dim})" for dim, size in ds.sizes.items())
        raise TooLarge(
            f"{number:,} values ({len(ds.data_vars)} variables over {sizes}); one answer holds at "
            f"most {max_values:,}. Select less, or open the Zarr store"
        )
    return ds.compute()  # never load(): what is kept open must not keep what it reads


def zarr_file(
    store: SweepStore, name: str, span: tuple[int, int | None] | None = None
) -> Path | Piece | None:
    """Return a file of the Zarr hierarchy, or the bytes of it in a `span` (see `read_piece`).

    A whole file of a folder is its path. None if there is no file, or `name` leads out of the
    hierarchy.
    """
    if isinstance(store.storage, Folder):
        root = store.zarr_path.resolve()
        file = (root / name).resolve()
        if not (file.is_relative_to(root) and file.is_file()):
            return None
        if span is None:
            return file
    elif any(part in ("", ".", "..") for part in name.split("/")):
        return None
    return store.storage.read_piece(f"{DATA}/{name}", *(span or (0, None)))


def to_plain(ds: xr.Dataset) -> dict[str, Any]:
    """Return a dataset as dictionaries, lists and arrays of numbers."""
    return {
        "sizes": {str(dim): size for dim, size in ds.sizes.items()},
        "coords": {str(name): _plain(ds[name]) for name in ds.coords},
        "data": {str(name): _plain(ds[name]) for name in ds.data_vars},
    }


def _plain(array: xr.DataArray) -> dict[str, Any]:
    values = array.values
    numbers = values.ndim > 0 and values.dtype.kind in "fi"
    return {
        "dims": list(array.dims),
        "attrs": {key: _plain_attribute(value) for key, value in array.attrs.items()},
        "values": np.ascontiguousarray(values) if numbers else values.tolist(),
    }


def _plain_attribute(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _indices(
    name: str, axis: NDArray[Any], selection: Selection, nearest: bool
) -> int | list[int] | NDArray[np.intp]:
    if not selection.values and axis.dtype.kind in "UOT":
        raise SelectionError(f"{name} has labels, no range: {', '.join(map(str, axis))}")
    if not selection.values:
        slack = SAME * np.abs(axis)  # an end that means a point of the axis includes it
        found = np.flatnonzero((axis + slack >= selection.low) & (axis - slack <= selection.high))
        if not found.size:
            raise SelectionError(
                f"no {name} between {selection.low:g} and {selection.high:g}; "
                f"it runs from {axis.min():g} to {axis.max():g}"
            )
        return found
    found_each = [_index(name, axis, value, nearest) for value in selection.values]
    return found_each[0] if selection.drop else found_each


def _index(name: str, axis: NDArray[Any], value: float | str, nearest: bool) -> int:
    if axis.dtype.kind in "UOT":
        labels = [str(label) for label in axis]
        if str(value) not in labels:
            raise SelectionError(f"no {name} = {value!r}; {did_you_mean(str(value), labels)}")
        return labels.index(str(value))
    if isinstance(value, str) or not math.isfinite(value):
        raise SelectionError(f"{name} = {value!r} is not a finite number")
    distance = np.abs(axis - value)
    best = int(distance.argmin())
    if not nearest and distance[best] > SAME * max(abs(value), abs(axis[best])):
        order = [f"{axis[i]:.10g}" for i in np.argsort(distance, kind="stable")[:2]]
        raise SelectionError(
            f"no {name} = {value:.10g} on the axis; nearest are {' and '.join(order)}. "
            "Ask for one of them, or for the nearest"
        )
    return best


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _number(text: str, absent: float) -> float:
    if not text.strip():
        return absent
    try:
        return float(text)
    except ValueError as error:
        raise SelectionError(f"{text!r} is not a number; a range is written 1e-6:1e-2") from error
