"""A sweep that was removed and made anew, cut into other blocks: nobody goes on as before."""

import pytest

from delocal.service.request import SweepRequest
from delocal.service.results import Selection, select
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import SweepState

REQUEST = SweepRequest.parse(
    {
        "models": ["scaling"],
        "axes": {"T": {"geomspace": [1e-6, 1e-2, 40]}},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
)


@pytest.fixture
def services(tmp_path):
    """Two services on one ledger and one place of sweeps."""
    settings = Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none"))
    pair = Service(settings), Service(settings)
    yield pair
    for service in pair:
        service.close()


def read(service, sweep_id):
    """Return what a service says of a sweep, as its routes do."""
    ds = service.datasets.get(service.sweeps.store(sweep_id), None)
    return select(ds, ["kappa_sd", "status"], {"W": Selection((1.0,))})


def test_a_service_goes_on_with_what_another_made_anew(services, monkeypatch):
    one, other = services
    sweep_id = one.sweeps.wait(one.sweeps.submit(REQUEST).id).id
    before = read(other, sweep_id)
    assert len(other.sweeps.store(sweep_id).plan.parts[0].blocks) == 1
    one.sweeps.delete(sweep_id)
    one.sweeps.purge(sweep_id)
    one.dispatcher.stop()
    monkeypatch.setattr("delocal.workers.plan.BLOCK_CELLS", 4)
    monkeypatch.setattr("delocal.service.sweeps.INLINE_BLOCKS", 0)
    one.sweeps.submit(REQUEST)
    record = other.sweeps.wait(sweep_id, timeout=60)
    assert record.state == SweepState.DONE
    for service in services:
        assert len(service.sweeps.store(sweep_id).plan.parts[0].blocks) == record.blocks > 1
        assert read(service, sweep_id).identical(before)
