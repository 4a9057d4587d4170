"""The states of a sweep and of its blocks, and the moves allowed between them."""

from __future__ import annotations

from enum import StrEnum


class SweepState(StrEnum):
    """Where a sweep stands.

    A deleted sweep is in the trash: its data are there, and nobody is shown them.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (SweepState.QUEUED, SweepState.RUNNING)


class Priority(StrEnum):
    """How many turns a sweep gets beside others."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def turns(self) -> int:
        """Tasks in a round in which a low one gets one."""
        return {Priority.LOW: 1, Priority.NORMAL: 3, Priority.HIGH: 9}[self]


class BlockState(StrEnum):
    """Where a block stands; it is done only after its data are written and checked.

    A summary waits for its replicas, and replicas wait until a summary wants more of them;
    those that it does not want are skipped. What a sweep that was cancelled, or cannot be run, had
    not begun is cancelled.
    """

    QUEUED = "queued"
    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


SETTLED = (BlockState.DONE, BlockState.FAILED, BlockState.SKIPPED)
"""States of blocks that nothing is left to do for."""
MOVES: dict[SweepState, frozenset[SweepState]] = {
    SweepState.QUEUED: frozenset({SweepState.RUNNING, SweepState.CANCELLED}),
    SweepState.RUNNING: frozenset({SweepState.DONE, SweepState.FAILED, SweepState.CANCELLED}),
    # Cells that failed are tried again.
    SweepState.DONE: frozenset({SweepState.QUEUED, SweepState.DELETED}),
    SweepState.FAILED: frozenset({SweepState.QUEUED, SweepState.DELETED}),
    SweepState.CANCELLED: frozenset({SweepState.QUEUED, SweepState.DELETED}),
    # Restored to what it was; purged, it has no state at all.
    SweepState.DELETED: frozenset({SweepState.DONE, SweepState.FAILED, SweepState.CANCELLED}),
}
"""Where a sweep may go from a state; no other move is ever made by the service."""
BLOCK_MOVES: dict[BlockState, frozenset[BlockState]] = {
    BlockState.WAITING: frozenset({BlockState.QUEUED, BlockState.SKIPPED, BlockState.CANCELLED}),
    BlockState.QUEUED: frozenset({BlockState.LEASED, BlockState.CANCELLED}),
    BlockState.LEASED: frozenset(
        {
            BlockState.LEASED,  # by somebody else, when the lease has run out
            BlockState.DONE,
            BlockState.FAILED,
            BlockState.QUEUED,
            BlockState.WAITING,
        }
    ),
    # A summary that asks for more replicas waits for them; what has failed cells is tried again.
    BlockState.DONE: frozenset({BlockState.QUEUED, BlockState.WAITING}),
    BlockState.FAILED: frozenset({BlockState.QUEUED, BlockState.WAITING}),
    BlockState.SKIPPED: frozenset(),
    BlockState.CANCELLED: frozenset({BlockState.QUEUED, BlockState.WAITING}),
}
"""Where a block may go from a state; no other move is ever made by the service."""
REPAIRS: dict[SweepState, frozenset[SweepState]] = {
    state: frozenset({SweepState.DONE, SweepState.FAILED})
    for state in SweepState
    if state != SweepState.DELETED
}
"""Moves of the doctor: a sweep has ended if all its blocks have."""
BLOCK_REPAIRS: dict[BlockState, frozenset[BlockState]] = {
    state: frozenset({BlockState.DONE, BlockState.FAILED})
    for state in BlockState
    if state not in (BlockState.FAILED, BlockState.SKIPPED)
}
"""Moves of the doctor: a block is what its receipt says."""
