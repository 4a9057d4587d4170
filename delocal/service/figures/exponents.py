"""The exponents of the theory over the plane of (alpha, beta), with the borders of its regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from delocal.physics.phase_diagram import region
from delocal.service.figures.choices import Choices, Offer, coordinates
from delocal.service.figures.maps import draw_map
from delocal.service.figures.phase_diagram import NAMES, label_regions
from delocal.service.results import Selection

EXPONENT = "_exponent"
WRT = "wrt"
PLANE = ("alpha", "beta")
POINTS = 240  # along each axis, where borders are looked for
COLOURED = 95  # per cent of the exponents have a colour of their own: at borders they diverge


def draw_exponents(offer: Offer, choices: Choices) -> go.Figure:
    """Return the map of the exponent of T in a variable; `sel` along `wrt` takes another letter.

    Raises
    ------
    SelectionError, TooLarge
        As `draw_map` does.
    """
    variable = offer.variables[0]
    sel = {WRT: Selection(("T",), drop=True), **choices.sel}
    if choices.x is None and choices.y is None and set(PLANE) <= set(offer.axes):
        choices = replace(choices, x=PLANE[0], y=PLANE[1])
    choices = replace(choices, sel=sel)
    figure = draw_map(replace(offer, variables=(f"{variable}{EXPONENT}",)), choices)
    coloured = [
        trace.z.ravel() for trace in figure.data if trace.type == "heatmap" and trace.coloraxis
    ]
    if coloured:
        low, high = np.nanpercentile(np.concatenate(coloured), [0, COLOURED])
        figure.update_coloraxes(cmin=low, cmax=high)
    letter = sel[WRT].values[0] if sel[WRT].drop else "..."
    figure.update_layout(title_text=f"Exponent of {letter} in {variable}")
    figure.update_coloraxes(colorbar_title_text=f"exponent of {letter}")
    left = coordinates(offer, choices)
    if (choices.x, choices.y) == PLANE and not left.d.ndim:
        _draw_borders(figure, left.alpha.values, left.beta.values, float(left.d), choices.style.ink)
    return figure


def _draw_borders(
    figure: go.Figure, alphas: NDArray[np.float64], betas: NDArray[np.float64], d: float, ink: str
) -> None:
    alpha, beta = (np.linspace(axis.min(), axis.max(), POINTS) for axis in (alphas, betas))
    codes = region(d, alpha, beta[:, np.newaxis])
    figure.add_contour(
        x=alpha,
        y=beta,
        z=codes,
        autocontour=False,
        contours={"coloring": "none", "start": 0.5, "end": codes.max() + 0.5, "size": 1},
        line={"color": ink, "width": 1, "smoothing": 0},
        showscale=False,
        showlegend=False,
        hoverinfo="skip",
    )
    label_regions(figure, alpha, beta, codes, NAMES)
