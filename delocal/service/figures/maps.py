"""Maps of a variable over two axes: values in colour, cells without one by their status."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from delocal.physics.model import Status
from delocal.service.errors import SelectionError, TooLarge
from delocal.service.figures.choices import Choices
from delocal.service.figures.layers import category_map, stacked
from delocal.service.figures.offers import (
    Offer,
    coordinate_of,
    coordinates,
    does_not_vary,
    free_axes,
    open_axes,
    take,
)
from delocal.service.figures.style import (
    NO_VALUE,
    UPRIGHT,
    bar_ticks,
    coordinate_axis,
    dressed,
    number,
    title_of,
    words,
)
from delocal.service.figures.values import (
    decades_of,
    flags_of,
    has_value,
    is_logarithmic,
    settings_of,
    status_of,
)

MOST_MAPS = 100  # that a slider goes through
MASK = 1000  # is added to a status, to tell it from the flags of a variable
OPEN = -1  # code of a cell that has a number
MASKS = {MASK + status: status.label for status in Status} | {MASK + Status.DONE: NO_VALUE}


def draw_map(offer: Offer, choices: Choices, *, coloured: float = 100.0) -> go.Figure:
    """Return the map of the first variable of an offer over `x` and `y`.

    A positive variable that spans decades is coloured by its logarithm, a flag by its meanings. A
    cell without a value has the colour of its status; further axes are on a slider.

    Parameters
    ----------
    coloured
        Per cent of the numbers that have a colour of their own; larger ones have that of the last.

    Raises
    ------
    SelectionError
        Fewer than two axes are left, or `x` and `y` lie along one.
    TooLarge
        More values, or more maps on the slider, than a figure may have.
    """
    variable = offer.variables[0]
    x, y = _axes(offer, variable, choices)
    moved = _moved(offer, variable, choices, (x, y))
    part = take(offer, [variable], choices)
    array = part[variable]
    shown = Shown.of(part, array, choices)
    figure = stacked(
        {place: list(shown.traces(cells, x, y)) for place, cells in _panels(shown.cells, moved)},
        shown.swatches,
    )
    figure.update_xaxes(coordinate_axis(part[x]))
    figure.update_yaxes(coordinate_axis(part[y], UPRIGHT))
    figure.update_layout(coloraxis=shown.colour_axis(coloured))
    title = str(array.attrs.get("long_name", variable))
    about = [settings_of(array), *(array.attrs.get(key, "") for key in ("equation", "comment"))]
    return dressed(figure, choices.style, title[:1].upper() + title[1:], about)


@dataclass(frozen=True)
class Shown:
    """What the maps of a variable show.

    Parameters
    ----------
    array
        The variable.
    cells
        `number`, what is coloured; `category`, codes of flags and of cells without a value;
        `late`, whether a cell has less than was asked for.
    in_decades
        Whether decimal logarithms are coloured.
    names, colours
        Name of each code, colour of each name.
    """

    array: xr.DataArray
    cells: xr.Dataset
    in_decades: bool
    names: Mapping[int, str]
    colours: Mapping[str, str]

    @classmethod
    def of(cls, part: xr.Dataset, array: xr.DataArray, choices: Choices) -> Shown:
        """Return what is shown of a variable."""
        flags, status = flags_of(array), status_of(part, array)
        decades = decades_of(part, str(array.name))
        in_decades = not flags and is_logarithmic(array.values, decades.values)
        shown = decades if in_decades else array
        there = has_value(part, array) & np.isfinite(shown)
        code = (array if flags else xr.full_like(array, OPEN)).astype(np.int16)
        cells = xr.Dataset(
            {
                "number": shown.where(there & (not flags)),
                "category": code.where(there, MASK + status.astype(np.int16)),
                "late": there & (status == Status.NOT_CONVERGED),
            }
        )
        names = {**flags, **MASKS}
        present = set(np.unique(cells.category).tolist())
        names = {code: name for code, name in names.items() if code in present}
        return cls(array, cells, in_decades, names, choices.style.categories(names.values()))

    @property
    def swatches(self) -> dict[str, str]:
        """The entries of the legend."""
        return {words(name): colour for name, colour in self.colours.items()}

    def colour_axis(self, coloured: float) -> dict[str, Any]:
        """Return the bar beside the map: the range of all maps, and what is coloured."""
        bar = {"title": {"text": title_of(self.array), "side": "right"}}
        if not self.cells.number.notnull().any():
            return {"colorbar": bar}
        ends = np.nanpercentile(self.cells.number.values, [0, coloured])
        ticks = bar_ticks(ends) if self.in_decades else {}
        limits = {"cmin": ends[0], "cmax": ends[1]} if ends[0] < ends[1] else {}
        return {**limits, "colorbar": {**bar, **ticks}}

    def traces(self, cells: xr.Dataset, x: str, y: str) -> Iterator[Any]:
        """Yield the traces of one map: numbers, categories, marks of what is not converged."""
        cells = cells.transpose(*cells[y].dims, *cells[x].dims)
        where = {"x": cells[x].values, "y": cells[y].values}
        place = f"{x} = %{{x}}<br>{y} = %{{y}}<br>"
        if cells.number.notnull().any():
            value = "10^%{z:.5g}" if self.in_decades else "%{z:.5g}"
            shown = f"{place}{self.array.name} = {value}<extra></extra>"
            numbers = {"z": cells.number.values, "coloraxis": "coloraxis", "hoverongaps": False}
            yield go.Heatmap(**where, **numbers, hovertemplate=shown)
        if self.names:
            hover = f"{place}{self.array.name}: %{{text}}"
            yield category_map(
                **where,
                codes=cells.category.values,
                names=self.names,
                colours=self.colours,
                hover=hover,
            )
        late = cells.late.values
        if late.any():
            rows, columns = np.nonzero(late)
            marks = {"symbol": "x-thin", "size": 6, "line": {"width": 1, "color": "white"}}
            yield go.Scatter(
                x=where["x"][columns],
                y=where["y"][rows],
                mode="markers",
                marker=marks,
                name="not converged",
                hoverinfo="skip",
            )


def _axes(offer: Offer, variable: str, choices: Choices) -> tuple[str, str]:
    """Return both axes: those chosen, else the longest that are left."""
    free = free_axes(offer, variable, choices)
    chosen = [name for name in (choices.x, choices.y) if name is not None]
    for name in chosen:
        if name not in free:
            raise does_not_vary(offer, variable, name, free)
    left = coordinates(offer, choices)
    longest = sorted(free, key=lambda name: -left[name].size)

    def other(than: str | None) -> str:
        dims = left[than].dims if than else ()
        return next((name for name in longest if left[name].dims != dims), "")

    x = choices.x or other(choices.y)
    y = choices.y or other(x or None)
    if not x or not y:
        varies = f"varies along {' and '.join(free)} only" if free else "is one value"
        raise SelectionError(f"a map needs two axes, and {variable} {varies}; select less")
    if left[x].dims == left[y].dims:
        raise SelectionError(f"{x} and {y} vary together, and are no two axes")
    return (x, y) if choices.x or choices.y else _in_order(free, x, y)


def _in_order(free: Sequence[str], x: str, y: str) -> tuple[str, str]:
    return (x, y) if free.index(x) < free.index(y) else (y, x)


def _moved(offer: Offer, variable: str, choices: Choices, axes: Sequence[str]) -> list[str]:
    """Return the dimensions that a slider goes through."""
    sizes = coordinates(offer, choices).sizes
    moved = open_axes(offer, variable, choices, axes)
    maps = math.prod(sizes[dim] for dim in moved)
    if maps > MOST_MAPS:
        listed = " x ".join(f"{sizes[dim]} ({dim})" for dim in moved)
        raise TooLarge(
            f"a slider over {listed} has {maps} maps, and one figure at most {MOST_MAPS}; "
            f"give sel={moved[0]}=VALUE"
        )
    return moved


def _panels(cells: xr.Dataset, moved: Sequence[str]) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield the cells of each map, and where on the slider it is."""
    for index in itertools.product(*(range(cells.sizes[dim]) for dim in moved)):
        panel = cells.isel(dict(zip(moved, index, strict=True)))
        names = (coordinate_of(cells, dim) for dim in moved)
        yield ", ".join(f"{name} = {number(panel[name].item())}" for name in names), panel
