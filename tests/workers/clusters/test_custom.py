"""A cluster that the operator's own function starts, and clusters that rest."""

import contextlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from distributed import LocalCluster

from delocal.workers import dask as executors
from delocal.workers.clusters.custom import start
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.local import ClusterLost
from tests.workers.clusters import test_custom as here


def small(**options):
    return LocalCluster(
        n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0", **options
    )


def at_address(address):
    return address


def exposed():
    return "tcp://node7:8786"


def nonsense():
    return 7


def custom(function, **more):
    return ClusterSpec(kind="custom", function=f"{here.__name__}:{function}", **more)


@pytest.mark.usefixtures("nothing_left")
def test_a_cluster_object_is_scaled_and_closed(sweep):
    executor = DaskExecutor(custom("small", maximum=2, options={"silence_logs": 40}))
    try:
        sweep(executor)
    finally:
        executor.close()


def test_an_address_is_used_and_left_alone(start_scheduler, start_worker, eventually, sweep):
    address, scheduler = start_scheduler()
    start_worker(address)
    executor = DaskExecutor(custom("at_address", options={"address": address}))
    eventually(lambda: executor.slots == 1)
    sweep(executor)
    executor.close()
    assert scheduler.poll() is None


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        (custom("nowhere"), r"cannot be imported.*package\.module:function"),
        (ClusterSpec(kind="custom", function="no.such:function"), "cannot be imported"),
        (ClusterSpec(kind="custom", function="os:sep"), "is no function"),
        (custom("nonsense"), "returned 7; allowed are the address"),
    ],
)
def test_a_function_that_cannot_be_used(spec, advice):
    with pytest.raises(ValueError, match=advice):
        start(spec, 0)


def test_an_address_beyond_this_machine_is_refused():
    with pytest.raises(ValueError, match="not encrypted"):
        DaskExecutor(custom("exposed"))


@pytest.mark.usefixtures("nothing_left")
def test_an_idle_cluster_is_closed_and_started_again_for_the_next_task(sweep, eventually):
    executor = DaskExecutor(ClusterSpec(workers=2, idle_seconds=1))
    try:
        eventually(lambda: "not running" in executor.description)
        eventually(lambda: not workers())
        assert executor.slots == 1  # who asks for tasks gets them
        assert not workers()  # but whoever only looks starts nothing
        with ThreadPoolExecutor() as beside:
            swept = beside.submit(sweep, executor)
            eventually(lambda: executor.description.endswith("2 threads"))
            swept.result()
    finally:
        executor.close()
    with pytest.raises(ClusterLost, match="being closed"):
        _ = executor.slots


@pytest.mark.usefixtures("nothing_left")
def test_a_cluster_that_was_closed_behind_our_back_is_started_again(sweep, eventually):
    executor = DaskExecutor(ClusterSpec(workers=1))
    try:
        before = executor.description
        executor._cluster.close()
        eventually(lambda: lost(executor))
        sweep(executor)
        assert executor.description != before
    finally:
        executor.close()


def lost(executor):
    """Whether nobody answers any more; asking replaces the cluster."""
    try:
        return "not running" in executor.description
    except ClusterLost:
        return True


def workers():
    """Return our worker processes."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended, or is about to
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


@pytest.mark.usefixtures("nothing_left")
def test_a_worker_that_does_not_listen_is_killed_on_closing(monkeypatch, eventually):
    monkeypatch.setattr(executors, "CLOSE_SECONDS", 0.5)
    executor = DaskExecutor(ClusterSpec(workers=1))
    [pid] = executors._processes(executor._cluster)
    os.kill(pid, signal.SIGSTOP)
    executor.close()
    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
