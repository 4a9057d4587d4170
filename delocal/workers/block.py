"""Evaluate one block and store it: a plain function, whoever calls it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Cancelled, CancelToken, Model, Status, never
from delocal.workers.careful import Journal
from delocal.workers.dataset import Layout
from delocal.workers.evaluated import (
    FAILURES_KEPT,
    Evaluated,
    Recall,
    Walk,
    blank,
    blank_excluded,
    counts_of,
    every,
    failure_of,
    nothing,
    variables_of,
)
from delocal.workers.grid import Blocks, Box, block_shape
from delocal.workers.plan import Part, model_of
from delocal.workers.recall import Memory
from delocal.workers.refined import evaluate_refined
from delocal.workers.replicas import evaluate_replicas, summarize
from delocal.workers.storage import within
from delocal.workers.store import Receipt, SweepStore

SEGMENT_SECONDS = 0.05  # between two looks at whether anybody still wants it


@dataclass(frozen=True)
class Task:
    """Some blocks of one model of one sweep: what is sent to a worker, a few hundred bytes.

    A task is `careful` if its blocks killed workers before; see `delocal.workers.careful`.
    The root is where any worker finds the store: a path, or ``s3://bucket/prefix``.
    """

    root: str
    digest: str
    model: str
    blocks: tuple[int, ...]
    careful: bool = False


def run_task(
    task: Task, cancelled: CancelToken = never, enough: CancelToken = never
) -> list[Receipt]:
    """Evaluate and store the blocks of a task, one after the other, until ``cancelled()``.

    Once ``enough()``, it ends after the block at hand. The receipts are fewer than its blocks then.
    """
    store = _store(task.root, task.digest, SweepStore(task.root).version)
    receipts: list[Receipt] = []
    try:
        for block in task.blocks:
            receipts.append(run_block(store, task.model, block, cancelled, careful=task.careful))
            if enough():
                break
    except Cancelled:
        pass  # what was done before is kept
    return receipts


def run_block(
    store: SweepStore,
    name: str,
    block: int,
    cancelled: CancelToken = never,
    *,
    careful: bool = False,
) -> Receipt:
    """Evaluate and store one block; one that is stored already and intact is not repeated.

    Raises Cancelled where ``cancelled()`` is true; nothing of the block is stored then.
    """
    part = store.plan.part(name)
    stored = store.receipt(name, block) if part.role != "summary" else None
    if stored is not None:
        return stored
    began = time.perf_counter()
    if careful and part.role != "summary":
        evaluated = _evaluate_carefully(store, part, block, cancelled)
    else:
        evaluated = evaluate(store, part, block, cancelled)
    written = store.write(name, block, evaluated.arrays)
    receipt = Receipt(
        name,
        block,
        written.checksum,
        evaluated.counts,
        time.perf_counter() - began,
        evaluated.failures,
        evaluated.unfinished,
        written.size,
    )
    store.sign(receipt)
    return receipt


def evaluate(
    store: SweepStore, part: Part, block: int, cancelled: CancelToken = never
) -> Evaluated:
    """Evaluate one block of any part; only a summary reads the store."""
    if part.role == "summary":
        cells = dict(zip(part.grid.names, part.blocks.box(block), strict=True))
        return summarize(part, block, store.read(store.plan.replicas_of(part), cells))
    memory = Memory.of([_neighbour(store, source) for source in store.plan.sources], part)
    recall = memory.find if memory.sources else nothing
    if part.role == "replicas":
        return evaluate_replicas(part, block, cancelled, recall=recall)
    walk = every if memory.sources else None  # a cell worth remembering is worth a look
    if part.role == "refined":
        return evaluate_refined(part, block, cancelled, walk, recall)
    return evaluate_block(part, block, cancelled, walk, recall)


def _neighbour(store: SweepStore, sweep_id: str) -> SweepStore:
    """Return the store of another sweep in the same place."""
    return SweepStore(within(store.location.rpartition("/")[0], sweep_id))


def _evaluate_carefully(
    store: SweepStore, part: Part, block: int, cancelled: CancelToken
) -> Evaluated:
    """Evaluate a block cell by cell, without those that killed a worker."""
    with Journal.of(store.storage, f"journals/{part.name}/{block:07d}.json") as journal:
        if part.role == "replicas":
            evaluated = evaluate_replicas(part, block, cancelled, journal.cells)
        elif part.role == "refined":
            evaluated = evaluate_refined(part, block, cancelled, journal.cells)
        else:
            evaluated = evaluate_block(part, block, cancelled, journal.cells)
        box = part.blocks.box(block)

        def point(cell: tuple[int, ...]) -> Mapping[str, float]:
            return part.grid.point(tuple(s.start + i for s, i in zip(box, cell, strict=True)))

        failures = (*evaluated.failures, *journal.failures(point))
        return replace(evaluated, failures=failures[:FAILURES_KEPT])


def store_failed_block(store: SweepStore, model: str, block: int, error: BaseException) -> Receipt:
    """Store a block that nobody could evaluate: NaN, with every cell `failed`."""
    part = store.plan.part(model)
    chosen, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, chosen, box)
    arrays = blank(chosen, layout, Status.FAILED)
    blank_excluded(chosen, layout, arrays, part.grid.excluded(box))
    counts = counts_of(arrays["status"]) if part.role != "replicas" else {}
    written = store.write(model, block, arrays)
    failures = (failure_of(error),)
    receipt = Receipt(model, block, written.checksum, counts, 0.0, failures, written=written.size)
    store.sign(receipt)
    return receipt


def evaluate_block(
    part: Part,
    block: int,
    cancelled: CancelToken = never,
    walk: Walk | None = None,
    recall: Recall = nothing,
) -> Evaluated:
    """Evaluate the cells of one block, in segments of about `SEGMENT_SECONDS`, or along a `walk`.

    A cell that raises is a result: if a segment raises, its cells are evaluated one by one, and
    those at fault are stored as NaN with status `failed` and their traceback. Along a walk, cells
    that `recall` finds are copied. Raises Cancelled where ``cancelled()`` is true.
    """
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    arrays = blank(model, layout, Status.FAILED)
    failures: list[Mapping[str, Any]] = []
    shape = tuple(layout.sizes.values())
    if walk is None:
        cells = round(SEGMENT_SECONDS / model.seconds_per_cell)
        segments = Blocks(shape, block_shape(shape, cells))
        for segment in segments:
            if cancelled():
                raise Cancelled
            _evaluate_segment(model, part, box, segments.box(segment), layout, arrays, failures)
    else:
        mesh, wanted = part.grid.mesh(box), walk(~part.grid.excluded(box))
        origin = (0,) * len(shape)
        arrays = _cell_by_cell(model, part, layout, mesh, wanted, failures, origin, recall)
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
        wanted = every(~part.grid.excluded(inner))
        origin = tuple(side.start for side in segment)
        found = _cell_by_cell(model, part, own, mesh, wanted, failures, origin)
    else:
        found = {v.name: own.fit(v, results[v.name]) for v in variables_of(model, layout)}
    for variable in variables_of(model, layout):
        arrays[variable.name][layout.place(variable, segment)] = found[variable.name]


def _cell_by_cell(
    model: Model,
    part: Part,
    layout: Layout,
    mesh: Mapping[str, NDArray[Any]],
    wanted: Iterator[tuple[int, ...]],
    failures: list[Mapping[str, Any]],
    origin: tuple[int, ...],
    recall: Recall = nothing,
) -> dict[str, NDArray[Any]]:
    shape = tuple(layout.sizes.values())
    full = {name: np.broadcast_to(values, shape) for name, values in mesh.items()}
    arrays = blank(model, layout, Status.FAILED)
    variables = {variable.name: variable for variable in variables_of(model, layout)}
    single = Layout(dict.fromkeys(layout.sizes, 1), layout.varies, layout.extra)
    for cell in wanted:
        point = {name: values[cell] for name, values in full.items()}
        if found := recall({name: float(value) for name, value in point.items()}):
            for name, known in found.items():
                arrays[name][layout.place(variables[name], cell)] = known
            continue
        try:
            values = model.evaluate(point, part.options)
        except Exception as error:
            if len(failures) < FAILURES_KEPT:
                within = tuple(o + i for o, i in zip(origin, cell, strict=True))
                failures.append(failure_of(error, within, point))
            continue
        for variable in variables.values():
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
