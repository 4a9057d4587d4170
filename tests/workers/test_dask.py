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
from tests.processes import children
from tests.waiting import PATIENCE, eventually
from tests.workers.conftest import WORKER


def wait_until_gone(before):
    eventually(lambda: children() <= before)


@pytest.fixture(scope="module")
def cluster():
    before = children()
    cluster = DaskExecutor(ClusterSpec(workers=2))
    yield cluster
    cluster.close()
    wait_until_gone(before)


@pytest.fixture
def executor(cluster):
    """A cluster with both its workers, though a test before may have killed one."""
    eventually(lambda: cluster.slots == 2)
    return cluster


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

    def end():
        with contextlib.suppress(OSError):  # nobody reads yet
            return [os.open(folder / "plan.json", os.O_WRONLY | os.O_NONBLOCK)]

    return eventually(end)[0]


def reader(folder):
    """Return the process that has the pipe open; it may be opening it just now."""

    def found():
        for process in psutil.Process().children(recursive=True):
            if any(str(folder / "plan.json") in file for file in open_files(process)):
                return process
        return None

    return eventually(found)


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
    with contextlib.suppress(OSError):  # it ended meanwhile
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):  # closed meanwhile
                yield os.readlink(f"{folder}/{name}")


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


@pytest.mark.parametrize(
    ("question", "ask"),
    [
        ("_ask", lambda executor, client: executor._survey(client)),
        ("_nthreads", lambda executor, _: executor.description),
    ],
)
def test_a_cluster_is_not_stopped_while_it_is_asked(monkeypatch, question, ask):
    """The loop would end under the question, and whoever asked would wait for nothing."""
    executor = DaskExecutor(ClusterSpec(workers=1))
    begun, found = threading.Event(), []

    def slow(client, *_):
        begun.set()
        executor._closing.wait(PATIENCE)
        time.sleep(0.5)  # a cluster that does not wait would be closed meanwhile
        found.append((client.status, client.nthreads()))
        return {}

    monkeypatch.setattr(executor, question, slow)
    asking = threading.Thread(target=ask, args=(executor, executor._client))
    asking.start()
    assert begun.wait(PATIENCE)
    executor.close()
    asking.join()
    assert found
    for status, threads in found:
        assert status == "running"
        assert sum(threads.values()) == 1


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
    eventually(lambda: any(executor._client.processing().values()))
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
    eventually(lambda: any(executor._client.processing().values()))
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
