"""A retry that comes before the tasks of a cancelled sweep have ended."""

from delocal.service.states import SweepState
from tests.service.test_ledger import ID, LATER, PLAN, add, receipt


def test_a_retry_does_not_wait_for_tasks_that_were_asked_to_end(ledger):
    add(ledger)
    every = ledger.lease(ID, "first", 8, LATER)
    assert len(every.blocks) == 8
    ledger.record(PLAN, "first", "scaling", [receipt(0), receipt(1)])
    assert ledger.cancel(ID)
    assert ledger.stored_but_wrong(PLAN) == []  # what is done stays
    assert ledger.retry(PLAN)
    assert ledger.sweep(ID).state == SweepState.QUEUED
    again = ledger.lease(ID, "second", 8, LATER)
    assert again.blocks == (2, 3, 4, 5, 6, 7)
    ledger.record(PLAN, "first", "scaling", [receipt(2)])  # too late: it holds no lease
    ledger.release(ID, "first", "scaling", 3)
    assert ledger.sweep(ID).blocks_done == 2
    ledger.record(PLAN, "second", "scaling", [receipt(block) for block in again.blocks])
    sweep = ledger.sweep(ID)
    assert (sweep.state, sweep.counts) == (SweepState.DONE, {"done": 40})
