"""The guard: keys where they are needed, limits for everybody, nothing learnt from a refusal."""

import pickle

import pytest

from delocal.api import serving
from delocal.api.serving import require_keys
from delocal.service.keys import AccessSettings, Keys
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.api.conftest import ELSEWHERE, client_of
from tests.api.test_rest import REQUEST


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a service with access settings."""
    started = []

    def start(**access):
        cluster = ClusterSettings(kind="none")
        service = Service(Settings(data=tmp_path, cluster=cluster, access=AccessSettings(**access)))
        started.append(service)
        return service

    yield start
    for service in started:
        service.close()


def bearer(service, *scopes, days=1.0):
    text = service.keys.create("test", scopes or ["admin"], days)[1]
    return {"Authorization": f"Bearer {text}"}


def status(client, **headers):
    return client.get("/v1/sweeps", headers=headers).status_code


@pytest.mark.parametrize(
    ("keys", "local", "address", "expected"),
    [
        ("auto", True, "127.0.0.1", 200),
        ("auto", True, "::1", 200),
        ("auto", True, "192.0.2.1", 401),  # a proxy on this machine says who really asks
        ("auto", False, "127.0.0.1", 401),  # a mesh of proxies looks like this machine
        ("always", True, "127.0.0.1", 401),
        ("never", False, "192.0.2.1", 200),
    ],
)
def test_where_a_key_is_needed(start, keys, local, address, expected):
    service = start(keys=keys)
    with client_of(service, (address, 1), local=local) as client:
        assert status(client) == expected


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "[::1]:8000", "127.0.0.2"])
def test_this_machine_has_several_names(service, host):
    with client_of(service) as client:
        assert status(client, Host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.1", ""])
def test_a_page_elsewhere_whose_name_leads_here_needs_a_key(service, host):
    with client_of(service) as client:
        assert status(client, Host=host) == 401


def test_a_key_that_is_shown_is_checked_even_where_none_is_needed(service):
    reader = bearer(service, "data:read")
    with client_of(service) as client:
        assert status(client) == 200
        assert status(client, **reader) == 403
        assert status(client, Authorization="Bearer delocal_x_y") == 401
        assert status(client, Authorization="Basic YTpi") == 401


def test_a_revoked_key_is_refused_at_once(service):
    key, text = service.keys.create("test", ["sweeps:read"])
    with client_of(service, ELSEWHERE) as client:
        assert status(client, Authorization=f"Bearer {text}") == 200
        service.keys.revoke(key.id)
        response = client.get("/v1/sweeps", headers={"Authorization": f"bearer {text}"})
        assert response.status_code == 401
        assert "is revoked" in response.json()["detail"]
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_refusal_says_which_scope_is_missing(service):
    with client_of(service, ELSEWHERE) as client:
        response = client.post("/v1/sweeps", json=REQUEST, headers=bearer(service, "data:read"))
        assert response.status_code == 403
        assert "the scope sweeps:write; this one has data:read" in response.json()["detail"]


def test_a_sweep_is_whose_key_submitted_it(service):
    headers = bearer(service, "sweeps:write", "sweeps:read")
    with client_of(service, ELSEWHERE) as client:
        found = client.post("/v1/sweeps", json=REQUEST, headers=headers).json()
        assert found["submitted_by"] == service.keys.all()[0].id


def test_acts_are_in_the_audit_with_who_and_what_and_refusals_are_not(service):
    headers = {**bearer(service), "X-Request-Id": "my-id"}
    with client_of(service, ELSEWHERE) as client:
        sweep = client.post("/v1/sweeps", json=REQUEST, headers=headers).json()["id"]
        key = client.post("/v1/keys", json={"name": "x"}, headers=headers).json()["id"]
        client.delete(f"/v1/keys/{key}", headers=headers)
        client.post(f"/v1/sweeps/{sweep}:share", json={}, headers=headers)
        client.post(f"/v1/sweeps/{sweep}:cancel", headers=headers)  # 409
        client.post("/v1/sweeps?dry_run=true", json=REQUEST, headers=headers)
        client.post("/v1/sweeps", json=REQUEST)  # 401
        acts = client.get("/v1/audit", headers=headers).json()["acts"]
        page = client.get("/v1/audit?limit=2", headers=headers).json()
        assert page["acts"] == acts[:2]
        assert client.get(page["next"], headers=headers).json()["acts"] == acts[2:]
    told = [(act["action"], act["subject"]) for act in reversed(acts)]
    made = [("key.create", key), ("key.revoke", key), ("sweep.share", sweep)]
    assert told == [("sweep.submit", sweep), *made]
    holder = service.keys.all()[0].id
    assert {(act["caller"], act["address"], act["request_id"]) for act in acts} == {
        (holder, "192.0.2.1", "my-id")
    }


def test_an_act_without_a_key_says_so(rest, service):
    rest.post("/v1/sweeps", json=REQUEST)
    assert [act.caller for act in service.audit.newest()] == ["without a key"]


# limits


def test_asking_too_often_is_told_when_to_ask_again(start):
    service = start(rate=0.5, burst=3)
    headers, other = bearer(service), bearer(service)
    with client_of(service, ELSEWHERE) as client:
        answers = [client.get("/v1/sweeps", headers=headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["RateLimit-Policy"] == '"default";q=3;w=6'
        assert answers[0].headers["RateLimit"].startswith('"default";r=2;t=')
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 2
        assert answers[3].headers["Content-Type"] == "application/problem+json"
        assert status(client, **other) == 200  # each caller for itself
        assert client.get("/healthz").status_code == 200


def test_guessing_keys_is_limited_too(start):
    service = start(rate=0.1, burst=2)
    with client_of(service, ELSEWHERE) as client:
        found = [status(client, Authorization=f"Bearer delocal_{i}_x") for i in range(4)]
        assert found == [401, 401, 429, 429]
        assert status(client, **bearer(service)) == 200


def test_who_needs_no_key_has_no_limit(start):
    service = start(rate=0.1, burst=1)
    with client_of(service) as client:
        answers = [client.get("/v1/sweeps") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert "RateLimit" not in answers[0].headers


def test_the_files_of_a_store_are_cheap(start):
    service = start(rate=0.01, burst=2)
    headers = bearer(service)
    with client_of(service, ELSEWHERE) as client:
        path = "/v1/sweeps/0123456789abcdef/zarr/zarr.json"
        found = [client.get(path, headers=headers).status_code for _ in range(50)]
        assert found == [404] * 50
        assert status(client, **headers) == 200


def test_a_body_that_is_too_long_is_refused_before_it_is_read(start):
    service = start(max_body=1000)
    pieces = []

    def body():
        for piece in [b" " * 600] * 5:
            pieces.append(piece)
            yield piece

    with client_of(service) as client:
        announced = client.post("/v1/sweeps", content=body(), headers={"Content-Length": "3000"})
        assert announced.status_code == 413
        assert announced.headers["Content-Type"] == "application/problem+json"
        assert "a request may have 1000 bytes" in announced.json()["detail"]
        kind = {"Content-Type": "application/json"}
        unannounced = client.post("/v1/sweeps", content=body(), headers=kind)
        assert unannounced.status_code == 413
        assert unannounced.headers["Content-Type"] == "application/problem+json"
        right = client.post("/v1/sweeps", content=b"{}" + b" " * 998, headers=kind)
        assert right.status_code == 422


def test_a_body_is_not_read_from_who_may_not_send_it(start):
    service = start()
    reads = []

    async def receive():
        reads.append(1)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/sweeps",
        "raw_path": b"/v1/sweeps",
        "query_string": b"",
        "headers": [(b"content-length", b"2")],
        "client": ELSEWHERE,
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    with client_of(service) as client:
        client.portal.call(client.app, scope, receive, send)
    assert sent[0]["status"] == 401
    assert reads == []


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 5000, "\u0661", "abc"])
def test_a_length_that_is_none_is_refused(rest, length):
    headers = {"Content-Length": length.encode("utf-8")}
    assert rest.post("/v1/sweeps", content=b"{}", headers=headers).status_code == 413


# headers


def test_every_answer_says_what_a_browser_may_do_with_it(rest):
    for path in ("/v1/sweeps", "/v1/nothing", "/healthz", "/openapi.json"):
        headers = rest.get(path).headers
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_other_origins_are_refused_unless_a_setting_allows_them(start):
    page = {"Origin": "https://page.example"}
    preflight = {**page, "Access-Control-Request-Method": "POST"}
    preflight |= {"Access-Control-Request-Headers": "authorization,content-type"}
    with client_of(start(), ELSEWHERE) as client:
        assert "Access-Control-Allow-Origin" not in client.get("/healthz", headers=page).headers
        refused = client.options("/v1/sweeps", headers=preflight)
        assert refused.status_code == 405
        assert "Access-Control-Allow-Origin" not in refused.headers
    with client_of(start(origins=["https://page.example"]), ELSEWHERE) as client:
        allowed = client.options("/v1/sweeps", headers=preflight)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert "Access-Control-Allow-Credentials" not in allowed.headers
        told = client.get("/v1/sweeps", headers=page)  # a page may read why it was refused
        assert told.status_code == 401
        assert told.headers["Access-Control-Allow-Origin"] == "https://page.example"
        other = client.get("/healthz", headers={"Origin": "https://other.example"})
        assert "Access-Control-Allow-Origin" not in other.headers


# no code


def test_code_is_not_accepted_in_any_form(rest, tmp_path):
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')"

    class Bomb:
        def __reduce__(self):
            return (exec, (code,))

    kinds = ["application/json", "application/octet-stream", "application/x-yaml"]
    bodies = [pickle.dumps(Bomb()), f"!!python/object/apply:eval [{code!r}]".encode()]
    for kind in kinds:
        for body in bodies:
            headers = {"Content-Type": kind}
            response = rest.post("/v1/sweeps", content=body, headers=headers)
            assert response.status_code in (400, 422), response.text
    for models in ([code], ["os.system"], [f"__import__('os').system('touch {ran}')"]):
        assert rest.post("/v1/sweeps", json={"models": models}).status_code == 422
    wrong = {**REQUEST, "exclude": [{"T": {"gt": code}}], "options": {"scaling": {"f": code}}}
    assert rest.post("/v1/sweeps", json=wrong).status_code == 422
    assert not ran.exists()


# where a service may listen


def test_a_service_that_others_can_reach_needs_keys_first(tmp_path):
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"))
    for host in ("127.0.0.1", "localhost", "::1"):
        require_keys(settings, host)
    with pytest.raises(PermissionError, match=r"delocal keys create NAME --data .*KEYS=never"):
        require_keys(settings, "0.0.0.0")
    ledger = settings.open_ledger()
    Keys(ledger.engine).create("old", days=-1)
    for host in ("0.0.0.0", "::", "192.0.2.1", "myhost.example"):
        with pytest.raises(PermissionError, match="nobody has a key"):
            require_keys(settings, host)
    Keys(ledger.engine).create("first")
    ledger.close()
    require_keys(settings, "0.0.0.0")


def test_the_owner_may_say_that_nobody_needs_a_key(tmp_path):
    access = AccessSettings(keys="never")
    require_keys(Settings(data=tmp_path / "not made", access=access), "0.0.0.0")
    assert not (tmp_path / "not made").exists()


def test_nothing_is_started_before_there_are_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "listen", lambda *_: pytest.fail("it listens"))
    with pytest.raises(PermissionError):
        serving.serve(Settings(data=tmp_path), "0.0.0.0", 0, lambda _: None)


def test_access_is_set_from_the_environment(monkeypatch):
    monkeypatch.setenv("DELOCAL_ACCESS__KEYS", "always")
    monkeypatch.setenv("DELOCAL_ACCESS__ORIGINS", '["https://page.example"]')
    monkeypatch.setenv("DELOCAL_QUOTA__CELLS", "7")
    settings = Settings()
    assert settings.access.keys == "always"
    assert settings.access.origins == ("https://page.example",)
    assert settings.quota.cells == 7
