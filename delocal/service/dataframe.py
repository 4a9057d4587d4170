"""A dataset as a table of pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from delocal.service.estimates import variable_of
from delocal.service.rows import Table

if TYPE_CHECKING:
    import pandas


def to_dataframe(ds: xr.Dataset, variables: Sequence[str] | None = None) -> pandas.DataFrame:
    """Return a dataset as a long table, one row for each cell, as in Parquet.

    Parameters
    ----------
    ds
        A dataset of a sweep.
    variables
        Those wanted, beside the status; all by default. Coordinates are columns always. A variable
        with a dimension that is not of the cells has a column for each label, such as
        ``kappa_sd_exponent_T``.

    Returns
    -------
    pandas.DataFrame
        Flags, the status among them, are categories by name.

    Raises
    ------
    SelectionError
        A name that is not there.
    """
    import pandas  # a library that only tables need

    wanted = list(ds.data_vars) if variables is None else ["status", *variables]
    for name in wanted:
        variable_of(ds, str(name))
    part = ds[list(dict.fromkeys(wanted))]
    rows = Table.of(part)
    table = pandas.DataFrame(rows.read({dim: slice(0, part.sizes[dim]) for dim in rows.dims}))
    for name, array in part.data_vars.items():
        if "flag_values" in array.attrs:
            names = str(array.attrs["flag_meanings"]).split()
            meaning = dict(zip(array.attrs["flag_values"], names, strict=True))
            table[name] = pandas.Categorical(table[name].map(meaning), names)
    return table
