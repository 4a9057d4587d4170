"""Extend: more values or replicas are a sweep of its own, and what was there is copied."""

import numpy as np
import pytest

from delocal.physics.model import STATUS, Model, Parameter, Status, Variable
from delocal.service.errors import Conflict, RequestError
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState
from delocal.workers.local import run_plan
from tests.service.conftest import EACH_DATABASE, PLACES_AND_DATABASES
from tests.waiting import PATIENCE

COUNTED = {"noise": 0, "square": 0}


def noise(point, options, rng, cancelled):
    COUNTED["noise"] += 1
    return {"y": rng.normal(point["x"] * point["z"])}


def square(mesh, options):
    x, z = np.broadcast_arrays(mesh["x"], mesh["z"])
    COUNTED["square"] += x.size
    return {"status": np.full(x.shape, Status.DONE), "y": x**2 + z, "twice": 2 * mesh["x"]}


PARAMETERS = (Parameter("x", "place", "1"), Parameter("z", "other place", "1", default=1.0))
NOISE = Model(
    name="noise",
    version="1",
    kind="monte-carlo",
    title="Noise",
    reference="none",
    parameters=PARAMETERS,
    variables=(STATUS, Variable("y", "number", estimated=True)),
    evaluate=lambda mesh, options: {},
    replicate=noise,
    target="y",
    seconds_per_cell=0.1,
)
SQUARE = Model(
    name="square",
    version="1",
    kind="self-consistent",
    title="A dear square",
    reference="none",
    parameters=PARAMETERS,
    variables=(STATUS, Variable("y", "number"), Variable("twice", "2 x", depends=("x",))),
    evaluate=square,
    seconds_per_cell=0.02,
)
REQUEST = {
    "models": ["noise", "square"],
    "axes": {"x": [1, 2, 3], "z": {"like": "x"}},
    "sampling": {"replicas": 8},
}


@pytest.fixture(autouse=True)
def toys(install):
    install(NOISE, SQUARE)
    COUNTED.update(noise=0, square=0)


def run(service, request):
    record = service.sweeps.submit(SweepRequest.parse(request))
    record = service.sweeps.wait(record.id, timeout=PATIENCE)
    assert record.state == SweepState.DONE
    return record.id


def contents(store):
    return {
        (name, str(v)): (ds[v].dims, ds[v].values.tobytes())
        for name in ("noise", "noise_replicas", "square")
        for ds in [store.open_model(name).load()]
        for v in ds
        if "seconds" not in v
    }


def at_once(tmp_path, request):
    """What the whole sweep is when nothing was there before."""
    return contents(run_plan(SweepRequest.parse(request).plan(), tmp_path / "alone"))


@EACH_DATABASE
@pytest.mark.parametrize(
    ("changes", "whole", "new"),
    [
        (
            {"axes": {"x": [2.5, 9]}},
            {**REQUEST, "axes": {"x": [1, 2, 2.5, 3, 9], "z": {"like": "x"}}},
            {"noise": 2 * 8, "square": 2},
        ),
        (
            {"sampling": {"replicas": 24}},
            {**REQUEST, "sampling": {"replicas": 24}},
            {"noise": 3 * 16, "square": 0},
        ),
        (
            {"axes": {"x": {"linspace": [4, 6, 3]}}, "sampling": {"replicas": 16}},
            {
                **REQUEST,
                "axes": {"x": [1, 2, 3, 4, 5, 6], "z": {"like": "x"}},
                "sampling": {"replicas": 16},
            },
            {"noise": 3 * 8 + 3 * 16, "square": 3},
        ),
    ],
    ids=["values", "replicas", "both"],
)
def test_an_extended_sweep_is_the_one_asked_for_at_once(service, tmp_path, changes, whole, new):
    first = run(service, REQUEST)
    COUNTED.update(noise=0, square=0)
    extended = service.sweeps.extend(first, changes)
    service.sweeps.wait(extended.id, timeout=PATIENCE)
    assert new == COUNTED  # nothing that was there is computed again
    assert extended.id == SweepRequest.parse(whole).plan().sweep_id != first
    assert contents(service.sweeps.store(extended.id)) == at_once(tmp_path, whole)
    assert [e.data for e in service.sweeps.events(first, 0) if e.kind == "extended"] == [
        {"to": extended.id}
    ]


@EACH_DATABASE
def test_a_sweep_that_shares_cells_finds_them_by_itself(service, tmp_path):
    run(service, REQUEST)
    other = {**REQUEST, "axes": {"x": [3, 4], "z": [1, 3]}}
    estimate = service.sweeps.estimate(SweepRequest.parse(other))
    COUNTED.update(noise=0, square=0)
    sweep = run(service, other)
    assert {"noise": 3 * 8, "square": 3} == COUNTED  # (3, 3) is there already
    assert contents(service.sweeps.store(sweep)) == at_once(tmp_path, other)
    assert estimate.known == 8 + 1
    same = {**REQUEST, "axes": {"x": [2, 3, 4], "z": {"like": "x"}}}
    assert service.sweeps.estimate(SweepRequest.parse(same)).known == 2 * 8 + 2


