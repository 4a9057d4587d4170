import pytest
from fastapi.testclient import TestClient

from delocal.api.app import create_app
from delocal.service.settings import ClusterSettings, Service, Settings

HERE = ("127.0.0.1", 50_000)
ELSEWHERE = ("192.0.2.1", 50_000)


@pytest.fixture
def service(tmp_path):
    service = Service(Settings(data=tmp_path, cluster=ClusterSettings(kind="none")))
    yield service
    service.close()


@pytest.fixture
def rest(service):
    with client_of(service) as client:
        yield client


def client_of(
    service, address=HERE, base_url="http://127.0.0.1", local=True, raise_server_exceptions=False
):
    """Return a client of the application in this process, as if it came from `address`."""
    app = create_app(service, local=local)
    return TestClient(app, base_url, raise_server_exceptions, client=address)
