"""Exponents measured on a dataset, beside the exact ones of the theory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from delocal.service.errors import SelectionError


@dataclass(frozen=True)
class Fit:
    """A power law fitted to a variable: exponent and its standard error."""

    exponent: float
    stderr: float
    points: int


def fit_exponent(ds: xr.Dataset, variable: str, over: str) -> Fit:
    """Fit ``variable ~ over**exponent`` by least squares in logarithms.

    Parameters
    ----------
    ds
        Dataset in which `variable` varies along the coordinate `over` alone.
    variable, over
        Names; where ``log10_<variable>`` exists it is used, for it cannot underflow.

    Raises
    ------
    SelectionError
        More dimensions than one, or fewer than three finite points.
    """
    logarithm = f"log10_{variable}"
    y: xr.DataArray = ds[logarithm] if logarithm in ds else xr.ufuncs.log10(ds[variable])
    y = y.squeeze(drop=True)
    if y.ndim != 1:
        rest = [str(dim) for dim in y.dims if dim not in ds[over].dims]
        raise SelectionError(f"select one value of {', '.join(rest)} before fitting over {over}")
    x = np.log10(ds[over].values.astype(float))
    good = np.isfinite(y.values) & np.isfinite(x)
    if good.sum() < 3:
        raise SelectionError(
            f"{variable} has {good.sum()} finite points over {over}; a fit needs 3"
        )
    design = np.column_stack([x[good], np.ones(good.sum())])
    solution, _, _, _ = np.linalg.lstsq(design, y.values[good], rcond=None)
    residual = y.values[good] - design @ solution
    variance = residual @ residual / max(good.sum() - 2, 1) * np.linalg.inv(design.T @ design)
    return Fit(float(solution[0]), float(np.sqrt(variance[0, 0])), int(good.sum()))