MORE = {"axes": {"x": [4]}}
WHOLE = {**REQUEST, "axes": {"x": [1, 2, 3, 4], "z": {"like": "x"}}}


def damage(storage, name):
    content = bytearray(storage.read(name))
    content[len(content) // 2] ^= 1
    storage.write(name, bytes(content))


@pytest.fixture
def anywhere(tmp_path, place, on_each_database, monkeypatch):
    """A service whose sweeps lie in a folder or a bucket, and are cut into blocks of one cell."""
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 1)
    cluster = ClusterSettings(kind="none")
    service = Service(Settings(data=tmp_path / "data", sweeps=place, cluster=cluster))
    yield service
    service.close()


@PLACES_AND_DATABASES
def test_cells_are_copied_from_place_to_place(anywhere, tmp_path):
    first = run(anywhere, REQUEST)
    COUNTED.update(noise=0, square=0)
    extended = anywhere.sweeps.extend(first, MORE)
    anywhere.sweeps.wait(extended.id, timeout=PATIENCE)
    assert {"noise": 8, "square": 1} == COUNTED
    assert contents(anywhere.sweeps.store(extended.id)) == at_once(tmp_path, WHOLE)


@PLACES_AND_DATABASES
def test_what_is_damaged_or_unsigned_is_computed_and_not_copied(anywhere, tmp_path):
    first = run(anywhere, REQUEST)
    storage = anywhere.sweeps.store(first).storage
    damage(storage, "data.zarr/square/y/c.0")
    damage(storage, "data.zarr/noise_replicas/y/c.0.0")
    storage.remove("receipts/square/0000001.json")
    COUNTED.update(noise=0, square=0)
    extended = anywhere.sweeps.extend(first, MORE)
    anywhere.sweeps.wait(extended.id, timeout=PATIENCE)
    assert COUNTED["square"] == 1 + 2
    assert COUNTED["noise"] > 8
    assert contents(anywhere.sweeps.store(extended.id)) == at_once(tmp_path, WHOLE)


@PLACES_AND_DATABASES
def test_a_sweep_purged_before_its_cells_were_copied(anywhere, tmp_path):
    first = run(anywhere, REQUEST)
    anywhere.dispatcher.stop()
    extended = anywhere.sweeps.extend(first, MORE)
    anywhere.sweeps.delete(first)
    anywhere.sweeps.purge(first)
    COUNTED.update(noise=0, square=0)
    go_on(anywhere, extended.id)
    assert {"noise": 4 * 8, "square": 4} == COUNTED
    assert contents(anywhere.sweeps.store(extended.id)) == at_once(tmp_path, WHOLE)


@PLACES_AND_DATABASES
def test_a_deleted_sweep_is_no_source(anywhere):
    first = run(anywhere, REQUEST)
    assert anywhere.sweeps.estimate(SweepRequest.parse(WHOLE)).known == 3 * 8 + 3
    anywhere.dispatcher.stop()
    extended = anywhere.sweeps.extend(first, MORE)
    anywhere.sweeps.delete(first)
    with pytest.raises(Conflict, match="restore it"):
        anywhere.sweeps.extend(first, MORE)
    assert anywhere.sweeps.estimate(SweepRequest.parse(WHOLE)).known == 0
    COUNTED.update(noise=0, square=0)
    go_on(anywhere, extended.id)
    assert {"noise": 4 * 8, "square": 4} == COUNTED


@PLACES_AND_DATABASES
def test_a_plan_that_is_damaged_is_no_source(anywhere):
    first = run(anywhere, REQUEST)
    anywhere.sweeps.store(first).storage.write("plan.json", b"{")
    anywhere.dispatcher.forget(first)
    COUNTED.update(noise=0, square=0)
    run(anywhere, WHOLE)
    assert {"noise": 4 * 8, "square": 4} == COUNTED


def go_on(stopped, sweep_id):
    """Let another service do what one that was stopped left."""
    another = Service(stopped.settings)
    try:
        assert another.sweeps.wait(sweep_id, timeout=PATIENCE).state == SweepState.DONE
    finally:
        another.close()


@EACH_DATABASE
def test_another_seed_or_option_or_version_shares_nothing(service):
    run(service, REQUEST)
    COUNTED.update(noise=0, square=0)
    run(service, {**REQUEST, "seed": 1, "models": ["noise"]})
    assert COUNTED["noise"] == 3 * 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "nothing to add"),
        ({"axes": {"z": [1]}}, "no axis 'z' with values of its own; did you mean|Known: x"),
        ({"axes": {"y": [1]}}, "no axis 'y'"),
        ({"axes": {"x": {"like": "z"}}}, "zipped"),
        ({"sampling": {"replicas": 4}}, "4 is fewer than the 8 there are"),
        ({"sampling": {"replica": 4}}, "replica"),
        ({"fixed": {"x": 4}}, "fixed"),
        ({"sampling": {"max_replicas": 100}}, "max_replicas"),
    ],
    ids=str,
)
def test_what_cannot_be_added_is_said(service, changes, message):
    first = run(service, REQUEST)
    with pytest.raises(RequestError, match=message):
        service.sweeps.extend(first, changes)
