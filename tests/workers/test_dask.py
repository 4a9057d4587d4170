"""The same blocks on a Dask cluster: the same bytes, and every task reported once."""

import contextlib
import os
import queue
import threading
import time

import numpy as np
import psutil
import pytest

from delocal.physics.models import load_models
from delocal.workers.block import Task
from delocal.workers.careful import WorkerDied
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.grid import Dimension, Exclusion, Grid
from delocal.workers.local import run_plan
from delocal.workers.store import Receipt, SweepStore
from tests.workers.conftest import WORKER

PATIENCE = 60


def children():
    """Return our processes, but for Python's own tracker of shared memory, which stays."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if not any("resource_tracker" in word for word in process.cmdline()):
                found.add(process.pid)
    return found


def wait_until_gone(before):
    deadline = time.monotonic() + PATIENCE
    while not children() <= before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert children() <= before


@pytest.fixture(scope="module")
def executor():
    before = children()
    cluster = DaskExecutor(ClusterSpec(workers=2))
    yield cluster
    cluster.close()
    wait_until_gone(before)


@pytest.fixture
def plan(plan_of):
    axes = (
        Dimension("d", {"d": (2.0, 3.0)}),
        Dimension("alpha", {"alpha": (2.5, 3.0, 7.0), "beta": (2.5, 3.0, 3.5)}),
        Dimension("T", {"T": tuple(np.geomspace(1e-8, 1e-2, 9).tolist())}),
    )
    grid = Grid(axes, {"W": 1.0}, (Exclusion((("T", "lt", 1e-7), ("d", "eq", 2.0))),))
    return plan_of(load_models()["scaling"], grid, 10, {})


@pytest.fixture
def store(plan, tmp_path):
    created = SweepStore(tmp_path / "sweep")
    created.create(plan)
    return created


def run(executor, *tasks):
    """Submit all tasks and return their outcomes, in the order of the tasks."""
    outcomes = queue.Queue()
    for task in tasks:
        executor.submit(task, lambda *outcome: outcomes.put(outcome))
    found = [outcomes.get(timeout=PATIENCE) for _ in tasks]
    time.sleep(0.2)
    assert outcomes.empty(), "a task was reported twice"
    assert sorted(map(repr, tasks)) == sorted(repr(task) for task, _ in found)
    by_task = {id(task): outcome for task, outcome in found}
    return [by_task[id(task)] for task in tasks]


def test_the_bytes_are_those_of_the_local_run(executor, plan, store, tmp_path, contents):
    blocks = tuple(plan.part("scaling").blocks)
    tasks = [Task(str(store.root), plan.digest, "scaling", blocks[i::3]) for i in range(3)]
    outcomes = run(executor, *tasks)
    assert sorted(receipt.block for receipts in outcomes for receipt in receipts) == [*blocks]
    alone = run_plan(plan, tmp_path / "alone")
    assert contents(store, "scaling") == contents(alone, "scaling")
    for receipts in outcomes:
        for receipt in receipts:
            local = alone.receipt("scaling", receipt.block)
            assert (receipt.checksum, receipt.counts) == (local.checksum, local.counts)


def test_the_same_block_in_two_tasks(executor, plan, store):
    """A lease that ran out while its worker was only slow: both are told, the bytes agree."""
    tasks = [Task(str(store.root), plan.digest, "scaling", (0, i)) for i in (1, 2)]
    first, second = run(executor, *tasks)
    assert first[0].checksum == second[0].checksum == store.receipt("scaling", 0).checksum


def test_a_task_that_cannot_run_is_reported_as_its_error(executor, plan, store, tmp_path):
    gone = Task(str(tmp_path / "gone"), plan.digest, "scaling", (0,))
    stale = Task(str(store.root), "0" * 64, "scaling", (0,))
    beyond = Task(str(store.root), plan.digest, "scaling", (10**6,))
    unknown = Task(str(store.root), plan.digest, "scalin", (0,))
    good = Task(str(store.root), plan.digest, "scaling", (0,))
    outcomes = run(executor, gone, stale, beyond, unknown, good)
    assert [type(outcome) for outcome in outcomes[:4]] == [
        FileNotFoundError,
        ValueError,
        ValueError,
        KeyError,
    ]
    assert all(isinstance(receipt, Receipt) for receipt in outcomes[4])


def test_slots_and_description(executor):
    assert executor.slots == 2
    assert executor.description.startswith("Dask at tcp://127.0.0.1:")
    assert executor.description.endswith(", 2 threads")


def test_a_worker_has_one_thread_of_everything_and_is_quiet(executor, introduced):
    assert introduced(executor) == 2 * [WORKER]


def hang(folder, plan):
    """Return a task whose worker waits for ever: its plan is a pipe that nobody writes."""
    folder.mkdir()
    os.mkfifo(folder / "plan.json")
    return Task(str(folder), plan.digest, "scaling", (0,))


def wait_for_reader(folder):
    """Return once a worker waits at the pipe; it stays so while the returned end is open."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return os.open(folder / "plan.json", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("no worker took the task")


