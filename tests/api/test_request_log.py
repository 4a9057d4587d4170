"""Each request has an id, a line in the log and a number in the metrics."""

import pytest
import structlog

from delocal.service.errors import Problem
from tests.api.conftest import ELSEWHERE, client_of
from tests.api.test_rest import REQUEST, submit


@pytest.fixture
def told():
    """Yield what is logged, with the ids that are bound."""
    structlog.reset_defaults()  # whatever was configured before
    entries = structlog.testing.LogCapture()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, entries])
    yield entries.entries
    structlog.reset_defaults()


def lines(told, event="request"):
    return [entry for entry in told if entry["event"] == event]


def test_a_request_is_told_with_its_route_status_and_duration(rest, told):
    response = rest.get("/v1/models/scaling", headers={"X-Request-Id": "mine-1"})
    assert response.headers["X-Request-Id"] == "mine-1"
    [line] = lines(told)
    assert 0 < line.pop("seconds") < 60
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "mine-1",
        "method": "GET",
        "path": "/v1/models/scaling",
        "route": "/v1/models/{name}",
        "status": 200,
        "key": None,
        "client": "127.0.0.1",
    }


def test_a_request_without_an_id_or_with_a_bad_one_gets_one(rest):
    ids = [rest.get("/healthz").headers["X-Request-Id"] for _ in range(2)]
    assert len(set(ids)) == 2
    for bad in ("a b", "x" * 65, 'a"b', "\u00e9".encode()):
        assert rest.get("/healthz", headers={"X-Request-Id": bad}).headers["X-Request-Id"] != bad


def test_what_a_request_sets_off_is_told_with_its_id(rest, told):
    headers = {"X-Request-Id": "mine-2"}
    sweep = rest.post("/v1/sweeps", json=REQUEST, headers=headers).json()["id"]
    [submitted] = lines(told, "sweep submitted")
    assert (submitted["request_id"], submitted["sweep"]) == ("mine-2", sweep)
    rest.get(f"/v1/sweeps/{sweep}")
    assert lines(told)[-1]["sweep"] == sweep
    assert lines(told)[-1]["request_id"] != "mine-2"


def test_the_holder_of_the_key_is_told_and_the_key_is_not(service, told):
    key, text = service.keys.create("test")
    with client_of(service, ELSEWHERE) as client:
        client.get("/v1/sweeps", headers={"Authorization": f"Bearer {text}"})
        client.get("/v1/sweeps", headers={"Authorization": f"Bearer {text}x"})
    assert [line["key"] for line in lines(told)] == [key.id, None]
    assert [line["client"] for line in lines(told)] == ["192.0.2.1"] * 2
    assert text.split("_", 2)[2] not in str(told)


def test_the_signature_of_a_shared_link_is_not_told(rest, told):
    sweep = submit(rest)["id"]
    token = rest.post(f"/v1/sweeps/{sweep}:share", json={}).json()["zarr"].split("/")[-2]
    assert rest.get(f"/v1/shared/{token}/zarr/zarr.json").status_code == 200
    assert lines(told)[-1]["path"] == f"/v1/shared/{sweep}.[signature]/zarr/zarr.json"
    assert token.rpartition(".")[2] not in str(told)


def test_probes_are_told_only_to_who_wants_everything(rest, told):
    for path in ("/healthz", "/readyz", "/metrics"):
        rest.get(path)
    assert [line["log_level"] for line in lines(told)] == ["debug"] * 3


def test_an_unexpected_error_is_told_once_with_its_traceback_and_id(
    rest, service, monkeypatch, told
):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(service.sweeps, "get", broken)
    response = rest.get("/v1/sweeps/0123456789abcdef", headers={"X-Request-Id": "mine-3"})
    assert response.status_code == 500
    assert "mine-3" in response.json()["detail"]
    assert "secret" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    [error] = lines(told, "unexpected error")
    assert (error["request_id"], error["exc_info"]) == ("mine-3", True)
    assert lines(told)[-1]["status"] == 500
    assert lines(told)[-1]["log_level"] == "error"


def test_an_error_in_the_middle_of_an_answer_breaks_it(service, monkeypatch, told):
    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(service.sweeps, "events", broken)
    with client_of(service, raise_server_exceptions=True) as client:
        sweep = submit(client)["id"]
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            client.get(f"/v1/sweeps/{sweep}/events")
    assert lines(told, "unexpected error")


def test_requests_are_counted_by_template_and_status(rest):
    for name in ("scaling", "network", "scalin"):
        rest.get(f"/v1/models/{name}")
    for number in range(20):
        rest.get(f"/nothing/{number}")
        rest.request(f"X{number}", "/nothing")
    text = rest.get("/metrics").text
    line = 'delocal_requests_total{method="GET",route="/v1/models/{name}",status="%d"} %.1f'
    assert line % (200, 2) in text
    assert line % (404, 1) in text
    assert 'delocal_requests_total{method="any",route="none",status="404"} 40.0' in text
    assert "nothing" not in text


def test_readyz_names_the_parts_that_are_down(rest, monkeypatch):
    found = [Problem("ledger", "locked"), Problem("data", "full")]
    monkeypatch.setattr("delocal.api.routes.service.problems", lambda _: found)
    response = rest.get("/readyz")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"] == "ledger: locked; data: full"
    assert [error["field"] for error in response.json()["errors"]] == ["ledger", "data"]
    assert rest.get("/healthz").status_code == 200
