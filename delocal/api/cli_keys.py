"""`delocal keys`: make, list and revoke the keys of a service, beside its data."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from delocal.service.audit import Audit
    from delocal.service.keys import Key, Keys

app = typer.Typer(no_args_is_help=True, help="Keys of a service, kept in its ledger.")
out = Console()

Data = Annotated[Path | None, typer.Option(help="data folder of the service; ./delocal-data")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a program to read")]
USUAL = ["sweeps:read", "sweeps:write", "data:read"]
COLUMNS = ("id", "name", "scopes", "state", "created", "expires", "last_used")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="who or what holds it")],
    scope: Annotated[
        list[str], typer.Option(help="what it is good for; or admin; may be given several times")
    ] = USUAL,
    days: Annotated[float, typer.Option(min=0, help="until it expires; 0 for never")] = 90.0,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it: this once, and never again."""
    with _opened(data) as (keys, audit):
        key, text = keys.create(name, scope, days or None)
        audit.add(_who(), "key.create", key.id)
    if as_json:
        typer.echo(json.dumps({**_plain(key), "key": text}, indent=2))
    else:
        typer.echo(text)
        typer.echo("Keep it now; it is not shown again. Use it as DELOCAL_KEY.", err=True)


@app.command("list")
def list_keys(data: Data = None, as_json: Json = False) -> None:
    """List every key without its secret."""
    with _opened(data) as (keys, _):
        rows = [_plain(key) for key in keys.all()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(Column("id", no_wrap=True), *COLUMNS[1:])
    for row in rows:
        table.add_row(*(str(row[column] or "") for column in COLUMNS))
    out.print(table)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="its id, as `delocal keys list` shows it")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a key; a running service refuses it from the next request on."""
    with _opened(data) as (keys, audit):
        ended = keys.revoke(key)
        audit.add(_who(), "key.revoke", ended.id)
    if as_json:
        typer.echo(json.dumps(_plain(ended), indent=2))
    else:
        typer.echo(f"key {ended.id} ({ended.name}) is revoked")


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Keys, Audit]]:
    """Open the ledger where a service with the same settings has it; no service need run."""
    from delocal.service.audit import Audit
    from delocal.service.keys import Keys
    from delocal.service.settings import Settings

    ledger = (Settings() if data is None else Settings(data=data)).open_ledger()
    try:
        yield Keys(ledger.engine), Audit(ledger.engine)
    finally:
        ledger.close()


def _who() -> str:
    try:
        return f"command line ({getpass.getuser()})"
    except (KeyError, OSError):  # a container may run as a user without a name
        return "command line"


def _plain(key: Key) -> dict[str, str | None]:
    times = {
        name: None
        if (seconds := getattr(key, name)) is None
        else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
        for name in ("created", "expires", "revoked", "last_used")
    }
    scopes = " ".join(key.scopes)
    return {"id": key.id, "name": key.name, "scopes": scopes, "state": key.state, **times}
