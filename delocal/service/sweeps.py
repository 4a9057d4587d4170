"""What callers may do with sweeps: submit, look, wait."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import structlog

from delocal.physics.models import load_models
from delocal.service.costs import Expected, expect
from delocal.service.dispatcher import Dispatcher
from delocal.service.errors import Conflict, NotFound, NotReady, SelectionError, did_you_mean
from delocal.service.keys import TRUSTED, Caller
from delocal.service.ledger import Event, Lease, Ledger, SweepRecord
from delocal.service.provenance import provenance
from delocal.service.quotas import Quotas
from delocal.service.request import SweepRequest
from delocal.service.search import Search
from delocal.service.states import SweepState
from delocal.service.trash import Trash
from delocal.workers.block import Task
from delocal.workers.dataset import Layout
from delocal.workers.local import outcome_of
from delocal.workers.plan import Part, Plan, model_of
from delocal.workers.recall import Memory, is_dear
from delocal.workers.store import SweepStore

log = structlog.get_logger()

INLINE_SECONDS = 0.05  # a lighter sweep is computed at once: a task would cost more than it
INLINE_BLOCKS = 4
INLINE_LEASE = 60.0
SOURCES_LOOKED_AT = 200  # of the newest sweeps, for cells that need not be computed again
SOURCES = 8  # kept in a plan: each is opened by the workers


@dataclass(frozen=True)
class Estimate:
    """What a sweep would cost, before it is run."""

    id: str
    cells: int
    blocks: int
    bytes: int
    core_seconds: float
    replicas: int
    known: int
    exists: bool


class StoredSweep(NamedTuple):
    """Where a sweep stood before its data are read, and where they are."""

    record: SweepRecord
    store: SweepStore


class Sweeps:
    """The sweeps of one service."""

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        max_cells: int,
        quotas: Quotas,
        trash_days: float | None = None,
    ) -> None:
        self.ledger = ledger
        self.trash = Trash(ledger, dispatcher.store, dispatcher.forget, trash_days)
        self._dispatcher = dispatcher
        self._max_cells = max_cells
        self._quotas = quotas

    def estimate(self, request: SweepRequest) -> Estimate:
        """Return what `request` would cost; `bytes` are before compression."""
        plan = request.plan(max_cells=self._max_cells)
        costs = list(self._costs(plan))
        return Estimate(
            plan.sweep_id,
            plan.cells,
            sum(len(part.blocks) for part in plan.parts),
            sum(_bytes(part) for part in plan.parts),
            sum(cost.seconds for cost in costs),
            sum(cost.replicas for cost in costs),
            self._known(plan),
            self.ledger.sweep(plan.sweep_id) is not None,
        )

    def submit(
        self, request: SweepRequest, by: Caller = TRUSTED, sources: Sequence[str] = ()
    ) -> SweepRecord:
        """Enter a sweep and return at once; an identical one that exists is returned as it is.

        One in the trash is taken out of it. A light sweep is computed before this returns. Cells
        that are dear and that one of the last sweeps has, or one of the `sources`, are copied.
        QuotaUsedUp if the key of the caller has had what it may have; a sweep that exists costs
        nothing.
        """
        plan = request.plan(provenance(), max_cells=self._max_cells)
        plan = replace(plan, sources=self._sources(plan, sources))
        seconds = self.seconds(plan)
        with self._quotas.admit(by.id, plan.sweep_id, plan.cells, seconds):
            store = self._dispatcher.store(plan.sweep_id)
            store.create(plan)
            plan = store.plan  # one stored before may be cut into other blocks
            here = self._is_light(plan)
            new = self.ledger.add(
                plan,
                name=request.name,
                tags=request.tags,
                priority=request.priority,
                request=request.model_dump(mode="json", exclude_defaults=True),
                owner=self._dispatcher.owner if here else None,
                lease_seconds=INLINE_LEASE,
                submitted_by=by.id,
                expected_seconds=seconds,
            )
        if new:
            log.info("sweep submitted", sweep=plan.sweep_id, cells=plan.cells, key=by.id)
        if new and here:
            self._run_here(plan, store)
        elif new:
            self._dispatcher.wake()
        record = self.get(plan.sweep_id)
        return self.restore(record.id) if record.state == SweepState.DELETED else record

    def get(self, sweep_id: str) -> SweepRecord:
        """Return a sweep; NotFound if there is none."""
        record = self.ledger.sweep(sweep_id)
        if record is None:
            raise _not_found(sweep_id)
        return record

    def find(
        self, search: Search, limit: int = 100, before: int | None = None
    ) -> list[SweepRecord]:
        """Return the sweeps of a search, the newest first, from before the number `before`.

        SelectionError if it asks for a model that is not known, and that no sweep has.
        """
        known = load_models()
        for name in search.models:
            if name not in known and name not in (had := self.ledger.models()):
                advice = did_you_mean(name, {**known, **dict.fromkeys(had)})
                raise SelectionError(f"no model {name!r}; {advice}")
        return self.ledger.find(search, limit, before)

    def wait(self, sweep_id: str, timeout: float = 3600.0) -> SweepRecord:
        """Return a sweep once it has ended; NotReady after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (record := self.get(sweep_id)).state.ended:
            if time.monotonic() > end:
                raise NotReady(f"sweep {sweep_id} is still {record.state} after {timeout:g} s")
            time.sleep(0.05)
        return record

    def cancel(self, sweep_id: str) -> SweepRecord:
        """End a sweep: nothing new is begun, and what runs is asked to stop.

        What is stored stays, and can be read. Conflict if the sweep has ended.
        """
        if not self.ledger.cancel(self.get(sweep_id).id):
            state = self.get(sweep_id).state
            raise Conflict(f"sweep {sweep_id} is {state}; only a queued or running one can end")
        self._dispatcher.wake()
        return self.get(sweep_id)

    def extend(
        self, sweep_id: str, changes: Mapping[str, Any], by: Caller = TRUSTED
    ) -> SweepRecord:
        """Enter the sweep that this one becomes with more values on its axes, or more replicas.

        It has an id of its own, that of the same request made at once; what this one has is
        copied, byte for byte. RequestError says what cannot be added; Conflict if it is deleted.
        """
        record = self.get(sweep_id)
        if record.state == SweepState.DELETED:
            raise Conflict(f"sweep {sweep_id} is in the trash; restore it to extend it")
        request = SweepRequest.parse(record.request).extended(changes)
        extended = self.submit(request, by, [record.id])
        self.ledger.note(record.id, "extended", {"to": extended.id})
        return extended

    def retry(self, sweep_id: str, by: Caller = TRUSTED) -> SweepRecord:
        """Compute again what failed or was cancelled in a sweep that has ended, and only that.

        Conflict if it has not ended, or nothing is left to do; QuotaUsedUp if the caller has as
        many sweeps at work as it may have, or what is left takes more core-seconds than it has.
        """
        record = self.get(sweep_id)
        if not record.state.ended:
            raise Conflict(f"sweep {sweep_id} is {record.state}; wait for it, or cancel it first")
        left = max(0.0, (record.expected_seconds or 0.0) - record.seconds)
        self._quotas.check(by.id, cells=0, seconds=left)
        store = self.store(sweep_id)
        for name, block in self.ledger.stored_but_wrong(store.plan):
            store.forget(name, block)
        if not self.ledger.retry(store.plan):
            raise Conflict(f"nothing failed in sweep {sweep_id}, and nothing was cancelled")
        self._dispatcher.wake()
        return self.get(sweep_id)

    def delete(self, sweep_id: str) -> SweepRecord:
        """Put a sweep that has ended into the trash. Conflict if it has not."""
        self.trash.delete(self.get(sweep_id))
        return self.get(sweep_id)

    def restore(self, sweep_id: str) -> SweepRecord:
        """Take a sweep out of the trash. Conflict if it is not in there."""
        self.trash.restore(self.get(sweep_id))
        return self.get(sweep_id)

    def purge(self, sweep_id: str) -> None:
        """Remove a sweep in the trash for good. Conflict if it is not in there."""
        self.trash.purge(self.get(sweep_id))

    def stored(self, sweep_id: str) -> StoredSweep:
        """Return a sweep with its store; NotFound if there is none, Conflict if it is deleted."""
        record = self.ledger.sweep(sweep_id)
        if record is None:  # an id that is none names no place either
            raise _not_found(sweep_id)
        store = self._dispatcher.existing(sweep_id)
        if store is None:
            raise _not_found(sweep_id)
        if record.state == SweepState.DELETED:
            raise Conflict(f"sweep {sweep_id} is in the trash; restore it to see its data")
        return StoredSweep(record, store)

    def store(self, sweep_id: str) -> SweepStore:
        """Return the store of a sweep; NotFound if there is none, Conflict if it is deleted."""
        return self.stored(sweep_id).store

    def events(self, sweep_id: str, after: int) -> list[Event]:
        """Return what happened to a sweep after the event with id `after`."""
        return self.ledger.events(sweep_id, after)

    def seconds(self, plan: Plan, measured_for: float = 0.0) -> float:
        """Return what a plan costs in core-seconds, measured where cells were computed so long."""
        return sum(cost.seconds for cost in self._costs(plan, measured_for))

    def _costs(self, plan: Plan, measured_for: float = 0.0) -> Iterator[Expected]:
        """Yield the cost of each part: by its cells where earlier sweeps tell, else by the mean."""
        for part in plan.parts:
            if part.role == "summary":
                continue
            told = None
            if part.role == "replicas":
                told = expect(self._stores_of(part.model), plan.part(part.model))
            yield told or self._by_the_mean(part, measured_for)

    def _by_the_mean(self, part: Part, measured_for: float) -> Expected:
        """Return the cost of a part by that of a mean cell, or of its first replicas."""
        mean = self.ledger.seconds_per_cell(part.model, part.version, measured_for)
        share = part.first_batches / part.batches
        evaluations = part.grid.size * part.evaluations * share
        replicas = round(part.grid.size * share) if part.role == "replicas" else 0
        return Expected(replicas, evaluations * (mean or model_of(part).seconds_per_cell))

    def _stores_of(self, model: str) -> Iterator[SweepStore]:
        """Yield the newest sweeps of a model."""
        records = self.ledger.find(Search(models=(model,)), SOURCES_LOOKED_AT)
        return (self._dispatcher.store(record.id) for record in records)

    def _sources(self, plan: Plan, named: Sequence[str]) -> tuple[str, ...]:
        """Return the sweeps that share dear cells with a plan: those named, and recent ones."""
        dear = [part for part in plan.parts if is_dear(part)]
        if not dear:
            return ()
        recent = (record.id for record in self.ledger.newest(SOURCES_LOOKED_AT))
        found = [
            sweep_id
            for sweep_id in dict.fromkeys((*named, *recent))
            if sweep_id != plan.sweep_id and self._shares(sweep_id, dear)
        ]
        return tuple(found[:SOURCES])

    def _shares(self, sweep_id: str, dear: Sequence[Part]) -> bool:
        store = self._dispatcher.existing(sweep_id)
        return store is not None and any(Memory.of([store], part).overlap(part) for part in dear)

    def _known(self, plan: Plan) -> int:
        """Return how many cells, or replicas, other sweeps may have."""
        sources = [self._dispatcher.store(i) for i in self._sources(plan, ())]
        return sum(Memory.of(sources, part).overlap(part) for part in plan.parts)

    def _is_light(self, plan: Plan) -> bool:
        if any(part.role not in ("cells", "refined") for part in plan.parts):
            return False
        number = sum(len(part.blocks) for part in plan.parts)
        return number <= INLINE_BLOCKS and self.seconds(plan) < INLINE_SECONDS

    def _run_here(self, plan: Plan, store: SweepStore) -> None:
        for part in plan.parts:
            lease = Lease(plan.sweep_id, part.name, tuple(part.blocks), self._dispatcher.owner)
            task = Task(store.location, plan.digest, part.name, lease.blocks)
            self._dispatcher.settle(lease, outcome_of(task))


