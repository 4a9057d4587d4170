"""The engine: its cost beside a bare pool of processes, and how soon a cancel frees workers."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row
from delocal.service.request import SweepRequest
from delocal.service.settings import Service, Settings
from delocal.workers.block import run_block
from delocal.workers.store import SweepStore

COMMAND = "python -m benchmarks"
SEED = iter(range(1, 10**6))  # no two sweeps are the same


def rows(
    replicas: int = 2400,
    spins: int = 100_000,
    cancels: int = 40,
    workers: int = 2,
    repeats: int = 2,
) -> list[Row]:
    """Return wall time over that of a pool with the same blocks, and the 95 % wait for a cancel.

    Walls are the least of `repeats`, in turns.
    """
    walls, pools = [], []
    with tempfile.TemporaryDirectory() as folder:
        service = start(Path(folder) / "data", workers)
        try:
            run(service, _request(workers * 4, spins))  # workers compile and load
            for i in range(repeats):
                walls.append(run(service, _request(replicas, spins)))
                pools.append(_pool(_request(replicas, spins), Path(folder) / f"pool{i}", workers))
            waits = [_cancel(service, _request(100_000, spins)) for _ in range(cancels)]
        finally:
            service.close()
    blocks = len(_request(replicas, spins).plan().parts[0].blocks)
    ratio = f"engine / bare pool of {workers} processes, {blocks} blocks, writes included"
    return [
        Row(ratio, min(walls) / min(pools), 1.05, "lower", COMMAND),
        Row("cancel: ms until workers are free, 95 %", 1e3 * float(np.quantile(waits, 0.95)), 250,
            "lower", COMMAND),
        Row("cancel: ms until workers are free, median", 1e3 * float(np.median(waits)), None,
            "lower", COMMAND),
    ]  # fmt: skip


def start(data: Path, workers: int) -> Service:
    """Return a service in this process, with workers in others."""
    settings = Settings(data=data)
    settings.cluster.workers = workers
    return Service(settings)


def _request(replicas: int, spins: int) -> SweepRequest:
    content: dict[str, Any] = {
        "models": ["resonances"],
        "fixed": {"d": 3, "alpha": 3, "T": 50, "W": 100, "t": 1},
        "options": {"resonances": {"spins": spins}},
        "sampling": {"replicas": replicas},
        "seed": next(SEED),
    }
    return SweepRequest.parse(content)


def run(service: Service, request: SweepRequest) -> float:
    """Return the wall seconds from submitting a sweep to its end."""
    began = time.perf_counter()
    service.sweeps.wait(service.sweeps.submit(request).id)
    return time.perf_counter() - began


def _cancel(service: Service, request: SweepRequest) -> float:
    """Return the seconds from a cancel, at some moment of the work, until no task is in flight."""
    sweep = service.sweeps.submit(request).id
    while not service.sweeps.get(sweep).blocks_done:
        time.sleep(0.01)
    time.sleep(float(np.random.default_rng(request.seed).uniform(0, 0.2)))
    began = time.perf_counter()
    service.sweeps.cancel(sweep)
    while service.dispatcher.in_flight:
        time.sleep(0.001)
    return time.perf_counter() - began


def _pool(request: SweepRequest, root: Path, workers: int) -> float:
    """Return the wall seconds of a pool of processes that runs the same blocks."""
    plan = request.plan()
    store = SweepStore(root)
    store.create(plan)
    replicas, summary = plan.parts
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        warm = request.model_copy(update={"seed": 0}).plan()
        other = SweepStore(root.with_name(f"warm-{root.name}"))
        other.create(warm)
        pool.map(partial(_block, str(other.root), replicas.name), range(2 * workers), chunksize=1)
        began = time.perf_counter()
        list(pool.imap_unordered(partial(_block, str(root), replicas.name), replicas.blocks))
        run_block(store, summary.name, 0)
        return time.perf_counter() - began


def _block(root: str, part: str, block: int) -> None:
    run_block(SweepStore(root), part, block)
