"""Which parts of a service work, and what is wrong with those that do not."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from delocal.service.errors import NotReady, Problem

if TYPE_CHECKING:
    from delocal.service.settings import Service


def problems(service: Service) -> list[Problem]:
    """Return a problem for each part that is down; none if the service can do its work."""
    checks: dict[str, Callable[[Service], None]] = {
        "ledger": _ledger,
        "executor": _executor,
        "dispatcher": _dispatcher,
        "data": _data,
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
    """Write to the data folder and take it away again: a full disk lets a file be made empty."""
    probe = service.settings.data / f"ready.{secrets.token_hex(4)}.partial"
    try:
        probe.write_bytes(bytes(4096))
    except OSError as error:
        raise NotReady(f"the data folder cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
