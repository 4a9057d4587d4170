"""How the arrays of a model become a labelled dataset: dimensions, coordinates, attributes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from delocal.physics.model import Model, Parameter, Variable
from delocal.physics.models import load_models
from delocal.workers.grid import Box, Grid

Index = TypeVar("Index")


@dataclass(frozen=True)
class Layout:
    """The dimensions of a dataset, and along which of them each given parameter varies."""

    sizes: Mapping[str, int]
    varies: Mapping[str, tuple[str, ...]]
    extra: Mapping[str, tuple[str, ...] | tuple[float, ...]]

    @property
    def given(self) -> set[str]:
        """The parameters that have a value, swept or fixed."""
        return set(self.varies)

    @classmethod
    def of_grid(cls, grid: Grid, model: Model, box: Box | None = None) -> Layout:
        """Return the layout of `grid`, or of the cells of one `box` of it."""
        sizes = dict(zip(grid.names, grid.shape, strict=True))
        if box is not None:
            sizes = {name: b.stop - b.start for name, b in zip(grid.names, box, strict=True)}
        varies: dict[str, tuple[str, ...]] = dict.fromkeys(grid.fixed, ())
        varies.update({name: (d.name,) for d in grid.dimensions for name in d.values})
        return cls(sizes, varies, model.coordinates)

    def grid_dims(self, variable: Variable) -> tuple[str, ...]:
        """Return the dimensions of the sweep that `variable` has."""
        if variable.depends is None:
            return tuple(self.sizes)
        carriers = {dim for name in variable.depends for dim in self.varies.get(name, ())}
        return tuple(dim for dim in self.sizes if dim in carriers)

    def dims(self, variable: Variable) -> tuple[str, ...]:
        """Return all dimensions of `variable`, its extra ones last."""
        return (*self.grid_dims(variable), *variable.dims)

    def shape(self, variable: Variable) -> tuple[int, ...]:
        """Return the shape of `variable`."""
        extra = tuple(len(self.extra[dim]) for dim in variable.dims)
        return (*(self.sizes[dim] for dim in self.grid_dims(variable)), *extra)

    def place(self, variable: Variable, cell: tuple[Index, ...]) -> tuple[Index, ...]:
        """Return where the array of `variable` holds a `cell`, or a box, of the grid."""
        own = set(self.grid_dims(variable))
        return tuple(i for dim, i in zip(self.sizes, cell, strict=True) if dim in own)

    def fit(self, variable: Variable, array: NDArray[Any]) -> NDArray[Any]:
        """Return a model's `array` in the shape and type that `variable` has in the dataset.

        The result is the caller's own, and each NaN in it has the same bits: its sign is left to
        chance by the processor, and equal sweeps are equal bytes. Raises ValueError if the array
        varies along a dimension that its variable lacks.
        """
        own = set(self.grid_dims(variable))
        kept = [size if dim in own else 1 for dim, size in self.sizes.items()]
        extra = [len(self.extra[dim]) for dim in variable.dims]
        full = np.broadcast_to(array, (*kept, *extra))
        fitted = np.require(full.reshape(self.shape(variable)), variable.dtype, ["C", "W"])
        if variable.dtype == "float64":
            np.copyto(fitted, np.nan, where=np.isnan(fitted))
        return fitted


def parameter_attributes(parameter: Parameter) -> dict[str, Any]:
    """CF attributes of a coordinate."""
    return {"long_name": parameter.long_name, "units": parameter.units}


def coordinate_dtype(parameter: Parameter) -> str:
    """Return the type of a coordinate: whole numbers stay whole."""
    return "int64" if parameter.integer else "float64"


def model_attributes(model: Model) -> dict[str, Any]:
    """Attributes of a dataset that a model made."""
    return {
        "title": model.title,
        "model": model.name,
        "model_version": model.version,
        "references": model.reference,
        "units_convention": "hbar = k_B = 1; prefactors of the scaling estimates are 1"
        if model.kind == "closed-form"
        else "hbar = k_B = 1",
    }


def evaluate(model: str, /, **parameters: ArrayLike | xr.DataArray) -> xr.Dataset:
    """Evaluate a model here and now, without a sweep.

    Parameters
    ----------
    model
        Name of the model, one of `delocal.models()`.
    **parameters
        Numbers, one-dimensional arrays (each makes a dimension of its parameter's name), or
        DataArrays, which broadcast by the names of their dimensions. Options by their name.

    Returns
    -------
    xarray.Dataset
        Every variable of the model, with `status` saying what became of each point.

    Raises
    ------
    ValueError
        Unknown model or parameter, a missing one, or a value that is not allowed.

    Examples
    --------
    >>> ds = evaluate("scaling", d=2, alpha=3, beta=3, T=[1e-3, 2e-3], W=1)
    >>> ratio = ds.kappa_sd.sel(T=2e-3) / ds.kappa_sd.sel(T=1e-3)
    >>> round(float(ratio), 9)  # kappa_sd ~ T^3
    8.0
    """
    known = load_models()
    if model not in known:
        raise ValueError(f"no model {model!r}; known: {', '.join(known)}")
    chosen = known[model]
    if chosen.replicate is not None:
        raise ValueError(f"{model} is a Monte Carlo model: sample it with delocal.run")
    options = _pop_options(chosen, parameters)
    given = _as_dataarrays(chosen, parameters)
    sizes = {str(dim): size for array in given.values() for dim, size in array.sizes.items()}
    if taken := set(sizes) & {*chosen.coordinates, *(v.name for v in chosen.variables)}:
        raise ValueError(f"rename dimension {', '.join(sorted(taken))}: the model has that name")
    layout = Layout(
        sizes,
        {name: tuple(map(str, array.dims)) for name, array in given.items()},
        chosen.coordinates,
    )
    mesh = {name: _spread(array, sizes) for name, array in given.items()}
    results = chosen.evaluate(mesh, options)
    arrays = {v.name: layout.fit(v, results[v.name]) for v in chosen.variables_for(layout.given)}
    return labelled(chosen, layout, arrays).assign_coords(
        {
            name: array.astype(coordinate_dtype(chosen.parameter(name))).assign_attrs(
                parameter_attributes(chosen.parameter(name))
            )
            for name, array in given.items()
        }
    )


def labelled(model: Model, layout: Layout, arrays: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    """Return the `arrays` of a model as a dataset, without the coordinates of its parameters."""
    return xr.Dataset(
        {
            v.name: (layout.dims(v), arrays[v.name], v.attributes)
            for v in model.variables_for(layout.given)
        },
        coords={dim: (dim, list(labels)) for dim, labels in model.coordinates.items()},
        attrs=model_attributes(model),
    )


def on_grid(model: Model, grid: Grid, arrays: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    """Return the `arrays` of a model over a whole grid as the dataset that a sweep would store."""
    layout = Layout.of_grid(grid, model)
    coordinates = {}
    for name, dims in layout.varies.items():
        parameter = model.parameter(name)
        values = np.asarray(grid.values(name), coordinate_dtype(parameter))
        coordinates[name] = (dims, values, parameter_attributes(parameter))
    return labelled(model, layout, arrays).assign_coords(coordinates)


def default_options(model: Model) -> dict[str, Any]:
    """Return each option of `model` with its default."""
    return {option.name: option.choices[0] for option in model.options}


def _spread(array: xr.DataArray, sizes: Mapping[str, int]) -> NDArray[np.float64]:
    """Return the values of `array` with an axis for each of the `sizes`, 1 where it has none."""
    bare = array.drop_vars(list(array.coords))
    lacking = [dim for dim in sizes if dim not in array.dims]
    return bare.expand_dims(lacking).transpose(*sizes).values


def _pop_options(model: Model, parameters: dict[str, Any]) -> dict[str, Any]:
    options = default_options(model)
    for option in model.options:
        if option.name in parameters:
            try:
                options[option.name] = option.accept(parameters.pop(option.name))
            except ValueError as error:
                raise ValueError(f"{option.name}: {error}") from error
    return options


def _as_dataarrays(
    model: Model, parameters: Mapping[str, ArrayLike | xr.DataArray]
) -> dict[str, xr.DataArray]:
    known = [parameter.name for parameter in model.parameters]
    unknown = set(parameters) - set(known)
    if unknown:
        options = [option.name for option in model.options]
        close = [difflib.get_close_matches(name, [*known, *options], n=1) for name in unknown]
        hint = "".join(f"did you mean {found[0]!r}? " for found in close if found)
        takes = f"it takes {', '.join(known)}"
        if options:
            takes += f", and the options {', '.join(options)}"
        raise ValueError(
            f"model {model.name!r} has no parameter {', '.join(sorted(unknown))}; {hint}{takes}"
        )
    given = {}
    for parameter in model.parameters:
        value = parameters.get(parameter.name, parameter.default)
        if value is None and parameter.optional:
            continue
        if value is None:
            raise ValueError(f"model {model.name!r} needs {parameter.name}: {parameter.long_name}")
        array = _one_dataarray(parameter, value)
        if not parameter.accepts(array.values).all():
            wrong = array.values[~parameter.accepts(array.values)].ravel()[0]
            raise ValueError(f"{parameter.name} = {wrong:g} is not allowed: {parameter.allowed}")
        given[parameter.name] = array
    return dict(zip(given, xr.align(*given.values(), join="exact"), strict=True))


def _one_dataarray(parameter: Parameter, value: ArrayLike | xr.DataArray) -> xr.DataArray:
    try:
        if isinstance(value, xr.DataArray):
            return value.astype(np.float64)
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise ValueError(f"{parameter.name} is neither a number nor an array: {err}") from err
    if array.ndim > 1:
        raise ValueError(
            f"{parameter.name} has {array.ndim} dimensions without names; "
            "give an xarray.DataArray, so that it can broadcast by name"
        )
    own = {parameter.name: array} if array.ndim else {}
    return xr.DataArray(array, coords=own, dims=list(own))
