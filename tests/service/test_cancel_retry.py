"""Cancel, retry: workers free at once, what is stored stays, and in the end the same bytes."""

import threading
import time

import numpy as np
import pytest

from delocal.physics.model import STATUS, Cancelled, Model, Parameter, Status, Variable
from delocal.service import dispatcher as dispatching
from delocal.service.errors import Conflict
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore
from tests.service.conftest import EACH_DATABASE
from tests.waiting import PATIENCE, eventually

BROKEN = {"x": set()}  # values of x at which the model raises
HELD = {"x": set()}  # and at which it works until it is told to end
CALLED = []  # values of x for which it was asked
SEGMENT = 0.001


def noise(point, options, rng, cancelled):
    """Some work in short segments, then a number; raises where it is told to."""
    CALLED.append(point["x"])
    if point["x"] in BROKEN["x"]:
        raise ZeroDivisionError(f"x = {point['x']:g} is broken")
    segments = 5
    while segments > 0 or point["x"] in HELD["x"]:
        if cancelled():
            raise Cancelled
        time.sleep(SEGMENT)
        segments -= 1
    return {"y": rng.normal(point["x"])}


def square(mesh, options):
    if BROKEN["x"] & set(np.ravel(mesh["x"])):
        raise ZeroDivisionError("broken")
    time.sleep(SEGMENT * mesh["x"].size)
    return {"status": np.full(mesh["x"].shape, Status.DONE), "y": mesh["x"] ** 2}


def model(name, **kind):
    return Model(
        name=name,
        version="1",
        title="A toy",
        reference="none",
        parameters=(Parameter("x", "place", "1"),),
        seconds_per_cell=0.1,
        **kind,
    )


MONTE_CARLO = model(
    "noise",
    kind="monte-carlo",
    variables=(STATUS, Variable("y", "number", estimated=True)),
    evaluate=lambda mesh, options: {},
    replicate=noise,
    target="y",
)
SQUARE = model(
    "square", kind="closed-form", variables=(STATUS, Variable("y", "number")), evaluate=square
)
REQUEST = {
    "models": ["noise", "square"],
    "axes": {"x": {"linspace": [1, 20, 20]}},
    "sampling": {"replicas": 12},
}


@pytest.fixture(autouse=True)
def toys(install):
    install(MONTE_CARLO, SQUARE)
    BROKEN["x"] = HELD["x"] = set()
    CALLED.clear()


def from_(first):
    """Return the values of x from `first` on."""
    return {float(x) for x in range(first, 21)}


@pytest.fixture
def block_by_block(monkeypatch):
    monkeypatch.setattr(dispatching, "TASK_SECONDS", 1e-9)


def submit(service, request=REQUEST):
    return service.sweeps.submit(SweepRequest.parse(request)).id


def contents(store):
    read = {name: store.open_model(name).load() for name in ("noise", "square")}
    return {
        (name, str(v)): ds[v].values.tobytes()
        for name, ds in read.items()
        for v in ds
        if "seconds" not in v
    }


def reference(tmp_path):
    return contents(run_plan(SweepRequest.parse(REQUEST).plan(), tmp_path / "reference"))


def idle(service):
    return not service.dispatcher.in_flight


def test_cancelling_frees_the_worker(service):
    """Within a task that would never end; benchmarks measure how soon."""
    HELD["x"] = from_(1)
    for seed in range(3):
        CALLED.clear()
        sweep_id = submit(service, {**REQUEST, "seed": seed})
        eventually(lambda: CALLED)
        record = service.sweeps.cancel(sweep_id)
        assert record.state == SweepState.CANCELLED
        assert record.finished is not None
        eventually(lambda: idle(service))


@EACH_DATABASE
@pytest.mark.usefixtures("block_by_block")
def test_nothing_goes_on_after_a_cancel_and_what_is_stored_can_be_read(service):
    HELD["x"] = from_(3)
    sweep_id = submit(service)
    eventually(lambda: service.sweeps.get(sweep_id).blocks_done > 0)
    service.sweeps.cancel(sweep_id)
    eventually(lambda: idle(service))
    before = service.sweeps.get(sweep_id)
    time.sleep(0.1)
    after = service.sweeps.get(sweep_id)
    assert after == before
    assert 0 < after.blocks_done < after.blocks
    store = service.sweeps.store(sweep_id)
    status = store.open_model("noise_replicas").status.values
    assert (status == Status.DONE).any()
    assert (status == Status.NOT_COMPUTED).any()
    kinds = [event.kind for event in service.sweeps.events(sweep_id, 0)]
    assert kinds.count("cancelled") == 1


