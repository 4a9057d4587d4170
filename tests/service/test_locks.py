"""Whoever writes to the ledger at the same time: nobody waits for who waits for him."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from delocal.service.states import SweepState
from delocal.service.tables import blocks, costs, sweeps
from tests.service.test_ledger import ID, LATER, PLAN, add, receipt

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""SQLite has one writer at a time."""
ACTS = {
    "lease": lambda ledger: ledger.lease(ID, "b", 8, LATER),
    "record": lambda ledger: ledger.record(PLAN, "a", "scaling", [receipt(1), receipt(0)]),
    "give up": lambda ledger: ledger.give_up(PLAN, "a", receipt(0, failed=5), "killed"),
    "release": lambda ledger: ledger.release(ID, "a", "scaling", 1),
    "cancel": lambda ledger: ledger.cancel(ID),
    "retry": lambda ledger: ledger.retry(PLAN),
    "fail": lambda ledger: ledger.fail(ID, "no such model"),
}


@pytest.fixture
def leased(ledger):
    """A ledger with a sweep of eight blocks, of which three are leased, queued by a retry."""
    add(ledger)
    ledger.lease(ID, "a", 3, LATER)
    with ledger.writing() as db:
        db.execute(sweeps.update().values(state=SweepState.QUEUED))
    return ledger


@pytest.mark.parametrize("act", ACTS)
def test_who_waits_for_a_sweep_holds_none_of_its_blocks(leased, act):
    touch = blocks.update().where(blocks.c.sweep_id == ID).values(attempt=blocks.c.attempt)
    with ThreadPoolExecutor(1) as pool:
        with leased.writing(ID) as db:
            waiting = pool.submit(ACTS[act], leased)
            time.sleep(0.2)  # enough for the other to come as far as it can
            db.execute(touch)  # which waits, and that in a circle, if the other holds one
        waiting.result(timeout=60)


def test_renewing_waits_for_nobody(leased):
    with leased.engine.connect() as db:
        before = dict(db.execute(sa.select(blocks.c.block, blocks.c.lease_until)).fetchall())
    with ThreadPoolExecutor(1) as pool, leased.writing() as db:
        db.execute(blocks.update().where(blocks.c.block == 1).values(attempt=7))
        pool.submit(leased.renew, "a", 2 * LATER).result(timeout=60)
    with leased.engine.connect() as db:
        after = dict(db.execute(sa.select(blocks.c.block, blocks.c.lease_until)).fetchall())
    assert {block for block in after if after[block] != before[block]} == {0, 2}


def test_what_a_model_costs_may_be_told_first_by_two(leased):
    with ThreadPoolExecutor(1) as pool:
        with leased.writing() as db:
            first = {"model": "scaling", "version": "1", "cells": 5, "seconds": 1.0}
            db.execute(costs.insert().values(**first))
            waiting = pool.submit(ACTS["record"], leased)
            time.sleep(0.2)
        waiting.result(timeout=60)
    assert leased.sweep(ID).blocks_done == 2
    assert leased.seconds_per_cell("scaling", "1") == pytest.approx((1.0 + 2 * 0.1) / (5 + 2 * 5))
