"""A scheduler that runs elsewhere, with workers that others started."""

import pytest

from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.local import ClusterLost
from tests.workers.conftest import WORKER


@pytest.fixture
def waiting(unused_port):
    """An executor that is there before its scheduler, and the port at which it looks for it."""
    spec = ClusterSpec(kind="address", address=f"tcp://127.0.0.1:{unused_port}")
    executor = DaskExecutor(spec)
    yield executor, unused_port
    executor.close()


def test_a_scheduler_that_comes_later_is_found(
    waiting, start_scheduler, start_worker, eventually, sweep, introduced
):
    executor, port = waiting
    with pytest.raises(ClusterLost, match="no scheduler answers at tcp:"):
        _ = executor.slots
    address, _ = start_scheduler(port=port)
    start_worker(address, workers=2)
    eventually(lambda: executor.slots == 2)
    sweep(executor)
    assert introduced(executor) == 2 * [WORKER]
