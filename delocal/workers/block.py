"""Evaluate one block and store it: a plain function, whoever calls it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Cancelled, CancelToken, Model, Status, never
from delocal.workers.dataset import Layout
from delocal.workers.evaluated import (
    FAILURES_KEPT,
    Evaluated,
    blank,
    blank_excluded,
    counts_of,
    failure_of,
    variables_of,
)
from delocal.workers.grid import Blocks, Box, block_shape
from delocal.workers.plan import Part, model_of
from delocal.workers.replicas import evaluate_replicas, summarize
from delocal.workers.store import Receipt, SweepStore

SEGMENT_SECONDS = 0.05  # between two looks at whether anybody still wants it


@dataclass(frozen=True)
class Task:
    """Some blocks of one model of one sweep: what is sent to a worker, a few hundred bytes.

    The root is where any worker finds the store: a path, or ``s3://bucket/prefix``.
    """

    root: str
    digest: str
    model: str
    blocks: tuple[int, ...]


def run_task(task: Task, cancelled: CancelToken = never) -> list[Receipt]:
    """Evaluate and store the blocks of a task, one after the other, until ``cancelled()``.

    The receipts of a task that was cancelled are fewer than its blocks.
    """
    store = _store(task.root, task.digest, SweepStore(task.root).version)
    receipts: list[Receipt] = []
    try:
        for block in task.blocks:
            receipts.append(run_block(store, task.model, block, cancelled))
    except Cancelled:
        pass  # what was done before is kept
    return receipts


def run_block(store: SweepStore, name: str, block: int, cancelled: CancelToken = never) -> Receipt:
    """Evaluate and store one block; one that is stored already and intact is not repeated.

    Raises Cancelled where ``cancelled()`` is true; nothing of the block is stored then.
    """
    part = store.plan.part(name)
    stored = store.receipt(name, block) if part.role != "summary" else None
    if stored is not None:
        return stored
    began = time.perf_counter()
    evaluated = evaluate(store, part, block, cancelled)
    checksum = store.write(name, block, evaluated.arrays)
    receipt = Receipt(
        name,
        block,
        checksum,
        evaluated.counts,
        time.perf_counter() - began,
        evaluated.failures,
        evaluated.unfinished,
    )
    store.sign(receipt)
    return receipt


def evaluate(
    store: SweepStore, part: Part, block: int, cancelled: CancelToken = never
) -> Evaluated:
    """Evaluate one block of any part; only a summary reads the store."""
    if part.role == "replicas":
        return evaluate_replicas(part, block, cancelled)
    if part.role == "summary":
        cells = dict(zip(part.grid.names, part.blocks.box(block), strict=True))
        return summarize(part, block, store.read(store.plan.replicas_of(part), cells))
    return evaluate_block(part, block, cancelled)


def store_failed_block(store: SweepStore, model: str, block: int, error: BaseException) -> Receipt:
    """Store a block that nobody could evaluate: NaN, with every cell `failed`."""
    part = store.plan.part(model)
    chosen, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, chosen, box)
    arrays = blank(chosen, layout, Status.FAILED)
    blank_excluded(chosen, layout, arrays, part.grid.excluded(box))
    counts = counts_of(arrays["status"]) if part.role != "replicas" else {}
    checksum = store.write(model, block, arrays)
    receipt = Receipt(model, block, checksum, counts, 0.0, (failure_of(error),))
    store.sign(receipt)
    return receipt


def evaluate_block(part: Part, block: int, cancelled: CancelToken = never) -> Evaluated:
    """Evaluate the cells of one block, in segments of about `SEGMENT_SECONDS`.

    A cell that raises is a result: if a segment raises, its cells are evaluated one by one, and
    those at fault are stored as NaN with status `failed` and their traceback. Raises Cancelled
    where ``cancelled()`` is true.
    """
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    arrays = blank(model, layout, Status.FAILED)
    failures: list[Mapping[str, Any]] = []
    shape = tuple(layout.sizes.values())
    segments = Blocks(shape, block_shape(shape, round(SEGMENT_SECONDS / model.seconds_per_cell)))
    for segment in segments:
        if cancelled():
            raise Cancelled
        _evaluate_segment(model, part, box, segments.box(segment), layout, arrays, failures)
    blank_excluded(model, layout, arrays, part.grid.excluded(box))
    return Evaluated(arrays, counts_of(arrays["status"]), tuple(failures))


def _evaluate_segment(
    model: Model,
    part: Part,
    box: Box,
    segment: Box,
    layout: Layout,
    arrays: Mapping[str, NDArray[Any]],
    failures: list[Mapping[str, Any]],
) -> None:
    """Evaluate a `segment` of a block and put what comes out in its place in `arrays`."""
    inner = tuple(
        slice(side.start + part_of.start, side.start + part_of.stop)
        for side, part_of in zip(box, segment, strict=True)
    )
    mesh, own = part.grid.mesh(inner), Layout.of_grid(part.grid, model, inner)
    try:
        results = model.evaluate(mesh, part.options)
    except Exception:
        excluded = part.grid.excluded(inner)
        origin = tuple(side.start for side in segment)
        found = _cell_by_cell(model, part, own, mesh, excluded, failures, origin)
    else:
        found = {v.name: own.fit(v, results[v.name]) for v in variables_of(model, layout)}
    for variable in variables_of(model, layout):
        arrays[variable.name][layout.place(variable, segment)] = found[variable.name]


def _cell_by_cell(
    model: Model,
    part: Part,
    layout: Layout,
    mesh: Mapping[str, NDArray[Any]],
    excluded: NDArray[np.bool_],
    failures: list[Mapping[str, Any]],
    origin: tuple[int, ...],
) -> dict[str, NDArray[Any]]:
    shape = tuple(layout.sizes.values())
    full = {name: np.broadcast_to(values, shape) for name, values in mesh.items()}
    arrays = blank(model, layout, Status.FAILED)
    single = Layout(dict.fromkeys(layout.sizes, 1), layout.varies, layout.extra)
    for cell in map(tuple, np.argwhere(~excluded).tolist()):
        point = {name: values[cell] for name, values in full.items()}
        try:
            values = model.evaluate(point, part.options)
        except Exception as error:
            if len(failures) < FAILURES_KEPT:
                within = tuple(o + i for o, i in zip(origin, cell, strict=True))
                failures.append(failure_of(error, within, point))
            continue
        for variable in variables_of(model, layout):
            place = layout.place(variable, cell)
            fitted = single.fit(variable, values[variable.name])
            arrays[variable.name][place] = fitted[(0,) * len(place)]
    return arrays


@lru_cache(maxsize=8)
def _store(root: str, digest: str, version: str | None) -> SweepStore:
    """Open a store once; one that was created anew in the same place is another store."""
    store = SweepStore(root)
    if store.plan.digest != digest:
        raise ValueError(f"the plan of {root} is not the one that the task was made for")
    return store
