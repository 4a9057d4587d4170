"""What is drawn over one axis: each variable of each model, for each value of a second axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.service.errors import SelectionError
from delocal.service.figures.choices import (
    REPRESENTABLE,
    Choices,
    Offer,
    coordinate_of,
    coordinates,
    decades_of,
    does_not_vary,
    free_axes,
    has_value,
    is_logarithmic,
    open_axes,
    status_of,
    take,
    too_many_axes,
)
from delocal.service.figures.style import number, unit_of

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
        return self.name.removesuffix(EXACT), self.family

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
    """Return all series over ``choices.x`` that have a value, or one that has none.

    Raises
    ------
    SelectionError
        An axis is left open, units differ, or there are too many lines.
    """
    assert choices.x is not None
    chosen = [(offer, variable) for offer in offers for variable in offer.variables]
    along = [c for c in chosen if choices.x in free_axes(*c, choices)]
    if not along:
        raise does_not_vary(*chosen[0], choices.x, free_axes(*chosen[0], choices))
    found = [series for each in along for series in _of_variable(*each, choices)]
    units = {unit_of(series.values): series.name for series in found}
    if len(units) > 1:
        named = ", ".join(f"{name}{unit or ' (1)'}" for unit, name in units.items())
        raise SelectionError(f"one axis cannot have several units: {named}; give variable=NAME")
    if len({s.subject[0] for s in found}) > 1 and len({s.family for s in found}) > 1:
        raise SelectionError(
            f"several variables, each with several values of {choices.y}, are too much for one "
            "figure; give one variable, or a sel"
        )
    return [s for s in found if s.values.notnull().any()] or found[:1]


def _of_variable(offer: Offer, variable: str, choices: Choices) -> Iterator[Series]:
    assert choices.x is not None
    family = _family(offer, variable, choices)
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


def _family(offer: Offer, variable: str, choices: Choices) -> str | None:
    """Return the coordinate that has one line for each of its values."""
    assert choices.x is not None
    left = coordinates(offer, choices)
    open_ = open_axes(offer, variable, choices, [choices.x])
    if choices.y is None and len(open_) == 1 and left.sizes[open_[0]] <= LINES:
        return coordinate_of(left, open_[0])
    if choices.y is not None and choices.y in left.coords and left[choices.y].ndim:
        rest = [dim for dim in open_ if dim not in left[choices.y].dims]
        if len(open_) > len(rest) and left[choices.y].size > MOST_LINES:
            raise SelectionError(
                f"{left[choices.y].size} lines, one for each {choices.y}, are too many; a figure "
                f"has at most {MOST_LINES}. Give sel={choices.y}=... with some of them"
            )
        if not rest:
            return choices.y if open_ else None
        open_ = rest
    if open_:
        raise too_many_axes(offer, variable, choices, open_)
    return None


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
