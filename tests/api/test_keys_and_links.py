"""Keys over REST, links to a dataset for who has none, and the page that shows the API."""

import base64
import hashlib
import re
from time import sleep as pause

import pytest
import xarray as xr

import delocal
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service.errors import NoKey, NotAllowed, QuotaUsedUp, TooManyRequests
from delocal.service.keys import AccessSettings
from delocal.service.quotas import QuotaSettings
from delocal.service.settings import ClusterSettings, Settings
from tests.api.conftest import ELSEWHERE, client_of
from tests.api.test_rest import REQUEST, submit

SMALL = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 11]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}


def test_a_key_made_over_rest_works_until_it_is_revoked(rest, service):
    made = rest.post("/v1/keys", json={"name": "bot", "scopes": ["sweeps:read"], "days": 2})
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/v1/keys/{made.json()['id']}")
    assert made.headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    with client_of(service, ELSEWHERE) as client:
        assert client.get("/v1/sweeps", headers=headers).status_code == 200
        listed = rest.get("/v1/keys").json()
        assert made.json()["key"] not in str(listed)
        assert [(key["name"], key["state"]) for key in listed] == [("bot", "usable")]
        assert listed[0]["last_used"] is not None
        assert rest.delete(f"/v1/keys/{listed[0]['id']}").status_code == 204
        assert client.get("/v1/sweeps", headers=headers).status_code == 401
    assert rest.delete(f"/v1/keys/{listed[0]['id']}").status_code == 409
    assert rest.delete("/v1/keys/none").status_code == 404
    assert rest.get("/v1/keys").json()[0]["state"] == "revoked"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": ""},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "days": 0},
        {"name": "x", "code": "import os"},
    ],
)
def test_a_wrong_request_for_a_key_makes_none(rest, wrong):
    assert rest.post("/v1/keys", json=wrong).status_code == 422
    assert rest.get("/v1/keys").json() == []


def test_a_shared_link_reads_one_sweep_without_a_key(rest, service, monkeypatch):
    sweep, other = submit(rest, SMALL)["id"], submit(rest)["id"]
    link = rest.post(f"/v1/sweeps/{sweep}:share", json={"seconds": 60}).json()
    with client_of(service, ELSEWHERE, local=False) as client:
        found = client.get(f"{link['data']}?variables=kappa_sd&d=3&T=1e-6:1e-5").json()
        assert found["sizes"] == {"T": 3}
        assert client.get(f"{link['zarr']}/zarr.json").status_code == 200
        assert client.head(f"{link['zarr']}/zarr.json").status_code == 200
        assert client.get(f"{link['zarr']}/..%2f..%2f{other}/plan.json").status_code == 404
        forged = link["zarr"].replace(sweep, other)
        assert client.get(f"{forged}/zarr.json").status_code == 401
        assert client.get(f"/v1/sweeps/{sweep}/data").status_code == 401
        monkeypatch.setattr("delocal.service.sharing.time.time", lambda: 4e9)
        expired = client.get(link["data"])
        assert expired.status_code == 401
        assert "has expired" in expired.json()["detail"]


def test_a_link_is_made_for_a_sweep_that_exists_and_for_a_while(rest):
    assert rest.post("/v1/sweeps/0123456789abcdef:share", json={}).status_code == 404
    sweep = submit(rest, SMALL)["id"]
    for seconds in (0, 31 * 86_400):
        response = rest.post(f"/v1/sweeps/{sweep}:share", json={"seconds": seconds})
        assert response.status_code == 422


def test_the_page_of_the_api_may_run_its_own_script_and_no_other(rest):
    response = rest.get("/docs")
    policy = response.headers["Content-Security-Policy"]
    [script] = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    allowed = re.search("script-src ([^;]*)", policy)[1].split()
    assert "'unsafe-inline'" not in allowed
    for source in re.findall(r'(?:src|href)="(https?://[^/"]+)', response.text):
        assert source in allowed
    assert "connect-src 'self'" in policy
    assert "/openapi.json" in script


# the client, over real HTTP


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Yield a service on this machine that wants a key even so."""
    settings = Settings(
        data=tmp_path_factory.mktemp("data"),
        cluster=ClusterSettings(kind="none"),
        access=AccessSettings(keys="always", rate=20, burst=60),
        quota=QuotaSettings(cells=1000),
    )
    with serving(settings) as (url, service):
        yield url, service


def test_the_client_shows_its_key_everywhere(served, tmp_path):
    url, service = served
    text = service.keys.create("laptop")[1]
    with delocal.connect(url, key=text) as client:
        assert text not in repr(client)
        sweep = client.submit(SMALL).wait()
        assert sweep.open()["scaling"].sizes["T"] == 11
        local = service.sweeps.store(sweep.id).open_model("scaling").load()
        headers = {"Authorization": f"Bearer {text}"}
        options = {"storage_options": {"headers": headers}, "chunks": None}
        remote = xr.open_zarr(f"{sweep.zarr_url}/scaling", **options)
        xr.testing.assert_identical(remote.load(), local)
        shared = xr.open_zarr(f"{sweep.share(60)['zarr']}/scaling", chunks=None)
        xr.testing.assert_identical(shared.load(), local)
        copy = sweep.fetch(tmp_path / "copy")
        xr.testing.assert_identical(xr.open_zarr(copy / "scaling", chunks=None).load(), local)


def test_the_client_says_what_a_key_is_not_good_for(served):
    url, service = served
    with delocal.connect(url) as client, pytest.raises(NoKey, match="delocal keys create"):
        client.sweeps()
    text = service.keys.create("reader", ["sweeps:read"])[1]
    with delocal.connect(url, key=text) as client:
        with pytest.raises(NotAllowed, match="the scope sweeps:write"):
            client.submit(SMALL)
        assert isinstance(client.sweeps(), list)


def test_the_client_waits_when_it_asked_too_often(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr("delocal.api.http_calls.time.sleep", lambda s: waits.append(s) or pause(s))
    access = AccessSettings(keys="always", rate=0.7, burst=3)
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"), access=access)
    with serving(settings) as (url, service):
        with Client(url, key=service.keys.create("eager")[1]) as client:
            found = [client.sweeps() for _ in range(6)]
    assert found == [[]] * 6
    assert waits
    assert set(waits) <= {1.0, 2.0}


def test_the_client_gives_up_in_time(tmp_path):
    access = AccessSettings(keys="always", rate=0.001, burst=3)  # one in a quarter of an hour
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"), access=access)
    with serving(settings) as (url, service):
        with Client(url, key=service.keys.create("eager")[1], patience=0) as client:
            with pytest.raises(TooManyRequests, match=r"Ask again after \d+ s") as raised:
                [client.sweeps() for _ in range(500)]
            assert 500 < raised.value.retry_after <= 1000


def test_a_quota_is_an_error_at_once(served):
    url, service = served
    with Client(url, key=service.keys.create("greedy")[1]) as client:
        with pytest.raises(QuotaUsedUp, match="above the 1,000 that it may have"):
            client.submit(REQUEST)
        assert client.estimate(REQUEST)["exists"] is False
