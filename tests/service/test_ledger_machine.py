"""Whatever happens in whatever order, the ledger has each block done once and loses none."""

import itertools
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from delocal.service.ledger import Lease, Ledger, totals
from delocal.service.request import SweepRequest
from delocal.service.states import BLOCK_MOVES, MOVES, SETTLED, BlockState, SweepState
from delocal.service.tables import blocks, tables
from delocal.workers.store import Receipt

POWERS = {"d": 2, "alpha": 3, "beta": 3, "W": 1}
SAMPLING = {"replicas": 2, "max_replicas": 12, "target_rel_error": 0.1}


def plan_of(model, temperatures, **more):
    content = {"models": [model], "axes": {"T": temperatures}, "fixed": POWERS, **more}
    return SweepRequest.parse(content).plan(block_cells=2)


PLAIN = plan_of("scaling", [0.1, 0.2, 0.3, 0.4, 0.5])
LONGER = plan_of("scaling", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])  # PLAIN, extended
SAMPLED = plan_of("network", [0.1, 0.2, 0.3, 0.4], sampling=SAMPLING)
SERVICES = ["one", "two"]
ATTEMPTS = 3
LATER, PAST = 3600.0, -3600.0  # leases end when a rule says so, not while a test is slow
FAILURE = {"cell": None, "parameters": {}, "error": "raised", "traceback": ""}


@dataclass(frozen=True)
class Held:
    """A lease, and the service that holds it."""

    lease: Lease
    service: str


services = st.sampled_from(SERVICES)
few = st.sets(st.integers(0, 19), max_size=2)  # blocks


