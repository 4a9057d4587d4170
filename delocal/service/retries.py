"""Try again what failed, or was cancelled, in a sweep that has ended."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.service.database import in_batches
from delocal.service.moves import FREE, move_blocks, these
from delocal.service.stages import initial_state, wake_summaries
from delocal.service.states import BlockState
from delocal.service.tables import blocks, failures
from delocal.workers.plan import Plan

AT_ONCE = 500  # blocks in a statement
ENDED = (BlockState.LEASED, BlockState.DONE, BlockState.FAILED, BlockState.CANCELLED)


def to_retry(db: Connection, plan: Plan) -> dict[str, set[int]]:
    """Return the blocks to be tried again, by part: those lost, and those with failed cells.

    In a sweep that has ended, a lease is of a task that was asked to end and has not yet.
    """
    lost = sa.select(blocks.c.model, blocks.c.block).where(
        blocks.c.sweep_id == plan.sweep_id,
        blocks.c.state.in_([BlockState.FAILED, BlockState.CANCELLED, BlockState.LEASED]),
    )
    raised = sa.select(failures.c.model, failures.c.block).where(
        failures.c.sweep_id == plan.sweep_id
    )
    again: dict[str, set[int]] = {}
    for row in db.execute(sa.union(lost, raised)):
        again.setdefault(row.model, set()).add(row.block)
    for part in plan.parts:  # a summary follows its replicas
        if part.role == "replicas" and part.name in again:
            cells = {block // part.batches for block in again[part.name]}
            again.setdefault(part.model, set()).update(cells)
    return again


def stored(db: Connection, plan: Plan, again: Mapping[str, set[int]]) -> list[tuple[str, int]]:
    """Return those of the blocks whose data are stored."""
    settled = blocks.c.state.in_([BlockState.DONE, BlockState.FAILED])
    return [
        (name, block)
        for name, numbers in again.items()
        for some in in_batches(sorted(numbers), AT_ONCE)
        for block in db.scalars(
            sa.select(blocks.c.block).where(*these(plan.sweep_id, name, some), settled)
        )
    ]


def queue_again(db: Connection, plan: Plan, again: Mapping[str, set[int]]) -> None:
    """Put blocks back to where they began."""
    for name, numbers in again.items():
        part = plan.part(name)
        for some in in_batches(sorted(numbers), AT_ONCE):
            db.execute(
                failures.delete().where(
                    failures.c.sweep_id == plan.sweep_id,
                    failures.c.model == name,
                    failures.c.block.in_(some),
                )
            )
            for state in (BlockState.QUEUED, BlockState.WAITING):
                entered = [b for b in some if initial_state(part, b) == state]
                which = these(plan.sweep_id, name, entered)
                move_blocks(db, state, *which, only=ENDED, attempt=0, counts=None, **FREE)
    for part in plan.parts:
        if part.role == "replicas" and part.model in again:
            first = (cells * part.batches for cells in again[part.model])
            wake_summaries(db, plan, part, first)
