"""A worker of another version gets no work, and the error says who has what."""

import os
import queue
import signal

import pytest

from delocal.workers.block import Task
from delocal.workers.careful import WorkerDied
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.clusters.versions import difference, identity, refusal
from delocal.workers.dask import DaskExecutor, _run
from delocal.workers.local import ClusterLost
from tests.waiting import PATIENCE

PRETENDS = """
from delocal.workers.clusters import versions
found = {**versions.identity(), "delocal": "0.0.9"}
found["models"] = {**found["models"], "scaling": "0"}
versions.identity = lambda: found
import delocal.workers.dask
"""


def test_what_differs_is_said():
    ours = {"delocal": "2", "models": {"a": "1", "b": "1"}}
    theirs = {"delocal": "1", "models": {"a": "2", "c": "1"}}
    assert difference(ours, ours) == ""
    assert difference(theirs, ours) == (
        "delocal 1 there, 2 here; model 'a' 2 there, 1 here; "
        "model 'b' missing there, 1 here; model 'c' 1 there, missing here"
    )


def test_a_worker_without_delocal_is_refused():
    said = refusal("tcp://w", ModuleNotFoundError("No module named 'delocal'"), identity())
    assert said.startswith("worker tcp://w cannot run delocal (No module named 'delocal')")
    assert "install delocal" in said
    assert "does not say" in refusal("w", None, identity())
    assert refusal("w", identity(), identity()) == ""


def test_a_task_on_a_worker_of_another_version_is_not_at_fault():
    with pytest.raises(ClusterLost, match="another version"):
        _run(None, "key", "0" * 16)


def test_a_worker_of_another_version_gets_no_work(
    start_scheduler, start_worker, eventually, sweep, tmp_path
):
    (tmp_path / "pretend.py").write_text(PRETENDS)
    address, _ = start_scheduler()
    start_worker(address, arguments=["--preload", str(tmp_path / "pretend.py")], name="old")
    executor = DaskExecutor(ClusterSpec(kind="address", address=address))
    try:
        eventually(lambda: "of another version" in executor.description)
        with pytest.raises(ClusterLost, match=r"delocal 0\.0\.9 there.*model 'scaling' 0 there"):
            _ = executor.slots
        start_worker(address, workers=2, name="new")
        eventually(lambda: slots(executor) == 2)
        sweep(executor)  # and no task went to the old one, which would have refused it
    finally:
        executor.close()


def test_tasks_for_workers_that_are_gone_are_reported(
    start_scheduler, start_worker, eventually, tmp_path, store, plan
):
    (tmp_path / "pretend.py").write_text(PRETENDS)
    address, _ = start_scheduler()
    start_worker(address, arguments=["--preload", str(tmp_path / "pretend.py")])
    good = start_worker(address)
    executor = DaskExecutor(ClusterSpec(kind="address", address=address))
    try:
        eventually(lambda: len(executor._client.nthreads()) == 2 and slots(executor) == 1)
        os.killpg(good.pid, signal.SIGKILL)
        outcomes = queue.Queue()
        task = Task(str(store.root), plan.digest, "scaling", (0,))
        executor.submit(task, lambda *outcome: outcomes.put(outcome))
        eventually(lambda: slots(executor) is None)
        _, outcome = outcomes.get(timeout=PATIENCE)
        assert isinstance(outcome, ClusterLost | WorkerDied)
    finally:
        executor.close()


def slots(executor):
    try:
        return executor.slots
    except ClusterLost:
        return None
