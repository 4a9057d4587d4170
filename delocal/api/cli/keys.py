"""`delocal keys`: make, list and revoke the keys of a service, beside its data."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from delocal.api.cli.base import Json, command, print_table, tell_json
from delocal.api.cli.base import app as all_commands

if TYPE_CHECKING:
    from delocal.service.audit import Audit
    from delocal.service.keys import Key, Keys

PANEL = "Upkeep"
app = typer.Typer(no_args_is_help=True, help="Keys of a service, kept in its ledger.")
all_commands.add_typer(app, name="keys", rich_help_panel=PANEL)

Data = Annotated[Path | None, typer.Option(help="data folder of the service; ./delocal-data")]
USUAL = ["sweeps:read", "sweeps:write", "data:read"]
COLUMNS = ("id", "name", "scopes", "state", "created", "expires", "last_used")


@command(
    "delocal keys create laptop --data results",
    "delocal keys create dashboard --scope sweeps:read --days 365 --data results",
    panel=PANEL,
    to=app,
)
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
        tell_json({**_plain(key), "key": text})
    else:
        typer.echo(text)
        typer.echo("Keep it now; it is not shown again. Use it as DELOCAL_KEY.", err=True)


@command("delocal keys list --data results", panel=PANEL, name="list", to=app)
def list_keys(data: Data = None, as_json: Json = False) -> None:
    """List every key without its secret."""
    with _opened(data) as (keys, _):
        rows = [_plain(key) for key in keys.all()]
    if as_json:
        tell_json(rows)
    else:
        print_table(rows, COLUMNS)


@command("delocal keys revoke KEY --data results", panel=PANEL, to=app)
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
        tell_json(_plain(ended))
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
