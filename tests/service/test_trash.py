"""Delete, restore, purge: never a sweep at work, and nothing lost before it is purged."""

import threading

import pytest
import sqlalchemy as sa

from delocal.service import trash as trash_module
from delocal.service.errors import Conflict, NotFound
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.service.tables import tables
from tests.service.conftest import PLACES_AND_DATABASES
from tests.waiting import PATIENCE

pytestmark = PLACES_AND_DATABASES

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 7]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
}


@pytest.fixture
def start(tmp_path, place, on_each_database):
    services = []

    def _start(**settings):
        made = Settings(
            data=tmp_path / "data", sweeps=place, cluster=ClusterSettings(kind="none"), **settings
        )
        services.append(Service(made))
        return services[-1]

    yield _start
    for service in services:
        service.close()


@pytest.fixture
def service(start):
    return start()


def submit(service, **changed):
    request = SweepRequest.parse({**REQUEST, **changed})
    return service.sweeps.wait(service.sweeps.submit(request).id)


def files(service, sweep_id):
    storage = service.dispatcher.store(sweep_id).storage
    return {name: storage.read(name) for name in storage.names()}


def rows(service, sweep_id):
    with service.ledger.engine.connect() as db:
        return {
            table.name: db.scalar(
                sa.select(sa.func.count()).select_from(table).where(column == sweep_id)
            )
            for table in tables.sorted_tables
            for column in table.c
            if (table.name, column.name) == ("sweeps", "id") or column.name == "sweep_id"
        }


def test_a_deleted_sweep_is_hidden_and_restored_as_it_was(service):
    before = submit(service)
    stored = files(service, before.id)
    deleted = service.sweeps.delete(before.id)
    assert (deleted.state, deleted.state_before) == (SweepState.DELETED, SweepState.DONE)
    assert deleted.counts == before.counts
    with pytest.raises(Conflict, match="trash"):
        service.sweeps.store(before.id)
    assert service.ledger.newest() == []
    assert [r.id for r in service.ledger.newest(deleted=True)] == [before.id]
    assert service.sweeps.restore(before.id) == before
    assert files(service, before.id) == stored
    kinds = [event.kind for event in service.sweeps.events(before.id, 0)]
    assert kinds[-2:] == ["deleted", "restored"]


def test_to_submit_a_deleted_sweep_again_takes_it_out_of_the_trash(service):
    before = submit(service)
    service.sweeps.delete(before.id)
    assert submit(service) == before


def test_a_sweep_at_work_cannot_be_deleted(service, monkeypatch):
    monkeypatch.setattr("delocal.service.sweeps.INLINE_BLOCKS", 0)
    monkeypatch.setattr(service.dispatcher, "_submit_one", lambda sweep_id: False)
    sweep = service.sweeps.submit(SweepRequest.parse(REQUEST))
    with pytest.raises(Conflict, match="cancel it first"):
        service.sweeps.delete(sweep.id)
    assert service.sweeps.get(sweep.id).state == SweepState.QUEUED
    service.sweeps.cancel(sweep.id)
    assert service.sweeps.delete(sweep.id).state_before == SweepState.CANCELLED
    assert service.sweeps.restore(sweep.id).state == SweepState.CANCELLED


@pytest.mark.parametrize("verb", ["restore", "purge"])
def test_only_what_is_in_the_trash_is_restored_or_purged(service, verb):
    sweep = submit(service)
    with pytest.raises(Conflict, match="done"):
        getattr(service.sweeps, verb)(sweep.id)
    assert service.sweeps.store(sweep.id).exists()
    with pytest.raises(NotFound):
        getattr(service.sweeps, verb)("0" * 16)


def test_what_is_in_the_trash_can_neither_be_deleted_nor_retried_nor_cancelled(service):
    sweep = submit(service)
    service.sweeps.delete(sweep.id)
    for verb in ("delete", "retry", "cancel"):
        with pytest.raises(Conflict):
            getattr(service.sweeps, verb)(sweep.id)
    assert service.sweeps.get(sweep.id).state == SweepState.DELETED


