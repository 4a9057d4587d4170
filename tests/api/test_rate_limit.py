"""The bucket of tokens: so many at once, so many in a second, for each caller alone."""

import pytest

from delocal.api import rate_limit
from delocal.api.rate_limit import RateLimiter


@pytest.fixture
def now():
    return [0.0]


def limiter(now, rate=2.0, burst=4):
    return RateLimiter(rate, burst, clock=lambda: now[0])


def passed(limiter, caller="a", cost=1.0, tries=100):
    return sum(limiter.take(caller, cost).allowed for _ in range(tries))


def test_a_burst_passes_and_then_the_rate(now):
    some = limiter(now)
    assert passed(some) == 4
    total = 4
    for _ in range(40):
        now[0] += 0.25
        total += passed(some)
    assert total == 4 + 2.0 * 10


def test_a_bucket_holds_no_more_than_a_burst(now):
    some = limiter(now)
    now[0] = 1e6
    assert passed(some) == 4


def test_after_the_time_told_there_is_an_answer(now):
    some = limiter(now, rate=0.3)
    passed(some)
    refused = some.take("a")
    assert not refused.allowed
    now[0] += refused.retry_after * 0.99
    assert not some.take("a").allowed
    now[0] += refused.retry_after * 0.02
    assert some.take("a").allowed


def test_what_is_cheap_passes_more_often(now):
    assert passed(limiter(now), cost=0.125) == 32


def test_callers_do_not_share(now):
    some = limiter(now)
    assert passed(some, "a") == 4
    assert passed(some, "b") == 4


def test_memory_is_bounded(now, monkeypatch):
    monkeypatch.setattr(rate_limit, "CALLERS_KEPT", 3)
    some = limiter(now)
    for caller in "abcdefgh":
        some.take(caller)
    assert list(some._buckets) == ["f", "g", "h"]


def test_headers_say_what_is_left(now):
    some = limiter(now)
    assert some.headers(some.take("a")) == {
        "RateLimit-Policy": '"default";q=4;w=2',
        "RateLimit": '"default";r=3;t=1',
    }
    passed(some)
    told = some.headers(some.take("a"))
    assert (told["RateLimit"], told["Retry-After"]) == ('"default";r=0;t=2', "1")
