"""Evaluate a block that keeps killing its worker: cell by cell, with a journal that survives.

Before each cell its place is written down. If the worker dies, the next one finds it there, stores
that cell as failed, and goes on behind it: the neighbours of a poisoned cell are not lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delocal.workers.evaluated import every, failure_of
from delocal.workers.storage import Storage

Cell = tuple[int, ...]


class WorkerDied(RuntimeError):
    """The worker process ended during a task: out of memory, or a crash."""


class Journal:
    """Which cells of a block killed a worker, and which one is being evaluated.

    Used as a context: it is removed in the end, or says that nobody is at work any more.
    """

    def __init__(self, storage: Storage, name: str, poisoned: set[Cell]) -> None:
        self._storage = storage
        self._name = name
        self._poisoned = poisoned

    @classmethod
    def of(cls, storage: Storage, name: str) -> Journal:
        """Read the journal of a block; the cell that it was left at is poisoned."""
        found = storage.read(name)
        if found is None:
            return cls(storage, name, set())
        content = json.loads(found)
        poisoned = {tuple(cell) for cell in content["poisoned"]}
        return cls(storage, name, poisoned | ({tuple(content["at"])} if content["at"] else set()))

    def cells(self, wanted: NDArray[np.bool_]) -> Iterator[Cell]:
        """Yield the cells of a mask that did not kill anybody, each noted before it is tried."""
        for cell in every(wanted):
            if cell not in self._poisoned:
                self._write(cell)
                yield cell

    def failures(self, point: Callable[[Cell], Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return what is to be kept of the cells that killed a worker."""
        error = WorkerDied("the worker process died of this cell: a crash, or out of memory")
        return [failure_of(error, cell, point(cell)) for cell in sorted(self._poisoned)]

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._storage.remove(self._name)
        else:  # somebody said stop, or storing failed: no cell is to blame
            self._write(None)

    def _write(self, at: Cell | None) -> None:
        self._storage.prepare(self._name)
        content = {"poisoned": sorted(self._poisoned), "at": at}
        self._storage.write(self._name, json.dumps(content).encode())
