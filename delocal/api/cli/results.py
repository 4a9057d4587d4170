"""Commands that take results out of a sweep: files, fits, figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from delocal.api.cli.base import HERE, Json, Key, SweepId, Url, command, connected, err, tell
from delocal.api.progress import bars
from delocal.service.errors import NotFound
from delocal.workers.storage import within
from delocal.workers.store import SweepStore

PANEL = "Results"


@command(
    "delocal fetch ID -o dipoles.zarr",
    "delocal fetch ID -o dipoles.nc",
    "delocal fetch ID -o dipoles.csv",
    "delocal fetch ID -o dipoles.arrow",
    panel=PANEL,
)
def fetch(
    sweep: SweepId,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="folder for a Zarr store; or file: .nc, .zip (Zarr), .parquet, .arrow or .csv",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="folder of ledger and sweeps, instead of a service")
    ] = None,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Copy a sweep that has ended here, in the format of the suffix."""
    with bars(err) as progress:
        task = progress.add_task("blocks", total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        files = _fetch(sweep, output, data, url, key, update)
    tell(as_json, {"id": sweep, "files": [str(file) for file in files]})


def _fetch(
    sweep: str,
    output: Path,
    data: Path | None,
    url: str,
    key: str | None,
    update: Callable[[int, int], None],
) -> list[Path]:
    """Fetch a sweep from a data folder if there is one, else from the service at `url`."""
    if data is None:
        with connected(url, key) as client:
            return client.sweep(sweep).export(output, update)
    from delocal.service.export import export_store
    from delocal.service.settings import Settings

    store = SweepStore(within(Settings(data=data).place, sweep))
    if not store.exists():
        raise NotFound(f"no sweep {sweep!r} in {data}")
    return export_store(store, output, update)
