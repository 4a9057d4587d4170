"""Evaluate one block and store it: a plain function, whoever calls it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Model, Status, Variable
from delocal.workers.dataset import Layout
from delocal.workers.plan import Part, model_of
from delocal.workers.store import Receipt, SweepStore

FAILURES_KEPT = 100  # tracebacks kept of one block; every failed cell is counted


@dataclass(frozen=True)
class Task:
    """Some blocks of one model of one sweep: what is sent to a worker, a few hundred bytes."""

    root: str
    digest: str
    model: str
    blocks: tuple[int, ...]


@dataclass(frozen=True)
class Evaluated:
    """The arrays of one block by variable, and what happened on the way."""

    arrays: Mapping[str, NDArray[Any]]
    counts: Mapping[str, int]
    failures: tuple[Mapping[str, Any], ...]


def run_task(task: Task) -> list[Receipt]:
    """Evaluate and store the blocks of a task, one after the other."""
    created = (Path(task.root) / "plan.json").stat().st_mtime_ns
    store = _store(task.root, task.digest, created)
    return [run_block(store, task.model, block) for block in task.blocks]


def run_block(store: SweepStore, model: str, block: int) -> Receipt:
    """Evaluate and store one block; one that is stored already and intact is not repeated."""
    stored = store.receipt(model, block)
    if stored is not None:
        return stored
    began = time.perf_counter()
    evaluated = evaluate_block(store.plan.part(model), block)
    checksum = store.write(model, block, evaluated.arrays)
    seconds = time.perf_counter() - began
    receipt = Receipt(model, block, checksum, evaluated.counts, seconds, evaluated.failures)
    store.sign(receipt)
    return receipt


def store_failed_block(store: SweepStore, model: str, block: int, error: BaseException) -> Receipt:
    """Store a block that nobody could evaluate: NaN, with every cell `failed`."""
    part = store.plan.part(model)
    chosen, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, chosen, box)
    arrays = _blank(chosen, layout, Status.FAILED)
    _blank_excluded(chosen, layout, arrays, part.grid.excluded(box))
    counts = _counts(arrays["status"])
    checksum = store.write(model, block, arrays)
    receipt = Receipt(model, block, checksum, counts, 0.0, (failure_of(error),))
    store.sign(receipt)
    return receipt


def failure_of(
    error: BaseException,
    cell: tuple[int, ...] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is kept of an error: the cell, its parameters, the message, the traceback."""
    return {
        "cell": None if cell is None else list(cell),
        "parameters": {name: float(value) for name, value in (parameters or {}).items()},
        "error": "".join(traceback.format_exception_only(error)).strip(),
        "traceback": "".join(traceback.format_exception(error)),
    }


def evaluate_block(part: Part, block: int) -> Evaluated:
    """Evaluate the cells of one block.

    A cell that raises is a result: if the whole block raises, its cells are evaluated one by
    one, and those at fault are stored as NaN with status `failed` and their traceback.
    """
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    mesh, excluded = part.grid.mesh(box), part.grid.excluded(box)
    failures: list[Mapping[str, Any]] = []
    try:
        results = model.evaluate(mesh, part.options)
    except Exception:
        arrays = _cell_by_cell(model, part, layout, mesh, excluded, failures)
    else:
        arrays = {v.name: layout.fit(v, results[v.name]) for v in _variables(model, layout)}
    _blank_excluded(model, layout, arrays, excluded)
    return Evaluated(arrays, _counts(arrays["status"]), tuple(failures))


def _cell_by_cell(
    model: Model,
    part: Part,
    layout: Layout,
    mesh: Mapping[str, NDArray[Any]],
    excluded: NDArray[np.bool_],
    failures: list[Mapping[str, Any]],
) -> dict[str, NDArray[Any]]:
    shape = tuple(layout.sizes.values())
    full = {name: np.broadcast_to(values, shape) for name, values in mesh.items()}
    arrays = _blank(model, layout, Status.FAILED)
    single = Layout(dict.fromkeys(layout.sizes, 1), layout.varies, layout.extra)
    for cell in map(tuple, np.argwhere(~excluded).tolist()):
        point = {name: values[cell] for name, values in full.items()}
        try:
            values = model.evaluate(point, part.options)
        except Exception as error:
            if len(failures) < FAILURES_KEPT:
                failures.append(failure_of(error, cell, point))
            continue
        for variable in _variables(model, layout):
            dims = layout.grid_dims(variable)
            place = tuple(i for dim, i in zip(layout.sizes, cell, strict=True) if dim in dims)
            fitted = single.fit(variable, values[variable.name])
            arrays[variable.name][place] = fitted[(0,) * len(dims)]
    return arrays


def _blank(model: Model, layout: Layout, status: Status) -> dict[str, NDArray[Any]]:
    """Return every variable as where nothing was computed: NaN, flags 0, and a `status`."""
    arrays = {
        v.name: np.full(layout.shape(v), _fill(v), dtype=v.dtype) for v in _variables(model, layout)
    }
    arrays["status"][...] = status
    return arrays


def _blank_excluded(
    model: Model,
    layout: Layout,
    arrays: Mapping[str, NDArray[Any]],
    excluded: NDArray[np.bool_],
) -> None:
    if not excluded.any():
        return
    for variable in _variables(model, layout):
        if variable.depends is None:
            arrays[variable.name][excluded] = _fill(variable)
    arrays["status"][excluded] = Status.EXCLUDED


def _variables(model: Model, layout: Layout) -> tuple[Variable, ...]:
    return model.variables_for(layout.given)


def _fill(variable: Variable) -> float:
    return np.nan if variable.dtype == "float64" else 0


def _counts(status: NDArray[Any]) -> dict[str, int]:
    values, numbers = np.unique(status, return_counts=True)
    return {Status(v).label: int(n) for v, n in zip(values, numbers, strict=True)}


@lru_cache(maxsize=8)
def _store(root: str, digest: str, created: int) -> SweepStore:
    """Open a store once; one that was created anew in the same folder is another store."""
    store = SweepStore(Path(root))
    if store.plan.digest != digest:
        raise ValueError(f"the plan of {root} is not the one that the task was made for")
    return store
