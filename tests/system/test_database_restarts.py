"""PostgreSQL stops and comes back under a service at work, which goes on by itself."""

import threading
from collections import Counter

import pytest

import delocal
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service import dispatcher as dispatching
from delocal.service.readiness import problems
from delocal.service.settings import ClusterSettings, Settings
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


@pytest.fixture
def database():
    server = PostgreSQL()
    yield server
    server.remove()


@pytest.fixture
def small_tasks(monkeypatch):
    """Let every task be one block of few cells."""
    monkeypatch.setattr(planning, "BLOCK_CELLS", 20)
    monkeypatch.setattr(dispatching, "TASK_SECONDS", 1e-9)


def test_a_sweep_outlives_its_database(tmp_path, database, small_tasks, monkeypatch, eventually):
    undisturbed = arrays(delocal.run(REQUEST)["scaling"].to_dataset())
    journal = Journal(monkeypatch)
    cluster = ClusterSettings(kind="none")
    settings = Settings(data=tmp_path, database_url=database.url, cluster=cluster)
    with serving(settings) as (url, service), Client(url) as client:
        sweep = client.submit(REQUEST)
        assert journal.under_way.wait(PATIENCE)
        database.stop()
        assert [problem.part for problem in problems(service)] == ["ledger"]
        journal.go_on.set()
        eventually(lambda: journal.stored[HELD])  # which nobody can note in the ledger
        database.start()
        status = sweep.wait(timeout=PATIENCE).status()
        assert (status["state"], status["blocks"]["done"]) == ("done", 20)
        assert arrays(sweep.open()["scaling"].to_dataset()) == undisturbed
        checksums = service.ledger.checksums(sweep.id)
        ended = [event.kind for event in service.ledger.events(sweep.id) if event.kind == "done"]
        assert problems(service) == []
    once = dict.fromkeys(range(20), 1)
    assert (journal.begun, journal.stored) == (once, once)
    assert {block for _, block in checksums} == set(once)
    assert ended == ["done"]
