"""Power laws fitted to a variable of a dataset, beside the exact exponents of the theory."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from delocal.physics.power_law_fits import (
    SPARE,
    TOLERANCE,
    Curves,
    PowerLaws,
    fit_power_laws,
    fit_towards,
    local_slopes,
)
from delocal.service.errors import SelectionError, TooLarge, did_you_mean
from delocal.service.estimates import natural_logarithm, relative_error, usable, variable_of

Array = NDArray[np.float64]
Window = tuple[float | None, float | None] | Literal["low", "high"] | None
MAX_WORK = 5_000_000  # values times windows: some seconds
TOWARDS: dict[str, Literal["low", "high"]] = {"low": "low", "high": "high"}
POWER = re.compile(r"(.+)\^([-+]?[\d.]+(?:[eE][-+]?\d+)?)")
ABOUT = {
    "exponent": ("exponent of {over}", "1"),
    "exponent_stderr": ("standard error of the exponent", "1"),
    "exact": ("exact exponent of the theory", "1"),
    "difference": ("fitted less exact exponent", "1"),
    "sigmas": ("fitted less exact exponent, in standard errors", "1"),
    "log10_prefactor": ("decimal logarithm of the prefactor a", "1"),
    "log10_prefactor_stderr": ("standard error of log10_prefactor", "1"),
    "coefficient": ("coefficients of the corrections", "1"),
    "coefficient_stderr": ("standard errors of the coefficients", "1"),
    "chi2": ("sum of squared residuals over their errors", "1"),
    "dof": ("degrees of freedom", "1"),
    "p_value": ("probability of a chi2 as large, if law and errors are right", "1"),
    "points": ("number of points fitted", "1"),
    "window_low": ("smallest {over} fitted", "{units}"),
    "window_high": ("largest {over} fitted", "{units}"),
    "local_slope": ("d ln {variable} / d ln {over} between neighbours", "1"),
    "local_slope_stderr": ("standard error of the local slope", "1"),
}


def fit(
    ds: xr.Dataset,
    variable: str,
    over: str,
    *,
    correction: str | Sequence[str] = (),
    window: Window = None,
) -> xr.Dataset:
    """Fit ``variable = a over**exponent (1 + sum_k c_k s_k)`` in every cell of the other axes.

    Weighted least squares in logarithms. Points with a standard error, ``<variable>_stderr``, are
    weighted with it, and errors of what is fitted follow from theirs; else they follow from the
    scatter. Where ``log10_<variable>`` exists it is used, for it cannot underflow. Points count
    that are positive and finite in a cell that is done; of estimates also those in a cell that is
    not converged, whose error bar says how far it is.

    Parameters
    ----------
    ds
        A dataset of a sweep, or any other.
    variable, over
        Names of the variable and of a coordinate with one dimension.
    correction
        What vanishes where the power law is exact: names of variables or coordinates such as
        ``N1``, or powers of them such as ``T^0.5``.
    window
        Which points are fitted: all; those with ``over`` between two values, either of which may
        be None; or ``low`` or ``high``: the law that the variable tends to at small or at large
        `over`, averaged over all windows that begin there, as in
        :func:`delocal.physics.power_law_fits.fit_towards`. The error then contains that of the
        choice. Without errors it is the longest such window in which no point is further than 1 %
        from the law; NaN where there is none.

    Returns
    -------
    xarray.Dataset
        Over the other axes: ``exponent``, ``exact`` (the exponent of the theory, where the dataset
        has it), ``difference``, ``sigmas`` (NaN where the points have no errors),
        ``log10_prefactor``, ``chi2``, ``dof``, ``p_value``, ``points``, ``window_low`` and
        ``window_high``; along ``interval`` ``local_slope``; along ``correction`` ``coefficient``;
        and standard errors ``*_stderr``. All NaN in a cell with too few points.

    Raises
    ------
    SelectionError
        A name that is not there, an axis without two values, or too few points everywhere.

    Examples
    --------
    >>> T = np.geomspace(1, 10, 5)
    >>> ds = xr.Dataset({"kappa": ("T", 2 * T**3 * (1 + 0.1 / T))}, {"T": T})
    >>> found = fit(ds, "kappa", over="T", correction="T^-1")
    >>> round(found.exponent.item(), 9), round(found.coefficient.item(), 9)
    (3.0, 0.1)
    """
    corrections = [correction] if isinstance(correction, str) else list(correction)
    ds = _sorted(ds, variable, over, corrections)
    data = _Data(ds, variable, over, corrections)
    curves = data.curves(_chosen(ds[over].values, window))
    laws = fit_power_laws(curves) if not isinstance(window, str) else fit_towards(curves, window)
    most = curves.usable.sum(axis=1).max(initial=0)
    if most <= curves.parameters:
        raise SelectionError(
            f"{variable} has {most} points over {over} that can be fitted (positive, finite, done, "
            f"within the window); a fit needs {curves.parameters + 1}"
        )
    found = data.dataset(laws, *local_slopes(data.curves()))
    return found.assign_attrs(_attributes(ds, variable, over, corrections, window))


def _sorted(ds: xr.Dataset, variable: str, over: str, corrections: Sequence[str]) -> xr.Dataset:
    """Return what a fit needs, with increasing `over`; SelectionError if nothing can be fitted."""
    values = variable_of(ds, variable)
    if over not in ds.coords:
        raise SelectionError(f"no axis {over!r}; {did_you_mean(over, map(str, ds.coords))}")
    if ds[over].ndim != 1 or not set(ds[over].dims) <= set(values.dims):
        along = ", ".join(map(str, values.dims)) or "nothing"
        raise SelectionError(
            f"{variable} varies along {along}; a fit over {over} needs several values of it"
        )
    if ds[over].dtype.kind not in "fiu" or values.dtype.kind not in "fiu":
        raise SelectionError(f"{variable} and {over} must be numbers to have a power law")
    return ds[needed(ds, variable, over, corrections)].sortby(over).compute()


def needed(ds: xr.Dataset, variable: str, over: str, corrections: Sequence[str]) -> list[str]:
    """Return the names of the variables that a fit reads; SelectionError if one is not there."""
    variable_of(ds, variable)
    for name in corrections:
        if _base(name) not in ds.variables:
            advice = did_you_mean(_base(name), map(str, ds.variables))
            raise SelectionError(
                f"correction {name!r} is neither a variable nor a power of one, such as T^0.5; "
                f"{advice}"
            )
    names = (f"{variable}_exponent", f"{variable}_exponent_{over}", f"{variable}_stderr")
    more = (variable, f"log10_{variable}", *names, "status", *map(_base, corrections))
    return [name for name in dict.fromkeys(more) if name in ds.data_vars]


class _Data:
    """What is fitted, as curves along the dimension of `over`, and back as a dataset."""

    def __init__(
        self, ds: xr.Dataset, variable: str, over: str, corrections: Sequence[str]
    ) -> None:
        self._ds, self._variable, self._over = ds, variable, over
        self._corrections = list(corrections)
        self._dim = str(ds[over].dims[0])
        self._error = relative_error(ds, variable)
        self._terms = [_term(ds, name) for name in corrections]
        shape = xr.broadcast(ds[variable], *self._terms)[0]
        self._cells = shape.isel({self._dim: 0}, drop=True)

    def curves(self, chosen: NDArray[np.bool_] | None = None) -> Curves:
        """Return the curves, without the points that are not chosen."""
        ln_y = natural_logarithm(self._ds, self._variable).where(usable(self._ds, self._variable))
        if chosen is not None:
            ln_y = ln_y.where(xr.DataArray(chosen, dims=self._dim))
        with np.errstate(invalid="ignore", divide="ignore"):
            ln_x = np.log(self._ds[self._over].values.astype(float))
        terms = [self._rows(term) for term in self._terms]
        rows = self._rows(ln_y)
        return Curves(
            ln_x,
            rows,
            None if self._error is None else self._rows(self._error),
            np.stack(terms, axis=-1) if terms else np.empty((*rows.shape, 0)),
        )

    def dataset(self, laws: PowerLaws, slopes: Array, slopes_error: Array) -> xr.Dataset:
        """Return what was fitted with the dimensions and coordinates of the cells."""
        x = self._ds[self._over].values.astype(float)
        exact = exact_exponent(self._ds, self._variable, self._over)
        weighted = self._error is not None
        fitted = {
            "exponent": laws.exponent,
            "exponent_stderr": laws.exponent_stderr,
            "log10_prefactor": laws.ln_a / math.log(10),
            "log10_prefactor_stderr": laws.ln_a_stderr / math.log(10),
            "chi2": laws.chi2,
            "dof": laws.dof,
            "p_value": laws.p_value if weighted else np.full_like(laws.chi2, np.nan),
            "points": laws.points,
            "window_low": np.where(laws.first < 0, np.nan, x[laws.first]),
            "window_high": np.where(laws.last < 0, np.nan, x[laws.last]),
        }
        found = xr.Dataset({name: self._on_cells(values) for name, values in fitted.items()})
        difference = found.exponent - exact
        known = found.exponent_stderr > 0 if weighted else False
        found = found.assign(
            exact=exact.broadcast_like(found.exponent),
            difference=difference,
            sigmas=(difference / found.exponent_stderr).where(known),
            local_slope=self._on_cells(slopes, "interval"),
            local_slope_stderr=self._on_cells(slopes_error, "interval"),
        ).assign_coords(middle=("interval", _middles(x)))
        if self._corrections:
            found = found.assign(
                coefficient=self._on_cells(laws.coefficients, "correction"),
                coefficient_stderr=self._on_cells(laws.coefficients_stderr, "correction"),
            ).assign_coords(correction=self._corrections)
        return self._described(found)

    def _rows(self, array: xr.DataArray) -> Array:
        """Return an array with a row for each cell."""
        n = self._ds.sizes[self._dim]
        whole = array.broadcast_like(self._cells.expand_dims({self._dim: n}))
        values = whole.transpose(*self._cells.dims, self._dim).values
        return np.ascontiguousarray(values.reshape(-1, n), dtype=np.float64)

    def _on_cells(self, values: Array, *further: str) -> xr.DataArray:
        shape = (*self._cells.shape, *values.shape[1:])
        dims = (*map(str, self._cells.dims), *further)
        return xr.DataArray(values.reshape(shape), self._cells.coords, dims)

    def _described(self, found: xr.Dataset) -> xr.Dataset:
        units = self._ds[self._over].attrs.get("units", "1")
        words = {"over": self._over, "variable": self._variable, "units": units}
        for name, array in found.data_vars.items():
            long_name, unit = ABOUT[str(name)]
            array.attrs = {"long_name": long_name.format(**words), "units": unit.format(**words)}
        found.middle.attrs = {"long_name": f"geometric mean of {self._over}", "units": units}
        return found[[name for name in ABOUT if name in found]]


def _middles(x: Array) -> Array:
    """Return geometric means of neighbours; NaN where one of them is not positive."""
    positive = np.where(x > 0, x, np.nan)
    return np.asarray(np.sqrt(positive[1:] * positive[:-1]))


def parse_window(text: str | None) -> Window:
    """Return the window written as ``low``, ``high``, or two ends, either of which may be absent.

    Examples
    --------
    >>> parse_window("1e-6,1e-3"), parse_window(",0.5"), parse_window("low")
    ((1e-06, 0.001), (None, 0.5), 'low')
    """
    if text is None or text in TOWARDS:
        return TOWARDS[text] if text else None
    try:
        low, high = (float(end) if end.strip() else None for end in text.split(","))
    except ValueError as error:
        advice = "two ends such as 1e-6,1e-3, or `low` or `high`"
        raise SelectionError(f"window {text!r} is not understood; write {advice}") from error
    return low, high


def refuse_dear(ds: xr.Dataset, variable: str, over: str, window: Window) -> None:
    """Raise TooLarge if the windows that are averaged over are too many for one answer."""
    n = ds[over].size if over in ds.coords else 0
    if isinstance(window, str) and (work := ds[variable].size * n // 2) > MAX_WORK:
        raise TooLarge(
            f"{ds[variable].size:,} values in up to {n:,} windows are {work:,} steps; one answer "
            f"takes at most {MAX_WORK:,}. Select less, give the window, or fit in Python"
        )


def exact_exponent(ds: xr.Dataset, variable: str, over: str) -> xr.DataArray:
    """Return the exponent of the theory, ``<variable>_exponent`` along ``wrt``; NaN if unknown."""
    name = f"{variable}_exponent"
    if name in ds and "wrt" in ds[name].coords and over in ds[name].wrt:
        found = ds[name].sel(wrt=over, drop=True)
    elif f"{name}_{over}" in ds:
        found = ds[f"{name}_{over}"]
    else:
        return xr.DataArray(np.nan)
    dim = ds[over].dims
    if not set(dim) & set(found.dims):
        return found
    return found.min(dim).where(found.min(dim) == found.max(dim))  # one law for the curve, or none


def _term(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a correction: a variable or coordinate, or a power of one."""
    power = POWER.fullmatch(name)
    base = ds[_base(name)].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):  # a point that is NaN does not count
        return base if name in ds.variables or power is None else base ** float(power[2])


