"""Run blocks here, one by one: the truth, and the test double of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from delocal.physics.model import CancelToken, never
from delocal.workers.block import Task, run_block, run_task
from delocal.workers.plan import Part, Plan
from delocal.workers.store import Receipt, SweepStore

Outcome = list[Receipt] | BaseException
Done = Callable[[Task, Outcome], None]


class ClusterLost(OSError):
    """The cluster went away or is not there: no fault of the task, which is run again."""


class Executor(Protocol):
    """What can run tasks: `done(task, outcome)` is called once for each, from any thread."""

    @property
    def slots(self) -> int:
        """How many tasks run at a time; ClusterLost if nobody can tell."""

    @property
    def description(self) -> str:
        """Where tasks run, in words."""

    def submit(self, task: Task, done: Done) -> None:
        """Start a task; ClusterLost if there is nobody to send it to."""

    def cancel(self, root: str) -> None:
        """Ask every task of the store at `root` to end soon, with the receipts that it has."""

    def shorten(self, root: str) -> None:
        """Ask every task of the store at `root` to end after one more block."""

    def close(self) -> None:
        """Stop; tasks that still run are given up."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What a task was asked to do, while it runs."""

    to_end: threading.Event = field(default_factory=threading.Event)
    to_shorten: threading.Event = field(default_factory=threading.Event)


class LocalExecutor:
    """Runs tasks one after the other in a thread of this process."""

    slots = 1
    description = "this process"

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blocks")
        self._asked: dict[str, list[Asked]] = {}
        self._lock = threading.Lock()

    def submit(self, task: Task, done: Done) -> None:
        """Queue a task."""
        asked = Asked()
        with self._lock:
            self._asked.setdefault(task.root, []).append(asked)

        def run() -> None:
            outcome = outcome_of(task, asked.to_end.is_set, asked.to_shorten.is_set)
            with self._lock:
                self._asked[task.root].remove(asked)
            done(task, outcome)

        self._pool.submit(run)

    def cancel(self, root: str) -> None:
        """Ask every task of the store at `root` to end soon."""
        with self._lock:
            for asked in self._asked.get(root, ()):
                asked.to_end.set()

    def shorten(self, root: str) -> None:
        """Ask every task of the store at `root` to end after one more block."""
        with self._lock:
            for asked in self._asked.get(root, ()):
                asked.to_shorten.set()

    def close(self) -> None:
        """Stop after the task that runs; queued ones are given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def outcome_of(task: Task, cancelled: CancelToken = never, enough: CancelToken = never) -> Outcome:
    """Run a task here and now; a failure is an outcome."""
    try:
        return run_task(task, cancelled, enough)
    except Exception as error:
        return error


def run_plan(
    plan: Plan, root: str | Path, progress: Callable[[Receipt], None] | None = None
) -> SweepStore:
    """Compute a whole sweep in this process; blocks that `root` holds already are kept."""
    store = SweepStore(root)
    store.create(plan)
    if store.plan.digest != plan.digest:
        raise ValueError(f"{root} holds another sweep; choose an empty folder")
    for part in plan.parts:
        for block in part.blocks if part.role != "replicas" else ():
            receipt = _run_with_replicas(store, part, block)
            if progress is not None:
                progress(receipt)
    store.remove_leftovers()
    return store


def _run_with_replicas(store: SweepStore, part: Part, block: int) -> Receipt:
    """Run a block; for a summary first its replicas, and more of them while it is unfinished."""
    if part.role != "summary":
        return run_block(store, part.name, block)
    replicas = store.plan.replicas_of(part)
    for batches in replicas.rounds():
        for batch in batches:
            run_block(store, replicas.name, block * replicas.batches + batch)
        receipt = run_block(store, part.name, block)
        if not receipt.unfinished:
            break
    return receipt
