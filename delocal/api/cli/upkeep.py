"""Commands for whoever runs a service: check, migrate, look at the settings, clear the cache."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TaskID

from delocal.api.cli.base import Data, Json, command, err, out, print_table, say, tell, tell_json
from delocal.api.progress import bars

if TYPE_CHECKING:
    from delocal.service.settings import Settings

PANEL = "Upkeep"
SECRET = re.compile("password|passwd|secret|token|api_?key", re.IGNORECASE)


@command(
    "delocal doctor --data results",
    "delocal doctor ID --data results --repair",
    "delocal doctor --data results --json",
    panel=PANEL,
)
def doctor(
    sweep: Annotated[str | None, typer.Argument(help="look at this one only")] = None,
    data: Data = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="compute damaged blocks again, set the ledger right")
    ] = False,
    as_json: Json = False,
) -> None:
    """Verify every byte of every sweep, or of one; exit code 1 if any is wrong."""
    from delocal.service.doctor import examine
    from delocal.service.ledger import Ledger

    settings = _settings(data)
    ledger = Ledger(settings.ledger_url)
    try:
        with bars(err) as progress:
            shown: dict[str, TaskID] = {}

            def update(one: str, done: int, total: int) -> None:
                if one not in shown:
                    shown[one] = progress.add_task(one, total=total)
                progress.update(shown[one], completed=done)

            report = examine(ledger, settings.place, sweep, repair=repair, progress=update)
    finally:
        ledger.close()
    if as_json:
        tell_json(report.to_json())
    else:
        for finding in report.findings:
            say(out, str(finding))
        wrong = sum(not finding.repaired for finding in report.findings)
        say(out, f"{report.sweeps:,} sweeps, {report.blocks:,} blocks: {wrong or 'nothing'} wrong")
    if not report.healthy:
        raise typer.Exit(1)


@command("delocal migrate --data results --check", "delocal migrate --data results", panel=PANEL)
def migrate(
    data: Data = None,
    check: Annotated[
        bool, typer.Option("--check", help="only look; exit code 1 if it is not the newest")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the tables of a ledger to this version, which `delocal serve` does when it starts."""
    from delocal.service.database import revisions
    from delocal.service.ledger import Ledger

    settings = _settings(data)
    before, newest = revisions(settings.ledger_url)
    if not check:
        Ledger(settings.ledger_url).close()
    now = before if check else newest
    tell(as_json, {"before": before, "now": now, "newest": newest})
    if now != newest:
        raise typer.Exit(1)


@command("delocal config", "delocal config --data results --json", panel=PANEL)
def config(data: Data = None, as_json: Json = False) -> None:
    """Show every setting as a service started here would have it; secrets are left out."""
    from delocal.service.settings import Settings

    settings = Settings() if data is None else Settings(data=data)
    rows = list(_rows(settings.model_dump(mode="json"), "", "DELOCAL_"))
    if as_json:
        tell_json({row["setting"]: row["value"] for row in rows})
    else:
        print_table(rows, ("setting", "value", "from"))


@command("delocal cache", "delocal cache --clear", panel=PANEL)
def cache(
    clear: Annotated[bool, typer.Option("--clear", help="remove all of it")] = False,
    as_json: Json = False,
) -> None:
    """Show where this user's clients keep what services sent, and how much that is."""
    from delocal.api.response_cache import ResponseCache

    kept = ResponseCache()
    removed = {"removed": kept.clear()} if clear else {}
    there = {"folder": str(kept.folder), "bytes": kept.size(), "limit": kept.limit}
    tell(as_json, {**there, **removed})


def _settings(data: Path | None) -> Settings:
    """Return the settings of a service that has run; FileNotFoundError if it has no data."""
    from delocal.service.settings import Settings

    settings = Settings() if data is None else Settings(data=data)
    if not settings.data.is_dir():
        raise FileNotFoundError(f"no folder {settings.data}; say where with --data")
    return settings


def _rows(values: dict[str, Any], prefix: str, variable: str) -> Any:
    """Yield name, value and origin of each setting, those of a group with the name of the group."""
    for name, value in values.items():
        here = variable + name.upper()
        if isinstance(value, dict) and name != "options":
            yield from _rows(value, f"{prefix}{name}.", f"{here}__")
        else:
            given = here if here in os.environ else ""
            yield {"setting": prefix + name, "value": _shown(name, value), "from": given}


def _shown(name: str, value: Any) -> Any:
    """Return a value without what nobody else should read."""
    if isinstance(value, dict):
        return json.dumps({key: _shown(key, below) for key, below in value.items()})
    if value and SECRET.search(name):
        return "***"
    if isinstance(value, str):
        return re.sub(r"(?<=://)([^:/@]*):[^@/]*@", r"\1:***@", value)
    return value
