"""A disk that is full or read-only: sweeps wait, lose nothing, and go on by themselves."""

import contextlib
import errno
import os
import subprocess
import time

import pytest
import sqlalchemy as sa

from delocal.api.http_calls import ERRORS
from delocal.service import dispatcher as dispatching
from delocal.service.errors import NoRoom
from delocal.service.ledger import Ledger
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.workers import storage as storage_module
from delocal.workers.local import run_plan
from tests.api.conftest import client_of
from tests.waiting import PATIENCE, eventually

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 60]}},
    "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(dispatching, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("delocal.service.sweeps.INLINE_BLOCKS", 0)
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 5)


class Disk:
    """Refuses chunks, and probes for room, while it is full."""

    def __init__(self, monkeypatch):
        self.error = None
        self.refused = 0
        self._real = storage_module.write_bytes
        monkeypatch.setattr(storage_module, "write_bytes", self.write)

    def write(self, path, content):
        name = os.path.basename(path)
        chunk = name.endswith(".partial") or (name.startswith("c.") and ".partial/" not in path)
        if self.error and chunk:
            self.refused += 1
            raise OSError(self.error, os.strerror(self.error), str(path))
        self._real(path, content)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def kinds(service, sweep_id):
    return [event.kind for event in service.sweeps.events(sweep_id, 0)]


def arrays(store):
    ds = store.open_model("scaling").load()
    return {name: values.values.tobytes() for name, values in ds.data_vars.items()}


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EHOSTUNREACH, errno.ESTALE]
)
def test_a_sweep_waits_for_room_and_goes_on_by_itself(service, disk, number, tmp_path):
    request = SweepRequest.parse(REQUEST)
    disk.error = number
    sweep_id = service.sweeps.submit(request).id
    eventually(lambda: service.sweeps.get(sweep_id).paused)
    eventually(lambda: disk.refused > 3 * dispatching.ATTEMPTS)
    waiting = service.sweeps.get(sweep_id)
    assert waiting.state == SweepState.RUNNING
    assert waiting.blocks_done == 0
    assert os.strerror(number) in waiting.paused
    assert kinds(service, sweep_id).count("paused") == 1
    disk.error = None
    done = service.sweeps.wait(sweep_id, PATIENCE)
    assert (done.state, done.counts) == (SweepState.DONE, {"done": 60})
    assert done.paused is None
    assert kinds(service, sweep_id).count("resumed") == 1
    assert service.ledger.failures(sweep_id) == []
    reference = run_plan(request.plan(), tmp_path / "reference")
    assert arrays(service.sweeps.store(sweep_id)) == arrays(reference)


def test_while_it_waits_nothing_is_computed(service, disk, monkeypatch):
    tasks = []
    submit = service.executor.submit
    monkeypatch.setattr(
        service.executor, "submit", lambda task, done: (tasks.append(task), submit(task, done))
    )
    disk.error = errno.ENOSPC
    sweep_id = service.sweeps.submit(SweepRequest.parse(REQUEST)).id
    eventually(lambda: service.sweeps.get(sweep_id).paused and not service.dispatcher.in_flight)
    begun, refused = len(tasks), disk.refused
    eventually(lambda: disk.refused > refused + 2)  # only looked whether there is room
    assert len(tasks) == begun


def test_a_sweep_that_waits_can_be_cancelled(service, disk):
    disk.error = errno.ENOSPC
    sweep_id = service.sweeps.submit(SweepRequest.parse(REQUEST)).id
    eventually(lambda: service.sweeps.get(sweep_id).paused)
    service.sweeps.cancel(sweep_id)
    disk.error = None
    eventually(lambda: not service.dispatcher.in_flight)
    assert service.sweeps.get(sweep_id).state == SweepState.CANCELLED
    service.sweeps.retry(sweep_id)
    assert service.sweeps.wait(sweep_id, PATIENCE).counts == {"done": 60}


def test_a_service_that_starts_while_a_sweep_waits_goes_on_with_it(service, disk, tmp_path):
    disk.error = errno.ENOSPC
    sweep_id = service.sweeps.submit(SweepRequest.parse(REQUEST)).id
    eventually(lambda: service.sweeps.get(sweep_id).paused)
    service.close()
    disk.error = None
    again = Service(service.settings)
    try:
        done = again.sweeps.wait(sweep_id, PATIENCE)
        assert (done.state, done.paused) == (SweepState.DONE, None)
    finally:
        again.close()


