"""What is drawn: which models, variables, axes and cells, of the datasets of one sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.physics.model import Status
from delocal.service.errors import Problem, SelectionError, did_you_mean
from delocal.service.figures.style import STYLES, Style, Theme, number
from delocal.service.results import Selection, choose, refuse_too_many

Datasets = Mapping[str, xr.Dataset]
MAX_VALUES = 250_000  # numbers in one figure
MOST_VALUES_NAMED = 6
AXES = ("d", "alpha", "beta", "T", "W")  # are told before other parameters
STEEP = 1.5  # decades from the smallest to the largest value: then logarithms are shown
REPRESENTABLE = 300  # decades on either side of 1 that a number may be away
# What a cell of these has in its variables is no value, or none yet.
WITHOUT_VALUE = (Status.NOT_COMPUTED, Status.FAILED, Status.CANCELLED, Status.EXCLUDED)


@dataclass(frozen=True)
class Choices:
    """What a caller chose; what is left out, a figure chooses.

    Parameters
    ----------
    model
        The one model to draw.
    variables
        Names, in the order of the legend.
    x, y
        Coordinates.
    sel
        What is taken along coordinates.
    nearest
        Take the nearest value instead of refusing one that is not there.
    theme
        ``light`` or ``dark``.
    """

    model: str | None = None
    variables: tuple[str, ...] = ()
    x: str | None = None
    y: str | None = None
    sel: Mapping[str, Selection] = field(default_factory=dict)
    nearest: bool = False
    theme: Theme = "light"

    @classmethod
    def of(
        cls,
        model: str | None = None,
        variable: str | Sequence[str] | None = None,
        x: str | None = None,
        y: str | None = None,
        sel: Mapping[str, Any] | Iterable[str] = (),
        nearest: bool = False,
        theme: str = "light",
    ) -> Choices:
        """Return choices as callers write them.

        Parameters
        ----------
        variable
            One name, several, or several with commas between them.
        sel
            Values, lists or slices by coordinate; or texts such as ``T=1e-3`` and ``T=1e-6:1e-4``.

        Raises
        ------
        SelectionError
            A text that is no selection, a coordinate given twice, or no such theme.

        Examples
        --------
        >>> Choices.of(variable="kappa_sd,kappa_ps", sel=["T=1e-3"]).sel["T"].values
        (0.001,)
        """
        if theme not in STYLES:
            raise SelectionError(f"no theme {theme!r}; {did_you_mean(theme, STYLES)}")
        named = variable.split(",") if isinstance(variable, str) else (variable or ())
        chosen: Theme = next(known for known in get_args(Theme) if known == theme)
        return cls(model, tuple(named), x, y, _selections(sel), nearest, chosen)

    @property
    def style(self) -> Style:
        """The colours of the theme."""
        return STYLES[self.theme]


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


def decades_of(part: xr.Dataset, variable: str) -> xr.DataArray:
    """Return the decimal logarithms of a variable, which exist where it underflows."""
    if f"log10_{variable}" in part:
        return part[f"log10_{variable}"]
    array = part[variable].astype(float)
    with np.errstate(all="ignore"):  # -inf for 0, NaN for negative values
        return array.copy(data=np.log10(array.values))


def is_logarithmic(values: NDArray[Any], decades: NDArray[np.float64]) -> bool:
    """Whether values are best shown by their logarithms: they span decades, or underflow."""
    finite = decades[np.isfinite(decades)]
    if not finite.size or (values < 0).any():
        return False
    return bool(np.ptp(finite) >= STEEP or np.abs(finite).max() > REPRESENTABLE)


def has_value(part: xr.Dataset, array: xr.DataArray) -> xr.DataArray:
    """Whether there is a value: not in a cell that failed or that nobody has computed yet."""
    finite = array.notnull()
    if "status" not in part:
        return finite
    return finite & ~status_of(part, array).isin([int(status) for status in WITHOUT_VALUE])


def status_of(part: xr.Dataset, array: xr.DataArray) -> xr.DataArray:
    """Return the status of each value; the best one of cells that share the value."""
    if "status" not in part:
        return xr.full_like(array, int(Status.DONE), dtype=np.int8)
    status = part.status
    shared = [dim for dim in status.dims if dim not in array.dims]
    if shared:
        done = (status == Status.DONE).any(shared)
        first = status.isel(dict.fromkeys(shared, 0))
        status = first.where(~done, int(Status.DONE)).astype(np.int8)
    spread: xr.DataArray = status.broadcast_like(array)
    return spread


def flags_of(array: xr.DataArray) -> dict[int, str]:
    """Return the meaning of each value of a flag; nothing for a variable that is none."""
    meanings = str(array.attrs.get("flag_meanings", "")).split()
    values = np.atleast_1d(array.attrs.get("flag_values", ()))
    return dict(zip(values.tolist(), meanings, strict=True))


def open_axes(offer: Offer, variable: str, choices: Choices, used: Iterable[str]) -> list[str]:
    """Return the dimensions of a variable that neither `sel` nor an axis takes; reads no data."""
    left = coordinates(offer, choices)
    taken = {dim for name in used for dim in left[name].dims}
    return [str(d) for d in offer.ds[variable].dims if d in left.sizes and d not in taken]


def coordinates(offer: Offer, choices: Choices) -> xr.Dataset:
    """Return the coordinates of what `sel` leaves, and nothing else."""
    return _chosen(offer, [], choices).squeeze()


def coordinate_of(data: xr.Dataset | xr.DataArray, dim: str) -> str:
    """Return the coordinate that a dimension is called after, or one that lies along it."""
    if dim in data.coords:
        return dim
    return next(str(name) for name, values in data.coords.items() if values.dims == (dim,))


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
        needed[name] = f"sel={name}=VALUE with one of {shown}{more}"
    return SelectionError(
        f"{variable} of {offer.model} has more axes than this figure; "
        f"add {' and '.join(needed.values())}{advice}",
        [Problem(f"sel.{name}", f"add {text}") for name, text in needed.items()],
    )


def settings_of(array: xr.DataArray, *others: xr.DataArray) -> str:
    """Return the coordinates that have one value, the same in all arrays, as ``d = 2, W = 1``."""
    fixed = {str(name): values.item() for name, values in array.coords.items() if not values.ndim}
    shared = [
        name
        for name, value in fixed.items()
        if all(name not in other.coords or _is(other[name], value) for other in others)
    ]
    shared.sort(key=lambda name: AXES.index(name) if name in AXES else len(AXES))
    return ", ".join(f"{name} = {number(fixed[name])}" for name in shared)


def _is(values: xr.DataArray, value: object) -> bool:
    return not values.ndim and bool(values.item() == value)


def _chosen(offer: Offer, names: list[str], choices: Choices) -> xr.Dataset:
    """Return variables, and all coordinates, where `sel` says; reads no variable."""
    ds = offer.ds.drop_vars([name for name in offer.ds.data_vars if name not in names])
    here = {name: chosen for name, chosen in choices.sel.items() if name in ds.coords}
    return choose(ds, None, here, nearest=choices.nearest)


def _selections(sel: Mapping[str, Any] | Iterable[str]) -> dict[str, Selection]:
    if isinstance(sel, Mapping):
        return {name: _selection(value) for name, value in sel.items()}
    found: dict[str, Selection] = {}
    for text in [sel] if isinstance(sel, str) else sel:
        name, equals, values = text.partition("=")
        if not equals or not values:
            raise SelectionError(f"sel = {text!r} is no selection; write sel=T=1e-3")
        if name in found:
            raise SelectionError(f"{name} is given twice; write several values as {name}=1,2")
        found[name] = Selection.parse(values)
    return found


def _selection(value: Any) -> Selection:
    if isinstance(value, Selection):
        return value
    if isinstance(value, slice):
        low = -np.inf if value.start is None else value.start
        return Selection(low=low, high=np.inf if value.stop is None else value.stop)
    if isinstance(value, str):
        return Selection.parse(value)
    values = np.asarray(value)
    return Selection(tuple(values.ravel().tolist()), drop=not values.ndim)
