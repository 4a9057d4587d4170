"""The audit: who did what to which sweep or key, and when."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from delocal.service.tables import audit


@dataclass(frozen=True)
class Act:
    """Something that a caller did; ids only grow."""

    id: int
    time: float
    caller: str
    action: str
    subject: str | None
    address: str | None
    request_id: str | None


class Audit:
    """The acts in the ledger's database; nothing here changes or removes one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        caller: str,
        action: str,
        subject: str | None = None,
        *,
        address: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Note what a caller did."""
        values = {"caller": caller[:200], "action": action, "subject": subject}
        where = {"address": address, "request_id": request_id}
        with self._engine.begin() as db:
            db.execute(audit.insert().values(time=time.time(), **values, **where))

    def newest(self, limit: int = 100, before: int | None = None) -> list[Act]:
        """Return acts, the newest first, from before the one with the id `before`."""
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.id < before)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            return [Act(**row) for row in db.execute(query).mappings()]
