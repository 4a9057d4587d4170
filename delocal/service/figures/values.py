"""What the values of a dataset are: there or not, flags, spread over decades, at which point."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.physics.model import Status
from delocal.service.figures.style import number

STEEP = 1.5  # decades from the smallest to the largest value: then logarithms are shown
REPRESENTABLE = 300  # decades on either side of 1 that a number may be away
AXES = ("d", "alpha", "beta", "T", "W")  # are told before other parameters
# What a cell of these has in its variables is no value, or none yet.
WITHOUT_VALUE = (Status.NOT_COMPUTED, Status.FAILED, Status.CANCELLED, Status.EXCLUDED)


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
