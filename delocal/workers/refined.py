"""Evaluate a block of searches: each of its cells is one, along the parameter that is refined.

Exact variables of many cells are searched side by side, with one call of the model for a step in
all of them. A point of a Monte Carlo search is the cell that an ordinary sweep has there: the same
replicas from the same random numbers, the same mean and error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.physics.model import Cancelled, CancelToken, Status, never
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
)
from delocal.workers.noisy_search import NoisySearch
from delocal.workers.plan import Part, model_named, model_of
from delocal.workers.points import Failures, estimate, exact_values, refinement_of
from delocal.workers.refinement import Outcome
from delocal.workers.search import Search, search_exact

SEGMENT_SECONDS = 0.05  # of one call of a model, between two looks at whether anybody wants it
STATUS_OF = {
    Outcome.FOUND: Status.DONE,
    Outcome.WITHIN_ERROR: Status.DONE,
    Outcome.NO_CROSSING: Status.OUTSIDE_DOMAIN,
    Outcome.UNDEFINED: Status.NOT_CONVERGED,
    Outcome.UNRESOLVED: Status.NOT_CONVERGED,
    Outcome.MAX_POINTS: Status.NOT_CONVERGED,
}

Cell = tuple[int, ...]
Found = Mapping[str, Any]


def evaluate_refined(
    part: Part,
    block: int,
    cancelled: CancelToken = never,
    walk: Walk | None = None,
    recall: Recall = nothing,
) -> Evaluated:
    """Search in every cell of one block, cell by cell along a `walk`.

    A cell whose search raises is stored as failed, with its traceback. Along a walk, cells that
    `recall` finds are copied. Raises Cancelled where ``cancelled()`` is true.
    """
    searched = _Block(part, block, cancelled)
    excluded = part.grid.excluded(part.blocks.box(block))
    for cells in _groups(part, ~excluded, walk):
        if walk is None or not searched.copy(cells[0], recall):
            searched.fill(cells)
    blank_excluded(model_of(part), searched.layout, searched.arrays, excluded)
    counts = counts_of(searched.arrays["status"])
    return Evaluated(searched.arrays, counts, tuple(searched.failures[:FAILURES_KEPT]))


def _groups(part: Part, wanted: NDArray[np.bool_], walk: Walk | None) -> Iterator[list[Cell]]:
    """Yield cells that are searched side by side; one at a time along a walk, and of estimates."""
    if walk is not None or part.sampling is not None:
        yield from ([cell] for cell in (walk or every)(wanted))
        return
    cells = list(every(wanted))
    size = max(1, round(SEGMENT_SECONDS / model_named(part).seconds_per_cell))
    yield from (cells[i : i + size] for i in range(0, len(cells), size))


class _Block:
    """The cells of one block, and what was found in them so far."""

    def __init__(self, part: Part, block: int, cancelled: CancelToken) -> None:
        model, box = model_of(part), part.blocks.box(block)
        self.layout = Layout.of_grid(part.grid, model, box)
        self.arrays = blank(model, self.layout, Status.FAILED)
        self.failures: Failures = []
        self._part = part
        self._cancelled = cancelled
        shape = tuple(self.layout.sizes.values())
        mesh = part.grid.mesh(box)
        self._full = {name: np.broadcast_to(values, shape) for name, values in mesh.items()}

    def copy(self, cell: Cell, recall: Recall) -> bool:
        """Take over what is known of a cell elsewhere; False if that is nothing."""
        known = recall(self._point(cell))
        for name, value in (known or {}).items():
            self.arrays[name][cell] = value
        return known is not None

    def fill(self, cells: list[Cell]) -> None:
        """Search in some cells; if that raises, in each by itself, to tell which is at fault."""
        try:
            self._search(cells)
        except Cancelled:
            raise
        except Exception as error:
            if len(cells) == 1:
                self.failures.append(failure_of(error, cells[0], self._point(cells[0])))
            else:
                for cell in cells:
                    self.fill([cell])

    def _point(self, cell: Cell) -> dict[str, float]:
        return {name: float(values[cell]) for name, values in self._full.items()}

    def _search(self, cells: list[Cell]) -> None:
        if self._part.sampling is not None:
            self._search_estimate(cells[0])
            return
        model, refinement = model_named(self._part), refinement_of(self._part)
        mesh = {n: np.array([v[cell] for cell in cells]) for n, v in self._full.items()}
        flags = {v.name: v.flags for v in model.variables}[refinement.variable]
        search = Search(refinement, model.parameter(refinement.along).integer, flags)
        function = exact_values(self._part, mesh, self._cancelled)
        found = search_exact(function, search, len(cells))
        for i, cell in enumerate(cells):
            self._store(cell, {name: values[i] for name, values in found.items()})

    def _search_estimate(self, cell: Cell) -> None:
        failures: Failures = []
        refinement = refinement_of(self._part)
        at = estimate(self._part, self._point(cell), self._cancelled, failures)
        integer = model_named(self._part).parameter(refinement.along).integer
        found = NoisySearch(at, refinement, integer).run()
        self.failures += [{**failure, "cell": list(cell)} for failure in failures]
        self._store(cell, found)
        if failures and found["outcome"] == Outcome.UNDEFINED:
            self.arrays["status"][cell] = Status.FAILED

    def _store(self, cell: Cell, found: Found) -> None:
        refinement = refinement_of(self._part)
        for name, value in found.items():
            self.arrays[refinement.name_of(name)][cell] = value
        self.arrays["status"][cell] = STATUS_OF[Outcome(found["outcome"])]