def describe_models() -> list[dict[str, Any]]:
    """Return every model with the schema of its parameters, variables and options."""
    return [
        {
            "name": model.name,
            "title": model.title,
            "version": model.version,
            "kind": model.kind,
            "reference": model.reference,
            "parameters": [
                {
                    "name": p.name,
                    "long_name": p.long_name,
                    "units": p.units,
                    "allowed": p.allowed,
                    "minimum": _finite(p.minimum),
                    "maximum": _finite(p.maximum),
                    "open_bounds": p.open_bounds,
                    "integer": p.integer,
                    "default": p.default,
                    "required": p.default is None and not p.optional,
                }
                for p in model.parameters
            ],
            "variables": [
                {"name": v.name, "needs": v.needs, "dtype": v.dtype, **v.attributes}
                for v in model.variables
            ],
            "options": [
                {
                    "name": o.name,
                    "choices": list(o.choices),
                    "or": o.form or None,
                    "description": o.description,
                }
                for o in model.options
            ],
        }
        for model in load_models().values()
    ]


def one_model(name: str) -> dict[str, Any]:
    """Return the description of one model; NotFound if there is none."""
    found = {model["name"]: model for model in describe_models()}
    if name not in found:
        raise NotFound(f"no model {name!r}; {did_you_mean(name, found)}")
    return found[name]


def _not_found(sweep_id: str) -> NotFound:
    return NotFound(f"no sweep {sweep_id!r}; `delocal ls` or GET /v1/sweeps lists those there are")


def _finite(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _bytes(part: Part) -> int:
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    return sum(
        int(np.prod(layout.shape(v), dtype=np.int64)) * np.dtype(v.dtype).itemsize
        for v in model.variables_for(part.grid.parameters)
    )
