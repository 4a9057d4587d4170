"""What all commands share: the application, their options, and how they print."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from delocal.api.cli import complete
from delocal.service.errors import Problem, RequestError

if TYPE_CHECKING:
    import xarray as xr

    from delocal.api.client import Client

HERE = "http://127.0.0.1:8000"
Url = Annotated[str, typer.Option(envvar="DELOCAL_URL", help="the service")]
Key = Annotated[
    str | None,
    typer.Option(envvar="DELOCAL_KEY", show_default=False, help="a key of the service"),
]
Data = Annotated[Path | None, typer.Option(help="folder of sweeps and ledger; ./delocal-data")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a program to read")]
RequestFile = Annotated[
    Path, typer.Argument(metavar="REQUEST", exists=True, dir_okay=False, help="JSON or YAML file")
]
Model = Annotated[str | None, typer.Option(help="needed if the sweep has several")]
Sel = Annotated[
    list[str] | None,
    typer.Option(help="a coordinate and its values: W=1, T=1e-6:1e-4, alpha=3,4"),
]
Nearest = Annotated[bool, typer.Option("--nearest", help="take the nearest value on an axis")]
SweepId = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP", help="its id, as `delocal ls` shows it", autocompletion=complete.sweeps
    ),
]
SweepOrFolder = Annotated[
    str,
    typer.Argument(
        metavar="SWEEP",
        help="its id, as `delocal ls` shows it; or the folder of `delocal run`",
        autocompletion=complete.sweeps,
    ),
]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Energy transport in Anderson insulators: theories and Monte Carlo, swept.",
)
out, err = Console(), Console(stderr=True)
Command = TypeVar("Command", bound=Callable[..., Any])


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"delocal {version('delocal')}")
        raise typer.Exit


@app.callback()
def begin(
    told: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="show the version, and end"
        ),
    ] = False,
) -> None:
    """Take what stands before the command."""


def command(
    *examples: str, panel: str, name: str | None = None, to: typer.Typer = app
) -> Callable[[Command], Command]:
    """Return a decorator that makes a command of a function.

    Parameters
    ----------
    examples
        Whole lines, which `--help` shows. ``ID`` stands for the id of a sweep.
    panel
        Of the list of commands.
    name
        That of the function if it is None.
    to
        The application, or the group of commands, to which it belongs.
    """
    shown = "\n".join(["[bold]Examples[/]", *map(escape, examples)])
    return to.command(name, epilog=shown, rich_help_panel=panel)


def connected(url: str, key: str | None) -> Client:
    """Return a client of a service that answers."""
    from delocal.api.client import connect  # half a second, which `--help` need not wait

    return connect(url, key)


def json_of(ds: xr.Dataset) -> dict[str, Any]:
    """Return a dataset as JSON has it, as `/data` gives it."""
    import orjson

    from delocal.service.results import to_plain

    text = orjson.dumps(to_plain(ds), option=orjson.OPT_SERIALIZE_NUMPY)
    found: dict[str, Any] = orjson.loads(text)
    return found


def is_folder(sweep: str) -> bool:
    """Whether a sweep is given as the place where `delocal run` left it."""
    return "/" in sweep or Path(sweep).is_dir()


def named(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Return values by name, of texts such as ``T=1e-3``; RequestError if one is no such text."""
    pairs = [text.partition("=")[::2] for text in texts or ()]
    times = Counter(name for name, _ in pairs)
    wrong = [Problem(option, f"{n!r} has no value; write NAME=VALUE") for n, v in pairs if not v]
    wrong += [
        Problem(option, f"{name} is given twice; write several values as {name}=1,2")
        for name, number in times.items()
        if number > 1
    ]
    if wrong:
        raise RequestError(wrong)
    return dict(pairs)


def tell(as_json: bool, content: Mapping[str, Any]) -> None:
    """Print one thing, a line for each of its parts, or as JSON."""
    if as_json:
        tell_json(content)
    else:
        width = max(14, *map(len, content))
        for key, value in content.items():
            say(out, f"{key:{width}} {_cell(value)}")


def tell_json(content: Any) -> None:
    """Print JSON, in which a number that is not finite is null."""
    typer.echo(json.dumps(_finite(content), indent=2, allow_nan=False))


def tell_status(as_json: bool, status: Mapping[str, Any]) -> None:
    """Print where a sweep stands, in short, or all of it as JSON."""
    if not as_json:
        shown: dict[str, Any] = {
            name: status[name] for name in ("id", "state", "path") if name in status
        }
        status = {**shown, "cells": counts(status)}
    tell(as_json, status)


def counts(status: Mapping[str, Any]) -> str:
    """Return how many cells are in which status, in words."""
    return ", ".join(f"{number:,} {what}" for what, number in status["cells"].items())


def say(console: Console, text: str) -> None:
    """Print a line as it is: paths and messages are no markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, wrap: bool = True
) -> None:
    """Print a table; one that is not to `wrap` is as wide as it needs to be."""
    first, *others = columns
    table = Table(
        Column(first, no_wrap=True), *(Column(column, no_wrap=not wrap) for column in others)
    )
    for row in rows:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    (out if wrap else Console(width=1000)).print(table)


def plain_logs() -> None:
    """Keep the logs of a service that runs inside of a command to what is wrong."""
    from delocal.service.logs import quiet_logs

    logging.getLogger("distributed").setLevel(logging.ERROR)
    quiet_logs()


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return content


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)
