"""The ledger: which sweep wants which blocks, who holds them, what is done.

It is the truth about work, as the store is about data: a block turns done only after its data
are written and its checksum is known, by compare-and-set on the lease, so exactly once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from delocal.physics.model import Status
from delocal.service.database import engine_of, in_batches, migrate, no_room
from delocal.service.leases import free_blocks, held_by, now
from delocal.service.moves import FREE, move_blocks, move_sweep, settled_values, these
from delocal.service.retries import queue_again, stored, to_retry
from delocal.service.search import Search, enter_labels, models_of, words_of
from delocal.service.stages import initial_state, skip_rest, wake_summaries, want_more
from delocal.service.states import SETTLED, BlockState, Priority, SweepState
from delocal.service.tables import blocks, costs, events, failures, labels, sweeps
from delocal.workers.plan import Part, Plan
from delocal.workers.store import Receipt


@dataclass(frozen=True)
class SweepRecord:
    """One sweep as the ledger knows it; `counts` are cells by status.

    `paused` says why its blocks cannot be stored at present; `deleted` when it was put into the
    trash, from the state `state_before`.
    """

    number: int
    id: str
    name: str
    tags: list[str]
    request: dict[str, Any]
    state: SweepState
    cells: int
    counts: dict[str, int]
    blocks: int
    blocks_done: int
    seconds: float
    created: float
    finished: float | None
    paused: str | None
    deleted: float | None
    state_before: str | None
    submitted_by: str | None
    expected_seconds: float | None
    priority: Priority = Priority.NORMAL

    @property
    def final(self) -> bool:
        """Whether no cell will be computed again: all are there, and none raised."""
        again = {Status.NOT_COMPUTED.label, Status.FAILED.label, Status.CANCELLED.label}
        return self.state == SweepState.DONE and not again & set(self.counts)


@dataclass(frozen=True)
class Event:
    """Something that happened to a sweep; ids only grow."""

    id: int
    sweep_id: str
    time: float
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Lease:
    """Blocks of one model that its owner may compute until the lease runs out."""

    sweep_id: str
    model: str
    blocks: tuple[int, ...]
    owner: str
    attempt: int = 1


class Ledger:
    """The ledger in a database, SQLite by default.

    Parameters
    ----------
    url
        SQLAlchemy URL, such as ``sqlite:////var/lib/delocal/ledger.sqlite``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.lease_expiries = 0  # blocks taken over from who did not renew their lease
        self.engine = engine_of(url)
        migrate(url)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def add(
        self,
        plan: Plan,
        *,
        name: str,
        tags: Sequence[str],
        request: Mapping[str, Any],
        priority: Priority = Priority.NORMAL,
        owner: str | None = None,
        lease_seconds: float = 0.0,
        submitted_by: str | None = None,
        expected_seconds: float | None = None,
    ) -> bool:
        """Enter a sweep with all its blocks; False if an identical one is there already.

        With an `owner` the blocks are leased from the start, for a sweep run in place;
        `submitted_by` is the key whose sweep it is.
        """
        sweep = {
            "id": plan.sweep_id,
            "name": name,
            "tags": list(tags),
            "request": dict(request),
            "state": SweepState.QUEUED,
            "cells": plan.cells,
            "counts": {"not_computed": plan.cells},
            "blocks": sum(len(part.blocks) for part in plan.parts),
            "blocks_done": 0,
            "seconds": 0.0,
            "created": time.time(),
            "priority": priority,
            "submitted_by": submitted_by,
            "expected_seconds": expected_seconds,
            "words": words_of(name, tags, models_of(plan)),
        }
        with self._write() as db:
            if not _insert_new(db, sweep):
                return False
            enter_labels(db, plan, tags)
            until = now(db) + lease_seconds if owner else None
            row = {"sweep_id": plan.sweep_id, "attempt": 0, "owner": owner, "lease_until": until}
            for part in plan.parts:
                for some in in_batches(part.blocks, 10_000):
                    db.execute(
                        blocks.insert(),
                        [
                            {
                                **row,
                                "model": part.name,
                                "block": b,
                                "state": BlockState.LEASED if owner else initial_state(part, b),
                            }
                            for b in some
                        ],
                    )
            _add_event(db, plan.sweep_id, "queued", {"cells": plan.cells})
        return True

    def sweep(self, sweep_id: str) -> SweepRecord | None:
        """Return one sweep, or None."""
        with self._read() as db:
            row = db.execute(sa.select(sweeps).where(sweeps.c.id == sweep_id)).mappings().first()
        return _record(dict(row)) if row else None

    def models(self) -> list[str]:
        """Return the models that some sweep has."""
        query = sa.select(labels.c.value).where(labels.c.kind == "model").distinct()
        with self._read() as db:
            return list(db.scalars(query))

    def newest(
        self, limit: int = 100, before: int | None = None, *, deleted: bool = False
    ) -> list[SweepRecord]:
        """Return sweeps, the newest first, from before the one with the number `before`.

        Those in the trash are left out, or with `deleted` are the only ones.
        """
        return self.find(Search(deleted=deleted), limit, before)

    def find(
        self, search: Search, limit: int = 100, before: int | None = None
    ) -> list[SweepRecord]:
        """Return the sweeps of a search, the newest first, from before the number `before`."""
        query = (
            sa.select(sweeps)
            .where(*search.conditions())
            .order_by(sweeps.c.number.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(sweeps.c.number < before)
        with self._read() as db:
            return [_record(dict(row)) for row in db.execute(query).mappings()]

    def active(self) -> dict[str, Priority]:
        """Return the priorities of the sweeps that want work by their id, the oldest first."""
        query = (
            sa.select(sweeps.c.id, sweeps.c.priority)
            .where(sweeps.c.state.in_([SweepState.QUEUED, SweepState.RUNNING]))
            .order_by(sweeps.c.number)
        )
        with self._read() as db:
            return {row.id: Priority(row.priority) for row in db.execute(query)}

    def lease(self, sweep_id: str, owner: str, limit: int, seconds: float) -> Lease | None:
        """Take for so many seconds up to `limit` blocks that are free, all of one model.

        Free is what is queued or whose lease ran out. A block that was tried before comes alone,
        so that it cannot harm others again.
        """
        with self._write_sweep(sweep_id) as db:
            rows = free_blocks(db, sweep_id, limit)
            if not rows:
                return None
            model, attempt = rows[0].model, rows[0].attempt
            taken = [row.block for row in rows if (row.model, row.attempt) == (model, attempt)]
            taken = taken[:1] if attempt > 0 else taken
            move_blocks(
                db,
                BlockState.LEASED,
                *these(sweep_id, model, taken),
                owner=owner,
                lease_until=now(db) + seconds,
                attempt=blocks.c.attempt + 1,
            )
            _move(db, sweep_id, SweepState.RUNNING)
        lost = {r.block for r in rows if r.state == BlockState.LEASED and r.model == model}
        self.lease_expiries += len(lost.intersection(taken))
        return Lease(sweep_id, model, tuple(taken), owner, attempt + 1)

    def renew(self, owner: str, seconds: float) -> None:
        """Let every lease of `owner` run so long from now, and of those named after it.

        Their names begin with its own and a colon.
        """
        with self._write() as db:
            until = now(db) + seconds
            for _, held in held_by(db, owner):
                db.execute(blocks.update().where(*held).values(lease_until=until))

    def record(self, plan: Plan, owner: str, name: str, receipts: Iterable[Receipt]) -> None:
        """Turn the leased blocks of `receipts` done; a block whose lease was lost is ignored.

        Replicas that are done wake their summary, and a summary that is unfinished asks for
        more replicas and waits for them.
        """
        part = plan.part(name)
        with self._write_sweep(plan.sweep_id) as db:
            _move(db, plan.sweep_id, SweepState.RUNNING)
            won = [r for r in receipts if _settle(db, plan.sweep_id, owner, r, BlockState.DONE)]
            _add_failures(db, plan.sweep_id, won)
            _add_cost(db, part, won)
            self._go_on(db, plan, part, won)

    def give_up(self, plan: Plan, owner: str, receipt: Receipt, error: str) -> None:
        """Turn a leased block failed, after its last attempt; the sweep goes on without it."""
        with self._write_sweep(plan.sweep_id) as db:
            if _settle(db, plan.sweep_id, owner, receipt, BlockState.FAILED):
                _add_failures(db, plan.sweep_id, [receipt])
                data = {"model": receipt.model, "block": receipt.block, "error": error}
                _add_event(db, plan.sweep_id, "block_failed", data)
                self._go_on(db, plan, plan.part(receipt.model), [receipt])

    def fail(self, sweep_id: str, error: str) -> None:
        """End a sweep that cannot be run at all; its event says why."""
        with self._write_sweep(sweep_id) as db:
            _move(db, sweep_id, SweepState.RUNNING)
            _add_event(db, sweep_id, "cannot_run", {"error": error})
            _move(db, sweep_id, SweepState.FAILED, SweepState.RUNNING)
            _drop_unwanted(db, sweep_id)

    def cancel(self, sweep_id: str) -> bool:
        """End a sweep that is queued or running: False if it is neither.

        What was not begun is cancelled; what is leased ends when whoever holds it says so.
        """
        with self._write_sweep(sweep_id) as db:
            moved = _move(db, sweep_id, SweepState.CANCELLED, SweepState.QUEUED, SweepState.RUNNING)
            _drop_unwanted(db, sweep_id)
        return moved

    def stored_but_wrong(self, plan: Plan) -> list[tuple[str, int]]:
        """Return the blocks that `retry` would queue again and that are stored.

        These have cells that raised. Their receipts are to be removed before they are queued, or
        a dispatcher that is faster finds them and takes the blocks for done.
        """
        with self._read() as db:
            return stored(db, plan, to_retry(db, plan))

    def retry(self, plan: Plan) -> bool:
        """Queue again what failed or was cancelled, and the sweep.

        False if there is nothing, or if it has not ended.
        """
        with self._write_sweep(plan.sweep_id) as db:
            again = to_retry(db, plan)
            moved = bool(again) and _move(db, plan.sweep_id, SweepState.QUEUED)
            if moved:
                queue_again(db, plan, again)
                here = sweeps.c.id == plan.sweep_id
                db.execute(sweeps.update().where(here).values(**totals(db, plan)))
        return moved

    def note(self, sweep_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Add an event to the story of a sweep."""
        with self._write() as db:
            _add_event(db, sweep_id, kind, data)

    def release_all(self, owner: str) -> None:
        """Give back, as untried, every block that `renew` would keep.

        Those that are stored meanwhile are not repeated.
        """
        untried = sa.case((blocks.c.attempt > 0, blocks.c.attempt - 1), else_=0)
        with self._write() as db:
            for sweep_id, held in held_by(db, owner):
                _give_back(db, *held, attempt=untried)
                _drop_unwanted(db, sweep_id)

    def release(
        self, sweep_id: str, owner: str, model: str, block: int, *, counts: bool = True
    ) -> None:
        """Give a leased block back, to be tried again; the attempt `counts` if it was at fault."""
        with self._write_sweep(sweep_id) as db:
            leased = (*these(sweep_id, model, [block]), blocks.c.owner == owner)
            _give_back(db, *leased, attempt=blocks.c.attempt - (0 if counts else 1))
            _drop_unwanted(db, sweep_id)

    def attempts(self, sweep_id: str, model: str, block: int) -> int:
        """Return how often a block was leased."""
        query = sa.select(blocks.c.attempt).where(*these(sweep_id, model, [block]))
        with self._read() as db:
            return db.scalar(query) or 0

    def is_done(self, sweep_id: str, model: str, block: int) -> bool:
        """Whether a block is done, and so stored."""
        query = sa.select(blocks.c.state).where(*these(sweep_id, model, [block]))
        with self._read() as db:
            return db.scalar(query) == BlockState.DONE

    def checksums(self, sweep_id: str) -> dict[tuple[str, int], str]:
        """Return the checksum of every block that is done."""
        query = sa.select(blocks.c.model, blocks.c.block, blocks.c.checksum).where(
            blocks.c.sweep_id == sweep_id, blocks.c.state == BlockState.DONE
        )
        with self._read() as db:
            return {(row.model, row.block): row.checksum for row in db.execute(query)}

    def events(self, sweep_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        """Return what happened to a sweep after the event with id `after`."""
        query = (
            sa.select(events)
            .where(events.c.sweep_id == sweep_id, events.c.id > after)
            .order_by(events.c.id)
            .limit(limit)
        )
        with self._read() as db:
            return [Event(**row) for row in db.execute(query).mappings()]

    def failures(self, sweep_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return cells that raised, with their parameters and traceback."""
        of_sweep = sa.select(failures).where(failures.c.sweep_id == sweep_id)
        query = of_sweep.order_by(failures.c.id).limit(limit)
        with self._read() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    def seconds_per_cell(self, model: str, version: str, measured_for: float = 0.0) -> float | None:
        """Return the measured cost of a cell, or None if there was none yet.

        With `measured_for` only if so many seconds were spent: few cells tell of the first call.
        """
        query = sa.select(costs.c.seconds / costs.c.cells).where(
            costs.c.model == model, costs.c.version == version, costs.c.seconds >= measured_for
        )
        with self._read() as db:
            cost = db.scalar(query)
        return None if cost is None else float(cost)

    def writing(self, sweep_id: str | None = None) -> AbstractContextManager[Connection]:
        """Return a transaction for what keeps the ledger: trash, pauses, repairs.

        Who writes blocks names their sweep, which is locked.
        """
        return self._write() if sweep_id is None else self._write_sweep(sweep_id)

    def _go_on(self, db: Connection, plan: Plan, part: Part, settled: list[Receipt]) -> None:
        """Take the next stage of a Monte Carlo cell, count what is done, and end the sweep."""
        skipped = 0
        if part.role == "replicas":
            wake_summaries(db, plan, part, (receipt.block for receipt in settled))
        if part.role == "summary":
            replicas = plan.replicas_of(part)
            for receipt in list(settled):
                if receipt.unfinished and want_more(db, plan, replicas, receipt.block):
                    _wait_again(db, plan.sweep_id, receipt)
                    settled.remove(receipt)
                else:
                    skipped += skip_rest(db, plan, replicas, receipt.block)
        if settled:
            self._advance(db, plan.sweep_id, settled, skipped)

    def _advance(
        self, db: Connection, sweep_id: str, settled: Sequence[Receipt], skipped: int
    ) -> None:
        """Count settled and skipped blocks, and end the sweep with the last one."""
        row = db.execute(sa.select(sweeps).where(sweeps.c.id == sweep_id)).mappings().one()
        counts = Counter(row["counts"])
        for receipt in settled:
            counts.update(receipt.counts)
            counts["not_computed"] -= sum(receipt.counts.values())
        done = row["blocks_done"] + len(settled) + skipped
        left = {status: number for status, number in counts.items() if number}
        db.execute(
            sweeps.update()
            .where(sweeps.c.id == sweep_id)
            .values(
                counts=left,
                blocks_done=done,
                seconds=sweeps.c.seconds + sum(receipt.seconds for receipt in settled),
            )
        )
        _add_event(db, sweep_id, "progress", {"cells": left, "blocks_done": done})
        if done == row["blocks"]:
            lost = db.scalar(
                sa.select(sa.func.count())
                .select_from(blocks)
                .where(blocks.c.sweep_id == sweep_id, blocks.c.state == BlockState.FAILED)
            )
            ended = SweepState.FAILED if lost else SweepState.DONE
            _move(db, sweep_id, ended, SweepState.RUNNING)

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with self.engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError as error:
            if (number := no_room(error)) is None:
                raise
            message = f"the ledger's disk takes no more: {error.orig}"
            raise OSError(number, message) from error

    @contextmanager
    def _write_sweep(self, sweep_id: str) -> Iterator[Connection]:
        """Write with the row of a sweep locked: who counts its blocks must be alone.

        Locked before any of its blocks: two who lock in another order wait for each other.
        """
        with self._write() as db:
            db.execute(sa.select(sweeps.c.number).where(sweeps.c.id == sweep_id).with_for_update())
            yield db

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _insert_new(db: Connection, sweep: Mapping[str, Any]) -> bool:
    """Insert a sweep unless there is one of its id, whoever else is at it."""
    insert = _insert(db, sweeps).values(**sweep).on_conflict_do_nothing()
    return db.scalar(insert.returning(sweeps.c.number)) is not None


def totals(db: Connection, plan: Plan) -> dict[str, Any]:
    """Return cells by status and the number of settled blocks of a sweep, from its rows."""
    query = sa.select(blocks.c.counts).where(
        blocks.c.sweep_id == plan.sweep_id, blocks.c.state.in_(SETTLED)
    )
    found = [row or {} for row in db.scalars(query)]
    counts = Counter({"not_computed": plan.cells})
    for row in found:
        counts.update(row)
        counts["not_computed"] -= sum(row.values())
    left = {status: number for status, number in counts.items() if number}
    return {"counts": left, "blocks_done": len(found)}


def _record(row: Mapping[str, Any]) -> SweepRecord:
    known = {field.name: row[field.name] for field in fields(SweepRecord)}
    kinds = {"state": SweepState(row["state"]), "priority": Priority(row["priority"])}
    return SweepRecord(**{**known, **kinds})


def _move(db: Connection, sweep_id: str, to: SweepState, *only: SweepState) -> bool:
    """Move a sweep to a state, if that is a move (from `only` these); its event says so."""
    finished = time.time() if to.ended else None
    moved = move_sweep(db, sweep_id, to, only=only, finished=finished)
    if moved:
        _add_event(db, sweep_id, str(to), {})
    return moved


def _settle(db: Connection, sweep_id: str, owner: str, receipt: Receipt, to: BlockState) -> bool:
    """Compare and set: only who holds the lease can settle a block, and only once."""
    leased = (*these(sweep_id, receipt.model, [receipt.block]), blocks.c.owner == owner)
    return move_blocks(db, to, *leased, **settled_values(receipt)) == 1


def _give_back(db: Connection, *leased: sa.ColumnElement[bool], **attempt: Any) -> None:
    """Queue leased blocks."""
    move_blocks(db, BlockState.QUEUED, *leased, only=[BlockState.LEASED], **FREE, **attempt)


def _drop_unwanted(db: Connection, sweep_id: str) -> None:
    """Cancel every block that waits for a sweep, if that has ended without it."""
    without = (SweepState.CANCELLED, SweepState.FAILED, SweepState.DELETED)
    ended = sa.select(sweeps.c.id).where(sweeps.c.id == sweep_id, sweeps.c.state.in_(without))
    move_blocks(db, BlockState.CANCELLED, blocks.c.sweep_id.in_(ended))


def _wait_again(db: Connection, sweep_id: str, receipt: Receipt) -> None:
    """Let a summary wait for the replicas that it asked for."""
    summary = these(sweep_id, receipt.model, [receipt.block])
    move_blocks(db, BlockState.WAITING, *summary, only=[BlockState.DONE], attempt=0)


def _add_event(db: Connection, sweep_id: str, kind: str, data: Mapping[str, Any]) -> None:
    db.execute(
        events.insert().values(sweep_id=sweep_id, time=time.time(), kind=kind, data=dict(data))
    )


def _add_failures(db: Connection, sweep_id: str, receipts: Sequence[Receipt]) -> None:
    rows = [
        {"sweep_id": sweep_id, "model": receipt.model, "block": receipt.block, **failure}
        for receipt in receipts
        for failure in receipt.failures
    ]
    if rows:
        db.execute(failures.insert(), rows)


def _add_cost(db: Connection, part: Part, receipts: Sequence[Receipt]) -> None:
    """Add to the measured cost of a cell, or of a replica.

    Summaries cost next to nothing, and a search is known to end early: neither says what one costs.
    """
    if not receipts or part.role in ("summary", "refined"):
        return
    cells = sum(part.blocks.size(receipt.block) for receipt in receipts)
    seconds = sum(receipt.seconds for receipt in receipts)
    insert = _insert(db, costs).values(
        model=part.model, version=part.version, cells=cells, seconds=seconds
    )
    added = {name: costs.c[name] + insert.excluded[name] for name in ("cells", "seconds")}
    db.execute(insert.on_conflict_do_update(index_elements=costs.primary_key.columns, set_=added))


def _insert(db: Connection, table: sa.Table) -> Any:
    """Return an insert that may say what to do with a row that is there, whoever was faster."""
    dialect = postgresql if db.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
