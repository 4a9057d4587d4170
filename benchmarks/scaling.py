"""How a Monte Carlo sweep of uneven blocks scales with the number of workers.

One and two workers are real. For more there is a discrete-event simulation: the dispatcher and
the ledger are the real ones, and the time that they take is counted as it passes; only the
workers are not there, and their blocks take simulated seconds. Marks to compare with, from the
paper on Carlo.jl (Weber, SciPost Phys. Codebases 49): 81 % at 10 ranks, 73 % at 200.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.engine import run, start
from benchmarks.report import Row
from benchmarks.served import scratch
from delocal.service.dispatcher import Dispatcher
from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.workers.block import Task
from delocal.workers.local import Done
from delocal.workers.store import Receipt, SweepStore

COMMAND = "python -m benchmarks scaling"
MEAN_SECONDS = 30.0  # of a block
SPREAD = 0.5  # standard deviation of its logarithm
BLOCKS_PER_WORKER = 10
CARLO = {10: 81.0, 200: 73.0}  # per cent of ideal that Carlo.jl reports at so many ranks
DASK_SECONDS = 0.001  # of its scheduler for each task, as its documentation says


def rows(
    workers: Sequence[int] = (10, 200, 1000), spins: int = 100_000, seed: int = 0
) -> list[Row]:
    """Return what part of the workers' time is spent on blocks."""
    one, two = (_real(n, spins) for n in (1, 2))
    found = [Row("uneven Monte Carlo sweep: one worker / two", one / two, None, "higher", COMMAND)]
    for n in workers:
        efficiency, bound = simulate(n, seed)
        what = f"uneven blocks, {n:,} workers (simulated): "
        percent = what + "% of time spent on blocks"
        found += [
            Row(percent, 100 * efficiency, CARLO.get(n), "higher", COMMAND),
            Row(what + "time / the least possible", 1 / bound, None, "lower", COMMAND),
        ]
    return found


def simulate(workers: int, seed: int) -> tuple[float, float]:
    """Return busy time over all time of the workers, and the least possible time over the real.

    The least possible is the larger one of all work shared evenly and of the longest block.
    """
    blocks = BLOCKS_PER_WORKER * workers
    rng = np.random.default_rng(seed)
    seconds = MEAN_SECONDS * rng.lognormal(-(SPREAD**2) / 2, SPREAD, blocks)
    content = {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, blocks]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
    plan = SweepRequest.parse(content).plan(block_cells=1)
    with scratch() as folder:
        SweepStore(folder / plan.sweep_id).create(plan)
        ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
        ledger.add(plan, name="", tags=[], request=content)
        clock = Clock()
        cluster = Cluster(workers, seconds, clock)
        with patch("delocal.service.dispatcher.time", clock):
            dispatcher = Dispatcher(ledger, cluster, folder)
            while cluster.left:
                clock.run(dispatcher.wake)
                clock.run(dispatcher._step)
                cluster.advance()
        ledger.close()
    share = float(seconds.sum()) / workers
    return share / cluster.ended, max(share, float(seconds.max())) / cluster.ended


def _real(workers: int, spins: int) -> float:
    """Return the seconds of a sweep over W, which makes the numbers of resonances uneven."""
    content: dict[str, Any] = {
        "models": ["resonances"],
        "axes": {"W": {"geomspace": [10, 1000, 12]}},
        "fixed": {"d": 3, "alpha": 3, "T": 50, "t": 1},
        "options": {"resonances": {"spins": spins}},
        "sampling": {"replicas": 96},
    }
    few = {**content, "axes": {"W": [10, 1000]}, "sampling": {"replicas": 4}, "seed": 1}
    with scratch() as folder:
        service = start(folder / "data", workers)
        try:
            run(service, SweepRequest.parse(few))  # workers compile and load
            return run(service, SweepRequest.parse(content))
        finally:
            service.close()


class Clock:
    """Simulated time: it passes while the dispatcher works, and is set on when it waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def run(self, work: Any) -> None:
        """Do something that takes the time that it takes here."""
        began = time.perf_counter()
        work()
        self.now += time.perf_counter() - began

    def monotonic(self) -> float:
        """Return the simulated time."""
        return self.now

    time = staticmethod(time.time)


@dataclass(eq=False)
class Worker:
    """One thread: the task that it does, and those that wait for it."""

    waiting: deque[tuple[Task, Done]] = field(default_factory=deque)
    busy: bool = False

    @property
    def load(self) -> int:
        """How many tasks it has."""
        return len(self.waiting) + self.busy


class Cluster:
    """Workers whose blocks take given times, behind a scheduler that handles task after task.

    As Dask does without work stealing, a task goes at once to the worker with the fewest.
    """

    description = "simulated"

    def __init__(self, workers: int, seconds: np.ndarray, clock: Clock) -> None:
        self.slots = workers
        self.left = len(seconds)
        self.ended = 0.0
        self._seconds, self._clock = seconds, clock
        idle: dict[Worker, None] = {Worker(): None for _ in range(workers)}
        self._by_load = [idle, {}, {}, {}]  # of workers with none, one, two, three tasks
        self._events: list[tuple[float, int, Worker, Task, Done]] = []
        self._numbers = count()
        self._scheduler_free = 0.0

    def submit(self, task: Task, done: Done) -> None:
        """Send a task to the worker with the fewest."""
        self._scheduler_free = max(self._scheduler_free, self._clock.now) + DASK_SECONDS
        worker, _ = next(found for found in self._by_load if found).popitem()
        worker.waiting.append((task, done))
        self._begin(worker, self._scheduler_free)
        self._by_load[worker.load][worker] = None

    def shorten(self, root: str) -> None:
        """Do nothing: a task is one block."""

    cancel = shorten

    def advance(self) -> None:
        """Deliver what has ended by now; if nothing has, let time pass until something does."""
        if self._events:
            self._clock.now = max(self._clock.now, self._events[0][0])
        while self._events and self._events[0][0] <= self._clock.now:
            at, _, worker, task, done = heapq.heappop(self._events)
            self.left -= len(task.blocks)
            self.ended = max(self.ended, at)
            del self._by_load[worker.load][worker]
            worker.busy = False
            self._begin(worker, at)
            self._by_load[worker.load][worker] = None
            done(task, [self._receipt(task, block) for block in task.blocks])

    def _begin(self, worker: Worker, at: float) -> None:
        if not worker.busy and worker.waiting:
            task, done = worker.waiting.popleft()
            worker.busy = True
            ends = at + sum(float(self._seconds[block]) for block in task.blocks)
            heapq.heappush(self._events, (ends, next(self._numbers), worker, task, done))

    def _receipt(self, task: Task, block: int) -> Receipt:
        return Receipt(task.model, block, "0" * 16, {"done": 1}, float(self._seconds[block]))
