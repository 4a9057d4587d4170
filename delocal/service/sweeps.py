"""What callers may do with sweeps: submit, look, wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from delocal.physics.models import load_models
from delocal.service.dispatcher import Dispatcher
from delocal.service.errors import Conflict, NotFound, NotReady, did_you_mean
from delocal.service.ledger import Event, Lease, Ledger, SweepRecord
from delocal.service.provenance import provenance
from delocal.service.request import SweepRequest
from delocal.service.states import SweepState
from delocal.service.trash import Trash
from delocal.workers.block import Task
from delocal.workers.dataset import Layout
from delocal.workers.local import outcome_of
from delocal.workers.plan import Part, Plan, model_of
from delocal.workers.store import SweepStore

INLINE_SECONDS = 0.05  # a lighter sweep is computed at once: a task would cost more than it
INLINE_BLOCKS = 4
INLINE_LEASE = 60.0


@dataclass(frozen=True)
class Estimate:
    """What a sweep would cost, before it is run."""

    id: str
    cells: int
    blocks: int
    bytes: int
    core_seconds: float
    exists: bool


class Sweeps:
    """The sweeps of one service."""

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        max_cells: int,
        trash_days: float | None = None,
    ) -> None:
        self.ledger = ledger
        self.trash = Trash(ledger, dispatcher.store, dispatcher.forget, trash_days)
        self._dispatcher = dispatcher
        self._max_cells = max_cells

    def estimate(self, request: SweepRequest) -> Estimate:
        """Return what `request` would cost; `bytes` are before compression."""
        plan = request.plan(max_cells=self._max_cells)
        return Estimate(
            plan.sweep_id,
            plan.cells,
            sum(len(part.blocks) for part in plan.parts),
            sum(_bytes(part) for part in plan.parts),
            self._seconds(plan),
            self.ledger.sweep(plan.sweep_id) is not None,
        )

    def submit(self, request: SweepRequest) -> SweepRecord:
        """Enter a sweep and return at once; an identical one that exists is returned as it is.

        One in the trash is taken out of it. A light sweep is computed before this returns.
        """
        plan = request.plan(provenance(), max_cells=self._max_cells)
        store = self._dispatcher.store(plan.sweep_id)
        store.create(plan)
        plan = store.plan  # one stored before may be cut into other blocks
        here = self._is_light(plan)
        new = self.ledger.add(
            plan,
            name=request.name,
            tags=request.tags,
            request=request.model_dump(mode="json", exclude_defaults=True),
            owner=self._dispatcher.owner if here else None,
            until=time.time() + INLINE_LEASE if here else None,
        )
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

    def retry(self, sweep_id: str) -> SweepRecord:
        """Compute again what failed or was cancelled in a sweep that has ended, and only that.

        Conflict if it has not ended, or nothing is left to do.
        """
        record = self.get(sweep_id)
        if not record.state.ended:
            raise Conflict(f"sweep {sweep_id} is {record.state}; wait for it, or cancel it first")
        store = self.store(sweep_id)
        for name, block in self.ledger.retry(store.plan):
            store.forget(name, block)
        if self.get(sweep_id).state.ended:
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

    def store(self, sweep_id: str) -> SweepStore:
        """Return the store of a sweep; NotFound if there is none, Conflict if it is deleted."""
        record = self.ledger.sweep(sweep_id)
        if record is None or not self._dispatcher.store(sweep_id).exists():
            raise _not_found(sweep_id)
        if record.state == SweepState.DELETED:
            raise Conflict(f"sweep {sweep_id} is in the trash; restore it to see its data")
        return self._dispatcher.store(sweep_id)

    def events(self, sweep_id: str, after: int) -> list[Event]:
        """Return what happened to a sweep after the event with id `after`."""
        return self.ledger.events(sweep_id, after)

    def _seconds(self, plan: Plan) -> float:
        return sum(
            part.grid.size
            * (part.first_batches / part.batches)
            * (
                self.ledger.seconds_per_cell(part.model, part.version)
                or model_of(part).seconds_per_cell
            )
            for part in plan.parts
            if part.role != "summary"
        )

    def _is_light(self, plan: Plan) -> bool:
        if any(part.role != "cells" for part in plan.parts):
            return False
        number = sum(len(part.blocks) for part in plan.parts)
        return number <= INLINE_BLOCKS and self._seconds(plan) < INLINE_SECONDS

    def _run_here(self, plan: Plan, store: SweepStore) -> None:
        for part in plan.parts:
            lease = Lease(plan.sweep_id, part.name, tuple(part.blocks))
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
                {"name": o.name, "choices": list(o.choices), "description": o.description}
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
    return NotFound(f"no sweep {sweep_id!r}; GET /v1/sweeps lists those there are")


def _finite(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _bytes(part: Part) -> int:
    model = model_of(part)
    layout = Layout.of_grid(part.grid, model)
    return sum(
        int(np.prod(layout.shape(v), dtype=np.int64)) * np.dtype(v.dtype).itemsize
        for v in model.variables_for(part.grid.parameters)
    )
