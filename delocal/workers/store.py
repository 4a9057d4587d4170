"""How a sweep lies on disk: template, write a whole chunk, open.

::

    <root>/plan.json                       what was to be computed
    <root>/data.zarr/<model>/<variable>    Zarr v3, one group for each model
    <root>/receipts/<model>/<block>.json   written last: the block is complete, with its checksum

A block is one whole chunk of every variable and belongs to one task, because two writers of
one chunk lose data. A variable that does not vary along some dimension is written by the first
block along it.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

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
from delocal.workers.plan import Part, Plan, model_of
from delocal.workers.zarr_format import (
    array_document,
    chunk_name,
    encode_chunk,
    encode_labels,
    group_document,
    write_bytes,
)


@dataclass(frozen=True)
class Receipt:
    """What is known of a block that is stored: counts of cells by status, checksum, cost.

    `failures` lists up to `block.FAILURES_KEPT` cells that raised, each with its place in the
    block, parameters, error and traceback. `model` names the part; a summary is `unfinished`
    where more replicas are wanted for it.
    """

    model: str
    block: int
    checksum: str
    counts: Mapping[str, int]
    seconds: float
    failures: tuple[Mapping[str, Any], ...] = field(default=())
    unfinished: bool = False


class SweepStore:
    """One sweep on disk: created once, written block by block, read as xarray."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._open: dict[str, dict[str, Any]] = {}

    @property
    def zarr_path(self) -> Path:
        """Where the Zarr hierarchy is."""
        return self.root / "data.zarr"

    @cached_property
    def plan(self) -> Plan:
        """The plan of the sweep, read once."""
        return Plan.from_json(json.loads((self.root / "plan.json").read_text()))

    def exists(self) -> bool:
        """Whether there is a sweep here: a store appears with all its documents, or not at all."""
        return (self.root / "plan.json").exists()

    def create(self, plan: Plan) -> None:
        """Write everything but the data. A store that exists is left as it is."""
        if self.exists():
            return
        building = self.root.with_name(f"{self.root.name}.{uuid.uuid4().hex[:8]}.partial")
        _write_template(building, plan)
        try:
            os.replace(building, self.root)
        except OSError as error:  # a full folder is not replaced
            shutil.rmtree(building)
            if not self.exists():
                message = f"{self.root} is not empty and holds no sweep; choose another folder"
                raise FileExistsError(message) from error

    def write(self, model: str, block: int, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Write the chunks of one block and return the checksum of its data."""
        checksum = 0
        for chunk in _owned_chunks(self.plan.part(model), block):
            values = np.asarray(arrays[chunk.variable], order="C")
            content = encode_chunk(values, chunk.shape)
            path = self.zarr_path / model / chunk.variable / chunk.name
            write_bytes(path, content)
            if chunk.reproducible:
                checksum = google_crc32c.extend(checksum, values.tobytes())
        return f"{checksum:08x}"

    def sign(self, receipt: Receipt) -> None:
        """Write the receipt of a block whose data are written."""
        path = self._receipt(receipt.model, receipt.block)
        write_bytes(path, json.dumps(asdict(receipt)).encode())

    def forget(self, model: str, block: int) -> None:
        """Remove the receipt of a block, which is then computed again."""
        self._receipt(model, block).unlink(missing_ok=True)

    def receipt(self, model: str, block: int) -> Receipt | None:
        """Return the receipt of a block that is stored and whose data match it, else None."""
        path = self._receipt(model, block)
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_bytes())
            receipt = Receipt(**{**content, "failures": tuple(content["failures"])})
        except (ValueError, TypeError, KeyError):  # torn: the block is computed again
            return None
        return receipt if self._checksum(model, block) == receipt.checksum else None

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

    def remove_leftovers(self) -> None:
        """Remove files that were being written when a process died; for a sweep that has ended."""
        for leftover in self.root.rglob("*.partial"):
            leftover.unlink(missing_ok=True)

    def open(self) -> xr.DataTree:
        """Return the whole sweep, lazily: one child for each model."""
        return xr.open_datatree(self.zarr_path, engine="zarr", chunks=None)

    def open_model(self, model: str) -> xr.Dataset:
        """Return the dataset of one model, lazily and without dask."""
        ds: xr.Dataset = xr.open_zarr(self.zarr_path / model, chunks=None)
        return ds

    def _stored(self, name: str) -> dict[str, Any]:
        """Return the arrays of a group for reading, opened once: their documents do not change."""
        if name not in self._open:
            self._open[name] = dict(zarr.open_group(self.zarr_path / name, mode="r").arrays())
        return self._open[name]

    def _receipt(self, model: str, block: int) -> Path:
        return self.root / "receipts" / model / f"{block:07d}.json"

    def _checksum(self, model: str, block: int) -> str | None:
        """Return the checksum of what is stored, or None where a chunk does not decode."""
        arrays = self._stored(model)
        checksum = 0
        for chunk in _owned_chunks(self.plan.part(model), block):
            try:
                values = np.asarray(arrays[chunk.variable][chunk.region], order="C")
            except (ValueError, RuntimeError, OSError):
                return None
            if chunk.reproducible:
                checksum = google_crc32c.extend(checksum, values.tobytes())
        return f"{checksum:08x}"


@dataclass(frozen=True)
class _Chunk:
    """One chunk of one variable."""

    variable: str
    name: str
    region: tuple[slice, ...]
    shape: tuple[int, ...]
    reproducible: bool


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
        yield _Chunk(
            variable.name,
            chunk_name((*(place[dim] for dim in dims), *[0] * len(extra))),
            (*(box[dim] for dim in dims), *map(slice, extra)),
            (*(side[dim] for dim in dims), *extra),
            variable.reproducible,
        )


def _write_template(root: Path, plan: Plan) -> None:
    members: dict[str, dict[str, Any]] = {}
    for part in plan.parts:
        group = _write_group(root / "data.zarr" / part.name, part, plan.provenance)
        below = group["consolidated_metadata"]["metadata"]
        members[part.name] = group_document(group["attributes"], {})
        members.update({f"{part.name}/{name}": document for name, document in below.items()})
        (root / "receipts" / part.name).mkdir(parents=True)
    _write_document(root / "data.zarr", group_document(plan.provenance, members))
    write_bytes(root / "plan.json", json.dumps(plan.to_json()).encode())


def _write_group(path: Path, part: Part, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Write the group of one model with its coordinates, and return its document."""
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    side = dict(zip(part.grid.names, part.block_shape, strict=True))
    members = {}
    for name, values, dims in _coordinates(part):
        parameter = model.parameter(name)
        dtype = coordinate_dtype(parameter)
        members[name] = array_document(
            values.shape, values.shape, dtype, dims, parameter_attributes(parameter)
        )
        _write_document(path / name, members[name])
        content = encode_chunk(values.astype(dtype), values.shape)
        write_bytes(path / name / chunk_name([0] * values.ndim), content)
    for dim, labels in model.coordinates.items():
        dtype = "string" if isinstance(labels[0], str) else "float64"
        size, named = [len(labels)], {"long_name": dim}
        members[dim] = array_document(size, size, dtype, [dim], named)
        _write_document(path / dim, members[dim])
        write_bytes(path / dim / chunk_name([0]), encode_labels(labels))
    for variable in model.variables_for(part.grid.parameters):
        shape, dims = layout.shape(variable), layout.dims(variable)
        chunks = [side.get(dim, size) for dim, size in zip(dims, shape, strict=True)]
        members[variable.name] = array_document(
            shape, chunks, variable.dtype, dims, variable.attributes
        )
        _write_document(path / variable.name, members[variable.name])
    swept = {dimension.name for dimension in part.grid.dimensions}
    attributes = {
        **provenance,
        **model_attributes(model),
        "options": json.dumps(dict(part.options)),
        "coordinates": " ".join(sorted(part.grid.parameters - swept)),
    }
    document = group_document(attributes, members)
    _write_document(path, document)
    return document


def _coordinates(part: Part) -> Iterator[tuple[str, NDArray[Any], tuple[str, ...]]]:
    for name, value in part.grid.fixed.items():
        yield name, np.asarray(value), ()
    for dimension in part.grid.dimensions:
        for name, values in dimension.values.items():
            yield name, np.asarray(values), (dimension.name,)


def _write_document(folder: Path, document: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "zarr.json", json.dumps(document, indent=1).encode())
