"""Replicas of Monte Carlo cells, and their summary in mean, error and number."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.disorder import stream
from delocal.physics.model import Model, Status
from delocal.workers.dataset import Layout
from delocal.workers.evaluated import (
    FAILURES_KEPT,
    Evaluated,
    blank,
    blank_excluded,
    counts_of,
    failure_of,
    variables_of,
)
from delocal.workers.keys import content_key
from delocal.workers.plan import Part, model_of
from delocal.workers.sampling import REPLICA, Sampling, stderr_of

Arrays = Mapping[str, NDArray[Any]]


def cell_key(part: Part, point: Mapping[str, float], seed: int) -> str:
    """Return the identity of a cell, from which its random numbers follow and nothing else."""
    return content_key([part.model, part.version, dict(point), dict(part.options), seed])


def evaluate_replicas(part: Part, block: int) -> Evaluated:
    """Compute the replicas of one block, each from the random numbers of its cell and index."""
    model, box = model_of(part), part.blocks.box(block)
    layout = Layout.of_grid(part.grid, model, box)
    excluded = part.grid.excluded(box)
    arrays = blank(model, layout, Status.FAILED)
    failures: list[Mapping[str, Any]] = []
    for place in map(tuple, np.argwhere(~excluded).tolist()):
        index = tuple(side.start + i for side, i in zip(box, place, strict=True))
        try:
            _replicate(model, part, layout, index, place, arrays)
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
) -> None:
    assert model.replicate is not None
    assert part.sampling is not None
    point = part.grid.point(index)
    replica = int(point.pop(REPLICA))
    rng = stream(cell_key(part, point, part.sampling.seed), replica)
    began = time.thread_time()
    found = model.replicate(point, part.options, rng, _never)
    arrays["core_seconds"][place] = time.thread_time() - began
    single = Layout(dict.fromkeys(layout.sizes, 1), layout.varies, layout.extra)
    for variable in variables_of(model, layout):
        if variable.estimated:
            fitted = single.fit(variable, np.asarray(found[variable.name]))
            arrays[variable.name][place] = fitted[(0,) * len(place)]
    arrays["status"][place] = found.get("status", Status.DONE)


def _never() -> bool:
    return False


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
    exact = model.evaluate(part.grid.mesh(box), part.options)
    for variable in variables_of(model, layout):
        if variable.name in exact and variable.name != "status":
            arrays[variable.name] = layout.fit(variable, exact[variable.name])
    unfinished = False
    for place in np.ndindex(*layout.sizes.values()):
        here = {name: values[place] for name, values in replicas.items()}
        used, reached = _used(model.target, here, part.sampling)
        unfinished |= not reached and used < part.sampling.max_replicas
        _summarize_cell(model, layout, place, here, used, reached, arrays)
    blank_excluded(model, layout, arrays, part.grid.excluded(box))
    return Evaluated(arrays, counts_of(arrays["status"]), (), unfinished)


def _used(target: str, here: Arrays, sampling: Sampling) -> tuple[int, bool]:
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
        mean, error = mean_and_error(here[target][:used][good])
        if error <= sampling.target_rel_error * abs(mean):
            return used, True
        if used == sampling.max_replicas:
            break
        used = min(2 * used, sampling.max_replicas)
    return min(used, stored), False


def _summarize_cell(
    model: Model,
    layout: Layout,
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
    for variable in variables_of(model, layout):
        if variable.estimated:
            mean, error = mean_and_error(here[variable.name][:used][good])
            arrays[variable.name][place] = mean
            arrays[stderr_of(variable).name][place] = error


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
