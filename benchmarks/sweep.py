"""A sweep of a million cells end to end, against what a physicist would write instead."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
import xarray as xr
import zarr
from distributed import Client as DaskClient

from benchmarks.report import Row
from benchmarks.served import Served, scratch, served
from delocal.physics.models import load_models
from delocal.service.dispatcher import TASKS_PER_SLOT
from delocal.service.request import SweepRequest
from delocal.workers.block import evaluate_block
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan
from delocal.workers.store import SweepStore

COMMAND = "python -m benchmarks"
WORKERS = 2
POLL = 0.005


def request(points: tuple[int, int, int, int], t: float = 0.02) -> dict[str, Any]:
    """Return a sweep over d = 2, 3 with `points` values of alpha, beta, T, W."""
    alpha, beta, temperature, disorder = points
    return {
        "models": ["scaling"],
        "axes": {
            "d": [2, 3],
            "alpha": {"linspace": [2.2, 7, alpha]},
            "beta": {"linspace": [2.05, 6, beta]},
            "T": {"geomspace": [1e-6, 1e-2, temperature]},
            "W": {"geomspace": [1, 4, disorder]},
        },
        "fixed": {"t": t},
    }


def rows(
    points: tuple[int, int, int, int] = (20, 25, 50, 20),
    huge: tuple[int, int, int, int] = (20, 25, 200, 50),
    repeats: int = 3,
    naive: int = 10_000,
    idle_seconds: float = 10.0,
) -> list[Row]:
    """Return the rows of the foundation: sweep time as ratios, and what the service costs."""
    with scratch() as folder, served(folder / "service", WORKERS) as service:
        plan = SweepRequest.parse(request(points)).plan()
        end_to_end(service, request((4, 4, 100, 100), t=0.5))  # imports, on every worker
        idle = _idle_percent(service.process, idle_seconds)
        with DaskClient(service.scheduler, set_as_default=False) as cluster:
            ours, peak = [], 0
            loop, local, ufunc = [], [], []
            for i in range(repeats):
                elapsed, seen = end_to_end(service, request(points, t=0.02 + 0.001 * i), cluster)
                ours.append(elapsed)
                peak = max(peak, seen)
                loop.append(timed(lambda: plain_loop(plan, folder / f"loop{i}")))  # noqa: B023
                local.append(timed(lambda: run_plan(plan, folder / f"local{i}")))  # noqa: B023
                ufunc.append(timed(lambda: apply_ufunc(plan, folder / f"u{i}", cluster)))  # noqa: B023
            point = timed(lambda: one_task_per_point(plan, naive, folder / "n", cluster)) / naive
            large, _ = end_to_end(service, request(huge), cluster)
        huge_plan = SweepRequest.parse(request(huge)).plan()
        large_loop = timed(lambda: plain_loop(huge_plan, folder / "huge"))
        peak_mib = _peak_rss(service.process)
    best = min(ours)
    cells = plan.cells
    what = f"sweep of {cells:,} cells"
    return [
        Row(f"{what}: service / plain loop, zarr-python", best / min(loop), 0.75, "lower", COMMAND),
        Row(f"{what}: service / plain loop, our writer", best / min(local), 0.75, "lower", COMMAND),
        Row(
            f"{what}: apply_ufunc(parallelized) + to_zarr / service",
            min(ufunc) / best,
            2.5,
            "higher",
            COMMAND,
        ),
        Row(
            f"{what}: one Dask task per point, from {naive:,} / service",
            point * cells / best,
            500,
            "higher",
            COMMAND,
        ),
        Row(f"{what}: service, seconds", best, None, "lower", COMMAND),
        Row(
            f"sweep of {huge_plan.cells:,} cells: service / plain loop, zarr-python",
            large / large_loop,
            0.60,
            "lower",
            COMMAND,
        ),
        Row(
            "tasks known to the scheduler at most", peak, TASKS_PER_SLOT * WORKERS, "lower", COMMAND
        ),
        Row("service process, peak MiB", peak_mib, 1024, "lower", COMMAND),
        Row("idle service with 2 workers, % of a core", idle, 2.0, "lower", COMMAND),
    ]


def plain_loop(plan: Plan, root: Path) -> None:
    """Evaluate the same blocks in one process and write the same store with zarr-python."""
    store = SweepStore(root)
    store.create(plan)
    part = plan.parts[0]
    group = zarr.open_group(store.zarr_path / part.model, mode="r+")
    arrays = dict(group.arrays())
    for block in part.blocks:
        box = dict(zip(part.grid.names, part.blocks.box(block), strict=True))
        first = dict(zip(part.grid.names, part.blocks.position(block), strict=True))
        for name, values in evaluate_block(part, block).arrays.items():
            dims = arrays[name].metadata.dimension_names
            if all(first[dim] == 0 for dim in box if dim not in dims):
                arrays[name][tuple(box.get(dim, slice(None)) for dim in dims)] = values


def apply_ufunc(plan: Plan, root: Path, cluster: DaskClient) -> None:
    """Write the same full variables with xarray's own way to parallelize."""
    part = plan.parts[0]
    model = load_models()[part.model]
    names = [v.name for v in model.variables_for(part.grid.parameters) if v.depends is None]
    inputs = [
        xr.DataArray(np.asarray(d.values[d.name]), dims=[d.name], name=d.name).chunk(
            {d.name: part.block_shape[axis]}
        )
        for axis, d in enumerate(part.grid.dimensions)
    ]
    fixed = {name: np.asarray(value) for name, value in part.grid.fixed.items()}

    def evaluate(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
        mesh = dict(zip(part.grid.names, columns, strict=True))
        results = model.evaluate(mesh | fixed, {})
        shape = np.broadcast_shapes(*(column.shape for column in columns))
        return tuple(np.broadcast_to(results[name], shape) for name in names)

    outputs = xr.apply_ufunc(
        evaluate,
        *inputs,
        output_core_dims=[[]] * len(names),
        dask="parallelized",
        output_dtypes=[np.float64] * len(names),
    )
    ds = xr.Dataset(dict(zip(names, outputs, strict=True)))
    with cluster.as_current(), dask.config.set(scheduler=cluster):
        ds.to_zarr(root, zarr_format=3, consolidated=False)


def one_task_per_point(plan: Plan, number: int, root: Path, cluster: DaskClient) -> None:
    """Evaluate the first cells of a sweep with one task each, gather them, and write them."""
    part = plan.parts[0]
    points = [
        part.grid.point(index) for index in itertools.islice(np.ndindex(part.grid.shape), number)
    ]
    futures = cluster.map(_one_point, points, pure=False)
    results = cluster.gather(futures)
    ds = xr.Dataset(
        {name: ("cell", np.array([float(r[name]) for r in results])) for name in results[0]}
    )
    ds.to_zarr(root, zarr_format=3, consolidated=False)


def _one_point(point: dict[str, float]) -> dict[str, float]:
    model = load_models()["scaling"]
    results = model.evaluate({name: np.asarray(value) for name, value in point.items()}, {})
    full = [v.name for v in model.variables_for(set(point)) if v.depends is None]
    return {name: float(results[name]) for name in full}


def end_to_end(
    service: Served, content: dict[str, Any], cluster: DaskClient | None = None
) -> tuple[float, int]:
    """Return seconds from the request to the end of the sweep, and the most tasks at a time."""
    peak, looked = 0, 0.0
    began = time.perf_counter()
    sweep = service.client.submit(content)
    while (status := sweep.status())["state"] not in ("done", "failed", "cancelled"):
        if cluster is not None and time.perf_counter() - looked > 0.1:
            peak = max(peak, cluster.run_on_scheduler(_known_tasks))
            looked = time.perf_counter()
        time.sleep(POLL)
    elapsed = time.perf_counter() - began
    if status["state"] != "done":
        raise RuntimeError(f"the sweep is {status['state']}: {sweep.failures()}")
    return elapsed, peak


def _known_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_rss(process: psutil.Process) -> float:
    """Return the largest resident size of the process so far in MiB (Linux)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def _idle_percent(process: psutil.Process, seconds: float) -> float:
    """Return the load of the service with its workers while nothing runs."""
    everyone = [process, *process.children(recursive=True)]
    before = sum(sum(p.cpu_times()[:2]) for p in everyone)
    time.sleep(seconds)
    return 100 * (sum(sum(p.cpu_times()[:2]) for p in everyone) - before) / seconds
