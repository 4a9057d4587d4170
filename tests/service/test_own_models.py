"""A service imports the modules that its settings name, and sweeps the models they register."""

import sys

import pytest

from delocal.physics import models
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.physics.test_own_models import SOURCE

HERE = ClusterSettings(kind="none")


def test_the_setting_models_makes_them_known(tmp_path, monkeypatch):
    (tmp_path / "lab_service.py").write_text(SOURCE.format(name="lab-service"))
    monkeypatch.syspath_prepend(tmp_path)
    service = Service(Settings(data=tmp_path / "data", cluster=HERE, models=("lab_service",)))
    try:
        request = SweepRequest.parse({"models": ["lab-service"], "axes": {"x": [1, 2]}})
        sweep = service.sweeps.wait(service.sweeps.submit(request).id)
        assert sweep.counts == {"done": 2}
    finally:
        service.close()
        models.forget("lab-service")
        del sys.modules["lab_service"]


def test_a_module_that_is_not_there_stops_the_service_at_its_start(tmp_path):
    with pytest.raises(ValueError, match="'lab_lost' cannot be imported here"):
        Service(Settings(data=tmp_path / "data", cluster=HERE, models=("lab_lost",)))
    assert not (tmp_path / "data").exists()
