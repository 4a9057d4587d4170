"""A sweep of a service: look, wait, follow, open, fetch, and what else may be asked of it."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx2
import numpy as np
import xarray as xr

from delocal.api.progress import sweep_bar
from delocal.api.remote_store import RemoteStore
from delocal.physics.model import Status
from delocal.service.cells import one_of, walk
from delocal.service.errors import NotReady
from delocal.service.export import copy_store, export
from delocal.service.results import from_plain
from delocal.service.states import SweepState

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from delocal.api.client import Client

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0  # seconds between two looks at a sweep


@dataclass(frozen=True)
class Event:
    """Something that happened to a sweep.

    Parameters
    ----------
    id
        Number in the order of events; ``sweep.events(after=id)`` goes on behind it.
    kind
        ``queued``, ``running``, ``progress``, ``block_failed``, ``paused``, ``resumed``, ``done``,
        ``failed`` or ``cancelled``.
    data
        What there is to say, such as the number of cells by status.
    """

    id: int
    kind: str
    data: Any


class RemoteSweep:
    """A sweep of a service."""

    def __init__(self, client: Client, sweep_id: str) -> None:
        self.id = sweep_id
        self._client = client

    def __repr__(self) -> str:
        return f"RemoteSweep({self.id!r} of {self._client.url})"

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

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield what happens to the sweep, as it happens, until it has ended.

        A connection that breaks is made again, and goes on where it was.

        Parameters
        ----------
        after
            Number of the last event that is known already.
        """
        ended = False
        while not ended:
            ended = SweepState(self.status()["state"]).ended  # before: then no event is missed
            try:
                for sent in self._client.stream_events(f"{self._path}/events", after):
                    after = int(sent.id)
                    yield Event(after, sent.event, sent.json())
            except httpx2.TransportError:
                ended = False
            if not ended:
                time.sleep(FIRST_PAUSE)

    def cells(
        self,
        model: str | None = None,
        *,
        statuses: Collection[str] | None = None,
        variables: Collection[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield cells with their parameters, status and values, as they are now.

        Chunks travel as they are needed, so that the first cells of a large sweep are cheap.

        Parameters
        ----------
        model
            Needed if the sweep has several.
        statuses
            Names of what is wanted, such as ``failed``; all if it is None.
        variables
            Those that are shown; all if it is None.
        limit
            Cells at most.

        Raises
        ------
        SelectionError
            No such model, status or variable.
        """
        return islice(walk(one_of(self.open(), model), statuses, variables), limit)

    def fit(
        self,
        variable: str,
        over: str,
        *,
        model: str | None = None,
        correction: Collection[str] = (),
        window: str | tuple[float | None, float | None] | None = None,
        nearest: bool = False,
        **sel: Any,
    ) -> xr.Dataset:
        """Return a power of `over` fitted to a variable by the service, in every other cell.

        Parameters
        ----------
        model
            Needed if the sweep has several.
        correction
            Variables, or powers such as ``T^0.5``, that vanish where the law is exact.
        window
            The ends of what is fitted, either of which may be None; ``low`` or ``high`` for the law
            at small or large `over`; all points if it is None.
        nearest
            Whether to take the nearest value on an axis.
        **sel
            Coordinates: a number, several, or a slice.

        Returns
        -------
        xarray.Dataset
            As :func:`delocal.service.fits.fit` returns it.

        Raises
        ------
        SelectionError
            A name or value that is not there, or too few points.
        """
        asked = {"model": model, "variable": variable, "over": over, "nearest": nearest or None}
        if isinstance(window, tuple):
            window = ",".join("" if end is None else repr(float(end)) for end in window)
        chosen = {"window": window, "correction": ",".join(correction), "sel": _texts(sel)}
        found = self._client.get(f"{self._path}/fits?{_query(**asked, **chosen)}")
        attrs = {name: found[name] for name in ("variable", "over", "law", "rule")}
        return from_plain(found, attrs)

    def figures(self) -> list[dict[str, Any]]:
        """Return the figures that this sweep can give: name, title, what can be chosen."""
        found: list[dict[str, Any]] = self._client.get(f"{self._path}/figures")["figures"]
        return found

    def figure(
        self,
        name: str,
        *,
        model: str | None = None,
        variable: str | Collection[str] | None = None,
        x: str | None = None,
        y: str | None = None,
        nearest: bool = False,
        theme: str = "light",
        **sel: Any,
    ) -> go.Figure:
        """Return a figure drawn by the service, for Plotly; ``sweep.figures()`` lists them.

        Parameters
        ----------
        model, variable, x, y
            What is drawn, where a figure leaves a choice.
        nearest
            Whether to take the nearest value on an axis.
        theme
            ``light`` or ``dark``.
        **sel
            Coordinates: a number, several, or a slice.

        Raises
        ------
        NotFound
            No such figure, or this sweep cannot give it.
        SelectionError
            A name or value that is not there, or an axis that is left open.
        """
        import plotly.graph_objects as go  # a library that only figures need

        names = variable if isinstance(variable, str) else ",".join(variable or ())
        asked = {"model": model, "variable": names, "x": x, "y": y, "sel": _texts(sel)}
        query = _query(**asked, nearest=nearest or None, theme=theme)
        found = self._client.get(f"{self._path}/figures/{quote(name, safe='')}?{query}")
        return go.Figure(_with_arrays(found))

    def cancel(self) -> RemoteSweep:
        """End the sweep; what is stored stays. Conflict if it has ended."""
        self._client.post(f"{self._path}:cancel")
        return self

    def extend(self, **changes: Any) -> RemoteSweep:
        """Return the sweep with more values (``axes=``) or replicas (``sampling=``)."""
        answer = self._client.post(f"{self._path}:extend", changes, repeatable=True)
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
        progress: bool | Callable[[dict[str, Any]], None] | None = None,
    ) -> RemoteSweep:
        """Return once the sweep has ended.

        Parameters
        ----------
        timeout
            Seconds after which NotReady is raised; the sweep itself goes on.
        progress
            Whether to show a bar; in a terminal and a notebook, nowhere else, if it is None. Or a
            function that is called with the status, again and again.
        """
        if callable(progress):
            return self._wait(timeout, progress)
        with sweep_bar(progress) as update:
            return self._wait(timeout, update)

    def _wait(self, timeout: float, update: Callable[[dict[str, Any]], None]) -> RemoteSweep:
        end, pause = time.monotonic() + timeout, FIRST_PAUSE
        while True:
            status = self.status()
            update(status)
            if SweepState(status["state"]).ended:
                return self
            if time.monotonic() > end:
                raise NotReady(
                    f"sweep {self.id} is still {status['state']} after {timeout:g} s; it goes on: "
                    "wait longer, or cancel it"
                )
            time.sleep(pause)
            pause = min(1.2 * pause, LONGEST_PAUSE)

    def open(self) -> xr.DataTree:
        """Return the datasets of the sweep, lazily: chunks travel when they are needed."""
        store: Any = RemoteStore(self._file)  # which xarray takes, and does not say so
        return xr.open_datatree(store, engine="zarr", chunks=None)

    def partial(self) -> xr.DataTree:
        """Return the datasets as they are now, while the sweep runs.

        Each has a further variable `computed`, true where a cell was there at the time of this
        call; ``ds.kappa_sd.where(ds.computed)`` is NaN elsewhere. Chunks travel when they are
        needed, and may then show more. A block writes its status first: values of one that is
        being written at the time of this call are there some milliseconds later.
        """
        return self.open().map_over_datasets(_with_mask)

    def share(self, seconds: float = 7 * 86_400.0) -> dict[str, str]:
        """Return links to the data that need no key, `data` and `zarr`, and when they expire."""
        link: dict[str, str] = self._client.post(f"{self._path}:share", {"seconds": seconds})
        return link

    def fetch(self, path: str | Path, progress: Callable[[int, int], None] | None = None) -> Path:
        """Copy the store of the sweep, byte for byte, into a folder that is not there yet.

        It is there whole or not at all. NotReady while the sweep runs, FileExistsError if
        `path` exists.
        """
        self._require_end()
        return copy_store(self._file, path, progress)

    def export(
        self, path: str | Path, progress: Callable[[int, int], None] | None = None
    ) -> list[Path]:
        """Write the finished sweep in the format of the suffix of `path`, and return the files.

        ``.nc``, ``.zip`` (Zarr), ``.parquet``, ``.arrow``, ``.csv``; ``.zarr`` or none is a
        folder. NotReady while the sweep runs, FileExistsError if there is such a file already.
        """
        self._require_end()
        return export(self.open(), self._file, path, progress)

    def _require_end(self) -> None:
        state = self.status()["state"]
        if not SweepState(state).ended:
            raise NotReady(f"sweep {self.id} is {state}; wait for it, or open it as it is")

    def _file(self, name: str) -> bytes | None:
        """Return a file of the store, None if it is not there, or not computed yet."""
        return self._client.get_bytes(f"{self._path}/zarr/{name}")


def _with_arrays(part: Any) -> Any:
    """Return a figure with arrays of numpy in place of those of plotly.js, in base64."""
    if isinstance(part, list):
        return [_with_arrays(item) for item in part]
    if not isinstance(part, dict):
        return part
    if "bdata" not in part:
        return {name: _with_arrays(value) for name, value in part.items()}
    values = np.frombuffer(b64decode(part["bdata"]), part["dtype"])
    shape = [int(side) for side in part["shape"].split(",")] if "shape" in part else -1
    return values.reshape(shape)


def _query(**asked: Any) -> str:
    """Return what a caller asked for, without what was left open."""
    given = {name: value for name, value in asked.items() if value not in (None, "", [])}
    return urlencode(given, doseq=True)


def _texts(sel: Mapping[str, Any]) -> list[str]:
    """Return selections as the service reads them.

    Examples
    --------
    >>> _texts({"T": slice(1e-6, None), "alpha": [3, 4], "W": 1})
    ['T=1e-06:', 'alpha=3,4', 'W=1']
    """
    return [f"{name}={_text(value)}" for name, value in sel.items()]


def _text(value: Any) -> str:
    if isinstance(value, slice):
        return ":".join("" if end is None else str(end) for end in (value.start, value.stop))
    if isinstance(value, str) or np.ndim(value) == 0:
        return str(value)
    return ",".join(map(str, value))


def _with_mask(ds: xr.Dataset) -> xr.Dataset:
    """Add `computed`, which is read now; values are read later."""
    if "status" not in ds:
        return ds
    return ds.assign(computed=ds["status"].load() != Status.NOT_COMPUTED)
