"""What those who run the service see: numbers, and which part is down."""

import errno
import os

import pytest
import sqlalchemy as sa

from delocal.service import readiness
from delocal.service.states import BlockState, SweepState
from delocal.workers.local import ClusterLost
from delocal.workers.storage import storage_at
from tests.service.test_audit_and_quotas import request
from tests.waiting import PATIENCE


def numbers(service):
    """Return every sample by its name with labels."""
    found = {}
    for line in service.metrics.text().decode().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


def test_sweeps_and_blocks_are_counted_by_state(service):
    service.dispatcher.stop()  # nobody computes
    sweep = service.sweeps.submit(request(0.1, 600_000))
    service.sweeps.submit(request(0.2))  # light: done at once
    found = numbers(service)
    assert found['delocal_sweeps{state="queued"}'] == 1
    assert found['delocal_sweeps{state="done"}'] == 1
    assert found["delocal_queue_depth"] == found['delocal_blocks{state="queued"}'] == sweep.blocks
    service.ledger.lease(sweep.id, "me", 2, 60)
    found = numbers(service)
    assert found['delocal_blocks{state="leased"}'] == 2
    assert found["delocal_queue_depth"] == sweep.blocks - 2
    assert found['delocal_sweeps{state="running"}'] == 1
    assert {f'delocal_sweeps{{state="{state}"}}' for state in SweepState} <= set(found)
    assert {f'delocal_blocks{{state="{state}"}}' for state in BlockState} <= set(found)


def test_blocks_are_timed_by_model(service):
    sweep = service.sweeps.submit(request(0.1, 300_000))
    sweep = service.sweeps.wait(sweep.id, timeout=PATIENCE)
    service.dispatcher.stop()  # what it had in hand is counted
    found = numbers(service)
    assert found['delocal_block_seconds_count{model="scaling"}'] == sweep.blocks > 1
    store = service.sweeps.store(sweep.id)
    variables = store.open_model("scaling").data_vars
    files = [f for v in variables for f in store.storage.names(f"data.zarr/scaling/{v}")]
    stored = sum(len(store.storage.read(f)) for f in files if not f.endswith("zarr.json"))
    assert found['delocal_written_bytes_total{model="scaling"}'] == stored > 0
    assert found['delocal_block_seconds_sum{model="scaling"}'] == pytest.approx(sweep.seconds)


def test_a_lease_that_ran_out_is_counted_by_who_takes_over(service):
    service.dispatcher.stop()
    sweep = service.sweeps.submit(request(0.1, 300_000))
    service.ledger.lease(sweep.id, "lost", 2, -1)
    assert numbers(service)["delocal_lease_expiries_total"] == 0
    while service.ledger.lease(sweep.id, "me", 10, 60):
        pass
    assert numbers(service)["delocal_lease_expiries_total"] == 2


def test_labels_are_few(service):
    for number in range(5):
        service.sweeps.submit(request(0.1 + number))
    before = len(numbers(service))
    for number in range(5):
        service.sweeps.submit(request(1.1 + number))
    assert len(numbers(service)) == before


def test_numbers_are_there_while_a_part_is_down(service, monkeypatch):
    def lost(*_):
        raise ClusterLost("gone")

    monkeypatch.setattr(type(service.executor), "slots", property(lost))
    monkeypatch.setattr(
        service.ledger, "engine", sa.create_engine("sqlite:////nowhere/ledger.sqlite")
    )
    found = numbers(service)
    assert found["delocal_slots"] == 0
    assert found["delocal_ledger_up"] == 0
    assert found["delocal_data_free_bytes"] > 0
    assert found["process_resident_memory_bytes"] > 0


def down(service):
    return {problem.field: problem.message for problem in readiness.problems(service)}


def test_a_service_that_works_has_no_problem_and_leaves_nothing_behind(service):
    assert down(service) == {}
    before = {path.name for path in service.settings.data.iterdir()}
    assert down(service) == {}
    assert {path.name for path in service.settings.data.iterdir()} == before


def test_a_ledger_that_is_down_is_named(service, monkeypatch):
    broken = sa.create_engine("sqlite:////nowhere/ledger.sqlite")
    monkeypatch.setattr(service.ledger, "engine", broken)
    [(part, why)] = down(service).items()
    assert part == "ledger"
    assert "unable to open database file" in why


def test_a_cluster_that_is_down_or_empty_is_named(service, monkeypatch):
    def lost(*_):
        raise ClusterLost("no scheduler answers")

    monkeypatch.setattr(type(service.executor), "slots", property(lost))
    assert down(service) == {"executor": "the cluster does not answer: no scheduler answers"}
    monkeypatch.setattr(type(service.executor), "slots", 0)
    assert "no workers" in down(service)["executor"]


def test_a_data_folder_that_cannot_be_written_is_named(service, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "/secret/path")

    monkeypatch.setattr(type(service.settings.data), "write_bytes", full)
    why = down(service)["data"]
    assert why == "the data folder cannot be written: No space left on device"


def test_a_data_folder_that_is_gone_is_named(service):
    elsewhere = service.settings.data.with_name("elsewhere")
    os.rename(service.settings.data, elsewhere)
    assert "data" in down(service)
    os.rename(elsewhere, service.settings.data)
    assert down(service) == {}


@pytest.fixture
def apart(service, place):
    """A service whose sweeps lie in a place of their own."""
    service.settings.sweeps = place
    return service


def test_the_place_of_the_sweeps_is_tried_and_left_as_it_was(apart):
    assert down(apart) == {}
    assert list(storage_at(apart.settings.place).names()) == []


def test_a_place_of_sweeps_that_is_full_is_named(apart, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "secret words", "secret place")

    monkeypatch.setattr(type(storage_at(apart.settings.place)), "write", full)
    why = "the place of the sweeps cannot be written: No space left on device"
    assert down(apart) == {"sweeps": why}


def test_a_bucket_that_is_not_there_is_named(service, s3):
    service.settings.sweeps = f"{s3}-elsewhere/sweeps"
    why = "the place of the sweeps cannot be written: No such file or directory"
    assert down(service) == {"sweeps": why}


def test_a_service_that_stops_is_not_ready(service):
    service.stopping.set()
    assert down(service) == {"dispatcher": "the service is stopping"}
