"""Commands for a cluster of one's own: a scheduler, workers, certificates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from delocal.api.cli.base import Json, command, tell_json
from delocal.api.cli.base import app as all_commands

Tls = Annotated[
    Path | None,
    typer.Option(envvar="DELOCAL_CLUSTER__TLS", help="folder with ca.crt, tls.crt and tls.key"),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        envvar="DELOCAL_CLUSTER__INSECURE",
        help="allow plain TCP beyond this machine",
    ),
]
PANEL = "A cluster of one's own"
tls_app = typer.Typer(no_args_is_help=True, help="Certificates for scheduler, workers, service.")
all_commands.add_typer(tls_app, name="tls", rich_help_panel=PANEL)


@command(
    "delocal scheduler --tls tls/scheduler",
    "delocal scheduler --host 0.0.0.0 --tls tls/scheduler",
    panel=PANEL,
)
def scheduler(
    host: Annotated[str, typer.Option(help="address to listen at")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8786,
    tls: Tls = None,
    insecure: Insecure = False,
    http: Annotated[
        str, typer.Option(help="host:port of its pages: /health and what it does")
    ] = "127.0.0.1:8787",
) -> None:
    """Run a Dask scheduler for `cluster.kind = address`, as the service needs it."""
    from delocal.workers.clusters.processes import scheduler_command
    from delocal.workers.clusters.spec import refuse_plain

    if tls is None:
        refuse_plain(f"tcp://{host}:{port}", insecure)
    _become(scheduler_command(host, port, tls, http), tls)


@command(
    "delocal worker tls://scheduler.example.org:8786 --tls tls/worker",
    "delocal worker tcp://127.0.0.1:8786 --workers 2",
    panel=PANEL,
)
def worker(
    address: Annotated[str, typer.Argument(help="of the scheduler, tls://host:port")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes of one thread; one for each core")
    ] = None,
    tls: Tls = None,
    insecure: Insecure = False,
    name: Annotated[str | None, typer.Option(help="to be told apart by")] = None,
    host: Annotated[str | None, typer.Option(help="address of this machine for others")] = None,
    memory: Annotated[str, typer.Option(help="limit of each process, such as 2GiB")] = "auto",
    death_seconds: Annotated[
        int | None, typer.Option(min=1, help="without a scheduler, then it ends; 60")
    ] = None,
) -> None:
    """Run Dask workers, each with its nanny, one thread and the settings that fit our tasks."""
    from delocal.workers.clusters.processes import DEATH_SECONDS, worker_command
    from delocal.workers.clusters.spec import cores, refuse_plain

    refuse_plain(address, insecure)
    if host is not None and tls is None:
        refuse_plain(host, insecure)
    command = worker_command(
        address,
        workers or cores(),
        tls,
        name=name,
        host=host,
        memory=memory,
        death_seconds=death_seconds or DEATH_SECONDS,
    )
    _become(command, tls)


@command("delocal tls make --out tls", panel=PANEL, name="make", to=tls_app)
def make_certificates(
    out: Annotated[Path, typer.Option("--out", help="folder for the authority and certificates")],
    days: Annotated[int, typer.Option(min=1, help="until the certificates expire")] = 825,
    as_json: Json = False,
) -> None:
    """Make an authority, and certificates that it signed for scheduler, workers and service.

    Again on the same folder it makes new certificates of the same authority.
    """
    try:
        from delocal.workers.clusters.certificates import make_certificates as make
    except ModuleNotFoundError as error:
        raise ValueError(f"this needs {error.name}: pip install 'delocal[tls]'") from error
    folders = [str(folder) for folder in make(out, days)]
    if as_json:
        tell_json({"folders": folders})
    else:
        typer.echo("\n".join(folders))
    typer.echo(f"keep {out / 'ca.key'} to yourself: who has it can join the cluster", err=as_json)


def _become(command: list[str], tls: Path | None) -> NoReturn:
    """Replace this process: signals and exit codes are then those of Dask."""
    from delocal.workers.clusters.processes import environment

    os.execvpe(command[0], command, {**os.environ, **environment(tls)})
