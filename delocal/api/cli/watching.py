"""`delocal watch`: a table of sweeps that is drawn again as they go on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from delocal.api.cli import complete
from delocal.api.cli.base import (
    HERE,
    Json,
    Key,
    Url,
    command,
    connected,
    err,
    out,
    say,
    tell_json,
    tell_status,
)
from delocal.service.states import SweepState

if TYPE_CHECKING:
    from delocal.api.client import Client
    from delocal.api.remote_sweep import RemoteSweep

PANEL = "Sweeps of a service"
LOOK_SECONDS = 0.5
BAR = 24  # characters

Status = Mapping[str, Any]


@command("delocal watch ID", "delocal watch", "delocal watch ID --json", panel=PANEL)
def watch(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SWEEP",
            help="their ids; those that are at work if there is none",
            autocompletion=complete.sweeps,
        ),
    ] = None,
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Show the progress of sweeps until they have ended; exit code 1 if one is not done."""
    with connected(url, key) as client:
        watched = [client.sweep(sweep) for sweep in sweeps or _at_work(client)]
        ended = follow(watched)
    for status in ended:
        if not as_json:
            tell_status(False, status)
    if as_json:
        tell_json(ended[0] if len(ended) == 1 else ended)
    elif not ended:
        say(out, "no sweep is at work")
    if any(status["state"] != SweepState.DONE for status in ended):
        raise typer.Exit(1)


def follow(sweeps: Sequence[RemoteSweep]) -> list[dict[str, Any]]:
    """Draw a table of sweeps until all have ended, and return their status."""
    paces = [Pace() for _ in sweeps]
    statuses: list[dict[str, Any]] = []
    with Live(console=err, auto_refresh=False) as live:
        while sweeps:
            statuses = [sweep.status() for sweep in sweeps]
            live.update(progress_table(statuses, paces, time.monotonic()), refresh=err.is_terminal)
            if all(SweepState(status["state"]).ended for status in statuses):
                break
            time.sleep(LOOK_SECONDS)
    if sweeps and not err.is_terminal:
        err.print()  # which a live table leaves out there
    return statuses


class Pace:
    """How fast a sweep goes, since somebody looks."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def seconds_left(self, now: float, done: int, total: int) -> float | None:
        """Return how long it still takes at the pace so far; None if nobody can say yet."""
        if self._began is None:
            self._began = now, done
        since, first = self._began
        if done <= first or now <= since:
            return None
        return (total - done) * (now - since) / (done - first)


def progress_table(statuses: Sequence[Status], paces: Sequence[Pace], now: float) -> Table:
    """Return a row for each sweep: its state, how much of it is there, how long it still takes."""
    table = Table("sweep", "name", "state", "", "cells", "not done", "left")
    for status, pace in zip(statuses, paces, strict=True):
        cells = dict(status["cells"])
        total, missing = cells.pop("total"), cells.pop("not_computed", 0)
        done = total - missing
        cells.pop("done", None)
        state = f"{status['state']}: {status['paused']}" if status["paused"] else status["state"]
        left = None if SweepState(status["state"]).ended else pace.seconds_left(now, done, total)
        table.add_row(
            status["id"],
            status["name"],
            state,
            ProgressBar(total=total, completed=done, width=BAR),
            f"{done:,} of {total:,}",
            ", ".join(f"{number:,} {what}" for what, number in cells.items()),
            "" if left is None else _duration(left),
        )
    return table


def _at_work(client: Client) -> list[str]:
    return [s["id"] for s in client.sweeps() if not SweepState(s["state"]).ended]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
