"""The dispatcher: lease -> submit -> renew -> record, with a bounded number in flight."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

import structlog

from delocal.service.database import may_pass
from delocal.service.ledger import Lease, Ledger
from delocal.service.room import pause, resume
from delocal.service.states import Priority
from delocal.workers.block import Task, store_failed_block
from delocal.workers.careful import WorkerDied
from delocal.workers.evaluated import failure_of
from delocal.workers.local import ClusterLost, Executor, Outcome
from delocal.workers.plan import Plan, model_of
from delocal.workers.storage import unavailable, within
from delocal.workers.store import Receipt, SweepStore

log = structlog.get_logger()

TASK_SECONDS = 0.5  # a task this long hides what Dask costs, and is not much to lose
TASKS_PER_SLOT = 2  # in flight: enough to keep a worker busy, few enough to stay fair
ATTEMPTS = 3  # then a block is stored as failed, or, if it kills workers, gone through with care
POISONED = 10  # cells of a block that may each kill a worker before it is given up
LEASE_SECONDS = 10.0  # after a crash, another service waits this long
RENEW_SECONDS = 2.0
STOP_SECONDS = 10.0  # for the step at hand to end
LOOK_SECONDS = 1.0  # between two looks for what others entered
SOON_SECONDS = 0.25  # between two looks for a cluster to which nothing could be sent
PAUSE_SECONDS = 5.0  # a disk that was full is looked at again
STORES_KEPT = 256  # plans kept in memory, each with its axes


class _Kept(NamedTuple):
    """A store, and what it was the store of: see `SweepStore.version`."""

    store: SweepStore
    version: str


class Dispatcher:
    """Feeds one executor from the ledger, in a thread of its own.

    Several sweeps take turns, task by task, so that a small one is not kept waiting by a large
    one. Nothing is known only here: whatever is in flight when the process dies is leased in
    the ledger, and is taken up again when the lease runs out.
    """

    def __init__(
        self,
        ledger: Ledger,
        executor: Executor,
        place: str | Path,
        count_blocks: Callable[[Sequence[Receipt]], None] = lambda receipts: None,
    ) -> None:
        self.owner = uuid.uuid4().hex
        self._count_blocks = count_blocks
        self._ledger = ledger
        self._executor = executor
        self._place = place
        self._stores: dict[str, _Kept] = {}
        self._looked_at: set[str] = set()  # sweeps at work whose store is the one in its place
        self._outcomes: queue.Queue[tuple[Lease, Outcome] | None] = queue.Queue()
        self._in_flight: Counter[str] = Counter()  # tasks by sweep
        self._leases = count()
        self._kept: list[tuple[Lease, Outcome]] = []  # what the ledger could not take so far
        self._again = 0.0  # when it is asked once more
        self._paused: dict[str, float] = {}  # sweeps without room: when to look again
        self._told: set[str] = set()  # sweeps whose tasks were asked to end
        self._renewed = 0.0
        self._turn: deque[str] = deque()
        self._known: frozenset[str] = frozenset()  # sweeps that were active at the last look
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Start to work."""
        self.wake()
        self._thread.start()

    def wake(self) -> None:
        """Look for work now rather than within a second."""
        self._outcomes.put(None)

    def stop(self) -> None:
        """Stop; what is in flight is given back, for the next service to take up."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        try:
            self._ledger.release_all(self.owner)
        except Exception as error:
            if not may_pass(error):
                raise
            log.warning("leases not given back; they run out", error=str(error))

    @property
    def alive(self) -> bool:
        """Whether somebody feeds the executor."""
        return self._thread.is_alive()

    @property
    def in_flight(self) -> int:
        """How many tasks are with the executor."""
        return self._in_flight.total()

    def store(self, sweep_id: str) -> SweepStore:
        """Return the store of a sweep, whether there is one or not."""
        return self.existing(sweep_id) or self._place_of(sweep_id)

    def existing(self, sweep_id: str) -> SweepStore | None:
        """Return the store of a sweep, or None; one that was removed and made anew is another."""
        kept = self._stores.pop(sweep_id, None)
        store = kept.store if kept else self._place_of(sweep_id)
        version = store.version
        if version is None:
            return None
        if kept is not None and kept.version != version:
            store = self._place_of(sweep_id)
        if len(self._stores) >= STORES_KEPT:
            self._stores.pop(next(iter(self._stores)), None)
        self._stores[sweep_id] = _Kept(store, version)
        return store

    def _place_of(self, sweep_id: str) -> SweepStore:
        return SweepStore(within(self._place, sweep_id), partial(self._ledger.is_done, sweep_id))

    def _store(self, sweep_id: str) -> SweepStore:
        """Return the store of a sweep at work, as it was when the sweep came.

        It cannot be removed before it has ended, and in a bucket every look takes a while.
        """
        kept = self._stores.get(sweep_id)
        if kept is not None and sweep_id in self._looked_at:
            return kept.store
        store = self.store(sweep_id)
        self._looked_at.add(sweep_id)
        return store

    def forget(self, sweep_id: str) -> None:
        """Forget a store that is no longer in its place."""
        self._stores.pop(sweep_id, None)

    def settle(self, lease: Lease, outcome: Outcome) -> None:
        """Enter what became of a task into the ledger."""
        ids = {"sweep": lease.sweep_id, "model": lease.model, "blocks": list(lease.blocks)}
        with structlog.contextvars.bound_contextvars(**ids):
            self._settle(lease, outcome)

    def _settle(self, lease: Lease, outcome: Outcome) -> None:
        if isinstance(outcome, BaseException):
            self._settle_failure(lease, outcome)
            return
        plan = self._store(lease.sweep_id).plan
        self._ledger.record(plan, lease.owner, lease.model, outcome)
        self._count_blocks(outcome)
        log.debug("task done", seconds=round(sum(r.seconds for r in outcome), 3))
        for block in set(lease.blocks) - {receipt.block for receipt in outcome}:  # cancelled
            self._ledger.release(lease.sweep_id, lease.owner, lease.model, block, counts=False)
        record = self._ledger.sweep(lease.sweep_id)
        if outcome:
            self._paused.pop(lease.sweep_id, None)
        if outcome and record is not None and record.paused:
            resume(self._ledger, lease.sweep_id)
        if record is not None and record.state.ended:
            log.info("sweep ended", state=record.state, core_seconds=round(record.seconds, 3))
            self._store(lease.sweep_id).remove_leftovers()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except ClusterLost as error:
                log.warning("no cluster; trying again", error=str(error))
                self._stopping.wait(SOON_SECONDS)
            except Exception as error:
                # The ledger may be locked or its disk full for a while; nothing is lost by waiting.
                if may_pass(error):
                    log.warning("place or database away; trying again", error=str(error))
                else:
                    log.exception("dispatcher step failed; trying again")
                self._stopping.wait(LOOK_SECONDS)

    def _step(self) -> None:
        self._settle_finished()
        if self._in_flight and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._ledger.renew(self.owner, LEASE_SECONDS)
            self._renewed = time.monotonic()
        self._fill()

    def _settle_finished(self) -> None:
        """Wait a while for a task to finish or a call to `wake`; settle what has."""
        if self._kept and time.monotonic() > self._again:
            for kept in self._kept:
                self._outcomes.put(kept)
            self._kept.clear()
        no_cluster = self._known and not self._in_flight
        try:
            finished = self._outcomes.get(timeout=SOON_SECONDS if no_cluster else LOOK_SECONDS)
            while True:
                if finished is not None:
                    self._settle_or_keep(*finished)
                finished = self._outcomes.get_nowait()
        except queue.Empty:
            pass

    def _settle_or_keep(self, lease: Lease, outcome: Outcome) -> None:
        try:
            self.settle(lease, outcome)
        except Exception as error:
            if may_pass(error) and self._is_there(lease.sweep_id):
                log.warning("outcome not recorded; trying again", error=str(error))
                self._kept.append((lease, outcome))
                self._again = time.monotonic() + 1.0
                return
            log.exception("the outcome of a task cannot be recorded")
            self._give_back(lease, error)
        self._in_flight -= Counter([lease.sweep_id])

    def _is_there(self, sweep_id: str) -> bool:
        """Whether a sweep was not purged; one of which nothing can be learned is there."""
        try:
            return self._ledger.sweep(sweep_id) is not None
        except Exception as error:
            if may_pass(error):
                return True
            raise

    def _give_back(self, lease: Lease, error: Exception) -> None:
        """Treat a task whose outcome cannot be recorded as failed; other sweeps go on."""
        try:
            if self._is_there(lease.sweep_id):
                self._settle_failure(lease, error)
        except Exception:
            log.exception("its blocks wait until their lease runs out")

    def _fill(self) -> None:
        """Submit tasks until the window is full or no sweep wants more."""
        active = self._ledger.active()
        self._looked_at &= active.keys()
        self._end_unwanted(active)
        self._make_room(active)
        self._turn = deque([s for s in self._turn if s in active])
        self._turn.extendleft(s for s in active if s not in self._turn)  # new ones come first
        window = TASKS_PER_SLOT * self._executor.slots if active else 0
        while self._turn and self.in_flight < window and not self._stopping.is_set():
            sweep_id = self._turn.popleft()
            if all(self._submit_one(sweep_id) for _ in range(self._turns(active, sweep_id))):
                self._turn.append(sweep_id)

    def _turns(self, active: Mapping[str, Priority], sweep_id: str) -> int:
        """Return how many tasks a sweep may submit in its turn: all it likes if it is alone."""
        least = min(priority.turns for priority in active.values())
        return max(1, active[sweep_id].turns // least) if len(active) > 1 else 1

    def _end_unwanted(self, active: Collection[str]) -> None:
        """Ask tasks to end whose sweep was cancelled, by whichever service."""
        unwanted = self._in_flight.keys() - set(active)
        for sweep_id in unwanted - self._told:
            self._executor.cancel(self._store(sweep_id).location)
        self._told = unwanted

    def _make_room(self, active: Collection[str]) -> None:
        """Shorten the tasks of others where a sweep is new: a task may have half a second to go."""
        known, self._known = self._known, frozenset(active)
        if self._known - known:
            for sweep_id in self._known.intersection(self._in_flight):
                self._executor.shorten(self._store(sweep_id).location)

    def _has_room(self, sweep_id: str) -> bool:
        """Whether blocks of a sweep can be stored; after a pause one task must show it first."""
        again = self._paused.get(sweep_id)
        if again is None:
            return True
        if time.monotonic() < again or self._in_flight[sweep_id]:
            return False
        self._paused[sweep_id] = time.monotonic() + PAUSE_SECONDS
        return SweepStore(within(self._place, sweep_id)).has_room()

    def _wait(self, sweep_id: str, reason: str) -> None:
        """Let a sweep rest until its place can be written again."""
        self._paused[sweep_id] = time.monotonic() + PAUSE_SECONDS
        pause(self._ledger, sweep_id, reason)

    def _submit_one(self, sweep_id: str) -> bool:
        if not self._has_room(sweep_id):
            return False
        try:
            plan = self._store(sweep_id).plan
            for part in plan.parts:
                model_of(part)  # ValueError if this installation has another version
        except (ValueError, KeyError, FileNotFoundError) as error:
            log.error("sweep cannot be run", sweep=sweep_id, error=str(error))
            self._ledger.fail(sweep_id, str(error))
            return False
        except OSError as error:  # the disk or the bucket is away: that ends no sweep
            log.warning("sweep cannot be read; trying again", sweep=sweep_id, error=str(error))
            self._wait(sweep_id, str(error))
            return False
        number = self._blocks_per_task(plan, share=1 / len(self._known))
        # A name for each lease: a task that ends late must not settle the next lease of its blocks.
        owner = f"{self.owner}:{next(self._leases)}"
        lease = self._ledger.lease(sweep_id, owner, number, LEASE_SECONDS)
        if lease is None:
            return False
        self._in_flight[sweep_id] += 1
        try:
            root = self._store(sweep_id).location
            careful = lease.attempt > ATTEMPTS
            task = Task(root, plan.digest, lease.model, lease.blocks, careful)
            self._executor.submit(task, lambda _, outcome: self._outcomes.put((lease, outcome)))
        except Exception as error:  # it was not sent: the blocks go back
            self._outcomes.put((lease, error))
            raise
        return True

    def _blocks_per_task(self, plan: Plan, share: float = 1.0) -> int:
        """Return how many blocks take a `share` of `TASK_SECONDS`, leaving some for every worker.

        The more sweeps take turns, the shorter they are.
        """
        record = self._ledger.sweep(plan.sweep_id)
        done, left = (record.blocks_done, record.blocks - record.blocks_done) if record else (0, 1)
        if record and done:  # what its own blocks cost says more than any other sweep
            seconds: float | None = record.seconds / done
        else:
            seconds = self._seconds_per_block(plan)
        if seconds is None:
            return 1  # nobody knows yet
        most = -(-left // (2 * max(1, self._executor.slots)))
        return max(1, min(round(share * TASK_SECONDS / max(seconds, 1e-6)), most))

    def _seconds_per_block(self, plan: Plan) -> float | None:
        """Return what the dearest blocks cost in other sweeps; None for a model new here."""
        found = []
        for part in plan.parts:
            if part.role != "summary":
                cell = self._ledger.seconds_per_cell(part.model, part.version)
                if cell is None:
                    return None
                found.append(cell * part.evaluations * part.grid.size / len(part.blocks))
        return max(found)

    def _settle_failure(self, lease: Lease, error: BaseException) -> None:
        """Give the blocks of a failed task back; one that failed too often is stored as failed."""
        what = failure_of(error)["error"]
        log.warning("task failed", error=what)
        if waits := unavailable(error):
            self._wait(lease.sweep_id, what)
        most = ATTEMPTS + (POISONED if isinstance(error, WorkerDied) else 0)
        blameless = waits or isinstance(error, ClusterLost)
        for block in lease.blocks:
            tried = 0 if blameless else self._ledger.attempts(lease.sweep_id, lease.model, block)
            if tried >= most:
                receipt = self._failed_receipt(lease, block, error)
                plan = self._store(lease.sweep_id).plan
                self._ledger.give_up(plan, lease.owner, receipt, what)
            else:
                self._ledger.release(
                    lease.sweep_id, lease.owner, lease.model, block, counts=not blameless
                )

    def _failed_receipt(self, lease: Lease, block: int, error: BaseException) -> Receipt:
        try:
            return store_failed_block(self._store(lease.sweep_id), lease.model, block, error)
        except Exception as also:  # not even that could be stored: the ledger keeps the reasons
            failures = (failure_of(error), failure_of(also))
            return Receipt(lease.model, block, "", {}, 0.0, failures)
