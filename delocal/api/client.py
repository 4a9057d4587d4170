"""The Python client: REST in, xarray out."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import xarray as xr

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
from delocal.service.export import export
from delocal.service.request import SweepRequest
from delocal.service.states import SweepState
from delocal.workers.zarr_format import chunk_names

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
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 60.0  # how long a request that came too soon is tried again


def connect(
    url: str = "http://127.0.0.1:8000", *, key: str | None = None, timeout: float = 30.0
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

    Raises
    ------
    ConnectionError
        Nobody answers there.
    """
    client = Client(url, key=key, timeout=timeout)
    client.get("/healthz")
    return client


class Client:
    """A service somewhere else; every method is one or a few REST calls."""

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=self.url, timeout=timeout, headers=self.headers)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def models(self) -> list[dict[str, Any]]:
        """Return the models that the service can run, with their parameters."""
        found: list[dict[str, Any]] = self.get("/v1/models")
        return found

    def estimate(self, request: SweepRequest | Mapping[str, Any]) -> dict[str, Any]:
        """Return what a sweep would cost: cells, blocks, bytes, core-seconds."""
        cost: dict[str, Any] = self._post("/v1/sweeps?dry_run=true", request)
        return cost

    def submit(self, request: SweepRequest | Mapping[str, Any]) -> RemoteSweep:
        """Submit a sweep; an identical one that exists is found again."""
        return RemoteSweep(self, self._post("/v1/sweeps", request)["id"])

    def run(
        self, request: SweepRequest | Mapping[str, Any], timeout: float = 3600.0
    ) -> xr.DataTree:
        """Submit a sweep, wait for it, and open its datasets."""
        return self.submit(request).wait(timeout).open()

    def sweep(self, sweep_id: str) -> RemoteSweep:
        """Return a sweep that was submitted before; NotFound if there is none."""
        sweep = RemoteSweep(self, sweep_id)
        sweep.status()
        return sweep

    def sweeps(self) -> list[dict[str, Any]]:
        """Return the newest hundred sweeps."""
        found: list[dict[str, Any]] = self.get("/v1/sweeps")["sweeps"]
        return found

    def get(self, path: str) -> Any:
        """Return the JSON under `path`; an error answer becomes the exception it describes."""
        return self._answer("GET", path)

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """Ask for what the path says, with `content` as JSON if there is any."""
        return self._answer("POST", path, **({} if content is None else {"json": dict(content)}))

    def delete(self, path: str) -> Any:
        """Delete what the path says; errors as in `get`."""
        return self._answer("DELETE", path)

    def get_bytes(self, path: str) -> bytes | None:
        """Return the content under `path`, or None if there is nothing."""
        response = self._send("GET", path)
        if response.status_code == 404:
            return None
        if response.is_error:
            raise _error(response)
        return response.content

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, request: SweepRequest | Mapping[str, Any]) -> Any:
        content = SweepRequest.parse(request).model_dump(mode="json", exclude_defaults=True)
        return self._answer("POST", path, json=content)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        response = self._send(method, path, **content)
        if response.is_error:
            raise _error(response)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, **content: Any) -> httpx2.Response:
        """Return an answer; one that says to ask later is waited for."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            response = self._send_once(method, path, **content)
            wait = _seconds_to_wait(response)
            if wait is None or time.monotonic() + wait > end:
                return response
            time.sleep(wait)

    def _send_once(self, method: str, path: str, **content: Any) -> httpx2.Response:
        try:
            try:
                return self._http.request(method, path, **content)
            except httpx2.RemoteProtocolError:  # a kept connection that the service had closed
                return self._http.request(method, path, **content)
        except httpx2.TransportError as error:
            raise ConnectionError(
                f"no delocal service answers at {self.url} ({error}); "
                "start one with `delocal serve`"
            ) from error


class RemoteSweep:
    """A sweep of a service."""

    def __init__(self, client: Client, sweep_id: str) -> None:
        self.id = sweep_id
        self._client = client

    @property
    def _path(self) -> str:
        return f"/v1/sweeps/{quote(self.id, safe='')}"

    @property
    def zarr_url(self) -> str:
        """Where the Zarr store is served: ``xarray.open_zarr(f"{sweep.zarr_url}/scaling")``."""
        return f"{self._client.url}{self._path}/zarr"

    def status(self) -> dict[str, Any]:
        """Return state, number of cells by status, and links."""
        status: dict[str, Any] = self._client.get(self._path)
        return status

    def failures(self) -> list[dict[str, Any]]:
        """Return the cells that raised, with their parameters and traceback."""
        found: list[dict[str, Any]] = self._client.get(f"{self._path}/failures")
        return found

    def cancel(self) -> RemoteSweep:
        """End the sweep; what is stored stays. Conflict if it has ended."""
        self._client.post(f"{self._path}:cancel")
        return self

    def extend(self, **changes: Any) -> RemoteSweep:
        """Return the sweep with more values (``axes=``) or replicas (``sampling=``)."""
        answer = self._client.post(f"{self._path}:extend", changes)
        return RemoteSweep(self._client, answer["id"])

    def retry(self) -> RemoteSweep:
        """Compute again what failed or was cancelled. Conflict if there is nothing of the kind."""
        self._client.post(f"{self._path}:retry")
        return self

    def delete(self) -> RemoteSweep:
        """Put the sweep into the trash. Conflict if it has not ended."""
        self._client.delete(self._path)
        return self

    def restore(self) -> RemoteSweep:
        """Take the sweep out of the trash. Conflict if it is not in there."""
        self._client.post(f"{self._path}:restore")
        return self

    def purge(self) -> None:
        """Remove the sweep for good. Conflict if it is not in the trash."""
        self._client.post(f"{self._path}:purge")

    def wait(
        self,
        timeout: float = 3600.0,
        progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> RemoteSweep:
        """Return once the sweep has ended.

        Parameters
        ----------
        timeout
            Seconds after which NotReady is raised; the sweep itself goes on.
        progress
            Called with the status, again and again.
        """
        end = time.monotonic() + timeout
        while True:
            status = self.status()
            if progress is not None:
                progress(status)
            if SweepState(status["state"]).ended:
                return self
            if time.monotonic() > end:
                raise NotReady(f"sweep {self.id} is still {status['state']} after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def open(self) -> xr.DataTree:
        """Return the datasets of the sweep, lazily: chunks travel when they are needed."""
        options = {"headers": self._client.headers} if self._client.headers else {}
        return xr.open_datatree(self.zarr_url, engine="zarr", chunks=None, storage_options=options)

    def share(self, seconds: float = 7 * 86_400.0) -> dict[str, str]:
        """Return links to the data that need no key, `data` and `zarr`, and when they expire."""
        link: dict[str, str] = self._client.post(f"{self._path}:share", {"seconds": seconds})
        return link

    def fetch(self, path: str | Path) -> Path:
        """Copy the store of the sweep, byte for byte, into a folder that is not there yet.

        It is there whole or not at all. NotReady while the sweep runs, FileExistsError if
        `path` exists.
        """
        if Path(path).exists():
            raise FileExistsError(f"{path} exists; choose a folder that does not")
        self._require_end()
        target = Path(f"{path}.{uuid.uuid4().hex[:8]}.partial")
        target.mkdir(parents=True)
        content = self._get("zarr.json")
        members = json.loads(content)["consolidated_metadata"]["metadata"]
        (target / "zarr.json").write_bytes(content)
        for name, document in members.items():
            (target / name).mkdir(parents=True, exist_ok=True)
            (target / name / "zarr.json").write_bytes(self._get(f"{name}/zarr.json"))
            for chunk in chunk_names(document) if document["node_type"] == "array" else ():
                found = self._client.get_bytes(f"{self._path}/zarr/{name}/{chunk}")
                if found is not None:
                    (target / name / chunk).write_bytes(found)
        target.rename(path)
        return Path(path)

    def export(
        self, path: str | Path, progress: Callable[[int, int], None] | None = None
    ) -> list[Path]:
        """Write the finished sweep as NetCDF-4, Zarr zip or Parquet, by the suffix of `path`.

        NotReady while the sweep runs, FileExistsError if there is such a file already.
        """
        self._require_end()
        here = f"{self._path}/zarr"
        return export(
            self.open(), lambda name: self._client.get_bytes(f"{here}/{name}"), path, progress
        )

    def _require_end(self) -> None:
        state = self.status()["state"]
        if not SweepState(state).ended:
            raise NotReady(f"sweep {self.id} is {state}; wait for it, or open it as it is")

    def _get(self, document: str) -> bytes:
        found = self._client.get_bytes(f"{self._path}/zarr/{document}")
        if found is None:
            raise NotFound(f"no {document} in the store of sweep {self.id}")
        return found


def _seconds_to_wait(response: httpx2.Response) -> float | None:
    """Return after how long to ask again, or None if that would not help."""
    told = response.headers.get("Retry-After", "")
    return float(told) if response.status_code == 429 and told.isdigit() else None


def _error(response: httpx2.Response) -> Exception:
    try:
        body = response.json()
        detail, problems = body["detail"], body["errors"]
    except (ValueError, KeyError, TypeError):
        return ConnectionError(
            f"HTTP {response.status_code} without a reason: {response.text[:200]}"
        )
    if response.status_code == 422 and problems:
        return RequestError([Problem(p["field"], p["message"]) for p in problems])
    if response.status_code == 429 and (wait := _seconds_to_wait(response)) is not None:
        return TooManyRequests(detail, wait)
    known = ERRORS.get(response.status_code)
    return known(detail) if known else ConnectionError(f"HTTP {response.status_code}: {detail}")
