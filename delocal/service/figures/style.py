"""How figures look: colours that every kind of vision tells apart, light and dark, and axes."""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
# Okabe and Ito: told apart by every kind of colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px,3px,2px,3px,2px,3px")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
COLOUR_SCALE = "Viridis"
BELOW = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
"""Where the legend is."""
TICKS = 8  # labels on an axis of many decades
DECADES = {"tickprefix": "10<sup>", "ticksuffix": "</sup>"}
"""Of an axis that shows logarithms, because the numbers themselves underflow."""


@dataclass(frozen=True)
class Style:
    """The colours of a theme.

    Parameters
    ----------
    paper, ink, grid
        Of the background, the text and the lines of axes.
    colours
        Of lines, in their order.
    families
        Which part of the colour scale is told from the background.
    masks
        Of cells without a value, by the name of their status, and of flags that say the same.
    """

    paper: str
    ink: str
    grid: str
    colours: tuple[str, ...]
    families: tuple[float, float]
    masks: dict[str, str]

    @property
    def template(self) -> go.layout.Template:
        """The template of plotly that has these colours."""
        axis = {
            "gridcolor": self.grid,
            "linecolor": self.ink,
            "showline": True,
            "mirror": True,
            "ticks": "outside",
            "tickcolor": self.ink,
            "zeroline": False,
            "title": {"standoff": 12},
            "automargin": True,
        }
        return go.layout.Template(
            layout={
                "paper_bgcolor": self.paper,
                "plot_bgcolor": self.paper,
                "colorway": self.colours,
                "font": {"color": self.ink, "size": 14},
                "title": {"x": 0.02, "xanchor": "left", "subtitle": {"font": {"size": 12}}},
                "hoverlabel": {"bgcolor": self.paper, "font": {"color": self.ink}},
                "legend": {"itemsizing": "constant", "bgcolor": "rgba(0,0,0,0)"},
                "coloraxis": {"colorscale": COLOUR_SCALE, "colorbar": {"outlinewidth": 0}},
                "xaxis": axis,
                "yaxis": axis,
            }
        )

    def colour(self, i: int, of: int, *, ordered: bool) -> str:
        """Return the colour of line `i` of so many, along the colour scale if they are ordered."""
        if not ordered or of == 1:
            return self.colours[i % len(self.colours)]
        low, high = self.families
        place = low + (high - low) * i / (of - 1)
        return str(sample_colorscale(COLOUR_SCALE, [place])[0])

    def categories(self, names: Iterable[str]) -> dict[str, str]:
        """Return the colour of each name, its own if it is that of a mask."""
        others = itertools.cycle(self.colours)
        return {name: self.masks.get(name.lower()) or next(others) for name in names}


NO_VALUE = "no_value"
STYLES: dict[str, Style] = {
    "light": Style(
        paper="#FFFFFF",
        ink="#22282F",
        grid="#E3E6EA",
        colours=(*PALETTE[:6], PALETTE[7]),
        families=(0.0, 0.85),
        masks={
            "not_computed": "#EEF0F2",
            "outside_domain": "#B4BAC2",
            "out_of_domain": "#B4BAC2",
            "none": "#B4BAC2",
            "not_converged": "#CC79A7",
            "failed": "#D55E00",
            "cancelled": "#868E98",
            "excluded": "#D3D8DD",
            NO_VALUE: "#9FA7B0",
        },
    ),
    "dark": Style(
        paper="#14181D",
        ink="#E4E7EB",
        grid="#333A43",
        colours=("#56B4E9", "#E69F00", "#19B98E", "#F0743E", "#D98CB8", "#F0E442", "#FFFFFF"),
        families=(0.2, 1.0),
        masks={
            "not_computed": "#20262D",
            "outside_domain": "#5B646F",
            "out_of_domain": "#5B646F",
            "none": "#5B646F",
            "not_converged": "#D98CB8",
            "failed": "#F0743E",
            "cancelled": "#858E99",
            "excluded": "#3B434D",
            NO_VALUE: "#6E7883",
        },
    ),
}


def style_of(theme: str) -> Style:
    """Return the colours of a theme, ``light`` or ``dark``."""
    return STYLES[theme]


def dressed(figure: go.Figure, style: Style, title: str, about: Iterable[str] = ()) -> go.Figure:
    """Give a figure its template and a title, with what is known about it below."""
    lines = textwrap.wrap("; ".join(filter(None, about)), 110)
    text: dict[str, Any] = {"text": title}
    if lines:
        text["subtitle"] = {"text": "<br>".join(lines)}
    margin = {"t": 70 + 16 * len(lines), "l": 70, "r": 30, "b": 60}
    return figure.update_layout(template=style.template, title=text, margin=margin)


def title_of(array: xr.DataArray, *, equation: bool = False) -> str:
    """Return what an axis is called: meaning, name, unit and, in a second line, the equation.

    Examples
    --------
    >>> T = xr.DataArray(1.0, name="T", attrs={"long_name": "temperature", "units": "energy"})
    >>> title_of(T)
    'temperature T (energy)'
    """
    long_name = str(array.attrs.get("long_name", ""))
    named = f"{long_name} {array.name}" if long_name != array.name else str(array.name)
    text = f"{named.strip()}{unit_of(array)}"
    source = array.attrs.get("equation", "") if equation else ""
    return f"{text}<br><sup>{source}</sup>" if source else text


def unit_of(array: xr.DataArray) -> str:
    """Return the unit in brackets, with its powers raised; nothing for a number.

    Examples
    --------
    >>> unit_of(xr.DataArray(0, attrs={"units": "energy length**(2-d)"}))
    ' (energy length<sup>2-d</sup>)'
    """
    units = str(array.attrs.get("units", "1"))
    if units == "1":
        return ""
    return f" ({re.sub(r'[*][*](?:[(]([^()]*)[)]|(-?[0-9A-Za-z]+))', _raised, units)})"


def coordinate_axis(values: xr.DataArray) -> dict[str, Any]:
    """Return the axis of a coordinate, logarithmic where it is positive and spans decades."""
    axis: dict[str, Any] = {"title": {"text": title_of(values)}}
    if values.dtype.kind not in "fi":
        return {**axis, "type": "category"}
    spans_decades = values.min() > 0 and values.max() >= 10 * values.min()
    return {**axis, **log_ticks(values.values)} if spans_decades else axis


def log_ticks(values: NDArray[Any]) -> dict[str, Any]:
    """Return a logarithmic axis with powers of ten as its labels."""
    positive = values[np.isfinite(values) & (values > 0)]
    axis = {"type": "log", "exponentformat": "power", "showexponent": "all"}
    if not positive.size:
        return axis
    decades = math.log10(positive.max()) - math.log10(positive.min())
    if decades < 1:
        return axis
    return {**axis, "dtick": max(1, math.ceil(decades / TICKS)), "minor": {"ticks": "outside"}}


def number(value: Any) -> str:
    """Return a number for people, or a label as it is."""
    return f"{value:.6g}" if isinstance(value, int | float | np.number) else str(value)


def words(name: str) -> str:
    """Return the name of a flag for people.

    Examples
    --------
    >>> words("OUT_OF_DOMAIN"), words("not_computed"), words("IIa")
    ('out of domain', 'not computed', 'IIa')
    """
    return name.replace("_", " ").lower() if "_" in name else name


def _raised(power: re.Match[str]) -> str:
    return f"<sup>{power[1] or power[2]}</sup>"
