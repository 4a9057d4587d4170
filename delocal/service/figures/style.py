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
MORE = ("#999933", "#AA4499", "#44AA99", "#BB5566", "#6699CC")
"""For the flags of a map with more meanings than lines ever are."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px,3px,2px,3px,2px,3px")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
COLOUR_SCALE = "Viridis"
BELOW = {"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}
"""Where the legend is."""
SUBTITLE = 120  # characters of a line below the title
UPRIGHT = 44  # characters of a line beside the axis of y
LEVEL = 90  # and below that of x
TICKS = 8  # labels on an axis of many decades
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # decades between labels
SHORT_BAR = 3  # decades of a bar whose labels are numbers
FEW_DECADES = 2  # below, 2 and 5 have labels too
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
            "exponentformat": "power",
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
                "legend": {**BELOW, "itemsizing": "constant", "bgcolor": "rgba(0,0,0,0)"},
                "coloraxis": {
                    "colorscale": COLOUR_SCALE,
                    "colorbar": {"outlinewidth": 0, "exponentformat": "power"},
                },
                "shapedefaults": {"line": {"color": self.ink, "width": 1}},
                "sliderdefaults": {"bgcolor": self.masks["cancelled"], "bordercolor": self.grid},
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
        others = itertools.cycle((*self.colours, *MORE))
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
            "not_computed": "#F1F3F5",
            "outside_domain": "#A7AFB9",
            "out_of_domain": "#A7AFB9",
            "none": "#A7AFB9",
            "not_converged": "#CC79A7",
            "failed": "#D55E00",
            "cancelled": "#7C8590",
            "excluded": "#DDE1E6",
            NO_VALUE: "#C6CCD3",
        },
    ),
    "dark": Style(
        paper="#14181D",
        ink="#E4E7EB",
        grid="#333A43",
        colours=("#56B4E9", "#E69F00", "#19B98E", "#F0743E", "#D98CB8", "#F0E442", "#FFFFFF"),
        families=(0.25, 0.95),
        masks={
            "not_computed": "#20262D",
            "outside_domain": "#5A636E",
            "out_of_domain": "#5B646F",
            "none": "#5B646F",
            "not_converged": "#D98CB8",
            "failed": "#F0743E",
            "cancelled": "#858E99",
            "excluded": "#2F363F",
            NO_VALUE: "#444D58",
        },
    ),
}


def style_of(theme: str) -> Style:
    """Return the colours of a theme, ``light`` or ``dark``."""
    return STYLES[theme]


def dressed(figure: go.Figure, style: Style, title: str, about: Iterable[str] = ()) -> go.Figure:
    """Give a figure its template and a title, with what is known about it below."""
    lines = textwrap.wrap("; ".join(filter(None, about)), SUBTITLE)
    text: dict[str, Any] = {"text": title}
    if lines:
        text["subtitle"] = {"text": "<br>".join(lines)}
    margin = {"t": 70 + 16 * len(lines), "l": 70, "r": 30, "b": 60}
    return figure.update_layout(template=style.template, title=text, margin=margin)


def title_of(array: xr.DataArray, width: int = UPRIGHT) -> str:
    """Return what an axis is called: meaning, name and unit, in lines of a width.

    Examples
    --------
    >>> T = xr.DataArray(1.0, name="T", attrs={"long_name": "temperature", "units": "energy"})
    >>> title_of(T)
    'temperature T (energy)'
    """
    long_name, name = str(array.attrs.get("long_name", "")), str(array.name)
    named = long_name if re.search(rf"\b{re.escape(name)}\b", long_name) else f"{long_name} {name}"
    return f"{in_lines(named.strip(), width)}{unit_of(array)}"


def in_lines(text: str, width: int = UPRIGHT) -> str:
    """Return a text in lines of so many characters, with its powers raised."""
    return "<br>".join(map(_powers, textwrap.wrap(text, width)))


def unit_of(array: xr.DataArray) -> str:
    """Return the unit in brackets, with its powers raised; nothing for a number.

    Examples
    --------
    >>> unit_of(xr.DataArray(0, attrs={"units": "energy length**(2-d)"}))
    ' (energy length<sup>2-d</sup>)'
    """
    units = str(array.attrs.get("units", "1"))
    return "" if units == "1" else f" ({_powers(units)})"


def coordinate_axis(values: xr.DataArray, width: int = LEVEL) -> dict[str, Any]:
    """Return the axis of a coordinate, logarithmic where its values are spaced by ratio."""
    axis: dict[str, Any] = {"title": {"text": title_of(values, width)}}
    if values.dtype.kind not in "fi":
        return {**axis, "type": "category"}
    return {**axis, **log_ticks(values.values)} if is_geometric(values.values) else axis


def log_ticks(values: NDArray[Any]) -> dict[str, Any]:
    """Return a logarithmic axis with powers of ten as its labels."""
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return {"type": "log"}
    decades = np.log10(positive)
    return {
        "type": "log",
        "minor": {"ticks": "outside"},
        **(decade_ticks(decades) if np.ptp(decades) >= FEW_DECADES else {}),
    }


def decade_ticks(decades: NDArray[np.float64]) -> dict[str, Any]:
    """Return where labels are on a logarithmic axis: at powers of ten, few enough to be read."""
    span = np.ptp(decades[np.isfinite(decades)])
    return {"dtick": next((step for step in STEPS if span <= TICKS * step), STEPS[-1])}


def bar_ticks(decades: NDArray[np.float64]) -> dict[str, Any]:
    """Return the labels of a bar of logarithms: powers of ten, and 2 and 5 if these are few."""
    finite = decades[np.isfinite(decades)]
    if not finite.size or np.ptp(finite) > SHORT_BAR:
        return {**DECADES, **decade_ticks(decades)}
    powers = range(math.floor(finite.min()), math.ceil(finite.max()) + 1)
    labels = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return {"tickvals": np.log10(labels).tolist(), "ticktext": [number(label) for label in labels]}


def is_geometric(values: NDArray[Any]) -> bool:
    """Whether positive values span a decade and are spaced rather by ratio than by difference.

    Examples
    --------
    >>> is_geometric(np.geomspace(1, 100, 9)), is_geometric(np.linspace(1, 100, 9))
    (True, False)
    """
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    if low <= 0 or high < 10 * low:
        return False
    return bool(abs(math.log(middle**2 / (low * high))) <= abs(math.log(2 * middle / (low + high))))


def say(figure: go.Figure, text: str) -> go.Figure:
    """Write in the middle of a figure why it is empty."""
    middle = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}
    return figure.add_annotation(text=text, font={"size": 18}, **middle)


def number(value: Any) -> str:
    """Return a number for people, or a label as it is."""
    return f"{value:.6g}" if isinstance(value, int | float | np.number) else str(value)


def words(name: str) -> str:
    """Return the name of a flag for people.

    Examples
    --------
    >>> words("OUT_OF_DOMAIN"), words("BORDER_IIc_III"), words("MBL")
    ('out of domain', 'border IIc III', 'MBL')
    """
    return " ".join(map(_word, name.split("_"))) if "_" in name else name


def with_alpha(colour: str, alpha: float) -> str:
    """Return a colour such as ``#0072B2`` that lets through what is behind it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def _powers(text: str) -> str:
    """Raise what stands behind ``**``."""
    return re.sub(r"[*][*](?:[(]([^()]*)[)]|(-?[0-9A-Za-z]+))", _raised, text)


def _raised(power: re.Match[str]) -> str:
    return f"<sup>{power[1] or power[2]}</sup>"


def _word(word: str) -> str:
    return word if re.fullmatch("[IVX]+[abc]?", word) else word.lower()
