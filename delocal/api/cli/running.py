"""Commands that compute here: a service, one sweep, the demonstration."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from delocal.api.cli.base import (
    Data,
    Json,
    RequestFile,
    command,
    err,
    out,
    plain_logs,
    say,
    tell_status,
)
from delocal.api.progress import bars
from delocal.service.request import SweepRequest
from delocal.workers.storage import within
from delocal.workers.store import DATA, Receipt

if TYPE_CHECKING:
    from delocal.service.settings import Service

PANEL = "Compute"
log = structlog.get_logger()


@command("delocal serve --data results", "delocal serve --port 9000 --workers 2", panel=PANEL)
def serve(
    host: Annotated[str, typer.Option(help="address to listen at")] = "127.0.0.1",
    port: int = 8000,
    data: Data = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="worker processes; one for each core")
    ] = None,
) -> None:
    """Start the service with all it needs; DELOCAL_CLUSTER__KIND and others set the rest."""
    from delocal.api.serving import end_soon
    from delocal.api.serving import serve as serve_until_told
    from delocal.service.logs import configure_logs
    from delocal.service.settings import Settings

    settings = Settings() if data is None else Settings(data=data)
    if workers is not None:
        settings.cluster.workers = workers
    configure_logs(settings.logs)
    folder = settings.data.resolve()

    def ready(service: Service) -> None:
        if err.is_terminal:
            say(err, f"delocal serves http://{host}:{port} (data in {folder})")
        where = service.executor.description
        log.info("serving", host=host, port=port, data=str(folder), cluster=where)

    try:
        serve_until_told(settings, host, port, ready)
    except SystemExit:  # a signal, after everything was closed
        end_soon()
        raise


@command(
    "delocal run dipoles.yaml -o dipoles",
    "delocal run dipoles.yaml -o dipoles --json",
    panel=PANEL,
)
def run(
    request: RequestFile,
    output: Annotated[
        str, typer.Option("--output", "-o", help="folder that keeps the sweep, or s3://...")
    ],
    as_json: Json = False,
) -> None:
    """Compute a sweep in this process, without a service; a sweep begun there goes on."""
    from delocal.service.run import run as run_here

    parsed = SweepRequest.from_file(request)
    plan = parsed.plan()
    cells: Counter[str] = Counter()
    with bars(err) as progress:
        task = progress.add_task("cells", total=plan.cells)

        def count(receipt: Receipt) -> None:
            cells.update(receipt.counts)
            progress.advance(task, sum(receipt.counts.values()))

        run_here(parsed, output, progress=count)
    told = {"id": plan.sweep_id, "state": "done", "cells": {"total": plan.cells, **cells}}
    tell_status(as_json, {**told, "path": within(output, DATA)})


@command("delocal demo -o elsewhere", panel=PANEL)
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of data and page")] = Path(
        "demo-output"
    ),
) -> None:
    """Start a service, sweep the scaling theory over REST, and show exponents and figures."""
    from delocal.api.demo import show

    plain_logs()
    show(output, out)
