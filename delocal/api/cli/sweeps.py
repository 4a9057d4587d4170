"""Commands on the sweeps of a service: submit, look, change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from delocal.api.cli.base import (
    HERE,
    Json,
    Key,
    Model,
    RequestFile,
    SweepId,
    Url,
    command,
    connected,
    counts,
    named,
    out,
    print_table,
    say,
    tell,
    tell_json,
    tell_status,
)
from delocal.service.request import SweepRequest

PANEL = "Sweeps of a service"
SHOWN = (
    "id",
    "name",
    "tags",
    "state",
    "paused",
    "core_seconds",
    "priority",
    "created",
    "finished",
    "submitted_by",
)
ASKED = ("models", "axes", "cases", "fixed", "options", "sampling", "refine", "exclude")


@command(
    "delocal submit dipoles.yaml",
    "delocal submit dipoles.yaml --dry-run",
    "delocal submit dipoles.yaml --url http://127.0.0.1:8000 --json",
    panel=PANEL,
)
def submit(
    request: RequestFile,
    url: Url = HERE,
    key: Key = None,
    dry_run: Annotated[bool, typer.Option(help="only say what it would cost")] = False,
    as_json: Json = False,
) -> None:
    """Submit a sweep to a service and print its id, or what it would cost."""
    parsed = SweepRequest.from_file(request)
    with connected(url, key) as client:
        if dry_run:
            tell(as_json, client.estimate(parsed))
        else:
            sweep = client.submit(parsed)
            if as_json or out.is_terminal:
                tell_status(as_json, sweep.status())
            else:  # ID=$(delocal submit ...)
                say(out, sweep.id)


@command(
    "delocal ls",
    "delocal ls --state queued,running --model scaling",
    "delocal ls --text dipoles --since 2026-01-01 --where T=1e-6:1e-4 --json",
    panel=PANEL,
)
def ls(
    state: Annotated[str | None, typer.Option(help="in this state, or one of several: a,b")] = None,
    model: Annotated[list[str] | None, typer.Option(help="with this model")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="with this tag")] = None,
    text: Annotated[str | None, typer.Option(help="words in name, tags or models")] = None,
    since: Annotated[str | None, typer.Option(help="submitted then or later, 2026-03-01")] = None,
    until: Annotated[str | None, typer.Option(help="submitted before then")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="with values there: T=1e-3, T=1e-6:1e-4")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="sweeps at most")] = 20,
    deleted: Annotated[bool, typer.Option("--deleted", help="those in the trash")] = False,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List sweeps that meet all that is asked, the newest first."""
    filters = {"state": state, "model": model, "tag": tag, "text": text, "since": since}
    with connected(url, key) as client:
        found = client.sweeps(
            limit=limit, until=until, deleted=deleted, **filters, **named(where, "--where")
        )
    if as_json:
        tell_json(found)
    else:
        print_table(map(_line, found), ("id", "state", "cells", "models", "name", "created"))


@command("delocal show ID", "delocal show ID --json", panel=PANEL)
def show(sweep: SweepId, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Show one sweep: where it stands, what was asked for, when and by whom."""
    with connected(url, key) as client:
        status = client.sweep(sweep).status()
    if as_json:
        tell_json(status)
        return
    shown = {name: status[name] for name in SHOWN if status[name]}
    tell(False, {**shown, "cells": counts(status)})
    for part in ASKED:
        if part in status["request"]:
            say(out, f"{part:14} {status['request'][part]}")


@command(
    "delocal cells ID --limit 5",
    "delocal cells ID --status outside_domain",
    "delocal cells ID --variables kappa_sd,kappa_ps --json",
    panel=PANEL,
)
def cells(
    sweep: SweepId,
    status: Annotated[
        list[str] | None, typer.Option(help="cells of this status only; several times for several")
    ] = None,
    variables: Annotated[str | None, typer.Option(help="comma-separated; all if absent")] = None,
    model: Model = None,
    limit: Annotated[int, typer.Option(min=1, help="cells at most")] = 20,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """List cells with their parameters, status and values, as they are now."""
    wanted = variables.split(",") if variables else None
    with connected(url, key) as client:
        found = list(
            client.sweep(sweep).cells(model, statuses=status, variables=wanted, limit=limit)
        )
    if as_json:
        tell_json(found)
    elif found:
        print_table(found, tuple(found[0]), wrap=False)
    else:
        say(out, f"no cell of sweep {sweep} is {' or '.join(status or ['there'])}")


@command("delocal errors ID", "delocal errors ID --traceback --json", panel=PANEL)
def errors(
    sweep: SweepId,
    traceback: Annotated[bool, typer.Option("--traceback", help="and where it was")] = False,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show why cells failed: their parameters and what was raised, a hundred at most."""
    with connected(url, key) as client:
        found = client.sweep(sweep).failures()
    if as_json:
        tell_json(found)
    for failure in () if as_json else found:
        point = ", ".join(f"{k} = {v:g}" for k, v in (failure["parameters"] or {}).items())
        say(out, f"{failure['model']} at {point or 'block'}: {failure['error']}")
        if traceback:
            say(out, str(failure["traceback"]))
    if not found and not as_json:
        say(out, f"no cell of sweep {sweep} failed")


@command("delocal cancel ID", panel=PANEL)
def cancel(sweep: SweepId, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """End a sweep; what is stored stays, and `delocal retry` goes on with it."""
    with connected(url, key) as client:
        tell_status(as_json, client.sweep(sweep).cancel().status())


@command("delocal extend ID colder.yaml", panel=PANEL)
def extend(
    sweep: SweepId,
    changes: Annotated[Path, typer.Argument(exists=True, help="JSON or YAML file")],
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Submit a sweep with more values on its axes, or more replicas; what is there is copied."""
    from delocal.service.request import read_content

    with connected(url, key) as client:
        extended = client.sweep(sweep).extend(**read_content(changes.read_text()))
        tell_status(as_json, extended.status())


@command("delocal retry ID", panel=PANEL)
def retry(sweep: SweepId, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Compute again what failed or was cancelled in a sweep, and only that."""
    with connected(url, key) as client:
        tell_status(as_json, client.sweep(sweep).retry().status())


@command("delocal share ID --days 30", panel=PANEL)
def share(
    sweep: SweepId,
    days: Annotated[float, typer.Option(help="until the link expires")] = 7.0,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Make a link to the datasets of a sweep that is good without a key, until it expires."""
    with connected(url, key) as client:
        tell(as_json, client.sweep(sweep).share(days * 86_400))


@command("delocal delete ID", "delocal delete ID --purge", panel=PANEL)
def delete(
    sweep: SweepId,
    purge: Annotated[
        bool, typer.Option("--purge", help="for good and at once, without a way back")
    ] = False,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Put a sweep that has ended into the trash, from which it is removed after some days."""
    with connected(url, key) as client:
        remote = client.sweep(sweep)
        if remote.status()["state"] != "deleted" or not purge:
            remote.delete()
        status = remote.status()
        if purge:
            remote.purge()
            status["state"] = "purged"
    tell_status(as_json, status)


@command("delocal restore ID", panel=PANEL)
def restore(sweep: SweepId, url: Url = HERE, key: Key = None, as_json: Json = False) -> None:
    """Take a sweep out of the trash."""
    with connected(url, key) as client:
        tell_status(as_json, client.sweep(sweep).restore().status())


def _line(status: dict[str, Any]) -> dict[str, Any]:
    """Return a sweep as a row of a table."""
    return {
        **status,
        "cells": f"{status['cells']['total']:,}",
        "models": ", ".join(status["request"]["models"]),
        "created": status["created"][:16].replace("T", " "),
    }
