"""How a sweep lies on disk: template, write a whole chunk, open.

::

    <root>/plan.json                       what was to be computed
    <root>/data.zarr/<model>/<variable>    Zarr v3, one group for each model
    <root>/receipts/<model>/<block>.json   written last: the block is complete, with its checksum

A block is one whole chunk of every variable and belongs to one task, because two writers of
one chunk lose data. A variable that does not vary along some dimension is written by the first
block along it. The root is a folder, or ``s3://bucket/prefix``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from delocal.workers.dataset import (
    Layout,
    coordinate_dtype,
    model_attributes,
    parameter_attributes,
)
from delocal.workers.lost import LossAware, LostChunk
from delocal.workers.plan import Part, Plan, model_of
from delocal.workers.storage import (
    PARTIAL,
    PROBE_BYTES,
    File,
    Folder,
    Piece,
    Storage,
    storage_at,
    try_to_write,
)
from delocal.workers.zarr_format import (
    array_document,
    chunk_name,
    decode_chunk,
    encode_chunk,
    encode_labels,
    group_document,
)

PLAN = "plan.json"
DELETED = "deleted.json"  # lies beside the plan of a sweep that is in the trash
DATA = "data.zarr"
CHUNK = re.compile(r"(?P<part>[^/]+)/(?P<variable>[^/]+)/c(?P<place>(\.[0-9]{1,9})*)")


class Written(NamedTuple):
    """What was written of a block: checksum of its data, and their bytes, compressed."""

    checksum: str
    size: int


@dataclass(frozen=True)
class Receipt:
    """What is known of a block that is stored: counts of cells by status, checksum, cost.

    `failures` lists up to `block.FAILURES_KEPT` cells that raised, each with its place in the
    block, parameters, error and traceback. `model` names the part; a summary is `unfinished`
    where more replicas are wanted for it. `written` are the bytes of its chunks, compressed.
    """

    model: str
    block: int
    checksum: str
    counts: Mapping[str, int]
    seconds: float
    failures: tuple[Mapping[str, Any], ...] = field(default=())
    unfinished: bool = False
    written: int = 0


@dataclass(frozen=True)
class Damage:
    """What is wrong with a file of a block: its name below the root, its variable, in words."""

    name: str
    variable: str
    what: str


def _never(model: str, block: int) -> bool:
    return False


class SweepStore:
    """One sweep in its place: created once, written block by block, read as xarray.

    Parameters
    ----------
    root
        A folder, or ``s3://bucket/prefix``.
    recorded
        Whether somebody else, the ledger, knows that a block of a part was stored.
    """

    def __init__(self, root: str | Path, recorded: Callable[[str, int], bool] = _never) -> None:
        self.storage: Storage = storage_at(root)
        self.recorded = recorded
        self._open: dict[str, dict[str, Any]] = {}

    def __reduce__(self) -> tuple[type[SweepStore], tuple[str]]:
        """Let another process open the store itself: it knows what lies there, and no ledger."""
        return SweepStore, (self.location,)

    @cached_property
    def location(self) -> str:
        """Where any process finds the store: an absolute path, or ``s3://bucket/prefix``."""
        return self.storage.location

    @property
    def root(self) -> Path:
        """The folder of the store; ValueError if it lies in a bucket."""
        if not isinstance(self.storage, Folder):
            raise ValueError(f"{self.location} is no folder of this machine; open it instead")
        return self.storage.path

    @property
    def zarr_path(self) -> Path:
        """The folder of the Zarr hierarchy."""
        return self.root / DATA

    @cached_property
    def plan(self) -> Plan:
        """The plan of the sweep, read once; FileNotFoundError if there is no sweep."""
        content = self.storage.read(PLAN)
        if content is None:
            raise FileNotFoundError(f"{self.location} holds no sweep: there is no {PLAN} in it")
        return Plan.from_json(json.loads(content))

    @property
    def version(self) -> str | None:
        """What differs between this store and one created anew in its place; None if none."""
        return self.storage.version(PLAN)

    def exists(self) -> bool:
        """Whether there is a sweep here: a store appears with all its documents, or not at all."""
        return self.version is not None

    def deleted(self) -> bool:
        """Whether the sweep is in the trash: its data are there, and not to be used."""
        return self.storage.version(DELETED) is not None

    def create(self, plan: Plan) -> None:
        """Write everything but the data. A store that exists is left as it is."""
        if self.exists():
            return
        content = json.dumps(plan.to_json()).encode()

        def others(chosen: bytes) -> Iterator[File]:
            first = plan if chosen == content else Plan.from_json(json.loads(chosen))
            return template(first)

        self.storage.create(PLAN, content, others)

    def write(self, model: str, block: int, arrays: Mapping[str, NDArray[Any]]) -> Written:
        """Write the chunks of one block; return the checksum of its data, and their size.

        The status comes last: who reads that a cell is done finds its values.
        """
        checksum, size = 0, 0
        last: list[File] = []

        def encoded() -> Iterator[File]:
            nonlocal checksum, size
            for chunk in _owned_chunks(self.plan.part(model), block):
                values = np.asarray(arrays[chunk.variable], order="C")
                content = encode_chunk(values, chunk.shape)
                size += len(content)
                if chunk.variable == "status":
                    last.append((chunk.name, content))
                else:
                    yield chunk.name, content
                if chunk.reproducible:
                    checksum = google_crc32c.extend(checksum, values.tobytes())

        self.storage.write_all(encoded())
        self.storage.write_all(last)
        return Written(f"{checksum:08x}", size)

    def sign(self, receipt: Receipt) -> None:
        """Write the receipt of a block whose data are written."""
        content = json.dumps(asdict(receipt)).encode()
        self.storage.write(receipt_name(receipt.model, receipt.block), content)

    def forget(self, model: str, block: int) -> None:
        """Remove the receipt of a block, which is then computed again."""
        self.storage.remove(receipt_name(model, block))

    def receipt(self, model: str, block: int) -> Receipt | None:
        """Return the receipt of a block that is stored and whose data match it, else None."""
        receipt = self.signed(model, block)
        return receipt if receipt and not self.damage(model, block, receipt) else None

    def intact(self, model: str, block: int) -> dict[str, NDArray[Any]] | None:
        """Return the variables that a block wrote; None if it is not stored, or damaged."""
        receipt = self.signed(model, block)
        if receipt is None:
            return None
        arrays, damage = self._verify(model, block, receipt)
        return None if damage else arrays

    def signed(self, model: str, block: int) -> Receipt | None:
        """Return the receipt of a block, whatever became of its data; None if none can be read."""
        found = self.storage.read(receipt_name(model, block))
        if found is None:
            return None
        try:
            content = json.loads(found)
            return Receipt(**{**content, "failures": tuple(content["failures"])})
        except (ValueError, TypeError, KeyError):  # torn: the block is computed again
            return None

    def damage(self, model: str, block: int, receipt: Receipt) -> list[Damage]:
        """Return what is wrong with the data of a block that has a receipt, file by file."""
        return self._verify(model, block, receipt)[1]

    def _verify(
        self, model: str, block: int, receipt: Receipt
    ) -> tuple[dict[str, NDArray[Any]], list[Damage]]:
        """Return the variables of a block as far as they can be read, and what is wrong."""
        arrays: dict[str, NDArray[Any]] = {}
        found: list[Damage] = []
        checksum = 0
        for chunk in _owned_chunks(self.plan.part(model), block):
            content = self.storage.read(chunk.name)
            if content is None:
                found.append(Damage(chunk.name, chunk.variable, "is missing"))
                continue
            try:
                values = chunk.decode(content)
            except (ValueError, RuntimeError) as error:  # RuntimeError: blosc's
                found.append(Damage(chunk.name, chunk.variable, str(error)))
                continue
            arrays[chunk.variable] = values
            if chunk.reproducible:
                checksum = google_crc32c.extend(checksum, values.tobytes())
        if not found and f"{checksum:08x}" != receipt.checksum:
            name = receipt_name(model, block)
            found.append(Damage(name, "", "does not belong to the data, whose checksum differs"))
        return arrays, found

    def read(self, part: Part, region: Mapping[str, slice]) -> dict[str, NDArray[Any]]:
        """Return the variables of a part within a `region` by dimension."""
        model = model_of(part)
        layout = Layout.of_grid(part.grid, model)
        arrays = self._stored(part.name)
        return {
            v.name: np.asarray(
                arrays[v.name][tuple(region.get(dim, slice(None)) for dim in layout.dims(v))]
            )
            for v in model.variables_for(part.grid.parameters)
        }

    def promises(self, name: str) -> bool:
        """Whether a chunk of the Zarr hierarchy is to be there: that of a block that was stored.

        So say its receipt or who else knows. A chunk of a coordinate has no block.

        Examples
        --------
        >>> SweepStore("nowhere").promises("zarr.json")
        False
        """
        found = CHUNK.fullmatch(name)
        if found is None or found["part"] not in {part.name for part in self.plan.parts}:
            return False
        part = self.plan.part(found["part"])
        try:
            model = model_of(part)
        except ValueError:  # another version, whose variables nobody here knows
            return False
        variables = {v.name: v for v in model.variables_for(part.grid.parameters)}
        if found["variable"] not in variables:
            return found["variable"] in {*part.grid.parameters, *model.coordinates}
        dims = Layout.of_grid(part.grid, model).grid_dims(variables[found["variable"]])
        place = dict(zip(dims, map(int, found["place"].split(".")[1:]), strict=False))
        position = tuple(place.get(dim, 0) for dim in part.grid.names)
        inside = all(i < n for i, n in zip(position, part.blocks.counts, strict=True))
        return inside and self._was_stored(part.name, part.blocks.at(position))

    def _was_stored(self, model: str, block: int) -> bool:
        return self.signed(model, block) is not None or self.recorded(model, block)

    def piece(self, name: str, start: int = 0, end: int | None = None) -> Piece | None:
        """Return ``[start:end]`` of a file of the Zarr hierarchy (see `Storage.read_piece`).

        None if there is no such file, or it is a chunk that is not computed yet. LostChunk if it is
        one that was stored: a reader would take it for missing values.
        """
        file = f"{DATA}/{name}"
        found = self.storage.read_piece(file, start, end)
        if found is None and self.promises(name):
            found = self.storage.read_piece(file, start, end)  # it may just have been written
            if found is None:
                raise LostChunk.of(name, self.location)
        return found

    def has_room(self) -> bool:
        """Whether something of the size of a chunk or two can be written at present."""
        try:
            try_to_write(self.storage, PROBE_BYTES)
        except OSError:
            return False
        return True

    def leftovers(self) -> Iterator[str]:
        """Yield files that were being written when a process died, or are at this moment."""
        return (name for name in self.storage.names() if name.endswith(PARTIAL))

    def remove_leftovers(self) -> None:
        """Remove files that were being written when a process died; for a sweep that has ended."""
        for name in list(self.leftovers()):
            self.storage.remove(name)

    def open(self) -> xr.DataTree:
        """Return the whole sweep, lazily: one child for each model.

        To read a chunk that was stored and is not there any more is a LostChunk.
        """
        return xr.open_datatree(self._zarr, engine="zarr", chunks=None)

    def open_model(self, model: str) -> xr.Dataset:
        """Return the dataset of one model, lazily and without dask; LostChunk as in `open`."""
        ds: xr.Dataset = xr.open_zarr(self._zarr, group=model, chunks=None)
        return ds

    @property
    def _zarr(self) -> Any:
        """The Zarr hierarchy for zarr-python and xarray, whose types do not know stores of Zarr."""
        return LossAware(self.storage.zarr(DATA), self.location, self.promises)

    def _stored(self, name: str) -> dict[str, Any]:
        """Return the arrays of a group for reading, opened once: their documents do not change."""
        if name not in self._open:
            group = zarr.open_group(self._zarr, path=name, mode="r")
            self._open[name] = dict(group.arrays())
        return self._open[name]