class Interleaving(RuleBasedStateMachine):
    """Two services that lease, lose and report the blocks of three sweeps, in any order."""

    leases = Bundle("leases")

    def __init__(self, ledger):
        super().__init__()
        self.wanted = []  # batches of replicas, by summary
        self.ledger = ledger
        with ledger.writing() as db:
            for table in reversed(tables.sorted_tables):
                db.execute(table.delete())
        self.names = itertools.count()
        self.entered = {}
        self.states = {}  # of every block, after the rule before this one
        self.written = {}  # what lies in the store: the receipt of each block

    @initialize(wanted=st.lists(st.integers(1, 7), min_size=2, max_size=2))
    def some_cells_want_more_replicas(self, wanted):
        self.wanted = wanted
        self.ledger.add(SAMPLED, name="", tags=[], request={})
        self.entered[SAMPLED.sweep_id] = SAMPLED

    @rule(plan=st.sampled_from([PLAIN, LONGER, SAMPLED]))
    def submit(self, plan):
        new = self.ledger.add(plan, name="", tags=[], request={})
        assert new == (plan.sweep_id not in self.entered)
        self.entered[plan.sweep_id] = plan

    @rule(target=leases, service=services, limit=st.integers(1, 9), data=st.data())
    def lease(self, service, limit, data):
        return self.take(self.any_sweep(data), service, limit)

    @rule(target=leases, held=leases, service=services)
    def lease_runs_out_and_another_takes_over(self, held, service):
        self.ledger.renew(held.lease.owner, PAST)
        return self.take(self.entered[held.lease.sweep_id], service, 9)

    @rule(held=leases, raises=few, left=few)
    def report(self, held, raises, left):
        """A task ends: on time, late, twice; some of its blocks may be left."""
        lease = held.lease
        done = set(lease.blocks) - left
        receipts = [self.compute(lease, block, block in raises) for block in done]
        plan = self.entered[lease.sweep_id]
        before = self.rows()
        self.ledger.record(plan, lease.owner, lease.model, receipts)
        after = self.rows()
        for key in [(lease.sweep_id, lease.model, block) for block in done]:
            if before[key].owner != lease.owner:  # lost meanwhile: too late
                assert after[key] == before[key]
        for block in left.intersection(lease.blocks):
            self.ledger.release(lease.sweep_id, lease.owner, lease.model, block, counts=False)

    @rule(held=consumes(leases))
    def worker_dies(self, held):
        lease = held.lease
        for block in lease.blocks:
            if self.ledger.attempts(lease.sweep_id, lease.model, block) >= ATTEMPTS:
                counts = (
                    {}
                    if lease.model.endswith("_replicas")
                    else {"failed": self.cells(lease, block)}
                )
                lost = Receipt(lease.model, block, "", counts, 0.0, (FAILURE,))
                self.ledger.give_up(self.entered[lease.sweep_id], lease.owner, lost, "died")
            else:
                self.ledger.release(lease.sweep_id, lease.owner, lease.model, block)

    @rule(service=services, late=st.booleans())
    def service_renews_or_forgets_to(self, service, late):
        self.ledger.renew(service, PAST if late else LATER)

    @rule(service=services)
    def service_stops(self, service):
        self.ledger.release_all(service)

    @rule(soon=st.booleans(), data=st.data())
    def cancel_and_perhaps_retry(self, soon, data):
        plan = self.any_sweep(data)
        active = plan.sweep_id in self.ledger.active()
        assert self.ledger.cancel(plan.sweep_id) == active
        if soon:
            self.try_again(plan)

    @rule()
    def retry_whatever_has_ended(self):
        for plan in self.entered.values():
            if self.ledger.sweep(plan.sweep_id).state.ended:
                self.try_again(plan)

    @invariant()
    def blocks_move_as_allowed_and_none_is_lost(self):
        before, rows = self.states, self.rows()
        self.states = {key: row.state for key, row in rows.items()}
        for key, row in rows.items():
            assert (row.owner is not None) == (row.state == BlockState.LEASED), key
            if row.state == BlockState.DONE:
                assert row.checksum == self.written[key].checksum, key
        assert set(self.states) == {
            (plan.sweep_id, part.name, block)
            for plan in self.entered.values()
            for part in plan.parts
            for block in part.blocks
        }
        for key, state in before.items():
            now = self.states[key]
            assert now == state or now in BLOCK_MOVES[state] or self.twice(state, now), key

    @invariant()
    def sums_agree_with_blocks_and_work_goes_on(self):
        for sweep_id, plan in self.entered.items():
            record = self.ledger.sweep(sweep_id)
            with self.ledger.engine.connect() as db:
                assert totals(db, plan) == {
                    "counts": record.counts,
                    "blocks_done": record.blocks_done,
                }
            assert sum(record.counts.values()) == record.cells
            states = [state for key, state in self.states.items() if key[0] == sweep_id]
            if record.state in (SweepState.DONE, SweepState.FAILED):
                assert all(state in SETTLED for state in states)
                assert (BlockState.FAILED in states) == (record.state == SweepState.FAILED)
            elif not record.state.ended:
                assert {BlockState.QUEUED, BlockState.LEASED} & set(states), "nobody has work"

    @invariant()
    def a_summary_skips_replicas_only_when_it_has_enough(self):
        summary = SAMPLED.part("network")
        replicas = SAMPLED.replicas_of(summary)
        for key, state in self.states.items():
            if key[:2] == (SAMPLED.sweep_id, replicas.name) and state == BlockState.SKIPPED:
                cells = key[2] // replicas.batches
                entering = self.written[SAMPLED.sweep_id, summary.name, cells].checksum
                assert entering == f"of {self.wanted[cells]}"

    @invariant()
    def the_story_is_one_of_allowed_moves(self):
        for sweep_id in self.entered:
            told = [e.kind for e in self.ledger.events(sweep_id) if e.kind in set(SweepState)]
            for here, there in itertools.pairwise(map(SweepState, told)):
                assert there in MOVES[here]

    def teardown(self):
        """In the end somebody does all that is left: every block is there, computed once."""
        for service in SERVICES:
            self.ledger.release_all(service)
        for plan in self.entered.values():
            if self.ledger.sweep(plan.sweep_id).state in (SweepState.CANCELLED, SweepState.FAILED):
                self.try_again(plan)
            self.finish(plan)
            record = self.ledger.sweep(plan.sweep_id)
            assert record.state == SweepState.DONE
            assert record.blocks_done == record.blocks
            assert self.ledger.checksums(plan.sweep_id) == {
                key[1:]: receipt.checksum
                for key, receipt in self.written.items()
                if key[0] == plan.sweep_id
            }

    def any_sweep(self, data):
        return data.draw(st.sampled_from(list(self.entered.values())))

    def take(self, plan, service, limit):
        owner = f"{service}:{next(self.names)}"
        lease = self.ledger.lease(plan.sweep_id, owner, limit, LATER)
        if lease is None:
            lease = Lease(plan.sweep_id, plan.parts[0].name, (), owner)
        for block in lease.blocks:
            before = self.states[plan.sweep_id, lease.model, block]
            assert before in (BlockState.QUEUED, BlockState.LEASED)
        return Held(lease, service)

    def finish(self, plan):
        while lease := self.ledger.lease(plan.sweep_id, "last", 99, LATER):
            receipts = [self.compute(lease, block) for block in lease.blocks]
            self.ledger.record(plan, "last", lease.model, receipts)

    def compute(self, lease, block, raises=False):
        """Do as a worker does: what is stored is not computed again, but for a summary."""
        plan = self.entered[lease.sweep_id]
        part = plan.part(lease.model)
        key = lease.sweep_id, lease.model, block
        if part.role == "summary":
            self.written[key] = self.summary(plan, part, block)
        elif key not in self.written:
            counts = (
                {}
                if part.role == "replicas"
                else {"failed" if raises else "done": part.blocks.size(block)}
            )
            failures = (FAILURE,) if raises else ()
            checksum = str(next(self.names))
            self.written[key] = Receipt(lease.model, block, checksum, counts, 0.1, failures)
        return self.written[key]

    def summary(self, plan, part, block):
        """Return what a summary comes to: how many replicas enter it follows from them alone."""
        replicas = plan.replicas_of(part)
        batches = range(block * replicas.batches, (block + 1) * replicas.batches)
        there = sum((plan.sweep_id, replicas.name, batch) in self.written for batch in batches)
        entering = min(there, self.wanted[block])
        counts = {"done": part.blocks.size(block)}
        unfinished = there < self.wanted[block]
        return Receipt(part.name, block, f"of {entering}", counts, 0.1, (), unfinished)

    def rows(self):
        """Return what the ledger says of every block."""
        query = sa.select(blocks)
        with self.ledger.engine.connect() as db:
            return {(row.sweep_id, row.model, row.block): row for row in db.execute(query)}

    def cells(self, lease, block):
        return self.entered[lease.sweep_id].part(lease.model).blocks.size(block)

    def try_again(self, plan):
        for name, block in self.ledger.stored_but_wrong(plan):
            self.written.pop((plan.sweep_id, name, block), None)
        self.ledger.retry(plan)

    @staticmethod
    def twice(state, now):
        """Whether a rule moved a block twice: a task that ends releases what it left."""
        return any(now in BLOCK_MOVES[between] for between in BLOCK_MOVES[state])


def run(tmp_path, **more):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    chosen = settings(
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        **more,
    )
    try:
        run_state_machine_as_test(lambda: Interleaving(ledger), settings=chosen)
    finally:
        ledger.close()


def test_any_interleaving_has_each_block_done_once(tmp_path):
    run(tmp_path, max_examples=25, stateful_step_count=40)


@pytest.mark.slow
def test_very_many_interleavings_have_each_block_done_once(tmp_path):
    run(tmp_path, max_examples=1500, stateful_step_count=60)
