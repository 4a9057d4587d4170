"""A finished sweep as files: Zarr, NetCDF-4, Parquet, Arrow, CSV; by blocks, never all at once.

Sources are datasets opened lazily, from a folder, a bucket or over HTTP, and a function that
reads the files of the Zarr hierarchy.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from delocal.physics.model import Status
from delocal.service.errors import NotFound, NotReady, SelectionError
from delocal.service.rows import Box, Table
from delocal.workers.store import SweepStore
from delocal.workers.zarr_format import chunk_names

Read = Callable[[str], bytes | None]
Progress = Callable[[int, int], None]

COMPRESSION = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
AT_A_TIME = 8  # files that are read at a time, for each may wait for a server
AHEAD = 64  # files that are read and not written yet
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in a zip: equal sweeps are equal bytes


def export(
    tree: xr.DataTree, read: Read, path: str | Path, progress: Progress | None = None
) -> list[Path]:
    """Write a sweep to the format that the suffix of `path` names, and return the files.

    Parameters
    ----------
    tree
        The datasets of the sweep, opened lazily.
    read
        Returns a file of the Zarr hierarchy by its name, None if there is none.
    path
        ``.zarr`` or none, a folder with the Zarr store, byte by byte; ``.zip`` the same as one
        file; ``.nc`` NetCDF-4 with a group for each model; ``.parquet``, ``.arrow`` (IPC file) or
        ``.csv`` a long table, one row for each cell; with several models one file each,
        ``<name>-<model>.parquet``.
    progress
        Called with the number of blocks written, and of blocks.

    Raises
    ------
    SelectionError
        Another suffix.
    FileExistsError
        A file is there already.
    ModuleNotFoundError
        The extra ``export`` is not installed.
    """
    path, report = Path(path), progress or _silent
    if path.suffix in ("", ".zarr"):
        return [copy_store(read, path, report)]
    if path.suffix == ".zip":
        return _to_zip(read, path, report)
    try:
        if path.suffix == ".nc":
            return _to_netcdf(tree, path, report)
        if path.suffix in TABLES:
            return _to_tables(tree, path, report)
    except ModuleNotFoundError as error:
        message = f"{path.suffix} needs {error.name}: pip install 'delocal[export]'"
        raise ModuleNotFoundError(message, name=error.name) from error
    known = ", ".join([".zarr", ".zip", ".nc", *TABLES])
    raise SelectionError(f"{path.name} has no suffix that is known; choose one of {known}")


def copy_store(read: Read, path: str | Path, progress: Progress | None = None) -> Path:
    """Copy a Zarr hierarchy, byte by byte, into a folder that appears whole or not at all.

    FileExistsError if there is such a folder already.
    """
    report = progress or _silent
    with _whole(Path(path)) as partial:
        names = list(_names(read))
        for done, (name, content) in enumerate(_several(read, names), 1):
            if content is not None:
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                (partial / name).write_bytes(content)
            report(done, len(names))
    return Path(path)


def export_store(
    store: SweepStore, path: str | Path, progress: Progress | None = None
) -> list[Path]:
    """Write the sweep of a store to one file; see `export`.

    NotReady if it is unfinished; LostChunk if something of it was stored and is missing.
    """
    missing = sum(
        int((store.open_model(part.name)["status"] == Status.NOT_COMPUTED).sum())
        for part in store.plan.parts
        if part.role != "replicas"
    )
    if missing:
        raise NotReady(f"{missing:,} cells of {store.location} are not computed yet; go on with it")

    def read(name: str) -> bytes | None:
        found = store.piece(name)
        return None if found is None else found.content

    return export(store.open(), read, path, progress)


def boxes(ds: xr.Dataset) -> list[Box]:
    """Return boxes that tile a dataset, each a few whole chunks, or one that is too large.

    Examples
    --------
    >>> ds = xr.Dataset({"y": ("x", np.zeros(5))})
    >>> ds.y.encoding["chunks"] = (2,)
    >>> boxes(ds)
    [{'x': slice(0, 2, None)}, {'x': slice(2, 4, None)}, {'x': slice(4, 5, None)}]
    """
    side = {str(dim): size for dim, size in ds.sizes.items()}
    for variable in ds.data_vars.values():
        for dim, chunk in zip(variable.dims, variable.encoding.get("chunks", ()), strict=False):
            side[str(dim)] = min(side[str(dim)], chunk)
    cuts = {
        dim: [slice(i, min(i + side[dim], size)) for i in range(0, size, side[dim])]
        for dim, size in ((str(d), s) for d, s in ds.sizes.items())
    }
    return [dict(zip(cuts, place, strict=True)) for place in product(*cuts.values())]


def _to_netcdf(tree: xr.DataTree, path: Path, progress: Progress) -> list[Path]:
    import h5netcdf  # a library that only exports need

    datasets = _datasets(tree)
    work = [(name, box) for name, ds in datasets.items() for box in boxes(ds)]
    with _whole(path) as partial, h5netcdf.File(partial, "w") as file:
        file.attrs.update(_attributes(tree.attrs))
        groups = {name: file.create_group(name) for name in datasets}
        for name, ds in datasets.items():
            _define(groups[name], ds)
        for done, (name, box) in enumerate(work, 1):
            _fill(groups[name], datasets[name], box)
            progress(done, len(work))
    return [path]


def write_netcdf(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset in memory to a new NetCDF-4 file."""
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        _define(file, ds)
        _fill(file, ds, {str(dim): slice(0, size) for dim, size in ds.sizes.items()})


