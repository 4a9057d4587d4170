"""The command line: serve, run, submit, watch, cancel, fetch, models, reproduce and more."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table

from delocal.api import cli_cluster
from delocal.api.cli_keys import app as keys_app
from delocal.service.errors import DelocalError, NotFound, RequestError
from delocal.service.ledger import SweepRecord
from delocal.service.request import SweepRequest
from delocal.workers.storage import within
from delocal.workers.store import DATA, Receipt, SweepStore

if TYPE_CHECKING:
    from delocal.service.settings import Service

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Energy transport in Anderson insulators: theories and Monte Carlo, swept.",
)
out, err = Console(), Console(stderr=True)
log = structlog.get_logger()

Url = Annotated[str, typer.Option(envvar="DELOCAL_URL", help="the service")]
Key = Annotated[
    str | None,
    typer.Option(envvar="DELOCAL_KEY", show_default=False, help="a key of the service"),
]
Data = Annotated[Path | None, typer.Option(help="folder of sweeps and ledger; ./delocal-data")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a program to read")]
RequestFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON or YAML file")]
HERE = "http://127.0.0.1:8000"


cli_cluster.add_to(app)


@app.command()
def serve(
    host: str = "127.0.0.1",
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
            _say(err, f"delocal serves http://{host}:{port} (data in {folder})")
        where = service.executor.description
        log.info("serving", host=host, port=port, data=str(folder), cluster=where)

    try:
        serve_until_told(settings, host, port, ready)
    except SystemExit:  # a signal, after everything was closed
        end_soon()
        raise


@app.command()
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
    with _progress() as progress:
        task = progress.add_task("cells", total=plan.cells)

        def count(receipt: Receipt) -> None:
            cells.update(receipt.counts)
            progress.advance(task, sum(receipt.counts.values()))

        run_here(parsed, output, progress=count)
    told = {"id": plan.sweep_id, "state": "done", "cells": {"total": plan.cells, **cells}}
    _tell_status(as_json, {**told, "path": within(output, DATA)})


@app.command()
def submit(
    request: RequestFile,
    url: Url = HERE,
    key: Key = None,
    dry_run: Annotated[bool, typer.Option(help="only say what it would cost")] = False,
    as_json: Json = False,
) -> None:
    """Submit a sweep to a service and print its id, or what it would cost."""
    from delocal.api.client import connect

    parsed = SweepRequest.from_file(request)
    with connect(url, key=key) as client:
        if dry_run:
            _tell(as_json, client.estimate(parsed))
        else:
            _tell_status(as_json, client.submit(parsed).status())


@app.command()
def watch(sweep: str, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Show the progress of a sweep until it has ended."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        remote = client.sweep(sweep)
        follow(remote)
        status = remote.status()
    _tell_status(as_json, status)
    if status["state"] != "done":
        raise typer.Exit(1)


@app.command()
def fetch(
    sweep: str,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for a Zarr store")],
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Copy the store of a sweep here, byte for byte."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        path = client.sweep(sweep).fetch(output)
    _tell(as_json, {"id": sweep, "path": str(path)})


@app.command()
def export(
    sweep: str,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="file: .nc, .zip (Zarr) or .parquet")
    ],
    data: Annotated[
        Path | None, typer.Option(help="folder of ledger and sweeps, instead of a service")
    ] = None,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Write a finished sweep as NetCDF-4, a zipped Zarr store or Parquet tables."""
    with _progress() as progress:
        task = progress.add_task("blocks", total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        files = _export(sweep, output, data, url, key, update)
    _tell(as_json, {"id": sweep, "files": [str(file) for file in files]})


def _export(
    sweep: str,
    output: Path,
    data: Path | None,
    url: str,
    key: str | None,
    update: Callable[[int, int], None],
) -> list[Path]:
    """Export a sweep from a data folder if there is one, else from the service at `url`."""
    if data is None:
        from delocal.api.client import connect

        with connect(url, key=key) as client:
            return client.sweep(sweep).export(output, update)
    from delocal.service.export import export_store
    from delocal.service.settings import Settings

    store = SweepStore(within(Settings(data=data).place, sweep))
    if not store.exists():
        raise NotFound(f"no sweep {sweep!r} in {data}")
    return export_store(store, output, update)


@app.command()
def cancel(sweep: str, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """End a sweep; what is stored stays, and `delocal retry` goes on with it."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        _tell_status(as_json, client.sweep(sweep).cancel().status())


@app.command()
def extend(
    sweep: str,
    changes: Annotated[Path, typer.Argument(exists=True, help="JSON or YAML file")],
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Submit a sweep with more values on its axes, or more replicas; what is there is copied."""
    from delocal.api.client import connect
    from delocal.service.request import read_content

    with connect(url, key=key) as client:
        extended = client.sweep(sweep).extend(**read_content(changes.read_text()))
        _tell_status(as_json, extended.status())


@app.command()
def retry(sweep: str, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Compute again what failed or was cancelled in a sweep, and only that."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        _tell_status(as_json, client.sweep(sweep).retry().status())


@app.command()
def share(
    sweep: str,
    days: Annotated[float, typer.Option(help="until the link expires")] = 7.0,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Make a link to the datasets of a sweep that is good without a key, until it expires."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        _tell(as_json, client.sweep(sweep).share(days * 86_400))


@app.command()
def delete(
    sweep: str,
    purge: Annotated[
        bool, typer.Option("--purge", help="for good and at once, without a way back")
    ] = False,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Put a sweep that has ended into the trash, from which it is removed after some days."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        remote = client.sweep(sweep)
        if remote.status()["state"] != "deleted" or not purge:
            remote.delete()
        status = remote.status()
        if purge:
            remote.purge()
            status["state"] = "purged"
    _tell_status(as_json, status)


@app.command()
def restore(sweep: str, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Take a sweep out of the trash."""
    from delocal.api.client import connect

    with connect(url, key=key) as client:
        _tell_status(as_json, client.sweep(sweep).restore().status())


@app.command()
def models(name: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """List the models, or the parameters and variables of one."""
    from delocal.service.sweeps import describe_models, one_model

    if as_json:
        found: Any = one_model(name) if name else describe_models()
        typer.echo(json.dumps(found, indent=2))
    elif name is None:
        _print_table(describe_models(), ("name", "kind", "title"))
    else:
        model = one_model(name)
        out.print(f"[bold]{model['name']}[/] {model['version']}: {model['title']}")
        _print_table(model["parameters"], ("name", "long_name", "units", "allowed", "default"))
        if model["options"]:
            rows = [
                {**o, "choices": ", ".join([*map(str, o["choices"]), *filter(None, [o["or"]])])}
                for o in model["options"]
            ]
            _print_table(rows, ("name", "choices", "description"))
        _print_table(model["variables"], ("name", "long_name", "units", "equation"))


@app.command()
def reproduce(
    name: Annotated[str | None, typer.Argument(help="one of the list; `all` for every one")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for what is made")] = Path(
        "reproduced"
    ),
    replicas: Annotated[
        int | None, typer.Option(min=2, help="of each Monte Carlo cell; fewer is a rougher look")
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="a picture as well; needs Chromium")] = False,
) -> None:
    """Draw a figure or table of the papers again, from sweeps; without NAME, list them."""
    from delocal.service.reproduce import one_reproduction, write_gallery
    from delocal.service.reproduce import reproduce as make
    from delocal.service.reproductions import load_reproductions
    from delocal.service.settings import Service, Settings

    if name is None:
        known = load_reproductions().values()
        _print_table([vars(r) for r in known], ("name", "source", "title"))
        return
    formats = ("html", "png") if png else ("html",)
    names = list(load_reproductions()) if name == "all" else [one_reproduction(name).name]
    _plain_logs()
    service = Service(Settings(data=output / "data"))
    try:
        for one in names:
            with _progress() as progress:
                task = progress.add_task(one, total=None)

                def update(label: str, record: SweepRecord) -> None:
                    progress.update(
                        task,  # noqa: B023
                        description=label,
                        total=record.blocks,
                        completed=record.blocks_done,
                    )

                drawn = make(
                    one, output, service, replicas=replicas, formats=formats, progress=update
                )
                progress.update(task, description=one, total=1, completed=1)
            _say(out, one_reproduction(one).title)
            if drawn.table:
                _print_table([dict(row) for row in drawn.table], tuple(drawn.table[0]), wrap=False)
            _say(out, f"{drawn.caption}\nwritten to {(output / one).resolve()}.*\n")
        if name == "all":
            _say(out, f"gallery  {write_gallery(output, names).resolve()}")
    finally:
        service.close()


@app.command()
def doctor(
    sweep: Annotated[str | None, typer.Argument(help="look at this one only")] = None,
    data: Annotated[
        Path | None, typer.Option(help="folder of ledger and sweeps; ./delocal-data")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="compute damaged blocks again, set the ledger right")
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify every byte of every sweep, or of one; exit code 1 if any is wrong."""
    from delocal.service.doctor import examine
    from delocal.service.ledger import Ledger
    from delocal.service.settings import Settings

    settings = Settings() if data is None else Settings(data=data)
    if not settings.data.is_dir():
        raise FileNotFoundError(f"no folder {settings.data}; say where with --data")
    ledger = Ledger(settings.ledger_url)
    try:
        with _progress() as progress:
            bars: dict[str, TaskID] = {}

            def update(one: str, done: int, total: int) -> None:
                if one not in bars:
                    bars[one] = progress.add_task(one, total=total)
                progress.update(bars[one], completed=done)

            report = examine(ledger, settings.place, sweep, repair=repair, progress=update)
    finally:
        ledger.close()
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        for finding in report.findings:
            _say(out, str(finding))
        wrong = sum(not finding.repaired for finding in report.findings)
        _say(out, f"{report.sweeps:,} sweeps, {report.blocks:,} blocks: {wrong or 'nothing'} wrong")
    if not report.healthy:
        raise typer.Exit(1)


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o")] = Path("demo-output"),
) -> None:
    """Start a service, sweep the scaling theory over REST, and show exponents and figures."""
    from delocal.api.demo import show

    _plain_logs()
    show(output, out)


app.add_typer(keys_app, name="keys")


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
            _say(err, f"error: {problem}")
        raise SystemExit(2) from None
    except ValidationError as error:
        for wrong in error.errors():
            name = "__".join(["DELOCAL", *map(str, wrong["loc"])]).replace("__", "_", 1).upper()
            _say(err, f"error: {name}: {wrong['msg']}")
        raise SystemExit(2) from None
    except (DelocalError, OSError, ValueError) as error:
        _say(err, f"error: {error}")
        raise SystemExit(2) from None


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=err)


def _tell(as_json: bool, content: dict[str, Any]) -> None:
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for key, value in content.items():
            _say(out, f"{key:14} {value}")


def _tell_status(as_json: bool, status: dict[str, Any]) -> None:
    if not as_json:
        counts = ", ".join(f"{number:,} {what}" for what, number in status["cells"].items())
        shown: dict[str, Any] = {
            name: status[name] for name in ("id", "state", "path") if name in status
        }
        status = {**shown, "cells": counts}
    _tell(as_json, status)


def _say(console: Console, text: str) -> None:
    """Print a line as it is: paths and messages are no markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _print_table(
    rows: list[dict[str, Any]], columns: tuple[str, ...], *, wrap: bool = True
) -> None:
    """Print a table; one that is not to `wrap` is as wide as it needs to be."""
    first, *others = columns
    table = Table(
        Column(first, no_wrap=True), *(Column(column, no_wrap=not wrap) for column in others)
    )
    for row in rows:
        table.add_row(
            *(str(row.get(column) if row.get(column) is not None else "") for column in columns)
        )
    (out if wrap else Console(width=1000)).print(table)


def _plain_logs() -> None:
    from delocal.service.logs import quiet_logs

    logging.getLogger("distributed").setLevel(logging.ERROR)
    quiet_logs()
