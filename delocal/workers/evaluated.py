"""What a block comes to: arrays that are whole, failures that are kept, cells that are counted."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Model, Status, Variable
from delocal.workers.dataset import Layout

Walk = Callable[[NDArray[np.bool_]], Iterator[tuple[int, ...]]]
"""How the cells of a mask are gone through, one by one."""
Recall = Callable[[Mapping[str, float]], Mapping[str, NDArray[Any]] | None]
"""What is known of the cell at a point: its variables along their extra dims, or None."""
FAILURES_KEPT = 100  # tracebacks kept of one block; every failed cell is counted


@dataclass(frozen=True)
class Evaluated:
    """The arrays of one block by variable, and what happened on the way."""

    arrays: Mapping[str, NDArray[Any]]
    counts: Mapping[str, int]
    failures: tuple[Mapping[str, Any], ...]
    unfinished: bool = False


def every(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Yield the places where `wanted` is true, in their order."""
    yield from map(tuple, np.argwhere(wanted).tolist())


def nothing(_: Mapping[str, float]) -> None:
    """Remember no cell."""


def failure_of(
    error: BaseException,
    cell: tuple[int, ...] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is kept of an error: the cell, its parameters, the message, the traceback.

    Any database and JSON take it: what no text may hold is escaped, and NaN and infinities are
    None.
    """
    point = {name: float(value) for name, value in (parameters or {}).items()}
    return {
        "cell": None if cell is None else list(cell),
        "parameters": {n: value if math.isfinite(value) else None for n, value in point.items()},
        "error": _plain("".join(traceback.format_exception_only(error)).strip()),
        "traceback": _plain("".join(traceback.format_exception(error))),
    }


def _plain(text: str) -> str:
    """Return a text without NUL and lone surrogates."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")


def blank(model: Model, layout: Layout, status: Status) -> dict[str, NDArray[Any]]:
    """Return every variable as where nothing was computed: NaN, flags 0, and a `status`."""
    variables = variables_of(model, layout)
    arrays = {v.name: np.full(layout.shape(v), _fill(v), dtype=v.dtype) for v in variables}
    arrays["status"][...] = status
    return arrays


def blank_excluded(
    model: Model,
    layout: Layout,
    arrays: Mapping[str, NDArray[Any]],
    excluded: NDArray[np.bool_],
) -> None:
    """Blank the cells that the request leaves out, and say so in their status."""
    if not excluded.any():
        return
    for variable in variables_of(model, layout):
        if variable.depends is None:
            arrays[variable.name][excluded] = _fill(variable)
    arrays["status"][excluded] = Status.EXCLUDED


def variables_of(model: Model, layout: Layout) -> tuple[Variable, ...]:
    """Return the variables that exist for the parameters of a layout."""
    return model.variables_for(layout.given)


def _fill(variable: Variable) -> float:
    return np.nan if variable.dtype == "float64" else 0


def counts_of(status: NDArray[Any]) -> dict[str, int]:
    """Return the number of cells by the name of their status."""
    values, numbers = np.unique(status, return_counts=True)
    return {Status(v).label: int(n) for v, n in zip(values, numbers, strict=True)}
