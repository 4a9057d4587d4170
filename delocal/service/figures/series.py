"""What is drawn over one axis: each variable of each model, for each value of a second axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.service.errors import SelectionError
from delocal.service.figures.choices import Choices
from delocal.service.figures.offers import (
    Offer,
    coordinate_of,
    coordinates,
    does_not_vary,
    free_axes,
    open_axes,
    take,
    too_many_axes,
)
from delocal.service.figures.style import number, unit_of
from delocal.service.figures.values import (
    REPRESENTABLE,
    decades_of,
    has_value,
    is_logarithmic,
    status_of,
)

LINES = 8  # of one family, where nobody asked for it
MOST_LINES = 24
EXACT = "_exact"  # ends the name of the mean that a Monte Carlo variable should have


@dataclass(frozen=True)
class Series:
    """One variable of one model along one axis.

    Parameters
    ----------
    model
        The model that it is from.
    x, values
        Where its values are; NaN where there is none.
    decades
        Decimal logarithms of the values, which exist where these underflow.
    stderr
        Standard errors of a Monte Carlo estimate.
    status
        What became of each cell.
    family
        The value of the second axis, as ``W = 1``; empty without one.
    """

    model: str
    x: xr.DataArray
    values: xr.DataArray
    decades: NDArray[np.float64]
    stderr: NDArray[np.float64] | None
    status: NDArray[np.int8]
    family: str = ""

    @property
    def name(self) -> str:
        """The name of the variable."""
        return str(self.values.name)

    @property
    def subject(self) -> tuple[str, str]:
        """What it is about: an estimate and its exact mean are about the same."""
        return _subject(self.name), self.family

    @property
    def underflows(self) -> bool:
        """Whether the values are too small, or too large, for numbers."""
        finite = self.decades[np.isfinite(self.decades)]
        return bool((np.abs(finite) > REPRESENTABLE).any())

    @property
    def is_logarithmic(self) -> bool:
        """Whether its values are best shown by their logarithms."""
        return is_logarithmic(self.values.values, self.decades)

    @property
    def is_negative(self) -> bool:
        """Whether it has values that a logarithmic axis cannot show."""
        return bool((self.values < 0).any())


def series_of(offers: Sequence[Offer], choices: Choices) -> list[Series]:
    """Return all series over `x` that have a value, or one that has none.

    Where no `x` is chosen it is the first axis that `sel` leaves.

    Raises
    ------
    SelectionError
        An axis is left open, units differ, or there are too many lines.
    """
    chosen = [(offer, variable) for offer in offers for variable in offer.variables]
    choices = replace(choices, x=choices.x or _first_axis(*chosen[0], choices))
    assert choices.x is not None
    along = [c for c in chosen if choices.x in free_axes(*c, choices)]
    if not along:
        raise does_not_vary(*chosen[0], choices.x, free_axes(*chosen[0], choices))
    alone = len({_subject(variable) for _, variable in along}) == 1
    found = [series for each in along for series in _of_variable(*each, choices, alone)]
    units = {unit_of(series.values): series.name for series in found}
    if len(units) > 1:
        named = ", ".join(f"{name}{unit or ' (1)'}" for unit, name in units.items())
        raise SelectionError(f"one axis cannot have several units: {named}; give variable=NAME")
    return [s for s in found if s.values.notnull().any()] or found[:1]


def _subject(variable: str) -> str:
    return variable.removesuffix(EXACT)


def _first_axis(offer: Offer, variable: str, choices: Choices) -> str:
    free = free_axes(offer, variable, choices)
    return next((axis for axis in offer.axes if axis in free), offer.axes[0])


def _of_variable(offer: Offer, variable: str, choices: Choices, alone: bool) -> Iterator[Series]:
    assert choices.x is not None
    family = _family(offer, variable, choices, alone)
    part = take(offer, [variable], choices)
    if part[choices.x].dtype.kind in "fi":  # explicit cases are in any order
        part = part.sortby(choices.x)
    if family is None:
        yield _series(offer.model, part, variable, choices.x)
        return
    along = part[family].dims[0]
    for i in range(part.sizes[along]):
        line = part.isel({along: i})
        label = f"{family} = {number(line[family].item())}"
        yield _series(offer.model, line, variable, choices.x, label)


def _family(offer: Offer, variable: str, choices: Choices, alone: bool) -> str | None:
    """Return the coordinate that has one line for each of its values, if one is left.

    Only a variable that is `alone` may have a family: colours tell its lines apart.
    """
    left = coordinates(offer, choices)
    dims = open_axes(offer, variable, choices, filter(None, [choices.x]))
    if not dims:
        return None
    axis = choices.y or coordinate_of(left, dims[0])
    lines = left[axis].size
    if not alone:
        advice = ", or choose one variable, which may have several lines"
        raise too_many_axes(offer, variable, choices, dims, advice)
    if left[axis].dims != tuple(dims) or (lines > LINES and not choices.y):
        others = [dim for dim in dims if not choices.y or dim not in left[axis].dims]
        raise too_many_axes(offer, variable, choices, others)
    if lines > MOST_LINES:
        raise SelectionError(
            f"{lines} lines, one for each {axis}, are too many; a figure has at most {MOST_LINES}. "
            f"Give sel={axis}=... with some of them"
        )
    return axis


def _series(model: str, part: xr.Dataset, variable: str, x: str, family: str = "") -> Series:
    array = part[variable]
    there = has_value(part, array)
    stderr = part.get(f"{variable}_stderr")
    return Series(
        model,
        part[x],
        array.where(there),
        decades_of(part, variable).where(there).values,
        None if stderr is None else stderr.where(there).values,
        status_of(part, array).values,
        family,
    )