def receipt_name(model: str, block: int) -> str:
    """Return the name of the receipt of a block, below the root."""
    return f"receipts/{model}/{block:07d}.json"


@dataclass(frozen=True)
class _Chunk:
    """One chunk of one variable: its file, its full shape, and how much of it is cells."""

    variable: str
    name: str
    dtype: str
    used: tuple[slice, ...]
    shape: tuple[int, ...]
    reproducible: bool

    def decode(self, content: bytes) -> NDArray[Any]:
        """Return the values of its cells; ValueError says what is wrong with the bytes."""
        return decode_chunk(content, self.dtype, self.shape)[self.used]


def _owned_chunks(part: Part, block: int) -> Iterator[_Chunk]:
    """Yield the chunks that `block` writes: one of each variable that it owns a chunk of."""
    model, blocks = model_of(part), part.blocks
    layout = Layout.of_grid(part.grid, model)
    place = dict(zip(part.grid.names, blocks.position(block), strict=True))
    box = dict(zip(part.grid.names, blocks.box(block), strict=True))
    side = dict(zip(part.grid.names, part.block_shape, strict=True))
    for variable in model.variables_for(part.grid.parameters):
        dims = layout.grid_dims(variable)
        if any(place[dim] for dim in part.grid.names if dim not in dims):
            continue
        extra = tuple(len(model.coordinates[dim]) for dim in variable.dims)
        file = chunk_name((*(place[dim] for dim in dims), *[0] * len(extra)))
        yield _Chunk(
            variable.name,
            f"{DATA}/{part.name}/{variable.name}/{file}",
            variable.dtype,
            (*(slice(box[dim].stop - box[dim].start) for dim in dims), *map(slice, extra)),
            (*(side[dim] for dim in dims), *extra),
            variable.reproducible,
        )


