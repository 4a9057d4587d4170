"""Run a sweep here, without a service: the same blocks, the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from delocal.service.provenance import provenance
from delocal.service.request import Request, SweepRequest
from delocal.workers.local import run_plan
from delocal.workers.store import Receipt, SweepStore


def run(
    request: Request,
    path: str | Path | None = None,
    *,
    block_cells: int | None = None,
    progress: Callable[[Receipt], None] | None = None,
) -> xr.DataTree:
    """Compute a sweep in this process and return its datasets, one child for each model.

    Parameters
    ----------
    request
        A `SweepRequest`, the same as plain content, or the path of a JSON or YAML file.
    path
        Folder that keeps the sweep, or ``s3://bucket/prefix``. A sweep begun there goes on;
        None keeps it in memory only.
    block_cells
        Cells of a block at most; the results do not depend on it.
    progress
        Called with the receipt of each block as it is stored.

    Raises
    ------
    RequestError
        The request is wrong; the error lists every mistake.
    ValueError
        `path` holds another sweep.

    Examples
    --------
    >>> tree = run({"models": ["scaling"], "axes": {"T": [1e-3, 1e-2]},
    ...             "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1}})
    >>> tree["scaling"].sizes["T"]
    2
    """
    plan = SweepRequest.read(request).plan(provenance(), block_cells=block_cells)
    if path is not None:
        return run_plan(plan, path, progress).open()
    with tempfile.TemporaryDirectory(prefix="delocal-") as folder:
        return run_plan(plan, Path(folder) / "sweep", progress).open().load()


def open_sweep(path: str | Path) -> xr.DataTree:
    """Open a sweep that `run` or a service stored at `path`, a folder or ``s3://...``, lazily."""
    store = SweepStore(path)
    if not store.exists():
        raise FileNotFoundError(f"{path} holds no sweep: there is no plan.json in it")
    return store.open()
