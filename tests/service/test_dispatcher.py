"""The dispatcher against executors that fail, crash and race."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from delocal.service import dispatcher as dispatching
from delocal.service.dispatcher import TASKS_PER_SLOT, Dispatcher
from delocal.service.ledger import Lease
from delocal.service.request import SweepRequest
from delocal.service.states import Priority, SweepState
from delocal.workers.block import Task, run_block, run_task
from delocal.workers.careful import WorkerDied
from delocal.workers.local import ClusterLost, LocalExecutor, run_plan
from delocal.workers.store import Receipt
from tests.service.conftest import enter, wait
from tests.waiting import PATIENCE, eventually


def plan(t=0.02, cells=40, block_cells=5):
    content = {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, cells]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1, "t": t},
    }
    return SweepRequest.parse(content).plan(block_cells=block_cells)


@pytest.fixture
def start(ledger, tmp_path):
    started = []

    def _start(executor):
        dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
        dispatcher.start()
        started.append(dispatcher)
        return dispatcher

    yield _start
    for dispatcher in started:
        dispatcher.stop()


class ThreadExecutor:
    """Runs each task in a thread of its own; counts how many there are at a time."""

    slots = 2
    description = "threads"

    def __init__(self, run=run_task):
        self.run, self.running, self.most, self.tasks = run, 0, 0, []
        self.shortened = []
        self.lock = threading.Lock()

    def submit(self, task, done):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.tasks.append(task)

        def work():
            try:
                outcome = self.run(task)
            except Exception as error:
                outcome = error
            with self.lock:
                self.running -= 1
            done(task, outcome)

        threading.Thread(target=work).start()

    def cancel(self, root):
        pass

    def shorten(self, root):
        self.shortened.append(root)

    def close(self):
        pass


def test_a_sweep_is_computed_to_the_bytes_of_the_local_run(ledger, tmp_path, start):
    store = enter(ledger, tmp_path, plan())
    start(LocalExecutor())
    assert wait(ledger, plan().sweep_id).state == SweepState.DONE
    reference = run_plan(plan(), tmp_path / "reference").open_model("scaling").load()
    found = store.open_model("scaling").load()
    assert {n: v.values.tobytes() for n, v in found.data_vars.items()} == {
        n: v.values.tobytes() for n, v in reference.data_vars.items()
    }


def test_what_is_in_flight_is_bounded(ledger, tmp_path, start):
    enter(ledger, tmp_path, plan(cells=200, block_cells=2))
    executor = ThreadExecutor(lambda task: (time.sleep(0.005), run_task(task))[1])
    start(executor)
    wait(ledger, plan(cells=200, block_cells=2).sweep_id)
    assert 1 < executor.most <= TASKS_PER_SLOT * executor.slots


def test_a_task_that_fails_once_is_tried_again_block_by_block(ledger, tmp_path, start):
    seen = set()

    def fail_first(task):
        if not seen & set(task.blocks):
            seen.update(task.blocks)
            raise OSError("the disk hiccuped")
        return run_task(task)

    executor = ThreadExecutor(fail_first)
    enter(ledger, tmp_path, plan())
    start(executor)
    sweep = wait(ledger, plan().sweep_id)
    assert (sweep.state, sweep.counts) == (SweepState.DONE, {"done": 40})
    again = executor.tasks[-8:]  # every block failed once, then came alone
    assert sorted(task.blocks for task in again) == [(b,) for b in range(8)]


def test_a_poison_block_is_stored_as_failed_and_its_neighbours_are_done(ledger, tmp_path, start):
    def poisoned(task):
        if 3 in task.blocks:
            raise RuntimeError("killed worker")
        return run_task(task)

    store = enter(ledger, tmp_path, plan())
    executor = ThreadExecutor(poisoned)
    start(executor)
    sweep = wait(ledger, plan().sweep_id)
    assert sweep.state == SweepState.FAILED
    assert sweep.counts == {"done": 35, "failed": 5}
    assert sum(3 in task.blocks for task in executor.tasks) == dispatching.ATTEMPTS
    ds = store.open_model("scaling").load()
    assert (ds.status.values[15:20] == 4).all()
    assert ds.kappa_sd.isnull().values.tolist() == [15 <= i < 20 for i in range(40)]
    assert "killed worker" in ledger.failures(sweep.id)[0]["error"]


def test_two_dispatchers_on_one_ledger_do_each_block_once(ledger, tmp_path, start):
    sweep = plan(cells=200, block_cells=2)
    enter(ledger, tmp_path, sweep)
    executors = [ThreadExecutor(), ThreadExecutor()]
    for executor in executors:
        start(executor)
    wait(ledger, sweep.sweep_id)
    done = [block for e in executors for task in e.tasks for block in task.blocks]
    assert sorted(done) == list(range(100))


def test_a_small_sweep_does_not_wait_for_a_large_one(ledger, tmp_path, start):
    large, small = plan(cells=300, block_cells=1), plan(t=0.03)
    enter(ledger, tmp_path, large)
    hurry = threading.Event()

    def slowly(task):  # the large one takes half a minute, unless somebody is in a hurry
        if task.digest == large.digest:
            hurry.wait(0.4 * len(task.blocks))
        return [replace(receipt, seconds=0.2) for receipt in run_task(task)]

    start(ThreadExecutor(slowly))
    eventually(lambda: ledger.sweep(large.sweep_id).blocks_done)
    enter(ledger, tmp_path, small)
    wait(ledger, small.sweep_id)
    assert not ledger.sweep(large.sweep_id).state.ended
    hurry.set()
    wait(ledger, large.sweep_id)


def test_a_task_that_ends_late_does_not_touch_the_next_lease_of_its_blocks(ledger, tmp_path):
    one = plan(cells=4, block_cells=1)
    store = enter(ledger, tmp_path, one)
    executor = ThreadExecutor()
    executor.submit = lambda task, done: executor.tasks.append((task, done))  # never ends
    dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
    dispatcher._fill()
    late = list(executor.tasks)
    ledger.cancel(one.sweep_id)
    assert ledger.retry(store.plan)
    dispatcher._in_flight.clear()
    dispatcher._fill()
    assert len(executor.tasks) == 2 * len(late)
    for task, done in late:
        done(task, [])  # cancelled, as it was asked to
    dispatcher._settle_finished()
    assert ledger.lease(one.sweep_id, "another", 4, 60) is None  # all are held
    dispatcher.stop()


def test_an_outcome_that_can_never_be_recorded_stops_nobody_else(
    ledger, tmp_path, start, monkeypatch
):
    bad, good = plan(), plan(t=0.03)
    record = ledger.record

    def refuse(plan, *arguments):
        if plan.sweep_id == bad.sweep_id:
            raise ValueError("no database takes this")
        record(plan, *arguments)

    monkeypatch.setattr(ledger, "record", refuse)
    enter(ledger, tmp_path, bad)
    start(ThreadExecutor())
    enter(ledger, tmp_path, good)
    assert wait(ledger, good.sweep_id).state == SweepState.DONE
    assert wait(ledger, bad.sweep_id).state == SweepState.FAILED


def test_the_outcome_of_a_sweep_that_is_gone_is_dropped(ledger, tmp_path, start):
    gone, good = plan(), plan(t=0.03)
    dispatcher = Dispatcher(ledger, ThreadExecutor(), tmp_path / "sweeps")
    lease = Lease(gone.sweep_id, "scaling", (0,), "somebody")
    dispatcher._settle_or_keep(lease, [])
    assert not dispatcher._kept
    enter(ledger, tmp_path, good)
    start(ThreadExecutor())
    assert wait(ledger, good.sweep_id).state == SweepState.DONE


def test_a_stop_costs_no_attempt(ledger, tmp_path):
    one = plan()
    enter(ledger, tmp_path, one)
    for _ in range(2 * dispatching.ATTEMPTS):
        executor = ThreadExecutor()
        executor.submit = lambda task, done: None
        dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
        dispatcher._fill()
        dispatcher.stop()
    assert ledger.attempts(one.sweep_id, "scaling", 0) == 0


def test_a_new_sweep_shortens_the_tasks_of_others_once(ledger, tmp_path):
    large, small = plan(cells=300, block_cells=1), plan(t=0.03)
    enter(ledger, tmp_path, large)
    executor = ThreadExecutor()
    executor.submit = lambda task, done: executor.tasks.append(task)  # which never ends
    dispatcher = Dispatcher(ledger, executor, tmp_path / "sweeps")
    dispatcher._fill()
    assert len(executor.tasks) == TASKS_PER_SLOT * executor.slots
    assert executor.shortened == []
    enter(ledger, tmp_path, small)
    for _ in range(3):
        dispatcher._fill()
    assert executor.shortened == [str(tmp_path / "sweeps" / large.sweep_id)]
    dispatcher.stop()


def test_tasks_are_shorter_the_more_sweeps_there_are(ledger, tmp_path, start):
    plans = [plan(t=t, cells=300, block_cells=1) for t in (0.01, 0.03)]
    for one in plans:
        enter(ledger, tmp_path, one)

    def slowly(task):
        return [replace(receipt, seconds=0.05) for receipt in run_task(task)]

    executor = ThreadExecutor(slowly)
    start(executor)
    for one in plans:
        wait(ledger, one.sweep_id)
    sizes = [len(task.blocks) for task in executor.tasks]
    assert max(sizes[:20]) == 5  # a quarter of a second: half of TASK_SECONDS


def test_a_restart_takes_up_what_the_dead_service_left(ledger, tmp_path, start, monkeypatch):
    sweep = plan()
    store = enter(ledger, tmp_path, sweep)
    lease = ledger.lease(sweep.sweep_id, "dead", 4, 0.5)
    assert lease.blocks == (0, 1, 2, 3)
    stored = run_block(store, "scaling", 0)  # written, but the service died before recording it
    leftover = store.zarr_path / "scaling" / "kappa_sd" / "c.3.0123abcd.partial"
    leftover.write_bytes(b"half")
    start(LocalExecutor())
    assert wait(ledger, sweep.sweep_id).state == SweepState.DONE
    assert ledger.checksums(sweep.sweep_id)["scaling", 0] == stored.checksum
    eventually(lambda: not leftover.exists())  # what the dead service was writing


def test_a_locked_ledger_does_not_kill_the_dispatcher(ledger, tmp_path, start, monkeypatch):
    enter(ledger, tmp_path, plan())
    broken = {"left": 2}
    active = ledger.active

    def sometimes():
        if broken["left"]:
            broken["left"] -= 1
            raise OSError("database is locked")
        return active()

    monkeypatch.setattr(ledger, "active", sometimes)
    start(LocalExecutor())
    assert wait(ledger, plan().sweep_id).state == SweepState.DONE
    assert broken["left"] == 0


def test_an_outcome_that_the_ledger_did_not_take_is_settled_later(
    ledger, tmp_path, start, monkeypatch
):
    enter(ledger, tmp_path, plan())
    record, failed = ledger.record, []

    def once_broken(*arguments):
        if not failed:
            failed.append(arguments)
            raise OSError("database is locked")
        record(*arguments)

    monkeypatch.setattr(ledger, "record", once_broken)
    executor = ThreadExecutor()
    start(executor)
    assert wait(ledger, plan().sweep_id).state == SweepState.DONE
    assert failed
    done = [block for task in executor.tasks for block in task.blocks]
    assert sorted(done) == list(range(8))  # nothing was computed twice


def test_a_cluster_that_is_away_costs_nothing_but_time(ledger, tmp_path, start):
    class Away(ThreadExecutor):
        away = 5  # more often than a block may be at fault

        def submit(self, task, done):
            if self.away:
                self.away -= 1
                raise ClusterLost("nobody answers")
            super().submit(task, done)

    enter(ledger, tmp_path, plan())
    start(Away())
    sweep = wait(ledger, plan().sweep_id)
    assert (sweep.state, sweep.counts) == (SweepState.DONE, {"done": 40})


def test_a_cluster_that_is_lost_while_blocks_are_chosen_fails_no_sweep(ledger, tmp_path, start):
    class Asked(ThreadExecutor):
        calls = 0

        @property
        def slots(self):
            self.calls += 1
            if self.calls % 3 == 0:
                raise ClusterLost("gone")
            return 1

    enter(ledger, tmp_path, plan())
    start(Asked())
    assert wait(ledger, plan().sweep_id).state == SweepState.DONE


def test_stopping_gives_what_is_in_flight_to_the_next_service(ledger, tmp_path, start, monkeypatch):
    monkeypatch.setattr(dispatching, "LEASE_SECONDS", 3600.0)  # none runs out here
    enter(ledger, tmp_path, plan())
    release = threading.Event()
    first = start(ThreadExecutor(lambda task: (release.wait(PATIENCE), run_task(task))[1]))
    eventually(lambda: ledger.sweep(plan().sweep_id).state == SweepState.RUNNING)
    first.stop()
    start(LocalExecutor())
    wait(ledger, plan().sweep_id)
    release.set()


def test_a_sweep_of_a_model_that_is_gone_fails_with_the_reason(ledger, tmp_path, start):
    store = enter(ledger, tmp_path, plan())
    path = store.root / "plan.json"
    path.write_text(path.read_text().replace('"version": "1"', '"version": "0"'))
    start(LocalExecutor())
    assert wait(ledger, plan().sweep_id).state == SweepState.FAILED
    event = next(e for e in ledger.events(plan().sweep_id) if e.kind == "cannot_run")
    assert "needs model 'scaling' version 0" in event.data["error"]


def test_tasks_take_about_half_a_second_and_leave_work_for_every_slot(ledger, tmp_path):
    sweep = plan(cells=1000, block_cells=10)
    enter(ledger, tmp_path, sweep)
    dispatcher = Dispatcher(ledger, ThreadExecutor(), tmp_path / "sweeps")
    assert len(sweep.parts[0].blocks) == 125
    assert dispatcher._blocks_per_task(sweep) == 1  # nobody knows what it costs
    other = plan(t=0.05, cells=1000, block_cells=10)
    enter(ledger, tmp_path, other)
    lease = ledger.lease(other.sweep_id, dispatcher.owner, 1, 60)
    root = str(dispatcher.store(other.sweep_id).root)
    found = run_task(Task(root, other.digest, "scaling", lease.blocks))
    cheap = [replace(receipt, seconds=1e-3) for receipt in found]
    ledger.record(other, dispatcher.owner, "scaling", cheap)
    assert dispatcher._blocks_per_task(sweep) == 32  # cheap: a quarter for each of 2 slots
    lease = ledger.lease(sweep.sweep_id, dispatcher.owner, 1, 60)
    root = str(dispatcher.store(sweep.sweep_id).root)
    receipts = run_task(Task(root, sweep.digest, "scaling", lease.blocks))
    slow = [Receipt(r.model, r.block, r.checksum, r.counts, 0.2) for r in receipts]
    ledger.record(sweep, dispatcher.owner, "scaling", slow)
    assert dispatcher._blocks_per_task(sweep) == 2  # 0.2 s a block: two make half a second


def test_a_poisoned_cell_fails_alone(ledger, tmp_path, start):
    """Whoever evaluates T number 7 dies; blocks of five cells, of which four are unharmed."""
    deadly = plan().part("scaling").grid.point((7,))["T"]

    def die(task):
        if task.careful:
            return careful_until_death(task, deadly)
        cells = {int(b) * 5 + i for b in task.blocks for i in range(5)}
        if 7 in cells:
            raise WorkerDied("signal 9")
        return run_task(task)

    store = enter(ledger, tmp_path, plan())
    start(ThreadExecutor(die))
    sweep = wait(ledger, plan().sweep_id)
    assert sweep.counts == {"done": 39, "failed": 1}
    assert sweep.state == SweepState.DONE
    [failure] = ledger.failures(plan().sweep_id)
    assert failure["parameters"]["T"] == deadly
    assert "WorkerDied" in failure["error"]
    assert np.isfinite(store.open_model("scaling").R1.values).sum() == 39


def careful_until_death(task, deadly):
    """Run a careful task; at the deadly cell leave the journal as a dead process does."""
    from delocal.workers import block as blocks

    whole = blocks._cell_by_cell

    def watched(model, part, layout, mesh, wanted, *rest):
        def until():
            for cell in wanted:
                if np.ravel(mesh["T"])[cell[0]] == deadly:
                    raise WorkerDied("signal 9")
                yield cell

        return whole(model, part, layout, mesh, until(), *rest)

    blocks._cell_by_cell, tidy = watched, blocks.Journal.__exit__
    blocks.Journal.__exit__ = lambda self, kind, *_: tidy(self, kind) if kind is None else None
    try:
        return run_task(task)
    finally:
        blocks._cell_by_cell, blocks.Journal.__exit__ = whole, tidy


def test_turns_follow_the_priority(ledger, tmp_path, start, monkeypatch):
    monkeypatch.setattr(Dispatcher, "_blocks_per_task", lambda self, plan, share: 1)
    plans = {Priority.HIGH: plan(t=0.01, cells=400), Priority.LOW: plan(t=0.03, cells=400)}
    for priority, one in plans.items():
        enter(ledger, tmp_path, one, priority=priority)
    executor = ThreadExecutor(lambda task: (time.sleep(0.002), run_task(task))[1])
    executor.slots = 1
    start(executor)
    for one in plans.values():
        wait(ledger, one.sweep_id)
    first = [task.digest for task in executor.tasks[:60]]
    assert first.count(plans[Priority.HIGH].digest) == pytest.approx(54, abs=4)  # 9 of 10
    assert first.count(plans[Priority.LOW].digest) >= 3  # and nobody starves
