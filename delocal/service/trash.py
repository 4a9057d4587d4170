"""Delete a sweep: into the trash, back out of it, and after a time for good.

Nothing is moved. The ledger says that a sweep is deleted, and a mark lies beside its data, so
that a ledger rebuilt from the stores knows it too. What is computed or stored is not touched
before it is purged.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from delocal.service.errors import Conflict
from delocal.service.leases import is_held
from delocal.service.ledger import Ledger, SweepRecord
from delocal.service.moves import move_sweep
from delocal.service.states import MOVES, SweepState
from delocal.service.tables import blocks, events, purged, sweeps, tables
from delocal.workers.store import DELETED, PLAN, SweepStore

log = structlog.get_logger()

DAY = 86_400.0
LOOK_SECONDS = 600.0  # between two looks for what has been in the trash long enough


class Trash:
    """The trash of one service.

    Parameters
    ----------
    store
        Gives the store of a sweep, whatever its state.
    forget
        Called with the id of a sweep that is gone.
    days
        After which a deleted sweep is purged; None keeps it until somebody says so.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Callable[[str], SweepStore],
        forget: Callable[[str], None],
        days: float | None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._forget = forget
        self._days = days

    def delete(self, record: SweepRecord) -> None:
        """Put a sweep into the trash. Conflict if it has not ended, or is there already."""
        if not self._move(record, SweepState.DELETED, state_before=record.state):
            raise Conflict(_not_deletable(record))
        mark = {"time": time.time(), "state": record.state}
        self._store(record.id).storage.write(DELETED, json.dumps(mark).encode())

    def restore(self, record: SweepRecord) -> None:
        """Take a sweep out of the trash, as it was. Conflict if it is not in there."""
        if record.state != SweepState.DELETED:
            raise Conflict(f"sweep {record.id} is {record.state}, not in the trash")
        if not record.state_before or not self._move(record, SweepState(record.state_before)):
            raise Conflict(f"sweep {record.id} is being removed for good; submit it again")
        self._store(record.id).storage.remove(DELETED)

    def purge(self, record: SweepRecord) -> None:
        """Remove a sweep in the trash for good: its data, then all that the ledger knows of it.

        Conflict if it is not in the trash, or a task of it still runs somewhere. Should this end
        half-way, the sweep is still in the trash, and can only be purged.
        """
        with self._ledger.writing() as db:
            here = blocks.c.sweep_id == record.id
            if db.scalar(sa.select(sa.exists().where(here, is_held(db)))):
                raise Conflict(f"tasks of sweep {record.id} are still ending; try again soon")
            doomed = db.execute(
                sweeps.update()
                .where(sweeps.c.id == record.id, sweeps.c.state == SweepState.DELETED)
                .values(state_before=None)
            )
        if not doomed.rowcount:
            raise Conflict(f"sweep {record.id} is {record.state}; delete it first")
        self._store(record.id).storage.clear(PLAN)
        self._forget(record.id)
        with self._ledger.writing(record.id) as db:
            _note_what_it_took(db, record.id)
            for table in reversed(tables.sorted_tables):
                if "sweep_id" in table.c:
                    db.execute(table.delete().where(table.c.sweep_id == record.id))
            db.execute(sweeps.delete().where(sweeps.c.id == record.id))
        log.info("sweep purged", sweep=record.id, name=record.name)

    def purge_old(self) -> list[str]:
        """Purge what was in the trash for long enough or was being purged; return the ids.

        The oldest first; one that cannot be purged now does not keep the others.
        """
        due: sa.ColumnElement[bool] = sweeps.c.state_before.is_(None)
        if self._days is not None:
            due |= sweeps.c.deleted <= time.time() - self._days * DAY
        in_trash = sweeps.c.state == SweepState.DELETED
        query = sa.select(sweeps.c.id).where(in_trash, due).order_by(sweeps.c.deleted)
        with self._ledger.writing() as db:
            ids = list(db.scalars(query))
        return [sweep_id for sweep_id in ids if self._purged(sweep_id)]

    def _purged(self, sweep_id: str) -> bool:
        """Purge a sweep; False if somebody else did, or it cannot be done now."""
        record = self._ledger.sweep(sweep_id)
        if record is None:
            return False
        try:
            self.purge(record)
        except Exception:  # its disk or bucket is away; there is no hurry
            log.exception("a sweep cannot be purged; trying again later", sweep=sweep_id)
            return False
        return True

    def watch(self, stopping: threading.Event) -> None:
        """Purge what is old, again and again until `stopping`."""
        while not stopping.is_set():
            try:
                self.purge_old()
            except Exception:  # a disk or database that is away; there is no hurry
                log.exception("cannot empty the trash; trying again later")
            stopping.wait(LOOK_SECONDS)

    def _move(self, record: SweepRecord, to: SweepState, **values: Any) -> bool:
        """Compare and set the state; a sweep that others moved meanwhile stays as it is."""
        deleted = time.time() if to == SweepState.DELETED else None
        changed = {"state_before": None, **values, "deleted": deleted}
        if to not in MOVES[record.state]:
            return False
        kind, before = ("deleted", None) if deleted else ("restored", record.state_before)
        with self._ledger.writing() as db:
            unmoved = sweeps.c.state_before.is_not_distinct_from(before)
            moved = move_sweep(db, record.id, to, unmoved, only=[record.state], **changed)
            if moved:
                event = {"sweep_id": record.id, "time": time.time(), "kind": kind, "data": {}}
                db.execute(events.insert().values(**event))
        return moved


def _note_what_it_took(db: Connection, sweep_id: str) -> None:
    """Keep the core-seconds of a sweep that somebody's quota counts; its cells are given back."""
    owned = sa.and_(sweeps.c.id == sweep_id, sweeps.c.submitted_by.is_not(None))
    taken = sa.select(sweeps.c.submitted_by, sweeps.c.created, sweeps.c.seconds).where(owned)
    db.execute(purged.insert().from_select(["submitted_by", "created", "seconds"], taken))


def _not_deletable(record: SweepRecord) -> str:
    if record.state == SweepState.DELETED:
        return f"sweep {record.id} is in the trash already"
    return f"sweep {record.id} is {record.state}; wait for it, or cancel it first"