def reader(folder):
    """Return the process that has the pipe open; it may be opening it just now."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for process in psutil.Process().children(recursive=True):
            if any(str(folder / "plan.json") in file for file in open_files(process)):
                return process
        time.sleep(0.02)
    raise TimeoutError("no process has the pipe open")


def test_a_task_whose_worker_dies_is_reported_and_the_next_one_runs(
    executor, plan, store, tmp_path
):
    outcomes = queue.Queue()
    executor.submit(hang(tmp_path / "pipe", plan), lambda *outcome: outcomes.put(outcome))
    end = wait_for_reader(tmp_path / "pipe")
    reader(tmp_path / "pipe").kill()
    _, error = outcomes.get(timeout=PATIENCE)
    os.close(end)
    assert isinstance(error, WorkerDied)
    (receipts,) = run(executor, Task(str(store.root), plan.digest, "scaling", (0,)))
    assert receipts[0].block == 0
    assert outcomes.empty()


def open_files(process):
    folder = f"/proc/{process.pid}/fd"
    for name in os.listdir(folder):
        try:
            yield os.readlink(f"{folder}/{name}")
        except OSError:  # closed meanwhile
            continue


def test_closing_gives_up_what_still_runs_and_leaves_no_process(plan, tmp_path):
    before, calls = children(), []
    executor = DaskExecutor(ClusterSpec(workers=1))
    assert len(children() - before) >= 1
    executor.submit(hang(tmp_path / "pipe", plan), lambda task, outcome: calls.append(outcome))
    end = wait_for_reader(tmp_path / "pipe")
    closing = threading.Thread(target=executor.close)
    closing.start()
    closing.join(timeout=PATIENCE)
    assert not closing.is_alive()
    wait_until_gone(before)
    os.close(end)
    assert len(calls) <= 1
    assert all(isinstance(outcome, BaseException) for outcome in calls)


def test_a_cluster_is_not_stopped_while_it_is_asked(monkeypatch):
    """The loop would end under the question, and whoever asked would wait for nothing."""
    executor = DaskExecutor(ClusterSpec(workers=1))
    ask, begun, found = executor._ask, threading.Event(), []

    def slow(client, workers):
        begun.set()
        time.sleep(1)
        found.append((client.status, ask(client, list(client.nthreads()))))
        return {}

    monkeypatch.setattr(executor, "_ask", slow)
    assert begun.wait(PATIENCE)
    executor.close()
    [(status, answers)] = found
    assert status == "running"
    assert len(answers) == 1


def forever(task, cancelled, enough):
    """A task that ends when it is told to."""
    while not cancelled():
        time.sleep(0.005)
    return []


def deaf(task, cancelled, enough):
    """A task that listens to nobody."""
    time.sleep(3600)


@pytest.mark.parametrize(("work", "grace"), [(forever, 60), (deaf, 0.2)])
def test_a_cancelled_task_ends_and_its_neighbour_does_not(
    executor, plan, store, tmp_path, monkeypatch, work, grace
):
    monkeypatch.setattr("delocal.workers.dask.GRACE_SECONDS", grace)
    executor._client.run(replace_run_task, work, str(store.root))
    outcomes = queue.Queue()
    unwanted = Task(str(store.root), plan.digest, "scaling", (0,))
    executor.submit(unwanted, lambda *outcome: outcomes.put(outcome))
    while not any(executor._client.processing().values()):
        time.sleep(0.01)
    other = SweepStore(tmp_path / "other")
    other.create(plan)
    executor.cancel(str(store.root))
    task, outcome = outcomes.get(timeout=PATIENCE)
    assert task is unwanted
    assert outcome == [] if work is forever else isinstance(outcome, Exception)
    blocks = tuple(plan.part("scaling").blocks)
    [receipts] = run(executor, Task(str(other.root), plan.digest, "scaling", blocks))
    assert sorted(receipt.block for receipt in receipts) == [*blocks]
    executor._client.run(replace_run_task, None, "")


def one_block(task, cancelled, enough):
    """A task whose first block takes until it is told that this is enough."""
    from delocal.workers import block

    while not enough():
        time.sleep(0.005)
    return block.run_task(task, cancelled, enough)


def test_a_shortened_task_ends_after_a_block_and_its_neighbour_does_not(
    executor, plan, store, tmp_path
):
    executor._client.run(replace_run_task, one_block, str(store.root))
    outcomes = queue.Queue()
    blocks = tuple(plan.part("scaling").blocks)
    executor.submit(
        Task(str(store.root), plan.digest, "scaling", blocks), lambda *o: outcomes.put(o)
    )
    while not any(executor._client.processing().values()):
        time.sleep(0.01)
    executor.shorten(str(store.root))
    _, [receipt] = outcomes.get(timeout=PATIENCE)
    assert receipt.block == blocks[0]
    other = SweepStore(tmp_path / "other")
    other.create(plan)
    [receipts] = run(executor, Task(str(other.root), plan.digest, "scaling", blocks))
    assert len(receipts) == len(blocks)
    executor._client.run(replace_run_task, None, "")


def replace_run_task(work, root):
    """On a worker: run `work` in place of the tasks of the store at `root`."""
    from delocal.workers import block, dask

    def chosen(task, *tokens):
        return (work if task.root == root else block.run_task)(task, *tokens)

    dask.run_task = chosen if work else block.run_task
