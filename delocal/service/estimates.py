"""Variables with their errors: which cells count, logarithms, arithmetic that carries errors."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from delocal.physics.model import Status
from delocal.service.errors import SelectionError, did_you_mean


def variable_of(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable; SelectionError with advice if there is none of that name."""
    if name not in ds.data_vars:
        raise SelectionError(f"no variable {name!r}; {did_you_mean(name, map(str, ds.data_vars))}")
    return ds[name]


def error_of(ds: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return the standard error of a variable; None if it is no estimate."""
    return ds.get(f"{name}_stderr")


def usable(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Whether a cell counts: it is done, or an estimate that has not converged has an error bar."""
    if "status" not in ds:
        return xr.ones_like(ds[name], dtype=bool)
    allowed = ds.status == Status.DONE
    if error_of(ds, name) is not None:
        allowed |= ds.status == Status.NOT_CONVERGED
    found: xr.DataArray = allowed.any([dim for dim in ds.status.dims if dim not in ds[name].dims])
    return found


def natural_logarithm(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return ln of a variable, by its decimal logarithm if there is one; NaN where it has none."""
    if f"log10_{name}" in ds:
        return ds[f"log10_{name}"] * math.log(10)
    found: xr.DataArray = xr.ufuncs.log(_positive(ds[name]))
    return found


def relative_error(ds: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return the standard error of ln of a variable; None if it is no estimate."""
    error = error_of(ds, name)
    return None if error is None else error / _positive(ds[name])


def with_errors(ds: xr.Dataset, *names: str) -> xr.Dataset:
    """Return estimates as numbers with errors, which carry them through any arithmetic.

    Each value becomes a ``ufloat`` of the library `uncertainties`: to first order, and with
    correlations, so that ``x / x`` is 1 without an error. Two cells, and two variables, are taken
    as independent. Functions are those of ``uncertainties.unumpy``, through `xarray.apply_ufunc`.

    Parameters
    ----------
    ds
        A dataset of a sweep.
    *names
        Variables with a ``<name>_stderr``; all of them by default.

    Raises
    ------
    SelectionError
        A name that is not there, or has no error.

    Examples
    --------
    >>> ds = xr.Dataset({"R1": ("T", [2.0]), "R1_stderr": ("T", [0.1])})
    >>> print((1 / with_errors(ds).R1).item())
    0.500+/-0.025
    """
    from uncertainties import unumpy

    wanted = names or [str(name) for name in ds.data_vars if f"{name}_stderr" in ds]
    found = {}
    for name in wanted:
        values, error = variable_of(ds, name), error_of(ds, name)
        if error is None:
            known = [n for n in map(str, ds.data_vars) if f"{n}_stderr" in ds]
            raise SelectionError(f"{name} has no error; {did_you_mean(name, known)}")
        with np.errstate(invalid="ignore"):  # of a NaN
            found[name] = values.copy(data=unumpy.uarray(values.values, error.values))
    return xr.Dataset(found, attrs=ds.attrs)


def without_errors(ds: xr.Dataset) -> xr.Dataset:
    """Return numbers with errors as pairs ``X`` and ``X_stderr`` again.

    Examples
    --------
    >>> ds = xr.Dataset({"R1": ("T", [2.0]), "R1_stderr": ("T", [0.1])})
    >>> inverse = without_errors((1 / with_errors(ds)).rename(R1="k1"))
    >>> inverse.k1.item(), round(inverse.k1_stderr.item(), 9)
    (0.5, 0.025)
    """
    from uncertainties import unumpy

    found = {}
    for name, array in ds.data_vars.items():
        if array.dtype != object:
            found[name] = array
            continue
        found[name] = array.copy(data=unumpy.nominal_values(array.values))
        found[f"{name}_stderr"] = array.copy(data=unumpy.std_devs(array.values))
    return xr.Dataset(found, ds.coords, ds.attrs)


def select_done(ds: xr.Dataset, *, drop: bool = False) -> xr.Dataset:
    """Return the dataset with NaN in every cell that is not done.

    Flags and counts have no NaN and stay as they are, as do variables that do not depend on all
    axes of the cells.

    Parameters
    ----------
    ds
        A dataset of a sweep.
    drop
        Leave out the values of an axis at which no cell is done.
    """
    done = variable_of(ds, "status") == Status.DONE
    masked = {
        name: array.where(done)
        for name, array in ds.data_vars.items()
        if array.dtype.kind == "f" and set(done.dims) <= set(array.dims)
    }
    found = ds.assign(masked)
    if drop:
        for dim in done.dims:
            others = [other for other in done.dims if other != dim]
            found = found.isel({dim: np.flatnonzero(done.any(others))})
    return found


def _positive(values: xr.DataArray) -> xr.DataArray:
    return values.astype(float).where(values > 0)
