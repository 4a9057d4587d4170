"""Heat maps of categories, and maps one behind the other with a slider that goes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from delocal.service.figures.style import words


def category_map(
    x: ArrayLike,
    y: ArrayLike,
    codes: NDArray[Any],
    names: Mapping[int, str],
    colours: Mapping[str, str],
    hover: str,
) -> go.Heatmap:
    """Return a heat map of categories; codes that have no name are left open.

    Parameters
    ----------
    codes
        Shape (y, x).
    names, colours
        Name of each code, colour of each name.
    hover
        What is shown at a point, with ``%{text}`` for the name.
    """
    present = [code for code in names if (codes == code).any()]
    rank = np.full(codes.shape, np.nan, dtype=np.float32)
    text = np.full(codes.shape, "", dtype=object)
    for i, code in enumerate(present):
        rank[codes == code], text[codes == code] = i, words(names[code])
    number = max(len(present), 1)
    return go.Heatmap(
        x=x,
        y=y,
        z=rank,
        zmin=-0.5,
        zmax=number - 0.5,
        showscale=False,
        colorscale=[
            [(i + edge) / number, colours[names[code]]]
            for i, code in enumerate(present)
            for edge in (0, 1)
        ]
        or None,
        text=text,
        hoverongaps=False,
        hovertemplate=f"{hover}<extra></extra>",
    )


def swatch(name: str, colour: str) -> go.Scatter:
    """Return an entry of the legend that no point belongs to."""
    marker = {"color": colour, "symbol": "square", "size": 12}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, name=name)


def stacked(maps: Mapping[str, Sequence[Any]], swatches: Mapping[str, str]) -> go.Figure:
    """Return a figure that shows the first map with numbers, with a slider if there are more.

    Parameters
    ----------
    maps
        The traces of each map by its place on the slider, as ``W = 1``.
    swatches
        Colours in the legend by name.
    """
    owners = [place for place, traces in maps.items() for _ in traces]
    filled = (place for place, traces in maps.items() if any(t.coloraxis for t in traces[:1]))
    first = next(filled, owners[0])
    figure = go.Figure([trace for traces in maps.values() for trace in traces])
    for trace, owner in zip(figure.data, owners, strict=True):
        trace.visible = owner == first
    figure.add_traces([swatch(name, colour) for name, colour in swatches.items()])
    figure.update_layout(showlegend=bool(swatches))
    if len(maps) > 1:
        steps = [_step(place, owners, len(swatches)) for place in maps]
        pad = {"t": 110 if swatches else 60}
        slider = {"steps": steps, "active": list(maps).index(first), "pad": pad}
        figure.update_layout(sliders=[slider])
    return figure


def _step(place: str, owners: Sequence[str], swatches: int) -> dict[str, Any]:
    visible = [owner == place for owner in owners] + [True] * swatches
    return {"label": place, "method": "restyle", "args": [{"visible": visible}]}
