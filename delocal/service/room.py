"""A sweep whose blocks cannot be stored for want of room waits, and goes on by itself."""

from __future__ import annotations

import time

from delocal.service.ledger import Ledger
from delocal.service.tables import events, sweeps


def pause(ledger: Ledger, sweep_id: str, reason: str) -> None:
    """Note why a sweep waits, once: it stays queued or running, and loses no attempt."""
    _set(ledger, sweep_id, reason, "paused", {"reason": reason})


def resume(ledger: Ledger, sweep_id: str) -> None:
    """Note that blocks of a sweep can be stored again."""
    _set(ledger, sweep_id, None, "resumed", {})


def _set(
    ledger: Ledger, sweep_id: str, reason: str | None, kind: str, data: dict[str, str]
) -> None:
    other = sweeps.c.paused.is_(None) if reason else sweeps.c.paused.is_not(None)
    with ledger.writing() as db:
        changed = db.execute(
            sweeps.update().where(sweeps.c.id == sweep_id, other).values(paused=reason)
        )
        if changed.rowcount:
            db.execute(
                events.insert().values(sweep_id=sweep_id, time=time.time(), kind=kind, data=data)
            )
