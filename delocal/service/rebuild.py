"""The ledger's rows from plans and receipts: what a store knows about the work on it."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.service.ledger import Ledger, totals
from delocal.service.moves import FREE, move_blocks, move_sweep, settled_values, these
from delocal.service.search import enter_labels, models_of, words_of
from delocal.service.states import BLOCK_REPAIRS, REPAIRS, SETTLED, BlockState, SweepState
from delocal.service.tables import blocks, events, failures, sweeps
from delocal.workers.plan import Part, Plan
from delocal.workers.store import Receipt

Place = tuple[str, int]
Receipts = Mapping[Place, Receipt]
AT_ONCE = 1000  # rows of one statement
UNSETTLED = {**FREE, "checksum": None, "seconds": None, "counts": None}


def enter_anew(
    ledger: Ledger,
    plan: Plan,
    receipts: Receipts,
    *,
    created: float,
    mark: Mapping[str, Any] | None,
) -> SweepState:
    """Enter a sweep that the ledger has lost, and return its state.

    One that is unfinished is queued, and goes on when a service looks; whether it had been
    cancelled, its store does not know. The `mark` of a deleted sweep says so.
    """
    states = dict(states_of(plan, receipts))
    state = before = _state(states)
    if mark is not None:
        state, before = SweepState.DELETED, SweepState(mark["state"])
    request = json.loads(plan.provenance.get("request", "{}"))
    name, tags = request.get("name", ""), request.get("tags", [])
    with ledger.writing() as db:
        db.execute(
            sweeps.insert().values(
                id=plan.sweep_id,
                name=name,
                tags=tags,
                words=words_of(name, tags, models_of(plan)),
                request=request,
                state=state,
                cells=plan.cells,
                blocks=len(states),
                created=created,
                finished=time.time() if before.ended else None,
                deleted=None if mark is None else mark["time"],
                state_before=None if mark is None else before,
                counts={},
                blocks_done=0,
                seconds=sum(receipt.seconds for receipt in receipts.values()),
            )
        )
        enter_labels(db, plan, tags)
        rows = [_row(plan, place, state, receipts.get(place)) for place, state in states.items()]
        for start in range(0, len(rows), AT_ONCE):
            db.execute(blocks.insert(), rows[start : start + AT_ONCE])
        _enter_failures(db, plan, receipts)
        _recount(db, plan)
        _tell(db, plan.sweep_id, "rebuilt", {"state": state})
    return state


def enter_receipts(ledger: Ledger, plan: Plan, receipts: Receipts) -> None:
    """Turn blocks of a sweep that has ended done, as their receipts say."""
    with ledger.writing(plan.sweep_id) as db:
        for (name, block), receipt in receipts.items():
            here, values = these(plan.sweep_id, name, [block]), settled_values(receipt)
            move_blocks(db, _settled(receipt), *here, moves=BLOCK_REPAIRS, attempt=0, **values)
            db.execute(failures.delete().where(*_this(plan, name, block, failures)))
        _enter_failures(db, plan, receipts)
        _recount(db, plan)
        _conclude(db, plan)
        _tell(db, plan.sweep_id, "rebuilt", {"blocks": len(receipts)})


def wrong_totals(ledger: Ledger, plan: Plan, *, repair: bool) -> dict[str, tuple[Any, Any]]:
    """Return which totals of a sweep are not the sums of its rows: what it says, and the sum.

    With `repair` they are set. The sweep is locked meanwhile, so that nobody counts a block.
    """
    said = sa.select(sweeps.c.counts, sweeps.c.blocks_done, sweeps.c.blocks, sweeps.c.cells)
    with ledger.writing() as db:
        here = sweeps.c.id == plan.sweep_id
        row = db.execute(said.where(here).with_for_update()).mappings().one()
        number = sum(len(part.blocks) for part in plan.parts)
        sums = {**totals(db, plan), "blocks": number, "cells": plan.cells}
        wrong = {name: (row[name], value) for name, value in sums.items() if row[name] != value}
        if wrong and repair:
            db.execute(sweeps.update().where(here).values(**sums))
            _conclude(db, plan)
            _tell(db, plan.sweep_id, "rebuilt", {"totals": sorted(wrong)})
    return wrong


def enter_lost(ledger: Ledger, plan: Plan, receipts: Receipts, lost: Collection[Place]) -> None:
    """Enter blocks of a plan that the ledger has lost.

    What is not stored is computed by the next service; of a sweep that was cancelled, or is in
    the trash, it is cancelled.
    """
    here = sweeps.c.id == plan.sweep_id
    idle = (SweepState.CANCELLED, SweepState.DELETED)
    with ledger.writing() as db:
        wanted = db.scalar(sa.select(sweeps.c.state).where(here).with_for_update()) not in idle
        rows = [
            _row(
                plan,
                place,
                state if wanted or state in SETTLED else BlockState.CANCELLED,
                receipts.get(place),
            )
            for place, state in states_of(plan, receipts)
            if place in lost
        ]
        for start in range(0, len(rows), AT_ONCE):
            db.execute(blocks.insert(), rows[start : start + AT_ONCE])
        _enter_failures(db, plan, {place: r for place, r in receipts.items() if place in lost})
        if wanted and any(row["state"] not in SETTLED for row in rows):
            ended = (SweepState.DONE, SweepState.FAILED)
            move_sweep(db, plan.sweep_id, SweepState.QUEUED, only=ended, finished=None)
        _tell(db, plan.sweep_id, "rebuilt", {"blocks": len(rows)})


def remove_stray(ledger: Ledger, plan: Plan, stray: Iterable[Place]) -> None:
    """Remove blocks, and what failed in them, that the plan of a sweep does not have."""
    with ledger.writing(plan.sweep_id) as db:
        for name, block in stray:
            for table in (failures, blocks):
                db.execute(table.delete().where(*_this(plan, name, block, table)))


def states_of(plan: Plan, receipts: Receipts) -> Iterator[tuple[tuple[str, int], BlockState]]:
    """Yield every block of a sweep with the state that follows from the receipts there are."""
    for part in plan.parts:
        if part.role in ("cells", "refined"):
            for block in part.blocks:
                receipt = receipts.get((part.name, block))
                yield (part.name, block), _settled(receipt) if receipt else BlockState.QUEUED
        if part.role == "replicas":
            for cells in range(len(part.blocks) // part.batches):
                yield from _replicated(part, cells, receipts)


def _replicated(
    part: Part, cells: int, receipts: Receipts
) -> Iterator[tuple[tuple[str, int], BlockState]]:
    """Yield the replicas of some cells, and their summary: the stages of a Monte Carlo sweep."""
    summary = receipts.get((part.model, cells))
    batches = {batch: (part.name, cells * part.batches + batch) for batch in range(part.batches)}
    stored = {batch for batch, place in batches.items() if place in receipts}
    final = summary is not None and (not summary.unfinished or len(stored) == part.batches)
    queued = False
    for batch, place in batches.items():
        if batch in stored:
            yield place, _settled(receipts[place])
        elif final:
            yield place, BlockState.SKIPPED
        else:
            first = batch < part.first_batches
            queued |= first
            yield place, BlockState.QUEUED if first else BlockState.WAITING
    if summary is not None and final:
        yield (part.model, cells), _settled(summary)
    else:
        yield (part.model, cells), BlockState.WAITING if queued else BlockState.QUEUED


def given_up(receipt: Receipt) -> bool:
    """Whether a receipt is that of a block that nobody could evaluate."""
    return any(failure["cell"] is None for failure in receipt.failures)


def _settled(receipt: Receipt) -> BlockState:
    return BlockState.FAILED if given_up(receipt) else BlockState.DONE


def _state(states: Mapping[tuple[str, int], BlockState]) -> SweepState:
    found = set(states.values())
    if not found <= set(SETTLED):
        return SweepState.QUEUED
    return SweepState.FAILED if BlockState.FAILED in found else SweepState.DONE


def _row(
    plan: Plan, place: tuple[str, int], state: BlockState, receipt: Receipt | None
) -> dict[str, Any]:
    return {
        "sweep_id": plan.sweep_id,
        "model": place[0],
        "block": place[1],
        "state": state,
        "attempt": 0,
        **(settled_values(receipt) if receipt else UNSETTLED),
    }


def _this(
    plan: Plan, name: str, block: int, table: sa.Table = blocks
) -> list[sa.ColumnElement[bool]]:
    return [
        table.c.sweep_id == plan.sweep_id,
        table.c.model == name,
        table.c.block == block,
    ]


def _enter_failures(db: Connection, plan: Plan, receipts: Receipts) -> None:
    rows = [
        {"sweep_id": plan.sweep_id, "model": name, "block": block, **failure}
        for (name, block), receipt in receipts.items()
        for failure in receipt.failures
    ]
    if rows:
        db.execute(failures.insert(), rows)


def _conclude(db: Connection, plan: Plan) -> None:
    """End a sweep all of whose blocks are settled, as done or failed; the trash stays as it is."""
    left = sa.select(blocks.c.state).where(blocks.c.sweep_id == plan.sweep_id).distinct()
    found = {BlockState(state) for state in db.scalars(left)}
    if not found <= set(SETTLED):
        return
    state = SweepState.FAILED if BlockState.FAILED in found else SweepState.DONE
    finished = sa.func.coalesce(sweeps.c.finished, time.time())
    move_sweep(db, plan.sweep_id, state, moves=REPAIRS, finished=finished)


def _recount(db: Connection, plan: Plan) -> None:
    """Count the cells by status, and the blocks that are settled."""
    here = sweeps.c.id == plan.sweep_id
    db.execute(sweeps.update().where(here).values(**totals(db, plan)))


def _tell(db: Connection, sweep_id: str, kind: str, data: Mapping[str, Any]) -> None:
    row = {"sweep_id": sweep_id, "time": time.time(), "kind": kind, "data": dict(data)}
    db.execute(events.insert().values(**row))
