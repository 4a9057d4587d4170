"""Schedulers and workers as processes, certificates, and a plan whose bytes are known."""

import os
import queue
from pathlib import Path

import pytest

from delocal.physics.models import load_models
from delocal.workers.block import Task
from delocal.workers.clusters.processes import environment, scheduler_command, worker_command
from delocal.workers.grid import Dimension, Grid
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore
from tests.processes import children, free_port, listens, sessions
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nothing_left(eventually):
    """Check that no process is left behind."""
    before = children()
    yield
    eventually(lambda: children() <= before)


@pytest.fixture
def spawn(nothing_left, tmp_path):
    """Return a function that starts a command, in a session of its own, ended after the test."""
    with sessions(tmp_path) as start:
        yield lambda command, *, tls=None, **more: start(
            command, {**os.environ, **environment(tls), "PYTHONPATH": str(ROOT), **more}
        )


@pytest.fixture
def unused_port():
    return free_port()


@pytest.fixture
def start_scheduler(spawn, eventually):
    """Return a function that starts a scheduler and returns its address and process."""

    def start(tls=None, port=None):
        port = port or free_port()
        process = spawn(scheduler_command("127.0.0.1", port, tls), tls=tls)
        eventually(lambda: listens(port))
        return f"{'tls' if tls else 'tcp'}://127.0.0.1:{port}", process

    return start


@pytest.fixture
def start_worker(spawn):
    """Return a function that starts workers for a scheduler."""

    def start(address, tls=None, workers=1, arguments=(), **more):
        return spawn([*worker_command(address, workers, tls, **more), *arguments], tls=tls)

    return start


@pytest.fixture
def plan(plan_of):
    axes = (
        Dimension("alpha", {"alpha": (2.5, 3.0, 7.0), "beta": (2.5, 3.0, 3.5)}),
        Dimension("T", {"T": tuple(10.0**-n for n in range(2, 8))}),
    )
    return plan_of(load_models()["scaling"], Grid(axes, {"W": 1.0, "d": 2.0}), 2, {})


@pytest.fixture
def store(plan, tmp_path):
    created = SweepStore(tmp_path / "sweep")
    created.create(plan)
    return created


@pytest.fixture
def sweep(plan, store, tmp_path, contents):
    """Return a function that runs a plan, a task for each block, and checks every byte."""

    def run(executor):
        outcomes = queue.Queue()
        blocks = list(plan.part("scaling").blocks)
        for block in blocks:
            task = Task(str(store.root), plan.digest, "scaling", (block,))
            executor.submit(task, lambda *outcome: outcomes.put(outcome))
        found = [outcomes.get(timeout=PATIENCE)[1] for _ in blocks]
        assert sorted(receipts[0].block for receipts in found) == blocks
        alone = run_plan(plan, tmp_path / "alone")
        assert contents(store, "scaling") == contents(alone, "scaling")

    return run
