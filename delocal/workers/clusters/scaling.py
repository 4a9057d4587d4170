"""How many workers the work asks for, and how a cluster gets that size.

Dask's own rule looks at how much waits at the scheduler; here that is never more than a window
of tasks, so that it would not grow. The window is a few tasks for each worker: one worker for
each task of the window, and the window grows with the workers, until there are enough of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from distributed import Client

REPEAT_SECONDS = 30.0  # a worker that was lost is asked for again after this long


class Scaling:
    """The number of workers that are wanted, between `minimum` and `maximum`.

    It grows at once and shrinks after `patience` seconds in which fewer would have done, for
    workers may have waited long in a queue.
    """

    def __init__(
        self,
        minimum: int,
        maximum: int,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.minimum, self.maximum, self._patience, self._clock = minimum, maximum, patience, clock
        self.wanted = minimum
        self.given = minimum  # what the cluster was last told
        self._needed = clock()  # when as many as are wanted were last needed
        self._most = 0  # that was needed since then
        self._told = clock()

    def begin(self, tasks: int) -> int:
        """Return how many to start a cluster with, for so many `tasks` in flight."""
        self.wanted = self.given = self._bounded(tasks)
        self._told = self._needed = self._clock()
        return self.wanted

    def adjust(self, tasks: int) -> int:
        """Return how many are wanted while so many `tasks` are in flight."""
        now, needed = self._clock(), self._bounded(tasks)
        self._most = max(self._most, needed)
        if needed >= self.wanted or now - self._needed > self._patience:
            self.wanted, self._needed, self._most = max(needed, self._most), now, 0
        return self.wanted

    @property
    def due(self) -> bool:
        """Whether the cluster has another size, or may have lost workers since it was told."""
        return self.wanted != self.given or self._clock() - self._told > REPEAT_SECONDS

    def told(self, given: int) -> None:
        """Note which size a cluster was told to have."""
        self.given, self._told = given, self._clock()

    def _bounded(self, tasks: int) -> int:
        return min(max(tasks, self.minimum), self.maximum)


def resize(client: Client, cluster: Any, wanted: int, given: int) -> int:
    """Give a cluster of `given` workers the `wanted` size; return the one that it has been told.

    No worker that has a task is stopped. Where we cannot choose which workers go, none goes
    before all are idle.
    """
    at_work = {worker for worker, tasks in client.processing().items() if tasks}
    if not hasattr(cluster, "worker_spec"):
        if wanted < given and at_work:
            return given
        cluster.scale(wanted)
        return wanted
    if hasattr(cluster, "lost") and (lost := cluster.lost()):
        cluster.sync(cluster.scale_down, lost)
    members = {
        job: [f"{job}{suffix}" for suffix in spec["group"]] if "group" in spec else [job]
        for job, spec in cluster.worker_spec.items()
    }
    size = sum(map(len, members.values()))
    if size <= wanted:
        cluster.scale(wanted)
        return wanted
    return size - _retire(client, cluster, list(members.values()), at_work, size - wanted)


def _retire(
    client: Client, cluster: Any, jobs: list[list[Any]], at_work: set[str], spare: int
) -> int:
    """Stop up to `spare` idle workers, whole jobs only, and return how many they were."""
    names = {w: info["name"] for w, info in cluster.scheduler_info["workers"].items()}
    busy = {name for worker, name in names.items() if worker in at_work}
    going: list[Any] = []
    for job in jobs:
        if not busy.intersection(job) and len(going) + len(job) <= spare:
            going += job
    if going:
        there = [worker for worker, name in names.items() if name in going]
        client.retire_workers(there, close_workers=True, remove=True)
        cluster.sync(cluster.scale_down, going)
    return len(going)
