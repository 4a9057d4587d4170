"""The stages of a Monte Carlo sweep: replicas, their summary, more replicas if it wants them."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.service.moves import move_blocks, these
from delocal.service.states import BlockState
from delocal.service.tables import blocks
from delocal.workers.plan import Part, Plan


def initial_state(part: Part, block: int) -> BlockState:
    """Return the state in which a block is entered."""
    if part.role == "summary":
        return BlockState.WAITING
    first = block % part.batches < part.first_batches
    return BlockState.QUEUED if first else BlockState.WAITING


def wake_summaries(db: Connection, plan: Plan, replicas: Part, batches: Iterable[int]) -> None:
    """Queue each summary of these batches none of whose replicas is at work any more."""
    summary = next(p for p in plan.parts if p.role == "summary" and p.model == replicas.model)
    for cells in {batch // replicas.batches for batch in batches}:
        at_work = sa.select(sa.func.count()).where(
            *_batches_of(plan, replicas, cells),
            blocks.c.state.in_([BlockState.QUEUED, BlockState.LEASED]),
        )
        if not db.scalar(at_work):
            _queue(db, *these(plan.sweep_id, summary.name, [cells]))


def want_more(db: Connection, plan: Plan, replicas: Part, cells: int) -> bool:
    """Queue as many batches of replicas as there are already; False if there are no more."""
    waiting = (
        sa.select(blocks.c.block)
        .where(*_batches_of(plan, replicas, cells), blocks.c.state == BlockState.WAITING)
        .order_by(blocks.c.block)
    )
    left = list(db.scalars(waiting))
    more = left[: replicas.batches - len(left)]
    _queue(db, *these(plan.sweep_id, replicas.name, more))
    return bool(more)


def skip_rest(db: Connection, plan: Plan, replicas: Part, cells: int) -> int:
    """Skip the replicas that nobody wants any more, and return the number of blocks."""
    return move_blocks(db, BlockState.SKIPPED, *_batches_of(plan, replicas, cells))


def _batches_of(plan: Plan, replicas: Part, cells: int) -> list[sa.ColumnElement[bool]]:
    first = cells * replicas.batches
    return [
        blocks.c.sweep_id == plan.sweep_id,
        blocks.c.model == replicas.name,
        blocks.c.block.between(first, first + replicas.batches - 1),
    ]


def _queue(db: Connection, *waiting: sa.ColumnElement[bool]) -> None:
    move_blocks(db, BlockState.QUEUED, *waiting, only=[BlockState.WAITING])
