"""The command line: serve, run, submit, watch, fetch, models, demo."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from delocal.service.errors import DelocalError, RequestError
from delocal.service.request import SweepRequest

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Energy transport in Anderson insulators, swept over (d, alpha, beta, T, W).",
)
out, err = Console(), Console(stderr=True)

Url = Annotated[str, typer.Option(envvar="DELOCAL_URL", help="the service")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a program to read")]
RequestFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or YAML file")]
HERE = "http://127.0.0.1:8000"


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    data: Annotated[Path, typer.Option(help="folder of sweeps and ledger")] = Path("delocal-data"),
    workers: Annotated[int | None, typer.Option(help="worker processes; one for each core")] = None,
) -> None:
    """Start the service with all it needs; DELOCAL_CLUSTER__KIND and others set the rest."""
    import uvicorn  # noqa: PLC0415

    from delocal.api.app import create_app  # noqa: PLC0415
    from delocal.service.settings import ClusterSettings, Service, Settings  # noqa: PLC0415

    _plain_logs()
    settings = Settings(data=data)
    if workers is not None:
        cluster = settings.cluster.model_dump() | {"workers": workers}
        settings = settings.model_copy(update={"cluster": ClusterSettings(**cluster)})
    service = Service(settings)
    err.print(f"delocal serves http://{host}:{port} (data in {settings.data.resolve()})")
    try:
        uvicorn.run(create_app(service), host=host, port=port, log_level="warning")
    finally:
        service.close()


@app.command()
def run(
    request: RequestFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder that keeps the sweep")],
    as_json: Json = False,
) -> None:
    """Compute a sweep in this process, without a service; a sweep begun there goes on."""
    from delocal.service.run import run as run_here  # noqa: PLC0415

    parsed = SweepRequest.from_file(request)
    plan = parsed.plan()
    with _progress() as progress:
        task = progress.add_task("cells", total=plan.cells)
        run_here(
            parsed,
            output,
            progress=lambda receipt: progress.advance(task, sum(receipt.counts.values())),
        )
    _tell(as_json, {"id": plan.sweep_id, "path": str(output / "data.zarr"), "cells": plan.cells})


@app.command()
def submit(
    request: RequestFile,
    url: Url = HERE,
    dry_run: Annotated[bool, typer.Option(help="only say what it would cost")] = False,
    as_json: Json = False,
) -> None:
    """Submit a sweep to a service and print its id."""
    from delocal.api.client import connect  # noqa: PLC0415

    client, parsed = connect(url), SweepRequest.from_file(request)
    _tell(as_json, client.estimate(parsed) if dry_run else client.submit(parsed).status())


@app.command()
def watch(sweep: str, url: Url = HERE, as_json: Json = False) -> None:
    """Show the progress of a sweep until it has ended."""
    from delocal.api.client import connect  # noqa: PLC0415

    remote = connect(url).sweep(sweep)
    follow(remote)
    status = remote.status()
    _tell(as_json, status)
    if status["state"] != "done":
        raise typer.Exit(1)


@app.command()
def fetch(
    sweep: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for a Zarr store")],
    url: Url = HERE,
    as_json: Json = False,
) -> None:
    """Copy the datasets of a sweep here, as a Zarr store."""
    from delocal.api.client import connect  # noqa: PLC0415

    tree = connect(url).sweep(sweep).open().load()
    tree.to_zarr(output, mode="w-", consolidated=True)
    _tell(as_json, {"id": sweep, "path": str(output), "models": list(tree.children)})


@app.command()
def models(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """List the models, or the parameters and variables of one."""
    from delocal.service.sweeps import describe_models, one_model  # noqa: PLC0415

    if as_json:
        found: Any = one_model(name) if name else describe_models()
        typer.echo(json.dumps(found, indent=2))
    elif name is None:
        _print_table(describe_models(), ("name", "kind", "title", "reference"))
    else:
        model = one_model(name)
        out.print(f"[bold]{model['name']}[/] {model['version']}: {model['title']}")
        _print_table(model["parameters"], ("name", "long_name", "units", "allowed", "default"))
        _print_table(model["variables"], ("name", "long_name", "units", "equation"))


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("demo-output"),
) -> None:
    """Start a service, sweep the scaling theory over REST, and show exponents and figures."""
    from delocal.api.demo import show  # noqa: PLC0415

    _plain_logs()
    show(output, out)


def follow(remote: Any) -> None:
    """Draw a progress bar until a sweep has ended."""
    with _progress() as progress:
        task = progress.add_task("cells", total=None)

        def update(status: dict[str, Any]) -> None:
            total, left = status["cells"]["total"], status["cells"].get("not_computed", 0)
            progress.update(task, total=total, completed=total - left)

        remote.wait(progress=update)


def main() -> None:
    """Run the command line; a mistake of the caller is a message, not a traceback."""
    try:
        app()
    except RequestError as error:
        for problem in error.problems:
            err.print(f"[red]error[/] {problem}", highlight=False)
        raise SystemExit(2) from None
    except (DelocalError, ConnectionError, FileExistsError, ValueError) as error:
        err.print(f"[red]error[/] {error}", highlight=False)
        raise SystemExit(2) from None


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err)


def _tell(as_json: bool, content: dict[str, Any]) -> None:
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for key, value in content.items():
            out.print(f"[bold]{key:14}[/] {value}", highlight=False, soft_wrap=True)


def _print_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(row.get(column) if row.get(column) is not None else "") for column in columns))
    out.print(table)


def _plain_logs() -> None:
    logging.getLogger("distributed").setLevel(logging.ERROR)
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ]
    )
