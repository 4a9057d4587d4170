"""The exponents of the theory over the plane of (alpha, beta), with the borders of its regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from delocal.physics.phase_diagram import region
from delocal.service.figures.choices import Choices
from delocal.service.figures.maps import draw_map
from delocal.service.figures.offers import Offer, coordinates
from delocal.service.figures.phase_diagram import NAMES, label_regions
from delocal.service.figures.style import Style
from delocal.service.results import Selection

Array = NDArray[np.float64]
EXPONENT = "_exponent"
WRT = "wrt"
PLANE = ("alpha", "beta")
POINTS = 120  # along each axis, and of each border
COLOURED = 95  # per cent of the exponents have a colour of their own: at borders they diverge


def draw_exponents(offer: Offer, choices: Choices) -> go.Figure:
    """Return the map of the exponent of T in a variable; `sel` along `wrt` takes another letter.

    Raises
    ------
    SelectionError, TooLarge
        As `draw_map` does.
    """
    variable = offer.variables[0]
    if choices.x is None and choices.y is None and set(PLANE) <= set(offer.axes):
        choices = replace(choices, x=PLANE[0], y=PLANE[1])
    choices = replace(choices, sel={WRT: Selection(("T",), drop=True), **choices.sel})
    exponent = replace(offer, variables=(f"{variable}{EXPONENT}",))
    figure = draw_map(exponent, choices, coloured=COLOURED)
    letters = " or ".join(map(str, choices.sel[WRT].values))
    figure.update_layout(title_text=f"Exponent of {letters} in {variable}")
    figure.update_coloraxes(colorbar_title_text=f"exponent of {letters}")
    left = coordinates(offer, choices)
    if (choices.x, choices.y) == PLANE and not left.d.ndim:
        _add_borders(figure, left.alpha.values, left.beta.values, float(left.d), choices.style)
    return figure


def _add_borders(figure: go.Figure, alphas: Array, betas: Array, d: float, style: Style) -> None:
    """Draw the borders of the regions over a map of cells, and name the regions."""
    ends = [_edges(axis) for axis in (alphas, betas)]
    alpha, beta = (np.linspace(*edges, POINTS) for edges in ends)
    for x, y in _borders(d, ends[0][1], ends[1][1]):
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": style.ink, "width": 1},
            showlegend=False,
            hoverinfo="skip",
        )
    codes = region(d, alpha, beta[:, np.newaxis])
    label_regions(figure, alpha, beta, codes, NAMES, style)
    figure.update_layout(xaxis_range=ends[0], yaxis_range=ends[1])


def _borders(d: float, alpha: float, beta: float) -> Iterator[tuple[Array, Array]]:
    """Yield the borders up to `alpha` and `beta`: Gutman et al. (2016), Eqs. (2), (11), (16)."""
    alpha, beta = max(alpha, 2 * d), max(beta, 2 * d)
    yield np.array([0.0, beta]), np.array([0.0, beta])
    yield np.array([d, d]), np.array([0.0, d])
    yield np.array([d, alpha]), np.array([d, d])
    yield np.array([2 * d, 2 * d]), np.array([d, 2 * d])
    yield np.array([2 * d, alpha]), np.array([2 * d, 2 * d])
    of_D = np.linspace(2 * d, alpha, POINTS)
    yield of_D, of_D * d / (of_D - d)


def _edges(axis: Array) -> tuple[float, float]:
    """Return where the first cell along an axis begins and the last one ends."""
    axis = np.sort(axis)
    return axis[0] - (axis[1] - axis[0]) / 2, axis[-1] + (axis[-1] - axis[-2]) / 2
