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
    store = _store(task.root, task.digest)
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


def store_failed_block(store: SweepStore, model: str, block: int, error: str) -> Receipt:
    """Store a block that nobody could evaluate: NaN, with every cell `failed`."""
    part = store.plan.part(model)
    chosen, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, chosen, box)
    arrays = _finish(chosen, layout, {}, part.grid.excluded(box), Status.FAILED)
    failure = {"cell": None, "parameters": {}, "error": error, "traceback": ""}
    counts = _counts(arrays["status"])
    receipt = Receipt(model, block, store.write(model, block, arrays), counts, 0.0, (failure,))
    store.sign(receipt)
    return receipt


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
        results = _cell_by_cell(model, part, layout, mesh, failures)
    arrays = _finish(model, layout, results, excluded)
    return Evaluated(arrays, _counts(arrays["status"]), tuple(failures))


def _cell_by_cell(
    model: Model,
    part: Part,
    layout: Layout,
    mesh: Mapping[str, NDArray[Any]],
    failures: list[Mapping[str, Any]],
) -> dict[str, NDArray[Any]]:
    shape = tuple(layout.sizes.values())
    full = {name: np.broadcast_to(values, shape) for name, values in mesh.items()}
    results = {v.name: _blank(layout, v, Status.FAILED) for v in _variables(model, layout)}
    for cell in np.ndindex(shape):
        point = {name: values[cell] for name, values in full.items()}
        try:
            values = model.evaluate(point, part.options)
        except Exception as error:
            if len(failures) < FAILURES_KEPT:
                failures.append(
                    {
                        "cell": list(cell),
                        "parameters": {name: float(value) for name, value in point.items()},
                        "error": f"{type(error).__name__}: {error}",
                        "traceback": traceback.format_exc(),
                    }
                )
            continue
        for variable in _variables(model, layout):
            dims = layout.grid_dims(variable)
            place = tuple(i for dim, i in zip(layout.sizes, cell, strict=True) if dim in dims)
            results[variable.name][place] = values[variable.name]
    return {
        v.name: results[v.name].reshape(_open_shape(layout, v)) for v in _variables(model, layout)
    }


def _finish(
    model: Model,
    layout: Layout,
    results: Mapping[str, NDArray[Any]],
    excluded: NDArray[np.bool_],
    otherwise: Status = Status.NOT_COMPUTED,
) -> dict[str, NDArray[Any]]:
    """Bring each variable into its shape and type, and blank the cells that are excluded."""
    arrays = {}
    for variable in _variables(model, layout):
        if variable.name in results:
            array = layout.fit(variable, results[variable.name])
        else:
            array = _blank(layout, variable, otherwise)
        if variable.depends is None and excluded.any():
            array[excluded] = Status.EXCLUDED if variable.name == "status" else _fill(variable)
        arrays[variable.name] = array
    return arrays


def _variables(model: Model, layout: Layout) -> tuple[Variable, ...]:
    return model.variables_for(layout.given)


def _fill(variable: Variable) -> float:
    return np.nan if variable.dtype == "float64" else 0


def _blank(layout: Layout, variable: Variable, status: Status) -> NDArray[Any]:
    value = status if variable.name == "status" else _fill(variable)
    return np.full(layout.shape(variable), value, dtype=variable.dtype)


def _open_shape(layout: Layout, variable: Variable) -> tuple[int, ...]:
    """Return the shape of `variable` with 1 along the dimensions that it lacks."""
    own = layout.grid_dims(variable)
    kept = (size if dim in own else 1 for dim, size in layout.sizes.items())
    return (*kept, *(len(layout.extra[dim]) for dim in variable.dims))


def _counts(status: NDArray[Any]) -> dict[str, int]:
    values, numbers = np.unique(status, return_counts=True)
    return {Status(v).label: int(n) for v, n in zip(values, numbers, strict=True)}


@lru_cache(maxsize=8)
def _store(root: str, digest: str) -> SweepStore:
    """Open a store once for each plan; the digest keeps an older plan's handle out."""
    store = SweepStore(Path(root))
    if store.plan.digest != digest:
        raise ValueError(f"the plan of {root} is not the one that the task was made for")
    return store
