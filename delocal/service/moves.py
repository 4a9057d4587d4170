"""Moves: the one place that changes the state of a sweep or of its blocks.

An update names the state to which it leads. Where it may come from stands in the tables of
`states.py`, and in no other place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from delocal.service.states import BLOCK_MOVES, MOVES, BlockState, SweepState
from delocal.service.tables import blocks, sweeps
from delocal.workers.store import Receipt

State = TypeVar("State", SweepState, BlockState)

FREE: dict[str, Any] = {"owner": None, "lease_until": None}
"""Values of a block that nobody holds."""


def these(sweep_id: str, model: str, numbers: Collection[int]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for blocks of one model of a sweep."""
    return [
        blocks.c.sweep_id == sweep_id,
        blocks.c.model == model,
        blocks.c.block.in_(numbers),
    ]


def settled_values(receipt: Receipt) -> dict[str, Any]:
    """Return what is noted of a block whose data are stored."""
    counts = dict(receipt.counts)
    noted = {"checksum": receipt.checksum, "seconds": receipt.seconds, "counts": counts}
    return {**FREE, **noted}


def move_blocks(
    db: Connection,
    to: BlockState,
    *which: sa.ColumnElement[bool],
    only: Collection[BlockState] = (),
    moves: Mapping[BlockState, Collection[BlockState]] = BLOCK_MOVES,
    **values: Any,
) -> int:
    """Move those blocks that may go to a state there, with other values; return how many.

    Others of them stay as they are. `only` narrows the states that they may come from; ValueError
    if there is no such move.
    """
    sources = blocks.c.state.in_(_sources(moves, to, only))
    moved = db.execute(blocks.update().where(*which, sources).values(state=to, **values))
    return moved.rowcount


def move_sweep(
    db: Connection,
    sweep_id: str,
    to: SweepState,
    *which: sa.ColumnElement[bool],
    only: Collection[SweepState] = (),
    moves: Mapping[SweepState, Collection[SweepState]] = MOVES,
    **values: Any,
) -> bool:
    """Move a sweep to a state, with other values, if it may go there; return whether it did.

    `only` narrows the states that it may come from; ValueError if there is no such move.
    """
    sources = sweeps.c.state.in_(_sources(moves, to, only))
    here = (sweeps.c.id == sweep_id, *which, sources)
    return db.execute(sweeps.update().where(*here).values(state=to, **values)).rowcount == 1


def _sources(
    moves: Mapping[State, Collection[State]], to: State, only: Collection[State]
) -> list[State]:
    """Return the states from which one may be reached."""
    allowed = [state for state, targets in moves.items() if to in targets]
    if not allowed or not set(only) <= set(allowed):
        wanted, known = ", ".join(only) or "anywhere", ", ".join(allowed) or "nowhere"
        raise ValueError(f"no move from {wanted} to {to}; the table has moves from {known}")
    return [state for state in allowed if state in only or not only]
