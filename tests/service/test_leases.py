"""Leases run out by one clock, whatever those of the hosts say."""

import time

import pytest
import sqlalchemy as sa

from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.service.states import BlockState
from delocal.service.tables import blocks
from tests.service.test_ledger import ID, LATER, REQUEST, add, record

HOUR = 3600.0


class Host:
    """A ledger on a host whose clock is ahead of others: a context in which that clock holds."""

    def __init__(self, url, ahead):
        self.ledger, self.ahead = Ledger(url), ahead

    def __enter__(self):
        self.clock, real = pytest.MonkeyPatch(), time.time
        self.clock.setattr(time, "time", lambda: real() + self.ahead)
        return self.ledger

    def __exit__(self, *_):
        self.clock.undo()


@pytest.fixture(params=[(0, HOUR), (HOUR, 0)], ids=["the other is ahead", "the other is behind"])
def hosts(database_url, request):
    """Who takes a lease, and who would take it over."""
    found = [Host(database_url, ahead) for ahead in request.param]
    yield found
    for host in found:
        host.ledger.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_hosts_whose_clocks_differ_agree_on_what_is_leased(hosts, eventually):
    holder, other = hosts
    with holder as ledger:
        add(ledger)
        assert ledger.lease(ID, "holder", 3, LATER).blocks == (0, 1, 2)
    with other as ledger:
        assert ledger.lease(ID, "other", 99, LATER).blocks == (3, 4, 5, 6, 7)
        assert ledger.lease(ID, "other", 99, LATER) is None
    with holder as ledger:
        ledger.renew("holder", 0.2)  # its last
    with other as ledger:
        late = eventually(lambda: ledger.lease(ID, "other", 99, LATER))
        assert (late.blocks, late.attempt, ledger.lease_expiries) == ((0,), 2, 1)
    with holder as ledger:
        record(ledger, "holder", 0)
        assert ledger.sweep(ID).blocks_done == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_heartbeat_keeps_a_lease_for_every_host(hosts):
    holder, other = hosts
    with holder as ledger:
        add(ledger)
        ledger.lease(ID, "holder:0", 8, -1)
        ledger.renew("holder", LATER)
    with other as ledger:
        assert ledger.lease(ID, "other", 99, LATER) is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_a_sweep_run_in_place_holds_is_held_for_every_host(hosts):
    holder, other = hosts
    with holder as ledger:
        add(ledger, owner="holder", lease_seconds=LATER)
    with other as ledger:
        assert ledger.lease(ID, "other", 99, LATER) is None


def test_more_blocks_than_a_statement_takes_are_kept_and_given_back(ledger):
    content = REQUEST.model_dump(mode="json", exclude_defaults=True)
    content["axes"] = {"T": {"geomspace": [1e-6, 1e-2, 70_000]}}
    plan = SweepRequest.parse(content).plan(block_cells=1)
    ledger.add(plan, name="", tags=[], request=content, owner="a", lease_seconds=LATER)
    ledger.renew("a", 2 * LATER)
    assert ledger.lease(plan.sweep_id, "b", 1, LATER) is None
    ledger.release_all("a")
    assert ledger.lease(plan.sweep_id, "b", 1, LATER).blocks == (0,)
    with ledger.engine.connect() as db:
        free = blocks.c.state == BlockState.QUEUED
        assert db.scalar(sa.select(sa.func.count()).where(free)) == 69_999
