"""Blocks of a sweep in a bucket on a Dask cluster."""

from delocal.physics.models import load_models
from delocal.workers.block import Task
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.grid import Dimension, Grid
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore
from tests.processes import children
from tests.workers.test_dask import run, wait_until_gone

COLD = Dimension("T", {"T": (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)})


def test_workers_write_to_a_bucket_with_the_keys_of_their_environment(plan_of, prefix, tmp_path):
    grid = Grid((COLD,), {"d": 2.0, "alpha": 3.0, "beta": 3.0, "W": 1.0})
    plan = plan_of(load_models()["scaling"], grid, 2, {})
    before = children()  # the S3 server among them
    stored = SweepStore(f"{prefix}/sweep")
    stored.create(plan)
    cluster = DaskExecutor(ClusterSpec(workers=1))
    try:
        [receipts] = run(cluster, Task(stored.location, plan.digest, "scaling", (0, 1, 2)))
    finally:
        cluster.close()
    wait_until_gone(before)
    assert [receipt.block for receipt in receipts] == [0, 1, 2]
    reference = run_plan(plan, tmp_path / "reference")
    for name in reference.storage.names("data.zarr"):
        assert stored.storage.read(name) == reference.storage.read(name), name
