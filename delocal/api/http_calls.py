"""One call to a service: patience, time limits, and the errors that its answers describe."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from delocal.api.response_cache import ResponseCache
from delocal.service.errors import (
    Conflict,
    DelocalError,
    NoKey,
    NoRoom,
    NotAllowed,
    NotFound,
    NotReady,
    Problem,
    QuotaUsedUp,
    RequestError,
    SelectionError,
    TooLarge,
    TooManyRequests,
)

ERRORS: dict[int, type[DelocalError]] = {
    401: NoKey,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: SelectionError,
    429: QuotaUsedUp,
    503: NotReady,
    507: NoRoom,
}
TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
SILENCE_SECONDS = 60.0  # of a stream, into which the service writes something every 15 s
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between two attempts
PASSING = {502, 503, 504}  # a proxy whose service is away for a moment


class Connection:
    """A service at `url`, and how long to bear with it.

    Parameters
    ----------
    timeout
        Seconds that one answer may take.
    patience
        Seconds for which a call that failed is tried again, where that may help and cannot do
        harm: with pauses that grow, or as long as the service asks for.
    cache
        Keeps what the service gave an ETag.
    """

    def __init__(
        self, url: str, key: str | None, timeout: float, patience: float, cache: ResponseCache
    ) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.timeout, self.patience, self.cache = timeout, patience, cache
        self._http = httpx2.Client(base_url=self.url, timeout=timeout, headers=self.headers)

    def send(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        patience: float | None = None,
        **content: Any,
    ) -> httpx2.Response:
        """Return an answer, whatever its status.

        Parameters
        ----------
        repeatable
            Whether to ask twice does what to ask once does; GET and HEAD are if it is None.
        patience
            In place of that of the connection.

        Raises
        ------
        ConnectionError, TimeoutError
            Nobody answers, or not in time.
        """
        if repeatable is None:
            repeatable = method in ("GET", "HEAD")
        end = time.monotonic() + (self.patience if patience is None else patience)
        for pause in _pauses():
            failure: httpx2.TransportError | None = None
            try:
                response = self._http.request(method, path, **content)
                wait = _wait_after(response, pause if repeatable else None)
            except httpx2.TransportError as error:
                failure = error
                unheard = isinstance(error, httpx2.ConnectError)
                wait = pause if repeatable or unheard else None
            if wait is None or time.monotonic() + wait > end:
                break
            time.sleep(wait)
        if failure is not None:
            raise self._unreachable(failure) from failure
        return response

    def cached(self, path: str) -> httpx2.Response:
        """Return an answer to GET; what is here already does not travel again."""
        kept = self.cache.find(self._cache_name(path))
        asking = {"If-None-Match": kept.etag} if kept else {}
        response = self.send("GET", path, headers=asking)
        if response.status_code == 304 and kept:
            return httpx2.Response(200, content=kept.content, request=response.request)
        etag = response.headers.get("ETag")
        if response.status_code == 200 and etag and "no-store" not in _caching(response):
            self.cache.keep(self._cache_name(path), etag, response.content)
        return response

    @contextmanager
    def stream(self, path: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
        """Give an answer whose content is read as it comes, for as long as something comes.

        Raises
        ------
        httpx2.TransportError
            The connection broke off.
        """
        limits = httpx2.Timeout(self.timeout, read=SILENCE_SECONDS)
        with self._http.stream("GET", path, headers=headers, timeout=limits) as response:
            if response.is_error:
                response.read()
                raise error_of(response)
            yield response

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _cache_name(self, path: str) -> str:
        """What one key may read another need not be shown."""
        return f"{self.url}{path} {self.headers.get('Authorization', '')}"

    def _unreachable(self, error: httpx2.TransportError) -> OSError:
        if isinstance(error, httpx2.TimeoutException) and not isinstance(
            error, httpx2.ConnectTimeout
        ):
            return TimeoutError(
                f"{self.url} did not answer within {self.timeout:g} s; "
                "ask for less at once, or give it longer: connect(url, timeout=...)"
            )
        return ConnectionError(
            f"no delocal service answers at {self.url} ({error}); start one with `delocal serve`"
        )


def error_of(response: httpx2.Response) -> Exception:
    """Return the exception that an answer describes, with the advice of the service."""
    try:
        body = response.json()
        detail, problems = body["detail"], body["errors"]
    except (ValueError, KeyError, TypeError):
        return ConnectionError(
            f"HTTP {response.status_code} without a reason: {response.text[:200]}"
        )
    if response.status_code == 422 and problems:
        return RequestError([Problem(p["field"], p["message"]) for p in problems])
    if response.status_code == 429 and (wait := _told_to_wait(response)) is not None:
        return TooManyRequests(detail, wait)
    known = ERRORS.get(response.status_code)
    return known(detail) if known else ConnectionError(f"HTTP {response.status_code}: {detail}")


def _pauses() -> Iterator[float]:
    """Yield seconds to wait, about twice as long each time, a little different for each caller."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(2 * pause, LONGEST_PAUSE)


def _wait_after(response: httpx2.Response, pause: float | None) -> float | None:
    """Return after how long to ask again, or None if that would not help, or might do harm."""
    told = _told_to_wait(response)
    if response.status_code == 429:  # refused before anything was done
        return told
    if response.status_code not in PASSING or pause is None:
        return None
    ours = response.headers.get("Content-Type", "").startswith("application/problem+json")
    return told if told is not None or ours else pause


def _told_to_wait(response: httpx2.Response) -> float | None:
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isdigit() else None


def _caching(response: httpx2.Response) -> str:
    return str(response.headers.get("Cache-Control", ""))
