"""`delocal plot`: what a sweep looks like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from delocal.api.cli import complete
from delocal.api.cli.base import (
    HERE,
    Json,
    Key,
    Nearest,
    Sel,
    SweepOrFolder,
    Url,
    command,
    connected,
    is_folder,
    named,
    print_table,
    tell,
    tell_json,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

PANEL = "Results"


@command(
    "delocal plot ID",
    "delocal plot ID kappa --sel alpha=3 -o kappa.html",
    "delocal plot dipoles kappa --sel alpha=3 --variable kappa_sd --theme dark -o kappa.json",
    panel=PANEL,
)
def plot(
    sweep: SweepOrFolder,
    figure: Annotated[
        str | None,
        typer.Argument(
            metavar="FIGURE",
            help="its name; those there are if it is absent",
            autocompletion=complete.figures,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="file: .html, .png, .svg, .pdf or .json; FIGURE.html"),
    ] = None,
    model: Annotated[str | None, typer.Option(help="what is drawn of several")] = None,
    variable: Annotated[
        str | None, typer.Option(help="what is drawn, where there is a choice; comma-separated")
    ] = None,
    x: Annotated[str | None, typer.Option(help="coordinate of the first axis")] = None,
    y: Annotated[str | None, typer.Option(help="coordinate of the second axis")] = None,
    sel: Sel = None,
    nearest: Nearest = False,
    theme: Annotated[str, typer.Option(help="light or dark")] = "light",
    url: Url = HERE,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Draw a figure of a sweep into a file; without its name, list those that it can give."""
    if figure is None:
        found = _offered(sweep, url, key)
        if as_json:
            tell_json(found)
        else:
            print_table(found, ("name", "title", "needs"))
        return
    choices: dict[str, Any] = {"model": model, "variable": variable, "x": x, "y": y}
    choices |= {"nearest": nearest, "theme": theme}
    drawn = _drawn(sweep, url, key, figure, choices, named(sel, "--sel"))
    from delocal.service.figures import save

    path = output or Path(f"{figure}.html")
    save(drawn, path)
    tell(as_json, {"figure": figure, "path": str(path)})


def _offered(sweep: str, url: str, key: str | None) -> list[dict[str, Any]]:
    """Return name, title and needs of the figures that a sweep can give."""
    if not is_folder(sweep):
        with connected(url, key) as client:
            return client.sweep(sweep).figures()
    from delocal.service.figures import RECIPES, datasets_of, possible
    from delocal.service.run import open_sweep

    names = possible(datasets_of(open_sweep(sweep)))
    return [
        {part: getattr(RECIPES[name], part) for part in ("name", "title", "needs")}
        for name in names
    ]


def _drawn(
    sweep: str,
    url: str,
    key: str | None,
    figure: str,
    choices: dict[str, Any],
    sel: Mapping[str, Any],
) -> go.Figure:
    """Return a figure of a sweep in a folder, or of a service."""
    if not is_folder(sweep):
        with connected(url, key) as client:
            return client.sweep(sweep).figure(figure, **choices, **sel)
    from delocal.service.figures import Choices, datasets_of, figure_of
    from delocal.service.run import open_sweep

    return figure_of(figure, datasets_of(open_sweep(sweep)), Choices.of(sel=sel, **choices))
