"""What callers may do: submit, find again, estimate, and go on after a restart."""

import threading

import pytest

from delocal.service.errors import NotFound, RequestError
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings, make_executor
from delocal.service.states import SweepState
from delocal.service.sweeps import describe_models, one_model
from tests.waiting import PATIENCE

LIGHT = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 11]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}
HEAVY = {**LIGHT, "axes": {**LIGHT["axes"], "T": {"geomspace": [1e-6, 1e-2, 100_000]}}}


def submit(service, content):
    return service.sweeps.submit(SweepRequest.parse(content))


def test_a_light_sweep_is_done_when_submit_returns(service):
    sweep = submit(service, LIGHT)
    assert sweep.state == SweepState.DONE
    assert sweep.counts == {"done": 22}


def test_a_heavy_sweep_is_queued_and_then_done(service):
    begin = threading.Event()
    service.executor._pool.submit(begin.wait, PATIENCE)
    sweep = submit(service, HEAVY)
    assert not sweep.state.ended
    begin.set()
    assert service.sweeps.wait(sweep.id, timeout=PATIENCE).counts == {"done": 200_000}


def test_an_identical_request_finds_the_sweep_whatever_its_name(service):
    first = submit(service, {**LIGHT, "name": "first"})
    again = submit(service, {**LIGHT, "name": "second", "tags": ["x"]})
    assert again == first
    assert len(service.ledger.newest()) == 1


def test_an_estimate_runs_nothing(service):
    request = SweepRequest.parse(HEAVY)
    before = service.sweeps.estimate(request)
    assert (before.cells, before.exists) == (200_000, False)
    assert before.blocks == 2
    assert before.core_seconds > 0
    assert service.ledger.newest() == []
    assert not (service.settings.data / "sweeps" / before.id).exists()


def test_an_estimate_counts_the_bytes_of_every_variable(service):
    sweep = submit(service, LIGHT)
    loaded = service.sweeps.store(sweep.id).open_model("scaling").load()
    estimate = service.sweeps.estimate(SweepRequest.parse(LIGHT))
    assert estimate.bytes == sum(v.nbytes for v in loaded.data_vars.values())
    assert estimate.exists


def test_too_many_cells_name_the_axes(tmp_path):
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"), max_cells=10)
    service = Service(settings)
    with pytest.raises(RequestError, match=r"22 cells = 11 \(T\) x 2 \(d\); at most 10"):
        submit(service, LIGHT)
    service.close()


def test_an_unknown_sweep_is_not_found(service):
    with pytest.raises(NotFound, match="no sweep '0123'"):
        service.sweeps.get("0123")


def test_a_service_started_again_goes_on(tmp_path):
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"))
    first = Service(settings)
    first.dispatcher.stop()  # nobody computes
    sweep = submit(first, HEAVY)
    first.close()
    second = Service(settings)
    assert second.sweeps.wait(sweep.id, timeout=PATIENCE).state == SweepState.DONE
    second.close()


def test_every_model_is_described_in_full():
    (scaling,) = [model for model in describe_models() if model["name"] == "scaling"]
    alpha = next(p for p in scaling["parameters"] if p["name"] == "alpha")
    assert alpha["required"]
    assert alpha["allowed"] == "finite number, 0 < alpha"
    kappa = next(v for v in scaling["variables"] if v["name"] == "kappa_sd")
    assert "(77)" in kappa["equation"]
    assert one_model("scaling") == scaling
    with pytest.raises(NotFound, match="did you mean 'scaling'"):
        one_model("scalin")


def test_settings_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DELOCAL_DATA", str(tmp_path))
    monkeypatch.setenv("DELOCAL_CLUSTER__KIND", "address")
    settings = Settings()
    assert (settings.data, settings.cluster.kind) == (tmp_path, "address")
    with pytest.raises(ValueError, match=r"needs cluster\.address, such as tls://host:8786"):
        make_executor(settings.cluster)
