"""Quotas: how much of the cluster the sweeps of one key may take."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.engine import Engine

from delocal.service.errors import QuotaUsedUp
from delocal.service.states import SweepState
from delocal.service.tables import purged, sweeps

OPEN = [SweepState.QUEUED, SweepState.RUNNING]


class QuotaSettings(BaseModel):
    """What the sweeps of one key may take; without a number there is no limit."""

    model_config = ConfigDict(extra="forbid")

    sweeps: int | None = Field(default=None, ge=1, description="sweeps queued or running at a time")
    cells: int | None = Field(default=None, ge=1, description="cells submitted within `quota.days`")
    core_seconds: float | None = Field(
        default=None, gt=0, description="core-seconds of sweeps submitted within `quota.days`"
    )
    days: float = Field(default=30.0, gt=0, description="days over which quotas count")


class Quotas:
    """Checks a sweep against what its key has had."""

    def __init__(self, engine: Engine, settings: QuotaSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._entering: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def admit(self, key: str | None, sweep_id: str, cells: int, seconds: float) -> Iterator[None]:
        """Check a new sweep, and let no other of the key in until it is entered.

        A sweep that exists costs nothing. Several services on one ledger may each let one in.
        """
        if key is None or not self._limited:
            yield
            return
        with self._entering[key]:
            if not self._exists(sweep_id):
                self.check(key, cells, seconds)
            yield

    def check(self, key: str | None, cells: int, seconds: float) -> None:
        """QuotaUsedUp if a sweep of so many cells and core-seconds is too much for a key.

        A sweep that has not ended counts with what it was expected to take, if that is more than
        it took so far. Who needs no key has no quota.
        """
        limits = self._settings
        if key is None or not self._limited:
            return
        running, had_cells, had_seconds = self._had(key)
        if limits.sweeps is not None and running >= limits.sweeps:
            raise QuotaUsedUp(
                f"{running} sweeps of key {key} are queued or running, as many as it may have "
                "at a time; wait for one, or cancel one"
            )
        span = f"within {limits.days:g} days; submit a smaller sweep, wait, or ask who runs this"
        if limits.cells is not None and had_cells + cells > limits.cells:
            raise QuotaUsedUp(
                f"{had_cells:,} cells of key {key} and {cells:,} more are above the "
                f"{limits.cells:,} that it may have {span}"
            )
        if limits.core_seconds is not None and had_seconds + seconds > limits.core_seconds:
            raise QuotaUsedUp(
                f"{had_seconds:,.0f} core-seconds of key {key} and {seconds:,.0f} more are above "
                f"the {limits.core_seconds:,.0f} that it may have {span}"
            )

    @property
    def _limited(self) -> bool:
        limits = self._settings
        return (limits.sweeps, limits.cells, limits.core_seconds) != (None, None, None)

    def _exists(self, sweep_id: str) -> bool:
        query = sa.select(sweeps.c.number).where(sweeps.c.id == sweep_id)
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            return db.scalar(query) is not None

    def _had(self, key: str) -> tuple[int, int, float]:
        """Return the sweeps at work of a key, and its cells and core-seconds of late.

        A sweep in the trash counts as before. One that was purged counts with the core-seconds
        that it took; its cells are free again.
        """
        is_open = sweeps.c.state.in_(OPEN)
        expected = sa.func.coalesce(sweeps.c.expected_seconds, 0.0)
        more = sa.and_(is_open, expected > sweeps.c.seconds)
        since = time.time() - self._settings.days * 86_400
        recent = sa.or_(sweeps.c.created >= since, is_open)
        query = sa.select(
            sa.func.sum(sa.case((is_open, 1), else_=0)),
            sa.func.sum(sweeps.c.cells),
            sa.func.sum(sa.case((more, expected), else_=sweeps.c.seconds)),
        ).where(sweeps.c.submitted_by == key, recent)
        gone = sa.select(sa.func.sum(purged.c.seconds)).where(
            purged.c.submitted_by == key, purged.c.created >= since
        )
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            running, cells, seconds = db.execute(query).one()
            more_seconds = db.scalar(gone)
        return int(running or 0), int(cells or 0), float(seconds or 0.0) + (more_seconds or 0.0)
