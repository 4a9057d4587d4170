"""Curves over scaled axes, which lie on one another where their scaling is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import Offer, take
from delocal.service.figures.style import LEVEL, UPRIGHT, dressed, in_lines, log_ticks, number
from delocal.service.figures.values import decades_of, is_logarithmic, settings_of

LEGIBLE = 12  # curves that a legend can name


def draw_collapse(scaled: Offer, choices: Choices) -> go.Figure:
    """Return y over x of what :func:`delocal.service.comparison.collapse` returns.

    One line for each cell of the other axes, or points with error bars if there are errors.
    """
    part = take(scaled, ["x", "y"], choices)
    along = str(part.x.attrs["along"])
    others = [dim for dim in part.y.dims if dim != along]
    cells = list(np.ndindex(*(part.sizes[dim] for dim in others)))
    style, figure = choices.style, go.Figure()
    for i, cell in enumerate(cells):
        curve = part.isel(dict(zip(others, cell, strict=True)))
        colour = style.colour(i, len(cells), ordered=True)
        line = {"color": colour, "width": 2 + 4 * (1 - (i + 1) / len(cells))}  # seen below others
        figure.add_scatter(name=_named(curve, part), line=line, **_points(curve))
    figure.update_xaxes(title_text=in_lines(part.x.attrs["long_name"], LEVEL), **_axis(part, "x"))
    figure.update_yaxes(title_text=in_lines(part.y.attrs["long_name"], UPRIGHT), **_axis(part, "y"))
    figure.update_layout(showlegend=1 < len(cells) <= LEGIBLE)
    return dressed(figure, style, "Collapse of curves over scaled axes", [settings_of(part.y)])


def _named(curve: xr.Dataset, part: xr.Dataset) -> str:
    """Return which of the curves of `part` one is."""
    own = [name for name in curve.coords if not curve[name].ndim and part[name].ndim]
    return ", ".join(f"{name} = {number(curve[name].item())}" for name in own)


def _points(curve: xr.Dataset) -> dict[str, Any]:
    arrays = {"x": curve.x.values.ravel(), "y": curve.y.values.ravel()}
    if "y_stderr" not in curve:
        return {**arrays, "mode": "lines"}
    return {**arrays, "mode": "markers", "error_y": {"array": curve.y_stderr.values.ravel()}}


def _axis(part: xr.Dataset, name: str) -> dict[str, Any]:
    """Return a logarithmic axis where the values are best shown on one."""
    values = part[name].values
    return log_ticks(values) if is_logarithmic(values, decades_of(part, name).values) else {}
