"""The Python client: REST in, xarray out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import xarray as xr

from delocal.api.http_calls import PATIENCE_SECONDS, TIMEOUT_SECONDS, Connection, error_of
from delocal.api.remote_sweep import RemoteSweep
from delocal.api.response_cache import ResponseCache
from delocal.service.errors import NotFound
from delocal.service.request import Request, SweepRequest
from delocal.service.results import from_plain
from delocal.workers.keys import SWEEP_ID

PAGE = 1000  # sweeps that one answer holds at most


def connect(
    url: str = "http://127.0.0.1:8000",
    key: str | None = None,
    *,
    timeout: float = TIMEOUT_SECONDS,
    patience: float = PATIENCE_SECONDS,
    cache: ResponseCache | None = None,
) -> Client:
    """Return a client of the service at `url`.

    Parameters
    ----------
    url
        Address of the service.
    key
        A key of the service, as `delocal keys create` shows it; a service on this machine needs
        none.
    timeout
        Seconds that an answer may take.
    patience
        Seconds for which a call is tried again that nobody answered, that came too soon, or that
        a proxy answered whose service is away. What would do harm if it were done twice is tried
        again only where it cannot have been done. 0 tries once.
    cache
        Keeps chunks and documents that the service gave an ETag; in the cache folder of the user
        if it is None. ``ResponseCache(limit=0)`` keeps nothing.

    Raises
    ------
    ConnectionError
        Nobody answers there.
    """
    client = Client(url, key, timeout=timeout, patience=patience, cache=cache)
    client.check()
    return client


class Client:
    """A service somewhere else; every method is one or a few REST calls.

    It may be used by many threads, and pickled, with its key.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        cache: ResponseCache | None = None,
    ) -> None:
        self.cache = ResponseCache() if cache is None else cache
        self._key = key
        self._connection = Connection(url, key, timeout, patience, self.cache)
        self.url, self.headers = self._connection.url, self._connection.headers

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        limits = (self._connection.timeout, self._connection.patience)
        return _unpickled, (self.url, self._key, *limits, self.cache)

    def check(self) -> None:
        """ConnectionError, at once, if no service answers."""
        self._answer("GET", "/healthz", patience=0)

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the service can run, with their parameters."""
        found: list[dict[str, Any]] = self.get("/v1/models")
        return found

    def estimate(self, request: Request) -> dict[str, Any]:
        """Return what a sweep would cost: cells, blocks, bytes, core-seconds."""
        cost: dict[str, Any] = self._post("/v1/sweeps?dry_run=true", request)
        return cost

    def submit(self, request: Request) -> RemoteSweep:
        """Submit a sweep; an identical one that exists is found again.

        Parameters
        ----------
        request
            A `SweepRequest`, the same as plain content, or the path of a JSON or YAML file.
        """
        return RemoteSweep(self, self._post("/v1/sweeps", request)["id"])

    def run(self, request: Request, timeout: float = 3600.0) -> xr.DataTree:
        """Submit a sweep, wait for it, and open its datasets."""
        return self.submit(request).wait(timeout).open()

    def sweep(self, sweep_id: str) -> RemoteSweep:
        """Return a sweep that was submitted before; NotFound if there is none."""
        if not SWEEP_ID.fullmatch(sweep_id):
            raise NotFound(
                f"{sweep_id!r} is no id of a sweep, which has 16 digits of 0-9 and a-f, "
                "as `delocal ls` shows it"
            )
        sweep = RemoteSweep(self, sweep_id)
        sweep.status()
        return sweep

    def sweeps(self, *, limit: int = 100, **filters: Any) -> list[dict[str, Any]]:
        """Return the status of sweeps, the newest first.

        Parameters
        ----------
        limit
            Sweeps at most.
        **filters
            What they must meet, as ``GET /v1/sweeps`` takes it: `model`, `tag`, `state`, `text`,
            `since`, `until`, `deleted`, or a parameter, such as ``T="1e-6:1e-4"``. Lists for
            several; None and an empty list ask for nothing.
        """
        asked = {name: value for name, value in filters.items() if value not in (None, [], False)}
        query = urlencode({**asked, "limit": min(limit, PAGE)}, doseq=True)
        found: list[dict[str, Any]] = []
        path: str | None = f"/v1/sweeps?{query}"
        while path and len(found) < limit:
            page = self.get(path)
            found += page["sweeps"]
            path = page["next"] and "/v1/" + page["next"].partition("/v1/")[2]
        return found[:limit]

    def evaluate(
        self,
        model: str,
        /,
        *,
        options: Mapping[str, Any] | None = None,
        variables: Sequence[str] | None = None,
        **parameters: Any,
    ) -> xr.Dataset:
        """Return a model that is not Monte Carlo at a few points, evaluated by the service at once.

        Parameters
        ----------
        options
            Of the model.
        variables
            Those wanted, beside the status; all if it is None.
        **parameters
            Numbers, or axes as in a request for a sweep: a list, ``{"like": "alpha"}``,
            ``{"geomspace": [1e-6, 1e-2, 41]}``.

        Raises
        ------
        RequestError, SelectionError
            A name or value that is not allowed.
        TooLarge
            Too many points for an answer at once: submit a sweep.
        """
        content: dict[str, Any] = {"parameters": parameters, "options": dict(options or {})}
        if variables is not None:
            content["variables"] = list(variables)
        path = f"/v1/models/{quote(model, safe='')}/evaluate"
        return from_plain(self.post(path, content, repeatable=True))

    def get(self, path: str) -> Any:
        """Return the JSON under `path`; an error answer becomes the exception it describes."""
        return self._answer("GET", path)

    def post(
        self, path: str, content: Mapping[str, Any] | None = None, *, repeatable: bool = False
    ) -> Any:
        """Ask for what the path says, with `content` as JSON if there is any.

        Parameters
        ----------
        repeatable
            Whether to ask twice does what to ask once does.
        """
        sent = {} if content is None else {"json": dict(content)}
        return self._answer("POST", path, repeatable=repeatable, **sent)

    def delete(self, path: str) -> Any:
        """Delete what the path says; errors as in `get`."""
        return self._answer("DELETE", path)

    def get_bytes(self, path: str) -> bytes | None:
        """Return the content under `path`, or None if there is nothing."""
        response = self._connection.cached(path)
        if response.status_code == 404:
            return None
        if response.is_error:
            raise error_of(response)
        return response.content

    def stream_events(self, path: str, after: int) -> Iterator[httpx2.ServerSentEvent]:
        """Yield the server-sent events under `path` that follow the one numbered `after`."""
        with self._connection.stream(path, {"Last-Event-ID": str(after)}) as response:
            yield from httpx2.EventSource(response)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, request: Request) -> Any:
        """Post a request, which may be sent twice: its content is the identity of its sweep."""
        content = SweepRequest.read(request).model_dump(mode="json", exclude_defaults=True)
        return self.post(path, content, repeatable=True)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        response = self._send(method, path, **content)
        if response.is_error:
            raise error_of(response)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, **content: Any) -> httpx2.Response:
        return self._connection.send(method, path, **content)


def _unpickled(
    url: str, key: str | None, timeout: float, patience: float, cache: ResponseCache
) -> Client:
    return Client(url, key, timeout=timeout, patience=patience, cache=cache)
