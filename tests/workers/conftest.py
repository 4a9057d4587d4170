"""A sweep of the small model: two axes, one of them zipped, cut into blocks."""

import os

import pytest

from delocal.workers.grid import Dimension, Grid
from delocal.workers.plan import Plan, plan_part

AXES = (
    Dimension("x", {"x": (0.1, 1 / 3, 2.0, 4.9, 5.5)}),
    Dimension("n", {"n": (1.0, 2.0, 3.0, 4.0), "size": (0.5, 0.25, 1e-300, 3.0)}),
)

THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")]
WORKER = {
    **dict.fromkeys(THREADS, "1"),
    "blas": {1},
    "numba": 1,
    "tasks": 1,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.scheduler.work-stealing": False,
}
"""What a worker process is to be: more threads get in each other's way, and Dask is quiet."""


@pytest.fixture
def grid():
    return Grid(AXES, {"scale": 3.0})


@pytest.fixture
def plan_of():
    """Return a function that plans a sweep of one model."""

    def make(model, grid, cells=6, options=None):
        part = plan_part(model, grid, options or {"zero_point": "yes"}, cells)
        return Plan("sweep", (part,), {"source": "a test"})

    return make


@pytest.fixture
def plan(toy, install, grid, plan_of):
    """5 x 4 cells in blocks of 3 x 2, the last ones cut off at the border."""
    install(toy)
    return plan_of(toy, grid)


@pytest.fixture
def chunks():
    """Return a function that finds the chunk files of one variable."""

    def find(store, variable):
        folder = store.zarr_path / "toy" / variable
        files = [p for p in folder.rglob("*") if p.is_file() and p.name != "zarr.json"]
        return sorted(p for p in files if not p.name.endswith(".partial"))

    return find


@pytest.fixture
def introduced():
    """Return a function that asks each worker of an executor for what `WORKER` has."""
    variables, settings = THREADS, [name for name in WORKER if "." in name]

    def introduce(dask_worker):
        import dask
        import numba
        import numpy
        import threadpoolctl

        numpy.linalg.eigh(numpy.eye(2))  # loads what it computes with
        return {
            **{name: os.environ.get(name) for name in variables},
            "blas": {pool["num_threads"] for pool in threadpoolctl.threadpool_info()},
            "numba": numba.get_num_threads(),
            "tasks": dask_worker.state.nthreads,
            **{name: dask.config.get(name) for name in settings},
        }

    return lambda executor: list(executor._connected().run(introduce).values())
