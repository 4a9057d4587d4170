"""Replicas of Monte Carlo cells, and their summary in mean, error and number."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.disorder import stream
from delocal.physics.model import Cancelled, CancelToken, Derive, Model, Status, never
from delocal.workers.dataset import Layout
from delocal.workers.evaluated import (
    FAILURES_KEPT,
    Evaluated,
    Recall,
    Walk,
    blank,
    blank_excluded,
    counts_of,
    every,
    failure_of,
    nothing,
    variables_of,
)
from delocal.workers.keys import content_key
from delocal.workers.plan import Part, model_of
from delocal.workers.sampling import REPLICA, Sampling

Array = NDArray[Any]
Arrays = Mapping[str, Array]


def cell_key(part: Part, point: Mapping[str, float], seed: int) -> str:
    """Return the identity of a cell, from which its random numbers follow and nothing else."""
    return content_key([part.model, part.version, dict(point), dict(part.options), seed])


def evaluate_replicas(
    part: Part,
    block: int,
    cancelled: CancelToken = never,
    walk: Walk = every,
    recall: Recall = nothing,
) -> Evaluated:
    """Compute the replicas of one block, each from the random numbers of its cell and index.

    Those that `recall` finds by their point are copied. Raises Cancelled where ``cancelled()`` is
    true.
    """
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    excluded = part.grid.excluded(box)
    arrays = blank(model, layout, Status.FAILED)
    failures: list[Mapping[str, Any]] = []
    for place in walk(~excluded):
        index = tuple(side.start + i for side, i in zip(box, place, strict=True))
        if cancelled():
            raise Cancelled
        if found := recall(part.grid.point(index)):
            for name, values in found.items():
                arrays[name][place] = values
            continue
        try:
            _replicate(model, part, layout, index, place, arrays, cancelled)
        except Cancelled:
            raise
        except Exception as error:
            if len(failures) < FAILURES_KEPT:
                failures.append(failure_of(error, place, part.grid.point(index)))
    blank_excluded(model, layout, arrays, excluded)
    return Evaluated(arrays, {}, tuple(failures))  # replicas are not counted as cells


def _replicate(
    model: Model,
    part: Part,
    layout: Layout,
    index: tuple[int, ...],
    place: tuple[int, ...],
    arrays: Arrays,
    cancelled: CancelToken,
) -> None:
    assert model.replicate is not None
    assert part.sampling is not None
    point = part.grid.point(index)
    replica = int(point.pop(REPLICA))
    rng = stream(cell_key(part, point, part.sampling.seed), replica)
    began = time.thread_time()
    found = model.replicate(point, part.options, rng, cancelled)
    arrays["core_seconds"][place] = time.thread_time() - began
    single = Layout(dict.fromkeys(layout.sizes, 1), layout.varies, layout.extra)
    for variable in variables_of(model, layout):
        if variable.estimated:
            fitted = single.fit(variable, np.asarray(found[variable.name]))
            arrays[variable.name][place] = fitted[(0,) * len(place)]
    arrays["status"][place] = found.get("status", Status.DONE)


def summarize(part: Part, block: int, replicas: Arrays) -> Evaluated:
    """Reduce the replicas stored so far to a mean and its error, cell by cell.

    Which replicas enter depends on the cell alone: the first `sampling.replicas`, or twice as
    many, and so on, until the relative error of the model's target is reached. So a cell is
    the same bytes whatever else was computed with it.
    """
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    assert part.sampling is not None
    arrays = blank(model, layout, Status.NOT_COMPUTED)
    results = model.evaluate(part.grid.mesh(box), part.options)
    exact = [v for v in variables_of(model, layout) if v.name in results and v.name != "status"]
    arrays.update({v.name: layout.fit(v, results[v.name]) for v in exact})
    unfinished = False
    for place in np.ndindex(*layout.sizes.values()):
        here = {name: values[place] for name, values in replicas.items()}
        index = tuple(side.start + i for side, i in zip(box, place, strict=True))
        known = {v.name: arrays[v.name][layout.place(v, place)] for v in exact}
        cell = _Cell(model, part.grid.point(index), known)
        used, reached = _used(cell, here, part.sampling)
        unfinished |= not reached and used < part.sampling.max_replicas
        _summarize_cell(cell, place, here, used, reached, arrays)
    blank_excluded(model, layout, arrays, part.grid.excluded(box))
    return Evaluated(arrays, counts_of(arrays["status"]), (), unfinished)


@dataclass(frozen=True)
class _Cell:
    """One cell of a Monte Carlo model: its point, and the variables that are exact there."""

    model: Model
    point: Mapping[str, float]
    exact: Arrays

    def estimates(self, replicas: Arrays) -> dict[str, tuple[Array, Array]]:
        """Return mean and standard error of every variable that follows from `replicas`."""
        estimated = [v.name for v in self.model.variables if v.estimated]
        samples = {name: replicas[name] for name in estimated if name in replicas}
        found = {name: mean_and_error(values) for name, values in samples.items()}
        if self.model.derive is not None:
            found.update(jackknife(partial(self._derive, self.model.derive), samples))
        return found

    def _derive(self, derive: Derive, means: Arrays) -> dict[str, Array]:
        return derive(self.point, {**self.exact, **means})


def _used(cell: _Cell, here: Arrays, sampling: Sampling) -> tuple[int, bool]:
    """Return how many replicas enter, and whether they reach the relative error asked for."""
    missing = np.flatnonzero(here["status"] == Status.NOT_COMPUTED)
    stored = int(missing[0]) if missing.size else here["status"].size
    if sampling.target_rel_error is None:
        return min(stored, sampling.replicas), stored >= sampling.replicas
    used = sampling.replicas
    while used <= stored:
        good = here["status"][:used] == Status.DONE
        if not good.any():
            return used, True  # nothing to improve: outside the domain, or failed
        replicas = {name: values[:used][good] for name, values in here.items()}
        mean, error = cell.estimates(replicas)[cell.model.target]
        if error <= sampling.target_rel_error * abs(mean):
            return used, True
        if used == sampling.max_replicas:
            break
        used = min(2 * used, sampling.max_replicas)
    return min(used, stored), False


def _summarize_cell(
    cell: _Cell,
    place: tuple[int, ...],
    here: Arrays,
    used: int,
    reached: bool,
    arrays: dict[str, NDArray[Any]],
) -> None:
    status = here["status"][:used]
    good = status == Status.DONE
    arrays["n_replicas"][place] = good.sum()
    arrays["target_reached"][place] = reached and good.any()
    arrays["core_seconds"][place] = np.nansum(here["core_seconds"])
    if not good.any():
        arrays["status"][place] = status[0] if used else Status.NOT_COMPUTED
        return
    arrays["status"][place] = Status.DONE if reached else Status.NOT_CONVERGED
    replicas = {name: values[:used][good] for name, values in here.items()}
    found = cell.estimates(replicas)
    for name, (mean, error) in found.items():
        arrays[name][place], arrays[f"{name}_stderr"][place] = mean, error
    if cell.model.target:
        seconds = np.nansum(here["core_seconds"][:used])
        arrays["seconds_per_percent"][place] = _per_percent(seconds, *found[cell.model.target])


def _per_percent(seconds: float, mean: Array, error: Array) -> float:
    """Return the time that an error of one percent takes, if errors fall as one over its root."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(seconds * (100 * error / mean) ** 2)


