"""What dispatcher and ledger cost for each block, without any work, in sweeps of two sizes."""

from __future__ import annotations

import queue
import resource
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.report import Row
from delocal.service.dispatcher import Dispatcher
from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.workers.block import Task
from delocal.workers.local import Done
from delocal.workers.store import Receipt, SweepStore

COMMAND = "python -m benchmarks"
SLOTS = 2


def rows(small: int = 10_000, large: int = 1_000_000, dispatched: int = 10_000) -> list[Row]:
    """Return what it takes to enter a sweep and to dispatch some of its blocks, one in a task.

    Memory is the growth of this process; the Dask scheduler never knows more than the window.
    """
    few, many = (_dispatch(blocks, dispatched) for blocks in (small, large))
    name = f"dispatcher, {large:,} blocks: "
    return [
        Row(f"{name}us per block to enter", many[0] / large * 1e6, 50, "lower", COMMAND),
        Row(f"{name}ms until the first block", many[1] * 1e3, 1000, "lower", COMMAND),
        Row(f"{name}ms per block", many[2] / dispatched * 1e3, 2, "lower", COMMAND),
        Row(f"{name}ms per block, over {small:,}", many[2] / few[2], 1.5, "lower", COMMAND),
        Row(f"{name}growth of memory, MiB", many[3], 256, "lower", COMMAND),
    ]


class Idle:
    """An executor whose blocks are done at once."""

    slots = SLOTS
    description = "nobody"

    def __init__(self, most: int) -> None:
        self.began: float | None = None
        self.ended = threading.Event()
        self._left = most
        self._tasks: queue.SimpleQueue[tuple[Task, Done] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, task: Task, done: Done) -> None:
        """Take a task that is done as soon as it is looked at."""
        if self.began is None:
            self.began = time.perf_counter()
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
            self._left -= len(task.blocks)
            if self._left <= 0:
                self.ended.set()
            # As long as a task should be, so that each block stays a task.
            done(task, [Receipt(task.model, b, "0" * 16, {"done": 1}, 10.0) for b in task.blocks])


def _dispatch(blocks: int, dispatched: int) -> tuple[float, float, float, float]:
    """Return the seconds to enter a sweep, to its first task, for `dispatched` tasks; MiB."""
    content = {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, blocks]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
    plan = SweepRequest.parse(content).plan(block_cells=1)
    with tempfile.TemporaryDirectory() as folder:
        store = SweepStore(Path(folder) / plan.sweep_id)
        store.create(plan)
        ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
        before, began = _peak(), time.perf_counter()
        ledger.add(plan, name="", tags=[], request=content)
        entered = time.perf_counter() - began
        executor = Idle(dispatched)
        dispatcher = Dispatcher(ledger, executor, Path(folder))
        began = time.perf_counter()
        dispatcher.start()
        executor.ended.wait()
        ended = time.perf_counter()
        dispatcher.stop()
        executor.close()
        ledger.close()
        assert executor.began is not None
        return entered, executor.began - began, ended - executor.began, _peak() - before


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
