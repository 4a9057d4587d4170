"""The cells of a dataset one by one, read block by block."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import xarray as xr

from delocal.service.errors import SelectionError, did_you_mean
from delocal.service.export import boxes
from delocal.service.results import model_named


def one_of(tree: xr.DataTree, model: str | None) -> xr.Dataset:
    """Return the dataset of a model, which must be named if there are several.

    Raises what :func:`delocal.service.results.model_named` does.
    """
    known = [name for name, child in tree.children.items() if child.dataset.data_vars]
    return tree[model_named(model, known)].to_dataset()


def walk(
    ds: xr.Dataset, statuses: Collection[str] | None, variables: Collection[str] | None
) -> Iterator[dict[str, Any]]:
    """Yield the cells of a dataset as dictionaries of coordinates, status and variables.

    Parameters
    ----------
    ds
        Opened lazily: of a block in which no cell has a status that is asked for only the status
        is read.
    statuses
        Names of statuses; None for all.
    variables
        Names of variables; None for all. One with a dimension that is not of cells has a list.

    Raises
    ------
    SelectionError
        No such status or variable.
    """
    names = _meanings(ds["status"])
    shown = [str(name) for name in ds.data_vars if name != "status"]
    for asked, known in ((statuses, list(names.values())), (variables, shown)):
        for name in asked or ():
            if name not in known:
                raise SelectionError(f"no {name!r}; {did_you_mean(name, known)}")
    return _walk(ds, names, statuses, shown if variables is None else list(variables))


def told(array: xr.DataArray) -> Any:
    """Return a value, or a list of them, as one says it: flags by their names.

    Examples
    --------
    >>> told(xr.DataArray(4, attrs={"flag_values": [1, 4], "flag_meanings": "done failed"}))
    'failed'
    """
    names = _meanings(array)
    if not names:
        return array.values.tolist()
    return np.vectorize(lambda value: names.get(value, value), otypes=[object])(array).tolist()


def _meanings(array: xr.DataArray) -> dict[int, str]:
    values = np.atleast_1d(array.attrs.get("flag_values", ())).tolist()
    return dict(zip(values, str(array.attrs.get("flag_meanings", "")).split(), strict=True))


def _walk(
    ds: xr.Dataset, names: dict[int, str], statuses: Collection[str] | None, shown: list[str]
) -> Iterator[dict[str, Any]]:
    dims = [str(dim) for dim in ds["status"].dims]
    for box in boxes(ds):
        status = ds["status"].isel({dim: box[dim] for dim in dims}).values
        became = {cell: names[int(status[cell])] for cell in np.ndindex(status.shape)}
        wanted = [cell for cell in became if statuses is None or became[cell] in statuses]
        if not wanted:
            continue
        block = ds[shown].isel(box, missing_dims="ignore").load()
        for cell in wanted:
            point = block.isel(dict(zip(dims, cell, strict=True)))
            coords = {str(n): c.item() for n, c in point.coords.items() if c.ndim == 0}
            values = {name: told(point[name]) for name in shown}
            yield {**coords, "status": became[cell], **values}