def template(plan: Plan) -> Iterator[File]:
    """Yield every file of a new sweep but its plan: documents, coordinates, empty folders."""
    members: dict[str, dict[str, Any]] = {}
    for part in plan.parts:
        group = _group(part, plan.provenance)
        below = group["consolidated_metadata"]["metadata"]
        members[part.name] = group_document(group["attributes"], {})
        members.update({f"{part.name}/{name}": document for name, document in below.items()})
        yield _document(f"{DATA}/{part.name}", group)
        for name in below:
            yield _document(f"{DATA}/{part.name}/{name}", below[name])
        for name, content in _coordinate_chunks(part):
            yield f"{DATA}/{part.name}/{name}", content
        yield f"receipts/{part.name}/", b""
    yield _document(DATA, group_document(plan.provenance, members))


def _group(part: Part, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of the group of one model, with those of its arrays."""
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    side = dict(zip(part.grid.names, part.block_shape, strict=True))
    members = {}
    for name, values, dims in _coordinates(part):
        parameter = model.parameter(name)
        dtype, attributes = coordinate_dtype(parameter), parameter_attributes(parameter)
        members[name] = array_document(values.shape, values.shape, dtype, dims, attributes)
    for dim, labels in model.coordinates.items():
        dtype = "string" if isinstance(labels[0], str) else "float64"
        size, named = [len(labels)], {"long_name": dim}
        members[dim] = array_document(size, size, dtype, [dim], named)
    for variable in model.variables_for(part.grid.parameters):
        shape, dims = layout.shape(variable), layout.dims(variable)
        chunks = [side.get(dim, size) for dim, size in zip(dims, shape, strict=True)]
        members[variable.name] = array_document(
            shape, chunks, variable.dtype, dims, variable.attributes
        )
    swept = {dimension.name for dimension in part.grid.dimensions}
    attributes = {
        **provenance,
        **model_attributes(model),
        "options": json.dumps(dict(part.options)),
        "coordinates": " ".join(sorted(part.grid.parameters - swept)),
    }
    return group_document(attributes, members)


def _coordinate_chunks(part: Part) -> Iterator[File]:
    """Yield the one chunk of each coordinate."""
    model = model_of(part)
    for name, values, _ in _coordinates(part):
        typed = values.astype(coordinate_dtype(model.parameter(name)))
        yield f"{name}/{chunk_name([0] * values.ndim)}", encode_chunk(typed, values.shape)
    for dim, labels in model.coordinates.items():
        yield f"{dim}/{chunk_name([0])}", encode_labels(labels)


def _coordinates(part: Part) -> Iterator[tuple[str, NDArray[Any], tuple[str, ...]]]:
    for name, value in part.grid.fixed.items():
        yield name, np.asarray(value), ()
    for dimension in part.grid.dimensions:
        for name, values in dimension.values.items():
            yield name, np.asarray(values), (dimension.name,)


def _document(folder: str, document: Mapping[str, Any]) -> File:
    return f"{folder}/zarr.json", json.dumps(document, indent=1).encode()
