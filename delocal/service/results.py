"""Select from a sweep's dataset: by value, nearest, range or list, reading only what is asked."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.service.errors import NotFound, SelectionError, TooLarge, did_you_mean
from delocal.workers.storage import Piece
from delocal.workers.store import DATA, SweepStore

MAX_VALUES = 1_000_000  # in one JSON answer; the Zarr route has no such limit
OPEN_SWEEPS = 32
LONGEST_NAME = 255  # bytes of the name of a file: what any file system takes
NOT_FINITE: dict[int, Callable[..., Any]] = {1: np.isnan, 2: np.isposinf, 3: np.isneginf}
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


def model_named(model: str | None, known: Sequence[str]) -> str:
    """Return which of the groups of a sweep is meant: the only one that is no list of replicas.

    Raises
    ------
    SelectionError
        Several, and none is named.
    NotFound
        No such group.

    Examples
    --------
    >>> model_named(None, ["network", "network_replicas"])
    'network'
    """
    models = [name for name in known if name.removesuffix("_replicas") not in {*known} - {name}]
    if model is None and len(models) > 1:
        raise SelectionError(f"the sweep has several models, say which: {', '.join(models)}")
    name = models[0] if model is None else model
    if name not in known:
        raise NotFound(f"the sweep has no model {name!r}; {did_you_mean(name, known)}")
    return name


class OpenDatasets:
    """Datasets kept open between queries, the least recently used sweep closed first.

    A sweep that was removed and made anew in the same place is another generation of it, and
    opened anew. Chunks are read when they are asked for: what workers write meanwhile is seen.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Generation] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, store: SweepStore, model: str | None) -> xr.Dataset:
        """Return the dataset of `model`, which may be left out if the sweep has only one."""
        generation = self._generation(store)
        return generation.dataset(model_named(model, generation.models))

    def every(self, store: SweepStore) -> dict[str, xr.Dataset]:
        """Return the datasets of all groups by their names."""
        generation = self._generation(store)
        return {name: generation.dataset(name) for name in generation.models}

    def _generation(self, store: SweepStore) -> _Generation:
        version = store.version
        with self._lock:
            kept = self._kept.get(store.location)
            if kept is None or kept.version != version:
                kept = _Generation(SweepStore(store.location, store.recorded), version)
                self._kept[store.location] = kept
            self._kept.move_to_end(store.location)
            if len(self._kept) > OPEN_SWEEPS:
                self._kept.popitem(last=False)
            return kept


class _Generation:
    """The datasets of one sweep from when it was made until it is removed."""

    def __init__(self, store: SweepStore, version: str | None) -> None:
        self.version = version
        self._store = store
        self._datasets: dict[str, xr.Dataset] = {}

    @cached_property
    def models(self) -> list[str]:
        """Names of the groups."""
        return [part.name for part in self._store.plan.parts]

    def dataset(self, name: str) -> xr.Dataset:
        """Return the dataset of a group, opened once; twice, if two ask at the same moment.

        Its coordinates are kept: they are there from the start, and each would be a read.
        """
        if name not in self._datasets:
            ds = self._store.open_model(name)
            self._datasets[name] = ds.assign_coords(ds.coords.to_dataset().compute().coords)
        return self._datasets[name]


