"""The database behind the ledger: SQLite or PostgreSQL, its migrations and its errors."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

_migrating = threading.Lock()  # alembic keeps what it is at in globals of the process


def driver_of(url: str) -> str:
    """Return the URL with the driver that we use: psycopg 3 for PostgreSQL.

    Examples
    --------
    >>> driver_of("postgres://delocal@db/ledger")
    'postgresql+psycopg://delocal@db/ledger'
    """
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url


def migration_config(url: str) -> Config:
    """Return the alembic configuration for the ledger at `url`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", driver_of(url).replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Bring the ledger at `url` to the newest migration."""
    with _migrating:
        command.upgrade(migration_config(url), "head")


def revisions(url: str) -> tuple[str | None, str]:
    """Return the migration that the ledger at `url` is at, None for an empty one, and the newest.

    OperationalError if the database does not answer.
    """
    newest = ScriptDirectory.from_config(migration_config(url)).get_current_head()
    engine = sa.create_engine(driver_of(url))
    try:
        with engine.connect() as db:
            return MigrationContext.configure(db).get_current_revision(), str(newest)
    finally:
        engine.dispose()


def engine_of(url: str) -> Engine:
    """Return the connections to the database at `url`, SQLite in WAL mode."""
    # A database that was restarted has cut those that are kept.
    engine = sa.create_engine(driver_of(url), pool_pre_ping=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.isolation_level = None  # transactions are begun by us, below
            for setting in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                connection.execute(f"PRAGMA {setting}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # A deferred transaction that reads first cannot wait for the writer's lock; what
            # only reads needs no lock.
            if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def in_batches(numbers: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    """Yield numbers, so many at a time: a statement takes no more."""
    left = iter(numbers)
    while batch := tuple(islice(left, size)):
        yield batch


def may_pass(error: BaseException) -> bool:
    """Whether an error of a disk or database may be gone when one tries again."""
    passing = (OSError, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
    return isinstance(error, passing)


def no_room(error: sa.exc.OperationalError) -> int | None:
    """Return the number of the operating system's error behind one of the database, if any."""
    text = str(error.orig)
    if "disk is full" in text or "No space left" in text or "disk I/O error" in text:
        return errno.ENOSPC
    return errno.EROFS if "readonly database" in text else None
