"""A model at single points off the grid: exact values of many cells, or the estimate of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import STATUS, Cancelled, CancelToken, Status
from delocal.workers.dataset import Layout
from delocal.workers.evaluated import blank
from delocal.workers.grid import Grid
from delocal.workers.noisy_search import Estimate
from delocal.workers.plan import Part, model_named, model_of, plan_parts
from delocal.workers.refinement import Refinement
from delocal.workers.replicas import evaluate_replicas, summarize
from delocal.workers.search import Floats, Function, Indices

Failures = list[Mapping[str, Any]]


def exact_values(part: Part, mesh: Mapping[str, Floats], cancelled: CancelToken) -> Function:
    """Return what gives the variable that is refined at one point of each of some cells.

    Parameters
    ----------
    part
        A refined part.
    mesh
        The other parameters of the cells, each of shape (cells,).
    cancelled
        Asked before each call of the model; Cancelled is raised where it is true.
    """
    model, refinement = model_named(part), refinement_of(part)

    def values(x: Floats, which: Indices) -> Floats:
        if cancelled():
            raise Cancelled
        here = {name: numbers[which] for name, numbers in mesh.items()}
        here.update(dict.fromkeys(refinement.parameters, x))
        results = model.evaluate(here, part.options)
        y = np.asarray(results[refinement.variable], dtype=np.float64)
        if refinement.variable != STATUS.name:
            y = np.where(results.get("status", Status.DONE) == Status.DONE, y, np.nan)
        return np.where(np.isnan(y), np.nan, y) + np.zeros(x.shape)

    return values


def estimate(
    part: Part, point: Mapping[str, float], cancelled: CancelToken, failures: Failures
) -> Estimate:
    """Return what estimates the variable that is refined, in the cell at `point`.

    Failures of single replicas are added to `failures`.
    """
    refinement = refinement_of(part)

    def at(x: float) -> tuple[float, float]:
        here = {**point, **dict.fromkeys(refinement.parameters, x)}
        found = _sample(part, here, cancelled, failures)
        if found["status"].item() not in (Status.DONE, Status.NOT_CONVERGED):
            return np.nan, np.nan
        name = refinement.variable
        return found[name].item(), found[f"{name}_stderr"].item()

    return at


def refinement_of(part: Part) -> Refinement:
    """Return what a refined part looks for."""
    assert part.refinement is not None
    return part.refinement


def _sample(
    part: Part, point: Mapping[str, float], cancelled: CancelToken, failures: Failures
) -> Mapping[str, NDArray[Any]]:
    """Return the summary of one Monte Carlo cell, as an ordinary sweep has it there."""
    assert part.sampling is not None
    model = model_named(part)
    replicas, summary = plan_parts(model, Grid((), point), part.options, part.sampling, 1)
    single = model_of(replicas)
    stored = blank(single, Layout.of_grid(replicas.grid, single), Status.NOT_COMPUTED)
    for batches in replicas.rounds():
        for batch in batches:
            evaluated = evaluate_replicas(replicas, batch, cancelled)
            if cancelled():  # a replica that was told to stop may have given a number
                raise Cancelled
            failures.extend(evaluated.failures)
            for name, values in evaluated.arrays.items():
                stored[name][replicas.blocks.box(batch)] = values
        found = summarize(summary, 0, stored)
        if not found.unfinished:
            break
    return found.arrays
