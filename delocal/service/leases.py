"""Leases of blocks: which are free to be taken, which are held, by whose clock."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.service.database import in_batches
from delocal.service.moves import these
from delocal.service.states import BlockState
from delocal.service.tables import blocks

AT_ONCE = 10_000  # blocks in a statement: SQLite takes 32 766 parameters, PostgreSQL 65 535


def now(db: Connection) -> float:
    """Return the time by which leases run out, in seconds since 1970: that of the database.

    Services on one PostgreSQL run on hosts whose clocks differ. SQLite serves one host.
    """
    if db.dialect.name != "postgresql":
        return time.time()
    epoch = sa.extract("epoch", sa.func.clock_timestamp())
    return float(db.execute(sa.select(epoch)).scalar_one())


def is_held(db: Connection) -> sa.ColumnElement[bool]:
    """Whether somebody may compute a block: it is leased, and its lease has not run out."""
    return (blocks.c.state == BlockState.LEASED) & (blocks.c.lease_until >= now(db))


def held_by(db: Connection, owner: str) -> list[tuple[str, list[sa.ColumnElement[bool]]]]:
    """Lock the leased blocks of `owner` and of those named after it; return sweeps and conditions.

    Their names begin with its own and a colon. Without those that somebody settles at this moment,
    for whom nobody needs to wait; no condition has more numbers than a statement takes.
    """
    own = (blocks.c.owner == owner) | blocks.c.owner.startswith(f"{owner}:", autoescape=True)
    query = (
        sa.select(blocks.c.sweep_id, blocks.c.model, blocks.c.block)
        .where(blocks.c.owner.is_not(None), own, blocks.c.state == BlockState.LEASED)
        .with_for_update(skip_locked=True)
    )
    held: dict[tuple[str, str], list[int]] = {}
    for row in db.execute(query):
        held.setdefault((row.sweep_id, row.model), []).append(row.block)
    return [
        (sweep, these(sweep, model, some))
        for (sweep, model), taken in held.items()
        for some in in_batches(taken, AT_ONCE)
    ]


def free_blocks(db: Connection, sweep_id: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Return up to `limit` blocks that are queued or whose lease ran out, those tried least first.

    They are locked: nobody else gets them before the transaction ends.
    """
    order = (blocks.c.attempt, blocks.c.model, blocks.c.block)
    query = (
        sa.select(*order, blocks.c.state)
        .where(blocks.c.sweep_id == sweep_id)
        .order_by(*order)
        .limit(limit)
        .with_for_update(skip_locked=True)  # SQLite has one writer at a time
    )
    queued = query.where(blocks.c.state == BlockState.QUEUED)
    expired = query.where(blocks.c.state == BlockState.LEASED, blocks.c.lease_until < now(db))
    found = [*db.execute(queued), *db.execute(expired)]  # each in the order of an index
    return sorted(found, key=lambda row: row[:3])[:limit]
