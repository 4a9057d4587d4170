"""What a client does when a call fails: try again, where that may help and cannot do harm."""

import itertools

import httpx2
import pytest

from delocal.api import http_calls
from delocal.api.http_calls import Connection, error_of
from delocal.api.response_cache import ResponseCache
from delocal.service.errors import NotReady, TooManyRequests

URL = "http://service.example"
OURS = {"content-type": "application/problem+json"}
BODY = {"detail": "make room there", "errors": []}


def answer(status, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)


@pytest.fixture
def pauses(monkeypatch):
    """The seconds that were waited, which are none in truth."""
    clock, waited = itertools.count(0), []
    monkeypatch.setattr(http_calls.time, "sleep", waited.append)
    monkeypatch.setattr(http_calls.time, "monotonic", lambda: next(clock) / 1e3 + sum(waited))
    return waited


@pytest.fixture
def service(tmp_path):
    """Return a connection to a service that gives these answers, the last again and again."""

    def make(*answers, patience=60.0, key=None, cache=None):
        left, seen = list(answers), []

        def handle(request):
            seen.append(request)
            following = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(following, Exception):
                raise following
            return following

        connection = Connection(URL, key, 1.0, patience, cache or ResponseCache(tmp_path))
        transport = httpx2.MockTransport(handle)
        connection._http = httpx2.Client(
            base_url=URL, transport=transport, headers=connection.headers
        )
        return connection, seen

    return make


@pytest.mark.parametrize(
    "failure",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadError("cut"),
        httpx2.RemoteProtocolError("closed"),
        answer(502),
        answer(503),
        answer(504),
        answer(503, BODY, Retry_After="1", **OURS),
        answer(429, BODY, Retry_After="1"),
    ],
    ids=repr,
)
def test_a_question_is_asked_again_until_it_is_answered(service, pauses, failure):
    connection, seen = service(failure, failure, answer(200, {"state": "done"}))
    assert connection.send("GET", "/").json() == {"state": "done"}
    assert len(seen) == 3
    assert len(pauses) == 2


def test_pauses_grow_and_end_with_the_patience(service, pauses):
    connection, seen = service(httpx2.ConnectError("refused"), patience=20)
    with pytest.raises(ConnectionError, match="start one with `delocal serve`"):
        connection.send("GET", "/")
    assert sum(pauses) <= 20
    assert pauses[1] > pauses[0] > 0
    assert max(pauses) <= 1.25 * http_calls.LONGEST_PAUSE
    assert len(seen) == len(pauses) + 1


@pytest.mark.parametrize(
    "failure", [httpx2.ReadError("cut"), httpx2.ReadTimeout("slow"), answer(502), answer(503)]
)
def test_what_may_have_been_done_is_not_done_again(service, pauses, failure):
    connection, seen = service(failure)
    if isinstance(failure, Exception):
        with pytest.raises(OSError):
            connection.send("POST", "/v1/sweeps/1:cancel")
    else:
        assert connection.send("POST", "/v1/sweeps/1:cancel").is_error
    assert len(seen) == 1
    connection, seen = service(failure, answer(202, {}))
    assert connection.send("POST", "/v1/sweeps", repeatable=True).status_code == 202


@pytest.mark.parametrize(
    "failure", [httpx2.ConnectError("refused"), answer(429, BODY, Retry_After="2")]
)
def test_what_was_not_done_is_asked_again(service, pauses, failure):
    connection, seen = service(failure, answer(202, {}))
    assert connection.send("POST", "/v1/sweeps/1:cancel").status_code == 202
    assert len(seen) == 2


def test_an_answer_of_the_service_that_will_not_change_is_given_at_once(service, pauses):
    connection, seen = service(answer(503, BODY, **OURS))
    assert isinstance(error_of(connection.send("GET", "/readyz")), NotReady)
    assert (len(seen), pauses) == (1, [])


def test_a_slow_answer_says_what_to_do(service, pauses):
    connection, _ = service(httpx2.ReadTimeout("slow"), patience=0)
    with pytest.raises(TimeoutError, match=r"within 1 s; ask for less at once, or give it longer"):
        connection.send("GET", "/")


def test_errors_repeat_the_advice_of_the_service():
    assert "make room there" in str(error_of(answer(507, BODY)))
    assert error_of(answer(429, BODY, Retry_After="3")).retry_after == 3
    assert isinstance(error_of(answer(429, BODY, Retry_After="3")), TooManyRequests)
    assert "without a reason" in str(error_of(httpx2.Response(500, text="<html>")))
    assert "HTTP 418: make room" in str(error_of(answer(418, BODY)))


# what was sent before


def test_a_version_that_is_here_does_not_travel_again(service):
    first, same = answer(200, {"a": 1}, ETag='"v1"'), answer(304)
    connection, seen = service(first, same, answer(200, {"a": 2}, ETag='"v2"'), same)
    found = [connection.cached("/chunk").json()["a"] for _ in range(4)]
    assert found == [1, 1, 2, 2]
    asked = [request.headers.get("If-None-Match") for request in seen]
    assert asked == [None, '"v1"', '"v1"', '"v2"']


@pytest.mark.parametrize(
    "first", [answer(200, {}), answer(200, {}, ETag='"v"', Cache_Control="no-store"), answer(404)]
)
def test_what_has_no_version_or_must_not_be_kept_is_not(service, first):
    connection, seen = service(first)
    connection.cached("/chunk")
    connection.cached("/chunk")
    assert "If-None-Match" not in seen[1].headers
    assert connection.cache.size() == 0


def test_what_one_key_may_read_another_is_not_shown(service):
    cache = service(answer(200))[0].cache
    connection, _ = service(answer(200, {"a": 1}, ETag='"v"'), key="mine", cache=cache)
    connection.cached("/chunk")
    other, seen = service(answer(403, BODY), key="other", cache=cache)
    assert other.cached("/chunk").status_code == 403
    assert "If-None-Match" not in seen[0].headers
