"""Figures as files: a page of HTML, a picture, or the JSON of Plotly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import xarray as xr

from delocal.service.errors import NotReady, SelectionError
from delocal.service.figures.catalogue import figure_of
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import datasets_of

PICTURES = (".png", ".svg", ".pdf")
HEIGHT = "560px"  # of a figure on a page: below, its legend lies on the title of an axis
SUFFIXES = (".html", *PICTURES, ".json")


def draw(name: str, data: xr.DataTree | xr.Dataset, path: str | Path, **choices: Any) -> go.Figure:
    """Draw a figure of a sweep into a file, and return it.

    Parameters
    ----------
    name
        One of the figures: ``kappa``, ``heatmap`` and so on.
    data
        A sweep, or the dataset of one of its models.
    path
        The file; its suffix says what it is: .html, .png, .svg, .pdf, .json.
    **choices
        `model`, `variable`, `x`, `y`, `sel`, `nearest` and `theme`, see `Choices.of`.

    Raises
    ------
    NotFound, SelectionError, TooLarge
        See `figure_of`; SelectionError also for another suffix.
    NotReady
        A picture is wanted, and there is no browser to draw it.
    """
    _check_suffix(Path(path))  # before anything is read
    figure = figure_of(name, datasets_of(data), Choices.of(**choices))
    save(figure, Path(path))
    return figure


def save(figure: go.Figure, path: Path) -> None:
    """Write a figure as its suffix says: .html, which needs no network, .png, .svg, .pdf or .json.

    Raises
    ------
    SelectionError
        Another suffix.
    NotReady
        A picture is wanted, and there is no Chrome or Chromium to draw it.
    """
    _check_suffix(path)
    if path.suffix == ".html":
        figure.write_html(path, include_plotlyjs=True)
    elif path.suffix == ".json":
        path.write_text(to_json(figure))
    else:
        _write_picture(figure, path)


def to_json(figure: go.Figure) -> str:
    """Return `data` and `layout` for Plotly: valid JSON, without NaN."""
    return str(figure.to_json())


def page(title: str, figures: Sequence[go.Figure]) -> str:
    """Return one HTML page that holds the figures and needs no network."""
    bodies = [
        figure.to_html(full_html=False, include_plotlyjs=i == 0, default_height=HEIGHT)
        for i, figure in enumerate(figures)
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<body style="font-family: sans-serif; max-width: 60rem; margin: 2rem auto">'
        f"<h1>{title}</h1>{''.join(bodies)}</body></html>"
    )


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise SelectionError(
            f"{path.name}: no figure is written as {path.suffix or 'a file without suffix'!r}; "
            f"there are {', '.join(SUFFIXES)}"
        )


def _write_picture(figure: go.Figure, path: Path) -> None:
    try:
        figure.write_image(path, width=900, height=600, scale=2)
    except RuntimeError as error:  # plotly's word for a browser that is not there
        raise NotReady(
            f"{path.name} is drawn by Chrome or Chromium, which is not on this machine; install "
            "it (`apt-get install chromium`), or write .html"
        ) from error
