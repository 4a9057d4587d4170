"""Numbers for Prometheus. The only file that imports prometheus-client.

Labels are few and bounded: states, models, routes as templates, statuses; never an id. What the
ledger knows is read when it is asked for, so that it is right whichever service did the work; the
rest is what this process did since it started.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from delocal.service.dispatcher import Dispatcher
from delocal.service.ledger import Ledger
from delocal.service.states import BlockState, SweepState
from delocal.service.tables import blocks, sweeps
from delocal.workers.local import Executor
from delocal.workers.store import Receipt

MEDIA_TYPE = CONTENT_TYPE_LATEST
BLOCK_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)
REQUEST_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)


class Metrics:
    """The numbers of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "delocal_requests",
            "Requests answered, by route and status.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "delocal_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["method", "route"],
            buckets=REQUEST_SECONDS,
            registry=self._registry,
        )
        self._block_seconds = Histogram(
            "delocal_block_seconds",
            "Core-seconds of the blocks that this service had computed, by model.",
            ["model"],
            buckets=BLOCK_SECONDS,
            registry=self._registry,
        )
        self._written = Counter(
            "delocal_written_bytes",
            "Bytes of the blocks that this service had computed, compressed, by model.",
            ["model"],
            registry=self._registry,
        )

    def watch(
        self, ledger: Ledger, dispatcher: Dispatcher, executor: Executor, folder: Path
    ) -> None:
        """Tell of these parts as well, each time somebody asks."""
        self._registry.register(_Parts(ledger, dispatcher, executor, folder))

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a template, such as ``/v1/sweeps/{sweep_id}``."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def count_blocks(self, receipts: Iterable[Receipt]) -> None:
        """Count blocks that are done."""
        for receipt in receipts:
            self._block_seconds.labels(receipt.model).observe(receipt.seconds)
            self._written.labels(receipt.model).inc(receipt.written)

    def text(self) -> bytes:
        """Return every number, as Prometheus reads it."""
        return generate_latest(self._registry)


class _Parts(Collector):
    """What the parts of a service say when they are asked."""

    def __init__(
        self, ledger: Ledger, dispatcher: Dispatcher, executor: Executor, folder: Path
    ) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._executor = executor
        self._folder = folder

    def describe(self) -> Iterator[Metric]:
        """Name nothing in advance: the ledger may be down when this is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield what can be told now."""
        yield from self._of_ledger()
        yield from self._of_executor()
        yield _gauge(
            "delocal_data_free_bytes",
            "Bytes left on the disk of the data folder.",
            shutil.disk_usage(self._folder).free,
        )
        yield _gauge(
            "delocal_tasks_in_flight",
            "Tasks that this service has with its executor.",
            self._dispatcher.in_flight,
        )
        expired = CounterMetricFamily(
            "delocal_lease_expiries",
            "Blocks that this service took over because their lease had run out.",
        )
        expired.add_metric([], self._ledger.lease_expiries)
        yield expired

    def _of_executor(self) -> Iterator[Metric]:
        try:
            slots = self._executor.slots
        except OSError:
            slots = 0
        yield _gauge("delocal_slots", "Tasks that can run at a time; 0 without a cluster.", slots)

    def _of_ledger(self) -> Iterator[Metric]:
        try:
            by_sweep, by_block = self._states()
        except sa.exc.SQLAlchemyError:
            yield _gauge("delocal_ledger_up", "Whether the ledger answers.", 0)
            return
        yield _gauge("delocal_ledger_up", "Whether the ledger answers.", 1)
        family = GaugeMetricFamily("delocal_sweeps", "Sweeps by state.", labels=["state"])
        for sweep_state in SweepState:
            family.add_metric([sweep_state], by_sweep.get(sweep_state, 0))
        yield family
        family = GaugeMetricFamily(
            "delocal_blocks", "Blocks of sweeps that have not ended, by state.", labels=["state"]
        )
        for block_state in BlockState:
            family.add_metric([block_state], by_block.get(block_state, 0))
        yield family
        depth = by_block.get(BlockState.QUEUED, 0)
        yield _gauge("delocal_queue_depth", "Blocks that could be computed now.", depth)

    def _states(self) -> tuple[dict[str, int], dict[str, int]]:
        number = sa.func.count()
        unended = sa.select(sweeps.c.id).where(
            sweeps.c.state.in_([SweepState.QUEUED, SweepState.RUNNING])
        )
        of_sweeps = sa.select(sweeps.c.state, number).group_by(sweeps.c.state)
        of_blocks = (
            sa.select(blocks.c.state, number)
            .where(blocks.c.sweep_id.in_(unended))
            .group_by(blocks.c.state)
        )
        with self._ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            return (
                {row[0]: row[1] for row in db.execute(of_sweeps)},
                {row[0]: row[1] for row in db.execute(of_blocks)},
            )


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
