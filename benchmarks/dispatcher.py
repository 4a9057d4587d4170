"""What dispatcher, ledger and Dask cost for each block of a sweep, without any work."""

from __future__ import annotations

import queue
import resource
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import Row
from delocal.service.dispatcher import Dispatcher
from delocal.service.ledger import Lease, Ledger
from delocal.service.request import SweepRequest
from delocal.workers.block import Task
from delocal.workers.clusters.processes import scheduler_command, worker_command
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.local import Done, Executor
from delocal.workers.plan import Plan
from delocal.workers.store import Receipt, SweepStore

COMMAND = "python -m benchmarks"
SLOTS = 2
RECORDS = 50  # in which the first half of a sweep is entered as done


def rows(
    small: int = 10_000,
    large: int = 1_000_000,
    dispatched: int = 10_000,
    dask: int = 4_000,
    resumed: int = 100_000,
    away: Sequence[float] = (1.0, 1.2, 1.4, 1.6, 1.8),
) -> list[Row]:
    """Return what it takes to enter a sweep and to dispatch some of its blocks, one in a task.

    Once to nobody, and then to a Dask cluster of two workers, whose scheduler never knows more
    than the window. And how soon a sweep goes on, half of whose `resumed` blocks are done, when
    the service starts again, its cluster being there, or coming up when it was `away` for so long.
    """
    few = _dispatch(small, dispatched, Idle())
    many = _dispatch(large, dispatched, Idle())
    with _cluster(SLOTS) as (scheduler, executor):
        _dispatch(small, min(200, dask), executor)
        before = scheduler.memory_info().rss
        through = _dispatch(small, dask, executor)
        growth = (scheduler.memory_info().rss - before) / 2**20
    ms = through[2] / dask * 1e3
    name = f"dispatcher, {large:,} blocks: "
    return [
        Row(f"{name}us per block to enter", many[0] / large * 1e6, 50, "lower", COMMAND),
        Row(f"{name}ms until the first block", many[1] * 1e3, 1000, "lower", COMMAND),
        Row(f"{name}ms per block", many[2] / dispatched * 1e3, None, "lower", COMMAND),
        Row(f"{name}ms per block, over {small:,}", many[2] / few[2], 1.5, "lower", COMMAND),
        Row(f"{name}growth of memory, MiB", many[3], 256, "lower", COMMAND),
        Row("dispatcher: ms per block through Dask", ms, None, "lower", COMMAND),
        Row(
            f"dispatcher: growth of the scheduler, {dask:,} tasks, MiB",
            growth,
            32,
            "lower",
            COMMAND,
        ),
        *_resume_rows(resumed, away),
    ]


def _resume_rows(blocks: int, away: Sequence[float]) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        _half_done(blocks, Path(folder))
        restart, _ = _resume(Path(folder), 0.0)
        up = max(_resume(Path(folder), seconds)[1] for seconds in away)
    name = f"dispatcher, half of {blocks:,} blocks done: ms to the first task from"
    return [
        Row(f"{name} the restart", restart * 1e3, 1000, "lower", COMMAND),
        Row(f"{name} the cluster being up", up * 1e3, 1000, "lower", COMMAND),
    ]


