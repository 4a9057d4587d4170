"""Two variables side by side, and curves scaled so that they fall onto one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import xarray as xr

from delocal.service.errors import SelectionError, did_you_mean
from delocal.service.estimates import error_of, natural_logarithm, usable, variable_of

Powers = Mapping[str, float | xr.DataArray]


def compare(
    measured: xr.Dataset, variable: str, theory: xr.Dataset, of_theory: str | None = None
) -> xr.Dataset:
    """Return an estimate and the theory on the points that both have.

    Parameters
    ----------
    measured, variable
        A dataset and the name of its variable, usually an estimate by Monte Carlo.
    theory, of_theory
        The same of what it is compared with; by default the variable of the same name. A dimension
        that it lacks is broadcast.

    Returns
    -------
    xarray.Dataset
        ``measured`` and ``theory`` (NaN in cells that do not count, as in a fit), their ``ratio``,
        the difference in standard errors, ``sigmas``, and ``measured_stderr``, ``theory_stderr``
        and ``ratio_stderr``, 0 for what is exact. Errors of the two are taken as independent.

    Raises
    ------
    SelectionError
        A name that is not there, or no common point.
    """
    ours, theirs = _values(measured, variable), _values(theory, of_theory or variable)
    ours, theirs = xr.align(ours, theirs, join="inner")
    if empty := [str(dim) for dim, size in ours.sizes.items() if not size]:
        raise SelectionError(f"no common values of {', '.join(empty)}; take them from one sweep")
    y, s, z, u = (ours.value, ours.error, theirs.value, theirs.error)
    ratio = y / z
    error = abs(ratio) * np.hypot(s / y, u / z)
    found = {
        "measured": (y, f"{variable}, measured"),
        "measured_stderr": (s, "standard error of the measured value"),
        "theory": (z, f"{of_theory or variable}, theory"),
        "theory_stderr": (u, "standard error of the theory"),
        "ratio": (ratio, "measured value over theory"),
        "ratio_stderr": (error, "standard error of the ratio"),
        "sigmas": ((y - z) / np.hypot(s, u), "measured value less theory, in standard errors"),
    }
    units = measured[variable].attrs.get("units", "1")
    ds = xr.Dataset({name: array for name, (array, _) in found.items()}, attrs=measured.attrs)
    for name, (_, long_name) in found.items():
        bare = name.startswith(("ratio", "sigmas"))
        ds[name].attrs = {"long_name": long_name, "units": "1" if bare else units}
    return ds


def collapse(
    ds: xr.Dataset,
    variable: str,
    over: str,
    *,
    x: Powers | None = None,
    y: Powers | None = None,
    centre: float = 0.0,
) -> xr.Dataset:
    """Return the points of a collapse plot: both axes scaled by powers of the parameters.

    ::

        x = (over - centre) prod_p p**x[p]        y = variable prod_p p**y[p]

    If the powers are right, all points lie on one curve y(x).

    Parameters
    ----------
    ds, variable, over
        A dataset, and the names of what is plotted over what.
    x, y
        Powers by the name of a coordinate or variable. Without `y` those of the theory are taken
        out, ``<variable>_exponent``, of every parameter but `over`: what is left is the law in
        `over` alone.
    centre
        What is subtracted from `over`, such as a critical value.

    Returns
    -------
    xarray.Dataset
        ``x``, ``y`` and, of an estimate, ``y_stderr``, over all axes of the variable; its
        ``delocal.plot.collapse()`` draws them. The attribute ``along`` of ``x`` is the dimension
        of `over`.

    Raises
    ------
    SelectionError
        A name that is not there, or no `y` where the theory has no exponents.

    Examples
    --------
    >>> L, w = xr.DataArray([8.0, 16.0], dims="L"), xr.DataArray([0.4, 0.5, 0.6], dims="w")
    >>> ds = xr.Dataset({"P": np.tanh((w - 0.5) * L**0.75)}, {"L": L, "w": w})
    >>> data = collapse(ds, "P", over="w", x={"L": 0.75}, y={}, centre=0.5)
    >>> bool(np.allclose(data.y, np.tanh(data.x)))
    True
    """
    values = variable_of(ds, variable)
    if over not in ds.coords:
        raise SelectionError(f"no axis {over!r}; {did_you_mean(over, map(str, ds.coords))}")
    powers = _exact_powers(ds, variable, over) if y is None else y
    scale = _product(ds, powers)
    scaled = values * scale
    if f"log10_{variable}" in ds:  # what underflows need not when it is scaled
        scaled = xr.ufuncs.exp(natural_logarithm(ds, variable) + _log_product(ds, powers))
    counts = usable(ds, variable)
    found = {
        "x": ((ds[over] - centre) * _product(ds, x or {})).broadcast_like(scaled),
        "y": scaled.where(counts),
    }
    if (error := error_of(ds, variable)) is not None:
        found["y_stderr"] = (error * scale).where(counts)
    shift = f"({over} - {centre:g})" if centre else over
    labels = {"x": f"{shift}{_label(x or {})}", "y": f"{variable}{_label(powers)}"}
    for name, array in found.items():
        array.attrs = {"long_name": labels.get(name, f"standard error of {labels['y']}")}
    found["x"].attrs["along"] = ds[over].dims[0]
    return xr.Dataset(found, attrs=ds.attrs)


def _values(ds: xr.Dataset, name: str) -> xr.Dataset:
    """Return value and error of a variable, with its coordinates; an exact one has the error 0."""
    values = variable_of(ds, name).where(usable(ds, name))
    error = error_of(ds, name)
    return xr.Dataset({"value": values, "error": xr.zeros_like(values) if error is None else error})


def _exact_powers(ds: xr.Dataset, variable: str, over: str) -> Powers:
    """Return minus the exponents of the theory for every parameter but `over`."""
    exact = ds.get(f"{variable}_exponent")
    if exact is None or "wrt" not in exact.dims:
        raise SelectionError(
            f"{variable} has no exact exponents in this dataset: give `y`, the powers of the "
            'parameters that it is multiplied with, such as y={"W": 6}'
        )
    names = [str(name) for name in exact.wrt.values if str(name) != over]
    return {name: -exact.sel(wrt=name, drop=True) for name in names if name in ds.coords}


def _product(ds: xr.Dataset, powers: Powers) -> xr.DataArray:
    factors = (_to_scale_with(ds, name) ** power for name, power in powers.items())
    return math.prod(factors, start=xr.DataArray(1.0))


def _log_product(ds: xr.Dataset, powers: Powers) -> xr.DataArray:
    terms = (xr.ufuncs.log(_to_scale_with(ds, name)) * p for name, p in powers.items())
    return sum(terms, start=xr.DataArray(0.0))


def _to_scale_with(ds: xr.Dataset, name: str) -> xr.DataArray:
    if name not in ds.variables:
        advice = did_you_mean(name, map(str, ds.coords))
        raise SelectionError(f"no {name!r} to scale with; {advice}")
    return ds[name].astype(float)


def _label(powers: Powers) -> str:
    return "".join(
        f" {name}^{power:g}" if isinstance(power, int | float) else f" {name}^-exponent"
        for name, power in powers.items()
    )
