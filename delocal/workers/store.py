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
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec

from delocal.physics.model import Model, Variable
from delocal.workers.dataset import (
    Layout,
    coordinate_dtype,
    model_attributes,
    parameter_attributes,
)
from delocal.workers.plan import Part, Plan, model_of


@dataclass(frozen=True)
class Receipt:
    """What is known of a block that is stored: counts of cells by status, checksum, cost.

    `failures` lists up to `block.FAILURES_KEPT` cells that raised, each with its place in the
    block, parameters, error and traceback.
    """

    model: str
    block: int
    checksum: str
    counts: Mapping[str, int]
    seconds: float
    failures: tuple[Mapping[str, Any], ...] = field(default=())


class SweepStore:
    """One sweep on disk: created once, written block by block, read as xarray."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @property
    def zarr_path(self) -> Path:
        """Where the Zarr hierarchy is."""
        return self.root / "data.zarr"

    @cached_property
    def plan(self) -> Plan:
        """The plan of the sweep, read once."""
        return Plan.from_json(json.loads((self.root / "plan.json").read_text()))

    def exists(self) -> bool:
        """Whether the store was created to its end: the plan is written last."""
        return (self.root / "plan.json").exists()

    def create(self, plan: Plan) -> None:
        """Write everything but the data. A store that exists is left as it is."""
        if self.exists():
            return
        building = self.root.with_name(f"{self.root.name}.{uuid.uuid4().hex[:8]}.partial")
        _write_template(building / "data.zarr", plan)
        _write_text(building / "plan.json", json.dumps(plan.to_json()))
        try:
            os.replace(building, self.root)
        except OSError:  # another process created it meanwhile: a full folder is not replaced
            shutil.rmtree(building)
            if not self.exists():
                raise

    def write(self, model: str, block: int, arrays: Mapping[str, NDArray[Any]]) -> str:
        """Write the chunks of one block and return the checksum of its data."""
        part = self.plan.part(model)
        targets = _open_arrays(self.zarr_path / model, self.plan.digest)
        checksum = 0
        for name, region in _owned_regions(part, block).items():
            targets[name][region] = arrays[name]
            checksum = google_crc32c.extend(checksum, np.ascontiguousarray(arrays[name]).tobytes())
        return f"{checksum:08x}"

    def sign(self, receipt: Receipt) -> None:
        """Write the receipt of a block whose data are written."""
        _write_text(self._receipt(receipt.model, receipt.block), json.dumps(asdict(receipt)))

    def receipt(self, model: str, block: int) -> Receipt | None:
        """Return the receipt of a block that is stored and whose data match it, else None."""
        path = self._receipt(model, block)
        if not path.exists():
            return None
        receipt = Receipt(**json.loads(path.read_text()))
        return receipt if self._checksum(model, block) == receipt.checksum else None

    def open(self) -> xr.DataTree:
        """Return the whole sweep, lazily: one child for each model."""
        return xr.open_datatree(self.zarr_path, engine="zarr", chunks=None)

    def open_model(self, model: str) -> xr.Dataset:
        """Return the dataset of one model, lazily and without dask."""
        return xr.open_zarr(self.zarr_path / model, chunks=None)

    def _receipt(self, model: str, block: int) -> Path:
        return self.root / "receipts" / model / f"{block:07d}.json"

    def _checksum(self, model: str, block: int) -> str | None:
        part = self.plan.part(model)
        stored = _open_arrays(self.zarr_path / model, self.plan.digest)
        checksum = 0
        for name, region in _owned_regions(part, block).items():
            try:
                data = np.ascontiguousarray(stored[name][region])
            except (ValueError, RuntimeError, OSError):  # a chunk that no longer decodes
                return None
            checksum = google_crc32c.extend(checksum, data.tobytes())
        return f"{checksum:08x}"


def _owned_regions(part: Part, block: int) -> dict[str, tuple[slice, ...]]:
    """Return the region that `block` writes of each variable that it owns a chunk of."""
    model, blocks = model_of(part), part.blocks
    layout = Layout.of_grid(part.grid, model)
    place = dict(zip(part.grid.names, blocks.position(block), strict=True))
    box = dict(zip(part.grid.names, blocks.box(block), strict=True))
    regions = {}
    for variable in model.variables_for(part.grid.parameters):
        dims = layout.grid_dims(variable)
        if all(place[dim] == 0 for dim in part.grid.names if dim not in dims):
            regions[variable.name] = (*(box[dim] for dim in dims), *[slice(None)] * len(variable.dims))
    return regions


@lru_cache(maxsize=8)
def _open_arrays(group: Path, digest: str) -> dict[str, zarr.Array[Any]]:
    """Open every array of a model for whole-chunk writes, once for each plan."""
    # An all-NaN chunk must be written too, else it could not be told from a missing one; zarr
    # takes this setting from its configuration when an array is opened.
    with zarr.config.set({"array.write_empty_chunks": True}):
        return dict(zarr.open_group(group, mode="r+").arrays())


def _write_template(path: Path, plan: Plan) -> None:
    root = zarr.open_group(path, mode="w-", zarr_format=3, attributes=dict(plan.provenance))
    for part in plan.parts:
        _write_model_template(root, part)
    with warnings.catch_warnings():  # consolidation works in v3, though its text is not final
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        for part in plan.parts:
            zarr.consolidate_metadata(root.store, path=part.model)
        zarr.consolidate_metadata(root.store)


def _write_model_template(root: zarr.Group, part: Part) -> None:
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    scalars = [*part.grid.fixed]
    along = [n for d in part.grid.dimensions for n in d.values if n != d.name]
    group = root.create_group(
        part.model,
        attributes={
            **root.attrs.asdict(),
            **model_attributes(model),
            "options": dict(part.options),
            "coordinates": " ".join([*scalars, *along]),
        },
    )
    for name, value in part.grid.fixed.items():
        _write_coordinate(group, model, name, np.asarray(value), ())
    for dimension in part.grid.dimensions:
        for name, values in dimension.values.items():
            _write_coordinate(group, model, name, np.asarray(values), (dimension.name,))
    for dim, labels in model.coordinates.items():
        array = group.create_array(dim, shape=(len(labels),), dtype=str, dimension_names=(dim,))
        array[:] = np.asarray(labels, dtype=np.dtypes.StringDType())
    chunks = dict(zip(part.grid.names, part.block_shape, strict=True))
    for variable in model.variables_for(part.grid.parameters):
        _create_variable(group, layout, variable, chunks)


def _write_coordinate(
    group: zarr.Group, model: Model, name: str, values: NDArray[Any], dims: tuple[str, ...]
) -> None:
    parameter = model.parameter(name)
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=values.shape or "auto",
        dtype=coordinate_dtype(parameter),
        dimension_names=dims,
        attributes=parameter_attributes(parameter),
    )
    array[...] = values.astype(coordinate_dtype(parameter))


def _create_variable(
    group: zarr.Group, layout: Layout, variable: Variable, chunks: Mapping[str, int]
) -> None:
    shape = layout.shape(variable)
    extra = shape[len(layout.grid_dims(variable)) :]
    group.create_array(
        variable.name,
        shape=shape,
        chunks=(*(chunks[dim] for dim in layout.grid_dims(variable)), *extra) or "auto",
        dtype=variable.dtype,
        fill_value=np.nan if variable.dtype == "float64" else 0,
        dimension_names=layout.dims(variable),
        filters=None,
        compressors=[BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), Crc32cCodec()],
        attributes=variable.attributes,
    )


def _write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.write_text(text)
    os.replace(partial, path)