def _define(group: Any, ds: xr.Dataset) -> None:
    """Write everything of a group but the data: dimensions, coordinates, attributes."""
    group.dimensions = {str(dim): size for dim, size in ds.sizes.items()}
    scalars = " ".join(sorted(str(name) for name in ds.coords if name not in ds.dims))
    group.attrs.update(_attributes({**ds.attrs, **({"coordinates": scalars} if scalars else {})}))
    for name, variable in ds.variables.items():
        text = variable.dtype.kind in "OTU"
        options: dict[str, Any] = {}
        if variable.dtype.kind == "f" and name in ds.data_vars:
            options["fillvalue"] = np.nan
        if variable.ndim and name in ds.data_vars:
            chunks = variable.encoding.get("chunks", variable.shape)
            options |= {**COMPRESSION, "chunks": tuple(map(min, chunks, variable.shape))}
        dtype = _text_type() if text else variable.dtype
        new = group.create_variable(str(name), variable.dims, dtype, **options)
        new.attrs.update(_attributes(variable.attrs))
        if name in ds.coords:
            new[...] = variable.values.astype(object) if text else variable.values


def _fill(group: Any, ds: xr.Dataset, box: Box) -> None:
    """Write one block: of a variable that lacks a dimension, only where that begins."""
    for name, variable in ds.data_vars.items():
        own = {dim: side for dim, side in box.items() if dim in variable.dims}
        if any(side.start for dim, side in box.items() if dim not in own):
            continue
        place = tuple(own[str(dim)] for dim in variable.dims) or ...
        group.variables[str(name)][place] = variable.isel(own).values


def _to_zip(read: Read, path: Path, progress: Progress) -> list[Path]:
    """Copy the hierarchy byte by byte; chunks are compressed already."""
    with _whole(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        names = list(_names(read))
        for done, (name, content) in enumerate(_several(read, names), 1):
            if content is not None:
                archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
            progress(done, len(names))
    return [path]


def _several(read: Read, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
    """Yield names with their files, some of which are read at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for begin in range(0, len(names), AHEAD):
            some = names[begin : begin + AHEAD]
            yield from zip(some, pool.map(read, some), strict=True)


def _names(read: Read) -> Iterator[str]:
    """Yield the name of every file of a hierarchy, from its consolidated metadata."""
    root = read("zarr.json")
    if root is None:
        raise NotFound("no zarr.json in the store")
    yield "zarr.json"
    for name, document in json.loads(root)["consolidated_metadata"]["metadata"].items():
        yield f"{name}/zarr.json"
        if document["node_type"] == "array":
            yield from (f"{name}/{chunk}" for chunk in chunk_names(document))


def _to_tables(tree: xr.DataTree, path: Path, progress: Progress) -> list[Path]:
    import pyarrow

    datasets = _datasets(tree)
    alone = len(datasets) == 1
    files = [path if alone else path.with_name(f"{path.stem}-{n}{path.suffix}") for n in datasets]
    work = {name: boxes(ds) for name, ds in datasets.items()}
    done, total = 0, sum(map(len, work.values()))
    with ExitStack() as stack:  # all of them appear, or none
        partials = [stack.enter_context(_whole(file)) for file in files]
        for (name, ds), partial in zip(datasets.items(), partials, strict=True):
            table = Table.of(ds)
            schema = table.schema()
            with TABLES[path.suffix](partial, schema) as writer:
                for box in work[name]:
                    writer.write_table(pyarrow.table(table.read(box), schema=schema))
                    done += 1
                    progress(done, total)
    return files


def _parquet(path: Path, schema: Any) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetWriter(path, schema)


def _arrow(path: Path, schema: Any) -> Any:
    import pyarrow.ipc

    return pyarrow.ipc.new_file(str(path), schema)


def _csv(path: Path, schema: Any) -> Any:
    import pyarrow.csv

    return pyarrow.csv.CSVWriter(path, schema)


TABLES = {".parquet": _parquet, ".arrow": _arrow, ".csv": _csv}


def _datasets(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    return {name: child.to_dataset() for name, child in tree.children.items()}


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Give a name to write to; the file or folder appears whole or not at all."""
    if path.exists():
        raise FileExistsError(f"{path} exists; choose another name")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
        raise


def _text_type() -> Any:
    import h5py

    return h5py.string_dtype()


def _attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as NetCDF has them: numbers, texts, arrays of one type."""
    return {
        str(name): np.asarray(value) if isinstance(value, list) else value
        for name, value in attributes.items()
        if value is not None
    }


def _silent(done: int, total: int) -> None:
    pass
