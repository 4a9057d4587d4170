"""What becomes of a task whose result does not come."""

import asyncio
import os
import signal
import subprocess
import time

import dask
import psutil
import pytest
from distributed import CancelledError, Client, LocalCluster
from distributed.comm.core import CommClosedError

from delocal.workers import dask as module
from delocal.workers.careful import WorkerDied
from delocal.workers.clusters.processes import QUIET, worker_command
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.local import ClusterLost
from tests.waiting import PATIENCE, eventually


class Future:
    """A future that is done, as far as it knows, and has an error to raise."""

    def __init__(self, status, error):
        self.status, self._error = status, error

    def result(self, timeout):
        assert 0 < timeout <= 10
        raise self._error


@pytest.mark.parametrize(
    ("status", "error", "lost"),
    [
        ("finished", TimeoutError("no answer"), True),
        ("cancelled", CancelledError("gone"), True),
        ("error", TimeoutError("the file system is slow"), False),  # the model's own
        ("error", ValueError("wrong"), False),
    ],
)
def test_a_cluster_that_does_not_answer_is_no_fault_of_the_task(status, error, lost):
    outcome = module._outcome(Future(status, error))
    assert isinstance(outcome, ClusterLost) == lost
    assert lost or outcome is error


def test_a_result_of_a_client_that_was_closed_is_not_awaited_for_ever(monkeypatch):
    monkeypatch.setattr(module, "RESULT_SECONDS", 0.5)
    with Client(processes=False, n_workers=1, dashboard_address=None) as client:
        future = client.submit(time.sleep, 0)
        future.result()

        async def for_ever(*_, **__):
            await asyncio.Event().wait()

        monkeypatch.setattr(type(future), "_result", for_ever)
        assert isinstance(module._outcome(future), ClusterLost)


@pytest.mark.parametrize("error", [CommClosedError("closed"), ConnectionResetError("reset")])
def test_a_scheduler_that_dies_while_it_is_asked_is_a_lost_cluster(monkeypatch, error):
    with Client(processes=False, n_workers=1, dashboard_address=None) as client:
        address = client.scheduler.address
        executor = module.DaskExecutor(ClusterSpec(kind="address", address=address))
        try:

            def ask(*_):
                raise error

            monkeypatch.setattr(executor._client, "nthreads", ask)
            with pytest.raises(ClusterLost, match="lost the scheduler at"):
                executor.slots  # noqa: B018
        finally:
            executor.close()


@pytest.fixture
def worker():
    """Return a scheduler's client, and a worker with its nanny as others start them."""
    with (
        dask.config.set(QUIET),
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        process = subprocess.Popen(worker_command(cluster.scheduler_address, 1, None))
        client.wait_for_workers(1, timeout=PATIENCE)
        yield client, process
        process.terminate()
        process.wait(timeout=PATIENCE)


def test_a_worker_that_is_told_to_stop_costs_no_attempt(worker):
    client, nanny = worker
    future = _asleep(client)
    nanny.send_signal(signal.SIGTERM)  # as Kubernetes does before it takes a machine away
    future.exception(timeout=PATIENCE)
    outcome = module._outcome(future)
    assert isinstance(outcome, ClusterLost)
    assert "was told to stop" in str(outcome)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])  # crash; out of memory
def test_a_worker_that_is_killed_has_died(worker, number):
    client, _ = worker
    (pid,) = client.run(os.getpid).values()
    future = _asleep(client)
    os.kill(pid, number)
    future.exception(timeout=PATIENCE)
    assert isinstance(module._outcome(future), WorkerDied)


def _asleep(client):
    future = client.submit(time.sleep, 10 * PATIENCE)
    eventually(lambda: any(client.processing().values()))
    return future


def test_without_tls_a_worker_listens_on_this_machine_alone(worker):
    client, nanny = worker
    _asleep(client)
    everyone = [psutil.Process(nanny.pid), *psutil.Process(nanny.pid).children(recursive=True)]
    sockets = [c for p in everyone for c in p.net_connections("inet") if c.status == "LISTEN"]
    assert {socket.laddr.ip for socket in sockets} == {"127.0.0.1"}
