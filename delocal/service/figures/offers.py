"""What the datasets of a sweep can give to a figure, and what of it is left by the choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import xarray as xr

from delocal.service.errors import Problem, SelectionError
from delocal.service.figures.choices import Choices
from delocal.service.figures.style import number
from delocal.service.results import choose, refuse_too_many

Datasets = Mapping[str, xr.Dataset]
MAX_VALUES = 250_000  # numbers in one figure
MOST_VALUES_NAMED = 6


@dataclass(frozen=True)
class Offer:
    """What one model of a sweep can give to a figure, the default first."""

    model: str
    ds: xr.Dataset
    variables: tuple[str, ...]
    axes: tuple[str, ...]


def datasets_of(data: xr.DataTree | xr.Dataset) -> Datasets:
    """Return the datasets of a sweep by the names of their groups, or the one that was given."""
    if isinstance(data, xr.Dataset):
        return {str(data.attrs.get("model", "dataset")): data}
    return {name: child.to_dataset() for name, child in data.children.items()}


def axes_of(ds: xr.Dataset, variables: Iterable[str]) -> tuple[str, ...]:
    """Return the coordinates that vary along the dimensions of the `variables`."""
    dims = dict.fromkeys(dim for name in variables for dim in ds[name].dims)
    return tuple(
        str(name)
        for dim in dims
        for name, coordinate in ds.coords.items()
        if coordinate.dims == (dim,) and coordinate.size > 1
    )


def take(
    offer: Offer, names: Iterable[str], choices: Choices, *, max_values: int | None = None
) -> xr.Dataset:
    """Return variables, the companions of each, and `status`, where `sel` says, in memory.

    Companions are `log10_X` and `X_stderr`. A coordinate that this model lacks selects nothing in
    it. Dimensions with one value are left out.

    Raises
    ------
    SelectionError
        A coordinate that no dataset has a value of.
    TooLarge
        More values than a figure may hold.
    """
    ds = offer.ds
    wanted = [
        name
        for variable in names
        for name in (variable, f"log10_{variable}", f"{variable}_stderr")
        if name in ds
    ]
    if "status" in ds:
        wanted.append("status")
    chosen = _chosen(offer, list(dict.fromkeys(wanted)), choices)
    refuse_too_many(chosen, max_values or MAX_VALUES)
    return chosen.compute().squeeze()


def open_axes(offer: Offer, variable: str, choices: Choices, used: Iterable[str]) -> list[str]:
    """Return the dimensions of a variable that neither `sel` nor an axis takes; reads no data."""
    left = coordinates(offer, choices)
    taken = {dim for name in used for dim in left[name].dims}
    return [str(d) for d in offer.ds[variable].dims if d in left.sizes and d not in taken]


def coordinates(offer: Offer, choices: Choices) -> xr.Dataset:
    """Return the coordinates of what `sel` leaves, and nothing else."""
    return _chosen(offer, [], choices).squeeze()


def coordinate_of(data: xr.Dataset, dim: str) -> str:
    """Return the coordinate that a dimension is called after, or one that lies along it."""
    if dim in data.coords:
        return dim
    along = (str(name) for name, values in data.coords.items() if values.dims == (dim,))
    return next(along, dim)


def free_axes(offer: Offer, variable: str, choices: Choices) -> list[str]:
    """Return the coordinates along which a variable still varies."""
    left = coordinates(offer, choices)
    return [name for name in axes_of(offer.ds, [variable]) if left[name].ndim]


def does_not_vary(offer: Offer, variable: str, name: str, free: Iterable[str]) -> SelectionError:
    """Return the error of an axis along which there is nothing to see."""
    along = ", ".join(free) or "nothing"
    return SelectionError(
        f"{variable} of {offer.model} does not vary along {name} here, but along {along}"
    )


def too_many_axes(
    offer: Offer, variable: str, choices: Choices, dims: Iterable[str], advice: str = ""
) -> SelectionError:
    """Return the error that says which `sel` a figure still needs."""
    left = coordinates(offer, choices)
    needed = {}
    for name in (coordinate_of(left, dim) for dim in dims):
        values = left[name].values
        shown = ", ".join(number(value) for value in values[:MOST_VALUES_NAMED].tolist())
        more = ", ..." if values.size > MOST_VALUES_NAMED else ""
        needed[name] = f"select a value of {name}: {shown}{more}"
    return SelectionError(
        f"{variable} of {offer.model} has more axes than this figure; "
        f"{'; '.join(needed.values())}{advice}",
        [Problem(f"sel.{name}", text) for name, text in needed.items()],
    )


def _chosen(offer: Offer, names: list[str], choices: Choices) -> xr.Dataset:
    """Return variables, and all coordinates, where `sel` says; reads no variable."""
    ds = offer.ds.drop_vars([name for name in offer.ds.data_vars if name not in names])
    here = {name: chosen for name, chosen in choices.sel.items() if name in ds.coords}
    return choose(ds, None, here, nearest=choices.nearest)
