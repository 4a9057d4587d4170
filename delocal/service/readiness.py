"""Which parts of a service work, and what is wrong with those that do not."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog

from delocal.service.errors import NotReady, Problem
from delocal.workers.storage import storage_at, try_to_write

if TYPE_CHECKING:
    from delocal.service.settings import Service

log = structlog.get_logger()

PROBE_BYTES = 4096  # a full disk lets a file be made empty


def problems(service: Service) -> list[Problem]:
    """Return a problem for each part that is down; none if the service can do its work."""
    checks: dict[str, Callable[[Service], None]] = {
        "ledger": _ledger,
        "executor": _executor,
        "dispatcher": _dispatcher,
        "data": _data,
        "sweeps": _sweeps,
    }
    found = []
    for part, check in checks.items():
        try:
            check(service)
        except NotReady as error:
            found.append(Problem(part, str(error)))
    return found


def _ledger(service: Service) -> None:
    try:
        service.ledger.active()
    except sa.exc.SQLAlchemyError as error:
        reason = error.orig if isinstance(error, sa.exc.DBAPIError) else type(error).__name__
        raise NotReady(f"the database does not answer: {reason}") from error


def _executor(service: Service) -> None:
    try:
        slots = service.executor.slots
    except OSError as error:
        raise NotReady(f"the cluster does not answer: {error}") from error
    if not slots:
        raise NotReady("the cluster has no workers; sweeps wait for one")


def _dispatcher(service: Service) -> None:
    if service.stopping.is_set() or not service.dispatcher.alive:
        raise NotReady("the service is stopping")


def _data(service: Service) -> None:
    """Write to the data folder and take it away again."""
    probe = service.settings.data / f"ready.{secrets.token_hex(4)}.partial"
    try:
        probe.write_bytes(bytes(PROBE_BYTES))
    except OSError as error:
        raise NotReady(f"the data folder cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def _sweeps(service: Service) -> None:
    """Write to the bucket or folder of the sweeps, if it is not in the data folder.

    Who asks needs no key, so that the answer names no place; the log does.
    """
    if service.settings.sweeps is None:
        return
    storage = storage_at(service.settings.place)
    try:
        storage.prepare("")
        try_to_write(storage, PROBE_BYTES)
    except OSError as error:
        log.warning("sweeps cannot be written", place=storage.location, error=str(error))
        missing = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EIO
        why = os.strerror(error.errno or missing)
        raise NotReady(f"the place of the sweeps cannot be written: {why}") from error