def test_a_place_that_is_away_ends_no_sweep(tmp_path, place, monkeypatch):
    """As a bucket whose server does not answer, when a service begins with what there is."""
    settings = Settings(data=tmp_path / "data", sweeps=place, cluster=ClusterSettings(kind="none"))
    before = Service(settings)
    before.dispatcher.stop()
    sweep_id = before.sweeps.submit(SweepRequest.parse(REQUEST)).id
    storage = type(before.dispatcher.store(sweep_id).storage)
    before.close()

    def away(*_):
        raise OSError(errno.EIO, "no answer")

    with monkeypatch.context() as patch:
        for verb in ("read", "version", "write"):
            patch.setattr(storage, verb, away)
        service = Service(settings)
        eventually(lambda: service.sweeps.get(sweep_id).paused)
        time.sleep(5 * dispatching.PAUSE_SECONDS)
        assert service.sweeps.get(sweep_id).state == SweepState.QUEUED
        assert "no answer" in service.sweeps.get(sweep_id).paused
    try:
        done = service.sweeps.wait(sweep_id, PATIENCE)
        assert (done.state, done.counts, done.paused) == (SweepState.DONE, {"done": 60}, None)
        assert {"paused", "resumed"} <= set(kinds(service, sweep_id))
    finally:
        service.close()


def test_an_ordinary_error_of_the_disk_counts_as_before(service, disk):
    """A disk that is broken, not full, is no reason to wait for ever."""
    disk.error = errno.EIO
    sweep_id = service.sweeps.submit(SweepRequest.parse(REQUEST)).id
    failed = service.sweeps.wait(sweep_id, PATIENCE)
    assert failed.state == SweepState.FAILED
    assert failed.paused is None


def full():
    original = sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
    return original


def test_a_full_disk_under_the_ledger_is_waited_for(service, monkeypatch):
    record, refused = service.ledger.record, []

    def sometimes(*arguments):
        if len(refused) < 2:
            refused.append(arguments)
            raise full()
        record(*arguments)

    monkeypatch.setattr(service.ledger, "record", sometimes)
    sweep_id = service.sweeps.submit(SweepRequest.parse(REQUEST)).id
    done = service.sweeps.wait(sweep_id, PATIENCE)
    assert (done.state, done.counts) == (SweepState.DONE, {"done": 60})
    assert len(refused) == 2


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("database or disk is full", errno.ENOSPC),
        ("could not extend file: No space left on device", errno.ENOSPC),
        ("attempt to write a readonly database", errno.EROFS),
    ],
)
def test_a_ledger_without_room_says_so_as_a_disk_does(tmp_path, message, number):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with pytest.raises(OSError, match="the ledger's disk") as caught, ledger.writing():
        raise sa.exc.OperationalError("INSERT", {}, Exception(message))
    assert caught.value.errno == number
    ledger.close()


def test_another_error_of_the_database_is_what_it_is(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with pytest.raises(sa.exc.OperationalError, match="locked"), ledger.writing():
        raise sa.exc.OperationalError("INSERT", {}, Exception("database is locked"))
    ledger.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MiB, in memory."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(path)]
    subprocess.run(mount, check=True, capture_output=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.slow  # mounts a file system, which takes root
def test_a_real_disk_that_fills_up(small_disk, tmp_path):
    """Data and ledger on it; a large file takes the room, and is removed."""
    hog = small_disk / "hog"
    service = Service(Settings(data=small_disk / "data", cluster=ClusterSettings(kind="none")))
    try:
        request = SweepRequest.parse({**REQUEST, "axes": {"T": {"geomspace": [1e-6, 1e-2, 600]}}})
        sweep_id = service.sweeps.submit(request).id
        eventually(lambda: service.sweeps.get(sweep_id).blocks_done > 2)
        _fill(hog)
        eventually(lambda: _attempt_fails(small_disk))
        time.sleep(3)  # while nothing can be written, by anybody
        before = service.sweeps.get(sweep_id)
        assert not before.state.ended
        hog.unlink()
        done = service.sweeps.wait(sweep_id, PATIENCE)
        assert (done.state, done.counts) == (SweepState.DONE, {"done": 600})
        assert service.ledger.failures(sweep_id) == []
        eventually(lambda: not list(service.sweeps.store(sweep_id).leftovers()))
    finally:
        hog.unlink(missing_ok=True)
        service.close()


def _fill(path):
    with open(path, "wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass


def _attempt_fails(folder):
    try:
        (folder / "probe").write_bytes(bytes(4096))
    except OSError:
        (folder / "probe").unlink(missing_ok=True)
        return True
    return False


def test_submitting_to_a_full_disk_is_a_clear_answer(service, monkeypatch):
    def refuse(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with client_of(service) as rest:
        with monkeypatch.context() as patch:
            patch.setattr(storage_module, "write_bytes", refuse)
            answer = rest.post("/v1/sweeps", json=REQUEST)
        assert answer.status_code == 507
        assert answer.headers["content-type"] == "application/problem+json"
        assert "No space left on device" in answer.json()["detail"]
        assert not list((service.settings.data / "sweeps").glob("*"))
        assert rest.post("/v1/sweeps", json=REQUEST).status_code == 202


def test_the_python_client_says_it_too():
    assert ERRORS[507] is NoRoom
