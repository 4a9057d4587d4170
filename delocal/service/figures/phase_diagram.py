"""The phase diagram over (alpha, beta), with the cells of a sweep on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from delocal.physics.model import Status
from delocal.physics.phase_diagram import Region, region
from delocal.service.figures.choices import Choices
from delocal.service.figures.layers import category_map
from delocal.service.figures.offers import Offer, coordinates, take, too_many_axes
from delocal.service.figures.style import PALETTE, Style, dressed, style_of, with_alpha, words
from delocal.service.figures.values import flags_of

REGIONS = {
    Region.OUT_OF_DOMAIN: "#DDDDDD",
    Region.I: PALETTE[0],
    Region.IIa: PALETTE[1],
    Region.IIb: PALETTE[2],
    Region.IIc: PALETTE[3],
    Region.III: PALETTE[4],
    Region.MBL: PALETTE[5],
}
"""Colours of the regions; borders have that of the ink."""
OPACITY = {"light": 0.75, "dark": 0.6}
SOURCE = "Gutman et al. (2016), Fig. 3"
NAMES = {int(kind): kind.name for kind in Region}
MOST_CELLS = 5_000_000  # whose status is read
MANY = 400  # marks that would hide each other
UNFINISHED = (Status.NOT_COMPUTED, Status.CANCELLED)


def phase_diagram(
    d: float, *, points: int = 240, cells: xr.Dataset | None = None, theme: str = "light"
) -> go.Figure:
    """Return the regions of the power-law spin model over (alpha, beta), after Fig. 3.

    Parameters
    ----------
    d
        Dimension.
    points
        Pixels along each axis; a multiple of 8 keeps them off the borders.
    cells
        A dataset of a sweep, whose (alpha, beta) are marked, by what became of their cells.
    theme
        ``light`` or ``dark``.
    """
    middles = (np.arange(points) + 0.5) / points
    ends = _ends(d, cells)
    alpha, beta = (low + (high - low) * middles for low, high in ends)
    figure = _regions(alpha, beta, region(d, alpha, beta[:, np.newaxis]), NAMES, d, theme)
    figure.update_layout(xaxis_range=ends[0], yaxis_range=ends[1])
    if cells is not None:
        _mark_cells(figure, cells, style_of(theme))
    return figure


def _ends(d: float, cells: xr.Dataset | None) -> list[tuple[float, float]]:
    """Return the ends of both axes: all regions are between them, and all cells with a margin."""
    ends = {"alpha": (0.5 * d, 4.5 * d), "beta": (0.5 * d, 2.5 * d)}
    if cells is None:
        return list(ends.values())
    return [
        (min(low, 0.95 * float(cells[axis].min())), max(high, 1.05 * float(cells[axis].max())))
        for axis, (low, high) in ends.items()
    ]


def region_map(ds: xr.Dataset, *, theme: str = "light") -> go.Figure:
    """Return the map of `region` of a `scaling` dataset that varies along alpha and beta alone."""
    codes = ds.region.squeeze().transpose("beta", "alpha")
    axes = ds.alpha.values, ds.beta.values
    return _regions(*axes, codes.values, flags_of(codes), float(ds.d), theme)


def draw_phase_diagram(offer: Offer, choices: Choices) -> go.Figure:
    """Return the phase diagram with the cells of a sweep.

    Raises
    ------
    SelectionError
        The sweep has several d, and none is selected.
    TooLarge
        More cells than can be looked at.
    """
    left = coordinates(offer, choices)
    if left.d.ndim:
        raise too_many_axes(offer, "status", choices, list(map(str, left.d.dims)))
    cells = take(offer, [], choices, max_values=MOST_CELLS)
    return phase_diagram(float(left.d), cells=cells, theme=choices.theme)


def _regions(
    alpha: NDArray[np.float64],
    beta: NDArray[np.float64],
    codes: NDArray[Any],
    names: Mapping[int, str],
    d: float,
    theme: str,
) -> go.Figure:
    style = style_of(theme)
    colours = {name: REGIONS.get(Region(code), style.ink) for code, name in names.items()}
    hover = "alpha %{x:.3g}, beta %{y:.3g}: %{text}"
    drawn = category_map(alpha, beta, codes, names, colours, hover)
    figure = go.Figure(drawn.update(opacity=OPACITY[theme]))
    label_regions(figure, alpha, beta, codes, names, style)
    figure.update_layout(
        xaxis={"title": "alpha, range of the hopping t/r<sup>alpha</sup>", "showgrid": False},
        yaxis={"title": "beta, range of the interaction V/r<sup>beta</sup>", "showgrid": False},
        showlegend=False,
    )
    return dressed(figure, style, f"Regions of the power-law spin model, d = {d:g}", [SOURCE])


def label_regions(
    figure: go.Figure,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    codes: NDArray[Any],
    names: Mapping[int, str],
    style: Style,
) -> None:
    """Write the name of each region of a map where it is widest; borders have no name."""
    for code in set(np.unique(codes).tolist()) & set(REGIONS):
        rows, columns = np.nonzero(codes == code)
        row = rows[np.argsort(rows, kind="stable")[rows.size // 2]]
        column = int(np.median(columns[rows == row]))
        text = words(names[code])
        behind = with_alpha(style.paper, 0.5)
        figure.add_annotation(x=x[column], y=y[row], text=text, showarrow=False, bgcolor=behind)


def _mark_cells(figure: go.Figure, cells: xr.Dataset, style: Style) -> None:
    """Mark each (alpha, beta) of a sweep as finished, unfinished, or with cells that failed."""
    others = [dim for dim in cells.status.dims if dim not in _ranges(cells)]
    status = cells.status
    wanted = (status != Status.EXCLUDED).any(others)
    failed = (status == Status.FAILED).any(others)
    finished = ~status.isin([int(code) for code in UNFINISHED]).any(others)
    kinds = {
        "finished": (wanted & finished & ~failed, {"color": style.ink, "symbol": "circle"}),
        "unfinished": (wanted & ~finished & ~failed, {"color": style.ink, "symbol": "circle-open"}),
        "failed, at least in part": (wanted & failed, {"color": style.ink, "symbol": "x"}),
    }
    for name, (there, marker) in kinds.items():
        alpha, beta, there = xr.broadcast(cells.alpha, cells.beta, there)
        chosen = np.atleast_1d(there.values)
        if chosen.any():
            x, y = (np.atleast_1d(axis.values)[chosen] for axis in (alpha, beta))
            size = 7 if chosen.sum() < MANY else 4
            figure.add_scatter(
                x=x, y=y, mode="markers", marker={**marker, "size": size}, name=f"cells {name}"
            )
    figure.update_layout(showlegend=True)


def _ranges(cells: xr.Dataset) -> set[Any]:
    return {*cells.alpha.dims, *cells.beta.dims}