def _base(name: str) -> str:
    """Return the variable that a correction is made of."""
    power = POWER.fullmatch(name)
    return power[1] if power else name


def _chosen(x: Array, window: Window) -> NDArray[np.bool_]:
    """Return which points lie in the window; ends that mean a point include it."""
    allowed = "two ends such as (1e-6, 1e-3), 'low', 'high', None"
    if window is None or isinstance(window, str):
        if window not in (None, *TOWARDS):
            raise SelectionError(f"window {window!r} is none of: {allowed}")
        return np.ones(len(x), dtype=bool)
    try:
        low, high = window
        ends = (-np.inf if low is None else float(low)), (np.inf if high is None else float(high))
    except (TypeError, ValueError) as error:
        raise SelectionError(f"window {window!r} is none of: {allowed}") from error
    slack = 1e-9 * np.abs(x)
    return np.asarray((x + slack >= ends[0]) & (x - slack <= ends[1]))


def _attributes(
    ds: xr.Dataset, variable: str, over: str, corrections: Sequence[str], window: Window
) -> dict[str, Any]:
    terms = [f"c{i + 1} {name}" for i, name in enumerate(corrections)]
    factor = f" (1 + {' + '.join(terms)})" if terms else ""
    return {
        **ds.attrs,
        "variable": variable,
        "over": over,
        "law": f"{variable} = a {over}^exponent{factor}",
        "rule": _rule(over, window),
    }


def _rule(over: str, window: Window) -> str:
    if window is None:
        return "all points"
    if isinstance(window, str):
        place = {"low": "smallest", "high": "largest"}[window]
        return (
            f"towards the {place} {over}: the mean over all windows that begin there and have "
            f"{SPARE} degrees of freedom or more, weighted with exp(-chi2/2) and 1/e for each "
            "point left out; without errors, the longest of them with no point over "
            f"{TOLERANCE:.0%} off"
        )
    low, high = window
    ends = [f"{end:g}" if end is not None else "" for end in (low, high)]
    return f"{over} from {ends[0] or 'its smallest'} to {ends[1] or 'its largest'}"