def mean_and_error(values: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean and standard error over the first axis; the error of one value is NaN.

    Examples
    --------
    >>> mean_and_error(np.array([1.0, 2.0, 3.0]))
    (np.float64(2.0), np.float64(0.5773502691896258))
    """
    number = values.shape[0]
    if number < 2:
        return values.mean(axis=0), np.full_like(values[0], np.nan)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(number)


def jackknife(
    function: Callable[[Arrays], Mapping[str, Array]], samples: Arrays
) -> dict[str, tuple[Array, Array]]:
    """Return functions of means, corrected for their bias of order 1/n, and standard errors.

    Parameters
    ----------
    function
        Of the means, elementwise along their first axis.
    samples
        Replicas along the first axis.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 4.0])
    >>> square = jackknife(lambda means: {"square": means["x"] ** 2}, {"x": x})["square"]
    >>> [round(float(number), 6) for number in square]  # 49/9 less the variance of the mean
    [4.666667, 3.919325]
    """
    number = len(next(iter(samples.values())))
    with np.errstate(all="ignore"):
        return _jackknife(function, samples, number)


def _jackknife(
    function: Callable[[Arrays], Mapping[str, Array]], samples: Arrays, number: int
) -> dict[str, tuple[Array, Array]]:
    whole = function({name: values.mean(axis=0, keepdims=True) for name, values in samples.items()})
    if number < 2:
        return {name: (v[0], np.full_like(v[0], np.nan)) for name, v in whole.items()}
    without = function(
        {name: (values.sum(axis=0) - values) / (number - 1) for name, values in samples.items()}
    )
    found = {}
    for name, value in whole.items():
        left_out = np.broadcast_to(without[name], (number, *value.shape[1:]))
        mean = left_out.mean(axis=0)
        error = np.sqrt((number - 1) * ((left_out - mean) ** 2).mean(axis=0))
        found[name] = number * value[0] - (number - 1) * mean, error
    return found
