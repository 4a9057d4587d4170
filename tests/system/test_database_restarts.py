"""PostgreSQL stops and comes back under a service at work, which goes on by itself."""

import threading
from collections import Counter

import pytest

import delocal
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service import dispatcher as dispatching
from delocal.service.readiness import problems
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.workers import block as blocks
from delocal.workers import plan as planning
from delocal.workers.store import SweepStore
from tests.postgresql import PostgreSQL
from tests.system.test_end_to_end import arrays
from tests.waiting import PATIENCE

REQUEST = {
    "models": ["scaling"],
    "axes": {"alpha": {"linspace": [2.2, 7.0, 20]}, "T": {"geomspace": [1e-6, 1e-2, 20]}},
    "fixed": {"d": 2, "beta": 3, "W": 1},
}
BLOCKS = 20
ONCE = dict.fromkeys(range(BLOCKS), 1)
HELD = 4  # the block under way when the database stops


class Journal:
    """Notes which blocks are begun and which are stored; one of them waits to be told to go on."""

    def __init__(self, monkeypatch):
        self.begun, self.stored = Counter(), Counter()
        self.under_way, self.go_on = threading.Event(), threading.Event()
        evaluate, sign = blocks.evaluate, SweepStore.sign

        def noted(store, part, block, cancelled):
            self.begun[block] += 1
            if block == HELD:
                self.under_way.set()
                assert self.go_on.wait(PATIENCE)
            return evaluate(store, part, block, cancelled)

        def signed(store, receipt):
            self.stored[receipt.block] += 1
            sign(store, receipt)

        monkeypatch.setattr(blocks, "evaluate", noted)
        monkeypatch.setattr(SweepStore, "sign", signed)


@pytest.fixture(scope="module")
def database():
    server = PostgreSQL()
    yield server
    server.remove()


@pytest.fixture
def settings(tmp_path, database, monkeypatch):
    """Settings of a service whose tasks are single blocks of few cells."""
    monkeypatch.setattr(planning, "BLOCK_CELLS", 20)
    monkeypatch.setattr(dispatching, "TASK_SECONDS", 1e-9)
    database.start()
    cluster = ClusterSettings(kind="none")
    return Settings(data=tmp_path, database_url=database.url, cluster=cluster)


@pytest.fixture(scope="module")
def undisturbed():
    return arrays(delocal.run(REQUEST)["scaling"].to_dataset())


def test_a_sweep_outlives_its_database(settings, database, undisturbed, monkeypatch, eventually):
    journal = Journal(monkeypatch)
    with serving(settings) as (url, service), Client(url) as client:
        sweep = client.submit(REQUEST)
        assert journal.under_way.wait(PATIENCE)
        database.stop()
        assert [problem.part for problem in problems(service)] == ["ledger"]
        journal.go_on.set()
        eventually(lambda: journal.stored[HELD])  # which nobody can note in the ledger
        database.start()
        status = sweep.wait(timeout=PATIENCE).status()
        assert (status["state"], status["blocks"]["done"]) == ("done", BLOCKS)
        assert arrays(sweep.open()["scaling"].to_dataset()) == undisturbed
        checksums = service.ledger.checksums(sweep.id)
        ended = [event.kind for event in service.ledger.events(sweep.id) if event.kind == "done"]
        assert problems(service) == []
    assert journal.begun == journal.stored == ONCE
    assert {block for _, block in checksums} == set(ONCE)
    assert ended == ["done"]


def test_a_service_stops_without_its_database_and_the_next_goes_on(
    settings, database, undisturbed, monkeypatch
):
    journal = Journal(monkeypatch)
    request = SweepRequest.parse({**REQUEST, "seed": 1})  # another sweep of the same bytes
    with monkeypatch.context() as patch:  # of the first alone: blocks of the second may take longer
        patch.setattr(dispatching, "LEASE_SECONDS", dispatching.RENEW_SECONDS + 1.0)
        first = Service(settings)
        sweep_id = first.sweeps.submit(request).id
        assert journal.under_way.wait(PATIENCE)
        database.stop()
        journal.go_on.set()
        first.close()
    database.start()
    second = Service(settings)
    try:
        assert second.sweeps.wait(sweep_id, timeout=PATIENCE).state == "done"
        assert arrays(second.sweeps.store(sweep_id).open_model("scaling")) == undisturbed
    finally:
        second.close()
    assert journal.begun == journal.stored == ONCE