class Idle:
    """An executor whose blocks are done at once."""

    slots = SLOTS
    description = "nobody"

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Task, Done] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, task: Task, done: Done) -> None:
        """Take a task that is done as soon as it is looked at."""
        self._tasks.put((task, done))

    def cancel(self, root: str) -> None:
        """Do nothing: there is nothing to wait for."""

    def shorten(self, root: str) -> None:
        """Do nothing: a task is one block."""

    def close(self) -> None:
        """End the thread."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._tasks.get()) is not None:
            task, done = item
            done(task, receipts(task))


def receipts(task: Task | Lease, *_: Any) -> list[Receipt]:
    """Return the receipts of a task that took as long as one should, so that blocks stay tasks."""
    return [Receipt(task.model, b, "0" * 16, {"done": 1}, 10.0) for b in task.blocks]


class Counted:
    """An executor that notes when its first task came and when so many blocks were done."""

    def __init__(self, executor: Executor, most: int) -> None:
        self.began: float | None = None
        self.ended = threading.Event()
        self._executor, self._left = executor, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._executor, name)

    def submit(self, task: Task, done: Done) -> None:
        """Send a task on."""
        if self.began is None:
            self.began = time.perf_counter()

        def count(finished: Task, outcome: Any) -> None:
            self._left -= len(finished.blocks)
            if self._left <= 0:
                self.ended.set()
            done(finished, outcome)

        self._executor.submit(task, count)


@contextmanager
def _cluster(workers: int) -> Iterator[tuple[psutil.Process, DaskExecutor]]:
    """Yield the process of a scheduler, and an executor whose workers do no work."""
    with socket.socket() as probe, ExitStack() as stack:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        address = f"tcp://127.0.0.1:{port}"
        commands = (
            scheduler_command("127.0.0.1", port, None),
            worker_command(address, workers, None),
        )
        processes = []
        for command in commands:
            processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            stack.callback(processes[-1].wait)
            stack.callback(processes[-1].terminate)
        _wait_for(port)
        executor = DaskExecutor(ClusterSpec(kind="address", address=address))
        stack.callback(executor.close)
        while executor.slots < workers:
            time.sleep(0.1)
        executor._connected().run(_do_no_work)
        yield psutil.Process(processes[0].pid), executor


def _wait_for(port: int) -> None:
    """Return once somebody answers at a port of this machine; OSError after a minute."""
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _do_no_work() -> None:
    from delocal.workers import dask

    dask.run_task = receipts


def _dispatch(
    blocks: int, dispatched: int, executor: Executor
) -> tuple[float, float, float, float]:
    """Return the seconds to enter a sweep, to its first task, for `dispatched` tasks; MiB.

    Memory is the growth of this process.
    """
    plan = _plan(blocks)
    with tempfile.TemporaryDirectory() as folder:
        SweepStore(Path(folder) / plan.sweep_id).create(plan)
        ledger = _ledger(Path(folder))
        before, began = _peak(), time.perf_counter()
        ledger.add(plan, name="", tags=[], request={})
        entered = time.perf_counter() - began
        counted = Counted(executor, dispatched)
        dispatcher = Dispatcher(ledger, counted, Path(folder))
        began = time.perf_counter()
        dispatcher.start()
        counted.ended.wait()
        ended = time.perf_counter()
        dispatcher.stop()
        ledger.close()
        assert counted.began is not None
        return entered, counted.began - began, ended - counted.began, _peak() - before


def _plan(blocks: int) -> Plan:
    """Return a sweep of so many blocks of one cell."""
    content = {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, blocks]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
    return SweepRequest.parse(content).plan(block_cells=1)


def _ledger(folder: Path) -> Ledger:
    return Ledger(f"sqlite:///{folder}/ledger.sqlite")


def _half_done(blocks: int, folder: Path) -> None:
    """Leave what a service leaves that died in the middle of a sweep."""
    plan = _plan(blocks)
    SweepStore(folder / plan.sweep_id).create(plan)
    with closing(_ledger(folder)) as ledger:
        ledger.add(plan, name="", tags=[], request={})
        for _ in range(RECORDS):
            lease = ledger.lease(plan.sweep_id, "before", blocks // 2 // RECORDS, 60.0)
            assert lease is not None
            ledger.record(plan, "before", lease.model, receipts(lease))
        ledger.lease(plan.sweep_id, "before", 2 * SLOTS, -1.0)


def _resume(folder: Path, away: float) -> tuple[float, float]:
    """Return the seconds to the first task, from the start of a service and of its cluster.

    The cluster comes up when it was `away` for so long.
    """
    executor = Idle()
    executor.slots = 0 if away else SLOTS
    counted = Counted(executor, 1)
    began = time.perf_counter()
    with closing(_ledger(folder)) as ledger, closing(executor):
        dispatcher = Dispatcher(ledger, counted, folder)
        dispatcher.start()
        time.sleep(away)
        up, executor.slots = time.perf_counter(), SLOTS
        counted.ended.wait()
        dispatcher.stop()
    assert counted.began is not None
    return counted.began - began, counted.began - up


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
