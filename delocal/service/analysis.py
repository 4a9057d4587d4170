"""Exponents and thresholds measured on datasets, beside the exact ones of the theory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.thresholds import Estimate, Threshold, threshold_of
from delocal.service.errors import SelectionError, did_you_mean
from delocal.workers.sampling import REPLICA

Array = NDArray[np.float64]
CURVES = ("either", "one", "every", "second_to_first")


@dataclass(frozen=True)
class Fit:
    """A power law fitted to a variable.

    Parameters
    ----------
    exponent, stderr
        The exponent and its standard error.
    points
        How many points were fitted.
    chi2
        Sum of squared residuals over their errors, per degree of freedom; NaN without errors.
    exact
        The exponent of the theory, where the dataset has it; else NaN.
    coefficient, coefficient_stderr
        c of the correction ``1 + c x``, if one was fitted; else NaN.
    """

    exponent: float
    stderr: float
    points: int
    chi2: float = math.nan
    exact: float = math.nan
    coefficient: float = math.nan
    coefficient_stderr: float = math.nan

    @property
    def sigmas(self) -> float:
        """How many standard errors the exponent is above the exact one."""
        return (self.exponent - self.exact) / self.stderr if self.stderr else math.nan


def fit_exponent(ds: xr.Dataset, variable: str, over: str, *, correction: str | None = None) -> Fit:
    """Fit ``variable = a over**exponent (1 + c correction)`` in logarithms.

    Points with a standard error, `<variable>_stderr`, are weighted with it, and the error of the
    exponent follows from theirs; else it follows from the scatter.

    Parameters
    ----------
    ds
        Dataset in which `variable` varies along the coordinate `over` alone.
    variable, over
        Names; where ``log10_<variable>`` exists it is used, for it cannot underflow. The exact
        exponent is that of ``<variable>_exponent`` along ``wrt``, if there is one.
    correction
        A variable that vanishes where the power law is exact, such as ``N1``.

    Raises
    ------
    SelectionError
        More dimensions than one, a name that is not there, or too few finite points.

    Examples
    --------
    >>> T = np.geomspace(1, 10, 5)
    >>> ds = xr.Dataset({"kappa": ("T", 2 * T**3 * (1 + 0.1 / T)), "N1": ("T", 1 / T)}, {"T": T})
    >>> fit = fit_exponent(ds, "kappa", "T", correction="N1")
    >>> round(fit.exponent, 9), round(fit.coefficient, 9)
    (3.0, 0.1)
    """
    for name in filter(None, (variable, over, correction)):
        if name not in ds.variables:
            raise SelectionError(f"no variable {name!r}; {did_you_mean(name, map(str, ds))}")
    x = np.log(ds[over].values.astype(float))
    y = _logarithm(ds, variable, over)
    error = (
        _along(ds[f"{variable}_stderr"] / ds[variable], over) if _has_error(ds, variable) else None
    )
    small = np.zeros_like(x) if correction is None else _along(ds[correction], over)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(small)
    good &= True if error is None else error > 0
    parameters = 2 if correction is None else 3
    if good.sum() <= parameters:
        raise SelectionError(
            f"{variable} has {good.sum()} finite points over {over}; a fit needs {parameters + 1}"
        )
    exact = math.nan
    if f"{variable}_exponent" in ds and over in ds[f"{variable}_exponent"].wrt:
        exact = float(ds[f"{variable}_exponent"].sel(wrt=over))
    sigma = None if error is None else error[good]
    found, covariance, chi2 = _least_squares(x[good], y[good], small[good], sigma, parameters)
    errors = np.sqrt(np.diag(covariance))
    c = (float(found[2]), float(errors[2])) if correction is not None else (math.nan, math.nan)
    return Fit(float(found[1]), float(errors[1]), int(good.sum()), chi2, exact, *c)


def percolation_threshold(
    tree: xr.DataTree, curve: str = "second_to_first", boxes: tuple[float, float] | None = None
) -> Threshold:
    """Return where the curves of two boxes cross, from the replicas of a `percolation` sweep.

    Parameters
    ----------
    tree
        A sweep of the model ``percolation`` over ``box``, all else fixed.
    curve
        ``either``, ``one``, ``every`` (wrapping probabilities) or ``second_to_first``.
    boxes
        The two boxes; by default the smallest and the largest.

    Raises
    ------
    SelectionError
        No such curve, or not two boxes.
    """
    if curve not in CURVES:
        raise SelectionError(f"no curve {curve!r}; {did_you_mean(curve, CURVES)}")
    mean, replicas = (tree[name].to_dataset() for name in ("percolation", "percolation_replicas"))
    if replicas[curve].dims != ("box", REPLICA, "x") or replicas.sizes["box"] < 2:
        raise SelectionError(
            f"a threshold needs a sweep over two values of `box` alone, not over "
            f"{', '.join(map(str, mean.status.dims)) or 'nothing'}"
        )
    pair = (float(replicas.box[0]), float(replicas.box[-1])) if boxes is None else boxes
    small, large = (_done(replicas.sel(box=box)) for box in pair)
    density = float(mean.density)
    degrees = large.degree.values / density
    densities = density * (1 + float(mean.width) * replicas.x.values)
    rng = stream(f"bootstrap {tree.attrs.get('sweep_id', '')} {curve}", 0)
    found = threshold_of(densities, small[curve].values, large[curve].values, degrees, rng)
    per_density = float(mean.N2_peak) / density
    peak = Estimate(found[0].value * per_density, found[0].stderr * per_density)
    return Threshold(*found, peak)


def _done(replicas: xr.Dataset) -> xr.Dataset:
    return replicas.isel({REPLICA: np.flatnonzero(replicas.status.values == Status.DONE)})


def _has_error(ds: xr.Dataset, variable: str) -> bool:
    return f"{variable}_stderr" in ds


def _logarithm(ds: xr.Dataset, variable: str, over: str) -> Array:
    if f"log10_{variable}" in ds:
        return _along(ds[f"log10_{variable}"], over) * math.log(10)
    return _along(xr.ufuncs.log(ds[variable]), over)


def _along(array: xr.DataArray, over: str) -> Array:
    """Return the values of an array that has no other dimension than that of `over`."""
    array = array.squeeze(drop=True)
    rest = [str(dim) for dim in array.dims if dim not in array[over].dims]
    if array.ndim != 1 or rest:
        raise SelectionError(f"select one value of {', '.join(rest)} before fitting over {over}")
    return np.asarray(array.values, dtype=np.float64)


def _least_squares(
    x: Array, y: Array, small: Array, sigma: Array | None, parameters: int
) -> tuple[Array, Array, float]:
    """Return parameters (ln a, exponent, c), their covariance, and chi2 per degree of freedom."""

    def law(_: Array, ln_a: float, exponent: float, c: float = 0.0) -> Array:
        return ln_a + exponent * x + np.log(np.maximum(1 + c * small, 1e-300))

    design = np.column_stack([np.ones_like(x), x, small])[:, :parameters]
    start, *_ = np.linalg.lstsq(design, y, rcond=None)
    found, covariance = curve_fit(
        law, x, y, p0=start, sigma=sigma, absolute_sigma=sigma is not None
    )
    if sigma is None:
        return found, covariance, math.nan
    rest = (y - law(x, *found)) / sigma
    return found, covariance, float(rest @ rest / (len(x) - parameters))
