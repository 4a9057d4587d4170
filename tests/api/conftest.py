import pytest
from fastapi.testclient import TestClient

from delocal.api.app import create_app
from delocal.service.settings import ClusterSettings, Service, Settings


@pytest.fixture
def service(tmp_path):
    service = Service(Settings(data=tmp_path, cluster=ClusterSettings(kind="none")))
    yield service
    service.close()


@pytest.fixture
def rest(service):
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client