@EACH_DATABASE
@pytest.mark.usefixtures("block_by_block")
def test_a_cancelled_sweep_that_is_retried_has_the_bytes_of_one_that_was_not(service, tmp_path):
    HELD["x"] = from_(3)
    sweep_id = submit(service)
    for held in (from_(6), from_(9), set()):
        done = service.sweeps.get(sweep_id).blocks_done
        eventually(lambda done=done: service.sweeps.get(sweep_id).blocks_done > done)
        service.sweeps.cancel(sweep_id)
        HELD["x"] = held
        service.sweeps.retry(sweep_id)
    record = service.sweeps.wait(sweep_id, timeout=PATIENCE)
    assert record.state == SweepState.DONE
    assert record.counts == {"done": 40}
    assert record.blocks_done == record.blocks
    assert contents(service.sweeps.store(sweep_id)) == reference(tmp_path)


@EACH_DATABASE
def test_cells_that_raised_are_tried_again_and_no_others(service, tmp_path, monkeypatch):
    BROKEN["x"] = {3.0, 17.0}
    sweep_id = submit(service)
    record = service.sweeps.wait(sweep_id, timeout=PATIENCE)
    assert record.counts == {"done": 36, "failed": 4}
    failures = service.ledger.failures(sweep_id)
    assert {f["parameters"]["x"] for f in failures} == {3.0, 17.0}
    assert "ZeroDivisionError" in failures[0]["traceback"]
    BROKEN["x"] = set()
    CALLED.clear()
    forget = SweepStore.forget

    def slowly(*block):  # in a bucket, with a dispatcher that has nothing else to do
        service.dispatcher.wake()
        time.sleep(0.3)
        forget(*block)

    monkeypatch.setattr(SweepStore, "forget", slowly)
    service.sweeps.retry(sweep_id)
    record = service.sweeps.wait(sweep_id, timeout=PATIENCE)
    assert record.state == SweepState.DONE
    assert record.counts == {"done": 40}
    assert service.ledger.failures(sweep_id) == []
    assert set(CALLED) == {3.0, 17.0}
    assert contents(service.sweeps.store(sweep_id)) == reference(tmp_path)


@EACH_DATABASE
def test_what_does_not_fit_the_state_is_refused_with_advice(service):
    HELD["x"] = from_(20)
    sweep_id = submit(service)
    with pytest.raises(Conflict, match="cancel it first"):
        service.sweeps.retry(sweep_id)
    HELD["x"] = set()
    service.sweeps.wait(sweep_id, timeout=PATIENCE)
    with pytest.raises(Conflict, match="is done"):
        service.sweeps.cancel(sweep_id)
    with pytest.raises(Conflict, match="nothing failed"):
        service.sweeps.retry(sweep_id)
    assert service.sweeps.get(sweep_id).state == SweepState.DONE


def test_a_neighbour_is_not_harmed_by_a_cancel(service, tmp_path):
    HELD["x"] = from_(20)  # of both
    other = {**REQUEST, "axes": {"x": {"linspace": [1, 20, 21]}}}
    unwanted, wanted = submit(service, other), submit(service)
    eventually(lambda: service.sweeps.get(unwanted).blocks_done > 0)
    service.sweeps.cancel(unwanted)
    HELD["x"] = set()
    assert service.sweeps.wait(wanted, timeout=PATIENCE).state == SweepState.DONE
    assert contents(service.sweeps.store(wanted)) == reference(tmp_path)


@EACH_DATABASE
def test_another_service_on_the_same_ledger_ends_its_tasks_too(tmp_path):
    settings = Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none"))
    one, other = Service(settings), Service(settings)
    HELD["x"] = from_(1)
    try:
        sweep_id = submit(one)
        eventually(lambda: not (idle(one) and idle(other)))
        other.sweeps.cancel(sweep_id)
        eventually(lambda: idle(one) and idle(other))
        assert one.sweeps.get(sweep_id).state == SweepState.CANCELLED
    finally:
        one.close()
        other.close()


@EACH_DATABASE
def test_cancels_and_retries_from_many_sides_leave_one_story(service):
    sweep_id = submit(service)

    def meddle():
        for _ in range(10):
            for act in (service.sweeps.cancel, service.sweeps.retry):
                try:
                    act(sweep_id)
                except Conflict:
                    time.sleep(0.001)

    threads = [threading.Thread(target=meddle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if service.sweeps.get(sweep_id).state == SweepState.CANCELLED:
        service.sweeps.retry(sweep_id)
    assert service.sweeps.wait(sweep_id, timeout=PATIENCE).counts == {"done": 40}