def test_a_purged_sweep_leaves_nothing_and_can_be_computed_anew(service):
    before = submit(service)
    stored = files(service, before.id)
    service.sweeps.delete(before.id)
    assert all(rows(service, before.id).values()) is False  # no failures, for one
    service.sweeps.purge(before.id)
    assert files(service, before.id) == {}
    assert set(rows(service, before.id).values()) == {0}
    with pytest.raises(NotFound):
        service.sweeps.get(before.id)
    assert submit(service).counts == before.counts
    data = [name for name in stored if name.startswith("data.zarr")]
    again = files(service, before.id)
    assert {name: again[name] for name in data} == {name: stored[name] for name in data}


def test_a_sweep_with_a_task_that_still_ends_is_not_purged(service):
    sweep = submit(service)
    service.sweeps.delete(sweep.id)
    with service.ledger.writing() as db:
        db.execute(sa.text("UPDATE blocks SET state = 'leased', lease_until = 9e9"))
    with pytest.raises(Conflict, match="still ending"):
        service.sweeps.purge(sweep.id)
    assert files(service, sweep.id)


def test_a_purge_that_was_interrupted_is_finished_later(service, monkeypatch):
    sweep = submit(service)
    service.sweeps.delete(sweep.id)
    storage = type(service.dispatcher.store(sweep.id).storage)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "clear", lambda self, last: self.remove(last) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            service.sweeps.purge(sweep.id)
    with pytest.raises(Conflict, match="removed for good"):
        service.sweeps.restore(sweep.id)
    assert service.sweeps.trash.purge_old() == [sweep.id]
    assert files(service, sweep.id) == {}


def test_the_trash_is_emptied_after_its_days(start, monkeypatch):
    service = start(trash_days=2)
    old, new = submit(service), submit(service, axes={"T": [1e-3, 1e-2]})
    service.sweeps.delete(old.id)
    later = trash_module.time.time() + 1.5 * trash_module.DAY
    monkeypatch.setattr(trash_module.time, "time", lambda: later)
    service.sweeps.delete(new.id)
    assert service.sweeps.trash.purge_old() == []
    later += trash_module.DAY
    assert service.sweeps.trash.purge_old() == [old.id]
    assert [r.id for r in service.ledger.newest(deleted=True)] == [new.id]


def test_one_that_cannot_be_purged_does_not_keep_the_others(start, monkeypatch):
    service = start(trash_days=0)
    first, second = submit(service), submit(service, axes={"T": [1e-3, 1e-2]})
    for sweep in (first, second):
        service.sweeps.delete(sweep.id)
    purge = service.sweeps.trash.purge

    def away(record):
        if record.id == first.id:
            raise OSError("the bucket is away")
        purge(record)

    monkeypatch.setattr(service.sweeps.trash, "purge", away)
    assert service.sweeps.trash.purge_old() == [second.id]
    monkeypatch.undo()
    assert service.sweeps.trash.purge_old() == [first.id]


def test_without_days_the_trash_is_kept(start, monkeypatch):
    service = start(trash_days=None)
    sweep = submit(service)
    service.sweeps.delete(sweep.id)
    monkeypatch.setattr(trash_module.time, "time", lambda: 9e9)
    assert service.sweeps.trash.purge_old() == []


def test_the_service_empties_its_trash_by_itself(start, monkeypatch):
    monkeypatch.setattr(trash_module, "LOOK_SECONDS", 0.02)
    service = start(trash_days=0)
    gone = threading.Event()
    monkeypatch.setattr(service.sweeps.trash, "_forget", lambda sweep_id: gone.set())
    sweep = submit(service)
    service.sweeps.delete(sweep.id)
    assert gone.wait(PATIENCE)


def test_a_disk_that_is_away_does_not_end_the_watch(start, monkeypatch):
    monkeypatch.setattr(trash_module, "LOOK_SECONDS", 0.02)
    service = start()
    looks, enough = [], threading.Event()

    def broken():
        looks.append(1)
        if len(looks) > 2:
            enough.set()
        raise OSError("the disk is away")

    monkeypatch.setattr(service.sweeps.trash, "purge_old", broken)
    assert enough.wait(PATIENCE)