def choose(
    ds: xr.Dataset,
    variables: list[str] | None,
    selections: Mapping[str, Selection],
    *,
    nearest: bool = False,
) -> xr.Dataset:
    """Return part of `ds`, reading nothing but coordinates.

    Parameters
    ----------
    ds
        A dataset opened lazily.
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
    return ds


def select(
    ds: xr.Dataset,
    variables: list[str] | None,
    selections: Mapping[str, Selection],
    *,
    nearest: bool = False,
    max_values: int = MAX_VALUES,
) -> xr.Dataset:
    """Return part of `ds` in memory: what `choose` returns, read.

    Only the chunks that hold the answer are read. TooLarge if it has more than `max_values`.
    """
    chosen = choose(ds, variables, selections, nearest=nearest)
    refuse_too_many(chosen, max_values)
    return chosen.compute()  # never load(): what is kept open must not keep what it reads


def refuse_too_many(ds: xr.Dataset, most: int) -> None:
    """TooLarge if a dataset has more than so many values; none of them is read."""
    number = sum(variable.size for variable in ds.data_vars.values())
    if number > most:
        sizes = " x ".join(f"{size} ({dim})" for dim, size in ds.sizes.items())
        raise TooLarge(
            f"{number:,} values ({len(ds.data_vars)} variables over {sizes}); one answer holds at "
            f"most {most:,}. Select less, or open the Zarr store"
        )


def zarr_file(
    store: SweepStore, name: str, span: tuple[int, int | None] = (0, None)
) -> Piece | None:
    """Return a file of the Zarr hierarchy, or the bytes of it in a `span`, as `store.piece` does.

    None too for a name that leads out of the hierarchy.
    """
    return store.piece(name, *span) if _is_inside(name) else None


def zarr_version(store: SweepStore, name: str) -> str | None:
    """Return the version of a file of the Zarr hierarchy, or None if there is none."""
    return store.storage.version(f"{DATA}/{name}") if _is_inside(name) else None


def _is_inside(name: str) -> bool:
    """Whether a name can be one of the hierarchy: it leads nowhere else, and is not too long."""
    parts = name.split("/")
    short = len(name.encode(errors="replace")) <= LONGEST_NAME
    return short and "\0" not in name and not any(part in ("", ".", "..") for part in parts)


def to_plain(ds: xr.Dataset) -> dict[str, Any]:
    """Return a dataset as dictionaries, lists and arrays of numbers.

    Beside `values`, of which JSON keeps only finite ones, stands a `mask` that says which of the
    `NOT_FINITE` another is; None if all are finite.
    """
    return {
        "sizes": {str(dim): size for dim, size in ds.sizes.items()},
        "coords": {str(name): _plain(ds[name]) for name in ds.coords},
        "data": {str(name): _plain(ds[name]) for name in ds.data_vars},
    }


def from_plain(content: Mapping[str, Any], attrs: Mapping[str, Any] | None = None) -> xr.Dataset:
    """Return the dataset that `to_plain` wrote, as it comes out of JSON; the way back.

    Examples
    --------
    >>> ds = xr.Dataset({"y": ("x", [1.0, np.nan, -np.inf])}, {"x": [1, 2, 3]})
    >>> from_plain(to_plain(ds)).identical(ds)
    True
    """
    data, coords = (
        {name: _from_plain(part) for name, part in content[kind].items()}
        for kind in ("data", "coords")
    )
    return xr.Dataset(data, coords, attrs)


def _from_plain(part: Mapping[str, Any]) -> xr.Variable:
    if part["mask"] is None:
        return xr.Variable(part["dims"], np.asarray(part["values"]), part["attrs"])
    values, mask = np.array(part["values"], float), np.asarray(part["mask"])
    for code, number in ((1, np.nan), (2, np.inf), (3, -np.inf)):
        values[mask == code] = number
    return xr.Variable(part["dims"], values, part["attrs"])


def _plain(array: xr.DataArray) -> dict[str, Any]:
    values = array.values
    numbers = values.ndim > 0 and values.dtype.kind in "fi"
    return {
        "dims": list(array.dims),
        "attrs": {key: _plain_attribute(value) for key, value in array.attrs.items()},
        "values": np.ascontiguousarray(values) if numbers else values.tolist(),
        "mask": mask_of(values),
    }


def mask_of(values: NDArray[Any]) -> Any:
    """Return which of the `NOT_FINITE` each value is, or 0; None if all values are finite."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return None
    mask = np.zeros(values.shape, np.int8)
    for code, is_so in NOT_FINITE.items():
        mask[is_so(values)] = code
    return mask if mask.ndim else int(mask)


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
