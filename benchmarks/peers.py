"""The same sweep through the tools that a physicist would otherwise take, each in its own idiom.

Every peer calls one function of one point, as its documentation shows, on two processes, and ends
with the same labelled result on disk; what a peer keeps beside it (a folder for each job, a file
for each batch) is what it is made for, and is counted.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import signac
import xarray as xr
import xyzpy

from benchmarks.report import Row
from benchmarks.served import scratch, served
from benchmarks.sweep import WORKERS, end_to_end, request, timed
from delocal.physics.models import load_models
from delocal.service.request import SweepRequest
from delocal.workers.local import run_plan
from delocal.workers.plan import Plan
from delocal.workers.store import SweepStore

COMMAND = "python -m benchmarks peers"
SMALL = (10, 12, 10, 5)  # times two dimensions: 12,000 cells
LARGE = (20, 25, 50, 20)  # 1,000,000
HOPPING = 0.02  # t, in units of W
AXES = ("d", "alpha", "beta", "T", "W")
Combos = dict[str, list[float]]
Points = tuple[int, int, int, int]


def rows(points: Points = SMALL, large: Points = LARGE) -> list[Row]:
    """Return what each peer takes over what the service takes, for a small and a large sweep.

    A peer's time for the large sweep is that for the small one times the ratio of their cells:
    all of them take points one by one.
    """
    plan = SweepRequest.parse(request(points, HOPPING)).plan()
    small, many = plan.cells, SweepRequest.parse(request(large, HOPPING)).plan().cells
    with scratch() as folder:
        local, peers = taken(plan, folder)
        with served(folder / "service", WORKERS) as service:
            end_to_end(service, request((4, 4, 10, 10), t=0.5))  # imports, on every worker
            # Another t each time: cells that are known already would be copied.
            few = [request(points, HOPPING + 0.001 * i) for i in range(1, 6)]
            lots = [request(large, HOPPING + 0.01 * i) for i in (1, 2)]
            ours, ours_many = (
                min(end_to_end(service, content)[0] for content in c) for c in (few, lots)
            )
    found = [
        Row(f"{small:,} cells: delocal, service, s", ours, None, "lower", COMMAND),
        Row(f"{small:,} cells: delocal, one process, s", local, None, "lower", COMMAND),
    ]
    for name, seconds in peers.items():
        more = seconds * many / small
        what = f"{many:,} cells: {name}, from {small:,} / delocal"
        found += [
            Row(f"{small:,} cells: {name} / delocal", seconds / ours, 1.0, "higher", COMMAND),
            Row(what, more / ours_many, 1.0, "higher", COMMAND),
        ]
    return found


def taken(plan: Plan, folder: Path) -> tuple[float, dict[str, float]]:
    """Return the seconds of one process of ours and of each peer, all with the same results."""
    combos = {d.name: list(d.values[d.name]) for d in plan.parts[0].grid.dimensions}
    local = timed(lambda: run_plan(plan, folder / "local"))
    group = SweepStore(folder / "local").zarr_path / plan.parts[0].model
    expected = xr.open_zarr(group).reset_coords(drop=True).load()
    seconds = {}
    for name, peer in PEERS.items():
        seconds[name] = timed(lambda: peer(combos, folder / "peer"))  # noqa: B023
        found = xr.open_zarr(folder / "peer" / "store", consolidated=False).load()
        xr.testing.assert_equal(found.transpose(*combos), expected[list(found)].astype(float))
        shutil.rmtree(folder / "peer")
    return local, seconds


def physics(d: float, alpha: float, beta: float, T: float, W: float) -> tuple[float, ...]:
    """Return the variables of the scaling theory at one point: what a peer is asked to sweep."""
    point = {"d": d, "alpha": alpha, "beta": beta, "T": T, "W": W, **_fixed()}
    values = _model().evaluate({name: np.asarray(value) for name, value in point.items()}, {})
    return tuple(float(values[name]) for name in names())


def with_joblib(combos: Combos, folder: Path) -> None:
    """``Parallel(n_jobs)(delayed(f)(point) ...)``, then a dataset of the columns."""
    points = list(_points(combos))
    results = joblib.Parallel(n_jobs=WORKERS)(joblib.delayed(physics)(**p) for p in points)
    _write(_gridded(combos, results), folder)


def with_xyzpy(combos: Combos, folder: Path) -> None:
    """``Runner.run_combos`` with a pool of processes gives a dataset."""
    runner = xyzpy.Runner(physics, var_names=list(names()))
    ds = runner.run_combos(combos, parallel=True, num_workers=WORKERS, verbosity=0)
    _write(ds, folder)


def with_xyzpy_crop(combos: Combos, folder: Path) -> None:
    """A `Crop` keeps batches on disk: sow, grow on two processes, reap."""
    folder.mkdir()
    runner = xyzpy.Runner(physics, var_names=list(names()))
    crop = runner.Crop(name="sweep", parent_dir=str(folder), num_batches=8 * WORKERS)
    crop.sow_combos(combos, verbosity=0)
    crop.grow_missing(parallel=True, num_workers=WORKERS, verbosity=0)
    ds = crop.reap(verbosity=0)
    _write(ds, folder)


def with_signac(combos: Combos, folder: Path) -> None:
    """A job with a folder for each state point, its results in the job's document."""
    folder.mkdir()
    project = signac.init_project(str(folder))
    jobs = [project.open_job(point) for point in _points(combos)]
    for job in jobs:
        job.init()
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(_run_job, itertools.repeat(str(folder)), (j.id for j in jobs), chunksize=100))
    results = [tuple(job.document[name] for name in names()) for job in jobs]
    _write(_gridded(combos, results), folder)


PEERS: dict[str, Callable[[Combos, Path], None]] = {
    f"joblib {joblib.__version__}": with_joblib,
    f"xyzpy {xyzpy.__version__}, Runner": with_xyzpy,
    f"xyzpy {xyzpy.__version__}, Crop": with_xyzpy_crop,
    f"signac {signac.__version__}": with_signac,
}


def _run_job(project: str, job_id: str) -> None:
    job = _project(project).open_job(id=job_id)
    values = physics(**job.statepoint())
    job.document.update(dict(zip(names(), values, strict=True)))


@cache
def _project(path: str) -> Any:
    return signac.get_project(path)


@cache
def _fixed() -> dict[str, float]:
    """Return what all cells share: t, and the parameters that are left at their defaults."""
    return dict(SweepRequest.parse(request((1, 1, 1, 1), HOPPING)).plan().parts[0].grid.fixed)


@cache
def _model() -> Any:
    return load_models()["scaling"]


@cache
def names() -> tuple[str, ...]:
    """Return the variables that depend on all axes."""
    return tuple(
        v.name
        for v in _model().variables_for(frozenset(AXES) | _fixed().keys())
        if v.depends is None
    )


def _points(combos: Combos) -> Iterable[dict[str, float]]:
    return (
        dict(zip(combos, values, strict=True)) for values in itertools.product(*combos.values())
    )


def _gridded(combos: Combos, results: Iterable[tuple[float, ...]]) -> xr.Dataset:
    shape = [len(values) for values in combos.values()]
    columns = np.asarray(list(results)).T.reshape(-1, *shape)
    return xr.Dataset(
        {name: (list(combos), column) for name, column in zip(names(), columns, strict=True)},
        combos,
    )


def _write(ds: xr.Dataset, folder: Path) -> None:
    ds.to_zarr(folder / "store", zarr_format=3, consolidated=False)
