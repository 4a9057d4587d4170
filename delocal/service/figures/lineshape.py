"""The spectral line of a localized level, with what its theory marks on it."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from delocal.service.figures.choices import Choices
from delocal.service.figures.curves import draw_curves
from delocal.service.figures.offers import take
from delocal.service.figures.recipe import Offers


def draw_lineshape(offers: Offers, choices: Choices) -> go.Figure:
    """Draw a spectral line with its width and with J, beyond which kinks make it."""
    figure = draw_curves(offers, choices, "Spectral line of a localized level", log=True)
    line = take(offers[0], ["width"], choices)
    for name in ("width", "J"):
        if name in line.variables and not line[name].ndim:
            _mark(figure, float(line[name]), name)
    return figure


def _mark(figure: go.Figure, x: float, text: str) -> None:
    """Draw an upright line at `x` of a logarithmic axis."""
    figure.add_shape(x0=x, x1=x, y0=0, y1=1, yref="paper", line_dash="dash")
    at = {"x": math.log10(x), "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "left"}
    figure.add_annotation(text=text, showarrow=False, **at)
