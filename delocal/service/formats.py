"""Part of a dataset in the format that was asked for: bounded before it is read, or streamed."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr

from delocal.service.errors import SelectionError, TooLarge
from delocal.service.export import write_netcdf
from delocal.service.results import MAX_VALUES, mask_of, refuse_too_many
from delocal.service.rows import Table

MAX_NETCDF = 10_000_000  # values: made whole before the first byte is sent
MAX_STREAMED = 100_000_000
STREAMED_AT_ONCE = 2_000_000  # values: 16 MiB
PIECE = 2**18  # bytes of a file that are sent at a time


class Format(StrEnum):
    """How data travel."""

    JSON = "json"
    TABLE = "table"
    CSV = "csv"
    ARROW = "arrow"
    NETCDF = "netcdf"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return MEDIA_TYPES[self]

    @property
    def suffix(self) -> str | None:
        """Of the file that a browser keeps it as; None if it shows it."""
        return {Format.CSV: ".csv", Format.ARROW: ".arrows", Format.NETCDF: ".nc"}.get(self)

    @property
    def has_rows(self) -> bool:
        """Whether it is made of rows, some of which may be asked for."""
        return self in (Format.TABLE, Format.CSV, Format.ARROW)


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.TABLE: "application/json",
    Format.CSV: "text/csv",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.NETCDF: "application/x-netcdf",
}


class Page:
    """Some rows of a table: from one to before another, and where the next page begins.

    Parameters
    ----------
    table
        All rows.
    after
        How many are left out in front.
    limit
        How many are wanted at most; None wants all that are left.
    """

    def __init__(self, table: Table, after: int = 0, limit: int | None = None) -> None:
        self.table = table
        self.start = min(after, len(table))
        self.stop = len(table) if limit is None else min(self.start + limit, len(table))

    @property
    def next(self) -> int | None:
        """How many rows a page leaves out that goes on here; None if this is the last."""
        return self.stop if self.stop < len(self.table) else None

    def check(self, most: int) -> None:
        """TooLarge if the rows hold more than so many values."""
        rows, columns = self.stop - self.start, len(self.table.columns)
        if rows * columns > most:
            raise TooLarge(
                f"{rows * columns:,} values = {rows:,} rows x {columns} columns; one answer holds "
                f"at most {most:,}. Ask for fewer `variables`, for a page with `limit`, or open "
                "the Zarr store"
            )

    def batches(self) -> Iterator[dict[str, Any]]:
        """Yield the columns, some rows at a time."""
        most = max(STREAMED_AT_ONCE // len(self.table.columns), 1)
        for box in self.table.boxes(self.start, self.stop, most):
            yield self.table.read(box)


def columns_of(page: Page) -> dict[str, Any]:
    """Return the rows as an array for each column; TooLarge before anything is read.

    `mask` says of each column with values that JSON does not have which they are, see `mask_of`.
    """
    page.check(MAX_VALUES)
    batches = list(page.batches())
    columns = {
        column.name: np.concatenate([batch[column.name] for batch in batches] or [[]])
        for column in page.table.columns
    }
    return {
        "columns": columns,
        "mask": {name: mask_of(values) for name, values in columns.items()},
        "cells": len(page.table),
    }


def as_csv(page: Page) -> Iterator[bytes]:
    """Return CSV, piece by piece; TooLarge before anything is read."""
    import pyarrow
    from pyarrow.csv import WriteOptions, write_csv

    page.check(MAX_STREAMED)
    schema, options = page.table.schema(), WriteOptions(include_header=False)

    def pieces() -> Iterator[bytes]:
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(schema.names)
        ahead = header.getvalue().encode()
        for batch in page.batches():
            written = io.BytesIO()
            write_csv(pyarrow.table(batch, schema=schema), written, options)
            yield ahead + written.getvalue()
            ahead = b""
        yield ahead

    return _begun(pieces())


def as_arrow(page: Page) -> Iterator[bytes]:
    """Return a stream of Arrow IPC, piece by piece; TooLarge before anything is read."""
    import pyarrow
    from pyarrow.ipc import new_stream

    page.check(MAX_STREAMED)
    schema = page.table.schema()

    def pieces() -> Iterator[bytes]:
        written = io.BytesIO()
        with new_stream(written, schema) as stream:
            for batch in page.batches():
                stream.write_table(pyarrow.table(batch, schema=schema))
                yield written.getvalue()
                written.seek(0)
                written.truncate()
        yield written.getvalue()

    return _begun(pieces())


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the same pieces, the first of them made: what is wrong with it can be answered."""
    return chain([next(pieces)], pieces)


def as_netcdf(ds: xr.Dataset) -> Iterator[bytes]:
    """Return a NetCDF-4 file, piece by piece; TooLarge before anything is read."""
    refuse_too_many(ds, MAX_NETCDF)
    with tempfile.TemporaryDirectory(prefix="delocal-") as folder:
        path = Path(folder) / "data.nc"
        write_netcdf(ds.compute(), path)
        return _pieces(path.open("rb"))  # it stays open when its name is gone


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with closing(file):
        while piece := file.read(PIECE):
            yield piece


def chosen_format(asked: str | None, accepted: str) -> Format:
    """Return the format by its name, or the one that a header ``Accept`` likes best.

    SelectionError if there is none of that name; JSON where the header names none of them.

    Examples
    --------
    >>> str(chosen_format(None, "text/csv;q=0.5, application/x-netcdf, */*;q=0.1"))
    'netcdf'
    >>> str(chosen_format("arrow", "text/csv")), str(chosen_format(None, "text/html, */*"))
    ('arrow', 'json')
    """
    if asked is not None:
        if asked not in list(Format):
            known = ", ".join(Format)
            raise SelectionError(f"no format {asked!r}; choose one of {known}")
        return Format(asked)
    by_type = {media_type: form for form, media_type in reversed(MEDIA_TYPES.items())}
    liked = sorted(map(_liking, accepted.split(",")), key=lambda found: -found[1])
    return next((by_type[name] for name, q in liked if name in by_type and q > 0), Format.JSON)


def _liking(media_range: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in media_range.split(";"))
    given = dict(part.partition("=")[::2] for part in parameters)
    try:
        return name, float(given.get("q", "1"))
    except ValueError:
        return name, 0.0
